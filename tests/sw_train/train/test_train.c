/* SPDX-License-Identifier: Apache-2.0 */
/* Whole runs, from drawn digits to the integer network. */
#include "train_fixture.h"

#include <bittern/program.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct recipe recipe; /* large for a stack */

static void train(const struct trainer_options *options, struct trainer_result *result)
{
    struct bittern_error err;
    assert_ok(trainer_run(&recipe, options, result, &err), &err);
}

/* Would catch: parts that do not fit together anywhere on the way from images to integers. */
static void a_run_learns_and_its_integer_network_is_exact(void **state)
{
    struct trainer_result result;
    const struct trainer_options options = fixture_options("learns");
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=4"));
    train(&options, &result);
    assert_int_equal(result.epochs, 4);
    assert_true(result.float_accuracy > 0.4); /* chance is 0.1 */
    assert_true(result.compiled);
    assert_int_equal(result.comparison.images, FIXTURE_TEST_IMAGES);
    assert_int_equal(result.comparison.verified, 20);
    assert_int_equal(result.comparison.verified_equal, 20);
    assert_int_equal(result.comparison.verified_values_differ, 0);
    assert_true(fabs(result.comparison.integer_accuracy - result.float_accuracy) <= 0.011);
    assert_int_equal(result.layer_count, 4);
    for (size_t i = 0; i < result.layer_count; i++) {
        assert_int_equal(result.layers[i].depth, METHOD_DEPTH_TERNARY);
        assert_true(result.layers[i].zeros > 0.0);
    }
    trainer_result_clear(&result);
}

static double member(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

/* Would catch: a file that is missing, or says something else than the result. */
static void a_run_leaves_its_files_behind(void **state)
{
    static const char *const names[] = {"last.safetensors", "best.safetensors", "metrics.jsonl",
                                        "tiny.onnx"};
    struct bittern_error err;
    struct trainer_result result;
    struct bittern_program *program = NULL;
    char name[64];
    size_t size = 0;
    const struct trainer_options options = fixture_options("files");
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=2"));
    train(&options, &result);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(name, sizeof name, "files/%s", names[i]);
        assert_int_equal(access(fixture_path(name), R_OK), 0);
    }
    assert_ok(bittern_program_read(fixture_path("files/tiny.btn"), &program, &err), &err);
    bittern_program_free(program);

    char *text = fixture_read(fixture_path("files/result.json"), &size);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    assert_true(member(json, "float_accuracy") == result.float_accuracy);
    assert_true(member(cJSON_GetObjectItem(json, "integer"), "accuracy") ==
                result.comparison.integer_accuracy);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "layers")), 4);
    cJSON_Delete(json);
    free(text);

    text = fixture_read(fixture_path("files/metrics.jsonl"), &size);
    size_t lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    assert_int_equal(lines, 3); /* two epochs and the result */
    free(text);
    trainer_result_clear(&result);
}

/* Would catch: a layer whose final form is decided after its statistics were taken. */
static void sq_reports_and_exports_what_it_decided(void **state)
{
    struct trainer_result result;
    const struct trainer_options options = fixture_options("sq");
    (void)state;
    fixture_recipe(&recipe, CHANGES("weights.method=sq", "weights.lambda=0.1", "weights.gamma=0.1",
                                    "weights.extra_rate=10", "training.epochs=3"));
    train(&options, &result);
    assert_true(result.compiled);
    assert_int_equal(result.comparison.verified_equal, result.comparison.verified);
    for (size_t i = 0; i < result.layer_count; i++) {
        const struct deploy_layer *layer = &result.layers[i];
        bool binary = layer->depth == METHOD_DEPTH_BINARY;
        assert_true(binary || layer->depth == METHOD_DEPTH_TERNARY);
        assert_int_equal(layer->bits, binary ? 1 : 2);
        assert_true(!binary || layer->zeros == 0.0);
    }
    trainer_result_clear(&result);
}

/* Would catch: a 32-bit layer that ends a run with an error after hours of training. */
static void a_full_precision_network_is_exported_but_not_compiled(void **state)
{
    struct trainer_result result;
    const struct trainer_options options = fixture_options("full");
    (void)state;
    fixture_recipe(&recipe, CHANGES("weights.method=full", "training.epochs=1"));
    train(&options, &result);
    assert_false(result.compiled);
    assert_non_null(strstr(result.reason, "weights.method: full"));
    assert_non_null(strstr(result.reason, "conv1"));
    assert_int_equal(access(fixture_path("full/tiny.onnx"), R_OK), 0);
    assert_int_not_equal(access(fixture_path("full/tiny.btn"), R_OK), 0);
    trainer_result_clear(&result);
}

/* Would catch: --export best that exports the last epoch, or evaluates it. */
static void the_best_epoch_can_be_exported(void **state)
{
    struct trainer_result result;
    struct trainer_options options = fixture_options("best");
    (void)state;
    options.export_best = true;
    fixture_recipe(&recipe, CHANGES("training.epochs=3", "training.learning_rate=0.03",
                                    "training.statistics_batches=0"));
    train(&options, &result);
    assert_true(result.best_epoch >= 1 && result.best_epoch <= 3);
    /* Statistics are not estimated anew, so it is the very graph of that epoch. */
    assert_true(result.float_accuracy == result.best_accuracy);
    trainer_result_clear(&result);
}

/* Would catch: a student that is taught nothing, or by a graph without its weights. */
static void a_student_learns_from_a_teachers_checkpoint(void **state)
{
    struct trainer_result result;
    struct bittern_error err;
    struct trainer_options options = fixture_options("teacher");
    (void)state;
    fixture_recipe(&recipe, CHANGES("weights.method=full", "training.epochs=3",
                                    "network.activation=relu", "data.input_bits=32"));
    train(&options, &result);
    trainer_result_clear(&result);

    options = fixture_options("student");
    fixture_recipe(&recipe, CHANGES("training.distillation.weight=1",
                                    "training.distillation.temperature=2", "training.epochs=3"));
    assert_int_equal(trainer_run(&recipe, &options, &result, &err), BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "teacher"));
    options.teacher = fixture_path("teacher/last.safetensors");
    /* Labels have no weight in the loss: all it learns it has from the teacher. */
    train(&options, &result);
    assert_true(result.float_accuracy > 0.3);
    trainer_result_clear(&result);

    fixture_recipe(&recipe, CHANGES("training.distillation.weight=0.5", "data.normalize=false"));
    options = fixture_options("student2");
    options.teacher = fixture_path("teacher/last.safetensors");
    assert_int_equal(trainer_run(&recipe, &options, &result, &err), BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "normalize"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_learns_and_its_integer_network_is_exact),
        cmocka_unit_test(a_run_leaves_its_files_behind),
        cmocka_unit_test(sq_reports_and_exports_what_it_decided),
        cmocka_unit_test(a_full_precision_network_is_exported_but_not_compiled),
        cmocka_unit_test(the_best_epoch_can_be_exported),
        cmocka_unit_test(a_student_learns_from_a_teachers_checkpoint),
    };
    return cmocka_run_group_tests(tests, fixture_make_folder, fixture_remove_folder);
}
