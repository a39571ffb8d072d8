/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend's operations of a graph, each alone: what a training step costs at the least. Every
 * convolution, full connection, batch norm, pool and reorder of the graph is made anew with the
 * same shapes, types and layouts, and run on random numbers.
 */
#ifndef BITTERN_BENCH_TRAIN_PRIMITIVES_H
#define BITTERN_BENCH_TRAIN_PRIMITIVES_H

#include "graph/graph.h"

struct train_primitives;

bittern_status train_primitives_create(struct backend *backend, const struct graph *graph,
                                       struct train_primitives **primitives,
                                       struct bittern_error *err);
void train_primitives_free(struct train_primitives *primitives);

/* Run each operation once, forward and backward; the seconds spent in primitives are added to its
 * list. */
bittern_status train_primitives_run(struct train_primitives *primitives, struct bittern_error *err);

/* Forget the lists: what came before was to warm up. */
void train_primitives_reset(struct train_primitives *primitives);

/* Median seconds of the i-th operation; false past the end. name belongs to primitives. */
bool train_primitives_median(const struct train_primitives *primitives, size_t index,
                             const char **name, double *forward, double *backward);

#endif
