/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling on oneDNN. The maximum's forward pass notes where it stood, for the backward pass. */
#include "onednn.h"

#include <stdio.h>
#include <stdlib.h>

struct backend_pool {
    struct backend *backend;
    struct backend_pool_shape shape;
    struct backend_tensor src, dst; /* without data */
    char name[128];                 /* for messages */
    struct onednn_op forward, backward;
    struct onednn_buffer workspace; /* positions of maxima */
};

struct pool_descs {
    dnnl_memory_desc_t src, dst;
    dnnl_dims_t kernel, strides, padding;
    dnnl_alg_kind_t algorithm;
};

static bittern_status check_shape(const struct backend_pool *pool, struct bittern_error *err)
{
    const struct backend_pool_shape *s = &pool->shape;
    const struct backend_tensor *src = &pool->src;
    const struct backend_tensor *dst = &pool->dst;

    if (src->n != dst->n || src->c != dst->c || src->type != dst->type ||
        src->layout != dst->layout || src->layout == BACKEND_PLANAR ||
        !onednn_window_fits(src->h, s->kernel_h, s->stride_h, s->pad_h, dst->h) ||
        !onednn_window_fits(src->w, s->kernel_w, s->stride_w, s->pad_w, dst->w)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "%s: kernel, stride and padding do not give this output, or the "
                                 "tensors differ in channels, type or layout, or are planar",
                                 pool->name);
    }
    return BITTERN_OK;
}

static bittern_status make_descs(const struct backend_pool *pool, struct pool_descs *d,
                                 struct bittern_error *err)
{
    const struct backend_pool_shape *s = &pool->shape;
    bittern_status status = onednn_tensor_desc(pool->backend, &pool->src, &d->src, err);

    if (status == BITTERN_OK) {
        status = onednn_tensor_desc(pool->backend, &pool->dst, &d->dst, err);
    }
    d->kernel[0] = (dnnl_dim_t)s->kernel_h;
    d->kernel[1] = (dnnl_dim_t)s->kernel_w;
    d->strides[0] = (dnnl_dim_t)s->stride_h;
    d->strides[1] = (dnnl_dim_t)s->stride_w;
    d->padding[0] = (dnnl_dim_t)s->pad_h;
    d->padding[1] = (dnnl_dim_t)s->pad_w;
    d->algorithm =
        s->kind == BACKEND_POOL_MAX ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    return status;
}

static bittern_status create_forward(struct backend_pool *pool, const struct pool_descs *d,
                                     struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WORKSPACE};
    dnnl_pooling_desc_t desc;
    dnnl_status_t dnnl =
        dnnl_pooling_forward_desc_init(&desc, dnnl_forward_training, d->algorithm, &d->src, &d->dst,
                                       d->strides, d->kernel, d->padding, d->padding);
    const struct onednn_plan plan = {
        &desc, NULL, NULL, args, d->algorithm == dnnl_pooling_max ? 3 : 2, pool->name};

    return dnnl == dnnl_success ? onednn_op_create(pool->backend, &plan, &pool->forward, err)
                                : onednn_fail(err, dnnl, "describe the %s", pool->name);
}

static bittern_status create_backward(struct backend_pool *pool, const struct pool_descs *d,
                                      struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC, DNNL_ARG_WORKSPACE};
    dnnl_pooling_desc_t desc;
    dnnl_status_t dnnl = dnnl_pooling_backward_desc_init(
        &desc, d->algorithm, &d->src, &d->dst, d->strides, d->kernel, d->padding, d->padding);
    const struct onednn_plan plan = {
        &desc,     NULL, pool->forward.desc, args, d->algorithm == dnnl_pooling_max ? 3 : 2,
        pool->name};

    return dnnl == dnnl_success ? onednn_op_create(pool->backend, &plan, &pool->backward, err)
                                : onednn_fail(err, dnnl, "describe the backward %s", pool->name);
}

static bittern_status create_all(struct backend_pool *pool, struct bittern_error *err)
{
    struct pool_descs descs = {.strides = {0}};
    bittern_status status = check_shape(pool, err);

    if (status == BITTERN_OK) {
        status = make_descs(pool, &descs, err);
    }
    if (status == BITTERN_OK) {
        status = create_forward(pool, &descs, err);
    }
    if (status == BITTERN_OK) {
        status = create_backward(pool, &descs, err);
    }
    if (status == BITTERN_OK && descs.algorithm == dnnl_pooling_max) {
        const dnnl_memory_desc_t *places = onednn_op_arg_desc(&pool->forward, DNNL_ARG_WORKSPACE);
        status = onednn_buffer_reserve(&pool->workspace, dnnl_memory_desc_get_size(places), err);
    }
    return status;
}

bittern_status backend_pool_create(struct backend *backend, const struct backend_pool_shape *shape,
                                   const struct backend_tensor *src,
                                   const struct backend_tensor *dst, struct backend_pool **op,
                                   struct bittern_error *err)
{
    struct backend_pool *pool = calloc(1, sizeof *pool);
    bittern_status status;

    *op = NULL;
    if (!pool) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for pooling");
    }
    *pool = (struct backend_pool){.backend = backend, .shape = *shape, .src = *src, .dst = *dst};
    (void)snprintf(pool->name, sizeof pool->name, "%s pooling %zux%zu, %zux%zux%zux%zu -> %zux%zu",
                   shape->kind == BACKEND_POOL_MAX ? "max" : "average", shape->kernel_h,
                   shape->kernel_w, src->n, src->c, src->h, src->w, dst->h, dst->w);
    status = create_all(pool, err);
    if (status != BITTERN_OK) {
        backend_pool_free(pool);
        return status;
    }
    *op = pool;
    return BITTERN_OK;
}

bittern_status backend_pool_forward(struct backend_pool *op, const struct backend_tensor *src,
                                    struct backend_tensor *dst, struct bittern_error *err)
{
    bittern_status status = onednn_check_tensor(src, &op->src, "source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(dst, &op->dst, "destination", err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {src->data, dst->data, op->workspace.data};
        status = onednn_op_run(&op->forward, data, ONEDNN_COUNT(data), err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

bittern_status backend_pool_backward(struct backend_pool *op, const struct backend_tensor *diff_dst,
                                     struct backend_tensor *diff_src, struct bittern_error *err)
{
    bittern_status status = onednn_check_tensor(diff_dst, &op->dst, "destination's gradient", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(diff_src, &op->src, "source's gradient", err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {diff_dst->data, diff_src->data, op->workspace.data};
        status = onednn_op_run(&op->backward, data, ONEDNN_COUNT(data), err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

void backend_pool_free(struct backend_pool *op)
{
    if (op) {
        onednn_op_free(&op->forward);
        onednn_op_free(&op->backward);
        free(op->workspace.data);
        free(op);
    }
}
