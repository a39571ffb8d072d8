/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a device program on the model while the reference engine's layers wait to be compared. */
#include "device_compare.h"

#include "accelerator/device_io.h"
#include "device_model.h"
#include "testing.h"

#include <bittern/reference.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const struct bittern_network *network;
    size_t images, layers;
    int32_t **expected; /* [image * layers + layer]: [channels][height][width] */
    char *message;
    size_t message_size;
    bool different;
};

static size_t shape_values(const struct bittern_shape *shape)
{
    return shape->channels * shape->height * shape->width;
}

static int keep_layer(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                      const int32_t *values)
{
    struct comparison *c = user;
    if (layer != SIZE_MAX) {
        size_t bytes = shape_values(shape) * sizeof *values;
        int32_t *copy = malloc(bytes);
        assert_non_null(copy);
        memcpy(copy, values, bytes);
        c->expected[image * c->layers + layer] = copy;
    }
    return 0;
}

static void differ(struct comparison *c, size_t image, size_t layer, size_t value, int32_t expected,
                   int32_t found)
{
    const struct bittern_layer *l = bittern_network_layer(c->network, layer);
    size_t positions = l->output.height * l->output.width;

    if (!c->different) {
        (void)snprintf(c->message, c->message_size,
                       "image %zu, layer %zu '%s', channel %zu, row %zu, column %zu: %d instead of "
                       "%d",
                       image, layer, l->name, value / positions,
                       value % positions / l->output.width, value % l->output.width, found,
                       expected);
    }
    c->different = true;
}

static void compare_layer(void *user, const struct device_model *model, size_t layer, size_t first,
                          size_t count)
{
    struct comparison *c = user;
    const struct bittern_shape *shape = &bittern_network_layer(c->network, layer)->output;

    for (size_t n = 0; n < count; n++) {
        const int32_t *expected = c->expected[(first + n) * c->layers + layer];
        for (size_t i = 0; i < shape_values(shape); i++) {
            size_t positions = shape->height * shape->width;
            int32_t found = device_model_value(model, n, i / positions,
                                               i % positions / shape->width, i % shape->width);
            if (found != expected[i]) {
                differ(c, first + n, layer, i, expected[i], found);
            }
        }
    }
}

static uint8_t *make_pixels(const struct bittern_network *network, size_t images, uint64_t seed)
{
    size_t count = images * shape_values(&bittern_network_input(network)->shape);
    uint8_t *pixels = malloc(count);
    assert_non_null(pixels);
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)random_u64(&seed);
    }
    return pixels;
}

static void run_reference(struct comparison *c, const uint8_t *pixels)
{
    struct bittern_error err;
    struct bittern_reference *engine = NULL;
    const struct bittern_reference_options options = {.threads = 1};

    c->expected = calloc(c->images * c->layers, sizeof *c->expected);
    assert_non_null(c->expected);
    assert_ok(bittern_reference_create(c->network, &options, &engine, &err), &err);
    assert_ok(bittern_reference_trace(engine, pixels, c->images, keep_layer, c, &err), &err);
    bittern_reference_free(engine);
}

static void compare_results(struct comparison *c, const int32_t *values)
{
    size_t outputs = bittern_network_output_count(c->network);
    for (size_t n = 0; n < c->images; n++) {
        const int32_t *expected = c->expected[n * c->layers + c->layers - 1];
        for (size_t i = 0; i < outputs; i++) {
            if (values[n * outputs + i] != expected[i]) {
                differ(c, n, c->layers - 1, i, expected[i], values[n * outputs + i]);
            }
        }
    }
}

enum device_compare_result device_compare_program(const struct bittern_program *program,
                                                  size_t images, uint64_t seed, char *message,
                                                  size_t message_size)
{
    struct bittern_error err;
    struct device_io *io = NULL;
    const struct bittern_network *network = bittern_program_network(program);
    struct comparison c = {.network = network,
                           .images = images,
                           .layers = bittern_network_layer_count(network),
                           .message = message,
                           .message_size = message_size};
    struct device_model_start start = {
        .images = (uint32_t)images, .noise = seed, .observer = compare_layer, .user = &c};

    assert_ok(device_io_create(program, &io, &err), &err);
    uint8_t *pixels = make_pixels(network, images, seed);
    run_reference(&c, pixels);
    uint8_t *input = malloc(images * device_io_input_bytes(io));
    uint8_t *output = malloc(images * device_io_output_bytes(io));
    int32_t *values = malloc(images * bittern_network_output_count(network) * sizeof *values);
    assert_true(input && output && values);
    memset(output, 0xA5, images * device_io_output_bytes(io));
    device_io_pack(io, pixels, images, input);
    start.program = device_io_program(io, &start.program_bytes);
    start.input = input;
    start.output = output;
    message[0] = '\0';
    char failure[200];
    if (!device_model_run(&start, failure, sizeof failure) && !c.different) {
        (void)snprintf(message, message_size, "the device: %s", failure);
        c.different = true;
    }
    device_io_unpack(io, output, images, values);
    compare_results(&c, values);
    for (size_t i = 0; i < images * c.layers; i++) {
        free(c.expected[i]);
    }
    free(c.expected);
    free(values);
    free(output);
    free(input);
    free(pixels);
    device_io_free(io);
    return c.different ? DEVICE_DIFFERENT : DEVICE_EQUAL;
}

enum device_compare_result device_compare(const struct bittern_network *network,
                                          const struct bittern_geometry *geometry, size_t images,
                                          uint64_t seed, char *message, size_t message_size)
{
    struct bittern_error err = {0};
    struct bittern_program *program = NULL;

    if (bittern_program_create(network, geometry, &program, &err) != BITTERN_OK) {
        (void)snprintf(message, message_size, "%s", err.message);
        return DEVICE_REFUSED;
    }
    enum device_compare_result result =
        device_compare_program(program, images, seed, message, message_size);
    bittern_program_free(program);
    return result;
}
