/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random valid networks. A plan of each layer's geometry is drawn first (what fits the shape that
 * comes in, and the work that the slow engine can do); then weights; then, from the proven range
 * and the usual spread of the accumulator, an activation whose outputs vary. network_validate has
 * the last word on every network.
 */
#include "network_random.h"

#include "network/network_build.h"
#include "testing.h"

#include <math.h>

#define MAX_MACS 600000 /* of a layer, so that the slow engine takes milliseconds */

struct generator {
    uint64_t state;
    struct random_network_options options;
    struct bittern_network *network;
    struct bittern_error *err;
};

static bool chance(struct generator *g, size_t percent)
{
    return random_below(&g->state, 100) < percent;
}

static size_t between(struct generator *g, size_t low, size_t high)
{
    return low + random_below(&g->state, high - low + 1);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Around the edges of words as often as anywhere else. */
static size_t draw_channels(struct generator *g)
{
    static const size_t edges[] = {1, 2, 3, 8, 63, 64, 65, 127, 128, 129};
    size_t channels = between(g, 1, g->options.max_channels);
    if (chance(g, 50)) {
        channels = edges[random_below(&g->state, sizeof edges / sizeof edges[0])];
    }
    return min_size(channels, g->options.max_channels);
}

static void draw_int_type(struct generator *g, struct bittern_value_type *type)
{
    type->kind = BITTERN_VALUE_INT;
    type->bits = (uint8_t)(chance(g, 40) ? 8 : between(g, 2, 8));
    type->is_signed = chance(g, 50);
    int32_t levels = (int32_t)1 << type->bits;
    type->minimum = type->is_signed ? -levels / 2 : 0;
    type->maximum = type->minimum + levels - 1;
    if (chance(g, 25)) { /* narrow ranges, as QONNX's Quant has them */
        type->minimum += type->is_signed;
        type->maximum -= (int32_t)random_below(&g->state, (size_t)levels / 2);
    }
}

static void draw_type(struct generator *g, enum bittern_value_kind kind,
                      struct bittern_value_type *type)
{
    *type = (struct bittern_value_type){.kind = kind, .bits = 1, .is_signed = true};
    type->minimum = -1;
    type->maximum = 1;
    if (kind == BITTERN_VALUE_TERNARY) {
        size_t range = random_below(&g->state, 4);
        type->bits = 2;
        type->minimum = range == 0 ? 0 : -1;
        type->maximum = range == 1 ? 0 : 1;
    } else if (kind == BITTERN_VALUE_INT) {
        draw_int_type(g, type);
    }
}

static enum bittern_value_kind draw_value_kind(struct generator *g)
{
    static const enum bittern_value_kind kinds[] = {BITTERN_VALUE_BINARY, BITTERN_VALUE_TERNARY,
                                                    BITTERN_VALUE_INT};
    return g->options.only_planes ? BITTERN_VALUE_INT : kinds[random_below(&g->state, 3)];
}

static bool draw_input(struct generator *g)
{
    struct bittern_input *input = &g->network->input;

    input->name = network_copy_string(g->network, "image", g->err);
    input->shape = (struct bittern_shape){
        chance(g, 60) ? 1 + 2 * between(g, 0, 1) : draw_channels(g),
        between(g, 1, g->options.max_side), between(g, 1, g->options.max_width)};
    draw_type(g, chance(g, 60) ? BITTERN_VALUE_INT : draw_value_kind(g), &input->type);
    int16_t *table =
        network_allocate(g->network, input->shape.channels * 256, sizeof *table, g->err);
    if (!input->name || !table) {
        return false;
    }
    int32_t range = input->type.maximum - input->type.minimum;
    for (size_t i = 0; i < input->shape.channels * 256; i++) {
        if (input->type.kind == BITTERN_VALUE_BINARY) {
            table[i] = chance(g, 50) ? 1 : -1;
        } else {
            table[i] = (int16_t)(input->type.minimum +
                                 (int32_t)random_below(&g->state, (size_t)range + 1));
        }
    }
    input->table = table;
    return true;
}

/* One direction of a window over `size` values: kernel, stride and both paddings. */
static void draw_side(struct generator *g, size_t size, size_t max_pad, size_t *kernel,
                      size_t *stride, size_t *before, size_t *after)
{
    static const size_t kernels[] = {1, 2, 3, 3, 3, 4, 5, 7};
    *kernel = kernels[random_below(&g->state, sizeof kernels / sizeof kernels[0])];
    *stride = between(g, 1, 3);
    *before = 0;
    *after = 0;
    if (max_pad > 0 && chance(g, 60)) {
        *before = between(g, 0, min_size(max_pad, *kernel));
        *after = chance(g, 60) ? *before : between(g, 0, min_size(max_pad, *kernel));
    }
    if (*kernel > size + *before + *after) {
        *kernel = size + *before + *after;
    }
}

static void draw_window(struct generator *g, const struct bittern_shape *shape, size_t max_pad,
                        struct bittern_window *w)
{
    draw_side(g, shape->height, max_pad, &w->kernel_h, &w->stride_h, &w->pad_top, &w->pad_bottom);
    draw_side(g, shape->width, max_pad, &w->kernel_w, &w->stride_w, &w->pad_left, &w->pad_right);
}

static void draw_pad_value(struct generator *g, struct bittern_layer *layer)
{
    if (layer->input_type.kind == BITTERN_VALUE_INT && chance(g, 50)) {
        int32_t levels = (int32_t)1 << layer->input_type.bits;
        layer->pad_value = (layer->input_type.is_signed ? -levels / 2 : 0) +
                           (int32_t)random_below(&g->state, (size_t)levels);
    }
}

/* Op, window and shape of acc, with no more work than the slow engine can do. */
static void draw_op(struct generator *g, struct bittern_layer *layer)
{
    layer->op = chance(g, 65)   ? BITTERN_LAYER_CONV
                : chance(g, 65) ? BITTERN_LAYER_FC
                                : BITTERN_LAYER_SUM;
    layer->window =
        (struct bittern_window){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    layer->conv = (struct bittern_shape){draw_channels(g), 1, 1};
    if (layer->op != BITTERN_LAYER_FC) {
        draw_window(g, &layer->input, 4, &layer->window);
        draw_pad_value(g, layer);
        layer->conv = network_window_output(&layer->window,
                                            layer->op == BITTERN_LAYER_SUM ? layer->input.channels
                                                                           : layer->conv.channels,
                                            layer->input.height, layer->input.width);
    }
    size_t macs = layer->conv.height * layer->conv.width * network_fan_in(layer);
    if (layer->op != BITTERN_LAYER_SUM && layer->conv.channels * macs > MAX_MACS) {
        layer->conv.channels = macs < MAX_MACS ? MAX_MACS / macs : 1;
    }
}

/* Pools that fit; max pools have less padding than kernel. */
static void draw_pools(struct generator *g, struct bittern_layer *layer, bool may_max_pool)
{
    layer->output = layer->conv;
    if (layer->op == BITTERN_LAYER_FC) {
        return;
    }
    if (chance(g, 20)) {
        layer->has_sum_pool = true;
        draw_window(g, &layer->output, 0, &layer->sum_pool);
        layer->output = network_window_output(&layer->sum_pool, layer->output.channels,
                                              layer->output.height, layer->output.width);
    }
    if (may_max_pool && chance(g, 40)) {
        struct bittern_window *w = &layer->max_pool;
        layer->has_max_pool = true;
        draw_window(g, &layer->output, 0, w);
        if (chance(g, 40)) {
            w->pad_top = between(g, 0, w->kernel_h - 1);
            w->pad_bottom = between(g, 0, w->kernel_h - 1);
            w->pad_left = between(g, 0, w->kernel_w - 1);
            w->pad_right = between(g, 0, w->kernel_w - 1);
        }
        layer->output = network_window_output(w, layer->output.channels, layer->output.height,
                                              layer->output.width);
    }
}

static bool draw_take_min(struct generator *g, struct bittern_layer *layer)
{
    if (!layer->has_max_pool || chance(g, 50)) {
        return true;
    }
    uint8_t *take_min = network_allocate(g->network, layer->output.channels, 1, g->err);
    if (!take_min) {
        return false;
    }
    for (size_t o = 0; o < layer->output.channels; o++) {
        take_min[o] = chance(g, 50);
    }
    layer->take_min = take_min;
    return true;
}

/* Bits of the weights of one plane; `zero_percent` < 0: no zeros, binary. */
static bool draw_plane(struct generator *g, struct bittern_layer *layer, int zero_percent,
                       struct bittern_plane *plane)
{
    size_t words = layer->weights.words_per_output;
    size_t row_bits =
        layer->op == BITTERN_LAYER_CONV ? layer->input.channels : network_fan_in(layer);
    size_t row_words = (row_bits + 63) / 64;
    uint64_t *plus = network_allocate(g->network, layer->conv.channels * words, 8, g->err);
    uint64_t *minus = zero_percent >= 0
                          ? network_allocate(g->network, layer->conv.channels * words, 8, g->err)
                          : NULL;

    if (!plus || (zero_percent >= 0 && !minus)) {
        return false;
    }
    for (size_t i = 0; i < layer->conv.channels * words; i++) {
        size_t bits = i % row_words == row_words - 1 ? row_bits - 64 * (row_words - 1) : 64;
        for (size_t bit = 0; bit < bits; bit++) {
            if (minus && chance(g, (size_t)zero_percent)) {
                continue;
            }
            uint64_t one = UINT64_C(1) << bit;
            if (chance(g, 50)) {
                plus[i] |= one;
            } else if (minus) {
                minus[i] |= one;
            }
        }
    }
    plane->plus = plus;
    plane->minus = minus;
    return true;
}

/* For layers of planes alone: powers of two up and down, all of the largest, sums at the end of a
 * byte and next to it. */
static const int32_t plane_multipliers[][BITTERN_MAX_PLANES] = {
    {1, 2, 4, 8, 16, 32, 64, 128},
    {128, 64, 32, 16, 8, 4, 2, 1},
    {255, 255, 255, 255, 255, 255, 255, 255},
    {63, 64, 64, 64, 127, 1, 126, 1},
};

static bool draw_weights(struct generator *g, struct bittern_layer *layer)
{
    struct bittern_weights *weights = &layer->weights;
    const int32_t *multipliers = NULL;

    if (layer->op == BITTERN_LAYER_SUM) {
        return true;
    }
    weights->kind = BITTERN_WEIGHT_BINARY + (int)random_below(&g->state, 3);
    weights->plane_count = 1;
    weights->words_per_output = network_words_per_output(layer);
    if (weights->kind == BITTERN_WEIGHT_PLANES) {
        weights->plane_count = chance(g, 30) ? 7 : between(g, 1, 4);
    }
    if (g->options.only_planes) {
        weights->kind = BITTERN_WEIGHT_PLANES;
        weights->plane_count = between(g, 2, BITTERN_MAX_PLANES);
        multipliers = plane_multipliers[random_below(&g->state, sizeof plane_multipliers /
                                                                    sizeof plane_multipliers[0])];
    }
    for (size_t p = 0; p < weights->plane_count; p++) {
        struct bittern_plane *plane = &weights->planes[p];
        bool ternary = weights->kind == BITTERN_WEIGHT_TERNARY ||
                       (weights->kind == BITTERN_WEIGHT_PLANES && chance(g, 70));
        int zero_percent = ternary ? (int)random_below(&g->state, 101) : -1;
        plane->multiplier = 1;
        if (multipliers) {
            plane->multiplier = multipliers[p];
        } else if (weights->plane_count > 1) {
            plane->multiplier = chance(g, 70)
                                    ? (int32_t)1 << p
                                    : (int32_t)between(g, 1, NETWORK_MAX_PLANE_MULTIPLIER);
        }
        if (!draw_plane(g, layer, zero_percent, plane)) {
            return false;
        }
        weights->bits += ternary ? 2 : 1;
    }
    return true;
}

/* Where acc of a channel usually is, for inputs spread over their range. */
struct acc_spread {
    double mean, deviation;
    int64_t minimum, maximum;
};

static struct acc_spread spread_of(const struct bittern_layer *layer, size_t channel)
{
    struct acc_spread s;
    double window = 1.0;

    if (layer->has_sum_pool) {
        window = (double)(layer->sum_pool.kernel_h * layer->sum_pool.kernel_w);
    }
    network_channel_range(layer, channel, &s.minimum, &s.maximum);
    s.minimum *= (int64_t)window;
    s.maximum *= (int64_t)window;
    s.mean = 0.5 * (double)(s.minimum + s.maximum);
    s.deviation =
        0.5 * (double)(s.maximum - s.minimum) / sqrt((double)network_fan_in(layer) * window * 3.0);
    return s;
}

static int32_t draw_threshold(struct generator *g, const struct acc_spread *s)
{
    if (chance(g, 5)) {
        return chance(g, 50) ? (int32_t)s->minimum : (int32_t)s->maximum;
    }
    double noise = random_unit(&g->state) + random_unit(&g->state) - 1.0;
    return (int32_t)lrint(s->mean + noise * s->deviation);
}

static bool draw_sign(struct generator *g, struct bittern_layer *layer, bool ternary)
{
    size_t channels = layer->conv.channels;
    int32_t *high = network_allocate(g->network, channels, sizeof *high, g->err);
    int32_t *low = ternary ? network_allocate(g->network, channels, sizeof *low, g->err) : NULL;
    uint8_t *descending = network_allocate(g->network, channels, 1, g->err);

    if (!high || !descending || (ternary && !low)) {
        return false;
    }
    for (size_t o = 0; o < channels; o++) {
        struct acc_spread s = spread_of(layer, o);
        descending[o] = chance(g, 40);
        high[o] = draw_threshold(g, &s);
        if (chance(g, 4)) { /* constant channels saturate just outside of the range */
            high[o] = (int32_t)(chance(g, 50) ? s.minimum - 1 : s.maximum + 1);
        }
        if (!ternary) {
            continue;
        }
        low[o] = draw_threshold(g, &s);
        if (descending[o] ? low[o] < high[o] : low[o] > high[o]) {
            int32_t swap = low[o];
            low[o] = high[o];
            high[o] = swap;
        }
        if (layer->output_type.minimum == 0) { /* {0,1}: never -1 */
            low[o] = (int32_t)(descending[o] ? s.maximum : s.minimum);
            if (descending[o] ? low[o] < high[o] : low[o] > high[o]) {
                high[o] = low[o];
            }
        } else if (layer->output_type.maximum == 0) { /* {-1,0}: never +1 */
            high[o] = (int32_t)(descending[o] ? s.minimum - 1 : s.maximum + 1);
        }
    }
    layer->activation.threshold_high = high;
    layer->activation.threshold_low = low;
    layer->activation.descending = descending;
    return true;
}

/* M / 2^S spreads about two deviations over the levels; B centres them and holds the half. */
static void draw_triple(struct generator *g, const struct bittern_layer *layer,
                        const struct acc_spread *s, int32_t *multiplier, int64_t *offset,
                        uint8_t *shift, uint8_t *ties)
{
    const double limit = 0x1p46; /* of the product, well inside of 48 bits */
    double levels = (double)(layer->output_type.maximum - layer->output_type.minimum) + 1.0;
    double middle = 0.5 * (double)(layer->output_type.maximum + layer->output_type.minimum);
    double gain = levels / (4.0 * s->deviation + 1.0) * (0.5 + random_unit(&g->state));
    double reach = fmax(fabs((double)layer->acc_min), fabs((double)layer->acc_max)) + 1.0;
    int bits = (int)random_below(&g->state, NETWORK_MAX_SHIFT + 1);
    *ties = (uint8_t)(chance(g, 20) ? random_below(&g->state, BITTERN_TIES_ODD + 1) : 0);
    if (*ties != BITTERN_TIES_UP) {
        bits = 1 + (int)random_below(&g->state, 4); /* so that ties occur */
    }

    gain = chance(g, 35) ? -gain : gain;
    while (bits > 0 && (fabs(ldexp(gain, bits)) > NETWORK_MAX_MULTIPLIER ||
                        fabs(ldexp(gain, bits)) * reach > limit ||
                        ldexp(fabs(middle) + fabs(gain * s->mean) + 1.0, bits) > limit)) {
        bits--;
    }
    *shift = (uint8_t)bits;
    *ties = bits > 0 ? *ties : BITTERN_TIES_UP;
    *multiplier = (int32_t)fmax(-NETWORK_MAX_MULTIPLIER,
                                fmin(NETWORK_MAX_MULTIPLIER, rint(ldexp(gain, bits))));
    *offset = (int64_t)rint(ldexp(middle, bits) - *multiplier * s->mean);
    if (bits > 0) {
        *offset += INT64_C(1) << (bits - 1);
    }
}

static bool draw_scale(struct generator *g, struct bittern_layer *layer)
{
    size_t channels = layer->conv.channels;
    int32_t *multiplier = network_allocate(g->network, channels, sizeof *multiplier, g->err);
    int64_t *offset = network_allocate(g->network, channels, sizeof *offset, g->err);
    uint8_t *shift = network_allocate(g->network, channels, 1, g->err);
    uint8_t *ties = network_allocate(g->network, channels, 1, g->err);
    bool has_ties = false;

    if (!multiplier || !offset || !shift || !ties) {
        return false;
    }
    for (size_t o = 0; o < channels; o++) {
        struct acc_spread s = spread_of(layer, o);
        draw_triple(g, layer, &s, &multiplier[o], &offset[o], &shift[o], &ties[o]);
        has_ties = has_ties || ties[o] != BITTERN_TIES_UP;
    }
    layer->activation.multiplier = multiplier;
    layer->activation.offset = offset;
    layer->activation.shift = shift;
    layer->activation.ties = has_ties ? ties : NULL;
    return true;
}

static bool draw_inexact(struct generator *g, struct bittern_layer *layer)
{
    if (layer->activation.kind != BITTERN_ACTIVATION_SCALE || chance(g, 60)) {
        return true;
    }
    size_t *channels = network_allocate(g->network, layer->conv.channels, sizeof *channels, g->err);
    uint64_t *values = network_allocate(g->network, layer->conv.channels, sizeof *values, g->err);
    if (!channels || !values) {
        return false;
    }
    for (size_t o = 0; o < layer->conv.channels; o++) {
        if (chance(g, 30)) {
            channels[layer->inexact_count] = o;
            values[layer->inexact_count++] = 1;
        }
    }
    layer->inexact_channels = channels;
    layer->inexact_values = values;
    return true;
}

static bool set_range(struct bittern_layer *layer)
{
    int64_t minimum = INT64_MAX;
    int64_t maximum = INT64_MIN;
    for (size_t o = 0; o < layer->conv.channels; o++) {
        struct acc_spread s = spread_of(layer, o);
        minimum = s.minimum < minimum ? s.minimum : minimum;
        maximum = s.maximum > maximum ? s.maximum : maximum;
    }
    layer->acc_min = (int32_t)minimum;
    layer->acc_max = (int32_t)maximum;
    int64_t window =
        layer->has_sum_pool ? (int64_t)(layer->sum_pool.kernel_h * layer->sum_pool.kernel_w) : 1;
    return minimum >= -INT32_MAX && maximum < INT32_MAX &&
           network_partial_sums_fit(layer, INT32_MAX / window);
}

/* In place of weights whose sums could leave 32 bits. */
static bool draw_small_weights(struct generator *g, struct bittern_layer *layer)
{
    layer->weights = (struct bittern_weights){
        .kind = BITTERN_WEIGHT_BINARY,
        .plane_count = 1,
        .planes = {{.multiplier = 1}},
        .words_per_output = network_words_per_output(layer),
        .bits = 1,
    };
    return draw_plane(g, layer, -1, &layer->weights.planes[0]) && set_range(layer);
}

static bool draw_activation(struct generator *g, struct bittern_layer *layer, bool none)
{
    struct bittern_activation *activation = &layer->activation;

    if (none) {
        activation->kind = BITTERN_ACTIVATION_NONE;
        layer->output_type = (struct bittern_value_type){.kind = BITTERN_VALUE_ACC,
                                                         .bits = 32,
                                                         .is_signed = true,
                                                         .minimum = layer->acc_min,
                                                         .maximum = layer->acc_max};
        return true;
    }
    enum bittern_value_kind kind = draw_value_kind(g);
    draw_type(g, kind, &layer->output_type);
    if (kind == BITTERN_VALUE_INT) {
        activation->kind = BITTERN_ACTIVATION_SCALE;
        return draw_scale(g, layer) && draw_inexact(g, layer);
    }
    activation->kind =
        kind == BITTERN_VALUE_TERNARY ? BITTERN_ACTIVATION_TERNARY : BITTERN_ACTIVATION_SIGN;
    return draw_sign(g, layer, kind == BITTERN_VALUE_TERNARY);
}

static bool draw_meaning(struct generator *g, struct bittern_layer *layer)
{
    double *scale = network_allocate(g->network, layer->output.channels, sizeof *scale, g->err);
    double *bias = network_allocate(g->network, layer->output.channels, sizeof *bias, g->err);
    if (!scale || !bias) {
        return false;
    }
    for (size_t o = 0; o < layer->output.channels; o++) {
        scale[o] = random_unit(&g->state) - 0.25;
        bias[o] = 2.0 * random_unit(&g->state) - 1.0;
    }
    layer->scale = scale;
    layer->bias = bias;
    return true;
}

static bool draw_layer(struct generator *g, size_t index)
{
    struct bittern_layer *layer = &g->network->layers[index];
    bool none = index + 1 == g->network->layer_count && chance(g, 70);
    char name[32];

    (void)snprintf(name, sizeof name, "layer_%zu", index);
    layer->name = network_copy_string(g->network, name, g->err);
    (void)snprintf(name, sizeof name, "tensor_%zu", index);
    layer->output_name = network_copy_string(g->network, name, g->err);
    layer->input = index ? layer[-1].output : g->network->input.shape;
    layer->input_type = index ? layer[-1].output_type : g->network->input.type;
    draw_op(g, layer);
    draw_pools(g, layer, !none);
    return layer->name && layer->output_name && draw_weights(g, layer) &&
           (set_range(layer) || draw_small_weights(g, layer)) && draw_take_min(g, layer) &&
           draw_activation(g, layer, none) && draw_meaning(g, layer);
}

bittern_status random_network(uint64_t seed, const struct random_network_options *options,
                              struct bittern_network **network, struct bittern_error *err)
{
    struct generator g = {.state = seed, .err = err};
    char name[40];

    if (options) {
        g.options = *options;
    }
    g.options.max_layers = g.options.max_layers ? g.options.max_layers : 4;
    g.options.max_channels = g.options.max_channels ? g.options.max_channels : 70;
    g.options.max_side = g.options.max_side ? g.options.max_side : 12;
    g.options.max_width = g.options.max_width ? g.options.max_width : g.options.max_side;
    (void)snprintf(name, sizeof name, "random_%llu", (unsigned long long)seed);
    bittern_status status =
        network_create(name, between(&g, 1, g.options.max_layers), &g.network, err);
    if (status == BITTERN_OK && !draw_input(&g)) {
        status = BITTERN_ERR_MEMORY;
    }
    for (size_t i = 0; status == BITTERN_OK && i < g.network->layer_count; i++) {
        if (!draw_layer(&g, i)) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "layer %zu: no memory", i);
        }
    }
    if (status == BITTERN_OK) {
        size_t outputs = bittern_network_output_count(g.network);
        g.network->top_k = chance(&g, 70) ? 1 : between(&g, 1, min_size(outputs, 5));
        status = network_validate(g.network, err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "random network of seed %llu", (unsigned long long)seed);
        bittern_network_free(g.network);
        g.network = NULL;
    }
    *network = g.network;
    return status;
}
