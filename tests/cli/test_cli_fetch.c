/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data fetch and bittern data make: what a user types, sees and finds afterwards. */
#include "run_command.h"
#include "testing.h"

#include <bittern/dataset.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/bittern-test-cli-fetch-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    struct command_result result;
    run_command(&result, NULL, (const char *const[]){"rm", "-r", folder, NULL});
    int code = result.exit_code;
    command_result_free(&result);
    return code;
}

/* Files in FOLDER/SUBFOLDER; 0 where it does not exist. */
static size_t count_files(const char *subfolder)
{
    char path[128];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder, subfolder);
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

/* Run `bittern data ARGUMENT...`, with FOLDER as $BITTERN_DATA; "text" must be in what it says. */
static void run_data(const char *const *arguments, int code, const char *text)
{
    const char *all[16] = {BITTERN_COMMAND, "data"};
    char variable[96];
    struct command_result result;
    (void)snprintf(variable, sizeof variable, "BITTERN_DATA=%s", folder);
    const struct command_options options = {.environment = (const char *const[]){variable, NULL}};
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i + 3 < sizeof all / sizeof all[0]);
        all[i + 2] = arguments[i];
    }
    run_command(&result, &options, all);
    if (result.exit_code != code || !strstr(code == 0 ? result.out : result.err, text)) {
        fail_msg("data %s %s: exit code %d where %d is expected, or no '%s' in '%s%s'",
                 arguments[0], arguments[1], result.exit_code, code, text, result.out, result.err);
    }
    command_result_free(&result);
}

#define DATA(code, text, ...) run_data((const char *const[]){__VA_ARGS__, NULL}, code, text)

/* Would catch: help that is missing, on the wrong stream, or without examples. */
static void help_has_examples(void **state)
{
    (void)state;
    DATA(0, "Usage: bittern data fetch", "fetch", "--help");
    DATA(0, "bittern data fetch mnist", "fetch", "-h");
    DATA(0, "Usage: bittern data make digits", "make", "--help");
    DATA(0, "bittern data make digits --train", "make", "digits", "--help");
}

/* Would catch: a wrong command line that does something, or exits with 0 or 1. */
static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    DATA(2, "name a data set", "fetch");
    DATA(2, "no data set 'nist'", "fetch", "nist");
    DATA(2, "--help", "fetch", "mnist", "--fast");
    DATA(2, "file:///", "fetch", "mnist", "--mirror", "/media/usb");
    DATA(2, "digits", "make");
    DATA(2, "'letters'", "make", "letters");
    DATA(2, "digits", "make", "digits", "more");
    DATA(2, "--train", "make", "digits", "--train", "0");
    DATA(2, "--test", "make", "digits", "--test", "10000001");
    DATA(2, "--train", "make", "digits", "--train", "10k");
    DATA(2, "--seed", "make", "digits", "--seed", "-1");
    DATA(2, "--seed", "make", "digits", "--seed", "18446744073709551616");
    assert_int_equal(count_files(""), 0);
}

/* Would catch: an offline copy with other bytes passing for the set, and errors without a reason.
 */
static void an_offline_copy_that_is_wrong_is_refused(void **state)
{
    (void)state;
    char address[96];
    char path[128];
    (void)snprintf(address, sizeof address, "file://%s", folder);
    DATA(1, "cannot download 'cifar-10-binary.tar.gz': file:///", "fetch", "cifar10", "--mirror",
         address);
    (void)snprintf(path, sizeof path, "%s/cifar-10-binary.tar.gz", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("no archive", file) >= 0);
    assert_int_equal(fclose(file), 0);
    DATA(1, "it has 10 bytes where 170052171 are expected", "fetch", "cifar10", "--mirror",
         address);
    assert_int_equal(count_files("cifar10"), 0);
}

/* Would catch: a drawn set being looked for on the web. */
static void digits_are_made_not_fetched(void **state)
{
    (void)state;
    DATA(1, "bittern data make digits", "fetch", "digits");
}

/* Would catch: published sums and sizes that are not those of the real files. Needs MNIST. */
static void mnist_comes_from_an_offline_copy(void **state)
{
    (void)state;
    static const char copy[] = BITTERN_SOURCE_DIR "/../shared/data/mnist";
    char address[sizeof copy + 8];
    struct bittern_error err;
    struct bittern_dataset *dataset;
    if (access(copy, R_OK) != 0) {
        print_message("skipped: there is no %s\n", copy);
        skip();
    }
    (void)snprintf(address, sizeof address, "file://%s", copy);
    DATA(0, "mnist: complete and checked", "fetch", "mnist", "--mirror", address);
    assert_int_equal(count_files("mnist"), 4);
    assert_ok(bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, folder, &dataset, &err), &err);
    assert_int_equal(bittern_dataset_count(dataset), 10000);
    bittern_dataset_close(dataset);
    /* All is there: the mirror, which has nothing, is not asked. */
    DATA(0, "mnist: complete and checked", "fetch", "--quiet", "mnist", "--mirror", "file:///none");
    DATA(1, "file:///none/", "fetch", "mnist", "--force", "--mirror", "file:///none");
}

/* Would catch: options that do not arrive, and files that the reader does not take. */
static void digits_are_drawn_and_can_be_read(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    static uint8_t images[120 * 28 * 28];
    uint8_t labels[120];
    DATA(0, "drew 120 training and 30 test images", "make", "digits", "--seed", "12", "--train",
         "120", "--test", "30");
    assert_int_equal(count_files("digits"), 4);
    assert_ok(bittern_dataset_draw_digits(12, 120, images, labels, &err), &err);
    assert_ok(bittern_dataset_open("digits", BITTERN_SPLIT_TRAIN, folder, &dataset, &err), &err);
    assert_int_equal(bittern_dataset_count(dataset), 120);
    assert_int_equal(bittern_dataset_height(dataset), 28);
    assert_int_equal(bittern_dataset_width(dataset), 28);
    assert_int_equal(bittern_dataset_classes(dataset), 10);
    assert_memory_equal(bittern_dataset_images(dataset), images, sizeof images);
    assert_memory_equal(bittern_dataset_labels(dataset), labels, sizeof labels);
    bittern_dataset_close(dataset);
    assert_ok(bittern_dataset_open("digits", BITTERN_SPLIT_TEST, folder, &dataset, &err), &err);
    assert_int_equal(bittern_dataset_count(dataset), 30);
    bittern_dataset_close(dataset);
}

/* Would catch: Ctrl-C that is not heard, or leaves half a set. */
static void an_interrupted_drawing_leaves_nothing(void **state)
{
    (void)state;
    struct command_result result;
    run_command(&result, NULL,
                (const char *const[]){"timeout", "--foreground", "--preserve-status", "-s", "INT",
                                      "0.5", BITTERN_COMMAND, "data", "make", "digits", "--data",
                                      folder, "--train", "10000000", NULL});
    assert_int_equal(result.exit_code, 130);
    command_result_free(&result);
    assert_int_equal(count_files("digits"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(help_has_examples),
        TEST(wrong_command_lines_are_refused),
        TEST(an_offline_copy_that_is_wrong_is_refused),
        TEST(digits_are_made_not_fetched),
        TEST(mnist_comes_from_an_offline_copy),
        TEST(digits_are_drawn_and_can_be_read),
        TEST(an_interrupted_drawing_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
