/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of network_validate that looks into a layer's arrays: activations, weight bits and the
 * ranges that follow from them, and the real numbers that outputs stand for. Windows and shapes
 * were checked before, so every array has a known size.
 */
#include "network/network_check.h"

#include <inttypes.h>
#include <math.h>

/* Arrays that the activation needs are there, and no others. */
bittern_status network_check_activation_arrays(const struct network_check *c)
{
    const struct bittern_activation *a = &c->layer->activation;
    bool low = false;
    bool high = false;
    bool scale = false;
    enum bittern_value_kind kind;

    switch (a->kind) {
    case BITTERN_ACTIVATION_NONE:
        kind = BITTERN_VALUE_ACC;
        break;
    case BITTERN_ACTIVATION_SIGN:
        kind = BITTERN_VALUE_BINARY;
        high = true;
        break;
    case BITTERN_ACTIVATION_TERNARY:
        kind = BITTERN_VALUE_TERNARY;
        high = low = true;
        break;
    case BITTERN_ACTIVATION_SCALE:
        kind = BITTERN_VALUE_INT;
        scale = true;
        break;
    default:
        return network_fail(c, BITTERN_ERR_FORMAT, "its activation is of no known kind");
    }
    if (c->layer->output_type.kind != kind) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its activation (%s) does not give %s values",
                            bittern_activation_kind_name(a->kind),
                            bittern_value_kind_name(c->layer->output_type.kind));
    }
    if (!a->threshold_low == low || !a->threshold_high == high || !a->descending == high ||
        !a->multiplier == scale || !a->offset == scale || !a->shift == scale ||
        (a->ties && !scale)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "its activation (%s) lacks a table, or has one that it does not use",
                            bittern_activation_kind_name(a->kind));
    }
    if (a->kind == BITTERN_ACTIVATION_NONE &&
        (c->layer->has_max_pool || c->index + 1 != c->network->layer_count)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "only the last layer may return accumulators, and without a max pool");
    }
    return BITTERN_OK;
}

/* SIGN and TERNARY, one channel; [minimum, maximum] is the range of its acc. */
static bittern_status check_thresholds(const struct network_check *c, size_t channel,
                                       int64_t minimum, int64_t maximum)
{
    const struct bittern_activation *a = &c->layer->activation;
    uint8_t descending = a->descending[channel];
    int32_t high = a->threshold_high[channel];

    if (descending > 1) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "channel %zu: the activation's direction is neither 0 nor 1", channel);
    }
    if (a->kind != BITTERN_ACTIVATION_TERNARY) {
        return BITTERN_OK;
    }
    int32_t low = a->threshold_low[channel];
    if (descending ? high > low : low > high) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "channel %zu: its thresholds low %d and high %d are in the wrong order",
                            channel, low, high);
    }
    const struct bittern_value_type *type = &c->layer->output_type;
    bool gives_minus = descending ? maximum > low : minimum < low;
    bool gives_plus = descending ? minimum <= high : maximum >= high;
    if ((gives_minus && type->minimum > -1) || (gives_plus && type->maximum < 1)) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "channel %zu: it can leave the output's range %d..%d", channel,
                            type->minimum, type->maximum);
    }
    return BITTERN_OK;
}

/* SCALE, one channel: M, B and S in range, and acc * M + B at both ends of the layer's range. */
static bittern_status check_scale(const struct network_check *c, size_t channel)
{
    const struct bittern_activation *a = &c->layer->activation;
    const int64_t limit = INT64_C(1) << (NETWORK_PRODUCT_BITS - 1);
    int64_t m = a->multiplier[channel];
    int64_t b = a->offset[channel];

    if (m < -NETWORK_MAX_MULTIPLIER || m > NETWORK_MAX_MULTIPLIER ||
        a->shift[channel] > NETWORK_MAX_SHIFT || b < -limit || b >= limit) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "channel %zu: M = %" PRId64 ", B = %" PRId64
                            ", S = %u is outside of |M| <= %d, "
                            "%d bits for B, S <= %d",
                            channel, m, b, a->shift[channel], NETWORK_MAX_MULTIPLIER,
                            NETWORK_PRODUCT_BITS, NETWORK_MAX_SHIFT);
    }
    if (a->ties && (a->ties[channel] > BITTERN_TIES_ODD ||
                    (a->ties[channel] != BITTERN_TIES_UP && a->shift[channel] == 0))) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "channel %zu: there is no rule %u for ties with S = %u", channel,
                            a->ties[channel], a->shift[channel]);
    }
    int64_t first = c->layer->acc_min * m + b;
    int64_t last = c->layer->acc_max * m + b;
    if (first < -limit || first >= limit || last < -limit || last >= limit) {
        return network_fail(
            c, BITTERN_ERR_RANGE,
            "channel %zu: acc * %" PRId64 " + %" PRId64 " leaves %d bits for acc in %d..%d",
            channel, m, b, NETWORK_PRODUCT_BITS, c->layer->acc_min, c->layer->acc_max);
    }
    return BITTERN_OK;
}

static bittern_status fail_width(const struct network_check *c, int64_t minimum, int64_t maximum)
{
    return network_fail(c, BITTERN_ERR_RANGE,
                        "its accumulator can reach %" PRId64 "..%" PRId64
                        ", which 32 bits do not hold",
                        minimum, maximum);
}

/* Weight bits, ranges and thresholds, channel by channel; then the layer's range. */
bittern_status network_check_channels(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    enum bittern_activation_kind kind = layer->activation.kind;
    int64_t window =
        layer->has_sum_pool ? (int64_t)(layer->sum_pool.kernel_h * layer->sum_pool.kernel_w) : 1;
    int64_t acc_min = INT64_MAX;
    int64_t acc_max = INT64_MIN;
    bittern_status status = BITTERN_OK;

    for (size_t o = 0; o < layer->conv.channels; o++) {
        int64_t minimum;
        int64_t maximum;
        if (!network_channel_words_valid(layer, o)) {
            return network_fail(
                c, BITTERN_ERR_FORMAT,
                "channel %zu: weight bits are set behind the last input, or in both halves "
                "of a ternary plane",
                o);
        }
        network_channel_range(layer, o, &minimum, &maximum);
        if (minimum < INT32_MIN || maximum > INT32_MAX) {
            return fail_width(c, minimum, maximum); /* before it is multiplied once more */
        }
        minimum *= window;
        maximum *= window;
        acc_min = minimum < acc_min ? minimum : acc_min;
        acc_max = maximum > acc_max ? maximum : acc_max;
        if (kind == BITTERN_ACTIVATION_SIGN || kind == BITTERN_ACTIVATION_TERNARY) {
            status = check_thresholds(c, o, minimum, maximum);
            if (status != BITTERN_OK) {
                return status;
            }
        }
    }
    if (acc_min < INT32_MIN || acc_max > INT32_MAX) {
        return fail_width(c, acc_min, acc_max);
    }
    if (!network_partial_sums_fit(layer, INT32_MAX / window)) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "a partial sum on the way to its accumulator could leave 32 bits");
    }
    if (acc_min != layer->acc_min || acc_max != layer->acc_max) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "its accumulator's range %d..%d should be %" PRId64 "..%" PRId64,
                            layer->acc_min, layer->acc_max, acc_min, acc_max);
    }
    if (kind == BITTERN_ACTIVATION_NONE && (layer->output_type.minimum != layer->acc_min ||
                                            layer->output_type.maximum != layer->acc_max)) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "its output's range differs from its accumulator's");
    }
    for (size_t o = 0; kind == BITTERN_ACTIVATION_SCALE && o < layer->conv.channels; o++) {
        status = check_scale(c, o);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* The real numbers that the outputs stand for, and the channels that only nearly do. */
bittern_status network_check_meaning(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    uint64_t accs = (uint64_t)((int64_t)layer->acc_max - layer->acc_min) + 1;

    if (!layer->scale != !layer->bias ||
        (!layer->scale && c->index + 1 == c->network->layer_count)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "the scale or the bias of its outputs is missing");
    }
    for (size_t i = 0; layer->scale && i < layer->output.channels; i++) {
        if (!isfinite(layer->scale[i]) || !isfinite(layer->bias[i])) {
            return network_fail(c, BITTERN_ERR_RANGE, "channel %zu: scale or bias is not finite",
                                i);
        }
    }
    if (layer->inexact_count > 0 &&
        (layer->inexact_count > layer->output.channels || !layer->inexact_channels ||
         !layer->inexact_values || layer->activation.kind != BITTERN_ACTIVATION_SCALE)) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its list of inexact channels is impossible");
    }
    for (size_t i = 0; i < layer->inexact_count; i++) {
        if (layer->inexact_channels[i] >= layer->output.channels ||
            (i > 0 && layer->inexact_channels[i] <= layer->inexact_channels[i - 1]) ||
            layer->inexact_values[i] == 0 || layer->inexact_values[i] > accs) {
            return network_fail(
                c, BITTERN_ERR_RANGE,
                "entry %zu of its list of inexact channels is out of range or order", i);
        }
    }
    return BITTERN_OK;
}
