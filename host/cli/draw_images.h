/* SPDX-License-Identifier: Apache-2.0 */
/* Images drawn with characters. */
#ifndef BITTERN_CLI_DRAW_IMAGES_H
#define BITTERN_CLI_DRAW_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct drawn_image {
    const uint8_t *pixels; /* planar [channels][height][width] */
    const char *caption;
};

/* Whether out is a terminal that says, in COLORTERM, that it shows 24-bit colour. */
bool draw_can_colour(FILE *out);

/* The terminal's width in characters; 80 where out is none. */
size_t draw_width(FILE *out);

/*
 * Draw images beside each other, as many as fit into `columns`, each with its caption above. One
 * character is two pixels, one above the other: a half block in their two colours, or an ASCII
 * shade.
 */
void draw_images(FILE *out, const struct drawn_image *images, size_t count, size_t channels,
                 size_t height, size_t width, size_t columns, bool colour);

#endif
