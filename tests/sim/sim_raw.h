/* SPDX-License-Identifier: Apache-2.0 */
/* A device program and its buffers in device memory, as a session has them, but open to damage. */
#ifndef BITTERN_SIM_RAW_H
#define BITTERN_SIM_RAW_H

#include "sim_example.h"

#include "accelerator/device_format.h"
#include "accelerator/device_io.h"

struct sim_raw {
    struct bittern_device *device;
    const struct sim_example *example;
    struct device_io *io;
    uint64_t random; /* for addresses */
    size_t program_bytes;
    uint8_t *program; /* a copy, for tests to change; sim_raw_write takes it to the device */
    struct bittern_start start;
};

void sim_raw_make(struct sim_raw *raw, struct bittern_device *device,
                  const struct sim_example *example);
void sim_raw_free(struct sim_raw *raw);

/* Write raw->program to device memory. */
void sim_raw_write(struct sim_raw *raw);
/* The program as it should be, in raw->program and in device memory. */
void sim_raw_restore(struct sim_raw *raw);

/* The first SEGMENT of raw->program; and another one in its place, also in device memory. */
struct device_segment sim_raw_first_segment(const struct sim_raw *raw);
void sim_raw_write_first_segment(struct sim_raw *raw, const struct device_segment *segment);

/* Start and wait. */
bittern_status sim_raw_run(struct sim_raw *raw, struct bittern_error *err);
/* A run that must succeed, with the right outputs. */
void sim_raw_expect_good(struct sim_raw *raw, const char *what);
/* A run that must end with this error of the kernel: its name is in the message. */
void sim_raw_expect_error(struct sim_raw *raw, const char *name);

#endif
