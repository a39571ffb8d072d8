/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where gradients of tensors lie. Such a gradient lives from the backward pass of the tensor's last
 * reader to that of its maker, so a few pieces of memory ("slots") serve all tensors, one after the
 * other; elementwise layers work in place. The plan walks through the layers as the backward pass
 * does; memory is allocated once it is complete.
 */
#include "graph/elementwise.h"
#include "graph/layer.h"

#include <stdlib.h>
#include <string.h>

size_t graph_tensor_bytes(const struct backend_tensor *tensor)
{
    return backend_tensor_count(tensor) * elementwise_bytes(tensor->type);
}

/* A free slot: the smallest that is large enough, else the largest, which grows. */
static size_t find_free(const struct graph *graph, size_t bytes)
{
    size_t best = GRAPH_NO_SLOT;
    for (size_t i = 0; i < graph->slot_count; i++) {
        const struct gradient_slot *slot = &graph->slots[i];
        if (slot->busy) {
            continue;
        }
        if (best == GRAPH_NO_SLOT) {
            best = i;
            continue;
        }
        size_t held = graph->slots[best].bytes;
        bool fits = slot->bytes >= bytes;
        if (held >= bytes ? fits && slot->bytes < held : slot->bytes > held) {
            best = i;
        }
    }
    return best;
}

static size_t take_slot(struct graph *graph, size_t bytes)
{
    size_t index = find_free(graph, bytes);
    if (index == GRAPH_NO_SLOT) {
        index = graph->slot_count++; /* one a tensor at most: there is room */
    }
    struct gradient_slot *slot = &graph->slots[index];
    slot->busy = true;
    slot->bytes = slot->bytes < bytes ? bytes : slot->bytes;
    return index;
}

/* Slots for the gradients that a layer's backward pass writes; frees that of its output. */
static void plan_layer(struct graph *graph, const struct layer *layer, size_t scratch[LAYER_INPUTS])
{
    struct tensor *output = &graph->tensors[layer->output];
    bool is_last = layer->index + 1 == graph->layer_count;
    bool keeps_slot = is_last; /* the caller's own */
    for (size_t i = 0; i < LAYER_INPUTS && i < layer->input_count; i++) {
        struct tensor *input = &graph->tensors[layer->inputs[i]];
        size_t bytes = graph_tensor_bytes(&input->value);
        if (!input->needs_gradient) {
            continue;
        }
        if (input->slot != GRAPH_NO_SLOT) {
            scratch[i] = scratch[i] < bytes ? bytes : scratch[i];
        } else if (i == 0 && layer->class->in_place_gradient && !is_last) {
            input->slot = output->slot;
            keeps_slot = true;
        } else {
            input->slot = take_slot(graph, bytes);
        }
    }
    if (!keeps_slot) {
        graph->slots[output->slot].busy = false;
    }
}

/* Zeroed and aligned as the backend's own. */
static void *allocate(size_t bytes)
{
    return graph_allocate_floats((bytes + sizeof(float) - 1) / sizeof(float));
}

static bool allocate_all(struct graph *graph, const size_t scratch[LAYER_INPUTS])
{
    for (size_t i = 0; i < graph->slot_count; i++) {
        graph->slots[i].data = allocate(graph->slots[i].bytes);
        if (graph->slots[i].data == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < LAYER_INPUTS; i++) {
        if (scratch[i] > 0) {
            graph->scratch[i] = allocate(scratch[i]);
            if (graph->scratch[i] == NULL) {
                return false;
            }
        }
    }
    return true;
}

bittern_status gradients_plan(struct graph *graph, struct bittern_error *err)
{
    size_t scratch[LAYER_INPUTS] = {0, 0};
    graph->slots = calloc(graph->tensor_count, sizeof(*graph->slots));
    if (graph->slots == NULL) {
        return graph_out_of_memory("gradients", err);
    }
    for (size_t i = 0; i < graph->tensor_count; i++) {
        graph->tensors[i].slot = GRAPH_NO_SLOT;
    }
    struct tensor *last = &graph->tensors[graph->tensor_count - 1];
    if (last->needs_gradient) {
        last->slot = take_slot(graph, graph_tensor_bytes(&last->value));
    }
    for (size_t i = graph->layer_count; i-- > 0;) {
        const struct layer *layer = graph->layers[i];
        if (graph->tensors[layer->output].needs_gradient) {
            plan_layer(graph, layer, scratch);
        }
    }
    if (!allocate_all(graph, scratch)) {
        return graph_out_of_memory("gradients", err);
    }
    for (size_t i = 0; i < graph->tensor_count; i++) {
        struct tensor *tensor = &graph->tensors[i];
        tensor->gradient = tensor->value;
        tensor->gradient.data =
            tensor->slot == GRAPH_NO_SLOT ? NULL : graph->slots[tensor->slot].data;
    }
    return BITTERN_OK;
}

void gradients_free(struct graph *graph)
{
    for (size_t i = 0; i < graph->slot_count; i++) {
        free(graph->slots[i].data);
    }
    free(graph->slots);
    free(graph->scratch[0]);
    free(graph->scratch[1]);
}
