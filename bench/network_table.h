/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer networks with random weights from a table of layers, for measurements. The image enters
 * as 8-bit unsigned integers; every layer but the last has the chosen activation, with thresholds
 * in the middle of each accumulator's range, so that values are balanced; the last returns
 * accumulators.
 */
#ifndef BITTERN_BENCH_NETWORK_TABLE_H
#define BITTERN_BENCH_NETWORK_TABLE_H

#include <bittern/network.h>
#include <stdint.h>

struct table_layer {
    const char *name;
    size_t channels;
    enum bittern_layer_op op;         /* CONV, FC */
    size_t padding;                   /* of a convolution, on each side */
    bool max_pool;                    /* 2x2 */
    enum bittern_weight_kind weights; /* BINARY, TERNARY, or PLANES: seven ternary ones */
    size_t kernel;                    /* side of a convolution; 0: 3 */
};

/* Names must outlive the network.
 * @param input  shape of an image; NULL: 3x32x32 */
bittern_status network_table_create(const char *name, const struct bittern_shape *input,
                                    const struct table_layer *layers, size_t count,
                                    enum bittern_activation_kind activation, uint64_t seed,
                                    struct bittern_network **network, struct bittern_error *err);

#endif
