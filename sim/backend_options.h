/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind "sim:" in a device's name: a geometry, and settings, with commas between.
 *
 *     edge                  the geometry (default: edge)
 *     latency=N             cycles that memory takes to answer (default 64)
 *     bandwidth=F           beats a cycle in each direction, up to 1 (default 1)
 *     stall=P  seed=N       chance in percent that a channel holds still in a cycle (default 0)
 *     base=ADDRESS          where memory begins, a multiple of 4096 below 2^64 - 2^36 (default
 * 4096) watchdog=N            cycles without progress that end a run (default: the kernel's)
 *     threads=N             a model that was built for N threads
 *     trace=FILE            write an FST waveform (a model of its own; slow)
 *     trace-descriptors=A-B only while these descriptors are worked on
 *     activity=FILE         record operands and switching for hw/energy (a model of its own)
 *     fault=KIND@N          up to eight; beats, bursts and cycles are counted from 0:
 *         slverr-read@BEAT  decerr-read@BEAT  slverr-write@BURST  decerr-write@BURST
 *         flip@BEAT.BIT     a read beat with one bit inverted
 *         flip-byte@ADDRESS.BIT         the next read of that byte
 *         stuck-CHANNEL@CYCLE           ar, r, aw, w or b, from that cycle of a run to its end
 */
#ifndef BITTERN_SIM_BACKEND_OPTIONS_H
#define BITTERN_SIM_BACKEND_OPTIONS_H

#include "axi_memory.h"

#define SIM_MAX_FAULTS 8

struct sim_options {
    char geometry[16];
    char variant[16]; /* of the model */
    char trace[256];  /* "": none */
    char activity[256];
    uint32_t trace_first, trace_last;
    struct axi_memory_options memory;
    uint64_t base; /* 0: the default */
    bool has_watchdog;
    uint32_t watchdog, threads;
    struct axi_fault faults[SIM_MAX_FAULTS];
    size_t fault_count;
};

bittern_status sim_options_parse(const char *text, struct sim_options *options,
                                 struct bittern_error *err);

#endif
