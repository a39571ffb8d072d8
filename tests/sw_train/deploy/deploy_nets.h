/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small finished graphs for tests of the export, in all orders of layers, with running statistics
 * that fit their data; and small data sets to run them on.
 */
#ifndef BITTERN_DEPLOY_NETS_H
#define BITTERN_DEPLOY_NETS_H

#include "data/loader.h"
#include "deploy/deploy.h"
#include "graph/graph.h"

enum net_order { NET_CONV_POOL_NORM_ACT, NET_CONV_NORM_ACT_POOL, NET_NORM_ACT_CONV_POOL };
#define NET_ORDERS 3

struct net_options {
    uint64_t seed;
    enum net_order order;
    enum method_kind method;
    struct activation_config activation;
    size_t filters; /* of the first convolution; 0: 6 */
    size_t batch;   /* 0: 8 */
    bool norm_last; /* batch norm behind the last layer, else a bias */
    bool average;   /* average pools */
    bool blocked;
    bool residual;   /* one more convolution, whose input is added to its output */
    bool first_int8; /* the first layer has 8-bit weights */
};

struct net {
    struct backend *backend;
    struct graph *graph;
    struct input_encoding encoding;
    size_t filters;
};

/* conv 3x3 (padded) - conv 3x3 - fc 12 - fc 5, with pools of 2x2, dropout, norms (some of them
 * falling) and activations; statistics of a batch of `dataset`; weights finished. */
void net_build(const struct net_options *options, const struct bittern_dataset *dataset,
               struct net *net);
void net_free(struct net *net);
/* Runs the graph in evaluation mode on images first.. of the data set, one batch. */
void net_run(const struct net *net, const struct bittern_dataset *dataset, size_t first);

/* A made-up data set of `side` x `side` images of 5 classes, written into `folder` as IDX files. */
struct bittern_dataset *make_grey_dataset(const char *folder, uint64_t seed, size_t side,
                                          size_t count);
/* 32 x 32 in colour, as CIFAR-10's test split in `folder`. */
struct bittern_dataset *make_color_dataset(const char *folder, uint64_t seed, size_t count);

/* A new empty folder; and away with it. */
void make_folder(char *folder, size_t size);
void remove_folder(const char *folder);

#endif
