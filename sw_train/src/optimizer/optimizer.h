/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Optimizers and learning-rate schedules. An optimizer owns its moments, one set a parameter; they
 * are exposed by name for the checkpoint.
 *
 *   SGD:  v = momentum * v + (g + decay * w);  w -= rate * v     (nesterov: w -= rate * (g' +
 *         momentum * v))
 *   Adam: Kingma and Ba 2015, algorithm 1, with the L2 decay in the gradient
 */
#ifndef BITTERN_TRAIN_OPTIMIZER_H
#define BITTERN_TRAIN_OPTIMIZER_H

#include "graph/graph.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM };

struct optimizer_config {
    enum optimizer_kind kind;
    double momentum; /* SGD 0.9 */
    bool nesterov;
    double beta1, beta2, epsilon; /* Adam 0.9, 0.999, 1e-8 */
    double decay;                 /* L2, on parameters that decay */
};

struct optimizer;
bittern_status optimizer_create(const struct optimizer_config *config, struct graph *graph,
                                struct optimizer **optimizer, struct bittern_error *err);
/* The same on a list of parameters, which must outlive the optimizer. */
bittern_status optimizer_create_list(const struct optimizer_config *config,
                                     struct parameter *const *parameters, size_t count,
                                     struct optimizer **optimizer, struct bittern_error *err);
void optimizer_free(struct optimizer *optimizer);
/* One step on every parameter of the graph. */
void optimizer_step(struct optimizer *optimizer, double rate);

/* State for a checkpoint: named arrays "momentum.conv1.weight", "adam.m.…", "adam.v.…"; none for
 * SGD without momentum. Adam's bias correction needs the steps done, too. */
size_t optimizer_state_count(const struct optimizer *optimizer);
struct graph_buffer *optimizer_state(struct optimizer *optimizer, size_t index);
uint64_t optimizer_steps(const struct optimizer *optimizer);
void optimizer_set_steps(struct optimizer *optimizer, uint64_t steps);

enum schedule_kind {
    SCHEDULE_CONSTANT,
    SCHEDULE_STEPS,      /* rate * factor^(number of milestones passed) */
    SCHEDULE_COSINE,     /* rate / 2 * (1 + cos(pi * t / epochs)), down to `final` */
    SCHEDULE_EXPONENTIAL /* rate * (final / rate)^(t / epochs): BinaryConnect's decay */
};

#define SCHEDULE_MAX_MILESTONES 16

struct schedule {
    enum schedule_kind kind;
    double rate, final, factor;
    double milestones[SCHEDULE_MAX_MILESTONES]; /* in epochs */
    size_t milestone_count;
    double warmup; /* epochs over which the rate rises linearly from 0 */
    double epochs;
};

/* @param epoch  epochs done, with their fraction */
double schedule_rate(const struct schedule *schedule, double epoch);

#endif
