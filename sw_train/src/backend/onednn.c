/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers over oneDNN's C API: errors, buffers, memory descriptors, primitives, staged values. */
#include "onednn.h"

#include "base/checked.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALIGNMENT = 64 };

bittern_status onednn_fail(struct bittern_error *err, dnnl_status_t status, const char *format, ...)
{
    bittern_status result = status == dnnl_out_of_memory       ? BITTERN_ERR_MEMORY
                            : status == dnnl_unimplemented     ? BITTERN_ERR_UNSUPPORTED
                            : status == dnnl_invalid_arguments ? BITTERN_ERR_ARGUMENT
                                                               : BITTERN_ERR_DEVICE;
    char what[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return bittern_error_set(err, result, "cannot %s: oneDNN says '%s'", what,
                             dnnl_status2str(status));
}

bittern_status onednn_buffer_reserve(struct onednn_buffer *buffer, size_t size,
                                     struct bittern_error *err)
{
    size_t rounded;

    if (size <= buffer->size) {
        return BITTERN_OK;
    }
    free(buffer->data);
    *buffer = (struct onednn_buffer){NULL, 0};
    if (!checked_add_size(size, ALIGNMENT - 1, &rounded)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot allocate %zu bytes", size);
    }
    rounded -= rounded % ALIGNMENT;
    buffer->data = aligned_alloc(ALIGNMENT, rounded);
    if (!buffer->data) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for %zu bytes of tensors",
                                 rounded);
    }
    buffer->size = rounded;
    return BITTERN_OK;
}

/* ---- Memory descriptors ---------------------------------------------------------------------- */

dnnl_data_type_t onednn_type(enum backend_type type)
{
    return type == BACKEND_BF16 ? dnnl_bf16 : dnnl_f32;
}

bittern_status onednn_desc(const dnnl_dim_t *sizes, int rank, dnnl_data_type_t type,
                           dnnl_format_tag_t tag, dnnl_memory_desc_t *desc,
                           struct bittern_error *err)
{
    dnnl_dims_t dims = {0};
    memcpy(dims, sizes, (size_t)rank * sizeof *sizes);
    dnnl_status_t dnnl = dnnl_memory_desc_init_by_tag(desc, rank, dims, type, tag);
    return dnnl == dnnl_success ? BITTERN_OK : onednn_fail(err, dnnl, "describe a tensor");
}

static bittern_status choose_tag(const struct backend *backend, const struct backend_tensor *tensor,
                                 dnnl_format_tag_t *tag, struct bittern_error *err)
{
    switch (tensor->layout) {
    case BACKEND_CHANNELS_LAST:
        *tag = dnnl_nhwc;
        return BITTERN_OK;
    case BACKEND_PLANAR:
        *tag = dnnl_nchw;
        return BITTERN_OK;
    case BACKEND_BLOCKED:
        if (backend->block == 0 || tensor->c % backend->block != 0) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "%zu channels do not divide into blocks of %zu (%s)",
                                     tensor->c, backend->block, backend->description);
        }
        *tag = backend->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no layout %d",
                             (int)tensor->layout);
}

bittern_status onednn_tensor_desc(const struct backend *backend,
                                  const struct backend_tensor *tensor, dnnl_memory_desc_t *desc,
                                  struct bittern_error *err)
{
    const size_t sizes[4] = {tensor->n, tensor->c, tensor->h, tensor->w};
    dnnl_dim_t dims[4];
    size_t bytes = sizeof(float);
    dnnl_format_tag_t tag = dnnl_format_tag_undef;
    bittern_status status;

    for (size_t i = 0; i < 4; ++i) {
        if (sizes[i] == 0 || !checked_mul_size(bytes, sizes[i], &bytes) || bytes > INT64_MAX) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                     "a tensor of %zux%zux%zux%zu values is empty or too large",
                                     tensor->n, tensor->c, tensor->h, tensor->w);
        }
        dims[i] = (dnnl_dim_t)sizes[i];
    }
    status = choose_tag(backend, tensor, &tag, err);
    return status == BITTERN_OK ? onednn_desc(dims, 4, onednn_type(tensor->type), tag, desc, err)
                                : status;
}

bool onednn_window_fits(size_t in, size_t kernel, size_t stride, size_t pad, size_t out)
{
    const size_t limit = (size_t)1 << 30; /* far beyond any image, and no sum overflows */
    return in < limit && kernel > 0 && kernel < limit && stride > 0 && stride < limit &&
           pad < kernel && in + 2 * pad >= kernel && (in + 2 * pad - kernel) / stride + 1 == out;
}

bittern_status onednn_check_tensor(const struct backend_tensor *tensor,
                                   const struct backend_tensor *expected, const char *what,
                                   struct bittern_error *err)
{
    if (tensor->n == expected->n && tensor->c == expected->c && tensor->h == expected->h &&
        tensor->w == expected->w && tensor->type == expected->type &&
        tensor->layout == expected->layout && tensor->data) {
        return BITTERN_OK;
    }
    return bittern_error_set(
        err, BITTERN_ERR_ARGUMENT,
        "the %s is %zux%zux%zux%zu, type %d, layout %d, %s data; it was created "
        "for %zux%zux%zux%zu, type %d, layout %d",
        what, tensor->n, tensor->c, tensor->h, tensor->w, (int)tensor->type, (int)tensor->layout,
        tensor->data ? "with" : "without", expected->n, expected->c, expected->h, expected->w,
        (int)expected->type, (int)expected->layout);
}

/* ---- Primitives ------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const dnnl_memory_desc_t *onednn_op_arg_desc(const struct onednn_op *op, int arg)
{
    return dnnl_primitive_desc_query_md(op->desc, dnnl_query_exec_arg_md, arg);
}

/* An argument without data yet. */
static dnnl_status_t add_arg(struct onednn_op *op, int index, int arg)
{
    op->args[index].arg = arg;
    return dnnl_memory_create(&op->args[index].memory, onednn_op_arg_desc(op, arg),
                              op->backend->engine, DNNL_MEMORY_NONE);
}

/* op->desc is there; make the primitive and its arguments. */
static bittern_status finish_op(struct onednn_op *op, const int *args, int arg_count,
                                const char *what, struct bittern_error *err)
{
    size_t scratch = dnnl_memory_desc_get_size(onednn_op_arg_desc(op, DNNL_ARG_SCRATCHPAD));
    dnnl_status_t dnnl = dnnl_primitive_create(&op->primitive, op->desc);

    for (int i = 0; dnnl == dnnl_success && i < arg_count; ++i) {
        dnnl = add_arg(op, i, args[i]);
        op->arg_count = dnnl == dnnl_success ? i + 1 : op->arg_count;
    }
    if (dnnl == dnnl_success && scratch > 0) {
        dnnl = add_arg(op, arg_count, DNNL_ARG_SCRATCHPAD);
        op->needs_scratch = dnnl == dnnl_success;
    }
    if (dnnl != dnnl_success) {
        return onednn_fail(err, dnnl, "create a %s", what);
    }
    return onednn_buffer_reserve(&op->backend->scratch, scratch, err);
}

/* Scratch memory is ours: oneDNN's own belongs to the thread that created the primitive. */
static dnnl_status_t create_attributes(dnnl_primitive_attr_t *attributes)
{
    dnnl_status_t dnnl = dnnl_primitive_attr_create(attributes);
    return dnnl == dnnl_success
               ? dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user)
               : dnnl;
}

static bool is_fallback(const_dnnl_primitive_desc_t desc)
{
    const char *name = "";
    dnnl_status_t dnnl = dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return dnnl == dnnl_success && strncmp(name, "ref", 3) == 0;
}

bittern_status onednn_op_create(struct backend *backend, const struct onednn_plan *plan,
                                struct onednn_op *op, struct bittern_error *err)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t dnnl = create_attributes(&attributes);

    *op = (struct onednn_op){.backend = backend};
    omp_set_num_threads((int)backend->threads);
    if (dnnl == dnnl_success) {
        dnnl = dnnl_primitive_desc_create(&op->desc, plan->desc, attributes, backend->engine,
                                          plan->hint);
    }
    if (dnnl == dnnl_success && plan->otherwise && is_fallback(op->desc)) {
        (void)dnnl_primitive_desc_destroy(op->desc);
        op->desc = NULL;
        dnnl = dnnl_primitive_desc_create(&op->desc, plan->otherwise, attributes, backend->engine,
                                          plan->hint);
    }
    (void)dnnl_primitive_attr_destroy(attributes);
    return dnnl == dnnl_success ? finish_op(op, plan->args, plan->arg_count, plan->what, err)
                                : onednn_fail(err, dnnl, "create a %s", plan->what);
}

bittern_status onednn_op_create_reorder(struct backend *backend, const dnnl_memory_desc_t *from,
                                        const dnnl_memory_desc_t *to, struct onednn_op *op,
                                        struct bittern_error *err)
{
    static const int args[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t dnnl = create_attributes(&attributes);

    *op = (struct onednn_op){.backend = backend};
    omp_set_num_threads((int)backend->threads);
    if (dnnl == dnnl_success) {
        dnnl = dnnl_reorder_primitive_desc_create(&op->desc, from, backend->engine, to,
                                                  backend->engine, attributes);
    }
    (void)dnnl_primitive_attr_destroy(attributes);
    return dnnl == dnnl_success ? finish_op(op, args, 2, "reorder", err)
                                : onednn_fail(err, dnnl, "create a reorder");
}

bittern_status onednn_op_run(struct onednn_op *op, void *const *data, int data_count,
                             struct bittern_error *err)
{
    struct backend *backend = op->backend;
    dnnl_status_t dnnl = dnnl_success;
    int count = op->arg_count;

    if (data_count < count) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "a primitive of %d arguments got %d",
                                 count, data_count);
    }
    for (int i = 0; dnnl == dnnl_success && i < data_count && i < count; ++i) {
        dnnl = dnnl_memory_set_data_handle(op->args[i].memory, data[i]);
    }
    if (dnnl == dnnl_success && op->needs_scratch) {
        dnnl = dnnl_memory_set_data_handle(op->args[count++].memory, backend->scratch.data);
    }
    if (dnnl == dnnl_success) {
        /* As many threads as at creation, whichever thread this is: primitives rely on it. */
        omp_set_num_threads((int)backend->threads);
        double start = now();
        dnnl = dnnl_primitive_execute(op->primitive, backend->stream, count, op->args);
        if (dnnl == dnnl_success) {
            dnnl = dnnl_stream_wait(backend->stream);
        }
        backend->seconds += now() - start;
    }
    return dnnl == dnnl_success ? BITTERN_OK : onednn_fail(err, dnnl, "run a primitive");
}

void onednn_op_free(struct onednn_op *op)
{
    for (int i = 0; i < op->arg_count + (op->needs_scratch ? 1 : 0); ++i) {
        (void)dnnl_memory_destroy(op->args[i].memory);
    }
    if (op->primitive) {
        (void)dnnl_primitive_destroy(op->primitive);
    }
    if (op->desc) {
        (void)dnnl_primitive_desc_destroy(op->desc);
    }
    *op = (struct onednn_op){.backend = NULL};
}

/* ---- Plain values where a primitive wants another order or type ------------------------------ */

bittern_status onednn_staging_create(struct backend *backend, enum onednn_staging_slot slot,
                                     const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                     struct onednn_staging *staging, struct bittern_error *err)
{
    size_t from_size = dnnl_memory_desc_get_size(from);
    size_t to_size = dnnl_memory_desc_get_size(to);
    bittern_status status;

    *staging = (struct onednn_staging){.slot = slot};
    if (dnnl_memory_desc_equal(from, to)) {
        return BITTERN_OK;
    }
    status = onednn_op_create_reorder(backend, from, to, &staging->reorder, err);
    if (status == BITTERN_OK) {
        status = onednn_buffer_reserve(&backend->staging[slot],
                                       from_size > to_size ? from_size : to_size, err);
    }
    staging->needed = true;
    return status;
}

static void *slot_data(const struct onednn_staging *staging)
{
    return staging->reorder.backend->staging[staging->slot].data;
}

bittern_status onednn_staging_put(struct onednn_staging *staging, const void *plain, void **staged,
                                  struct bittern_error *err)
{
    if (!staging->needed) {
        *staged = (void *)plain;
        return BITTERN_OK;
    }
    *staged = slot_data(staging);
    return onednn_op_run(&staging->reorder, (void *const[]){(void *)plain, *staged}, 2, err);
}

void *onednn_staging_target(const struct onednn_staging *staging, void *plain)
{
    return staging->needed ? slot_data(staging) : plain;
}

bittern_status onednn_staging_get(struct onednn_staging *staging, void *plain,
                                  struct bittern_error *err)
{
    if (!staging->needed) {
        return BITTERN_OK;
    }
    return onednn_op_run(&staging->reorder, (void *const[]){slot_data(staging), plain}, 2, err);
}

void onednn_staging_free(struct onednn_staging *staging)
{
    onednn_op_free(&staging->reorder);
    *staging = (struct onednn_staging){.slot = staging->slot};
}
