/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished graph as a QONNX model, layer by layer in the graph's own order.
 *
 * Node and tensor carry the layer's name, so that the compiler's layers do, too. What a layer needs
 * besides (weights, statistics, a Flatten) is named "LAYER.WHAT". Feature maps are channels first,
 * as ONNX has them; a full connection behind a map has its columns reordered to that.
 */
#include "deploy/export.h"

#include <bittern/version.h>
#include <stdlib.h>

#define OPSET 13

static const char *name_of(const struct exporter *e, size_t tensor)
{
    return e->tensors[tensor].name;
}

/* The layer's output is in the model under this name. */
static void define(struct exporter *e, const struct layer_info *layer, const char *name)
{
    e->tensors[layer->output].is_map = e->tensors[layer->input].is_map;
    export_join(e, name, NULL, e->tensors[layer->output].name);
}

static void add_unary(struct exporter *e, const char *op, const char *output, const char *input)
{
    export_node(e, op, output, (const char *const[]){input, NULL}, NULL, 0);
}

static void flatten(struct exporter *e, const char *output, const char *input)
{
    const struct bittern_attribute axis = export_int("axis", 1);
    export_node(e, "Flatten", output, (const char *const[]){input, NULL}, &axis, 1);
}

/* ---- Layers with weights ----------------------------------------------------------------------
 */

static bool check_finished(struct exporter *e, const struct layer_info *layer)
{
    if (e->status == BITTERN_OK && !layer->finished) {
        e->status = bittern_error_set(e->err, BITTERN_ERR_ARGUMENT,
                                      "layer '%s' has no final weights: call graph_finish_weights "
                                      "before exporting",
                                      layer->name);
    }
    return e->status == BITTERN_OK;
}

/* Name of the bias; NULL where the layer has none. */
static const char *add_bias(struct exporter *e, const struct layer_info *layer, char *name)
{
    const int64_t dims[] = {(int64_t)layer->conv.out_channels};
    if (!layer->bias) {
        return NULL;
    }
    export_join(e, layer->name, "bias", name);
    export_floats(e, name, dims, 1, layer->bias);
    return name;
}

static void export_conv(struct exporter *e, const struct layer_info *layer)
{
    const struct backend_conv_shape *s = &layer->conv;
    const struct export_weights weights = {layer->name,     s->out_channels, s->kernel_h,
                                           s->kernel_w,     s->in_channels,  false,
                                           layer->quantized};
    const int64_t kernel[] = {(int64_t)s->kernel_h, (int64_t)s->kernel_w};
    const int64_t strides[] = {(int64_t)s->stride_h, (int64_t)s->stride_w};
    const int64_t pads[] = {(int64_t)s->pad_h, (int64_t)s->pad_w, (int64_t)s->pad_h,
                            (int64_t)s->pad_w};
    const struct bittern_attribute attributes[] = {export_ints("kernel_shape", kernel, 2),
                                                   export_ints("strides", strides, 2),
                                                   export_ints("pads", pads, 4)};
    char weight[EXPORT_MAX_NAME];
    char bias[EXPORT_MAX_NAME];

    if (!check_finished(e, layer)) {
        return;
    }
    export_weights(e, &weights, weight);
    export_node(
        e, "Conv", layer->name,
        (const char *const[]){name_of(e, layer->input), weight, add_bias(e, layer, bias), NULL},
        attributes, 3);
    define(e, layer, layer->name);
}

/* The graph's vector is (row, column, channel), Flatten's (channel, row, column). */
static void export_fc(struct exporter *e, const struct layer_info *layer)
{
    const struct backend_tensor *in = graph_tensor(e->graph, layer->input);
    const struct export_weights weights = {
        layer->name, layer->conv.out_channels, in->h, in->w, in->c, true, layer->quantized};
    const struct bittern_attribute transposed = export_int("transB", 1);
    const char *input = name_of(e, layer->input);
    char flat[EXPORT_MAX_NAME];
    char weight[EXPORT_MAX_NAME];
    char bias[EXPORT_MAX_NAME];

    if (!check_finished(e, layer)) {
        return;
    }
    if (e->tensors[layer->input].is_map) {
        export_join(e, layer->name, "flatten", flat);
        flatten(e, flat, input);
        input = flat;
    }
    export_weights(e, &weights, weight);
    export_node(e, "Gemm", layer->name,
                (const char *const[]){input, weight, add_bias(e, layer, bias), NULL}, &transposed,
                1);
    define(e, layer, layer->name);
    e->tensors[layer->output].is_map = false;
}

/* ---- Other layers -----------------------------------------------------------------------------
 */

static void export_norm(struct exporter *e, const struct layer_info *layer)
{
    const int64_t dims[] = {(int64_t)graph_tensor(e->graph, layer->input)->c};
    const struct bittern_attribute epsilon = export_float("epsilon", (float)layer->epsilon);
    static const char *const whats[] = {"scale", "shift", "mean", "variance"};
    const float *const values[] = {layer->scale, layer->shift, layer->mean, layer->variance};
    char names[4][EXPORT_MAX_NAME];
    char normalized[EXPORT_MAX_NAME];

    for (size_t i = 0; i < 4; i++) {
        export_join(e, layer->name, whats[i], names[i]);
        export_floats(e, names[i], dims, 1, values[i]);
    }
    export_join(e, layer->name, layer->relu ? "normalized" : NULL, normalized);
    export_node(e, "BatchNormalization", normalized,
                (const char *const[]){name_of(e, layer->input), names[0], names[1], names[2],
                                      names[3], NULL},
                &epsilon, 1);
    if (layer->relu) {
        add_unary(e, "Relu", layer->name, normalized);
    }
    define(e, layer, layer->name);
}

static void export_pool(struct exporter *e, const struct layer_info *layer)
{
    const struct backend_pool_shape *s = &layer->pool;
    const int64_t kernel[] = {(int64_t)s->kernel_h, (int64_t)s->kernel_w};
    const int64_t strides[] = {(int64_t)s->stride_h, (int64_t)s->stride_w};
    const int64_t pads[] = {(int64_t)s->pad_h, (int64_t)s->pad_w, (int64_t)s->pad_h,
                            (int64_t)s->pad_w};
    const struct bittern_attribute attributes[] = {export_ints("kernel_shape", kernel, 2),
                                                   export_ints("strides", strides, 2),
                                                   export_ints("pads", pads, 4)};

    export_node(e, s->kind == BACKEND_POOL_MAX ? "MaxPool" : "AveragePool", layer->name,
                (const char *const[]){name_of(e, layer->input), NULL}, attributes, 3);
    define(e, layer, layer->name);
}

static void export_clip(struct exporter *e, const char *output, const char *input, double range)
{
    char minimum[EXPORT_MAX_NAME];
    char maximum[EXPORT_MAX_NAME];

    export_join(e, output, "minimum", minimum);
    export_join(e, output, "maximum", maximum);
    export_scalar(e, minimum, 0);
    export_scalar(e, maximum, range);
    export_node(e, "Clip", output, (const char *const[]){input, minimum, maximum, NULL}, NULL, 0);
}

/* Counts thresholds from which on x lies: -1 + [x >= -0.5] + [x >= 0.5], exact at both of them. */
static void export_ternary(struct exporter *e, const char *output, const char *input)
{
    static const float values[] = {-0.5F, 0.5F};
    const int64_t dims[] = {1, 2};
    const struct bittern_attribute attributes[] = {
        export_float("out_scale", 1),
        export_float("out_bias", -1),
        {.name = "out_dtype", .kind = BITTERN_ATTRIBUTE_STRING, .s = "TERNARY"},
    };
    char thresholds[EXPORT_MAX_NAME];

    export_join(e, output, "thresholds", thresholds);
    export_floats(e, thresholds, dims, 2, values);
    export_node(e, "MultiThreshold", output, (const char *const[]){input, thresholds, NULL},
                attributes, 3);
}

static void export_activation(struct exporter *e, const struct layer_info *layer)
{
    const struct activation_config *a = &layer->activation;
    const char *input = name_of(e, layer->input);
    char scale[EXPORT_MAX_NAME];
    const struct export_quant quant = {scale, a->bits, false, false};

    export_join(e, layer->name, "scale", scale);
    switch (a->kind) {
    case ACTIVATION_IDENTITY:
        define(e, layer, input);
        return;
    case ACTIVATION_RELU:
        add_unary(e, "Relu", layer->name, input);
        break;
    case ACTIVATION_CLIP:
        export_clip(e, layer->name, input, a->range);
        break;
    case ACTIVATION_QUANT:
        export_scalar(e, scale, a->range / (double)((1U << a->bits) - 1));
        export_quant(e, layer->name, input, &quant);
        break;
    case ACTIVATION_SIGN:
        export_scalar(e, scale, 1);
        export_bipolar_quant(e, layer->name, input, scale);
        break;
    case ACTIVATION_TERNARY:
        export_ternary(e, layer->name, input);
        break;
    }
    define(e, layer, layer->name);
}

static void export_sum(struct exporter *e, const struct layer_info *layer)
{
    export_node(e, "Add", layer->name,
                (const char *const[]){name_of(e, layer->input), name_of(e, layer->input2), NULL},
                NULL, 0);
    define(e, layer, layer->name);
}

static void export_layer(struct exporter *e, const struct layer_info *layer)
{
    switch (layer->kind) {
    case LAYER_CONV:
        export_conv(e, layer);
        break;
    case LAYER_FC:
        export_fc(e, layer);
        break;
    case LAYER_NORM:
        export_norm(e, layer);
        break;
    case LAYER_POOL:
        export_pool(e, layer);
        break;
    case LAYER_ACTIVATION:
        export_activation(e, layer);
        break;
    case LAYER_ADD:
        export_sum(e, layer);
        break;
    case LAYER_DROPOUT:
        define(e, layer, name_of(e, layer->input));
        break;
    }
}

/* ---- The model --------------------------------------------------------------------------------
 */

static bittern_status allocate_tensors(struct exporter *e)
{
    struct layer_info layer;
    size_t layers = graph_layer_count(e->graph);

    e->tensor_count = 1;
    for (size_t i = 0; i < layers; i++) {
        graph_layer(e->graph, i, &layer);
        e->tensor_count = layer.output + 1 > e->tensor_count ? layer.output + 1 : e->tensor_count;
    }
    e->tensors = calloc(e->tensor_count, sizeof *e->tensors);
    return e->tensors ? BITTERN_OK
                      : bittern_error_set(e->err, BITTERN_ERR_MEMORY, "out of memory to export");
}

/* The last layer's output as [batch, classes]. */
static void export_output(struct exporter *e, const struct layer_info *last)
{
    const char *name = name_of(e, last->output);
    if (e->tensors[last->output].is_map) {
        flatten(e, "scores", name);
        name = "scores";
    }
    if (e->status == BITTERN_OK) {
        e->status = bittern_model_add_output(e->model, name, e->err);
    }
}

static void set_metadata(struct exporter *e, const char *recipe_text)
{
    const char *const entries[][2] = {{"producer", "bittern-train " BITTERN_VERSION},
                                      {"input_range", "0-1"},
                                      {"recipe", recipe_text}};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (e->status == BITTERN_OK && entries[i][1]) {
            e->status = bittern_model_set_metadata(e->model, entries[i][0], entries[i][1], e->err);
        }
    }
}

static void export_graph(struct exporter *e, const struct input_encoding *encoding)
{
    size_t layers = graph_layer_count(e->graph);
    struct layer_info layer = {.name = ""};

    export_input(e, encoding);
    for (size_t i = 0; i < layers && e->status == BITTERN_OK; i++) {
        graph_layer(e->graph, i, &layer);
        export_layer(e, &layer);
        if (e->status != BITTERN_OK) {
            bittern_error_prefix(e->err, "exporting layer '%s'", layer.name);
        }
    }
    if (e->status == BITTERN_OK) {
        export_output(e, &layer);
    }
}

bittern_status deploy_export(const struct graph *graph, const struct input_encoding *encoding,
                             const char *name, const char *recipe_text,
                             struct bittern_model **model, struct bittern_error *err)
{
    struct exporter e = {.graph = graph, .err = err};

    *model = NULL;
    if (graph_layer_count(graph) == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the graph has no layers to export");
    }
    e.status = allocate_tensors(&e);
    if (e.status == BITTERN_OK) {
        e.status = bittern_model_create(name, OPSET, &e.model, err);
    }
    if (e.status == BITTERN_OK) {
        export_graph(&e, encoding);
    }
    set_metadata(&e, recipe_text);
    if (e.status == BITTERN_OK) {
        *model = e.model;
        e.model = NULL;
    }
    bittern_model_free(e.model);
    free(e.tensors);
    return e.status;
}
