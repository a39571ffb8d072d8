/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a map lies in the feature memory. Its pitches decide how many pixels the reader can have in
 * one cycle: their words must lie in different banks, that is, have different addresses modulo PX.
 * All taps of a kernel move all lanes by the same distance, so only the lanes' own addresses count,
 * and of these only the remainders of row pitch and image pitch. All remainders are tried; whether
 * one works is found by walking over the pixels as the hardware does.
 */
#include "accelerator/plan.h"

#include <inttypes.h>

/* Position of one lane's pixel: digits of the counter, and its bank. */
struct walker {
    uint32_t wx, wy, px, py, n;
};

/* What a walk goes over, and what a step of each digit does to the address. */
struct walk {
    uint32_t window_w, window_h, out_width, out_height;
    uint32_t step_wx, step_wy, step_px, step_py, step_n;
};

static uint32_t walk_address(const struct walk *walk, const struct walker *at)
{
    return at->wx * walk->step_wx + at->wy * walk->step_wy + at->px * walk->step_px +
           at->py * walk->step_py + at->n * walk->step_n;
}

static void walk_next(const struct walk *walk, struct walker *at)
{
    if (++at->wx < walk->window_w) {
        return;
    }
    at->wx = 0;
    if (++at->wy < walk->window_h) {
        return;
    }
    at->wy = 0;
    if (++at->px < walk->out_width) {
        return;
    }
    at->px = 0;
    if (++at->py < walk->out_height) {
        return;
    }
    at->py = 0;
    at->n++;
}

/* Groups repeat after one row or one image where these are whole numbers of groups; in any case
 * after PX images, whose distance is a multiple of PX. */
static uint64_t walk_length(const struct walk *walk, uint32_t lanes, uint32_t banks)
{
    uint64_t row = (uint64_t)walk->window_w * walk->window_h * walk->out_width;
    uint64_t image = row * walk->out_height;

    if (row % lanes == 0) {
        return row;
    }
    return image % lanes == 0 ? image : image * banks;
}

/* Do all groups of `lanes` pixels have their words in different banks? */
static bool is_free_of_conflicts(const struct walk *walk, uint32_t lanes, uint32_t banks)
{
    struct walker at = {0};
    uint64_t length = walk_length(walk, lanes, banks);

    for (uint64_t pixel = 0; pixel < length; pixel += lanes) {
        uint64_t used = 0;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            uint64_t bank = UINT64_C(1) << (walk_address(walk, &at) & (banks - 1));
            if (used & bank) {
                return false;
            }
            used |= bank;
            walk_next(walk, &at);
        }
    }
    return true;
}

static uint32_t count_lanes(const struct layer_form *form, const struct device_map *map,
                            uint32_t banks)
{
    uint32_t x = map->phase ? 1 : form->stride_x;
    uint32_t y = (map->phase ? 1 : form->stride_y) * map->row_pitch;
    const struct walk walk = {
        .window_w = form->window_w,
        .window_h = form->window_h,
        .out_width = form->out_width,
        .out_height = form->out_height,
        .step_wx = x,
        .step_wy = y,
        .step_px = form->pool_stride_x * x,
        .step_py = form->pool_stride_y * y,
        .step_n = map->image_pitch,
    };
    for (uint32_t lanes = banks; lanes > 1; lanes /= 2) {
        if (is_free_of_conflicts(&walk, lanes, banks)) {
            return lanes;
        }
    }
    return 1;
}

/* Planes that the map's writer fills: also those of channels that a last tile does not have. */
static uint64_t stored_planes(const struct layer_form *form, const struct layer_form *producer,
                              const struct geometry *geometry, bool dup)
{
    uint64_t atom = geometry_atom(geometry, form->format);
    uint64_t channels = producer ? (uint64_t)producer->tiles * geometry->oc : form->channels;
    uint64_t in_plane = dup ? atom : 2 * atom;
    return (channels + in_plane - 1) / in_plane;
}

static uint32_t row_address(const struct device_map *map, uint32_t y)
{
    uint32_t v = y + map->row_offset;
    return map->phase ? (v >> 1) * map->row_pitch + (v & 1) * map->row_phase : y * map->row_pitch;
}

static uint32_t column_address(const struct device_map *map, uint32_t x)
{
    uint32_t u = x + map->column_offset;
    return map->phase ? (u >> 1) + (u & 1) * map->column_phase : x;
}

uint32_t device_map_word(const struct device_map *map, uint32_t y, uint32_t x)
{
    return row_address(map, y) + column_address(map, x);
}

struct device_map device_map_read(const struct device_layer *layer, const struct layer_form *form)
{
    return (struct device_map){
        .format = form->format,
        .dup = layer->dup,
        .phase = layer->in_phase,
        .row_pitch = layer->in_row_pitch,
        .plane_pitch = layer->in_plane_pitch,
        .image_pitch = layer->in_image_pitch,
        .row_phase = layer->in_row_phase,
        .column_phase = layer->in_column_phase,
        .row_offset = layer->in_phase ? form->pad_top & 1 : 0,
        .column_offset = layer->in_phase ? form->pad_left & 1 : 0,
    };
}

uint64_t device_map_end(const struct layer_form *form, const struct layer_form *producer,
                        const struct geometry *geometry, const struct device_map *map)
{
    uint64_t rows = form->in_height - 1 + map->row_offset;
    uint64_t columns = form->in_width - 1 + map->column_offset;
    uint64_t planes = stored_planes(form, producer, geometry, map->dup);
    uint64_t end = (planes - 1) * map->plane_pitch + 1;

    if (!map->phase) {
        return end + rows * map->row_pitch + columns;
    }
    /* The last even and the last odd one can each be the farther one. */
    uint64_t even = (rows >> 1) * map->row_pitch;
    uint64_t odd = rows > 0 ? ((rows - 1) >> 1) * map->row_pitch + map->row_phase : 0;
    end += even > odd ? even : odd;
    even = columns >> 1;
    odd = columns > 0 ? ((columns - 1) >> 1) + map->column_phase : 0;
    return end + (even > odd ? even : odd);
}

/* Do the outputs 2i and 2i+1 lie in different banks, so that both are written in one cycle? */
static bool pairs_are_free(const struct layer_form *producer, const struct device_map *map,
                           uint32_t banks)
{
    uint32_t width = producer->out_width;
    uint32_t height = producer->out_height;
    uint64_t image = (uint64_t)width * height;
    uint64_t length = image % 2 == 0 ? image : 2 * image;

    if (producer->window_w * producer->window_h > 1) {
        return true; /* a pair goes into one window, so at most one word comes out */
    }
    for (uint64_t i = 0; i < length; i += 2) {
        uint32_t bank[2];
        for (uint64_t k = 0; k < 2; k++) {
            uint64_t pixel = (i + k) % image;
            bank[k] = row_address(map, (uint32_t)(pixel / width)) +
                      column_address(map, (uint32_t)(pixel % width)) +
                      (i + k >= image ? map->image_pitch : 0);
        }
        if (((bank[0] ^ bank[1]) & (banks - 1)) == 0) {
            return false;
        }
    }
    return true;
}

/* Pitches and size of a map with so many words more a row and an image than it needs; false where
 * it does not fit the memory. */
static bool lay_out(const struct layer_form *form, const struct geometry *geometry, uint64_t planes,
                    uint32_t more_row, uint32_t more_image, struct device_map *map)
{
    uint64_t width = form->in_width;
    uint64_t height = form->in_height;

    if (map->phase) {
        map->row_offset = form->pad_top & 1;
        map->column_offset = form->pad_left & 1;
        width += map->column_offset;
        height += map->row_offset;
    }
    uint64_t pitch = width + more_row;
    uint64_t plane = (height - 1) * pitch + width;
    uint64_t words = planes * plane; /* below 2^16 * 2^33 */
    if (words > geometry->feature_words) {
        return false;
    }
    map->row_pitch = (uint32_t)pitch;
    map->plane_pitch = (uint32_t)plane;
    map->words = (uint32_t)words;
    map->image_pitch = (uint32_t)words + more_image;
    if (map->phase) {
        map->column_phase = (uint32_t)(width + 1) / 2;
        map->row_phase = (uint32_t)((height + 1) / 2 * pitch);
    }
    return true;
}

/* What a map costs its reader and its writer; less is better, the first difference decides. */
struct map_cost {
    uint64_t cycles;
    bool unpaired;
    uint64_t words;
};

static bool is_cheaper(const struct map_cost *a, const struct map_cost *b, bool compact)
{
    if (compact && a->words != b->words) {
        return a->words < b->words;
    }
    if (a->cycles != b->cycles) {
        return a->cycles < b->cycles;
    }
    if (a->unpaired != b->unpaired) {
        return b->unpaired;
    }
    return a->words < b->words;
}

/* Cycles for PX images, of the array or of what takes its sums: one lane a cycle, or a pair. */
static uint64_t reading_cycles(const struct layer_form *form, const struct geometry *geometry,
                               const struct device_map *map, uint32_t lanes)
{
    uint64_t pixels = (uint64_t)form->window_h * form->window_w * form->out_height *
                      form->out_width * geometry->px;
    uint64_t steps =
        layer_form_steps(form, geometry, map->dup).steps * form->planes * form->sum_h * form->sum_w;
    uint64_t drain =
        form->threshold && form->planes == 1 && !form->result && lanes > 1 ? lanes / 2 : lanes;
    return (pixels + lanes - 1) / lanes * (steps > drain ? steps : drain);
}

/* The best map so far. */
struct map_choice {
    bool found;
    struct map_cost cost;
    struct device_map map;
    uint32_t lanes;
};

/* All remainders of the pitches, for a map that is plain or dup, with or without phases. */
static void try_pitches(const struct layer_form *form, const struct layer_form *producer,
                        const struct geometry *geometry, bool compact,
                        const struct device_map *kind, struct map_choice *best)
{
    const uint32_t banks = geometry->px;
    uint64_t planes = stored_planes(form, producer, geometry, kind->dup);

    for (uint32_t row = 0; row < banks; row++) {
        for (uint32_t image = 0; image < banks; image++) {
            struct device_map map = *kind;
            if (!lay_out(form, geometry, planes, row, image, &map)) {
                return; /* wider ones do not fit, either */
            }
            uint32_t lanes = count_lanes(form, &map, banks);
            struct map_cost cost = {
                .cycles = reading_cycles(form, geometry, &map, lanes),
                .unpaired = producer && !pairs_are_free(producer, &map, banks),
                .words = map.image_pitch,
            };
            if (!best->found || is_cheaper(&cost, &best->cost, compact)) {
                *best = (struct map_choice){true, cost, map, lanes};
            }
        }
    }
}

bittern_status device_map_choose(const struct layer_form *form, const struct layer_form *producer,
                                 const struct geometry *geometry, bool compact,
                                 struct device_map *map, uint32_t *lanes, struct bittern_error *err)
{
    struct map_choice best = {0};
    bool may_phase = form->stride_x == 2 && form->stride_y == 2;

    for (int phase = 0; phase <= may_phase; phase++) {
        for (int dup = 0; dup <= !form->depthwise; dup++) {
            const struct device_map kind = {
                .format = form->format, .dup = dup != 0, .phase = phase != 0};
            try_pitches(form, producer, geometry, compact, &kind, &best);
        }
    }
    if (!best.found) {
        uint64_t planes = stored_planes(form, producer, geometry, false);
        return plan_fail(form, err, BITTERN_ERR_RANGE,
                         "its input of %u channels, %u rows and %u columns takes %" PRIu64
                         " words of feature memory, of which this geometry has %u; a map must fit "
                         "whole: compile for a larger geometry, or make the network's maps smaller",
                         form->channels, form->in_height, form->in_width,
                         planes * form->in_height * form->in_width, geometry->feature_words);
    }
    *map = best.map;
    *lanes = best.lanes;
    return BITTERN_OK;
}
