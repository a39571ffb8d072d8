/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values come from the portable kernel of the reference engine, which has tests of its
 * own against the slow network. */
#include "sim_example.h"

#include <bittern/reference.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void run_reference(struct sim_example *example)
{
    struct bittern_error err;
    struct bittern_reference *engine = NULL;
    const struct bittern_reference_options options = {.threads = 1};

    assert_ok(bittern_reference_create(example->network, &options, &engine, &err), &err);
    assert_ok(
        bittern_reference_run(engine, example->images, example->count, example->expected, &err),
        &err);
    bittern_reference_free(engine);
}

bittern_status sim_example_make(struct sim_example *example, uint64_t seed,
                                const struct random_network_options *options,
                                const struct bittern_geometry *geometry, size_t count,
                                struct bittern_error *err)
{
    uint64_t state = seed ^ UINT64_C(0x5EED);

    memset(example, 0, sizeof *example);
    assert_ok(random_network(seed, options, &example->network, err), err);
    bittern_status status =
        bittern_program_create(example->network, geometry, &example->program, err);
    if (status != BITTERN_OK) {
        bittern_network_free(example->network);
        memset(example, 0, sizeof *example);
        if (status != BITTERN_ERR_UNSUPPORTED && status != BITTERN_ERR_RANGE) {
            fail_msg("seed %" PRIu64 ": %s", seed, err->message);
        }
        return status;
    }
    const struct bittern_shape *shape = &bittern_network_input(example->network)->shape;
    size_t image_bytes = shape->channels * shape->height * shape->width;
    example->count = count;
    example->outputs = bittern_network_output_count(example->network);
    example->images = malloc(count * image_bytes);
    example->expected = calloc(count * example->outputs, sizeof *example->expected);
    example->values = calloc(count * example->outputs, sizeof *example->values);
    assert_true(example->images && example->expected && example->values);
    for (size_t i = 0; i < count * image_bytes; i++) {
        example->images[i] = (uint8_t)random_u64(&state);
    }
    run_reference(example);
    return BITTERN_OK;
}

void sim_example_make_fitting(struct sim_example *example, uint64_t *seed,
                              const struct random_network_options *options,
                              const struct bittern_geometry *geometry, size_t count)
{
    struct bittern_error err;
    for (int tries = 0; tries < 100; tries++) {
        if (sim_example_make(example, *seed, options, geometry, count, &err) == BITTERN_OK) {
            return;
        }
        ++*seed;
    }
    fail_msg("no network of 100 fits: %s", err.message);
}

void sim_example_free(struct sim_example *example)
{
    bittern_program_free(example->program);
    bittern_network_free(example->network);
    free(example->images);
    free(example->expected);
    free(example->values);
}

void sim_example_check(const struct sim_example *example, const char *what)
{
    for (size_t i = 0; i < example->count * example->outputs; i++) {
        if (example->values[i] != example->expected[i]) {
            fail_msg("%s: image %zu, output %zu is %" PRId32 ", not %" PRId32, what,
                     i / example->outputs, i % example->outputs, example->values[i],
                     example->expected[i]);
        }
    }
}

struct bittern_device *sim_open(const char *name)
{
    struct bittern_error err;
    struct bittern_device *device = NULL;
    assert_ok(bittern_device_open(name, &device, &err), &err);
    return device;
}

const struct bittern_geometry *sim_geometry(const struct bittern_device *device)
{
    return &bittern_device_get_info(device)->geometry;
}
