/* SPDX-License-Identifier: Apache-2.0 */
/* Latent weights of each layer at the end of training, with the levels that they become. */
#include "html.h"
#include "page.h"

#include <math.h>
#include <string.h>

#define MAX_LAYERS 48
#define CELL_HEIGHT 150
#define HEAD 4

static size_t layers_drawn(const struct report_run *run)
{
    return run->layer_count < MAX_LAYERS ? run->layer_count : MAX_LAYERS;
}

/* What the weights of a layer become: 0, 1 or up to 3 levels, of the layer's mean μ. */
static size_t find_levels(const struct report_run *run, const struct report_trained_layer *layer,
                          double *levels)
{
    double mu = layer->mu_mean;
    if (!isfinite(mu) && strcmp(run->method, "binaryconnect") == 0) {
        mu = 1.0;
    }
    if (!isfinite(mu) || strcmp(layer->depth, "full") == 0 || strcmp(layer->depth, "int8") == 0) {
        return 0; /* TTQ and STTN have other levels a filter, which the file does not hold */
    }
    bool has_zero =
        layer->depth[0] != '\0' ? strcmp(layer->depth, "ternary") == 0 : layer->zeros > 0.0;
    levels[0] = -mu;
    levels[1] = mu;
    levels[2] = 0.0;
    return has_zero ? 3 : 2;
}

static void write_levels(const struct report_run *run, const struct report_trained_layer *layer,
                         FILE *script)
{
    double levels[3];
    size_t count = find_levels(run, layer, levels);
    for (size_t i = 0; i < count; i++) {
        fprintf(script,
                "set arrow from first %.9g, graph 0 to first %.9g, graph 1.0 nohead front lw 1.6 "
                "dt (5,3) lc rgb " SERIES_2 "\n",
                levels[i], levels[i]);
    }
}

static void write_bins(const struct report_histogram *latent, size_t index, FILE *script)
{
    double width = (latent->maximum - latent->minimum) / REPORT_BINS;
    fprintf(script, "$b%zu << EOD\n", index);
    for (size_t i = 0; i < REPORT_BINS; i++) {
        fprintf(script, "%.9g %.9g\n", latent->minimum + ((double)i + 0.5) * width,
                latent->bins[i]);
    }
    fputs("EOD\n", script);
}

static void write_cell(struct page *page, const struct report_run *run, size_t index,
                       const struct chart_size *size, size_t columns, FILE *script)
{
    const struct report_trained_layer *layer = &run->layers[index];
    double cell = (double)size->width / (double)columns;
    double left = (double)(index % columns) * cell + 12.0;
    size_t above = index / columns; /* rows of cells */
    double top = HEAD + (double)above * CELL_HEIGHT;
    double right = left + cell - 24.0;

    fprintf(script,
            "unset arrow\nunset label\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n"
            "set tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            left / size->width, right / size->width, 1.0 - (top + 24.0) / size->height,
            1.0 - (top + CELL_HEIGHT - 34.0) / size->height);
    fputs("set label ", script);
    charts_label(page->charts, layer->name, columns > 2 ? 16 : 10);
    fprintf(script, " at screen %.4f, screen %.4f left textcolor rgb " CHART_INK "\n",
            left / size->width, 1.0 - (top + 10.0) / size->height);
    if (isfinite(layer->zeros)) {
        fprintf(
            script,
            "set label '%s%.0f %% zeros' at screen %.4f, screen %.4f right font ',12' textcolor "
            "rgb " CHART_TEXT "\n",
            columns < 3                            ? ""
            : strcmp(layer->depth, "binary") == 0  ? "binary, "
            : strcmp(layer->depth, "ternary") == 0 ? "ternary, "
                                                   : "",
            100.0 * layer->zeros, right / size->width, 1.0 - (top + 10.0) / size->height);
    }
    write_levels(run, layer, script);
    fprintf(script,
            "set xrange [%.9g:%.9g]\nset xtics %.9g\nset yrange [0:*]\n"
            "plot $b%zu with boxes fs solid 1 noborder lc rgb " SERIES_1 "\n",
            layer->latent.minimum, layer->latent.maximum,
            axis_step(layer->latent.maximum - layer->latent.minimum, 3.0), index);
}

static void draw(struct page *page, const void *data, bool narrow)
{
    const struct report_run *run = data;
    size_t columns = narrow ? 2 : 3;
    size_t rows = (layers_drawn(run) + columns - 1) / columns;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .height = HEAD + (int)rows * CELL_HEIGHT,
                              .left = 10,
                              .right = 10,
                              .top = 10,
                              .bottom = 10};
    FILE *script = figure_chart(page, narrow, &size);
    for (size_t i = 0; i < layers_drawn(run); i++) {
        if (run->layers[i].latent.count > 0.0) {
            write_bins(&run->layers[i].latent, i, script);
        }
    }
    fprintf(
        script,
        "set multiplot\nunset ytics\nset border 1\nset grid noytics\nset boxwidth 0.94 relative\n"
        "set format x '%%g'\nset xtics font ',12'\n");
    for (size_t i = 0; i < layers_drawn(run); i++) {
        if (run->layers[i].latent.count > 0.0) {
            write_cell(page, run, i, &size, columns, script);
        }
    }
    fputs("unset multiplot\n", script);
    charts_end(page->charts, page->out);
}

static void write_layers(FILE *out, const struct report_run *run)
{
    static const char *const heads[] = {"Layer",       "Depth",   "Weights",   "Bits",      "Zeros",
                                        "Compression", "μ, mean", "μ, lowest", "μ, highest"};
    html_table_begin(out, "Layers", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < run->layer_count; i++) {
        const struct report_trained_layer *layer = &run->layers[i];
        html_row_begin(out);
        html_cell_name(out, layer->name);
        html_cell_text(out, layer->depth);
        html_cell_number(out, isfinite(layer->weights) ? layer->weights : layer->latent.count, 0);
        html_cell_number(out, layer->bits, 0);
        html_cell_percent(out, layer->zeros, 1);
        html_cell_number(out, layer->compression, 1);
        html_cell_number(out, layer->mu_mean, 4);
        html_cell_number(out, layer->mu_minimum, 4);
        html_cell_number(out, layer->mu_maximum, 4);
        html_row_end(out);
    }
    html_table_end(out);
}

static void write_histograms(FILE *out, const struct report_run *run)
{
    static const char *const heads[] = {"Layer", "From", "To", "Latent weights"};
    html_table_begin(out, "Histograms", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < layers_drawn(run); i++) {
        const struct report_histogram *latent = &run->layers[i].latent;
        double width = (latent->maximum - latent->minimum) / REPORT_BINS;
        for (size_t b = 0; latent->count > 0.0 && b < REPORT_BINS; b++) {
            html_row_begin(out);
            html_cell_name(out, run->layers[i].name);
            html_cell_number(out, latent->minimum + (double)b * width, 4);
            html_cell_number(out, latent->minimum + (double)(b + 1) * width, 4);
            html_cell_number(out, latent->bins[b], 0);
            html_row_end(out);
        }
    }
    html_table_end(out);
}

static bool has_latent(const struct report_run *run)
{
    for (size_t i = 0; i < run->layer_count; i++) {
        if (run->layers[i].latent.count > 0.0) {
            return true;
        }
    }
    return false;
}

static void write_figure(struct page *page, size_t index)
{
    const struct report_run *run = &page->report->runs[index];
    struct figure figure = {
        .title = "Latent weights",
        .name = run->name,
        .about = "Bars: how many latent weights lie there. Dashed lines: the levels that they "
                 "become, at the mean of the filters’ μ; a layer without lines has no μ."};
    if (!has_latent(run)) {
        return;
    }
    (void)snprintf(figure.id, sizeof figure.id, "weights-%zu", index + 1);
    figure_begin(page, &figure);
    figure_plots(page, &figure, draw, run);
    if (run->layer_count > MAX_LAYERS) {
        fprintf(page->out, "<p class=\"note\">The first %d layers.</p>\n", MAX_LAYERS);
    }
    figure_data_begin(page, true);
    write_layers(page->out, run);
    write_histograms(page->out, run);
    figure_data_end(page, true);
    figure_end(page);
}

void section_weights(struct page *page)
{
    section_begin(page, "weights", "Weights",
                  "What training moved, at the end of its last epoch, and what it became.");
    for (size_t i = 0; i < page->report->run_count; i++) {
        write_figure(page, i);
        figure_integer_weights(page, i);
    }
    section_end(page);
}
