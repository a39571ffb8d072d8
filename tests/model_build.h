/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models for tests, grown layer by layer: each call appends nodes behind `tensor` and makes their
 * output the new `tensor`. The first failure sticks and later calls do nothing, so that a test
 * looks at the status once, at build_end. Random weights come from `seed` alone.
 *
 *     struct model_builder b;
 *     build_begin(&b, "net", 13, (int64_t[]){1, 3, 8, 8}, 4, 42, &err);
 *     build_conv(&b, 16, 3, 1, 1, WEIGHTS_BIPOLAR, false);
 *     build_batch_norm(&b, true);
 *     build_bipolar(&b, 1);
 *     assert_ok(build_end(&b, &model), &err);
 */
#ifndef BITTERN_MODEL_BUILD_H
#define BITTERN_MODEL_BUILD_H

#include <bittern/model.h>

enum weight_kind {
    WEIGHTS_FLOAT,   /* as they are drawn, about normal */
    WEIGHTS_BIPOLAR, /* through BipolarQuant: {-a,+a} */
    WEIGHTS_TERNARY, /* through a Quant of 2 bits, narrow: {-a,0,+a} */
    WEIGHTS_INT4,    /* through a Quant of 4 bits, narrow */
    WEIGHTS_INT8     /* through a Quant of 8 bits, narrow */
};

enum activation_kind {
    ACTIVATION_NONE,
    ACTIVATION_BIPOLAR,  /* BipolarQuant */
    ACTIVATION_TERNARY,  /* Quant of 2 bits, signed, narrow */
    ACTIVATION_SIGNED,   /* Quant of `bits`, signed */
    ACTIVATION_UNSIGNED, /* Relu, then Quant of `bits`, unsigned */
    ACTIVATION_SIGN      /* ONNX's Sign */
};

struct model_builder {
    struct bittern_model *model;
    struct bittern_error *err;
    bittern_status status; /* the first failure */
    uint64_t seed;
    char tensor[64]; /* the end of the chain, and its shape */
    int64_t dims[8];
    size_t rank;
    size_t number; /* of names made up so far */
    bool per_channel_scales;
    bool matmul; /* linear layers: Transpose and MatMul instead of Gemm */
    /* Scales are powers of two, and what BatchNormalization adds and multiplies with is exact, so
     * that sums do fall on ties between two levels. */
    bool power_of_two;
};

/* Roughly normal: mean 0, deviation 1. */
double build_random(struct model_builder *b);

/* A model with its input "x". */
void build_begin(struct model_builder *b, const char *name, int64_t opset, const int64_t *dims,
                 size_t rank, uint64_t seed, struct bittern_error *err);
/* Make the last tensor the output and finish the model; it is freed, and NULL, after a failure. */
bittern_status build_end(struct model_builder *b, struct bittern_model **model);
/* The same without finishing. */
bittern_status build_end_unfinished(struct model_builder *b, struct bittern_model **model);

/* Constants; the name that they got is returned, good until 16 more names are made up. */
const char *build_floats(struct model_builder *b, const int64_t *dims, size_t rank,
                         const float *values);
const char *build_scalar(struct model_builder *b, double value);
const char *build_ints(struct model_builder *b, const int64_t *values, size_t count);

/* A node with one output, whose name is returned. `inputs` ends with NULL. */
const char *build_node(struct model_builder *b, const char *op, const char *const *inputs,
                       const struct bittern_attribute *attributes, size_t attribute_count);
/* The same with the last tensor as its first input, and as the last tensor from then on; the shape
 * is taken to stay as it is. */
void build_append(struct model_builder *b, const char *op, const char *const *more_inputs,
                  const struct bittern_attribute *attributes, size_t attribute_count);

void build_unary(struct model_builder *b, const char *op);
/* Mul, Add, Sub, Div by a scalar. */
void build_arithmetic(struct model_builder *b, const char *op, double value);
void build_quant(struct model_builder *b, double scale, double zero_point, int bits, bool is_signed,
                 bool is_narrow, const char *rounding_mode);
void build_bipolar(struct model_builder *b, double scale);
void build_activation(struct model_builder *b, enum activation_kind kind, int bits, double scale);
/* Random, in the range of what a layer of `fan_in` terms of size `scale` gives. */
void build_batch_norm_of(struct model_builder *b, bool negative_gammas, double deviation);
/* For what the last conv or linear layer gave. */
void build_batch_norm(struct model_builder *b, bool negative_gammas);
void build_conv(struct model_builder *b, int64_t filters, int64_t kernel, int64_t stride,
                int64_t padding, enum weight_kind weights, bool has_bias);
void build_linear(struct model_builder *b, int64_t units, enum weight_kind weights, bool has_bias);
/* "MaxPool" or "AveragePool" */
void build_pool(struct model_builder *b, const char *op, int64_t kernel, int64_t stride,
                int64_t padding);
void build_flatten(struct model_builder *b);

/*
 * QONNX's TFC: 784-64-64-64-10 over an image of [1,1,28,28] in [0,1], taken to [-1,1] by a Mul and
 * a Sub and quantized; BatchNormalization and a quantizer behind each hidden layer, one
 * normalization for all scores. 1 bit gives BipolarQuant, 2 bits and more a narrow, signed Quant.
 */
bittern_status tfc_build(uint64_t seed, int weight_bits, int activation_bits,
                         struct bittern_model **model, struct bittern_error *err);

enum pool_place { POOL_NOWHERE, POOL_BEHIND_CONV, POOL_BEHIND_BATCH_NORM, POOL_BEHIND_ACTIVATION };

struct conv_net_options {
    uint64_t seed;
    int64_t side, channels; /* of the image, e.g. 28, 1 */
    int64_t filters;        /* of the first layer; the second has twice as many */
    int64_t kernel, padding;
    enum weight_kind weights;
    enum activation_kind activations;
    int activation_bits;
    const char *pool; /* "MaxPool" or "AveragePool" */
    enum pool_place pool_place;
    bool negative_gammas, per_channel_scales, has_bias, matmul;
    bool power_of_two;      /* see struct model_builder */
    bool scores_batch_norm; /* one more BatchNormalization, behind the scores */
};

/* Two convolutions with pools of 2x2, one hidden linear layer of 32, ten scores; the image in [0,1]
 * goes through an unsigned Quant of 8 bits with scale 1/255, or 1/256 with powers of two. */
bittern_status conv_net_build(const struct conv_net_options *options, struct bittern_model **model,
                              struct bittern_error *err);

#endif
