/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in a run: each a clear error, with nothing lost. */
#include "train_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct recipe recipe; /* large for a stack */

/* Would catch: hours of training on numbers that are none, or a checkpoint full of them. */
static void a_loss_that_is_not_finite_ends_the_run_and_names_the_layer(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("nan");
    (void)state;
    fixture_recipe(&recipe, CHANGES("weights.method=full", "network.activation=relu",
                                    "network.norm_last=false", "training.optimizer=sgd",
                                    "training.momentum=0", "training.learning_rate=100",
                                    "training.loss=squared-hinge", "network.layers=32-32-10",
                                    "training.epochs=60"));
    bittern_status status = trainer_run(&recipe, &options, &result, &err);
    assert_int_equal(status, BITTERN_ERR_RANGE);
    assert_non_null(strstr(err.message, "not finite in epoch "));
    assert_non_null(strstr(err.message, "'s "));
    assert_non_null(strstr(err.message, "lower training.learning_rate (now 100)"));
}

/* Would catch: a checkpoint of weights that the last step of an epoch has blown up, after a loss
 * that was finite: one batch an epoch, so no other loss follows. */
static void weights_that_are_not_finite_are_not_saved(void **state)
{
    struct trainer_options options = fixture_options("overflow");
    (void)state;
    fixture_recipe(&recipe, CHANGES("weights.method=full", "network.activation=relu",
                                    "training.optimizer=sgd", "training.momentum=0",
                                    "network.layers=32-10", "data.train_images=40"));
    recipe.training.schedule.rate = 3e38; /* no recipe may have it */
    fixture_expect(&recipe, &options, BITTERN_ERR_RANGE,
                   "not saved: the state is not finite after epoch 1, batch 0");
    assert_int_not_equal(access(fixture_path("overflow/last.safetensors"), F_OK), 0);
    assert_int_not_equal(access(fixture_path("overflow/best.safetensors"), F_OK), 0);
}

/* Would catch: a folder or a file that appears before a run that cannot start. */
static void missing_data_is_said_with_the_command_that_gets_it(void **state)
{
    struct trainer_options options = fixture_options("no-data");
    char data[256];
    (void)state;
    (void)snprintf(data, sizeof data, "%s", fixture_path("elsewhere"));
    options.data_dir = data;
    fixture_recipe(&recipe, CHANGES("data.set=mnist"));
    fixture_expect(&recipe, &options, BITTERN_ERR_NOT_FOUND, "bittern data fetch mnist");
    assert_int_not_equal(access(fixture_path("no-data"), F_OK), 0);
}

/* Would catch: sizes that end in an empty epoch or in images that are not there. */
static void sizes_that_do_not_fit_the_data_are_refused(void **state)
{
    struct trainer_options options = fixture_options("sizes");
    (void)state;
    fixture_recipe(&recipe, CHANGES("training.batch=401"));
    fixture_expect(&recipe, &options, BITTERN_ERR_RANGE, "400 images do not fill one batch of 401");
    fixture_recipe(&recipe, CHANGES("data.train_images=500"));
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "data.train_images is 500");
    fixture_recipe(&recipe, CHANGES("data.test_images=201"));
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "data.test_images is 201");
    fixture_recipe(&recipe, CHANGES("network.layers=4C5p0-MP2-4C15p0-10"));
    fixture_expect(&recipe, &options, BITTERN_ERR_MISMATCH, "conv2");
}

/* Would catch: a save that a full disk cuts short, and that takes the older state with it. */
static void a_full_disk_leaves_the_previous_checkpoint(void **state)
{
    struct bittern_error err;
    struct trainer_result result;
    struct trainer_options options = fixture_options("full-disk");
    struct fixture_stop stop = {TRAINER_EPOCH_END, 1};
    struct rlimit old;
    size_t size = 0;
    size_t size_after = 0;
    (void)state;

    fixture_recipe(&recipe, CHANGES("training.epochs=3"));
    options.progress = fixture_stop_progress;
    options.user = &stop;
    assert_int_equal(trainer_run(&recipe, &options, &result, &err), BITTERN_ERR_CANCELLED);
    char *before = fixture_read(fixture_path("full-disk/last.safetensors"), &size);

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit limit = {.rlim_cur = size / 2, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    options = fixture_options("full-disk");
    options.resume = true;
    bittern_status status = trainer_run(&recipe, &options, &result, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);

    assert_int_equal(status, BITTERN_ERR_IO);
    assert_non_null(strstr(err.message, "not saved"));
    assert_non_null(strstr(err.message, ".safetensors"));
    char *after = fixture_read(fixture_path("full-disk/last.safetensors"), &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    free(before);
    free(after);
    /* and the run goes on from there */
    assert_ok(trainer_run(&recipe, &options, &result, &err), &err);
    trainer_result_clear(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_that_is_not_finite_ends_the_run_and_names_the_layer),
        cmocka_unit_test(weights_that_are_not_finite_are_not_saved),
        cmocka_unit_test(missing_data_is_said_with_the_command_that_gets_it),
        cmocka_unit_test(sizes_that_do_not_fit_the_data_are_refused),
        cmocka_unit_test(a_full_disk_leaves_the_previous_checkpoint),
    };
    return cmocka_run_group_tests(tests, fixture_make_folder, fixture_remove_folder);
}
