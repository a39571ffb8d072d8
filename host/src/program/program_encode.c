/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a network to the bytes of a program file. The same code runs twice: first over sections
 * without memory, which only counts, then, with every section's place known, to fill it in. So the
 * sizes cannot differ from what is written.
 */
#include "accelerator/plan.h"
#include "program/program_format.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* One section under construction: bytes == NULL while its size is being counted. */
struct packer {
    uint8_t *bytes;
    size_t used;
};

struct encoder {
    const struct bittern_network *network;
    struct packer sections[PROGRAM_SECTIONS];
};

static size_t align_up(size_t size, size_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

/* Append `size` bytes at the next multiple of `alignment`; returns their offset. */
static uint64_t put(struct encoder *e, enum program_section section, size_t alignment,
                    const void *data, size_t size)
{
    struct packer *packer = &e->sections[section];
    size_t offset = align_up(packer->used, alignment);

    packer->used = offset + size;
    if (packer->bytes && size > 0) {
        memcpy(packer->bytes + offset, data, size);
    }
    return offset;
}

static uint32_t put_string(struct encoder *e, const char *text)
{
    if (!text) {
        return PROGRAM_NONE_32;
    }
    return (uint32_t)put(e, PROGRAM_SECTION_STRINGS, 1, text, strlen(text) + 1);
}

static uint64_t put_parameters(struct encoder *e, const void *data, size_t count, size_t size)
{
    return data ? put(e, PROGRAM_SECTION_PARAMETERS, 8, data, count * size) : PROGRAM_NONE_64;
}

static struct wire_shape wire_shape_of(const struct bittern_shape *shape)
{
    return (struct wire_shape){(uint32_t)shape->channels, (uint32_t)shape->height,
                               (uint32_t)shape->width};
}

static struct wire_value_type wire_type_of(const struct bittern_value_type *type)
{
    return (struct wire_value_type){(uint8_t)type->kind, type->bits,   type->is_signed, 0,
                                    type->minimum,       type->maximum};
}

static struct wire_window wire_window_of(const struct bittern_window *w)
{
    return (struct wire_window){(uint32_t)w->kernel_h,   (uint32_t)w->kernel_w,
                                (uint32_t)w->stride_h,   (uint32_t)w->stride_w,
                                (uint32_t)w->pad_top,    (uint32_t)w->pad_left,
                                (uint32_t)w->pad_bottom, (uint32_t)w->pad_right};
}

static void put_weights(struct encoder *e, const struct bittern_layer *layer,
                        struct wire_layer *wire)
{
    const struct bittern_weights *weights = &layer->weights;
    size_t bytes = layer->conv.channels * weights->words_per_output * sizeof(uint64_t);

    wire->weight_kind = (uint32_t)weights->kind;
    wire->plane_count = (uint32_t)weights->plane_count;
    wire->words_per_output = (uint32_t)weights->words_per_output;
    wire->weight_bits = (uint32_t)weights->bits;
    for (size_t p = 0; p < weights->plane_count; p++) {
        const struct bittern_plane *plane = &weights->planes[p];
        wire->planes[p].multiplier = plane->multiplier;
        wire->planes[p].plus =
            put(e, PROGRAM_SECTION_WEIGHTS, PROGRAM_ALIGNMENT, plane->plus, bytes);
        wire->planes[p].minus =
            plane->minus ? put(e, PROGRAM_SECTION_WEIGHTS, PROGRAM_ALIGNMENT, plane->minus, bytes)
                         : PROGRAM_NONE_64;
    }
}

static void put_layer_parameters(struct encoder *e, const struct bittern_layer *layer,
                                 struct wire_layer *wire)
{
    const struct bittern_activation *a = &layer->activation;
    size_t channels = layer->conv.channels;
    bool inexact = layer->inexact_count > 0;

    wire->activation_kind = (uint32_t)a->kind;
    wire->inexact_count = (uint32_t)layer->inexact_count;
    wire->threshold_low = put_parameters(e, a->threshold_low, channels, sizeof(int32_t));
    wire->threshold_high = put_parameters(e, a->threshold_high, channels, sizeof(int32_t));
    wire->descending = put_parameters(e, a->descending, channels, 1);
    wire->multiplier = put_parameters(e, a->multiplier, channels, sizeof(int32_t));
    wire->offset = put_parameters(e, a->offset, channels, sizeof(int64_t));
    wire->shift = put_parameters(e, a->shift, channels, 1);
    wire->ties = put_parameters(e, a->ties, channels, 1);
    wire->take_min = put_parameters(e, layer->take_min, channels, 1);
    wire->scale = put_parameters(e, layer->scale, channels, sizeof(double));
    wire->bias = put_parameters(e, layer->bias, channels, sizeof(double));
    wire->inexact_channels = put_parameters(e, inexact ? layer->inexact_channels : NULL,
                                            layer->inexact_count, sizeof(uint64_t));
    wire->inexact_values = put_parameters(e, inexact ? layer->inexact_values : NULL,
                                          layer->inexact_count, sizeof(uint64_t));
}

static void put_layer(struct encoder *e, const struct bittern_layer *layer)
{
    struct wire_layer wire = {
        .op = (uint32_t)layer->op,
        .name = put_string(e, layer->name),
        .input = wire_shape_of(&layer->input),
        .conv = wire_shape_of(&layer->conv),
        .output = wire_shape_of(&layer->output),
        .input_type = wire_type_of(&layer->input_type),
        .output_type = wire_type_of(&layer->output_type),
        .pad_value = layer->pad_value,
        .window = wire_window_of(&layer->window),
        .acc_min = layer->acc_min,
        .acc_max = layer->acc_max,
    };

    wire.output_name = put_string(e, layer->output_name);
    if (layer->has_sum_pool) {
        wire.flags |= PROGRAM_LAYER_SUM_POOL;
        wire.sum_pool = wire_window_of(&layer->sum_pool);
    }
    if (layer->has_max_pool) {
        wire.flags |= PROGRAM_LAYER_MAX_POOL;
        wire.max_pool = wire_window_of(&layer->max_pool);
    }
    put_weights(e, layer, &wire);
    put_layer_parameters(e, layer, &wire);
    (void)put(e, PROGRAM_SECTION_LAYERS, 8, &wire, sizeof wire);
}

static void put_network(struct encoder *e)
{
    const struct bittern_network *network = e->network;
    const struct bittern_input *input = bittern_network_input(network);
    size_t layer_count = bittern_network_layer_count(network);
    struct wire_network wire = {
        .name = put_string(e, bittern_network_name(network)),
        .layer_count = (uint32_t)layer_count,
        .top_k = (uint32_t)bittern_network_top_k(network),
        .input = wire_shape_of(&input->shape),
        .input_type = wire_type_of(&input->type),
    };

    wire.input_name = put_string(e, input->name);
    (void)put(e, PROGRAM_SECTION_NETWORK, 8, &wire, sizeof wire);
    (void)put(e, PROGRAM_SECTION_INPUT, 8, input->table,
              input->shape.channels * 256 * sizeof(int16_t));
    for (size_t i = 0; i < layer_count; i++) {
        put_layer(e, bittern_network_layer(network, i));
    }
}

static struct wire_geometry wire_geometry_of(const struct bittern_geometry *geometry)
{
    struct wire_geometry wire = {
        .name = "any",
    };
    if (geometry) {
        memset(wire.name, 0, sizeof wire.name);
        memcpy(wire.name, geometry->name, strnlen(geometry->name, sizeof wire.name));
        wire.version = geometry->version;
        wire.word_bits = geometry->word_bits;
        wire.output_channels = geometry->output_channels;
        wire.pixels = geometry->pixels;
        wire.units = geometry->units;
        wire.feature_bytes = geometry->feature_bytes;
        wire.weight_bytes = geometry->weight_bytes;
    }
    return wire;
}

/* The network's sections, and behind them the device program where there is one. */
struct layout {
    struct wire_section table[PROGRAM_SECTIONS];
    size_t count, end;
};

static void lay_out(const struct encoder *e, size_t device_size, struct layout *l)
{
    memset(l, 0, sizeof *l);
    l->count = PROGRAM_SECTIONS - 1 + (device_size > 0);
    l->end =
        align_up(sizeof(struct wire_header) + l->count * sizeof l->table[0], PROGRAM_ALIGNMENT);
    for (size_t i = 0; i < l->count; i++) {
        bool device = i == PROGRAM_SECTIONS - 1;
        struct wire_section *section = &l->table[i];
        section->type = device ? PROGRAM_SECTION_DEVICE : (uint32_t)i + 1;
        /* Who does not know device programs can still run the network without them. */
        section->flags = device ? 0 : PROGRAM_SECTION_REQUIRED;
        section->offset = l->end;
        section->bytes = device ? device_size : e->sections[i + 1].used;
        l->end = align_up(l->end + section->bytes, PROGRAM_ALIGNMENT);
    }
}

static void put_header(const struct bittern_geometry *geometry, const struct layout *l,
                       uint8_t *bytes)
{
    size_t table_bytes = l->count * sizeof l->table[0];
    struct wire_header header = {
        .magic = PROGRAM_MAGIC,
        .version = BITTERN_PROGRAM_VERSION,
        .header_bytes = sizeof header,
        .file_bytes = l->end,
        .section_count = (uint32_t)l->count,
        .section_entry_bytes = sizeof l->table[0],
        .geometry = wire_geometry_of(geometry),
    };
    uLong crc = crc32_z(0, (const uint8_t *)&header, offsetof(struct wire_header, crc));
    header.crc = (uint32_t)crc32_z(crc, (const uint8_t *)l->table, table_bytes);
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, l->table, table_bytes);
}

bittern_status program_encode(const struct bittern_network *network,
                              const struct bittern_geometry *geometry, uint8_t **data, size_t *size,
                              struct bittern_error *err)
{
    struct encoder e = {.network = network};
    struct layout l;
    uint8_t *device = NULL;
    size_t device_size = 0;
    bittern_status status = BITTERN_OK;

    if (geometry && geometry->version != 0) {
        status = device_program_create(network, geometry, &device, &device_size, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    put_network(&e);
    lay_out(&e, device_size, &l);
    if (l.end > PROGRAM_MAX_BYTES || e.sections[PROGRAM_SECTION_STRINGS].used > UINT32_MAX / 2) {
        status =
            bittern_error_set(err, BITTERN_ERR_RANGE, "a program of %zu bytes is too large", l.end);
        goto cleanup;
    }
    uint8_t *bytes = aligned_alloc(PROGRAM_ALIGNMENT, l.end);
    if (!bytes) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a program of %zu bytes",
                                   l.end);
        goto cleanup;
    }
    memset(bytes, 0, l.end);
    for (size_t i = 0; i + 1 < PROGRAM_SECTIONS; i++) {
        e.sections[i + 1] = (struct packer){.bytes = bytes + l.table[i].offset};
    }
    put_network(&e);
    if (device) {
        memcpy(bytes + l.table[PROGRAM_SECTIONS - 1].offset, device, device_size);
    }
    for (size_t i = 0; i < l.count; i++) {
        l.table[i].crc = (uint32_t)crc32_z(0, bytes + l.table[i].offset, l.table[i].bytes);
    }
    put_header(geometry, &l, bytes);
    *data = bytes;
    *size = l.end;
cleanup:
    free(device);
    return status;
}
