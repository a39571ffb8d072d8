/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue is a number, the next batch to give out, under a lock. Values go straight to their
 * place, so results are in order whatever the order of the batches; `done` counts the batches from
 * the first one on without a gap, which is what is told and kept when a run is stopped.
 */
#include "run_jobs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct run_jobs *jobs;
    struct bittern_device *device;
    bool owns_device;
    struct bittern_session *session;
    pthread_t thread;
    bool has_thread;
};

struct run_jobs {
    struct run_jobs_options options;
    size_t image_bytes, outputs;
    struct job *items; /* [options.count] */

    pthread_mutex_t lock;
    bool has_lock;
    /* Of the run in progress, under the lock but for the first line. */
    const uint8_t *images;
    int32_t *values;
    size_t count, batches;
    size_t next, done;
    bool *finished; /* [batches] */
    bool stopped;
    struct bittern_counters counters;
    bittern_status status;
    struct bittern_error error;
};

/* ---- Create and free ------------------------------------------------------------------------- */

static bittern_status open_job(struct run_jobs *jobs, size_t index, const char *name,
                               const struct bittern_program *program, struct bittern_error *err)
{
    struct job *job = &jobs->items[index];
    const struct run_jobs_options *options = &jobs->options;
    bool alone = options->count == 1;
    const struct bittern_session_options session_options = {.batch = options->batch,
                                                            .timeout_ms = options->timeout_ms,
                                                            .progress =
                                                                alone ? options->progress : NULL,
                                                            .user = options->user};
    bittern_status status = BITTERN_OK;

    job->jobs = jobs;
    if (!job->device) {
        status = bittern_device_open(name, &job->device, err);
        job->owns_device = status == BITTERN_OK;
    }
    return status == BITTERN_OK
               ? bittern_session_create(job->device, program, &session_options, &job->session, err)
               : status;
}

bittern_status run_jobs_create(struct bittern_device *first, const char *name,
                               const struct bittern_program *program,
                               const struct run_jobs_options *options, struct run_jobs **jobs_out,
                               struct bittern_error *err)
{
    const struct bittern_network *network = bittern_program_network(program);
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    struct run_jobs *jobs = calloc(1, sizeof *jobs);
    bittern_status status = BITTERN_OK;

    *jobs_out = NULL;
    if (jobs) {
        jobs->options = *options;
        jobs->items = calloc(options->count, sizeof *jobs->items);
        jobs->has_lock = pthread_mutex_init(&jobs->lock, NULL) == 0;
    }
    if (!jobs || !jobs->items || !jobs->has_lock) {
        status =
            bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu devices", options->count);
        goto cleanup;
    }
    jobs->image_bytes = shape->channels * shape->height * shape->width;
    jobs->outputs = bittern_network_output_count(network);
    jobs->items[0].device = first;
    for (size_t i = 0; status == BITTERN_OK && i < options->count; i++) {
        status = open_job(jobs, i, name, program, err);
    }
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *jobs_out = jobs;
    jobs = NULL;

cleanup:
    run_jobs_free(jobs);
    return status;
}

void run_jobs_free(struct run_jobs *jobs)
{
    if (!jobs) {
        return;
    }
    for (size_t i = 0; jobs->items && i < jobs->options.count; i++) {
        bittern_session_free(jobs->items[i].session);
        if (jobs->items[i].owns_device) {
            bittern_device_close(jobs->items[i].device);
        }
    }
    if (jobs->has_lock) {
        pthread_mutex_destroy(&jobs->lock);
    }
    free(jobs->finished);
    free(jobs->items);
    free(jobs);
}

/* ---- Run ------------------------------------------------------------------------------------- */

static void add_counters(struct bittern_counters *sum, const struct bittern_counters *cost)
{
    sum->cycles += cost->cycles;
    sum->compute_cycles += cost->compute_cycles;
    sum->weight_stall_cycles += cost->weight_stall_cycles;
    sum->input_stall_cycles += cost->input_stall_cycles;
    sum->output_stall_cycles += cost->output_stall_cycles;
    sum->read_beats += cost->read_beats;
    sum->write_beats += cost->write_beats;
    sum->nanoseconds += cost->nanoseconds;
}

static bool take_batch(struct run_jobs *jobs, size_t *batch)
{
    pthread_mutex_lock(&jobs->lock);
    bool taken = !jobs->stopped && jobs->next < jobs->batches;
    *batch = jobs->next;
    jobs->next += taken;
    pthread_mutex_unlock(&jobs->lock);
    return taken;
}

static size_t images_before(const struct run_jobs *jobs, size_t batch)
{
    size_t images = batch * jobs->options.batch;
    return images < jobs->count ? images : jobs->count;
}

/* A batch has ended, well or not. */
static void give_batch(struct run_jobs *jobs, size_t batch, const struct bittern_counters *cost,
                       bittern_status status, const struct bittern_error *error)
{
    pthread_mutex_lock(&jobs->lock);
    if (status != BITTERN_OK) {
        jobs->stopped = true;
        if (jobs->status == BITTERN_OK) { /* the first one is told */
            jobs->status = status;
            jobs->error = *error;
        }
    } else {
        add_counters(&jobs->counters, cost);
        jobs->finished[batch] = true;
        size_t before = jobs->done;
        while (jobs->done < jobs->batches && jobs->finished[jobs->done]) {
            jobs->done++;
        }
        if (jobs->done > before && jobs->options.progress &&
            jobs->options.progress(jobs->options.user, images_before(jobs, jobs->done),
                                   jobs->count) != 0) {
            jobs->stopped = true;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
}

static void *work(void *argument)
{
    size_t batch;
    struct job *job = argument;
    struct run_jobs *jobs = job->jobs;

    while (take_batch(jobs, &batch)) {
        struct bittern_counters cost;
        struct bittern_error error = {0};
        size_t start = images_before(jobs, batch);
        bittern_status status =
            bittern_session_run(job->session, jobs->images + start * jobs->image_bytes,
                                images_before(jobs, batch + 1) - start,
                                jobs->values + start * jobs->outputs, &cost, &error);
        give_batch(jobs, batch, &cost, status, &error);
    }
    return NULL;
}

/* The caller's thread works, too, as the first device's. */
static bittern_status run_all(struct run_jobs *jobs, struct bittern_error *err)
{
    for (size_t i = 1; i < jobs->options.count; i++) {
        struct job *job = &jobs->items[i];
        job->has_thread = pthread_create(&job->thread, NULL, work, job) == 0;
    }
    (void)work(&jobs->items[0]);
    for (size_t i = 1; i < jobs->options.count; i++) {
        struct job *job = &jobs->items[i];
        if (job->has_thread) {
            pthread_join(job->thread, NULL);
            job->has_thread = false;
        }
    }
    if (jobs->status != BITTERN_OK) {
        if (err) {
            *err = jobs->error;
        }
        return jobs->status;
    }
    if (jobs->stopped) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED, "stopped after %zu of %zu images",
                                 images_before(jobs, jobs->done), jobs->count);
    }
    return BITTERN_OK;
}

bittern_status run_jobs_run(struct run_jobs *jobs, const uint8_t *images, size_t count,
                            int32_t *values, struct bittern_counters *counters,
                            struct bittern_error *err)
{
    if (jobs->options.count == 1) {
        return bittern_session_run(jobs->items[0].session, images, count, values, counters, err);
    }
    free(jobs->finished);
    jobs->images = images;
    jobs->values = values;
    jobs->count = count;
    jobs->batches = count / jobs->options.batch + (count % jobs->options.batch != 0);
    jobs->next = jobs->done = 0;
    jobs->stopped = false;
    jobs->status = BITTERN_OK;
    memset(&jobs->counters, 0, sizeof jobs->counters);
    jobs->finished = calloc(jobs->batches + 1, sizeof *jobs->finished);
    if (!jobs->finished) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu batches",
                                 jobs->batches);
    }
    bittern_status status = run_all(jobs, err);
    *counters = jobs->counters;
    return status;
}

bittern_status run_jobs_profile(const struct run_jobs *jobs, struct bittern_layer_profile *layers,
                                size_t count, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct bittern_layer_profile *one = calloc(count, sizeof *one);

    if (!one) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a profile");
    }
    memset(layers, 0, count * sizeof *layers);
    for (size_t i = 0; status == BITTERN_OK && i < jobs->options.count; i++) {
        status = bittern_session_profile(jobs->items[i].session, one, count, err);
        for (size_t j = 0; status == BITTERN_OK && j < count; j++) {
            layers[j].images += one[j].images;
            layers[j].cycles += one[j].cycles;
            layers[j].compute_cycles += one[j].compute_cycles;
            layers[j].weight_stall_cycles += one[j].weight_stall_cycles;
            layers[j].input_stall_cycles += one[j].input_stall_cycles;
            layers[j].output_stall_cycles += one[j].output_stall_cycles;
        }
    }
    free(one);
    return status;
}
