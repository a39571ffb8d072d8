/* SPDX-License-Identifier: Apache-2.0 */
/* Input ranges with and without a quantizer, and paddings of every kind. */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <string.h>

static struct model_builder b;
static struct bittern_error err;

static void begin(int64_t channels)
{
    err = (struct bittern_error){0};
    build_begin(&b, "net", 13, (int64_t[]){0, channels, 8, 8}, 4, 11, &err);
}

/* An image in 0..1 of 8 bits, a binary convolution. */
static void begin_with_conv(void)
{
    begin(2);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_BIPOLAR, true);
    build_batch_norm(&b, true);
}

/* Behind a convolution: what makes a whole network of it. */
static void end_with_scores(void)
{
    build_batch_norm(&b, true);
    build_bipolar(&b, 1);
    build_flatten(&b);
    build_linear(&b, 5, WEIGHTS_TERNARY, true);
}

/* ---- Input ranges ------------------------------------------------------------------------------
 */

/* Would catch: an image in 0..255 scaled as if it were in 0..1; its 0 not seen as a level. */
static void image_in_0_255_needs_no_quantizer_even_padded(void **state)
{
    (void)state;
    for (int64_t padding = 0; padding <= 1; padding++) {
        begin(2);
        build_conv(&b, 6, 3, 1, padding, WEIGHTS_TERNARY, true);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_255);
        const struct bittern_input *input = bittern_network_input(network);
        assert_false(input->type.is_signed);
        assert_int_equal(input->type.bits, 8);
        for (size_t u = 0; u < 256; u++) {
            assert_int_equal(input->table[256 + u], u);
        }
        bittern_network_free(network);
    }
}

/* Would catch: a table that ignores the quantizer's scale, sign or ties. */
static void image_in_0_255_goes_through_its_quantizer(void **state)
{
    static const double scales[] = {1, 2, 6.5};
    static const int32_t first[] = {-128, -64, -20};
    static const int32_t tie[] = {-3, -2, 0}; /* -3, -1.5, -0.46 */
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(1);
        build_arithmetic(&b, "Sub", 128);
        build_quant(&b, scales[i], 0, 8, true, false, "ROUND");
        build_conv(&b, 6, 3, 1, 1, WEIGHTS_BIPOLAR, false);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_255);
        const struct bittern_input *input = bittern_network_input(network);
        assert_true(input->type.is_signed);
        assert_int_equal(input->table[0], first[i]);
        assert_int_equal(input->table[125], tie[i]);
        bittern_network_free(network);
    }
}

/* Would catch: the offset -1 of the range forgotten in the first layer's bias. */
static void image_in_minus1_1_needs_no_quantizer_unpadded(void **state)
{
    (void)state;
    begin(2);
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_TERNARY, true);
    end_with_scores();
    bittern_network_free(compile_check_built(&b, BITTERN_INPUT_MINUS1_1));
}

/* Would catch: real 0 padded as some integer where no pixel value is 0. */
static void image_in_minus1_1_cannot_be_padded_without_a_quantizer(void **state)
{
    (void)state;
    begin(2);
    build_conv(&b, 6, 3, 1, 1, WEIGHTS_TERNARY, true);
    end_with_scores();
    compile_check_refused(&b, BITTERN_INPUT_MINUS1_1, BITTERN_ERR_UNSUPPORTED,
                          "pads with a value that is 0", "not a level of the quantizer");
}

/* Would catch: the roundings of 2u/255 - 1 left out; padding that is not the level 0. */
static void image_in_minus1_1_is_padded_behind_a_quantizer(void **state)
{
    static const int bits[] = {1, 2, 4, 8};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        int n = bits[i / 2];
        begin(2);
        if (n == 1) {
            build_bipolar(&b, 1);
        } else {
            build_quant(&b, 1.0 / ((1 << (n - 1)) - 1), 0, n, true, true, "ROUND");
        }
        build_conv(&b, 6, 3, 1, (int64_t)(i % 2), WEIGHTS_TERNARY, true);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_MINUS1_1);
        assert_int_equal(bittern_network_layer(network, 0)->pad_value, 0);
        bittern_network_free(network);
    }
}

/* ---- The Pad node ------------------------------------------------------------------------------
 */

static void pad(double value)
{
    static const int64_t pads[] = {0, 0, 1, 0, 0, 0, 2, 1}; /* top 1, bottom 2, right 1 */
    const char *inputs[] = {build_ints(&b, pads, 8), build_scalar(&b, value), NULL};
    build_append(&b, "Pad", inputs, NULL, 0);
    b.dims[2] += 3;
    b.dims[3] += 1;
}

/* Would catch: top and bottom, or left and right, exchanged; a Pad's zeros counted as values. */
static void pad_of_zeros_joins_the_convolution(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        begin(2);
        build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
        pad(0);
        build_conv(&b, 6, 3, 1, (int64_t)more, WEIGHTS_BIPOLAR, true);
        build_batch_norm(&b, true);
        build_bipolar(&b, 1);
        pad(0);
        build_conv(&b, 4, 3, 2, (int64_t)more, WEIGHTS_TERNARY, true);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
        const struct bittern_layer *l = bittern_network_layer(network, 1);
        assert_int_equal(l->window.pad_top, 1 + more);
        assert_int_equal(l->window.pad_bottom, 2 + more);
        assert_int_equal(l->window.pad_left, more);
        assert_int_equal(l->window.pad_right, 1 + more);
        assert_int_equal(l->input_type.kind, BITTERN_VALUE_BINARY);
        bittern_network_free(network);
    }
}

/* Would catch: padding with a level that is not zero done with zeros. */
static void pad_of_another_level_is_held(void **state)
{
    static const double levels[] = {-1, 0.75, -0.25};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin_with_conv();
        build_quant(&b, 0.25, 0, 3, true, false, "HALF_DOWN"); /* -1 .. 0.75 */
        pad(levels[i]);
        build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, true);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
        assert_int_equal(bittern_network_layer(network, 1)->pad_value, (int32_t)(levels[i] * 4));
        bittern_network_free(network);
    }
}

/* Would catch: binary values padded with -1 masked out as if it were 0. */
static void binary_values_padded_with_minus_one_are_no_longer_binary(void **state)
{
    (void)state;
    begin_with_conv();
    build_bipolar(&b, 1);
    pad(-1);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, true);
    end_with_scores();
    struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
    assert_int_equal(bittern_network_layer(network, 0)->output_type.kind, BITTERN_VALUE_INT);
    bittern_network_free(network);
}

/* Would catch: a Pad in front of the quantizer whose value does not go through it. */
static void pad_goes_through_the_functions_behind_it(void **state)
{
    (void)state;
    begin(2);
    pad(0.3);
    build_arithmetic(&b, "Sub", 0.5);
    build_quant(&b, 0.125, 0, 4, true, false, "ROUND"); /* -0.2 becomes -0.25 */
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, true);
    end_with_scores();
    struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
    assert_int_equal(bittern_network_layer(network, 0)->pad_value, -2);
    bittern_network_free(network);
}

/* Would catch: a padding rounded to the next level. */
static void pad_that_is_no_level_is_refused(void **state)
{
    (void)state;
    begin_with_conv();
    build_quant(&b, 0.25, 0, 3, true, false, "ROUND");
    pad(0.1);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, true);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED,
                          "pads with a value that is 0.1", "not a level of the quantizer");
}

/* Would catch: two paddings of different values made into one. */
static void pad_of_ones_and_a_padded_convolution_are_refused(void **state)
{
    (void)state;
    begin(2);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    pad(1);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_TERNARY, true);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED,
                          "pads with 0 what a Pad node padded", "Conv");
}

/* Would catch: a Pad lost in front of ops that have no padding of its kind. */
static void pad_in_front_of_a_pool_is_refused(void **state)
{
    (void)state;
    begin(2);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    pad(0);
    build_pool(&b, "MaxPool", 2, 2, 0);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, true);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED,
                          "only a convolution can follow a padding", "Pad");
}

/* ---- Zero points and scales a channel ----------------------------------------------------------
 */

/* Would catch: z * sum(w) folded with the wrong sign, or padding that holds 0 instead of z. */
static void zero_points_between_layers_are_folded_and_padded(void **state)
{
    static const struct {
        double zero_point;
        int bits;
        bool is_signed;
    } cases[] = {{3, 3, false}, {5, 4, false}, {-3, 4, true}, {100, 8, false}, {-100, 8, true}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        begin_with_conv();
        build_quant(&b, 3.0 / (1 << cases[i / 2].bits), cases[i / 2].zero_point, cases[i / 2].bits,
                    cases[i / 2].is_signed, false, "ROUND");
        build_conv(&b, 4, 3, 1, (int64_t)(i % 2), WEIGHTS_TERNARY, true);
        end_with_scores();
        bittern_network_free(compile_check_built(&b, BITTERN_INPUT_0_1));
    }
}

/* A Quant or BipolarQuant with a scale a channel. */
static void quant_by_channel(int bits, const float scales[6])
{
    const char *scale = build_floats(&b, (int64_t[]){1, 6, 1, 1}, 4, scales);
    const struct bittern_attribute narrow = {
        .name = "narrow", .kind = BITTERN_ATTRIBUTE_INT, .i = bits == 2};
    if (bits == 1) {
        build_append(&b, "BipolarQuant", (const char *[]){scale, NULL}, NULL, 0);
    } else {
        build_append(&b, "Quant",
                     (const char *[]){scale, build_scalar(&b, 0), build_scalar(&b, bits), NULL},
                     &narrow, 1);
    }
}

/* Would catch: one channel's step used for all, a zero that differs between channels, or scales
 * that do not go into the next weights, which have levels {-2,-1,0,1,2} then. */
static void activations_with_a_scale_a_channel_are_padded(void **state)
{
    static const float scales[] = {0.25F, 0.5F, 0.25F, 0.5F, 0.5F, 0.25F};
    (void)state;
    for (int i = 0; i < 6; i++) {
        int bits = 1 + i / 2;
        begin_with_conv();
        quant_by_channel(bits, scales);
        build_conv(&b, 4, 3, 1, i % 2, WEIGHTS_TERNARY, true);
        end_with_scores();
        struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
        const struct bittern_layer *l = bittern_network_layer(network, 1);
        assert_int_equal(l->pad_value, 0);
        assert_int_equal(l->input_type.kind, bits == 1   ? BITTERN_VALUE_BINARY
                                             : bits == 2 ? BITTERN_VALUE_TERNARY
                                                         : BITTERN_VALUE_INT);
        assert_int_equal(l->input_type.bits, bits);
        assert_int_equal(l->weights.kind, BITTERN_WEIGHT_PLANES);
        bittern_network_free(network);
    }
}

/* Would catch: scales whose ratio is no small fraction rounded into the next weights. */
static void scales_without_a_common_step_are_refused(void **state)
{
    static const float scales[] = {0.25F, 0.2511F, 0.25F, 0.517F, 0.5F, 0.25F};
    (void)state;
    begin_with_conv();
    quant_by_channel(3, scales);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_TERNARY, true);
    end_with_scores();
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED,
                          "after the scales of its input channels", "Conv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_in_0_255_needs_no_quantizer_even_padded),
        cmocka_unit_test(image_in_0_255_goes_through_its_quantizer),
        cmocka_unit_test(image_in_minus1_1_needs_no_quantizer_unpadded),
        cmocka_unit_test(image_in_minus1_1_cannot_be_padded_without_a_quantizer),
        cmocka_unit_test(image_in_minus1_1_is_padded_behind_a_quantizer),
        cmocka_unit_test(pad_of_zeros_joins_the_convolution),
        cmocka_unit_test(pad_of_another_level_is_held),
        cmocka_unit_test(binary_values_padded_with_minus_one_are_no_longer_binary),
        cmocka_unit_test(pad_goes_through_the_functions_behind_it),
        cmocka_unit_test(pad_that_is_no_level_is_refused),
        cmocka_unit_test(pad_of_ones_and_a_padded_convolution_are_refused),
        cmocka_unit_test(pad_in_front_of_a_pool_is_refused),
        cmocka_unit_test(zero_points_between_layers_are_folded_and_padded),
        cmocka_unit_test(activations_with_a_scale_a_channel_are_padded),
        cmocka_unit_test(scales_without_a_common_step_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
