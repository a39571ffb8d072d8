/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulated kernel recorded (sim/activity.h), replayed on the netlist of a compute unit:
 * every unit of the array is a stream of the netlist's. Sums must equal the recorded ones.
 */
#ifndef BITTERN_ENERGY_REPLAY_H
#define BITTERN_ENERGY_REPLAY_H

#include "activity.h"
#include "netlist.h"

struct recording_burst {
    uint32_t cycles;
    const uint8_t *records;
};

struct recording_layer {
    struct activity_file_layer head;
    struct recording_burst bursts[ACTIVITY_BURSTS];
};

struct recording {
    uint8_t *data;
    struct activity_file_header head;
    size_t field_offset[ACTIVITY_FIELDS]; /* in a record */
    size_t record_bytes;
    struct recording_layer *layers; /* [head.layers], by number */
};

bittern_status recording_read(const char *path, struct recording *recording,
                              struct bittern_error *err);
void recording_free(struct recording *recording);

struct replay_result {
    uint64_t cycles, compute_cycles; /* that changes were counted in */
    uint64_t sums;                   /* compared: accumulators at the end of each of these cycles */
    struct toggles settled, delayed; /* of all units together */
};

/** @return BITTERN_ERR_MISMATCH, with the place, where a sum of the netlist is not the recorded
 *  one */
bittern_status replay_layer(struct netlist *netlist, const struct recording *recording,
                            const struct recording_layer *layer, struct replay_result *result,
                            struct bittern_error *err);

#endif
