/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded data set, from the inside. digits_strokes.c holds how a hand writes each digit;
 * digits_draw.c distorts and inks one image; digits.c draws many and writes them to files.
 *
 * Every image depends on (seed, split, index) alone: a shorter set is a prefix of a longer one, and
 * threads may draw in any order.
 */
#ifndef BITTERN_DATASET_DIGITS_H
#define BITTERN_DATASET_DIGITS_H

#include <bittern/dataset.h>
#include <stddef.h>
#include <stdint.h>

#define DIGITS_SIDE 28
#define DIGITS_PIXELS (DIGITS_SIDE * DIGITS_SIDE)
#define DIGITS_CLASSES 10

enum pen_move {
    PEN_END = 0, /* behind the last point of a glyph */
    PEN_DOWN,    /* a stroke begins */
    PEN_SMOOTH,  /* the pen passes without a change of direction */
    PEN_CORNER   /* the pen turns on the spot */
};

/* A point that the pen passes, in percent of the digit's box; y points down. */
struct pen_point {
    uint8_t move;
    uint8_t x, y;
};

#define DIGITS_MAX_POINTS 24

/* One way to write one digit. */
struct digit_glyph {
    uint8_t digit;
    uint8_t weight; /* how often, relative to the other ways to write this digit */
    struct pen_point points[DIGITS_MAX_POINTS];
};

/* Glyph 0..; NULL past the end. Each glyph begins with PEN_DOWN and has at most
 * DIGITS_MAX_POINTS - 1 points. */
const struct digit_glyph *digits_glyph(size_t index);

/* Draw one image [28][28], 0 is paper and 255 ink; returns its label. */
uint8_t digits_draw_image(uint64_t seed, enum bittern_split split, uint64_t index, uint8_t *image);

/* Draw images first..first+count-1 into images [count][28][28] and labels [count], on as many
 * threads as there are processors. */
void digits_draw_images(uint64_t seed, enum bittern_split split, uint64_t first, size_t count,
                        uint8_t *images, uint8_t *labels);

#endif
