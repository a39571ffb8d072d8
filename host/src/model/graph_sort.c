/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order the nodes so that each follows its inputs, and drop what the output does not need.
 *
 * Three steps: mark the nodes that the output depends on; order these (Kahn's algorithm, which
 * leaves a graph that is in order as it is); then move nodes and tensors into their new places.
 * Nothing of the graph changes before the last step, so that a failed sort leaves it as it was.
 */
#include "model/graph.h"

#include <stdlib.h>
#include <string.h>

struct sort {
    struct bittern_model *model;
    bool *node_lives; /* [node_count] */
    size_t *order;    /* [node_count]: old numbers of living nodes in their new order */
    size_t order_count;
    size_t living;          /* number of living nodes */
    size_t *waiting;        /* [node_count]: inputs whose producers are not ordered yet */
    size_t *first_consumer; /* [tensor_count + 1]: where a tensor's consumers start */
    size_t *consumers;      /* [all inputs]: node numbers */
};

static bool allocate(struct sort *sort)
{
    size_t nodes = sort->model->node_count;
    size_t inputs = 0;
    for (size_t n = 0; n < nodes; n++) {
        inputs += sort->model->nodes[n].input_count;
    }
    sort->node_lives = calloc(nodes + 1, sizeof *sort->node_lives);
    sort->order = calloc(nodes + 1, sizeof *sort->order);
    sort->waiting = calloc(nodes + 1, sizeof *sort->waiting);
    sort->first_consumer = calloc(sort->model->tensor_count + 2, sizeof *sort->first_consumer);
    sort->consumers = calloc(inputs + 1, sizeof *sort->consumers);
    return sort->node_lives && sort->order && sort->waiting && sort->first_consumer &&
           sort->consumers;
}

static size_t producer_of(const struct bittern_model *model, size_t tensor)
{
    if (tensor == GRAPH_NONE || model->tensors[tensor].constant) {
        return GRAPH_NONE; /* a folded tensor no longer needs its producer */
    }
    return model->tensors[tensor].producer;
}

static bool has_source(const struct bittern_model *model, size_t tensor)
{
    const struct graph_tensor *t = &model->tensors[tensor];
    return t->constant || t->producer != GRAPH_NONE || tensor == model->input;
}

/* Walk back from the output; `order` serves as the stack of nodes whose inputs are to be seen. */
static bittern_status mark_living(struct sort *sort, struct bittern_error *err)
{
    const struct bittern_model *model = sort->model;
    size_t depth = 0;
    if (!has_source(model, model->output)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the graph's output '%s' is made by no node",
                                 model->tensors[model->output].name);
    }
    size_t last = producer_of(model, model->output);
    if (last != GRAPH_NONE) {
        sort->node_lives[last] = true;
        sort->order[depth++] = last;
    }
    while (depth > 0) {
        const struct graph_node *node = &model->nodes[sort->order[--depth]];
        sort->living++;
        for (size_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == GRAPH_NONE) {
                continue;
            }
            if (!has_source(model, node->inputs[i])) {
                return bittern_error_set(
                    err, BITTERN_ERR_FORMAT,
                    "node '%s' (%s) reads '%s', which is no input, initializer or node's output",
                    node->name, node->op_name, model->tensors[node->inputs[i]].name);
            }
            size_t producer = producer_of(model, node->inputs[i]);
            if (producer != GRAPH_NONE && !sort->node_lives[producer]) {
                sort->node_lives[producer] = true;
                sort->order[depth++] = producer;
            }
        }
    }
    return BITTERN_OK;
}

static bool is_in_order(const struct sort *sort)
{
    const struct bittern_model *model = sort->model;
    for (size_t n = 0; n < model->node_count; n++) {
        for (size_t i = 0; sort->node_lives[n] && i < model->nodes[n].input_count; i++) {
            size_t producer = producer_of(model, model->nodes[n].inputs[i]);
            if (producer != GRAPH_NONE && producer >= n) {
                return false;
            }
        }
    }
    return true;
}

/* Lists of consumers, tensor by tensor: count, sum up, fill in. */
static void list_consumers(struct sort *sort)
{
    const struct bittern_model *model = sort->model;
    size_t *first = sort->first_consumer;
    for (int fill = 0; fill < 2; fill++) {
        for (size_t n = 0; n < model->node_count; n++) {
            for (size_t i = 0; sort->node_lives[n] && i < model->nodes[n].input_count; i++) {
                size_t tensor = model->nodes[n].inputs[i];
                if (producer_of(model, tensor) == GRAPH_NONE) {
                    continue;
                }
                if (fill) {
                    sort->consumers[first[tensor + 1]++] = n;
                } else {
                    first[tensor + 2]++;
                    sort->waiting[n]++;
                }
            }
        }
        for (size_t t = 0; !fill && t < model->tensor_count; t++) {
            first[t + 2] += first[t + 1];
        }
    }
}

/* A node on a cycle: of nodes that wait for ever, each has an input from another such node, so
 * walking back along these for as many steps as there are nodes ends on a cycle. */
static bittern_status cycle_error(const struct sort *sort, struct bittern_error *err)
{
    const struct bittern_model *model = sort->model;
    size_t at = 0;
    while (!sort->node_lives[at] || sort->waiting[at] == 0) {
        at++;
    }
    for (size_t step = 0; step < model->node_count; step++) {
        for (size_t i = 0; i < model->nodes[at].input_count; i++) {
            size_t producer = producer_of(model, model->nodes[at].inputs[i]);
            if (producer != GRAPH_NONE && sort->waiting[producer] > 0) {
                at = producer;
                break;
            }
        }
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "the graph has a cycle: node '%s' (%s) depends on its own output",
                             model->nodes[at].name, model->nodes[at].op_name);
}

static bittern_status order_nodes(struct sort *sort, struct bittern_error *err)
{
    const struct bittern_model *model = sort->model;
    bool in_order = is_in_order(sort);
    if (!in_order) {
        list_consumers(sort);
    }
    for (size_t n = 0; n < model->node_count; n++) {
        if (sort->node_lives[n] && sort->waiting[n] == 0) {
            sort->order[sort->order_count++] = n;
        }
    }
    for (size_t done = 0; !in_order && done < sort->order_count; done++) {
        const struct graph_node *node = &model->nodes[sort->order[done]];
        for (size_t o = 0; o < node->output_count; o++) {
            size_t tensor = node->outputs[o];
            if (tensor == GRAPH_NONE) {
                continue;
            }
            for (size_t c = sort->first_consumer[tensor]; c < sort->first_consumer[tensor + 1];
                 c++) {
                if (--sort->waiting[sort->consumers[c]] == 0) {
                    sort->order[sort->order_count++] = sort->consumers[c];
                }
            }
        }
    }
    return sort->order_count == sort->living ? BITTERN_OK : cycle_error(sort, err);
}

static bittern_status move_nodes(struct sort *sort, struct bittern_error *err)
{
    struct bittern_model *model = sort->model;
    struct graph_node *nodes = calloc(sort->order_count + 1, sizeof *nodes);
    if (!nodes) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for sorting the graph");
    }
    for (size_t n = 0; n < sort->order_count; n++) {
        nodes[n] = model->nodes[sort->order[n]];
    }
    for (size_t n = 0; n < model->node_count; n++) {
        if (!sort->node_lives[n]) {
            graph_node_free(&model->nodes[n]);
        }
    }
    free(model->nodes);
    model->nodes = nodes;
    model->node_count = sort->order_count;
    model->node_capacity = sort->order_count + 1;
    return BITTERN_OK;
}

/* Renumber a node's tensors and mark these as used; a use is a new number + 1. */
static void renumber(size_t *tensors, size_t count, const size_t *numbers)
{
    for (size_t i = 0; i < count; i++) {
        tensors[i] = tensors[i] == GRAPH_NONE ? GRAPH_NONE : numbers[tensors[i]] - 1;
    }
}

static void mark_used(const size_t *tensors, size_t count, size_t *numbers)
{
    for (size_t i = 0; i < count; i++) {
        if (tensors[i] != GRAPH_NONE) {
            numbers[tensors[i]] = 1;
        }
    }
}

/* Keep the tensors that living nodes, the input or the output use; first_consumer, which is no
 * longer needed, takes their new numbers. */
static bittern_status move_tensors(struct sort *sort, struct bittern_error *err)
{
    struct bittern_model *model = sort->model;
    size_t *numbers = sort->first_consumer;
    size_t kept = 0;
    memset(numbers, 0, (model->tensor_count + 2) * sizeof *numbers);
    for (size_t n = 0; n < model->node_count; n++) {
        mark_used(model->nodes[n].inputs, model->nodes[n].input_count, numbers);
        mark_used(model->nodes[n].outputs, model->nodes[n].output_count, numbers);
    }
    mark_used(&model->input, 1, numbers);
    mark_used(&model->output, 1, numbers);
    for (size_t t = 0; t < model->tensor_count; t++) {
        if (numbers[t] == 0) {
            free(model->tensors[t].name);
            free(model->tensors[t].constant);
            continue;
        }
        model->tensors[kept] = model->tensors[t];
        model->tensors[kept].producer = GRAPH_NONE;
        numbers[t] = ++kept;
    }
    model->tensor_count = kept;
    renumber(&model->input, 1, numbers);
    renumber(&model->output, 1, numbers);
    for (size_t n = 0; n < model->node_count; n++) {
        struct graph_node *node = &model->nodes[n];
        renumber(node->inputs, node->input_count, numbers);
        renumber(node->outputs, node->output_count, numbers);
        for (size_t o = 0; o < node->output_count; o++) {
            if (node->outputs[o] != GRAPH_NONE && !model->tensors[node->outputs[o]].constant) {
                model->tensors[node->outputs[o]].producer = n;
            }
        }
    }
    return graph_index_names(model, err);
}

bittern_status graph_sort(struct bittern_model *model, struct bittern_error *err)
{
    struct sort sort = {.model = model};
    bittern_status status = BITTERN_OK;
    if (model->output == GRAPH_NONE) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "the graph has no output");
    }
    if (!allocate(&sort)) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for sorting the graph");
        goto cleanup;
    }
    status = mark_living(&sort, err);
    if (status == BITTERN_OK) {
        status = order_nodes(&sort, err);
    }
    if (status == BITTERN_OK) {
        status = move_nodes(&sort, err);
    }
    if (status == BITTERN_OK) {
        status = move_tensors(&sort, err);
    }
cleanup:
    free(sort.node_lives);
    free(sort.order);
    free(sort.waiting);
    free(sort.first_consumer);
    free(sort.consumers);
    return status;
}
