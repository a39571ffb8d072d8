/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that act on every value by itself. graph_function_prepare looks up a node's constants and
 * attributes once; graph_function_apply computes one value from them. Evaluation of whole tensors
 * goes through the same graph_function_apply, so both give identical bits.
 *
 * Quant, BipolarQuant, MultiThreshold and Trunc follow QONNX's own definition: the operator
 * documents and the reference implementation of the qonnx project.
 */
#include "model/graph_semantics.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static double parameter(const struct graph_function *function, size_t i, size_t channel)
{
    return function->parameters[i].values[channel * function->parameters[i].stride];
}

/* ---- Preparing --------------------------------------------------------------------------------
 */

bool graph_rounding_find(const char *name, enum graph_rounding *rounding)
{
    static const struct {
        const char *name;
        enum graph_rounding rounding;
    } names[] = {
        {"ROUND", GRAPH_ROUND_HALF_EVEN},
        {"HALF_EVEN", GRAPH_ROUND_HALF_EVEN},
        {"CEIL", GRAPH_ROUND_CEIL},
        {"FLOOR", GRAPH_ROUND_FLOOR},
        {"UP", GRAPH_ROUND_UP},
        {"DOWN", GRAPH_ROUND_DOWN},
        {"ROUND_TO_ZERO", GRAPH_ROUND_DOWN},
        {"HALF_UP", GRAPH_ROUND_HALF_UP},
        {"HALF_DOWN", GRAPH_ROUND_HALF_DOWN},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i].name) == 0) {
            *rounding = names[i].rounding;
            return true;
        }
    }
    return false;
}

static enum graph_rounding find_rounding(const struct graph_node *node, const char *fallback)
{
    enum graph_rounding rounding = GRAPH_ROUND_HALF_EVEN;
    (void)graph_rounding_find(graph_node_string(node, "rounding_mode", fallback), &rounding);
    return rounding;
}

void graph_parameter_inputs(const struct graph_node *node,
                            unsigned char inputs[GRAPH_FUNCTION_PARAMETERS])
{
    for (unsigned char i = 0; i < GRAPH_FUNCTION_PARAMETERS; i++) {
        bool has_input = node->op != GRAPH_IDENTITY && (size_t)i + 1 < node->input_count;
        inputs[i] = has_input ? (unsigned char)(i + 1) : 0;
    }
    if (node->op == GRAPH_TRUNC && node->input_count > 5) {
        /* Six inputs, or seven: the output's scale, [its zero point,] its bits. */
        inputs[3] = node->input_count == 6 ? 5 : 6;
        inputs[4] = 4;
    }
}

/*
 * How a constant of shape `constant` is spread over x: one value, or one for each index of an axis.
 * False where it is neither, or would make the result larger than x.
 */
static bool find_spread(const struct graph_tensor *constant, const struct graph_tensor *x,
                        struct graph_function *function, struct graph_parameter *parameter_out)
{
    parameter_out->values = constant->constant;
    parameter_out->stride = 0;
    if (constant->rank > x->rank) {
        return false;
    }
    if (constant->count == 1) {
        return true;
    }
    for (size_t i = 0; i < constant->rank; i++) {
        size_t axis = x->rank - constant->rank + i;
        if (constant->dims[i] == 1) {
            continue;
        }
        bool fits = axis > 0 && constant->dims[i] == x->dims[axis] &&
                    constant->count == (size_t)constant->dims[i] &&
                    (function->spread != GRAPH_SPREAD_CHANNEL || function->axis == axis);
        if (!fits) {
            return false;
        }
        function->spread = GRAPH_SPREAD_CHANNEL;
        function->axis = axis;
        function->channels = constant->count;
        parameter_out->stride = 1;
    }
    return true;
}

/* BATCH_NORM's constants belong to axis 1, whatever x's rank is. */
static bool find_batch_norm_spread(const struct bittern_model *model, const struct graph_node *node,
                                   const struct graph_tensor *x, struct graph_function *function)
{
    function->spread = GRAPH_SPREAD_CHANNEL;
    function->axis = 1;
    function->channels = (size_t)x->dims[1];
    for (size_t i = 0; i < 4; i++) {
        const struct graph_tensor *constant = graph_node_input(model, node, i + 1);
        if (constant == NULL || constant->constant == NULL) {
            return false;
        }
        function->parameters[i] = (struct graph_parameter){constant->constant, 1};
    }
    return true;
}

size_t graph_multi_threshold_axis(const struct graph_node *node, size_t rank)
{
    bool channels_last = strcmp(graph_node_string(node, "data_layout", "NCHW"), "NHWC") == 0;
    if (rank == 2 || (rank == 4 && !channels_last)) {
        return 1;
    }
    return rank - 1;
}

static bool find_threshold_spread(const struct bittern_model *model, const struct graph_node *node,
                                  const struct graph_tensor *x, struct graph_function *function)
{
    const struct graph_tensor *thresholds = graph_node_input(model, node, 1);
    if (thresholds == NULL || thresholds->constant == NULL) {
        return false;
    }
    function->steps = (size_t)thresholds->dims[1];
    function->parameters[0] = (struct graph_parameter){thresholds->constant, 0};
    if (thresholds->dims[0] > 1) {
        function->spread = GRAPH_SPREAD_CHANNEL;
        function->axis = graph_multi_threshold_axis(node, x->rank);
        function->channels = (size_t)thresholds->dims[0];
        function->parameters[0].stride = function->steps;
    }
    return function->spread != GRAPH_SPREAD_CHANNEL || function->axis > 0;
}

static bool find_constants(const struct bittern_model *model, const struct graph_node *node,
                           const struct graph_tensor *x, struct graph_function *function)
{
    if (node->op == GRAPH_BATCH_NORM) {
        return find_batch_norm_spread(model, node, x, function);
    }
    if (node->op == GRAPH_MULTI_THRESHOLD) {
        return find_threshold_spread(model, node, x, function);
    }
    unsigned char inputs[GRAPH_FUNCTION_PARAMETERS];
    graph_parameter_inputs(node, inputs);
    for (size_t i = 0; i < GRAPH_FUNCTION_PARAMETERS; i++) {
        /* c op x has its constant in front. */
        size_t input = function->argument == 1 ? 0 : inputs[i];
        const struct graph_tensor *constant = graph_node_input(model, node, input);
        if (inputs[i] == 0 || constant == NULL) {
            continue;
        }
        if (constant->constant == NULL ||
            !find_spread(constant, x, function, &function->parameters[i])) {
            return false;
        }
    }
    return true;
}

/* Everything but the constants: what graph_function_apply needs from attributes. */
static void find_settings(const struct graph_node *node, struct graph_function *function)
{
    function->op = node->op;
    function->spread = GRAPH_SPREAD_SCALAR;
    function->channels = 1;
    function->rounding = find_rounding(node, node->op == GRAPH_TRUNC ? "FLOOR" : "ROUND");
    function->is_signed = graph_node_int(node, "signed", 1) != 0;
    function->is_narrow = graph_node_int(node, "narrow", 0) != 0;
    function->epsilon = graph_node_float(node, "epsilon", (double)1e-5F);
    function->out_scale = graph_node_float(node, "out_scale", 1);
    function->out_bias = graph_node_float(node, "out_bias", 0);
}

bool graph_op_is_elementwise(enum graph_op op)
{
    switch (op) {
    case GRAPH_ADD:
    case GRAPH_SUB:
    case GRAPH_MUL:
    case GRAPH_DIV:
    case GRAPH_NEG:
    case GRAPH_BATCH_NORM:
    case GRAPH_RELU:
    case GRAPH_SIGN:
    case GRAPH_FLOOR:
    case GRAPH_CEIL:
    case GRAPH_ROUND:
    case GRAPH_CLIP:
    case GRAPH_IDENTITY:
    case GRAPH_QUANT:
    case GRAPH_BIPOLAR_QUANT:
    case GRAPH_MULTI_THRESHOLD:
    case GRAPH_TRUNC:
    case GRAPH_ABS:
    case GRAPH_POW:
    case GRAPH_RECIPROCAL:
    case GRAPH_SQRT:
        return true;
    default:
        return false;
    }
}

static bool is_arithmetic(enum graph_op op)
{
    return op == GRAPH_ADD || op == GRAPH_SUB || op == GRAPH_MUL || op == GRAPH_DIV;
}

void graph_function_prepare(const struct bittern_model *model, const struct graph_node *node,
                            struct graph_function *function)
{
    *function = (struct graph_function){.op = node->op, .spread = GRAPH_SPREAD_NOT};
    if (!graph_op_is_elementwise(node->op)) {
        return;
    }
    find_settings(node, function);
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    const struct graph_tensor *second = graph_node_input(model, node, 1);
    if (is_arithmetic(node->op) && x != NULL && x->constant != NULL && second != NULL &&
        second->constant == NULL) {
        function->argument = 1;
        x = second;
    }
    bool divides_by_x = node->op == GRAPH_DIV && function->argument == 1;
    if (x == NULL || divides_by_x || !find_constants(model, node, x, function)) {
        function->spread = GRAPH_SPREAD_NOT;
    }
}

/* ---- Applying ---------------------------------------------------------------------------------
 */

/* To an integer in one of QONNX's ways. */
static double round_value(enum graph_rounding rounding, double x)
{
    switch (rounding) {
    case GRAPH_ROUND_CEIL:
        return ceil(x);
    case GRAPH_ROUND_FLOOR:
        return floor(x);
    case GRAPH_ROUND_UP:
        return x < 0 ? floor(x) : ceil(x);
    case GRAPH_ROUND_DOWN:
        return trunc(x);
    case GRAPH_ROUND_HALF_UP:
        return round(x);
    case GRAPH_ROUND_HALF_DOWN: {
        double down = trunc(x);
        return fabs(x - down) > 0.5 ? down + (x < 0 ? -1.0 : 1.0) : down;
    }
    case GRAPH_ROUND_HALF_EVEN:
    default:
        return rint(x);
    }
}

static int sign_of(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

static double clamp(double x, double low, double high)
{
    return x > high ? high : x < low ? low : x;
}

/* Into the integers of `bits` bits; bits is 1..32. */
static double clamp_bits(const struct graph_function *function, double bits, double x)
{
    double narrow = function->is_narrow ? 1 : 0;
    double size = (double)(UINT64_C(1) << (unsigned)bits);
    return function->is_signed ? clamp(x, narrow - size / 2, size / 2 - 1)
                               : clamp(x, 0, size - 1 - narrow);
}

static double apply_quant(const struct graph_function *function, size_t channel, double x)
{
    double scale = parameter(function, 0, channel);
    double zero = parameter(function, 1, channel);
    double bits = parameter(function, 2, channel);
    double y = x / scale + zero;
    if (bits == 1 && function->is_signed) {
        /* QONNX reads one signed bit as {-1,+1}, not as the {-1,0} of two's complement. */
        y = y >= 0 ? 1 : -1;
    } else {
        y = round_value(function->rounding, clamp_bits(function, bits, y));
    }
    return (y - zero) * scale;
}

/* The power of two that is nearest to x > 0 on a logarithmic scale. */
static double nearest_power_of_two(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent); /* in [0.5,1) */
    return ldexp(1, mantissa * mantissa > 0.5 ? exponent : exponent - 1);
}

static double apply_trunc(const struct graph_function *function, size_t channel, double x)
{
    double scale = parameter(function, 0, channel);
    double zero = parameter(function, 1, channel);
    double bits_out = parameter(function, 3, channel);
    double y = rint(x / scale + zero);
    if (function->parameters[4].values == NULL) {
        double bits_in = parameter(function, 2, channel);
        y = round_value(function->rounding, y / ldexp(1, (int)(bits_in - bits_out)));
        return (y - zero) * scale;
    }
    double out_scale = parameter(function, 4, channel);
    double step = nearest_power_of_two(out_scale / scale);
    y = round_value(function->rounding, clamp_bits(function, bits_out, y / step));
    return (y - zero / step) * out_scale;
}

static double apply_clip(const struct graph_function *function, size_t channel, double x)
{
    double low = function->parameters[0].values ? parameter(function, 0, channel) : -INFINITY;
    double high = function->parameters[1].values ? parameter(function, 1, channel) : INFINITY;
    double y = x < low ? low : x;
    return y > high ? high : y;
}

static double apply_batch_norm(const struct graph_function *function, size_t channel, double x)
{
    double gamma = parameter(function, 0, channel);
    double beta = parameter(function, 1, channel);
    double mean = parameter(function, 2, channel);
    double variance = parameter(function, 3, channel);
    return gamma * (x - mean) / sqrt(variance + function->epsilon) + beta;
}

/* Thresholds rise, so that those <= x are a prefix: its length by bisection. */
static double apply_multi_threshold(const struct graph_function *function, size_t channel, double x)
{
    const struct graph_parameter *p = &function->parameters[0];
    const double *thresholds = p->values + channel * p->stride;
    size_t low = 0;
    size_t high = function->steps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x >= thresholds[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return function->out_scale * (double)low + function->out_bias;
}

double graph_function_apply(const struct graph_function *function, size_t channel, double x)
{
    switch (function->op) {
    case GRAPH_ADD:
        return x + parameter(function, 0, channel);
    case GRAPH_SUB:
        return function->argument == 1 ? parameter(function, 0, channel) - x
                                       : x - parameter(function, 0, channel);
    case GRAPH_MUL:
        return x * parameter(function, 0, channel);
    case GRAPH_DIV:
        return x / parameter(function, 0, channel);
    case GRAPH_NEG:
        return -x;
    case GRAPH_BATCH_NORM:
        return apply_batch_norm(function, channel, x);
    case GRAPH_RELU:
        return x > 0 ? x : 0;
    case GRAPH_SIGN:
        return sign_of(x);
    case GRAPH_FLOOR:
        return floor(x);
    case GRAPH_CEIL:
        return ceil(x);
    case GRAPH_ROUND:
        return rint(x);
    case GRAPH_CLIP:
        return apply_clip(function, channel, x);
    case GRAPH_QUANT:
        return apply_quant(function, channel, x);
    case GRAPH_BIPOLAR_QUANT:
        return x >= 0 ? parameter(function, 0, channel) : -parameter(function, 0, channel);
    case GRAPH_MULTI_THRESHOLD:
        return apply_multi_threshold(function, channel, x);
    case GRAPH_TRUNC:
        return apply_trunc(function, channel, x);
    case GRAPH_ABS:
        return fabs(x);
    case GRAPH_POW:
        return pow(x, parameter(function, 0, channel));
    case GRAPH_RECIPROCAL:
        return 1 / x;
    case GRAPH_SQRT:
        return sqrt(x);
    default: /* IDENTITY */
        return x;
    }
}

/* ---- Properties -------------------------------------------------------------------------------
 */

int graph_function_slope(const struct graph_function *function, size_t channel)
{
    switch (function->op) {
    case GRAPH_NEG:
        return -1;
    case GRAPH_SUB:
        return function->argument == 1 ? -1 : 1;
    case GRAPH_MUL:
    case GRAPH_DIV:
    case GRAPH_BATCH_NORM:
        return sign_of(parameter(function, 0, channel));
    case GRAPH_MULTI_THRESHOLD:
        return sign_of(function->out_scale);
    case GRAPH_CLIP:
        return apply_clip(function, channel, -INFINITY) < apply_clip(function, channel, INFINITY);
    default:
        return 1;
    }
}

bool graph_function_is_affine(const struct graph_function *function)
{
    return function->spread != GRAPH_SPREAD_NOT &&
           (is_arithmetic(function->op) || function->op == GRAPH_NEG ||
            function->op == GRAPH_BATCH_NORM || function->op == GRAPH_IDENTITY);
}
