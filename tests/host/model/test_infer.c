/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of every op, as ONNX defines them, and the errors for shapes that do not fit. */
#include "model_build.h"
#include "testing.h"

#include <string.h>

static struct bittern_error err;

static struct bittern_attribute integer(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

static struct bittern_attribute list(const char *name, const int64_t *values, size_t count)
{
    return (struct bittern_attribute){
        .name = name, .kind = BITTERN_ATTRIBUTE_INTS, .ints = values, .count = count};
}

static void begin(struct model_builder *b, const int64_t *dims, size_t rank)
{
    build_begin(b, "shapes", 13, dims, rank, 1, &err);
}

/* Finish the model and look at its output's shape. */
static void expect_shape(struct model_builder *b, const int64_t *dims, size_t rank)
{
    struct bittern_model *model;
    struct bittern_tensor_info info;
    assert_ok(build_end(b, &model), &err);
    bittern_model_output(model, &info);
    assert_int_equal(info.rank, rank);
    assert_memory_equal(info.dims, dims, rank * sizeof *dims);
    bittern_model_free(model);
}

/* The model must be refused, by a message that has all three words in it. */
static void expect_refused(struct model_builder *b, bittern_status status, const char *op,
                           const char *first, const char *second)
{
    struct bittern_model *model;
    const char *words[] = {op, first, second};
    assert_int_equal(build_end(b, &model), status);
    assert_null(model);
    for (size_t i = 0; i < 3; i++) {
        if (strstr(err.message, words[i]) == NULL) {
            fail_msg("'%s' is not in: %s", words[i], err.message);
        }
    }
}

static const char *zeros(struct model_builder *b, const int64_t *dims, size_t rank)
{
    static const float values[256];
    return build_floats(b, dims, rank, values);
}

#define DIMS(...)                                                                                  \
    (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

/* Would catch: a Reshape that takes 0 or -1 literally, or counts the open size wrongly. */
static void reshape_copies_zero_and_works_out_minus_one(void **state)
{
    (void)state;
    const struct {
        int64_t target[3];
        size_t count;
        int64_t dims[3];
    } cases[] = {
        {{0, -1}, 2, {2, 60}},       {{-1, 5}, 2, {24, 5}},       {{-1}, 1, {120}},
        {{0, 0, 20}, 3, {2, 3, 20}}, {{4, 0, -1}, 3, {4, 3, 10}},
    };
    for (size_t i = 0; i < 5; i++) {
        struct model_builder b;
        begin(&b, DIMS(2, 3, 4, 5));
        build_append(&b, "Reshape",
                     (const char *const[]){build_ints(&b, cases[i].target, cases[i].count), NULL},
                     NULL, 0);
        expect_shape(&b, cases[i].dims, cases[i].count);
    }
}

/* Would catch: a size that does not divide, two open sizes, or a zero past the input's rank. */
static void impossible_reshapes_are_refused(void **state)
{
    (void)state;
    const int64_t targets[][3] = {{7, -1, 1}, {-1, -1, 2}, {2, 3, 5}, {-2, 1, 12}};
    for (size_t i = 0; i < 4; i++) {
        struct model_builder b;
        begin(&b, DIMS(2, 12));
        build_append(&b, "Reshape", (const char *const[]){build_ints(&b, targets[i], 3), NULL},
                     NULL, 0);
        expect_refused(&b, BITTERN_ERR_FORMAT, "(Reshape)", "[2,12]", "reshaped");
    }
    struct model_builder b;
    begin(&b, DIMS(2, 12));
    build_append(&b, "Reshape", (const char *const[]){build_ints(&b, DIMS(2, 12, 0)), NULL}, NULL,
                 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Reshape)", "[2,12]", "[2,12,0]");
    struct bittern_attribute allow = integer("allowzero", 1);
    build_begin(&b, "shapes", 14, (const int64_t[]){2, 12}, 2, 1, &err);
    build_append(&b, "Reshape", (const char *const[]){build_ints(&b, DIMS(0, 12)), NULL}, &allow,
                 1);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Reshape)", "[2,12]", "[0,12]");
}

/* Would catch: Flatten at an axis other than 1, from the end, or at the rank itself. */
static void flatten_splits_at_any_axis(void **state)
{
    (void)state;
    const int64_t cases[][3] = {{1, 2, 60}, {0, 1, 120}, {3, 24, 5}, {4, 120, 1}, {-1, 24, 5}};
    for (size_t i = 0; i < 5; i++) {
        struct model_builder b;
        struct bittern_attribute axis = integer("axis", cases[i][0]);
        begin(&b, DIMS(2, 3, 4, 5));
        build_append(&b, "Flatten", (const char *const[]){NULL}, &axis, 1);
        expect_shape(&b, cases[i] + 1, 2);
    }
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 5);
    begin(&b, DIMS(2, 3, 4, 5));
    build_append(&b, "Flatten", (const char *const[]){NULL}, &axis, 1);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Flatten)", "axis 5", "[2,3,4,5]");
}

/* Would catch: a Transpose without perm, or a perm that names an axis twice. */
static void transpose_permutes_or_turns_round(void **state)
{
    (void)state;
    struct model_builder b;
    const int64_t perm[] = {0, 2, 3, 1};
    const int64_t twice[] = {0, 2, 2, 1};
    struct bittern_attribute attribute = list("perm", perm, 4);
    begin(&b, DIMS(2, 3, 4, 5));
    build_append(&b, "Transpose", (const char *const[]){NULL}, &attribute, 1);
    expect_shape(&b, DIMS(2, 4, 5, 3));
    begin(&b, DIMS(2, 3, 4, 5));
    build_unary(&b, "Transpose");
    expect_shape(&b, DIMS(5, 4, 3, 2));
    attribute.ints = twice;
    begin(&b, DIMS(2, 3, 4, 5));
    build_append(&b, "Transpose", (const char *const[]){NULL}, &attribute, 1);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Transpose)", "permutation", "[2,3,4,5]");
}

/* Would catch: broadcasting that only works one way, or shapes that do not fit let through. */
static void arithmetic_broadcasts_both_ways(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b, DIMS(1, 3, 1, 5));
    build_append(&b, "Add", (const char *const[]){zeros(&b, DIMS(4, 1)), NULL}, NULL, 0);
    expect_shape(&b, DIMS(1, 3, 4, 5));
    begin(&b, DIMS(1, 5));
    build_append(&b, "Mul", (const char *const[]){zeros(&b, DIMS(2, 3, 1, 5)), NULL}, NULL, 0);
    expect_shape(&b, DIMS(2, 3, 1, 5));
    begin(&b, DIMS(1, 3, 4, 5));
    build_append(&b, "Add", (const char *const[]){zeros(&b, DIMS(3)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Add)", "[1,3,4,5]", "[3]");
}

/* Would catch: quantizer constants that would enlarge the tensor they quantize. */
static void quantizer_constants_must_fit_their_input(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b, DIMS(1, 3));
    const char *inputs[] = {zeros(&b, DIMS(2, 1, 1)), build_scalar(&b, 0), build_scalar(&b, 2),
                            NULL};
    build_append(&b, "Quant", inputs, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Quant)", "[1,3]", "[2,1,1]");
    begin(&b, DIMS(1, 3, 2, 2));
    build_append(&b, "MultiThreshold", (const char *const[]){zeros(&b, DIMS(2, 4)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(MultiThreshold)", "[1,3,2,2]", "[2,4]");
    begin(&b, DIMS(1, 3, 2, 2));
    const char *four = zeros(&b, DIMS(4));
    build_append(&b, "BatchNormalization", (const char *const[]){four, four, four, four, NULL},
                 NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(BatchNormalization)", "[4]", "[3]");
}

/* Would catch: matrices whose inner sizes differ, or more axes than are supported. */
static void products_check_their_inner_sizes(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b, DIMS(2, 3, 4));
    build_append(&b, "MatMul", (const char *const[]){zeros(&b, DIMS(4, 7)), NULL}, NULL, 0);
    expect_shape(&b, DIMS(2, 3, 7));
    begin(&b, DIMS(1, 4));
    build_append(&b, "MatMul", (const char *const[]){zeros(&b, DIMS(5, 7)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(MatMul)", "[1,4]", "[5,7]");
    begin(&b, DIMS(1, 4));
    build_append(&b, "Gemm", (const char *const[]){zeros(&b, DIMS(5, 7)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Gemm)", "[1,4]", "[5,7]");
    begin(&b, DIMS(1, 4));
    build_append(&b, "Gemm", (const char *const[]){zeros(&b, DIMS(4, 7)), zeros(&b, DIMS(3)), NULL},
                 NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Gemm)", "[3]", "[1,7]");
    begin(&b, DIMS(1, 3, 8, 8));
    build_append(&b, "Conv", (const char *const[]){zeros(&b, DIMS(4, 2, 3, 3)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Conv)", "[1,3,8,8]", "[4,2,3,3]");
    begin(&b, DIMS(1, 3, 8, 8));
    build_append(&b, "Conv",
                 (const char *const[]){zeros(&b, DIMS(4, 3, 3, 3)), zeros(&b, DIMS(3)), NULL}, NULL,
                 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Conv)", "[3]", "[4]");
    begin(&b, DIMS(1, 3, 8));
    build_append(&b, "Conv", (const char *const[]){zeros(&b, DIMS(4, 3, 3)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Conv)", "[1,3,8]", "2-D");
}

/* Would catch: windows placed wrongly at stride 2 with padding. */
static void windows_give_the_shapes_of_onnx(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b, DIMS(1, 3, 9, 10));
    build_conv(&b, 4, 3, 2, 1, WEIGHTS_FLOAT, true);
    expect_shape(&b, DIMS(1, 4, 5, 5));
    begin(&b, DIMS(1, 3, 9, 10));
    build_pool(&b, "MaxPool", 2, 2, 0);
    expect_shape(&b, DIMS(1, 3, 4, 5));
    begin(&b, DIMS(1, 3, 9, 10));
    build_unary(&b, "GlobalAveragePool");
    expect_shape(&b, DIMS(1, 3, 1, 1));
}

/* Would catch: pads in the wrong order, axes ignored, or negative pads let through. */
static void pad_takes_axes_and_refuses_negative_pads(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b, DIMS(1, 3, 4, 5));
    build_append(&b, "Pad",
                 (const char *const[]){build_ints(&b, DIMS(0, 0, 1, 2, 0, 0, 3, 4)), NULL}, NULL,
                 0);
    expect_shape(&b, DIMS(1, 3, 8, 11));
    build_begin(&b, "shapes", 18, (const int64_t[]){1, 3, 4, 5}, 4, 1, &err);
    const char *pads = build_ints(&b, DIMS(1, 2, 3, 4));
    const char *axes = build_ints(&b, DIMS(-1, 2));
    build_append(&b, "Pad", (const char *const[]){pads, "", axes, NULL}, NULL, 0);
    expect_shape(&b, DIMS(1, 3, 10, 9));
    begin(&b, DIMS(1, 3));
    build_append(&b, "Pad", (const char *const[]){build_ints(&b, DIMS(0, -1, 0, 0)), NULL}, NULL,
                 0);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "(Pad)", "-1", "axis 1");
    begin(&b, DIMS(1, 3));
    build_append(&b, "Pad", (const char *const[]){build_ints(&b, DIMS(0, 1)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(Pad)", "2", "4");
}

/* Would catch: scores whose k is larger than the axis, or an axis that is not there. */
static void scores_check_their_axis_and_k(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 1);
    begin(&b, DIMS(1, 10));
    build_append(&b, "ArgMax", (const char *const[]){NULL}, &axis, 1);
    expect_shape(&b, DIMS(1, 1));
    begin(&b, DIMS(1, 10));
    build_append(&b, "TopK", (const char *const[]){build_ints(&b, DIMS(3)), NULL}, NULL, 0);
    expect_shape(&b, DIMS(1, 3));
    begin(&b, DIMS(1, 10));
    build_append(&b, "TopK", (const char *const[]){build_ints(&b, DIMS(11)), NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(TopK)", "k must", "10");
    axis.i = 2;
    begin(&b, DIMS(1, 10));
    build_append(&b, "ArgMax", (const char *const[]){NULL}, &axis, 1);
    expect_refused(&b, BITTERN_ERR_FORMAT, "(ArgMax)", "axis 2", "[1,10]");
}

/* Would catch: a Squeeze or Unsqueeze of computed values left in the graph. */
static void squeezing_computed_values_becomes_a_reshape(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_model *model;
    struct bittern_node_info info;
    double x[12];
    double y[3];
    begin(&b, DIMS(0, 3, 2, 2));
    build_unary(&b, "GlobalAveragePool");
    build_append(&b, "Squeeze", (const char *const[]){build_ints(&b, DIMS(2, -1)), NULL}, NULL, 0);
    build_append(&b, "Unsqueeze", (const char *const[]){build_ints(&b, DIMS(1)), NULL}, NULL, 0);
    assert_ok(build_end(&b, &model), &err);
    assert_int_equal(bittern_model_node_count(model), 3);
    bittern_model_node(model, 1, &info);
    assert_string_equal(info.op, "Reshape");
    assert_int_equal(info.output.rank, 2);
    assert_int_equal(info.output.dims[1], 3);
    bittern_model_node(model, 2, &info);
    assert_string_equal(info.op, "Reshape");
    assert_int_equal(info.output.rank, 3);
    for (size_t i = 0; i < 12; i++) {
        x[i] = i < 4 ? 0 : i < 8 ? 1 : 2;
    }
    assert_ok(bittern_model_evaluate(model, x, 1, NULL, NULL, y, &err), &err);
    assert_true(y[0] == 0 && y[1] == 1 && y[2] == 2);
    bittern_model_free(model);
}

/* x.mean(axes), with the axes as an attribute (before opset 18) or as an input. */
static void append_mean(struct model_builder *b, const int64_t *axes, size_t count, bool is_input,
                        int64_t keepdims)
{
    const struct bittern_attribute attributes[] = {
        {.name = "keepdims", .kind = BITTERN_ATTRIBUTE_INT, .i = keepdims},
        {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS, .ints = axes, .count = count}};
    const char *inputs[] = {is_input ? build_ints(b, axes, count) : NULL, NULL};
    build_append(b, "ReduceMean", inputs, attributes, is_input ? 1 : 2);
}

/* Would catch: axes misread, a map flattened that should not be, the divisor forgotten. */
static void mean_over_rows_and_columns_is_a_global_average_pool(void **state)
{
    static const int64_t axes[][2] = {{2, 3}, {3, 2}, {-2, -1}, {-1, 2}};
    (void)state;
    for (size_t i = 0; i < 16; i++) {
        struct model_builder b;
        struct bittern_model *model;
        struct bittern_node_info info;
        struct bittern_tensor_info output;
        double x[12];
        double y[3];
        size_t keeps = i / 4 % 2;
        err = (struct bittern_error){0};
        build_begin(&b, "net", i / 8 ? 18 : 13, DIMS(0, 3, 2, 2), 1, &err);
        append_mean(&b, axes[i % 4], 2, i / 8, (int64_t)keeps);
        build_arithmetic(&b, "Mul", 2);
        assert_ok(build_end(&b, &model), &err);
        assert_int_equal(bittern_model_node_count(model), keeps ? 2 : 3);
        bittern_model_node(model, 0, &info);
        assert_string_equal(info.op, "GlobalAveragePool");
        if (!keeps) {
            bittern_model_node(model, 1, &info);
            assert_string_equal(info.op, "Flatten");
        }
        bittern_model_output(model, &output);
        assert_int_equal(output.rank, keeps ? 4 : 2);
        assert_int_equal(output.dims[1], 3);
        for (size_t j = 0; j < 12; j++) {
            x[j] = (double)(j * j);
        }
        assert_ok(bittern_model_evaluate(model, x, 1, NULL, NULL, y, &err), &err);
        assert_true(y[0] == 7 && y[1] == 63 && y[2] == 183);
        bittern_model_free(model);
    }
}

/* Would catch: a mean over channels, over one axis, or over everything taken for a pool. */
static void other_means_are_refused(void **state)
{
    static const struct {
        int64_t axes[3];
        size_t count;
    } cases[] = {{{1}, 1}, {{2}, 1}, {{1, 2}, 2}, {{1, 2, 3}, 3}, {{0}, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_builder b;
        begin(&b, DIMS(0, 3, 2, 2));
        append_mean(&b, cases[i].axes, cases[i].count, cases[i].count > 0, 1);
        expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "(ReduceMean)", "rows and columns", "2 and 3");
    }
    struct model_builder b;
    begin(&b, DIMS(0, 3));
    append_mean(&b, (const int64_t[]){-1, -2}, 2, false, 1);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "GlobalAveragePool", "must have 4 axes",
                   "ReduceMean");
}

/* Would catch: ops over computed values that nothing downstream can handle, or a shape that
 * depends on the image. */
static void shape_ops_over_computed_values_are_refused(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 1);
    begin(&b, DIMS(1, 10));
    build_append(&b, "Gather", (const char *const[]){build_ints(&b, DIMS(1, 2)), NULL}, &axis, 1);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "(Gather)", "Gather_1_node", "computed");
    begin(&b, DIMS(1, 10));
    build_append(&b, "Concat", (const char *const[]){"x", NULL}, &axis, 1);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "(Concat)", "Concat_0_node", "computed");
    begin(&b, DIMS(1, 10));
    build_append(&b, "Reshape", (const char *const[]){"x", NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "(Reshape)", "shape", "computed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_copies_zero_and_works_out_minus_one),
        cmocka_unit_test(impossible_reshapes_are_refused),
        cmocka_unit_test(flatten_splits_at_any_axis),
        cmocka_unit_test(transpose_permutes_or_turns_round),
        cmocka_unit_test(arithmetic_broadcasts_both_ways),
        cmocka_unit_test(quantizer_constants_must_fit_their_input),
        cmocka_unit_test(products_check_their_inner_sizes),
        cmocka_unit_test(windows_give_the_shapes_of_onnx),
        cmocka_unit_test(pad_takes_axes_and_refuses_negative_pads),
        cmocka_unit_test(scores_check_their_axis_and_k),
        cmocka_unit_test(squeezing_computed_values_becomes_a_reshape),
        cmocka_unit_test(mean_over_rows_and_columns_is_a_global_average_pool),
        cmocka_unit_test(other_means_are_refused),
        cmocka_unit_test(shape_ops_over_computed_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
