/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recipe: everything that decides what a training run does but seed, threads and paths. Read
 * from YAML (docs/recipes.md lists the keys), changed by `--set key=value`, and kept as canonical
 * YAML inside each checkpoint.
 */
#ifndef BITTERN_TRAIN_RECIPE_H
#define BITTERN_TRAIN_RECIPE_H

#include "data/loader.h"
#include "graph/graph.h"
#include "optimizer/optimizer.h"

enum network_order {
    ORDER_CONV_POOL_NORM_ACT, /* pooling on the accumulators */
    ORDER_CONV_NORM_ACT_POOL, /* FINN's, BNN's with sign before pooling */
    ORDER_NORM_ACT_CONV_POOL  /* XNOR-Net's and STTN's: normalize and quantize each layer's input;
                                 the first layer reads the image as it is */
};

enum loss_kind { LOSS_CROSS_ENTROPY, LOSS_SQUARED_HINGE };

/* One element of the layer notation, e.g. "128C3", "MP2", "1024": docs/recipes.md. */
enum element_kind {
    ELEMENT_CONV,
    ELEMENT_FC,
    ELEMENT_MAX_POOL,
    ELEMENT_AVERAGE_POOL,
    ELEMENT_GLOBAL_AVERAGE_POOL,
    ELEMENT_DROPOUT
};
struct network_element {
    enum element_kind kind;
    size_t filters, kernel, stride, pad;
    double rate; /* DROPOUT */
};
#define RECIPE_MAX_ELEMENTS 128

struct recipe {
    char title[160], source[240]; /* what it reproduces: paper and table */
    char base_name[96]; /* key `name`, else the file's without .yaml: names the output files */

    struct {
        char set[32];
        bool normalize;
        bool quantize; /* 8-bit input; false: float input, cannot be compiled */
        struct augmentation augmentation;
        size_t train_images, test_images; /* 0: all */
    } data;

    struct {
        char name[32];    /* a named network, or empty */
        char layers[512]; /* its notation */
        struct network_element elements[RECIPE_MAX_ELEMENTS];
        size_t element_count;
        enum network_order order;
        struct activation_config activation;
        struct norm_config norm;
        bool norm_last; /* batch norm behind the last layer; else a bias */
    } network;

    struct method_config weights, first_weights, last_weights; /* the latter two: `weights` itself
                                                                  where the recipe is silent */

    struct {
        size_t epochs, batch;
        struct optimizer_config optimizer;
        struct schedule schedule;
        enum loss_kind loss;
        bool distill;
        double temperature, distill_weight;
        size_t statistics_batches; /* of batch-norm re-estimation; 0: none */
    } training;
};

/* Read a file; with quick the keys under `quick:` take effect. overrides: "training.epochs=5" ...
 * A wrong key or value is BITTERN_ERR_FORMAT or _RANGE with file, line and what would be right. */
bittern_status recipe_read(const char *path, bool quick, const char *const *overrides,
                           size_t override_count, struct recipe *recipe, struct bittern_error *err);
bittern_status recipe_parse(const char *text, size_t size, const char *name, bool quick,
                            const char *const *overrides, size_t override_count,
                            struct recipe *recipe, struct bittern_error *err);
/* Canonical YAML, every key written out; reading it gives the same recipe. To be freed. */
bittern_status recipe_write(const struct recipe *recipe, char **text, struct bittern_error *err);
/* Keys in which two recipes differ, for "this checkpoint is of another recipe: training.batch is
 * 128, not 64"; 0 where none; message gets the first few. */
size_t recipe_compare(const struct recipe *a, const struct recipe *b, char *message, size_t size);

/* Named networks: lenet5, lenet5-wide, vgg7, vgg16, cnv, tfc, sfc, lfc. NULL: unknown. */
const char *network_layers(const char *name);
/* Name 0, 1, ...; NULL past the end. */
const char *network_name(size_t index);
/* "2x(128C3)-MP2-1024-10" -> elements; an error says at which character and what is known there. */
bittern_status network_parse(const char *layers, struct network_element *elements, size_t capacity,
                             size_t *count, struct bittern_error *err);

/* Build the recipe's graph for a data set's shape. Shapes that do not fit: the layer and why.
 * Needs network.elements, which reading fills in. */
struct recipe_graph_options {
    size_t batch; /* of this rank */
    size_t channels, height, width, classes;
    uint64_t seed;
    struct comm *comm;
};
bittern_status recipe_build_graph(const struct recipe *recipe,
                                  const struct recipe_graph_options *options,
                                  struct backend *backend, struct graph **graph,
                                  struct bittern_error *err);

#endif
