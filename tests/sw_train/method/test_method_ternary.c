/* SPDX-License-Identifier: Apache-2.0 */
/* TWN, TTQ and STTN against their equations, computed in double the slow way. */
#include "method_fixture.h"

#include <string.h>

/* ---- TWN ---------------------------------------------------------------------------------------
 */

/* mu and threshold of count weights. */
static double twn_reference(const float *weights, size_t count, double *threshold)
{
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        mean += fabs((double)weights[i]) / (double)count;
    }
    *threshold = 0.7 * mean;
    double dot = 0;
    double norm = 0;
    for (size_t i = 0; i < count; i++) {
        double w = (double)weights[i];
        double ternary = w > *threshold ? 1 : w < -*threshold ? -1 : 0;
        dot += ternary * w;
        norm += ternary * ternary;
    }
    return norm > 0 ? dot / norm : 0;
}

static void check_twn_group(const struct layer *layer, size_t from, size_t count)
{
    double threshold;
    double mu = twn_reference(layer->latent + from, count, &threshold);
    for (size_t i = from; i < from + count; i++) {
        double w = (double)layer->latent[i];
        if (fabs(fabs(w) - threshold) < 1e-6 * threshold) {
            continue; /* too near for a float to tell */
        }
        double expected = w > threshold ? mu : w < -threshold ? -mu : 0;
        assert_close((double)layer->quantized[i], expected, 1e-6, "weight", i);
        assert_true(layer->diff_latent[i] == layer->diff_quantized[i]);
    }
}

/* Would catch: layer and filter mixed up, mu as a mean over all weights, a wrong threshold. */
static void twn_matches_its_equations_by_layer_and_by_filter(void **state)
{
    uint64_t seed = 31;
    (void)state;
    for (int round = 0; round < 30; round++) {
        size_t filters = 1 + random_below(&seed, 9);
        size_t size = 1 + random_below(&seed, 120);
        struct method_config config = method_defaults(METHOD_TWN);
        config.per_filter = round % 2 == 1;
        struct layer *layer = layer_make(&config, filters, size, 0.1, random_u64(&seed));
        for (size_t i = 0; i < size; i++) {
            layer->latent[i] *= 3; /* so that the filters differ */
        }
        layer_forward(layer, &some_step);
        layer_backward(layer);
        if (config.per_filter) {
            for (size_t f = 0; f < filters; f++) {
                check_twn_group(layer, f * size, size);
            }
        } else {
            check_twn_group(layer, 0, layer->count);
        }
        layer_free(layer);
    }
}

/* ---- TTQ ---------------------------------------------------------------------------------------
 */

static double ttq_threshold(const struct layer *layer)
{
    double largest = 0;
    for (size_t i = 0; i < layer->count; i++) {
        largest = fmax(largest, fabs((double)layer->latent[i]));
    }
    return layer->method->config.threshold * largest;
}

static void set_levels(struct layer *layer, float positive, float negative)
{
    layer_parameter(layer, "w_positive")->value[0] = positive;
    layer_parameter(layer, "w_negative")->value[0] = negative;
}

/* Would catch: a start away from the weights' own magnitudes, or the two sides exchanged. */
static void ttq_starts_at_the_mean_of_each_side(void **state)
{
    static const float latent[] = {1.0F, 0.5F, -0.25F, 0.02F, -0.75F, -0.04F};
    static const float one_sided[] = {1.0F, 0.5F, 0.02F, 0.0F, 0.0F, 0.0F};
    (void)state;
    struct method_config config = method_defaults(METHOD_TTQ);
    struct layer *layer = layer_make_of(&config, 2, 3, latent);
    assert_close((double)layer_parameter(layer, "w_positive")->value[0], 0.75, 1e-6, "level", 0);
    assert_close((double)layer_parameter(layer, "w_negative")->value[0], 0.5, 1e-6, "level", 1);
    layer_free(layer);
    layer = layer_make_of(&config, 2, 3, one_sided);
    assert_close((double)layer_parameter(layer, "w_negative")->value[0], 0.75, 1e-6, "level", 1);
    layer_free(layer);
}

/* Would catch: a level on the wrong side, or a latent gradient without its factor. */
static void ttq_matches_its_equations(void **state)
{
    uint64_t seed = 77;
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct method_config config = method_defaults(METHOD_TTQ);
        config.threshold = 0.05 + 0.1 * (round % 4);
        struct layer *layer = layer_make(&config, 1 + random_below(&seed, 6),
                                         1 + random_below(&seed, 100), 0.2, random_u64(&seed));
        double threshold = ttq_threshold(layer);
        double positive = 0.3;
        double negative = 0.17;
        set_levels(layer, (float)positive, (float)negative);
        layer_forward(layer, &some_step);
        layer_backward(layer);
        double by_positive = 0;
        double by_negative = 0;
        for (size_t i = 0; i < layer->count; i++) {
            double w = (double)layer->latent[i];
            double g = (double)layer->diff_quantized[i];
            bool up = w > threshold;
            bool down = w < -threshold;
            double expected = up ? positive : down ? -negative : 0;
            double factor = up ? positive : down ? negative : 1;
            assert_close((double)layer->quantized[i], expected, 1e-6, "weight", i);
            assert_close((double)layer->diff_latent[i], g * factor, 1e-6, "gradient", i);
            by_positive += up ? g : 0;
            by_negative -= down ? g : 0;
        }
        assert_close((double)layer_parameter(layer, "w_positive")->gradient[0], by_positive, 1e-5,
                     "gradient", 0);
        assert_close((double)layer_parameter(layer, "w_negative")->gradient[0], by_negative, 1e-5,
                     "gradient", 1);
        layer_free(layer);
    }
}

/* L = sum of g * q + q^2 / 2, whose gradient by q is g + q. */
static double quadratic_loss(const struct layer *layer, const float *g)
{
    double loss = 0;
    for (size_t i = 0; i < layer->count; i++) {
        double q = (double)layer->quantized[i];
        loss += (double)g[i] * q + q * q / 2;
    }
    return loss;
}

/* Would catch: the sign of W_n's gradient. L is quadratic in the level, so that the central
 * difference is exact but for rounding. */
static void ttq_level_gradients_match_central_differences(void **state)
{
    static const char *const names[] = {"w_positive", "w_negative"};
    (void)state;
    struct method_config config = method_defaults(METHOD_TTQ);
    struct layer *layer = layer_make(&config, 5, 60, 0.3, 5150);
    float *g = calloc(layer->count, sizeof *g);
    assert_non_null(g);
    memcpy(g, layer->diff_quantized, layer->count * sizeof *g);
    set_levels(layer, 0.5F, 0.75F);
    for (size_t p = 0; p < 2; p++) {
        struct method_parameter *level = layer_parameter(layer, names[p]);
        float at = level->value[0];
        float step = 0x1p-4F;
        layer_forward(layer, &some_step);
        for (size_t i = 0; i < layer->count; i++) {
            layer->diff_quantized[i] = g[i] + layer->quantized[i];
        }
        layer_backward(layer);
        double gradient = (double)level->gradient[0];
        level->value[0] = at + step;
        layer_forward(layer, &some_step);
        double above = quadratic_loss(layer, g);
        level->value[0] = at - step;
        layer_forward(layer, &some_step);
        double below = quadratic_loss(layer, g);
        level->value[0] = at;
        assert_close(gradient, (above - below) / (2 * (double)step), 1e-5, "gradient", p);
    }
    free(g);
    layer_free(layer);
}

/* Would catch: a level that becomes 0 or negative, and with it a layer that is not ternary. */
static void ttq_levels_stay_positive(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_TTQ);
    struct layer *layer = layer_make(&config, 2, 30, 0.3, 1);
    set_levels(layer, -0.5F, 0.0F);
    layer->method->class->after_update(layer->method, layer->latent);
    assert_true(layer_parameter(layer, "w_positive")->value[0] > 0);
    assert_true(layer_parameter(layer, "w_negative")->value[0] > 0);
    layer_free(layer);
}

/* The levels after finish: negative ones, and positive ones, positive. */
static void finish_ttq(struct layer *layer, double *positive, double *negative)
{
    float levels[8];
    struct method_result result = layer_finish(layer);
    assert_int_equal(result.depth, METHOD_DEPTH_TERNARY);
    assert_int_equal(layer_levels(layer, 0, levels), 3);
    *negative = -(double)levels[0];
    *positive = (double)levels[2];
}

/* Are these q and p times one float32 number, bit for bit? */
static bool have_step(float large, float small)
{
    for (int q = 1; q <= 7; q++) {
        float nearest = large / (float)q;
        const float steps[] = {nearest, nextafterf(nearest, 0), nextafterf(nearest, INFINITY)};
        for (size_t i = 0; i < 3; i++) {
            float p = rintf(small / steps[i]);
            if (p >= 1 && (float)q * steps[i] == large && p * steps[i] == small) {
                return true;
            }
        }
    }
    return false;
}

/* Would catch: levels that no quantizer gives exactly, so that float64 would see other weights; the
 * larger level changed, or a rounding that is further off than the nearest p/q. */
static void ttq_finishes_with_a_ratio_of_small_integers(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_TTQ);
    struct layer *layer = layer_make(&config, 1, 50, 0.3, 9);
    for (int k = 1; k <= 1000; k++) {
        double ratio = k / 1000.0;
        float large = 0.37F + 0.0123F * (float)(k % 37);
        float small = (float)(ratio * (double)large);
        double up;
        double down;
        bool swap = k % 2 == 0;
        set_levels(layer, swap ? small : large, swap ? large : small);
        finish_ttq(layer, &up, &down);
        double kept = swap ? down : up;
        double rounded = swap ? up : down;
        assert_true(fabs(kept - (double)large) <= 0x1p-23 * (double)large);
        assert_true(have_step((float)kept, (float)rounded));
        /* 1/7 and its neighbours, 0 and 6/7 to 1, are the widest gaps. */
        double bound = ratio >= 1.0 / 14 ? 1.0 / 14 : 1.0 / 7;
        assert_true(fabs(rounded / kept - ratio) <= bound + 1e-6);
    }
    layer_free(layer);
}

/* ---- STTN --------------------------------------------------------------------------------------
 */

static double sign(double w)
{
    return w >= 0 ? 1 : -1;
}

/* Would catch: alpha of one kernel only, or a gradient with the other kernel's signs. */
static void sttn_matches_its_equations(void **state)
{
    uint64_t seed = 404;
    (void)state;
    for (int round = 0; round < 20; round++) {
        size_t filters = 1 + random_below(&seed, 6);
        size_t size = 1 + random_below(&seed, 100);
        struct method_config config = method_defaults(METHOD_STTN);
        struct layer *layer = layer_make(&config, filters, size, 0.3, random_u64(&seed));
        layer_forward(layer, &some_step);
        layer_backward(layer);
        for (size_t f = 0; f < filters; f++) {
            const float *w[2] = {layer->latent + f * size, layer->latent + layer->count + f * size};
            const float *g = layer->diff_quantized + f * size;
            double alpha = 0;
            double sums[2] = {0, 0};
            for (size_t i = 0; i < size; i++) {
                for (int k = 0; k < 2; k++) {
                    alpha += fabs((double)w[k][i]) / (2 * (double)size);
                    sums[k] += sign((double)w[k][i]) * (double)g[i];
                }
            }
            for (size_t i = 0; i < size; i++) {
                double t = alpha * sign((double)w[0][i]) + alpha * sign((double)w[1][i]);
                assert_close((double)layer->quantized[f * size + i], t, 1e-6, "weight", i);
                for (size_t k = 0; k < 2; k++) {
                    double expected = (double)g[i] + sign((double)w[k][i]) * sums[k] / (double)size;
                    double found = (double)layer->diff_latent[k * layer->count + f * size + i];
                    assert_true(fabs(found - expected) <= 1e-5 * (1 + fabs(expected)));
                }
            }
        }
        layer_free(layer);
    }
}

/* With one weight a filter and W1 = W2 = w > 0, the straight-through part is g and alpha's part,
 * by the product rule, g again. Would catch: a factor that is off by two or by alpha. */
static void sttn_gradient_of_a_single_weight_has_two_equal_parts(void **state)
{
    static const float latent[] = {0.25F, 0.25F};
    (void)state;
    struct method_config config = method_defaults(METHOD_STTN);
    struct layer *layer = layer_make_of(&config, 1, 1, latent);
    layer->diff_quantized[0] = 0.5F;
    layer_forward(layer, &some_step);
    assert_true(layer->quantized[0] == 0.5F);
    layer_backward(layer);
    assert_true(layer->diff_latent[0] == 1.0F);
    assert_true(layer->diff_latent[1] == 1.0F);
    layer_free(layer);
}

/* Would catch: one of the two kernels left out of the clipping. */
static void sttn_clips_both_kernels(void **state)
{
    static const float latent[] = {-7.0F, 0.5F, 1.25F, 0.0F, 2.0F, -1.5F};
    static const float expected[] = {-1.0F, 0.5F, 1.0F, 0.0F, 1.0F, -1.0F};
    (void)state;
    struct method_config config = method_defaults(METHOD_STTN);
    struct layer *layer = layer_make_of(&config, 1, 3, latent);
    layer->method->class->after_update(layer->method, layer->latent);
    assert_memory_equal(layer->latent, expected, sizeof expected);
    layer_free(layer);
}

/* Would catch: kernels that are not independent. Half of the weights are 0 where two random signs
 * differ; the bound is five deviations of a share of 20000. */
static void sttn_starts_with_half_of_the_weights_zero(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_STTN);
    struct layer *layer = layer_make(&config, 20, 1000, 0.05, 6);
    struct method_result result = layer_finish(layer);
    assert_true(fabs(result.zeros - 0.5) < 5 * 0.5 / sqrt(20000));
    layer_free(layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twn_matches_its_equations_by_layer_and_by_filter),
        cmocka_unit_test(ttq_starts_at_the_mean_of_each_side),
        cmocka_unit_test(ttq_matches_its_equations),
        cmocka_unit_test(ttq_level_gradients_match_central_differences),
        cmocka_unit_test(ttq_levels_stay_positive),
        cmocka_unit_test(ttq_finishes_with_a_ratio_of_small_integers),
        cmocka_unit_test(sttn_matches_its_equations),
        cmocka_unit_test(sttn_gradient_of_a_single_weight_has_two_equal_parts),
        cmocka_unit_test(sttn_clips_both_kernels),
        cmocka_unit_test(sttn_starts_with_half_of_the_weights_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
