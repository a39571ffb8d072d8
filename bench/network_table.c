/* SPDX-License-Identifier: Apache-2.0 */
/* Random networks from a table of layers: weights, then thresholds from each channel's range. */
#include "network_table.h"

#include "network/network_build.h"

#include <math.h>

struct maker {
    const struct bittern_shape *input;
    const struct table_layer *layers;
    enum bittern_activation_kind activation;
    struct bittern_network *network;
    uint64_t state;
    struct bittern_error *err;
};

/* splitmix64 (Steele et al., OOPSLA 2014). */
static uint64_t random_word(struct maker *m)
{
    uint64_t z = (m->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static bool make_input(struct maker *m)
{
    struct bittern_input *input = &m->network->input;
    size_t entries = m->input->channels * 256;
    int16_t *table = network_allocate(m->network, entries, sizeof *table, m->err);

    input->name = "image";
    input->shape = *m->input;
    input->type = (struct bittern_value_type){
        .kind = BITTERN_VALUE_INT, .bits = 8, .is_signed = false, .minimum = 0, .maximum = 255};
    for (size_t i = 0; table && i < entries; i++) {
        table[i] = (int16_t)(i % 256);
    }
    input->table = table;
    return table != NULL;
}

static void set_geometry(struct maker *m, size_t index)
{
    static const struct bittern_window halve = {
        .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
    const struct table_layer *plan = &m->layers[index];
    struct bittern_layer *layer = &m->network->layers[index];
    struct bittern_window window = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};

    if (plan->op == BITTERN_LAYER_CONV) {
        window.kernel_h = window.kernel_w = plan->kernel ? plan->kernel : 3;
        window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = plan->padding;
    }
    layer->name = plan->name;
    layer->op = plan->op;
    layer->input = index ? layer[-1].output : m->network->input.shape;
    layer->input_type = index ? layer[-1].output_type : m->network->input.type;
    layer->window = window;
    layer->conv = (struct bittern_shape){plan->channels, 1, 1};
    if (plan->op == BITTERN_LAYER_CONV) {
        layer->conv =
            network_window_output(&window, plan->channels, layer->input.height, layer->input.width);
    }
    layer->output = layer->conv;
    if (plan->max_pool) {
        layer->has_max_pool = true;
        layer->max_pool = halve;
        layer->output =
            network_window_output(&halve, plan->channels, layer->conv.height, layer->conv.width);
    }
}

/* Random planes: ternary ones share a random sign a weight, half of the magnitudes' bits are 0. */
static bool make_weights(struct maker *m, struct bittern_layer *layer,
                         enum bittern_weight_kind kind)
{
    struct bittern_weights *weights = &layer->weights;
    size_t row_bits =
        layer->op == BITTERN_LAYER_CONV ? layer->input.channels : network_fan_in(layer);
    size_t row_words = (row_bits + 63) / 64;
    uint64_t tail = row_bits % 64 ? (UINT64_C(1) << row_bits % 64) - 1 : UINT64_MAX;
    bool binary = kind == BITTERN_WEIGHT_BINARY;
    uint64_t *plus[7];
    uint64_t *minus[7];

    weights->kind = kind;
    weights->plane_count = weights->kind == BITTERN_WEIGHT_PLANES ? 7 : 1;
    weights->words_per_output = network_words_per_output(layer);
    weights->bits = weights->plane_count * (binary ? 1 : 2);
    size_t words = layer->conv.channels * weights->words_per_output;
    for (size_t p = 0; p < weights->plane_count; p++) {
        plus[p] = network_allocate(m->network, words, sizeof *plus[p], m->err);
        minus[p] = binary ? NULL : network_allocate(m->network, words, sizeof *minus[p], m->err);
        if (!plus[p] || (!binary && !minus[p])) {
            return false;
        }
        weights->planes[p] = (struct bittern_plane){(int32_t)1 << p, plus[p], minus[p]};
    }
    for (size_t i = 0; i < words; i++) {
        uint64_t mask = i % row_words == row_words - 1 ? tail : UINT64_MAX;
        uint64_t sign = random_word(m);
        for (size_t p = 0; p < weights->plane_count; p++) {
            uint64_t magnitude = binary ? mask : random_word(m) & mask;
            plus[p][i] = magnitude & sign;
            if (!binary) {
                minus[p][i] = magnitude & ~sign;
            }
        }
    }
    return true;
}

/* Middle and usual deviation of a channel's acc, for values spread evenly over their range. */
static void channel_spread(const struct bittern_layer *layer, size_t channel, double *mean,
                           double *deviation)
{
    int64_t minimum;
    int64_t maximum;
    network_channel_range(layer, channel, &minimum, &maximum);
    *mean = 0.5 * (double)(minimum + maximum);
    *deviation = 0.5 * (double)(maximum - minimum) / sqrt(3.0 * (double)network_fan_in(layer));
}

static bool make_thresholds(struct maker *m, struct bittern_layer *layer, bool ternary)
{
    size_t channels = layer->conv.channels;
    int32_t *high = network_allocate(m->network, channels, sizeof *high, m->err);
    int32_t *low = ternary ? network_allocate(m->network, channels, sizeof *low, m->err) : NULL;
    uint8_t *descending = network_allocate(m->network, channels, 1, m->err);

    if (!high || !descending || (ternary && !low)) {
        return false;
    }
    for (size_t o = 0; o < channels; o++) {
        double mean;
        double deviation;
        channel_spread(layer, o, &mean, &deviation);
        high[o] = (int32_t)lrint(ternary ? mean + 0.4 * deviation : mean);
        if (ternary) {
            low[o] = (int32_t)lrint(mean - 0.4 * deviation);
        }
    }
    layer->activation.threshold_high = high;
    layer->activation.threshold_low = low;
    layer->activation.descending = descending;
    return true;
}

static bool make_triples(struct maker *m, struct bittern_layer *layer)
{
    const int bits = 20;
    size_t channels = layer->conv.channels;
    int32_t *multiplier = network_allocate(m->network, channels, sizeof *multiplier, m->err);
    int64_t *offset = network_allocate(m->network, channels, sizeof *offset, m->err);
    uint8_t *shift = network_allocate(m->network, channels, 1, m->err);

    if (!multiplier || !offset || !shift) {
        return false;
    }
    for (size_t o = 0; o < channels; o++) {
        double mean;
        double deviation;
        channel_spread(layer, o, &mean, &deviation);
        multiplier[o] = (int32_t)lrint(ldexp(64.0 / (deviation + 1.0), bits));
        offset[o] = llrint(ldexp(128.0, bits) - multiplier[o] * mean) + (1 << (bits - 1));
        shift[o] = (uint8_t)bits;
    }
    layer->activation.multiplier = multiplier;
    layer->activation.offset = offset;
    layer->activation.shift = shift;
    return true;
}

static bool make_activation(struct maker *m, struct bittern_layer *layer, bool last)
{
    struct bittern_value_type *type = &layer->output_type;

    layer->activation.kind = last ? BITTERN_ACTIVATION_NONE : m->activation;
    switch (layer->activation.kind) {
    case BITTERN_ACTIVATION_SIGN:
        *type = (struct bittern_value_type){BITTERN_VALUE_BINARY, 1, true, -1, 1};
        return make_thresholds(m, layer, false);
    case BITTERN_ACTIVATION_TERNARY:
        *type = (struct bittern_value_type){BITTERN_VALUE_TERNARY, 2, true, -1, 1};
        return make_thresholds(m, layer, true);
    case BITTERN_ACTIVATION_SCALE:
        *type = (struct bittern_value_type){BITTERN_VALUE_INT, 8, false, 0, 255};
        return make_triples(m, layer);
    case BITTERN_ACTIVATION_NONE:
    default:
        *type = (struct bittern_value_type){BITTERN_VALUE_ACC, 32, true, layer->acc_min,
                                            layer->acc_max};
        return true;
    }
}

static bool make_layer(struct maker *m, size_t index)
{
    struct bittern_layer *layer = &m->network->layers[index];
    int64_t lowest = INT64_MAX;
    int64_t highest = INT64_MIN;

    set_geometry(m, index);
    double *scale = network_allocate(m->network, layer->output.channels, sizeof *scale, m->err);
    double *bias = network_allocate(m->network, layer->output.channels, sizeof *bias, m->err);
    if (!scale || !bias || !make_weights(m, layer, m->layers[index].weights)) {
        return false;
    }
    for (size_t o = 0; o < layer->conv.channels; o++) {
        int64_t minimum;
        int64_t maximum;
        network_channel_range(layer, o, &minimum, &maximum);
        lowest = minimum < lowest ? minimum : lowest;
        highest = maximum > highest ? maximum : highest;
        scale[o] = 1.0;
    }
    layer->acc_min = (int32_t)lowest;
    layer->acc_max = (int32_t)highest;
    layer->scale = scale;
    layer->bias = bias;
    return make_activation(m, layer, index + 1 == m->network->layer_count);
}

bittern_status network_table_create(const char *name, const struct bittern_shape *input,
                                    const struct table_layer *layers, size_t count,
                                    enum bittern_activation_kind activation, uint64_t seed,
                                    struct bittern_network **network, struct bittern_error *err)
{
    static const struct bittern_shape colour = {3, 32, 32};
    struct maker m = {.input = input ? input : &colour,
                      .layers = layers,
                      .activation = activation,
                      .state = seed,
                      .err = err};
    bittern_status status = network_create(name, count, &m.network, err);

    if (status == BITTERN_OK && !make_input(&m)) {
        status = BITTERN_ERR_MEMORY;
    }
    for (size_t i = 0; status == BITTERN_OK && i < count; i++) {
        if (!make_layer(&m, i)) {
            status = BITTERN_ERR_MEMORY;
        }
    }
    if (status == BITTERN_OK) {
        status = network_validate(m.network, err);
    }
    if (status != BITTERN_OK) {
        bittern_network_free(m.network);
        m.network = NULL;
    }
    *network = m.network;
    return status;
}
