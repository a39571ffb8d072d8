/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDX files, as MNIST's page describes them: two zero bytes, a type (0x08: unsigned byte), the
 * number of dimensions, the dimensions, the data. The header is checked before any data is read.
 */
#include "base/checked.h"
#include "dataset/formats.h"

#include <inttypes.h>
#include <stdlib.h>

#define TYPE_UBYTE 0x08

static uint32_t big_endian_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Read the magic number and `rank` dimensions, none of them 0. */
static bittern_status read_header(struct stream *stream, const char *what, uint32_t rank,
                                  uint32_t *dims, struct bittern_error *err)
{
    uint8_t bytes[4 + 4 * 3];
    bittern_status status = stream_read(stream, bytes, 4, err);
    if (status != BITTERN_OK) {
        return status;
    }
    uint32_t magic = big_endian_32(bytes);
    if (magic != ((uint32_t)TYPE_UBYTE << 8 | rank)) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "'%s' is no IDX file of %s: it starts with 0x%08" PRIx32 " instead of 0x%08" PRIx32,
            stream_name(stream), what, magic, (uint32_t)TYPE_UBYTE << 8 | rank);
    }
    status = stream_read(stream, bytes, (size_t)4 * rank, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = big_endian_32(bytes + (size_t)4 * i);
        if (dims[i] == 0) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s': dimension %" PRIu32 " at offset %" PRIu32 " is 0",
                                     stream_name(stream), i, 4 + 4 * i);
        }
    }
    return BITTERN_OK;
}

bittern_status idx_read_images(struct stream *stream, size_t limit, struct idx_images *images,
                               struct bittern_error *err)
{
    uint32_t dims[3];
    size_t size;

    *images = (struct idx_images){0};
    bittern_status status = read_header(stream, "images", 3, dims, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (dims[1] > DATASET_MAX_SIDE || dims[2] > DATASET_MAX_SIDE) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s': images of %" PRIu32 "x%" PRIu32
                                 " pixels, more than %d a side",
                                 stream_name(stream), dims[1], dims[2], DATASET_MAX_SIDE);
    }
    if (!checked_mul_size(dims[0], (size_t)dims[1] * dims[2], &size) || size > limit) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' claims %" PRIu32 " images of %" PRIu32 "x%" PRIu32
                                 " pixels, more than the %zu bytes allowed",
                                 stream_name(stream), dims[0], dims[1], dims[2], limit);
    }
    status = stream_read_new(stream, size, &images->pixels, err);
    if (status == BITTERN_OK) {
        status = stream_finish(stream, err);
    }
    if (status != BITTERN_OK) {
        free(images->pixels);
        images->pixels = NULL;
        return status;
    }
    images->count = dims[0];
    images->height = dims[1];
    images->width = dims[2];
    return BITTERN_OK;
}

static bittern_status check_labels(const struct stream *stream, uint8_t *labels, size_t count,
                                   uint8_t first_label, size_t classes, struct bittern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (labels[i] < first_label || (classes > 0 && labels[i] - first_label >= (int)classes)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s': label %u of image %zu, at offset %zu, is outside of "
                                     "%u..%zu",
                                     stream_name(stream), labels[i], i, i + 8, first_label,
                                     first_label + classes - 1);
        }
        labels[i] = (uint8_t)(labels[i] - first_label);
    }
    return BITTERN_OK;
}

bittern_status idx_read_labels(struct stream *stream, size_t limit, uint8_t first_label,
                               size_t classes, uint8_t **labels, size_t *count,
                               struct bittern_error *err)
{
    uint32_t dims[1];

    *labels = NULL;
    *count = 0;
    bittern_status status = read_header(stream, "labels", 1, dims, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (dims[0] > limit) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' claims %" PRIu32 " labels, more than the %zu allowed",
                                 stream_name(stream), dims[0], limit);
    }
    status = stream_read_new(stream, dims[0], labels, err);
    if (status == BITTERN_OK) {
        status = stream_finish(stream, err);
    }
    if (status == BITTERN_OK) {
        status = check_labels(stream, *labels, dims[0], first_label, classes, err);
    }
    if (status != BITTERN_OK) {
        free(*labels);
        *labels = NULL;
        return status;
    }
    *count = dims[0];
    return BITTERN_OK;
}

void idx_transpose(struct idx_images *images)
{
    size_t side = images->height;
    for (size_t image = 0; image < images->count; image++) {
        uint8_t *pixels = images->pixels + image * side * side;
        for (size_t row = 0; row < side; row++) {
            for (size_t column = 0; column < row; column++) {
                uint8_t swapped = pixels[row * side + column];
                pixels[row * side + column] = pixels[column * side + row];
                pixels[column * side + row] = swapped;
            }
        }
    }
}
