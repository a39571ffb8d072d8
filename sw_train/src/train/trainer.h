/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run: recipe and data in, a folder of results out. The command `bittern-train` is a
 * thin layer above this; tests and benchmarks call it, too.
 *
 * Folder: last.safetensors, best.safetensors, metrics.jsonl, events.out.tfevents.*, and at the end
 * NAME.onnx, NAME.btn and result.json.
 */
#ifndef BITTERN_TRAIN_TRAINER_H
#define BITTERN_TRAIN_TRAINER_H

#include "deploy/deploy.h"
#include "log/metrics.h"
#include "recipe/recipe.h"

struct trainer_progress {
    uint64_t epoch, epochs; /* epoch: 1.. */
    uint64_t batch, batches;
    double loss, accuracy; /* of this epoch so far */
    double images_per_second, seconds_left;
    const struct epoch_metrics *finished; /* not NULL at the end of an epoch */
};

struct trainer_options {
    const char *data_dir; /* may be NULL */
    const char *folder;   /* where results go */
    bool resume;          /* go on from last.safetensors in the folder */
    const char *teacher;  /* checkpoint of a full-precision run, for distillation; may be NULL */
    uint64_t seed;
    size_t threads;
    enum backend_precision precision;
    struct comm *comm;         /* may be NULL */
    double checkpoint_seconds; /* save at least so often within an epoch; 0: at its end only */
    size_t verify_images;      /* compared in float64 at the end */
    /* Called after every batch; a non-zero return saves and ends with BITTERN_ERR_CANCELLED. */
    int (*progress)(void *user, const struct trainer_progress *progress);
    bittern_progress deploy_progress;
    void *user;
};

struct trainer_result {
    double float_accuracy; /* of the trainer's own f32 (or bf16) graph with final weights */
    bool compiled;         /* false: a 32-bit layer or float input; reason says which */
    char reason[256];
    struct deploy_comparison comparison;
    struct deploy_layer *layers; /* [layer_count]; names belong to the result */
    size_t layer_count;
    double compression;
    double seconds;
    uint64_t epochs;
};

bittern_status trainer_run(const struct recipe *recipe, const struct trainer_options *options,
                           struct trainer_result *result, struct bittern_error *err);
void trainer_result_clear(struct trainer_result *result);

#endif
