/* SPDX-License-Identifier: Apache-2.0 */
/* What ran, on which machine, and the numbers that matter most. */
#include "html.h"
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tiles ----------------------------------------------------------------------------------- */

static void tile_begin(FILE *out, const char *name)
{
    fprintf(out, "<div><dt>%s</dt><dd class=\"value\">", name);
}

static void tile_end(FILE *out, const char *of, const char *behind)
{
    fputs("</dd><dd class=\"of\">", out);
    html_text(out, of, HTML_NAME_LENGTH);
    html_text(out, behind, HTML_NAME_LENGTH);
    fputs("</dd></div>\n", out);
}

enum best { BEST_ACCURACY, BEST_ENERGY, BEST_SPEED };

static double value_of(const struct report_row *row, enum best what)
{
    switch (what) {
    case BEST_ACCURACY:
        return row->accuracy;
    case BEST_ENERGY:
        return -row->joules.nominal; /* less is better */
    case BEST_SPEED:
        break;
    }
    return row->images_per_second;
}

/* An accuracy over more images says more. */
static bool is_better(const struct report_row *row, const struct report_row *best, enum best what)
{
    if (what == BEST_ACCURACY && row->labelled != best->labelled) {
        return row->labelled > best->labelled;
    }
    return value_of(row, what) > value_of(best, what);
}

static const struct report_row *find_best(const struct report *report, enum best what)
{
    const struct report_row *best = NULL;
    for (size_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        if (isfinite(value_of(row, what)) && (!best || is_better(row, best, what))) {
            best = row;
        }
    }
    return best;
}

static void write_row_tiles(FILE *out, const struct report *report)
{
    char text[96];
    const struct report_row *row = find_best(report, BEST_ACCURACY);
    if (row) {
        tile_begin(out, "Most accurate");
        fputs(format_percent(row->accuracy, 2, text, sizeof text), out);
        char of[96];
        char images[48];
        (void)snprintf(of, sizeof of, " of %s images",
                       format_number(row->labelled, 0, images, sizeof images));
        tile_end(out, row->program, of);
    }
    row = find_best(report, BEST_ENERGY);
    if (row) {
        tile_begin(out, report_is_measured(row) ? "Least energy an image, measured"
                                                : "Least energy an image, modelled");
        fputs(format_unit(row->joules.nominal, "J", text, sizeof text), out);
        char range[112] = "";
        if (row->joules.low < row->joules.high) {
            char low[48];
            char high[48];
            (void)snprintf(range, sizeof range, ", %s to %s",
                           format_unit(row->joules.low, "J", low, sizeof low),
                           format_unit(row->joules.high, "J", high, sizeof high));
        }
        tile_end(out, row->program, range);
    }
    row = find_best(report, BEST_SPEED);
    if (row) {
        tile_begin(out, "Fastest, images a second");
        fputs(format_number(row->images_per_second, 0, text, sizeof text), out);
        char of[112] = "";
        char clock[48];
        if (row->clock_mhz > 0.0 && row->cycles > 0.0) {
            (void)snprintf(of, sizeof of, " on %.40s at %s MHz", row->device,
                           format_number(row->clock_mhz, 0, clock, sizeof clock));
        } else {
            (void)snprintf(of, sizeof of, " on %.40s", row->device);
        }
        tile_end(out, row->program, of);
    }
}

static void write_agreement_tile(FILE *out, const struct report *report)
{
    double values = 0.0;
    double different = 0.0;
    char text[96];
    char of[160];
    for (size_t i = 0; i < report->row_count; i++) {
        if (isfinite(report->rows[i].agreement_values) && isfinite(report->rows[i].different)) {
            values += report->rows[i].agreement_values;
            different += report->rows[i].different;
        }
    }
    if (values > 0.0) {
        fprintf(out,
                "<div><dt>Agreement with the reference engine</dt><dd class=\"value %s\">%s</dd>",
                different > 0.0 ? "bad" : "good",
                different > 0.0 ? format_number(different, 0, text, sizeof text) : "bit for bit");
        (void)snprintf(of, sizeof of, "%s of %s output values differ",
                       format_number(different, 0, text, sizeof text),
                       format_number(values, 0, text + 48, 48));
        fprintf(out, "<dd class=\"of\">%s</dd></div>\n", of);
    }
}

static void write_run_tile(FILE *out, const struct report *report)
{
    const struct report_run *best = NULL;
    char text[96];
    for (size_t i = 0; i < report->run_count; i++) {
        const struct report_run *run = &report->runs[i];
        if (isfinite(run->integer_accuracy) &&
            (!best || run->integer_accuracy > best->integer_accuracy)) {
            best = run;
        }
    }
    if (best) {
        tile_begin(out, "Best trained, integer network");
        fputs(format_percent(best->integer_accuracy, 2, text, sizeof text), out);
        char of[112];
        char compression[48];
        (void)snprintf(of, sizeof of, ", weights %s times smaller",
                       format_number(best->compression, 1, compression, sizeof compression));
        tile_end(out, best->name, isfinite(best->compression) ? of : "");
    }
}

static void write_prediction_tile(FILE *out, const struct report_predictions *predictions)
{
    char text[96];
    char of[112];
    if (predictions->path && predictions->labelled) {
        tile_begin(out, "Predictions that are right");
        fputs(format_percent((double)predictions->correct / (double)predictions->count, 2, text,
                             sizeof text),
              out);
        (void)snprintf(of, sizeof of, "%s of %s images",
                       format_number((double)predictions->correct, 0, text, 48),
                       format_number((double)predictions->count, 0, text + 48, 48));
        tile_end(out, of, "");
    }
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void write_row(FILE *out, const struct report_row *row, size_t number)
{
    html_row_begin(out);
    html_cell_number(out, (double)number, 0);
    html_cell_name(out, row->program);
    html_cell_text(out, row->device);
    html_cell_text(out, report_weights_name(row->weights));
    html_cell_percent(out, row->accuracy, 2);
    html_cell_number(out, row->labelled, 0);
    html_cell_number(out, row->images_per_second, 0);
    html_cell_number(out, row->cycles, 0);
    html_cell_percent(out, row->utilization, 1);
    html_cell_unit(out, row->first_image_seconds, "s");
    html_cell_unit(out, row->joules.nominal, "J");
    html_cell_text(out, row->energy_source);
    html_cell_number(out, row->parameters, 0);
    html_cell_number(out, row->weight_bits, 0);
    html_cell_number(out, row->different, 0);
    html_row_end(out);
}

static void write_rows(struct page *page)
{
    static const char *const heads[] = {"No.",
                                        "Network",
                                        "Device",
                                        "Weights",
                                        "Accuracy",
                                        "Labelled images",
                                        "Images a second",
                                        "Cycles an image",
                                        "Utilization",
                                        "First image",
                                        "Energy an image",
                                        "Energy’s source",
                                        "Parameters",
                                        "Weight bits",
                                        "Values that differ"};
    const struct figure figure = {.id = "rows",
                                  .title = "Benchmarks",
                                  .about = "One row a network and device. A dash: not known.",
                                  .is_long = true};
    figure_begin(page, &figure);
    figure_data_begin(page, false);
    html_table_begin(page->out, "All rows", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < page->report->row_count; i++) {
        write_row(page->out, &page->report->rows[i], i + 1);
    }
    html_table_end(page->out);
    figure_data_end(page, false);
    figure_end(page);
}

static bool same_machine(const struct report_row *a, const struct report_row *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->description, b->description) == 0 &&
           strcmp(a->geometry, b->geometry) == 0 && strcmp(a->cpu, b->cpu) == 0 &&
           (a->clock_mhz == b->clock_mhz || (isnan(a->clock_mhz) && isnan(b->clock_mhz))) &&
           (a->latency_cycles == b->latency_cycles ||
            (isnan(a->latency_cycles) && isnan(b->latency_cycles))) &&
           strcmp(a->energy_detail, b->energy_detail) == 0 &&
           strcmp(a->coefficients, b->coefficients) == 0;
}

static void write_machine(FILE *out, const struct report_row *row)
{
    html_row_begin(out);
    html_cell_name(out, row->device);
    html_cell_text(out, row->description);
    html_cell_text(out, row->geometry);
    html_cell_number(out, row->word_bits, 0);
    html_cell_number(out, row->output_channels, 0);
    html_cell_number(out, row->pixels, 0);
    html_cell_number(out, row->feature_bytes, 0);
    html_cell_number(out, row->weight_bytes, 0);
    html_cell_number(out, row->clock_mhz, 0);
    html_cell_number(out, row->latency_cycles, 0);
    html_cell_text(out, row->energy_detail);
    html_cell_text(out, row->coefficients);
    html_cell_text(out, row->cpu);
    html_cell_number(out, row->cpus, 0);
    html_row_end(out);
}

static void write_machines(struct page *page)
{
    static const char *const heads[] = {"Device",
                                        "Description",
                                        "Geometry",
                                        "Bits a word",
                                        "Channels at once",
                                        "Pixels at once",
                                        "Feature memory (bytes)",
                                        "Weight memory (bytes)",
                                        "Clock (MHz)",
                                        "Memory latency (cycles)",
                                        "Energy from",
                                        "Coefficients",
                                        "Host CPU",
                                        "CPUs"};
    const struct report *report = page->report;
    const struct figure figure = {
        .id = "machines", .title = "Machines", .about = "What the benchmarks ran on."};
    figure_begin(page, &figure);
    figure_data_begin(page, false);
    html_table_begin(page->out, "Devices", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < report->row_count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) {
            seen = same_machine(&report->rows[j], &report->rows[i]);
        }
        if (!seen) {
            write_machine(page->out, &report->rows[i]);
        }
    }
    html_table_end(page->out);
    figure_data_end(page, false);
    figure_end(page);
}

static void write_runs(struct page *page)
{
    static const char *const heads[] = {
        "Run",         "Title", "Data",  "Method", "Epochs", "Float accuracy", "Integer accuracy",
        "Compression", "Seed",  "Folder"};
    const struct figure figure = {.id = "runs",
                                  .title = "Training runs",
                                  .about = "The integer network is what hardware runs."};
    figure_begin(page, &figure);
    figure_data_begin(page, false);
    html_table_begin(page->out, "Runs", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < page->report->run_count; i++) {
        const struct report_run *run = &page->report->runs[i];
        html_row_begin(page->out);
        html_cell_name(page->out, run->name);
        html_cell_text(page->out, run->result ? run->title : "not ended yet");
        html_cell_text(page->out, run->data);
        html_cell_text(page->out, run->method);
        html_cell_number(page->out, (double)run->epoch_count, 0);
        html_cell_percent(page->out, run->float_accuracy, 2);
        html_cell_percent(page->out, run->integer_accuracy, 2);
        html_cell_number(page->out, run->compression, 1);
        html_cell_number(page->out, run->seed, 0);
        html_cell_text(page->out, run->folder);
        html_row_end(page->out);
    }
    html_table_end(page->out);
    figure_data_end(page, false);
    figure_end(page);
}

void section_summary(struct page *page)
{
    const struct report *report = page->report;
    section_begin(page, "summary", "Summary", NULL);
    fputs("<dl class=\"tiles\">\n", page->out);
    write_row_tiles(page->out, report);
    write_run_tile(page->out, report);
    write_prediction_tile(page->out, &report->predictions);
    write_agreement_tile(page->out, report);
    fputs("</dl>\n", page->out);
    if (report->row_count > 0) {
        write_rows(page);
        write_machines(page);
    }
    if (report->run_count > 0) {
        write_runs(page);
    }
    section_end(page);
}
