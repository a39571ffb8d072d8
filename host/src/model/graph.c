/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph's memory: tensors with a hash table of their names, nodes, and attributes.
 *
 * A tensor gets its number when its name is first seen, as a node's input or output, an initializer
 * or the graph's input, in whatever order these come. Each tensor has at most one source (SSA): a
 * producer, a constant, or the caller as the graph's input.
 */
#include "model/graph.h"

#include "base/checked.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOT_COUNT 64 /* a power of two */
#define FIRST_CAPACITY 16

static bittern_status out_of_memory(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the model's graph");
}

/* ---- Tensors and their names ----------------------------------------------------------------- */

/* FNV-1a, 64 bits. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        hash = (hash ^ *c) * UINT64_C(0x100000001b3);
    }
    return hash ^ (hash >> 32);
}

/* The slot of that name, or the free one where it belongs. */
static size_t find_slot(const struct bittern_model *model, const char *name)
{
    size_t mask = model->name_slot_count - 1;
    size_t slot = (size_t)hash_name(name) & mask;
    while (model->name_slots[slot] != 0 &&
           strcmp(model->tensors[model->name_slots[slot] - 1].name, name) != 0) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* At least twice as many slots as tensors, so that a search ends soon. */
static bittern_status resize_slots(struct bittern_model *model, size_t slot_count,
                                   struct bittern_error *err)
{
    size_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots) {
        return out_of_memory(err);
    }
    free(model->name_slots);
    model->name_slots = slots;
    model->name_slot_count = slot_count;
    for (size_t i = 0; i < model->tensor_count; i++) {
        slots[find_slot(model, model->tensors[i].name)] = i + 1;
    }
    return BITTERN_OK;
}

bittern_status graph_index_names(struct bittern_model *model, struct bittern_error *err)
{
    size_t slot_count = FIRST_SLOT_COUNT;
    while (slot_count / 2 < model->tensor_count) {
        slot_count *= 2;
    }
    return resize_slots(model, slot_count, err);
}

size_t graph_find_tensor(const struct bittern_model *model, const char *name)
{
    if (model->name_slot_count == 0) {
        return GRAPH_NONE;
    }
    size_t entry = model->name_slots[find_slot(model, name)];
    return entry == 0 ? GRAPH_NONE : entry - 1;
}

/* Room for one more element: the array, grown to twice its size where it is full. */
static void *grow(void *array, size_t count, size_t *capacity, size_t element_size)
{
    size_t bytes;
    size_t wanted = *capacity == 0 ? FIRST_CAPACITY : *capacity * 2;
    if (count < *capacity) {
        return array;
    }
    if (!checked_mul_size(wanted, element_size, &bytes)) {
        return NULL;
    }
    void *larger = realloc(array, bytes);
    if (larger) {
        *capacity = wanted;
    }
    return larger;
}

bittern_status graph_add_tensor(struct bittern_model *model, const char *name, size_t *tensor,
                                struct bittern_error *err)
{
    *tensor = graph_find_tensor(model, name);
    if (*tensor != GRAPH_NONE) {
        return BITTERN_OK;
    }
    if (model->tensor_count + 1 > model->name_slot_count / 2) {
        size_t slot_count =
            model->name_slot_count == 0 ? FIRST_SLOT_COUNT : model->name_slot_count * 2;
        bittern_status status = resize_slots(model, slot_count, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    struct graph_tensor *tensors =
        grow(model->tensors, model->tensor_count, &model->tensor_capacity, sizeof *tensors);
    if (!tensors) {
        return out_of_memory(err);
    }
    model->tensors = tensors;
    char *copy = strdup(name);
    if (!copy) {
        return out_of_memory(err);
    }
    *tensor = model->tensor_count;
    model->name_slots[find_slot(model, name)] = *tensor + 1;
    tensors[model->tensor_count++] = (struct graph_tensor){
        .name = copy, .element = BITTERN_ELEMENT_FLOAT, .producer = GRAPH_NONE};
    return BITTERN_OK;
}

bittern_status graph_add_unique_tensor(struct bittern_model *model, const char *stem,
                                       size_t *tensor, struct bittern_error *err)
{
    size_t room = strlen(stem) + 32;
    char *name = malloc(room);
    if (!name) {
        return out_of_memory(err);
    }
    size_t number = model->tensor_count;
    do {
        (void)snprintf(name, room, "%s_%zu", stem, number++);
    } while (graph_find_tensor(model, name) != GRAPH_NONE);
    bittern_status status = graph_add_tensor(model, name, tensor, err);
    free(name);
    return status;
}

bittern_status graph_set_shape(struct graph_tensor *tensor, const int64_t *dims, size_t rank,
                               struct bittern_error *err)
{
    size_t count = 1;
    if (rank > BITTERN_MODEL_MAX_RANK) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "tensor '%s' has %zu dimensions; at most %d are supported",
                                 tensor->name, rank, BITTERN_MODEL_MAX_RANK);
    }
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "tensor '%s': dimension %zu is negative (%" PRId64 ")",
                                     tensor->name, i, dims[i]);
        }
        /* A zero among the dims must not hide an overflow of the others. */
        size_t factor = dims[i] == 0 ? 1 : (size_t)dims[i];
        if (!checked_mul_size(count, factor, &count) || count > GRAPH_MAX_ELEMENTS) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "tensor '%s' has more than %zu elements", tensor->name,
                                     GRAPH_MAX_ELEMENTS);
        }
    }
    for (size_t i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        count = dims[i] == 0 ? 0 : count;
    }
    tensor->rank = rank;
    tensor->count = count;
    tensor->has_shape = true;
    return BITTERN_OK;
}

/* A tensor may have one source only. */
static bittern_status check_no_source(const struct bittern_model *model, size_t tensor,
                                      struct bittern_error *err)
{
    const struct graph_tensor *t = &model->tensors[tensor];
    const char *source = t->constant                 ? "an initializer"
                         : t->producer != GRAPH_NONE ? "a node's output"
                         : tensor == model->input    ? "the graph's input"
                                                     : NULL;
    if (!source) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "tensor '%s' is defined twice: it is %s already", t->name, source);
}

bittern_status graph_add_constant(struct bittern_model *model, const char *name,
                                  enum bittern_element element, const int64_t *dims, size_t rank,
                                  double *values, size_t *tensor, struct bittern_error *err)
{
    bittern_status status = graph_add_tensor(model, name, tensor, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = check_no_source(model, *tensor, err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct graph_tensor *t = &model->tensors[*tensor];
    status = graph_set_shape(t, dims, rank, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (isnan(values[i])) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "constant '%s' holds NaN (element %zu)", name, i);
        }
    }
    t->element = element;
    t->constant = values;
    t->is_initializer = true;
    return BITTERN_OK;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

/* Numbers for a list of names, "" giving GRAPH_NONE. */
static bittern_status number_names(struct bittern_model *model, const char *const *names,
                                   size_t count, size_t *numbers, struct bittern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = GRAPH_NONE;
        if (names[i][0] != '\0') {
            bittern_status status = graph_add_tensor(model, names[i], &numbers[i], err);
            if (status != BITTERN_OK) {
                return status;
            }
        }
    }
    return BITTERN_OK;
}

static char *node_name(const struct graph_node_description *description, size_t number)
{
    char *name = NULL;
    if (description->name && description->name[0] != '\0') {
        return strdup(description->name);
    }
    return asprintf(&name, "%s_%zu", description->op, number) < 0 ? NULL : name;
}

static bittern_status fill_node(struct bittern_model *model, struct graph_node *node,
                                const struct graph_node_description *description,
                                struct bittern_error *err)
{
    node->op = graph_op_find(description->domain, description->op);
    node->op_name = strdup(description->op);
    node->domain = strdup(description->domain);
    node->name = node_name(description, model->node_count);
    node->inputs = calloc(description->input_count + 1, sizeof *node->inputs);
    node->outputs = calloc(description->output_count + 1, sizeof *node->outputs);
    if (!node->op_name || !node->domain || !node->name || !node->inputs || !node->outputs) {
        return out_of_memory(err);
    }
    node->input_count = description->input_count;
    node->output_count = description->output_count;
    bittern_status status =
        number_names(model, description->inputs, node->input_count, node->inputs, err);
    if (status == BITTERN_OK) {
        status = number_names(model, description->outputs, node->output_count, node->outputs, err);
    }
    return status;
}

bittern_status graph_add_node(struct bittern_model *model,
                              const struct graph_node_description *description,
                              struct graph_node **node, struct bittern_error *err)
{
    struct graph_node added = {0};
    size_t claimed = 0;
    struct graph_node *nodes =
        grow(model->nodes, model->node_count, &model->node_capacity, sizeof *nodes);
    if (!nodes) {
        return out_of_memory(err);
    }
    model->nodes = nodes;
    bittern_status status = fill_node(model, &added, description, err);
    for (; status == BITTERN_OK && claimed < added.output_count; claimed++) {
        size_t output = added.outputs[claimed];
        if (output == GRAPH_NONE) {
            continue;
        }
        status = check_no_source(model, output, err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "node '%s' (%s)", added.name, added.op_name);
            break;
        }
        model->tensors[output].producer = model->node_count;
    }
    if (status != BITTERN_OK) {
        for (size_t i = 0; i < claimed; i++) {
            if (added.outputs[i] != GRAPH_NONE) {
                model->tensors[added.outputs[i]].producer = GRAPH_NONE;
            }
        }
        graph_node_free(&added);
        return status;
    }
    nodes[model->node_count] = added;
    *node = &nodes[model->node_count++];
    return BITTERN_OK;
}

bittern_status graph_node_set_input(struct graph_node *node, size_t i, size_t tensor,
                                    struct bittern_error *err)
{
    if (i >= node->input_count) {
        size_t *inputs = realloc(node->inputs, (i + 1) * sizeof *inputs);
        if (!inputs) {
            return out_of_memory(err);
        }
        node->inputs = inputs;
        while (node->input_count <= i) {
            inputs[node->input_count++] = GRAPH_NONE;
        }
    }
    node->inputs[i] = tensor;
    return BITTERN_OK;
}

const struct graph_tensor *graph_node_input(const struct bittern_model *model,
                                            const struct graph_node *node, size_t i)
{
    if (i >= node->input_count || node->inputs[i] == GRAPH_NONE) {
        return NULL;
    }
    return &model->tensors[node->inputs[i]];
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static void free_attribute(struct graph_attribute *attribute)
{
    free(attribute->name);
    free(attribute->s);
    free(attribute->ints);
    free(attribute->floats);
}

static bool copy_attribute(struct graph_attribute *copy, const struct bittern_attribute *from)
{
    *copy = (struct graph_attribute){
        .name = strdup(from->name), .kind = from->kind, .i = from->i, .f = from->f};
    if (!copy->name) {
        return false;
    }
    switch (from->kind) {
    case BITTERN_ATTRIBUTE_INT:
    case BITTERN_ATTRIBUTE_FLOAT:
        return true;
    case BITTERN_ATTRIBUTE_STRING:
        copy->s = strdup(from->s);
        return copy->s != NULL;
    case BITTERN_ATTRIBUTE_INTS:
        copy->count = from->count;
        copy->ints = calloc(from->count + 1, sizeof *copy->ints);
        for (size_t i = 0; copy->ints && i < from->count; i++) {
            copy->ints[i] = from->ints[i];
        }
        return copy->ints != NULL;
    case BITTERN_ATTRIBUTE_FLOATS:
        copy->count = from->count;
        copy->floats = calloc(from->count + 1, sizeof *copy->floats);
        for (size_t i = 0; copy->floats && i < from->count; i++) {
            copy->floats[i] = from->floats[i];
        }
        return copy->floats != NULL;
    }
    return false;
}

static bool holds_nan(const struct bittern_attribute *attribute)
{
    if (attribute->kind == BITTERN_ATTRIBUTE_FLOAT) {
        return isnan(attribute->f);
    }
    for (size_t i = 0; attribute->kind == BITTERN_ATTRIBUTE_FLOATS && i < attribute->count; i++) {
        if (isnan(attribute->floats[i])) {
            return true;
        }
    }
    return false;
}

bittern_status graph_node_add_attribute(struct graph_node *node,
                                        const struct bittern_attribute *attribute,
                                        struct bittern_error *err)
{
    struct graph_attribute copy;
    if (graph_node_attribute(node, attribute->name)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "node '%s' (%s) has two attributes '%s'",
                                 node->name, node->op_name, attribute->name);
    }
    if (holds_nan(attribute)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "node '%s' (%s): attribute '%s' is NaN",
                                 node->name, node->op_name, attribute->name);
    }
    struct graph_attribute *attributes =
        realloc(node->attributes, (node->attribute_count + 1) * sizeof *attributes);
    if (!attributes) {
        return out_of_memory(err);
    }
    node->attributes = attributes;
    if (!copy_attribute(&copy, attribute)) {
        free_attribute(&copy);
        return out_of_memory(err);
    }
    attributes[node->attribute_count++] = copy;
    return BITTERN_OK;
}

void graph_node_remove_attribute(struct graph_node *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++) {
        if (strcmp(node->attributes[i].name, name) == 0) {
            free_attribute(&node->attributes[i]);
            node->attribute_count--;
            memmove(&node->attributes[i], &node->attributes[i + 1],
                    (node->attribute_count - i) * sizeof *node->attributes);
            return;
        }
    }
}

const struct graph_attribute *graph_node_attribute(const struct graph_node *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++) {
        if (strcmp(node->attributes[i].name, name) == 0) {
            return &node->attributes[i];
        }
    }
    return NULL;
}

int64_t graph_node_int(const struct graph_node *node, const char *name, int64_t fallback)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, name);
    return attribute && attribute->kind == BITTERN_ATTRIBUTE_INT ? attribute->i : fallback;
}

double graph_node_float(const struct graph_node *node, const char *name, double fallback)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, name);
    return attribute && attribute->kind == BITTERN_ATTRIBUTE_FLOAT ? attribute->f : fallback;
}

const char *graph_node_string(const struct graph_node *node, const char *name, const char *fallback)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, name);
    return attribute && attribute->kind == BITTERN_ATTRIBUTE_STRING ? attribute->s : fallback;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

bittern_status graph_create(const char *name, int64_t opset, struct bittern_model **model,
                            struct bittern_error *err)
{
    *model = calloc(1, sizeof **model);
    char *copy = strdup(name);
    if (!*model || !copy) {
        free(*model);
        free(copy);
        *model = NULL;
        return out_of_memory(err);
    }
    (*model)->name = copy;
    (*model)->opset = (*model)->node_opset = opset;
    (*model)->input = (*model)->output = GRAPH_NONE;
    return BITTERN_OK;
}

void graph_node_free(struct graph_node *node)
{
    for (size_t i = 0; i < node->attribute_count; i++) {
        free_attribute(&node->attributes[i]);
    }
    free(node->attributes);
    free(node->inputs);
    free(node->outputs);
    free(node->op_name);
    free(node->domain);
    free(node->name);
}

void bittern_model_free(struct bittern_model *model)
{
    if (!model) {
        return;
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        free(model->tensors[i].name);
        free(model->tensors[i].constant);
    }
    for (size_t i = 0; i < model->node_count; i++) {
        graph_node_free(&model->nodes[i]);
    }
    for (size_t i = 0; i < model->metadata_count; i++) {
        free(model->metadata[i].key);
        free(model->metadata[i].value);
    }
    free(model->tensors);
    free(model->nodes);
    free(model->metadata);
    free(model->name_slots);
    free(model->name);
    free(model);
}
