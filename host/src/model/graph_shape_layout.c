/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of ops that move values without computing: reshaping, cutting and joining, and the shape
 * arithmetic that exporters leave behind. Their shapes, axes and pads must be constants by the time
 * they are looked at.
 */
#include "model/graph_semantics.h"

#include "base/checked.h"

#include <inttypes.h>

struct rule {
    const struct bittern_model *model;
    const struct graph_node *node;
    const struct graph_tensor *x;
    struct graph_inferred *inferred;
    struct bittern_error *err;
};

static bittern_status bad_axis(const struct rule *rule, int64_t axis)
{
    return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                           "axis %" PRId64 " is outside of, or twice in, the shape %s of '%s'",
                           axis, graph_tensor_print(rule->x).text, rule->x->name);
}

static bittern_status find_axis(const struct rule *rule, int64_t axis, size_t *resolved)
{
    return graph_resolve_axis(axis, rule->x->rank, resolved) ? BITTERN_OK : bad_axis(rule, axis);
}

static struct graph_shape shape_of(const struct graph_tensor *tensor)
{
    struct graph_shape shape = {.rank = tensor->rank};
    for (size_t i = 0; i < tensor->rank; i++) {
        shape.dims[i] = tensor->dims[i];
    }
    return shape;
}

/* Which axes of a tensor of `rank` a list names; an error where one is out of range or twice. */
static bittern_status mark_axes(const struct rule *rule, const struct graph_integers *axes,
                                size_t rank, bool *marked)
{
    for (size_t i = 0; i < axes->count; i++) {
        size_t axis;
        if (!graph_resolve_axis(axes->values[i], rank, &axis) || marked[axis]) {
            return bad_axis(rule, axes->values[i]);
        }
        marked[axis] = true;
    }
    return BITTERN_OK;
}

/* ---- Reshaping --------------------------------------------------------------------------------
 */

static bittern_status infer_flatten(const struct rule *rule)
{
    int64_t axis = graph_node_int(rule->node, "axis", 1);
    int64_t rank = (int64_t)rule->x->rank;
    if (axis < -rank || axis > rank) {
        return bad_axis(rule, axis);
    }
    size_t split = (size_t)(axis < 0 ? axis + rank : axis);
    rule->inferred->shapes[0] =
        (struct graph_shape){.rank = 2,
                             .dims = {(int64_t)graph_count(rule->x->dims, 0, split),
                                      (int64_t)graph_count(rule->x->dims, split, rule->x->rank)}};
    return BITTERN_OK;
}

static bittern_status bad_reshape(const struct rule *rule, const struct graph_integers *target)
{
    size_t shown = target->count < BITTERN_MODEL_MAX_RANK ? target->count : BITTERN_MODEL_MAX_RANK;
    return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                           "'%s' of shape %s cannot be reshaped to %s", rule->x->name,
                           graph_tensor_print(rule->x).text,
                           graph_shape_print(target->values, shown).text);
}

static bittern_status infer_reshape(const struct rule *rule)
{
    struct graph_integers target;
    bittern_status status =
        graph_node_integers(rule->model, rule->node, 1, "shape", &target, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    bool allow_zero = graph_node_int(rule->node, "allowzero", 0) != 0;
    struct graph_shape shape = {.rank = target.count};
    size_t open = GRAPH_NONE;
    size_t known = 1;
    if (target.count > BITTERN_MODEL_MAX_RANK) {
        return bad_reshape(rule, &target);
    }
    for (size_t i = 0; i < target.count; i++) {
        int64_t dim = target.values[i];
        bool copies = dim == 0 && !allow_zero;
        if ((copies && i >= rule->x->rank) || (dim == -1 && open != GRAPH_NONE) || dim < -1) {
            return bad_reshape(rule, &target);
        }
        if (dim == -1) {
            open = i;
            continue;
        }
        shape.dims[i] = copies ? rule->x->dims[i] : dim;
        if (!checked_mul_size(known, (size_t)shape.dims[i], &known)) {
            return bad_reshape(rule, &target);
        }
    }
    if (open != GRAPH_NONE) {
        if (known == 0 || rule->x->count % known != 0) {
            return bad_reshape(rule, &target);
        }
        shape.dims[open] = (int64_t)(rule->x->count / known);
        known = rule->x->count;
    }
    if (known != rule->x->count) {
        return bad_reshape(rule, &target);
    }
    rule->inferred->shapes[0] = shape;
    return BITTERN_OK;
}

static bittern_status infer_squeeze(const struct rule *rule)
{
    struct graph_integers axes;
    bool marked[BITTERN_MODEL_MAX_RANK] = {false};
    bittern_status status =
        graph_node_integers(rule->model, rule->node, 1, "axes", &axes, rule->err);
    if (status == BITTERN_OK) {
        status = mark_axes(rule, &axes, rule->x->rank, marked);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = (struct graph_shape){.rank = 0};
    for (size_t i = 0; i < rule->x->rank; i++) {
        int64_t dim = rule->x->dims[i];
        if (marked[i] && dim != 1) {
            return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                                   "axis %zu of shape %s is not 1 and cannot be squeezed", i,
                                   graph_tensor_print(rule->x).text);
        }
        bool goes = axes.present ? marked[i] : dim == 1;
        if (!goes) {
            shape->dims[shape->rank++] = dim;
        }
    }
    return BITTERN_OK;
}

static bittern_status infer_unsqueeze(const struct rule *rule)
{
    struct graph_integers axes;
    bool marked[BITTERN_MODEL_MAX_RANK] = {false};
    bittern_status status =
        graph_node_integers(rule->model, rule->node, 1, "axes", &axes, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    size_t rank = rule->x->rank + axes.count;
    if (rank > BITTERN_MODEL_MAX_RANK) {
        return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                               "its output would have %zu axes; %d are supported", rank,
                               BITTERN_MODEL_MAX_RANK);
    }
    status = mark_axes(rule, &axes, rank, marked);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = (struct graph_shape){.rank = rank};
    size_t next = 0;
    for (size_t i = 0; i < rank; i++) {
        shape->dims[i] = marked[i] ? 1 : rule->x->dims[next++];
    }
    return BITTERN_OK;
}

static bittern_status infer_transpose(const struct rule *rule)
{
    size_t rank = rule->x->rank;
    size_t perm[BITTERN_MODEL_MAX_RANK];
    if (!graph_node_perm(rule->node, rank, perm)) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "perm is no permutation of the axes of %s",
                               graph_tensor_print(rule->x).text);
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = (struct graph_shape){.rank = rank};
    for (size_t i = 0; i < rank; i++) {
        shape->dims[i] = rule->x->dims[perm[i]];
    }
    return BITTERN_OK;
}

bool graph_node_perm(const struct graph_node *node, size_t rank, size_t *perm)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, "perm");
    bool seen[BITTERN_MODEL_MAX_RANK] = {false};
    for (size_t i = 0; i < rank; i++) {
        perm[i] = rank - 1 - i; /* without perm the axes are turned round */
    }
    if (attribute == NULL) {
        return true;
    }
    if (attribute->kind != BITTERN_ATTRIBUTE_INTS || attribute->count != rank) {
        return false;
    }
    for (size_t i = 0; i < rank; i++) {
        if (!graph_resolve_axis(attribute->ints[i], rank, &perm[i]) || seen[perm[i]]) {
            return false;
        }
        seen[perm[i]] = true;
    }
    return true;
}

/* ---- Padding, cutting, joining ----------------------------------------------------------------
 */

bittern_status graph_node_padding(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_padding *padding, struct bittern_error *err)
{
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    struct rule rule = {model, node, x, NULL, err};
    struct graph_integers pads;
    struct graph_integers axes;
    bool marked[BITTERN_MODEL_MAX_RANK] = {false};
    *padding = (struct graph_padding){{0}, {0}};
    bittern_status status = graph_node_integers(model, node, 1, "pads", &pads, err);
    if (status == BITTERN_OK) {
        status = graph_node_integers(model, node, 3, "axes", &axes, err);
    }
    if (status == BITTERN_OK && axes.present) {
        status = mark_axes(&rule, &axes, x->rank, marked);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    size_t count = axes.present ? axes.count : x->rank;
    if (pads.count != 2 * count) {
        return graph_node_fail(err, BITTERN_ERR_FORMAT, node, "it has %zu pads; it needs %zu",
                               pads.count, 2 * count);
    }
    for (size_t i = 0; i < count; i++) {
        size_t axis = i;
        if (axes.present) {
            (void)graph_resolve_axis(axes.values[i], x->rank, &axis);
        }
        int64_t before = pads.values[i];
        int64_t after = pads.values[count + i];
        int64_t most = (int64_t)GRAPH_MAX_ELEMENTS;
        if (before < 0 || after < 0 || before > most || after > most) {
            return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, node,
                                   "pads %" PRId64 " and %" PRId64
                                   " of axis %zu are not supported; they must be 0 or more",
                                   before, after, axis);
        }
        padding->before[axis] = before;
        padding->after[axis] = after;
    }
    return BITTERN_OK;
}

static bittern_status infer_pad(const struct rule *rule)
{
    struct graph_padding padding;
    const struct graph_tensor *value = graph_node_input(rule->model, rule->node, 2);
    bittern_status status = graph_node_padding(rule->model, rule->node, &padding, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (value != NULL && (value->constant == NULL || value->count != 1)) {
        return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                               "its padding value ('%s') must be one constant", value->name);
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = shape_of(rule->x);
    for (size_t i = 0; i < shape->rank; i++) {
        shape->dims[i] += padding.before[i] + padding.after[i];
    }
    return BITTERN_OK;
}

/* One axis of a Slice: ONNX clamps begin and end into the axis, by the step's direction. */
static void cut_axis(int64_t dim, int64_t begin, int64_t end, int64_t step,
                     struct graph_slice *slice, size_t axis)
{
    int64_t low = step > 0 ? 0 : -1;
    int64_t high = step > 0 ? dim : dim - 1;
    begin = begin < 0 ? (begin < -dim ? -1 : begin + dim) : begin;
    end = end < 0 ? (end < -dim ? -1 : end + dim) : end;
    begin = begin < 0 ? 0 : begin > high ? high : begin;
    end = end < low ? low : end > high ? high : end;
    int64_t span = step > 0 ? end - begin : begin - end;
    uint64_t stride = step > 0 ? (uint64_t)step : UINT64_C(0) - (uint64_t)step;
    slice->begin[axis] = begin;
    slice->step[axis] = step;
    slice->length[axis] = span <= 0 ? 0 : (int64_t)(((uint64_t)span - 1) / stride + 1);
}

bittern_status graph_node_slice(const struct bittern_model *model, const struct graph_node *node,
                                struct graph_slice *slice, struct bittern_error *err)
{
    static const char *const names[] = {"data", "starts", "ends", "axes", "steps"};
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    struct rule rule = {model, node, x, NULL, err};
    struct graph_integers lists[5] = {0};
    bool marked[BITTERN_MODEL_MAX_RANK] = {false};
    for (size_t i = 1; i < 5; i++) {
        bittern_status status = graph_node_integers(model, node, i, names[i], &lists[i], err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    size_t count = lists[1].count;
    if (lists[2].count != count || (lists[3].present && lists[3].count != count) ||
        (lists[4].present && lists[4].count != count) || (!lists[3].present && count > x->rank)) {
        return graph_node_fail(err, BITTERN_ERR_FORMAT, node,
                               "starts, ends, axes and steps differ in length");
    }
    for (size_t a = 0; a < x->rank; a++) {
        cut_axis(x->dims[a], 0, x->dims[a], 1, slice, a);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t named = lists[3].present ? lists[3].values[i] : (int64_t)i;
        int64_t step = lists[4].present ? lists[4].values[i] : 1;
        size_t axis;
        if (!graph_resolve_axis(named, x->rank, &axis) || marked[axis]) {
            return bad_axis(&rule, named);
        }
        marked[axis] = true;
        if (step == 0) {
            return graph_node_fail(err, BITTERN_ERR_FORMAT, node, "a step is 0");
        }
        cut_axis(x->dims[axis], lists[1].values[i], lists[2].values[i], step, slice, axis);
    }
    return BITTERN_OK;
}

static bittern_status infer_slice(const struct rule *rule)
{
    struct graph_slice slice;
    bittern_status status = graph_node_slice(rule->model, rule->node, &slice, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = (struct graph_shape){.rank = rule->x->rank};
    for (size_t i = 0; i < shape->rank; i++) {
        shape->dims[i] = slice.length[i];
    }
    return BITTERN_OK;
}

static bittern_status infer_gather(const struct rule *rule)
{
    const struct graph_tensor *indices = graph_node_input(rule->model, rule->node, 1);
    size_t axis;
    bittern_status status = find_axis(rule, graph_node_int(rule->node, "axis", 0), &axis);
    if (status != BITTERN_OK) {
        return status;
    }
    if (rule->x->rank - 1 + indices->rank > BITTERN_MODEL_MAX_RANK) {
        return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                               "its output would have more than %d axes", BITTERN_MODEL_MAX_RANK);
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = (struct graph_shape){.rank = 0};
    for (size_t i = 0; i < rule->x->rank; i++) {
        if (i != axis) {
            shape->dims[shape->rank++] = rule->x->dims[i];
            continue;
        }
        for (size_t k = 0; k < indices->rank; k++) {
            shape->dims[shape->rank++] = indices->dims[k];
        }
    }
    return BITTERN_OK;
}

static bittern_status infer_concat(const struct rule *rule)
{
    size_t axis;
    if (graph_node_attribute(rule->node, "axis") == NULL) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "attribute axis is missing");
    }
    bittern_status status = find_axis(rule, graph_node_int(rule->node, "axis", 0), &axis);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = shape_of(rule->x);
    for (size_t i = 1; i < rule->node->input_count; i++) {
        const struct graph_tensor *other = graph_node_input(rule->model, rule->node, i);
        if (other != NULL && other->element != rule->x->element) {
            return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                                   "'%s' and '%s' are of different element types", rule->x->name,
                                   other->name);
        }
        bool fits = other != NULL && other->rank == shape->rank;
        for (size_t a = 0; fits && a < shape->rank; a++) {
            fits = a == axis || other->dims[a] == shape->dims[a];
        }
        if (!fits || !checked_add_i64(shape->dims[axis], other->dims[axis], &shape->dims[axis])) {
            return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                                   "'%s' of shape %s and input %zu of shape %s cannot be joined",
                                   rule->x->name, graph_tensor_print(rule->x).text, i,
                                   other ? graph_tensor_print(other).text : "[none]");
        }
    }
    return BITTERN_OK;
}

/* ---- Shape arithmetic -------------------------------------------------------------------------
 */

static int64_t clamp_axis(int64_t axis, int64_t rank)
{
    axis = axis < 0 ? (axis < -rank ? 0 : axis + rank) : axis;
    return axis > rank ? rank : axis;
}

void graph_node_shape_range(const struct graph_node *node, size_t rank, size_t *start, size_t *end)
{
    int64_t first = clamp_axis(graph_node_int(node, "start", 0), (int64_t)rank);
    int64_t last = clamp_axis(graph_node_int(node, "end", (int64_t)rank), (int64_t)rank);
    *start = (size_t)first;
    *end = (size_t)(last < first ? first : last);
}

static bittern_status infer_shape_op(const struct rule *rule)
{
    size_t start;
    size_t end;
    graph_node_shape_range(rule->node, rule->x->rank, &start, &end);
    rule->inferred->shapes[0] = (struct graph_shape){.rank = 1, .dims = {(int64_t)(end - start)}};
    rule->inferred->elements[0] = BITTERN_ELEMENT_INT64;
    return BITTERN_OK;
}

static bittern_status infer_constant_of_shape(const struct rule *rule)
{
    struct graph_shape *shape = &rule->inferred->shapes[0];
    struct graph_integers dims;
    bittern_status status =
        graph_node_integers(rule->model, rule->node, 0, "shape", &dims, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (dims.count > BITTERN_MODEL_MAX_RANK) {
        return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                               "its shape has %zu dimensions; at most %d are supported", dims.count,
                               BITTERN_MODEL_MAX_RANK);
    }
    shape->rank = dims.count;
    for (size_t i = 0; i < dims.count; i++) {
        shape->dims[i] = dims.values[i];
    }
    rule->inferred->elements[0] = graph_node_attribute(rule->node, "value_int")
                                      ? BITTERN_ELEMENT_INT64
                                      : BITTERN_ELEMENT_FLOAT;
    return BITTERN_OK;
}

static bittern_status infer_cast(const struct rule *rule)
{
    int64_t to = graph_node_int(rule->node, "to", 0);
    switch (to) {
    case BITTERN_ELEMENT_FLOAT:
    case BITTERN_ELEMENT_DOUBLE:
    case BITTERN_ELEMENT_UINT8:
    case BITTERN_ELEMENT_INT8:
    case BITTERN_ELEMENT_UINT16:
    case BITTERN_ELEMENT_INT16:
    case BITTERN_ELEMENT_UINT32:
    case BITTERN_ELEMENT_INT32:
    case BITTERN_ELEMENT_UINT64:
    case BITTERN_ELEMENT_INT64:
    case BITTERN_ELEMENT_BOOL:
        break;
    default:
        return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                               "casting to element type %" PRId64
                               " is not supported; float32, float64, integers and bool are",
                               to);
    }
    rule->inferred->shapes[0] = shape_of(rule->x);
    rule->inferred->elements[0] = (enum bittern_element)to;
    return BITTERN_OK;
}

bittern_status graph_infer_layout(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err)
{
    struct rule rule = {model, node, graph_node_input(model, node, 0), inferred, err};
    switch (node->op) {
    case GRAPH_FLATTEN:
        return infer_flatten(&rule);
    case GRAPH_RESHAPE:
        return infer_reshape(&rule);
    case GRAPH_TRANSPOSE:
        return infer_transpose(&rule);
    case GRAPH_PAD:
        return infer_pad(&rule);
    case GRAPH_SHAPE:
        return infer_shape_op(&rule);
    case GRAPH_GATHER:
        return infer_gather(&rule);
    case GRAPH_SLICE:
        return infer_slice(&rule);
    case GRAPH_SQUEEZE:
        return infer_squeeze(&rule);
    case GRAPH_UNSQUEEZE:
        return infer_unsqueeze(&rule);
    case GRAPH_CONCAT:
        return infer_concat(&rule);
    case GRAPH_CONSTANT_OF_SHAPE:
        return infer_constant_of_shape(&rule);
    case GRAPH_CAST:
        return infer_cast(&rule);
    default:
        return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, node, "op is not supported");
    }
}
