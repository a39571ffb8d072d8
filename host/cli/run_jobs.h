/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One program on several devices at once. With one device a session runs all images; with more,
 * each has a session and a thread, and takes the next batch of images from a common queue.
 */
#ifndef BITTERN_CLI_RUN_JOBS_H
#define BITTERN_CLI_RUN_JOBS_H

#include <bittern/device.h>

struct run_jobs;

struct run_jobs_options {
    size_t count; /* devices, 1.. */
    size_t batch;
    uint32_t timeout_ms;
    /* Images 0..done-1 have their values; non-zero stops. Called by one thread at a time. */
    int (*progress)(void *user, size_t done, size_t total);
    void *user;
};

/* Sessions on `first` and on count - 1 more devices of its name; `first` stays the caller's.
 * @param name  as bittern_device_open has it */
bittern_status run_jobs_create(struct bittern_device *first, const char *name,
                               const struct bittern_program *program,
                               const struct run_jobs_options *options, struct run_jobs **jobs,
                               struct bittern_error *err);
void run_jobs_free(struct run_jobs *jobs);

/* As bittern_session_run; counters are summed over all devices. */
bittern_status run_jobs_run(struct run_jobs *jobs, const uint8_t *images, size_t count,
                            int32_t *values, struct bittern_counters *counters,
                            struct bittern_error *err);

/* bittern_session_profile, summed over all devices.
 * @param layers  [count], count the number of the network's layers */
bittern_status run_jobs_profile(const struct run_jobs *jobs, struct bittern_layer_profile *layers,
                                size_t count, struct bittern_error *err);

#endif
