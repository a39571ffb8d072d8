/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow, obvious engine: docs/numerics.md written down once more, one value at a time in int64.
 * Nothing is packed, nothing is shared with the engines that are tested against it except
 * bittern_layer_weight.
 */
#include "network_random.h"

#include <stdlib.h>

static size_t shape_values(const struct bittern_shape *shape)
{
    return shape->channels * shape->height * shape->width;
}

/* Value of channel c at (row, column) counted from the padding's corner; pad_value in padding. */
static int64_t padded_value(const struct bittern_layer *layer, const int32_t *input, size_t channel,
                            size_t row, size_t column)
{
    const struct bittern_shape *shape = &layer->input;
    size_t top = layer->window.pad_top;
    size_t left = layer->window.pad_left;
    if (row < top || row - top >= shape->height || column < left || column - left >= shape->width) {
        return layer->pad_value;
    }
    return input[(channel * shape->height + row - top) * shape->width + column - left];
}

/* acc of one output channel and position, for all three ops. */
static int64_t accumulate(const struct bittern_layer *layer, const int32_t *input, size_t o,
                          size_t row, size_t column)
{
    size_t height = layer->window.kernel_h;
    size_t width = layer->window.kernel_w;
    int64_t sum = 0;

    if (layer->op == BITTERN_LAYER_FC) {
        height = layer->input.height;
        width = layer->input.width;
    }
    for (size_t r = 0; r < height; r++) {
        for (size_t c = 0; c < width; c++) {
            for (size_t i = 0; i < layer->input.channels; i++) {
                sum += bittern_layer_weight(layer, o, r, c, i) *
                       padded_value(layer, input, i, row * layer->window.stride_h + r,
                                    column * layer->window.stride_w + c);
            }
        }
    }
    return sum;
}

/* acc as the activation sees it: summed over the sum pool's window, if there is one. */
static int64_t pooled_acc(const struct bittern_layer *layer, const int64_t *acc, size_t o,
                          size_t row, size_t column)
{
    const struct bittern_window *w = &layer->sum_pool;
    const int64_t *plane = acc + o * layer->conv.height * layer->conv.width;
    int64_t sum = 0;

    if (!layer->has_sum_pool) {
        return plane[row * layer->conv.width + column];
    }
    for (size_t r = 0; r < w->kernel_h; r++) {
        for (size_t c = 0; c < w->kernel_w; c++) {
            sum += plane[(row * w->stride_h + r) * layer->conv.width + column * w->stride_w + c];
        }
    }
    return sum;
}

static int64_t floor_shift(int64_t value, unsigned shift)
{
    int64_t divisor = INT64_C(1) << shift;
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

/* Is this a tie that the channel's rule takes to the level below? */
static bool is_rounded_down(const struct bittern_activation *a, size_t o, int64_t sum, int64_t q)
{
    enum bittern_ties ties = a->ties ? (enum bittern_ties)a->ties[o] : BITTERN_TIES_UP;
    bool is_tie = q * (INT64_C(1) << a->shift[o]) == sum;
    bool is_odd = q % 2 != 0;
    return is_tie &&
           ((ties == BITTERN_TIES_EVEN && is_odd) || (ties == BITTERN_TIES_ODD && !is_odd));
}

static int64_t activate(const struct bittern_layer *layer, size_t o, int64_t acc)
{
    const struct bittern_activation *a = &layer->activation;
    int64_t q;

    switch (a->kind) {
    case BITTERN_ACTIVATION_SIGN:
        if (a->descending[o]) {
            return acc <= a->threshold_high[o] ? 1 : -1;
        }
        return acc >= a->threshold_high[o] ? 1 : -1;
    case BITTERN_ACTIVATION_TERNARY:
        if (a->descending[o]) {
            return acc <= a->threshold_high[o] ? 1 : acc > a->threshold_low[o] ? -1 : 0;
        }
        return acc >= a->threshold_high[o] ? 1 : acc < a->threshold_low[o] ? -1 : 0;
    case BITTERN_ACTIVATION_SCALE:
        q = floor_shift(acc * a->multiplier[o] + a->offset[o], a->shift[o]);
        q -= is_rounded_down(a, o, acc * a->multiplier[o] + a->offset[o], q);
        q = q < layer->output_type.minimum ? layer->output_type.minimum : q;
        return q > layer->output_type.maximum ? layer->output_type.maximum : q;
    case BITTERN_ACTIVATION_NONE:
    default:
        return acc;
    }
}

/* Largest, or for some channels smallest, value of a window; padding does not take part. */
static int32_t max_pooled(const struct bittern_layer *layer, const struct bittern_shape *shape,
                          const int32_t *values, size_t o, size_t row, size_t column)
{
    const struct bittern_window *w = &layer->max_pool;
    bool take_min = layer->take_min && layer->take_min[o];
    bool found = false;
    int32_t best = 0;

    for (size_t r = 0; r < w->kernel_h; r++) {
        for (size_t c = 0; c < w->kernel_w; c++) {
            size_t y = row * w->stride_h + r;
            size_t x = column * w->stride_w + c;
            if (y < w->pad_top || y - w->pad_top >= shape->height || x < w->pad_left ||
                x - w->pad_left >= shape->width) {
                continue;
            }
            int32_t v =
                values[(o * shape->height + y - w->pad_top) * shape->width + x - w->pad_left];
            if (!found || (take_min ? v < best : v > best)) {
                best = v;
            }
            found = true;
        }
    }
    return best;
}

static bittern_status run_layer(const struct bittern_layer *layer, const int32_t *input,
                                int32_t *output, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct bittern_shape shape = layer->conv; /* of the activation's values */
    if (layer->has_sum_pool) {
        shape.height = (shape.height - layer->sum_pool.kernel_h) / layer->sum_pool.stride_h + 1;
        shape.width = (shape.width - layer->sum_pool.kernel_w) / layer->sum_pool.stride_w + 1;
    }
    int64_t *acc = calloc(shape_values(&layer->conv), sizeof *acc);
    int32_t *q = calloc(shape_values(&shape), sizeof *q);
    if (!acc || !q) {
        status =
            bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for layer '%s'", layer->name);
        goto cleanup;
    }
    int64_t *next_acc = acc;
    for (size_t o = 0; o < layer->conv.channels; o++) {
        for (size_t y = 0; y < layer->conv.height; y++) {
            for (size_t x = 0; x < layer->conv.width; x++) {
                *next_acc++ = accumulate(layer, input, o, y, x);
            }
        }
    }
    int32_t *next_q = q;
    for (size_t o = 0; o < shape.channels; o++) {
        for (size_t y = 0; y < shape.height; y++) {
            for (size_t x = 0; x < shape.width; x++) {
                int64_t sum = pooled_acc(layer, acc, o, y, x);
                if (sum < layer->acc_min || sum > layer->acc_max) {
                    status = bittern_error_set(err, BITTERN_ERR_RANGE,
                                               "layer '%s' leaves its proven range", layer->name);
                    goto cleanup;
                }
                *next_q++ = (int32_t)activate(layer, o, sum);
            }
        }
    }
    for (size_t o = 0; o < layer->output.channels; o++) {
        for (size_t y = 0; y < layer->output.height; y++) {
            for (size_t x = 0; x < layer->output.width; x++) {
                *output++ = layer->has_max_pool ? max_pooled(layer, &shape, q, o, y, x)
                                                : q[(o * shape.height + y) * shape.width + x];
            }
        }
    }
cleanup:
    free(acc);
    free(q);
    return status;
}

bittern_status slow_network_run(const struct bittern_network *network, const uint8_t *image,
                                int32_t **outputs, struct bittern_error *err)
{
    const struct bittern_input *in = bittern_network_input(network);
    size_t layers = bittern_network_layer_count(network);
    size_t positions = in->shape.height * in->shape.width;
    bittern_status status = BITTERN_OK;
    int32_t *first = calloc(shape_values(&in->shape), sizeof *first);

    for (size_t i = 0; i < layers; i++) {
        outputs[i] = NULL;
    }
    if (!first) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an image");
        goto cleanup;
    }
    for (size_t i = 0; i < shape_values(&in->shape); i++) {
        first[i] = in->table[i / positions * 256 + image[i]];
    }
    for (size_t i = 0; status == BITTERN_OK && i < layers; i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        outputs[i] = calloc(shape_values(&layer->output), sizeof *outputs[i]);
        if (!outputs[i]) {
            status =
                bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for layer '%s'", layer->name);
            break;
        }
        status = run_layer(layer, i ? outputs[i - 1] : first, outputs[i], err);
    }
cleanup:
    free(first);
    for (size_t i = 0; status != BITTERN_OK && i < layers; i++) {
        free(outputs[i]);
        outputs[i] = NULL;
    }
    return status;
}
