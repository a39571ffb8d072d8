/* SPDX-License-Identifier: Apache-2.0 */
#include "data/made_dataset.h"

#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t made_label(size_t image)
{
    return (uint8_t)((7 * image + 3) % 10);
}

static void write_bytes(FILE *file, const uint8_t *bytes, size_t size)
{
    assert_int_equal(fwrite(bytes, 1, size, file), size);
}

static void write_big_endian(FILE *file, size_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    write_bytes(file, bytes, sizeof(bytes));
}

static FILE *create_file(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static uint8_t *random_pixels(size_t count, uint64_t seed)
{
    uint8_t *pixels = malloc(count);
    assert_non_null(pixels);
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)random_u64(&seed);
    }
    return pixels;
}

static struct bittern_dataset *open_grey(const char *folder, size_t count, size_t height,
                                         size_t width, uint64_t seed)
{
    char images_path[256];
    char labels_path[256];
    (void)snprintf(images_path, sizeof(images_path), "%s/images", folder);
    (void)snprintf(labels_path, sizeof(labels_path), "%s/labels", folder);
    uint8_t *pixels = random_pixels(count * height * width, seed);
    FILE *images = create_file(images_path);
    write_big_endian(images, 0x803);
    write_big_endian(images, count);
    write_big_endian(images, height);
    write_big_endian(images, width);
    write_bytes(images, pixels, count * height * width);
    assert_int_equal(fclose(images), 0);
    FILE *labels = create_file(labels_path);
    write_big_endian(labels, 0x801);
    write_big_endian(labels, count);
    for (size_t i = 0; i < count; i++) {
        write_bytes(labels, &(uint8_t){made_label(i)}, 1);
    }
    assert_int_equal(fclose(labels), 0);
    free(pixels);

    struct bittern_dataset *dataset = NULL;
    struct bittern_error err;
    assert_ok(bittern_dataset_open_idx(images_path, labels_path, &dataset, &err), &err);
    (void)unlink(images_path);
    (void)unlink(labels_path);
    return dataset;
}

static struct bittern_dataset *open_colour(const char *folder, size_t count, uint64_t seed)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/test_batch.bin", folder);
    uint8_t *pixels = random_pixels(count * 3072, seed);
    FILE *file = create_file(path);
    for (size_t i = 0; i < count; i++) {
        write_bytes(file, &(uint8_t){made_label(i)}, 1);
        write_bytes(file, pixels + i * 3072, 3072);
    }
    assert_int_equal(fclose(file), 0);
    free(pixels);

    struct bittern_dataset *dataset = NULL;
    struct bittern_error err;
    assert_ok(bittern_dataset_open("cifar10", BITTERN_SPLIT_TEST, folder, &dataset, &err), &err);
    (void)unlink(path);
    return dataset;
}

struct bittern_dataset *made_dataset_open(size_t channels, size_t count, size_t height,
                                          size_t width, uint64_t seed)
{
    char folder[] = "/tmp/bittern-made-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct bittern_dataset *dataset = channels == 3 ? open_colour(folder, count, seed)
                                                    : open_grey(folder, count, height, width, seed);
    (void)rmdir(folder);
    return dataset;
}
