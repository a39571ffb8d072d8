/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of a layer and their way through the weight method. The gradient is summed over ranks
 * before the method sees it: methods are linear in it, and every rank then computes the same bits
 * from it.
 */
#include "graph/weights.h"

#include "base/checked.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bittern_status weights_create(const struct conv_config *config, size_t window, size_t in_channels,
                              const char *name, struct weights **weights, struct bittern_error *err)
{
    struct weights *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return graph_out_of_memory(name, err);
    }
    bittern_status status = BITTERN_OK;
    size_t planes, count, latent_count;
    w->filters = config->filters;
    if (!checked_mul_size(window, in_channels, &w->size) ||
        !checked_mul_size(w->filters, w->size, &count)) {
        status = graph_out_of_memory(name, err);
        goto cleanup;
    }
    w->fan_in = (double)w->size;
    w->fan_out = (double)window * (double)w->filters;
    status = method_create(&config->method, w->filters, w->size, &w->method, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s'", name);
        goto cleanup;
    }
    planes = w->method->class->latent_count;
    if (!checked_mul_size(planes, count, &latent_count)) {
        status = graph_out_of_memory(name, err);
        goto cleanup;
    }
    w->latent = graph_allocate_floats(latent_count);
    w->diff_latent = graph_allocate_floats(latent_count);
    w->quantized = graph_allocate_floats(count);
    w->diff_quantized = graph_allocate_floats(count);
    bool complete = w->latent != NULL && w->diff_latent != NULL && w->quantized != NULL &&
                    w->diff_quantized != NULL;
    if (config->bias) {
        w->bias = graph_allocate_floats(w->filters);
        w->diff_bias = graph_allocate_floats(w->filters);
        complete = complete && w->bias != NULL && w->diff_bias != NULL;
    }
    if (!complete) {
        status = graph_out_of_memory(name, err);
        goto cleanup;
    }
    w->stale = true;

cleanup:
    if (status != BITTERN_OK) {
        weights_free(w);
        w = NULL;
    }
    *weights = w;
    return status;
}

void weights_free(struct weights *weights)
{
    if (weights == NULL) {
        return;
    }
    method_free(weights->method);
    free(weights->latent);
    free(weights->diff_latent);
    free(weights->quantized);
    free(weights->diff_quantized);
    free(weights->bias);
    free(weights->diff_bias);
    free(weights);
}

/* Glorot and Bengio 2010, equation 16: uniform in +-sqrt(6 / (fan_in + fan_out)). */
static void draw_initial(const struct weights *weights, uint64_t seed, size_t parameter,
                         float *values)
{
    struct rng rng = rng_start(seed, RNG_INITIAL_WEIGHTS, parameter);
    double limit = sqrt(6.0 / (weights->fan_in + weights->fan_out));
    for (size_t i = 0; i < weights->filters * weights->size; i++) {
        values[i] = (float)((2.0 * rng_unit(&rng) - 1.0) * limit);
    }
}

/* BinaryConnect's code divides the learning rate by Glorot's coefficient
 * sqrt(1.5 / (fan_in + fan_out)). */
static double latent_rate_scale(const struct weights *weights)
{
    const struct method_config *config = &weights->method->config;
    if (config->kind != METHOD_BINARYCONNECT || !config->glorot_scale) {
        return 1.0;
    }
    return sqrt((weights->fan_in + weights->fan_out) / 1.5);
}

static bittern_status register_latent(struct weights *weights, struct layer *layer,
                                      struct bittern_error *err)
{
    const struct graph *graph = layer->graph;
    size_t count = weights->filters * weights->size;
    for (size_t plane = 0; plane < weights->method->class->latent_count; plane++) {
        struct parameter parameter = {
            .role = PARAMETER_WEIGHT,
            .count = count,
            .rows = weights->filters,
            .value = weights->latent + plane * count,
            .gradient = weights->diff_latent + plane * count,
            .decays = !weights->method->class->clips_latent,
            .rate_scale = latent_rate_scale(weights),
        };
        char suffix[32] = "weight";
        if (plane > 0) {
            (void)snprintf(suffix, sizeof(suffix), "weight%zu", plane + 1);
        }
        draw_initial(weights, graph->options.seed, graph->parameter_count, parameter.value);
        bittern_status status = graph_add_parameter(layer->graph, layer, suffix, &parameter, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

static bittern_status register_method(const struct weights *weights, struct layer *layer,
                                      struct bittern_error *err)
{
    const struct method *method = weights->method;
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; i < method->parameter_count && status == BITTERN_OK; i++) {
        const struct method_parameter *extra = &method->parameters[i];
        struct parameter parameter = {
            .role = PARAMETER_METHOD,
            .count = extra->count,
            .rows = 1,
            .value = extra->value,
            .gradient = extra->gradient,
            .rate_scale = method->config.extra_rate,
        };
        status = graph_add_parameter(layer->graph, layer, extra->name, &parameter, err);
    }
    for (size_t i = 0; i < method->buffer_count && status == BITTERN_OK; i++) {
        const struct method_buffer *buffer = &method->buffers[i];
        status =
            graph_add_buffer(layer->graph, layer, buffer->name, buffer->value, buffer->count, err);
    }
    return status;
}

bittern_status weights_register(struct weights *weights, struct layer *layer,
                                struct bittern_error *err)
{
    layer->weights = weights;
    bittern_status status = register_latent(weights, layer, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = register_method(weights, layer, err);
    if (status == BITTERN_OK && weights->bias != NULL) {
        struct parameter parameter = {
            .role = PARAMETER_BIAS,
            .count = weights->filters,
            .rows = 1,
            .value = weights->bias,
            .gradient = weights->diff_bias,
            .rate_scale = 1.0,
        };
        status = graph_add_parameter(layer->graph, layer, "bias", &parameter, err);
    }
    weights->method->class->start(weights->method, weights->latent);
    return status;
}

void weights_quantize(struct weights *weights, const struct layer *layer, enum graph_mode mode,
                      uint64_t step)
{
    if (weights->finished || (mode != GRAPH_TRAIN && !weights->stale)) {
        return;
    }
    const struct graph *graph = layer->graph;
    struct method_step now = {.seed = graph->options.seed, .step = step, .layer = layer->index};
    struct method *method = weights->method;
    /* without a step: a pass that must not draw */
    method->class->forward(method, weights->latent, mode == GRAPH_TRAIN ? &now : NULL,
                           weights->quantized);
    /* evaluation may take other weights: no stochastic signs, SQ's decision, TTQ's ratio */
    weights->stale = mode == GRAPH_TRAIN;
}

bittern_status weights_backward(struct weights *weights, const struct layer *layer,
                                struct bittern_error *err)
{
    struct comm *comm = layer->graph->options.comm;
    bittern_status status =
        comm_sum_floats(comm, weights->diff_quantized, weights->filters * weights->size, err);
    if (status == BITTERN_OK && weights->bias != NULL) {
        status = comm_sum_floats(comm, weights->diff_bias, weights->filters, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    struct method *method = weights->method;
    method->class->backward(method, weights->latent, weights->quantized, weights->diff_quantized,
                            weights->diff_latent);
    return BITTERN_OK;
}

double weights_add_loss(struct weights *weights)
{
    struct method *method = weights->method;
    if (method->class->add_loss == NULL) {
        return 0.0;
    }
    return method->class->add_loss(method, weights->latent, weights->diff_latent);
}

void weights_after_update(struct weights *weights)
{
    struct method *method = weights->method;
    if (method->class->after_update != NULL) {
        method->class->after_update(method, weights->latent);
    }
    weights->stale = true;
}

void weights_finish(struct weights *weights)
{
    struct method *method = weights->method;
    method->class->finish(method, weights->latent, weights->quantized, &weights->result);
    weights->finished = true;
    weights->stale = false;
}

void weights_describe(const struct weights *weights, struct layer_info *info)
{
    info->method = weights->method;
    info->latent = weights->latent;
    info->quantized = weights->quantized;
    info->bias = weights->bias;
    info->finished = weights->finished;
    info->result = weights->result;
}
