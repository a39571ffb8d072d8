/* SPDX-License-Identifier: Apache-2.0 */
/* Each function fills in one part of a layer from what the parts before it say. */
#include "network_small.h"

#include "testing.h"

#include <string.h>

static void *allocate(struct bittern_network *network, size_t count, size_t size)
{
    struct bittern_error err = {0};
    void *memory = network_allocate(network, count, size, &err);
    assert_non_null(memory);
    return memory;
}

static struct bittern_value_type type_of(enum bittern_value_kind kind)
{
    switch (kind) {
    case BITTERN_VALUE_BINARY:
        return (struct bittern_value_type){kind, 1, true, -1, 1};
    case BITTERN_VALUE_TERNARY:
        return (struct bittern_value_type){kind, 2, true, -1, 1};
    default:
        return (struct bittern_value_type){BITTERN_VALUE_INT, 8, false, 0, 255};
    }
}

struct bittern_network *small_create(size_t layers, struct bittern_shape input,
                                     enum bittern_value_kind kind)
{
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;

    assert_ok(network_create("small", layers, &network, &err), &err);
    int16_t *table = allocate(network, input.channels * 256, sizeof *table);
    for (size_t i = 0; i < input.channels * 256; i++) {
        int pixel = (int)(i % 256);
        table[i] = (int16_t)(kind == BITTERN_VALUE_BINARY    ? (pixel ? 1 : -1)
                             : kind == BITTERN_VALUE_TERNARY ? (pixel > 1 ? -1 : pixel)
                                                             : pixel);
    }
    network->input = (struct bittern_input){
        .name = "image", .shape = input, .type = type_of(kind), .table = table};
    return network;
}

struct bittern_layer *small_layer(struct bittern_network *network, size_t index,
                                  enum bittern_layer_op op, size_t outputs,
                                  const struct bittern_window *window)
{
    struct bittern_layer *layer = &network->layers[index];
    const struct bittern_window point = {1, 1, 1, 1, 0, 0, 0, 0};

    layer->name = index == 0 ? "first" : index == 1 ? "second" : "third";
    layer->output_name = "tensor";
    layer->op = op;
    layer->input = index ? layer[-1].output : network->input.shape;
    layer->input_type = index ? layer[-1].output_type : network->input.type;
    layer->window = window ? *window : point;
    layer->conv = (struct bittern_shape){outputs, 1, 1};
    if (op != BITTERN_LAYER_FC) {
        layer->conv =
            network_window_output(&layer->window, outputs, layer->input.height, layer->input.width);
    }
    layer->output = layer->conv;
    return layer;
}

static void add_plane(struct bittern_network *network, struct bittern_layer *layer,
                      const int *values, int multiplier, bool ternary)
{
    struct bittern_weights *weights = &layer->weights;
    size_t fan_in = network_fan_in(layer);
    size_t row = layer->op == BITTERN_LAYER_CONV ? layer->input.channels : fan_in;
    size_t words = layer->conv.channels * weights->words_per_output;
    uint64_t *plus = allocate(network, words, sizeof *plus);
    uint64_t *minus = ternary ? allocate(network, words, sizeof *minus) : NULL;

    for (size_t i = 0; i < layer->conv.channels * fan_in; i++) {
        size_t tap = i % fan_in / row;
        size_t word =
            i / fan_in * weights->words_per_output + tap * ((row + 63) / 64) + i % row / 64;
        uint64_t bit = UINT64_C(1) << (i % row % 64);
        int magnitude = values[i] < 0 ? -values[i] : values[i];
        if (magnitude / multiplier % 2 == 0) {
            continue;
        }
        if (values[i] > 0) {
            plus[word] |= bit;
        } else if (minus) {
            minus[word] |= bit;
        }
    }
    weights->planes[weights->plane_count++] =
        (struct bittern_plane){.multiplier = multiplier, .plus = plus, .minus = minus};
    weights->bits += ternary ? 2 : 1;
}

void small_weights(struct bittern_network *network, struct bittern_layer *layer,
                   enum bittern_weight_kind kind, const int *values)
{
    layer->weights.kind = kind;
    layer->weights.words_per_output = network_words_per_output(layer);
    add_plane(network, layer, values, 1, kind != BITTERN_WEIGHT_BINARY);
    if (kind == BITTERN_WEIGHT_PLANES) {
        add_plane(network, layer, values, 2, true);
        add_plane(network, layer, values, 4, true);
    }
}

static void set_range(struct bittern_layer *layer)
{
    int64_t window =
        layer->has_sum_pool ? (int64_t)(layer->sum_pool.kernel_h * layer->sum_pool.kernel_w) : 1;
    for (size_t o = 0; o < layer->conv.channels; o++) {
        int64_t minimum;
        int64_t maximum;
        network_channel_range(layer, o, &minimum, &maximum);
        if (o == 0 || minimum * window < layer->acc_min) {
            layer->acc_min = (int32_t)(minimum * window);
        }
        if (o == 0 || maximum * window > layer->acc_max) {
            layer->acc_max = (int32_t)(maximum * window);
        }
    }
}

static int32_t *constant_i32(struct bittern_network *network, size_t count, int value)
{
    int32_t *array = allocate(network, count, sizeof *array);
    for (size_t i = 0; i < count; i++) {
        array[i] = value;
    }
    return array;
}

static uint8_t *constant_u8(struct bittern_network *network, size_t count, int value)
{
    uint8_t *array = allocate(network, count, 1);
    memset(array, value, count);
    return array;
}

static void set_scale_triple(struct bittern_network *network, struct bittern_layer *layer,
                             const int *numbers)
{
    size_t channels = layer->conv.channels;
    int64_t *offset = allocate(network, channels, sizeof *offset);

    for (size_t o = 0; o < channels; o++) {
        offset[o] = numbers[1];
    }
    layer->activation.multiplier = constant_i32(network, channels, numbers[0]);
    layer->activation.offset = offset;
    layer->activation.shift = constant_u8(network, channels, numbers[2]);
    layer->output_type = (struct bittern_value_type){BITTERN_VALUE_INT, 4, false, 0, 15};
}

static void set_activation(struct bittern_network *network, struct bittern_layer *layer,
                           enum bittern_activation_kind kind, const int *numbers, bool descending)
{
    size_t channels = layer->conv.channels;
    struct bittern_activation *a = &layer->activation;

    a->kind = kind;
    switch (kind) {
    case BITTERN_ACTIVATION_NONE:
        layer->output_type = (struct bittern_value_type){BITTERN_VALUE_ACC, 32, true,
                                                         layer->acc_min, layer->acc_max};
        break;
    case BITTERN_ACTIVATION_TERNARY:
        a->threshold_low = constant_i32(network, channels, numbers[1]);
        a->threshold_high = constant_i32(network, channels, numbers[0]);
        a->descending = constant_u8(network, channels, descending);
        layer->output_type = type_of(BITTERN_VALUE_TERNARY);
        break;
    case BITTERN_ACTIVATION_SIGN:
        a->threshold_high = constant_i32(network, channels, numbers[0]);
        a->descending = constant_u8(network, channels, descending);
        layer->output_type = type_of(BITTERN_VALUE_BINARY);
        break;
    case BITTERN_ACTIVATION_SCALE:
        set_scale_triple(network, layer, numbers);
        break;
    }
}

void small_finish(struct bittern_network *network, struct bittern_layer *layer,
                  enum bittern_activation_kind kind, const int *numbers, bool descending)
{
    double *scale = allocate(network, layer->conv.channels, sizeof *scale);
    double *bias = allocate(network, layer->conv.channels, sizeof *bias);
    struct bittern_shape shape = layer->conv;

    for (size_t o = 0; o < layer->conv.channels; o++) {
        scale[o] = 1.0;
    }
    layer->scale = scale;
    layer->bias = bias;
    if (layer->has_sum_pool) {
        shape = network_window_output(&layer->sum_pool, shape.channels, shape.height, shape.width);
    }
    if (layer->has_max_pool) {
        shape = network_window_output(&layer->max_pool, shape.channels, shape.height, shape.width);
    }
    layer->output = shape;
    set_range(layer);
    set_activation(network, layer, kind, numbers, descending);
}
