/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target defines. Each target is one file, built twice: with fuzz_driver.c, which runs
 * a fixed number of seeded mutations as a test, and with libFuzzer (BITTERN_FUZZ, needs clang).
 */
#ifndef BITTERN_FUZZ_H
#define BITTERN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Largest input that the driver makes, and largest seed. */
#define FUZZ_MAX_INPUT 65536

/* Feed one input to the parser; returns 0. libFuzzer's own name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Write valid input number `index` to buffer and return its size, at most capacity; 0 past the
 * last. Mutations start from these.
 */
size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity);

#endif
