/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the oneDNN backend (backend_onednn*.c) share. oneDNN 2's types appear here and
 * there only.
 *
 * A primitive is a struct onednn_op: created from a oneDNN descriptor and a list of its arguments,
 * then run on a list of addresses in the same order. Scratch memory and reordered weights live in
 * buffers of the backend, which all operations share since one runs at a time.
 */
#ifndef BITTERN_TRAIN_ONEDNN_H
#define BITTERN_TRAIN_ONEDNN_H

#include "backend.h"

#include <oneapi/dnnl/dnnl.h>

enum { ONEDNN_MAX_ARGS = 12 };

/* Memory that grows and is never moved while an operation runs. */
struct onednn_buffer {
    void *data;
    size_t size;
};

/* Buffers that operations use during one call, and forget. */
enum onednn_staging_slot {
    ONEDNN_STAGING_WEIGHTS,
    ONEDNN_STAGING_SOURCE,
    ONEDNN_STAGING_GRADIENT,
    ONEDNN_STAGING_SLOTS
};

struct backend {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    size_t threads;
    size_t block; /* channels of a blocked layout's block; 0: none */
    enum backend_type type;
    double seconds; /* spent in primitives */
    struct onednn_buffer scratch;
    struct onednn_buffer staging[ONEDNN_STAGING_SLOTS];
    char description[96];
};

/* Fill in err: "cannot WHAT: oneDNN says 'unimplemented'". @return the fitting status */
bittern_status onednn_fail(struct bittern_error *err, dnnl_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Make room for size bytes, aligned; what the buffer held is lost. */
bittern_status onednn_buffer_reserve(struct onednn_buffer *buffer, size_t size,
                                     struct bittern_error *err);

/* ---- Memory descriptors ---------------------------------------------------------------------- */

/* Of a tensor as it lies in memory. An error where a size is 0 or does not fit its layout. */
bittern_status onednn_tensor_desc(const struct backend *backend,
                                  const struct backend_tensor *tensor, dnnl_memory_desc_t *desc,
                                  struct bittern_error *err);
/* The same sizes and type in another layout of oneDNN's choice, or plain: `tag`. */
bittern_status onednn_desc(const dnnl_dim_t *sizes, int rank, dnnl_data_type_t type,
                           dnnl_format_tag_t tag, dnnl_memory_desc_t *desc,
                           struct bittern_error *err);
dnnl_data_type_t onednn_type(enum backend_type type);

/* Does a window moved over `in` values, padded on both sides, give `out`? Never one of padding
 * alone.
 */
bool onednn_window_fits(size_t in, size_t kernel, size_t stride, size_t pad, size_t out);

/* Does a tensor have the shape, type, layout and data that its operation was created for? */
bittern_status onednn_check_tensor(const struct backend_tensor *tensor,
                                   const struct backend_tensor *expected, const char *what,
                                   struct bittern_error *err);

/* ---- Primitives ------------------------------------------------------------------------------ */

struct onednn_op {
    struct backend *backend;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[ONEDNN_MAX_ARGS];
    int arg_count; /* without scratch memory, which comes behind them */
    bool needs_scratch;
};

/* How to make a primitive. */
struct onednn_plan {
    const_dnnl_op_desc_t desc; /* a dnnl_*_desc_t */
    /* Taken instead where oneDNN has only its slow kernel for any shape ("ref") for desc; or NULL.
     */
    const_dnnl_op_desc_t otherwise;
    const_dnnl_primitive_desc_t hint; /* of the forward pass, for a backward one; or NULL */
    const int *args;                  /* [arg_count]: DNNL_ARG_* in the order of onednn_op_run */
    int arg_count;
    const char *what; /* for messages: "convolution 3x32x32 -> ..., forward" */
};

/* op is {0} or freed before; on failure it stays so that onednn_op_free is fine. */
bittern_status onednn_op_create(struct backend *backend, const struct onednn_plan *plan,
                                struct onednn_op *op, struct bittern_error *err);
bittern_status onednn_op_create_reorder(struct backend *backend, const dnnl_memory_desc_t *from,
                                        const dnnl_memory_desc_t *to, struct onednn_op *op,
                                        struct bittern_error *err);
/* data: addresses in the order of the plan's args, surplus ones are left out; a reorder's: from,
 * to. Those of inputs are not written to, so a caller may cast their const away. */
#define ONEDNN_COUNT(data) ((int)(sizeof(data) / sizeof(data)[0]))
bittern_status onednn_op_run(struct onednn_op *op, void *const *data, int data_count,
                             struct bittern_error *err);
void onednn_op_free(struct onednn_op *op);
/* The layout of an argument that the primitive has chosen; it lives as long as op. */
const dnnl_memory_desc_t *onednn_op_arg_desc(const struct onednn_op *op, int arg);

/* ---- Plain values where a primitive wants another order or type ------------------------------ */

/* Nothing is copied where both are the same. */
struct onednn_staging {
    struct onednn_op reorder;
    enum onednn_staging_slot slot;
    bool needed;
};

bittern_status onednn_staging_create(struct backend *backend, enum onednn_staging_slot slot,
                                     const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                     struct onednn_staging *staging, struct bittern_error *err);
/* Before a primitive: *staged is where it finds `plain` as it wants it. */
bittern_status onednn_staging_put(struct onednn_staging *staging, const void *plain, void **staged,
                                  struct bittern_error *err);
/* Where a primitive shall write, so that onednn_staging_get after it fills in `plain`. */
void *onednn_staging_target(const struct onednn_staging *staging, void *plain);
bittern_status onednn_staging_get(struct onednn_staging *staging, void *plain,
                                  struct bittern_error *err);
void onednn_staging_free(struct onednn_staging *staging);

#endif
