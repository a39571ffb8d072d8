/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random small graphs of every kind of weight and activation, and every place of a pool: the
 * compiled network's every value equals the float64 evaluation.
 */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <stdlib.h>

static void check_model(const struct bittern_model *model, enum bittern_input_range range,
                        uint64_t seed, size_t images, struct compile_agreement *agreement,
                        size_t *inexact)
{
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_compile_options options = {.input_range = range};

    assert_ok(bittern_network_compile(model, &options, &network, &err), &err);
    const struct bittern_shape *s = &bittern_network_input(network)->shape;
    size_t size = s->channels * s->height * s->width;
    uint8_t *pixels = malloc(images * size);
    assert_non_null(pixels);
    compile_draw_images(seed, images, size, pixels);
    assert_ok(compile_check(model, network, NULL, range, pixels, images, agreement, &err), &err);
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        *inexact += bittern_network_layer(network, l)->inexact_count;
    }
    free(pixels);
    bittern_network_free(network);
}

/* Draw a small conv net; the seed decides all of its options. */
static bittern_status draw_net(uint64_t seed, enum weight_kind weights,
                               enum activation_kind activations, struct bittern_model **model,
                               struct bittern_error *err)
{
    uint64_t state = seed;
    struct conv_net_options o = {
        .seed = seed,
        .side = 10 + (int64_t)random_below(&state, 4),
        .channels = 1 + (int64_t)random_below(&state, 3),
        .filters = 3 + (int64_t)random_below(&state, 4),
        .kernel = 1 + 2 * (int64_t)random_below(&state, 2),
        .weights = weights,
        .activations = activations,
        .activation_bits = 2 + (int)random_below(&state, 3),
        .pool = "MaxPool",
        .pool_place = (enum pool_place)random_below(&state, 4),
        .negative_gammas = random_below(&state, 2) == 0,
        .has_bias = random_below(&state, 2) == 0,
        .per_channel_scales = random_below(&state, 2) == 0,
        .matmul = random_below(&state, 2) == 0,
    };
    o.padding = (int64_t)random_below(&state, (size_t)o.kernel / 2 + 1);
    if (o.pool_place <= POOL_BEHIND_BATCH_NORM && random_below(&state, 2) == 0) {
        o.pool = "AveragePool";
    }
    return conv_net_build(&o, model, err);
}

static void check_kinds(enum activation_kind activations, bool exact)
{
    static const enum weight_kind kinds[] = {WEIGHTS_BIPOLAR, WEIGHTS_TERNARY, WEIGHTS_INT4,
                                             WEIGHTS_INT8};
    for (uint64_t seed = 1; seed <= 12; seed++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            struct bittern_error err = {0};
            struct bittern_model *model = NULL;
            struct compile_agreement agreement = {0};
            size_t inexact = 0;
            assert_ok(draw_net(seed * 100 + k, kinds[k], activations, &model, &err), &err);
            check_model(model, BITTERN_INPUT_0_1, seed, 3, &agreement, &inexact);
            bittern_model_free(model);
            if (agreement.off_grid + agreement.different > 0 && (exact || inexact == 0)) {
                fail_msg("seed %d, weights %d, activations %d: %llu of %llu values differ (%llu "
                         "off the grid); %s",
                         (int)(seed * 100 + k), (int)kinds[k], (int)activations,
                         (unsigned long long)agreement.different,
                         (unsigned long long)agreement.values,
                         (unsigned long long)agreement.off_grid, agreement.first);
            }
        }
    }
}

/* Would catch: a threshold off by one, a take_min forgotten, flattening in the wrong order. */
static void binary_activations_equal_the_graph(void **state)
{
    (void)state;
    check_kinds(ACTIVATION_BIPOLAR, true);
}

/* Would catch: the two thresholds swapped where gamma is negative. */
static void ternary_activations_equal_the_graph(void **state)
{
    (void)state;
    check_kinds(ACTIVATION_TERNARY, true);
}

/* Would catch: a sign of zero taken for +1 or -1. */
static void sign_activations_equal_the_graph(void **state)
{
    (void)state;
    check_kinds(ACTIVATION_SIGN, true);
}

/* Would catch: M, B and S that miss a step, a clamp at the wrong end. */
static void unsigned_activations_equal_the_graph(void **state)
{
    (void)state;
    check_kinds(ACTIVATION_UNSIGNED, false);
}

/* Would catch: floor and rounding mixed up below zero. */
static void signed_activations_equal_the_graph(void **state)
{
    (void)state;
    check_kinds(ACTIVATION_SIGNED, false);
}

/* Would catch: input scaling or the grid of a quantized image wrong for one of the ranges. */
static void tfc_equals_the_graph_at_every_width(void **state)
{
    static const int bits[][2] = {{1, 1}, {1, 2}, {2, 2}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bittern_error err = {0};
        struct bittern_model *model = NULL;
        struct compile_agreement agreement = {0};
        size_t inexact = 0;
        assert_ok(tfc_build(7 + i, bits[i][0], bits[i][1], &model, &err), &err);
        check_model(model, BITTERN_INPUT_0_1, 3 + i, 10, &agreement, &inexact);
        bittern_model_free(model);
        if (agreement.off_grid + agreement.different + agreement.other_class > 0) {
            fail_msg("w%da%d: %s", bits[i][0], bits[i][1], agreement.first);
        }
        assert_int_equal(agreement.values, 10 * (3 * 64 + 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tfc_equals_the_graph_at_every_width),
        cmocka_unit_test(binary_activations_equal_the_graph),
        cmocka_unit_test(ternary_activations_equal_the_graph),
        cmocka_unit_test(sign_activations_equal_the_graph),
        cmocka_unit_test(unsigned_activations_equal_the_graph),
        cmocka_unit_test(signed_activations_equal_the_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
