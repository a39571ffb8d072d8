/* SPDX-License-Identifier: Apache-2.0 */
/* The obvious index formula of each layout, and comparisons. */
#include "backend_check.h"

#include "backend/backend_bf16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct backend *check_backend(enum backend_precision precision)
{
    const struct backend_options options = {.threads = 2, .precision = precision};
    struct backend *backend = NULL;
    struct bittern_error err;
    bittern_status status = backend_create(&options, &backend, &err);

    if (status == BITTERN_ERR_UNSUPPORTED && precision == BACKEND_PRECISION_BF16) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    assert_ok(status, &err);
    return backend;
}

double *check_doubles(size_t count)
{
    double *values = calloc(count, sizeof *values);
    assert_non_null(values);
    return values;
}

float *check_floats(size_t count)
{
    float *values = calloc(count, sizeof *values);
    assert_non_null(values);
    return values;
}

double check_random(uint64_t *random, enum backend_type type)
{
    float value = (float)(2.0 * random_unit(random) - 1.0);
    return type == BACKEND_BF16 ? (double)bf16_to_float(bf16_from_float(value)) : (double)value;
}

float *check_random_floats(size_t count, uint64_t *random, enum backend_type type, double **same)
{
    float *values = check_floats(count);
    *same = check_doubles(count);
    for (size_t i = 0; i < count; ++i) {
        (*same)[i] = check_random(random, type);
        values[i] = (float)(*same)[i];
    }
    return values;
}

struct backend_tensor check_tensor(struct backend *backend, size_t n, size_t c, size_t h, size_t w,
                                   enum backend_type type, enum backend_layout layout)
{
    struct backend_tensor tensor = {
        .n = n, .c = c, .h = h, .w = w, .type = type, .layout = layout, .data = NULL};
    struct bittern_error err;
    assert_ok(backend_tensor_allocate(backend, &tensor, &err), &err);
    return tensor;
}

static size_t value_index(const struct backend *backend, const struct backend_tensor *t, size_t n,
                          size_t c, size_t y, size_t x)
{
    size_t block = backend_block_channels(backend);
    switch (t->layout) {
    case BACKEND_CHANNELS_LAST:
        return ((n * t->h + y) * t->w + x) * t->c + c;
    case BACKEND_PLANAR:
        return ((n * t->c + c) * t->h + y) * t->w + x;
    case BACKEND_BLOCKED:
        return (((n * (t->c / block) + c / block) * t->h + y) * t->w + x) * block + c % block;
    }
    fail();
    return 0;
}

/* Where value i in (image, channel, row, column) order lies in the tensor. */
static size_t plain_index(const struct backend *backend, const struct backend_tensor *t, size_t i)
{
    size_t x = i % t->w;
    size_t y = i / t->w % t->h;
    size_t c = i / t->w / t->h % t->c;
    return value_index(backend, t, i / t->w / t->h / t->c, c, y, x);
}

void check_write(struct backend *backend, struct backend_tensor *tensor, const double *values)
{
    for (size_t i = 0; i < backend_tensor_count(tensor); ++i) {
        size_t place = plain_index(backend, tensor, i);
        if (tensor->type == BACKEND_BF16) {
            ((uint16_t *)tensor->data)[place] = bf16_from_float((float)values[i]);
        } else {
            ((float *)tensor->data)[place] = (float)values[i];
        }
    }
}

double *check_read(struct backend *backend, const struct backend_tensor *tensor)
{
    double *values = check_doubles(backend_tensor_count(tensor));
    for (size_t i = 0; i < backend_tensor_count(tensor); ++i) {
        size_t place = plain_index(backend, tensor, i);
        values[i] = tensor->type == BACKEND_BF16
                        ? (double)bf16_to_float(((const uint16_t *)tensor->data)[place])
                        : (double)((const float *)tensor->data)[place];
    }
    return values;
}

double *check_fill(struct backend *backend, struct backend_tensor *tensor, uint64_t *random)
{
    double *values = check_doubles(backend_tensor_count(tensor));
    for (size_t i = 0; i < backend_tensor_count(tensor); ++i) {
        values[i] = check_random(random, tensor->type);
    }
    check_write(backend, tensor, values);
    return values;
}

double check_tolerance(enum backend_type type)
{
    return type == BACKEND_BF16 ? 2e-2 : 1e-3;
}

void check_close(const double *actual, const double *expected, size_t count, double tolerance,
                 const char *what)
{
    double largest = 1e-30;
    for (size_t i = 0; i < count; ++i) {
        largest = fmax(largest, fabs(expected[i]));
    }
    for (size_t i = 0; i < count; ++i) {
        if (!(fabs(actual[i] - expected[i]) <= tolerance * largest)) {
            fail_msg("%s: value %zu of %zu is %.9g, not %.9g", what, i, count, actual[i],
                     expected[i]);
        }
    }
}

void check_close_floats(const float *actual, const double *expected, size_t count, double tolerance,
                        const char *what)
{
    double *copy = check_doubles(count);
    for (size_t i = 0; i < count; ++i) {
        copy[i] = (double)actual[i];
    }
    check_close(copy, expected, count, tolerance, what);
    free(copy);
}

void check_differences(double (*loss)(void *user), void *user, double *values, size_t count,
                       const double *gradient, uint64_t *random, const char *what)
{
    enum { SAMPLES = 6 };
    const double step = 1e-6;
    double largest = 1e-3;

    for (size_t i = 0; i < count; ++i) {
        largest = fmax(largest, fabs(gradient[i]));
    }
    for (int sample = 0; sample < SAMPLES; ++sample) {
        size_t i = random_below(random, count > 0 ? count : 1);
        double value = values[i];
        values[i] = value + step;
        double above = loss(user);
        values[i] = value - step;
        double below = loss(user);
        values[i] = value;
        double difference = (above - below) / (2.0 * step);
        if (!(fabs(difference - gradient[i]) <= 1e-5 * largest)) {
            fail_msg("%s: gradient %zu of %zu is %.9g, central difference %.9g", what, i, count,
                     gradient[i], difference);
        }
    }
}
