/* SPDX-License-Identifier: Apache-2.0 */
/* Each part is a rectangle from the end of the part before it. */
#include "bars.h"

#include "html.h"

#include <math.h>
#include <string.h>

#define BAR_PITCH 26

static size_t bars_drawn(const struct bars *bars)
{
    return bars->count < BARS_MAX ? bars->count : BARS_MAX;
}

/* End of a part, from the bar's start. */
static double end_of(const struct bars *bars, size_t bar, size_t parts)
{
    double sum = 0.0;
    for (size_t part = 0; part < parts; part++) {
        double value = bars->value(bars->data, bar, part);
        sum += isfinite(value) ? value : 0.0;
    }
    return sum;
}

double bars_length(const struct bars *bars, size_t bar)
{
    return end_of(bars, bar, bars->parts);
}

double bars_longest(const struct bars *bars)
{
    double longest = 0.0;
    for (size_t i = 0; i < bars->count; i++) {
        double length = bars_length(bars, i);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static void write_parts(const struct bars *bars, FILE *script)
{
    for (size_t part = 0; part < bars->parts; part++) {
        fprintf(script, "$p%zu << EOD\n", part);
        for (size_t i = 0; i < bars_drawn(bars); i++) {
            double from = end_of(bars, i, part) / bars->scale;
            double to = end_of(bars, i, part + 1) / bars->scale;
            fprintf(script, "%.9g %zu %.9g %.9g %.9g %.9g\n", to, i, from, to, (double)i - 0.34,
                    (double)i + 0.34);
        }
        fputs("EOD\n", script);
    }
}

static void write_notes(const struct bars *bars, FILE *script)
{
    char note[64];
    for (size_t i = 0; i < bars_drawn(bars); i++) {
        bars->note(bars->data, i, note, sizeof note);
        if (note[0] != '\0') {
            fprintf(script,
                    "set label '%s' at %.9g, %zu left offset 0.6,0 font ',12' textcolor "
                    "rgb " CHART_TEXT "\n",
                    note, bars_length(bars, i) / bars->scale, i);
        }
    }
}

static void write_names(struct page *page, const struct bars *bars, size_t limit, FILE *script)
{
    fputs("set ytics (", script);
    for (size_t i = 0; i < bars_drawn(bars); i++) {
        fputs(i > 0 ? ", " : "", script);
        charts_label(page->charts, bars->name(bars->data, i), limit);
        fprintf(script, " %zu", i);
    }
    fputs(")\n", script);
}

static size_t longest_text(const char *const *texts, size_t count)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(texts[i]);
        longest = length > longest ? length : longest;
    }
    return longest;
}

void bars_draw(struct page *page, const void *data, bool narrow)
{
    const struct bars *bars = data;
    double longest = bars_longest(bars) / bars->scale;
    size_t letters = 0;
    size_t limit = narrow ? 11 : 24;
    for (size_t i = 0; i < bars_drawn(bars); i++) {
        size_t length = html_text_length(bars->name(bars->data, i), limit);
        letters = length > letters ? length : letters;
    }
    struct chart_size size = {.width = narrow ? PAGE_NARROW : PAGE_WIDE,
                              .left = 22 + (int)letters * 15 / 2,
                              .right = narrow ? 52 : 60,
                              .bottom = 54};
    size_t columns =
        figure_key_room(&size, bars->parts, longest_text(bars->part_names, bars->parts));
    size.height = size.top + (int)bars_drawn(bars) * BAR_PITCH + size.bottom;
    FILE *script = figure_chart(page, narrow, &size);

    longest = longest > 0.0 ? longest : 1.0;
    figure_key(script, &size, columns);
    write_parts(bars, script);
    write_notes(bars, script);
    fprintf(script,
            "set yrange [%g:-0.6]\nset xrange [0:%.9g]\nset xtics %.9g\nset format x '%%g'\n"
            "set grid xtics\nset grid noytics\nset tics scale 0\nset border 1\n"
            "set xlabel '%s' offset 0,0.4\n",
            (double)bars_drawn(bars) - 0.4, longest, axis_step(longest, narrow ? 3.0 : 5.0),
            bars->axis);
    write_names(page, bars, limit, script);
    for (size_t part = 0; part < bars->parts; part++) {
        fprintf(script,
                "%s$p%zu using 1:2:3:4:5:6 with boxxyerror fs solid 1 noborder lc rgb %s title "
                "'%s'",
                part > 0 ? ", " : "plot ", part, bars->part_colours[part], bars->part_names[part]);
    }
    charts_end(page->charts, page->out);
}
