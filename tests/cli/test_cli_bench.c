/* SPDX-License-Identifier: Apache-2.0 */
/* bittern bench on the reference: rows, files of rows, comparison, and what goes wrong. */
#include "cli_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS "--dataset", "digits", "--data", "data"
#define BENCH "bench", "--quiet", "--repetitions", "2", "--energy", "none"

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_program("classifier.btn");
    fixture_write_model("model.onnx");
    fixture_make_digits();
    return 0;
}

static size_t count_lines(const char *name)
{
    size_t lines = 0;
    char *text = fixture_read_text(name);
    for (const char *c = text; *c; c++) {
        lines += *c == '\n';
    }
    free(text);
    return lines;
}

/* Run a shell command in the folder, with "$B" the command. */
static void expect_shell(int exit_code, const char *part, const char *script)
{
    struct command_result result;
    char line[2048];
    const struct command_options options = {.folder = fixture_path(""),
                                            .environment = ARGS("B=" BITTERN_COMMAND)};
    (void)snprintf(line, sizeof line, "%s", script);
    run_command(&result, &options, ARGS("sh", "-c", line));
    if (result.exit_code != exit_code || !strstr(result.err, part)) {
        fail_msg("%s: exit code %d, '%s'", script, result.exit_code, result.err);
    }
    command_result_free(&result);
}

static bool is_null(const cJSON *row, const char *path)
{
    return cJSON_IsNull(fixture_member(row, path));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Would catch: a row that lacks what docs/bench-format.md promises, or that makes numbers up. */
static void rows_of_the_reference_say_what_is_known_and_what_is_not(void **state)
{
    (void)state;
    static const char *const unknown[] = {"device.geometry",
                                          "settings.latency_cycles",
                                          "settings.seed",
                                          "whole.utilization",
                                          "whole.cycles_per_image",
                                          "whole.first_image_cycles",
                                          "whole.compute_cycles",
                                          "whole.read_bytes",
                                          "roofline",
                                          "energy"};
    cJSON *row = fixture_json(ARGS(BENCH, "classifier.btn", DIGITS, "--images", "20", "--start",
                                   "3", "--batch", "8", "--json"));
    assert_string_equal(fixture_string(row, "format"), "bittern-bench");
    assert_int_equal(fixture_number(row, "version"), 1);
    assert_string_equal(fixture_string(row, "program.path"), "classifier.btn");
    assert_string_equal(fixture_string(row, "program.name"), "classifier");
    assert_int_equal(fixture_number(row, "program.parameters"), 7840);
    assert_int_equal(fixture_number(row, "program.weight_bits"), 7840);
    assert_int_equal(fixture_number(row, "program.compression"), 32);
    assert_int_equal(fixture_number(row, "settings.images"), 20);
    assert_int_equal(fixture_number(row, "settings.start"), 3);
    assert_int_equal(fixture_number(row, "settings.batch"), 8);
    assert_int_equal(fixture_number(row, "settings.repetitions"), 2);
    assert_string_equal(fixture_string(row, "settings.dataset"), "digits");
    assert_string_equal(fixture_string(row, "settings.split"), "test");
    assert_int_equal(fixture_number(row, "accuracy.labelled"), 20);
    assert_int_equal(fixture_number(row, "agreement.images"), 2 * (20 + 1));
    assert_int_equal(fixture_number(row, "agreement.values"), 2 * (20 + 1) * 10);
    assert_int_equal(fixture_number(row, "agreement.different"), 0);
    assert_int_equal(cJSON_GetArraySize(fixture_member(row, "whole.host_seconds")), 2);
    assert_true(fixture_number(row, "whole.images_per_second") > 0.0);
    assert_true(fixture_number(row, "whole.first_image_seconds") > 0.0);
    assert_true(fixture_number(row, "host.seconds") > 0.0);
    const cJSON *layer = cJSON_GetArrayItem(fixture_member(row, "layers"), 0);
    assert_int_equal(fixture_number(layer, "macs"), 7840);
    assert_string_equal(fixture_string(layer, "kind"), "fc");
    assert_string_equal(fixture_string(layer, "weights"), "binary");
    assert_string_equal(fixture_string(layer, "activations"), "uint8");
    assert_true(is_null(layer, "cycles") && is_null(layer, "mode"));
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        if (!is_null(row, unknown[i])) {
            fail_msg("%s is no null", unknown[i]);
        }
    }
    cJSON_Delete(row);
}

/* Would catch: another accuracy than that of `bittern run`. */
static void accuracy_is_that_of_a_run(void **state)
{
    (void)state;
    cJSON *run = fixture_json(ARGS("run", "classifier.btn", DIGITS, "--json"));
    cJSON *row = fixture_json(ARGS(BENCH, "classifier.btn", DIGITS, "--json"));
    assert_int_equal(fixture_number(row, "accuracy.correct"), fixture_number(run, "correct"));
    assert_int_equal(fixture_number(row, "settings.images"), FIXTURE_IMAGES);
    cJSON_Delete(run);
    cJSON_Delete(row);
}

/* Would catch: images that depend on something else than their seed, labels for noise. */
static void without_data_images_are_random_and_named_by_their_seed(void **state)
{
    (void)state;
    cJSON *row = fixture_json(ARGS(BENCH, "model.onnx", "--seed", "9", "--json"));
    assert_int_equal(fixture_number(row, "settings.images"), 64);
    assert_int_equal(fixture_number(row, "settings.seed"), 9);
    assert_string_equal(fixture_string(row, "settings.dataset"), "random");
    assert_true(is_null(row, "accuracy") && is_null(row, "settings.split"));
    cJSON_Delete(row);
    fixture_expect(0, "random, seed 1", ARGS(BENCH, "model.onnx", "--images", "5"));
}

/* ---- Files ----------------------------------------------------------------------------------- */

#define SWEEP BENCH, "classifier.btn", "model.onnx", "--images", "16", "--sweep", "batch=1,4,16"

/* Would catch: rows that are lost, measured twice, or kept in halves, where a benchmark goes on. */
static void a_benchmark_goes_on_behind_the_last_whole_row(void **state)
{
    (void)state;
    fixture_expect(0, "cycles/image", ARGS(SWEEP, "--out", "rows.jsonl"));
    assert_int_equal(count_lines("rows.jsonl"), 6);
    char *before = fixture_read_text("rows.jsonl");
    size_t size = strlen(before);
    for (size_t cut = 1; cut < 4; cut++) {
        assert_int_equal(truncate(fixture_path("rows.jsonl"), (off_t)(size - cut * size / 7)), 0);
        fixture_expect(0, NULL, ARGS(SWEEP, "--out", "rows.jsonl", "--resume"));
        assert_int_equal(count_lines("rows.jsonl"), 6);
        char *after = fixture_read_text("rows.jsonl");
        assert_memory_equal(before, after, size / 3);
        free(after);
    }
    free(before);
    before = fixture_read_text("rows.jsonl");
    fixture_expect(0, NULL, ARGS(SWEEP, "--out", "rows.jsonl", "--resume"));
    char *after = fixture_read_text("rows.jsonl");
    assert_string_equal(before, after);
    free(before);
    free(after);
    fixture_expect(0, "0 of 6 rows are worse",
                   ARGS("bench", "--compare", "rows.jsonl", "rows.jsonl"));
}

/* Would catch: results that are overwritten unasked. */
static void a_file_that_exists_is_replaced_only_when_asked(void **state)
{
    (void)state;
    fixture_expect(0, NULL, ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "one.jsonl"));
    fixture_expect(2, "--resume", ARGS(BENCH, "model.onnx", "--images", "4", "--out", "one.jsonl"));
    assert_int_equal(count_lines("one.jsonl"), 1);
    /* Only a row that is measured takes the place of what was there. */
    fixture_expect(1, "cannot open",
                   ARGS(BENCH, "missing.onnx", "--images", "4", "--out", "one.jsonl", "--force"));
    assert_int_equal(count_lines("one.jsonl"), 1);
    fixture_expect(0, NULL,
                   ARGS(BENCH, "model.onnx", "--images", "4", "--out", "one.jsonl", "--force"));
    cJSON *compared = fixture_json(ARGS("bench", "--compare", "one.jsonl", "one.jsonl", "--json"));
    assert_non_null(strstr(
        fixture_string(cJSON_GetArrayItem(fixture_member(compared, "rows"), 0), "key"), "model"));
    cJSON_Delete(compared);
}

/* Would catch: a file that goes on with rows of two versions of a program. */
static void rows_of_another_program_of_that_name_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(fixture_path("other"), 0777), 0);
    fixture_write_model("other/classifier.btn");
    fixture_expect(0, NULL, ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "p.jsonl"));
    fixture_expect(
        1, "another program of that name",
        ARGS(BENCH, "other/classifier.btn", "--images", "4", "--out", "p.jsonl", "--resume"));
    fixture_expect(2, "rows of the same name",
                   ARGS(BENCH, "classifier.btn", "other/classifier.btn", "--images", "4"));
}

/* Would catch: half a row that stays behind on a full disk, or an exit code that hides it. */
static void a_full_disk_keeps_the_rows_that_are_whole(void **state)
{
    (void)state;
    fixture_expect(1, "No space left",
                   ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "/dev/full"));
    fixture_expect(0, NULL, ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "f.jsonl"));
    expect_shell(
        1, "cannot add to 'f.jsonl'",
        "trap '' XFSZ; ulimit -f 4; "
        "\"$B\" bench --quiet --repetitions 2 --energy none model.onnx classifier.btn --images 8 "
        "--sweep batch=1,2 --out f.jsonl --resume");
    fixture_expect(0, "rows are worse", ARGS("bench", "--compare", "f.jsonl", "f.jsonl"));
    fixture_expect(1, "cannot open",
                   ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "no/where.jsonl"));
    expect_shell(1, "standard output",
                 "\"$B\" bench --quiet --energy none classifier.btn --json >/dev/full");
}

/* ---- Comparison ------------------------------------------------------------------------------ */

static const char row_text[] =
    "{\"format\":\"bittern-bench\",\"version\":1,\"key\":\"%s\",\"program\":{},"
    "\"device\":{\"name\":\"%s\"},\"agreement\":{\"different\":%d},"
    "\"accuracy\":{\"fraction\":%g},\"whole\":{\"cycles_per_image\":%g,"
    "\"images_per_second\":%g,\"read_bytes\":100,\"write_bytes\":28},\"energy\":null}\n";

struct made_row {
    const char *key, *device;
    int different;
    double accuracy, cycles;
};

static void write_rows(const char *name, const struct made_row *rows, size_t count)
{
    char text[4096];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, row_text, rows[i].key,
                                 rows[i].device, rows[i].different, rows[i].accuracy,
                                 rows[i].cycles, 1e8 / rows[i].cycles);
    }
    fixture_write_bytes(name, text, used);
}

/* Would catch: a change for the worse that passes, one for the better that fails, ratios that are
 * upside down, rows that are left out without a word. */
static void comparison_finds_what_is_worse(void **state)
{
    (void)state;
    const struct made_row a[] = {{"x", "sim:tiny", 0, 0.9, 1000.0}, {"old", "xrt", 0, 0.5, 10.0}};
    const struct made_row same[] = {{"new", "xrt", 0, 0.5, 10.0}, {"x", "sim:tiny", 0, 0.9, 990.0}};
    const struct made_row slow[] = {{"x", "sim:tiny", 0, 0.9, 1001.0}};
    const struct made_row wrong[] = {{"x", "sim:tiny", 3, 0.9, 1000.0}};
    const struct made_row dull[] = {{"x", "sim:tiny", 0, 0.8, 1000.0}};
    const struct made_row board[] = {{"old", "xrt", 0, 0.5, 10.9}};
    const struct made_row slow_board[] = {{"old", "xrt", 0, 0.5, 11.1}};
    write_rows("a.jsonl", a, 2);
    write_rows("same.jsonl", same, 2);
    write_rows("slow.jsonl", slow, 1);
    write_rows("wrong.jsonl", wrong, 1);
    write_rows("dull.jsonl", dull, 1);
    write_rows("board.jsonl", board, 1);
    write_rows("slow_board.jsonl", slow_board, 1);
    fixture_expect(0, "Only in a.jsonl: old", ARGS("bench", "--compare", "a.jsonl", "same.jsonl"));
    fixture_expect(0, "Only in same.jsonl: new",
                   ARGS("bench", "--compare", "a.jsonl", "same.jsonl"));
    fixture_expect(1, NULL, ARGS("bench", "--compare", "a.jsonl", "slow.jsonl"));
    fixture_expect(0, "1.0010",
                   ARGS("bench", "--compare", "a.jsonl", "slow.jsonl", "--limit", "0.2"));
    fixture_expect(1, NULL, ARGS("bench", "--compare", "a.jsonl", "wrong.jsonl", "--limit", "50"));
    fixture_expect(1, NULL, ARGS("bench", "--compare", "a.jsonl", "dull.jsonl"));
    fixture_expect(0, NULL, ARGS("bench", "--compare", "a.jsonl", "board.jsonl"));
    fixture_expect(1, NULL, ARGS("bench", "--compare", "a.jsonl", "slow_board.jsonl"));
    cJSON *json = fixture_json(ARGS("bench", "--compare", "a.jsonl", "same.jsonl", "--json"));
    const cJSON *row = cJSON_GetArrayItem(fixture_member(json, "rows"), 0);
    assert_true(fabs(fixture_number(row, "cycles_per_image.ratio") - 0.99) < 1e-12);
    assert_true(fabs(fixture_number(row, "images_per_second.ratio") - 1.0 / 0.99) < 1e-5);
    assert_int_equal(fixture_number(row, "bytes_per_image.a"), 128);
    assert_true(is_null(row, "joules_per_image.ratio"));
    assert_int_equal(fixture_number(json, "worse"), 0);
    assert_string_equal(cJSON_GetArrayItem(fixture_member(json, "only_in_b"), 0)->valuestring,
                        "new");
    cJSON_Delete(json);
}

/* Would catch: foreign or damaged files that are read as if they were rows. */
static void foreign_and_damaged_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"format\":\"bittern-bench\",\"version\":2,\"key\":\"x\"}\n", "version 2"},
        {"{\"format\":\"bittern-activity\",\"version\":1}\n", "'bittern-activity'"},
        {"[1, 2]\n", "(none)"},
        {"{\"format\":\"bittern-bench\",\"version\":1}\n", "without key"},
        {"{\"format\":\"bittern-ben\n{}\n", "line 1 is no JSON"},
        {"{\"format\":\"bittern-bench\",\"version\":1,\"key\":\"x\",\"program\":{},\"whole\":{}}\n"
         "{\"format\":\"bittern-bench\",\"version\":1,\"key\":\"x\",\"program\":{},\"whole\":{}}\n",
         "line 2: the row 'x' is there twice"},
        {"{\"format\":\"bittern-ben", "middle of a row"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_write_bytes("bad.jsonl", cases[i].text, strlen(cases[i].text));
        fixture_expect(1, cases[i].part, ARGS("bench", "--compare", "bad.jsonl", "bad.jsonl"));
    }
    fixture_write_bytes("bad.jsonl", cases[0].text, strlen(cases[0].text));
    fixture_expect(
        1, "version 2",
        ARGS(BENCH, "classifier.btn", "--images", "4", "--out", "bad.jsonl", "--resume"));
    fixture_expect(1, "no row is in both", ARGS("bench", "--compare", "/dev/null", "/dev/null"));
    fixture_expect(1, "cannot open", ARGS("bench", "--compare", "none.jsonl", "none.jsonl"));
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

/* Would catch: options that are taken and not understood. */
static void wrong_command_lines_are_usage_errors(void **state)
{
    (void)state;
    fixture_expect(2, "which program", ARGS("bench"));
    fixture_expect(2, "--repetitions", ARGS("bench", "x.btn", "--repetitions", "0"));
    fixture_expect(2, "--clock", ARGS("bench", "x.btn", "--clock", "fast"));
    fixture_expect(2, "--sweep is", ARGS("bench", "x.btn", "--sweep", "speed=1"));
    fixture_expect(2, "--sweep is", ARGS("bench", "x.btn", "--sweep", "batch"));
    fixture_expect(2, "sweep batch", ARGS("bench", "x.btn", "--sweep", "batch=1,,2"));
    fixture_expect(2, "twice", ARGS("bench", "x.btn", "--sweep", "batch=1", "--sweep", "batch=2"));
    fixture_expect(2, "needs a simulated device",
                   ARGS("bench", "classifier.btn", "--sweep", "latency=16"));
    fixture_expect(2, "either --batch",
                   ARGS("bench", "x.btn", "--batch", "2", "--sweep", "batch=1"));
    fixture_expect(2, "--out", ARGS("bench", "x.btn", "--resume"));
    fixture_expect(2, "either --resume",
                   ARGS("bench", "x.btn", "--out", "x", "--resume", "--force"));
    fixture_expect(2, "need --dataset", ARGS("bench", "x.btn", "--start", "3"));
    fixture_expect(2, "option of --compare", ARGS("bench", "x.btn", "--limit", "3"));
    fixture_expect(2, "--energy host is for",
                   ARGS("bench", "x.btn", "--device", "sim", "--energy", "host"));
    fixture_expect(2, "board: they would",
                   ARGS("bench", "x.btn", "--device", "reference", "--energy", "board"));
    fixture_expect(2, "two files", ARGS("bench", "--compare", "a.jsonl"));
    fixture_expect(2, "measures nothing", ARGS("bench", "--compare", "a", "b", "--images", "3"));
    fixture_expect(2, "at least as many",
                   ARGS("bench", "classifier.btn", "--images", "3", "--batch", "4"));
}

/* Would catch: one program that fails and takes the others with it, or that is not told. */
static void a_failing_program_does_not_keep_the_others_from_being_measured(void **state)
{
    (void)state;
    fixture_write_bytes("junk.onnx", "junk", 4);
    fixture_expect(1, "cannot open 'missing.onnx'",
                   ARGS(BENCH, "missing.onnx", "junk.onnx", "classifier.btn", "--images", "4",
                        "--out", "others.jsonl"));
    assert_int_equal(count_lines("others.jsonl"), 1);
    fixture_expect(1, "cannot open 'none.npy'",
                   ARGS(BENCH, "classifier.btn", "--input", "none.npy", "--out", "none.jsonl"));
    assert_int_not_equal(access(fixture_path("none.jsonl"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_reference_say_what_is_known_and_what_is_not),
        cmocka_unit_test(accuracy_is_that_of_a_run),
        cmocka_unit_test(without_data_images_are_random_and_named_by_their_seed),
        cmocka_unit_test(a_benchmark_goes_on_behind_the_last_whole_row),
        cmocka_unit_test(a_file_that_exists_is_replaced_only_when_asked),
        cmocka_unit_test(rows_of_another_program_of_that_name_are_refused),
        cmocka_unit_test(a_full_disk_keeps_the_rows_that_are_whole),
        cmocka_unit_test(comparison_finds_what_is_worse),
        cmocka_unit_test(foreign_and_damaged_files_are_refused),
        cmocka_unit_test(wrong_command_lines_are_usage_errors),
        cmocka_unit_test(a_failing_program_does_not_keep_the_others_from_being_measured),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
