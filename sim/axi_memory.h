/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device memory as an AXI4 slave, a cycle at a time: latency, bandwidth, random back-pressure and
 * faults as set, and a check of every rule that the master must keep. Bursts are queued as pointers
 * into host memory; a beat costs one memcpy.
 */
#ifndef BITTERN_SIM_AXI_MEMORY_H
#define BITTERN_SIM_AXI_MEMORY_H

#include "model.h"

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct axi_memory_options {
    uint32_t read_latency;  /* cycles from an address to its first beat; at least 1 */
    uint32_t write_latency; /* cycles from a burst's last beat to its response; at least 1 */
    double beats_per_cycle; /* in each direction, more than 0, up to 1 */
    uint32_t stall_percent; /* chance that a channel holds still in a cycle, 0..95 */
    uint64_t seed;          /* of the stalls */
};

enum axi_channel { AXI_AR, AXI_R, AXI_AW, AXI_W, AXI_B, AXI_CHANNELS };

enum axi_fault_kind {
    AXI_FAULT_NONE,
    AXI_FAULT_READ_RESPONSE,  /* of read beat number `at`: response `value` (2 SLVERR, 3 DECERR) */
    AXI_FAULT_WRITE_RESPONSE, /* of write burst number `at` */
    AXI_FAULT_FLIP,           /* bit `value` of read beat number `at` is inverted */
    AXI_FAULT_FLIP_ADDRESS,   /* bit `value` of the byte at address `at`, at its next read */
    AXI_FAULT_STUCK           /* channel `value` stands still from cycle `at` of a run on */
};

/* Beats and bursts are counted from 0 and from the memory's creation on. All but STUCK happen once;
 * STUCK lasts until axi_memory_release_stuck or axi_memory_reset. */
struct axi_fault {
    enum axi_fault_kind kind;
    uint64_t at;
    uint32_t value;
};

struct axi_memory_statistics {
    uint64_t read_bursts, read_beats, write_bursts, write_beats;
    uint64_t read_wait_cycles;  /* a burst is open, and no beat is offered */
    uint64_t read_held_cycles;  /* a beat is offered, and the master does not take it */
    uint64_t write_held_cycles; /* the master offers a beat, and the memory does not take it */
};

/* Where size bytes at an address stand in host memory; NULL where nothing is: a DECERR. */
typedef uint8_t *(*axi_memory_find)(void *user, uint64_t address, uint64_t size);

struct axi_memory;

/* @param beat_bytes  of the data bus: 4, 8, .. 64 */
bittern_status axi_memory_create(const struct axi_memory_options *options, uint32_t beat_bytes,
                                 axi_memory_find find, void *user, struct axi_memory **memory,
                                 struct bittern_error *err);
void axi_memory_free(struct axi_memory *memory);

/* Up to eight; BITTERN_ERR_RANGE past that. */
bittern_status axi_memory_add_fault(struct axi_memory *memory, const struct axi_fault *fault,
                                    struct bittern_error *err);

/* End STUCK faults that have begun; what is open goes on. */
void axi_memory_release_stuck(struct axi_memory *memory);
/* As after ap_rst_n: that, and forget what is open. */
void axi_memory_reset(struct axi_memory *memory);
/* A run begins: STUCK faults count their cycles from here. */
void axi_memory_begin_run(struct axi_memory *memory);

/* Before a cycle: what the memory offers in it. */
void axi_memory_drive(struct axi_memory *memory, struct sim_inputs *in);
/* The cycle's rising edge: take what is offered on both sides. */
void axi_memory_clock(struct axi_memory *memory, const struct sim_inputs *in,
                      const struct sim_outputs *out);

/* Nothing is open: every read beat was taken, every write answered. */
bool axi_memory_is_idle(const struct axi_memory *memory);

/* The first rule that the master broke; NULL where it kept all. */
const char *axi_memory_violation(const struct axi_memory *memory);

const struct axi_memory_statistics *axi_memory_get_statistics(const struct axi_memory *memory);

#endif
