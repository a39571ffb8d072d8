/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files to a data set. The parts of a split (two IDX files, or up to five files of CIFAR
 * records) come one by one, in any order where they are members of an archive; when all are there
 * they are checked against each other and joined.
 */
#include "dataset/load.h"

#include "dataset/formats.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 0 /* split_files of an IDX set: images, then labels */
#define LABELS 1
/* What an archive may have beside images and labels: names of classes, padding, tar headers. */
#define ARCHIVE_EXTRA ((uint64_t)16 << 20)

struct parts {
    const struct dataset_known *known; /* NULL: a pair of IDX files */
    size_t limit;                      /* most images; 0 where unknown */
    bool there[DATASET_MAX_FILES];
    struct idx_images images;
    uint8_t *labels;
    size_t label_count;
    struct cifar_records records[DATASET_MAX_FILES];
};

static void start_parts(struct parts *parts, const struct dataset_known *known,
                        enum bittern_split split)
{
    *parts = (struct parts){.known = known};
    if (known) {
        parts->limit =
            split == BITTERN_SPLIT_TRAIN ? known->info.train_count : known->info.test_count;
    }
}

static void free_parts(struct parts *parts)
{
    free(parts->images.pixels);
    free(parts->labels);
    for (size_t i = 0; i < DATASET_MAX_FILES; i++) {
        free(parts->records[i].bytes);
    }
}

/* Memory grows with the bytes that come, so that only an unpacker could fill it. */
static size_t unknown_limit(const struct stream *stream)
{
    return stream_is_packed(stream) ? DATASET_MAX_UNPACKED : SIZE_MAX;
}

static bittern_status read_images(struct parts *parts, struct stream *stream,
                                  struct bittern_error *err)
{
    const struct bittern_dataset_info *info = parts->known ? &parts->known->info : NULL;
    size_t limit = unknown_limit(stream);
    if (info && parts->limit > 0) {
        limit = parts->limit * info->height * info->width;
    }
    bittern_status status = idx_read_images(stream, limit, &parts->images, err);
    if (status != BITTERN_OK || !info) {
        return status;
    }
    if (parts->images.height != info->height || parts->images.width != info->width) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' has images of %zux%zu pixels; those of %s have %zux%zu",
                                 stream_name(stream), parts->images.height, parts->images.width,
                                 info->name, info->height, info->width);
    }
    if (parts->known->transposed) {
        idx_transpose(&parts->images);
    }
    return BITTERN_OK;
}

/* Read part `index` of the split; an archive may hold a name twice. */
static bittern_status read_part(struct parts *parts, size_t index, struct stream *stream,
                                struct bittern_error *err)
{
    const struct dataset_known *known = parts->known;
    if (parts->there[index]) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' is in its archive twice",
                                 stream_name(stream));
    }
    parts->there[index] = true;
    if (known && known->format == DATASET_FORMAT_CIFAR) {
        return cifar_read_records(stream, known->label_bytes, known->info.classes, parts->limit,
                                  &parts->records[index], err);
    }
    if (index == IMAGES) {
        return read_images(parts, stream, err);
    }
    return idx_read_labels(stream, parts->limit > 0 ? parts->limit : unknown_limit(stream),
                           known ? known->first_label : 0, known ? known->info.classes : 0,
                           &parts->labels, &parts->label_count, err);
}

static bittern_status join_idx(struct parts *parts, bool labelled, struct bittern_dataset *dataset,
                               struct bittern_error *err)
{
    size_t count = parts->images.count;
    if (!labelled) {
        parts->labels = calloc(count, 1);
        parts->label_count = count;
        if (!parts->labels) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu labels", count);
        }
    }
    if (parts->label_count != count) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "there are %zu labels for %zu images: the files do not belong "
                                 "together",
                                 parts->label_count, count);
    }
    size_t classes = 0;
    for (size_t i = 0; i < count; i++) {
        classes = parts->labels[i] >= classes ? (size_t)parts->labels[i] + 1 : classes;
    }
    dataset->classes = parts->known ? parts->known->info.classes : classes;
    dataset->count = count;
    dataset->channels = 1;
    dataset->height = parts->images.height;
    dataset->width = parts->images.width;
    dataset->images = parts->images.pixels;
    dataset->labels = parts->labels;
    parts->images.pixels = NULL;
    parts->labels = NULL;
    return BITTERN_OK;
}

static bittern_status join_cifar(struct parts *parts, struct bittern_dataset *dataset,
                                 struct bittern_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < DATASET_MAX_FILES; i++) {
        count += parts->records[i].count;
    }
    if (count > parts->limit) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "there are %zu images; %s has %zu in this split", count,
                                 parts->known->info.name, parts->limit);
    }
    uint8_t *images = malloc(count * CIFAR_PIXELS);
    uint8_t *labels = malloc(count);
    if (!images || !labels) {
        free(images);
        free(labels);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu images", count);
    }
    size_t at = 0;
    for (size_t i = 0; i < DATASET_MAX_FILES; i++) {
        cifar_split_records(&parts->records[i], parts->known->label_bytes,
                            images + at * CIFAR_PIXELS, labels + at);
        at += parts->records[i].count;
        free(parts->records[i].bytes);
        parts->records[i] = (struct cifar_records){0};
    }
    dataset->classes = parts->known->info.classes;
    dataset->count = count;
    dataset->channels = 3;
    dataset->height = CIFAR_SIDE;
    dataset->width = CIFAR_SIDE;
    dataset->images = images;
    dataset->labels = labels;
    return BITTERN_OK;
}

bittern_status load_idx(struct bittern_dataset *dataset, enum bittern_split split,
                        struct stream *images, struct stream *labels, struct bittern_error *err)
{
    struct parts parts;
    start_parts(&parts, dataset->known, split);
    bittern_status status = read_part(&parts, IMAGES, images, err);
    if (status == BITTERN_OK && labels) {
        status = read_part(&parts, LABELS, labels, err);
    }
    if (status == BITTERN_OK) {
        status = join_idx(&parts, labels != NULL, dataset, err);
    }
    free_parts(&parts);
    return status;
}

static size_t count_files(const struct dataset_known *known, enum bittern_split split)
{
    size_t count = 0;
    while (known->split_files[split][count]) {
        count++;
    }
    return count;
}

static bittern_status join(struct parts *parts, struct bittern_dataset *dataset,
                           struct bittern_error *err)
{
    if (parts->known->format == DATASET_FORMAT_CIFAR) {
        return join_cifar(parts, dataset, err);
    }
    return join_idx(parts, true, dataset, err);
}

bittern_status load_members(struct bittern_dataset *dataset, enum bittern_split split,
                            struct members *members, const char *archive_name,
                            struct bittern_error *err)
{
    const struct dataset_known *known = dataset->known;
    const char *const *names = known->split_files[split];
    size_t count = count_files(known, split);
    struct parts parts;
    struct stream *stream = NULL;

    start_parts(&parts, known, split);
    for (;;) {
        size_t index;
        bittern_status next =
            members_next(members, known->archive_folder, names, count, &index, err);
        if (next != BITTERN_OK) {
            free_parts(&parts);
            return next;
        }
        if (index == count) {
            break;
        }
        bittern_status status = members_open_current(members, &stream, err);
        if (status == BITTERN_OK) {
            status = read_part(&parts, index, stream, err);
        }
        stream_close(stream);
        if (status != BITTERN_OK) {
            free_parts(&parts);
            return status;
        }
    }
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
        if (!parts.there[i]) {
            status = bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' has no member '%s/%s'",
                                       archive_name, known->archive_folder, names[i]);
        }
    }
    if (status == BITTERN_OK) {
        status = join(&parts, dataset, err);
    }
    free_parts(&parts);
    return status;
}

uint64_t load_archive_limit(const struct dataset_known *known)
{
    const struct bittern_dataset_info *info = &known->info;
    uint64_t image = info->channels * info->height * info->width + known->label_bytes;
    return (info->train_count + info->test_count) * image + ARCHIVE_EXTRA;
}

static bool is_zip(const char *path)
{
    size_t length = strlen(path);
    return length >= 4 && strcmp(path + length - 4, ".zip") == 0;
}

static bittern_status load_archive(struct bittern_dataset *dataset, enum bittern_split split,
                                   const char *path, struct bittern_error *err)
{
    struct stream *stream = NULL;
    struct members *members = NULL;
    bittern_status status;
    if (is_zip(path)) {
        status = members_open_zip(path, &members, err);
    } else {
        status = stream_open_file(path, &stream, err);
        if (status == BITTERN_OK) {
            status = members_open_tar(stream, load_archive_limit(dataset->known), &members, err);
        }
    }
    if (status == BITTERN_OK) {
        status = load_members(dataset, split, members, path, err);
    }
    members_close(members);
    stream_close(stream);
    return status;
}

/* One file of a split, read by its own thread. */
struct file_job {
    struct parts *parts;
    size_t index;
    const char *path;
    bittern_status status;
    struct bittern_error err;
};

static void *read_file(void *argument)
{
    struct file_job *job = argument;
    struct stream *stream = NULL;
    job->status = stream_open_file(job->path, &stream, &job->err);
    if (job->status == BITTERN_OK) {
        job->status = read_part(job->parts, job->index, stream, &job->err);
    }
    stream_close(stream);
    return NULL;
}

/* Unpacking is what takes time (CIFAR-10 as .xz: 9 s), so files are read beside each other. */
static bittern_status read_files(struct parts *parts, char *const *files, size_t count,
                                 struct bittern_error *err)
{
    struct file_job jobs[DATASET_MAX_FILES];
    pthread_t threads[DATASET_MAX_FILES];
    bool started[DATASET_MAX_FILES] = {false};
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct file_job){.parts = parts, .index = i, .path = files[i]};
        started[i] = i > 0 && pthread_create(&threads[i], NULL, read_file, &jobs[i]) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!started[i]) {
            (void)read_file(&jobs[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (started[i]) {
            (void)pthread_join(threads[i], NULL);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].status != BITTERN_OK) {
            return bittern_error_set(err, jobs[i].status, "%s", jobs[i].err.message);
        }
    }
    return BITTERN_OK;
}

static bittern_status load_files(struct bittern_dataset *dataset, enum bittern_split split,
                                 char *const *files, struct bittern_error *err)
{
    struct parts parts;
    start_parts(&parts, dataset->known, split);
    bittern_status status = read_files(&parts, files, count_files(dataset->known, split), err);
    if (status == BITTERN_OK) {
        status = join(&parts, dataset, err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "'%s' and the files beside it", files[0]);
        }
    }
    free_parts(&parts);
    return status;
}

bittern_status load_location(struct bittern_dataset *dataset, enum bittern_split split,
                             const struct dataset_location *location, struct bittern_error *err)
{
    if (location->archive) {
        return load_archive(dataset, split, location->archive, err);
    }
    return load_files(dataset, split, location->files, err);
}
