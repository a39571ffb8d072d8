/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers of the ops' shapes and values: errors, texts of shapes, axes, strides, integers. */
#include "model/graph_semantics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

bittern_status(graph_node_fail)(struct bittern_error *err, bittern_status status,
                                const struct graph_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)bittern_error_set_va(err, status, format, args);
    va_end(args);
    bittern_error_prefix(err, "node '%s' (%s)", node->name, node->op_name);
    return status;
}

struct graph_shape_text graph_shape_print(const int64_t *dims, size_t rank)
{
    struct graph_shape_text shape = {"["};
    size_t used = 1;
    for (size_t i = 0; i < rank; i++) {
        int written = snprintf(shape.text + used, sizeof shape.text - used, "%s%" PRId64,
                               i == 0 ? "" : ",", dims[i]);
        used += written > 0 ? (size_t)written : 0;
    }
    (void)snprintf(shape.text + used, sizeof shape.text - used, "]");
    return shape;
}

struct graph_shape_text graph_tensor_print(const struct graph_tensor *tensor)
{
    return graph_shape_print(tensor->dims, tensor->rank);
}

bool graph_element_is_integer(enum bittern_element element)
{
    switch (element) {
    case BITTERN_ELEMENT_FLOAT:
    case BITTERN_ELEMENT_DOUBLE:
    case BITTERN_ELEMENT_FLOAT16:
    case BITTERN_ELEMENT_BFLOAT16:
        return false;
    default:
        return true;
    }
}

void graph_element_range(enum bittern_element element, double *low, double *high)
{
    switch (element) {
    case BITTERN_ELEMENT_UINT8:
        *low = 0;
        *high = UINT8_MAX;
        return;
    case BITTERN_ELEMENT_INT8:
        *low = INT8_MIN;
        *high = INT8_MAX;
        return;
    case BITTERN_ELEMENT_UINT16:
        *low = 0;
        *high = UINT16_MAX;
        return;
    case BITTERN_ELEMENT_INT16:
        *low = INT16_MIN;
        *high = INT16_MAX;
        return;
    case BITTERN_ELEMENT_UINT32:
        *low = 0;
        *high = UINT32_MAX;
        return;
    case BITTERN_ELEMENT_INT32:
        *low = INT32_MIN;
        *high = INT32_MAX;
        return;
    case BITTERN_ELEMENT_BOOL:
        *low = 0;
        *high = 1;
        return;
    case BITTERN_ELEMENT_UINT64:
        *low = 0;
        *high = 0x1p53;
        return;
    default:
        *low = -0x1p53;
        *high = 0x1p53;
        return;
    }
}

bool graph_resolve_axis(int64_t axis, size_t rank, size_t *resolved)
{
    int64_t count = (int64_t)rank;
    if (axis < -count || axis >= count) {
        return false;
    }
    *resolved = (size_t)(axis < 0 ? axis + count : axis);
    return true;
}

size_t graph_count(const int64_t *dims, size_t from, size_t to)
{
    size_t count = 1;
    for (size_t i = from; i < to; i++) {
        count *= (size_t)dims[i];
    }
    return count;
}

void graph_dense_strides(const int64_t *dims, size_t rank, int64_t *strides)
{
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
        strides[i] = stride;
        stride *= dims[i];
    }
}

bool graph_broadcast(const struct graph_shape *a, const struct graph_shape *b,
                     struct graph_shape *result)
{
    struct graph_shape wide = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (size_t i = 0; i < wide.rank; i++) {
        /* Aligned at the last axis; missing axes count as 1. */
        size_t from_end = wide.rank - i;
        int64_t da = from_end <= a->rank ? a->dims[a->rank - from_end] : 1;
        int64_t db = from_end <= b->rank ? b->dims[b->rank - from_end] : 1;
        if (da != db && da != 1 && db != 1) {
            return false;
        }
        wide.dims[i] = da == 1 ? db : da;
    }
    *result = wide;
    return true;
}

bittern_status graph_node_integers(const struct bittern_model *model, const struct graph_node *node,
                                   size_t input, const char *what, struct graph_integers *integers,
                                   struct bittern_error *err)
{
    const struct graph_tensor *tensor = graph_node_input(model, node, input);
    *integers = (struct graph_integers){.present = tensor != NULL};
    if (tensor == NULL) {
        return BITTERN_OK;
    }
    if (tensor->constant == NULL) {
        return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, node,
                               "its %s ('%s') must be a constant; it is computed from the image",
                               what, tensor->name);
    }
    if (tensor->count > GRAPH_MAX_INTEGERS || tensor->rank > 1) {
        return graph_node_fail(err, BITTERN_ERR_FORMAT, node,
                               "its %s ('%s') has shape %s; it must be a list of at most %d", what,
                               tensor->name, graph_tensor_print(tensor).text, GRAPH_MAX_INTEGERS);
    }
    for (size_t i = 0; i < tensor->count; i++) {
        double value = tensor->constant[i];
        if (isnan(value) || value != trunc(value)) {
            return graph_node_fail(err, BITTERN_ERR_FORMAT, node,
                                   "its %s ('%s') holds %g, no integer", what, tensor->name, value);
        }
        /* float64 holds INT64_MAX as 2^63: "to the end" in a Slice. */
        integers->values[i] = value >= 0x1p63    ? INT64_MAX
                              : value <= -0x1p63 ? INT64_MIN
                                                 : (int64_t)value;
    }
    integers->count = tensor->count;
    return BITTERN_OK;
}
