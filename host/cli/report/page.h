/* SPDX-License-Identifier: Apache-2.0 */
/* The page: sections of figures, each with its chart twice (for wide and narrow screens), its data
 * as a table, and buttons that save both. */
#ifndef BITTERN_REPORT_PAGE_H
#define BITTERN_REPORT_PAGE_H

#include "chart.h"
#include "report.h"

#include <stdio.h>

#define PAGE_WIDE 880
#define PAGE_NARROW 340

struct page {
    FILE *out;
    struct charts *charts;
    const struct report *report;
};

/* Compose the page with the charts' marks in it. */
void page_write(struct page *page);

/* ---- Parts of figures ------------------------------------------------------------------------ */

struct figure {
    char id[48];
    const char *title;
    const char *name;  /* of a file's own, behind the title; NULL: none */
    const char *about; /* a sentence or two */
    bool is_long;      /* may be divided between printed pages */
};
void figure_begin(struct page *page, const struct figure *figure);
/* draw() is called for both widths; it calls figure_chart, writes its commands, charts_end. */
typedef void (*figure_draw)(struct page *page, const void *data, bool narrow);
void figure_plots(struct page *page, const struct figure *figure, figure_draw draw,
                  const void *data);
/* Buttons, and the table within <details>; or the table alone where there is no chart. */
void figure_data_begin(struct page *page, bool with_chart);
void figure_data_end(struct page *page, bool with_chart);
void figure_end(struct page *page);

/* The script of a chart with these heights and margins, at the width for narrow or wide. */
FILE *figure_chart(struct page *page, bool narrow, const struct chart_size *size);

/* A key of `entries` names, the longest of so many letters, above the plot: sets size->top to what
 * it takes, and returns the columns for figure_key. */
size_t figure_key_room(struct chart_size *size, size_t entries, size_t longest);
void figure_key(FILE *script, const struct chart_size *size, size_t columns);
/* The vertical axis' name at the chart's edge, whatever the numbers beside it take. */
void figure_y_label(FILE *script, const char *text, const struct chart_size *size);

void section_begin(struct page *page, const char *id, const char *title, const char *about);
void section_end(struct page *page);

/* ---- The sections ---------------------------------------------------------------------------- */

/* Which sections this report has. */
bool report_has_energy(const struct report *report);
bool report_has_size(const struct report *report);
bool report_has_layers(const struct report *report);
bool report_has_roofline(const struct report *report);

void section_summary(struct page *page);                   /* section_summary.c */
void section_tradeoffs(struct page *page);                 /* figure_scatter.c */
bool report_has_energy_parts(const struct report *report); /* figure_energy.c */
void figure_energy_parts(struct page *page);
void section_layers(struct page *page);                       /* figure_layers.c */
void section_roofline(struct page *page);                     /* figure_roofline.c */
void section_training(struct page *page);                     /* figure_training.c */
void section_weights(struct page *page);                      /* figure_weights.c */
void figure_integer_weights(struct page *page, size_t index); /* figure_integer.c */
void section_images(struct page *page);                       /* section_images.c */
void section_confusion(struct page *page);                    /* section_confusion.c */

/* ---- Labels beside points (labels.c) --------------------------------------------------------- */

/*
 * Where names go, so that none covers another one or a point. All in pixels, from the top left.
 * A name for which there is no room is left out.
 */
#define LABELS_MAX 512
struct label_box {
    double left, top, right, bottom;
};
struct labels {
    struct label_box boxes[LABELS_MAX];
    size_t count;
    struct label_box area;
};
void labels_add_point(struct labels *labels, double x, double y);
void labels_add_box(struct labels *labels, double left, double top, double right, double bottom);
/* Write a "set label" for a name beside (x, y) into the chart's script. */
bool labels_put(struct labels *labels, struct page *page, const struct chart_size *size, double x,
                double y, const char *name, size_t limit);

/* An axis: its range, and where a value lies in pixels. */
struct axis {
    double low, high;
    bool log;
    double from, to; /* pixels of low and high */
};
double axis_place(const struct axis *axis, double value);
/* Grow to hold a value; start with low = INFINITY, high = -INFINITY. */
void axis_include(struct axis *axis, double value);
/* Room at both ends, as a share of the range. */
void axis_pad(struct axis *axis, double share);
/* A distance of ticks: 1, 2 or 5 times a power of ten, so that there are about `parts`, or up to
 * twice as many. */
double axis_step(double range, double parts);

/* page.css and page.js, embedded at build time. */
extern const char report_page_css[];
extern const char report_page_js[];

#endif
