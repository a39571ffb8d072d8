/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of graph_dot.h, included once for each way to split a product. Before it is included,
 * DOT_NAME(x) must make a function's name, DOT_TARGET its attributes, and DOT_PRODUCT_ERROR(error,
 * a, b, product) store the exact rest a * b - product of four lanes at once.
 *
 * Eight sums run side by side, in two vectors of four lanes: about ten operations a vector and
 * step, none of which waits for the previous step longer than one addition.
 */

DOT_TARGET static inline __attribute__((always_inline)) void
DOT_NAME(add_product)(lanes *high, lanes *low, const lanes *a, const lanes *b)
{
    lanes product = *a * *b;
    lanes error;
    DOT_PRODUCT_ERROR(&error, a, b, &product);
    lanes total = *high + product;
    lanes part = total - *high;
    *low += ((*high - (total - part)) + (product - part)) + error;
    *high = total;
}

DOT_TARGET static double DOT_NAME(vectors)(const double *a, const double *b, size_t count)
{
    lanes high[2] = {{0}, {0}};
    lanes low[2] = {{0}, {0}};
    size_t whole = count - count % GRAPH_DOT_WIDTH;
    for (size_t i = 0; i < whole; i += GRAPH_DOT_WIDTH) {
        const lanes_unaligned *pa = (const lanes_unaligned *)(a + i);
        const lanes_unaligned *pb = (const lanes_unaligned *)(b + i);
        lanes a0 = pa[0];
        lanes a1 = pa[1];
        lanes b0 = pb[0];
        lanes b1 = pb[1];
        DOT_NAME(add_product)(&high[0], &low[0], &a0, &b0);
        DOT_NAME(add_product)(&high[1], &low[1], &a1, &b1);
    }
    for (size_t i = whole; i < count; i++) {
        size_t lane = i - whole;
        lanes va = {0};
        lanes vb = {0};
        va[lane % 4] = a[i];
        vb[lane % 4] = b[i];
        DOT_NAME(add_product)(&high[lane / 4], &low[lane / 4], &va, &vb);
    }
    struct graph_sum sum = {0, 0};
    double rest = 0;
    for (size_t lane = 0; lane < GRAPH_DOT_WIDTH; lane++) {
        graph_sum_add(&sum, high[lane / 4][lane % 4]);
        rest += low[lane / 4][lane % 4];
    }
    sum.low += rest;
    return graph_sum_round(&sum);
}

DOT_TARGET static void DOT_NAME(panel)(const double *a, const double *b, size_t stride,
                                       size_t count, double *result)
{
    lanes high[2] = {{0}, {0}};
    lanes low[2] = {{0}, {0}};
    for (size_t k = 0; k < count; k++) {
        const lanes_unaligned *pb = (const lanes_unaligned *)(b + k * stride);
        lanes va = {a[k], a[k], a[k], a[k]};
        lanes b0 = pb[0];
        lanes b1 = pb[1];
        DOT_NAME(add_product)(&high[0], &low[0], &va, &b0);
        DOT_NAME(add_product)(&high[1], &low[1], &va, &b1);
    }
    for (size_t lane = 0; lane < GRAPH_DOT_WIDTH; lane++) {
        result[lane] = high[lane / 4][lane % 4] + low[lane / 4][lane % 4];
    }
}
