/* SPDX-License-Identifier: Apache-2.0 */
#include "method_fixture.h"

#include <string.h>

const struct method_step some_step = {.seed = 7, .step = 11, .layer = 3};

double random_normal(uint64_t *state)
{
    double radius = sqrt(-2.0 * log(1.0 - random_unit(state)));
    return radius * cos(6.283185307179586 * random_unit(state));
}

static float *make_floats(size_t count)
{
    float *floats = calloc(count, sizeof *floats);
    assert_non_null(floats);
    return floats;
}

static struct layer *layer_allocate(const struct method_config *config, size_t filters, size_t size)
{
    struct bittern_error err;
    struct layer *layer = calloc(1, sizeof *layer);

    assert_non_null(layer);
    layer->filters = filters;
    layer->size = size;
    layer->count = filters * size;
    assert_ok(method_create(config, filters, size, &layer->method, &err), &err);
    size_t planes = layer->method->class->latent_count;
    layer->latent = make_floats(planes * layer->count);
    layer->diff_latent = make_floats(planes * layer->count);
    layer->quantized = make_floats(layer->count);
    layer->diff_quantized = make_floats(layer->count);
    uint64_t state = 99;
    for (size_t i = 0; i < layer->count; i++) {
        layer->diff_quantized[i] = (float)random_normal(&state);
    }
    return layer;
}

struct layer *layer_make_of(const struct method_config *config, size_t filters, size_t size,
                            const float *latent)
{
    struct layer *layer = layer_allocate(config, filters, size);
    size_t planes = layer->method->class->latent_count;
    memcpy(layer->latent, latent, planes * layer->count * sizeof *latent);
    layer->method->class->start(layer->method, layer->latent);
    return layer;
}

struct layer *layer_make(const struct method_config *config, size_t filters, size_t size,
                         double deviation, uint64_t seed)
{
    struct layer *layer = layer_allocate(config, filters, size);
    size_t planes = layer->method->class->latent_count;
    for (size_t i = 0; i < planes * layer->count; i++) {
        layer->latent[i] = (float)(deviation * random_normal(&seed));
    }
    layer->method->class->start(layer->method, layer->latent);
    return layer;
}

void layer_free(struct layer *layer)
{
    method_free(layer->method);
    free(layer->latent);
    free(layer->diff_latent);
    free(layer->quantized);
    free(layer->diff_quantized);
    free(layer);
}

void layer_forward(struct layer *layer, const struct method_step *step)
{
    layer->method->class->forward(layer->method, layer->latent, step, layer->quantized);
}

void layer_backward(struct layer *layer)
{
    layer->method->class->backward(layer->method, layer->latent, layer->quantized,
                                   layer->diff_quantized, layer->diff_latent);
}

struct method_result layer_finish(struct layer *layer)
{
    struct method_result result;
    layer->method->class->finish(layer->method, layer->latent, layer->quantized, &result);
    return result;
}

struct method_parameter *layer_parameter(struct layer *layer, const char *name)
{
    for (size_t p = 0; p < layer->method->parameter_count; p++) {
        if (strcmp(layer->method->parameters[p].name, name) == 0) {
            return &layer->method->parameters[p];
        }
    }
    return NULL;
}

struct method_buffer *layer_buffer(struct layer *layer, const char *name)
{
    for (size_t b = 0; b < layer->method->buffer_count; b++) {
        if (strcmp(layer->method->buffers[b].name, name) == 0) {
            return &layer->method->buffers[b];
        }
    }
    return NULL;
}

void assert_close(double found, double expected, double tolerance, const char *what, size_t index)
{
    double scale = fmax(fmax(fabs(found), fabs(expected)), 1e-30);
    if (!(fabs(found - expected) <= tolerance * scale)) {
        fail_msg("%s %zu is %.9g, not %.9g", what, index, found, expected);
    }
}

size_t layer_levels(const struct layer *layer, size_t f, float levels[8])
{
    const float *row = layer->quantized + f * layer->size;
    size_t found = 0;
    for (size_t i = 0; i < layer->size; i++) {
        size_t at = 0;
        while (at < found && levels[at] < row[i]) {
            at++;
        }
        if (at < found && levels[at] == row[i]) {
            continue;
        }
        assert_true(found < 8);
        memmove(levels + at + 1, levels + at, (found - at) * sizeof *levels);
        levels[at] = row[i];
        found++;
    }
    return found;
}
