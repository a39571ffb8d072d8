/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's part of the reference engine: buffers, and a few images through all layers. */
#ifndef BITTERN_REFERENCE_RUN_H
#define BITTERN_REFERENCE_RUN_H

#include "reference/plan.h"
#include <bittern/reference.h>

/* Buffers for up to `images` images at a time. */
struct reference_worker {
    const struct reference_plan *plan;
    size_t images;
    uint8_t *values[2];         /* a layer's input and output; [image] */
    int32_t *acc_rows;          /* [row of the sum pool][image][column][channel] */
    void *code_rows;            /* [row of the max pool][image][column][channel] */
    int32_t *sums;              /* [point][channel of a group], a plane's and their total */
    int32_t *channel_sums;      /* [channel] */
    uint8_t *channel_codes;     /* [channel] */
    struct reference_run *runs; /* [row of a window] */
};

/* False where there is no memory; to be released in any case. */
bool reference_worker_prepare(struct reference_worker *worker, const struct reference_plan *plan,
                              size_t images);
void reference_worker_release(struct reference_worker *worker);

/* Run `count` images, at most worker->images. `value_of` gives the input value of each byte, the
 * same for all channels; NULL: the network's own tables do. */
void reference_worker_run(struct reference_worker *worker, const uint8_t *images,
                          const int16_t *value_of, size_t count, int32_t *values);
/* Run image `number`, with every layer shown in `values`, which has room for the largest. */
bittern_status reference_worker_trace(struct reference_worker *worker, const uint8_t *image,
                                      size_t number, bittern_layer_observer observer, void *user,
                                      int32_t *values, struct bittern_error *err);

/* values.c: images in, and values out as [channel][row][column]. */
void reference_encode_image(const struct reference_plan *plan, const uint8_t *image,
                            const int16_t *value_of, uint8_t *codes, uint8_t *out);
void reference_decode_image(const struct reference_format *format, const uint8_t *values,
                            int32_t *out);
/* Fill the padding that is in memory. */
void reference_fill_padding(const struct reference_format *format, uint8_t *values);
/* One pixel's codes into its place, or its values as int32. */
void reference_store_codes(const struct reference_kernel *kernel,
                           const struct reference_format *format, const uint8_t *codes,
                           uint8_t *pixel);
int32_t reference_load_value(const struct reference_format *format, const uint8_t *pixel,
                             size_t channel);

/* layer.c: `count` images through one layer. */
void reference_run_layer(struct reference_worker *worker, const struct reference_layer *layer,
                         const struct reference_format *output, size_t count, const uint8_t *in,
                         uint8_t *out);

#endif
