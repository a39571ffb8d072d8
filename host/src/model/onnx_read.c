/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX bytes into a graph. Four steps: scan and unpack (onnx_scan.c), check what the model as a
 * whole may have, add initializers, input, nodes and output to a graph, and finish that.
 */
#include "base/file.h"
#include "model/onnx.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_SIZE ((size_t)INT32_MAX) /* protobuf's own limit */

static const char *text(const char *string)
{
    return string ? string : "";
}

/* Names go into messages and reports: printable UTF-8 only. */
static bool is_printable(const char *name)
{
    const unsigned char *c = (const unsigned char *)name;
    while (*c) {
        size_t following = *c < 0x80 ? 0 : *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : 1;
        if (*c < 0x20 || *c == 0x7f || (*c >= 0x80 && *c < 0xc2) || *c > 0xf4) {
            return false;
        }
        for (c++; following > 0; following--, c++) {
            if ((*c & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

static bittern_status check_name(const char *name, const char *what, struct bittern_error *err)
{
    if (is_printable(name)) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "the name of a %s has characters that cannot be printed", what);
}

/* ---- The model as a whole -------------------------------------------------------------------- */

static bool is_own_domain(const char *domain)
{
    return domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static bittern_status find_opset(const Onnx__ModelProto *proto, int64_t *opset,
                                 struct bittern_error *err)
{
    *opset = 0;
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = proto->opset_import[i];
        if (!is_own_domain(text(import->domain))) {
            continue;
        }
        if (*opset != 0 && *opset != import->version) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "the model imports ONNX's operators twice, as opset %" PRId64
                                     " and %" PRId64,
                                     *opset, import->version);
        }
        *opset = import->version;
    }
    if (*opset < ONNX_LEAST_OPSET || *opset > ONNX_MOST_OPSET) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the model's opset is %" PRId64
                                 "; %d to %d are supported (export with another opset_version)",
                                 *opset, ONNX_LEAST_OPSET, ONNX_MOST_OPSET);
    }
    return BITTERN_OK;
}

static bittern_status check_model(const Onnx__ModelProto *proto, struct bittern_error *err)
{
    if (!proto->graph) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "the model has no graph");
    }
    if (proto->n_functions > 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the model defines functions, which are not supported; inline "
                                 "them (onnx.inliner)");
    }
    if (proto->graph->n_sparse_initializer > 0) {
        const Onnx__TensorProto *values = proto->graph->sparse_initializer[0]->values;
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "initializer '%s' is sparse, which is not supported",
                                 values ? text(values->name) : "");
    }
    return BITTERN_OK;
}

static bittern_status read_metadata(const Onnx__ModelProto *proto, struct bittern_model *model,
                                    struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < proto->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = proto->metadata_props[i];
        status = check_name(text(entry->key), "metadata key", err);
        if (status == BITTERN_OK) {
            status = bittern_model_set_metadata(model, text(entry->key), text(entry->value), err);
        }
    }
    return status;
}

/* ---- Initializers, input and output ---------------------------------------------------------- */

static bittern_status add_constant(struct bittern_model *model, const Onnx__TensorProto *proto,
                                   const char *name, struct bittern_error *err)
{
    int64_t dims[BITTERN_MODEL_MAX_RANK];
    size_t rank;
    enum bittern_element element;
    double *values = NULL;
    size_t tensor;
    bittern_status status = check_name(name, "constant", err);
    if (status == BITTERN_OK && name[0] == '\0') {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "a constant has no name");
    }
    if (status == BITTERN_OK) {
        status = onnx_tensor_values(proto, name, dims, &rank, &element, &values, err);
    }
    if (status == BITTERN_OK) {
        status = graph_add_constant(model, name, element, dims, rank, values, &tensor, err);
    }
    if (status != BITTERN_OK) {
        free(values);
    }
    return status;
}

/* The batch may be open and counts as 1 then; every other dimension must be a number. */
static bittern_status read_dims(const char *name, const Onnx__TensorShapeProto *shape,
                                int64_t *dims, bool *is_open, struct bittern_error *err)
{
    for (size_t i = 0; i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        bool is_number = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (is_number && dim->dim_value < 1) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "input '%s': dimension %zu is %" PRId64, name, i,
                                     dim->dim_value);
        }
        if (!is_number && i > 0) {
            bool has_name = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "input '%s': dimension %zu is open ('%s'); only the batch may "
                                     "be, export the model with fixed sizes",
                                     name, i, has_name ? text(dim->dim_param) : "?");
        }
        *is_open = i == 0 ? !is_number : *is_open;
        dims[i] = is_number ? dim->dim_value : 1;
    }
    return BITTERN_OK;
}

static bittern_status add_input(struct bittern_model *model, const Onnx__ValueInfoProto *info,
                                struct bittern_error *err)
{
    const char *name = text(info->name);
    int64_t dims[BITTERN_MODEL_MAX_RANK];
    const Onnx__TypeProto__Tensor *type =
        info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? info->type->tensor_type
            : NULL;
    if (model->input != GRAPH_NONE) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the graph has more than one input ('%s' and '%s'); one is "
                                 "supported",
                                 model->tensors[model->input].name, name);
    }
    if (!type || !type->shape || name[0] == '\0') {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "input '%s' must be a tensor with a name and a shape", name);
    }
    if (type->elem_type != BITTERN_ELEMENT_FLOAT && type->elem_type != BITTERN_ELEMENT_FLOAT16 &&
        type->elem_type != BITTERN_ELEMENT_BFLOAT16 && type->elem_type != BITTERN_ELEMENT_DOUBLE) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "input '%s' has element type %" PRId32
                                 "; it must be a float type (1, 10, 11 or 16)",
                                 name, type->elem_type);
    }
    if (type->shape->n_dim < 2 || type->shape->n_dim > 4) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "input '%s' has %zu dimensions; 2 to 4 are supported: the batch, "
                                 "then the image",
                                 name, type->shape->n_dim);
    }
    bool is_open = false;
    bittern_status status = read_dims(name, type->shape, dims, &is_open, err);
    if (status == BITTERN_OK) {
        status = bittern_model_add_input(model, name, dims, type->shape->n_dim, err);
    }
    if (status == BITTERN_OK) {
        model->tensors[model->input].element = (enum bittern_element)type->elem_type;
        model->batch_is_open = is_open;
    }
    return status;
}

static bittern_status add_inputs(struct bittern_model *model, const Onnx__GraphProto *graph,
                                 struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < graph->n_input; i++) {
        const char *name = text(graph->input[i]->name);
        size_t tensor = graph_find_tensor(model, name);
        status = check_name(name, "input", err);
        /* Up to IR version 3 every initializer is listed as an input, too. */
        if (status == BITTERN_OK && (tensor == GRAPH_NONE || !model->tensors[tensor].constant)) {
            status = add_input(model, graph->input[i], err);
        }
    }
    if (status == BITTERN_OK && model->input == GRAPH_NONE) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "the graph has no input");
    }
    return status;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static bittern_status refuse_attribute(const char *node, const char *op, const char *attribute,
                                       const char *reason, struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED, "node '%s' (%s): attribute '%s' %s",
                             node, op, attribute, reason);
}

static bittern_status add_string(struct graph_node *node, const Onnx__AttributeProto *proto,
                                 struct bittern_error *err)
{
    size_t length = proto->has_s ? proto->s.len : 0;
    char *copy = calloc(length + 1, 1);
    if (!copy) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's graph");
    }
    if (length > 0) {
        memcpy(copy, proto->s.data, length);
    }
    const struct bittern_attribute attribute = {
        .name = proto->name, .kind = BITTERN_ATTRIBUTE_STRING, .s = copy};
    bittern_status status = strlen(copy) == length && is_printable(copy)
                                ? graph_node_add_attribute(node, &attribute, err)
                                : refuse_attribute(node->name, node->op_name, proto->name,
                                                   "is not printable text", err);
    free(copy);
    return status;
}

static bittern_status add_attribute(struct graph_node *node, const Onnx__AttributeProto *proto,
                                    struct bittern_error *err)
{
    struct bittern_attribute attribute = {.name = text(proto->name)};
    if (attribute.name[0] == '\0' || !is_printable(attribute.name) || !proto->has_type ||
        text(proto->ref_attr_name)[0] != '\0') {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "node '%s' (%s) has an attribute without a name, a type or a value", node->name,
            node->op_name);
    }
    switch (proto->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attribute.kind = BITTERN_ATTRIBUTE_INT;
        attribute.i = proto->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attribute.kind = BITTERN_ATTRIBUTE_FLOAT;
        attribute.f = proto->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attribute.kind = BITTERN_ATTRIBUTE_INTS;
        attribute.ints = proto->ints;
        attribute.count = proto->n_ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attribute.kind = BITTERN_ATTRIBUTE_FLOATS;
        attribute.floats = proto->floats;
        attribute.count = proto->n_floats;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        return add_string(node, proto, err);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return refuse_attribute(node->name, node->op_name, attribute.name,
                                "is a subgraph; control flow is not supported", err);
    default:
        return refuse_attribute(node->name, node->op_name, attribute.name,
                                "is a tensor, a type or a list of strings; it must be a number, a "
                                "list of numbers or a string",
                                err);
    }
    return graph_node_add_attribute(node, &attribute, err);
}

static bittern_status check_node_names(const Onnx__NodeProto *proto, struct bittern_error *err)
{
    bittern_status status = check_name(text(proto->name), "node", err);
    if (status == BITTERN_OK) {
        status = check_name(text(proto->op_type), "node's op", err);
    }
    if (status == BITTERN_OK) {
        status = check_name(text(proto->domain), "node's domain", err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < proto->n_input; i++) {
        status = check_name(text(proto->input[i]), "node's input", err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < proto->n_output; i++) {
        status = check_name(text(proto->output[i]), "node's output", err);
    }
    return status;
}

/* ConstantOfShape's value is a tensor of one element: keep it as a number. */
static bittern_status add_shape_value(struct graph_node *node, const Onnx__TensorProto *proto,
                                      struct bittern_error *err)
{
    int64_t dims[BITTERN_MODEL_MAX_RANK];
    size_t rank;
    enum bittern_element element;
    double *values = NULL;
    bittern_status status =
        onnx_tensor_values(proto, node->name, dims, &rank, &element, &values, err);
    if (status == BITTERN_OK && (rank != 1 || dims[0] != 1 || !(fabs(values[0]) <= 0x1p53))) {
        status = refuse_attribute(node->name, node->op_name, "value",
                                  "must be a tensor of one finite element", err);
    }
    if (status == BITTERN_OK) {
        bool is_float = element == BITTERN_ELEMENT_FLOAT || element == BITTERN_ELEMENT_DOUBLE ||
                        element == BITTERN_ELEMENT_FLOAT16 || element == BITTERN_ELEMENT_BFLOAT16;
        const struct bittern_attribute attribute = {.name = is_float ? "value_float" : "value_int",
                                                    .kind = is_float ? BITTERN_ATTRIBUTE_FLOAT
                                                                     : BITTERN_ATTRIBUTE_INT,
                                                    .f = is_float ? (float)values[0] : 0,
                                                    .i = is_float ? 0 : (int64_t)values[0]};
        status = graph_node_add_attribute(node, &attribute, err);
    }
    free(values);
    return status;
}

/* The tensor of a Constant node with attribute "value": it becomes an initializer. */
static const Onnx__TensorProto *constant_value(const Onnx__NodeProto *proto)
{
    if (graph_op_find(text(proto->domain), text(proto->op_type)) != GRAPH_CONSTANT ||
        proto->n_attribute != 1 || proto->n_output != 1 || proto->n_input != 0) {
        return NULL;
    }
    const Onnx__AttributeProto *attribute = proto->attribute[0];
    return strcmp(text(attribute->name), "value") == 0 ? attribute->t : NULL;
}

static bittern_status add_node(struct bittern_model *model, const Onnx__NodeProto *proto,
                               struct bittern_error *err)
{
    const char *domain = text(proto->domain);
    const struct graph_node_description description = {
        .op = text(proto->op_type),
        .domain = is_own_domain(domain) ? "" : domain,
        .name = proto->name,
        .inputs = (const char *const *)proto->input,
        .input_count = proto->n_input,
        .outputs = (const char *const *)proto->output,
        .output_count = proto->n_output,
    };
    struct graph_node *node = NULL;
    bittern_status status = check_node_names(proto, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const Onnx__TensorProto *value = constant_value(proto);
    if (value) {
        status = add_constant(model, value, proto->output[0], err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "node '%s' (Constant)", text(proto->name));
        }
        return status;
    }
    status = graph_add_node(model, &description, &node, err);
    for (size_t i = 0; status == BITTERN_OK && i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = proto->attribute[i];
        bool is_shape_value = node->op == GRAPH_CONSTANT_OF_SHAPE && attribute->t &&
                              strcmp(text(attribute->name), "value") == 0;
        if (is_shape_value) {
            status = add_shape_value(node, attribute->t, err);
        } else if (node->op != GRAPH_UNKNOWN) { /* an unknown op is refused later, by its name */
            status = add_attribute(node, attribute, err);
        }
    }
    return status;
}

/* ---- Outputs --------------------------------------------------------------------------------- */

/* True where `tensor` is computed from `from` by ops that only read scores, or is made by the same
 * node. */
static bool follows_from(const struct bittern_model *model, size_t tensor, size_t from)
{
    for (size_t step = 0; step <= model->node_count; step++) {
        size_t producer = model->tensors[tensor].producer;
        if (tensor == from ||
            (producer != GRAPH_NONE && producer == model->tensors[from].producer)) {
            return true;
        }
        if (producer == GRAPH_NONE) {
            return false;
        }
        const struct graph_node *node = &model->nodes[producer];
        bool is_tail = node->op == GRAPH_TOP_K || node->op == GRAPH_ARG_MAX ||
                       node->op == GRAPH_SOFTMAX || node->op == GRAPH_IDENTITY;
        if (!is_tail || node->input_count == 0 || node->inputs[0] == GRAPH_NONE) {
            return false;
        }
        tensor = node->inputs[0];
    }
    return false; /* a cycle */
}

/* Of TopK's values and indices, the indices are the answer. */
static size_t prefer_indices(const struct bittern_model *model, const Onnx__GraphProto *graph,
                             size_t tensor)
{
    size_t producer = model->tensors[tensor].producer;
    if (producer == GRAPH_NONE || model->nodes[producer].op != GRAPH_TOP_K ||
        model->nodes[producer].output_count < 2) {
        return tensor;
    }
    size_t indices = model->nodes[producer].outputs[1];
    for (size_t i = 0; i < graph->n_output; i++) {
        if (graph_find_tensor(model, text(graph->output[i]->name)) == indices) {
            return indices;
        }
    }
    return tensor;
}

/* The output that counts: the one that all others follow from. */
static bittern_status choose_output(struct bittern_model *model, const Onnx__GraphProto *graph,
                                    struct bittern_error *err)
{
    for (size_t i = 0; i < graph->n_output; i++) {
        const char *name = text(graph->output[i]->name);
        if (name[0] == '\0' || graph_find_tensor(model, name) == GRAPH_NONE) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "the graph's output '%s' is made by no node",
                                     is_printable(name) ? name : "");
        }
    }
    for (size_t i = 0; i < graph->n_output; i++) {
        size_t candidate = graph_find_tensor(model, text(graph->output[i]->name));
        size_t others = 0;
        while (others < graph->n_output &&
               follows_from(model, graph_find_tensor(model, text(graph->output[others]->name)),
                            candidate)) {
            others++;
        }
        if (others == graph->n_output) {
            model->output = prefer_indices(model, graph, candidate);
            return BITTERN_OK;
        }
        if (i == 7) {
            break; /* enough tried; a classifier has scores, probabilities and a class */
        }
    }
    if (graph->n_output == 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "the graph has no output");
    }
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                             "the graph has %zu outputs ('%s', '%s', ...); one is supported, and "
                             "what Softmax, TopK or ArgMax make of it",
                             graph->n_output, text(graph->output[0]->name),
                             text(graph->output[1]->name));
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bittern_status read_graph(struct bittern_model *model, const Onnx__GraphProto *graph,
                                 struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < graph->n_initializer; i++) {
        status = add_constant(model, graph->initializer[i], text(graph->initializer[i]->name), err);
    }
    if (status == BITTERN_OK) {
        status = add_inputs(model, graph, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < graph->n_node; i++) {
        status = add_node(model, graph->node[i], err);
    }
    return status == BITTERN_OK ? choose_output(model, graph, err) : status;
}

bittern_status bittern_model_read_memory(const void *data, size_t size, const char *name,
                                         struct bittern_model **model, struct bittern_error *err)
{
    Onnx__ModelProto *proto = NULL;
    struct bittern_model *made = NULL;
    int64_t opset;

    *model = NULL;
    bittern_status status = onnx_unpack(data, size, &proto, err);
    if (status == BITTERN_OK) {
        status = check_model(proto, err);
    }
    if (status == BITTERN_OK) {
        status = find_opset(proto, &opset, err);
    }
    if (status == BITTERN_OK) {
        status = check_name(text(proto->graph->name), "graph", err);
    }
    if (status == BITTERN_OK) {
        status = graph_create(text(proto->graph->name), opset, &made, err);
    }
    if (status == BITTERN_OK) {
        status = read_metadata(proto, made, err);
    }
    if (status == BITTERN_OK) {
        status = read_graph(made, proto->graph, err);
    }
    onnx_free(proto); /* as large as the file: not needed for the rest */
    if (status == BITTERN_OK) {
        status = bittern_model_finish(made, err);
    }
    if (status != BITTERN_OK) {
        bittern_model_free(made);
        bittern_error_prefix(err, "%s", name);
        return status;
    }
    *model = made;
    return BITTERN_OK;
}

bittern_status bittern_model_read(const char *path, struct bittern_model **model,
                                  struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    *model = NULL;
    bittern_status status = file_read(path, MAX_FILE_SIZE, &data, &size, err);
    if (status == BITTERN_OK) {
        status = bittern_model_read_memory(data, size, path, model, err);
    }
    free(data);
    return status;
}
