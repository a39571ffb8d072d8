/* SPDX-License-Identifier: Apache-2.0 */
/* `bittern run --trace`: the waveform of chosen layers and its save file. */
#include "cli_fixture.h"
#include "kernel.h"
#include "waveform.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIGITS "--dataset", "digits", "--data", "data"
#define DEVICE "--device", "sim:tiny"

static const char *const model = BITTERN_SOURCE_DIR "/examples/lenet5-w2a2-digits.onnx";

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_program("any.btn");
    fixture_make_digits();
    return 0;
}

static long file_size(const char *name)
{
    struct stat info;
    if (stat(fixture_path(name), &info) != 0) {
        fail_msg("there is no %s", name);
    }
    return (long)info.st_size;
}

static void trace(const char *layers, const char *file)
{
    fixture_expect(0, "Accuracy",
                   ARGS("run", model, DIGITS, DEVICE, "--trace", layers, "--trace-out", file));
}

/* Would catch: a waveform of other cycles than the layer's, or of all. */
static void a_layers_waveform_is_a_part_of_the_whole(void **state)
{
    (void)state;
    trace("all", "all.fst");
    trace("layer:1", "one.fst");
    trace("layer:1-2", "two.fst");
    assert_true(file_size("one.fst") < file_size("two.fst"));
    assert_true(file_size("two.fst") < file_size("all.fst"));
    trace("layer:/features/features.4/Conv", "named.fst");
    assert_int_equal(file_size("named.fst"), file_size("one.fst"));
}

/* Would catch: a signal of the save file that the Verilog has under another name by now. */
static void every_signal_of_the_save_file_is_in_the_waveform(void **state)
{
    (void)state;
    void *library = NULL;
    const struct sim_model *tiny = NULL;
    char missing[256];
    struct bittern_error err;

    trace("layer:0", "layer0.fst");
    assert_true(file_size("layer0.gtkw") > 0);
    assert_ok(sim_model_load("tiny", "trace", &tiny, &library, &err), &err);
    assert_ok(waveform_write_save(tiny, fixture_path("layer0.fst"), missing, &err), &err);
    assert_string_equal(missing, "");
    assert_int_equal(waveform_write_save(tiny, "/none/such.fst", missing, &err), BITTERN_ERR_IO);
    (void)dlclose(library);
}

/* Would catch: a request that is not understood and runs all the same. */
static void wrong_requests_are_explained(void **state)
{
    (void)state;
    static const char *const layers[] = {
        "layer:5", "layer:-1", "layer:2-1", "layer:", "layer:no1", "conv1", "layer:1-9"};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        fixture_expect(2, "the layers are 0 (/features/features.0/Conv), 1",
                       ARGS("run", model, DIGITS, DEVICE, "--trace", layers[i]));
    }
    fixture_expect(2, "'--device sim' only", ARGS("run", model, DIGITS, "--trace", "all"));
    fixture_expect(2, "one job",
                   ARGS("run", model, DIGITS, DEVICE, "--trace", "all", "--jobs", "2"));
    fixture_expect(2, "--trace-out goes with --trace",
                   ARGS("run", model, DIGITS, DEVICE, "--trace-out", "x.fst"));
    fixture_expect(2, "no comma",
                   ARGS("run", model, DIGITS, DEVICE, "--trace", "all", "--trace-out", "a,b.fst"));
    fixture_expect(
        1, "cannot write",
        ARGS("run", model, DIGITS, DEVICE, "--trace", "all", "--trace-out", "no/such/folder.fst"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layers_waveform_is_a_part_of_the_whole),
        cmocka_unit_test(every_signal_of_the_save_file_is_in_the_waveform),
        cmocka_unit_test(wrong_requests_are_explained),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
