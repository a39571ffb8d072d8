/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of products of float64 values with one rounding at the end.
 *
 * A sum is carried as high + low, each product as p + e, all exact (Ogita, Rump, Oishi: Accurate
 * sum and dot product, 2005). The result is the correctly rounded sum wherever the products are
 * multiples of a common unit u and the sum of their sizes is below about 2^100 u, as in every
 * quantized layer; in general it is off by less than count^2 * 2^-106 of that sum of sizes.
 *
 * Every kernel does the same operations in the same order, so that all give identical bits (unless
 * a product lies outside of 2^-960..2^990 in size, where splitting it is not exact).
 */
#ifndef BITTERN_MODEL_GRAPH_DOT_H
#define BITTERN_MODEL_GRAPH_DOT_H

#include <stddef.h>

#define GRAPH_DOT_WIDTH 8 /* columns of a panel */

struct graph_dot_kernels {
    const char *name;
    /* The sum of a[i] * b[i] for i < count. */
    double (*vectors)(const double *a, const double *b, size_t count);
    /* result[j] = sum over k of a[k] * b[k * stride + j], for j < GRAPH_DOT_WIDTH. */
    void (*panel)(const double *a, const double *b, size_t stride, size_t count, double *result);
};

/* Plain C; and the fastest that this processor runs. */
const struct graph_dot_kernels *graph_dot_portable(void);
const struct graph_dot_kernels *graph_dot_best(void);

/* A sum of values alone: add each, then round once. */
struct graph_sum {
    double high, low;
};

static inline void graph_sum_add(struct graph_sum *sum, double value)
{
    double total = sum->high + value;
    double part = total - sum->high;
    sum->low += (sum->high - (total - part)) + (value - part);
    sum->high = total;
}

static inline double graph_sum_round(const struct graph_sum *sum)
{
    return sum->high + sum->low;
}

#endif
