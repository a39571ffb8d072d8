/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of 8 bits, for first and last layers: -127..127 times a step a filter,
 *     step = max |w| / 127,  q = step * round_half_to_even(w / step).
 * The gradient passes as it is. The compiler sees seven ternary planes in them.
 */
#include "method/method_parts.h"

#include <float.h>

/* Adding and taking away 1.5 * 2^23 rounds a float below 2^22 to an integer, half to even, in two
 * instructions of any vector width; the intermediate sum must not be optimized away. */
#define ROUNDING 12582912.0F

static void quantize_row(const float *restrict row, size_t n, float step, float inverse,
                         float *restrict quantized)
{
    for (size_t i = 0; i < n; i++) {
        quantized[i] = step * ((row[i] * inverse + ROUNDING) - ROUNDING);
    }
}

static void int8_forward(struct method *method, const float *latent, const struct method_step *step,
                         float *quantized)
{
    (void)step;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        float largest = method_largest_magnitude(latent + at, method->size);
        float unit = largest / 127.0F;
        /* A step that is no normal float would not give exact multiples. */
        float inverse = unit >= FLT_MIN ? 1.0F / unit : 0.0F;
        quantize_row(latent + at, method->size, unit, inverse, quantized + at);
    }
}

static void int8_finish(struct method *method, const float *latent, float *quantized,
                        struct method_result *result)
{
    int8_forward(method, latent, NULL, quantized);
    method_describe(method, quantized, METHOD_DEPTH_INT8, result);
}

const struct method_class method_class_int8 = {
    .kind = METHOD_INT8,
    .latent_count = 1,
    .create = method_create_plain,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = int8_forward,
    .backward = method_backward_straight,
    .finish = int8_finish,
};
