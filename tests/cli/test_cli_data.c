/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data list and show, on small sets that are made here. */
#include "host/dataset/dataset_bytes.h"
#include "run_command.h"
#include "testing.h"

#include <cJSON.h>
#include <ftw.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* MNIST with 25 test images and no train split; CIFAR-10 with 12 test images. */
static int make_folder(void **state)
{
    (void)state;
    char path[128];
    strcpy(folder, "/tmp/bittern-test-cli-data-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    struct bytes images = bytes_idx_images(25, 28, 28);
    struct bytes labels = bytes_idx_labels(25, 0, 10);
    struct bytes records = bytes_cifar(12, 1, 10);
    (void)snprintf(path, sizeof path, "%s/mnist", folder);
    bytes_write(images, path, "t10k-images-idx3-ubyte");
    bytes_write(labels, path, "t10k-labels-idx1-ubyte");
    (void)snprintf(path, sizeof path, "%s/cifar10", folder);
    bytes_write(records, path, "test_batch.bin");
    free(images.data);
    free(labels.data);
    free(records.data);
    return 0;
}

#define MAX_ARGUMENTS 20

/* bittern data ..., in the folder, with BITTERN_DATA set to it. */
static void run_data(struct command_result *result, const char *const *arguments)
{
    char variable[128];
    const char *all[MAX_ARGUMENTS] = {BITTERN_COMMAND, "data"};
    size_t count = 2;
    (void)snprintf(variable, sizeof variable, "BITTERN_DATA=%s", folder);
    const struct command_options options = {
        .folder = folder,
        .environment = (const char *const[]){variable, "HOME=/nonexistent", "XDG_DATA_HOME",
                                             "COLORTERM=truecolor", NULL}};
    while (*arguments && count + 1 < MAX_ARGUMENTS) {
        all[count++] = *arguments++;
    }
    all[count] = NULL;
    run_command(result, &options, all);
}

#define RUN_DATA(result, ...) run_data(result, (const char *const[]){__VA_ARGS__, NULL})

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static const char *text(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Would catch: a set that is found, but not listed as such; a split that is claimed. */
static void list_says_what_is_found_where(void **state)
{
    (void)state;
    struct command_result result;
    RUN_DATA(&result, "list", "--json");
    assert_int_equal(result.exit_code, 0);
    cJSON *root = cJSON_Parse(result.out);
    const cJSON *set;
    size_t count = 0;
    cJSON_ArrayForEach(set, member(root, "datasets"))
    {
        const char *train = text(member(set, "found"), "train");
        const char *test = text(member(set, "found"), "test");
        assert_null(train);
        if (strcmp(text(set, "name"), "mnist") == 0 || strcmp(text(set, "name"), "cifar10") == 0) {
            assert_non_null(test);
            assert_non_null(strstr(test, text(set, "name")));
        } else {
            assert_null(test);
        }
        count++;
    }
    assert_int_equal(count, 11);
    cJSON_Delete(root);
    command_result_free(&result);

    RUN_DATA(&result, "list");
    assert_int_equal(result.exit_code, 0);
    assert_non_null(strstr(result.out, "(test only)"));
    command_result_free(&result);
    RUN_DATA(&result, "list", "--names");
    assert_int_equal(strncmp(result.out, "mnist\nfashion-mnist\n", 20), 0);
    command_result_free(&result);
    RUN_DATA(&result, "list", "--data", "/nonexistent");
    assert_null(strstr(result.out, "only"));
    command_result_free(&result);
}

/* Would catch: counts or samples of the wrong class. */
static void show_counts_and_samples_as_json(void **state)
{
    (void)state;
    struct command_result result;
    RUN_DATA(&result, "show", "mnist", "--split", "test", "--class", "3", "--json");
    assert_int_equal(result.exit_code, 0);
    cJSON *root = cJSON_Parse(result.out);
    assert_true(number(root, "count") == 25 && number(root, "published_count") == 10000);
    const cJSON *class;
    int label = 0;
    cJSON_ArrayForEach(class, member(root, "classes"))
    {
        assert_true(number(class, "count") == (label < 5 ? 3 : 2));
        label++;
    }
    const cJSON *sample;
    int expected = 3; /* the images of class 3 are 3, 13 and 23 */
    cJSON_ArrayForEach(sample, member(root, "samples"))
    {
        assert_true(number(sample, "index") == expected && number(sample, "label") == 3);
        expected += 10;
    }
    assert_int_equal(expected, 33);
    assert_true(cJSON_GetArrayItem(member(root, "mean"), 0)->valuedouble > 0.4);
    cJSON_Delete(root);
    command_result_free(&result);
}

/* Would catch: escape codes in a pipe; samples that change from run to run, or never. */
static void show_draws_plain_text_into_a_pipe(void **state)
{
    (void)state;
    struct command_result first;
    struct command_result again;
    struct command_result other;
    RUN_DATA(&first, "show", "cifar10", "--split", "test");
    RUN_DATA(&again, "show", "cifar10", "--split", "test", "--seed", "1");
    RUN_DATA(&other, "show", "cifar10", "--split", "test", "--seed", "2");
    assert_int_equal(first.exit_code, 0);
    assert_string_equal(first.out, again.out);
    assert_string_not_equal(first.out, other.out);
    for (size_t i = 0; i < first.out_size; i++) {
        assert_true(first.out[i] == '\n' || (first.out[i] >= ' ' && first.out[i] <= '~'));
    }
    assert_non_null(strstr(first.out, "12 of the 10,000 published"));
    assert_non_null(strstr(first.out, "airplane"));
    assert_non_null(strstr(first.out, "##"));
    command_result_free(&first);
    command_result_free(&again);
    command_result_free(&other);
}

/* Would catch: a sheet with planes mixed up, or images in the wrong place. */
static void the_png_sheet_shows_every_pixel(void **state)
{
    (void)state;
    struct command_result result;
    RUN_DATA(&result, "show", "cifar10", "--split", "test", "--samples", "12", "--png", "a.png");
    assert_int_equal(result.exit_code, 0);
    command_result_free(&result);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/a.png", folder);
    png_image png = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&png, path));
    png.format = PNG_FORMAT_RGB;
    assert_int_equal(png.width, 4 * 33 + 1);
    assert_int_equal(png.height, 3 * 33 + 1);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(png));
    assert_true(png_image_finish_read(&png, NULL, pixels, 0, NULL));
    struct bytes records = bytes_cifar(12, 1, 10);
    for (size_t i = 0; i < 12; i++) {
        for (size_t at = 0; at < 3072; at++) {
            size_t row = 1 + i / 4 * 33 + at % 1024 / 32;
            size_t column = 1 + i % 4 * 33 + at % 32;
            assert_int_equal(pixels[(row * png.width + column) * 3 + at / 1024],
                             records.data[i * 3073 + 1 + at]);
        }
    }
    assert_int_equal(pixels[0], 128);
    free(records.data);
    free(pixels);
    png_image_free(&png);

    RUN_DATA(&result, "show", "mnist", "--split", "test", "--png", "/nonexistent/a.png");
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "/nonexistent/a.png"));
    command_result_free(&result);
}

/* Would catch: a wrong command line that runs, or an error without a way out. */
static void wrong_command_lines_end_with_2_and_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[6];
        const char *reason;
    } cases[] = {
        {{"shw"}, "'shw'"},
        {{"show"}, "data list"},
        {{"show", "mnist", "cifar10"}, "one data set"},
        {{"show", "mnist", "--split", "all"}, "'all'"},
        {{"show", "mnist", "--samples", "-1"}, "'-1'"},
        {{"show", "mnist", "--samples", "10001"}, "10000"},
        {{"show", "mnist", "--seed", "x"}, "'x'"},
        {{"show", "mnist", "--bogus"}, "--bogus"},
        {{"show", "mnist", "--split", "test", "--class=ten"}, "'ten'"},
        {{"show", "mnist", "--split", "test", "--class=10"}, "'10'"},
        {{"show", "mnist", "--png=x", "--samples=0"}, "at least one"},
        {{"list", "mnist"}, "'mnist'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command_result result;
        run_data(&result, cases[i].arguments);
        assert_int_equal(result.exit_code, 2);
        assert_int_equal(result.out_size, 0);
        assert_non_null(strstr(result.err, cases[i].reason));
        assert_non_null(strstr(result.err, "--help"));
        command_result_free(&result);
    }
}

/* Would catch: a missing set that is not answered with the command that gets it. */
static void a_set_that_is_not_there_is_answered_with_a_command(void **state)
{
    (void)state;
    struct command_result result;
    RUN_DATA(&result, "show", "mnist");
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "bittern data fetch mnist"));
    command_result_free(&result);
    RUN_DATA(&result, "show", "mnits");
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "fashion-mnist"));
    command_result_free(&result);
}

/* Would catch: a verb whose help has no example, or does not end with 0. */
static void every_verb_has_help_with_examples(void **state)
{
    (void)state;
    static const char *const verbs[] = {"list", "show"};
    struct command_result result;
    RUN_DATA(&result, "--help");
    assert_int_equal(result.exit_code, 0);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct command_result help;
        assert_non_null(strstr(result.out, verbs[i]));
        RUN_DATA(&help, verbs[i], "--help");
        assert_int_equal(help.exit_code, 0);
        assert_non_null(strstr(help.out, "Examples:\n  bittern data "));
        command_result_free(&help);
    }
    command_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_says_what_is_found_where),
        cmocka_unit_test(show_counts_and_samples_as_json),
        cmocka_unit_test(show_draws_plain_text_into_a_pipe),
        cmocka_unit_test(the_png_sheet_shows_every_pixel),
        cmocka_unit_test(wrong_command_lines_end_with_2_and_a_reason),
        cmocka_unit_test(a_set_that_is_not_there_is_answered_with_a_command),
        cmocka_unit_test(every_verb_has_help_with_examples),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
