/* SPDX-License-Identifier: Apache-2.0 */
/* Packed values from and to plain ones. Nothing here is hot. */
#include "reference/run.h"
#include <string.h>

static uint8_t *pixel_at(const struct reference_format *format, uint8_t *values, size_t row,
                         size_t column)
{
    return values + (row + format->pad_top) * format->row_bytes +
           (column + format->pad_left) * format->pixel_bytes;
}

void reference_store_codes(const struct reference_kernel *kernel,
                           const struct reference_format *format, const uint8_t *codes,
                           uint8_t *pixel)
{
    switch (format->kind) {
    case BITTERN_VALUE_BINARY:
        kernel->pack_binary(codes, format->shape.channels, (uint64_t *)(void *)pixel);
        break;
    case BITTERN_VALUE_TERNARY:
        kernel->pack_ternary(codes, format->shape.channels, (uint64_t *)(void *)pixel);
        break;
    default:
        memcpy(pixel, codes, format->shape.channels);
        break;
    }
}

int32_t reference_load_value(const struct reference_format *format, const uint8_t *pixel,
                             size_t channel)
{
    const uint64_t *words = (const uint64_t *)(const void *)pixel;
    const size_t word = channel / 64;
    const size_t bit = channel % 64;
    switch (format->kind) {
    case BITTERN_VALUE_BINARY:
        return (words[word] >> bit & 1) ? 1 : -1;
    case BITTERN_VALUE_TERNARY:
        return (int32_t)(words[2 * word] >> bit & 1) - (int32_t)(words[2 * word + 1] >> bit & 1);
    case BITTERN_VALUE_INT:
        return pixel[channel] + format->low;
    case BITTERN_VALUE_ACC:
    default:
        return ((const int32_t *)(const void *)pixel)[channel];
    }
}

void reference_encode_image(const struct reference_plan *plan, const uint8_t *image,
                            const int16_t *value_of, uint8_t *codes, uint8_t *out)
{
    const struct bittern_input *input = bittern_network_input(plan->network);
    const struct reference_format *format = &plan->layers[0].input;
    const size_t pixels = input->shape.height * input->shape.width;
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
        for (size_t c = 0; c < input->shape.channels; ++c) {
            const int16_t *table = value_of ? value_of : input->table + c * 256;
            int32_t value = table[image[c * pixels + pixel]];
            switch (format->kind) {
            case BITTERN_VALUE_BINARY:
                codes[c] = value > 0;
                break;
            case BITTERN_VALUE_TERNARY:
                codes[c] = (uint8_t)(value + 1);
                break;
            default:
                codes[c] = (uint8_t)(value - format->low);
                break;
            }
        }
        reference_store_codes(
            plan->kernel, format, codes,
            pixel_at(format, out, pixel / input->shape.width, pixel % input->shape.width));
    }
}

void reference_decode_image(const struct reference_format *format, const uint8_t *values,
                            int32_t *out)
{
    const struct bittern_shape *shape = &format->shape;
    const size_t pixels = shape->height * shape->width;
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
        const uint8_t *from = values +
                              (pixel / shape->width + format->pad_top) * format->row_bytes +
                              (pixel % shape->width + format->pad_left) * format->pixel_bytes;
        for (size_t c = 0; c < shape->channels; ++c) {
            out[c * pixels + pixel] = reference_load_value(format, from, c);
        }
    }
}

void reference_fill_padding(const struct reference_format *format, uint8_t *values)
{
    if (format->pad_top + format->pad_left + format->pad_bottom + format->pad_right > 0) {
        memset(values, format->pad_value - format->low, format->image_bytes);
    }
}
