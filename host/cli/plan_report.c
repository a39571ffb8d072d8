/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a program for people and for programs. Cycles are predictions, and are called so. */
#include "plan_report.h"

#include "cli.h"
#include "table.h"

double plan_images_per_second(const struct bittern_accelerator_plan *plan, double clock)
{
    return (double)plan->images * clock * 1e6 / (double)plan->cycles;
}

static uint32_t sub_batch_of(const struct bittern_accelerator_plan *plan, size_t layer)
{
    return plan->segments[plan->layers[layer].segment].sub_batch;
}

/* Of the array's full rate, stalls included. */
static double utilization(const struct bittern_accelerator_plan *plan, size_t layer)
{
    const struct bittern_layer_plan *l = &plan->layers[layer];
    return (double)l->ideal_cycles * sub_batch_of(plan, layer) / (double)l->cycles;
}

/* ---- For people ------------------------------------------------------------------------------ */

static const struct cli_column segment_columns[] = {
    {"segment", true},  {"layers", true},    {"images at once", true}, {"words used", true},
    {"words in", true}, {"words out", true}, {"cycles", true},
};
#define SEGMENT_COLUMNS (sizeof segment_columns / sizeof segment_columns[0])

static bool print_segments(const struct bittern_accelerator_plan *plan, FILE *out)
{
    struct cli_table table;

    cli_table_start(&table, segment_columns, SEGMENT_COLUMNS);
    for (size_t s = 0; s < plan->segment_count; s++) {
        const struct bittern_segment_plan *p = &plan->segments[s];
        cli_table_add(&table, "%zu", s);
        if (p->layer_count == 1) {
            cli_table_add(&table, "%zu", p->first_layer);
        } else {
            cli_table_add(&table, "%zu-%zu", p->first_layer, p->first_layer + p->layer_count - 1);
        }
        cli_table_add_count(&table, p->sub_batch);
        cli_table_add_count(&table, p->feature_words);
        cli_table_add_count(&table, p->input_words);
        cli_table_add_count(&table, p->output_words);
        cli_table_add_count(&table, p->cycles);
    }
    return cli_table_finish(&table, out);
}

static const struct cli_column layer_columns[] = {
    {"#", true},     {"layer", false}, {"mode", false},         {"lanes", true},
    {"tiles", true}, {"groups", true}, {"steps", true},         {"cycles/image", true},
    {"ideal", true}, {"use", true},    {"stalled/image", true}, {"weight bytes", true},
    {"words", true},
};
#define LAYER_COLUMNS (sizeof layer_columns / sizeof layer_columns[0])

static void add_layer(struct cli_table *table, const struct bittern_accelerator_plan *plan,
                      size_t index)
{
    const struct bittern_layer_plan *l = &plan->layers[index];
    uint32_t images = sub_batch_of(plan, index);

    cli_table_add(table, "%zu", index);
    cli_table_add(table, "%s", l->name);
    cli_table_add(table, "%s%s", bittern_array_mode_name(l->mode), l->gathered ? " gathered" : "");
    cli_table_add_count(table, l->lanes);
    cli_table_add_count(table, l->tiles);
    cli_table_add_count(table, l->groups);
    cli_table_add_count(table, l->steps);
    cli_table_add_count(table, (l->cycles + images / 2) / images);
    cli_table_add_count(table, l->ideal_cycles);
    cli_table_add(table, "%.0f %%", 100.0 * utilization(plan, index));
    cli_table_add_count(table, (l->stall_cycles + images / 2) / images);
    cli_table_add_count(table, l->weight_bytes);
    cli_table_add_count(table, l->feature_words);
}

bool plan_print(const struct bittern_accelerator_plan *plan, double clock, FILE *out)
{
    struct cli_table table;
    char words[32];
    char cycles[32];
    char rate[32];

    fprintf(out, "\nPlan; the feature memory has %s words:\n\n",
            cli_format_count(plan->feature_words_total, words, sizeof words));
    if (!print_segments(plan, out)) {
        return false;
    }
    fputs("\n", out);
    cli_table_start(&table, layer_columns, LAYER_COLUMNS);
    for (size_t i = 0; i < plan->layer_count; i++) {
        add_layer(&table, plan, i);
    }
    if (!cli_table_finish(&table, out)) {
        return false;
    }
    double images_per_second = plan_images_per_second(plan, clock);
    fprintf(out,
            "\nPredicted, not measured: %s cycles an image in starts of %zu, %s images/s at %g "
            "MHz\n",
            cli_format_count(plan->cycles / plan->images, cycles, sizeof cycles), plan->images,
            cli_format_count((uint64_t)images_per_second, rate, sizeof rate), clock);
    return true;
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void add_number(cJSON *parent, const char *key, double value, bool *failed)
{
    *failed = !cJSON_AddNumberToObject(parent, key, value) || *failed;
}

static cJSON *segment_to_json(const struct bittern_segment_plan *p)
{
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add_number(json, "first_layer", (double)p->first_layer, &failed);
    add_number(json, "layers", (double)p->layer_count, &failed);
    add_number(json, "sub_batch", p->sub_batch, &failed);
    add_number(json, "feature_words", p->feature_words, &failed);
    add_number(json, "input_words", p->input_words, &failed);
    add_number(json, "output_words", p->output_words, &failed);
    add_number(json, "cycles", (double)p->cycles, &failed);
    add_number(json, "load_cycles", (double)p->load_cycles, &failed);
    if (failed) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static cJSON *layer_to_json_plan(const struct bittern_accelerator_plan *plan, size_t index)
{
    const struct bittern_layer_plan *l = &plan->layers[index];
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add_number(json, "index", (double)index, &failed);
    failed = !cJSON_AddStringToObject(json, "name", l->name) || failed;
    failed = !cJSON_AddStringToObject(json, "mode", bittern_array_mode_name(l->mode)) || failed;
    failed = !cJSON_AddBoolToObject(json, "gathered", l->gathered) || failed;
    add_number(json, "segment", (double)l->segment, &failed);
    add_number(json, "lanes", l->lanes, &failed);
    add_number(json, "tiles", l->tiles, &failed);
    add_number(json, "groups", (double)l->groups, &failed);
    add_number(json, "steps", (double)l->steps, &failed);
    add_number(json, "cycles", (double)l->cycles, &failed);
    add_number(json, "cycles_per_image", (double)l->cycles / sub_batch_of(plan, index), &failed);
    add_number(json, "stall_cycles", (double)l->stall_cycles, &failed);
    add_number(json, "ideal_cycles", (double)l->ideal_cycles, &failed);
    add_number(json, "utilization", utilization(plan, index), &failed);
    add_number(json, "weight_bytes", (double)l->weight_bytes, &failed);
    add_number(json, "feature_words", l->feature_words, &failed);
    if (failed) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static void add_item(cJSON *array, cJSON *item, bool *failed)
{
    if (!item || !cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        *failed = true;
    }
}

cJSON *plan_to_json(const struct bittern_accelerator_plan *plan, double clock)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *segments = cJSON_AddArrayToObject(json, "segments");
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    bool failed = !json || !segments || !layers;

    for (size_t s = 0; !failed && s < plan->segment_count; s++) {
        add_item(segments, segment_to_json(&plan->segments[s]), &failed);
    }
    for (size_t i = 0; !failed && i < plan->layer_count; i++) {
        add_item(layers, layer_to_json_plan(plan, i), &failed);
    }
    add_number(json, "feature_words", plan->feature_words_total, &failed);
    add_number(json, "program_bytes", (double)plan->program_bytes, &failed);
    add_number(json, "images", (double)plan->images, &failed);
    add_number(json, "cycles", (double)plan->cycles, &failed);
    add_number(json, "clock_mhz", clock, &failed);
    add_number(json, "images_per_second", plan_images_per_second(plan, clock), &failed);
    if (failed) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}
