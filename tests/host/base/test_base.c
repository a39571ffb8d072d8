/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and whole files: what every other part relies on when something goes wrong. */
#include "base/checked.h"
#include "base/file.h"
#include "testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/bittern-test-base-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Would catch: a message that overruns its buffer, or loses its end mark. */
static void long_messages_are_cut(void **state)
{
    (void)state;
    struct bittern_error err;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(bittern_error_set(&err, BITTERN_ERR_IO, "%s", text), BITTERN_ERR_IO);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    bittern_error_prefix(&err, "context");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "context: xxx", 12);
    assert_int_equal(bittern_error_set(NULL, BITTERN_ERR_IO, "ignored"), BITTERN_ERR_IO);
    bittern_error_prefix(NULL, "ignored");
}

/* Would catch: two status codes with one name, as scripts tell them apart by it. */
static void every_status_has_its_own_name(void **state)
{
    (void)state;
    for (int i = BITTERN_OK; i <= BITTERN_ERR_CANCELLED; i++) {
        assert_string_not_equal(bittern_status_name((bittern_status)i), "unknown");
        for (int j = BITTERN_OK; j < i; j++) {
            assert_string_not_equal(bittern_status_name((bittern_status)i),
                                    bittern_status_name((bittern_status)j));
        }
    }
}

/* Would catch: a failed write that destroys the old file, or leaves a part beside it. */
static void an_aborted_write_keeps_the_old_file(void **state)
{
    (void)state;
    struct bittern_error err;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(file_write(path, "old", 3, &err), BITTERN_OK);

    struct file_writer *writer = NULL;
    assert_int_equal(file_writer_open(path, &writer, &err), BITTERN_OK);
    assert_int_equal(file_writer_append(writer, "new content", 11, &err), BITTERN_OK);
    file_writer_abort(writer);

    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(file_read(path, 100, &data, &size, &err), BITTERN_OK);
    assert_int_equal(size, 3);
    assert_string_equal((char *)data, "old");
    free(data);
    assert_int_equal(unlink(path), 0); /* rmdir at the end fails if anything else is left */
}

/* Would catch: a link replaced by a file, and what it points to left as it was. */
static void writing_follows_links(void **state)
{
    (void)state;
    struct bittern_error err;
    char path[256];
    char link[256];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(file_write(path, "old", 3, &err), BITTERN_OK);
    assert_int_equal(symlink("file", link), 0);
    assert_ok(file_write(link, "newer", 5, &err), &err);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 5);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

/* Would catch: /dev/null replaced by a file, which root's rename would do. */
static void what_is_no_file_is_written_as_it_is(void **state)
{
    (void)state;
    struct bittern_error err;
    char path[256];
    char text[8] = "";
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC); /* so that neither side waits for the other */
    assert_true(fd >= 0);
    assert_ok(file_write(path, "bytes", 5, &err), &err);
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_memory_equal(text, "bytes", 5);
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_write(folder, "x", 1, &err), BITTERN_ERR_IO);
    assert_non_null(strstr(err.message, "is a folder"));
}

/* Would catch: reading past the limit, and folders or missing files taken for empty ones. */
static void reading_has_limits(void **state)
{
    (void)state;
    struct bittern_error err;
    char path[256];
    uint8_t *data = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s/large", folder);
    assert_int_equal(file_write(path, "12345678", 8, &err), BITTERN_OK);
    assert_int_equal(file_read(path, 8, &data, &size, &err), BITTERN_OK);
    assert_int_equal(size, 8);
    free(data);
    assert_int_equal(file_read(path, 7, &data, &size, &err), BITTERN_ERR_FORMAT);
    assert_null(data);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_read(path, 8, &data, &size, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(file_read(folder, 8, &data, &size, &err), BITTERN_ERR_IO);
    assert_int_equal(file_write("/nonexistent-folder/file", "x", 1, &err), BITTERN_ERR_NOT_FOUND);
}

/* Would catch: a parent that is missing, or a file in the way that is taken for a folder. */
static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    struct bittern_error err;
    char path[256];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/a/b", folder);
    assert_int_equal(file_make_directory(path, &err), BITTERN_OK);
    assert_int_equal(file_make_directory(path, &err), BITTERN_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(file_write(path, "x", 1, &err), BITTERN_OK);
    assert_int_equal(file_make_directory(path, &err), BITTERN_ERR_IO);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(rmdir(path), 0);
}

/* Would catch: an overflowing product that passes for a small size. */
static void products_of_sizes_are_checked(void **state)
{
    (void)state;
    size_t size = 7;
    int64_t value = 7;
    assert_false(checked_mul_size(SIZE_MAX / 2, 3, &size));
    assert_false(checked_add_size(SIZE_MAX, 1, &size));
    assert_int_equal(size, 7);
    assert_true(checked_mul_size(6, 7, &size));
    assert_int_equal(size, 42);
    assert_false(checked_mul_i64(INT64_MAX, 2, &value));
    assert_false(checked_add_i64(INT64_MIN, -1, &value));
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(every_status_has_its_own_name),
        cmocka_unit_test(an_aborted_write_keeps_the_old_file),
        cmocka_unit_test(writing_follows_links),
        cmocka_unit_test(what_is_no_file_is_written_as_it_is),
        cmocka_unit_test(reading_has_limits),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(products_of_sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
