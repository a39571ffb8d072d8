/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stage becomes one layer: weights to planes, accumulator ranges, steps, a value type, and the
 * integers of its activation. The image's stage becomes the input table in the same way.
 */
#include "compile/compile.h"

#include <math.h>
#include <stdlib.h>

/* A stage and what is known of it so far. */
struct builder {
    struct compile_context *c;
    const struct compile_stage *stage;
    size_t channels;
    struct compile_weights *weights; /* NULL for the image and sums */
    struct compile_weights storage;
    struct compile_expression expression;
    size_t cut; /* the activation is functions up to here; what follows is affine */
    struct compile_lattice *lattices;
    struct compile_staircase *staircases;
    struct bittern_error *err;
};

static void *allocate(struct builder *b, size_t count, size_t size)
{
    return compile_allocate(&b->c->scratch, count, size, b->err);
}

/* ---- The stage as a function -------------------------------------------------------------------
 */

/* Real value of acc, as acc * scale + offset, before bias and functions. */
static bittern_status set_scales(struct builder *b, const struct compile_values *input)
{
    const struct compile_stage *stage = b->stage;
    double *scale = allocate(b, b->channels, sizeof *scale);
    double *offset = allocate(b, b->channels, sizeof *offset);
    if (!scale || !offset) {
        return BITTERN_ERR_MEMORY;
    }
    double window = (double)(stage->window.kernel_h * stage->window.kernel_w);
    double pool =
        stage->has_sum_pool ? (double)(stage->sum_pool.kernel_h * stage->sum_pool.kernel_w) : 1;
    for (size_t c = 0; c < b->channels; c++) {
        scale[c] = b->weights ? b->weights->step[c] : input->scale[c];
        offset[c] = b->weights ? b->weights->offset[c] : input->offset[c] * window;
        if (b->weights && stage->has_sum_pool && !stage->is_moved) {
            /* A sum of affine values: as the graph has them up to float64 rounding. */
            double a;
            double d;
            double bias = b->weights->bias ? b->weights->bias[c] : 0;
            compile_affine(stage, 0, stage->sum_pool_after, c, &a, &d);
            d += a * (b->weights->alpha * offset[c] + bias);
            scale[c] *= a * b->weights->alpha;
            offset[c] = d;
        }
        offset[c] *= pool;
    }
    b->expression.scale = scale;
    b->expression.offset = offset;
    b->expression.divisor = b->weights ? pool : window;
    return BITTERN_OK;
}

static void set_expression(struct builder *b)
{
    const struct compile_stage *stage = b->stage;
    bool folded = stage->has_sum_pool && !stage->is_moved;

    b->cut = compile_cut(stage);
    b->expression.stage = stage;
    b->expression.weights = b->weights;
    b->expression.input_range = b->c->options.input_range;
    b->expression.has_bias = b->weights && !folded;
    b->expression.first = folded ? stage->sum_pool_after : 0;
    b->cut = b->cut < b->expression.first ? b->expression.first : b->cut;
    b->expression.count = b->cut;
}

static bittern_status explain(struct builder *b, bittern_status status)
{
    bittern_error_prefix(b->err, "layer '%s': its output, tensor '%s', is not quantized",
                         b->stage->name, b->c->model->tensors[b->stage->tensor].name);
    return status;
}

static bittern_status find_staircases(struct builder *b)
{
    b->staircases = allocate(b, b->channels, sizeof *b->staircases);
    bittern_status status = b->staircases ? BITTERN_OK : BITTERN_ERR_MEMORY;
    for (size_t c = 0; c < b->channels && status == BITTERN_OK; c++) {
        status = compile_find_steps(&b->expression, c, &b->lattices[c], &b->c->scratch,
                                    &b->staircases[c], b->err);
        if (status == BITTERN_ERR_UNSUPPORTED) {
            bool is_affine = compile_cut(b->stage) == 0;
            bittern_error_prefix(b->err,
                                 is_affine ? "no quantizer between it and the next layer"
                                           : "its activation needs a quantizer of 8 bits at most");
            return explain(b, status);
        }
    }
    return status;
}

/* What the next layer pads with, in front of this stage's affine tail. */
static bittern_status find_pad_levels(struct builder *b, double **levels)
{
    const struct compile_stage *stage = b->stage;
    *levels = NULL;
    if (!stage->is_padded) {
        return BITTERN_OK;
    }
    double *pad = allocate(b, b->channels, sizeof *pad);
    if (!pad) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < b->channels; c++) {
        double a;
        double d;
        compile_affine(stage, b->cut, stage->function_count, c, &a, &d);
        pad[c] = a != 0 ? (stage->pad_real - d) / a : 0;
        if (!isfinite(pad[c]) || (a == 0 && d != stage->pad_real)) {
            return bittern_error_set(b->err, BITTERN_ERR_UNSUPPORTED,
                                     "layer '%s': its channel %zu is constant, and the next "
                                     "convolution pads with another value",
                                     stage->name, c);
        }
        pad[c] = pad[c] == 0 ? 0 : pad[c]; /* no negative zero */
    }
    *levels = pad;
    return BITTERN_OK;
}

/* Steps, and the value type that holds them; the affine tail goes into scale and offset. */
static bittern_status choose_values(struct builder *b, enum compile_grids grids,
                                    struct compile_values *values)
{
    const struct compile_stage *stage = b->stage;
    double *pad;

    values->shape = (struct bittern_shape){b->channels, stage->output.height, stage->output.width};
    values->pad_value = 0;
    values->scale = network_allocate(b->c->network, b->channels, sizeof(double), b->err);
    values->offset = network_allocate(b->c->network, b->channels, sizeof(double), b->err);
    if (!values->scale || !values->offset) {
        return BITTERN_ERR_MEMORY;
    }
    bittern_status status = find_staircases(b);
    if (status == BITTERN_OK) {
        status = find_pad_levels(b, &pad);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    status = compile_choose_values(b->staircases, b->channels, grids, pad, &b->c->scratch, values,
                                   b->err);
    if (status == BITTERN_ERR_UNSUPPORTED) {
        return explain(b, status);
    }
    for (size_t c = 0; c < b->channels && status == BITTERN_OK; c++) {
        double a;
        double d;
        compile_affine(stage, b->cut, stage->function_count, c, &a, &d);
        values->scale[c] *= a;
        values->offset[c] = a * values->offset[c] + d;
    }
    return status;
}

/* ---- Activations -------------------------------------------------------------------------------
 */

/* Last piece with q <= limit (rising) or first with q <= limit (falling), as the accumulator where
 * q goes beyond the limit: the first one above it, or the last one. */
static int64_t find_threshold(const struct compile_staircase *s,
                              const struct compile_lattice *lattice, bool descending, int32_t q)
{
    if (descending) {
        int64_t last = lattice->minimum - 1;
        for (size_t i = 0; i < s->count && s->pieces[i].q >= q; i++) {
            last = s->pieces[i].last;
        }
        return last;
    }
    int64_t first = lattice->maximum + 1;
    for (size_t i = s->count; i-- > 0 && s->pieces[i].q >= q;) {
        first = s->pieces[i].first;
    }
    return first;
}

static bittern_status build_thresholds(struct builder *b, const struct bittern_value_type *type,
                                       struct bittern_activation *activation)
{
    struct bittern_network *network = b->c->network;
    bool is_ternary = type->kind == BITTERN_VALUE_TERNARY;
    int32_t *low = is_ternary ? network_allocate(network, b->channels, sizeof *low, b->err) : NULL;
    int32_t *high = network_allocate(network, b->channels, sizeof *high, b->err);
    uint8_t *descending = network_allocate(network, b->channels, 1, b->err);

    if (!high || !descending || (is_ternary && !low)) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < b->channels; c++) {
        const struct compile_staircase *s = &b->staircases[c];
        bool falls = s->pieces[s->count - 1].q < s->pieces[0].q;
        descending[c] = falls;
        high[c] = (int32_t)find_threshold(s, &b->lattices[c], falls, 1);
        if (is_ternary) {
            low[c] = (int32_t)find_threshold(s, &b->lattices[c], falls, 0);
        }
    }
    activation->kind = is_ternary ? BITTERN_ACTIVATION_TERNARY : BITTERN_ACTIVATION_SIGN;
    activation->threshold_low = low;
    activation->threshold_high = high;
    activation->descending = descending;
    return BITTERN_OK;
}

static bittern_status list_inexact(struct builder *b, const uint64_t *wrong,
                                   struct bittern_layer *layer)
{
    size_t count = 0;
    for (size_t c = 0; c < b->channels; c++) {
        count += wrong[c] > 0;
    }
    if (count == 0) {
        return BITTERN_OK;
    }
    size_t *channels = network_allocate(b->c->network, count, sizeof *channels, b->err);
    uint64_t *values = network_allocate(b->c->network, count, sizeof *values, b->err);
    if (!channels || !values) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < b->channels; c++) {
        if (wrong[c] > 0) {
            channels[layer->inexact_count] = c;
            values[layer->inexact_count++] = wrong[c];
        }
    }
    layer->inexact_channels = channels;
    layer->inexact_values = values;
    return BITTERN_OK;
}

static bittern_status build_scales(struct builder *b, struct bittern_layer *layer)
{
    struct bittern_network *network = b->c->network;
    struct bittern_activation *activation = &layer->activation;
    const struct bittern_value_type *type = &layer->output_type;
    int32_t *multiplier = network_allocate(network, b->channels, sizeof *multiplier, b->err);
    int64_t *offset = network_allocate(network, b->channels, sizeof *offset, b->err);
    uint8_t *shift = network_allocate(network, b->channels, 1, b->err);
    uint8_t *ties = network_allocate(network, b->channels, 1, b->err);
    uint64_t *wrong = allocate(b, b->channels, sizeof *wrong);
    bool has_ties = false;

    if (!multiplier || !offset || !shift || !ties || !wrong) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < b->channels; c++) {
        struct compile_scale s;
        if (!compile_find_scale(&b->staircases[c], b->lattices[c].stride, type->minimum,
                                type->maximum, layer->acc_min, layer->acc_max, &s)) {
            (void)bittern_error_set(b->err, BITTERN_ERR_UNSUPPORTED,
                                    "channel %zu: the activation is not a uniform staircase: no "
                                    "(acc * M + B) >> S comes within one level of it",
                                    c);
            return explain(b, BITTERN_ERR_UNSUPPORTED);
        }
        multiplier[c] = s.multiplier;
        offset[c] = s.offset;
        shift[c] = s.shift;
        ties[c] = s.ties;
        has_ties = has_ties || s.ties != BITTERN_TIES_UP;
        wrong[c] = s.wrong;
    }
    activation->kind = BITTERN_ACTIVATION_SCALE;
    activation->multiplier = multiplier;
    activation->offset = offset;
    activation->shift = shift;
    activation->ties = has_ties ? ties : NULL;
    return list_inexact(b, wrong, layer);
}

/* The last layer without a quantizer: accumulators, and what they mean. */
static bittern_status build_scores(struct builder *b, struct bittern_layer *layer,
                                   struct compile_values *values)
{
    const struct compile_expression *e = &b->expression;
    const struct compile_stage *stage = b->stage;

    if (stage->has_max_pool) {
        return graph_node_fail(
            b->err, BITTERN_ERR_UNSUPPORTED, stage->node,
            "the last layer's max pool needs a quantizer in front of or behind it");
    }
    values->scale = network_allocate(b->c->network, b->channels, sizeof(double), b->err);
    values->offset = network_allocate(b->c->network, b->channels, sizeof(double), b->err);
    if (!values->scale || !values->offset) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < b->channels; c++) {
        double a;
        double d;
        double scale = e->scale[c] / e->divisor;
        double offset = e->offset[c] / e->divisor;
        if (e->has_bias) {
            scale *= e->weights->alpha;
            offset = e->weights->alpha * offset + (e->weights->bias ? e->weights->bias[c] : 0);
        }
        compile_affine(stage, e->first, stage->function_count, c, &a, &d);
        values->scale[c] = a * scale;
        values->offset[c] = a * offset + d;
    }
    values->type =
        (struct bittern_value_type){BITTERN_VALUE_ACC, 32, true, layer->acc_min, layer->acc_max};
    layer->activation.kind = BITTERN_ACTIVATION_NONE;
    return BITTERN_OK;
}

/* Channels whose values fall behind the pool: the largest real is the smallest integer. */
static bittern_status set_take_min(struct builder *b, struct bittern_layer *layer)
{
    const struct compile_stage *stage = b->stage;
    uint8_t *take_min = NULL;
    size_t after = stage->max_pool_after;
    size_t from = after < b->cut ? after : b->cut;
    size_t to = after < b->cut ? b->cut : after;

    layer->has_max_pool = stage->has_max_pool;
    layer->max_pool = stage->max_pool;
    for (size_t c = 0; c < b->channels && stage->has_max_pool; c++) {
        if (compile_slope(stage, from, to, c) >= 0) {
            continue;
        }
        if (!take_min) {
            take_min = network_allocate(b->c->network, b->channels, 1, b->err);
            if (!take_min) {
                return BITTERN_ERR_MEMORY;
            }
        }
        take_min[c] = 1;
    }
    layer->take_min = take_min;
    return BITTERN_OK;
}

/* ---- Layers ------------------------------------------------------------------------------------
 */

static bittern_status describe(struct builder *b, const struct compile_values *input,
                               struct bittern_layer *layer)
{
    const struct compile_stage *stage = b->stage;
    struct bittern_network *network = b->c->network;
    const char *output_name = b->c->model->tensors[stage->tensor].name;

    layer->name = network_copy_string(network, stage->name, b->err);
    layer->output_name = network_copy_string(network, output_name, b->err);
    if (!layer->name || !layer->output_name) {
        return BITTERN_ERR_MEMORY;
    }
    layer->op = stage->op;
    layer->input = stage->input.shape;
    layer->conv = stage->conv;
    layer->output = stage->output;
    layer->input_type = input->type;
    layer->window = stage->window;
    layer->pad_value = input->pad_value;
    layer->has_sum_pool = stage->has_sum_pool;
    layer->sum_pool = stage->sum_pool;
    return BITTERN_OK;
}

static bittern_status find_ranges(struct builder *b, const struct compile_values *input,
                                  struct bittern_layer *layer)
{
    b->lattices = allocate(b, b->channels, sizeof *b->lattices);
    if (!b->lattices) {
        return BITTERN_ERR_MEMORY;
    }
    bittern_status status = compile_find_lattices(b->stage, input, b->weights, b->lattices, b->err);
    layer->acc_min = INT32_MAX;
    layer->acc_max = INT32_MIN;
    for (size_t c = 0; c < b->channels && status == BITTERN_OK; c++) {
        int32_t minimum = (int32_t)b->lattices[c].minimum;
        int32_t maximum = (int32_t)b->lattices[c].maximum;
        layer->acc_min = minimum < layer->acc_min ? minimum : layer->acc_min;
        layer->acc_max = maximum > layer->acc_max ? maximum : layer->acc_max;
    }
    return status;
}

static bittern_status build_quantized(struct builder *b, enum compile_grids grids,
                                      struct bittern_layer *layer, struct compile_values *values)
{
    bittern_status status = choose_values(b, grids, values);
    layer->output_type = values->type;
    if (status == BITTERN_OK) {
        status = values->type.kind == BITTERN_VALUE_INT
                     ? build_scales(b, layer)
                     : build_thresholds(b, &values->type, &layer->activation);
    }
    return status;
}

/* Does each channel have levels of its own, by a quantizer with a scale a channel? */
static bool is_quantized_by_channel(const struct builder *b)
{
    bool is_quantized = false;
    for (size_t i = b->expression.first; i < b->cut; i++) {
        const struct graph_function *f = &b->stage->functions[i];
        bool is_scaled =
            f->op == GRAPH_QUANT || f->op == GRAPH_BIPOLAR_QUANT || f->op == GRAPH_TRUNC;
        is_quantized = is_quantized || is_scaled || f->op == GRAPH_MULTI_THRESHOLD;
        if (f->spread == GRAPH_SPREAD_CHANNEL && is_quantized && f->op != GRAPH_MULTI_THRESHOLD) {
            return true;
        }
    }
    return false;
}

/*
 * Channels whose quantizers differ may share a grid, which then has steps that a channel skips and
 * ends that it does not reach; no M, B and S give that. A grid a channel is better where it has
 * fewer bits or fewer wrong values.
 */
static bittern_status build_own_grids(struct builder *b, bittern_status status,
                                      struct bittern_layer *layer, struct compile_values *values)
{
    struct bittern_layer other = *layer;
    struct compile_values other_values = *values;
    struct bittern_error ignored = {0};
    struct bittern_error *err = b->err;

    other.activation = (struct bittern_activation){0};
    other.inexact_count = 0;
    other.inexact_channels = NULL;
    other.inexact_values = NULL;
    b->err = &ignored;
    bittern_status second = build_quantized(b, COMPILE_GRID_A_CHANNEL, &other, &other_values);
    b->err = err;
    bool is_better = status != BITTERN_OK || other.inexact_count < layer->inexact_count ||
                     (other.inexact_count == layer->inexact_count &&
                      other.output_type.bits < layer->output_type.bits);
    if (second == BITTERN_OK && is_better) {
        *layer = other;
        *values = other_values;
        return BITTERN_OK;
    }
    return status;
}

static bittern_status build_activation(struct builder *b, bool is_last, struct bittern_layer *layer,
                                       struct compile_values *values)
{
    bittern_status status;
    if (is_last && compile_cut(b->stage) <= b->expression.first) {
        status = build_scores(b, layer, values);
        layer->output_type = values->type;
    } else {
        status = build_quantized(b, COMPILE_GRID_ANY, layer, values);
        bool may_differ = status == BITTERN_OK ? values->type.kind == BITTERN_VALUE_INT
                                               : status == BITTERN_ERR_UNSUPPORTED;
        if (may_differ && is_quantized_by_channel(b)) {
            status = build_own_grids(b, status, layer, values);
        }
    }
    return status == BITTERN_OK ? set_take_min(b, layer) : status;
}

bittern_status compile_layer(struct compile_context *c, const struct compile_stage *stage,
                             bool is_last, struct bittern_layer *layer,
                             struct compile_values *values, struct bittern_error *err)
{
    struct compile_values input = *values;
    struct builder b = {.c = c, .stage = stage, .channels = stage->conv.channels, .err = err};

    bittern_status status = describe(&b, &input, layer);
    if (status == BITTERN_OK && stage->source == COMPILE_LINEAR) {
        b.weights = &b.storage;
        status =
            compile_read_weights(c->model, stage, &input, &c->options, &c->scratch, b.weights, err);
        if (status == BITTERN_OK) {
            status = compile_pack_weights(c->network, layer, b.weights, err);
        }
    }
    if (status == BITTERN_OK) {
        status = find_ranges(&b, &input, layer);
    }
    if (status == BITTERN_OK) {
        status = set_scales(&b, &input);
    }
    if (status == BITTERN_OK) {
        set_expression(&b);
        status = build_activation(&b, is_last, layer, values);
    }
    layer->scale = values->scale;
    layer->bias = values->offset;
    return status;
}

/* ---- The image ---------------------------------------------------------------------------------
 */

bittern_status compile_image(struct compile_context *c, const struct compile_stage *stage,
                             struct compile_values *values, struct bittern_error *err)
{
    struct builder b = {.c = c, .stage = stage, .channels = stage->output.channels, .err = err};
    struct bittern_input *input = &c->network->input;
    const char *name = c->model->tensors[c->model->input].name;

    input->name = network_copy_string(c->network, name, err);
    int16_t *table = network_allocate(c->network, b.channels, 256 * sizeof *table, err);
    b.lattices = allocate(&b, b.channels, sizeof *b.lattices);
    if (!input->name || !table || !b.lattices) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t i = 0; i < b.channels; i++) {
        b.lattices[i] = (struct compile_lattice){0, 255, 1};
    }
    set_expression(&b);
    b.expression.divisor = 1;
    bittern_status status = choose_values(&b, COMPILE_GRID_ANY, values);
    for (size_t i = 0; i < b.channels && status == BITTERN_OK; i++) {
        for (size_t p = 0; p < b.staircases[i].count; p++) {
            const struct compile_piece *piece = &b.staircases[i].pieces[p];
            for (int64_t u = piece->first; u <= piece->last; u++) {
                table[i * 256 + (size_t)u] = (int16_t)piece->q;
            }
        }
    }
    input->shape = stage->output;
    input->type = values->type;
    input->table = table;
    return status;
}
