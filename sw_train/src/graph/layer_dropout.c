/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout (Srivastava et al. 2014), inverted: kept values are divided by 1 - rate in training, and
 * evaluation changes nothing. What is dropped depends on (seed, step, layer, image's position in
 * the batch of all ranks), so a step repeats exactly, on any number of threads.
 */
#include "base/rng.h"
#include "graph/elementwise.h"
#include "graph/layer.h"

#include <stdlib.h>

struct dropout_state {
    double rate;
    uint8_t *mask; /* of the last training pass: 1 where the value was kept */
};

static void draw_image(struct rng rng, uint64_t dropped_below, uint8_t *mask, size_t count)
{
    for (size_t i = 0; i < count; i += 2) { /* 32 bits a value */
        uint64_t bits = rng_next(&rng);
        mask[i] = (bits >> 32) >= dropped_below;
        if (i + 1 < count) {
            mask[i + 1] = (bits & UINT32_MAX) >= dropped_below;
        }
    }
}

static void draw_mask(const struct layer *layer, uint64_t step)
{
    const struct dropout_state *dropout = layer->state;
    const struct graph *graph = layer->graph;
    const struct backend_tensor *src = layer_input(layer, 0);
    size_t per_image = src->c * src->h * src->w;
    size_t first = comm_rank(graph->options.comm) * src->n;
    uint64_t dropped_below = (uint64_t)(dropout->rate * 0x1p32);
    struct rng of_step = rng_start(graph->options.seed, RNG_DROPOUT, step);
    struct rng of_layer = rng_start(rng_next(&of_step), RNG_DROPOUT, layer->index);
    uint64_t seed = rng_next(&of_layer);
#pragma omp parallel for schedule(static)
    for (size_t image = 0; image < src->n; image++) {
        draw_image(rng_start(seed, RNG_DROPOUT, first + image), dropped_below,
                   dropout->mask + image * per_image, per_image);
    }
}

static bittern_status dropout_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                      struct bittern_error *err)
{
    (void)err;
    const struct dropout_state *dropout = layer->state;
    const struct backend_tensor *src = layer_input(layer, 0);
    size_t count = backend_tensor_count(src);
    if (mode == GRAPH_TRAIN) {
        draw_mask(layer, step);
        elementwise_mask(src->type, src->data, dropout->mask, (float)(1.0 / (1.0 - dropout->rate)),
                         layer_output(layer)->data, count);
    } else {
        elementwise_copy(src->type, src->data, layer_output(layer)->data, count);
    }
    return BITTERN_OK;
}

static bittern_status dropout_backward(struct layer *layer, struct bittern_error *err)
{
    (void)err;
    const struct dropout_state *dropout = layer->state;
    const struct backend_tensor *diff_dst = layer_output_gradient(layer);
    elementwise_mask(diff_dst->type, diff_dst->data, dropout->mask,
                     (float)(1.0 / (1.0 - dropout->rate)), layer->diff[0].data,
                     backend_tensor_count(diff_dst));
    return BITTERN_OK;
}

static void dropout_destroy(struct layer *layer)
{
    struct dropout_state *dropout = layer->state;
    free(dropout->mask);
    free(dropout);
}

static void dropout_describe(const struct layer *layer, struct layer_info *info)
{
    const struct dropout_state *dropout = layer->state;
    info->drop_rate = dropout->rate;
}

static const struct layer_class dropout_class = {
    .kind = LAYER_DROPOUT,
    .forward = dropout_forward,
    .backward = dropout_backward,
    .destroy = dropout_destroy,
    .describe = dropout_describe,
    .in_place_gradient = true,
};

bittern_status graph_add_dropout(struct graph *graph, const char *name, size_t input, double rate,
                                 size_t *output, struct bittern_error *err)
{
    struct layer *layer = NULL;
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!(rate >= 0 && rate < 1)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "layer '%s': a drop rate of %g; it must be at least 0 and below 1",
                                 name, rate);
    }
    struct backend_tensor dst = *graph_value(graph, input);
    struct dropout_state *dropout = calloc(1, sizeof(*dropout));
    if (dropout == NULL) {
        return graph_out_of_memory(name, err);
    }
    dropout->rate = rate;
    dropout->mask = calloc(backend_tensor_count(&dst), 1);
    if (dropout->mask == NULL) {
        free(dropout);
        return graph_out_of_memory(name, err);
    }
    return graph_add_layer(graph, &dropout_class, name, &input, 1, &dst, false, dropout, output,
                           &layer, err);
}
