/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a network runs on one geometry: the compiler's back half, between the integer network and the
 * bytes of a device program.
 *
 *     form     a layer as the array computes it: mode, kernel, strides, pools       (form.c)
 *     map      how a layer's input lies in the feature memory                       (map.c)
 *     layer    the descriptor, from forms and maps                                  (layer.c)
 *     segment  which layers run together, on how many images                        (segment.c)
 *     weights  the stream of a layer: parameters, then weights, tile after tile     (weights.c)
 *
 * A plan is tried in several ways (plan.c), and the one with the fewest predicted cycles is taken.
 */
#ifndef BITTERN_ACCELERATOR_PLAN_H
#define BITTERN_ACCELERATOR_PLAN_H

#include "accelerator/device_format.h"

#include <bittern/network.h>

/* A layer as the array sees it. All sizes are those of the network, so far below 2^32. */
struct layer_form {
    const struct bittern_layer *layer;
    size_t index;
    enum bittern_array_mode mode;
    enum device_format format; /* of its input */
    bool wide;                 /* INT with zeros among the weights */
    bool gathered;          /* the host lays the kernel's window out as the channels of a pixel */
    bool depthwise;         /* SUM: each output channel reads its own input channel */
    bool threshold, result; /* how its outputs leave */
    uint32_t planes, tiles;
    uint32_t channels, in_height, in_width;
    uint32_t kernel_h, kernel_w, stride_y, stride_x, pad_top, pad_left;
    uint32_t sum_h, sum_w, sum_stride_y, sum_stride_x;
    uint32_t conv_height, conv_width; /* behind the sum pool, in front of the max pool */
    uint32_t window_h, window_w, pool_stride_y, pool_stride_x, pool_top, pool_left;
    uint32_t out_channels, out_height, out_width;
};

/* How the input of a layer lies in the feature memory, from its base on. */
struct device_map {
    enum device_format format;
    bool dup, phase;
    uint32_t row_pitch, plane_pitch, image_pitch, row_phase, column_phase, row_offset,
        column_offset;
    uint32_t words; /* of one image */
};

/* A segment, with what it takes for one full sub-batch. */
struct plan_segment {
    size_t first, count;
    uint32_t sub_batch;
};

struct plan_options {
    bool gather;  /* the first layer, where it can be */
    bool compact; /* maps as small as possible, also where fewer lanes can read them */
};

struct plan {
    const struct bittern_network *network;
    struct geometry geometry;
    size_t layer_count;
    struct layer_form *forms;    /* [layer_count] */
    struct device_map *maps;     /* [layer_count]: the input of layer i */
    struct device_layer *layers; /* [layer_count] */
    uint32_t *max_lanes;         /* [layer_count]: how many read their map without conflict */
    struct plan_segment *segments;
    size_t segment_count;
    uint64_t cycles; /* predicted, for PLAN_IMAGES */
};

/* The start for which segments and sub-batches are chosen: the driver's usual batch. */
#define PLAN_IMAGES 64

/* "layer 3 'conv4': " in front of the message. */
bittern_status plan_fail(const struct layer_form *form, struct bittern_error *err,
                         bittern_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- form.c ---------------------------------------------------------------------------------- */

/* BITTERN_ERR_UNSUPPORTED where the geometry lacks a unit or the gathered form is impossible. */
bittern_status layer_form_make(const struct bittern_network *network, size_t index, bool gather,
                               const struct geometry *geometry, struct layer_form *form,
                               struct bittern_error *err);

/* The descriptor's kernel for a map: radix of c, and steps for one tap of a sum pool. */
struct kernel_steps {
    uint64_t atoms; /* of a pixel */
    uint64_t radix; /* of c: planes, or atoms where the map is dup */
    uint64_t steps;
};
struct kernel_steps layer_form_steps(const struct layer_form *form, const struct geometry *geometry,
                                     bool dup);

/* Stored byte of an INT value. */
bool value_is_flipped(const struct bittern_value_type *type); /* stored as value - 128 */

/* ---- map.c ----------------------------------------------------------------------------------- */

/* Choose how the input of `form` lies; `producer` writes it (NULL: the host does). */
bittern_status device_map_choose(const struct layer_form *form, const struct layer_form *producer,
                                 const struct geometry *geometry, bool compact,
                                 struct device_map *map, uint32_t *lanes,
                                 struct bittern_error *err);

/* Word of a pixel's first plane, from the map's base on. */
uint32_t device_map_word(const struct device_map *map, uint32_t y, uint32_t x);

/* The map that a layer reads, by its own descriptor; its `words` are not in there. */
struct device_map device_map_read(const struct device_layer *layer, const struct layer_form *form);

/* Words from the base to behind the last word of any pixel; the pitches may be hostile. */
uint64_t device_map_end(const struct layer_form *form, const struct layer_form *producer,
                        const struct geometry *geometry, const struct device_map *map);

/* ---- layer.c --------------------------------------------------------------------------------- */

/* The descriptor but for addresses and lanes; `out` is NULL where outputs leave the array. */
bittern_status device_layer_make(const struct layer_form *form, const struct geometry *geometry,
                                 const struct device_map *in, const struct device_map *out,
                                 struct device_layer *layer, struct bittern_error *err);

/* ---- segment.c ------------------------------------------------------------------------------- */

/* Choose the segments and their sub-batches, set lanes and addresses. */
bittern_status plan_segments(struct plan *plan, struct bittern_error *err);

/* ---- weights.c ------------------------------------------------------------------------------- */

/* Write tiles * rows_per_tile rows. Proves on the way that no sum leaves the hardware's widths:
 * BITTERN_ERR_RANGE where one could. */
bittern_status weights_write(const struct layer_form *form, const struct geometry *geometry,
                             const struct device_layer *layer, uint8_t *stream,
                             struct bittern_error *err);

/* ---- plan.c ---------------------------------------------------------------------------------- */

/* The best plan; to be freed with plan_free. */
bittern_status plan_create(const struct bittern_network *network,
                           const struct bittern_geometry *given, struct plan *plan,
                           struct bittern_error *err);
void plan_free(struct plan *plan);

/* ---- device_program.c ------------------------------------------------------------------------ */

/* The bytes of a device program, to be freed with free(). */
bittern_status device_program_create(const struct bittern_network *network,
                                     const struct bittern_geometry *geometry, uint8_t **data,
                                     size_t *size, struct bittern_error *err);

#endif
