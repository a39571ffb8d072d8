/* SPDX-License-Identifier: Apache-2.0 */
/* Curves of training: accuracy and loss of each run, all runs in one chart, and SQ's β. */
#include "html.h"
#include "page.h"

#include <math.h>
#include <string.h>

#define MAX_LINES 24
#define EPOCHS_DRAWN 500 /* points of a curve; longer runs are thinned out */

enum curve { CURVE_ACCURACY, CURVE_LOSS, CURVE_BETA, CURVE_COMPARE };

struct curves {
    enum curve kind;
    const struct report_run *run; /* NULL: all runs */
    size_t lines;
};

/* Value of line `line` in an epoch. */
static double value_of(const struct curves *c, const struct report_epoch *epoch, size_t line)
{
    switch (c->kind) {
    case CURVE_ACCURACY:
        return 100.0 * (line == 0 ? epoch->test_accuracy : epoch->train_accuracy);
    case CURVE_LOSS:
        return line == 0 ? epoch->test_loss : epoch->train_loss;
    case CURVE_BETA:
        return report_beta(epoch, line);
    case CURVE_COMPARE:
        break;
    }
    return 100.0 * epoch->test_accuracy;
}

/* Name of a line: ours, or from a file. */
static const char *line_name(const struct page *page, const struct curves *c, size_t line)
{
    switch (c->kind) {
    case CURVE_ACCURACY:
    case CURVE_LOSS:
        return line == 0 ? "test" : "training";
    case CURVE_BETA:
        return c->run->layers[line].name;
    case CURVE_COMPARE:
        break;
    }
    return page->report->runs[line].name;
}

static bool line_is_drawn(const struct curves *c, size_t line)
{
    return c->kind != CURVE_BETA || c->run->layers[line].has_beta;
}

static void write_line(const struct page *page, const struct curves *c, size_t line, FILE *script)
{
    const struct report_run *run = c->run ? c->run : &page->report->runs[line];
    size_t step = run->epoch_count / EPOCHS_DRAWN + 1;
    fprintf(script, "$l%zu << EOD\n", line);
    for (size_t e = 0; e < run->epoch_count; e++) {
        double value = value_of(c, &run->epochs[e], line);
        if (isfinite(value) && isfinite(run->epochs[e].epoch) &&
            (e % step == 0 || e + 1 == run->epoch_count)) {
            fprintf(script, "%.9g %.9g\n", run->epochs[e].epoch, value);
        }
    }
    fputs("EOD\n", script);
}

static size_t lines_drawn(const struct curves *c)
{
    size_t drawn = 0;
    for (size_t i = 0; i < c->lines; i++) {
        drawn += line_is_drawn(c, i);
    }
    return drawn < MAX_LINES ? drawn : MAX_LINES;
}

static bool has_points(const struct page *page, const struct curves *c, size_t line)
{
    const struct report_run *run = c->run ? c->run : &page->report->runs[line];
    for (size_t e = 0; e < run->epoch_count; e++) {
        if (isfinite(value_of(c, &run->epochs[e], line)) && isfinite(run->epochs[e].epoch)) {
            return true;
        }
    }
    return false;
}

static size_t longest_name(const struct page *page, const struct curves *c)
{
    size_t longest = 1;
    for (size_t i = 0; i < c->lines; i++) {
        size_t length = line_is_drawn(c, i) ? html_text_length(line_name(page, c, i), 20) : 0;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static size_t longest_run(const struct page *page, const struct curves *c)
{
    size_t longest = c->run ? c->run->epoch_count : 0;
    for (size_t i = 0; !c->run && i < page->report->run_count; i++) {
        size_t count = page->report->runs[i].epoch_count;
        longest = count > longest ? count : longest;
    }
    return longest;
}

static void draw(struct page *page, const void *data, bool narrow)
{
    static const char *const labels[] = {[CURVE_ACCURACY] = "Accuracy (%)",
                                         [CURVE_LOSS] = "Loss",
                                         [CURVE_BETA] = "β",
                                         [CURVE_COMPARE] = "Test accuracy (%)"};
    const struct curves *c = data;
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .left = narrow ? 62 : 66,
                              .right = 16,
                              .bottom = 52};
    size_t columns = figure_key_room(&size, lines_drawn(c), longest_name(page, c));
    size.height = (narrow ? 240 : 300) + size.top;
    FILE *script = figure_chart(page, narrow, &size);
    size_t drawn = 0;
    bool marked = longest_run(page, c) <= 30;

    fprintf(script, "set xlabel 'Epoch' offset 0,0.7\nset format '%%g'\n"
                    "set autoscale xfix\n"
                    "set offsets graph 0.02, graph 0.02, 0, 0\n");
    figure_key(script, &size, columns);
    figure_y_label(script, labels[c->kind], &size);
    if (longest_run(page, c) <= 12) {
        fputs("set xtics 1\n", script);
    }
    for (size_t i = 0; i < c->lines && drawn < MAX_LINES; i++) {
        if (line_is_drawn(c, i) && has_points(page, c, i)) {
            write_line(page, c, i, script);
            drawn++;
        }
    }
    drawn = 0;
    for (size_t i = 0; i < c->lines && drawn < MAX_LINES; i++) {
        if (!line_is_drawn(c, i) || !has_points(page, c, i)) {
            continue;
        }
        static const char *const dashes[] = {"1", "(8,4)", "(2,3)"};
        static const int shapes[] = {7, 9, 5, 13, 6, 8, 4, 12};
        fprintf(script, "%s$l%zu with %s lw 2 dt %s pt %d ps 0.5 lc rgb %s title ",
                drawn == 0 ? "plot " : ", ", i, marked ? "linespoints" : "lines",
                dashes[drawn / CHART_SERIES], shapes[drawn % 8], chart_series(drawn));
        charts_label(page->charts, line_name(page, c, i), 20);
        drawn++;
    }
    charts_end(page->charts, page->out);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void write_epochs(struct page *page, const struct report_run *run)
{
    static const char *const heads[] = {"Epoch",         "Rate",      "Training loss",
                                        "Method's loss", "Test loss", "Training accuracy",
                                        "Test accuracy", "Seconds"};
    html_table_begin(page->out, "Every epoch", heads, sizeof heads / sizeof heads[0]);
    for (size_t e = 0; e < run->epoch_count; e++) {
        const struct report_epoch *epoch = &run->epochs[e];
        html_row_begin(page->out);
        html_cell_number(page->out, epoch->epoch, 0);
        html_cell_number(page->out, epoch->rate, 6);
        html_cell_number(page->out, epoch->train_loss, 4);
        html_cell_number(page->out, epoch->method_loss, 4);
        html_cell_number(page->out, epoch->test_loss, 4);
        html_cell_percent(page->out, epoch->train_accuracy, 2);
        html_cell_percent(page->out, epoch->test_accuracy, 2);
        html_cell_number(page->out, epoch->seconds, 1);
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

static void write_betas(struct page *page, const struct curves *c)
{
    const char *heads[REPORT_MAX_LAYERS + 1] = {"Epoch"};
    size_t count = 1;
    for (size_t i = 0; i < c->lines; i++) {
        if (line_is_drawn(c, i)) {
            heads[count++] = c->run->layers[i].name;
        }
    }
    html_table_begin(page->out, "β of each layer", heads, count);
    for (size_t e = 0; e < c->run->epoch_count; e++) {
        html_row_begin(page->out);
        html_cell_number(page->out, c->run->epochs[e].epoch, 0);
        for (size_t i = 0; i < c->lines; i++) {
            if (line_is_drawn(c, i)) {
                html_cell_number(page->out, report_beta(&c->run->epochs[e], i), 4);
            }
        }
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

static void write_comparison(struct page *page)
{
    static const char *const heads[] = {"Run", "Epochs", "Test accuracy, last epoch",
                                        "Best test accuracy"};
    html_table_begin(page->out, "Runs", heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < page->report->run_count; i++) {
        const struct report_run *run = &page->report->runs[i];
        double best = NAN;
        for (size_t e = 0; e < run->epoch_count; e++) {
            best = run->epochs[e].test_accuracy <= best ? best : run->epochs[e].test_accuracy;
        }
        html_row_begin(page->out);
        html_cell_name(page->out, run->name);
        html_cell_number(page->out, (double)run->epoch_count, 0);
        html_cell_percent(page->out, run->epochs[run->epoch_count - 1].test_accuracy, 2);
        html_cell_percent(page->out, best, 2);
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

/* ---- The section ----------------------------------------------------------------------------- */

static void write_figure(struct page *page, const struct curves *c, const struct figure *figure)
{
    bool any = false;
    for (size_t i = 0; i < c->lines && !any; i++) {
        any = line_is_drawn(c, i) && has_points(page, c, i);
    }
    if (!any) {
        return; /* an axis without a line says nothing */
    }
    figure_begin(page, figure);
    figure_plots(page, figure, draw, c);
    if (lines_drawn(c) == MAX_LINES) {
        fprintf(page->out, "<p class=\"note\">At most %d lines are drawn; the table has all.</p>\n",
                MAX_LINES);
    }
    figure_data_begin(page, true);
    if (c->kind == CURVE_BETA) {
        write_betas(page, c);
    } else if (c->kind == CURVE_COMPARE) {
        write_comparison(page);
    } else {
        write_epochs(page, c->run);
    }
    figure_data_end(page, true);
    figure_end(page);
}

static void write_run(struct page *page, size_t index)
{
    static const struct {
        enum curve kind;
        const char *id, *title, *about;
    } kinds[] = {
        {CURVE_ACCURACY, "accuracy", "Accuracy",
         "In each epoch: on the test set, and over the epoch’s batches while training."},
        {CURVE_LOSS, "loss", "Loss",
         "In each epoch, without the regularizers of the weight method."},
        {CURVE_BETA, "beta", "Regularizer’s β",
         "Each layer learns its own: it becomes binary where β ends at the recipe’s delta (1.57, "
         "about π/2) or above, ternary below."}};
    const struct report_run *run = &page->report->runs[index];
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const struct curves curves = {kinds[k].kind, run,
                                      kinds[k].kind == CURVE_BETA ? run->layer_count : 2};
        struct figure figure = {
            .title = kinds[k].title, .name = run->name, .about = kinds[k].about};
        (void)snprintf(figure.id, sizeof figure.id, "%s-%zu", kinds[k].id, index + 1);
        write_figure(page, &curves, &figure);
    }
}

void section_training(struct page *page)
{
    section_begin(page, "training", "Training", NULL);
    if (page->report->run_count > 1) {
        const struct curves curves = {CURVE_COMPARE, NULL, page->report->run_count};
        const struct figure figure = {
            .id = "runs-compared",
            .title = "Test accuracy of all runs",
            .about = "With the weights as they would be exported after each epoch."};
        write_figure(page, &curves, &figure);
    }
    for (size_t i = 0; i < page->report->run_count; i++) {
        write_run(page, i);
    }
    section_end(page);
}
