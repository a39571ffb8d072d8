/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that give the graph's ops their meaning share: errors that name the node, shape
 * rules by group of ops, and evaluation by group of ops.
 */
#ifndef BITTERN_MODEL_GRAPH_SEMANTICS_H
#define BITTERN_MODEL_GRAPH_SEMANTICS_H

#include "model/graph.h"

/* Elements of all constants that folding may make: FACTOR times what the file's own constants hold,
 * plus BASE, so that a small file cannot ask for much. */
#define GRAPH_FOLD_BASE ((size_t)1 << 20)
#define GRAPH_FOLD_FACTOR 16
/* Multiplications and comparisons of one node that is folded, on top of the same factor. */
#define GRAPH_FOLD_WORK ((size_t)1 << 28)

/* "node 'name' (Op): " and the message. */
bittern_status graph_node_fail(struct bittern_error *err, bittern_status status,
                               const struct graph_node *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __clang_analyzer__
/* The analyzer cannot see that a status that is set is returned as it is. */
#define graph_node_fail(err, status, node, ...)                                                    \
    ((void)(graph_node_fail)((err), (status), (node), __VA_ARGS__), (status))
#endif

/* A shape as text, "[1,3,32,32]". */
struct graph_shape_text {
    char text[BITTERN_MODEL_MAX_RANK * 21 + 3];
};
struct graph_shape_text graph_shape_print(const int64_t *dims, size_t rank);
struct graph_shape_text graph_tensor_print(const struct graph_tensor *tensor);

bool graph_element_is_integer(enum bittern_element element);
/* Smallest and largest integer of the type, cut to +-2^53, beyond which float64 is not exact. */
void graph_element_range(enum bittern_element element, double *low, double *high);

/* An axis that may count from the end; false where it is outside of -rank..rank-1. */
bool graph_resolve_axis(int64_t axis, size_t rank, size_t *resolved);
/* Product of dims[from..to-1]; of a tensor's own dims, so that it cannot overflow. */
size_t graph_count(const int64_t *dims, size_t from, size_t to);

/* ---- Shapes (graph_infer.c, graph_shape*.c) ---------------------------------------------------
 */

struct graph_shape {
    int64_t dims[BITTERN_MODEL_MAX_RANK];
    size_t rank;
};

/* Work out the shape of every output; shapes[i] of output i, and its element type. */
#define GRAPH_MAX_OUTPUTS 2
struct graph_inferred {
    struct graph_shape shapes[GRAPH_MAX_OUTPUTS];
    enum bittern_element elements[GRAPH_MAX_OUTPUTS];
};
bittern_status graph_infer_shapes(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err);
/* Those of ops that move values without computing; graph_infer_shapes calls it. */
bittern_status graph_infer_layout(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err);

/* Those of REDUCE_MEAN and REDUCE_MAX (graph_reduce.c). */
bittern_status graph_infer_reduce(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_inferred *inferred, struct bittern_error *err);

/* ONNX's multidirectional broadcasting; false where the shapes do not fit. */
bool graph_broadcast(const struct graph_shape *a, const struct graph_shape *b,
                     struct graph_shape *result);

/* Integers of a constant input (e.g. pads, axes); an error where it is computed or no integer. */
#define GRAPH_MAX_INTEGERS 64
struct graph_integers {
    int64_t values[GRAPH_MAX_INTEGERS];
    size_t count;
    bool present;
};
bittern_status graph_node_integers(const struct bittern_model *model, const struct graph_node *node,
                                   size_t input, const char *what, struct graph_integers *integers,
                                   struct bittern_error *err);

/* Begin, step and length of a Slice for each axis of its input. */
struct graph_slice {
    int64_t begin[BITTERN_MODEL_MAX_RANK], step[BITTERN_MODEL_MAX_RANK];
    int64_t length[BITTERN_MODEL_MAX_RANK];
};
bittern_status graph_node_slice(const struct bittern_model *model, const struct graph_node *node,
                                struct graph_slice *slice, struct bittern_error *err);
/* Padding before and after each axis; all >= 0. */
struct graph_padding {
    int64_t before[BITTERN_MODEL_MAX_RANK], after[BITTERN_MODEL_MAX_RANK];
};
bittern_status graph_node_padding(const struct bittern_model *model, const struct graph_node *node,
                                  struct graph_padding *padding, struct bittern_error *err);
/* Output axis i of a Transpose is input axis perm[i]; false where `perm` is no permutation. */
bool graph_node_perm(const struct graph_node *node, size_t rank, size_t *perm);
/* The axes, start to end - 1, whose sizes a Shape gives. */
void graph_node_shape_range(const struct graph_node *node, size_t rank, size_t *start, size_t *end);
/* TOP_K's k; its axis. */
bittern_status graph_node_top_k(const struct bittern_model *model, const struct graph_node *node,
                                size_t *axis, size_t *k, struct bittern_error *err);

/* ---- Elementwise ops --------------------------------------------------------------------------
 */

bool graph_op_is_elementwise(enum graph_op op);
/* Which of the node's inputs holds each parameter of its function; 0: none (0 is x itself). */
void graph_parameter_inputs(const struct graph_node *node,
                            unsigned char inputs[GRAPH_FUNCTION_PARAMETERS]);
/* QONNX's name of a rounding mode, in upper or lower case; false where there is none of it. */
bool graph_rounding_find(const char *name, enum graph_rounding *rounding);
/* The axis along which a MULTI_THRESHOLD's rows of thresholds go, for an input of `rank`. */
size_t graph_multi_threshold_axis(const struct graph_node *node, size_t rank);

/* ---- Values, by group of ops ------------------------------------------------------------------
 */

/* One node's evaluation: tensors and values of its inputs and outputs, NULL where left out. */
struct graph_call {
    const struct bittern_model *model;
    const struct graph_node *node;
    const double *const *inputs;
    double *const *outputs;
    struct bittern_error *err;
};
const struct graph_tensor *graph_call_output(const struct graph_call *call, size_t i);

bittern_status graph_evaluate_elementwise(const struct graph_call *call);
bittern_status graph_evaluate_layout(const struct graph_call *call);
bittern_status graph_evaluate_conv(const struct graph_call *call);
bittern_status graph_evaluate_gemm(const struct graph_call *call);
bittern_status graph_evaluate_matmul(const struct graph_call *call);
bittern_status graph_evaluate_pool(const struct graph_call *call);
bittern_status graph_evaluate_reduce(const struct graph_call *call);
bittern_status graph_evaluate_softmax(const struct graph_call *call);
bittern_status graph_evaluate_selection(const struct graph_call *call); /* TOP_K, ARG_MAX */

/* Copy a block of dims[0] x ... x dims[rank-1] values between arrays with these strides. */
void graph_copy_block(size_t rank, const int64_t *dims, const double *source,
                      const int64_t *source_strides, double *target, const int64_t *target_strides);
/* Strides of a dense tensor of these dims, last axis first. */
void graph_dense_strides(const int64_t *dims, size_t rank, int64_t *strides);

#endif
