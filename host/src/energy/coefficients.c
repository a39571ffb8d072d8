/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the coefficients' file, and draws from its ranges. */
#include "coefficients.h"
#include "energy_json.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 20)

static const struct {
    const char *key, *unit;
    double scale; /* of the unit */
} kinds[ENERGY_COEFFICIENTS] = {
    [ENERGY_TOGGLE_LUT] = {"toggle_lut", "pJ", 1e-12},
    [ENERGY_TOGGLE_CARRY] = {"toggle_carry", "pJ", 1e-12},
    [ENERGY_TOGGLE_REGISTER] = {"toggle_register", "pJ", 1e-12},
    [ENERGY_TOGGLE_ROUTED] = {"toggle_routed", "pJ", 1e-12},
    [ENERGY_GLITCH_SHARE] = {"glitch_share", "", 1.0},
    [ENERGY_BRAM_READ] = {"bram_read", "pJ", 1e-12},
    [ENERGY_BRAM_WRITE] = {"bram_write", "pJ", 1e-12},
    [ENERGY_BRAM_BIT] = {"bram_bit", "pJ", 1e-12},
    [ENERGY_FEATURE_ENABLED_SHARE] = {"feature_enabled_share", "", 1.0},
    [ENERGY_CONTROL_ACTIVITY] = {"control_activity", "", 1.0},
    [ENERGY_CONTROL_READERS] = {"control_readers", "", 1.0},
    [ENERGY_DSP_CYCLE] = {"dsp_cycle", "pJ", 1e-12},
    [ENERGY_CLOCK_REGISTER] = {"clock_register", "pJ", 1e-12},
    [ENERGY_OFF_CHIP_BIT] = {"off_chip_bit", "pJ", 1e-12},
    [ENERGY_STATIC_WATTS] = {"static_power", "W", 1.0},
};

static bittern_status read_range(const struct energy_json *family, size_t index,
                                 struct bittern_energy_range *range)
{
    struct energy_json item;
    const char *unit = NULL;
    const char *source = NULL;

    bittern_status status = energy_json_object(family, kinds[index].key, &item);
    item.place = kinds[index].key;
    if (status == BITTERN_OK) {
        status = energy_json_number(&item, "low", 0.0, 1e6, &range->low);
    }
    if (status == BITTERN_OK) {
        status = energy_json_number(&item, "nominal", range->low, 1e6, &range->nominal);
    }
    if (status == BITTERN_OK) {
        status = energy_json_number(&item, "high", range->nominal, 1e6, &range->high);
    }
    if (status == BITTERN_OK) {
        status = energy_json_string(&item, "source", &source);
    }
    if (status == BITTERN_OK) {
        status = energy_json_string(&item, "unit", &unit);
    }
    if (status == BITTERN_OK && strcmp(unit, kinds[index].unit) != 0) {
        return bittern_error_set(family->err, BITTERN_ERR_FORMAT,
                                 "%s: the unit of %s is '%.16s'; it must be '%s'", family->file,
                                 kinds[index].key, unit, kinds[index].unit);
    }
    range->low *= kinds[index].scale;
    range->nominal *= kinds[index].scale;
    range->high *= kinds[index].scale;
    return status;
}

static bittern_status read_family(const struct energy_json *json, struct energy_family *family)
{
    const char *part = NULL;
    struct energy_json values;

    bittern_status status = energy_json_string(json, "part", &part);
    if (status == BITTERN_OK) {
        status = energy_json_number(json, "device_sites", 1, 1e9, &family->device_sites);
    }
    if (status == BITTERN_OK) {
        status = energy_json_object(json, "coefficients", &values);
    }
    for (size_t i = 0; status == BITTERN_OK && i < ENERGY_COEFFICIENTS; i++) {
        status = read_range(&values, i, &family->values[i]);
    }
    if (status == BITTERN_OK) {
        (void)snprintf(family->part, sizeof family->part, "%s", part);
    }
    return status;
}

static bittern_status read_all(const char *file, const cJSON *root,
                               struct bittern_energy_coefficients *coefficients,
                               struct bittern_error *err)
{
    const struct energy_json json = {file, "the file", root, err};
    struct energy_json families;
    const char *name = NULL;
    const cJSON *item = NULL;

    bittern_status status = energy_json_string(&json, "name", &name);
    if (status == BITTERN_OK) {
        status = energy_json_object(&json, "families", &families);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    (void)snprintf(coefficients->name, sizeof coefficients->name, "%s", name);
    cJSON_ArrayForEach(item, families.object)
    {
        const struct energy_json inner = {file, item->string, item, err};
        if (coefficients->family_count == ENERGY_FAMILIES) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: more than %d families", file,
                                     ENERGY_FAMILIES);
        }
        struct energy_family *family = &coefficients->families[coefficients->family_count++];
        (void)snprintf(family->name, sizeof family->name, "%s", item->string);
        status = read_family(&inner, family);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

bittern_status bittern_energy_coefficients_read(const char *path,
                                                struct bittern_energy_coefficients **out,
                                                struct bittern_error *err)
{
    const char *file = path ? path : "the built-in coefficients";
    struct bittern_energy_coefficients *coefficients = calloc(1, sizeof *coefficients);
    const char *text = (const char *)energy_coefficients_data;
    size_t size = energy_coefficients_size;
    uint8_t *data = NULL;
    cJSON *root = NULL;
    bittern_status status = BITTERN_OK;

    *out = NULL;
    if (!coefficients) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for coefficients");
    }
    if (path) {
        status = file_read(path, MAX_FILE, &data, &size, err);
        text = (const char *)data;
    }
    if (status == BITTERN_OK) {
        status = energy_json_parse(file, text, size, "bittern-energy-coefficients", 1, &root, err);
    }
    if (status == BITTERN_OK) {
        status = read_all(file, root, coefficients, err);
    }
    if (status == BITTERN_OK) {
        *out = coefficients;
        coefficients = NULL;
    }
    cJSON_Delete(root);
    free(data);
    free(coefficients);
    return status;
}

void bittern_energy_coefficients_free(struct bittern_energy_coefficients *coefficients)
{
    free(coefficients);
}

const char *bittern_energy_coefficients_name(const struct bittern_energy_coefficients *coefficients)
{
    return coefficients->name;
}

const struct energy_family *
energy_family_find(const struct bittern_energy_coefficients *coefficients, const char *name)
{
    for (size_t i = 0; i < coefficients->family_count; i++) {
        if (strcmp(coefficients->families[i].name, name) == 0) {
            return &coefficients->families[i];
        }
    }
    return NULL;
}

/* splitmix64, to [0, 1) */
static double draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

void energy_coefficients_draw(const struct energy_family *family, uint64_t *state, double *values)
{
    for (size_t i = 0; i < ENERGY_COEFFICIENTS; i++) {
        const struct bittern_energy_range *range = &family->values[i];
        double side = draw(state);
        double away = 1.0 - sqrt(1.0 - draw(state)); /* density falls linearly to the end */
        values[i] = side < 0.5 ? range->nominal - away * (range->nominal - range->low)
                               : range->nominal + away * (range->high - range->nominal);
    }
}

void energy_coefficients_end(const struct energy_family *family, int end, double *values)
{
    for (size_t i = 0; i < ENERGY_COEFFICIENTS; i++) {
        const struct bittern_energy_range *range = &family->values[i];
        values[i] = end < 0 ? range->low : end > 0 ? range->high : range->nominal;
    }
}
