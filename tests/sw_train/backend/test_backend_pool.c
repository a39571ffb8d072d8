/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling against nested loops in double precision, forward and backward. */
#include "backend_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pooling in doubles, [n * c] planes. */
struct reference {
    struct backend_pool_shape shape;
    size_t planes, in_h, in_w, out_h, out_w;
    double *src, *diff_dst; /* the loss is the sum of dst * diff_dst */
    double *dst, *diff_src;
};

/* One window: its value, and its gradient spread over diff_src. */
static double pool_window(struct reference *r, size_t plane, size_t y, size_t x, double gradient)
{
    const struct backend_pool_shape *s = &r->shape;
    double largest = -INFINITY;
    double sum = 0.0;
    size_t place = 0;
    size_t count = 0;

    for (int pass = 0; pass < 2; ++pass) { /* the second one knows the count */
        for (size_t k = 0; k < s->kernel_h * s->kernel_w; ++k) {
            /* Unsigned: a row above the image becomes one far below it. */
            size_t row = y * s->stride_h + k / s->kernel_w - s->pad_h;
            size_t column = x * s->stride_w + k % s->kernel_w - s->pad_w;
            size_t i = (plane * r->in_h + row) * r->in_w + column;
            if (row >= r->in_h || column >= r->in_w) {
                continue;
            }
            if (pass == 1) {
                r->diff_src[i] += s->kind == BACKEND_POOL_AVERAGE ? gradient / (double)count
                                  : i == place                    ? gradient
                                                                  : 0.0;
                continue;
            }
            ++count;
            sum += r->src[i];
            if (r->src[i] > largest) {
                largest = r->src[i];
                place = i;
            }
        }
    }
    return s->kind == BACKEND_POOL_AVERAGE ? sum / (double)count : largest;
}

static void reference_run(struct reference *r)
{
    memset(r->diff_src, 0, r->planes * r->in_h * r->in_w * sizeof *r->diff_src);
    for (size_t i = 0; i < r->planes * r->out_h * r->out_w; ++i) {
        size_t plane = i / r->out_w / r->out_h;
        r->dst[i] = pool_window(r, plane, i / r->out_w % r->out_h, i % r->out_w, r->diff_dst[i]);
    }
}

static double reference_loss(void *user)
{
    struct reference *r = user;
    double loss = 0.0;
    reference_run(r);
    for (size_t i = 0; i < r->planes * r->out_h * r->out_w; ++i) {
        loss += r->dst[i] * r->diff_dst[i];
    }
    return loss;
}

struct trial {
    struct backend_pool_shape shape;
    size_t n, c, h, w;
    enum backend_layout layout;
};

static void check_trial(struct backend *backend, const struct trial *t, uint64_t *random)
{
    const struct backend_pool_shape *s = &t->shape;
    enum backend_type type = backend_activation_type(backend);
    size_t out_h = (t->h + 2 * s->pad_h - s->kernel_h) / s->stride_h + 1;
    size_t out_w = (t->w + 2 * s->pad_w - s->kernel_w) / s->stride_w + 1;
    struct backend_tensor src = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    struct backend_tensor diff_src = check_tensor(backend, t->n, t->c, t->h, t->w, type, t->layout);
    struct backend_tensor dst = check_tensor(backend, t->n, t->c, out_h, out_w, type, t->layout);
    struct backend_tensor diff_dst =
        check_tensor(backend, t->n, t->c, out_h, out_w, type, t->layout);
    struct reference r = {.shape = *s,
                          .planes = t->n * t->c,
                          .in_h = t->h,
                          .in_w = t->w,
                          .out_h = out_h,
                          .out_w = out_w};
    struct backend_pool *op = NULL;
    struct bittern_error err;

    print_message("pool kind %d, %zux%zux%zux%zu, kernel %zux%zu, stride %zux%zu, pad %zux%zu, "
                  "layout %d\n",
                  (int)s->kind, t->n, t->c, t->h, t->w, s->kernel_h, s->kernel_w, s->stride_h,
                  s->stride_w, s->pad_h, s->pad_w, (int)t->layout);
    r.src = check_fill(backend, &src, random);
    r.diff_dst = check_fill(backend, &diff_dst, random);
    r.dst = check_doubles(backend_tensor_count(&dst));
    r.diff_src = check_doubles(backend_tensor_count(&src));
    assert_ok(backend_pool_create(backend, s, &src, &dst, &op, &err), &err);
    for (int round = 0; round < 2; ++round) { /* gradients are overwritten, not accumulated */
        assert_ok(backend_pool_forward(op, &src, &dst, &err), &err);
        assert_ok(backend_pool_backward(op, &diff_dst, &diff_src, &err), &err);
    }
    reference_run(&r);
    double *values = check_read(backend, &dst);
    double *gradients = check_read(backend, &diff_src);
    check_close(values, r.dst, backend_tensor_count(&dst), check_tolerance(type), "destination");
    check_close(gradients, r.diff_src, backend_tensor_count(&src), check_tolerance(type),
                "gradient of the source");
    if (type == BACKEND_F32) { /* bf16's few values tie, where no difference is a gradient */
        free(gradients);
        gradients = check_doubles(backend_tensor_count(&src));
        memcpy(gradients, r.diff_src, backend_tensor_count(&src) * sizeof *gradients);
        check_differences(reference_loss, &r, r.src, backend_tensor_count(&src), gradients, random,
                          "source");
    }
    free(values);
    free(gradients);
    free(r.src);
    free(r.diff_dst);
    free(r.dst);
    free(r.diff_src);
    backend_pool_free(op);
    backend_tensor_release(backend, &src);
    backend_tensor_release(backend, &diff_src);
    backend_tensor_release(backend, &dst);
    backend_tensor_release(backend, &diff_dst);
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
    for (int round = 0; round < 40; ++round) {
        struct trial t = {.shape = {.kind = round % 2 ? BACKEND_POOL_MAX : BACKEND_POOL_AVERAGE},
                          .n = 1 + random_below(&random, 4),
                          .c = 1 + random_below(&random, 30),
                          .layout = blocked ? BACKEND_BLOCKED : BACKEND_CHANNELS_LAST};
        struct backend_pool_shape *s = &t.shape;
        s->kernel_h = 1 + random_below(&random, 4);
        s->kernel_w = 1 + random_below(&random, 4);
        s->stride_h = 1 + random_below(&random, 3);
        s->stride_w = 1 + random_below(&random, 3);
        s->pad_h = random_below(&random, s->kernel_h / 2 + 1);
        s->pad_w = random_below(&random, s->kernel_w / 2 + 1);
        t.h = s->kernel_h + random_below(&random, 8);
        t.w = s->kernel_w + random_below(&random, 8);
        if (blocked) {
            t.c = block * (1 + random_below(&random, 3));
        }
        check_trial(backend, &t, &random);
    }
    backend_free(backend);
}

/* Would catch: counted padding, a maximum of padding's zeros, a workspace of another pass. */
static void channels_last_equals_the_slow_reference(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_F32, false, 41);
}

static void blocked_equals_the_slow_reference(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_F32, true, 42);
}

static void bf16_equals_the_slow_reference(void **state)
{
    (void)state;
    check_random_shapes(BACKEND_PRECISION_BF16, false, 43);
}

/* Would catch: a global average that is pooled in parts. */
static void the_window_may_be_the_whole_image(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct trial t = {.shape = {BACKEND_POOL_AVERAGE, 7, 5, 1, 1, 0, 0},
                      .n = 3,
                      .c = 19,
                      .h = 7,
                      .w = 5,
                      .layout = BACKEND_CHANNELS_LAST};
    uint64_t random = 44;

    (void)state;
    check_trial(backend, &t, &random);
    t.shape.kind = BACKEND_POOL_MAX;
    check_trial(backend, &t, &random);
    backend_free(backend);
}

/* Would catch: windows of nothing but padding, whose average divides by zero. */
static void shapes_that_do_not_fit_are_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    const struct backend_tensor src = {2, 8, 6, 6, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct backend_tensor dst = {2, 8, 3, 3, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct backend_pool_shape shape = {BACKEND_POOL_MAX, 2, 2, 2, 2, 0, 0};
    struct backend_pool *op = NULL;
    struct bittern_error err;

    (void)state;
    dst.w = 2;
    assert_int_equal(backend_pool_create(backend, &shape, &src, &dst, &op, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "max pooling 2x2, 2x8x6x6"));
    dst = (struct backend_tensor){2, 9, 3, 3, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    assert_int_equal(backend_pool_create(backend, &shape, &src, &dst, &op, &err),
                     BITTERN_ERR_ARGUMENT);
    dst = (struct backend_tensor){2, 8, 5, 5, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    shape.pad_h = shape.pad_w = 2;
    assert_int_equal(backend_pool_create(backend, &shape, &src, &dst, &op, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_null(op);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_last_equals_the_slow_reference),
        cmocka_unit_test(blocked_equals_the_slow_reference),
        cmocka_unit_test(bf16_equals_the_slow_reference),
        cmocka_unit_test(the_window_may_be_the_whole_image),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
