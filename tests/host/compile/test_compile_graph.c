/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, paddings, zero points, layouts and value types, each in a graph small enough to see. */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <string.h>

#define IMAGES 6

static struct bittern_network *check(struct model_builder *b)
{
    return compile_check_built(b, BITTERN_INPUT_0_1);
}

static const struct bittern_layer *layer(const struct bittern_network *network, size_t index)
{
    return bittern_network_layer(network, index);
}

static void begin(struct model_builder *b, int64_t channels, int64_t side, uint64_t seed,
                  struct bittern_error *err)
{
    *err = (struct bittern_error){0};
    build_begin(b, "net", 13, (int64_t[]){0, channels, side, side}, 4, seed, err);
}

/* Would catch: a max taken where a negative factor behind the pool makes it a min. */
static void max_pool_in_front_of_negative_gammas_takes_minima(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct model_builder b;
        struct bittern_error err;
        begin(&b, 2, 9, seed, &err);
        build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
        build_conv(&b, 8, 3, 1, 0, WEIGHTS_BIPOLAR, true);
        build_pool(&b, "MaxPool", 2, 2, 0);
        build_batch_norm(&b, true);
        build_bipolar(&b, 1);
        build_flatten(&b);
        build_linear(&b, 5, WEIGHTS_TERNARY, false);
        struct bittern_network *network = check(&b);
        assert_true(layer(network, 0)->has_max_pool);
        assert_non_null(layer(network, 0)->take_min);
        bittern_network_free(network);
    }
}

/* Would catch: a quantizer of plain ONNX ops (scale, round, clip, scale) that is not seen as one,
 * or a negation that turns nothing round. */
static void quantizers_of_plain_arithmetic_compile(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct model_builder b;
        struct bittern_error err;
        begin(&b, 1, 8, seed, &err);
        build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
        build_conv(&b, 6, 3, 1, 0, WEIGHTS_TERNARY, false);
        build_batch_norm(&b, true);
        build_pool(&b, "MaxPool", 2, 2, 0);
        build_unary(&b, "Neg");
        build_arithmetic(&b, "Div", 0.5);
        build_unary(&b, seed == 1 ? "Round" : seed == 2 ? "Floor" : "Ceil");
        const char *bounds[] = {build_scalar(&b, -2), build_scalar(&b, 1), NULL};
        build_append(&b, "Clip", bounds, NULL, 0);
        build_arithmetic(&b, "Mul", 0.5);
        build_flatten(&b);
        build_linear(&b, 5, WEIGHTS_TERNARY, false);
        struct bittern_network *network = check(&b);
        assert_int_equal(layer(network, 0)->output_type.kind, BITTERN_VALUE_INT);
        bittern_network_free(network);
    }
}

/* Would catch: minima forgotten where the sign is turned behind quantizer and pool. */
static void max_pool_behind_the_quantizer_and_a_negative_factor(void **state)
{
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    begin(&b, 1, 8, 3, &err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_TERNARY, false);
    build_batch_norm(&b, true);
    build_quant(&b, 0.25, 0, 3, true, false, "ROUND");
    build_arithmetic(&b, "Mul", -1.5);
    build_pool(&b, "MaxPool", 2, 2, 0);
    build_arithmetic(&b, "Add", 0.25);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_BIPOLAR, false);
    struct bittern_network *network = check(&b);
    assert_non_null(layer(network, 0)->take_min);
    assert_true(layer(network, 0)->scale[0] < 0);
    bittern_network_free(network);
}

/* Would catch: two pools in a row mixed up, or a padded pool that sees its padding. */
static void two_max_pools_become_two_layers(void **state)
{
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    begin(&b, 1, 14, 3, &err);
    build_pool(&b, "MaxPool", 3, 1, 1);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    build_batch_norm(&b, false);
    build_bipolar(&b, 1);
    build_pool(&b, "MaxPool", 2, 2, 0);
    build_pool(&b, "MaxPool", 3, 2, 1);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_BIPOLAR, false);
    struct bittern_network *network = check(&b);
    assert_int_equal(bittern_network_layer_count(network), 4);
    assert_int_equal(layer(network, 0)->op, BITTERN_LAYER_SUM);
    assert_int_equal(layer(network, 2)->op, BITTERN_LAYER_SUM);
    bittern_network_free(network);
}

/* Would catch: 1/k^2 forgotten, a sum layer's zero wrong, an average in the wrong place. */
static void average_pools_keep_their_sums(void **state)
{
    (void)state;
    for (int place = 0; place < 3; place++) {
        struct model_builder b;
        struct bittern_error err;
        begin(&b, 1, 12, 5 + (uint64_t)place, &err);
        build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
        build_conv(&b, 6, 3, 1, 0, WEIGHTS_BIPOLAR, false);
        if (place == 0) {
            build_pool(&b, "AveragePool", 2, 2, 0);
        }
        build_batch_norm(&b, true);
        if (place == 1) {
            build_pool(&b, "AveragePool", 2, 2, 0);
        }
        build_quant(&b, 0.25, 0, 3, true, false, "ROUND");
        if (place == 2) {
            build_pool(&b, "AveragePool", 2, 2, 0);
        }
        build_flatten(&b);
        build_linear(&b, 4, WEIGHTS_TERNARY, true);
        struct bittern_network *network = check(&b);
        assert_int_equal(bittern_network_layer_count(network), place == 2 ? 3 : 2);
        assert_int_equal(layer(network, 0)->has_sum_pool, place < 2);
        bittern_network_free(network);
    }
}

/* Would catch: the bias of a connection added once for each position of the map. */
static void average_of_a_whole_map_moves_behind_the_connection(void **state)
{
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    begin(&b, 1, 10, 8, &err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    build_batch_norm(&b, false);
    build_bipolar(&b, 1);
    build_pool(&b, "AveragePool", 8, 8, 0);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_TERNARY, true);
    struct bittern_network *network = check(&b);
    assert_int_equal(bittern_network_layer_count(network), 2);
    assert_int_equal(layer(network, 1)->op, BITTERN_LAYER_CONV);
    assert_true(layer(network, 1)->has_sum_pool);
    bittern_network_free(network);
}

/* Would catch: PyTorch's x.mean([2, 3]) in front of the scores compiled as something else. */
static void mean_over_rows_and_columns_is_an_average_pool(void **state)
{
    const int64_t axes[] = {2, 3};
    const struct bittern_attribute attributes[] = {
        {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS, .ints = axes, .count = 2},
        {.name = "keepdims", .kind = BITTERN_ATTRIBUTE_INT, .i = 0}};
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    begin(&b, 1, 10, 8, &err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    build_batch_norm(&b, false);
    build_bipolar(&b, 1);
    build_append(&b, "ReduceMean", (const char *[]){NULL}, attributes, 2);
    b.rank = 2;
    build_linear(&b, 4, WEIGHTS_TERNARY, true);
    struct bittern_network *network = check(&b);
    assert_int_equal(bittern_network_layer_count(network), 2);
    assert_true(layer(network, 1)->has_sum_pool);
    assert_int_equal(layer(network, 1)->sum_pool.kernel_h, 8);
    bittern_network_free(network);
}

/* Would catch: padding with a stored 0 where the real zero has another integer. */
static void zero_point_is_what_padding_holds(void **state)
{
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    begin(&b, 2, 8, 4, &err);
    build_arithmetic(&b, "Sub", 0.5);
    build_quant(&b, 1.0 / 128, 100, 8, false, false, "ROUND"); /* levels -100..155 */
    build_conv(&b, 5, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_bipolar(&b, 0.5);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_BIPOLAR, false);
    bittern_network_free(check(&b));
    /* -200..55 fits neither signed nor unsigned 8 bits as it is: it is shifted. */
    begin(&b, 2, 8, 4, &err);
    build_arithmetic(&b, "Sub", 0.8);
    build_quant(&b, 1.0 / 256, 200, 8, false, false, "ROUND");
    build_conv(&b, 5, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_bipolar(&b, 0.5);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_BIPOLAR, false);
    struct bittern_network *network = check(&b);
    assert_true(layer(network, 0)->pad_value > 0);
    assert_int_equal(layer(network, 0)->input_type.bits, 8);
    bittern_network_free(network);
}

/* Would catch: padding of {0,1} values counted as -1, or their offset not folded. */
static void value_types_follow_the_levels_and_the_padding(void **state)
{
    static const struct {
        bool is_sign;
        int64_t padding;
        enum bittern_value_kind kind;
        int32_t minimum;
    } cases[] = {{true, 1, BITTERN_VALUE_BINARY, -1},
                 {true, 0, BITTERN_VALUE_BINARY, -1},
                 {false, 1, BITTERN_VALUE_TERNARY, 0},
                 {false, 0, BITTERN_VALUE_BINARY, -1}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct model_builder b;
        struct bittern_error err;
        begin(&b, 1, 9, 4 + i, &err);
        build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
        build_conv(&b, 5, 3, 1, 1, WEIGHTS_TERNARY, true);
        build_batch_norm(&b, true);
        if (cases[i].is_sign) {
            build_bipolar(&b, 0.375);
        } else {
            build_quant(&b, 0.375, 0, 1, false, false, "ROUND");
        }
        build_conv(&b, 4, 3, 1, cases[i].padding, WEIGHTS_BIPOLAR, true);
        build_batch_norm(&b, true);
        build_bipolar(&b, 1);
        build_flatten(&b);
        build_linear(&b, 4, WEIGHTS_BIPOLAR, false);
        struct bittern_network *network = check(&b);
        assert_int_equal(layer(network, 0)->output_type.kind, cases[i].kind);
        assert_int_equal(layer(network, 0)->output_type.minimum, cases[i].minimum);
        bittern_network_free(network);
    }
}

/* Would catch: Sign(0) taken for +1 or -1 where 0 is reached, or seen where it is not. */
static void sign_is_ternary_only_where_zero_is_reached(void **state)
{
    (void)state;
    for (int64_t inputs = 5; inputs <= 6; inputs++) {
        struct model_builder b;
        struct bittern_error err = {0};
        build_begin(&b, "sign", 13, (int64_t[]){0, inputs}, 2, 3, &err);
        build_arithmetic(&b, "Sub", 0.5);
        build_bipolar(&b, 1);
        build_linear(&b, 7, WEIGHTS_BIPOLAR, false);
        build_activation(&b, ACTIVATION_SIGN, 1, 1);
        build_linear(&b, 3, WEIGHTS_BIPOLAR, false);
        struct bittern_network *network = check(&b);
        assert_int_equal(layer(network, 0)->output_type.kind,
                         inputs % 2 ? BITTERN_VALUE_BINARY : BITTERN_VALUE_TERNARY);
        bittern_network_free(network);
    }
}

/* Would catch: a connection behind a transposed map that reads it in the other order. */
static void flattening_follows_a_transpose(void **state)
{
    static const int64_t to_last[] = {0, 2, 3, 1};
    static const int64_t to_first[] = {0, 3, 1, 2};
    const struct bittern_attribute last = {
        .name = "perm", .kind = BITTERN_ATTRIBUTE_INTS, .ints = to_last, .count = 4};
    const struct bittern_attribute first = {
        .name = "perm", .kind = BITTERN_ATTRIBUTE_INTS, .ints = to_first, .count = 4};
    struct model_builder b;
    struct bittern_error err = {0};
    (void)state;
    build_begin(&b, "tf", 13, (int64_t[]){0, 6, 7, 3}, 4, 3, &err);
    build_append(&b, "Transpose", (const char *[]){NULL}, &first, 1);
    memcpy(b.dims, (int64_t[]){1, 3, 6, 7}, 4 * sizeof(int64_t));
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 5, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_bipolar(&b, 1);
    build_append(&b, "Transpose", (const char *[]){NULL}, &last, 1);
    build_flatten(&b);
    build_linear(&b, 4, WEIGHTS_TERNARY, true);
    struct bittern_network *network = check(&b);
    assert_int_equal(bittern_network_input(network)->shape.channels, 3);
    assert_int_equal(bittern_network_input(network)->shape.height, 6);
    bittern_network_free(network);
}

/* Would catch: half-to-even rounding that comes out as half up, in either engine. */
static void ties_to_even_are_exact(void **state)
{
    enum { INPUTS = 36, OUTPUTS = 4 };
    float weights[OUTPUTS * INPUTS];
    struct model_builder b;
    struct bittern_error err;
    (void)state;
    for (size_t i = 0; i < OUTPUTS * INPUTS; i++) {
        weights[i] = i * 7 % 5 < 2 ? -1.0F : 1.0F;
    }
    begin(&b, 1, 6, 4, &err);
    build_quant(&b, 1, 0, 1, false, false, "ROUND"); /* 0 or 1 */
    build_flatten(&b);
    build_append(&b, "MatMul",
                 (const char *[]){build_floats(&b, (int64_t[]){INPUTS, OUTPUTS}, 2, weights), NULL},
                 NULL, 0);
    build_quant(&b, 2, 0, 5, true, false, "ROUND"); /* odd accumulators are ties */
    struct bittern_network *network = check(&b);
    const struct bittern_activation *a = &layer(network, 0)->activation;
    assert_int_equal(layer(network, 0)->inexact_count, 0);
    assert_non_null(a->ties);
    for (size_t i = 0; i < OUTPUTS; i++) {
        assert_int_equal(a->ties[i], BITTERN_TIES_EVEN);
    }
    bittern_network_free(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizers_of_plain_arithmetic_compile),
        cmocka_unit_test(max_pool_in_front_of_negative_gammas_takes_minima),
        cmocka_unit_test(max_pool_behind_the_quantizer_and_a_negative_factor),
        cmocka_unit_test(two_max_pools_become_two_layers),
        cmocka_unit_test(average_pools_keep_their_sums),
        cmocka_unit_test(average_of_a_whole_map_moves_behind_the_connection),
        cmocka_unit_test(mean_over_rows_and_columns_is_an_average_pool),
        cmocka_unit_test(zero_point_is_what_padding_holds),
        cmocka_unit_test(value_types_follow_the_levels_and_the_padding),
        cmocka_unit_test(sign_is_ternary_only_where_zero_is_reached),
        cmocka_unit_test(flattening_follows_a_transpose),
        cmocka_unit_test(ties_to_even_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
