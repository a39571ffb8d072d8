/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bf16 (bfloat16) is the upper half of a float32: 8 bits of exponent, 7 of fraction. Conversions
 * for code that works on activations itself; the backend's reorder does whole tensors.
 */
#ifndef BITTERN_TRAIN_BACKEND_BF16_H
#define BITTERN_TRAIN_BACKEND_BF16_H

#include <stdint.h>
#include <string.h>

static inline float bf16_to_float(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Round to nearest, ties to even; too large values become infinite, a NaN stays one. */
static inline uint16_t bf16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    /* Rounding could carry a NaN's fraction away; both are computed, so that loops become vectors.
     */
    uint32_t quiet_nan = (bits >> 16) | 0x40U;
    return (uint16_t)((bits & 0x7FFFFFFFU) > 0x7F800000U ? quiet_nan : rounded);
}

#endif
