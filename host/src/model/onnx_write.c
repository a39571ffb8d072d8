/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph as ONNX bytes. The protobuf-c messages are built in an arena that is freed as a whole;
 * strings and integer lists are borrowed from the graph. Constants are written as raw data, rounded
 * to their element type.
 *
 * ONNX wants the output's shape, which an unfinished model does not know: its bytes are read back
 * once, which infers it and proves that the model is sound.
 */
#include "base/checked.h"
#include "base/file.h"
#include "model/onnx.h"

#include <bittern/version.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_NAME "batch"
#define CUSTOM_OPSET 1
#define MAX_DOMAINS 8

struct block {
    struct block *next;
    max_align_t content[];
};

struct writer {
    const struct bittern_model *model;
    struct block *blocks;
    bool out_of_memory;
};

/* count zeroed elements, or NULL with the writer marked: what follows need not check each. */
static void *take(struct writer *writer, size_t count, size_t size)
{
    size_t bytes;
    if (!checked_mul_size(count, size, &bytes) ||
        !checked_add_size(bytes, sizeof(struct block), &bytes)) {
        writer->out_of_memory = true;
        return NULL;
    }
    struct block *block = calloc(1, bytes);
    if (!block) {
        writer->out_of_memory = true;
        return NULL;
    }
    block->next = writer->blocks;
    writer->blocks = block;
    return block->content;
}

/* A list of pointers to messages or strings. */
static void *take_list(struct writer *writer, size_t count)
{
    return take(writer, count + 1, sizeof(void *));
}

static void release(struct writer *writer)
{
    while (writer->blocks) {
        struct block *next = writer->blocks->next;
        free(writer->blocks);
        writer->blocks = next;
    }
}

/* A message in the arena, initialized; `field` is left NULL without memory. */
#define NEW_MESSAGE(writer, field, init)                                                           \
    do {                                                                                           \
        (field) = take((writer), 1, sizeof *(field));                                              \
        if (field) {                                                                               \
            init(field);                                                                           \
        }                                                                                          \
    } while (0)

/* ---- Tensors --------------------------------------------------------------------------------- */

static Onnx__TensorProto *make_tensor(struct writer *writer, const struct graph_tensor *tensor)
{
    Onnx__TensorProto *proto;
    size_t bytes = tensor->count * onnx_element_size(tensor->element);
    NEW_MESSAGE(writer, proto, onnx__tensor_proto__init);
    uint8_t *data = take(writer, bytes, 1);
    if (!proto || !data) {
        return NULL;
    }
    onnx_pack_values(tensor->element, tensor->constant, tensor->count, data);
    proto->name = tensor->name;
    proto->has_data_type = 1;
    proto->data_type = (int32_t)tensor->element;
    proto->dims = (int64_t *)tensor->dims;
    proto->n_dims = tensor->rank;
    proto->has_raw_data = 1;
    proto->raw_data.data = data;
    proto->raw_data.len = bytes;
    return proto;
}

/* Whether a Reshape states the batch as a number, as folded shape arithmetic leaves it: then no
 * other batch can be run, and the input must not promise one. */
static bool batch_is_open(const struct bittern_model *model)
{
    for (size_t n = 0; n < model->node_count; n++) {
        const struct graph_node *node = &model->nodes[n];
        const struct graph_tensor *shape = graph_node_input(model, node, 1);
        if (node->op == GRAPH_RESHAPE && shape && shape->constant && shape->count > 0 &&
            shape->constant[0] > 0) {
            return false;
        }
    }
    return model->batch_is_open;
}

static Onnx__TensorShapeProto *make_shape(struct writer *writer, const int64_t *dims, size_t rank)
{
    Onnx__TensorShapeProto *shape;
    bool is_open = batch_is_open(writer->model);
    NEW_MESSAGE(writer, shape, onnx__tensor_shape_proto__init);
    Onnx__TensorShapeProto__Dimension **list = take_list(writer, rank);
    if (!shape || !list) {
        return NULL;
    }
    for (size_t i = 0; i < rank; i++) {
        NEW_MESSAGE(writer, list[i], onnx__tensor_shape_proto__dimension__init);
        if (!list[i]) {
            return NULL;
        }
        if (i == 0 && is_open) {
            list[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            list[i]->dim_param = (char *)BATCH_NAME;
        } else {
            list[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            list[i]->dim_value = dims[i];
        }
    }
    shape->dim = list;
    shape->n_dim = rank;
    return shape;
}

static Onnx__ValueInfoProto **make_value(struct writer *writer,
                                         const struct bittern_tensor_info *info, bool has_shape)
{
    Onnx__ValueInfoProto **list = take_list(writer, 1);
    Onnx__TypeProto *type;
    Onnx__TypeProto__Tensor *tensor;
    NEW_MESSAGE(writer, type, onnx__type_proto__init);
    NEW_MESSAGE(writer, tensor, onnx__type_proto__tensor__init);
    if (!list || !type || !tensor) {
        return NULL;
    }
    NEW_MESSAGE(writer, list[0], onnx__value_info_proto__init);
    if (!list[0]) {
        return NULL;
    }
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)info->element;
    tensor->shape = has_shape ? make_shape(writer, info->dims, info->rank) : NULL;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    list[0]->name = (char *)info->name;
    list[0]->type = type;
    return list;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void fill_attribute(struct writer *writer, const struct graph_attribute *attribute,
                           Onnx__AttributeProto *proto)
{
    proto->name = attribute->name;
    proto->has_type = 1;
    switch (attribute->kind) {
    case BITTERN_ATTRIBUTE_INT:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        proto->has_i = 1;
        proto->i = attribute->i;
        break;
    case BITTERN_ATTRIBUTE_FLOAT:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        proto->has_f = 1;
        proto->f = (float)attribute->f;
        break;
    case BITTERN_ATTRIBUTE_STRING:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        proto->has_s = 1;
        proto->s.data = (uint8_t *)attribute->s;
        proto->s.len = strlen(attribute->s);
        break;
    case BITTERN_ATTRIBUTE_INTS:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        proto->ints = attribute->ints;
        proto->n_ints = attribute->count;
        break;
    case BITTERN_ATTRIBUTE_FLOATS:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        proto->floats = take(writer, attribute->count + 1, sizeof *proto->floats);
        for (size_t i = 0; proto->floats && i < attribute->count; i++) {
            proto->floats[i] = (float)attribute->floats[i];
        }
        proto->n_floats = proto->floats ? attribute->count : 0;
        break;
    }
}

static char **make_names(struct writer *writer, const size_t *tensors, size_t count)
{
    static char none[1] = "";
    char **names = take_list(writer, count);
    for (size_t i = 0; names && i < count; i++) {
        names[i] = tensors[i] == GRAPH_NONE ? none : writer->model->tensors[tensors[i]].name;
    }
    return names;
}

static Onnx__NodeProto *make_node(struct writer *writer, const struct graph_node *node)
{
    Onnx__NodeProto *proto;
    NEW_MESSAGE(writer, proto, onnx__node_proto__init);
    Onnx__AttributeProto **attributes = take_list(writer, node->attribute_count);
    char **inputs = make_names(writer, node->inputs, node->input_count);
    char **outputs = make_names(writer, node->outputs, node->output_count);
    if (!proto || !attributes || !inputs || !outputs) {
        return NULL;
    }
    for (size_t i = 0; i < node->attribute_count; i++) {
        NEW_MESSAGE(writer, attributes[i], onnx__attribute_proto__init);
        if (!attributes[i]) {
            return NULL;
        }
        fill_attribute(writer, &node->attributes[i], attributes[i]);
    }
    proto->name = node->name;
    proto->op_type = node->op_name;
    proto->domain = node->domain[0] ? node->domain : NULL;
    proto->input = inputs;
    proto->n_input = node->input_count;
    proto->output = outputs;
    proto->n_output = node->output_count;
    proto->attribute = attributes;
    proto->n_attribute = node->attribute_count;
    return proto;
}

/* ---- The model ------------------------------------------------------------------------------- */

static void fill_graph(struct writer *writer, const struct bittern_tensor_info *output,
                       bool output_has_shape, Onnx__GraphProto *graph)
{
    const struct bittern_model *model = writer->model;
    struct bittern_tensor_info input;
    bittern_model_input(model, &input);
    graph->name = model->name;
    graph->input = make_value(writer, &input, true);
    graph->n_input = graph->input ? 1 : 0;
    graph->output = make_value(writer, output, output_has_shape);
    graph->n_output = graph->output ? 1 : 0;
    graph->node = take_list(writer, model->node_count);
    graph->initializer = take_list(writer, model->tensor_count);
    if (!graph->node || !graph->initializer) {
        return;
    }
    for (size_t i = 0; i < model->node_count && !writer->out_of_memory; i++) {
        graph->node[graph->n_node++] = make_node(writer, &model->nodes[i]);
    }
    for (size_t i = 0; i < model->tensor_count && !writer->out_of_memory; i++) {
        if (model->tensors[i].constant) {
            graph->initializer[graph->n_initializer++] = make_tensor(writer, &model->tensors[i]);
        }
    }
}

static void fill_opsets(struct writer *writer, Onnx__ModelProto *proto)
{
    const struct bittern_model *model = writer->model;
    proto->opset_import = take_list(writer, MAX_DOMAINS);
    if (!proto->opset_import) {
        return;
    }
    static char own[1] = "";
    for (size_t n = 0; n <= model->node_count; n++) {
        char *domain = n == 0 ? own : model->nodes[n - 1].domain;
        size_t at = 0;
        while (at < proto->n_opset_import && strcmp(proto->opset_import[at]->domain, domain) != 0) {
            at++;
        }
        if (at < proto->n_opset_import || at == MAX_DOMAINS) {
            continue; /* known; more domains than that are not supported anyway */
        }
        NEW_MESSAGE(writer, proto->opset_import[at], onnx__operator_set_id_proto__init);
        if (!proto->opset_import[at]) {
            return;
        }
        proto->opset_import[at]->domain = domain;
        proto->opset_import[at]->has_version = 1;
        proto->opset_import[at]->version = n == 0 ? model->node_opset : CUSTOM_OPSET;
        proto->n_opset_import = at + 1;
    }
}

static void fill_metadata(struct writer *writer, Onnx__ModelProto *proto)
{
    const struct bittern_model *model = writer->model;
    proto->metadata_props = take_list(writer, model->metadata_count);
    for (size_t i = 0; proto->metadata_props && i < model->metadata_count; i++) {
        NEW_MESSAGE(writer, proto->metadata_props[i], onnx__string_string_entry_proto__init);
        if (!proto->metadata_props[i]) {
            return;
        }
        proto->metadata_props[i]->key = model->metadata[i].key;
        proto->metadata_props[i]->value = model->metadata[i].value;
        proto->n_metadata_props = i + 1;
    }
}

/* The IR version that came with an opset, and at least 8. */
static int64_t ir_version(int64_t opset)
{
    return opset >= 21 ? 10 : opset >= 19 ? 9 : 8;
}

static bittern_status serialize(const struct bittern_model *model,
                                const struct bittern_tensor_info *output, bool output_has_shape,
                                void **data, size_t *size, struct bittern_error *err)
{
    struct writer writer = {.model = model};
    Onnx__ModelProto proto = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    uint8_t *packed = NULL;

    proto.graph = &graph;
    proto.has_ir_version = 1;
    proto.ir_version = ir_version(model->node_opset);
    proto.producer_name = (char *)"bittern";
    proto.producer_version = (char *)BITTERN_VERSION;
    fill_graph(&writer, output, output_has_shape, &graph);
    fill_opsets(&writer, &proto);
    fill_metadata(&writer, &proto);
    if (!writer.out_of_memory) {
        *size = onnx__model_proto__get_packed_size(&proto);
        packed = malloc(*size);
    }
    if (packed) {
        (void)onnx__model_proto__pack(&proto, packed);
    }
    release(&writer);
    *data = packed;
    return packed ? BITTERN_OK
                  : bittern_error_set(err, BITTERN_ERR_MEMORY,
                                      "out of memory for writing the model '%s'", model->name);
}

bittern_status bittern_model_write_memory(const struct bittern_model *model, void **data,
                                          size_t *size, struct bittern_error *err)
{
    struct bittern_tensor_info output;
    struct bittern_model *finished = NULL;
    void *draft = NULL;

    *data = NULL;
    *size = 0;
    if (model->input == GRAPH_NONE || model->output == GRAPH_NONE) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the model '%s' has no input or no output yet", model->name);
    }
    bittern_model_output(model, &output);
    if (model->finished) {
        return serialize(model, &output, true, data, size, err);
    }
    bittern_status status = serialize(model, &output, false, &draft, size, err);
    if (status == BITTERN_OK) {
        status = bittern_model_read_memory(draft, *size, "the model to be written", &finished, err);
    }
    free(draft);
    if (status == BITTERN_OK) {
        bittern_model_output(finished, &output);
        status = serialize(model, &output, true, data, size, err);
    }
    bittern_model_free(finished);
    return status;
}

bittern_status bittern_model_write(const struct bittern_model *model, const char *path,
                                   struct bittern_error *err)
{
    void *data = NULL;
    size_t size = 0;
    bittern_status status = bittern_model_write_memory(model, &data, &size, err);
    if (status == BITTERN_OK) {
        status = file_write(path, data, size, err);
    }
    free(data);
    return status;
}
