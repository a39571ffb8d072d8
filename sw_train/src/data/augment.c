/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversion goes row by row: what lies outside of the shifted image becomes zero, the rest is
 * looked up in the channel's table of 256 values (1 KiB, which stays in the first-level cache). The
 * cutout's square is cleared at the end.
 */
#include "data/augment.h"

#include <string.h>

struct image_change augment_draw(const struct augmentation *augmentation, size_t height,
                                 size_t width, struct rng *rng)
{
    struct image_change change = {0};
    if (augmentation->crop > 0) {
        size_t positions = 2 * augmentation->crop + 1;
        change.row = (ptrdiff_t)rng_below(rng, positions) - (ptrdiff_t)augmentation->crop;
        change.column = (ptrdiff_t)rng_below(rng, positions) - (ptrdiff_t)augmentation->crop;
    }
    if (augmentation->flip) {
        change.flip = rng_below(rng, 2) == 1;
    }
    if (augmentation->cutout > 0) {
        size_t half = augmentation->cutout / 2;
        size_t y = rng_below(rng, height);
        size_t x = rng_below(rng, width);
        change.cut_top = y > half ? y - half : 0;
        change.cut_left = x > half ? x - half : 0;
        change.cut_bottom = y + augmentation->cutout - half;
        change.cut_right = x + augmentation->cutout - half;
        change.cut_bottom = change.cut_bottom < height ? change.cut_bottom : height;
        change.cut_right = change.cut_right < width ? change.cut_right : width;
    }
    return change;
}

/* Part of a row: `count` pixels from `source` on, to out, out + stride, ... */
struct row_part {
    const uint8_t *source;
    ptrdiff_t source_step; /* 1, or -1 where flipped */
    size_t first, count;   /* columns of the output */
    size_t width, stride;
};

static void convert_row_f32(const struct row_part *row, const float *table, float *out)
{
    size_t end = row->first + row->count;
    for (size_t x = 0; x < row->first; x++) {
        out[x * row->stride] = 0.0F;
    }
    ptrdiff_t source = 0;
    for (size_t x = row->first; x < end; x++, source += row->source_step) {
        out[x * row->stride] = table[row->source[source]];
    }
    for (size_t x = end; x < row->width; x++) {
        out[x * row->stride] = 0.0F;
    }
}

static void convert_row_bf16(const struct row_part *row, const uint16_t *table, uint16_t *out)
{
    size_t end = row->first + row->count;
    for (size_t x = 0; x < row->first; x++) {
        out[x * row->stride] = 0;
    }
    ptrdiff_t source = 0;
    for (size_t x = row->first; x < end; x++, source += row->source_step) {
        out[x * row->stride] = table[row->source[source]];
    }
    for (size_t x = end; x < row->width; x++) {
        out[x * row->stride] = 0;
    }
}

/* Where the pixels of output row y come from. */
static struct row_part find_row(const struct image_format *format,
                                const struct image_change *change, const uint8_t *channel, size_t y)
{
    struct row_part row = {channel, 1, 0, 0, format->width, format->pixel_stride};
    ptrdiff_t width = (ptrdiff_t)format->width;
    ptrdiff_t source_y = (ptrdiff_t)y + change->row;
    /* columns of the cropped image that lie inside of the source */
    ptrdiff_t first = change->column < 0 ? -change->column : 0;
    ptrdiff_t end = change->column > 0 ? width - change->column : width;
    if (source_y < 0 || source_y >= (ptrdiff_t)format->height || first >= end) {
        return row;
    }
    ptrdiff_t shift = source_y * width + change->column;
    row.count = (size_t)(end - first);
    if (change->flip) {
        row.first = (size_t)(width - end);
        row.source = channel + (shift + end - 1);
        row.source_step = -1;
    } else {
        row.first = (size_t)first;
        row.source = channel + (shift + first);
    }
    return row;
}

static size_t value_size(const struct image_format *format)
{
    return format->type == BACKEND_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static void clear_cutout(const struct image_format *format, const struct image_change *change,
                         uint8_t *out)
{
    size_t size = value_size(format);
    for (size_t c = 0; c < format->channels; c++) {
        for (size_t y = change->cut_top; y < change->cut_bottom; y++) {
            for (size_t x = change->cut_left; x < change->cut_right; x++) {
                size_t at =
                    c * format->channel_stride + (y * format->width + x) * format->pixel_stride;
                memset(out + at * size, 0, size);
            }
        }
    }
}

void augment_convert(const struct image_format *format, const struct image_change *change,
                     const uint8_t *image, void *out)
{
    size_t row_stride = format->width * format->pixel_stride;
    for (size_t c = 0; c < format->channels; c++) {
        const uint8_t *channel = image + c * format->height * format->width;
        for (size_t y = 0; y < format->height; y++) {
            struct row_part row = find_row(format, change, channel, y);
            size_t at = c * format->channel_stride + y * row_stride;
            if (format->type == BACKEND_BF16) {
                convert_row_bf16(&row, (const uint16_t *)format->table + c * 256,
                                 (uint16_t *)out + at);
            } else {
                convert_row_f32(&row, (const float *)format->table + c * 256, (float *)out + at);
            }
        }
    }
    clear_cutout(format, change, out);
}
