/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program as a user would, and keeps what it said.
 *
 *     struct command_result result;
 *     run_command(&result, NULL, (const char *const[]){BITTERN_COMMAND, "data", "list", NULL});
 *     assert_int_equal(result.exit_code, 0);
 *     command_result_free(&result);
 */
#ifndef BITTERN_RUN_COMMAND_H
#define BITTERN_RUN_COMMAND_H

#include <stddef.h>

struct command_options {
    const char *folder; /* working folder; NULL: the test's */
    /* "NAME=value" sets a variable, "NAME" unsets it; ended by NULL; NULL: none */
    const char *const *environment;
    unsigned seconds; /* killed after that; 0: 120 */
};

struct command_result {
    int exit_code; /* as a shell has it: 128 + signal where it was killed */
    char *out;     /* standard output, with a 0 behind its end */
    size_t out_size;
    char *err; /* standard error, likewise */
    size_t err_size;
};

/*
 * Run arguments[0] (looked up in PATH) with standard input empty, and wait for its end. The current
 * cmocka test fails where it cannot be started or does not end in time.
 */
void run_command(struct command_result *result, const struct command_options *options,
                 const char *const *arguments);

void command_result_free(struct command_result *result);

#endif
