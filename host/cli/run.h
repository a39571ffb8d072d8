/* SPDX-License-Identifier: Apache-2.0 */
/* One call of `bittern run`: what was asked for, and what was done. */
#ifndef BITTERN_CLI_RUN_H
#define BITTERN_CLI_RUN_H

#include "cli.h"
#include "run_images.h"
#include "run_jobs.h"
#include "run_options.h"
#include "run_result.h"

#include <bittern/device.h>
#include <cjson/cJSON.h>

struct run_arguments {
    const char *program;
    struct run_options options;
    const char *dump, *predictions;
    const char *trace, *trace_out; /* NULL: no waveform */
    bool json, profile, quiet;
};

struct run {
    const struct run_arguments *arguments;
    struct bittern_program *program;
    const struct bittern_network *network;
    struct bittern_device *device; /* the first one, where there are several */
    struct run_jobs *jobs;
    size_t job_count, batch; /* as chosen for this run */
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

/*
 * What the accelerator's own counters say (run_profile.c), at the clock that reports are for.
 * Utilization is the share of the cycles that the multiplications take at the array's full rate.
 */
#define RUN_CLOCK_HZ 100e6
struct run_cycles {
    double images_per_second; /* at RUN_CLOCK_HZ */
    double utilization;       /* 0..1; negative where it is not known */
};
struct run_cycles run_cycles_of(const struct run *run);
/* The table of layers; false: out of memory. */
bool run_print_profile(const struct run *run);
/* "layers": one object a layer; NULL: out of memory. */
cJSON *run_profile_to_json(const struct run *run);

#endif
