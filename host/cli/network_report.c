/* SPDX-License-Identifier: Apache-2.0 */
/* A network for people: the table of its layers, and one layer in detail. */
#include "network_report.h"

#include "cli.h"
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTED_CHANNELS 8
#define HISTOGRAM_BAR 40

const char *shape_text(const struct bittern_shape *shape, char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "%zux%zux%zu", shape->channels, shape->height, shape->width);
    return buffer;
}

const char *value_type_text(const struct bittern_value_type *type, char *buffer, size_t size)
{
    switch (type->kind) {
    case BITTERN_VALUE_BINARY:
    case BITTERN_VALUE_TERNARY:
        (void)snprintf(buffer, size, "%s", bittern_value_kind_name(type->kind));
        break;
    case BITTERN_VALUE_INT:
    case BITTERN_VALUE_ACC:
    default:
        (void)snprintf(buffer, size, "%sint%u", type->is_signed ? "" : "u", (unsigned)type->bits);
        break;
    }
    return buffer;
}

unsigned layer_accumulator_bits(const struct bittern_layer *layer)
{
    unsigned bits = 1;
    while (bits < 32 && (layer->acc_max > (INT32_C(1) << (bits - 1)) - 1 ||
                         layer->acc_min < -(INT32_C(1) << (bits - 1)))) {
        bits++;
    }
    return bits;
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct cli_column layer_columns[] = {
    {"#", true},        {"layer", false},       {"op", false},      {"output", false},
    {"weights", false}, {"bits", true},         {"in", false},      {"out", false},
    {"MACs", true},     {"weight bytes", true}, {"acc bits", true},
};
#define LAYER_COLUMNS (sizeof layer_columns / sizeof layer_columns[0])

static void add_weights(struct cli_table *table, const struct bittern_layer *layer)
{
    const struct bittern_weights *weights = &layer->weights;
    if (weights->kind == BITTERN_WEIGHT_NONE) {
        cli_table_add(table, "-");
        cli_table_add(table, "-");
        return;
    }
    if (weights->kind == BITTERN_WEIGHT_PLANES) {
        cli_table_add(table, "%zu %s", weights->plane_count,
                      bittern_weight_kind_name(weights->kind));
    } else {
        cli_table_add(table, "%s", bittern_weight_kind_name(weights->kind));
    }
    cli_table_add_count(table, weights->bits);
}

static void add_layer(struct cli_table *table, size_t index, const struct bittern_layer *layer)
{
    char text[64];
    cli_table_add(table, "%zu", index);
    cli_table_add(table, "%s", layer->name);
    cli_table_add(table, "%s", bittern_layer_op_name(layer->op));
    cli_table_add(table, "%s", shape_text(&layer->output, text, sizeof text));
    add_weights(table, layer);
    cli_table_add(table, "%s", value_type_text(&layer->input_type, text, sizeof text));
    cli_table_add(table, "%s", value_type_text(&layer->output_type, text, sizeof text));
    cli_table_add_count(table, bittern_layer_macs(layer));
    cli_table_add_count(table, bittern_layer_weight_bytes(layer));
    cli_table_add_count(table, layer_accumulator_bits(layer));
}

static void add_totals(struct cli_table *table, const struct bittern_network *network)
{
    uint64_t macs = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
        macs += bittern_layer_macs(bittern_network_layer(network, i));
        bytes += bittern_layer_weight_bytes(bittern_network_layer(network, i));
    }
    cli_table_add(table, "%s", "");
    cli_table_add(table, "total");
    for (size_t i = 2; i < 8; i++) {
        cli_table_add(table, "%s", "");
    }
    cli_table_add_count(table, macs);
    cli_table_add_count(table, bytes);
    cli_table_end_row(table);
}

static void print_inexact(const struct bittern_layer *layer, FILE *out)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s", layer->name);
    fprintf(out, "  %s: %zu of %zu channels:", cli_make_printable(name), layer->inexact_count,
            layer->output.channels);
    size_t listed =
        layer->inexact_count < MAX_LISTED_CHANNELS ? layer->inexact_count : MAX_LISTED_CHANNELS;
    int64_t values = (int64_t)layer->acc_max - layer->acc_min + 1;
    for (size_t i = 0; i < listed; i++) {
        fprintf(out, "%s %zu (at %" PRIu64 " of %" PRId64 " values)", i > 0 ? "," : "",
                layer->inexact_channels[i], layer->inexact_values[i], values);
    }
    fputs(listed < layer->inexact_count ? ", ...\n" : "\n", out);
}

static void print_inexact_layers(const struct bittern_network *network, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        if (layer->inexact_count == 0) {
            continue;
        }
        if (!any) {
            fprintf(out, "\nInexact channels: at the listed number of accumulator values the "
                         "integer activation\ngives a neighbour of the level that the float model "
                         "gives; everywhere else they are equal.\n");
        }
        any = true;
        print_inexact(layer, out);
    }
}

bool network_print(const struct bittern_network *network, FILE *out)
{
    struct cli_table table;
    uint64_t weights = 0;
    char shape[64];
    char type[32];
    char count[32];
    const struct bittern_input *input = bittern_network_input(network);

    fprintf(out, "Input %s, %s; %zu outputs", shape_text(&input->shape, shape, sizeof shape),
            value_type_text(&input->type, type, sizeof type),
            bittern_network_output_count(network));
    if (bittern_network_top_k(network) > 1) {
        fprintf(out, ", top %zu", bittern_network_top_k(network));
    }
    fputs("\n\n", out);
    cli_table_start(&table, layer_columns, LAYER_COLUMNS);
    for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
        const struct bittern_layer *layer = bittern_network_layer(network, i);
        add_layer(&table, i, layer);
        weights += bittern_layer_weight_count(layer);
    }
    add_totals(&table, network);
    if (!cli_table_finish(&table, out)) {
        return false;
    }
    fprintf(out, "\n%s weights, %.2fx smaller than with 32 bits each\n",
            cli_format_count(weights, count, sizeof count), bittern_network_compression(network));
    print_inexact_layers(network, out);
    return true;
}

/* ---- One layer ------------------------------------------------------------------------------- */

/* Walks all weights in the order of storage; calls bittern_layer_weight for each. */
static void for_each_weight(const struct bittern_layer *layer,
                            void (*see)(void *user, int32_t weight), void *user)
{
    bool fc = layer->op == BITTERN_LAYER_FC;
    size_t rows = fc ? layer->input.height : layer->window.kernel_h;
    size_t columns = fc ? layer->input.width : layer->window.kernel_w;
    for (size_t o = 0; o < layer->conv.channels; o++) {
        for (size_t row = 0; row < rows; row++) {
            for (size_t column = 0; column < columns; column++) {
                for (size_t i = 0; i < layer->input.channels; i++) {
                    see(user, bittern_layer_weight(layer, o, row, column, i));
                }
            }
        }
    }
}

static void count_weight(void *user, int32_t weight)
{
    struct weight_histogram *histogram = user;
    histogram->counts[weight - histogram->minimum]++;
}

bool layer_weight_histogram(const struct bittern_layer *layer, struct weight_histogram *histogram)
{
    int32_t largest = 0;
    *histogram = (struct weight_histogram){0};
    for (size_t i = 0; i < layer->weights.plane_count; i++) {
        largest += layer->weights.planes[i].multiplier;
    }
    if (largest == 0) {
        return true;
    }
    /* A network's multipliers are small, and there are eight planes at most. */
    histogram->minimum = -largest;
    histogram->count = 2 * (size_t)largest + 1;
    histogram->counts = calloc(histogram->count, sizeof *histogram->counts);
    if (!histogram->counts) {
        return false;
    }
    for_each_weight(layer, count_weight, histogram);
    return true;
}

static bool print_histogram(const struct bittern_layer *layer, FILE *out)
{
    static const struct cli_column columns[] = {
        {"weight", true}, {"count", true}, {"share", true}, {"", false}};
    struct weight_histogram histogram;
    struct cli_table table;
    uint64_t total = bittern_layer_weight_count(layer);

    if (!layer_weight_histogram(layer, &histogram)) {
        return false;
    }
    if (histogram.count == 0) {
        return true;
    }
    uint64_t most = 1;
    for (size_t i = 0; i < histogram.count; i++) {
        most = histogram.counts[i] > most ? histogram.counts[i] : most;
    }
    fputs("\n", out);
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < histogram.count; i++) {
        if (histogram.counts[i] == 0) {
            continue;
        }
        char bar[HISTOGRAM_BAR + 1];
        size_t length = (size_t)(HISTOGRAM_BAR * histogram.counts[i] / most);
        memset(bar, '#', length);
        bar[length] = '\0';
        cli_table_add(&table, "%" PRId32, (int32_t)i + histogram.minimum);
        cli_table_add_count(&table, histogram.counts[i]);
        cli_table_add(&table, "%.2f %%",
                      100.0 * (double)histogram.counts[i] / (double)(total ? total : 1));
        cli_table_add(&table, "%s", bar);
    }
    free(histogram.counts);
    return cli_table_finish(&table, out);
}

static void print_window(const char *title, const struct bittern_window *window, FILE *out)
{
    fprintf(out,
            "  %-12s %zux%zu, stride %zux%zu, padding top %zu, left %zu, bottom %zu, right %zu\n",
            title, window->kernel_h, window->kernel_w, window->stride_h, window->stride_w,
            window->pad_top, window->pad_left, window->pad_bottom, window->pad_right);
}

static void print_i32_range(const char *title, const int32_t *values, size_t count, FILE *out)
{
    if (!values || count == 0) {
        return;
    }
    int32_t low = values[0];
    int32_t high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    fprintf(out, "  %-12s %" PRId32 " to %" PRId32 "\n", title, low, high);
}

static void print_i64_range(const char *title, const int64_t *values, size_t count, FILE *out)
{
    if (!values || count == 0) {
        return;
    }
    int64_t low = values[0];
    int64_t high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    fprintf(out, "  %-12s %" PRId64 " to %" PRId64 "\n", title, low, high);
}

static void print_shifts(const uint8_t *values, size_t count, FILE *out)
{
    if (!values || count == 0) {
        return;
    }
    unsigned low = values[0];
    unsigned high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    fprintf(out, "  %-12s %u to %u\n", "shift S", low, high);
}

static void print_real_range(const char *title, const double *values, size_t count, FILE *out)
{
    if (!values || count == 0) {
        return;
    }
    double low = values[0];
    double high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    fprintf(out, "  %-12s %.9g to %.9g\n", title, low, high);
}

static void print_activation(const struct bittern_layer *layer, FILE *out)
{
    const struct bittern_activation *activation = &layer->activation;
    size_t channels = layer->output.channels;
    size_t descending = 0;
    for (size_t i = 0; activation->descending && i < channels; i++) {
        descending += activation->descending[i] != 0;
    }
    fprintf(out, "  %-12s %s", "activation", bittern_activation_kind_name(activation->kind));
    if (descending > 0) {
        fprintf(out, ", falling in %zu of %zu channels", descending, channels);
    }
    fputs("\n", out);
    print_i32_range("low", activation->threshold_low, channels, out);
    print_i32_range("high", activation->threshold_high, channels, out);
    print_i32_range("multiplier M", activation->multiplier, channels, out);
    print_i64_range("offset B", activation->offset, channels, out);
    print_shifts(activation->shift, channels, out);
    size_t ties = 0;
    for (size_t i = 0; activation->ties && i < channels; i++) {
        ties += activation->ties[i] != BITTERN_TIES_UP;
    }
    if (ties > 0) {
        fprintf(out, "  %-12s not up in %zu of %zu channels\n", "ties", ties, channels);
    }
}

static void print_layer_shapes(const struct bittern_layer *layer, FILE *out)
{
    char input[64];
    char output[64];
    char in_type[32];
    char out_type[32];
    fprintf(out, "  %-12s %s %s -> %s %s\n", "values",
            shape_text(&layer->input, input, sizeof input),
            value_type_text(&layer->input_type, in_type, sizeof in_type),
            shape_text(&layer->output, output, sizeof output),
            value_type_text(&layer->output_type, out_type, sizeof out_type));
    if (layer->op != BITTERN_LAYER_FC) {
        print_window("window", &layer->window, out);
    }
    if (layer->pad_value != 0) {
        fprintf(out, "  %-12s %" PRId32 "\n", "pad value", layer->pad_value);
    }
    fprintf(out, "  %-12s %" PRId32 " to %" PRId32 " (%u bits)\n", "accumulator", layer->acc_min,
            layer->acc_max, layer_accumulator_bits(layer));
    if (layer->has_sum_pool) {
        print_window("sum pool", &layer->sum_pool, out);
    }
}

bool layer_print(const struct bittern_network *network, size_t index, FILE *out)
{
    const struct bittern_layer *layer = bittern_network_layer(network, index);
    char name[128];
    (void)snprintf(name, sizeof name, "%s", layer->name);
    fprintf(out, "Layer %zu: %s (%s)\n", index, cli_make_printable(name),
            bittern_layer_op_name(layer->op));
    print_layer_shapes(layer, out);
    print_activation(layer, out);
    if (layer->has_max_pool) {
        print_window(layer->take_min ? "max/min pool" : "max pool", &layer->max_pool, out);
    }
    print_real_range("scale", layer->scale, layer->output.channels, out);
    print_real_range("bias", layer->bias, layer->output.channels, out);
    if (layer->weights.kind != BITTERN_WEIGHT_NONE) {
        fprintf(out, "  %-12s %s, %zu plane%s, %zu bits; multipliers", "weights",
                bittern_weight_kind_name(layer->weights.kind), layer->weights.plane_count,
                layer->weights.plane_count == 1 ? "" : "s", layer->weights.bits);
        for (size_t i = 0; i < layer->weights.plane_count; i++) {
            fprintf(out, " %" PRId32, layer->weights.planes[i].multiplier);
        }
        fputs("\n", out);
    }
    if (layer->inexact_count > 0) {
        fputs("  inexact\n", out);
        print_inexact(layer, out);
    }
    return print_histogram(layer, out);
}
