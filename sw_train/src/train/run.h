/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run at work, shared by the files of this folder:
 *
 *   trainer.c        the order of things: open, epochs, finish, close
 *   setup.c          data, graph, loaders, optimizer; resume.c: going on from a checkpoint
 *   train_epoch.c    the steps of an epoch; evaluate.c: the test set
 *   teacher.c        the other graph of a distillation
 *   save.c           checkpoints; layer_metrics.c: what an epoch says about each layer
 *   finish.c         final weights, statistics, export, compile, compare
 *   result_json.c    result.json
 *
 * Every rank of a distributed run goes through the same steps. Only rank 0 writes files; whatever
 * can fail on one rank alone goes through run_agree, so that no rank waits for one that has gone.
 */
#ifndef BITTERN_TRAIN_RUN_H
#define BITTERN_TRAIN_RUN_H

#include "checkpoint/checkpoint.h"
#include "comm/comm.h"
#include "data/loader.h"
#include "log/metrics.h"
#include "train/trainer.h"

struct train_teacher {
    struct graph *graph; /* NULL: none */
    struct backend_reorder *input;
};

struct train_run {
    const struct recipe *recipe;
    const struct trainer_options *options;
    struct trainer_result *result;
    bool writes; /* rank 0: files and folder are its */
    char *recipe_text;
    struct bittern_dataset *train, *test;
    struct input_encoding encoding;
    struct backend *backend;
    struct graph *graph;
    struct train_teacher teacher;
    struct optimizer *optimizer;
    struct loader *train_loader, *test_loader;
    struct metrics *metrics;
    struct layer_metrics *layers; /* [layer_count] */
    size_t layer_count;
    struct checkpoint_position position;
    double started;       /* this call */
    bool saved;           /* last.safetensors holds a state of this run */
    double last_saved;    /* seconds on the clock */
    uint64_t steps_here;  /* training steps of this call: for the time left */
    double steps_started; /* when the first of them began */
};

double run_seconds(void); /* monotonic clock */
bool run_file_exists(const char *path);
/* "FOLDER/name"; to be freed. NULL with err set where memory runs out. */
char *run_path(const char *folder, const char *name, struct bittern_error *err);

/* BITTERN_OK where all ranks are well. A rank that failed keeps its error; the others, and those
 * that failed as the first rank did, get BITTERN_ERR_CANCELLED: one message is enough. */
bittern_status run_agree(struct train_run *run, bittern_status status, struct bittern_error *err);

/* Tell the caller how far things are. BITTERN_ERR_CANCELLED where any rank's caller wants to stop;
 * a failure of this rank, given as `status`, is shared in the same exchange. */
bittern_status run_report(struct train_run *run, struct trainer_progress *progress,
                          bittern_status status, struct bittern_error *err);

/* setup.c */
bittern_status run_open(struct train_run *run, struct bittern_error *err);
void run_close(struct train_run *run);
/* A loader of the training split without augmentation, for statistics. */
bittern_status run_open_plain_loader(struct train_run *run, struct loader **loader,
                                     struct bittern_error *err);

/* Go on in f32 where training was in bf16, which cannot hold the integer network's accumulators;
 * the optimizer and the teacher are gone then. */
bittern_status run_widen(struct train_run *run, struct bittern_error *err);

/* "oneDNN 2.6.3, f32, AVX2, 2 threads; 1 process": what the bits of a run depend on */
void run_describe_computer(const struct train_run *run, char text[CHECKPOINT_COMPUTED_BY_SIZE]);

/* resume.c */
bittern_status run_resume(struct train_run *run, struct bittern_error *err);
/* That all ranks stand at the same step; called on all of them. */
bittern_status run_check_ranks(struct train_run *run, struct bittern_error *err);

/* teacher.c */
bittern_status teacher_open(struct train_run *run, struct bittern_error *err);
void teacher_close(struct train_run *run);
/* Scores [batch][classes] of the batch that the graph's input holds. */
bittern_status teacher_score(struct train_run *run, const float **scores,
                             struct bittern_error *err);

/* train_epoch.c: the rest of the epoch that the run's position is in, up to its last batch */
bittern_status run_train_epoch(struct train_run *run, struct bittern_error *err);
/* Learning rate of a step of the epoch that the run's position is in. */
double run_learning_rate(const struct train_run *run, uint64_t batch);

/* Of training, tests included; 0 where no step tells yet. */
double run_seconds_left(const struct train_run *run);

/* evaluate.c */
struct evaluation {
    double loss, accuracy;
    uint64_t images;
};
bittern_status run_evaluate(struct train_run *run, struct evaluation *evaluation,
                            struct bittern_error *err);

/* layer_metrics.c */
bittern_status layer_metrics_create(struct train_run *run, struct bittern_error *err);
void layer_metrics_update(struct train_run *run);

/* save.c */
bittern_status run_save(struct train_run *run, struct bittern_error *err);
bittern_status run_save_best(struct train_run *run, struct bittern_error *err);
/* BITTERN_ERR_RANGE with the layer and what to do.
 * @param what_is  e.g. "the loss is not finite in"  @param epoch, batch  from 1 on */
bittern_status run_nonfinite_error(const struct train_run *run, const char *what_is, uint64_t epoch,
                                   uint64_t batch, struct bittern_error *err);

/* finish.c */
bittern_status run_finish(struct train_run *run, struct bittern_error *err);

/* result_json.c: the text of result.json, to be freed with free(); NULL with err set */
char *result_json(const struct train_run *run, bool pretty, struct bittern_error *err);

#endif
