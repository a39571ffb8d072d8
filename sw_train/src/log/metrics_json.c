/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of metrics.jsonl. Numbers that are not finite become null, as JSON has none. */
#include "log/metrics_json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, value) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

static bool add_histogram(cJSON *object, const char *key, const struct histogram *histogram)
{
    cJSON *added = cJSON_AddObjectToObject(object, key);
    cJSON *bins = NULL;
    bool fine = added && add_number(added, "minimum", histogram->minimum) &&
                add_number(added, "maximum", histogram->maximum) &&
                add_number(added, "count", (double)histogram->count) &&
                add_number(added, "sum", histogram->sum) &&
                add_number(added, "sum_of_squares", histogram->sum_of_squares) &&
                (bins = cJSON_AddArrayToObject(added, "bins"));
    for (size_t i = 0; i < HISTOGRAM_BINS && fine; i++) {
        cJSON *bin = cJSON_CreateNumber((double)histogram->bins[i]);
        fine = bin && cJSON_AddItemToArray(bins, bin);
    }
    return fine;
}

static bool add_layer(cJSON *layers, const struct layer_metrics *layer)
{
    cJSON *object = cJSON_CreateObject();
    if (!object || !cJSON_AddItemToArray(layers, object)) {
        cJSON_Delete(object);
        return false;
    }
    bool fine = cJSON_AddStringToObject(object, "name", layer->name) &&
                add_number(object, "zeros", layer->zeros);
    if (fine && layer->has_beta) {
        fine = add_number(object, "beta", layer->beta);
    }
    if (fine && layer->has_mu) {
        fine = add_number(object, "mu_mean", layer->mu_mean) &&
               add_number(object, "mu_minimum", layer->mu_minimum) &&
               add_number(object, "mu_maximum", layer->mu_maximum);
    }
    return fine && add_histogram(object, "latent", &layer->latent);
}

static bool add_epoch(cJSON *object, const struct epoch_metrics *epoch)
{
    return add_number(object, "epoch", (double)epoch->epoch) &&
           add_number(object, "step", (double)epoch->step) &&
           add_number(object, "rate", epoch->rate) &&
           add_number(object, "train_loss", epoch->train_loss) &&
           add_number(object, "method_loss", epoch->method_loss) &&
           add_number(object, "train_accuracy", epoch->train_accuracy) &&
           add_number(object, "test_loss", epoch->test_loss) &&
           add_number(object, "test_accuracy", epoch->test_accuracy) &&
           add_number(object, "seconds", epoch->seconds) &&
           add_number(object, "images_per_second", epoch->images_per_second) &&
           add_number(object, "loader_wait_seconds", epoch->loader_wait_seconds);
}

/* Text and a line's end; frees the object. NULL: out of memory. */
static char *print_line(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    char *line = NULL;
    if (text) {
        size_t length = strlen(text);
        line = malloc(length + 2);
        if (line) {
            memcpy(line, text, length);
            memcpy(line + length, "\n", 2);
        }
    }
    cJSON_free(text);
    cJSON_Delete(object);
    return line;
}

char *metrics_json_line(const struct epoch_metrics *epoch)
{
    cJSON *object = cJSON_CreateObject();
    bool fine = object && add_epoch(object, epoch);
    cJSON *layers = fine ? cJSON_AddArrayToObject(object, "layers") : NULL;
    fine = layers != NULL;
    for (size_t i = 0; i < epoch->layer_count && fine; i++) {
        fine = add_layer(layers, &epoch->layers[i]);
    }
    if (!fine) {
        cJSON_Delete(object);
        return NULL;
    }
    return print_line(object);
}

bittern_status metrics_json_reprint(const char *json, char **line, struct bittern_error *err)
{
    cJSON *object = cJSON_ParseWithOpts(json, NULL, 1);
    *line = NULL;
    if (!object) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "'%.100s' is not JSON", json);
    }
    *line = print_line(object);
    return *line ? BITTERN_OK
                 : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a line of metrics");
}

/* Whether a line is JSON; *epoch: the number of that name in it, or -1. */
static bool read_line(const char *line, size_t length, double *epoch)
{
    const char *end = NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(line, length, &end, 0);
    bool fine = value != NULL;
    while (fine && end < line + length && (*end == ' ' || *end == '\r')) {
        end++;
    }
    fine = fine && end == line + length;
    const cJSON *number =
        cJSON_IsObject(value) ? cJSON_GetObjectItemCaseSensitive(value, "epoch") : NULL;
    *epoch = number && cJSON_IsNumber(number) ? number->valuedouble : -1.0;
    cJSON_Delete(value);
    return fine;
}

bittern_status metrics_json_find_end(const char *text, size_t size, const char *path,
                                     uint64_t last_epoch, size_t *end, struct bittern_error *err)
{
    size_t at = 0;
    *end = 0;
    for (size_t number = 1; at < size; number++) {
        double epoch;
        const char *stop = memchr(text + at, '\n', size - at);
        if (!stop) {
            break; /* torn */
        }
        size_t length = (size_t)(stop - text) - at;
        if (!read_line(text + at, length, &epoch)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s', line %zu, is not JSON; repair that line, or move the "
                                     "file away",
                                     path, number);
        }
        if (epoch > (double)last_epoch) {
            break;
        }
        at += length + 1;
        if (epoch >= 0.0) {
            *end = at;
        }
    }
    return BITTERN_OK;
}
