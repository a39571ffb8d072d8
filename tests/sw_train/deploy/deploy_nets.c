/* SPDX-License-Identifier: Apache-2.0 */
/* See deploy_nets.h. */
#include "deploy_nets.h"

#include "base/rng.h"
#include "testing.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PATH 4200

/* ---- Graphs -----------------------------------------------------------------------------------
 */

struct builder {
    const struct net_options *options;
    struct graph *graph;
    size_t tensor, norms, pools;
    struct bittern_error err;
};

static struct conv_config layer_config(const struct builder *b, size_t filters)
{
    return (struct conv_config){
        .filters = filters, .stride = 1, .method = method_defaults(b->options->method)};
}

static void add_conv(struct builder *b, const char *name, size_t filters, size_t pad)
{
    struct conv_config config = layer_config(b, filters);
    config.kernel = 3;
    config.pad = pad;
    if (b->options->first_int8 && strcmp(name, "conv1") == 0) {
        config.method = method_defaults(METHOD_INT8);
    }
    assert_ok(graph_add_conv(b->graph, name, b->tensor, &config, &b->tensor, &b->err), &b->err);
}

static void add_fc(struct builder *b, const char *name, size_t filters, bool bias)
{
    struct conv_config config = layer_config(b, filters);
    config.bias = bias;
    assert_ok(graph_add_fc(b->graph, name, b->tensor, &config, &b->tensor, &b->err), &b->err);
}

static void add_pool(struct builder *b)
{
    const struct backend_pool_shape shape = {
        b->options->average ? BACKEND_POOL_AVERAGE : BACKEND_POOL_MAX, 2, 2, 2, 2, 0, 0};
    char name[32];
    (void)snprintf(name, sizeof name, "pool%zu", ++b->pools);
    assert_ok(graph_add_pool(b->graph, name, b->tensor, &shape, &b->tensor, &b->err), &b->err);
}

static void add_norm(struct builder *b, bool relu)
{
    const struct norm_config config = {1e-5, 0.1};
    char name[32];
    (void)snprintf(name, sizeof name, "norm%zu", ++b->norms);
    assert_ok(graph_add_norm(b->graph, name, b->tensor, &config, relu, &b->tensor, &b->err),
              &b->err);
}

/* ReLU is fused into the norm, as recipes do it. */
static void add_norm_and_activation(struct builder *b)
{
    bool relu = b->options->activation.kind == ACTIVATION_RELU;
    char name[32];
    add_norm(b, relu);
    (void)snprintf(name, sizeof name, "act%zu", b->norms);
    if (!relu) {
        assert_ok(graph_add_activation(b->graph, name, b->tensor, &b->options->activation,
                                       &b->tensor, &b->err),
                  &b->err);
    }
}

static void add_convolution(struct builder *b, const char *name, size_t filters, size_t pad)
{
    add_conv(b, name, filters, pad);
    if (b->options->order != NET_CONV_NORM_ACT_POOL) {
        add_pool(b);
    }
    add_norm_and_activation(b);
    if (b->options->order == NET_CONV_NORM_ACT_POOL) {
        add_pool(b);
    }
}

static void add_residual(struct builder *b, size_t filters)
{
    size_t input = b->tensor;
    add_conv(b, "conv3", filters, 1);
    assert_ok(graph_add_sum(b->graph, "sum1", input, b->tensor, &b->tensor, &b->err), &b->err);
    add_norm_and_activation(b);
}

static void add_layers(struct builder *b, size_t filters, size_t classes)
{
    add_convolution(b, "conv1", filters, 1);
    if (b->options->residual) {
        add_residual(b, filters);
    }
    add_convolution(b, "conv2", filters + (b->options->blocked ? 0 : 3), 0);
    assert_ok(graph_add_dropout(b->graph, "dropout1", b->tensor, 0.3, &b->tensor, &b->err),
              &b->err);
    add_fc(b, "fc1", 12, false);
    add_norm_and_activation(b);
    add_fc(b, "fc2", classes, !b->options->norm_last);
    if (b->options->norm_last) {
        add_norm(b, false);
    }
}

/* Scales of both signs, shifts around the activations' steps, biases. */
static void randomize(struct graph *graph, uint64_t seed)
{
    for (size_t i = 0; i < graph_parameter_count(graph); i++) {
        struct parameter *p = graph_parameter(graph, i);
        if (p->role != PARAMETER_NORM && p->role != PARAMETER_BIAS) {
            continue;
        }
        bool is_scale = strstr(p->name, ".scale") != NULL;
        for (size_t j = 0; j < p->count; j++) {
            double unit = random_unit(&seed);
            double sign = random_below(&seed, 3) == 0 ? -1 : 1;
            p->value[j] = (float)(is_scale ? sign * (0.3 + unit) : 0.9 * unit - 0.3);
        }
    }
}

static void estimate_statistics(const struct net *net, const struct bittern_dataset *dataset)
{
    struct bittern_error err;
    net_run(net, dataset, 0);
    graph_begin_statistics(net->graph);
    assert_ok(graph_forward(net->graph, GRAPH_STATISTICS, 0, &err), &err);
    assert_ok(graph_end_statistics(net->graph, &err), &err);
}

void net_build(const struct net_options *options, const struct bittern_dataset *dataset,
               struct net *net)
{
    /* One thread: on a busy machine two of them mostly wait for each other. */
    const struct backend_options backend = {.threads = 1, .precision = BACKEND_PRECISION_F32};
    const struct graph_options shape = {
        .batch = options->batch ? options->batch : 8,
        .channels = bittern_dataset_channels(dataset),
        .height = bittern_dataset_height(dataset),
        .width = bittern_dataset_width(dataset),
        .blocked = options->blocked,
        .seed = options->seed,
    };
    struct builder b = {.options = options};

    *net = (struct net){.filters = options->filters ? options->filters : 6};
    assert_ok(backend_create(&backend, &net->backend, &b.err), &b.err);
    assert_ok(graph_create(net->backend, &shape, &net->graph, &b.err), &b.err);
    assert_ok(input_encoding_choose(dataset, true, true, &net->encoding, &b.err), &b.err);
    b.graph = net->graph;
    add_layers(&b, net->filters, bittern_dataset_classes(dataset));
    assert_ok(graph_seal(net->graph, &b.err), &b.err);
    randomize(net->graph, options->seed);
    graph_finish_weights(net->graph);
    estimate_statistics(net, dataset);
}

void net_free(struct net *net)
{
    graph_free(net->graph);
    backend_free(net->backend);
    *net = (struct net){0};
}

void net_run(const struct net *net, const struct bittern_dataset *dataset, size_t first)
{
    struct backend_tensor *input = graph_input(net->graph);
    size_t positions = input->h * input->w;
    float table[4 * 256];
    float *values = input->data;
    struct bittern_error err;

    input_encoding_table(&net->encoding, table);
    assert_int_equal(input->type, BACKEND_F32);
    for (size_t n = 0; n < input->n; n++) {
        size_t image = (first + n) % bittern_dataset_count(dataset);
        const uint8_t *pixels = bittern_dataset_images(dataset) + image * input->c * positions;
        for (size_t c = 0; c < input->c; c++) {
            for (size_t p = 0; p < positions; p++) {
                size_t at = input->layout == BACKEND_PLANAR ? c * positions + p : p * input->c + c;
                values[n * input->c * positions + at] = table[c * 256 + pixels[c * positions + p]];
            }
        }
    }
    assert_ok(graph_forward(net->graph, GRAPH_EVALUATE, 0, &err), &err);
}

/* ---- Data sets --------------------------------------------------------------------------------
 */

static void write_file(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char path[MAX_PATH];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A pattern a class, and noise. */
static uint8_t draw_pixel(uint64_t *seed, size_t label, size_t row, size_t column)
{
    bool is_bright = (row * (label + 1) + column * (5 - label)) / 4 % 2 == 0;
    return (uint8_t)((is_bright ? 120 : 0) + random_below(seed, 136));
}

static void put_number(uint8_t *bytes, size_t number)
{
    bytes[0] = (uint8_t)(number >> 24);
    bytes[1] = (uint8_t)(number >> 16);
    bytes[2] = (uint8_t)(number >> 8);
    bytes[3] = (uint8_t)number;
}

struct bittern_dataset *make_grey_dataset(const char *folder, uint64_t seed, size_t side,
                                          size_t count)
{
    uint8_t *images = calloc(16 + count * side * side, 1);
    uint8_t *labels = calloc(8 + count, 1);
    struct bittern_dataset *dataset;
    struct bittern_error err;
    char images_path[MAX_PATH];
    char labels_path[MAX_PATH];

    assert_true(images && labels);
    images[2] = labels[2] = 8;
    images[3] = 3;
    labels[3] = 1;
    put_number(images + 4, count);
    put_number(images + 8, side);
    put_number(images + 12, side);
    put_number(labels + 4, count);
    for (size_t i = 0; i < count; i++) {
        labels[8 + i] = (uint8_t)(i % 5);
        for (size_t p = 0; p < side * side; p++) {
            images[16 + i * side * side + p] = draw_pixel(&seed, i % 5, p / side, p % side);
        }
    }
    write_file(folder, "images", images, 16 + count * side * side);
    write_file(folder, "labels", labels, 8 + count);
    (void)snprintf(images_path, sizeof images_path, "%s/images", folder);
    (void)snprintf(labels_path, sizeof labels_path, "%s/labels", folder);
    assert_ok(bittern_dataset_open_idx(images_path, labels_path, &dataset, &err), &err);
    free(images);
    free(labels);
    return dataset;
}

struct bittern_dataset *make_color_dataset(const char *folder, uint64_t seed, size_t count)
{
    const size_t record = 1 + 3 * 32 * 32;
    uint8_t *bytes = calloc(count, record);
    struct bittern_dataset *dataset;
    struct bittern_error err;

    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        bytes[i * record] = (uint8_t)(i % 10);
        for (size_t p = 0; p < record - 1; p++) {
            bytes[i * record + 1 + p] = draw_pixel(&seed, (i + p / 1024) % 5, p / 32 % 32, p % 32);
        }
    }
    write_file(folder, "test_batch.bin", bytes, count * record);
    free(bytes);
    assert_ok(bittern_dataset_open("cifar10", BITTERN_SPLIT_TEST, folder, &dataset, &err), &err);
    return dataset;
}

void make_folder(char *folder, size_t size)
{
    (void)snprintf(folder, size, "/tmp/bittern-deploy-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

void remove_folder(const char *folder)
{
    char path[MAX_PATH];
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            assert_int_equal(unlink(path), 0);
        }
    }
    (void)closedir(directory);
    assert_int_equal(rmdir(folder), 0);
}
