/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel for any CPU: one output channel at a time, 64 input channels a word.
 *
 * With p and m the plus and minus bits of ternary operands, a word's dot product is the number of
 * +1 products less the number of -1 products.
 */
#include "reference/kernel_finish.h"

enum { PORTABLE_BLOCKS = 32 };

static inline int32_t count_bits(uint64_t word)
{
    return (int32_t)__builtin_popcountll(word);
}

static inline int32_t word_binary_binary(const uint64_t *values, uint64_t plus, uint64_t minus)
{
    (void)minus;
    return -2 * count_bits(values[0] ^ plus);
}

static inline int32_t word_binary_ternary(const uint64_t *values, uint64_t plus, uint64_t minus)
{
    uint64_t positive = (plus & values[0]) | (minus & ~values[0]);
    return 2 * count_bits(positive) - count_bits(plus | minus);
}

static inline int32_t word_ternary_binary(const uint64_t *values, uint64_t plus, uint64_t minus)
{
    (void)minus;
    uint64_t negative = (values[0] & ~plus) | (values[1] & plus);
    return count_bits(values[0] | values[1]) - 2 * count_bits(negative);
}

static inline int32_t word_ternary_ternary(const uint64_t *values, uint64_t plus, uint64_t minus)
{
    return count_bits((plus & values[0]) | (minus & values[1])) -
           count_bits((plus & values[1]) | (minus & values[0]));
}

/* Sum of one run for one output channel. */
#define DEFINE_DOT(name, word_function, value_words, weight_planes, start)                         \
    static void name(const struct reference_dot *dot)                                              \
    {                                                                                              \
        for (size_t point = 0; point < dot->point_count; ++point) {                                \
            for (size_t lane = 0; lane < dot->blocks; ++lane) {                                    \
                int32_t sum = start;                                                               \
                for (size_t r = 0; r < dot->run_count; ++r) {                                      \
                    const struct reference_run *run = &dot->runs[r];                               \
                    const uint64_t *values = (const uint64_t *)(dot->points[point] + run->input);  \
                    const uint64_t *weights = (const uint64_t *)dot->weights +                     \
                                              run->weight * (weight_planes)*dot->blocks + lane;    \
                    for (size_t i = 0; i < run->length; ++i) {                                     \
                        sum += word_function(values, weights[0],                                   \
                                             weights[((weight_planes)-1) * dot->blocks]);          \
                        values += (value_words);                                                   \
                        weights += (weight_planes)*dot->blocks;                                    \
                    }                                                                              \
                }                                                                                  \
                dot->sums[point * dot->stride + lane] = sum;                                       \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_DOT(dot_binary_binary, word_binary_binary, 1, 1, dot->valid)
DEFINE_DOT(dot_binary_ternary, word_binary_ternary, 1, 2, 0)
DEFINE_DOT(dot_ternary_binary, word_ternary_binary, 2, 1, 0)
DEFINE_DOT(dot_ternary_ternary, word_ternary_ternary, 2, 2, 0)

/* Integers: a unit is one input channel, 32 output channels side by side. */
static void dot_ints(const struct reference_dot *dot)
{
    size_t lanes = dot->blocks;
    for (size_t point = 0; point < dot->point_count; ++point) {
        int32_t *restrict sums = dot->sums + point * dot->stride;
        memset(sums, 0, lanes * sizeof *sums);
        for (size_t r = 0; r < dot->run_count; ++r) {
            const struct reference_run *run = &dot->runs[r];
            const uint8_t *values = dot->points[point] + run->input;
            const int8_t *restrict weights = (const int8_t *)dot->weights + run->weight * lanes;
            for (size_t i = 0; i < run->length; ++i) {
                int32_t value = values[i];
                for (size_t lane = 0; lane < lanes; ++lane) {
                    /* Modulo 2^32: the sum of codes may leave int32 where the accumulator, which
                     * is what remains once `low` is taken into account, does not. */
                    sums[lane] = (int32_t)((uint32_t)sums[lane] +
                                           (uint32_t)(value * weights[i * lanes + lane]));
                }
            }
        }
    }
}

static int is_supported(void)
{
    return 1;
}

const struct reference_kernel reference_kernel_portable = {
    .name = "portable",
    .is_supported = is_supported,
    .bits = {.lanes = 1, .blocks = PORTABLE_BLOCKS, .unit = 64, .bytes = 8},
    .ints = {.lanes = 1, .blocks = PORTABLE_BLOCKS, .unit = 1, .bytes = 1},
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
