/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the integer network's weights: one small chart a layer. */
#include "html.h"
#include "page.h"

#include <math.h>

#define MAX_LAYERS 48
#define CELL_HEIGHT 130

static size_t layers_drawn(const struct report_run *run)
{
    return run->integer_count < MAX_LAYERS ? run->integer_count : MAX_LAYERS;
}

static void write_counts(const struct report_integer_layer *layer, size_t index, FILE *script)
{
    fprintf(script, "$b%zu << EOD\n", index);
    for (int value = layer->lowest; value <= layer->highest; value++) {
        fprintf(script, "%d %.9g\n", value,
                100.0 * layer->counts[value + REPORT_MAX_LEVEL] / layer->total);
    }
    fputs("EOD\n", script);
}

/* Share above each bar, where there are few. */
static void write_shares(const struct report_integer_layer *layer, FILE *script)
{
    if (layer->highest - layer->lowest > 4) {
        return;
    }
    for (int value = layer->lowest; value <= layer->highest; value++) {
        double count = layer->counts[value + REPORT_MAX_LEVEL];
        if (count > 0.0) {
            fprintf(script,
                    "set label '%.0f %%' at %d, %.9g center offset 0,0.5 font ',12' textcolor "
                    "rgb " CHART_TEXT "\n",
                    100.0 * count / layer->total, value, 100.0 * count / layer->total);
        }
    }
}

static void write_cell(struct page *page, const struct report_integer_layer *layer, size_t index,
                       const struct chart_size *size, size_t columns, FILE *script)
{
    double cell = (double)size->width / (double)columns;
    double left = (double)(index % columns) * cell + 12.0;
    size_t above = index / columns; /* rows of cells */
    double top = (double)above * CELL_HEIGHT + 4.0;
    double highest = 0.0;
    int widest = -layer->lowest > layer->highest ? -layer->lowest : layer->highest;

    fprintf(script,
            "unset label\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n"
            "set tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            left / size->width, (left + cell - 24.0) / size->width,
            1.0 - (top + 22.0) / size->height, 1.0 - (top + CELL_HEIGHT - 30.0) / size->height);
    fputs("set label ", script);
    charts_label(page->charts, layer->name, columns > 2 ? 24 : 16);
    fprintf(script, " at screen %.4f, screen %.4f left textcolor rgb " CHART_INK "\n",
            left / size->width, 1.0 - (top + 10.0) / size->height);
    write_shares(layer, script);
    for (int value = layer->lowest; value <= layer->highest; value++) {
        double share = 100.0 * layer->counts[value + REPORT_MAX_LEVEL] / layer->total;
        highest = share > highest ? share : highest;
    }
    fprintf(script,
            "set xrange [%d.7:%d.7]\nset xtics %.9g\nset yrange [0:%.9g]\n"
            "plot $b%zu with boxes fs solid 1 noborder lc rgb %s\n",
            -widest, widest, widest > 4 ? axis_step(2.0 * widest, 3.0) : 1.0, 1.35 * highest, index,
            layer->kind[0] == 'b'   ? SERIES_1
            : layer->kind[0] == 't' ? SERIES_2
                                    : SERIES_3);
}

static void draw(struct page *page, const void *data, bool narrow)
{
    const struct report_run *run = data;
    size_t columns = narrow ? 2 : 4;
    size_t rows = (layers_drawn(run) + columns - 1) / columns;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .height = 8 + (int)rows * CELL_HEIGHT,
                              .left = 10,
                              .right = 10,
                              .top = 10,
                              .bottom = 10};
    FILE *script = figure_chart(page, narrow, &size);
    for (size_t i = 0; i < layers_drawn(run); i++) {
        write_counts(&run->integer[i], i, script);
    }
    fputs("set multiplot\nunset ytics\nset border 1\nset grid noytics\nset boxwidth 0.8\n"
          "set format x '%g'\nset xtics font ',12'\n",
          script);
    for (size_t i = 0; i < layers_drawn(run); i++) {
        write_cell(page, &run->integer[i], i, &size, columns, script);
    }
    fputs("unset multiplot\n", script);
    charts_end(page->charts, page->out);
}

static void write_table(FILE *out, const struct report_run *run)
{
    static const char *const heads[] = {"Layer", "Kind", "Value", "Weights", "Share"};
    html_table_begin(out, "Values", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < layers_drawn(run); i++) {
        const struct report_integer_layer *layer = &run->integer[i];
        for (int value = layer->lowest; value <= layer->highest; value++) {
            double count = layer->counts[value + REPORT_MAX_LEVEL];
            html_row_begin(out);
            html_cell_name(out, layer->name);
            html_cell_text(out, layer->kind);
            html_cell_number(out, value, 0);
            html_cell_number(out, count, 0);
            html_cell_percent(out, count / layer->total, 1);
            html_row_end(out);
        }
    }
    html_table_end(out);
}

void figure_integer_weights(struct page *page, size_t index)
{
    const struct report_run *run = &page->report->runs[index];
    struct figure figure = {
        .title = "Weights of the integer network",
        .name = run->name,
        .about =
            "The values that the hardware multiplies with, and how many weights have each: blue "
            "where a layer is binary, orange where it is ternary, green where it has more "
            "levels. Scales are folded into thresholds, and are not among them."};
    if (run->integer_count == 0) {
        return;
    }
    (void)snprintf(figure.id, sizeof figure.id, "integer-weights-%zu", index + 1);
    figure_begin(page, &figure);
    figure_plots(page, &figure, draw, run);
    if (run->integer_count > MAX_LAYERS) {
        fprintf(page->out, "<p class=\"note\">The first %d layers.</p>\n", MAX_LAYERS);
    }
    figure_data_begin(page, true);
    write_table(page->out, run);
    figure_data_end(page, true);
    figure_end(page);
}
