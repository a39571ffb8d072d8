/* SPDX-License-Identifier: Apache-2.0 */
/* The backend "sim" as a device: names, settings, memory, runs that are watched, cut short, or too
 * long; and what its counters and records say. */
#include "sim_raw.h"

#include "device/kernel_record.h"

#include <bittern/accelerator.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void assert_open_fails(const char *name, bittern_status expected, const char *part)
{
    struct bittern_error err = {0};
    struct bittern_device *device = NULL;
    bittern_status status = bittern_device_open(name, &device, &err);
    if (status != expected || !strstr(err.message, part)) {
        fail_msg("%s gave %s: %s", name, bittern_status_name(status), err.message);
    }
    assert_null(device);
}

/* Would catch: settings that are not checked, or taken for something else. */
static void settings_are_checked(void **state)
{
    (void)state;
    assert_open_fails("sim:nonesuch", BITTERN_ERR_NOT_FOUND, "libbittern-sim-nonesuch.so");
    assert_open_fails("sim:tiny,speed=9", BITTERN_ERR_ARGUMENT, "speed=9");
    assert_open_fails("sim:tiny,latency=0", BITTERN_ERR_ARGUMENT, "latency=0");
    assert_open_fails("sim:tiny,latency=many", BITTERN_ERR_ARGUMENT, "latency=many");
    assert_open_fails("sim:tiny,bandwidth=2", BITTERN_ERR_ARGUMENT, "bandwidth=2");
    assert_open_fails("sim:tiny,stall=96", BITTERN_ERR_ARGUMENT, "stall=96");
    assert_open_fails("sim:tiny,fault=stuck-q@1", BITTERN_ERR_ARGUMENT, "stuck-q");
    assert_open_fails("sim:tiny,fault=flip@1", BITTERN_ERR_ARGUMENT, "flip@1");
    assert_open_fails("sim:tiny,trace=x.fst,threads=2", BITTERN_ERR_ARGUMENT, "threads=2");
    assert_open_fails("sim:tiny,edge", BITTERN_ERR_ARGUMENT, "'edge'");
    bittern_device_close(sim_open("sim:tiny,latency=1,bandwidth=0.25,stall=95,seed=3,watchdog=0,"
                                  "threads=1,fault=flip@7.3,fault=slverr-write@0"));
}

/* Would catch: a kernel whose registers do not show the geometry that the compiler knows. */
static void every_geometry_is_listed_and_identifies_itself(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_device_info info;
    size_t count = 0;

    while (bittern_device_list("sim", count, &info, &err) == BITTERN_OK) {
        struct bittern_geometry known;
        assert_ok(bittern_geometry_find(info.geometry.name, &known, &err), &err);
        struct bittern_device *device = sim_open(info.name);
        assert_memory_equal(sim_geometry(device), &known, sizeof known);
        assert_memory_equal(&info.geometry, &known, sizeof known);
        bittern_device_close(device);
        count++;
    }
    assert_true(count + 1 > SIM_MODELS); /* more where others were built by hand */
    struct bittern_device *device = sim_open("sim");
    assert_string_equal(sim_geometry(device)->name, "edge");
    bittern_device_close(device);
}

/* Would catch: a second start that disturbs the first; counters that stand still; a device that
 * cannot be closed in the middle of a run. */
static void a_run_can_be_watched_and_cut_short(void **state)
{
    (void)state;
    struct sim_example example;
    struct sim_raw raw;
    struct bittern_error err;
    struct bittern_counters counters = {0};
    uint64_t seed = 1;
    struct bittern_device *device = sim_open("sim:tiny,watchdog=0,fault=stuck-r@2000");
    sim_example_make_fitting(&example, &seed, NULL, sim_geometry(device), 3000);
    sim_raw_make(&raw, device, &example);

    assert_int_equal(bittern_device_wait(device, 10, &err), BITTERN_ERR_DEVICE);
    assert_ok(bittern_device_start(device, &raw.start, &err), &err);
    assert_int_equal(bittern_device_start(device, &raw.start, &err), BITTERN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "in progress"));
    assert_int_equal(bittern_device_release(device, raw.start.input, &err), BITTERN_ERR_DEVICE);
    for (int i = 0; i < 200 && counters.cycles == 0; i++) {
        assert_int_equal(bittern_device_wait(device, 50, &err), BITTERN_ERR_TIMEOUT);
        assert_ok(bittern_device_counters(device, &counters, &err), &err);
    }
    assert_true(counters.cycles > 0 && counters.nanoseconds > 0);
    bittern_device_close(device);
    sim_raw_free(&raw);

    /* Another device afterwards knows nothing of it. */
    device = sim_open("sim:tiny");
    sim_example_free(&example);
    sim_example_make_fitting(&example, &seed, NULL, sim_geometry(device), 2);
    sim_raw_make(&raw, device, &example);
    sim_raw_expect_good(&raw, "a new device");
    bittern_device_close(device);
    sim_raw_free(&raw);
    sim_example_free(&example);
}

/* Would catch: a session whose timeout is not the wall clock's, or says nothing of the device. */
static void a_session_times_out_with_the_counters(void **state)
{
    (void)state;
    struct sim_example example;
    struct bittern_error err;
    struct bittern_session *session = NULL;
    uint64_t seed = 1;
    const struct bittern_session_options options = {.batch = 2, .timeout_ms = 1500};
    struct bittern_device *device = sim_open("sim:tiny,watchdog=0,fault=stuck-ar@100");
    sim_example_make_fitting(&example, &seed, NULL, sim_geometry(device), 4);
    assert_ok(bittern_session_create(device, example.program, &options, &session, &err), &err);
    assert_int_equal(bittern_session_run(session, example.images, 4, example.values, NULL, &err),
                     BITTERN_ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "1500 ms"));
    assert_non_null(strstr(err.message, "last counters: "));
    assert_null(strstr(err.message, "last counters: 0 cycles"));
    bittern_session_free(session);
    bittern_device_close(device);
    sim_example_free(&example);
}

/* Would catch: registers and record that say different things; stalls and computing that are more
 * than all cycles; layers that were not recorded. */
static void counters_record_and_profile_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct sim_example example;
        struct sim_raw raw;
        struct bittern_error err;
        struct bittern_counters live;
        struct kernel_record record;
        uint64_t drawn = seed;
        struct bittern_device *device = sim_open("sim:tiny,stall=10");
        sim_example_make_fitting(&example, &drawn, NULL, sim_geometry(device), 3);
        sim_raw_make(&raw, device, &example);
        if (sim_raw_run(&raw, &err) != BITTERN_OK) {
            fail_msg("seed %" PRIu64 ": %s", drawn, err.message);
        }
        size_t layers = bittern_network_layer_count(example.network);
        size_t size = (size_t)raw.start.record_bytes;
        uint8_t *data = malloc(size);
        struct bittern_layer_profile *profile = calloc(layers, sizeof *profile);
        assert_true(data && profile);
        assert_ok(bittern_device_read(device, raw.start.record, data, size, &err), &err);
        assert_true(kernel_record_parse(data, &record));
        assert_ok(bittern_device_counters(device, &live, &err), &err);
        live.nanoseconds = 0;
        /* The record's own beats are written, and its cycles pass, after it was taken. */
        assert_true(live.cycles >= record.counters.cycles &&
                    live.cycles - record.counters.cycles < 2000);
        assert_int_equal(live.compute_cycles, record.counters.compute_cycles);
        assert_int_equal(live.read_beats, record.counters.read_beats);
        assert_int_equal(record.images, 3);
        assert_int_equal(record.layer_records, (size - KERNEL_RECORD_HEAD) / KERNEL_RECORD_LAYER);
        assert_true(kernel_record_add_layers(data, size, profile, layers));
        uint64_t compute = 0;
        uint64_t cycles = 0;
        for (size_t i = 0; i < layers; i++) {
            assert_int_equal(profile[i].images, 3);
            assert_true(profile[i].compute_cycles + profile[i].weight_stall_cycles +
                            profile[i].input_stall_cycles + profile[i].output_stall_cycles <=
                        profile[i].cycles);
            compute += profile[i].compute_cycles;
            cycles += profile[i].cycles;
        }
        assert_int_equal(compute, record.counters.compute_cycles);
        assert_true(cycles <= record.counters.cycles);
        free(data);
        free(profile);
        sim_raw_free(&raw);
        bittern_device_close(device);
        sim_example_free(&example);
    }
}

/* Would catch: a program of another geometry that is started, or refused without advice. */
static void programs_of_other_geometries_are_refused(void **state)
{
    (void)state;
    struct sim_example example;
    struct bittern_error err;
    struct bittern_session *session = NULL;
    struct bittern_geometry edge;
    uint64_t seed = 1;
    struct bittern_device *device = sim_open("sim:tiny");
    assert_ok(bittern_geometry_find("edge", &edge, &err), &err);
    sim_example_make_fitting(&example, &seed, NULL, &edge, 1);
    assert_int_equal(bittern_session_create(device, example.program, NULL, &session, &err),
                     BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "bittern compile --geometry tiny"));
    bittern_device_close(device);
    sim_example_free(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(every_geometry_is_listed_and_identifies_itself),
        cmocka_unit_test(a_run_can_be_watched_and_cut_short),
        cmocka_unit_test(a_session_times_out_with_the_counters),
        cmocka_unit_test(counters_record_and_profile_agree),
        cmocka_unit_test(programs_of_other_geometries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
