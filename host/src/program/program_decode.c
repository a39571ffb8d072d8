/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the sections of a program file to a network whose arrays stay where they are.
 *
 * Check sums tell damage, not malice: all that is read here may be hostile. Strings and arrays must
 * lie one behind the other in the order in which the encoder puts them, so nothing overlaps,
 * nothing is left out, and no more is allocated than the layer records, which the file really
 * holds. network_validate then checks what the numbers say.
 */
#include "base/checked.h"
#include "network/network_build.h"
#include "program/program_format.h"

#include <inttypes.h>
#include <string.h>

/* How far each section has been read. */
struct decoder {
    const struct program_sections *sections;
    size_t used[PROGRAM_SECTIONS];
    bittern_status status;
    struct bittern_error *err;
};

static const void *refuse(struct decoder *d, enum program_section section, const char *why)
{
    if (d->status == BITTERN_OK) {
        d->status = bittern_error_set(d->err, BITTERN_ERR_FORMAT,
                                      "section %s at byte %zu: %s; compile the model again",
                                      program_section_name(section), d->used[section], why);
    }
    return NULL;
}

static bool all_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* The next array of a section: at the next multiple of `alignment`, with zeros in between. */
static const void *take(struct decoder *d, enum program_section section, size_t alignment,
                        uint64_t offset, size_t count, size_t item)
{
    const uint8_t *bytes = d->sections->of[section].bytes;
    size_t size = d->sections->of[section].size;
    size_t start = (d->used[section] + alignment - 1) / alignment * alignment;
    size_t length;

    if (d->status != BITTERN_OK) {
        return NULL;
    }
    if (offset != start || start > size || !checked_mul_size(count, item, &length) ||
        length > size - start) {
        return refuse(d, section, "an array does not lie in its place or does not fit");
    }
    if (!all_zero(bytes + d->used[section], start - d->used[section])) {
        return refuse(d, section, "the bytes between two arrays are not 0");
    }
    d->used[section] = start + length;
    return bytes + start;
}

static const char *take_string(struct decoder *d, uint32_t offset, bool optional)
{
    const char *strings = (const char *)d->sections->of[PROGRAM_SECTION_STRINGS].bytes;
    size_t size = d->sections->of[PROGRAM_SECTION_STRINGS].size;
    size_t start = d->used[PROGRAM_SECTION_STRINGS];

    if (d->status != BITTERN_OK || (optional && offset == PROGRAM_NONE_32)) {
        return NULL;
    }
    size_t length = strnlen(strings + start, size - start);
    if (offset != start || length == size - start) {
        return refuse(d, PROGRAM_SECTION_STRINGS, "a name does not lie in its place or has no end");
    }
    d->used[PROGRAM_SECTION_STRINGS] = start + length + 1;
    return strings + start;
}

static const void *take_parameters(struct decoder *d, uint64_t offset, size_t count, size_t item)
{
    return offset == PROGRAM_NONE_64 ? NULL
                                     : take(d, PROGRAM_SECTION_PARAMETERS, 8, offset, count, item);
}

static struct bittern_shape shape_of(const struct wire_shape *wire)
{
    return (struct bittern_shape){wire->channels, wire->height, wire->width};
}

static struct bittern_window window_of(const struct wire_window *wire)
{
    return (struct bittern_window){wire->kernel_h,   wire->kernel_w, wire->stride_h,
                                   wire->stride_w,   wire->pad_top,  wire->pad_left,
                                   wire->pad_bottom, wire->pad_right};
}

static struct bittern_value_type type_of(struct decoder *d, enum program_section section,
                                         const struct wire_value_type *wire)
{
    if (wire->is_signed > 1 || wire->reserved != 0) {
        (void)refuse(d, section, "a value type is damaged");
    }
    return (struct bittern_value_type){.kind = (enum bittern_value_kind)wire->kind,
                                       .bits = wire->bits,
                                       .is_signed = wire->is_signed != 0,
                                       .minimum = wire->minimum,
                                       .maximum = wire->maximum};
}

static void decode_weights(struct decoder *d, const struct wire_layer *wire,
                           struct bittern_layer *layer)
{
    struct bittern_weights *weights = &layer->weights;
    size_t words = 0;

    weights->kind = (enum bittern_weight_kind)wire->weight_kind;
    weights->plane_count = wire->plane_count;
    weights->words_per_output = wire->words_per_output;
    weights->bits = wire->weight_bits;
    if (wire->plane_count > BITTERN_MAX_PLANES ||
        !checked_mul_size(wire->conv.channels, wire->words_per_output, &words) ||
        !all_zero(&wire->planes[wire->plane_count],
                  (BITTERN_MAX_PLANES - wire->plane_count) * sizeof wire->planes[0])) {
        (void)refuse(d, PROGRAM_SECTION_LAYERS, "the weights of a layer are impossible");
        return;
    }
    for (size_t p = 0; p < wire->plane_count; p++) {
        const struct wire_plane *plane = &wire->planes[p];
        if (plane->reserved != 0) {
            (void)refuse(d, PROGRAM_SECTION_LAYERS, "a weight plane uses reserved bytes");
        }
        weights->planes[p].multiplier = plane->multiplier;
        weights->planes[p].plus = take(d, PROGRAM_SECTION_WEIGHTS, PROGRAM_ALIGNMENT, plane->plus,
                                       words, sizeof(uint64_t));
        if (plane->minus != PROGRAM_NONE_64) {
            weights->planes[p].minus = take(d, PROGRAM_SECTION_WEIGHTS, PROGRAM_ALIGNMENT,
                                            plane->minus, words, sizeof(uint64_t));
        }
    }
}

static void decode_parameters(struct decoder *d, const struct wire_layer *wire,
                              struct bittern_layer *layer)
{
    struct bittern_activation *a = &layer->activation;
    size_t channels = wire->conv.channels;

    a->kind = (enum bittern_activation_kind)wire->activation_kind;
    layer->inexact_count = wire->inexact_count;
    a->threshold_low = take_parameters(d, wire->threshold_low, channels, sizeof(int32_t));
    a->threshold_high = take_parameters(d, wire->threshold_high, channels, sizeof(int32_t));
    a->descending = take_parameters(d, wire->descending, channels, 1);
    a->multiplier = take_parameters(d, wire->multiplier, channels, sizeof(int32_t));
    a->offset = take_parameters(d, wire->offset, channels, sizeof(int64_t));
    a->shift = take_parameters(d, wire->shift, channels, 1);
    a->ties = take_parameters(d, wire->ties, channels, 1);
    layer->take_min = take_parameters(d, wire->take_min, channels, 1);
    layer->scale = take_parameters(d, wire->scale, channels, sizeof(double));
    layer->bias = take_parameters(d, wire->bias, channels, sizeof(double));
    layer->inexact_channels =
        take_parameters(d, wire->inexact_channels, wire->inexact_count, sizeof(uint64_t));
    layer->inexact_values =
        take_parameters(d, wire->inexact_values, wire->inexact_count, sizeof(uint64_t));
}

static void decode_pools(struct decoder *d, const struct wire_layer *wire,
                         struct bittern_layer *layer)
{
    layer->has_sum_pool = (wire->flags & PROGRAM_LAYER_SUM_POOL) != 0;
    layer->has_max_pool = (wire->flags & PROGRAM_LAYER_MAX_POOL) != 0;
    layer->sum_pool = window_of(&wire->sum_pool);
    layer->max_pool = window_of(&wire->max_pool);
    if ((wire->flags & ~(PROGRAM_LAYER_SUM_POOL | PROGRAM_LAYER_MAX_POOL)) != 0 ||
        (!layer->has_sum_pool && !all_zero(&wire->sum_pool, sizeof wire->sum_pool)) ||
        (!layer->has_max_pool && !all_zero(&wire->max_pool, sizeof wire->max_pool))) {
        (void)refuse(d, PROGRAM_SECTION_LAYERS, "a layer has unknown flags or a hidden pool");
    }
}

static void decode_layer(struct decoder *d, const struct wire_layer *wire,
                         struct bittern_layer *layer)
{
    d->used[PROGRAM_SECTION_LAYERS] += sizeof *wire;
    layer->op = (enum bittern_layer_op)wire->op;
    layer->name = take_string(d, wire->name, false);
    layer->output_name = take_string(d, wire->output_name, true);
    layer->input = shape_of(&wire->input);
    layer->conv = shape_of(&wire->conv);
    layer->output = shape_of(&wire->output);
    layer->input_type = type_of(d, PROGRAM_SECTION_LAYERS, &wire->input_type);
    layer->output_type = type_of(d, PROGRAM_SECTION_LAYERS, &wire->output_type);
    layer->window = window_of(&wire->window);
    layer->pad_value = wire->pad_value;
    layer->acc_min = wire->acc_min;
    layer->acc_max = wire->acc_max;
    decode_pools(d, wire, layer);
    decode_weights(d, wire, layer);
    decode_parameters(d, wire, layer);
    if (!all_zero(wire->reserved, sizeof wire->reserved)) {
        (void)refuse(d, PROGRAM_SECTION_LAYERS, "a layer uses reserved bytes");
    }
}

/* Nothing is left in any section. */
static void decode_end(struct decoder *d)
{
    for (uint32_t type = 1; type < PROGRAM_SECTIONS; type++) {
        if (d->used[type] != d->sections->of[type].size) {
            (void)refuse(d, (enum program_section)type, "it holds more than the network needs");
        }
    }
}

/* The NETWORK record, and as many LAYERS records as it says; d->status tells whether it is there.
 */
static struct wire_network decode_record(struct decoder *d)
{
    struct wire_network wire = {0};

    if (d->sections->of[PROGRAM_SECTION_NETWORK].size != sizeof wire) {
        (void)refuse(d, PROGRAM_SECTION_NETWORK, "its length is wrong");
        return wire;
    }
    memcpy(&wire, d->sections->of[PROGRAM_SECTION_NETWORK].bytes, sizeof wire);
    if (!all_zero(wire.reserved, sizeof wire.reserved)) {
        (void)refuse(d, PROGRAM_SECTION_NETWORK, "it uses reserved bytes");
    }
    d->used[PROGRAM_SECTION_NETWORK] = sizeof wire;
    if (wire.layer_count == 0 || wire.layer_count > NETWORK_MAX_LAYERS ||
        d->sections->of[PROGRAM_SECTION_LAYERS].size !=
            wire.layer_count * sizeof(struct wire_layer)) {
        (void)refuse(d, PROGRAM_SECTION_LAYERS, "its length does not fit the number of layers");
    }
    return wire;
}

bittern_status program_decode(const struct program_sections *sections,
                              struct bittern_network **network, struct bittern_error *err)
{
    struct decoder d = {.sections = sections, .status = BITTERN_OK, .err = err};
    struct bittern_network *n = NULL;
    struct wire_network wire = decode_record(&d);
    const char *name = take_string(&d, wire.name, false);

    *network = NULL;
    if (d.status == BITTERN_OK) {
        d.status = network_create(name, wire.layer_count, &n, err);
    }
    if (d.status != BITTERN_OK) {
        goto cleanup;
    }
    n->top_k = wire.top_k;
    n->input.name = take_string(&d, wire.input_name, false);
    n->input.shape = shape_of(&wire.input);
    n->input.type = type_of(&d, PROGRAM_SECTION_NETWORK, &wire.input_type);
    n->input.table =
        take(&d, PROGRAM_SECTION_INPUT, 8, 0, n->input.shape.channels, 256 * sizeof(int16_t));
    for (size_t i = 0; d.status == BITTERN_OK && i < wire.layer_count; i++) {
        struct wire_layer layer;
        memcpy(&layer, sections->of[PROGRAM_SECTION_LAYERS].bytes + i * sizeof layer, sizeof layer);
        decode_layer(&d, &layer, &n->layers[i]);
    }
    decode_end(&d);
    if (d.status == BITTERN_OK) {
        d.status = network_validate(n, err);
    }
    if (d.status == BITTERN_OK) {
        *network = n;
        n = NULL;
    }
cleanup:
    bittern_network_free(n);
    return d.status;
}
