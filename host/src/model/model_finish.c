/* SPDX-License-Identifier: Apache-2.0 */
/* The passes that make a graph ready to be evaluated and compiled, and the checks after them. */
#include "model/graph.h"

#include <inttypes.h>
#include <math.h>

static bittern_status check_output(const struct bittern_model *model, struct bittern_error *err)
{
    const struct graph_tensor *output = &model->tensors[model->output];
    if (model->input == GRAPH_NONE) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "the graph has no input");
    }
    if (output->constant || model->node_count == 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the graph's output '%s' is not computed from its input '%s'",
                                 output->name, model->tensors[model->input].name);
    }
    return BITTERN_OK;
}

/* Infinities make sense as bounds only. */
static bittern_status check_finite(const struct bittern_model *model, const struct graph_node *node,
                                   struct bittern_error *err)
{
    if (node->op == GRAPH_CLIP || node->op == GRAPH_MULTI_THRESHOLD || node->op == GRAPH_PAD) {
        return BITTERN_OK;
    }
    for (size_t i = 0; i < node->input_count; i++) {
        const struct graph_tensor *t = graph_node_input(model, node, i);
        for (size_t v = 0; t && t->constant && v < t->count; v++) {
            if (!isfinite(t->constant[v])) {
                return bittern_error_set(err, BITTERN_ERR_RANGE,
                                         "node '%s' (%s): its input '%s' holds a value that is not "
                                         "finite (element %zu)",
                                         node->name, node->op_name, t->name, v);
            }
        }
    }
    return BITTERN_OK;
}

/* Before opset 13 Softmax went over all dimensions from axis on; both meanings agree where the
 * dimensions behind axis are 1. */
static bittern_status check_softmax(const struct bittern_model *model,
                                    const struct graph_node *node, struct bittern_error *err)
{
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    if (node->op != GRAPH_SOFTMAX || model->opset >= 13 || !x) {
        return BITTERN_OK;
    }
    int64_t axis = graph_node_int(node, "axis", 1);
    axis += axis < 0 ? (int64_t)x->rank : 0;
    for (int64_t i = axis < 0 ? 0 : axis + 1; i < (int64_t)x->rank; i++) {
        if (x->dims[i] != 1) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "node '%s' (%s): over more than one axis, as opset %" PRId64
                                     " has it, is not supported",
                                     node->name, node->op_name, model->opset);
        }
    }
    return BITTERN_OK;
}

bittern_status bittern_model_finish(struct bittern_model *model, struct bittern_error *err)
{
    if (model->finished) {
        return BITTERN_OK;
    }
    bittern_status status = graph_sort(model, err);
    if (status == BITTERN_OK) {
        status = graph_normalize(model, err);
    }
    if (status == BITTERN_OK) {
        status = graph_infer_and_fold(model, err);
    }
    if (status == BITTERN_OK) {
        status = graph_sort(model, err); /* drops the constants that folding used up */
    }
    if (status == BITTERN_OK) {
        status = check_output(model, err);
    }
    for (size_t n = 0; status == BITTERN_OK && n < model->node_count; n++) {
        status = check_finite(model, &model->nodes[n], err);
        if (status == BITTERN_OK) {
            status = check_softmax(model, &model->nodes[n], err);
        }
    }
    model->finished = status == BITTERN_OK;
    return status;
}
