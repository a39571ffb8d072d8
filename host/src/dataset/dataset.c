/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions: open a set, ask what it holds, and its statistics. */
#include "dataset/dataset.h"

#include "dataset/load.h"
#include "dataset/search.h"
#include "dataset/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bittern_status no_memory(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a data set");
}

static bittern_status allocate(const char *name, const char *source,
                               const struct dataset_known *known, struct bittern_dataset **dataset,
                               struct bittern_error *err)
{
    *dataset = calloc(1, sizeof **dataset);
    if (!*dataset) {
        return no_memory(err);
    }
    (*dataset)->known = known;
    (*dataset)->name = strdup(name);
    (*dataset)->source = strdup(source);
    return (*dataset)->name && (*dataset)->source ? BITTERN_OK : no_memory(err);
}

static bittern_status check_split(enum bittern_split split, struct bittern_error *err)
{
    if (split != BITTERN_SPLIT_TRAIN && split != BITTERN_SPLIT_TEST) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no split %d", (int)split);
    }
    return BITTERN_OK;
}

static bittern_status locate(const char *name, enum bittern_split split, const char *data_dir,
                             const struct dataset_known **known, struct dataset_location *location,
                             struct bittern_error *err)
{
    *location = (struct dataset_location){0};
    bittern_status status = check_split(split, err);
    if (status == BITTERN_OK) {
        status = dataset_known_get(name, known, err);
    }
    if (status == BITTERN_OK) {
        status = search_find(*known, split, data_dir, location, err);
    }
    return status;
}

bittern_status bittern_dataset_locate(const char *name, enum bittern_split split,
                                      const char *data_dir, char **source,
                                      struct bittern_error *err)
{
    const struct dataset_known *known;
    struct dataset_location location;

    *source = NULL;
    bittern_status status = locate(name, split, data_dir, &known, &location, err);
    if (status == BITTERN_OK) {
        *source = strdup(location.archive ? location.archive : location.folder);
        status = *source ? BITTERN_OK : no_memory(err);
    }
    search_free_location(&location);
    return status;
}

bittern_status bittern_dataset_open(const char *name, enum bittern_split split,
                                    const char *data_dir, struct bittern_dataset **dataset,
                                    struct bittern_error *err)
{
    const struct dataset_known *known;
    struct dataset_location location;
    struct bittern_dataset *opened = NULL;

    *dataset = NULL;
    bittern_status status = locate(name, split, data_dir, &known, &location, err);
    if (status == BITTERN_OK) {
        status = allocate(name, location.archive ? location.archive : location.folder, known,
                          &opened, err);
    }
    if (status == BITTERN_OK) {
        status = load_location(opened, split, &location, err);
    }
    if (status == BITTERN_OK) {
        *dataset = opened;
        opened = NULL;
    }
    bittern_dataset_close(opened);
    search_free_location(&location);
    return status;
}

bittern_status bittern_dataset_open_idx(const char *images_path, const char *labels_path,
                                        struct bittern_dataset **dataset, struct bittern_error *err)
{
    struct stream *images = NULL;
    struct stream *labels = NULL;
    struct bittern_dataset *opened = NULL;
    const char *slash = strrchr(images_path, '/');

    *dataset = NULL;
    bittern_status status =
        allocate(slash ? slash + 1 : images_path, images_path, NULL, &opened, err);
    if (status == BITTERN_OK) {
        status = stream_open_file(images_path, &images, err);
    }
    if (status == BITTERN_OK && labels_path) {
        status = stream_open_file(labels_path, &labels, err);
    }
    if (status == BITTERN_OK) {
        status = load_idx(opened, BITTERN_SPLIT_TRAIN, images, labels, err);
    }
    if (status == BITTERN_OK) {
        *dataset = opened;
        opened = NULL;
    }
    stream_close(images);
    stream_close(labels);
    bittern_dataset_close(opened);
    return status;
}

void bittern_dataset_close(struct bittern_dataset *dataset)
{
    if (dataset) {
        free(dataset->images);
        free(dataset->labels);
        free(dataset->name);
        free(dataset->source);
        free(dataset);
    }
}

const char *bittern_dataset_name(const struct bittern_dataset *dataset)
{
    return dataset->name;
}

const char *bittern_dataset_source(const struct bittern_dataset *dataset)
{
    return dataset->source;
}

size_t bittern_dataset_count(const struct bittern_dataset *dataset)
{
    return dataset->count;
}

size_t bittern_dataset_channels(const struct bittern_dataset *dataset)
{
    return dataset->channels;
}

size_t bittern_dataset_height(const struct bittern_dataset *dataset)
{
    return dataset->height;
}

size_t bittern_dataset_width(const struct bittern_dataset *dataset)
{
    return dataset->width;
}

size_t bittern_dataset_classes(const struct bittern_dataset *dataset)
{
    return dataset->classes;
}

const uint8_t *bittern_dataset_images(const struct bittern_dataset *dataset)
{
    return dataset->images;
}

const uint8_t *bittern_dataset_labels(const struct bittern_dataset *dataset)
{
    return dataset->labels;
}

/* Without a known set classes have no names but their numbers. */
static const char *const numbers[] = {
#define TEN(tens)                                                                                  \
    tens "0", tens "1", tens "2", tens "3", tens "4", tens "5", tens "6", tens "7", tens "8",      \
        tens "9"
    TEN(""),   TEN("1"),  TEN("2"),  TEN("3"),  TEN("4"),  TEN("5"),  TEN("6"),
    TEN("7"),  TEN("8"),  TEN("9"),  TEN("10"), TEN("11"), TEN("12"), TEN("13"),
    TEN("14"), TEN("15"), TEN("16"), TEN("17"), TEN("18"), TEN("19"), TEN("20"),
    TEN("21"), TEN("22"), TEN("23"), TEN("24"), TEN("25"),
#undef TEN
};

const char *bittern_dataset_class_name(const struct bittern_dataset *dataset, size_t label)
{
    if (label >= dataset->classes) {
        return NULL;
    }
    return dataset->known ? dataset->known->class_names[label] : numbers[label];
}

void bittern_dataset_statistics(const struct bittern_dataset *dataset, double *mean,
                                double *deviation, size_t *histogram)
{
    size_t area = dataset->height * dataset->width;
    double pixels = (double)dataset->count * (double)area;
    for (size_t channel = 0; channel < dataset->channels; channel++) {
        /* Sums of integers, exact: below 2^47 pixels times 255^2. */
        uint64_t sum = 0;
        uint64_t squares = 0;
        for (size_t image = 0; image < dataset->count; image++) {
            const uint8_t *plane = dataset->images + (image * dataset->channels + channel) * area;
            for (size_t i = 0; i < area; i++) {
                sum += plane[i];
                squares += (uint64_t)plane[i] * plane[i];
            }
        }
        double average = (double)sum / pixels;
        double variance = (double)squares / pixels - average * average;
        mean[channel] = average / 255.0;
        deviation[channel] = sqrt(variance > 0.0 ? variance : 0.0) / 255.0;
    }
    if (histogram) {
        memset(histogram, 0, dataset->classes * sizeof *histogram);
        for (size_t i = 0; i < dataset->count; i++) {
            histogram[dataset->labels[i]]++;
        }
    }
}
