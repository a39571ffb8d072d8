/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: finding and checking backends, arguments, the reference's memory, and its runs. */
#include "network_random.h"
#include "testing.h"

#include <bittern/device.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int choose_backends(void **state)
{
    (void)state;
    return setenv("BITTERN_BACKENDS", TEST_BACKENDS, 1);
}

static struct bittern_device *open_device(const char *name)
{
    struct bittern_error err;
    struct bittern_device *device = NULL;
    assert_ok(bittern_device_open(name, &device, &err), &err);
    return device;
}

static void assert_open_fails(const char *name, bittern_status expected, const char *part)
{
    struct bittern_error err;
    struct bittern_device *device = (struct bittern_device *)1;
    assert_int_equal(bittern_device_open(name, &device, &err), expected);
    assert_null(device);
    if (!strstr(err.message, part)) {
        fail_msg("'%s' is missing in: %s", part, err.message);
    }
}

/* Would catch: a malformed name that reaches the loader, e.g. one with a path in it. */
static void malformed_device_names_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_device *device = NULL;
    assert_open_fails("", BITTERN_ERR_ARGUMENT, "BACKEND:ADDRESS");
    assert_open_fails(":0", BITTERN_ERR_ARGUMENT, "BACKEND:ADDRESS");
    assert_open_fails("../evil", BITTERN_ERR_ARGUMENT, "../evil");
    assert_open_fails("a-name-much-longer-than-any-backend-has", BITTERN_ERR_ARGUMENT, "BACKEND");
    assert_int_equal(bittern_device_open(NULL, &device, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_open("reference", NULL, &err), BITTERN_ERR_ARGUMENT);
    bittern_device_close(NULL);
}

/* Would catch: "not found" without a word on what to install. */
static void missing_backends_say_what_to_install(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_device_info info;
    assert_string_equal(bittern_backend_name(0), "reference");
    assert_null(bittern_backend_name(3));
    assert_open_fails("nonesuch:1", BITTERN_ERR_NOT_FOUND, "'nonesuch'");
    /* These tests may run where they are installed; a missing one has to give its advice. */
    if (bittern_device_list("sim", 0, &info, &err) == BITTERN_ERR_DEVICE) {
        assert_non_null(strstr(err.message, "Verilator"));
    }
    if (bittern_device_list("xrt", 0, &info, &err) == BITTERN_ERR_DEVICE) {
        assert_true(strstr(err.message, "libxrt-dev") || strstr(err.message, "XRT says"));
    }
}

/* Would catch: calling into a library of another version, or through an empty function. */
static void unfit_backend_libraries_are_refused(void **state)
{
    (void)state;
    assert_open_fails("fake-version", BITTERN_ERR_DEVICE, "version 99");
    assert_open_fails("fake-incomplete", BITTERN_ERR_DEVICE, "empty");

    char folder[] = "/tmp/bittern-test-device-XXXXXX";
    char path[128];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/libbittern-backend-text.so", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("not a library\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("BITTERN_BACKENDS", folder, 1), 0);
    assert_open_fails("text", BITTERN_ERR_DEVICE, "cannot load");
    assert_int_equal(choose_backends(NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Would catch: a list that does not end, or a device that lists itself differently than it opens.
 */
static void backends_list_their_devices(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_device_info info;
    assert_ok(bittern_device_list("fake", 1, &info, &err), &err);
    assert_string_equal(info.name, "fake:1");
    assert_int_equal(bittern_device_list("fake", 2, &info, &err), BITTERN_ERR_NOT_FOUND);
    assert_ok(bittern_device_list("reference", 0, &info, &err), &err);
    assert_string_equal(info.name, "reference");
    assert_string_equal(info.geometry.name, "any");
    struct bittern_device *device = open_device("reference");
    assert_memory_equal(&info.geometry, &bittern_device_get_info(device)->geometry,
                        sizeof info.geometry);
    bittern_device_close(device);
    assert_int_equal(bittern_device_list("reference", 1, &info, &err), BITTERN_ERR_NOT_FOUND);
}

/* Would catch: a backend's error that is swallowed, or does not say which device it came from. */
static void errors_of_every_verb_reach_the_caller(void **state)
{
    (void)state;
    struct bittern_error err;
    uint64_t address = 0;
    uint8_t data[4] = {0};
    struct bittern_counters counters;
    const struct bittern_start start = {
        .program = 4096, .program_bytes = 1, .input = 4096, .output = 4096, .images = 1};

    assert_open_fails("fake:fail-open", BITTERN_ERR_DEVICE, "fake: open");
    assert_open_fails("fake:fail-discover", BITTERN_ERR_DEVICE, "fake: discover");
    assert_open_fails("fake:no-such-setting", BITTERN_ERR_ARGUMENT, "unknown setting");
    struct bittern_device *device = open_device(
        "fake:fail-allocate,fail-release,fail-write,fail-read,fail-start,fail-wait,fail-counters");
    const bittern_status results[] = {
        bittern_device_allocate(device, 8, &address, &err),
        bittern_device_release(device, 4096, &err),
        bittern_device_write(device, 4096, data, sizeof data, &err),
        bittern_device_read(device, 4096, data, sizeof data, &err),
        bittern_device_start(device, &start, &err),
        bittern_device_counters(device, &counters, &err),
        bittern_device_wait(device, 1, &err),
    };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        assert_int_equal(results[i], BITTERN_ERR_DEVICE);
    }
    assert_string_equal(err.message, "device 'fake:0': fake: wait");
    bittern_device_close(device);
}

/* Would catch: nonsense that reaches a backend, where each would have to check it again. */
static void senseless_arguments_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    uint64_t address = 0;
    uint8_t data[4] = {0};
    struct bittern_start start = {.program = 4096, .program_bytes = 1, .images = 0};
    struct bittern_device *device = open_device("fake");

    assert_int_equal(bittern_device_allocate(device, 0, &address, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_allocate(NULL, 1, &address, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_allocate(device, 1, NULL, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_release(NULL, 4096, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_write(device, UINT64_MAX - 2, data, 4, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_read(device, UINT64_MAX - 2, data, 4, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_write(device, 4096, NULL, 4, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_read(device, 4096, NULL, 4, &err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_device_write(device, 4096, NULL, 0, &err), &err);
    assert_int_equal(bittern_device_start(device, &start, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_start(device, NULL, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_wait(NULL, 1, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_device_counters(device, NULL, &err), BITTERN_ERR_ARGUMENT);
    assert_null(bittern_device_get_info(NULL));
    bittern_device_close(device);
}

/* Would catch: an option that is misread and silently replaced by the default. */
static void reference_options_are_checked(void **state)
{
    (void)state;
    struct bittern_device *device = open_device("reference:threads=3,kernel=portable");
    assert_non_null(
        strstr(bittern_device_get_info(device)->description, "kernel portable, 3 threads"));
    bittern_device_close(device);
    assert_open_fails("reference:threads=0", BITTERN_ERR_ARGUMENT, "threads=0");
    assert_open_fails("reference:threads=-1", BITTERN_ERR_ARGUMENT, "threads=-1");
    assert_open_fails("reference:threads=2x", BITTERN_ERR_ARGUMENT, "threads=2x");
    assert_open_fails("reference:threads=99999999999999999999", BITTERN_ERR_ARGUMENT, "threads=");
    assert_open_fails("reference:kernel=warp", BITTERN_ERR_ARGUMENT, "portable");
    assert_open_fails("reference:speed=high", BITTERN_ERR_ARGUMENT, "speed=high");
    assert_open_fails("reference:threads=2,,", BITTERN_ERR_ARGUMENT, "no option ''");
}

/* Would catch: a wrong address that reads somebody else's data instead of failing. */
static void reference_memory_has_bounds(void **state)
{
    (void)state;
    struct bittern_error err;
    uint64_t first = 0;
    uint64_t second = 0;
    uint8_t data[100];
    uint8_t back[100];
    struct bittern_device *device = open_device("reference");
    assert_ok(bittern_device_allocate(device, 100, &first, &err), &err);
    assert_ok(bittern_device_allocate(device, 5000, &second, &err), &err);
    assert_int_equal(first % 4096, 0);
    assert_int_equal(second % 4096, 0);
    assert_true(first >= 4096 && second >= 4096);

    memset(data, 0x5A, sizeof data);
    assert_ok(bittern_device_write(device, first, data, 100, &err), &err);
    assert_ok(bittern_device_read(device, first, back, 100, &err), &err);
    assert_memory_equal(data, back, 100);
    assert_ok(bittern_device_read(device, second + 4900, back, 100, &err), &err);
    assert_int_equal(bittern_device_write(device, first + 1, data, 100, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_read(device, first - 1, back, 2, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_read(device, 0, back, 1, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_release(device, first + 1, &err), BITTERN_ERR_DEVICE);
    assert_ok(bittern_device_release(device, first, &err), &err);
    assert_int_equal(bittern_device_release(device, first, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_read(device, first, back, 1, &err), BITTERN_ERR_DEVICE);
    assert_int_equal(bittern_device_allocate(device, UINT64_MAX, &first, &err), BITTERN_ERR_MEMORY);
    bittern_device_close(device); /* frees the second */
}

struct loaded_program {
    struct bittern_network *network;
    struct bittern_program *program;
    const uint8_t *bytes;
    size_t size;
    size_t image_bytes, outputs;
};

static void make_program(struct loaded_program *loaded, uint64_t seed)
{
    struct bittern_error err;
    assert_ok(random_network(seed, NULL, &loaded->network, &err), &err);
    assert_ok(bittern_program_create(loaded->network, NULL, &loaded->program, &err), &err);
    loaded->bytes = bittern_program_data(loaded->program, &loaded->size);
    const struct bittern_shape *shape = &bittern_network_input(loaded->network)->shape;
    loaded->image_bytes = shape->channels * shape->height * shape->width;
    loaded->outputs = bittern_network_output_count(loaded->network);
}

static void free_program(struct loaded_program *loaded)
{
    bittern_program_free(loaded->program);
    bittern_network_free(loaded->network);
}

/* Black images as the device gets them: through the input table. */
static void write_black_images(struct bittern_device *device, const struct loaded_program *loaded,
                               uint64_t address, size_t count)
{
    struct bittern_error err;
    const struct bittern_input *input = bittern_network_input(loaded->network);
    size_t pixels = input->shape.height * input->shape.width;
    uint8_t *bytes = malloc(count * loaded->image_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < count * loaded->image_bytes; i++) {
        bytes[i] = (uint8_t)input->table[i % loaded->image_bytes / pixels * 256];
    }
    assert_ok(bittern_device_write(device, address, bytes, count * loaded->image_bytes, &err),
              &err);
    free(bytes);
}

/* Would catch: an accelerator's errors that the reference hides: bad programs and addresses have to
 * come out of wait, and leave the device usable. */
static void errors_of_a_run_come_out_of_wait(void **state)
{
    (void)state;
    struct bittern_error err;
    struct loaded_program loaded;
    uint64_t program = 0;
    uint64_t input = 0;
    uint64_t output = 0;
    make_program(&loaded, 1);
    struct bittern_device *device = open_device("reference:threads=1");
    assert_ok(bittern_device_allocate(device, loaded.size, &program, &err), &err);
    assert_ok(bittern_device_allocate(device, loaded.image_bytes, &input, &err), &err);
    assert_ok(bittern_device_allocate(device, loaded.outputs * 4, &output, &err), &err);
    write_black_images(device, &loaded, input, 1);
    struct bittern_start good = {.program = program,
                                 .program_bytes = loaded.size,
                                 .input = input,
                                 .output = output,
                                 .images = 1};

    assert_int_equal(bittern_device_wait(device, 1, &err), BITTERN_ERR_DEVICE); /* no run yet */
    assert_ok(bittern_device_start(device, &good, &err), &err);
    assert_int_equal(bittern_device_wait(device, 60000, &err), BITTERN_ERR_FORMAT); /* zeros */
    assert_ok(bittern_device_write(device, program, loaded.bytes, loaded.size, &err), &err);
    assert_ok(bittern_device_start(device, &good, &err), &err);
    assert_ok(bittern_device_wait(device, 60000, &err), &err);
    assert_ok(bittern_device_wait(device, 60000, &err), &err); /* the same again */

    uint8_t flipped = (uint8_t)(loaded.bytes[loaded.size / 2] ^ 0x10);
    assert_ok(bittern_device_write(device, program + loaded.size / 2, &flipped, 1, &err), &err);
    assert_ok(bittern_device_start(device, &good, &err), &err);
    bittern_status status = bittern_device_wait(device, 60000, &err);
    assert_true(status == BITTERN_ERR_CHECKSUM || status == BITTERN_ERR_FORMAT);
    assert_ok(bittern_device_write(device, program, loaded.bytes, loaded.size, &err), &err);

    for (int wrong = 0; wrong < 5; wrong++) {
        struct bittern_start bad = good;
        bad.program += wrong == 0 ? 4096 * 1000 : 0;
        bad.program_bytes += wrong == 1 ? 1 : 0;
        bad.input += wrong == 2 ? 1 : 0;
        bad.output += wrong == 3 ? 1 : 0;
        bad.images = wrong == 4 ? UINT32_MAX : 1;
        assert_ok(bittern_device_start(device, &bad, &err), &err);
        assert_int_equal(bittern_device_wait(device, 60000, &err), BITTERN_ERR_DEVICE);
    }
    assert_ok(bittern_device_start(device, &good, &err), &err);
    assert_ok(bittern_device_wait(device, 60000, &err), &err);
    struct bittern_counters counters;
    assert_ok(bittern_device_counters(device, &counters, &err), &err);
    assert_true(counters.nanoseconds > 0);
    bittern_device_close(device);
    free_program(&loaded);
}

/* Would catch: a second start that overtakes a run, and memory that is freed under it. The run has
 * so many images that it is still going on when it is looked at; on a machine where it is not, what
 * is left to see is that nothing breaks. */
static void a_busy_device_says_so(void **state)
{
    (void)state;
    struct bittern_error err;
    struct loaded_program loaded;
    uint64_t addresses[3] = {0};
    make_program(&loaded, 2);
    const uint32_t images = 300;
    struct bittern_device *device = open_device("reference:threads=1,kernel=portable");
    assert_ok(bittern_device_allocate(device, loaded.size, &addresses[0], &err), &err);
    assert_ok(bittern_device_allocate(device, images * loaded.image_bytes, &addresses[1], &err),
              &err);
    assert_ok(bittern_device_allocate(device, images * loaded.outputs * 4, &addresses[2], &err),
              &err);
    assert_ok(bittern_device_write(device, addresses[0], loaded.bytes, loaded.size, &err), &err);
    write_black_images(device, &loaded, addresses[1], images);
    const struct bittern_start start = {.program = addresses[0],
                                        .program_bytes = loaded.size,
                                        .input = addresses[1],
                                        .output = addresses[2],
                                        .images = images};
    assert_ok(bittern_device_start(device, &start, &err), &err);
    bittern_status waited = bittern_device_wait(device, 0, &err);
    assert_true(waited == BITTERN_ERR_TIMEOUT || waited == BITTERN_OK);
    bittern_status again = bittern_device_start(device, &start, &err);
    assert_true(again == BITTERN_ERR_DEVICE || again == BITTERN_OK);
    bittern_status released = bittern_device_release(device, addresses[1], &err);
    assert_true(released == BITTERN_ERR_DEVICE || released == BITTERN_OK);
    waited = bittern_device_wait(device, 600000, &err);
    assert_true(waited == BITTERN_OK || (released == BITTERN_OK && again == BITTERN_OK));
    if (released == BITTERN_ERR_DEVICE) {
        assert_ok(bittern_device_start(device, &start, &err), &err);
    }
    bittern_device_close(device); /* waits for the run in progress */
    free_program(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_device_names_are_refused),
        cmocka_unit_test(missing_backends_say_what_to_install),
        cmocka_unit_test(unfit_backend_libraries_are_refused),
        cmocka_unit_test(backends_list_their_devices),
        cmocka_unit_test(errors_of_every_verb_reach_the_caller),
        cmocka_unit_test(senseless_arguments_are_refused),
        cmocka_unit_test(reference_options_are_checked),
        cmocka_unit_test(reference_memory_has_bounds),
        cmocka_unit_test(errors_of_a_run_come_out_of_wait),
        cmocka_unit_test(a_busy_device_says_so),
    };
    return cmocka_run_group_tests(tests, choose_backends, NULL);
}
