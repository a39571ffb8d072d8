/* SPDX-License-Identifier: Apache-2.0 */
/* Both LeNet-5's tables of layers; the depths are those that the paper on SQ reports. */
#include "network_lenet5.h"

#include "network_table.h"

static const struct table_layer classic_layers[] = {
    {"conv1", 6, BITTERN_LAYER_CONV, 2, true, BITTERN_WEIGHT_BINARY, 5},
    {"conv2", 16, BITTERN_LAYER_CONV, 0, true, BITTERN_WEIGHT_BINARY, 5},
    {"fc1", 120, BITTERN_LAYER_FC, 0, false, BITTERN_WEIGHT_TERNARY, 0},
    {"fc2", 84, BITTERN_LAYER_FC, 0, false, BITTERN_WEIGHT_TERNARY, 0},
    {"fc3", 10, BITTERN_LAYER_FC, 0, false, BITTERN_WEIGHT_TERNARY, 0},
};

static const struct table_layer wide_layers[] = {
    {"conv1", 32, BITTERN_LAYER_CONV, 2, true, BITTERN_WEIGHT_BINARY, 5},
    {"conv2", 64, BITTERN_LAYER_CONV, 2, true, BITTERN_WEIGHT_BINARY, 5},
    {"fc1", 512, BITTERN_LAYER_FC, 0, false, BITTERN_WEIGHT_TERNARY, 0},
    {"fc2", 10, BITTERN_LAYER_FC, 0, false, BITTERN_WEIGHT_TERNARY, 0},
};

bittern_status network_lenet5_create(bool wide, uint64_t seed, struct bittern_network **network,
                                     struct bittern_error *err)
{
    static const struct bittern_shape grey = {1, 28, 28};
    return network_table_create(wide ? "lenet5-wide" : "lenet5", &grey,
                                wide ? wide_layers : classic_layers,
                                wide ? sizeof wide_layers / sizeof wide_layers[0]
                                     : sizeof classic_layers / sizeof classic_layers[0],
                                BITTERN_ACTIVATION_SCALE, seed, network, err);
}
