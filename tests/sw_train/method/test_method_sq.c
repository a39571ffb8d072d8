/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Smart Quantization: start, quantization, gradients of the task loss, the decision, and where
 * beta goes. Its regularizer is tested in test_method_regularizers.c.
 */
#include "method_fixture.h"

#include <string.h>

static const double pi = 3.14159265358979323846;

static struct layer *make_layer(double gamma, size_t filters, size_t size)
{
    struct method_config config = method_defaults(METHOD_SQ);
    config.gamma = gamma;
    return layer_make(&config, filters, size, 0.05, 20);
}

/* Would catch: a threshold of the mean square instead of the deviation, or of one filter. */
static void threshold_is_a_fifth_of_the_initial_deviation(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_SQ);
    float *latent = calloc(600, sizeof *latent);
    assert_non_null(latent);
    uint64_t seed = 3;
    double mean = 0;
    double square = 0;
    for (size_t i = 0; i < 600; i++) {
        latent[i] = (float)(0.3 + 0.1 * random_normal(&seed));
        mean += (double)latent[i] / 600;
        square += (double)latent[i] * (double)latent[i] / 600;
    }
    struct layer *layer = layer_make_of(&config, 6, 100, latent);
    struct method_buffer *threshold = layer_buffer(layer, "threshold");
    assert_non_null(threshold);
    assert_int_equal(threshold->count, 1);
    assert_close((double)threshold->value[0], 0.2 * sqrt(square - mean * mean), 1e-5, "threshold",
                 0);
    free(latent);
    layer_free(layer);
}

/* P(|x| < 0.2) = 0.1585 for a Gaussian. Would catch: another threshold than 0.2 deviations. The
 * bound is five deviations of a share of 80000. */
static void sixteen_percent_of_gaussian_weights_are_zero_at_the_start(void **state)
{
    (void)state;
    struct layer *layer = make_layer(0.01, 80, 1000);
    struct method_result result = layer_finish(layer);
    assert_int_equal(result.depth, METHOD_DEPTH_TERNARY);
    assert_true(fabs(result.zeros - 0.15852) < 5 * sqrt(0.1585 * 0.8415 / 80000));
    layer_free(layer);
}

/* Would catch: a threshold that follows the weights, mu of another filter, a gradient of mu
 * without the sign, or one that is not straight-through. */
static void forward_and_backward_match_the_equations(void **state)
{
    (void)state;
    struct layer *layer = make_layer(0.01, 7, 90);
    struct method_parameter *mu = layer_parameter(layer, "mu");
    double threshold = (double)layer_buffer(layer, "threshold")->value[0];
    for (size_t f = 0; f < 7; f++) {
        double mean = 0;
        for (size_t i = 0; i < 90; i++) {
            mean += fabs((double)layer->latent[f * 90 + i]) / 90;
        }
        assert_close((double)mu->value[f], mean, 1e-6, "mu", f);
        mu->value[f] = 0.1F * (float)(f + 1);
    }
    for (size_t i = 0; i < layer->count; i++) {
        layer->latent[i] *= 2; /* must not move the threshold */
    }
    layer_forward(layer, &some_step);
    layer_backward(layer);
    for (size_t f = 0; f < 7; f++) {
        double by_mu = 0;
        for (size_t i = f * 90; i < (f + 1) * 90; i++) {
            double w = (double)layer->latent[i];
            double ternary = w > threshold ? 1 : w < -threshold ? -1 : 0;
            assert_close((double)layer->quantized[i], ternary * (double)mu->value[f], 1e-6,
                         "weight", i);
            assert_true(layer->diff_latent[i] == layer->diff_quantized[i]);
            by_mu += ternary * (double)layer->diff_quantized[i];
        }
        assert_close((double)mu->gradient[f], by_mu, 1e-4, "gradient of mu", f);
    }
    assert_true(layer_parameter(layer, "beta")->gradient[0] == 0);
    layer_free(layer);
}

/* Would catch: a gradient of mu that leaves out the weights near 0, which a binary layer has. */
static void mu_of_a_binary_layer_gets_the_gradient_of_every_sign(void **state)
{
    (void)state;
    struct layer *layer = make_layer(0.01, 3, 50);
    layer_parameter(layer, "beta")->value[0] = 1.5702F;
    layer->latent[60] = 0; /* counts as +1 */
    layer_forward(layer, &some_step);
    layer_backward(layer);
    for (size_t f = 0; f < 3; f++) {
        double by_mu = 0;
        for (size_t i = f * 50; i < (f + 1) * 50; i++) {
            double g = (double)layer->diff_quantized[i];
            by_mu += layer->latent[i] >= 0 ? g : -g;
        }
        assert_close((double)layer_parameter(layer, "mu")->gradient[f], by_mu, 1e-4, "mu", f);
    }
    layer_free(layer);
}

/* Would catch: an upper bound below delta, so that no layer could become binary; a bound outside
 * of (pi/4, pi/2); a mu that changes its sign. */
static void beta_and_mu_stay_within_their_bounds(void **state)
{
    (void)state;
    struct layer *layer = make_layer(0.01, 2, 10);
    struct method_parameter *beta = layer_parameter(layer, "beta");
    struct method_parameter *mu = layer_parameter(layer, "mu");
    beta->value[0] = 2;
    mu->value[1] = -1;
    layer->method->class->after_update(layer->method, layer->latent);
    assert_true((double)beta->value[0] >= method_defaults(METHOD_SQ).delta);
    assert_true((double)beta->value[0] < pi / 2);
    assert_true(mu->value[1] > 0);
    beta->value[0] = -1;
    layer->method->class->after_update(layer->method, layer->latent);
    assert_true((double)beta->value[0] > pi / 4);
    assert_true((double)beta->value[0] < pi / 4 + 0.001);
    layer_free(layer);
}

/* Would catch: zeros in a binary layer, weights that differ between training and evaluation, or a
 * comparison with another value than delta. */
static void a_layer_is_binary_where_beta_reaches_delta(void **state)
{
    static const double betas[] = {0.79, 1.2, 1.5699, 1.5701};
    (void)state;
    struct layer *layer = make_layer(0.01, 5, 100);
    layer->latent[17] = 0;
    assert_true((double)layer_parameter(layer, "beta")->value[0] < 1.57); /* ternary at the start */
    for (size_t b = 0; b < sizeof betas / sizeof *betas; b++) {
        float levels[8];
        bool binary = betas[b] >= 1.57;
        layer_parameter(layer, "beta")->value[0] = (float)betas[b];
        layer_forward(layer, &some_step);
        assert_int_equal(layer_levels(layer, 0, levels), binary ? 2 : 3);
        struct method_result result = layer_finish(layer);
        assert_int_equal(result.depth, binary ? METHOD_DEPTH_BINARY : METHOD_DEPTH_TERNARY);
        assert_int_equal(result.bits, binary ? 1 : 2);
        assert_int_equal(result.zeros == 0, binary);
        for (size_t f = 0; f < layer->filters; f++) {
            float mu = layer_parameter(layer, "mu")->value[f];
            size_t found = layer_levels(layer, f, levels);
            assert_int_equal(found, binary ? 2 : 3);
            assert_true(levels[0] == -mu);
            assert_true(levels[found - 1] == mu);
        }
        assert_true(layer->quantized[17] == (binary ? layer_parameter(layer, "mu")->value[0] : 0));
    }
    layer_free(layer);
}

/* Would catch: tan(beta) that overflows at the end of the interval. */
static void gradients_are_finite_at_both_ends_of_beta(void **state)
{
    (void)state;
    for (unsigned power = 1; power <= 2; power++) {
        struct method_config config = method_defaults(METHOD_SQ);
        config.power = power;
        struct layer *layer = layer_make(&config, 4, 100, 0.05, 2);
        struct method *method = layer->method;
        struct method_parameter *beta = layer_parameter(layer, "beta");
        for (size_t end = 0; end < 2; end++) {
            beta->value[0] = (float)(end == 0 ? beta->minimum : beta->maximum);
            layer_forward(layer, &some_step);
            layer_backward(layer);
            assert_true(
                isfinite(method->class->add_loss(method, layer->latent, layer->diff_latent)));
            assert_true(isfinite(beta->gradient[0]));
            for (size_t i = 0; i < layer->count; i++) {
                assert_true(isfinite(layer->diff_latent[i]));
            }
        }
        layer_free(layer);
    }
}

/* ---- Where beta goes ---------------------------------------------------------------------------
 */

#define STEPS 6000

struct moments {
    double first, second;
};

/* Adam, Kingma and Ba 2015. correct: 1 / (1 - beta1^t) and 1 / (1 - beta2^t). */
static void adam(float *values, const float *gradients, size_t count, struct moments *moments,
                 const struct moments *correct, double rate)
{
    for (size_t i = 0; i < count; i++) {
        struct moments *m = &moments[i];
        double g = (double)gradients[i];
        m->first = 0.9 * m->first + 0.1 * g;
        m->second = 0.999 * m->second + 0.001 * g * g;
        values[i] -=
            (float)(rate * m->first * correct->first / (sqrt(m->second * correct->second) + 1e-8));
    }
}

static void update(struct layer *layer, struct moments *moments, size_t step, double rate)
{
    struct method *method = layer->method;
    struct moments correct = {1 / (1 - pow(0.9, (double)step)), 1 / (1 - pow(0.999, (double)step))};
    adam(layer->latent, layer->diff_latent, layer->count, moments, &correct, rate);
    moments += layer->count;
    for (size_t p = 0; p < method->parameter_count; p++) {
        struct method_parameter *parameter = &method->parameters[p];
        adam(parameter->value, parameter->gradient, parameter->count, moments, &correct, rate);
        moments += parameter->count;
    }
    method->class->after_update(method, layer->latent);
}

/* Train one layer of 16 filters of 150 weights on its regularizer and on a task whose gradient is
 * noise that fades, as a minibatch's does when the network has learned its images. Gives beta and
 * the share of weights within the threshold. */
static double train_alone(double gamma, bool per_layer, double *zeros)
{
    struct method_config config = method_defaults(METHOD_SQ);
    config.gamma = gamma;
    config.gamma_per_layer = per_layer;
    struct layer *layer = layer_make(&config, 16, 150, 0.1, 4);
    struct method *method = layer->method;
    struct moments *moments = calloc(layer->count + layer->filters + 1, sizeof *moments);
    assert_non_null(moments);
    uint64_t seed = 17;
    for (size_t step = 1; step <= STEPS; step++) {
        double left = 1 - (double)(step - 1) / STEPS;
        layer_forward(layer, &some_step);
        for (size_t i = 0; i < layer->count; i++) {
            layer->diff_quantized[i] = (float)(1.7e-3 * left * (2 * random_unit(&seed) - 1));
        }
        layer_backward(layer);
        (void)method->class->add_loss(method, layer->latent, layer->diff_latent);
        update(layer, moments, step, 0.0005 * (1 + cos(pi * (1 - left))));
    }
    float threshold = layer_buffer(layer, "threshold")->value[0];
    size_t within = 0;
    for (size_t i = 0; i < layer->count; i++) {
        within += fabsf(layer->latent[i]) <= threshold;
    }
    *zeros = (double)within / (double)layer->count;
    double beta = (double)layer_parameter(layer, "beta")->value[0];
    free(moments);
    layer_free(layer);
    return beta;
}

/* The ends of the paper's Figure 3. Would catch: a gamma term of the wrong sign or size. */
static void a_large_gamma_makes_the_layer_binary_and_a_small_one_ternary(void **state)
{
    double zeros;
    (void)state;
    double beta = train_alone(0.1, true, &zeros);
    print_message("gamma 0.1 once a layer: beta %.4f, zeros %.3f\n", beta, zeros);
    assert_true(beta >= 1.57);
    assert_true(zeros < 0.01);
    beta = train_alone(1e-5, true, &zeros);
    print_message("gamma 1e-5 once a layer: beta %.4f, zeros %.3f\n", beta, zeros);
    assert_true(beta < 0.85);
    assert_true(zeros > 0.05);
}

/* What docs/training.md says of the other reading: once a filter, divided by #W, the gamma term is
 * too small to keep beta up, and weights gather at 0. Would catch: the option mixed up. */
static void gamma_once_a_filter_leaves_zeros_even_where_it_is_large(void **state)
{
    double zeros;
    (void)state;
    double beta = train_alone(0.1, false, &zeros);
    print_message("gamma 0.1 once a filter: beta %.4f, zeros %.3f\n", beta, zeros);
    assert_true(beta < 1.57);
    assert_true(zeros > 0.05);
    beta = train_alone(1e-5, false, &zeros);
    print_message("gamma 1e-5 once a filter: beta %.4f, zeros %.3f\n", beta, zeros);
    assert_true(beta < 0.85);
    assert_true(zeros > 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threshold_is_a_fifth_of_the_initial_deviation),
        cmocka_unit_test(sixteen_percent_of_gaussian_weights_are_zero_at_the_start),
        cmocka_unit_test(forward_and_backward_match_the_equations),
        cmocka_unit_test(mu_of_a_binary_layer_gets_the_gradient_of_every_sign),
        cmocka_unit_test(beta_and_mu_stay_within_their_bounds),
        cmocka_unit_test(a_layer_is_binary_where_beta_reaches_delta),
        cmocka_unit_test(gradients_are_finite_at_both_ends_of_beta),
        cmocka_unit_test(a_large_gamma_makes_the_layer_binary_and_a_small_one_ternary),
        cmocka_unit_test(gamma_once_a_filter_leaves_zeros_even_where_it_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
