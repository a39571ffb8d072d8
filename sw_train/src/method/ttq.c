/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trained Ternary Quantization (Zhu, Han, Mao, Dally, ICLR 2017, arXiv 1612.01064): levels
 * {-W_n, 0, W_p} a layer, W_p and W_n trained, split at Delta = t * max |W|.
 *     dL/dW_p = sum of g over w > Delta,  dL/dW_n = -sum of g over w < -Delta   (equation 7)
 *     dL/dw   = g * {W_p, 1, W_n} above, within, below                           (equation 8)
 *
 * Integer hardware needs W_p : W_n to be a ratio of small integers. Without a step (evaluation,
 * finish) the larger of the two stands, but for its last bit, and the other one becomes the nearest
 * p/q of it, p and q at most 7.
 */
#include "method/method_parts.h"

#include <math.h>

#define MINIMUM_LEVEL 1e-6
#define MAXIMUM_STEPS 7

enum { POSITIVE, NEGATIVE };                  /* parameters */
enum { POSITIVE_SUM, NEGATIVE_SUM, COLUMNS }; /* sums */

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
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        sums[f * COLUMNS] =
            (double)method_largest_magnitude(latent + f * method->size, method->size);
    }
    double largest = 0;
    for (size_t f = 0; f < method->filters; f++) {
        largest = fmax(largest, sums[f * COLUMNS]);
    }
    return (float)(method->config.threshold * largest);
}

/* Sums of values where the weight is above the threshold, and below its negative. */
static void sum_sides(const float *restrict row, const float *restrict values, size_t n,
                      float threshold, double *sums)
{
    double up = 0;
    double down = 0;
#pragma omp simd reduction(+ : up, down)
    for (size_t i = 0; i < n; i++) {
        float value = values[i];
        up += (double)(row[i] > threshold ? value : 0.0F);
        down += (double)(row[i] < -threshold ? value : 0.0F);
    }
    sums[POSITIVE_SUM] = up;
    sums[NEGATIVE_SUM] = down;
}

static void sum_layer(const struct method *method, const float *latent, const float *values,
                      float threshold, double *up, double *down)
{
    double *sums = method->state;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        sum_sides(latent + at, values + at, method->size, threshold, sums + f * COLUMNS);
    }
    *up = method_total(method, COLUMNS, POSITIVE_SUM);
    *down = method_total(method, COLUMNS, NEGATIVE_SUM);
}

/* Mean magnitude of each side; a side without weights starts as the other one. */
static void ttq_start(struct method *method, const float *latent)
{
    float threshold = find_threshold(method, latent);
    size_t ups = 0;
    size_t downs = 0;
    double up;
    double down;

    for (size_t i = 0; i < method->filters * method->size; i++) {
        ups += latent[i] > threshold;
        downs += latent[i] < -threshold;
    }
    sum_layer(method, latent, latent, threshold, &up, &down);
    up = ups > 0 ? up / (double)ups : 0;
    down = downs > 0 ? -down / (double)downs : 0;
    method->parameters[POSITIVE].value[0] = (float)(up > 0 ? up : down);
    method->parameters[NEGATIVE].value[0] = (float)(down > 0 ? down : up);
    method_clip_parameters(method);
}

/* small <= large: both become exact multiples of one float32 step, q and p times it, so that a
 * quantizer with that step gives them bit for bit; large moves by its rounding, small to the
 * nearest p/q. */
static void round_ratio(float *large, float *small)
{
    double ratio = (double)*small / (double)*large;
    int best_p = 1;
    int best_q = 1;
    for (int q = 1; q <= MAXIMUM_STEPS; q++) {
        int p = (int)fmax(rint(ratio * q), 1);
        if (fabs((double)p / q - ratio) < fabs((double)best_p / best_q - ratio)) {
            best_p = p;
            best_q = q;
        }
    }
    float step = *large / (float)best_q;
    *large = step * (float)best_q;
    *small = step * (float)best_p;
}

static void ttq_forward(struct method *method, const float *latent, const struct method_step *step,
                        float *quantized)
{
    float threshold = find_threshold(method, latent);
    float positive = method->parameters[POSITIVE].value[0];
    float negative = method->parameters[NEGATIVE].value[0];

    if (!step) {
        if (positive >= negative) {
            round_ratio(&positive, &negative);
        } else {
            round_ratio(&negative, &positive);
        }
    }
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
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

    double up;
    double down;

    sum_layer(method, latent, diff_quantized, threshold, &up, &down);
    method->parameters[POSITIVE].gradient[0] = (float)up;
    method->parameters[NEGATIVE].gradient[0] = (float)-down;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        scale_gradient(latent + at, diff_quantized + at, method->size, threshold, positive,
                       negative, diff_latent + at);
    }
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
    .after_update = method_after_update,
    .finish = ttq_finish,
};
