/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run writes down: metrics.jsonl (one JSON object a line and epoch) and TensorBoard event
 * files (records with masked CRC32C around tensorflow.Event messages, written with protobuf-c from
 * our own statement of the needed fields). docs/training-files.md lists what is in them.
 *
 * Each epoch is on disk when metrics_add returns. A resumed run cuts both back to the epoch it
 * resumes from, so that no epoch stands there twice and the half line of a crash is gone.
 */
#ifndef BITTERN_TRAIN_METRICS_H
#define BITTERN_TRAIN_METRICS_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BINS 64

/* Equal bins from minimum to maximum; the first and last bin take what is outside. */
struct histogram {
    double minimum, maximum;
    uint64_t bins[HISTOGRAM_BINS];
    uint64_t count;
    double sum, sum_of_squares;
};
/* Range: +-largest finite |value|, or +-1 where all are 0. NaN is not counted, infinities are in
 * the outer bins but not in the sums. */
void histogram_make(struct histogram *histogram, const float *values, size_t count);

struct layer_metrics {
    const char *name;
    struct histogram latent;
    double zeros;          /* share of zero quantized weights */
    bool has_beta, has_mu; /* SQ, R1, R2 */
    double beta, mu_mean, mu_minimum, mu_maximum;
};

struct epoch_metrics {
    uint64_t epoch, step;
    double rate, train_loss, method_loss, train_accuracy;
    double test_loss, test_accuracy; /* NAN where not evaluated in this epoch */
    double seconds, images_per_second, loader_wait_seconds;
    const struct layer_metrics *layers;
    size_t layer_count;
};

struct metrics;
/* Creates the folder if needed. BITTERN_ERR_IO where another run has it open.
 * @param resume_epoch  keep the epochs up to it; 0: start anew */
bittern_status metrics_open(const char *folder, uint64_t resume_epoch, struct metrics **metrics,
                            struct bittern_error *err);
/* A failure (a full disk) leaves the files as they were, or the line without its event. */
bittern_status metrics_add(struct metrics *metrics, const struct epoch_metrics *epoch,
                           struct bittern_error *err);
/* Any JSON text that should stand in metrics.jsonl, e.g. the final result; put on one line. A
 * member "epoch" of its own would make it an epoch's line. */
bittern_status metrics_add_json(struct metrics *metrics, const char *json,
                                struct bittern_error *err);
void metrics_close(struct metrics *metrics);

#endif
