/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the backend's tests share: tensors filled from and read into plain arrays of doubles, in
 * (image, channel, row, column) order whatever the tensor's layout, and comparisons with a slow
 * reference in double precision.
 */
#ifndef BITTERN_BACKEND_CHECK_H
#define BITTERN_BACKEND_CHECK_H

#include "testing.h"

#include "backend/backend.h"

/* A backend of two threads; skips the current test where the CPU has no such precision. */
struct backend *check_backend(enum backend_precision precision);

/* Allocated, zero. */
struct backend_tensor check_tensor(struct backend *backend, size_t n, size_t c, size_t h, size_t w,
                                   enum backend_type type, enum backend_layout layout);

/* Random values that the tensor's type holds exactly, put into it and returned; to be freed. */
double *check_fill(struct backend *backend, struct backend_tensor *tensor, uint64_t *random);
/* The tensor's values; to be freed. */
double *check_read(struct backend *backend, const struct backend_tensor *tensor);
void check_write(struct backend *backend, struct backend_tensor *tensor, const double *values);

/* Uniform in [-1,1), exact in bf16 where asked for. */
double check_random(uint64_t *random, enum backend_type type);
double *check_doubles(size_t count);
float *check_floats(size_t count);
/* The same numbers, random, as floats and doubles. */
float *check_random_floats(size_t count, uint64_t *random, enum backend_type type, double **same);

/* Fails where |actual - expected| > tolerance * the largest |expected|, naming the value. */
void check_close(const double *actual, const double *expected, size_t count, double tolerance,
                 const char *what);
void check_close_floats(const float *actual, const double *expected, size_t count, double tolerance,
                        const char *what);
/* 1e-3 for f32, more for bf16, whose values have 8 bits. */
double check_tolerance(enum backend_type type);

/* Compare gradients with central differences of loss(user) at some of the values, each of which is
 * changed and restored. */
void check_differences(double (*loss)(void *user), void *user, double *values, size_t count,
                       const double *gradient, uint64_t *random, const char *what);

#endif
