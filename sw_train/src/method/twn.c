/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ternary Weight Networks (Li, Zhang, Liu 2016, arXiv 1605.04711, equations 3 to 6):
 *     Delta = 0.7 * mean |W|
 *     W_t   = sign(W) where |W| > Delta, else 0
 *     mu    = mean of |w| over |w| > Delta = <W_t, W> / <W_t, W_t>
 * over the whole layer, or a filter. The gradient passes to the latent weights as it is.
 */
#include "method/method_parts.h"

#include <math.h>

enum { SUM, COUNT, COLUMNS };

static bittern_status twn_create(struct method *method, struct bittern_error *err)
{
    return method_add_sums(method, COLUMNS, err);
}

/* Of the magnitudes above threshold: sums[SUM] and sums[COUNT]. A run at a time is selected in
 * float, then added up in double: in one loop the compiler branches on each weight, and 1.6 million
 * of them take 9.5 ms instead of 0.64. */
static void sum_above(const float *restrict row, size_t n, float threshold, double *sums)
{
    enum { RUN = 1024 };
    float above[RUN];
    double sum = 0;
    size_t count = 0;
    for (size_t start = 0; start < n; start += RUN) {
        size_t length = n - start < RUN ? n - start : RUN;
        int32_t some = 0;
        for (size_t i = 0; i < length; i++) {
            float magnitude = fabsf(row[start + i]);
            int32_t is_above = magnitude > threshold;
            some += is_above;
            above[i] = is_above ? magnitude : 0.0F;
        }
        count += (size_t)some;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < length; i++) {
            sum += (double)above[i];
        }
    }
    sums[SUM] = sum;
    sums[COUNT] = (double)count;
}

static float mean_above(double sum, double count)
{
    return count > 0 ? (float)(sum / count) : 0.0F;
}

static void forward_filters(struct method *method, const float *latent, float *quantized)
{
    size_t size = method->size;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        const float *row = latent + f * size;
        double sums[COLUMNS];
        double mean = method_sum_magnitudes(row, size) / (double)size;
        float threshold = (float)(method->config.threshold * mean);
        sum_above(row, size, threshold, sums);
        float mu = mean_above(sums[SUM], sums[COUNT]);
        method_write_ternary(row, size, threshold, mu, mu, quantized + f * size);
    }
}

static void forward_layer(struct method *method, const float *latent, float *quantized)
{
    size_t size = method->size;
    double *sums = method->state;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        sums[f * COLUMNS + SUM] = method_sum_magnitudes(latent + f * size, size);
    }
    double mean =
        method_total(method, COLUMNS, SUM) / ((double)method->filters * (double)method->size);
    float threshold = (float)(method->config.threshold * mean);
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        sum_above(latent + f * size, size, threshold, sums + f * COLUMNS);
    }
    float mu = mean_above(method_total(method, COLUMNS, SUM), method_total(method, COLUMNS, COUNT));
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        method_write_ternary(latent + f * size, size, threshold, mu, mu, quantized + f * size);
    }
}

static void twn_forward(struct method *method, const float *latent, const struct method_step *step,
                        float *quantized)
{
    (void)step;
    if (method->config.per_filter) {
        forward_filters(method, latent, quantized);
    } else {
        forward_layer(method, latent, quantized);
    }
}

static void twn_finish(struct method *method, const float *latent, float *quantized,
                       struct method_result *result)
{
    twn_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_TERNARY, result);
}

const struct method_class method_class_twn = {
    .kind = METHOD_TWN,
    .latent_count = 1,
    .create = twn_create,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = twn_forward,
    .backward = method_backward_straight,
    .finish = twn_finish,
};
