/* SPDX-License-Identifier: Apache-2.0 */
/* Activations: one elementwise pass each way (elementwise.c). */
#include "graph/elementwise.h"
#include "graph/layer.h"

#include <stdlib.h>

struct activation_state {
    struct activation_config config;
    struct activation_numbers numbers;
};

static bittern_status activation_layer_forward(struct layer *layer, enum graph_mode mode,
                                               uint64_t step, struct bittern_error *err)
{
    (void)mode;
    (void)step;
    (void)err;
    const struct activation_state *activation = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    activation_forward(&activation->numbers, src->type, src->data, layer_output(layer)->data,
                       backend_tensor_count(src));
    return BITTERN_OK;
}

static bittern_status activation_layer_backward(struct layer *layer, struct bittern_error *err)
{
    (void)err;
    const struct activation_state *activation = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    activation_backward(&activation->numbers, src->type, src->data,
                        layer_output_gradient(layer)->data, layer->diff[0].data,
                        backend_tensor_count(src));
    return BITTERN_OK;
}

static void activation_destroy(struct layer *layer)
{
    free(layer->state);
}

static void activation_describe(const struct layer *layer, struct layer_info *info)
{
    const struct activation_state *activation = layer->state;
    info->activation = activation->config;
}

static const struct layer_class activation_class = {
    .kind = LAYER_ACTIVATION,
    .forward = activation_layer_forward,
    .backward = activation_layer_backward,
    .destroy = activation_destroy,
    .describe = activation_describe,
    .in_place_gradient = true,
};

bittern_status graph_add_activation(struct graph *graph, const char *name, size_t input,
                                    const struct activation_config *config, size_t *output,
                                    struct bittern_error *err)
{
    struct layer *layer = NULL;
    struct activation_numbers numbers;
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!activation_prepare(config, &numbers)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "layer '%s': an activation of %u bits and range %g; bits must be "
                                 "2 to 8, and the range above 0",
                                 name, config->bits, config->range);
    }
    if (config->kind == ACTIVATION_IDENTITY) {
        *output = input;
        return BITTERN_OK;
    }
    struct backend_tensor dst = *graph_value(graph, input);
    struct activation_state *activation = calloc(1, sizeof(*activation));
    if (activation == NULL) {
        return graph_out_of_memory(name, err);
    }
    activation->config = *config;
    activation->numbers = numbers;
    return graph_add_layer(graph, &activation_class, name, &input, 1, &dst, false, activation,
                           output, &layer, err);
}
