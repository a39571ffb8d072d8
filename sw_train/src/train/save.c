/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints. What is not finite is never saved: the state before it is worth more. */
#include "train/run.h"

#include <stdlib.h>

bittern_status run_nonfinite_error(const struct train_run *run, const char *what_is, uint64_t epoch,
                                   uint64_t batch, struct bittern_error *err)
{
    const char *what = NULL;
    const char *layer = graph_find_nonfinite(run->graph, &what);
    return bittern_error_set(
        err, BITTERN_ERR_RANGE,
        "%s epoch %llu, batch %llu: %s%s%s is the first that is not a number or infinite; "
        "lower training.learning_rate (now %g)%s",
        what_is, (unsigned long long)epoch, (unsigned long long)batch, layer ? layer : "the loss",
        layer ? "'s " : "", layer ? what : "", run_learning_rate(run, run->position.batch),
        run->saved ? "; the last checkpoint is from before this" : "");
}

static bittern_status save_as(struct train_run *run, const char *name, struct bittern_error *err)
{
    const char *what = NULL;
    if (!run->writes) {
        return BITTERN_OK;
    }
    if (graph_find_nonfinite(run->graph, &what)) {
        return run_nonfinite_error(run, "not saved: the state is not finite after",
                                   run->position.epoch, run->position.batch, err);
    }
    char *path = run_path(run->options->folder, name, err);
    if (!path) {
        return BITTERN_ERR_MEMORY;
    }
    bittern_status status =
        checkpoint_save(path, run->graph, run->optimizer, &run->position, run->recipe_text, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "the state after epoch %llu, batch %llu was not saved",
                             (unsigned long long)run->position.epoch,
                             (unsigned long long)run->position.batch);
    }
    free(path);
    return status;
}

bittern_status run_save(struct train_run *run, struct bittern_error *err)
{
    bittern_status status = save_as(run, "last.safetensors", err);
    run->saved = run->saved || status == BITTERN_OK;
    run->last_saved = run_seconds();
    return status;
}

bittern_status run_save_best(struct train_run *run, struct bittern_error *err)
{
    return save_as(run, "best.safetensors", err);
}
