/* SPDX-License-Identifier: Apache-2.0 */
/* Where a set lies on disk. No file is opened here, only looked for. */
#ifndef BITTERN_DATASET_SEARCH_H
#define BITTERN_DATASET_SEARCH_H

#include "dataset/dataset.h"

#define SEARCH_MAX_FOLDERS 3

/* The folders that data sets are looked for in, in order. */
struct search_folders {
    char *paths[SEARCH_MAX_FOLDERS];
    size_t count;
};

/*
 * data_dir alone where it is not NULL; else $BITTERN_DATA, the user's XDG folder, ../shared/data,
 * as far as the environment names them.
 */
bittern_status search_list_folders(const char *data_dir, struct search_folders *folders,
                                   struct bittern_error *err);
void search_free_folders(struct search_folders *folders);

/* One split of a set: single files, or an archive that holds them. */
struct dataset_location {
    char *folder;                   /* that holds the files or the archive */
    char *archive;                  /* path; NULL: single files */
    char *files[DATASET_MAX_FILES]; /* paths, as in the set's split_files */
};

/*
 * Find a split. BITTERN_ERR_NOT_FOUND names the folders tried and the command that gets the set, or
 * the file that is missing beside others.
 */
bittern_status search_find(const struct dataset_known *known, enum bittern_split split,
                           const char *data_dir, struct dataset_location *location,
                           struct bittern_error *err);
void search_free_location(struct dataset_location *location);

#endif
