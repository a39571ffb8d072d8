/* SPDX-License-Identifier: Apache-2.0 */
/* bittern report: what is in the page and the summary, and what is refused. How the page looks in a
 * browser is test_report_browser's. */
#include "report_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_make_digits();
    report_fixture_rows("rows.jsonl");
    report_fixture_run("run");
    report_fixture_predictions("predictions.json");
    return 0;
}

static char *read_text(const char *name)
{
    FILE *file = fopen(fixture_path(name), "r");
    char *text = NULL;
    size_t size = 0;
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part)) {
        count++;
    }
    return count;
}

static bool has_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

/* ---- Contents -------------------------------------------------------------------------------- */

/* Would catch: a section that is missing, a chart that gnuplot did not draw, a page that loads
 * something. */
static void every_section_is_in_the_page(void **state)
{
    (void)state;
    static const char *const parts[] = {"id=\"summary\"",
                                        "id=\"accuracy-energy-1\"",
                                        "id=\"accuracy-size-1\"",
                                        "id=\"layers-1\"",
                                        "id=\"layers-3\"",
                                        "id=\"roofline-1\"",
                                        "id=\"accuracy-1\"",
                                        "id=\"loss-1\"",
                                        "id=\"beta-1\"",
                                        "id=\"weights-1\"",
                                        "id=\"energy-parts\"",
                                        "id=\"integer-weights-1\"",
                                        "id=\"images-wrong\"",
                                        "id=\"images-right\"",
                                        "id=\"confusion-matrix\"",
                                        "prefers-color-scheme: dark",
                                        "@media print"};
    if (!has_gnuplot()) {
        skip();
    }
    fixture_expect(0, "Wrote page.html",
                   ARGS("report", "--bench", "rows.jsonl", "--run", "run", "--predictions",
                        "predictions.json", "--dataset", "digits", "--data", "data", "--title",
                        "A <test>", "-o", "page.html"));
    char *page = read_text("page.html");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(page, parts[i])) {
            fail_msg("%s is missing", parts[i]);
        }
    }
    assert_non_null(strstr(page, "<title>A &lt;test&gt;</title>"));
    /* Two widths each of: two trade-offs, the energy's parts, three layers, one roofline, three
     * curves, two of weights. */
    assert_int_equal(count_of(page, "<svg"), 24);
    assert_int_equal(count_of(page, "</svg>"), 24);
    assert_int_equal(count_of(page, "data:image/png;base64,"), 8 + 24);
    assert_int_equal(count_of(page, "src=\"http"), 0);
    assert_int_equal(count_of(page, "<link rel=\"icon\" href=\"data:,\">"), 1);
    assert_int_equal(count_of(page, "<link"), 1);
    assert_null(strstr(page, "\001"));
    free(page);
}

/* Would catch: numbers that are read from the wrong member; a front that takes beaten rows. */
static void the_summary_has_the_numbers_of_the_files(void **state)
{
    (void)state;
    cJSON *json = fixture_json(ARGS("report", "--json", "--bench", "rows.jsonl", "--run", "run",
                                    "--predictions", "predictions.json"));
    const cJSON *rows = fixture_member(json, "rows");
    static const bool front[] = {true, true, false};
    assert_int_equal(cJSON_GetArraySize(rows), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, i);
        assert_int_equal(cJSON_IsTrue(fixture_member(row, "energy_front")), front[i]);
        assert_int_equal(cJSON_IsTrue(fixture_member(row, "size_front")), front[i]);
    }
    const cJSON *row = cJSON_GetArrayItem(rows, 1);
    assert_string_equal(fixture_string(row, "program"), "large-ternary");
    assert_string_equal(fixture_string(row, "weights"), "ternary");
    assert_string_equal(fixture_string(row, "energy_source"), "board");
    assert_true(fixture_number(row, "accuracy") == 0.98);
    assert_true(fabs(fixture_number(row, "joules_per_image.high") - 5.6e-6) < 1e-12);
    const cJSON *run = cJSON_GetArrayItem(fixture_member(json, "runs"), 0);
    assert_string_equal(fixture_string(run, "name"), "tiny-sq");
    assert_true(fixture_number(run, "integer_accuracy") == 0.9625);
    assert_true(fixture_number(run, "epochs") == 3.0);
    assert_true(fixture_number(json, "predictions.accuracy") == 0.8);
    cJSON_Delete(json);
    assert_int_equal(access(fixture_path("report.html"), F_OK), -1); /* --json writes no page */
}

/* Would catch: a number that is not known shown as 0, or kept as one. */
static void what_is_not_known_is_a_dash(void **state)
{
    (void)state;
    const struct report_fixture_row row = {"bare", "l", "binary", NULL, 0.5, 0.0, 100, 10};
    char *line = report_fixture_line(&row);
    fixture_write_bytes("bare.jsonl", line, strlen(line));
    free(line);
    cJSON *json = fixture_json(ARGS("report", "--json", "--bench", "bare.jsonl"));
    const cJSON *first = cJSON_GetArrayItem(fixture_member(json, "rows"), 0);
    assert_true(cJSON_IsNull(fixture_member(first, "joules_per_image")));
    cJSON_Delete(json);
    if (!has_gnuplot()) {
        skip();
    }
    fixture_expect(0, NULL, ARGS("report", "--bench", "bare.jsonl", "-o", "bare.html"));
    char *page = read_text("bare.html");
    assert_non_null(strstr(page, "No row has both an accuracy and an energy"));
    assert_non_null(strstr(page, "<td class=\"n\" data-v=\"\">–</td>"));
    assert_null(strstr(page, "nan"));
    free(page);
}

/* Would catch: a value of a weight read from the wrong bit, bits behind a row's end counted. */
static void the_integer_networks_weights_are_counted(void **state)
{
    (void)state;
    char expected[200];
    size_t plus = 0;
    struct bittern_network *network = fixture_classifier(1, 28, 10);
    const struct bittern_layer *layer = bittern_network_layer(network, 0);
    for (size_t o = 0; o < 10; o++) {
        for (size_t i = 0; i < 784; i++) {
            size_t word = o * layer->weights.words_per_output + i / 64;
            plus += layer->weights.planes[0].plus[word] >> i % 64 & 1;
        }
    }
    bittern_network_free(network);
    if (!has_gnuplot()) {
        skip();
    }
    fixture_expect(0, NULL, ARGS("report", "--run", "run", "-o", "weights.html"));
    char *page = read_text("weights.html");
    (void)snprintf(expected, sizeof expected,
                   "<td>binary</td><td class=\"n\" data-v=\"1\">1</td><td class=\"n\" "
                   "data-v=\"%zu\">",
                   plus);
    assert_non_null(strstr(page, expected));
    (void)snprintf(expected, sizeof expected,
                   "<td>binary</td><td class=\"n\" data-v=\"-1\">-1</td><td class=\"n\" "
                   "data-v=\"%zu\">",
                   7840 - plus);
    assert_non_null(strstr(page, expected));
    free(page);
}

/* ---- Hostile names --------------------------------------------------------------------------- */

/* Would catch: a name that becomes markup, a gnuplot command, or a mark of a chart. */
static void names_from_files_stay_text(void **state)
{
    (void)state;
    static const char *const names[] = {"<script>alert(1)</script>",
                                        "]]><img src=x onerror=alert(1)>",
                                        "'; system('touch pwned')#",
                                        "`touch pwned`",
                                        "$(touch pwned)",
                                        "\\\"\\n\\\"; !touch pwned\\nset output \\\"x",
                                        "\\u00010\\u0001",
                                        "\\uE000xxx",
                                        "\\u202Eevil",
                                        "%s%n{/Symbol a}_^@",
                                        "\xFF\xFE"};
    if (!has_gnuplot()) {
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct report_fixture_row row = {names[i], names[i], "binary", "model",
                                               0.5,      1e-6,     100,      10};
        char *line = report_fixture_line(&row);
        fixture_write_bytes("hostile.jsonl", line, strlen(line));
        free(line);
        fixture_expect(
            0, NULL,
            ARGS("report", "--bench", "hostile.jsonl", "--title", "<b>", "-o", "hostile.html"));
        char *page = read_text("hostile.html");
        assert_int_equal(count_of(page, "<script>"), 1); /* the page's own */
        assert_int_equal(count_of(page, "<img"), 0);
        assert_int_equal(count_of(page, "<b>"), 0);
        assert_null(strstr(page, "\001"));
        assert_null(strstr(page, "\xEE\x80\x80")); /* U+E000 */
        assert_null(strstr(page, "\xE2\x80\xAE")); /* U+202E */
        assert_null(strstr(page, "\xFF"));
        free(page);
        assert_int_equal(access(fixture_path("pwned"), F_OK), -1);
    }
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void expect_bad_rows(const char *text, const char *message)
{
    fixture_write_bytes("bad.jsonl", text, strlen(text));
    fixture_expect(1, message, ARGS("report", "--json", "--bench", "bad.jsonl"));
}

/* Would catch: messages that do not say which file and line, and files of other versions that are
 * read as if they were ours. */
static void bad_files_are_named_with_their_line(void **state)
{
    (void)state;
    fixture_expect(1, "'nothing.jsonl'", ARGS("report", "--json", "--bench", "nothing.jsonl"));
    fixture_expect(1, "no folder of 'bittern train'", ARGS("report", "--json", "--run", "nothing"));
    expect_bad_rows("", "there is no row");
    expect_bad_rows("\n[1]\n", "bad.jsonl:2: the line is not a JSON object");
    expect_bad_rows("{\"format\":\"other\",\"version\":1}\n",
                    "bad.jsonl:1: \"format\" is \"other\", not \"bittern-bench\"");
    expect_bad_rows("{\"format\":\"bittern-bench\",\"version\":2}\n",
                    "bittern-bench has version 2; this program reads version 1");
    expect_bad_rows("{\"format\":\"bittern-bench\",\"version\":1}\n",
                    "\"program.name\" is not a string");
    expect_bad_rows("{\"format\":\"bittern-bench\",\"version\":1,\"program\":{\"name\":\"a\"},"
                    "\"device\":{\"name\":\"d\"},\"whole\":{\"cycles_per_image\":-1}}\n",
                    "\"whole.cycles_per_image\" is not a number of 0 or more");
    expect_bad_rows("{\"format\":\"bittern-bench\",\"version\":1,\"program\":{\"name\":\"a\"},"
                    "\"device\":{\"name\":\"d\"},\"whole\":{\"cycles_per_image\":1e999}}\n",
                    "not a finite number");
}

/* Would catch: half a line that a crash left taken for data, or refused without a way out. */
static void a_line_that_was_cut_off_says_what_to_do(void **state)
{
    (void)state;
    const struct report_fixture_row row = {"a", "l", "binary", NULL, 0.5, 0.0, 100, 10};
    char *line = report_fixture_line(&row);
    line[strlen(line) / 2] = '\0';
    expect_bad_rows(line, "bad.jsonl:1: the last line is cut off, as a crash leaves it; bittern "
                          "bench --resume");
    free(line);
    fixture_write_bytes("cut.json", "[\n{\"image\": 0, \"pre", 19);
    fixture_expect(1, "cut.json:2: the JSON text is cut off",
                   ARGS("report", "--json", "--predictions", "cut.json"));
}

/* Would catch: pictures of another data set under these predictions. */
static void predictions_must_fit_the_data_set(void **state)
{
    (void)state;
    static const char wrong[] =
        "[\n{\"image\": 0, \"label\": 9, \"predicted\": 1},\n{\"image\": 1, \"label\": 9, "
        "\"predicted\": 1},\n{\"image\": 2, \"label\": 9, \"predicted\": 1}]";
    static const char past[] = "[{\"image\": 4000, \"label\": 9, \"predicted\": 1}]";
    fixture_write_bytes("wrong.json", wrong, strlen(wrong));
    fixture_expect(1, "of another data set or split",
                   ARGS("report", "--json", "--predictions", "wrong.json", "--dataset", "digits",
                        "--data", "data"));
    fixture_write_bytes("past.json", past, strlen(past));
    fixture_expect(1, "image 4000, but digits has 40",
                   ARGS("report", "--json", "--predictions", "past.json", "--dataset", "digits",
                        "--data", "data"));
    fixture_write_bytes("object.json", "{}", 2);
    fixture_expect(1, "not a list of predictions",
                   ARGS("report", "--json", "--predictions", "object.json"));
}

/* Would catch: a command line that is read as something else than it says. */
static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    fixture_expect(2, "nothing to report", ARGS("report"));
    fixture_expect(2, "what is 'rows.jsonl'?", ARGS("report", "rows.jsonl"));
    fixture_expect(2, "--split is test or train",
                   ARGS("report", "--predictions", "predictions.json", "--split", "all"));
    fixture_expect(2, "which is missing",
                   ARGS("report", "--bench", "rows.jsonl", "--dataset", "digits"));
    fixture_expect(0, "Usage: bittern report", ARGS("report", "--help"));
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Would catch: an old page that a failed run has destroyed, or temporary files that stay. */
static void a_failure_leaves_the_old_page(void **state)
{
    (void)state;
    struct command_result result;
    const struct command_options options = {.folder = fixture_path(""),
                                            .environment = ARGS("PATH=/nonexistent", "TMPDIR=.")};
    fixture_write_bytes("old.html", "old", 3);
    run_command(&result, &options,
                ARGS(BITTERN_COMMAND, "report", "--bench", "rows.jsonl", "-o", "old.html"));
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "gnuplot-nox"));
    command_result_free(&result);
    char *page = read_text("old.html");
    assert_string_equal(page, "old");
    free(page);
    char line[512];
    (void)snprintf(line, sizeof line, "ls -d '%s'/bittern-report-* '%s'/*.part 2>/dev/null",
                   fixture_path(""), fixture_path(""));
    run_command(&result, NULL, ARGS("sh", "-c", line));
    assert_string_equal(result.out, "");
    command_result_free(&result);
}

/* Run with a gnuplot of our own, a shell script; nothing may stay of it and of the page. */
static void expect_with_gnuplot(const char *script, int exit_code, const char *message)
{
    struct command_result result;
    char path[512];
    char line[600];
    (void)snprintf(path, sizeof path, "PATH=%s:%s", fixture_path("bin"), getenv("PATH"));
    const struct command_options options = {.folder = fixture_path(""),
                                            .environment = ARGS(path, "TMPDIR=.")};
    (void)mkdir(fixture_path("bin"), 0777);
    fixture_write_bytes("bin/gnuplot", script, strlen(script));
    assert_int_equal(chmod(fixture_path("bin/gnuplot"), 0755), 0);
    run_command(&result, &options,
                ARGS(BITTERN_COMMAND, "report", "--bench", "rows.jsonl", "-o", "never.html"));
    if (result.exit_code != exit_code || !strstr(result.err, message)) {
        fail_msg("exit code %d, '%s'", result.exit_code, result.err);
    }
    command_result_free(&result);
    (void)snprintf(line, sizeof line, "cd '%s' && ls -d bittern-report-* never.html* 2>/dev/null",
                   fixture_path(""));
    run_command(&result, NULL, ARGS("sh", "-c", line));
    assert_string_equal(result.out, "");
    command_result_free(&result);
}

/* Would catch: charts that are missing from a page that says that all is well; a child or a folder
 * that outlives the command. */
static void a_gnuplot_that_fails_is_told(void **state)
{
    (void)state;
    expect_with_gnuplot("#!/bin/sh\necho '\"script\" line 7: bad' >&2\nexit 1\n", 1,
                        "gnuplot failed: line 7: bad");
    expect_with_gnuplot("#!/bin/sh\nexit 0\n", 1, "0.svg");
    expect_with_gnuplot(
        "#!/bin/sh\nfor i in 0 1 2 3 4 5 6 7 8 9; do echo '<svg><g>' >$i.svg; done\n", 1,
        "left a chart unfinished");
}

/* Would catch: Ctrl-C that waits for gnuplot, or ends with another code. */
static void an_interrupt_stops_gnuplot(void **state)
{
    (void)state;
    expect_with_gnuplot("#!/bin/sh\nkill -INT $PPID\nexec sleep 100\n", 130, "nothing was written");
}

/* Would catch: a full disk that is not noticed. */
static void a_full_disk_is_a_failure(void **state)
{
    (void)state;
    if (!has_gnuplot()) {
        skip();
    }
    fixture_expect(1, "cannot write '/dev/full': No space left on device",
                   ARGS("report", "--bench", "rows.jsonl", "-o", "/dev/full"));
    fixture_expect(1, "cannot create '/nonexistent/page.html'",
                   ARGS("report", "--bench", "rows.jsonl", "-o", "/nonexistent/page.html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_is_in_the_page),
        cmocka_unit_test(the_summary_has_the_numbers_of_the_files),
        cmocka_unit_test(what_is_not_known_is_a_dash),
        cmocka_unit_test(the_integer_networks_weights_are_counted),
        cmocka_unit_test(names_from_files_stay_text),
        cmocka_unit_test(bad_files_are_named_with_their_line),
        cmocka_unit_test(a_line_that_was_cut_off_says_what_to_do),
        cmocka_unit_test(predictions_must_fit_the_data_set),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(a_failure_leaves_the_old_page),
        cmocka_unit_test(a_gnuplot_that_fails_is_told),
        cmocka_unit_test(an_interrupt_stops_gnuplot),
        cmocka_unit_test(a_full_disk_is_a_failure),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
