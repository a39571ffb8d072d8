/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roofline (Williams, Waterman, Patterson, CACM 2009) of each geometry with every layer on it:
 * a layer can do no more multiplications a cycle than the array of its mode, nor more than its
 * bytes feed.
 */
#include "html.h"
#include "page.h"

#include <math.h>
#include <string.h>

#define MAX_FIGURES 12
#define MAX_LABELLED 48 /* points, beyond which names are noise */

static const char *const mode_colours[REPORT_MODES] = {SERIES_1, SERIES_2, SERIES_3};
static const int mode_shapes[REPORT_MODES] = {7, 9, 5};

/* Rows of one geometry, with the same peaks: those of `first` and behind it that are like it. */
struct roofline {
    const struct report_row *first;
};

static bool has_roof(const struct report_row *row)
{
    return row->bytes_per_cycle > 0.0 && row->layer_count > 0;
}

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool is_like(const struct report_row *a, const struct report_row *b)
{
    return has_roof(a) && has_roof(b) && strcmp(a->geometry, b->geometry) == 0 &&
           same_number(a->bytes_per_cycle, b->bytes_per_cycle) &&
           same_number(a->peak[0], b->peak[0]) && same_number(a->peak[1], b->peak[1]) &&
           same_number(a->peak[2], b->peak[2]);
}

static bool is_drawn(const struct report_layer *layer)
{
    return layer->mode < REPORT_MODES && layer->intensity > 0.0 && layer->macs > 0.0 &&
           layer->cycles > 0.0;
}

/* Calls visit for every layer of every row that is like the first one. */
static void for_each_layer(const struct page *page, const struct roofline *roof,
                           void (*visit)(const struct report_row *row,
                                         const struct report_layer *layer, void *user),
                           void *user)
{
    for (size_t i = 0; i < page->report->row_count; i++) {
        const struct report_row *row = &page->report->rows[i];
        for (size_t l = 0; is_like(roof->first, row) && l < row->layer_count; l++) {
            visit(row, &row->layers[l], user);
        }
    }
}

/* ---- Drawing --------------------------------------------------------------------------------- */

struct drawing {
    struct page *page;
    const struct chart_size *size;
    struct axis x, y;
    struct labels labels;
    size_t points, count[REPORT_MODES];
    size_t mode; /* that is being written */
    struct {
        const char *name;
        double x, y;
    } named[MAX_LABELLED];
    size_t named_count;
};

static void include(const struct report_row *row, const struct report_layer *layer, void *user)
{
    struct drawing *d = user;
    (void)row;
    if (is_drawn(layer)) {
        axis_include(&d->x, layer->intensity);
        axis_include(&d->y, layer->macs / layer->cycles);
        d->count[layer->mode]++;
        d->points++;
    }
}

static void write_point(const struct report_row *row, const struct report_layer *layer, void *user)
{
    struct drawing *d = user;
    (void)row;
    if (is_drawn(layer) && layer->mode == d->mode) {
        fprintf(charts_script(d->page->charts), "%.9g %.9g\n", layer->intensity,
                layer->macs / layer->cycles);
    }
}

static void reserve_point(const struct report_row *row, const struct report_layer *layer,
                          void *user)
{
    struct drawing *d = user;
    (void)row;
    if (is_drawn(layer)) {
        labels_add_point(&d->labels, axis_place(&d->x, layer->intensity),
                         axis_place(&d->y, layer->macs / layer->cycles));
    }
}

/* The same layer of two programs at the same place: one name is enough. */
static bool is_named(const struct drawing *d, const char *name, double x, double y)
{
    for (size_t i = 0; i < d->named_count; i++) {
        if (strcmp(d->named[i].name, name) == 0 && fabs(d->named[i].x - x) < 12.0 &&
            fabs(d->named[i].y - y) < 12.0) {
            return true;
        }
    }
    return false;
}

static void name_point(const struct report_row *row, const struct report_layer *layer, void *user)
{
    struct drawing *d = user;
    double x = axis_place(&d->x, layer->intensity);
    double y = axis_place(&d->y, layer->macs / layer->cycles);
    (void)row;
    if (is_drawn(layer) && d->named_count < MAX_LABELLED && !is_named(d, layer->name, x, y) &&
        labels_put(&d->labels, d->page, d->size, x, y, layer->name, 14)) {
        d->named[d->named_count].name = layer->name;
        d->named[d->named_count].x = x;
        d->named[d->named_count++].y = y;
    }
}

/* The slope and, for each mode that has layers, its flat roof from where the slope meets it. */
static void write_roofs(const struct roofline *roof, struct drawing *d, FILE *script)
{
    double bandwidth = roof->first->bytes_per_cycle;
    double highest = 0.0;
    for (size_t m = 0; m < REPORT_MODES; m++) {
        double peak = roof->first->peak[m];
        if (d->count[m] == 0 || !(peak > 0.0)) {
            continue;
        }
        highest = peak > highest ? peak : highest;
        fprintf(script, "$roof%zu << EOD\n%.9g %.9g\n%.9g %.9g\nEOD\n", m, peak / bandwidth, peak,
                d->x.high, peak);
    }
    fprintf(script, "$slope << EOD\n%.9g %.9g\n%.9g %.9g\nEOD\n", d->x.low, bandwidth * d->x.low,
            highest / bandwidth, highest);
}

static void find_axes(const struct page *page, const struct roofline *roof, struct drawing *d)
{
    const struct chart_size *size = d->size;
    double bandwidth = roof->first->bytes_per_cycle;
    d->x = (struct axis){INFINITY, -INFINITY, true, size->left, size->width - size->right};
    d->y = (struct axis){INFINITY, -INFINITY, true, size->height - size->bottom, size->top};
    for_each_layer(page, roof, include, d);
    for (size_t m = 0; m < REPORT_MODES; m++) {
        if (d->count[m] > 0 && roof->first->peak[m] > 0.0) {
            axis_include(&d->y, roof->first->peak[m]);
            axis_include(&d->x, roof->first->peak[m] / bandwidth);
        }
    }
    axis_pad(&d->x, 0.08);
    axis_pad(&d->y, 0.08);
}

static void draw(struct page *page, const void *data, bool narrow)
{
    const struct roofline *roof = data;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .height = narrow ? 330 : 420,
                              .left = narrow ? 62 : 68,
                              .right = 18,
                              .bottom = 52};
    size_t columns = figure_key_room(&size, 4, 7);
    struct drawing d = {.page = page, .size = &size};
    d.labels.area = (struct label_box){size.left + 2, size.top + 2, size.width - 4,
                                       size.height - size.bottom - 2};
    find_axes(page, roof, &d);
    FILE *script = figure_chart(page, narrow, &size);
    fprintf(script,
            "set logscale xy\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset format '%%g'\n"
            "set xlabel 'Multiplications a byte' offset 0,0.7\n"
            "set mxtics 10\nset mytics 10\n",
            d.x.low, d.x.high, d.y.low, d.y.high);
    figure_key(script, &size, columns);
    figure_y_label(script, "Multiplications a cycle", &size);
    write_roofs(roof, &d, script);
    for (d.mode = 0; d.mode < REPORT_MODES; d.mode++) {
        if (d.count[d.mode] > 0) {
            fprintf(script, "$p%zu << EOD\n", d.mode);
            for_each_layer(page, roof, write_point, &d);
            fputs("EOD\n", script);
        }
    }
    if (d.points <= MAX_LABELLED) {
        for_each_layer(page, roof, reserve_point, &d);
        for_each_layer(page, roof, name_point, &d);
    }
    fputs("plot $slope with lines lw 2 lc rgb " CHART_TEXT " title 'memory'", script);
    for (size_t m = 0; m < REPORT_MODES; m++) {
        if (d.count[m] > 0 && roof->first->peak[m] > 0.0) {
            fprintf(script, ", $roof%zu with lines lw 2 lc rgb %s", m, mode_colours[m]);
        }
        if (d.count[m] > 0) {
            fprintf(script, ", $p%zu with points pt %d ps 0.8 lc rgb %s title '%s'", m,
                    mode_shapes[m], mode_colours[m], report_mode_name(m));
        }
    }
    charts_end(page->charts, page->out);
}

/* ---- The table ------------------------------------------------------------------------------- */

struct table {
    const struct page *page;
    const struct roofline *roof;
    size_t without_bytes;
};

static void write_layer(const struct report_row *row, const struct report_layer *layer, void *user)
{
    struct table *table = user;
    FILE *out = table->page->out;
    double peak = layer->mode < REPORT_MODES ? row->peak[layer->mode] : NAN;
    double fed = layer->intensity * row->bytes_per_cycle;
    double roof = fed > peak ? peak : fed;
    double reached = layer->cycles > 0.0 ? layer->macs / layer->cycles : NAN;
    html_row_begin(out);
    html_cell_name(out, layer->name);
    html_cell_text(out, row->program);
    html_cell_text(out, report_mode_name(layer->mode));
    html_cell_number(out, layer->intensity, 2);
    html_cell_number(out, reached, 1);
    html_cell_number(out, roof, 1);
    html_cell_percent(out, reached / roof, 1);
    html_cell_text(out, !isfinite(layer->intensity) ? "no byte moves"
                        : fed < peak                ? "memory"
                                                    : "array");
    html_row_end(out);
    table->without_bytes += !isfinite(layer->intensity);
}

static void write_table(const struct page *page, const struct roofline *roof)
{
    static const char *const heads[] = {
        "Layer", "Network",     "Mode",    "Multiplications a byte", "Multiplications a cycle",
        "Roof",  "Of the roof", "Bound by"};
    struct table table = {page, roof, 0};
    html_table_begin(page->out, "Layers", heads, sizeof heads / sizeof heads[0]);
    for_each_layer(page, roof, write_layer, &table);
    html_table_end(page->out);
    if (table.without_bytes > 0) {
        fprintf(page->out,
                "<p class=\"note\">%zu layers move no byte of device memory, and are in the table "
                "only.</p>\n",
                table.without_bytes);
    }
}

static bool is_first(const struct page *page, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_like(&page->report->rows[i], &page->report->rows[index])) {
            return false;
        }
    }
    return has_roof(&page->report->rows[index]);
}

static bool has_points(const struct page *page, const struct roofline *roof)
{
    struct drawing d = {0};
    for_each_layer(page, roof, include, &d);
    return d.points > 0;
}

void section_roofline(struct page *page)
{
    size_t drawn = 0;
    section_begin(
        page, "roofline", "Roofline",
        "What bounds each layer: the sloped line is what memory can feed, a flat one the "
        "array’s peak in a mode. A layer close to its line has no room left; one above the slope "
        "had weights that were read before it began.");
    for (size_t i = 0; i < page->report->row_count && drawn < MAX_FIGURES; i++) {
        const struct roofline roof = {&page->report->rows[i]};
        struct figure figure = {.title = "Roofline",
                                .name = roof.first->geometry[0] != '\0' ? roof.first->geometry
                                                                        : roof.first->device,
                                .about = "Both axes are logarithmic. Each point is a layer, in the "
                                         "colour of the mode that it is computed in."};
        if (!is_first(page, i) || !has_points(page, &roof)) {
            continue;
        }
        drawn++;
        (void)snprintf(figure.id, sizeof figure.id, "roofline-%zu", drawn);
        figure_begin(page, &figure);
        figure_plots(page, &figure, draw, &roof);
        figure_data_begin(page, true);
        write_table(page, &roof);
        figure_data_end(page, true);
        figure_end(page);
    }
    section_end(page);
}
