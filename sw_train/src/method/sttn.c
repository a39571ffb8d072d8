/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Soft Threshold Ternary Networks (Xu et al., IJCAI 2020, arXiv 2204.01234): in training a ternary
 * kernel is the sum of two binary ones, of latent weights W1 and W2 kept in [-1, 1]. A filter's
 *     alpha = (|W1|_1 + |W2|_1) / (2 n)
 *     T     = alpha * sign(W1) + alpha * sign(W2), in {-2 alpha, 0, 2 alpha}
 * and the gradient g of T, which each binary kernel receives, goes to its W as
 *     g_i + sign(W_i) * (1/n) * sum_j sign(W_j) * g_j.
 * Afterwards T is the kernel. W1 and W2 must start from different weights: from equal ones they
 * would receive equal gradients for ever, and T would stay binary.
 */
#include "method/method_parts.h"

#include <math.h>

static void add_signs(const float *restrict first, const float *restrict second, size_t n,
                      float level, float *restrict quantized)
{
    for (size_t i = 0; i < n; i++) {
        float a = first[i] >= 0.0F ? level : 0.0F;
        float b = second[i] >= 0.0F ? 0.0F : level;
        quantized[i] = a - b;
    }
}

static void sttn_forward(struct method *method, const float *latent, const struct method_step *step,
                         float *quantized)
{
    size_t size = method->size;
    const float *second = latent + method->filters * size;

    (void)step;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * size;
        double sum =
            method_sum_magnitudes(latent + at, size) + method_sum_magnitudes(second + at, size);
        float level = (float)(sum / (double)size); /* 2 alpha */
        add_signs(latent + at, second + at, size, level, quantized + at);
    }
}

static void add_signed(const float *restrict row, const float *restrict g, size_t n, float common,
                       float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = g[i] + (row[i] >= 0.0F ? common : -common);
    }
}

static void sttn_backward(struct method *method, const float *latent, const float *quantized,
                          const float *diff_quantized, float *diff_latent)
{
    size_t size = method->size;

    (void)quantized;
    for (size_t plane = 0; plane < 2; plane++) {
        const float *weights = latent + plane * method->filters * size;
        float *diff = diff_latent + plane * method->filters * size;
        METHOD_PARALLEL(method)
        for (size_t f = 0; f < method->filters; f++) {
            size_t at = f * size;
            double sum = method_sum_signed(weights + at, diff_quantized + at, size);
            add_signed(weights + at, diff_quantized + at, size, (float)(sum / (double)size),
                       diff + at);
        }
    }
}

static void sttn_finish(struct method *method, const float *latent, float *quantized,
                        struct method_result *result)
{
    sttn_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_TERNARY, result);
}

const struct method_class method_class_sttn = {
    .kind = METHOD_STTN,
    .latent_count = 2,
    .clips_latent = true,
    .create = method_create_plain,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = sttn_forward,
    .backward = sttn_backward,
    .after_update = method_after_update,
    .finish = sttn_finish,
};
