/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows of Conv, MaxPool and AveragePool: kernel, strides and pads from attributes, auto_pad
 * or defaults, and the size of the output. Both axes are treated alike, one after the other.
 */
#include "model/graph.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WINDOW 65536 /* bound on kernel, stride and pad: products of two still fit an int64 */

struct axis {
    int64_t in, kernel, stride, before, after, out;
};

static bittern_status refuse(const struct graph_node *node, bittern_status status,
                             struct bittern_error *err, const char *reason)
{
    return bittern_error_set(err, status, "node '%s' (%s): %s", node->name, node->op_name, reason);
}

/* A list attribute of exactly `count` ints from least to MAX_WINDOW, or `fallback` for each. */
static bittern_status read_ints(const struct graph_node *node, const char *name, size_t count,
                                int64_t least, int64_t fallback, int64_t *values,
                                struct bittern_error *err)
{
    const struct graph_attribute *attribute = graph_node_attribute(node, name);
    if (attribute && (attribute->kind != BITTERN_ATTRIBUTE_INTS || attribute->count != count)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "node '%s' (%s): '%s' must have %zu ints for a 2-D window",
                                 node->name, node->op_name, name, count);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = attribute ? attribute->ints[i] : fallback;
        if (values[i] < least || values[i] > MAX_WINDOW) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "node '%s' (%s): '%s' holds %" PRId64 "; values from %" PRId64
                                     " to %d are supported",
                                     node->name, node->op_name, name, values[i], least, MAX_WINDOW);
        }
    }
    return BITTERN_OK;
}

static bittern_status check_rank(const struct graph_node *node, const struct graph_tensor *x,
                                 struct bittern_error *err)
{
    if (!x || !x->has_shape) {
        return refuse(node, BITTERN_ERR_FORMAT, err, "its input has no shape");
    }
    if (x->rank != 4) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "node '%s' (%s): its input '%s' has %zu dimensions; only 2-D "
                                 "windows over [batch, channels, height, width] are supported",
                                 node->name, node->op_name, x->name, x->rank);
    }
    return BITTERN_OK;
}

/* A convolution's kernel is that of its weights; the attribute may only repeat it. */
static bittern_status read_conv_kernel(const struct bittern_model *model,
                                       const struct graph_node *node, const struct graph_tensor *x,
                                       int64_t *kernel, struct bittern_error *err)
{
    const struct graph_tensor *w = graph_node_input(model, node, 1);
    int64_t stated[2];
    if (!w || !w->has_shape || w->rank != 4) {
        return refuse(node, BITTERN_ERR_FORMAT, err,
                      "its weights must have 4 dimensions: [out, in, height, width]");
    }
    if (graph_node_int(node, "group", 1) != 1) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "node '%s' (%s): group is %" PRId64
                                 "; grouped and depthwise convolutions are not supported",
                                 node->name, node->op_name, graph_node_int(node, "group", 1));
    }
    if (w->dims[1] != x->dims[1]) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "node '%s' (%s): its input has %" PRId64
                                 " channels, its weights '%s' take %" PRId64,
                                 node->name, node->op_name, x->dims[1], w->name, w->dims[1]);
    }
    for (size_t i = 0; i < 2; i++) {
        kernel[i] = w->dims[2 + i];
        if (kernel[i] < 1 || kernel[i] > MAX_WINDOW) {
            return refuse(node, BITTERN_ERR_RANGE, err,
                          "the kernel must have 1 to 65536 rows and columns");
        }
    }
    bittern_status status = read_ints(node, "kernel_shape", 2, 1, 1, stated, err);
    if (status == BITTERN_OK && graph_node_attribute(node, "kernel_shape") &&
        (stated[0] != kernel[0] || stated[1] != kernel[1])) {
        status =
            refuse(node, BITTERN_ERR_FORMAT, err, "kernel_shape differs from its weights' shape");
    }
    return status;
}

static bittern_status read_kernel(const struct bittern_model *model, const struct graph_node *node,
                                  const struct graph_tensor *x, int64_t *kernel,
                                  struct bittern_error *err)
{
    if (node->op == GRAPH_CONV) {
        return read_conv_kernel(model, node, x, kernel, err);
    }
    if (!graph_node_attribute(node, "kernel_shape")) {
        return refuse(node, BITTERN_ERR_FORMAT, err, "attribute 'kernel_shape' is missing");
    }
    return read_ints(node, "kernel_shape", 2, 1, 1, kernel, err);
}

/* dilations, ceil_mode and storage_order change nothing where they are accepted. */
static bittern_status check_fixed(const struct graph_node *node, struct bittern_error *err)
{
    int64_t dilations[2];
    bittern_status status = read_ints(node, "dilations", 2, 1, 1, dilations, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (dilations[0] != 1 || dilations[1] != 1) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "dilated windows are not supported; dilations must be 1");
    }
    if (graph_node_int(node, "storage_order", 0) != 0) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "storage_order must be 0 (rows before columns)");
    }
    return BITTERN_OK;
}

/* Pads that make the output ceil(in / stride) long; an odd one goes to the end (SAME_UPPER) or to
 * the start (SAME_LOWER). */
static void pad_same(struct axis *axis, bool is_upper)
{
    int64_t out = axis->in / axis->stride + (axis->in % axis->stride != 0);
    int64_t total = (out - 1) * axis->stride + axis->kernel - axis->in;
    total = total < 0 ? 0 : total;
    axis->before = is_upper ? total / 2 : total - total / 2;
    axis->after = total - axis->before;
}

static bittern_status read_pads(const struct graph_node *node, struct axis axes[2],
                                struct bittern_error *err)
{
    const char *mode = graph_node_string(node, "auto_pad", "NOTSET");
    bool is_set = strcmp(mode, "NOTSET") != 0;
    int64_t pads[4];
    bittern_status status = read_ints(node, "pads", 4, 0, 0, pads, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (is_set && (pads[0] || pads[1] || pads[2] || pads[3])) {
        return refuse(node, BITTERN_ERR_FORMAT, err, "auto_pad and pads exclude each other");
    }
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0) {
            pad_same(&axes[i], strcmp(mode, "SAME_UPPER") == 0);
        } else if (!is_set || strcmp(mode, "VALID") == 0) {
            axes[i].before = pads[i];
            axes[i].after = pads[2 + i];
        } else {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "node '%s' (%s): auto_pad '%s' is none of NOTSET, SAME_UPPER, "
                                     "SAME_LOWER, VALID",
                                     node->name, node->op_name, mode);
        }
    }
    return BITTERN_OK;
}

/* in < GRAPH_MAX_ELEMENTS and the pads are bounded, so that no sum here overflows. */
static bittern_status compute_out(const struct graph_node *node, struct axis *axis,
                                  struct bittern_error *err)
{
    int64_t span = axis->in + axis->before + axis->after - axis->kernel;
    if (axis->in < 1 || span < 0) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "node '%s' (%s): a window of %" PRId64 " does not fit into its input of %" PRId64
            " with pads %" PRId64 " and %" PRId64,
            node->name, node->op_name, axis->kernel, axis->in, axis->before, axis->after);
    }
    if (node->op != GRAPH_CONV && (axis->before >= axis->kernel || axis->after >= axis->kernel)) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "pads as large as the kernel leave windows without a value");
    }
    if (graph_node_int(node, "ceil_mode", 0) != 0 && span % axis->stride != 0) {
        return refuse(node, BITTERN_ERR_UNSUPPORTED, err,
                      "ceil_mode 1 is supported only where the last window ends with the input");
    }
    axis->out = span / axis->stride + 1;
    return BITTERN_OK;
}

bittern_status graph_node_window(const struct bittern_model *model, const struct graph_node *node,
                                 struct graph_window *window, struct bittern_error *err)
{
    const struct graph_tensor *x = graph_node_input(model, node, 0);
    struct axis axes[2];
    int64_t kernel[2];
    int64_t strides[2];

    bittern_status status = check_rank(node, x, err);
    if (status == BITTERN_OK) {
        status = read_kernel(model, node, x, kernel, err);
    }
    if (status == BITTERN_OK) {
        status = read_ints(node, "strides", 2, 1, 1, strides, err);
    }
    if (status == BITTERN_OK) {
        status = check_fixed(node, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < 2; i++) {
        axes[i] = (struct axis){.in = x->dims[2 + i], .kernel = kernel[i], .stride = strides[i]};
    }
    status = read_pads(node, axes, err);
    for (size_t i = 0; status == BITTERN_OK && i < 2; i++) {
        status = compute_out(node, &axes[i], err);
    }
    if (status == BITTERN_OK) {
        *window = (struct graph_window){.kernel_h = (size_t)axes[0].kernel,
                                        .kernel_w = (size_t)axes[1].kernel,
                                        .stride_h = (size_t)axes[0].stride,
                                        .stride_w = (size_t)axes[1].stride,
                                        .pad_top = (size_t)axes[0].before,
                                        .pad_left = (size_t)axes[1].before,
                                        .pad_bottom = (size_t)axes[0].after,
                                        .pad_right = (size_t)axes[1].after,
                                        .out_h = (size_t)axes[0].out,
                                        .out_w = (size_t)axes[1].out};
    }
    return status;
}
