/* SPDX-License-Identifier: Apache-2.0 */
/* Models that grow node by node, and the public view of what is inside a model. */
#include "model/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_OPSET 9
#define MOST_OPSET 21
#define CUSTOM_DOMAIN "qonnx.custom_op.general"

static bittern_status check_unfinished(const struct bittern_model *model, struct bittern_error *err)
{
    if (!model->finished) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                             "the model is finished; nothing can be added to it");
}

bittern_status bittern_model_create(const char *name, int64_t opset, struct bittern_model **model,
                                    struct bittern_error *err)
{
    *model = NULL;
    if (opset < LEAST_OPSET || opset > MOST_OPSET) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "opset %" PRId64 " is not supported; %d to %d are", opset,
                                 LEAST_OPSET, MOST_OPSET);
    }
    return graph_create(name, opset, model, err);
}

bittern_status bittern_model_add_input(struct bittern_model *model, const char *name,
                                       const int64_t *dims, size_t rank, struct bittern_error *err)
{
    int64_t fixed[BITTERN_MODEL_MAX_RANK];
    size_t tensor;
    bittern_status status = check_unfinished(model, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (model->input != GRAPH_NONE || name[0] == '\0' || rank < 2 || rank > 4) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "input '%s': a model has one input, with a name and 2 to 4 "
                                 "dimensions",
                                 name);
    }
    for (size_t i = 0; i < rank; i++) {
        fixed[i] = i == 0 && dims[i] == 0 ? 1 : dims[i];
        if (fixed[i] < 1) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                     "input '%s': dimension %zu is %" PRId64, name, i, dims[i]);
        }
    }
    status = graph_add_tensor(model, name, &tensor, err);
    if (status == BITTERN_OK &&
        (model->tensors[tensor].constant || model->tensors[tensor].producer != GRAPH_NONE)) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                   "input '%s' is an initializer or a node's output already", name);
    }
    if (status == BITTERN_OK) {
        status = graph_set_shape(&model->tensors[tensor], fixed, rank, err);
    }
    if (status == BITTERN_OK) {
        model->input = tensor;
        model->batch_is_open = dims[0] == 0;
    }
    return status;
}

/* Exactly one of floats and ints is given. */
static bittern_status add_values(struct bittern_model *model, const char *name, const int64_t *dims,
                                 size_t rank, const float *floats, const int64_t *ints,
                                 struct bittern_error *err)
{
    char no_name[1] = "";
    struct graph_tensor shape = {.name = no_name};
    size_t tensor;
    bittern_status status = check_unfinished(model, err);
    if (status == BITTERN_OK && name[0] == '\0') {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT, "an initializer needs a name");
    }
    if (status == BITTERN_OK) {
        status = graph_set_shape(&shape, dims, rank, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    double *values = malloc((shape.count + 1) * sizeof *values);
    if (!values) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for initializer '%s'",
                                 name);
    }
    for (size_t i = 0; i < shape.count; i++) {
        values[i] = floats ? floats[i] : (double)ints[i];
    }
    status = graph_add_constant(model, name, floats ? BITTERN_ELEMENT_FLOAT : BITTERN_ELEMENT_INT64,
                                dims, rank, values, &tensor, err);
    if (status != BITTERN_OK) {
        free(values);
    }
    return status;
}

bittern_status bittern_model_add_floats(struct bittern_model *model, const char *name,
                                        const int64_t *dims, size_t rank, const float *data,
                                        struct bittern_error *err)
{
    return add_values(model, name, dims, rank, data, NULL, err);
}

bittern_status bittern_model_add_ints(struct bittern_model *model, const char *name,
                                      const int64_t *dims, size_t rank, const int64_t *data,
                                      struct bittern_error *err)
{
    return add_values(model, name, dims, rank, NULL, data, err);
}

/* ConstantOfShape's value has a form that only the reader knows; a constant does as well. */
static bool is_buildable(const char *domain, const char *op)
{
    enum graph_op found = graph_op_find(domain, op);
    return found != GRAPH_UNKNOWN && found != GRAPH_CONSTANT_OF_SHAPE;
}

bittern_status bittern_model_add_node(struct bittern_model *model, const char *op, const char *name,
                                      const char *const *inputs, size_t input_count,
                                      const char *const *outputs, size_t output_count,
                                      const struct bittern_attribute *attributes,
                                      size_t attribute_count, struct bittern_error *err)
{
    bool is_custom = graph_op_find(CUSTOM_DOMAIN, op) != GRAPH_UNKNOWN;
    const struct graph_node_description description = {.op = op,
                                                       .domain = is_custom ? CUSTOM_DOMAIN : "",
                                                       .name = name,
                                                       .inputs = inputs,
                                                       .input_count = input_count,
                                                       .outputs = outputs,
                                                       .output_count = output_count};
    struct graph_node *node = NULL;
    bittern_status status = check_unfinished(model, err);
    if (status == BITTERN_OK && !is_buildable(description.domain, op)) {
        status =
            bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                              "op '%s' is not supported; supported are %s", op, graph_op_list());
    }
    if (status == BITTERN_OK) {
        status = graph_add_node(model, &description, &node, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < attribute_count; i++) {
        status = graph_node_add_attribute(node, &attributes[i], err);
    }
    return status;
}

bittern_status bittern_model_add_output(struct bittern_model *model, const char *name,
                                        struct bittern_error *err)
{
    bittern_status status = check_unfinished(model, err);
    if (status == BITTERN_OK && (model->output != GRAPH_NONE || name[0] == '\0')) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                   "output '%s': a model has one output, with a name", name);
    }
    return status == BITTERN_OK ? graph_add_tensor(model, name, &model->output, err) : status;
}

/* ---- Metadata -------------------------------------------------------------------------------- */

static struct graph_metadata *find_metadata(const struct bittern_model *model, const char *key)
{
    for (size_t i = 0; i < model->metadata_count; i++) {
        if (strcmp(model->metadata[i].key, key) == 0) {
            return &model->metadata[i];
        }
    }
    return NULL;
}

bittern_status bittern_model_set_metadata(struct bittern_model *model, const char *key,
                                          const char *value, struct bittern_error *err)
{
    struct graph_metadata *entry = find_metadata(model, key);
    char *value_copy = strdup(value);
    char *key_copy = entry ? NULL : strdup(key);
    if (!value_copy || (!entry && !key_copy)) {
        goto no_memory;
    }
    if (entry) {
        free(entry->value);
        entry->value = value_copy;
        return BITTERN_OK;
    }
    struct graph_metadata *larger =
        realloc(model->metadata, (model->metadata_count + 1) * sizeof *larger);
    if (!larger) {
        goto no_memory;
    }
    model->metadata = larger;
    larger[model->metadata_count++] = (struct graph_metadata){.key = key_copy, .value = value_copy};
    return BITTERN_OK;
no_memory:
    free(value_copy);
    free(key_copy);
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's metadata");
}

const char *bittern_model_metadata(const struct bittern_model *model, const char *key)
{
    const struct graph_metadata *entry = find_metadata(model, key);
    return entry ? entry->value : NULL;
}

bool bittern_model_metadata_entry(const struct bittern_model *model, size_t index, const char **key,
                                  const char **value)
{
    if (index >= model->metadata_count) {
        return false;
    }
    *key = model->metadata[index].key;
    *value = model->metadata[index].value;
    return true;
}

/* ---- Looking inside -------------------------------------------------------------------------- */

const char *bittern_model_name(const struct bittern_model *model)
{
    return model->name;
}

int64_t bittern_model_opset(const struct bittern_model *model)
{
    return model->opset;
}

static void describe_tensor(const struct bittern_model *model, size_t tensor,
                            struct bittern_tensor_info *info)
{
    *info = (struct bittern_tensor_info){.name = "", .element = BITTERN_ELEMENT_FLOAT};
    if (tensor == GRAPH_NONE) {
        return;
    }
    const struct graph_tensor *t = &model->tensors[tensor];
    info->name = t->name;
    info->rank = t->rank;
    info->element = t->element;
    memcpy(info->dims, t->dims, sizeof info->dims);
}

void bittern_model_input(const struct bittern_model *model, struct bittern_tensor_info *info)
{
    describe_tensor(model, model->input, info);
}

void bittern_model_output(const struct bittern_model *model, struct bittern_tensor_info *info)
{
    describe_tensor(model, model->output, info);
}

size_t bittern_model_node_count(const struct bittern_model *model)
{
    return model->node_count;
}

void bittern_model_node(const struct bittern_model *model, size_t index,
                        struct bittern_node_info *info)
{
    const struct graph_node *node = &model->nodes[index];
    info->name = node->name;
    info->op = node->op_name;
    describe_tensor(model, node->output_count > 0 ? node->outputs[0] : GRAPH_NONE, &info->output);
}

size_t bittern_model_initializer_count(const struct bittern_model *model, uint64_t *values)
{
    size_t count = 0;
    *values = 0;
    for (size_t i = 0; i < model->tensor_count; i++) {
        if (model->tensors[i].is_initializer) {
            count++;
            *values += model->tensors[i].count;
        }
    }
    return count;
}
