/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReduceMean and ReduceMax, for constants alone: the scales of weights that a model computes from
 * the weights themselves. Inputs are x and, optionally, the axes that go (all where none is named);
 * each output value collects the input values whose other indices are its own.
 */
#include "model/graph_semantics.h"

#include <math.h>

static bittern_status find_axes(const struct bittern_model *model, const struct graph_node *node,
                                bool reduced[BITTERN_MODEL_MAX_RANK], struct bittern_error *err)
{
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    struct graph_integers axes;
    bittern_status status = graph_node_integers(model, node, 1, "axes", &axes, err);
    if (status != BITTERN_OK) {
        return status;
    }
    bool none = axes.count == 0;
    for (size_t a = 0; a < x->rank; a++) {
        reduced[a] = none && graph_node_int(node, "noop_with_empty_axes", 0) == 0;
    }
    for (size_t i = 0; i < axes.count; i++) {
        size_t axis;
        if (!graph_resolve_axis(axes.values[i], x->rank, &axis) || reduced[axis]) {
            return graph_node_fail(err, BITTERN_ERR_FORMAT, node,
                                   "axis %lld is outside of shape %s, or named twice",
                                   (long long)axes.values[i], graph_tensor_print(x).text);
        }
        reduced[axis] = true;
    }
    return BITTERN_OK;
}

bittern_status graph_infer_reduce(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err)
{
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    bool reduced[BITTERN_MODEL_MAX_RANK] = {false};
    bool keeps = graph_node_int(node, "keepdims", 1) != 0;
    bittern_status status = find_axes(model, node, reduced, err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &inferred->shapes[0];
    *shape = (struct graph_shape){.rank = 0};
    for (size_t a = 0; a < x->rank; a++) {
        if (reduced[a] && x->dims[a] < 1) {
            return graph_node_fail(err, BITTERN_ERR_FORMAT, node,
                                   "there is nothing to reduce along axis %zu of shape %s", a,
                                   graph_tensor_print(x).text);
        }
        if (!reduced[a] || keeps) {
            shape->dims[shape->rank++] = reduced[a] ? 1 : x->dims[a];
        }
    }
    return BITTERN_OK;
}

bittern_status graph_evaluate_reduce(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *y = graph_call_output(call, 0);
    bool is_mean = call->node->op == GRAPH_REDUCE_MEAN;
    bool reduced[BITTERN_MODEL_MAX_RANK] = {false};
    int64_t strides[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t index[BITTERN_MODEL_MAX_RANK] = {0};
    bittern_status status = find_axes(call->model, call->node, reduced, call->err);
    if (status != BITTERN_OK) {
        return status;
    }
    int64_t stride = 1;
    for (size_t a = x->rank; a-- > 0;) {
        strides[a] = reduced[a] ? 0 : stride;
        stride *= reduced[a] ? 1 : x->dims[a];
    }
    for (size_t i = 0; i < y->count; i++) {
        call->outputs[0][i] = is_mean ? 0 : -INFINITY;
    }
    int64_t at = 0;
    for (size_t i = 0; i < x->count; i++) {
        double *out = &call->outputs[0][at];
        *out = is_mean ? *out + call->inputs[0][i] : fmax(*out, call->inputs[0][i]);
        for (size_t a = x->rank; a-- > 0;) {
            at += strides[a];
            if (++index[a] < x->dims[a]) {
                break;
            }
            at -= strides[a] * x->dims[a];
            index[a] = 0;
        }
    }
    for (size_t i = 0; is_mean && i < y->count; i++) {
        call->outputs[0][i] /= (double)x->count / (double)y->count;
    }
    return BITTERN_OK;
}
