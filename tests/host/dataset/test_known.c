/* SPDX-License-Identifier: Apache-2.0 */
/* The table of known data sets, and the folder that a user's sets are kept in. */
#include "dataset/dataset.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

/* Would catch: a class list that is too short, or an entry that lost a field. */
static void every_known_set_is_complete(void **state)
{
    (void)state;
    size_t count = 0;
    for (; bittern_dataset_known(count); count++) {
        const struct dataset_known *known = dataset_known_at(count);
        assert_ptr_equal(&known->info, bittern_dataset_known(count));
        assert_ptr_equal(&known->info, bittern_dataset_find_info(known->info.name));
        assert_non_null(known->info.title);
        assert_true(known->info.classes > 0 && known->info.classes <= 256);
        for (size_t label = 0; label < known->info.classes; label++) {
            assert_non_null(known->class_names[label]);
            for (size_t other = 0; other < label; other++) {
                assert_string_not_equal(known->class_names[label], known->class_names[other]);
            }
        }
        for (int split = 0; split < 2; split++) {
            size_t files = 0;
            while (known->split_files[split][files]) {
                files++;
            }
            assert_true(files >= 1 && files <= DATASET_MAX_FILES);
            assert_true(known->format != DATASET_FORMAT_IDX || files == 2);
        }
        assert_int_equal(known->published[0] == NULL, known->info.download_bytes == 0);
        assert_int_equal(known->archive == NULL, known->archive_folder == NULL);
        assert_int_equal(known->format == DATASET_FORMAT_CIFAR, known->label_bytes > 0);
    }
    assert_int_equal(count, 11);
    assert_null(dataset_known_at(count));
}

/* Would catch: an unknown name that is not answered with what there is. */
static void unknown_names_are_answered_with_the_known_ones(void **state)
{
    (void)state;
    struct bittern_error err;
    const struct dataset_known *known;
    assert_null(bittern_dataset_find_info("mnits"));
    assert_int_equal(dataset_known_get("mnits", &known, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "'mnits'"));
    for (size_t i = 0; bittern_dataset_known(i); i++) {
        assert_non_null(strstr(err.message, bittern_dataset_known(i)->name));
    }
}

/* Would catch: variables in the wrong order, or a relative XDG_DATA_HOME that is used. */
static void the_user_folder_follows_the_environment(void **state)
{
    (void)state;
    struct bittern_error err;
    char *folder;
    static const struct {
        const char *chosen, *xdg, *home, *expected;
    } cases[] = {
        {"here", "/xdg", "/home/u", "here"},
        {"", "/xdg", "/home/u", "/xdg/bittern"},
        {NULL, "/xdg", "/home/u", "/xdg/bittern"},
        {NULL, "xdg", "/home/u", "/home/u/.local/share/bittern"},
        {NULL, NULL, "/home/u", "/home/u/.local/share/bittern"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsetenv("BITTERN_DATA");
        unsetenv("XDG_DATA_HOME");
        if (cases[i].chosen) {
            setenv("BITTERN_DATA", cases[i].chosen, 1);
        }
        if (cases[i].xdg) {
            setenv("XDG_DATA_HOME", cases[i].xdg, 1);
        }
        setenv("HOME", cases[i].home, 1);
        assert_ok(dataset_user_folder(&folder, &err), &err);
        assert_string_equal(folder, cases[i].expected);
        free(folder);
    }
    unsetenv("HOME");
    assert_int_equal(dataset_user_folder(&folder, &err), BITTERN_ERR_NOT_FOUND);
    assert_null(folder);
    assert_non_null(strstr(err.message, "BITTERN_DATA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_set_is_complete),
        cmocka_unit_test(unknown_names_are_answered_with_the_known_ones),
        cmocka_unit_test(the_user_folder_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
