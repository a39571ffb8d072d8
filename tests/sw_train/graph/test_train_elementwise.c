/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise kernels against their definitions in double, value by value. */
#include "graph/elementwise.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More than two runs of the kernels, and not a multiple of any vector. */
#define COUNT 4103

static const struct activation_config all_kinds[] = {
    {.kind = ACTIVATION_IDENTITY},
    {.kind = ACTIVATION_RELU},
    {.kind = ACTIVATION_CLIP, .range = 1.25},
    {.kind = ACTIVATION_QUANT, .bits = 2, .range = 1},
    {.kind = ACTIVATION_QUANT, .bits = 4, .range = 3},
    {.kind = ACTIVATION_QUANT, .bits = 8, .range = 4},
    {.kind = ACTIVATION_SIGN},
    {.kind = ACTIVATION_TERNARY},
};
#define KINDS (sizeof(all_kinds) / sizeof(all_kinds[0]))

/* Everywhere within and around the ranges, borders and ties of the kinds included. */
static void fill(float *values)
{
    const float borders[] = {0.0F, -0.0F, 0.5F,  -0.5F,  1.0F,     -1.0F,    1.25F,    3.0F,
                             4.0F, 0.1F,  1e30F, -1e30F, 1.0F / 6, 0.5F / 3, INFINITY, -INFINITY};
    uint64_t random = 3;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (float)(8 * random_unit(&random) - 3);
    }
    memcpy(values + 100, borders, sizeof(borders));
}

static double define(const struct activation_config *config, float x)
{
    double clipped = fmin(fmax(0, (double)x), config->range);
    switch (config->kind) {
    case ACTIVATION_RELU:
        return fmax(0, (double)x);
    case ACTIVATION_CLIP:
        return clipped;
    case ACTIVATION_SIGN:
        return x >= 0 ? 1 : -1;
    case ACTIVATION_TERNARY:
        return x >= 0.5F ? 1 : x < -0.5F ? -1 : 0;
    case ACTIVATION_QUANT: {
        /* the header's formula, in the library's own rounding */
        float levels = (float)((1U << config->bits) - 1);
        float q = x * (float)(((1U << config->bits) - 1) / config->range);
        q = rintf(fminf(fmaxf(q, 0), levels));
        return (double)(q * (float)(config->range / ((1U << config->bits) - 1)));
    }
    case ACTIVATION_IDENTITY:
        break;
    }
    return (double)x;
}

static bool passes(const struct activation_config *config, float x)
{
    switch (config->kind) {
    case ACTIVATION_RELU:
        return x > 0;
    case ACTIVATION_CLIP:
    case ACTIVATION_QUANT:
        return x >= 0 && (double)x <= config->range;
    case ACTIVATION_SIGN:
    case ACTIVATION_TERNARY:
        return fabsf(x) <= 1;
    case ACTIVATION_IDENTITY:
        break;
    }
    return true;
}

/* Would catch: a wrong branch at a border, a tie rounded away from even, a tail left out. */
static void activations_are_their_definitions(void **state)
{
    (void)state;
    static float x[COUNT], y[COUNT];
    fill(x);
    for (size_t k = 0; k < KINDS; k++) {
        struct activation_numbers numbers;
        assert_true(activation_prepare(&all_kinds[k], &numbers));
        activation_forward(&numbers, BACKEND_F32, x, y, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            if ((double)y[i] != (double)(float)define(&all_kinds[k], x[i])) {
                fail_msg("kind %zu: %g gives %g, not %g", k, (double)x[i], (double)y[i],
                         define(&all_kinds[k], x[i]));
            }
        }
    }
}

/* Would catch: levels that are not q * step with q = 0..2^bits - 1, a level that cannot be
 * reached. */
static void quantized_values_are_all_levels(void **state)
{
    (void)state;
    for (unsigned bits = 2; bits <= 8; bits++) {
        struct activation_config config = {.kind = ACTIVATION_QUANT, .bits = bits, .range = 2.5};
        struct activation_numbers numbers;
        assert_true(activation_prepare(&config, &numbers));
        float levels[256], result[256];
        size_t count = (size_t)1 << bits;
        for (size_t i = 0; i < count; i++) {
            levels[i] = (float)i * numbers.step;
        }
        activation_forward(&numbers, BACKEND_F32, levels, result, count);
        assert_memory_equal(levels, result, count * sizeof(float));
    }
}

/* Would catch: a wrong mask at a border; reading the gradient after it was overwritten. */
static void activation_gradients_pass_where_they_should(void **state)
{
    (void)state;
    static float x[COUNT], dy[COUNT], dx[COUNT];
    fill(x);
    for (size_t k = 0; k < KINDS; k++) {
        struct activation_numbers numbers;
        assert_true(activation_prepare(&all_kinds[k], &numbers));
        for (size_t i = 0; i < COUNT; i++) {
            dy[i] = (float)i + 1;
        }
        activation_backward(&numbers, BACKEND_F32, x, dy, dx, COUNT);
        activation_backward(&numbers, BACKEND_F32, x, dy, dy, COUNT);
        assert_memory_equal(dx, dy, sizeof(dx));
        for (size_t i = 0; i < COUNT; i++) {
            float expected = passes(&all_kinds[k], x[i]) ? (float)i + 1 : 0;
            assert_true(dx[i] == expected);
        }
    }
}

/* Would catch: a clamp that turns a NaN into a number, so that a diverged run goes on unseen. */
static void activations_keep_not_a_number(void **state)
{
    (void)state;
    float x[40], y[40];
    for (size_t k = 0; k < KINDS; k++) {
        struct activation_numbers numbers;
        assert_true(activation_prepare(&all_kinds[k], &numbers));
        for (size_t i = 0; i < 40; i++) {
            x[i] = i % 3 == 0 ? NAN : 0.25F;
        }
        activation_forward(&numbers, BACKEND_F32, x, y, 40);
        for (size_t i = 0; i < 40; i++) {
            assert_true((i % 3 == 0) == (isnan(y[i]) != 0));
        }
    }
}

/* Would catch: bits or a range accepted that make no function. */
static void impossible_activations_are_refused(void **state)
{
    (void)state;
    const struct activation_config wrong[] = {
        {.kind = ACTIVATION_QUANT, .bits = 1, .range = 1},
        {.kind = ACTIVATION_QUANT, .bits = 9, .range = 1},
        {.kind = ACTIVATION_QUANT, .bits = 4, .range = 0},
        {.kind = ACTIVATION_QUANT, .bits = 4, .range = NAN},
        {.kind = ACTIVATION_CLIP, .range = -1},
        {.kind = ACTIVATION_CLIP, .range = INFINITY},
    };
    struct activation_numbers numbers;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(activation_prepare(&wrong[i], &numbers));
    }
}

/* ---- bfloat16 -------------------------------------------------------------------------------- */

static double bf16_value(uint16_t bits)
{
    float value;
    bf16_widen(&bits, &value, 1);
    return (double)value;
}

/* Would catch: truncation, ties away from even, an overflow or NaN that comes out as a number. */
static void floats_round_to_the_nearest_bf16(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (size_t i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)random_u64(&random);
        bits = i % 4 == 0 ? bits & 0xFFFF8000U : bits; /* ties, too */
        float x;
        uint16_t narrow;
        memcpy(&x, &bits, sizeof(x));
        bf16_narrow(&x, &narrow, 1);
        if (isnan(x)) {
            assert_true(isnan(bf16_value(narrow)));
            continue;
        }
        /* the two neighbours, truncated and one step farther from zero */
        uint16_t low = (uint16_t)(bits >> 16), high = (uint16_t)(low + 1);
        uint32_t rest = bits & 0xFFFFU;
        bool up = rest > 0x8000U || (rest == 0x8000U && (low & 1U) != 0);
        assert_int_equal(narrow, up ? high : low);
    }
}

/* Would catch: a bf16 kernel that differs from the float one by more than its rounding. */
static void bf16_kernels_are_float_kernels_rounded(void **state)
{
    (void)state;
    static float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT];
    static uint16_t bx[COUNT], by[COUNT], bdy[COUNT], bdx[COUNT], rounded[COUNT];
    fill(x);
    bf16_narrow(x, bx, COUNT);
    bf16_widen(bx, x, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        dy[i] = (float)(i % 200) - 100;
    }
    bf16_narrow(dy, bdy, COUNT);
    for (size_t k = 0; k < KINDS; k++) {
        struct activation_numbers numbers;
        assert_true(activation_prepare(&all_kinds[k], &numbers));
        activation_forward(&numbers, BACKEND_F32, x, y, COUNT);
        activation_forward(&numbers, BACKEND_BF16, bx, by, COUNT);
        bf16_narrow(y, rounded, COUNT);
        assert_memory_equal(by, rounded, sizeof(by));
        activation_backward(&numbers, BACKEND_F32, x, dy, dx, COUNT);
        activation_backward(&numbers, BACKEND_BF16, bx, bdy, bdx, COUNT);
        bf16_narrow(dx, rounded, COUNT);
        assert_memory_equal(bdx, rounded, sizeof(bdx));
    }
    elementwise_add(BACKEND_F32, x, dy, y, COUNT);
    elementwise_add(BACKEND_BF16, bx, bdy, by, COUNT);
    bf16_narrow(y, rounded, COUNT);
    assert_memory_equal(by, rounded, sizeof(by));
    elementwise_copy(BACKEND_BF16, bx, by, COUNT);
    assert_memory_equal(by, bx, sizeof(by));
}

/* ---- The others ------------------------------------------------------------------------------ */

/* Would catch: a tail left out, a factor forgotten, a mask applied the wrong way round. */
static void sums_copies_and_masks_take_every_value(void **state)
{
    (void)state;
    static float a[COUNT], b[COUNT], y[COUNT];
    static uint8_t mask[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        a[i] = (float)i;
        b[i] = (float)(3 * i);
        mask[i] = i % 3 == 1;
    }
    elementwise_add(BACKEND_F32, a, b, y, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[i] == (float)(4 * i));
    }
    elementwise_copy(BACKEND_F32, a, y, COUNT);
    assert_memory_equal(a, y, sizeof(y));
    elementwise_mask(BACKEND_F32, a, mask, 2.0F, y, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[i] == (i % 3 == 1 ? (float)(2 * i) : 0));
    }
}

/* Would catch: a value that is not finite missed anywhere, in either type. */
static void one_value_that_is_not_finite_is_found(void **state)
{
    (void)state;
    static float x[COUNT];
    static uint16_t narrow[COUNT];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    assert_true(elementwise_is_finite(BACKEND_F32, x, COUNT));
    for (size_t i = 0; i < COUNT; i += 97) {
        x[i] = bad[i % 3];
        bf16_narrow(x, narrow, COUNT);
        assert_false(elementwise_is_finite(BACKEND_F32, x, COUNT));
        assert_false(elementwise_is_finite(BACKEND_BF16, narrow, COUNT));
        x[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_their_definitions),
        cmocka_unit_test(quantized_values_are_all_levels),
        cmocka_unit_test(activation_gradients_pass_where_they_should),
        cmocka_unit_test(activations_keep_not_a_number),
        cmocka_unit_test(impossible_activations_are_refused),
        cmocka_unit_test(floats_round_to_the_nearest_bf16),
        cmocka_unit_test(bf16_kernels_are_float_kernels_rounded),
        cmocka_unit_test(sums_copies_and_masks_take_every_value),
        cmocka_unit_test(one_value_that_is_not_finite_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
