/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that act value by value: QONNX's definitions worked out by hand, each rounding mode, spreads
 * and slopes; and that applying a function and evaluating the model give identical bits.
 */
#include "model/graph.h"
#include "model_build.h"
#include "testing.h"

#include <math.h>
#include <string.h>

static struct bittern_error err;

static struct bittern_model *finish(struct model_builder *b)
{
    struct bittern_model *model = NULL;
    assert_ok(build_end(b, &model), &err);
    return model;
}

/* A model of one value. */
static void begin_scalar(struct model_builder *b)
{
    build_begin(b, "scalar", 13, (int64_t[]){1, 1}, 2, 1, &err);
}

static struct graph_function prepare(const struct bittern_model *model, size_t node)
{
    struct graph_function function;
    graph_function_prepare(model, &model->nodes[node], &function);
    return function;
}

/* The last node of a model of one value, at each x; then the model is freed. */
static void expect_each(struct bittern_model *model, const double *x, const double *y, size_t count)
{
    struct graph_function function = prepare(model, bittern_model_node_count(model) - 1);
    assert_int_not_equal(function.spread, GRAPH_SPREAD_NOT);
    for (size_t i = 0; i < count; i++) {
        double output;
        assert_ok(bittern_model_evaluate(model, &x[i], 1, NULL, NULL, &output, &err), &err);
        if (output != y[i]) {
            fail_msg("f(%g) is %.17g, expected %.17g", x[i], output, y[i]);
        }
        double applied = graph_function_apply(&function, 0, x[i]);
        assert_memory_equal(&applied, &output, sizeof output);
    }
    bittern_model_free(model);
}

/* Would catch: a tie rounded away from even, or a slope of Neg that rises. */
static void rounding_and_negation_follow_onnx(void **state)
{
    (void)state;
    static const double x[] = {-2.5, -1.25, -0.5, 0.5, 1.5, 1.75};
    static const struct {
        const char *op;
        double y[6];
        int slope;
    } cases[] = {
        {"Neg", {2.5, 1.25, 0.5, -0.5, -1.5, -1.75}, -1},
        {"Floor", {-3, -2, -1, 0, 1, 1}, 1},
        {"Ceil", {-2, -1, 0, 1, 2, 2}, 1},
        {"Round", {-2, -1, 0, 0, 2, 2}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_builder b;
        begin_scalar(&b);
        build_unary(&b, cases[i].op);
        struct bittern_model *model = finish(&b);
        struct graph_function function = prepare(model, 0);
        assert_int_equal(graph_function_slope(&function, 0), cases[i].slope);
        assert_int_equal(graph_function_is_affine(&function), i == 0);
        expect_each(model, x, cases[i].y, 6);
    }
}

static struct bittern_model *quant(double scale, double zero_point, int bits, bool is_signed,
                                   bool is_narrow, const char *rounding_mode)
{
    struct model_builder b;
    begin_scalar(&b);
    build_quant(&b, scale, zero_point, bits, is_signed, is_narrow, rounding_mode);
    return finish(&b);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Would catch: a rounding mode that treats halves or negative values in another way than QONNX's
 * own table of examples does. */
static void every_rounding_mode_follows_the_table_of_qonnx(void **state)
{
    (void)state;
    static const double x[] = {5.5, 2.5, 1.6, 1.1, 1.0, -1.0, -1.1, -1.6, -2.5, -5.5, 0.5, -0.5};
    static const struct {
        const char *name;
        double y[12];
    } modes[] = {
        {"ROUND", {6, 2, 2, 1, 1, -1, -1, -2, -2, -6, 0, 0}},
        {"half_even", {6, 2, 2, 1, 1, -1, -1, -2, -2, -6, 0, 0}},
        {"CEIL", {6, 3, 2, 2, 1, -1, -1, -1, -2, -5, 1, 0}},
        {"FLOOR", {5, 2, 1, 1, 1, -1, -2, -2, -3, -6, 0, -1}},
        {"UP", {6, 3, 2, 2, 1, -1, -2, -2, -3, -6, 1, -1}},
        {"DOWN", {5, 2, 1, 1, 1, -1, -1, -1, -2, -5, 0, 0}},
        {"ROUND_TO_ZERO", {5, 2, 1, 1, 1, -1, -1, -1, -2, -5, 0, 0}},
        {"HALF_UP", {6, 3, 2, 1, 1, -1, -1, -2, -3, -6, 1, -1}},
        {"half_down", {5, 2, 2, 1, 1, -1, -1, -2, -2, -5, 0, 0}},
    };
    for (size_t m = 0; m < COUNT(modes); m++) {
        expect_each(quant(1, 0, 8, true, false, modes[m].name), x, modes[m].y, COUNT(x));
    }
}

/* Would catch: a range that is off by one, or narrow applied at the wrong end. */
static void quant_clamps_to_the_range_of_its_bits(void **state)
{
    (void)state;
    static const double x[] = {-1000, 1000};
    static const struct {
        int bits;
        bool is_signed, is_narrow;
        double y[2];
    } cases[] = {
        {8, true, false, {-128, 127}}, {8, true, true, {-127, 127}}, {8, false, false, {0, 255}},
        {8, false, true, {0, 254}},    {2, true, false, {-2, 1}},    {2, true, true, {-1, 1}},
        {2, false, false, {0, 3}},     {1, false, false, {0, 1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_each(quant(1, 0, cases[i].bits, cases[i].is_signed, cases[i].is_narrow, "ROUND"), x,
                    cases[i].y, 2);
    }
    expect_each(quant(1, 0, 32, false, false, "ROUND"), (double[]){1e12}, (double[]){4294967295.0},
                1);
}

/* Would catch: one signed bit read as {-1,0}; QONNX reads it as {-1,+1}. */
static void one_signed_bit_is_bipolar(void **state)
{
    (void)state;
    static const double x[] = {-3, -0.25, 0, 0.25, 3};
    static const double y[] = {-0.5, -0.5, 0.5, 0.5, 0.5};
    expect_each(quant(0.5, 0, 1, true, false, "ROUND"), x, y, COUNT(x));
    expect_each(quant(0.5, 0, 1, true, true, "ROUND"), x, y, COUNT(x));
}

/* Would catch: a zero point that is added at the wrong place or not taken off again. */
static void quant_shifts_by_its_zero_point_and_scales_back(void **state)
{
    (void)state;
    static const double x[] = {-10, -1, -0.9, 0, 0.3, 0.25, 1, 100};
    static const double y[] = {-1.5, -1, -1, 0, 0.5, 0.5, 1, 6};
    /* Unsigned, 4 bits, zero point 3: levels (0..15 - 3) * 0.5; 0.25 is the tie 3.5, to even. */
    expect_each(quant(0.5, 3, 4, false, false, "ROUND"), x, y, COUNT(x));
}

/* Would catch: -scale at 0, where QONNX's rule is x >= 0. */
static void bipolar_quant_gives_plus_scale_at_zero(void **state)
{
    (void)state;
    struct model_builder b;
    begin_scalar(&b);
    build_bipolar(&b, 0.25);
    expect_each(finish(&b), (double[]){-1, -1e-300, -0.0, 0, 2},
                (double[]){-0.25, -0.25, 0.25, 0.25, 0.25}, 5);
}

/* Would catch: thresholds compared with > instead of >=, infinite ones counted wrongly. */
static void multi_threshold_counts_thresholds_at_or_below_x(void **state)
{
    (void)state;
    struct model_builder b;
    float thresholds[] = {-INFINITY, -1, 0.5F, 0.5F, 3, INFINITY};
    struct bittern_attribute attributes[] = {
        {.name = "out_scale", .kind = BITTERN_ATTRIBUTE_FLOAT, .f = 2},
        {.name = "out_bias", .kind = BITTERN_ATTRIBUTE_FLOAT, .f = -3},
        {.name = "out_dtype", .kind = BITTERN_ATTRIBUTE_STRING, .s = "INT4"}};
    begin_scalar(&b);
    const char *name = build_floats(&b, (int64_t[]){1, 6}, 2, thresholds);
    build_append(&b, "MultiThreshold", (const char *const[]){name, NULL}, attributes, 3);
    expect_each(finish(&b), (double[]){-2, -1, 0.49, 0.5, 3, 4}, (double[]){-1, 1, 1, 5, 7, 7}, 6);
}

/* Would catch: rows of thresholds given to the wrong axis of a channels-last tensor. */
static void multi_threshold_finds_its_channels_in_either_layout(void **state)
{
    (void)state;
    for (int is_last = 0; is_last < 2; is_last++) {
        struct model_builder b;
        float thresholds[] = {1, 2, 10, 20}; /* two channels of two */
        struct bittern_attribute layout = {.name = "data_layout",
                                           .kind = BITTERN_ATTRIBUTE_STRING,
                                           .s = is_last ? "NHWC" : "NCHW"};
        double x[] = {1, 15, 2, 30};
        double y[4];
        build_begin(&b, "layout", 13, is_last ? (int64_t[]){1, 1, 2, 2} : (int64_t[]){1, 2, 1, 2},
                    4, 1, &err);
        const char *name = build_floats(&b, (int64_t[]){2, 2}, 2, thresholds);
        build_append(&b, "MultiThreshold", (const char *const[]){name, NULL}, &layout, 1);
        struct bittern_model *model = finish(&b);
        struct graph_function function = prepare(model, 0);
        assert_int_equal(function.spread, GRAPH_SPREAD_CHANNEL);
        assert_int_equal(function.axis, is_last ? 3 : 1);
        assert_ok(bittern_model_evaluate(model, x, 1, NULL, NULL, y, &err), &err);
        const double expected[2][4] = {{1, 2, 0, 2}, {1, 1, 2, 2}};
        assert_memory_equal(y, expected[is_last], sizeof y);
        bittern_model_free(model);
    }
}

/* Would catch: the old and the new signature of Trunc mixed up. */
static void trunc_follows_both_of_its_signatures(void **state)
{
    (void)state;
    struct model_builder b;
    /* From 6 bits to 4: x / 0.5, over 2^2, floor, and back at the same scale. */
    begin_scalar(&b);
    const char *scale = build_scalar(&b, 0.5);
    const char *zero = build_scalar(&b, 0);
    const char *in = build_scalar(&b, 6);
    const char *out = build_scalar(&b, 4);
    build_append(&b, "Trunc", (const char *const[]){scale, zero, in, out, NULL}, NULL, 0);
    expect_each(finish(&b), (double[]){7.5, 8, -0.5, -2.6}, (double[]){1.5, 2, -0.5, -1}, 4);

    /* With an output scale of 2 = 4 * 0.5: 5 / 0.5 / 4 = 2.5, to 2 by ROUND, times 2; signed. */
    struct bittern_attribute mode = {
        .name = "rounding_mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = "ROUND"};
    begin_scalar(&b);
    scale = build_scalar(&b, 0.5);
    zero = build_scalar(&b, 0);
    in = build_scalar(&b, 8);
    const char *out_scale = build_scalar(&b, 2);
    out = build_scalar(&b, 4);
    build_append(&b, "Trunc", (const char *const[]){scale, zero, in, out_scale, out, NULL}, &mode,
                 1);
    expect_each(finish(&b), (double[]){5, 7, 15.75, 1000, -1000}, (double[]){4, 8, 14, 14, -16}, 5);
}

/* Would catch: operands swapped, e.g. x - c for c - x. */
static void arithmetic_takes_its_constant_on_either_side(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        double y; /* at x = 3, c = 8 */
        int slope;
        bool is_first;
    } cases[] = {
        {"Add", 11, 1, false}, {"Add", 11, 1, true}, {"Sub", -5, 1, false},    {"Sub", 5, -1, true},
        {"Mul", 24, 1, false}, {"Mul", 24, 1, true}, {"Div", 0.375, 1, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct model_builder b;
        begin_scalar(&b);
        const char *c = build_scalar(&b, 8);
        const char *inputs[] = {cases[i].is_first ? c : "x", cases[i].is_first ? "x" : c, NULL};
        (void)snprintf(b.tensor, sizeof b.tensor, "%s",
                       build_node(&b, cases[i].op, inputs, NULL, 0));
        struct bittern_model *model = finish(&b);
        struct graph_function function = prepare(model, 0);
        assert_true(graph_function_is_affine(&function));
        assert_int_equal(graph_function_slope(&function, 0), cases[i].slope);
        expect_each(model, (double[]){3}, &cases[i].y, 1);
    }
}

/* Would catch: a constant divided by x taken for a monotone function. */
static void a_constant_divided_by_x_is_evaluated_but_not_elementwise(void **state)
{
    (void)state;
    struct model_builder b;
    double x = 4;
    double y;
    begin_scalar(&b);
    const char *inputs[] = {build_scalar(&b, 8), "x", NULL};
    (void)snprintf(b.tensor, sizeof b.tensor, "%s", build_node(&b, "Div", inputs, NULL, 0));
    struct bittern_model *model = finish(&b);
    assert_int_equal(prepare(model, 0).spread, GRAPH_SPREAD_NOT);
    assert_ok(bittern_model_evaluate(model, &x, 1, NULL, NULL, &y, &err), &err);
    assert_true(y == 2);
    bittern_model_free(model);
}

/* Would catch: a Sign that is 1 at 0, a Clip whose missing bound counts as 0. */
static void relu_sign_and_clip_have_onnx_values(void **state)
{
    (void)state;
    static const double x[] = {-7, -0.5, 0, 0.5, 7};
    struct model_builder b;
    begin_scalar(&b);
    build_unary(&b, "Relu");
    expect_each(finish(&b), x, (double[]){0, 0, 0, 0.5, 7}, 5);
    begin_scalar(&b);
    build_unary(&b, "Sign");
    expect_each(finish(&b), x, (double[]){-1, -1, 0, 1, 1}, 5);
    begin_scalar(&b);
    build_append(&b, "Clip", (const char *const[]){build_scalar(&b, -1), NULL}, NULL, 0);
    expect_each(finish(&b), x, (double[]){-1, -0.5, 0, 0.5, 7}, 5);
    begin_scalar(&b);
    build_append(&b, "Clip", (const char *const[]){"", build_scalar(&b, 0.25), NULL}, NULL, 0);
    expect_each(finish(&b), x, (double[]){-7, -0.5, 0, 0.25, 0.25}, 5);
}

/* ---- Spreads ----------------------------------------------------------------------------------
 */

/* Mul by a constant of this shape over an input of [1,3,4,5]. */
static struct graph_function spread_of(const int64_t *dims, size_t rank)
{
    float ones[20] = {0};
    struct model_builder b;
    struct graph_function function;
    for (size_t i = 0; i < 20; i++) {
        ones[i] = (float)(i + 1);
    }
    build_begin(&b, "spread", 13, (int64_t[]){1, 3, 4, 5}, 4, 1, &err);
    build_append(&b, "Mul", (const char *const[]){build_floats(&b, dims, rank, ones), NULL}, NULL,
                 0);
    struct bittern_model *model = finish(&b);
    function = prepare(model, 0);
    bittern_model_free(model);
    return function;
}

/* Would catch: [3,1,1] or a scalar of rank 4 refused, or [4,5] taken for channels. */
static void spreads_are_scalar_channel_or_neither(void **state)
{
    (void)state;
    assert_int_equal(spread_of(NULL, 0).spread, GRAPH_SPREAD_SCALAR);
    assert_int_equal(spread_of((int64_t[]){1}, 1).spread, GRAPH_SPREAD_SCALAR);
    assert_int_equal(spread_of((int64_t[]){1, 1, 1, 1}, 4).spread, GRAPH_SPREAD_SCALAR);
    const int64_t shapes[][4] = {{1, 3, 1, 1}, {3, 1, 1, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct graph_function function = spread_of(shapes[i], 4 - i);
        assert_int_equal(function.spread, GRAPH_SPREAD_CHANNEL);
        assert_int_equal(function.axis, 1);
        assert_int_equal(function.channels, 3);
    }
    assert_int_equal(spread_of((int64_t[]){5}, 1).axis, 3);
    assert_int_equal(spread_of((int64_t[]){4, 5}, 2).spread, GRAPH_SPREAD_NOT);
}

/* ---- Agreement --------------------------------------------------------------------------------
 */

struct replay {
    const struct bittern_model *model;
    double values[4 * 6 * 6]; /* of the tensor before */
    size_t node, checked;
};

/* Each elementwise node again, from the tensor before it, one value at a time. */
static int replay_node(void *user, size_t image, const struct bittern_tensor_info *info,
                       const double *values)
{
    struct replay *replay = user;
    size_t count = (size_t)(info->dims[1] * info->dims[2] * info->dims[3]);
    struct graph_function function = prepare(replay->model, replay->node++);
    (void)image;
    for (size_t i = 0; function.spread != GRAPH_SPREAD_NOT && i < count; i++) {
        size_t channel = function.spread == GRAPH_SPREAD_CHANNEL ? i / 36 % function.channels : 0;
        double y = graph_function_apply(&function, channel, replay->values[i]);
        assert_memory_equal(&y, &values[i], sizeof y);
        replay->checked++;
    }
    memcpy(replay->values, values, count * sizeof *values);
    return 0;
}

/* Would catch: evaluation and compilation using different operations, orders or channels. */
static void applying_a_function_gives_the_bits_of_evaluation(void **state)
{
    (void)state;
    uint64_t seed = 0xE1;
    double images[5 * 36];
    struct model_builder b;
    build_begin(&b, "chain", 13, (int64_t[]){0, 1, 6, 6}, 4, 31, &err);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_arithmetic(&b, "Mul", 1.7);
    build_arithmetic(&b, "Div", 0.3);
    build_arithmetic(&b, "Sub", 0.1);
    build_unary(&b, "Relu");
    build_quant(&b, 0.1, 1, 5, false, false, "HALF_UP");
    build_arithmetic(&b, "Add", -0.7);
    build_bipolar(&b, 0.3);
    struct replay replay = {.model = finish(&b)};
    for (size_t i = 0; i < COUNT(images); i++) {
        images[i] = random_unit(&seed) - 0.5;
    }
    for (size_t i = 0; i < 5; i++) {
        replay.node = 0;
        assert_ok(bittern_model_evaluate(replay.model, images + 36 * i, 1, replay_node, &replay,
                                         NULL, &err),
                  &err);
    }
    assert_int_equal(replay.checked, 5 * 8 * 4 * 36);
    bittern_model_free((struct bittern_model *)(uintptr_t)replay.model);
}

/* Would catch: batch normalization in another order of operations than the promised one. */
static void batch_norm_follows_its_formula(void **state)
{
    (void)state;
    struct model_builder b;
    uint64_t seed = 8;
    build_begin(&b, "norm", 13, (int64_t[]){1, 5}, 2, 12, &err);
    build_batch_norm_of(&b, true, 3);
    struct bittern_model *model = finish(&b);
    struct graph_function function = prepare(model, 0);
    const double *p[4];
    for (size_t i = 0; i < 4; i++) {
        p[i] = graph_node_input(model, &model->nodes[0], i + 1)->constant;
    }
    for (size_t n = 0; n < 1000; n++) {
        size_t c = n % 5;
        double x = 10 * random_unit(&seed) - 5;
        volatile double centred = x - p[2][c];
        volatile double scaled = p[0][c] * centred;
        volatile double divided = scaled / sqrt(p[3][c] + (double)1e-5F);
        assert_true(graph_function_apply(&function, c, x) == divided + p[1][c]);
        assert_int_equal(graph_function_slope(&function, c), p[0][c] > 0 ? 1 : -1);
    }
    bittern_model_free(model);
}

/* Would catch: a slope that does not hold, over random functions and points. */
static void slopes_hold_at_random_points(void **state)
{
    (void)state;
    uint64_t seed = 0x51;
    struct model_builder b;
    build_begin(&b, "slopes", 13, (int64_t[]){1, 4}, 2, 99, &err);
    build_batch_norm(&b, true);
    build_arithmetic(&b, "Mul", -0.3);
    build_quant(&b, 0.11, 2, 4, true, true, "UP");
    build_unary(&b, "Sign");
    struct bittern_model *model = finish(&b);
    for (size_t n = 0; n < model->node_count; n++) {
        struct graph_function function = prepare(model, n);
        for (size_t i = 0; i < 2000; i++) {
            size_t c = random_below(&seed, function.channels);
            double x = 6 * random_unit(&seed) - 3;
            double step = graph_function_apply(&function, c, x + random_unit(&seed)) -
                          graph_function_apply(&function, c, x);
            assert_true(step * graph_function_slope(&function, c) >= 0);
        }
    }
    bittern_model_free(model);
}

/* ---- Bad constants ----------------------------------------------------------------------------
 */

/* The model must be refused with this status, by a message with this word in it. */
static void expect_refused(struct model_builder *b, bittern_status status, const char *word)
{
    struct bittern_model *model = NULL;
    assert_int_equal(build_end(b, &model), status);
    if (strstr(err.message, word) == NULL) {
        fail_msg("'%s' is not in: %s", word, err.message);
    }
}

/* Would catch: a division by zero or a meaningless range that only shows when values are wrong. */
static void bad_constants_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        double scale, zero_point;
        const char *mode, *word;
        int bits;
        bittern_status status;
    } quants[] = {
        {0, 0, "ROUND", "scale", 4, BITTERN_ERR_RANGE},
        {-1, 0, "ROUND", "scale", 4, BITTERN_ERR_RANGE},
        {INFINITY, 0, "ROUND", "scale", 4, BITTERN_ERR_RANGE},
        {1, INFINITY, "ROUND", "zero point", 4, BITTERN_ERR_RANGE},
        {1, 0, "ROUND", "bit width", 0, BITTERN_ERR_RANGE},
        {1, 0, "ROUND", "bit width", 33, BITTERN_ERR_RANGE},
        {1, 0, "SIDEWAYS", "SIDEWAYS", 4, BITTERN_ERR_UNSUPPORTED},
    };
    struct model_builder b;
    for (size_t i = 0; i < COUNT(quants); i++) {
        begin_scalar(&b);
        build_quant(&b, quants[i].scale, quants[i].zero_point, quants[i].bits, true, false,
                    quants[i].mode);
        expect_refused(&b, quants[i].status, quants[i].word);
        assert_non_null(strstr(err.message, "(Quant)"));
    }
    begin_scalar(&b);
    build_bipolar(&b, -1);
    expect_refused(&b, BITTERN_ERR_RANGE, "scale");
    begin_scalar(&b);
    build_arithmetic(&b, "Div", 0);
    expect_refused(&b, BITTERN_ERR_RANGE, "not zero");
    begin_scalar(&b);
    const char *falling = build_floats(&b, (int64_t[]){1, 2}, 2, (float[]){2, 1});
    build_append(&b, "MultiThreshold", (const char *const[]){falling, NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_RANGE, "rising");
}

/* Would catch: a square root of a negative number; the channel must be named. */
static void a_variance_that_is_not_positive_is_refused(void **state)
{
    (void)state;
    struct model_builder b;
    float ones[] = {1, 1, 1};
    float variances[] = {1, 0.5F, -0.25F};
    build_begin(&b, "norm", 13, (int64_t[]){1, 3}, 2, 1, &err);
    const char *one = build_floats(&b, (int64_t[]){3}, 1, ones);
    const char *variance = build_floats(&b, (int64_t[]){3}, 1, variances);
    build_append(&b, "BatchNormalization", (const char *const[]){one, one, one, variance, NULL},
                 NULL, 0);
    expect_refused(&b, BITTERN_ERR_RANGE, "channel 2");
}

/* Would catch: parameters that come from the image taken for constants. */
static void computed_parameters_are_refused(void **state)
{
    (void)state;
    struct model_builder b;
    begin_scalar(&b);
    build_append(&b, "BipolarQuant", (const char *const[]){"x", NULL}, NULL, 0);
    expect_refused(&b, BITTERN_ERR_UNSUPPORTED, "computed from the image");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_and_negation_follow_onnx),
        cmocka_unit_test(every_rounding_mode_follows_the_table_of_qonnx),
        cmocka_unit_test(quant_clamps_to_the_range_of_its_bits),
        cmocka_unit_test(one_signed_bit_is_bipolar),
        cmocka_unit_test(quant_shifts_by_its_zero_point_and_scales_back),
        cmocka_unit_test(bipolar_quant_gives_plus_scale_at_zero),
        cmocka_unit_test(multi_threshold_counts_thresholds_at_or_below_x),
        cmocka_unit_test(multi_threshold_finds_its_channels_in_either_layout),
        cmocka_unit_test(trunc_follows_both_of_its_signatures),
        cmocka_unit_test(arithmetic_takes_its_constant_on_either_side),
        cmocka_unit_test(a_constant_divided_by_x_is_evaluated_but_not_elementwise),
        cmocka_unit_test(relu_sign_and_clip_have_onnx_values),
        cmocka_unit_test(spreads_are_scalar_channel_or_neither),
        cmocka_unit_test(applying_a_function_gives_the_bits_of_evaluation),
        cmocka_unit_test(batch_norm_follows_its_formula),
        cmocka_unit_test(slopes_hold_at_random_points),
        cmocka_unit_test(bad_constants_are_refused_by_name),
        cmocka_unit_test(a_variance_that_is_not_positive_is_refused),
        cmocka_unit_test(computed_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
