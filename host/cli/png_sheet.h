/* SPDX-License-Identifier: Apache-2.0 */
/* A sheet of equally large images as one PNG file; one image as PNG in memory. */
#ifndef BITTERN_CLI_PNG_SHEET_H
#define BITTERN_CLI_PNG_SHEET_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Write `count` images, row by row in a sheet that is about square, with one pixel between them.
 * The file is written whole or not at all.
 * @param images    [count] pointers to planar pixels [channels][height][width]
 * @param channels  1 (grey) or 3 (RGB)
 */
bittern_status png_sheet_write(const char *path, const uint8_t *const *images, size_t count,
                               size_t channels, size_t height, size_t width,
                               struct bittern_error *err);

/*
 * One image as a PNG file in memory, to be freed with free().
 * @param image  planar pixels [channels][height][width]; channels as above
 */
bittern_status png_image_make(const uint8_t *image, size_t channels, size_t height, size_t width,
                              uint8_t **file, size_t *size, struct bittern_error *err);

#endif
