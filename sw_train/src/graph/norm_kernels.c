/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tensor is seen as rows of consecutive channels: channels last, n * h * w rows of all channels;
 * blocked, rows of one block, in the order [image][block][row][column]. Threads take equal runs of
 * rows.
 */
#include "graph/norm_kernels.h"

#include "graph/elementwise.h"
#include "graph/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Channels that are worked on at a time: the buffers stay in the first-level cache. */
#define RUN 256

struct norm_kernels {
    size_t channels, width, rows, rows_a_block, blocks;
    size_t threads;
    double epsilon;
    bool relu;
    double *partial;                     /* [threads][2 * channels] */
    float *factor, *offset, *correction; /* [channels]: a pass's constants */
};

bittern_status norm_kernels_create(const struct backend_tensor *like, size_t threads, size_t block,
                                   double epsilon, bool relu, struct norm_kernels **kernels,
                                   struct bittern_error *err)
{
    struct norm_kernels *k = calloc(1, sizeof(*k));
    *kernels = NULL;
    if (k == NULL) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for batch norm");
    }
    bool blocked = like->layout == BACKEND_BLOCKED;
    k->channels = like->c;
    k->width = blocked ? block : like->c;
    k->blocks = like->c / k->width;
    k->rows_a_block = blocked ? like->h * like->w : 1;
    k->rows = like->n * like->h * like->w * k->blocks;
    k->threads = threads;
    k->epsilon = epsilon;
    k->relu = relu;
    k->partial = calloc(threads * 2 * like->c, sizeof(double));
    k->factor = graph_allocate_floats(like->c);
    k->offset = graph_allocate_floats(like->c);
    k->correction = graph_allocate_floats(like->c);
    if (k->partial == NULL || k->factor == NULL || k->offset == NULL || k->correction == NULL) {
        norm_kernels_free(k);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for batch norm");
    }
    *kernels = k;
    return BITTERN_OK;
}

void norm_kernels_free(struct norm_kernels *kernels)
{
    if (kernels == NULL) {
        return;
    }
    free(kernels->partial);
    free(kernels->factor);
    free(kernels->offset);
    free(kernels->correction);
    free(kernels);
}

size_t norm_kernels_sums(const struct norm_kernels *kernels)
{
    return 2 * kernels->channels + 1;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* One piece of a row: `length` values from `position` on, of channels from `channel` on. */
struct piece {
    size_t position, channel, length;
};

static size_t pieces_a_row(const struct norm_kernels *k)
{
    return (k->width + RUN - 1) / RUN;
}

static struct piece find_piece(const struct norm_kernels *k, size_t row, size_t index)
{
    size_t start = index * RUN;
    size_t left = k->width - start;
    return (struct piece){
        .position = row * k->width + start,
        .channel = row / k->rows_a_block % k->blocks * k->width + start,
        .length = left < RUN ? left : RUN,
    };
}

/* The piece's values as floats: in the tensor itself, or widened into buffer. */
static const float *load(const struct backend_tensor *tensor, const struct piece *piece,
                         float *buffer)
{
    if (tensor->type == BACKEND_F32) {
        return (const float *)tensor->data + piece->position;
    }
    bf16_widen((const uint16_t *)tensor->data + piece->position, buffer, piece->length);
    return buffer;
}

static void store(const struct backend_tensor *tensor, const struct piece *piece,
                  const float *values)
{
    if (tensor->type == BACKEND_F32) {
        memcpy((float *)tensor->data + piece->position, values, piece->length * sizeof(float));
    } else {
        bf16_narrow(values, (uint16_t *)tensor->data + piece->position, piece->length);
    }
}

/* First row of a thread's share. */
static size_t share(const struct norm_kernels *k, size_t thread)
{
    return k->rows / k->threads * thread + k->rows % k->threads * thread / k->threads;
}

/* sums = the threads' partial sums, added up in their order */
static void combine(const struct norm_kernels *k, double *sums)
{
    memset(sums, 0, 2 * k->channels * sizeof(double));
    for (size_t thread = 0; thread < k->threads; thread++) {
        const double *partial = k->partial + thread * 2 * k->channels;
        for (size_t i = 0; i < 2 * k->channels; i++) {
            sums[i] += partial[i];
        }
    }
    size_t values = k->rows / k->blocks;
    sums[2 * k->channels] = (double)values;
}

/* ---- Forward --------------------------------------------------------------------------------- */

static void sum_rows(const struct norm_kernels *k, const struct backend_tensor *src, size_t first,
                     size_t end, double *partial)
{
    float buffer[RUN];
    memset(partial, 0, 2 * k->channels * sizeof(double));
    for (size_t row = first; row < end; row++) {
        for (size_t p = 0; p < pieces_a_row(k); p++) {
            struct piece piece = find_piece(k, row, p);
            const float *x = load(src, &piece, buffer);
            double *sum = partial + piece.channel;
            double *square = sum + k->channels;
            for (size_t i = 0; i < piece.length; i++) {
                sum[i] += (double)x[i];
                square[i] += (double)x[i] * (double)x[i];
            }
        }
    }
}

void norm_kernels_sum(struct norm_kernels *kernels, const struct backend_tensor *src, double *sums)
{
#pragma omp parallel for schedule(static, 1)
    for (size_t thread = 0; thread < kernels->threads; thread++) {
        sum_rows(kernels, src, share(kernels, thread), share(kernels, thread + 1),
                 kernels->partial + thread * 2 * kernels->channels);
    }
    combine(kernels, sums);
}

void norm_kernels_statistics(const struct norm_kernels *kernels, const double *sums, float *mean,
                             float *variance)
{
    double values = sums[2 * kernels->channels];
    for (size_t c = 0; c < kernels->channels; c++) {
        double first = sums[c] / values;
        double second = sums[kernels->channels + c] / values - first * first;
        mean[c] = (float)first;
        variance[c] = (float)(second < 0 ? 0 : second);
    }
}

static double inverse_deviation(const struct norm_kernels *k, const float *variance, size_t c)
{
    return 1.0 / sqrt((double)variance[c] + k->epsilon);
}

void norm_kernels_apply(struct norm_kernels *kernels, const struct backend_tensor *src,
                        const float *scale, const float *shift, const float *mean,
                        const float *variance, struct backend_tensor *dst)
{
    const struct norm_kernels *k = kernels;
    for (size_t c = 0; c < k->channels; c++) {
        k->factor[c] = (float)((double)scale[c] * inverse_deviation(k, variance, c));
        k->offset[c] = shift[c];
    }
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < k->rows; row++) {
        float buffer[RUN], result[RUN];
        for (size_t p = 0; p < pieces_a_row(k); p++) {
            struct piece piece = find_piece(k, row, p);
            const float *x = load(src, &piece, buffer);
            const float *factor = k->factor + piece.channel;
            const float *offset = k->offset + piece.channel;
            const float *centre = mean + piece.channel;
            for (size_t i = 0; i < piece.length; i++) {
                result[i] = (x[i] - centre[i]) * factor[i] + offset[i];
            }
            for (size_t i = 0; k->relu && i < piece.length; i++) {
                result[i] = result[i] < 0 ? 0 : result[i];
            }
            store(dst, &piece, result);
        }
    }
}

/* ---- Backward -------------------------------------------------------------------------------- */

/* The piece of diff_dst, zero where the relu was off. */
static const float *load_gradient(const struct norm_kernels *k, const struct backend_tensor *dst,
                                  const struct backend_tensor *diff_dst, const struct piece *piece,
                                  float *buffer, float *output_buffer)
{
    const float *dy = load(diff_dst, piece, buffer);
    if (!k->relu) {
        return dy;
    }
    const float *y = load(dst, piece, output_buffer);
    for (size_t i = 0; i < piece->length; i++) {
        buffer[i] = y[i] > 0 ? dy[i] : 0;
    }
    return buffer;
}

static void sum_gradient_rows(const struct norm_kernels *k, const struct backend_tensor *src,
                              const struct backend_tensor *dst,
                              const struct backend_tensor *diff_dst, const float *mean,
                              size_t first, size_t end, double *partial)
{
    float x_buffer[RUN], dy_buffer[RUN], y_buffer[RUN];
    memset(partial, 0, 2 * k->channels * sizeof(double));
    for (size_t row = first; row < end; row++) {
        for (size_t p = 0; p < pieces_a_row(k); p++) {
            struct piece piece = find_piece(k, row, p);
            const float *x = load(src, &piece, x_buffer);
            const float *dy = load_gradient(k, dst, diff_dst, &piece, dy_buffer, y_buffer);
            const float *centre = mean + piece.channel;
            const float *factor = k->factor + piece.channel;
            double *sum = partial + piece.channel;
            double *product = sum + k->channels;
            for (size_t i = 0; i < piece.length; i++) {
                sum[i] += (double)dy[i];
                product[i] += (double)dy[i] * (double)((x[i] - centre[i]) * factor[i]);
            }
        }
    }
}

void norm_kernels_sum_gradient(struct norm_kernels *kernels, const struct backend_tensor *src,
                               const struct backend_tensor *dst,
                               const struct backend_tensor *diff_dst, const float *mean,
                               const float *variance, double *sums)
{
    for (size_t c = 0; c < kernels->channels; c++) {
        kernels->factor[c] = (float)inverse_deviation(kernels, variance, c);
    }
#pragma omp parallel for schedule(static, 1)
    for (size_t thread = 0; thread < kernels->threads; thread++) {
        sum_gradient_rows(kernels, src, dst, diff_dst, mean, share(kernels, thread),
                          share(kernels, thread + 1),
                          kernels->partial + thread * 2 * kernels->channels);
    }
    combine(kernels, sums);
}

void norm_kernels_gradient(struct norm_kernels *kernels, const struct backend_tensor *src,
                           const struct backend_tensor *dst, const struct backend_tensor *diff_dst,
                           const float *scale, const float *mean, const float *variance,
                           const double *sums, struct backend_tensor *diff_src)
{
    /* diff_src = factor * dy - offset - correction * (x - mean) */
    const struct norm_kernels *k = kernels;
    double values = sums[2 * k->channels];
    for (size_t c = 0; c < k->channels; c++) {
        double inverse = inverse_deviation(k, variance, c);
        double factor = (double)scale[c] * inverse;
        k->factor[c] = (float)factor;
        k->offset[c] = (float)(factor * sums[c] / values);
        k->correction[c] = (float)(factor * inverse * sums[k->channels + c] / values);
    }
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < k->rows; row++) {
        float x_buffer[RUN], dy_buffer[RUN], y_buffer[RUN], result[RUN];
        for (size_t p = 0; p < pieces_a_row(k); p++) {
            struct piece piece = find_piece(k, row, p);
            const float *x = load(src, &piece, x_buffer);
            const float *dy = load_gradient(k, dst, diff_dst, &piece, dy_buffer, y_buffer);
            const float *factor = k->factor + piece.channel;
            const float *offset = k->offset + piece.channel;
            const float *correction = k->correction + piece.channel;
            const float *centre = mean + piece.channel;
            for (size_t i = 0; i < piece.length; i++) {
                result[i] = factor[i] * dy[i] - offset[i] - correction[i] * (x[i] - centre[i]);
            }
            store(diff_src, &piece, result);
        }
    }
}
