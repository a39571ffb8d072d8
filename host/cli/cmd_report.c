/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern report: reads everything first, then composes the page in memory, lets gnuplot draw, and
 * writes one file, whole or not at all.
 */
#include "base/file.h"
#include "cli.h"
#include "report/page.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "report"
#define MAX_FILES 64

static const char help[] =
    "One HTML file from benchmarks, training runs and predictions: figures, tables, and the data "
    "behind\n"
    "them. It opens from disk, loads nothing, and is light or dark as the reader has it.\n"
    "\n"
    "Usage: bittern report [OPTION...]\n"
    "\n"
    "What to report, at least one of these:\n"
    "      --bench FILE          rows of 'bittern bench'; may be given again\n"
    "      --run FOLDER          folder of 'bittern train', also of a run that has not ended; may "
    "be\n"
    "                            given again\n"
    "      --predictions FILE    what 'bittern run --predictions FILE.json' wrote\n"
    "\n"
    "Images of the predictions:\n"
    "      --dataset NAME        data set that they are of (default: show no images)\n"
    "      --split NAME          test (default) or train\n"
    "      --data DIR            folder with data sets (default: see 'bittern data --help')\n"
    "\n"
    "Output:\n"
    "  -o, --output FILE         where to write (default: report.html)\n"
    "      --title TEXT          of the page (default: Bittern report)\n"
    "      --json                print the headline numbers as JSON; without -o write no page\n"
    "  -h, --help\n"
    "\n"
    "Charts are drawn by gnuplot (package gnuplot-nox).\n"
    "\n"
    "Examples:\n"
    "  bittern report --bench rows.jsonl -o report.html\n"
    "  bittern report --run runs/mnist-lenet5-sq-seed1 --run runs/mnist-lenet5-twn-seed1\n"
    "  bittern run lenet5.btn --dataset mnist --predictions out.json\n"
    "  bittern report --bench rows.jsonl --predictions out.json --dataset mnist\n"
    "  bittern report --bench rows.jsonl --json\n";

struct options {
    const char *bench[MAX_FILES], *runs[MAX_FILES];
    size_t bench_count, run_count;
    struct report_predictions_source predictions;
    const char *title, *output;
    bool json;
};

enum {
    OPTION_BENCH = 256,
    OPTION_RUN,
    OPTION_PREDICTIONS,
    OPTION_DATASET,
    OPTION_SPLIT,
    OPTION_DATA,
    OPTION_TITLE,
    OPTION_JSON
};

/* ---- Command line ---------------------------------------------------------------------------- */

static int take_file(const char *name, const char *value, const char **files, size_t *count)
{
    if (*count == MAX_FILES) {
        return cli_usage(COMMAND, "--%s at most %d times", name, MAX_FILES);
    }
    files[(*count)++] = value;
    return CLI_EXIT_OK;
}

static int take_option(int option, const char *value, struct options *options)
{
    switch (option) {
    case OPTION_BENCH:
        return take_file("bench", value, options->bench, &options->bench_count);
    case OPTION_RUN:
        return take_file("run", value, options->runs, &options->run_count);
    case OPTION_PREDICTIONS:
        options->predictions.path = value;
        return CLI_EXIT_OK;
    case OPTION_DATASET:
        options->predictions.dataset = value;
        return CLI_EXIT_OK;
    case OPTION_SPLIT:
        if (strcmp(value, "test") != 0 && strcmp(value, "train") != 0) {
            return cli_usage(COMMAND, "--split is test or train, not '%s'", value);
        }
        options->predictions.split =
            strcmp(value, "test") == 0 ? BITTERN_SPLIT_TEST : BITTERN_SPLIT_TRAIN;
        return CLI_EXIT_OK;
    case OPTION_DATA:
        options->predictions.data_dir = value;
        return CLI_EXIT_OK;
    case OPTION_TITLE:
        options->title = value;
        return CLI_EXIT_OK;
    case OPTION_JSON:
        options->json = true;
        return CLI_EXIT_OK;
    case 'o':
        options->output = value;
        return CLI_EXIT_OK;
    default:
        return cli_usage(COMMAND, "the command line is wrong");
    }
}

/* -1: parsed; otherwise the exit code to end with. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"bench", required_argument, NULL, OPTION_BENCH},
        {"run", required_argument, NULL, OPTION_RUN},
        {"predictions", required_argument, NULL, OPTION_PREDICTIONS},
        {"dataset", required_argument, NULL, OPTION_DATASET},
        {"split", required_argument, NULL, OPTION_SPLIT},
        {"data", required_argument, NULL, OPTION_DATA},
        {"output", required_argument, NULL, 'o'},
        {"title", required_argument, NULL, OPTION_TITLE},
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "ho:", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output(COMMAND);
        }
        int code = take_option(option, optarg, options);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    if (optind != argc) {
        return cli_usage(COMMAND,
                         "what is '%s'? Files are named by --bench, --run and "
                         "--predictions",
                         argv[optind]);
    }
    if (options->bench_count == 0 && options->run_count == 0 && !options->predictions.path) {
        return cli_usage(COMMAND, "nothing to report: give --bench, --run or --predictions");
    }
    if (!options->predictions.path && options->predictions.dataset) {
        return cli_usage(COMMAND, "--dataset names the images of --predictions, which is missing");
    }
    return -1;
}

/* ---- The report ------------------------------------------------------------------------------ */

static bittern_status read_all(const struct options *options, struct report *report,
                               struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < options->bench_count; i++) {
        status = report_read_rows(report, options->bench[i], err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < options->run_count; i++) {
        status = report_read_run(report, options->runs[i], err);
    }
    if (status == BITTERN_OK && options->predictions.path) {
        status = report_read_predictions(report, &options->predictions, err);
    }
    return status;
}

/* Close a stream of open_memstream; false where memory ran out. */
static bool close_text(FILE *stream)
{
    bool failed = !stream || ferror(stream) != 0;
    return (!stream || fclose(stream) == 0) && !failed;
}

/* The page without its charts, and the script for them. */
static bittern_status compose(const struct report *report, struct charts *charts, char **text,
                              size_t *size, struct bittern_error *err)
{
    FILE *out = open_memstream(text, size);
    struct page page = {out, charts, report};
    if (out) {
        page_write(&page);
    }
    return close_text(out) ? BITTERN_OK
                           : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the page");
}

static bittern_status write_page(const struct report *report, const char *path,
                                 struct bittern_error *err)
{
    struct charts *charts = NULL;
    char *frame = NULL;
    char *whole = NULL;
    size_t frame_size = 0;
    size_t whole_size = 0;

    bittern_status status = charts_create(&charts, err);
    if (status == BITTERN_OK) {
        status = compose(report, charts, &frame, &frame_size, err);
    }
    if (status == BITTERN_OK) {
        status = charts_draw(charts, cli_interrupted, err);
    }
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    FILE *out = open_memstream(&whole, &whole_size);
    status = out ? charts_fill_in(charts, frame, frame_size, out, err) : BITTERN_OK;
    if (!close_text(out) && status == BITTERN_OK) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the page");
    }
    if (status == BITTERN_OK) {
        status = file_write(path, whole, whole_size, err);
    }
cleanup:
    charts_free(charts);
    free(frame);
    free(whole);
    return status;
}

static int print_summary(const struct report *report)
{
    cJSON *summary = report_summary(report);
    char *text = summary ? cJSON_Print(summary) : NULL;
    cJSON_Delete(summary);
    if (!text) {
        fprintf(stderr, "bittern report: no memory for the summary\n");
        return CLI_EXIT_FAILED;
    }
    puts(text);
    cJSON_free(text);
    return cli_finish_output(COMMAND);
}

int command_report(int argc, char **argv)
{
    struct options options = {.title = "Bittern report",
                              .predictions = {.split = BITTERN_SPLIT_TEST}};
    struct report report = {0};
    struct bittern_error err;

    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    cli_catch_interrupts();
    report.title = options.title;
    bittern_status status = read_all(&options, &report, &err);
    const char *output = options.output ? options.output : "report.html";
    if (status == BITTERN_OK && (options.output || !options.json)) {
        status = write_page(&report, output, &err);
    }
    if (status != BITTERN_OK) {
        code = cli_fail(COMMAND, &err);
    } else if (options.json) {
        code = print_summary(&report);
    } else {
        printf("Wrote %s\n", output);
        code = cli_finish_output(COMMAND);
    }
    report_free(&report);
    return code;
}
