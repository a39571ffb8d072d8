/* SPDX-License-Identifier: Apache-2.0 */
/* Opening sets from folders: which folder wins, which form of a file, statistics, real data. */
#include "dataset/dataset.h"
#include "dataset_bytes.h"
#include "testing.h"

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/bittern-test-dataset-XXXXXX");
    setenv("HOME", "/nonexistent", 1);
    unsetenv("BITTERN_DATA");
    unsetenv("XDG_DATA_HOME");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

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
    return chdir("/") == 0 ? nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static void write_and_free(struct bytes bytes, const char *where, const char *name)
{
    bytes_write(bytes, where, name);
    free(bytes.data);
}

/* A test split of `count` images, as MNIST's files are named. */
static void write_idx(const char *where, uint32_t count)
{
    write_and_free(bytes_idx_images(count, 28, 28), where, "t10k-images-idx3-ubyte");
    write_and_free(bytes_idx_labels(count, 0, 10), where, "t10k-labels-idx1-ubyte");
}

static size_t count_of(const char *name, const char *data_dir)
{
    struct bittern_error err;
    struct bittern_dataset *dataset;
    assert_ok(bittern_dataset_open(name, BITTERN_SPLIT_TEST, data_dir, &dataset, &err), &err);
    size_t count = bittern_dataset_count(dataset);
    bittern_dataset_close(dataset);
    return count;
}

/* Would catch: a folder that is tried before one that goes first. */
static void folders_are_tried_in_their_order(void **state)
{
    (void)state;
    struct bittern_error err;
    char *source;
    mkdir("xdg", 0777);
    mkdir("xdg/bittern", 0777);
    mkdir("chosen", 0777);
    write_idx("given", 1);
    write_idx("chosen/mnist", 2);
    write_idx("xdg/bittern/mnist", 3);
    setenv("XDG_DATA_HOME", "/nonexistent", 1);
    assert_int_equal(bittern_dataset_locate("mnist", BITTERN_SPLIT_TEST, "nowhere", &source, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_null(source);
    char *xdg;
    assert_true(asprintf(&xdg, "%s/xdg", folder) > 0);
    setenv("XDG_DATA_HOME", xdg, 1);
    free(xdg);
    assert_int_equal(count_of("mnist", NULL), 3);
    setenv("BITTERN_DATA", "chosen", 1);
    assert_int_equal(count_of("mnist", NULL), 2);
    assert_int_equal(count_of("mnist", "given"), 1);
    assert_ok(bittern_dataset_locate("mnist", BITTERN_SPLIT_TEST, NULL, &source, &err), &err);
    assert_string_equal(source, "chosen/mnist");
    free(source);
    /* A folder that is named does not fall back to others. */
    assert_int_equal(bittern_dataset_locate("mnist", BITTERN_SPLIT_TEST, "xdg", &source, &err),
                     BITTERN_ERR_NOT_FOUND);
    unsetenv("BITTERN_DATA");
    unsetenv("XDG_DATA_HOME");
}

/* Would catch: a shared folder that is looked for elsewhere. */
static void the_shared_folder_beside_the_checkout_is_tried_last(void **state)
{
    (void)state;
    mkdir("checkout", 0777);
    mkdir("shared", 0777);
    mkdir("shared/data", 0777);
    write_idx("shared/data/mnist", 7);
    assert_int_equal(chdir("checkout"), 0);
    assert_int_equal(count_of("mnist", NULL), 7);
    assert_int_equal(chdir(".."), 0);
}

/* Would catch: an error that does not say where was looked, or what to do. */
static void what_is_not_found_is_answered_with_a_command(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    setenv("BITTERN_DATA", "chosen-folder", 1);
    setenv("XDG_DATA_HOME", "/xdg-folder", 1);
    assert_int_equal(bittern_dataset_open("cifar10", BITTERN_SPLIT_TEST, NULL, &dataset, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_null(dataset);
    assert_non_null(
        strstr(err.message, "'chosen-folder', '/xdg-folder/bittern', '../shared/data'"));
    assert_non_null(strstr(err.message, "'bittern data fetch cifar10'"));
    assert_int_equal(bittern_dataset_open("digits", BITTERN_SPLIT_TEST, NULL, &dataset, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "'bittern data make digits'"));
    unsetenv("BITTERN_DATA");
    unsetenv("XDG_DATA_HOME");
    assert_int_equal(bittern_dataset_open("digits", (enum bittern_split)2, NULL, &dataset, &err),
                     BITTERN_ERR_ARGUMENT);
}

/* Would catch: MNIST that is read as Fashion-MNIST, since their files have the same names. */
static void a_folder_of_another_set_is_not_taken(void **state)
{
    (void)state;
    struct bittern_error err;
    char *source;
    write_idx("mnist", 4);
    write_idx("unnamed", 5);
    assert_int_equal(count_of("mnist", "mnist"), 4);
    assert_int_equal(count_of("mnist", "./mnist//"), 4);
    assert_int_equal(
        bittern_dataset_locate("fashion-mnist", BITTERN_SPLIT_TEST, "mnist/", &source, &err),
        BITTERN_ERR_NOT_FOUND);
    assert_int_equal(count_of("fashion-mnist", "unnamed"), 5);
}

/* Would catch: half of a set that is passed over for a later folder. */
static void half_a_set_is_an_error_that_names_the_missing_file(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    write_and_free(bytes_idx_images(4, 28, 28), "half", "t10k-images-idx3-ubyte");
    assert_int_equal(bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, "half", &dataset, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "t10k-labels-idx1-ubyte"));
    assert_non_null(strstr(err.message, "bittern data fetch mnist"));
}

/* Would catch: a form of the files that `found` and `read` do not agree about. */
static void plain_gz_and_xz_files_are_read_alike(void **state)
{
    (void)state;
    struct bytes images = bytes_idx_images(6, 28, 28);
    write_and_free(bytes_gzip(images), "packed", "t10k-images-idx3-ubyte.gz");
    struct bytes labels = bytes_idx_labels(6, 0, 10);
    write_and_free(bytes_xz(labels, 6), "packed", "t10k-labels-idx1-ubyte.xz");
    free(images.data);
    free(labels.data);
    assert_int_equal(count_of("digits", "packed"), 6);

    write_and_free(bytes_cifar(3, 1, 10), "cifar10", "test_batch.bin");
    assert_int_equal(count_of("cifar10", "."), 3);
    struct bytes plain = bytes_cifar(2, 2, 100);
    mkdir("packed-cifar", 0777);
    write_and_free(bytes_xz(plain, 6), "packed-cifar/cifar-100-binary", "test.bin.xz");
    assert_int_equal(count_of("cifar100", "packed-cifar"), 2);
    free(plain.data);
}

/* Would catch: batches, read beside each other, that are joined in the order of their ends. */
static void cifar10s_batches_are_joined_in_their_order(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    for (size_t batch = 1; batch <= 5; batch++) {
        char name[32];
        struct bytes records = bytes_cifar(60 / batch, 1, 10);
        records.data[0] = (uint8_t)batch; /* the first label tells the batch */
        (void)snprintf(name, sizeof name, "data_batch_%zu.bin", batch);
        write_and_free(records, "batches", name);
    }
    assert_ok(bittern_dataset_open("cifar10", BITTERN_SPLIT_TRAIN, "batches", &dataset, &err),
              &err);
    assert_int_equal(bittern_dataset_count(dataset), 60 + 30 + 20 + 15 + 12);
    for (size_t batch = 1, at = 0; batch <= 5; at += 60 / batch, batch++) {
        assert_int_equal(bittern_dataset_labels(dataset)[at], batch);
        assert_int_equal(bittern_dataset_images(dataset)[(at + 1) * 3072], 1);
    }
    bittern_dataset_close(dataset);
    write_and_free(bytes_copy("short", 5), "batches", "data_batch_4.bin");
    assert_int_equal(
        bittern_dataset_open("cifar10", BITTERN_SPLIT_TRAIN, "batches", &dataset, &err),
        BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "data_batch_4.bin"));
    assert_null(dataset);
}

/* Would catch: a published archive that has to be unpacked first. */
static void published_archives_are_read_where_they_lie(void **state)
{
    (void)state;
    struct bytes content = bytes_cifar(5, 2, 100);
    const struct bytes_member member = {.path = "cifar-100-binary/test.bin", .content = content};
    struct bytes tar = bytes_tar(&member, 1);
    write_and_free(bytes_gzip(tar), "cifar100", "cifar-100-binary.tar.gz");
    free(tar.data);
    free(content.data);
    assert_int_equal(count_of("cifar100", "."), 5);

    struct bytes images = bytes_idx_images(3, 28, 28);
    const struct bytes_member members[] = {
        {.path = "gzip/emnist-mnist-test-images-idx3-ubyte.gz", .content = bytes_gzip(images)},
        {.path = "gzip/emnist-mnist-test-labels-idx1-ubyte",
         .content = bytes_idx_labels(3, 0, 10)}};
    write_and_free(bytes_zip(members, 2), "emnist", "gzip.zip");
    free(images.data);
    free(members[0].content.data);
    free(members[1].content.data);
    assert_int_equal(count_of("emnist-mnist", "."), 3);
    struct bittern_error err;
    char *source;
    assert_ok(bittern_dataset_locate("emnist-mnist", BITTERN_SPLIT_TEST, ".", &source, &err), &err);
    assert_string_equal(source, "./emnist/gzip.zip");
    free(source);
}

/* Would catch: a data file that is broken, but reported without its name. */
static void a_broken_file_is_named_with_its_offset(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    write_idx("broken", 4);
    struct bytes images = bytes_idx_images(4, 28, 28);
    images.size -= 10;
    write_and_free(images, "broken", "t10k-images-idx3-ubyte");
    assert_int_equal(bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, "broken", &dataset, &err),
                     BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "broken/t10k-images-idx3-ubyte"));
    assert_non_null(strstr(err.message, "offset 3142"));
}

/* Would catch: mean or deviation of the wrong channel, or not scaled to [0,1]. */
static void statistics_match_a_direct_computation(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    double mean[3];
    double deviation[3];
    size_t histogram[10];
    write_and_free(bytes_cifar(13, 1, 10), "statistics", "test_batch.bin");
    assert_ok(bittern_dataset_open("cifar10", BITTERN_SPLIT_TEST, "statistics", &dataset, &err),
              &err);
    bittern_dataset_statistics(dataset, mean, deviation, histogram);
    const uint8_t *images = bittern_dataset_images(dataset);
    for (size_t channel = 0; channel < 3; channel++) {
        double sum = 0.0;
        double squares = 0.0;
        for (size_t i = 0; i < (size_t)13 * 1024; i++) {
            size_t at = (i / 1024 * 3 + channel) * 1024 + i % 1024;
            sum += images[at] / 255.0;
        }
        double average = sum / (13 * 1024);
        for (size_t i = 0; i < (size_t)13 * 1024; i++) {
            size_t at = (i / 1024 * 3 + channel) * 1024 + i % 1024;
            double pixel = images[at] / 255.0;
            squares += (pixel - average) * (pixel - average);
        }
        assert_true(fabs(mean[channel] - average) < 1e-9);
        assert_true(fabs(deviation[channel] - sqrt(squares / (13 * 1024))) < 1e-9);
    }
    for (size_t label = 0; label < 10; label++) {
        assert_int_equal(histogram[label], label < 3 ? 2 : 1);
    }
    bittern_dataset_close(dataset);
}

/* Would catch: a pair of IDX files whose labels are mixed up with a known set's. */
static void any_pair_of_idx_files_can_be_opened(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    write_and_free(bytes_idx_images(6, 9, 7), "pair", "images");
    write_and_free(bytes_idx_labels(6, 0, 4), "pair", "labels");
    assert_ok(bittern_dataset_open_idx("pair/images", "pair/labels", &dataset, &err), &err);
    assert_int_equal(bittern_dataset_count(dataset), 6);
    assert_int_equal(bittern_dataset_height(dataset), 9);
    assert_int_equal(bittern_dataset_width(dataset), 7);
    assert_int_equal(bittern_dataset_classes(dataset), 4);
    assert_string_equal(bittern_dataset_name(dataset), "images");
    assert_string_equal(bittern_dataset_source(dataset), "pair/images");
    bittern_dataset_close(dataset);
    assert_ok(bittern_dataset_open_idx("pair/images", NULL, &dataset, &err), &err);
    assert_int_equal(bittern_dataset_classes(dataset), 1);
    assert_int_equal(bittern_dataset_labels(dataset)[5], 0);
    bittern_dataset_close(dataset);
    assert_int_equal(bittern_dataset_open_idx("pair/nothing", NULL, &dataset, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_null(dataset);
    bittern_dataset_close(NULL);
}

/* Opens a real set where one is found; NULL, after a word about it, otherwise. */
static struct bittern_dataset *open_real(const char *name)
{
    struct bittern_error err;
    struct bittern_dataset *dataset;
    bittern_status status = bittern_dataset_open(name, BITTERN_SPLIT_TRAIN,
                                                 getenv("BITTERN_TEST_DATA"), &dataset, &err);
    if (status == BITTERN_ERR_NOT_FOUND) {
        print_message("skipped: %s\n", err.message);
        return NULL;
    }
    assert_ok(status, &err);
    return dataset;
}

/* Would catch: anything between a real file and a normalized pixel. Constants as commonly used. */
static void real_mnist_has_the_published_statistics(void **state)
{
    (void)state;
    double mean[1];
    double deviation[1];
    size_t histogram[10];
    static const size_t published[10] = {5923, 6742, 5958, 6131, 5842,
                                         5421, 5918, 6265, 5851, 5949};
    assert_int_equal(chdir(BITTERN_SOURCE_DIR), 0);
    struct bittern_dataset *dataset = open_real("mnist");
    if (!dataset) {
        skip();
    }
    assert_int_equal(bittern_dataset_count(dataset), 60000);
    bittern_dataset_statistics(dataset, mean, deviation, histogram);
    assert_true(fabs(mean[0] - 0.1307) < 5e-5 && fabs(deviation[0] - 0.3081) < 5e-5);
    assert_memory_equal(histogram, published, sizeof published);
    bittern_dataset_close(dataset);
}

static void real_cifar10_has_the_published_statistics(void **state)
{
    (void)state;
    double mean[3];
    double deviation[3];
    size_t histogram[10];
    static const double means[3] = {0.4914, 0.4822, 0.4465};
    static const double deviations[3] = {0.2470, 0.2435, 0.2616};
    assert_int_equal(chdir(BITTERN_SOURCE_DIR), 0);
    struct bittern_dataset *dataset = open_real("cifar10");
    if (!dataset) {
        skip();
    }
    assert_int_equal(bittern_dataset_count(dataset), 50000);
    bittern_dataset_statistics(dataset, mean, deviation, histogram);
    for (size_t channel = 0; channel < 3; channel++) {
        assert_true(fabs(mean[channel] - means[channel]) < 1e-4);
        assert_true(fabs(deviation[channel] - deviations[channel]) < 1e-4);
    }
    for (size_t label = 0; label < 10; label++) {
        assert_int_equal(histogram[label], 5000);
    }
    bittern_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_tried_in_their_order),
        cmocka_unit_test(the_shared_folder_beside_the_checkout_is_tried_last),
        cmocka_unit_test(what_is_not_found_is_answered_with_a_command),
        cmocka_unit_test(a_folder_of_another_set_is_not_taken),
        cmocka_unit_test(half_a_set_is_an_error_that_names_the_missing_file),
        cmocka_unit_test(plain_gz_and_xz_files_are_read_alike),
        cmocka_unit_test(cifar10s_batches_are_joined_in_their_order),
        cmocka_unit_test(published_archives_are_read_where_they_lie),
        cmocka_unit_test(a_broken_file_is_named_with_its_offset),
        cmocka_unit_test(statistics_match_a_direct_computation),
        cmocka_unit_test(any_pair_of_idx_files_can_be_opened),
        cmocka_unit_test(real_mnist_has_the_published_statistics),
        cmocka_unit_test(real_cifar10_has_the_published_statistics),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
