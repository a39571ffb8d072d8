/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Image data sets: found on disk, read, downloaded, described.
 *
 * Images are uint8 [image][channel][row][column], labels one byte an image.
 */
#ifndef BITTERN_DATASET_H
#define BITTERN_DATASET_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_dataset;

enum bittern_split { BITTERN_SPLIT_TRAIN = 0, BITTERN_SPLIT_TEST = 1 };

/** A data set that Bittern knows by name. */
struct bittern_dataset_info {
    const char *name;  /* "mnist", "fashion-mnist", "emnist-balanced", "cifar10", "digits", ... */
    const char *title; /* a line for people */
    size_t channels, height, width, classes;
    size_t train_count, test_count; /* as published; 0 where the maker chooses (digits) */
    uint64_t download_bytes;        /* 0: cannot be downloaded */
};

/** Known data set 0..; NULL past the end. */
BITTERN_API const struct bittern_dataset_info *bittern_dataset_known(size_t index);

/** By name; NULL where unknown. */
BITTERN_API const struct bittern_dataset_info *bittern_dataset_find_info(const char *name);

/**
 * Read one split of a known data set.
 *
 * In each of these folders its subfolder NAME ("emnist" for all sets of EMNIST) is tried, then the
 * folder itself: data_dir alone where it is not NULL; else $BITTERN_DATA, $XDG_DATA_HOME/bittern
 * (default ~/.local/share/bittern), ../shared/data. Files may be as published (.gz, .tar.gz, .zip),
 * plain, or recompressed as .xz. A split may have fewer images than published, never more.
 *
 * @return BITTERN_ERR_NOT_FOUND with the folders tried and the command that fetches the set;
 *         BITTERN_ERR_FORMAT with the file and the offset for truncated or inconsistent files
 */
BITTERN_API bittern_status bittern_dataset_open(const char *name, enum bittern_split split,
                                                const char *data_dir,
                                                struct bittern_dataset **dataset,
                                                struct bittern_error *err);

/**
 * Where bittern_dataset_open would read a split from; no file is read.
 * @param source  out: the folder of the files, or the path of the archive; to be freed with free()
 */
BITTERN_API bittern_status bittern_dataset_locate(const char *name, enum bittern_split split,
                                                  const char *data_dir, char **source,
                                                  struct bittern_error *err);

/**
 * Read a pair of IDX files (plain, .gz or .xz).
 * @param labels_path  NULL: no labels, all are 0
 */
BITTERN_API bittern_status bittern_dataset_open_idx(const char *images_path,
                                                    const char *labels_path,
                                                    struct bittern_dataset **dataset,
                                                    struct bittern_error *err);

BITTERN_API void bittern_dataset_close(struct bittern_dataset *dataset);

BITTERN_API const char *bittern_dataset_name(const struct bittern_dataset *dataset);
/** Folder or file that the images were read from. */
BITTERN_API const char *bittern_dataset_source(const struct bittern_dataset *dataset);
BITTERN_API size_t bittern_dataset_count(const struct bittern_dataset *dataset);
BITTERN_API size_t bittern_dataset_channels(const struct bittern_dataset *dataset);
BITTERN_API size_t bittern_dataset_height(const struct bittern_dataset *dataset);
BITTERN_API size_t bittern_dataset_width(const struct bittern_dataset *dataset);
BITTERN_API size_t bittern_dataset_classes(const struct bittern_dataset *dataset);
/** [count][channels][height][width] */
BITTERN_API const uint8_t *bittern_dataset_images(const struct bittern_dataset *dataset);
/** [count], each below bittern_dataset_classes */
BITTERN_API const uint8_t *bittern_dataset_labels(const struct bittern_dataset *dataset);
/** Name of a class, e.g. "airplane"; NULL past the end. */
BITTERN_API const char *bittern_dataset_class_name(const struct bittern_dataset *dataset,
                                                   size_t label);

/**
 * Mean and standard deviation of each channel, of pixel values scaled to [0,1].
 * @param mean, deviation  out: [channels]
 * @param histogram        out: [classes] images a class; NULL if not wanted
 */
BITTERN_API void bittern_dataset_statistics(const struct bittern_dataset *dataset, double *mean,
                                            double *deviation, size_t *histogram);

/** Progress of a download or of drawing; a non-zero return cancels. total is 0 where unknown. */
typedef int (*bittern_progress)(void *user, const char *what, uint64_t done, uint64_t total);

struct bittern_fetch_options {
    const char *data_dir; /* NULL: $BITTERN_DATA, else the user's data directory */
    const char *mirror;   /* NULL: the publishers'; else a base URL (http, https, file) that holds
                             the same file names: an offline copy */
    bool force;           /* download again what is there and right */
    bittern_progress progress; /* may be NULL */
    void *user;
};

/**
 * Download a known data set into DATA_DIR/NAME: each file from the first mirror that gives it,
 * resumed where a part is there, checked against its SHA-256, and renamed into place when whole.
 * Proxies are taken from the environment as curl does.
 */
BITTERN_API bittern_status bittern_dataset_fetch(const char *name,
                                                 const struct bittern_fetch_options *options,
                                                 struct bittern_error *err);

struct bittern_digits_options {
    uint64_t seed;      /* 0 is a seed like any other */
    size_t train_count; /* 0: 60,000 */
    size_t test_count;  /* 0: 10,000 */
    bittern_progress progress;
    void *user;
};

/**
 * Draw the embedded data set (ten digit classes, 28x28 grey) into four IDX files in
 * data_dir/digits. The same options give the same bytes on every machine.
 * @param data_dir  NULL: $BITTERN_DATA, else the user's data directory
 */
BITTERN_API bittern_status bittern_dataset_make_digits(const char *data_dir,
                                                       const struct bittern_digits_options *options,
                                                       struct bittern_error *err);

/** Draw `count` digits into images [count][28][28] and labels [count], e.g. for a test. */
BITTERN_API bittern_status bittern_dataset_draw_digits(uint64_t seed, size_t count, uint8_t *images,
                                                       uint8_t *labels, struct bittern_error *err);

#ifdef __cplusplus
}
#endif

#endif
