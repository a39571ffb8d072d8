/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization on oneDNN, with ReLU fused where asked for: the forward pass of training,
 * which computes statistics and keeps a mask for ReLU; the one of evaluation, which reads them; and
 * the backward pass of training.
 */
#include "onednn.h"

#include <stdio.h>
#include <stdlib.h>

struct backend_norm {
    struct backend *backend;
    struct backend_tensor src; /* without data */
    char name[96];             /* for messages */
    struct onednn_op training, evaluation, backward;
    struct onednn_buffer workspace; /* which values ReLU let pass */
};

/* The primitive of a forward pass. An argument that a primitive lacks (a workspace without ReLU)
 * is left out. */
static bittern_status create_forward(struct backend_norm *norm, bool training, unsigned flags,
                                     const dnnl_memory_desc_t *src, double epsilon,
                                     struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC,      DNNL_ARG_SCALE, DNNL_ARG_SHIFT,    DNNL_ARG_MEAN,
                               DNNL_ARG_VARIANCE, DNNL_ARG_DST,   DNNL_ARG_WORKSPACE};
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t dnnl = dnnl_batch_normalization_forward_desc_init(
        &desc, training ? dnnl_forward_training : dnnl_forward_inference, src, (float)epsilon,
        training ? flags : flags | dnnl_use_global_stats);
    bool masks = training && (flags & dnnl_fuse_norm_relu);
    const struct onednn_plan plan = {&desc, NULL, NULL, args, masks ? 7 : 6, norm->name};

    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the %s", norm->name);
    }
    return onednn_op_create(norm->backend, &plan, training ? &norm->training : &norm->evaluation,
                            err);
}

static bittern_status create_backward(struct backend_norm *norm, unsigned flags,
                                      const dnnl_memory_desc_t *src, double epsilon,
                                      struct bittern_error *err)
{
    /* oneDNN 2.6 reads the shift here, too, though no gradient depends on it. */
    static const int args[] = {DNNL_ARG_SRC,      DNNL_ARG_SCALE,      DNNL_ARG_SHIFT,
                               DNNL_ARG_MEAN,     DNNL_ARG_VARIANCE,   DNNL_ARG_DIFF_DST,
                               DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT,
                               DNNL_ARG_WORKSPACE};
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t dnnl = dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, src, src,
                                                                     (float)epsilon, flags);
    const struct onednn_plan plan = {
        &desc, NULL, norm->training.desc, args, flags & dnnl_fuse_norm_relu ? 10 : 9, norm->name};

    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the backward %s", norm->name);
    }
    return onednn_op_create(norm->backend, &plan, &norm->backward, err);
}

static bittern_status create_all(struct backend_norm *norm, double epsilon, bool relu,
                                 struct bittern_error *err)
{
    unsigned flags = dnnl_use_scale | dnnl_use_shift | (relu ? dnnl_fuse_norm_relu : 0U);
    dnnl_memory_desc_t src;
    bittern_status status = onednn_tensor_desc(norm->backend, &norm->src, &src, err);

    if (status == BITTERN_OK) {
        status = create_forward(norm, true, flags, &src, epsilon, err);
    }
    if (status == BITTERN_OK) {
        status = create_forward(norm, false, flags, &src, epsilon, err);
    }
    if (status == BITTERN_OK) {
        status = create_backward(norm, flags, &src, epsilon, err);
    }
    if (status == BITTERN_OK && relu) {
        const dnnl_memory_desc_t *mask = onednn_op_arg_desc(&norm->training, DNNL_ARG_WORKSPACE);
        status = onednn_buffer_reserve(&norm->workspace, dnnl_memory_desc_get_size(mask), err);
    }
    return status;
}

bittern_status backend_norm_create(struct backend *backend, const struct backend_tensor *src,
                                   double epsilon, bool relu, struct backend_norm **op,
                                   struct bittern_error *err)
{
    struct backend_norm *norm = calloc(1, sizeof *norm);
    bittern_status status;

    *op = NULL;
    if (!norm) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for batch normalization");
    }
    norm->backend = backend;
    norm->src = *src;
    (void)snprintf(norm->name, sizeof norm->name, "batch normalization of %zux%zux%zux%zu, %s%s",
                   src->n, src->c, src->h, src->w, src->type == BACKEND_BF16 ? "bf16" : "f32",
                   relu ? ", ReLU" : "");
    status = create_all(norm, epsilon, relu, err);
    if (status != BITTERN_OK) {
        backend_norm_free(norm);
        return status;
    }
    *op = norm;
    return BITTERN_OK;
}

bittern_status backend_norm_forward(struct backend_norm *op, const struct backend_tensor *src,
                                    const float *scale, const float *shift, float *mean,
                                    float *variance, bool training, struct backend_tensor *dst,
                                    struct bittern_error *err)
{
    bittern_status status = onednn_check_tensor(src, &op->src, "source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(dst, &op->src, "destination", err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {src->data, (void *)scale, (void *)shift,     mean,
                        variance,  dst->data,     op->workspace.data};
        status = onednn_op_run(training ? &op->training : &op->evaluation, data, ONEDNN_COUNT(data),
                               err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

bittern_status backend_norm_backward(struct backend_norm *op, const struct backend_tensor *src,
                                     const float *scale, const float *shift, const float *mean,
                                     const float *variance, const struct backend_tensor *diff_dst,
                                     struct backend_tensor *diff_src, float *diff_scale,
                                     float *diff_shift, struct bittern_error *err)
{
    bittern_status status = onednn_check_tensor(src, &op->src, "source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(diff_dst, &op->src, "destination's gradient", err);
    }
    if (status == BITTERN_OK) {
        status = onednn_check_tensor(diff_src, &op->src, "source's gradient", err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {src->data,        (void *)scale,     (void *)shift,  (void *)mean,
                        (void *)variance, diff_dst->data,    diff_src->data, diff_scale,
                        diff_shift,       op->workspace.data};
        status = onednn_op_run(&op->backward, data, ONEDNN_COUNT(data), err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

void backend_norm_free(struct backend_norm *op)
{
    if (op) {
        onednn_op_free(&op->training);
        onednn_op_free(&op->evaluation);
        onednn_op_free(&op->backward);
        free(op->workspace.data);
        free(op);
    }
}
