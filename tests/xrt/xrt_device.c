/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend "xrt" on an emulated card of geometry tiny: memory, runs against the reference
 * engine, and every error code of the kernel. scripts/xrt-emu.sh starts it, with three faults of
 * memory set (CMakeLists.txt): the first beat that is read, a write in the middle of outputs, and a
 * read channel that stands still late in a run.
 */
#include "sim_raw.h"

#include "accelerator/device_format.h"

#include <bittern/accelerator.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 60

static struct bittern_device *device;
static struct sim_example example;
static struct sim_raw raw;

static int open_card(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct bittern_error err;
    if (bittern_device_open("xrt", &device, &err) != BITTERN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    sim_example_make_fitting(&example, &seed, NULL, sim_geometry(device), IMAGES);
    sim_raw_make(&raw, device, &example);
    return 0;
}

static int close_card(void **state)
{
    (void)state;
    sim_raw_free(&raw);
    sim_example_free(&example);
    bittern_device_close(device);
    return 0;
}

/* Would catch: a kernel taken for one of another geometry. Registers are out of reach here: it is
 * the record of a run of 0 images that says so. */
static void the_card_identifies_itself(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry known;
    assert_ok(bittern_geometry_find("tiny", &known, &err), &err);
    assert_memory_equal(sim_geometry(device), &known, sizeof known);
    assert_string_equal(bittern_device_get_info(device)->name, "xrt:0");
}

/* Would catch: an error of memory that is lost on its way to the user, or that the run after it
 * still suffers from. */
static void errors_of_memory_reach_the_user(void **state)
{
    (void)state;
    static const char *const names[] = {"(READ_SLVERR)", "(WRITE_SLVERR)", "(HANDSHAKE)"};
    bool seen[3] = {false};

    for (int i = 0; i < 8; i++) {
        struct bittern_error err = {0};
        bool known = sim_raw_run(&raw, &err) == BITTERN_OK;
        for (int kind = 0; kind < 3; kind++) {
            if (strstr(err.message, names[kind])) {
                assert_false(seen[kind]);
                seen[kind] = known = true;
            }
        }
        if (!known) {
            fail_msg("run %d: %s", i, err.message);
        }
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    sim_raw_expect_good(&raw, "after errors of memory");
}

static void expect_flip(size_t byte, const char *name)
{
    raw.program[byte] ^= 4;
    sim_raw_write(&raw);
    sim_raw_expect_error(&raw, name);
    sim_raw_restore(&raw);
}

/* Would catch: a code that is reported as another one. */
static void damaged_programs_are_named(void **state)
{
    (void)state;
    expect_flip(0, "BAD_MAGIC");
    expect_flip(4, "BAD_VERSION");
    expect_flip(8, "GEOMETRY");
    expect_flip(40, "CHECKSUM");
    expect_flip(sim_raw_first_segment(&raw).weight_offset + 5, "WEIGHT_CHECKSUM");

    struct device_segment segment = sim_raw_first_segment(&raw);
    segment.layers = 0;
    sim_raw_write_first_segment(&raw, &segment);
    sim_raw_expect_error(&raw, "DESCRIPTOR");
    sim_raw_restore(&raw);

    segment = sim_raw_first_segment(&raw);
    segment.weight_beats -= 8; /* OC: one row */
    segment.weight_sum =
        device_sum(raw.program + segment.weight_offset, (size_t)segment.weight_beats * 4);
    sim_raw_write_first_segment(&raw, &segment);
    sim_raw_expect_error(&raw, "STALLED");
    sim_raw_restore(&raw);
    sim_raw_expect_good(&raw, "after damaged programs");
}

static void wrong_starts_are_named(void **state)
{
    (void)state;
    const struct bittern_start good = raw.start;
    raw.start.images = 65536;
    sim_raw_expect_error(&raw, "IMAGES");
    raw.start = good;
    raw.start.program = UINT64_C(0x7000000000);
    sim_raw_expect_error(&raw, "READ_DECERR");
    raw.start = good;
    raw.start.output = UINT64_C(0x7000000000);
    sim_raw_expect_error(&raw, "WRITE_DECERR");
    raw.start = good;
    sim_raw_expect_good(&raw, "after wrong starts");

    struct bittern_error err;
    raw.start.record = 0;
    assert_int_equal(bittern_device_start(device, &raw.start, &err), BITTERN_ERR_ARGUMENT);
    raw.start = good;
}

/* Would catch: a second start that disturbs the first; a wait that cannot end before the run. */
static void a_run_can_be_watched(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_counters counters;
    assert_ok(bittern_device_start(device, &raw.start, &err), &err);
    assert_int_equal(bittern_device_start(device, &raw.start, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_release(device, raw.start.input, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_wait(device, 0, &err), BITTERN_ERR_TIMEOUT);
    assert_ok(bittern_device_counters(device, &counters, &err), &err);
    assert_ok(bittern_device_wait(device, 60000, &err), &err);
    assert_ok(bittern_device_wait(device, 0, &err), &err);
    assert_ok(bittern_device_counters(device, &counters, &err), &err);
    assert_true(counters.cycles > 0 && counters.cycles >= counters.compute_cycles);
    assert_true(counters.read_beats > 0 && counters.write_beats > 0 && counters.nanoseconds > 0);
}

/* Would catch: parts of buffers that go elsewhere; memory that does not keep what is written. */
static void memory_keeps_what_is_written(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    static uint8_t data[SIZE];
    static uint8_t back[SIZE];
    uint64_t address;
    uint64_t random = 5;
    struct bittern_error err;

    assert_ok(bittern_device_allocate(device, SIZE, &address, &err), &err);
    assert_true(address != 0 && address % 4096 == 0);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)random_u64(&random);
    }
    assert_ok(bittern_device_write(device, address, data, SIZE, &err), &err);
    for (int i = 0; i < 30; i++) {
        size_t at = random_below(&random, SIZE - 1);
        size_t size = 1 + random_below(&random, SIZE - at);
        for (size_t byte = 0; byte < size; byte += 7) {
            data[at + byte] ^= 0x55;
        }
        assert_ok(bittern_device_write(device, address + at, data + at, size, &err), &err);
    }
    assert_ok(bittern_device_read(device, address, back, SIZE, &err), &err);
    assert_memory_equal(back, data, SIZE);
    assert_int_equal(bittern_device_read(device, address + SIZE, back, 8192, &err),
                     BITTERN_ERR_RANGE);
    assert_ok(bittern_device_release(device, address, &err), &err);
    assert_int_equal(bittern_device_release(device, address, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_write(device, address, data, 1, &err), BITTERN_ERR_RANGE);
}

/* Would catch: a session whose batches get each other's buffers, or a lost layer record. */
static void a_session_equals_the_reference_in_every_score(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_session *session = NULL;
    const struct bittern_session_options options = {.batch = 7};
    size_t layers = bittern_network_layer_count(example.network);
    const uint8_t *images = example.images;
    struct bittern_layer_profile *profile = calloc(layers, sizeof *profile);

    assert_non_null(profile);
    memset(example.values, 0, example.count * example.outputs * sizeof *example.values);
    assert_ok(bittern_session_create(device, example.program, &options, &session, &err), &err);
    assert_ok(bittern_session_run(session, images, example.count, example.values, NULL, &err),
              &err);
    sim_example_check(&example, "session");
    assert_ok(bittern_session_profile(session, profile, layers, &err), &err);
    for (size_t i = 0; i < layers; i++) {
        assert_int_equal(profile[i].images, IMAGES);
    }
    bittern_session_free(session);
    free(profile);
}

/* Would catch: two devices on one card that load its .xclbin twice, and lose each other's memory.
 */
static void two_devices_share_a_card(void **state)
{
    (void)state;
    struct sim_raw other;
    struct bittern_error err;
    struct bittern_device *second = sim_open("xrt:0");
    struct bittern_device *third = NULL;

    sim_raw_make(&other, second, &example);
    sim_raw_expect_good(&other, "second device");
    sim_raw_expect_good(&raw, "first device");
    sim_raw_free(&other);
    assert_int_equal(bittern_device_open("xrt:0,xclbin=/dev/null", &third, &err),
                     BITTERN_ERR_NOT_FOUND);
    bittern_device_close(second);
    sim_raw_expect_good(&raw, "first device, alone again");
}

/* Would catch: a program for another geometry that runs, and gives anything. */
static void programs_of_another_geometry_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry edge;
    struct bittern_program *program = NULL;
    struct bittern_session *session = NULL;
    assert_ok(bittern_geometry_find("edge", &edge, &err), &err);
    assert_ok(bittern_program_create(example.network, &edge, &program, &err), &err);
    assert_int_equal(bittern_session_create(device, program, NULL, &session, &err),
                     BITTERN_ERR_MISMATCH);
    bittern_program_free(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_card_identifies_itself),
        cmocka_unit_test(errors_of_memory_reach_the_user),
        cmocka_unit_test(damaged_programs_are_named),
        cmocka_unit_test(wrong_starts_are_named),
        cmocka_unit_test(a_run_can_be_watched),
        cmocka_unit_test(memory_keeps_what_is_written),
        cmocka_unit_test(a_session_equals_the_reference_in_every_score),
        cmocka_unit_test(two_devices_share_a_card),
        cmocka_unit_test(programs_of_another_geometry_are_refused),
    };
    return cmocka_run_group_tests(tests, open_card, close_card);
}
