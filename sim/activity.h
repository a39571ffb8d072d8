/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Records what a network's data does in the kernel, for hw/energy: of each layer, counts of all
 * its cycles, and bursts of cycles with all that the compute units see and answer. Bursts are
 * spread evenly over all that a layer runs: when there are too many, every second one is dropped.
 *
 * The file (little-endian): struct activity_file_header, then for each layer struct
 * activity_file_layer and its bursts: a 32-bit number of cycles each, and that many records. A
 * record is a byte of flags and the signals of the array's ports, in the order and with the bits
 * of `record_signals`, each in whole bytes.
 */
#ifndef BITTERN_SIM_ACTIVITY_H
#define BITTERN_SIM_ACTIVITY_H

#include "model.h"

#include <bittern/error.h>
#include <stdbool.h>
#include <stdint.h>

#define ACTIVITY_MAGIC UINT32_C(0x584E5442) /* "BTNX" */
#define ACTIVITY_VERSION 1
#define ACTIVITY_BURST 128 /* cycles; fewer where a layer ends */
#define ACTIVITY_BURSTS 32 /* of a layer */
#define ACTIVITY_MAX_LAYERS 4096

#define ACTIVITY_FLAG_CE 1
#define ACTIVITY_FLAG_SUM_ENABLE 2
#define ACTIVITY_FLAG_SUM_FIRST 4
#define ACTIVITY_FLAG_INT_MODE 8

/* Of a record, behind its flags. */
enum activity_field {
    ACTIVITY_ACT,
    ACTIVITY_ZERO,
    ACTIVITY_ODD,
    ACTIVITY_WEIGHT,
    ACTIVITY_NEGATIVE,
    ACTIVITY_NONZERO,
    ACTIVITY_ACC,
    ACTIVITY_FIELDS
};

struct activity_file_header {
    uint32_t magic, version;
    uint32_t word_bits, output_channels, pixels, units, acc_bits;
    uint32_t layers;
    uint64_t cycles;                  /* of all runs, from the first read to the last write */
    uint64_t read_bytes, write_bytes; /* of device memory, in that time */
};

/* Of all cycles of the layer. */
struct activity_counts {
    uint64_t cycles;         /* from start to end */
    uint64_t enabled_cycles; /* in which the pipeline moved, and with it the memories' reads */
    uint64_t compute_cycles; /* in which sums were added to */
    uint64_t feature_read_toggles; /* bits of all banks' outputs that changed */
    uint64_t feature_write_bytes, feature_write_toggles;
    uint64_t ring_reads, ring_read_toggles;   /* rows; bits of all banks' outputs */
    uint64_t ring_writes, ring_write_toggles; /* beats; bits */
    uint64_t read_bytes, write_bytes;         /* of device memory, while the layer ran */
};

struct activity_file_layer {
    uint32_t number; /* the network's, from 0 */
    uint32_t bursts;
    struct activity_counts counts;
};

struct sim_activity;

/** @return BITTERN_ERR_UNSUPPORTED where the model was built without signals */
bittern_status sim_activity_create(const struct sim_model *model, void *instance,
                                   struct sim_activity **out, struct bittern_error *err);
void sim_activity_free(struct sim_activity *activity);

/** What lies between runs is not counted. */
void sim_activity_begin_run(struct sim_activity *activity);

/* What the AXI master does in a cycle. */
struct sim_activity_bus {
    bool active;      /* anything */
    bool read, write; /* a beat of data */
};

/** Once a cycle, between settle() and clock(). */
void sim_activity_sample(struct sim_activity *activity, const struct sim_activity_bus *bus);

/** All that was seen so far, whole or not at all; an error where memory ran out before. */
bittern_status sim_activity_write(const struct sim_activity *activity, const char *path,
                                  struct bittern_error *err);

#endif
