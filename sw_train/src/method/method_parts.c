/* SPDX-License-Identifier: Apache-2.0 */
/* See method_parts.h. */
#include "method/method_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ------------------------------------------------------------------------------------
 */

static bittern_status allocate_floats(const char *name, size_t count, float **floats,
                                      struct bittern_error *err)
{
    *floats = calloc(count, sizeof **floats);
    return *floats ? BITTERN_OK
                   : bittern_error_set(err, BITTERN_ERR_MEMORY,
                                       "no memory for the %zu values of a layer's %s", count, name);
}

bittern_status method_add_parameter(struct method *method, const char *name, size_t count,
                                    double minimum, double maximum, struct bittern_error *err)
{
    struct method_parameter *p = &method->parameters[method->parameter_count];
    *p = (struct method_parameter){
        .name = name, .count = count, .minimum = minimum, .maximum = maximum};
    method->parameter_count++;
    bittern_status status = allocate_floats(name, count, &p->value, err);
    return status ? status : allocate_floats(name, count, &p->gradient, err);
}

bittern_status method_add_buffer(struct method *method, const char *name, size_t count,
                                 struct bittern_error *err)
{
    struct method_buffer *b = &method->buffers[method->buffer_count];
    *b = (struct method_buffer){.name = name, .count = count};
    method->buffer_count++;
    return allocate_floats(name, count, &b->value, err);
}

bittern_status method_add_sums(struct method *method, size_t columns, struct bittern_error *err)
{
    method->state = calloc(method->filters, columns * sizeof(double));
    return method->state
               ? BITTERN_OK
               : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the sums of %zu filters",
                                   method->filters);
}

double method_total(const struct method *method, size_t columns, size_t column)
{
    const double *sums = method->state;
    double total = 0;
    for (size_t f = 0; f < method->filters; f++) {
        total += sums[f * columns + column];
    }
    return total;
}

void method_free_state(struct method *method)
{
    free(method->state);
    method->state = NULL;
}

/* ---- Parts of a class that do little -----------------------------------------------------------
 */

bittern_status method_create_plain(struct method *method, struct bittern_error *err)
{
    (void)method;
    (void)err;
    return BITTERN_OK;
}

void method_start_plain(struct method *method, const float *latent)
{
    (void)method;
    (void)latent;
}

void method_backward_straight(struct method *method, const float *latent, const float *quantized,
                              const float *diff_quantized, float *diff_latent)
{
    (void)latent;
    (void)quantized;
    method_copy_layer(method, diff_quantized, diff_latent);
}

void method_copy_layer(const struct method *method, const float *from, float *to)
{
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        memcpy(to + f * method->size, from + f * method->size, method->size * sizeof *to);
    }
}

/* ---- Rows --------------------------------------------------------------------------------------
 */

double method_sum_magnitudes(const float *restrict row, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        sum += (double)fabsf(row[i]);
    }
    return sum;
}

/* Magnitudes are in the order of their bits, and the largest of integers is vector code with every
 * compiler. */
float method_largest_magnitude(const float *restrict row, size_t n)
{
    int32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &row[i], sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    float magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
}

double method_sum_signed(const float *restrict row, const float *restrict g, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i];
        sum += (double)(row[i] >= 0.0F ? gradient : -gradient);
    }
    return sum;
}

void method_write_signs(const float *restrict row, size_t n, float scale, float *restrict quantized)
{
    for (size_t i = 0; i < n; i++) {
        quantized[i] = row[i] >= 0.0F ? scale : -scale;
    }
}

void method_write_ternary(const float *restrict row, size_t n, float threshold, float positive,
                          float negative, float *restrict quantized)
{
    for (size_t i = 0; i < n; i++) {
        float up = row[i] > threshold ? positive : 0.0F;
        quantized[i] = row[i] < -threshold ? -negative : up;
    }
}

/* ---- Whole layers ------------------------------------------------------------------------------
 */

static void clip_latent(const struct method *method, float *latent)
{
    size_t size = method->size;
    for (size_t plane = 0; plane < method->class->latent_count; plane++) {
        float *weights = latent + plane * method->filters * size;
        METHOD_PARALLEL(method)
        for (size_t f = 0; f < method->filters; f++) {
            float *restrict row = weights + f * size;
            for (size_t i = 0; i < size; i++) {
                float w = row[i] > 1.0F ? 1.0F : row[i];
                row[i] = w < -1.0F ? -1.0F : w;
            }
        }
    }
}

void method_clip_parameters(struct method *method)
{
    for (size_t p = 0; p < method->parameter_count; p++) {
        struct method_parameter *parameter = &method->parameters[p];
        float minimum = (float)parameter->minimum;
        float maximum = (float)parameter->maximum;
        for (size_t i = 0; i < parameter->count; i++) {
            float value = parameter->value[i] > maximum ? maximum : parameter->value[i];
            parameter->value[i] = value < minimum ? minimum : value;
        }
    }
}

void method_after_update(struct method *method, float *latent)
{
    if (method->class->clips_latent) {
        clip_latent(method, latent);
    }
    method_clip_parameters(method);
}

void method_start_mu(struct method *method, const float *latent, float *mu)
{
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        double sum = method_sum_magnitudes(latent + f * method->size, method->size);
        mu[f] = fmaxf((float)(sum / (double)method->size), METHOD_MINIMUM_SCALE);
    }
}

static unsigned depth_bits(enum method_depth depth)
{
    switch (depth) {
    case METHOD_DEPTH_BINARY:
        return 1;
    case METHOD_DEPTH_TERNARY:
        return 2;
    case METHOD_DEPTH_INT8:
        return 8;
    case METHOD_DEPTH_FULL:
        break;
    }
    return 32;
}

void method_describe(const struct method *method, const float *quantized, enum method_depth depth,
                     struct method_result *result)
{
    size_t count = method->filters * method->size;
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++) {
        zeros += quantized[i] == 0.0F;
    }
    *result = (struct method_result){
        .depth = depth, .bits = depth_bits(depth), .zeros = (double)zeros / (double)count};
}
