/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of partial dot products, for kernels with a byte shuffle but no vector popcount.
 *
 * A row belongs to eight values, one bit each. Its first 16 entries hold the dot product of the low
 * four with each of the 16 possible weight nibbles, its last 16 those of the high four. One byte
 * shuffle then looks up four products for every output channel in the vector.
 */
#ifndef BITTERN_REFERENCE_KERNEL_TABLES_H
#define BITTERN_REFERENCE_KERNEL_TABLES_H

#include <stdint.h>

#define TABLE_COUNT(x) (((x)&1) + ((x) >> 1 & 1) + ((x) >> 2 & 1) + ((x) >> 3 & 1))

/* v: the values' nibble, w: the weights' nibble. */
#define TABLE_MISMATCHES(v, w) TABLE_COUNT((v) ^ (w)) /* v, w in {-1,+1} */
#define TABLE_BINARY_VALUES(v, w) (2 * TABLE_COUNT((v) & (w)) - TABLE_COUNT(w))  /* w in {0,1} */
#define TABLE_BINARY_WEIGHTS(v, w) (2 * TABLE_COUNT((v) & (w)) - TABLE_COUNT(v)) /* v in {0,1} */
#define TABLE_COMMON(v, w) TABLE_COUNT((v) & (w))                                /* both in {0,1} */

#define TABLE_HALF(f, v)                                                                           \
    f(v, 0), f(v, 1), f(v, 2), f(v, 3), f(v, 4), f(v, 5), f(v, 6), f(v, 7), f(v, 8), f(v, 9),      \
        f(v, 10), f(v, 11), f(v, 12), f(v, 13), f(v, 14), f(v, 15)
#define TABLE_ROW(f, b)                                                                            \
    {                                                                                              \
        TABLE_HALF(f, (b)&15), TABLE_HALF(f, (b) >> 4)                                             \
    }
#define TABLE_ROWS4(f, b)                                                                          \
    TABLE_ROW(f, b), TABLE_ROW(f, (b) + 1), TABLE_ROW(f, (b) + 2), TABLE_ROW(f, (b) + 3)
#define TABLE_ROWS16(f, b)                                                                         \
    TABLE_ROWS4(f, b), TABLE_ROWS4(f, (b) + 4), TABLE_ROWS4(f, (b) + 8), TABLE_ROWS4(f, (b) + 12)
#define TABLE_ROWS64(f, b)                                                                         \
    TABLE_ROWS16(f, b), TABLE_ROWS16(f, (b) + 16), TABLE_ROWS16(f, (b) + 32),                      \
        TABLE_ROWS16(f, (b) + 48)
#define TABLE_ROWS256(f)                                                                           \
    TABLE_ROWS64(f, 0), TABLE_ROWS64(f, 64), TABLE_ROWS64(f, 128), TABLE_ROWS64(f, 192)

#endif
