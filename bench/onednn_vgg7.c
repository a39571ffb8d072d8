/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VGG-7 in oneDNN's C API, version 2: a list of primitives with their arguments, run in order.
 * Weights are random: the time of a dense float32 layer does not depend on them.
 */
#include "onednn_vgg7.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 64, MAX_MEMORIES = 128 };

struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[4];
    int arg_count;
};

struct onednn_vgg7 {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct step steps[MAX_STEPS];
    size_t step_count;
    const char *implementations[MAX_STEPS];
    dnnl_memory_t memories[MAX_MEMORIES];
    size_t memory_count;
    dnnl_memory_t values; /* output of the last step so far */
    dnnl_memory_desc_t values_desc;
    struct bittern_error *err;
};

/* False, with err set, where oneDNN failed. */
static bool check(struct onednn_vgg7 *n, dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        bittern_error_set(n->err, BITTERN_ERR_UNSUPPORTED, "oneDNN failed (status %d) to %s",
                          (int)status, what);
    }
    return status == dnnl_success;
}

/* Memory that oneDNN allocates, zeroed. */
static dnnl_memory_t make_memory(struct onednn_vgg7 *n, const dnnl_memory_desc_t *desc)
{
    dnnl_memory_t memory = NULL;
    void *data = NULL;
    if (n->memory_count == MAX_MEMORIES ||
        !check(n, dnnl_memory_create(&memory, desc, n->engine, DNNL_MEMORY_ALLOCATE),
               "allocate memory")) {
        return NULL;
    }
    n->memories[n->memory_count++] = memory;
    if (!check(n, dnnl_memory_get_data_handle(memory, &data), "reach memory")) {
        return NULL;
    }
    memset(data, 0, dnnl_memory_desc_get_size(desc));
    return memory;
}

/* Small random numbers, all finite and none denormal, which would be slow. */
static dnnl_memory_t make_random(struct onednn_vgg7 *n, const dnnl_memory_desc_t *desc)
{
    void *data = NULL;
    dnnl_memory_t memory = make_memory(n, desc);
    if (!memory || !check(n, dnnl_memory_get_data_handle(memory, &data), "reach memory")) {
        return NULL;
    }
    float *values = data;
    uint32_t state = 1;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc) / sizeof *values; ++i) {
        state = state * 1664525U + 1013904223U;
        values[i] = ((float)(state >> 16) - 32768.0F) / 1048576.0F;
    }
    return memory;
}

static void add_arg(struct step *step, int name, dnnl_memory_t memory)
{
    step->args[step->arg_count++] = (dnnl_exec_arg_t){name, memory};
}

/* Makes the primitive and appends it; its source is n->values, its destination a new memory. */
static struct step *add_step(struct onednn_vgg7 *n, const_dnnl_primitive_desc_t pd)
{
    if (n->step_count == MAX_STEPS) {
        return NULL;
    }
    struct step *step = &n->steps[n->step_count];
    if (!check(n, dnnl_primitive_create(&step->primitive, pd), "create a primitive")) {
        return NULL;
    }
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &n->implementations[n->step_count]);
    ++n->step_count;
    return step;
}

static bool add_reorder(struct onednn_vgg7 *n, const dnnl_memory_desc_t *to)
{
    if (dnnl_memory_desc_equal(&n->values_desc, to)) {
        return true;
    }
    dnnl_primitive_desc_t pd = NULL;
    if (!check(n,
               dnnl_reorder_primitive_desc_create(&pd, &n->values_desc, n->engine, to, n->engine,
                                                  NULL),
               "describe a reorder")) {
        return false;
    }
    struct step *step = add_step(n, pd);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_t out = make_memory(n, to);
    if (!step || !out) {
        return false;
    }
    add_arg(step, DNNL_ARG_FROM, n->values);
    add_arg(step, DNNL_ARG_TO, out);
    n->values = out;
    n->values_desc = *to;
    return true;
}

/* The rest of a convolution or inner product: `desc` with ReLU, weights in its own layout. */
static bool add_weighted(struct onednn_vgg7 *n, const void *desc, bool relu)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_primitive_desc_t pd = NULL;
    bool made = check(n, dnnl_primitive_attr_create(&attr), "create attributes") &&
                check(n, dnnl_post_ops_create(&ops), "create post-ops");
    if (made && relu) {
        made = check(n, dnnl_post_ops_append_eltwise(ops, 1.0F, dnnl_eltwise_relu, 0.0F, 0.0F),
                     "fuse ReLU") &&
               check(n, dnnl_primitive_attr_set_post_ops(attr, ops), "fuse ReLU");
    }
    made = made && check(n, dnnl_primitive_desc_create(&pd, desc, attr, n->engine, NULL),
                         "describe a layer");
    if (made) {
        made = add_reorder(n, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0));
    }
    if (made) {
        const dnnl_memory_desc_t *out_desc = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
        dnnl_memory_t weights =
            make_random(n, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
        dnnl_memory_t bias =
            make_random(n, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1));
        dnnl_memory_t out = make_memory(n, out_desc);
        struct step *step = add_step(n, pd);
        made = weights && bias && out && step;
        if (made) {
            add_arg(step, DNNL_ARG_SRC, n->values);
            add_arg(step, DNNL_ARG_WEIGHTS, weights);
            add_arg(step, DNNL_ARG_BIAS, bias);
            add_arg(step, DNNL_ARG_DST, out);
            n->values = out;
            n->values_desc = *out_desc;
        }
    }
    dnnl_primitive_desc_destroy(pd);
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    return made;
}

static bool describe(struct onednn_vgg7 *n, dnnl_memory_desc_t *desc, int ndims,
                     const dnnl_dims_t dims)
{
    return check(n, dnnl_memory_desc_init_by_tag(desc, ndims, dims, dnnl_f32, dnnl_format_tag_any),
                 "describe memory");
}

/* 3x3, padded by 1, with bias and ReLU. */
static bool add_conv(struct onednn_vgg7 *n, dnnl_dim_t outputs)
{
    const dnnl_dim_t *in = n->values_desc.dims;
    const dnnl_dims_t in_dims = {in[0], in[1], in[2], in[3]};
    const dnnl_dims_t weight_dims = {outputs, in[1], 3, 3};
    const dnnl_dims_t bias_dims = {outputs};
    const dnnl_dims_t out_dims = {in[0], outputs, in[2], in[3]};
    const dnnl_dims_t ones = {1, 1};
    dnnl_memory_desc_t src;
    dnnl_memory_desc_t weights;
    dnnl_memory_desc_t bias;
    dnnl_memory_desc_t dst;
    dnnl_convolution_desc_t desc;
    return describe(n, &src, 4, in_dims) && describe(n, &weights, 4, weight_dims) &&
           describe(n, &bias, 1, bias_dims) && describe(n, &dst, 4, out_dims) &&
           check(n,
                 dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference,
                                                    dnnl_convolution_auto, &src, &weights, &bias,
                                                    &dst, ones, ones, ones),
                 "describe a convolution") &&
           add_weighted(n, &desc, true);
}

/* All values of an image to `outputs` features; oneDNN lays the weights out to suit. */
static bool add_full(struct onednn_vgg7 *n, dnnl_dim_t outputs, bool relu)
{
    const dnnl_dim_t *in = n->values_desc.dims;
    const int ndims = n->values_desc.ndims;
    const dnnl_dims_t in_dims = {in[0], in[1], ndims > 2 ? in[2] : 0, ndims > 2 ? in[3] : 0};
    const dnnl_dims_t weight_dims = {outputs, in[1], in_dims[2], in_dims[3]};
    const dnnl_dims_t bias_dims = {outputs};
    const dnnl_dims_t out_dims = {in[0], outputs};
    dnnl_memory_desc_t src;
    dnnl_memory_desc_t weights;
    dnnl_memory_desc_t bias;
    dnnl_memory_desc_t dst;
    dnnl_inner_product_desc_t desc;
    return describe(n, &src, ndims, in_dims) && describe(n, &weights, ndims, weight_dims) &&
           describe(n, &bias, 1, bias_dims) && describe(n, &dst, 2, out_dims) &&
           check(n,
                 dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, &src, &weights,
                                                      &bias, &dst),
                 "describe a full connection") &&
           add_weighted(n, &desc, relu);
}

/* Maximum of 2x2, stride 2. */
static bool add_pool(struct onednn_vgg7 *n)
{
    const dnnl_dim_t *in = n->values_desc.dims;
    const dnnl_dims_t out_dims = {in[0], in[1], in[2] / 2, in[3] / 2};
    const dnnl_dims_t twos = {2, 2};
    const dnnl_dims_t zeros = {0, 0};
    dnnl_memory_desc_t dst;
    dnnl_pooling_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    if (!describe(n, &dst, 4, out_dims) ||
        !check(n,
               dnnl_pooling_forward_desc_init(&desc, dnnl_forward_inference, dnnl_pooling_max,
                                              &n->values_desc, &dst, twos, twos, zeros, zeros),
               "describe a pool") ||
        !check(n, dnnl_primitive_desc_create(&pd, &desc, NULL, n->engine, NULL),
               "describe a pool")) {
        return false;
    }
    const dnnl_memory_desc_t out_desc = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    dnnl_memory_t out = make_memory(n, &out_desc);
    struct step *step = add_step(n, pd);
    dnnl_primitive_desc_destroy(pd);
    if (!out || !step) {
        return false;
    }
    add_arg(step, DNNL_ARG_SRC, n->values);
    add_arg(step, DNNL_ARG_DST, out);
    n->values = out;
    n->values_desc = out_desc;
    return true;
}

static bool add_input(struct onednn_vgg7 *n, size_t batch)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)batch, 3, 32, 32};
    if (!check(n, dnnl_memory_desc_init_by_tag(&n->values_desc, 4, dims, dnnl_f32, dnnl_nchw),
               "describe the images")) {
        return false;
    }
    n->values = make_random(n, &n->values_desc);
    return n->values != NULL;
}

bittern_status onednn_vgg7_create(size_t batch, struct onednn_vgg7 **network,
                                  struct bittern_error *err)
{
    *network = NULL;
    struct onednn_vgg7 *n = calloc(1, sizeof *n);
    if (!n) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for oneDNN's network");
    }
    n->err = err;
    if (check(n, dnnl_engine_create(&n->engine, dnnl_cpu, 0), "find the CPU") &&
        check(n, dnnl_stream_create(&n->stream, n->engine, dnnl_stream_default_flags),
              "create a stream") &&
        add_input(n, batch) && add_conv(n, 128) && add_conv(n, 128) && add_pool(n) &&
        add_conv(n, 256) && add_conv(n, 256) && add_pool(n) && add_conv(n, 512) &&
        add_conv(n, 512) && add_pool(n) && add_full(n, 1024, true) && add_full(n, 10, false)) {
        *network = n;
        return BITTERN_OK;
    }
    onednn_vgg7_free(n);
    return BITTERN_ERR_UNSUPPORTED;
}

void onednn_vgg7_free(struct onednn_vgg7 *network)
{
    if (!network) {
        return;
    }
    for (size_t i = 0; i < network->step_count; ++i) {
        dnnl_primitive_destroy(network->steps[i].primitive);
    }
    for (size_t i = 0; i < network->memory_count; ++i) {
        dnnl_memory_destroy(network->memories[i]);
    }
    dnnl_stream_destroy(network->stream);
    dnnl_engine_destroy(network->engine);
    free(network);
}

bittern_status onednn_vgg7_run(struct onednn_vgg7 *network, struct bittern_error *err)
{
    network->err = err;
    for (size_t i = 0; i < network->step_count; ++i) {
        const struct step *step = &network->steps[i];
        if (!check(network,
                   dnnl_primitive_execute(step->primitive, network->stream, step->arg_count,
                                          step->args),
                   "run a layer")) {
            return BITTERN_ERR_UNSUPPORTED;
        }
    }
    return check(network, dnnl_stream_wait(network->stream), "finish") ? BITTERN_OK
                                                                       : BITTERN_ERR_UNSUPPORTED;
}

const char *onednn_vgg7_implementation(const struct onednn_vgg7 *network, size_t index)
{
    return index < network->step_count ? network->implementations[index] : NULL;
}
