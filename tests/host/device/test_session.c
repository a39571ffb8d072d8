/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: exact outputs through any batching, and nothing left behind on any failure. */
#include "network_random.h"
#include "testing.h"

#include <bittern/device.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int choose_backends(void **state)
{
    (void)state;
    return setenv("BITTERN_BACKENDS", TEST_BACKENDS, 1);
}

/* A random network as a program, with random images and what it makes of them the slow way. */
struct example {
    struct bittern_network *network;
    struct bittern_program *program;
    size_t count, image_bytes, outputs;
    uint8_t *images;
    int32_t *expected;
};

static void run_slowly(struct example *example)
{
    struct bittern_error err;
    size_t layers = bittern_network_layer_count(example->network);
    int32_t **values = calloc(layers, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < example->count; i++) {
        assert_ok(slow_network_run(example->network, example->images + i * example->image_bytes,
                                   values, &err),
                  &err);
        memcpy(example->expected + i * example->outputs, values[layers - 1],
               example->outputs * sizeof(int32_t));
        for (size_t layer = 0; layer < layers; layer++) {
            free(values[layer]);
        }
    }
    free(values);
}

static void make_example(struct example *example, uint64_t seed, size_t count,
                         const struct bittern_geometry *geometry)
{
    struct bittern_error err;
    uint64_t random = seed;
    const struct random_network_options small = {
        .max_layers = 3, .max_channels = 20, .max_side = 8};
    *example = (struct example){.count = count};
    assert_ok(random_network(seed, &small, &example->network, &err), &err);
    assert_ok(bittern_program_create(example->network, geometry, &example->program, &err), &err);
    const struct bittern_shape *shape = &bittern_network_input(example->network)->shape;
    example->image_bytes = shape->channels * shape->height * shape->width;
    example->outputs = bittern_network_output_count(example->network);
    example->images = malloc(count * example->image_bytes);
    example->expected = malloc(count * example->outputs * sizeof(int32_t));
    assert_non_null(example->images);
    assert_non_null(example->expected);
    for (size_t i = 0; i < count * example->image_bytes; i++) {
        example->images[i] = (uint8_t)random_below(&random, 256);
    }
}

static void free_example(struct example *example)
{
    bittern_program_free(example->program);
    bittern_network_free(example->network);
    free(example->images);
    free(example->expected);
}

static struct bittern_device *open_device(const char *name)
{
    struct bittern_error err;
    struct bittern_device *device = NULL;
    assert_ok(bittern_device_open(name, &device, &err), &err);
    return device;
}

static struct bittern_session *open_session(struct bittern_device *device,
                                            const struct example *example, size_t batch)
{
    struct bittern_error err;
    struct bittern_session *session = NULL;
    const struct bittern_session_options options = {.batch = batch};
    assert_ok(bittern_session_create(device, example->program, &options, &session, &err), &err);
    return session;
}

static void assert_session_is_exact(struct bittern_session *session, const struct example *example,
                                    uint64_t seed)
{
    struct bittern_error err;
    size_t values = example->count * example->outputs;
    int32_t *found = malloc(values * sizeof *found);
    assert_non_null(found);
    memset(found, 0x55, values * sizeof *found);
    assert_ok(bittern_session_run(session, example->images, example->count, found, NULL, &err),
              &err);
    for (size_t i = 0; i < values; i++) {
        if (found[i] != example->expected[i]) {
            fail_msg("seed %llu, image %zu, output %zu: %d, expected %d", (unsigned long long)seed,
                     i / example->outputs, i % example->outputs, found[i], example->expected[i]);
        }
    }
    free(found);
}

/* Would catch: the table applied wrongly (sign, channel), a batch's tail, swapped buffers. */
static void the_reference_equals_the_slow_network_in_batches_of_any_size(void **state)
{
    (void)state;
    const size_t batches[] = {1, 2, 3, 4, 7, 12, 13, 64};
    for (uint64_t seed = 100; seed < 130; seed++) {
        struct example example;
        make_example(&example, seed, 13, NULL);
        run_slowly(&example);
        struct bittern_device *device = open_device("reference:threads=2");
        for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
            struct bittern_session *session = open_session(device, &example, batches[i]);
            assert_session_is_exact(session, &example, seed);
            bittern_session_free(session);
        }
        bittern_device_close(device);
        free_example(&example);
    }
}

/* Would catch: a device that keeps the wrong one of two programs. */
static void two_sessions_share_a_device(void **state)
{
    (void)state;
    struct example examples[2];
    struct bittern_session *sessions[2];
    struct bittern_device *device = open_device("reference:threads=1");
    for (size_t i = 0; i < 2; i++) {
        make_example(&examples[i], 200 + i, 5, NULL);
        run_slowly(&examples[i]);
        sessions[i] = open_session(device, &examples[i], 2);
    }
    for (size_t turn = 0; turn < 4; turn++) {
        assert_session_is_exact(sessions[turn % 2], &examples[turn % 2], 200 + turn % 2);
    }
    for (size_t i = 0; i < 2; i++) {
        bittern_session_free(sessions[i]);
        free_example(&examples[i]);
    }
    bittern_device_close(device);
}

static const struct bittern_geometry tiny = {.name = "tiny",
                                             .version = 1,
                                             .word_bits = 128,
                                             .output_channels = 16,
                                             .pixels = 4,
                                             .units = 7,
                                             .feature_bytes = 393216,
                                             .weight_bytes = 131072};

static bittern_status try_session(const char *device_name, const struct example *example,
                                  struct bittern_error *err)
{
    struct bittern_session *session = NULL;
    struct bittern_device *device = open_device(device_name);
    bittern_status status = bittern_session_create(device, example->program, NULL, &session, err);
    assert_true((session != NULL) == (status == BITTERN_OK));
    bittern_session_free(session);
    bittern_device_close(device);
    return status;
}

/* Would catch: a program laid out for one accelerator that is started on another. */
static void a_program_for_another_geometry_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct example any;
    struct example fitting;
    struct example wider;
    struct bittern_geometry wide = tiny;
    wide.output_channels = 32;
    make_example(&any, 300, 1, NULL);
    make_example(&fitting, 300, 1, &tiny);
    make_example(&wider, 300, 1, &wide);

    assert_ok(try_session("reference", &any, &err), &err);
    assert_ok(try_session("reference", &fitting, &err), &err);
    assert_ok(try_session("fake:tiny", &fitting, &err), &err);
    assert_int_equal(try_session("fake:tiny", &any, &err), BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "'any'"));
    assert_non_null(strstr(err.message, "bittern compile --geometry tiny"));
    assert_int_equal(try_session("fake:tiny", &wider, &err), BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "OC 32"));
    assert_non_null(strstr(err.message, "OC 16"));
    free_example(&any);
    free_example(&fitting);
    free_example(&wider);
}

/* ---- With the fake device, which computes (sum of input bytes) * 16 + j -----------------------
 */

static void fake_name(char *name, size_t size, const struct example *example, const char *faults)
{
    (void)snprintf(name, size, "fake:image-bytes=%zu,outputs=%zu%s%s", example->image_bytes,
                   example->outputs, *faults ? "," : "", faults);
}

static void expect_fake_outputs(struct example *example)
{
    const struct bittern_input *input = bittern_network_input(example->network);
    size_t pixels = input->shape.height * input->shape.width;
    for (size_t image = 0; image < example->count; image++) {
        int32_t sum = 0;
        for (size_t i = 0; i < example->image_bytes; i++) {
            uint8_t pixel = example->images[image * example->image_bytes + i];
            sum += (uint8_t)input->table[i / pixels * 256 + pixel];
        }
        for (size_t j = 0; j < example->outputs; j++) {
            example->expected[image * example->outputs + j] = sum * 16 + (int32_t)j;
        }
    }
}

/* Would catch: the next batch's input written over the one that is being worked on; counters of
 * some batches lost. */
static void buffers_take_turns_and_counters_add_up(void **state)
{
    (void)state;
    struct bittern_error err;
    struct example example;
    struct bittern_counters counters;
    char name[128];
    make_example(&example, 400, 11, NULL);
    expect_fake_outputs(&example);
    fake_name(name, sizeof name, &example, "");
    struct bittern_device *device = open_device(name);
    struct bittern_session *session = open_session(device, &example, 3);
    assert_session_is_exact(session, &example, 400);
    int32_t *values = calloc(example.count * example.outputs, sizeof *values);
    assert_non_null(values);
    assert_ok(bittern_session_run(session, example.images, 11, values, &counters, &err), &err);
    assert_int_equal(counters.cycles, 11000);
    assert_int_equal(counters.compute_cycles, 9900);
    assert_int_equal(counters.weight_stall_cycles, 4 * 50);
    assert_int_equal(counters.input_stall_cycles, 4 * 30);
    assert_int_equal(counters.output_stall_cycles, 4 * 20);
    assert_int_equal(counters.read_beats, 4 * 7);
    assert_int_equal(counters.write_beats, 4 * 3);
    assert_int_equal(counters.nanoseconds, 4 * 5);
    assert_ok(bittern_session_run(session, NULL, 0, NULL, NULL, &err), &err);
    free(values);
    bittern_session_free(session);
    bittern_device_close(device);
    free_example(&example);
}

struct stop_after {
    size_t images, seen;
};

static int stop(void *user, size_t done, size_t total)
{
    struct stop_after *when = user;
    assert_true(done > when->seen && done <= total);
    when->seen = done;
    return done >= when->images;
}

/* Would catch: a cancelled run that leaves the device busy, or reports values that are not there.
 */
static void a_cancelled_run_keeps_what_it_reported(void **state)
{
    (void)state;
    struct bittern_error err;
    struct example example;
    struct stop_after when = {.images = 4};
    char name[128];
    make_example(&example, 401, 11, NULL);
    expect_fake_outputs(&example);
    fake_name(name, sizeof name, &example, "");
    struct bittern_device *device = open_device(name);
    struct bittern_session *session = NULL;
    const struct bittern_session_options options = {.batch = 2, .progress = stop, .user = &when};
    assert_ok(bittern_session_create(device, example.program, &options, &session, &err), &err);
    int32_t *values = calloc(example.count * example.outputs, sizeof *values);
    assert_non_null(values);
    assert_int_equal(bittern_session_run(session, example.images, 11, values, NULL, &err),
                     BITTERN_ERR_CANCELLED);
    assert_int_equal(when.seen, 4);
    assert_memory_equal(values, example.expected, 4 * example.outputs * sizeof(int32_t));
    when = (struct stop_after){.images = 100};
    assert_ok(bittern_session_run(session, example.images, 11, values, NULL, &err), &err);
    free(values);
    bittern_session_free(session);
    bittern_device_close(device);
    free_example(&example);
}

/* Would catch: a hang that is not noticed, or told without the counters that show where. */
static void a_hanging_device_times_out_with_its_counters(void **state)
{
    (void)state;
    struct bittern_error err;
    struct example example;
    char name[128];
    make_example(&example, 402, 3, NULL);
    fake_name(name, sizeof name, &example, "hang");
    struct bittern_device *device = open_device(name);
    struct bittern_session *session = open_session(device, &example, 2);
    assert_int_equal(bittern_session_run(session, example.images, 3, example.expected, NULL, &err),
                     BITTERN_ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "2000 cycles (1800 computing, stalled 50 on weights"));
    assert_int_equal(bittern_session_run(session, example.images, 3, example.expected, NULL, &err),
                     BITTERN_ERR_DEVICE); /* still busy */
    bittern_session_free(session);
    bittern_device_close(device);
    free_example(&example);
}

/* One session on a device that fails somewhere; whatever happens, all memory must be given back.
 * @return the first error, or BITTERN_OK */
static bittern_status run_with_fault(const struct example *example, const char *fault,
                                     size_t (*live_blocks)(void))
{
    char name[160];
    struct bittern_error err = {0};
    struct bittern_session *session = NULL;
    const struct bittern_session_options options = {.batch = 2};
    fake_name(name, sizeof name, example, fault);
    struct bittern_device *device = open_device(name);
    int32_t *values = calloc(example->count * example->outputs, sizeof *values);
    assert_non_null(values);

    bittern_status status =
        bittern_session_create(device, example->program, &options, &session, &err);
    if (status == BITTERN_OK) {
        status = bittern_session_run(session, example->images, example->count, values, NULL, &err);
        if (status == BITTERN_OK) {
            assert_memory_equal(values, example->expected,
                                example->count * example->outputs * sizeof *values);
        } else {
            /* The fault was for once: the device must be idle, and work now. */
            assert_ok(
                bittern_session_run(session, example->images, example->count, values, NULL, &err),
                &err);
        }
    }
    bittern_session_free(session);
    assert_int_equal(live_blocks(), 0);
    bittern_device_close(device);
    free(values);
    return status;
}

/* Would catch: memory left on the device, a run left going, or an error lost, at any call of any
 * verb. The fault moves from the first call to the last one. */
static void every_single_failure_is_told_and_cleaned_up(void **state)
{
    (void)state;
    const char *const verbs[] = {"allocate", "write", "start", "wait", "counters", "read"};
    const size_t calls[] = {5, 5, 4, 4, 4, 4}; /* of a session with four batches */
    struct example example;
    make_example(&example, 403, 7, NULL);
    expect_fake_outputs(&example);
    void *library = dlopen(TEST_BACKENDS "/libbittern-backend-fake.so", RTLD_NOW);
    assert_non_null(library);
    size_t (*live_blocks)(void) = NULL;
    void *symbol = dlsym(library, "fake_live_blocks");
    assert_non_null(symbol);
    memcpy(&live_blocks, &symbol, sizeof live_blocks);

    for (size_t verb = 0; verb < sizeof verbs / sizeof verbs[0]; verb++) {
        for (size_t call = 1; call <= calls[verb] + 1; call++) {
            char fault[64];
            (void)snprintf(fault, sizeof fault, "fail-%s=%zu", verbs[verb], call);
            bittern_status status = run_with_fault(&example, fault, live_blocks);
            if (status != (call <= calls[verb] ? BITTERN_ERR_DEVICE : BITTERN_OK)) {
                fail_msg("%s gave %s", fault, bittern_status_name(status));
            }
        }
    }
    dlclose(library);
    free_example(&example);
}

/* Would catch: options out of range taken as they are; NULL arguments that crash. */
static void senseless_arguments_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct example example;
    struct bittern_session *session = NULL;
    const struct bittern_session_options huge = {.batch = 4097};
    make_example(&example, 404, 1, NULL);
    struct bittern_device *device = open_device("reference");
    assert_int_equal(bittern_session_create(device, example.program, &huge, &session, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_null(session);
    assert_int_equal(bittern_session_create(NULL, example.program, NULL, &session, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_session_create(device, NULL, NULL, &session, &err),
                     BITTERN_ERR_ARGUMENT);
    session = open_session(device, &example, 0);
    assert_int_equal(bittern_session_run(session, NULL, 1, example.expected, NULL, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_session_run(NULL, example.images, 1, example.expected, NULL, &err),
                     BITTERN_ERR_ARGUMENT);
    bittern_session_free(session);
    bittern_session_free(NULL);
    bittern_device_close(device);
    free_example(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_equals_the_slow_network_in_batches_of_any_size),
        cmocka_unit_test(two_sessions_share_a_device),
        cmocka_unit_test(a_program_for_another_geometry_is_refused),
        cmocka_unit_test(buffers_take_turns_and_counters_add_up),
        cmocka_unit_test(a_cancelled_run_keeps_what_it_reported),
        cmocka_unit_test(a_hanging_device_times_out_with_its_counters),
        cmocka_unit_test(every_single_failure_is_told_and_cleaned_up),
        cmocka_unit_test(senseless_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, choose_backends, NULL);
}
