/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a device program as C structs, and their bits. docs/device-program.md describes
 * them; one table a record (device_format.c) says where each field lies, for writing and reading.
 */
#ifndef BITTERN_ACCELERATOR_DEVICE_FORMAT_H
#define BITTERN_ACCELERATOR_DEVICE_FORMAT_H

#include "accelerator/geometry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_MAGIC UINT32_C(0x414E5442) /* "BTNA" */
#define DEVICE_VERSION 1
#define DEVICE_RECORD_WORDS 64
#define DEVICE_RECORD_BYTES 256
#define DEVICE_STREAM_ALIGNMENT 4096
#define DEVICE_ALIGNMENT 64 /* of all offsets and strides */
#define DEVICE_MAX_SUB_BATCH 2047
#define DEVICE_PROFILE_BYTES 256
#define DEVICE_PROFILE_LAYER_BYTES 32

struct device_header {
    uint32_t magic, version;
    uint32_t word, oc, px, units;
    uint32_t feature_bytes, weight_bytes;
    uint32_t segments, descriptors;
    uint32_t input_bytes, scratch_bytes, output_bytes; /* an image */
};

#define DEVICE_TYPE_LAYER 1
#define DEVICE_TYPE_SEGMENT 2

struct device_segment {
    uint32_t type;
    uint32_t layers, sub_batch;
    uint32_t weight_offset, weight_beats, weight_sum;
    uint32_t load_source, load_offset, load_stride, load_words, load_base, load_pitch;
    uint32_t store_words, store_base, store_pitch, store_offset, store_stride;
};

#define DEVICE_LOAD_INPUT 0
#define DEVICE_LOAD_SCRATCH 1

struct device_layer {
    uint32_t type;
    uint32_t is_int, ternary, dup, wide, wait_input, free_input, result, pool, pair, in_phase;
    uint32_t odd_lo, odd_hi, threshold, clamp, flip, out_format, out_dup, out_phase;
    uint32_t planes, multiplier[8];
    uint32_t tiles, lanes;
    uint32_t window_w, window_h, out_width, out_height;
    uint32_t lane_wx, lane_wy, lane_px, lane_py, lane_n; /* digits of the number of lanes */
    uint32_t pool_stride_x, pool_stride_y, pool_left, pool_top;
    uint32_t conv_width, conv_height;
    uint32_t stride_x, stride_y, pad_left, pad_top;
    uint32_t in_width, in_height;
    uint32_t in_base, in_row_pitch, in_image_pitch, in_plane_pitch, in_column_phase, in_row_phase;
    uint32_t atoms, kernel_w, kernel_h;
    uint32_t sum_w_less_1, sum_h_less_1, sum_stride_x, sum_stride_y;
    uint32_t steps_per_tap;
    uint32_t step_c, step_s, step_r;
    uint32_t hi_c, hi_s, hi_r;
    uint32_t tile_step, tile_shift;
    uint32_t pad; /* the stored byte */
    uint32_t rows_per_plane, rows_per_tile;
    uint32_t lane_mask[8];
    uint32_t out_base, out_row_pitch, out_image_pitch, out_plane_pitch, out_column_phase;
    uint32_t out_row_phase, column_offset, row_offset;
    uint32_t writes, tiles_per_plane_log2;
    uint32_t window_size;
    int32_t clamp_minimum, clamp_maximum;
    uint32_t result_stride, results_per_image;
    uint32_t number, ideal_cycles;
};

/* Write a record with its check sum. A field whose value its bits do not hold is named in the
 * result; NULL: all of them fit. */
const char *device_header_write(const struct device_header *header, uint8_t *bytes);
const char *device_segment_write(const struct device_segment *segment, uint8_t *bytes);
const char *device_layer_write(const struct device_layer *layer, uint8_t *bytes);

/* Read a record of DEVICE_RECORD_BYTES; false where its check sum is wrong, or where bits are set
 * that belong to no field. */
bool device_header_read(const uint8_t *bytes, struct device_header *header);
bool device_segment_read(const uint8_t *bytes, struct device_segment *segment);
bool device_layer_read(const uint8_t *bytes, struct device_layer *layer);

/* The check sum of `bytes` bytes, a multiple of 4. */
uint32_t device_sum(const uint8_t *data, size_t bytes);

/* The array's mode, and cycles of the array that one group of lanes takes in one tile. */
enum bittern_array_mode device_layer_mode(const struct device_layer *layer);
uint64_t device_layer_steps(const struct device_layer *layer);
/* Groups of lanes for so many images. */
uint64_t device_layer_groups(const struct device_layer *layer, uint32_t images);
/* May two pixels a cycle leave the array? */
bool device_layer_can_pair(const struct device_layer *layer);
/* Set the number of lanes, with its digits in the counter of pixels. */
void device_layer_set_lanes(struct device_layer *layer, uint32_t lanes);

#endif
