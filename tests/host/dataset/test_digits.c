/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded data set: the same images on every machine, and files that are whole or absent. */
#include "dataset/digits.h"

#include "base/file.h"
#include "testing.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char *const file_names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                         "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/bittern-test-digits-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/digits/%s", folder, name);
    return path;
}

static size_t count_files(void)
{
    DIR *dir = opendir(path_of(""));
    size_t count = 0;
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        (void)unlink(path_of(file_names[i]));
    }
    (void)rmdir(path_of(""));
    return rmdir(folder);
}

/* Unpack a file of the set; *size is that of what was in it. */
static uint8_t *unpack(const char *name, size_t *size)
{
    size_t capacity = 1 << 22;
    uint8_t *data = malloc(capacity);
    gzFile file = gzopen(path_of(name), "rb");
    assert_non_null(data);
    assert_non_null(file);
    int got = gzread(file, data, (unsigned)capacity);
    assert_true(got >= 0);
    assert_int_equal(gzclose(file), Z_OK);
    *size = (size_t)got;
    return data;
}

/* Would catch: arithmetic that differs between compilers, options, processors or libraries, and any
 * change of the drawing: images that were published results would silently become others. */
static void the_first_hundred_images_are_always_the_same(void **state)
{
    (void)state;
    struct bittern_error err;
    static uint8_t images[100 * DIGITS_PIXELS];
    uint8_t labels[100];
    assert_ok(bittern_dataset_draw_digits(0, 100, images, labels, &err), &err);
    assert_int_equal(crc32(0, labels, sizeof labels), 0x8602C163);
    assert_int_equal(crc32(0, images, sizeof images), 0xE669B29F);
}

/* Would catch: shares of threads that overlap or miss an image, and state that leaks from one image
 * to the next. */
static void every_image_depends_on_seed_split_and_index_alone(void **state)
{
    (void)state;
    enum { COUNT = 1111 };
    static uint8_t images[COUNT * DIGITS_PIXELS];
    static uint8_t labels[COUNT];
    for (int split = BITTERN_SPLIT_TRAIN; split <= BITTERN_SPLIT_TEST; split++) {
        digits_draw_images(77, (enum bittern_split)split, 40, COUNT, images, labels);
        for (size_t i = COUNT; i-- > 0;) {
            uint8_t image[DIGITS_PIXELS];
            assert_int_equal(digits_draw_image(77, (enum bittern_split)split, 40 + i, image),
                             labels[i]);
            assert_memory_equal(image, images + i * DIGITS_PIXELS, DIGITS_PIXELS);
        }
    }
}

/* Would catch: a seed or a split that is not mixed in, so that test images repeat training ones. */
static void images_of_other_seeds_splits_and_indices_differ(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static uint32_t sums[3 * COUNT];
    static const struct {
        uint64_t seed;
        enum bittern_split split;
    } sets[3] = {{5, BITTERN_SPLIT_TRAIN}, {5, BITTERN_SPLIT_TEST}, {6, BITTERN_SPLIT_TRAIN}};
    for (size_t i = 0; i < 3 * COUNT; i++) {
        uint8_t image[DIGITS_PIXELS];
        digits_draw_image(sets[i / COUNT].seed, sets[i / COUNT].split, i % COUNT, image);
        sums[i] = (uint32_t)crc32(0, image, sizeof image);
    }
    /* Nine thousand 32-bit sums: about 0.01 equal pairs are expected of different images. */
    size_t equal = 0;
    for (size_t i = 0; i < 3 * COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            equal += sums[i] == sums[j];
        }
    }
    assert_int_equal(equal, 0);
}

/* Would catch: a mistyped glyph: one without a beginning, an end, or a digit. */
static void every_digit_has_several_wellformed_glyphs(void **state)
{
    (void)state;
    size_t ways[DIGITS_CLASSES] = {0};
    const struct digit_glyph *glyph;
    for (size_t i = 0; (glyph = digits_glyph(i)) != NULL; i++) {
        size_t count = 0;
        assert_true(glyph->digit < DIGITS_CLASSES);
        assert_true(glyph->weight > 0);
        assert_int_equal(glyph->points[0].move, PEN_DOWN);
        while (count < DIGITS_MAX_POINTS && glyph->points[count].move != PEN_END) {
            assert_true(glyph->points[count].x <= 100 && glyph->points[count].y <= 100);
            count++;
        }
        assert_true(count >= 2 && count < DIGITS_MAX_POINTS);
        assert_true(glyph->points[count - 1].move != PEN_DOWN);
        ways[glyph->digit]++;
    }
    for (size_t digit = 0; digit < DIGITS_CLASSES; digit++) {
        assert_true(ways[digit] >= 2);
    }
}

/* Would catch: digits drawn beside the image, blots, and classes that are rare. */
static void images_hold_ink_inside_the_border_and_classes_are_even(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint8_t images[COUNT * DIGITS_PIXELS];
    static uint8_t labels[COUNT];
    size_t histogram[DIGITS_CLASSES] = {0};
    digits_draw_images(3, BITTERN_SPLIT_TEST, 0, COUNT, images, labels);
    for (size_t i = 0; i < COUNT; i++) {
        size_t dark = 0;
        for (size_t p = 0; p < DIGITS_PIXELS; p++) {
            size_t row = p / DIGITS_SIDE;
            size_t column = p % DIGITS_SIDE;
            bool border =
                row == 0 || column == 0 || row == DIGITS_SIDE - 1 || column == DIGITS_SIDE - 1;
            bool ink = images[i * DIGITS_PIXELS + p] >= 128;
            dark += ink;
            assert_false(ink && border);
        }
        assert_in_range(dark, 12, 400);
        histogram[labels[i]]++;
    }
    for (size_t digit = 0; digit < DIGITS_CLASSES; digit++) {
        assert_in_range(histogram[digit], COUNT / 10 - 120, COUNT / 10 + 120);
    }
}

/* Would catch: a wrong IDX header, blocks of images lost or doubled, splits mixed up. */
static void files_hold_the_drawn_images_behind_an_idx_header(void **state)
{
    (void)state;
    enum { TRAIN = 2500, TEST = 130 }; /* more than one block, and far less than one */
    struct bittern_error err;
    const struct bittern_digits_options options = {
        .seed = 9, .train_count = TRAIN, .test_count = TEST};
    const size_t counts[2] = {TRAIN, TEST};
    static uint8_t images[TRAIN * DIGITS_PIXELS];
    static uint8_t labels[TRAIN];

    assert_ok(bittern_dataset_make_digits(folder, &options, &err), &err);
    assert_int_equal(count_files(), 4);
    for (size_t split = 0; split < 2; split++) {
        size_t count = counts[split];
        const uint8_t images_header[16] = {
            0, 0, 8, 3, 0, 0, (uint8_t)(count >> 8), (uint8_t)count, 0, 0, 0, 28, 0, 0, 0, 28};
        const uint8_t labels_header[8] = {0, 0, 8, 1, 0, 0, (uint8_t)(count >> 8), (uint8_t)count};
        size_t size;
        digits_draw_images(9, (enum bittern_split)split, 0, count, images, labels);
        uint8_t *data = unpack(file_names[2 * split], &size);
        assert_int_equal(size, 16 + count * DIGITS_PIXELS);
        assert_memory_equal(data, images_header, 16);
        assert_memory_equal(data + 16, images, count * DIGITS_PIXELS);
        free(data);
        data = unpack(file_names[2 * split + 1], &size);
        assert_int_equal(size, 8 + count);
        assert_memory_equal(data, labels_header, 8);
        assert_memory_equal(data + 8, labels, count);
        free(data);
    }
}

/* Would catch: a time stamp in the gzip header, and options that are not passed on. */
static void the_same_options_give_the_same_files(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_digits_options options = {.seed = 4, .train_count = 50, .test_count = 20};
    uint32_t sums[3][4];
    for (size_t round = 0; round < 3; round++) {
        options.seed = round < 2 ? 4 : 5;
        assert_ok(bittern_dataset_make_digits(folder, &options, &err), &err);
        for (size_t i = 0; i < 4; i++) {
            uint8_t *data;
            size_t size;
            assert_ok(file_read(path_of(file_names[i]), 1 << 20, &data, &size, &err), &err);
            /* RFC 1952: magic, deflate, no flags, no time. */
            assert_memory_equal(data, "\x1f\x8b\x08\0\0\0\0\0", 8);
            sums[round][i] = (uint32_t)crc32(0, data, (uInt)size);
            free(data);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sums[0][i], sums[1][i]);
        assert_int_not_equal(sums[1][i], sums[2][i]);
    }
}

struct watcher {
    size_t calls, stop_at;
    uint64_t done, total;
};

static int watch(void *user, const char *what, uint64_t done, uint64_t total)
{
    struct watcher *watcher = user;
    assert_true(strcmp(what, "train") == 0 || strcmp(what, "test") == 0);
    assert_true(done <= total);
    watcher->done = done;
    watcher->total = total;
    return ++watcher->calls == watcher->stop_at;
}

/* Would catch: Ctrl-C that leaves temporary files, half a set, or destroys the set that was there.
 */
static void cancelling_leaves_what_was_there(void **state)
{
    (void)state;
    struct bittern_error err;
    struct watcher watcher = {.stop_at = 2};
    struct bittern_digits_options options = {
        .seed = 1, .train_count = 3000, .test_count = 10, .progress = watch, .user = &watcher};
    size_t before;
    size_t after;

    assert_int_equal(bittern_dataset_make_digits(folder, &options, &err), BITTERN_ERR_CANCELLED);
    assert_int_equal(watcher.calls, 2);
    assert_int_equal(count_files(), 0);

    watcher = (struct watcher){0};
    options.train_count = 10;
    assert_ok(bittern_dataset_make_digits(folder, &options, &err), &err);
    assert_int_equal(watcher.done, 10);
    assert_int_equal(watcher.total, 10);
    uint8_t *old = unpack(file_names[0], &before);
    watcher = (struct watcher){.stop_at = 1};
    options.seed = 2;
    assert_int_equal(bittern_dataset_make_digits(folder, &options, &err), BITTERN_ERR_CANCELLED);
    assert_int_equal(count_files(), 4);
    uint8_t *kept = unpack(file_names[0], &after);
    assert_int_equal(before, after);
    assert_memory_equal(old, kept, before);
    free(old);
    free(kept);
}

/* Would catch: $BITTERN_DATA not being used where no folder is given. */
static void without_a_folder_the_users_one_is_taken(void **state)
{
    (void)state;
    struct bittern_error err;
    const struct bittern_digits_options options = {.train_count = 3, .test_count = 2};
    assert_int_equal(setenv("BITTERN_DATA", folder, 1), 0);
    assert_ok(bittern_dataset_make_digits(NULL, &options, &err), &err);
    assert_int_equal(unsetenv("BITTERN_DATA"), 0);
    assert_int_equal(count_files(), 4);
}

/* Would catch: options that overflow a file's count, and errors without the folder's name. */
static void impossible_requests_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_digits_options options = {.train_count = (size_t)-1};
    uint8_t byte;
    assert_int_equal(bittern_dataset_make_digits(folder, &options, &err), BITTERN_ERR_RANGE);
    options.train_count = 1;
    assert_int_equal(bittern_dataset_make_digits("/proc/no/such", &options, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/proc/no"));
    assert_int_equal(bittern_dataset_draw_digits(0, 1, NULL, &byte, &err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_dataset_draw_digits(0, 0, NULL, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_hundred_images_are_always_the_same),
        cmocka_unit_test(every_image_depends_on_seed_split_and_index_alone),
        cmocka_unit_test(images_of_other_seeds_splits_and_indices_differ),
        cmocka_unit_test(every_digit_has_several_wellformed_glyphs),
        cmocka_unit_test(images_hold_ink_inside_the_border_and_classes_are_even),
        cmocka_unit_test_setup_teardown(files_hold_the_drawn_images_behind_an_idx_header,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_same_options_give_the_same_files, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(cancelling_leaves_what_was_there, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(without_a_folder_the_users_one_is_taken, make_folder,
                                        remove_folder),
        cmocka_unit_test(impossible_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
