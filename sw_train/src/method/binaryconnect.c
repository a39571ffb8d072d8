/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BinaryConnect (Courbariaux, Bengio, David: BinaryConnect, NIPS 2015, arXiv 1511.00363):
 * weights are the signs of the latent ones, which are kept in [-1, 1]. The stochastic form draws
 * +1 with the probability hard_sigmoid(w) = clip((w + 1) / 2, 0, 1) in training (equations 1 to 3).
 */
#include "base/rng.h"
#include "method/method_parts.h"

#include <math.h>

/* Uniform in [0,1), in steps of 2^-24; two from each draw. n <= METHOD_BLOCK. */
static void draw_block(struct rng *rng, size_t n, float uniform[METHOD_BLOCK])
{
    for (size_t i = 0; i < n; i += 2) {
        uint64_t bits = rng_next(rng);
        uniform[i] = (float)(bits >> 40) * 0x1p-24F;
        uniform[i + 1] = (float)(bits >> 8 & 0xFFFFFF) * 0x1p-24F;
    }
}

/* +1 with probability (w + 1) / 2. Above 1 always, below -1 never: no need to clip. */
static void write_drawn(const float *restrict row, const float *restrict uniform, size_t n,
                        float *restrict quantized)
{
    for (size_t i = 0; i < n; i++) {
        quantized[i] = uniform[i] < (row[i] + 1.0F) / 2.0F ? 1.0F : -1.0F;
    }
}

/* A stream of random numbers for each (seed, step, layer, filter), whatever thread draws it. */
static void draw_signs(const struct method *method, const float *latent,
                       const struct method_step *step, float *quantized)
{
    size_t size = method->size;
    struct rng of_step = rng_start(step->seed, RNG_STOCHASTIC_SIGN, step->step);
    struct rng of_layer = rng_start(rng_next(&of_step), RNG_STOCHASTIC_SIGN, step->layer);
    uint64_t seed = rng_next(&of_layer);

    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        float uniform[METHOD_BLOCK];
        struct rng rng = rng_start(seed, RNG_STOCHASTIC_SIGN, f);
        for (size_t i = 0; i < size; i += METHOD_BLOCK) {
            size_t n = size - i < METHOD_BLOCK ? size - i : METHOD_BLOCK;
            draw_block(&rng, n, uniform);
            write_drawn(latent + f * size + i, uniform, n, quantized + f * size + i);
        }
    }
}

static void binaryconnect_forward(struct method *method, const float *latent,
                                  const struct method_step *step, float *quantized)
{
    if (step && method->config.stochastic) {
        draw_signs(method, latent, step, quantized);
        return;
    }
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        method_write_signs(latent + at, method->size, 1.0F, quantized + at);
    }
}

/* Straight through where |w| <= 1. */
static void pass_inside(const float *restrict row, const float *restrict g, size_t n,
                        float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i];
        out[i] = fabsf(row[i]) <= 1.0F ? gradient : 0.0F;
    }
}

static void binaryconnect_backward(struct method *method, const float *latent,
                                   const float *quantized, const float *diff_quantized,
                                   float *diff_latent)
{
    (void)quantized;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        pass_inside(latent + at, diff_quantized + at, method->size, diff_latent + at);
    }
}

static void binaryconnect_finish(struct method *method, const float *latent, float *quantized,
                                 struct method_result *result)
{
    binaryconnect_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_BINARY, result);
}

const struct method_class method_class_binaryconnect = {
    .kind = METHOD_BINARYCONNECT,
    .latent_count = 1,
    .clips_latent = true,
    .create = method_create_plain,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = binaryconnect_forward,
    .backward = binaryconnect_backward,
    .after_update = method_after_update,
    .finish = binaryconnect_finish,
};
