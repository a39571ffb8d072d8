/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NEON kernel: a vector holds eight weights, one byte, of each of 16 output channels; `cnt`
 * counts the bits of every byte. Sums are bytes for as long as they cannot overflow, then 16-bit,
 * then int32.
 *
 * Integers multiply as signed bytes, value - 128 times the weight, into 16-bit sums: of 255
 * products where weights are -1, 0 or +1, else of two.
 */
#include "reference/kernel_finish.h"
#ifdef BITTERN_EMULATED
#include <simde/arm/neon.h>
#else
#include <arm_neon.h>
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
    NEON_LANES = 16,
    NEON_BLOCKS = 4,
    /* Bytes of eight values until 8-bit sums could overflow. */
    NEON_BYTES = 15, /* 15 * 8 = 120 <= 127 */
    /* Products until 16-bit sums could overflow. */
    NEON_SUM16_PRODUCTS = 32767,
    NEON_INT_UNITS = 255 /* of at most 128 each: 32640 <= 32767 */
};

/* Kinds of operands; constant where inlined. */
struct combination {
    size_t value_planes, weight_planes; /* 1, or 2 where ternary */
};

struct sums16 {
    int16x8_t low[REFERENCE_POINTS][NEON_BLOCKS];
    int16x8_t high[REFERENCE_POINTS][NEON_BLOCKS];
};

/* Positive less negative products of eight values; where both are binary, minus the mismatches. */
static ALWAYS_INLINE int8x16_t count_products(const struct combination *kinds, uint8x16_t value,
                                              uint8x16_t value_minus, uint8x16_t plus,
                                              uint8x16_t minus)
{
    uint8x16_t good;
    uint8x16_t bad;
    if (kinds->value_planes == 1 && kinds->weight_planes == 1) {
        return vnegq_s8(vreinterpretq_s8_u8(vcntq_u8(veorq_u8(value, plus))));
    }
    if (kinds->value_planes == 1) {
        good = vbslq_u8(value, plus, minus);
        bad = vbslq_u8(value, minus, plus);
    } else if (kinds->weight_planes == 1) {
        good = vbslq_u8(plus, value, value_minus);
        bad = vbslq_u8(plus, value_minus, value);
    } else {
        good = vorrq_u8(vandq_u8(plus, value), vandq_u8(minus, value_minus));
        bad = vorrq_u8(vandq_u8(plus, value_minus), vandq_u8(minus, value));
    }
    return vreinterpretq_s8_u8(vsubq_u8(vcntq_u8(good), vcntq_u8(bad)));
}

/* Bytes first..first + count - 1 of a run, for 1 or 2 points. */
static ALWAYS_INLINE void add_bytes(const struct combination *kinds, const uint8_t *weights,
                                    const uint8_t *const *values, size_t first, size_t count,
                                    size_t point, size_t points, size_t blocks, struct sums16 *sums)
{
    int8x16_t sum[2][NEON_BLOCKS];
    size_t side = blocks * NEON_LANES;
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sum[p][b] = vdupq_n_s8(0);
        }
    }
    for (size_t i = first; i < first + count; ++i, weights += kinds->weight_planes * side) {
        size_t offset = kinds->value_planes == 2 ? i / 8 * 16 + i % 8 : i;
        for (size_t p = 0; p < points; ++p) {
            uint8x16_t value = vdupq_n_u8(values[p][offset]);
            uint8x16_t minus = vdupq_n_u8(kinds->value_planes == 2 ? values[p][offset + 8] : 0);
            for (size_t b = 0; b < blocks; ++b) {
                const uint8_t *weight = weights + b * NEON_LANES;
                uint8x16_t weight_minus =
                    kinds->weight_planes == 2 ? vld1q_u8(weight + side) : vdupq_n_u8(0);
                sum[p][b] = vaddq_s8(
                    sum[p][b], count_products(kinds, value, minus, vld1q_u8(weight), weight_minus));
            }
        }
    }
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            int16x8_t *low = &sums->low[point + p][b];
            int16x8_t *high = &sums->high[point + p][b];
            *low = vaddw_s8(*low, vget_low_s8(sum[p][b]));
            *high = vaddw_s8(*high, vget_high_s8(sum[p][b]));
        }
    }
}

static ALWAYS_INLINE void add_sums32(int32_t *sums, int16x8_t sum16, int32_t factor)
{
    int32x4_t low = vmulq_n_s32(vmovl_s16(vget_low_s16(sum16)), factor);
    int32x4_t high = vmulq_n_s32(vmovl_s16(vget_high_s16(sum16)), factor);
    vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), low));
    vst1q_s32(sums + 4, vaddq_s32(vld1q_s32(sums + 4), high));
}

static ALWAYS_INLINE void clear_sums(const struct reference_dot *dot, struct sums16 *sums,
                                     size_t blocks)
{
    for (size_t p = 0; p < dot->point_count; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sums->low[p][b] = vdupq_n_s16(0);
            sums->high[p][b] = vdupq_n_s16(0);
        }
    }
}

/* Add the 16-bit sums to dot->sums, and clear them. */
static ALWAYS_INLINE void flush_sums(const struct reference_dot *dot, struct sums16 *sums,
                                     size_t blocks, int32_t factor)
{
    for (size_t p = 0; p < dot->point_count; ++p) {
        int32_t *out = dot->sums + p * dot->stride;
        for (size_t b = 0; b < blocks; ++b, out += NEON_LANES) {
            add_sums32(out, sums->low[p][b], factor);
            add_sums32(out + 8, sums->high[p][b], factor);
        }
    }
    clear_sums(dot, sums, blocks);
}

static ALWAYS_INLINE void start_sums(const struct reference_dot *dot, size_t count, int32_t value)
{
    for (size_t p = 0; p < dot->point_count; ++p) {
        for (size_t i = 0; i < count; ++i) {
            dot->sums[p * dot->stride + i] = value;
        }
    }
}

static ALWAYS_INLINE void dot_blocks(const struct reference_dot *dot,
                                     const struct combination *kinds, size_t blocks)
{
    struct sums16 sums;
    int is_binary = kinds->value_planes == 1 && kinds->weight_planes == 1;
    int32_t factor = is_binary ? 2 : 1;
    size_t byte_weights = kinds->weight_planes * blocks * NEON_LANES;
    size_t pending = 0; /* products in the 16-bit sums */
    clear_sums(dot, &sums, blocks);
    start_sums(dot, blocks * NEON_LANES, is_binary ? dot->valid : 0);
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const uint8_t *weights = dot->weights + run->weight * 8 * byte_weights;
        size_t bytes = run->length * 8;
        for (size_t first = 0; first < bytes; first += NEON_BYTES) {
            size_t count = bytes - first < NEON_BYTES ? bytes - first : NEON_BYTES;
            pending += count * 8;
            if (pending > NEON_SUM16_PRODUCTS) {
                flush_sums(dot, &sums, blocks, factor);
                pending = count * 8;
            }
            const uint8_t *from = weights + first * byte_weights;
            size_t point = 0;
            for (; point + 2 <= dot->point_count; point += 2) {
                const uint8_t *values[2] = {dot->points[point] + run->input,
                                            dot->points[point + 1] + run->input};
                add_bytes(kinds, from, values, first, count, point, 2, blocks, &sums);
            }
            if (point < dot->point_count) {
                const uint8_t *values[1] = {dot->points[point] + run->input};
                add_bytes(kinds, from, values, first, count, point, 1, blocks, &sums);
            }
        }
    }
    flush_sums(dot, &sums, blocks, factor);
}

static ALWAYS_INLINE void dot_bytes(const struct reference_dot *dot,
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
    const struct combination kinds = {1, 1};
    dot_bytes(dot, &kinds);
}

static void dot_binary_ternary(const struct reference_dot *dot)
{
    const struct combination kinds = {1, 2};
    dot_bytes(dot, &kinds);
}

static void dot_ternary_binary(const struct reference_dot *dot)
{
    const struct combination kinds = {2, 1};
    dot_bytes(dot, &kinds);
}

static void dot_ternary_ternary(const struct reference_dot *dot)
{
    const struct combination kinds = {2, 2};
    dot_bytes(dot, &kinds);
}

/* Units of one input channel: `count` of a run, for one point. */
static ALWAYS_INLINE void add_units(const uint8_t *weights, const uint8_t *values, size_t count,
                                    size_t blocks, int32_t *sums)
{
    int16x8_t low[NEON_BLOCKS];
    int16x8_t high[NEON_BLOCKS];
    for (size_t b = 0; b < blocks; ++b) {
        low[b] = vdupq_n_s16(0);
        high[b] = vdupq_n_s16(0);
    }
    for (size_t i = 0; i < count; ++i) {
        int8x8_t value = vdup_n_s8((int8_t)(values[i] - 128));
        for (size_t b = 0; b < blocks; ++b) {
            int8x16_t weight =
                vreinterpretq_s8_u8(vld1q_u8(weights + (i * blocks + b) * NEON_LANES));
            low[b] = vmlal_s8(low[b], value, vget_low_s8(weight));
            high[b] = vmlal_s8(high[b], value, vget_high_s8(weight));
        }
    }
    for (size_t b = 0; b < blocks; ++b) {
        add_sums32(sums + b * NEON_LANES, low[b], 1);
        add_sums32(sums + b * NEON_LANES + 8, high[b], 1);
    }
}

static ALWAYS_INLINE void dot_int_blocks(const struct reference_dot *dot, size_t blocks)
{
    start_sums(dot, blocks * NEON_LANES, 0);
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const uint8_t *weights = dot->weights + run->weight * blocks * NEON_LANES;
        for (size_t first = 0; first < run->length; first += NEON_INT_UNITS) {
            size_t count = run->length - first;
            count = count < NEON_INT_UNITS ? count : NEON_INT_UNITS;
            for (size_t p = 0; p < dot->point_count; ++p) {
                add_units(weights + first * blocks * NEON_LANES,
                          dot->points[p] + run->input + first, count, blocks,
                          dot->sums + p * dot->stride);
            }
        }
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

/* 16-bit products of up to two units with all blocks, added to int32 sums. At most 2 * 128 * 127 =
 * 32512, which is below 2^15. */
static ALWAYS_INLINE void add_wide_units(const uint8_t *weights, const uint8_t *values,
                                         size_t count, size_t blocks, int32x4_t sum[][4])
{
    for (size_t b = 0; b < blocks; ++b) {
        int16x8_t low = vdupq_n_s16(0);
        int16x8_t high = vdupq_n_s16(0);
        for (size_t i = 0; i < count; ++i) {
            int8x8_t value = vdup_n_s8((int8_t)(values[i] - 128));
            int8x16_t weight =
                vreinterpretq_s8_u8(vld1q_u8(weights + (i * blocks + b) * NEON_LANES));
            low = vmlal_s8(low, value, vget_low_s8(weight));
            high = vmlal_s8(high, value, vget_high_s8(weight));
        }
        sum[b][0] = vaddw_s16(sum[b][0], vget_low_s16(low));
        sum[b][1] = vaddw_s16(sum[b][1], vget_high_s16(low));
        sum[b][2] = vaddw_s16(sum[b][2], vget_low_s16(high));
        sum[b][3] = vaddw_s16(sum[b][3], vget_high_s16(high));
    }
}

static ALWAYS_INLINE void dot_wide_blocks(const struct reference_dot *dot, size_t blocks)
{
    for (size_t p = 0; p < dot->point_count; ++p) {
        int32x4_t sum[NEON_BLOCKS][4];
        for (size_t i = 0; i < 4 * blocks; ++i) {
            sum[i / 4][i % 4] = vdupq_n_s32(0);
        }
        for (size_t r = 0; r < dot->run_count; ++r) {
            const struct reference_run *run = &dot->runs[r];
            const uint8_t *weights = dot->weights + run->weight * blocks * NEON_LANES;
            const uint8_t *values = dot->points[p] + run->input;
            size_t i = 0;
            for (; i + 2 <= run->length; i += 2) {
                add_wide_units(weights + i * blocks * NEON_LANES, values + i, 2, blocks, sum);
            }
            if (i < run->length) {
                add_wide_units(weights + i * blocks * NEON_LANES, values + i, 1, blocks, sum);
            }
        }
        for (size_t i = 0; i < 4 * blocks; ++i) {
            vst1q_s32(dot->sums + p * dot->stride + 4 * i, sum[i / 4][i % 4]);
        }
    }
}

static void dot_wide_ints(const struct reference_dot *dot)
{
    switch (dot->blocks) {
    case 1:
        dot_wide_blocks(dot, 1);
        break;
    case 2:
        dot_wide_blocks(dot, 2);
        break;
    case 3:
        dot_wide_blocks(dot, 3);
        break;
    default:
        dot_wide_blocks(dot, 4);
        break;
    }
}

/* Every aarch64 CPU that Linux runs on has NEON. */
static int is_supported(void)
{
    return 1;
}

#ifdef BITTERN_EMULATED
extern const struct reference_kernel reference_kernel_neon_emulated;
const struct reference_kernel reference_kernel_neon_emulated = {
    .name = "neon-simde",
#else
const struct reference_kernel reference_kernel_neon = {
    .name = "neon",
#endif
    .is_supported = is_supported,
    .bits = {.lanes = NEON_LANES, .blocks = NEON_BLOCKS, .unit = 8, .bytes = 1},
    .ints = {.lanes = NEON_LANES, .blocks = NEON_BLOCKS, .unit = 1, .bytes = 1},
    .int_bias = 128,
    .dot_binary_binary = dot_binary_binary,
    .dot_binary_ternary = dot_binary_ternary,
    .dot_ternary_binary = dot_ternary_binary,
    .dot_ternary_ternary = dot_ternary_ternary,
    .dot_ints = dot_ints,
    .dot_wide_ints = dot_wide_ints,
    .finish = finish_codes,
    .max_codes = finish_max_codes,
    .pack_binary = finish_pack_binary,
    .pack_ternary = finish_pack_ternary,
};
