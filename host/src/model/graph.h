/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph behind a struct bittern_model, as the library's own modules see it.
 *
 * A graph passes through four stages. The reader or the builder adds tensors and nodes in any order
 * (graph.c); graph_sort orders them and drops what the output does not need; graph_normalize
 * checks every node against the table of ops (graph_ops.c) and brings it to one form whatever its
 * opset; graph_infer_and_fold gives every tensor a shape and computes the constant parts.
 *
 * Tensors are numbered; nodes refer to them by number. Constants hold float64 whatever their
 * element type was. After bittern_model_finish the nodes are in the order of evaluation, every
 * tensor that is reached has a shape, each node has at least one input that depends on the graph's
 * input (the rest was folded into constants), and only ops of `enum graph_op` are left.
 */
#ifndef BITTERN_MODEL_GRAPH_H
#define BITTERN_MODEL_GRAPH_H

#include <bittern/model.h>

#define GRAPH_NONE SIZE_MAX /* an optional input that is left out */

/* No tensor may have more elements than this; VGG-16's largest, the largest that we expect, has
 * 103 million. It bounds what a hostile shape can make us allocate. */
#define GRAPH_MAX_ELEMENTS ((size_t)1 << 28)

/*
 * Ops, and what graph_normalize promises about them. Optional inputs may be left out (GRAPH_NONE,
 * or a shorter list), no output is: each op has one output, TopK two. Attributes have the kind that
 * ONNX gives them, and no unknown ones are left on ONNX's own ops.
 */
enum graph_op {
    GRAPH_UNKNOWN = 0,
    GRAPH_CONV,
    GRAPH_GEMM,
    GRAPH_MATMUL,
    GRAPH_ADD,
    GRAPH_SUB,
    GRAPH_MUL,
    GRAPH_DIV,
    GRAPH_NEG,
    GRAPH_BATCH_NORM, /* training_mode is 0 */
    GRAPH_RELU,
    GRAPH_SIGN,
    GRAPH_FLOOR,
    GRAPH_CEIL,
    GRAPH_ROUND, /* half to even */
    GRAPH_CLIP,  /* inputs x, min?, max?; HardTanh is one with constants */
    GRAPH_MAX_POOL,
    GRAPH_AVERAGE_POOL,
    GRAPH_GLOBAL_AVERAGE_POOL,
    GRAPH_FLATTEN,
    GRAPH_RESHAPE,
    GRAPH_TRANSPOSE,
    GRAPH_PAD,      /* inputs x, pads, value?, axes?; mode is "constant" */
    GRAPH_IDENTITY, /* also Dropout at inference: op_name says Identity then */
    GRAPH_SOFTMAX,  /* also LogSoftmax (op_name tells); attribute axis is always there */
    GRAPH_TOP_K,    /* inputs x, k; outputs values, indices */
    GRAPH_ARG_MAX,
    GRAPH_QUANT,
    GRAPH_BIPOLAR_QUANT,
    GRAPH_MULTI_THRESHOLD,
    GRAPH_TRUNC,
    /* Arithmetic of constants, and of shapes: folded away, never left after bittern_model_finish.
     */
    GRAPH_ABS,
    GRAPH_POW,
    GRAPH_RECIPROCAL,
    GRAPH_SQRT,
    GRAPH_REDUCE_MEAN, /* inputs x, axes? */
    GRAPH_REDUCE_MAX,  /* likewise */
    GRAPH_SHAPE,
    GRAPH_GATHER,
    GRAPH_SLICE,     /* inputs x, starts, ends, axes?, steps? */
    GRAPH_SQUEEZE,   /* inputs x, axes? */
    GRAPH_UNSQUEEZE, /* inputs x, axes */
    GRAPH_CONCAT,
    GRAPH_CONSTANT,          /* graph_normalize makes its output a constant tensor: none is left */
    GRAPH_CONSTANT_OF_SHAPE, /* value in attribute value_int or value_float */
    GRAPH_CAST,
    GRAPH_OP_COUNT
};

struct graph_attribute {
    char *name;
    enum bittern_attribute_kind kind;
    int64_t i;
    double f;
    char *s;
    int64_t *ints;
    double *floats;
    size_t count; /* of ints or floats */
};

struct graph_tensor {
    char *name;
    enum bittern_element element;
    bool has_shape;
    size_t rank;
    int64_t dims[BITTERN_MODEL_MAX_RANK]; /* >= 0; the batch is 1 where the file leaves it open */
    size_t count;                         /* product of dims, checked */
    double *constant;                     /* [count]; NULL: computed from the graph's input */
    size_t producer;                      /* node, or GRAPH_NONE for inputs and initializers */
    bool is_initializer;                  /* written as such */
};

struct graph_node {
    enum graph_op op;
    char *op_name; /* as in the file */
    char *domain;
    char *name; /* never empty: made up from op and number where the file has none */
    size_t *inputs;
    size_t input_count;
    size_t *outputs;
    size_t output_count;
    struct graph_attribute *attributes;
    size_t attribute_count;
};

struct graph_metadata {
    char *key, *value;
};

struct bittern_model {
    char *name;
    int64_t opset;      /* of ONNX's own domain, as in the file */
    int64_t node_opset; /* the one whose form the nodes have: at least 13 once normalized */
    bool finished;
    bool batch_is_open; /* the file leaves the input's dims[0] open */
    struct graph_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    size_t *name_slots; /* hash table of tensors by name: number + 1, or 0 for a free slot */
    size_t name_slot_count;
    struct graph_node *nodes;
    size_t node_count, node_capacity;
    size_t input;  /* tensor: exactly one, float */
    size_t output; /* tensor: exactly one that counts */
    struct graph_metadata *metadata;
    size_t metadata_count;
};

/* The attribute's value, or fallback where the node does not have it. */
const struct graph_attribute *graph_node_attribute(const struct graph_node *node, const char *name);
int64_t graph_node_int(const struct graph_node *node, const char *name, int64_t fallback);
double graph_node_float(const struct graph_node *node, const char *name, double fallback);
const char *graph_node_string(const struct graph_node *node, const char *name,
                              const char *fallback);

/* The tensor behind input i, or NULL where it is left out. */
const struct graph_tensor *graph_node_input(const struct bittern_model *model,
                                            const struct graph_node *node, size_t i);

/* ---- Growing a graph: used by the reader and the builder; names are copied ------------------- */

bittern_status graph_create(const char *name, int64_t opset, struct bittern_model **model,
                            struct bittern_error *err);
/* The number of the tensor of that name, or GRAPH_NONE. */
size_t graph_find_tensor(const struct bittern_model *model, const char *name);
/* The number of the tensor of that name, added where there is none. May move model->tensors. */
bittern_status graph_add_tensor(struct bittern_model *model, const char *name, size_t *tensor,
                                struct bittern_error *err);
/* A new tensor whose name starts with `stem` and was not there before. */
bittern_status graph_add_unique_tensor(struct bittern_model *model, const char *stem,
                                       size_t *tensor, struct bittern_error *err);
bittern_status graph_set_shape(struct graph_tensor *tensor, const int64_t *dims, size_t rank,
                               struct bittern_error *err);
/* Add a constant; refuses a name that already has values or a producer, and NaN. `values` is taken
 * over on success, to be freed with free(). */
bittern_status graph_add_constant(struct bittern_model *model, const char *name,
                                  enum bittern_element element, const int64_t *dims, size_t rank,
                                  double *values, size_t *tensor, struct bittern_error *err);

/* A node as the reader or the builder describes it; empty names are optional inputs or outputs that
 * are left out, and name may be NULL. */
struct graph_node_description {
    const char *op, *domain, *name;
    const char *const *inputs;
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
};
bittern_status graph_add_node(struct bittern_model *model,
                              const struct graph_node_description *description,
                              struct graph_node **node, struct bittern_error *err);
bittern_status graph_node_add_attribute(struct graph_node *node,
                                        const struct bittern_attribute *attribute,
                                        struct bittern_error *err);
/* Put `tensor` in place of input i, making the list longer where needed. */
bittern_status graph_node_set_input(struct graph_node *node, size_t i, size_t tensor,
                                    struct bittern_error *err);
void graph_node_remove_attribute(struct graph_node *node, const char *name);
void graph_node_free(struct graph_node *node);
/* Rebuild the table of names after tensors were renumbered or removed. */
bittern_status graph_index_names(struct bittern_model *model, struct bittern_error *err);

/* Convolution and pooling windows, with auto_pad, defaults and every check done; 2-D only. */
struct graph_window {
    size_t kernel_h, kernel_w, stride_h, stride_w;
    size_t pad_top, pad_left, pad_bottom, pad_right;
    size_t out_h, out_w;
};
bittern_status graph_node_window(const struct bittern_model *model, const struct graph_node *node,
                                 struct graph_window *window, struct bittern_error *err);

/* ---- Elementwise ops (graph_elementwise.c) --------------------------------------------------- */

/*
 * How a node acts on its one computed input, value by value. ADD, SUB, MUL, DIV, NEG, BATCH_NORM,
 * RELU, SIGN, FLOOR, CEIL, ROUND, CLIP, IDENTITY, QUANT, BIPOLAR_QUANT, MULTI_THRESHOLD and TRUNC
 * are elementwise where their other inputs are constants that are scalar or have one value a
 * channel. A constant divided by x is not: it is not monotone. ABS, POW, RECIPROCAL and SQRT have a
 * function, too, for folding alone.
 *
 * In float64, one rounding for each operator, from left to right (c, g, ... are the constants):
 *     ADD  x + c        SUB  x - c, c - x        MUL  x * c        DIV  x / c
 *     BATCH_NORM        ((gamma * (x - mean)) / sqrt(var + epsilon)) + beta
 *     RELU, SIGN, CLIP  max(x, 0); -1, 0 or +1; min(max(x, low), high)
 *     QUANT             (round(clamp((x / scale) + zeropt)) - zeropt) * scale
 *                       signed 1 bit: ((x / scale) + zeropt >= 0 ? 1 : -1), then the same
 *     BIPOLAR_QUANT     x >= 0 ? scale : -scale
 *     MULTI_THRESHOLD   (out_scale * number of thresholds <= x) + out_bias
 *     TRUNC             (round(clamp(rint((x / scale) + zeropt) / t)) - out_zeropt) * out_scale;
 *                       with 5 inputs: t = 2^(in_bitwidth - out_bitwidth), no clamp, out_zeropt =
 *                       zeropt, out_scale = scale; with 6 or 7 inputs: t is the power of two
 *                       nearest to out_scale / scale, out_zeropt = zeropt / t
 */
enum graph_spread {
    GRAPH_SPREAD_NOT,     /* not elementwise, or constants of some other shape */
    GRAPH_SPREAD_SCALAR,  /* the same function for every value */
    GRAPH_SPREAD_CHANNEL, /* one function a channel of axis `axis` */
};

enum graph_rounding {
    GRAPH_ROUND_HALF_EVEN, /* QONNX's ROUND */
    GRAPH_ROUND_CEIL,
    GRAPH_ROUND_FLOOR,
    GRAPH_ROUND_UP,        /* away from zero */
    GRAPH_ROUND_DOWN,      /* toward zero; also ROUND_TO_ZERO */
    GRAPH_ROUND_HALF_UP,   /* to nearest, ties away from zero */
    GRAPH_ROUND_HALF_DOWN, /* to nearest, ties toward zero */
};

/* Channel c's value is values[c * stride]; values is NULL where the node has no such constant. */
struct graph_parameter {
    const double *values;
    size_t stride;
};

#define GRAPH_FUNCTION_PARAMETERS 5

/*
 * A node's function, prepared once and applied many times. It owns nothing and is good for as long
 * as the model is. Its parameters, by op:
 *     ADD, SUB, MUL, DIV  the constant
 *     POW                 the exponent
 *     BATCH_NORM          gamma, beta, mean, variance
 *     CLIP                low, high (NULL: no such bound)
 *     QUANT               scale, zero point, bit width
 *     BIPOLAR_QUANT       scale
 *     MULTI_THRESHOLD     thresholds, `steps` a channel
 *     TRUNC               scale, zero point, bits in, bits out, out scale (NULL: as scale)
 */
struct graph_function {
    enum graph_op op;
    enum graph_spread spread;
    size_t axis;     /* of the channels, where spread is CHANNEL: never 0, 1 in NCHW */
    size_t channels; /* how many; 1 where spread is SCALAR */
    size_t argument; /* which of the node's inputs is x: 0, or 1 as in c - x */
    struct graph_parameter parameters[GRAPH_FUNCTION_PARAMETERS];
    size_t steps; /* MULTI_THRESHOLD: thresholds a channel, rising */
    enum graph_rounding rounding;
    bool is_signed, is_narrow;
    double epsilon, out_scale, out_bias;
};

/* For a node of a finished model, or one whose inputs' shapes are known and that was checked by
 * graph_check_elementwise. Never fails: look at function->spread. */
void graph_function_prepare(const struct bittern_model *model, const struct graph_node *node,
                            struct graph_function *function);

/*
 * y = f(x) for a value of channel `channel` (0 where the spread is SCALAR), in exactly the float64
 * operations, and their order, that bittern_model_evaluate uses.
 */
double graph_function_apply(const struct graph_function *function, size_t channel, double x);

/*
 * +1 where f never falls as x rises, -1 where it never rises, 0 where it is constant: e.g. the sign
 * of a MUL's constant, of gamma, of a MULTI_THRESHOLD's out_scale.
 */
int graph_function_slope(const struct graph_function *function, size_t channel);

/* True for ops that are affine, y = a * x + b: ADD, SUB, MUL, DIV by a constant, NEG, BATCH_NORM,
 * IDENTITY. */
bool graph_function_is_affine(const struct graph_function *function);

/* Refuse constants that an elementwise node cannot have, e.g. a scale <= 0 or NaN thresholds; part
 * of bittern_model_finish. */
bittern_status graph_check_elementwise(const struct bittern_model *model,
                                       const struct graph_node *node, struct bittern_error *err);

/*
 * ---- What the other ops compute (graph_evaluate.c) --------------------------------------------
 *
 * With fl() one rounding to float64 and dot an exact sum of products (correctly rounded but for
 * cancellations beyond 2^-100 of the terms' size):
 *     CONV                 fl(fl(dot) + bias)
 *     MATMUL               fl(dot)
 *     GEMM                 fl(fl(alpha * fl(dot)) + fl(beta * C)); factors of 1 and a missing C
 *                          are left out
 *     AVERAGE_POOL         fl(fl(sum) / count); count is the kernel's size, or without the padding
 *                          where count_include_pad is 0
 *     GLOBAL_AVERAGE_POOL  fl(fl(sum) / (H * W))
 */

/* ---- Passes of bittern_model_finish ---------------------------------------------------------- */

/* Order the nodes so that each follows its inputs; an error names a node on a cycle, or one that
 * reads a tensor nobody makes. Nodes and tensors that the output does not need are dropped. */
bittern_status graph_sort(struct bittern_model *model, struct bittern_error *err);
/* Check every node against the table of ops and bring it to the form that `enum graph_op` states.
 */
bittern_status graph_normalize(struct bittern_model *model, struct bittern_error *err);
/* Infer shapes and fold constants, node by node in order, until only computed nodes are left. */
bittern_status graph_infer_and_fold(struct bittern_model *model, struct bittern_error *err);

/* Evaluate one node whose inputs' values are given (values[i] may be NULL for a left-out input);
 * used for folding and by bittern_model_evaluate. Output shapes must be inferred. */
bittern_status graph_evaluate_node(const struct bittern_model *model, const struct graph_node *node,
                                   const double *const *inputs, double *const *outputs,
                                   struct bittern_error *err);

/* The op of a name and domain, GRAPH_UNKNOWN where there is none; and the list of all supported
 * ones as text for messages. */
enum graph_op graph_op_find(const char *domain, const char *name);
const char *graph_op_list(void);
/* Numbers of inputs and outputs, required inputs, and attributes with their kinds, by the table. */
bittern_status graph_check_node(const struct graph_node *node, struct bittern_error *err);

#endif
