/* SPDX-License-Identifier: Apache-2.0 */
/* A training run from its beginning to its end: epochs, each with a test and a checkpoint. */
#include "train/trainer.h"

#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double run_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool run_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *run_path(const char *folder, const char *name, struct bittern_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the path of %s", name);
        return NULL;
    }
    return path;
}

char *trainer_checkpoint_path(const char *folder)
{
    return run_path(folder, "last.safetensors", NULL);
}

bittern_status run_agree(struct train_run *run, bittern_status status, struct bittern_error *err)
{
    struct comm *comm = run->options->comm;
    if (!comm_any(comm, status != BITTERN_OK)) {
        return BITTERN_OK;
    }
    /* One message is enough where all ranks met the same. */
    bool first_failed = status != BITTERN_OK;
    (void)comm_broadcast(comm, &first_failed, sizeof first_failed, NULL);
    if (status == BITTERN_OK || (first_failed && comm_rank(comm) > 0)) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED,
                                 "another process of this run failed; its message says why");
    }
    return status;
}

bittern_status run_report(struct train_run *run, struct trainer_progress *progress,
                          bittern_status status, struct bittern_error *err)
{
    static const char *const where[] = {[TRAINER_TRAIN] = "in",
                                        [TRAINER_TEST] = "in the test of",
                                        [TRAINER_STATISTICS] =
                                            "while statistics were estimated after",
                                        [TRAINER_EPOCH_END] = "at the end of"};
    const struct trainer_options *options = run->options;
    bool stop = false;

    progress->epochs = run->recipe->training.epochs;
    if (status == BITTERN_OK && options->progress) {
        stop = options->progress(options->user, progress) != 0;
    }
    if (!comm_any(options->comm, stop || status != BITTERN_OK)) {
        return BITTERN_OK;
    }
    status = run_agree(run, status, err);
    if (status == BITTERN_OK) {
        status = bittern_error_set(
            err, BITTERN_ERR_CANCELLED, "stopped %s epoch %llu, after batch %llu of %llu",
            where[progress->phase], (unsigned long long)progress->epoch,
            (unsigned long long)progress->batch, (unsigned long long)progress->batches);
    }
    return status;
}

static void fill_metrics(struct train_run *run, const struct evaluation *test,
                         struct epoch_metrics *metrics)
{
    const struct checkpoint_position *position = &run->position;
    double images = position->images > 0 ? (double)position->images : 1.0;

    layer_metrics_update(run);
    *metrics = (struct epoch_metrics){
        .epoch = position->epoch + 1,
        .step = position->step,
        .rate = run_learning_rate(run, position->batch - 1),
        .train_loss = position->loss_sum / images,
        .method_loss = position->method_loss_sum / (double)position->batch,
        .train_accuracy = (double)position->correct / images,
        .test_loss = test->loss,
        .test_accuracy = test->accuracy,
        .seconds = position->seconds,
        .images_per_second = position->seconds > 0.0 ? images / position->seconds : 0.0,
        .loader_wait_seconds = position->wait_seconds,
        .layers = run->layers,
        .layer_count = run->layer_count};
}

/* The epoch is over: write down what it reached, and go on to the next. */
static bittern_status end_epoch(struct train_run *run, const struct epoch_metrics *metrics,
                                struct bittern_error *err)
{
    struct checkpoint_position *position = &run->position;
    bittern_status status = BITTERN_OK;

    position->epoch++;
    position->batch = 0;
    position->loss_sum = position->method_loss_sum = 0.0;
    position->correct = 0;
    position->images = 0;
    position->seconds = position->wait_seconds = 0.0;
    bool best = position->best_epoch == 0 || metrics->test_accuracy > position->best_accuracy;
    if (best) {
        position->best_accuracy = metrics->test_accuracy;
        position->best_epoch = position->epoch;
    }
    if (run->metrics) {
        status = metrics_add(run->metrics, metrics, err);
    }
    if (status == BITTERN_OK && best) {
        status = run_save_best(run, err);
    }
    if (status == BITTERN_OK) {
        status = run_save(run, err);
    }
    return status;
}

/* A run that was stopped in the test of an epoch resumes with that test. */
static bittern_status run_epoch(struct train_run *run, struct bittern_error *err)
{
    struct evaluation test = {0};
    struct epoch_metrics metrics;

    bittern_status status = run_train_epoch(run, err);
    if (status == BITTERN_OK) {
        status = run_evaluate(run, &test, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    fill_metrics(run, &test, &metrics);
    status = end_epoch(run, &metrics, err);
    struct trainer_progress progress = {.phase = TRAINER_EPOCH_END,
                                        .epoch = metrics.epoch,
                                        .loss = metrics.train_loss,
                                        .accuracy = metrics.train_accuracy,
                                        .images_per_second = metrics.images_per_second,
                                        .seconds_left = run_seconds_left(run),
                                        .finished = &metrics};
    progress.batches = loader_batches(run->train_loader);
    progress.batch = progress.batches;
    return run_report(run, &progress, status, err);
}

/* A run that is asked to stop saves where it is. */
static bittern_status train(struct train_run *run, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    while (status == BITTERN_OK && run->position.epoch < run->recipe->training.epochs) {
        status = run_epoch(run, err);
    }
    if (status == BITTERN_ERR_CANCELLED) {
        struct bittern_error save_error;
        bittern_status saved = run_save(run, &save_error);
        if (saved != BITTERN_OK) {
            return bittern_error_set(err, saved, "stopped, but the state could not be saved: %s",
                                     save_error.message);
        }
    }
    return status;
}

void trainer_result_clear(struct trainer_result *result)
{
    free(result->layers); /* with their names */
    *result = (struct trainer_result){0};
}

bittern_status trainer_run(const struct recipe *recipe, const struct trainer_options *options,
                           struct trainer_result *result, struct bittern_error *err)
{
    struct train_run run = {.recipe = recipe,
                            .options = options,
                            .result = result,
                            .writes = comm_rank(options->comm) == 0,
                            .started = run_seconds()};

    *result = (struct trainer_result){0};
    bittern_status status = run_open(&run, err);
    if (status == BITTERN_OK) {
        status = train(&run, err);
    }
    if (status == BITTERN_OK) {
        status = run_finish(&run, err);
    }
    run_close(&run);
    if (status != BITTERN_OK) {
        trainer_result_clear(result);
    }
    return status;
}
