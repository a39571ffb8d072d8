/* SPDX-License-Identifier: Apache-2.0 */
/* One call of `bittern run`: what was asked for, and what was done. */
#ifndef BITTERN_CLI_RUN_H
#define BITTERN_CLI_RUN_H

#include "cli.h"
#include "load.h"
#include "run_images.h"
#include "run_result.h"

#include <bittern/device.h>

struct run_arguments {
    const char *program;
    const char *device;
    struct load_options load;
    struct image_choice choice;
    size_t batch;
    size_t timeout_seconds;
    size_t threads;     /* 0: not given */
    const char *kernel; /* NULL: not given */
    const char *dump, *predictions;
    bool json, quiet, has_split;
};

struct run {
    const struct run_arguments *arguments;
    struct bittern_program *program;
    const struct bittern_network *network;
    struct bittern_device *device;
    struct bittern_session *session;
    struct run_images images;
    int32_t *values;
    struct cli_progress progress;
    size_t done; /* images whose values are there */
    double seconds;
    struct bittern_counters counters;
};

/* Print the result for people, or as JSON; both return an exit code (run_report.c). */
int run_print(const struct run *run);
int run_print_json(const struct run *run);

#endif
