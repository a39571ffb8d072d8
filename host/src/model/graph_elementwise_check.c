/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the constants of elementwise nodes must satisfy, so that graph_function_apply never divides
 * by zero, is monotone, and needs no checks of its own. Constants that are themselves computed from
 * the image are refused here, too.
 */
#include "model/graph_semantics.h"

#include <math.h>
#include <string.h>

struct check {
    const struct bittern_model *model;
    const struct graph_node *node;
    struct bittern_error *err;
};

typedef bool (*value_rule)(double value);

static bool is_finite_value(double value)
{
    return isfinite(value);
}

static bool is_positive(double value)
{
    return isfinite(value) && value > 0;
}

static bool is_bit_width(double value)
{
    return value >= 1 && value <= 32 && value == floor(value);
}

static bool is_nonzero(double value)
{
    return isfinite(value) && value != 0;
}

static bool is_no_nan(double value)
{
    return !isnan(value);
}

/* Input i must be there and constant, and each of its values obey the rule. */
static bittern_status check_values(const struct check *check, size_t i, const char *what,
                                   value_rule rule, const char *must)
{
    const struct graph_tensor *tensor = graph_node_input(check->model, check->node, i);
    if (tensor == NULL) {
        return graph_node_fail(check->err, BITTERN_ERR_FORMAT, check->node,
                               "its %s (input %zu) is missing", what, i);
    }
    if (tensor->constant == NULL) {
        return graph_node_fail(check->err, BITTERN_ERR_UNSUPPORTED, check->node,
                               "its %s ('%s') is computed from the image; it must be a constant",
                               what, tensor->name);
    }
    for (size_t k = 0; k < tensor->count; k++) {
        if (!rule(tensor->constant[k])) {
            return graph_node_fail(check->err, BITTERN_ERR_RANGE, check->node,
                                   "its %s ('%s') holds %g at %zu; it must be %s", what,
                                   tensor->name, tensor->constant[k], k, must);
        }
    }
    return BITTERN_OK;
}

static bittern_status check_rounding(const struct check *check)
{
    enum graph_rounding rounding;
    const char *name = graph_node_string(check->node, "rounding_mode", "ROUND");
    if (!graph_rounding_find(name, &rounding)) {
        return graph_node_fail(check->err, BITTERN_ERR_UNSUPPORTED, check->node,
                               "rounding_mode '%s' is none of ROUND, CEIL, FLOOR, UP, DOWN, "
                               "HALF_UP, HALF_DOWN, ROUND_TO_ZERO",
                               name);
    }
    return BITTERN_OK;
}

static bittern_status check_quant(const struct check *check)
{
    bittern_status status = check_rounding(check);
    if (status == BITTERN_OK) {
        status = check_values(check, 1, "scale", is_positive, "positive and finite");
    }
    if (status == BITTERN_OK) {
        status = check_values(check, 2, "zero point", is_finite_value, "finite");
    }
    if (status == BITTERN_OK) {
        status = check_values(check, 3, "bit width", is_bit_width, "a whole number, 1 to 32");
    }
    return status;
}

/* QONNX has had Trunc with 5 inputs, with 6 (an output scale), and 7 (and an output zero point). */
static bittern_status check_trunc(const struct check *check)
{
    size_t count = check->node->input_count;
    bittern_status status = check_quant(check);
    if (status == BITTERN_OK) {
        status = check_values(check, count - 1, "output bit width", is_bit_width,
                              "a whole number, 1 to 32");
    }
    if (status == BITTERN_OK && count > 5) {
        status = check_values(check, 4, "output scale", is_positive, "positive and finite");
    }
    if (status == BITTERN_OK && count == 7) {
        /* QONNX computes the output zero point as zeropt / t and never reads this input. */
        status = check_values(check, 5, "output zero point", is_finite_value, "finite");
    }
    return status;
}

static bittern_status check_batch_norm(const struct check *check)
{
    static const char *const names[] = {"gamma", "beta", "mean", "variance"};
    for (size_t i = 0; i < 4; i++) {
        bittern_status status = check_values(check, i + 1, names[i], is_finite_value, "finite");
        if (status != BITTERN_OK) {
            return status;
        }
    }
    double epsilon = graph_node_float(check->node, "epsilon", (double)1e-5F);
    const struct graph_tensor *variance = graph_node_input(check->model, check->node, 4);
    for (size_t c = 0; c < variance->count; c++) {
        double sum = variance->constant[c] + epsilon;
        if (!is_positive(sum)) {
            return graph_node_fail(check->err, BITTERN_ERR_RANGE, check->node,
                                   "channel %zu: variance %g + epsilon %g is not positive", c,
                                   variance->constant[c], epsilon);
        }
    }
    return BITTERN_OK;
}

static bittern_status check_multi_threshold(const struct check *check)
{
    const char *layout = graph_node_string(check->node, "data_layout", "NCHW");
    if (strcmp(layout, "NCHW") != 0 && strcmp(layout, "NHWC") != 0) {
        return graph_node_fail(check->err, BITTERN_ERR_UNSUPPORTED, check->node,
                               "data_layout '%s' is neither NCHW nor NHWC", layout);
    }
    if (!isfinite(graph_node_float(check->node, "out_scale", 1)) ||
        !isfinite(graph_node_float(check->node, "out_bias", 0))) {
        return graph_node_fail(check->err, BITTERN_ERR_RANGE, check->node,
                               "out_scale and out_bias must be finite");
    }
    bittern_status status = check_values(check, 1, "thresholds", is_no_nan, "numbers");
    if (status != BITTERN_OK) {
        return status;
    }
    const struct graph_tensor *thresholds = graph_node_input(check->model, check->node, 1);
    size_t steps = (size_t)thresholds->dims[1];
    for (size_t i = 0; i + 1 < thresholds->count; i++) {
        bool ends_row = (i + 1) % steps == 0;
        if (!ends_row && thresholds->constant[i] > thresholds->constant[i + 1]) {
            return graph_node_fail(check->err, BITTERN_ERR_RANGE, check->node,
                                   "channel %zu: thresholds %g and %g are not in rising order",
                                   i / steps, thresholds->constant[i], thresholds->constant[i + 1]);
        }
    }
    return BITTERN_OK;
}

static bittern_status check_clip(const struct check *check)
{
    static const char *const names[] = {"min", "max"};
    for (size_t i = 0; i < 2; i++) {
        if (graph_node_input(check->model, check->node, i + 1) != NULL) {
            bittern_status status = check_values(check, i + 1, names[i], is_no_nan, "a number");
            if (status != BITTERN_OK) {
                return status;
            }
        }
    }
    return BITTERN_OK;
}

/* Of x + y and so on: whichever is constant; both may be computed. */
static bittern_status check_arithmetic(const struct check *check)
{
    for (size_t i = 0; i < 2; i++) {
        const struct graph_tensor *tensor = graph_node_input(check->model, check->node, i);
        if (tensor == NULL || tensor->constant == NULL) {
            continue;
        }
        bool divides = check->node->op == GRAPH_DIV && i == 1;
        bittern_status status =
            check_values(check, i, "constant", divides ? is_nonzero : is_finite_value,
                         divides ? "finite and not zero" : "finite");
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

bittern_status graph_check_elementwise(const struct bittern_model *model,
                                       const struct graph_node *node, struct bittern_error *err)
{
    struct check check = {model, node, err};
    switch (node->op) {
    case GRAPH_ADD:
    case GRAPH_SUB:
    case GRAPH_MUL:
    case GRAPH_DIV:
        return check_arithmetic(&check);
    case GRAPH_BATCH_NORM:
        return check_batch_norm(&check);
    case GRAPH_CLIP:
        return check_clip(&check);
    case GRAPH_QUANT:
        return check_quant(&check);
    case GRAPH_BIPOLAR_QUANT:
        return check_values(&check, 1, "scale", is_positive, "positive and finite");
    case GRAPH_MULTI_THRESHOLD:
        return check_multi_threshold(&check);
    case GRAPH_TRUNC:
        return check_trunc(&check);
    default:
        return BITTERN_OK;
    }
}
