/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the reader of activity files. What is accepted must give figures that are numbers, ordered
 * and not negative, and JSON of them.
 */
#include "energy_activity.h"
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
    if (index > 0 || sizeof energy_activity_text - 1 > capacity) {
        return 0;
    }
    memcpy(buffer, energy_activity_text, sizeof energy_activity_text - 1);
    return sizeof energy_activity_text - 1;
}
