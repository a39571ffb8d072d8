/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws many digits on several threads, and writes them as the four gzip'd IDX files that MNIST
 * has. Images are drawn block by block, so that memory does not grow with the set.
 */
#include "dataset/digits.h"

#include "base/file.h"
#include "dataset/output.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define DEFAULT_TRAIN_COUNT 60000
#define DEFAULT_TEST_COUNT 10000
#define MAX_COUNT 10000000 /* a split then has 7.8 GB, and IDX still counts it in 31 bits */
#define BLOCK 2048         /* images drawn between two calls of the progress callback */
#define MAX_THREADS 16
#define IMAGES_A_THREAD 64 /* a thread is worth its start for no fewer */
#define GZIP_LEVEL 6

/* --- Drawing --------------------------------------------------------------------------------- */

struct draw_job {
    uint64_t seed;
    enum bittern_split split;
    uint64_t first;
    size_t count;
    uint8_t *images, *labels;
};

static void *draw_job_run(void *argument)
{
    const struct draw_job *job = argument;
    for (size_t i = 0; i < job->count; i++) {
        job->labels[i] = digits_draw_image(job->seed, job->split, job->first + i,
                                           job->images + i * DIGITS_PIXELS);
    }
    return NULL;
}

static size_t thread_count(size_t images)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = processors > 0 ? (size_t)processors : 1;
    size_t useful = images / IMAGES_A_THREAD;
    threads = threads < MAX_THREADS ? threads : MAX_THREADS;
    threads = threads < useful ? threads : useful;
    return threads > 0 ? threads : 1;
}

void digits_draw_images(uint64_t seed, enum bittern_split split, uint64_t first, size_t count,
                        uint8_t *images, uint8_t *labels)
{
    struct draw_job jobs[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    bool started[MAX_THREADS] = {false};
    size_t wanted = thread_count(count);

    for (size_t t = 0; t < wanted; t++) {
        size_t begin = count / wanted * t + (t < count % wanted ? t : count % wanted);
        size_t share = count / wanted + (t < count % wanted ? 1 : 0);
        jobs[t].seed = seed;
        jobs[t].split = split;
        jobs[t].first = first + begin;
        jobs[t].count = share;
        jobs[t].images = images + begin * DIGITS_PIXELS;
        jobs[t].labels = labels + begin;
        if (t + 1 < wanted) {
            started[t] = pthread_create(&threads[t], NULL, draw_job_run, &jobs[t]) == 0;
        }
    }
    /* The caller's thread takes the last share, and whatever found no thread. */
    for (size_t t = wanted; t-- > 0;) {
        if (!started[t]) {
            draw_job_run(&jobs[t]);
        }
    }
    for (size_t t = 0; t < wanted; t++) {
        if (started[t]) {
            pthread_join(threads[t], NULL);
        }
    }
}

bittern_status bittern_dataset_draw_digits(uint64_t seed, size_t count, uint8_t *images,
                                           uint8_t *labels, struct bittern_error *err)
{
    if (count > 0 && (!images || !labels)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "no room was given for %zu images and their labels", count);
    }
    digits_draw_images(seed, BITTERN_SPLIT_TRAIN, 0, count, images, labels);
    return BITTERN_OK;
}

/* --- Files ----------------------------------------------------------------------------------- */

/* A gzip'd file that appears whole or not at all. */
struct gzip_file {
    struct file_writer *writer;
    z_stream stream;
    bool stream_open;
};

static void gzip_abort(struct gzip_file *file)
{
    if (file->stream_open) {
        deflateEnd(&file->stream);
        file->stream_open = false;
    }
    file_writer_abort(file->writer);
    file->writer = NULL;
}

static bittern_status gzip_append(struct gzip_file *file, const uint8_t *data, size_t size,
                                  int flush, struct bittern_error *err)
{
    uint8_t buffer[16384];
    file->stream.next_in = (uint8_t *)data; /* zlib does not write to it */
    file->stream.avail_in = (uInt)size;     /* a block is far below 4 GB */
    do {
        file->stream.next_out = buffer;
        file->stream.avail_out = sizeof buffer;
        if (deflate(&file->stream, flush) == Z_STREAM_ERROR) {
            return bittern_error_set(err, BITTERN_ERR_IO, "zlib cannot compress the images");
        }
        bittern_status status =
            file_writer_append(file->writer, buffer, sizeof buffer - file->stream.avail_out, err);
        if (status != BITTERN_OK) {
            return status;
        }
    } while (file->stream.avail_out == 0);
    return BITTERN_OK;
}

/* Open a file and write its IDX header: magic, then each dimension, big endian. */
static bittern_status gzip_open_idx(const char *path, const uint32_t *dims, size_t rank,
                                    struct gzip_file *file, struct bittern_error *err)
{
    uint8_t header[16] = {0, 0, 0x08, (uint8_t)rank}; /* 0x08: unsigned bytes */
    bittern_status status = file_writer_open(path, &file->writer, err);

    if (status != BITTERN_OK) {
        return status;
    }
    /* 16: a gzip header. zlib's own has neither a time nor a name, so it is always the same. */
    if (deflateInit2(&file->stream, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to compress '%s'", path);
    }
    file->stream_open = true;
    for (size_t i = 0; i < rank; i++) {
        for (size_t byte = 0; byte < 4; byte++) {
            header[4 + 4 * i + byte] = (uint8_t)(dims[i] >> (24 - 8 * byte));
        }
    }
    return gzip_append(file, header, 4 + 4 * rank, Z_NO_FLUSH, err);
}

struct split_files {
    enum bittern_split split;
    const char *what; /* for the progress callback */
    size_t count;
    const char *images_name, *labels_name;
    char *labels_path;
    struct gzip_file images, labels;
};

static bittern_status open_split(const char *folder, struct split_files *files,
                                 struct bittern_error *err)
{
    const uint32_t dims[3] = {(uint32_t)files->count, DIGITS_SIDE, DIGITS_SIDE};
    char *images_path = dataset_output_path(folder, files->images_name, "");
    bittern_status status;

    files->labels_path = dataset_output_path(folder, files->labels_name, "");
    if (!images_path || !files->labels_path) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the name of a file");
        goto cleanup;
    }
    status = gzip_open_idx(images_path, dims, 3, &files->images, err);
    if (status == BITTERN_OK) {
        status = gzip_open_idx(files->labels_path, dims, 1, &files->labels, err);
    }
cleanup:
    free(images_path);
    return status;
}

static bittern_status draw_split(const struct bittern_digits_options *options,
                                 struct split_files *files, uint8_t *images, uint8_t *labels,
                                 struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    for (size_t done = 0; done < files->count && status == BITTERN_OK;) {
        size_t count = files->count - done < BLOCK ? files->count - done : BLOCK;
        digits_draw_images(options->seed, files->split, done, count, images, labels);
        status = gzip_append(&files->images, images, count * DIGITS_PIXELS, Z_NO_FLUSH, err);
        if (status == BITTERN_OK) {
            status = gzip_append(&files->labels, labels, count, Z_NO_FLUSH, err);
        }
        done += count;
        if (status == BITTERN_OK && options->progress &&
            options->progress(options->user, files->what, done, files->count) != 0) {
            status =
                bittern_error_set(err, BITTERN_ERR_CANCELLED, "cancelled: no digits were written");
        }
    }
    if (status == BITTERN_OK) {
        status = gzip_append(&files->images, NULL, 0, Z_FINISH, err);
    }
    if (status == BITTERN_OK) {
        status = gzip_append(&files->labels, NULL, 0, Z_FINISH, err);
    }
    return status;
}

static bittern_status commit(struct gzip_file *file, struct bittern_error *err)
{
    struct file_writer *writer = file->writer;
    file->writer = NULL;
    return file_writer_commit(writer, err);
}

/* Put all files into place. Old labels go first and new ones come last: should the machine stop in
 * between, a set without labels is left, never images with the labels of another drawing. */
static bittern_status commit_splits(struct split_files *splits, size_t count,
                                    struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; i < count; i++) {
        (void)unlink(splits[i].labels_path);
    }
    for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
        status = commit(&splits[i].images, err);
    }
    for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
        status = commit(&splits[i].labels, err);
    }
    return status;
}

bittern_status bittern_dataset_make_digits(const char *data_dir,
                                           const struct bittern_digits_options *options,
                                           struct bittern_error *err)
{
    const struct bittern_digits_options defaults = {0};
    struct split_files splits[2] = {{.split = BITTERN_SPLIT_TRAIN,
                                     .what = "train",
                                     .images_name = "train-images-idx3-ubyte.gz",
                                     .labels_name = "train-labels-idx1-ubyte.gz"},
                                    {.split = BITTERN_SPLIT_TEST,
                                     .what = "test",
                                     .images_name = "t10k-images-idx3-ubyte.gz",
                                     .labels_name = "t10k-labels-idx1-ubyte.gz"}};
    char *folder = NULL;
    uint8_t *images = malloc((size_t)BLOCK * DIGITS_PIXELS);
    uint8_t *labels = malloc(BLOCK);
    bittern_status status;

    options = options ? options : &defaults;
    splits[0].count = options->train_count ? options->train_count : DEFAULT_TRAIN_COUNT;
    splits[1].count = options->test_count ? options->test_count : DEFAULT_TEST_COUNT;
    if (!images || !labels) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to draw digits");
        goto cleanup;
    }
    if (splits[0].count > MAX_COUNT || splits[1].count > MAX_COUNT) {
        status = bittern_error_set(err, BITTERN_ERR_RANGE,
                                   "at most %d images can be drawn for a split", MAX_COUNT);
        goto cleanup;
    }
    status = dataset_output_folder(data_dir, "digits", &folder, err);
    for (size_t i = 0; i < 2 && status == BITTERN_OK; i++) {
        status = open_split(folder, &splits[i], err);
    }
    for (size_t i = 0; i < 2 && status == BITTERN_OK; i++) {
        status = draw_split(options, &splits[i], images, labels, err);
    }
    if (status == BITTERN_OK) {
        status = commit_splits(splits, 2, err);
    }
cleanup:
    for (size_t i = 0; i < 2; i++) {
        gzip_abort(&splits[i].images);
        gzip_abort(&splits[i].labels);
        free(splits[i].labels_path);
    }
    free(folder);
    free(images);
    free(labels);
    return status;
}
