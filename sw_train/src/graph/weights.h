/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weights of one convolution or full connection: latent weights, the method that quantizes
 * them, bias, and all their gradients.
 */
#ifndef BITTERN_TRAIN_GRAPH_WEIGHTS_H
#define BITTERN_TRAIN_GRAPH_WEIGHTS_H

#include "graph/layer.h"

struct weights {
    struct method *method;
    size_t filters, size; /* size: weights of a filter */
    double fan_in, fan_out;
    float *latent, *diff_latent;       /* [latent_count][filters][size] */
    float *quantized, *diff_quantized; /* [filters][size] */
    float *bias, *diff_bias;           /* [filters], or NULL */
    bool stale;                        /* quantized is not what evaluation needs */
    bool finished;
    struct method_result result;
};

/* @param window  taps of the kernel: fan_in = window * in_channels, fan_out = window * filters */
bittern_status weights_create(const struct conv_config *config, size_t window, size_t in_channels,
                              const char *name, struct weights **weights,
                              struct bittern_error *err);
void weights_free(struct weights *weights);
/* Hands the weights to a layer: registers parameters and buffers with the graph, draws the initial
 * latent weights and starts the method on them. */
bittern_status weights_register(struct weights *weights, struct layer *layer,
                                struct bittern_error *err);

/* Makes `quantized` right for this pass. */
void weights_quantize(struct weights *weights, const struct layer *layer, enum graph_mode mode,
                      uint64_t step);
/* diff_quantized and diff_bias to those of latent and extra parameters, summed over ranks. */
bittern_status weights_backward(struct weights *weights, const struct layer *layer,
                                struct bittern_error *err);
double weights_add_loss(struct weights *weights);
void weights_after_update(struct weights *weights);
void weights_finish(struct weights *weights);
void weights_describe(const struct weights *weights, struct layer_info *info);

#endif
