/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGD and Adam on a list of parameters. Each has its moments in named buffers: one a parameter with
 * SGD (none without momentum), two with Adam, in the order of the parameters.
 *
 * A step is elementwise, so its bits do not depend on the number of threads. It is bound by memory:
 * the loops are written so that the compiler makes vector code of them.
 */
#include "optimizer/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values below which waking the other threads costs more than it brings. */
#define OPTIMIZER_PARALLEL_COUNT 16384

struct optimizer {
    struct optimizer_config config;
    struct parameter **parameters;
    size_t parameter_count;
    size_t moments; /* buffers a parameter: 0, 1, 2 */
    struct graph_buffer *buffers;
    uint64_t steps;
};

static bittern_status check_config(const struct optimizer_config *config, struct bittern_error *err)
{
    /* written so that NaN fails, too */
    if (!(config->decay >= 0.0)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "weight decay is %g, not 0 or more",
                                 config->decay);
    }
    if (config->kind == OPTIMIZER_SGD && !(config->momentum >= 0.0 && config->momentum < 1.0)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "momentum is %g, not in 0 to below 1",
                                 config->momentum);
    }
    if (config->kind == OPTIMIZER_ADAM &&
        !(config->beta1 >= 0.0 && config->beta1 < 1.0 && config->beta2 >= 0.0 &&
          config->beta2 < 1.0 && config->epsilon > 0.0)) {
        return bittern_error_set(
            err, BITTERN_ERR_RANGE,
            "Adam's beta1 %g and beta2 %g must be in 0 to below 1, its epsilon "
            "%g above 0",
            config->beta1, config->beta2, config->epsilon);
    }
    return BITTERN_OK;
}

/* A buffer of zeros, as large as the parameter. */
static bittern_status make_moment(const struct parameter *parameter, const char *prefix,
                                  struct graph_buffer *buffer, struct bittern_error *err)
{
    int length = snprintf(buffer->name, sizeof(buffer->name), "%s.%s", prefix, parameter->name);
    if (length < 0 || (size_t)length >= sizeof(buffer->name)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "parameter '%s': its name is too long for a checkpoint",
                                 parameter->name);
    }
    buffer->count = parameter->count;
    buffer->value = calloc(parameter->count ? parameter->count : 1, sizeof(float));
    if (!buffer->value) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "out of memory for the optimizer's %zu values of '%s'",
                                 parameter->count, parameter->name);
    }
    return BITTERN_OK;
}

bittern_status optimizer_create_list(const struct optimizer_config *config,
                                     struct parameter *const *parameters, size_t count,
                                     struct optimizer **optimizer, struct bittern_error *err)
{
    static const char *const prefixes[][2] = {{"momentum", NULL}, {"adam.m", "adam.v"}};
    bittern_status status;
    *optimizer = NULL;
    struct optimizer *made = calloc(1, sizeof(*made));
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the optimizer");
    }
    made->config = *config;
    made->moments = config->kind == OPTIMIZER_ADAM ? 2 : config->momentum > 0.0 ? 1 : 0;
    status = check_config(config, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    made->parameters = calloc(count ? count : 1, sizeof(struct parameter *));
    made->buffers = calloc(count ? 2 * count : 1, sizeof(struct graph_buffer));
    if (!made->parameters || !made->buffers) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the optimizer");
        goto cleanup;
    }
    made->parameter_count = count;
    for (size_t i = 0; i < count; i++) {
        made->parameters[i] = parameters[i];
        for (size_t k = 0; k < made->moments; k++) {
            status = make_moment(parameters[i], prefixes[config->kind == OPTIMIZER_ADAM][k],
                                 &made->buffers[i * made->moments + k], err);
            if (status != BITTERN_OK) {
                goto cleanup;
            }
        }
    }
    *optimizer = made;
    made = NULL;

cleanup:
    optimizer_free(made);
    return status;
}

void optimizer_free(struct optimizer *optimizer)
{
    if (!optimizer) {
        return;
    }
    for (size_t i = 0; i < optimizer->moments * optimizer->parameter_count; i++) {
        free(optimizer->buffers[i].value);
    }
    free(optimizer->buffers);
    free(optimizer->parameters);
    free(optimizer);
}

static void step_plain(size_t count, float *restrict w, const float *restrict g, float rate,
                       float decay)
{
#pragma omp parallel for simd schedule(static) if (count > OPTIMIZER_PARALLEL_COUNT)
    for (size_t i = 0; i < count; i++) {
        w[i] -= rate * (g[i] + decay * w[i]);
    }
}

static void step_momentum(size_t count, float *restrict w, const float *restrict g,
                          float *restrict v, float rate, float decay, float momentum)
{
#pragma omp parallel for simd schedule(static) if (count > OPTIMIZER_PARALLEL_COUNT)
    for (size_t i = 0; i < count; i++) {
        v[i] = momentum * v[i] + (g[i] + decay * w[i]);
        w[i] -= rate * v[i];
    }
}

static void step_nesterov(size_t count, float *restrict w, const float *restrict g,
                          float *restrict v, float rate, float decay, float momentum)
{
#pragma omp parallel for simd schedule(static) if (count > OPTIMIZER_PARALLEL_COUNT)
    for (size_t i = 0; i < count; i++) {
        float gradient = g[i] + decay * w[i];
        v[i] = momentum * v[i] + gradient;
        w[i] -= rate * (gradient + momentum * v[i]);
    }
}

/* Numbers of one Adam step. */
struct adam_step {
    float rate, decay;
    float beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    float correct1, correct2;         /* 1 / (1 - beta^t) */
    float epsilon;
};

static void step_adam(size_t count, float *restrict w, const float *restrict g, float *restrict m,
                      float *restrict v, const struct adam_step *step)
{
    const struct adam_step s = *step;
#pragma omp parallel for simd schedule(static) if (count > OPTIMIZER_PARALLEL_COUNT)
    for (size_t i = 0; i < count; i++) {
        float gradient = g[i] + s.decay * w[i];
        m[i] = s.beta1 * m[i] + s.rest1 * gradient;
        v[i] = s.beta2 * v[i] + s.rest2 * (gradient * gradient);
        w[i] -= s.rate * (m[i] * s.correct1) / (sqrtf(v[i] * s.correct2) + s.epsilon);
    }
}

static void step_parameter_sgd(struct optimizer *optimizer, size_t index, float rate, float decay)
{
    const struct optimizer_config *config = &optimizer->config;
    struct parameter *p = optimizer->parameters[index];
    if (optimizer->moments == 0) {
        step_plain(p->count, p->value, p->gradient, rate, decay);
        return;
    }
    float *v = optimizer->buffers[index].value;
    if (config->nesterov) {
        step_nesterov(p->count, p->value, p->gradient, v, rate, decay, (float)config->momentum);
    } else {
        step_momentum(p->count, p->value, p->gradient, v, rate, decay, (float)config->momentum);
    }
}

static void step_parameter_adam(struct optimizer *optimizer, size_t index, float rate, float decay)
{
    const struct optimizer_config *config = &optimizer->config;
    struct parameter *p = optimizer->parameters[index];
    double t = (double)optimizer->steps;
    struct adam_step step = {.rate = rate,
                             .decay = decay,
                             .beta1 = (float)config->beta1,
                             .rest1 = (float)(1.0 - config->beta1),
                             .beta2 = (float)config->beta2,
                             .rest2 = (float)(1.0 - config->beta2),
                             .correct1 = (float)(1.0 / (1.0 - pow(config->beta1, t))),
                             .correct2 = (float)(1.0 / (1.0 - pow(config->beta2, t))),
                             .epsilon = (float)config->epsilon};
    step_adam(p->count, p->value, p->gradient, optimizer->buffers[2 * index].value,
              optimizer->buffers[2 * index + 1].value, &step);
}

void optimizer_step(struct optimizer *optimizer, double rate)
{
    optimizer->steps++;
    for (size_t i = 0; i < optimizer->parameter_count; i++) {
        const struct parameter *p = optimizer->parameters[i];
        float own_rate = (float)(rate * p->rate_scale);
        float decay = p->decays ? (float)optimizer->config.decay : 0.0F;
        if (optimizer->config.kind == OPTIMIZER_ADAM) {
            step_parameter_adam(optimizer, i, own_rate, decay);
        } else {
            step_parameter_sgd(optimizer, i, own_rate, decay);
        }
    }
}

size_t optimizer_state_count(const struct optimizer *optimizer)
{
    return optimizer->moments * optimizer->parameter_count;
}

struct graph_buffer *optimizer_state(struct optimizer *optimizer, size_t index)
{
    return index < optimizer_state_count(optimizer) ? &optimizer->buffers[index] : NULL;
}

uint64_t optimizer_steps(const struct optimizer *optimizer)
{
    return optimizer->steps;
}

void optimizer_set_steps(struct optimizer *optimizer, uint64_t steps)
{
    optimizer->steps = steps;
}
