/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report is made of: rows of benchmarks, training runs, predictions. Strings are those of
 * the JSON that each part keeps; numbers that are not known are NaN.
 *
 *   report_rows.c, report_runs.c, report_weights.c, report_predictions.c    reading
 *   report_summary.c                                      headline numbers, for the page and JSON
 *   page.c, figure_*.c                                    the page
 */
#ifndef BITTERN_REPORT_REPORT_H
#define BITTERN_REPORT_REPORT_H

#include <bittern/dataset.h>
#include <bittern/error.h>
#include <bittern/program.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_MAX_ROWS 500
#define REPORT_MAX_LAYERS 512
#define REPORT_MAX_REPETITIONS 100000
#define REPORT_MAX_RUNS 32
#define REPORT_MAX_EPOCHS 5000
#define REPORT_MAX_PREDICTIONS 1000000
#define REPORT_MAX_CLASSES 1000

/* ---- Rows of benchmarks ---------------------------------------------------------------------- */

enum report_part {
    REPORT_COMPUTE,
    REPORT_WEIGHTS,
    REPORT_INPUT,
    REPORT_OUTPUT,
    REPORT_OTHER,
    REPORT_PARTS
};
/* "computing", "waiting for weights", ... */
const char *report_part_name(size_t part);

/* Where a model says that energy goes. */
#define REPORT_ENERGY_PARTS 7
const char *report_energy_part_name(size_t part);

struct report_range {
    double low, nominal, high; /* NaN: not known */
};

/* REPORT_MODES: not known, as for the reference. */
enum report_mode { REPORT_MODE_BINARY, REPORT_MODE_TERNARY, REPORT_MODE_INT, REPORT_MODES };
const char *report_mode_name(size_t mode);

struct report_layer {
    const char *name, *kind, *weights, *activations;
    enum report_mode mode;
    double macs, cycles, ideal_cycles, utilization;
    double parts[REPORT_PARTS]; /* cycles an image */
    double read_bytes, write_bytes, intensity;
    struct report_range joules;
};

/* What a network's weights are, over all layers. */
enum report_weights { REPORT_BINARY, REPORT_TERNARY, REPORT_MIXED, REPORT_UNKNOWN, REPORT_KINDS };
const char *report_weights_name(size_t kind);

struct report_row {
    cJSON *json;
    const char *program, *path, *device, *description, *dataset, *split;
    double parameters, weight_bits, compression, program_bytes;
    const char *geometry; /* "" for the reference */
    double word_bits, output_channels, pixels, feature_bytes, weight_bytes;
    double images, start, batch, repetitions, clock_mhz, latency_cycles;
    double correct, labelled, accuracy;
    double agreement_images, agreement_values, different;
    double cycles, images_per_second, ideal_cycles, utilization;
    double parts[REPORT_PARTS];
    double read_bytes, write_bytes, first_image_cycles, first_image_seconds;
    double peak[REPORT_MODES], bytes_per_cycle;
    const char *energy_source; /* "board", "host", "model"; "" where there is no energy */
    const char *energy_detail, *energy_range, *coefficients;
    struct report_range joules, joules_above_idle;
    double energy_parts[REPORT_ENERGY_PARTS]; /* nominal joules an image, of a model */
    double cpus, seconds;
    const char *cpu;
    enum report_weights weights;
    struct report_layer *layers;
    size_t layer_count;
};

/* Whether the energy was measured rather than modelled. */
bool report_is_measured(const struct report_row *row);

/* ---- Training runs --------------------------------------------------------------------------- */

#define REPORT_BINS 64

struct report_epoch {
    double epoch, rate, train_loss, train_accuracy, method_loss, test_loss, test_accuracy, seconds;
    double *betas; /* [layer_count of the epoch]; NaN where a layer has none */
    size_t layer_count;
};

struct report_histogram {
    double minimum, maximum, count;
    double bins[REPORT_BINS];
};

/* One layer of the last epoch. */
struct report_trained_layer {
    const char *name;
    const char *depth; /* of result.json; "" where the run has not ended */
    double zeros, weights, bits, compression;
    double mu_mean, mu_minimum, mu_maximum;
    bool has_beta;
    struct report_histogram latent;
};

/* Weights of one layer of the integer network: how many have which value. */
#define REPORT_MAX_LEVEL 128
struct report_integer_layer {
    const char *name; /* the program's */
    const char *kind; /* "binary", "ternary", "planes" */
    double total;
    double counts[2 * REPORT_MAX_LEVEL + 1]; /* of value -REPORT_MAX_LEVEL.. */
    int lowest, highest;                     /* values that there are */
};

struct report_run {
    struct bittern_program *program; /* NULL: none in the folder */
    struct report_integer_layer *integer;
    size_t integer_count;
    cJSON *result;     /* NULL: the run has not ended */
    cJSON *last_epoch; /* the line, which the layers' names are in */
    const char *folder;
    const char *name, *title, *data, *method;
    double integer_accuracy, float_accuracy, integer_images, compression, seed;
    struct report_epoch *epochs;
    size_t epoch_count, epoch_capacity;
    struct report_trained_layer *layers;
    size_t layer_count;
};

/* Count the weights of FOLDER/NAME.btn, where there is one (report_weights.c). */
bittern_status report_read_weights(struct report_run *run, struct bittern_error *err);

/* β of the run's layer in an epoch; NaN where there is none. */
double report_beta(const struct report_epoch *epoch, size_t layer);

/* ---- Predictions ----------------------------------------------------------------------------- */

struct report_prediction {
    uint32_t image;
    uint16_t label, predicted;
};

struct report_predictions {
    const char *path;
    struct report_prediction *items;
    size_t count, classes, correct;
    bool labelled;
    uint32_t *confusion;             /* [classes][classes]: label, predicted */
    struct bittern_dataset *dataset; /* NULL: none was named */
};

/* A class by its name, else by its number, in buffer or in the data set. */
const char *report_class_name(const struct report_predictions *predictions, size_t class,
                              char *buffer, size_t size);

/* ---- All of it ------------------------------------------------------------------------------- */

struct report {
    const char *title;
    struct report_row *rows;
    size_t row_count, row_capacity;
    struct report_run *runs;
    size_t run_count;
    struct report_predictions predictions; /* path NULL: none */
};

bittern_status report_read_rows(struct report *report, const char *path, struct bittern_error *err);
bittern_status report_read_run(struct report *report, const char *folder,
                               struct bittern_error *err);
struct report_predictions_source {
    const char *path;
    const char *dataset; /* NULL: no images, and classes by number */
    const char *data_dir;
    enum bittern_split split;
};
bittern_status report_read_predictions(struct report *report,
                                       const struct report_predictions_source *source,
                                       struct bittern_error *err);
void report_free(struct report *report);

/* The headline numbers as JSON, to be deleted; NULL: out of memory. */
cJSON *report_summary(const struct report *report);
/* Accuracies can be compared: the same images of the same data set. */
bool report_is_same_task(const struct report_row *a, const struct report_row *b);
/* Whether no other row of the same task is at least as good in both and better in one. */
bool report_is_front(const struct report *report, size_t row, bool by_energy);

#endif
