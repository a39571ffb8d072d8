/* SPDX-License-Identifier: Apache-2.0 */
/* `bittern bench` on simulated devices: what rows count, sweeps, differences, interrupts. */
#include "cli_fixture.h"
#include "sim_example.h"

#include <bittern/accelerator.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BENCH "bench", "--quiet"
#define PARTS 5

static const char *const lenet = BITTERN_SOURCE_DIR "/examples/lenet5-w2a2-digits.onnx";
static const char *const tfc = BITTERN_SOURCE_DIR "/examples/tfc-w1a1-digits.onnx";
static const char *const parts[PARTS] = {"compute_cycles", "weight_stall_cycles",
                                         "input_stall_cycles", "output_stall_cycles",
                                         "other_cycles"};

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_make_digits();
    return 0;
}

/* Rows of a file, or of standard output; to be deleted. */
static cJSON *parse_rows(const char *text)
{
    cJSON *rows = cJSON_CreateArray();
    while (*text) {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        cJSON *row = cJSON_ParseWithLength(text, (size_t)(end - text));
        assert_non_null(row);
        cJSON_AddItemToArray(rows, row);
        text = end + 1;
    }
    return rows;
}

static cJSON *read_rows(const char *name)
{
    char *text = fixture_read_text(name);
    cJSON *rows = parse_rows(text);
    free(text);
    return rows;
}

static cJSON *bench_rows(int exit_code, const char *const *arguments)
{
    struct command_result result;
    fixture_run(&result, arguments);
    if (result.exit_code != exit_code) {
        fail_msg("exit code %d: %s", result.exit_code, result.err);
    }
    cJSON *rows = parse_rows(result.out);
    command_result_free(&result);
    return rows;
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-6 * (fabs(a) + fabs(b)) + 1e-6) {
        fail_msg("%.9g is not %.9g", a, b);
    }
}

static double sum_of_parts(const cJSON *object)
{
    double sum = 0.0;
    for (size_t i = 0; i < PARTS; i++) {
        double part = fixture_number(object, parts[i]);
        assert_true(part > -1e-6);
        sum += part;
    }
    return sum;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Would catch: cycles that vary from run to run, or that go to no part of the account. */
static void cycles_are_the_same_on_every_run_and_add_up(void **state)
{
    (void)state;
    cJSON *rows = bench_rows(0, ARGS(BENCH, lenet, "--device", "sim:tiny", "--images", "10",
                                     "--batch", "4", "--repetitions", "3", "--json", "--clock",
                                     "50", "--dataset", "digits", "--data", "data"));
    const cJSON *row = cJSON_GetArrayItem(rows, 0);
    const cJSON *cycles = fixture_member(row, "whole.cycles");
    assert_int_equal(cJSON_GetArraySize(cycles), 3);
    double first = cJSON_GetArrayItem(cycles, 0)->valuedouble;
    assert_true(first == cJSON_GetArrayItem(cycles, 1)->valuedouble);
    assert_true(first == cJSON_GetArrayItem(cycles, 2)->valuedouble);
    double an_image = fixture_number(row, "whole.cycles_per_image");
    assert_near(an_image, first / 10.0);
    assert_near(sum_of_parts(fixture_member(row, "whole")), an_image);
    assert_near(fixture_number(row, "whole.images_per_second"), 50e6 / an_image);
    assert_near(fixture_number(row, "whole.first_image_seconds"),
                fixture_number(row, "whole.first_image_cycles") / 50e6);
    assert_near(fixture_number(row, "whole.utilization"),
                fixture_number(row, "whole.ideal_cycles_per_image") / an_image);
    double sum = 0.0;
    double ideal = 0.0;
    const cJSON *layer = NULL;
    cJSON_ArrayForEach(layer, fixture_member(row, "layers"))
    {
        double of_layer = fixture_number(layer, "cycles");
        assert_near(sum_of_parts(layer), of_layer);
        assert_near(fixture_number(layer, "intensity"),
                    fixture_number(layer, "macs") / (fixture_number(layer, "read_bytes") +
                                                     fixture_number(layer, "write_bytes")));
        ideal += fixture_number(layer, "ideal_cycles");
        sum += of_layer;
    }
    assert_true(sum > 0.5 * an_image && sum <= an_image);
    assert_near(ideal, fixture_number(row, "whole.ideal_cycles_per_image"));
    assert_int_equal(fixture_number(row, "agreement.different"), 0);
    assert_int_equal(fixture_number(row, "agreement.images"), 33);
    assert_int_equal(fixture_number(row, "accuracy.labelled"), 10);
    cJSON_Delete(rows);
    rows =
        bench_rows(0, ARGS(BENCH, lenet, "--device", "sim:tiny", "--images", "10", "--batch", "4",
                           "--jobs", "2", "--json", "--dataset", "digits", "--data", "data"));
    row = cJSON_GetArrayItem(rows, 0);
    assert_true(cJSON_GetArrayItem(fixture_member(row, "whole.cycles"), 0)->valuedouble == first);
    cJSON_Delete(rows);
}

/* What a program reads beside its layers, in records of 256 bytes a start; all that it writes is
 * the layers'. */
static double records_a_start(const char *program, const char *batch, double starts)
{
    cJSON *rows = bench_rows(0, ARGS(BENCH, program, "--device", "sim:tiny", "--images", "10",
                                     "--batch", batch, "--json"));
    const cJSON *row = cJSON_GetArrayItem(rows, 0);
    double read = fixture_number(row, "whole.read_bytes");
    double written = fixture_number(row, "whole.write_bytes");
    const cJSON *layer = NULL;
    cJSON_ArrayForEach(layer, fixture_member(row, "layers"))
    {
        assert_string_equal(fixture_string(layer, "bytes_source"), "planned");
        read -= fixture_number(layer, "read_bytes");
        written -= fixture_number(layer, "write_bytes");
    }
    assert_near(written, 0.0);
    cJSON_Delete(rows);
    return read * 10.0 / starts / 256.0;
}

/* Would catch: planned bytes that are not those that move. All that is not a layer's is what a
 * start reads of its own: the header and the segments, 256 bytes each. */
static void planned_bytes_are_the_counted_ones(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry tiny;
    uint64_t seed = 1;

    assert_near(records_a_start(lenet, "1", 10.0), records_a_start(lenet, "10", 1.0));
    assert_near(records_a_start(tfc, "1", 10.0), 2.0);
    assert_ok(bittern_geometry_find("tiny", &tiny, &err), &err);
    for (size_t i = 0; i < 12; i++, seed++) {
        struct sim_example example;
        struct bittern_accelerator_plan *plan = NULL;
        sim_example_make_fitting(&example, &seed, NULL, &tiny, 1);
        assert_ok(bittern_accelerator_plan_create(example.program, 1, &plan, &err), &err);
        assert_ok(bittern_program_write(example.program, fixture_path("random.btn"), &err), &err);
        double records = records_a_start("random.btn", i % 2 ? "3" : "10", i % 2 ? 4.0 : 1.0);
        if (fabs(records - 1.0 - (double)plan->segment_count) > 1e-6) {
            fail_msg("network of seed %llu: %g records, %zu segments", (unsigned long long)seed,
                     records, plan->segment_count);
        }
        bittern_accelerator_plan_free(plan);
        sim_example_free(&example);
    }
}

/* Would catch: a roofline of another geometry. */
static void the_roofline_is_the_geometrys(void **state)
{
    (void)state;
    cJSON *rows = bench_rows(
        0, ARGS(BENCH, tfc, "--device", "sim:tiny,bandwidth=0.5", "--images", "2", "--json"));
    const cJSON *row = cJSON_GetArrayItem(rows, 0);
    /* 32 bits a word, 8 channels, 2 pixels */
    assert_int_equal(fixture_number(row, "roofline.peak_macs_per_cycle.binary"), 512);
    assert_int_equal(fixture_number(row, "roofline.peak_macs_per_cycle.ternary"), 256);
    assert_int_equal(fixture_number(row, "roofline.peak_macs_per_cycle.int"), 64);
    assert_near(fixture_number(row, "roofline.bytes_per_cycle"), 2.0);
    cJSON_Delete(rows);
    fixture_expect(0, "Roofline", ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2"));
}

/* Would catch: cases of a sweep that are missing, or that are measured with other settings. */
static void sweeps_are_combined(void **state)
{
    (void)state;
    static const double latencies[] = {16.0, 256.0};
    static const double batches[] = {1.0, 4.0};
    cJSON *rows =
        bench_rows(0, ARGS(BENCH, tfc, "--device", "sim", "--images", "4", "--json", "--sweep",
                           "batch=1,4", "--sweep", "latency=16,256", "--sweep", "geometry=tiny"));
    double cycles[4];
    assert_int_equal(cJSON_GetArraySize(rows), 4);
    for (int i = 0; i < 4; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, i);
        assert_string_equal(fixture_string(row, "device.geometry.name"), "tiny");
        assert_near(fixture_number(row, "settings.batch"), batches[i / 2]);
        assert_near(fixture_number(row, "settings.latency_cycles"), latencies[i % 2]);
        cycles[i] = fixture_number(row, "whole.cycles_per_image");
    }
    assert_true(cycles[0] < cycles[1] && cycles[2] < cycles[3]);
    assert_true(cycles[2] < cycles[0] && cycles[3] < cycles[1]);
    cJSON_Delete(rows);
}

/* ---- Energy ---------------------------------------------------------------------------------- */

#define KINDS "{\"input\":1,\"lut\":2,\"carry\":1,\"register\":3}"
#define UNIT                                                                                       \
    "{\"toggles\":" KINDS ",\"routed\":" KINDS ",\"toggles_delayed\":" KINDS                       \
    ",\"routed_delayed\":" KINDS "}"

/* An activity file of round numbers for the program of a row. */
static void write_activity(const char *name, const cJSON *row, double crc32)
{
    char text[8192];
    int used =
        snprintf(text, sizeof text,
                 "{\"format\":\"bittern-activity\",\"version\":1,\"program\":{\"crc32\":%.0f,"
                 "\"geometry\":\"tiny\"},\"family\":\"xc7\",\"images\":2,\"dataset\":"
                 "\"random\",\"cycles\":1000,\"read_bytes\":1000,\"write_bytes\":100,"
                 "\"array\":{\"word_bits\":32,\"output_channels\":8,\"pixels\":2},"
                 "\"area\":{\"kernel\":{\"sites\":5000,\"registers\":6000,"
                 "\"feature_bram36\":8,\"weight_bram36\":4,\"dsp\":8},"
                 "\"unit\":{\"sites\":100,\"registers\":80}},\"layers\":[",
                 crc32);
    const cJSON *layer = NULL;
    cJSON_ArrayForEach(layer, fixture_member(row, "layers"))
    {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "%s{\"name\":\"%s\",\"mode\":\"%s\",\"cycles\":100,"
                         "\"enabled_cycles\":90,\"compute_cycles\":80,\"read_bytes\":200,"
                         "\"write_bytes\":10,\"unit\":" UNIT ",\"feature_memory\":"
                         "{\"read_toggles\":4,\"write_bytes\":20,\"write_toggles\":2},"
                         "\"weight_memory\":{\"reads\":1,\"read_toggles\":4,"
                         "\"write_toggles\":0.5}}",
                         layer == fixture_member(row, "layers")->child ? "" : ",",
                         fixture_string(layer, "name"), fixture_string(layer, "mode"));
        assert_true(used > 0 && (size_t)used < sizeof text);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "]}");
    fixture_write_bytes(name, text, (size_t)used);
}

/* Would catch: energy of another program, without its source, or that does not come from the row:
 * at half the clock all takes twice as long, and what leaks away doubles. */
static void energy_is_modelled_from_the_activity_of_the_program(void **state)
{
    (void)state;
    static const char *const clocks[] = {"100", "50"};
    double leaks[2];
    cJSON *rows =
        bench_rows(0, ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--json"));
    const cJSON *row = cJSON_GetArrayItem(rows, 0);
    double crc32 = fixture_number(row, "program.crc32");
    assert_true(cJSON_IsNull(fixture_member(row, "energy")));
    write_activity("activity.json", row, crc32);
    write_activity("other.json", row, crc32 > 1.0 ? crc32 - 1.0 : 1.0);
    cJSON_Delete(rows);
    for (size_t i = 0; i < 2; i++) {
        rows = bench_rows(0, ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--json",
                                  "--clock", clocks[i], "--activity", "other.json", "--activity",
                                  "activity.json"));
        row = cJSON_GetArrayItem(rows, 0);
        double low = fixture_number(row, "energy.joules_per_image.low");
        double nominal = fixture_number(row, "energy.joules_per_image.nominal");
        assert_string_equal(fixture_string(row, "energy.source"), "model");
        assert_true(low > 0.0 && low <= nominal);
        assert_true(nominal <= fixture_number(row, "energy.joules_per_image.high"));
        assert_int_equal(cJSON_GetArraySize(fixture_member(row, "energy.layers")),
                         cJSON_GetArraySize(fixture_member(row, "layers")));
        leaks[i] = fixture_number(row, "energy.parts.static.nominal");
        cJSON_Delete(rows);
    }
    assert_near(leaks[1], 2.0 * leaks[0]);
    fixture_expect(
        0, "model: ",
        ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--activity", "activity.json"));
    rows = bench_rows(0, ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--json",
                              "--activity", "other.json"));
    assert_true(cJSON_IsNull(fixture_member(cJSON_GetArrayItem(rows, 0), "energy")));
    cJSON_Delete(rows);
    fixture_expect(1, "no activity file is of this program",
                   ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--activity",
                        "other.json", "--energy", "model"));
    fixture_expect(
        1, "cannot open 'none.json'",
        ARGS(BENCH, tfc, "--device", "sim:tiny", "--images", "2", "--activity", "none.json"));
    fixture_expect(2, "needs --activity",
                   ARGS(BENCH, tfc, "--device", "sim:tiny", "--energy", "model"));
    fixture_expect(2, "not 'wind'", ARGS(BENCH, tfc, "--energy", "wind"));
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

/* Would catch: cycles that vary and are reported as if they did not. */
static void cycles_that_vary_are_an_error(void **state)
{
    (void)state;
    fixture_expect(
        1, "must take the same each time",
        ARGS(BENCH, tfc, "--device", "sim:tiny,stall=10", "--images", "3", "--repetitions", "2"));
    fixture_expect(0, "cycles/image",
                   ARGS(BENCH, tfc, "--device", "sim:tiny,stall=10", "--images", "3"));
}

/* Would catch: wrong values that pass as a result. A bit of an input image is inverted on its way:
 * it has no check sum. Which beats are an image's depends on the order of reads. */
static void a_difference_is_written_and_fails(void **state)
{
    (void)state;
    bool found = false;
    for (size_t beat = 700; !found && beat < 2000; beat += 50) {
        struct command_result result;
        char device[64];
        (void)snprintf(device, sizeof device, "sim:tiny,fault=flip@%zu.3", beat);
        fixture_run(&result, ARGS(BENCH, lenet, "--device", device, "--images", "2", "--json"));
        if (result.exit_code == 1 && strstr(result.err, "values differ")) {
            cJSON *rows = parse_rows(result.out);
            assert_true(fixture_number(cJSON_GetArrayItem(rows, 0), "agreement.different") > 0.0);
            cJSON_Delete(rows);
            found = true;
        }
        command_result_free(&result);
    }
    assert_true(found);
}

/* Would catch: a program for another geometry that takes the others with it. */
static void a_geometry_that_does_not_fit_is_told(void **state)
{
    (void)state;
    fixture_expect(0, NULL, ARGS("compile", tfc, "--geometry", "edge", "-o", "edge.btn"));
    fixture_expect(1, "--geometry tiny",
                   ARGS(BENCH, "edge.btn", tfc, "--device", "sim:tiny", "--images", "2", "--out",
                        "fit.jsonl"));
    cJSON *rows = read_rows("fit.jsonl");
    assert_int_equal(cJSON_GetArraySize(rows), 1);
    cJSON_Delete(rows);
    fixture_expect(1, NULL,
                   ARGS(BENCH, tfc, "--device", "sim:none", "--images", "2", "--out", "no.jsonl"));
}

#define SLOW                                                                                       \
    BENCH, lenet, "--device", "sim:tiny", "--images", "60", "--batch", "2", "--jobs", "1",         \
        "--out", "slow.jsonl", "--sweep", "latency=16,32,64"

/* Would catch: rows that Ctrl-C takes along, halves that it leaves, or an exit code that hides it.
 */
static void an_interrupt_keeps_the_finished_rows(void **state)
{
    (void)state;
    const char *const arguments[] = {"bittern", SLOW, NULL};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (chdir(fixture_path("")) == 0 && freopen("/dev/null", "w", stderr) &&
            freopen("/dev/null", "w", stdout)) {
            execv(BITTERN_COMMAND, (char *const *)(uintptr_t)arguments);
        }
        _exit(99);
    }
    int rows_then = 0;
    for (size_t i = 0; i < 6000 && rows_then == 0; i++) {
        usleep(10000);
        FILE *file = fopen(fixture_path("slow.jsonl"), "rb");
        rows_then = file && fgetc(file) != EOF;
        if (file) {
            (void)fclose(file);
        }
    }
    assert_int_equal(kill(child, SIGINT), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    cJSON *rows = read_rows("slow.jsonl");
    int kept = cJSON_GetArraySize(rows);
    assert_true(kept >= 1 && kept < 3);
    cJSON_Delete(rows);
    fixture_expect(0, NULL, ARGS(SLOW, "--resume"));
    rows = read_rows("slow.jsonl");
    assert_int_equal(cJSON_GetArraySize(rows), 3);
    cJSON_Delete(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycles_are_the_same_on_every_run_and_add_up),
        cmocka_unit_test(planned_bytes_are_the_counted_ones),
        cmocka_unit_test(the_roofline_is_the_geometrys),
        cmocka_unit_test(sweeps_are_combined),
        cmocka_unit_test(energy_is_modelled_from_the_activity_of_the_program),
        cmocka_unit_test(cycles_that_vary_are_an_error),
        cmocka_unit_test(a_difference_is_written_and_fails),
        cmocka_unit_test(a_geometry_that_does_not_fit_is_told),
        cmocka_unit_test(an_interrupt_keeps_the_finished_rows),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
