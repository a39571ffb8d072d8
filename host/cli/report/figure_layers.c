/* SPDX-License-Identifier: Apache-2.0 */
/* Each layer's cycles as a bar, divided into computing and what it waited for; one figure a row. */
#include "html.h"
#include "page.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FIGURES 24
#define MAX_BARS 64 /* a taller chart is not read */

static const char *const part_colours[REPORT_PARTS] = {SERIES_1, SERIES_2, SERIES_5, SERIES_4,
                                                       SERIES_8};
static const char *const part_names[REPORT_PARTS] = {"computing", "weights", "input", "output",
                                                     "other"};

static size_t bars_of(const struct report_row *row)
{
    return row->layer_count < MAX_BARS ? row->layer_count : MAX_BARS;
}

static void write_parts(const struct report_row *row, double scale, FILE *script)
{
    for (size_t part = 0; part < REPORT_PARTS; part++) {
        fprintf(script, "$p%zu << EOD\n", part);
        for (size_t i = 0; i < bars_of(row); i++) {
            double from = 0.0;
            for (size_t before = 0; before < part; before++) {
                from += isfinite(row->layers[i].parts[before]) ? row->layers[i].parts[before] : 0.0;
            }
            double wide = row->layers[i].parts[part];
            double to = from + (isfinite(wide) ? wide : 0.0);
            fprintf(script, "%.9g %zu %.9g %.9g %.9g %.9g\n", to / scale, i, from / scale,
                    to / scale, (double)i - 0.34, (double)i + 0.34);
        }
        fputs("EOD\n", script);
    }
}

static void write_utilization(const struct report_row *row, double scale, FILE *script)
{
    for (size_t i = 0; i < bars_of(row); i++) {
        const struct report_layer *layer = &row->layers[i];
        double share = layer->utilization;
        if (isfinite(share) && isfinite(layer->cycles)) {
            fprintf(script,
                    "set label '%.0f %%' at %.9g, %zu left offset 0.6,0 font ',12' textcolor "
                    "rgb " CHART_TEXT "\n",
                    100.0 * share, layer->cycles / scale, i);
        }
    }
}

static void draw(struct page *page, const void *data, bool narrow)
{
    const struct report_row *row = data;
    size_t bars = bars_of(row);
    double longest = 0.0;
    size_t letters = 0;
    size_t limit = narrow ? 10 : 20;
    for (size_t i = 0; i < bars; i++) {
        size_t length = html_text_length(row->layers[i].name, limit);
        letters = length > letters ? length : letters;
        longest = row->layers[i].cycles > longest ? row->layers[i].cycles : longest;
    }
    double scale = longest >= 2e7 ? 1e6 : longest >= 2e4 ? 1e3 : 1.0;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .left = 22 + (int)letters * 7,
                              .right = narrow ? 46 : 56,
                              .bottom = 54};
    size_t columns = figure_key_room(&size, REPORT_PARTS, 9);
    size.height = size.top + (int)bars * 26 + size.bottom;
    FILE *script = figure_chart(page, narrow, &size);
    figure_key(script, &size, columns);
    write_parts(row, scale, script);
    write_utilization(row, scale, script);
    fprintf(script, "set yrange [%g:-0.6]\nset xrange [0:%.9g]\n", (double)bars - 0.4,
            longest > 0.0 ? longest / scale : 1.0);
    fprintf(script,
            "set grid xtics\nset grid noytics\nset format x '%%g'\nset tics scale 0\n"
            "set border 1\nset xlabel '%s an image' offset 0,0.4\nset xtics %.9g\n"
            "set ytics (",
            scale == 1.0   ? "Cycles"
            : scale == 1e3 ? "Thousand cycles"
                           : "Million cycles",
            axis_step(longest > 0.0 ? longest / scale : 1.0, narrow ? 3.0 : 5.0));
    for (size_t i = 0; i < bars; i++) {
        fputs(i > 0 ? ", " : "", script);
        charts_label(page->charts, row->layers[i].name, limit);
        fprintf(script, " %zu", i);
    }
    fputs(")\nplot ", script);
    for (size_t part = 0; part < REPORT_PARTS; part++) {
        fprintf(script,
                "%s$p%zu using 1:2:3:4:5:6 with boxxyerror fs solid 1 noborder lc rgb %s "
                "title '%s'",
                part > 0 ? ", " : "", part, part_colours[part], part_names[part]);
    }
    charts_end(page->charts, page->out);
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
        figure_plots(page, &figure, draw, row);
        if (row->layer_count > MAX_BARS) {
            fprintf(page->out, "<p class=\"note\">The first %d layers; the table has all.</p>\n",
                    MAX_BARS);
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
