/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of ops that compute: what ONNX says of each op, in the form that graph_normalize leaves.
 * Every error names the node and the shapes that do not fit. Ops that only move values are in
 * graph_shape_layout.c.
 */
#include "model/graph_semantics.h"

#include <inttypes.h>

struct rule {
    const struct bittern_model *model;
    const struct graph_node *node;
    struct graph_inferred *inferred;
    struct bittern_error *err;
};

static const struct graph_tensor *input(const struct rule *rule, size_t i)
{
    return graph_node_input(rule->model, rule->node, i);
}

static struct graph_shape shape_of(const struct graph_tensor *tensor)
{
    struct graph_shape shape = {.rank = tensor->rank};
    for (size_t i = 0; i < tensor->rank; i++) {
        shape.dims[i] = tensor->dims[i];
    }
    return shape;
}

static bittern_status same_as_input(const struct rule *rule)
{
    rule->inferred->shapes[0] = shape_of(input(rule, 0));
    return BITTERN_OK;
}

static bittern_status two_shapes(const struct rule *rule, const struct graph_tensor *a,
                                 const struct graph_tensor *b, const char *what)
{
    return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                           "%s: '%s' is %s and '%s' is %s", what, a->name,
                           graph_tensor_print(a).text, b->name, graph_tensor_print(b).text);
}

static bittern_status bad_rank(const struct rule *rule, const struct graph_tensor *tensor,
                               const char *must)
{
    return graph_node_fail(rule->err, BITTERN_ERR_UNSUPPORTED, rule->node,
                           "'%s' has shape %s; it must have %s axes", tensor->name,
                           graph_tensor_print(tensor).text, must);
}

/* ---- Sums of products -------------------------------------------------------------------------
 */

/* A bias of one value for each of `channels`. */
static bittern_status check_vector(const struct rule *rule, size_t i, int64_t channels)
{
    const struct graph_tensor *vector = input(rule, i);
    if (vector != NULL && (vector->rank != 1 || vector->dims[0] != channels)) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "'%s' has shape %s; it must be [%" PRId64 "], one for each channel",
                               vector->name, graph_tensor_print(vector).text, channels);
    }
    return BITTERN_OK;
}

static bittern_status infer_conv(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    const struct graph_tensor *w = input(rule, 1);
    if (x->rank != 4 || w->rank != 4) {
        return two_shapes(rule, x, w,
                          "only 2-D convolutions are supported, [N,C,H,W] by [O,C,h,w]");
    }
    if (graph_node_int(rule->node, "group", 1) == 1 && w->dims[1] != x->dims[1]) {
        return two_shapes(rule, x, w, "input and weights differ in channels");
    }
    struct graph_window window;
    bittern_status status = graph_node_window(rule->model, rule->node, &window, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    rule->inferred->shapes[0] = (struct graph_shape){
        .rank = 4, .dims = {x->dims[0], w->dims[0], (int64_t)window.out_h, (int64_t)window.out_w}};
    return check_vector(rule, 2, w->dims[0]);
}

static bittern_status infer_gemm(const struct rule *rule)
{
    const struct graph_tensor *a = input(rule, 0);
    const struct graph_tensor *b = input(rule, 1);
    const struct graph_tensor *c = input(rule, 2);
    if (a->rank != 2 || b->rank != 2) {
        return two_shapes(rule, a, b, "Gemm takes two matrices");
    }
    bool trans_a = graph_node_int(rule->node, "transA", 0) != 0;
    bool trans_b = graph_node_int(rule->node, "transB", 0) != 0;
    if (a->dims[trans_a ? 0 : 1] != b->dims[trans_b ? 1 : 0]) {
        return two_shapes(rule, a, b, "the inner sizes differ");
    }
    struct graph_shape shape = {.rank = 2,
                                .dims = {a->dims[trans_a ? 1 : 0], b->dims[trans_b ? 0 : 1]}};
    rule->inferred->shapes[0] = shape;
    if (c != NULL) {
        struct graph_shape bias = shape_of(c);
        struct graph_shape wide;
        if (!graph_broadcast(&shape, &bias, &wide) || wide.rank != 2 ||
            wide.dims[0] != shape.dims[0] || wide.dims[1] != shape.dims[1]) {
            return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                                   "'%s' has shape %s; it must broadcast to %s", c->name,
                                   graph_tensor_print(c).text,
                                   graph_shape_print(shape.dims, shape.rank).text);
        }
    }
    return BITTERN_OK;
}

/* Any number of rows in front, a matrix behind; a vector in front counts as one row. */
static bittern_status infer_matmul(const struct rule *rule)
{
    const struct graph_tensor *a = input(rule, 0);
    const struct graph_tensor *b = input(rule, 1);
    if (a->rank < 1 || b->rank != 2) {
        return two_shapes(rule, a, b, "the right side of MatMul must be a matrix");
    }
    if (a->dims[a->rank - 1] != b->dims[0]) {
        return two_shapes(rule, a, b, "the inner sizes differ");
    }
    rule->inferred->shapes[0] = shape_of(a);
    rule->inferred->shapes[0].dims[a->rank - 1] = b->dims[1];
    return BITTERN_OK;
}

/* ---- Elementwise ------------------------------------------------------------------------------
 */

static bittern_status infer_arithmetic(const struct rule *rule)
{
    const struct graph_tensor *a = input(rule, 0);
    const struct graph_tensor *b = input(rule, 1);
    struct graph_shape sa = shape_of(a);
    struct graph_shape sb = shape_of(b);
    if (!graph_broadcast(&sa, &sb, &rule->inferred->shapes[0])) {
        return two_shapes(rule, a, b, "shapes that do not broadcast");
    }
    if (rule->node->op != GRAPH_POW && /* any exponent, whatever its type */
        graph_element_is_integer(a->element) != graph_element_is_integer(b->element)) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "'%s' and '%s' have different element types", a->name, b->name);
    }
    return BITTERN_OK;
}

/* Constants that broadcast to x's own shape. */
static bittern_status infer_with_constants(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    struct graph_shape shape = shape_of(x);
    for (size_t i = 1; i < rule->node->input_count; i++) {
        const struct graph_tensor *constant = input(rule, i);
        if (constant == NULL) {
            continue;
        }
        struct graph_shape other = shape_of(constant);
        struct graph_shape wide;
        bool fits = graph_broadcast(&shape, &other, &wide) && wide.rank == shape.rank;
        for (size_t a = 0; fits && a < shape.rank; a++) {
            fits = wide.dims[a] == shape.dims[a];
        }
        if (!fits) {
            return two_shapes(rule, x, constant, "the second does not broadcast to the first");
        }
    }
    return same_as_input(rule);
}

static bittern_status infer_clip(const struct rule *rule)
{
    for (size_t i = 1; i < 3; i++) {
        const struct graph_tensor *bound = input(rule, i);
        if (bound != NULL && bound->count != 1) {
            return two_shapes(rule, input(rule, 0), bound, "a bound of Clip must be a scalar");
        }
    }
    return infer_with_constants(rule);
}

static bittern_status infer_batch_norm(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    if (x->rank < 2) {
        return bad_rank(rule, x, "at least 2");
    }
    for (size_t i = 1; i <= 4; i++) {
        bittern_status status = check_vector(rule, i, x->dims[1]);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return same_as_input(rule);
}

static bittern_status infer_multi_threshold(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    const struct graph_tensor *thresholds = input(rule, 1);
    if (x->rank < 1 || thresholds->rank != 2 || thresholds->dims[1] < 1) {
        return two_shapes(rule, x, thresholds, "thresholds must be [channels,steps]");
    }
    size_t axis = graph_multi_threshold_axis(rule->node, x->rank);
    if (thresholds->dims[0] != 1 && thresholds->dims[0] != x->dims[axis]) {
        return two_shapes(rule, x, thresholds, "as many rows of thresholds as channels are needed");
    }
    return same_as_input(rule);
}

/* ---- Pools and scores -------------------------------------------------------------------------
 */

static bittern_status infer_pool(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    if (x->rank != 4) {
        return bad_rank(rule, x, "4");
    }
    struct graph_window window;
    bittern_status status = graph_node_window(rule->model, rule->node, &window, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    rule->inferred->shapes[0] = (struct graph_shape){
        .rank = 4, .dims = {x->dims[0], x->dims[1], (int64_t)window.out_h, (int64_t)window.out_w}};
    return BITTERN_OK;
}

static bittern_status infer_global_pool(const struct rule *rule)
{
    const struct graph_tensor *x = input(rule, 0);
    if (x->rank != 4) {
        return bad_rank(rule, x, "4");
    }
    rule->inferred->shapes[0] =
        (struct graph_shape){.rank = 4, .dims = {x->dims[0], x->dims[1], 1, 1}};
    return BITTERN_OK;
}

static bittern_status resolve_axis(const struct rule *rule, int64_t axis, size_t *resolved)
{
    const struct graph_tensor *x = input(rule, 0);
    if (!graph_resolve_axis(axis, x->rank, resolved)) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "axis %" PRId64 " is outside of its input's shape %s", axis,
                               graph_tensor_print(x).text);
    }
    return BITTERN_OK;
}

static bittern_status infer_softmax(const struct rule *rule)
{
    size_t axis;
    bittern_status status = resolve_axis(rule, graph_node_int(rule->node, "axis", -1), &axis);
    return status == BITTERN_OK ? same_as_input(rule) : status;
}

bittern_status graph_node_top_k(const struct bittern_model *model, const struct graph_node *node,
                                size_t *axis, size_t *k, struct bittern_error *err)
{
    struct rule rule = {model, node, NULL, err};
    struct graph_integers count;
    bittern_status status = graph_node_integers(model, node, 1, "k", &count, err);
    if (status == BITTERN_OK) {
        status = resolve_axis(&rule, graph_node_int(node, "axis", -1), axis);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    const struct graph_tensor *x = input(&rule, 0);
    if (count.count != 1 || count.values[0] < 1 || count.values[0] > x->dims[*axis]) {
        return graph_node_fail(err, BITTERN_ERR_FORMAT, node, "k must be one number, 1 to %" PRId64,
                               x->dims[*axis]);
    }
    *k = (size_t)count.values[0];
    return BITTERN_OK;
}

static bittern_status infer_top_k(const struct rule *rule)
{
    size_t axis;
    size_t k;
    bittern_status status = graph_node_top_k(rule->model, rule->node, &axis, &k, rule->err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_inferred *inferred = rule->inferred;
    inferred->shapes[0] = shape_of(input(rule, 0));
    inferred->shapes[0].dims[axis] = (int64_t)k;
    inferred->shapes[1] = inferred->shapes[0];
    inferred->elements[1] = BITTERN_ELEMENT_INT64;
    return BITTERN_OK;
}

static bittern_status infer_arg_max(const struct rule *rule)
{
    size_t axis;
    bittern_status status = resolve_axis(rule, graph_node_int(rule->node, "axis", 0), &axis);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_shape *shape = &rule->inferred->shapes[0];
    *shape = shape_of(input(rule, 0));
    if (shape->dims[axis] < 1) {
        return graph_node_fail(rule->err, BITTERN_ERR_FORMAT, rule->node,
                               "there is no largest value of none along axis %zu", axis);
    }
    shape->dims[axis] = 1;
    if (graph_node_int(rule->node, "keepdims", 1) == 0) {
        for (size_t a = axis; a + 1 < shape->rank; a++) {
            shape->dims[a] = shape->dims[a + 1];
        }
        shape->rank--;
    }
    rule->inferred->elements[0] = BITTERN_ELEMENT_INT64;
    return BITTERN_OK;
}

bittern_status graph_infer_shapes(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err)
{
    struct rule rule = {model, node, inferred, err};
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    for (size_t i = 0; i < GRAPH_MAX_OUTPUTS; i++) {
        inferred->elements[i] = x != NULL ? x->element : BITTERN_ELEMENT_FLOAT;
    }
    switch (node->op) {
    case GRAPH_CONV:
        return infer_conv(&rule);
    case GRAPH_GEMM:
        return infer_gemm(&rule);
    case GRAPH_MATMUL:
        return infer_matmul(&rule);
    case GRAPH_ADD:
    case GRAPH_SUB:
    case GRAPH_MUL:
    case GRAPH_DIV:
    case GRAPH_POW:
        return infer_arithmetic(&rule);
    case GRAPH_BATCH_NORM:
        return infer_batch_norm(&rule);
    case GRAPH_NEG:
    case GRAPH_RELU:
    case GRAPH_SIGN:
    case GRAPH_FLOOR:
    case GRAPH_CEIL:
    case GRAPH_ROUND:
    case GRAPH_IDENTITY:
    case GRAPH_ABS:
    case GRAPH_RECIPROCAL:
    case GRAPH_SQRT:
        return same_as_input(&rule);
    case GRAPH_CLIP:
        return infer_clip(&rule);
    case GRAPH_MAX_POOL:
    case GRAPH_AVERAGE_POOL:
        return infer_pool(&rule);
    case GRAPH_GLOBAL_AVERAGE_POOL:
        return infer_global_pool(&rule);
    case GRAPH_SOFTMAX:
        return infer_softmax(&rule);
    case GRAPH_TOP_K:
        return infer_top_k(&rule);
    case GRAPH_ARG_MAX:
        return infer_arg_max(&rule);
    case GRAPH_QUANT:
    case GRAPH_BIPOLAR_QUANT:
    case GRAPH_TRUNC:
        return infer_with_constants(&rule);
    case GRAPH_REDUCE_MEAN:
    case GRAPH_REDUCE_MAX:
        return graph_infer_reduce(model, node, inferred, err);
    case GRAPH_MULTI_THRESHOLD:
        return infer_multi_threshold(&rule);
    default:
        return graph_infer_layout(model, node, inferred, err);
    }
}
