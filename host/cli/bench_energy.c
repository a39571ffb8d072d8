/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The energy of a benchmark's row: the one place where it is made. Measured around the repetitions,
 * by the host's counters for the reference and the board's sensors for a board; or modelled from
 * the cycles and bytes of the row and an activity file of its program.
 */
#include "bench.h"
#include "bench_rows.h"

#include <bittern/energy.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MILLISECONDS 1000

static const char *const names[] = {[BENCH_ENERGY_AUTO] = "auto",
                                    [BENCH_ENERGY_NONE] = "none",
                                    [BENCH_ENERGY_HOST] = "host",
                                    [BENCH_ENERGY_BOARD] = "board",
                                    [BENCH_ENERGY_MODEL] = "model"};

bool bench_energy_parse(const char *text, enum bench_energy *energy)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *energy = (enum bench_energy)i;
            return true;
        }
    }
    return false;
}

/* What `auto` stands for with this device. */
static enum bench_energy choose_source(const struct bench_arguments *arguments, const char *device)
{
    bool reference = run_device_is_reference(device);

    if (arguments->energy != BENCH_ENERGY_AUTO) {
        return arguments->energy;
    }
    if (arguments->activity_count > 0 && !reference) {
        return BENCH_ENERGY_MODEL;
    }
    if (run_device_is_simulated(device)) {
        return BENCH_ENERGY_NONE;
    }
    return reference ? BENCH_ENERGY_HOST : BENCH_ENERGY_BOARD;
}

/* ---- Measured -------------------------------------------------------------------------------- */

static bittern_status open_meter(struct bench *bench, enum bench_energy energy,
                                 struct bittern_error *err)
{
    struct bittern_energy_meter *meter = NULL;
    bool asked = bench->arguments->energy != BENCH_ENERGY_AUTO;

    bittern_status status = bittern_energy_meter_open(
        energy == BENCH_ENERGY_HOST ? BITTERN_ENERGY_HOST : BITTERN_ENERGY_BOARD, NULL, &meter,
        asked ? err : NULL);
    if (status == BITTERN_OK) {
        status = bittern_energy_meter_measure_idle(meter, IDLE_MILLISECONDS, asked ? err : NULL);
    }
    if (status != BITTERN_OK) {
        bittern_energy_meter_close(meter);
        return asked ? status : BITTERN_OK; /* a machine without sensors is no fault */
    }
    bench->meter = meter;
    return BITTERN_OK;
}

bittern_status bench_energy_start(struct bench *bench, struct bittern_error *err)
{
    return bench->meter ? bittern_energy_meter_start(bench->meter, err) : BITTERN_OK;
}

/* Takes the text over. */
static bittern_status take_json(struct bench *bench, char *text, struct bittern_error *err)
{
    bench->energy = text ? cJSON_Parse(text) : NULL;
    free(text);
    return bench->energy ? BITTERN_OK
                         : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy");
}

bittern_status bench_energy_stop(struct bench *bench, struct bittern_error *err)
{
    struct bittern_energy_measurement measurement;
    uint64_t images = (uint64_t)bench->images.count * bench->repetition_count;

    if (!bench->meter) {
        return BITTERN_OK;
    }
    bittern_status status = bittern_energy_meter_stop(bench->meter, &measurement, err);
    return status == BITTERN_OK
               ? take_json(bench, bittern_energy_measurement_to_json(&measurement, images), err)
               : status;
}

/* ---- Modelled -------------------------------------------------------------------------------- */

/* The activity file of this program, if one is. */
static bittern_status find_activity(struct bench *bench, struct bittern_error *err)
{
    for (size_t i = 0; i < bench->arguments->activity_count; i++) {
        struct bittern_energy_activity *activity = NULL;
        bittern_status status =
            bittern_energy_activity_read(bench->arguments->activities[i], &activity, err);
        if (status != BITTERN_OK) {
            return status;
        }
        if (bittern_energy_activity_crc32(activity) == bench->crc32) {
            bench->activity = activity;
            return BITTERN_OK;
        }
        bittern_energy_activity_free(activity);
    }
    if (bench->arguments->energy == BENCH_ENERGY_MODEL) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "no activity file is of this program (check sum %" PRIu32 "); one "
                                 "is for one program on one geometry (docs/energy.md)",
                                 bench->crc32);
    }
    fprintf(stderr,
            "bittern bench: %s: no activity file is of this program, so its energy stays "
            "unknown\n",
            bench->key);
    return BITTERN_OK;
}

bittern_status bench_energy_model(struct bench *bench, struct bittern_error *err)
{
    const struct bench_figures whole = bench_whole(bench);
    struct bittern_energy_coefficients *coefficients = NULL;
    struct bittern_energy_estimate *result = NULL;
    struct bittern_energy_layer_load *layers = calloc(bench->layer_count, sizeof *layers);
    bittern_status status = BITTERN_OK;

    if (!bench->activity) {
        goto cleanup;
    }
    if (!layers) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy");
        goto cleanup;
    }
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bench_figures f = bench_layer(bench, i);
        layers[i] = (struct bittern_energy_layer_load){.cycles = f.cycles,
                                                       .compute_cycles = f.compute,
                                                       .read_bytes = f.read_bytes,
                                                       .write_bytes = f.write_bytes};
    }
    const struct bittern_energy_load load = {.program_crc32 = bench->crc32,
                                             .clock_mhz = bench->arguments->clock_mhz,
                                             .cycles_per_image = whole.cycles,
                                             .read_bytes = whole.read_bytes,
                                             .write_bytes = whole.write_bytes,
                                             .layer_count = bench->layer_count,
                                             .layers = layers};
    status = bittern_energy_coefficients_read(NULL, &coefficients, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = bittern_energy_model(coefficients, bench->activity, &load, false, &result, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = take_json(bench, bittern_energy_estimate_to_json(result), err);

cleanup:
    bittern_energy_estimate_free(result);
    bittern_energy_coefficients_free(coefficients);
    free(layers);
    return status;
}

/* ---- Both ------------------------------------------------------------------------------------ */

bittern_status bench_energy_open(struct bench *bench, struct bittern_error *err)
{
    enum bench_energy energy = choose_source(bench->arguments, bench->device_name);

    if (energy == BENCH_ENERGY_HOST || energy == BENCH_ENERGY_BOARD) {
        return open_meter(bench, energy, err);
    }
    return energy == BENCH_ENERGY_MODEL ? find_activity(bench, err) : BITTERN_OK;
}

cJSON *bench_energy_make(const struct bench *bench)
{
    return bench->energy ? cJSON_Duplicate(bench->energy, true) : cJSON_CreateNull();
}

/* Joules with the prefix that leaves one to three digits in front of the point. */
static void print_joules(double low, double nominal, double high)
{
    static const char *const units[] = {"J", "mJ", "uJ", "nJ", "pJ"};
    double scale = 1.0;
    size_t unit = 0;

    while (nominal * scale < 1.0 && unit + 1 < sizeof units / sizeof units[0]) {
        scale *= 1e3;
        unit++;
    }
    printf("Energy    %.4g %s an image", nominal * scale, units[unit]);
    if (low < high) {
        printf(" (%.4g to %.4g)", low * scale, high * scale);
    }
}

void bench_energy_print(const struct bench *bench)
{
    const char *source = bench->energy ? bench_row_text(bench->energy, "source") : NULL;
    const char *detail = bench->energy ? bench_row_text(bench->energy, "detail") : NULL;

    if (source) {
        print_joules(bench_row_number(bench->energy, "joules_per_image.low"),
                     bench_row_number(bench->energy, "joules_per_image.nominal"),
                     bench_row_number(bench->energy, "joules_per_image.high"));
        printf(", %s: %s\n", source, detail ? detail : "");
    }
}

void bench_energy_close(struct bench *bench)
{
    bittern_energy_meter_close(bench->meter);
    bittern_energy_activity_free(bench->activity);
    cJSON_Delete(bench->energy);
    bench->meter = NULL;
    bench->activity = NULL;
    bench->energy = NULL;
}
