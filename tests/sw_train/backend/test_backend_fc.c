/* SPDX-License-Identifier: Apache-2.0 */
/* Full connection against nested loops in double precision, forward and backward. */
#include "backend_check.h"

#include <stdlib.h>
#include <string.h>

/* A full connection in doubles; src [n][c][h][w], weights [out][h][w][c]. */
struct reference {
    size_t n, c, h, w, outputs;
    double *src, *weights, *bias;
    double *diff_dst; /* the loss is the sum of dst * diff_dst */
    double *dst, *diff_src, *diff_weights, *diff_bias;
};

static size_t input_count(const struct reference *r)
{
    return r->c * r->h * r->w;
}

/* Index in src of input i, which counts in (row, column, channel) order. */
static size_t src_index(const struct reference *r, size_t n, size_t i)
{
    return (n * r->c + i % r->c) * r->h * r->w + i / r->c;
}

static void reference_forward(struct reference *r)
{
    for (size_t n = 0; n < r->n; ++n) {
        for (size_t o = 0; o < r->outputs; ++o) {
            double sum = r->bias[o];
            for (size_t i = 0; i < input_count(r); ++i) {
                sum += r->src[src_index(r, n, i)] * r->weights[o * input_count(r) + i];
            }
            r->dst[n * r->outputs + o] = sum;
        }
    }
}

static void reference_backward(struct reference *r)
{
    for (size_t n = 0; n < r->n; ++n) {
        for (size_t o = 0; o < r->outputs; ++o) {
            double g = r->diff_dst[n * r->outputs + o];
            r->diff_bias[o] += g;
            for (size_t i = 0; i < input_count(r); ++i) {
                size_t s = src_index(r, n, i);
                r->diff_src[s] += g * r->weights[o * input_count(r) + i];
                r->diff_weights[o * input_count(r) + i] += g * r->src[s];
            }
        }
    }
}

static double reference_loss(void *user)
{
    struct reference *r = user;
    double loss = 0.0;
    reference_forward(r);
    for (size_t i = 0; i < r->n * r->outputs; ++i) {
        loss += r->dst[i] * r->diff_dst[i];
    }
    return loss;
}

static void reference_free(struct reference *r)
{
    double *const all[] = {r->src, r->weights,  r->bias,         r->diff_dst,
                           r->dst, r->diff_src, r->diff_weights, r->diff_bias};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        free(all[i]);
    }
}

struct subject {
    struct backend_tensor src, dst, diff_src, diff_dst;
    float *weights, *bias, *diff_weights, *diff_bias;
    struct backend_fc *op;
};

static void prepare(struct backend *backend, enum backend_type dst_type, uint64_t *random,
                    struct subject *x, struct reference *r)
{
    enum backend_type type = backend_activation_type(backend);
    size_t weights = r->outputs * input_count(r);
    struct bittern_error err;

    x->src = check_tensor(backend, r->n, r->c, r->h, r->w, type, BACKEND_CHANNELS_LAST);
    x->diff_src = check_tensor(backend, r->n, r->c, r->h, r->w, type, BACKEND_CHANNELS_LAST);
    x->dst = check_tensor(backend, r->n, r->outputs, 1, 1, dst_type, BACKEND_CHANNELS_LAST);
    x->diff_dst = check_tensor(backend, r->n, r->outputs, 1, 1, dst_type, BACKEND_CHANNELS_LAST);
    r->src = check_fill(backend, &x->src, random);
    r->diff_dst = check_fill(backend, &x->diff_dst, random);
    x->weights = check_random_floats(weights, random, type, &r->weights);
    x->bias = check_random_floats(r->outputs, random, BACKEND_F32, &r->bias);
    x->diff_weights = check_floats(weights);
    x->diff_bias = check_floats(r->outputs);
    r->dst = check_doubles(r->n * r->outputs);
    r->diff_src = check_doubles(r->n * input_count(r));
    r->diff_weights = check_doubles(weights);
    r->diff_bias = check_doubles(r->outputs);
    assert_ok(backend_fc_create(backend, &x->src, &x->dst, true, &x->op, &err), &err);
}

static void release(struct backend *backend, struct subject *x)
{
    backend_fc_free(x->op);
    backend_tensor_release(backend, &x->src);
    backend_tensor_release(backend, &x->dst);
    backend_tensor_release(backend, &x->diff_src);
    backend_tensor_release(backend, &x->diff_dst);
    free(x->weights);
    free(x->bias);
    free(x->diff_weights);
    free(x->diff_bias);
}

static void run(struct subject *x, bool bias)
{
    struct bittern_error err;
    assert_ok(backend_fc_forward(x->op, &x->src, x->weights, bias ? x->bias : NULL, &x->dst, &err),
              &err);
    assert_ok(backend_fc_backward(x->op, &x->src, x->weights, &x->diff_dst, x->diff_weights,
                                  bias ? x->diff_bias : NULL, &x->diff_src, &err),
              &err);
}

static void compare(struct backend *backend, const struct subject *x, const struct reference *r,
                    bool bias)
{
    double tolerance = check_tolerance(x->src.type);
    double *dst = check_read(backend, &x->dst);
    double *diff_src = check_read(backend, &x->diff_src);

    check_close(dst, r->dst, r->n * r->outputs, tolerance, "destination");
    check_close(diff_src, r->diff_src, r->n * input_count(r), tolerance, "gradient of the source");
    check_close_floats(x->diff_weights, r->diff_weights, r->outputs * input_count(r), tolerance,
                       "gradient of weights");
    if (bias) {
        check_close_floats(x->diff_bias, r->diff_bias, r->outputs, tolerance, "gradient of bias");
    }
    free(dst);
    free(diff_src);
}

static void check_trial(struct backend *backend, struct reference r, enum backend_type dst_type,
                        bool bias, uint64_t *random)
{
    struct subject x = {.op = NULL};

    print_message("fc n %zu, %zux%zux%zu -> %zu, bias %d\n", r.n, r.c, r.h, r.w, r.outputs, bias);
    prepare(backend, dst_type, random, &x, &r);
    if (!bias) {
        memset(r.bias, 0, r.outputs * sizeof *r.bias);
    }
    run(&x, bias);
    reference_forward(&r);
    reference_backward(&r);
    compare(backend, &x, &r, bias);
    check_differences(reference_loss, &r, r.src, r.n * input_count(&r), r.diff_src, random, "src");
    check_differences(reference_loss, &r, r.weights, r.outputs * input_count(&r), r.diff_weights,
                      random, "weights");
    check_differences(reference_loss, &r, r.bias, r.outputs, r.diff_bias, random, "bias");
    reference_free(&r);
    release(backend, &x);
}

static void check_random_shapes(enum backend_precision precision, uint64_t seed)
{
    struct backend *backend = check_backend(precision);
    enum backend_type type = backend_activation_type(backend);
    uint64_t random = seed;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; ++round) {
        bool image = round % 2 == 0;
        struct reference r = {.n = 1 + random_below(&random, 20),
                              .c = 1 + random_below(&random, 40),
                              .h = image ? 1 + random_below(&random, 4) : 1,
                              .w = image ? 1 + random_below(&random, 4) : 1,
                              .outputs = 1 + random_below(&random, 50)};
        check_trial(backend, r, round % 3 == 0 ? BACKEND_F32 : type, random_below(&random, 2),
                    &random);
    }
    backend_free(backend);
}

/* Would catch: images flattened in (channel, row, column) order, transposed weights. */
static void random_shapes_equal_the_slow_reference(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_F32, 21);
}

/* Would catch: a gradient of float scores that the bf16 backward pass takes as bf16. */
static void random_shapes_in_bf16_equal_the_slow_reference(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_BF16, 22);
}

/* Would catch: sums whose order depends on timing. */
static void the_same_threads_give_the_same_bits(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct subject x[2] = {{.op = NULL}, {.op = NULL}};
    const struct reference shape = {.n = 64, .c = 32, .h = 3, .w = 3, .outputs = 40};

    (void)state;
    for (int i = 0; i < 2; ++i) {
        struct reference r = shape;
        uint64_t random = 23;
        prepare(backend, BACKEND_F32, &random, &x[i], &r);
        run(&x[i], true);
        reference_free(&r);
    }
    assert_memory_equal(x[0].dst.data, x[1].dst.data, sizeof(float) * 64 * 40);
    assert_memory_equal(x[0].diff_src.data, x[1].diff_src.data, sizeof(float) * 64 * 288);
    assert_memory_equal(x[0].diff_weights, x[1].diff_weights, sizeof(float) * 40 * 288);
    assert_memory_equal(x[0].diff_bias, x[1].diff_bias, sizeof(float) * 40);
    release(backend, &x[0]);
    release(backend, &x[1]);
    backend_free(backend);
}

/* Would catch: a planar or blocked image taken as a vector in another order. */
static void what_is_not_channels_last_or_does_not_fit_is_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct backend_tensor src = {2, 16, 3, 3, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct backend_tensor dst = {2, 10, 1, 1, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct backend_fc *op = NULL;
    struct bittern_error err;

    (void)state;
    src.layout = BACKEND_BLOCKED;
    assert_int_equal(backend_fc_create(backend, &src, &dst, true, &op, &err),
                     BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "full connection 2x144 -> 10"));
    src.layout = BACKEND_CHANNELS_LAST;
    dst.n = 3;
    assert_int_equal(backend_fc_create(backend, &src, &dst, true, &op, &err), BITTERN_ERR_ARGUMENT);
    dst = (struct backend_tensor){2, 10, 2, 1, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    assert_int_equal(backend_fc_create(backend, &src, &dst, true, &op, &err), BITTERN_ERR_ARGUMENT);
    assert_null(op);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes_equal_the_slow_reference),
        cmocka_unit_test(random_shapes_in_bf16_equal_the_slow_reference),
        cmocka_unit_test(the_same_threads_give_the_same_bits),
        cmocka_unit_test(what_is_not_channels_last_or_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
