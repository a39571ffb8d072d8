/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slow and obvious double-precision evaluation of a graph, for comparison: every layer by its
 * definition, on values [image][row][column][channel]. Weights are used as they are, so layers must
 * have the full-precision method.
 */
#ifndef BITTERN_TESTS_GRAPH_REFERENCE_H
#define BITTERN_TESTS_GRAPH_REFERENCE_H

#include "graph/graph.h"

struct graph_reference {
    struct graph *graph;
    double *input;       /* [n][h][w][c] */
    double **parameters; /* [parameter_count][count]: copies, to be varied */
    double *output;      /* [n][classes], of the last run */
};

void reference_create(struct graph_reference *reference, struct graph *graph);
void reference_free(struct graph_reference *reference);
/* Training mode: batch statistics. What dropout dropped is read off the graph's tensors. */
void reference_run(struct graph_reference *reference);

/* The value at an image's row, column and channel, in any layout; block: channels of a block. */
double reference_value(const struct backend_tensor *tensor, size_t block, size_t n, size_t y,
                       size_t x, size_t c);
void reference_store(struct backend_tensor *tensor, size_t n, size_t y, size_t x, size_t c,
                     double value);

#endif
