/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are stopped and go on: with the same bits, or with a clear refusal. */
#include "train_fixture.h"

#include "checkpoint/checkpoint.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct recipe recipe; /* large for a stack */

/* Stop at the given places one after the other, then run to the end. */
static void train_with_stops(const char *name, const struct fixture_stop *stops, size_t count,
                             struct trainer_result *result)
{
    struct bittern_error err;
    struct trainer_options options = fixture_options(name);
    for (size_t i = 0; i < count; i++) {
        struct fixture_stop stop = stops[i];
        options.resume = i > 0;
        options.progress = fixture_stop_progress;
        options.user = &stop;
        if (trainer_run(&recipe, &options, result, &err) != BITTERN_ERR_CANCELLED) {
            fail_msg("stop %zu: %s", i, err.message);
        }
    }
    options = fixture_options(name);
    options.resume = true;
    assert_ok(trainer_run(&recipe, &options, result, &err), &err);
}

/* The epochs of a run's metrics, as text without what the clock says; to be freed. */
static char *read_epochs(const char *name)
{
    static const char *const of_clock[] = {"seconds", "images_per_second", "loader_wait_seconds"};
    char file[96];
    size_t size = 0;
    (void)snprintf(file, sizeof file, "%s/metrics.jsonl", name);
    char *text = fixture_read(fixture_path(file), &size);
    char *rest = NULL;
    cJSON *epochs = cJSON_CreateArray();
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        cJSON *epoch = cJSON_Parse(line);
        assert_non_null(epoch);
        if (!cJSON_HasObjectItem(epoch, "epoch")) {
            cJSON_Delete(epoch); /* the result */
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            assert_true(cJSON_GetObjectItem(epoch, of_clock[i])->valuedouble >= 0.0);
            cJSON_DeleteItemFromObject(epoch, of_clock[i]);
        }
        assert_true(cJSON_AddItemToArray(epochs, epoch));
    }
    assert_int_equal(cJSON_GetArraySize(epochs), recipe.training.epochs);
    char *compared = cJSON_PrintUnformatted(epochs);
    cJSON_Delete(epochs);
    free(text);
    return compared;
}

static void assert_same_metrics(const char *name, const char *other)
{
    char *a = read_epochs(name);
    char *b = read_epochs(other);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* One run in one go, one stopped in an epoch, in a test, and at an epoch's end. */
static void check_resume(const char *name, const char *const *changes)
{
    static const struct fixture_stop stops[] = {{TRAINER_TRAIN, 3},
                                                {TRAINER_TRAIN, 1},
                                                {TRAINER_TEST, 2},
                                                {TRAINER_EPOCH_END, 1},
                                                {TRAINER_TRAIN, 7}};
    char one[64];
    char other[64];
    struct bittern_error err;
    struct trainer_result whole;
    struct trainer_result stopped;

    fixture_recipe(&recipe, changes);
    (void)snprintf(one, sizeof one, "%s-whole", name);
    (void)snprintf(other, sizeof other, "%s-stopped", name);
    const struct trainer_options options = fixture_options(one);
    assert_ok(trainer_run(&recipe, &options, &whole, &err), &err);
    train_with_stops(other, stops, sizeof stops / sizeof stops[0], &stopped);
    assert_true(whole.float_accuracy == stopped.float_accuracy);
    assert_true(whole.best_accuracy == stopped.best_accuracy);
    assert_int_equal(whole.best_epoch, stopped.best_epoch);
    assert_same_metrics(one, other);
    (void)snprintf(one, sizeof one, "%s-whole/last.safetensors", name);
    (void)snprintf(other, sizeof other, "%s-stopped/last.safetensors", name);
    fixture_assert_same_tensors(fixture_path(one), fixture_path(other));
    trainer_result_clear(&whole);
    trainer_result_clear(&stopped);
}

/* Would catch: anything that a step depends on and that no checkpoint holds: moments, Adam's step
 * count, running statistics, the order of images, the schedule's place, sums of the metrics. */
static void twn_resumes_with_the_same_bits(void **state)
{
    (void)state;
    check_resume("twn", CHANGES("training.epochs=2", "data.crop=2", "data.flip=true",
                                "training.schedule.kind=cosine"));
}

/* Would catch: drawn signs or dropped values that depend on when the run was started. */
static void stochastic_binaryconnect_with_dropout_resumes_with_the_same_bits(void **state)
{
    (void)state;
    check_resume("bc",
                 CHANGES("weights.method=binaryconnect", "weights.stochastic=true",
                         "network.layers=4C5p0-MP2-D0.2-32-D0.5-10", "training.loss=squared-hinge",
                         "training.optimizer=sgd", "training.momentum=0.9"));
}

/* Would catch: SQ's threshold, which comes from the initial weights, made anew from later ones. */
static void sq_resumes_with_the_same_bits(void **state)
{
    (void)state;
    check_resume("sq", CHANGES("weights.method=sq"));
}

/* Would catch: a second kernel that is not saved. */
static void sttn_resumes_with_the_same_bits(void **state)
{
    (void)state;
    check_resume("sttn", CHANGES("weights.method=sttn", "network.activation=ternary",
                                 "network.order=norm-act-conv-pool"));
}

/* Would catch: TTQ's scales that are not saved. */
static void ttq_resumes_with_the_same_bits(void **state)
{
    (void)state;
    check_resume("ttq", CHANGES("weights.method=ttq"));
}

/* Would catch: a checkpoint in between that changes what comes after it. */
static void saving_often_changes_nothing(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("rarely");
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=1"));
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
    options = fixture_options("often");
    options.checkpoint_seconds = 1e-9;
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
    fixture_assert_same_tensors(fixture_path("rarely/last.safetensors"),
                                fixture_path("often/last.safetensors"));
}

/* Would catch: a seed that is not used. */
static void another_seed_gives_other_weights(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("seed");
    size_t size = 0;
    size_t other_size = 0;
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=1"));
    options.seed = 6;
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
    char *bytes = fixture_read(fixture_path("seed/last.safetensors"), &size);
    char *other = fixture_read(fixture_path("rarely/last.safetensors"), &other_size);
    assert_true(size != other_size || memcmp(bytes, other, size) != 0);
    free(bytes);
    free(other);
}

static void keep_warning(void *user, const char *message)
{
    (void)snprintf(user, 512, "%s", message);
}

/* Goes on with so many threads; what was warned of, and result.json's word on it. */
static bool resume_mixed(const char *name, size_t threads, char warning[512])
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options(name);
    char file[96];
    size_t size = 0;
    options.resume = true;
    options.threads = threads;
    options.warn = keep_warning;
    options.user = warning;
    warning[0] = '\0';
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
    (void)snprintf(file, sizeof file, "%s/result.json", name);
    char *text = fixture_read(fixture_path(file), &size);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    bool mixed = cJSON_IsTrue(cJSON_GetObjectItem(json, "mixed"));
    cJSON_Delete(json);
    free(text);
    return mixed;
}

/* Would catch: a run of several machines that passes for one that can be repeated bit for bit. */
static void another_number_of_threads_is_warned_of_and_remembered(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("threads");
    struct fixture_stop stop = {TRAINER_TRAIN, 3};
    char warning[512];
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=1"));
    options.progress = fixture_stop_progress;
    options.user = &stop;
    assert_int_equal(trainer_run(&recipe, &options, &result, &err), BITTERN_ERR_CANCELLED);
    assert_false(resume_mixed("threads", 2, warning));
    assert_string_equal(warning, "");

    stop = (struct fixture_stop){TRAINER_TRAIN, 3};
    options.replace = true;
    assert_int_equal(trainer_run(&recipe, &options, &result, &err), BITTERN_ERR_CANCELLED);
    assert_true(resume_mixed("threads", 1, warning));
    assert_non_null(strstr(warning, "2 threads; 1 process' so far"));
    assert_non_null(strstr(warning, "1 thread; 1 process'"));
    assert_true(resume_mixed("threads", 1, warning));
    assert_string_equal(warning, "");
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void make_run(const char *name)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options(name);
    options.replace = true;
    fixture_recipe(&recipe, CHANGES("training.epochs=1"));
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
}

/* Would catch: a run that overwrites an older one by mistake. */
static void a_run_in_the_folder_is_neither_overwritten_nor_mixed(void **state)
{
    struct trainer_options options = fixture_options("other");
    size_t size = 0;
    size_t size_after = 0;
    (void)state;
    make_run("other");
    char *before = fixture_read(fixture_path("other/last.safetensors"), &size);
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "holds a run already");
    options.resume = true;
    options.seed = 77;
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "seed 5, not 77");
    options.seed = 5;
    fixture_recipe(&recipe, CHANGES("training.epochs=1", "training.batch=20"));
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "training.batch");
    fixture_recipe(&recipe, CHANGES("training.epochs=1", "network.layers=16-10"));
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "network.layers");
    char *after = fixture_read(fixture_path("other/last.safetensors"), &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    free(before);
    free(after);
}

/* Would catch: files of a run that still trains, deleted before it is found to be there. */
static void a_run_at_work_keeps_its_files_where_another_one_would_replace_it(void **state)
{
    struct bittern_error err;
    struct metrics *at_work = NULL;
    struct trainer_options options = fixture_options("busy");
    size_t size = 0;
    (void)state;
    make_run("busy");
    assert_ok(metrics_open(options.folder, 1, &at_work, &err), &err);
    options.replace = true;
    fixture_expect(&recipe, &options, BITTERN_ERR_IO, "another run writes into");
    metrics_close(at_work);
    free(fixture_read(fixture_path("busy/last.safetensors"), &size));
    free(fixture_read(fixture_path("busy/best.safetensors"), &size));
    free(fixture_read(fixture_path("busy/result.json"), &size));
}

/* Would catch: words in a recipe that keep a run from being resumed. */
static void a_new_title_does_not_keep_a_run_from_resuming(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("title");
    (void)state;
    make_run("title");
    fixture_recipe(&recipe, CHANGES("training.epochs=1", "title=another one",
                                    "training.statistics_batches=3"));
    options.resume = true;
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
}

/* Would catch: resuming that starts anew where there is nothing, or trusts half a file. */
static void a_missing_or_truncated_checkpoint_is_refused(void **state)
{
    struct trainer_options options = fixture_options("nothing");
    const char *path = fixture_path("cut/last.safetensors");
    size_t size = 0;
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.epochs=1"));
    options.resume = true;
    fixture_expect(&recipe, &options, BITTERN_ERR_NOT_FOUND, "nothing to resume");
    make_run("cut");
    options = fixture_options("cut");
    options.resume = true;
    char *bytes = fixture_read(path, &size);
    for (size_t cut = 0; cut < size; cut += size / 7 + 1) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, cut, file), cut);
        assert_int_equal(fclose(file), 0);
        fixture_expect(&recipe, &options, BITTERN_ERR_FORMAT, "last.safetensors");
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twn_resumes_with_the_same_bits),
        cmocka_unit_test(stochastic_binaryconnect_with_dropout_resumes_with_the_same_bits),
        cmocka_unit_test(sq_resumes_with_the_same_bits),
        cmocka_unit_test(sttn_resumes_with_the_same_bits),
        cmocka_unit_test(ttq_resumes_with_the_same_bits),
        cmocka_unit_test(saving_often_changes_nothing),
        cmocka_unit_test(another_seed_gives_other_weights),
        cmocka_unit_test(another_number_of_threads_is_warned_of_and_remembered),
        cmocka_unit_test(a_run_in_the_folder_is_neither_overwritten_nor_mixed),
        cmocka_unit_test(a_run_at_work_keeps_its_files_where_another_one_would_replace_it),
        cmocka_unit_test(a_new_title_does_not_keep_a_run_from_resuming),
        cmocka_unit_test(a_missing_or_truncated_checkpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_make_folder, fixture_remove_folder);
}
