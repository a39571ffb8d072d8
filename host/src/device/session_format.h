/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program looks like to the device of a session. A device of geometry "any" takes the
 * program file as it is, bytes as [channels][height][width] and gives int32 values; an accelerator
 * takes the program's device section and has its own layouts (docs/device-program.md).
 */
#ifndef BITTERN_DEVICE_SESSION_FORMAT_H
#define BITTERN_DEVICE_SESSION_FORMAT_H

#include <bittern/program.h>

struct session_format;

/* The program must outlive it. */
bittern_status session_format_create(const struct bittern_program *program, bool accelerator,
                                     struct session_format **format, struct bittern_error *err);
void session_format_free(struct session_format *format);

/* What goes into device memory. */
const void *session_format_program(const struct session_format *format, size_t *size);

/* Bytes an image; scratch may be 0. */
size_t session_format_input_bytes(const struct session_format *format);
size_t session_format_output_bytes(const struct session_format *format);
size_t session_format_scratch_bytes(const struct session_format *format);
/* Of the record of a start of so many images; 0: none. */
size_t session_format_record_bytes(const struct session_format *format, size_t images);

/* Pixels [count][channels][height][width] to `count` times input_bytes. */
void session_format_pack(const struct session_format *format, const uint8_t *pixels, size_t count,
                         uint8_t *out);
/* `count` times output_bytes to values [count][bittern_network_output_count]. */
void session_format_unpack(const struct session_format *format, const uint8_t *data, size_t count,
                           int32_t *values);

#endif
