/* SPDX-License-Identifier: Apache-2.0 */
/* The graph seen from outside: its tensors, parameters, layers, and the search for values that are
 * not finite. */
#include "graph/elementwise.h"
#include "graph/layer.h"

size_t graph_batch(const struct graph *graph)
{
    return graph->options.batch;
}

struct backend_tensor *graph_input(struct graph *graph)
{
    return &graph->tensors[0].value;
}

size_t graph_classes(const struct graph *graph)
{
    return graph->tensors[graph->tensor_count - 1].value.c;
}

const float *graph_output(const struct graph *graph)
{
    return graph->scores.data;
}

float *graph_output_gradient(struct graph *graph)
{
    return graph->diff_scores.data;
}

size_t graph_parameter_count(const struct graph *graph)
{
    return graph->parameter_count;
}

struct parameter *graph_parameter(struct graph *graph, size_t index)
{
    return &graph->parameters[index];
}

size_t graph_buffer_count(const struct graph *graph)
{
    return graph->buffer_count;
}

struct graph_buffer *graph_buffer(struct graph *graph, size_t index)
{
    return &graph->buffers[index];
}

size_t graph_layer_count(const struct graph *graph)
{
    return graph->layer_count;
}

void graph_layer(const struct graph *graph, size_t index, struct layer_info *info)
{
    const struct layer *layer = graph->layers[index];
    *info = (struct layer_info){
        .kind = layer->class->kind,
        .name = layer->name,
        .input = layer->inputs[0],
        .output = layer->output,
    };
    layer->class->describe(layer, info);
}

const struct backend_tensor *graph_tensor(const struct graph *graph, size_t index)
{
    return &graph->tensors[index].value;
}

/* ---- Values that are not finite -------------------------------------------------------------- */

static const char *parameter_words(enum parameter_role role, bool gradient)
{
    switch (role) {
    case PARAMETER_WEIGHT:
        return gradient ? "weight gradient" : "weight";
    case PARAMETER_BIAS:
        return gradient ? "bias gradient" : "bias";
    case PARAMETER_NORM:
        return gradient ? "batch norm gradient" : "batch norm parameter";
    case PARAMETER_METHOD:
        break;
    }
    return gradient ? "method parameter gradient" : "method parameter";
}

/* What of the layer's parameters is not finite; NULL: all is. */
static const char *check_parameters(const struct graph *graph, const struct layer *layer,
                                    bool gradient)
{
    for (size_t i = 0; i < layer->parameter_count; i++) {
        const struct parameter *parameter = &graph->parameters[layer->first_parameter + i];
        const float *values = gradient ? parameter->gradient : parameter->value;
        if (!elementwise_is_finite(BACKEND_F32, values, parameter->count)) {
            return parameter_words(parameter->role, gradient);
        }
    }
    return NULL;
}

static bool tensor_is_finite(const struct backend_tensor *tensor)
{
    return elementwise_is_finite(tensor->type, tensor->data, backend_tensor_count(tensor));
}

const char *graph_find_nonfinite(const struct graph *graph, const char **what)
{
    if (!tensor_is_finite(&graph->tensors[0].value)) {
        *what = "value";
        return "input";
    }
    for (size_t i = 0; i < graph->layer_count; i++) {
        const struct layer *layer = graph->layers[i];
        *what = check_parameters(graph, layer, false);
        if (*what != NULL) {
            return layer->name;
        }
        if (!tensor_is_finite(&graph->tensors[layer->output].value)) {
            *what = "output";
            return layer->name;
        }
    }
    for (size_t i = 0; i < graph->buffer_count; i++) {
        const struct graph_buffer *buffer = &graph->buffers[i];
        if (!elementwise_is_finite(BACKEND_F32, buffer->value, buffer->count)) {
            *what = "value";
            return buffer->name;
        }
    }
    for (size_t i = graph->layer_count; i-- > 0;) {
        const struct layer *layer = graph->layers[i];
        *what = check_parameters(graph, layer, true);
        if (*what != NULL) {
            return layer->name;
        }
    }
    return NULL;
}
