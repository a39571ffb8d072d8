/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in a data set: checked against what is known of it, whatever the bytes lie in. */
#ifndef BITTERN_DATASET_LOAD_H
#define BITTERN_DATASET_LOAD_H

#include "dataset/dataset.h"
#include "dataset/members.h"
#include "dataset/search.h"
#include "dataset/stream.h"

/*
 * Each fills in dataset's images, labels and sizes; on failure the dataset is left as it was but
 * for what bittern_dataset_close frees. dataset->known is set before.
 */

/*
 * A pair of IDX files. Without a known set any size is accepted, and the labels tell the classes.
 * @param labels  NULL: none, all labels are 0
 */
bittern_status load_idx(struct bittern_dataset *dataset, enum bittern_split split,
                        struct stream *images, struct stream *labels, struct bittern_error *err);

/* A split of a known set, from an archive. */
bittern_status load_members(struct bittern_dataset *dataset, enum bittern_split split,
                            struct members *members, const char *archive_name,
                            struct bittern_error *err);

/* A split of a known set, from where it was found. */
bittern_status load_location(struct bittern_dataset *dataset, enum bittern_split split,
                             const struct dataset_location *location, struct bittern_error *err);

/* Most unpacked bytes that the known set's archive can have. */
uint64_t load_archive_limit(const struct dataset_known *known);

#endif
