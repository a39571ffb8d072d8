/* SPDX-License-Identifier: Apache-2.0 */
/* The builder of model_build.h: names and constants, nodes, layers, and two whole networks. */
#include "model_build.h"

#include "testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 16
#define MOST_INPUTS 8

double build_random(struct model_builder *b)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += random_unit(&b->seed);
    }
    return sum - 6;
}

void build_begin(struct model_builder *b, const char *name, int64_t opset, const int64_t *dims,
                 size_t rank, uint64_t seed, struct bittern_error *err)
{
    *b = (struct model_builder){.err = err, .seed = seed, .tensor = "x", .rank = rank};
    for (size_t i = 0; i < rank; i++) {
        b->dims[i] = dims[i] == 0 ? 1 : dims[i];
    }
    b->status = bittern_model_create(name, opset, &b->model, err);
    if (b->status == BITTERN_OK) {
        b->status = bittern_model_add_input(b->model, "x", dims, rank, err);
    }
}

bittern_status build_end_unfinished(struct model_builder *b, struct bittern_model **model)
{
    if (b->status == BITTERN_OK) {
        b->status = bittern_model_add_output(b->model, b->tensor, b->err);
    }
    if (b->status != BITTERN_OK) {
        bittern_model_free(b->model);
        b->model = NULL;
    }
    *model = b->model;
    return b->status;
}

bittern_status build_end(struct model_builder *b, struct bittern_model **model)
{
    if (build_end_unfinished(b, model) == BITTERN_OK) {
        b->status = bittern_model_finish(*model, b->err);
    }
    if (b->status != BITTERN_OK) {
        bittern_model_free(b->model);
        b->model = NULL;
    }
    *model = b->model;
    return b->status;
}

/* ---- Names, constants, nodes ------------------------------------------------------------------
 */

static const char *make_name(struct model_builder *b, const char *stem)
{
    static _Thread_local char names[NAMES][64];
    char *name = names[b->number % NAMES];
    (void)snprintf(name, sizeof names[0], "%s_%zu", stem, b->number++);
    return name;
}

const char *build_floats(struct model_builder *b, const int64_t *dims, size_t rank,
                         const float *values)
{
    const char *name = make_name(b, "constant");
    if (b->status == BITTERN_OK) {
        b->status = bittern_model_add_floats(b->model, name, dims, rank, values, b->err);
    }
    return name;
}

const char *build_scalar(struct model_builder *b, double value)
{
    float single = (float)value;
    return build_floats(b, NULL, 0, &single);
}

const char *build_ints(struct model_builder *b, const int64_t *values, size_t count)
{
    const char *name = make_name(b, "integers");
    int64_t dim = (int64_t)count;
    if (b->status == BITTERN_OK) {
        b->status = bittern_model_add_ints(b->model, name, &dim, 1, values, b->err);
    }
    return name;
}

const char *build_node(struct model_builder *b, const char *op, const char *const *inputs,
                       const struct bittern_attribute *attributes, size_t attribute_count)
{
    size_t count = 0;
    while (inputs[count] != NULL) {
        count++;
    }
    char node[72];
    const char *output = make_name(b, op);
    (void)snprintf(node, sizeof node, "%s_node", output);
    if (b->status == BITTERN_OK) {
        b->status = bittern_model_add_node(b->model, op, node, inputs, count, &output, 1,
                                           attributes, attribute_count, b->err);
    }
    return output;
}

static void follow(struct model_builder *b, const char *tensor)
{
    (void)snprintf(b->tensor, sizeof b->tensor, "%s", tensor);
}

void build_append(struct model_builder *b, const char *op, const char *const *more_inputs,
                  const struct bittern_attribute *attributes, size_t attribute_count)
{
    const char *inputs[MOST_INPUTS + 1] = {b->tensor};
    for (size_t i = 0; i + 1 < MOST_INPUTS && more_inputs[i] != NULL; i++) {
        inputs[i + 1] = more_inputs[i];
    }
    follow(b, build_node(b, op, inputs, attributes, attribute_count));
}

static struct bittern_attribute int_attribute(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

static struct bittern_attribute ints_attribute(const char *name, const int64_t *values,
                                               size_t count)
{
    return (struct bittern_attribute){
        .name = name, .kind = BITTERN_ATTRIBUTE_INTS, .ints = values, .count = count};
}

/* ---- Elementwise ------------------------------------------------------------------------------
 */

void build_unary(struct model_builder *b, const char *op)
{
    build_append(b, op, (const char *const[]){NULL}, NULL, 0);
}

void build_arithmetic(struct model_builder *b, const char *op, double value)
{
    build_append(b, op, (const char *const[]){build_scalar(b, value), NULL}, NULL, 0);
}

static const char *add_quant(struct model_builder *b, const char *x, const char *scale,
                             double zero_point, int bits, bool is_signed, bool is_narrow,
                             const char *rounding_mode)
{
    const char *inputs[] = {x, scale, build_scalar(b, zero_point), build_scalar(b, bits), NULL};
    struct bittern_attribute attributes[] = {
        int_attribute("signed", is_signed),
        int_attribute("narrow", is_narrow),
        {.name = "rounding_mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = rounding_mode},
    };
    return build_node(b, "Quant", inputs, attributes, 3);
}

void build_quant(struct model_builder *b, double scale, double zero_point, int bits, bool is_signed,
                 bool is_narrow, const char *rounding_mode)
{
    follow(b, add_quant(b, b->tensor, build_scalar(b, scale), zero_point, bits, is_signed,
                        is_narrow, rounding_mode));
}

void build_bipolar(struct model_builder *b, double scale)
{
    build_append(b, "BipolarQuant", (const char *const[]){build_scalar(b, scale), NULL}, NULL, 0);
}

void build_activation(struct model_builder *b, enum activation_kind kind, int bits, double scale)
{
    switch (kind) {
    case ACTIVATION_NONE:
        break;
    case ACTIVATION_BIPOLAR:
        build_bipolar(b, scale);
        break;
    case ACTIVATION_TERNARY:
        build_quant(b, scale, 0, 2, true, true, "ROUND");
        break;
    case ACTIVATION_SIGNED:
        build_quant(b, scale, 0, bits, true, false, "ROUND");
        break;
    case ACTIVATION_UNSIGNED:
        build_unary(b, "Relu");
        build_quant(b, scale, 0, bits, false, false, "ROUND");
        break;
    case ACTIVATION_SIGN:
        build_unary(b, "Sign");
        break;
    }
}

/* The power of two next to x > 0, by exponent. */
static double to_power_of_two(double x)
{
    return exp2(rint(log2(x)));
}

/* Gamma and beta that make exact multiples of a sum's step again. */
static void round_batch_norm(double value[4])
{
    value[0] = value[0] < 0 ? -to_power_of_two(-value[0]) : to_power_of_two(value[0]);
    value[1] = rint(value[1] * 64) / 64;
    value[2] = rint(value[2] * 64) / 64;
    value[3] = exp2(2 * rint(log2(value[3]) / 2));
}

void build_batch_norm_of(struct model_builder *b, bool negative_gammas, double deviation)
{
    int64_t channels = b->dims[1];
    float *values = calloc((size_t)channels, sizeof *values);
    const char *inputs[5] = {NULL};
    assert_non_null(values);
    for (size_t i = 0; i < 4; i++) {
        for (int64_t c = 0; c < channels; c++) {
            double unit = random_unit(&b->seed);
            bool is_negative = negative_gammas && random_below(&b->seed, 2) == 0;
            double value[] = {(0.5 + unit) * (is_negative ? -1 : 1), 0.6 * (unit - 0.5),
                              0.6 * deviation * (unit - 0.5), deviation * deviation * (0.5 + unit)};
            if (b->power_of_two) {
                round_batch_norm(value);
            }
            values[c] = (float)value[i];
        }
        inputs[i] = build_floats(b, &channels, 1, values);
    }
    free(values);
    const struct bittern_attribute epsilon = {.name = "epsilon", .kind = BITTERN_ATTRIBUTE_FLOAT};
    build_append(b, "BatchNormalization", inputs, &epsilon, b->power_of_two ? 1 : 0);
}

void build_batch_norm(struct model_builder *b, bool negative_gammas)
{
    build_batch_norm_of(b, negative_gammas, 1);
}

/* ---- Layers -----------------------------------------------------------------------------------
 */

/* Quantize weights of [filters][terms...] so that a sum of `terms` products stays near 1. */
static const char *quantize_weights(struct model_builder *b, const char *weights, int64_t filters,
                                    size_t rank, double deviation, enum weight_kind kind)
{
    static const struct {
        int bits;
        double step; /* in deviations */
    } quants[] = {
        [WEIGHTS_TERNARY] = {2, 0.9}, [WEIGHTS_INT4] = {4, 0.4}, [WEIGHTS_INT8] = {8, 0.025}};
    if (kind == WEIGHTS_FLOAT) {
        return weights;
    }
    double step = deviation * (kind == WEIGHTS_BIPOLAR ? 1 : quants[kind].step);
    const char *scale;
    if (b->per_channel_scales) {
        int64_t dims[4] = {filters, 1, 1, 1};
        float *scales = calloc((size_t)filters, sizeof *scales);
        assert_non_null(scales);
        for (int64_t i = 0; i < filters; i++) {
            scales[i] = (float)(step * (0.5 + random_unit(&b->seed)));
            scales[i] = b->power_of_two ? (float)to_power_of_two(scales[i]) : scales[i];
        }
        scale = build_floats(b, dims, rank, scales);
        free(scales);
    } else {
        scale = build_scalar(b, b->power_of_two ? to_power_of_two(step) : step);
    }
    if (kind == WEIGHTS_BIPOLAR) {
        return build_node(b, "BipolarQuant", (const char *const[]){weights, scale, NULL}, NULL, 0);
    }
    return add_quant(b, weights, scale, 0, quants[kind].bits, true, true, "ROUND");
}

static const char *make_weights(struct model_builder *b, const int64_t *dims, size_t rank,
                                enum weight_kind kind)
{
    size_t terms = 1;
    for (size_t i = 1; i < rank; i++) {
        terms *= (size_t)dims[i];
    }
    double deviation = 1 / sqrt((double)terms);
    size_t count = terms * (size_t)dims[0];
    float *values = calloc(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(deviation * build_random(b));
    }
    const char *name = build_floats(b, dims, rank, values);
    free(values);
    return quantize_weights(b, name, dims[0], rank, deviation, kind);
}

static const char *make_bias(struct model_builder *b, int64_t channels)
{
    float *values = calloc((size_t)channels, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < channels; i++) {
        values[i] = (float)(0.3 * build_random(b));
    }
    const char *name = build_floats(b, &channels, 1, values);
    free(values);
    return name;
}

void build_conv(struct model_builder *b, int64_t filters, int64_t kernel, int64_t stride,
                int64_t padding, enum weight_kind weights, bool has_bias)
{
    const int64_t dims[] = {filters, b->dims[1], kernel, kernel};
    const int64_t strides[] = {stride, stride};
    const int64_t pads[] = {padding, padding, padding, padding};
    const char *inputs[3] = {make_weights(b, dims, 4, weights),
                             has_bias ? make_bias(b, filters) : NULL, NULL};
    struct bittern_attribute attributes[] = {ints_attribute("kernel_shape", dims + 2, 2),
                                             ints_attribute("strides", strides, 2),
                                             ints_attribute("pads", pads, 4)};
    build_append(b, "Conv", inputs, attributes, 3);
    b->dims[1] = filters;
    b->dims[2] = (b->dims[2] + 2 * padding - kernel) / stride + 1;
    b->dims[3] = (b->dims[3] + 2 * padding - kernel) / stride + 1;
}

void build_linear(struct model_builder *b, int64_t units, enum weight_kind weights, bool has_bias)
{
    const int64_t dims[] = {units, b->dims[1]};
    const char *w = make_weights(b, dims, 2, weights);
    const char *bias = has_bias ? make_bias(b, units) : NULL;
    if (b->matmul) {
        const int64_t perm[] = {1, 0};
        struct bittern_attribute turn = ints_attribute("perm", perm, 2);
        w = build_node(b, "Transpose", (const char *const[]){w, NULL}, &turn, 1);
        build_append(b, "MatMul", (const char *const[]){w, NULL}, NULL, 0);
        if (has_bias) {
            build_append(b, "Add", (const char *const[]){bias, NULL}, NULL, 0);
        }
    } else {
        struct bittern_attribute turn = int_attribute("transB", 1);
        build_append(b, "Gemm", (const char *const[]){w, bias, NULL}, &turn, 1);
    }
    b->dims[1] = units;
}

void build_pool(struct model_builder *b, const char *op, int64_t kernel, int64_t stride,
                int64_t padding)
{
    const int64_t kernels[] = {kernel, kernel};
    const int64_t strides[] = {stride, stride};
    const int64_t pads[] = {padding, padding, padding, padding};
    struct bittern_attribute attributes[] = {ints_attribute("kernel_shape", kernels, 2),
                                             ints_attribute("strides", strides, 2),
                                             ints_attribute("pads", pads, 4)};
    build_append(b, op, (const char *const[]){NULL}, attributes, 3);
    for (size_t i = 2; i < 4; i++) {
        b->dims[i] = (b->dims[i] + 2 * padding - kernel) / stride + 1;
    }
}

void build_flatten(struct model_builder *b)
{
    build_unary(b, "Flatten");
    for (size_t i = 2; i < b->rank; i++) {
        b->dims[1] *= b->dims[i];
    }
    b->rank = 2;
}

/* ---- Networks ---------------------------------------------------------------------------------
 */

/* One normalization for all scores, as the published networks have it: the deviation is computed
 * in the graph from constants of one value each. */
static void build_tensor_norm(struct model_builder *b)
{
    static const struct {
        const char *op;
        float value;
    } steps[] = {{"Sub", 1.75F}, {"Div", 0}, {"Mul", 2.2F}, {"Add", -0.11F}};
    const int64_t one[] = {1};
    const char *variance[] = {build_floats(b, one, 1, (const float[]){34.5F}),
                              build_floats(b, one, 1, (const float[]){1e-4F}), NULL};
    const char *sum[] = {build_node(b, "Add", variance, NULL, 0), build_scalar(b, 0.5), NULL};
    const char *deviation = build_node(b, "Pow", sum, NULL, 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const char *constant =
            strcmp(steps[i].op, "Div") == 0 ? deviation : build_floats(b, one, 1, &steps[i].value);
        build_append(b, steps[i].op, (const char *const[]){constant, NULL}, NULL, 0);
    }
}

bittern_status tfc_build(uint64_t seed, int weight_bits, int activation_bits,
                         struct bittern_model **model, struct bittern_error *err)
{
    enum weight_kind weights = weight_bits == 1   ? WEIGHTS_BIPOLAR
                               : weight_bits == 2 ? WEIGHTS_TERNARY
                               : weight_bits == 4 ? WEIGHTS_INT4
                                                  : WEIGHTS_INT8;
    struct model_builder b;
    build_begin(&b, "tfc", 13, (const int64_t[]){0, 1, 28, 28}, 4, seed, err);
    b.matmul = true;
    build_flatten(&b);
    build_arithmetic(&b, "Mul", 2);
    build_arithmetic(&b, "Sub", 1);
    for (size_t layer = 0; layer < 4; layer++) {
        if (activation_bits == 1) {
            build_bipolar(&b, 1);
        } else {
            build_quant(&b, 1 / (double)((1 << (activation_bits - 1)) - 1), 0, activation_bits,
                        true, true, "ROUND");
        }
        build_linear(&b, layer == 3 ? 10 : 64, weights, false);
        if (layer < 3) {
            build_batch_norm(&b, false);
        }
    }
    build_tensor_norm(&b);
    return build_end(&b, model);
}

static void build_conv_stage(struct model_builder *b, const struct conv_net_options *options,
                             int64_t filters)
{
    build_conv(b, filters, options->kernel, 1, options->padding, options->weights,
               options->has_bias);
    if (options->pool_place == POOL_BEHIND_CONV) {
        build_pool(b, options->pool, 2, 2, 0);
    }
    build_batch_norm(b, options->negative_gammas);
    if (options->pool_place == POOL_BEHIND_BATCH_NORM) {
        build_pool(b, options->pool, 2, 2, 0);
    }
    build_activation(b, options->activations, options->activation_bits,
                     options->activations == ACTIVATION_BIPOLAR
                         ? 1
                         : 2.0 / (double)(1 << options->activation_bits));
    if (options->pool_place == POOL_BEHIND_ACTIVATION) {
        build_pool(b, options->pool, 2, 2, 0);
    }
}

bittern_status conv_net_build(const struct conv_net_options *options, struct bittern_model **model,
                              struct bittern_error *err)
{
    struct model_builder b;
    const int64_t dims[] = {0, options->channels, options->side, options->side};
    build_begin(&b, "conv_net", 13, dims, 4, options->seed, err);
    b.per_channel_scales = options->per_channel_scales;
    b.matmul = options->matmul;
    b.power_of_two = options->power_of_two;
    build_quant(&b, options->power_of_two ? 1.0 / 256 : 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv_stage(&b, options, options->filters);
    build_conv_stage(&b, options, 2 * options->filters);
    build_flatten(&b);
    build_linear(&b, 32, options->weights, options->has_bias);
    build_batch_norm(&b, options->negative_gammas);
    build_activation(&b, options->activations, options->activation_bits,
                     options->activations == ACTIVATION_BIPOLAR
                         ? 1
                         : 2.0 / (double)(1 << options->activation_bits));
    build_linear(&b, 10, options->weights, options->has_bias);
    if (options->scores_batch_norm) {
        build_batch_norm(&b, false);
    }
    return build_end(&b, model);
}
