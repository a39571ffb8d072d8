/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full connection on oneDNN's inner product. The source is seen as [image][inputs]: as an image,
 * oneDNN would take a slow path. Scores may be float32 where the source is bf16; their gradient is
 * then rounded to bf16 before the backward pass, which has no mixed kernels.
 */
#include "base/checked.h"
#include "onednn.h"

#include <stdio.h>
#include <stdlib.h>

struct backend_fc {
    struct backend *backend;
    struct backend_tensor src, dst; /* without data */
    size_t inputs, outputs;
    bool has_diff_src;
    char name[96]; /* for messages */
    struct onednn_op forward, backward_data;
    struct onednn_op backward_weights[2]; /* without, with diff_bias */
    struct onednn_staging forward_weights, data_weights, diff_weights[2];
    struct onednn_staging diff_dst; /* to the source's type */
    float *zero_bias;               /* [outputs], where the caller has none */
};

/* Everything that a primitive's descriptor needs. */
struct fc_descs {
    dnnl_memory_desc_t src, dst, diff_dst, bias;
    dnnl_memory_desc_t any_weights, any_diff_weights; /* for the primitive to choose */
    dnnl_memory_desc_t plain_weights;                 /* the caller's: float, [out][in] */
    dnnl_memory_desc_t transposed_weights;            /* float, [in][out] */
};

static bittern_status check_shape(struct backend_fc *fc, struct bittern_error *err)
{
    const struct backend_tensor *src = &fc->src;
    const struct backend_tensor *dst = &fc->dst;

    if (!checked_mul_size(src->h, src->w, &fc->inputs) ||
        !checked_mul_size(fc->inputs, src->c, &fc->inputs) || fc->inputs > INT32_MAX ||
        src->n != dst->n || dst->h != 1 || dst->w != 1) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a full connection cannot make %zux%zux%zux%zu of %zux%zux%zux%zu",
                                 dst->n, dst->c, dst->h, dst->w, src->n, src->c, src->h, src->w);
    }
    fc->outputs = dst->c;
    (void)snprintf(fc->name, sizeof fc->name, "full connection %zux%zu -> %zu, %s", src->n,
                   fc->inputs, fc->outputs, src->type == BACKEND_BF16 ? "bf16" : "f32");
    if (src->layout != BACKEND_CHANNELS_LAST || dst->layout != BACKEND_CHANNELS_LAST) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: source and destination must be channels last", fc->name);
    }
    if (src->type == BACKEND_F32 && dst->type == BACKEND_BF16) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: a bf16 destination needs a bf16 source", fc->name);
    }
    return BITTERN_OK;
}

static bittern_status make_descs(const struct backend_fc *fc, struct fc_descs *d,
                                 struct bittern_error *err)
{
    const dnnl_dim_t src[2] = {(dnnl_dim_t)fc->src.n, (dnnl_dim_t)fc->inputs};
    const dnnl_dim_t dst[2] = {(dnnl_dim_t)fc->src.n, (dnnl_dim_t)fc->outputs};
    const dnnl_dim_t weights[2] = {(dnnl_dim_t)fc->outputs, (dnnl_dim_t)fc->inputs};
    dnnl_data_type_t type = onednn_type(fc->src.type);
    bittern_status status = onednn_desc(src, 2, type, dnnl_nc, &d->src, err);

    if (status == BITTERN_OK) {
        status = onednn_desc(dst, 2, onednn_type(fc->dst.type), dnnl_nc, &d->dst, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(dst, 2, type, dnnl_nc, &d->diff_dst, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 1, dnnl_f32, dnnl_a, &d->bias, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 2, type, dnnl_format_tag_any, &d->any_weights, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 2, dnnl_f32, dnnl_format_tag_any, &d->any_diff_weights, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 2, dnnl_f32, dnnl_oi, &d->plain_weights, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 2, dnnl_f32, dnnl_io, &d->transposed_weights, err);
    }
    return status;
}

static bittern_status create_forward_on(struct backend_fc *fc, const struct fc_descs *d,
                                        const dnnl_memory_desc_t *weights,
                                        struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST};
    dnnl_inner_product_desc_t desc;
    dnnl_status_t dnnl = dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_training, &d->src,
                                                              weights, &d->bias, &d->dst);
    const struct onednn_plan plan = {&desc, NULL, NULL, args, 4, fc->name};

    return dnnl == dnnl_success ? onednn_op_create(fc->backend, &plan, &fc->forward, err)
                                : onednn_fail(err, dnnl, "describe the %s", fc->name);
}

/* Without kernels for blocks of weights (AVX2) oneDNN 2.6 asks for transposed ones. As they are is
 * faster: 128x8192 -> 1024 in 14.2 ms instead of 32.4 with the reorder (two threads), 128x3136 ->
 * 512 in 2.7 instead of 4.1; its matmul is no faster. Backward it is the better layout, or equal.
 */
static bittern_status create_forward(struct backend_fc *fc, const struct fc_descs *d,
                                     struct bittern_error *err)
{
    const dnnl_memory_desc_t *chosen;
    bittern_status status = create_forward_on(fc, d, &d->any_weights, err);

    if (status != BITTERN_OK) {
        return status;
    }
    chosen = onednn_op_arg_desc(&fc->forward, DNNL_ARG_WEIGHTS);
    if (dnnl_memory_desc_equal(chosen, &d->transposed_weights)) {
        onednn_op_free(&fc->forward);
        status = create_forward_on(fc, d, &d->plain_weights, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    return onednn_staging_create(fc->backend, ONEDNN_STAGING_WEIGHTS, &d->plain_weights,
                                 onednn_op_arg_desc(&fc->forward, DNNL_ARG_WEIGHTS),
                                 &fc->forward_weights, err);
}

static bittern_status create_backward_data(struct backend_fc *fc, const struct fc_descs *d,
                                           struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
    dnnl_inner_product_desc_t desc;
    dnnl_status_t dnnl =
        dnnl_inner_product_backward_data_desc_init(&desc, &d->src, &d->any_weights, &d->diff_dst);
    const struct onednn_plan plan = {&desc, NULL, fc->forward.desc, args, 3, fc->name};

    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the backward %s", fc->name);
    }
    bittern_status status = onednn_op_create(fc->backend, &plan, &fc->backward_data, err);
    if (status != BITTERN_OK) {
        return status;
    }
    return onednn_staging_create(fc->backend, ONEDNN_STAGING_WEIGHTS, &d->plain_weights,
                                 onednn_op_arg_desc(&fc->backward_data, DNNL_ARG_WEIGHTS),
                                 &fc->data_weights, err);
}

static bittern_status create_backward_weights(struct backend_fc *fc, bool bias,
                                              const struct fc_descs *d, struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS,
                               DNNL_ARG_DIFF_BIAS};
    struct onednn_op *op = &fc->backward_weights[bias];
    dnnl_inner_product_desc_t desc;
    dnnl_status_t dnnl = dnnl_inner_product_backward_weights_desc_init(
        &desc, &d->src, &d->any_diff_weights, bias ? &d->bias : NULL, &d->diff_dst);
    const struct onednn_plan plan = {&desc, NULL, fc->forward.desc, args, bias ? 4 : 3, fc->name};

    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the backward %s", fc->name);
    }
    bittern_status status = onednn_op_create(fc->backend, &plan, op, err);
    if (status != BITTERN_OK) {
        return status;
    }
    return onednn_staging_create(fc->backend, ONEDNN_STAGING_WEIGHTS,
                                 onednn_op_arg_desc(op, DNNL_ARG_DIFF_WEIGHTS), &d->plain_weights,
                                 &fc->diff_weights[bias], err);
}

static bittern_status create_all(struct backend_fc *fc, struct bittern_error *err)
{
    struct fc_descs descs;
    bittern_status status = check_shape(fc, err);

    if (status == BITTERN_OK) {
        status = make_descs(fc, &descs, err);
    }
    if (status == BITTERN_OK) {
        status = create_forward(fc, &descs, err);
    }
    if (status == BITTERN_OK && fc->has_diff_src) {
        status = create_backward_data(fc, &descs, err);
    }
    for (int bias = 0; status == BITTERN_OK && bias < 2; ++bias) {
        status = create_backward_weights(fc, bias != 0, &descs, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_create(fc->backend, ONEDNN_STAGING_GRADIENT, &descs.dst,
                                       &descs.diff_dst, &fc->diff_dst, err);
    }
    return status;
}

bittern_status backend_fc_create(struct backend *backend, const struct backend_tensor *src,
                                 const struct backend_tensor *dst, bool need_diff_src,
                                 struct backend_fc **op, struct bittern_error *err)
{
    struct backend_fc *fc = calloc(1, sizeof *fc);
    bittern_status status;

    *op = NULL;
    if (!fc) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a full connection");
    }
    *fc = (struct backend_fc){
        .backend = backend, .src = *src, .dst = *dst, .has_diff_src = need_diff_src};
    status = create_all(fc, err);
    if (status == BITTERN_OK) {
        fc->zero_bias = calloc(fc->outputs, sizeof *fc->zero_bias);
        if (!fc->zero_bias) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a %s", fc->name);
        }
    }
    if (status != BITTERN_OK) {
        backend_fc_free(fc);
        return status;
    }
    *op = fc;
    return BITTERN_OK;
}

bittern_status backend_fc_forward(struct backend_fc *op, const struct backend_tensor *src,
                                  const float *weights, const float *bias,
                                  struct backend_tensor *dst, struct bittern_error *err)
{
    void *staged;
    bittern_status status = onednn_check_tensor(src, &op->src, "source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(dst, &op->dst, "destination", err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->forward_weights, weights, &staged, err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {src->data, staged, (void *)(bias ? bias : op->zero_bias), dst->data};
        status = onednn_op_run(&op->forward, data, ONEDNN_COUNT(data), err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

static bittern_status backward_by_data(struct backend_fc *op, const float *weights, void *diff_dst,
                                       struct backend_tensor *diff_src, struct bittern_error *err)
{
    void *staged;
    bittern_status status;

    if (!op->has_diff_src) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "it was created without a gradient of its source");
    }
    status = onednn_check_tensor(diff_src, &op->src, "source's gradient", err);
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->data_weights, weights, &staged, err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {diff_dst, staged, diff_src->data};
        status = onednn_op_run(&op->backward_data, data, ONEDNN_COUNT(data), err);
    }
    return status;
}

bittern_status backend_fc_backward(struct backend_fc *op, const struct backend_tensor *src,
                                   const float *weights, const struct backend_tensor *diff_dst,
                                   float *diff_weights, float *diff_bias,
                                   struct backend_tensor *diff_src, struct bittern_error *err)
{
    bool bias = diff_bias != NULL;
    struct onednn_staging *staging = &op->diff_weights[bias];
    void *gradient = NULL;
    bittern_status status = onednn_check_tensor(src, &op->src, "source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(diff_dst, &op->dst, "destination's gradient", err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->diff_dst, diff_dst->data, &gradient, err);
    }
    if (status == BITTERN_OK && diff_src) {
        status = backward_by_data(op, weights, gradient, diff_src, err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {src->data, gradient, onednn_staging_target(staging, diff_weights),
                        diff_bias};
        status = onednn_op_run(&op->backward_weights[bias], data, ONEDNN_COUNT(data), err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_get(staging, diff_weights, err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

void backend_fc_free(struct backend_fc *op)
{
    if (!op) {
        return;
    }
    onednn_op_free(&op->forward);
    onednn_op_free(&op->backward_data);
    onednn_staging_free(&op->forward_weights);
    onednn_staging_free(&op->data_weights);
    onednn_staging_free(&op->diff_dst);
    for (int bias = 0; bias < 2; ++bias) {
        onednn_op_free(&op->backward_weights[bias]);
        onednn_staging_free(&op->diff_weights[bias]);
    }
    free(op->zero_bias);
    free(op);
}
