/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of `bittern bench` (docs/bench-format.md). */
#include "json_read.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVICE "bittern bench --resume finishes it"

const char *report_part_name(size_t part)
{
    static const char *const names[REPORT_PARTS] = {
        "computing", "waiting for weights", "waiting for input", "waiting for output", "other"};
    return names[part];
}

const char *report_mode_name(size_t mode)
{
    static const char *const names[REPORT_MODES + 1] = {"binary", "ternary", "int", ""};
    return names[mode];
}

const char *report_weights_name(size_t kind)
{
    static const char *const names[REPORT_KINDS] = {"binary", "ternary", "mixed", "unknown"};
    return names[kind];
}

static const struct {
    const char *key, *name;
} energy_parts[REPORT_ENERGY_PARTS] = {{"array", "array"},
                                       {"feature_memory", "feature memory"},
                                       {"weight_memory", "weight memory"},
                                       {"control", "control"},
                                       {"clock", "clock"},
                                       {"off_chip", "off chip"},
                                       {"static", "static"}};

const char *report_energy_part_name(size_t part)
{
    return energy_parts[part].name;
}

bool report_is_measured(const struct report_row *row)
{
    return strcmp(row->energy_source, "board") == 0 || strcmp(row->energy_source, "host") == 0;
}

static void read_parts(struct json_members *members, const char *prefix, double *parts)
{
    static const char *const keys[REPORT_PARTS] = {"compute_cycles", "weight_stall_cycles",
                                                   "input_stall_cycles", "output_stall_cycles",
                                                   "other_cycles"};
    char path[64];
    for (size_t i = 0; i < REPORT_PARTS; i++) {
        (void)snprintf(path, sizeof path, "%s%s", prefix, keys[i]);
        parts[i] = json_number(members, path);
    }
}

static struct report_range read_range(struct json_members *members, const char *prefix)
{
    static const char *const keys[] = {"low", "nominal", "high"};
    double values[3];
    char path[64];
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s.%s", prefix, keys[i]);
        /* Above idle power a measurement may fall below zero. */
        values[i] = json_signed(members, path);
    }
    return (struct report_range){values[0], values[1], values[2]};
}

static enum report_mode read_mode(struct json_members *members)
{
    const char *name = json_text(members, "mode", false);
    for (size_t i = 0; i <= REPORT_MODES; i++) {
        if (strcmp(name, report_mode_name(i)) == 0) {
            return (enum report_mode)i;
        }
    }
    if (members->status == BITTERN_OK) {
        members->status = bittern_error_set(members->err, BITTERN_ERR_FORMAT,
                                            "%s:%zu: \"mode\" is \"%.40s\", not binary, ternary "
                                            "or int",
                                            members->place->path, members->place->line, name);
    }
    return REPORT_MODES;
}

static bittern_status read_layer(const struct json_place *place, const cJSON *object,
                                 struct report_layer *layer, struct bittern_error *err)
{
    struct json_members members = {place, object, err, BITTERN_OK};
    layer->name = json_text(&members, "name", true);
    layer->kind = json_text(&members, "kind", false);
    layer->weights = json_text(&members, "weights", false);
    layer->activations = json_text(&members, "activations", false);
    layer->mode = read_mode(&members);
    layer->macs = json_number(&members, "macs");
    layer->cycles = json_number(&members, "cycles");
    layer->ideal_cycles = json_number(&members, "ideal_cycles");
    layer->utilization = json_number(&members, "utilization");
    layer->read_bytes = json_number(&members, "read_bytes");
    layer->write_bytes = json_number(&members, "write_bytes");
    layer->intensity = json_number(&members, "intensity");
    layer->joules = (struct report_range){NAN, NAN, NAN};
    read_parts(&members, "", layer->parts);
    return members.status;
}

static bittern_status read_layers(const struct json_place *place, struct json_members *members,
                                  struct report_row *row)
{
    const cJSON *layers = json_array(members, "layers", REPORT_MAX_LAYERS);
    const cJSON *item;
    if (!layers || cJSON_GetArraySize(layers) == 0) {
        return members->status;
    }
    row->layers = calloc((size_t)cJSON_GetArraySize(layers), sizeof *row->layers);
    if (!row->layers) {
        return bittern_error_set(members->err, BITTERN_ERR_MEMORY, "no memory for layers");
    }
    cJSON_ArrayForEach(item, layers)
    {
        bittern_status status =
            read_layer(place, item, &row->layers[row->layer_count++], members->err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* Energy of layers, by name: a model's list need not hold every layer. */
static bittern_status read_layer_energy(const struct json_place *place,
                                        struct json_members *members, struct report_row *row)
{
    const cJSON *list = json_array(members, "energy.layers", REPORT_MAX_LAYERS);
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        struct json_members entry = {place, item, members->err, BITTERN_OK};
        const char *name = json_text(&entry, "name", true);
        struct report_range joules = read_range(&entry, "joules_per_image");
        if (entry.status != BITTERN_OK) {
            return entry.status;
        }
        for (size_t i = 0; i < row->layer_count; i++) {
            if (json_is_text(row->layers[i].name, name) &&
                !isfinite(row->layers[i].joules.nominal)) {
                row->layers[i].joules = joules;
                break;
            }
        }
    }
    return members->status;
}

static void read_program(struct json_members *members, struct report_row *row)
{
    row->program = json_text(members, "program.name", true);
    row->path = json_text(members, "program.path", false);
    row->parameters = json_number(members, "program.parameters");
    row->weight_bits = json_number(members, "program.weight_bits");
    row->compression = json_number(members, "program.compression");
    row->program_bytes = json_number(members, "program.bytes");
    row->device = json_text(members, "device.name", true);
    row->description = json_text(members, "device.description", false);
    row->geometry = json_text(members, "device.geometry.name", false);
    row->word_bits = json_number(members, "device.geometry.word_bits");
    row->output_channels = json_number(members, "device.geometry.output_channels");
    row->pixels = json_number(members, "device.geometry.pixels");
    row->feature_bytes = json_number(members, "device.geometry.feature_bytes");
    row->weight_bytes = json_number(members, "device.geometry.weight_bytes");
}

static void read_settings(struct json_members *members, struct report_row *row)
{
    row->images = json_number(members, "settings.images");
    row->start = json_number(members, "settings.start");
    row->batch = json_number(members, "settings.batch");
    row->repetitions = json_number(members, "settings.repetitions");
    row->clock_mhz = json_number(members, "settings.clock_mhz");
    row->latency_cycles = json_number(members, "settings.latency_cycles");
    row->dataset = json_text(members, "settings.dataset", false);
    row->split = json_text(members, "settings.split", false);
    row->cpus = json_number(members, "host.cpus");
    row->cpu = json_text(members, "host.cpu", false);
    row->seconds = json_number(members, "host.seconds");
}

static void read_results(struct json_members *members, struct report_row *row)
{
    row->correct = json_number(members, "accuracy.correct");
    row->labelled = json_number(members, "accuracy.labelled");
    row->accuracy = json_number(members, "accuracy.fraction");
    row->agreement_images = json_number(members, "agreement.images");
    row->agreement_values = json_number(members, "agreement.values");
    row->different = json_number(members, "agreement.different");
    row->cycles = json_number(members, "whole.cycles_per_image");
    row->images_per_second = json_number(members, "whole.images_per_second");
    row->ideal_cycles = json_number(members, "whole.ideal_cycles_per_image");
    row->utilization = json_number(members, "whole.utilization");
    row->read_bytes = json_number(members, "whole.read_bytes");
    row->write_bytes = json_number(members, "whole.write_bytes");
    row->first_image_cycles = json_number(members, "whole.first_image_cycles");
    row->first_image_seconds = json_number(members, "whole.first_image_seconds");
    read_parts(members, "whole.", row->parts);
    row->peak[REPORT_MODE_BINARY] = json_number(members, "roofline.peak_macs_per_cycle.binary");
    row->peak[REPORT_MODE_TERNARY] = json_number(members, "roofline.peak_macs_per_cycle.ternary");
    row->peak[REPORT_MODE_INT] = json_number(members, "roofline.peak_macs_per_cycle.int");
    row->bytes_per_cycle = json_number(members, "roofline.bytes_per_cycle");
}

static void read_energy(struct json_members *members, struct report_row *row)
{
    row->energy_source = json_text(members, "energy.source", false);
    row->energy_detail = json_text(members, "energy.detail", false);
    row->energy_range = json_text(members, "energy.range", false);
    row->coefficients = json_text(members, "energy.coefficients", false);
    if (strcmp(row->energy_source, "model") != 0 && row->energy_source[0] != '\0' &&
        !report_is_measured(row) && members->status == BITTERN_OK) {
        members->status =
            bittern_error_set(members->err, BITTERN_ERR_FORMAT,
                              "%s:%zu: \"energy.source\" is \"%.40s\", not board, host or model",
                              members->place->path, members->place->line, row->energy_source);
    }
    row->joules = read_range(members, "energy.joules_per_image");
    row->joules_above_idle = read_range(members, "energy.joules_per_image_above_idle");
    for (size_t i = 0; i < REPORT_ENERGY_PARTS; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "energy.parts.%s.nominal", energy_parts[i].key);
        row->energy_parts[i] = json_number(members, path);
    }
}

static enum report_weights find_weights(const struct report_row *row)
{
    size_t count[REPORT_KINDS] = {0};
    size_t without = 0;
    for (size_t i = 0; i < row->layer_count; i++) {
        const char *weights = row->layers[i].weights;
        if (json_is_text(weights, "none")) {
            without++; /* a sum has no weights */
            continue;
        }
        count[json_is_text(weights, "binary")    ? REPORT_BINARY
              : json_is_text(weights, "ternary") ? REPORT_TERNARY
              : weights && weights[0] != '\0'    ? REPORT_MIXED
                                                 : REPORT_UNKNOWN]++;
    }
    size_t layers = row->layer_count - without;
    if (layers == 0 || count[REPORT_UNKNOWN] > 0) {
        return REPORT_UNKNOWN;
    }
    return count[REPORT_BINARY] == layers    ? REPORT_BINARY
           : count[REPORT_TERNARY] == layers ? REPORT_TERNARY
                                             : REPORT_MIXED;
}

static bittern_status read_row(const struct json_place *place, cJSON **json, struct report_row *row,
                               struct bittern_error *err)
{
    struct json_members members = {place, *json, err, BITTERN_OK};
    row->json = *json;
    *json = NULL;
    bittern_status status = json_check_version(place, row->json, "bittern-bench", 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    read_program(&members, row);
    read_settings(&members, row);
    read_results(&members, row);
    read_energy(&members, row);
    if (members.status == BITTERN_OK && row->accuracy > 1.0) {
        members.status =
            bittern_error_set(err, BITTERN_ERR_FORMAT, "%s:%zu: \"accuracy.fraction\" is above 1",
                              place->path, place->line);
    }
    status = members.status;
    if (status == BITTERN_OK) {
        status = read_layers(place, &members, row);
    }
    if (status == BITTERN_OK) {
        status = read_layer_energy(place, &members, row);
    }
    row->weights = find_weights(row);
    return status;
}

static bittern_status take_row(void *user, const struct json_place *place, cJSON **json,
                               struct bittern_error *err)
{
    struct report *report = user;
    if (report->row_count == REPORT_MAX_ROWS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "%s:%zu: more than %d rows; report fewer at once", place->path,
                                 place->line, REPORT_MAX_ROWS);
    }
    if (report->row_count == report->row_capacity) {
        size_t capacity = report->row_capacity > 0 ? 2 * report->row_capacity : 16;
        struct report_row *larger = realloc(report->rows, capacity * sizeof *larger);
        if (!larger) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for rows");
        }
        report->rows = larger;
        report->row_capacity = capacity;
    }
    struct report_row *row = &report->rows[report->row_count++];
    memset(row, 0, sizeof *row);
    return read_row(place, json, row, err);
}

bittern_status report_read_rows(struct report *report, const char *path, struct bittern_error *err)
{
    size_t before = report->row_count;
    bittern_status status = json_read_lines(path, ADVICE, take_row, report, err);
    if (status == BITTERN_OK && report->row_count == before) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: there is no row in it", path);
    }
    return status;
}
