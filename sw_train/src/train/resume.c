/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going on from a checkpoint. Recipe and seed must be those it was made with: else neither the
 * graph nor the schedule would be the same, and the run would be no run of either recipe.
 */
#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may differ: words, and what only counts after the last epoch. */
static struct recipe without_harmless_keys(const struct recipe *recipe,
                                           const struct recipe *pattern)
{
    struct recipe result = *recipe;
    memcpy(result.title, pattern->title, sizeof result.title);
    memcpy(result.source, pattern->source, sizeof result.source);
    memcpy(result.base_name, pattern->base_name, sizeof result.base_name);
    result.training.statistics_batches = pattern->training.statistics_batches;
    return result;
}

static bittern_status compare_recipe(const struct train_run *run, const char *path,
                                     const char *text, struct bittern_error *err)
{
    char differences[512] = "";
    struct recipe *old = calloc(2, sizeof *old);
    if (!old) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the recipe of '%s'", path);
    }
    bittern_status status = recipe_parse(text, strlen(text), path, false, NULL, 0, &old[0], err);
    if (status == BITTERN_OK) {
        old[1] = without_harmless_keys(&old[0], run->recipe);
        if (recipe_compare(&old[1], run->recipe, differences, sizeof differences) > 0) {
            status = bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                       "'%s' is of another recipe: %s; resume it with its own "
                                       "recipe, or start a new run in another folder",
                                       path, differences);
        }
    }
    free(old);
    return status;
}

static bittern_status check_origin(const struct train_run *run, const char *path,
                                   struct bittern_error *err)
{
    char *text = NULL;
    uint64_t seed = 0;
    bittern_status status = checkpoint_read_recipe(path, &text, &seed, err);
    if (status == BITTERN_OK) {
        status = compare_recipe(run, path, text, err);
    }
    if (status == BITTERN_OK && seed != run->options->seed) {
        status = bittern_error_set(
            err, BITTERN_ERR_MISMATCH, "'%s' is of a run with seed %llu, not %llu", path,
            (unsigned long long)seed, (unsigned long long)run->options->seed);
    }
    free(text);
    return status;
}

static bittern_status check_position(const struct train_run *run, const char *path,
                                     struct bittern_error *err)
{
    const struct checkpoint_position *position = &run->position;
    uint64_t batches = loader_batches(run->train_loader);
    if (position->epoch > run->recipe->training.epochs || position->batch > batches ||
        position->step != position->epoch * batches + position->batch) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' stands at epoch %llu, batch %llu, step %llu, which this "
                                 "data set does not have with %llu batches an epoch",
                                 path, (unsigned long long)position->epoch,
                                 (unsigned long long)position->batch,
                                 (unsigned long long)position->step, (unsigned long long)batches);
    }
    return BITTERN_OK;
}

/* Another number of threads or processes, another CPU or library: as good, but with other bits. */
static void check_computed_by(struct train_run *run)
{
    struct checkpoint_position *position = &run->position;
    const struct trainer_options *options = run->options;
    char now[CHECKPOINT_COMPUTED_BY_SIZE];
    char message[2 * CHECKPOINT_COMPUTED_BY_SIZE + 160];

    run_describe_computer(run, now);
    if (position->computed_by[0] && strcmp(position->computed_by, now) != 0) {
        position->mixed = 1;
        (void)snprintf(message, sizeof message,
                       "the run was computed by '%s' so far and goes on with '%s': its bits will "
                       "not be those of a run that was never stopped",
                       position->computed_by, now);
        if (options->warn && run->writes) {
            options->warn(options->user, message);
        }
    }
    memcpy(position->computed_by, now, sizeof now);
}

bittern_status run_resume(struct train_run *run, struct bittern_error *err)
{
    char *path = run_path(run->options->folder, "last.safetensors", err);
    if (!path) {
        return BITTERN_ERR_MEMORY;
    }
    bittern_status status = check_origin(run, path, err);
    if (status == BITTERN_OK) {
        status = checkpoint_load(path, run->graph, run->optimizer, &run->position, err);
    }
    if (status == BITTERN_OK) {
        status = check_position(run, path, err);
    }
    if (status == BITTERN_OK) {
        check_computed_by(run);
    }
    run->saved = status == BITTERN_OK;
    free(path);
    return status;
}

bittern_status run_check_ranks(struct train_run *run, struct bittern_error *err)
{
    uint64_t first_step = run->position.step;
    bittern_status status = comm_broadcast(run->options->comm, &first_step, sizeof first_step, err);
    if (status == BITTERN_OK && first_step != run->position.step) {
        status =
            bittern_error_set(err, BITTERN_ERR_MISMATCH,
                              "process %zu goes on from step %llu, the first one from step "
                              "%llu; '%s' must be one folder that all of them see",
                              comm_rank(run->options->comm), (unsigned long long)run->position.step,
                              (unsigned long long)first_step, run->options->folder);
    }
    return status;
}
