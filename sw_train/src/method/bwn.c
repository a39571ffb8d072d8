/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary Weight Network (Rastegari et al.: XNOR-Net, ECCV 2016, arXiv 1603.05279, section 3.1):
 * W~ = mu * sign(W), mu = mean |W| a filter. The gradient is the paper's own,
 *     dC/dW_i = dC/dW~_i * (1/n + mu * 1{|W_i| <= 1}).
 */
#include "method/method_parts.h"

#include <math.h>

static double mean_magnitude(const struct method *method, const float *row)
{
    return method_sum_magnitudes(row, method->size) / (double)method->size;
}

static void bwn_forward(struct method *method, const float *latent, const struct method_step *step,
                        float *quantized)
{
    (void)step;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        const float *row = latent + f * method->size;
        float mu = fmaxf((float)mean_magnitude(method, row), METHOD_MINIMUM_SCALE);
        method_write_signs(row, method->size, mu, quantized + f * method->size);
    }
}

static void scale_gradient(const float *restrict row, const float *restrict g, size_t n,
                           float inside, float outside, float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = g[i] * (fabsf(row[i]) <= 1.0F ? inside : outside);
    }
}

static void bwn_backward(struct method *method, const float *latent, const float *quantized,
                         const float *diff_quantized, float *diff_latent)
{
    (void)quantized;
    double outside = 1 / (double)method->size;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        double inside = outside + mean_magnitude(method, latent + at);
        scale_gradient(latent + at, diff_quantized + at, method->size, (float)inside,
                       (float)outside, diff_latent + at);
    }
}

static void bwn_finish(struct method *method, const float *latent, float *quantized,
                       struct method_result *result)
{
    bwn_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_BINARY, result);
}

const struct method_class method_class_bwn = {
    .kind = METHOD_BWN,
    .latent_count = 1,
    .create = method_create_plain,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = bwn_forward,
    .backward = bwn_backward,
    .finish = bwn_finish,
};
