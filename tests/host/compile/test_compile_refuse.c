/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs that have no exact integer form are refused with the place and the reason. */
#include "model_build.h"
#include "testing.h"

#include <bittern/network.h>
#include <string.h>

static struct model_builder b;
static struct bittern_error err;

static void begin(void)
{
    err = (struct bittern_error){0};
    build_begin(&b, "net", 13, (int64_t[]){0, 2, 8, 8}, 4, 3, &err);
}

static void begin_quantized(void)
{
    begin();
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
}

/* Compile what was built; it must fail with this status and these words. */
static void refused(bittern_status status, const char *first, const char *second)
{
    struct bittern_model *model;
    struct bittern_network *network = (struct bittern_network *)&b;

    assert_ok(build_end(&b, &model), &err);
    bittern_status result = bittern_network_compile(model, NULL, &network, &err);
    bittern_model_free(model);
    assert_int_equal(result, status);
    assert_null(network);
    if (!strstr(err.message, first) || !strstr(err.message, second)) {
        fail_msg("'%s' and '%s' are not in: %s", first, second, err.message);
    }
}

/* Would catch: a real activation rounded to something. */
static void layer_without_a_quantizer_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    build_batch_norm(&b, false);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "no quantizer between", "Conv");
}

/* Would catch: Relu alone taken for a quantizer. */
static void relu_alone_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    build_batch_norm(&b, false);
    build_unary(&b, "Relu");
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "more than 256 levels", "quantizer of 8 bits");
}

/* Would catch: padding with an integer that is not the real zero. */
static void padding_that_is_no_level_is_refused(void **state)
{
    (void)state;
    begin();
    build_arithmetic(&b, "Mul", 2);
    build_arithmetic(&b, "Sub", 1);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "not a level of the quantizer", "'input'");
}

/* Would catch: a binary image {-a,+b} padded as if its zero were exact. */
static void padding_of_unsymmetric_binary_values_is_refused(void **state)
{
    (void)state;
    begin();
    build_arithmetic(&b, "Sub", 0.5);
    build_bipolar(&b, 1);
    build_arithmetic(&b, "Add", 0.25);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "not a level of the quantizer", "-0.25");
}

/* Would catch: a quantizer with one level, and padding that is another one, taken for binary. */
static void padding_beside_a_constant_is_refused(void **state)
{
    (void)state;
    begin();
    build_bipolar(&b, 1); /* the image is never negative */
    build_arithmetic(&b, "Add", 0.25);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "its only level is 1", "-0.25");
}

/* Would catch: float weights rounded. */
static void float_weights_are_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_FLOAT, false);
    refused(BITTERN_ERR_UNSUPPORTED, "weights are not quantized", "channel 0 has 18 levels");
}

/* Would catch: a residual connection compiled as if it were a chain. */
static void branch_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    char before[64];
    memcpy(before, b.tensor, sizeof before);
    build_bipolar(&b, 1);
    build_append(&b, "Add", (const char *[]){before, NULL}, NULL, 0);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "more than one reader", "branches");
}

/* Would catch: a last layer's Relu dropped. */
static void last_layer_with_a_function_that_is_not_affine_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, false);
    build_unary(&b, "Relu");
    refused(BITTERN_ERR_UNSUPPORTED, "levels", "not quantized");
}

/* Would catch: constants a pixel taken for constants a channel. */
static void constants_a_value_of_a_flattened_map_are_refused(void **state)
{
    float values[2 * 64];
    (void)state;
    for (size_t i = 0; i < 128; i++) {
        values[i] = (float)i;
    }
    begin_quantized();
    build_flatten(&b);
    build_append(&b, "Add",
                 (const char *[]){build_floats(&b, (int64_t[]){1, 128}, 2, values), NULL}, NULL, 0);
    build_linear(&b, 3, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "one value for each of the 2 channels", "Add");
}

/* Would catch: a wrong divisor at the edges. */
static void padded_average_without_its_padding_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, false);
    build_bipolar(&b, 1);
    build_pool(&b, "AveragePool", 3, 2, 1);
    build_flatten(&b);
    build_linear(&b, 3, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "count_include_pad", "AveragePool");
}

/* Would catch: sums of an average pool cut to 8 bits in front of a convolution. */
static void average_whose_sums_need_more_than_8_bits_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_pool(&b, "AveragePool", 2, 2, 0);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    refused(BITTERN_ERR_UNSUPPORTED, "more than 256 levels", "AveragePool");
}

/* Would catch: an empty network. */
static void graph_without_weights_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    refused(BITTERN_ERR_UNSUPPORTED, "no convolution or full connection", "net");
}

/* Would catch: a misspelt range taken for the default. */
static void unknown_input_range_of_a_model_is_refused(void **state)
{
    (void)state;
    begin_quantized();
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_TERNARY, false);
    assert_ok(bittern_model_set_metadata(b.model, "input_range", "0..1", &err), &err);
    refused(BITTERN_ERR_FORMAT, "input_range", "minus1-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_without_a_quantizer_is_refused),
        cmocka_unit_test(relu_alone_is_refused),
        cmocka_unit_test(padding_that_is_no_level_is_refused),
        cmocka_unit_test(padding_of_unsymmetric_binary_values_is_refused),
        cmocka_unit_test(padding_beside_a_constant_is_refused),
        cmocka_unit_test(float_weights_are_refused),
        cmocka_unit_test(branch_is_refused),
        cmocka_unit_test(last_layer_with_a_function_that_is_not_affine_is_refused),
        cmocka_unit_test(constants_a_value_of_a_flattened_map_are_refused),
        cmocka_unit_test(padded_average_without_its_padding_is_refused),
        cmocka_unit_test(average_whose_sums_need_more_than_8_bits_is_refused),
        cmocka_unit_test(graph_without_weights_is_refused),
        cmocka_unit_test(unknown_input_range_of_a_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
