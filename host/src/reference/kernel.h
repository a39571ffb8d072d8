/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of the reference engine: its hot loops, once for each instruction set.
 *
 * Values are stored pixel by pixel: [row][column][channel]. A binary pixel is ceil(channels / 64)
 * words (bit set: +1); a ternary one has two words, plus and minus, for each 64 channels; a pixel
 * of integers has one byte a channel, value - low. Bits past the last channel are 0.
 *
 * A dot-product function handles `points` (output positions) of one group of output channels. It
 * adds up over runs: a run is a stretch of a window that is contiguous in the input, usually one
 * row of the window. Each kernel has its own order of weights, described by struct
 * reference_lanes: output channels lie side by side in the lanes of a vector, so that one vector
 * instruction works on as many output channels as it has lanes, and sums come out in channel order.
 */
#ifndef BITTERN_REFERENCE_KERNEL_H
#define BITTERN_REFERENCE_KERNEL_H

#include <bittern/network.h>

/* Points that a dot-product function takes at once. */
#define REFERENCE_POINTS 32
/* Largest lanes * blocks of any kernel: sums a point in one group. */
#define REFERENCE_GROUP_LANES 128
/* Bytes that a kernel may read past the end of values. */
#define REFERENCE_SLACK 64

/*
 * Order of weights: [group][unit][plane: plus, then minus where ternary][block][lane][unit's bits].
 * One unit is `unit` input channels of one output channel, in `bytes` bytes. The last group may
 * have fewer blocks.
 */
struct reference_lanes {
    size_t lanes;  /* output channels a block */
    size_t blocks; /* blocks a group */
    size_t unit;   /* input channels a unit: bits, or for integers signed bytes */
    size_t bytes;  /* of a unit */
};

struct reference_run {
    size_t input;  /* bytes from a point's first value */
    size_t weight; /* words of 64 channels, or units of integers, from the first weight */
    size_t length; /* in the same */
};

struct reference_dot {
    const uint8_t *const *points; /* first value of each point's window */
    size_t point_count;           /* 1..REFERENCE_POINTS */
    const struct reference_run *runs;
    size_t run_count;
    const uint8_t *weights; /* of this group */
    size_t blocks;          /* of this group */
    int32_t valid;          /* binary values and weights: products that count */
    int32_t *sums;          /* out: [point][stride] */
    size_t stride;
};

/* What turns accumulators into codes: 0 or 1 for binary values, value + 1 for ternary ones, value -
 * low for integers. */
struct reference_finish {
    enum bittern_activation_kind kind;
    /* Descending channels count as ~acc against ~threshold: flip is -1 there, else 0. */
    int32_t *flip, *low, *high;
    int32_t code_minus, code_plus; /* SIGN */
    /* SCALE */
    int32_t *multiplier;
    int64_t *offset, *shift;
    uint8_t *ties; /* NULL: up in all channels */
    int64_t minimum, maximum;
    int32_t code_low; /* all but SIGN: code = q - code_low */
};

typedef void (*reference_dot_function)(const struct reference_dot *dot);

struct reference_kernel {
    const char *name;
    int (*is_supported)(void);
    struct reference_lanes bits; /* binary and ternary values */
    struct reference_lanes ints;
    int32_t int_bias; /* sums of integers are of weight * (code - int_bias), modulo 2^32 */

    /* Value kind first, weight kind last. */
    reference_dot_function dot_binary_binary;
    reference_dot_function dot_binary_ternary;
    reference_dot_function dot_ternary_binary;
    reference_dot_function dot_ternary_ternary;
    reference_dot_function dot_ints;      /* weights -1, 0, +1 */
    reference_dot_function dot_wide_ints; /* weights -127..127 */

    /* Channels first..first + count - 1; acc and codes start at channel `first`. */
    void (*finish)(const struct reference_finish *finish, size_t first, size_t count,
                   const int32_t *acc, uint8_t *codes);
    /* best[i] = max(best[i] ^ flip[i], codes[i] ^ flip[i]) ^ flip[i] */
    void (*max_codes)(uint8_t *best, const uint8_t *codes, const uint8_t *flip, size_t count);
    /* One pixel's codes into its words. */
    void (*pack_binary)(const uint8_t *codes, size_t channels, uint64_t *words);
    void (*pack_ternary)(const uint8_t *codes, size_t channels, uint64_t *words);
};

extern const struct reference_kernel reference_kernel_portable;
#ifdef BITTERN_KERNEL_AVX2
extern const struct reference_kernel reference_kernel_avx2;
#endif
#ifdef BITTERN_KERNEL_AVX512
extern const struct reference_kernel reference_kernel_avx512;
#endif
#ifdef BITTERN_KERNEL_NEON
extern const struct reference_kernel reference_kernel_neon;
#endif

/* Kernels that this CPU runs, fastest first; NULL past the end. */
const struct reference_kernel *reference_kernel_at(size_t index);

#endif
