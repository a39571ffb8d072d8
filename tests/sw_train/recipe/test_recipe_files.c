/* SPDX-License-Identifier: Apache-2.0 */
/* The files in recipes/: each is read, quick too, fits its data set, and survives being written. */
#include "recipe/recipe.h"
#include "testing.h"

#include <bittern/dataset.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define RECIPES BITTERN_SOURCE_DIR "/recipes/"

/* Calls check for each *.yaml; says which file it is where that fails. */
static size_t for_each_recipe(void (*check)(const char *path, const char *file))
{
    DIR *folder = opendir(RECIPES);
    size_t files = 0;
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[512];
        const char *ending = strrchr(entry->d_name, '.');
        if (ending == NULL || strcmp(ending, ".yaml") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, RECIPES "%s", entry->d_name);
        check(path, entry->d_name);
        files++;
    }
    (void)closedir(folder);
    return files;
}

static void check_round_trip(const char *path, const char *file)
{
    for (int quick = 0; quick < 2; quick++) {
        struct recipe recipe, again;
        struct bittern_error err = {0};
        char message[256], *text = NULL;
        assert_ok(recipe_read(path, quick != 0, NULL, 0, &recipe, &err), &err);
        assert_ok(recipe_write(&recipe, &text, &err), &err);
        assert_ok(recipe_parse(text, strlen(text), "other", false, NULL, 0, &again, &err), &err);
        if (recipe_compare(&recipe, &again, message, sizeof message) != 0) {
            fail_msg("%s: %s", file, message);
        }
        assert_string_equal(recipe.base_name, again.base_name);
        free(text);
    }
}

/* Would catch: a recipe with a mistake, or one that loses something on its way into a checkpoint.
 */
static void every_recipe_is_read_and_written_without_loss(void **state)
{
    (void)state;
    assert_true(for_each_recipe(check_round_trip) >= 40);
}

static void check_settings(const char *path, const char *file)
{
    struct recipe recipe, quick;
    struct bittern_error err = {0};
    char base[128];
    assert_ok(recipe_read(path, false, NULL, 0, &recipe, &err), &err);
    assert_ok(recipe_read(path, true, NULL, 0, &quick, &err), &err);
    (void)snprintf(base, sizeof base, "%s.yaml", recipe.base_name);
    assert_string_equal(base, file);
    assert_true(strlen(recipe.title) > 0 && strlen(recipe.source) > 0);
    if (strncmp(file, recipe.data.set, strlen(recipe.data.set)) != 0 ||
        strstr(file, recipe.network.name) == NULL) {
        fail_msg("%s: data set %s, network %s", file, recipe.data.set, recipe.network.name);
    }
    assert_true(quick.training.epochs < recipe.training.epochs);
    assert_true(quick.data.train_images > 0);
    const struct schedule *schedule = &recipe.training.schedule;
    for (size_t i = 0; i < schedule->milestone_count; i++) {
        if (schedule->milestones[i] >= schedule->epochs) {
            fail_msg("%s: the rate would fall after the end", file);
        }
    }
}

/* Would catch: names that promise another network, steps that are never reached, no quick look. */
static void every_recipe_is_what_its_name_says(void **state)
{
    (void)state;
    (void)for_each_recipe(check_settings);
}

struct expected_weights {
    const char *network;
    size_t weights;
};

/* Whether a graph of the same shape was built already: reading has checked the methods' settings,
 * and thirteen million weights take a while. */
static bool is_known_shape(const struct recipe *recipe)
{
    static struct {
        char layers[sizeof recipe->network.layers];
        enum network_order order;
        enum activation_kind activation;
        bool norm_last;
    } known[64];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i].layers, recipe->network.layers) == 0 &&
            known[i].order == recipe->network.order &&
            known[i].activation == recipe->network.activation.kind &&
            known[i].norm_last == recipe->network.norm_last) {
            return true;
        }
    }
    assert_true(count < sizeof known / sizeof known[0]);
    memcpy(known[count].layers, recipe->network.layers, sizeof known[count].layers);
    known[count].order = recipe->network.order;
    known[count].activation = recipe->network.activation.kind;
    known[count].norm_last = recipe->network.norm_last;
    count++;
    return false;
}

static void check_graph(const char *path, const char *file)
{
    static const struct expected_weights expected[] = {
        {"lenet5", 61470}, {"lenet5-wide", 1662752}, {"tfc", 59008},     {"sfc", 334336},
        {"lfc", 2910208},  {"cnv", 1542848},         {"vgg7", 12973440}, {"vgg16", 14715584}};
    const struct backend_options backend_options = {.threads = 2,
                                                    .precision = BACKEND_PRECISION_F32};
    struct recipe recipe;
    struct backend *backend = NULL;
    struct graph *graph = NULL;
    struct bittern_error err = {0};
    size_t weights = 0, wanted = 0;
    assert_ok(recipe_read(path, false, NULL, 0, &recipe, &err), &err);
    if (is_known_shape(&recipe)) {
        return;
    }
    const struct bittern_dataset_info *set = bittern_dataset_find_info(recipe.data.set);
    assert_non_null(set);
    const struct recipe_graph_options options = {.batch = 1,
                                                 .channels = set->channels,
                                                 .height = set->height,
                                                 .width = set->width,
                                                 .classes = set->classes,
                                                 .seed = 1};
    assert_ok(backend_create(&backend_options, &backend, &err), &err);
    assert_ok(recipe_build_graph(&recipe, &options, backend, &graph, &err), &err);
    for (size_t i = 0; i < graph_layer_count(graph); i++) {
        struct layer_info info;
        graph_layer(graph, i, &info);
        if (info.kind == LAYER_CONV || info.kind == LAYER_FC) {
            weights += info.conv.out_channels * info.conv.in_channels * info.conv.kernel_h *
                       info.conv.kernel_w;
        }
    }
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (strcmp(expected[i].network, recipe.network.name) == 0) {
            wanted = expected[i].weights;
        }
    }
    if (weights != wanted) {
        fail_msg("%s: %zu weights, not %zu", file, weights, wanted);
    }
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: a recipe whose network does not fit its data set. */
static void every_recipe_builds_its_graph(void **state)
{
    (void)state;
    (void)for_each_recipe(check_graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_is_read_and_written_without_loss),
        cmocka_unit_test(every_recipe_is_what_its_name_says),
        cmocka_unit_test(every_recipe_builds_its_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
