/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Float tensor work, behind one small interface: convolution, full connection, batch
 * normalization, pooling, reordering. One backend is built in, on oneDNN 2 (backend_onednn*.c);
 * oneDNN 3 or CUDA would be other files behind the same functions.
 *
 * An operation is created once for fixed shapes and then executed any number of times; it owns its
 * scratch memory and workspace. Activations are in the backend's type (f32 or bf16) and the
 * graph's layout. Weights, statistics and all their gradients are float32 in plain order, so that
 * quantizers and optimizers never see a layout; the operation reorders and converts.
 *
 * Gradients of weights, scale, shift and bias are overwritten, not accumulated.
 *
 * A backend and its operations are used by one thread at a time: they share scratch memory. Their
 * work runs on OpenMP's threads, whose number is set for the calling thread at each call, the one
 * effect outside of the backend. The same number of threads gives the same bits.
 */
#ifndef BITTERN_TRAIN_BACKEND_H
#define BITTERN_TRAIN_BACKEND_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum backend_type { BACKEND_F32 = 0, BACKEND_BF16 = 1 };

enum backend_layout {
    BACKEND_CHANNELS_LAST = 0, /* [image][row][column][channel] */
    BACKEND_BLOCKED = 1,       /* the backend's blocks of 8 or 16 channels; channels divide evenly,
                                  so there is no padding: elementwise work may run over all values */
    BACKEND_PLANAR = 2         /* [image][channel][row][column]: the graph's input only */
};

/* f32 where the CPU has no fast bf16 (AVX-512 BF16 or AMX), else bf16. */
enum backend_precision { BACKEND_PRECISION_AUTO, BACKEND_PRECISION_F32, BACKEND_PRECISION_BF16 };

struct backend;

struct backend_options {
    size_t threads; /* 0: as many as the process may use */
    enum backend_precision precision;
};

/* BITTERN_ERR_UNSUPPORTED where bf16 was asked for and the CPU cannot. */
bittern_status backend_create(const struct backend_options *options, struct backend **backend,
                              struct bittern_error *err);
void backend_free(struct backend *backend);
size_t backend_threads(const struct backend *backend);
enum backend_type backend_activation_type(const struct backend *backend);
/* For people: "oneDNN 2.6.3, f32, AVX2, 2 threads"; lives as long as the backend. */
const char *backend_description(const struct backend *backend);
/* Channels that a block of BACKEND_BLOCKED has; 0 where that layout brings nothing. */
size_t backend_block_channels(const struct backend *backend);

/* ---- Tensors --------------------------------------------------------------------------------- */

/* Activations of a batch; vectors are {n, features, 1, 1}, channels last. */
struct backend_tensor {
    size_t n, c, h, w;
    enum backend_type type;
    enum backend_layout layout;
    void *data; /* 64-byte aligned; float or uint16_t (bf16) */
};

static inline size_t backend_tensor_count(const struct backend_tensor *tensor)
{
    return tensor->n * tensor->c * tensor->h * tensor->w;
}

/* Fill in data for a tensor whose other members are set; zeroed. */
bittern_status backend_tensor_allocate(struct backend *backend, struct backend_tensor *tensor,
                                       struct bittern_error *err);
void backend_tensor_release(struct backend *backend, struct backend_tensor *tensor);

/* Copy with change of layout and type between tensors of equal shape. */
struct backend_reorder;
bittern_status backend_reorder_create(struct backend *backend, const struct backend_tensor *from,
                                      const struct backend_tensor *to, struct backend_reorder **op,
                                      struct bittern_error *err);
bittern_status backend_reorder_run(struct backend_reorder *op, const struct backend_tensor *from,
                                   struct backend_tensor *to, struct bittern_error *err);
void backend_reorder_free(struct backend_reorder *op);

/* ---- Convolution (cross-correlation) --------------------------------------------------------- */

struct backend_conv_shape {
    size_t n, in_channels, in_h, in_w;
    size_t out_channels, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
    size_t out_h, out_w; /* (in + 2 pad - kernel) / stride + 1, rounded down */
};

struct backend_conv;
/* src and dst give type and layout; their data is not used. Without need_diff_src the first
 * layer saves its most useless pass. */
bittern_status backend_conv_create(struct backend *backend, const struct backend_conv_shape *shape,
                                   const struct backend_tensor *src,
                                   const struct backend_tensor *dst, bool need_diff_src,
                                   struct backend_conv **op, struct bittern_error *err);
/* weights [out_channels][kernel_h][kernel_w][in_channels]; bias [out_channels] or NULL */
bittern_status backend_conv_forward(struct backend_conv *op, const struct backend_tensor *src,
                                    const float *weights, const float *bias,
                                    struct backend_tensor *dst, struct bittern_error *err);
/* diff_bias NULL: none; diff_src NULL: not wanted. weights as in the forward pass. */
bittern_status backend_conv_backward(struct backend_conv *op, const struct backend_tensor *src,
                                     const float *weights, const struct backend_tensor *diff_dst,
                                     float *diff_weights, float *diff_bias,
                                     struct backend_tensor *diff_src, struct bittern_error *err);
void backend_conv_free(struct backend_conv *op);

/* ---- Full connection ------------------------------------------------------------------------- */

struct backend_fc;
/* src must be channels last; its h x w x c values are one vector in (row, column, channel) order */
bittern_status backend_fc_create(struct backend *backend, const struct backend_tensor *src,
                                 const struct backend_tensor *dst, bool need_diff_src,
                                 struct backend_fc **op, struct bittern_error *err);
/* weights [outputs][inputs]; bias [outputs] or NULL */
bittern_status backend_fc_forward(struct backend_fc *op, const struct backend_tensor *src,
                                  const float *weights, const float *bias,
                                  struct backend_tensor *dst, struct bittern_error *err);
bittern_status backend_fc_backward(struct backend_fc *op, const struct backend_tensor *src,
                                   const float *weights, const struct backend_tensor *diff_dst,
                                   float *diff_weights, float *diff_bias,
                                   struct backend_tensor *diff_src, struct bittern_error *err);
void backend_fc_free(struct backend_fc *op);

/* ---- Batch normalization (Ioffe, Szegedy 2015) ----------------------------------------------- */

struct backend_norm;
/* with relu: dst = max(0, normalized) */
bittern_status backend_norm_create(struct backend *backend, const struct backend_tensor *src,
                                   double epsilon, bool relu, struct backend_norm **op,
                                   struct bittern_error *err);
/* dst = scale * (src - mean) / sqrt(variance + epsilon) + shift; all [channels].
 * training: mean and variance (biased) of this batch are computed and stored; else they are read.
 */
bittern_status backend_norm_forward(struct backend_norm *op, const struct backend_tensor *src,
                                    const float *scale, const float *shift, float *mean,
                                    float *variance, bool training, struct backend_tensor *dst,
                                    struct bittern_error *err);
/* mean, variance: those of the training forward pass, which must have come before */
bittern_status backend_norm_backward(struct backend_norm *op, const struct backend_tensor *src,
                                     const float *scale, const float *shift, const float *mean,
                                     const float *variance, const struct backend_tensor *diff_dst,
                                     struct backend_tensor *diff_src, float *diff_scale,
                                     float *diff_shift, struct bittern_error *err);
void backend_norm_free(struct backend_norm *op);

/* ---- Pooling --------------------------------------------------------------------------------- */

enum backend_pool_kind {
    BACKEND_POOL_MAX,
    BACKEND_POOL_AVERAGE /* padding is not counted */
};

struct backend_pool_shape {
    enum backend_pool_kind kind;
    size_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

struct backend_pool;
bittern_status backend_pool_create(struct backend *backend, const struct backend_pool_shape *shape,
                                   const struct backend_tensor *src,
                                   const struct backend_tensor *dst, struct backend_pool **op,
                                   struct bittern_error *err);
bittern_status backend_pool_forward(struct backend_pool *op, const struct backend_tensor *src,
                                    struct backend_tensor *dst, struct bittern_error *err);
/* after a forward pass, whose choice of maxima it uses */
bittern_status backend_pool_backward(struct backend_pool *op, const struct backend_tensor *diff_dst,
                                     struct backend_tensor *diff_src, struct bittern_error *err);
void backend_pool_free(struct backend_pool *op);

/* ---- Time spent ------------------------------------------------------------------------------ */

/* Seconds inside the library's primitives since the last reset, for the speed benchmark: what a
 * step takes beyond this is ours. Always counted; two clock readings a primitive. */
double backend_primitive_seconds(const struct backend *backend);
void backend_reset_primitive_seconds(struct backend *backend);

#endif
