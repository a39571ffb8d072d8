/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integer network as a thing that is built, looked at and freed.
 *
 * All memory of a network hangs on one list of blocks, so that whoever builds one (the compiler,
 * the program reader, a test) may stop half way and free it. What its numbers mean and which ranges
 * follow from its weights stands in network_range.c, whether it is valid in network_validate.c.
 */
#include "base/checked.h"
#include "network/network_build.h"

#include <stdlib.h>
#include <string.h>

/* Weight words start on a cache line, whatever calloc returns. */
#define BLOCK_ALIGNMENT 64

struct network_block {
    struct network_block *next;
};

bittern_status network_create(const char *name, size_t layer_count,
                              struct bittern_network **network, struct bittern_error *err)
{
    *network = NULL;
    if (layer_count == 0 || layer_count > NETWORK_MAX_LAYERS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "network '%s' has %zu layers; 1 to %d are possible", name,
                                 layer_count, NETWORK_MAX_LAYERS);
    }
    struct bittern_network *n = calloc(1, sizeof *n);
    if (!n) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for network '%s'", name);
    }
    n->top_k = 1;
    n->layer_count = layer_count;
    n->layers = network_allocate(n, layer_count, sizeof *n->layers, err);
    n->name = network_copy_string(n, name, err);
    if (!n->layers || !n->name) {
        bittern_network_free(n);
        return BITTERN_ERR_MEMORY;
    }
    *network = n;
    return BITTERN_OK;
}

void *network_allocate(struct bittern_network *network, size_t count, size_t size,
                       struct bittern_error *err)
{
    size_t bytes;
    struct network_block *block = NULL;

    if (checked_mul_size(count, size, &bytes) &&
        checked_add_size(bytes, sizeof *block + BLOCK_ALIGNMENT, &bytes)) {
        block = calloc(1, bytes);
    }
    if (!block) {
        (void)bittern_error_set(err, BITTERN_ERR_MEMORY,
                                "no memory for %zu items of %zu bytes of a network", count, size);
        return NULL;
    }
    block->next = network->blocks;
    network->blocks = block;
    char *start = (char *)(block + 1);
    return start + (BLOCK_ALIGNMENT - (uintptr_t)start % BLOCK_ALIGNMENT) % BLOCK_ALIGNMENT;
}

char *network_copy_string(struct bittern_network *network, const char *text,
                          struct bittern_error *err)
{
    size_t size = strlen(text) + 1;
    char *copy = network_allocate(network, size, 1, err);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

void bittern_network_free(struct bittern_network *network)
{
    if (!network) {
        return;
    }
    while (network->blocks) {
        struct network_block *next = network->blocks->next;
        free(network->blocks);
        network->blocks = next;
    }
    free(network);
}

const char *bittern_network_name(const struct bittern_network *network)
{
    return network->name;
}

const struct bittern_input *bittern_network_input(const struct bittern_network *network)
{
    return &network->input;
}

size_t bittern_network_layer_count(const struct bittern_network *network)
{
    return network->layer_count;
}

const struct bittern_layer *bittern_network_layer(const struct bittern_network *network,
                                                  size_t index)
{
    return index < network->layer_count ? &network->layers[index] : NULL;
}

size_t bittern_network_output_count(const struct bittern_network *network)
{
    const struct bittern_shape *shape = &network->layers[network->layer_count - 1].output;
    return shape->channels * shape->height * shape->width;
}

size_t bittern_network_top_k(const struct bittern_network *network)
{
    return network->top_k;
}

size_t bittern_network_classify(const struct bittern_network *network, const int32_t *values)
{
    const struct bittern_layer *last = &network->layers[network->layer_count - 1];
    size_t positions = last->output.height * last->output.width;
    size_t count = last->output.channels * positions;
    size_t best = 0;
    double best_score = 0.0;

    for (size_t i = 0; i < count; i++) {
        size_t channel = i / positions;
        double score = last->scale[channel] * values[i] + last->bias[channel];
        if (i == 0 || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

static int32_t plane_value(const struct bittern_plane *plane, size_t word, unsigned bit)
{
    if (plane->plus[word] >> bit & 1) {
        return plane->multiplier;
    }
    if (!plane->minus || (plane->minus[word] >> bit & 1)) {
        return -plane->multiplier;
    }
    return 0;
}

int32_t bittern_layer_weight(const struct bittern_layer *layer, size_t output_channel, size_t row,
                             size_t column, size_t input_channel)
{
    size_t word;
    unsigned bit = (unsigned)(input_channel % 64);
    size_t words_per_tap = (layer->input.channels + 63) / 64;

    switch (layer->op) {
    case BITTERN_LAYER_SUM:
        return output_channel == input_channel;
    case BITTERN_LAYER_CONV:
        word = (row * layer->window.kernel_w + column) * words_per_tap + input_channel / 64;
        break;
    case BITTERN_LAYER_FC:
    default: {
        size_t input = (row * layer->input.width + column) * layer->input.channels + input_channel;
        word = input / 64;
        bit = (unsigned)(input % 64);
        break;
    }
    }
    word += output_channel * layer->weights.words_per_output;
    int32_t sum = 0;
    for (size_t p = 0; p < layer->weights.plane_count; p++) {
        sum += plane_value(&layer->weights.planes[p], word, bit);
    }
    return sum;
}

uint64_t bittern_layer_macs(const struct bittern_layer *layer)
{
    if (layer->op == BITTERN_LAYER_SUM) {
        return 0;
    }
    return (uint64_t)layer->conv.channels * layer->conv.height * layer->conv.width *
           network_fan_in(layer);
}

uint64_t bittern_layer_weight_count(const struct bittern_layer *layer)
{
    if (layer->op == BITTERN_LAYER_SUM) {
        return 0;
    }
    return (uint64_t)layer->conv.channels * network_fan_in(layer);
}

uint64_t bittern_layer_weight_bytes(const struct bittern_layer *layer)
{
    return (bittern_layer_weight_count(layer) * layer->weights.bits + 7) / 8;
}

double bittern_network_compression(const struct bittern_network *network)
{
    uint64_t full_bits = 0;
    uint64_t packed_bits = 0;

    for (size_t i = 0; i < network->layer_count; i++) {
        const struct bittern_layer *layer = &network->layers[i];
        uint64_t count = bittern_layer_weight_count(layer);
        full_bits += count * 32;
        packed_bits += count * layer->weights.bits;
    }
    /* A network without weights has nothing to compress. */
    return packed_bits > 0 ? (double)full_bits / (double)packed_bits : 1.0;
}

const char *bittern_weight_kind_name(enum bittern_weight_kind kind)
{
    switch (kind) {
    case BITTERN_WEIGHT_NONE:
        return "none";
    case BITTERN_WEIGHT_BINARY:
        return "binary";
    case BITTERN_WEIGHT_TERNARY:
        return "ternary";
    case BITTERN_WEIGHT_PLANES:
        return "planes";
    }
    return "unknown";
}

const char *bittern_value_kind_name(enum bittern_value_kind kind)
{
    switch (kind) {
    case BITTERN_VALUE_BINARY:
        return "binary";
    case BITTERN_VALUE_TERNARY:
        return "ternary";
    case BITTERN_VALUE_INT:
        return "int";
    case BITTERN_VALUE_ACC:
        return "acc";
    }
    return "unknown";
}

const char *bittern_activation_kind_name(enum bittern_activation_kind kind)
{
    switch (kind) {
    case BITTERN_ACTIVATION_NONE:
        return "none";
    case BITTERN_ACTIVATION_SIGN:
        return "sign";
    case BITTERN_ACTIVATION_TERNARY:
        return "ternary";
    case BITTERN_ACTIVATION_SCALE:
        return "scale";
    }
    return "unknown";
}

const char *bittern_layer_op_name(enum bittern_layer_op op)
{
    switch (op) {
    case BITTERN_LAYER_CONV:
        return "conv";
    case BITTERN_LAYER_FC:
        return "fc";
    case BITTERN_LAYER_SUM:
        return "sum";
    }
    return "unknown";
}
