/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark's row for people: where the cycles and bytes went, layer by layer. */
#include "bench.h"
#include "table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void add_count(struct cli_table *table, double value)
{
    if (isfinite(value)) {
        cli_table_add_count(table, (uint64_t)(value + 0.5));
    } else {
        cli_table_add(table, "-");
    }
}

static void add_percent(struct cli_table *table, double part, double whole)
{
    if (isfinite(part) && whole > 0.0) {
        cli_table_add(table, "%.1f", 100.0 * part / whole);
    } else {
        cli_table_add(table, "-");
    }
}

static void add_figures(struct cli_table *table, const struct bench_figures *f)
{
    add_count(table, f->macs);
    add_count(table, f->cycles);
    add_percent(table, f->utilization, 1.0);
    add_percent(table, f->compute, f->cycles);
    add_percent(table, f->weight_stall, f->cycles);
    add_percent(table, f->input_stall, f->cycles);
    add_percent(table, f->output_stall, f->cycles);
    add_percent(table, f->other, f->cycles);
    add_count(table, f->read_bytes);
    add_count(table, f->write_bytes);
}

static bool print_layers(const struct bench *bench)
{
    static const struct cli_column columns[] = {
        {"layer", false},       {"mode", false},         {"MACs/image", true},
        {"cycles/image", true}, {"utilization %", true}, {"computing %", true},
        {"weights %", true},    {"input %", true},       {"output %", true},
        {"other %", true},      {"bytes read", true},    {"written", true}};
    struct cli_table table;

    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < bench->layer_count; i++) {
        const struct bench_figures f = bench_layer(bench, i);
        cli_table_add(&table, "%s", bittern_network_layer(bench->network, i)->name);
        cli_table_add(&table, "%s",
                      bench->plan ? bittern_array_mode_name(bench->plan->layers[i].mode) : "-");
        add_figures(&table, &f);
    }
    const struct bench_figures f = bench_whole(bench);
    cli_table_add(&table, "all");
    cli_table_add(&table, "%s", "");
    add_figures(&table, &f);
    return cli_table_finish(&table, stdout);
}

static void print_settings(const struct bench *bench)
{
    char count[32];
    const struct bittern_device_info *info = bittern_device_get_info(bench->device);
    const struct image_choice *choice = &bench->arguments->options.choice;

    printf("Program   %s (%s)\n", bench->bench_case->stem, bench->bench_case->program);
    printf("Device    %s: %s\n", bench->device_name, info->description);
    printf("Images    %s ", cli_format_count(bench->images.count, count, sizeof count));
    if (choice->random) {
        printf("random, seed %" PRIu64, choice->seed);
    } else {
        printf("from number %zu of %s", choice->start, bench->images.name);
    }
    printf("; %zu a start; %zu repetition%s%s\n", bench->batch, bench->repetition_count,
           bench->repetition_count == 1 ? "" : "s",
           bench->bench_case->simulated && bench->repetition_count == 1
               ? " (simulated cycles are the same in each; --repetitions 2 checks it)"
               : "");
}

static void print_speed(const struct bench *bench)
{
    char count[32];
    double rate = bench_images_per_second(bench);
    double first = bench_first_cycles(bench);

    printf("Speed     %s images/s", cli_format_count((uint64_t)(rate + 0.5), count, sizeof count));
    if (bench->median->counters.cycles > 0) {
        printf(" at %g MHz", bench->arguments->clock_mhz);
    }
    printf("; the first image takes %.4g ms", 1e3 * bench_first_seconds(bench));
    if (isfinite(first)) {
        printf(" (%s cycles)", cli_format_count((uint64_t)first, count, sizeof count));
    }
    printf("\n");
}

static void print_agreement(const struct bench *bench)
{
    char values[32];
    char different[32];

    if (bench->images.labels) {
        printf("Accuracy  %.2f %% (%zu of %zu)\n",
               100.0 * (double)bench->accuracy.correct / (double)bench->images.count,
               bench->accuracy.correct, bench->images.count);
    }
    cli_format_count(bench->compared_values, values, sizeof values);
    if (bench->different == 0) {
        printf("Agreement all %s values are the reference engine's\n", values);
    } else {
        printf("Agreement %s of %s values DIFFER from the reference engine's\n",
               cli_format_count(bench->different, different, sizeof different), values);
    }
}

bool bench_print(const struct bench *bench)
{
    print_settings(bench);
    if (bench->median->counters.cycles == 0) {
        printf("Layers    not told apart: this device does not count cycles\n");
    } else {
        printf("\n");
        if (!print_layers(bench)) {
            return false;
        }
        printf("\n");
    }
    print_speed(bench);
    bench_energy_print(bench);
    print_agreement(bench);
    return !bench->plan || bench_print_roofline(bench);
}
