/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution against seven nested loops in double precision, forward and backward. */
#include "backend_check.h"

#include <stdlib.h>
#include <string.h>

/* A convolution in doubles; activations [n][c][h][w], weights [out][kh][kw][in]. */
struct reference {
    struct backend_conv_shape shape;
    double *src, *weights, *bias;
    double *diff_dst; /* the loss is the sum of dst * diff_dst */
    double *dst, *diff_src, *diff_weights, *diff_bias;
};

/* Visit each product of the convolution: dst[d] += src[s] * weights[w]. */
typedef void visit_product(struct reference *r, size_t d, size_t s, size_t w);

static void visit_taps(struct reference *r, size_t n, size_t o, size_t y, size_t x,
                       visit_product *visit)
{
    const struct backend_conv_shape *c = &r->shape;
    size_t d = ((n * c->out_channels + o) * c->out_h + y) * c->out_w + x;

    for (size_t ky = 0; ky < c->kernel_h; ++ky) {
        for (size_t kx = 0; kx < c->kernel_w; ++kx) {
            /* Unsigned: a row above the image becomes one far below it. */
            size_t row = y * c->stride_h + ky - c->pad_h;
            size_t column = x * c->stride_w + kx - c->pad_w;
            for (size_t i = 0; row < c->in_h && column < c->in_w && i < c->in_channels; ++i) {
                visit(r, d, ((n * c->in_channels + i) * c->in_h + row) * c->in_w + column,
                      ((o * c->kernel_h + ky) * c->kernel_w + kx) * c->in_channels + i);
            }
        }
    }
}

static void visit_all(struct reference *r, visit_product *visit)
{
    const struct backend_conv_shape *c = &r->shape;
    for (size_t n = 0; n < c->n; ++n) {
        for (size_t o = 0; o < c->out_channels; ++o) {
            for (size_t i = 0; i < c->out_h * c->out_w; ++i) {
                visit_taps(r, n, o, i / c->out_w, i % c->out_w, visit);
            }
        }
    }
}

static void add_forward(struct reference *r, size_t d, size_t s, size_t w)
{
    r->dst[d] += r->src[s] * r->weights[w];
}

static void add_backward(struct reference *r, size_t d, size_t s, size_t w)
{
    r->diff_src[s] += r->diff_dst[d] * r->weights[w];
    r->diff_weights[w] += r->diff_dst[d] * r->src[s];
}

static size_t src_count(const struct backend_conv_shape *s)
{
    return s->n * s->in_channels * s->in_h * s->in_w;
}

static size_t dst_count(const struct backend_conv_shape *s)
{
    return s->n * s->out_channels * s->out_h * s->out_w;
}

static size_t weight_count(const struct backend_conv_shape *s)
{
    return s->out_channels * s->kernel_h * s->kernel_w * s->in_channels;
}

static void reference_forward(struct reference *r)
{
    size_t plane = r->shape.out_h * r->shape.out_w;
    for (size_t i = 0; i < dst_count(&r->shape); ++i) {
        r->dst[i] = r->bias[i / plane % r->shape.out_channels];
    }
    visit_all(r, add_forward);
}

static void reference_backward(struct reference *r)
{
    size_t plane = r->shape.out_h * r->shape.out_w;
    for (size_t i = 0; i < dst_count(&r->shape); ++i) {
        r->diff_bias[i / plane % r->shape.out_channels] += r->diff_dst[i];
    }
    visit_all(r, add_backward);
}

static double reference_loss(void *user)
{
    struct reference *r = user;
    double loss = 0.0;
    reference_forward(r);
    for (size_t i = 0; i < dst_count(&r->shape); ++i) {
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

struct trial {
    struct backend_conv_shape shape;
    enum backend_layout from, to;
    bool bias, need_diff_src, differences;
};

/* What the backend works on. */
struct subject {
    struct backend_tensor src, dst, diff_src, diff_dst;
    float *weights, *bias, *diff_weights, *diff_bias;
    struct backend_conv *op;
};

static void describe(const struct trial *t)
{
    const struct backend_conv_shape *s = &t->shape;
    print_message("conv n %zu, %zux%zux%zu -> %zux%zux%zu, kernel %zux%zu, stride %zux%zu, pad "
                  "%zux%zu, layouts %d to %d, bias %d\n",
                  s->n, s->in_channels, s->in_h, s->in_w, s->out_channels, s->out_h, s->out_w,
                  s->kernel_h, s->kernel_w, s->stride_h, s->stride_w, s->pad_h, s->pad_w,
                  (int)t->from, (int)t->to, t->bias);
}

static void prepare(struct backend *backend, const struct trial *trial, uint64_t *random,
                    struct subject *x, struct reference *r)
{
    const struct backend_conv_shape *s = &trial->shape;
    enum backend_type type = backend_activation_type(backend);
    struct bittern_error err;

    r->shape = *s;
    x->src = check_tensor(backend, s->n, s->in_channels, s->in_h, s->in_w, type, trial->from);
    x->diff_src = check_tensor(backend, s->n, s->in_channels, s->in_h, s->in_w, type, trial->from);
    x->dst = check_tensor(backend, s->n, s->out_channels, s->out_h, s->out_w, type, trial->to);
    x->diff_dst = check_tensor(backend, s->n, s->out_channels, s->out_h, s->out_w, type, trial->to);
    r->src = check_fill(backend, &x->src, random);
    r->diff_dst = check_fill(backend, &x->diff_dst, random);
    x->weights = check_random_floats(weight_count(s), random, type, &r->weights);
    x->bias = check_random_floats(s->out_channels, random, BACKEND_F32, &r->bias);
    if (!trial->bias) {
        memset(r->bias, 0, s->out_channels * sizeof *r->bias);
    }
    x->diff_weights = check_floats(weight_count(s));
    x->diff_bias = check_floats(s->out_channels);
    r->dst = check_doubles(dst_count(s));
    r->diff_src = check_doubles(src_count(s));
    r->diff_weights = check_doubles(weight_count(s));
    r->diff_bias = check_doubles(s->out_channels);
    assert_ok(backend_conv_create(backend, s, &x->src, &x->dst, trial->need_diff_src, &x->op, &err),
              &err);
}

static void release(struct backend *backend, struct subject *x)
{
    backend_conv_free(x->op);
    backend_tensor_release(backend, &x->src);
    backend_tensor_release(backend, &x->dst);
    backend_tensor_release(backend, &x->diff_src);
    backend_tensor_release(backend, &x->diff_dst);
    free(x->weights);
    free(x->bias);
    free(x->diff_weights);
    free(x->diff_bias);
}

static void run(const struct trial *trial, struct subject *x)
{
    struct bittern_error err;
    assert_ok(backend_conv_forward(x->op, &x->src, x->weights, trial->bias ? x->bias : NULL,
                                   &x->dst, &err),
              &err);
    assert_ok(backend_conv_backward(x->op, &x->src, x->weights, &x->diff_dst, x->diff_weights,
                                    trial->bias ? x->diff_bias : NULL,
                                    trial->need_diff_src ? &x->diff_src : NULL, &err),
              &err);
}

static void compare(struct backend *backend, const struct trial *trial, const struct subject *x,
                    const struct reference *r)
{
    const struct backend_conv_shape *s = &trial->shape;
    double tolerance = check_tolerance(x->src.type);
    double *dst = check_read(backend, &x->dst);
    double *diff_src = check_read(backend, &x->diff_src);

    check_close(dst, r->dst, dst_count(s), tolerance, "destination");
    if (trial->need_diff_src) {
        check_close(diff_src, r->diff_src, src_count(s), tolerance, "gradient of the source");
    }
    check_close_floats(x->diff_weights, r->diff_weights, weight_count(s), tolerance,
                       "gradient of weights");
    if (trial->bias) {
        check_close_floats(x->diff_bias, r->diff_bias, s->out_channels, tolerance,
                           "gradient of bias");
    }
    free(dst);
    free(diff_src);
}

static void check_trial(struct backend *backend, const struct trial *trial, uint64_t *random)
{
    const struct backend_conv_shape *s = &trial->shape;
    struct subject x = {.op = NULL};
    struct reference r = {.dst = NULL};

    describe(trial);
    prepare(backend, trial, random, &x, &r);
    run(trial, &x);
    reference_forward(&r);
    reference_backward(&r);
    compare(backend, trial, &x, &r);
    if (trial->differences) {
        check_differences(reference_loss, &r, r.src, src_count(s), r.diff_src, random, "source");
        check_differences(reference_loss, &r, r.weights, weight_count(s), r.diff_weights, random,
                          "weights");
        check_differences(reference_loss, &r, r.bias, s->out_channels, r.diff_bias, random, "bias");
    }
    reference_free(&r);
    release(backend, &x);
}

static void set_output(struct backend_conv_shape *s)
{
    s->out_h = (s->in_h + 2 * s->pad_h - s->kernel_h) / s->stride_h + 1;
    s->out_w = (s->in_w + 2 * s->pad_w - s->kernel_w) / s->stride_w + 1;
}

static struct trial random_trial(uint64_t *random)
{
    struct trial t = {.bias = random_below(random, 2),
                      .need_diff_src = random_below(random, 4) > 0,
                      .differences = random_below(random, 3) == 0};
    struct backend_conv_shape *s = &t.shape;

    s->n = 1 + random_below(random, 4);
    s->in_channels = 1 + random_below(random, 21);
    s->out_channels = 1 + random_below(random, 21);
    s->kernel_h = 1 + random_below(random, 5);
    s->kernel_w = 1 + random_below(random, 5);
    s->stride_h = 1 + random_below(random, 3);
    s->stride_w = 1 + random_below(random, 3);
    s->pad_h = random_below(random, s->kernel_h / 2 + 1);
    s->pad_w = random_below(random, s->kernel_w / 2 + 1);
    s->in_h = s->kernel_h + random_below(random, 9);
    s->in_w = s->kernel_w + random_below(random, 9);
    set_output(s);
    return t;
}

/* Would catch: a swapped stride or pad, a weight order other than [out][h][w][in], stale scratch.
 */
static void check_channels_last(enum backend_precision precision, uint64_t seed)
{
    struct backend *backend = check_backend(precision);
    uint64_t random = seed;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; ++round) {
        struct trial t = random_trial(&random);
        t.from = t.to = BACKEND_CHANNELS_LAST;
        check_trial(backend, &t, &random);
    }
    backend_free(backend);
}

static void channels_last_equals_the_slow_reference(void **state)
{
    (void)state;
    check_channels_last(BACKEND_PRECISION_F32, 11);
}

static void channels_last_in_bf16_equals_the_slow_reference(void **state)
{
    (void)state;
    check_channels_last(BACKEND_PRECISION_BF16, 12);
}

/* Would catch: blocks taken as another number of channels, and planar images read wrongly. */
static void blocked_and_planar_to_blocked_equal_the_slow_reference(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    size_t block = backend_block_channels(backend);
    uint64_t random = 13;

    (void)state;
    if (block == 0) {
        backend_free(backend);
        skip();
    }
    for (int round = 0; round < 40; ++round) {
        struct trial t = random_trial(&random);
        bool planar = round % 3 == 0;
        t.shape.in_channels =
            planar ? 1 + random_below(&random, 4) : block * (1 + random_below(&random, 3));
        t.shape.out_channels = block * (1 + random_below(&random, 3));
        t.from = planar ? BACKEND_PLANAR : BACKEND_BLOCKED;
        t.to = BACKEND_BLOCKED;
        t.need_diff_src = !planar;
        check_trial(backend, &t, &random);
    }
    backend_free(backend);
}

/* The convolutions of LeNet-5, VGG-7's first and CNV's, whatever their channels, each smaller. */
static void convolutions_of_the_recipes_equal_the_slow_reference(void **state)
{
    static const size_t shapes[][5] = {/* in, size, out, kernel, pad */
                                       {1, 32, 6, 5, 0},  {6, 14, 16, 5, 0}, {1, 28, 32, 5, 2},
                                       {3, 32, 24, 3, 1}, {32, 6, 64, 5, 2}, {64, 3, 40, 3, 1},
                                       {16, 8, 16, 1, 0}, {64, 3, 64, 3, 0}};
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    uint64_t random = 14;

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
        const size_t *p = shapes[i];
        struct trial t = {.shape = {2, p[0], p[1], p[1], p[2], p[3], p[3], 1, 1, p[4], p[4], 0, 0},
                          .from = BACKEND_CHANNELS_LAST,
                          .to = BACKEND_CHANNELS_LAST,
                          .bias = i % 2 == 0,
                          .need_diff_src = true,
                          .differences = false};
        set_output(&t.shape);
        check_trial(backend, &t, &random);
    }
    backend_free(backend);
}

/* Would catch: sums whose order depends on timing. */
static void the_same_threads_give_the_same_bits(void **state)
{
    struct trial t = {.shape = {16, 16, 14, 14, 32, 3, 3, 1, 1, 1, 1, 14, 14},
                      .from = BACKEND_CHANNELS_LAST,
                      .to = BACKEND_CHANNELS_LAST,
                      .bias = true,
                      .need_diff_src = true};
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);

    (void)state;
    for (int blocked = 0; blocked < (backend_block_channels(backend) ? 2 : 1); ++blocked) {
        struct subject x[2] = {{.op = NULL}, {.op = NULL}};
        t.from = t.to = blocked ? BACKEND_BLOCKED : BACKEND_CHANNELS_LAST;
        for (int i = 0; i < 2; ++i) {
            struct reference r = {.dst = NULL};
            uint64_t random = 15;
            prepare(backend, &t, &random, &x[i], &r);
            run(&t, &x[i]);
            run(&t, &x[i]); /* a second time on the same memory */
            reference_free(&r);
        }
        size_t bytes = sizeof(float);
        assert_memory_equal(x[0].dst.data, x[1].dst.data, dst_count(&t.shape) * bytes);
        assert_memory_equal(x[0].diff_src.data, x[1].diff_src.data, src_count(&t.shape) * bytes);
        assert_memory_equal(x[0].diff_weights, x[1].diff_weights, weight_count(&t.shape) * bytes);
        assert_memory_equal(x[0].diff_bias, x[1].diff_bias, t.shape.out_channels * bytes);
        release(backend, &x[0]);
        release(backend, &x[1]);
    }
    backend_free(backend);
}

static bittern_status try_create(struct backend *backend, const struct backend_conv_shape *shape,
                                 const struct backend_tensor *src, const struct backend_tensor *dst,
                                 struct bittern_error *err)
{
    struct backend_conv *op = NULL;
    bittern_status status = backend_conv_create(backend, shape, src, dst, true, &op, err);
    assert_true((op != NULL) == (status == BITTERN_OK));
    backend_conv_free(op);
    return status;
}

/* Would catch: a slow path taken silently, and an output that the kernel cannot have. */
static void layouts_and_shapes_without_a_kernel_are_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct backend_conv_shape good = {2, 16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 8, 8};
    struct backend_tensor src = {2, 16, 8, 8, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct backend_tensor dst = {2, 16, 8, 8, BACKEND_F32, BACKEND_CHANNELS_LAST, NULL};
    struct bittern_error err;

    (void)state;
    assert_ok(try_create(backend, &good, &src, &dst, &err), &err);
    dst.layout = BACKEND_PLANAR;
    assert_int_equal(try_create(backend, &good, &src, &dst, &err), BITTERN_ERR_UNSUPPORTED);
    dst.layout = BACKEND_BLOCKED;
    assert_int_equal(try_create(backend, &good, &src, &dst, &err), BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "convolution 2x16x8x8 -> 16x8x8"));
    dst.layout = BACKEND_CHANNELS_LAST;
    src.layout = BACKEND_PLANAR;
    assert_int_equal(try_create(backend, &good, &src, &dst, &err), BITTERN_ERR_UNSUPPORTED);
    src.layout = BACKEND_CHANNELS_LAST;

    struct backend_conv_shape bad = good;
    bad.out_h = 7;
    assert_int_equal(try_create(backend, &bad, &src, &dst, &err), BITTERN_ERR_ARGUMENT);
    bad = good;
    bad.stride_w = 0;
    assert_int_equal(try_create(backend, &bad, &src, &dst, &err), BITTERN_ERR_ARGUMENT);
    bad = good;
    bad.pad_h = SIZE_MAX;
    assert_int_equal(try_create(backend, &bad, &src, &dst, &err), BITTERN_ERR_ARGUMENT);
    bad = good;
    bad.in_channels = 8;
    assert_int_equal(try_create(backend, &bad, &src, &dst, &err), BITTERN_ERR_ARGUMENT);
    backend_free(backend);
}

/* Would catch: a planar image of one channel that a channels-last network cannot read. */
static void one_planar_channel_is_channels_last_too(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct trial t = {.shape = {3, 1, 9, 9, 7, 3, 3, 1, 1, 1, 1, 9, 9},
                      .from = BACKEND_PLANAR,
                      .to = BACKEND_CHANNELS_LAST,
                      .bias = true};
    uint64_t random = 16;

    (void)state;
    check_trial(backend, &t, &random);
    backend_free(backend);
}

/* Would catch: an operation without that primitive that crashes instead of saying so. */
static void a_gradient_that_was_not_asked_for_is_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct trial t = {.shape = {1, 3, 5, 5, 2, 3, 3, 1, 1, 1, 1, 5, 5},
                      .from = BACKEND_CHANNELS_LAST,
                      .to = BACKEND_CHANNELS_LAST};
    struct subject x = {.op = NULL};
    struct reference r = {.dst = NULL};
    struct bittern_error err;
    uint64_t random = 17;

    (void)state;
    prepare(backend, &t, &random, &x, &r);
    assert_int_equal(backend_conv_backward(x.op, &x.src, x.weights, &x.diff_dst, x.diff_weights,
                                           NULL, &x.diff_src, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(backend_conv_forward(x.op, &x.dst, x.weights, NULL, &x.dst, &err),
                     BITTERN_ERR_ARGUMENT);
    reference_free(&r);
    release(backend, &x);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_last_equals_the_slow_reference),
        cmocka_unit_test(channels_last_in_bf16_equals_the_slow_reference),
        cmocka_unit_test(blocked_and_planar_to_blocked_equal_the_slow_reference),
        cmocka_unit_test(convolutions_of_the_recipes_equal_the_slow_reference),
        cmocka_unit_test(the_same_threads_give_the_same_bits),
        cmocka_unit_test(layouts_and_shapes_without_a_kernel_are_refused),
        cmocka_unit_test(one_planar_channel_is_channels_last_too),
        cmocka_unit_test(a_gradient_that_was_not_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
