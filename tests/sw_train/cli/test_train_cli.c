/* SPDX-License-Identifier: Apache-2.0 */
/* The command `bittern train`, as a user runs it. */
#include "../train/train_fixture.h"
#include "run_command.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGUMENTS 24
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int set_up(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    FILE *file = fopen(fixture_path("tiny.yaml"), "w");
    if (!file || fputs(fixture_recipe_text, file) < 0) {
        return -1;
    }
    return fclose(file);
}

static void run(struct command_result *result, const char *const *arguments)
{
    static char data[300];
    const char *all[MAX_ARGUMENTS + 3] = {BITTERN_COMMAND, "train"};
    (void)snprintf(data, sizeof data, "BITTERN_DATA=%s", fixture_path("data"));
    static char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", fixture_path("."));
    const struct command_options options = {.folder = folder,
                                            .environment = ARGS(data, "OMP_NUM_THREADS=2")};
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i < MAX_ARGUMENTS);
        all[i + 2] = arguments[i];
    }
    run_command(result, &options, all);
}

/* Fails where the exit code differs, or where `part` is not in what it said on stdout (success) or
 * stderr. */
static void expect(int exit_code, const char *part, const char *const *arguments)
{
    struct command_result result;
    run(&result, arguments);
    const char *said = exit_code == 0 ? result.out : result.err;
    if (result.exit_code != exit_code || !strstr(said, part)) {
        fail_msg("%s: exit code %d, not %d, or no '%s' in: %s%s", arguments[0], result.exit_code,
                 exit_code, part, result.out, result.err);
    }
    command_result_free(&result);
}

/* Would catch: a way from data to a compiled network that needs more than one command. */
static void one_command_goes_from_data_to_a_program_that_runs(void **state)
{
    struct command_result result;
    (void)state;
    run(&result, ARGS("tiny.yaml"));
    if (result.exit_code != 0) {
        fail_msg("%s", result.err);
    }
    /* a line an epoch, where nobody watches */
    assert_non_null(strstr(result.err, "epoch 1/2  loss "));
    assert_non_null(strstr(result.err, "epoch 2/2  loss "));
    assert_null(strchr(result.err, '\r'));
    assert_non_null(strstr(result.out, "Integer accuracy"));
    assert_non_null(strstr(result.out, "ternary"));
    assert_non_null(strstr(result.out, "bittern run runs/tiny-seed1/tiny.btn --dataset digits\n"));
    command_result_free(&result);

    const char *next[] = {BITTERN_COMMAND,
                          "run",
                          fixture_path("runs/tiny-seed1/tiny.btn"),
                          "--data",
                          fixture_path("data"),
                          "--dataset",
                          "digits",
                          NULL};
    run_command(&result, NULL, next);
    assert_int_equal(result.exit_code, 0);
    assert_non_null(strstr(result.out, "Accuracy"));
    command_result_free(&result);
}

/* Would catch: text between the JSON, or numbers under other names. */
static void json_is_the_only_thing_on_standard_output(void **state)
{
    struct command_result result;
    (void)state;
    run(&result, ARGS("tiny.yaml", "--json", "--quiet", "--seed", "9007199254740993", "--set",
                      "training.epochs=1", "--out", "json"));
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(result.err_size, 0);
    cJSON *json = cJSON_ParseWithOpts(result.out, NULL, 1);
    assert_non_null(json);
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(json, "float_accuracy")));
    assert_non_null(strstr(result.out, "\"seed\":\t9007199254740993,")); /* no double is */
    assert_int_equal(cJSON_GetObjectItem(json, "epochs")->valueint, 1);
    cJSON_Delete(json);
    command_result_free(&result);
}

/* Would catch: usage errors that look like failures, or help without examples. */
static void the_command_line_is_explained(void **state)
{
    (void)state;
    expect(0, "Examples:\n  bittern train ", ARGS("--help"));
    expect(0, "bittern-train ", ARGS("--version"));
    expect(0, "lenet5-wide", ARGS("--list"));
    expect(2, "--list", ARGS("tiny.yaml", "--list"));
    expect(2, "which recipe?", ARGS("--quiet"));
    expect(2, "one recipe at a time", ARGS("tiny.yaml", "tiny.yaml"));
    expect(2, "--seed is a whole number", ARGS("tiny.yaml", "--seed", "-1"));
    expect(2, "--threads", ARGS("tiny.yaml", "--threads", "0"));
    expect(2, "--precision is auto", ARGS("tiny.yaml", "--precision", "f16"));
    expect(2, "--set takes KEY=VALUE", ARGS("tiny.yaml", "--set", "epochs"));
    expect(2, "--export is last or best", ARGS("tiny.yaml", "--export", "first"));
    expect(2, "--resume goes on", ARGS("tiny.yaml", "--resume", "--force"));
    expect(2, "--help", ARGS("--no-such-option"));
}

/* Would catch: a recipe's error without its place, or a run that starts with a wrong key. */
static void wrong_recipes_and_data_are_named(void **state)
{
    (void)state;
    expect(1, "there is no recipe 'no-such-recipe'", ARGS("no-such-recipe"));
    expect(1, "cannot read the recipe './missing.yaml'", ARGS("./missing.yaml"));
    expect(1, "training.epoch", ARGS("tiny.yaml", "--set", "training.epoch=1"));
    expect(1, "bittern data make digits",
           ARGS("tiny.yaml", "--data", "/nonexistent", "--out", "x"));
    expect(1, "teacher", ARGS("tiny.yaml", "--teacher", "tiny.yaml", "--out", "x"));
    expect(1, "nothing", ARGS("--resume", "--out", "nothing"));
}

/* Would catch: a finished run lost to a repeated command. */
static void a_run_is_not_replaced_unless_forced(void **state)
{
    (void)state;
    const char *const again[] = {"tiny.yaml",         "--out",   "forced", "--set",
                                 "training.epochs=1", "--quiet", NULL};
    expect(0, "Float accuracy", again);
    expect(1, "holds a run already", again);
    expect(0, "Float accuracy",
           ARGS("tiny.yaml", "--out", "forced", "--set", "training.epochs=1", "--force"));
    expect(0, "Float accuracy", ARGS("--resume", "--out", "forced"));
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* Start in the fixture's folder; *err reads what it says on stderr. */
static pid_t start(const char *const *arguments, int *err)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const char *all[MAX_ARGUMENTS + 3] = {BITTERN_COMMAND, "train"};
        for (size_t i = 0; arguments[i] && i < MAX_ARGUMENTS; i++) {
            all[i + 2] = arguments[i];
        }
        (void)dup2(ends[1], STDERR_FILENO);
        if (chdir(fixture_path(".")) == 0 && setenv("BITTERN_DATA", fixture_path("data"), 1) == 0) {
            execv(all[0], (char *const *)(uintptr_t)all);
        }
        _exit(127);
    }
    assert_true(child > 0);
    close(ends[1]);
    *err = ends[0];
    return child;
}

/* Read until `part` has been said, or to the end where part is NULL. */
static void read_until(int fd, const char *part, char *text, size_t size)
{
    size_t used = strlen(text);
    ssize_t got = 1;
    while (got > 0 && used + 1 < size && !(part && strstr(text, part))) {
        got = read(fd, text + used, size - used - 1);
        used += got > 0 ? (size_t)got : 0;
        text[used] = '\0';
    }
}

/* Would catch: Ctrl-C that loses the run, or a resumed run with other bits. */
static void ctrl_c_saves_and_the_run_goes_on_with_the_same_bits(void **state)
{
    char said[16384] = "";
    int err = -1;
    int status = 0;
    (void)state;
    pid_t child = start(ARGS("tiny.yaml", "--out", "stopped", "--set", "training.epochs=12"), &err);
    read_until(err, "epoch 1/12", said, sizeof said);
    assert_int_equal(kill(child, SIGINT), 0);
    read_until(err, NULL, said, sizeof said);
    close(err);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    if (!strstr(said, "bittern train --out stopped --set training.epochs=12 tiny.yaml --resume")) {
        fail_msg("no hint in: %s", said);
    }
    expect(0, "Float accuracy",
           ARGS("tiny.yaml", "--out", "stopped", "--set", "training.epochs=12", "--resume"));
    expect(0, "Float accuracy", ARGS("tiny.yaml", "--out", "whole", "--set", "training.epochs=12"));
    fixture_assert_same_tensors(fixture_path("stopped/last.safetensors"),
                                fixture_path("whole/last.safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_command_goes_from_data_to_a_program_that_runs),
        cmocka_unit_test(json_is_the_only_thing_on_standard_output),
        cmocka_unit_test(the_command_line_is_explained),
        cmocka_unit_test(wrong_recipes_and_data_are_named),
        cmocka_unit_test(a_run_is_not_replaced_unless_forced),
        cmocka_unit_test(ctrl_c_saves_and_the_run_goes_on_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, set_up, fixture_remove_folder);
}
