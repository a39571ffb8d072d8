/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass that gives every tensor a shape and computes the constant parts: node by node in order
 * of evaluation, each node's shapes are inferred and its constants checked; where all inputs are
 * constants (or only their shape counts), the node is evaluated and its outputs become constants.
 * What exporters leave behind of shape arithmetic is gone after that; a Squeeze, Unsqueeze or Cast
 * of computed values that only reshapes becomes a Reshape or an Identity.
 */
#include "model/graph_semantics.h"

#include "base/checked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pass {
    struct bittern_model *model;
    struct bittern_error *err;
    size_t elements_left; /* that folding may still make */
    size_t work_left;
    bool *is_folded; /* [nodes] */
};

/* ---- Shapes -----------------------------------------------------------------------------------
 */

static bittern_status check_inputs(const struct pass *pass, const struct graph_node *node)
{
    for (size_t i = 0; i < node->input_count; i++) {
        const struct graph_tensor *tensor = graph_node_input(pass->model, node, i);
        if (tensor != NULL && !tensor->has_shape) {
            return graph_node_fail(pass->err, BITTERN_ERR_FORMAT, node,
                                   "the shape of its input '%s' is not known", tensor->name);
        }
    }
    return BITTERN_OK;
}

static bittern_status set_shapes(const struct pass *pass, const struct graph_node *node)
{
    struct graph_inferred inferred;
    memset(&inferred, 0, sizeof inferred);
    bittern_status status = check_inputs(pass, node);
    if (status == BITTERN_OK) {
        status = graph_infer_shapes(pass->model, node, &inferred, pass->err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < node->output_count && i < GRAPH_MAX_OUTPUTS; i++) {
        if (node->outputs[i] == GRAPH_NONE) {
            continue;
        }
        struct graph_tensor *tensor = &pass->model->tensors[node->outputs[i]];
        status =
            graph_set_shape(tensor, inferred.shapes[i].dims, inferred.shapes[i].rank, pass->err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(pass->err, "node '%s' (%s)", node->name, node->op_name);
            return status;
        }
        tensor->element = inferred.elements[i];
    }
    return BITTERN_OK;
}

/* ---- Folding ----------------------------------------------------------------------------------
 */

static bool is_foldable(const struct pass *pass, const struct graph_node *node)
{
    if (node->op == GRAPH_SHAPE) {
        return true;
    }
    for (size_t i = 0; i < node->input_count; i++) {
        const struct graph_tensor *tensor = graph_node_input(pass->model, node, i);
        if (tensor != NULL && tensor->constant == NULL) {
            return false;
        }
    }
    return true;
}

/* Empty tensors have dims of 0. */
static size_t divide(size_t count, size_t parts)
{
    return parts > 0 ? count / parts : count;
}

/* Operations for one output value, roughly. */
static size_t estimate_work(const struct pass *pass, const struct graph_node *node)
{
    const struct graph_tensor *x = graph_node_input(pass->model, node, 0);
    const struct graph_tensor *second = graph_node_input(pass->model, node, 1);
    size_t work = 1;
    switch (node->op) {
    case GRAPH_CONV:
        return divide(second->count, (size_t)second->dims[0]);
    case GRAPH_GEMM:
    case GRAPH_MATMUL:
        return second->dims[0] > second->dims[1] ? (size_t)second->dims[0]
                                                 : (size_t)second->dims[1];
    case GRAPH_MAX_POOL:
    case GRAPH_AVERAGE_POOL:
        return (size_t)x->dims[2] * (size_t)x->dims[3];
    case GRAPH_REDUCE_MEAN:
    case GRAPH_REDUCE_MAX:
        return divide(x->count, pass->model->tensors[node->outputs[0]].count) + 1;
    case GRAPH_GLOBAL_AVERAGE_POOL:
    case GRAPH_TOP_K:
    case GRAPH_ARG_MAX:
        /* Each input value is looked at once, or sorted. */
        return x->count + 1;
    default:
        return work;
    }
}

static bittern_status spend(struct pass *pass, const struct graph_node *node)
{
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == GRAPH_NONE) {
            continue;
        }
        size_t count = pass->model->tensors[node->outputs[i]].count;
        size_t work = 0;
        bool fits = checked_mul_size(count, count > 0 ? estimate_work(pass, node) : 0, &work);
        if (!fits || count > pass->elements_left || work > pass->work_left) {
            return graph_node_fail(pass->err, BITTERN_ERR_UNSUPPORTED, node,
                                   "its constant result of %zu values is out of proportion to the "
                                   "file's own constants",
                                   count);
        }
        pass->elements_left -= count;
        pass->work_left -= work;
    }
    return BITTERN_OK;
}

/* No constant is NaN: the reader refuses those of the file, and this those that come of them. */
static bittern_status check_numbers(const struct pass *pass, const struct graph_node *node,
                                    size_t output, const double *values)
{
    size_t count = output != GRAPH_NONE ? pass->model->tensors[output].count : 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            return graph_node_fail(pass->err, BITTERN_ERR_RANGE, node,
                                   "its constant result is not a number at %zu", i);
        }
    }
    return BITTERN_OK;
}

static bittern_status evaluate_constant(struct pass *pass, const struct graph_node *node,
                                        double **values)
{
    bittern_status status = BITTERN_OK;
    const double **inputs = calloc(node->input_count + 1, sizeof *inputs);
    if (inputs == NULL) {
        return graph_node_fail(pass->err, BITTERN_ERR_MEMORY, node, "out of memory");
    }
    for (size_t i = 0; i < node->input_count; i++) {
        const struct graph_tensor *tensor = graph_node_input(pass->model, node, i);
        inputs[i] = tensor != NULL ? tensor->constant : NULL;
    }
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != GRAPH_NONE) {
            values[i] = calloc(pass->model->tensors[node->outputs[i]].count + 1, sizeof(double));
            if (values[i] == NULL) {
                status = graph_node_fail(pass->err, BITTERN_ERR_MEMORY, node, "out of memory");
                goto cleanup;
            }
        }
    }
    status = graph_evaluate_node(pass->model, node, inputs, values, pass->err);
    for (size_t i = 0; status == BITTERN_OK && i < node->output_count; i++) {
        status = check_numbers(pass, node, node->outputs[i], values[i]);
    }
cleanup:
    free(inputs);
    return status;
}

static bittern_status fold(struct pass *pass, const struct graph_node *node)
{
    double *values[GRAPH_MAX_OUTPUTS] = {NULL};
    bittern_status status = spend(pass, node);
    if (status == BITTERN_OK) {
        status = evaluate_constant(pass, node, values);
    }
    for (size_t i = 0; i < node->output_count; i++) {
        if (status != BITTERN_OK || node->outputs[i] == GRAPH_NONE) {
            free(values[i]);
            continue;
        }
        struct graph_tensor *tensor = &pass->model->tensors[node->outputs[i]];
        tensor->constant = values[i];
        tensor->producer = GRAPH_NONE;
        tensor->is_initializer = true;
    }
    return status;
}

/* ---- What stays -------------------------------------------------------------------------------
 */

static bittern_status rename_op(struct pass *pass, struct graph_node *node, enum graph_op op,
                                const char *name)
{
    char *copy = strdup(name);
    if (copy == NULL) {
        return graph_node_fail(pass->err, BITTERN_ERR_MEMORY, node, "out of memory");
    }
    free(node->op_name);
    node->op_name = copy;
    node->op = op;
    return BITTERN_OK;
}

/* A Squeeze or Unsqueeze of computed values: the same as a Reshape to what was inferred. */
static bittern_status make_reshape(struct pass *pass, struct graph_node *node)
{
    struct bittern_model *model = pass->model;
    struct graph_tensor output = model->tensors[node->outputs[0]];
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    bool keeps_batch = x->rank > 0 && output.rank > 0 && x->dims[0] == output.dims[0];
    int64_t count = (int64_t)output.rank;
    size_t tensor;
    double *values = calloc(output.rank + 1, sizeof *values);
    if (values == NULL) {
        return graph_node_fail(pass->err, BITTERN_ERR_MEMORY, node, "out of memory");
    }
    for (size_t i = 0; i < output.rank; i++) {
        /* 0 copies the input's size: right for any batch. */
        values[i] = i == 0 && keeps_batch ? 0 : (double)output.dims[i];
    }
    bittern_status status = graph_add_unique_tensor(model, "shape", &tensor, pass->err);
    if (status == BITTERN_OK) {
        status = graph_set_shape(&model->tensors[tensor], &count, 1, pass->err);
    }
    if (status == BITTERN_OK) {
        status = graph_node_set_input(node, 1, tensor, pass->err);
    }
    if (status != BITTERN_OK) {
        free(values);
        return status;
    }
    model->tensors[tensor].constant = values;
    model->tensors[tensor].element = BITTERN_ELEMENT_INT64;
    model->tensors[tensor].is_initializer = true;
    return rename_op(pass, node, GRAPH_RESHAPE, "Reshape");
}

/* A node over computed values: only ops that can be compiled or evaluated may stay. */
static bittern_status keep(struct pass *pass, struct graph_node *node)
{
    const struct graph_tensor *x = graph_node_input(pass->model, node, 0);
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != GRAPH_NONE && pass->model->tensors[node->outputs[i]].count == 0) {
            return graph_node_fail(pass->err, BITTERN_ERR_FORMAT, node, "its output is empty");
        }
    }
    if (node->op == GRAPH_SQUEEZE || node->op == GRAPH_UNSQUEEZE) {
        return make_reshape(pass, node);
    }
    if (node->op == GRAPH_CAST && !graph_element_is_integer(x->element) &&
        !graph_element_is_integer(pass->model->tensors[node->outputs[0]].element)) {
        graph_node_remove_attribute(node, "to");
        graph_node_remove_attribute(node, "saturate");
        return rename_op(pass, node, GRAPH_IDENTITY, "Identity");
    }
    if (node->op == GRAPH_REDUCE_MEAN) {
        return graph_node_fail(pass->err, BITTERN_ERR_UNSUPPORTED, node,
                               "on values that are computed from the image it is supported over "
                               "rows and columns only, as a global average pool: axes must be the "
                               "constants 2 and 3 of [batch, channels, rows, columns]");
    }
    if (node->op > GRAPH_TRUNC) {
        return graph_node_fail(pass->err, BITTERN_ERR_UNSUPPORTED, node,
                               "this op is supported over constants and shapes only; here it works "
                               "on values that are computed from the image");
    }
    return BITTERN_OK;
}

static bittern_status visit(struct pass *pass, size_t n)
{
    struct graph_node *node = &pass->model->nodes[n];
    bittern_status status = set_shapes(pass, node);
    if (status == BITTERN_OK) {
        status = graph_check_elementwise(pass->model, node, pass->err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    pass->is_folded[n] = is_foldable(pass, node);
    return pass->is_folded[n] ? fold(pass, node) : keep(pass, node);
}

/* Nodes move up; what their outputs say of their producers follows. */
static void remove_folded(struct pass *pass)
{
    struct bittern_model *model = pass->model;
    size_t kept = 0;
    for (size_t n = 0; n < model->node_count; n++) {
        if (pass->is_folded[n]) {
            graph_node_free(&model->nodes[n]);
            continue;
        }
        model->nodes[kept] = model->nodes[n];
        for (size_t i = 0; i < model->nodes[kept].output_count; i++) {
            if (model->nodes[kept].outputs[i] != GRAPH_NONE) {
                model->tensors[model->nodes[kept].outputs[i]].producer = kept;
            }
        }
        kept++;
    }
    model->node_count = kept;
}

bittern_status graph_infer_and_fold(struct bittern_model *model, struct bittern_error *err)
{
    struct pass pass = {.model = model, .err = err};
    size_t own = 0;
    for (size_t t = 0; t < model->tensor_count; t++) {
        own += model->tensors[t].constant != NULL ? model->tensors[t].count : 0;
    }
    pass.elements_left = GRAPH_FOLD_BASE + GRAPH_FOLD_FACTOR * own;
    pass.work_left = GRAPH_FOLD_WORK + GRAPH_FOLD_FACTOR * own;
    pass.is_folded = calloc(model->node_count + 1, sizeof *pass.is_folded);
    if (pass.is_folded == NULL) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for %zu nodes",
                                 model->node_count);
    }
    bittern_status status = BITTERN_OK;
    for (size_t n = 0; status == BITTERN_OK && n < model->node_count; n++) {
        status = visit(&pass, n);
    }
    /* After a failure, too: nodes that were folded have no more use for their outputs. */
    remove_folded(&pass);
    free(pass.is_folded);
    return status;
}
