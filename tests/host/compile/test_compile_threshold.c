/* SPDX-License-Identifier: Apache-2.0 */
/* MultiThreshold as FINN writes it, and Trunc behind an average pool as Brevitas writes it. */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#define FILTERS 6

static struct model_builder b;
static struct bittern_error err;

static void begin(uint64_t seed)
{
    err = (struct bittern_error){0};
    build_begin(&b, "net", 13, (int64_t[]){0, 2, 8, 8}, 4, seed, &err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, FILTERS, 3, 1, 0, WEIGHTS_TERNARY, true);
}

static void end(int64_t padding)
{
    build_conv(&b, 4, 3, 1, padding, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_bipolar(&b, 1);
    build_flatten(&b);
    build_linear(&b, 5, WEIGHTS_TERNARY, true);
}

/* `steps` thresholds a row, from `first` on at equal distances; rows differ where there are more.
 */
static void multi_threshold(int64_t rows, size_t steps, double first, double distance, double scale,
                            double bias, const char *layout)
{
    const int64_t dims[] = {rows, (int64_t)steps};
    float *values = calloc((size_t)rows * steps, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < (size_t)rows * steps; i++) {
        size_t number = i / steps;
        double row = (double)number;
        values[i] = (float)(first + 0.05 * row + (double)(i % steps) * distance * (1 + 0.1 * row));
    }
    const struct bittern_attribute attributes[] = {
        {.name = "out_dtype", .kind = BITTERN_ATTRIBUTE_STRING, .s = "INT4"},
        {.name = "out_scale", .kind = BITTERN_ATTRIBUTE_FLOAT, .f = (float)scale},
        {.name = "out_bias", .kind = BITTERN_ATTRIBUTE_FLOAT, .f = (float)bias},
        {.name = "data_layout", .kind = BITTERN_ATTRIBUTE_STRING, .s = layout}};
    build_append(&b, "MultiThreshold", (const char *[]){build_floats(&b, dims, 2, values), NULL},
                 attributes, 4);
    free(values);
}

struct case_of_levels {
    size_t steps;
    double first, distance, scale, bias;
    enum bittern_value_kind kind;
    int bits;
};

/* Would catch: out_scale and out_bias exchanged, one threshold for all channels, >= taken for >. */
static void thresholds_become_the_value_type_of_their_levels(void **state)
{
    static const struct case_of_levels cases[] = {
        {1, 0.1, 1, 2, -1, BITTERN_VALUE_BINARY, 1},     /* -1, +1 */
        {2, -0.3, 0.7, 1, -1, BITTERN_VALUE_TERNARY, 2}, /* -1, 0, +1 */
        {3, -0.4, 0.37, 1, 0, BITTERN_VALUE_INT, 2},     /* 0 .. 3 */
        {3, -0.4, 0.37, 1, -2, BITTERN_VALUE_INT, 2},    /* -2 .. 1 */
        {15, -0.9, 0.11, 1, 0, BITTERN_VALUE_INT, 4},    /* 0 .. 15 */
        {15, -0.9, 0.11, 0.5, -4, BITTERN_VALUE_INT, 4}, /* -4 .. 3.5 */
        {255, -1.2, 0.01, 1, 0, BITTERN_VALUE_INT, 8},
    };
    (void)state;
    for (size_t i = 0; i < 4 * sizeof cases / sizeof cases[0]; i++) {
        const struct case_of_levels *c = &cases[i / 4];
        begin(i);
        multi_threshold(i % 2 ? FILTERS : 1, c->steps, c->first, c->distance, c->scale, c->bias,
                        "NCHW");
        end(i % 4 / 2);
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
        const struct bittern_layer *l = bittern_network_layer(network, 0);
        assert_int_equal(l->output_type.kind, c->kind);
        assert_int_equal(l->output_type.bits, c->bits);
        bittern_network_free(network);
    }
}

/* Would catch: thresholds that are not equidistant moved; one or two of them are always exact. */
static void two_thresholds_may_stand_anywhere(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin(seed);
        multi_threshold(FILTERS, 2, -1.3, 0.2 * (double)(seed * seed), 1, -1, "NCHW");
        end(1);
        bittern_network_free(compile_check_built(&b, BITTERN_INPUT_0_1));
    }
}

static void transpose(int64_t first, int64_t second, int64_t third)
{
    const int64_t perm[] = {0, first, second, third};
    const struct bittern_attribute attribute = {
        .name = "perm", .kind = BITTERN_ATTRIBUTE_INTS, .ints = perm, .count = 4};
    build_append(&b, "Transpose", (const char *[]){NULL}, &attribute, 1);
}

/* Would catch: the channels of NHWC data sought on axis 1. Maps are 6 x 6 with 6 channels here. */
static void thresholds_of_channels_last_follow_the_last_axis(void **state)
{
    (void)state;
    begin(3);
    transpose(2, 3, 1);
    multi_threshold(FILTERS, 3, -0.4, 0.37, 1, 0, "NHWC");
    transpose(3, 1, 2);
    end(1);
    bittern_network_free(compile_check_built(&b, BITTERN_INPUT_0_1));
}

static void append_thresholds(const float *thresholds, int64_t count)
{
    const char *name = build_floats(&b, (int64_t[]){1, count}, 2, thresholds);
    build_append(&b, "MultiThreshold", (const char *[]){name, NULL}, NULL, 0);
}

/* Would catch: a staircase with uneven steps forced into acc * M + B. */
static void uneven_thresholds_are_refused(void **state)
{
    static const float thresholds[] = {-0.9F, -0.89F, -0.88F, -0.87F, 0.88F, 0.89F, 0.9F};
    (void)state;
    begin(3);
    append_thresholds(thresholds, 7);
    end(0);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "not a uniform staircase",
                          "layer 'Conv");
}

/* Would catch: thresholds that are a little uneven taken for even ones in silence. */
static void nearly_even_thresholds_are_listed(void **state)
{
    static const float thresholds[] = {-0.9F, -0.65F, -0.2F, 0.0F, 0.4F, 0.6F, 0.9F};
    struct bittern_model *model;
    struct bittern_network *network;
    (void)state;
    begin(3);
    append_thresholds(thresholds, 7);
    end(0);
    assert_ok(build_end(&b, &model), &err);
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    assert_true(bittern_network_layer(network, 0)->inexact_count > 0);
    bittern_network_free(network);
    bittern_model_free(model);
}

/* Would catch: the order of thresholds trusted. */
static void falling_thresholds_are_refused(void **state)
{
    static const float thresholds[] = {0.5F, 0.2F};
    struct bittern_model *model;
    (void)state;
    begin(3);
    build_append(&b, "MultiThreshold",
                 (const char *[]){build_floats(&b, (int64_t[]){1, 2}, 2, thresholds), NULL}, NULL,
                 0);
    assert_int_not_equal(build_end(&b, &model), BITTERN_OK);
    assert_non_null(strstr(err.message, "MultiThreshold"));
}

/* ---- Trunc -------------------------------------------------------------------------------------
 */

/* Brevitas' average pool of integers: the average times k*k is the sum again, whose low bits are
 * dropped; 16 values of 4 bits need 8, of which the upper `out_bits` stay. */
static void trunc_average(int out_bits, const char *rounding)
{
    const double scale = 0.1875; /* of the values: exact, so that no sum is rounded */
    const struct bittern_attribute attributes[] = {
        {.name = "rounding_mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = rounding},
        {.name = "signed", .kind = BITTERN_ATTRIBUTE_INT, .i = 0}};
    build_quant(&b, scale, 0, 4, false, false, "ROUND");
    build_pool(&b, "AveragePool", 4, 2, 0);
    build_arithmetic(&b, "Mul", 16);
    build_append(&b, "Trunc",
                 (const char *[]){build_scalar(&b, scale), build_scalar(&b, 0), build_scalar(&b, 8),
                                  build_scalar(&b, out_bits), NULL},
                 attributes, 2);
}

/* Would catch: bits dropped from the wrong end, or before the sum; a rounding mode ignored. */
static void trunc_behind_an_average_pool_equals_the_graph(void **state)
{
    static const char *const modes[] = {"FLOOR", "CEIL", "HALF_UP"};
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        begin(5);
        build_batch_norm(&b, true);
        build_unary(&b, "Relu");
        trunc_average(2 + (int)(i / 3) * 2, modes[i % 3]);
        build_flatten(&b);
        build_linear(&b, 5, WEIGHTS_TERNARY, true);
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
        assert_int_equal(bittern_network_layer_count(network), 3);
        assert_int_equal(bittern_network_layer(network, 1)->op, BITTERN_LAYER_SUM);
        bittern_network_free(network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_become_the_value_type_of_their_levels),
        cmocka_unit_test(two_thresholds_may_stand_anywhere),
        cmocka_unit_test(thresholds_of_channels_last_follow_the_last_axis),
        cmocka_unit_test(uneven_thresholds_are_refused),
        cmocka_unit_test(nearly_even_thresholds_are_listed),
        cmocka_unit_test(falling_thresholds_are_refused),
        cmocka_unit_test(trunc_behind_an_average_pool_equals_the_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
