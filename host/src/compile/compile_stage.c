/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage as a function of its accumulator, computed with the graph's own float64 operations in
 * their own order; and which accumulators can occur.
 */
#include "compile/compile.h"

#include <math.h>

/* x of pixel value u: what --input-range says, in float64, one rounding for each operator. */
static double image_value(enum bittern_input_range range, int64_t u)
{
    switch (range) {
    case BITTERN_INPUT_0_1:
        return (double)u / 255.0;
    case BITTERN_INPUT_MINUS1_1:
        return 2.0 * (double)u / 255.0 - 1.0;
    case BITTERN_INPUT_0_255:
    default:
        return (double)u;
    }
}

static size_t function_channel(const struct graph_function *f, size_t channel)
{
    return f->spread == GRAPH_SPREAD_CHANNEL ? channel : 0;
}

double compile_apply(const struct compile_expression *e, size_t channel, int64_t acc)
{
    double x;
    if (e->stage->source == COMPILE_IMAGE) {
        x = image_value(e->input_range, acc);
    } else {
        /* An exact sum of products, rounded once, as the graph's own evaluation has it. */
        x = fma((double)acc, e->scale[channel], e->offset[channel]);
    }
    if (e->divisor != 1) {
        x = x / e->divisor;
    }
    if (e->has_bias) {
        x = e->weights->alpha == 1 ? x : e->weights->alpha * x;
        x = e->weights->bias ? x + e->weights->bias[channel] : x;
    }
    for (size_t i = e->first; i < e->count; i++) {
        const struct graph_function *f = &e->stage->functions[i];
        x = graph_function_apply(f, function_channel(f, channel), x);
    }
    return x;
}

static double parameter(const struct graph_function *f, size_t i, size_t channel)
{
    return f->parameters[i].values[function_channel(f, channel) * f->parameters[i].stride];
}

/* y = *a * x + *b */
static void affine_of(const struct graph_function *f, size_t channel, double *a, double *b)
{
    *a = 1;
    *b = 0;
    switch (f->op) {
    case GRAPH_ADD:
        *b = parameter(f, 0, channel);
        break;
    case GRAPH_SUB:
        *b = f->argument == 1 ? parameter(f, 0, channel) : -parameter(f, 0, channel);
        *a = f->argument == 1 ? -1 : 1;
        break;
    case GRAPH_MUL:
        *a = parameter(f, 0, channel);
        break;
    case GRAPH_DIV:
        *a = 1 / parameter(f, 0, channel);
        break;
    case GRAPH_NEG:
        *a = -1;
        break;
    case GRAPH_BATCH_NORM:
        *a = parameter(f, 0, channel) / sqrt(parameter(f, 3, channel) + f->epsilon);
        *b = parameter(f, 1, channel) - *a * parameter(f, 2, channel);
        break;
    default: /* IDENTITY */
        break;
    }
}

void compile_affine(const struct compile_stage *stage, size_t from, size_t to, size_t channel,
                    double *a, double *b)
{
    *a = 1;
    *b = 0;
    for (size_t i = from; i < to; i++) {
        double slope;
        double offset;
        affine_of(&stage->functions[i], channel, &slope, &offset);
        *a *= slope;
        *b = slope * *b + offset;
    }
}

bool compile_is_affine(const struct compile_stage *stage, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!graph_function_is_affine(&stage->functions[i])) {
            return false;
        }
    }
    return true;
}

int compile_slope(const struct compile_stage *stage, size_t from, size_t to, size_t channel)
{
    int slope = 1;
    for (size_t i = from; i < to; i++) {
        const struct graph_function *f = &stage->functions[i];
        slope *= graph_function_slope(f, function_channel(f, channel));
    }
    return slope;
}

size_t compile_cut(const struct compile_stage *stage)
{
    size_t cut = stage->function_count;
    while (cut > 0 && graph_function_is_affine(&stage->functions[cut - 1])) {
        cut--;
    }
    return cut;
}

/* ---- Accumulators ------------------------------------------------------------------------------
 */

static bool pads(const struct bittern_window *w)
{
    return (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Integers that a tap can hold: low, low + stride, ..., high. */
struct tap {
    int64_t low, high, stride;
};

static struct tap find_tap(const struct compile_stage *stage, const struct compile_values *input)
{
    struct tap tap = {input->type.minimum, input->type.maximum, 1};
    if (pads(&stage->window)) {
        tap.low = input->pad_value < tap.low ? input->pad_value : tap.low;
        tap.high = input->pad_value > tap.high ? input->pad_value : tap.high;
    } else if (input->type.kind == BITTERN_VALUE_BINARY) {
        tap.stride = 2;
    }
    return tap;
}

static void find_lattice(const struct tap *tap, const int32_t *levels, size_t count,
                         struct compile_lattice *lattice)
{
    int64_t stride = 0;
    *lattice = (struct compile_lattice){0};
    for (size_t i = 0; i < count; i++) {
        int64_t k = levels ? levels[i] : 1;
        lattice->minimum += k >= 0 ? k * tap->low : k * tap->high;
        lattice->maximum += k >= 0 ? k * tap->high : k * tap->low;
        if (k != 0 && stride != 1) {
            stride = gcd(k < 0 ? -k : k, stride);
        }
    }
    lattice->stride = stride == 0 ? 1 : stride * tap->stride;
}

bittern_status compile_find_lattices(const struct compile_stage *stage,
                                     const struct compile_values *input,
                                     const struct compile_weights *weights,
                                     struct compile_lattice *lattices, struct bittern_error *err)
{
    struct tap tap = find_tap(stage, input);
    int64_t pool =
        stage->has_sum_pool ? (int64_t)(stage->sum_pool.kernel_h * stage->sum_pool.kernel_w) : 1;
    size_t window = stage->window.kernel_h * stage->window.kernel_w;

    for (size_t c = 0; c < stage->conv.channels; c++) {
        struct compile_lattice *l = &lattices[c];
        if (weights) {
            find_lattice(&tap, weights->levels + c * weights->inputs, weights->inputs, l);
        } else {
            find_lattice(&tap, NULL, window, l);
        }
        int64_t magnitude = l->maximum > -l->minimum ? l->maximum : -l->minimum;
        int64_t largest;
        if (__builtin_mul_overflow(magnitude, pool, &largest) || largest >= INT32_MAX) {
            int bits = 1;
            while (bits < 63 && (magnitude >> (bits - 1)) > 0) {
                bits++;
            }
            for (int64_t p = pool; p > 1; p = (p + 1) / 2) {
                bits++;
            }
            return graph_node_fail(
                err, BITTERN_ERR_RANGE, stage->node,
                "the accumulator of output channel %zu needs %d bits, and has 32", c, bits);
        }
        l->minimum *= pool;
        l->maximum *= pool;
    }
    return BITTERN_OK;
}
