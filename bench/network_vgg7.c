/* SPDX-License-Identifier: Apache-2.0 */
/* VGG-7's table of layers. */
#include "network_vgg7.h"

#include "network_table.h"

#define VGG7_HIDDEN 6 /* index of the first full connection */

static const struct table_layer vgg7_layers[NETWORK_VGG7_LAYERS] = {
    {"conv1", 128, BITTERN_LAYER_CONV, 1, false, 0, 0},
    {"conv2", 128, BITTERN_LAYER_CONV, 1, true, 0, 0},
    {"conv3", 256, BITTERN_LAYER_CONV, 1, false, 0, 0},
    {"conv4", 256, BITTERN_LAYER_CONV, 1, true, 0, 0},
    {"conv5", 512, BITTERN_LAYER_CONV, 1, false, 0, 0},
    {"conv6", 512, BITTERN_LAYER_CONV, 1, true, 0, 0},
    {"fc1", 1024, BITTERN_LAYER_FC, 0, false, 0, 0},
    {"fc2", 10, BITTERN_LAYER_FC, 0, false, 0, 0},
};

bittern_status network_vgg7_create(const struct network_vgg7_options *options,
                                   struct bittern_network **network, struct bittern_error *err)
{
    struct table_layer layers[NETWORK_VGG7_LAYERS];

    for (size_t i = 0; i < NETWORK_VGG7_LAYERS; i++) {
        layers[i] = vgg7_layers[i];
        layers[i].weights = options->layer_weights[i] != BITTERN_WEIGHT_NONE
                                ? options->layer_weights[i]
                                : options->weights;
    }
    if (options->hidden_features > 0) {
        layers[VGG7_HIDDEN].channels = options->hidden_features;
    }
    return network_table_create("vgg7", NULL, layers, NETWORK_VGG7_LAYERS, options->activation,
                                options->seed, network, err);
}
