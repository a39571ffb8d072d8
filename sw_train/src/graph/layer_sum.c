/* SPDX-License-Identifier: Apache-2.0 */
/* The sum of two tensors: a residual connection. */
#include "graph/elementwise.h"
#include "graph/layer.h"

static bittern_status sum_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                  struct bittern_error *err)
{
    (void)mode;
    (void)step;
    (void)err;
    const struct backend_tensor *a = layer_input(layer, 0);
    elementwise_add(a->type, a->data, layer_input(layer, 1)->data, layer_output(layer)->data,
                    backend_tensor_count(a));
    return BITTERN_OK;
}

/* Both inputs have the output's gradient. The first one may lie where that lies. */
static bittern_status sum_backward(struct layer *layer, struct bittern_error *err)
{
    (void)err;
    const struct backend_tensor *diff_dst = layer_output_gradient(layer);
    for (size_t which = 0; which < 2; which++) {
        void *diff = layer->diff[which].data;
        if (diff != NULL && diff != diff_dst->data) {
            elementwise_copy(diff_dst->type, diff_dst->data, diff, backend_tensor_count(diff_dst));
        }
    }
    return BITTERN_OK;
}

static void sum_destroy(struct layer *layer)
{
    (void)layer;
}

static void sum_describe(const struct layer *layer, struct layer_info *info)
{
    info->input2 = layer->inputs[1];
}

static const struct layer_class sum_class = {
    .kind = LAYER_ADD,
    .forward = sum_forward,
    .backward = sum_backward,
    .destroy = sum_destroy,
    .describe = sum_describe,
    .in_place_gradient = true,
};

bittern_status graph_add_sum(struct graph *graph, const char *name, size_t input, size_t input2,
                             size_t *output, struct bittern_error *err)
{
    struct layer *layer = NULL;
    const size_t inputs[2] = {input, input2};
    bittern_status status = graph_check_layer(graph, name, inputs, 2, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (input == input2) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "layer '%s' adds a tensor to itself",
                                 name);
    }
    const struct backend_tensor *a = graph_value(graph, input), *b = graph_value(graph, input2);
    if (a->c != b->c || a->h != b->h || a->w != b->w) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s' adds tensors of different shapes: %zux%zux%zu and "
                                 "%zux%zux%zu (channels, rows, columns)",
                                 name, a->c, a->h, a->w, b->c, b->h, b->w);
    }
    if (a->layout != b->layout) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s' adds tensors of different layouts; build the graph "
                                 "without blocks",
                                 name);
    }
    struct backend_tensor dst = *a;
    return graph_add_layer(graph, &sum_class, name, inputs, 2, &dst, false, NULL, output, &layer,
                           err);
}
