/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the weight methods share: extra parameters and buffers, sums over a filter's row, clipping.
 * Loops over filters run in parallel; sums are made a filter at a time, in double, and added up in
 * the filters' order, so that they are the same for any number of threads.
 */
#ifndef BITTERN_TRAIN_METHOD_PARTS_H
#define BITTERN_TRAIN_METHOD_PARTS_H

#include "method/method.h"

/* Before a loop over the filters of a method m: parallel, unless that costs more than it saves. */
#define METHOD_PARALLEL_MINIMUM 32768
#define METHOD_PRAGMA(text) _Pragma(#text)
#define METHOD_PARALLEL(m)                                                                         \
    METHOD_PRAGMA(omp parallel for schedule(static)                                                \
                      if ((m)->filters * (m)->size >= METHOD_PARALLEL_MINIMUM))

/* A function with constant arguments, to be compiled for each set of them. */
#define METHOD_INLINE static inline __attribute__((always_inline))

/* Weights that are worked on at once, an even number: their terms are added up in float before the
 * sum goes on in double, since conversions cost more than the terms. */
#define METHOD_BLOCK 256

/* A binary filter has no zeros: its scale is never less than this, though all weights be 0. */
#define METHOD_MINIMUM_SCALE 0x1p-60F

/* Append to method->parameters or ->buffers, zeroed; method_free releases them. */
bittern_status method_add_parameter(struct method *method, const char *name, size_t count,
                                    double minimum, double maximum, struct bittern_error *err);
bittern_status method_add_buffer(struct method *method, const char *name, size_t count,
                                 struct bittern_error *err);
/* method->state = [filters][columns] doubles, for sums that are added up in order. */
bittern_status method_add_sums(struct method *method, size_t columns, struct bittern_error *err);
/* Sum of column over the filters. */
double method_total(const struct method *method, size_t columns, size_t column);
/* `destroy` of a method whose state is one allocation, or none. */
void method_free_state(struct method *method);

/* `create` and `start` of a method that has nothing to set up. */
bittern_status method_create_plain(struct method *method, struct bittern_error *err);
void method_start_plain(struct method *method, const float *latent);
/* `backward` of the straight-through estimator: the gradient as it is. */
void method_backward_straight(struct method *method, const float *latent, const float *quantized,
                              const float *diff_quantized, float *diff_latent);
/* [filters][size] from one array to another. */
void method_copy_layer(const struct method *method, const float *from, float *to);

/* Row of n weights. */
double method_sum_magnitudes(const float *restrict row, size_t n);
float method_largest_magnitude(const float *restrict row, size_t n);
/* Sum over i of sign(w) * g, sign(0) = +1. */
double method_sum_signed(const float *restrict row, const float *restrict g, size_t n);

/* quantized = scale * sign(w), sign(0) = +1. */
void method_write_signs(const float *restrict row, size_t n, float scale,
                        float *restrict quantized);
/* quantized = positive where w > threshold, -negative where w < -threshold, else 0. */
void method_write_ternary(const float *restrict row, size_t n, float threshold, float positive,
                          float negative, float *restrict quantized);

/* sign(0) = 0: a subgradient of |x|. */
static inline float method_sign(float x)
{
    return x > 0.0F ? 1.0F : x < 0.0F ? -1.0F : 0.0F;
}

/* Extra parameters to their minimum and maximum. */
void method_clip_parameters(struct method *method);
/* `after_update`: that, and latent weights to [-1, 1] where the class says so. */
void method_after_update(struct method *method, float *latent);

/* mu[f] = mean |w| of filter f, but at least its minimum: where a trained mu starts. */
void method_start_mu(struct method *method, const float *latent, float *mu);

/* Fill in result for final weights of a depth. */
void method_describe(const struct method *method, const float *quantized, enum method_depth depth,
                     struct method_result *result);

#endif
