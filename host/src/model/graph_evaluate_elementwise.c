/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole tensors through elementwise ops. The usual case, one constant a channel, runs over planes
 * with a prepared function. All others (weights with a scale an output channel, two computed
 * tensors, shape arithmetic) walk the output's indices and step each input by its own strides, 0
 * along axes over which it is broadcast; there the function's parameters point at single values.
 */
#include "model/graph_semantics.h"

#include <math.h>

/* ---- One constant a channel -------------------------------------------------------------------
 */

static void evaluate_planes(const struct graph_function *function, const struct graph_tensor *shape,
                            const double *x, double *y)
{
    size_t channels = 1;
    size_t inner = shape->count;
    if (function->spread == GRAPH_SPREAD_CHANNEL) {
        channels = function->channels;
        inner = graph_count(shape->dims, function->axis + 1, shape->rank);
    }
    size_t planes = inner == 0 ? 0 : shape->count / inner;
    for (size_t p = 0; p < planes; p++) {
        for (size_t i = 0; i < inner; i++) {
            y[p * inner + i] = graph_function_apply(function, p % channels, x[p * inner + i]);
        }
    }
}

/* ---- Any broadcasting -------------------------------------------------------------------------
 */

#define MAX_INPUTS (GRAPH_FUNCTION_PARAMETERS + 2)

struct walk {
    size_t rank, inputs;
    int64_t dims[BITTERN_MODEL_MAX_RANK];
    int64_t index[BITTERN_MODEL_MAX_RANK];
    int64_t strides[MAX_INPUTS][BITTERN_MODEL_MAX_RANK];
    const double *at[MAX_INPUTS]; /* NULL where the input is left out */
};

/* An input's strides in terms of the output's axes; its first axis counts as output axis `first`.
 */
static void set_strides(struct walk *walk, size_t input, const struct graph_tensor *tensor,
                        size_t first)
{
    int64_t dense[BITTERN_MODEL_MAX_RANK];
    graph_dense_strides(tensor->dims, tensor->rank, dense);
    for (size_t a = 0; a < tensor->rank; a++) {
        walk->strides[input][first + a] = tensor->dims[a] == 1 ? 0 : dense[a];
    }
}

static void prepare_walk(const struct graph_call *call, struct walk *walk)
{
    const struct graph_tensor *output = graph_call_output(call, 0);
    *walk = (struct walk){.rank = output->rank, .inputs = call->node->input_count};
    for (size_t a = 0; a < output->rank; a++) {
        walk->dims[a] = output->dims[a];
    }
    for (size_t i = 0; i < walk->inputs; i++) {
        const struct graph_tensor *tensor = graph_node_input(call->model, call->node, i);
        if (tensor == NULL) {
            continue;
        }
        walk->at[i] = call->inputs[i];
        size_t first = output->rank - tensor->rank;
        if (i > 0 && call->node->op == GRAPH_BATCH_NORM) {
            first = 1; /* [C] along axis 1 */
        }
        if (i > 0 && call->node->op == GRAPH_MULTI_THRESHOLD) {
            /* [C,T]: a step to the next row for each channel; the thresholds themselves are read
             * by the function. */
            size_t axis = graph_multi_threshold_axis(call->node, output->rank);
            walk->strides[i][axis] = tensor->dims[0] == 1 ? 0 : tensor->dims[1];
            continue;
        }
        set_strides(walk, i, tensor, first);
    }
}

static void step(struct walk *walk)
{
    for (size_t a = walk->rank; a-- > 0;) {
        walk->index[a]++;
        for (size_t i = 0; i < walk->inputs; i++) {
            if (walk->at[i] != NULL) {
                walk->at[i] += walk->strides[i][a];
            }
        }
        if (walk->index[a] < walk->dims[a]) {
            return;
        }
        for (size_t i = 0; i < walk->inputs; i++) {
            if (walk->at[i] != NULL) {
                walk->at[i] -= walk->strides[i][a] * walk->dims[a];
            }
        }
        walk->index[a] = 0;
    }
}

/* Shape arithmetic: exact integers, division toward zero. */
static bittern_status make_integer(const struct graph_call *call, enum bittern_element element,
                                   double *y)
{
    double low;
    double high;
    graph_element_range(element, &low, &high);
    *y = trunc(*y);
    if (!(*y >= low && *y <= high)) {
        return graph_node_fail(call->err, BITTERN_ERR_RANGE, call->node,
                               "its integer result %g is outside of %.0f..%.0f", *y, low, high);
    }
    return BITTERN_OK;
}

static bittern_status evaluate_any(const struct graph_call *call, struct graph_function *function)
{
    const struct graph_tensor *output = graph_call_output(call, 0);
    bool is_integer = graph_element_is_integer(output->element);
    unsigned char sources[GRAPH_FUNCTION_PARAMETERS];
    graph_parameter_inputs(call->node, sources);
    struct walk walk;
    prepare_walk(call, &walk);
    function->argument = 0;
    for (size_t n = 0; n < output->count; n++) {
        for (size_t p = 0; p < GRAPH_FUNCTION_PARAMETERS; p++) {
            bool given = sources[p] != 0 && sources[p] < walk.inputs;
            function->parameters[p] =
                (struct graph_parameter){given ? walk.at[sources[p]] : NULL, 0};
        }
        double y = graph_function_apply(function, 0, *walk.at[0]);
        if (is_integer) {
            bittern_status status = make_integer(call, output->element, &y);
            if (status != BITTERN_OK) {
                return status;
            }
        }
        call->outputs[0][n] = y;
        step(&walk);
    }
    return BITTERN_OK;
}

bittern_status graph_evaluate_elementwise(const struct graph_call *call)
{
    const struct graph_tensor *output = graph_call_output(call, 0);
    struct graph_function function;
    graph_function_prepare(call->model, call->node, &function);
    const struct graph_tensor *x = graph_node_input(call->model, call->node, function.argument);
    bool by_planes = function.spread != GRAPH_SPREAD_NOT && x->count == output->count &&
                     !graph_element_is_integer(output->element);
    if (by_planes) {
        evaluate_planes(&function, x, call->inputs[function.argument], call->outputs[0]);
        return BITTERN_OK;
    }
    return evaluate_any(call, &function);
}
