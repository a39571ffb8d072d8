/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization. Alone, the backend's operation does all; among several ranks the batch
 * statistics are those of all ranks together (norm_kernels.c, with a sum over ranks in the middle
 * of each pass). Evaluation uses the running statistics, and always the backend.
 *
 * Variances are biased (divided by the number of values) everywhere, as the backend gives them: in
 * the batch, running, and in re-estimation.
 */
#include "graph/elementwise.h"
#include "graph/layer.h"
#include "graph/norm_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct norm_state {
    struct norm_config config;
    bool relu;
    size_t channels;
    struct backend_norm *op;
    struct backend *backend;
    struct backend_tensor unwanted; /* takes the input's gradient where nobody needs it */
    struct norm_kernels *kernels;   /* NULL: one rank */
    double *sums;                   /* of the kernels */
    float *scale, *shift, *diff_scale, *diff_shift;
    float *mean, *variance;             /* running */
    float *batch_mean, *batch_variance; /* of the last pass that had them */
    /* re-estimation, Welford's way over batches: mean of means, sum of squared differences from
     * it, and sum of variances */
    double batches;
    double *total_mean, *total_square, *total_variance;
};

/* ---- Forward --------------------------------------------------------------------------------- */

static bittern_status forward_over_ranks(struct layer *layer, struct bittern_error *err)
{
    struct norm_state *norm = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    norm_kernels_sum(norm->kernels, src, norm->sums);
    bittern_status status = comm_sum_doubles(layer->graph->options.comm, norm->sums,
                                             norm_kernels_sums(norm->kernels), err);
    if (status == BITTERN_OK) {
        norm_kernels_statistics(norm->kernels, norm->sums, norm->batch_mean, norm->batch_variance);
        norm_kernels_apply(norm->kernels, src, norm->scale, norm->shift, norm->batch_mean,
                           norm->batch_variance, layer_output(layer));
    }
    return status;
}

static void move_running(struct norm_state *norm)
{
    float momentum = (float)norm->config.momentum;
    for (size_t c = 0; c < norm->channels; c++) {
        norm->mean[c] += momentum * (norm->batch_mean[c] - norm->mean[c]);
        norm->variance[c] += momentum * (norm->batch_variance[c] - norm->variance[c]);
    }
}

static void sum_statistics(struct norm_state *norm)
{
    norm->batches += 1.0;
    for (size_t c = 0; c < norm->channels; c++) {
        double before = (double)norm->batch_mean[c] - norm->total_mean[c];
        norm->total_mean[c] += before / norm->batches;
        norm->total_square[c] += before * ((double)norm->batch_mean[c] - norm->total_mean[c]);
        norm->total_variance[c] += (double)norm->batch_variance[c];
    }
}

static bittern_status norm_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                   struct bittern_error *err)
{
    (void)step;
    struct norm_state *norm = layer->state;
    bool of_batch = mode != GRAPH_EVALUATE;
    bittern_status status;
    if (of_batch && norm->kernels != NULL) {
        status = forward_over_ranks(layer, err);
    } else {
        status = backend_norm_forward(norm->op, layer_input(layer, 0), norm->scale, norm->shift,
                                      of_batch ? norm->batch_mean : norm->mean,
                                      of_batch ? norm->batch_variance : norm->variance, of_batch,
                                      layer_output(layer), err);
    }
    if (status == BITTERN_OK && mode == GRAPH_TRAIN) {
        move_running(norm);
    } else if (status == BITTERN_OK && mode == GRAPH_STATISTICS) {
        sum_statistics(norm);
    }
    return status;
}

/* ---- Backward -------------------------------------------------------------------------------- */

static bittern_status backward_over_ranks(struct layer *layer, struct bittern_error *err)
{
    struct norm_state *norm = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    const struct backend_tensor *dst = layer_output(layer);
    const struct backend_tensor *diff_dst = layer_output_gradient(layer);
    norm_kernels_sum_gradient(norm->kernels, src, dst, diff_dst, norm->batch_mean,
                              norm->batch_variance, norm->sums);
    bittern_status status = comm_sum_doubles(layer->graph->options.comm, norm->sums,
                                             norm_kernels_sums(norm->kernels), err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t c = 0; c < norm->channels; c++) {
        norm->diff_shift[c] = (float)norm->sums[c];
        norm->diff_scale[c] = (float)norm->sums[norm->channels + c];
    }
    if (layer_wants(layer, 0)) {
        norm_kernels_gradient(norm->kernels, src, dst, diff_dst, norm->scale, norm->batch_mean,
                              norm->batch_variance, norm->sums, &layer->diff[0]);
    }
    return BITTERN_OK;
}

static bittern_status norm_backward(struct layer *layer, struct bittern_error *err)
{
    struct norm_state *norm = layer->state;
    if (norm->kernels != NULL) {
        return backward_over_ranks(layer, err);
    }
    return backend_norm_backward(norm->op, layer_input(layer, 0), norm->scale, norm->shift,
                                 norm->batch_mean, norm->batch_variance,
                                 layer_output_gradient(layer),
                                 layer_wants(layer, 0) ? &layer->diff[0] : &norm->unwanted,
                                 norm->diff_scale, norm->diff_shift, err);
}

/* ---- Re-estimation --------------------------------------------------------------------------- */

static void norm_begin_statistics(struct layer *layer)
{
    struct norm_state *norm = layer->state;
    size_t bytes = norm->channels * sizeof(double);
    norm->batches = 0.0;
    memset(norm->total_mean, 0, bytes);
    memset(norm->total_square, 0, bytes);
    memset(norm->total_variance, 0, bytes);
}

/* Variance of all images together: mean of the batches' variances + variance of their means. */
static void norm_end_statistics(struct layer *layer)
{
    struct norm_state *norm = layer->state;
    for (size_t c = 0; c < norm->channels; c++) {
        norm->mean[c] = (float)norm->total_mean[c];
        norm->variance[c] =
            (float)((norm->total_variance[c] + norm->total_square[c]) / norm->batches);
    }
}

/* ---- The layer ------------------------------------------------------------------------------- */

static void norm_free(struct norm_state *norm)
{
    backend_norm_free(norm->op);
    norm_kernels_free(norm->kernels);
    backend_tensor_release(norm->backend, &norm->unwanted);
    free(norm->sums);
    free(norm->scale);
    free(norm->shift);
    free(norm->diff_scale);
    free(norm->diff_shift);
    free(norm->mean);
    free(norm->variance);
    free(norm->batch_mean);
    free(norm->batch_variance);
    free(norm->total_mean);
    free(norm->total_square);
    free(norm->total_variance);
    free(norm);
}

static void norm_destroy(struct layer *layer)
{
    norm_free(layer->state);
}

static void norm_describe(const struct layer *layer, struct layer_info *info)
{
    const struct norm_state *norm = layer->state;
    info->scale = norm->scale;
    info->shift = norm->shift;
    info->mean = norm->mean;
    info->variance = norm->variance;
    info->epsilon = norm->config.epsilon;
    info->relu = norm->relu;
}

static const struct layer_class norm_class = {
    .kind = LAYER_NORM,
    .forward = norm_forward,
    .backward = norm_backward,
    .destroy = norm_destroy,
    .describe = norm_describe,
    .begin_statistics = norm_begin_statistics,
    .end_statistics = norm_end_statistics,
};

static bool norm_allocate(struct norm_state *norm)
{
    size_t channels = norm->channels;
    float **arrays[] = {&norm->scale, &norm->shift,    &norm->diff_scale, &norm->diff_shift,
                        &norm->mean,  &norm->variance, &norm->batch_mean, &norm->batch_variance};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        *arrays[i] = graph_allocate_floats(channels);
        if (*arrays[i] == NULL) {
            return false;
        }
    }
    norm->total_mean = calloc(channels, sizeof(double));
    norm->total_square = calloc(channels, sizeof(double));
    norm->total_variance = calloc(channels, sizeof(double));
    for (size_t c = 0; c < channels; c++) {
        norm->scale[c] = 1.0F;
        norm->variance[c] = 1.0F;
    }
    return norm->total_mean != NULL && norm->total_square != NULL && norm->total_variance != NULL;
}

static bittern_status norm_create(const struct graph *graph, const char *name, size_t input,
                                  const struct norm_config *config, bool relu,
                                  struct norm_state **state, struct bittern_error *err)
{
    const struct backend_tensor *src = graph_value(graph, input);
    bittern_status status;
    struct norm_state *norm = calloc(1, sizeof(*norm));
    if (norm == NULL) {
        return graph_out_of_memory(name, err);
    }
    norm->backend = graph->backend;
    norm->config = *config;
    norm->relu = relu;
    norm->channels = src->c;
    if (!norm_allocate(norm)) {
        status = graph_out_of_memory(name, err);
        goto cleanup;
    }
    status = backend_norm_create(graph->backend, src, config->epsilon, relu, &norm->op, err);
    if (status == BITTERN_OK && !graph_needs_gradient(graph, input)) {
        norm->unwanted = *src;
        status = backend_tensor_allocate(graph->backend, &norm->unwanted, err);
    }
    if (status == BITTERN_OK && graph->ranks > 1) {
        status = norm_kernels_create(src, backend_threads(graph->backend),
                                     backend_block_channels(graph->backend), config->epsilon, relu,
                                     &norm->kernels, err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s'", name);
        goto cleanup;
    }
    if (norm->kernels != NULL) {
        norm->sums = calloc(norm_kernels_sums(norm->kernels), sizeof(double));
        status = norm->sums != NULL ? BITTERN_OK : graph_out_of_memory(name, err);
    }

cleanup:
    if (status != BITTERN_OK) {
        norm_free(norm);
        norm = NULL;
    }
    *state = norm;
    return status;
}

static bittern_status norm_register(struct norm_state *norm, struct layer *layer,
                                    struct bittern_error *err)
{
    struct graph *graph = layer->graph;
    struct parameter scale = {
        .role = PARAMETER_NORM,
        .count = norm->channels,
        .rows = 1,
        .value = norm->scale,
        .gradient = norm->diff_scale,
        .rate_scale = 1.0,
    };
    struct parameter shift = scale;
    shift.value = norm->shift;
    shift.gradient = norm->diff_shift;
    bittern_status status = graph_add_parameter(graph, layer, "scale", &scale, err);
    if (status == BITTERN_OK) {
        status = graph_add_parameter(graph, layer, "shift", &shift, err);
    }
    if (status == BITTERN_OK) {
        status = graph_add_buffer(graph, layer, "mean", norm->mean, norm->channels, err);
    }
    if (status == BITTERN_OK) {
        status = graph_add_buffer(graph, layer, "variance", norm->variance, norm->channels, err);
    }
    return status;
}

bittern_status graph_add_norm(struct graph *graph, const char *name, size_t input,
                              const struct norm_config *config, bool relu, size_t *output,
                              struct bittern_error *err)
{
    struct norm_state *norm = NULL;
    struct layer *layer = NULL;
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!(config->epsilon > 0 && isfinite(config->epsilon)) ||
        !(config->momentum > 0 && config->momentum <= 1)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "layer '%s': epsilon %g and momentum %g; epsilon must be above 0, "
                                 "and momentum above 0 and at most 1",
                                 name, config->epsilon, config->momentum);
    }
    const struct backend_tensor *src = graph_value(graph, input);
    if (src->layout == BACKEND_PLANAR) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s' normalizes the graph's input, which a blocked graph "
                                 "cannot; build the graph without blocks",
                                 name);
    }
    struct backend_tensor dst = *src;
    status = norm_create(graph, name, input, config, relu, &norm, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status =
        graph_add_layer(graph, &norm_class, name, &input, 1, &dst, true, norm, output, &layer, err);
    return status == BITTERN_OK ? norm_register(norm, layer, err) : status;
}
