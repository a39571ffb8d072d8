/* SPDX-License-Identifier: Apache-2.0 */
/* bittern compile, and running a model that is compiled on the way. */
#include "cli_fixture.h"

#include <bittern/model.h>
#include <bittern/program.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_model("net.onnx");
    fixture_make_digits();
    return mkdir(fixture_path("models"), 0777);
}

static bool exists(const char *name)
{
    return access(fixture_path(name), F_OK) == 0;
}

/* Would catch: a program that is not what the library's own compiler makes of the model. */
static void the_program_holds_the_compiled_network(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = NULL;
    struct bittern_network *network = NULL;
    struct bittern_program *expected = NULL;
    struct bittern_program *found = NULL;
    size_t expected_size = 0;
    size_t found_size = 0;
    fixture_expect(0, "Wrote exact.btn", ARGS("compile", "net.onnx", "-o", "exact.btn"));
    assert_ok(bittern_model_read(fixture_path("net.onnx"), &model, &err), &err);
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    assert_ok(bittern_program_create(network, NULL, &expected, &err), &err);
    assert_ok(bittern_program_read(fixture_path("exact.btn"), &found, &err), &err);
    const void *expected_bytes = bittern_program_data(expected, &expected_size);
    const void *found_bytes = bittern_program_data(found, &found_size);
    assert_int_equal(found_size, expected_size);
    assert_memory_equal(found_bytes, expected_bytes, expected_size);
    bittern_program_free(found);
    bittern_program_free(expected);
    bittern_network_free(network);
    bittern_model_free(model);
}

/* Would catch: a default name beside the model, where the user may not write, or with .onnx left.
 */
static void the_default_name_is_the_models_in_the_current_folder(void **state)
{
    (void)state;
    fixture_write_model("models/deep.onnx");
    fixture_write_model("models/noending");
    fixture_expect(0, NULL, ARGS("compile", "models/deep.onnx", "--quiet"));
    assert_true(exists("deep.btn"));
    fixture_expect(0, NULL, ARGS("compile", "models/noending", "--quiet"));
    assert_true(exists("noending.btn"));
}

/* Would catch: a table that leaves out what the layers cost. */
static void the_table_and_the_json_say_the_same(void **state)
{
    (void)state;
    fixture_expect(0, "24,336", ARGS("compile", "net.onnx")); /* 4 * 26 * 26 * 9 */
    fixture_expect(0, "51,376", ARGS("compile", "net.onnx")); /* and 4 * 676 * 10 */
    cJSON *json = fixture_json(ARGS("compile", "net.onnx", "-o", "json.btn", "--json"));
    struct stat info;
    assert_int_equal(stat(fixture_path("json.btn"), &info), 0);
    assert_int_equal(fixture_number(json, "bytes"), info.st_size);
    assert_string_equal(fixture_string(json, "program"), "json.btn");
    assert_string_equal(fixture_string(json, "input_range"), "0-1");
    assert_string_equal(fixture_string(json, "geometry.name"), "any");
    assert_int_equal(fixture_number(json, "network.outputs"), 10);
    assert_true(fixture_number(json, "network.compression") == 32.0);
    assert_int_equal(fixture_number(json, "network.weights"), 36 + 27040);
    const cJSON *layers = fixture_member(json, "network.layers");
    assert_int_equal(cJSON_GetArraySize(layers), 2);
    const cJSON *conv = cJSON_GetArrayItem(layers, 0);
    assert_string_equal(fixture_string(conv, "weights.kind"), "binary");
    assert_string_equal(fixture_string(conv, "input_type.name"), "uint8");
    assert_string_equal(fixture_string(conv, "output_type.name"), "binary");
    assert_int_equal(fixture_number(conv, "macs"), 4 * 26 * 26 * 9);
    const cJSON *full = cJSON_GetArrayItem(layers, 1);
    assert_int_equal(fixture_number(full, "acc_max"), 2704);
    assert_int_equal(fixture_number(full, "acc_bits"), 13);
    assert_int_equal(fixture_number(full, "weights.bytes"), 3380);
    cJSON_Delete(json);
}

/* Would catch: a model that runs differently when it is compiled on the way. */
static void a_model_runs_as_its_program_does(void **state)
{
    (void)state;
    fixture_expect(0, NULL, ARGS("compile", "net.onnx", "-o", "run.btn", "--quiet"));
    cJSON *program =
        fixture_json(ARGS("run", "run.btn", "--dataset", "digits", "--data", "data", "--json"));
    cJSON *model =
        fixture_json(ARGS("run", "net.onnx", "--dataset", "digits", "--data", "data", "--json"));
    assert_int_equal(fixture_number(model, "images"), FIXTURE_IMAGES);
    assert_int_equal(fixture_number(model, "correct"), fixture_number(program, "correct"));
    cJSON_Delete(program);
    cJSON_Delete(model);
}

/* Would catch: an input range that is not passed on. */
static void the_input_range_changes_the_table(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = NULL;
    cJSON *json = fixture_json(
        ARGS("compile", "net.onnx", "-o", "range.btn", "--input-range", "0-255", "--json"));
    assert_string_equal(fixture_string(json, "input_range"), "0-255");
    cJSON_Delete(json);
    assert_ok(bittern_program_read(fixture_path("range.btn"), &program, &err), &err);
    const int16_t *table = bittern_network_input(bittern_program_network(program))->table;
    /* The quantizer's largest value is 1: all pixels from 1 on are clamped to it. */
    assert_int_not_equal(table[0], table[1]);
    for (size_t u = 2; u < 256; u++) {
        assert_int_equal(table[u], table[1]);
    }
    bittern_program_free(program);
}

/* Would catch: wrong command lines that pass. */
static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    fixture_expect(2, "which model", ARGS("compile"));
    fixture_expect(2, "one model", ARGS("compile", "a.onnx", "b.onnx"));
    fixture_expect(2, NULL, ARGS("compile", "net.onnx", "--no-such-option"));
    fixture_expect(2, "minus1-1", ARGS("compile", "net.onnx", "--input-range", "1-2"));
    fixture_expect(2, "0.5", ARGS("compile", "net.onnx", "--weight-tolerance", "1"));
    fixture_expect(2, "0.5", ARGS("compile", "net.onnx", "--weight-tolerance", "x"));
    fixture_expect(2, "'any'", ARGS("compile", "net.onnx", "--geometry", "edg"));
    fixture_expect(2, "edge-binary", ARGS("compile", "net.onnx", "--geometry", "EDGE"));
    fixture_expect(2, "both say",
                   ARGS("compile", "net.onnx", "--geometry", "edge", "--target", "reference"));
    fixture_expect(2, "MHz", ARGS("compile", "net.onnx", "--geometry", "edge", "--clock", "0"));
    fixture_expect(2, "MHz", ARGS("compile", "net.onnx", "--geometry", "edge", "--clock", "nan"));
    fixture_expect(2, "MHz", ARGS("compile", "net.onnx", "--geometry", "edge", "--clock", "fast"));
    fixture_expect(2, "--clock", ARGS("compile", "net.onnx", "--clock", "100"));
    fixture_expect(2, "would replace", ARGS("compile", "net.onnx", "-o", "models/../net.onnx"));
    fixture_expect(0, "Examples:", ARGS("compile", "--help"));
}

/* Would catch: a program for another accelerator than was asked for, a plan that is not shown. */
static void a_geometry_gives_a_device_program_and_a_plan(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = NULL;
    fixture_expect(0, "images/s at 100 MHz",
                   ARGS("compile", "net.onnx", "-o", "edge.btn", "--geometry", "edge"));
    assert_ok(bittern_program_read(fixture_path("edge.btn"), &program, &err), &err);
    assert_string_equal(bittern_program_geometry(program)->name, "edge");
    bittern_program_free(program);
    fixture_expect(0, "geometry edge",
                   ARGS("compile", "net.onnx", "-o", "edge.btn", "--geometry", "edge"));

    cJSON *json = fixture_json(ARGS("compile", "net.onnx", "-o", "small.btn", "--geometry",
                                    "edge-binary", "--clock", "50", "--json"));
    assert_string_equal(fixture_string(json, "geometry.name"), "edge-binary");
    assert_int_equal(fixture_number(json, "geometry.feature_bytes"), 393216);
    assert_int_equal(fixture_number(json, "plan.feature_words"), 24576);
    assert_int_equal(fixture_number(json, "plan.clock_mhz"), 50);
    double cycles = fixture_number(json, "plan.cycles");
    double images = fixture_number(json, "plan.images");
    double rate = fixture_number(json, "plan.images_per_second");
    assert_true(cycles > 0 && rate > 0.999 * images * 50e6 / cycles &&
                rate < 1.001 * images * 50e6 / cycles);
    const cJSON *layers = fixture_member(json, "plan.layers");
    assert_int_equal(cJSON_GetArraySize(layers), 2);
    const cJSON *conv = cJSON_GetArrayItem(layers, 0);
    assert_string_equal(fixture_string(conv, "mode"), "int");
    assert_true(fixture_number(conv, "utilization") > 0);
    const cJSON *full = cJSON_GetArrayItem(layers, 1);
    assert_string_equal(fixture_string(full, "mode"), "binary");
    const cJSON *segments = fixture_member(json, "plan.segments");
    size_t layer_count = 0;
    for (int i = 0; i < cJSON_GetArraySize(segments); i++) {
        const cJSON *segment = cJSON_GetArrayItem(segments, i);
        assert_int_equal(fixture_number(segment, "first_layer"), layer_count);
        layer_count += (size_t)fixture_number(segment, "layers");
    }
    assert_int_equal(layer_count, 2);
    cJSON_Delete(json);
    json =
        fixture_json(ARGS("compile", "net.onnx", "-o", "any.btn", "--geometry", "any", "--json"));
    assert_true(cJSON_IsNull(fixture_member(json, "plan")));
    cJSON_Delete(json);
}

/* Would catch: a target that is not looked at, or a missing one without a message. */
static void a_target_says_which_geometry(void **state)
{
    (void)state;
    cJSON *json = fixture_json(
        ARGS("compile", "net.onnx", "-o", "target.btn", "--target", "reference", "--json"));
    assert_string_equal(fixture_string(json, "geometry.name"), "any");
    cJSON_Delete(json);
    fixture_expect(1, "layer 1 'scores'", /* too many weights for the ring */
                   ARGS("compile", "net.onnx", "-o", "none.btn", "--geometry", "tiny"));
    fixture_expect(1, "nosuch",
                   ARGS("compile", "net.onnx", "-o", "none.btn", "--target", "nosuch"));
    assert_false(exists("none.btn"));
}

/* Would catch: a failure that exits with 0, or that leaves a program behind. */
static void failures_exit_with_1_and_leave_nothing(void **state)
{
    (void)state;
    fixture_write_bytes("bad.onnx", "\x08\x07garbage", 9);
    fixture_write_bytes("empty.onnx", "", 0);
    fixture_write_program("program.btn");
    fixture_expect(1, "missing.onnx", ARGS("compile", "missing.onnx"));
    fixture_expect(1, "bad.onnx", ARGS("compile", "bad.onnx"));
    assert_false(exists("bad.btn"));
    fixture_expect(1, "empty", ARGS("compile", "empty.onnx"));
    assert_int_equal(mkfifo(fixture_path("pipe"), 0600), 0);
    int fd = open(fixture_path("pipe"), O_RDWR | O_CLOEXEC);
    fixture_expect(1, "is a pipe", ARGS("compile", "pipe"));
    close(fd);
    fixture_expect(1, "a program already", ARGS("compile", "program.btn", "-o", "again.btn"));
    assert_false(exists("again.btn"));
    fixture_expect(1, "no/such", ARGS("compile", "net.onnx", "-o", "no/such/folder.btn"));
    fixture_expect(1, "models", ARGS("compile", "net.onnx", "-o", "models"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_holds_the_compiled_network),
        cmocka_unit_test(the_default_name_is_the_models_in_the_current_folder),
        cmocka_unit_test(the_table_and_the_json_say_the_same),
        cmocka_unit_test(a_model_runs_as_its_program_does),
        cmocka_unit_test(the_input_range_changes_the_table),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(a_geometry_gives_a_device_program_and_a_plan),
        cmocka_unit_test(a_target_says_which_geometry),
        cmocka_unit_test(failures_exit_with_1_and_leave_nothing),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
