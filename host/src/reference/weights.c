/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights from the network's order, [output channel][tap][word], into a kernel's: output channels
 * side by side, so that a vector holds the same inputs' weights of many of them.
 */
#include "base/checked.h"
#include "reference/plan.h"
#include <string.h>

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

/* One output channel's bits of one plane; `out` is its lane's first unit, `step` bytes apart. */
static void pack_bits(const struct reference_layer *plan, const uint64_t *words, size_t channel,
                      uint8_t *out, size_t step)
{
    size_t taps = plan->window.kernel_h * plan->window.kernel_w;
    size_t units = 64 / plan->lanes.unit; /* a word */
    uint64_t mask = plan->lanes.unit == 64 ? UINT64_MAX : (UINT64_C(1) << plan->lanes.unit) - 1;
    for (size_t tap = 0; tap < taps; ++tap) {
        for (size_t w = 0; w < plan->input.words; ++w) {
            uint64_t word = tap_word(plan->layer, words, channel, tap, w);
            for (size_t u = 0; u < units; ++u, out += step) {
                uint64_t bits = word >> (u * plan->lanes.unit) & mask;
                memcpy(out, &bits, plan->lanes.bytes); /* little-endian */
            }
        }
    }
}

/* One output channel's weights as signed bytes; rows of the window start at a unit each. */
static void pack_ints(const struct reference_layer *plan, const struct bittern_plane *plane,
                      size_t channel, uint8_t *out, size_t step)
{
    size_t channels = plan->layer->input.channels;
    size_t row_values = plan->window.kernel_w * channels;
    size_t unit = plan->lanes.unit;
    for (size_t row = 0; row < plan->window.kernel_h; ++row) {
        for (size_t i = 0; i < row_values; ++i) {
            size_t tap = row * plan->window.kernel_w + i / channels;
            size_t c = i % channels;
            uint64_t bit = UINT64_C(1) << (c % 64);
            int plus = (tap_word(plan->layer, plane->plus, channel, tap, c / 64) & bit) != 0;
            int minus = plane->minus
                            ? (tap_word(plan->layer, plane->minus, channel, tap, c / 64) & bit) != 0
                            : !plus;
            out[i / unit * step + i % unit] = (uint8_t)(plus - minus);
        }
        out += (row_values + unit - 1) / unit * step;
    }
}

bool reference_pack_weights(const struct reference_layer *plan, const struct bittern_plane *plane,
                            struct reference_plane *out)
{
    const struct reference_lanes *lanes = &plan->lanes;
    size_t outputs = plan->layer->conv.channels;
    size_t blocks = (outputs + lanes->lanes - 1) / lanes->lanes;
    bool is_int = plan->input.kind == BITTERN_VALUE_INT;
    size_t sides = !is_int && plane->minus ? 2 : 1; /* plus and minus */
    size_t units = plan->window.kernel_h;
    if (is_int) {
        units *=
            (plan->window.kernel_w * plan->layer->input.channels + lanes->unit - 1) / lanes->unit;
    } else {
        units *= plan->window.kernel_w * plan->input.words * (64 / lanes->unit);
    }
    size_t block_bytes;
    if (!checked_mul_size(units, sides * lanes->lanes * lanes->bytes, &block_bytes)) {
        return false;
    }
    out->multiplier = plane->multiplier;
    out->group_bytes = block_bytes * lanes->blocks;
    out->weights = reference_allocate(blocks, block_bytes);
    if (!out->weights) {
        return false;
    }
    for (size_t o = 0; o < outputs; ++o) {
        size_t group = o / plan->group_channels;
        size_t group_blocks = blocks - group * lanes->blocks;
        group_blocks = group_blocks < lanes->blocks ? group_blocks : lanes->blocks;
        size_t side_bytes = group_blocks * lanes->lanes * lanes->bytes;
        uint8_t *lane =
            out->weights + group * out->group_bytes + o % plan->group_channels * lanes->bytes;
        if (is_int) {
            pack_ints(plan, plane, o, lane, side_bytes);
            continue;
        }
        pack_bits(plan, plane->plus, o, lane, sides * side_bytes);
        if (plane->minus) {
            pack_bits(plan, plane->minus, o, lane + side_bytes, sides * side_bytes);
        }
    }
    return true;
}
