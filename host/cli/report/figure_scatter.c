/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy against energy and against size: every row a point, coloured by its weights, filled
 * where it was measured, and the Pareto front between them. */
#include "html.h"
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOG_FROM 6.0 /* ratio of the costs from which the axis is logarithmic */
#define NAME_LIMIT 22
#define MAX_TASKS 8 /* sets of images, each with its figures */

struct scatter {
    const struct report_row *task; /* the first row of its data set */
    bool by_energy;
    double factor; /* of the unit on the axis */
    const char *prefix;
    size_t *order; /* rows with both numbers, by cost */
    size_t count;
};

static double cost_of(const struct report_row *row, bool by_energy)
{
    return by_energy ? row->joules.nominal : row->weight_bits / 8.0;
}

/* A program has one size, on whichever device it ran: draw it once. */
static bool is_repeated(const struct report *report, size_t index)
{
    const struct report_row *row = &report->rows[index];
    for (size_t i = 0; i < index; i++) {
        const struct report_row *other = &report->rows[i];
        if (report_is_same_task(other, row) && strcmp(other->program, row->program) == 0 &&
            other->weight_bits == row->weight_bits && other->accuracy == row->accuracy) {
            return true;
        }
    }
    return false;
}

static bool is_drawn(const struct report *report, const struct scatter *s, size_t index)
{
    const struct report_row *row = &report->rows[index];
    return report_is_same_task(row, s->task) && row->accuracy >= 0.0 &&
           cost_of(row, s->by_energy) > 0.0 && (s->by_energy || !is_repeated(report, index));
}

/* ---- Drawing --------------------------------------------------------------------------------- */

static void find_axes(const struct page *page, const struct scatter *s,
                      const struct chart_size *size, struct axis *x, struct axis *y)
{
    *x = (struct axis){INFINITY, -INFINITY, false, size->left, size->width - size->right};
    *y = (struct axis){INFINITY, -INFINITY, false, size->height - size->bottom, size->top};
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        axis_include(x, cost_of(row, s->by_energy) / s->factor);
        if (s->by_energy && row->joules.low > 0.0) {
            axis_include(x, row->joules.low / s->factor);
            axis_include(x, row->joules.high / s->factor);
        }
        axis_include(y, 100.0 * row->accuracy);
    }
    x->log = x->low > 0.0 && x->high / x->low > LOG_FROM;
    axis_pad(x, 0.1);
    axis_pad(y, 0.14);
    if (y->high > 100.0) { /* just room for a point and its name */
        y->high = 100.0 + 0.06 * (100.0 - y->low);
    }
    if (!x->log && x->low < 0.0) {
        x->low = 0.0;
    }
}

static void write_axes(const struct scatter *s, const struct axis *x, const struct axis *y,
                       FILE *script)
{
    fprintf(script, "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n%s", x->low, x->high, y->low,
            y->high, x->log ? "set logscale x\nset mxtics 10\n" : "");
    fprintf(script, "set ytics %.9g\n", axis_step(y->high - y->low, 4.0));
    fprintf(script, "set format x '%%g'\nset format y '%%g'\nset xlabel '%s (%s%s)' offset 0,0.7\n",
            s->by_energy ? "Energy an image" : "Weights", s->prefix, s->by_energy ? "J" : "B");
}

/* Entries of the key: kinds of weights, times sources. */
static size_t count_series(const struct page *page, const struct scatter *s)
{
    bool there[REPORT_KINDS][2] = {{false}};
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        bool *seen = &there[row->weights][s->by_energy && report_is_measured(row)];
        count += !*seen;
        *seen = true;
    }
    return count;
}

/* $pK: the points of one kind of weights and one source. */
static bool write_points(const struct page *page, const struct scatter *s, size_t kind,
                         bool measured, size_t block, FILE *script)
{
    bool any = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        if (row->weights != kind || (s->by_energy && report_is_measured(row) != measured)) {
            continue;
        }
        if (!any) {
            fprintf(script, "$p%zu << EOD\n", block);
            any = true;
        }
        double cost = cost_of(row, s->by_energy);
        bool has_bar = s->by_energy && isfinite(row->joules.low) && isfinite(row->joules.high);
        fprintf(script, "%.9g %.9g %.9g %.9g\n", cost / s->factor, 100.0 * row->accuracy,
                (has_bar ? row->joules.low : cost) / s->factor,
                (has_bar ? row->joules.high : cost) / s->factor);
    }
    if (any) {
        fputs("EOD\n", script);
    }
    return any;
}

static void write_front(const struct page *page, const struct scatter *s, const struct axis *x,
                        const struct axis *y, FILE *script)
{
    double last = y->low;
    fputs("$front << EOD\n", script);
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        if (report_is_front(page->report, s->order[i], s->by_energy)) {
            last = 100.0 * row->accuracy;
            fprintf(script, "%.9g %.9g\n", cost_of(row, s->by_energy) / s->factor, last);
        }
    }
    fprintf(script, "%.9g %.9g\nEOD\n", x->high, last);
}

/* The front's steps are in the way of names, too. */
static void avoid_front(const struct page *page, const struct scatter *s, const struct axis *x,
                        const struct axis *y, struct labels *labels)
{
    double from = NAN;
    double level = NAN;
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        if (!report_is_front(page->report, s->order[i], s->by_energy)) {
            continue;
        }
        double px = axis_place(x, cost_of(row, s->by_energy) / s->factor);
        double py = axis_place(y, 100.0 * row->accuracy);
        if (isfinite(from)) {
            labels_add_box(labels, from, level - 1, px, level + 1);
            labels_add_box(labels, px - 1, py, px + 1, level);
        }
        from = px;
        level = py;
    }
    labels_add_box(labels, from, level - 1, x->to, level + 1);
}

static void write_names(struct page *page, const struct scatter *s, const struct chart_size *size,
                        const struct axis *x, const struct axis *y, bool narrow)
{
    struct labels labels = {
        .area = {size->left + 2, size->top, size->width - 4, size->height - size->bottom - 2}};
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        double at = axis_place(y, 100.0 * row->accuracy);
        labels_add_point(&labels, axis_place(x, cost_of(row, s->by_energy) / s->factor), at);
        if (s->by_energy && row->joules.low > 0.0 && row->joules.high > 0.0) {
            labels_add_box(&labels, axis_place(x, row->joules.low / s->factor), at - 4,
                           axis_place(x, row->joules.high / s->factor), at + 4);
        }
    }
    avoid_front(page, s, x, y, &labels);
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        double px = axis_place(x, cost_of(row, s->by_energy) / s->factor);
        double py = axis_place(y, 100.0 * row->accuracy);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", s->order[i] + 1);
        if (narrow || !labels_put(&labels, page, size, px, py, row->program, NAME_LIMIT)) {
            (void)labels_put(&labels, page, size, px, py, number, sizeof number);
        }
    }
}

static void draw(struct page *page, const void *data, bool narrow)
{
    const struct scatter *s = data;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .left = narrow ? 62 : 66,
                              .right = 16,
                              .bottom = 52};
    struct axis x;
    struct axis y;
    bool there[2 * REPORT_KINDS];
    static const int shapes[REPORT_KINDS][2] = {
        {6, 7}, {8, 9}, {4, 5}, {12, 13}}; /* open, filled */

    size_t columns = figure_key_room(&size, count_series(page, s) + 1, s->by_energy ? 17 : 12);
    size.height = size.top + (narrow ? 290 : 360);
    find_axes(page, s, &size, &x, &y);
    FILE *script = figure_chart(page, narrow, &size);
    write_axes(s, &x, &y, script);
    figure_y_label(script, "Accuracy (%)", &size);
    write_front(page, s, &x, &y, script);
    for (size_t b = 0; b < 2 * REPORT_KINDS; b++) {
        bool measured = b % 2 == 1;
        there[b] = (s->by_energy || !measured) && write_points(page, s, b / 2, measured, b, script);
    }
    write_names(page, s, &size, &x, &y, narrow);
    figure_key(script, &size, columns);
    fputs("plot $front with steps lw 1.5 dt (6,4) lc rgb " CHART_TEXT " title 'Pareto front'",
          script);
    for (size_t b = 0; b < 2 * REPORT_KINDS; b++) {
        const char *colour = chart_series(b / 2 == REPORT_UNKNOWN ? CHART_SERIES - 1 : b / 2);
        int shape = shapes[b / 2][!s->by_energy || b % 2];
        if (there[b] && s->by_energy) {
            fprintf(script, ", $p%zu using 1:2:3:4 with xerrorbars pt %d ps 0.01 lw 1.5 lc rgb %s",
                    b, shape, colour);
        }
        if (there[b]) {
            fprintf(script, ", $p%zu with points pt %d ps 0.9 lw 1.8 lc rgb %s title '%s%s'", b,
                    shape, colour, report_weights_name(b / 2),
                    !s->by_energy ? ""
                    : b % 2 == 1  ? ", measured"
                                  : ", modelled");
        }
    }
    charts_end(page->charts, page->out);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const char *source_name(const struct report_row *row)
{
    return report_is_measured(row)                    ? "measured"
           : strcmp(row->energy_source, "model") == 0 ? "modelled"
                                                      : "";
}

static void write_table(struct page *page, const struct scatter *s)
{
    static const char *const energy_heads[] = {
        "No.", "Network", "Device", "Weights", "Accuracy",   "Energy an image",
        "Low", "High",    "Range",  "Source",  "Above idle", "On the front"};
    static const char *const size_heads[] = {"No.",         "Network",     "Device",
                                             "Weights",     "Accuracy",    "Weights (bytes)",
                                             "Compression", "On the front"};
    FILE *out = page->out;
    html_table_begin(out, "By cost, lowest first", s->by_energy ? energy_heads : size_heads,
                     s->by_energy ? 12 : 8);
    for (size_t i = 0; i < s->count; i++) {
        const struct report_row *row = &page->report->rows[s->order[i]];
        html_row_begin(out);
        html_cell_number(out, (double)(s->order[i] + 1), 0);
        html_cell_name(out, row->program);
        html_cell_text(out, row->device);
        html_cell_text(out, report_weights_name(row->weights));
        html_cell_percent(out, row->accuracy, 2);
        if (s->by_energy) {
            html_cell_unit(out, row->joules.nominal, "J");
            html_cell_unit(out, row->joules.low, "J");
            html_cell_unit(out, row->joules.high, "J");
            html_cell_text(out, row->energy_range);
            html_cell_text(out, source_name(row));
            html_cell_unit(out, row->joules_above_idle.nominal, "J");
        } else {
            html_cell_number(out, ceil(row->weight_bits / 8.0), 0);
            html_cell_number(out, row->compression, 1);
        }
        html_cell_text(out, report_is_front(page->report, s->order[i], s->by_energy) ? "yes" : "");
        html_row_end(out);
    }
    html_table_end(out);
}

/* ---- The section ----------------------------------------------------------------------------- */

static bool collect(const struct report *report, struct scatter *s)
{
    double largest = 0.0;
    s->order = calloc(report->row_count, sizeof *s->order);
    if (!s->order) {
        return false;
    }
    for (size_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        if (!is_drawn(report, s, i)) {
            continue;
        }
        double cost = cost_of(row, s->by_energy);
        size_t at = s->count++;
        for (; at > 0 && cost_of(&report->rows[s->order[at - 1]], s->by_energy) > cost; at--) {
            s->order[at] = s->order[at - 1];
        }
        s->order[at] = i;
        largest = cost > largest ? cost : largest;
    }
    s->prefix = format_prefix(largest, &s->factor);
    return true;
}

static void write_figure(struct page *page, const struct report_row *task, bool by_energy,
                         size_t number)
{
    struct scatter s = {.task = task, .by_energy = by_energy};
    char images[48];
    char name[3 * HTML_NAME_LENGTH];
    (void)snprintf(name, sizeof name, "%.80s, %s images", task->dataset,
                   format_number(task->labelled, 0, images, sizeof images));
    struct figure figure = {
        .title = by_energy ? "Accuracy against energy" : "Accuracy against size",
        .name = task->dataset[0] != '\0' ? name : NULL,
        .about = by_energy
                     ? "Up and to the left is better. The bar of a point goes from the lowest "
                       "to the highest energy that is likely; filled points were measured, "
                       "open ones come from the model."
                     : "Up and to the left is better. Size is the bits that the weights take, "
                       "planes counted."};
    (void)snprintf(figure.id, sizeof figure.id, "%s-%zu",
                   by_energy ? "accuracy-energy" : "accuracy-size", number);
    if (collect(page->report, &s) && s.count > 0) {
        figure_begin(page, &figure);
        figure_plots(page, &figure, draw, &s);
        figure_data_begin(page, true);
        write_table(page, &s);
        figure_data_end(page, true);
        figure_end(page);
    }
    free(s.order);
}

static bool is_first_of_task(const struct report *report, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (report_is_same_task(&report->rows[i], &report->rows[index])) {
            return false;
        }
    }
    return true;
}

void section_tradeoffs(struct page *page)
{
    const struct report *report = page->report;
    size_t tasks = 0;
    section_begin(page, "trade-offs", "Accuracy, energy, size",
                  "Which networks are worth their cost: no other one is both more accurate and "
                  "cheaper than those on the front. A point without its name has its number in the "
                  "summary.");
    if (!report_has_energy(report)) {
        fputs("<p class=\"note\">No row has both an accuracy and an energy, measured or "
              "modelled.</p>\n",
              page->out);
    }
    for (size_t i = 0; i < report->row_count && tasks < MAX_TASKS; i++) {
        if (is_first_of_task(report, i)) {
            tasks++;
            write_figure(page, &report->rows[i], true, tasks);
            write_figure(page, &report->rows[i], false, tasks);
        }
    }
    figure_energy_parts(page);
    section_end(page);
}
