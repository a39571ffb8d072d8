/* SPDX-License-Identifier: Apache-2.0 */
/* Names, constants and nodes of a model that is exported; see export.h. */
#include "deploy/export.h"

#include <math.h>
#include <stdio.h>

#define MOST_INPUTS 8

void export_join(struct exporter *e, const char *owner, const char *what, char *name)
{
    int length =
        snprintf(name, EXPORT_MAX_NAME, "%s%s%s", owner, what ? "." : "", what ? what : "");
    if (e->status == BITTERN_OK && (length < 0 || length >= EXPORT_MAX_NAME)) {
        e->status = bittern_error_set(e->err, BITTERN_ERR_ARGUMENT,
                                      "the layer name '%.40s...' is too long to export", owner);
    }
}

/* A run that diverged is told here, before a file of it is written. */
static bittern_status check_finite(const struct exporter *e, const char *name, const int64_t *dims,
                                   size_t rank, const float *values)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return bittern_error_set(e->err, BITTERN_ERR_RANGE,
                                     "'%s' holds a value that is not finite (element %zu): the "
                                     "training has diverged",
                                     name, i);
        }
    }
    return BITTERN_OK;
}

void export_floats(struct exporter *e, const char *name, const int64_t *dims, size_t rank,
                   const float *values)
{
    if (e->status == BITTERN_OK) {
        e->status = check_finite(e, name, dims, rank, values);
    }
    if (e->status == BITTERN_OK) {
        e->status = bittern_model_add_floats(e->model, name, dims, rank, values, e->err);
    }
}

void export_scalar(struct exporter *e, const char *name, double value)
{
    float single = (float)value;
    export_floats(e, name, NULL, 0, &single);
}

void export_node(struct exporter *e, const char *op, const char *output, const char *const *inputs,
                 const struct bittern_attribute *attributes, size_t attribute_count)
{
    size_t count = 0;
    while (count < MOST_INPUTS && inputs[count]) {
        count++;
    }
    if (e->status == BITTERN_OK) {
        e->status = bittern_model_add_node(e->model, op, output, inputs, count, &output, 1,
                                           attributes, attribute_count, e->err);
    }
}

void export_quant(struct exporter *e, const char *output, const char *input,
                  const struct export_quant *quant)
{
    char zero[EXPORT_MAX_NAME];
    char bits[EXPORT_MAX_NAME];
    const struct bittern_attribute attributes[] = {
        export_int("signed", quant->is_signed),
        export_int("narrow", quant->is_narrow),
        {.name = "rounding_mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = "ROUND"},
    };

    export_join(e, output, "zero_point", zero);
    export_join(e, output, "bits", bits);
    export_scalar(e, zero, 0);
    export_scalar(e, bits, quant->bits);
    export_node(e, "Quant", output, (const char *const[]){input, quant->scale, zero, bits, NULL},
                attributes, 3);
}

void export_bipolar_quant(struct exporter *e, const char *output, const char *input,
                          const char *scale)
{
    export_node(e, "BipolarQuant", output, (const char *const[]){input, scale, NULL}, NULL, 0);
}

struct bittern_attribute export_int(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

struct bittern_attribute export_ints(const char *name, const int64_t *values, size_t count)
{
    return (struct bittern_attribute){
        .name = name, .kind = BITTERN_ATTRIBUTE_INTS, .ints = values, .count = count};
}

struct bittern_attribute export_float(const char *name, float value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_FLOAT, .f = value};
}
