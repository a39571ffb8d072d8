/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of a run: accuracy, predictions, and every layer's output. */
#ifndef BITTERN_CLI_RUN_RESULT_H
#define BITTERN_CLI_RUN_RESULT_H

#include "run_images.h"

#include <bittern/error.h>
#include <bittern/network.h>
#include <bittern/reference.h>

struct run_accuracy {
    size_t correct;       /* images whose highest score is the label's */
    size_t top_k_correct; /* images whose label is among the k highest */
};

/* Over the first `count` images, which must have labels.
 * @param values  [count][outputs] */
struct run_accuracy run_accuracy_of(const struct bittern_network *network, const int32_t *values,
                                    const uint8_t *labels, size_t count);

/* Write each image's label, prediction and outputs as CSV, or as JSON where the name ends so. */
bittern_status run_write_predictions(const char *path, const struct bittern_network *network,
                                     const struct run_images *images, const int32_t *values,
                                     size_t count, struct bittern_error *err);
/* Whether the name ends in .csv or .json. */
bool run_predictions_name_is_known(const char *path);

/*
 * Write the input and each layer's output as FOLDER/input.npy and FOLDER/layer-NN-NAME.npy, each
 * [images][channels][height][width], as int8 or uint8 by the layer's type, or int32 for
 * accumulators. All files appear together at the end.
 */
bittern_status run_dump_layers(const char *folder, const struct bittern_network *network,
                               const struct bittern_reference_options *options,
                               const uint8_t *pixels, size_t count, struct bittern_error *err);

#endif
