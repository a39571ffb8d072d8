/* SPDX-License-Identifier: Apache-2.0 */
/* The layouts of a host that plays the device are here; those of accelerators in
 * accelerator/device_io.h. */
#include "device/session_format.h"

#include "accelerator/device_io.h"
#include "base/checked.h"
#include "device/kernel_registers.h"

#include <stdlib.h>

#define TABLE_SIZE 256

struct session_format {
    const struct bittern_program *program;
    struct device_io *io;    /* NULL: a device of geometry "any" */
    size_t channels, pixels; /* of one image: [channels][pixels] */
    size_t outputs;
    uint8_t *table; /* [channels][256]: the byte that the device gets for a pixel value */
};

/* The input table becomes bytes here, once. */
static bittern_status prepare_table(struct session_format *format, struct bittern_error *err)
{
    const struct bittern_input *input =
        bittern_network_input(bittern_program_network(format->program));

    if (!checked_mul_size(input->shape.height, input->shape.width, &format->pixels)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "the network's images are too large");
    }
    format->channels = input->shape.channels;
    format->table = malloc(format->channels * TABLE_SIZE);
    if (!format->table) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an input table");
    }
    for (size_t i = 0; i < format->channels * TABLE_SIZE; i++) {
        format->table[i] = (uint8_t)input->table[i]; /* int8 as its two's complement */
    }
    return BITTERN_OK;
}

bittern_status session_format_create(const struct bittern_program *program, bool accelerator,
                                     struct session_format **format_out, struct bittern_error *err)
{
    struct session_format *format = calloc(1, sizeof *format);

    *format_out = NULL;
    if (!format) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a session");
    }
    format->program = program;
    format->outputs = bittern_network_output_count(bittern_program_network(program));
    bittern_status status =
        accelerator ? device_io_create(program, &format->io, err) : prepare_table(format, err);
    if (status != BITTERN_OK) {
        session_format_free(format);
        return status;
    }
    *format_out = format;
    return BITTERN_OK;
}

void session_format_free(struct session_format *format)
{
    if (!format) {
        return;
    }
    device_io_free(format->io);
    free(format->table);
    free(format);
}

const void *session_format_program(const struct session_format *format, size_t *size)
{
    return format->io ? device_io_program(format->io, size)
                      : bittern_program_data(format->program, size);
}

size_t session_format_input_bytes(const struct session_format *format)
{
    return format->io ? device_io_input_bytes(format->io) : format->channels * format->pixels;
}

size_t session_format_output_bytes(const struct session_format *format)
{
    return format->io ? device_io_output_bytes(format->io) : format->outputs * sizeof(int32_t);
}

size_t session_format_scratch_bytes(const struct session_format *format)
{
    return format->io ? device_io_scratch_bytes(format->io) : 0;
}

size_t session_format_record_bytes(const struct session_format *format, size_t images)
{
    return format->io ? KERNEL_RECORD_HEAD +
                            KERNEL_RECORD_LAYER * device_io_record_count(format->io, images)
                      : 0;
}

void session_format_pack(const struct session_format *format, const uint8_t *pixels, size_t count,
                         uint8_t *out)
{
    if (format->io) {
        device_io_pack(format->io, pixels, count, out);
        return;
    }
    /* In the order of memory; limited by the byte loads. */
    for (size_t image = 0; image < count; image++) {
        for (size_t channel = 0; channel < format->channels; channel++) {
            const uint8_t *table = format->table + channel * TABLE_SIZE;
            for (size_t i = 0; i < format->pixels; i++) {
                *out++ = table[*pixels++];
            }
        }
    }
}

void session_format_unpack(const struct session_format *format, const uint8_t *data, size_t count,
                           int32_t *values)
{
    if (format->io) {
        device_io_unpack(format->io, data, count, values);
        return;
    }
    for (size_t i = 0; i < count * format->outputs; i++, data += 4) {
        values[i] = (int32_t)((uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
                              (uint32_t)data[3] << 24);
    }
}
