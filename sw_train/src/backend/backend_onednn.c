/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oneDNN backend itself: engine and stream, precision and layout of this CPU, tensors, and the
 * reorder between them. onednn.c has the helpers; each other operation has its own file.
 *
 * oneDNN takes its thread count from OpenMP. A backend sets its own count for the calling thread
 * whenever it creates or runs something: the one effect outside of its own memory.
 */
#include "base/checked.h"
#include "onednn.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 4096 };

struct instruction_set {
    dnnl_cpu_isa_t isa; /* bits that a CPU must have */
    const char *name;
    size_t block; /* channels that oneDNN's f32 convolutions want in a block; 0: none */
    bool computes_bf16, has_fast_bf16;
};

/* Best first. AVX2 and AVX-512: f32 VGG-7 is 10 to 15 % faster in blocks than channels last. */
static const struct instruction_set instruction_sets[] = {
    {dnnl_cpu_isa_avx512_core_amx, "AMX", 16, true, true},
    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16", 16, true, true},
    {dnnl_cpu_isa_avx512_core, "AVX-512", 16, true, false},
    {dnnl_cpu_isa_avx2, "AVX2", 8, false, false},
    {dnnl_cpu_isa_avx, "AVX", 0, false, false},
    {dnnl_cpu_isa_sse41, "SSE4.1", 0, false, false},
    {dnnl_cpu_isa_all, "plain C++", 0, false, false}, /* no bits at all */
};

static const struct instruction_set *find_instruction_set(void)
{
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    const struct instruction_set *set = instruction_sets;
    while ((isa & set->isa) != set->isa) {
        ++set;
    }
    return set;
}

static bittern_status choose_type(enum backend_precision precision,
                                  const struct instruction_set *set, enum backend_type *type,
                                  struct bittern_error *err)
{
    *type = BACKEND_F32;
    switch (precision) {
    case BACKEND_PRECISION_F32:
        return BITTERN_OK;
    case BACKEND_PRECISION_AUTO:
        *type = set->has_fast_bf16 ? BACKEND_BF16 : BACKEND_F32;
        return BITTERN_OK;
    case BACKEND_PRECISION_BF16:
        *type = BACKEND_BF16;
        return set->computes_bf16
                   ? BITTERN_OK
                   : bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                       "bf16 needs a CPU with AVX-512; oneDNN finds %s here. "
                                       "Choose f32, or leave the precision open",
                                       set->name);
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no precision %d", (int)precision);
}

static void describe(struct backend *backend, const struct instruction_set *set)
{
    const dnnl_version_t *version = dnnl_version();
    (void)snprintf(backend->description, sizeof backend->description,
                   "oneDNN %d.%d.%d, %s, %s, %zu thread%s", version->major, version->minor,
                   version->patch, backend->type == BACKEND_BF16 ? "bf16" : "f32", set->name,
                   backend->threads, backend->threads == 1 ? "" : "s");
}

bittern_status backend_create(const struct backend_options *options, struct backend **backend,
                              struct bittern_error *err)
{
    const struct instruction_set *set = find_instruction_set();
    struct backend *b = NULL;
    enum backend_type type;
    bittern_status status = choose_type(options->precision, set, &type, err);
    dnnl_status_t dnnl;

    *backend = NULL;
    if (status != BITTERN_OK) {
        return status;
    }
    if (options->threads > MAX_THREADS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "%zu threads are more than %d",
                                 options->threads, MAX_THREADS);
    }
    b = calloc(1, sizeof *b);
    if (!b) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a backend");
    }
    b->type = type;
    b->block = type == BACKEND_BF16 ? 0 : set->block;
    /* omp_get_num_procs counts the CPUs that this process may run on. */
    b->threads = options->threads ? options->threads : (size_t)omp_get_num_procs();
    omp_set_num_threads((int)b->threads);
    describe(b, set);
    dnnl = dnnl_engine_create(&b->engine, dnnl_cpu, 0);
    if (dnnl == dnnl_success) {
        dnnl = dnnl_stream_create(&b->stream, b->engine, dnnl_stream_in_order);
    }
    if (dnnl != dnnl_success) {
        status = onednn_fail(err, dnnl, "start oneDNN on this CPU");
        backend_free(b);
        return status;
    }
    *backend = b;
    return BITTERN_OK;
}

void backend_free(struct backend *backend)
{
    if (!backend) {
        return;
    }
    if (backend->stream) {
        (void)dnnl_stream_destroy(backend->stream);
    }
    if (backend->engine) {
        (void)dnnl_engine_destroy(backend->engine);
    }
    free(backend->scratch.data);
    for (size_t i = 0; i < ONEDNN_STAGING_SLOTS; ++i) {
        free(backend->staging[i].data);
    }
    free(backend);
}

size_t backend_threads(const struct backend *backend)
{
    return backend->threads;
}

enum backend_type backend_activation_type(const struct backend *backend)
{
    return backend->type;
}

const char *backend_description(const struct backend *backend)
{
    return backend->description;
}

size_t backend_block_channels(const struct backend *backend)
{
    return backend->block;
}

double backend_primitive_seconds(const struct backend *backend)
{
    return backend->seconds;
}

void backend_reset_primitive_seconds(struct backend *backend)
{
    backend->seconds = 0.0;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

bittern_status backend_tensor_allocate(struct backend *backend, struct backend_tensor *tensor,
                                       struct bittern_error *err)
{
    struct onednn_buffer buffer = {NULL, 0};
    dnnl_memory_desc_t desc;
    bittern_status status;

    tensor->data = NULL;
    status = onednn_tensor_desc(backend, tensor, &desc, err);
    if (status == BITTERN_OK) {
        status = onednn_buffer_reserve(&buffer, dnnl_memory_desc_get_size(&desc), err);
    }
    if (status == BITTERN_OK) {
        memset(buffer.data, 0, buffer.size);
        tensor->data = buffer.data;
    }
    return status;
}

void backend_tensor_release(struct backend *backend, struct backend_tensor *tensor)
{
    (void)backend; /* a backend with memory of its own will need it */
    free(tensor->data);
    tensor->data = NULL;
}

struct backend_reorder {
    struct onednn_op op;
    struct backend_tensor from, to;
};

bittern_status backend_reorder_create(struct backend *backend, const struct backend_tensor *from,
                                      const struct backend_tensor *to, struct backend_reorder **op,
                                      struct bittern_error *err)
{
    struct backend_reorder *r = NULL;
    dnnl_memory_desc_t from_desc;
    dnnl_memory_desc_t to_desc;
    bittern_status status;

    *op = NULL;
    if (from->n != to->n || from->c != to->c || from->h != to->h || from->w != to->w) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a reorder cannot make %zux%zux%zux%zu of %zux%zux%zux%zu", to->n,
                                 to->c, to->h, to->w, from->n, from->c, from->h, from->w);
    }
    status = onednn_tensor_desc(backend, from, &from_desc, err);
    if (status == BITTERN_OK) {
        status = onednn_tensor_desc(backend, to, &to_desc, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    r = calloc(1, sizeof *r);
    if (!r) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a reorder");
    }
    r->from = *from;
    r->to = *to;
    status = onednn_op_create_reorder(backend, &from_desc, &to_desc, &r->op, err);
    if (status != BITTERN_OK) {
        backend_reorder_free(r);
        return status;
    }
    *op = r;
    return BITTERN_OK;
}

bittern_status backend_reorder_run(struct backend_reorder *op, const struct backend_tensor *from,
                                   struct backend_tensor *to, struct bittern_error *err)
{
    bittern_status status = onednn_check_tensor(from, &op->from, "reorder's source", err);
    if (status == BITTERN_OK) {
        status = onednn_check_tensor(to, &op->to, "reorder's destination", err);
    }
    if (status == BITTERN_OK) {
        status = onednn_op_run(&op->op, (void *const[]){from->data, to->data}, 2, err);
    }
    return status;
}

void backend_reorder_free(struct backend_reorder *op)
{
    if (op) {
        onednn_op_free(&op->op);
        free(op);
    }
}
