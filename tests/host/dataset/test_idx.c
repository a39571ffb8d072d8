/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files: what is read, and every way in which one can be wrong. */
#include "dataset/formats.h"
#include "dataset/load.h"
#include "dataset_bytes.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static bittern_status read_images(struct bytes bytes, size_t limit, struct idx_images *images,
                                  struct bittern_error *err)
{
    struct stream *stream;
    assert_ok(stream_open_memory(bytes.data, bytes.size, "images", &stream, err), err);
    bittern_status status = idx_read_images(stream, limit, images, err);
    stream_close(stream);
    return status;
}

static bittern_status read_labels(struct bytes bytes, uint8_t first, size_t classes,
                                  uint8_t **labels, size_t *count, struct bittern_error *err)
{
    struct stream *stream;
    assert_ok(stream_open_memory(bytes.data, bytes.size, "labels", &stream, err), err);
    bittern_status status = idx_read_labels(stream, 1000, first, classes, labels, count, err);
    stream_close(stream);
    return status;
}

/* Load a pair, of a known set where known_name is not NULL. */
static bittern_status load_pair(struct bytes images, struct bytes labels, const char *known_name,
                                struct bittern_dataset **dataset, struct bittern_error *err)
{
    struct stream *image_stream;
    struct stream *label_stream;
    *dataset = calloc(1, sizeof **dataset);
    (*dataset)->known = known_name ? dataset_known_find(known_name) : NULL;
    assert_ok(stream_open_memory(images.data, images.size, "images", &image_stream, err), err);
    assert_ok(stream_open_memory(labels.data, labels.size, "labels", &label_stream, err), err);
    bittern_status status = load_idx(*dataset, BITTERN_SPLIT_TEST, image_stream, label_stream, err);
    stream_close(image_stream);
    stream_close(label_stream);
    return status;
}

/* Would catch: dimensions in the wrong order, or pixels that are off by the header. */
static void images_and_labels_are_read_as_written(void **state)
{
    (void)state;
    struct bittern_error err;
    struct idx_images images;
    uint8_t *labels;
    size_t count;
    struct bytes bytes = bytes_idx_images(3, 5, 4);
    assert_ok(read_images(bytes, 60, &images, &err), &err);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.height, 5);
    assert_int_equal(images.width, 4);
    assert_memory_equal(images.pixels, bytes.data + 16, 60);
    free(images.pixels);
    free(bytes.data);

    bytes = bytes_idx_labels(30, 1, 26);
    assert_ok(read_labels(bytes, 1, 26, &labels, &count, &err), &err);
    assert_int_equal(count, 30);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], i % 26);
    }
    free(labels);
    free(bytes.data);
}

/* Would catch: a read behind the end, or a half-filled image that is taken as whole. */
static void truncation_at_every_byte_is_refused(void **state)
{
    (void)state;
    struct bytes images = bytes_idx_images(2, 3, 4);
    struct bytes labels = bytes_idx_labels(9, 0, 9);
    for (size_t size = 0; size < images.size; size++) {
        struct bittern_error err;
        struct idx_images read;
        struct bytes cut = bytes_copy(images.data, size);
        assert_int_equal(read_images(cut, 1000, &read, &err), BITTERN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "truncated"));
        assert_null(read.pixels);
        free(cut.data);
    }
    for (size_t size = 0; size < labels.size; size++) {
        struct bittern_error err;
        uint8_t *read;
        size_t count;
        struct bytes cut = bytes_copy(labels.data, size);
        assert_int_equal(read_labels(cut, 0, 10, &read, &count, &err), BITTERN_ERR_FORMAT);
        assert_null(read);
        free(cut.data);
    }
    free(images.data);
    free(labels.data);
}

/* Would catch: a wrong magic number, type or rank that is read anyway. */
static void other_magic_numbers_are_refused(void **state)
{
    (void)state;
    struct bytes bytes = bytes_idx_images(2, 3, 4);
    for (size_t bit = 0; bit < 32; bit++) {
        struct bittern_error err;
        struct idx_images images;
        bytes.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(read_images(bytes, 1000, &images, &err), BITTERN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "IDX"));
        bytes.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    free(bytes.data);
}

/* Would catch: dimensions of 0, products that overflow, sizes that are allocated as claimed. */
static void hostile_dimensions_are_refused(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 4096, 4097, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    size_t number = sizeof values / sizeof values[0];
    for (size_t i = 0; i < number * number * number; i++) {
        struct bittern_error err;
        struct idx_images images;
        struct bytes bytes = bytes_idx_images(1, 1, 2); /* 1 1 2 itself is not among the cases */
        uint32_t dims[3] = {values[i % number], values[i / number % number],
                            values[i / number / number]};
        for (size_t at = 0; at < 12; at++) {
            bytes.data[4 + at] = (uint8_t)(dims[at / 4] >> (24 - 8 * (at % 4)));
        }
        assert_int_equal(read_images(bytes, DATASET_MAX_UNPACKED, &images, &err),
                         BITTERN_ERR_FORMAT);
        assert_null(images.pixels);
        free(bytes.data);
    }
}

/* Would catch: bytes behind the last image that are ignored. */
static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct idx_images images;
    struct bytes bytes = bytes_idx_images(2, 3, 4);
    struct bytes byte = bytes_copy("", 1);
    struct bytes longer = bytes_join(bytes, byte);
    assert_int_equal(read_images(longer, 1000, &images, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "longer"));
    assert_null(images.pixels);
    free(longer.data);
    free(byte.data);
    free(bytes.data);
}

/* Would catch: a label that would index behind the last class. */
static void labels_outside_of_the_classes_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, classes, label;
    } cases[] = {{0, 10, 10}, {0, 10, 255}, {1, 26, 0}, {1, 26, 27}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bittern_error err;
        uint8_t *labels;
        size_t count;
        struct bytes bytes = bytes_idx_labels(40, cases[i].first, cases[i].classes);
        bytes.data[8 + 33] = cases[i].label;
        assert_int_equal(
            read_labels(bytes, cases[i].first, cases[i].classes, &labels, &count, &err),
            BITTERN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "image 33"));
        assert_non_null(strstr(err.message, "offset 41"));
        assert_null(labels);
        free(bytes.data);
    }
}

/* Would catch: images that go with another file's labels, or with images of another size. */
static void files_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    struct bytes images = bytes_idx_images(5, 28, 28);
    struct bytes small = bytes_idx_images(5, 28, 27);
    struct bytes five = bytes_idx_labels(5, 0, 10);
    struct bytes four = bytes_idx_labels(4, 0, 10);
    struct bytes six = bytes_idx_labels(6, 0, 10);
    assert_ok(load_pair(images, five, "mnist", &dataset, &err), &err);
    bittern_dataset_close(dataset);
    assert_int_equal(load_pair(images, four, "mnist", &dataset, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "4 labels for 5 images"));
    bittern_dataset_close(dataset);
    assert_int_equal(load_pair(images, six, "mnist", &dataset, &err), BITTERN_ERR_FORMAT);
    bittern_dataset_close(dataset);
    assert_int_equal(load_pair(small, five, "mnist", &dataset, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "28x27"));
    bittern_dataset_close(dataset);
    assert_ok(load_pair(small, five, NULL, &dataset, &err), &err);
    assert_int_equal(bittern_dataset_classes(dataset), 5);
    assert_string_equal(bittern_dataset_class_name(dataset, 4), "4");
    assert_null(bittern_dataset_class_name(dataset, 5));
    bittern_dataset_close(dataset);
    free(images.data);
    free(small.data);
    free(five.data);
    free(four.data);
    free(six.data);
}

/* Would catch: a bomb in a known set's file that is unpacked as far as its header claims. */
static void more_images_than_published_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    struct bytes images = bytes_idx_images(10001, 28, 28);
    struct bytes labels = bytes_idx_labels(10001, 0, 10);
    struct bytes packed = bytes_gzip(images);
    assert_int_equal(load_pair(packed, labels, "mnist", &dataset, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "10001"));
    bittern_dataset_close(dataset);
    assert_ok(load_pair(packed, labels, "digits", &dataset, &err), &err);
    bittern_dataset_close(dataset);
    free(packed.data);
    free(images.data);
    free(labels.data);
}

/* Would catch: a bomb in a set of unknown size, or a large plain file that is refused. */
static void only_packed_files_of_unknown_sets_are_limited(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    struct bytes labels = bytes_idx_labels(3, 0, 10);
    struct bytes images = bytes_idx_images(3, 28, 28);
    images.data[4] = 0xFF; /* 4,278,190,083 images: 3.4 TB */
    struct bytes packed = bytes_gzip(images);
    assert_int_equal(load_pair(packed, labels, NULL, &dataset, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "bytes allowed"));
    bittern_dataset_close(dataset);
    assert_int_equal(load_pair(images, labels, NULL, &dataset, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "truncated"));
    bittern_dataset_close(dataset);
    free(packed.data);
    free(images.data);
    free(labels.data);
}

/* Would catch: EMNIST's letters that lie on their side, or begin at class 1. */
static void emnist_is_put_upright(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_dataset *dataset;
    struct bytes images = bytes_idx_images(3, 28, 28);
    struct bytes labels = bytes_idx_labels(3, 1, 26);
    assert_ok(load_pair(images, labels, "emnist-letters", &dataset, &err), &err);
    const uint8_t *pixels = bittern_dataset_images(dataset);
    for (size_t image = 0; image < 3; image++) {
        for (size_t row = 0; row < 28; row++) {
            for (size_t column = 0; column < 28; column++) {
                size_t at = image * 784 + row * 28 + column;
                assert_int_equal(pixels[at], images.data[16 + image * 784 + column * 28 + row]);
            }
        }
        assert_int_equal(bittern_dataset_labels(dataset)[image], image);
    }
    assert_string_equal(bittern_dataset_class_name(dataset, 2), "C");
    bittern_dataset_close(dataset);
    free(images.data);
    free(labels.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_and_labels_are_read_as_written),
        cmocka_unit_test(truncation_at_every_byte_is_refused),
        cmocka_unit_test(other_magic_numbers_are_refused),
        cmocka_unit_test(hostile_dimensions_are_refused),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(labels_outside_of_the_classes_are_refused),
        cmocka_unit_test(files_that_do_not_belong_together_are_refused),
        cmocka_unit_test(more_images_than_published_are_refused),
        cmocka_unit_test(only_packed_files_of_unknown_sets_are_limited),
        cmocka_unit_test(emnist_is_put_upright),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
