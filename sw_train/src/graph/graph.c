/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a graph: what all kinds of layers have in common (names, tensors, parameters, buffers),
 * and sealing. How a layer computes is in layer_*.c, how the graph runs in graph_run.c.
 */
#include "graph/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Small things for the layers ------------------------------------------------------------- */

bool graph_window_size(size_t in, size_t kernel, size_t stride, size_t pad, size_t *out)
{
    size_t padded = in + 2 * pad;
    if (padded < kernel) {
        return false;
    }
    *out = (padded - kernel) / stride + 1;
    return true;
}

float *graph_allocate_floats(size_t count)
{
    const size_t alignment = 64;
    if (count > (SIZE_MAX - alignment) / sizeof(float)) {
        return NULL;
    }
    size_t bytes = (count * sizeof(float) + alignment - 1) / alignment * alignment;
    bytes = bytes == 0 ? alignment : bytes;
    float *values = aligned_alloc(alignment, bytes);
    if (values != NULL) {
        memset(values, 0, bytes);
    }
    return values;
}

const struct backend_tensor *graph_value(const struct graph *graph, size_t index)
{
    return &graph->tensors[index].value;
}

bool graph_needs_gradient(const struct graph *graph, size_t index)
{
    return graph->tensors[index].needs_gradient;
}

enum backend_layout graph_layout(const struct graph *graph)
{
    return graph->options.blocked ? BACKEND_BLOCKED : BACKEND_CHANNELS_LAST;
}

struct backend_tensor *layer_input(const struct layer *layer, size_t which)
{
    return &layer->graph->tensors[layer->inputs[which]].value;
}

struct backend_tensor *layer_output(const struct layer *layer)
{
    return &layer->graph->tensors[layer->output].value;
}

const struct backend_tensor *layer_output_gradient(const struct layer *layer)
{
    return &layer->graph->tensors[layer->output].gradient;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* Room for one more element. */
static bool reserve(void **items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    size_t larger = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*items, larger * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = larger;
    return true;
}

static bittern_status add_tensor(struct graph *graph, const struct backend_tensor *shape,
                                 bool needs_gradient, struct bittern_error *err)
{
    void *items = graph->tensors;
    if (!reserve(&items, graph->tensor_count, &graph->tensor_capacity, sizeof(struct tensor))) {
        return graph_out_of_memory("tensors", err);
    }
    graph->tensors = items;
    struct tensor *tensor = &graph->tensors[graph->tensor_count];
    *tensor = (struct tensor){.value = *shape, .needs_gradient = needs_gradient};
    tensor->value.data = NULL;
    bittern_status status = backend_tensor_allocate(graph->backend, &tensor->value, err);
    if (status == BITTERN_OK) {
        graph->tensor_count++;
    }
    return status;
}

/* "LAYER.SUFFIX" into a name of 96 characters */
static bittern_status join_name(char *name, size_t size, const struct layer *layer,
                                const char *suffix, struct bittern_error *err)
{
    int length = snprintf(name, size, "%s.%s", layer->name, suffix);
    if (length < 0 || (size_t)length >= size) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the name '%s.%s' is too long",
                                 layer->name, suffix);
    }
    return BITTERN_OK;
}

bittern_status graph_add_parameter(struct graph *graph, struct layer *layer, const char *suffix,
                                   const struct parameter *parameter, struct bittern_error *err)
{
    void *items = graph->parameters;
    if (!reserve(&items, graph->parameter_count, &graph->parameter_capacity,
                 sizeof(struct parameter))) {
        return graph_out_of_memory(layer->name, err);
    }
    graph->parameters = items;
    struct parameter *added = &graph->parameters[graph->parameter_count];
    *added = *parameter;
    bittern_status status = join_name(added->name, sizeof(added->name), layer, suffix, err);
    if (status == BITTERN_OK) {
        graph->parameter_count++;
        layer->parameter_count++;
    }
    return status;
}

bittern_status graph_add_buffer(struct graph *graph, const struct layer *layer, const char *suffix,
                                float *value, size_t count, struct bittern_error *err)
{
    void *items = graph->buffers;
    if (!reserve(&items, graph->buffer_count, &graph->buffer_capacity,
                 sizeof(struct graph_buffer))) {
        return graph_out_of_memory(layer->name, err);
    }
    graph->buffers = items;
    struct graph_buffer *added = &graph->buffers[graph->buffer_count];
    added->count = count;
    added->value = value;
    bittern_status status = join_name(added->name, sizeof(added->name), layer, suffix, err);
    if (status == BITTERN_OK) {
        graph->buffer_count++;
    }
    return status;
}

/* ---- Building -------------------------------------------------------------------------------- */

bittern_status graph_create(struct backend *backend, const struct graph_options *options,
                            struct graph **graph, struct bittern_error *err)
{
    *graph = NULL;
    if (options->batch == 0 || options->channels == 0 || options->height == 0 ||
        options->width == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a graph needs at least one image, channel, row and column");
    }
    if (options->blocked && backend_block_channels(backend) == 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "this backend has no blocked layout; build the graph without it");
    }
    struct graph *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the graph");
    }
    g->backend = backend;
    g->options = *options;
    g->ranks = comm_size(options->comm);
    struct backend_tensor input = {
        .n = options->batch,
        .c = options->channels,
        .h = options->height,
        .w = options->width,
        .type = backend_activation_type(backend),
        .layout = options->blocked ? BACKEND_PLANAR : BACKEND_CHANNELS_LAST,
    };
    bittern_status status = add_tensor(g, &input, false, err);
    if (status != BITTERN_OK) {
        graph_free(g);
        return status;
    }
    *graph = g;
    return BITTERN_OK;
}

void graph_free(struct graph *graph)
{
    if (graph == NULL) {
        return;
    }
    for (size_t i = 0; i < graph->layer_count; i++) {
        graph->layers[i]->class->destroy(graph->layers[i]);
        free(graph->layers[i]);
    }
    if (graph->to_scores != NULL) {
        backend_tensor_release(graph->backend, &graph->scores);
        backend_tensor_release(graph->backend, &graph->diff_scores);
    }
    backend_reorder_free(graph->to_scores);
    backend_reorder_free(graph->from_diff_scores);
    for (size_t i = 0; i < graph->tensor_count; i++) {
        backend_tensor_release(graph->backend, &graph->tensors[i].value);
    }
    gradients_free(graph);
    free(graph->layers);
    free(graph->tensors);
    free(graph->parameters);
    free(graph->buffers);
    free(graph);
}

bittern_status graph_check_layer(const struct graph *graph, const char *name, const size_t *inputs,
                                 size_t input_count, struct bittern_error *err)
{
    if (graph->sealed) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "layer '%s' comes too late: the graph is sealed", name);
    }
    if (name[0] == '\0' || strlen(name) >= GRAPH_NAME_SIZE) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the layer name '%s' must have 1 to %d characters", name,
                                 GRAPH_NAME_SIZE - 1);
    }
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (strcmp(graph->layers[i]->name, name) == 0) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "two layers are named '%s'", name);
        }
    }
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i] >= graph->tensor_count) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                     "layer '%s' reads tensor %zu, which no layer has made", name,
                                     inputs[i]);
        }
    }
    return BITTERN_OK;
}

bittern_status graph_add_layer(struct graph *graph, const struct layer_class *class,
                               const char *name, const size_t *inputs, size_t input_count,
                               const struct backend_tensor *shape, bool has_parameters, void *state,
                               size_t *output, struct layer **layer, struct bittern_error *err)
{
    bool needs_gradient = has_parameters;
    for (size_t i = 0; i < input_count; i++) {
        needs_gradient = needs_gradient || graph->tensors[inputs[i]].needs_gradient;
    }
    struct layer on_failure = {.class = class, .state = state};
    void *items = graph->layers;
    struct layer *added = calloc(1, sizeof(*added));
    bittern_status status = BITTERN_OK;
    if (added == NULL ||
        !reserve(&items, graph->layer_count, &graph->layer_capacity, sizeof(struct layer *))) {
        status = graph_out_of_memory(name, err);
        goto cleanup;
    }
    graph->layers = items;
    status = add_tensor(graph, shape, needs_gradient, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s'", name);
        goto cleanup;
    }
    *added = (struct layer){
        .class = class,
        .graph = graph,
        .index = graph->layer_count,
        .input_count = input_count,
        .output = graph->tensor_count - 1,
        .first_parameter = graph->parameter_count,
        .state = state,
    };
    (void)snprintf(added->name, sizeof(added->name), "%s", name);
    for (size_t i = 0; i < input_count; i++) {
        added->inputs[i] = inputs[i];
        graph->tensors[inputs[i]].readers++;
    }
    graph->layers[graph->layer_count++] = added;
    *output = added->output;
    *layer = added;

cleanup:
    if (status != BITTERN_OK) {
        class->destroy(&on_failure);
        free(added);
    }
    return status;
}

/* ---- Sealing --------------------------------------------------------------------------------- */

static bittern_status check_complete(const struct graph *graph, struct bittern_error *err)
{
    if (graph->sealed) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the graph is sealed already");
    }
    if (graph->parameter_count == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the graph has no layer with weights");
    }
    for (size_t i = 0; i + 1 < graph->layer_count; i++) {
        const struct layer *layer = graph->layers[i];
        if (graph->tensors[layer->output].readers == 0) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                     "no layer reads the output of layer '%s'", layer->name);
        }
    }
    const struct layer *last = graph->layers[graph->layer_count - 1];
    const struct backend_tensor *output = &graph->tensors[last->output].value;
    if (output->h != 1 || output->w != 1) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s', the last one, gives maps of %zux%zu, not one value a "
                                 "class; put a full connection or a global average pool behind it",
                                 last->name, output->h, output->w);
    }
    return BITTERN_OK;
}

/* Scores and their gradient as [batch][classes] float32: the last tensor's own memory where it is
 * so, else copies. */
static bittern_status seal_scores(struct graph *graph, struct bittern_error *err)
{
    const struct tensor *last = &graph->tensors[graph->tensor_count - 1];
    graph->scores = last->value;
    graph->diff_scores = last->gradient;
    if (last->value.type == BACKEND_F32 && last->value.layout == BACKEND_CHANNELS_LAST) {
        return BITTERN_OK;
    }
    graph->scores.type = BACKEND_F32;
    graph->scores.layout = BACKEND_CHANNELS_LAST;
    graph->scores.data = NULL;
    graph->diff_scores = graph->scores;
    bittern_status status = backend_reorder_create(graph->backend, &last->value, &graph->scores,
                                                   &graph->to_scores, err);
    if (status == BITTERN_OK) {
        status = backend_reorder_create(graph->backend, &graph->diff_scores, &last->gradient,
                                        &graph->from_diff_scores, err);
    }
    if (status == BITTERN_OK) {
        status = backend_tensor_allocate(graph->backend, &graph->scores, err);
    }
    if (status == BITTERN_OK) {
        status = backend_tensor_allocate(graph->backend, &graph->diff_scores, err);
    }
    return status;
}

bittern_status graph_seal(struct graph *graph, struct bittern_error *err)
{
    bittern_status status = check_complete(graph, err);
    if (status == BITTERN_OK) {
        status = gradients_plan(graph, err);
    }
    if (status == BITTERN_OK) {
        status = seal_scores(graph, err);
    }
    graph->sealed = status == BITTERN_OK;
    return status;
}
