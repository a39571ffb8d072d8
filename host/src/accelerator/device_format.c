/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of the device program's records: a table of where each lies serves writing, reading and
 * checking, so that the three cannot differ.
 */
#include "accelerator/device_format.h"

#include <string.h>

struct field {
    const char *name;
    uint16_t offset; /* in the C struct, of 32 bits */
    uint8_t word, low, bits;
    bool is_signed;
};

#define HEADER(member, word, low, bits)                                                            \
    {                                                                                              \
#member, (uint16_t)offsetof(struct device_header, member), word, low, bits, false          \
    }
#define SEGMENT(member, word, low, bits)                                                           \
    {                                                                                              \
#member, (uint16_t)offsetof(struct device_segment, member), word, low, bits, false         \
    }
#define LAYER(member, word, low, bits)                                                             \
    {                                                                                              \
#member, (uint16_t)offsetof(struct device_layer, member), word, low, bits, false           \
    }
#define SIGNED(member, word, low, bits)                                                            \
    {                                                                                              \
#member, (uint16_t)offsetof(struct device_layer, member), word, low, bits, true            \
    }

static const struct field header_fields[] = {
    HEADER(magic, 0, 0, 32),
    HEADER(version, 1, 0, 32),
    HEADER(word, 2, 0, 32),
    HEADER(oc, 3, 0, 32),
    HEADER(px, 4, 0, 32),
    HEADER(units, 5, 0, 32),
    HEADER(feature_bytes, 6, 0, 32),
    HEADER(weight_bytes, 7, 0, 32),
    HEADER(segments, 8, 0, 32),
    HEADER(descriptors, 9, 0, 32),
    HEADER(input_bytes, 10, 0, 32),
    HEADER(scratch_bytes, 11, 0, 32),
    HEADER(output_bytes, 12, 0, 32),
};

static const struct field segment_fields[] = {
    SEGMENT(type, 0, 0, 32),          SEGMENT(layers, 1, 0, 32),
    SEGMENT(sub_batch, 2, 0, 32),     SEGMENT(weight_offset, 3, 0, 32),
    SEGMENT(weight_beats, 4, 0, 32),  SEGMENT(weight_sum, 5, 0, 32),
    SEGMENT(load_source, 6, 0, 32),   SEGMENT(load_offset, 7, 0, 32),
    SEGMENT(load_stride, 8, 0, 32),   SEGMENT(load_words, 9, 0, 32),
    SEGMENT(load_base, 10, 0, 32),    SEGMENT(load_pitch, 11, 0, 32),
    SEGMENT(store_words, 12, 0, 32),  SEGMENT(store_base, 13, 0, 32),
    SEGMENT(store_pitch, 14, 0, 32),  SEGMENT(store_offset, 15, 0, 32),
    SEGMENT(store_stride, 16, 0, 32),
};

static const struct field layer_fields[] = {
    LAYER(type, 0, 0, 32),
    LAYER(is_int, 1, 0, 1),
    LAYER(ternary, 1, 1, 1),
    LAYER(dup, 1, 2, 1),
    LAYER(wide, 1, 3, 1),
    LAYER(wait_input, 1, 4, 1),
    LAYER(free_input, 1, 5, 1),
    LAYER(result, 1, 6, 1),
    LAYER(pool, 1, 7, 1),
    LAYER(pair, 1, 8, 1),
    LAYER(in_phase, 1, 9, 1),
    LAYER(odd_lo, 1, 10, 1),
    LAYER(odd_hi, 1, 11, 1),
    LAYER(threshold, 1, 12, 1),
    LAYER(clamp, 1, 13, 1),
    LAYER(flip, 1, 14, 1),
    LAYER(out_format, 1, 16, 2),
    LAYER(out_dup, 1, 18, 1),
    LAYER(out_phase, 1, 19, 1),
    LAYER(planes, 2, 0, 4),
    LAYER(multiplier[0], 3, 0, 8),
    LAYER(multiplier[1], 3, 8, 8),
    LAYER(multiplier[2], 3, 16, 8),
    LAYER(multiplier[3], 3, 24, 8),
    LAYER(multiplier[4], 4, 0, 8),
    LAYER(multiplier[5], 4, 8, 8),
    LAYER(multiplier[6], 4, 16, 8),
    LAYER(multiplier[7], 4, 24, 8),
    LAYER(tiles, 5, 0, 16),
    LAYER(lanes, 6, 0, 8),
    LAYER(window_w, 7, 0, 16),
    LAYER(window_h, 7, 16, 16),
    LAYER(out_width, 8, 0, 16),
    LAYER(out_height, 8, 16, 16),
    LAYER(lane_wx, 9, 0, 16),
    LAYER(lane_wy, 9, 16, 16),
    LAYER(lane_px, 10, 0, 16),
    LAYER(lane_py, 10, 16, 16),
    LAYER(lane_n, 11, 0, 16),
    LAYER(pool_stride_x, 12, 0, 8),
    LAYER(pool_stride_y, 12, 8, 8),
    LAYER(pool_left, 12, 16, 8),
    LAYER(pool_top, 12, 24, 8),
    LAYER(conv_width, 13, 0, 16),
    LAYER(conv_height, 13, 16, 16),
    LAYER(stride_x, 14, 0, 8),
    LAYER(stride_y, 14, 8, 8),
    LAYER(pad_left, 14, 16, 8),
    LAYER(pad_top, 14, 24, 8),
    LAYER(in_width, 15, 0, 16),
    LAYER(in_height, 15, 16, 16),
    LAYER(in_base, 16, 0, 32),
    LAYER(in_row_pitch, 17, 0, 32),
    LAYER(in_image_pitch, 18, 0, 32),
    LAYER(in_plane_pitch, 19, 0, 32),
    LAYER(in_column_phase, 20, 0, 32),
    LAYER(in_row_phase, 21, 0, 32),
    LAYER(atoms, 22, 0, 16),
    LAYER(kernel_w, 23, 0, 16),
    LAYER(kernel_h, 23, 16, 16),
    LAYER(sum_w_less_1, 24, 0, 8),
    LAYER(sum_h_less_1, 24, 8, 8),
    LAYER(sum_stride_x, 24, 16, 8),
    LAYER(sum_stride_y, 24, 24, 8),
    LAYER(steps_per_tap, 25, 0, 16),
    LAYER(step_c, 26, 0, 16),
    LAYER(step_s, 26, 16, 8),
    LAYER(step_r, 26, 24, 8),
    LAYER(hi_c, 27, 0, 16),
    LAYER(hi_s, 27, 16, 8),
    LAYER(hi_r, 27, 24, 8),
    LAYER(tile_step, 28, 0, 32),
    LAYER(tile_shift, 29, 0, 5),
    LAYER(pad, 30, 0, 8),
    LAYER(rows_per_plane, 31, 0, 16),
    LAYER(rows_per_tile, 31, 16, 16),
    LAYER(lane_mask[0], 32, 0, 32),
    LAYER(lane_mask[1], 33, 0, 32),
    LAYER(lane_mask[2], 34, 0, 32),
    LAYER(lane_mask[3], 35, 0, 32),
    LAYER(lane_mask[4], 36, 0, 32),
    LAYER(lane_mask[5], 37, 0, 32),
    LAYER(lane_mask[6], 38, 0, 32),
    LAYER(lane_mask[7], 39, 0, 32),
    LAYER(out_base, 40, 0, 32),
    LAYER(out_row_pitch, 41, 0, 32),
    LAYER(out_image_pitch, 42, 0, 32),
    LAYER(out_plane_pitch, 43, 0, 32),
    LAYER(out_column_phase, 44, 0, 32),
    LAYER(out_row_phase, 45, 0, 32),
    LAYER(column_offset, 46, 0, 1),
    LAYER(row_offset, 46, 8, 1),
    LAYER(writes, 47, 0, 8),
    LAYER(tiles_per_plane_log2, 47, 8, 8),
    LAYER(window_size, 48, 0, 16),
    SIGNED(clamp_minimum, 49, 0, 16),
    SIGNED(clamp_maximum, 49, 16, 16),
    LAYER(result_stride, 50, 0, 32),
    LAYER(results_per_image, 51, 0, 32),
    LAYER(number, 52, 0, 32),
    LAYER(ideal_cycles, 53, 0, 32),
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

uint32_t device_sum(const uint8_t *data, size_t bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        uint32_t word;
        memcpy(&word, data + i, sizeof word); /* the library is little-endian only */
        sum = (sum << 1 | sum >> 31) ^ word;
    }
    return sum;
}

static uint32_t mask_of(unsigned bits)
{
    return bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
}

/* The value's bits in the field, or false where they are too many. */
static bool fit(const struct field *field, uint32_t value, uint32_t *bits)
{
    *bits = value & mask_of(field->bits);
    if (!field->is_signed) {
        return *bits == value;
    }
    int32_t number = (int32_t)value;
    int32_t limit = (int32_t)(UINT32_C(1) << (field->bits - 1)); /* of 16 bits */
    return number >= -limit && number < limit;
}

static const char *write_record(const struct field *fields, size_t count, const void *record,
                                uint8_t *bytes)
{
    uint32_t words[DEVICE_RECORD_WORDS] = {0};
    const char *wrong = NULL;

    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        uint32_t bits;
        memcpy(&value, (const char *)record + fields[i].offset, sizeof value);
        if (!fit(&fields[i], value, &bits) && !wrong) {
            wrong = fields[i].name;
        }
        words[fields[i].word] |= bits << fields[i].low;
    }
    memcpy(bytes, words, sizeof words);
    words[DEVICE_RECORD_WORDS - 1] = device_sum(bytes, sizeof words - sizeof words[0]);
    memcpy(bytes, words, sizeof words);
    return wrong;
}

static bool read_record(const struct field *fields, size_t count, const uint8_t *bytes,
                        void *record)
{
    uint32_t words[DEVICE_RECORD_WORDS];
    uint32_t rest[DEVICE_RECORD_WORDS];

    memcpy(words, bytes, sizeof words);
    memcpy(rest, bytes, sizeof rest);
    for (size_t i = 0; i < count; i++) {
        const struct field *field = &fields[i];
        uint32_t mask = mask_of(field->bits);
        uint32_t value = words[field->word] >> field->low & mask;
        if (field->is_signed && (value >> (field->bits - 1) & 1) != 0) {
            value |= ~mask;
        }
        rest[field->word] &= ~(mask << field->low);
        memcpy((char *)record + field->offset, &value, sizeof value);
    }
    uint32_t any = 0;
    for (size_t i = 0; i + 1 < DEVICE_RECORD_WORDS; i++) {
        any |= rest[i];
    }
    return any == 0 &&
           words[DEVICE_RECORD_WORDS - 1] == device_sum(bytes, sizeof words - sizeof words[0]);
}

const char *device_header_write(const struct device_header *header, uint8_t *bytes)
{
    return write_record(header_fields, COUNT(header_fields), header, bytes);
}

const char *device_segment_write(const struct device_segment *segment, uint8_t *bytes)
{
    return write_record(segment_fields, COUNT(segment_fields), segment, bytes);
}

const char *device_layer_write(const struct device_layer *layer, uint8_t *bytes)
{
    return write_record(layer_fields, COUNT(layer_fields), layer, bytes);
}

bool device_header_read(const uint8_t *bytes, struct device_header *header)
{
    return read_record(header_fields, COUNT(header_fields), bytes, header);
}

bool device_segment_read(const uint8_t *bytes, struct device_segment *segment)
{
    return read_record(segment_fields, COUNT(segment_fields), bytes, segment);
}

bool device_layer_read(const uint8_t *bytes, struct device_layer *layer)
{
    return read_record(layer_fields, COUNT(layer_fields), bytes, layer);
}

enum bittern_array_mode device_layer_mode(const struct device_layer *layer)
{
    if (layer->is_int) {
        return BITTERN_ARRAY_INT;
    }
    return layer->ternary ? BITTERN_ARRAY_TERNARY : BITTERN_ARRAY_BINARY;
}

const char *bittern_array_mode_name(enum bittern_array_mode mode)
{
    switch (mode) {
    case BITTERN_ARRAY_BINARY:
        return "binary";
    case BITTERN_ARRAY_TERNARY:
        return "ternary";
    case BITTERN_ARRAY_INT:
        return "int";
    }
    return "unknown";
}

uint64_t device_layer_steps(const struct device_layer *layer)
{
    return (uint64_t)layer->planes * (layer->sum_w_less_1 + 1) * (layer->sum_h_less_1 + 1) *
           layer->steps_per_tap;
}

uint64_t device_layer_groups(const struct device_layer *layer, uint32_t images)
{
    uint64_t pixels = (uint64_t)layer->window_size * layer->out_width * layer->out_height * images;
    return (pixels + layer->lanes - 1) / layer->lanes;
}

bool device_layer_can_pair(const struct device_layer *layer)
{
    return layer->threshold && layer->planes == 1 && layer->writes == 1 && !layer->result &&
           layer->lanes >= 2 && (!layer->pool || layer->window_size % 2 == 0);
}

void device_layer_set_lanes(struct device_layer *layer, uint32_t lanes)
{
    uint32_t rest = lanes;

    layer->lanes = lanes;
    layer->lane_wx = rest % layer->window_w;
    rest /= layer->window_w;
    layer->lane_wy = rest % layer->window_h;
    rest /= layer->window_h;
    layer->lane_px = rest % layer->out_width;
    rest /= layer->out_width;
    layer->lane_py = rest % layer->out_height;
    layer->lane_n = rest / layer->out_height;
}
