/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a device program that was read. Each descriptor must say what the compiler would say of
 * this layer for the map that it names: the descriptor is made once more from the network and the
 * map's pitches, and compared. So what is accepted computes the network's layers with its own
 * weights, transfers stay within bounds, and the host knows how to pack images.
 */
#include "accelerator/device_check.h"

#include "accelerator/plan.h"

#include <inttypes.h>
#include <string.h>

struct checker {
    const uint8_t *data;
    size_t size;
    const struct bittern_geometry *given;
    struct geometry geometry;
    const struct bittern_network *network;
    struct device_header header;
    struct bittern_error *err;
};

void device_reader_start(struct device_reader *reader, const uint8_t *data)
{
    reader->data = data;
    reader->next = DEVICE_RECORD_BYTES;
    (void)device_header_read(data, &reader->header);
}

void device_reader_segment(struct device_reader *reader, struct device_segment *segment)
{
    (void)device_segment_read(reader->data + reader->next, segment);
    reader->next += DEVICE_RECORD_BYTES;
}

void device_reader_layer(struct device_reader *reader, struct device_layer *layer)
{
    (void)device_layer_read(reader->data + reader->next, layer);
    reader->next += DEVICE_RECORD_BYTES;
}

static bittern_status fail(const struct checker *c, bittern_status status, const char *what)
{
    return bittern_error_set(c->err, status, "section DEVICE: %s; compile the model again", what);
}

static bittern_status check_header(struct checker *c)
{
    const struct bittern_geometry *g = c->given;
    struct device_header *h = &c->header;

    if (c->size < DEVICE_RECORD_BYTES || c->size % DEVICE_STREAM_ALIGNMENT != 0 ||
        c->size > UINT32_MAX) {
        return fail(c, BITTERN_ERR_FORMAT, "its length is impossible");
    }
    bool whole = device_header_read(c->data, h);
    if (h->magic != DEVICE_MAGIC) {
        return fail(c, BITTERN_ERR_FORMAT, "it does not start as a device program");
    }
    if (h->version != DEVICE_VERSION) {
        return fail(c, BITTERN_ERR_UNSUPPORTED, "it is of a version that this Bittern cannot read");
    }
    if (!whole) {
        return fail(c, BITTERN_ERR_CHECKSUM, "its header's check sum is wrong");
    }
    if (h->word != g->word_bits || h->oc != g->output_channels || h->px != g->pixels ||
        h->units != g->units || h->feature_bytes != g->feature_bytes ||
        h->weight_bytes != g->weight_bytes) {
        return fail(c, BITTERN_ERR_MISMATCH, "it is for another geometry than the file says");
    }
    size_t layers = bittern_network_layer_count(c->network);
    if (h->segments == 0 || h->segments > layers || h->descriptors != h->segments + layers ||
        (size_t)(1 + h->descriptors) * DEVICE_RECORD_BYTES > c->size) {
        return fail(c, BITTERN_ERR_FORMAT, "its descriptors are too few or too many");
    }
    return BITTERN_OK;
}

static bool all_zero(const uint8_t *bytes, size_t first, size_t end)
{
    uint8_t any = 0;
    for (size_t i = first; i < end; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* Words an image from one place in the feature memory to the next, `images` times. */
static bool fits_memory(const struct checker *c, uint64_t base, uint64_t pitch, uint64_t words,
                        uint64_t images)
{
    return words > 0 && pitch >= words &&
           base + (images - 1) * pitch + words <= c->geometry.feature_words;
}

/* So many words of an image at an offset, within what an image has of the region. */
static bool fits_region(const struct checker *c, uint64_t offset, uint64_t stride, uint64_t words,
                        uint64_t region)
{
    return offset % DEVICE_ALIGNMENT == 0 && stride == region && stride % DEVICE_ALIGNMENT == 0 &&
           offset + words * c->geometry.bytes <= region;
}

static bittern_status check_segment(const struct checker *c, const struct device_segment *s,
                                    bool first, bool last, size_t stream)
{
    uint64_t bytes = (uint64_t)s->weight_beats * c->geometry.bytes;

    if (s->type != DEVICE_TYPE_SEGMENT || s->layers == 0 || s->sub_batch == 0 ||
        s->sub_batch > DEVICE_MAX_SUB_BATCH) {
        return fail(c, BITTERN_ERR_FORMAT, "a segment is impossible");
    }
    if (s->weight_offset != stream || stream > c->size || bytes > c->size - stream) {
        return fail(c, BITTERN_ERR_FORMAT, "a weight stream does not lie in its place");
    }
    if (device_sum(c->data + stream, (size_t)bytes) != s->weight_sum) {
        return fail(c, BITTERN_ERR_CHECKSUM, "a weight stream's check sum is wrong");
    }
    uint32_t region = first ? c->header.input_bytes : c->header.scratch_bytes;
    if (s->load_source != (first ? DEVICE_LOAD_INPUT : DEVICE_LOAD_SCRATCH) ||
        !fits_memory(c, s->load_base, s->load_pitch, s->load_words, s->sub_batch) ||
        !fits_region(c, s->load_offset, s->load_stride, s->load_words, region) ||
        (last ? s->store_words != 0
              : !fits_memory(c, s->store_base, s->store_pitch, s->store_words, s->sub_batch) ||
                    !fits_region(c, s->store_offset, s->store_stride, s->store_words,
                                 c->header.scratch_bytes))) {
        return fail(c, BITTERN_ERR_RANGE, "a segment's transfers are out of bounds");
    }
    return BITTERN_OK;
}

/* Is `layer` what the compiler makes of the form? Addresses and lanes, which it chooses, are taken
 * from it; so are its ideal cycles, which nothing depends on. */
static bool is_layer_of(const struct device_layer *layer, const struct layer_form *form,
                        const struct geometry *geometry, const struct device_map *out)
{
    struct device_layer expected;
    struct device_map in = device_map_read(layer, form);
    uint8_t bytes[2][DEVICE_RECORD_BYTES];

    if ((in.phase && (form->stride_x != 2 || form->stride_y != 2)) || (in.dup && form->depthwise) ||
        device_layer_make(form, geometry, &in, out, &expected, NULL) != BITTERN_OK) {
        return false;
    }
    if (layer->lanes == 0 || layer->lanes > geometry->px ||
        (layer->lanes & (layer->lanes - 1)) != 0) {
        return false;
    }
    device_layer_set_lanes(&expected, layer->lanes);
    expected.in_base = layer->in_base;
    expected.out_base = layer->out_base;
    expected.wait_input = layer->wait_input;
    expected.free_input = layer->free_input;
    expected.ideal_cycles = layer->ideal_cycles;
    expected.pair = device_layer_can_pair(&expected) && layer->pair;
    return !device_layer_write(&expected, bytes[0]) && !device_layer_write(layer, bytes[1]) &&
           memcmp(bytes[0], bytes[1], sizeof bytes[0]) == 0;
}

/* A first layer's form is one of two; others have one. */
static bool find_form(const struct checker *c, size_t index, const struct device_layer *layer,
                      const struct device_map *out, struct layer_form *form)
{
    for (int gathered = 0; gathered <= (index == 0); gathered++) {
        if (layer_form_make(c->network, index, gathered != 0, &c->geometry, form, NULL) ==
                BITTERN_OK &&
            is_layer_of(layer, form, &c->geometry, out)) {
            return true;
        }
    }
    return false;
}

static bittern_status fail_layer(const struct checker *c, size_t index)
{
    return bittern_error_set(c->err, BITTERN_ERR_FORMAT,
                             "section DEVICE: the descriptor of layer %zu '%.200s' is damaged, or "
                             "is not this network's; compile the model again",
                             index, bittern_network_layer(c->network, index)->name);
}

/* The map behind layer `index` is what the next layer, whose descriptor is at `next`, reads. */
static bool next_map(const struct checker *c, size_t index, size_t next, struct device_map *map)
{
    struct device_layer layer;
    struct layer_form form;
    struct device_segment segment;

    /* A segment's descriptor may stand in between. */
    if (!device_layer_read(c->data + next, &layer) || layer.type != DEVICE_TYPE_LAYER) {
        if (!device_segment_read(c->data + next, &segment) || segment.type != DEVICE_TYPE_SEGMENT ||
            next + 2 * DEVICE_RECORD_BYTES >
                (size_t)(1 + c->header.descriptors) * DEVICE_RECORD_BYTES ||
            !device_layer_read(c->data + next + DEVICE_RECORD_BYTES, &layer)) {
            return false;
        }
    }
    if (layer_form_make(c->network, index + 1, false, &c->geometry, &form, NULL) != BITTERN_OK) {
        return false;
    }
    *map = device_map_read(&layer, &form);
    return true;
}

static bittern_status check_layers(const struct checker *c, const struct device_segment *s,
                                   size_t first, size_t *next)
{
    size_t layers = bittern_network_layer_count(c->network);
    uint64_t beats = 0;

    for (size_t i = first; i < first + s->layers; i++) {
        struct device_layer layer;
        struct layer_form form;
        struct device_map out;
        if (i >= layers || !device_layer_read(c->data + *next, &layer)) {
            return fail(c, BITTERN_ERR_CHECKSUM, "a layer's check sum is wrong");
        }
        *next += DEVICE_RECORD_BYTES;
        if ((i + 1 < layers && !next_map(c, i, *next, &out)) ||
            !find_form(c, i, &layer, i + 1 < layers ? &out : NULL, &form) ||
            layer.wait_input != (i == first) || layer.free_input != (i == first)) {
            return fail_layer(c, i);
        }
        beats += (uint64_t)layer.tiles * layer.rows_per_tile * c->geometry.oc;
    }
    if (beats != s->weight_beats) {
        return fail(c, BITTERN_ERR_FORMAT, "a weight stream is not as long as its layers need");
    }
    return BITTERN_OK;
}

static bittern_status check_segments(const struct checker *c)
{
    size_t layers = bittern_network_layer_count(c->network);
    size_t records = (size_t)(1 + c->header.descriptors) * DEVICE_RECORD_BYTES;
    size_t next = DEVICE_RECORD_BYTES;
    size_t layer = 0;
    size_t end = records;

    for (size_t i = 0; i < c->header.segments; i++) {
        struct device_segment s;
        size_t stream =
            (end + DEVICE_STREAM_ALIGNMENT - 1) / DEVICE_STREAM_ALIGNMENT * DEVICE_STREAM_ALIGNMENT;
        if (next + DEVICE_RECORD_BYTES > records || !device_segment_read(c->data + next, &s)) {
            return fail(c, BITTERN_ERR_CHECKSUM, "a segment's check sum is wrong");
        }
        next += DEVICE_RECORD_BYTES;
        bittern_status status = check_segment(c, &s, i == 0, i + 1 == c->header.segments, stream);
        if (status == BITTERN_OK && (s.layers > layers - layer ||
                                     next + (size_t)s.layers * DEVICE_RECORD_BYTES > records)) {
            status = fail(c, BITTERN_ERR_FORMAT, "a segment has more layers than the network");
        }
        if (status == BITTERN_OK && !all_zero(c->data, end, stream)) {
            status = fail(c, BITTERN_ERR_FORMAT, "bytes in front of a weight stream are not 0");
        }
        if (status == BITTERN_OK) {
            status = check_layers(c, &s, layer, &next);
        }
        if (status != BITTERN_OK) {
            return status;
        }
        layer += s.layers;
        end = stream + (size_t)s.weight_beats * c->geometry.bytes;
    }
    if (layer != layers || c->size - end >= DEVICE_STREAM_ALIGNMENT ||
        !all_zero(c->data, end, c->size)) {
        return fail(c, BITTERN_ERR_FORMAT, "it ends too early or too late");
    }
    return BITTERN_OK;
}

/* The regions that the driver allocates. */
static bittern_status check_regions(const struct checker *c)
{
    struct device_reader reader;
    struct device_segment segment;
    struct device_layer first;
    size_t last = bittern_network_layer_count(c->network) - 1;
    const struct bittern_shape *output = &bittern_network_layer(c->network, last)->output;
    uint64_t tiles = (output->channels + c->geometry.oc - 1) / c->geometry.oc;
    uint64_t bytes = output->height * output->width * tiles * c->geometry.oc * 4;

    if (c->header.output_bytes != bytes) {
        return fail(c, BITTERN_ERR_FORMAT, "its output is not the network's");
    }
    device_reader_start(&reader, c->data);
    device_reader_segment(&reader, &segment);
    device_reader_layer(&reader, &first);
    struct layer_form form;
    bool gathered = !device_layer_has_form(&first, c->network, &c->geometry, false);
    if (layer_form_make(c->network, 0, gathered, &c->geometry, &form, NULL) != BITTERN_OK) {
        return fail(c, BITTERN_ERR_FORMAT, "its input has no known layout");
    }
    struct device_map map = device_map_read(&first, &form);
    if (device_map_end(&form, NULL, &c->geometry, &map) > segment.load_words) {
        return fail(c, BITTERN_ERR_RANGE, "its input is larger than what is loaded");
    }
    return BITTERN_OK;
}

bool device_layer_has_form(const struct device_layer *layer, const struct bittern_network *network,
                           const struct geometry *geometry, bool gathered)
{
    struct layer_form form;
    return layer_form_make(network, 0, gathered, geometry, &form, NULL) == BITTERN_OK &&
           layer->kernel_h == form.kernel_h && layer->kernel_w == form.kernel_w &&
           layer->in_height == form.in_height && layer->in_width == form.in_width &&
           layer->stride_y == form.stride_y && layer->stride_x == form.stride_x &&
           layer->pad_top == form.pad_top && layer->pad_left == form.pad_left &&
           layer->atoms == layer_form_steps(&form, geometry, layer->dup).radix;
}

bittern_status device_program_check(const uint8_t *data, size_t size,
                                    const struct bittern_geometry *geometry,
                                    const struct bittern_network *network,
                                    struct bittern_error *err)
{
    struct checker c = {
        .data = data, .size = size, .given = geometry, .network = network, .err = err};

    bittern_status status = geometry_derive(geometry, &c.geometry, err);
    if (status == BITTERN_OK) {
        status = check_header(&c);
    }
    if (status == BITTERN_OK) {
        status = check_segments(&c);
    }
    return status == BITTERN_OK ? check_regions(&c) : status;
}
