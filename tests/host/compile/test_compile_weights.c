/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of weights and their corner cases: from a layer's real weights to its planes. */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <math.h>
#include <string.h>

#define INPUTS 6
#define OUTPUTS 3

/* Binary inputs, then a full connection of these weights: what kind does it get? */
static bittern_status compile_weights_of(const float *weights, bool int_inputs,
                                         const struct bittern_compile_options *options,
                                         struct bittern_network **network,
                                         struct bittern_error *err)
{
    struct model_builder b;
    struct bittern_model *model = NULL;
    const int64_t dims[] = {OUTPUTS, INPUTS};
    const struct bittern_attribute transposed = {
        .name = "transB", .kind = BITTERN_ATTRIBUTE_INT, .i = 1};
    build_begin(&b, "weights", 13, (int64_t[]){1, INPUTS}, 2, 1, err);
    build_arithmetic(&b, "Sub", 0.4);
    if (!int_inputs) {
        build_bipolar(&b, 0.5);
    } else {
        build_quant(&b, 0.0625, 0, 4, true, false, "ROUND");
    }
    build_append(&b, "Gemm", (const char *[]){build_floats(&b, dims, 2, weights), NULL},
                 &transposed, 1);
    bittern_status status = build_end(&b, &model);
    *network = NULL;
    if (status == BITTERN_OK) {
        status = bittern_network_compile(model, options, network, err);
    }
    if (status == BITTERN_OK && !options) { /* with the default tolerance */
        struct compile_agreement agreement = {0};
        uint8_t images[40 * INPUTS];
        compile_draw_images(3, 40, INPUTS, images);
        status =
            compile_check(model, *network, NULL, BITTERN_INPUT_0_1, images, 40, &agreement, err);
        assert_string_equal(agreement.first, "");
        assert_int_equal(agreement.other_class, 0);
    }
    bittern_model_free(model);
    return status;
}

struct expectation {
    const char *name;
    float weights[OUTPUTS * INPUTS];
    bool int_inputs;
    enum bittern_weight_kind kind;
    size_t planes, bits;
};

static const struct expectation cases[] = {
    {"binary, a scale a channel",
     {1, -1, 1, 1, -1, 1, .3F, .3F, -.3F, .3F, -.3F, .3F, 7, -7, -7, 7, 7, 7},
     false,
     BITTERN_WEIGHT_BINARY,
     1,
     1},
    {"binary, a channel all zero",
     {1, -1, 1, 1, -1, 1, 0, 0, 0, 0, 0, 0, 7, -7, -7, 7, 7, 7},
     false,
     BITTERN_WEIGHT_BINARY,
     1,
     1},
    {"binary, a channel of one level",
     {1, -1, 1, 1, -1, 1, .2F, .2F, .2F, .2F, .2F, .2F, -7, -7, -7, -7, -7, -7},
     false,
     BITTERN_WEIGHT_BINARY,
     1,
     1},
    {"ternary",
     {1, -1, 0, 1, -1, 0, .3F, 0, -.3F, .3F, -.3F, .3F, 7, -7, -7, 0, 7, 7},
     false,
     BITTERN_WEIGHT_TERNARY,
     1,
     2},
    {"ternary, a channel all zero",
     {1, -1, 0, 1, -1, 0, 0, 0, 0, 0, 0, 0, 7, -7, -7, 0, 7, 7},
     false,
     BITTERN_WEIGHT_TERNARY,
     1,
     2},
    {"ternary in one channel only",
     {1, -1, 1, 1, -1, 1, .3F, .3F, -.3F, .3F, -.3F, .3F, 7, -7, -7, 0, 7, 7},
     false,
     BITTERN_WEIGHT_TERNARY,
     1,
     2},
    {"a layer all zero", {0}, false, BITTERN_WEIGHT_TERNARY, 1, 2},
    {"-3, -1, +1, +3",
     {3, -1, 1, -3, -1, 1, .3F, .9F, -.3F, .3F, -.9F, .3F, 7, -7, -7, 7, 7, 7},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     2},
    {"-3, -1, +1, +3 and a channel all zero",
     {3, -1, 1, -3, -1, 1, 0, 0, 0, 0, 0, 0, 7, -7, -7, 7, 7, 7},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     2},
    {"-2, +5, and channels of one level",
     {5, -2, 5, 5, -2, -2, .2F, .2F, .2F, .2F, .2F, .2F, -7, -7, -7, -7, -7, -7},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     2},
    {"-2, +5, and a channel all zero",
     {5, -2, 5, 5, -2, -2, 0, 0, 0, 0, 0, 0, -2, 5, -2, -2, 5, 5},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     2},
    {"-7, 0, +9, and channels with one of them",
     {9, 0, 9, -7, -7, 0, 9, 9, 9, 0, 0, 9, -7, -7, -7, -7, -7, -7},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     4},
    {"-3..+3, binary inputs: four binary planes or two ternary ones cost the same",
     {3, 2, 1, 0, -1, -3, 3, 2, -1, 0, -1, -2, 0, 0, 1, 2, -1, 3},
     false,
     BITTERN_WEIGHT_PLANES,
     2,
     4},
    {"-8..+7, binary inputs: five binary planes",
     {7, 2, 1, 0, -1, -8, 3, 7, -1, 0, -1, -2, 0, 0, 1, 2, -1, 3},
     false,
     BITTERN_WEIGHT_PLANES,
     5,
     5},
    {"-7..+7, integer inputs: three ternary planes",
     {7, 2, 1, 0, -1, -7, 3, 7, -1, 0, -1, -2, 0, 0, 1, 2, -1, 3},
     true,
     BITTERN_WEIGHT_PLANES,
     3,
     6},
    {"8 bits: seven ternary magnitude planes",
     {127, 100, 1, 0, -64, -127, 3, 2, -1, 0, -1, -2, 0, 0, 1, 2, -1, 3},
     false,
     BITTERN_WEIGHT_PLANES,
     7,
     14},
};

/* Would catch: a wrong kind, a corner case that changes a layer's kind, a digit lost in packing. */
static void weights_get_the_cheapest_kind_and_equal_the_graph(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct expectation *e = &cases[i];
        struct bittern_error err = {0};
        struct bittern_network *network;
        assert_ok(compile_weights_of(e->weights, e->int_inputs, NULL, &network, &err), &err);
        const struct bittern_weights *w = &bittern_network_layer(network, 0)->weights;
        if (w->kind != e->kind || w->plane_count != e->planes || w->bits != e->bits) {
            fail_msg("%s: kind %s, %zu planes, %zu bits", e->name,
                     bittern_weight_kind_name(w->kind), w->plane_count, w->bits);
        }
        assert_true(fabs(bittern_network_compression(network) - 32.0 / (double)e->bits) < 1e-9);
        bittern_network_free(network);
    }
}

/* Would catch: rounding of float32 products taken for levels of their own. */
static void levels_within_the_tolerance_are_one(void **state)
{
    float weights[OUTPUTS * INPUTS];
    struct bittern_error err = {0};
    struct bittern_network *network;
    (void)state;
    for (size_t i = 0; i < OUTPUTS * INPUTS; i++) {
        float noise = 1.0F + (float)(i % 3) * 0x1p-22F;
        weights[i] = (i % 2 ? 0.37F : -0.37F) * noise;
    }
    struct bittern_compile_options exact = {.input_range = BITTERN_INPUT_0_1,
                                            .weight_tolerance = 0x1p-40};
    assert_int_equal(compile_weights_of(weights, false, &exact, &network, &err),
                     BITTERN_ERR_UNSUPPORTED);
    exact.weight_tolerance = 0;
    assert_ok(compile_weights_of(weights, false, &exact, &network, &err), &err);
    assert_int_equal(bittern_network_layer(network, 0)->weights.kind, BITTERN_WEIGHT_BINARY);
    bittern_network_free(network);
}

/* Would catch: a message that does not say which layer, or counts zero and signs wrong. */
static void weights_that_are_not_quantized_are_named_with_their_levels(void **state)
{
    float weights[OUTPUTS * INPUTS];
    struct bittern_error err = {0};
    struct bittern_network *network;
    (void)state;
    for (size_t i = 0; i < OUTPUTS * INPUTS; i++) {
        weights[i] = i < INPUTS ? 1.0F : sqrtf((float)i + 0.1F);
    }
    assert_int_equal(compile_weights_of(weights, false, NULL, &network, &err),
                     BITTERN_ERR_UNSUPPORTED);
    assert_null(network);
    assert_non_null(strstr(err.message, "Gemm"));
    assert_non_null(strstr(err.message, "not quantized"));
    assert_non_null(strstr(err.message, "output channel 1 has 6 levels"));
}

/* Would catch: max_weight_level ignored. */
static void largest_level_is_an_option(void **state)
{
    const float weights[OUTPUTS * INPUTS] = {200, 1, 0, -3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct bittern_error err = {0};
    struct bittern_network *network;
    struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};
    (void)state;
    assert_int_equal(compile_weights_of(weights, false, &options, &network, &err),
                     BITTERN_ERR_UNSUPPORTED);
    options.max_weight_level = 255;
    assert_ok(compile_weights_of(weights, false, &options, &network, &err), &err);
    assert_int_equal(bittern_network_layer(network, 0)->weights.plane_count, 8);
    bittern_network_free(network);
    options.max_weight_level = 256;
    assert_int_equal(compile_weights_of(weights, false, &options, &network, &err),
                     BITTERN_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_get_the_cheapest_kind_and_equal_the_graph),
        cmocka_unit_test(levels_within_the_tolerance_are_one),
        cmocka_unit_test(weights_that_are_not_quantized_are_named_with_their_levels),
        cmocka_unit_test(largest_level_is_an_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
