/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network for programs. Building a tree of cJSON can fail at each step; a failed step leaves the
 * parent as it was and sets a flag, so that there is one check, at the end.
 */
#include "cli.h"
#include "network_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Add a child that may be NULL because memory ran out. */
static void add(cJSON *parent, const char *key, cJSON *child, bool *failed)
{
    if (!child || !cJSON_AddItemToObject(parent, key, child)) {
        cJSON_Delete(child);
        *failed = true;
    }
}

static void add_number(cJSON *parent, const char *key, double value, bool *failed)
{
    *failed = !cJSON_AddNumberToObject(parent, key, value) || *failed;
}

/* NULL becomes JSON's null. */
static void add_string(cJSON *parent, const char *key, const char *value, bool *failed)
{
    add(parent, key, value ? cJSON_CreateString(value) : cJSON_CreateNull(), failed);
}

/* Delete the tree where a part of it is missing. */
static cJSON *whole(cJSON *tree, bool failed)
{
    if (failed) {
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

static cJSON *sizes_to_json(const size_t *values, size_t count)
{
    cJSON *array = cJSON_CreateArray();
    bool failed = !array;
    for (size_t i = 0; !failed && i < count; i++) {
        cJSON *item = cJSON_CreateNumber((double)values[i]);
        failed = !item || !cJSON_AddItemToArray(array, item);
    }
    return whole(array, failed);
}

cJSON *shape_to_json(const struct bittern_shape *shape)
{
    const size_t values[] = {shape->channels, shape->height, shape->width};
    return sizes_to_json(values, 3);
}

static cJSON *window_to_json(const struct bittern_window *window)
{
    const size_t kernel[] = {window->kernel_h, window->kernel_w};
    const size_t stride[] = {window->stride_h, window->stride_w};
    const size_t pads[] = {window->pad_top, window->pad_left, window->pad_bottom,
                           window->pad_right};
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add(json, "kernel", sizes_to_json(kernel, 2), &failed);
    add(json, "stride", sizes_to_json(stride, 2), &failed);
    add(json, "pads", sizes_to_json(pads, 4), &failed); /* top, left, bottom, right */
    return whole(json, failed);
}

static cJSON *type_to_json(const struct bittern_value_type *type)
{
    char name[32];
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add_string(json, "name", value_type_text(type, name, sizeof name), &failed);
    add_string(json, "kind", bittern_value_kind_name(type->kind), &failed);
    add_number(json, "bits", type->bits, &failed);
    failed = !cJSON_AddBoolToObject(json, "signed", type->is_signed) || failed;
    add_number(json, "minimum", type->minimum, &failed);
    add_number(json, "maximum", type->maximum, &failed);
    return whole(json, failed);
}

static cJSON *weights_to_json(const struct bittern_layer *layer)
{
    const struct bittern_weights *weights = &layer->weights;
    cJSON *json = cJSON_CreateObject();
    cJSON *multipliers = cJSON_CreateArray();
    bool failed = !json || !multipliers;
    for (size_t i = 0; !failed && i < weights->plane_count; i++) {
        cJSON *item = cJSON_CreateNumber(weights->planes[i].multiplier);
        failed = !item || !cJSON_AddItemToArray(multipliers, item);
    }
    add_string(json, "kind", bittern_weight_kind_name(weights->kind), &failed);
    add_number(json, "bits", (double)weights->bits, &failed);
    add_number(json, "count", (double)bittern_layer_weight_count(layer), &failed);
    add_number(json, "bytes", (double)bittern_layer_weight_bytes(layer), &failed);
    add(json, "multipliers", multipliers, &failed);
    return whole(json, failed);
}

static cJSON *inexact_to_json(const struct bittern_layer *layer)
{
    cJSON *array = cJSON_CreateArray();
    bool failed = !array;
    for (size_t i = 0; !failed && i < layer->inexact_count; i++) {
        cJSON *item = cJSON_CreateObject();
        failed = !item || !cJSON_AddItemToArray(array, item);
        add_number(item, "channel", (double)layer->inexact_channels[i], &failed);
        add_number(item, "values", (double)layer->inexact_values[i], &failed);
    }
    return whole(array, failed);
}

/* ---- Details of one layer -------------------------------------------------------------------- */

static cJSON *histogram_to_json(const struct bittern_layer *layer)
{
    struct weight_histogram histogram;
    cJSON *json = cJSON_CreateObject();
    bool failed = !json || !layer_weight_histogram(layer, &histogram);
    if (failed) {
        return whole(json, true);
    }
    for (size_t i = 0; i < histogram.count; i++) {
        char key[16];
        if (histogram.counts[i] > 0) {
            (void)snprintf(key, sizeof key, "%" PRId32, (int32_t)i + histogram.minimum);
            add_number(json, key, (double)histogram.counts[i], &failed);
        }
    }
    free(histogram.counts);
    return whole(json, failed);
}

static void add_i32s(cJSON *parent, const char *key, const int32_t *values, size_t count,
                     bool *failed)
{
    if (values) {
        add(parent, key, cJSON_CreateIntArray(values, (int)count), failed);
    }
}

static void add_doubles(cJSON *parent, const char *key, const double *values, size_t count,
                        bool *failed)
{
    if (values) {
        add(parent, key, cJSON_CreateDoubleArray(values, (int)count), failed);
    }
}

static void add_bytes(cJSON *parent, const char *key, const uint8_t *values, size_t count,
                      bool *failed)
{
    if (!values) {
        return;
    }
    size_t *sizes = malloc((count ? count : 1) * sizeof *sizes);
    for (size_t i = 0; sizes && i < count; i++) {
        sizes[i] = values[i];
    }
    add(parent, key, sizes ? sizes_to_json(sizes, count) : NULL, failed);
    free(sizes);
}

/* Offsets fit 48 bits, which a double holds exactly. */
static void add_offsets(cJSON *parent, const int64_t *values, size_t count, bool *failed)
{
    if (!values) {
        return;
    }
    double *reals = malloc((count ? count : 1) * sizeof *reals);
    for (size_t i = 0; reals && i < count; i++) {
        reals[i] = (double)values[i];
    }
    add(parent, "offset", reals ? cJSON_CreateDoubleArray(reals, (int)count) : NULL, failed);
    free(reals);
}

static void add_details(cJSON *json, const struct bittern_layer *layer, bool *failed)
{
    const struct bittern_activation *activation = &layer->activation;
    size_t channels = layer->output.channels;
    add(json, "weight_histogram", histogram_to_json(layer), failed);
    add_i32s(json, "threshold_low", activation->threshold_low, channels, failed);
    add_i32s(json, "threshold_high", activation->threshold_high, channels, failed);
    add_bytes(json, "descending", activation->descending, channels, failed);
    add_i32s(json, "multiplier", activation->multiplier, channels, failed);
    add_offsets(json, activation->offset, channels, failed);
    add_bytes(json, "shift", activation->shift, channels, failed);
    add_bytes(json, "ties", activation->ties, channels, failed);
    add_bytes(json, "take_min", layer->take_min, channels, failed);
    add_doubles(json, "scale", layer->scale, channels, failed);
    add_doubles(json, "bias", layer->bias, channels, failed);
}

/* ---- Layers and networks --------------------------------------------------------------------- */

cJSON *layer_to_json(const struct bittern_network *network, size_t index, bool details)
{
    const struct bittern_layer *layer = bittern_network_layer(network, index);
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add_number(json, "index", (double)index, &failed);
    add_string(json, "name", layer->name, &failed);
    add_string(json, "output_name", layer->output_name, &failed);
    add_string(json, "op", bittern_layer_op_name(layer->op), &failed);
    add(json, "input", shape_to_json(&layer->input), &failed);
    add(json, "output", shape_to_json(&layer->output), &failed);
    add(json, "input_type", type_to_json(&layer->input_type), &failed);
    add(json, "output_type", type_to_json(&layer->output_type), &failed);
    if (layer->op != BITTERN_LAYER_FC) {
        add(json, "window", window_to_json(&layer->window), &failed);
    }
    if (layer->has_sum_pool) {
        add(json, "sum_pool", window_to_json(&layer->sum_pool), &failed);
    }
    if (layer->has_max_pool) {
        add(json, "max_pool", window_to_json(&layer->max_pool), &failed);
    }
    add(json, "weights", weights_to_json(layer), &failed);
    add_string(json, "activation", bittern_activation_kind_name(layer->activation.kind), &failed);
    add_number(json, "pad_value", layer->pad_value, &failed);
    add_number(json, "acc_min", layer->acc_min, &failed);
    add_number(json, "acc_max", layer->acc_max, &failed);
    add_number(json, "acc_bits", layer_accumulator_bits(layer), &failed);
    add_number(json, "macs", (double)bittern_layer_macs(layer), &failed);
    add(json, "inexact", inexact_to_json(layer), &failed);
    if (details && !failed) {
        add_details(json, layer, &failed);
    }
    return whole(json, failed);
}

static void add_network_totals(cJSON *json, const struct bittern_network *network, bool *failed)
{
    uint64_t macs = 0;
    uint64_t weights = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        macs += bittern_layer_macs(layer);
        weights += bittern_layer_weight_count(layer);
        bytes += bittern_layer_weight_bytes(layer);
    }
    add_number(json, "macs", (double)macs, failed);
    add_number(json, "weights", (double)weights, failed);
    add_number(json, "weight_bytes", (double)bytes, failed);
    add_number(json, "compression", bittern_network_compression(network), failed);
}

cJSON *network_to_json(const struct bittern_network *network)
{
    const struct bittern_input *input = bittern_network_input(network);
    cJSON *json = cJSON_CreateObject();
    cJSON *layers = cJSON_CreateArray();
    bool failed = !json || !layers;
    for (size_t i = 0; !failed && i < bittern_network_layer_count(network); i++) {
        cJSON *layer = layer_to_json(network, i, false);
        failed = !layer || !cJSON_AddItemToArray(layers, layer);
    }
    add_string(json, "name", bittern_network_name(network), &failed);
    add_string(json, "input_name", input->name, &failed);
    add(json, "input", shape_to_json(&input->shape), &failed);
    add(json, "input_type", type_to_json(&input->type), &failed);
    add_number(json, "outputs", (double)bittern_network_output_count(network), &failed);
    add_number(json, "top_k", (double)bittern_network_top_k(network), &failed);
    if (!failed) {
        add_network_totals(json, network, &failed);
    }
    add(json, "layers", layers, &failed);
    return whole(json, failed);
}

cJSON *geometry_to_json(const struct bittern_geometry *geometry)
{
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;
    add_string(json, "name", geometry->name, &failed);
    add_number(json, "version", geometry->version, &failed);
    add_number(json, "word_bits", geometry->word_bits, &failed);
    add_number(json, "output_channels", geometry->output_channels, &failed);
    add_number(json, "pixels", geometry->pixels, &failed);
    add_number(json, "units", geometry->units, &failed);
    add_number(json, "feature_bytes", geometry->feature_bytes, &failed);
    add_number(json, "weight_bytes", geometry->weight_bytes, &failed);
    return whole(json, failed);
}

int json_print(const char *command, cJSON *root)
{
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text) {
        fprintf(stderr, "bittern %s: no memory for the JSON output\n", command);
        return CLI_EXIT_FAILED;
    }
    printf("%s\n", text);
    cJSON_free(text);
    return cli_finish_output(command);
}
