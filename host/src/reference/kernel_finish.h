/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows the dot products, in plain C that a compiler turns into vector code: each kernel's
 * file includes it and so compiles it for its own instruction set.
 */
#ifndef BITTERN_REFERENCE_KERNEL_FINISH_H
#define BITTERN_REFERENCE_KERNEL_FINISH_H

#include "reference/kernel.h"
#include <string.h>

static void finish_sign(const struct reference_finish *finish, size_t first, size_t count,
                        const int32_t *restrict acc, uint8_t *restrict codes)
{
    const int32_t *restrict flip = finish->flip + first;
    const int32_t *restrict high = finish->high + first;
    const int32_t minus = finish->code_minus;
    const int32_t step = finish->code_plus - minus;
    for (size_t i = 0; i < count; ++i) {
        codes[i] = (uint8_t)(minus + ((acc[i] ^ flip[i]) >= high[i]) * step);
    }
}

static void finish_ternary(const struct reference_finish *finish, size_t first, size_t count,
                           const int32_t *restrict acc, uint8_t *restrict codes)
{
    const int32_t *restrict flip = finish->flip + first;
    const int32_t *restrict low = finish->low + first;
    const int32_t *restrict high = finish->high + first;
    const int32_t zero = -finish->code_low;
    for (size_t i = 0; i < count; ++i) {
        int32_t value = acc[i] ^ flip[i];
        codes[i] = (uint8_t)(zero + (value >= high[i]) - (value < low[i]));
    }
}

/* The sum fits 48 bits signed. AVX2 has no arithmetic shift of 64-bit lanes by their own counts, so
 * a multiple of 2^S makes it positive first. */
static void finish_scale(const struct reference_finish *finish, size_t first, size_t count,
                         const int32_t *restrict acc, uint8_t *restrict codes)
{
    const int32_t *restrict multiplier = finish->multiplier + first;
    const int64_t *restrict offset = finish->offset + first;
    const int64_t *restrict shift = finish->shift + first;
    const int64_t bias = INT64_C(1) << 50;
    const int64_t minimum = finish->minimum;
    const int64_t maximum = finish->maximum;
    const int64_t low = finish->code_low;
    for (size_t i = 0; i < count; ++i) {
        uint64_t sum = (uint64_t)((int64_t)acc[i] * multiplier[i] + offset[i] + bias);
        int64_t value = (int64_t)(sum >> shift[i]) - (bias >> shift[i]);
        value = value < minimum ? minimum : value;
        value = value > maximum ? maximum : value;
        codes[i] = (uint8_t)(value - low);
    }
}

/* The same where some channels have a rule for ties, which is rare: one value after the other. */
static void finish_scale_ties(const struct reference_finish *finish, size_t first, size_t count,
                              const int32_t *restrict acc, uint8_t *restrict codes)
{
    for (size_t i = 0; i < count; ++i) {
        int64_t sum = (int64_t)acc[i] * finish->multiplier[first + i] + finish->offset[first + i];
        unsigned shift = (unsigned)finish->shift[first + i];
        int64_t value = sum >> shift;
        int64_t is_tie = (sum & ((INT64_C(1) << shift) - 1)) == 0;
        switch (finish->ties[first + i]) {
        case BITTERN_TIES_EVEN:
            value -= is_tie & value;
            break;
        case BITTERN_TIES_ODD:
            value -= is_tie & ~value;
            break;
        default:
            break;
        }
        value = value < finish->minimum ? finish->minimum : value;
        value = value > finish->maximum ? finish->maximum : value;
        codes[i] = (uint8_t)(value - finish->code_low);
    }
}

static void finish_codes(const struct reference_finish *finish, size_t first, size_t count,
                         const int32_t *acc, uint8_t *codes)
{
    switch (finish->kind) {
    case BITTERN_ACTIVATION_SIGN:
        finish_sign(finish, first, count, acc, codes);
        break;
    case BITTERN_ACTIVATION_TERNARY:
        finish_ternary(finish, first, count, acc, codes);
        break;
    case BITTERN_ACTIVATION_SCALE:
        if (finish->ties) {
            finish_scale_ties(finish, first, count, acc, codes);
        } else {
            finish_scale(finish, first, count, acc, codes);
        }
        break;
    case BITTERN_ACTIVATION_NONE:
        for (size_t i = 0; i < count; ++i) {
            codes[i] = (uint8_t)(acc[i] - finish->code_low);
        }
        break;
    }
}

static void finish_max_codes(uint8_t *restrict best, const uint8_t *restrict codes,
                             const uint8_t *restrict flip, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        uint8_t a = best[i] ^ flip[i];
        uint8_t b = codes[i] ^ flip[i];
        best[i] = (uint8_t)((a > b ? a : b) ^ flip[i]);
    }
}

/* Bit 0 of eight bytes, as one byte: each set bit is moved to its own place of the top byte. */
static inline uint64_t finish_gather_bits(uint64_t bytes)
{
    return ((bytes & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

/* Eight codes as a little-endian number; bytes past the end read as `fill`. */
static inline uint64_t finish_load_codes(const uint8_t *codes, size_t count, uint8_t fill)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) {
        word |= (uint64_t)(i < count ? codes[i] : fill) << (8 * i);
    }
    return word;
}

static inline void finish_pack_binary(const uint8_t *codes, size_t channels, uint64_t *words)
{
    for (size_t c = 0; c < channels; c += 64) {
        uint64_t word = 0;
        for (size_t i = 0; i < 64 && c + i < channels; i += 8) {
            word |= finish_gather_bits(finish_load_codes(codes + c + i, channels - c - i, 0)) << i;
        }
        words[c / 64] = word;
    }
}

/* Codes 0, 1, 2: bit 1 says plus; neither bit says minus. */
static inline void finish_pack_ternary(const uint8_t *codes, size_t channels, uint64_t *words)
{
    for (size_t c = 0; c < channels; c += 64) {
        uint64_t plus = 0;
        uint64_t minus = 0;
        for (size_t i = 0; i < 64 && c + i < channels; i += 8) {
            uint64_t word = finish_load_codes(codes + c + i, channels - c - i, 1);
            plus |= finish_gather_bits(word >> 1) << i;
            minus |= finish_gather_bits(~(word | word >> 1)) << i;
        }
        words[c / 64 * 2] = plus;
        words[c / 64 * 2 + 1] = minus;
    }
}

#endif
