/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's descriptor from its form and its maps. Addresses and lanes depend on the segment and
 * come later.
 */
#include "accelerator/plan.h"
#include "network/network_build.h"

#include <inttypes.h>
#include <string.h>

#define MAX_COORDINATE 8191
#define MAX_OUTPUT_SIDE 4095
#define MAX_RESULTS ((1 << 24) / PLAN_IMAGES)

static void set_output(const struct layer_form *form, struct device_layer *layer)
{
    layer->tiles = form->tiles;
    layer->window_w = form->window_w;
    layer->window_h = form->window_h;
    layer->window_size = form->window_w * form->window_h;
    layer->pool = layer->window_size > 1;
    layer->out_width = form->out_width;
    layer->out_height = form->out_height;
    layer->pool_stride_x = form->pool_stride_x;
    layer->pool_stride_y = form->pool_stride_y;
    layer->pool_left = form->pool_left;
    layer->pool_top = form->pool_top;
    layer->conv_width = form->conv_width;
    layer->conv_height = form->conv_height;
    layer->results_per_image = form->out_width * form->out_height;
}

static void set_input(const struct layer_form *form, const struct device_map *in,
                      struct device_layer *layer)
{
    layer->stride_x = form->stride_x;
    layer->stride_y = form->stride_y;
    layer->pad_left = form->pad_left;
    layer->pad_top = form->pad_top;
    layer->in_width = form->in_width;
    layer->in_height = form->in_height;
    layer->dup = in->dup;
    layer->in_phase = in->phase;
    layer->in_row_pitch = in->row_pitch;
    layer->in_image_pitch = in->image_pitch;
    layer->in_plane_pitch = in->plane_pitch;
    layer->in_column_phase = in->column_phase;
    layer->in_row_phase = in->row_phase;
}

/* Digits of a number of atoms, or planes, in the kernel's counter (c, s, r). */
struct digits {
    uint32_t c, s, r;
};

static struct digits digits_of(const struct layer_form *form, uint64_t radix, uint64_t number)
{
    uint64_t taps = number / radix;
    return (struct digits){(uint32_t)(number % radix), (uint32_t)(taps % form->kernel_w),
                           (uint32_t)(taps / form->kernel_w)};
}

static bittern_status set_kernel(const struct layer_form *form, const struct geometry *geometry,
                                 const struct device_map *in, struct device_layer *layer,
                                 struct bittern_error *err)
{
    struct kernel_steps k = layer_form_steps(form, geometry, in->dup);
    uint64_t per_row = form->mode != BITTERN_ARRAY_INT ? 1 : (form->wide ? 4 : 8);
    uint64_t rows = (k.steps + per_row - 1) / per_row;
    uint64_t tile_rows = geometry->parameter_rows + form->planes * rows;

    if (tile_rows >= geometry->weight_rows || k.steps > UINT16_MAX || k.radix > UINT16_MAX) {
        return plan_fail(form, err, BITTERN_ERR_RANGE,
                         "the weights of %u of its output channels (%u plane%s) take %" PRIu64
                         " rows of "
                         "the weight ring, and this geometry has room for %u: compile for a larger "
                         "geometry, or give the layer fewer inputs",
                         geometry->oc, form->planes, form->planes == 1 ? "" : "s", tile_rows,
                         geometry->weight_rows - 1);
    }
    layer->atoms = (uint32_t)k.radix;
    layer->kernel_w = form->kernel_w;
    layer->kernel_h = form->kernel_h;
    layer->sum_w_less_1 = form->sum_w - 1;
    layer->sum_h_less_1 = form->sum_h - 1;
    layer->sum_stride_x = form->sum_stride_x;
    layer->sum_stride_y = form->sum_stride_y;
    layer->steps_per_tap = (uint32_t)k.steps;
    layer->rows_per_plane = (uint32_t)rows;
    layer->rows_per_tile = (uint32_t)tile_rows;
    struct digits step = digits_of(form, k.radix, in->dup ? 2 : 1);
    struct digits hi = digits_of(form, k.radix, in->dup ? 1 : 0);
    layer->step_c = step.c;
    layer->step_s = step.s;
    layer->step_r = step.r;
    layer->hi_c = hi.c;
    layer->hi_s = hi.s;
    layer->hi_r = hi.r;
    if (form->depthwise) {
        uint32_t in_plane = 2 * geometry_atom(geometry, form->format);
        layer->tile_step = (uint32_t)k.radix * in->plane_pitch;
        while (geometry->oc << layer->tile_shift < in_plane) {
            layer->tile_shift++;
        }
    }
    return BITTERN_OK;
}

static void set_bits(uint32_t *mask, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        mask[i / 32] |= UINT32_C(1) << i % 32;
    }
}

/* Lanes of the last c that hold channels: `count` of the half that starts at bit `first`. */
static void mask_half(const struct layer_form *form, const struct geometry *geometry,
                      struct device_layer *layer, uint32_t first, uint32_t count)
{
    switch (form->format) {
    case DEVICE_BINARY:
        set_bits(layer->lane_mask, first, count);
        break;
    case DEVICE_TERNARY:
        set_bits(layer->lane_mask, first, count);
        set_bits(layer->lane_mask, first + geometry->half / 2, count);
        break;
    case DEVICE_INT:
        set_bits(layer->lane_mask, first, 8 * count);
        break;
    }
}

static void set_lane_mask(const struct layer_form *form, const struct geometry *geometry,
                          const struct device_map *in, struct device_layer *layer)
{
    uint32_t atom = geometry_atom(geometry, form->format);
    uint32_t count[2]; /* channels of the last c in each half */

    if (form->depthwise) { /* the weights are 0 where there is no channel */
        set_bits(layer->lane_mask, 0, geometry->word);
        return;
    }
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t last = in->dup ? layer->atoms - 1 : 2 * (layer->atoms - 1) + half;
        uint32_t before = last * atom;
        count[half] = before < form->channels ? form->channels - before : 0;
        count[half] = count[half] < atom ? count[half] : atom;
        mask_half(form, geometry, layer, half * geometry->half, count[half]);
    }
    layer->odd_lo = form->mode == BITTERN_ARRAY_BINARY && count[0] % 2 != 0;
    layer->odd_hi = form->mode == BITTERN_ARRAY_BINARY && count[1] % 2 != 0;
}

static void set_mode(const struct layer_form *form, struct device_layer *layer)
{
    const struct bittern_layer *network_layer = form->layer;

    layer->is_int = form->mode == BITTERN_ARRAY_INT;
    layer->ternary = form->mode == BITTERN_ARRAY_TERNARY;
    layer->wide = layer->is_int && form->wide;
    layer->planes = form->planes;
    for (uint32_t p = 0; p < form->planes; p++) {
        layer->multiplier[p] =
            form->depthwise ? 1 : (uint32_t)network_layer->weights.planes[p].multiplier;
    }
    if (layer->is_int) {
        int32_t stored = network_layer->pad_value;
        stored -= value_is_flipped(&network_layer->input_type) ? 128 : 0;
        layer->pad = (uint32_t)stored & 0xFF;
    }
}

static void set_activation(const struct layer_form *form, const struct geometry *geometry,
                           const struct device_map *out, struct device_layer *layer)
{
    const struct bittern_layer *network_layer = form->layer;

    layer->threshold = form->threshold;
    layer->result = form->result;
    layer->writes = 1;
    if (network_layer->activation.kind == BITTERN_ACTIVATION_SCALE) {
        layer->clamp = 1;
        layer->clamp_minimum = network_layer->output_type.minimum;
        layer->clamp_maximum = network_layer->output_type.maximum;
        layer->flip = !form->result && value_is_flipped(&network_layer->output_type);
    }
    if (form->result) {
        layer->result_stride = form->tiles * geometry->oc * 4;
        return;
    }
    uint32_t in_plane = geometry_atom(geometry, out->format) * (out->dup ? 1 : 2);
    if (geometry->oc > in_plane) {
        layer->writes = geometry->oc / in_plane;
    }
    while (geometry->oc << layer->tiles_per_plane_log2 < in_plane) {
        layer->tiles_per_plane_log2++;
    }
    layer->out_format = out->format;
    layer->out_dup = out->dup;
    layer->out_phase = out->phase;
    layer->out_row_pitch = out->row_pitch;
    layer->out_image_pitch = out->image_pitch;
    layer->out_plane_pitch = out->plane_pitch;
    layer->out_column_phase = out->column_phase;
    layer->out_row_phase = out->row_phase;
    layer->row_offset = out->row_offset;
    layer->column_offset = out->column_offset;
}

/* All multiplications of an image at the full rate of the mode. A sum has one addition a tap, of
 * which a step makes one for each output channel. */
static void set_ideal_cycles(const struct layer_form *form, const struct geometry *geometry,
                             struct device_layer *layer)
{
    const struct bittern_layer *network_layer = form->layer;
    uint64_t work = bittern_layer_macs(network_layer) * form->planes;
    uint64_t rate = (uint64_t)geometry->oc * geometry->px;

    if (form->depthwise) {
        work = (uint64_t)network_layer->conv.channels * network_layer->conv.height *
               network_layer->conv.width * network_fan_in(network_layer);
    } else {
        rate *= 2 * geometry_atom(geometry, form->format);
    }
    work = (work + rate - 1) / rate;
    layer->ideal_cycles = work < UINT32_MAX ? (uint32_t)work : UINT32_MAX;
}

/* Rows and columns are counted in 13 bits and a sign, outputs in 12, results of a sub-batch in 24.
 */
static bool is_side_counted(uint64_t out, uint64_t pool_stride, uint64_t window, uint64_t stride,
                            uint64_t sum, uint64_t sum_stride, uint64_t kernel, uint64_t in)
{
    uint64_t last = (out - 1) * pool_stride + window - 1;
    return out <= MAX_OUTPUT_SIDE && in <= MAX_COORDINATE &&
           last * stride + (sum - 1) * sum_stride + kernel - 1 <= MAX_COORDINATE;
}

static bool is_counted(const struct layer_form *form)
{
    return is_side_counted(form->out_height, form->pool_stride_y, form->window_h, form->stride_y,
                           form->sum_h, form->sum_stride_y, form->kernel_h, form->in_height) &&
           is_side_counted(form->out_width, form->pool_stride_x, form->window_w, form->stride_x,
                           form->sum_w, form->sum_stride_x, form->kernel_w, form->in_width) &&
           (uint64_t)form->out_height * form->out_width <= MAX_RESULTS;
}

bittern_status device_layer_make(const struct layer_form *form, const struct geometry *geometry,
                                 const struct device_map *in, const struct device_map *out,
                                 struct device_layer *layer, struct bittern_error *err)
{
    memset(layer, 0, sizeof *layer);
    if (!is_counted(form)) {
        return plan_fail(form, err, BITTERN_ERR_RANGE,
                         "its %ux%u inputs or %ux%u outputs are more rows or columns than the "
                         "accelerator counts: %d and %d, and %d outputs a channel",
                         form->in_height, form->in_width, form->out_height, form->out_width,
                         MAX_COORDINATE, MAX_OUTPUT_SIDE, MAX_RESULTS);
    }
    layer->type = DEVICE_TYPE_LAYER;
    layer->number = (uint32_t)form->index;
    set_mode(form, layer);
    set_output(form, layer);
    set_input(form, in, layer);
    bittern_status status = set_kernel(form, geometry, in, layer, err);
    if (status != BITTERN_OK) {
        return status;
    }
    set_lane_mask(form, geometry, in, layer);
    set_activation(form, geometry, out, layer);
    set_ideal_cycles(form, geometry, layer);
    device_layer_set_lanes(layer, 1);

    uint8_t bytes[DEVICE_RECORD_BYTES];
    const char *wrong = device_layer_write(layer, bytes);
    if (wrong) {
        return plan_fail(form, err, BITTERN_ERR_RANGE,
                         "its %s is beyond what the accelerator's descriptors hold "
                         "(docs/device-program.md)",
                         wrong);
    }
    return BITTERN_OK;
}
