/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AVX2 kernel: table look-ups by byte shuffle.
 *
 * AVX2 has no vector popcount, and emulating one costs about 8 instructions for 256 products.
 * Instead, a vector holds one weight nibble of each of 32 output channels, and a shuffle looks up
 * their dot products with four values, in a table that belongs to those values (kernel_tables.h):
 * one shuffle and one addition for 128 products. Table loads are shared by 4 vectors of output
 * channels, weight loads by 2 points. Sums are bytes for as long as they cannot overflow, then
 * 16-bit (even and odd channels apart), then int32.
 *
 * Integers multiply with vpmaddubsw: four values times four weights for each of 8 channels. Where
 * weights are more than -1, 0 and +1, its 16-bit sums saturate; vpmaddwd then multiplies even and
 * odd bytes apart, into int32.
 *
 * What limits it: vector instructions (Zen 4: four a cycle, two of them shuffles).
 */
#include "reference/kernel_finish.h"
#include "reference/kernel_tables.h"
#include <immintrin.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
    AVX2_LANES = 32,
    AVX2_BLOCKS = 4,
    AVX2_INT_LANES = 8,
    /* Bytes of eight values until 8-bit sums could overflow: 2 nibbles a byte, 4 a nibble. */
    AVX2_UNSIGNED_BYTES = 31, /* 31 * 8 = 248 <= 255 */
    AVX2_SIGNED_BYTES = 15,   /* 15 * 8 = 120 <= 127 */
    /* Products until 16-bit sums could overflow. */
    AVX2_SUM16_PRODUCTS = 32767,
    /* Units of four values of up to 255, in pairs, until 16-bit sums could overflow. */
    AVX2_INT_UNITS = 64 /* 64 * 2 * 255 = 32640 <= 32767 */
};

static const int8_t mismatches[256][32] = {TABLE_ROWS256(TABLE_MISMATCHES)};
static const int8_t binary_values[256][32] = {TABLE_ROWS256(TABLE_BINARY_VALUES)};
static const int8_t binary_weights[256][32] = {TABLE_ROWS256(TABLE_BINARY_WEIGHTS)};
static const int8_t common[256][32] = {TABLE_ROWS256(TABLE_COMMON)};

/* How a combination of kinds is computed; all constant where inlined. */
struct lookup {
    const int8_t (*table)[32];
    size_t value_planes, weight_planes; /* 1, or 2 where ternary */
    size_t max_bytes;
    int is_signed;
    int32_t factor; /* of the sums of table entries */
};

/* 16-bit sums of even and of odd channels: [point][block]. */
struct sums16 {
    __m256i even[REFERENCE_POINTS][AVX2_BLOCKS];
    __m256i odd[REFERENCE_POINTS][AVX2_BLOCKS];
};

/* Table of nibble `high` of values byte `index`, counted from `values`. */
static ALWAYS_INLINE __m256i load_table(const struct lookup *lookup, const uint8_t *values,
                                        size_t index, size_t high)
{
    if (lookup->value_planes == 1) {
        const int8_t *row = lookup->table[values[index]] + 16 * high;
        return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)row));
    }
    const uint8_t *plus = values + index / 8 * 16 + index % 8;
    const int8_t *plus_row = lookup->table[plus[0]] + 16 * high;
    const int8_t *minus_row = lookup->table[plus[8]] + 16 * high;
    return _mm256_broadcastsi128_si256(_mm_sub_epi8(_mm_loadu_si128((const __m128i *)plus_row),
                                                    _mm_loadu_si128((const __m128i *)minus_row)));
}

static ALWAYS_INLINE void widen_sums(struct sums16 *sums, size_t point, size_t block, __m256i sum8,
                                     int is_signed)
{
    __m256i even;
    __m256i odd;
    if (is_signed) {
        even = _mm256_srai_epi16(_mm256_slli_epi16(sum8, 8), 8);
        odd = _mm256_srai_epi16(sum8, 8);
    } else {
        even = _mm256_and_si256(sum8, _mm256_set1_epi16(0xff));
        odd = _mm256_srli_epi16(sum8, 8);
    }
    sums->even[point][block] = _mm256_add_epi16(sums->even[point][block], even);
    sums->odd[point][block] = _mm256_add_epi16(sums->odd[point][block], odd);
}

/* Bytes first..first + count - 1 of a run, for 1 or 2 points. */
static ALWAYS_INLINE void add_bytes(const struct lookup *lookup, const __m256i *weights,
                                    const uint8_t *const *values, size_t first, size_t count,
                                    size_t point, size_t points, size_t blocks, struct sums16 *sums)
{
    __m256i sum[2][AVX2_BLOCKS];
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sum[p][b] = _mm256_setzero_si256();
        }
    }
    for (size_t i = first; i < first + count; ++i) {
        for (size_t high = 0; high < 2; ++high) {
            __m256i table[2];
            for (size_t p = 0; p < points; ++p) {
                table[p] = load_table(lookup, values[p], i, high);
            }
            for (size_t b = 0; b < blocks; ++b) {
                __m256i weight = _mm256_load_si256(weights + b);
                for (size_t p = 0; p < points; ++p) {
                    sum[p][b] = _mm256_add_epi8(sum[p][b], _mm256_shuffle_epi8(table[p], weight));
                }
            }
            weights += blocks;
            if (lookup->weight_planes == 2) {
                for (size_t b = 0; b < blocks; ++b) {
                    __m256i weight = _mm256_load_si256(weights + b);
                    for (size_t p = 0; p < points; ++p) {
                        sum[p][b] =
                            _mm256_sub_epi8(sum[p][b], _mm256_shuffle_epi8(table[p], weight));
                    }
                }
                weights += blocks;
            }
        }
    }
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            widen_sums(sums, point + p, b, sum[p][b], lookup->is_signed);
        }
    }
}

static ALWAYS_INLINE void add_sums32(int32_t *sums, __m128i sum16, int32_t factor)
{
    __m256i wide = _mm256_cvtepi16_epi32(sum16);
    if (factor == -2) {
        wide = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), wide), 1);
    }
    __m256i old = _mm256_loadu_si256((const __m256i *)sums);
    _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(old, wide));
}

/* Add the 16-bit sums to dot->sums, in channel order, and clear them. */
static ALWAYS_INLINE void flush_sums(const struct reference_dot *dot, struct sums16 *sums,
                                     size_t blocks, int32_t factor)
{
    for (size_t p = 0; p < dot->point_count; ++p) {
        int32_t *out = dot->sums + p * dot->stride;
        for (size_t b = 0; b < blocks; ++b, out += AVX2_LANES) {
            __m256i low = _mm256_unpacklo_epi16(sums->even[p][b], sums->odd[p][b]);
            __m256i high = _mm256_unpackhi_epi16(sums->even[p][b], sums->odd[p][b]);
            add_sums32(out, _mm256_castsi256_si128(low), factor);
            add_sums32(out + 8, _mm256_castsi256_si128(high), factor);
            add_sums32(out + 16, _mm256_extracti128_si256(low, 1), factor);
            add_sums32(out + 24, _mm256_extracti128_si256(high, 1), factor);
            sums->even[p][b] = _mm256_setzero_si256();
            sums->odd[p][b] = _mm256_setzero_si256();
        }
    }
}

static ALWAYS_INLINE void start_sums(const struct reference_dot *dot, size_t count, int32_t value)
{
    __m256i start = _mm256_set1_epi32(value);
    for (size_t p = 0; p < dot->point_count; ++p) {
        for (size_t i = 0; i < count; i += 8) {
            _mm256_storeu_si256((__m256i *)(dot->sums + p * dot->stride + i), start);
        }
    }
}

static ALWAYS_INLINE void dot_blocks(const struct reference_dot *dot, const struct lookup *lookup,
                                     size_t blocks)
{
    struct sums16 sums;
    for (size_t p = 0; p < dot->point_count; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sums.even[p][b] = _mm256_setzero_si256();
            sums.odd[p][b] = _mm256_setzero_si256();
        }
    }
    start_sums(dot, blocks * AVX2_LANES, lookup->factor == 1 ? 0 : dot->valid);
    size_t byte_weights = 2 * lookup->weight_planes * blocks; /* vectors */
    size_t pending = 0;                                       /* products in the 16-bit sums */
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const __m256i *weights =
            (const __m256i *)(const void *)dot->weights + run->weight * 8 * byte_weights;
        size_t bytes = run->length * 8;
        size_t steps = (bytes + lookup->max_bytes - 1) / lookup->max_bytes;
        for (size_t first = 0; steps > 0; --steps) {
            size_t count = (bytes - first + steps - 1) / steps;
            pending += count * 8;
            if (pending > AVX2_SUM16_PRODUCTS) {
                flush_sums(dot, &sums, blocks, lookup->factor);
                pending = count * 8;
            }
            size_t point = 0;
            for (; point + 2 <= dot->point_count; point += 2) {
                const uint8_t *values[2] = {dot->points[point] + run->input,
                                            dot->points[point + 1] + run->input};
                add_bytes(lookup, weights + first * byte_weights, values, first, count, point, 2,
                          blocks, &sums);
            }
            if (point < dot->point_count) {
                const uint8_t *values[1] = {dot->points[point] + run->input};
                add_bytes(lookup, weights + first * byte_weights, values, first, count, point, 1,
                          blocks, &sums);
            }
            first += count;
        }
    }
    flush_sums(dot, &sums, blocks, lookup->factor);
}

static ALWAYS_INLINE void dot_lookup(const struct reference_dot *dot, const struct lookup *lookup)
{
    switch (dot->blocks) {
    case 1:
        dot_blocks(dot, lookup, 1);
        break;
    case 2:
        dot_blocks(dot, lookup, 2);
        break;
    case 3:
        dot_blocks(dot, lookup, 3);
        break;
    default:
        dot_blocks(dot, lookup, 4);
        break;
    }
}

static void dot_binary_binary(const struct reference_dot *dot)
{
    const struct lookup lookup = {mismatches, 1, 1, AVX2_UNSIGNED_BYTES, 0, -2};
    dot_lookup(dot, &lookup);
}

static void dot_binary_ternary(const struct reference_dot *dot)
{
    const struct lookup lookup = {binary_values, 1, 2, AVX2_SIGNED_BYTES, 1, 1};
    dot_lookup(dot, &lookup);
}

static void dot_ternary_binary(const struct reference_dot *dot)
{
    const struct lookup lookup = {binary_weights, 2, 1, AVX2_SIGNED_BYTES, 1, 1};
    dot_lookup(dot, &lookup);
}

static void dot_ternary_ternary(const struct reference_dot *dot)
{
    const struct lookup lookup = {common, 2, 2, AVX2_SIGNED_BYTES, 1, 1};
    dot_lookup(dot, &lookup);
}

/* Units first..first + count - 1 of a run, for 1 or 2 points. */
static ALWAYS_INLINE void add_units(const __m256i *weights, const uint8_t *const *values,
                                    size_t count, size_t points, size_t blocks, int32_t *sums,
                                    size_t stride)
{
    __m256i sum[2][AVX2_BLOCKS];
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sum[p][b] = _mm256_setzero_si256();
        }
    }
    for (size_t i = 0; i < count; ++i) {
        __m256i value[2];
        for (size_t p = 0; p < points; ++p) {
            int32_t four;
            memcpy(&four, values[p] + 4 * i, sizeof four);
            value[p] = _mm256_set1_epi32(four);
        }
        for (size_t b = 0; b < blocks; ++b) {
            __m256i weight = _mm256_load_si256(weights + i * blocks + b);
            for (size_t p = 0; p < points; ++p) {
                sum[p][b] = _mm256_add_epi16(sum[p][b], _mm256_maddubs_epi16(value[p], weight));
            }
        }
    }
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            __m256i *out = (__m256i *)(void *)(sums + p * stride + b * AVX2_INT_LANES);
            __m256i wide = _mm256_madd_epi16(sum[p][b], _mm256_set1_epi16(1));
            _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), wide));
        }
    }
}

static ALWAYS_INLINE void dot_int_blocks(const struct reference_dot *dot, size_t blocks)
{
    start_sums(dot, blocks * AVX2_INT_LANES, 0);
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const __m256i *weights = (const __m256i *)(const void *)dot->weights + run->weight * blocks;
        for (size_t first = 0; first < run->length; first += AVX2_INT_UNITS) {
            size_t count =
                run->length - first < AVX2_INT_UNITS ? run->length - first : AVX2_INT_UNITS;
            size_t offset = run->input + 4 * first;
            size_t point = 0;
            for (; point + 2 <= dot->point_count; point += 2) {
                const uint8_t *values[2] = {dot->points[point] + offset,
                                            dot->points[point + 1] + offset};
                add_units(weights + first * blocks, values, count, 2, blocks,
                          dot->sums + point * dot->stride, dot->stride);
            }
            if (point < dot->point_count) {
                const uint8_t *values[1] = {dot->points[point] + offset};
                add_units(weights + first * blocks, values, count, 1, blocks,
                          dot->sums + point * dot->stride, dot->stride);
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

/* Even and odd bytes of four values, or of four weights, as 16-bit numbers. */
struct halves {
    __m256i even, odd;
};

static ALWAYS_INLINE void dot_wide_points(const struct reference_dot *dot, size_t first,
                                          size_t points, size_t blocks)
{
    const __m256i low_bytes = _mm256_set1_epi16(255);
    __m256i sum[2][AVX2_BLOCKS];
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            sum[p][b] = _mm256_setzero_si256();
        }
    }
    for (size_t r = 0; r < dot->run_count; ++r) {
        const struct reference_run *run = &dot->runs[r];
        const __m256i *weights = (const __m256i *)(const void *)dot->weights + run->weight * blocks;
        for (size_t i = 0; i < run->length; ++i, weights += blocks) {
            struct halves value[2];
            for (size_t p = 0; p < points; ++p) {
                int32_t four;
                memcpy(&four, dot->points[first + p] + run->input + 4 * i, sizeof four);
                value[p].even = _mm256_and_si256(_mm256_set1_epi32(four), low_bytes);
                value[p].odd = _mm256_srli_epi16(_mm256_set1_epi32(four), 8);
            }
            for (size_t b = 0; b < blocks; ++b) {
                __m256i bytes = _mm256_load_si256(weights + b);
                struct halves weight = {_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8),
                                        _mm256_srai_epi16(bytes, 8)};
                for (size_t p = 0; p < points; ++p) {
                    __m256i product =
                        _mm256_add_epi32(_mm256_madd_epi16(value[p].even, weight.even),
                                         _mm256_madd_epi16(value[p].odd, weight.odd));
                    sum[p][b] = _mm256_add_epi32(sum[p][b], product);
                }
            }
        }
    }
    for (size_t p = 0; p < points; ++p) {
        for (size_t b = 0; b < blocks; ++b) {
            int32_t *out = dot->sums + (first + p) * dot->stride + b * AVX2_INT_LANES;
            _mm256_storeu_si256((__m256i *)(void *)out, sum[p][b]);
        }
    }
}

static ALWAYS_INLINE void dot_wide_blocks(const struct reference_dot *dot, size_t blocks)
{
    size_t point = 0;
    for (; point + 2 <= dot->point_count; point += 2) {
        dot_wide_points(dot, point, 2, blocks);
    }
    if (point < dot->point_count) {
        dot_wide_points(dot, point, 1, blocks);
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

/* Bit 0 of 32 bytes. */
static inline uint64_t gather_bits(__m256i bytes)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(bytes, 7));
}

static void pack_binary(const uint8_t *codes, size_t channels, uint64_t *words)
{
    size_t c = 0;
    for (; c + 64 <= channels; c += 64) {
        const __m256i *in = (const __m256i *)(const void *)(codes + c);
        words[c / 64] =
            gather_bits(_mm256_loadu_si256(in)) | gather_bits(_mm256_loadu_si256(in + 1)) << 32;
    }
    finish_pack_binary(codes + c, channels - c, words + c / 64);
}

static void pack_ternary(const uint8_t *codes, size_t channels, uint64_t *words)
{
    size_t c = 0;
    for (; c + 64 <= channels; c += 64) {
        const __m256i *in = (const __m256i *)(const void *)(codes + c);
        uint64_t bits[2][2];
        for (size_t half = 0; half < 2; ++half) {
            __m256i code = _mm256_loadu_si256(in + half);
            bits[0][half] = gather_bits(_mm256_srli_epi16(code, 1));
            bits[1][half] =
                (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(code, _mm256_setzero_si256()));
        }
        words[c / 32] = bits[0][0] | bits[0][1] << 32;
        words[c / 32 + 1] = bits[1][0] | bits[1][1] << 32;
    }
    finish_pack_ternary(codes + c, channels - c, words + c / 32);
}

static int is_supported(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct reference_kernel reference_kernel_avx2 = {
    .name = "avx2",
    .is_supported = is_supported,
    .bits = {.lanes = AVX2_LANES, .blocks = AVX2_BLOCKS, .unit = 4, .bytes = 1},
    .ints = {.lanes = AVX2_INT_LANES, .blocks = AVX2_BLOCKS, .unit = 4, .bytes = 4},
    .dot_binary_binary = dot_binary_binary,
    .dot_binary_ternary = dot_binary_ternary,
    .dot_ternary_binary = dot_ternary_binary,
    .dot_ternary_ternary = dot_ternary_ternary,
    .dot_ints = dot_ints,
    .dot_wide_ints = dot_wide_ints,
    .finish = finish_codes,
    .max_codes = finish_max_codes,
    .pack_binary = pack_binary,
    .pack_ternary = pack_ternary,
};
