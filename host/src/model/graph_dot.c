/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses among the kernels for sums of products: with AVX2 and FMA, where the rest of a product is
 * one instruction, or portable C, where it takes Dekker's splitting into halves (1971).
 */
#include "model/graph_dot.h"

typedef double lanes __attribute__((vector_size(32)));
typedef double lanes_unaligned __attribute__((vector_size(32), aligned(8)));

/* ---- Portable ---------------------------------------------------------------------------------
 */

/* Upper half of each lane's digits; the rest is exact, too. */
#define SPLIT_UPPER(x) ((x)*0x1.0000002p27 - ((x)*0x1.0000002p27 - (x)))

static inline __attribute__((always_inline)) void split_error(const lanes *a, const lanes *b,
                                                              const lanes *product, lanes *error)
{
    lanes a_upper = SPLIT_UPPER(*a);
    lanes b_upper = SPLIT_UPPER(*b);
    lanes a_lower = *a - a_upper;
    lanes b_lower = *b - b_upper;
    *error = ((a_upper * b_upper - *product) + a_upper * b_lower + a_lower * b_upper) +
             a_lower * b_lower;
}

#define DOT_NAME(x) portable_##x
#define DOT_TARGET
#define DOT_PRODUCT_ERROR(error, a, b, product) split_error(a, b, product, error)
#include "model/graph_dot_kernel.h"
#undef DOT_NAME
#undef DOT_TARGET
#undef DOT_PRODUCT_ERROR

const struct graph_dot_kernels *graph_dot_portable(void)
{
    static const struct graph_dot_kernels kernels = {"portable", portable_vectors, portable_panel};
    return &kernels;
}

/* ---- AVX2 with FMA ----------------------------------------------------------------------------
 */

#if defined(__x86_64__)
#include <immintrin.h>

#define DOT_NAME(x) fma_##x
#define DOT_TARGET __attribute__((target("avx2,fma")))
#define DOT_PRODUCT_ERROR(error, a, b, product) (*(error) = _mm256_fmsub_pd(*(a), *(b), *(product)))
#include "model/graph_dot_kernel.h"

const struct graph_dot_kernels *graph_dot_best(void)
{
    static const struct graph_dot_kernels kernels = {"avx2-fma", fma_vectors, fma_panel};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &kernels;
    }
    return graph_dot_portable();
}

#else

const struct graph_dot_kernels *graph_dot_best(void)
{
    return graph_dot_portable();
}

#endif
