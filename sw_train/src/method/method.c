/* SPDX-License-Identifier: Apache-2.0 */
/* The table of weight methods: names, default settings, creation and checks of settings. */
#include "method/method.h"

#include "base/checked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* What a method reads of its settings, and what is therefore checked. */
enum setting {
    USES_THRESHOLD = 1,
    USES_REGULARIZER = 2, /* lambda, power */
    USES_DEPTH = 4,       /* gamma, delta */
    USES_EXTRA = 8        /* extra_rate */
};

struct method_entry {
    enum method_kind kind;
    const char *name;
    const struct method_class *class;
    unsigned settings;
    double threshold, threshold_limit; /* default, and the first value that is too large */
};

static const struct method_entry entries[METHOD_KIND_COUNT] = {
    {METHOD_FULL, "full", &method_class_full, 0, 0, 0},
    {METHOD_INT8, "int8", &method_class_int8, 0, 0, 0},
    {METHOD_BINARYCONNECT, "binaryconnect", &method_class_binaryconnect, 0, 0, 0},
    {METHOD_BWN, "bwn", &method_class_bwn, 0, 0, 0},
    {METHOD_TWN, "twn", &method_class_twn, USES_THRESHOLD, 0.7, INFINITY},
    {METHOD_TTQ, "ttq", &method_class_ttq, USES_THRESHOLD | USES_EXTRA, 0.05, 1},
    {METHOD_SQ, "sq", &method_class_sq, USES_THRESHOLD | USES_REGULARIZER | USES_DEPTH | USES_EXTRA,
     0.2, INFINITY},
    {METHOD_STTN, "sttn", &method_class_sttn, 0, 0, 0},
    {METHOD_R1, "r1", &method_class_r1, USES_REGULARIZER | USES_EXTRA, 0, 0},
    {METHOD_R2, "r2", &method_class_r2, USES_REGULARIZER | USES_EXTRA, 0, 0},
};

static const struct method_entry *find_entry(enum method_kind kind)
{
    for (size_t i = 0; i < METHOD_KIND_COUNT; i++) {
        if (entries[i].kind == kind) {
            return &entries[i];
        }
    }
    return NULL;
}

struct method_config method_defaults(enum method_kind kind)
{
    const struct method_entry *entry = find_entry(kind);
    return (struct method_config){
        .kind = kind,
        .threshold = entry ? entry->threshold : 0,
        .lambda = 0.1,
        .gamma = 0.01,
        .delta = 1.57,
        .power = 1,
        .extra_rate = 1,
    };
}

const char *method_name(enum method_kind kind)
{
    const struct method_entry *entry = find_entry(kind);
    return entry ? entry->name : "unknown";
}

bool method_find(const char *name, enum method_kind *kind)
{
    for (size_t i = 0; i < METHOD_KIND_COUNT; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            *kind = entries[i].kind;
            return true;
        }
    }
    return false;
}

/* ---- Settings ----------------------------------------------------------------------------------
 */

bittern_status method_check(const struct method_config *config, const char **key,
                            struct bittern_error *err)
{
    const struct method_entry *entry = find_entry(config->kind);
    *key = "method";
    if (!entry) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no weight method number %d",
                                 (int)config->kind);
    }
    const struct {
        enum setting uses;
        const char *key;
        double value, minimum, limit; /* minimum <= value < limit; NaN is none of that */
    } checks[] = {
        {USES_THRESHOLD, "threshold", config->threshold, 0, entry->threshold_limit},
        {USES_REGULARIZER, "lambda", config->lambda, 0, INFINITY},
        {USES_REGULARIZER, "power", config->power, 1, 3},
        {USES_DEPTH, "gamma", config->gamma, 0, INFINITY},
        {USES_DEPTH, "delta", config->delta, PI / 4, PI / 2},
        {USES_EXTRA, "extra_rate", config->extra_rate, 0, INFINITY},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if ((entry->settings & checks[i].uses) == 0 ||
            (checks[i].value >= checks[i].minimum && checks[i].value < checks[i].limit)) {
            continue;
        }
        *key = checks[i].key;
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "weight method %s: %s is %.10g; it must be %.10g or more, and "
                                 "less than %.10g",
                                 entry->name, *key, checks[i].value, checks[i].minimum,
                                 checks[i].limit);
    }
    return BITTERN_OK;
}

/* ---- A layer's method --------------------------------------------------------------------------
 */

bittern_status method_create(const struct method_config *config, size_t filters, size_t size,
                             struct method **method, struct bittern_error *err)
{
    const char *key;
    size_t count;
    size_t bytes;

    *method = NULL;
    bittern_status status = method_check(config, &key, err);
    if (status) {
        return status;
    }
    const struct method_entry *entry = find_entry(config->kind);
    if (filters == 0 || size == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "weight method %s: a layer of %zu filters of %zu weights is empty",
                                 entry->name, filters, size);
    }
    if (!checked_mul_size(filters, size, &count) ||
        !checked_mul_size(count, 4 * sizeof(double), &bytes)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "weight method %s: %zu filters of %zu weights are too many",
                                 entry->name, filters, size);
    }
    struct method *made = calloc(1, sizeof *made);
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a layer's weight method");
    }
    made->class = entry->class;
    made->config = *config;
    made->filters = filters;
    made->size = size;
    status = made->class->create(made, err);
    if (status) {
        method_free(made);
        return status;
    }
    *method = made;
    return BITTERN_OK;
}

void method_free(struct method *method)
{
    if (!method) {
        return;
    }
    method->class->destroy(method);
    for (size_t p = 0; p < method->parameter_count; p++) {
        free(method->parameters[p].value);
        free(method->parameters[p].gradient);
    }
    for (size_t b = 0; b < method->buffer_count; b++) {
        free(method->buffers[b].value);
    }
    free(method);
}
