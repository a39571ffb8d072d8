/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a recipe's elements to a graph. Each layer with weights but the last is followed by batch
 * norm and activation; where, the order says:
 *
 *   conv-pool-norm-act   behind the pools that follow the convolution
 *   conv-norm-act-pool   right behind it
 *   norm-act-conv-pool   right before the next layer with weights
 *
 * So norm and activation of a layer are due once its weights are there, and are added when the
 * next element asks for it. Layers are named conv1, norm1, act1, pool1, fc1, ...
 */
#include "recipe/recipe.h"

#include <stdio.h>
#include <string.h>

/* From so many filters on the blocked layout is faster: measured, VGG-7 (128 and more) is 13 %
 * faster with it on AVX2, LeNet-5 (64 at most) is faster with channels last. */
#define BLOCKED_FROM_FILTERS 128

struct builder {
    const struct recipe *recipe;
    struct graph *graph;
    struct bittern_error *err;
    size_t tensor;       /* the last one made */
    size_t first_weight; /* elements */
    size_t last_weight;
    bool norm_due, activation_due;
    unsigned convs, fcs, norms, activations, pools, dropouts;
};

static bool has_weights(const struct network_element *element)
{
    return element->kind == ELEMENT_CONV || element->kind == ELEMENT_FC;
}

static void find_weights(struct builder *builder)
{
    bool found = false;
    for (size_t i = 0; i < builder->recipe->network.element_count; i++) {
        if (has_weights(&builder->recipe->network.elements[i])) {
            builder->first_weight = found ? builder->first_weight : i;
            builder->last_weight = i;
            found = true;
        }
    }
}

static void name_layer(char *name, size_t size, const char *kind, unsigned *count)
{
    (void)snprintf(name, size, "%s%u", kind, ++*count);
}

/* Norm and activation that are due; ReLU is part of the norm. */
static bittern_status flush(struct builder *builder)
{
    const struct activation_config *activation = &builder->recipe->network.activation;
    bool fused = builder->activation_due && activation->kind == ACTIVATION_RELU;
    char name[32];
    bittern_status status = BITTERN_OK;
    if (builder->norm_due) {
        name_layer(name, sizeof name, "norm", &builder->norms);
        status =
            graph_add_norm(builder->graph, name, builder->tensor, &builder->recipe->network.norm,
                           fused, &builder->tensor, builder->err);
    }
    if (status == BITTERN_OK && builder->activation_due && !fused) {
        name_layer(name, sizeof name, "act", &builder->activations);
        status = graph_add_activation(builder->graph, name, builder->tensor, activation,
                                      &builder->tensor, builder->err);
    }
    builder->norm_due = builder->activation_due = false;
    return status;
}

static bittern_status add_weights(struct builder *builder, size_t index)
{
    const struct recipe *recipe = builder->recipe;
    const struct network_element *element = &recipe->network.elements[index];
    bool last = index == builder->last_weight;
    char name[32];
    struct conv_config config = {.filters = element->filters,
                                 .kernel = element->kernel,
                                 .stride = element->stride,
                                 .pad = element->pad,
                                 .bias = last && !recipe->network.norm_last,
                                 .method = recipe->weights};
    if (index == builder->first_weight) {
        config.method = recipe->first_weights;
    } else if (last) {
        config.method = recipe->last_weights;
    }
    bittern_status status = flush(builder);
    if (status != BITTERN_OK) {
        return status;
    }
    if (element->kind == ELEMENT_CONV) {
        name_layer(name, sizeof name, "conv", &builder->convs);
        status = graph_add_conv(builder->graph, name, builder->tensor, &config, &builder->tensor,
                                builder->err);
    } else {
        name_layer(name, sizeof name, "fc", &builder->fcs);
        status = graph_add_fc(builder->graph, name, builder->tensor, &config, &builder->tensor,
                              builder->err);
    }
    builder->norm_due = !config.bias;
    builder->activation_due = !last;
    return status;
}

static bittern_status add_pool(struct builder *builder, const struct network_element *element)
{
    struct backend_pool_shape shape = {
        .kind = element->kind == ELEMENT_MAX_POOL ? BACKEND_POOL_MAX : BACKEND_POOL_AVERAGE,
        .kernel_h = element->kernel,
        .kernel_w = element->kernel,
        .stride_h = element->stride,
        .stride_w = element->stride,
        .pad_h = element->pad,
        .pad_w = element->pad};
    char name[32];
    if (builder->recipe->network.order == ORDER_CONV_NORM_ACT_POOL) {
        bittern_status status = flush(builder);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (element->kind == ELEMENT_GLOBAL_AVERAGE_POOL) {
        const struct backend_tensor *tensor = graph_tensor(builder->graph, builder->tensor);
        shape.kernel_h = shape.stride_h = tensor->h;
        shape.kernel_w = shape.stride_w = tensor->w;
    }
    name_layer(name, sizeof name, "pool", &builder->pools);
    return graph_add_pool(builder->graph, name, builder->tensor, &shape, &builder->tensor,
                          builder->err);
}

static bittern_status add_dropout(struct builder *builder, double rate)
{
    char name[32];
    bittern_status status = flush(builder);
    if (status != BITTERN_OK) {
        return status;
    }
    name_layer(name, sizeof name, "drop", &builder->dropouts);
    return graph_add_dropout(builder->graph, name, builder->tensor, rate, &builder->tensor,
                             builder->err);
}

static bittern_status add_element(struct builder *builder, size_t index)
{
    const struct network_element *element = &builder->recipe->network.elements[index];
    if (has_weights(element)) {
        return add_weights(builder, index);
    }
    if (element->kind == ELEMENT_DROPOUT) {
        return add_dropout(builder, element->rate);
    }
    return add_pool(builder, element);
}

/* Images of one channel are no exception: oneDNN reads them as they are, and its backward pass by
 * weights, for which the backend reorders them, is fast, too. */
static bool wants_blocked(const struct recipe *recipe, size_t block)
{
    size_t most = 0;
    for (size_t i = 0; i < recipe->network.element_count; i++) {
        const struct network_element *element = &recipe->network.elements[i];
        if (element->kind != ELEMENT_CONV) {
            continue;
        }
        if (block == 0 || element->filters % block != 0) {
            return false;
        }
        most = element->filters > most ? element->filters : most;
    }
    return most >= BLOCKED_FROM_FILTERS;
}

static bittern_status check_classes(const struct builder *builder, size_t classes)
{
    const struct network_element *last = &builder->recipe->network.elements[builder->last_weight];
    const struct backend_tensor *tensor = graph_tensor(builder->graph, builder->tensor);
    if (last->filters != classes) {
        return bittern_error_set(builder->err, BITTERN_ERR_MISMATCH,
                                 "network \"%s\" ends in %zu outputs, but data set %s has %zu "
                                 "classes: network.layers must end in %zu",
                                 builder->recipe->network.layers, last->filters,
                                 builder->recipe->data.set, classes, classes);
    }
    if (tensor->h != 1 || tensor->w != 1) {
        return bittern_error_set(builder->err, BITTERN_ERR_MISMATCH,
                                 "network \"%s\" ends in an image of %zux%zu, not in one value a "
                                 "class: end it in GAP or a full connection",
                                 builder->recipe->network.layers, tensor->h, tensor->w);
    }
    return BITTERN_OK;
}

bittern_status recipe_build_graph(const struct recipe *recipe,
                                  const struct recipe_graph_options *options,
                                  struct backend *backend, struct graph **graph,
                                  struct bittern_error *err)
{
    const struct graph_options graph_options = {
        .batch = options->batch,
        .channels = options->channels,
        .height = options->height,
        .width = options->width,
        .blocked = wants_blocked(recipe, backend_block_channels(backend)),
        .seed = options->seed,
        .comm = options->comm};
    struct builder builder = {.recipe = recipe, .err = err};
    bittern_status status = graph_create(backend, &graph_options, &builder.graph, err);
    if (status != BITTERN_OK) {
        return status;
    }
    find_weights(&builder);
    for (size_t i = 0; status == BITTERN_OK && i < recipe->network.element_count; i++) {
        status = add_element(&builder, i);
    }
    if (status == BITTERN_OK) {
        status = flush(&builder);
    }
    if (status == BITTERN_OK) {
        status = check_classes(&builder, options->classes);
    }
    if (status == BITTERN_OK) {
        status = graph_seal(builder.graph, err);
    }
    if (status != BITTERN_OK) {
        graph_free(builder.graph);
        return status;
    }
    *graph = builder.graph;
    return BITTERN_OK;
}
