/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: each way to lay a network out is tried, and the fastest is kept. */
#include "accelerator/plan.h"

#include <stdlib.h>
#include <string.h>

void plan_free(struct plan *plan)
{
    free(plan->forms);
    free(plan->maps);
    free(plan->layers);
    free(plan->max_lanes);

    free(plan->segments);
    memset(plan, 0, sizeof *plan);
}

static bittern_status plan_allocate(struct plan *plan, struct bittern_error *err)
{
    size_t count = plan->layer_count;

    plan->forms = calloc(count, sizeof *plan->forms);
    plan->maps = calloc(count, sizeof *plan->maps);
    plan->layers = calloc(count, sizeof *plan->layers);
    plan->max_lanes = calloc(count, sizeof *plan->max_lanes);

    if (!plan->forms || !plan->maps || !plan->layers || !plan->max_lanes) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a plan of %zu layers",
                                 count);
    }
    return BITTERN_OK;
}

/* Fill an empty plan; it is to be freed also after an error. */
static bittern_status plan_make(const struct bittern_network *network,
                                const struct geometry *geometry, const struct plan_options *options,
                                struct plan *plan, struct bittern_error *err)
{
    *plan = (struct plan){.network = network,
                          .geometry = *geometry,
                          .layer_count = bittern_network_layer_count(network)};
    bittern_status status = plan_allocate(plan, err);

    for (size_t i = 0; status == BITTERN_OK && i < plan->layer_count; i++) {
        status = layer_form_make(network, i, options->gather, geometry, &plan->forms[i], err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < plan->layer_count; i++) {

        status = device_map_choose(&plan->forms[i], i ? &plan->forms[i - 1] : NULL, geometry,
                                   options->compact, &plan->maps[i], &plan->max_lanes[i], err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < plan->layer_count; i++) {
        const struct device_map *out = i + 1 < plan->layer_count ? &plan->maps[i + 1] : NULL;
        status = device_layer_make(&plan->forms[i], geometry, &plan->maps[i], out, &plan->layers[i],
                                   err);
    }
    return status == BITTERN_OK ? plan_segments(plan, err) : status;
}

bittern_status plan_create(const struct bittern_network *network,
                           const struct bittern_geometry *given, struct plan *plan,
                           struct bittern_error *err)
{
    /* The last one says best why a network does not fit: it takes the least memory. */
    static const struct plan_options ways[] = {
        {.gather = true}, {.gather = true, .compact = true}, {.gather = false}, {.compact = true}};
    struct geometry geometry;
    struct bittern_error why;
    bool found = false;

    memset(plan, 0, sizeof *plan);
    bittern_status status = geometry_derive(given, &geometry, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct plan candidate;
        status = plan_make(network, &geometry, &ways[i], &candidate, &why);
        if (status == BITTERN_OK && (!found || candidate.cycles < plan->cycles)) {
            plan_free(plan);
            *plan = candidate;
            found = true;
        } else {
            plan_free(&candidate);
        }
    }
    return found ? BITTERN_OK : bittern_error_set(err, status, "%s", why.message);
}
