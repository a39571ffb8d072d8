/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One item a layer; a full connection behind blocked maps has its reorders in its item, too. All
 * items work on the same few arrays, as large as the largest needs, since only one runs at a time.
 */
#include "train_primitives.h"

#include "backend/backend_bf16.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 1024 };

enum array {
    ARRAY_SRC,
    ARRAY_DST,
    ARRAY_DIFF_SRC,
    ARRAY_DIFF_DST,
    ARRAY_VECTOR, /* a channels-last copy of blocked maps */
    ARRAY_COUNT
};

struct item {
    char name[64];
    struct layer_info info;
    struct backend_tensor src, dst, vector;
    bool need_diff_src;
    struct backend_conv *conv;
    struct backend_fc *fc;
    struct backend_norm *norm;
    struct backend_pool *pool;
    struct backend_reorder *to_vector, *from_vector;
    double forward[MAX_RUNS], backward[MAX_RUNS];
};

struct train_primitives {
    struct backend *backend;
    struct item *items;
    size_t item_count, runs;
    struct backend_tensor arrays[ARRAY_COUNT]; /* each [1][1][1][values] */
    float *weights, *diff_weights;
    float *channels[6]; /* scale, shift, mean, variance, and two gradients */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* A tensor of `like`'s shape in one of the arrays. */
static struct backend_tensor place(const struct train_primitives *p,
                                   const struct backend_tensor *like, enum array array)
{
    struct backend_tensor tensor = *like;
    tensor.data = p->arrays[array].data;
    return tensor;
}

static bittern_status create_fc(struct train_primitives *p, struct item *item,
                                struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    item->vector = item->src;
    item->vector.layout = BACKEND_CHANNELS_LAST;
    if (item->src.layout != BACKEND_CHANNELS_LAST) {
        status =
            backend_reorder_create(p->backend, &item->src, &item->vector, &item->to_vector, err);
        if (status == BITTERN_OK) {
            status = backend_reorder_create(p->backend, &item->vector, &item->src,
                                            &item->from_vector, err);
        }
    }
    return status == BITTERN_OK ? backend_fc_create(p->backend, &item->vector, &item->dst,
                                                    item->need_diff_src, &item->fc, err)
                                : status;
}

static bittern_status create_operation(struct train_primitives *p, struct item *item,
                                       struct bittern_error *err)
{
    const struct layer_info *info = &item->info;
    switch (info->kind) {
    case LAYER_CONV:
        return backend_conv_create(p->backend, &info->conv, &item->src, &item->dst,
                                   item->need_diff_src, &item->conv, err);
    case LAYER_FC:
        return create_fc(p, item, err);
    case LAYER_NORM:
        return backend_norm_create(p->backend, &item->src, info->epsilon, info->relu, &item->norm,
                                   err);
    case LAYER_POOL:
        return backend_pool_create(p->backend, &info->pool, &item->src, &item->dst, &item->pool,
                                   err);
    case LAYER_ACTIVATION:
    case LAYER_ADD:
    case LAYER_DROPOUT:
        break; /* not the backend's */
    }
    return BITTERN_OK;
}

static bittern_status create_items(struct train_primitives *p, const struct graph *graph,
                                   struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < graph_layer_count(graph); ++i) {
        struct item *item = &p->items[p->item_count];
        graph_layer(graph, i, &item->info);
        item->src = *graph_tensor(graph, item->info.input);
        item->dst = *graph_tensor(graph, item->info.output);
        item->src.data = item->dst.data = NULL;
        item->need_diff_src = item->info.input > 0;
        (void)snprintf(item->name, sizeof item->name, "%s", item->info.name);
        status = create_operation(p, item, err);
        p->item_count += item->conv || item->fc || item->norm || item->pool;
    }
    return status;
}

static void fill_values(struct backend_tensor *tensor)
{
    struct rng rng = rng_start(1, RNG_INITIAL_WEIGHTS, 0);
    for (size_t i = 0; i < backend_tensor_count(tensor); ++i) {
        float value = (float)(2.0 * rng_unit(&rng) - 1.0);
        if (tensor->type == BACKEND_BF16) {
            ((uint16_t *)tensor->data)[i] = bf16_from_float(value);
        } else {
            ((float *)tensor->data)[i] = value;
        }
    }
}

static float *random_floats(size_t count)
{
    struct rng rng = rng_start(2, RNG_INITIAL_WEIGHTS, 0);
    float *values = calloc(count, sizeof *values);
    for (size_t i = 0; values && i < count; ++i) {
        values[i] = (float)(0.1 + rng_unit(&rng)); /* a variance can't be negative */
    }
    return values;
}

static bittern_status create_arrays(struct train_primitives *p, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    size_t values = 1;
    size_t weights = 1;
    size_t channels = 1;
    bool complete;

    for (size_t i = 0; i < p->item_count; ++i) {
        const struct item *item = &p->items[i];
        const struct backend_conv_shape *c = &item->info.conv;
        values = larger(values,
                        larger(backend_tensor_count(&item->src), backend_tensor_count(&item->dst)));
        channels = larger(channels, larger(item->src.c, item->dst.c));
        if (item->conv || item->fc) {
            weights = larger(weights, c->out_channels * c->in_channels * c->kernel_h * c->kernel_w);
        }
    }
    for (size_t i = 0; status == BITTERN_OK && i < ARRAY_COUNT; ++i) {
        p->arrays[i] = (struct backend_tensor){.n = 1,
                                               .c = 1,
                                               .h = 1,
                                               .w = values,
                                               .type = backend_activation_type(p->backend),
                                               .layout = BACKEND_CHANNELS_LAST};
        status = backend_tensor_allocate(p->backend, &p->arrays[i], err);
        if (status == BITTERN_OK) {
            fill_values(&p->arrays[i]);
        }
    }
    p->weights = random_floats(weights);
    p->diff_weights = random_floats(weights);
    complete = p->weights && p->diff_weights;
    for (size_t i = 0; i < sizeof p->channels / sizeof p->channels[0]; ++i) {
        p->channels[i] = random_floats(channels);
        complete = complete && p->channels[i];
    }
    if (status == BITTERN_OK && !complete) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for random numbers");
    }
    return status;
}

bittern_status train_primitives_create(struct backend *backend, const struct graph *graph,
                                       struct train_primitives **primitives,
                                       struct bittern_error *err)
{
    struct train_primitives *p = calloc(1, sizeof *p);
    bittern_status status;

    *primitives = NULL;
    if (p) {
        p->backend = backend;
        /* one more than there can be: never 0, and the last one is of a layer without operation */
        p->items = calloc(graph_layer_count(graph) + 1, sizeof *p->items);
    }
    if (!p || !p->items) {
        free(p);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for operations");
    }
    status = create_items(p, graph, err);
    if (status == BITTERN_OK) {
        status = create_arrays(p, err);
    }
    if (status != BITTERN_OK) {
        train_primitives_free(p);
        return status;
    }
    *primitives = p;
    return BITTERN_OK;
}

void train_primitives_free(struct train_primitives *primitives)
{
    if (!primitives) {
        return;
    }
    for (size_t i = 0; i < primitives->item_count; ++i) {
        struct item *item = &primitives->items[i];
        backend_conv_free(item->conv);
        backend_fc_free(item->fc);
        backend_norm_free(item->norm);
        backend_pool_free(item->pool);
        backend_reorder_free(item->to_vector);
        backend_reorder_free(item->from_vector);
    }
    for (size_t i = 0; i < ARRAY_COUNT; ++i) {
        backend_tensor_release(primitives->backend, &primitives->arrays[i]);
    }
    for (size_t i = 0; i < sizeof primitives->channels / sizeof primitives->channels[0]; ++i) {
        free(primitives->channels[i]);
    }
    free(primitives->weights);
    free(primitives->diff_weights);
    free(primitives->items);
    free(primitives);
}

/* ---- Running --------------------------------------------------------------------------------- */

static bittern_status run_forward(struct train_primitives *p, struct item *item,
                                  struct bittern_error *err)
{
    struct backend_tensor src = place(p, &item->src, ARRAY_SRC);
    struct backend_tensor dst = place(p, &item->dst, ARRAY_DST);
    struct backend_tensor vector = place(p, &item->vector, ARRAY_VECTOR);
    const float *bias = item->info.bias ? p->channels[0] : NULL;
    bittern_status status;

    switch (item->info.kind) {
    case LAYER_CONV:
        return backend_conv_forward(item->conv, &src, p->weights, bias, &dst, err);
    case LAYER_FC:
        if (!item->to_vector) {
            return backend_fc_forward(item->fc, &src, p->weights, bias, &dst, err);
        }
        status = backend_reorder_run(item->to_vector, &src, &vector, err);
        return status == BITTERN_OK
                   ? backend_fc_forward(item->fc, &vector, p->weights, bias, &dst, err)
                   : status;
    case LAYER_NORM:
        return backend_norm_forward(item->norm, &src, p->channels[0], p->channels[1],
                                    p->channels[2], p->channels[3], true, &dst, err);
    default:
        return backend_pool_forward(item->pool, &src, &dst, err);
    }
}

static bittern_status run_backward(struct train_primitives *p, struct item *item,
                                   struct bittern_error *err)
{
    struct backend_tensor src = place(p, &item->src, ARRAY_SRC);
    struct backend_tensor diff_dst = place(p, &item->dst, ARRAY_DIFF_DST);
    struct backend_tensor diff_src = place(p, &item->src, ARRAY_DIFF_SRC);
    struct backend_tensor vector = place(p, &item->vector, ARRAY_SRC);
    struct backend_tensor diff_vector = place(p, &item->vector, ARRAY_VECTOR);
    struct backend_tensor *diff = item->need_diff_src ? &diff_src : NULL;
    float *diff_bias = item->info.bias ? p->channels[4] : NULL;
    bittern_status status;

    switch (item->info.kind) {
    case LAYER_CONV:
        return backend_conv_backward(item->conv, &src, p->weights, &diff_dst, p->diff_weights,
                                     diff_bias, diff, err);
    case LAYER_FC:
        if (!item->to_vector) {
            return backend_fc_backward(item->fc, &src, p->weights, &diff_dst, p->diff_weights,
                                       diff_bias, diff, err);
        }
        status = backend_fc_backward(item->fc, &vector, p->weights, &diff_dst, p->diff_weights,
                                     diff_bias, &diff_vector, err);
        return status == BITTERN_OK
                   ? backend_reorder_run(item->from_vector, &diff_vector, &diff_src, err)
                   : status;
    case LAYER_NORM:
        return backend_norm_backward(item->norm, &src, p->channels[0], p->channels[1],
                                     p->channels[2], p->channels[3], &diff_dst, &diff_src,
                                     p->channels[4], p->channels[5], err);
    default:
        return backend_pool_backward(item->pool, &diff_dst, &diff_src, err);
    }
}

bittern_status train_primitives_run(struct train_primitives *primitives, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    if (primitives->runs == MAX_RUNS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "more than %d runs", MAX_RUNS);
    }
    for (size_t i = 0; status == BITTERN_OK && i < primitives->item_count; ++i) {
        struct item *item = &primitives->items[i];
        backend_reset_primitive_seconds(primitives->backend);
        status = run_forward(primitives, item, err);
        item->forward[primitives->runs] = backend_primitive_seconds(primitives->backend);
        backend_reset_primitive_seconds(primitives->backend);
        if (status == BITTERN_OK) {
            status = run_backward(primitives, item, err);
        }
        item->backward[primitives->runs] = backend_primitive_seconds(primitives->backend);
    }
    primitives->runs += status == BITTERN_OK;
    return status;
}

void train_primitives_reset(struct train_primitives *primitives)
{
    primitives->runs = 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, size_t count)
{
    double sorted[MAX_RUNS];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return sorted[count / 2];
}

bool train_primitives_median(const struct train_primitives *primitives, size_t index,
                             const char **name, double *forward, double *backward)
{
    if (index >= primitives->item_count || primitives->runs == 0) {
        return false;
    }
    *name = primitives->items[index].name;
    *forward = median(primitives->items[index].forward, primitives->runs);
    *backward = median(primitives->items[index].backward, primitives->runs);
    return true;
}
