/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device programs compute what the reference engine computes, in every value of every layer: random
 * networks of every kind, on all geometries, through the device model.
 */
#include "device_compare.h"
#include "network_random.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <string.h>

struct tally {
    size_t equal, refused;
};

static void run_seed(uint64_t seed, const struct random_network_options *options,
                     struct tally *tally)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    char message[1024];

    assert_ok(random_network(seed, options, &network, &err), &err);
    for (size_t i = 0; bittern_geometry_name(i); i++) {
        struct bittern_geometry geometry;
        size_t images = 1 + seed % 5;
        assert_ok(bittern_geometry_find(bittern_geometry_name(i), &geometry, &err), &err);
        switch (device_compare(network, &geometry, images, seed, message, sizeof message)) {
        case DEVICE_EQUAL:
            tally->equal++;
            break;
        case DEVICE_REFUSED:
            tally->refused++;
            if (!strstr(message, "layer ") || !strstr(message, geometry.name)) {
                fail_msg("seed %llu: '%s' does not say which layer and geometry",
                         (unsigned long long)seed, message);
            }
            break;
        case DEVICE_DIFFERENT:
            fail_msg("seed %llu, geometry %s, %zu images: %s", (unsigned long long)seed,
                     geometry.name, images, message);
        }
    }
    bittern_network_free(network);
}

static void run_seeds(uint64_t first, size_t count, const struct random_network_options *options)
{
    struct tally tally = {0};
    count /= BITTERN_TEST_DIVISOR;
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_seed(seed, options, &tally);
    }
    printf("seeds %llu..%llu: %zu runs equal, %zu networks refused\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1), tally.equal, tally.refused);
    assert_true(tally.equal > 2 * tally.refused); /* most networks do run */
}

/* Would catch: any wrong address, mask, digit, constant or parameter. */
static void random_networks_are_exact_on_all_geometries(void **state)
{
    (void)state;
    run_seeds(0, 400, NULL);
}

/* Would catch: errors that need more channels than one tile, plane or word holds. */
static void wide_networks_are_exact_on_all_geometries(void **state)
{
    (void)state;
    static const struct random_network_options options = {
        .max_layers = 3, .max_channels = 300, .max_side = 6};
    run_seeds(5000, 60, &options);
}

/* Would catch: pitches that only work for small maps. */
static void large_maps_are_exact_on_all_geometries(void **state)
{
    (void)state;
    static const struct random_network_options options = {
        .max_layers = 3, .max_channels = 20, .max_side = 40};
    run_seeds(6000, 60, &options);
}

/* Would catch: planes in the wrong order or with wrong multipliers. */
static void networks_of_planes_are_exact(void **state)
{
    (void)state;
    struct tally tally = {0};
    static const struct random_network_options options = {
        .only_planes = true, .max_channels = 20, .max_side = 6};
    for (uint64_t seed = 7000; seed < 7100; seed++) {
        run_seed(seed, &options, &tally);
    }
    printf("seeds 7000..7099: %zu runs equal, %zu networks refused\n", tally.equal, tally.refused);
    assert_true(tally.equal > 150);
}

/* Would catch: a sub-batch that overwrites another's maps, a last one of fewer images. */
static void many_images_are_exact(void **state)
{
    (void)state;
    static const struct random_network_options options = {
        .max_layers = 4, .max_channels = 20, .max_side = 5};
    for (uint64_t seed = 8000; seed < 8030; seed++) {
        struct bittern_error err;
        struct bittern_network *network = NULL;
        struct bittern_geometry tiny;
        char message[1024];
        assert_ok(random_network(seed, &options, &network, &err), &err);
        assert_ok(bittern_geometry_find("tiny", &tiny, &err), &err);
        if (device_compare(network, &tiny, 64 + seed % 9, seed, message, sizeof message) ==
            DEVICE_DIFFERENT) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, message);
        }
        bittern_network_free(network);
    }
}

/* Would catch: maps that overlap, scratch memory of two boundaries at one place: in the smallest
 * memory that a network runs in, regions touch and segments are short. */
static void networks_are_exact_in_the_smallest_memory(void **state)
{
    (void)state;
    size_t equal = 0;
    for (uint64_t seed = 9000; seed < 9100; seed++) {
        struct bittern_error err;
        struct bittern_network *network = NULL;
        struct bittern_geometry geometry;
        char message[1024];
        enum device_compare_result result = DEVICE_REFUSED;
        assert_ok(random_network(seed, NULL, &network, &err), &err);
        assert_ok(bittern_geometry_find(seed % 2 ? "tiny" : "edge", &geometry, &err), &err);
        uint32_t step = geometry.pixels * geometry.word_bits / 8;
        for (geometry.feature_bytes = step; result == DEVICE_REFUSED;
             geometry.feature_bytes += step) {
            if (geometry.feature_bytes > 600 * step) {
                break; /* too large, or refused for another reason */
            }
            result = device_compare(network, &geometry, 9, seed, message, sizeof message);
        }
        if (result == DEVICE_DIFFERENT) {
            fail_msg("seed %llu, %u bytes: %s", (unsigned long long)seed,
                     geometry.feature_bytes - step, message);
        }
        equal += result == DEVICE_EQUAL;
        bittern_network_free(network);
    }
    assert_true(equal > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_are_exact_on_all_geometries),
        cmocka_unit_test(wide_networks_are_exact_on_all_geometries),
        cmocka_unit_test(large_maps_are_exact_on_all_geometries),
        cmocka_unit_test(networks_of_planes_are_exact),
        cmocka_unit_test(many_images_are_exact),
        cmocka_unit_test(networks_are_exact_in_the_smallest_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
