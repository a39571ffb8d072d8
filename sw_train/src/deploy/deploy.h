/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a trained graph to a compiled integer network, and the comparison of all three.
 * The graph must be finished (graph_finish_weights).
 */
#ifndef BITTERN_TRAIN_DEPLOY_H
#define BITTERN_TRAIN_DEPLOY_H

#include "data/loader.h"
#include "graph/graph.h"

#include <bittern/model.h>
#include <bittern/network.h>

/* The graph as a QONNX model: normalization and 8-bit quantization of the input, weights through
 * Quant or BipolarQuant (or as plain values where levels are uneven), batch norm, activations.
 * The model's input range is 0..1 ("input_range" metadata). 32-bit layers and float activations are
 * exported, too; compiling refuses them. Weights or statistics that are not finite are
 * BITTERN_ERR_RANGE.
 *
 * The model is not finished: write it first, so that the file keeps its quantizers, then call
 * bittern_model_finish to compile and evaluate it. */
bittern_status deploy_export(const struct graph *graph, const struct input_encoding *encoding,
                             const char *name, const char *recipe_text,
                             struct bittern_model **model, struct bittern_error *err);

struct deploy_layer {
    const char *name; /* in the same block of memory */
    uint64_t weights;
    unsigned bits;
    enum method_depth depth;
    double zeros;
    double compression; /* 32 / bits */
};

struct deploy_comparison {
    size_t images;                 /* of the test set */
    double integer_accuracy;       /* of the integer network, 0..1 */
    size_t verified;               /* images that the float64 evaluator looked at, too */
    size_t verified_equal;         /* of these: same class as the integer network */
    size_t verified_values_differ; /* values of hidden layers and outputs that differ */
    size_t inexact_channels;       /* as the compiler lists them */
};

/* Classify the test split with the reference engine; the first `verify` images also with the model
 * (finished) in float64, and compare every layer's every value.
 * @param images   the first so many of the split; 0: all
 * @param threads  0: as many as OpenMP would take */
bittern_status deploy_compare(const struct bittern_model *model,
                              const struct bittern_network *network,
                              const struct bittern_dataset *test, size_t images, size_t verify,
                              size_t threads, bittern_progress progress, void *user,
                              struct deploy_comparison *comparison, struct bittern_error *err);

/* Depth, zeros and compression of each layer with weights. layers to be freed with free(). */
bittern_status deploy_layers(const struct graph *graph, struct deploy_layer **layers, size_t *count,
                             double *compression, struct bittern_error *err);

#endif
