/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a graph: its layers in order forward, in reverse order backward, with the sum of
 * gradients where a tensor has several readers; and what happens to all weights or all batch norms
 * between passes.
 */
#include "graph/elementwise.h"
#include "graph/weights.h"

bittern_status graph_forward(struct graph *graph, enum graph_mode mode, uint64_t step,
                             struct bittern_error *err)
{
    if (!graph->sealed) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the graph is not sealed yet");
    }
    if (mode == GRAPH_TRAIN && graph->finished) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the graph's weights are final; it cannot be trained any more");
    }
    graph->trained = false;
    for (size_t i = 0; i < graph->layer_count; i++) {
        struct layer *layer = graph->layers[i];
        bittern_status status = layer->class->forward(layer, mode, step, err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "layer '%s'", layer->name);
            return status;
        }
    }
    graph->trained = mode == GRAPH_TRAIN;
    graph->statistics_passes += mode == GRAPH_STATISTICS;
    if (graph->to_scores == NULL) {
        return BITTERN_OK;
    }
    return backend_reorder_run(graph->to_scores, &graph->tensors[graph->tensor_count - 1].value,
                               &graph->scores, err);
}

static bittern_status backward_layer(struct graph *graph, struct layer *layer,
                                     struct bittern_error *err)
{
    bool add[LAYER_INPUTS] = {false, false};
    for (size_t i = 0; i < LAYER_INPUTS && i < layer->input_count; i++) {
        struct tensor *input = &graph->tensors[layer->inputs[i]];
        layer->diff[i] = input->gradient; /* data NULL where it is not needed */
        if (input->needs_gradient && input->has_gradient) {
            layer->diff[i].data = graph->scratch[i];
            add[i] = true;
        }
    }
    bittern_status status = layer->class->backward(layer, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s', backward", layer->name);
        return status;
    }
    for (size_t i = 0; i < LAYER_INPUTS && i < layer->input_count; i++) {
        struct tensor *input = &graph->tensors[layer->inputs[i]];
        input->has_gradient = true;
        if (add[i]) {
            elementwise_add(input->gradient.type, input->gradient.data, graph->scratch[i],
                            input->gradient.data, backend_tensor_count(&input->gradient));
        }
    }
    return BITTERN_OK;
}

bittern_status graph_backward(struct graph *graph, struct bittern_error *err)
{
    if (!graph->trained) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a backward pass needs a training forward pass before it");
    }
    graph->trained = false;
    struct tensor *last = &graph->tensors[graph->tensor_count - 1];
    for (size_t i = 0; i < graph->tensor_count; i++) {
        graph->tensors[i].has_gradient = false;
    }
    if (graph->from_diff_scores != NULL) {
        bittern_status status =
            backend_reorder_run(graph->from_diff_scores, &graph->diff_scores, &last->gradient, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    for (size_t i = graph->layer_count; i-- > 0;) {
        struct layer *layer = graph->layers[i];
        if (!graph->tensors[layer->output].needs_gradient) {
            continue;
        }
        bittern_status status = backward_layer(graph, layer, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

double graph_add_method_losses(struct graph *graph)
{
    double loss = 0.0;
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->weights != NULL) {
            loss += weights_add_loss(graph->layers[i]->weights);
        }
    }
    return loss;
}

void graph_after_update(struct graph *graph)
{
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->weights != NULL) {
            weights_after_update(graph->layers[i]->weights);
        }
    }
}

void graph_weights_changed(struct graph *graph)
{
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->weights != NULL) {
            graph->layers[i]->weights->stale = true;
        }
    }
}

void graph_finish_weights(struct graph *graph)
{
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->weights != NULL) {
            weights_finish(graph->layers[i]->weights);
        }
    }
    graph->finished = true;
    graph->trained = false;
}

void graph_begin_statistics(struct graph *graph)
{
    graph->statistics_passes = 0;
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->class->begin_statistics != NULL) {
            graph->layers[i]->class->begin_statistics(graph->layers[i]);
        }
    }
}

bittern_status graph_end_statistics(struct graph *graph, struct bittern_error *err)
{
    if (graph->statistics_passes == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "batch-norm statistics cannot be estimated from no batch");
    }
    for (size_t i = 0; i < graph->layer_count; i++) {
        if (graph->layers[i]->class->end_statistics != NULL) {
            graph->layers[i]->class->end_statistics(graph->layers[i]);
        }
    }
    graph->statistics_passes = 0;
    return BITTERN_OK;
}
