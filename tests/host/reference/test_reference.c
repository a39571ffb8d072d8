/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference engine against the slow one, on random networks: every kernel that this CPU runs,
 * and those of other CPUs in emulation (kernels_emulated.h). Each dot-product function also on its
 * own, against a loop over single products.
 */
#include "base/checked.h"
#include "kernels_emulated.h"
#include "network/network_build.h"
#include "network_random.h"
#include "reference/engine.h"
#include "reference/plan.h"
#include "testing.h"
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
enum { NETWORKS = 60, DOTS = 20 };
#else
enum { NETWORKS = 600, DOTS = 200 };
#endif
enum { FIRST_SEED = 1000 };

/* All kernels, real ones first; NULL past the end. */
static const struct reference_kernel *kernel_at(size_t index)
{
    size_t real = 0;
    while (reference_kernel_at(real)) {
        ++real;
    }
    return index < real ? reference_kernel_at(index) : emulated_kernel_at(index - real);
}

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
    for (size_t k = 0; (kernel = kernel_at(k)) != NULL; ++k) {
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
        for (size_t k = 0; (kernel = kernel_at(k)) != NULL; ++k) {
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

/* A random layer that is one full connection, enough for reference_pack_weights. */
struct dot_case {
    struct bittern_layer layer;
    struct bittern_plane plane;
    struct reference_layer plan;
    struct reference_plane packed;
    enum bittern_value_kind kind;
    size_t inputs, outputs, points;
    uint64_t *plus, *minus;
    uint8_t *codes;  /* [point][input] */
    uint8_t *values; /* [point], packed */
    size_t value_bytes;
};

static void make_weights(struct dot_case *d, bool ternary, uint64_t *seed)
{
    size_t words = (d->inputs + 63) / 64;
    d->plus = calloc(words * d->outputs, sizeof *d->plus);
    d->minus = calloc(words * d->outputs, sizeof *d->minus);
    assert_non_null(d->plus);
    assert_non_null(d->minus);
    for (size_t i = 0; i < words * d->outputs; ++i) {
        size_t tail = d->inputs - i % words * 64;
        uint64_t mask = tail < 64 ? (UINT64_C(1) << tail) - 1 : UINT64_MAX;
        uint64_t nonzero = ternary ? random_u64(seed) : UINT64_MAX;
        /* Every other output channel has equal weights only, so that narrow sums come to their ends
         * where the values are equal too. */
        uint64_t sign = random_u64(seed);
        if (i / words % 2 == 1) {
            sign = i / words % 4 == 1 ? UINT64_MAX : 0;
            nonzero = UINT64_MAX;
        }
        d->plus[i] = sign & nonzero & mask;
        d->minus[i] = ~sign & nonzero & mask;
    }
    d->plane = (struct bittern_plane){1, d->plus, ternary ? d->minus : NULL};
    d->layer.op = BITTERN_LAYER_FC;
    d->layer.input = (struct bittern_shape){d->inputs, 1, 1};
    d->layer.conv = (struct bittern_shape){d->outputs, 1, 1};
    d->layer.weights.words_per_output = words;
}

static void make_values(struct dot_case *d, const struct reference_kernel *kernel, uint64_t *seed)
{
    size_t words = (d->inputs + 63) / 64;
    d->value_bytes = d->kind == BITTERN_VALUE_INT ? (d->inputs + 7) / 8 * 8 : 16 * words;
    d->codes = calloc(d->points, d->inputs);
    d->values = reference_allocate(d->points, d->value_bytes);
    assert_non_null(d->codes);
    assert_non_null(d->values);
    for (size_t p = 0; p < d->points; ++p) {
        uint8_t *codes = d->codes + p * d->inputs;
        uint8_t *values = d->values + p * d->value_bytes;
        bool extreme = random_below(seed, 4) == 0;
        size_t levels = d->kind == BITTERN_VALUE_BINARY    ? 2
                        : d->kind == BITTERN_VALUE_TERNARY ? 3
                                                           : 256;
        for (size_t i = 0; i < d->inputs; ++i) {
            codes[i] = (uint8_t)(extreme ? p % 2 * (levels - 1) : random_below(seed, levels));
        }
        if (d->kind == BITTERN_VALUE_BINARY) {
            kernel->pack_binary(codes, d->inputs, (uint64_t *)(void *)values);
        } else if (d->kind == BITTERN_VALUE_TERNARY) {
            kernel->pack_ternary(codes, d->inputs, (uint64_t *)(void *)values);
        } else {
            memcpy(values, codes, d->inputs);
        }
    }
}

static int32_t product_sum(const struct dot_case *d, const struct reference_kernel *kernel,
                           size_t point, size_t output)
{
    size_t words = (d->inputs + 63) / 64;
    int32_t sum = 0;
    for (size_t i = 0; i < d->inputs; ++i) {
        size_t word = output * words + i / 64;
        int32_t plus = (int32_t)(d->plus[word] >> (i % 64) & 1);
        int32_t minus = d->plane.minus ? (int32_t)(d->minus[word] >> (i % 64) & 1) : !plus;
        int32_t code = d->codes[point * d->inputs + i];
        int32_t value = d->kind == BITTERN_VALUE_BINARY    ? 2 * code - 1
                        : d->kind == BITTERN_VALUE_TERNARY ? code - 1
                                                           : code - kernel->int_bias;
        sum += value * (plus - minus);
    }
    return sum;
}

static void compare_dot(const struct reference_kernel *kernel, enum bittern_value_kind kind,
                        bool ternary, uint64_t seed)
{
    struct dot_case d = {.kind = kind};
    uint64_t start = seed;
    /* Rarely many inputs, so that every kernel's narrow sums have to be emptied on the way. */
    d.inputs = 1 + random_below(&seed, random_below(&seed, 16) ? 700 : 70000);
    d.outputs = 1 + random_below(&seed, d.inputs > 700 ? 40 : 150);
    d.points = 1 + random_below(&seed, d.inputs > 700 ? 3 : REFERENCE_POINTS);
    make_weights(&d, ternary, &seed);
    make_values(&d, kernel, &seed);
    d.plan.layer = &d.layer;
    d.plan.input.kind = kind;
    d.plan.input.words = (d.inputs + 63) / 64;
    d.plan.window =
        (struct bittern_window){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    d.plan.lanes = kind == BITTERN_VALUE_INT ? kernel->ints : kernel->bits;
    d.plan.group_channels = d.plan.lanes.lanes * d.plan.lanes.blocks;
    assert_true(d.plan.group_channels <= REFERENCE_GROUP_LANES);
    assert_true(reference_pack_weights(&d.plan, &d.plane, &d.packed));
    const reference_dot_function functions[3][2] = {
        {kernel->dot_binary_binary, kernel->dot_binary_ternary},
        {kernel->dot_ternary_binary, kernel->dot_ternary_ternary},
        {kernel->dot_ints, kernel->dot_ints}};
    const uint8_t *points[REFERENCE_POINTS];
    int32_t *sums =
        reference_allocate((size_t)REFERENCE_POINTS * REFERENCE_GROUP_LANES, sizeof *sums);
    assert_non_null(sums);
    for (size_t p = 0; p < d.points; ++p) {
        points[p] = d.values + p * d.value_bytes;
    }
    size_t unit = d.plan.lanes.unit;
    const struct reference_run run = {
        .length = kind == BITTERN_VALUE_INT ? (d.inputs + unit - 1) / unit : d.plan.input.words};
    for (size_t first = 0; first < d.outputs; first += d.plan.group_channels) {
        size_t channels = d.outputs - first;
        channels = channels < d.plan.group_channels ? channels : d.plan.group_channels;
        const struct reference_dot dot = {
            .points = points,
            .point_count = d.points,
            .runs = &run,
            .run_count = 1,
            .weights = d.packed.weights + first / d.plan.group_channels * d.packed.group_bytes,
            .blocks = (channels + d.plan.lanes.lanes - 1) / d.plan.lanes.lanes,
            .valid = (int32_t)d.inputs,
            .sums = sums,
            .stride = d.plan.group_channels};
        functions[kind - 1][ternary](&dot);
        for (size_t p = 0; p < d.points; ++p) {
            for (size_t c = 0; c < channels; ++c) {
                int32_t expected = product_sum(&d, kernel, p, first + c);
                if (sums[p * dot.stride + c] != expected) {
                    fail_msg(
                        "seed %llu, kernel %s, kinds %d and %d, %zu inputs, point %zu, channel "
                        "%zu: %d, should be %d",
                        (unsigned long long)start, kernel->name, kind, ternary, d.inputs, p,
                        first + c, sums[p * dot.stride + c], expected);
                }
            }
        }
    }
    free(sums);
    free(d.packed.weights);
    free(d.plus);
    free(d.minus);
    free(d.codes);
    free(d.values);
}

/* Would catch: narrow sums that overflow, odd numbers of points, blocks or words. */
static void every_dot_product_equals_a_loop_over_single_products(void **state)
{
    (void)state;
    const struct reference_kernel *kernel;
    print_message("seeds 1..%d\n", DOTS);
    for (size_t k = 0; (kernel = kernel_at(k)) != NULL; ++k) {
        for (uint64_t seed = 1; seed <= DOTS; ++seed) {
            compare_dot(kernel, (enum bittern_value_kind)(1 + seed % 3), seed / 3 % 2 == 1, seed);
        }
    }
}

/* Would catch: a SCALE step that rounds or clamps at the wrong place for negative or large sums. */
static void scaled_codes_equal_floor_division_in_every_kernel(void **state)
{
    (void)state;
    enum { CHANNELS = 67 };
    int32_t acc[CHANNELS];
    int32_t multiplier[CHANNELS];
    int64_t offset[CHANNELS];
    int64_t shift[CHANNELS];
    uint8_t codes[CHANNELS];
    uint64_t seed = 7;
    for (int round = 0; round < 200; ++round) {
        for (size_t i = 0; i < CHANNELS; ++i) {
            acc[i] = (int32_t)random_below(&seed, 1 << 20) - (1 << 19);
            multiplier[i] = (int32_t)random_below(&seed, 1 << 24) - (1 << 23);
            offset[i] = (int64_t)random_below(&seed, (size_t)1 << 44) - ((int64_t)1 << 43);
            shift[i] =
                (int64_t)(round % 2 ? 28 + random_below(&seed, 20) : random_below(&seed, 48));
        }
        const struct reference_finish finish = {.kind = BITTERN_ACTIVATION_SCALE,
                                                .multiplier = multiplier,
                                                .offset = offset,
                                                .shift = shift,
                                                .minimum = -100,
                                                .maximum = 120,
                                                .code_low = -128};
        const struct reference_kernel *kernel;
        for (size_t k = 0; (kernel = kernel_at(k)) != NULL; ++k) {
            kernel->finish(&finish, 0, CHANNELS, acc, codes);
            for (size_t i = 0; i < CHANNELS; ++i) {
                int64_t sum = (int64_t)acc[i] * multiplier[i] + offset[i];
                int64_t divisor = INT64_C(1) << shift[i];
                int64_t q = sum / divisor - (sum % divisor < 0);
                q = q < -100 ? -100 : q > 120 ? 120 : q;
                assert_int_equal(codes[i], q + 128);
            }
        }
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
    assert_int_equal(reference_engine_create(network, kernel_at(0), 1, &engine, &err),
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
        cmocka_unit_test(every_dot_product_equals_a_loop_over_single_products),
        cmocka_unit_test(scaled_codes_equal_floor_division_in_every_kernel),
        cmocka_unit_test(every_layer_equals_the_slow_engine_in_every_kernel),
        cmocka_unit_test(wide_layers_equal_the_slow_engine_in_every_kernel),
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
