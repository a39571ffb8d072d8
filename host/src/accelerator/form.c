/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer of the network as the array computes it: everything is a convolution there. A full
 * connection's kernel is the whole map; a sum is a depthwise convolution with weights of one; a
 * gathered first layer is a 1x1 convolution of pixels that hold a whole window each.
 */
#include "accelerator/plan.h"
#include "network/network_build.h"

#include <stdarg.h>

#define MAX_KERNEL 256

bittern_status plan_fail(const struct layer_form *form, struct bittern_error *err,
                         bittern_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)bittern_error_set_va(err, status, format, args);
    va_end(args);
    bittern_error_prefix(err, "layer %zu '%.200s'", form->index, form->layer->name);
    return status;
}

bool value_is_flipped(const struct bittern_value_type *type)
{
    return type->kind == BITTERN_VALUE_INT && !type->is_signed && type->bits == 8;
}

static bool has_ternary_plane(const struct bittern_layer *layer)
{
    for (size_t p = 0; p < layer->weights.plane_count; p++) {
        if (layer->weights.planes[p].minus) {
            return true;
        }
    }
    return false;
}

static bool is_padded(const struct bittern_layer *layer)
{
    const struct bittern_window *w = &layer->window;
    return layer->op != BITTERN_LAYER_FC &&
           (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0;
}

static bittern_status choose_mode(const struct geometry *geometry, struct layer_form *form,
                                  struct bittern_error *err)
{
    const struct bittern_layer *layer = form->layer;
    bool ternary = has_ternary_plane(layer);
    uint32_t needed = 0;

    if (layer->op == BITTERN_LAYER_SUM || layer->input_type.kind == BITTERN_VALUE_INT) {
        form->mode = BITTERN_ARRAY_INT;
        form->format = DEVICE_INT;
        form->wide = ternary || layer->op == BITTERN_LAYER_SUM;
        needed = BITTERN_UNIT_TERNARY_ACCUMULATE | (form->wide ? BITTERN_UNIT_TERNARY : 0);
    } else if (layer->input_type.kind == BITTERN_VALUE_BINARY && !ternary) {
        form->mode = BITTERN_ARRAY_BINARY;
        form->format = DEVICE_BINARY;
        needed = BITTERN_UNIT_XNOR_POPCOUNT;
    } else {
        form->mode = BITTERN_ARRAY_TERNARY;
        form->format = DEVICE_TERNARY;
        needed = BITTERN_UNIT_XNOR_POPCOUNT | BITTERN_UNIT_TERNARY;
    }
    uint32_t missing = needed & ~geometry->units;
    if (missing != 0) {
        return plan_fail(form, err, BITTERN_ERR_UNSUPPORTED,
                         "it has %s weights on %s values, for which this geometry lacks the %s "
                         "unit; compile for another geometry",
                         layer->op == BITTERN_LAYER_SUM ? "no" : (ternary ? "ternary" : "binary"),
                         bittern_value_kind_name(layer->input_type.kind),
                         missing & BITTERN_UNIT_XNOR_POPCOUNT ? "XNOR-popcount"
                         : missing & BITTERN_UNIT_TERNARY     ? "ternary"
                                                              : "8-bit");
    }
    return BITTERN_OK;
}

/* Kernel, strides and padding of the convolution, and the sum pool behind it. */
static void set_windows(struct layer_form *form)
{
    const struct bittern_layer *layer = form->layer;
    const struct bittern_window *w = &layer->window;
    struct bittern_shape conv = layer->conv;

    form->channels = (uint32_t)layer->input.channels;
    form->in_height = (uint32_t)layer->input.height;
    form->in_width = (uint32_t)layer->input.width;
    form->kernel_h = (uint32_t)(layer->op == BITTERN_LAYER_FC ? layer->input.height : w->kernel_h);
    form->kernel_w = (uint32_t)(layer->op == BITTERN_LAYER_FC ? layer->input.width : w->kernel_w);
    form->stride_y = (uint32_t)w->stride_h;
    form->stride_x = (uint32_t)w->stride_w;
    form->pad_top = (uint32_t)w->pad_top;
    form->pad_left = (uint32_t)w->pad_left;
    form->sum_h = form->sum_w = 1;
    if (layer->has_sum_pool) {
        conv = network_window_output(&layer->sum_pool, conv.channels, conv.height, conv.width);
        form->sum_h = (uint32_t)layer->sum_pool.kernel_h;
        form->sum_w = (uint32_t)layer->sum_pool.kernel_w;
        form->sum_stride_y = form->stride_y;
        form->sum_stride_x = form->stride_x;
        form->stride_y *= (uint32_t)layer->sum_pool.stride_h;
        form->stride_x *= (uint32_t)layer->sum_pool.stride_w;
    } else if (form->depthwise) {
        /* The loops of the sum pool do the same without weights of their own for each tap. */
        form->sum_h = form->kernel_h;
        form->sum_w = form->kernel_w;
        form->kernel_h = form->kernel_w = 1;
        form->sum_stride_y = form->sum_stride_x = 1;
    }
    form->conv_height = (uint32_t)conv.height;
    form->conv_width = (uint32_t)conv.width;
}

static void set_pool(struct layer_form *form)
{
    const struct bittern_layer *layer = form->layer;

    form->window_h = form->window_w = 1;
    form->pool_stride_y = form->pool_stride_x = 1;
    if (layer->has_max_pool) {
        form->window_h = (uint32_t)layer->max_pool.kernel_h;
        form->window_w = (uint32_t)layer->max_pool.kernel_w;
        form->pool_stride_y = (uint32_t)layer->max_pool.stride_h;
        form->pool_stride_x = (uint32_t)layer->max_pool.stride_w;
        form->pool_top = (uint32_t)layer->max_pool.pad_top;
        form->pool_left = (uint32_t)layer->max_pool.pad_left;
    }
    form->out_channels = (uint32_t)layer->output.channels;
    form->out_height = (uint32_t)layer->output.height;
    form->out_width = (uint32_t)layer->output.width;
}

/* Each window becomes one pixel, padding filled in, with its values in the order r, s, c. */
static bittern_status gather(struct layer_form *form, struct bittern_error *err)
{
    const struct bittern_layer *layer = form->layer;
    uint64_t values = (uint64_t)form->channels * form->kernel_h * form->kernel_w;

    if (form->depthwise || (form->format == DEVICE_BINARY && is_padded(layer))) {
        return plan_fail(form, err, BITTERN_ERR_UNSUPPORTED,
                         "its windows cannot be laid out by the host");
    }
    if (values > NETWORK_MAX_VALUES) {
        return plan_fail(form, err, BITTERN_ERR_RANGE, "its windows are too large");
    }
    form->gathered = true;
    form->channels = (uint32_t)values;
    form->in_height = (uint32_t)layer->conv.height;
    form->in_width = (uint32_t)layer->conv.width;
    form->kernel_h = form->kernel_w = 1;
    form->stride_y = layer->has_sum_pool ? (uint32_t)layer->sum_pool.stride_h : 1;
    form->stride_x = layer->has_sum_pool ? (uint32_t)layer->sum_pool.stride_w : 1;
    form->sum_stride_y = form->sum_stride_x = 1;
    form->pad_top = form->pad_left = 0;
    return BITTERN_OK;
}

/* A stride that nothing uses follows the other one, so that it stays in range and allows phases. */
static void drop_unused_strides(struct layer_form *form)
{
    if (form->conv_height == 1) {
        form->stride_y = form->conv_width == 1 ? 1 : form->stride_x;
    }
    if (form->conv_width == 1) {
        form->stride_x = form->stride_y;
    }
    form->sum_stride_y = form->sum_h == 1 ? 1 : form->sum_stride_y;
    form->sum_stride_x = form->sum_w == 1 ? 1 : form->sum_stride_x;
    form->pool_stride_y = form->out_height == 1 ? 1 : form->pool_stride_y;
    form->pool_stride_x = form->out_width == 1 ? 1 : form->pool_stride_x;
}

bittern_status layer_form_make(const struct bittern_network *network, size_t index,
                               bool gather_first, const struct geometry *geometry,
                               struct layer_form *form, struct bittern_error *err)
{
    const struct bittern_layer *layer = bittern_network_layer(network, index);
    enum bittern_activation_kind activation = layer->activation.kind;

    *form = (struct layer_form){
        .layer = layer,
        .index = index,
        .depthwise = layer->op == BITTERN_LAYER_SUM,
        .result = index + 1 == bittern_network_layer_count(network),
        .threshold =
            activation == BITTERN_ACTIVATION_SIGN || activation == BITTERN_ACTIVATION_TERNARY,
        .planes = layer->op == BITTERN_LAYER_SUM ? 1 : (uint32_t)layer->weights.plane_count,
        .tiles = (uint32_t)((layer->conv.channels + geometry->oc - 1) / geometry->oc),
    };
    bittern_status status = choose_mode(geometry, form, err);
    if (status != BITTERN_OK) {
        return status;
    }
    set_windows(form);
    set_pool(form);
    if (gather_first && index == 0) {
        status = gather(form, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (form->kernel_h > MAX_KERNEL || form->kernel_w > MAX_KERNEL) {
        return plan_fail(form, err, BITTERN_ERR_UNSUPPORTED,
                         "the array's kernels have at most %d rows and columns, and a full "
                         "connection's kernel is its whole input of %ux%u",
                         MAX_KERNEL, form->kernel_h, form->kernel_w);
    }
    drop_unused_strides(form);
    return BITTERN_OK;
}

struct kernel_steps layer_form_steps(const struct layer_form *form, const struct geometry *geometry,
                                     bool dup)
{
    struct kernel_steps k = {0};
    uint64_t atom = geometry_atom(geometry, form->format);
    uint64_t taps = (uint64_t)form->kernel_h * form->kernel_w;

    k.atoms = (form->channels + atom - 1) / atom;
    k.radix = dup ? k.atoms : (k.atoms + 1) / 2;
    if (form->depthwise) { /* the planes that hold one tile's channels */
        k.radix = geometry->oc > 2 * atom ? geometry->oc / (2 * atom) : 1;
    }
    k.steps = dup ? (k.atoms * taps + 1) / 2 : k.radix * taps;
    return k;
}
