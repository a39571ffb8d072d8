/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every error code of the kernel, by damage to the program or by a fault of memory, and a good run
 * on the same device behind each: an error must leave nothing behind.
 */
#include "sim_raw.h"

#include "accelerator/device_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WATCHDOG 3000 /* cycles; far above what any of these runs waits for memory */

/* Device, network and program of a test; `settings` stand behind the geometry's name. */
struct bench {
    struct bittern_device *device;
    struct sim_example example;
    struct sim_raw raw;
};

static void open_bench(struct bench *bench, uint64_t seed, size_t images, const char *settings)
{
    char name[256];
    (void)snprintf(name, sizeof name, "sim:tiny,watchdog=%d%s%s", WATCHDOG, *settings ? "," : "",
                   settings);
    bench->device = sim_open(name);
    sim_example_make_fitting(&bench->example, &seed, NULL, sim_geometry(bench->device), images);
    sim_raw_make(&bench->raw, bench->device, &bench->example);
}

static void close_bench(struct bench *bench)
{
    sim_raw_free(&bench->raw);
    sim_example_free(&bench->example);
    bittern_device_close(bench->device);
}

static void flip(struct sim_raw *raw, size_t byte, unsigned bit)
{
    raw->program[byte] ^= (uint8_t)(1u << bit);
}

/* Flip one bit: the error, then a good run. */
static void expect_flip(struct bench *bench, size_t byte, unsigned bit, const char *name)
{
    flip(&bench->raw, byte, bit);
    sim_raw_write(&bench->raw);
    sim_raw_expect_error(&bench->raw, name);
    sim_raw_restore(&bench->raw);
    sim_raw_expect_good(&bench->raw, name);
}

/* Would catch: a damaged header that runs, or one that is reported as something else. */
static void damaged_headers_are_named(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1, 2, "");
    for (unsigned bit = 0; bit < 32; bit += 5) {
        expect_flip(&bench, bit / 8, bit % 8, "BAD_MAGIC");
        expect_flip(&bench, 4 + bit / 8, bit % 8, "BAD_VERSION");
        for (size_t word = 2; word <= 7; word++) {
            expect_flip(&bench, 4 * word + bit / 8, bit % 8, "GEOMETRY");
        }
        for (size_t word = 8; word < 64; word += 9) {
            expect_flip(&bench, 4 * word + bit / 8, bit % 8, "CHECKSUM");
        }
    }
    close_bench(&bench);
}

/* Would catch: a descriptor whose damage is not seen; a check sum that misses a bit. */
static void every_bit_of_the_descriptors_is_covered(void **state)
{
    (void)state;
    struct bench bench;
    struct device_header header;
    uint64_t random = 7;

    open_bench(&bench, 3, 1, "latency=5");
    assert_true(device_header_read(bench.raw.program, &header));
    size_t bytes = (size_t)header.descriptors * DEVICE_RECORD_BYTES;
    for (int i = 0; i < 150; i++) {
        expect_flip(&bench, DEVICE_RECORD_BYTES + random_below(&random, bytes),
                    (unsigned)random_below(&random, 8), "CHECKSUM");
    }
    close_bench(&bench);
}

/* Would catch: a descriptor that the kernel cannot run and starts all the same. */
static void impossible_descriptors_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct device_layer layer;
    open_bench(&bench, 1, 2, "");
    struct sim_raw *raw = &bench.raw;
    uint8_t *second = raw->program + 2 * (size_t)DEVICE_RECORD_BYTES;

    struct device_segment segment = sim_raw_first_segment(raw);
    segment.layers = 0;
    sim_raw_write_first_segment(raw, &segment);
    sim_raw_expect_error(raw, "DESCRIPTOR");
    sim_raw_restore(raw);
    sim_raw_expect_good(raw, "after a segment of no layers");

    /* A segment where a layer is due, and the other way round. */
    memcpy(second, raw->program + DEVICE_RECORD_BYTES, DEVICE_RECORD_BYTES);
    sim_raw_write(raw);
    sim_raw_expect_error(raw, "DESCRIPTOR");
    sim_raw_restore(raw);
    memcpy(raw->program + DEVICE_RECORD_BYTES, second, DEVICE_RECORD_BYTES);
    sim_raw_write(raw);
    sim_raw_expect_error(raw, "DESCRIPTOR");
    sim_raw_restore(raw);
    sim_raw_expect_good(raw, "after descriptors in a wrong place");

    assert_true(device_layer_read(second, &layer));
    layer.tiles = 0;
    assert_null(device_layer_write(&layer, second));
    sim_raw_write(raw);
    sim_raw_expect_error(raw, "DESCRIPTOR");
    sim_raw_restore(raw);
    sim_raw_expect_good(raw, "after a layer of no tiles");
    close_bench(&bench);
}

/* Would catch: a weight stream that is not covered by its check sum. */
static void damaged_weights_are_seen(void **state)
{
    (void)state;
    struct bench bench;
    uint64_t random = 11;

    open_bench(&bench, 2, 2, "latency=5");
    struct device_segment segment = sim_raw_first_segment(&bench.raw);
    size_t bytes = (size_t)segment.weight_beats * 4;
    for (int i = 0; i < 60; i++) {
        expect_flip(&bench, segment.weight_offset + random_below(&random, bytes),
                    (unsigned)random_below(&random, 8), "WEIGHT_CHECKSUM");
    }
    close_bench(&bench);
}

/* Would catch: a refused access that is ignored, or that the next run still suffers from. */
static void refused_accesses_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *name;
    } kinds[] = {{"slverr-read", "READ_SLVERR"},
                 {"decerr-read", "READ_DECERR"},
                 {"slverr-write", "WRITE_SLVERR"},
                 {"decerr-write", "WRITE_DECERR"}};
    uint64_t random = 5;

    for (size_t kind = 0; kind < 4; kind++) {
        for (int i = 0; i < 12; i++) {
            char settings[128];
            struct bench bench;
            struct bittern_error err;
            struct bittern_counters counters;
            uint64_t seed = 1 + random_below(&random, 40);
            /* How much a run reads is known from a good one; its last write is the record's. */
            open_bench(&bench, seed, 3, "");
            sim_raw_expect_good(&bench.raw, "before");
            assert_ok(bittern_device_counters(bench.device, &counters, &err), &err);
            close_bench(&bench);
            size_t at = kind < 2 ? random_below(&random, (size_t)counters.read_beats) : 0;
            (void)snprintf(settings, sizeof settings, "stall=%d,seed=%d,fault=%s@%zu", i % 3 * 20,
                           i, kinds[kind].fault, at);
            open_bench(&bench, seed, 3, settings);
            sim_raw_expect_error(&bench.raw, kinds[kind].name);
            sim_raw_expect_good(&bench.raw, settings);
            close_bench(&bench);
        }
    }
}

/* Would catch: a channel that does not answer and hangs the device, or blocks the next run. */
static void stuck_channels_end_the_run(void **state)
{
    (void)state;
    static const char *const channels[] = {"ar", "r", "aw", "w", "b"};
    uint64_t random = 3;

    for (size_t channel = 0; channel < 5; channel++) {
        for (int i = 0; i < 8; i++) {
            char settings[128];
            struct bench bench;
            struct bittern_error err = {0};
            (void)snprintf(settings, sizeof settings, "stall=%d,seed=%d,fault=stuck-%s@%zu",
                           i % 2 * 30, i, channels[channel], random_below(&random, 400));
            open_bench(&bench, 1 + random_below(&random, 40), 2, settings);
            bittern_status status = sim_raw_run(&bench.raw, &err);
            if (status == BITTERN_OK || !strstr(err.message, "HANDSHAKE")) {
                fail_msg("%s: %s", settings, status == BITTERN_OK ? "no error" : err.message);
            }
            sim_raw_expect_good(&bench.raw, settings);
            close_bench(&bench);
        }
    }
}

/* Would catch: a program that asks for what never comes, and hangs. */
static void a_stalled_program_ends(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1, 2, "");
    struct sim_raw *raw = &bench.raw;
    struct device_segment segment = sim_raw_first_segment(raw);
    segment.weight_beats -= 8; /* OC: one row */
    segment.weight_sum =
        device_sum(raw->program + segment.weight_offset, (size_t)segment.weight_beats * 4);
    sim_raw_write_first_segment(raw, &segment);
    sim_raw_expect_error(raw, "STALLED");
    sim_raw_restore(raw);
    sim_raw_expect_good(raw, "after a stalled program");
    close_bench(&bench);
}

/* Would catch: a start of too many images that runs, e.g. modulo 65536. */
static void too_many_images_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1, 2, "");
    for (unsigned bit = 16; bit < 32; bit++) {
        bench.raw.start.images = (uint32_t)1 << bit | 2;
        sim_raw_expect_error(&bench.raw, "IMAGES");
    }
    bench.raw.start.images = 2;
    sim_raw_expect_good(&bench.raw, "after too many images");
    close_bench(&bench);
}

/* Would catch: addresses outside of memory that crash, or hang. */
static void addresses_outside_of_memory_are_errors(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1, 2, "");
    const struct bittern_start good = bench.raw.start;
    bench.raw.start.program = UINT64_C(0x7000000000);
    sim_raw_expect_error(&bench.raw, "READ_DECERR");
    bench.raw.start = good;
    bench.raw.start.input = UINT64_C(0xFFFFFFFFFFFFF000);
    sim_raw_expect_error(&bench.raw, "READ_DECERR");
    bench.raw.start = good;
    bench.raw.start.output = UINT64_C(0x7000000000);
    sim_raw_expect_error(&bench.raw, "WRITE_DECERR");
    bench.raw.start = good;
    sim_raw_expect_good(&bench.raw, "after wrong addresses");
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_headers_are_named),
        cmocka_unit_test(every_bit_of_the_descriptors_is_covered),
        cmocka_unit_test(impossible_descriptors_are_refused),
        cmocka_unit_test(damaged_weights_are_seen),
        cmocka_unit_test(refused_accesses_are_named),
        cmocka_unit_test(stuck_channels_end_the_run),
        cmocka_unit_test(a_stalled_program_ends),
        cmocka_unit_test(too_many_images_are_refused),
        cmocka_unit_test(addresses_outside_of_memory_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
