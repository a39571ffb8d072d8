/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the device model share. */
#ifndef BITTERN_DEVICE_MODEL_INTERNAL_H
#define BITTERN_DEVICE_MODEL_INTERNAL_H

#include "device_model.h"

#define MODEL_MAX_LANES 64
#define MODEL_MAX_OC 256
#define MODEL_HALF_WORDS 2 /* of 64 bits: HALF is at most 128 */

/* Digits of a lane's pixel. */
struct model_pixel {
    uint32_t wx, wy, px, py, n;
};

struct model_half {
    uint64_t bits[MODEL_HALF_WORDS];
};

struct device_model {
    const struct device_model_start *start;
    uint32_t word, half, bytes, oc, px; /* of the geometry */
    uint32_t feature_words, address_mask;
    uint8_t *feature; /* [feature_words][bytes] */
    uint8_t *scratch;
    uint32_t scratch_bytes; /* an image */
    uint64_t noise;

    uint32_t segment[64], layer[64]; /* current descriptors */
    uint32_t images;                 /* of the sub-batch */
    size_t first_image;
    const uint8_t *weights; /* the current tile's rows */

    int32_t raw[MODEL_MAX_LANES][MODEL_MAX_OC]; /* of one plane */
    int32_t v[MODEL_MAX_LANES][MODEL_MAX_OC];
    int32_t pooled[MODEL_MAX_OC]; /* of the window in progress: values, or plus */
    int32_t pooled_minus[MODEL_MAX_OC];
    bool pool_started;
    char message[200]; /* "" while all is well */
};

/* `bits` bits of word `word` of a record, from `low` on. */
uint32_t model_bits(const uint32_t *record, unsigned word, unsigned low, unsigned bits);

void model_fail(struct device_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Words of the feature memory; behind its end there is noise. */
struct model_half model_read(struct device_model *m, uint32_t address, unsigned half);
uint8_t *model_word(const struct device_model *m, uint32_t address); /* NULL behind the end */

/* Does the lane's pixel count; its convolution pixel. */
bool model_counts(const struct device_model *m, const struct model_pixel *pixel, int32_t *y,
                  int32_t *x);

/* v of all lanes of one group, for tile `tile`. */
void model_sums(struct device_model *m, uint32_t tile, const struct model_pixel *pixels);

/* Activation, pool and output of one lane. */
void model_output(struct device_model *m, uint32_t tile, uint32_t lane,
                  const struct model_pixel *pixel);

#endif
