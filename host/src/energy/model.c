/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joules an image out of activity, coefficients and load. Everything is linear in the load, so that
 * a draw of coefficients costs a few dozen multiplications a layer.
 */
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 4000
#define SEED UINT64_C(1)
#define BRAM_PORT_BITS 72.0 /* of a BRAM36 at its widest */

/* ---- Parts of a layer ------------------------------------------------------------------------ */

static double between(double settled, double delayed, double share)
{
    return settled + share * (delayed - settled);
}

/* Joules of one unit in one array cycle. */
static double unit_joules(const double *c, const struct energy_activity_layer *layer)
{
    double glitch = c[ENERGY_GLITCH_SHARE];
    const struct energy_changes *t = &layer->toggles;
    const struct energy_changes *td = &layer->toggles_delayed;
    const struct energy_changes *r = &layer->routed;
    const struct energy_changes *rd = &layer->routed_delayed;
    double routed = between(r->input, rd->input, glitch) + between(r->lut, rd->lut, glitch) +
                    between(r->carry, rd->carry, glitch) +
                    between(r->register_, rd->register_, glitch);

    return between(t->lut, td->lut, glitch) * c[ENERGY_TOGGLE_LUT] +
           between(t->carry, td->carry, glitch) * c[ENERGY_TOGGLE_CARRY] +
           between(t->register_, td->register_, glitch) * c[ENERGY_TOGGLE_REGISTER] +
           routed * c[ENERGY_TOGGLE_ROUTED];
}

/* All of a memory's blocks, in one cycle of reading. */
static double feature_read_joules(const double *c, const struct bittern_energy_activity *activity)
{
    return activity->feature_bram36 * c[ENERGY_FEATURE_ENABLED_SHARE] * c[ENERGY_BRAM_READ];
}

static double feature_joules(const double *c, const struct bittern_energy_activity *activity,
                             const struct energy_activity_layer *layer,
                             const struct bittern_energy_layer_load *load)
{
    double bits = activity->pixels * activity->word_bits;
    double reads = load->cycles * layer->enabled_cycles / layer->cycles;
    double written = 8.0 * layer->feature_write_bytes;

    return reads * feature_read_joules(c, activity) +
           load->compute_cycles * bits * layer->feature_read_toggles * c[ENERGY_BRAM_BIT] +
           written / BRAM_PORT_BITS * c[ENERGY_BRAM_WRITE] +
           written * layer->feature_write_toggles * c[ENERGY_BRAM_BIT];
}

static double weight_joules(const double *c, const struct bittern_energy_activity *activity,
                            const struct energy_activity_layer *layer,
                            const struct bittern_energy_layer_load *load)
{
    double bits = activity->output_channels * activity->word_bits;
    double written = 8.0 * load->read_bytes;

    return load->compute_cycles * layer->weight_reads * activity->weight_bram36 *
               c[ENERGY_BRAM_READ] +
           load->compute_cycles * bits * layer->weight_read_toggles * c[ENERGY_BRAM_BIT] +
           written / BRAM_PORT_BITS * c[ENERGY_BRAM_WRITE] +
           written * layer->weight_write_toggles * c[ENERGY_BRAM_BIT];
}

/* Everything but the array and the memories, in one cycle. */
static double control_joules(const double *c, const struct bittern_energy_activity *activity)
{
    double units = activity->output_channels * activity->pixels;
    double sites = activity->kernel_sites - units * activity->unit_sites;
    double registers = fmax(activity->kernel_registers - units * activity->unit_registers, 0.0);

    return c[ENERGY_CONTROL_ACTIVITY] *
               (sites *
                    (c[ENERGY_TOGGLE_LUT] + c[ENERGY_CONTROL_READERS] * c[ENERGY_TOGGLE_ROUTED]) +
                registers * (c[ENERGY_TOGGLE_REGISTER] +
                             c[ENERGY_CONTROL_READERS] * c[ENERGY_TOGGLE_ROUTED])) +
           activity->dsp * c[ENERGY_DSP_CYCLE];
}

static void time_parts(const struct energy_family *family, const double *c,
                       const struct bittern_energy_activity *activity, double cycles,
                       double clock_mhz, double *parts)
{
    parts[BITTERN_ENERGY_CONTROL] = cycles * control_joules(c, activity);
    parts[BITTERN_ENERGY_CLOCK] = cycles * activity->kernel_registers * c[ENERGY_CLOCK_REGISTER];
    parts[BITTERN_ENERGY_STATIC] = cycles / (clock_mhz * 1e6) * c[ENERGY_STATIC_WATTS] *
                                   activity->kernel_sites / family->device_sites;
}

/* What a load has beyond its layers. */
static struct bittern_energy_layer_load outside(const struct bittern_energy_load *load)
{
    struct bittern_energy_layer_load rest = {
        .cycles = load->cycles_per_image,
        .read_bytes = load->read_bytes,
        .write_bytes = load->write_bytes,
    };
    for (size_t i = 0; i < load->layer_count; i++) {
        rest.cycles -= load->layers[i].cycles;
        rest.read_bytes -= load->layers[i].read_bytes;
        rest.write_bytes -= load->layers[i].write_bytes;
    }
    rest.cycles = fmax(rest.cycles, 0.0);
    rest.read_bytes = fmax(rest.read_bytes, 0.0);
    rest.write_bytes = fmax(rest.write_bytes, 0.0);
    return rest;
}

void energy_layer_parts(const struct energy_family *family, const double *c,
                        const struct bittern_energy_activity *activity,
                        const struct bittern_energy_load *load, size_t layer, double *parts)
{
    struct bittern_energy_layer_load l;

    memset(parts, 0, BITTERN_ENERGY_PARTS * sizeof *parts);
    if (layer < load->layer_count) {
        double units = activity->output_channels * activity->pixels;
        l = load->layers[layer];
        parts[BITTERN_ENERGY_ARRAY] =
            l.compute_cycles * units * unit_joules(c, &activity->layers[layer]);
        parts[BITTERN_ENERGY_FEATURE_MEMORY] =
            feature_joules(c, activity, &activity->layers[layer], &l);
        parts[BITTERN_ENERGY_WEIGHT_MEMORY] =
            weight_joules(c, activity, &activity->layers[layer], &l);
    } else {
        l = outside(load);
        parts[BITTERN_ENERGY_FEATURE_MEMORY] = l.cycles * feature_read_joules(c, activity);
    }
    time_parts(family, c, activity, l.cycles, load->clock_mhz, parts);
    parts[BITTERN_ENERGY_OFF_CHIP] = 8.0 * (l.read_bytes + l.write_bytes) * c[ENERGY_OFF_CHIP_BIT];
}

double energy_total(const struct energy_family *family, const double *coefficients,
                    const struct bittern_energy_activity *activity,
                    const struct bittern_energy_load *load)
{
    double parts[BITTERN_ENERGY_PARTS];
    double total = 0.0;
    for (size_t i = 0; i <= load->layer_count; i++) {
        energy_layer_parts(family, coefficients, activity, load, i, parts);
        for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
            total += parts[p];
        }
    }
    return total;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static bool is_amount(double value)
{
    return isfinite(value) && value >= 0.0 && value < 1e18;
}

static bool load_is_sane(const struct bittern_energy_load *load)
{
    bool sane = isfinite(load->clock_mhz) && load->clock_mhz > 0.0 && load->layer_count > 0 &&
                is_amount(load->cycles_per_image) && is_amount(load->read_bytes) &&
                is_amount(load->write_bytes);
    for (size_t i = 0; sane && i < load->layer_count; i++) {
        const struct bittern_energy_layer_load *layer = &load->layers[i];
        sane = is_amount(layer->cycles) && is_amount(layer->compute_cycles) &&
               is_amount(layer->read_bytes) && is_amount(layer->write_bytes);
    }
    return sane;
}

bittern_status energy_check(const struct bittern_energy_coefficients *coefficients,
                            const struct bittern_energy_activity *activity,
                            const struct bittern_energy_load *load,
                            const struct energy_family **family, struct bittern_error *err)
{
    if (!load_is_sane(load)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the load has a clock, a cycle or a byte count that cannot be");
    }
    if (load->program_crc32 != activity->crc32 || load->layer_count != activity->layer_count) {
        return bittern_error_set(
            err, BITTERN_ERR_MISMATCH,
            "the activity is of another program (check sum %08" PRIx32 ", %zu layers) than the one "
            "that ran (%08" PRIx32 ", %zu layers); measure it with hw/energy/measure.sh",
            activity->crc32, activity->layer_count, load->program_crc32, load->layer_count);
    }
    *family = energy_family_find(coefficients, activity->family);
    if (!*family) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' has no coefficients for the family '%s' of the activity",
                                 coefficients->name, activity->family);
    }
    return BITTERN_OK;
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void energy_percentiles(double *values, size_t count, double nominal,
                        struct bittern_energy_range *range)
{
    qsort(values, count, sizeof *values, compare_doubles);
    *range = (struct bittern_energy_range){.low = fmin(values[count / 20], nominal),
                                           .nominal = nominal,
                                           .high = fmax(values[count - 1 - count / 20], nominal)};
}

/* Rows: each layer's parts and their sum, what is outside, and the same of all together. */
#define ROW (BITTERN_ENERGY_PARTS + 1)

static void evaluate(const struct energy_family *family, const double *coefficients,
                     const struct bittern_energy_activity *activity,
                     const struct bittern_energy_load *load, double *rows)
{
    double *all = rows + (load->layer_count + 1) * ROW;
    memset(all, 0, ROW * sizeof *all);
    for (size_t i = 0; i <= load->layer_count; i++) {
        double *row = rows + i * ROW;
        energy_layer_parts(family, coefficients, activity, load, i, row);
        row[BITTERN_ENERGY_PARTS] = 0.0;
        for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
            row[BITTERN_ENERGY_PARTS] += row[p];
        }
        for (size_t p = 0; p < ROW; p++) {
            all[p] += row[p];
        }
    }
}

static void store(struct bittern_energy_estimate *estimate, size_t cell,
                  const struct bittern_energy_range *range)
{
    size_t row = cell / ROW;
    size_t part = cell % ROW;
    if (row == estimate->layer_count) {
        return; /* outside of all layers: in the whole only */
    }
    struct bittern_energy_range *parts =
        row < estimate->layer_count ? estimate->layers[row].parts : estimate->parts;
    struct bittern_energy_range *sum = row < estimate->layer_count
                                           ? &estimate->layers[row].joules_per_image
                                           : &estimate->joules_per_image;
    if (part == BITTERN_ENERGY_PARTS) {
        *sum = *range;
    } else {
        parts[part] = *range;
    }
}

static bittern_status fill_ranges(const struct energy_family *family,
                                  const struct bittern_energy_activity *activity,
                                  const struct bittern_energy_load *load,
                                  struct bittern_energy_estimate *estimate,
                                  struct bittern_error *err)
{
    size_t cells = (load->layer_count + 2) * ROW;
    size_t draws = estimate->bounds ? 2 : DRAWS;
    double values[ENERGY_COEFFICIENTS];
    double *nominal = calloc(cells, sizeof *nominal);
    double *drawn = calloc(cells * draws, sizeof *drawn); /* [draws][cells] */
    double *column = calloc(draws, sizeof *column);
    uint64_t state = SEED;
    bittern_status status = BITTERN_OK;

    if (!nominal || !drawn || !column) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy model");
        goto cleanup;
    }
    energy_coefficients_end(family, 0, values);
    evaluate(family, values, activity, load, nominal);
    for (size_t d = 0; d < draws; d++) {
        if (estimate->bounds) {
            energy_coefficients_end(family, d == 0 ? -1 : 1, values);
        } else {
            energy_coefficients_draw(family, &state, values);
        }
        evaluate(family, values, activity, load, drawn + d * cells);
    }
    for (size_t cell = 0; cell < cells; cell++) {
        struct bittern_energy_range range;
        for (size_t d = 0; d < draws; d++) {
            column[d] = drawn[d * cells + cell];
        }
        energy_percentiles(column, draws, nominal[cell], &range);
        store(estimate, cell, &range);
    }

cleanup:
    free(nominal);
    free(drawn);
    free(column);
    return status;
}

/* ---- The estimate ---------------------------------------------------------------------------- */

bittern_status bittern_energy_model(const struct bittern_energy_coefficients *coefficients,
                                    const struct bittern_energy_activity *activity,
                                    const struct bittern_energy_load *load, bool bounds,
                                    struct bittern_energy_estimate **out, struct bittern_error *err)
{
    const struct energy_family *family = NULL;
    struct bittern_energy_estimate *estimate = NULL;

    *out = NULL;
    bittern_status status = energy_check(coefficients, activity, load, &family, err);
    if (status != BITTERN_OK) {
        return status;
    }
    estimate = calloc(1, sizeof *estimate);
    if (!estimate) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy model");
    }
    estimate->bounds = bounds;
    estimate->layers = calloc(load->layer_count, sizeof *estimate->layers);
    if (!estimate->layers) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy model");
        goto cleanup;
    }
    for (; estimate->layer_count < load->layer_count; estimate->layer_count++) {
        char *name = strdup(activity->layers[estimate->layer_count].name);
        if (!name) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the energy model");
            goto cleanup;
        }
        estimate->layers[estimate->layer_count].name = name;
    }
    (void)snprintf(estimate->detail, sizeof estimate->detail, "%s, geometry %s, %g MHz",
                   family->part, activity->geometry, load->clock_mhz);
    (void)snprintf(estimate->coefficients, sizeof estimate->coefficients, "%s", coefficients->name);
    status = fill_ranges(family, activity, load, estimate, err);
    if (status == BITTERN_OK) {
        *out = estimate;
        estimate = NULL;
    }

cleanup:
    bittern_energy_estimate_free(estimate);
    return status;
}

void bittern_energy_estimate_free(struct bittern_energy_estimate *estimate)
{
    if (!estimate) {
        return;
    }
    for (size_t i = 0; i < estimate->layer_count; i++) {
        free((char *)estimate->layers[i].name);
    }
    free(estimate->layers);
    free(estimate);
}
