/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs an integer engine, then evaluates the graph; the observer looks up which layers a tensor
 * belongs to, and compares.
 */
#include "compile_check.h"

#include "network_random.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const struct bittern_network *network;
    int32_t **outputs;
    struct compile_agreement *agreement;
    size_t first_different; /* layer of this image; the layer count where there is none */
    bool first_is_listed;   /* all of that layer's differences are in channels it lists */
};

static bool is_listed(const struct bittern_layer *layer, size_t channel)
{
    for (size_t i = 0; i < layer->inexact_count; i++) {
        if (layer->inexact_channels[i] == channel) {
            return true;
        }
    }
    return false;
}

static void note(struct comparison *c, size_t l, size_t i, size_t channel, double real, double q)
{
    const struct bittern_layer *layer = bittern_network_layer(c->network, l);
    if (c->agreement->first[0] == '\0') {
        (void)snprintf(c->agreement->first, sizeof c->agreement->first,
                       "layer %zu '%s', value %zu (channel %zu): the graph has %.17g, which is %g, "
                       "not %d",
                       l, layer->name, i, channel, real, q, c->outputs[l][i]);
    }
    if (l < c->first_different) {
        c->first_different = l;
        c->first_is_listed = true;
    }
    if (l == c->first_different && !is_listed(layer, channel)) {
        c->first_is_listed = false;
    }
}

/* Does a tensor hold a map of this shape with its channels last? */
static bool holds_channels_last(const struct bittern_tensor_info *info,
                                const struct bittern_shape *shape)
{
    return info->rank == 4 && (size_t)info->dims[1] == shape->height &&
           (size_t)info->dims[2] == shape->width && (size_t)info->dims[3] == shape->channels &&
           shape->channels != shape->height;
}

static void compare_layer(struct comparison *c, size_t l, const struct bittern_tensor_info *info,
                          const double *reals)
{
    const struct bittern_layer *layer = bittern_network_layer(c->network, l);
    size_t positions = layer->output.height * layer->output.width;
    bool is_last = holds_channels_last(info, &layer->output);

    for (size_t i = 0; i < layer->output.channels * positions; i++) {
        size_t channel = i / positions;
        double real = reals[is_last ? i % positions * layer->output.channels + channel : i];
        double scale = layer->scale[channel];
        double bias = layer->bias[channel];
        double q = scale != 0 ? rint((real - bias) / scale) : c->outputs[l][i];
        double tolerance = 1e-6 * fabs(scale) + 1e-12 * (fabs(bias) + fabs(real));
        c->agreement->values++;
        if (fabs(scale * q + bias - real) > tolerance) {
            c->agreement->off_grid++;
            note(c, l, i, channel, real, NAN);
        } else if (q != c->outputs[l][i]) {
            c->agreement->different++;
            note(c, l, i, channel, real, q);
        }
    }
}

static int observe(void *user, size_t image, const struct bittern_tensor_info *info,
                   const double *values)
{
    struct comparison *c = user;
    (void)image;
    for (size_t l = 0; l < bittern_network_layer_count(c->network); l++) {
        if (strcmp(bittern_network_layer(c->network, l)->output_name, info->name) == 0) {
            compare_layer(c, l, info, values);
        }
    }
    return 0;
}

static double to_real(enum bittern_input_range range, uint8_t u)
{
    return range == BITTERN_INPUT_0_1        ? u / 255.0
           : range == BITTERN_INPUT_MINUS1_1 ? 2.0 * u / 255.0 - 1.0
                                             : u;
}

static void fill_input(const struct bittern_model *model, const struct bittern_network *network,
                       enum bittern_input_range range, const uint8_t *image, double *real)
{
    const struct bittern_shape *s = &bittern_network_input(network)->shape;
    struct bittern_tensor_info info;
    bittern_model_input(model, &info);
    bool last = holds_channels_last(&info, s);
    for (size_t c = 0; c < s->channels; c++) {
        for (size_t p = 0; p < s->height * s->width; p++) {
            size_t i = c * s->height * s->width + p;
            real[last ? p * s->channels + c : i] = to_real(range, image[i]);
        }
    }
}

static size_t best_of(const double *scores, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

static bittern_status check_image(const struct bittern_model *model, struct comparison *c,
                                  const double *real, double *scores, struct bittern_error *err)
{
    size_t layers = bittern_network_layer_count(c->network);
    size_t count = bittern_network_output_count(c->network);
    struct bittern_tensor_info output;

    c->first_different = layers;
    bittern_status status = bittern_model_evaluate(model, real, 1, observe, c, scores, err);
    if (status != BITTERN_OK) {
        return status;
    }
    c->agreement->images++;
    bool is_traced = c->first_different < layers && c->first_is_listed;
    bool is_different = c->first_different < layers;
    bittern_model_output(model, &output);
    size_t outputs = 1;
    for (size_t i = 0; i < output.rank; i++) {
        outputs *= (size_t)output.dims[i];
    }
    if (outputs == count && output.element == BITTERN_ELEMENT_FLOAT && count > 1 &&
        best_of(scores, count) != bittern_network_classify(c->network, c->outputs[layers - 1])) {
        c->agreement->other_class++;
        is_different = true;
    }
    c->agreement->untraced += is_different && !is_traced;
    return status;
}

/* ---- The integers ------------------------------------------------------------------------------
 */

static int keep_layer(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                      const int32_t *values)
{
    int32_t **outputs = user;
    (void)image;
    if (layer != SIZE_MAX) {
        memcpy(outputs[layer], values,
               shape->channels * shape->height * shape->width * sizeof *values);
    }
    return 0;
}

static bittern_status run_reference(const struct bittern_network *network,
                                    struct bittern_reference *engine, const uint8_t *image,
                                    int32_t **outputs, struct bittern_error *err)
{
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        const struct bittern_shape *s = &bittern_network_layer(network, l)->output;
        outputs[l] = malloc(s->channels * s->height * s->width * sizeof **outputs);
        if (!outputs[l]) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to compare in");
        }
    }
    return bittern_reference_trace(engine, image, 1, keep_layer, outputs, err);
}

bittern_status compile_check(const struct bittern_model *model,
                             const struct bittern_network *network,
                             struct bittern_reference *engine, enum bittern_input_range range,
                             const uint8_t *images, size_t count,
                             struct compile_agreement *agreement, struct bittern_error *err)
{
    const struct bittern_shape *s = &bittern_network_input(network)->shape;
    size_t size = s->channels * s->height * s->width;
    size_t layers = bittern_network_layer_count(network);
    double *real = malloc(size * sizeof *real);
    double *scores = malloc((bittern_network_output_count(network) + 1) * sizeof *scores);
    int32_t **outputs = calloc(layers, sizeof *outputs);
    struct comparison c = {.network = network, .outputs = outputs, .agreement = agreement};
    bittern_status status = BITTERN_OK;

    if (!real || !scores || !outputs) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to compare in");
    }
    for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
        const uint8_t *image = images + i * size;
        fill_input(model, network, range, image, real);
        status = engine ? run_reference(network, engine, image, outputs, err)
                        : slow_network_run(network, image, outputs, err);
        if (status == BITTERN_OK) {
            status = check_image(model, &c, real, scores, err);
        }
        for (size_t l = 0; l < layers; l++) {
            free(outputs[l]);
            outputs[l] = NULL;
        }
    }
    free(outputs);
    free(scores);
    free(real);
    return status;
}

void compile_draw_images(uint64_t seed, size_t count, size_t size, uint8_t *images)
{
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++) {
        size_t kind = random_below(&state, 4);
        for (size_t j = 0; j < size; j++) {
            uint8_t u = (uint8_t)random_u64(&state);
            images[i * size + j] = kind == 0 ? (u & 1 ? 255 : 0) : kind == 1 ? u / 4 : u;
        }
    }
}

struct bittern_network *compile_check_built(struct model_builder *b, enum bittern_input_range range)
{
    enum { IMAGES = 6 };
    struct bittern_error *err = b->err;
    struct bittern_model *model;
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = NULL;
    struct compile_agreement agreement = {0};
    const struct bittern_compile_options options = {.input_range = range};
    const struct bittern_reference_options one = {.threads = 1};

    assert_ok(build_end(b, &model), err);
    assert_ok(bittern_network_compile(model, &options, &network, err), err);
    assert_ok(bittern_reference_create(network, &one, &engine, err), err);
    const struct bittern_shape *s = &bittern_network_input(network)->shape;
    size_t size = s->channels * s->height * s->width;
    uint8_t *images = malloc(IMAGES * size);
    assert_non_null(images);
    compile_draw_images(9, IMAGES, size, images);
    assert_ok(compile_check(model, network, NULL, range, images, IMAGES, &agreement, err), err);
    assert_ok(compile_check(model, network, engine, range, images, IMAGES, &agreement, err), err);
    assert_string_equal(agreement.first, "");
    assert_int_equal(agreement.other_class, 0);
    assert_int_equal(agreement.images, 2 * IMAGES);
    assert_true(agreement.values > 0);
    free(images);
    bittern_reference_free(engine);
    bittern_model_free(model);
    return network;
}

void compile_check_refused(struct model_builder *b, enum bittern_input_range range,
                           bittern_status expected, const char *first, const char *second)
{
    const struct bittern_compile_options options = {.input_range = range};
    struct bittern_network *network = NULL;
    struct bittern_model *model;

    assert_ok(build_end(b, &model), b->err);
    bittern_status status = bittern_network_compile(model, &options, &network, b->err);
    bittern_model_free(model);
    assert_int_equal(status, expected);
    assert_null(network);
    if (!strstr(b->err->message, first) || !strstr(b->err->message, second)) {
        fail_msg("'%s' and '%s' are not in: %s", first, second, b->err->message);
    }
}
