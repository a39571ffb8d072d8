/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes over all values of a tensor, whatever its layout: activations, sums, masks. Values are
 * float32 or bfloat16; arithmetic is in float32, and a bfloat16 result is rounded to nearest even.
 *
 * These passes are bound by memory. Threads take equal runs of values; a bfloat16 run is widened
 * into a small buffer that stays in the first-level cache, so that each kernel is one float loop.
 */
#ifndef BITTERN_TRAIN_GRAPH_ELEMENTWISE_H
#define BITTERN_TRAIN_GRAPH_ELEMENTWISE_H

#include "graph/graph.h"

/*
 * An activation's constants. With levels = 2^bits - 1, and both quotients rounded to float once,
 *     inverse_step = levels / range,  step = range / levels,
 * QUANT is, in float arithmetic, one rounding an operation,
 *     q = round half to even(min(max(x * inverse_step, 0), levels)),  y = q * step
 * which is a QONNX Quant node with scale = step, zero point 0, unsigned, rounding mode ROUND.
 */
struct activation_numbers {
    enum activation_kind kind;
    float range, levels, inverse_step, step;
};

/* @return false where bits or range is outside of what the kind allows */
bool activation_prepare(const struct activation_config *config, struct activation_numbers *numbers);

/* dst = activation(src); they may be the same memory. A value that is not a number stays so. */
void activation_forward(const struct activation_numbers *numbers, enum backend_type type,
                        const void *src, void *dst, size_t count);
/* diff_src = diff_dst where the gradient passes, else 0; src: the input of the forward pass.
 * diff_src may be diff_dst. */
void activation_backward(const struct activation_numbers *numbers, enum backend_type type,
                         const void *src, const void *diff_dst, void *diff_src, size_t count);

/* sum = a + b; any of them may be the same memory */
void elementwise_add(enum backend_type type, const void *a, const void *b, void *sum, size_t count);
void elementwise_copy(enum backend_type type, const void *src, void *dst, size_t count);
/* dst = mask ? src * factor : 0 */
void elementwise_mask(enum backend_type type, const void *src, const uint8_t *mask, float factor,
                      void *dst, size_t count);
bool elementwise_is_finite(enum backend_type type, const void *values, size_t count);

static inline size_t elementwise_bytes(enum backend_type type)
{
    return type == BACKEND_BF16 ? sizeof(uint16_t) : sizeof(float);
}

void bf16_widen(const uint16_t *from, float *to, size_t count);
void bf16_narrow(const float *from, uint16_t *to, size_t count);

#endif
