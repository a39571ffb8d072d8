/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in and values out of a device program (docs/device-program.md): what the driver needs to
 * know of a program that an accelerator runs, besides its bytes.
 */
#ifndef BITTERN_ACCELERATOR_DEVICE_IO_H
#define BITTERN_ACCELERATOR_DEVICE_IO_H

#include <bittern/program.h>

struct device_io;

/* BITTERN_ERR_ARGUMENT where the program is for geometry "any". The program must outlive it. */
bittern_status device_io_create(const struct bittern_program *program, struct device_io **io,
                                struct bittern_error *err);
void device_io_free(struct device_io *io);

/* The device program's bytes, within the program's own. */
const void *device_io_program(const struct device_io *io, size_t *size);

/* Bytes an image, multiples of 64: input region, scratch region (may be 0), output region. */
size_t device_io_input_bytes(const struct device_io *io);
size_t device_io_scratch_bytes(const struct device_io *io);
size_t device_io_output_bytes(const struct device_io *io);

/* Layer records that a start of so many images writes; its record region has 256 + 32 times this.
 */
size_t device_io_record_count(const struct device_io *io, size_t images);

/* Pixels [count][channels][height][width] through the input table into the device's layout:
 * `out` has count * device_io_input_bytes, all of which is written. */
void device_io_pack(const struct device_io *io, const uint8_t *pixels, size_t count, uint8_t *out);

/* The device's output region to [count][bittern_network_output_count] as bittern_session_run has
 * it. */
void device_io_unpack(const struct device_io *io, const uint8_t *data, size_t count,
                      int32_t *values);

#endif
