/* SPDX-License-Identifier: Apache-2.0 */
/* What `run` and `bench` ask alike, and what follows from that. */
#include "run_options.h"

#include "cli.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_TIMEOUT 60
#define SIMULATED_TIMEOUT                                                                          \
    3600 /* a simulated batch takes minutes where a board takes milliseconds */
#define MAX_THREADS 1024
#define MAX_JOBS 256

/* ---- Command line ---------------------------------------------------------------------------- */

int run_options_take_number(const char *command, const char *name, const char *text, size_t minimum,
                            size_t maximum, size_t *value)
{
    if (!cli_parse_size(text, minimum, maximum, value)) {
        return cli_usage(command, "--%s is a whole number from %zu to %zu, not '%s'", name, minimum,
                         maximum, text);
    }
    return CLI_EXIT_OK;
}

static int take_split(const char *command, const char *text, struct run_options *options)
{
    if (strcmp(text, "test") != 0 && strcmp(text, "train") != 0) {
        return cli_usage(command, "--split is test or train, not '%s'", text);
    }
    options->choice.split = strcmp(text, "test") == 0 ? BITTERN_SPLIT_TEST : BITTERN_SPLIT_TRAIN;
    options->has_split = true;
    return CLI_EXIT_OK;
}

static int take_input_range(const char *command, const char *text, struct run_options *options)
{
    options->load.has_input_range = true;
    if (!input_range_parse(text, &options->load.compile.input_range)) {
        return cli_usage(command, "--input-range is 0-255, 0-1 or minus1-1, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

int run_options_take(const char *command, int option, const char *value,
                     struct run_options *options)
{
    struct image_choice *choice = &options->choice;

    switch (option) {
    case RUN_OPTION_DATASET:
        choice->dataset = value;
        return CLI_EXIT_OK;
    case RUN_OPTION_SPLIT:
        return take_split(command, value, options);
    case RUN_OPTION_DATA:
        choice->data_dir = value;
        return CLI_EXIT_OK;
    case RUN_OPTION_INPUT:
        choice->input = value;
        return CLI_EXIT_OK;
    case RUN_OPTION_START:
        return run_options_take_number(command, "start", value, 0, SIZE_MAX / 2, &choice->start);
    case RUN_OPTION_IMAGES:
        return run_options_take_number(command, "images", value, 1, SIZE_MAX / 2, &choice->images);
    case RUN_OPTION_DEVICE:
        options->device = value;
        return CLI_EXIT_OK;
    case RUN_OPTION_JOBS:
        return run_options_take_number(command, "jobs", value, 1, MAX_JOBS, &options->jobs);
    case RUN_OPTION_BATCH:
        return run_options_take_number(command, "batch", value, 1, RUN_MAX_BATCH, &options->batch);
    case RUN_OPTION_TIMEOUT:
        return run_options_take_number(command, "timeout", value, 1, UINT32_MAX / 1000,
                                       &options->timeout_seconds);
    case RUN_OPTION_THREADS:
        return run_options_take_number(command, "threads", value, 1, MAX_THREADS,
                                       &options->threads);
    case RUN_OPTION_KERNEL:
        options->kernel = value;
        return CLI_EXIT_OK;
    case RUN_OPTION_INPUT_RANGE:
        return take_input_range(command, value, options);
    default:
        return cli_usage(command, "the command line is wrong");
    }
}

int run_options_check(const char *command, const struct run_options *options)
{
    const struct image_choice *choice = &options->choice;

    if (choice->input && (choice->dataset || choice->data_dir || options->has_split)) {
        return cli_usage(command, "--input takes the place of --dataset, --split and --data");
    }
    if ((options->threads > 0 || options->kernel) && strcmp(options->device, "reference") != 0) {
        return cli_usage(command, "--threads and --kernel are options of '--device reference'");
    }
    return CLI_EXIT_OK;
}

/* ---- What follows ---------------------------------------------------------------------------- */

void run_options_device_name(const struct run_options *options, char *name, size_t size)
{
    char threads[32] = "";
    bool both = options->threads > 0 && options->kernel;
    if (options->threads > 0) {
        (void)snprintf(threads, sizeof threads, "threads=%zu", options->threads);
    }
    (void)snprintf(name, size, "%s%s%s%s%s%s", options->device,
                   options->threads > 0 || options->kernel ? ":" : "", threads, both ? "," : "",
                   options->kernel ? "kernel=" : "", options->kernel ? options->kernel : "");
}

static bool device_is(const char *device, const char *backend)
{
    size_t length = strlen(backend);
    return strncmp(device, backend, length) == 0 &&
           (device[length] == '\0' || device[length] == ':');
}

bool run_device_is_simulated(const char *device)
{
    return device_is(device, "sim");
}

bool run_device_is_reference(const char *device)
{
    return device_is(device, "reference");
}

size_t run_usable_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 && count <= MAX_JOBS ? (size_t)count : 1;
}

uint32_t run_options_timeout_ms(const struct run_options *options)
{
    size_t timeout = run_device_is_simulated(options->device) ? SIMULATED_TIMEOUT : DEFAULT_TIMEOUT;
    timeout = options->timeout_seconds > 0 ? options->timeout_seconds : timeout;
    return (uint32_t)(timeout * 1000);
}

const char *run_split_name(enum bittern_split split)
{
    return split == BITTERN_SPLIT_TEST ? "test" : "train";
}

bittern_status run_load_program(const char *path, const struct bittern_device *device,
                                struct load_options *load, struct bittern_program **program,
                                struct bittern_error *err)
{
    enum file_kind kind = FILE_KIND_PROGRAM;
    const struct bittern_geometry *geometry = &bittern_device_get_info(device)->geometry;
    struct bittern_program *any = NULL;

    bittern_status status = load_program(path, load, program, err);
    if (status == BITTERN_OK) {
        status = file_kind_find(path, &kind, err);
    }
    if (status == BITTERN_OK && kind == FILE_KIND_ONNX && geometry->version > 0) {
        any = *program;
        status = bittern_program_create(bittern_program_network(any), geometry, program, err);
        if (status != BITTERN_OK) {
            *program = NULL;
            bittern_error_prefix(err, "%s", path);
        }
    }
    bittern_program_free(any);
    return status;
}
