/* SPDX-License-Identifier: Apache-2.0 */
/* Where the model says that the energy of an image goes, a bar a network and device. */
#include "bars.h"
#include "html.h"

#include <math.h>
#include <stdlib.h>

static const char *const colours[REPORT_ENERGY_PARTS] = {SERIES_1, SERIES_3, SERIES_2, SERIES_4,
                                                         SERIES_5, SERIES_6, SERIES_8};

struct modelled {
    const struct report *report;
    size_t *rows; /* [count] that have parts */
    size_t count;
};

static const struct report_row *row_of(const struct modelled *modelled, size_t bar)
{
    return &modelled->report->rows[modelled->rows[bar]];
}

static const char *name_of(const void *data, size_t bar)
{
    return row_of(data, bar)->program;
}

static double part_of(const void *data, size_t bar, size_t part)
{
    return row_of(data, bar)->energy_parts[part];
}

static void write_device(const void *data, size_t bar, char *buffer, size_t size)
{
    /* Our own text only: the number of the row, which says the device. */
    const struct modelled *modelled = data;
    (void)snprintf(buffer, size, "no. %zu", modelled->rows[bar] + 1);
}

static bool has_parts(const struct report_row *row)
{
    for (size_t part = 0; part < REPORT_ENERGY_PARTS; part++) {
        if (row->energy_parts[part] > 0.0) {
            return true;
        }
    }
    return false;
}

static void write_table(FILE *out, const struct modelled *modelled)
{
    const char *heads[REPORT_ENERGY_PARTS + 4] = {"No.", "Network", "Device", "Energy an image"};
    for (size_t part = 0; part < REPORT_ENERGY_PARTS; part++) {
        heads[part + 4] = report_energy_part_name(part);
    }
    html_table_begin(out, "Joules an image", heads, REPORT_ENERGY_PARTS + 4);
    for (size_t i = 0; i < modelled->count; i++) {
        const struct report_row *row = row_of(modelled, i);
        html_row_begin(out);
        html_cell_number(out, (double)modelled->rows[i] + 1.0, 0);
        html_cell_name(out, row->program);
        html_cell_text(out, row->device);
        html_cell_unit(out, row->joules.nominal, "J");
        for (size_t part = 0; part < REPORT_ENERGY_PARTS; part++) {
            html_cell_unit(out, row->energy_parts[part], "J");
        }
        html_row_end(out);
    }
    html_table_end(out);
}

static void write_figure(struct page *page, const struct modelled *modelled)
{
    const struct figure figure = {
        .id = "energy-parts",
        .title = "Where the energy goes",
        .about =
            "The model’s nominal energy of an image by part of the accelerator. Behind each bar "
            "is the number of its row in the summary, which names the device."};
    const char *names[REPORT_ENERGY_PARTS];
    char axis[64];
    struct bars bars = {.data = modelled,
                        .count = modelled->count,
                        .parts = REPORT_ENERGY_PARTS,
                        .part_names = names,
                        .part_colours = colours,
                        .name = name_of,
                        .value = part_of,
                        .note = write_device};
    for (size_t part = 0; part < REPORT_ENERGY_PARTS; part++) {
        names[part] = report_energy_part_name(part);
    }
    const char *prefix = format_prefix(bars_longest(&bars), &bars.scale);
    (void)snprintf(axis, sizeof axis, "Energy an image (%sJ)", prefix);
    bars.axis = axis;
    figure_begin(page, &figure);
    figure_plots(page, &figure, bars_draw, &bars);
    if (modelled->count > BARS_MAX) {
        fprintf(page->out, "<p class=\"note\">The first %d rows; the table has all.</p>\n",
                BARS_MAX);
    }
    figure_data_begin(page, true);
    write_table(page->out, modelled);
    figure_data_end(page, true);
    figure_end(page);
}

bool report_has_energy_parts(const struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        if (has_parts(&report->rows[i])) {
            return true;
        }
    }
    return false;
}

void figure_energy_parts(struct page *page)
{
    const struct report *report = page->report;
    struct modelled modelled = {.report = report,
                                .rows = calloc(report->row_count + 1, sizeof *modelled.rows)};
    for (size_t i = 0; modelled.rows && i < report->row_count; i++) {
        if (has_parts(&report->rows[i])) {
            modelled.rows[modelled.count++] = i;
        }
    }
    if (modelled.count > 0) {
        write_figure(page, &modelled);
    }
    free(modelled.rows);
}
