/* SPDX-License-Identifier: Apache-2.0 */
/* CNV's table of layers. */
#include "network_cnv.h"

#include "network_table.h"

static const struct table_layer cnv_layers[NETWORK_CNV_LAYERS] = {
    {"conv1", 64, BITTERN_LAYER_CONV, 0, false, 0, 0},
    {"conv2", 64, BITTERN_LAYER_CONV, 0, true, 0, 0},
    {"conv3", 128, BITTERN_LAYER_CONV, 0, false, 0, 0},
    {"conv4", 128, BITTERN_LAYER_CONV, 0, true, 0, 0},
    {"conv5", 256, BITTERN_LAYER_CONV, 0, false, 0, 0},
    {"conv6", 256, BITTERN_LAYER_CONV, 0, false, 0, 0},
    {"fc1", 512, BITTERN_LAYER_FC, 0, false, 0, 0},
    {"fc2", 512, BITTERN_LAYER_FC, 0, false, 0, 0},
    {"fc3", 10, BITTERN_LAYER_FC, 0, false, 0, 0},
};

bittern_status network_cnv_create_mixed(const struct network_cnv_options *options,
                                        const enum bittern_weight_kind *weights,
                                        struct bittern_network **network, struct bittern_error *err)
{
    struct table_layer layers[NETWORK_CNV_LAYERS];

    for (size_t i = 0; i < NETWORK_CNV_LAYERS; i++) {
        layers[i] = cnv_layers[i];
        layers[i].weights = weights[i];
    }
    return network_table_create("cnv", NULL, layers, NETWORK_CNV_LAYERS, options->activation,
                                options->seed, network, err);
}

bittern_status network_cnv_create(const struct network_cnv_options *options,
                                  struct bittern_network **network, struct bittern_error *err)
{
    enum bittern_weight_kind weights[NETWORK_CNV_LAYERS];

    for (size_t i = 0; i < NETWORK_CNV_LAYERS; i++) {
        weights[i] = options->weights;
    }
    return network_cnv_create_mixed(options, weights, network, err);
}
