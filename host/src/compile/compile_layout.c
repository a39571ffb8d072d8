/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which axis of a tensor is the channel, and in what order maps are flattened: what Flatten,
 * Reshape and Transpose change without touching a value.
 */
#include "compile/compile.h"

#include <string.h>

static size_t side(const struct bittern_shape *shape, enum compile_axis axis)
{
    return axis == COMPILE_CHANNEL ? shape->channels
           : axis == COMPILE_ROW   ? shape->height
                                   : shape->width;
}

static void set_plain_order(struct compile_layout *layout)
{
    layout->order[0] = COMPILE_CHANNEL;
    layout->order[1] = COMPILE_ROW;
    layout->order[2] = COMPILE_COLUMN;
}

static bool permutation_is(const struct graph_node *node, int64_t a, int64_t b, int64_t c)
{
    const struct graph_attribute *perm = graph_node_attribute(node, "perm");
    return perm && perm->count == 4 && perm->ints[0] == 0 && perm->ints[1] == a &&
           perm->ints[2] == b && perm->ints[3] == c;
}

/* Does a Transpose put the last axis first, before anything needs to know the channels' axis? */
static bool is_channels_last(const struct bittern_model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        enum graph_op op = model->nodes[i].op;
        if (op == GRAPH_TRANSPOSE) {
            return permutation_is(&model->nodes[i], 3, 1, 2);
        }
        if (op == GRAPH_CONV || op == GRAPH_MAX_POOL || op == GRAPH_AVERAGE_POOL ||
            op == GRAPH_FLATTEN || op == GRAPH_RESHAPE || op == GRAPH_GLOBAL_AVERAGE_POOL) {
            break;
        }
    }
    return false;
}

bittern_status compile_layout_begin(const struct bittern_model *model,
                                    struct compile_layout *layout, struct bittern_error *err)
{
    const struct graph_tensor *t = &model->tensors[model->input];

    if (t->rank < 1 || t->dims[0] != 1 || t->count == 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "input '%s': its first axis must be the batch, of any size or 1",
                                 t->name);
    }
    *layout = (struct compile_layout){.is_flat = t->rank != 4, .shape = {t->count, 1, 1}};
    set_plain_order(layout);
    if (t->rank != 4) {
        return BITTERN_OK;
    }
    size_t first = (size_t)t->dims[1];
    size_t second = (size_t)t->dims[2];
    size_t third = (size_t)t->dims[3];
    if (is_channels_last(model)) {
        layout->shape = (struct bittern_shape){third, first, second};
        layout->order[0] = COMPILE_ROW;
        layout->order[1] = COMPILE_COLUMN;
        layout->order[2] = COMPILE_CHANNEL;
    } else {
        layout->shape = (struct bittern_shape){first, second, third};
    }
    return BITTERN_OK;
}

static bool has_dims(const struct graph_tensor *t, const struct compile_layout *layout)
{
    for (size_t i = 0; i < 3; i++) {
        if ((size_t)t->dims[i + 1] != side(&layout->shape, layout->order[i])) {
            return false;
        }
    }
    return true;
}

static bittern_status follow_reshape(const struct graph_node *node, const struct graph_tensor *t,
                                     bool may_reshape, struct compile_layout *layout,
                                     struct bittern_error *err)
{
    if (t->rank >= 2 && t->dims[0] == 1) {
        if (t->rank == 2) {
            layout->is_flat = true;
            return BITTERN_OK;
        }
        if (t->rank == 4 && has_dims(t, layout)) {
            layout->is_flat = false;
            return BITTERN_OK;
        }
        if (t->rank == 4 && may_reshape) {
            layout->is_flat = false;
            layout->shape =
                (struct bittern_shape){(size_t)t->dims[1], (size_t)t->dims[2], (size_t)t->dims[3]};
            set_plain_order(layout);
            return BITTERN_OK;
        }
    }
    return graph_node_fail(
        err, BITTERN_ERR_UNSUPPORTED, node,
        "only a map that becomes [batch, values], or an image that becomes [batch, "
        "channels, rows, columns], can be reshaped");
}

static bittern_status follow_transpose(const struct graph_node *node, const struct graph_tensor *t,
                                       struct compile_layout *layout, struct bittern_error *err)
{
    const struct graph_attribute *perm = graph_node_attribute(node, "perm");
    enum compile_axis order[3] = {COMPILE_CHANNEL, COMPILE_ROW, COMPILE_COLUMN};
    bool fits = t->rank == 4 && !layout->is_flat && perm && perm->count == 4 && perm->ints[0] == 0;

    for (size_t i = 0; i < 3 && fits; i++) {
        fits = perm->ints[i + 1] >= 1 && perm->ints[i + 1] <= 3;
        if (fits) {
            order[i] = layout->order[perm->ints[i + 1] - 1];
        }
    }
    if (!fits) {
        return graph_node_fail(err, BITTERN_ERR_UNSUPPORTED, node,
                               "only the channels, rows and columns of a map can be transposed");
    }
    memcpy(layout->order, order, sizeof order);
    return BITTERN_OK;
}

bittern_status compile_layout_follow(const struct bittern_model *model,
                                     const struct graph_node *node, bool may_reshape,
                                     struct compile_layout *layout, struct bittern_error *err)
{
    const struct graph_tensor *t = &model->tensors[node->outputs[0]];
    return node->op == GRAPH_TRANSPOSE ? follow_transpose(node, t, layout, err)
                                       : follow_reshape(node, t, may_reshape, layout, err);
}

bool compile_layout_is_plain(const struct compile_layout *layout)
{
    /* Axes of one element may stand anywhere. */
    size_t last = 0;
    for (size_t i = 0; i < 3; i++) {
        if (side(&layout->shape, layout->order[i]) > 1) {
            if (layout->order[i] < last) {
                return false;
            }
            last = layout->order[i];
        }
    }
    return true;
}

bittern_status compile_layout_check_spread(const struct graph_node *node,
                                           const struct graph_function *function,
                                           const struct compile_layout *layout,
                                           struct bittern_error *err)
{
    const struct bittern_shape *shape = &layout->shape;
    if (function->spread == GRAPH_SPREAD_SCALAR) {
        return BITTERN_OK;
    }
    bool fits = function->spread == GRAPH_SPREAD_CHANNEL && function->channels == shape->channels;
    if (fits && layout->is_flat) {
        fits = function->axis == 1 && shape->height == 1 && shape->width == 1;
    } else if (fits) {
        fits = function->axis >= 1 && function->axis <= 3 &&
               layout->order[function->axis - 1] == COMPILE_CHANNEL;
    }
    if (!fits) {
        return graph_node_fail(
            err, BITTERN_ERR_UNSUPPORTED, node,
            "its constants must be scalars or have one value for each of the %zu "
            "channels in front of it",
            shape->channels);
    }
    return BITTERN_OK;
}

size_t compile_layout_index(const struct compile_layout *layout, size_t channel, size_t row,
                            size_t column)
{
    const size_t position[3] = {channel, row, column};
    size_t index = 0;
    for (size_t i = 0; i < 3; i++) {
        enum compile_axis axis = layout->order[i];
        index = index * side(&layout->shape, axis) + position[axis];
    }
    return index;
}
