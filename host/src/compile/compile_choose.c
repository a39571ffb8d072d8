/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What type holds a stage's values: one grid for all channels where there is one, so that the next
 * layer's weights stay as they are; else a grid a channel, whose steps are then multiplied into
 * those weights.
 *
 * Without padding behind them two levels are binary and three equidistant ones ternary, whatever
 * their reals are. Padding is a real number (mostly 0) that must be a level: exact zero for binary
 * and ternary values, a zero point for the others.
 */
#include "compile/compile.h"

#include <math.h>
#include <stdlib.h>

/* The values of one channel, or of all: rising and distinct. */
struct level_set {
    size_t count;
    double values[COMPILE_MAX_LEVELS];
};

/* How one channel's reals become integers: q = k + shift for k on its grid. */
struct choice {
    struct compile_grid grid;
    bool is_constant; /* one level only, and no grid of its own */
    double constant;
};

static bool nearly_opposite(double a, double b)
{
    return fabs(a + b) <= 0x1p-32 * fabs(b);
}

static void set_all(struct compile_values *values, double scale, double offset)
{
    for (size_t c = 0; c < values->shape.channels; c++) {
        values->scale[c] = scale;
        values->offset[c] = offset;
    }
}

static void set_type(struct compile_values *values, enum bittern_value_kind kind, int32_t minimum,
                     int32_t maximum, int32_t padding)
{
    struct bittern_value_type *type = &values->type;
    *type = (struct bittern_value_type){kind, 1, true, minimum, maximum};
    if (kind == BITTERN_VALUE_TERNARY) {
        type->bits = 2;
    } else if (kind == BITTERN_VALUE_INT) {
        int32_t low = minimum < padding ? minimum : padding;
        int32_t high = maximum > padding ? maximum : padding;
        type->is_signed = low < 0;
        type->bits = 2;
        while (type->is_signed ? low < -(1 << (type->bits - 1)) || high >= 1 << (type->bits - 1)
                               : high >= 1 << type->bits) {
            type->bits++;
        }
    }
    values->pad_value = kind == BITTERN_VALUE_BINARY ? 0 : padding;
}

/* ---- One grid for all channels -----------------------------------------------------------------
 */

/* Integers for k_min..k_max (and the padding's k): as they are where 8 bits hold them, else from 0
 * on. Returns what is to be added to k; false where 8 bits do not do. */
static bool choose_shift(int32_t k_min, int32_t k_max, bool keep_zero, int32_t *shift)
{
    bool fits = (k_min >= -128 && k_max <= 127) || (k_min >= 0 && k_max <= 255);
    *shift = keep_zero && fits ? 0 : -k_min;
    return k_max - k_min <= 255;
}

static bool is_short(const struct compile_grid *grid)
{
    return grid->k_max - grid->k_min <= 2;
}

/* Two levels, or one and its padding, that one bit holds. */
static bool choose_binary(const struct level_set *set, const double *pad,
                          struct compile_values *values)
{
    double low = set->values[0];
    double high = set->values[set->count - 1];
    if (set->count != 2 || (pad && !(*pad == 0 && nearly_opposite(low, high)))) {
        return false;
    }
    if (nearly_opposite(low, high)) {
        set_all(values, high, 0);
    } else {
        set_all(values, (high - low) / 2, low + (high - low) / 2);
    }
    set_type(values, BITTERN_VALUE_BINARY, -1, 1, 0);
    return true;
}

/* All channels give the same one value. */
static bool choose_constant(double value, const double *pad, struct compile_values *values)
{
    double size = value != 0 ? fabs(value) : 1;
    int32_t q = value > 0 ? 1 : value < 0 ? -1 : 0;
    if (pad && *pad != 0) {
        return false;
    }
    set_all(values, size, 0);
    if (q == 0) {
        set_type(values, BITTERN_VALUE_TERNARY, 0, 0, 0);
    } else {
        set_type(values, BITTERN_VALUE_BINARY, -1, 1, 0);
    }
    return true;
}

static bool choose_from_grid(const struct compile_grid *grid, const double *pad,
                             struct compile_values *values)
{
    int32_t k_pad = 0;
    int32_t shift;

    if (pad && !compile_grid_index(grid, *pad, &k_pad)) {
        return false;
    }
    bool around_zero = grid->has_zero && grid->k_min >= -1 && grid->k_max <= 1;
    if (around_zero && (!pad || *pad == 0)) {
        set_all(values, grid->step, 0);
        set_type(values, BITTERN_VALUE_TERNARY, grid->k_min, grid->k_max, 0);
        return true;
    }
    if (!pad && is_short(grid)) {
        int32_t middle = grid->k_min + 1;
        set_all(values, grid->step, grid->offset + grid->step * middle);
        set_type(values, BITTERN_VALUE_TERNARY, -1, grid->k_max - middle, 0);
        return true;
    }
    int32_t low = pad && k_pad < grid->k_min ? k_pad : grid->k_min;
    int32_t high = pad && k_pad > grid->k_max ? k_pad : grid->k_max;
    if (!choose_shift(low, high, grid->has_zero, &shift)) {
        return false;
    }
    set_all(values, grid->step, grid->offset - grid->step * shift);
    set_type(values, BITTERN_VALUE_INT, grid->k_min + shift, grid->k_max + shift,
             pad ? k_pad + shift : grid->k_min + shift);
    if (!pad) {
        values->pad_value = 0;
    }
    return true;
}

/* Why padding cannot be held, or BITTERN_OK where it is a level of the grid. */
static bittern_status check_padding(const struct compile_grid *grid, const double *pad,
                                    struct bittern_error *err)
{
    int32_t k;
    if (!pad || compile_grid_index(grid, *pad, &k)) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                             "the next convolution pads with a value that is %g here, which is not "
                             "a level of the quantizer: its levels are %g + %g * k; use a "
                             "quantizer that has this level, or no padding",
                             *pad, grid->offset, grid->step);
}

static bool same_padding(const double *pad_real, size_t channels)
{
    for (size_t c = 1; pad_real && c < channels; c++) {
        if (fabs(pad_real[c] - pad_real[0]) > 0x1p-32 * fabs(pad_real[0])) {
            return false;
        }
    }
    return true;
}

/* ---- A grid a channel --------------------------------------------------------------------------
 */

static bool find_choice(const struct compile_staircase *s, struct choice *choice)
{
    struct level_set set = {0};
    bool fits = true;
    for (size_t i = 0; i < s->count; i++) {
        fits =
            compile_insert_sorted(set.values, &set.count, COMPILE_MAX_LEVELS, s->pieces[i].value) &&
            fits;
    }
    *choice = (struct choice){.is_constant = set.count == 1, .constant = set.values[0]};
    return choice->is_constant || compile_find_grid(set.values, set.count, &choice->grid);
}

static bool is_symmetric(const struct choice *ch)
{
    double low = ch->grid.offset + ch->grid.step * ch->grid.k_min;
    double high = ch->grid.offset + ch->grid.step * ch->grid.k_max;
    return nearly_opposite(low, high);
}

/* Which kind holds every channel, each on its own grid. */
static enum bittern_value_kind choose_kind(const struct choice *choices, size_t channels,
                                           const double *pad_real)
{
    bool binary = true;
    bool ternary = true;
    for (size_t c = 0; c < channels; c++) {
        const struct choice *ch = &choices[c];
        const struct compile_grid *g = &ch->grid;
        if (ch->is_constant) {
            binary = binary && (!pad_real || ch->constant != 0);
            continue;
        }
        binary = binary && g->k_max - g->k_min == 1 && (!pad_real || is_symmetric(ch));
        ternary = ternary && is_short(g) &&
                  (!pad_real || (g->has_zero && g->k_min >= -1 && g->k_max <= 1));
    }
    return binary ? BITTERN_VALUE_BINARY : ternary ? BITTERN_VALUE_TERNARY : BITTERN_VALUE_INT;
}

/* k + shift is q, in a type that holds all channels; all have 0 at the same q where they must. */
static bittern_status choose_shifts(const struct choice *choices, size_t channels, bool is_padded,
                                    int32_t *shifts, struct compile_values *values,
                                    struct bittern_error *err)
{
    bool all_zero = true;
    int32_t low = 0;
    int32_t high = 0;
    int32_t span = 0;
    for (size_t c = 0; c < channels; c++) {
        const struct compile_grid *g = &choices[c].grid;
        if (choices[c].is_constant) {
            continue;
        }
        all_zero = all_zero && g->has_zero;
        low = g->k_min < low ? g->k_min : low;
        high = g->k_max > high ? g->k_max : high;
        span = g->k_max - g->k_min > span ? g->k_max - g->k_min : span;
    }
    int32_t shift;
    bool together = all_zero && choose_shift(low, high, true, &shift);
    if (is_padded && !together) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the channels' quantizers differ, and 0, with which the next "
                                 "convolution pads, is not a level of all of them");
    }
    for (size_t c = 0; c < channels; c++) {
        shifts[c] = together ? shift : -choices[c].grid.k_min;
    }
    int32_t zero = together ? shift : 0;
    set_type(values, BITTERN_VALUE_INT, together ? low + shift : 0, together ? high + shift : span,
             zero);
    values->pad_value = is_padded ? zero : 0;
    return BITTERN_OK;
}

/* A channel with one value takes the step of another one, so that it does not disturb weights. */
static void choose_for_constant(double constant, double step, bool is_padded,
                                const struct compile_values *v, double *scale, double *offset)
{
    *scale = step;
    if (is_padded && constant != 0) {
        *scale = fabs(constant);
        *offset = -*scale * v->pad_value;
    } else if (is_padded) {
        *offset = -*scale * v->pad_value;
    } else {
        *offset = constant - step * v->type.maximum;
    }
}

static bittern_status choose_each(const struct choice *choices, size_t channels, bool is_padded,
                                  enum bittern_value_kind kind, struct compile_arena *arena,
                                  struct compile_values *v, struct bittern_error *err)
{
    double step = 1;
    int32_t *shifts = compile_allocate(arena, channels, sizeof *shifts, err);
    bittern_status status = shifts ? BITTERN_OK : BITTERN_ERR_MEMORY;

    if (status == BITTERN_OK && kind == BITTERN_VALUE_INT) {
        status = choose_shifts(choices, channels, is_padded, shifts, v, err);
    } else if (status == BITTERN_OK) {
        set_type(v, kind, -1, 1, 0);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t c = channels; c-- > 0;) {
        const struct compile_grid *g = &choices[c].grid;
        if (choices[c].is_constant) {
            continue;
        }
        v->scale[c] = kind == BITTERN_VALUE_BINARY ? g->step / 2 : g->step;
        if (kind == BITTERN_VALUE_BINARY) {
            double middle = g->offset + g->step * (g->k_min + 0.5);
            v->offset[c] = is_symmetric(&choices[c]) ? 0 : middle;
        } else {
            bool around_zero = g->has_zero && g->k_min >= -1 && g->k_max <= 1;
            int32_t shift = kind == BITTERN_VALUE_INT ? shifts[c]
                            : around_zero             ? 0
                                                      : -(g->k_min + 1);
            v->offset[c] = g->offset - g->step * shift;
        }
        step = v->scale[c];
    }
    for (size_t c = 0; c < channels; c++) {
        if (choices[c].is_constant) {
            choose_for_constant(choices[c].constant, step, is_padded, v, &v->scale[c],
                                &v->offset[c]);
        }
    }
    return BITTERN_OK;
}

/* ---- Both --------------------------------------------------------------------------------------
 */

/* q of each piece from scale and offset; false where one is no level of the type. */
static bool fill_in(struct compile_staircase *staircases, const struct compile_values *v)
{
    for (size_t c = 0; c < v->shape.channels; c++) {
        struct compile_grid grid = {.step = v->scale[c],
                                    .offset = v->offset[c],
                                    .k_min = v->type.minimum,
                                    .k_max = v->type.maximum};
        for (size_t i = 0; i < staircases[c].count; i++) {
            struct compile_piece *piece = &staircases[c].pieces[i];
            if (!compile_grid_index(&grid, piece->value, &piece->q) || piece->q < v->type.minimum ||
                piece->q > v->type.maximum ||
                (v->type.kind == BITTERN_VALUE_BINARY && piece->q == 0)) {
                return false;
            }
        }
    }
    return true;
}

static bittern_status choose_by_channel(struct compile_staircase *staircases, size_t channels,
                                        const double *pad_real, struct compile_arena *arena,
                                        struct compile_values *values, struct bittern_error *err)
{
    struct choice *choices = compile_allocate(arena, channels, sizeof *choices, err);
    if (!choices) {
        return BITTERN_ERR_MEMORY;
    }
    for (size_t c = 0; c < channels; c++) {
        if (pad_real && pad_real[c] != 0) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "the channels' quantizers differ, and the next convolution "
                                     "pads with a value that is %g in channel %zu here; only 0 "
                                     "can be padded then",
                                     pad_real[c], c);
        }
        if (!find_choice(&staircases[c], &choices[c])) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "channel %zu: its %zu levels are not equidistant", c,
                                     staircases[c].count);
        }
    }
    enum bittern_value_kind kind = choose_kind(choices, channels, pad_real);
    bittern_status status =
        choose_each(choices, channels, pad_real != NULL, kind, arena, values, err);
    if (status == BITTERN_OK && !fill_in(staircases, values)) {
        status = bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                   "the channels' levels do not fit into 8 bits together");
    }
    return status;
}

bittern_status compile_choose_values(struct compile_staircase *staircases, size_t channels,
                                     enum compile_grids grids, const double *pad_real,
                                     struct compile_arena *arena, struct compile_values *values,
                                     struct bittern_error *err)
{
    struct level_set set = {0};
    struct compile_grid grid;
    bool fits = grids == COMPILE_GRID_ANY && same_padding(pad_real, channels);

    for (size_t c = 0; c < channels && fits; c++) {
        for (size_t i = 0; i < staircases[c].count && fits; i++) {
            fits = compile_insert_sorted(set.values, &set.count, COMPILE_MAX_LEVELS,
                                         staircases[c].pieces[i].value) &&
                   fits;
        }
    }
    if (fits &&
        (set.count == 1 ? choose_constant(set.values[0], pad_real, values)
                        : choose_binary(&set, pad_real, values)) &&
        fill_in(staircases, values)) {
        return BITTERN_OK;
    }
    if (fits && set.count == 1) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "its only level is %g, and the next convolution pads with a value "
                                 "that is %g here",
                                 set.values[0], pad_real ? *pad_real : 0);
    }
    if (fits && set.count > 1 && compile_find_grid(set.values, set.count, &grid)) {
        if (choose_from_grid(&grid, pad_real, values) && fill_in(staircases, values)) {
            return BITTERN_OK;
        }
        bittern_status status = check_padding(&grid, pad_real, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return choose_by_channel(staircases, channels, pad_real, arena, values, err);
}
