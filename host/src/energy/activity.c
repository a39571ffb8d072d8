/* SPDX-License-Identifier: Apache-2.0 */
#include "activity.h"
#include "energy_json.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 26)
#define MAX_LAYERS 4096
#define MAX_COUNT 1e15 /* of cycles, of bytes */
#define MAX_NETS 1e6   /* changes an array cycle and unit */

/* Keys of one object, and where their numbers go. */
struct field {
    const char *key;
    double maximum;
    double *value;
};

static bittern_status read_fields(const struct energy_json *json, const struct field *fields,
                                  size_t count)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < count; i++) {
        status = energy_json_number(json, fields[i].key, 0.0, fields[i].maximum, fields[i].value);
    }
    return status;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bittern_status read_changes(const struct energy_json *unit, const char *key,
                                   struct energy_changes *changes)
{
    const struct field fields[] = {{"input", MAX_NETS, &changes->input},
                                   {"lut", MAX_NETS, &changes->lut},
                                   {"carry", MAX_NETS, &changes->carry},
                                   {"register", MAX_NETS, &changes->register_}};
    struct energy_json json;
    bittern_status status = energy_json_object(unit, key, &json);
    return status == BITTERN_OK ? read_fields(&json, fields, COUNT(fields)) : status;
}

static bittern_status read_unit(const struct energy_json *json, struct energy_activity_layer *layer)
{
    struct energy_json unit;
    bittern_status status = energy_json_object(json, "unit", &unit);
    if (status == BITTERN_OK) {
        status = read_changes(&unit, "toggles", &layer->toggles);
    }
    if (status == BITTERN_OK) {
        status = read_changes(&unit, "routed", &layer->routed);
    }
    if (status == BITTERN_OK) {
        status = read_changes(&unit, "toggles_delayed", &layer->toggles_delayed);
    }
    if (status == BITTERN_OK) {
        status = read_changes(&unit, "routed_delayed", &layer->routed_delayed);
    }
    return status;
}

static bittern_status read_memories(const struct energy_json *json,
                                    struct energy_activity_layer *layer)
{
    const struct field feature[] = {
        {"read_toggles", MAX_NETS, &layer->feature_read_toggles},
        {"write_bytes", MAX_COUNT, &layer->feature_write_bytes},
        {"write_toggles", MAX_NETS, &layer->feature_write_toggles},
    };
    const struct field weight[] = {
        {"reads", MAX_NETS, &layer->weight_reads},
        {"read_toggles", MAX_NETS, &layer->weight_read_toggles},
        {"write_toggles", 1.0, &layer->weight_write_toggles},
    };
    struct energy_json memory;
    bittern_status status = energy_json_object(json, "feature_memory", &memory);
    if (status == BITTERN_OK) {
        status = read_fields(&memory, feature, COUNT(feature));
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(json, "weight_memory", &memory);
    }
    return status == BITTERN_OK ? read_fields(&memory, weight, COUNT(weight)) : status;
}

static bittern_status read_layer(const char *file, const cJSON *item, size_t index,
                                 struct energy_activity_layer *layer, struct bittern_error *err)
{
    char place[32];
    const char *name = NULL;
    const struct field fields[] = {{"cycles", MAX_COUNT, &layer->cycles},
                                   {"enabled_cycles", MAX_COUNT, &layer->enabled_cycles},
                                   {"compute_cycles", MAX_COUNT, &layer->compute_cycles},
                                   {"read_bytes", MAX_COUNT, &layer->read_bytes},
                                   {"write_bytes", MAX_COUNT, &layer->write_bytes}};

    (void)snprintf(place, sizeof place, "layer %zu", index);
    const struct energy_json json = {file, place, item, err};
    bittern_status status = energy_json_string(&json, "name", &name);
    if (status == BITTERN_OK) {
        status = read_fields(&json, fields, COUNT(fields));
    }
    if (status == BITTERN_OK &&
        (layer->compute_cycles < 1 || layer->enabled_cycles < 1 ||
         layer->compute_cycles > layer->enabled_cycles || layer->enabled_cycles > layer->cycles)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: the cycles of %s do not fit each other", file, place);
    }
    if (status == BITTERN_OK) {
        status = read_unit(&json, layer);
    }
    if (status == BITTERN_OK) {
        status = read_memories(&json, layer);
    }
    if (status == BITTERN_OK) {
        layer->name = strdup(name);
        if (!layer->name) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for '%s'", file);
        }
    }
    return status;
}

static bittern_status read_area(const struct energy_json *json,
                                struct bittern_energy_activity *activity)
{
    const struct field kernel[] = {{"sites", 1e9, &activity->kernel_sites},
                                   {"registers", 1e9, &activity->kernel_registers},
                                   {"feature_bram36", 1e6, &activity->feature_bram36},
                                   {"weight_bram36", 1e6, &activity->weight_bram36},
                                   {"dsp", 1e6, &activity->dsp}};
    const struct field unit[] = {{"sites", 1e6, &activity->unit_sites},
                                 {"registers", 1e6, &activity->unit_registers}};
    const struct field array[] = {{"word_bits", 4096, &activity->word_bits},
                                  {"output_channels", 4096, &activity->output_channels},
                                  {"pixels", 4096, &activity->pixels}};
    const struct field run[] = {{"images", 1e9, &activity->images},
                                {"cycles", MAX_COUNT, &activity->cycles},
                                {"read_bytes", MAX_COUNT, &activity->read_bytes},
                                {"write_bytes", MAX_COUNT, &activity->write_bytes}};
    struct energy_json area;
    struct energy_json inner;
    bittern_status status = read_fields(json, run, COUNT(run));
    if (status == BITTERN_OK && activity->images < 1) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT, "%s: of no image", json->file);
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(json, "array", &inner);
    }
    if (status == BITTERN_OK) {
        status = read_fields(&inner, array, COUNT(array));
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(json, "area", &area);
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(&area, "kernel", &inner);
    }
    if (status == BITTERN_OK) {
        status = read_fields(&inner, kernel, COUNT(kernel));
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(&area, "unit", &inner);
    }
    if (status == BITTERN_OK) {
        status = read_fields(&inner, unit, COUNT(unit));
    }
    double units = activity->output_channels * activity->pixels;
    if (status == BITTERN_OK && (units * activity->unit_sites > activity->kernel_sites ||
                                 activity->word_bits < 8 || units < 1)) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT,
                                 "%s: the array is larger than the kernel, or empty", json->file);
    }
    return status;
}

static bittern_status read_layers(const char *file, const cJSON *root,
                                  struct bittern_energy_activity *activity,
                                  struct bittern_error *err)
{
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(root, "layers");
    const cJSON *item = NULL;
    int count = cJSON_IsArray(layers) ? cJSON_GetArraySize(layers) : 0;

    if (count < 1 || count > MAX_LAYERS) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: there are no layers, or too many",
                                 file);
    }
    activity->layers = calloc((size_t)count, sizeof *activity->layers);
    activity->loads = calloc((size_t)count, sizeof *activity->loads);
    if (!activity->layers || !activity->loads) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for '%s'", file);
    }
    cJSON_ArrayForEach(item, layers)
    {
        size_t index = activity->layer_count++;
        bittern_status status = read_layer(file, item, index, &activity->layers[index], err);
        if (status != BITTERN_OK) {
            return status;
        }
        const struct energy_activity_layer *layer = &activity->layers[index];
        activity->loads[index] = (struct bittern_energy_layer_load){
            .cycles = layer->cycles / activity->images,
            .compute_cycles = layer->compute_cycles / activity->images,
            .read_bytes = layer->read_bytes / activity->images,
            .write_bytes = layer->write_bytes / activity->images};
    }
    return BITTERN_OK;
}

static bittern_status read_all(const char *file, const cJSON *root,
                               struct bittern_energy_activity *activity, struct bittern_error *err)
{
    const struct energy_json json = {file, "the file", root, err};
    struct energy_json program;
    const char *family = NULL;
    const char *geometry = NULL;
    double crc32 = 0;

    bittern_status status = energy_json_object(&json, "program", &program);
    if (status == BITTERN_OK) {
        status = energy_json_number(&program, "crc32", 0, UINT32_MAX, &crc32);
    }
    if (status == BITTERN_OK) {
        status = energy_json_string(&program, "geometry", &geometry);
    }
    if (status == BITTERN_OK) {
        status = energy_json_string(&json, "family", &family);
    }
    if (status == BITTERN_OK) {
        status = read_area(&json, activity);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    activity->crc32 = (uint32_t)crc32;
    (void)snprintf(activity->geometry, sizeof activity->geometry, "%s", geometry);
    (void)snprintf(activity->family, sizeof activity->family, "%s", family);
    return read_layers(file, root, activity, err);
}

bittern_status energy_activity_parse(const char *name, const char *text, size_t size,
                                     struct bittern_energy_activity **out,
                                     struct bittern_error *err)
{
    struct bittern_energy_activity *activity = NULL;
    cJSON *root = NULL;

    *out = NULL;
    bittern_status status = energy_json_parse(name, text, size, "bittern-activity", 1, &root, err);
    if (status == BITTERN_OK) {
        activity = calloc(1, sizeof *activity);
        status = activity ? read_all(name, root, activity, err)
                          : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for '%s'", name);
    }
    if (status == BITTERN_OK) {
        *out = activity;
        activity = NULL;
    }
    bittern_energy_activity_free(activity);
    cJSON_Delete(root);
    return status;
}

bittern_status bittern_energy_activity_read(const char *path, struct bittern_energy_activity **out,
                                            struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;

    *out = NULL;
    bittern_status status = file_read(path, MAX_FILE, &data, &size, err);
    if (status == BITTERN_OK) {
        status = energy_activity_parse(path, (const char *)data, size, out, err);
    }
    free(data);
    return status;
}

void bittern_energy_activity_free(struct bittern_energy_activity *activity)
{
    if (!activity) {
        return;
    }
    for (size_t i = 0; i < activity->layer_count; i++) {
        free(activity->layers[i].name);
    }
    free(activity->layers);
    free(activity->loads);
    free(activity);
}

uint32_t bittern_energy_activity_crc32(const struct bittern_energy_activity *activity)
{
    return activity->crc32;
}

const char *bittern_energy_activity_geometry(const struct bittern_energy_activity *activity)
{
    return activity->geometry;
}

void bittern_energy_activity_load(const struct bittern_energy_activity *activity, double clock_mhz,
                                  struct bittern_energy_load *load)
{
    *load = (struct bittern_energy_load){.program_crc32 = activity->crc32,
                                         .clock_mhz = clock_mhz,
                                         .cycles_per_image = activity->cycles / activity->images,
                                         .read_bytes = activity->read_bytes / activity->images,
                                         .write_bytes = activity->write_bytes / activity->images,
                                         .layer_count = activity->layer_count,
                                         .layers = activity->loads};
}
