/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers of the trainer: the same on every machine, and cheap to start anew for each
 * (seed, purpose, index), so that what an image or a step draws does not depend on who drew before.
 * That makes resumed and distributed runs exact.
 * Generator: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
 */
#ifndef BITTERN_TRAIN_RNG_H
#define BITTERN_TRAIN_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* What random numbers are drawn for; part of the seed, so that purposes do not share a stream. */
enum rng_purpose {
    RNG_INITIAL_WEIGHTS = 1, /* index: parameter */
    RNG_SHUFFLE,             /* index: epoch */
    RNG_AUGMENT,             /* index: epoch * images + position in the data set */
    RNG_DROPOUT,             /* index: step, then layer */
    RNG_STOCHASTIC_SIGN      /* index: step, then layer */
};

static inline struct rng rng_start(uint64_t seed, enum rng_purpose purpose, uint64_t index)
{
    struct rng rng = {seed};
    rng.state = rng_next(&rng) ^ ((uint64_t)purpose << 56);
    rng.state = rng_next(&rng) ^ index;
    (void)rng_next(&rng);
    return rng;
}

/* Uniform in [0,1). */
static inline double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* Uniform in 0..bound-1, bound in 1..2^32. */
static inline size_t rng_below(struct rng *rng, size_t bound)
{
    return (size_t)(((rng_next(rng) >> 32) * (uint64_t)bound) >> 32);
}

#endif
