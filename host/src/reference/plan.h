/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reference engine prepares once: how each layer's values lie in memory, and its weights
 * in the kernel's own order. Read-only while the engine runs, so shared by all threads.
 *
 * A full connection is a convolution whose window is the whole input, one row high: pixels follow
 * each other without gaps.
 *
 * Padding: where padded taps count nothing (value 0, values of one or two bits), windows are cut at
 * the border; otherwise the padding is there in memory, filled with the pad value.
 */
#ifndef BITTERN_REFERENCE_PLAN_H
#define BITTERN_REFERENCE_PLAN_H

#include "reference/kernel.h"

/* How one image's values lie in memory, padding included. */
struct reference_format {
    enum bittern_value_kind kind;
    struct bittern_shape shape; /* without padding */
    size_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t pad_value;
    int32_t low;        /* code 0 of an integer */
    size_t words;       /* of 64 channels a pixel; binary and ternary */
    size_t pixel_bytes; /* ACC: int32 a channel */
    size_t row_bytes;
    size_t image_bytes;
};

/* One plane of the network's weights, or several folded into signed bytes. */
struct reference_plane {
    int32_t multiplier;
    reference_dot_function dot;
    size_t group_bytes; /* of a full group of weights */
    uint8_t *weights;
};

struct reference_layer {
    const struct bittern_layer *layer;
    struct reference_format input;
    struct bittern_window window;     /* over the input's format; full connection: one row */
    size_t input_height, input_width; /* of what the window slides over, without cut padding */
    bool cuts_padding;
    struct reference_lanes lanes;
    size_t group_channels; /* lanes * blocks */
    size_t plane_count;
    struct reference_plane planes[BITTERN_MAX_PLANES];
    int32_t *base; /* [channels] what sums of codes lack; NULL where nothing */
    struct reference_finish finish;
    struct bittern_shape pooled; /* after the sum pool, before the max pool */
    uint8_t *min_flip;           /* [channels] 255 where the pool takes the minimum */
};

struct reference_plan {
    const struct bittern_network *network;
    const struct reference_kernel *kernel;
    size_t layer_count;
    struct reference_layer *layers;
    struct reference_format output; /* of the last layer */
    /* Largest over all layers, for one image */
    size_t image_bytes;
    size_t acc_bytes;  /* rows that wait for a sum pool */
    size_t code_bytes; /* rows that wait for a max pool, or for packing */
    size_t window_rows;
    size_t channels;
};

bittern_status reference_plan_create(const struct bittern_network *network,
                                     const struct reference_kernel *kernel,
                                     struct reference_plan **plan, struct bittern_error *err);
void reference_plan_free(struct reference_plan *plan);

/* Where layer i's output lies: the next layer's input. */
const struct reference_format *reference_plan_output(const struct reference_plan *plan, size_t i);

/* Zeroed and aligned to 64 bytes, with slack behind it; NULL where there is no memory. */
void *reference_allocate(size_t count, size_t size);

/* Weights of all output channels in the kernel's order; false where there is no memory.
 * @param count  planes: 1; or more for integer values, where multipliers add up to at most 127: the
 *               bytes are then the sum of all planes, -127..127, else -1, 0 and +1 */
bool reference_pack_weights(const struct reference_layer *plan, const struct bittern_plane *planes,
                            size_t count, struct reference_plane *out);
/* Sum of an output channel's weights in one plane. */
int64_t reference_weight_sum(const struct bittern_layer *layer, const struct bittern_plane *plane,
                             size_t output_channel);

#endif
