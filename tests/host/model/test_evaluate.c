/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation of computed ops: against small cases worked out by hand, against naive loops in exact
 * integers, and where sums cancel so far that only one rounding of the exact sum is right.
 */
#include "model/graph_dot.h"
#include "model_build.h"
#include "testing.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct bittern_error err;

static struct bittern_model *finish(struct model_builder *b)
{
    struct bittern_model *model = NULL;
    assert_ok(build_end(b, &model), &err);
    return model;
}

/* Evaluate one image and compare each value exactly. */
static void expect(struct bittern_model *model, const double *image, const double *expected,
                   size_t count)
{
    double output[64];
    assert_in_range(count, 1, 64);
    assert_ok(bittern_model_evaluate(model, image, 1, NULL, NULL, output, &err), &err);
    for (size_t i = 0; i < count; i++) {
        if (output[i] != expected[i]) {
            fail_msg("value %zu is %.17g, expected %.17g", i, output[i], expected[i]);
        }
    }
    bittern_model_free(model);
}

static struct bittern_attribute integer(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

static struct bittern_attribute number(const char *name, float value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_FLOAT, .f = value};
}

static struct bittern_attribute list(const char *name, const int64_t *values, size_t count)
{
    return (struct bittern_attribute){
        .name = name, .kind = BITTERN_ATTRIBUTE_INTS, .ints = values, .count = count};
}

/* ---- Sums of products -------------------------------------------------------------------------
 */

/* Would catch: a running sum that is rounded at each step, where 1 is lost beside 2^60. */
static void dot_product_with_cancellation_is_rounded_once(void **state)
{
    (void)state;
    const struct graph_dot_kernels *kernels[] = {graph_dot_portable(), graph_dot_best()};
    const double a[] = {0x1p60, 1, -0x1p60, 0x1p-40, 3, 0x1p30, -0x1p30, 0x1p-1, -0x1p-1};
    const double b[] = {0x1p30, 1, 0x1p30, 0x1p-20, 5, 0x1p30, 0x1p30, 1, 1};
    for (size_t i = 0; i < 2; i++) {
        assert_true(kernels[i]->vectors(a, b, 9) == 16); /* 16 + 2^-60 rounds to 16 */
        assert_true(kernels[i]->vectors(a, b, 5) == 16);
        double panel[9 * GRAPH_DOT_WIDTH];
        double sums[GRAPH_DOT_WIDTH];
        for (size_t k = 0; k < 9 * GRAPH_DOT_WIDTH; k++) {
            panel[k] = b[k / GRAPH_DOT_WIDTH] * (double)(1 + k % GRAPH_DOT_WIDTH);
        }
        kernels[i]->panel(a, panel, GRAPH_DOT_WIDTH, 9, sums);
        for (size_t j = 0; j < GRAPH_DOT_WIDTH; j++) {
            assert_true(sums[j] == 16 * (double)(1 + j));
        }
    }
}

/* Would catch: a product's own rounding error left out, which exact integers do not show. */
static void products_keep_their_lower_half(void **state)
{
    (void)state;
    /* (2^52 + 1)^2 = 2^104 + 2^53 + 1, less its two upper terms. */
    const double a[] = {0x1p52 + 1, -0x1p52, -0x1p53};
    const double b[] = {0x1p52 + 1, 0x1p52, 1};
    assert_true(graph_dot_portable()->vectors(a, b, 3) == 1);
    assert_true(graph_dot_best()->vectors(a, b, 3) == 1);
}

/* Would catch: kernels that add in different orders, or a last vector that is read too far. */
static void all_kernels_give_identical_bits(void **state)
{
    (void)state;
    uint64_t seed = 0xD07;
    double a[200];
    double b[200 * 11];
    for (size_t i = 0; i < 200; i++) {
        a[i] = ldexp(random_unit(&seed) - 0.5, (int)random_below(&seed, 40));
    }
    for (size_t i = 0; i < 200 * 11; i++) {
        b[i] = ldexp(random_unit(&seed) - 0.5, (int)random_below(&seed, 40));
    }
    for (size_t n = 0; n < 200; n++) {
        double first = graph_dot_portable()->vectors(a, b, n);
        double second = graph_dot_best()->vectors(a, b, n);
        assert_memory_equal(&first, &second, sizeof first);
        double sums[2][GRAPH_DOT_WIDTH];
        graph_dot_portable()->panel(a, b + n % 4, 10, n, sums[0]);
        graph_dot_best()->panel(a, b + n % 4, 10, n, sums[1]);
        assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
    }
}

struct conv_case {
    int64_t channels, height, width, filters, kernel_h, kernel_w, stride_h, stride_w, pads[4];
};

/* One output value by the textbook: integers small enough that every sum is exact. */
static double naive_conv(const struct conv_case *c, const double *x, const float *w, int64_t o,
                         int64_t row, int64_t column)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < c->channels; i++) {
        for (int64_t ky = 0; ky < c->kernel_h; ky++) {
            for (int64_t kx = 0; kx < c->kernel_w; kx++) {
                int64_t y = row * c->stride_h + ky - c->pads[0];
                int64_t z = column * c->stride_w + kx - c->pads[1];
                if (y >= 0 && y < c->height && z >= 0 && z < c->width) {
                    sum +=
                        (int64_t)x[(i * c->height + y) * c->width + z] *
                        (int64_t)w[((o * c->channels + i) * c->kernel_h + ky) * c->kernel_w + kx];
                }
            }
        }
    }
    return (double)sum;
}

static struct conv_case draw_conv(uint64_t *seed)
{
    struct conv_case c = {.height = 3 + (int64_t)random_below(seed, 7),
                          .width = 3 + (int64_t)random_below(seed, 7),
                          .kernel_h = 1 + (int64_t)random_below(seed, 3),
                          .kernel_w = 1 + (int64_t)random_below(seed, 3),
                          .stride_h = 1 + (int64_t)random_below(seed, 2),
                          .stride_w = 1 + (int64_t)random_below(seed, 2)};
    c.channels = 1 + (int64_t)random_below(seed, 4);
    c.filters = 1 + (int64_t)random_below(seed, 5);
    for (size_t i = 0; i < 4; i++) {
        c.pads[i] = (int64_t)random_below(seed, 3);
    }
    return c;
}

static void check_conv(const struct conv_case *c, uint64_t *seed)
{
    int64_t w_dims[] = {c->filters, c->channels, c->kernel_h, c->kernel_w};
    size_t w_count = (size_t)(w_dims[0] * w_dims[1] * w_dims[2] * w_dims[3]);
    size_t x_count = (size_t)(c->channels * c->height * c->width);
    float *w = calloc(w_count, sizeof *w);
    double *x = calloc(x_count, sizeof *x);
    if (w == NULL || x == NULL) {
        fail_msg("out of memory");
        abort();
    }
    for (size_t i = 0; i < w_count; i++) {
        w[i] = (float)random_below(seed, 255) - 127;
    }
    for (size_t i = 0; i < x_count; i++) {
        x[i] = (double)random_below(seed, 255) - 127;
    }
    struct model_builder b;
    int64_t strides[] = {c->stride_h, c->stride_w};
    struct bittern_attribute attributes[] = {list("pads", c->pads, 4), list("strides", strides, 2)};
    build_begin(&b, "conv", 13, (int64_t[]){1, c->channels, c->height, c->width}, 4, 1, &err);
    build_append(&b, "Conv", (const char *const[]){build_floats(&b, w_dims, 4, w), NULL},
                 attributes, 2);
    struct bittern_model *model = finish(&b);
    struct bittern_tensor_info info;
    bittern_model_output(model, &info);
    int64_t out_h = (c->height + c->pads[0] + c->pads[2] - c->kernel_h) / c->stride_h + 1;
    int64_t out_w = (c->width + c->pads[1] + c->pads[3] - c->kernel_w) / c->stride_w + 1;
    assert_int_equal(info.dims[2], out_h);
    assert_int_equal(info.dims[3], out_w);
    double *y = calloc((size_t)(c->filters * out_h * out_w), sizeof *y);
    assert_non_null(y);
    assert_ok(bittern_model_evaluate(model, x, 1, NULL, NULL, y, &err), &err);
    for (int64_t i = 0; i < c->filters * out_h * out_w; i++) {
        double expected = naive_conv(c, x, w, i / (out_h * out_w), i / out_w % out_h, i % out_w);
        assert_true(y[i] == expected);
    }
    free(y);
    free(x);
    free(w);
    bittern_model_free(model);
}

/* Would catch: wrong padding, stride, or a last panel of fewer than eight pixels. */
static void convolution_equals_a_naive_loop_in_integers(void **state)
{
    (void)state;
    uint64_t seed = 0xC0;
    for (size_t i = 0; i < 200; i++) {
        struct conv_case c = draw_conv(&seed);
        check_conv(&c, &seed);
    }
}

/* Would catch: a bias that joins the exact sum instead of being added after its rounding. */
static void bias_is_added_after_the_sum_is_rounded(void **state)
{
    (void)state;
    struct model_builder b;
    float w[] = {1, 1};
    float bias[] = {-0x1p53F};
    build_begin(&b, "bias", 13, (int64_t[]){1, 2, 1, 1}, 4, 1, &err);
    const char *weights = build_floats(&b, (int64_t[]){1, 2, 1, 1}, 4, w);
    build_append(&b, "Conv",
                 (const char *const[]){weights, build_floats(&b, (int64_t[]){1}, 1, bias), NULL},
                 NULL, 0);
    /* 2^53 + 1 is a tie and rounds to 2^53; with the bias inside of the sum 1 would be left. */
    expect(finish(&b), (double[]){0x1p53, 1}, (double[]){0}, 1);
}

/* Would catch: transA or transB mixed up, alpha or beta left out, C not broadcast. */
static void gemm_follows_its_attributes(void **state)
{
    (void)state;
    float w[] = {1, 2, 3, 4, 5, 6}; /* [2,3], or [3,2] turned */
    float c[] = {10, 20, 30};
    for (int turned = 0; turned < 2; turned++) {
        struct model_builder b;
        struct bittern_attribute attributes[] = {number("alpha", 0.5F), number("beta", 2),
                                                 integer("transB", turned)};
        build_begin(&b, "gemm", 13, (int64_t[]){1, 2}, 2, 1, &err);
        const char *weights =
            build_floats(&b, turned ? (int64_t[]){3, 2} : (int64_t[]){2, 3}, 2, w);
        const char *offset = build_floats(&b, (int64_t[]){3}, 1, c);
        build_append(&b, "Gemm", (const char *const[]){weights, offset, NULL}, attributes, 3);
        /* x = [1,10]: rows 1,2,3 and 4,5,6, or the columns (1,2), (3,4), (5,6). */
        expect(finish(&b), (double[]){1, 10},
               turned ? (double[]){30.5, 61.5, 92.5} : (double[]){40.5, 66, 91.5}, 3);
    }
}

/* Would catch: a matrix whose columns are no multiple of eight, or rows that are mixed up. */
static void matmul_equals_a_naive_loop_in_integers(void **state)
{
    (void)state;
    uint64_t seed = 0x3A7;
    for (int64_t columns = 1; columns < 20; columns++) {
        float w[7 * 20];
        double x[2 * 7];
        double y[2 * 20];
        for (size_t i = 0; i < 7 * 20; i++) {
            w[i] = (float)random_below(&seed, 99) - 49;
        }
        for (size_t i = 0; i < 2 * 7; i++) {
            x[i] = (double)random_below(&seed, 99) - 49;
        }
        struct model_builder b;
        build_begin(&b, "matmul", 13, (int64_t[]){1, 2, 7}, 3, 1, &err);
        const char *weights = build_floats(&b, (int64_t[]){7, columns}, 2, w);
        build_append(&b, "MatMul", (const char *const[]){weights, NULL}, NULL, 0);
        for (int64_t i = 0; i < 2 * columns; i++) {
            y[i] = 0;
            for (int64_t k = 0; k < 7; k++) {
                y[i] += x[i / columns * 7 + k] * (double)w[k * columns + i % columns];
            }
        }
        expect(finish(&b), x, y, (size_t)(2 * columns));
    }
}

/* ---- Pools, scores, layout --------------------------------------------------------------------
 */

static const double image3x3[] = {1, -2, 3, 4, 5, -6, 7, 8, 9};

static struct bittern_model *pool3x3(const char *op, int64_t kernel, int64_t stride,
                                     int64_t padding, const struct bittern_attribute *more)
{
    struct model_builder b;
    int64_t kernels[] = {kernel, kernel};
    int64_t strides[] = {stride, stride};
    int64_t pads[] = {padding, padding, padding, padding};
    struct bittern_attribute attributes[4] = {list("kernel_shape", kernels, 2),
                                              list("strides", strides, 2), list("pads", pads, 4)};
    if (more != NULL) {
        attributes[3] = *more;
    }
    build_begin(&b, "pool", 13, (int64_t[]){1, 1, 3, 3}, 4, 1, &err);
    build_append(&b, op, (const char *const[]){NULL}, attributes, more != NULL ? 4 : 3);
    return finish(&b);
}

/* Would catch: padding that counts as zero in a maximum, or a wrong divisor of an average. */
static void pools_treat_padding_as_onnx_says(void **state)
{
    (void)state;
    struct bittern_attribute counts = integer("count_include_pad", 1);
    expect(pool3x3("MaxPool", 2, 1, 0, NULL), image3x3, (double[]){5, 5, 8, 9}, 4);
    expect(pool3x3("MaxPool", 2, 2, 1, NULL), (double[]){-1, -2, -3, -4, -5, -6, -7, -8, -9},
           (double[]){-1, -2, -4, -5}, 4);
    expect(pool3x3("AveragePool", 2, 1, 0, NULL), image3x3, (double[]){2, 0, 6, 4}, 4);
    expect(pool3x3("AveragePool", 2, 2, 1, NULL), image3x3, (double[]){1, 0.5, 5.5, 4}, 4);
    expect(pool3x3("AveragePool", 2, 2, 1, &counts), image3x3, (double[]){0.25, 0.25, 2.75, 4}, 4);
}

/* Would catch: an average whose sum is rounded more than once: 2^53 + 1 + 1 - 2^53 would be 0. */
static void averages_round_their_sum_once(void **state)
{
    (void)state;
    struct model_builder b;
    build_begin(&b, "global", 13, (int64_t[]){1, 2, 2, 2}, 4, 1, &err);
    build_unary(&b, "GlobalAveragePool");
    expect(finish(&b), (double[]){0x1p53, 1, 1, -0x1p53, 1, 2, 3, 5}, (double[]){0.5, 2.75}, 2);
    struct model_builder pool;
    build_begin(&pool, "average", 13, (int64_t[]){1, 1, 2, 2}, 4, 1, &err);
    build_pool(&pool, "AveragePool", 2, 2, 0);
    expect(finish(&pool), (double[]){0x1p53, 1, 1, -0x1p53}, (double[]){0.5}, 1);
}

/* Would catch: ties that go to the last index, an axis counted from the wrong end. */
static void arg_max_takes_the_first_of_equal_values(void **state)
{
    (void)state;
    for (int64_t last = 0; last < 2; last++) {
        struct model_builder b;
        struct bittern_attribute attributes[] = {integer("axis", -1), integer("keepdims", 0),
                                                 integer("select_last_index", last)};
        build_begin(&b, "best", 13, (int64_t[]){1, 5}, 2, 1, &err);
        build_append(&b, "ArgMax", (const char *const[]){NULL}, attributes, 3);
        expect(finish(&b), (double[]){-1, 4, 2, 4, 0}, (double[]){last ? 3 : 1}, 1);
    }
}

/* Would catch: values in the wrong order, equal values not ordered by index. */
static void top_k_orders_values_and_then_indices(void **state)
{
    (void)state;
    for (int64_t largest = 0; largest < 2; largest++) {
        struct model_builder b;
        struct bittern_attribute attribute = integer("largest", largest);
        build_begin(&b, "top", 13, (int64_t[]){1, 5}, 2, 1, &err);
        const char *inputs[] = {"x", build_ints(&b, (int64_t[]){3}, 1)};
        const char *outputs[] = {"values", "indices"};
        assert_ok(bittern_model_add_node(b.model, "TopK", "top", inputs, 2, outputs, 2, &attribute,
                                         1, &err),
                  &err);
        (void)snprintf(b.tensor, sizeof b.tensor, "indices");
        expect(finish(&b), (double[]){3, 4, -2, 4, 3},
               largest ? (double[]){1, 3, 0} : (double[]){2, 0, 4}, 3);
    }
}

/* Would catch: a softmax over the wrong axis, or one that overflows. */
static void softmax_sums_to_one_and_its_logarithm_agrees(void **state)
{
    (void)state;
    const double x[] = {1000, 1001, 999, 0, 0, 0};
    double y[2][6];
    const char *ops[] = {"Softmax", "LogSoftmax"};
    for (size_t i = 0; i < 2; i++) {
        struct model_builder b;
        build_begin(&b, "soft", 13, (int64_t[]){1, 2, 3}, 3, 1, &err);
        build_unary(&b, ops[i]);
        struct bittern_model *model = finish(&b);
        assert_ok(bittern_model_evaluate(model, x, 1, NULL, NULL, y[i], &err), &err);
        bittern_model_free(model);
    }
    assert_true(fabs(y[0][0] + y[0][1] + y[0][2] - 1) < 1e-15);
    assert_true(fabs(y[0][1] / y[0][0] - exp(1)) < 1e-14);
    assert_true(fabs(y[0][4] - 1.0 / 3) < 1e-15);
    for (size_t i = 0; i < 6; i++) {
        assert_true(fabs(exp(y[1][i]) - y[0][i]) < 1e-15);
    }
}

/* Would catch: a permutation that is applied the wrong way round. */
static void transpose_moves_channels_last(void **state)
{
    (void)state;
    struct model_builder b;
    int64_t perm[] = {0, 2, 3, 1};
    struct bittern_attribute attribute = list("perm", perm, 4);
    build_begin(&b, "turn", 13, (int64_t[]){1, 2, 1, 3}, 4, 1, &err);
    build_append(&b, "Transpose", (const char *const[]){NULL}, &attribute, 1);
    expect(finish(&b), (double[]){1, 2, 3, 11, 12, 13}, (double[]){1, 11, 2, 12, 3, 13}, 6);
}

/* Would catch: pads of begin and end mixed up, or a value other than the one given. */
static void pad_puts_its_value_around(void **state)
{
    (void)state;
    struct model_builder b;
    build_begin(&b, "pad", 13, (int64_t[]){1, 1, 1, 2}, 4, 1, &err);
    const char *pads = build_ints(&b, (int64_t[]){0, 0, 1, 0, 0, 0, 0, 2}, 8);
    build_append(&b, "Pad", (const char *const[]){pads, build_scalar(&b, -3), NULL}, NULL, 0);
    expect(finish(&b), (double[]){1, 2}, (double[]){-3, -3, -3, -3, 1, 2, -3, -3}, 8);
}

/* Would catch: broadcasting along the wrong axis where both sides are computed. */
static void two_computed_tensors_are_added_with_broadcasting(void **state)
{
    (void)state;
    struct model_builder b;
    build_begin(&b, "residual", 13, (int64_t[]){1, 2, 2, 2}, 4, 1, &err);
    const char *mean =
        build_node(&b, "GlobalAveragePool", (const char *const[]){"x", NULL}, NULL, 0);
    build_append(&b, "Add", (const char *const[]){mean, NULL}, NULL, 0);
    expect(finish(&b), (double[]){1, 2, 3, 6, 10, 10, 20, 40},
           (double[]){4, 5, 6, 9, 30, 30, 40, 60}, 8);
}

/* ---- Whole models -----------------------------------------------------------------------------
 */

struct watch {
    size_t calls, images, stop_at;
    char last[64];
    double sum;
};

static int watch_tensor(void *user, size_t image, const struct bittern_tensor_info *info,
                        const double *values)
{
    struct watch *watch = user;
    size_t count = 1;
    for (size_t i = 0; i < info->rank; i++) {
        count *= (size_t)info->dims[i];
    }
    for (size_t i = 0; i < count; i++) {
        watch->sum += fabs(values[i]);
    }
    watch->calls++;
    watch->images = image + 1;
    (void)snprintf(watch->last, sizeof watch->last, "%s", info->name);
    return watch->calls == watch->stop_at;
}

static struct bittern_model *small_net(int64_t batch)
{
    struct model_builder b;
    build_begin(&b, "small", 13, (int64_t[]){batch, 1, 6, 6}, 4, 77, &err);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_batch_norm(&b, true);
    build_activation(&b, ACTIVATION_UNSIGNED, 4, 0.25);
    build_pool(&b, "MaxPool", 2, 2, 0);
    build_flatten(&b);
    build_linear(&b, 10, WEIGHTS_BIPOLAR, true);
    return finish(&b);
}

/* Would catch: images of a fixed batch that run into each other, or a last, partial batch. */
static void a_fixed_batch_gives_the_same_values_as_single_images(void **state)
{
    (void)state;
    uint64_t seed = 5;
    double images[7 * 36];
    double single[7 * 10];
    double batched[7 * 10];
    for (size_t i = 0; i < 7 * 36; i++) {
        images[i] = random_unit(&seed);
    }
    struct watch watches[2] = {{0}, {0}};
    struct bittern_model *model = small_net(0);
    assert_ok(bittern_model_evaluate(model, images, 7, watch_tensor, &watches[0], single, &err),
              &err);
    bittern_model_free(model);
    model = small_net(3);
    assert_ok(bittern_model_evaluate(model, images, 7, watch_tensor, &watches[1], batched, &err),
              &err);
    bittern_model_free(model);
    assert_memory_equal(single, batched, sizeof single);
    assert_int_equal(watches[0].images, 7);
    assert_int_equal(watches[0].calls, watches[1].calls);
    assert_true(fabs(watches[0].sum - watches[1].sum) < 1e-9 * watches[0].sum);
}

/* Would catch: images of a fixed batch evaluated as if they were apart where the graph mixes them.
 */
static void a_fixed_batch_that_is_mixed_is_refused(void **state)
{
    (void)state;
    struct model_builder b;
    double x[8] = {0};
    double y[8];
    build_begin(&b, "mixed", 13, (int64_t[]){2, 4}, 2, 1, &err);
    build_append(&b, "Reshape", (const char *const[]){build_ints(&b, (int64_t[]){1, 8}, 2), NULL},
                 NULL, 0);
    struct bittern_model *model = finish(&b);
    assert_int_equal(bittern_model_evaluate(model, x, 2, NULL, NULL, y, &err),
                     BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "[1,8]"));
    bittern_model_free(model);
}

struct job {
    const struct bittern_model *model;
    const double *images;
    double output[20 * 10];
    bittern_status status;
};

static void *evaluate_job(void *argument)
{
    struct job *job = argument;
    job->status =
        bittern_model_evaluate(job->model, job->images, 20, NULL, NULL, job->output, NULL);
    return NULL;
}

/* Would catch: state that calls on one model share. */
static void threads_may_evaluate_one_model_at_once(void **state)
{
    (void)state;
    static struct job jobs[4];
    double images[20 * 36];
    uint64_t seed = 6;
    pthread_t threads[4];
    struct bittern_model *model = small_net(0);
    for (size_t i = 0; i < 20 * 36; i++) {
        images[i] = random_unit(&seed);
    }
    for (size_t t = 0; t < 4; t++) {
        jobs[t] = (struct job){.model = model, .images = images};
        assert_int_equal(pthread_create(&threads[t], NULL, evaluate_job, &jobs[t]), 0);
    }
    for (size_t t = 0; t < 4; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(jobs[t].status, BITTERN_OK);
        assert_memory_equal(jobs[t].output, jobs[0].output, sizeof jobs[0].output);
    }
    bittern_model_free(model);
}

/* Would catch: an observer that misses tensors, sees them late, or cannot stop the evaluation. */
static void the_observer_sees_every_tensor_and_can_stop(void **state)
{
    (void)state;
    double image[36] = {0.5};
    double output[10];
    struct bittern_model *model = small_net(0);
    struct bittern_tensor_info info;
    struct watch watch = {0};
    bittern_model_output(model, &info);
    assert_ok(bittern_model_evaluate(model, image, 1, watch_tensor, &watch, output, &err), &err);
    assert_int_equal(watch.calls, bittern_model_node_count(model));
    assert_string_equal(watch.last, info.name);
    watch = (struct watch){.stop_at = 2};
    assert_int_equal(bittern_model_evaluate(model, image, 1, watch_tensor, &watch, output, &err),
                     BITTERN_ERR_CANCELLED);
    assert_int_equal(watch.calls, 2);
    bittern_model_free(model);
}

/* Would catch: a buffer that is handed on while a later node still reads it. */
static void a_tensor_that_is_read_again_later_keeps_its_values(void **state)
{
    (void)state;
    struct model_builder b;
    build_begin(&b, "late", 13, (int64_t[]){1, 3}, 2, 1, &err);
    build_arithmetic(&b, "Mul", 2);
    char early[64];
    (void)snprintf(early, sizeof early, "%s", b.tensor);
    build_arithmetic(&b, "Add", 100);
    build_arithmetic(&b, "Add", 1000);
    build_arithmetic(&b, "Mul", 1);
    build_append(&b, "Sub", (const char *const[]){early, NULL}, NULL, 0);
    expect(finish(&b), (double[]){1, 2, 3}, (double[]){1100, 1100, 1100}, 3);
}

/* Would catch: evaluating a model whose shapes are not known yet. */
static void an_unfinished_model_is_refused(void **state)
{
    (void)state;
    struct model_builder b;
    struct bittern_model *model;
    double x[2] = {0};
    build_begin(&b, "raw", 13, (int64_t[]){1, 2}, 2, 1, &err);
    build_unary(&b, "Relu");
    assert_ok(build_end_unfinished(&b, &model), &err);
    assert_int_equal(bittern_model_evaluate(model, x, 1, NULL, NULL, x, &err),
                     BITTERN_ERR_ARGUMENT);
    bittern_model_free(model);
}

/* Would catch: the ready-made networks losing a layer, or scores that do not depend on the image.
 */
static void ready_made_networks_have_their_layers(void **state)
{
    (void)state;
    uint64_t seed = 9;
    double images[2 * 784];
    double scores[2 * 10];
    for (size_t i = 0; i < 2 * 784; i++) {
        images[i] = (double)random_below(&seed, 256) / 255;
    }
    for (int bits = 1; bits <= 2; bits++) {
        struct bittern_model *model;
        assert_ok(tfc_build(3, bits, bits, &model, &err), &err);
        /* Flatten, Mul, Sub; four quantizers and MatMuls, three norms; Sub, Div, Mul, Add. */
        assert_int_equal(bittern_model_node_count(model), 3 + 4 + 4 + 3 + 4);
        assert_ok(bittern_model_evaluate(model, images, 2, NULL, NULL, scores, &err), &err);
        assert_memory_not_equal(scores, scores + 10, 10 * sizeof *scores);
        bittern_model_free(model);
    }
    struct conv_net_options options = {.seed = 4,
                                       .side = 28,
                                       .channels = 1,
                                       .filters = 4,
                                       .kernel = 3,
                                       .padding = 1,
                                       .weights = WEIGHTS_INT4,
                                       .activations = ACTIVATION_UNSIGNED,
                                       .activation_bits = 3,
                                       .pool = "AveragePool",
                                       .pool_place = POOL_BEHIND_CONV,
                                       .negative_gammas = true,
                                       .per_channel_scales = true,
                                       .has_bias = true};
    struct bittern_model *model;
    assert_ok(conv_net_build(&options, &model, &err), &err);
    assert_ok(bittern_model_evaluate(model, images, 2, NULL, NULL, scores, &err), &err);
    assert_memory_not_equal(scores, scores + 10, 10 * sizeof *scores);
    bittern_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_product_with_cancellation_is_rounded_once),
        cmocka_unit_test(products_keep_their_lower_half),
        cmocka_unit_test(all_kernels_give_identical_bits),
        cmocka_unit_test(convolution_equals_a_naive_loop_in_integers),
        cmocka_unit_test(bias_is_added_after_the_sum_is_rounded),
        cmocka_unit_test(gemm_follows_its_attributes),
        cmocka_unit_test(matmul_equals_a_naive_loop_in_integers),
        cmocka_unit_test(pools_treat_padding_as_onnx_says),
        cmocka_unit_test(averages_round_their_sum_once),
        cmocka_unit_test(arg_max_takes_the_first_of_equal_values),
        cmocka_unit_test(top_k_orders_values_and_then_indices),
        cmocka_unit_test(softmax_sums_to_one_and_its_logarithm_agrees),
        cmocka_unit_test(transpose_moves_channels_last),
        cmocka_unit_test(pad_puts_its_value_around),
        cmocka_unit_test(two_computed_tensors_are_added_with_broadcasting),
        cmocka_unit_test(a_fixed_batch_gives_the_same_values_as_single_images),
        cmocka_unit_test(a_fixed_batch_that_is_mixed_is_refused),
        cmocka_unit_test(threads_may_evaluate_one_model_at_once),
        cmocka_unit_test(the_observer_sees_every_tensor_and_can_stop),
        cmocka_unit_test(a_tensor_that_is_read_again_later_keeps_its_values),
        cmocka_unit_test(an_unfinished_model_is_refused),
        cmocka_unit_test(ready_made_networks_have_their_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
