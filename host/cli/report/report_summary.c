/* SPDX-License-Identifier: Apache-2.0 */
/* The headline numbers, and what belongs to a report as a whole. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

bool report_is_same_task(const struct report_row *a, const struct report_row *b)
{
    return strcmp(a->dataset, b->dataset) == 0 && strcmp(a->split, b->split) == 0 &&
           same_number(a->labelled, b->labelled) && same_number(a->start, b->start);
}

/* a is at least as good as b in both, and better in one: more accurate, or less of the cost. */
static bool beats(const struct report_row *a, const struct report_row *b, bool by_energy)
{
    double cost_a = by_energy ? a->joules.nominal : a->weight_bits;
    double cost_b = by_energy ? b->joules.nominal : b->weight_bits;
    return report_is_same_task(a, b) && a->accuracy >= b->accuracy && cost_a <= cost_b &&
           (a->accuracy > b->accuracy || cost_a < cost_b);
}

bool report_is_front(const struct report *report, size_t row, bool by_energy)
{
    const struct report_row *candidate = &report->rows[row];
    double cost = by_energy ? candidate->joules.nominal : candidate->weight_bits;
    if (!isfinite(candidate->accuracy) || !isfinite(cost)) {
        return false;
    }
    for (size_t i = 0; i < report->row_count; i++) {
        if (beats(&report->rows[i], candidate, by_energy)) { /* NaN beats nothing */
            return false;
        }
    }
    return true;
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        cJSON_Delete(report->rows[i].json);
        free(report->rows[i].layers);
    }
    for (size_t i = 0; i < report->run_count; i++) {
        struct report_run *run = &report->runs[i];
        for (size_t e = 0; e < run->epoch_count; e++) {
            free(run->epochs[e].betas);
        }
        free(run->epochs);
        free(run->layers);
        free(run->integer);
        bittern_program_free(run->program);
        cJSON_Delete(run->result);
        cJSON_Delete(run->last_epoch);
    }
    free(report->rows);
    free(report->runs);
    free(report->predictions.items);
    free(report->predictions.confusion);
    bittern_dataset_close(report->predictions.dataset);
    *report = (struct report){0};
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool add_number(cJSON *object, const char *key, double value)
{
    return isfinite(value) ? cJSON_AddNumberToObject(object, key, value) != NULL
                           : cJSON_AddNullToObject(object, key) != NULL;
}

static bool add_range(cJSON *object, const char *key, const struct report_range *range)
{
    if (!isfinite(range->nominal)) {
        return cJSON_AddNullToObject(object, key) != NULL;
    }
    cJSON *item = cJSON_AddObjectToObject(object, key);
    return item && add_number(item, "low", range->low) &&
           add_number(item, "nominal", range->nominal) && add_number(item, "high", range->high);
}

static bool add_row(cJSON *rows, const struct report *report, size_t index)
{
    const struct report_row *row = &report->rows[index];
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(rows, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddStringToObject(item, "program", row->program) &&
           cJSON_AddStringToObject(item, "device", row->device) &&
           cJSON_AddStringToObject(item, "weights", report_weights_name(row->weights)) &&
           add_number(item, "accuracy", row->accuracy) && add_number(item, "images", row->images) &&
           add_number(item, "images_per_second", row->images_per_second) &&
           add_number(item, "cycles_per_image", row->cycles) &&
           add_number(item, "utilization", row->utilization) &&
           add_number(item, "weight_bits", row->weight_bits) &&
           add_number(item, "different_values", row->different) &&
           cJSON_AddStringToObject(item, "energy_source", row->energy_source) &&
           add_range(item, "joules_per_image", &row->joules) &&
           cJSON_AddBoolToObject(item, "energy_front", report_is_front(report, index, true)) &&
           cJSON_AddBoolToObject(item, "size_front", report_is_front(report, index, false));
}

static bool add_run(cJSON *runs, const struct report_run *run)
{
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(runs, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddStringToObject(item, "name", run->name) &&
           cJSON_AddStringToObject(item, "folder", run->folder) &&
           cJSON_AddStringToObject(item, "method", run->method) &&
           cJSON_AddBoolToObject(item, "ended", run->result != NULL) &&
           cJSON_AddNumberToObject(item, "epochs", (double)run->epoch_count) &&
           add_number(item, "test_accuracy", run->epochs[run->epoch_count - 1].test_accuracy) &&
           add_number(item, "integer_accuracy", run->integer_accuracy) &&
           add_number(item, "compression", run->compression);
}

static bool add_predictions(cJSON *root, const struct report_predictions *predictions)
{
    if (!predictions->path) {
        return true;
    }
    cJSON *item = cJSON_AddObjectToObject(root, "predictions");
    double accuracy =
        predictions->labelled ? (double)predictions->correct / (double)predictions->count : NAN;
    return item && cJSON_AddStringToObject(item, "path", predictions->path) &&
           cJSON_AddNumberToObject(item, "images", (double)predictions->count) &&
           add_number(item, "accuracy", accuracy);
}

cJSON *report_summary(const struct report *report)
{
    cJSON *root = cJSON_CreateObject();
    bool made = root && cJSON_AddStringToObject(root, "title", report->title);
    cJSON *rows = made ? cJSON_AddArrayToObject(root, "rows") : NULL;
    cJSON *runs = made ? cJSON_AddArrayToObject(root, "runs") : NULL;
    made = rows && runs;
    for (size_t i = 0; made && i < report->row_count; i++) {
        made = add_row(rows, report, i);
    }
    for (size_t i = 0; made && i < report->run_count; i++) {
        made = add_run(runs, &report->runs[i]);
    }
    if (!made || !add_predictions(root, &report->predictions)) {
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}
