/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of a data set: shuffled, augmented, normalized, quantized to 8 bits as the hardware's
 * input is, and converted to the graph's input, by a thread that works one batch ahead.
 *
 * What an image becomes depends on (seed, epoch, its position in the data set) alone, and the order
 * on (seed, epoch): a resumed run and each rank of a distributed one see the same images.
 */
#ifndef BITTERN_TRAIN_LOADER_H
#define BITTERN_TRAIN_LOADER_H

#include "backend/backend.h"

#include <bittern/dataset.h>

/* How pixel values 0..255 become the network's input x: in float u' = (u / 255 - mean) / deviation;
 * quantized x = step * q, q = round half to even(u' / step) in q_minimum..q_maximum. */
#define INPUT_ENCODING_MAX_CHANNELS 4
struct input_encoding {
    size_t channels;
    /* 0 and 1: not normalized. These and step are float32 numbers, as an exported model has them.
     */
    double mean[INPUT_ENCODING_MAX_CHANNELS], deviation[INPUT_ENCODING_MAX_CHANNELS];
    bool quantized; /* false: full-precision baseline, x = u' */
    double step;
    bool is_signed; /* q in -127..127, else 0..255 */
};

/* From the training split's statistics. step, one for all channels as the integer network needs it:
 * the smallest that covers all pixel values, made larger by a few 2^-12 where a value would lie
 * next to a rounding tie, so that float32 and float64 give the same q. Not normalized: 1/255, q =
 * u. */
bittern_status input_encoding_choose(const struct bittern_dataset *train, bool normalize,
                                     bool quantized, struct input_encoding *encoding,
                                     struct bittern_error *err);
/* The same from given statistics of pixel values in 0..1; mean NULL: not normalized.
 * @param channels  1..INPUT_ENCODING_MAX_CHANNELS */
void input_encoding_set(struct input_encoding *encoding, size_t channels, const double *mean,
                        const double *deviation, bool quantized);
/* x of each pixel value: table [channels][256] */
void input_encoding_table(const struct input_encoding *encoding, float *table);
/* q of each pixel value, where quantized: the input table of docs/numerics.md, [channels][256] */
void input_encoding_integers(const struct input_encoding *encoding, int16_t *table);

struct augmentation {
    size_t crop;   /* pad by so many pixels of x = 0, then cut out the image's size at random */
    bool flip;     /* left-right with probability 1/2 */
    size_t cutout; /* side of a square set to x = 0 at a random centre (DeVries, Taylor 2017) */
};

struct loader_options {
    const struct bittern_dataset *dataset;
    const struct input_encoding *encoding;
    struct augmentation augmentation;
    bool shuffle;        /* else in order */
    bool drop_last;      /* leave out the last images that do not fill a batch of all ranks */
    size_t first, count; /* the part of the data set in use; count 0: all from first on */
    uint64_t seed;
    size_t rank, ranks; /* this process takes its 1/ranks of each batch */
};

struct loader;
struct loader_batch {
    const uint8_t *labels; /* [batch], until the next loader_next; those past count are 0 */
    size_t count;          /* images; less than the batch at the end of an epoch without drop_last,
                              0 on ranks that nothing is left for: the rest is zero */
    size_t first_position; /* in the epoch's order */
};

/* @param like  the graph's input: batch size (of this rank), shape, type, layout */
bittern_status loader_create(const struct loader_options *options,
                             const struct backend_tensor *like, struct loader **loader,
                             struct bittern_error *err);
void loader_free(struct loader *loader);
/* Batches of an epoch. */
size_t loader_batches(const struct loader *loader);
/* Images of an epoch, over all ranks. */
size_t loader_images(const struct loader *loader);
/* Go to a batch of an epoch; the thread starts on it at once. Before the first call of this there
 * is no epoch, and loader_next says that it is at an end. */
void loader_seek(struct loader *loader, uint64_t epoch, size_t batch);
/* Copy the next batch into `tensor`, wait for it if it is not ready, and start the one
 * after it. false at the end of the epoch; loader_seek then starts another. */
bool loader_next(struct loader *loader, struct backend_tensor *tensor, struct loader_batch *batch);
/* Seconds that loader_next waited, since the last call of this. */
double loader_take_wait(struct loader *loader);

#endif
