/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the graph: tensors, and the class interface that each layer family fills in.
 *
 * A family's file (layer_*.c) has its graph_add_... function. That one checks shapes, creates the
 * layer's state, and hands it with the output's shape to graph_add_layer, which makes the output
 * tensor. The graph decides where gradients lie (gradients.c) and calls the classes' functions in
 * order (graph_run.c).
 */
#ifndef BITTERN_TRAIN_GRAPH_LAYER_H
#define BITTERN_TRAIN_GRAPH_LAYER_H

#include "graph/graph.h"

#define GRAPH_NAME_SIZE 80
#define GRAPH_NO_SLOT SIZE_MAX
#define LAYER_INPUTS 2 /* at most */

struct tensor {
    struct backend_tensor value;
    struct backend_tensor gradient; /* data NULL where nothing below has parameters */
    bool needs_gradient;
    bool has_gradient; /* within a backward pass: some reader has written it */
    size_t readers;    /* layers that read it */
    size_t slot;       /* where its gradient lies */
};

struct layer;
struct weights;

struct layer_class {
    enum layer_kind kind;
    bittern_status (*forward)(struct layer *layer, enum graph_mode mode, uint64_t step,
                              struct bittern_error *err);
    /* Overwrites layer->diff[], which may have data NULL: not wanted. */
    bittern_status (*backward)(struct layer *layer, struct bittern_error *err);
    void (*destroy)(struct layer *layer);
    /* Fills in what is special to the kind. */
    void (*describe)(const struct layer *layer, struct layer_info *info);
    bool in_place_gradient; /* backward works where diff[0] and the output's gradient are one */
    /* Batch norm's; NULL elsewhere: */
    void (*begin_statistics)(struct layer *layer);
    void (*end_statistics)(struct layer *layer);
};

struct layer {
    const struct layer_class *class;
    char name[GRAPH_NAME_SIZE];
    struct graph *graph;
    size_t index;
    size_t inputs[LAYER_INPUTS], input_count, output;
    size_t first_parameter, parameter_count;
    /* where backward puts the inputs' gradients: the tensor's own, or a scratch that is added */
    struct backend_tensor diff[LAYER_INPUTS];
    struct weights *weights; /* CONV, FC: belongs to the layer's state; else NULL */
    void *state;
};

/* A piece of memory that gradients of several tensors share, one after the other. */
struct gradient_slot {
    void *data;
    size_t bytes;
    bool busy;
};

struct graph {
    struct backend *backend;
    struct graph_options options;
    size_t ranks;
    bool sealed, trained, finished; /* trained: a GRAPH_TRAIN pass waits for its backward pass */
    size_t statistics_passes;       /* since graph_begin_statistics */

    struct tensor *tensors;
    size_t tensor_count, tensor_capacity;
    struct layer **layers;
    size_t layer_count, layer_capacity;
    struct parameter *parameters;
    size_t parameter_count, parameter_capacity;
    struct graph_buffer *buffers;
    size_t buffer_count, buffer_capacity;

    struct gradient_slot *slots;
    size_t slot_count;
    void
        *scratch[LAYER_INPUTS]; /* gradients that are added to those of earlier readers: by input */

    /* scores in float32 [batch][classes], and their gradient: the last tensor's own memory, or
     * copies where it has another type or layout */
    struct backend_tensor scores, diff_scores;
    struct backend_reorder *to_scores, *from_diff_scores;
};

/* ---- For the layers' files ------------------------------------------------------------------- */

/* Checks what all layers have in common: a new name, inputs that exist, a graph not yet sealed. */
bittern_status graph_check_layer(const struct graph *graph, const char *name, const size_t *inputs,
                                 size_t input_count, struct bittern_error *err);
/* A layer's input; valid until the next tensor is made. */
const struct backend_tensor *graph_value(const struct graph *graph, size_t index);
bool graph_needs_gradient(const struct graph *graph, size_t index);
/* Layout of hidden maps: blocked or channels last. */
enum backend_layout graph_layout(const struct graph *graph);

/* Appends a layer and its output tensor. It takes over state, and frees it (class->destroy) on
 * failure, too. shape: n, c, h, w and layout of the output. */
bittern_status graph_add_layer(struct graph *graph, const struct layer_class *class,
                               const char *name, const size_t *inputs, size_t input_count,
                               const struct backend_tensor *shape, bool has_parameters, void *state,
                               size_t *output, struct layer **layer, struct bittern_error *err);
/* The named parameter "LAYER.SUFFIX" of a layer that was just added. */
bittern_status graph_add_parameter(struct graph *graph, struct layer *layer, const char *suffix,
                                   const struct parameter *parameter, struct bittern_error *err);
bittern_status graph_add_buffer(struct graph *graph, const struct layer *layer, const char *suffix,
                                float *value, size_t count, struct bittern_error *err);

/* Within forward and backward: */
struct backend_tensor *layer_input(const struct layer *layer, size_t which);
struct backend_tensor *layer_output(const struct layer *layer);
const struct backend_tensor *layer_output_gradient(const struct layer *layer);
static inline bool layer_wants(const struct layer *layer, size_t which)
{
    return layer->diff[which].data != NULL;
}

/* Output size of a window: (in + 2 pad - kernel) / stride + 1; false where it does not fit. */
bool graph_window_size(size_t in, size_t kernel, size_t stride, size_t pad, size_t *out);

/* count floats, zeroed and 64-byte aligned; free() releases them. NULL: out of memory. */
float *graph_allocate_floats(size_t count);
static inline bittern_status graph_out_of_memory(const char *name, struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY,
                             "out of memory for layer '%s'; a smaller batch needs less", name);
}

/* ---- gradients.c ----------------------------------------------------------------------------- */

size_t graph_tensor_bytes(const struct backend_tensor *tensor);
/* Gives each tensor that needs one a place for its gradient. */
bittern_status gradients_plan(struct graph *graph, struct bittern_error *err);
void gradients_free(struct graph *graph);

#endif
