/* SPDX-License-Identifier: Apache-2.0 */
/* What `bittern run --predictions FILE.json` wrote, and the data set that its images are of. */
#include "json_read.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *report_class_name(const struct report_predictions *predictions, size_t class,
                              char *buffer, size_t size)
{
    const char *name =
        predictions->dataset ? bittern_dataset_class_name(predictions->dataset, class) : NULL;
    if (name) {
        return name;
    }
    (void)snprintf(buffer, size, "%zu", class);
    return buffer;
}

/* A whole number below the limit; false, with the error set, otherwise. */
static bool read_index(struct json_members *members, const char *key, double limit, double *value)
{
    *value = json_number(members, key);
    if (members->status != BITTERN_OK) {
        return false;
    }
    if (!(*value < limit) || floor(*value) != *value) {
        members->status = bittern_error_set(members->err, BITTERN_ERR_FORMAT,
                                            "%s:%zu: \"%s\" is not a whole number below %.0f",
                                            members->place->path, members->place->line, key, limit);
        return false;
    }
    return true;
}

static bittern_status read_item(const struct json_place *place, const cJSON *object,
                                struct report_predictions *predictions, struct bittern_error *err)
{
    struct json_members members = {place, object, err, BITTERN_OK};
    struct report_prediction *item = &predictions->items[predictions->count];
    double image = 0.0;
    double label = 0.0;
    double predicted = 0.0;
    bool labelled = json_find(object, "label") != NULL;

    if (!read_index(&members, "image", UINT32_MAX, &image) ||
        !read_index(&members, "predicted", REPORT_MAX_CLASSES, &predicted) ||
        (labelled && !read_index(&members, "label", REPORT_MAX_CLASSES, &label))) {
        return members.status;
    }
    if (predictions->count > 0 && labelled != predictions->labelled) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s:%zu: some images have a label, some have none", place->path,
                                 place->line);
    }
    predictions->labelled = labelled;
    *item = (struct report_prediction){(uint32_t)image, (uint16_t)label, (uint16_t)predicted};
    size_t highest = item->label > item->predicted ? item->label : item->predicted;
    predictions->classes = highest >= predictions->classes ? highest + 1 : predictions->classes;
    predictions->correct += labelled && item->label == item->predicted;
    predictions->count++;
    return BITTERN_OK;
}

static bittern_status read_items(const cJSON *json, struct report_predictions *predictions,
                                 struct bittern_error *err)
{
    const cJSON *object;
    struct json_place place = {predictions->path, 1}; /* one image a line, after the bracket's */
    if (!cJSON_IsArray(json)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s:1: this is not a list of predictions; bittern run "
                                 "--predictions FILE.json writes one",
                                 predictions->path);
    }
    int count = cJSON_GetArraySize(json);
    if (count == 0 || count > REPORT_MAX_PREDICTIONS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "%s: %d predictions; a report takes 1 to %d", predictions->path,
                                 count, REPORT_MAX_PREDICTIONS);
    }
    predictions->items = calloc((size_t)count, sizeof *predictions->items);
    if (!predictions->items) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %d predictions", count);
    }
    cJSON_ArrayForEach(object, json)
    {
        place.line++;
        bittern_status status = read_item(&place, object, predictions, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* Predictions of another data set would show wrong pictures: their labels tell. */
static bittern_status check_dataset(const struct report_predictions *predictions,
                                    struct bittern_error *err)
{
    const struct bittern_dataset *dataset = predictions->dataset;
    const uint8_t *labels = bittern_dataset_labels(dataset);
    for (size_t i = 0; i < predictions->count; i++) {
        const struct report_prediction *item = &predictions->items[i];
        if (item->image >= bittern_dataset_count(dataset)) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "%s: image %u, but %s has %zu in this split",
                                     predictions->path, item->image, bittern_dataset_name(dataset),
                                     bittern_dataset_count(dataset));
        }
        if (predictions->labelled && labels[item->image] != item->label) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "%s: image %u has label %u, but %u in %s: these predictions "
                                     "are of another data set or split (--dataset, --split)",
                                     predictions->path, item->image, item->label,
                                     labels[item->image], bittern_dataset_name(dataset));
        }
    }
    return BITTERN_OK;
}

static bittern_status count_confusions(struct report_predictions *predictions,
                                       struct bittern_error *err)
{
    size_t classes = predictions->classes;
    predictions->confusion = calloc(classes * classes, sizeof *predictions->confusion);
    if (!predictions->confusion) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu classes", classes);
    }
    for (size_t i = 0; i < predictions->count; i++) {
        const struct report_prediction *item = &predictions->items[i];
        predictions->confusion[item->label * classes + item->predicted]++;
    }
    return BITTERN_OK;
}

bittern_status report_read_predictions(struct report *report,
                                       const struct report_predictions_source *source,
                                       struct bittern_error *err)
{
    struct report_predictions *predictions = &report->predictions;
    bittern_status status;

    predictions->path = source->path;
    cJSON *json = json_read_file(source->path, err);
    if (!json) {
        return err->status;
    }
    status = read_items(json, predictions, err);
    cJSON_Delete(json);
    if (status == BITTERN_OK && source->dataset) {
        status = bittern_dataset_open(source->dataset, source->split, source->data_dir,
                                      &predictions->dataset, err);
        if (status == BITTERN_OK) {
            size_t classes = bittern_dataset_classes(predictions->dataset);
            predictions->classes = predictions->classes < classes ? classes : predictions->classes;
            status = check_dataset(predictions, err);
        }
    }
    return status == BITTERN_OK && predictions->labelled ? count_confusions(predictions, err)
                                                         : status;
}
