/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of a benchmark, one after the other. A row is on disk before the next case starts; what
 * fails is told and does not keep the other cases from being measured.
 */
#include "bench.h"
#include "bench_rows.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_IMAGES 64

/* ---- Rows ------------------------------------------------------------------------------------ */

struct bench_run {
    const struct bench_arguments *arguments;
    const struct bench_case *cases;
    size_t case_count;
    struct bench_writer writer; /* fd -1: no file */
    struct bench_rows old;      /* in the file, with --resume */
    struct bench_rows rows;     /* measured now */
    size_t failed;
};

/* Whether the file has the row already; an error where it is of another program. */
static bittern_status find_old(const struct bench_run *run, const struct bench *bench, bool *found,
                               struct bittern_error *err)
{
    const cJSON *row = bench_rows_find(&run->old, bench->key);

    *found = row != NULL;
    if (row && bench_row_number(row, "program.crc32") != (double)bench->crc32) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' has the row '%s' of another program of that name (check sum "
                                 "%.0f, this one's is %u): write into another file, or replace it "
                                 "with --force",
                                 run->arguments->out, bench->key,
                                 bench_row_number(row, "program.crc32"), bench->crc32);
    }
    return BITTERN_OK;
}

/* To the file first: it must hold what is shown. */
static bittern_status write_row(struct bench_run *run, const struct bench *bench, cJSON *row,
                                struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    char *line = cJSON_PrintUnformatted(row);

    if (!line) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a row");
    }
    if (run->writer.fd >= 0) {
        status = bench_writer_add(&run->writer, line, err);
    }
    if (status == BITTERN_OK && run->arguments->json) {
        printf("%s\n", line);
    } else if (status == BITTERN_OK) {
        printf("%s", run->rows.count > 1 ? "\n" : "");
        if (!bench_print(bench)) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a table");
        }
    }
    if (status == BITTERN_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        status = bittern_error_set(err, BITTERN_ERR_IO, "cannot write to standard output");
    }
    cJSON_free(line);
    return status;
}

static bittern_status finish_row(struct bench_run *run, const struct bench *bench,
                                 struct bittern_error *err)
{
    cJSON *row = bench_row_make(bench);
    if (!row) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a row");
    }
    run->rows.items[run->rows.count++] = row;
    bittern_status status = write_row(run, bench, row, err);
    if (status == BITTERN_OK && bench->different > 0) {
        run->failed++;
        fprintf(stderr,
                "bittern bench: %s: %llu of %llu values differ from the reference engine's\n",
                bench->key, (unsigned long long)bench->different,
                (unsigned long long)bench->compared_values);
    }
    return status;
}

/* Tell a case's error and go on with the others; `stop` where that makes no sense. */
static int tell_case(struct bench_run *run, const struct bench_case *c, struct bittern_error *err,
                     bool *stop)
{
    *stop = err->status == BITTERN_ERR_ARGUMENT || err->status == BITTERN_ERR_CANCELLED;
    if (err->status == BITTERN_ERR_ARGUMENT) {
        return cli_usage("bench", "%s", err->message);
    }
    if (run->case_count > 1) {
        bittern_error_prefix(err, "%s on %s", c->stem, c->device);
    }
    run->failed++;
    return cli_fail("bench", err);
}

static int run_case(struct bench_run *run, const struct bench_case *c, bool *stop)
{
    struct bench bench;
    struct bittern_error err = {0};
    bool found = false;
    int code = CLI_EXIT_OK;

    *stop = true;
    bittern_status status = bench_open(&bench, run->arguments, c, &err);
    if (status != BITTERN_OK) {
        code = tell_case(run, c, &err, stop);
        goto cleanup;
    }
    if (find_old(run, &bench, &found, &err) != BITTERN_OK) {
        code = cli_fail("bench", &err);
        goto cleanup;
    }
    if (found) {
        if (!run->arguments->quiet) {
            fprintf(stderr, "bittern bench: '%s' is there already\n", bench.key);
        }
        *stop = false;
        goto cleanup;
    }
    status = bench_measure(&bench, &err);
    if (status != BITTERN_OK) {
        code = tell_case(run, c, &err, stop);
        goto cleanup;
    }
    if (finish_row(run, &bench, &err) != BITTERN_OK) {
        code = cli_fail("bench", &err);
        goto cleanup;
    }
    *stop = false;

cleanup:
    bench_close(&bench);
    return code;
}

static int run_cases(struct bench_run *run)
{
    for (size_t i = 0; i < run->case_count; i++) {
        bool stop = false;
        int code = cli_interrupted() ? CLI_EXIT_INTERRUPTED : run_case(run, &run->cases[i], &stop);
        if (stop || code == CLI_EXIT_INTERRUPTED) {
            return code;
        }
    }
    return run->failed > 0 ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

/* ---- Several rows at a glance ---------------------------------------------------------------- */

static void add_count(struct cli_table *table, double value)
{
    if (isfinite(value)) {
        cli_table_add_count(table, (uint64_t)(value + 0.5));
    } else {
        cli_table_add(table, "-");
    }
}

static void add_percent(struct cli_table *table, double value)
{
    if (isfinite(value)) {
        cli_table_add(table, "%.2f", 100.0 * value);
    } else {
        cli_table_add(table, "-");
    }
}

static void add_microjoules(struct cli_table *table, double joules)
{
    if (isfinite(joules)) {
        cli_table_add(table, "%.4g", 1e6 * joules);
    } else {
        cli_table_add(table, "-");
    }
}

static bool print_summary(const struct bench_rows *rows)
{
    static const struct cli_column columns[] = {
        {"row", false},        {"cycles/image", true}, {"utilization %", true}, {"images/s", true},
        {"bytes/image", true}, {"uJ/image", true},     {"accuracy %", true}};
    struct cli_table table;

    printf("\n");
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < rows->count; i++) {
        const cJSON *row = rows->items[i];
        cli_table_add(&table, "%s", bench_row_text(row, "key"));
        add_count(&table, bench_row_number(row, "whole.cycles_per_image"));
        add_percent(&table, bench_row_number(row, "whole.utilization"));
        add_count(&table, bench_row_number(row, "whole.images_per_second"));
        add_count(&table, bench_row_number(row, "whole.read_bytes") +
                              bench_row_number(row, "whole.write_bytes"));
        add_microjoules(&table, bench_row_number(row, "energy.joules_per_image.nominal"));
        add_percent(&table, bench_row_number(row, "accuracy.fraction"));
    }
    return cli_table_finish(&table, stdout);
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* Random images where none are named; of a simulated device not more than it takes in a while. */
static void choose_images(struct bench_arguments *arguments, const struct bench_case *cases,
                          size_t count)
{
    struct run_options *options = &arguments->options;
    struct image_choice *choice = &options->choice;

    choice->random = !choice->dataset && !choice->input;
    if (choice->images == 0 && (choice->random || run_device_is_simulated(options->device))) {
        choice->images = DEFAULT_IMAGES;
        for (size_t i = 0; i < count; i++) {
            choice->images = cases[i].batch > choice->images ? cases[i].batch : choice->images;
        }
    }
}

int bench_run(struct bench_arguments *arguments, const struct bench_sweep *sweep)
{
    struct bench_case *cases = NULL;
    struct bench_run run = {.arguments = arguments, .writer = {.fd = -1}};
    const struct bench_writer_options options = {.resume = arguments->resume,
                                                 .force = arguments->force};
    struct bittern_error err = {0};

    int code = bench_cases_make(arguments, sweep, &cases, &run.case_count);
    if (code != CLI_EXIT_OK) {
        goto cleanup;
    }
    run.cases = cases;
    choose_images(arguments, cases, run.case_count);
    run.rows.items = calloc(run.case_count, sizeof(cJSON *));
    if (!run.rows.items) {
        fprintf(stderr, "bittern bench: no memory\n");
        code = CLI_EXIT_FAILED;
        goto cleanup;
    }
    if (arguments->out &&
        bench_writer_open(arguments->out, &options, &run.writer, &run.old, &err) != BITTERN_OK) {
        code = err.status == BITTERN_ERR_ARGUMENT ? cli_usage("bench", "%s", err.message)
                                                  : cli_fail("bench", &err);
        goto cleanup;
    }
    code = run_cases(&run);
    if (!arguments->json && run.rows.count > 1 && !print_summary(&run.rows)) {
        fprintf(stderr, "bittern bench: no memory for the table\n");
        code = code == CLI_EXIT_OK ? CLI_EXIT_FAILED : code;
    }

cleanup:
    bench_writer_close(&run.writer);
    bench_rows_free(&run.old);
    bench_rows_free(&run.rows);
    free(cases);
    return code;
}
