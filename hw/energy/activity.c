/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_activity: a recording of the simulated kernel and the netlist of its compute unit become
 * an activity file (docs/bench-format.md). hw/energy/measure.sh makes both and calls this.
 */
#include "replay.h"

#include "base/file.h"

#include <bittern/accelerator.h>
#include <bittern/energy.h>
#include <bittern/program.h>
#include <cjson/cJSON.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *program, *recording, *netlist, *family, *dataset, *output;
    unsigned long images, unit_sites;
    /* Of the whole kernel. */
    unsigned long sites, registers, feature_bram36, weight_bram36, dsp;
};

static const char usage[] =
    "usage: replay_activity --program P.btn --recording R --netlist N.blif --family xc7|xcup\n"
    "           --images N --dataset NAME --unit-sites N\n"
    "           --kernel SITES,REGISTERS,FEATURE_BRAM36,WEIGHT_BRAM36,DSP -o ACTIVITY.json\n"
    "\n"
    "Called by hw/energy/measure.sh, which makes what it reads.\n"
    "\n"
    "Example: hw/energy/measure.sh examples/lenet5-w2a2-mnist.onnx -o activity.json\n";

/* ---- JSON ------------------------------------------------------------------------------------ */

static double ratio(uint64_t part, double whole)
{
    return whole > 0 ? (double)part / whole : 0.0;
}

static bool add_kinds(cJSON *parent, const char *name, const uint64_t *counts, double per)
{
    static const char *const kinds[NET_DRIVERS] = {"input", "lut", "carry", "register"};
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    bool made = object != NULL;
    for (size_t i = 0; made && i < NET_DRIVERS; i++) {
        made = cJSON_AddNumberToObject(object, kinds[i], ratio(counts[i], per)) != NULL;
    }
    return made;
}

static bool add_unit(cJSON *parent, const struct recording *recording,
                     const struct replay_result *result)
{
    double per =
        (double)result->compute_cycles * recording->head.output_channels * recording->head.pixels;
    cJSON *recorded = cJSON_AddObjectToObject(parent, "recorded");
    cJSON *unit = cJSON_AddObjectToObject(parent, "unit");

    return recorded && unit &&
           cJSON_AddNumberToObject(recorded, "cycles", (double)result->cycles) &&
           cJSON_AddNumberToObject(recorded, "compute_cycles", (double)result->compute_cycles) &&
           cJSON_AddNumberToObject(recorded, "sums_compared", (double)result->sums) &&
           add_kinds(unit, "toggles", result->settled.changes, per) &&
           add_kinds(unit, "routed", result->settled.routed, ROUTED_ONE * per) &&
           add_kinds(unit, "toggles_delayed", result->delayed.changes, per) &&
           add_kinds(unit, "routed_delayed", result->delayed.routed, ROUTED_ONE * per);
}

/* Weights are written ahead, while some other layer runs: one figure for all layers. */
static double ring_write_toggles(const struct recording *recording)
{
    uint64_t toggles = 0;
    uint64_t writes = 0;
    for (uint32_t i = 0; i < recording->head.layers; i++) {
        toggles += recording->layers[i].head.counts.ring_write_toggles;
        writes += recording->layers[i].head.counts.ring_writes;
    }
    return ratio(toggles, (double)writes * recording->head.word_bits);
}

static bool add_memories(cJSON *parent, const struct recording *recording,
                         const struct activity_counts *counts, unsigned long images)
{
    const struct activity_file_header *head = &recording->head;
    double compute = (double)counts->compute_cycles;
    double feature_bits = (double)head->pixels * head->word_bits;
    double ring_bits = (double)head->output_channels * head->word_bits;
    cJSON *feature = cJSON_AddObjectToObject(parent, "feature_memory");
    cJSON *weight = cJSON_AddObjectToObject(parent, "weight_memory");

    return feature && weight &&
           cJSON_AddNumberToObject(feature, "read_toggles",
                                   ratio(counts->feature_read_toggles, compute * feature_bits)) &&
           cJSON_AddNumberToObject(feature, "write_bytes",
                                   ratio(counts->feature_write_bytes, (double)images)) &&
           cJSON_AddNumberToObject(
               feature, "write_toggles",
               ratio(counts->feature_write_toggles, 8.0 * (double)counts->feature_write_bytes)) &&
           cJSON_AddNumberToObject(weight, "reads", ratio(counts->ring_reads, compute)) &&
           cJSON_AddNumberToObject(weight, "read_toggles",
                                   ratio(counts->ring_read_toggles, compute * ring_bits)) &&
           cJSON_AddNumberToObject(weight, "write_toggles", ring_write_toggles(recording));
}

static bool add_layer(cJSON *layers, const struct bittern_layer_plan *plan,
                      const struct recording *recording, const struct recording_layer *layer,
                      const struct replay_result *result, unsigned long images)
{
    const struct activity_counts *counts = &layer->head.counts;
    cJSON *item = cJSON_CreateObject();

    return item && cJSON_AddItemToArray(layers, item) &&
           cJSON_AddStringToObject(item, "name", plan->name) &&
           cJSON_AddStringToObject(item, "mode", bittern_array_mode_name(plan->mode)) &&
           cJSON_AddNumberToObject(item, "cycles", (double)counts->cycles) &&
           cJSON_AddNumberToObject(item, "enabled_cycles", (double)counts->enabled_cycles) &&
           cJSON_AddNumberToObject(item, "compute_cycles", (double)counts->compute_cycles) &&
           cJSON_AddNumberToObject(item, "read_bytes", (double)counts->read_bytes) &&
           cJSON_AddNumberToObject(item, "write_bytes", (double)counts->write_bytes) &&
           add_unit(item, recording, result) && add_memories(item, recording, counts, images);
}

static bool add_heads(cJSON *root, const struct arguments *a, const struct bittern_program *program,
                      const struct recording *recording, const struct netlist *netlist)
{
    const struct activity_file_header *head = &recording->head;
    bool made = cJSON_AddStringToObject(root, "format", "bittern-activity") &&
                cJSON_AddNumberToObject(root, "version", 1);
    cJSON *identity = cJSON_AddObjectToObject(root, "program");
    cJSON *array = cJSON_AddObjectToObject(root, "array");
    cJSON *area = cJSON_AddObjectToObject(root, "area");
    cJSON *kernel = cJSON_AddObjectToObject(area, "kernel");
    cJSON *unit = cJSON_AddObjectToObject(area, "unit");

    return made && identity &&
           cJSON_AddNumberToObject(identity, "crc32", bittern_energy_program_crc32(program)) &&
           cJSON_AddStringToObject(identity, "geometry", bittern_program_geometry(program)->name) &&
           cJSON_AddStringToObject(root, "family", a->family) &&
           cJSON_AddNumberToObject(root, "images", (double)a->images) &&
           cJSON_AddStringToObject(root, "dataset", a->dataset) &&
           cJSON_AddNumberToObject(root, "cycles", (double)head->cycles) &&
           cJSON_AddNumberToObject(root, "read_bytes", (double)head->read_bytes) &&
           cJSON_AddNumberToObject(root, "write_bytes", (double)head->write_bytes) && array &&
           cJSON_AddNumberToObject(array, "word_bits", head->word_bits) &&
           cJSON_AddNumberToObject(array, "output_channels", head->output_channels) &&
           cJSON_AddNumberToObject(array, "pixels", head->pixels) && kernel && unit &&
           cJSON_AddNumberToObject(kernel, "sites", (double)a->sites) &&
           cJSON_AddNumberToObject(kernel, "registers", (double)a->registers) &&
           cJSON_AddNumberToObject(kernel, "feature_bram36", (double)a->feature_bram36) &&
           cJSON_AddNumberToObject(kernel, "weight_bram36", (double)a->weight_bram36) &&
           cJSON_AddNumberToObject(kernel, "dsp", (double)a->dsp) &&
           cJSON_AddNumberToObject(unit, "sites", (double)a->unit_sites) &&
           cJSON_AddNumberToObject(unit, "registers", (double)netlist_register_count(netlist));
}

/* ---- The work -------------------------------------------------------------------------------- */

static const struct recording_layer *find_layer(const struct recording *recording, size_t number)
{
    for (uint32_t i = 0; i < recording->head.layers; i++) {
        if (recording->layers[i].head.number == number) {
            return &recording->layers[i];
        }
    }
    return NULL;
}

static bittern_status replay_all(cJSON *layers, const struct arguments *a,
                                 const struct bittern_accelerator_plan *plan,
                                 const struct recording *recording, struct netlist *netlist,
                                 struct bittern_error *err)
{
    struct replay_result result;

    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct recording_layer *layer = find_layer(recording, i);
        if (!layer) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "%s holds nothing of layer %zu: it is of another program",
                                     a->recording, i);
        }
        bittern_status status = replay_layer(netlist, recording, layer, &result, err);
        if (status != BITTERN_OK) {
            return status;
        }
        if (result.compute_cycles == 0) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "layer %zu computed too few cycles to look at; record more "
                                     "images",
                                     i);
        }
        if (!add_layer(layers, &plan->layers[i], recording, layer, &result, a->images)) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
        }
    }
    return BITTERN_OK;
}

static bittern_status write_json(const char *path, const cJSON *root, struct bittern_error *err)
{
    char *text = cJSON_Print(root);
    if (!text) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
    }
    bittern_status status = file_write(path, text, strlen(text), err);
    cJSON_free(text);
    return status;
}

static bittern_status measure(const struct arguments *a, struct bittern_error *err)
{
    struct bittern_program *program = NULL;
    struct bittern_accelerator_plan *plan = NULL;
    struct recording recording = {0};
    struct netlist *netlist = NULL;
    cJSON *root = cJSON_CreateObject();

    bittern_status status = bittern_program_read(a->program, &program, err);
    if (status == BITTERN_OK) {
        status = bittern_accelerator_plan_create(program, a->images, &plan, err);
    }
    if (status == BITTERN_OK) {
        status = recording_read(a->recording, &recording, err);
    }
    if (status == BITTERN_OK) {
        status = netlist_read(a->netlist, &netlist, err);
    }
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (!root || !add_heads(root, a, program, &recording, netlist)) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
        goto cleanup;
    }
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    status = layers ? replay_all(layers, a, plan, &recording, netlist, err)
                    : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
    if (status == BITTERN_OK) {
        status = write_json(a->output, root, err);
    }

cleanup:
    cJSON_Delete(root);
    netlist_free(netlist);
    recording_free(&recording);
    bittern_accelerator_plan_free(plan);
    bittern_program_free(program);
    return status;
}

static bool parse_number(const char *text, unsigned long *value)
{
    char *end = NULL;
    *value = strtoul(text, &end, 10);
    return end != text && *end == '\0' && *text >= '0' && *text <= '9';
}

static bool parse_kernel(const char *text, struct arguments *a)
{
    unsigned long *const fields[] = {&a->sites, &a->registers, &a->feature_bram36,
                                     &a->weight_bram36, &a->dsp};
    for (size_t i = 0; i < 5; i++) {
        char *end = NULL;
        *fields[i] = strtoul(text, &end, 10);
        if (end == text || *end != (i < 4 ? ',' : '\0')) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {{"program", required_argument, NULL, 'p'},
                                            {"recording", required_argument, NULL, 'r'},
                                            {"netlist", required_argument, NULL, 'n'},
                                            {"family", required_argument, NULL, 'f'},
                                            {"images", required_argument, NULL, 'i'},
                                            {"dataset", required_argument, NULL, 'd'},
                                            {"unit-sites", required_argument, NULL, 'u'},
                                            {"kernel", required_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool fine = true;
    int option;

    while (fine && (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
        const char **const texts[] = {
            ['p'] = &a->program, ['r'] = &a->recording, ['n'] = &a->netlist,
            ['f'] = &a->family,  ['d'] = &a->dataset,   ['o'] = &a->output};
        switch (option) {
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'i':
            fine = parse_number(optarg, &a->images);
            break;
        case 'u':
            fine = parse_number(optarg, &a->unit_sites);
            break;
        case 'k':
            fine = parse_kernel(optarg, a);
            break;
        case '?':
            fine = false;
            break;
        default:
            *texts[option] = optarg;
        }
    }
    return fine && optind == argc && a->program && a->recording && a->netlist && a->family &&
           a->dataset && a->output && a->images > 0 && a->sites > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct bittern_error err = {0};

    if (!parse(argc, argv, &arguments)) {
        fputs(usage, stderr);
        return 2;
    }
    if (measure(&arguments, &err) != BITTERN_OK) {
        fprintf(stderr, "replay_activity: %s\n", err.message);
        return 1;
    }
    return 0;
}
