/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an integer network equal the float graph that it was compiled from? Every layer's every
 * value is compared with the float64 evaluation of the tensor that the layer stands for.
 */
#ifndef BITTERN_COMPILE_CHECK_H
#define BITTERN_COMPILE_CHECK_H

#include "model_build.h"

#include <bittern/model.h>
#include <bittern/network.h>
#include <bittern/reference.h>

struct compile_agreement {
    size_t images;
    uint64_t values;    /* compared, of all layers */
    uint64_t different; /* integers that the float value does not stand for */
    uint64_t off_grid;  /* float values that stand for no integer at all */
    size_t other_class; /* images */
    size_t untraced;    /* images whose first layer that differs does so in a channel that is not
                           listed as inexact; also where only the class differs */
    char first[256];    /* the first difference, in words */
};

/*
 * Compare on `count` images [count][channels][height][width] of uint8; sums are added to what is in
 * *agreement. A layer whose input already differs is compared all the same.
 * @param engine  runs the integers; NULL: the slow engine does
 */
bittern_status compile_check(const struct bittern_model *model,
                             const struct bittern_network *network,
                             struct bittern_reference *engine, enum bittern_input_range range,
                             const uint8_t *images, size_t count,
                             struct compile_agreement *agreement, struct bittern_error *err);

/*
 * Finish and compile what was built, and compare on a few random images, with the slow engine and
 * with the reference engine; the test fails where any value or class differs.
 * @return the network, the caller's
 */
struct bittern_network *compile_check_built(struct model_builder *b,
                                            enum bittern_input_range range);

/* Finish what was built, and compile it, which must fail with this status and these two parts of
 * the message; the test fails where it does not. */
void compile_check_refused(struct model_builder *b, enum bittern_input_range range,
                           bittern_status expected, const char *first, const char *second);

/* Random images; some rows are all 0 or all 255, so that ends of ranges are met. */
void compile_draw_images(uint64_t seed, size_t count, size_t size, uint8_t *images);

#endif
