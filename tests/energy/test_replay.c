/* SPDX-License-Identifier: Apache-2.0 */
/* Random networks run on the simulated kernel, which records; the recording is replayed on the
 * netlist that Yosys makes of the compute unit. Skipped where Yosys is not installed. */
#include "sim_example.h"

#include "base/file.h"
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETWORKS 6

struct replay_test {
    char folder[64], recording[96], device[160];
    struct netlist *netlist;
};

static int setup(void **state)
{
    static struct replay_test test; /* cmocka's state; one test program, one thread */
    struct bittern_error err;
    *state = &test;
    if (system("command -v yosys >/dev/null") != 0) {
        return 0;
    }
    (void)snprintf(test.folder, sizeof test.folder, "/tmp/bittern-replay-XXXXXX");
    if (!mkdtemp(test.folder)) {
        return -1;
    }
    (void)snprintf(test.recording, sizeof test.recording, "%s/recording", test.folder);
    (void)snprintf(test.device, sizeof test.device, "sim:tiny,activity=%s", test.recording);
    if (system("'" BITTERN_SOURCE_DIR "/hw/synth/synth.sh' compute_unit -p WORD=32 -p ACC_BITS=24 "
               "--family xc7 --quiet >/dev/null") != 0) {
        return -1;
    }
    return netlist_read(BITTERN_SOURCE_DIR "/build/synth/compute_unit-WORD=32-ACC_BITS=24-xc7.blif",
                        &test.netlist, &err) == BITTERN_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    struct replay_test *test = *state;
    netlist_free(test->netlist);
    (void)unlink(test->recording);
    (void)rmdir(test->folder);
    return 0;
}

static void record(const struct replay_test *test, uint64_t *seed)
{
    const struct bittern_session_options options = {.batch = 2};
    struct bittern_error err;
    struct bittern_session *session = NULL;
    struct sim_example example;
    struct bittern_device *device = sim_open(test->device);

    sim_example_make_fitting(&example, seed, NULL, sim_geometry(device), 2);
    assert_ok(bittern_session_create(device, example.program, &options, &session, &err), &err);
    assert_ok(
        bittern_session_run(session, example.images, example.count, example.values, NULL, &err),
        &err);
    sim_example_check(&example, "recorded");
    bittern_session_free(session);
    bittern_device_close(device);
    sim_example_free(&example);
}

/* Would catch: a netlist that computes something else than the Verilog, a primitive whose meaning
 * is taken wrongly, and operands that are recorded a cycle off. */
static void the_netlist_gives_the_sums_that_the_kernel_gave(void **state)
{
    struct replay_test *test = *state;
    uint64_t sums = 0;
    uint64_t seed = 1;

    if (!test->netlist) {
        skip();
    }
    for (int i = 0; i < NETWORKS; i++, seed++) {
        struct bittern_error err;
        struct recording recording;
        struct replay_result result;
        record(test, &seed);
        assert_ok(recording_read(test->recording, &recording, &err), &err);
        assert_true(recording.head.layers > 0);
        for (uint32_t l = 0; l < recording.head.layers; l++) {
            if (replay_layer(test->netlist, &recording, &recording.layers[l], &result, &err) !=
                BITTERN_OK) {
                fail_msg("seed %llu: %s", (unsigned long long)seed, err.message);
            }
            for (size_t d = 0; d < NET_DRIVERS; d++) {
                assert_true(result.delayed.changes[d] >= result.settled.changes[d]);
            }
            sums += result.sums;
        }
        recording_free(&recording);
    }
    assert_true(sums > 1000);
}

/* Would catch: sums that are compared with themselves. */
static void a_wrong_sum_is_found(void **state)
{
    struct replay_test *test = *state;
    struct bittern_error err;
    struct recording recording;
    struct replay_result result;
    uint64_t seed = 1;

    if (!test->netlist) {
        skip();
    }
    record(test, &seed);
    assert_ok(recording_read(test->recording, &recording, &err), &err);
    struct recording_burst *burst = &recording.layers[0].bursts[0];
    assert_true(burst->cycles > 20);
    size_t place = (size_t)(burst->records - recording.data) + 15 * recording.record_bytes +
                   recording.field_offset[ACTIVITY_ACC];
    recording.data[place] ^= 1;
    assert_int_equal(replay_layer(test->netlist, &recording, &recording.layers[0], &result, &err),
                     BITTERN_ERR_MISMATCH);
    recording_free(&recording);
}

/* Would catch: a reader that runs past the end of a short file. */
static void a_recording_that_is_cut_off_is_refused(void **state)
{
    struct replay_test *test = *state;
    struct bittern_error err;
    struct recording recording;
    uint8_t *data = NULL;
    size_t size = 0;
    uint64_t seed = 1;

    if (!test->netlist) {
        skip();
    }
    record(test, &seed);
    assert_ok(file_read(test->recording, (size_t)1 << 28, &data, &size, &err), &err);
    for (size_t cut = 0; cut < size; cut += size / 37 + 1) {
        assert_ok(file_write(test->recording, data, cut, &err), &err);
        assert_int_equal(recording_read(test->recording, &recording, &err), BITTERN_ERR_FORMAT);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_netlist_gives_the_sums_that_the_kernel_gave),
        cmocka_unit_test(a_wrong_sum_is_found),
        cmocka_unit_test(a_recording_that_is_cut_off_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
