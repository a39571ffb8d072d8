/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of `bittern train` (docs/training-files.md): every epoch's numbers, and the layers of the
 * last one. */
#include "json_read.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADVICE "bittern train --resume cuts it off and goes on"

double report_beta(const struct report_epoch *epoch, size_t layer)
{
    return layer < epoch->layer_count ? epoch->betas[layer] : NAN;
}

/* ---- metrics.jsonl --------------------------------------------------------------------------- */

static bittern_status read_betas(struct json_members *members, const struct json_place *place,
                                 struct report_epoch *epoch)
{
    const cJSON *layers = json_array(members, "layers", REPORT_MAX_LAYERS);
    const cJSON *item;
    if (!layers || cJSON_GetArraySize(layers) == 0) {
        return members->status;
    }
    epoch->betas = calloc((size_t)cJSON_GetArraySize(layers), sizeof *epoch->betas);
    if (!epoch->betas) {
        return bittern_error_set(members->err, BITTERN_ERR_MEMORY, "no memory for an epoch");
    }
    cJSON_ArrayForEach(item, layers)
    {
        struct json_members entry = {place, item, members->err, BITTERN_OK};
        epoch->betas[epoch->layer_count++] = json_signed(&entry, "beta");
        if (entry.status != BITTERN_OK) {
            return entry.status;
        }
    }
    return BITTERN_OK;
}

static bittern_status read_epoch(const struct json_place *place, const cJSON *object,
                                 struct report_epoch *epoch, struct bittern_error *err)
{
    struct json_members members = {place, object, err, BITTERN_OK};
    epoch->epoch = json_number(&members, "epoch");
    epoch->rate = json_number(&members, "rate");
    epoch->train_loss = json_signed(&members, "train_loss");
    epoch->train_accuracy = json_number(&members, "train_accuracy");
    epoch->method_loss = json_signed(&members, "method_loss");
    epoch->test_loss = json_signed(&members, "test_loss");
    epoch->test_accuracy = json_number(&members, "test_accuracy");
    epoch->seconds = json_number(&members, "seconds");
    return members.status == BITTERN_OK ? read_betas(&members, place, epoch) : members.status;
}

static bittern_status take_epoch(void *user, const struct json_place *place, cJSON **json,
                                 struct bittern_error *err)
{
    struct report_run *run = user;
    if (!json_find(*json, "epoch")) {
        return BITTERN_OK; /* the end's line */
    }
    if (run->epoch_count == REPORT_MAX_EPOCHS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "%s:%zu: more than %d epochs", place->path,
                                 place->line, REPORT_MAX_EPOCHS);
    }
    if (run->epoch_count == run->epoch_capacity) {
        size_t capacity = run->epoch_capacity > 0 ? 2 * run->epoch_capacity : 64;
        struct report_epoch *larger = realloc(run->epochs, capacity * sizeof *larger);
        if (!larger) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for epochs");
        }
        run->epochs = larger;
        run->epoch_capacity = capacity;
    }
    struct report_epoch *epoch = &run->epochs[run->epoch_count++];
    memset(epoch, 0, sizeof *epoch);
    bittern_status status = read_epoch(place, *json, epoch, err);
    cJSON_Delete(run->last_epoch);
    run->last_epoch = *json;
    *json = NULL;
    return status;
}

/* ---- The last epoch's layers ----------------------------------------------------------------- */

static bittern_status read_histogram(const struct json_place *place, const cJSON *layer,
                                     struct report_histogram *histogram, struct bittern_error *err)
{
    struct json_members members = {place, layer, err, BITTERN_OK};
    const cJSON *bins = json_array(&members, "latent.bins", REPORT_BINS);
    const cJSON *bin;
    size_t used = 0;

    histogram->minimum = json_signed(&members, "latent.minimum");
    histogram->maximum = json_signed(&members, "latent.maximum");
    histogram->count = json_number(&members, "latent.count");
    if (members.status != BITTERN_OK) {
        return members.status;
    }
    cJSON_ArrayForEach(bin, bins)
    {
        if (!cJSON_IsNumber(bin) || !isfinite(bin->valuedouble) || bin->valuedouble < 0.0) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "%s:%zu: \"latent.bins\" holds something that is no count",
                                     place->path, place->line);
        }
        histogram->bins[used++] = bin->valuedouble;
    }
    if (bins && (used != REPORT_BINS || !(histogram->minimum < histogram->maximum))) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s:%zu: \"latent\" is not %d bins from minimum to maximum",
                                 place->path, place->line, REPORT_BINS);
    }
    return BITTERN_OK;
}

static bittern_status read_layer(const struct json_place *place, const cJSON *object,
                                 struct report_trained_layer *layer, struct bittern_error *err)
{
    struct json_members members = {place, object, err, BITTERN_OK};
    layer->depth = "";
    layer->weights = layer->bits = layer->compression = NAN;
    layer->name = json_text(&members, "name", true);
    layer->zeros = json_number(&members, "zeros");
    layer->mu_mean = json_signed(&members, "mu_mean");
    layer->mu_minimum = json_signed(&members, "mu_minimum");
    layer->mu_maximum = json_signed(&members, "mu_maximum");
    layer->has_beta = isfinite(json_signed(&members, "beta"));
    return members.status == BITTERN_OK ? read_histogram(place, object, &layer->latent, err)
                                        : members.status;
}

static bittern_status read_last_layers(const struct json_place *place, struct report_run *run,
                                       struct bittern_error *err)
{
    const cJSON *layers = json_find(run->last_epoch, "layers"); /* checked as its line was read */
    const cJSON *item;
    if (cJSON_GetArraySize(layers) == 0) {
        return BITTERN_OK;
    }
    run->layers = calloc((size_t)cJSON_GetArraySize(layers), sizeof *run->layers);
    if (!run->layers) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for layers");
    }
    cJSON_ArrayForEach(item, layers)
    {
        bittern_status status = read_layer(place, item, &run->layers[run->layer_count++], err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* ---- result.json ----------------------------------------------------------------------------- */

static bittern_status read_result_layers(struct json_members *members,
                                         const struct json_place *place, struct report_run *run)
{
    const cJSON *layers = json_array(members, "layers", REPORT_MAX_LAYERS);
    const cJSON *item;
    cJSON_ArrayForEach(item, layers)
    {
        struct json_members entry = {place, item, members->err, BITTERN_OK};
        const char *name = json_text(&entry, "name", true);
        for (size_t i = 0; i < run->layer_count; i++) {
            struct report_trained_layer *layer = &run->layers[i];
            if (json_is_text(layer->name, name)) {
                layer->depth = json_text(&entry, "depth", false);
                layer->weights = json_number(&entry, "weights");
                layer->bits = json_number(&entry, "bits");
                layer->compression = json_number(&entry, "compression");
                layer->zeros = json_number(&entry, "zeros");
            }
        }
        if (entry.status != BITTERN_OK) {
            return entry.status;
        }
    }
    return members->status;
}

static bittern_status read_result(const char *path, struct report_run *run,
                                  struct bittern_error *err)
{
    const struct json_place place = {path, 1};
    if (access(path, F_OK) != 0) {
        return BITTERN_OK; /* not ended yet */
    }
    run->result = json_read_file(path, err);
    if (!run->result) {
        return err->status;
    }
    if (!cJSON_IsObject(run->result)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s:1: this is not a JSON object", path);
    }
    struct json_members members = {&place, run->result, err, BITTERN_OK};
    run->name = json_text(&members, "name", true);
    run->title = json_text(&members, "title", false);
    run->data = json_text(&members, "data", false);
    run->method = json_text(&members, "method", false);
    run->seed = json_number(&members, "seed");
    run->float_accuracy = json_number(&members, "float_accuracy");
    run->integer_accuracy = json_number(&members, "integer.accuracy");
    run->integer_images = json_number(&members, "integer.images");
    run->compression = json_number(&members, "compression");
    return members.status == BITTERN_OK ? read_result_layers(&members, &place, run)
                                        : members.status;
}

/* ---- A folder -------------------------------------------------------------------------------- */

static const char *last_part(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    return slash && slash[1] != '\0' ? slash + 1 : folder;
}

static bittern_status read_folder(struct report_run *run, const char *metrics, const char *result,
                                  struct bittern_error *err)
{
    const struct json_place place = {metrics, run->epoch_count};
    bittern_status status = json_read_lines(metrics, ADVICE, take_epoch, run, err);
    if (status == BITTERN_OK && run->epoch_count == 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: no epoch has ended yet", metrics);
    }
    if (status == BITTERN_OK) {
        status = read_last_layers(&place, run, err);
    }
    if (status == BITTERN_OK) {
        status = read_result(result, run, err);
    }
    return status == BITTERN_OK ? report_read_weights(run, err) : status;
}

bittern_status report_read_run(struct report *report, const char *folder, struct bittern_error *err)
{
    char *metrics = NULL;
    char *result = NULL;
    bittern_status status;

    if (report->run_count == REPORT_MAX_RUNS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "more than %d runs; report fewer at once",
                                 REPORT_MAX_RUNS);
    }
    if (!report->runs) {
        report->runs = calloc(REPORT_MAX_RUNS, sizeof *report->runs);
    }
    if (!report->runs || asprintf(&metrics, "%s/metrics.jsonl", folder) < 0 ||
        asprintf(&result, "%s/result.json", folder) < 0) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a run");
        goto cleanup;
    }
    struct report_run *run = &report->runs[report->run_count++];
    *run = (struct report_run){.folder = folder,
                               .name = last_part(folder),
                               .title = "",
                               .data = "",
                               .method = "",
                               .integer_accuracy = NAN,
                               .float_accuracy = NAN,
                               .integer_images = NAN,
                               .compression = NAN,
                               .seed = NAN};
    status = read_folder(run, metrics, result, err);
    if (status == BITTERN_ERR_NOT_FOUND) {
        bittern_error_prefix(err, "'%s' is no folder of 'bittern train'", folder);
    }
cleanup:
    free(metrics);
    free(result);
    return status;
}
