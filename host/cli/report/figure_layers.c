/* SPDX-License-Identifier: Apache-2.0 */
/* Each layer's cycles as a bar, divided into computing and what it waited for; one figure a row. */
#include "bars.h"
#include "html.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FIGURES 24

static const char *const part_colours[REPORT_PARTS] = {SERIES_1, SERIES_2, SERIES_5, SERIES_4,
                                                       SERIES_8};
static const char *const part_names[REPORT_PARTS] = {"computing", "weights", "input", "output",
                                                     "other"};

static const char *name_of(const void *data, size_t bar)
{
    const struct report_row *row = data;
    return row->layers[bar].name;
}

static double part_of(const void *data, size_t bar, size_t part)
{
    const struct report_row *row = data;
    return row->layers[bar].parts[part];
}

static void write_utilization(const void *data, size_t bar, char *buffer, size_t size)
{
    const struct report_row *row = data;
    double share = row->layers[bar].utilization;
    buffer[0] = '\0';
    if (isfinite(share)) {
        (void)snprintf(buffer, size, "%.0f %%", 100.0 * share);
    }
}

static struct bars bars_of(const struct report_row *row)
{
    struct bars bars = {.data = row,
                        .count = row->layer_count,
                        .parts = REPORT_PARTS,
                        .part_names = part_names,
                        .part_colours = part_colours,
                        .name = name_of,
                        .value = part_of,
                        .note = write_utilization,
                        .scale = 1.0,
                        .axis = "Cycles an image"};
    double longest = bars_longest(&bars);
    if (longest >= 2e7) {
        bars.scale = 1e6;
        bars.axis = "Million cycles an image";
    } else if (longest >= 2e4) {
        bars.scale = 1e3;
        bars.axis = "Thousand cycles an image";
    }
    return bars;
}

static void write_layer(FILE *out, const struct report_layer *layer)
{
    html_row_begin(out);
    html_cell_name(out, layer->name);
    html_cell_text(out, layer->kind);
    html_cell_text(out, layer->weights);
    html_cell_text(out, layer->activations);
    html_cell_text(out, report_mode_name(layer->mode));
    html_cell_number(out, layer->macs, 0);
    html_cell_number(out, layer->cycles, 0);
    html_cell_number(out, layer->ideal_cycles, 0);
    html_cell_percent(out, layer->utilization, 1);
    for (size_t part = 0; part < REPORT_PARTS; part++) {
        html_cell_number(out, layer->parts[part], 0);
    }
    html_cell_number(out, layer->read_bytes, 0);
    html_cell_number(out, layer->write_bytes, 0);
    html_cell_number(out, layer->intensity, 1);
    html_cell_unit(out, layer->joules.nominal, "J");
    html_row_end(out);
}

static void write_table(FILE *out, const struct report_row *row)
{
    static const char *const heads[] = {"Layer",
                                        "Kind",
                                        "Weights",
                                        "Inputs",
                                        "Mode",
                                        "Multiplications",
                                        "Cycles",
                                        "Ideal cycles",
                                        "Utilization",
                                        "Computing",
                                        "Waiting for weights",
                                        "Waiting for input",
                                        "Waiting for output",
                                        "Other",
                                        "Bytes read",
                                        "Bytes written",
                                        "Multiplications a byte",
                                        "Energy"};
    html_table_begin(out, "An image", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < row->layer_count; i++) {
        write_layer(out, &row->layers[i]);
    }
    html_table_end(out);
}

static bool has_cycles(const struct report_row *row)
{
    for (size_t i = 0; i < row->layer_count; i++) {
        if (row->layers[i].cycles > 0.0) {
            return true;
        }
    }
    return false;
}

void section_layers(struct page *page)
{
    size_t drawn = 0;
    size_t left_out = 0;
    section_begin(
        page, "layers", "Cycles of each layer",
        "How long each layer takes, and what the array did in that time. The percentage is "
        "the layer’s utilization: the cycles that its multiplications need at the "
        "array’s full rate, of those that it took.");
    for (size_t i = 0; i < page->report->row_count; i++) {
        const struct report_row *row = &page->report->rows[i];
        char name[2 * HTML_NAME_LENGTH + 32];
        if (!has_cycles(row)) {
            continue;
        }
        if (drawn == MAX_FIGURES) {
            left_out++;
            continue;
        }
        (void)snprintf(name, sizeof name, "%.80s on %.40s", row->program, row->device);
        struct figure figure = {.title = "Cycles",
                                .name = name,
                                .about = "Bars from left to right: computing, then waiting for "
                                         "weights, for input, for output, and what is left."};
        (void)snprintf(figure.id, sizeof figure.id, "layers-%zu", i + 1);
        figure_begin(page, &figure);
        const struct bars bars = bars_of(row);
        figure_plots(page, &figure, bars_draw, &bars);
        if (row->layer_count > BARS_MAX) {
            fprintf(page->out, "<p class=\"note\">The first %d layers; the table has all.</p>\n",
                    BARS_MAX);
        }
        figure_data_begin(page, true);
        write_table(page->out, row);
        figure_data_end(page, true);
        figure_end(page);
        drawn++;
    }
    if (left_out > 0) {
        fprintf(page->out,
                "<p class=\"note\">The first %d rows; %zu more have layers: report them by "
                "themselves.</p>\n",
                MAX_FIGURES, left_out);
    }
    section_end(page);
}
