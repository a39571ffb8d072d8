/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example networks, which PyTorch trained and exported: each classifies as many test images
 * right as PyTorch counted, in float64, when it made the file (examples/export_qonnx.py).
 */
#include "cli_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES BITTERN_SOURCE_DIR "/examples/"
/* Where the set-up of development machines has the real data, as bittern_dataset_open looks. */
#define REAL_DATA BITTERN_SOURCE_DIR "/../shared/data"

static const char *real_data(void)
{
    const char *folder = getenv("BITTERN_TEST_DATA");
    return folder ? folder : REAL_DATA;
}

static int draw_digits(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    /* Images do not depend on how many are drawn: these are the test images of the full set. */
    fixture_expect(
        0, NULL,
        ARGS("data", "make", "digits", "--data", fixture_path("drawn"), "--train", "1", "--quiet"));
    return 0;
}

static void expect_correct(const char *model, const char *dataset, const char *folder,
                           double correct)
{
    char path[512];
    (void)snprintf(path, sizeof path, EXAMPLES "%s", model);
    cJSON *json = fixture_json(
        ARGS("run", path, "--dataset", dataset, "--data", folder, "--json", "--quiet"));
    assert_true(fixture_number(json, "images") == 10000.0);
    assert_true(fixture_number(json, "correct") == correct);
    cJSON_Delete(json);
}

/* Would catch: a step of the way in (exporter's shape arithmetic, weights, thresholds, input table)
 * that changes what a foreign network computes. */
static void a_binary_network_scores_as_in_pytorch(void **state)
{
    (void)state;
    expect_correct("tfc-w1a1-digits.onnx", "digits", fixture_path("drawn"), 9268);
}

/* Would catch: the same for ternary weights, and for pools between convolution and batch norm. */
static void a_ternary_network_scores_as_in_pytorch(void **state)
{
    (void)state;
    expect_correct("lenet5-w2a2-digits.onnx", "digits", fixture_path("drawn"), 9946);
}

/* Would catch: both on data that we did not draw. */
static void networks_for_mnist_score_as_in_pytorch(void **state)
{
    (void)state;
    struct command_result result;
    run_command(&result, NULL,
                ARGS(BITTERN_COMMAND, "data", "show", "mnist", "--data", real_data(), "--split",
                     "test", "--samples", "0"));
    int found = result.exit_code == 0;
    command_result_free(&result);
    if (!found) {
        print_message("MNIST is not in %s: skipped\n", real_data());
        skip();
    }
    expect_correct("tfc-w1a1-mnist.onnx", "mnist", real_data(), 9400);
    expect_correct("lenet5-w2a2-mnist.onnx", "mnist", real_data(), 9887);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_binary_network_scores_as_in_pytorch),
        cmocka_unit_test(a_ternary_network_scores_as_in_pytorch),
        cmocka_unit_test(networks_for_mnist_score_as_in_pytorch),
    };
    return cmocka_run_group_tests(tests, draw_digits, fixture_remove_folder);
}
