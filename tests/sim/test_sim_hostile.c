/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that no compiler makes, under good check sums: whatever a descriptor says, the kernel
 * ends, with an error or without, and the next run is a good one.
 *
 *     test_sim_hostile [FIRST-SEED DESCRIPTORS]
 */
#include "sim_raw.h"

#include "accelerator/device_format.h"
#include "device/kernel_registers.h"

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
    sim_example_make_fitting(&bench->example, &seed, NULL, sim_geometry(bench->device), IMAGES);
    sim_raw_make(&bench->raw, bench->device, &bench->example);
}

static void close_bench(struct bench *bench)
{
    sim_raw_free(&bench->raw);
    sim_example_free(&bench->example);
    bittern_device_close(bench->device);
}

static void set_word(uint8_t *record, size_t word, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        record[4 * word + i] = (uint8_t)(value >> 8 * i);
    }
}

static void repair(uint8_t *record)
{
    set_word(record, DEVICE_RECORD_WORDS - 1, device_sum(record, DEVICE_RECORD_BYTES - 4));
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

/* 1 to `limit` in each half of a word. */
static uint32_t two_sizes(uint64_t *random, size_t limit)
{
    uint32_t low = (uint32_t)(1 + random_below(random, limit));
    return low | (uint32_t)(1 + random_below(random, limit)) << 16;
}

/* Any value of these words is legal: multipliers, coordinates, addresses, pitches, steps, masks. */
static const uint8_t free_layer_words[] = {3,  4,  12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                           26, 27, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38,
                                           39, 40, 41, 42, 43, 44, 45, 46, 49, 51, 52, 53};

/* Digits of a lane's step below their radix, which are at most `limit`. */
static void scramble_digits(uint8_t *record, size_t radix, size_t step, size_t limit,
                            uint64_t *random)
{
    uint32_t sizes = two_sizes(random, limit);
    set_word(record, radix, sizes);
    set_word(record, step,
             (uint32_t)random_below(random, sizes & 0xFFFF) |
                 (uint32_t)random_below(random, sizes >> 16) << 16);
}

static void scramble_lanes(uint8_t *record, uint64_t *random)
{
    scramble_digits(record, 7, 9, 256, random);
    scramble_digits(record, 8, 10, 4095, random);
    set_word(record, 11, (uint32_t)(1 + random_below(random, 2047)));
}

static void scramble_layer(uint8_t *record, const struct device_layer *layer, uint64_t *random)
{
    for (size_t i = 0; i < sizeof free_layer_words; i++) {
        if (random_below(random, 3) == 0) {
            set_word(record, free_layer_words[i], (uint32_t)random_u64(random));
        }
    }
    switch (random_below(random, 7)) {
    case 0: /* radix of the steps */
        set_word(record, 22, (uint32_t)(1 + random_below(random, 65535)));
        set_word(record, 23, two_sizes(random, 256));
        break;
    case 1:
        set_word(record, 5, (uint32_t)(1 + random_below(random, 65535))); /* tiles */
        break;
    case 2:
        set_word(record, 48, (uint32_t)(1 + random_below(random, 65535))); /* window_size */
        break;
    case 3:
        if (layer->result) {
            set_word(record, 50, (uint32_t)random_u64(random) & ~UINT32_C(3)); /* result_stride */
        } else if (!layer->pair) {
            set_word(record, 47, /* tiles_per_plane_log2 and writes */
                     (uint32_t)random_below(random, 256) << 8 | 1U << random_below(random, 8));
        }
        break;
    case 4: /* flags that nothing is behind */
        record[4 * 1 + 1] |= 0x80;
        record[4 * 1 + 2] |= (uint8_t)(random_u64(random) & 0xF0);
        record[4 * 1 + 3] |= (uint8_t)random_u64(random);
        break;
    case 5: /* pixels, in steps of at least an image, as there could be very many */
        scramble_lanes(record, random);
        break;
    default:
        break;
    }
}

static void scramble_segment(uint8_t *record, uint32_t channels, uint64_t *random)
{
    static const uint8_t words[] = {10, 11, 13, 14};    /* bases and pitches */
    static const uint8_t offsets[] = {3, 7, 8, 15, 16}; /* multiples of 64 */
    for (size_t i = 0; i < sizeof words; i++) {
        if (random_below(random, 4) == 0) {
            set_word(record, words[i], (uint32_t)random_u64(random));
        }
    }
    size_t which = random_below(random, 2 * sizeof offsets);
    if (which < sizeof offsets) {
        set_word(record, offsets[which], (uint32_t)random_u64(random) & ~UINT32_C(63));
    } else if (which == sizeof offsets) {
        set_word(record, 4, ((uint32_t)random_u64(random) | 1U << 31) & ~(channels - 1));
    } else if (which == sizeof offsets + 1) {
        set_word(record, 2, (uint32_t)(1 + random_below(random, DEVICE_MAX_SUB_BATCH)));
    }
}

/* Fill the words that may hold anything, and others as far as they may go. */
static void scramble(uint8_t *record, uint32_t channels, uint64_t *random)
{
    struct device_layer layer;
    struct device_segment segment;
    if (device_layer_read(record, &layer) && layer.type == DEVICE_TYPE_LAYER) {
        scramble_layer(record, &layer, random);
    } else {
        assert_true(device_segment_read(record, &segment));
        scramble_segment(record, channels, random);
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
        uint8_t *record = bench.raw.program +
                          DEVICE_RECORD_BYTES * (1 + random_below(&random, header.descriptors));
        if (random_below(&random, 2) == 0) {
            damage(record, &random);
        } else {
            scramble(record, header.oc, &random);
        }
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
    struct bench bench;
    uint64_t seed = 1;

    bench.device = sim_open("sim:tiny,latency=9");
    sim_example_make_fitting(&bench.example, &seed, &options, sim_geometry(bench.device), 65535);
    sim_raw_make(&bench.raw, bench.device, &bench.example);
    sim_raw_expect_good(&bench.raw, "65535 images");

    /* As many at a time as the memory holds; the compiler would take fewer. */
    struct device_segment segment = sim_raw_first_segment(&bench.raw);
    assert_int_equal(segment.layers, 1);
    const struct bittern_geometry *geometry = sim_geometry(bench.device);
    uint32_t words = geometry->feature_bytes / (geometry->word_bits / 8);
    uint32_t fitting = (words - segment.load_base) / segment.load_pitch;
    assert_true(fitting > segment.sub_batch);
    segment.sub_batch = fitting < DEVICE_MAX_SUB_BATCH ? fitting : DEVICE_MAX_SUB_BATCH;
    sim_raw_write_first_segment(&bench.raw, &segment);
    sim_raw_expect_good(&bench.raw, "65535 images in large sub-batches");
    close_bench(&bench);
}

/* The same segment many times, one after the other. */
static void repeat_program(struct sim_raw *raw, size_t times)
{
    struct device_header header;
    struct device_segment segment = sim_raw_first_segment(raw);
    assert_true(device_header_read(raw->program, &header));
    assert_int_equal(header.segments, 1);

    size_t old_weights = segment.weight_offset;
    size_t weight_bytes = raw->program_bytes - old_weights;
    size_t segment_bytes = DEVICE_RECORD_BYTES * header.descriptors;
    size_t weights = (DEVICE_RECORD_BYTES + times * segment_bytes + DEVICE_STREAM_ALIGNMENT - 1) /
                     DEVICE_STREAM_ALIGNMENT * DEVICE_STREAM_ALIGNMENT;
    uint8_t *program = calloc(1, weights + weight_bytes);
    assert_non_null(program);
    segment.weight_offset = (uint32_t)weights;
    assert_null(device_segment_write(&segment, raw->program + DEVICE_RECORD_BYTES));
    for (size_t i = 0; i < times; i++) {
        memcpy(program + DEVICE_RECORD_BYTES + i * segment_bytes,
               raw->program + DEVICE_RECORD_BYTES, segment_bytes);
    }
    memcpy(program + weights, raw->program + old_weights, weight_bytes);
    header.segments *= (uint32_t)times;
    header.descriptors *= (uint32_t)times;
    assert_null(device_header_write(&header, program));

    struct bittern_error err;
    free(raw->program);
    raw->program = program;
    raw->program_bytes = weights + weight_bytes;
    raw->start.program_bytes = raw->program_bytes;
    raw->start.record_bytes =
        KERNEL_RECORD_HEAD + (raw->start.record_bytes - KERNEL_RECORD_HEAD) * times;
    assert_ok(bittern_device_allocate(raw->device, raw->program_bytes, &raw->start.program, &err),
              &err);
    assert_ok(
        bittern_device_allocate(raw->device, raw->start.record_bytes, &raw->start.record, &err),
        &err);
    sim_raw_write(raw);
}

/* So many that the 16-bit numbers of weight rows pass their end in one run. */
#define SEGMENTS 5000

static bool has_enough_rows(const struct sim_raw *raw)
{
    struct device_segment segment = sim_raw_first_segment(raw);
    struct device_header header;
    assert_true(device_header_read(raw->program, &header));
    return segment.weight_beats / header.oc * SEGMENTS > 70000;
}

/* Would catch: numbers of descriptors, records and weight rows that are a bit too narrow. */
static void a_program_has_thousands_of_descriptors(void **state)
{
    (void)state;
    const struct random_network_options options = {
        .max_layers = 1, .max_channels = 20, .max_side = 2};
    struct bench bench;
    uint64_t seed = 1;

    bench.device = sim_open("sim:tiny,latency=9");
    for (;; seed++) {
        sim_example_make_fitting(&bench.example, &seed, &options, sim_geometry(bench.device), 1);
        sim_raw_make(&bench.raw, bench.device, &bench.example);
        if (has_enough_rows(&bench.raw)) {
            break;
        }
        sim_raw_free(&bench.raw);
        sim_example_free(&bench.example);
    }
    repeat_program(&bench.raw, SEGMENTS);
    sim_raw_expect_good(&bench.raw, "5000 segments");
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_descriptor_comes_to_an_end),
        cmocka_unit_test(a_start_takes_65535_images),
        cmocka_unit_test(a_program_has_thousands_of_descriptors),
    };

    if (argc == 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        descriptor_count = (size_t)strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
