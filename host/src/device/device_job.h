/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run at a time, in a thread of its own, for devices that this host plays itself: start and
 * wait as struct bittern_backend has them.
 */
#ifndef BITTERN_DEVICE_DEVICE_JOB_H
#define BITTERN_DEVICE_DEVICE_JOB_H

#include <bittern/error.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct device_job {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    pthread_t thread;
    bool has_thread; /* to be joined */
    bool running;
    bool has_run;
    bittern_status (*work)(void *user, struct bittern_error *err);
    void *user;
    struct timespec started;
    uint64_t nanoseconds; /* of the last finished run */
    bittern_status status;
    struct bittern_error error;
};

bittern_status device_job_init(struct device_job *job, struct bittern_error *err);
/* Waits for a run in progress. */
void device_job_destroy(struct device_job *job);

/* work(user, err) belongs to the new thread until device_job_is_running says no. */
bittern_status device_job_start(struct device_job *job,
                                bittern_status (*work)(void *user, struct bittern_error *err),
                                void *user, struct bittern_error *err);
bittern_status device_job_wait(struct device_job *job, uint32_t timeout_ms,
                               struct bittern_error *err);
bool device_job_is_running(struct device_job *job);
/* Of the last finished run, or until now while one is in progress. */
uint64_t device_job_nanoseconds(struct device_job *job);

/* For condition variables whose waits must not end when the wall clock is set. */
bool device_job_init_condition(pthread_cond_t *condition);

#endif
