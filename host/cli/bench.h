/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of `bittern bench`: what was asked for, the cases that come of it (one row each), and
 * what was measured of a case. docs/bench-format.md says what a row holds.
 */
#ifndef BITTERN_CLI_BENCH_H
#define BITTERN_CLI_BENCH_H

#include "cli.h"
#include "run_images.h"
#include "run_jobs.h"
#include "run_options.h"
#include "run_result.h"

#include <bittern/accelerator.h>
#include <bittern/device.h>
#include <bittern/energy.h>
#include <cjson/cJSON.h>

#define BENCH_FORMAT "bittern-bench"
#define BENCH_VERSION 1
#define BENCH_STEM_SIZE 128
#define BENCH_KEY_SIZE 768

enum bench_energy {
    BENCH_ENERGY_AUTO,
    BENCH_ENERGY_NONE,
    BENCH_ENERGY_HOST,
    BENCH_ENERGY_BOARD,
    BENCH_ENERGY_MODEL
};
#define BENCH_MAX_ACTIVITIES 64

struct bench_arguments {
    struct run_options options; /* device and batch where no sweep says otherwise */
    char *const *programs;
    size_t program_count;
    size_t repetitions; /* 0: not given */
    size_t warmup;      /* SIZE_MAX: not given */
    double clock_mhz;
    enum bench_energy energy;
    const char *activities[BENCH_MAX_ACTIVITIES];
    size_t activity_count;
    const char *out; /* NULL: no file */
    bool resume, force, json, quiet;
};

/* ---- Cases (bench_cases.c) ------------------------------------------------------------------- */

struct bench_case {
    const char *program;        /* file */
    char stem[BENCH_STEM_SIZE]; /* its name without folder and ending */
    char device[256];           /* as bittern_device_open has it, but for threads and kernel */
    size_t batch;               /* 0: not given */
    bool simulated;
    uint32_t latency; /* of memory, cycles; simulated devices */
    double bandwidth; /* beats a cycle, likewise */
};

#define BENCH_MAX_VALUES 32
enum bench_axis { BENCH_GEOMETRY, BENCH_BATCH, BENCH_LATENCY, BENCH_AXES };
struct bench_sweep {
    char *text[BENCH_AXES]; /* owned, cut into the values; NULL: not swept */
    const char *values[BENCH_AXES][BENCH_MAX_VALUES];
    size_t counts[BENCH_AXES];
};

/* "batch=1,16"; an exit code, as the next one. */
int bench_sweep_take(struct bench_sweep *sweep, const char *text);
void bench_sweep_free(struct bench_sweep *sweep);
/* All programs, and for each the cross product of the sweeps; *cases is to be freed. */
int bench_cases_make(const struct bench_arguments *arguments, const struct bench_sweep *sweep,
                     struct bench_case **cases, size_t *count);

/* ---- Measurement (bench_measure.c) ----------------------------------------------------------- */

struct bench_repetition {
    struct bittern_counters counters;     /* all images */
    double seconds;                       /* wall clock of the host, all images */
    struct bittern_layer_profile *layers; /* [layers of the network] */
};

struct bench {
    const struct bench_arguments *arguments;
    const struct bench_case *bench_case;
    double started;
    char device_name[RUN_DEVICE_NAME_SIZE];
    char key[BENCH_KEY_SIZE];

    struct bittern_device *device;
    struct bittern_program *program;
    const struct bittern_network *network;
    size_t layer_count;
    struct bittern_accelerator_plan *plan; /* NULL where the device is no accelerator */
    uint32_t crc32;                        /* of the program */
    struct run_images images;
    size_t batch, jobs, warmup, repetition_count;

    struct run_jobs *runs;
    int32_t *values, *expected;           /* [images][outputs] */
    struct bittern_layer_profile *before; /* [layers] */
    struct cli_progress progress;
    uint64_t progress_base, progress_total;

    struct bench_repetition *repetitions; /* [repetition_count] */
    const struct bench_repetition *median;
    struct bittern_counters first; /* one start of one image: the median of as many repetitions */
    struct run_accuracy accuracy;
    struct bittern_energy_meter *meter;       /* NULL: nothing is measured */
    struct bittern_energy_activity *activity; /* NULL: none of this program */
    cJSON *energy;                            /* NULL: unknown */
    uint64_t compared_images, compared_values, different;
    uint64_t device_nanoseconds; /* of all starts, warm-up too */
    double seconds;              /* of the whole case */
};

/* Open everything that the key and the check sum of a row need; the bench is to be closed also
 * after an error. */
bittern_status bench_open(struct bench *bench, const struct bench_arguments *arguments,
                          const struct bench_case *bench_case, struct bittern_error *err);
/* Warm up, measure, compare with the reference engine. */
bittern_status bench_measure(struct bench *bench, struct bittern_error *err);
void bench_close(struct bench *bench);

/* ---- What follows from it (bench_figures.c) -------------------------------------------------- */

/* Numbers that are not known are NAN. Of an image, but for utilization and intensity. */
struct bench_figures {
    double cycles, ideal, utilization;
    double compute, weight_stall, input_stall, output_stall, other; /* they add up to cycles */
    double read_bytes, write_bytes;
    double macs, intensity;
};

struct bench_figures bench_whole(const struct bench *bench);
struct bench_figures bench_layer(const struct bench *bench, size_t layer);
double bench_images_per_second(const struct bench *bench);
double bench_first_cycles(const struct bench *bench);
double bench_first_seconds(const struct bench *bench);

struct bench_bytes {
    double read, written; /* an image */
};
/* What a layer should move, by the plan, in starts of this batch; the input is its segment's first
 * layer's, what is stored its last one's. */
struct bench_bytes bench_planned_bytes(const struct bench *bench, size_t layer);

struct bench_roofline {
    double peak[BITTERN_ARRAY_INT + 1]; /* multiplications a cycle, by mode; NAN: not there */
    double bytes_per_cycle;             /* each direction */
};
/* false: the device is no accelerator */
bool bench_roofline_of(const struct bench *bench, struct bench_roofline *roofline);
/* Multiplications a cycle that array and memory allow at most. */
double bench_roof(const struct bench_roofline *roofline, enum bittern_array_mode mode,
                  double intensity);

/* ---- Energy (bench_energy.c) ----------------------------------------------------------------- */

/* "auto", "none", "host", "board", "model" */
bool bench_energy_parse(const char *text, enum bench_energy *energy);
/* Find out where the energy will come from. */
bittern_status bench_energy_open(struct bench *bench, struct bittern_error *err);
/* Around the repetitions; without a meter they do nothing. */
bittern_status bench_energy_start(struct bench *bench, struct bittern_error *err);
bittern_status bench_energy_stop(struct bench *bench, struct bittern_error *err);
/* After the measurement; without an activity it does nothing. */
bittern_status bench_energy_model(struct bench *bench, struct bittern_error *err);
/* The row's "energy", JSON's null where nothing is known of it; NULL: out of memory. */
cJSON *bench_energy_make(const struct bench *bench);
void bench_energy_print(const struct bench *bench);
void bench_energy_close(struct bench *bench);

/* ---- Rows ------------------------------------------------------------------------------------ */

/* NULL: out of memory (bench_row.c). */
cJSON *bench_row_make(const struct bench *bench);

/* For people; false: out of memory. */
bool bench_print(const struct bench *bench);          /* bench_print.c */
bool bench_print_roofline(const struct bench *bench); /* bench_plot.c */

/* All cases (bench_run.c); the next two with the exit code. */
int bench_run(struct bench_arguments *arguments, const struct bench_sweep *sweep);
/* `bench --compare`; limit in percent, negative: the default (bench_compare.c). */
int bench_compare(const char *path_a, const char *path_b, double limit, bool json);

#endif
