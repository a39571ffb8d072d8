/* SPDX-License-Identifier: Apache-2.0 */
/* What a program's device program will do, layer by layer: read from its descriptors, timed by the
 * cycle model. */
#include "accelerator/cycles.h"
#include "accelerator/device_check.h"
#include "accelerator/plan.h"
#include "program/program_format.h"

#include <stdlib.h>

struct reporter {
    const struct bittern_program *program;
    struct geometry geometry;
    struct device_reader reader;
    struct cycles cycles;
    struct bittern_accelerator_plan *plan;
    size_t images;
};

static void report_layer(struct reporter *r, size_t segment, size_t index, uint32_t images,
                         const struct device_layer *layer)
{
    const struct bittern_network *network = bittern_program_network(r->program);
    struct bittern_layer_plan *p = &r->plan->layers[index];

    p->name = bittern_network_layer(network, index)->name;
    p->segment = segment;
    p->mode = device_layer_mode(layer);
    p->gathered = index == 0 && !device_layer_has_form(layer, network, &r->geometry, false);
    p->lanes = layer->lanes;
    p->tiles = layer->tiles;
    p->groups = device_layer_groups(layer, images);
    p->steps = device_layer_steps(layer);
    p->cycles = cycles_layer(&r->cycles, layer, images, &p->stall_cycles);
    p->ideal_cycles = layer->ideal_cycles;
    p->weight_bytes =
        (uint64_t)layer->tiles * layer->rows_per_tile * r->geometry.oc * r->geometry.bytes;
}

/* What a segment takes for so many images at a time, transfers included. */
static uint64_t time_segment(struct reporter *r, const struct device_segment *segment,
                             const struct device_layer *layers, uint32_t images)
{
    uint64_t load = cycles_of_transfer(images, segment->load_words);
    uint64_t first = 0;

    cycles_reset(&r->cycles);
    for (size_t i = 0; i < segment->layers; i++) {
        (void)cycles_layer(&r->cycles, &layers[i], images, NULL);
        first = i == 0 ? r->cycles.now : first;
    }
    uint64_t time = r->cycles.now > first + load ? r->cycles.now : first + load;
    if (segment->store_words > 0) {
        time += CYCLES_TRANSFER + cycles_of_transfer(images, segment->store_words);
    }
    return time;
}

/* Words of the maps behind the segment's layers, and the most that any two neighbours and the
 * segment's input take together. */
static void measure_maps(struct reporter *r, struct bittern_segment_plan *p,
                         const struct device_segment *segment, const struct device_layer *layers)
{
    const struct bittern_network *network = bittern_program_network(r->program);
    uint64_t more = p->sub_batch - 1;
    uint64_t input = segment->load_words + more * segment->load_pitch;
    uint64_t before = 0;

    for (size_t i = 0; i < p->layer_count; i++) {
        size_t index = p->first_layer + i;
        uint64_t words = 0;
        uint64_t all = 0;
        if (i + 1 < p->layer_count) {
            struct layer_form form;
            struct layer_form producer;
            if (layer_form_make(network, index, false, &r->geometry, &producer, NULL) !=
                    BITTERN_OK ||
                layer_form_make(network, index + 1, false, &r->geometry, &form, NULL) !=
                    BITTERN_OK) {
                continue; /* not for a program that has been checked */
            }
            struct device_map map = device_map_read(&layers[i + 1], &form);
            words = device_map_end(&form, &producer, &r->geometry, &map);
            all = words + more * map.image_pitch;
        } else if (segment->store_words > 0) {
            words = segment->store_words;
            all = words + more * segment->store_pitch;
        }
        r->plan->layers[index].feature_words = (uint32_t)words;
        uint64_t together = input + before + all;
        p->feature_words = together > p->feature_words ? (uint32_t)together : p->feature_words;
        before = all;
    }
}

static bittern_status report_segment(struct reporter *r, size_t index, size_t first_layer,
                                     size_t *layer_count, struct bittern_error *err)
{
    struct bittern_segment_plan *p = &r->plan->segments[index];
    struct device_segment segment;

    device_reader_segment(&r->reader, &segment);
    struct device_layer *layers = calloc(segment.layers, sizeof *layers);
    if (!layers) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a plan");
    }
    uint32_t sub_batch = segment.sub_batch;
    p->first_layer = first_layer;
    p->layer_count = segment.layers;
    p->sub_batch = sub_batch;
    p->input_words = segment.load_words;
    p->output_words = segment.store_words;
    cycles_reset(&r->cycles);
    for (size_t i = 0; i < segment.layers; i++) {
        device_reader_layer(&r->reader, &layers[i]);
        report_layer(r, index, first_layer + i, sub_batch, &layers[i]);
    }
    uint32_t first_images = r->images < sub_batch ? (uint32_t)r->images : sub_batch;
    p->load_cycles =
        cycles_of_first_load(&r->geometry, &layers[0], first_images, segment.load_words);
    p->cycles = time_segment(r, &segment, layers, sub_batch);
    measure_maps(r, p, &segment, layers);
    r->plan->cycles += p->load_cycles + r->images / sub_batch * p->cycles;
    if (r->images % sub_batch != 0) {
        r->plan->cycles += time_segment(r, &segment, layers, (uint32_t)(r->images % sub_batch));
    }
    *layer_count = segment.layers;
    free(layers);
    return BITTERN_OK;
}

bittern_status bittern_accelerator_plan_create(const struct bittern_program *program, size_t images,
                                               struct bittern_accelerator_plan **plan,
                                               struct bittern_error *err)
{
    struct reporter r = {.program = program, .images = images};
    size_t first = 0;

    *plan = NULL;
    if (!program->device || images == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the program is for geometry '%s', which is no accelerator's, or "
                                 "there are no images",
                                 bittern_program_geometry(program)->name);
    }
    bittern_status status = geometry_derive(bittern_program_geometry(program), &r.geometry, err);
    if (status != BITTERN_OK) {
        return status;
    }
    device_reader_start(&r.reader, program->device);
    r.plan = calloc(1, sizeof *r.plan);
    if (!r.plan || !cycles_start(&r.cycles, &r.geometry)) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a plan");
        goto cleanup;
    }
    r.plan->images = images;
    r.plan->cycles = CYCLES_START;
    r.plan->program_bytes = program->device_size;
    r.plan->feature_words_total = r.geometry.feature_words;
    r.plan->layer_count = bittern_network_layer_count(bittern_program_network(program));
    r.plan->segment_count = r.reader.header.segments;
    r.plan->layers = calloc(r.plan->layer_count, sizeof *r.plan->layers);
    r.plan->segments = calloc(r.plan->segment_count, sizeof *r.plan->segments);
    if (!r.plan->layers || !r.plan->segments) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a plan");
        goto cleanup;
    }
    for (size_t s = 0; status == BITTERN_OK && s < r.plan->segment_count; s++) {
        size_t count = 0;
        status = report_segment(&r, s, first, &count, err);
        first += count;
    }
cleanup:
    cycles_end(&r.cycles);
    if (status != BITTERN_OK) {
        bittern_accelerator_plan_free(r.plan);
        return status;
    }
    *plan = r.plan;
    return BITTERN_OK;
}

void bittern_accelerator_plan_free(struct bittern_accelerator_plan *plan)
{
    if (plan) {
        free(plan->layers);
        free(plan->segments);
        free(plan);
    }
}
