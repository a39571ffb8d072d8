/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a device program: header, descriptors, weight streams. Sizes are all known from the
 * plan, so that the memory is allocated once and filled in from front to back.
 */
#include "accelerator/plan.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROGRAM_BYTES UINT32_MAX /* weight_offset has 32 bits */

struct program_writer {
    const struct plan *plan;
    uint8_t *data;
    size_t size;
    uint8_t *descriptor; /* the next one */
    size_t stream;       /* offset of the next segment's weights */
};

static size_t align_up(size_t size, size_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

static size_t layer_stream_bytes(const struct plan *plan, size_t i)
{
    return (size_t)plan->layers[i].tiles * plan->layers[i].rows_per_tile * plan->geometry.oc *
           plan->geometry.bytes;
}

static size_t segment_stream_bytes(const struct plan *plan, const struct plan_segment *segment)
{
    size_t bytes = 0;
    for (size_t i = segment->first; i < segment->first + segment->count; i++) {
        bytes += layer_stream_bytes(plan, i);
    }
    return bytes;
}

static uint32_t map_bytes(const struct plan *plan, size_t map)
{
    return (uint32_t)align_up((size_t)plan->maps[map].words * plan->geometry.bytes,
                              DEVICE_ALIGNMENT);
}

static size_t result_bytes(const struct plan *plan)
{
    const struct device_layer *last = &plan->layers[plan->layer_count - 1];
    return (size_t)last->results_per_image * last->result_stride;
}

/* Scratch memory of an image holds one map between segments at a time: each segment loads an
 * image's map before it stores the one that follows. */
static uint32_t scratch_bytes(const struct plan *plan)
{
    uint32_t most = 0;
    for (size_t s = 1; s < plan->segment_count; s++) {
        uint32_t bytes = map_bytes(plan, plan->segments[s].first);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void write_header(struct program_writer *w, const struct bittern_geometry *geometry)
{
    const struct plan *plan = w->plan;
    struct device_header header = {
        .magic = DEVICE_MAGIC,
        .version = DEVICE_VERSION,
        .word = plan->geometry.word,
        .oc = plan->geometry.oc,
        .px = plan->geometry.px,
        .units = plan->geometry.units,
        .feature_bytes = geometry->feature_bytes,
        .weight_bytes = geometry->weight_bytes,
        .segments = (uint32_t)plan->segment_count,
        .descriptors = (uint32_t)(plan->segment_count + plan->layer_count),
        .input_bytes = map_bytes(plan, 0),
        .scratch_bytes = scratch_bytes(plan),
        .output_bytes = (uint32_t)result_bytes(plan),
    };
    (void)device_header_write(&header, w->data); /* all fields have 32 bits */
}

static void set_transfers(const struct plan *plan, size_t s, struct device_segment *record)
{
    const struct plan_segment *segment = &plan->segments[s];
    const struct device_map *in = &plan->maps[segment->first];
    size_t end = segment->first + segment->count;

    record->load_source = s ? DEVICE_LOAD_SCRATCH : DEVICE_LOAD_INPUT;
    record->load_stride = s ? scratch_bytes(plan) : map_bytes(plan, 0);
    record->load_words = in->words;
    record->load_base = 0;
    record->load_pitch = in->image_pitch;
    if (end < plan->layer_count) {
        record->store_words = plan->maps[end].words;
        record->store_base = plan->layers[end - 1].out_base;
        record->store_pitch = plan->maps[end].image_pitch;
        record->store_stride = scratch_bytes(plan);
    }
}

static bittern_status write_segment(struct program_writer *w, size_t s, struct bittern_error *err)
{
    const struct plan *plan = w->plan;
    const struct plan_segment *segment = &plan->segments[s];
    size_t bytes = segment_stream_bytes(plan, segment);
    struct device_segment record = {
        .type = DEVICE_TYPE_SEGMENT,
        .layers = (uint32_t)segment->count,
        .sub_batch = segment->sub_batch,
        .weight_offset = (uint32_t)w->stream,
        .weight_beats = (uint32_t)(bytes / plan->geometry.bytes),
    };
    uint8_t *stream = w->data + w->stream;
    uint8_t *place = w->descriptor;

    w->descriptor += DEVICE_RECORD_BYTES;
    for (size_t i = segment->first; i < segment->first + segment->count; i++) {
        bittern_status status =
            weights_write(&plan->forms[i], &plan->geometry, &plan->layers[i], stream, err);
        if (status != BITTERN_OK) {
            return status;
        }
        stream += layer_stream_bytes(plan, i);
        (void)device_layer_write(&plan->layers[i], w->descriptor); /* checked when it was made */
        w->descriptor += DEVICE_RECORD_BYTES;
    }
    record.weight_sum = device_sum(w->data + w->stream, bytes);
    set_transfers(plan, s, &record);
    (void)device_segment_write(&record, place);
    w->stream = align_up(w->stream + bytes, DEVICE_STREAM_ALIGNMENT);
    return BITTERN_OK;
}

static bittern_status allocate(struct program_writer *w, struct bittern_error *err)
{
    const struct plan *plan = w->plan;
    size_t records = 1 + plan->segment_count + plan->layer_count;

    w->stream = align_up(records * DEVICE_RECORD_BYTES, DEVICE_STREAM_ALIGNMENT);
    w->size = w->stream;
    for (size_t s = 0; s < plan->segment_count; s++) {
        w->size +=
            align_up(segment_stream_bytes(plan, &plan->segments[s]), DEVICE_STREAM_ALIGNMENT);
    }
    if (w->size > MAX_PROGRAM_BYTES || result_bytes(plan) > UINT32_MAX) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "a device program of %zu bytes, or its %zu bytes of output an "
                                 "image, are beyond 32 bits",
                                 w->size, result_bytes(plan));
    }
    w->data = calloc(1, w->size);
    if (!w->data) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "no memory for a device program of %zu bytes", w->size);
    }
    return BITTERN_OK;
}

bittern_status device_program_create(const struct bittern_network *network,
                                     const struct bittern_geometry *geometry, uint8_t **data,
                                     size_t *size, struct bittern_error *err)
{
    struct plan plan;
    struct program_writer w = {.plan = &plan};

    bittern_status status = plan_create(network, geometry, &plan, err);
    if (status == BITTERN_OK) {
        status = allocate(&w, err);
    }
    if (status == BITTERN_OK) {
        write_header(&w, geometry);
        w.descriptor = w.data + DEVICE_RECORD_BYTES;
    }
    for (size_t s = 0; status == BITTERN_OK && s < plan.segment_count; s++) {
        status = write_segment(&w, s, err);
    }
    plan_free(&plan);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "geometry '%s'", geometry->name);
        free(w.data);
        return status;
    }
    *data = w.data;
    *size = w.size;
    return BITTERN_OK;
}
