/* SPDX-License-Identifier: Apache-2.0 */
/* scripts/xrt-emu.sh with `bittern run` as a user has them, and what goes wrong before a run. */
#include "cli_fixture.h"
#include "xclbin_parts.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS "--dataset", "digits", "--data", "data"
#define EMULATE script, "--build", BUILD_FOLDER
#define RUN BITTERN_COMMAND, "run", model, DIGITS

static const char *const script = BITTERN_SOURCE_DIR "/scripts/xrt-emu.sh";
static const char *const model = BITTERN_SOURCE_DIR "/examples/lenet5-w2a2-digits.onnx";

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_make_digits();
    return 0;
}

/* In the fixture's folder; `part` must be in what was said on stderr (failures) or stdout. */
static void expect(int exit_code, const char *part, const char *const *environment,
                   const char *const *arguments)
{
    struct command_result result;
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", fixture_path(""));
    const struct command_options options = {.folder = folder, .environment = environment};

    run_command(&result, &options, arguments);
    const char *text = exit_code == 0 ? result.out : result.err;
    if (result.exit_code != exit_code || !strstr(text, part)) {
        fail_msg("exit code %d, not %d with '%s':\n%s%s", result.exit_code, exit_code, part,
                 result.out, result.err);
    }
    command_result_free(&result);
}

static char *read_text(const char *name)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(fixture_path(name), "rb");
    assert_true(text && file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

/* Would catch: any score that differs; lines of XRT in what another program reads. The units share
 * the work of two jobs. */
static void an_emulated_run_equals_the_reference_in_every_score(void **state)
{
    (void)state;
    struct command_result result;
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", fixture_path(""));
    const struct command_options options = {
        .folder = folder, .environment = ARGS("BITTERN_BACKENDS=" BUILD_FOLDER "/host")};

    expect(0, "Accuracy", NULL, ARGS(RUN, "--images", "12", "--predictions", "r.csv"));
    /* A program of this test's own: XRT writes beside it. */
    expect(0, "", NULL, ARGS("cp", BITTERN_COMMAND, "own-bittern"));
    run_command(&result, &options,
                ARGS(EMULATE, "--geometry", "tiny", "--units", "2", "./own-bittern", "run", model,
                     DIGITS, "--images", "12", "--predictions", "x.csv", "--device", "xrt",
                     "--jobs", "2", "--batch", "3", "--profile", "--json"));
    if (result.exit_code != 0) {
        fail_msg("%s", result.err);
    }
    cJSON *json = cJSON_Parse(result.out);
    assert_non_null(json);
    assert_string_equal(fixture_string(json, "device.geometry.name"), "tiny");
    assert_true(fixture_number(json, "counters.cycles") > 0);
    cJSON_Delete(json);
    command_result_free(&result);

    char *reference = read_text("r.csv");
    char *emulated = read_text("x.csv");
    assert_string_equal(reference, emulated);
    free(reference);
    free(emulated);
    glob_t found;
    assert_int_equal(glob(fixture_path("*.log"), 0, NULL, &found), GLOB_NOMATCH);
}

/* Would catch: a driver that goes another way where the card is emulated. */
static void nothing_in_the_driver_knows_of_emulation(void **state)
{
    (void)state;
    static const char *const files[] = {BUILD_FOLDER "/host/libbittern-backend-xrt.so",
                                        BITTERN_COMMAND};
    static const char *const words[] = {"XCL_EMULATION", "EMULATION_SOCKETID", "EMCONFIG_PATH"};
    for (size_t i = 0; i < 2; i++) {
        struct command_result result;
        for (size_t word = 0; word < sizeof words / sizeof words[0]; word++) {
            run_command(&result, NULL, ARGS("grep", "-c", "-a", words[word], files[i]));
            if (result.exit_code != 1) {
                fail_msg("%s holds %s", files[i], words[word]);
            }
            command_result_free(&result);
        }
    }
}

static void make_xclbin(const char *name, const char *geometry, const char *kernel)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct bittern_error err;
    const struct xclbin_design design = {geometry, 1};

    assert_ok(xclbin_make(&design, &data, &size, &err), &err);
    if (kernel) {
        /* Another name of the same length, everywhere. */
        for (size_t i = 0; i + strlen(XCLBIN_KERNEL) <= size; i++) {
            if (memcmp(data + i, XCLBIN_KERNEL, strlen(XCLBIN_KERNEL)) == 0) {
                memcpy(data + i, kernel, strlen(XCLBIN_KERNEL));
            }
        }
    }
    fixture_write_bytes(name, data, size);
    fixture_write_bytes("short.xclbin", data, size - 100);
    free(data);
}

/* Would catch: a crash of XRT, or a wait for ever, where a word would do. */
static void wrong_files_are_named(void **state)
{
    (void)state;
    static const char text[1000] = "not an xclbin";
    make_xclbin("other.xclbin", "tiny", "another_kernel");
    fixture_write_bytes("none.xclbin", text, sizeof text);
    expect(1, "cut off", NULL, ARGS(EMULATE, "--xclbin", "short.xclbin", RUN, "--device", "xrt"));
    expect(1, "there is no kernel 'bittern_kernel'", NULL,
           ARGS(EMULATE, "--xclbin", "other.xclbin", RUN, "--device", "xrt"));
    expect(1, "nonesuch.xclbin", NULL,
           ARGS(EMULATE, RUN, "--device", "xrt:0,xclbin=nonesuch.xclbin"));
    expect(1, "no .xclbin", NULL, ARGS(EMULATE, RUN, "--device", "xrt:0,xclbin=none.xclbin"));
}

/* Would catch: a program for one geometry that runs on another. */
static void a_program_of_another_geometry_is_refused(void **state)
{
    (void)state;
    make_xclbin("tiny.xclbin", "tiny", NULL);
    expect(0, "", NULL,
           ARGS(BITTERN_COMMAND, "compile", "--geometry", "edge", model, "-o", "edge.btn"));
    expect(1, "compile the model again", NULL,
           ARGS(EMULATE, "--xclbin", "tiny.xclbin", BITTERN_COMMAND, "run", "edge.btn", DIGITS,
                "--device", "xrt"));
}

static void without_a_card_there_is_a_message(void **state)
{
    (void)state;
    static const char *const nothing[] = {"XILINX_XRT", "XCL_EMULATION_MODE", NULL};
    static const char *const elsewhere[] = {"XILINX_XRT=/nonesuch", NULL};
    expect(1, "XILINX_XRT", nothing, ARGS(RUN, "--device", "xrt"));
    expect(1, "/nonesuch", elsewhere, ARGS(RUN, "--device", "xrt"));
    /* XRT itself, not emulated, and no card in this machine: or it runs. */
    struct command_result result;
    run_command(&result, NULL,
                ARGS(EMULATE, "env", "-u", "XCL_EMULATION_MODE", BITTERN_COMMAND, "run", model,
                     "--device", "xrt"));
    assert_true(result.exit_code == 0 || strstr(result.err, "no such card") ||
                strstr(result.err, "xclbin"));
    command_result_free(&result);
}

/* Would catch: an exit code, input or output that does not pass through; a folder left behind. */
static void the_script_is_transparent(void **state)
{
    (void)state;
    static const char gone[] = "folder=$(\"$@\" sh -c 'echo $EMCONFIG_PATH'); "
                               "[ -n \"$folder\" ] && [ ! -e \"$folder\" ] && echo gone";
    expect(7, "to stderr", NULL, ARGS(EMULATE, "sh", "-c", "echo to stderr >&2; exit 7"));
    expect(0, "/tmp/bittern-xrt.", NULL, ARGS(EMULATE, "sh", "-c", "echo $EMCONFIG_PATH"));
    expect(137, "", NULL, ARGS(EMULATE, "sh", "-c", "kill -KILL $$"));
    expect(0, "gone", NULL, ARGS("sh", "-c", gone, "sh", EMULATE));
    expect(0, "words", NULL, ARGS("sh", "-c", "echo words | \"$@\" cat", "sh", EMULATE));
    expect(2, "--nonesuch", NULL, ARGS(EMULATE, "--nonesuch"));
    expect(2, "COMMAND", NULL, ARGS(EMULATE));
    expect(1, "geometry", NULL, ARGS(EMULATE, "--geometry", "nonesuch", "true"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emulated_run_equals_the_reference_in_every_score),
        cmocka_unit_test(nothing_in_the_driver_knows_of_emulation),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(a_program_of_another_geometry_is_refused),
        cmocka_unit_test(without_a_card_there_is_a_message),
        cmocka_unit_test(the_script_is_transparent),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
