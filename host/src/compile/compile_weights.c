/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real weights as integers: in each output channel the smallest integers whose multiples of one
 * step the values are.
 *
 * What the layer before left as a scale a channel is multiplied into the weights first; the common
 * factor of all channels' scales stays outside, so that weights which were exact remain so.
 */
#include "compile/compile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Distinct magnitudes, exact bit for bit, that a channel may have before it is given up. */
#define MAX_MAGNITUDES 1024

struct magnitudes {
    size_t count;
    double values[MAX_MAGNITUDES];
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Distinct values, for the error message. */
static size_t count_distinct(const double *values, size_t count)
{
    double *sorted = malloc(count * sizeof *sorted);
    if (!sorted) {
        return count;
    }
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    size_t distinct = 1;
    for (size_t i = 1; i < count; i++) {
        distinct += sorted[i] != sorted[i - 1];
    }
    free(sorted);
    return distinct;
}

/* The smallest magnitude is `divisor` steps: are all others whole steps, too? */
static bool is_step(const struct magnitudes *set, int32_t divisor, double tolerance,
                    int32_t max_level)
{
    double step = set->values[0] / divisor;
    for (size_t i = set->count; i-- > 0;) {
        double k = rint(set->values[i] / step);
        if (k > max_level || fabs(set->values[i] - k * step) > tolerance * set->values[i]) {
            return false;
        }
    }
    return true;
}

size_t compile_find_levels(const double *values, size_t count, double tolerance, int32_t max_level,
                           int32_t *levels, double *step)
{
    struct magnitudes set = {.count = 0};

    *step = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0 &&
            !compile_insert_sorted(set.values, &set.count, MAX_MAGNITUDES, fabs(values[i]))) {
            return count_distinct(values, count);
        }
    }
    if (set.count == 0) {
        memset(levels, 0, count * sizeof *levels);
        return 0;
    }
    int32_t divisor = 1;
    while (divisor <= max_level && !is_step(&set, divisor, tolerance, max_level)) {
        divisor++;
    }
    if (divisor > max_level) {
        return count_distinct(values, count);
    }
    /* Scale by the largest, which has the smallest relative rounding. */
    double largest = set.values[set.count - 1];
    *step = largest / rint(largest / (set.values[0] / divisor));
    for (size_t i = 0; i < count; i++) {
        levels[i] = (int32_t)rint(values[i] / *step);
    }
    return 0;
}

/* ---- Where the real weights are ----------------------------------------------------------------
 */

/* Weight of output o and input i, the latter in the order (row, column, channel). */
struct reader {
    const double *values;
    size_t *positions;    /* [inputs]: where input i is in the tensor, without the output */
    size_t output_stride; /* distance of outputs */
    size_t input_stride;  /* what positions are to be multiplied with */
};

static bittern_status open_reader(const struct bittern_model *model,
                                  const struct compile_stage *stage, struct compile_weights *w,
                                  struct compile_arena *arena, struct reader *reader,
                                  struct bittern_error *err)
{
    const struct graph_tensor *t = graph_node_input(model, stage->node, 1);
    const struct bittern_shape *in = &stage->input.shape;
    bool is_conv = stage->node->op == GRAPH_CONV;
    bool outputs_first =
        is_conv || (stage->node->op == GRAPH_GEMM && graph_node_int(stage->node, "transB", 0) != 0);
    size_t kernel_h = is_conv ? (size_t)t->dims[2] : in->height;
    size_t kernel_w = is_conv ? (size_t)t->dims[3] : in->width;

    if (!is_conv && stage->op == BITTERN_LAYER_CONV) {
        /* A full connection that was moved in front of an average pool over the whole map. */
        kernel_h = kernel_w = 1;
    }
    w->outputs = stage->conv.channels;
    w->inputs = t->count / w->outputs;
    reader->values = t->constant;
    reader->output_stride = outputs_first ? w->inputs : 1;
    reader->input_stride = outputs_first ? 1 : w->outputs;
    reader->positions = compile_allocate(arena, w->inputs, sizeof *reader->positions, err);
    if (!reader->positions) {
        return BITTERN_ERR_MEMORY;
    }
    size_t i = 0;
    for (size_t row = 0; row < kernel_h; row++) {
        for (size_t column = 0; column < kernel_w; column++) {
            for (size_t c = 0; c < in->channels; c++) {
                size_t position = is_conv ? (c * kernel_h + row) * kernel_w + column
                                  : stage->op == BITTERN_LAYER_CONV
                                      ? c
                                      : compile_layout_index(&stage->input, c, row, column);
                reader->positions[i++] = position * reader->input_stride;
            }
        }
    }
    return BITTERN_OK;
}

/* ---- Scales of the inputs ----------------------------------------------------------------------
 */

/* The inputs' scales as factor * relative[c], where all relative scales are +-1 if they can be. */
static double split_scales(const struct compile_values *input, double *relative)
{
    double factor = fabs(input->scale[0]);
    for (size_t c = 0; c < input->shape.channels; c++) {
        if (fabs(input->scale[c]) != factor || factor == 0) {
            factor = 1;
            break;
        }
    }
    for (size_t c = 0; c < input->shape.channels; c++) {
        relative[c] = input->scale[c] / factor;
    }
    return factor;
}

static bool all_equal(const double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (values[i] != values[0]) {
            return false;
        }
    }
    return true;
}

/* Sum of weight * offset of its input; the padded taps stand for real zeros, and cancel out. */
static double sum_offsets(const struct compile_values *input, const double *weights,
                          const int32_t *levels, double step, size_t count)
{
    size_t channels = input->shape.channels;
    if (input->scale[0] != 0 && all_equal(input->offset, channels) &&
        all_equal(input->scale, channels)) {
        int64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += levels[i];
        }
        return (double)((long double)sum * step / input->scale[0] * input->offset[0]);
    }
    long double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (long double)weights[i] * input->offset[i % channels];
    }
    return (double)sum;
}

/* ---- A layer -----------------------------------------------------------------------------------
 */

static bittern_status fail_levels(const struct compile_stage *stage,
                                  const struct bittern_compile_options *options, size_t channel,
                                  size_t found, bool scaled, struct bittern_error *err)
{
    return graph_node_fail(
        err, BITTERN_ERR_UNSUPPORTED, stage->node,
        "its weights are not quantized%s: output channel %zu has %zu levels that are not integer "
        "multiples up to %d of one step (relative tolerance %.3g)",
        scaled ? ", after the scales of its input channels, which differ, were multiplied in" : "",
        channel, found, options->max_weight_level, options->weight_tolerance);
}

/* Gemm's C and Conv's bias, as what is added to a rounded sum of products. */
static bittern_status read_bias(const struct bittern_model *model,
                                const struct compile_stage *stage, struct compile_arena *arena,
                                struct compile_weights *w, struct bittern_error *err)
{
    const struct graph_node *node = stage->node;
    const struct graph_tensor *bias =
        node->op == GRAPH_MATMUL ? NULL : graph_node_input(model, node, 2);
    bool is_gemm = node->op == GRAPH_GEMM;
    double beta = is_gemm ? graph_node_float(node, "beta", 1) : 1;

    w->alpha = is_gemm ? graph_node_float(node, "alpha", 1) : 1;
    if (!bias) {
        return BITTERN_OK;
    }
    if (!bias->constant || (bias->count != 1 && bias->count != w->outputs)) {
        return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, node,
                               "its bias must be a constant with one value an output channel");
    }
    w->bias = compile_allocate(arena, w->outputs, sizeof *w->bias, err);
    if (!w->bias) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t o = 0; o < w->outputs; o++) {
        double value = bias->constant[bias->count == 1 ? 0 : o];
        w->bias[o] = beta == 1 ? value : beta * value;
    }
    return BITTERN_OK;
}

bittern_status compile_read_weights(const struct bittern_model *model,
                                    const struct compile_stage *stage,
                                    const struct compile_values *input,
                                    const struct bittern_compile_options *options,
                                    struct compile_arena *arena, struct compile_weights *w,
                                    struct bittern_error *err)
{
    size_t channels = input->shape.channels;
    struct reader reader;

    *w = (struct compile_weights){0};
    bittern_status status = open_reader(model, stage, w, arena, &reader, err);
    if (status == BITTERN_OK) {
        status = read_bias(model, stage, arena, w, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    double *relative = compile_allocate(arena, channels, sizeof *relative, err);
    double *real = compile_allocate(arena, w->inputs, sizeof *real, err);
    double *scaled = compile_allocate(arena, w->inputs, sizeof *scaled, err);
    w->levels = compile_allocate(arena, w->outputs * w->inputs, sizeof *w->levels, err);
    w->step = compile_allocate(arena, w->outputs, sizeof *w->step, err);
    w->offset = compile_allocate(arena, w->outputs, sizeof *w->offset, err);
    if (!relative || !real || !scaled || !w->levels || !w->step || !w->offset) {
        return BITTERN_ERR_MEMORY;
    }
    double factor = split_scales(input, relative);
    for (size_t o = 0; o < w->outputs; o++) {
        int32_t *levels = w->levels + o * w->inputs;
        for (size_t i = 0; i < w->inputs; i++) {
            real[i] = reader.values[o * reader.output_stride + reader.positions[i]];
            scaled[i] = real[i] * relative[i % channels];
            if (!isfinite(scaled[i])) {
                return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, stage->node,
                                       "a weight of output channel %zu is not finite", o);
            }
        }
        size_t found = compile_find_levels(scaled, w->inputs, options->weight_tolerance,
                                           options->max_weight_level, levels, &w->step[o]);
        if (found > 0) {
            return fail_levels(stage, options, o, found,
                               factor == 1 && !all_equal(relative, channels), err);
        }
        w->step[o] *= factor;
        w->offset[o] = sum_offsets(input, real, levels, w->step[o], w->inputs);
    }
    return BITTERN_OK;
}
