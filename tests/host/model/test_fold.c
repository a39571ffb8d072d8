/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that the ops compute from constants and shapes, and the bounds of that folding. */
#include "model/graph.h"
#include "model_build.h"
#include "testing.h"

#include <math.h>
#include <string.h>

static struct bittern_error err;

static struct bittern_attribute integer(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

#define DIMS(...)                                                                                  \
    (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static void begin(struct model_builder *b)
{
    build_begin(b, "fold", 13, DIMS(1, 1), 1, &err);
}

/* Keep a name that outlives the builder's ring of names. */
static const char *keep(char *buffer, const char *name)
{
    (void)snprintf(buffer, 64, "%s", name);
    return buffer;
}

/* Add the constant to x, finish, and look at the constant that the Add got. */
static void expect_constant(struct model_builder *b, const char *name, const double *values,
                            size_t count)
{
    struct bittern_model *model;
    build_append(b, "Add", (const char *const[]){name, NULL}, NULL, 0);
    assert_ok(build_end(b, &model), &err);
    assert_int_equal(bittern_model_node_count(model), 1);
    const struct graph_tensor *constant = graph_node_input(model, &model->nodes[0], 1);
    assert_non_null(constant->constant);
    assert_int_equal(constant->count, count);
    for (size_t i = 0; i < count; i++) {
        if (constant->constant[i] != values[i]) {
            fail_msg("value %zu is %.17g, expected %.17g", i, constant->constant[i], values[i]);
        }
    }
    bittern_model_free(model);
}

/* Integers as the model's own shape arithmetic has them, cast at the end to be added to x. */
static void expect_integers(struct model_builder *b, const char *name, const double *values,
                            size_t count)
{
    struct bittern_attribute to = integer("to", BITTERN_ELEMENT_FLOAT);
    char held[64];
    keep(held, name);
    expect_constant(b, build_node(b, "Cast", (const char *const[]){held, NULL}, &to, 1), values,
                    count);
}

static void expect_refused(struct model_builder *b, const char *name, bittern_status status,
                           const char *word)
{
    struct bittern_model *model;
    build_append(b, "Add", (const char *const[]){name, NULL}, NULL, 0);
    assert_int_equal(build_end(b, &model), status);
    if (strstr(err.message, word) == NULL) {
        fail_msg("'%s' is not in: %s", word, err.message);
    }
}

/* Would catch: shape arithmetic of an exporter that survives, or gives a wrong shape. */
static void the_flatten_that_exporters_write_folds_away(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_model *model;
    struct bittern_tensor_info info;
    struct bittern_attribute axis = integer("axis", 0);
    char batch[64];
    char list[64];
    build_begin(&b, "view", 13, DIMS(0, 3, 4, 4), 1, &err);
    build_unary(&b, "Relu");
    /* view(x.size(0), -1): Shape, Gather 0, Unsqueeze, Concat with -1, Reshape. */
    const char *shape = build_node(&b, "Shape", (const char *const[]){b.tensor, NULL}, NULL, 0);
    const char *zero = build_ints(&b, DIMS(0));
    const char *index = build_node(&b, "Squeeze", (const char *const[]){zero, NULL}, NULL, 0);
    keep(batch, build_node(&b, "Gather", (const char *const[]){shape, index, NULL}, &axis, 1));
    const char *axes = build_ints(&b, DIMS(0));
    keep(list, build_node(&b, "Unsqueeze", (const char *const[]){batch, axes, NULL}, NULL, 0));
    const char *open = build_ints(&b, DIMS(-1));
    const char *target =
        build_node(&b, "Concat", (const char *const[]){list, open, NULL}, &axis, 1);
    build_append(&b, "Reshape", (const char *const[]){target, NULL}, NULL, 0);
    assert_ok(build_end(&b, &model), &err);
    assert_int_equal(bittern_model_node_count(model), 2);
    bittern_model_output(model, &info);
    assert_int_equal(info.rank, 2);
    assert_int_equal(info.dims[0], 1);
    assert_int_equal(info.dims[1], 48);
    bittern_model_free(model);
}

/* Would catch: quantized weights that stay nodes, or a scale a channel along the wrong axis. */
static void quantized_and_turned_weights_become_constants(void **state)
{
    (void)state;
    struct model_builder b;
    build_begin(&b, "weights", 13, DIMS(1, 1), 1, &err);
    const char *w = build_floats(&b, DIMS(2, 3), (float[]){0.9F, -0.2F, -7, 3, 0.4F, -1.1F});
    const char *scales = build_floats(&b, DIMS(2, 1), (float[]){0.5F, 2});
    const char *inputs[] = {w, scales, build_scalar(&b, 0), build_scalar(&b, 2), NULL};
    struct bittern_attribute narrow = integer("narrow", 1);
    const char *quantized = build_node(&b, "Quant", inputs, &narrow, 1);
    const char *turned =
        build_node(&b, "Transpose", (const char *const[]){quantized, NULL}, NULL, 0);
    expect_constant(&b, turned, (double[]){0.5, 2, 0, 0, -0.5, -2}, 6);
}

/* Would catch: sizes that are divided as floats, or rounded down below zero. */
static void integer_division_truncates_toward_zero(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b);
    const char *a = build_ints(&b, DIMS(7, -7, 8, 9007199254740991));
    const char *c = build_ints(&b, DIMS(2, 2, -3, 2));
    expect_integers(&b, build_node(&b, "Div", (const char *const[]){a, c, NULL}, NULL, 0),
                    (double[]){3, -3, -2, 4503599627370496.0 /* as float32 */}, 4);
}

/* Would catch: integers beyond what float64 holds exactly, silently rounded. */
static void integers_beyond_two_to_53_are_refused(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute to = integer("to", BITTERN_ELEMENT_FLOAT);
    begin(&b);
    const char *a = build_ints(&b, DIMS(INT64_C(1) << 40));
    const char *product = build_node(&b, "Mul", (const char *const[]){a, a, NULL}, NULL, 0);
    expect_refused(&b, build_node(&b, "Cast", (const char *const[]){product, NULL}, &to, 1),
                   BITTERN_ERR_RANGE, "(Mul)");
}

/* Would catch: a cut that is off by one with negative steps or ends past the axis. */
static void slice_follows_numpy(void **state)
{
    (void)state;
    static const struct {
        int64_t begin, end, step;
        double values[5];
        size_t count;
    } cases[] = {
        {1, 3, 1, {1, 2}, 2},          {0, INT64_MAX, 2, {0, 2, 4}, 3},
        {-2, INT64_MAX, 1, {3, 4}, 2}, {-1, INT64_MIN, -1, {4, 3, 2, 1, 0}, 5},
        {3, 0, -2, {3, 1}, 2},         {-100, 100, 3, {0, 3}, 2},
        {4, -6, -3, {4, 1}, 2},        {0, 5, INT64_MAX, {0}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_builder b;
        begin(&b);
        const char *data = build_ints(&b, DIMS(0, 1, 2, 3, 4));
        const char *inputs[] = {data,
                                build_ints(&b, &cases[i].begin, 1),
                                build_ints(&b, &cases[i].end, 1),
                                build_ints(&b, DIMS(0)),
                                build_ints(&b, &cases[i].step, 1),
                                NULL};
        expect_integers(&b, build_node(&b, "Slice", inputs, NULL, 0), cases[i].values,
                        cases[i].count);
    }
}

/* Would catch: steps over the wrong axis of a matrix. */
static void slice_cuts_named_axes_only(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b);
    const char *data = build_floats(&b, DIMS(2, 3), (float[]){1, 2, 3, 4, 5, 6});
    const char *inputs[] = {data,
                            build_ints(&b, DIMS(2, 0)),
                            build_ints(&b, DIMS(0, 1)),
                            build_ints(&b, DIMS(-1, 0)),
                            build_ints(&b, DIMS(-1, 1)),
                            NULL};
    expect_constant(&b, build_node(&b, "Slice", inputs, NULL, 0), (double[]){3, 2}, 2);
}

/* Would catch: indices from the end, or out of range, that read another row. */
static void gather_takes_rows_and_columns(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 1);
    begin(&b);
    const char *data = build_floats(&b, DIMS(2, 3), (float[]){1, 2, 3, 4, 5, 6});
    const char *indices = build_ints(&b, DIMS(-1, 0));
    expect_constant(&b,
                    build_node(&b, "Gather", (const char *const[]){data, indices, NULL}, &axis, 1),
                    (double[]){3, 1, 6, 4}, 4);
    begin(&b);
    data = build_floats(&b, DIMS(2, 3), (float[]){1, 2, 3, 4, 5, 6});
    indices = build_ints(&b, DIMS(3));
    expect_refused(&b,
                   build_node(&b, "Gather", (const char *const[]){data, indices, NULL}, &axis, 1),
                   BITTERN_ERR_RANGE, "index 3");
}

/* Would catch: parts joined along the wrong axis. */
static void concat_joins_along_its_axis(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 2; n++) {
        struct model_builder b;
        struct bittern_attribute axis = integer("axis", n - 2);
        begin(&b);
        const char *one = build_floats(&b, DIMS(2, 2), (float[]){1, 2, 3, 4});
        const char *two = build_floats(&b, DIMS(2, 2), (float[]){5, 6, 7, 8});
        expect_constant(
            &b, build_node(&b, "Concat", (const char *const[]){one, two, NULL}, &axis, 1),
            n == 0 ? (double[]){1, 2, 3, 4, 5, 6, 7, 8} : (double[]){1, 2, 5, 6, 3, 4, 7, 8}, 8);
    }
}

/* Would catch: a part of the wrong shape joined anyway. */
static void concat_refuses_parts_that_do_not_fit(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 0);
    begin(&b);
    const char *one = build_floats(&b, DIMS(1, 2), (float[]){1, 2});
    const char *two = build_floats(&b, DIMS(1, 3), (float[]){5, 6, 7});
    expect_refused(&b, build_node(&b, "Concat", (const char *const[]){one, two, NULL}, &axis, 1),
                   BITTERN_ERR_FORMAT, "[1,3]");
    begin(&b);
    one = build_floats(&b, DIMS(2), (float[]){1, 2});
    two = build_ints(&b, DIMS(-1));
    expect_refused(&b, build_node(&b, "Concat", (const char *const[]){one, two, NULL}, &axis, 1),
                   BITTERN_ERR_FORMAT, "element types");
}

/* Would catch: casts that round, wrap round, or keep more digits than float32 has. */
static void casts_truncate_and_saturate(void **state)
{
    (void)state;
    static const struct {
        int64_t to;
        double values[4];
    } cases[] = {
        {BITTERN_ELEMENT_INT8, {2, -2, 127, -128}},
        {BITTERN_ELEMENT_UINT8, {2, 0, 255, 0}},
        {BITTERN_ELEMENT_INT32, {2, -2, 1e6, -1e6}},
        {BITTERN_ELEMENT_BOOL, {1, 1, 1, 1}},
    };
    for (size_t i = 0; i < 4; i++) {
        struct model_builder b;
        struct bittern_attribute to = integer("to", cases[i].to);
        begin(&b);
        const char *x = build_floats(&b, DIMS(4), (float[]){2.9F, -2.9F, 1e6F, -1e6F});
        expect_integers(&b, build_node(&b, "Cast", (const char *const[]){x, NULL}, &to, 1),
                        cases[i].values, 4);
    }
    struct model_builder b;
    struct bittern_attribute text = integer("to", 8);
    begin(&b);
    const char *x = build_scalar(&b, 1);
    expect_refused(&b, build_node(&b, "Cast", (const char *const[]){x, NULL}, &text, 1),
                   BITTERN_ERR_UNSUPPORTED, "(Cast)");
}

/* Would catch: start and end of opset 15 ignored. */
static void shape_gives_a_range_of_sizes(void **state)
{
    (void)state;
    static const struct {
        int64_t start, end;
        double values[4];
        size_t count;
    } cases[] = {{0, 4, {1, 3, 4, 5}, 4}, {1, -1, {3, 4}, 2}, {-2, 100, {4, 5}, 2}};
    for (size_t i = 0; i < 3; i++) {
        struct model_builder b;
        struct bittern_attribute range[] = {integer("start", cases[i].start),
                                            integer("end", cases[i].end)};
        build_begin(&b, "fold", 15, DIMS(1, 3, 4, 5), 1, &err);
        char shape[64];
        keep(shape, build_node(&b, "Shape", (const char *const[]){"x", NULL}, range, 2));
        /* Its length varies: reshape it to broadcast against x. */
        const char *column = build_ints(&b, DIMS(-1, 1, 1, 1));
        expect_integers(
            &b, build_node(&b, "Reshape", (const char *const[]){shape, column, NULL}, NULL, 0),
            cases[i].values, cases[i].count);
    }
}

/* Would catch: constants behind a product, a pool or a norm that are not computed. */
static void any_listed_op_folds_over_constants(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b);
    const char *image = build_floats(&b, DIMS(1, 1, 2, 2), (float[]){1, 2, 3, 4});
    const char *w = build_floats(&b, DIMS(1, 1, 1, 1), (float[]){3});
    char sum[64];
    keep(sum, build_node(&b, "Conv", (const char *const[]){image, w, NULL}, NULL, 0));
    char mean[64];
    keep(mean, build_node(&b, "GlobalAveragePool", (const char *const[]){sum, NULL}, NULL, 0));
    char row[64];
    keep(row, build_node(&b, "Flatten", (const char *const[]){mean, NULL}, NULL, 0));
    const char *matrix = build_floats(&b, DIMS(1, 2), (float[]){2, -2});
    char product[64];
    keep(product, build_node(&b, "MatMul", (const char *const[]){row, matrix, NULL}, NULL, 0));
    expect_constant(&b, build_node(&b, "Relu", (const char *const[]){product, NULL}, NULL, 0),
                    (double[]){15, 0}, 2);
}

/* Would catch: a deviation that an exporter left as sqrt(variance + epsilon), or the scale of
 * weights that are quantized by plain arithmetic, refused or computed wrong. */
static void arithmetic_of_constants_folds(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        double values[3];
    } cases[] = {
        {"Abs", {6.25, 0.25, 2.5}},      {"Neg", {6.25, -0.25, -2.5}},
        {"Floor", {-7, 0, 2}},           {"Ceil", {-6, 1, 3}},
        {"Round", {-6, 0, 2}},           {"Pow", {39.0625, 0.0625, 6.25}},
        {"Reciprocal", {-0.16, 4, 0.4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_builder b;
        begin(&b);
        const char *x = build_floats(&b, DIMS(3), (float[]){-6.25F, 0.25F, 2.5F});
        const char *two = strcmp(cases[i].op, "Pow") == 0 ? build_ints(&b, DIMS(2)) : NULL;
        expect_constant(&b,
                        build_node(&b, cases[i].op, (const char *const[]){x, two, NULL}, NULL, 0),
                        cases[i].values, 3);
    }
    struct model_builder b;
    begin(&b);
    const char *x = build_floats(&b, DIMS(2), (float[]){6.25F, 2});
    expect_constant(&b, build_node(&b, "Sqrt", (const char *const[]){x, NULL}, NULL, 0),
                    (double[]){2.5, sqrt(2)}, 2);
}

/* Would catch: a scale of weights, their mean size a channel, taken over the wrong axes; and axes
 * as an attribute or as an input read differently. */
static void reductions_of_constants_fold(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        int64_t axis, keeps;
        double values[3];
        size_t count;
    } cases[] = {
        {"ReduceMean", 1, 1, {2, 5}, 2},
        {"ReduceMean", -2, 0, {2.5, 3.5, 4.5}, 3},
        {"ReduceMax", 1, 0, {3, 6}, 2},
        {"ReduceMax", 0, 1, {4, 5, 6}, 3},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct model_builder b;
        const int64_t axis = cases[i / 2].axis;
        struct bittern_attribute attributes[] = {
            integer("keepdims", cases[i / 2].keeps),
            {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS, .ints = &axis, .count = 1}};
        begin(&b);
        const char *x = build_floats(&b, DIMS(2, 3), (float[]){1, 2, 3, 4, 5, 6});
        const char *axes = i % 2 == 0 ? NULL : build_ints(&b, &axis, 1);
        const char *result = build_node(&b, cases[i / 2].op, (const char *const[]){x, axes, NULL},
                                        attributes, axes == NULL ? 2 : 1);
        /* As a column, so that it broadcasts against the model's one value whatever its rank. */
        char held[64];
        keep(held, result);
        const char *column = build_ints(&b, DIMS(-1, 1));
        expect_constant(
            &b, build_node(&b, "Reshape", (const char *const[]){held, column, NULL}, NULL, 0),
            cases[i / 2].values, cases[i / 2].count);
    }
    struct model_builder b;
    begin(&b);
    const char *x = build_floats(&b, DIMS(2, 2), (float[]){1, 2, 3, 6});
    expect_constant(&b, build_node(&b, "ReduceMean", (const char *const[]){x, NULL}, NULL, 0),
                    (double[]){3}, 1);
    begin(&b);
    x = build_floats(&b, DIMS(2, 2), (float[]){1, 2, 3, 6});
    const char *axes = build_ints(&b, DIMS(0, -2));
    expect_refused(&b, build_node(&b, "ReduceMax", (const char *const[]){x, axes, NULL}, NULL, 0),
                   BITTERN_ERR_FORMAT, "axis -2");
}

/* Would catch: a NaN that later code takes for a weight or a threshold. */
static void constants_that_are_not_numbers_are_refused(void **state)
{
    (void)state;
    struct model_builder b;
    begin(&b);
    const char *x = build_floats(&b, DIMS(2), (float[]){1, -1});
    expect_refused(&b, build_node(&b, "Sqrt", (const char *const[]){x, NULL}, NULL, 0),
                   BITTERN_ERR_RANGE, "not a number at 1");
}

/* Would catch: a largest value, or a mean, of nothing. */
static void empty_tensors_are_not_reduced(void **state)
{
    (void)state;
    for (size_t axis = 0; axis < 2; axis++) {
        struct model_builder b;
        struct bittern_model *model;
        const int64_t axes = (int64_t)axis;
        struct bittern_attribute attributes[] = {
            integer("keepdims", 0),
            {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS, .ints = &axes, .count = 1}};
        begin(&b);
        const char *x = build_floats(&b, DIMS(0, 3), (float[]){0});
        const char *y = build_node(&b, "ReduceMax", (const char *const[]){x, NULL}, attributes, 2);
        build_append(&b, "Add", (const char *const[]){y, NULL}, NULL, 0);
        assert_int_not_equal(build_end(&b, &model), BITTERN_OK);
    }
}

/* Would catch: a square root of computed values, which the compiler knows nothing of, let in. */
static void arithmetic_for_constants_is_refused_on_computed_values(void **state)
{
    (void)state;
    static const char *const ops[] = {"Abs", "Reciprocal", "Sqrt", "ReduceMean"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct model_builder b;
        struct bittern_model *model;
        begin(&b);
        build_unary(&b, ops[i]);
        assert_int_equal(build_end(&b, &model), BITTERN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, ops[i]));
    }
}

/* Would catch: a file of a few bytes that makes gigabytes of constants by doubling, or by padding
 * once. */
static void a_small_file_cannot_ask_for_large_constants(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_attribute axis = integer("axis", 0);
    char part[64];
    begin(&b);
    keep(part, build_floats(&b, DIMS(4, 1), (float[]){1, 2, 3, 4}));
    for (size_t i = 0; i < 40; i++) {
        const char *doubled =
            build_node(&b, "Concat", (const char *const[]){part, part, NULL}, &axis, 1);
        keep(part, doubled);
    }
    expect_refused(&b, part, BITTERN_ERR_UNSUPPORTED, "out of proportion");
    begin(&b);
    const char *one = build_floats(&b, DIMS(1), (float[]){1});
    const char *pads = build_ints(&b, DIMS(0, 100000000));
    expect_refused(&b, build_node(&b, "Pad", (const char *const[]){one, pads, NULL}, NULL, 0),
                   BITTERN_ERR_UNSUPPORTED, "out of proportion");
    begin(&b);
    one = build_floats(&b, DIMS(1), (float[]){1});
    pads = build_ints(&b, DIMS(0, INT64_MAX));
    expect_refused(&b, build_node(&b, "Pad", (const char *const[]){one, pads, NULL}, NULL, 0),
                   BITTERN_ERR_UNSUPPORTED, "(Pad)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flatten_that_exporters_write_folds_away),
        cmocka_unit_test(quantized_and_turned_weights_become_constants),
        cmocka_unit_test(integer_division_truncates_toward_zero),
        cmocka_unit_test(integers_beyond_two_to_53_are_refused),
        cmocka_unit_test(slice_follows_numpy),
        cmocka_unit_test(slice_cuts_named_axes_only),
        cmocka_unit_test(gather_takes_rows_and_columns),
        cmocka_unit_test(concat_joins_along_its_axis),
        cmocka_unit_test(concat_refuses_parts_that_do_not_fit),
        cmocka_unit_test(casts_truncate_and_saturate),
        cmocka_unit_test(shape_gives_a_range_of_sizes),
        cmocka_unit_test(any_listed_op_folds_over_constants),
        cmocka_unit_test(arithmetic_of_constants_folds),
        cmocka_unit_test(reductions_of_constants_fold),
        cmocka_unit_test(constants_that_are_not_numbers_are_refused),
        cmocka_unit_test(empty_tensors_are_not_reduced),
        cmocka_unit_test(arithmetic_for_constants_is_refused_on_computed_values),
        cmocka_unit_test(a_small_file_cannot_ask_for_large_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
