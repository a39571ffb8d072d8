/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights from the network's order, [output channel][tap][word], into a kernel's: output channels
 * side by side, so that a vector holds the same inputs' weights of many of them.
 */
#include "base/checked.h"
#include "reference/plan.h"
#include <string.h>

/* Values that pack_ints takes at once of each channel of a group: a cache line of each sign of each
 * plane, and not more bytes than the cache holds. */
enum { PACK_VALUES = 512 };

/* Up to 64 weights of one output channel from input channel 64 * word of a tap on. */
static uint64_t tap_word(const struct bittern_layer *layer, const uint64_t *words,
                         size_t output_channel, size_t tap, size_t word)
{
    const uint64_t *row = words + output_channel * layer->weights.words_per_output;
    size_t channels = layer->input.channels;
    if (layer->op == BITTERN_LAYER_CONV) {
        return row[tap * ((channels + 63) / 64) + word];
    }
    /* Full connection: taps follow each other bit by bit. */
    size_t first = tap * channels + 64 * word;
    size_t count = channels - 64 * word < 64 ? channels - 64 * word : 64;
    uint64_t bits = row[first / 64] >> (first % 64);
    if (first % 64 + count > 64) {
        bits |= row[first / 64 + 1] << (64 - first % 64);
    }
    return count < 64 ? bits & ((UINT64_C(1) << count) - 1) : bits;
}

int64_t reference_weight_sum(const struct bittern_layer *layer, const struct bittern_plane *plane,
                             size_t output_channel)
{
    const size_t words = layer->weights.words_per_output;
    const uint64_t *plus = plane->plus + output_channel * words;
    const uint64_t *minus = plane->minus ? plane->minus + output_channel * words : NULL;
    int64_t sum = 0;
    int64_t negative = 0;
    for (size_t i = 0; i < words; ++i) {
        sum += __builtin_popcountll(plus[i]);
        negative += minus ? __builtin_popcountll(minus[i]) : 0;
    }
    if (!minus) {
        int64_t count = (int64_t)layer->input.channels;
        count *= layer->op == BITTERN_LAYER_FC
                     ? (int64_t)(layer->input.height * layer->input.width)
                     : (int64_t)(layer->window.kernel_h * layer->window.kernel_w);
        negative = count - sum;
    }
    return sum - negative;
}

/* Up to 64 of the values that a window reads from one row, taps side by side, from value `first`
 * on; bits past the row's end are 0. */
static uint64_t row_word(const struct reference_layer *plan, const uint64_t *words,
                         size_t output_channel, size_t row, size_t first)
{
    size_t channels = plan->layer->input.channels;
    size_t end = plan->window.kernel_w * channels - first;
    uint64_t bits = 0;
    end = end < 64 ? end : 64;
    for (size_t filled = 0; filled < end;) {
        size_t tap = row * plan->window.kernel_w + (first + filled) / channels;
        size_t channel = (first + filled) % channels;
        size_t count = 64 - channel % 64;
        count = count < channels - channel ? count : channels - channel;
        uint64_t word = tap_word(plan->layer, words, output_channel, tap, channel / 64);
        bits |= word >> (channel % 64) << filled;
        filled += count;
    }
    return end < 64 ? bits & ((UINT64_C(1) << end) - 1) : bits;
}

/* Each bit of a byte in a byte of its own. Seven copies, seven bits apart, do not overlap. */
static inline uint64_t spread_bits(uint64_t byte)
{
    return ((byte & 127) * UINT64_C(0x0002040810204081) & UINT64_C(0x0101010101010101)) |
           byte >> 7 << 56;
}

/* Weights of up to 64 values of a row as signed bytes, 0 past its end: the sum of all planes. The
 * multipliers add up to at most 127, so that no byte carries into the next. */
static void expand_row_word(const struct reference_layer *plan, const struct bittern_plane *planes,
                            size_t count, size_t output_channel, size_t row, size_t first,
                            uint8_t *out)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t positive[8] = {0};
    uint64_t negative[8] = {0};
    size_t end = plan->window.kernel_w * plan->layer->input.channels - first;
    uint64_t valid = end < 64 ? (UINT64_C(1) << end) - 1 : UINT64_MAX;
    for (size_t p = 0; p < count; ++p) {
        uint64_t multiplier = count == 1 ? 1 : (uint64_t)planes[p].multiplier;
        uint64_t plus = row_word(plan, planes[p].plus, output_channel, row, first);
        uint64_t minus = planes[p].minus
                             ? row_word(plan, planes[p].minus, output_channel, row, first)
                             : ~plus & valid;
        for (size_t i = 0; i < 8; ++i) {
            positive[i] += spread_bits(plus >> (8 * i) & 255) * multiplier;
            negative[i] += spread_bits(minus >> (8 * i) & 255) * multiplier;
        }
    }
    for (size_t i = 0; i < 8; ++i) {
        uint64_t difference = ((positive[i] | high_bits) - negative[i]) ^ high_bits;
        memcpy(out + 8 * i, &difference, sizeof difference); /* little-endian */
    }
}

/* Units side by side into their places, `step` bytes apart. */
static inline void scatter_units(uint8_t *out, size_t step, const uint8_t *units, size_t count,
                                 size_t bytes)
{
    for (size_t u = 0; u < count; ++u) {
        memcpy(out + u * step, units + u * bytes, bytes);
    }
}

/* Where the weights of one group of output channels go. */
struct group {
    size_t first, channels; /* output channels */
    size_t side_bytes;      /* a unit of all channels, of one sign */
    uint8_t *weights;
};

/* Values of one or two bits: word by word for all channels of the group, so that what is written
 * stays in the cache until its lines are full. */
static void pack_bits(const struct reference_layer *plan, const struct bittern_plane *plane,
                      const struct group *group)
{
    const struct reference_lanes *lanes = &plan->lanes;
    const uint64_t *signs[] = {plane->plus, plane->minus};
    size_t sides = plane->minus ? 2 : 1;
    size_t step = sides * group->side_bytes;
    size_t taps = plan->window.kernel_h * plan->window.kernel_w;
    size_t units = 64 / lanes->unit; /* a word */
    uint8_t *out = group->weights;
    for (size_t i = 0; i < taps * plan->input.words; ++i, out += units * step) {
        for (size_t c = 0; c < sides * group->channels; ++c) {
            size_t side = c / group->channels;
            size_t lane = c % group->channels;
            uint64_t word = tap_word(plan->layer, signs[side], group->first + lane,
                                     i / plan->input.words, i % plan->input.words);
            uint8_t *to = out + side * group->side_bytes + lane * lanes->bytes;
            if (lanes->unit == 64) {
                memcpy(to, &word, sizeof word); /* little-endian */
                continue;
            }
            for (size_t u = 0; u < units; ++u, word >>= lanes->unit) {
                to[u * step] = (uint8_t)(word & ((1U << lanes->unit) - 1));
            }
        }
    }
}

/* Integers: rows of the window start at a unit each. */
static void pack_ints(const struct reference_layer *plan, const struct bittern_plane *planes,
                      size_t count, const struct group *group)
{
    size_t row_values = plan->window.kernel_w * plan->layer->input.channels;
    size_t unit = plan->lanes.unit;
    size_t step = group->side_bytes;
    uint8_t *out = group->weights;
    for (size_t row = 0; row < plan->window.kernel_h; ++row) {
        for (size_t first = 0; first < row_values; first += PACK_VALUES) {
            size_t end = row_values - first < PACK_VALUES ? row_values : first + PACK_VALUES;
            for (size_t c = 0; c < group->channels; ++c) {
                uint8_t *to = out + c * unit;
                for (size_t i = first; i < end; i += 64) {
                    uint8_t bytes[64];
                    size_t units = ((end - i < 64 ? end - i : 64) + unit - 1) / unit;
                    expand_row_word(plan, planes, count, group->first + c, row, i, bytes);
                    if (unit == 1) {
                        scatter_units(to, step, bytes, units, 1);
                    } else {
                        scatter_units(to, step, bytes, units, 4);
                    }
                    to += units * step;
                }
            }
            out += (end - first + unit - 1) / unit * step;
        }
    }
}

/* Units that a window takes. */
static size_t window_units(const struct reference_layer *plan)
{
    size_t unit = plan->lanes.unit;
    if (plan->input.kind == BITTERN_VALUE_INT) {
        size_t row_values = plan->window.kernel_w * plan->layer->input.channels;
        return plan->window.kernel_h * ((row_values + unit - 1) / unit);
    }
    return plan->window.kernel_h * plan->window.kernel_w * plan->input.words * (64 / unit);
}

bool reference_pack_weights(const struct reference_layer *plan, const struct bittern_plane *planes,
                            size_t count, struct reference_plane *out)
{
    const struct reference_lanes *lanes = &plan->lanes;
    size_t outputs = plan->layer->conv.channels;
    size_t blocks = (outputs + lanes->lanes - 1) / lanes->lanes;
    bool is_int = plan->input.kind == BITTERN_VALUE_INT;
    size_t sides = !is_int && planes[0].minus ? 2 : 1; /* plus and minus */
    size_t block_bytes;
    if (!checked_mul_size(window_units(plan), sides * lanes->lanes * lanes->bytes, &block_bytes)) {
        return false;
    }
    out->multiplier = count == 1 ? planes[0].multiplier : 1;
    out->group_bytes = block_bytes * lanes->blocks;
    out->weights = reference_allocate(blocks, block_bytes);
    if (!out->weights) {
        return false;
    }
    for (size_t first = 0; first < blocks; first += lanes->blocks) {
        size_t group_blocks = blocks - first < lanes->blocks ? blocks - first : lanes->blocks;
        struct group group = {.first = first * lanes->lanes,
                              .channels = outputs - first * lanes->lanes,
                              .side_bytes = group_blocks * lanes->lanes * lanes->bytes,
                              .weights = out->weights + first * block_bytes};
        group.channels =
            group.channels < plan->group_channels ? group.channels : plan->group_channels;
        if (is_int) {
            pack_ints(plan, planes, count, &group);
        } else {
            pack_bits(plan, planes, &group);
        }
    }
    return true;
}
