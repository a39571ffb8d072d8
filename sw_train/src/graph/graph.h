/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static graph of layers: built once for one batch size, then run forward and backward.
 *
 * Tensors are numbered; tensor 0 is the input: channels last, or planar in a graph whose hidden
 * tensors are blocked.
 * A layer reads one tensor (Add: two) that exists already and makes a new one, so layers stand in
 * the order in which they run. A tensor read by several layers gets the sum of their gradients.
 *
 * All floats that training changes are `struct parameter`s (optimizer, gradients' all-reduce,
 * checkpoint); what belongs into a checkpoint but is not trained is a `struct graph_buffer`.
 */
#ifndef BITTERN_TRAIN_GRAPH_H
#define BITTERN_TRAIN_GRAPH_H

#include "backend/backend.h"
#include "comm/comm.h"
#include "method/method.h"

enum parameter_role {
    PARAMETER_WEIGHT, /* latent weights of a convolution or full connection */
    PARAMETER_BIAS,   /* of a layer without batch norm behind it */
    PARAMETER_NORM,   /* scale and shift of batch norm */
    PARAMETER_METHOD  /* extra parameters of a weight method */
};

struct parameter {
    char name[96]; /* "conv1.weight", "conv1.weight2", "norm1.scale", "conv1.mu" */
    enum parameter_role role;
    size_t count;
    size_t rows; /* filters of a weight, else 1 */
    float *value, *gradient;
    bool decays;       /* L2 decay makes sense on it */
    double rate_scale; /* factor of the learning rate */
};

struct graph_buffer {
    char name[96]; /* "norm1.mean", "norm1.variance", "conv1.threshold" */
    size_t count;
    float *value;
};

enum activation_kind {
    ACTIVATION_IDENTITY,
    ACTIVATION_RELU,   /* max(0, x); gradient 1 where x > 0 */
    ACTIVATION_CLIP,   /* min(max(0, x), range); gradient 1 where 0 <= x <= range */
    ACTIVATION_QUANT,  /* DoReFa: clip to [0, range], 2^bits - 1 equal steps, round half to even;
                          gradient 1 where 0 <= x <= range. elementwise.h has the formula to the
                          last rounding */
    ACTIVATION_SIGN,   /* +1 where x >= 0, else -1; gradient 1 where |x| <= 1 (hard tanh) */
    ACTIVATION_TERNARY /* -1 below -0.5, +1 from 0.5, else 0; gradient 1 where |x| <= 1 */
};

struct activation_config {
    enum activation_kind kind;
    unsigned bits; /* QUANT: 2..8 */
    double range;  /* QUANT, CLIP: > 0 */
};

/* Variances are biased, divided by the number of values, everywhere: in the batch, running, and
 * re-estimated. */
struct norm_config {
    double epsilon;  /* 1e-5 */
    double momentum; /* running = (1 - momentum) * running + momentum * batch; 0.1 */
};

enum layer_kind {
    LAYER_CONV,
    LAYER_FC,
    LAYER_NORM, /* relu may be fused into it */
    LAYER_POOL,
    LAYER_ACTIVATION,
    LAYER_ADD,
    LAYER_DROPOUT
};

/* Read-only view of a layer, for export and for tables. */
struct layer_info {
    enum layer_kind kind;
    const char *name;
    size_t input, input2, output; /* tensors; input2 of ADD only */

    /* CONV, FC */
    struct backend_conv_shape
        conv; /* FC: kernel 1x1 over in_channels = inputs, out_h = out_w = 1 */
    struct method *method;
    const float *latent;    /* [latent_count][filters][size] */
    const float *quantized; /* [filters][size] of the last forward pass, or final */
    const float *bias;      /* [filters] or NULL */
    bool finished;          /* graph_finish_weights was called */
    struct method_result result;

    /* NORM */
    const float *scale, *shift, *mean, *variance; /* running statistics */
    double epsilon;
    bool relu;

    struct backend_pool_shape pool;      /* POOL */
    struct activation_config activation; /* ACTIVATION */
    double drop_rate;                    /* DROPOUT */
};

struct graph;

struct graph_options {
    size_t batch, channels, height, width;
    bool blocked;      /* hidden tensors in the backend's blocked layout; every channel count of a
                          convolution must then divide by backend_block_channels */
    uint64_t seed;     /* initial weights, dropout, stochastic signs */
    struct comm *comm; /* NULL: alone. Batch statistics are those of all ranks' batches together */
};

/* The graph keeps pointers to backend and comm. */
bittern_status graph_create(struct backend *backend, const struct graph_options *options,
                            struct graph **graph, struct bittern_error *err);
void graph_free(struct graph *graph);

struct conv_config {
    size_t filters, kernel, stride, pad; /* square; pad <= kernel / 2 */
    bool bias;
    struct method_config method;
};

/* Each adds a layer, with weights initialized (Glorot and Bengio 2010, uniform) and the method
 * started, and gives the tensor it makes. Shapes that do not fit are BITTERN_ERR_MISMATCH with the
 * layer's name; two layers of one name BITTERN_ERR_ARGUMENT. */
bittern_status graph_add_conv(struct graph *graph, const char *name, size_t input,
                              const struct conv_config *config, size_t *output,
                              struct bittern_error *err);
/* Of conv_config only filters, bias and method count. An input that is not channels last is
 * reordered; that is no layer of its own. */
bittern_status graph_add_fc(struct graph *graph, const char *name, size_t input,
                            const struct conv_config *config, size_t *output,
                            struct bittern_error *err);
bittern_status graph_add_norm(struct graph *graph, const char *name, size_t input,
                              const struct norm_config *config, bool relu, size_t *output,
                              struct bittern_error *err);
bittern_status graph_add_pool(struct graph *graph, const char *name, size_t input,
                              const struct backend_pool_shape *shape, size_t *output,
                              struct bittern_error *err);
/* IDENTITY adds no layer: *output is input. */
bittern_status graph_add_activation(struct graph *graph, const char *name, size_t input,
                                    const struct activation_config *config, size_t *output,
                                    struct bittern_error *err);
bittern_status graph_add_sum(struct graph *graph, const char *name, size_t input, size_t input2,
                             size_t *output, struct bittern_error *err);
/* Inverted dropout: kept values are divided by 1 - rate; identity in evaluation. */
bittern_status graph_add_dropout(struct graph *graph, const char *name, size_t input, double rate,
                                 size_t *output, struct bittern_error *err);

/* Allocate gradients; no layer can be added afterwards. The last layer's output is the graph's: one
 * value a class. Every other layer's output must be read by some layer. */
bittern_status graph_seal(struct graph *graph, struct bittern_error *err);

size_t graph_batch(const struct graph *graph);
/* To be filled in before graph_forward: [batch] images. */
struct backend_tensor *graph_input(struct graph *graph);
/* [batch][classes] f32, of the last forward pass; and its gradient, to be filled in before
 * graph_backward. */
size_t graph_classes(const struct graph *graph);
const float *graph_output(const struct graph *graph);
float *graph_output_gradient(struct graph *graph);

enum graph_mode {
    GRAPH_TRAIN,     /* batch statistics, dropout; running statistics move */
    GRAPH_EVALUATE,  /* running statistics; quantized weights as they are now */
    GRAPH_STATISTICS /* as EVALUATE, but batch statistics are used and summed up: re-estimation */
};

/* @param step  seeds dropout and stochastic signs in GRAPH_TRAIN */
bittern_status graph_forward(struct graph *graph, enum graph_mode mode, uint64_t step,
                             struct bittern_error *err);
/* After graph_forward in GRAPH_TRAIN, once: gradients of all parameters, methods' included, summed
 * over ranks. The loss gradient in graph_output_gradient is per image / images of all ranks. */
bittern_status graph_backward(struct graph *graph, struct bittern_error *err);
/* Adds the methods' regularizers to the gradients; returns their sum. After graph_backward. */
double graph_add_method_losses(struct graph *graph);
/* After the optimizer's step: clips latent weights and extra parameters. */
void graph_after_update(struct graph *graph);
/* Latent weights have changed otherwise (a checkpoint was read): quantize anew before use. */
void graph_weights_changed(struct graph *graph);

/* Batch norm re-estimation: begin, one or more forward passes in GRAPH_STATISTICS, end; running
 * statistics are then those of all these batches' images together. Among ranks the statistics of a
 * batch are those of all ranks, so all must make the same number of passes. */
void graph_begin_statistics(struct graph *graph);
bittern_status graph_end_statistics(struct graph *graph, struct bittern_error *err);

/* Decide every layer's final weights; forward passes use them from then on, in every mode, and
 * GRAPH_TRAIN becomes an error. */
void graph_finish_weights(struct graph *graph);

size_t graph_parameter_count(const struct graph *graph);
struct parameter *graph_parameter(struct graph *graph, size_t index);
size_t graph_buffer_count(const struct graph *graph);
struct graph_buffer *graph_buffer(struct graph *graph, size_t index);
size_t graph_layer_count(const struct graph *graph);
void graph_layer(const struct graph *graph, size_t index, struct layer_info *info);
/* Tensor's shape, e.g. for export; data included, of the last forward pass. */
const struct backend_tensor *graph_tensor(const struct graph *graph, size_t index);

/* Name of the first layer whose output, weights or gradients hold a value that is not finite, and
 * what it is ("output", "weight", "weight gradient", ...); "input" where the images do; the name of
 * a buffer; NULL where all is finite. Looked through in the order in which values come about:
 * parameters and outputs from the input on, buffers, then gradients from the output back. Slow: to
 * be called when the loss is not finite, and before saving. */
const char *graph_find_nonfinite(const struct graph *graph, const char **what);

#endif
