/* SPDX-License-Identifier: Apache-2.0 */
/* Formats, weights and thresholds of every layer, prepared for one kernel. */
#include "reference/plan.h"
#include "base/checked.h"
#include <stdlib.h>
#include <string.h>

void *reference_allocate(size_t count, size_t size)
{
    size_t bytes;
    if (!checked_mul_size(count, size, &bytes) ||
        !checked_add_size(bytes, 2 * REFERENCE_SLACK - 1, &bytes)) {
        return NULL;
    }
    bytes = bytes / REFERENCE_SLACK * REFERENCE_SLACK;
    void *memory = aligned_alloc(REFERENCE_SLACK, bytes);
    if (memory) {
        memset(memory, 0, bytes);
    }
    return memory;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Sizes of pixels, rows and the image; false where they overflow. */
static bool set_sizes(struct reference_format *format)
{
    size_t columns = format->shape.width + format->pad_left + format->pad_right;
    size_t rows = format->shape.height + format->pad_top + format->pad_bottom;
    size_t channels = format->shape.channels;
    format->words = (channels + 63) / 64;
    switch (format->kind) {
    case BITTERN_VALUE_BINARY:
        format->pixel_bytes = 8 * format->words;
        break;
    case BITTERN_VALUE_TERNARY:
        format->pixel_bytes = 16 * format->words;
        break;
    case BITTERN_VALUE_INT:
        format->pixel_bytes = channels;
        break;
    case BITTERN_VALUE_ACC:
    default:
        format->pixel_bytes = sizeof(int32_t) * channels;
        break;
    }
    return checked_mul_size(columns, format->pixel_bytes, &format->row_bytes) &&
           checked_mul_size(rows, format->row_bytes, &format->image_bytes);
}

/* The layer's input, with padding in memory where a SIMD sum has to see it. */
static bool plan_input(struct reference_layer *plan)
{
    const struct bittern_layer *layer = plan->layer;
    struct reference_format *input = &plan->input;
    input->kind = layer->input_type.kind;
    input->shape = layer->input;
    input->pad_value = layer->pad_value;
    input->low = layer->input_type.minimum;
    plan->window = layer->window;
    plan->input_height = layer->input.height;
    plan->input_width = layer->input.width;
    if (layer->op == BITTERN_LAYER_FC) {
        plan->window = (struct bittern_window){.kernel_h = 1,
                                               .kernel_w = layer->input.height * layer->input.width,
                                               .stride_h = 1,
                                               .stride_w = 1};
        plan->input_height = 1;
        plan->input_width = plan->window.kernel_w;
    }
    bool pads = plan->window.pad_top > 0 || plan->window.pad_left > 0 ||
                plan->window.pad_bottom > 0 || plan->window.pad_right > 0;
    plan->cuts_padding = layer->op != BITTERN_LAYER_SUM && pads && layer->pad_value == 0 &&
                         input->kind != BITTERN_VALUE_INT;
    if (pads && !plan->cuts_padding && layer->op != BITTERN_LAYER_SUM) {
        input->low = layer->pad_value < input->low ? layer->pad_value : input->low;
        input->pad_top = plan->window.pad_top;
        input->pad_left = plan->window.pad_left;
        input->pad_bottom = plan->window.pad_bottom;
        input->pad_right = plan->window.pad_right;
        plan->input_height += input->pad_top + input->pad_bottom;
        plan->input_width += input->pad_left + input->pad_right;
        plan->window.pad_top = 0;
        plan->window.pad_left = 0;
        plan->window.pad_bottom = 0;
        plan->window.pad_right = 0;
    }
    return set_sizes(input);
}

static reference_dot_function choose_dot(const struct reference_kernel *kernel,
                                         enum bittern_value_kind values, bool ternary_weights)
{
    switch (values) {
    case BITTERN_VALUE_BINARY:
        return ternary_weights ? kernel->dot_binary_ternary : kernel->dot_binary_binary;
    case BITTERN_VALUE_TERNARY:
        return ternary_weights ? kernel->dot_ternary_ternary : kernel->dot_ternary_binary;
    default:
        return kernel->dot_ints;
    }
}

/* How many planes from `first` on go into one array of weights: for integers, as many as are sure
 * to sum to a signed byte. */
static size_t count_folded(const struct reference_layer *plan, size_t first)
{
    const struct bittern_weights *weights = &plan->layer->weights;
    int32_t sum = weights->planes[first].multiplier;
    size_t end = first + 1;
    while (plan->input.kind == BITTERN_VALUE_INT && end < weights->plane_count &&
           sum + weights->planes[end].multiplier <= INT8_MAX) {
        sum += weights->planes[end++].multiplier;
    }
    return end - first;
}

/* Integers are summed as codes, value - low, and some kernels subtract int_bias from those. */
static bool plan_base(struct reference_layer *plan, const struct reference_kernel *kernel)
{
    const struct bittern_layer *layer = plan->layer;
    int64_t missing = (int64_t)plan->input.low + kernel->int_bias;
    if (plan->input.kind != BITTERN_VALUE_INT || missing == 0) {
        return true;
    }
    plan->base = reference_allocate(layer->conv.channels, sizeof *plan->base);
    if (!plan->base) {
        return false;
    }
    for (size_t o = 0; o < layer->conv.channels; ++o) {
        int64_t sum = 0;
        for (size_t p = 0; p < layer->weights.plane_count; ++p) {
            const struct bittern_plane *plane = &layer->weights.planes[p];
            sum += plane->multiplier * reference_weight_sum(layer, plane, o);
        }
        plan->base[o] = (int32_t)(uint32_t)(uint64_t)(missing * sum);
    }
    return true;
}

static bool plan_weights(struct reference_layer *plan, const struct reference_kernel *kernel)
{
    const struct bittern_layer *layer = plan->layer;
    plan->lanes = plan->input.kind == BITTERN_VALUE_INT ? kernel->ints : kernel->bits;
    plan->group_channels = plan->lanes.lanes * plan->lanes.blocks;
    if (layer->op == BITTERN_LAYER_SUM) {
        return true;
    }
    for (size_t first = 0; first < layer->weights.plane_count;) {
        const struct bittern_plane *planes = &layer->weights.planes[first];
        struct reference_plane *out = &plan->planes[plan->plane_count++];
        size_t count = count_folded(plan, first);
        out->dot = count > 1 ? kernel->dot_wide_ints
                             : choose_dot(kernel, plan->input.kind, planes->minus != NULL);
        if (!reference_pack_weights(plan, planes, count, out)) {
            return false;
        }
        first += count;
    }
    return plan_base(plan, kernel);
}

static bool plan_thresholds(struct reference_finish *finish,
                            const struct bittern_activation *activation, size_t channels)
{
    finish->flip = reference_allocate(channels, sizeof *finish->flip);
    finish->low = reference_allocate(channels, sizeof *finish->low);
    finish->high = reference_allocate(channels, sizeof *finish->high);
    if (!finish->flip || !finish->low || !finish->high) {
        return false;
    }
    for (size_t c = 0; c < channels; ++c) {
        int32_t flip = activation->descending && activation->descending[c] ? -1 : 0;
        finish->flip[c] = flip;
        finish->high[c] = activation->threshold_high[c] ^ flip;
        finish->low[c] = activation->threshold_low ? activation->threshold_low[c] ^ flip : 0;
    }
    return true;
}

static bool plan_scales(struct reference_finish *finish,
                        const struct bittern_activation *activation, size_t channels)
{
    finish->multiplier = reference_allocate(channels, sizeof *finish->multiplier);
    finish->offset = reference_allocate(channels, sizeof *finish->offset);
    finish->shift = reference_allocate(channels, sizeof *finish->shift);
    if (!finish->multiplier || !finish->offset || !finish->shift) {
        return false;
    }
    if (activation->ties) {
        finish->ties = reference_allocate(channels, sizeof *finish->ties);
        if (!finish->ties) {
            return false;
        }
        memcpy(finish->ties, activation->ties, channels * sizeof *finish->ties);
    }
    memcpy(finish->multiplier, activation->multiplier, channels * sizeof *finish->multiplier);
    memcpy(finish->offset, activation->offset, channels * sizeof *finish->offset);
    for (size_t c = 0; c < channels; ++c) {
        finish->shift[c] = activation->shift[c];
    }
    return true;
}

static bool plan_finish(struct reference_layer *plan, const struct reference_format *output)
{
    const struct bittern_layer *layer = plan->layer;
    struct reference_finish *finish = &plan->finish;
    size_t channels = layer->conv.channels;
    finish->kind = layer->activation.kind;
    finish->minimum = layer->output_type.minimum;
    finish->maximum = layer->output_type.maximum;
    finish->code_low = output->kind == BITTERN_VALUE_TERNARY ? -1 : output->low;
    finish->code_minus = 0;
    finish->code_plus = 1;
    if (layer->has_max_pool) {
        plan->min_flip = reference_allocate(channels, 1);
        if (!plan->min_flip) {
            return false;
        }
        for (size_t c = 0; c < channels; ++c) {
            plan->min_flip[c] = layer->take_min && layer->take_min[c] ? 255 : 0;
        }
    }
    switch (finish->kind) {
    case BITTERN_ACTIVATION_SIGN:
    case BITTERN_ACTIVATION_TERNARY:
        return plan_thresholds(finish, &layer->activation, channels);
    case BITTERN_ACTIVATION_SCALE:
        return plan_scales(finish, &layer->activation, channels);
    case BITTERN_ACTIVATION_NONE:
    default:
        return true;
    }
}

/* Rows that the layer holds back for its pools, a byte or an int32 a value. */
static bool plan_rows(struct reference_plan *plan, struct reference_layer *layer)
{
    const struct bittern_layer *source = layer->layer;
    bool is_acc = source->output_type.kind == BITTERN_VALUE_ACC;
    size_t channels = source->conv.channels;
    size_t acc = 0;
    size_t codes = is_acc ? sizeof(int32_t) : 1;
    layer->pooled = source->conv;
    if (source->has_sum_pool) {
        const struct bittern_window *pool = &source->sum_pool;
        layer->pooled.height = (source->conv.height - pool->kernel_h) / pool->stride_h + 1;
        layer->pooled.width = (source->conv.width - pool->kernel_w) / pool->stride_w + 1;
        acc = sizeof(int32_t);
        if (!checked_mul_size(acc, channels * source->conv.width, &acc) ||
            !checked_mul_size(acc, pool->kernel_h, &acc)) {
            return false;
        }
    }
    if (!checked_mul_size(codes, channels * layer->pooled.width, &codes) ||
        !checked_mul_size(codes, source->has_max_pool ? source->max_pool.kernel_h : 1, &codes)) {
        return false;
    }
    plan->acc_bytes = larger(plan->acc_bytes, acc);
    plan->code_bytes = larger(plan->code_bytes, codes);
    plan->window_rows = larger(plan->window_rows, layer->window.kernel_h);
    plan->channels = larger(plan->channels, larger(channels, source->input.channels));
    return true;
}

const struct reference_format *reference_plan_output(const struct reference_plan *plan, size_t i)
{
    return i + 1 < plan->layer_count ? &plan->layers[i + 1].input : &plan->output;
}

static bool plan_last_output(struct reference_plan *plan)
{
    const struct bittern_layer *last = plan->layers[plan->layer_count - 1].layer;
    plan->output.kind = last->output_type.kind;
    plan->output.shape = last->output;
    plan->output.low = last->output_type.minimum;
    return set_sizes(&plan->output);
}

static bool plan_layers(struct reference_plan *plan)
{
    for (size_t i = 0; i < plan->layer_count; ++i) {
        plan->layers[i].layer = bittern_network_layer(plan->network, i);
        if (!plan_input(&plan->layers[i])) {
            return false;
        }
        plan->image_bytes = larger(plan->image_bytes, plan->layers[i].input.image_bytes);
    }
    if (!plan_last_output(plan)) {
        return false;
    }
    plan->image_bytes = larger(plan->image_bytes, plan->output.image_bytes);
    for (size_t i = 0; i < plan->layer_count; ++i) {
        struct reference_layer *layer = &plan->layers[i];
        if (!plan_rows(plan, layer) || !plan_weights(layer, plan->kernel) ||
            !plan_finish(layer, reference_plan_output(plan, i))) {
            return false;
        }
    }
    return true;
}

bittern_status reference_plan_create(const struct bittern_network *network,
                                     const struct reference_kernel *kernel,
                                     struct reference_plan **plan, struct bittern_error *err)
{
    struct reference_plan *made = calloc(1, sizeof *made);
    if (made) {
        made->network = network;
        made->kernel = kernel;
        made->layer_count = bittern_network_layer_count(network);
        made->layers = calloc(made->layer_count, sizeof *made->layers);
    }
    if (!made || !made->layers || !plan_layers(made)) {
        reference_plan_free(made);
        *plan = NULL;
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "no memory for the packed weights of network '%s'",
                                 bittern_network_name(network));
    }
    *plan = made;
    return BITTERN_OK;
}

void reference_plan_free(struct reference_plan *plan)
{
    if (!plan) {
        return;
    }
    for (size_t i = 0; plan->layers && i < plan->layer_count; ++i) {
        struct reference_layer *layer = &plan->layers[i];
        for (size_t p = 0; p < BITTERN_MAX_PLANES; ++p) {
            free(layer->planes[p].weights);
        }
        free(layer->base);
        free(layer->min_flip);
        free(layer->finish.flip);
        free(layer->finish.low);
        free(layer->finish.high);
        free(layer->finish.multiplier);
        free(layer->finish.offset);
        free(layer->finish.shift);
        free(layer->finish.ties);
    }
    free(plan->layers);
    free(plan);
}
