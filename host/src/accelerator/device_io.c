/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images into the device's layout, and its results back.
 *
 * Packing is on the path of every image, so that where each byte, or bit, of the input region comes
 * from is found once: a table of offsets into a small buffer, which holds an image's stored values
 * and, behind them, what padding and empty lanes hold. Then an image is the input table applied in
 * order, and one gather.
 */
#include "accelerator/device_io.h"

#include "accelerator/device_check.h"
#include "accelerator/plan.h"
#include "program/program_format.h"

#include <stdlib.h>
#include <string.h>

struct device_io {
    const struct bittern_program *program;
    struct geometry geometry;
    struct device_header header;
    struct device_layer first, last;
    size_t segment_count;
    struct {
        uint32_t sub_batch, layers;
    } * segments;

    struct layer_form form; /* of the first layer */
    struct device_map map;
    size_t channels, positions; /* of an image */
    size_t input_bytes;
    size_t used_bytes; /* of input_bytes: what the table covers */
    bool bitwise;      /* one entry a bit, else one a byte */
    uint32_t *table;   /* offsets into `values` */
    uint8_t *stored;   /* [channels][256]: stored byte, or bit of +1, of a pixel value */
    uint8_t *minus;    /* [channels][256]: bit of -1; ternary maps only */
    uint8_t *values;   /* [channels][positions], again for -1, then padding and 0 */
};

#define CONSTANTS 2 /* behind the values: padding, zero */

static size_t value_count(const struct device_io *io)
{
    return io->channels * io->positions * (io->map.format == DEVICE_TERNARY ? 2 : 1);
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Index of the value that stands at a channel and position of the first layer's map. */
static size_t find_source(const struct device_io *io, size_t channel, size_t y, size_t x)
{
    const struct layer_form *form = &io->form;
    const struct bittern_layer *layer = form->layer;
    const struct bittern_shape *shape = &layer->input;

    if (!form->gathered) {
        return (channel * shape->height + y) * shape->width + x;
    }
    size_t kernel_w = layer->op == BITTERN_LAYER_FC ? shape->width : layer->window.kernel_w;
    size_t tap = channel / shape->channels;
    size_t row = y * layer->window.stride_h + tap / kernel_w;
    size_t column = x * layer->window.stride_w + tap % kernel_w;
    if (row < layer->window.pad_top || row - layer->window.pad_top >= shape->height ||
        column < layer->window.pad_left || column - layer->window.pad_left >= shape->width) {
        return value_count(io); /* padding */
    }
    return (channel % shape->channels * shape->height + row - layer->window.pad_top) *
               shape->width +
           column - layer->window.pad_left;
}

/* Enter one channel of one pixel, whose word is `word`, in one half of it. */
static void enter_value(struct device_io *io, size_t word, uint32_t half, uint32_t lane,
                        size_t source)
{
    const struct geometry *g = &io->geometry;
    size_t bit = word * g->word + (size_t)half * g->half;
    size_t minus = source == value_count(io) ? source : source + io->channels * io->positions;

    switch (io->map.format) {
    case DEVICE_BINARY:
        io->table[bit + lane] = (uint32_t)source;
        break;
    case DEVICE_TERNARY:
        io->table[bit + lane] = (uint32_t)source;
        io->table[bit + lane + g->half / 2] = (uint32_t)minus;
        break;
    case DEVICE_INT:
        io->table[bit / 8 + lane] = (uint32_t)source;
        break;
    }
}

static void enter_pixel(struct device_io *io, size_t y, size_t x)
{
    uint32_t atom = geometry_atom(&io->geometry, io->map.format);
    size_t pixel = device_map_word(&io->map, (uint32_t)y, (uint32_t)x);

    for (size_t channel = 0; channel < io->form.channels; channel++) {
        size_t source = find_source(io, channel, y, x);
        size_t a = channel / atom;
        uint32_t lane = (uint32_t)(channel % atom);
        if (io->map.dup) {
            size_t word = pixel + a * io->map.plane_pitch;
            enter_value(io, word, 0, lane, source);
            enter_value(io, word, 1, lane, source);
        } else {
            enter_value(io, pixel + a / 2 * io->map.plane_pitch, a % 2, lane, source);
        }
    }
}

static bittern_status make_table(struct device_io *io, struct bittern_error *err)
{
    size_t entries = io->used_bytes * (io->bitwise ? 8 : 1);
    uint32_t zero = (uint32_t)value_count(io) + 1;

    io->table = malloc(entries * sizeof *io->table);
    if (!io->table) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to pack images");
    }
    for (size_t i = 0; i < entries; i++) {
        io->table[i] = zero;
    }
    for (size_t y = 0; y < io->form.in_height; y++) {
        for (size_t x = 0; x < io->form.in_width; x++) {
            enter_pixel(io, y, x);
        }
    }
    return BITTERN_OK;
}

/* What each pixel value of each channel is stored as. */
static bittern_status make_values(struct device_io *io, struct bittern_error *err)
{
    const struct bittern_input *input = bittern_network_input(bittern_program_network(io->program));
    int stored = value_is_flipped(&input->type) ? 128 : 0;

    io->stored = malloc(io->channels * 256);
    io->minus = malloc(io->channels * 256);
    io->values = malloc(value_count(io) + CONSTANTS);
    if (!io->stored || !io->minus || !io->values) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to pack images");
    }
    for (size_t i = 0; i < io->channels * 256; i++) {
        int value = input->table[i];
        io->stored[i] = io->bitwise ? value > 0 : (uint8_t)(value - stored);
        io->minus[i] = value < 0;
    }
    io->values[value_count(io)] = io->bitwise ? 0 : (uint8_t)(io->form.layer->pad_value - stored);
    io->values[value_count(io) + 1] = 0;
    return BITTERN_OK;
}

/* ---- Create and free ------------------------------------------------------------------------- */

static bittern_status read_segments(struct device_io *io, const uint8_t *data,
                                    struct bittern_error *err)
{
    struct device_reader reader;

    device_reader_start(&reader, data);
    io->header = reader.header;
    io->segment_count = reader.header.segments;
    io->segments = calloc(io->segment_count, sizeof *io->segments);
    if (!io->segments) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu segments",
                                 io->segment_count);
    }
    for (size_t s = 0; s < io->segment_count; s++) {
        struct device_segment segment;
        device_reader_segment(&reader, &segment);
        io->segments[s].sub_batch = segment.sub_batch;
        io->segments[s].layers = segment.layers;
        if (s == 0) {
            io->used_bytes = (size_t)segment.load_words * io->geometry.bytes;
        }
        for (size_t i = 0; i < segment.layers; i++) {
            device_reader_layer(&reader, &io->last);
            if (s == 0 && i == 0) {
                io->first = io->last;
            }
        }
    }
    return BITTERN_OK;
}

bittern_status device_io_create(const struct bittern_program *program, struct device_io **io,
                                struct bittern_error *err)
{
    const struct bittern_network *network = bittern_program_network(program);
    const struct bittern_input *input = bittern_network_input(network);

    *io = NULL;
    if (!program->device) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the program is for geometry '%s', which is no accelerator's; "
                                 "compile the model with --geometry",
                                 bittern_program_geometry(program)->name);
    }
    struct device_io *made = calloc(1, sizeof *made);
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to pack images");
    }
    made->program = program;
    bittern_status status =
        geometry_derive(bittern_program_geometry(program), &made->geometry, err);
    if (status == BITTERN_OK) {
        status = read_segments(made, program->device, err);
    }
    if (status == BITTERN_OK) {
        bool gathered = !device_layer_has_form(&made->first, network, &made->geometry, false);
        status = layer_form_make(network, 0, gathered, &made->geometry, &made->form, err);
    }
    if (status == BITTERN_OK) {
        made->map = device_map_read(&made->first, &made->form);
        made->channels = input->shape.channels;
        made->positions = input->shape.height * input->shape.width;
        made->input_bytes = made->header.input_bytes;
        made->bitwise = made->map.format != DEVICE_INT;
        status = make_table(made, err);
    }
    if (status == BITTERN_OK) {
        status = make_values(made, err);
    }
    if (status != BITTERN_OK) {
        device_io_free(made);
        return status;
    }
    *io = made;
    return BITTERN_OK;
}

void device_io_free(struct device_io *io)
{
    if (io) {
        free(io->segments);
        free(io->table);
        free(io->stored);
        free(io->minus);
        free(io->values);
        free(io);
    }
}

/* ---- What the driver asks -------------------------------------------------------------------- */

static size_t align_up(size_t size)
{
    return (size + DEVICE_ALIGNMENT - 1) / DEVICE_ALIGNMENT * DEVICE_ALIGNMENT;
}

const void *device_io_program(const struct device_io *io, size_t *size)
{
    *size = io->program->device_size;
    return io->program->device;
}

size_t device_io_input_bytes(const struct device_io *io)
{
    return io->input_bytes;
}

size_t device_io_scratch_bytes(const struct device_io *io)
{
    return io->header.scratch_bytes;
}

size_t device_io_output_bytes(const struct device_io *io)
{
    return align_up(io->header.output_bytes);
}

size_t device_io_record_count(const struct device_io *io, size_t images)
{
    size_t count = 0;
    for (size_t s = 0; s < io->segment_count; s++) {
        size_t sub_batch = io->segments[s].sub_batch;
        count += (images + sub_batch - 1) / sub_batch * io->segments[s].layers;
    }
    return count;
}

/* ---- Images and results ---------------------------------------------------------------------- */

static void look_up(const struct device_io *io, const uint8_t *pixels)
{
    uint8_t *value = io->values;
    uint8_t *minus = io->values + io->channels * io->positions;

    for (size_t c = 0; c < io->channels; c++) {
        const uint8_t *stored = io->stored + c * 256;
        for (size_t i = 0; i < io->positions; i++) {
            *value++ = stored[pixels[c * io->positions + i]];
        }
    }
    if (io->map.format != DEVICE_TERNARY) {
        return;
    }
    for (size_t c = 0; c < io->channels; c++) {
        for (size_t i = 0; i < io->positions; i++) {
            *minus++ = io->minus[c * 256 + pixels[c * io->positions + i]];
        }
    }
}

void device_io_pack(const struct device_io *io, const uint8_t *pixels, size_t count, uint8_t *out)
{
    const uint8_t *values = io->values;

    for (size_t n = 0; n < count; n++, out += io->input_bytes) {
        look_up(io, pixels + n * io->channels * io->positions);
        if (io->bitwise) {
            const uint32_t *t = io->table;
            for (size_t i = 0; i < io->used_bytes; i++, t += 8) {
                out[i] = (uint8_t)(values[t[0]] | values[t[1]] << 1 | values[t[2]] << 2 |
                                   values[t[3]] << 3 | values[t[4]] << 4 | values[t[5]] << 5 |
                                   values[t[6]] << 6 | values[t[7]] << 7);
            }
        } else {
            for (size_t i = 0; i < io->used_bytes; i++) {
                out[i] = values[io->table[i]];
            }
        }
        memset(out + io->used_bytes, 0, io->input_bytes - io->used_bytes);
    }
}

void device_io_unpack(const struct device_io *io, const uint8_t *data, size_t count,
                      int32_t *values)
{
    size_t last = bittern_network_layer_count(bittern_program_network(io->program)) - 1;
    size_t channels =
        bittern_network_layer(bittern_program_network(io->program), last)->output.channels;
    size_t positions = io->last.results_per_image;

    for (size_t n = 0; n < count; n++, values += channels * positions) {
        for (size_t i = 0; i < positions; i++, data += io->last.result_stride) {
            for (size_t c = 0; c < channels; c++) {
                memcpy(&values[c * positions + i], data + c * sizeof *values, sizeof *values);
            }
        }
    }
}
