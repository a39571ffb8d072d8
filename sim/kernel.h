/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The simulated kernel: a Verilated geometry, its registers as a host reaches them, and the memory
 * at its AXI master. Time passes only in calls of this interface. One thread at a time a kernel.
 */
#ifndef BITTERN_SIM_KERNEL_H
#define BITTERN_SIM_KERNEL_H

#include "activity.h"
#include "axi_memory.h"
#include "model.h"

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_kernel;

struct sim_kernel_options {
    struct axi_memory_options memory;
    /* Of the library: "" one thread and no waveform, "trace", "threads2", ... */
    const char *variant;
    const char *trace; /* FST file to write; NULL: none; needs the variant "trace" */
    bool activity;     /* record it; needs the variant "activity" */
    axi_memory_find find;
    void *user; /* of find */
};

/** Latency 64 for reads and writes, full bandwidth, no stalls. */
void sim_kernel_default_options(struct sim_kernel_options *options);

/**
 * Load libbittern-sim-GEOMETRY[-VARIANT].so, which stands beside this code's own library or in
 * $BITTERN_BACKENDS, and take the kernel out of reset.
 */
bittern_status sim_kernel_create(const char *geometry, const struct sim_kernel_options *options,
                                 struct sim_kernel **kernel, struct bittern_error *err);
void sim_kernel_destroy(struct sim_kernel *kernel);

/** What the library was built for; not what the kernel says of itself. */
const struct sim_model *sim_kernel_model(const struct sim_kernel *kernel);

/** Hold ap_rst_n low for some cycles; memory stays as it is. */
void sim_kernel_reset(struct sim_kernel *kernel);

/** One AXI4-Lite access: a few cycles. BITTERN_ERR_DEVICE where the kernel does not answer. */
bittern_status sim_kernel_read(struct sim_kernel *kernel, uint32_t offset, uint32_t *value,
                               struct bittern_error *err);
bittern_status sim_kernel_write(struct sim_kernel *kernel, uint32_t offset, uint32_t value,
                                struct bittern_error *err);

/** Let `cycles` cycles pass, or fewer, if the interrupt line rises first: true then. */
bool sim_kernel_run(struct sim_kernel *kernel, uint64_t cycles);

/** Cycles since creation. */
uint64_t sim_kernel_cycle(const struct sim_kernel *kernel);

/** Write the waveform from now on, or not. */
void sim_kernel_set_trace(struct sim_kernel *kernel, bool on);

/** What was recorded, to be written; NULL where nothing is. */
struct sim_activity *sim_kernel_activity(struct sim_kernel *kernel);

/** To set faults, and to look at violations and statistics. */
struct axi_memory *sim_kernel_memory(struct sim_kernel *kernel);

/** Find a library and read what it is, without making a kernel of it; `library` is for dlclose. */
bittern_status sim_model_load(const char *geometry, const char *variant,
                              const struct sim_model **model, void **library,
                              struct bittern_error *err);

#endif
