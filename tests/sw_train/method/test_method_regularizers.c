/* SPDX-License-Identifier: Apache-2.0 */
/* R1, R2 and SQ's R: values against the equations, gradients against central differences of them,
 * in double. The made weights and mu keep a distance from kinks. */
#include "method_fixture.h"

#include <string.h>

#define FILTERS 3
#define SIZE 40
#define COUNT (FILTERS * SIZE)

struct point {
    double w[COUNT], mu[FILTERS], beta;
};

static double regularize(const struct method_config *config, double w, double mu, double beta)
{
    double p = config->power;
    switch (config->kind) {
    case METHOD_R1:
        return pow(fabs(fabs(w) - mu), p);
    case METHOD_R2:
        return pow(fabs(fabs(fabs(w) - mu / 2) - mu / 2), p);
    default:
        break;
    }
    double plus = pow(fabs(fabs(w) + mu), p);
    double minus = pow(fabs(fabs(w) - mu), p);
    return fmin(fmin(plus, minus), tan(beta) * pow(fabs(w), p));
}

static double reference_loss(const struct method_config *config, const struct point *at)
{
    double sum = 0;
    for (size_t f = 0; f < FILTERS; f++) {
        for (size_t i = 0; i < SIZE; i++) {
            sum += regularize(config, at->w[f * SIZE + i], at->mu[f], at->beta);
        }
        if (config->kind == METHOD_SQ && !config->gamma_per_layer) {
            sum += config->gamma * fabs(1 / tan(at->beta));
        }
    }
    double loss = config->lambda / COUNT * sum;
    if (config->kind == METHOD_SQ && config->gamma_per_layer) {
        loss += config->lambda * config->gamma * fabs(1 / tan(at->beta));
    }
    return loss;
}

static double central_difference(const struct method_config *config, struct point *at, double *x)
{
    double was = *x;
    double step = 1e-6;
    *x = was + step;
    double above = reference_loss(config, at);
    *x = was - step;
    double below = reference_loss(config, at);
    *x = was;
    return (above - below) / (2 * step);
}

/* Is w within 1e-4 of where R changes its branch or its sign? */
static bool is_near_kink(const struct method_config *config, double w, double mu, double beta)
{
    double p = 1.0 / config->power;
    double tangent = pow(tan(beta), p);
    double kinks[] = {0, mu, mu / 2, mu / (1 + tangent), -mu, -mu / (1 + tangent)};
    for (size_t k = 0; k < sizeof kinks / sizeof *kinks; k++) {
        if (fabs(fabs(w) - fabs(kinks[k])) < 1e-4) {
            return true;
        }
    }
    return false;
}

static void make_point(struct layer *layer, struct point *at, uint64_t *seed, bool negative_mu)
{
    const struct method_config *config = &layer->method->config;
    struct method_parameter *mu = layer_parameter(layer, "mu");
    struct method_parameter *beta = layer_parameter(layer, "beta");

    at->beta = 0;
    if (beta) {
        beta->value[0] = (float)(0.8 + 0.7 * random_unit(seed));
        at->beta = (double)beta->value[0];
    }
    for (size_t f = 0; f < FILTERS; f++) {
        mu->value[f] = (float)(0.2 + 0.2 * random_unit(seed)) * (negative_mu ? -1.0F : 1.0F);
        at->mu[f] = (double)mu->value[f];
        for (size_t i = f * SIZE; i < (f + 1) * SIZE; i++) {
            do {
                layer->latent[i] = (float)(0.3 * random_normal(seed));
                at->w[i] = (double)layer->latent[i];
            } while (is_near_kink(config, at->w[i], at->mu[f], at->beta));
        }
    }
}

static void check_point(struct layer *layer, struct point *at)
{
    const struct method_config *config = &layer->method->config;
    struct method *method = layer->method;
    struct method_parameter *mu = layer_parameter(layer, "mu");
    struct method_parameter *beta = layer_parameter(layer, "beta");

    memset(layer->diff_latent, 0, COUNT * sizeof(float));
    memset(mu->gradient, 0, FILTERS * sizeof(float));
    if (beta) {
        beta->gradient[0] = 0;
    }
    double loss = method->class->add_loss(method, layer->latent, layer->diff_latent);
    assert_close(loss, reference_loss(config, at), 1e-5, "loss", 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_close((double)layer->diff_latent[i], central_difference(config, at, &at->w[i]), 1e-3,
                     "gradient of weight", i);
    }
    for (size_t f = 0; f < FILTERS; f++) {
        double expected = central_difference(config, at, &at->mu[f]);
        /* signs may cancel to nothing */
        assert_true(fabs((double)mu->gradient[f] - expected) <=
                    1e-3 * fmax(fabs(expected), config->lambda / COUNT));
    }
    if (beta) {
        assert_close((double)beta->gradient[0], central_difference(config, at, &at->beta), 1e-3,
                     "gradient of beta", 0);
    }
}

static void check_gradients(struct method_config config, bool negative_mu)
{
    uint64_t seed = 1234;
    struct point at;
    for (int round = 0; round < 10; round++) {
        struct layer *layer = layer_make(&config, FILTERS, SIZE, 0.3, 1);
        make_point(layer, &at, &seed, negative_mu);
        check_point(layer, &at);
        layer_free(layer);
    }
}

/* Would catch: a wrong branch, sign or factor in R1 or R2, p = 2 included. */
static void r1_and_r2_match_their_equations(void **state)
{
    (void)state;
    for (unsigned power = 1; power <= 2; power++) {
        struct method_config config = method_defaults(METHOD_R1);
        config.power = power;
        config.lambda = 0.7;
        check_gradients(config, false);
        config.kind = METHOD_R2;
        check_gradients(config, false);
    }
}

/* Would catch: a wrong branch of the minimum, a missing sec^2, the gamma term once too often, or
 * a branch |w| + mu that is left out (it is the least where mu < 0). */
static void sq_regularizer_matches_equations_9_and_10(void **state)
{
    (void)state;
    for (unsigned power = 1; power <= 2; power++) {
        struct method_config config = method_defaults(METHOD_SQ);
        config.power = power;
        config.gamma = 0.3;
        check_gradients(config, false);
        check_gradients(config, true);
        config.gamma_per_layer = true;
        check_gradients(config, false);
    }
}

/* Would catch: gradients that are overwritten instead of added to. */
static void losses_are_added_to_the_gradients(void **state)
{
    static const enum method_kind kinds[] = {METHOD_R1, METHOD_R2, METHOD_SQ};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct method_config config = method_defaults(kinds[k]);
        config.lambda = 0;
        struct layer *layer = layer_make(&config, FILTERS, SIZE, 0.3, 1);
        struct method *method = layer->method;
        layer_forward(layer, &some_step);
        layer_backward(layer);
        layer_parameter(layer, "mu")->gradient[1] = 5;
        assert_true(method->class->add_loss(method, layer->latent, layer->diff_latent) == 0);
        assert_memory_equal(layer->diff_latent, layer->diff_quantized, COUNT * sizeof(float));
        assert_true(layer_parameter(layer, "mu")->gradient[1] == 5);
        layer_free(layer);
    }
}

/* Would catch: quantized weights in training, or a gradient of the last step left in mu. */
static void r1_and_r2_train_in_full_precision(void **state)
{
    (void)state;
    for (enum method_kind kind = METHOD_R1; kind <= METHOD_R2; kind++) {
        struct method_config config = method_defaults(kind);
        struct layer *layer = layer_make(&config, FILTERS, SIZE, 0.3, 1);
        layer_parameter(layer, "mu")->gradient[0] = 3;
        layer_forward(layer, &some_step);
        assert_memory_equal(layer->quantized, layer->latent, COUNT * sizeof(float));
        layer_backward(layer);
        assert_memory_equal(layer->diff_latent, layer->diff_quantized, COUNT * sizeof(float));
        assert_true(layer_parameter(layer, "mu")->gradient[0] == 0);
        layer_free(layer);
    }
}

/* Would catch: a final level that is not the nearest. */
static void r1_and_r2_finish_at_the_nearest_level(void **state)
{
    static const float latent[] = {0.0F, 0.24F, 0.26F, -0.24F, -0.26F, -5.0F};
    static const float binary[] = {0.5F, 0.5F, 0.5F, -0.5F, -0.5F, -0.5F};
    static const float ternary[] = {0.0F, 0.0F, 0.5F, 0.0F, -0.5F, -0.5F};
    (void)state;
    for (enum method_kind kind = METHOD_R1; kind <= METHOD_R2; kind++) {
        struct method_config config = method_defaults(kind);
        struct layer *layer = layer_make_of(&config, 1, 6, latent);
        layer_parameter(layer, "mu")->value[0] = 0.5F;
        (void)layer_finish(layer);
        assert_memory_equal(layer->quantized, kind == METHOD_R1 ? binary : ternary, sizeof binary);
        layer_free(layer);
    }
}

/* Plain gradient descent on the regularizer alone. */
static void descend(struct layer *layer, size_t steps, double rate)
{
    struct method *method = layer->method;
    struct method_parameter *mu = layer_parameter(layer, "mu");
    memset(layer->diff_quantized, 0, layer->count * sizeof(float));
    for (size_t s = 0; s < steps; s++) {
        layer_forward(layer, &some_step);
        layer_backward(layer);
        (void)method->class->add_loss(method, layer->latent, layer->diff_latent);
        double now = rate * (1 - (double)s / (double)steps);
        for (size_t i = 0; i < layer->count; i++) {
            layer->latent[i] -= (float)(now * (double)layer->diff_latent[i]);
        }
        for (size_t f = 0; f < layer->filters; f++) {
            mu->value[f] -= (float)(now / (double)layer->size * (double)mu->gradient[f]);
        }
        method->class->after_update(method, layer->latent);
    }
}

/* Would catch: a slope with the wrong sign anywhere: weights then leave their level. */
static void descent_on_r1_and_r2_ends_at_two_and_three_levels(void **state)
{
    (void)state;
    for (enum method_kind kind = METHOD_R1; kind <= METHOD_R2; kind++) {
        struct method_config config = method_defaults(kind);
        struct layer *layer = layer_make(&config, 4, 100, 0.3, 8);
        descend(layer, 4000, 10);
        (void)layer_finish(layer);
        size_t zeros = 0;
        for (size_t i = 0; i < layer->count; i++) {
            assert_true(fabsf(layer->latent[i] - layer->quantized[i]) < 0.01F);
            zeros += layer->quantized[i] == 0;
        }
        assert_true(kind == METHOD_R1 ? zeros == 0 : zeros > layer->count / 10);
        layer_free(layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_and_r2_match_their_equations),
        cmocka_unit_test(sq_regularizer_matches_equations_9_and_10),
        cmocka_unit_test(losses_are_added_to_the_gradients),
        cmocka_unit_test(r1_and_r2_train_in_full_precision),
        cmocka_unit_test(r1_and_r2_finish_at_the_nearest_level),
        cmocka_unit_test(descent_on_r1_and_r2_ends_at_two_and_three_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
