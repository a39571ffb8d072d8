/* SPDX-License-Identifier: Apache-2.0 */
/* The job belongs to its thread from start until `running` is cleared under the lock; nothing else
 * but `running` and the clock is looked at meanwhile. */
#include "device/device_job.h"

#include <inttypes.h>
#include <string.h>

/* Times are of the monotonic clock: setting the wall clock must not end a wait. */
bool device_job_init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return done;
}

bittern_status device_job_init(struct device_job *job, struct bittern_error *err)
{
    memset(job, 0, sizeof *job);
    if (pthread_mutex_init(&job->lock, NULL) != 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a lock");
    }
    if (!device_job_init_condition(&job->finished)) {
        pthread_mutex_destroy(&job->lock);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a condition variable");
    }
    return BITTERN_OK;
}

void device_job_destroy(struct device_job *job)
{
    if (job->has_thread) {
        pthread_join(job->thread, NULL);
    }
    pthread_cond_destroy(&job->finished);
    pthread_mutex_destroy(&job->lock);
}

static uint64_t nanoseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t elapsed = ((int64_t)now.tv_sec - (int64_t)start->tv_sec) * 1000000000 +
                      ((int64_t)now.tv_nsec - (int64_t)start->tv_nsec);
    return elapsed > 0 ? (uint64_t)elapsed : 0;
}

bool device_job_is_running(struct device_job *job)
{
    pthread_mutex_lock(&job->lock);
    bool running = job->running;
    pthread_mutex_unlock(&job->lock);
    return running;
}

uint64_t device_job_nanoseconds(struct device_job *job)
{
    pthread_mutex_lock(&job->lock);
    uint64_t nanoseconds = job->running ? nanoseconds_since(&job->started) : job->nanoseconds;
    pthread_mutex_unlock(&job->lock);
    return nanoseconds;
}

static void *run_thread(void *argument)
{
    struct device_job *job = argument;
    struct bittern_error error = {0};
    bittern_status status = job->work(job->user, &error);

    pthread_mutex_lock(&job->lock);
    job->status = status;
    job->error = error;
    job->nanoseconds = nanoseconds_since(&job->started);
    job->running = false;
    pthread_cond_broadcast(&job->finished);
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

bittern_status device_job_start(struct device_job *job,
                                bittern_status (*work)(void *user, struct bittern_error *err),
                                void *user, struct bittern_error *err)
{
    if (device_job_is_running(job)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "a run is in progress; wait for its end before the next start");
    }
    if (job->has_thread) {
        pthread_join(job->thread, NULL);
        job->has_thread = false;
    }
    job->work = work;
    job->user = user;
    clock_gettime(CLOCK_MONOTONIC, &job->started);
    job->running = true;
    job->has_run = true;
    int code = pthread_create(&job->thread, NULL, run_thread, job);
    if (code != 0) {
        job->running = false;
        job->has_run = false;
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "cannot start a thread: %s",
                                 strerror(code));
    }
    job->has_thread = true;
    return BITTERN_OK;
}

static void deadline_after(uint32_t milliseconds, struct timespec *deadline)
{
    clock_gettime(CLOCK_MONOTONIC, deadline);
    deadline->tv_sec += (time_t)(milliseconds / 1000);
    deadline->tv_nsec += (long)(milliseconds % 1000) * 1000000L;
    if (deadline->tv_nsec >= 1000000000L) {
        deadline->tv_sec++;
        deadline->tv_nsec -= 1000000000L;
    }
}

bittern_status device_job_wait(struct device_job *job, uint32_t timeout_ms,
                               struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct timespec deadline;

    if (!job->has_run) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "nothing was started");
    }
    deadline_after(timeout_ms, &deadline);
    pthread_mutex_lock(&job->lock);
    int code = 0;
    while (job->running && code == 0) {
        code = pthread_cond_timedwait(&job->finished, &job->lock, &deadline);
    }
    if (job->running) {
        status = bittern_error_set(err, BITTERN_ERR_TIMEOUT,
                                   "the run did not end within %" PRIu32 " ms", timeout_ms);
    } else {
        status = job->status;
        if (status != BITTERN_OK && err) {
            *err = job->error;
        }
    }
    pthread_mutex_unlock(&job->lock);
    return status;
}
