/* SPDX-License-Identifier: Apache-2.0 */
/* bittern inspect: models, programs, and whatever else a user may point it at. */
#include "cli_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_model("net.onnx");
    fixture_write_program("classifier.btn");
    fixture_make_digits();
    return 0;
}

/* Would catch: a kind that is told by the file's name. */
static void the_content_tells_the_kind(void **state)
{
    (void)state;
    fixture_write_program("renamed.onnx");
    fixture_write_model("renamed.btn");
    cJSON *json = fixture_json(ARGS("inspect", "renamed.onnx", "--json"));
    assert_string_equal(fixture_string(json, "kind"), "program");
    cJSON_Delete(json);
    json = fixture_json(ARGS("inspect", "renamed.btn", "--json"));
    assert_string_equal(fixture_string(json, "kind"), "onnx");
    cJSON_Delete(json);
}

/* Would catch: nodes, shapes or metadata that are left out. */
static void a_model_shows_its_nodes_and_metadata(void **state)
{
    (void)state;
    fixture_expect(0, "BipolarQuant", ARGS("inspect", "net.onnx"));
    fixture_expect(0, "1x4x26x26", ARGS("inspect", "net.onnx"));
    fixture_expect(0, "input_range = 0-1", ARGS("inspect", "net.onnx"));
    cJSON *json = fixture_json(ARGS("inspect", "net.onnx", "--json"));
    assert_int_equal(fixture_number(json, "opset"), 13);
    assert_string_equal(fixture_string(json, "name"), "fixture");
    assert_string_equal(fixture_string(json, "input.name"), "image");
    assert_string_equal(fixture_string(json, "output.name"), "scores");
    assert_string_equal(fixture_string(json, "metadata.input_range"), "0-1");
    assert_int_equal(fixture_number(json, "initializers"), 10);
    assert_int_equal(fixture_number(json, "initializer_values"), 4 + 4 * 4 + 36 + 27040);
    const cJSON *nodes = fixture_member(json, "nodes");
    assert_int_equal(cJSON_GetArraySize(nodes), 6);
    const cJSON *conv = cJSON_GetArrayItem(nodes, 1);
    assert_string_equal(fixture_string(conv, "op"), "Conv");
    const cJSON *dims = fixture_member(conv, "output.dims");
    const int expected[] = {1, 4, 26, 26};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(cJSON_GetArrayItem(dims, i)->valueint, expected[i]);
    }
    cJSON_Delete(json);
}

/* Would catch: sections or layers that are left out. */
static void a_program_shows_its_sections_and_layers(void **state)
{
    (void)state;
    struct stat info;
    fixture_expect(0, "WEIGHTS", ARGS("inspect", "classifier.btn"));
    fixture_expect(0, "7,840", ARGS("inspect", "classifier.btn"));
    assert_int_equal(stat(fixture_path("classifier.btn"), &info), 0);
    cJSON *json = fixture_json(ARGS("inspect", "classifier.btn", "--json"));
    assert_int_equal(fixture_number(json, "bytes"), info.st_size);
    assert_string_equal(fixture_string(json, "geometry.name"), "any");
    assert_string_equal(fixture_string(json, "network.name"), "classifier");
    double end = 0;
    const cJSON *section = NULL;
    cJSON_ArrayForEach(section, fixture_member(json, "sections"))
    {
        assert_true(fixture_number(section, "offset") >= end);
        end = fixture_number(section, "offset") + fixture_number(section, "bytes");
    }
    assert_true(end > 0 && end <= (double)info.st_size);
    const cJSON *layer = cJSON_GetArrayItem(fixture_member(json, "network.layers"), 0);
    assert_int_equal(fixture_number(layer, "macs"), 7840);
    assert_true(fixture_number(layer, "acc_max") <= 255.0 * 784.0);
    assert_true(fixture_number(layer, "acc_min") >= -255.0 * 784.0);
    assert_int_equal(fixture_number(layer, "acc_bits"), 18);
    cJSON_Delete(json);
}

/* Would catch: a histogram that does not count each weight once. */
static void one_layer_is_shown_in_detail(void **state)
{
    (void)state;
    fixture_expect(0, "Layer 0: scores", ARGS("inspect", "classifier.btn", "--layer", "0"));
    cJSON *json = fixture_json(ARGS("inspect", "classifier.btn", "--layer", "0", "--json"));
    double minus = fixture_number(json, "weight_histogram.-1");
    double plus = fixture_number(json, "weight_histogram.1");
    assert_true(minus + plus == 7840.0);
    assert_true(minus > 3000.0 && plus > 3000.0);
    assert_int_equal(cJSON_GetArraySize(fixture_member(json, "scale")), 10);
    cJSON_Delete(json);
    fixture_expect(2, "layers 0 to 0", ARGS("inspect", "classifier.btn", "--layer", "1"));
    fixture_expect(2, "program", ARGS("inspect", "net.onnx", "--layer", "0"));
}

/* Would catch: other files without a hint, wrong command lines that pass. */
static void other_files_get_a_hint(void **state)
{
    (void)state;
    fixture_write_bytes("empty", "", 0);
    fixture_write_bytes("images.npy", "\x93NUMPY\x01\x00", 8);
    fixture_write_bytes("archive.gz", "\x1f\x8b\x08\x00", 4);
    fixture_write_bytes("text", "hello, world", 12);
    fixture_write_bytes("magic.btn",
                        "\x89"
                        "BTN\r\n\x1a\n",
                        8);
    fixture_expect(1, "bittern data show",
                   ARGS("inspect", "data/digits/t10k-images-idx3-ubyte.gz"));
    fixture_expect(1, "bittern data show", ARGS("inspect", "images.npy"));
    fixture_expect(1, "bittern data show", ARGS("inspect", "archive.gz"));
    fixture_expect(1, "empty", ARGS("inspect", "empty"));
    fixture_expect(1, "text", ARGS("inspect", "text"));
    fixture_expect(1, "magic.btn", ARGS("inspect", "magic.btn"));
    fixture_expect(1, "missing", ARGS("inspect", "missing"));
    fixture_expect(1, "data", ARGS("inspect", "data"));
    fixture_expect(2, "which file", ARGS("inspect"));
    fixture_expect(2, "one file", ARGS("inspect", "a", "b"));
    fixture_expect(2, "--layer", ARGS("inspect", "classifier.btn", "--layer", "first"));
    fixture_expect(2, NULL, ARGS("inspect", "classifier.btn", "--no-such-option"));
    fixture_expect(0, "Examples:", ARGS("inspect", "--help"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_content_tells_the_kind),
        cmocka_unit_test(a_model_shows_its_nodes_and_metadata),
        cmocka_unit_test(a_program_shows_its_sections_and_layers),
        cmocka_unit_test(one_layer_is_shown_in_detail),
        cmocka_unit_test(other_files_get_a_hint),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
