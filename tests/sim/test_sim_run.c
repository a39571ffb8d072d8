/* SPDX-License-Identifier: Apache-2.0 */
/* `bittern run` on simulated devices: several at once, profiles, and a host that is killed. */
#include "cli_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGITS "--dataset", "digits", "--data", "data"

static const char *const model = BITTERN_SOURCE_DIR "/examples/lenet5-w2a2-digits.onnx";

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_program("any.btn");
    fixture_make_digits();
    return 0;
}

static void assert_same_file(const char *a, const char *b)
{
    char *text_a = fixture_read_text(a);
    char *text_b = fixture_read_text(b);
    assert_string_equal(text_a, text_b);
    free(text_a);
    free(text_b);
}

/* Would catch: images that get another's results, or none, where several devices share them. */
static void any_number_of_jobs_gives_the_same_results(void **state)
{
    (void)state;
    static const char *const jobs[] = {"1", "2", "3", "7"};
    fixture_expect(0, "Accuracy",
                   ARGS("run", model, DIGITS, "--images", "23", "--predictions", "r.csv"));
    for (size_t i = 0; i < 4; i++) {
        fixture_expect(0, "Accuracy",
                       ARGS("run", model, DIGITS, "--images", "23", "--device", "sim:tiny",
                            "--jobs", jobs[i], "--batch", "4", "--predictions", "s.csv"));
        assert_same_file("r.csv", "s.csv");
    }
}

/* Would catch: cycles of a layer that are lost, or more than all there are. */
static void the_profile_adds_up(void **state)
{
    (void)state;
    fixture_expect(
        0, "utilization %",
        ARGS("run", model, DIGITS, "--images", "5", "--device", "sim:tiny", "--profile"));
    cJSON *json = fixture_json(ARGS("run", model, DIGITS, "--images", "6", "--device", "sim:tiny",
                                    "--profile", "--json", "--jobs", "2"));
    double cycles = fixture_member(json, "counters.cycles")->valuedouble;
    double sum = 0.0;
    const cJSON *layer = NULL;
    cJSON_ArrayForEach(layer, fixture_member(json, "accelerator.layers"))
    {
        assert_int_equal(fixture_member(layer, "images")->valueint, 6);
        sum += fixture_member(layer, "cycles")->valuedouble;
    }
    assert_true(sum > 0.0 && sum <= cycles);
    double utilization = fixture_member(json, "accelerator.utilization")->valuedouble;
    assert_true(utilization > 0.0 && utilization < 1.0);
    assert_string_equal(fixture_string(json, "device.geometry.name"), "tiny");
    cJSON_Delete(json);
}

/* Would catch: a program without a layout for the device that is started all the same. */
static void programs_need_the_devices_geometry(void **state)
{
    (void)state;
    fixture_expect(1, "--geometry tiny",
                   ARGS("run", "any.btn", DIGITS, "--images", "1", "--device", "sim:tiny"));
}

/* Would catch: faults that are lost on their way to the user. */
static void errors_of_the_kernel_reach_the_user(void **state)
{
    (void)state;
    fixture_expect(1, "READ_SLVERR",
                   ARGS("run", model, DIGITS, "--images", "4", "--device",
                        "sim:tiny,fault=slverr-read@40", "--jobs", "2"));
    fixture_expect(1, "last counters",
                   ARGS("run", model, DIGITS, "--images", "4", "--device",
                        "sim:tiny,watchdog=0,fault=stuck-r@50", "--timeout", "1"));
    fixture_expect(2, "sim:tiny,warp=1", ARGS("run", model, DIGITS, "--device", "sim:tiny,warp=1"));
}

static void run_and_signal(int number, unsigned microseconds)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (chdir(fixture_path("")) == 0 && freopen("/dev/null", "w", stderr) &&
            freopen("/dev/null", "w", stdout)) {
            execl(BITTERN_COMMAND, "bittern", "run", model, DIGITS, "--device",
                  "sim:tiny,watchdog=0,fault=stuck-r@500", "--jobs", "2", (char *)NULL);
        }
        _exit(99);
    }
    usleep(microseconds);
    assert_int_equal(kill(child, number), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 99);
}

/* Would catch: something that a killed host leaves behind and that blocks the next one. */
static void a_killed_host_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        run_and_signal(SIGKILL, 20000 + 150000 * i);
        fixture_expect(0, "Accuracy",
                       ARGS("run", model, DIGITS, "--images", "2", "--device", "sim:tiny"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_jobs_gives_the_same_results),
        cmocka_unit_test(the_profile_adds_up),
        cmocka_unit_test(programs_need_the_devices_geometry),
        cmocka_unit_test(errors_of_the_kernel_reach_the_user),
        cmocka_unit_test(a_killed_host_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
