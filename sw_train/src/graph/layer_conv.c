/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers with weights: convolution and full connection. Both hold a `struct weights`; before each
 * pass it gives the quantized weights, which the backend's operation reads in plain order.
 *
 * A full connection reads its input as one vector in (row, column, channel) order, so a map in
 * another layout is reordered first, into a tensor of the layer's own, and the gradient back.
 */
#include "graph/weights.h"

#include <stdlib.h>

struct conv_state {
    struct weights *weights;
    struct backend_conv_shape shape;
    struct backend_conv *op;
};

struct fc_state {
    struct weights *weights;
    struct backend_conv_shape shape;
    struct backend_fc *op;
    /* only where the input is not channels last: */
    struct backend *backend;
    struct backend_tensor vector, diff_vector;
    struct backend_reorder *to_vector, *from_diff_vector;
};

/* ---- Convolution ----------------------------------------------------------------------------- */

static bittern_status conv_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                   struct bittern_error *err)
{
    struct conv_state *conv = layer->state;
    weights_quantize(conv->weights, layer, mode, step);
    return backend_conv_forward(conv->op, layer_input(layer, 0), conv->weights->quantized,
                                conv->weights->bias, layer_output(layer), err);
}

static bittern_status conv_backward(struct layer *layer, struct bittern_error *err)
{
    struct conv_state *conv = layer->state;
    struct weights *weights = conv->weights;
    bittern_status status = backend_conv_backward(
        conv->op, layer_input(layer, 0), weights->quantized, layer_output_gradient(layer),
        weights->diff_quantized, weights->diff_bias, layer_wants(layer, 0) ? &layer->diff[0] : NULL,
        err);
    return status == BITTERN_OK ? weights_backward(weights, layer, err) : status;
}

static void conv_destroy(struct layer *layer)
{
    struct conv_state *conv = layer->state;
    backend_conv_free(conv->op);
    weights_free(conv->weights);
    free(conv);
}

static void conv_describe(const struct layer *layer, struct layer_info *info)
{
    const struct conv_state *conv = layer->state;
    info->conv = conv->shape;
    weights_describe(conv->weights, info);
}

static const struct layer_class conv_class = {
    .kind = LAYER_CONV,
    .forward = conv_forward,
    .backward = conv_backward,
    .destroy = conv_destroy,
    .describe = conv_describe,
};

static bittern_status conv_shape_check(const struct graph *graph, const char *name,
                                       const struct backend_tensor *src,
                                       const struct conv_config *config,
                                       struct backend_conv_shape *shape, struct bittern_error *err)
{
    if (config->filters == 0 || config->kernel == 0 || config->stride == 0 ||
        config->pad > config->kernel / 2) {
        return bittern_error_set(
            err, BITTERN_ERR_ARGUMENT,
            "layer '%s': %zu filters of kernel %zu, stride %zu, pad %zu; filters, kernel and "
            "stride must be at least 1, and pad at most half of the kernel",
            name, config->filters, config->kernel, config->stride, config->pad);
    }
    *shape = (struct backend_conv_shape){
        .n = src->n,
        .in_channels = src->c,
        .in_h = src->h,
        .in_w = src->w,
        .out_channels = config->filters,
        .kernel_h = config->kernel,
        .kernel_w = config->kernel,
        .stride_h = config->stride,
        .stride_w = config->stride,
        .pad_h = config->pad,
        .pad_w = config->pad,
    };
    if (!graph_window_size(src->h, config->kernel, config->stride, config->pad, &shape->out_h) ||
        !graph_window_size(src->w, config->kernel, config->stride, config->pad, &shape->out_w)) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s': a kernel of %zux%zu does not fit into its input of "
                                 "%zux%zu with pad %zu",
                                 name, config->kernel, config->kernel, src->h, src->w, config->pad);
    }
    size_t block =
        graph_layout(graph) == BACKEND_BLOCKED ? backend_block_channels(graph->backend) : 1;
    if (config->filters % block != 0) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s': %zu filters do not divide by %zu, the channels of a "
                                 "block; build the graph without blocks",
                                 name, config->filters, block);
    }
    return BITTERN_OK;
}

bittern_status graph_add_conv(struct graph *graph, const char *name, size_t input,
                              const struct conv_config *config, size_t *output,
                              struct bittern_error *err)
{
    struct backend_conv_shape shape;
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const struct backend_tensor *src = graph_value(graph, input);
    status = conv_shape_check(graph, name, src, config, &shape, err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct backend_tensor dst = {
        .n = src->n,
        .c = config->filters,
        .h = shape.out_h,
        .w = shape.out_w,
        .type = backend_activation_type(graph->backend),
        .layout = graph_layout(graph),
    };
    struct layer *layer = NULL;
    struct weights *weights = NULL;
    struct conv_state *conv = calloc(1, sizeof(*conv));
    if (conv == NULL) {
        return graph_out_of_memory(name, err);
    }
    conv->shape = shape;
    status = weights_create(config, config->kernel * config->kernel, src->c, name, &weights, err);
    conv->weights = weights;
    if (status == BITTERN_OK) {
        status = backend_conv_create(graph->backend, &shape, src, &dst,
                                     graph_needs_gradient(graph, input), &conv->op, err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "layer '%s'", name);
        }
    }
    if (status != BITTERN_OK) {
        weights_free(weights);
        free(conv);
        return status;
    }
    status =
        graph_add_layer(graph, &conv_class, name, &input, 1, &dst, true, conv, output, &layer, err);
    return status == BITTERN_OK ? weights_register(weights, layer, err) : status;
}

/* ---- Full connection ------------------------------------------------------------------------- */

static bittern_status fc_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                 struct bittern_error *err)
{
    struct fc_state *fc = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    weights_quantize(fc->weights, layer, mode, step);
    if (fc->to_vector != NULL) {
        bittern_status status = backend_reorder_run(fc->to_vector, src, &fc->vector, err);
        if (status != BITTERN_OK) {
            return status;
        }
        src = &fc->vector;
    }
    return backend_fc_forward(fc->op, src, fc->weights->quantized, fc->weights->bias,
                              layer_output(layer), err);
}

static bittern_status fc_backward(struct layer *layer, struct bittern_error *err)
{
    struct fc_state *fc = layer->state;
    struct weights *weights = fc->weights;
    bool reordered = fc->to_vector != NULL;
    struct backend_tensor *diff = layer_wants(layer, 0) ? &layer->diff[0] : NULL;
    bittern_status status = backend_fc_backward(
        fc->op, reordered ? &fc->vector : layer_input(layer, 0), weights->quantized,
        layer_output_gradient(layer), weights->diff_quantized, weights->diff_bias,
        diff != NULL && reordered ? &fc->diff_vector : diff, err);
    if (status == BITTERN_OK && diff != NULL && reordered) {
        status = backend_reorder_run(fc->from_diff_vector, &fc->diff_vector, diff, err);
    }
    return status == BITTERN_OK ? weights_backward(weights, layer, err) : status;
}

static void fc_free(struct fc_state *fc)
{
    if (fc->backend != NULL) {
        backend_reorder_free(fc->to_vector);
        backend_reorder_free(fc->from_diff_vector);
        backend_tensor_release(fc->backend, &fc->vector);
        backend_tensor_release(fc->backend, &fc->diff_vector);
    }
    backend_fc_free(fc->op);
    weights_free(fc->weights);
    free(fc);
}

static void fc_destroy(struct layer *layer)
{
    fc_free(layer->state);
}

static void fc_describe(const struct layer *layer, struct layer_info *info)
{
    const struct fc_state *fc = layer->state;
    info->conv = fc->shape;
    weights_describe(fc->weights, info);
}

static const struct layer_class fc_class = {
    .kind = LAYER_FC,
    .forward = fc_forward,
    .backward = fc_backward,
    .destroy = fc_destroy,
    .describe = fc_describe,
};

/* A channels-last copy of the input, and one for the gradient where it is needed. */
static bittern_status fc_create_vector(struct fc_state *fc, struct backend *backend,
                                       const struct backend_tensor *src, bool need_diff,
                                       struct bittern_error *err)
{
    fc->backend = backend;
    fc->vector = *src;
    fc->vector.layout = BACKEND_CHANNELS_LAST;
    fc->vector.data = NULL;
    fc->diff_vector = fc->vector;
    bittern_status status = backend_reorder_create(backend, src, &fc->vector, &fc->to_vector, err);
    if (status == BITTERN_OK) {
        status = backend_tensor_allocate(backend, &fc->vector, err);
    }
    if (status == BITTERN_OK && need_diff) {
        status = backend_reorder_create(backend, &fc->diff_vector, src, &fc->from_diff_vector, err);
    }
    if (status == BITTERN_OK && need_diff) {
        status = backend_tensor_allocate(backend, &fc->diff_vector, err);
    }
    return status;
}

static bittern_status fc_create(const struct graph *graph, const char *name, size_t input,
                                const struct conv_config *config, const struct backend_tensor *dst,
                                struct fc_state **state, struct bittern_error *err)
{
    const struct backend_tensor *src = graph_value(graph, input);
    bool need_diff = graph_needs_gradient(graph, input);
    struct fc_state *fc = calloc(1, sizeof(*fc));
    if (fc == NULL) {
        return graph_out_of_memory(name, err);
    }
    size_t inputs = src->c * src->h * src->w;
    fc->shape = (struct backend_conv_shape){
        .n = src->n,
        .in_channels = inputs,
        .in_h = 1,
        .in_w = 1,
        .out_channels = config->filters,
        .kernel_h = 1,
        .kernel_w = 1,
        .stride_h = 1,
        .stride_w = 1,
        .out_h = 1,
        .out_w = 1,
    };
    bittern_status status = weights_create(config, 1, inputs, name, &fc->weights, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    bool reordered = src->layout != BACKEND_CHANNELS_LAST;
    if (reordered) {
        status = fc_create_vector(fc, graph->backend, src, need_diff, err);
    }
    if (status == BITTERN_OK) {
        status = backend_fc_create(graph->backend, reordered ? &fc->vector : src, dst, need_diff,
                                   &fc->op, err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s'", name);
    }

cleanup:
    if (status != BITTERN_OK) {
        fc_free(fc);
        fc = NULL;
    }
    *state = fc;
    return status;
}

bittern_status graph_add_fc(struct graph *graph, const char *name, size_t input,
                            const struct conv_config *config, size_t *output,
                            struct bittern_error *err)
{
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (config->filters == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "layer '%s' has no outputs; it needs at least 1", name);
    }
    struct backend_tensor dst = {
        .n = graph->options.batch,
        .c = config->filters,
        .h = 1,
        .w = 1,
        .type = backend_activation_type(graph->backend),
        .layout = BACKEND_CHANNELS_LAST,
    };
    struct fc_state *fc = NULL;
    struct layer *layer = NULL;
    status = fc_create(graph, name, input, config, &dst, &fc, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status =
        graph_add_layer(graph, &fc_class, name, &input, 1, &dst, true, fc, output, &layer, err);
    return status == BITTERN_OK ? weights_register(fc->weights, layer, err) : status;
}
