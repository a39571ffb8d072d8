/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a hand writes each digit: the points that the pen passes, in the order of writing. The pen
 * runs through them on a smooth curve (digits_draw.c), turning only at corners. Two or more glyphs
 * a digit stand for different habits, e.g. a seven with and without a bar.
 */
#include "dataset/digits.h"

/* clang-format off */
#define D(x, y) {PEN_DOWN, x, y}
#define S(x, y) {PEN_SMOOTH, x, y}
#define C(x, y) {PEN_CORNER, x, y}

static const struct digit_glyph glyphs[] = {
    /* A closed oval; one that overshoots; one that begins with a hook inside. */
    {0, 4, {D(55, 2), S(24, 14), S(10, 50), S(26, 88), S(54, 98), S(82, 84), S(91, 48), S(78, 12), S(53, 2)}},
    {0, 3, {D(62, 4), S(30, 8), S(10, 42), S(18, 82), S(48, 99), S(80, 84), S(90, 44), S(74, 8), S(46, 5), S(30, 16)}},
    {0, 1, {D(40, 14), S(62, 12), S(48, 2), S(18, 24), S(12, 66), S(38, 98), S(76, 88), S(90, 46), S(74, 10), S(58, 6)}},
    /* A bare stroke; with a flag; with flag and base. */
    {1, 5, {D(50, 0), S(50, 50), S(50, 100)}},
    {1, 3, {D(30, 24), S(42, 12), C(54, 0), S(53, 50), S(52, 100)}},
    {1, 2, {D(30, 22), C(52, 0), S(52, 50), S(51, 99), D(24, 99), S(52, 99), S(80, 98)}},
    /* Round with a straight base; with a loop at the turn; with an angular neck. */
    {2, 4, {D(14, 24), S(34, 4), S(66, 3), S(84, 24), S(68, 54), S(38, 80), C(10, 97), S(50, 96), S(92, 95)}},
    {2, 3, {D(16, 22), S(42, 2), S(76, 10), S(78, 38), S(50, 74), S(22, 96), S(10, 86), S(26, 76), S(58, 92), S(92, 92)}},
    {2, 2, {D(20, 16), S(50, 1), S(80, 14), S(76, 40), C(14, 98), S(50, 92), S(84, 99)}},
    /* Two bowls; a flat top with a sharp neck; a small loop between the bowls. */
    {3, 4, {D(16, 14), S(44, 1), S(76, 10), S(76, 34), C(42, 47), S(78, 58), S(86, 80), S(54, 99), S(12, 88)}},
    {3, 2, {D(16, 4), S(48, 3), C(82, 3), S(62, 22), C(42, 42), S(76, 52), S(84, 78), S(56, 99), S(14, 92)}},
    {3, 2, {D(18, 10), S(50, 1), S(78, 18), S(62, 42), S(44, 52), S(38, 44), S(58, 46), S(84, 64), S(76, 92), S(40, 99), S(14, 90)}},
    /* Open above; closed; open with a curved arm. */
    {4, 4, {D(26, 4), S(20, 30), C(12, 56), S(50, 56), S(92, 54), D(74, 6), S(70, 50), S(66, 100)}},
    {4, 3, {D(66, 100), S(68, 50), C(70, 0), S(40, 32), C(8, 66), S(50, 66), S(94, 65)}},
    {4, 3, {D(22, 4), S(13, 34), S(24, 54), S(52, 54), S(78, 42), D(82, 2), S(78, 48), S(70, 100)}},
    /* One line, from the bar on; bar written last; a round one without corners. */
    {5, 3, {D(84, 4), S(54, 4), C(28, 5), S(24, 24), C(20, 45), S(48, 36), S(80, 52), S(82, 82), S(48, 99), S(12, 91)}},
    {5, 3, {D(28, 6), S(24, 26), C(21, 47), S(52, 38), S(82, 58), S(78, 86), S(46, 99), S(14, 90), D(28, 6), S(56, 5), S(90, 1)}},
    {5, 2, {D(84, 6), S(56, 3), S(30, 12), S(26, 38), S(54, 46), S(80, 62), S(74, 90), S(42, 99), S(14, 93)}},
    /* A bowed back; a straight back; a wide loop that crosses the back. */
    {6, 4, {D(70, 2), S(38, 20), S(16, 58), S(24, 92), S(56, 98), S(82, 76), S(62, 54), S(32, 62), S(18, 78)}},
    {6, 3, {D(58, 0), S(36, 34), S(18, 70), S(32, 97), S(64, 95), S(78, 72), S(54, 58), S(22, 76)}},
    {6, 2, {D(80, 6), S(46, 4), S(18, 36), S(14, 76), S(44, 99), S(80, 88), S(82, 62), S(52, 50), S(14, 62)}},
    /* Plain; with a bar; with a serif; with a bowed top and stem. */
    {7, 4, {D(10, 6), S(48, 5), C(88, 5), S(62, 50), S(42, 100)}},
    {7, 2, {D(10, 6), S(48, 5), C(88, 5), S(62, 50), S(42, 100), D(32, 54), S(56, 51), S(82, 49)}},
    {7, 2, {D(12, 24), C(15, 5), S(50, 6), C(88, 3), S(64, 44), S(50, 100)}},
    {7, 2, {D(8, 14), S(28, 3), S(58, 11), C(90, 5), S(58, 44), S(40, 100)}},
    /* One line with a crossing; the same begun at the crossing; two circles. */
    {8, 4, {D(80, 14), S(50, 1), S(20, 20), S(42, 44), S(74, 64), S(78, 88), S(48, 99), S(18, 86), S(32, 58), S(66, 38), S(80, 14)}},
    {8, 2, {D(50, 48), S(22, 26), S(44, 2), S(76, 14), S(68, 38), S(36, 58), S(18, 82), S(46, 99), S(78, 84), S(68, 60), S(50, 48)}},
    {8, 2, {D(54, 45), S(24, 30), S(38, 3), S(72, 10), S(74, 36), S(52, 46), D(50, 46), S(18, 66), S(28, 96), S(66, 97), S(82, 68), S(52, 46)}},
    /* A straight stem; a tail that bends back; a stem that leans from an open loop. */
    {9, 4, {D(80, 16), S(50, 1), S(18, 20), S(28, 46), S(60, 44), C(82, 12), S(79, 54), S(74, 100)}},
    {9, 2, {D(78, 12), S(44, 2), S(18, 26), S(36, 50), S(66, 42), C(80, 10), S(82, 56), S(64, 92), S(24, 96)}},
    {9, 3, {D(76, 8), S(42, 4), S(18, 28), S(36, 50), S(66, 40), S(80, 10), S(70, 54), S(48, 100)}},
};
/* clang-format on */

const struct digit_glyph *digits_glyph(size_t index)
{
    return index < sizeof glyphs / sizeof glyphs[0] ? &glyphs[index] : NULL;
}
