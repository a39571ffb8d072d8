/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `run` and `bench` ask alike: which images, which device, how a model is compiled; and what
 * follows from that.
 */
#ifndef BITTERN_CLI_RUN_OPTIONS_H
#define BITTERN_CLI_RUN_OPTIONS_H

#include "load.h"
#include "run_images.h"

#include <bittern/device.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_MAX_BATCH 4096
#define RUN_DEFAULT_BATCH 64
#define RUN_DEVICE_NAME_SIZE 1100

struct run_options {
    const char *device;
    const char *kernel; /* NULL: not given */
    struct load_options load;
    struct image_choice choice;
    size_t batch, timeout_seconds, jobs, threads; /* 0: not given */
    bool has_split;
};

/* Values of getopt_long; a command's own start at RUN_OPTION_END. */
enum {
    RUN_OPTION_DATASET = 256,
    RUN_OPTION_SPLIT,
    RUN_OPTION_DATA,
    RUN_OPTION_INPUT,
    RUN_OPTION_START,
    RUN_OPTION_IMAGES,
    RUN_OPTION_DEVICE,
    RUN_OPTION_JOBS,
    RUN_OPTION_BATCH,
    RUN_OPTION_TIMEOUT,
    RUN_OPTION_THREADS,
    RUN_OPTION_KERNEL,
    RUN_OPTION_INPUT_RANGE,
    RUN_OPTION_END
};

/* Entries for a command's `struct option` array. */
#define RUN_LONG_OPTIONS                                                                           \
    {"dataset", required_argument, NULL, RUN_OPTION_DATASET},                                      \
        {"split", required_argument, NULL, RUN_OPTION_SPLIT},                                      \
        {"data", required_argument, NULL, RUN_OPTION_DATA},                                        \
        {"input", required_argument, NULL, RUN_OPTION_INPUT},                                      \
        {"start", required_argument, NULL, RUN_OPTION_START},                                      \
        {"images", required_argument, NULL, RUN_OPTION_IMAGES},                                    \
        {"device", required_argument, NULL, RUN_OPTION_DEVICE},                                    \
        {"jobs", required_argument, NULL, RUN_OPTION_JOBS},                                        \
        {"batch", required_argument, NULL, RUN_OPTION_BATCH},                                      \
        {"timeout", required_argument, NULL, RUN_OPTION_TIMEOUT},                                  \
        {"threads", required_argument, NULL, RUN_OPTION_THREADS},                                  \
        {"kernel", required_argument, NULL, RUN_OPTION_KERNEL},                                    \
    {                                                                                              \
        "input-range", required_argument, NULL, RUN_OPTION_INPUT_RANGE                             \
    }

/* All with the exit code, which is a usage error's where the value is wrong. */
int run_options_take(const char *command, int option, const char *value,
                     struct run_options *options);
int run_options_take_number(const char *command, const char *name, const char *text, size_t minimum,
                            size_t maximum, size_t *value);
/* What the options say together. */
int run_options_check(const char *command, const struct run_options *options);

/* "reference:threads=2,kernel=avx2" */
void run_options_device_name(const struct run_options *options, char *name, size_t size);
bool run_device_is_simulated(const char *device);
bool run_device_is_reference(const char *device);
/* CPUs that this process may use. */
size_t run_usable_cpus(void);
uint32_t run_options_timeout_ms(const struct run_options *options);
const char *run_split_name(enum bittern_split split);

/* A model is compiled for the device that is there; a program is for what it was compiled for. */
bittern_status run_load_program(const char *path, const struct bittern_device *device,
                                struct load_options *load, struct bittern_program **program,
                                struct bittern_error *err);

#endif
