/* SPDX-License-Identifier: Apache-2.0 */
/* The command itself: help, version, unknown commands, and the runner that these tests use. */
#include "run_command.h"
#include "testing.h"

#include <signal.h>
#include <string.h>

/* Would catch: help on the wrong stream, or with the wrong exit code. */
static void help_and_version_are_printed(void **state)
{
    (void)state;
    struct command_result result;
    run_command(&result, NULL, (const char *const[]){BITTERN_COMMAND, "--help", NULL});
    assert_int_equal(result.exit_code, 0);
    assert_non_null(strstr(result.out, "Usage: bittern COMMAND"));
    assert_int_equal(result.err_size, 0);
    command_result_free(&result);
    run_command(&result, NULL, (const char *const[]){BITTERN_COMMAND, "--version", NULL});
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(strncmp(result.out, "bittern ", 8), 0);
    command_result_free(&result);
}

/* Would catch: a typing error that exits with 0, or is not named. */
static void unknown_commands_are_refused(void **state)
{
    (void)state;
    struct command_result result;
    run_command(&result, NULL, (const char *const[]){BITTERN_COMMAND, "dta", NULL});
    assert_int_equal(result.exit_code, 2);
    assert_int_equal(result.out_size, 0);
    assert_non_null(strstr(result.err, "'dta'"));
    command_result_free(&result);
    run_command(&result, NULL, (const char *const[]){BITTERN_COMMAND, NULL});
    assert_int_equal(result.exit_code, 2);
    command_result_free(&result);
}

/* Would catch: output that is lost, on a full disk, say, while the exit code says that all is well.
 */
static void output_that_cannot_be_written_is_a_failure(void **state)
{
    (void)state;
    static const char *const commands[] = {"--help",           "--version",   "compile --help",
                                           "data list",        "data --help", "data list --names",
                                           "data make --help", "devices"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct command_result result;
        char line[1024];
        (void)snprintf(line, sizeof line, "'%s' %s >/dev/full", BITTERN_COMMAND, commands[i]);
        run_command(&result, NULL, (const char *const[]){"sh", "-c", line, NULL});
        if (result.exit_code != 1 || strstr(result.err, "standard output") == NULL) {
            fail_msg("bittern %s: exit code %d, '%s'", commands[i], result.exit_code, result.err);
        }
        command_result_free(&result);
    }
}

/* Would catch: a runner that mixes up streams, loses large output, or hides signals. */
static void the_runner_keeps_streams_codes_and_signals(void **state)
{
    (void)state;
    struct command_result result;
    const struct command_options options = {
        .folder = "/", .environment = (const char *const[]){"GREETING=hello", "HOME", NULL}};
    run_command(&result, &options,
                (const char *const[]){"sh", "-c",
                                      "pwd; echo $GREETING ${HOME-none} >&2; "
                                      "head -c 300000 /dev/zero; exit 7",
                                      NULL});
    assert_int_equal(result.exit_code, 7);
    assert_int_equal(result.out_size, 300002);
    assert_memory_equal(result.out, "/\n", 2);
    assert_string_equal(result.err, "hello none\n");
    command_result_free(&result);
    run_command(&result, NULL, (const char *const[]){"sh", "-c", "kill -TERM $$", NULL});
    assert_int_equal(result.exit_code, 128 + SIGTERM);
    command_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version_are_printed),
        cmocka_unit_test(unknown_commands_are_refused),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(the_runner_keeps_streams_codes_and_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
