/* SPDX-License-Identifier: Apache-2.0 */
/* An exported file in the hands of the bittern command. */
#include "deploy_nets.h"
#include "run_command.h"
#include "testing.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 100
#define MAX_PATH 256

static void run(struct command_result *result, const char *folder, const char *const *arguments)
{
    const struct command_options options = {.folder = folder};
    run_command(result, &options, arguments);
    if (result->exit_code != 0) {
        fail_msg("bittern %s: %s", arguments[1], result->err);
    }
}

static double accuracy_of(const struct command_result *result)
{
    cJSON *json = cJSON_Parse(result->out);
    const cJSON *accuracy = cJSON_GetObjectItemCaseSensitive(json, "accuracy");
    assert_true(cJSON_IsNumber(accuracy));
    double value = accuracy->valuedouble;
    cJSON_Delete(json);
    return value;
}

static void export_file(const struct bittern_dataset *digits, const char *path,
                        struct deploy_comparison *comparison)
{
    const struct net_options options = {.seed = 11,
                                        .method = METHOD_STTN,
                                        .activation = {ACTIVATION_TERNARY, 0, 0},
                                        .first_int8 = true,
                                        .norm_last = true};
    struct bittern_network *network;
    struct bittern_model *model;
    struct bittern_error err;
    struct net net;

    net_build(&options, digits, &net);
    assert_ok(deploy_export(net.graph, &net.encoding, "digits", "recipe", &model, &err), &err);
    assert_ok(bittern_model_write(model, path, &err), &err);
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    assert_ok(deploy_compare(model, network, digits, 0, 5, 2, NULL, NULL, comparison, &err), &err);
    bittern_network_free(network);
    bittern_model_free(model);
    net_free(&net);
}

/* Would catch: a file that only the library that wrote it can use; an input range that is lost. */
static void bittern_compiles_and_runs_an_exported_file(void **state)
{
    char folder[64];
    char path[MAX_PATH];
    char digits_folder[MAX_PATH];
    struct bittern_dataset *digits;
    struct deploy_comparison comparison;
    struct command_result result;
    struct bittern_error err;
    (void)state;

    make_folder(folder, sizeof folder);
    const struct bittern_digits_options options = {
        .seed = 3, .train_count = 10, .test_count = IMAGES};
    assert_ok(bittern_dataset_make_digits(folder, &options, &err), &err);
    assert_ok(bittern_dataset_open("digits", BITTERN_SPLIT_TEST, folder, &digits, &err), &err);
    (void)snprintf(path, sizeof path, "%s/digits.onnx", folder);
    export_file(digits, path, &comparison);
    bittern_dataset_close(digits);
    assert_int_equal(comparison.verified_values_differ, 0);

    run(&result, folder, (const char *const[]){BITTERN_COMMAND, "compile", "digits.onnx", NULL});
    command_result_free(&result);
    static const char *const files[] = {"digits.btn", "digits.onnx"};
    for (size_t i = 0; i < 2; i++) {
        run(&result, folder,
            (const char *const[]){BITTERN_COMMAND, "run", files[i], "--dataset", "digits", "--data",
                                  folder, "--json", NULL});
        assert_true(fabs(accuracy_of(&result) - comparison.integer_accuracy) < 1e-9);
        command_result_free(&result);
    }
    (void)snprintf(digits_folder, sizeof digits_folder, "%s/digits", folder);
    remove_folder(digits_folder);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bittern_compiles_and_runs_an_exported_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
