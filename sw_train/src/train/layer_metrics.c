/* SPDX-License-Identifier: Apache-2.0 */
/* What an epoch says about each layer with weights: histogram, zeros, beta and mu. */
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

static bool has_weights(const struct layer_info *info)
{
    return info->kind == LAYER_CONV || info->kind == LAYER_FC;
}

bittern_status layer_metrics_create(struct train_run *run, struct bittern_error *err)
{
    struct layer_info info;
    run->layers = calloc(graph_layer_count(run->graph) + 1, sizeof *run->layers);
    if (!run->layers) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the layers' metrics");
    }
    for (size_t i = 0; i < graph_layer_count(run->graph); i++) {
        graph_layer(run->graph, i, &info);
        if (has_weights(&info)) {
            run->layers[run->layer_count++].name = info.name;
        }
    }
    return BITTERN_OK;
}

static const struct method_parameter *find_parameter(const struct method *method, const char *name)
{
    for (size_t i = 0; i < method->parameter_count; i++) {
        if (strcmp(method->parameters[i].name, name) == 0) {
            return &method->parameters[i];
        }
    }
    return NULL;
}

static double share_of_zeros(const float *values, size_t count)
{
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++) {
        zeros += values[i] == 0.0F;
    }
    return (double)zeros / (double)count;
}

static void describe_mu(struct layer_metrics *layer, const struct method_parameter *mu)
{
    double sum = 0.0;
    layer->has_mu = true;
    layer->mu_minimum = (double)mu->value[0];
    layer->mu_maximum = (double)mu->value[0];
    for (size_t i = 0; i < mu->count; i++) {
        double value = (double)mu->value[i];
        sum += value;
        layer->mu_minimum = value < layer->mu_minimum ? value : layer->mu_minimum;
        layer->mu_maximum = value > layer->mu_maximum ? value : layer->mu_maximum;
    }
    layer->mu_mean = sum / (double)mu->count;
}

static void describe_layer(struct layer_metrics *layer, const struct layer_info *info)
{
    const struct method *method = info->method;
    size_t count = method->filters * method->size;
    const struct method_parameter *beta = find_parameter(method, "beta");
    const struct method_parameter *mu = find_parameter(method, "mu");

    histogram_make(&layer->latent, info->latent, method->class->latent_count * count);
    layer->zeros = share_of_zeros(info->quantized, count);
    layer->has_beta = beta != NULL;
    if (beta) {
        layer->beta = (double)beta->value[0];
    }
    if (mu) {
        describe_mu(layer, mu);
    }
}

void layer_metrics_update(struct train_run *run)
{
    struct layer_info info;
    size_t next = 0;
    for (size_t i = 0; i < graph_layer_count(run->graph); i++) {
        graph_layer(run->graph, i, &info);
        if (has_weights(&info)) {
            describe_layer(&run->layers[next++], &info);
        }
    }
}
