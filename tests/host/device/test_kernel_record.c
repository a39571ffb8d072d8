/* SPDX-License-Identifier: Apache-2.0 */
/* What the record in device memory says of the kernel that wrote it. */
#include "testing.h"

#include "device/kernel_record.h"

#include <string.h>

static void put_word(uint8_t *head, size_t index, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        head[4 * index + i] = (uint8_t)(value >> 8 * i);
    }
}

/* Would catch: fields in another order than docs/device-program.md has them. */
static void the_record_names_the_geometry(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry geometry = {.name = "kept"};
    uint8_t head[KERNEL_RECORD_HEAD] = {0};

    put_word(head, 0, KERNEL_MAGIC_VALUE);
    put_word(head, 1, KERNEL_VERSION_VALUE);
    for (uint32_t i = 2; i <= 7; i++) {
        put_word(head, i, 0x01000000 * i + i);
    }
    assert_ok(kernel_record_identify(head, &geometry, &err), &err);
    assert_string_equal(geometry.name, "kept");
    assert_int_equal(geometry.version, KERNEL_VERSION_VALUE);
    assert_int_equal(geometry.word_bits, 0x02000002);
    assert_int_equal(geometry.output_channels, 0x03000003);
    assert_int_equal(geometry.pixels, 0x04000004);
    assert_int_equal(geometry.units, 0x05000005);
    assert_int_equal(geometry.feature_bytes, 0x06000006);
    assert_int_equal(geometry.weight_bytes, 0x07000007);
}

/* Would catch: memory that nobody wrote to, taken for a kernel; a newer kernel driven as an old
 * one. */
static void what_is_no_record_of_this_version_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry geometry = {0};
    uint8_t head[KERNEL_RECORD_HEAD] = {0};

    assert_int_equal(kernel_record_identify(head, &geometry, &err), BITTERN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "no record"));
    put_word(head, 0, KERNEL_MAGIC_VALUE);
    put_word(head, 1, KERNEL_VERSION_VALUE + 1);
    assert_int_equal(kernel_record_identify(head, &geometry, &err), BITTERN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_record_names_the_geometry),
        cmocka_unit_test(what_is_no_record_of_this_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
