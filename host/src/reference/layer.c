/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few images through one layer, row by row: dot products of a row for all images, activation,
 * pools, packing. Only as many rows are held as a pool's window has.
 *
 * Points of all images with the same cut of the window at the border go to the kernel together, so
 * that a weight, once loaded, serves several images also where rows are short.
 */
#include "reference/run.h"
#include <string.h>

struct layer_run {
    struct reference_worker *worker;
    const struct reference_layer *plan;
    const struct reference_format *output;
    size_t count; /* images */
    const uint8_t *in;
    uint8_t *out;
};

/* Taps of a window that are not in cut padding, in one direction: first..end - 1. */
struct tap_range {
    size_t first, end;
};

/* Where a row's results go: activated codes, or accumulators for a sum pool or as the output. */
struct row_target {
    uint8_t *codes; /* [image][column][channel]; NULL: acc */
    int32_t *acc;
};

/* Output positions side by side, of all images, whose windows are cut in the same way. */
struct segment {
    size_t row;
    size_t first, end; /* columns */
    struct tap_range rows, columns;
};

static struct tap_range valid_taps(size_t position, size_t stride, size_t pad, size_t kernel,
                                   size_t size)
{
    size_t start = position * stride;
    struct tap_range range = {0, kernel};
    if (start < pad) {
        range.first = pad - start < kernel ? pad - start : kernel;
    }
    if (start + kernel > size + pad) {
        range.end = start >= size + pad ? 0 : size + pad - start;
    }
    if (range.end < range.first) {
        range.end = range.first;
    }
    return range;
}

/* One run a window row, or a single one where they follow each other. */
static size_t make_runs(const struct layer_run *run, const struct segment *segment)
{
    const struct reference_layer *plan = run->plan;
    struct reference_run *runs = run->worker->runs;
    size_t rows = segment->rows.end - segment->rows.first;
    size_t columns = segment->columns.end - segment->columns.first;
    if (columns == 0) {
        return 0;
    }
    for (size_t r = 0; r < rows; ++r) {
        size_t row = segment->rows.first + r;
        runs[r].input = r * plan->input.row_bytes;
        if (plan->input.kind == BITTERN_VALUE_INT) {
            size_t unit = plan->lanes.unit;
            size_t units = (columns * plan->input.pixel_bytes + unit - 1) / unit;
            runs[r].weight = row * units;
            runs[r].length = units;
        } else {
            runs[r].weight =
                (row * plan->window.kernel_w + segment->columns.first) * plan->input.words;
            runs[r].length = columns * plan->input.words;
        }
    }
    return rows;
}

/* total = base + sum over planes of multiplier * sums, modulo 2^32: the total is proven to fit. */
static void add_plane(int32_t *restrict total, const int32_t *restrict sums, size_t count,
                      int32_t multiplier)
{
    for (size_t i = 0; i < count; ++i) {
        total[i] = (int32_t)((uint32_t)total[i] + (uint32_t)sums[i] * (uint32_t)multiplier);
    }
}

/* Accumulators of one group of channels at some points. */
static const int32_t *accumulate(const struct layer_run *run, struct reference_dot *dot,
                                 size_t group, size_t channels)
{
    const struct reference_layer *plan = run->plan;
    int32_t *total = run->worker->sums;
    int32_t *sums = total + (size_t)REFERENCE_POINTS * REFERENCE_GROUP_LANES;
    size_t first = group * plan->group_channels;
    dot->stride = plan->group_channels;
    dot->blocks = (channels + plan->lanes.lanes - 1) / plan->lanes.lanes;
    dot->sums = sums;
    for (size_t p = 0; p < plan->plane_count; ++p) {
        dot->weights = plan->planes[p].weights + group * plan->planes[p].group_bytes;
        plan->planes[p].dot(dot);
        if (plan->plane_count == 1 && !plan->base) {
            return sums;
        }
        for (size_t point = 0; point < dot->point_count; ++point) {
            int32_t *to = total + point * dot->stride;
            if (p == 0 && plan->base) {
                memcpy(to, plan->base + first, channels * sizeof *to);
            } else if (p == 0) {
                memset(to, 0, channels * sizeof *to);
            }
            add_plane(to, sums + point * dot->stride, channels, plan->planes[p].multiplier);
        }
    }
    return total;
}

/* All channels of the points, into their places of the row. */
static void run_points(const struct layer_run *run, struct reference_dot *dot,
                       const size_t *positions, const struct row_target *target)
{
    const struct reference_layer *plan = run->plan;
    size_t outputs = plan->layer->conv.channels;
    for (size_t first = 0; first < outputs; first += plan->group_channels) {
        size_t channels = outputs - first;
        channels = channels < plan->group_channels ? channels : plan->group_channels;
        const int32_t *acc = accumulate(run, dot, first / plan->group_channels, channels);
        for (size_t p = 0; p < dot->point_count; ++p) {
            const int32_t *from = acc + p * dot->stride;
            size_t place = positions[p] * outputs + first;
            if (target->codes) {
                run->worker->plan->kernel->finish(&plan->finish, first, channels, from,
                                                  target->codes + place);
            } else {
                memcpy(target->acc + place, from, channels * sizeof *from);
            }
        }
    }
}

static void run_segment(const struct layer_run *run, const struct segment *segment,
                        const struct row_target *target)
{
    const struct reference_layer *plan = run->plan;
    const uint8_t *points[REFERENCE_POINTS];
    size_t positions[REFERENCE_POINTS];
    size_t taps =
        (segment->rows.end - segment->rows.first) * (segment->columns.end - segment->columns.first);
    struct reference_dot dot = {.points = points,
                                .runs = run->worker->runs,
                                .run_count = make_runs(run, segment),
                                .valid = (int32_t)(taps * plan->input.shape.channels)};
    size_t top = segment->row * plan->window.stride_h + segment->rows.first - plan->window.pad_top;
    size_t filled = 0;
    for (size_t image = 0; image < run->count; ++image) {
        for (size_t x = segment->first; x < segment->end; ++x) {
            size_t left =
                x * plan->window.stride_w + segment->columns.first - plan->window.pad_left;
            /* A window that lies in padding altogether has no first value. */
            size_t offset = top * plan->input.row_bytes + left * plan->input.pixel_bytes;
            points[filled] = run->in + image * plan->input.image_bytes + (taps > 0 ? offset : 0);
            positions[filled++] = image * plan->layer->conv.width + x;
            if (filled == REFERENCE_POINTS) {
                dot.point_count = filled;
                run_points(run, &dot, positions, target);
                filled = 0;
            }
        }
    }
    if (filled > 0) {
        dot.point_count = filled;
        run_points(run, &dot, positions, target);
    }
}

/* Convolution or full connection: segment by segment along the row. */
static void run_conv_row(const struct layer_run *run, size_t row, const struct row_target *target)
{
    const struct reference_layer *plan = run->plan;
    const struct bittern_window *w = &plan->window;
    struct segment segment = {
        .row = row,
        .rows = valid_taps(row, w->stride_h, w->pad_top, w->kernel_h, plan->input_height)};
    for (size_t x = 0; x < plan->layer->conv.width; x = segment.end) {
        segment.first = x;
        segment.columns = valid_taps(x, w->stride_w, w->pad_left, w->kernel_w, plan->input_width);
        for (segment.end = x + 1; segment.end < plan->layer->conv.width; ++segment.end) {
            struct tap_range next =
                valid_taps(segment.end, w->stride_w, w->pad_left, w->kernel_w, plan->input_width);
            if (next.first != segment.columns.first || next.end != segment.columns.end) {
                break;
            }
        }
        run_segment(run, &segment, target);
    }
}

/* One position of a SUM layer, all channels. */
static void sum_window(const struct layer_run *run, const uint8_t *image, size_t row, size_t column,
                       int32_t *sums)
{
    const struct reference_format *input = &run->plan->input;
    const struct bittern_window *w = &run->plan->window;
    size_t channels = input->shape.channels;
    memset(sums, 0, channels * sizeof *sums);
    for (size_t r = 0; r < w->kernel_h; ++r) {
        for (size_t c = 0; c < w->kernel_w; ++c) {
            size_t y = row * w->stride_h + r;
            size_t x = column * w->stride_w + c;
            bool inside = y >= w->pad_top && y - w->pad_top < input->shape.height &&
                          x >= w->pad_left && x - w->pad_left < input->shape.width;
            const uint8_t *pixel = inside ? image + (y - w->pad_top) * input->row_bytes +
                                                (x - w->pad_left) * input->pixel_bytes
                                          : NULL;
            for (size_t i = 0; i < channels; ++i) {
                sums[i] += pixel ? reference_load_value(input, pixel, i) : input->pad_value;
            }
        }
    }
}

static void run_sum_row(const struct layer_run *run, size_t row, const struct row_target *target)
{
    const struct reference_layer *plan = run->plan;
    size_t channels = plan->layer->conv.channels;
    for (size_t image = 0; image < run->count; ++image) {
        for (size_t x = 0; x < plan->layer->conv.width; ++x) {
            size_t place = (image * plan->layer->conv.width + x) * channels;
            int32_t *sums = target->acc ? target->acc + place : run->worker->channel_sums;
            sum_window(run, run->in + image * plan->input.image_bytes, row, x, sums);
            if (target->codes) {
                run->worker->plan->kernel->finish(&plan->finish, 0, channels, sums,
                                                  target->codes + place);
            }
        }
    }
}

/* Values of one row of all images, before or after the sum pool. */
static size_t row_values(const struct layer_run *run, size_t width)
{
    return run->count * width * run->plan->layer->conv.channels;
}

/* Where row `row` of the activation's output goes. */
static struct row_target code_row(const struct layer_run *run, size_t row)
{
    const struct bittern_layer *layer = run->plan->layer;
    size_t slot = layer->has_max_pool ? row % layer->max_pool.kernel_h : 0;
    size_t offset = slot * row_values(run, run->plan->pooled.width);
    struct row_target target = {0};
    if (run->output->kind == BITTERN_VALUE_ACC) {
        target.acc = (int32_t *)run->worker->code_rows + offset;
    } else {
        target.codes = (uint8_t *)run->worker->code_rows + offset;
    }
    return target;
}

static int32_t *acc_row(const struct layer_run *run, size_t row)
{
    size_t slot = row % run->plan->layer->sum_pool.kernel_h;
    return run->worker->acc_rows + slot * row_values(run, run->plan->layer->conv.width);
}

/* One row after the sum pool: window sums, then the activation. */
static void pool_sums(const struct layer_run *run, size_t row)
{
    const struct reference_layer *plan = run->plan;
    const struct bittern_window *w = &plan->layer->sum_pool;
    const struct row_target target = code_row(run, row);
    size_t channels = plan->layer->conv.channels;
    for (size_t i = 0; i < run->count * plan->pooled.width; ++i) {
        size_t left =
            i / plan->pooled.width * plan->layer->conv.width + i % plan->pooled.width * w->stride_w;
        int32_t *sums = target.acc ? target.acc + i * channels : run->worker->channel_sums;
        memset(sums, 0, channels * sizeof *sums);
        for (size_t r = 0; r < w->kernel_h; ++r) {
            const int32_t *from = acc_row(run, row * w->stride_h + r) + left * channels;
            for (size_t c = 0; c < w->kernel_w; ++c) {
                add_plane(sums, from + c * channels, channels, 1);
            }
        }
        if (target.codes) {
            run->worker->plan->kernel->finish(&plan->finish, 0, channels, sums,
                                              target.codes + i * channels);
        }
    }
}

/* Where one pixel of the output lies. */
static uint8_t *output_pixel(const struct layer_run *run, size_t image, size_t row, size_t column)
{
    const struct reference_format *format = run->output;
    return run->out + image * format->image_bytes + (row + format->pad_top) * format->row_bytes +
           (column + format->pad_left) * format->pixel_bytes;
}

/* A row without max pool goes straight into the output. */
static void store_row(const struct layer_run *run, size_t row)
{
    const struct row_target from = code_row(run, row);
    size_t channels = run->output->shape.channels;
    for (size_t i = 0; i < run->count * run->output->shape.width; ++i) {
        uint8_t *pixel =
            output_pixel(run, i / run->output->shape.width, row, i % run->output->shape.width);
        if (from.acc) {
            memcpy(pixel, from.acc + i * channels, channels * sizeof *from.acc);
        } else {
            reference_store_codes(run->worker->plan->kernel, run->output, from.codes + i * channels,
                                  pixel);
        }
    }
}

/* One row after the max pool, into the output. */
static void pool_maxima(const struct layer_run *run, size_t row)
{
    const struct reference_layer *plan = run->plan;
    const struct reference_kernel *kernel = run->worker->plan->kernel;
    const struct bittern_window *w = &plan->layer->max_pool;
    const struct tap_range rows =
        valid_taps(row, w->stride_h, w->pad_top, w->kernel_h, plan->pooled.height);
    size_t channels = plan->layer->conv.channels;
    uint8_t *best = run->worker->channel_codes;
    for (size_t i = 0; i < run->count * run->output->shape.width; ++i) {
        size_t image = i / run->output->shape.width;
        size_t column = i % run->output->shape.width;
        struct tap_range columns =
            valid_taps(column, w->stride_w, w->pad_left, w->kernel_w, plan->pooled.width);
        bool found = false;
        for (size_t r = rows.first; r < rows.end; ++r) {
            const uint8_t *from = code_row(run, row * w->stride_h + r - w->pad_top).codes;
            for (size_t c = columns.first; c < columns.end; ++c) {
                size_t x = column * w->stride_w + c - w->pad_left;
                const uint8_t *codes = from + (image * plan->pooled.width + x) * channels;
                if (found) {
                    kernel->max_codes(best, codes, plan->min_flip, channels);
                } else {
                    memcpy(best, codes, channels);
                }
                found = true;
            }
        }
        reference_store_codes(kernel, run->output, best, output_pixel(run, image, row, column));
    }
}

/* Rows of a window's output that need no input row past the first `rows` of `height`. */
static size_t finished_rows(const struct bittern_window *window, size_t rows, size_t height,
                            size_t outputs)
{
    if (rows == height) {
        return outputs;
    }
    if (rows + window->pad_top < window->kernel_h) {
        return 0;
    }
    return (rows + window->pad_top - window->kernel_h) / window->stride_h + 1;
}

void reference_run_layer(struct reference_worker *worker, const struct reference_layer *layer,
                         const struct reference_format *output, size_t count, const uint8_t *in,
                         uint8_t *out)
{
    const struct bittern_layer *source = layer->layer;
    const struct layer_run run = {worker, layer, output, count, in, out};
    size_t activated = 0; /* rows that have left the activation */
    size_t stored = 0;    /* rows of the output */
    for (size_t image = 0; image < count; ++image) {
        reference_fill_padding(output, out + image * output->image_bytes);
    }
    for (size_t row = 0; row < source->conv.height; ++row) {
        struct row_target target = {.acc = source->has_sum_pool ? acc_row(&run, row) : NULL};
        if (!source->has_sum_pool) {
            target = code_row(&run, row);
        }
        if (source->op == BITTERN_LAYER_SUM) {
            run_sum_row(&run, row, &target);
        } else {
            run_conv_row(&run, row, &target);
        }
        size_t ready = source->has_sum_pool
                           ? finished_rows(&source->sum_pool, row + 1, source->conv.height,
                                           layer->pooled.height)
                           : row + 1;
        for (; activated < ready; ++activated) {
            if (source->has_sum_pool) {
                pool_sums(&run, activated);
            }
            if (!source->has_max_pool) {
                store_row(&run, activated);
                continue;
            }
            size_t complete = finished_rows(&source->max_pool, activated + 1, layer->pooled.height,
                                            source->output.height);
            for (; stored < complete; ++stored) {
                pool_maxima(&run, stored);
            }
        }
    }
}
