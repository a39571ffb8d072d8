/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training on two ranks of this machine, against one process with the whole batch. Skipped where
 * the build has no MPI, or no mpirun is found.
 */
#include "../train/train_fixture.h"
#include "checkpoint/safetensors.h"
#include "comm/comm.h"
#include "run_command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGUMENTS 48
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int set_up(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    FILE *file = fopen(fixture_path("tiny.yaml"), "w");
    if (!file || fputs(fixture_recipe_text, file) < 0) {
        return -1;
    }
    return fclose(file);
}

static bool find_mpirun(bool *is_open_mpi)
{
    struct command_result result;
    run_command(&result, NULL, ARGS("sh", "-c", "mpirun --version 2>&1"));
    bool found = result.exit_code == 0;
    *is_open_mpi = strstr(result.out, "Open MPI") != NULL;
    command_result_free(&result);
    return found;
}

/* Run bittern-train with one thread on so many ranks ("1": without mpirun). */
static void run(struct command_result *result, const char *ranks, const char *const *arguments)
{
    static char data[300];
    static char folder[256];
    const char *all[MAX_ARGUMENTS] = {NULL};
    size_t count = 0;
    bool is_open_mpi = false;

    if (!comm_has_mpi() || !find_mpirun(&is_open_mpi)) {
        print_message("skipped: no MPI\n");
        skip();
    }
    (void)snprintf(data, sizeof data, "BITTERN_DATA=%s", fixture_path("data"));
    (void)snprintf(folder, sizeof folder, "%s", fixture_path("."));
    if (strcmp(ranks, "1") != 0) {
        all[count++] = "mpirun";
        all[count++] = "-n";
        all[count++] = ranks;
        if (is_open_mpi) {
            /* More ranks than cores; a user that containers have. */
            all[count++] = "--oversubscribe";
            all[count++] = "--allow-run-as-root";
        }
    }
    all[count++] = BITTERN_TRAIN_COMMAND;
    all[count++] = "tiny.yaml";
    all[count++] = "--threads";
    all[count++] = "1";
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(count + 1 < MAX_ARGUMENTS);
        all[count++] = arguments[i];
    }
    /* MPI itself leaks at its end. */
    const struct command_options options = {
        .folder = folder,
        .environment = ARGS(data, "OMP_NUM_THREADS=1", "ASAN_OPTIONS=detect_leaks=0",
                            "OMPI_MCA_btl_vader_single_copy_mechanism=none")};
    run_command(result, &options, all);
}

static void expect_success(const char *ranks, const char *const *arguments)
{
    struct command_result result;
    run(&result, ranks, arguments);
    if (result.exit_code != 0) {
        fail_msg("%s ranks: exit code %d: %s", ranks, result.exit_code, result.err);
    }
    /* one rank speaks */
    const char *said = strstr(result.out, "Float accuracy");
    assert_non_null(said);
    assert_null(strstr(said + 1, "Float accuracy"));
    command_result_free(&result);
}

static void assert_close(const struct safetensors_tensor *a, const struct safetensors_tensor *b)
{
    size_t count = 1;
    for (size_t d = 0; d < a->rank; d++) {
        assert_int_equal(a->shape[d], b->shape[d]);
        count *= a->shape[d];
    }
    for (size_t i = 0; i < count; i++) {
        double x = (double)((const float *)a->data)[i];
        double y = (double)((const float *)b->data)[i];
        if (!(fabs(x - y) <= 1e-4 * (1.0 + fabs(x)))) {
            fail_msg("%s[%zu] is %.9g on one rank, %.9g on two", a->name, i, x, y);
        }
    }
}

/* Would catch: batch statistics, gradients or regularizers of a part of the batch; images that two
 * ranks share, or none has. In f32 (bf16 rounds sums of another order to other values), and without
 * quantization and maximum pools, whose jumps and ties make rounding large. */
static void two_ranks_train_as_one_does(void **state)
{
    struct bittern_error err;
    struct safetensors *one = NULL;
    struct safetensors *two = NULL;
    const char *ranks[] = {"1", "2"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        expect_success(ranks[i], ARGS("--out", ranks[i], "--set", "weights.method=full", "--set",
                                      "network.activation=relu", "--set",
                                      "network.layers=4C5p0-AP2-8C5p0-AP2-32-10", "--set",
                                      "training.epochs=1", "--set", "training.optimizer=sgd",
                                      "--set", "training.learning_rate=0.02", "--set",
                                      "data.crop=2", "--precision", "f32", "--quiet"));
    }
    assert_ok(safetensors_read(fixture_path("1/last.safetensors"), &one, &err), &err);
    assert_ok(safetensors_read(fixture_path("2/last.safetensors"), &two, &err), &err);
    assert_int_equal(safetensors_count(one), safetensors_count(two));
    size_t compared = 0;
    for (size_t i = 0; i < safetensors_count(one); i++) {
        const struct safetensors_tensor *tensor = safetensors_get(one, i);
        const struct safetensors_tensor *other = safetensors_find(two, tensor->name);
        assert_non_null(other);
        /* Moments are gradients of late batches: a ReLU at its kink shows in them most. */
        if (tensor->type == SAFETENSORS_F32 && strncmp(tensor->name, "optimizer.", 10) != 0) {
            assert_close(tensor, other);
            compared++;
        }
    }
    assert_true(compared > 10);
    safetensors_free(one);
    safetensors_free(two);
}

/* Would catch: a method whose parameters go apart on two ranks, or an end that waits forever. */
static void sq_ends_with_its_program_on_two_ranks(void **state)
{
    (void)state;
    expect_success("2", ARGS("--out", "sq", "--set", "weights.method=sq", "--quiet"));
    FILE *file = fopen(fixture_path("sq/tiny.btn"), "rb");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

/* Would catch: a rank that waits for one that gave up, and N copies of one message. */
static void an_error_ends_all_ranks_with_one_message(void **state)
{
    struct command_result result;
    (void)state;
    run(&result, "3", ARGS("--out", "uneven"));
    assert_int_not_equal(result.exit_code, 0);
    const char *said = strstr(result.err, "does not divide among 3 processes");
    assert_non_null(said);
    assert_null(strstr(said + 1, "does not divide among 3 processes"));
    command_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ranks_train_as_one_does),
        cmocka_unit_test(sq_ends_with_its_program_on_two_ranks),
        cmocka_unit_test(an_error_ends_all_ranks_with_one_message),
    };
    return cmocka_run_group_tests(tests, set_up, fixture_remove_folder);
}
