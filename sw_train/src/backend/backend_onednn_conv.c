/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution on oneDNN: forward, backward by data, and backward by weights with and without bias.
 * The primitives choose the layout of weights, each another one; plain weights are reordered, and
 * in bf16 converted, on every pass, which takes under 1 % of VGG-7's step.
 *
 * For some first layers (few channels) oneDNN has a fast kernel only for another layout of the
 * source; the source, a small one there, is then reordered, too.
 */
#include "onednn.h"

#include <stdio.h>
#include <stdlib.h>

struct backend_conv {
    struct backend *backend;
    struct backend_conv_shape shape;
    struct backend_tensor src, dst; /* without data */
    bool has_diff_src;
    char name[128]; /* for messages */
    struct onednn_op forward, backward_data;
    struct onednn_op backward_weights[2]; /* without, with diff_bias */
    struct onednn_staging forward_weights, data_weights, diff_weights[2];
    struct onednn_staging forward_src, weights_src[2];
    float *zero_bias; /* [out_channels], where the caller has none */
};

/* Everything that a primitive's descriptor needs. */
struct conv_descs {
    dnnl_memory_desc_t src, dst, bias;
    dnnl_memory_desc_t any_src, any_weights, any_diff_weights; /* for the primitive to choose */
    dnnl_memory_desc_t plain_weights; /* the caller's: float, [out][h][w][in] */
    dnnl_dims_t strides, padding;
};

static bool same_sizes(const struct backend_tensor *tensor, size_t n, size_t c, size_t h, size_t w)
{
    return tensor->n == n && tensor->c == c && tensor->h == h && tensor->w == w;
}

static bittern_status check_shape(const struct backend_conv *conv, struct bittern_error *err)
{
    const struct backend_conv_shape *s = &conv->shape;

    if (!onednn_window_fits(s->in_h, s->kernel_h, s->stride_h, s->pad_h, s->out_h) ||
        !onednn_window_fits(s->in_w, s->kernel_w, s->stride_w, s->pad_w, s->out_w) ||
        !same_sizes(&conv->src, s->n, s->in_channels, s->in_h, s->in_w) ||
        !same_sizes(&conv->dst, s->n, s->out_channels, s->out_h, s->out_w)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "%s: kernel, stride and padding do not give this output, or the "
                                 "tensors have another shape",
                                 conv->name);
    }
    return BITTERN_OK;
}

/* oneDNN has no fast kernels for other pairs. One planar channel is channels last, too. */
static bittern_status check_layouts(struct backend_conv *conv, struct bittern_error *err)
{
    enum backend_layout from = conv->src.layout;
    enum backend_layout to = conv->dst.layout;

    if (conv->src.type != conv->dst.type) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: source and destination differ in type", conv->name);
    }
    if (from == BACKEND_PLANAR && conv->src.c == 1 && to == BACKEND_CHANNELS_LAST) {
        from = BACKEND_CHANNELS_LAST;
    }
    if (to == BACKEND_PLANAR || (from != to && (from != BACKEND_PLANAR || to != BACKEND_BLOCKED))) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: source and destination must both be channels last, or both "
                                 "blocked, or planar and blocked",
                                 conv->name);
    }
    return BITTERN_OK;
}

static void name_conv(struct backend_conv *conv)
{
    const struct backend_conv_shape *s = &conv->shape;
    (void)snprintf(conv->name, sizeof conv->name, "convolution %zux%zux%zux%zu -> %zux%zux%zu, %s",
                   s->n, s->in_channels, s->in_h, s->in_w, s->out_channels, s->out_h, s->out_w,
                   conv->src.type == BACKEND_BF16 ? "bf16" : "f32");
}

static bittern_status make_descs(const struct backend_conv *conv, struct conv_descs *d,
                                 struct bittern_error *err)
{
    const struct backend_conv_shape *s = &conv->shape;
    const dnnl_dim_t weights[4] = {(dnnl_dim_t)s->out_channels, (dnnl_dim_t)s->in_channels,
                                   (dnnl_dim_t)s->kernel_h, (dnnl_dim_t)s->kernel_w};
    bittern_status status = onednn_tensor_desc(conv->backend, &conv->src, &d->src, err);

    if (conv->src.layout == BACKEND_PLANAR && conv->dst.layout == BACKEND_CHANNELS_LAST) {
        struct backend_tensor same = conv->src;
        same.layout = BACKEND_CHANNELS_LAST;
        status = onednn_tensor_desc(conv->backend, &same, &d->src, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_tensor_desc(conv->backend, &conv->dst, &d->dst, err);
    }
    if (status == BITTERN_OK) {
        status =
            onednn_desc(d->src.dims, 4, d->src.data_type, dnnl_format_tag_any, &d->any_src, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 1, dnnl_f32, dnnl_a, &d->bias, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 4, onednn_type(conv->src.type), dnnl_format_tag_any,
                             &d->any_weights, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 4, dnnl_f32, dnnl_format_tag_any, &d->any_diff_weights, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_desc(weights, 4, dnnl_f32, dnnl_ohwi, &d->plain_weights, err);
    }
    d->strides[0] = (dnnl_dim_t)s->stride_h;
    d->strides[1] = (dnnl_dim_t)s->stride_w;
    d->padding[0] = (dnnl_dim_t)s->pad_h;
    d->padding[1] = (dnnl_dim_t)s->pad_w;
    return status;
}

static dnnl_status_t describe_forward(const struct conv_descs *d, const dnnl_memory_desc_t *src,
                                      dnnl_convolution_desc_t *desc)
{
    return dnnl_convolution_forward_desc_init(desc, dnnl_forward_training, dnnl_convolution_direct,
                                              src, &d->any_weights, &d->bias, &d->dst, d->strides,
                                              d->padding, NULL);
}

static bittern_status create_forward(struct backend_conv *conv, const struct conv_descs *d,
                                     struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST};
    struct onednn_op *op = &conv->forward;
    dnnl_convolution_desc_t desc;
    dnnl_convolution_desc_t reordered;
    dnnl_status_t dnnl = describe_forward(d, &d->src, &desc);

    if (dnnl == dnnl_success) {
        dnnl = describe_forward(d, &d->any_src, &reordered);
    }
    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the %s", conv->name);
    }
    const struct onednn_plan plan = {&desc, &reordered, NULL, args, 4, conv->name};
    bittern_status status = onednn_op_create(conv->backend, &plan, op, err);
    if (status == BITTERN_OK) {
        status =
            onednn_staging_create(conv->backend, ONEDNN_STAGING_SOURCE, &d->src,
                                  onednn_op_arg_desc(op, DNNL_ARG_SRC), &conv->forward_src, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_create(conv->backend, ONEDNN_STAGING_WEIGHTS, &d->plain_weights,
                                       onednn_op_arg_desc(op, DNNL_ARG_WEIGHTS),
                                       &conv->forward_weights, err);
    }
    return status;
}

static bittern_status create_backward_data(struct backend_conv *conv, const struct conv_descs *d,
                                           struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
    dnnl_convolution_desc_t desc;
    dnnl_status_t dnnl = dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct,
                                                                  &d->src, &d->any_weights, &d->dst,
                                                                  d->strides, d->padding, NULL);
    const struct onednn_plan plan = {&desc, NULL, conv->forward.desc, args, 3, conv->name};

    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the backward %s", conv->name);
    }
    bittern_status status = onednn_op_create(conv->backend, &plan, &conv->backward_data, err);
    if (status != BITTERN_OK) {
        return status;
    }
    return onednn_staging_create(conv->backend, ONEDNN_STAGING_WEIGHTS, &d->plain_weights,
                                 onednn_op_arg_desc(&conv->backward_data, DNNL_ARG_WEIGHTS),
                                 &conv->data_weights, err);
}

static dnnl_status_t describe_backward_weights(const struct conv_descs *d, bool bias,
                                               const dnnl_memory_desc_t *src,
                                               dnnl_convolution_desc_t *desc)
{
    return dnnl_convolution_backward_weights_desc_init(desc, dnnl_convolution_direct, src,
                                                       &d->any_diff_weights, bias ? &d->bias : NULL,
                                                       &d->dst, d->strides, d->padding, NULL);
}

static bittern_status create_backward_weights(struct backend_conv *conv, bool bias,
                                              const struct conv_descs *d, struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS,
                               DNNL_ARG_DIFF_BIAS};
    struct onednn_op *op = &conv->backward_weights[bias];
    dnnl_convolution_desc_t desc;
    dnnl_convolution_desc_t reordered;
    dnnl_status_t dnnl = describe_backward_weights(d, bias, &d->src, &desc);

    if (dnnl == dnnl_success) {
        dnnl = describe_backward_weights(d, bias, &d->any_src, &reordered);
    }
    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "describe the backward %s", conv->name);
    }
    const struct onednn_plan plan = {&desc, &reordered,   conv->forward.desc,
                                     args,  bias ? 4 : 3, conv->name};
    bittern_status status = onednn_op_create(conv->backend, &plan, op, err);
    if (status == BITTERN_OK) {
        status = onednn_staging_create(conv->backend, ONEDNN_STAGING_SOURCE, &d->src,
                                       onednn_op_arg_desc(op, DNNL_ARG_SRC),
                                       &conv->weights_src[bias], err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_create(conv->backend, ONEDNN_STAGING_WEIGHTS,
                                       onednn_op_arg_desc(op, DNNL_ARG_DIFF_WEIGHTS),
                                       &d->plain_weights, &conv->diff_weights[bias], err);
    }
    return status;
}

static bittern_status create_all(struct backend_conv *conv, struct bittern_error *err)
{
    struct conv_descs descs = {.strides = {0}};
    bittern_status status = check_shape(conv, err);

    if (status == BITTERN_OK) {
        status = check_layouts(conv, err);
    }
    if (status == BITTERN_OK) {
        status = make_descs(conv, &descs, err);
    }
    if (status == BITTERN_OK) {
        status = create_forward(conv, &descs, err);
    }
    if (status == BITTERN_OK && conv->has_diff_src) {
        status = create_backward_data(conv, &descs, err);
    }
    for (int bias = 0; status == BITTERN_OK && bias < 2; ++bias) {
        status = create_backward_weights(conv, bias != 0, &descs, err);
    }
    return status;
}

bittern_status backend_conv_create(struct backend *backend, const struct backend_conv_shape *shape,
                                   const struct backend_tensor *src,
                                   const struct backend_tensor *dst, bool need_diff_src,
                                   struct backend_conv **op, struct bittern_error *err)
{
    struct backend_conv *conv = calloc(1, sizeof *conv);
    bittern_status status;

    *op = NULL;
    if (!conv) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a convolution");
    }
    *conv = (struct backend_conv){.backend = backend,
                                  .shape = *shape,
                                  .src = *src,
                                  .dst = *dst,
                                  .has_diff_src = need_diff_src};
    name_conv(conv);
    status = create_all(conv, err);
    if (status == BITTERN_OK) {
        conv->zero_bias = calloc(shape->out_channels, sizeof *conv->zero_bias);
        if (!conv->zero_bias) {
            status =
                bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a %s", conv->name);
        }
    }
    if (status != BITTERN_OK) {
        backend_conv_free(conv);
        return status;
    }
    *op = conv;
    return BITTERN_OK;
}

bittern_status backend_conv_forward(struct backend_conv *op, const struct backend_tensor *src,
                                    const float *weights, const float *bias,
                                    struct backend_tensor *dst, struct bittern_error *err)
{
    void *staged;
    void *source;
    bittern_status status = onednn_check_tensor(src, &op->src, "convolution's source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(dst, &op->dst, "convolution's destination", err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->forward_src, src->data, &source, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->forward_weights, weights, &staged, err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {source, staged, (void *)(bias ? bias : op->zero_bias), dst->data};
        status = onednn_op_run(&op->forward, data, ONEDNN_COUNT(data), err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", op->name);
    }
    return status;
}

static bittern_status backward_by_data(struct backend_conv *op, const float *weights,
                                       const struct backend_tensor *diff_dst,
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
        void *data[] = {diff_dst->data, staged, diff_src->data};
        status = onednn_op_run(&op->backward_data, data, ONEDNN_COUNT(data), err);
    }
    return status;
}

bittern_status backend_conv_backward(struct backend_conv *op, const struct backend_tensor *src,
                                     const float *weights, const struct backend_tensor *diff_dst,
                                     float *diff_weights, float *diff_bias,
                                     struct backend_tensor *diff_src, struct bittern_error *err)
{
    bool bias = diff_bias != NULL;
    struct onednn_staging *staging = &op->diff_weights[bias];
    void *source;
    bittern_status status = onednn_check_tensor(src, &op->src, "convolution's source", err);

    if (status == BITTERN_OK) {
        status = onednn_check_tensor(diff_dst, &op->dst, "destination's gradient", err);
    }
    if (status == BITTERN_OK && diff_src) {
        status = backward_by_data(op, weights, diff_dst, diff_src, err);
    }
    if (status == BITTERN_OK) {
        status = onednn_staging_put(&op->weights_src[bias], src->data, &source, err);
    }
    if (status == BITTERN_OK) {
        void *data[] = {source, diff_dst->data, onednn_staging_target(staging, diff_weights),
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

void backend_conv_free(struct backend_conv *op)
{
    if (!op) {
        return;
    }
    onednn_op_free(&op->forward);
    onednn_op_free(&op->backward_data);
    onednn_staging_free(&op->forward_src);
    onednn_staging_free(&op->forward_weights);
    onednn_staging_free(&op->data_weights);
    for (int bias = 0; bias < 2; ++bias) {
        onednn_op_free(&op->backward_weights[bias]);
        onednn_staging_free(&op->weights_src[bias]);
        onednn_staging_free(&op->diff_weights[bias]);
    }
    free(op->zero_bias);
    free(op);
}
