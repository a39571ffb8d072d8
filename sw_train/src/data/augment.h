/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One image: pixel bytes through a table into a batch, moved, mirrored and cut on the way.
 */
#ifndef BITTERN_TRAIN_AUGMENT_H
#define BITTERN_TRAIN_AUGMENT_H

#include "base/rng.h"
#include "data/loader.h"

/* What augmentation does to one image. */
struct image_change {
    ptrdiff_t row, column; /* pixel (y, x) comes from (y + row, x + column); outside: x = 0 */
    bool flip;             /* after that, left and right are swapped */
    size_t cut_top, cut_bottom, cut_left, cut_right; /* rows and columns from, to below: x = 0 */
};

/* Draws, in this order and only where they are in use: row, column, flip, cutout's row, column. */
struct image_change augment_draw(const struct augmentation *augmentation, size_t height,
                                 size_t width, struct rng *rng);

/* How a batch stores an image: value (channel, y, x) at channel * channel_stride + (y * width + x)
 * * pixel_stride. */
struct image_format {
    size_t channels, height, width;
    size_t channel_stride, pixel_stride;
    enum backend_type type;
    const void *table; /* [channels][256] of that type */
};

/* out: one image, all of whose values are written */
void augment_convert(const struct image_format *format, const struct image_change *change,
                     const uint8_t *image, void *out);

#endif
