/* SPDX-License-Identifier: Apache-2.0 */
/* Integer networks that a test builds by hand, layer by layer, small enough to see. */
#ifndef BITTERN_NETWORK_SMALL_H
#define BITTERN_NETWORK_SMALL_H

#include "network/network_build.h"

/* BINARY: pixel 0 is -1, others +1. TERNARY: 0, 1 are themselves, others -1. INT: unsigned 8 bits.
 * Out of memory, the test fails. */
struct bittern_network *small_create(size_t layers, struct bittern_shape input,
                                     enum bittern_value_kind kind);

/* Input, window and shapes of layer `index`; window NULL: a full connection, or 1x1. */
struct bittern_layer *small_layer(struct bittern_network *network, size_t index,
                                  enum bittern_layer_op op, size_t outputs,
                                  const struct bittern_window *window);

/* Weights [output][row][column][input channel], within -7..7; PLANES makes three ternary planes. */
void small_weights(struct bittern_network *network, struct bittern_layer *layer,
                   enum bittern_weight_kind kind, const int *values);

/* Pools are set by now: acc's range, the output's shape, scale 1, bias 0, and an activation with
 * the same numbers in all channels: NONE; SIGN {high}; TERNARY {high, low}; SCALE {M, B, S} to 4
 * bits unsigned. */
void small_finish(struct bittern_network *network, struct bittern_layer *layer,
                  enum bittern_activation_kind kind, const int *numbers, bool descending);

#endif
