/* SPDX-License-Identifier: Apache-2.0 */
/* Stacked bars, one below the other: layers with their cycles, networks with their energy. */
#ifndef BITTERN_REPORT_BARS_H
#define BITTERN_REPORT_BARS_H

#include "page.h"

#define BARS_MAX 64 /* a taller chart is not read */

struct bars {
    const void *data;
    size_t count, parts;
    const char *const *part_names;   /* [parts] */
    const char *const *part_colours; /* [parts] */
    const char *(*name)(const void *data, size_t bar);
    /* Part of a bar; NaN counts as 0. */
    double (*value)(const void *data, size_t bar, size_t part);
    /* What stands behind a bar, in buffer; "" for nothing. */
    void (*note)(const void *data, size_t bar, char *buffer, size_t size);
    double scale;     /* the axis shows values divided by it */
    const char *axis; /* the axis' name */
};

/* Sum of a bar's parts. */
double bars_length(const struct bars *bars, size_t bar);
double bars_longest(const struct bars *bars);
/* The chart; `data` is a struct bars (figure_draw). */
void bars_draw(struct page *page, const void *data, bool narrow);

#endif
