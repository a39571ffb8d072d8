/* SPDX-License-Identifier: Apache-2.0 */
/* Images through the loader against one that is converted value by value. */
#include "data/augment.h"

#include "backend/backend_bf16.h"
#include "data/made_dataset.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Value (c, y, x) of an image, straight from the definitions: zero where the cutout's square or the
 * padding is, else the table's value of the pixel that crop and flip bring there. */
static float slow_value(const struct image_format *format, const struct image_change *change,
                        const float *table, const uint8_t *image, size_t c, size_t y, size_t x)
{
    if (y >= change->cut_top && y < change->cut_bottom && x >= change->cut_left &&
        x < change->cut_right) {
        return 0.0F;
    }
    ptrdiff_t row = (ptrdiff_t)y + change->row;
    ptrdiff_t column = (ptrdiff_t)(change->flip ? format->width - 1 - x : x) + change->column;
    if (row < 0 || row >= (ptrdiff_t)format->height || column < 0 ||
        column >= (ptrdiff_t)format->width) {
        return 0.0F;
    }
    size_t at = (c * format->height + (size_t)row) * format->width + (size_t)column;
    return table[c * 256 + image[at]];
}

static void draw_shape(uint64_t *seed, struct image_format *format, struct augmentation *drawn)
{
    format->channels = 1 + random_below(seed, 4);
    format->height = 1 + random_below(seed, 9);
    format->width = 1 + random_below(seed, 9);
    size_t side = format->height < format->width ? format->height : format->width;
    bool planar = random_below(seed, 2) == 0;
    format->channel_stride = planar ? format->height * format->width : 1;
    format->pixel_stride = planar ? 1 : format->channels;
    drawn->crop = random_below(seed, side);
    drawn->flip = random_below(seed, 2) == 0;
    drawn->cutout = random_below(seed, side + 1);
}

/* Would catch: a shift in the wrong direction, flip before crop, a row that is not cleared at one
 * end, a stride of the other layout. */
static void conversion_equals_the_slow_one_for_all_layouts_and_types(void **state)
{
    (void)state;
    uint64_t seed = 31;
    for (size_t run = 0; run < 2000; run++) {
        struct image_format format = {0};
        struct augmentation augmentation;
        draw_shape(&seed, &format, &augmentation);
        size_t values = format.channels * format.height * format.width;
        uint8_t image[4 * 81];
        float table[4 * 256];
        uint16_t short_table[4 * 256];
        float out[4 * 81];
        uint16_t short_out[4 * 81];
        for (size_t i = 0; i < values; i++) {
            image[i] = (uint8_t)random_u64(&seed);
        }
        for (size_t i = 0; i < format.channels * 256; i++) {
            short_table[i] = (uint16_t)(0x3F80 + i); /* all different */
            table[i] = bf16_to_float(short_table[i]);
        }
        memset(out, 0xFF, sizeof(out));
        memset(short_out, 0xFF, sizeof(short_out));
        struct rng rng = rng_start(run, RNG_AUGMENT, 0);
        struct image_change change = augment_draw(&augmentation, format.height, format.width, &rng);
        format.type = BACKEND_F32;
        format.table = table;
        augment_convert(&format, &change, image, out);
        format.type = BACKEND_BF16;
        format.table = short_table;
        augment_convert(&format, &change, image, short_out);
        for (size_t i = 0; i < values; i++) {
            size_t c = i / (format.height * format.width);
            size_t y = i / format.width % format.height;
            size_t x = i % format.width;
            size_t at = c * format.channel_stride + (y * format.width + x) * format.pixel_stride;
            float expected = slow_value(&format, &change, table, image, c, y, x);
            if (out[at] != expected || bf16_to_float(short_out[at]) != expected) {
                fail_msg("run %zu: value (%zu, %zu, %zu) is %g and %g, not %g", run, c, y, x,
                         (double)out[at], (double)bf16_to_float(short_out[at]), (double)expected);
            }
        }
    }
}

#define DRAWS 40000

/* A count of DRAWS * p is within five deviations. */
static void expect_share(size_t count, double p, const char *what)
{
    double deviation = sqrt((double)DRAWS * p * (1.0 - p));
    if (fabs((double)count - (double)DRAWS * p) > 5.0 * deviation) {
        fail_msg("%s: %zu of %d, not about %g", what, count, DRAWS, (double)DRAWS * p);
    }
}

/* Would catch: shifts that leave out an end or prefer one, a coin that always falls on one side. */
static void shifts_and_flips_are_drawn_evenly(void **state)
{
    (void)state;
    const struct augmentation augmentation = {.crop = 4, .flip = true};
    size_t rows[9] = {0};
    size_t columns[9] = {0};
    size_t flips = 0;
    size_t both = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        struct rng rng = rng_start(1, RNG_AUGMENT, i);
        struct image_change change = augment_draw(&augmentation, 32, 32, &rng);
        assert_in_range(change.row + 4, 0, 8);
        assert_in_range(change.column + 4, 0, 8);
        rows[change.row + 4]++;
        columns[change.column + 4]++;
        flips += change.flip;
        both += change.flip && change.row == 4 && change.column == -4;
    }
    for (size_t i = 0; i < 9; i++) {
        expect_share(rows[i], 1.0 / 9.0, "row shift");
        expect_share(columns[i], 1.0 / 9.0, "column shift");
    }
    expect_share(flips, 0.5, "flip");
    expect_share(both, 0.5 / 81.0, "flip with one shift");
}

/* Would catch: a square that never reaches over the border, or whose centre is not uniform. */
static void cutout_squares_have_their_centre_anywhere(void **state)
{
    (void)state;
    const struct augmentation augmentation = {.cutout = 16};
    size_t whole = 0;
    size_t corner = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        struct rng rng = rng_start(2, RNG_AUGMENT, i);
        struct image_change change = augment_draw(&augmentation, 32, 32, &rng);
        assert_true(change.cut_top < change.cut_bottom && change.cut_bottom <= 32);
        assert_true(change.cut_left < change.cut_right && change.cut_right <= 32);
        size_t area = (change.cut_bottom - change.cut_top) * (change.cut_right - change.cut_left);
        assert_true(area <= 256);
        whole += area == 256;
        corner += area == 64;
    }
    /* rows 8..24 of 32 as centre leave the square whole; row 0 halves it */
    expect_share(whole, 17.0 / 32.0 * 17.0 / 32.0, "whole square");
    expect_share(corner, 1.0 / 32.0 / 32.0, "square in the corner");
}

/* Would catch: draws that depend on the batch or on other images, or settings that are ignored. */
static void image_depends_on_seed_epoch_and_position_alone(void **state)
{
    (void)state;
    struct bittern_dataset *dataset = made_dataset_open(3, 10, 32, 32, 4);
    struct input_encoding encoding;
    struct bittern_error err;
    assert_ok(input_encoding_choose(dataset, true, true, &encoding, &err), &err);
    float table[3 * 256];
    input_encoding_table(&encoding, table);
    struct loader_options options = {.dataset = dataset,
                                     .encoding = &encoding,
                                     .augmentation = {.crop = 4, .flip = true, .cutout = 8},
                                     .first = 2,
                                     .count = 7,
                                     .seed = 9,
                                     .ranks = 1};
    struct backend_tensor tensor = {
        .n = 3, .c = 3, .h = 32, .w = 32, .layout = BACKEND_CHANNELS_LAST};
    tensor.data = malloc((size_t)3 * 3072 * sizeof(float));
    assert_non_null(tensor.data);
    struct loader *loader;
    assert_ok(loader_create(&options, &tensor, &loader, &err), &err);
    const struct image_format format = {.channels = 3, .height = 32, .width = 32};
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        struct loader_batch batch;
        loader_seek(loader, epoch, 0);
        while (loader_next(loader, &tensor, &batch)) {
            for (size_t n = 0; n < batch.count; n++) {
                size_t position = 2 + batch.first_position + n;
                struct rng rng = rng_start(9, RNG_AUGMENT, epoch * 10 + position);
                struct image_change change = augment_draw(&options.augmentation, 32, 32, &rng);
                const uint8_t *image = bittern_dataset_images(dataset) + position * 3072;
                const float *values = (const float *)tensor.data + n * 3072;
                for (size_t i = 0; i < 3072; i++) {
                    size_t y = i / 96;
                    size_t x = i / 3 % 32;
                    assert_true(values[i] ==
                                slow_value(&format, &change, table, image, i % 3, y, x));
                }
            }
        }
    }
    loader_free(loader);
    free(tensor.data);
    bittern_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversion_equals_the_slow_one_for_all_layouts_and_types),
        cmocka_unit_test(shifts_and_flips_are_drawn_evenly),
        cmocka_unit_test(cutout_squares_have_their_centre_anywhere),
        cmocka_unit_test(image_depends_on_seed_epoch_and_position_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
