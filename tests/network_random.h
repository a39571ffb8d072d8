/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random integer networks for tests: every op, weight kind, value type, stride, padding and pooling
 * that the format allows, in small shapes; and a slow, obvious engine to compare against.
 */
#ifndef BITTERN_NETWORK_RANDOM_H
#define BITTERN_NETWORK_RANDOM_H

#include <bittern/network.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random_network_options {
    size_t max_layers;   /* 0: 4 */
    size_t max_channels; /* 0: 70, so that words of 64 have a tail */
    size_t max_side;     /* 0: 12 */
    size_t max_width;    /* of the image, in place of max_side; 0: max_side */
    bool only_planes;    /* integers between all layers, and several planes in all weights */
};

/* A valid network drawn from the seed; the caller frees it. */
bittern_status random_network(uint64_t seed, const struct random_network_options *options,
                              struct bittern_network **network, struct bittern_error *err);

/* Run one image the slow way, one value at a time in int64, straight from docs/numerics.md, through
 * bittern_layer_weight. outputs[i] is malloced, layer i's [channels][height][width]. */
bittern_status slow_network_run(const struct bittern_network *network, const uint8_t *image,
                                int32_t **outputs, struct bittern_error *err);

#endif
