/* SPDX-License-Identifier: Apache-2.0 */
/* Optimizers against their papers' formulas, one value at a time in double. */
#include "optimizer/optimizer.h"

#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 12

/* A small parameter, one large enough for several threads, one that does not decay and has a
 * learning rate of its own. */
static const size_t counts[] = {5, 40000, 33};
#define PARAMETERS 3

struct model {
    struct parameter parameters[PARAMETERS];
    struct parameter *list[PARAMETERS];
};

static void make_model(struct model *model)
{
    static const char *const names[] = {"a.weight", "b.weight", "c.mu"};
    memset(model, 0, sizeof(*model));
    uint64_t seed = 8;
    for (size_t i = 0; i < PARAMETERS; i++) {
        struct parameter *p = &model->parameters[i];
        (void)snprintf(p->name, sizeof(p->name), "%s", names[i]);
        p->count = counts[i];
        p->rows = 1;
        p->value = calloc(p->count, sizeof(float));
        p->gradient = calloc(p->count, sizeof(float));
        assert_non_null(p->value);
        assert_non_null(p->gradient);
        for (size_t k = 0; k < p->count; k++) {
            p->value[k] = (float)(2.0 * random_unit(&seed) - 1.0);
        }
        p->decays = i < 2;
        p->rate_scale = i == 2 ? 3.0 : 1.0;
        model->list[i] = p;
    }
}

static void free_model(struct model *model)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        free(model->parameters[i].value);
        free(model->parameters[i].gradient);
    }
}

/* The same gradients for the same step, whoever asks. */
static void draw_gradients(struct model *model, uint64_t step)
{
    uint64_t seed = 100 + step;
    for (size_t i = 0; i < PARAMETERS; i++) {
        for (size_t k = 0; k < counts[i]; k++) {
            model->parameters[i].gradient[k] = (float)(random_unit(&seed) - 0.4);
        }
    }
}

static struct optimizer *make_optimizer(const struct optimizer_config *config, struct model *model)
{
    struct optimizer *optimizer = NULL;
    struct bittern_error err;
    assert_ok(optimizer_create_list(config, model->list, PARAMETERS, &optimizer, &err), &err);
    return optimizer;
}

/* One value's way, by the formulas. */
struct slow_value {
    double w, v, m;
};

static void slow_step(const struct optimizer_config *config, struct slow_value *x, double gradient,
                      double decay, double rate, double t)
{
    double g = gradient + decay * x->w;
    if (config->kind == OPTIMIZER_SGD) {
        x->v = config->momentum * x->v + g;
        x->w -= rate * (config->nesterov ? g + config->momentum * x->v : x->v);
        return;
    }
    x->m = config->beta1 * x->m + (1.0 - config->beta1) * g;
    x->v = config->beta2 * x->v + (1.0 - config->beta2) * g * g;
    double m_hat = x->m / (1.0 - pow(config->beta1, t));
    double v_hat = x->v / (1.0 - pow(config->beta2, t));
    x->w -= rate * m_hat / (sqrt(v_hat) + config->epsilon);
}

static void check_against_formula(const struct optimizer_config *config)
{
    struct model model;
    make_model(&model);
    struct slow_value *slow[PARAMETERS];
    for (size_t i = 0; i < PARAMETERS; i++) {
        slow[i] = calloc(counts[i], sizeof(struct slow_value));
        assert_non_null(slow[i]);
        for (size_t k = 0; k < counts[i]; k++) {
            slow[i][k].w = (double)model.parameters[i].value[k];
        }
    }
    struct optimizer *optimizer = make_optimizer(config, &model);
    for (size_t step = 1; step <= STEPS; step++) {
        double rate = 0.1 / (double)step;
        draw_gradients(&model, step);
        optimizer_step(optimizer, rate);
        for (size_t i = 0; i < PARAMETERS; i++) {
            const struct parameter *p = &model.parameters[i];
            for (size_t k = 0; k < counts[i]; k++) {
                slow_step(config, &slow[i][k], (double)p->gradient[k],
                          p->decays ? config->decay : 0.0, rate * p->rate_scale, (double)step);
                if (!(fabs((double)p->value[k] - slow[i][k].w) <= 4e-6)) {
                    fail_msg("step %zu, %s[%zu]: %.9g, by the formula %.9g", step, p->name, k,
                             (double)p->value[k], slow[i][k].w);
                }
            }
        }
    }
    assert_int_equal(optimizer_steps(optimizer), STEPS);
    optimizer_free(optimizer);
    for (size_t i = 0; i < PARAMETERS; i++) {
        free(slow[i]);
    }
    free_model(&model);
}

static const struct optimizer_config sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.9, .decay = 1e-2};
static const struct optimizer_config nesterov = {
    .kind = OPTIMIZER_SGD, .momentum = 0.8, .nesterov = true, .decay = 1e-2};
static const struct optimizer_config plain = {.kind = OPTIMIZER_SGD, .decay = 1e-2};
static const struct optimizer_config adam = {
    .kind = OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 1e-2};

/* Would catch: a velocity that is scaled by the rate, decay on what does not decay, a rate factor
 * that is ignored. */
static void sgd_follows_its_formula(void **state)
{
    (void)state;
    check_against_formula(&plain);
    check_against_formula(&sgd);
    check_against_formula(&nesterov);
}

/* Would catch: no bias correction, or one that counts steps from 0. */
static void adam_follows_its_formula(void **state)
{
    (void)state;
    check_against_formula(&adam);
}

/* Would catch: Adam's first step not of the length of the rate, as the paper's section 2.1 has it.
 */
static void first_step_of_adam_is_as_long_as_the_rate(void **state)
{
    (void)state;
    struct model model;
    make_model(&model);
    struct optimizer_config config = adam;
    config.decay = 0.0;
    struct optimizer *optimizer = make_optimizer(&config, &model);
    model.parameters[0].value[0] = 1.0F;
    model.parameters[0].gradient[0] = 123.0F;
    model.parameters[0].value[1] = -1.0F;
    model.parameters[0].gradient[1] = -1e-3F;
    optimizer_step(optimizer, 0.25);
    assert_true(fabs((double)model.parameters[0].value[0] - 0.75) < 1e-6);
    assert_true(fabs((double)model.parameters[0].value[1] + 0.75) < 1e-5);
    optimizer_free(optimizer);
    free_model(&model);
}

/* Would catch: state that is not exposed (a moment, the step count), so that a resumed run differs.
 */
static void copied_state_continues_with_the_same_bits(void **state)
{
    (void)state;
    const struct optimizer_config *configs[] = {&plain, &sgd, &nesterov, &adam};
    for (size_t c = 0; c < 4; c++) {
        struct model through;
        struct model resumed;
        make_model(&through);
        make_model(&resumed);
        struct optimizer *first = make_optimizer(configs[c], &through);
        struct optimizer *second = make_optimizer(configs[c], &resumed);
        for (size_t step = 0; step < STEPS; step++) {
            draw_gradients(&through, step);
            optimizer_step(first, 0.01);
            if (step == 4) {
                assert_int_equal(optimizer_state_count(first), optimizer_state_count(second));
                for (size_t i = 0; i < optimizer_state_count(first); i++) {
                    struct graph_buffer *from = optimizer_state(first, i);
                    struct graph_buffer *to = optimizer_state(second, i);
                    assert_string_equal(from->name, to->name);
                    memcpy(to->value, from->value, from->count * sizeof(float));
                }
                optimizer_set_steps(second, optimizer_steps(first));
                for (size_t i = 0; i < PARAMETERS; i++) {
                    memcpy(resumed.parameters[i].value, through.parameters[i].value,
                           counts[i] * sizeof(float));
                }
            } else if (step > 4) {
                draw_gradients(&resumed, step);
                optimizer_step(second, 0.01);
            }
        }
        for (size_t i = 0; i < PARAMETERS; i++) {
            assert_memory_equal(resumed.parameters[i].value, through.parameters[i].value,
                                counts[i] * sizeof(float));
        }
        optimizer_free(first);
        optimizer_free(second);
        free_model(&through);
        free_model(&resumed);
    }
}

/* Would catch: two moments under one name in a checkpoint, or state that plain SGD has no use for.
 */
static void state_is_named_after_the_parameters(void **state)
{
    (void)state;
    static const char *const names[] = {"adam.m.a.weight", "adam.v.a.weight", "adam.m.b.weight",
                                        "adam.v.b.weight", "adam.m.c.mu",     "adam.v.c.mu"};
    struct model model;
    make_model(&model);
    struct optimizer *optimizer = make_optimizer(&adam, &model);
    assert_int_equal(optimizer_state_count(optimizer), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(optimizer_state(optimizer, i)->name, names[i]);
        assert_int_equal(optimizer_state(optimizer, i)->count, counts[i / 2]);
    }
    assert_null(optimizer_state(optimizer, 6));
    optimizer_free(optimizer);
    optimizer = make_optimizer(&sgd, &model);
    assert_int_equal(optimizer_state_count(optimizer), 3);
    assert_string_equal(optimizer_state(optimizer, 2)->name, "momentum.c.mu");
    optimizer_free(optimizer);
    optimizer = make_optimizer(&plain, &model);
    assert_int_equal(optimizer_state_count(optimizer), 0);
    optimizer_free(optimizer);
    optimizer_free(NULL);
    free_model(&model);
}

static void expect_refusal(const struct optimizer_config *config, struct model *model,
                           bittern_status status)
{
    struct optimizer *optimizer = NULL;
    struct bittern_error err = {BITTERN_OK, ""};
    assert_int_equal(optimizer_create_list(config, model->list, PARAMETERS, &optimizer, &err),
                     status);
    assert_null(optimizer);
    assert_true(err.message[0] != '\0');
}

/* Would catch: settings that can only diverge, or a name that would be cut in the checkpoint. */
static void impossible_settings_are_refused(void **state)
{
    (void)state;
    struct model model;
    make_model(&model);
    struct optimizer_config config = sgd;
    config.momentum = 1.0;
    expect_refusal(&config, &model, BITTERN_ERR_RANGE);
    config.momentum = (double)NAN;
    expect_refusal(&config, &model, BITTERN_ERR_RANGE);
    config = adam;
    config.beta2 = 1.0;
    expect_refusal(&config, &model, BITTERN_ERR_RANGE);
    config = adam;
    config.epsilon = 0.0;
    expect_refusal(&config, &model, BITTERN_ERR_RANGE);
    config = plain;
    config.decay = -1.0;
    expect_refusal(&config, &model, BITTERN_ERR_RANGE);
    memset(model.parameters[1].name, 'x', sizeof(model.parameters[1].name) - 1);
    expect_refusal(&sgd, &model, BITTERN_ERR_ARGUMENT);
    free_model(&model);
}

/* Would catch: parameters of a graph that are not stepped, or one that is stepped twice. */
static void optimizer_of_a_graph_steps_each_parameter_once(void **state)
{
    (void)state;
    struct bittern_error err;
    struct backend *backend = NULL;
    struct graph *graph = NULL;
    struct optimizer *optimizer = NULL;
    size_t output;
    const struct backend_options backend_options = {.threads = 1,
                                                    .precision = BACKEND_PRECISION_F32};
    const struct graph_options options = {.batch = 2, .channels = 1, .height = 3, .width = 2};
    const struct conv_config config = {
        .filters = 4, .bias = true, .method = method_defaults(METHOD_FULL)};
    assert_ok(backend_create(&backend_options, &backend, &err), &err);
    assert_ok(graph_create(backend, &options, &graph, &err), &err);
    assert_ok(graph_add_fc(graph, "fc1", 0, &config, &output, &err), &err);
    assert_ok(graph_add_fc(graph, "fc2", output, &config, &output, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    assert_ok(optimizer_create(&sgd, graph, &optimizer, &err), &err);
    size_t count = graph_parameter_count(graph);
    assert_int_equal(count, 4);
    assert_int_equal(optimizer_state_count(optimizer), count);
    for (size_t i = 0; i < count; i++) {
        struct parameter *p = graph_parameter(graph, i);
        char name[128];
        (void)snprintf(name, sizeof(name), "momentum.%s", p->name);
        assert_string_equal(optimizer_state(optimizer, i)->name, name);
        for (size_t k = 0; k < p->count; k++) {
            p->value[k] = 0.0F;
            p->gradient[k] = 1.0F;
        }
    }
    optimizer_step(optimizer, 0.5);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *p = graph_parameter(graph, i);
        for (size_t k = 0; k < p->count; k++) {
            assert_true((double)p->value[k] == -0.5 * p->rate_scale);
        }
    }
    optimizer_free(optimizer);
    graph_free(graph);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_follows_its_formula),
        cmocka_unit_test(adam_follows_its_formula),
        cmocka_unit_test(first_step_of_adam_is_as_long_as_the_rate),
        cmocka_unit_test(copied_state_continues_with_the_same_bits),
        cmocka_unit_test(state_is_named_after_the_parameters),
        cmocka_unit_test(impossible_settings_are_refused),
        cmocka_unit_test(optimizer_of_a_graph_steps_each_parameter_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
