/* SPDX-License-Identifier: Apache-2.0 */
/* BinaryConnect and BWN against their equations, computed in double the slow way. */
#include "method_fixture.h"

#include <string.h>

static double sign(double w)
{
    return w >= 0 ? 1 : -1;
}

/* Would catch: sign(0) = 0 or -1, and a gradient passed outside of [-1, 1] or stopped at its ends.
 */
static void binaryconnect_takes_signs_and_passes_gradients_inside(void **state)
{
    static const float latent[] = {0.0F, -0.0F, 1e-30F, -1e-30F, 1.0F, -1.0F, 1.0001F, -3.0F};
    static const float expected[] = {1, 1, 1, -1, 1, -1, 1, -1};
    (void)state;
    struct method_config config = method_defaults(METHOD_BINARYCONNECT);
    struct layer *layer = layer_make_of(&config, 2, 4, latent);
    layer_forward(layer, &some_step);
    assert_memory_equal(layer->quantized, expected, sizeof expected);
    layer_backward(layer);
    for (size_t i = 0; i < 8; i++) {
        float g = i < 6 ? layer->diff_quantized[i] : 0.0F;
        assert_true(layer->diff_latent[i] == g);
    }
    layer_free(layer);
}

/* Would catch: weights that leave [-1, 1] after an update. */
static void binaryconnect_clips_latent_weights(void **state)
{
    static const float latent[] = {-7.0F, -1.0F, -0.5F, 0.0F, 1.0F, 1e9F};
    static const float expected[] = {-1.0F, -1.0F, -0.5F, 0.0F, 1.0F, 1.0F};
    (void)state;
    struct method_config config = method_defaults(METHOD_BINARYCONNECT);
    struct layer *layer = layer_make_of(&config, 3, 2, latent);
    assert_true(layer->method->class->clips_latent);
    layer->method->class->after_update(layer->method, layer->latent);
    assert_memory_equal(layer->latent, expected, sizeof expected);
    layer_free(layer);
}

/* Share of +1 among draws of one weight value. */
static double draw_share(float w, size_t draws, struct method_step step)
{
    struct method_config config = method_defaults(METHOD_BINARYCONNECT);
    config.stochastic = true;
    float *latent = calloc(draws, sizeof *latent);
    assert_non_null(latent);
    for (size_t i = 0; i < draws; i++) {
        latent[i] = w;
    }
    struct layer *layer = layer_make_of(&config, 10, draws / 10, latent);
    layer_forward(layer, &step);
    size_t ups = 0;
    for (size_t i = 0; i < draws; i++) {
        assert_true(layer->quantized[i] == 1.0F || layer->quantized[i] == -1.0F);
        ups += layer->quantized[i] > 0;
    }
    free(latent);
    layer_free(layer);
    return (double)ups / (double)draws;
}

/* Would catch: another probability than the hard sigmoid. Bounds: five deviations of a share of
 * 40000 draws. */
static void stochastic_signs_follow_the_hard_sigmoid(void **state)
{
    static const float weights[] = {-2.0F, -1.0F, -0.6F, 0.0F, 0.1F, 0.9F, 1.0F, 1.5F};
    (void)state;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        double p = fmin(1, fmax(0, ((double)weights[i] + 1) / 2));
        double share = draw_share(weights[i], 40000, some_step);
        assert_true(fabs(share - p) <= 5 * sqrt(p * (1 - p) / 40000));
    }
}

/* Would catch: the same draw in each step, layer, run or filter, or another one on a repetition. */
static void stochastic_signs_differ_by_seed_step_layer_and_filter_only(void **state)
{
    static const struct method_step steps[] = {
        {7, 11, 3}, {8, 11, 3}, {7, 12, 3}, {7, 11, 4}, {7, 3, 11}};
    static const float zeros[256] = {0};
    enum { STEPS = sizeof steps / sizeof *steps };
    float drawn[STEPS][256];
    (void)state;
    struct method_config config = method_defaults(METHOD_BINARYCONNECT);
    config.stochastic = true;
    struct layer *layer = layer_make_of(&config, 4, 64, zeros);
    for (size_t s = 0; s < STEPS; s++) {
        layer_forward(layer, &steps[s]);
        memcpy(drawn[s], layer->quantized, sizeof drawn[s]);
        for (size_t other = 0; other < s; other++) {
            assert_memory_not_equal(drawn[s], drawn[other], sizeof drawn[s]);
        }
        assert_memory_not_equal(drawn[s], drawn[s] + 64, 64 * sizeof(float));
    }
    layer_forward(layer, &steps[0]);
    assert_memory_equal(layer->quantized, drawn[0], sizeof drawn[0]);
    layer_free(layer);
}

/* Would catch: a stochastic layer in evaluation. */
static void stochastic_signs_are_deterministic_without_a_step(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_BINARYCONNECT);
    config.stochastic = true;
    struct layer *layer = layer_make(&config, 5, 50, 0.2, 12);
    layer_forward(layer, NULL);
    for (size_t i = 0; i < layer->count; i++) {
        assert_true((double)layer->quantized[i] == sign((double)layer->latent[i]));
    }
    layer_free(layer);
}

/* Would catch: mu of the layer instead of the filter, or a gradient other than XNOR-Net's. */
static void bwn_matches_its_equations(void **state)
{
    uint64_t seed = 2024;
    (void)state;
    for (int round = 0; round < 20; round++) {
        size_t filters = 1 + random_below(&seed, 7);
        size_t size = 1 + random_below(&seed, 90);
        struct method_config config = method_defaults(METHOD_BWN);
        struct layer *layer = layer_make(&config, filters, size, 0.8, random_u64(&seed));
        layer_forward(layer, &some_step);
        layer_backward(layer);
        for (size_t f = 0; f < filters; f++) {
            double mu = 0;
            for (size_t i = f * size; i < (f + 1) * size; i++) {
                mu += fabs((double)layer->latent[i]) / (double)size;
            }
            for (size_t i = f * size; i < (f + 1) * size; i++) {
                double w = (double)layer->latent[i];
                double factor = 1 / (double)size + (fabs(w) <= 1 ? mu : 0);
                assert_close((double)layer->quantized[i], mu * sign(w), 1e-6, "weight", i);
                assert_close((double)layer->diff_latent[i],
                             (double)layer->diff_quantized[i] * factor, 1e-6, "gradient", i);
            }
        }
        layer_free(layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binaryconnect_takes_signs_and_passes_gradients_inside),
        cmocka_unit_test(binaryconnect_clips_latent_weights),
        cmocka_unit_test(stochastic_signs_follow_the_hard_sigmoid),
        cmocka_unit_test(stochastic_signs_differ_by_seed_step_layer_and_filter_only),
        cmocka_unit_test(stochastic_signs_are_deterministic_without_a_step),
        cmocka_unit_test(bwn_matches_its_equations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
