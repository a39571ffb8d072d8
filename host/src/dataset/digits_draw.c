/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws one image: a glyph's points are moved about as no hand hits them twice, joined by a smooth
 * curve, bent by an elastic field, slanted, turned and scaled, placed in the image, inked with a
 * pen of changing pressure, blurred and grained.
 *
 * The same seed must give the same bytes on every machine. So all arithmetic is IEEE 754 double
 * with
 * + - * / and sqrt alone, which are exactly rounded everywhere (the build forbids contraction into
 * fused operations); nothing from libm's sin, exp or log, whose last bit differs between libraries.
 * A rotation is taken from the tangent of its half angle, a normal variable from a sum of uniforms.
 */
#include "dataset/digits.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "digits need double arithmetic without excess precision: build with -msse2 -mfpmath=sse"
#endif

#define STEPS 6 /* straight pieces between two points of the pen */
#define MAX_PATH (DIGITS_MAX_POINTS * STEPS)
#define FIELD 7                  /* control points of the elastic field along each axis */
#define FIELD_CELL 0.4           /* their distance, in digit boxes */
#define FIELD_START (-0.3)       /* where the field's first cell begins */
#define PADDED (DIGITS_SIDE + 2) /* the image being inked, with a border of paper */
#define MARGIN 1.0               /* pixels kept free at the image's border */

/* A point of the pen's path: pixels once placed; digit boxes before. */
struct path_point {
    double x, y;
    double pressure; /* factor of the pen's radius */
    bool begins;     /* no line leads here from the point before */
};

struct path {
    size_t count;
    struct path_point points[MAX_PATH];
};

/* splitmix64 (Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t next(uint64_t *state)
{
    return mix(*state += UINT64_C(0x9E3779B97F4A7C15));
}

static uint64_t below(uint64_t *state, uint64_t bound)
{
    return ((next(state) >> 32) * bound) >> 32;
}

static double uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(next(state) >> 11) * 0x1p-53);
}

/* Mean 0, variance 1, within +-3.47: the sum of four uniform 16-bit numbers, scaled by sqrt(3). */
static double normal(uint64_t *state)
{
    uint64_t bits = next(state);
    uint64_t sum =
        (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48);
    return ((double)sum - 131070.0) * (1.7320508075688772 / 65536.0);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static const struct digit_glyph *choose_glyph(uint8_t digit, uint64_t *state)
{
    const struct digit_glyph *glyph;
    uint64_t total = 0;

    for (size_t i = 0; (glyph = digits_glyph(i)) != NULL; i++) {
        total += glyph->digit == digit ? glyph->weight : 0;
    }
    uint64_t choice = below(state, total);
    for (size_t i = 0; (glyph = digits_glyph(i)) != NULL; i++) {
        if (glyph->digit != digit) {
            continue;
        }
        if (choice < glyph->weight) {
            break;
        }
        choice -= glyph->weight;
    }
    return glyph;
}

/* The glyph's points in digit boxes, each missed a little. */
static size_t place_points(const struct digit_glyph *glyph, uint64_t *state,
                           struct path_point *points)
{
    double miss = uniform(state, 0.015, 0.05);
    double unsteady = uniform(state, 0.03, 0.22);
    size_t count = 0;

    for (; glyph->points[count].move != PEN_END; count++) {
        points[count].x = 0.01 * glyph->points[count].x + miss * normal(state);
        points[count].y = 0.01 * glyph->points[count].y + miss * normal(state);
        points[count].pressure = clamp(1.0 + unsteady * normal(state), 0.55, 1.5);
    }
    return count;
}

/* Catmull-Rom spline from b to c at t in [0,1]; a and d are their neighbours. */
static double spline(double a, double b, double c, double d, double t)
{
    double linear = c - a;
    double square = 2.0 * a - 5.0 * b + 4.0 * c - d;
    double cube = 3.0 * (b - c) + d - a;
    return b + 0.5 * t * (linear + t * (square + t * cube));
}

/* Join the points to a path. A curve ends and a new one begins at corners. */
static void trace_path(const struct digit_glyph *glyph, const struct path_point *points,
                       size_t count, struct path *path)
{
    path->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || glyph->points[i].move == PEN_DOWN) {
            path->points[path->count] = points[i];
            path->points[path->count++].begins = true;
            continue;
        }
        const struct path_point *b = &points[i - 1];
        const struct path_point *c = &points[i];
        bool starts = i == 1 || glyph->points[i - 1].move != PEN_SMOOTH;
        bool stops = i + 1 == count || glyph->points[i].move == PEN_CORNER ||
                     glyph->points[i + 1].move == PEN_DOWN;
        const struct path_point *a = starts ? b : b - 1;
        const struct path_point *d = stops ? c : c + 1;
        for (int step = 1; step <= STEPS; step++) {
            double t = (double)step / STEPS;
            path->points[path->count++] = (struct path_point){
                .x = spline(a->x, b->x, c->x, d->x, t),
                .y = spline(a->y, b->y, c->y, d->y, t),
                .pressure = b->pressure + t * (c->pressure - b->pressure),
            };
        }
    }
}

/* Weights of four neighbouring control points of a uniform cubic B-spline at t in [0,1]. */
static void field_weights(double t, double weight[4])
{
    double s = 1.0 - t;
    weight[0] = s * s * s / 6.0;
    weight[1] = (4.0 + t * t * (3.0 * t - 6.0)) / 6.0;
    weight[2] = (4.0 + s * s * (3.0 * s - 6.0)) / 6.0;
    weight[3] = t * t * t / 6.0;
}

/* Elastic distortion: a smooth random field of displacements, a cubic B-spline over a grid. */
static void bend_path(struct path *path, uint64_t *state)
{
    double field[FIELD][FIELD][2];
    double strength = uniform(state, 0.04, 0.14);

    for (size_t i = 0; i < FIELD; i++) {
        for (size_t j = 0; j < FIELD; j++) {
            field[i][j][0] = strength * normal(state);
            field[i][j][1] = strength * normal(state);
        }
    }
    for (size_t p = 0; p < path->count; p++) {
        struct path_point *point = &path->points[p];
        double u = clamp((point->x - FIELD_START) / FIELD_CELL, 0.0, FIELD - 3 - 1e-9);
        double v = clamp((point->y - FIELD_START) / FIELD_CELL, 0.0, FIELD - 3 - 1e-9);
        size_t column = (size_t)u;
        size_t row = (size_t)v;
        double across[4];
        double down[4];
        field_weights(u - (double)column, across);
        field_weights(v - (double)row, down);
        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < 4; j++) {
                point->x += down[i] * across[j] * field[row + i][column + j][0];
                point->y += down[i] * across[j] * field[row + i][column + j][1];
            }
        }
    }
}

/* Width, slant and rotation. */
static void turn_path(struct path *path, uint64_t *state)
{
    double width = uniform(state, 0.52, 0.98);
    double slant = 0.12 + 0.23 * normal(state);
    double half = 0.065 * normal(state); /* tangent of half the angle */
    double cosine = (1.0 - half * half) / (1.0 + half * half);
    double sine = 2.0 * half / (1.0 + half * half);

    for (size_t p = 0; p < path->count; p++) {
        struct path_point *point = &path->points[p];
        double y = point->y - 0.5;
        double x = width * (point->x - 0.5) - slant * y;
        point->x = cosine * x - sine * y;
        point->y = sine * x + cosine * y;
    }
}

/* Scale the path to the image, and put the middle of its ink near the image's. */
static void fit_path(struct path *path, double radius, uint64_t *state)
{
    double low[2] = {path->points[0].x, path->points[0].y};
    double high[2] = {low[0], low[1]};
    double middle[2] = {0.0, 0.0};
    double length = 1e-9;
    double pressure = 0.0;

    for (size_t p = 0; p < path->count; p++) {
        const struct path_point *point = &path->points[p];
        pressure = point->pressure > pressure ? point->pressure : pressure;
        low[0] = point->x < low[0] ? point->x : low[0];
        low[1] = point->y < low[1] ? point->y : low[1];
        high[0] = point->x > high[0] ? point->x : high[0];
        high[1] = point->y > high[1] ? point->y : high[1];
        if (!point->begins) {
            double dx = point->x - point[-1].x;
            double dy = point->y - point[-1].y;
            double piece = sqrt(dx * dx + dy * dy);
            middle[0] += piece * 0.5 * (point->x + point[-1].x);
            middle[1] += piece * 0.5 * (point->y + point[-1].y);
            length += piece;
        }
    }
    double extent = high[0] - low[0] > high[1] - low[1] ? high[0] - low[0] : high[1] - low[1];
    double scale = uniform(state, 15.0, 20.5) / extent;
    double shift[2];
    for (int axis = 0; axis < 2; axis++) {
        double room = MARGIN + radius * pressure;
        shift[axis] = 0.5 * DIGITS_SIDE + uniform(state, -2.0, 2.0) - scale * middle[axis] / length;
        shift[axis] =
            clamp(shift[axis], room - scale * low[axis], DIGITS_SIDE - room - scale * high[axis]);
    }
    for (size_t p = 0; p < path->count; p++) {
        path->points[p].x = scale * path->points[p].x + shift[0];
        path->points[p].y = scale * path->points[p].y + shift[1];
    }
}

/* Ink one straight piece: full inside the pen's radius, none beyond, a ramp of width `soft`
 * between. Where pieces overlap the darker one stays. */
static void ink_piece(const struct path_point *from, const struct path_point *to, double radius,
                      double soft, double ink[PADDED * PADDED])
{
    double dx = to->x - from->x;
    double dy = to->y - from->y;
    double square = dx * dx + dy * dy;
    double inverse = square > 0.0 ? 1.0 / square : 0.0;
    double thickest = from->pressure > to->pressure ? from->pressure : to->pressure;
    double reach = radius * thickest + 0.5 * soft;
    double left = (from->x < to->x ? from->x : to->x) - reach;
    double right = (from->x < to->x ? to->x : from->x) + reach;
    double top = (from->y < to->y ? from->y : to->y) - reach;
    double bottom = (from->y < to->y ? to->y : from->y) + reach;
    int first_column = (int)clamp(left, 0.0, DIGITS_SIDE - 1);
    int last_column = (int)clamp(right, 0.0, DIGITS_SIDE - 1);
    int first_row = (int)clamp(top, 0.0, DIGITS_SIDE - 1);
    int last_row = (int)clamp(bottom, 0.0, DIGITS_SIDE - 1);

    for (int row = first_row; row <= last_row; row++) {
        for (int column = first_column; column <= last_column; column++) {
            double x = column + 0.5 - from->x;
            double y = row + 0.5 - from->y;
            double t = clamp((x * dx + y * dy) * inverse, 0.0, 1.0);
            x -= t * dx;
            y -= t * dy;
            double distance = x * x + y * y; /* squared: most pixels need no root */
            if (distance >= reach * reach) {
                continue;
            }
            double pen = radius * (from->pressure + t * (to->pressure - from->pressure));
            double cover = clamp(0.5 + (pen - sqrt(distance)) / soft, 0.0, 1.0);
            double *pixel = &ink[(row + 1) * PADDED + column + 1];
            *pixel = cover > *pixel ? cover : *pixel;
        }
    }
}

/* A 3x3 binomial filter around a pixel. */
static double blur_pixel(const double *at)
{
    double corners = at[-PADDED - 1] + at[-PADDED + 1] + at[PADDED - 1] + at[PADDED + 1];
    double edges = at[-PADDED] + at[-1] + at[1] + at[PADDED];
    return (corners + 2.0 * edges + 4.0 * at[0]) / 16.0;
}

/* Blur, darken, grain, and round to bytes. */
static void develop(const double *ink, uint64_t *state, uint8_t *image)
{
    double blur = uniform(state, 0.0, 0.6); /* how much of the blurred image is mixed in */
    double dark = uniform(state, 0.8, 1.1);
    double grain = uniform(state, 0.0, 0.12);
    bool dusty = below(state, 8) == 0; /* grain on the paper, too */

    for (int row = 0; row < DIGITS_SIDE; row++) {
        for (int column = 0; column < DIGITS_SIDE; column++) {
            const double *at = &ink[(row + 1) * PADDED + column + 1];
            double sharp = *at;
            double value = dark * (sharp + blur * (blur_pixel(at) - sharp));
            double noise = grain * normal(state);
            value += value > 0.0 ? noise : dusty ? 0.7 * noise : 0.0;
            image[row * DIGITS_SIDE + column] = (uint8_t)(255.0 * clamp(value, 0.0, 1.0) + 0.5);
        }
    }
}

uint8_t digits_draw_image(uint64_t seed, enum bittern_split split, uint64_t index, uint8_t *image)
{
    uint64_t state = mix(mix(mix(seed) + (uint64_t)split + 1) + index);
    uint8_t digit = (uint8_t)below(&state, DIGITS_CLASSES);
    const struct digit_glyph *glyph = choose_glyph(digit, &state);
    struct path_point points[DIGITS_MAX_POINTS];
    struct path path;
    double ink[PADDED * PADDED];

    size_t count = place_points(glyph, &state, points);
    trace_path(glyph, points, count, &path);
    bend_path(&path, &state);
    turn_path(&path, &state);
    double radius = uniform(&state, 0.7, 1.7);
    double soft = uniform(&state, 1.0, 1.7);
    fit_path(&path, radius, &state);
    memset(ink, 0, sizeof ink);
    for (size_t p = 1; p < path.count; p++) {
        if (!path.points[p].begins) {
            ink_piece(&path.points[p - 1], &path.points[p], radius, soft, ink);
        }
    }
    develop(ink, &state, image);
    return digit;
}
