/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the reader of activity files. What is accepted must give figures that are numbers, ordered
 * and not negative, and JSON of them.
 */
#include "fuzz.h"

#include "energy/activity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_range(const struct bittern_energy_range *range)
{
    must(isfinite(range->high) && range->low >= 0.0 && range->low <= range->nominal &&
         range->nominal <= range->high);
}

static void check_model(const struct bittern_energy_activity *activity)
{
    struct bittern_energy_coefficients *coefficients = NULL;
    struct bittern_energy_estimate *estimate = NULL;
    struct bittern_energy_load load;
    struct bittern_error err = {0};

    must(bittern_energy_coefficients_read(NULL, &coefficients, &err) == BITTERN_OK);
    bittern_energy_activity_load(activity, 100.0, &load);
    if (bittern_energy_model(coefficients, activity, &load, true, &estimate, &err) == BITTERN_OK) {
        check_range(&estimate->joules_per_image);
        for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
            check_range(&estimate->parts[p]);
        }
        char *json = bittern_energy_estimate_to_json(estimate);
        must(json != NULL);
        free(json);
        bittern_energy_estimate_free(estimate);
    } else {
        must(err.message[0] != '\0'); /* of a family without coefficients */
    }
    bittern_energy_coefficients_free(coefficients);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bittern_energy_activity *activity = NULL;
    struct bittern_error err = {0};

    if (energy_activity_parse("fuzz", (const char *)data, size, &activity, &err) == BITTERN_OK) {
        check_model(activity);
        bittern_energy_activity_free(activity);
    } else {
        must(activity == NULL && err.message[0] != '\0');
    }
    return 0;
}

size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    static const char text[] =
        "{\"format\":\"bittern-activity\",\"version\":1,"
        "\"program\":{\"crc32\":7,\"geometry\":\"edge\"},\"family\":\"xc7\",\"images\":2,"
        "\"dataset\":\"mnist\",\"cycles\":300,\"read_bytes\":64,\"write_bytes\":32,"
        "\"array\":{\"word_bits\":8,\"output_channels\":2,\"pixels\":1},"
        "\"area\":{\"kernel\":{\"sites\":100,\"registers\":50,\"feature_bram36\":4,"
        "\"weight_bram36\":2,\"dsp\":1},\"unit\":{\"sites\":10,\"registers\":5}},"
        "\"layers\":[{\"name\":\"conv\",\"mode\":\"binary\",\"cycles\":200,\"enabled_cycles\":100,"
        "\"compute_cycles\":50,\"read_bytes\":32,\"write_bytes\":16,"
        "\"unit\":{\"toggles\":{\"input\":9,\"lut\":2,\"carry\":1,\"register\":3},"
        "\"routed\":{\"input\":1,\"lut\":1,\"carry\":1,\"register\":1},"
        "\"toggles_delayed\":{\"input\":9,\"lut\":4,\"carry\":1,\"register\":3},"
        "\"routed_delayed\":{\"input\":1,\"lut\":3,\"carry\":1,\"register\":1}},"
        "\"feature_memory\":{\"read_toggles\":0.5,\"write_bytes\":9,\"write_toggles\":0.25},"
        "\"weight_memory\":{\"reads\":1,\"read_toggles\":0.25,\"write_toggles\":0.5}}]}";

    if (index > 0 || sizeof text - 1 > capacity) {
        return 0;
    }
    memcpy(buffer, text, sizeof text - 1);
    return sizeof text - 1;
}
