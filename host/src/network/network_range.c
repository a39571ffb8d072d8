/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows from a layer's geometry and weights alone: sizes, output shapes, and the exact range
 * of its accumulator.
 *
 * The range needs the sum of the positive and the sum of the negative weights of each channel. One
 * plane gives them by counting bits. Several planes are added 64 weights at a time in bit slices:
 * slice k holds bit k of 64 two's complement sums, so that an addition is a chain of full adders
 * made of word operations, and a sum over weights is a popcount a slice. A network of 15 million
 * weights takes milliseconds this way; one weight after the other takes a hundred times longer.
 */
#include "network/network_build.h"

/* Eight planes of multipliers up to 255 sum to less than 2^11; one more bit is the sign. */
#define MAX_SLICES 12
_Static_assert(BITTERN_MAX_PLANES *NETWORK_MAX_PLANE_MULTIPLIER < 1 << (MAX_SLICES - 1),
               "a sum of planes must fit the bit slices");

size_t network_words_per_output(const struct bittern_layer *layer)
{
    switch (layer->op) {
    case BITTERN_LAYER_CONV:
        return layer->window.kernel_h * layer->window.kernel_w *
               ((layer->input.channels + 63) / 64);
    case BITTERN_LAYER_FC:
        return (layer->input.channels * layer->input.height * layer->input.width + 63) / 64;
    case BITTERN_LAYER_SUM:
        break;
    }
    return 0;
}

size_t network_fan_in(const struct bittern_layer *layer)
{
    switch (layer->op) {
    case BITTERN_LAYER_CONV:
        return layer->window.kernel_h * layer->window.kernel_w * layer->input.channels;
    case BITTERN_LAYER_FC:
        return layer->input.channels * layer->input.height * layer->input.width;
    case BITTERN_LAYER_SUM:
        break;
    }
    return layer->window.kernel_h * layer->window.kernel_w;
}

/* 0 where the kernel does not fit. */
static size_t output_side(size_t size, size_t pad, size_t kernel, size_t stride)
{
    return kernel > 0 && stride > 0 && size + pad >= kernel ? (size + pad - kernel) / stride + 1
                                                            : 0;
}

struct bittern_shape network_window_output(const struct bittern_window *window, size_t channels,
                                           size_t height, size_t width)
{
    return (struct bittern_shape){
        .channels = channels,
        .height = output_side(height, window->pad_top + window->pad_bottom, window->kernel_h,
                              window->stride_h),
        .width = output_side(width, window->pad_left + window->pad_right, window->kernel_w,
                             window->stride_w),
    };
}

/* Bits set in a word, without a call where the compiler may not assume an instruction for it. */
static inline uint64_t count_ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return x * UINT64_C(0x0101010101010101) >> 56;
}

static uint64_t count_words(const uint64_t *words, size_t count)
{
    uint64_t ones = 0;
    for (size_t i = 0; i < count; i++) {
        ones += count_ones(words[i]);
    }
    return ones;
}

/* The weights of one output channel as rows of words: each row's last word may have a tail. */
struct channel_words {
    size_t first, rows, words_per_row;
    uint64_t last_mask; /* of a row's last word */
};

static struct channel_words channel_words_of(const struct bittern_layer *layer,
                                             size_t output_channel)
{
    size_t row_bits =
        layer->op == BITTERN_LAYER_CONV ? layer->input.channels : network_fan_in(layer);
    return (struct channel_words){
        .first = output_channel * layer->weights.words_per_output,
        .rows =
            layer->op == BITTERN_LAYER_CONV ? layer->window.kernel_h * layer->window.kernel_w : 1,
        .words_per_row = (row_bits + 63) / 64,
        .last_mask = row_bits % 64 ? (UINT64_C(1) << row_bits % 64) - 1 : UINT64_MAX,
    };
}

bool network_channel_words_valid(const struct bittern_layer *layer, size_t output_channel)
{
    struct channel_words w = channel_words_of(layer, output_channel);

    for (size_t p = 0; p < layer->weights.plane_count; p++) {
        const uint64_t *plus = layer->weights.planes[p].plus + w.first;
        const uint64_t *minus =
            layer->weights.planes[p].minus ? layer->weights.planes[p].minus + w.first : NULL;
        uint64_t bad = 0;
        for (size_t row = 0; row < w.rows; row++) {
            size_t last = (row + 1) * w.words_per_row - 1;
            bad |= (plus[last] | (minus ? minus[last] : 0)) & ~w.last_mask;
        }
        for (size_t i = 0; minus && i < w.rows * w.words_per_row; i++) {
            bad |= plus[i] & minus[i];
        }
        if (bad) {
            return false;
        }
    }
    return true;
}

/* sums += 64 weights of one plane, in two's complement bit slices. */
static void add_plane(uint64_t *sums, unsigned slices, uint32_t multiplier, uint64_t plus,
                      uint64_t minus)
{
    uint32_t negated = 0 - multiplier;
    uint64_t carry = 0;

    for (unsigned k = 0; k < slices; k++) {
        uint64_t term = (plus & (0 - (uint64_t)(multiplier >> k & 1))) |
                        (minus & (0 - (uint64_t)(negated >> k & 1)));
        uint64_t half = sums[k] ^ term;
        uint64_t next_carry = (sums[k] & term) | (half & carry);
        sums[k] = half ^ carry;
        carry = next_carry;
    }
}

/* Add up the positive and the negative weights of a channel with several planes. */
static void sum_planes(const struct bittern_layer *layer, size_t output_channel, int64_t *positive,
                       int64_t *negative)
{
    const struct bittern_weights *weights = &layer->weights;
    struct channel_words w = channel_words_of(layer, output_channel);
    uint64_t slice_positive[MAX_SLICES] = {0};
    uint64_t slice_negative[MAX_SLICES] = {0};
    uint64_t total_multiplier = 0;
    unsigned slices = 1;

    for (size_t p = 0; p < weights->plane_count; p++) {
        total_multiplier += (uint64_t)weights->planes[p].multiplier;
    }
    while (total_multiplier >> (slices - 1) > 0 && slices < MAX_SLICES) {
        slices++;
    }
    for (size_t i = 0; i < w.rows * w.words_per_row; i++) {
        uint64_t sums[MAX_SLICES] = {0};
        uint64_t mask = (i + 1) % w.words_per_row == 0 ? w.last_mask : UINT64_MAX;
        for (size_t p = 0; p < weights->plane_count; p++) {
            const struct bittern_plane *plane = &weights->planes[p];
            uint64_t plus = plane->plus[w.first + i];
            uint64_t minus = plane->minus ? plane->minus[w.first + i] : ~plus & mask;
            add_plane(sums, slices, (uint32_t)plane->multiplier, plus, minus);
        }
        uint64_t sign = sums[slices - 1];
        for (unsigned k = 0; k < slices; k++) {
            slice_positive[k] += count_ones(sums[k] & ~sign);
            slice_negative[k] += count_ones(sums[k] & sign);
        }
    }
    for (unsigned k = 0; k < slices; k++) {
        int64_t weight = (int64_t)1 << k;
        *positive += weight * (int64_t)slice_positive[k];
        *negative += (k == slices - 1 ? -weight : weight) * (int64_t)slice_negative[k];
    }
}

/* Add up what one plane contributes to the positive and the negative weights of a channel. */
static void sum_plane(const struct bittern_layer *layer, size_t output_channel,
                      const struct bittern_plane *plane, int64_t *positive, int64_t *negative)
{
    size_t words = layer->weights.words_per_output;
    size_t first = output_channel * words;
    uint64_t ones = count_words(plane->plus + first, words);
    uint64_t minus_ones =
        plane->minus ? count_words(plane->minus + first, words) : network_fan_in(layer) - ones;

    *positive += plane->multiplier * (int64_t)ones;
    *negative -= plane->multiplier * (int64_t)minus_ones;
}

/* Sum of the positive and sum of the negative weights of one output channel. */
static void sum_weights(const struct bittern_layer *layer, size_t output_channel, int64_t *positive,
                        int64_t *negative)
{
    *positive = 0;
    *negative = 0;
    if (layer->op == BITTERN_LAYER_SUM) {
        *positive = (int64_t)network_fan_in(layer);
    } else if (layer->weights.plane_count > 1) {
        sum_planes(layer, output_channel, positive, negative);
    } else {
        sum_plane(layer, output_channel, &layer->weights.planes[0], positive, negative);
    }
}

static bool pads(const struct bittern_window *window)
{
    return (window->pad_top | window->pad_left | window->pad_bottom | window->pad_right) != 0;
}

/* Range of the layer's values, padding included. */
static void value_range(const struct bittern_layer *layer, int64_t *low, int64_t *high)
{
    *low = layer->input_type.minimum;
    *high = layer->input_type.maximum;
    if (layer->op != BITTERN_LAYER_FC && pads(&layer->window)) {
        *low = layer->pad_value < *low ? layer->pad_value : *low;
        *high = layer->pad_value > *high ? layer->pad_value : *high;
    }
}

void network_channel_range(const struct bittern_layer *layer, size_t output_channel,
                           int64_t *minimum, int64_t *maximum)
{
    int64_t low;
    int64_t high;
    int64_t positive;
    int64_t negative;

    value_range(layer, &low, &high);
    sum_weights(layer, output_channel, &positive, &negative);
    *maximum = positive * high + negative * low;
    *minimum = positive * low + negative * high;
}

/* No channel of any layer of these weights can have a larger |partial sum|. */
static int64_t partial_sum_bound(const struct bittern_layer *layer, int64_t low, int64_t high)
{
    int64_t weight = layer->op == BITTERN_LAYER_SUM;
    int64_t value = -low > high ? -low : high;

    for (size_t p = 0; p < layer->weights.plane_count; p++) {
        weight += layer->weights.planes[p].multiplier;
    }
    return (int64_t)network_fan_in(layer) * weight * value; /* below 2^31 * 2^11 * 2^8 */
}

bool network_partial_sums_fit(const struct bittern_layer *layer, int64_t limit)
{
    int64_t low;
    int64_t high;

    value_range(layer, &low, &high);
    low = low < 0 ? low : 0;
    high = high > 0 ? high : 0;
    if (partial_sum_bound(layer, low, high) <= limit) {
        return true;
    }
    for (size_t o = 0; o < layer->conv.channels; o++) {
        int64_t positive = layer->op == BITTERN_LAYER_SUM ? (int64_t)network_fan_in(layer) : 0;
        int64_t negative = 0;
        for (size_t p = 0; p < layer->weights.plane_count; p++) {
            sum_plane(layer, o, &layer->weights.planes[p], &positive, &negative);
        }
        if (positive * high + negative * low > limit || positive * low + negative * high < -limit) {
            return false;
        }
    }
    return true;
}
