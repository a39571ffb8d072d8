/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trained Ternary Quantization (Zhu, Han, Mao, Dally, ICLR 2017, arXiv 1612.01064): levels
 * {-W_n, 0, W_p} a layer, W_p and W_n trained, split at Delta = t * max |W|.
 *     dL/dW_p = sum of g over w > Delta,  dL/dW_n = -sum of g over w < -Delta   (equation 7)
 *     dL/dw   = g * {W_p, 1, W_n} above, within, below                           (equation 8)
 *
 * Integer hardware needs W_p : W_n to be a ratio of small integers. Without a step (evaluation,
 * finish) the larger of the two stands, and the other one becomes the nearest p/q of it, p and q
 * at most 7.
 */
#include "method/method_parts.h"

#include <math.h>

#define MINIMUM_LEVEL 1e-6
#define MAXIMUM_STEPS 7

enum { POSITIVE, NEGATIVE };                                                  /* parameters */
enum { POSITIVE_SUM, NEGATIVE_SUM, POSITIVE_COUNT, NEGATIVE_COUNT, COLUMNS }; /* sums */

static bittern_status ttq_create(struct method *method, struct bittern_error *err)
{
    bittern_status status =
        method_add_parameter(method, "w_positive", 1, MINIMUM_LEVEL, INFINITY, err);
    if (!status) {
        status = method_add_parameter(method, "w_negative", 1, MINIMUM_LEVEL, INFINITY, err);
    }
    return status ? status : method_add_sums(method, COLUMNS, err);
}

static float find_threshold(const struct method *method, const float *latent)
{
    double *sums = method->state;
    METHOD_FOR_FILTERS(method, f)
    {
        sums[f * COLUMNS] =
            (double)method_largest_magnitude(latent + f * method->size, method->size);
    }
    double largest = 0;
    for (size_t f = 0; f < method->filters; f++) {
        largest = fmax(largest, sums[f * COLUMNS]);
    }
    return (float)(method->config.threshold * largest);
}

/* Sums of values, and counts, of what lies above the threshold and below its negative. */
static void sum_sides(const float *restrict row, const float *restrict values, size_t n,
                      float threshold, double *sums)
{
    double up = 0;
    double down = 0;
    double ups = 0;
    double downs = 0;
#pragma omp simd reduction(+ : up, down, ups, downs)
    for (size_t i = 0; i < n; i++) {
        float value = values[i];
        up += (double)(row[i] > threshold ? value : 0.0F);
        down += (double)(row[i] < -threshold ? value : 0.0F);
        ups += (double)(row[i] > threshold ? 1.0F : 0.0F);
        downs += (double)(row[i] < -threshold ? 1.0F : 0.0F);
    }
    sums[POSITIVE_SUM] = up;
    sums[NEGATIVE_SUM] = down;
    sums[POSITIVE_COUNT] = ups;
    sums[NEGATIVE_COUNT] = downs;
}

static void sum_layer(const struct method *method, const float *latent, const float *values,
                      float threshold)
{
    double *sums = method->state;
    METHOD_FOR_FILTERS(method, f)
    {
        size_t at = f * method->size;
        sum_sides(latent + at, values + at, method->size, threshold, sums + f * COLUMNS);
    }
}

/* Mean magnitude of each side; a side without weights starts as the other one. */
static void ttq_start(struct method *method, const float *latent)
{
    sum_layer(method, latent, latent, find_threshold(method, latent));
    double ups = method_total(method, COLUMNS, POSITIVE_COUNT);
    double downs = method_total(method, COLUMNS, NEGATIVE_COUNT);
    double up = ups > 0 ? method_total(method, COLUMNS, POSITIVE_SUM) / ups : 0;
    double down = downs > 0 ? -method_total(method, COLUMNS, NEGATIVE_SUM) / downs : 0;
    method->parameters[POSITIVE].value[0] = (float)(up > 0 ? up : down);
    method->parameters[NEGATIVE].value[0] = (float)(down > 0 ? down : up);
    method_clip_parameters(method);
}

/* small <= large: small becomes the nearest p/q * large, and both exact multiples of a step. */
static void round_ratio(float large, float *small)
{
    double ratio = (double)*small / (double)large;
    double best = 1;
    for (int q = 1; q <= MAXIMUM_STEPS; q++) {
        double p = fmax(rint(ratio * q), 1);
        if (fabs(p / q - ratio) < fabs(best - ratio)) {
            best = p / q;
        }
    }
    *small = (float)(best * (double)large);
}

static void ttq_forward(struct method *method, const float *latent, const struct method_step *step,
                        float *quantized)
{
    float threshold = find_threshold(method, latent);
    float positive = method->parameters[POSITIVE].value[0];
    float negative = method->parameters[NEGATIVE].value[0];

    if (!step) {
        if (positive >= negative) {
            round_ratio(positive, &negative);
        } else {
            round_ratio(negative, &positive);
        }
    }
    METHOD_FOR_FILTERS(method, f)
    {
        size_t at = f * method->size;
        method_write_ternary(latent + at, method->size, threshold, positive, negative,
                             quantized + at);
    }
}

static void scale_gradient(const float *restrict row, const float *restrict g, size_t n,
                           float threshold, float positive, float negative, float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        float factor = row[i] > threshold ? positive : 1.0F;
        factor = row[i] < -threshold ? negative : factor;
        out[i] = g[i] * factor;
    }
}

static void ttq_backward(struct method *method, const float *latent, const float *quantized,
                         const float *diff_quantized, float *diff_latent)
{
    (void)quantized;
    float threshold = find_threshold(method, latent);
    float positive = method->parameters[POSITIVE].value[0];
    float negative = method->parameters[NEGATIVE].value[0];

    sum_layer(method, latent, diff_quantized, threshold);
    method->parameters[POSITIVE].gradient[0] = (float)method_total(method, COLUMNS, POSITIVE_SUM);
    method->parameters[NEGATIVE].gradient[0] = -(float)method_total(method, COLUMNS, NEGATIVE_SUM);
    METHOD_FOR_FILTERS(method, f)
    {
        size_t at = f * method->size;
        scale_gradient(latent + at, diff_quantized + at, method->size, threshold, positive,
                       negative, diff_latent + at);
    }
}

static void ttq_after_update(struct method *method, float *latent)
{
    (void)latent;
    method_clip_parameters(method);
}

static void ttq_finish(struct method *method, const float *latent, float *quantized,
                       struct method_result *result)
{
    ttq_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_TERNARY, result);
}

const struct method_class method_class_ttq = {
    .kind = METHOD_TTQ,
    .latent_count = 1,
    .create = ttq_create,
    .destroy = method_free_state,
    .start = ttq_start,
    .forward = ttq_forward,
    .backward = ttq_backward,
    .after_update = ttq_after_update,
    .finish = ttq_finish,
};
