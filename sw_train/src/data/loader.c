/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's thread and the caller share one slot, which holds one batch. The thread fills it
 * while the caller trains; loader_next waits until it is full, copies it out (a few MB at most, far
 * less than a step takes) and hands it back for the batch after.
 *
 * The mutex guards what is wanted and whether the slot is full. Contents of the slot, and the order
 * of an epoch, are touched by the thread alone while the slot is being filled, and by the caller
 * alone while it is full. A seek counts `request` up: what the thread finishes for an older request
 * is thrown away.
 */
#include "data/loader.h"

#include "backend/backend_bf16.h"
#include "base/checked.h"
#include "data/augment.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct loader {
    /* fixed after loader_create */
    struct loader_options options;
    struct image_format format;
    size_t batch;           /* images of this rank's batch */
    size_t image_values;    /* of one image */
    size_t image_bytes;     /* of one image in a batch */
    size_t images, batches; /* of an epoch, over all ranks */
    void *table;

    /* the thread's, or the caller's while the slot is full */
    uint32_t *order; /* [options.count] positions in the data set */
    uint64_t order_epoch;
    bool order_made;
    uint8_t *slot;
    uint8_t *slot_labels;
    size_t slot_count;

    /* the caller's */
    uint8_t *labels;
    double waited;

    pthread_mutex_t mutex;
    pthread_cond_t wanted_changed, filled_changed;
    bool threaded; /* mutex and the rest exist, thread runs */
    pthread_t thread;
    /* guarded by mutex */
    bool stop, full;
    uint64_t request;
    uint64_t epoch;
    size_t next_batch; /* that loader_next gives; batches: none */
};

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- The thread's work ----------------------------------------------------------------------- */

/* Fisher and Yates' shuffle (Durstenfeld, CACM 1964), from the numbers in order. */
static void make_order(struct loader *loader, uint64_t epoch)
{
    const struct loader_options *options = &loader->options;
    if (loader->order_made && (loader->order_epoch == epoch || !options->shuffle)) {
        return;
    }
    for (size_t i = 0; i < options->count; i++) {
        loader->order[i] = (uint32_t)(options->first + i);
    }
    if (options->shuffle) {
        struct rng rng = rng_start(options->seed, RNG_SHUFFLE, epoch);
        for (size_t i = options->count; i-- > 1;) {
            size_t j = rng_below(&rng, i + 1);
            uint32_t swap = loader->order[i];
            loader->order[i] = loader->order[j];
            loader->order[j] = swap;
        }
    }
    loader->order_epoch = epoch;
    loader->order_made = true;
}

/* First position, in the epoch's order, of this rank's part of a batch. */
static size_t batch_position(const struct loader *loader, size_t batch)
{
    return (batch * loader->options.ranks + loader->options.rank) * loader->batch;
}

static void fill_slot(struct loader *loader, uint64_t epoch, size_t batch)
{
    const struct loader_options *options = &loader->options;
    const uint8_t *images = bittern_dataset_images(options->dataset);
    const uint8_t *labels = bittern_dataset_labels(options->dataset);
    uint64_t epoch_index = epoch * (uint64_t)bittern_dataset_count(options->dataset);
    size_t first = batch_position(loader, batch);
    size_t left = first < loader->images ? loader->images - first : 0;
    size_t count = left < loader->batch ? left : loader->batch;
    make_order(loader, epoch);
    for (size_t n = 0; n < count; n++) {
        size_t position = loader->order[first + n];
        struct rng rng = rng_start(options->seed, RNG_AUGMENT, epoch_index + position);
        struct image_change change =
            augment_draw(&options->augmentation, loader->format.height, loader->format.width, &rng);
        augment_convert(&loader->format, &change, images + position * loader->image_values,
                        loader->slot + n * loader->image_bytes);
        loader->slot_labels[n] = labels[position];
    }
    memset(loader->slot + count * loader->image_bytes, 0,
           (loader->batch - count) * loader->image_bytes);
    memset(loader->slot_labels + count, 0, loader->batch - count);
    loader->slot_count = count;
}

static void *run_thread(void *argument)
{
    struct loader *loader = argument;
    (void)pthread_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        if (loader->full || loader->next_batch >= loader->batches) {
            (void)pthread_cond_wait(&loader->wanted_changed, &loader->mutex);
            continue;
        }
        uint64_t request = loader->request;
        uint64_t epoch = loader->epoch;
        size_t batch = loader->next_batch;
        (void)pthread_mutex_unlock(&loader->mutex);
        fill_slot(loader, epoch, batch);
        (void)pthread_mutex_lock(&loader->mutex);
        if (request == loader->request) {
            loader->full = true;
            (void)pthread_cond_signal(&loader->filled_changed);
        }
    }
    (void)pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

static bittern_status check_shape(const struct loader_options *options,
                                  const struct backend_tensor *like, struct bittern_error *err)
{
    const struct bittern_dataset *dataset = options->dataset;
    size_t channels = bittern_dataset_channels(dataset);
    size_t height = bittern_dataset_height(dataset);
    size_t width = bittern_dataset_width(dataset);
    if (like->n < 1 || like->c != channels || like->h != height || like->w != width) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "images of '%s' are %zux%zux%zu, but the network's input is "
                                 "%zux%zux%zu in batches of %zu",
                                 bittern_dataset_name(dataset), channels, height, width, like->c,
                                 like->h, like->w, like->n);
    }
    if (like->layout == BACKEND_BLOCKED || options->encoding->channels != channels) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the network's input is in blocks, or its encoding is of %zu "
                                 "channels, not %zu",
                                 options->encoding->channels, channels);
    }
    size_t side = height < width ? height : width;
    if (options->augmentation.crop >= side || options->augmentation.cutout > side) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "crop by %zu and cutout of %zu pixels: for images of %zux%zu they "
                                 "are at most %zu and %zu",
                                 options->augmentation.crop, options->augmentation.cutout, height,
                                 width, side - 1, side);
    }
    return BITTERN_OK;
}

/* Check the part of the data set in use, and write `count` where it was left open. */
static bittern_status check_part(struct loader_options *options, size_t batch,
                                 struct bittern_error *err)
{
    size_t all = bittern_dataset_count(options->dataset);
    size_t whole_batch;
    if (options->ranks < 1 || options->rank >= options->ranks ||
        !checked_mul_size(batch, options->ranks, &whole_batch)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "rank %zu of %zu cannot be",
                                 options->rank, options->ranks);
    }
    if (options->first >= all || options->count > all - options->first || all > UINT32_MAX) {
        return bittern_error_set(
            err, BITTERN_ERR_RANGE, "%zu images from image %zu on were asked for; '%s' has %zu",
            options->count, options->first, bittern_dataset_name(options->dataset), all);
    }
    if (options->count == 0) {
        options->count = all - options->first;
    }
    if (options->drop_last && options->count < whole_batch) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "%zu images do not fill one batch of %zu; take more images or a "
                                 "smaller batch",
                                 options->count, whole_batch);
    }
    return BITTERN_OK;
}

/* Values of pixel bytes in the input's type. */
static bittern_status make_table(struct loader *loader, struct bittern_error *err)
{
    size_t count = loader->format.channels * 256;
    float *table = calloc(count, sizeof(float));
    uint16_t *short_table = calloc(count, sizeof(uint16_t));
    if (!table || !short_table) {
        free(table);
        free(short_table);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the input's table");
    }
    input_encoding_table(loader->options.encoding, table);
    if (loader->format.type == BACKEND_BF16) {
        for (size_t i = 0; i < count; i++) {
            short_table[i] = bf16_from_float(table[i]);
        }
        free(table);
        loader->table = short_table;
    } else {
        free(short_table);
        loader->table = table;
    }
    loader->format.table = loader->table;
    return BITTERN_OK;
}

static bittern_status make_buffers(struct loader *loader, struct bittern_error *err)
{
    size_t size;
    if (!checked_mul_size(loader->batch, loader->image_bytes, &size)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "a batch of %zu images is too large",
                                 loader->batch);
    }
    loader->slot = malloc(size);
    loader->slot_labels = calloc(loader->batch, 1);
    loader->labels = calloc(loader->batch, 1);
    loader->order = calloc(loader->options.count, sizeof(uint32_t));
    if (!loader->slot || !loader->slot_labels || !loader->labels || !loader->order) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "out of memory for a batch of %zu images and the order of %zu",
                                 loader->batch, loader->options.count);
    }
    return make_table(loader, err);
}

/* The thread takes no signals: they are the caller's. */
static bittern_status start_thread(struct loader *loader, struct bittern_error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_mutex_init(&loader->mutex, NULL) != 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make the loader's mutex");
    }
    (void)pthread_cond_init(&loader->wanted_changed, NULL);
    (void)pthread_cond_init(&loader->filled_changed, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&loader->thread, NULL, run_thread, loader);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)pthread_cond_destroy(&loader->wanted_changed);
        (void)pthread_cond_destroy(&loader->filled_changed);
        (void)pthread_mutex_destroy(&loader->mutex);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot start the loader's thread: %s",
                                 strerror(failed));
    }
    loader->threaded = true;
    return BITTERN_OK;
}

static void set_format(struct loader *loader, const struct backend_tensor *like)
{
    size_t pixels = like->h * like->w;
    bool planar = like->layout == BACKEND_PLANAR;
    loader->format = (struct image_format){.channels = like->c,
                                           .height = like->h,
                                           .width = like->w,
                                           .channel_stride = planar ? pixels : 1,
                                           .pixel_stride = planar ? 1 : like->c,
                                           .type = like->type};
    loader->image_values = pixels * like->c;
    loader->image_bytes =
        loader->image_values * (like->type == BACKEND_BF16 ? sizeof(uint16_t) : sizeof(float));
}

bittern_status loader_create(const struct loader_options *options,
                             const struct backend_tensor *like, struct loader **loader,
                             struct bittern_error *err)
{
    bittern_status status;
    *loader = NULL;
    struct loader *made = calloc(1, sizeof(*made));
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the loader");
    }
    made->options = *options;
    status = check_shape(options, like, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = check_part(&made->options, like->n, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    made->batch = like->n;
    size_t whole_batch = like->n * options->ranks;
    made->batches = made->options.count / whole_batch;
    made->images = made->batches * whole_batch;
    if (!options->drop_last && made->images < made->options.count) {
        made->batches++;
        made->images = made->options.count;
    }
    made->next_batch = made->batches;
    set_format(made, like);
    status = make_buffers(made, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = start_thread(made, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *loader = made;
    made = NULL;

cleanup:
    loader_free(made);
    return status;
}

void loader_free(struct loader *loader)
{
    if (!loader) {
        return;
    }
    if (loader->threaded) {
        (void)pthread_mutex_lock(&loader->mutex);
        loader->stop = true;
        (void)pthread_cond_signal(&loader->wanted_changed);
        (void)pthread_mutex_unlock(&loader->mutex);
        (void)pthread_join(loader->thread, NULL);
        (void)pthread_cond_destroy(&loader->wanted_changed);
        (void)pthread_cond_destroy(&loader->filled_changed);
        (void)pthread_mutex_destroy(&loader->mutex);
    }
    free(loader->slot);
    free(loader->slot_labels);
    free(loader->labels);
    free(loader->order);
    free(loader->table);
    free(loader);
}

/* ---- The caller's side ----------------------------------------------------------------------- */

size_t loader_batches(const struct loader *loader)
{
    return loader->batches;
}

size_t loader_images(const struct loader *loader)
{
    return loader->images;
}

void loader_seek(struct loader *loader, uint64_t epoch, size_t batch)
{
    (void)pthread_mutex_lock(&loader->mutex);
    loader->request++;
    loader->full = false;
    loader->epoch = epoch;
    loader->next_batch = batch < loader->batches ? batch : loader->batches;
    (void)pthread_cond_signal(&loader->wanted_changed);
    (void)pthread_mutex_unlock(&loader->mutex);
}

bool loader_next(struct loader *loader, struct backend_tensor *tensor, struct loader_batch *batch)
{
    (void)pthread_mutex_lock(&loader->mutex);
    if (loader->next_batch >= loader->batches) {
        (void)pthread_mutex_unlock(&loader->mutex);
        return false;
    }
    if (!loader->full) {
        double start = seconds_now();
        while (!loader->full) {
            (void)pthread_cond_wait(&loader->filled_changed, &loader->mutex);
        }
        loader->waited += seconds_now() - start;
    }
    (void)pthread_mutex_unlock(&loader->mutex);

    memcpy(tensor->data, loader->slot, loader->batch * loader->image_bytes);
    memcpy(loader->labels, loader->slot_labels, loader->batch);
    batch->labels = loader->labels;
    batch->count = loader->slot_count;
    batch->first_position = batch_position(loader, loader->next_batch);

    (void)pthread_mutex_lock(&loader->mutex);
    loader->full = false;
    loader->next_batch++;
    (void)pthread_cond_signal(&loader->wanted_changed);
    (void)pthread_mutex_unlock(&loader->mutex);
    return true;
}

double loader_take_wait(struct loader *loader)
{
    double waited = loader->waited;
    loader->waited = 0.0;
    return waited;
}
