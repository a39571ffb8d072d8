/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charts, drawn by gnuplot. Each chart is a piece of one gnuplot script; the page holds a mark
 * where it belongs. In the end gnuplot runs once over a private folder, and each mark gives way to
 * the SVG.
 *
 *     FILE *script = charts_begin(charts, &size);     "set output" and the common style
 *     fputs("plot sin(x) lc rgb SERIES_1 title ", script);
 *     charts_label(charts, name, 20);                 a name from a file
 *     charts_end(charts, page);                       the mark
 *
 * gnuplot never sees a name from a file: a label is one character of Unicode's private area and
 * filling, which is replaced by the escaped name when the SVG is taken over. Colours in the SVG
 * stay plain, so that a chart that is saved is whole; the page's style sheet maps them to its
 * variables.
 */
#ifndef BITTERN_REPORT_CHART_H
#define BITTERN_REPORT_CHART_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The colours of page.css, light. */
#define CHART_TEXT "'#434b57'"
#define CHART_AXIS "'#8b93a0'"
#define CHART_GRID "'#e6e9ee'"
#define CHART_INK "'#1c222b'"
#define SERIES_1 "'#0069b4'" /* blue */
#define SERIES_2 "'#c8500a'" /* vermilion */
#define SERIES_3 "'#00805c'" /* green */
#define SERIES_4 "'#a04a8c'" /* purple */
#define SERIES_5 "'#97700a'" /* ochre */
#define SERIES_6 "'#2f86ba'" /* sky */
#define SERIES_7 "'#8f2d24'" /* brick */
#define SERIES_8 "'#6a7280'" /* grey */
#define CHART_SERIES 8

/* "'#0069b4'" of series 0.., in turn. */
const char *chart_series(size_t index);

struct chart_size {
    int width, height;            /* pixels */
    int left, right, top, bottom; /* margins */
};

struct charts;
bittern_status charts_create(struct charts **charts, struct bittern_error *err);
/* Removes the folder, too; NULL is fine. */
void charts_free(struct charts *charts);

/* The script, to write commands into. */
FILE *charts_begin(struct charts *charts, const struct chart_size *size);
/* The same again, within a chart. */
FILE *charts_script(struct charts *charts);
/* A string constant that shows `name`, cut to `limit` characters; of a path, the end. */
void charts_label(struct charts *charts, const char *name, size_t limit);
/* Ends the chart, and puts its mark into the page. */
void charts_end(struct charts *charts, FILE *page);
size_t charts_count(const struct charts *charts);

/*
 * Run gnuplot. BITTERN_ERR_NOT_FOUND where it is not installed, with the package that holds it;
 * BITTERN_ERR_CANCELLED where `stop` (may be NULL) says so.
 */
bittern_status charts_draw(struct charts *charts, bool (*stop)(void), struct bittern_error *err);
/* Copy the page, each mark replaced by its SVG. */
bittern_status charts_fill_in(const struct charts *charts, const char *page, size_t size, FILE *out,
                              struct bittern_error *err);

/* chart_svg.c: take over an SVG of gnuplot: ids get the chart's number, labels their names, colours
 * become #rrggbb, empty groups and the head go. False: it is not one. */
struct chart_labels {
    char **names; /* [count], escaped */
    size_t count;
};
bool chart_svg_take(const char *svg, size_t number, const struct chart_labels *labels, FILE *out);

#define CHART_LABEL_FIRST 0xE000 /* of Unicode's private area */
#define CHART_LABEL_MAX 6400

#endif
