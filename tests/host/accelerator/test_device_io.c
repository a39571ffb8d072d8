/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver needs of a device program: sizes, packed images, unpacked results. That packed
 * images are the right ones shows where whole networks run (test_device_program). */
#include "accelerator/device_io.h"
#include "network_random.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <stdlib.h>
#include <string.h>

static struct bittern_program *make_program(uint64_t seed, const char *geometry_name)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    struct bittern_geometry geometry;

    assert_ok(random_network(seed, NULL, &network, &err), &err);
    if (geometry_name) {
        assert_ok(bittern_geometry_find(geometry_name, &geometry, &err), &err);
    }
    bittern_status status =
        bittern_program_create(network, geometry_name ? &geometry : NULL, &program, &err);
    bittern_network_free(network);
    return status == BITTERN_OK ? program : NULL;
}

/* Would catch: a driver that starts an accelerator on a program for the reference engine. */
static void a_program_for_any_geometry_has_no_device_program(void **state)
{
    (void)state;
    struct bittern_error err;
    struct device_io *io = NULL;
    struct bittern_accelerator_plan *plan = NULL;
    struct bittern_program *program = make_program(1, NULL);
    assert_int_equal(device_io_create(program, &io, &err), BITTERN_ERR_ARGUMENT);
    assert_null(io);
    assert_non_null(strstr(err.message, "'any'"));
    assert_non_null(strstr(err.message, "--geometry"));
    assert_int_equal(bittern_accelerator_plan_create(program, 1, &plan, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_null(plan);
    device_io_free(NULL);
    bittern_accelerator_plan_free(NULL);
    bittern_program_free(program);
}

/* Would catch: sizes that a transfer cannot have, a device program outside of the file's bytes. */
static void sizes_are_multiples_of_64_and_the_program_lies_in_the_file(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct bittern_error err;
        struct device_io *io = NULL;
        size_t size = 0;
        size_t file_size = 0;
        struct bittern_program *program = make_program(seed, seed % 2 ? "tiny" : "edge");
        if (!program) {
            continue;
        }
        assert_ok(device_io_create(program, &io, &err), &err);
        assert_true(device_io_input_bytes(io) > 0);
        assert_int_equal(device_io_input_bytes(io) % 64, 0);
        assert_int_equal(device_io_scratch_bytes(io) % 64, 0);
        assert_int_equal(device_io_output_bytes(io) % 64, 0);
        const uint8_t *file = bittern_program_data(program, &file_size);
        const uint8_t *data = device_io_program(io, &size);
        assert_true(data >= file && data + size <= file + file_size);
        assert_memory_equal(data, "BTNA", 4);
        device_io_free(io);
        bittern_program_free(program);
    }
}

/* Would catch: a record region that is too small for a last sub-batch of fewer images. */
static void records_are_counted_for_each_sub_batch_and_layer(void **state)
{
    (void)state;
    struct bittern_error err;
    struct device_io *io = NULL;
    struct bittern_accelerator_plan *plan = NULL;
    struct bittern_program *program = make_program(2, "tiny");
    assert_non_null(program);
    assert_ok(device_io_create(program, &io, &err), &err);
    assert_ok(bittern_accelerator_plan_create(program, 1, &plan, &err), &err);
    for (size_t images = 1; images < 200; images++) {
        size_t expected = 0;
        for (size_t s = 0; s < plan->segment_count; s++) {
            size_t sub_batch = plan->segments[s].sub_batch;
            for (size_t done = 0; done < images; done += sub_batch) {
                expected += plan->segments[s].layer_count;
            }
        }
        assert_int_equal(device_io_record_count(io, images), expected);
    }
    bittern_accelerator_plan_free(plan);
    device_io_free(io);
    bittern_program_free(program);
}

/* Would catch: bytes that are not written, one image's values in another's place. */
static void packing_writes_every_byte_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct bittern_error err;
        struct device_io *io = NULL;
        uint64_t random = seed;
        struct bittern_program *program = make_program(seed, seed % 2 ? "cloud" : "tiny");
        if (!program) {
            continue;
        }
        const struct bittern_shape *shape =
            &bittern_network_input(bittern_program_network(program))->shape;
        size_t pixels = shape->channels * shape->height * shape->width;
        assert_ok(device_io_create(program, &io, &err), &err);
        size_t bytes = device_io_input_bytes(io);
        uint8_t *images = malloc(3 * pixels);
        uint8_t *together = malloc(3 * bytes);
        uint8_t *alone = malloc(bytes + 1);
        assert_true(images && together && alone);
        for (size_t i = 0; i < 3 * pixels; i++) {
            images[i] = (uint8_t)random_u64(&random);
        }
        memset(together, 0x5A, 3 * bytes);
        device_io_pack(io, images, 3, together);
        for (size_t n = 0; n < 3; n++) {
            memset(alone, 0xA5, bytes + 1);
            device_io_pack(io, images + n * pixels, 1, alone);
            assert_memory_equal(alone, together + n * bytes, bytes);
            assert_int_equal(alone[bytes], 0xA5);
        }
        free(alone);
        free(together);
        free(images);
        device_io_free(io);
        bittern_program_free(program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_for_any_geometry_has_no_device_program),
        cmocka_unit_test(sizes_are_multiples_of_64_and_the_program_lies_in_the_file),
        cmocka_unit_test(records_are_counted_for_each_sub_batch_and_layer),
        cmocka_unit_test(packing_writes_every_byte_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
