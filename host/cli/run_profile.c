/* SPDX-License-Identifier: Apache-2.0 */
/* Where an accelerator's cycles went, layer by layer: its own records beside the compiler's plan.
 */
#include "network_report.h"
#include "run.h"
#include "table.h"

#include <bittern/accelerator.h>
#include <stdlib.h>

/* Ideal cycles an image of each layer, 0 where they are not known; to be freed. */
static double *ideal_cycles(const struct run *run)
{
    size_t count = bittern_network_layer_count(run->network);
    double *ideal = calloc(count, sizeof *ideal);
    struct bittern_accelerator_plan *plan = NULL;

    if (ideal && bittern_program_geometry(run->program)->version > 0 &&
        bittern_accelerator_plan_create(run->program, run->batch, &plan, NULL) == BITTERN_OK) {
        for (size_t i = 0; i < count && i < plan->layer_count; i++) {
            ideal[i] = (double)plan->layers[i].ideal_cycles;
        }
    }
    bittern_accelerator_plan_free(plan);
    return ideal;
}

struct run_cycles run_cycles_of(const struct run *run)
{
    struct run_cycles cycles = {.utilization = -1.0};
    double counted = (double)run->counters.cycles;
    double *ideal = ideal_cycles(run);

    if (counted > 0.0) {
        double sum = 0.0;
        cycles.images_per_second = RUN_CLOCK_HZ * (double)run->done / counted;
        for (size_t i = 0; ideal && i < bittern_network_layer_count(run->network); i++) {
            sum += ideal[i];
        }
        cycles.utilization = sum > 0.0 ? sum * (double)run->done / counted : -1.0;
    }
    free(ideal);
    return cycles;
}

/* What table and JSON both need; false: out of memory. */
struct profile {
    size_t count;
    struct bittern_layer_profile *layers; /* [count] */
    double *ideal;                        /* [count] */
};

static bool profile_make(const struct run *run, struct profile *profile)
{
    profile->count = bittern_network_layer_count(run->network);
    profile->ideal = ideal_cycles(run);
    profile->layers = calloc(profile->count, sizeof *profile->layers);
    return profile->ideal && profile->layers &&
           run_jobs_profile(run->jobs, profile->layers, profile->count, NULL) == BITTERN_OK;
}

static void profile_free(struct profile *profile)
{
    free(profile->layers);
    free(profile->ideal);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static double utilization(const struct profile *profile, size_t index)
{
    const struct bittern_layer_profile *layer = &profile->layers[index];
    return layer->cycles > 0 ? profile->ideal[index] * (double)layer->images / (double)layer->cycles
                             : 0.0;
}

bool run_print_profile(const struct run *run)
{
    static const struct cli_column columns[] = {
        {"layer", false},      {"cycles/image", true}, {"of all %", true}, {"utilization %", true},
        {"computing %", true}, {"weights %", true},    {"input %", true},  {"output %", true}};
    struct profile profile;
    struct cli_table table;

    if (run->counters.cycles == 0) {
        printf("Profile   none: this device does not count cycles\n");
        return true;
    }
    if (!profile_make(run, &profile)) {
        profile_free(&profile);
        return false;
    }
    printf("\n");
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < profile.count; i++) {
        const struct bittern_layer_profile *layer = &profile.layers[i];
        double images = layer->images > 0 ? (double)layer->images : 1.0;
        cli_table_add(&table, "%s", bittern_network_layer(run->network, i)->name);
        cli_table_add_count(&table, (uint64_t)((double)layer->cycles / images + 0.5));
        cli_table_add(&table, "%.1f", share(layer->cycles, run->counters.cycles));
        cli_table_add(&table, "%.1f", 100.0 * utilization(&profile, i));
        cli_table_add(&table, "%.1f", share(layer->compute_cycles, layer->cycles));
        cli_table_add(&table, "%.1f", share(layer->weight_stall_cycles, layer->cycles));
        cli_table_add(&table, "%.1f", share(layer->input_stall_cycles, layer->cycles));
        cli_table_add(&table, "%.1f", share(layer->output_stall_cycles, layer->cycles));
    }
    profile_free(&profile);
    return cli_table_finish(&table, stdout);
}

static cJSON *layer_profile_to_json(const struct run *run, const struct profile *profile,
                                    size_t index)
{
    const struct bittern_layer_profile *layer = &profile->layers[index];
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"images", (double)layer->images},
                   {"cycles", (double)layer->cycles},
                   {"ideal_cycles", profile->ideal[index] * (double)layer->images},
                   {"utilization", utilization(profile, index)},
                   {"compute_cycles", (double)layer->compute_cycles},
                   {"weight_stall_cycles", (double)layer->weight_stall_cycles},
                   {"input_stall_cycles", (double)layer->input_stall_cycles},
                   {"output_stall_cycles", (double)layer->output_stall_cycles}};
    cJSON *json = cJSON_CreateObject();
    bool made = json && cJSON_AddStringToObject(json, "name",
                                                bittern_network_layer(run->network, index)->name);
    for (size_t i = 0; made && i < sizeof numbers / sizeof numbers[0]; i++) {
        made = cJSON_AddNumberToObject(json, numbers[i].name, numbers[i].value) != NULL;
    }
    if (!made) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

cJSON *run_profile_to_json(const struct run *run)
{
    struct profile profile;
    bool made = profile_make(run, &profile);
    cJSON *layers = made ? cJSON_CreateArray() : NULL;

    for (size_t i = 0; layers && i < profile.count; i++) {
        cJSON *layer = layer_profile_to_json(run, &profile, i);
        if (!layer) {
            cJSON_Delete(layers);
            layers = NULL;
            break;
        }
        cJSON_AddItemToArray(layers, layer);
    }
    profile_free(&profile);
    return layers;
}
