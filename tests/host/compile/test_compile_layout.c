/* SPDX-License-Identifier: Apache-2.0 */
/* Channels last, normalization behind Flatten, and what stands behind the scores. */
#include "compile_check.h"
#include "model_build.h"
#include "testing.h"

#include <string.h>

static struct model_builder b;
static struct bittern_error err;

static void begin(int64_t opset, int64_t side)
{
    err = (struct bittern_error){0};
    build_begin(&b, "net", opset, (int64_t[]){0, 2, side, side}, 4, 11, &err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
}

/* ---- Layouts -----------------------------------------------------------------------------------
 */

static void transpose(int64_t first, int64_t second, int64_t third)
{
    const int64_t perm[] = {0, first, second, third};
    const struct bittern_attribute attribute = {
        .name = "perm", .kind = BITTERN_ATTRIBUTE_INTS, .ints = perm, .count = 4};
    const int64_t dims[] = {1, b.dims[first], b.dims[second], b.dims[third]};
    build_append(&b, "Transpose", (const char *[]){NULL}, &attribute, 1);
    memcpy(b.dims, dims, sizeof dims);
}

/* A constant of [4], which follows the last axis. */
static void by_last_axis(const char *op, const float values[4])
{
    build_append(&b, op, (const char *[]){build_floats(&b, (int64_t[]){4}, 1, values), NULL}, NULL,
                 0);
}

/* Would catch: constants of the last axis taken for the first one's; rows and columns exchanged. */
static void channels_last_between_all_layers_equals_the_graph(void **state)
{
    static const float factors[] = {0.5F, -1.5F, 2, -0.75F};
    static const float summands[] = {0.1F, -0.2F, 0.05F, 0.3F};
    (void)state;
    err = (struct bittern_error){0};
    build_begin(&b, "last", 13, (int64_t[]){0, 7, 9, 2}, 4, 6, &err);
    build_arithmetic(&b, "Sub", 0.5);
    build_quant(&b, 1.0 / 128, 0, 8, true, false, "ROUND");
    transpose(3, 1, 2);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    transpose(2, 3, 1);
    by_last_axis("Mul", factors);
    by_last_axis("Add", summands);
    build_quant(&b, 0.25, 0, 3, true, false, "HALF_DOWN");
    transpose(3, 1, 2);
    build_pool(&b, "MaxPool", 2, 1, 0);
    transpose(2, 3, 1);
    transpose(3, 1, 2);
    build_conv(&b, 5, 3, 1, 1, WEIGHTS_TERNARY, true);
    transpose(2, 3, 1);
    build_bipolar(&b, 1);
    build_flatten(&b);
    build_linear(&b, 5, WEIGHTS_TERNARY, true);
    struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    assert_int_equal(shape->channels, 2);
    assert_int_equal(shape->height, 7);
    assert_int_equal(shape->width, 9);
    assert_int_equal(bittern_network_layer_count(network), 3);
    bittern_network_free(network);
}

/* Would catch: a convolution over an axis that is not the channels'. */
static void convolution_of_a_map_with_channels_last_is_refused(void **state)
{
    (void)state;
    begin(13, 8);
    build_conv(&b, 8, 3, 1, 1, WEIGHTS_BIPOLAR, false);
    build_bipolar(&b, 1);
    transpose(2, 3, 1);
    build_conv(&b, 4, 3, 1, 0, WEIGHTS_BIPOLAR, false);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "Conv",
                          "needs [batch, channels, rows, columns]");
}

/* Would catch: BatchNormalization behind Flatten indexed by position. */
static void batch_norm_behind_a_flatten_of_one_pixel_equals_the_graph(void **state)
{
    (void)state;
    begin(13, 6);
    build_conv(&b, 7, 6, 1, 0, WEIGHTS_TERNARY, false);
    build_flatten(&b);
    build_batch_norm(&b, true);
    build_bipolar(&b, 1);
    build_linear(&b, 5, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    bittern_network_free(compile_check_built(&b, BITTERN_INPUT_0_1));
}

/* Would catch: one value for each pixel of a flattened map taken for one a channel. */
static void batch_norm_behind_a_flattened_map_is_refused(void **state)
{
    (void)state;
    begin(13, 6);
    build_conv(&b, 7, 3, 1, 0, WEIGHTS_TERNARY, false);
    build_flatten(&b);
    build_batch_norm(&b, true);
    build_bipolar(&b, 1);
    build_linear(&b, 5, WEIGHTS_TERNARY, true);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "BatchNormalization",
                          "one value for each of the 7 channels");
}

/* ---- Behind the scores -------------------------------------------------------------------------
 */

static void build_scores(int64_t opset)
{
    begin(opset, 8);
    build_conv(&b, 6, 3, 1, 0, WEIGHTS_TERNARY, false);
    build_bipolar(&b, 1);
    build_flatten(&b);
    build_linear(&b, 10, WEIGHTS_TERNARY, true);
}

static void append_top_k(int64_t k, int64_t largest)
{
    const struct bittern_attribute attribute = {
        .name = "largest", .kind = BITTERN_ATTRIBUTE_INT, .i = largest};
    build_append(&b, "TopK", (const char *[]){build_ints(&b, &k, 1), NULL}, &attribute, 1);
}

/* Compile what was built: two layers, and the scores as they were without the tail. */
static void check_tail(size_t top_k)
{
    struct bittern_network *network = compile_check_built(&b, BITTERN_INPUT_0_1);
    const struct bittern_layer *last = bittern_network_layer(network, 1);
    assert_int_equal(bittern_network_layer_count(network), 2);
    assert_int_equal(bittern_network_top_k(network), top_k);
    assert_int_equal(bittern_network_output_count(network), 10);
    assert_true(strncmp(last->output_name, "Gemm", 4) == 0);
    bittern_network_free(network);
}

/* Would catch: k lost, or a tail that changes the scores. */
static void top_k_is_recorded(void **state)
{
    (void)state;
    build_scores(13);
    append_top_k(3, 1);
    check_tail(3);
    build_scores(11);
    append_top_k(1, 1);
    check_tail(1);
}

/* Would catch: Softmax compiled, or refused; the k behind it forgotten. */
static void softmax_is_dropped(void **state)
{
    static const char *const ops[] = {"Softmax", "LogSoftmax"};
    (void)state;
    for (int64_t opset = 9; opset <= 13; opset += 4) {
        for (size_t i = 0; i < 2; i++) {
            build_scores(opset);
            build_unary(&b, ops[i]);
            check_tail(1);
        }
    }
    build_scores(13);
    build_unary(&b, "Softmax");
    append_top_k(5, 1);
    check_tail(5);
}

/* Would catch: an ArgMax over the wrong axis taken for the class. */
static void arg_max_is_the_class(void **state)
{
    const struct bittern_attribute axis = {.name = "axis", .kind = BITTERN_ATTRIBUTE_INT, .i = 1};
    (void)state;
    build_scores(13);
    build_append(&b, "ArgMax", (const char *[]){NULL}, &axis, 1);
    check_tail(1);
    build_scores(13);
    build_unary(&b, "ArgMax"); /* axis 0: the batch */
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "ArgMax",
                          "over all scores");
}

/* Would catch: the smallest scores taken for the largest; arithmetic behind a choice dropped. */
static void other_tails_are_refused(void **state)
{
    (void)state;
    build_scores(13);
    append_top_k(3, 0);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "TopK",
                          "only the largest");
    build_scores(13);
    build_unary(&b, "Softmax");
    build_arithmetic(&b, "Mul", 2);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_UNSUPPORTED, "Mul",
                          "nothing can be computed from a Softmax");
}

/* ---- Limits ------------------------------------------------------------------------------------
 */

/* Would catch: an accumulator that wraps. 2 * 190 * 190 products of 255 * 127 need 33 bits. */
static void accumulators_beyond_32_bits_are_refused(void **state)
{
    enum { INPUTS = 2 * 190 * 190 };
    static float weights[INPUTS];
    (void)state;
    for (size_t i = 0; i < INPUTS; i++) {
        weights[i] = i == 0 ? 1.0F : 127.0F;
    }
    begin(13, 190);
    build_flatten(&b);
    build_append(&b, "MatMul",
                 (const char *[]){build_floats(&b, (int64_t[]){INPUTS, 1}, 2, weights), NULL}, NULL,
                 0);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_RANGE, "MatMul",
                          "needs 33 bits, and has 32");
}

/* Would catch: a pool that multiplies the range after it was checked. */
static void sum_pools_beyond_32_bits_are_refused(void **state)
{
    (void)state;
    begin(13, 256);
    build_conv(&b, 1, 9, 1, 0, WEIGHTS_INT8, false);
    build_pool(&b, "AveragePool", 240, 1, 0);
    build_bipolar(&b, 1);
    build_flatten(&b);
    build_linear(&b, 2, WEIGHTS_TERNARY, false);
    compile_check_refused(&b, BITTERN_INPUT_0_1, BITTERN_ERR_RANGE, "Conv", "bits, and has 32");
}

/* Would catch: a grouped convolution read as a whole one. */
static void grouped_convolution_is_refused(void **state)
{
    static const float weights[4] = {1, -1, 1, -1};
    const struct bittern_attribute group = {.name = "group", .kind = BITTERN_ATTRIBUTE_INT, .i = 2};
    struct bittern_model *model;
    (void)state;
    begin(13, 8);
    build_append(&b, "Conv",
                 (const char *[]){build_floats(&b, (int64_t[]){4, 1, 1, 1}, 4, weights), NULL},
                 &group, 1);
    assert_int_equal(build_end(&b, &model), BITTERN_ERR_UNSUPPORTED);
    assert_null(model);
    assert_non_null(strstr(err.message, "group is 2"));
    assert_non_null(strstr(err.message, "Conv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_last_between_all_layers_equals_the_graph),
        cmocka_unit_test(convolution_of_a_map_with_channels_last_is_refused),
        cmocka_unit_test(batch_norm_behind_a_flatten_of_one_pixel_equals_the_graph),
        cmocka_unit_test(batch_norm_behind_a_flattened_map_is_refused),
        cmocka_unit_test(top_k_is_recorded),
        cmocka_unit_test(softmax_is_dropped),
        cmocka_unit_test(arg_max_is_the_class),
        cmocka_unit_test(other_tails_are_refused),
        cmocka_unit_test(accumulators_beyond_32_bits_are_refused),
        cmocka_unit_test(sum_pools_beyond_32_bits_are_refused),
        cmocka_unit_test(grouped_convolution_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
