/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise kernels. Each is a plain float loop over one run of values, without calls and with
 * selections instead of branches, so that the compiler vectorizes it for any instruction set. The
 * public functions deal runs out to the threads and widen and narrow bfloat16.
 */
#include "graph/elementwise.h"

#include "backend/backend_bf16.h"

#include <math.h>
#include <string.h>

/* Values that a thread takes at a time: two float buffers of it fit a 32 KiB cache. */
#define RUN 2048

/* Half to even, for 0 <= x <= 2^22: the sum's unit in the last place is 1. */
static inline float round_half_even(float x)
{
    const float shift = 0x1.8p23F;
    return (x + shift) - shift;
}

/* ---- bfloat16 -------------------------------------------------------------------------------- */

void bf16_widen(const uint16_t *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = bf16_to_float(from[i]);
    }
}

void bf16_narrow(const float *from, uint16_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = bf16_from_float(from[i]);
    }
}

/* ---- Activations on one run ------------------------------------------------------------------ */

/* Selections are written so that a comparison with NaN, which is false, keeps the NaN. */
static void forward_run(const struct activation_numbers *numbers, const float *src, float *dst,
                        size_t count)
{
    const float range = numbers->range, levels = numbers->levels;
    const float inverse_step = numbers->inverse_step, step = numbers->step;
    switch (numbers->kind) {
    case ACTIVATION_IDENTITY:
        memmove(dst, src, count * sizeof(float));
        break;
    case ACTIVATION_RELU:
        for (size_t i = 0; i < count; i++) {
            dst[i] = src[i] < 0 ? 0 : src[i];
        }
        break;
    case ACTIVATION_CLIP:
        for (size_t i = 0; i < count; i++) {
            float x = src[i] < 0 ? 0 : src[i];
            dst[i] = x > range ? range : x;
        }
        break;
    case ACTIVATION_QUANT:
        for (size_t i = 0; i < count; i++) {
            float x = src[i] * inverse_step;
            x = x < 0 ? 0 : x;
            x = x > levels ? levels : x;
            dst[i] = round_half_even(x) * step;
        }
        break;
    case ACTIVATION_SIGN:
        for (size_t i = 0; i < count; i++) {
            float below = src[i] < 0 ? -1.0F : src[i];
            dst[i] = src[i] >= 0 ? 1.0F : below;
        }
        break;
    case ACTIVATION_TERNARY:
        for (size_t i = 0; i < count; i++) {
            float x = src[i];
            float inner = x * 0.0F + 0.0F; /* 0, or NaN */
            inner = x < -0.5F ? -1.0F : inner;
            dst[i] = x >= 0.5F ? 1.0F : inner;
        }
        break;
    }
}

static void backward_run(const struct activation_numbers *numbers, const float *src,
                         const float *diff_dst, float *diff_src, size_t count)
{
    const float range = numbers->range;
    switch (numbers->kind) {
    case ACTIVATION_IDENTITY:
        memmove(diff_src, diff_dst, count * sizeof(float));
        break;
    case ACTIVATION_RELU:
        for (size_t i = 0; i < count; i++) {
            float dy = diff_dst[i];
            diff_src[i] = src[i] > 0 ? dy : 0;
        }
        break;
    case ACTIVATION_CLIP:
    case ACTIVATION_QUANT:
        for (size_t i = 0; i < count; i++) {
            float x = src[i], dy = diff_dst[i];
            dy = x >= 0 ? dy : 0;
            diff_src[i] = x <= range ? dy : 0;
        }
        break;
    case ACTIVATION_SIGN:
    case ACTIVATION_TERNARY:
        for (size_t i = 0; i < count; i++) {
            float dy = diff_dst[i];
            diff_src[i] = fabsf(src[i]) <= 1.0F ? dy : 0;
        }
        break;
    }
}

bool activation_prepare(const struct activation_config *config, struct activation_numbers *numbers)
{
    bool ranged = config->kind == ACTIVATION_CLIP || config->kind == ACTIVATION_QUANT;
    bool quantized = config->kind == ACTIVATION_QUANT;
    if (ranged && !(config->range > 0 && isfinite(config->range))) {
        return false;
    }
    if (quantized && (config->bits < 2 || config->bits > 8)) {
        return false;
    }
    double range = ranged ? config->range : 1;
    double levels = quantized ? (double)((1U << config->bits) - 1) : 1;
    *numbers = (struct activation_numbers){
        .kind = config->kind,
        .range = (float)range,
        .levels = (float)levels,
        .inverse_step = (float)(levels / range),
        .step = (float)(range / levels),
    };
    return true;
}

/* ---- Over the threads ------------------------------------------------------------------------ */

static size_t run_length(size_t count, size_t start)
{
    return count - start < RUN ? count - start : RUN;
}

void activation_forward(const struct activation_numbers *numbers, enum backend_type type,
                        const void *src, void *dst, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += RUN) {
        size_t length = run_length(count, start);
        if (type == BACKEND_F32) {
            forward_run(numbers, (const float *)src + start, (float *)dst + start, length);
        } else {
            float buffer[RUN];
            bf16_widen((const uint16_t *)src + start, buffer, length);
            forward_run(numbers, buffer, buffer, length);
            bf16_narrow(buffer, (uint16_t *)dst + start, length);
        }
    }
}

void activation_backward(const struct activation_numbers *numbers, enum backend_type type,
                         const void *src, const void *diff_dst, void *diff_src, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += RUN) {
        size_t length = run_length(count, start);
        if (type == BACKEND_F32) {
            backward_run(numbers, (const float *)src + start, (const float *)diff_dst + start,
                         (float *)diff_src + start, length);
        } else {
            float value[RUN], gradient[RUN];
            bf16_widen((const uint16_t *)src + start, value, length);
            bf16_widen((const uint16_t *)diff_dst + start, gradient, length);
            backward_run(numbers, value, gradient, gradient, length);
            bf16_narrow(gradient, (uint16_t *)diff_src + start, length);
        }
    }
}

static void add_run(const float *a, const float *b, float *sum, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sum[i] = a[i] + b[i];
    }
}

void elementwise_add(enum backend_type type, const void *a, const void *b, void *sum, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += RUN) {
        size_t length = run_length(count, start);
        if (type == BACKEND_F32) {
            add_run((const float *)a + start, (const float *)b + start, (float *)sum + start,
                    length);
        } else {
            float left[RUN], right[RUN];
            bf16_widen((const uint16_t *)a + start, left, length);
            bf16_widen((const uint16_t *)b + start, right, length);
            add_run(left, right, left, length);
            bf16_narrow(left, (uint16_t *)sum + start, length);
        }
    }
}

void elementwise_copy(enum backend_type type, const void *src, void *dst, size_t count)
{
    size_t bytes = elementwise_bytes(type);
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += RUN) {
        memcpy((char *)dst + start * bytes, (const char *)src + start * bytes,
               run_length(count, start) * bytes);
    }
}

static void mask_run(const float *src, const uint8_t *mask, float factor, float *dst, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float product = src[i] * factor;
        dst[i] = mask[i] != 0 ? product : 0;
    }
}

void elementwise_mask(enum backend_type type, const void *src, const uint8_t *mask, float factor,
                      void *dst, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += RUN) {
        size_t length = run_length(count, start);
        if (type == BACKEND_F32) {
            mask_run((const float *)src + start, mask + start, factor, (float *)dst + start,
                     length);
        } else {
            float buffer[RUN];
            bf16_widen((const uint16_t *)src + start, buffer, length);
            mask_run(buffer, mask + start, factor, buffer, length);
            bf16_narrow(buffer, (uint16_t *)dst + start, length);
        }
    }
}

bool elementwise_is_finite(enum backend_type type, const void *values, size_t count)
{
    bool finite = true;
#pragma omp parallel for schedule(static) reduction(&& : finite)
    for (size_t start = 0; start < count; start += RUN) {
        size_t length = run_length(count, start);
        float buffer[RUN];
        const float *run = buffer;
        if (type == BACKEND_F32) {
            run = (const float *)values + start;
        } else {
            bf16_widen((const uint16_t *)values + start, buffer, length);
        }
        bool run_finite = true;
        for (size_t i = 0; i < length; i++) {
            run_finite &= isfinite(run[i]) != 0;
        }
        finite = finite && run_finite;
    }
    return finite;
}
