/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that data sets are published in, read from streams. */
#ifndef BITTERN_DATASET_FORMATS_H
#define BITTERN_DATASET_FORMATS_H

#include "dataset/stream.h"

/*
 * Most bytes that are unpacked from a file of a set without a published size. A plain file is as
 * large as it is.
 */
#define DATASET_MAX_UNPACKED ((size_t)1 << 30)
/* Largest height and width. */
#define DATASET_MAX_SIDE 4096

struct idx_images {
    size_t count, height, width;
    uint8_t *pixels; /* [count][height][width], to be freed with free() */
};

/*
 * Read a whole IDX file of images: magic 0x00000803, count, rows, columns as big-endian 32-bit
 * integers, then one byte a pixel, and nothing behind. Refused where it claims more than `limit`
 * bytes of pixels.
 */
bittern_status idx_read_images(struct stream *stream, size_t limit, struct idx_images *images,
                               struct bittern_error *err);

/*
 * Read a whole IDX file of labels: magic 0x00000801, count, one byte a label; first_label becomes
 * 0.
 * @param limit    most labels
 * @param classes  labels must be below it; 0: any
 * @param labels   out: [count], to be freed with free()
 */
bittern_status idx_read_labels(struct stream *stream, size_t limit, uint8_t first_label,
                               size_t classes, uint8_t **labels, size_t *count,
                               struct bittern_error *err);

/* Exchange rows and columns of each image in place; height and width are equal. */
void idx_transpose(struct idx_images *images);

#define CIFAR_SIDE 32
#define CIFAR_PIXELS ((size_t)3 * CIFAR_SIDE * CIFAR_SIDE)

struct cifar_records {
    uint8_t *bytes; /* [count][label_bytes + CIFAR_PIXELS], to be freed with free() */
    size_t count;
};

/*
 * Read a whole file of CIFAR records: label bytes (CIFAR-10: the class; CIFAR-100: the coarse
 * class, then the fine one), then 3x32x32 planar RGB. At least one record, at most `limit`; the
 * last label byte is below `classes`.
 */
bittern_status cifar_read_records(struct stream *stream, size_t label_bytes, size_t classes,
                                  size_t limit, struct cifar_records *records,
                                  struct bittern_error *err);

/* Split records into images [count][3][32][32] and labels [count]. */
void cifar_split_records(const struct cifar_records *records, size_t label_bytes, uint8_t *images,
                         uint8_t *labels);

#endif
