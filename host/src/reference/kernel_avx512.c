/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AVX-512 kernel: vpopcntq counts the products of 64 input channels in each of 8 lanes, one
 * lane an output channel. 4 vectors of output channels and 4 points share loads; their 64-bit sums
 * stay in registers over the whole window and cannot overflow.
 *
 * Integers multiply with vpdpbusd: four values times four weights for each of 16 channels, exact
 * for all signed bytes.
 *
 * What limits it: the ports that do popcounts (Ice Lake and later: one a cycle).
 */
#include "reference/kernel_finish.h"
#ifdef BITTERN_EMULATED
#include <simde/x86/avx512.h>
#else
#include <immintrin.h>
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { AVX512_LANES = 8, AVX512_BLOCKS = 4, AVX512_INT_LANES = 16, AVX512_POINTS = 4 };

/* Truth tables of vpternlogq: bit 4 * a + 2 * b + c. */
enum {
    TERNLOG_A_AND_B_XOR_C = 0x60, /* a & (b ^ c) */
    TERNLOG_A_SELECTS = 0xca      /* a ? b : c */
};

/* Kinds of operands; constant where inlined. */
struct combination {
    int ternary_values, ternary_weights;
};

/* Add a word's positive products to `positive` and its negative ones to `negative`; or, where both
 * are binary, its mismatches to `negative` alone. */
static ALWAYS_INLINE void add_word(const struct combination *kinds, const uint64_t *values,
                                   __m512i plus, __m512i minus, __m512i *positive,
                                   __m512i *negative)
{
    __m512i value = _mm512_set1_epi64((long long)values[0]);
    __m512i good;
    __m512i bad;
    if (!kinds->ternary_values && !kinds->ternary_weights) {
        bad = _mm512_xor_si512(value, plus);
        *negative = _mm512_add_epi64(*negative, _mm512_popcnt_epi64(bad));
        return;
    }
    if (!kinds->ternary_values) {
        good = _mm512_ternarylogic_epi64(value, plus, minus, TERNLOG_A_SELECTS);
        bad = _mm512_ternarylogic_epi64(value, minus, plus, TERNLOG_A_SELECTS);
    } else {
        /* Of the products that are not 0, those with operands of different sign. */
        __m512i value_minus = _mm512_set1_epi64((long long)values[1]);
        __m512i nonzero = _mm512_set1_epi64((long long)(values[0] | values[1]));
        if (kinds->ternary_weights) {
            nonzero = _mm512_and_si512(nonzero, _mm512_or_si512(plus, minus));
            bad = _mm512_ternarylogic_epi64(nonzero, minus, value_minus, TERNLOG_A_AND_B_XOR_C);
        } else {
            bad = _mm512_ternarylogic_epi64(nonzero, plus, value, TERNLOG_A_AND_B_XOR_C);
        }
        good = nonzero; /* counts the negative ones too, which dot_points subtracts twice */
    }
    *positive = _mm512_add_epi64(*positive, _mm512_popcnt_epi64(good));
    *negative = _mm512_add_epi64(*negative, _mm512_popcnt_epi64(bad));
}

static ALWAYS_INLINE void dot_points(const struct reference_dot *dot,
                                     const struct combination *kinds, size_t first, size_t points,
                                     size_t blocks)
{
    size_t planes = kinds->ternary_weights ? 2 : 1;
    size_t value_words = kinds->ternary_values ? 2 : 1;
    __m512i positive[AVX512_POINTS][AVX512_BLOCKS];
    __m512i negative[AVX512_POINTS][AVX512_BLOCKS];
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            positive[p][b] = _mm512_setzero_si512();
            negative[p][b] = _mm512_setzero_si512();
        }
    }
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const uint64_t *weights = (const uint64_t *)(const void *)dot->weights +
                                  run->weight * planes * blocks * AVX512_LANES;
        for (size_t i = 0; i < run->length; ++i) {
            for (size_t b = 0; b < blocks; ++b) {
                __m512i plus = _mm512_loadu_si512(weights + b * AVX512_LANES);
                __m512i minus = planes == 2
                                    ? _mm512_loadu_si512(weights + (blocks + b) * AVX512_LANES)
                                    : _mm512_setzero_si512();
                for (size_t p = 0; p < points; ++p) {
                    const uint64_t *values =
                        (const uint64_t *)(const void *)(dot->points[first + p] + run->input);
                    add_word(kinds, values + i * value_words, plus, minus, &positive[p][b],
                             &negative[p][b]);
                }
            }
            weights += planes * blocks * AVX512_LANES;
        }
    }
    int is_binary = !kinds->ternary_values && !kinds->ternary_weights;
    __m512i valid = _mm512_set1_epi64(dot->valid);
    for (size_t p = 0; p < points; ++p) {
        int32_t *sums = dot->sums + (first + p) * dot->stride;
        for (size_t b = 0; b < blocks; ++b) {
            __m512i sum = _mm512_sub_epi64(is_binary ? valid : positive[p][b], negative[p][b]);
            if (is_binary || kinds->ternary_values) {
                sum = _mm512_sub_epi64(sum, negative[p][b]);
            }
            _mm256_storeu_si256((__m256i *)(void *)(sums + b * AVX512_LANES),
                                _mm512_cvtepi64_epi32(sum));
        }
    }
}

/* Two sums a point and block, so two points where both are in use: 16 of 32 registers. */
static ALWAYS_INLINE void dot_blocks(const struct reference_dot *dot,
                                     const struct combination *kinds, size_t blocks)
{
    size_t together = kinds->ternary_values || kinds->ternary_weights ? 2 : AVX512_POINTS;
    size_t point = 0;
    for (; point + together <= dot->point_count; point += together) {
        dot_points(dot, kinds, point, together, blocks);
    }
    for (; point < dot->point_count; ++point) {
        dot_points(dot, kinds, point, 1, blocks);
    }
}

static ALWAYS_INLINE void dot_words(const struct reference_dot *dot,
                                    const struct combination *kinds)
{
    switch (dot->blocks) {
    case 1:
        dot_blocks(dot, kinds, 1);
        break;
    case 2:
        dot_blocks(dot, kinds, 2);
        break;
    case 3:
        dot_blocks(dot, kinds, 3);
        break;
    default:
        dot_blocks(dot, kinds, 4);
        break;
    }
}

static void dot_binary_binary(const struct reference_dot *dot)
{
    const struct combination kinds = {0, 0};
    dot_words(dot, &kinds);
}

static void dot_binary_ternary(const struct reference_dot *dot)
{
    const struct combination kinds = {0, 1};
    dot_words(dot, &kinds);
}

static void dot_ternary_binary(const struct reference_dot *dot)
{
    const struct combination kinds = {1, 0};
    dot_words(dot, &kinds);
}

static void dot_ternary_ternary(const struct reference_dot *dot)
{
    const struct combination kinds = {1, 1};
    dot_words(dot, &kinds);
}

static ALWAYS_INLINE void dot_int_points(const struct reference_dot *dot, size_t first,
                                         size_t points, size_t blocks)
{
    __m512i sum[AVX512_POINTS][AVX512_BLOCKS];
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sum[p][b] = _mm512_setzero_si512();
        }
    }
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const uint8_t *weights = dot->weights + run->weight * blocks * 64;
        for (size_t i = 0; i < run->length; ++i, weights += blocks * 64) {
            __m512i value[AVX512_POINTS];
            for (size_t p = 0; p < points; ++p) {
                int32_t four;
                memcpy(&four, dot->points[first + p] + run->input + 4 * i, sizeof four);
                value[p] = _mm512_set1_epi32(four);
            }
            for (size_t b = 0; b < blocks; ++b) {
                __m512i weight = _mm512_loadu_si512(weights + b * 64);
                for (size_t p = 0; p < points; ++p) {
                    sum[p][b] = _mm512_dpbusd_epi32(sum[p][b], value[p], weight);
                }
            }
        }
    }
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            _mm512_storeu_si512(dot->sums + (first + p) * dot->stride + b * AVX512_INT_LANES,
                                sum[p][b]);
        }
    }
}

static ALWAYS_INLINE void dot_int_blocks(const struct reference_dot *dot, size_t blocks)
{
    size_t point = 0;
    for (; point + AVX512_POINTS <= dot->point_count; point += AVX512_POINTS) {
        dot_int_points(dot, point, AVX512_POINTS, blocks);
    }
    for (; point < dot->point_count; ++point) {
        dot_int_points(dot, point, 1, blocks);
    }
}

static void dot_ints(const struct reference_dot *dot)
{
    switch (dot->blocks) {
    case 1:
        dot_int_blocks(dot, 1);
        break;
    case 2:
        dot_int_blocks(dot, 2);
        break;
    case 3:
        dot_int_blocks(dot, 3);
        break;
    default:
        dot_int_blocks(dot, 4);
        break;
    }
}

#ifdef BITTERN_EMULATED
static int is_supported(void)
{
    return 1;
}
#else
static int is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

#ifdef BITTERN_EMULATED
extern const struct reference_kernel reference_kernel_avx512_emulated;
const struct reference_kernel reference_kernel_avx512_emulated = {
    .name = "avx512-simde",
#else
const struct reference_kernel reference_kernel_avx512 = {
    .name = "avx512",
#endif
    .is_supported = is_supported,
    .bits = {.lanes = AVX512_LANES, .blocks = AVX512_BLOCKS, .unit = 64, .bytes = 8},
    .ints = {.lanes = AVX512_INT_LANES, .blocks = AVX512_BLOCKS, .unit = 4, .bytes = 4},
    .dot_binary_binary = dot_binary_binary,
    .dot_binary_ternary = dot_binary_ternary,
    .dot_ternary_binary = dot_ternary_binary,
    .dot_ternary_ternary = dot_ternary_ternary,
    .dot_ints = dot_ints,
    .dot_wide_ints = dot_ints,
    .finish = finish_codes,
    .max_codes = finish_max_codes,
    .pack_binary = finish_pack_binary,
    .pack_ternary = finish_pack_ternary,
};
