/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conv, Gemm and MatMul: sums of products with one rounding (graph_dot.h), then bias and factors in
 * the order that graph.h promises. A convolution gathers the inputs of eight output pixels into a
 * panel and runs every filter over it, so that the gathering is paid once for all filters.
 */
#include "model/graph_dot.h"
#include "model/graph_semantics.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

static bittern_status allocate(const struct graph_call *call, size_t rows, size_t columns,
                               double **values)
{
    size_t count;
    bool fits = checked_mul_size(rows, columns, &count) &&
                checked_mul_size(count ? count : 1, sizeof(double), &count);
    *values = fits ? malloc(count) : NULL;
    if (*values == NULL) {
        return graph_node_fail(call->err, BITTERN_ERR_MEMORY, call->node,
                               "out of memory for %zu x %zu values", rows, columns);
    }
    return BITTERN_OK;
}

/* ---- Conv -------------------------------------------------------------------------------------
 */

struct conv {
    struct graph_window window;
    size_t in_h, in_w;
    size_t channels, filters;
    size_t taps;   /* channels * kernel_h * kernel_w */
    size_t pixels; /* out_h * out_w */
};

/* panel[tap][j]: the input that output pixel first + j multiplies with each weight; 0 where that is
 * padding or past the last pixel. */
static void gather_panel(const struct conv *conv, const double *x, size_t first, double *panel)
{
    const struct graph_window *window = &conv->window;
    size_t top[GRAPH_DOT_WIDTH];
    size_t left[GRAPH_DOT_WIDTH];
    for (size_t j = 0; j < GRAPH_DOT_WIDTH; j++) {
        top[j] = (first + j) / window->out_w * window->stride_h;
        left[j] = (first + j) % window->out_w * window->stride_w;
    }
    for (size_t c = 0; c < conv->channels; c++) {
        for (size_t ky = 0; ky < window->kernel_h; ky++) {
            for (size_t kx = 0; kx < window->kernel_w; kx++) {
                for (size_t j = 0; j < GRAPH_DOT_WIDTH; j++) {
                    /* Above or left of the image these wrap round to something huge. */
                    size_t row = top[j] + ky - window->pad_top;
                    size_t column = left[j] + kx - window->pad_left;
                    bool inside =
                        row < conv->in_h && column < conv->in_w && first + j < conv->pixels;
                    panel[j] = inside ? x[(c * conv->in_h + row) * conv->in_w + column] : 0;
                }
                panel += GRAPH_DOT_WIDTH;
            }
        }
    }
}

/* One image. */
static void convolve(const struct conv *conv, const double *x, const double *weights,
                     const double *bias, double *panel, double *y)
{
    const struct graph_dot_kernels *dot = graph_dot_best();
    for (size_t first = 0; first < conv->pixels; first += GRAPH_DOT_WIDTH) {
        size_t left = conv->pixels - first;
        size_t width = left < GRAPH_DOT_WIDTH ? left : GRAPH_DOT_WIDTH;
        gather_panel(conv, x, first, panel);
        for (size_t o = 0; o < conv->filters; o++) {
            double sums[GRAPH_DOT_WIDTH];
            dot->panel(weights + o * conv->taps, panel, GRAPH_DOT_WIDTH, conv->taps, sums);
            for (size_t j = 0; j < width; j++) {
                y[o * conv->pixels + first + j] = bias != NULL ? sums[j] + bias[o] : sums[j];
            }
        }
    }
}

bittern_status graph_evaluate_conv(const struct graph_call *call)
{
    const struct graph_tensor *x = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *w = graph_node_input(call->model, call->node, 1);
    const double *bias = call->node->input_count > 2 ? call->inputs[2] : NULL;
    struct conv conv = {.in_h = (size_t)x->dims[2], .in_w = (size_t)x->dims[3]};
    bittern_status status = graph_node_window(call->model, call->node, &conv.window, call->err);
    if (status != BITTERN_OK) {
        return status;
    }
    conv.channels = (size_t)w->dims[1];
    conv.filters = (size_t)w->dims[0];
    conv.taps = graph_count(w->dims, 1, 4);
    conv.pixels = conv.window.out_h * conv.window.out_w;
    double *panel;
    status = allocate(call, conv.taps, GRAPH_DOT_WIDTH, &panel);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < (size_t)x->dims[0]; i++) {
        convolve(&conv, call->inputs[0] + i * conv.channels * conv.in_h * conv.in_w,
                 call->inputs[1], bias, panel, call->outputs[0] + i * conv.filters * conv.pixels);
    }
    free(panel);
    return BITTERN_OK;
}

/* ---- Matrices ---------------------------------------------------------------------------------
 */

/* y[rows][columns] = a[rows][inner] times b, which is [inner][columns], or [columns][inner] where
 * `is_transposed`. */
struct product {
    size_t rows, columns, inner;
    const double *a, *b;
    bool is_transposed;
    double *y;
};

static void multiply_transposed(const struct product *product)
{
    const struct graph_dot_kernels *dot = graph_dot_best();
    for (size_t r = 0; r < product->rows; r++) {
        for (size_t c = 0; c < product->columns; c++) {
            product->y[r * product->columns + c] = dot->vectors(
                product->a + r * product->inner, product->b + c * product->inner, product->inner);
        }
    }
}

/* Panels of eight columns where they stand; the last, narrower one is copied into `tail`. */
static void multiply(const struct product *product, double *tail)
{
    const struct graph_dot_kernels *dot = graph_dot_best();
    size_t whole = product->columns - product->columns % GRAPH_DOT_WIDTH;
    size_t rest = product->columns - whole;
    for (size_t k = 0; k < product->inner; k++) {
        for (size_t j = 0; j < GRAPH_DOT_WIDTH; j++) {
            tail[k * GRAPH_DOT_WIDTH + j] =
                j < rest ? product->b[k * product->columns + whole + j] : 0;
        }
    }
    for (size_t r = 0; r < product->rows; r++) {
        const double *a = product->a + r * product->inner;
        double *y = product->y + r * product->columns;
        double sums[GRAPH_DOT_WIDTH];
        for (size_t c = 0; c < whole; c += GRAPH_DOT_WIDTH) {
            dot->panel(a, product->b + c, product->columns, product->inner, y + c);
        }
        if (rest > 0) {
            dot->panel(a, tail, GRAPH_DOT_WIDTH, product->inner, sums);
            memcpy(y + whole, sums, rest * sizeof *sums);
        }
    }
}

static bittern_status run_product(const struct graph_call *call, const struct product *product)
{
    if (product->is_transposed) {
        multiply_transposed(product);
        return BITTERN_OK;
    }
    double *tail;
    bittern_status status = allocate(call, product->inner, GRAPH_DOT_WIDTH, &tail);
    if (status == BITTERN_OK) {
        multiply(product, tail);
        free(tail);
    }
    return status;
}

bittern_status graph_evaluate_matmul(const struct graph_call *call)
{
    const struct graph_tensor *a = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *b = graph_node_input(call->model, call->node, 1);
    struct product product = {.rows = graph_count(a->dims, 0, a->rank - 1),
                              .columns = (size_t)b->dims[1],
                              .inner = (size_t)b->dims[0],
                              .a = call->inputs[0],
                              .b = call->inputs[1],
                              .y = call->outputs[0]};
    return run_product(call, &product);
}

/* alpha * sum + beta * C, where factors of 1 and a missing C are left out. */
static void finish_gemm(const struct graph_call *call, const struct product *product)
{
    const struct graph_tensor *c = graph_node_input(call->model, call->node, 2);
    double alpha = graph_node_float(call->node, "alpha", 1);
    double beta = graph_node_float(call->node, "beta", 1);
    size_t row_stride = 0;
    size_t column_stride = 0;
    if (c != NULL && c->rank >= 1) {
        column_stride = c->dims[c->rank - 1] == 1 ? 0 : 1;
    }
    if (c != NULL && c->rank == 2) {
        row_stride = c->dims[0] == 1 ? 0 : (size_t)c->dims[1];
    }
    for (size_t i = 0; i < product->rows * product->columns; i++) {
        double y = product->y[i];
        y = alpha != 1 ? alpha * y : y;
        if (c != NULL) {
            size_t row = i / product->columns;
            size_t column = i % product->columns;
            double bias = call->inputs[2][row * row_stride + column * column_stride];
            y += beta != 1 ? beta * bias : bias;
        }
        product->y[i] = y;
    }
}

bittern_status graph_evaluate_gemm(const struct graph_call *call)
{
    const struct graph_tensor *a = graph_node_input(call->model, call->node, 0);
    const struct graph_tensor *output = graph_call_output(call, 0);
    bool trans_a = graph_node_int(call->node, "transA", 0) != 0;
    struct product product = {.rows = (size_t)output->dims[0],
                              .columns = (size_t)output->dims[1],
                              .inner = (size_t)a->dims[trans_a ? 0 : 1],
                              .a = call->inputs[0],
                              .b = call->inputs[1],
                              .is_transposed = graph_node_int(call->node, "transB", 0) != 0,
                              .y = call->outputs[0]};
    double *turned = NULL;
    bittern_status status = BITTERN_OK;
    if (trans_a) {
        status = allocate(call, product.rows, product.inner, &turned);
        if (status != BITTERN_OK) {
            return status;
        }
        for (size_t i = 0; i < product.rows * product.inner; i++) {
            turned[i] = product.a[i % product.inner * product.rows + i / product.inner];
        }
        product.a = turned;
    }
    status = run_product(call, &product);
    if (status == BITTERN_OK) {
        finish_gemm(call, &product);
    }
    free(turned);
    return status;
}
