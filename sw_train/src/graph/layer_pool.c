/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum and average pooling, by the backend's operation. */
#include "graph/layer.h"

#include <stdlib.h>

struct pool_state {
    struct backend_pool_shape shape;
    struct backend_pool *op;
};

static bittern_status pool_forward(struct layer *layer, enum graph_mode mode, uint64_t step,
                                   struct bittern_error *err)
{
    (void)mode;
    (void)step;
    struct pool_state *pool = layer->state;
    return backend_pool_forward(pool->op, layer_input(layer, 0), layer_output(layer), err);
}

static bittern_status pool_backward(struct layer *layer, struct bittern_error *err)
{
    struct pool_state *pool = layer->state;
    return backend_pool_backward(pool->op, layer_output_gradient(layer), &layer->diff[0], err);
}

static void pool_destroy(struct layer *layer)
{
    struct pool_state *pool = layer->state;
    backend_pool_free(pool->op);
    free(pool);
}

static void pool_describe(const struct layer *layer, struct layer_info *info)
{
    const struct pool_state *pool = layer->state;
    info->pool = pool->shape;
}

static const struct layer_class pool_class = {
    .kind = LAYER_POOL,
    .forward = pool_forward,
    .backward = pool_backward,
    .destroy = pool_destroy,
    .describe = pool_describe,
};

bittern_status graph_add_pool(struct graph *graph, const char *name, size_t input,
                              const struct backend_pool_shape *shape, size_t *output,
                              struct bittern_error *err)
{
    struct layer *layer = NULL;
    bittern_status status = graph_check_layer(graph, name, &input, 1, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (shape->kernel_h == 0 || shape->kernel_w == 0 || shape->stride_h == 0 ||
        shape->stride_w == 0 || shape->pad_h > shape->kernel_h / 2 ||
        shape->pad_w > shape->kernel_w / 2) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "layer '%s': window and stride must be at least 1, and the pad at "
                                 "most half of the window",
                                 name);
    }
    const struct backend_tensor *src = graph_value(graph, input);
    struct backend_tensor dst = *src;
    if (!graph_window_size(src->h, shape->kernel_h, shape->stride_h, shape->pad_h, &dst.h) ||
        !graph_window_size(src->w, shape->kernel_w, shape->stride_w, shape->pad_w, &dst.w)) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "layer '%s': a window of %zux%zu does not fit into its input of "
                                 "%zux%zu",
                                 name, shape->kernel_h, shape->kernel_w, src->h, src->w);
    }
    struct pool_state *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return graph_out_of_memory(name, err);
    }
    pool->shape = *shape;
    status = backend_pool_create(graph->backend, shape, src, &dst, &pool->op, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer '%s'", name);
        free(pool);
        return status;
    }
    return graph_add_layer(graph, &pool_class, name, &input, 1, &dst, false, pool, output, &layer,
                           err);
}
