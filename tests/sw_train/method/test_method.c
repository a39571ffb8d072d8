/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every weight method: names, settings, edge cases of weights, and final levels. */
#include "method_fixture.h"

#include <float.h>
#include <omp.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* Would catch: a kind without a name, or two kinds of one name. */
static void names_round_trip(void **state)
{
    static const char *const expected[METHOD_KIND_COUNT] = {
        "full", "int8", "binaryconnect", "bwn", "twn", "ttq", "sq", "sttn", "r1", "r2"};
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        enum method_kind found;
        assert_string_equal(method_name((enum method_kind)kind), expected[kind]);
        assert_true(method_find(expected[kind], &found));
        assert_int_equal(found, kind);
    }
    enum method_kind untouched = METHOD_SQ;
    assert_false(method_find("SQ", &untouched));
    assert_false(method_find("", &untouched));
    assert_int_equal(untouched, METHOD_SQ);
    assert_string_equal(method_name((enum method_kind)METHOD_KIND_COUNT), "unknown");
}

/* Would catch: a default that is not the paper's. */
static void defaults_are_the_papers(void **state)
{
    (void)state;
    assert_true(method_defaults(METHOD_TWN).threshold == 0.7);
    assert_false(method_defaults(METHOD_TWN).per_filter);
    assert_true(method_defaults(METHOD_TTQ).threshold == 0.05);
    struct method_config sq = method_defaults(METHOD_SQ);
    assert_true(sq.threshold == 0.2);
    assert_true(sq.lambda == 0.1);
    assert_true(sq.gamma == 0.01);
    assert_true(sq.delta == 1.57);
    assert_int_equal(sq.power, 1);
    assert_false(sq.gamma_per_layer);
    assert_true(sq.extra_rate == 1);
    assert_false(method_defaults(METHOD_BINARYCONNECT).stochastic);
}

/* Would catch: a class registered under another kind, or a state without a name. */
static void classes_and_states_are_named(void **state)
{
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        struct method_config config = method_defaults((enum method_kind)kind);
        struct layer *layer = layer_make(&config, 5, 9, 0.1, 1);
        struct method *method = layer->method;
        assert_int_equal(method->class->kind, kind);
        assert_int_equal(method->class->latent_count, kind == METHOD_STTN ? 2 : 1);
        for (size_t p = 0; p < method->parameter_count; p++) {
            const struct method_parameter *parameter = &method->parameters[p];
            assert_true(strlen(parameter->name) > 0);
            assert_true(parameter->count == 1 || parameter->count == 5);
            for (size_t i = 0; i < parameter->count; i++) {
                assert_true(parameter->value[i] >= (float)parameter->minimum);
                assert_true(parameter->value[i] <= (float)parameter->maximum);
            }
            for (size_t q = 0; q < p; q++) {
                assert_string_not_equal(method->parameters[q].name, parameter->name);
            }
        }
        for (size_t b = 0; b < method->buffer_count; b++) {
            assert_true(strlen(method->buffers[b].name) > 0);
        }
        layer_free(layer);
    }
}

static void assert_refused(struct method_config config, const char *part)
{
    struct bittern_error err = {.status = BITTERN_OK};
    struct method *method = NULL;
    assert_int_equal(method_create(&config, 2, 3, &method, &err), BITTERN_ERR_RANGE);
    assert_null(method);
    assert_non_null(strstr(err.message, part));
    assert_non_null(strstr(err.message, method_name(config.kind)));
}

static struct method_config with(enum method_kind kind, size_t offset, double value)
{
    struct method_config config = method_defaults(kind);
    memcpy((char *)&config + offset, &value, sizeof value);
    return config;
}

/* Would catch: a setting that trains into nonsense instead of being refused. */
static void bad_settings_are_clear_errors(void **state)
{
    (void)state;
    static const enum method_kind regularized[] = {METHOD_SQ, METHOD_R1, METHOD_R2};
    for (size_t k = 0; k < 3; k++) {
        size_t lambda = offsetof(struct method_config, lambda);
        assert_refused(with(regularized[k], lambda, -0.1), "lambda is -0.1");
        assert_refused(with(regularized[k], lambda, NAN), "lambda");
        assert_refused(with(regularized[k], lambda, INFINITY), "lambda");
        struct method_config config = method_defaults(regularized[k]);
        config.power = 3;
        assert_refused(config, "power is 3");
        config.power = 0;
        assert_refused(config, "power is 0; it must be 1 or more, and less than 3");
    }
    size_t threshold = offsetof(struct method_config, threshold);
    assert_refused(with(METHOD_TWN, threshold, -1), "threshold");
    assert_refused(with(METHOD_TTQ, threshold, 1), "less than 1");
    assert_refused(with(METHOD_SQ, threshold, NAN), "threshold");
    assert_refused(with(METHOD_SQ, offsetof(struct method_config, gamma), -1), "gamma");
    assert_refused(with(METHOD_SQ, offsetof(struct method_config, delta), pi / 2), "delta");
    assert_refused(with(METHOD_SQ, offsetof(struct method_config, delta), 0.7), "delta");
    assert_refused(with(METHOD_TTQ, offsetof(struct method_config, extra_rate), -1), "extra_rate");
}

/* Would catch: a check of a setting that the method does not use. */
static void settings_of_other_methods_are_ignored(void **state)
{
    (void)state;
    struct method_config config = {.kind = METHOD_BWN, .lambda = -1, .power = 9};
    struct layer *layer = layer_make(&config, 2, 3, 0.1, 1);
    layer_free(layer);
}

/* Would catch: a product of sizes that wraps, and a layer without weights. */
static void impossible_shapes_and_kinds_are_refused(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_TWN);
    struct bittern_error err;
    struct method *method;
    assert_int_equal(method_create(&config, 0, 3, &method, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(method_create(&config, 3, 0, &method, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(method_create(&config, SIZE_MAX / 2, 4, &method, &err), BITTERN_ERR_MEMORY);
    assert_int_equal(method_create(&config, SIZE_MAX / 16, 1, &method, NULL), BITTERN_ERR_MEMORY);
    config.kind = (enum method_kind)99;
    assert_int_equal(method_create(&config, 1, 1, &method, &err), BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "99"));
    method_free(NULL);
}

static void assert_finite(const float *values, size_t count, enum method_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            fail_msg("%s: value %zu is %g", method_name(kind), i, (double)values[i]);
        }
    }
}

/* A whole step, and the end of training, on weights scale * pattern. */
static void run_on_scaled_weights(enum method_kind kind, size_t filters, size_t size, float scale)
{
    struct method_config config = method_defaults(kind);
    float *latent = calloc(2 * filters * size, sizeof *latent);
    assert_non_null(latent);
    uint64_t seed = 5;
    for (size_t i = 0; i < 2 * filters * size; i++) {
        latent[i] = scale * (float)(random_unit(&seed) * 2 - 1);
    }
    struct layer *layer = layer_make_of(&config, filters, size, latent);
    struct method *method = layer->method;

    layer_forward(layer, &some_step);
    assert_finite(layer->quantized, layer->count, kind);
    layer_backward(layer);
    if (method->class->add_loss) {
        assert_true(isfinite(method->class->add_loss(method, layer->latent, layer->diff_latent)));
    }
    assert_finite(layer->diff_latent, method->class->latent_count * layer->count, kind);
    for (size_t p = 0; p < method->parameter_count; p++) {
        assert_finite(method->parameters[p].value, method->parameters[p].count, kind);
        assert_finite(method->parameters[p].gradient, method->parameters[p].count, kind);
    }
    if (method->class->after_update) {
        method->class->after_update(method, layer->latent);
    }
    struct method_result result = layer_finish(layer);
    assert_finite(layer->quantized, layer->count, kind);
    assert_true(result.zeros >= 0 && result.zeros <= 1);
    if (result.depth == METHOD_DEPTH_BINARY) {
        assert_true(result.zeros == 0);
    }
    free(latent);
    layer_free(layer);
}

/* Would catch: a division by a mean, maximum, deviation or count that is 0, and an overflow. */
static void every_method_survives_zero_tiny_huge_and_single_weights(void **state)
{
    static const float scales[] = {0.0F, FLT_TRUE_MIN * 8, 1e-38F, 1e-20F, 1.0F, 1e18F, 1e30F};
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
            run_on_scaled_weights((enum method_kind)kind, 3, 7, scales[s]);
            run_on_scaled_weights((enum method_kind)kind, 1, 1, scales[s]);
            run_on_scaled_weights((enum method_kind)kind, 4, 1, scales[s]);
        }
    }
}

/* Would catch: evaluation of other weights than those that are exported. */
static void forward_without_a_step_gives_the_final_weights(void **state)
{
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        struct method_config config = method_defaults((enum method_kind)kind);
        config.stochastic = true;
        struct layer *layer = layer_make(&config, 6, 40, 0.3, 21);
        struct method_parameter *beta = layer_parameter(layer, "beta");
        if (beta) {
            beta->value[0] = 1.5704F;
        }
        layer_forward(layer, NULL);
        float *evaluated = calloc(layer->count, sizeof *evaluated);
        assert_non_null(evaluated);
        memcpy(evaluated, layer->quantized, layer->count * sizeof *evaluated);
        (void)layer_finish(layer);
        assert_memory_equal(evaluated, layer->quantized, layer->count * sizeof *evaluated);
        free(evaluated);
        layer_free(layer);
    }
}

/* Would catch: final weights off the two or three levels of their depth, and a wrong description.
 */
static void final_weights_have_the_levels_of_their_depth(void **state)
{
    (void)state;
    for (int kind = METHOD_BINARYCONNECT; kind < METHOD_KIND_COUNT; kind++) {
        struct method_config config = method_defaults((enum method_kind)kind);
        struct layer *layer = layer_make(&config, 8, 200, 0.2, 33);
        if (kind == METHOD_SQ) {
            layer_parameter(layer, "beta")->value[0] = 1;
        }
        struct method_result result = layer_finish(layer);
        bool binary = kind == METHOD_BINARYCONNECT || kind == METHOD_BWN || kind == METHOD_R1;
        assert_int_equal(result.depth, binary ? METHOD_DEPTH_BINARY : METHOD_DEPTH_TERNARY);
        assert_int_equal(result.bits, binary ? 1 : 2);
        size_t zeros = 0;
        for (size_t f = 0; f < layer->filters; f++) {
            float levels[8];
            size_t found = layer_levels(layer, f, levels);
            assert_int_equal(found, binary ? 2 : 3);
            if (kind != METHOD_TTQ) {
                assert_true(levels[0] == -levels[found - 1]);
            }
            assert_true(binary || levels[1] == 0.0F);
        }
        for (size_t i = 0; i < layer->count; i++) {
            zeros += layer->quantized[i] == 0.0F;
        }
        assert_close(result.zeros, (double)zeros / (double)layer->count, 1e-12, "zeros of", 0);
        layer_free(layer);
    }
}

static void run_step(struct layer *layer, double *loss)
{
    struct method *method = layer->method;
    layer_forward(layer, &some_step);
    layer_backward(layer);
    *loss = method->class->add_loss
                ? method->class->add_loss(method, layer->latent, layer->diff_latent)
                : 0;
}

/* Would catch: sums in an order that depends on the threads. The layer is large enough to be
 * divided among them. */
static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    int threads = omp_get_max_threads();
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        struct method_config config = method_defaults((enum method_kind)kind);
        config.stochastic = true;
        struct layer *one = layer_make(&config, 37, 1000, 0.2, 3);
        struct layer *three = layer_make(&config, 37, 1000, 0.2, 3);
        size_t bytes = one->count * sizeof(float);
        double loss_one;
        double loss_three;
        omp_set_num_threads(1);
        run_step(one, &loss_one);
        omp_set_num_threads(3);
        run_step(three, &loss_three);
        assert_true(loss_one == loss_three);
        assert_memory_equal(one->quantized, three->quantized, bytes);
        assert_memory_equal(one->diff_latent, three->diff_latent,
                            one->method->class->latent_count * bytes);
        for (size_t p = 0; p < one->method->parameter_count; p++) {
            assert_memory_equal(one->method->parameters[p].gradient,
                                three->method->parameters[p].gradient,
                                one->method->parameters[p].count * sizeof(float));
        }
        layer_free(one);
        layer_free(three);
    }
    omp_set_num_threads(threads);
}

/* Would catch: full precision that changes a bit. */
static void full_precision_passes_everything_through(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_FULL);
    struct layer *layer = layer_make(&config, 3, 5, 1, 4);
    layer_forward(layer, &some_step);
    assert_memory_equal(layer->quantized, layer->latent, layer->count * sizeof(float));
    layer_backward(layer);
    assert_memory_equal(layer->diff_latent, layer->diff_quantized, layer->count * sizeof(float));
    struct method_result result = layer_finish(layer);
    assert_int_equal(result.depth, METHOD_DEPTH_FULL);
    assert_int_equal(result.bits, 32);
    layer_free(layer);
}

/* Would catch: a step of another filter, rounding half away from zero, or an inexact multiple. */
static void int8_weights_are_rounded_multiples_of_a_filters_step(void **state)
{
    /* A largest magnitude of 127 makes the step 1, and halves exact. */
    static const float latent[] = {127.0F, -0.5F, 0.5F,  1.5F,   2.5F,  -2.5F,
                                   0.25F,  0.0F,  -2.0F, 0.015F, -1.0F, 1.984F};
    static const float expected[] = {127.0F, 0.0F, 0.0F, 2.0F, 2.0F, -2.0F};
    (void)state;
    struct method_config config = method_defaults(METHOD_INT8);
    struct layer *layer = layer_make_of(&config, 2, 6, latent);
    struct method_result result = layer_finish(layer);
    assert_int_equal(result.depth, METHOD_DEPTH_INT8);
    assert_int_equal(result.bits, 8);
    for (size_t i = 0; i < 6; i++) {
        assert_true(layer->quantized[i] == expected[i]);
    }
    double step = 2.0 / 127;
    for (size_t i = 6; i < 12; i++) {
        double level = rint((double)latent[i] / step);
        assert_close((double)layer->quantized[i], level * step, 1e-6, "weight", i);
    }
    layer_backward(layer);
    assert_memory_equal(layer->diff_latent, layer->diff_quantized, layer->count * sizeof(float));
    layer_free(layer);
}

/* Would catch: levels that the compiler's tolerance of 2^-20 would not take for multiples. */
static void int8_weights_of_random_filters_are_within_half_a_step(void **state)
{
    (void)state;
    struct method_config config = method_defaults(METHOD_INT8);
    struct layer *layer = layer_make(&config, 50, 75, 0.07, 8);
    layer_forward(layer, NULL);
    for (size_t f = 0; f < layer->filters; f++) {
        const float *row = layer->latent + f * layer->size;
        double largest = 0;
        for (size_t i = 0; i < layer->size; i++) {
            largest = fmax(largest, fabs((double)row[i]));
        }
        double step = largest / 127;
        for (size_t i = 0; i < layer->size; i++) {
            double q = (double)layer->quantized[f * layer->size + i];
            assert_true(fabs(q - (double)row[i]) <= step * 0.50001);
            assert_close(q, rint(q / step) * step, 0x1p-21, "weight", i);
            assert_true(fabs(rint(q / step)) <= 127);
        }
    }
    layer_free(layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(classes_and_states_are_named),
        cmocka_unit_test(bad_settings_are_clear_errors),
        cmocka_unit_test(settings_of_other_methods_are_ignored),
        cmocka_unit_test(impossible_shapes_and_kinds_are_refused),
        cmocka_unit_test(every_method_survives_zero_tiny_huge_and_single_weights),
        cmocka_unit_test(forward_without_a_step_gives_the_final_weights),
        cmocka_unit_test(final_weights_have_the_levels_of_their_depth),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(full_precision_passes_everything_through),
        cmocka_unit_test(int8_weights_are_rounded_multiples_of_a_filters_step),
        cmocka_unit_test(int8_weights_of_random_filters_are_within_half_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
