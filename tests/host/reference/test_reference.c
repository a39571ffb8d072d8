/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference engine against the slow one, on random networks: every kernel that this CPU runs,
 * and those of other CPUs in emulation (kernels_emulated.h).
 */
#include "kernels_emulated.h"
#include "network/network_build.h"
#include "network_random.h"
#include "reference/engine.h"
#include "testing.h"
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
enum { NETWORKS = 60 };
#else
enum { NETWORKS = 600 };
#endif
enum { FIRST_SEED = 1000 };

static size_t shape_values(const struct bittern_shape *shape)
{
    return shape->channels * shape->height * shape->width;
}

static uint8_t *random_images(const struct bittern_network *network, size_t count, uint64_t seed)
{
    size_t bytes = count * shape_values(&bittern_network_input(network)->shape);
    uint8_t *images = malloc(bytes + 1);
    assert_non_null(images);
    for (size_t i = 0; i < bytes; ++i) {
        images[i] = (uint8_t)random_u64(&seed);
    }
    return images;
}

static int32_t **slow_outputs(const struct bittern_network *network, const uint8_t *image)
{
    struct bittern_error err = {0};
    int32_t **outputs = calloc(bittern_network_layer_count(network), sizeof *outputs);
    assert_non_null(outputs);
    assert_ok(slow_network_run(network, image, outputs, &err), &err);
    return outputs;
}

static void free_outputs(const struct bittern_network *network, int32_t **outputs)
{
    for (size_t i = 0; i < bittern_network_layer_count(network); ++i) {
        free(outputs[i]);
    }
    free(outputs);
}

struct comparison {
    const struct bittern_network *network;
    const uint8_t *image;
    int32_t **expected;
    const char *kernel;
    uint64_t seed;
    size_t seen;
};

static int compare_layer(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                         const int32_t *values)
{
    struct comparison *c = user;
    const struct bittern_input *input = bittern_network_input(c->network);
    size_t pixels = input->shape.height * input->shape.width;
    assert_int_equal(image, 0);
    for (size_t i = 0; i < shape_values(shape); ++i) {
        int32_t expected = layer == SIZE_MAX ? input->table[i / pixels * 256 + c->image[i]]
                                             : c->expected[layer][i];
        if (values[i] != expected) {
            fail_msg("seed %llu, kernel %s, layer %zd, value %zu: %d, should be %d",
                     (unsigned long long)c->seed, c->kernel, (ssize_t)layer, i, values[i],
                     expected);
        }
    }
    ++c->seen;
    return 0;
}

static void compare_network(uint64_t seed, const struct random_network_options *options)
{
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    assert_ok(random_network(seed, options, &network, &err), &err);
    uint8_t *image = random_images(network, 1, seed);
    int32_t **expected = slow_outputs(network, image);
    const struct reference_kernel *kernel;
    for (size_t k = 0; (kernel = any_kernel_at(k)) != NULL; ++k) {
        struct bittern_reference *engine = NULL;
        struct comparison c = {network, image, expected, kernel->name, seed, 0};
        assert_ok(reference_engine_create(network, kernel, 1, &engine, &err), &err);
        assert_ok(bittern_reference_trace(engine, image, 1, compare_layer, &c, &err), &err);
        assert_int_equal(c.seen, bittern_network_layer_count(network) + 1);
        bittern_reference_free(engine);
    }
    free_outputs(network, expected);
    free(image);
    bittern_network_free(network);
}

/* Would catch: a wrong product, tail, cut of the padding, pool, threshold or packing. */
static void every_layer_equals_the_slow_engine_in_every_kernel(void **state)
{
    (void)state;
    print_message("seeds %d..%d\n", FIRST_SEED, FIRST_SEED + NETWORKS - 1);
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + NETWORKS; ++seed) {
        compare_network(seed, NULL);
    }
}

/* Would catch: groups of output channels, or sums of many inputs, that small layers do not have. */
static void wide_layers_equal_the_slow_engine_in_every_kernel(void **state)
{
    (void)state;
    const struct random_network_options options = {
        .max_layers = 2, .max_channels = 300, .max_side = 4};
    print_message("seeds %d..%d\n", FIRST_SEED, FIRST_SEED + NETWORKS / 10 - 1);
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + NETWORKS / 10; ++seed) {
        compare_network(seed, &options);
    }
}

/* Would catch: planes folded into bytes that they overflow, a multiplier lost or counted twice. */
static void folded_planes_equal_the_slow_engine_in_every_kernel(void **state)
{
    (void)state;
    const struct random_network_options options[] = {
        {.max_layers = 2, .only_planes = true},
        {.max_layers = 2, .max_channels = 300, .max_side = 4, .only_planes = true}};
    print_message("seeds %d..%d\n", FIRST_SEED, FIRST_SEED + NETWORKS / 4 - 1);
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + NETWORKS / 4; ++seed) {
        compare_network(seed, &options[seed % 4 == 0]);
    }
}

static void compare_batch(const struct bittern_network *network, const uint8_t *images,
                          size_t count, const int32_t *expected,
                          const struct reference_kernel *kernel, size_t threads)
{
    struct bittern_error err = {0};
    struct bittern_reference *engine = NULL;
    size_t outputs = bittern_network_output_count(network);
    int32_t *values = calloc(count * outputs + 1, sizeof *values);
    assert_non_null(values);
    values[count * outputs] = 12345;
    assert_ok(reference_engine_create(network, kernel, threads, &engine, &err), &err);
    assert_int_equal(bittern_reference_threads(engine), threads);
    assert_string_equal(bittern_reference_kernel(engine), kernel->name);
    for (int round = 0; round < 2; ++round) { /* an engine may be used again */
        assert_ok(bittern_reference_run(engine, images, count, values, &err), &err);
        assert_memory_equal(values, expected, count * outputs * sizeof *values);
        assert_int_equal(values[count * outputs], 12345);
    }
    bittern_reference_free(engine);
    free(values);
}

/* Would catch: images mixed up between threads or groups, or buffers that remember. */
static void batches_of_any_size_equal_the_slow_engine_on_any_number_of_threads(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 33};
    static const size_t threads[] = {1, 2, 5};
    enum { IMAGES = 33 };
    for (uint64_t seed = 1; seed <= 8; ++seed) {
        struct bittern_error err = {0};
        struct bittern_network *network = NULL;
        const struct random_network_options options = {.max_channels = 40, .max_side = 7};
        assert_ok(random_network(seed, &options, &network, &err), &err);
        size_t layers = bittern_network_layer_count(network);
        size_t outputs = bittern_network_output_count(network);
        uint8_t *images = random_images(network, IMAGES, seed);
        size_t bytes = shape_values(&bittern_network_input(network)->shape);
        int32_t *expected = calloc(IMAGES * outputs, sizeof *expected);
        assert_non_null(expected);
        for (size_t i = 0; i < IMAGES; ++i) {
            int32_t **slow = slow_outputs(network, images + i * bytes);
            memcpy(expected + i * outputs, slow[layers - 1], outputs * sizeof *expected);
            free_outputs(network, slow);
        }
        const struct reference_kernel *kernel;
        for (size_t k = 0; (kernel = any_kernel_at(k)) != NULL; ++k) {
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; ++c) {
                for (size_t t = 0; t < sizeof threads / sizeof threads[0]; ++t) {
                    compare_batch(network, images, counts[c], expected, kernel, threads[t]);
                }
            }
        }
        free(expected);
        free(images);
        bittern_network_free(network);
    }
}

/* Would catch: an unknown kernel that is silently replaced, or a message that does not help. */
static void an_unknown_kernel_is_an_error_that_lists_the_known_ones(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = (struct bittern_reference *)&err;
    const struct bittern_reference_options options = {.kernel = "abacus"};
    assert_ok(random_network(1, NULL, &network, &err), &err);
    assert_int_equal(bittern_reference_create(network, &options, &engine, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_null(engine);
    assert_non_null(strstr(err.message, "abacus"));
    for (size_t i = 0; bittern_reference_kernel_name(i); ++i) {
        assert_non_null(strstr(err.message, bittern_reference_kernel_name(i)));
    }
    bittern_network_free(network);
}

/* Would catch: names that cannot be asked for, or a default that is not the fastest. */
static void every_listed_kernel_can_be_chosen_and_the_first_is_the_default(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = NULL;
    assert_ok(random_network(1, NULL, &network, &err), &err);
    assert_ok(bittern_reference_create(network, NULL, &engine, &err), &err);
    assert_string_equal(bittern_reference_kernel(engine), bittern_reference_kernel_name(0));
    assert_true(bittern_reference_threads(engine) >= 1);
    bittern_reference_free(engine);
    const char *last = NULL;
    for (size_t i = 0; bittern_reference_kernel_name(i); ++i) {
        last = bittern_reference_kernel_name(i);
        const struct bittern_reference_options options = {.threads = 1, .kernel = last};
        assert_ok(bittern_reference_create(network, &options, &engine, &err), &err);
        assert_string_equal(bittern_reference_kernel(engine), last);
        bittern_reference_free(engine);
    }
    assert_string_equal(last, "portable");
    bittern_network_free(network);
}

/* Would catch: a null pointer or an absurd number of threads that crashes. */
static void impossible_arguments_are_errors(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = NULL;
    int32_t value = 0;
    const struct bittern_reference_options options = {.threads = 1000000};
    assert_ok(random_network(1, NULL, &network, &err), &err);
    assert_int_equal(bittern_reference_create(network, &options, &engine, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "1000000"));
    assert_ok(bittern_reference_create(network, NULL, &engine, &err), &err);
    assert_int_equal(bittern_reference_run(engine, NULL, 1, &value, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_reference_trace(engine, NULL, 1, compare_layer, NULL, &err),
                     BITTERN_ERR_ARGUMENT);
    bittern_reference_free(engine);
    bittern_reference_free(NULL);
    bittern_network_free(network);
}

/* Would catch: a network whose buffers no machine has, created by luck or crashing. */
static void a_network_too_large_for_memory_is_an_error(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = NULL;
    assert_ok(random_network(1, NULL, &network, &err), &err);
    /* Far past network_validate's limits: sizes that overflow must be seen all the same. */
    network->layers[0].input.width = SIZE_MAX / 4;
    network->layers[0].input.height = SIZE_MAX / 4;
    assert_int_equal(reference_engine_create(network, any_kernel_at(0), 1, &engine, &err),
                     BITTERN_ERR_MEMORY);
    assert_null(engine);
    bittern_network_free(network);
}

static int stop_at_once(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                        const int32_t *values)
{
    (void)image, (void)layer, (void)shape, (void)values;
    ++*(size_t *)user;
    return 1;
}

/* Would catch: an observer that cannot stop a trace. */
static void an_observer_stops_a_trace(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_reference *engine = NULL;
    size_t calls = 0;
    assert_ok(random_network(1, NULL, &network, &err), &err);
    uint8_t *images = random_images(network, 2, 1);
    assert_ok(bittern_reference_create(network, NULL, &engine, &err), &err);
    assert_int_equal(bittern_reference_trace(engine, images, 2, stop_at_once, &calls, &err),
                     BITTERN_ERR_CANCELLED);
    assert_int_equal(calls, 1);
    bittern_reference_free(engine);
    free(images);
    bittern_network_free(network);
}

/* Would catch: values that go through the table a second time, a wrong sign, or one that is no
 * value of the network and reads past a kernel's table. */
static void values_behind_the_table_equal_pixels_before_it(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    enum { IMAGES = 5 };
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + 40; ++seed) {
        struct bittern_network *network = NULL;
        struct bittern_reference *engine = NULL;
        assert_ok(random_network(seed, NULL, &network, &err), &err);
        assert_ok(bittern_reference_create(network, NULL, &engine, &err), &err);
        const struct bittern_input *input = bittern_network_input(network);
        const size_t image_values = shape_values(&input->shape);
        const size_t pixels = input->shape.height * input->shape.width;
        const size_t outputs = bittern_network_output_count(network);
        uint8_t *images = random_images(network, IMAGES, seed);
        int32_t *expected = calloc(IMAGES * outputs, sizeof *expected);
        int32_t *found = calloc(IMAGES * outputs, sizeof *found);
        assert_true(expected && found);
        assert_ok(bittern_reference_run(engine, images, IMAGES, expected, &err), &err);
        for (size_t i = 0; i < IMAGES * image_values; ++i) {
            images[i] = (uint8_t)input->table[i % image_values / pixels * 256 + images[i]];
        }
        assert_ok(bittern_reference_run_values(engine, images, IMAGES, found, &err), &err);
        if (memcmp(expected, found, IMAGES * outputs * sizeof *found) != 0) {
            fail_msg("seed %llu: the outputs differ", (unsigned long long)seed);
        }
        const int32_t above = input->type.maximum + 1;
        if (above <= (input->type.is_signed ? 127 : 255)) {
            images[IMAGES * image_values - 1] = (uint8_t)above;
            assert_int_equal(bittern_reference_run_values(engine, images, IMAGES, found, &err),
                             BITTERN_ERR_RANGE);
            assert_non_null(strstr(err.message, "image 4"));
        }
        assert_int_equal(bittern_reference_run_values(engine, NULL, 1, found, &err),
                         BITTERN_ERR_ARGUMENT);
        free(images);
        free(expected);
        free(found);
        bittern_reference_free(engine);
        bittern_network_free(network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_equals_the_slow_engine_in_every_kernel),
        cmocka_unit_test(wide_layers_equal_the_slow_engine_in_every_kernel),
        cmocka_unit_test(folded_planes_equal_the_slow_engine_in_every_kernel),
        cmocka_unit_test(batches_of_any_size_equal_the_slow_engine_on_any_number_of_threads),
        cmocka_unit_test(an_unknown_kernel_is_an_error_that_lists_the_known_ones),
        cmocka_unit_test(every_listed_kernel_can_be_chosen_and_the_first_is_the_default),
        cmocka_unit_test(impossible_arguments_are_errors),
        cmocka_unit_test(a_network_too_large_for_memory_is_an_error),
        cmocka_unit_test(an_observer_stops_a_trace),
        cmocka_unit_test(values_behind_the_table_equal_pixels_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
