/* SPDX-License-Identifier: Apache-2.0 */
/* The cycle model: cycles.h says what it assumes. */
#include "accelerator/cycles.h"

#include <stdlib.h>

struct cycles_tile_end {
    uint64_t rows; /* of all tiles up to this one */
    uint64_t at;   /* when the array was done with it */
};

bool cycles_start(struct cycles *cycles, const struct geometry *geometry)
{
    *cycles = (struct cycles){.geometry = geometry};
    cycles->tiles = calloc((size_t)geometry->weight_rows + 1, sizeof *cycles->tiles);
    return cycles->tiles != NULL;
}

void cycles_reset(struct cycles *cycles)
{
    *cycles = (struct cycles){.geometry = cycles->geometry, .tiles = cycles->tiles};
}

void cycles_end(struct cycles *cycles)
{
    free(cycles->tiles);
    cycles->tiles = NULL;
}

uint64_t cycles_of_transfer(uint32_t images, uint32_t words)
{
    return images * ((uint64_t)words + CYCLES_IMAGE);
}

uint64_t cycles_of_tile(const struct geometry *geometry, const struct device_layer *layer,
                        uint32_t images)
{
    uint64_t steps = device_layer_steps(layer);
    uint64_t drain = (uint64_t)layer->lanes * layer->writes;

    if (layer->result) {
        uint64_t beats = (uint64_t)geometry->oc * 32 / geometry->word;
        drain = layer->lanes * (beats > CYCLES_RESULT ? beats : CYCLES_RESULT);
    } else if (layer->pair) {
        drain = layer->lanes / 2;
    }
    return device_layer_groups(layer, images) * (steps > drain ? steps : drain) + CYCLES_TILE;
}

uint64_t cycles_of_first_load(const struct geometry *geometry, const struct device_layer *layer,
                              uint32_t images, uint32_t words)
{
    uint64_t load = cycles_of_transfer(images, words);
    uint64_t tile = cycles_of_tile(geometry, layer, images);
    uint64_t least = cycles_of_transfer(1, words);
    return CYCLES_TRANSFER + (load > tile + least ? load - tile : least);
}

/* When all rows of the next tile are in the ring. */
static uint64_t tile_loaded(struct cycles *c, uint32_t rows)
{
    uint64_t capacity = c->geometry->weight_rows;
    uint64_t before = c->rows;
    uint64_t freed_before = c->rows_freed;

    c->rows += rows;
    uint64_t loaded = c->loaded + (uint64_t)rows * c->geometry->oc;
    bool waits = false;
    while (c->rows > capacity + c->rows_freed && c->count > 0) {
        waits = true;
        freed_before = c->rows_freed;
        c->rows_freed = c->tiles[c->first].rows;
        c->freed_at = c->tiles[c->first].at;
        c->first = (c->first + 1) % (c->geometry->weight_rows + 1);
        c->count--;
    }
    if (waits) {
        /* Some rows had room before the last tile in the way ended; the rest comes after it. */
        uint64_t room = capacity + freed_before - before;
        uint64_t late = c->freed_at + (rows - (room < rows ? room : rows)) * c->geometry->oc;
        loaded = loaded > late ? loaded : late;
    }
    return loaded;
}

uint64_t cycles_layer(struct cycles *cycles, const struct device_layer *layer, uint32_t images,
                      uint64_t *stalled)
{
    uint64_t start = cycles->now;
    uint64_t stall = 0;
    uint64_t tile = cycles_of_tile(cycles->geometry, layer, images);

    for (uint32_t t = 0; t < layer->tiles; t++) {
        uint64_t loaded = tile_loaded(cycles, layer->rows_per_tile);
        cycles->loaded = loaded;
        if (loaded > cycles->now) {
            stall += loaded - cycles->now;
            cycles->now = loaded;
        }
        cycles->now += tile;
        uint32_t last = (cycles->first + cycles->count) % (cycles->geometry->weight_rows + 1);
        cycles->tiles[last] = (struct cycles_tile_end){cycles->rows, cycles->now};
        cycles->count++;
    }
    cycles->now += CYCLES_LAYER;
    if (stalled) {
        *stalled = stall;
    }
    return cycles->now - start;
}
