/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization over the batches of several ranks. The backend's operation knows only its own
 * batch, so with more than one rank these plain kernels run instead: sums in double, which the
 * caller adds up over the ranks between the two passes over the data.
 *
 * Work for channels last and blocked tensors, in float32 or bfloat16 (arithmetic in float32, sums
 * in double). Sums are combined in thread order: the same bits for the same thread count.
 */
#ifndef BITTERN_TRAIN_GRAPH_NORM_KERNELS_H
#define BITTERN_TRAIN_GRAPH_NORM_KERNELS_H

#include "backend/backend.h"

struct norm_kernels;
/* block: channels of a block, where the tensors are blocked */
bittern_status norm_kernels_create(const struct backend_tensor *like, size_t threads, size_t block,
                                   double epsilon, bool relu, struct norm_kernels **kernels,
                                   struct bittern_error *err);
void norm_kernels_free(struct norm_kernels *kernels);

/* Doubles in a sums array: [channels] first sums, [channels] second sums, values a channel. */
size_t norm_kernels_sums(const struct norm_kernels *kernels);

/* sums = sum of x, sum of x^2, values */
void norm_kernels_sum(struct norm_kernels *kernels, const struct backend_tensor *src, double *sums);
/* From sums over all ranks: mean and biased variance. */
void norm_kernels_statistics(const struct norm_kernels *kernels, const double *sums, float *mean,
                             float *variance);
void norm_kernels_apply(struct norm_kernels *kernels, const struct backend_tensor *src,
                        const float *scale, const float *shift, const float *mean,
                        const float *variance, struct backend_tensor *dst);

/* With x' = (x - mean) / sqrt(variance + epsilon), and dy = 0 where a fused relu was off:
 * sums = sum of dy, sum of dy * x', values */
void norm_kernels_sum_gradient(struct norm_kernels *kernels, const struct backend_tensor *src,
                               const struct backend_tensor *dst,
                               const struct backend_tensor *diff_dst, const float *mean,
                               const float *variance, double *sums);
/* From sums over all ranks:
 * diff_src = scale / sqrt(variance + epsilon) * (dy - sums_1 / values - x' * sums_2 / values) */
void norm_kernels_gradient(struct norm_kernels *kernels, const struct backend_tensor *src,
                           const struct backend_tensor *dst, const struct backend_tensor *diff_dst,
                           const float *scale, const float *mean, const float *variance,
                           const double *sums, struct backend_tensor *diff_src);

#endif
