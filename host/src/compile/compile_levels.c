/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a stage's function, and the grid that its values stand on.
 *
 * Every op of the graph is monotone in float64, rounding included, so a whole stage is, too: where
 * both ends of a range give the same value, so does everything between them. Bisection finds each
 * step by evaluating the function at integers only.
 */
#include "compile/compile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values count as on a grid up to this, relative to the largest: room for float64 rounding only. */
#define GRID_TOLERANCE 0x1p-32

/* The last lattice point from `low` on where the function is still `value`; at `high` it is not. */
static int64_t find_step(const struct compile_expression *e, size_t channel, int64_t stride,
                         int64_t low, int64_t high, double value)
{
    while (high - low > stride) {
        int64_t middle = low + (high - low) / stride / 2 * stride;
        if (compile_apply(e, channel, middle) == value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

bittern_status compile_find_steps(const struct compile_expression *e, size_t channel,
                                  const struct compile_lattice *lattice,
                                  struct compile_arena *arena, struct compile_staircase *staircase,
                                  struct bittern_error *err)
{
    struct compile_piece pieces[COMPILE_MAX_LEVELS];
    size_t count = 0;
    double end = compile_apply(e, channel, lattice->maximum);
    int64_t first = lattice->minimum;

    for (;;) {
        double value = compile_apply(e, channel, first);
        if (!isfinite(value) || !isfinite(end)) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "channel %zu: the function behind it gives a value that is "
                                     "not finite",
                                     channel);
        }
        if (count == COMPILE_MAX_LEVELS) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "channel %zu: more than %d levels", channel,
                                     COMPILE_MAX_LEVELS);
        }
        int64_t last = value == end
                           ? lattice->maximum
                           : find_step(e, channel, lattice->stride, first, lattice->maximum, value);
        pieces[count++] = (struct compile_piece){first, last, value, 0};
        if (last == lattice->maximum) {
            break;
        }
        first = last + lattice->stride;
    }
    staircase->count = count;
    staircase->pieces = compile_allocate(arena, count, sizeof *pieces, err);
    if (!staircase->pieces) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        staircase->pieces[i] = pieces[i];
    }
    return BITTERN_OK;
}

static double largest_magnitude(const double *values, size_t count)
{
    return fmax(fabs(values[0]), fabs(values[count - 1]));
}

/* Are all values multiples of step from the first one on, at most 255 of them? */
static bool is_step(const double *values, size_t count, double step, double tolerance)
{
    for (size_t i = 1; i < count; i++) {
        double distance = values[i] - values[0];
        double k = rint(distance / step);
        if (k > COMPILE_MAX_LEVELS - 1 || fabs(distance - k * step) > tolerance) {
            return false;
        }
    }
    return true;
}

/* Let k be 0 where the value is 0, and scale by the value that is largest, so that a step that the
 * graph's own numbers hold exactly comes out exactly. */
static void put_zero_on_grid(const double *values, size_t count, double tolerance,
                             struct compile_grid *grid)
{
    double zero = rint(-values[0] / grid->step);
    if (fabs(zero) > 1 << 20 || fabs(values[0] + zero * grid->step) > tolerance) {
        return;
    }
    grid->has_zero = true;
    grid->offset = 0;
    grid->k_min -= (int32_t)zero;
    grid->k_max -= (int32_t)zero;
    if (abs(grid->k_max) >= abs(grid->k_min)) {
        grid->step = values[count - 1] / grid->k_max;
    } else {
        grid->step = values[0] / grid->k_min;
    }
}

bool compile_find_grid(const double *values, size_t count, struct compile_grid *grid)
{
    double tolerance = GRID_TOLERANCE * largest_magnitude(values, count);
    double gap = values[1] - values[0];

    for (size_t i = 2; i < count; i++) {
        gap = fmin(gap, values[i] - values[i - 1]);
    }
    for (int divisor = 1; divisor < COMPILE_MAX_LEVELS; divisor++) {
        double step = gap / divisor;
        if (!is_step(values, count, step, tolerance)) {
            continue;
        }
        double span = values[count - 1] - values[0];
        *grid = (struct compile_grid){.offset = values[0]};
        grid->k_max = (int32_t)rint(span / step);
        grid->step = span / grid->k_max;
        put_zero_on_grid(values, count, tolerance, grid);
        return true;
    }
    return false;
}

bool compile_grid_index(const struct compile_grid *grid, double value, int32_t *k)
{
    double index = rint((value - grid->offset) / grid->step);
    double size = fmax(fabs(grid->k_min * grid->step + grid->offset),
                       fabs(grid->k_max * grid->step + grid->offset));
    size = fmax(size, fabs(value));
    if (fabs(index) > 1 << 24 ||
        fabs(index * grid->step + grid->offset - value) > 4 * GRID_TOLERANCE * size) {
        return false;
    }
    *k = (int32_t)index;
    return true;
}

bool compile_insert_sorted(double *values, size_t *count, size_t capacity, double value)
{
    size_t low = 0;
    size_t high = *count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < *count && values[low] == value) {
        return true;
    }
    if (*count == capacity) {
        return false;
    }
    memmove(&values[low + 1], &values[low], (*count - low) * sizeof *values);
    values[low] = value;
    ++*count;
    return true;
}
