/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VGG-7-shaped integer networks with random weights, for measurements:
 *
 *     3x32x32 -> 2x(128C3) -> MP2 -> 2x(256C3) -> MP2 -> 2x(512C3) -> MP2 -> FC 1024 -> FC 10
 *
 * All convolutions are padded by 1. The image enters as 8-bit unsigned integers; every layer but
 * the last has the chosen activation, with thresholds in the middle of each accumulator's range, so
 * that values are balanced; the last returns accumulators.
 */
#ifndef BITTERN_BENCH_NETWORK_VGG7_H
#define BITTERN_BENCH_NETWORK_VGG7_H

#include <bittern/network.h>
#include <stdint.h>

#define NETWORK_VGG7_LAYERS 8

struct network_vgg7_options {
    enum bittern_weight_kind weights;        /* BINARY, TERNARY, or PLANES: seven ternary ones */
    enum bittern_activation_kind activation; /* SIGN, TERNARY, or SCALE: 8 bits, unsigned */
    size_t hidden_features;                  /* of the first full connection; 0: 1024 */
    uint64_t seed;
    /* Of single layers, conv1 .. conv6, fc1, fc2; NONE (0): as `weights` says. */
    enum bittern_weight_kind layer_weights[NETWORK_VGG7_LAYERS];
};

bittern_status network_vgg7_create(const struct network_vgg7_options *options,
                                   struct bittern_network **network, struct bittern_error *err);

#endif
