/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight methods: how a layer's full-precision latent weights become the binary or ternary weights
 * of its forward pass, and how the gradient comes back. One file a method; docs/training.md has
 * their equations and sources.
 *
 * Weights of a layer are rows of filters: [filters][size], size = kernel_h * kernel_w *
 * in_channels in (row, column, channel) order, or the inputs of a full connection. A method may
 * have several latent arrays of that shape (STTN has two): latent[plane][filters][size].
 *
 * A training step calls, in this order: forward (latent -> quantized), [the graph's passes],
 * backward (gradient of quantized -> gradient of latent and of extra parameters), add_loss
 * (regularization: value and gradients are added), [the optimizer], after_update (clipping).
 * At the end of training finish decides what the layer is.
 *
 * Forward without a step is for evaluation: it is not random, and gives the weights that finish
 * would give now (TTQ: with the exported ratio, R1 and R2: quantized). So
 * what is evaluated is what is exported.
 *
 * Where latent_count is 2, the two arrays must be initialized independently (STTN).
 */
#ifndef BITTERN_TRAIN_METHOD_H
#define BITTERN_TRAIN_METHOD_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum method_kind {
    METHOD_FULL,          /* 32-bit weights: the baseline; such a layer cannot be compiled */
    METHOD_INT8,          /* -127..127 times a step a filter, straight-through */
    METHOD_BINARYCONNECT, /* Courbariaux et al. 2015: sign, deterministic or stochastic */
    METHOD_BWN,  /* Rastegari et al. 2016: mu * sign(W); with binary activations XNOR-Net */
    METHOD_TWN,  /* Li et al. 2016 */
    METHOD_TTQ,  /* Zhu et al. 2017 */
    METHOD_SQ,   /* Razani et al. 2021, arXiv 1909.12205: binary or ternary by training */
    METHOD_STTN, /* Xu et al.: sum of two binary kernels */
    METHOD_R1,   /* Partovi Nia, Belbahri: binary regularizer alone */
    METHOD_R2    /* ternary regularizer alone */
};
#define METHOD_KIND_COUNT 10

/* Everything that a recipe can set; method_defaults fills in the papers' values. */
struct method_config {
    enum method_kind kind;
    bool stochastic;      /* BINARYCONNECT: sign drawn with the hard sigmoid's probability */
    bool glorot_scale;    /* BINARYCONNECT: learning rate times 1 / Glorot's coefficient */
    bool per_filter;      /* TWN: threshold and mu a filter, not a layer */
    double threshold;     /* TWN 0.7 (of mean|W|), TTQ 0.05 (of max|W|), SQ 0.2 (of the initial
                             deviation) */
    double lambda;        /* SQ, R1, R2: weight of the regularizer */
    double gamma;         /* SQ: weight of |cot beta| */
    bool gamma_per_layer; /* SQ: the gamma term once a layer beside the mean of R, not once a
                             filter within it */
    double delta;         /* SQ: binary where beta >= delta; 1.57 */
    unsigned power;       /* SQ, R1, R2: p, 1 or 2 */
    double extra_rate;    /* learning-rate factor of extra parameters (W_p, W_n, mu, beta); 1 */
};

struct method_config method_defaults(enum method_kind kind);
const char *method_name(enum method_kind kind); /* "binaryconnect", as recipes have it */
bool method_find(const char *name, enum method_kind *kind);

/* A trained number that is neither latent weight nor batch norm: W_p, mu, beta. */
struct method_parameter {
    const char *name; /* "mu", "beta", "w_positive", ...: unique within the layer */
    size_t count;     /* 1, or one a filter */
    float *value, *gradient;
    double minimum, maximum; /* kept by after_update, as floats; INFINITY where free */
};

/* Numbers that are not trained but belong into a checkpoint: SQ's threshold, a decision made. */
struct method_buffer {
    const char *name;
    size_t count;
    float *value;
};

/* What forward needs in training besides the weights. */
struct method_step {
    uint64_t seed, step;
    uint64_t layer; /* index, so that layers draw different numbers */
};

enum method_depth {
    METHOD_DEPTH_FULL,
    METHOD_DEPTH_INT8,
    METHOD_DEPTH_BINARY,
    METHOD_DEPTH_TERNARY
};

/* What the layer is after finish, for tables. */
struct method_result {
    enum method_depth depth;
    unsigned bits; /* a weight: 1, 2, 8, 32 */
    double zeros;  /* share of zero weights, 0..1 */
};

struct method;

struct method_class {
    enum method_kind kind;
    size_t latent_count; /* arrays of [filters][size]: 1, STTN 2 */
    bool clips_latent;   /* the optimizer's weight decay makes no sense on them */
    bittern_status (*create)(struct method *method, struct bittern_error *err);
    void (*destroy)(struct method *method);
    /* after latent was initialized, before the first step: thresholds, starting values */
    void (*start)(struct method *method, const float *latent);
    /* step NULL: an evaluation, in which nothing is drawn (a stochastic sign becomes the plain
     * one) */
    void (*forward)(struct method *method, const float *latent, const struct method_step *step,
                    float *quantized);
    /* after a forward with a step; overwrites diff_latent and the extra parameters' gradients */
    void (*backward)(struct method *method, const float *latent, const float *quantized,
                     const float *diff_quantized, float *diff_latent);
    double (*add_loss)(struct method *method, const float *latent,
                       float *diff_latent);                     /* or NULL */
    void (*after_update)(struct method *method, float *latent); /* or NULL */
    /* final weights: exact levels {-a,+a}, {-a,0,+a}, ... a filter, as they are exported */
    void (*finish)(struct method *method, const float *latent, float *quantized,
                   struct method_result *result);
};

/* A method at work on one layer. */
struct method {
    const struct method_class *class;
    struct method_config config;
    size_t filters, size;
    struct method_parameter parameters[4];
    size_t parameter_count;
    struct method_buffer buffers[4];
    size_t buffer_count;
    void *state; /* the class's own */
};

/* BITTERN_ERR_RANGE where a setting that the kind uses is out of range; *key is its name as recipes
 * have it. */
bittern_status method_check(const struct method_config *config, const char **key,
                            struct bittern_error *err);
/* Allocates parameters and buffers, zeroed until start. The settings are checked.
 * @param filters, size  >= 1 */
bittern_status method_create(const struct method_config *config, size_t filters, size_t size,
                             struct method **method, struct bittern_error *err);
void method_free(struct method *method);

extern const struct method_class method_class_full, method_class_int8, method_class_binaryconnect,
    method_class_bwn, method_class_twn, method_class_ttq, method_class_sq, method_class_sttn,
    method_class_r1, method_class_r2;

#endif
