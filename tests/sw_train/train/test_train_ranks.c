/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of the trainer on two ranks: stopped and resumed. Ranks share a folder that the test
 * makes; its path is in the environment.
 */
#include "checkpoint/safetensors.h"
#include "comm/ranks.h"
#include "testing.h"
#include "train/trainer.h"

#include <bittern/dataset.h>
#include <ftw.h>
#include <string.h>

#define FOLDER_VARIABLE "BITTERN_TEST_FOLDER"

static const char recipe_text[] = "title: a small network on drawn digits\n"
                                  "name: small\n"
                                  "data:\n"
                                  "  set: digits\n"
                                  "  crop: 2\n"
                                  "network:\n"
                                  "  layers: 4C5p0-MP2-8C5p0-MP2-16-10\n"
                                  "  activation: sign\n"
                                  "  order: norm-act-conv-pool\n"
                                  "weights:\n"
                                  "  method: sttn\n"
                                  "training:\n"
                                  "  epochs: 2\n"
                                  "  batch: 40\n"
                                  "  learning_rate: 0.005\n"
                                  "  schedule: {kind: cosine}\n"
                                  "  statistics_batches: 3\n";

/* ---- Roles, on each rank --------------------------------------------------------------------- */

struct stop {
    size_t calls; /* until this rank asks to stop; 0: never */
};

static int count_down(void *user, const struct trainer_progress *progress)
{
    struct stop *stop = user;
    (void)progress;
    return stop->calls > 0 && --stop->calls == 0;
}

static void folder_path(char *path, size_t size, const char *name)
{
    const char *folder = getenv(FOLDER_VARIABLE);
    ROLE_CHECK(folder != NULL);
    (void)snprintf(path, size, "%s/%s", folder, name);
}

/* A run in FOLDER/name. @return its status */
static bittern_status run_training(struct comm *comm, const char *name, bool resume, size_t calls,
                                   struct bittern_error *err)
{
    char data[512];
    char folder[512];
    static struct recipe recipe;
    struct trainer_result result;
    struct stop stop = {calls};
    folder_path(data, sizeof(data), "data");
    folder_path(folder, sizeof(folder), name);
    ROLE_OK(recipe_parse(recipe_text, sizeof(recipe_text) - 1, "small.yaml", false, NULL, 0,
                         &recipe, err),
            err);
    const struct trainer_options options = {.data_dir = data,
                                            .folder = folder,
                                            .resume = resume,
                                            .seed = 4,
                                            .threads = 1,
                                            .precision = BACKEND_PRECISION_F32,
                                            .comm = comm,
                                            .progress = count_down,
                                            .user = &stop};
    bittern_status status = trainer_run(&recipe, &options, &result, err);
    trainer_result_clear(&result);
    /* Rank 0 has written its files before anybody reads them. */
    (void)comm_any(comm, false);
    return status;
}

static size_t tensor_bytes(const struct safetensors_tensor *tensor)
{
    static const size_t sizes[] = {
        [SAFETENSORS_F32] = 4, [SAFETENSORS_U64] = 8, [SAFETENSORS_U8] = 1};
    return safetensors_tensor_values(tensor) * sizes[tensor->type];
}

static void compare_checkpoints(const char *name, const char *other_name)
{
    char path[512];
    struct bittern_error err;
    struct safetensors *file = NULL;
    struct safetensors *other = NULL;
    folder_path(path, sizeof(path), name);
    ROLE_OK(safetensors_read(path, &file, &err), &err);
    folder_path(path, sizeof(path), other_name);
    ROLE_OK(safetensors_read(path, &other, &err), &err);
    ROLE_CHECK(safetensors_count(file) > 10);
    ROLE_CHECK(safetensors_count(file) == safetensors_count(other));
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_tensor *a = safetensors_get(file, i);
        const struct safetensors_tensor *b = safetensors_find(other, a->name);
        ROLE_CHECK(b != NULL && a->type == b->type && tensor_bytes(a) == tensor_bytes(b));
        if (memcmp(a->data, b->data, tensor_bytes(a)) != 0) {
            (void)fprintf(stderr, "tensor %s differs\n", a->name);
            exit(1);
        }
    }
    safetensors_free(file);
    safetensors_free(other);
}

/* The last rank asks to stop in the midst of each epoch. */
static int play_resume(const char *count)
{
    struct bittern_error err;
    struct comm *comm = ranks_join(count);
    bool asks = comm_rank(comm) == comm_size(comm) - 1;
    ROLE_OK(run_training(comm, "through", false, 0, &err), &err);
    ROLE_CHECK(run_training(comm, "stopped", false, asks ? 4 : 0, &err) == BITTERN_ERR_CANCELLED);
    ROLE_CHECK(run_training(comm, "stopped", true, asks ? 9 : 0, &err) == BITTERN_ERR_CANCELLED);
    ROLE_OK(run_training(comm, "stopped", true, 0, &err), &err);
    if (comm_rank(comm) == 0) {
        compare_checkpoints("through/last.safetensors", "stopped/last.safetensors");
    }
    return ranks_leave(comm);
}

/* Each rank has a folder of its own, with a checkpoint of another step. */
static int play_split(const char *count)
{
    struct bittern_error err;
    struct comm *comm = ranks_join(count);
    char name[32];
    (void)snprintf(name, sizeof(name), "own%zu", comm_rank(comm));
    ROLE_CHECK(run_training(NULL, name, false, 2 + comm_rank(comm), &err) == BITTERN_ERR_CANCELLED);
    bittern_status status = run_training(comm, name, true, 0, &err);
    if (comm_rank(comm) == 0) {
        ROLE_CHECK(status == BITTERN_ERR_CANCELLED);
    } else {
        ROLE_CHECK(status == BITTERN_ERR_MISMATCH);
        ROLE_CHECK(strstr(err.message, "process 1 goes on from step 3, the first one from step 2"));
    }
    return ranks_leave(comm);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/bittern-train-ranks-XXXXXX";

static int make_folder(void **state)
{
    struct bittern_error err;
    char data[512];
    const struct bittern_digits_options digits = {.seed = 3, .train_count = 240, .test_count = 70};
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv(FOLDER_VARIABLE, folder, 1), 0);
    folder_path(data, sizeof(data), "data");
    assert_ok(bittern_dataset_make_digits(data, &digits, &err), &err);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Would catch: state that only rank 0 restores, a rank that goes on where another stops, sums whose
 * order changes from run to run. */
static void run_resumed_on_two_ranks_has_the_bits_of_one_that_went_through(void **state)
{
    size_t done = 0;
    (void)state;
    ranks_need_mpirun();
    assert_int_equal(ranks_run_role("2", "resume", &done), 0);
    assert_int_equal(done, 2);
}

/* Would catch: ranks that train on from different weights, or wait for each other for ever. */
static void ranks_with_different_checkpoints_are_refused(void **state)
{
    size_t done = 0;
    (void)state;
    ranks_need_mpirun();
    assert_int_equal(ranks_run_role("2", "split", &done), 0);
    assert_int_equal(done, 2);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return strcmp(argv[1], "split") == 0 ? play_split(argv[2]) : play_resume(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_resumed_on_two_ranks_has_the_bits_of_one_that_went_through),
        cmocka_unit_test(ranks_with_different_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
