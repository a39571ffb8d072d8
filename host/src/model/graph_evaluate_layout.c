/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that move values: each is a copy of one or more blocks between arrays with strides of their
 * own. Reshaping ops copy straight through, since values stand in row-major order on both sides.
 */
#include "model/graph_semantics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void graph_copy_block(size_t rank, const int64_t *dims, const double *source,
                      const int64_t *source_strides, double *target, const int64_t *target_strides)
{
    int64_t index[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t from = 0;
    int64_t to = 0;
    for (size_t left = graph_count(dims, 0, rank); left > 0; left--) {
        target[to] = source[from];
        for (size_t a = rank; a-- > 0;) {
            from += source_strides[a];
            to += target_strides[a];
            if (++index[a] < dims[a]) {
                break;
            }
            from -= source_strides[a] * dims[a];
            to -= target_strides[a] * dims[a];
            index[a] = 0;
        }
    }
}

static void copy_straight(const struct graph_call *call)
{
    size_t count = graph_call_output(call, 0)->count;
    if (count > 0) {
        memcpy(call->outputs[0], call->inputs[0], count * sizeof(double));
    }
}

static void transpose(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *y = graph_call_output(call, 0);
    size_t perm[BITTERN_MODEL_MAX_RANK];
    int64_t dense[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t source[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t target[BITTERN_MODEL_MAX_RANK] = {0};
    (void)graph_node_perm(call->node, x->rank, perm);
    graph_dense_strides(x->dims, x->rank, dense);
    graph_dense_strides(y->dims, y->rank, target);
    for (size_t i = 0; i < x->rank; i++) {
        source[i] = dense[perm[i]];
    }
    graph_copy_block(y->rank, y->dims, call->inputs[0], source, call->outputs[0], target);
}

static bittern_status pad(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *y = graph_call_output(call, 0);
    struct graph_padding padding;
    bittern_status status = graph_node_padding(call->model, call->node, &padding, call->err);
    if (status != BITTERN_OK) {
        return status;
    }
    bool has_value = call->node->input_count > 2 && call->inputs[2] != NULL;
    double value = has_value ? call->inputs[2][0] : 0;
    for (size_t i = 0; i < y->count; i++) {
        call->outputs[0][i] = value;
    }
    int64_t source[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t target[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t first = 0;
    graph_dense_strides(x->dims, x->rank, source);
    graph_dense_strides(y->dims, y->rank, target);
    for (size_t i = 0; i < x->rank; i++) {
        first += padding.before[i] * target[i];
    }
    if (x->count > 0) {
        graph_copy_block(x->rank, x->dims, call->inputs[0], source, call->outputs[0] + first,
                         target);
    }
    return BITTERN_OK;
}

static bittern_status slice(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *y = graph_call_output(call, 0);
    struct graph_slice cut;
    bittern_status status = graph_node_slice(call->model, call->node, &cut, call->err);
    if (status != BITTERN_OK || y->count == 0) {
        return status;
    }
    int64_t source[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t target[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t first = 0;
    graph_dense_strides(x->dims, x->rank, source);
    graph_dense_strides(y->dims, y->rank, target);
    for (size_t i = 0; i < x->rank; i++) {
        first += cut.begin[i] * source[i];
        /* A step past the axis is never taken, and might not fit. */
        source[i] = cut.length[i] > 1 ? cut.step[i] * source[i] : 0;
    }
    graph_copy_block(y->rank, y->dims, call->inputs[0] + first, source, call->outputs[0], target);
    return BITTERN_OK;
}

static void concat(const struct graph_call *call)
{
    const struct graph_tensor *y = graph_call_output(call, 0);
    size_t axis = 0;
    (void)graph_resolve_axis(graph_node_int(call->node, "axis", 0), y->rank, &axis);
    int64_t source[BITTERN_MODEL_MAX_RANK] = {0};
    int64_t target[BITTERN_MODEL_MAX_RANK] = {0};
    graph_dense_strides(y->dims, y->rank, target);
    double *at = call->outputs[0];
    for (size_t i = 0; i < call->node->input_count; i++) {
        const struct graph_tensor *x = graph_node_input(call->model, call->node, i);
        graph_dense_strides(x->dims, x->rank, source);
        if (x->count > 0) {
            graph_copy_block(x->rank, x->dims, call->inputs[i], source, at, target);
            at += x->dims[axis] * target[axis];
        }
    }
}

static bittern_status gather(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *indices = graph_node_input(call->model, call->node, 1);
    size_t axis = 0;
    (void)graph_resolve_axis(graph_node_int(call->node, "axis", 0), x->rank, &axis);
    size_t outer = graph_count(x->dims, 0, axis);
    size_t inner = graph_count(x->dims, axis + 1, x->rank);
    size_t length = (size_t)x->dims[axis];
    double *y = call->outputs[0];
    for (size_t i = 0; i < indices->count; i++) {
        double index = call->inputs[1][i];
        double dim = (double)x->dims[axis];
        if (!(index >= -dim && index < dim) || index != trunc(index)) {
            return graph_node_fail(call->err, BITTERN_ERR_RANGE, call->node,
                                   "index %g is outside of axis %zu of '%s', which has shape %s",
                                   index, axis, x->name, graph_tensor_print(x).text);
        }
    }
    for (size_t o = 0; o < outer; o++) {
        for (size_t i = 0; i < indices->count; i++) {
            double index = call->inputs[1][i];
            size_t row = (size_t)(index < 0 ? index + (double)length : index);
            for (size_t k = 0; k < inner; k++) {
                *y++ = call->inputs[0][(o * length + row) * inner + k];
            }
        }
    }
    return BITTERN_OK;
}

/* ---- Shape arithmetic -------------------------------------------------------------------------
 */

static void shape(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    size_t start;
    size_t end;
    graph_node_shape_range(call->node, x->rank, &start, &end);
    for (size_t i = start; i < end; i++) {
        call->outputs[0][i - start] = (double)x->dims[i];
    }
}

static void constant_of_shape(const struct graph_call *call)
{
    double value = graph_node_float(call->node, "value_float",
                                    (double)graph_node_int(call->node, "value_int", 0));
    for (size_t i = 0; i < graph_call_output(call, 0)->count; i++) {
        call->outputs[0][i] = value;
    }
}

/* Toward zero and into the type's range; true and false; float32's own rounding. */
static void cast(const struct graph_call *call)
{
    const struct graph_tensor *y = graph_call_output(call, 0);
    double low;
    double high;
    graph_element_range(y->element, &low, &high);
    for (size_t i = 0; i < y->count; i++) {
        double value = call->inputs[0][i];
        if (y->element == BITTERN_ELEMENT_FLOAT) {
            value = (double)(float)value;
        } else if (y->element == BITTERN_ELEMENT_BOOL) {
            value = value != 0;
        } else if (graph_element_is_integer(y->element)) {
            value = isnan(value) ? 0 : trunc(value);
            value = value < low ? low : value > high ? high : value;
        }
        call->outputs[0][i] = value;
    }
}

bittern_status graph_evaluate_layout(const struct graph_call *call)
{
    switch (call->node->op) {
    case GRAPH_TRANSPOSE:
        transpose(call);
        return BITTERN_OK;
    case GRAPH_PAD:
        return pad(call);
    case GRAPH_SLICE:
        return slice(call);
    case GRAPH_CONCAT:
        concat(call);
        return BITTERN_OK;
    case GRAPH_GATHER:
        return gather(call);
    case GRAPH_SHAPE:
        shape(call);
        return BITTERN_OK;
    case GRAPH_CONSTANT_OF_SHAPE:
        constant_of_shape(call);
        return BITTERN_OK;
    case GRAPH_CAST:
        cast(call);
        return BITTERN_OK;
    default: /* FLATTEN, RESHAPE, SQUEEZE, UNSQUEEZE */
        copy_straight(call);
        return BITTERN_OK;
    }
}
