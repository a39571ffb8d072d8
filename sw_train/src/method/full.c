/* SPDX-License-Identifier: Apache-2.0 */
/* Full precision: weights as they are. The baseline of every table; it cannot be compiled. */
#include "method/method_parts.h"

static void full_forward(struct method *method, const float *latent, const struct method_step *step,
                         float *quantized)
{
    (void)step;
    method_copy_layer(method, latent, quantized);
}

static void full_finish(struct method *method, const float *latent, float *quantized,
                        struct method_result *result)
{
    method_copy_layer(method, latent, quantized);
    method_describe(method, quantized, METHOD_DEPTH_FULL, result);
}

const struct method_class method_class_full = {
    .kind = METHOD_FULL,
    .latent_count = 1,
    .create = method_create_plain,
    .destroy = method_free_state,
    .start = method_start_plain,
    .forward = full_forward,
    .backward = method_backward_straight,
    .finish = full_finish,
};
