/* SPDX-License-Identifier: Apache-2.0 */
/* See activity.h. The layer's number is word 52 of the descriptor that runs. */
#include "activity.h"

#include "base/file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ACC_BITS 24
#define LAYER_WORD 52
#define SUM_STAGE 8 /* bit of the pipes: stage 9 of [10:1] */

static const enum sim_signal_index record_signals[ACTIVITY_FIELDS] = {
    SIM_SIGNAL_ACT,      SIM_SIGNAL_ZERO,    SIM_SIGNAL_ODD, SIM_SIGNAL_WEIGHT,
    SIM_SIGNAL_NEGATIVE, SIM_SIGNAL_NONZERO, SIM_SIGNAL_ACC};

struct burst {
    uint32_t cycles;
    uint8_t *records; /* [ACTIVITY_BURST][record_bytes] */
};

struct layer {
    uint32_t number;
    struct activity_counts counts;
    uint64_t stride; /* bursts of cycles from one recorded burst to the next */
    uint32_t burst_count;
    struct burst bursts[ACTIVITY_BURSTS];
};

struct sim_activity {
    const struct sim_model *model;
    const struct sim_signal *signals;
    size_t record_bytes;
    uint64_t cycles, read_bytes, write_bytes;
    uint64_t quiet;        /* cycles since anything happened; counted when something does */
    struct layer **layers; /* [ACTIVITY_MAX_LAYERS], by number; NULL: not seen */
    struct layer *current;
    struct burst *open; /* of `current`, being recorded */
    bool was_busy, failed;
    /* What the memories' ports showed a cycle ago. */
    uint8_t *feature_read, *feature_write, *ring_read, *ring_write;
};

static size_t signal_bytes(const struct sim_signal *signal)
{
    return (signal->bits + 7) / 8;
}

bittern_status sim_activity_create(const struct sim_model *model, void *instance,
                                   struct sim_activity **out, struct bittern_error *err)
{
    const struct sim_signal *signals = model->signals(instance);
    *out = NULL;
    if (!signals) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "this model of '%s' was built without signals to record",
                                 model->name);
    }
    struct sim_activity *activity = calloc(1, sizeof *activity);
    if (!activity) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to record activity");
    }
    activity->model = model;
    activity->signals = signals;
    activity->record_bytes = 1;
    for (size_t i = 0; i < ACTIVITY_FIELDS; i++) {
        activity->record_bytes += signal_bytes(&signals[record_signals[i]]);
    }
    activity->layers = calloc(ACTIVITY_MAX_LAYERS, sizeof(struct layer *));
    activity->feature_read = calloc(1, signal_bytes(&signals[SIM_SIGNAL_FEATURE_READ]));
    activity->feature_write = calloc(1, signal_bytes(&signals[SIM_SIGNAL_FEATURE_WRITE]));
    activity->ring_read = calloc(1, signal_bytes(&signals[SIM_SIGNAL_RING_READ]));
    activity->ring_write = calloc(1, signal_bytes(&signals[SIM_SIGNAL_RING_WRITE]));
    if (!activity->layers || !activity->feature_read || !activity->feature_write ||
        !activity->ring_read || !activity->ring_write) {
        sim_activity_free(activity);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to record activity");
    }
    *out = activity;
    return BITTERN_OK;
}

static void layer_free(struct layer *layer)
{
    for (size_t b = 0; layer && b < ACTIVITY_BURSTS; b++) {
        free(layer->bursts[b].records);
    }
    free(layer);
}

void sim_activity_free(struct sim_activity *activity)
{
    if (!activity) {
        return;
    }
    for (size_t i = 0; activity->layers && i < ACTIVITY_MAX_LAYERS; i++) {
        layer_free(activity->layers[i]);
    }
    free(activity->layers);
    free(activity->feature_read);
    free(activity->feature_write);
    free(activity->ring_read);
    free(activity->ring_write);
    free(activity);
}

/* ---- Counts ---------------------------------------------------------------------------------- */

static bool bit_of(const struct sim_signal *signal, unsigned bit)
{
    return signal->bytes[bit / 8] >> (bit % 8) & 1;
}

/* Bits that changed since the last call; `last` then holds what is there now. */
static uint64_t count_toggles(const struct sim_signal *signal, uint8_t *last)
{
    size_t bytes = signal_bytes(signal);
    uint64_t toggles = 0;
    size_t i = 0;

    for (; i + 8 <= bytes; i += 8) {
        uint64_t now;
        uint64_t before;
        memcpy(&now, signal->bytes + i, 8);
        memcpy(&before, last + i, 8);
        toggles += (uint64_t)__builtin_popcountll(now ^ before);
    }
    for (; i < bytes; i++) {
        toggles += (uint64_t)__builtin_popcount((unsigned)(signal->bytes[i] ^ last[i]));
    }
    memcpy(last, signal->bytes, bytes);
    return toggles;
}

static uint64_t count_ones(const struct sim_signal *signal)
{
    uint64_t ones = 0;
    for (size_t i = 0; i < signal_bytes(signal); i++) {
        ones += (uint64_t)__builtin_popcount(signal->bytes[i]);
    }
    return ones;
}

static void count_cycle(struct sim_activity *activity, struct activity_counts *counts)
{
    const struct sim_signal *s = activity->signals;
    bool ce = bit_of(&s[SIM_SIGNAL_CE], 0);
    uint64_t written = count_ones(&s[SIM_SIGNAL_FEATURE_WRITE_ENABLE]);

    counts->cycles++;
    counts->enabled_cycles += ce;
    counts->compute_cycles += ce && bit_of(&s[SIM_SIGNAL_STEP_PIPE], SUM_STAGE);
    counts->feature_read_toggles +=
        count_toggles(&s[SIM_SIGNAL_FEATURE_READ], activity->feature_read);
    counts->ring_read_toggles += count_toggles(&s[SIM_SIGNAL_RING_READ], activity->ring_read);
    counts->ring_reads += ce && bit_of(&s[SIM_SIGNAL_RING_READ_ENABLE], 0);
    if (written) {
        counts->feature_write_bytes += written;
        counts->feature_write_toggles +=
            count_toggles(&s[SIM_SIGNAL_FEATURE_WRITE], activity->feature_write);
    }
    if (bit_of(&s[SIM_SIGNAL_RING_WRITE_ENABLE], 0)) {
        counts->ring_writes++;
        counts->ring_write_toggles +=
            count_toggles(&s[SIM_SIGNAL_RING_WRITE], activity->ring_write);
    }
}

/* ---- Bursts ---------------------------------------------------------------------------------- */

static struct layer *current_layer(struct sim_activity *activity)
{
    const uint8_t *word = activity->signals[SIM_SIGNAL_DESCRIPTOR].bytes + 4 * LAYER_WORD;
    uint32_t number;

    memcpy(&number, word, sizeof number);
    if (number >= ACTIVITY_MAX_LAYERS) {
        activity->failed = true;
        return NULL;
    }
    if (!activity->layers[number]) {
        struct layer *layer = calloc(1, sizeof *layer);
        activity->failed = activity->failed || !layer;
        if (layer) {
            layer->number = number;
            layer->stride = 1;
        }
        activity->layers[number] = layer;
    }
    return activity->layers[number];
}

/* Every second burst goes, and from now on only half as many come. */
static void thin_out(struct layer *layer)
{
    for (uint32_t b = 1; b < ACTIVITY_BURSTS / 2; b++) {
        struct burst kept = layer->bursts[2 * b];
        layer->bursts[2 * b] = layer->bursts[b]; /* its memory is used again */
        layer->bursts[b] = kept;
    }
    layer->burst_count = ACTIVITY_BURSTS / 2;
    layer->stride *= 2;
}

static struct burst *open_burst(struct sim_activity *activity, struct layer *layer)
{
    if (layer->burst_count == ACTIVITY_BURSTS) {
        thin_out(layer);
    }
    struct burst *burst = &layer->bursts[layer->burst_count];
    if (!burst->records) {
        burst->records = malloc(ACTIVITY_BURST * activity->record_bytes);
        if (!burst->records) {
            activity->failed = true;
            return NULL;
        }
    }
    burst->cycles = 0;
    layer->burst_count++;
    return burst;
}

static void record_cycle(struct sim_activity *activity, struct burst *burst)
{
    const struct sim_signal *s = activity->signals;
    uint8_t *record = burst->records + burst->cycles * activity->record_bytes;

    *record++ =
        (uint8_t)((bit_of(&s[SIM_SIGNAL_CE], 0) ? ACTIVITY_FLAG_CE : 0) |
                  (bit_of(&s[SIM_SIGNAL_STEP_PIPE], SUM_STAGE) ? ACTIVITY_FLAG_SUM_ENABLE : 0) |
                  (bit_of(&s[SIM_SIGNAL_FIRST_PIPE], SUM_STAGE) ? ACTIVITY_FLAG_SUM_FIRST : 0) |
                  (bit_of(&s[SIM_SIGNAL_INT_MODE], 0) ? ACTIVITY_FLAG_INT_MODE : 0));
    for (size_t i = 0; i < ACTIVITY_FIELDS; i++) {
        const struct sim_signal *signal = &s[record_signals[i]];
        memcpy(record, signal->bytes, signal_bytes(signal));
        record += signal_bytes(signal);
    }
    burst->cycles++;
}

void sim_activity_begin_run(struct sim_activity *activity)
{
    activity->quiet = 0;
}

static void count_bus(struct sim_activity *activity, const struct sim_activity_bus *bus, bool busy,
                      struct activity_counts *counts)
{
    uint64_t beat_bytes = activity->model->word_bits / 8;

    activity->quiet++;
    if (busy || bus->active) {
        activity->cycles += activity->quiet;
        activity->quiet = 0;
    }
    activity->read_bytes += bus->read ? beat_bytes : 0;
    activity->write_bytes += bus->write ? beat_bytes : 0;
    if (counts) {
        counts->read_bytes += bus->read ? beat_bytes : 0;
        counts->write_bytes += bus->write ? beat_bytes : 0;
    }
}

void sim_activity_sample(struct sim_activity *activity, const struct sim_activity_bus *bus)
{
    bool busy = bit_of(&activity->signals[SIM_SIGNAL_BUSY], 0);

    if (busy && !activity->was_busy) {
        activity->current = current_layer(activity);
    }
    activity->was_busy = busy;
    struct layer *layer = busy ? activity->current : NULL;
    count_bus(activity, bus, busy, layer ? &layer->counts : NULL);
    if (!layer) {
        activity->open = NULL;
        return;
    }
    if (!activity->open && layer->counts.cycles % (layer->stride * ACTIVITY_BURST) == 0) {
        activity->open = open_burst(activity, layer);
    }
    count_cycle(activity, &layer->counts);
    if (activity->open) {
        record_cycle(activity, activity->open);
        if (activity->open->cycles == ACTIVITY_BURST) {
            activity->open = NULL;
        }
    }
}

/* ---- The file -------------------------------------------------------------------------------- */

static bittern_status write_layer(const struct sim_activity *activity, const struct layer *layer,
                                  struct file_writer *writer, struct bittern_error *err)
{
    const struct activity_file_layer head = {
        .number = layer->number, .bursts = layer->burst_count, .counts = layer->counts};

    bittern_status status = file_writer_append(writer, &head, sizeof head, err);
    for (uint32_t b = 0; status == BITTERN_OK && b < layer->burst_count; b++) {
        const struct burst *burst = &layer->bursts[b];
        status = file_writer_append(writer, &burst->cycles, sizeof burst->cycles, err);
        if (status == BITTERN_OK) {
            status = file_writer_append(writer, burst->records,
                                        burst->cycles * activity->record_bytes, err);
        }
    }
    return status;
}

bittern_status sim_activity_write(const struct sim_activity *activity, const char *path,
                                  struct bittern_error *err)
{
    const struct sim_model *model = activity->model;
    struct activity_file_header head = {.magic = ACTIVITY_MAGIC,
                                        .version = ACTIVITY_VERSION,
                                        .word_bits = model->word_bits,
                                        .output_channels = model->output_channels,
                                        .pixels = model->pixels,
                                        .units = model->units,
                                        .acc_bits = ACC_BITS,
                                        .cycles = activity->cycles,
                                        .read_bytes = activity->read_bytes,
                                        .write_bytes = activity->write_bytes};
    struct file_writer *writer = NULL;

    if (activity->failed) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "no memory to record the activity of all layers");
    }
    for (size_t i = 0; i < ACTIVITY_MAX_LAYERS; i++) {
        head.layers += activity->layers[i] != NULL;
    }
    bittern_status status = file_writer_open(path, &writer, err);
    if (status == BITTERN_OK) {
        status = file_writer_append(writer, &head, sizeof head, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < ACTIVITY_MAX_LAYERS; i++) {
        if (activity->layers[i]) {
            status = write_layer(activity, activity->layers[i], writer, err);
        }
    }
    if (status == BITTERN_OK) {
        return file_writer_commit(writer, err);
    }
    file_writer_abort(writer);
    return status;
}
