/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layers run together, and on how many images.
 *
 * A longer run of layers saves the way through scratch memory; more images make the weights serve
 * longer and fill the lanes where maps are small; both take feature memory. All runs and numbers of
 * images are weighed by the cycle model, and the cheapest chain of segments is found by dynamic
 * programming: best(j) = min over i < j of best(i) + cost(layers i..j-1).
 *
 * Memory of a segment: its input at the bottom, for the next sub-batch is loaded there while layers
 * run; the other maps take turns right above it and at the top. So two neighbours and the input
 * must fit together.
 */
#include "accelerator/cycles.h"
#include "accelerator/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHOICES 64
#define MANY_LAYERS 64 /* above this, fewer sub-batches are tried */

struct chooser {
    const struct plan *plan;
    struct cycles cycles;
    size_t choice_count;
    uint32_t choices[MAX_CHOICES]; /* sub-batches, ascending */
    struct device_layer *layers;   /* [layer][choice]: with the best number of lanes */
    uint64_t *times;               /* [layer][choice]: of a run that ends with this layer */
    struct {
        uint64_t cycles;
        size_t first; /* layer of the last segment */
        uint32_t sub_batch;
    } * best; /* [layer_count + 1] */
};

static uint64_t map_words(const struct plan *plan, size_t map, uint32_t images)
{
    if (map == plan->layer_count) {
        return 0;
    }
    return (uint64_t)(images - 1) * plan->maps[map].image_pitch + plan->maps[map].words;
}

/* Words that layer i needs in a segment that starts with layer `first`. */
static uint64_t needed_words(const struct plan *plan, size_t first, size_t i, uint32_t images)
{
    uint64_t words = map_words(plan, i, images) + map_words(plan, i + 1, images);
    return i > first ? words + map_words(plan, first, images) : words;
}

/* Fewer lanes drain faster, where the images do not fill them all. */
static void choose_lanes(const struct plan *plan, size_t i, uint32_t images,
                         struct device_layer *layer)
{
    uint64_t best = UINT64_MAX;
    uint32_t best_lanes = 1;

    for (uint32_t lanes = plan->max_lanes[i]; lanes >= 1; lanes /= 2) {
        device_layer_set_lanes(layer, lanes);
        layer->pair = device_layer_can_pair(layer);
        uint64_t cycles = cycles_of_tile(&plan->geometry, layer, images);
        if (cycles < best) {
            best = cycles;
            best_lanes = lanes;
        }
    }
    device_layer_set_lanes(layer, best_lanes);
    layer->pair = device_layer_can_pair(layer);
}

static bittern_status start_chooser(struct chooser *c, const struct plan *plan,
                                    struct bittern_error *err)
{
    static const uint32_t few[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

    memset(c, 0, sizeof *c);
    c->plan = plan;
    c->choice_count = plan->layer_count > MANY_LAYERS ? sizeof few / sizeof few[0] : MAX_CHOICES;
    for (size_t k = 0; k < c->choice_count; k++) {
        c->choices[k] = plan->layer_count > MANY_LAYERS ? few[k] : (uint32_t)k + 1;
    }
    c->layers = calloc(plan->layer_count * c->choice_count, sizeof *c->layers);
    c->times = calloc(plan->layer_count * c->choice_count, sizeof *c->times);
    c->best = calloc(plan->layer_count + 1, sizeof *c->best);
    if (!c->layers || !c->times || !c->best || !cycles_start(&c->cycles, &plan->geometry)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a plan of %zu layers",
                                 plan->layer_count);
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        for (size_t k = 0; k < c->choice_count; k++) {
            struct device_layer *layer = &c->layers[i * c->choice_count + k];
            *layer = plan->layers[i];
            choose_lanes(plan, i, c->choices[k], layer);
        }
        c->best[i + 1].cycles = UINT64_MAX;
    }
    return BITTERN_OK;
}

static void end_chooser(struct chooser *c)
{
    cycles_end(&c->cycles);
    free(c->layers);
    free(c->times);
    free(c->best);
}

/* Times of all runs of so many images that start with layer `first`; 0 from the layer on that does
 * not fit. */
static void time_runs(struct chooser *c, size_t first, size_t k)
{
    const struct plan *plan = c->plan;
    uint32_t images = c->choices[k];
    uint64_t load = cycles_of_transfer(images, plan->maps[first].words);
    uint64_t first_end = 0;
    size_t i = first;

    cycles_reset(&c->cycles);
    for (; i < plan->layer_count; i++) {
        if (needed_words(plan, first, i, images) > plan->geometry.feature_words) {
            break;
        }
        (void)cycles_layer(&c->cycles, &c->layers[i * c->choice_count + k], images, NULL);
        if (i == first) {
            first_end = c->cycles.now;
        }
        /* The next input is loaded while the layers behind the first one run, or afterwards. */
        uint64_t time = c->cycles.now;
        time = time > first_end + load ? time : first_end + load;
        if (i + 1 < plan->layer_count) {
            c->times[i * c->choice_count + k] =
                time + CYCLES_TRANSFER + cycles_of_transfer(images, plan->maps[i + 1].words);
        } else {
            c->times[i * c->choice_count + k] = time;
        }
    }
    for (; i < plan->layer_count; i++) {
        c->times[i * c->choice_count + k] = 0;
    }
}

/* All PLAN_IMAGES images through a run that ends with layer i: full sub-batches, then the rest. */
static uint64_t start_cycles(const struct chooser *c, size_t i, size_t k)
{
    uint32_t images = c->choices[k];
    uint32_t rest = PLAN_IMAGES % images;
    uint64_t cycles = PLAN_IMAGES / images * c->times[i * c->choice_count + k];

    for (size_t r = 0; rest > 0 && r <= k; r++) {
        if (c->choices[r] >= rest) {
            return cycles + c->times[i * c->choice_count + r];
        }
    }
    return cycles;
}

static void extend_best(struct chooser *c, size_t first)
{
    for (size_t k = 0; k < c->choice_count; k++) {
        time_runs(c, first, k);
    }
    for (size_t i = first; i < c->plan->layer_count; i++) {
        for (size_t k = 0; k < c->choice_count; k++) {
            if (c->times[i * c->choice_count + k] == 0) {
                break; /* more images do not fit, either */
            }
            uint64_t load =
                cycles_of_first_load(&c->plan->geometry, &c->layers[first * c->choice_count + k],
                                     c->choices[k], c->plan->maps[first].words);
            uint64_t cycles = c->best[first].cycles + load + start_cycles(c, i, k);
            if (cycles < c->best[i + 1].cycles) {
                c->best[i + 1].cycles = cycles;
                c->best[i + 1].first = first;
                c->best[i + 1].sub_batch = c->choices[k];
            }
        }
    }
}

/* The segments that lead to the best end, in their order. */
static bittern_status take_segments(const struct chooser *c, struct plan *plan,
                                    struct bittern_error *err)
{
    size_t count = 0;

    for (size_t end = plan->layer_count; end > 0; end = c->best[end].first) {
        count++;
    }
    plan->segments = calloc(count + 1, sizeof *plan->segments);
    if (!plan->segments) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu segments", count);
    }
    plan->segment_count = count;
    for (size_t end = plan->layer_count; end > 0; end = c->best[end].first) {
        size_t first = c->best[end].first;
        plan->segments[--count] = (struct plan_segment){first, end - first, c->best[end].sub_batch};
    }
    plan->cycles = c->best[plan->layer_count].cycles;
    return BITTERN_OK;
}

static uint32_t input_base(const struct device_layer *layer, uint32_t base)
{
    uint32_t shift = layer->in_phase ? 1 : 0;
    return base - (layer->pad_top >> shift) * layer->in_row_pitch - (layer->pad_left >> shift);
}

/* Lanes and addresses of the layers of one segment. */
static void place_segment(struct plan *plan, const struct plan_segment *segment)
{
    uint32_t input_words = (uint32_t)map_words(plan, segment->first, segment->sub_batch);
    uint32_t base = 0;

    for (size_t i = segment->first; i < segment->first + segment->count; i++) {
        struct device_layer *layer = &plan->layers[i];
        choose_lanes(plan, i, segment->sub_batch, layer);
        layer->in_base = input_base(layer, base);
        layer->wait_input = layer->free_input = i == segment->first;
        if (i + 1 < plan->layer_count) {
            bool bottom = (i - segment->first) % 2 == 0;
            base = bottom ? input_words
                          : plan->geometry.feature_words -
                                (uint32_t)map_words(plan, i + 1, segment->sub_batch);
            layer->out_base = base;
        }
    }
}

/* Name the first layer that does not fit even alone and with one image. */
static bittern_status refuse(const struct plan *plan, struct bittern_error *err)
{
    for (size_t i = 0; i < plan->layer_count; i++) {
        uint64_t words = needed_words(plan, i, i, 1);
        if (words > plan->geometry.feature_words) {
            return plan_fail(
                &plan->forms[i], err, BITTERN_ERR_RANGE,
                "its input takes %" PRIu64 " words of feature memory and its output %" PRIu64
                ", together more "
                "than the %u that this geometry has, and both must be there at once: compile for a "
                "larger geometry, or make the layer's maps smaller",
                map_words(plan, i, 1), map_words(plan, i + 1, 1), plan->geometry.feature_words);
        }
    }
    return bittern_error_set(err, BITTERN_ERR_RANGE, "the network does not fit the geometry");
}

bittern_status plan_segments(struct plan *plan, struct bittern_error *err)
{
    struct chooser chooser;
    bittern_status status = start_chooser(&chooser, plan, err);

    if (status != BITTERN_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        if (chooser.best[i].cycles != UINT64_MAX) {
            extend_best(&chooser, i);
        }
    }
    if (chooser.best[plan->layer_count].cycles == UINT64_MAX) {
        status = refuse(plan, err);
        goto cleanup;
    }
    status = take_segments(&chooser, plan, err);
    for (size_t s = 0; status == BITTERN_OK && s < plan->segment_count; s++) {
        place_segment(plan, &plan->segments[s]);
    }
cleanup:
    end_chooser(&chooser);
    return status;
}
