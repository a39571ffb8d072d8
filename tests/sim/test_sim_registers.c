/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of docs/register-map.md, bit by bit, through AXI4-Lite, without any driver. */
#include "testing.h"

#include "kernel.h"

#include "device/kernel_registers.h"

#include <inttypes.h>

static uint8_t *no_memory(void *user, uint64_t address, uint64_t size)
{
    (void)user;
    (void)address;
    (void)size;
    return NULL;
}

static struct sim_kernel *make_kernel(void)
{
    struct bittern_error err;
    struct sim_kernel *kernel = NULL;
    struct sim_kernel_options options;
    sim_kernel_default_options(&options);
    options.find = no_memory;
    options.variant = "";
    assert_ok(sim_kernel_create("tiny", &options, &kernel, &err), &err);
    return kernel;
}

static uint32_t read_register(struct sim_kernel *kernel, uint32_t offset)
{
    uint32_t value = 0;
    struct bittern_error err;
    assert_ok(sim_kernel_read(kernel, offset, &value, &err), &err);
    return value;
}

static void write_register(struct sim_kernel *kernel, uint32_t offset, uint32_t value)
{
    struct bittern_error err;
    assert_ok(sim_kernel_write(kernel, offset, value, &err), &err);
}

/* Would catch: a bit that does not hold what was written, or that another register shares. */
static void writable_bits_hold_their_values(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, mask;
    } registers[] = {
        {KERNEL_GLOBAL_INTERRUPT, 1}, {KERNEL_INTERRUPT_ENABLE, 3},
        {KERNEL_PROGRAM, 0xFFFFFFC0}, {KERNEL_PROGRAM + 4, 0xFFFFFFFF},
        {KERNEL_INPUT, 0xFFFFFFC0},   {KERNEL_INPUT + 4, 0xFFFFFFFF},
        {KERNEL_OUTPUT, 0xFFFFFFC0},  {KERNEL_OUTPUT + 4, 0xFFFFFFFF},
        {KERNEL_SCRATCH, 0xFFFFFFC0}, {KERNEL_SCRATCH + 4, 0xFFFFFFFF},
        {KERNEL_RECORD, 0xFFFFFFC0},  {KERNEL_RECORD + 4, 0xFFFFFFFF},
        {KERNEL_IMAGES, 0xFFFFFFFF},  {KERNEL_WATCHDOG, 0xFFFFFFFF},
    };
    const size_t count = sizeof registers / sizeof registers[0];
    struct sim_kernel *kernel = make_kernel();
    uint32_t values[sizeof registers / sizeof registers[0]];
    uint64_t random = 1;

    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < count; i++) {
            uint32_t value = round == 0   ? 0xFFFFFFFF
                             : round == 1 ? 0
                                          : (uint32_t)random_u64(&random);
            write_register(kernel, registers[i].offset, value);
            values[i] = value & registers[i].mask;
        }
        for (size_t i = 0; i < count; i++) {
            uint32_t value = read_register(kernel, registers[i].offset);
            if (value != values[i]) {
                fail_msg("register 0x%02" PRIX32 " holds 0x%08" PRIX32 ", not 0x%08" PRIX32,
                         registers[i].offset, value, values[i]);
            }
        }
    }
    sim_kernel_destroy(kernel);
}

/* Would catch: addresses that are decoded in part, so that a write far away changes a register. */
static void addresses_without_a_register_do_nothing(void **state)
{
    (void)state;
    struct sim_kernel *kernel = make_kernel();
    write_register(kernel, KERNEL_IMAGES, 0x12345678);
    write_register(kernel, KERNEL_WATCHDOG, 0x1000);
    for (uint32_t offset = 0x50; offset < 0x1000; offset += 4) {
        if (offset == KERNEL_WATCHDOG) {
            continue;
        }
        write_register(kernel, offset, 0xFFFFFFFF);
        if (offset >= 0x200) {
            assert_int_equal(read_register(kernel, offset), 0);
        }
    }
    assert_int_equal(read_register(kernel, KERNEL_IMAGES), 0x12345678);
    assert_int_equal(read_register(kernel, KERNEL_WATCHDOG), 0x1000);
    assert_int_equal(read_register(kernel, KERNEL_STATE), 0);
    sim_kernel_destroy(kernel);
}

/* A run of no images at an address where nothing is: it ends with an error at once. */
static void start(struct sim_kernel *kernel, uint32_t control)
{
    write_register(kernel, KERNEL_IMAGES, 0);
    write_register(kernel, KERNEL_RECORD, 0x4000);
    write_register(kernel, KERNEL_CONTROL, control);
}

/* Would catch: an interrupt that comes without being enabled, is not held, or cannot be cleared;
 * done and ready that are not told apart. */
static void interrupts_follow_their_enables(void **state)
{
    (void)state;
    struct sim_kernel *kernel = make_kernel();
    for (uint32_t enabled = 0; enabled < 4; enabled++) {
        for (uint32_t global = 0; global < 2; global++) {
            write_register(kernel, KERNEL_GLOBAL_INTERRUPT, global);
            write_register(kernel, KERNEL_INTERRUPT_ENABLE, enabled);
            start(kernel, KERNEL_CONTROL_START);
            assert_int_equal(sim_kernel_run(kernel, 2000), global && enabled);
            assert_int_equal(read_register(kernel, KERNEL_INTERRUPT_STATUS), enabled);
            write_register(kernel, KERNEL_INTERRUPT_STATUS, enabled); /* toggles */
            assert_int_equal(read_register(kernel, KERNEL_INTERRUPT_STATUS), 0);
            assert_false(sim_kernel_run(kernel, 50));
            assert_int_equal(read_register(kernel, KERNEL_CONTROL), 0x2 | 0x4 | 0x8);
            assert_int_equal(read_register(kernel, KERNEL_CONTROL), 0x4);
        }
    }
    sim_kernel_destroy(kernel);
}

/* Would catch: auto-restart that starts once only, or that cannot be ended. */
static void auto_restart_starts_anew_until_it_is_cleared(void **state)
{
    (void)state;
    struct sim_kernel *kernel = make_kernel();
    write_register(kernel, KERNEL_GLOBAL_INTERRUPT, 1);
    write_register(kernel, KERNEL_INTERRUPT_ENABLE, 1);
    start(kernel, KERNEL_CONTROL_START | 0x80);
    for (int i = 0; i < 5; i++) {
        assert_true(sim_kernel_run(kernel, 2000));
        write_register(kernel, KERNEL_INTERRUPT_STATUS, 1);
    }
    assert_int_equal(read_register(kernel, KERNEL_CONTROL) & 0x80, 0x80);
    write_register(kernel, KERNEL_CONTROL, 0);
    (void)sim_kernel_run(kernel, 2000);
    write_register(kernel, KERNEL_INTERRUPT_STATUS, 1);
    assert_false(sim_kernel_run(kernel, 2000));
    assert_int_equal(read_register(kernel, KERNEL_CONTROL) & 0x85, 0x4);
    sim_kernel_destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writable_bits_hold_their_values),
        cmocka_unit_test(addresses_without_a_register_do_nothing),
        cmocka_unit_test(interrupts_follow_their_enables),
        cmocka_unit_test(auto_restart_starts_anew_until_it_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
