/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the program reader. Each input is read as it is, and once more with its check sums and its
 * length made right: no random change gets past those. What is accepted must then behave as a valid
 * network: its accumulators stay in their proven ranges on an image, and it can be packed again.
 */
#include "fuzz.h"

#include "accelerator/device_io.h"
#include "network_random.h"
#include "program_repair.h"

#include <bittern/accelerator.h>
#include <bittern/program.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK 2000000 /* multiplications and values of a network that is run */
#define MAX_LAYERS 16

static size_t shape_values(const struct bittern_shape *shape)
{
    return shape->channels * shape->height * shape->width;
}

/* Small enough to run one value after the other. */
static bool is_small(const struct bittern_network *network)
{
    size_t layers = bittern_network_layer_count(network);
    uint64_t work = shape_values(&bittern_network_input(network)->shape);

    if (layers > MAX_LAYERS) {
        return false;
    }
    for (size_t i = 0; i < layers && work <= MAX_WORK; i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        uint64_t taps = layer->window.kernel_h * layer->window.kernel_w;
        uint64_t pool = layer->sum_pool.kernel_h * layer->sum_pool.kernel_w +
                        layer->max_pool.kernel_h * layer->max_pool.kernel_w + 1;
        /* The slow engine visits all input channels also for a sum. */
        work += bittern_layer_macs(layer) + shape_values(&layer->conv) * pool +
                shape_values(&layer->output) * pool;
        if (layer->op == BITTERN_LAYER_SUM) {
            work += shape_values(&layer->conv) * taps * layer->input.channels;
        }
    }
    return work <= MAX_WORK;
}

static void run(const struct bittern_network *network)
{
    struct bittern_error err = {0};
    int32_t *outputs[MAX_LAYERS];
    uint8_t *image = calloc(1, shape_values(&bittern_network_input(network)->shape));

    if (!image || slow_network_run(network, image, outputs, &err) != BITTERN_OK) {
        abort();
    }
    size_t layers = bittern_network_layer_count(network);
    size_t class = bittern_network_classify(network, outputs[layers - 1]);
    if (class >= bittern_network_output_count(network)) {
        abort();
    }
    for (size_t i = 0; i < layers; i++) {
        free(outputs[i]);
    }
    free(image);
}

/* The host's side of an accelerator's program. */
static void pack_image(const struct bittern_program *program)
{
    struct bittern_error err = {0};
    struct device_io *io = NULL;
    const struct bittern_shape *shape =
        &bittern_network_input(bittern_program_network(program))->shape;

    if (device_io_create(program, &io, &err) != BITTERN_OK) {
        return; /* for any geometry, or too little memory */
    }
    uint8_t *image = calloc(1, shape_values(shape));
    uint8_t *packed = malloc(device_io_input_bytes(io));
    if (image && packed) {
        device_io_pack(io, image, 1, packed);
    }
    free(packed);
    free(image);
    device_io_free(io);
}

static void read_program(const uint8_t *data, size_t size)
{
    struct bittern_error err = {0};
    struct bittern_program *program = NULL;
    struct bittern_program *again = NULL;

    if (bittern_program_read_memory(data, size, "fuzz", &program, &err) != BITTERN_OK) {
        if (program || err.message[0] == '\0') {
            abort();
        }
        return;
    }
    const struct bittern_network *network = bittern_program_network(program);
    if (is_small(network)) {
        run(network);
    }
    /* A network that somebody else laid out may not fit the geometry. */
    const struct bittern_geometry *geometry = bittern_program_geometry(program);
    if (bittern_program_create(network, geometry, &again, &err) != BITTERN_OK &&
        (again || geometry->version == 0 || err.message[0] == '\0')) {
        abort();
    }
    pack_image(program);
    bittern_program_free(again);
    bittern_program_free(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    read_program(copy, size);
    program_repair(copy, size);
    read_program(copy, size);
    free(copy);
    return 0;
}

/* Small networks of every kind, some for a geometry. */
size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    static const struct random_network_options small = {
        .max_layers = 3, .max_channels = 4, .max_side = 5};
    struct bittern_geometry tiny;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    size_t size = 0;

    if (index >= 24 || bittern_geometry_find("tiny", &tiny, &err) != BITTERN_OK ||
        random_network(index, &small, &network, &err) != BITTERN_OK) {
        return 0;
    }
    if (bittern_program_create(network, index % 4 ? NULL : &tiny, &program, &err) == BITTERN_OK) {
        const void *data = bittern_program_data(program, &size);
        size = size <= capacity ? size : capacity;
        memcpy(buffer, data, size);
    }
    bittern_program_free(program);
    bittern_network_free(network);
    return size;
}
