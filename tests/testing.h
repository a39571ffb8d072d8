/* SPDX-License-Identifier: Apache-2.0 */
/* What every test program includes: cmocka with what it needs before it, and a seeded generator. */
#ifndef BITTERN_TESTING_H
#define BITTERN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Random numbers that are the same on every machine (splitmix64, Steele et al., OOPSLA 2014). */
static inline uint64_t random_u64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Uniform in 0..bound-1. */
static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_u64(state) % bound);
}

/* Uniform in [0,1). */
static inline double random_unit(uint64_t *state)
{
    return (double)(random_u64(state) >> 11) * 0x1p-53;
}

/* Fails with the error's own message: assert_ok(bittern_model_read(path, &model, &err), &err). */
#define assert_ok(call, error)                                                                     \
    do {                                                                                           \
        if ((call) != BITTERN_OK) {                                                                \
            fail_msg("%s: %s", #call, (error)->message);                                           \
        }                                                                                          \
    } while (0)

#endif
