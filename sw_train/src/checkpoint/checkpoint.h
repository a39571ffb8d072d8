/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run's whole state in one safetensors file: latent weights, batch norm, extra parameters,
 * buffers, optimizer moments, where the run stands, and its recipe and seed as metadata.
 * Everything random is drawn anew from (seed, purpose, index), so seed and position are the whole
 * state of the generators. docs/training-files.md describes the file.
 */
#ifndef BITTERN_TRAIN_CHECKPOINT_H
#define BITTERN_TRAIN_CHECKPOINT_H

#include "graph/graph.h"
#include "optimizer/optimizer.h"

#define CHECKPOINT_COMPUTED_BY_SIZE 160

struct checkpoint_position {
    uint64_t seed;
    uint64_t epoch; /* epochs done */
    uint64_t batch; /* batches done of the next one */
    uint64_t step;
    double best_accuracy; /* on the test set so far, 0..1 */
    uint64_t best_epoch;
    /* sums of the unfinished epoch, so that its metrics come out the same */
    double loss_sum, method_loss_sum;
    uint64_t correct, images;
    double seconds, wait_seconds; /* of its training, and of that for data */
    /* what computes it: backend, threads, processes; only the same ones give the same bits */
    char computed_by[CHECKPOINT_COMPUTED_BY_SIZE];
    uint64_t mixed; /* 1: others have computed a part of it */
};

/* optimizer may be NULL (weights alone: a teacher, a final model). A failure leaves an older file
 * as it was. */
bittern_status checkpoint_save(const char *path, struct graph *graph, struct optimizer *optimizer,
                               const struct checkpoint_position *position, const char *recipe_text,
                               struct bittern_error *err);
/* Everything is checked before anything is changed: a missing, surplus or misshapen tensor is
 * BITTERN_ERR_MISMATCH with its name, damage BITTERN_ERR_FORMAT or _CHECKSUM. optimizer may be NULL
 * (its state in the file is then passed over), position too. The graph's weights count as changed.
 */
bittern_status checkpoint_load(const char *path, struct graph *graph, struct optimizer *optimizer,
                               struct checkpoint_position *position, struct bittern_error *err);
/* The recipe in a checkpoint; to be freed. */
bittern_status checkpoint_read_recipe(const char *path, char **recipe_text, uint64_t *seed,
                                      struct bittern_error *err);

#endif
