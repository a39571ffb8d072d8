/* SPDX-License-Identifier: Apache-2.0 */
/* bittern energy, on a hand-made activity file of one layer. */
#include "cli_fixture.h"

#include <stdlib.h>
#include <string.h>

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Takes the layer's toggles of LUTs. */
static void write_activity(const char *name, int toggles)
{
    static const char format[] =
        "{\"format\":\"bittern-activity\",\"version\":1,"
        "\"program\":{\"crc32\":7,\"geometry\":\"edge\"},\"family\":\"xc7\",\"images\":2,"
        "\"dataset\":\"mnist\",\"cycles\":300,\"read_bytes\":64,\"write_bytes\":32,"
        "\"array\":{\"word_bits\":8,\"output_channels\":2,\"pixels\":1},"
        "\"area\":{\"kernel\":{\"sites\":100,\"registers\":50,\"feature_bram36\":4,"
        "\"weight_bram36\":2,\"dsp\":1},\"unit\":{\"sites\":10,\"registers\":5}},"
        "\"layers\":[{\"name\":\"conv\",\"mode\":\"binary\",\"cycles\":200,"
        "\"enabled_cycles\":100,\"compute_cycles\":50,\"read_bytes\":32,\"write_bytes\":16,"
        "\"unit\":{\"toggles\":{\"input\":9,\"lut\":%d,\"carry\":1,\"register\":3},"
        "\"routed\":{\"input\":1,\"lut\":1,\"carry\":1,\"register\":1},"
        "\"toggles_delayed\":{\"input\":9,\"lut\":%d,\"carry\":1,\"register\":3},"
        "\"routed_delayed\":{\"input\":1,\"lut\":3,\"carry\":1,\"register\":1}},"
        "\"feature_memory\":{\"read_toggles\":0.5,\"write_bytes\":9,\"write_toggles\":0.25},"
        "\"weight_memory\":{\"reads\":1,\"read_toggles\":0.25,\"write_toggles\":0.5}}]}";
    char text[2048];
    int size = snprintf(text, sizeof text, format, toggles, toggles);
    fixture_write_bytes(name, text, (size_t)size);
}

/* Would catch: a table without its source, and a ranking that is not the files'. */
static void files_are_shown_and_ranked(void **state)
{
    struct command_result result;
    (void)state;

    write_activity("few.json", 2);
    write_activity("many.json", 2000);
    fixture_run(&result, ARGS("energy", "few.json", "many.json"));
    assert_int_equal(result.exit_code, 0);
    assert_non_null(strstr(result.out, "model, 5th to 95th percentile"));
    assert_non_null(strstr(result.out, "XC7Z020-1"));
    assert_non_null(strstr(result.out, "100.0 % of draws"));
    command_result_free(&result);
    fixture_expect(0, "all coefficients at one end", ARGS("energy", "few.json", "--bounds"));

    cJSON *json = fixture_json(ARGS("energy", "few.json", "many.json", "--json"));
    const cJSON *ranking = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "rankings"), 0);
    assert_true(cJSON_GetObjectItem(ranking, "share_of_draws_a_less")->valuedouble == 1.0);
    const cJSON *file = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "files"), 1);
    assert_string_equal(cJSON_GetObjectItem(file, "file")->valuestring, "many.json");
    assert_string_equal(
        cJSON_GetObjectItem(cJSON_GetObjectItem(file, "energy"), "source")->valuestring, "model");
    cJSON_Delete(json);
}

/* Would catch: a wrong command line that does something, and a missing file without its name. */
static void mistakes_are_explained(void **state)
{
    (void)state;
    write_activity("few.json", 2);
    fixture_expect(0, "Examples:", ARGS("energy", "--help"));
    fixture_expect(2, "which activity file?", ARGS("energy"));
    fixture_expect(2, "frequency", ARGS("energy", "few.json", "--clock", "-3"));
    fixture_expect(2, "--draws", ARGS("energy", "few.json", "--draws", "0"));
    fixture_expect(2, "--seed", ARGS("energy", "few.json", "--seed", "x"));
    fixture_expect(1, "none.json", ARGS("energy", "none.json"));
    fixture_expect(1, "none.json", ARGS("energy", "few.json", "--coefficients", "none.json"));
    fixture_expect(1, "format", ARGS("energy", "few.json", "--coefficients", "few.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_shown_and_ranked),
        cmocka_unit_test(mistakes_are_explained),
    };
    return cmocka_run_group_tests(tests, fixture_make_folder, fixture_remove_folder);
}
