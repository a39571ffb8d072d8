/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the data set module share.
 *
 * known.c     the table of known sets
 * folders.c   the folders that data sets are written to and looked for in
 * search.c    the files of a set within one of the folders that are tried
 * stream.c    bytes of a file, unpacked where they are .gz or .xz
 * members.c   members of a .tar.gz or .zip, one stream each
 * idx.c, cifar.c   the two formats, from streams
 * load.c      a set's split, from single files or members of an archive
 * dataset.c   the public functions
 */
#ifndef BITTERN_DATASET_DATASET_H
#define BITTERN_DATASET_DATASET_H

#include <bittern/dataset.h>

/* Most files that one split of a set consists of (CIFAR-10: five). */
#define DATASET_MAX_FILES 5

enum dataset_format {
    DATASET_FORMAT_IDX,   /* an IDX file of images, and one of labels */
    DATASET_FORMAT_CIFAR, /* records: label byte(s), then planar RGB */
};

/* A known set: what the public info says, and how it lies on disk. */
struct dataset_known {
    struct bittern_dataset_info info;
    enum dataset_format format;
    uint8_t first_label;               /* label of class 0 in the files (EMNIST letters: 1) */
    bool transposed;                   /* images are stored column by column (EMNIST) */
    const char *folder;                /* subfolder of a data folder that fetch and make write to */
    const char *const *class_names;    /* [info.classes] */
    const char *const *published;      /* file names to download, ended by NULL; none for digits */
    const char *archive;               /* the published archive; NULL: the files are single */
    const char *archive_folder;        /* folder of the members, in the archive or unpacked */
    const char *const *split_files[2]; /* by split: plain names, ended by NULL;
                                         IDX: images, labels; CIFAR: one or more of records */
    size_t label_bytes;                /* CIFAR: bytes before the pixels, the last is the class */
};

/* Known set 0..; NULL past the end. */
const struct dataset_known *dataset_known_at(size_t index);

/* By name; NULL where unknown. */
const struct dataset_known *dataset_known_find(const char *name);

/* The same, with an error that lists the known names. */
bittern_status dataset_known_get(const char *name, const struct dataset_known **known,
                                 struct bittern_error *err);

/*
 * The folder that data sets are written to where none is given: $BITTERN_DATA, else
 * $XDG_DATA_HOME/bittern, else ~/.local/share/bittern. *folder is to be freed with free().
 */
bittern_status dataset_user_folder(char **folder, struct bittern_error *err);

struct bittern_dataset {
    char *name;                        /* of the set, or of the images' file */
    char *source;                      /* folder, archive or file that was read */
    const struct dataset_known *known; /* NULL for a pair of IDX files */
    size_t count, channels, height, width, classes;
    uint8_t *images; /* [count][channels][height][width] */
    uint8_t *labels; /* [count] */
};

#endif
