/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Final weights as a constant and the quantizer that gives exactly these values.
 *
 * The values alone decide. In each filter the largest step s is searched of which all weights are
 * multiples, k * s rounded to float32, with |k| <= 127: binary where all k are -1 or +1
 * (BipolarQuant), ternary where they are -1, 0 or +1 (Quant of 2 bits), else Quant of 8 bits. The
 * constant in front of the quantizer holds the weights as they are, so that its own formula,
 * computed in float32, is checked on each of them. What has no such step is exported as it is.
 */
#include "deploy/export.h"

#include <math.h>
#include <stdlib.h>

#define MOST_LEVELS 127

enum form { FORM_BINARY, FORM_TERNARY, FORM_INT8, FORM_PLAIN };

/* Does round(w / step) * step give w, for all weights, within the levels? */
static bool is_step(const float *weights, size_t count, float step)
{
    for (size_t i = 0; i < count; i++) {
        float level = rintf(weights[i] / step);
        /* Written so that a NaN is refused. */
        if (!(fabsf(level) <= MOST_LEVELS && level * step == weights[i])) {
            return false;
        }
    }
    return true;
}

/* The step of a filter; 0 where there is none, 1 where all weights are 0. Rounding put largest / k
 * at most one float beside the step that was rounded to `largest` when k times it was taken.
 * @param most  out: the largest |k| */
static float find_step(const float *weights, size_t count, int *most)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fabsf(weights[i]) > largest ? fabsf(weights[i]) : largest;
    }
    *most = 0;
    if (largest == 0) {
        return is_step(weights, count, 1) ? 1 : 0;
    }
    for (int k = 1; k <= MOST_LEVELS; k++) {
        float nearest = largest / (float)k;
        const float steps[] = {nearest, nextafterf(nearest, 0), nextafterf(nearest, INFINITY)};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            if (steps[i] > 0 && is_step(weights, count, steps[i])) {
                *most = k;
                return steps[i];
            }
        }
    }
    return 0;
}

static bool has_zero(const float *weights, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (weights[i] == 0) {
            return true;
        }
    }
    return false;
}

/* @param steps  out: [filters] */
static enum form find_form(const struct export_weights *w, float *steps)
{
    size_t size = w->height * w->width * w->depth;
    enum form form = FORM_BINARY;

    for (size_t f = 0; f < w->filters && form != FORM_PLAIN; f++) {
        const float *filter = w->values + f * size;
        int most;
        steps[f] = find_step(filter, size, &most);
        enum form own = steps[f] == 0            ? FORM_PLAIN
                        : most > 1               ? FORM_INT8
                        : has_zero(filter, size) ? FORM_TERNARY
                                                 : FORM_BINARY;
        form = own > form ? own : form;
    }
    return form;
}

/* [filters][rows][columns][channels] -> [filters][channels][rows][columns] */
static void move_channels_first(const struct export_weights *w, float *moved)
{
    size_t positions = w->height * w->width;
    for (size_t f = 0; f < w->filters; f++) {
        const float *from = w->values + f * positions * w->depth;
        float *to = moved + f * positions * w->depth;
        for (size_t p = 0; p < positions; p++) {
            for (size_t c = 0; c < w->depth; c++) {
                to[c * positions + p] = from[p * w->depth + c];
            }
        }
    }
}

static void add_quantizer(struct exporter *e, const struct export_weights *w, enum form form,
                          const float *steps, const char *values, char *output)
{
    const int64_t dims[] = {(int64_t)w->filters, 1, 1, 1};
    char scale[EXPORT_MAX_NAME];

    export_join(e, w->layer, "weight.scale", scale);
    export_join(e, w->layer, "weight.quantized", output);
    export_floats(e, scale, dims, w->flat ? 2 : 4, steps);
    if (form == FORM_BINARY) {
        export_bipolar_quant(e, output, values, scale);
    } else {
        const struct export_quant quant = {scale, form == FORM_TERNARY ? 2 : 8, true, true};
        export_quant(e, output, values, &quant);
    }
}

void export_weights(struct exporter *e, const struct export_weights *w, char *output)
{
    size_t size = w->height * w->width * w->depth;
    const int64_t map[] = {(int64_t)w->filters, (int64_t)w->depth, (int64_t)w->height,
                           (int64_t)w->width};
    const int64_t matrix[] = {(int64_t)w->filters, (int64_t)size};
    float *steps = NULL;
    float *moved = NULL;
    char values[EXPORT_MAX_NAME];

    if (e->status != BITTERN_OK) {
        return;
    }
    steps = calloc(w->filters, sizeof *steps);
    moved = calloc(w->filters * size, sizeof *moved);
    if (!steps || !moved) {
        e->status = bittern_error_set(e->err, BITTERN_ERR_MEMORY,
                                      "out of memory for the weights of layer '%s'", w->layer);
        goto cleanup;
    }
    enum form form = find_form(w, steps);
    move_channels_first(w, moved);
    export_join(e, w->layer, "weight", values);
    export_floats(e, values, w->flat ? matrix : map, w->flat ? 2 : 4, moved);
    if (form == FORM_PLAIN) {
        export_join(e, w->layer, "weight", output);
    } else {
        add_quantizer(e, w, form, steps, values, output);
    }
cleanup:
    free(moved);
    free(steps);
}
