/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regularizers that draw weights towards a binary or a ternary set (Belbahri, Partovi Nia et al.),
 * alone: training runs in full precision with the extra loss
 *     lambda / #W * sum over filters k and weights i of R(w_i, mu_k)
 *     R1 = ||w| - mu|^p                  minima at {-mu, mu}
 *     R2 = |||w| - mu/2| - mu/2|^p       minima at {-mu, 0, mu}
 * and mu trained a filter. Evaluation and finish take the nearest minimum: for R2, 0 up to mu/2.
 */
#include "method/method_parts.h"

#include <math.h>

enum { MU }; /* parameter */

static bittern_status regularizer_create(struct method *method, struct bittern_error *err)
{
    bittern_status status = method_add_parameter(method, "mu", method->filters,
                                                 (double)METHOD_MINIMUM_SCALE, INFINITY, err);
    return status ? status : method_add_sums(method, 1, err);
}

static void regularizer_start(struct method *method, const float *latent)
{
    method_start_mu(method, latent, method->parameters[MU].value);
}

static void quantize_layer(const struct method *method, const float *latent, float *quantized)
{
    bool binary = method->class->kind == METHOD_R1;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        float mu = method->parameters[MU].value[f];
        if (binary) {
            method_write_signs(latent + at, method->size, mu, quantized + at);
        } else {
            method_write_ternary(latent + at, method->size, mu / 2, mu, mu, quantized + at);
        }
    }
}

static void regularizer_forward(struct method *method, const float *latent,
                                const struct method_step *step, float *quantized)
{
    if (step) {
        method_copy_layer(method, latent, quantized);
    } else {
        quantize_layer(method, latent, quantized);
    }
}

static void regularizer_backward(struct method *method, const float *latent, const float *quantized,
                                 const float *diff_quantized, float *diff_latent)
{
    method_backward_straight(method, latent, quantized, diff_quantized, diff_latent);
    for (size_t f = 0; f < method->filters; f++) {
        method->parameters[MU].gradient[f] = 0;
    }
}

/* Adds scale * dR/dw to diff, R to sum, and dR/dmu to sum_by_mu. */
METHOD_INLINE void add_block(const float *restrict row, size_t n, float mu, float scale,
                             bool ternary, bool square, float *restrict diff, double *sum,
                             double *sum_by_mu)
{
    float fold = ternary ? mu / 2 : 0.0F;
    float rest = mu - fold;
    float total = 0;
    float by_mu = 0;
#pragma omp simd reduction(+ : total, by_mu)
    for (size_t i = 0; i < n; i++) {
        float inner = fabsf(row[i]) - fold;
        float distance = fabsf(inner) - rest;
        float outer = square ? 2 * distance : method_sign(distance);
        float middle = ternary ? method_sign(inner) : 1.0F;
        total += square ? distance * distance : fabsf(distance);
        by_mu -= ternary ? outer * (middle + 1) / 2 : outer;
        diff[i] += scale * (outer * middle * method_sign(row[i]));
    }
    *sum += (double)total;
    *sum_by_mu += (double)by_mu;
}

static void add_row(const float *row, size_t size, float mu, float scale,
                    const struct method *method, float *diff, double *sum, double *by_mu)
{
    bool ternary = method->class->kind == METHOD_R2;
    bool square = method->config.power == 2;

    *sum = *by_mu = 0;
    for (size_t i = 0; i < size; i += METHOD_BLOCK) {
        size_t n = size - i < METHOD_BLOCK ? size - i : METHOD_BLOCK;
        if (ternary && square) {
            add_block(row + i, n, mu, scale, true, true, diff + i, sum, by_mu);
        } else if (ternary) {
            add_block(row + i, n, mu, scale, true, false, diff + i, sum, by_mu);
        } else if (square) {
            add_block(row + i, n, mu, scale, false, true, diff + i, sum, by_mu);
        } else {
            add_block(row + i, n, mu, scale, false, false, diff + i, sum, by_mu);
        }
    }
}

static double regularizer_add_loss(struct method *method, const float *latent, float *diff_latent)
{
    size_t size = method->size;
    struct method_parameter *mu = &method->parameters[MU];
    double *sums = method->state;
    double scale = method->config.lambda / ((double)method->filters * (double)size);

    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        double by_mu;
        add_row(latent + f * size, size, mu->value[f], (float)scale, method, diff_latent + f * size,
                &sums[f], &by_mu);
        mu->gradient[f] += (float)(scale * by_mu);
    }
    return scale * method_total(method, 1, 0);
}

static void regularizer_finish(struct method *method, const float *latent, float *quantized,
                               struct method_result *result)
{
    quantize_layer(method, latent, quantized);
    method_describe(method, quantized,
                    method->class->kind == METHOD_R1 ? METHOD_DEPTH_BINARY : METHOD_DEPTH_TERNARY,
                    result);
}

const struct method_class method_class_r1 = {
    .kind = METHOD_R1,
    .latent_count = 1,
    .create = regularizer_create,
    .destroy = method_free_state,
    .start = regularizer_start,
    .forward = regularizer_forward,
    .backward = regularizer_backward,
    .add_loss = regularizer_add_loss,
    .after_update = method_after_update,
    .finish = regularizer_finish,
};

const struct method_class method_class_r2 = {
    .kind = METHOD_R2,
    .latent_count = 1,
    .create = regularizer_create,
    .destroy = method_free_state,
    .start = regularizer_start,
    .forward = regularizer_forward,
    .backward = regularizer_backward,
    .add_loss = regularizer_add_loss,
    .after_update = method_after_update,
    .finish = regularizer_finish,
};
