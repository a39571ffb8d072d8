/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, softmax, and what picks the best class: TopK and ArgMax. */
#include "model/graph_dot.h"
#include "model/graph_semantics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pools ------------------------------------------------------------------------------------
 */

/* The rows and columns of one window that lie inside of the image. */
struct span {
    size_t top, bottom, left, right;
};

static struct span find_span(const struct graph_window *window, size_t height, size_t width,
                             size_t row, size_t column)
{
    size_t top = row * window->stride_h;
    size_t left = column * window->stride_w;
    size_t bottom = top + window->kernel_h;
    size_t right = left + window->kernel_w;
    struct span span;
    span.top = top < window->pad_top ? 0 : top - window->pad_top;
    span.left = left < window->pad_left ? 0 : left - window->pad_left;
    span.bottom = bottom < window->pad_top ? 0 : bottom - window->pad_top;
    span.right = right < window->pad_left ? 0 : right - window->pad_left;
    span.bottom = span.bottom > height ? height : span.bottom;
    span.right = span.right > width ? width : span.right;
    return span;
}

static double find_maximum(const double *plane, size_t width, const struct span *span)
{
    double maximum = -INFINITY;
    for (size_t y = span->top; y < span->bottom; y++) {
        for (size_t x = span->left; x < span->right; x++) {
            double value = plane[y * width + x];
            maximum = value > maximum ? value : maximum;
        }
    }
    return maximum;
}

static double find_sum(const double *plane, size_t width, const struct span *span)
{
    struct graph_sum sum = {0, 0};
    for (size_t y = span->top; y < span->bottom; y++) {
        for (size_t x = span->left; x < span->right; x++) {
            graph_sum_add(&sum, plane[y * width + x]);
        }
    }
    return graph_sum_round(&sum);
}

static bittern_status evaluate_windows(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    struct graph_window window;
    bittern_status status = graph_node_window(call->model, call->node, &window, call->err);
    if (status != BITTERN_OK) {
        return status;
    }
    bool counts_padding = graph_node_int(call->node, "count_include_pad", 0) != 0;
    size_t height = (size_t)x->dims[2];
    size_t width = (size_t)x->dims[3];
    size_t outputs = window.out_h * window.out_w;
    for (size_t p = 0; p < (size_t)x->dims[0] * (size_t)x->dims[1]; p++) {
        const double *plane = call->inputs[0] + p * height * width;
        for (size_t o = 0; o < outputs; o++) {
            struct span span =
                find_span(&window, height, width, o / window.out_w, o % window.out_w);
            double *y = &call->outputs[0][p * outputs + o];
            if (call->node->op == GRAPH_MAX_POOL) {
                *y = find_maximum(plane, width, &span);
                continue;
            }
            size_t count = counts_padding ? window.kernel_h * window.kernel_w
                                          : (span.bottom - span.top) * (span.right - span.left);
            *y = find_sum(plane, width, &span) / (double)count;
        }
    }
    return BITTERN_OK;
}

bittern_status graph_evaluate_pool(const struct graph_call *call)
{
    if (call->node->op != GRAPH_GLOBAL_AVERAGE_POOL) {
        return evaluate_windows(call);
    }
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    size_t size = (size_t)x->dims[2] * (size_t)x->dims[3];
    struct span whole = {0, (size_t)x->dims[2], 0, (size_t)x->dims[3]};
    for (size_t p = 0; p < (size_t)x->dims[0] * (size_t)x->dims[1]; p++) {
        call->outputs[0][p] =
            find_sum(call->inputs[0] + p * size, (size_t)x->dims[3], &whole) / (double)size;
    }
    return BITTERN_OK;
}

/* ---- Along an axis ----------------------------------------------------------------------------
 */

/* A tensor as [outer][length][inner] around one axis. */
struct lines {
    size_t outer, length, inner;
};

static struct lines find_lines(const struct graph_tensor *x, int64_t axis)
{
    size_t resolved = 0;
    (void)graph_resolve_axis(axis, x->rank, &resolved);
    return (struct lines){graph_count(x->dims, 0, resolved), (size_t)x->dims[resolved],
                          graph_count(x->dims, resolved + 1, x->rank)};
}

bittern_status graph_evaluate_softmax(const struct graph_call *call)
{
    const struct graph_tensor *tensor = graph_node_input(call->model, call->node, 0);
    struct lines lines = find_lines(tensor, graph_node_int(call->node, "axis", -1));
    bool is_log = strcmp(call->node->op_name, "LogSoftmax") == 0;
    for (size_t i = 0; i < lines.outer * lines.inner; i++) {
        size_t start = i / lines.inner * lines.length * lines.inner + i % lines.inner;
        const double *x = call->inputs[0] + start;
        double *y = call->outputs[0] + start;
        double maximum = -INFINITY;
        double sum = 0;
        for (size_t k = 0; k < lines.length; k++) {
            double value = x[k * lines.inner];
            maximum = value > maximum ? value : maximum;
        }
        for (size_t k = 0; k < lines.length; k++) {
            sum += exp(x[k * lines.inner] - maximum);
        }
        for (size_t k = 0; k < lines.length; k++) {
            double shifted = x[k * lines.inner] - maximum;
            y[k * lines.inner] = is_log ? shifted - log(sum) : exp(shifted) / sum;
        }
    }
    return BITTERN_OK;
}

static void find_arg_max(const struct graph_call *call, const struct lines *lines)
{
    bool takes_last = graph_node_int(call->node, "select_last_index", 0) != 0;
    for (size_t i = 0; i < lines->outer * lines->inner; i++) {
        const double *x =
            call->inputs[0] + i / lines->inner * lines->length * lines->inner + i % lines->inner;
        size_t best = 0;
        for (size_t k = 1; k < lines->length; k++) {
            double value = x[k * lines->inner];
            double record = x[best * lines->inner];
            best = value > record || (takes_last && value == record) ? k : best;
        }
        call->outputs[0][i] = (double)best;
    }
}

struct ranked {
    double value;
    size_t index;
};

/* Larger values first, equal ones by their index. */
static int compare_falling(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    if (left->value != right->value) {
        return left->value > right->value ? -1 : 1;
    }
    return left->index < right->index ? -1 : left->index > right->index;
}

static bittern_status find_top_k(const struct graph_call *call, const struct lines *lines, size_t k)
{
    double sign = graph_node_int(call->node, "largest", 1) != 0 ? 1 : -1;
    struct ranked *ranked = malloc(lines->length * sizeof *ranked);
    if (ranked == NULL) {
        return graph_node_fail(call->err, BITTERN_ERR_MEMORY, call->node,
                               "out of memory for %zu values", lines->length);
    }
    for (size_t i = 0; i < lines->outer * lines->inner; i++) {
        size_t outer = i / lines->inner;
        size_t inner = i % lines->inner;
        for (size_t n = 0; n < lines->length; n++) {
            double x = call->inputs[0][(outer * lines->length + n) * lines->inner + inner];
            ranked[n] = (struct ranked){sign * x, n};
        }
        qsort(ranked, lines->length, sizeof *ranked, compare_falling);
        for (size_t n = 0; n < k; n++) {
            size_t at = (outer * k + n) * lines->inner + inner;
            if (call->outputs[0] != NULL) {
                call->outputs[0][at] = sign * ranked[n].value;
            }
            if (call->node->output_count > 1 && call->outputs[1] != NULL) {
                call->outputs[1][at] = (double)ranked[n].index;
            }
        }
    }
    free(ranked);
    return BITTERN_OK;
}

bittern_status graph_evaluate_selection(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    struct lines lines;
    if (call->node->op == GRAPH_ARG_MAX) {
        lines = find_lines(x, graph_node_int(call->node, "axis", 0));
        find_arg_max(call, &lines);
        return BITTERN_OK;
    }
    size_t axis;
    size_t k;
    bittern_status status = graph_node_top_k(call->model, call->node, &axis, &k, call->err);
    if (status != BITTERN_OK) {
        return status;
    }
    lines = find_lines(x, (int64_t)axis);
    return find_top_k(call, &lines, k);
}
