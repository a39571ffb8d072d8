/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer networks from the inside: how the compiler, the program reader and the tests make one.
 *
 *     struct bittern_network *network = NULL;
 *     network_create("name", layer_count, &network, err);
 *     network->input.shape = ...;
 *     uint64_t *plus = network_allocate(network, count, sizeof *plus, err);
 *     ... fill in network->layers[i], pointing into such arrays ...
 *     network_validate(network, err);
 */
#ifndef BITTERN_NETWORK_BUILD_H
#define BITTERN_NETWORK_BUILD_H

#include <bittern/network.h>

struct network_block; /* one allocation of the network's */

struct bittern_network {
    char *name;
    struct bittern_input input;
    size_t layer_count;
    struct bittern_layer *layers; /* [layer_count] */
    size_t top_k;                 /* 1, or k of a final TopK */
    struct network_block *blocks;
};

/* Limits that keep every product of sizes far from overflow; checked by network_validate. */
#define NETWORK_MAX_LAYERS 1024
#define NETWORK_MAX_CHANNELS 65536
#define NETWORK_MAX_SIDE 65536                /* rows or columns */
#define NETWORK_MAX_VALUES ((size_t)1 << 28)  /* of one layer's input, acc or output */
#define NETWORK_MAX_WEIGHTS ((size_t)1 << 31) /* of one layer */
#define NETWORK_MAX_KERNEL 256                /* rows or columns of a window */
#define NETWORK_MAX_STRIDE 65536
#define NETWORK_MAX_PAD 256              /* rows or columns on one side */
#define NETWORK_MAX_PLANE_MULTIPLIER 255 /* the largest weight level that compiling accepts */
#define NETWORK_MAX_NAME 4096            /* bytes of a name, without the final 0 */
#define NETWORK_MAX_SHIFT 47
#define NETWORK_MAX_MULTIPLIER ((1 << 24) - 1) /* one 25-bit port of a DSP slice */
#define NETWORK_PRODUCT_BITS 48                /* of acc * M + B, its accumulator's width */

/* A network with `layer_count` zeroed layers, 1 or more; top_k is 1. */
bittern_status network_create(const char *name, size_t layer_count,
                              struct bittern_network **network, struct bittern_error *err);

/* Zeroed memory that lives as long as the network; NULL, with err set, where there is none. */
void *network_allocate(struct bittern_network *network, size_t count, size_t size,
                       struct bittern_error *err);
char *network_copy_string(struct bittern_network *network, const char *text,
                          struct bittern_error *err);

/* 64-bit words that one plane of the layer spends on an output channel; from op, input and window
 * alone. */
size_t network_words_per_output(const struct bittern_layer *layer);

/* Inputs of one output value, padding counted: taps * input channels; for FC all inputs. */
size_t network_fan_in(const struct bittern_layer *layer);

/* Rows and columns of a window's output: floor((size + pads - kernel) / stride) + 1, 0 where the
 * kernel does not fit. */
struct bittern_shape network_window_output(const struct bittern_window *window, size_t channels,
                                           size_t height, size_t width);

/*
 * Exact range of acc of one output channel before any sum pool, over all inputs of the layer's
 * input type and all positions (padded taps contribute pad_value): for the ranges [lo, hi] of the
 * values, sum of max(w*lo, w*hi) and of min(w*lo, w*hi), with [lo, hi] widened to hold pad_value
 * where the layer pads.
 */
void network_channel_range(const struct bittern_layer *layer, size_t output_channel,
                           int64_t *minimum, int64_t *maximum);

/*
 * Does every partial sum of every accumulator, in any order over planes, taps and channels, stay
 * within -limit..limit? Planes may cancel each other, and values that are all above 0 may, too:
 * then a sum passes through values that the range of acc does not hold.
 */
bool network_partial_sums_fit(const struct bittern_layer *layer, int64_t limit);

/* No weight of the output channel is in plus and minus of a plane, and no bit is set behind the
 * last input. */
bool network_channel_words_valid(const struct bittern_layer *layer, size_t output_channel);

/*
 * Check every invariant that <bittern/network.h> states, on a network that may come from a hostile
 * file: limits above, shapes that follow from each other, arrays that are there, planes that are
 * disjoint with clear tails, acc_min and acc_max equal to what network_channel_range gives (times
 * the sum pool's window), partial sums within 32 bits, shifts, multipliers and products in range,
 * thresholds in order.
 */
bittern_status network_validate(const struct bittern_network *network, struct bittern_error *err);

#endif
