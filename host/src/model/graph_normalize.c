/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One form for every op, whatever the model's opset: what older opsets state as attributes becomes
 * constant inputs, aliases get their plain op, and outputs that only training needs are dropped.
 * The result is valid ONNX of opset 13 or the model's own, whichever is higher.
 *
 * Runs on a sorted graph, so that a node's constant inputs are constants when it is seen.
 */
#include "model/graph.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_NODE_OPSET 13

static bittern_status refuse(const struct graph_node *node, bittern_status status,
                             struct bittern_error *err, const char *reason)
{
    return bittern_error_set(err, status, "node '%s' (%s): %s", node->name, node->op_name, reason);
}

/* The values of an attribute of any numeric kind as float64, to be freed; NULL without memory. */
static double *attribute_values(const struct graph_attribute *attribute, size_t *count,
                                enum bittern_element *element)
{
    bool is_float =
        attribute->kind == BITTERN_ATTRIBUTE_FLOAT || attribute->kind == BITTERN_ATTRIBUTE_FLOATS;
    bool is_list =
        attribute->kind == BITTERN_ATTRIBUTE_INTS || attribute->kind == BITTERN_ATTRIBUTE_FLOATS;
    *count = is_list ? attribute->count : 1;
    *element = is_float ? BITTERN_ELEMENT_FLOAT : BITTERN_ELEMENT_INT64;
    double *values = calloc(*count + 1, sizeof *values);
    for (size_t i = 0; values && i < *count; i++) {
        if (is_list) {
            values[i] = is_float ? attribute->floats[i] : (double)attribute->ints[i];
        } else {
            values[i] = is_float ? attribute->f : (double)attribute->i;
        }
    }
    return values;
}

/* A new constant tensor; takes values over. A list has rank 1, a scalar rank 0. */
static bittern_status add_constant(struct bittern_model *model, const struct graph_node *node,
                                   enum bittern_element element, double *values, size_t count,
                                   bool is_list, size_t *tensor, struct bittern_error *err)
{
    const int64_t dims[1] = {(int64_t)count};
    bittern_status status = BITTERN_ERR_MEMORY;
    if (!values) {
        return bittern_error_set(err, status, "out of memory for the model's graph");
    }
    status = graph_add_unique_tensor(model, node->name, tensor, err);
    if (status == BITTERN_OK) {
        size_t same;
        status = graph_add_constant(model, model->tensors[*tensor].name, element, dims,
                                    is_list ? 1 : 0, values, &same, err);
    }
    if (status != BITTERN_OK) {
        free(values);
    }
    return status;
}

/* Turn an attribute, where there is one, into constant input i. */
static bittern_status move_to_input(struct bittern_model *model, struct graph_node *node,
                                    const char *name, size_t i, struct bittern_error *err)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, name);
    enum bittern_element element;
    size_t count;
    size_t tensor;
    if (!attribute) {
        return BITTERN_OK;
    }
    if (graph_node_input(model, node, i)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "node '%s' (%s): '%s' is given as an attribute and as input %zu",
                                 node->name, node->op_name, name, i);
    }
    /* TopK's k is one number as an attribute and a list of one as an input. */
    bool is_list = attribute->kind == BITTERN_ATTRIBUTE_INTS || node->op == GRAPH_TOP_K;
    double *values = attribute_values(attribute, &count, &element);
    bittern_status status =
        add_constant(model, node, element, values, count, is_list, &tensor, err);
    if (status == BITTERN_OK) {
        status = graph_node_set_input(node, i, tensor, err);
    }
    if (status == BITTERN_OK) {
        graph_node_remove_attribute(node, name);
    }
    return status;
}

static bittern_status require_input(const struct bittern_model *model,
                                    const struct graph_node *node, size_t i, const char *name,
                                    struct bittern_error *err)
{
    if (graph_node_input(model, node, i)) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "node '%s' (%s): '%s' is missing, as an input and as an attribute",
                             node->name, node->op_name, name);
}

static bittern_status rename_op(struct graph_node *node, const char *name,
                                struct bittern_error *err)
{
    char *copy = strdup(name);
    if (!copy) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's graph");
    }
    free(node->op_name);
    node->op_name = copy;
    return BITTERN_OK;
}

static bittern_status add_attribute_default(struct graph_node *node, const char *name,
                                            enum bittern_attribute_kind kind, int64_t i, float f,
                                            struct bittern_error *err)
{
    if (graph_node_attribute(node, name)) {
        return BITTERN_OK;
    }
    return graph_node_add_attribute(
        node, &(struct bittern_attribute){.name = name, .kind = kind, .i = i, .f = f}, err);
}

/* ---- One function an op ---------------------------------------------------------------------- */

static bittern_status normalize_clip(struct bittern_model *model, struct graph_node *node,
                                     struct bittern_error *err)
{
    bool is_hard_tanh = strcmp(node->op_name, "Clip") != 0;
    const char *low = is_hard_tanh ? "min_val" : "min";
    const char *high = is_hard_tanh ? "max_val" : "max";
    bittern_status status = BITTERN_OK;
    if (is_hard_tanh) {
        status = add_attribute_default(node, low, BITTERN_ATTRIBUTE_FLOAT, 0, -1.0f, err);
        if (status == BITTERN_OK) {
            status = add_attribute_default(node, high, BITTERN_ATTRIBUTE_FLOAT, 0, 1.0f, err);
        }
        if (status == BITTERN_OK) {
            status = rename_op(node, "Clip", err);
        }
    }
    if (status == BITTERN_OK) {
        status = move_to_input(model, node, low, 1, err);
    }
    if (status == BITTERN_OK) {
        status = move_to_input(model, node, high, 2, err);
    }
    return status;
}

static bittern_status normalize_dropout(const struct bittern_model *model, struct graph_node *node,
                                        struct bittern_error *err)
{
    const struct graph_tensor *training = graph_node_input(model, node, 2);
    if (strcmp(node->op_name, "Identity") == 0) {
        return BITTERN_OK;
    }
    if (training && !(training->constant && training->count == 1 && training->constant[0] == 0)) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "training_mode must be a constant false; export the model for inference");
    }
    node->input_count = 1;
    graph_node_remove_attribute(node, "ratio");
    graph_node_remove_attribute(node, "seed");
    return rename_op(node, "Identity", err);
}

static bittern_status normalize_pad(struct bittern_model *model, struct graph_node *node,
                                    struct bittern_error *err)
{
    if (strcmp(graph_node_string(node, "mode", "constant"), "constant") != 0) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "only mode 'constant' is supported; reflected, repeated and wrapped edges "
                      "are not");
    }
    bittern_status status = move_to_input(model, node, "pads", 1, err);
    if (status == BITTERN_OK) {
        status = move_to_input(model, node, "value", 2, err);
    }
    return status == BITTERN_OK ? require_input(model, node, 1, "pads", err) : status;
}

static bittern_status normalize_slice(struct bittern_model *model, struct graph_node *node,
                                      struct bittern_error *err)
{
    static const char *const names[] = {"starts", "ends", "axes"};
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < 3; i++) {
        status = move_to_input(model, node, names[i], i + 1, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < 2; i++) {
        status = require_input(model, node, i + 1, names[i], err);
    }
    return status;
}

static bittern_status normalize_axes(struct bittern_model *model, struct graph_node *node,
                                     struct bittern_error *err)
{
    bittern_status status = move_to_input(model, node, "axes", 1, err);
    if (status == BITTERN_OK && node->op == GRAPH_UNSQUEEZE) {
        status = require_input(model, node, 1, "axes", err);
    }
    return status;
}

static bittern_status normalize_top_k(struct bittern_model *model, struct graph_node *node,
                                      struct bittern_error *err)
{
    bittern_status status = move_to_input(model, node, "k", 1, err);
    return status == BITTERN_OK ? require_input(model, node, 1, "k", err) : status;
}

/* Rows and columns of [batch, channels, rows, columns], in any order, from either end. */
static bool are_axes_of_maps(const struct graph_tensor *axes)
{
    bool has_rows = false;
    bool has_columns = false;
    for (size_t i = 0; i < axes->count; i++) {
        has_rows = has_rows || axes->constant[i] == 2 || axes->constant[i] == -2;
        has_columns = has_columns || axes->constant[i] == 3 || axes->constant[i] == -1;
    }
    return axes->count == 2 && has_rows && has_columns;
}

/* Put a Flatten behind the node, which takes over the node's output. May move model->nodes. */
static bittern_status append_flatten(struct bittern_model *model, size_t number,
                                     struct bittern_error *err)
{
    size_t output = model->nodes[number].outputs[0];
    size_t between;
    bittern_status status =
        graph_add_unique_tensor(model, model->nodes[number].name, &between, err);
    if (status != BITTERN_OK) {
        return status;
    }
    model->nodes[number].outputs[0] = between;
    model->tensors[between].producer = number;
    model->tensors[output].producer = GRAPH_NONE;
    const char *input_name = model->tensors[between].name;
    const char *output_name = model->tensors[output].name;
    const struct graph_node_description flatten = {.op = "Flatten",
                                                   .domain = "",
                                                   .inputs = &input_name,
                                                   .input_count = 1,
                                                   .outputs = &output_name,
                                                   .output_count = 1};
    struct graph_node *node;
    return graph_add_node(model, &flatten, &node, err);
}

/* ReduceMean over rows and columns is GlobalAveragePool, and a Flatten where it drops these axes.
 * May move model->nodes. */
static bittern_status normalize_reduce_mean(struct bittern_model *model, size_t number,
                                            struct bittern_error *err)
{
    struct graph_node *node = &model->nodes[number];
    bool keeps_axes = graph_node_int(node, "keepdims", 1) != 0;
    bittern_status status = move_to_input(model, node, "axes", 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const struct graph_tensor *axes = graph_node_input(model, node, 1);
    if (!axes || !axes->constant || !are_axes_of_maps(axes)) {
        return BITTERN_OK; /* fine over constants */
    }
    node->op = GRAPH_GLOBAL_AVERAGE_POOL;
    node->input_count = 1;
    graph_node_remove_attribute(node, "keepdims");
    graph_node_remove_attribute(node, "noop_with_empty_axes");
    status = rename_op(node, "GlobalAveragePool", err);
    return status == BITTERN_OK && !keeps_axes ? append_flatten(model, number, err) : status;
}

/* Constant with a number or a list; one with a tensor was read as an initializer already. */
static bittern_status normalize_constant(struct bittern_model *model, struct graph_node *node,
                                         struct bittern_error *err)
{
    struct graph_tensor *output = &model->tensors[node->outputs[0]];
    enum bittern_element element;
    size_t count;
    if (node->attribute_count != 1) {
        return refuse(node, BITTERN_ERR_FORMAT, err,
                      "it must have one of value, value_float, value_floats, value_int, "
                      "value_ints");
    }
    bool is_list = node->attributes[0].kind == BITTERN_ATTRIBUTE_INTS ||
                   node->attributes[0].kind == BITTERN_ATTRIBUTE_FLOATS;
    double *values = attribute_values(&node->attributes[0], &count, &element);
    if (!values) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's graph");
    }
    const int64_t dims[1] = {(int64_t)count};
    size_t same;
    output->producer = GRAPH_NONE;
    bittern_status status =
        graph_add_constant(model, output->name, element, dims, is_list ? 1 : 0, values, &same, err);
    if (status != BITTERN_OK) {
        free(values);
    }
    return status;
}

/* May move model->nodes. */
static bittern_status normalize_op(struct bittern_model *model, size_t number,
                                   struct bittern_error *err)
{
    struct graph_node *node = &model->nodes[number];
    switch (node->op) {
    case GRAPH_CLIP:
        return normalize_clip(model, node, err);
    case GRAPH_IDENTITY:
        return normalize_dropout(model, node, err);
    case GRAPH_PAD:
        return normalize_pad(model, node, err);
    case GRAPH_SLICE:
        return normalize_slice(model, node, err);
    case GRAPH_SQUEEZE:
    case GRAPH_UNSQUEEZE:
    case GRAPH_REDUCE_MAX:
        return normalize_axes(model, node, err);
    case GRAPH_REDUCE_MEAN:
        return normalize_reduce_mean(model, number, err);
    case GRAPH_TOP_K:
        return normalize_top_k(model, node, err);
    case GRAPH_SOFTMAX:
        return add_attribute_default(node, "axis", BITTERN_ATTRIBUTE_INT,
                                     model->node_opset < 13 ? 1 : -1, 0, err);
    case GRAPH_CONSTANT:
        return normalize_constant(model, node, err);
    case GRAPH_BATCH_NORM:
        if (graph_node_int(node, "training_mode", 0) != 0) {
            return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                          "training_mode must be 0; export the model for inference");
        }
        return BITTERN_OK;
    default:
        return BITTERN_OK;
    }
}

/* ---- Outputs --------------------------------------------------------------------------------- */

/* One output, TopK two. Others (MaxPool's indices, Dropout's mask, BatchNormalization's statistics)
 * are dropped, and must not be used. */
static bittern_status normalize_outputs(struct bittern_model *model, struct graph_node *node,
                                        size_t number, const bool *is_used,
                                        struct bittern_error *err)
{
    size_t wanted = node->op == GRAPH_TOP_K ? 2 : 1;
    for (size_t o = wanted; o < node->output_count; o++) {
        size_t tensor = node->outputs[o];
        if (tensor == GRAPH_NONE) {
            continue;
        }
        if (is_used[tensor]) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "node '%s' (%s): its output %zu, '%s', is used; only the "
                                     "first is supported",
                                     node->name, node->op_name, o, model->tensors[tensor].name);
        }
        model->tensors[tensor].producer = GRAPH_NONE;
    }
    if (node->output_count < wanted) {
        size_t *outputs = realloc(node->outputs, wanted * sizeof *outputs);
        if (!outputs) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                     "out of memory for the model's graph");
        }
        outputs[1] = GRAPH_NONE;
        node->outputs = outputs;
    }
    node->output_count = wanted;
    for (size_t o = 0; o < wanted; o++) {
        if (node->outputs[o] == GRAPH_NONE) {
            bittern_status status =
                graph_add_unique_tensor(model, node->name, &node->outputs[o], err);
            if (status != BITTERN_OK) {
                return status;
            }
            model->tensors[node->outputs[o]].producer = number;
        }
    }
    return BITTERN_OK;
}

/* Which tensors some node reads, or are the graph's output. */
static bool *find_used(const struct bittern_model *model)
{
    bool *is_used = calloc(model->tensor_count + 1, sizeof *is_used);
    if (!is_used) {
        return NULL;
    }
    for (size_t n = 0; n < model->node_count; n++) {
        for (size_t i = 0; i < model->nodes[n].input_count; i++) {
            if (model->nodes[n].inputs[i] != GRAPH_NONE) {
                is_used[model->nodes[n].inputs[i]] = true;
            }
        }
    }
    is_used[model->output] = true;
    return is_used;
}

bittern_status graph_normalize(struct bittern_model *model, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    bool *is_used = find_used(model);
    if (!is_used) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's graph");
    }
    for (size_t n = 0; status == BITTERN_OK && n < model->node_count; n++) {
        struct graph_node *node = &model->nodes[n];
        status = graph_check_node(node, err);
        if (status == BITTERN_OK) {
            status = normalize_outputs(model, node, n, is_used, err);
        }
        if (status == BITTERN_OK) {
            status = normalize_op(model, n, err);
        }
    }
    free(is_used);
    if (status == BITTERN_OK && model->node_opset < LEAST_NODE_OPSET) {
        model->node_opset = LEAST_NODE_OPSET;
    }
    /* Constants leave their nodes behind, dropped outputs their tensors. */
    return status == BITTERN_OK ? graph_sort(model, err) : status;
}
