/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the integer network's weights, counted in its bit planes. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bits of one row of words, and rows of an output channel: a tap's input channels, or all inputs.
 */
static size_t row_bits(const struct bittern_layer *layer)
{
    return layer->op == BITTERN_LAYER_CONV
               ? layer->input.channels
               : layer->input.channels * layer->input.height * layer->input.width;
}

/* Weight at a bit of a word: the planes' sum. */
static int64_t value_at(const struct bittern_weights *weights, size_t word, size_t bit)
{
    int64_t value = 0;
    for (size_t p = 0; p < weights->plane_count; p++) {
        const struct bittern_plane *plane = &weights->planes[p];
        bool plus = plane->plus[word] >> bit & 1;
        bool minus = plane->minus ? plane->minus[word] >> bit & 1 : !plus;
        value += plane->multiplier * ((int64_t)plus - (int64_t)minus);
    }
    return value;
}

/* False where a value is larger than any that is drawn: the layer is then left out. */
static bool count_row(const struct bittern_weights *weights, size_t word, size_t bits,
                      struct report_integer_layer *counted)
{
    for (size_t i = 0; i < bits; i++) {
        int64_t value = value_at(weights, word + i / 64, i % 64);
        if (value < -REPORT_MAX_LEVEL || value > REPORT_MAX_LEVEL) {
            return false;
        }
        counted->counts[value + REPORT_MAX_LEVEL]++;
        counted->lowest = value < counted->lowest ? (int)value : counted->lowest;
        counted->highest = value > counted->highest ? (int)value : counted->highest;
        counted->total++;
    }
    return true;
}

static bool count_layer(const struct bittern_layer *layer, struct report_integer_layer *counted)
{
    static const char *const kinds[] = {"", "binary", "ternary", "planes"};
    const struct bittern_weights *weights = &layer->weights;
    size_t bits = row_bits(layer);
    size_t words = (bits + 63) / 64;

    *counted = (struct report_integer_layer){.name = layer->name,
                                             .kind = kinds[weights->kind],
                                             .lowest = REPORT_MAX_LEVEL,
                                             .highest = -REPORT_MAX_LEVEL};
    /* A program that was read is checked: its planes have these words. */
    for (size_t at = 0; at < layer->conv.channels * weights->words_per_output; at += words) {
        if (!count_row(weights, at, bits, counted)) {
            return false;
        }
    }
    return counted->total > 0.0;
}

static bittern_status count_layers(struct report_run *run, struct bittern_error *err)
{
    const struct bittern_network *network = bittern_program_network(run->program);
    size_t layers = bittern_network_layer_count(network);
    run->integer = calloc(layers, sizeof *run->integer);
    if (!run->integer) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for layers");
    }
    for (size_t i = 0; i < layers && run->integer_count < REPORT_MAX_LAYERS; i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        if (layer->weights.kind != BITTERN_WEIGHT_NONE &&
            count_layer(layer, &run->integer[run->integer_count])) {
            run->integer_count++;
        }
    }
    return BITTERN_OK;
}

bittern_status report_read_weights(struct report_run *run, struct bittern_error *err)
{
    char *path = NULL;
    bittern_status status = BITTERN_OK;

    if (!run->result || strchr(run->name, '/')) {
        return BITTERN_OK; /* not ended; or a name that leads out of the folder */
    }
    if (asprintf(&path, "%s/%s.btn", run->folder, run->name) < 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a run");
    }
    if (access(path, F_OK) == 0) { /* none where the network could not be compiled */
        status = bittern_program_read(path, &run->program, err);
        if (status == BITTERN_OK) {
            status = count_layers(run, err);
        }
    }
    free(path);
    return status;
}
