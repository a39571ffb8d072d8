/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roofline of a geometry as text: multiplications a cycle over multiplications a byte, both
 * logarithmic. A roof a mode that the network uses; a letter for each layer.
 *
 *     MACs/cycle
 *     8,192 |          .--------- binary
 *           |       .-'     b
 */
#include "bench.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 64
#define ROWS 14
#define LETTERS 52

struct plot {
    char cells[ROWS][COLUMNS + 1];
    double low_x, high_x, low_y, high_y; /* base-2 logarithms */
};

static char letter_of(size_t layer)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return layer < LETTERS ? letters[layer] : '*';
}

static double attained(const struct bench_figures *f)
{
    return f->macs / f->cycles;
}

/* A layer without multiplications, a sum, has no place here. */
static bool is_shown(const struct bench_figures *f)
{
    return f->macs > 0.0 && f->cycles > 0.0 && f->intensity > 0.0;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static size_t place(double value, double low, double high, size_t steps)
{
    double share = high > low ? (value - low) / (high - low) : 0.0;
    return (size_t)(clamp(share, 0.0, 1.0) * (double)(steps - 1) + 0.5);
}

static void set_ranges(const struct bench *bench, const struct bench_roofline *roofline,
                       struct plot *plot)
{
    double peak = 0.0;

    *plot = (struct plot){.low_x = INFINITY, .high_x = -INFINITY, .low_y = INFINITY};
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bench_figures f = bench_layer(bench, i);
        double top = roofline->peak[bench->plan->layers[i].mode];
        if (is_shown(&f)) {
            /* The layer, and the ridge of its roof. */
            double ridge = log2(top / roofline->bytes_per_cycle);
            plot->low_x = fmin(plot->low_x, fmin(log2(f.intensity), ridge - 2.0));
            plot->high_x = fmax(plot->high_x, fmax(log2(f.intensity), ridge + 2.0));
            plot->low_y = fmin(plot->low_y, log2(attained(&f)));
            peak = fmax(peak, top);
        }
    }
    plot->high_y = log2(peak);
    for (size_t y = 0; y < ROWS; y++) {
        memset(plot->cells[y], ' ', COLUMNS);
    }
}

static void draw_roof(struct plot *plot, const struct bench_roofline *roofline,
                      enum bittern_array_mode mode)
{
    for (size_t x = 0; x < COLUMNS; x++) {
        double log_x = plot->low_x + (plot->high_x - plot->low_x) * (double)x / (COLUMNS - 1);
        double roof = bench_roof(roofline, mode, exp2(log_x));
        if (log2(roof) < plot->low_y) {
            continue;
        }
        size_t y = ROWS - 1 - place(log2(roof), plot->low_y, plot->high_y, ROWS);
        plot->cells[y][x] = roof < roofline->peak[mode] ? '/' : '-';
    }
}

static void draw(const struct bench *bench, const struct bench_roofline *roofline,
                 struct plot *plot)
{
    for (size_t i = 0; i < bench->layer_count; i++) {
        draw_roof(plot, roofline, bench->plan->layers[i].mode);
    }
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bench_figures f = bench_layer(bench, i);
        if (is_shown(&f)) {
            size_t y = ROWS - 1 - place(log2(attained(&f)), plot->low_y, plot->high_y, ROWS);
            char *cell =
                &plot->cells[y][place(log2(f.intensity), plot->low_x, plot->high_x, COLUMNS)];
            *cell = *cell == ' ' || *cell == '-' || *cell == '/' ? letter_of(i) : '*';
        }
    }
}

static void print_plot(const struct plot *plot)
{
    char text[32];

    printf("\nRoofline: MACs a cycle over MACs a byte (- what the array allows, / what memory "
           "allows,\n* several layers)\n\n");
    for (size_t y = 0; y < ROWS; y++) {
        double value = exp2(plot->high_y - (plot->high_y - plot->low_y) * (double)y / (ROWS - 1));
        size_t end = COLUMNS;
        while (end > 0 && plot->cells[y][end - 1] == ' ') {
            end--;
        }
        if (value < 10.0) {
            (void)snprintf(text, sizeof text, "%.2g", value);
        } else {
            (void)cli_format_count((uint64_t)(value + 0.5), text, sizeof text);
        }
        printf("%8s |%.*s\n", text, (int)end, plot->cells[y]);
    }
    printf("%8s +", "");
    for (size_t x = 0; x < COLUMNS; x++) {
        putchar('-');
    }
    printf("\n%8s  %-*.3g%.3g MACs/byte\n", "", COLUMNS - 6, exp2(plot->low_x), exp2(plot->high_x));
}

bool bench_print_roofline(const struct bench *bench)
{
    static const struct cli_column columns[] = {
        {"", false},          {"layer", false},  {"mode", false},   {"MACs/byte", true},
        {"MACs/cycle", true}, {"allowed", true}, {"of it %", true}, {"limited by", false}};
    struct bench_roofline roofline;
    struct cli_table table;
    struct plot plot;
    bool above = false;

    if (!bench_roofline_of(bench, &roofline)) {
        return true;
    }
    set_ranges(bench, &roofline, &plot);
    if (!isfinite(plot.low_x)) {
        return true; /* no layer has a place */
    }
    draw(bench, &roofline, &plot);
    print_plot(&plot);
    printf("\n");
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bench_figures f = bench_layer(bench, i);
        enum bittern_array_mode mode = bench->plan->layers[i].mode;
        if (!is_shown(&f)) {
            continue;
        }
        double roof = bench_roof(&roofline, mode, f.intensity);
        cli_table_add(&table, "%c", letter_of(i));
        cli_table_add(&table, "%s", bittern_network_layer(bench->network, i)->name);
        cli_table_add(&table, "%s", bittern_array_mode_name(mode));
        cli_table_add(&table, "%.1f", f.intensity);
        cli_table_add(&table, "%.1f", attained(&f));
        cli_table_add(&table, "%.1f", roof);
        above = above || attained(&f) > roof;
        cli_table_add(&table, "%.1f", 100.0 * attained(&f) / roof);
        cli_table_add(&table, "%s", roof < roofline.peak[mode] ? "memory" : "array");
    }
    if (!cli_table_finish(&table, stdout)) {
        return false;
    }
    if (above) {
        printf("More than is allowed: weights that were read ahead, while other layers ran.\n");
    }
    return true;
}
