/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a network valid? Each function checks one group of the rules of <bittern/network.h>, on fields
 * that the groups before it have made safe to use: names, value types, windows and shapes first,
 * then what is as large as those shapes say. Sizes are limited before they are multiplied.
 *
 * A 15-million-weight network passes in some milliseconds: weights are looked at in words only.
 */
#include "base/checked.h"
#include "network/network_build.h"
#include "network/network_check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

_Static_assert(sizeof(size_t) >= 8, "the limits' products need 64-bit sizes");

bittern_status network_fail(const struct network_check *c, bittern_status status,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)bittern_error_set_va(c->err, status, format, args);
    va_end(args);
    if (c->layer) {
        bittern_error_prefix(c->err, "layer %zu '%s'", c->index, c->layer->name);
    } else {
        bittern_error_prefix(c->err, "network '%s'", c->network->name);
    }
    return status;
}

/* A name that can be printed: not too long, no control characters. */
static bool is_name(const char *name)
{
    if (!name) {
        return false;
    }
    size_t length = strnlen(name, NETWORK_MAX_NAME + 1);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) {
            return false;
        }
    }
    return length <= NETWORK_MAX_NAME;
}

static bittern_status check_names(const struct bittern_network *network, struct bittern_error *err)
{
    if (!is_name(network->name) || !is_name(network->input.name)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the name of the network or of its input is missing, longer than "
                                 "%d bytes, or holds control characters",
                                 NETWORK_MAX_NAME);
    }
    for (size_t i = 0; i < network->layer_count; i++) {
        const struct bittern_layer *layer = &network->layers[i];
        if (!is_name(layer->name) || (layer->output_name && !is_name(layer->output_name))) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "layer %zu: its name or its output's name is missing, longer "
                                     "than %d bytes, or holds control characters",
                                     i, NETWORK_MAX_NAME);
        }
    }
    return BITTERN_OK;
}

/* Values that `bits` bits hold. */
static void int_range(const struct bittern_value_type *type, int32_t *minimum, int32_t *maximum)
{
    int32_t levels = (int32_t)1 << type->bits;
    *minimum = type->is_signed ? -levels / 2 : 0;
    *maximum = *minimum + levels - 1;
}

static bool is_value_type(const struct bittern_value_type *type)
{
    int32_t minimum = -1;
    int32_t maximum = 1;

    switch (type->kind) {
    case BITTERN_VALUE_BINARY:
        return type->bits == 1 && type->is_signed && type->minimum == -1 && type->maximum == 1;
    case BITTERN_VALUE_TERNARY:
        if (type->bits != 2 || !type->is_signed || type->minimum > 0 || type->maximum < 0) {
            return false;
        }
        break;
    case BITTERN_VALUE_INT:
        if (type->bits < 2 || type->bits > 8) {
            return false;
        }
        int_range(type, &minimum, &maximum);
        break;
    case BITTERN_VALUE_ACC:
        return type->bits == 32 && type->is_signed && type->minimum <= type->maximum;
    default:
        return false;
    }
    return type->minimum >= minimum && type->maximum <= maximum && type->minimum <= type->maximum;
}

static bool same_type(const struct bittern_value_type *a, const struct bittern_value_type *b)
{
    return a->kind == b->kind && a->bits == b->bits && a->is_signed == b->is_signed &&
           a->minimum == b->minimum && a->maximum == b->maximum;
}

static bool same_shape(const struct bittern_shape *a, const struct bittern_shape *b)
{
    return a->channels == b->channels && a->height == b->height && a->width == b->width;
}

static bool is_shape(const struct bittern_shape *shape)
{
    return shape->channels >= 1 && shape->channels <= NETWORK_MAX_CHANNELS && shape->height >= 1 &&
           shape->height <= NETWORK_MAX_SIDE && shape->width >= 1 &&
           shape->width <= NETWORK_MAX_SIDE &&
           shape->channels * shape->height * shape->width <= NETWORK_MAX_VALUES;
}

static bittern_status check_shape(const struct network_check *c, const char *what,
                                  const struct bittern_shape *shape)
{
    if (!is_shape(shape)) {
        return network_fail(
            c, BITTERN_ERR_RANGE,
            "its %s shape %zux%zux%zu is impossible or too large: at most %d channels, %d "
            "rows and columns, and %zu values",
            what, shape->channels, shape->height, shape->width, NETWORK_MAX_CHANNELS,
            NETWORK_MAX_SIDE, NETWORK_MAX_VALUES);
    }
    return BITTERN_OK;
}

static bittern_status check_input(const struct network_check *c)
{
    const struct bittern_input *input = &c->network->input;

    bittern_status status = check_shape(c, "input's", &input->shape);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!is_value_type(&input->type) || input->type.kind == BITTERN_VALUE_ACC) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its input's value type is impossible");
    }
    if (!input->table) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its input table is missing");
    }
    for (size_t i = 0; i < input->shape.channels * 256; i++) {
        int16_t value = input->table[i];
        if (value < input->type.minimum || value > input->type.maximum ||
            (input->type.kind == BITTERN_VALUE_BINARY && value == 0)) {
            return network_fail(
                c, BITTERN_ERR_RANGE,
                "its input table turns pixel value %zu of channel %zu into %d, which is "
                "not a value of the input's type (%d..%d)",
                i % 256, i / 256, value, input->type.minimum, input->type.maximum);
        }
    }
    return BITTERN_OK;
}

/* What a layer reads is what the one before it, or the image, gives. */
static bittern_status check_chain(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    const struct bittern_input *input = &c->network->input;
    const struct bittern_shape *shape = c->index ? &layer[-1].output : &input->shape;
    const struct bittern_value_type *type = c->index ? &layer[-1].output_type : &input->type;

    if (!same_shape(shape, &layer->input)) {
        return network_fail(
            c, BITTERN_ERR_FORMAT,
            "its input shape %zux%zux%zu differs from %zux%zux%zu, which comes before it",
            layer->input.channels, layer->input.height, layer->input.width, shape->channels,
            shape->height, shape->width);
    }
    if (!same_type(type, &layer->input_type)) {
        return network_fail(
            c, BITTERN_ERR_FORMAT,
            "its input type %s (%d..%d) differs from %s (%d..%d), which comes before it",
            bittern_value_kind_name(layer->input_type.kind), layer->input_type.minimum,
            layer->input_type.maximum, bittern_value_kind_name(type->kind), type->minimum,
            type->maximum);
    }
    return BITTERN_OK;
}

static bool is_side(size_t kernel, size_t stride, size_t pad_before, size_t pad_after)
{
    return kernel >= 1 && kernel <= NETWORK_MAX_KERNEL && stride >= 1 &&
           stride <= NETWORK_MAX_STRIDE && pad_before <= NETWORK_MAX_PAD &&
           pad_after <= NETWORK_MAX_PAD;
}

static bittern_status check_window(const struct network_check *c, const char *what,
                                   const struct bittern_window *w)
{
    if (!is_side(w->kernel_h, w->stride_h, w->pad_top, w->pad_bottom) ||
        !is_side(w->kernel_w, w->stride_w, w->pad_left, w->pad_right)) {
        return network_fail(
            c, BITTERN_ERR_RANGE,
            "its %s (kernel %zux%zu, stride %zux%zu, padding %zu,%zu,%zu,%zu) is outside of "
            "the limits: kernels of 1..%d, strides of 1..%d, padding up to %d",
            what, w->kernel_h, w->kernel_w, w->stride_h, w->stride_w, w->pad_top, w->pad_left,
            w->pad_bottom, w->pad_right, NETWORK_MAX_KERNEL, NETWORK_MAX_STRIDE, NETWORK_MAX_PAD);
    }
    return BITTERN_OK;
}

static bool has_padding(const struct bittern_window *w)
{
    return (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0;
}

static bittern_status check_fc_window(const struct network_check *c)
{
    const struct bittern_window *w = &c->layer->window;
    if (w->kernel_h != 1 || w->kernel_w != 1 || w->stride_h != 1 || w->stride_w != 1 ||
        has_padding(w)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "a full connection has a kernel and a stride of 1 and no padding");
    }
    if (c->layer->has_sum_pool || c->layer->has_max_pool) {
        return network_fail(c, BITTERN_ERR_FORMAT, "a full connection has nothing to pool");
    }
    return BITTERN_OK;
}

/* Shape that the layer's op and window give; the number of channels is the layer's to say. */
static bittern_status check_conv_shape(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    struct bittern_shape expected = {layer->conv.channels, 1, 1};

    bittern_status status = check_window(c, "window", &layer->window);
    if (status == BITTERN_OK && layer->op == BITTERN_LAYER_FC) {
        status = check_fc_window(c);
    }
    if (status == BITTERN_OK) {
        status = check_shape(c, "accumulators'", &layer->conv);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    if (layer->op != BITTERN_LAYER_FC) {
        size_t channels =
            layer->op == BITTERN_LAYER_SUM ? layer->input.channels : expected.channels;
        expected = network_window_output(&layer->window, channels, layer->input.height,
                                         layer->input.width);
    }
    if (!same_shape(&expected, &layer->conv)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "its accumulators' shape %zux%zux%zu should be %zux%zux%zu",
                            layer->conv.channels, layer->conv.height, layer->conv.width,
                            expected.channels, expected.height, expected.width);
    }
    return BITTERN_OK;
}

/* Every window of a max pool must hold a value: padding is smaller than the kernel. */
static bool pool_padding_fits(const struct bittern_window *w)
{
    return w->pad_top < w->kernel_h && w->pad_bottom < w->kernel_h && w->pad_left < w->kernel_w &&
           w->pad_right < w->kernel_w;
}

static bittern_status check_pools(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    struct bittern_shape shape = layer->conv;
    bittern_status status = BITTERN_OK;

    if (layer->has_sum_pool) {
        status = check_window(c, "sum pool", &layer->sum_pool);
        if (status == BITTERN_OK && has_padding(&layer->sum_pool)) {
            status = network_fail(c, BITTERN_ERR_FORMAT, "its sum pool has padding");
        }
        if (status != BITTERN_OK) {
            return status;
        }
        shape = network_window_output(&layer->sum_pool, shape.channels, shape.height, shape.width);
    }
    if (layer->has_max_pool) {
        status = check_window(c, "max pool", &layer->max_pool);
        if (status == BITTERN_OK && !pool_padding_fits(&layer->max_pool)) {
            status =
                network_fail(c, BITTERN_ERR_FORMAT, "its max pool is padded by a whole kernel");
        }
        if (status != BITTERN_OK) {
            return status;
        }
        shape = network_window_output(&layer->max_pool, shape.channels, shape.height, shape.width);
    }
    if (!same_shape(&shape, &layer->output)) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "its output shape %zux%zux%zu should be %zux%zux%zu",
                            layer->output.channels, layer->output.height, layer->output.width,
                            shape.channels, shape.height, shape.width);
    }
    for (size_t i = 0; layer->take_min && i < layer->output.channels; i++) {
        if (layer->take_min[i] > 1 || !layer->has_max_pool) {
            return network_fail(
                c, BITTERN_ERR_FORMAT,
                "channel %zu: the choice of minimum pooling is neither 0 nor 1, or there "
                "is no max pool",
                i);
        }
    }
    return check_shape(c, "output", &layer->output);
}

static bittern_status check_types(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    int32_t minimum = 0;
    int32_t maximum = 0;

    if (layer->input_type.kind == BITTERN_VALUE_ACC) {
        return network_fail(c, BITTERN_ERR_FORMAT, "only the last layer may return accumulators");
    }
    if (!is_value_type(&layer->output_type)) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its output's value type is impossible");
    }
    if (layer->input_type.kind == BITTERN_VALUE_INT) {
        int_range(&layer->input_type, &minimum, &maximum);
    }
    if (layer->pad_value < minimum || layer->pad_value > maximum) {
        return network_fail(
            c, BITTERN_ERR_RANGE,
            "it pads with %d, and %s inputs of %u bits can be padded with %d..%d only",
            layer->pad_value, bittern_value_kind_name(layer->input_type.kind),
            layer->input_type.bits, minimum, maximum);
    }
    return BITTERN_OK;
}

static bittern_status check_plane(const struct network_check *c, size_t p)
{
    const struct bittern_weights *weights = &c->layer->weights;
    const struct bittern_plane *plane = &weights->planes[p];
    int32_t limit = weights->plane_count > 1 ? NETWORK_MAX_PLANE_MULTIPLIER : 1;

    if (!plane->plus) {
        return network_fail(c, BITTERN_ERR_FORMAT, "weight plane %zu is missing", p);
    }
    if (plane->multiplier < 1 || plane->multiplier > limit) {
        return network_fail(c, BITTERN_ERR_RANGE,
                            "the multiplier %d of weight plane %zu is not in 1..%d",
                            plane->multiplier, p, limit);
    }
    if ((weights->kind == BITTERN_WEIGHT_BINARY && plane->minus) ||
        (weights->kind == BITTERN_WEIGHT_TERNARY && !plane->minus)) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its %s weights have the wrong kind of plane",
                            bittern_weight_kind_name(weights->kind));
    }
    return BITTERN_OK;
}

/* The weights' description; the bits themselves are checked with their ranges. */
static bittern_status check_weights(const struct network_check *c)
{
    const struct bittern_layer *layer = c->layer;
    const struct bittern_weights *weights = &layer->weights;
    size_t bits = 0;

    bool counts_fit;
    switch (weights->kind) {
    case BITTERN_WEIGHT_NONE:
        counts_fit = weights->plane_count == 0 && layer->op == BITTERN_LAYER_SUM;
        break;
    case BITTERN_WEIGHT_BINARY:
    case BITTERN_WEIGHT_TERNARY:
        counts_fit = weights->plane_count == 1 && layer->op != BITTERN_LAYER_SUM;
        break;
    case BITTERN_WEIGHT_PLANES:
        counts_fit = weights->plane_count >= 1 && weights->plane_count <= BITTERN_MAX_PLANES &&
                     layer->op != BITTERN_LAYER_SUM;
        break;
    default:
        counts_fit = false;
    }
    if (!counts_fit) {
        return network_fail(c, BITTERN_ERR_FORMAT,
                            "a %s layer with %s weights in %zu planes is impossible",
                            bittern_layer_op_name(layer->op),
                            bittern_weight_kind_name(weights->kind), weights->plane_count);
    }
    if (layer->op != BITTERN_LAYER_SUM &&
        layer->conv.channels * network_fan_in(layer) > NETWORK_MAX_WEIGHTS) {
        return network_fail(c, BITTERN_ERR_RANGE, "it has more than %zu weights",
                            NETWORK_MAX_WEIGHTS);
    }
    for (size_t p = 0; p < weights->plane_count; p++) {
        bittern_status status = check_plane(c, p);
        if (status != BITTERN_OK) {
            return status;
        }
        bits += weights->planes[p].minus ? 2 : 1;
    }
    if (weights->bits != bits || weights->words_per_output != network_words_per_output(layer)) {
        return network_fail(
            c, BITTERN_ERR_FORMAT,
            "its weights should take %zu bits each and %zu words an output, not %zu and "
            "%zu",
            bits, network_words_per_output(layer), weights->bits, weights->words_per_output);
    }
    return BITTERN_OK;
}

static bittern_status check_layer(const struct network_check *c)
{
    static bittern_status (*const checks[])(const struct network_check *) = {
        check_chain,
        check_types,
        check_conv_shape,
        check_pools,
        check_weights,
        network_check_activation_arrays,
        network_check_channels,
        network_check_meaning,
    };

    if (c->layer->op != BITTERN_LAYER_CONV && c->layer->op != BITTERN_LAYER_FC &&
        c->layer->op != BITTERN_LAYER_SUM) {
        return network_fail(c, BITTERN_ERR_FORMAT, "its kind %d is unknown", (int)c->layer->op);
    }
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        bittern_status status = checks[i](c);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

bittern_status network_validate(const struct bittern_network *network, struct bittern_error *err)
{
    struct network_check c = {.network = network, .err = err};

    if (network->layer_count == 0 || network->layer_count > NETWORK_MAX_LAYERS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "a network has 1 to %d layers, not %zu",
                                 NETWORK_MAX_LAYERS, network->layer_count);
    }
    bittern_status status = check_names(network, err);
    if (status == BITTERN_OK) {
        status = check_input(&c);
    }
    for (c.index = 0; status == BITTERN_OK && c.index < network->layer_count; c.index++) {
        c.layer = &network->layers[c.index];
        status = check_layer(&c);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    c.layer = NULL;
    if (network->top_k == 0 || network->top_k > bittern_network_output_count(network)) {
        return network_fail(&c, BITTERN_ERR_RANGE, "it returns the %zu best of %zu classes",
                            network->top_k, bittern_network_output_count(network));
    }
    return BITTERN_OK;
}
