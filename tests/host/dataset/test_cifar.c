/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR records, alone and inside of archives; archives that lie, lack members, or are bombs. */
#include "dataset/formats.h"
#include "dataset/load.h"
#include "dataset_bytes.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER10 "cifar-10-batches-bin/"
#define FOLDER100 "cifar-100-binary/"

/* Of unpacked bytes; the sets' own, load_archive_limit, would only make the bombs here slower. */
static const uint64_t tar_limit = (uint64_t)2 << 20;

static bittern_status read_records(struct bytes bytes, size_t label_bytes, size_t classes,
                                   size_t limit, struct cifar_records *records,
                                   struct bittern_error *err)
{
    struct stream *stream;
    assert_ok(stream_open_memory(bytes.data, bytes.size, "records", &stream, err), err);
    bittern_status status = cifar_read_records(stream, label_bytes, classes, limit, records, err);
    stream_close(stream);
    return status;
}

static bittern_status load_archive(struct bytes bytes, const char *name, enum bittern_split split,
                                   bool zip, struct bittern_dataset **dataset,
                                   struct bittern_error *err)
{
    struct stream *stream = NULL;
    struct members *members = NULL;
    bittern_status status;
    *dataset = calloc(1, sizeof **dataset);
    (*dataset)->known = dataset_known_find(name);
    if (zip) {
        status = members_open_zip_memory(bytes.data, bytes.size, "archive", &members, err);
    } else {
        status = stream_open_memory(bytes.data, bytes.size, "archive", &stream, err);
        if (status == BITTERN_OK) {
            status = members_open_tar(stream, tar_limit, &members, err);
        }
    }
    if (status == BITTERN_OK) {
        status = load_members(*dataset, split, members, "archive", err);
    }
    members_close(members);
    stream_close(stream);
    return status;
}

/* Load, expect a failure whose message has `text` in it. */
static void expect_refused(struct bytes bytes, const char *name, bool zip, const char *text)
{
    struct bittern_error err = {.message = ""};
    struct bittern_dataset *dataset;
    assert_int_equal(load_archive(bytes, name, BITTERN_SPLIT_TEST, zip, &dataset, &err),
                     BITTERN_ERR_FORMAT);
    if (!strstr(err.message, text)) {
        fail_msg("'%s' is not in the message: %s", text, err.message);
    }
    bittern_dataset_close(dataset);
}

/* Would catch: planes in the wrong order, or the coarse label taken for the fine one. */
static void records_are_split_into_images_and_labels(void **state)
{
    (void)state;
    for (size_t label_bytes = 1; label_bytes <= 2; label_bytes++) {
        struct bittern_error err;
        struct cifar_records records;
        uint8_t images[12 * CIFAR_PIXELS];
        uint8_t labels[12];
        struct bytes bytes = bytes_cifar(12, label_bytes, 10);
        bytes.data[0] = label_bytes == 2 ? 19 : 0; /* coarse */
        assert_ok(read_records(bytes, label_bytes, 10, 12, &records, &err), &err);
        assert_int_equal(records.count, 12);
        cifar_split_records(&records, label_bytes, images, labels);
        for (size_t i = 0; i < 12; i++) {
            assert_int_equal(labels[i], i % 10);
            for (size_t pixel = 0; pixel < CIFAR_PIXELS; pixel++) {
                assert_int_equal(images[i * CIFAR_PIXELS + pixel], (uint8_t)(i + 5 * pixel));
            }
        }
        free(records.bytes);
        free(bytes.data);
    }
}

/* Would catch: a cut file that is read up to its last whole record. */
static void files_that_are_no_whole_records_are_refused(void **state)
{
    (void)state;
    struct bytes bytes = bytes_cifar(2, 1, 10);
    for (size_t size = 0; size < bytes.size; size++) {
        struct bittern_error err;
        struct cifar_records records;
        struct bytes cut = bytes_copy(bytes.data, size);
        bittern_status status = read_records(cut, 1, 10, 5, &records, &err);
        assert_int_equal(status, size == bytes.size / 2 ? BITTERN_OK : BITTERN_ERR_FORMAT);
        free(records.bytes);
        free(cut.data);
    }
    free(bytes.data);
}

/* Would catch: a label behind the last class, and more records than the set has. */
static void wrong_labels_and_too_many_records_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct cifar_records records;
    struct bytes bytes = bytes_cifar(4, 2, 100);
    bytes.data[2 * 3074 + 1] = 100;
    assert_int_equal(read_records(bytes, 2, 100, 4, &records, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "label 100 of image 2, at offset 6149"));
    assert_null(records.bytes);
    bytes.data[2 * 3074 + 1] = 99;
    assert_ok(read_records(bytes, 2, 100, 4, &records, &err), &err);
    free(records.bytes);
    assert_int_equal(read_records(bytes, 2, 100, 3, &records, &err), BITTERN_ERR_FORMAT);
    assert_null(records.bytes);
    free(bytes.data);
}

/* The published archive in small: members in its order, which is not that of the batches. */
static struct bytes make_cifar10_tar(void)
{
    static const int order[] = {4, 6, 3, 2, 5, 1};
    struct bytes_member members[9] = {{.path = FOLDER10, .kind = BYTES_FOLDER}};
    char paths[6][64];
    size_t count = 1;
    for (size_t i = 0; i < 6; i++) {
        (void)snprintf(paths[i], sizeof paths[i], FOLDER10 "data_batch_%d.bin", order[i]);
        struct bytes content = bytes_cifar((size_t)order[i], 1, 10);
        content.data[0] = (uint8_t)order[i]; /* the first label tells the batch */
        members[count++] = (struct bytes_member){
            .path = order[i] == 6 ? FOLDER10 "test_batch.bin" : paths[i], .content = content};
    }
    members[count++] =
        (struct bytes_member){.path = FOLDER10 "readme.html", .content = bytes_copy("<html>", 6)};
    members[count++] =
        (struct bytes_member){.path = "data_batch_1.bin", .content = bytes_copy("elsewhere", 9)};
    struct bytes tar = bytes_tar(members, count);
    for (size_t i = 0; i < count; i++) {
        free(members[i].content.data);
    }
    return tar;
}

/* Would catch: batches in the order of the archive instead of their own. */
static void the_published_archive_is_read_in_the_order_of_its_batches(void **state)
{
    (void)state;
    struct bytes tar = make_cifar10_tar();
    for (int packing = 0; packing < 3; packing++) {
        struct bittern_error err;
        struct bittern_dataset *dataset;
        struct bytes packed = packing == 0   ? bytes_copy(tar.data, tar.size)
                              : packing == 1 ? bytes_gzip(tar)
                                             : bytes_xz(tar, 6);
        assert_ok(load_archive(packed, "cifar10", BITTERN_SPLIT_TRAIN, false, &dataset, &err),
                  &err);
        assert_int_equal(bittern_dataset_count(dataset), 1 + 2 + 3 + 4 + 5);
        assert_int_equal(bittern_dataset_channels(dataset), 3);
        for (size_t batch = 1, at = 0; batch <= 5; at += batch, batch++) {
            assert_int_equal(bittern_dataset_labels(dataset)[at], batch);
        }
        bittern_dataset_close(dataset);
        assert_ok(load_archive(packed, "cifar10", BITTERN_SPLIT_TEST, false, &dataset, &err), &err);
        assert_int_equal(bittern_dataset_count(dataset), 6);
        bittern_dataset_close(dataset);
        free(packed.data);
    }
    free(tar.data);
}

/* Would catch: a damaged .tar.gz that is accepted, since libarchive skips gzip's check sum. */
static void a_damaged_tar_gz_is_refused(void **state)
{
    (void)state;
    struct bytes tar = make_cifar10_tar();
    struct bytes packed = bytes_gzip(tar);
    packed.data[packed.size - 8] ^= 1; /* CRC32 */
    expect_refused(packed, "cifar10", false, "gzip");
    packed.data[packed.size - 8] ^= 1;
    packed.data[packed.size - 4] ^= 1; /* length */
    expect_refused(packed, "cifar10", false, "gzip");
    packed.data[packed.size - 4] ^= 1;
    for (size_t size = 0; size < packed.size; size += 1 + size / 8) {
        struct bytes cut = bytes_copy(packed.data, size);
        expect_refused(cut, "cifar10", false, "archive");
        free(cut.data);
    }
    free(packed.data);
    free(tar.data);
}

/* Would catch: a link that leads out of the archive, or a member that is read twice. */
static void missing_doubled_and_linked_members_are_refused(void **state)
{
    (void)state;
    struct bytes content = bytes_cifar(2, 2, 100);
    struct bytes_member members[] = {
        {.path = FOLDER100 "train.bin", .content = content},
        {.path = FOLDER100 "test.bin", .content = content},
        {.path = "./" FOLDER100 "test.bin", .content = content},
    };
    struct bytes tar = bytes_tar(members, 1);
    expect_refused(tar, "cifar100", false, "has no member 'cifar-100-binary/test.bin'");
    free(tar.data);
    tar = bytes_tar(members, 3);
    expect_refused(tar, "cifar100", false, "twice");
    free(tar.data);
    members[1].kind = BYTES_SYMLINK;
    tar = bytes_tar(members, 2);
    expect_refused(tar, "cifar100", false, "not a plain file");
    free(tar.data);
    members[1].kind = BYTES_HARDLINK;
    tar = bytes_tar(members, 2);
    expect_refused(tar, "cifar100", false, "not a plain file");
    free(tar.data);
    members[1].kind = BYTES_FOLDER;
    tar = bytes_tar(members, 2);
    expect_refused(tar, "cifar100", false, "");
    free(tar.data);
    free(content.data);
}

/* Set a ustar header's size field, and its check sum. */
static void set_tar_size(uint8_t *header, uint64_t size)
{
    unsigned sum = 0;
    header[124] = 0x80; /* a binary number follows */
    for (size_t i = 0; i < 11; i++) {
        header[135 - i] = i < 8 ? (uint8_t)(size >> (8 * i)) : 0;
    }
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += header[i];
    }
    char text[8];
    (void)snprintf(text, sizeof text, "%06o", sum);
    memcpy(header + 148, text, 7);
}

/* Would catch: a size in a header that is believed. */
static void absurd_member_sizes_are_refused(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {3074 * 3,        1 << 30,   UINT64_C(1) << 40,
                                     INT64_MAX - 511, INT64_MAX, UINT64_MAX};
    struct bytes content = bytes_cifar(2, 2, 100);
    struct bytes_member members[] = {{.path = "other", .content = content},
                                     {.path = FOLDER100 "test.bin", .content = content}};
    for (size_t which = 0; which < 2; which++) {
        struct bytes tar = bytes_tar(members + which, 2 - which);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            set_tar_size(tar.data, sizes[i]);
            expect_refused(tar, "cifar100", false, "archive");
        }
        free(tar.data);
    }
    free(content.data);
}

/* Would catch: a bomb in a member that is only skipped, or in what follows the archive's end. */
static void tar_bombs_are_refused(void **state)
{
    (void)state;
    size_t size = (size_t)8 << 20;
    struct bytes zeros = {.data = calloc(1, size), .size = size};
    struct bytes content = bytes_cifar(2, 2, 100);
    struct bytes_member members[] = {{.path = "zeros", .content = zeros},
                                     {.path = FOLDER100 "test.bin", .content = content}};
    struct bytes tar = bytes_tar(members, 2);
    struct bytes bomb = bytes_gzip(tar);
    assert_true(bomb.size < 100000);
    expect_refused(bomb, "cifar100", false, "unpacks to more than");
    free(bomb.data);
    free(tar.data);

    tar = bytes_tar(members + 1, 1);
    struct bytes longer = bytes_join(tar, zeros);
    bomb = bytes_gzip(longer);
    expect_refused(bomb, "cifar100", false, "behind the end");
    free(bomb.data);
    free(longer.data);
    zeros.size = 1000;
    zeros.data[999] = 1;
    longer = bytes_join(tar, zeros);
    expect_refused(longer, "cifar100", false, "behind the end");
    free(longer.data);
    free(tar.data);
    free(content.data);
    free(zeros.data);
}

/* Would catch: a limit below the published archive's size, or far above it. */
static void the_published_archives_are_within_their_limits(void **state)
{
    (void)state;
    static const char *const names[] = {"cifar10", "cifar100"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t limit = load_archive_limit(dataset_known_find(names[i]));
        uint64_t records = UINT64_C(60000) * (3072 + 1 + i);
        assert_true(limit > records + 1000000 && limit < records + records / 4);
    }
}

static struct bytes make_emnist_zip(bool gzip)
{
    struct bytes images = bytes_idx_images(4, 28, 28);
    struct bytes labels = bytes_idx_labels(4, 1, 26);
    struct bytes packed_images = gzip ? bytes_gzip(images) : bytes_copy(images.data, images.size);
    struct bytes packed_labels = gzip ? bytes_gzip(labels) : bytes_copy(labels.data, labels.size);
    const struct bytes_member members[] = {
        {.path = "gzip/", .kind = BYTES_FOLDER},
        {.path = gzip ? "gzip/emnist-letters-test-labels-idx1-ubyte.gz"
                      : "gzip/emnist-letters-test-labels-idx1-ubyte",
         .content = packed_labels},
        {.path = gzip ? "gzip/emnist-letters-test-images-idx3-ubyte.gz"
                      : "gzip/emnist-letters-test-images-idx3-ubyte",
         .content = packed_images},
        {.path = "gzip/emnist-letters-mapping.txt", .content = labels},
    };
    struct bytes zip = bytes_zip(members, 4);
    free(images.data);
    free(labels.data);
    free(packed_images.data);
    free(packed_labels.data);
    return zip;
}

/* Would catch: labels that come before their images, or members that are gzip themselves. */
static void emnist_is_read_from_its_zip(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        struct bittern_error err;
        struct bittern_dataset *dataset;
        struct bytes zip = make_emnist_zip(gzip);
        assert_ok(load_archive(zip, "emnist-letters", BITTERN_SPLIT_TEST, true, &dataset, &err),
                  &err);
        assert_int_equal(bittern_dataset_count(dataset), 4);
        assert_int_equal(bittern_dataset_labels(dataset)[3], 3);
        bittern_dataset_close(dataset);
        expect_refused(zip, "emnist-digits", true, "has no member");
        free(zip.data);
    }
}

/* Would catch: a damaged zip that gives wrong images. */
static void a_damaged_zip_gives_an_error_or_the_same_images(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *sound;
    struct bittern_dataset *dataset;
    struct bytes zip = make_emnist_zip(true);
    assert_ok(load_archive(zip, "emnist-letters", BITTERN_SPLIT_TEST, true, &sound, &err), &err);
    for (size_t size = 0; size + 1 < zip.size; size += 1 + size / 16) {
        struct bytes cut = bytes_copy(zip.data, size);
        expect_refused(cut, "emnist-letters", true, "archive");
        free(cut.data);
    }
    for (size_t i = 0; i < zip.size; i++) {
        zip.data[i] ^= 0x10;
        if (load_archive(zip, "emnist-letters", BITTERN_SPLIT_TEST, true, &dataset, &err) ==
            BITTERN_OK) {
            assert_int_equal(dataset->count, sound->count);
            assert_memory_equal(dataset->images, sound->images, 4 * 784);
            assert_memory_equal(dataset->labels, sound->labels, 4);
        }
        bittern_dataset_close(dataset);
        zip.data[i] ^= 0x10;
    }
    bittern_dataset_close(sound);
    free(zip.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_split_into_images_and_labels),
        cmocka_unit_test(files_that_are_no_whole_records_are_refused),
        cmocka_unit_test(wrong_labels_and_too_many_records_are_refused),
        cmocka_unit_test(the_published_archive_is_read_in_the_order_of_its_batches),
        cmocka_unit_test(a_damaged_tar_gz_is_refused),
        cmocka_unit_test(missing_doubled_and_linked_members_are_refused),
        cmocka_unit_test(absurd_member_sizes_are_refused),
        cmocka_unit_test(tar_bombs_are_refused),
        cmocka_unit_test(the_published_archives_are_within_their_limits),
        cmocka_unit_test(emnist_is_read_from_its_zip),
        cmocka_unit_test(a_damaged_zip_gives_an_error_or_the_same_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
