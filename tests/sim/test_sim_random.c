/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random networks through the simulated accelerator: every output equals the reference engine's,
 * with random latency, bandwidth and back-pressure of memory, and batches of random sizes.
 *
 *     test_sim_random GEOMETRY FIRST-SEED NETWORKS
 *
 * A failure prints the seed of the network, the device, and the seed that the device's first
 * network had: `test_sim_random GEOMETRY FIRST-SEED 10` shows it again.
 */
#include "sim_example.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_NETWORKS 10 /* that share a device before the next one is opened */

static const char *geometry_name = "tiny";
static uint64_t first_seed = 1;
static size_t network_count = 20;

static void draw_device_name(uint64_t *state, char *name, size_t size)
{
    static const unsigned latencies[] = {1, 2, 7, 64, 200};
    static const char *const bandwidths[] = {"1", "1", "0.5", "0.13"};
    static const unsigned stalls[] = {0, 0, 10, 50, 90};
    unsigned latency = latencies[random_below(state, 5)];
    const char *bandwidth = bandwidths[random_below(state, 4)];
    unsigned stall = stalls[random_below(state, 5)];
    unsigned seed = (unsigned)random_below(state, 1000);
    /* All 64 address bits are used; the top of memory is left for it to grow. */
    uint64_t base = (random_u64(state) & ~UINT64_C(4095)) % (UINT64_MAX - (UINT64_C(1) << 36));
    (void)snprintf(name, size,
                   "sim:%s,latency=%u,bandwidth=%s,stall=%u,seed=%u,base=0x%" PRIx64
                   ",watchdog=200000",
                   geometry_name, latency, bandwidth, stall, seed, base);
}

static void draw_options(uint64_t *state, struct random_network_options *options)
{
    static const size_t channels[] = {0, 20, 150, 300};
    size_t shape = random_below(state, 24);
    static const size_t sides[] = {0, 5, 17, 24};
    *options = (struct random_network_options){.max_layers = 1 + random_below(state, 6),
                                               .max_channels = channels[random_below(state, 4)],
                                               .max_side = sides[random_below(state, 4)],
                                               .only_planes = random_below(state, 8) == 0};
    if (shape == 0) { /* many channels: their tiles and words have numbers of many bits */
        options->max_layers = 2;
        options->max_channels = 4000;
        options->max_side = 1;
    } else if (shape < 4) { /* long rows, or many of them: so have coordinates */
        bool is_tall = shape == 3;
        options->max_layers = 2;
        options->max_channels = 9;
        options->max_side = is_tall ? 3000 : 2;
        options->max_width = is_tall ? 2 : 3000;
    }
}

/* Number of layers that were run; 0 where the network does not fit. */
static size_t run_network(struct bittern_device *device, const char *name, uint64_t first,
                          uint64_t seed)
{
    uint64_t drawn = seed;
    uint64_t *state = &drawn;
    char what[400];
    struct sim_example example;
    struct bittern_error err;
    struct random_network_options options;
    struct bittern_session *session = NULL;
    struct bittern_counters counters;
    size_t count = 1 + random_below(state, random_below(state, 4) == 0 ? 20 : 5);
    struct bittern_session_options session_options = {.batch = 1 + random_below(state, count),
                                                      .timeout_ms = 600000};

    draw_options(state, &options);
    if (random_below(state, 12) == 0) { /* many small images: large sub-batches */
        count = 100 + random_below(state, 900);
        session_options.batch = count;
        options =
            (struct random_network_options){.max_layers = 2, .max_channels = 20, .max_side = 2};
    }
    (void)snprintf(what, sizeof what, "seed %" PRIu64 " on '%s' from seed %" PRIu64 " on", seed,
                   name, first);
    if (sim_example_make(&example, seed, &options, sim_geometry(device), count, &err) !=
        BITTERN_OK) {
        return 0;
    }
    assert_ok(bittern_session_create(device, example.program, &session_options, &session, &err),
              &err);
    if (bittern_session_run(session, example.images, count, example.values, &counters, &err) !=
        BITTERN_OK) {
        fail_msg("%s: %s", what, err.message);
    }
    sim_example_check(&example, what);
    assert_true(counters.cycles > 0 && counters.compute_cycles <= counters.cycles);
    size_t layers = bittern_network_layer_count(example.network);
    bittern_session_free(session);
    sim_example_free(&example);
    return layers;
}

/* Would catch: any difference between the Verilog, the layout of programs and numerics.md. */
static void every_output_equals_the_references(void **state_unused)
{
    (void)state_unused;
    char name[256];
    size_t networks = 0;
    size_t layers = 0;

    for (size_t i = 0; i < network_count; i += DEVICE_NETWORKS) {
        uint64_t state = first_seed + i;
        draw_device_name(&state, name, sizeof name);
        struct bittern_device *device = sim_open(name);
        for (size_t j = i; j < i + DEVICE_NETWORKS && j < network_count; j++) {
            size_t run = run_network(device, name, first_seed + i, first_seed + j);
            networks += run > 0;
            layers += run;
        }
        bittern_device_close(device);
    }
    print_message("%s: %zu networks with %zu layers, seeds from %" PRIu64 " on; %zu do not fit\n",
                  geometry_name, networks, layers, first_seed, network_count - networks);
    assert_true(networks > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_output_equals_the_references)};

    if (argc == 4) {
        geometry_name = argv[1];
        first_seed = strtoull(argv[2], NULL, 10);
        network_count = (size_t)strtoull(argv[3], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
