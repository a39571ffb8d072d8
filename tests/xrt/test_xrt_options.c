/* SPDX-License-Identifier: Apache-2.0 */
/* Names of cards, and where their .xclbin is looked for. */
#include "testing.h"
#include "xrt_options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xrt_options parse(const char *text)
{
    struct bittern_error err;
    struct xrt_options options;
    assert_ok(xrt_options_parse(text, &options, &err), &err);
    return options;
}

/* Would catch: a PCIe address that is taken for a setting, or the other way round. */
static void cards_have_numbers_or_addresses(void **state)
{
    (void)state;
    struct xrt_options options = parse("");
    assert_true(!options.has_bdf && options.index == 0 && options.unit == 0);
    assert_string_equal(options.xclbin, "");
    assert_int_equal(parse("3").index, 3);
    options = parse("0000:3b:00.1,cu=2,xclbin=/a/b.xclbin");
    assert_true(options.has_bdf);
    assert_string_equal(options.bdf, "0000:3b:00.1");
    assert_int_equal(options.unit, 2);
    assert_string_equal(options.xclbin, "/a/b.xclbin");
    assert_string_equal(parse("xclbin=x").xclbin, "x");
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "card",   "-1",        "99999", "0,cu=0",   "0,cu=two", "0,1",
        "speed=", "0,xclbin=", "cu=",   "3b:00.1x", "0,cu=2a",  ",0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bittern_error err;
        struct xrt_options options;
        if (xrt_options_parse(wrong[i], &options, &err) != BITTERN_ERR_ARGUMENT) {
            fail_msg("'%s' is taken", wrong[i]);
        }
    }
}

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

/* Would catch: a file that is loaded though another one was asked for. */
static void the_option_comes_before_the_variable_and_folders_hold_platforms(void **state)
{
    (void)state;
    char folder[] = "/tmp/bittern-test-xrt-XXXXXX";
    char file[64];
    char text[128];
    char path[XRT_MAX_PATH];
    struct bittern_error err;
    struct xrt_options options = parse("");

    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/u250.xclbin", folder);
    touch(file);
    assert_int_equal(setenv("BITTERN_XCLBIN", folder, 1), 0);
    assert_ok(xrt_options_find_xclbin(&options, "u250", path, &err), &err);
    assert_string_equal(path, file);
    assert_int_equal(xrt_options_find_xclbin(&options, "u55c", path, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "u55c.xclbin"));

    assert_int_equal(setenv("BITTERN_XCLBIN", "/nonesuch", 1), 0);
    assert_int_equal(xrt_options_find_xclbin(&options, "u250", path, &err), BITTERN_ERR_NOT_FOUND);
    (void)snprintf(text, sizeof text, "0,xclbin=%s", file);
    options = parse(text);
    assert_ok(xrt_options_find_xclbin(&options, "any", path, &err), &err);
    assert_string_equal(path, file);

    assert_int_equal(unsetenv("BITTERN_XCLBIN"), 0);
    options = parse("");
    assert_int_equal(xrt_options_find_xclbin(&options, "u250", path, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "BITTERN_XCLBIN"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_have_numbers_or_addresses),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(the_option_comes_before_the_variable_and_folders_hold_platforms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
