/* SPDX-License-Identifier: Apache-2.0 */
/* What each layer's weights became: the rows of the tables that a run prints at its end. */
#include "deploy/deploy.h"

#include <stdlib.h>
#include <string.h>

static bool has_weights(const struct layer_info *layer)
{
    return layer->kind == LAYER_CONV || layer->kind == LAYER_FC;
}

/* Layers with weights, and the bytes of their names. */
static bittern_status measure(const struct graph *graph, size_t *count, size_t *name_bytes,
                              struct bittern_error *err)
{
    struct layer_info layer;

    *count = 0;
    *name_bytes = 0;
    for (size_t i = 0; i < graph_layer_count(graph); i++) {
        graph_layer(graph, i, &layer);
        if (!has_weights(&layer)) {
            continue;
        }
        if (!layer.finished) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                     "layer '%s' has no final weights: call graph_finish_weights "
                                     "before asking what they are",
                                     layer.name);
        }
        *count += 1;
        *name_bytes += strlen(layer.name) + 1;
    }
    return BITTERN_OK;
}

bittern_status deploy_layers(const struct graph *graph, struct deploy_layer **layers, size_t *count,
                             double *compression, struct bittern_error *err)
{
    struct layer_info info;
    size_t name_bytes;
    double full_bits = 0;
    double bits = 0;

    *layers = NULL;
    *compression = 1;
    bittern_status status = measure(graph, count, &name_bytes, err);
    if (status != BITTERN_OK || *count == 0) {
        return status;
    }
    struct deploy_layer *made = malloc(*count * sizeof *made + name_bytes);
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for %zu layers", *count);
    }
    char *name = (char *)(made + *count);
    for (size_t i = 0, n = 0; i < graph_layer_count(graph); i++) {
        graph_layer(graph, i, &info);
        if (!has_weights(&info)) {
            continue;
        }
        struct deploy_layer *layer = &made[n++];
        *layer = (struct deploy_layer){
            .name = name,
            .weights = (uint64_t)info.method->filters * info.method->size,
            .bits = info.result.bits,
            .depth = info.result.depth,
            .zeros = info.result.zeros,
            .compression = 32.0 / info.result.bits,
        };
        size_t length = strlen(info.name) + 1;
        memcpy(name, info.name, length);
        name += length;
        full_bits += 32.0 * (double)layer->weights;
        bits += (double)layer->bits * (double)layer->weights;
    }
    *layers = made;
    *compression = full_bits / bits;
    return BITTERN_OK;
}
