/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a run: a part of a data set or of a .npy file of the user's own, or random ones. */
#ifndef BITTERN_CLI_RUN_IMAGES_H
#define BITTERN_CLI_RUN_IMAGES_H

#include "npy.h"

#include <bittern/dataset.h>
#include <bittern/network.h>

struct image_choice {
    const char *dataset;  /* name; NULL: the only one that fits the network */
    const char *data_dir; /* may be NULL */
    const char *input;    /* .npy file; NULL: a data set */
    bool random;          /* none of these: `images` of noise, from `seed` */
    uint64_t seed;
    enum bittern_split split;
    size_t start;
    size_t images; /* 0: all from start on */
};

struct run_images {
    struct bittern_dataset *dataset;
    struct npy_array array;
    char name[128];        /* of the data set, or of the file; "random" */
    const char *source;    /* where it was read from */
    const uint8_t *pixels; /* [count][channels][height][width] of the network's input */
    const uint8_t *labels; /* [count]; NULL where there are none */
    size_t start, count;
};

/* Open, check against the network, and choose; BITTERN_ERR_ARGUMENT where the user has to say
 * which data set. */
bittern_status run_images_open(const struct image_choice *choice,
                               const struct bittern_network *network, struct run_images *images,
                               struct bittern_error *err);
void run_images_close(struct run_images *images);

#endif
