/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark's row as docs/bench-format.md has it. What is not known is null. */
#include "bench.h"
#include "network_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* JSON has no NAN. */
static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, value) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

static bool add_text(cJSON *object, const char *key, const char *text)
{
    return text ? cJSON_AddStringToObject(object, key, text) != NULL
                : cJSON_AddNullToObject(object, key) != NULL;
}

/* Takes the item over; false where it is NULL. */
static bool add_item(cJSON *object, const char *key, cJSON *item)
{
    if (!item || !cJSON_AddItemToObject(object, key, item)) {
        cJSON_Delete(item);
        return false;
    }
    return true;
}

/* ---- What ran -------------------------------------------------------------------------------- */

static bool add_program(cJSON *row, const struct bench *bench)
{
    size_t size = 0;
    double parameters = 0.0;
    double bits = 0.0;
    cJSON *program = cJSON_AddObjectToObject(row, "program");
    /* Exporters give the same name to all networks: rows are told apart by the file's. */
    const char *name = bittern_network_name(bench->network);

    (void)bittern_program_data(bench->program, &size);
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bittern_layer *layer = bittern_network_layer(bench->network, i);
        double count = (double)bittern_layer_weight_count(layer);
        parameters += count;
        bits += count * (double)layer->weights.bits;
    }
    return program && add_text(program, "path", bench->bench_case->program) &&
           add_text(program, "name", bench->bench_case->stem) &&
           add_text(program, "network", name) && add_number(program, "crc32", bench->crc32) &&
           add_number(program, "bytes", (double)size) &&
           add_number(program, "parameters", parameters) &&
           add_number(program, "weight_bits", bits) &&
           add_number(program, "compression", bits > 0.0 ? 32.0 * parameters / bits : NAN);
}

static bool add_device(cJSON *row, const struct bench *bench)
{
    const struct bittern_device_info *info = bittern_device_get_info(bench->device);
    cJSON *device = cJSON_AddObjectToObject(row, "device");

    return device && add_text(device, "name", info->name) &&
           add_text(device, "description", info->description) &&
           add_item(device, "geometry",
                    info->geometry.version > 0 ? geometry_to_json(&info->geometry)
                                               : cJSON_CreateNull());
}

static bool add_settings(cJSON *row, const struct bench *bench)
{
    const struct image_choice *choice = &bench->arguments->options.choice;
    bool simulated = bench->bench_case->simulated;
    cJSON *settings = cJSON_AddObjectToObject(row, "settings");

    return settings && add_number(settings, "images", (double)bench->images.count) &&
           add_number(settings, "batch", (double)bench->batch) &&
           add_number(settings, "repetitions", (double)bench->repetition_count) &&
           add_number(settings, "warmup", (double)bench->warmup) &&
           add_number(settings, "clock_mhz", bench->arguments->clock_mhz) &&
           add_number(settings, "latency_cycles", simulated ? bench->bench_case->latency : NAN) &&
           add_number(settings, "jobs", (double)bench->jobs) &&
           add_text(settings, "dataset", bench->images.name) &&
           add_text(settings, "split",
                    bench->images.dataset ? run_split_name(choice->split) : NULL) &&
           add_number(settings, "start", (double)choice->start) &&
           add_number(settings, "seed", choice->random ? (double)choice->seed : NAN);
}

/* ---- What came out --------------------------------------------------------------------------- */

static bool add_accuracy(cJSON *row, const struct bench *bench)
{
    if (!bench->images.labels) {
        return cJSON_AddNullToObject(row, "accuracy") != NULL;
    }
    double labelled = (double)bench->images.count;
    double correct = (double)bench->accuracy.correct;
    cJSON *accuracy = cJSON_AddObjectToObject(row, "accuracy");
    return accuracy && add_number(accuracy, "correct", correct) &&
           add_number(accuracy, "labelled", labelled) &&
           add_number(accuracy, "fraction", correct / labelled);
}

static bool add_agreement(cJSON *row, const struct bench *bench)
{
    cJSON *agreement = cJSON_AddObjectToObject(row, "agreement");
    return agreement && add_number(agreement, "images", (double)bench->compared_images) &&
           add_number(agreement, "values", (double)bench->compared_values) &&
           add_number(agreement, "different", (double)bench->different);
}

static bool add_parts(cJSON *object, const struct bench_figures *f)
{
    return add_number(object, "compute_cycles", f->compute) &&
           add_number(object, "weight_stall_cycles", f->weight_stall) &&
           add_number(object, "input_stall_cycles", f->input_stall) &&
           add_number(object, "output_stall_cycles", f->output_stall) &&
           add_number(object, "other_cycles", f->other) &&
           add_number(object, "read_bytes", f->read_bytes) &&
           add_number(object, "write_bytes", f->write_bytes);
}

static bool add_whole(cJSON *row, const struct bench *bench)
{
    const struct bench_figures f = bench_whole(bench);
    cJSON *whole = cJSON_AddObjectToObject(row, "whole");
    cJSON *cycles = whole ? cJSON_AddArrayToObject(whole, "cycles") : NULL;
    cJSON *seconds = whole ? cJSON_AddArrayToObject(whole, "host_seconds") : NULL;

    bool made = cycles && seconds;
    for (size_t i = 0; made && i < bench->repetition_count; i++) {
        double counted = (double)bench->repetitions[i].counters.cycles;
        cJSON *one = counted > 0.0 ? cJSON_CreateNumber(counted) : cJSON_CreateNull();
        cJSON *wall = cJSON_CreateNumber(bench->repetitions[i].seconds);
        made = one && wall;
        made = (!one || cJSON_AddItemToArray(cycles, one)) && made;
        made = (!wall || cJSON_AddItemToArray(seconds, wall)) && made;
    }
    return made && add_number(whole, "cycles_per_image", f.cycles) &&
           add_number(whole, "images_per_second", bench_images_per_second(bench)) &&
           add_number(whole, "ideal_cycles_per_image", f.ideal) &&
           add_number(whole, "utilization", f.utilization) && add_parts(whole, &f) &&
           add_number(whole, "first_image_cycles", bench_first_cycles(bench)) &&
           add_number(whole, "first_image_seconds", bench_first_seconds(bench));
}

static const char *weights_text(const struct bittern_weights *weights, char *buffer, size_t size)
{
    if (weights->kind != BITTERN_WEIGHT_PLANES) {
        return bittern_weight_kind_name(weights->kind);
    }
    (void)snprintf(buffer, size, "%zu planes", weights->plane_count);
    return buffer;
}

static cJSON *layer_row(const struct bench *bench, size_t index)
{
    char weights[32];
    char activations[32];
    const struct bittern_layer *layer = bittern_network_layer(bench->network, index);
    const struct bench_figures f = bench_layer(bench, index);
    cJSON *json = cJSON_CreateObject();

    bool made =
        json && add_text(json, "name", layer->name) &&
        add_text(json, "kind", bittern_layer_op_name(layer->op)) &&
        add_text(json, "mode",
                 bench->plan ? bittern_array_mode_name(bench->plan->layers[index].mode) : NULL) &&
        add_text(json, "weights", weights_text(&layer->weights, weights, sizeof weights)) &&
        add_text(json, "activations",
                 value_type_text(&layer->input_type, activations, sizeof activations)) &&
        add_number(json, "macs", f.macs) && add_number(json, "cycles", f.cycles) &&
        add_number(json, "ideal_cycles", f.ideal) &&
        add_number(json, "utilization", f.utilization) && add_parts(json, &f) &&
        add_text(json, "bytes_source", bench->plan ? "planned" : NULL) &&
        add_number(json, "intensity", f.intensity);
    if (!made) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static bool add_layers(cJSON *row, const struct bench *bench)
{
    cJSON *layers = cJSON_AddArrayToObject(row, "layers");
    bool made = layers != NULL;

    for (size_t i = 0; made && i < bench->layer_count; i++) {
        cJSON *layer = layer_row(bench, i);
        made = layer && cJSON_AddItemToArray(layers, layer);
    }
    return made;
}

static bool add_roofline(cJSON *row, const struct bench *bench)
{
    struct bench_roofline roofline;

    if (!bench_roofline_of(bench, &roofline)) {
        return cJSON_AddNullToObject(row, "roofline") != NULL;
    }
    cJSON *json = cJSON_AddObjectToObject(row, "roofline");
    cJSON *peaks = json ? cJSON_AddObjectToObject(json, "peak_macs_per_cycle") : NULL;
    bool made = peaks != NULL;
    for (int mode = BITTERN_ARRAY_BINARY; made && mode <= BITTERN_ARRAY_INT; mode++) {
        made = add_number(peaks, bittern_array_mode_name((enum bittern_array_mode)mode),
                          roofline.peak[mode]);
    }
    return made && add_number(json, "bytes_per_cycle", roofline.bytes_per_cycle);
}

/* ---- Host ------------------------------------------------------------------------------------ */

/* "model name : ..." of Linux; false where it says none. */
static bool cpu_name(char *name, size_t size)
{
    char line[256];
    bool found = false;
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && !found && fgets(line, sizeof line, file)) {
        const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (colon) {
            (void)snprintf(name, size, "%s", colon + 1 + strspn(colon + 1, " \t"));
            name[strcspn(name, "\n")] = '\0';
            found = true;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

static bool add_host(cJSON *row, const struct bench *bench)
{
    char name[128];
    cJSON *host = cJSON_AddObjectToObject(row, "host");

    return host && add_number(host, "cpus", (double)run_usable_cpus()) &&
           add_text(host, "cpu", cpu_name(name, sizeof name) ? name : NULL) &&
           add_number(host, "seconds", bench->seconds) &&
           add_number(host, "device_seconds",
                      bench->jobs == 1 ? (double)bench->device_nanoseconds * 1e-9 : NAN);
}

cJSON *bench_row_make(const struct bench *bench)
{
    cJSON *row = cJSON_CreateObject();
    bool made = row && add_text(row, "format", BENCH_FORMAT) &&
                add_number(row, "version", BENCH_VERSION) && add_text(row, "key", bench->key) &&
                add_program(row, bench) && add_device(row, bench) && add_settings(row, bench) &&
                add_accuracy(row, bench) && add_agreement(row, bench) && add_whole(row, bench) &&
                add_layers(row, bench) && add_roofline(row, bench) &&
                add_item(row, "energy", bench_energy_make(bench)) && add_host(row, bench);
    if (!made) {
        cJSON_Delete(row);
        return NULL;
    }
    return row;
}
