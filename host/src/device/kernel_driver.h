/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of one kernel, over whatever reaches its registers: the simulator's AXI4-Lite, or
 * a run-time's register access. Backends share it; nothing here waits or allocates.
 */
#ifndef BITTERN_DEVICE_KERNEL_DRIVER_H
#define BITTERN_DEVICE_KERNEL_DRIVER_H

#include "device/kernel_registers.h"

#include <bittern/device.h>
#include <stdbool.h>

/* Access to registers; `user` is the first argument of both. */
struct kernel_access {
    bittern_status (*read)(void *user, uint32_t offset, uint32_t *value, struct bittern_error *err);
    bittern_status (*write)(void *user, uint32_t offset, uint32_t value, struct bittern_error *err);
    void *user;
};

/* Read what the kernel says of itself; the geometry's name is left as it is.
 * @return BITTERN_ERR_DEVICE where it is no kernel of Bittern, or one of another version */
bittern_status kernel_identify(const struct kernel_access *access,
                               struct bittern_geometry *geometry, struct bittern_error *err);

/* Cycles without progress that end a run; 0: no limit. */
bittern_status kernel_set_watchdog(const struct kernel_access *access, uint32_t cycles,
                                   struct bittern_error *err);

/* Write the arguments, enable the interrupt, start.
 * @return BITTERN_ERR_DEVICE where the kernel is busy, or hangs on memory that does not answer */
bittern_status kernel_start(const struct kernel_access *access, const struct bittern_start *start,
                            struct bittern_error *err);

/* Acknowledge the end of a run: *done is false, and nothing has changed, while it goes on. */
bittern_status kernel_finish(const struct kernel_access *access, bool *done,
                             struct bittern_error *err);

/* How the last run ended: its own error as kernel_error_set has it. */
bittern_status kernel_result(const struct kernel_access *access, struct bittern_error *err);

/* All but nanoseconds, which stay. Of the run in progress, or of the last one. */
bittern_status kernel_counters(const struct kernel_access *access,
                               struct bittern_counters *counters, struct bittern_error *err);

/* "WEIGHT_CHECKSUM"; "unknown" for what is none. */
const char *kernel_error_name(uint32_t code);
/* An error code as an error with advice; BITTERN_OK for code 0. */
bittern_status kernel_error_set(uint32_t code, uint32_t descriptor, struct bittern_error *err);

#endif
