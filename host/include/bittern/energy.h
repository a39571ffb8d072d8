/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Energy of an inference, from one of three sources: measured on a board (power sensors in sysfs),
 * measured on the host (RAPL), or modelled from the switching activity of the mapped design on a
 * network's own data. Every figure says which. docs/energy.md explains what each does and does not
 * cover, docs/bench-format.md the JSON.
 *
 * All energies are joules; a range is low, nominal and high.
 */
#ifndef BITTERN_ENERGY_H
#define BITTERN_ENERGY_H

#include <bittern/error.h>
#include <bittern/program.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_energy_range {
    double low, nominal, high;
};

enum bittern_energy_source {
    BITTERN_ENERGY_BOARD = 1, /* power sensors of the board, integrated over the run */
    BITTERN_ENERGY_HOST = 2,  /* RAPL: the host's processor packages */
    BITTERN_ENERGY_MODEL = 3  /* switching activity times coefficients */
};

/** "board", "host", "model" */
BITTERN_API const char *bittern_energy_source_name(enum bittern_energy_source source);

/* ---- Measured -------------------------------------------------------------------------------- */

struct bittern_energy_meter;

struct bittern_energy_meter_options {
    const char *root;   /* folder that stands for /sys; NULL: "/sys" */
    const char *sensor; /* board: only sensors whose name contains this; NULL: all that are known */
    uint32_t period_ms; /* between samples, 1..60000; 0: 10 (board), 1000 (host, whose counters
                           add up by themselves and must only not wrap round twice) */
};

struct bittern_energy_measurement {
    enum bittern_energy_source source;
    char detail[512]; /* for people: the sensors */
    double seconds;   /* between start and stop */
    double joules;
    double idle_watts;        /* negative: bittern_energy_meter_measure_idle was not called */
    double joules_above_idle; /* joules - idle_watts * seconds; 0 where idle_watts is negative */
    uint64_t samples;         /* of all sensors together, ends included */
    uint64_t lost;            /* readings that failed or made no sense; bridged by their
                                 neighbours */
    double longest_gap;       /* seconds without a good sample of a sensor */
};

/**
 * Find power sensors. Board: files of a Xilinx card under XRT, and hwmon chips of Zynq boards
 * (INA226 and the like). Host: package domains of /sys/class/powercap.
 * @param source   BITTERN_ENERGY_BOARD or BITTERN_ENERGY_HOST
 * @param options  NULL: defaults
 * @return BITTERN_ERR_NOT_FOUND where there is no sensor, BITTERN_ERR_IO where one cannot be read:
 *         both say what to do
 */
BITTERN_API bittern_status bittern_energy_meter_open(
    enum bittern_energy_source source, const struct bittern_energy_meter_options *options,
    struct bittern_energy_meter **meter, struct bittern_error *err);
/** Ends a measurement in progress. NULL is fine. */
BITTERN_API void bittern_energy_meter_close(struct bittern_energy_meter *meter);

/** The sensors, for people. Lives as long as the meter. */
BITTERN_API const char *bittern_energy_meter_detail(const struct bittern_energy_meter *meter);

/** Wait for some time with the device idle, and keep the mean power, for later measurements. */
BITTERN_API bittern_status bittern_energy_meter_measure_idle(struct bittern_energy_meter *meter,
                                                             uint32_t milliseconds,
                                                             struct bittern_error *err);

/** Start sampling in a thread; one measurement at a time. */
BITTERN_API bittern_status bittern_energy_meter_start(struct bittern_energy_meter *meter,
                                                      struct bittern_error *err);
/**
 * Stop, and hand over what was measured since the start.
 * @return BITTERN_ERR_IO where a sensor gave too few readings to integrate: it vanished or stalled
 */
BITTERN_API bittern_status bittern_energy_meter_stop(struct bittern_energy_meter *meter,
                                                     struct bittern_energy_measurement *measurement,
                                                     struct bittern_error *err);

/* ---- Modelled -------------------------------------------------------------------------------- */

enum bittern_energy_part {
    BITTERN_ENERGY_ARRAY,          /* nets of the compute units */
    BITTERN_ENERGY_FEATURE_MEMORY, /* block memories of maps: accesses and their data */
    BITTERN_ENERGY_WEIGHT_MEMORY,  /* block memories of the weight ring */
    BITTERN_ENERGY_CONTROL,        /* all other logic, by its area */
    BITTERN_ENERGY_CLOCK,          /* the clock's tree and its pins */
    BITTERN_ENERGY_OFF_CHIP,       /* device memory and its interface, by bytes */
    BITTERN_ENERGY_STATIC,         /* the area's share of leakage, over the time taken */
    BITTERN_ENERGY_PARTS
};

/** "array", "feature_memory", ... as in docs/bench-format.md */
BITTERN_API const char *bittern_energy_part_name(enum bittern_energy_part part);

/** Energies, powers and activity of a device family, each with a range and a source. */
struct bittern_energy_coefficients;

/** @param path  NULL: the file that the library was built with
 *  @return BITTERN_ERR_FORMAT, with the key, where something is missing or absurd */
BITTERN_API bittern_status bittern_energy_coefficients_read(
    const char *path, struct bittern_energy_coefficients **coefficients, struct bittern_error *err);
BITTERN_API void bittern_energy_coefficients_free(struct bittern_energy_coefficients *coefficients);
/** Name and version, as `energy.coefficients` of a row has it. */
BITTERN_API const char *
bittern_energy_coefficients_name(const struct bittern_energy_coefficients *coefficients);

/** What a network's data does to the mapped design: a `bittern-activity` file of hw/energy. */
struct bittern_energy_activity;

BITTERN_API bittern_status bittern_energy_activity_read(const char *path,
                                                        struct bittern_energy_activity **activity,
                                                        struct bittern_error *err);
BITTERN_API void bittern_energy_activity_free(struct bittern_energy_activity *activity);
/** The program that it is for: zlib's CRC-32 of the program file's bytes, laid out for the device
 *  (bittern_program_data). */
BITTERN_API uint32_t bittern_energy_activity_crc32(const struct bittern_energy_activity *activity);
/** The geometry's name. */
BITTERN_API const char *
bittern_energy_activity_geometry(const struct bittern_energy_activity *activity);
/** CRC-32 of a program as bench rows and activity files have it. */
BITTERN_API uint32_t bittern_energy_program_crc32(const struct bittern_program *program);

/** A layer's load, an image. */
struct bittern_energy_layer_load {
    double cycles;                  /* from its start to its end, stalls included */
    double compute_cycles;          /* in which the array was given operands */
    double read_bytes, write_bytes; /* of device memory */
};

/** What ran, as it was counted. */
struct bittern_energy_load {
    uint32_t program_crc32; /* must be the activity's */
    double clock_mhz;
    double cycles_per_image; /* all; those outside of layers cost clock, control and static */
    double read_bytes, write_bytes;                 /* of device memory, an image, all */
    size_t layer_count;                             /* of the network; must be the activity's */
    const struct bittern_energy_layer_load *layers; /* [layer_count], in the network's order */
};

/** The load of the run that was recorded, which may have been a short one; lives as long as the
 *  activity. */
BITTERN_API void bittern_energy_activity_load(const struct bittern_energy_activity *activity,
                                              double clock_mhz, struct bittern_energy_load *load);

struct bittern_energy_layer {
    const char *name; /* lives as long as the estimate */
    struct bittern_energy_range joules_per_image;
    struct bittern_energy_range parts[BITTERN_ENERGY_PARTS];
};

struct bittern_energy_estimate {
    char detail[256];       /* for people: part, speed grade, clock */
    char coefficients[128]; /* name and version of their file */
    struct bittern_energy_range joules_per_image;
    struct bittern_energy_range parts[BITTERN_ENERGY_PARTS];
    size_t layer_count;
    struct bittern_energy_layer *layers;
    bool bounds; /* as asked for below */
};

/**
 * Joules an image: activity times coefficients.
 *
 * Ranges: each coefficient is drawn between low and high, half of the draws below nominal and half
 * above, denser towards it; all coefficients independently, the same draw for all layers; 4,000
 * draws of a fixed seed. low and high are the 5th and 95th percentile, nominal is all nominal. With
 * `bounds`, low and high are what comes of all coefficients at their low, or high, end at once.
 * @param estimate  out: to be freed with bittern_energy_estimate_free
 * @return BITTERN_ERR_MISMATCH where activity, coefficients and load are not of one program and
 *         family
 */
BITTERN_API bittern_status bittern_energy_model(
    const struct bittern_energy_coefficients *coefficients,
    const struct bittern_energy_activity *activity, const struct bittern_energy_load *load,
    bool bounds, struct bittern_energy_estimate **estimate, struct bittern_error *err);
BITTERN_API void bittern_energy_estimate_free(struct bittern_energy_estimate *estimate);

/** One of the programs that bittern_energy_rank compares. */
struct bittern_energy_candidate {
    const struct bittern_energy_activity *activity;
    const struct bittern_energy_load *load;
};

struct bittern_energy_ranking {
    double share;                      /* of the draws in which a takes less than b, 0..1 */
    struct bittern_energy_range ratio; /* a / b: 5th percentile, all nominal, 95th percentile */
};

/**
 * Does the order of two programs hang on what is not known of the coefficients? Draws all
 * coefficients as bittern_energy_model does, the same draw for both programs.
 * @param draws  1..1000000; 0: 10,000
 */
BITTERN_API bittern_status bittern_energy_rank(
    const struct bittern_energy_coefficients *coefficients,
    const struct bittern_energy_candidate *a, const struct bittern_energy_candidate *b,
    size_t draws, uint64_t seed, struct bittern_energy_ranking *ranking, struct bittern_error *err);

/* ---- JSON ------------------------------------------------------------------------------------ */

/** The `energy` object of docs/bench-format.md; to be freed with free(), NULL: out of memory. */
BITTERN_API char *bittern_energy_estimate_to_json(const struct bittern_energy_estimate *estimate);
/** @param images  that the measurement was for */
BITTERN_API char *
bittern_energy_measurement_to_json(const struct bittern_energy_measurement *measurement,
                                   uint64_t images);

#ifdef __cplusplus
}
#endif

#endif
