/* SPDX-License-Identifier: Apache-2.0 */
/* Starts without a session: what the driver does, step by step. */
#include "sim_raw.h"

#include "device/kernel_registers.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 300000

/* Addresses need not be a page's first: any multiple of 64 will do. */
static void allocate(struct sim_raw *raw, uint64_t size, uint64_t *address)
{
    struct bittern_error err;
    if (size > 0) {
        assert_ok(bittern_device_allocate(raw->device, size + 4096, address, &err), &err);
        *address += 64 * (uint64_t)random_below(&raw->random, 64);
    }
}

void sim_raw_make(struct sim_raw *raw, struct bittern_device *device,
                  const struct sim_example *example)
{
    struct bittern_error err;
    size_t count = example->count;

    memset(raw, 0, sizeof *raw);
    raw->random = example->images[0] + example->outputs;
    raw->device = device;
    raw->example = example;
    assert_ok(device_io_create(example->program, &raw->io, &err), &err);
    (void)device_io_program(raw->io, &raw->program_bytes);
    raw->program = malloc(raw->program_bytes);
    assert_non_null(raw->program);

    raw->start.images = (uint32_t)count;
    raw->start.program_bytes = raw->program_bytes;
    raw->start.record_bytes =
        KERNEL_RECORD_HEAD + KERNEL_RECORD_LAYER * device_io_record_count(raw->io, count);
    allocate(raw, raw->program_bytes, &raw->start.program);
    allocate(raw, count * device_io_input_bytes(raw->io), &raw->start.input);
    allocate(raw, count * device_io_output_bytes(raw->io), &raw->start.output);
    allocate(raw, count * device_io_scratch_bytes(raw->io), &raw->start.scratch);
    allocate(raw, raw->start.record_bytes, &raw->start.record);
    sim_raw_restore(raw);

    uint8_t *input = malloc(count * device_io_input_bytes(raw->io));
    assert_non_null(input);
    device_io_pack(raw->io, example->images, count, input);
    assert_ok(bittern_device_write(device, raw->start.input, input,
                                   count * device_io_input_bytes(raw->io), &err),
              &err);
    free(input);
}

void sim_raw_free(struct sim_raw *raw)
{
    device_io_free(raw->io);
    free(raw->program);
}

void sim_raw_write(struct sim_raw *raw)
{
    struct bittern_error err;
    assert_ok(bittern_device_write(raw->device, raw->start.program, raw->program,
                                   raw->program_bytes, &err),
              &err);
}

void sim_raw_restore(struct sim_raw *raw)
{
    size_t size;
    memcpy(raw->program, device_io_program(raw->io, &size), raw->program_bytes);
    sim_raw_write(raw);
}

struct device_segment sim_raw_first_segment(const struct sim_raw *raw)
{
    struct device_segment segment;
    assert_true(device_segment_read(raw->program + DEVICE_RECORD_BYTES, &segment));
    return segment;
}

void sim_raw_write_first_segment(struct sim_raw *raw, const struct device_segment *segment)
{
    assert_null(device_segment_write(segment, raw->program + DEVICE_RECORD_BYTES));
    sim_raw_write(raw);
}

bittern_status sim_raw_run(struct sim_raw *raw, struct bittern_error *err)
{
    bittern_status status = bittern_device_start(raw->device, &raw->start, err);
    return status == BITTERN_OK ? bittern_device_wait(raw->device, TIMEOUT_MS, err) : status;
}

void sim_raw_expect_good(struct sim_raw *raw, const char *what)
{
    struct bittern_error err;
    const struct sim_example *example = raw->example;
    size_t size = example->count * device_io_output_bytes(raw->io);
    uint8_t *output = calloc(1, size);

    assert_non_null(output);
    assert_ok(bittern_device_write(raw->device, raw->start.output, output, size, &err), &err);
    if (sim_raw_run(raw, &err) != BITTERN_OK) {
        fail_msg("%s: %s", what, err.message);
    }
    assert_ok(bittern_device_read(raw->device, raw->start.output, output, size, &err), &err);
    device_io_unpack(raw->io, output, example->count, example->values);
    free(output);
    sim_example_check(example, what);
}

void sim_raw_expect_error(struct sim_raw *raw, const char *name)
{
    struct bittern_error err = {0};
    char wanted[64];
    bittern_status status = sim_raw_run(raw, &err);

    (void)snprintf(wanted, sizeof wanted, "(%s)", name);
    if (status == BITTERN_OK || !strstr(err.message, wanted)) {
        fail_msg("%s was expected, not: %s", name, status == BITTERN_OK ? "success" : err.message);
    }
}
