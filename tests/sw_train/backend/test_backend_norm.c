/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalization against its equations in double precision, forward and backward. */
#include "backend_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPSILON 1e-5

/* Batch norm in doubles, [n][c][plane]. */
struct reference {
    size_t n, c, plane;
    bool relu;
    double *src, *scale, *shift;
    double *diff_dst; /* the loss is the sum of dst * diff_dst */
    double *mean, *variance;
    double *dst, *diff_src, *diff_scale, *diff_shift;
};

static size_t value_count(const struct reference *r)
{
    return r->n * r->c * r->plane;
}

/* Index of channel c's i-th value. */
static size_t value_index(const struct reference *r, size_t c, size_t i)
{
    return (i / r->plane * r->c + c) * r->plane + i % r->plane;
}

static void reference_statistics(struct reference *r)
{
    size_t count = r->n * r->plane;
    for (size_t c = 0; c < r->c; ++c) {
        r->mean[c] = 0.0;
        r->variance[c] = 0.0;
        for (size_t i = 0; i < count; ++i) {
            r->mean[c] += r->src[value_index(r, c, i)] / (double)count;
        }
        for (size_t i = 0; i < count; ++i) {
            double d = r->src[value_index(r, c, i)] - r->mean[c];
            r->variance[c] += d * d / (double)count;
        }
    }
}

/* dst from mean and variance as they are. */
static void reference_apply(struct reference *r)
{
    for (size_t i = 0; i < value_count(r); ++i) {
        size_t c = i / r->plane % r->c;
        double y =
            r->scale[c] * (r->src[i] - r->mean[c]) / sqrt(r->variance[c] + EPSILON) + r->shift[c];
        r->dst[i] = r->relu && y < 0.0 ? 0.0 : y;
    }
}

static double reference_loss(void *user)
{
    struct reference *r = user;
    double loss = 0.0;
    reference_statistics(r);
    reference_apply(r);
    for (size_t i = 0; i < value_count(r); ++i) {
        loss += r->dst[i] * r->diff_dst[i];
    }
    return loss;
}

/* Ioffe and Szegedy 2015, section 3, with both sums through mean and variance. */
static void reference_backward(struct reference *r)
{
    size_t count = r->n * r->plane;
    for (size_t c = 0; c < r->c; ++c) {
        double inverse = 1.0 / sqrt(r->variance[c] + EPSILON);
        double sum = 0.0;
        double dot = 0.0;
        for (size_t i = 0; i < count; ++i) {
            size_t k = value_index(r, c, i);
            double g = r->relu && !(r->dst[k] > 0.0) ? 0.0 : r->diff_dst[k];
            sum += g;
            dot += g * (r->src[k] - r->mean[c]) * inverse;
        }
        r->diff_shift[c] = sum;
        r->diff_scale[c] = dot;
        for (size_t i = 0; i < count; ++i) {
            size_t k = value_index(r, c, i);
            double g = r->relu && !(r->dst[k] > 0.0) ? 0.0 : r->diff_dst[k];
            double normal = (r->src[k] - r->mean[c]) * inverse;
            r->diff_src[k] =
                r->scale[c] * inverse * (g - sum / (double)count - normal * dot / (double)count);
        }
    }
}

static void reference_free(struct reference *r)
{
    double *const all[] = {r->src,      r->scale, r->shift,    r->diff_dst,   r->mean,
                           r->variance, r->dst,   r->diff_src, r->diff_scale, r->diff_shift};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        free(all[i]);
    }
}

struct subject {
    struct backend_tensor src, dst, diff_src, diff_dst;
    float *scale, *shift, *mean, *variance, *diff_scale, *diff_shift;
    struct backend_norm *op;
};

struct trial {
    size_t n, c, h, w;
    enum backend_layout layout;
    bool relu;
};

static void prepare(struct backend *backend, const struct trial *t, uint64_t *random,
                    struct subject *x, struct reference *r)
{
    enum backend_type type = backend_activation_type(backend);
    struct bittern_error err;

    *r = (struct reference){.n = t->n, .c = t->c, .plane = t->h * t->w, .relu = t->relu};
    x->src = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    x->dst = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    x->diff_src = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    x->diff_dst = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    r->src = check_fill(backend, &x->src, random);
    r->diff_dst = check_fill(backend, &x->diff_dst, random);
    x->scale = check_random_floats(t->c, random, BACKEND_F32, &r->scale);
    x->shift = check_random_floats(t->c, random, BACKEND_F32, &r->shift);
    x->mean = check_floats(t->c);
    x->variance = check_floats(t->c);
    x->diff_scale = check_floats(t->c);
    x->diff_shift = check_floats(t->c);
    r->mean = check_doubles(t->c);
    r->variance = check_doubles(t->c);
    r->dst = check_doubles(value_count(r));
    r->diff_src = check_doubles(value_count(r));
    r->diff_scale = check_doubles(t->c);
    r->diff_shift = check_doubles(t->c);
    assert_ok(backend_norm_create(backend, &x->src, EPSILON, t->relu, &x->op, &err), &err);
}

static void release(struct backend *backend, struct subject *x)
{
    backend_norm_free(x->op);
    backend_tensor_release(backend, &x->src);
    backend_tensor_release(backend, &x->dst);
    backend_tensor_release(backend, &x->diff_src);
    backend_tensor_release(backend, &x->diff_dst);
    free(x->scale);
    free(x->shift);
    free(x->mean);
    free(x->variance);
    free(x->diff_scale);
    free(x->diff_shift);
}

static void run(struct subject *x, bool training)
{
    struct bittern_error err;
    assert_ok(backend_norm_forward(x->op, &x->src, x->scale, x->shift, x->mean, x->variance,
                                   training, &x->dst, &err),
              &err);
}

static void run_backward(struct subject *x)
{
    struct bittern_error err;
    assert_ok(backend_norm_backward(x->op, &x->src, x->scale, x->shift, x->mean, x->variance,
                                    &x->diff_dst, &x->diff_src, x->diff_scale, x->diff_shift, &err),
              &err);
}

static void compare_values(struct backend *backend, const struct backend_tensor *tensor,
                           const double *expected, const char *what)
{
    double *values = check_read(backend, tensor);
    check_close(values, expected, backend_tensor_count(tensor), check_tolerance(tensor->type),
                what);
    free(values);
}

static void check_training(struct backend *backend, struct subject *x, struct reference *r,
                           uint64_t *random)
{
    double tolerance = check_tolerance(x->src.type);

    run(x, true);
    run_backward(x);
    reference_statistics(r);
    reference_apply(r);
    reference_backward(r);
    check_close_floats(x->mean, r->mean, r->c, tolerance, "mean");
    check_close_floats(x->variance, r->variance, r->c, tolerance, "variance");
    compare_values(backend, &x->dst, r->dst, "training destination");
    compare_values(backend, &x->diff_src, r->diff_src, "gradient of the source");
    check_close_floats(x->diff_scale, r->diff_scale, r->c, tolerance, "gradient of scale");
    check_close_floats(x->diff_shift, r->diff_shift, r->c, tolerance, "gradient of shift");
    check_differences(reference_loss, r, r->src, value_count(r), r->diff_src, random, "source");
    check_differences(reference_loss, r, r->scale, r->c, r->diff_scale, random, "scale");
    check_differences(reference_loss, r, r->shift, r->c, r->diff_shift, random, "shift");
}

/* Statistics of another batch, which the pass must leave as they are. */
static void check_evaluation(struct backend *backend, struct subject *x, struct reference *r,
                             uint64_t *random)
{
    for (size_t c = 0; c < r->c; ++c) {
        x->mean[c] = (float)(random_unit(random) - 0.5);
        x->variance[c] = (float)(0.1 + random_unit(random));
        r->mean[c] = (double)x->mean[c];
        r->variance[c] = (double)x->variance[c];
    }
    run(x, false);
    reference_apply(r);
    compare_values(backend, &x->dst, r->dst, "evaluation destination");
    check_close_floats(x->mean, r->mean, r->c, 0.0, "mean that is only read");
    check_close_floats(x->variance, r->variance, r->c, 0.0, "variance that is only read");
}

static void check_trial(struct backend *backend, const struct trial *t, uint64_t *random)
{
    struct subject x = {.op = NULL};
    struct reference r;

    print_message("norm %zux%zux%zux%zu, layout %d, relu %d\n", t->n, t->c, t->h, t->w,
                  (int)t->layout, t->relu);
    prepare(backend, t, random, &x, &r);
    check_evaluation(backend, &x, &r, random);
    check_training(backend, &x, &r, random);
    check_evaluation(backend, &x, &r, random);
    reference_free(&r);
    release(backend, &x);
}

static void check_random_shapes(enum backend_precision precision, bool blocked, uint64_t seed)
{
    struct backend *backend = check_backend(precision);
    size_t block = backend_block_channels(backend);
    uint64_t random = seed;

    print_message("seed %llu\n", (unsigned long long)seed);
    if (blocked && block == 0) {
        backend_free(backend);
        skip();
    }
    for (size_t round = 0; round < 30; ++round) {
        bool vector = round % 3 == 0;
        /* Enough values a channel that its variance is far from 0: 1 / deviation is steep there. */
        struct trial t = {.n = (vector ? 16 : 4) + random_below(&random, 9),
                          .c = 1 + random_below(&random, 40),
                          .h = vector ? 1 : 2 + random_below(&random, 7),
                          .w = vector ? 1 : 2 + random_below(&random, 7),
                          .layout = blocked ? BACKEND_BLOCKED : BACKEND_CHANNELS_LAST,
                          .relu = random_below(&random, 2)};
        if (blocked || round % 4 == 0) {
            t.c = (block ? block : 16) * (1 + random_below(&random, 4));
        }
        check_trial(backend, &t, &random);
    }
    backend_free(backend);
}

/* Would catch: unbiased variance, a ReLU mask of another pass, swapped scale and shift. */
static void channels_last_and_vectors_equal_the_equations(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_F32, false, 31);
}

static void blocked_equals_the_equations(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_F32, true, 32);
}

static void bf16_equals_the_equations(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_BF16, false, 33);
}

/* Would catch: sums whose order depends on timing. */
static void the_same_threads_give_the_same_bits(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    const struct trial t = {32, 32, 9, 9, BACKEND_CHANNELS_LAST, true};
    struct subject x[2] = {{.op = NULL}, {.op = NULL}};

    (void)state;
    for (int i = 0; i < 2; ++i) {
        struct reference r;
        uint64_t random = 34;
        prepare(backend, &t, &random, &x[i], &r);
        run(&x[i], true);
        run_backward(&x[i]);
        reference_free(&r);
    }
    size_t bytes = sizeof(float) * backend_tensor_count(&x[0].src);
    assert_memory_equal(x[0].dst.data, x[1].dst.data, bytes);
    assert_memory_equal(x[0].diff_src.data, x[1].diff_src.data, bytes);
    assert_memory_equal(x[0].mean, x[1].mean, t.c * sizeof(float));
    assert_memory_equal(x[0].variance, x[1].variance, t.c * sizeof(float));
    assert_memory_equal(x[0].diff_scale, x[1].diff_scale, t.c * sizeof(float));
    assert_memory_equal(x[0].diff_shift, x[1].diff_shift, t.c * sizeof(float));
    release(backend, &x[0]);
    release(backend, &x[1]);
    backend_free(backend);
}

/* Would catch: reading past the end of a smaller batch. */
static void a_tensor_of_another_shape_is_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    const struct trial t = {4, 8, 3, 3, BACKEND_CHANNELS_LAST, true};
    struct subject x = {.op = NULL};
    struct reference r;
    struct bittern_error err;
    uint64_t random = 35;

    (void)state;
    prepare(backend, &t, &random, &x, &r);
    x.dst.n = 3;
    assert_int_equal(backend_norm_forward(x.op, &x.src, x.scale, x.shift, x.mean, x.variance, true,
                                          &x.dst, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "batch normalization of 4x8x3x3"));
    reference_free(&r);
    release(backend, &x);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_last_and_vectors_equal_the_equations),
        cmocka_unit_test(blocked_equals_the_equations),
        cmocka_unit_test(bf16_equals_the_equations),
        cmocka_unit_test(the_same_threads_give_the_same_bits),
        cmocka_unit_test(a_tensor_of_another_shape_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
