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

enum trainer_phase {
    TRAINER_TRAIN,      /* batches of the training split */
    TRAINER_TEST,       /* batches of the test split */
    TRAINER_STATISTICS, /* batches of the training split: batch norm re-estimated at the end */
    TRAINER_EPOCH_END   /* once an epoch: `finished` has its metrics */
};

struct trainer_progress {
    enum trainer_phase phase;
    uint64_t epoch, epochs;  /* epoch: 1.. */
    uint64_t batch, batches; /* done, of this phase */
    double loss, accuracy;   /* of this phase so far */
    double images_per_second, seconds_left;
    const struct epoch_metrics *finished; /* TRAINER_EPOCH_END: not NULL */
};

struct trainer_options {
    const char *data_dir; /* may be NULL */
    const char *folder;   /* where results go */
    bool resume;          /* go on from last.safetensors in the folder */
    bool replace;         /* a finished or unfinished run in the folder may be overwritten */
    bool export_best;     /* export the weights with the best test accuracy, not the last ones */
    const char *teacher;  /* checkpoint of a full-precision run, for distillation; may be NULL */
    uint64_t seed;
    size_t threads;
    enum backend_precision precision;
    struct comm *comm;         /* may be NULL */
    double checkpoint_seconds; /* save at least so often within an epoch; 0: at its end only */
    size_t verify_images;      /* compared in float64 at the end */
    /* Called on every rank after every batch; a non-zero return on any saves the state and ends
     * all of them with BITTERN_ERR_CANCELLED. */
    int (*progress)(void *user, const struct trainer_progress *progress);
    /* Something to know that keeps no run from going on; may be NULL. On the first rank. */
    void (*warn)(void *user, const char *message);
    bittern_progress deploy_progress;
    void *user;
};

struct trainer_result {
    double float_accuracy; /* of the trainer's own f32 (or bf16) graph with final weights */
    bool compiled;         /* false: a 32-bit layer or float input; reason says which */
    char reason[1024];
    struct deploy_comparison comparison;
    struct deploy_layer *layers; /* [layer_count] */
    size_t layer_count;
    double compression;
    double seconds; /* of this call: a resumed run does not count what came before */
    uint64_t epochs;
    double best_accuracy; /* on the test set, at an epoch's end */
    uint64_t best_epoch;
};

/* The checkpoint that a run in `folder` writes and resumes from; to be freed. NULL: no memory. */
char *trainer_checkpoint_path(const char *folder);

/* BITTERN_ERR_MISMATCH where the folder holds another run and neither resume nor replace is set;
 * BITTERN_ERR_CANCELLED where progress asked to stop: the state is then saved. */
bittern_status trainer_run(const struct recipe *recipe, const struct trainer_options *options,
                           struct trainer_result *result, struct bittern_error *err);
void trainer_result_clear(struct trainer_result *result);

#endif
