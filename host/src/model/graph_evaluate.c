/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation of one node, by its op's group; and of whole models, image by image. The tensors of a
 * model share a few buffers: one is handed on as soon as the last node that reads it has run. All
 * state is the call's own, so that threads may evaluate the same model at once.
 */
#include "model/graph_semantics.h"

#include <stdlib.h>
#include <string.h>

const struct graph_tensor *graph_call_output(const struct graph_call *call, size_t i)
{
    return &call->model->tensors[call->node->outputs[i]];
}

bittern_status graph_evaluate_node(const struct bittern_model *model, const struct graph_node *node,
                                   const double *const *inputs, double *const *outputs,
                                   struct bittern_error *err)
{
    struct graph_call call = {model, node, inputs, outputs, err};
    if (graph_op_is_elementwise(node->op)) {
        return graph_evaluate_elementwise(&call);
    }
    switch (node->op) {
    case GRAPH_CONV:
        return graph_evaluate_conv(&call);
    case GRAPH_GEMM:
        return graph_evaluate_gemm(&call);
    case GRAPH_MATMUL:
        return graph_evaluate_matmul(&call);
    case GRAPH_MAX_POOL:
    case GRAPH_AVERAGE_POOL:
    case GRAPH_GLOBAL_AVERAGE_POOL:
        return graph_evaluate_pool(&call);
    case GRAPH_SOFTMAX:
        return graph_evaluate_softmax(&call);
    case GRAPH_REDUCE_MEAN:
    case GRAPH_REDUCE_MAX:
        return graph_evaluate_reduce(&call);
    case GRAPH_TOP_K:
    case GRAPH_ARG_MAX:
        return graph_evaluate_selection(&call);
    default:
        return graph_evaluate_layout(&call);
    }
}

/* ---- Buffers ----------------------------------------------------------------------------------
 */

struct slot {
    double *values;
    size_t size; /* values it must hold */
    bool is_used;
};

struct run {
    const struct bittern_model *model;
    size_t batch;         /* images that the graph takes at a time */
    size_t *last_readers; /* [tensors]: node, or GRAPH_NONE where nothing reads it */
    size_t *slot_of;      /* [tensors]: GRAPH_NONE for constants and what nobody reads */
    struct slot *slots;
    size_t slot_count;
    const double **inputs; /* of the node that runs */
    double **outputs;
    struct bittern_error *err;
};

/* The smallest free slot that is large enough, else the largest free one, else a new one. */
static size_t take_slot(struct run *run, size_t size)
{
    size_t best = GRAPH_NONE;
    for (size_t i = 0; i < run->slot_count; i++) {
        const struct slot *slot = &run->slots[i];
        if (slot->is_used) {
            continue;
        }
        bool fits = slot->size >= size;
        bool best_fits = best != GRAPH_NONE && run->slots[best].size >= size;
        bool is_smaller = best != GRAPH_NONE && slot->size < run->slots[best].size;
        if (best == GRAPH_NONE || (fits && !best_fits) ||
            (fits == best_fits && is_smaller == fits)) {
            best = i;
        }
    }
    if (best == GRAPH_NONE) {
        best = run->slot_count++;
    }
    struct slot *slot = &run->slots[best];
    slot->size = slot->size < size ? size : slot->size;
    slot->is_used = true;
    return best;
}

static void release_slots(struct run *run, const size_t *tensors, size_t count, size_t node)
{
    for (size_t i = 0; i < count; i++) {
        size_t tensor = tensors[i];
        if (tensor != GRAPH_NONE && run->slot_of[tensor] != GRAPH_NONE &&
            run->last_readers[tensor] == node) {
            run->slots[run->slot_of[tensor]].is_used = false;
        }
    }
}

static void find_last_readers(struct run *run)
{
    const struct bittern_model *model = run->model;
    for (size_t t = 0; t < model->tensor_count; t++) {
        run->last_readers[t] = GRAPH_NONE;
        run->slot_of[t] = GRAPH_NONE;
    }
    for (size_t n = 0; n < model->node_count; n++) {
        const struct graph_node *node = &model->nodes[n];
        for (size_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] != GRAPH_NONE) {
                run->last_readers[node->inputs[i]] = n;
            }
        }
    }
    /* "Read" by a node past the end: never released. */
    run->last_readers[model->output] = model->node_count;
}

static void assign_slots(struct run *run)
{
    const struct bittern_model *model = run->model;
    run->slot_of[model->input] = take_slot(run, model->tensors[model->input].count);
    for (size_t n = 0; n < model->node_count; n++) {
        const struct graph_node *node = &model->nodes[n];
        for (size_t i = 0; i < node->output_count; i++) {
            size_t tensor = node->outputs[i];
            if (tensor != GRAPH_NONE && run->last_readers[tensor] != GRAPH_NONE) {
                run->slot_of[tensor] = take_slot(run, model->tensors[tensor].count);
            }
        }
        release_slots(run, node->inputs, node->input_count, n);
    }
}

static void close_run(struct run *run)
{
    for (size_t i = 0; i < run->slot_count; i++) {
        free(run->slots[i].values);
    }
    free(run->slots);
    free(run->slot_of);
    free(run->last_readers);
    free(run->inputs);
    free(run->outputs);
}

/* To be closed with close_run, also after a failure. */
static bittern_status open_run(struct run *run)
{
    const struct bittern_model *model = run->model;
    size_t most_inputs = 1;
    size_t most_outputs = 1;
    for (size_t n = 0; n < model->node_count; n++) {
        const struct graph_node *node = &model->nodes[n];
        most_inputs = node->input_count > most_inputs ? node->input_count : most_inputs;
        most_outputs = node->output_count > most_outputs ? node->output_count : most_outputs;
    }
    run->last_readers = malloc(model->tensor_count * sizeof *run->last_readers);
    run->slot_of = malloc(model->tensor_count * sizeof *run->slot_of);
    run->slots = calloc(model->tensor_count, sizeof *run->slots);
    run->inputs = calloc(most_inputs, sizeof *run->inputs);
    run->outputs = calloc(most_outputs, sizeof *run->outputs);
    bool is_complete =
        run->last_readers && run->slot_of && run->slots && run->inputs && run->outputs;
    if (is_complete) {
        find_last_readers(run);
        assign_slots(run);
    }
    for (size_t i = 0; is_complete && i < run->slot_count; i++) {
        run->slots[i].values = calloc(run->slots[i].size + 1, sizeof(double));
        is_complete = run->slots[i].values != NULL;
    }
    if (!is_complete) {
        return bittern_error_set(run->err, BITTERN_ERR_MEMORY,
                                 "out of memory for evaluating model '%s'", model->name);
    }
    return BITTERN_OK;
}

static double *slot_values(const struct run *run, size_t tensor)
{
    return run->slot_of[tensor] == GRAPH_NONE ? NULL : run->slots[run->slot_of[tensor]].values;
}

/* ---- Running ----------------------------------------------------------------------------------
 */

struct observer {
    bittern_model_observer call;
    void *user;
    size_t image; /* the batch's first */
    size_t count; /* images of the batch that the caller gave */
};

/* Show one tensor to the observer, image by image. */
static bittern_status observe(const struct run *run, const struct observer *observer, size_t tensor)
{
    const struct graph_tensor *t = &run->model->tensors[tensor];
    struct bittern_tensor_info info = {.name = t->name, .rank = t->rank, .element = t->element};
    for (size_t i = 0; i < t->rank; i++) {
        info.dims[i] = t->dims[i];
    }
    if (run->batch > 1) {
        info.dims[0] = 1;
    }
    const double *values = slot_values(run, tensor);
    for (size_t i = 0; i < observer->count; i++) {
        if (observer->call(observer->user, observer->image + i, &info,
                           values + i * (t->count / run->batch)) != 0) {
            return bittern_error_set(run->err, BITTERN_ERR_CANCELLED,
                                     "stopped at image %zu, tensor '%s'", observer->image + i,
                                     t->name);
        }
    }
    return BITTERN_OK;
}

static bittern_status run_node(struct run *run, const struct graph_node *node)
{
    for (size_t i = 0; i < node->input_count; i++) {
        const struct graph_tensor *tensor = graph_node_input(run->model, node, i);
        run->inputs[i] = tensor == NULL             ? NULL
                         : tensor->constant != NULL ? tensor->constant
                                                    : slot_values(run, node->inputs[i]);
    }
    for (size_t i = 0; i < node->output_count; i++) {
        run->outputs[i] =
            node->outputs[i] == GRAPH_NONE ? NULL : slot_values(run, node->outputs[i]);
    }
    return graph_evaluate_node(run->model, node, run->inputs, run->outputs, run->err);
}

static bittern_status run_batch(struct run *run, const struct observer *observer)
{
    for (size_t n = 0; n < run->model->node_count; n++) {
        const struct graph_node *node = &run->model->nodes[n];
        bittern_status status = run_node(run, node);
        for (size_t i = 0; status == BITTERN_OK && i < node->output_count; i++) {
            if (observer->call != NULL && run->outputs[i] != NULL) {
                status = observe(run, observer, node->outputs[i]);
            }
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* With a batch fixed in the file, every tensor must keep the images apart. */
static bittern_status check_batch(const struct run *run)
{
    const struct bittern_model *model = run->model;
    for (size_t t = 0; t < model->tensor_count; t++) {
        const struct graph_tensor *tensor = &model->tensors[t];
        if (run->batch > 1 && tensor->constant == NULL &&
            (tensor->rank < 1 || (size_t)tensor->dims[0] != run->batch)) {
            return bittern_error_set(
                run->err, BITTERN_ERR_UNSUPPORTED,
                "tensor '%s' of shape %s mixes the %zu images of the batch that the file fixes; "
                "export the model with a batch of 1",
                tensor->name, graph_tensor_print(tensor).text, run->batch);
        }
    }
    return BITTERN_OK;
}

bittern_status bittern_model_evaluate(const struct bittern_model *model, const double *images,
                                      size_t count, bittern_model_observer observer, void *user,
                                      double *output, struct bittern_error *err)
{
    if (!model->finished) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "model '%s' must be finished before it is evaluated", model->name);
    }
    const struct graph_tensor *input = &model->tensors[model->input];
    struct run run = {.model = model, .err = err};
    run.batch = input->rank > 0 ? (size_t)input->dims[0] : 1;
    size_t in_size = input->count / run.batch;
    size_t out_size = model->tensors[model->output].count / run.batch;
    bittern_status status = check_batch(&run);
    if (status == BITTERN_OK) {
        status = open_run(&run);
    }
    for (size_t first = 0; status == BITTERN_OK && first < count; first += run.batch) {
        size_t given = count - first < run.batch ? count - first : run.batch;
        struct observer watch = {observer, user, first, given};
        /* Where a fixed batch is not full, the last image stands in for the missing ones. */
        for (size_t i = 0; i < run.batch; i++) {
            size_t image = first + (i < given ? i : given - 1);
            memcpy(slot_values(&run, model->input) + i * in_size, images + image * in_size,
                   in_size * sizeof *images);
        }
        status = run_batch(&run, &watch);
        if (status == BITTERN_OK && output != NULL) {
            memcpy(output + first * out_size, slot_values(&run, model->output),
                   given * out_size * sizeof *output);
        }
    }
    close_run(&run);
    return status;
}
