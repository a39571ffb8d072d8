/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that no compiler makes, under good check sums: whatever a descriptor says, the kernel
 * ends, with an error or without, and the next run is a good one.
 *
 *     test_sim_hostile [FIRST-SEED DESCRIPTORS]
 */
#include "sim_raw.h"

#include "accelerator/device_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 2
#define PATIENCE_MS 3000 /* for one run: longer ones count to the end of very many pixels */

static uint64_t first_seed = 1;
static size_t descriptor_count = 150;

struct bench {
    struct bittern_device *device;
    struct sim_example example;
    struct sim_raw raw;
};

static void open_bench(struct bench *bench, uint64_t seed)
{
    char name[128];
    uint64_t random = seed;
    uint64_t base = (random_u64(&random) & ~UINT64_C(4095)) % (UINT64_MAX - (UINT64_C(1) << 36));
    (void)snprintf(name, sizeof name, "sim:tiny,latency=9,watchdog=3000,base=0x%" PRIx64, base);
    bench->device = sim_open(name);
    sim_example_make_fitting(&bench->example, &seed, sim_geometry(bench->device), IMAGES);
    sim_raw_make(&bench->raw, bench->device, &bench->example);
}

static void close_bench(struct bench *bench)
{
    sim_raw_free(&bench->raw);
    sim_example_free(&bench->example);
    bittern_device_close(bench->device);
}

static void repair(uint8_t *record)
{
    uint32_t sum = device_sum(record, DEVICE_RECORD_BYTES - 4);
    for (size_t i = 0; i < 4; i++) {
        record[DEVICE_RECORD_BYTES - 4 + i] = (uint8_t)(sum >> 8 * i);
    }
}

/* Change one to four words of a record: one bit, a small number, or anything. */
static void damage(uint8_t *record, uint64_t *random)
{
    size_t words = 1 + random_below(random, 4);
    for (size_t i = 0; i < words; i++) {
        uint8_t *word = record + 4 * random_below(random, DEVICE_RECORD_WORDS - 1);
        size_t kind = random_below(random, 3);
        uint32_t value = (uint32_t)random_u64(random);
        if (kind == 0) {
            word[value % 4] ^= (uint8_t)(1u << (value >> 8) % 8);
        } else if (kind == 1) {
            word[value % 4] = (uint8_t)((value >> 8) % 5);
        } else {
            memcpy(word, &value, sizeof value);
        }
    }
    repair(record);
}

/* Would catch: a value in a descriptor that hangs the kernel, lets it break the rules of AXI, or
 * stays behind for the next run. */
static void any_descriptor_comes_to_an_end(void **state)
{
    (void)state;
    uint64_t random = first_seed;
    size_t refused = 0;
    size_t finished = 0;
    size_t long_runs = 0;
    struct bench bench;

    open_bench(&bench, 1 + random_below(&random, 100));
    for (size_t i = 0; i < descriptor_count; i++) {
        struct device_header header;
        struct bittern_error err = {0};
        assert_true(device_header_read(bench.raw.program, &header));
        damage(bench.raw.program +
                   DEVICE_RECORD_BYTES * (1 + random_below(&random, header.descriptors)),
               &random);
        sim_raw_write(&bench.raw);
        assert_ok(bittern_device_start(bench.device, &bench.raw.start, &err), &err);
        bittern_status status = bittern_device_wait(bench.device, PATIENCE_MS, &err);
        bool goes_on = status == BITTERN_ERR_TIMEOUT;
        if (status != BITTERN_OK && !goes_on && !strchr(err.message, '(')) {
            fail_msg("seed %" PRIu64 ", descriptor %zu: %s", first_seed, i, err.message);
        }
        long_runs += goes_on;
        finished += status == BITTERN_OK;
        refused += status != BITTERN_OK && !goes_on;
        if (!goes_on) {
            char what[64];
            (void)snprintf(what, sizeof what, "seed %" PRIu64 ", after descriptor %zu", first_seed,
                           i);
            sim_raw_restore(&bench.raw);
            sim_raw_expect_good(&bench.raw, what);
        }
        if (goes_on || i % 15 == 14) {
            close_bench(&bench);
            open_bench(&bench, 1 + random_below(&random, 100));
        }
    }
    close_bench(&bench);
    print_message("seed %" PRIu64 ": %zu programs, %zu refused, %zu run to their end, %zu too long "
                  "to wait for\n",
                  first_seed, descriptor_count, refused, finished, long_runs);
    assert_true(refused > 0 && finished > 0);
}

/* Would catch: counters of images that are a bit too narrow. */
static void a_start_takes_65535_images(void **state)
{
    (void)state;
    const struct random_network_options options = {
        .max_layers = 1, .max_channels = 3, .max_side = 1};
    struct bittern_error err;
    struct bench bench;
    uint64_t seed = 1;

    bench.device = sim_open("sim:tiny,latency=9");
    while (sim_example_make(&bench.example, seed, &options, sim_geometry(bench.device), 65535,
                            &err) != BITTERN_OK) {
        seed++;
    }
    sim_raw_make(&bench.raw, bench.device, &bench.example);
    sim_raw_expect_good(&bench.raw, "65535 images");
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_descriptor_comes_to_an_end),
        cmocka_unit_test(a_start_takes_65535_images),
    };

    if (argc == 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        descriptor_count = (size_t)strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
