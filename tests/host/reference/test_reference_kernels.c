/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each kernel's functions on their own, of those that this CPU runs and those of other CPUs in
 * emulation (kernels_emulated.h): dot products against a loop over single products, scaled codes
 * against division.
 */
#include "kernels_emulated.h"
#include "reference/plan.h"
#include "testing.h"
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
enum { DOTS = 20 };
#else
enum { DOTS = 200 };
#endif

/* A random layer that is one full connection, enough for reference_pack_weights. */
struct dot_case {
    struct bittern_layer layer;
    struct bittern_plane planes[BITTERN_MAX_PLANES];
    size_t plane_count;
    struct reference_layer plan;
    struct reference_plane packed;
    enum bittern_value_kind kind;
    size_t inputs, outputs, points;
    bool extreme;    /* largest weights and values only */
    uint8_t *codes;  /* [point][input] */
    uint8_t *values; /* [point], packed */
    size_t value_bytes;
};

static void make_plane(struct dot_case *d, bool ternary, int32_t multiplier, uint64_t *seed)
{
    size_t words = (d->inputs + 63) / 64;
    uint64_t *plus = calloc(words * d->outputs, sizeof *plus);
    uint64_t *minus = ternary ? calloc(words * d->outputs, sizeof *minus) : NULL;
    assert_non_null(plus);
    assert_true(minus || !ternary);
    for (size_t i = 0; i < words * d->outputs; ++i) {
        size_t tail = d->inputs - i % words * 64;
        uint64_t mask = tail < 64 ? (UINT64_C(1) << tail) - 1 : UINT64_MAX;
        uint64_t nonzero = ternary ? random_u64(seed) : UINT64_MAX;
        /* Every other output channel has equal weights only, so that narrow sums come to their ends
         * where the values are equal too. */
        uint64_t sign = random_u64(seed);
        if (i / words % 2 == 1) {
            sign = i / words % 4 == 1 ? UINT64_MAX : 0;
            nonzero = UINT64_MAX;
        }
        plus[i] = sign & nonzero & mask;
        if (minus) {
            minus[i] = ~sign & nonzero & mask;
        }
    }
    d->planes[d->plane_count++] = (struct bittern_plane){multiplier, plus, minus};
}

/* A plane, or several of both kinds whose multipliers add up to 127, or to less. */
static void make_weights(struct dot_case *d, bool ternary, bool wide, uint64_t *seed)
{
    int32_t left = wide ? 127 : 1;
    if (wide && !d->extreme && random_below(seed, 2)) {
        left = 2 + (int32_t)random_below(seed, 125);
    }
    while (left > 0) {
        int32_t multiplier = 1 + (int32_t)random_below(seed, (size_t)left);
        if (wide && d->plane_count == 0 && multiplier == left) {
            --multiplier; /* at least two planes */
        }
        if (d->plane_count == BITTERN_MAX_PLANES - 1) {
            multiplier = left;
        }
        make_plane(d, wide ? random_below(seed, 2) : ternary, multiplier, seed);
        left -= multiplier;
    }
    d->layer.op = BITTERN_LAYER_FC;
    d->layer.input = (struct bittern_shape){d->inputs, 1, 1};
    d->layer.conv = (struct bittern_shape){d->outputs, 1, 1};
    d->layer.weights.words_per_output = (d->inputs + 63) / 64;
}

static void make_values(struct dot_case *d, const struct reference_kernel *kernel, uint64_t *seed)
{
    size_t words = (d->inputs + 63) / 64;
    d->value_bytes = d->kind == BITTERN_VALUE_INT ? (d->inputs + 7) / 8 * 8 : 16 * words;
    d->codes = calloc(d->points, d->inputs);
    d->values = reference_allocate(d->points, d->value_bytes);
    assert_non_null(d->codes);
    assert_non_null(d->values);
    for (size_t p = 0; p < d->points; ++p) {
        uint8_t *codes = d->codes + p * d->inputs;
        uint8_t *values = d->values + p * d->value_bytes;
        bool extreme = d->extreme || random_below(seed, 4) == 0;
        size_t levels = d->kind == BITTERN_VALUE_BINARY    ? 2
                        : d->kind == BITTERN_VALUE_TERNARY ? 3
                                                           : 256;
        for (size_t i = 0; i < d->inputs; ++i) {
            codes[i] = (uint8_t)(extreme ? p % 2 * (levels - 1) : random_below(seed, levels));
        }
        if (d->kind == BITTERN_VALUE_BINARY) {
            kernel->pack_binary(codes, d->inputs, (uint64_t *)(void *)values);
        } else if (d->kind == BITTERN_VALUE_TERNARY) {
            kernel->pack_ternary(codes, d->inputs, (uint64_t *)(void *)values);
        } else {
            memcpy(values, codes, d->inputs);
        }
    }
}

static int32_t weight_of(const struct dot_case *d, size_t output, size_t input)
{
    size_t word = output * ((d->inputs + 63) / 64) + input / 64;
    int32_t weight = 0;
    for (size_t p = 0; p < d->plane_count; ++p) {
        const struct bittern_plane *plane = &d->planes[p];
        int32_t plus = (int32_t)(plane->plus[word] >> (input % 64) & 1);
        int32_t minus = plane->minus ? (int32_t)(plane->minus[word] >> (input % 64) & 1) : !plus;
        weight += plane->multiplier * (plus - minus);
    }
    return weight;
}

/* Modulo 2^32, as kernels sum. */
static int32_t product_sum(const struct dot_case *d, const struct reference_kernel *kernel,
                           size_t point, size_t output)
{
    int64_t sum = 0;
    for (size_t i = 0; i < d->inputs; ++i) {
        int32_t code = d->codes[point * d->inputs + i];
        int32_t value = d->kind == BITTERN_VALUE_BINARY    ? 2 * code - 1
                        : d->kind == BITTERN_VALUE_TERNARY ? code - 1
                                                           : code - kernel->int_bias;
        sum += value * weight_of(d, output, i);
    }
    return (int32_t)(uint32_t)(uint64_t)sum;
}

static void compare_dot(const struct reference_kernel *kernel, enum bittern_value_kind kind,
                        bool ternary, bool wide, uint64_t seed)
{
    struct dot_case d = {.kind = kind};
    uint64_t start = seed;
    /* Rarely many inputs, so that every kernel's narrow sums have to be emptied on the way. */
    d.inputs = 1 + random_below(&seed, random_below(&seed, 16) ? 700 : 70000);
    d.outputs = 1 + random_below(&seed, d.inputs > 700 ? 40 : 150);
    d.points = 1 + random_below(&seed, d.inputs > 700 ? 3 : REFERENCE_POINTS);
    d.extreme = wide && start % 20 == 0;
    if (d.extreme) { /* 255 * 127 * 70000 > 2^31 */
        d.inputs = 70000;
        d.outputs = 5;
        d.points = 3;
    }
    make_weights(&d, ternary, wide, &seed);
    make_values(&d, kernel, &seed);
    d.plan.layer = &d.layer;
    d.plan.input.kind = kind;
    d.plan.input.words = (d.inputs + 63) / 64;
    d.plan.window =
        (struct bittern_window){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    d.plan.lanes = kind == BITTERN_VALUE_INT ? kernel->ints : kernel->bits;
    d.plan.group_channels = d.plan.lanes.lanes * d.plan.lanes.blocks;
    assert_true(d.plan.group_channels <= REFERENCE_GROUP_LANES);
    assert_true(reference_pack_weights(&d.plan, d.planes, d.plane_count, &d.packed));
    const reference_dot_function functions[4][2] = {
        {kernel->dot_binary_binary, kernel->dot_binary_ternary},
        {kernel->dot_ternary_binary, kernel->dot_ternary_ternary},
        {kernel->dot_ints, kernel->dot_ints},
        {kernel->dot_wide_ints, kernel->dot_wide_ints}};
    const uint8_t *points[REFERENCE_POINTS];
    int32_t *sums =
        reference_allocate((size_t)REFERENCE_POINTS * REFERENCE_GROUP_LANES, sizeof *sums);
    assert_non_null(sums);
    for (size_t p = 0; p < d.points; ++p) {
        points[p] = d.values + p * d.value_bytes;
    }
    size_t unit = d.plan.lanes.unit;
    const struct reference_run run = {
        .length = kind == BITTERN_VALUE_INT ? (d.inputs + unit - 1) / unit : d.plan.input.words};
    for (size_t first = 0; first < d.outputs; first += d.plan.group_channels) {
        size_t channels = d.outputs - first;
        channels = channels < d.plan.group_channels ? channels : d.plan.group_channels;
        const struct reference_dot dot = {
            .points = points,
            .point_count = d.points,
            .runs = &run,
            .run_count = 1,
            .weights = d.packed.weights + first / d.plan.group_channels * d.packed.group_bytes,
            .blocks = (channels + d.plan.lanes.lanes - 1) / d.plan.lanes.lanes,
            .valid = (int32_t)d.inputs,
            .sums = sums,
            .stride = d.plan.group_channels};
        functions[wide ? 3 : kind - 1][ternary](&dot);
        for (size_t p = 0; p < d.points; ++p) {
            for (size_t c = 0; c < channels; ++c) {
                int32_t expected = product_sum(&d, kernel, p, first + c);
                if (sums[p * dot.stride + c] != expected) {
                    fail_msg("seed %llu, kernel %s, kinds %d and %d, %zu planes, %zu inputs, point "
                             "%zu, channel "
                             "%zu: %d, should be %d",
                             (unsigned long long)start, kernel->name, kind, ternary, d.plane_count,
                             d.inputs, p, first + c, sums[p * dot.stride + c], expected);
                }
            }
        }
    }
    free(sums);
    free(d.packed.weights);
    for (size_t p = 0; p < d.plane_count; ++p) {
        free((void *)d.planes[p].plus);
        free((void *)d.planes[p].minus);
    }
    free(d.codes);
    free(d.values);
}

/* Would catch: narrow sums that overflow, odd numbers of points, blocks or words. */
static void every_dot_product_equals_a_loop_over_single_products(void **state)
{
    (void)state;
    const struct reference_kernel *kernel;
    print_message("seeds 1..%d\n", DOTS);
    for (size_t k = 0; (kernel = any_kernel_at(k)) != NULL; ++k) {
        for (uint64_t seed = 1; seed <= DOTS; ++seed) {
            compare_dot(kernel, (enum bittern_value_kind)(1 + seed % 3), seed / 3 % 2 == 1, false,
                        seed);
        }
    }
}

/* Would catch: products or pairs of them that saturate, a plane whose bits are carried into the
 * next byte, sums of many inputs that are not taken modulo 2^32. */
static void every_wide_dot_product_equals_a_loop_over_single_products(void **state)
{
    (void)state;
    const struct reference_kernel *kernel;
    print_message("seeds 1..%d\n", DOTS);
    for (size_t k = 0; (kernel = any_kernel_at(k)) != NULL; ++k) {
        for (uint64_t seed = 1; seed <= DOTS; ++seed) {
            compare_dot(kernel, BITTERN_VALUE_INT, false, true, seed);
        }
    }
}

/* Would catch: a SCALE step that rounds or clamps at the wrong place for negative or large sums. */
static void scaled_codes_equal_floor_division_in_every_kernel(void **state)
{
    (void)state;
    enum { CHANNELS = 67 };
    int32_t acc[CHANNELS];
    int32_t multiplier[CHANNELS];
    int64_t offset[CHANNELS];
    int64_t shift[CHANNELS];
    uint8_t codes[CHANNELS];
    uint64_t seed = 7;
    for (int round = 0; round < 200; ++round) {
        for (size_t i = 0; i < CHANNELS; ++i) {
            acc[i] = (int32_t)random_below(&seed, 1 << 20) - (1 << 19);
            multiplier[i] = (int32_t)random_below(&seed, 1 << 24) - (1 << 23);
            offset[i] = (int64_t)random_below(&seed, (size_t)1 << 44) - ((int64_t)1 << 43);
            shift[i] =
                (int64_t)(round % 2 ? 28 + random_below(&seed, 20) : random_below(&seed, 48));
        }
        const struct reference_finish finish = {.kind = BITTERN_ACTIVATION_SCALE,
                                                .multiplier = multiplier,
                                                .offset = offset,
                                                .shift = shift,
                                                .minimum = -100,
                                                .maximum = 120,
                                                .code_low = -128};
        const struct reference_kernel *kernel;
        for (size_t k = 0; (kernel = any_kernel_at(k)) != NULL; ++k) {
            kernel->finish(&finish, 0, CHANNELS, acc, codes);
            for (size_t i = 0; i < CHANNELS; ++i) {
                int64_t sum = (int64_t)acc[i] * multiplier[i] + offset[i];
                int64_t divisor = INT64_C(1) << shift[i];
                int64_t q = sum / divisor - (sum % divisor < 0);
                q = q < -100 ? -100 : q > 120 ? 120 : q;
                assert_int_equal(codes[i], q + 128);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dot_product_equals_a_loop_over_single_products),
        cmocka_unit_test(every_wide_dot_product_equals_a_loop_over_single_products),
        cmocka_unit_test(scaled_codes_equal_floor_division_in_every_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
