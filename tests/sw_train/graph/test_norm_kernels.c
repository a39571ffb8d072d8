/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch norm over ranks: a batch is split into the parts of two ranks, whose sums are added up here
 * as they would be between processes. Together they must do what the backend does with the whole.
 */
#include "graph/elementwise.h"
#include "graph/norm_kernels.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 32
#define EPSILON 1e-5

struct batch {
    struct backend *backend;
    struct backend_tensor src, dst, diff_dst, diff_src;
    float scale[CHANNELS], shift[CHANNELS], mean[CHANNELS], variance[CHANNELS];
    float diff_scale[CHANNELS], diff_shift[CHANNELS];
};

static void batch_create(struct batch *batch, size_t n, size_t size, enum backend_layout layout)
{
    struct bittern_error err;
    struct backend_options options = {.threads = 2, .precision = BACKEND_PRECISION_F32};
    uint64_t random = 9;
    assert_ok(backend_create(&options, &batch->backend, &err), &err);
    batch->src = (struct backend_tensor){
        .n = n, .c = CHANNELS, .h = size, .w = size, .type = BACKEND_F32, .layout = layout};
    batch->dst = batch->diff_dst = batch->diff_src = batch->src;
    assert_ok(backend_tensor_allocate(batch->backend, &batch->src, &err), &err);
    assert_ok(backend_tensor_allocate(batch->backend, &batch->dst, &err), &err);
    assert_ok(backend_tensor_allocate(batch->backend, &batch->diff_dst, &err), &err);
    assert_ok(backend_tensor_allocate(batch->backend, &batch->diff_src, &err), &err);
    for (size_t i = 0; i < backend_tensor_count(&batch->src); i++) {
        ((float *)batch->src.data)[i] = (float)(4 * random_unit(&random) - 1);
        ((float *)batch->diff_dst.data)[i] = (float)(random_unit(&random) - 0.3);
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        batch->scale[c] = (float)(random_unit(&random) + 0.5) * (c % 3 == 0 ? -1.0F : 1.0F);
        batch->shift[c] = (float)(random_unit(&random) - 0.5);
    }
}

static void batch_free(struct batch *batch)
{
    backend_tensor_release(batch->backend, &batch->src);
    backend_tensor_release(batch->backend, &batch->dst);
    backend_tensor_release(batch->backend, &batch->diff_dst);
    backend_tensor_release(batch->backend, &batch->diff_src);
    backend_free(batch->backend);
}

/* Images first.. of a tensor, in the same memory. */
static struct backend_tensor part(const struct backend_tensor *tensor, size_t first, size_t count)
{
    struct backend_tensor images = *tensor;
    images.n = count;
    images.data = (char *)tensor->data +
                  first * tensor->c * tensor->h * tensor->w * elementwise_bytes(tensor->type);
    return images;
}

/* What two ranks would do; results go into ranks' dst, diff_src and statistics. */
static void run_two_ranks(const struct batch *whole, struct batch *ranks, size_t first_rank,
                          bool relu)
{
    struct bittern_error err;
    const size_t sizes[2] = {first_rank, whole->src.n - first_rank};
    struct norm_kernels *kernels[2];
    double sums[2][2 * CHANNELS + 1];
    struct backend_tensor src[2], dst[2], diff_dst[2], diff_src[2];
    for (size_t r = 0; r < 2; r++) {
        size_t first = r * first_rank;
        src[r] = part(&whole->src, first, sizes[r]);
        dst[r] = part(&ranks->dst, first, sizes[r]);
        diff_dst[r] = part(&whole->diff_dst, first, sizes[r]);
        diff_src[r] = part(&ranks->diff_src, first, sizes[r]);
        assert_ok(norm_kernels_create(&src[r], 3, backend_block_channels(whole->backend), EPSILON,
                                      relu, &kernels[r], &err),
                  &err);
        assert_int_equal(norm_kernels_sums(kernels[r]), 2 * CHANNELS + 1);
        norm_kernels_sum(kernels[r], &src[r], sums[r]);
    }
    for (size_t i = 0; i < 2 * CHANNELS + 1; i++) {
        sums[0][i] += sums[1][i];
    }
    norm_kernels_statistics(kernels[0], sums[0], ranks->mean, ranks->variance);
    for (size_t r = 0; r < 2; r++) {
        norm_kernels_apply(kernels[r], &src[r], whole->scale, whole->shift, ranks->mean,
                           ranks->variance, &dst[r]);
        norm_kernels_sum_gradient(kernels[r], &src[r], &dst[r], &diff_dst[r], ranks->mean,
                                  ranks->variance, sums[r]);
    }
    for (size_t i = 0; i < 2 * CHANNELS + 1; i++) {
        sums[0][i] += sums[1][i];
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        ranks->diff_shift[c] = (float)sums[0][c];
        ranks->diff_scale[c] = (float)sums[0][CHANNELS + c];
    }
    for (size_t r = 0; r < 2; r++) {
        norm_kernels_gradient(kernels[r], &src[r], &dst[r], &diff_dst[r], whole->scale, ranks->mean,
                              ranks->variance, sums[0], &diff_src[r]);
        norm_kernels_free(kernels[r]);
    }
}

static void run_backend(struct batch *whole, bool relu)
{
    struct bittern_error err;
    struct backend_norm *op;
    assert_ok(backend_norm_create(whole->backend, &whole->src, EPSILON, relu, &op, &err), &err);
    assert_ok(backend_norm_forward(op, &whole->src, whole->scale, whole->shift, whole->mean,
                                   whole->variance, true, &whole->dst, &err),
              &err);
    assert_ok(backend_norm_backward(op, &whole->src, whole->scale, whole->shift, whole->mean,
                                    whole->variance, &whole->diff_dst, &whole->diff_src,
                                    whole->diff_scale, whole->diff_shift, &err),
              &err);
    backend_norm_free(op);
}

/* size: of the numbers that were added up */
static void assert_near(const float *a, const float *b, size_t count, double size, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= 2e-6 * size)) {
            fail_msg("%s %zu: %g, not %g", what, i, (double)a[i], (double)b[i]);
        }
    }
}

static void compare(size_t n, size_t first_rank, size_t size, enum backend_layout layout, bool relu)
{
    struct batch whole, ranks;
    batch_create(&whole, n, size, layout);
    batch_create(&ranks, n, size, layout);
    run_backend(&whole, relu);
    run_two_ranks(&whole, &ranks, first_rank, relu);
    size_t count = backend_tensor_count(&whole.src);
    double values = (double)(n * size * size);
    assert_near(ranks.mean, whole.mean, CHANNELS, 1, "mean");
    assert_near(ranks.variance, whole.variance, CHANNELS, 1, "variance");
    assert_near(ranks.dst.data, whole.dst.data, count, 3, "output");
    assert_near(ranks.diff_scale, whole.diff_scale, CHANNELS, values, "gradient of scale");
    assert_near(ranks.diff_shift, whole.diff_shift, CHANNELS, values, "gradient of shift");
    assert_near(ranks.diff_src.data, whole.diff_src.data, count, 3, "gradient of input");
    batch_free(&whole);
    batch_free(&ranks);
}

/* Would catch: statistics or gradients of one rank's images alone, rows lost between threads, a
 * channel mixed up in blocks, a relu's mask forgotten. */
static void two_halves_normalize_as_the_whole_batch(void **state)
{
    (void)state;
    for (int relu = 0; relu < 2; relu++) {
        compare(6, 3, 5, BACKEND_CHANNELS_LAST, relu == 1);
        compare(8, 4, 1, BACKEND_CHANNELS_LAST, relu == 1);
        compare(7, 2, 3, BACKEND_CHANNELS_LAST, relu == 1);
        compare(6, 3, 5, BACKEND_BLOCKED, relu == 1);
        compare(5, 1, 4, BACKEND_BLOCKED, relu == 1);
    }
}

/* Would catch: a bf16 path that reads or writes the wrong bytes. */
static void bf16_batches_normalize_as_float_ones(void **state)
{
    (void)state;
    struct batch batch;
    struct bittern_error err;
    struct norm_kernels *kernels;
    static uint16_t narrow[6 * CHANNELS * 4], result[6 * CHANNELS * 4], expected[6 * CHANNELS * 4];
    double sums[2 * CHANNELS + 1], narrow_sums[2 * CHANNELS + 1];
    batch_create(&batch, 6, 2, BACKEND_CHANNELS_LAST);
    size_t count = backend_tensor_count(&batch.src);
    assert_int_equal(count, 6 * CHANNELS * 4);
    bf16_narrow(batch.src.data, narrow, count);
    bf16_widen(narrow, batch.src.data, count);
    assert_ok(norm_kernels_create(&batch.src, 2, 8, EPSILON, true, &kernels, &err), &err);
    struct backend_tensor src = batch.src, dst = batch.src;
    src.type = dst.type = BACKEND_BF16;
    src.data = narrow;
    dst.data = result;
    norm_kernels_sum(kernels, &batch.src, sums);
    norm_kernels_sum(kernels, &src, narrow_sums);
    assert_memory_equal(sums, narrow_sums, sizeof(sums));
    norm_kernels_statistics(kernels, sums, batch.mean, batch.variance);
    norm_kernels_apply(kernels, &batch.src, batch.scale, batch.shift, batch.mean, batch.variance,
                       &batch.dst);
    norm_kernels_apply(kernels, &src, batch.scale, batch.shift, batch.mean, batch.variance, &dst);
    bf16_narrow(batch.dst.data, expected, count);
    assert_memory_equal(result, expected, sizeof(result));
    norm_kernels_free(kernels);
    batch_free(&batch);
}

/* Would catch: a variance below zero, or NaN, where all values of a channel are equal. */
static void a_constant_channel_has_no_variance(void **state)
{
    (void)state;
    struct batch batch;
    struct bittern_error err;
    struct norm_kernels *kernels;
    double sums[2 * CHANNELS + 1];
    batch_create(&batch, 3, 3, BACKEND_CHANNELS_LAST);
    for (size_t i = 0; i < backend_tensor_count(&batch.src); i++) {
        ((float *)batch.src.data)[i] = 0.1F * (float)(i % CHANNELS);
    }
    assert_ok(norm_kernels_create(&batch.src, 2, 8, EPSILON, false, &kernels, &err), &err);
    norm_kernels_sum(kernels, &batch.src, sums);
    norm_kernels_statistics(kernels, sums, batch.mean, batch.variance);
    for (size_t c = 0; c < CHANNELS; c++) {
        assert_true(batch.variance[c] >= 0 && batch.variance[c] < 1e-12F);
    }
    norm_kernels_free(kernels);
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_halves_normalize_as_the_whole_batch),
        cmocka_unit_test(bf16_batches_normalize_as_float_ones),
        cmocka_unit_test(a_constant_channel_has_no_variance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
