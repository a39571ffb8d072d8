/* SPDX-License-Identifier: Apache-2.0 */
/* Names, a program's check sum, and the `energy` object of a bench row. */
#include <bittern/energy.h>

#include <cjson/cJSON.h>
#include <zlib.h>

const char *bittern_energy_source_name(enum bittern_energy_source source)
{
    switch (source) {
    case BITTERN_ENERGY_BOARD:
        return "board";
    case BITTERN_ENERGY_HOST:
        return "host";
    case BITTERN_ENERGY_MODEL:
        return "model";
    default:
        return "unknown";
    }
}

const char *bittern_energy_part_name(enum bittern_energy_part part)
{
    static const char *const names[BITTERN_ENERGY_PARTS] = {
        "array", "feature_memory", "weight_memory", "control", "clock", "off_chip", "static"};
    return (unsigned)part < BITTERN_ENERGY_PARTS ? names[part] : "unknown";
}

uint32_t bittern_energy_program_crc32(const struct bittern_program *program)
{
    size_t size = 0;
    const void *data = bittern_program_data(program, &size);
    return (uint32_t)crc32_z(0, data, size);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool add_range(cJSON *parent, const char *name, const struct bittern_energy_range *range)
{
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    return object && cJSON_AddNumberToObject(object, "low", range->low) &&
           cJSON_AddNumberToObject(object, "nominal", range->nominal) &&
           cJSON_AddNumberToObject(object, "high", range->high);
}

static bool add_parts(cJSON *parent, const struct bittern_energy_range *parts)
{
    cJSON *object = cJSON_AddObjectToObject(parent, "parts");
    bool made = object != NULL;
    for (unsigned p = 0; made && p < BITTERN_ENERGY_PARTS; p++) {
        made = add_range(object, bittern_energy_part_name((enum bittern_energy_part)p), &parts[p]);
    }
    return made;
}

static bool add_layers(cJSON *parent, const struct bittern_energy_estimate *estimate)
{
    cJSON *layers = cJSON_AddArrayToObject(parent, "layers");
    bool made = layers != NULL;
    for (size_t i = 0; made && i < estimate->layer_count; i++) {
        const struct bittern_energy_layer *layer = &estimate->layers[i];
        cJSON *item = cJSON_CreateObject();
        made = item && cJSON_AddItemToArray(layers, item) &&
               cJSON_AddStringToObject(item, "name", layer->name) &&
               add_range(item, "joules_per_image", &layer->joules_per_image) &&
               add_parts(item, layer->parts);
    }
    return made;
}

static char *print_and_free(cJSON *root, bool made)
{
    char *text = made ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    return text;
}

char *bittern_energy_estimate_to_json(const struct bittern_energy_estimate *estimate)
{
    cJSON *root = cJSON_CreateObject();
    bool made =
        root &&
        cJSON_AddStringToObject(root, "source", bittern_energy_source_name(BITTERN_ENERGY_MODEL)) &&
        cJSON_AddStringToObject(root, "detail", estimate->detail) &&
        add_range(root, "joules_per_image", &estimate->joules_per_image) &&
        cJSON_AddNullToObject(root, "joules_per_image_above_idle") &&
        add_parts(root, estimate->parts) && add_layers(root, estimate) &&
        cJSON_AddStringToObject(root, "coefficients", estimate->coefficients) &&
        cJSON_AddStringToObject(root, "range", estimate->bounds ? "bounds" : "5-95 %");
    return print_and_free(root, made);
}

char *bittern_energy_measurement_to_json(const struct bittern_energy_measurement *measurement,
                                         uint64_t images)
{
    double per = images > 0 ? (double)images : 1.0;
    double each = measurement->joules / per;
    double above = measurement->joules_above_idle / per;
    const struct bittern_energy_range range = {each, each, each};
    const struct bittern_energy_range above_range = {above, above, above};
    cJSON *root = cJSON_CreateObject();
    bool made =
        root &&
        cJSON_AddStringToObject(root, "source", bittern_energy_source_name(measurement->source)) &&
        cJSON_AddStringToObject(root, "detail", measurement->detail) &&
        add_range(root, "joules_per_image", &range);
    if (measurement->idle_watts >= 0) {
        made = made && add_range(root, "joules_per_image_above_idle", &above_range) &&
               cJSON_AddNumberToObject(root, "idle_watts", measurement->idle_watts);
    } else {
        made = made && cJSON_AddNullToObject(root, "joules_per_image_above_idle");
    }
    made = made && cJSON_AddNumberToObject(root, "seconds", measurement->seconds) &&
           cJSON_AddNumberToObject(root, "samples", (double)measurement->samples) &&
           cJSON_AddNumberToObject(root, "lost_samples", (double)measurement->lost) &&
           cJSON_AddNumberToObject(root, "longest_gap_seconds", measurement->longest_gap);
    return print_and_free(root, made);
}
