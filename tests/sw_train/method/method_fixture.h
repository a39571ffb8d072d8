/* SPDX-License-Identifier: Apache-2.0 */
/* A weight method on one made layer, with arrays for what goes in and comes out. */
#ifndef METHOD_FIXTURE_H
#define METHOD_FIXTURE_H

#include "testing.h"

#include "method/method.h"

#include <math.h>
#include <stdlib.h>

struct layer {
    struct method *method;
    size_t filters, size, count;       /* count = filters * size */
    float *latent;                     /* [latent_count][count] */
    float *quantized, *diff_quantized; /* [count] */
    float *diff_latent;                /* [latent_count][count] */
};

/* A step of training, for methods that draw. */
extern const struct method_step some_step;

/* Latent weights: Gaussian of the deviation given; diff_quantized: Gaussian of deviation 1. The
 * method is started. */
struct layer *layer_make(const struct method_config *config, size_t filters, size_t size,
                         double deviation, uint64_t seed);
/* With the latent weights given, all arrays of them. */
struct layer *layer_make_of(const struct method_config *config, size_t filters, size_t size,
                            const float *latent);
void layer_free(struct layer *layer);

double random_normal(uint64_t *state);

void layer_forward(struct layer *layer, const struct method_step *step);
void layer_backward(struct layer *layer);
struct method_result layer_finish(struct layer *layer);

/* NULL where there is none of that name. */
struct method_parameter *layer_parameter(struct layer *layer, const char *name);
struct method_buffer *layer_buffer(struct layer *layer, const char *name);

/* Relative to the larger of the two magnitudes, and to 1e-30. */
void assert_close(double found, double expected, double tolerance, const char *what, size_t index);
/* Distinct values of row f of quantized, at most 8 found, sorted. */
size_t layer_levels(const struct layer *layer, size_t f, float levels[8]);

#endif
