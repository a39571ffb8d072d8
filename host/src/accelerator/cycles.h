/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the accelerator takes. The array is busy for a known number of cycles a tile; weights
 * come through a ring, one beat a cycle, as far ahead as the ring has room. cycles.c walks over the
 * tiles with two clocks, the array's and the weights'.
 */
#ifndef BITTERN_ACCELERATOR_CYCLES_H
#define BITTERN_ACCELERATOR_CYCLES_H

#include "accelerator/device_format.h"

/* Constants of the hardware, in cycles. */
#define CYCLES_TILE 12     /* a tile: parameters, the array's first group, the last group's drain */
#define CYCLES_LAYER 48    /* a layer: descriptor, flush of the output stage */
#define CYCLES_TRANSFER 60 /* a load or a store: latency of the memory */
#define CYCLES_IMAGE 24    /* an image of a load or a store: a burst of its own */
#define CYCLES_RESULT 20   /* an output pixel's results on their way to memory, at least */
#define CYCLES_START 400   /* a start: header, descriptors, the record at its end */

struct cycles_tile_end; /* a tile whose rows are in the ring */

struct cycles {
    const struct geometry *geometry;
    uint64_t now;    /* the array's clock */
    uint64_t loaded; /* the clock of the weights: when the last tile's rows were there */
    uint64_t rows, rows_freed;
    uint64_t freed_at;
    struct cycles_tile_end *tiles; /* queue of those in the ring, [weight_rows] */
    uint32_t first, count;
};

/* false: no memory */
bool cycles_start(struct cycles *cycles, const struct geometry *geometry);
void cycles_reset(struct cycles *cycles);
void cycles_end(struct cycles *cycles);

/* What a layer adds for so many images; stalled (may be NULL): cycles of it without weights. */
uint64_t cycles_layer(struct cycles *cycles, const struct device_layer *layer, uint32_t images,
                      uint64_t *stalled);

/* Images of so many words each, loaded or stored. */
uint64_t cycles_of_transfer(uint32_t images, uint32_t words);

/* A segment's first load, as far as the first layer must wait for it: its first tile can work on
 * the images that are there. */
uint64_t cycles_of_first_load(const struct geometry *geometry, const struct device_layer *layer,
                              uint32_t images, uint32_t words);

/* Cycles of the array and the output stage for one tile. */
uint64_t cycles_of_tile(const struct geometry *geometry, const struct device_layer *layer,
                        uint32_t images);

#endif
