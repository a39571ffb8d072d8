/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sheet is laid out in memory, encoded by libpng's simplified interface, then written as a
 * whole file.
 */
#include "png_sheet.h"

#include "base/checked.h"
#include "base/file.h"

#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GAP 1
#define GAP_SHADE 128
/* PNG itself allows 2^31 - 1; nobody looks at more than this. */
#define MAX_SIDE 32767

struct sheet {
    size_t columns, rows;
    size_t height, width; /* in pixels */
    size_t channels;
    uint8_t *pixels; /* [height][width][channels] */
};

static bool lay_out(struct sheet *sheet, size_t count, size_t height, size_t width)
{
    while (sheet->columns * sheet->columns < count) {
        sheet->columns++;
    }
    sheet->rows = (count + sheet->columns - 1) / sheet->columns;
    return checked_mul_size(sheet->columns, width + GAP, &sheet->width) &&
           checked_mul_size(sheet->rows, height + GAP, &sheet->height) &&
           checked_add_size(sheet->width, GAP, &sheet->width) &&
           checked_add_size(sheet->height, GAP, &sheet->height) && sheet->width <= MAX_SIDE &&
           sheet->height <= MAX_SIDE;
}

static void paste(struct sheet *sheet, size_t index, const uint8_t *image, size_t height,
                  size_t width)
{
    size_t top = GAP + index / sheet->columns * (height + GAP);
    size_t left = GAP + index % sheet->columns * (width + GAP);
    for (size_t channel = 0; channel < sheet->channels; channel++) {
        for (size_t row = 0; row < height; row++) {
            for (size_t column = 0; column < width; column++) {
                size_t at = (top + row) * sheet->width + left + column;
                sheet->pixels[at * sheet->channels + channel] =
                    image[(channel * height + row) * width + column];
            }
        }
    }
}

static bittern_status encode(const uint8_t *pixels, size_t channels, size_t height, size_t width,
                             uint8_t **file, size_t *size, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    png_alloc_size_t needed = 0;
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};

    *file = NULL;
    if (!png_image_write_to_memory(&png, NULL, &needed, 0, pixels, 0, NULL)) {
        goto failed;
    }
    *file = malloc(needed);
    if (!*file) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a PNG file");
        goto cleanup;
    }
    if (!png_image_write_to_memory(&png, *file, &needed, 0, pixels, 0, NULL)) {
        goto failed;
    }
    *size = needed;
    goto cleanup;
failed:
    status = bittern_error_set(err, BITTERN_ERR_IO, "cannot encode a PNG file: %s", png.message);
    free(*file);
    *file = NULL;
cleanup:
    png_image_free(&png);
    return status;
}

bittern_status png_image_make(const uint8_t *image, size_t channels, size_t height, size_t width,
                              uint8_t **file, size_t *size, struct bittern_error *err)
{
    size_t plane;
    size_t bytes;
    *file = NULL;
    if ((channels != 1 && channels != 3) || height == 0 || width == 0 || height > MAX_SIDE ||
        width > MAX_SIDE || !checked_mul_size(height, width, &plane) ||
        !checked_mul_size(plane, channels, &bytes)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "cannot draw %zu x %zu x %zu values",
                                 channels, height, width);
    }
    uint8_t *pixels = malloc(bytes);
    if (!pixels) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an image");
    }
    for (size_t i = 0; i < plane; i++) {
        for (size_t c = 0; c < channels; c++) {
            pixels[i * channels + c] = image[c * plane + i];
        }
    }
    bittern_status status = encode(pixels, channels, height, width, file, size, err);
    free(pixels);
    return status;
}

bittern_status png_sheet_write(const char *path, const uint8_t *const *images, size_t count,
                               size_t channels, size_t height, size_t width,
                               struct bittern_error *err)
{
    struct sheet sheet = {.columns = 1, .channels = channels};
    if (count == 0 || (channels != 1 && channels != 3)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "cannot draw %zu images of %zu channels", count, channels);
    }
    if (!lay_out(&sheet, count, height, width)) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "a sheet of %zu images is wider or higher than %d pixels; draw "
                                 "fewer samples",
                                 count, MAX_SIDE);
    }
    sheet.pixels = malloc(sheet.width * sheet.height * channels);
    if (!sheet.pixels) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a sheet of %zu images",
                                 count);
    }
    memset(sheet.pixels, GAP_SHADE, sheet.width * sheet.height * channels);
    for (size_t i = 0; i < count; i++) {
        paste(&sheet, i, images[i], height, width);
    }
    uint8_t *file = NULL;
    size_t size = 0;
    bittern_status status =
        encode(sheet.pixels, channels, sheet.height, sheet.width, &file, &size, err);
    if (status == BITTERN_OK) {
        status = file_write(path, file, size, err);
    }
    free(file);
    free(sheet.pixels);
    return status;
}
