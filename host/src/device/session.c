/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program on a device. Two sets of buffers take turns: while the device works on one batch, the
 * next batch's pixels go through the input table into the other set.
 *
 *     host     pack(0)  write(0) | pack(1)  write(1)       | read(0) pack(2)  write(2) ...
 *     device                     | batch 0 ............... | batch 1 ...............
 */
#include "base/checked.h"
#include "device/kernel_record.h"
#include "device/session_format.h"

#include <bittern/device.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BATCH 64
#define MAX_BATCH 4096
#define DEFAULT_TIMEOUT_MS 60000
#define BUFFERS 2

struct bittern_session {
    struct bittern_device *device;
    struct bittern_session_options options;
    struct session_format *format;
    size_t image_bytes; /* of pixels */
    size_t outputs;
    uint8_t *staging; /* a batch's input, as the device has it */
    uint8_t *results; /* a batch's output, likewise */
    uint8_t *record;  /* a start's, likewise; NULL: the device writes none */

    size_t layers;
    struct bittern_layer_profile *profile; /* [layers] */

    uint64_t program_bytes;
    uint64_t program; /* 0: not allocated; also below */
    uint64_t scratch;
    uint64_t input[BUFFERS], output[BUFFERS], records[BUFFERS];
};

/* ---- Create and free ------------------------------------------------------------------------- */

static bool geometry_is_any(const struct bittern_geometry *geometry)
{
    return geometry->version == 0;
}

static bool geometries_are_equal(const struct bittern_geometry *a, const struct bittern_geometry *b)
{
    /* The name is a label; what counts is the shape. */
    return a->version == b->version && a->word_bits == b->word_bits &&
           a->output_channels == b->output_channels && a->pixels == b->pixels &&
           a->units == b->units && a->feature_bytes == b->feature_bytes &&
           a->weight_bytes == b->weight_bytes;
}

#define GEOMETRY_TEXT_SIZE 256

static const char *geometry_text(const struct bittern_geometry *geometry, char *text)
{
    if (geometry_is_any(geometry)) {
        (void)snprintf(text, GEOMETRY_TEXT_SIZE, "'%s'", geometry->name);
    } else {
        (void)snprintf(text, GEOMETRY_TEXT_SIZE,
                       "'%s' (version %" PRIu32 ", word %" PRIu32 ", OC %" PRIu32 ", PX %" PRIu32
                       ", units 0x%" PRIx32 ", features %" PRIu32 " B, weights %" PRIu32 " B)",
                       geometry->name, geometry->version, geometry->word_bits,
                       geometry->output_channels, geometry->pixels, geometry->units,
                       geometry->feature_bytes, geometry->weight_bytes);
    }
    return text;
}

static bittern_status check_geometry(const struct bittern_device *device,
                                     const struct bittern_program *program,
                                     struct bittern_error *err)
{
    char wanted[GEOMETRY_TEXT_SIZE];
    char found[GEOMETRY_TEXT_SIZE];
    const struct bittern_device_info *info = bittern_device_get_info(device);
    const struct bittern_geometry *geometry = bittern_program_geometry(program);

    if (geometry_is_any(&info->geometry) || geometries_are_equal(geometry, &info->geometry)) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                             "the program is for geometry %s, but device '%s' has geometry %s; "
                             "compile the model again with 'bittern compile --geometry %s', or run "
                             "the program on '--device reference'",
                             geometry_text(geometry, wanted), info->name,
                             geometry_text(&info->geometry, found), info->geometry.name);
}

static bittern_status check_options(const struct bittern_session_options *given,
                                    struct bittern_session_options *options,
                                    struct bittern_error *err)
{
    *options = given ? *given : (struct bittern_session_options){0};
    if (options->batch == 0) {
        options->batch = DEFAULT_BATCH;
    }
    if (options->timeout_ms == 0) {
        options->timeout_ms = DEFAULT_TIMEOUT_MS;
    }
    if (options->batch > MAX_BATCH) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "a batch of %zu images: 1 to %d go",
                                 options->batch, MAX_BATCH);
    }
    return BITTERN_OK;
}

/* Host memory for one batch. */
static bittern_status prepare_host(struct bittern_session *session,
                                   const struct bittern_network *network, struct bittern_error *err)
{
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    size_t batch = session->options.batch;
    size_t staging = 0;
    size_t results = 0;
    size_t record = session_format_record_bytes(session->format, batch);

    session->outputs = bittern_network_output_count(network);
    session->layers = bittern_network_layer_count(network);
    if (!checked_mul_size(shape->height, shape->width, &session->image_bytes) ||
        !checked_mul_size(session->image_bytes, shape->channels, &session->image_bytes) ||
        !checked_mul_size(session_format_input_bytes(session->format), batch, &staging) ||
        !checked_mul_size(session_format_output_bytes(session->format), batch, &results)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "a batch of %zu images is too large",
                                 batch);
    }
    session->staging = malloc(staging);
    session->results = malloc(results);
    session->record = record > 0 ? malloc(record) : NULL;
    session->profile = calloc(session->layers, sizeof *session->profile);
    if (!session->staging || !session->results || (record > 0 && !session->record) ||
        !session->profile) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a batch of %zu images",
                                 batch);
    }
    return BITTERN_OK;
}

/* Size 0 is fine: nothing is needed then. */
static bittern_status allocate(struct bittern_session *session, uint64_t size, uint64_t *address,
                               struct bittern_error *err)
{
    return size > 0 ? bittern_device_allocate(session->device, size, address, err) : BITTERN_OK;
}

static bittern_status prepare_device(struct bittern_session *session, struct bittern_error *err)
{
    size_t size = 0;
    const struct session_format *format = session->format;
    const void *data = session_format_program(format, &size);
    uint64_t batch = session->options.batch;

    session->program_bytes = size;
    bittern_status status = allocate(session, size, &session->program, err);
    if (status == BITTERN_OK) {
        status = bittern_device_write(session->device, session->program, data, size, err);
    }
    if (status == BITTERN_OK) {
        status =
            allocate(session, batch * session_format_scratch_bytes(format), &session->scratch, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < BUFFERS; i++) {
        status =
            allocate(session, batch * session_format_input_bytes(format), &session->input[i], err);
        if (status == BITTERN_OK) {
            status = allocate(session, batch * session_format_output_bytes(format),
                              &session->output[i], err);
        }
        if (status == BITTERN_OK) {
            status = allocate(session, session_format_record_bytes(format, (size_t)batch),
                              &session->records[i], err);
        }
    }
    return status;
}

bittern_status bittern_session_create(struct bittern_device *device,
                                      const struct bittern_program *program,
                                      const struct bittern_session_options *options,
                                      struct bittern_session **session_out,
                                      struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct bittern_session *session = NULL;

    if (!device || !program || !session_out) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "bittern_session_create needs a device, a program and a place for "
                                 "the session");
    }
    *session_out = NULL;
    session = calloc(1, sizeof *session);
    if (!session) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a session");
    }
    session->device = device;
    status = check_options(options, &session->options, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = check_geometry(device, program, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status =
        session_format_create(program, !geometry_is_any(&bittern_device_get_info(device)->geometry),
                              &session->format, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = prepare_host(session, bittern_program_network(program), err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = prepare_device(session, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *session_out = session;
    session = NULL;

cleanup:
    bittern_session_free(session);
    return status;
}

/* What a device does not take back, since a run hangs there, it frees when it is closed. */
static void release(struct bittern_session *session, uint64_t address)
{
    if (address != 0) {
        (void)bittern_device_release(session->device, address, NULL);
    }
}

void bittern_session_free(struct bittern_session *session)
{
    if (!session) {
        return;
    }
    release(session, session->program);
    release(session, session->scratch);
    for (size_t i = 0; i < BUFFERS; i++) {
        release(session, session->input[i]);
        release(session, session->output[i]);
        release(session, session->records[i]);
    }
    session_format_free(session->format);
    free(session->staging);
    free(session->results);
    free(session->record);
    free(session->profile);
    free(session);
}

/* ---- Run ------------------------------------------------------------------------------------- */

/* One call of bittern_session_run: `count` images in batches; batch b uses buffers b % 2. */
struct session_run {
    struct bittern_session *session;
    const uint8_t *images;
    size_t count;
    int32_t *values;
    struct bittern_counters counters;
};

static size_t batch_start(const struct session_run *run, size_t batch)
{
    return batch * run->session->options.batch;
}

static size_t batch_size(const struct session_run *run, size_t batch)
{
    size_t left = run->count - batch_start(run, batch);
    return left < run->session->options.batch ? left : run->session->options.batch;
}

static bittern_status write_batch(const struct session_run *run, size_t batch,
                                  struct bittern_error *err)
{
    const struct bittern_session *session = run->session;
    size_t size = batch_size(run, batch);

    session_format_pack(session->format,
                        run->images + batch_start(run, batch) * session->image_bytes, size,
                        session->staging);
    return bittern_device_write(session->device, session->input[batch % BUFFERS], session->staging,
                                size * session_format_input_bytes(session->format), err);
}

static bittern_status start_batch(const struct session_run *run, size_t batch,
                                  struct bittern_error *err)
{
    const struct bittern_session *session = run->session;
    const struct bittern_start start = {
        .program = session->program,
        .program_bytes = session->program_bytes,
        .input = session->input[batch % BUFFERS],
        .output = session->output[batch % BUFFERS],
        .images = (uint32_t)batch_size(run, batch),
        .scratch = session->scratch,
        .record = session->records[batch % BUFFERS],
        .record_bytes = session_format_record_bytes(session->format, batch_size(run, batch)),
    };
    return bittern_device_start(session->device, &start, err);
}

/* Add the last counters to a timeout's message: they say where the device stands still. */
static void explain_timeout(const struct session_run *run, size_t batch, struct bittern_error *err)
{
    struct bittern_counters now;
    if (!err || bittern_device_counters(run->session->device, &now, NULL) != BITTERN_OK) {
        return;
    }
    char reason[sizeof err->message];
    memcpy(reason, err->message, sizeof reason);
    reason[sizeof reason - 1] = '\0';
    (void)bittern_error_set(
        err, BITTERN_ERR_TIMEOUT,
        "batch %zu of %zu images: %s; last counters: %" PRIu64 " cycles (%" PRIu64
        " computing, stalled %" PRIu64 " on weights, %" PRIu64 " on input, %" PRIu64
        " on output), %" PRIu64 " beats read, %" PRIu64 " written, %" PRIu64 " ms",
        batch, batch_size(run, batch), reason, now.cycles, now.compute_cycles,
        now.weight_stall_cycles, now.input_stall_cycles, now.output_stall_cycles, now.read_beats,
        now.write_beats, now.nanoseconds / 1000000);
}

static bittern_status wait_batch(struct session_run *run, size_t batch, struct bittern_error *err)
{
    struct bittern_counters cost;
    struct bittern_counters *sum = &run->counters;
    const struct bittern_session *session = run->session;

    bittern_status status = bittern_device_wait(session->device, session->options.timeout_ms, err);
    if (status == BITTERN_ERR_TIMEOUT) {
        explain_timeout(run, batch, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    status = bittern_device_counters(session->device, &cost, err);
    if (status == BITTERN_OK) {
        sum->cycles += cost.cycles;
        sum->compute_cycles += cost.compute_cycles;
        sum->weight_stall_cycles += cost.weight_stall_cycles;
        sum->input_stall_cycles += cost.input_stall_cycles;
        sum->output_stall_cycles += cost.output_stall_cycles;
        sum->read_beats += cost.read_beats;
        sum->write_beats += cost.write_beats;
        sum->nanoseconds += cost.nanoseconds;
    }
    return status;
}

/* Add the layer records of a batch to the profile. */
static bittern_status read_record(const struct session_run *run, size_t batch,
                                  struct bittern_error *err)
{
    struct bittern_session *session = run->session;
    size_t size = session_format_record_bytes(session->format, batch_size(run, batch));

    if (size == 0) {
        return BITTERN_OK;
    }
    bittern_status status = bittern_device_read(session->device, session->records[batch % BUFFERS],
                                                session->record, size, err);
    if (status == BITTERN_OK &&
        !kernel_record_add_layers(session->record, size, session->profile, session->layers)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "device '%s' left no record of its run, or a damaged one",
                                 bittern_device_get_info(session->device)->name);
    }
    return status;
}

static bittern_status read_batch(const struct session_run *run, size_t batch,
                                 struct bittern_error *err)
{
    const struct bittern_session *session = run->session;
    size_t count = batch_size(run, batch);

    bittern_status status =
        bittern_device_read(session->device, session->output[batch % BUFFERS], session->results,
                            count * session_format_output_bytes(session->format), err);
    if (status != BITTERN_OK) {
        return status;
    }
    session_format_unpack(session->format, session->results, count,
                          run->values + batch_start(run, batch) * session->outputs);
    return read_record(run, batch, err);
}

/*
 * Finish batch `batch`, which the device works on, and get the next one going. The device is idle
 * where this fails, unless it is the wait itself that timed out.
 */
static bittern_status step(struct session_run *run, size_t batch, size_t batches,
                           struct bittern_error *err)
{
    bool has_next = batch + 1 < batches;
    bittern_status prepared = has_next ? write_batch(run, batch + 1, err) : BITTERN_OK;
    /* Wait in any case; the first error is the one to tell. */
    bittern_status status = wait_batch(run, batch, prepared == BITTERN_OK ? err : NULL);
    if (prepared != BITTERN_OK) {
        return prepared;
    }
    if (status == BITTERN_OK && has_next) {
        status = start_batch(run, batch + 1, err);
    }
    return status;
}

static bittern_status report(const struct session_run *run, size_t batch, struct bittern_error *err)
{
    const struct bittern_session_options *options = &run->session->options;
    size_t done = batch_start(run, batch) + batch_size(run, batch);

    if (options->progress && options->progress(options->user, done, run->count) != 0) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED, "stopped after %zu of %zu images",
                                 done, run->count);
    }
    return BITTERN_OK;
}

bittern_status bittern_session_run(struct bittern_session *session, const uint8_t *images,
                                   size_t count, int32_t *values, struct bittern_counters *counters,
                                   struct bittern_error *err)
{
    bool busy = false;

    if (counters) {
        memset(counters, 0, sizeof *counters);
    }
    if (!session || (count > 0 && (!images || !values))) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "bittern_session_run needs a session, images and a place for the "
                                 "values");
    }
    if (count == 0) {
        return BITTERN_OK;
    }
    struct session_run run = {.session = session, .images = images, .count = count};
    run.values = values;
    size_t batches = (count - 1) / session->options.batch + 1;

    bittern_status status = write_batch(&run, 0, err);
    if (status == BITTERN_OK) {
        status = start_batch(&run, 0, err);
    }
    for (size_t batch = 0; status == BITTERN_OK && batch < batches; batch++) {
        status = step(&run, batch, batches, err);
        busy = status == BITTERN_OK && batch + 1 < batches;
        if (status == BITTERN_OK) {
            status = read_batch(&run, batch, err);
        }
        if (status == BITTERN_OK) {
            status = report(&run, batch, err);
        }
    }
    if (busy) {
        /* Stopped while the next batch runs: leave the device idle behind. */
        (void)bittern_device_wait(session->device, session->options.timeout_ms, NULL);
    }
    if (counters) {
        *counters = run.counters;
    }
    return status;
}

bittern_status bittern_session_profile(const struct bittern_session *session,
                                       struct bittern_layer_profile *layers, size_t count,
                                       struct bittern_error *err)
{
    if (!session || !layers || count < session->layers) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "bittern_session_profile needs a session and room for each layer "
                                 "of its network");
    }
    memcpy(layers, session->profile, session->layers * sizeof *layers);
    return BITTERN_OK;
}
