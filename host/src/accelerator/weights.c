/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's part of the weight stream: tile after tile, parameters, then the planes' weights, in
 * the order in which the array takes them. On the way the constants that the array adds are found
 * and folded into thresholds and offsets, and each sum is proven to fit the hardware's widths.
 *
 * A channel's weights of one plane are spread out as bytes -1, 0, +1 first, in the order r, s, c:
 * that is the order of a convolution, of a full connection and of a gathered window alike.
 */
#include "accelerator/plan.h"
#include "network/network_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RAW_BITS 24     /* of the array's accumulator */
#define PRODUCT_BITS 50 /* of v * M + B */

struct weight_writer {
    const struct layer_form *form;
    const struct geometry *geometry;
    const struct device_layer *layer;
    int8_t *spread;             /* [kernel_h][kernel_w][channels] of one output channel */
    uint8_t *tile;              /* the tile that is being written */
    int64_t odd_halves;         /* XNOR binary: halves with an odd number of channels, one pass */
    int64_t positive, negative; /* weights above and below 0 of the spread channel */
};

/* What a channel's sums become: v = factor * a + constant. */
struct channel_fold {
    int64_t factor, constant;
    int64_t v_min, v_max;
};

/* ---- Weights of one channel ------------------------------------------------------------------ */

static size_t form_values(const struct layer_form *form)
{
    return (size_t)form->channels * form->kernel_h * form->kernel_w;
}

/* One plane of one output channel; `row_values` weights lie at the start of each row of words. */
static void spread_plane(struct weight_writer *w, uint32_t plane_index, size_t channel)
{
    const struct bittern_layer *layer = w->form->layer;
    const struct bittern_plane *plane = &layer->weights.planes[plane_index];
    bool conv = layer->op == BITTERN_LAYER_CONV;
    size_t row_values = conv ? layer->input.channels : network_fan_in(layer);
    size_t rows = conv ? layer->window.kernel_h * layer->window.kernel_w : 1;
    size_t first = channel * layer->weights.words_per_output;
    size_t row_words = (row_values + 63) / 64;
    int8_t *value = w->spread;

    w->positive = w->negative = 0;
    for (size_t row = 0; row < rows; row++, first += row_words) {
        for (size_t i = 0; i < row_values; i++) {
            unsigned plus = (unsigned)(plane->plus[first + i / 64] >> i % 64 & 1);
            unsigned minus =
                plane->minus ? (unsigned)(plane->minus[first + i / 64] >> i % 64 & 1) : 1 - plus;
            *value++ = (int8_t)((int)plus - (int)minus);
            w->positive += plus;
            w->negative += minus;
        }
    }
}

/* ---- Packing --------------------------------------------------------------------------------- */

static void set_bit(uint8_t *word, uint32_t bit)
{
    word[bit / 8] |= (uint8_t)(1U << bit % 8);
}

/* One half of a step: `count` weights of an atom at `value`; the rest of the half has no channel.
 */
static void pack_half(struct weight_writer *w, uint8_t *word, uint32_t half, uint64_t step,
                      const int8_t *value, uint32_t count)
{
    const struct geometry *g = w->geometry;
    uint32_t first = half * g->half;
    uint32_t atom = geometry_atom(g, w->form->format);

    switch (w->form->mode) {
    case BITTERN_ARRAY_BINARY: {
        /* Activations are masked to 0 in the lanes behind: half of them match, rounded up. */
        uint32_t matching = (atom - count + 1) / 2;
        for (uint32_t i = 0; i < atom; i++) {
            if (i < count ? value[i] > 0 : i - count >= matching) {
                set_bit(word, first + i);
            }
        }
        w->odd_halves += count % 2;
        break;
    }
    case BITTERN_ARRAY_TERNARY:
        for (uint32_t i = 0; i < count; i++) {
            if (value[i] != 0) {
                set_bit(word, first + i + (value[i] < 0 ? g->half / 2 : 0));
            }
        }
        break;
    case BITTERN_ARRAY_INT: {
        uint32_t lanes = g->word / 8;
        uint32_t lane = half * lanes / 2;
        uint32_t at = (uint32_t)(step % (w->form->wide ? 4 : 8)) * lanes * (w->form->wide ? 2 : 1);
        for (uint32_t i = 0; i < count; i++) {
            if (w->form->wide && value[i] != 0) {
                set_bit(word, at + lane + i);
            }
            if (value[i] < 0) {
                set_bit(word, at + lane + i + (w->form->wide ? lanes : 0));
            }
        }
        break;
    }
    }
}

/* Where the atom of a half lies among the spread weights, and how many channels it has there; 0
 * past the kernel's end. */
static size_t locate_atom(const struct weight_writer *w, uint64_t step, uint32_t half,
                          uint32_t *count)
{
    const struct layer_form *form = w->form;
    uint64_t radix = w->layer->atoms;
    uint64_t position = w->layer->dup ? 2 * step + half : step; /* in units of c */
    uint64_t c = position % radix;
    uint64_t tap = position / radix;
    uint64_t first = (w->layer->dup ? c : 2 * c + half) * geometry_atom(w->geometry, form->format);
    uint32_t atom = geometry_atom(w->geometry, form->format);

    *count = 0;
    if (tap >= (uint64_t)form->kernel_h * form->kernel_w || first >= form->channels) {
        return 0;
    }
    *count = form->channels - (uint32_t)first;
    *count = *count < atom ? *count : atom;
    return (size_t)(tap * form->channels + first);
}

static uint8_t *row_word(const struct weight_writer *w, uint64_t row, uint32_t lane)
{
    return w->tile + (row * w->geometry->oc + lane) * w->geometry->bytes;
}

static uint64_t weight_row(const struct weight_writer *w, uint32_t plane, uint64_t step)
{
    uint64_t per_row = w->form->mode != BITTERN_ARRAY_INT ? 1 : (w->form->wide ? 4 : 8);
    return w->geometry->parameter_rows + (uint64_t)plane * w->layer->rows_per_plane +
           step / per_row;
}

static void pack_plane(struct weight_writer *w, uint32_t plane, uint32_t lane)
{
    w->odd_halves = 0;
    for (uint64_t step = 0; step < w->layer->steps_per_tap; step++) {
        uint8_t *word = row_word(w, weight_row(w, plane, step), lane);
        for (uint32_t half = 0; half < 2; half++) {
            uint32_t count;
            size_t first = locate_atom(w, step, half, &count);
            bool past_end = w->layer->dup && 2 * step + half >= (uint64_t)w->layer->atoms *
                                                                    w->form->kernel_h *
                                                                    w->form->kernel_w;
            if (!past_end) {
                pack_half(w, word, half, step, w->spread + first, count);
            }
        }
    }
}

/* A sum: one weight of +1 a tap, at the place of this channel in its tile's planes. */
static void pack_one_hot(struct weight_writer *w, uint32_t tile, uint32_t lane)
{
    uint32_t atom = geometry_atom(w->geometry, w->form->format);
    uint32_t radix = w->layer->atoms;
    uint32_t place = (tile * w->geometry->oc + lane) % (2 * atom * radix);
    uint64_t taps = (uint64_t)w->form->kernel_h * w->form->kernel_w;

    for (uint64_t tap = 0; tap < taps; tap++) {
        uint64_t step = tap * radix + place / (2 * atom);
        uint32_t half = place / atom % 2;
        uint8_t *word = row_word(w, weight_row(w, 0, step), lane);
        uint32_t lanes = w->geometry->word / 8;
        set_bit(word, (uint32_t)(step % 4) * 2 * lanes + half * lanes / 2 + place % atom);
    }
    w->positive = (int64_t)taps;
    w->negative = 0;
}

/* ---- Constants and widths -------------------------------------------------------------------- */

/* Values that a tap of the layer can have, padding included. */
static void value_range(const struct bittern_layer *layer, int64_t *low, int64_t *high)
{
    *low = layer->input_type.minimum;
    *high = layer->input_type.maximum;
    *low = layer->pad_value < *low ? layer->pad_value : *low;
    *high = layer->pad_value > *high ? layer->pad_value : *high;
}

/* How often a sum pool goes over the kernel. */
static int64_t sum_passes(const struct weight_writer *w)
{
    return (int64_t)(w->layer->sum_w_less_1 + 1) * (int64_t)(w->layer->sum_h_less_1 + 1);
}

/* The constant in a plane's raw sum; w holds the plane's counts. */
static int64_t plane_constant(const struct weight_writer *w)
{
    int64_t passes = sum_passes(w);
    if (w->form->mode != BITTERN_ARRAY_INT) {
        return passes * ((int64_t)w->layer->steps_per_tap * w->geometry->word + w->odd_halves);
    }
    int64_t stored = value_is_flipped(&w->form->layer->input_type) ? 128 : 0;
    return -passes * (w->negative + stored * (w->positive - w->negative));
}

static bittern_status add_plane(struct weight_writer *w, uint32_t plane, size_t channel,
                                struct channel_fold *fold, struct bittern_error *err)
{
    int64_t passes = sum_passes(w);
    const int64_t limit = INT64_C(1) << (RAW_BITS - 1);
    int64_t multiplier = w->layer->multiplier[plane];
    int64_t constant = plane_constant(w);
    int64_t low;
    int64_t high;

    value_range(w->form->layer, &low, &high);
    int64_t raw_max = fold->factor * passes * (w->positive * high - w->negative * low) + constant;
    int64_t raw_min = fold->factor * passes * (w->positive * low - w->negative * high) + constant;
    if (raw_min < -limit || raw_max >= limit) {
        return plan_fail(w->form, err, BITTERN_ERR_RANGE,
                         "the sum of output channel %zu, plane %u, can reach %" PRId64 "..%" PRId64
                         " in the array, whose accumulators have %d bits",
                         channel, plane, raw_min, raw_max, RAW_BITS);
    }
    fold->constant += multiplier * constant;
    fold->v_min += multiplier * raw_min;
    fold->v_max += multiplier * raw_max;
    return BITTERN_OK;
}

/* v of several planes may cancel: the network's own range of the channel is the exact one. */
static bittern_status check_range(const struct weight_writer *w, size_t channel,
                                  struct channel_fold *fold, struct bittern_error *err)
{
    int64_t passes = sum_passes(w);
    int64_t minimum;
    int64_t maximum;

    if (w->layer->planes > 1) {
        network_channel_range(w->form->layer, channel, &minimum, &maximum);
        fold->v_min = fold->factor * passes * minimum + fold->constant;
        fold->v_max = fold->factor * passes * maximum + fold->constant;
    }
    if (fold->v_min <= INT32_MIN || fold->v_max >= INT32_MAX) {
        return plan_fail(w->form, err, BITTERN_ERR_RANGE,
                         "output channel %zu can reach %" PRId64 "..%" PRId64
                         " with the array's constants, which 32 bits do not hold",
                         channel, fold->v_min, fold->v_max);
    }
    return BITTERN_OK;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static void put_bits(uint8_t *bytes, uint32_t first, uint32_t count, uint64_t value)
{
    for (uint32_t i = 0; i < count; i++) {
        if (value >> i & 1) {
            set_bit(bytes, first + i);
        }
    }
}

/* A threshold on a becomes one on v; outside of v's range one as good, within 32 bits. */
static uint64_t fold_threshold(const struct channel_fold *fold, int64_t threshold)
{
    int64_t t = fold->factor * threshold + fold->constant;
    t = t < fold->v_min ? fold->v_min : t;
    t = t > fold->v_max ? fold->v_max + 1 : t;
    return (uint64_t)t;
}

static void put_thresholds(const struct weight_writer *w, size_t channel,
                           const struct channel_fold *fold, uint8_t *parameters)
{
    const struct bittern_activation *a = &w->form->layer->activation;
    int64_t descending = a->descending[channel];
    uint64_t high = fold_threshold(fold, a->threshold_high[channel] + descending);
    uint64_t low = high;

    if (a->threshold_low) {
        low = fold_threshold(fold, a->threshold_low[channel] + descending);
    }
    put_bits(parameters, 0, 32, high);
    put_bits(parameters, 32, 32, low);
    put_bits(parameters, 126, 1, (uint64_t)descending);
}

static void put_scale(const struct weight_writer *w, size_t channel,
                      const struct channel_fold *fold, uint8_t *parameters)
{
    const struct bittern_activation *a = &w->form->layer->activation;
    bool scaled = a->kind == BITTERN_ACTIVATION_SCALE;
    int64_t m = scaled ? a->multiplier[channel] : 1;
    uint64_t shift = scaled ? a->shift[channel] : 0;
    uint64_t ties = scaled && a->ties ? a->ties[channel] : BITTERN_TIES_UP;
    int64_t b = scaled ? a->offset[channel] : 0;
    /* Modulo 2^50, as the hardware computes: what matters is that the sum fits. */
    uint64_t offset = (uint64_t)(fold->factor * b) - (uint64_t)fold->constant * (uint64_t)m;

    put_bits(parameters, 0, 25, (uint64_t)m);
    put_bits(parameters, 32, 6, shift + (fold->factor == 2));
    put_bits(parameters, 38, 2, ties);
    put_bits(parameters, 64, PRODUCT_BITS, offset);
}

static void put_parameters(const struct weight_writer *w, size_t channel, uint32_t lane,
                           const struct channel_fold *fold)
{
    uint8_t parameters[16] = {0};
    const uint8_t *take_min = w->form->layer->take_min;

    if (w->form->threshold) {
        put_thresholds(w, channel, fold, parameters);
    } else {
        put_scale(w, channel, fold, parameters);
    }
    put_bits(parameters, 127, 1, take_min ? take_min[channel] : 0);
    uint32_t piece =
        w->geometry->bytes < sizeof parameters ? w->geometry->bytes : (uint32_t)sizeof parameters;
    for (uint32_t row = 0; row < w->geometry->parameter_rows; row++) {
        memcpy(row_word(w, row, lane), parameters + (size_t)row * piece, piece);
    }
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static bittern_status write_channel(struct weight_writer *w, uint32_t tile, uint32_t lane,
                                    struct bittern_error *err)
{
    size_t channel = (size_t)tile * w->geometry->oc + lane;
    struct channel_fold fold = {.factor = w->form->mode == BITTERN_ARRAY_TERNARY ? 2 : 1};
    bittern_status status = BITTERN_OK;

    for (uint32_t p = 0; status == BITTERN_OK && p < w->layer->planes; p++) {
        if (w->form->depthwise) {
            pack_one_hot(w, tile, lane);
        } else {
            spread_plane(w, p, channel);
            pack_plane(w, p, lane);
        }
        status = add_plane(w, p, channel, &fold, err);
    }
    if (status == BITTERN_OK) {
        status = check_range(w, channel, &fold, err);
    }
    if (status == BITTERN_OK) {
        put_parameters(w, channel, lane, &fold);
    }
    return status;
}

bittern_status weights_write(const struct layer_form *form, const struct geometry *geometry,
                             const struct device_layer *layer, uint8_t *stream,
                             struct bittern_error *err)
{
    struct weight_writer w = {.form = form, .geometry = geometry, .layer = layer, .tile = stream};
    size_t tile_bytes = (size_t)layer->rows_per_tile * geometry->oc * geometry->bytes;
    size_t channels = form->layer->conv.channels;
    bittern_status status = BITTERN_OK;

    int8_t *spread = calloc(form_values(form), 1);
    if (!spread) {
        return plan_fail(form, err, BITTERN_ERR_MEMORY, "no memory for its weights");
    }
    w.spread = spread;
    memset(stream, 0, tile_bytes * layer->tiles);
    for (size_t o = 0; status == BITTERN_OK && o < channels; o++) {
        w.tile = stream + o / geometry->oc * tile_bytes;
        status = write_channel(&w, (uint32_t)(o / geometry->oc), (uint32_t)(o % geometry->oc), err);
    }
    free(spread);
    return status;
}
