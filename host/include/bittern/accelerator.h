/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The accelerator from the compiler's side: its named geometries, and the plan by which a program
 * runs on one, with the cycles that it should take. docs/device-program.md says what a device
 * reads.
 */
#ifndef BITTERN_ACCELERATOR_H
#define BITTERN_ACCELERATOR_H

#include <bittern/error.h>
#include <bittern/program.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Names of the geometries that this library knows: 0..; NULL past the end. "any" is none of them.
 */
BITTERN_API const char *bittern_geometry_name(size_t index);

/** @return BITTERN_ERR_NOT_FOUND, with the names that there are, for any other name */
BITTERN_API bittern_status bittern_geometry_find(const char *name,
                                                 struct bittern_geometry *geometry,
                                                 struct bittern_error *err);

/** How the array computes a layer. */
enum bittern_array_mode {
    BITTERN_ARRAY_BINARY = 1,  /* XNOR-popcount: WORD binary lanes a cycle */
    BITTERN_ARRAY_TERNARY = 2, /* the same with ternary operands: WORD / 2 lanes */
    BITTERN_ARRAY_INT = 3      /* 8-bit activations: WORD / 8 lanes */
};

/** "binary", "ternary", "int" */
BITTERN_API const char *bittern_array_mode_name(enum bittern_array_mode mode);

/** One layer on the array. Cycles are predictions, for one full sub-batch. */
struct bittern_layer_plan {
    const char *name; /* the layer's; lives as long as the program */
    size_t segment;
    enum bittern_array_mode mode;
    bool gathered;          /* first layer: the host lays each window out as one pixel */
    uint32_t lanes;         /* output pixels at once */
    uint32_t tiles;         /* groups of output channels, one after the other */
    uint64_t groups;        /* of output pixels, for a full sub-batch */
    uint64_t steps;         /* cycles of the array a group: planes * taps * words */
    uint64_t cycles;        /* of the layer, from its start to its end, stalls included */
    uint64_t stall_cycles;  /* of these, waiting for weights */
    uint64_t ideal_cycles;  /* an image: all multiplications at the mode's full rate */
    uint64_t weight_bytes;  /* streamed, parameters included */
    uint32_t feature_words; /* of the layer's output map, one image; 0 where it leaves the array */
};

/** A run of layers that works on `sub_batch` images at a time. */
struct bittern_segment_plan {
    size_t first_layer, layer_count;
    uint32_t sub_batch;
    uint32_t feature_words;       /* of the feature memory in use, out of feature_words_total */
    uint32_t input_words;         /* loaded an image */
    uint32_t output_words;        /* stored to scratch memory an image; 0 for the last segment */
    uint64_t cycles, load_cycles; /* of a full sub-batch; load: not hidden, at a start alone */
};

struct bittern_accelerator_plan {
    size_t layer_count, segment_count;
    struct bittern_layer_plan *layers;     /* [layer_count] */
    struct bittern_segment_plan *segments; /* [segment_count] */
    uint32_t feature_words_total;
    uint64_t program_bytes; /* of the device program, weight streams included */
    size_t images;          /* of the start that the next line is for */
    uint64_t cycles;        /* of that start */
};

/**
 * Predict a start of `images` images.
 * @param plan  out: to be freed with bittern_accelerator_plan_free; the program must outlive it
 * @return BITTERN_ERR_ARGUMENT where the program is for geometry "any"
 */
BITTERN_API bittern_status bittern_accelerator_plan_create(const struct bittern_program *program,
                                                           size_t images,
                                                           struct bittern_accelerator_plan **plan,
                                                           struct bittern_error *err);
BITTERN_API void bittern_accelerator_plan_free(struct bittern_accelerator_plan *plan);

#ifdef __cplusplus
}
#endif

#endif
