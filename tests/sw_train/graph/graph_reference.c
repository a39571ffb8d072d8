/* SPDX-License-Identifier: Apache-2.0 */
/* The reference keeps one double array a tensor and interprets the graph's layer_info in order. */
#include "graph_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *doubles(size_t count)
{
    double *values = calloc(count, sizeof(double));
    if (values == NULL) {
        abort();
    }
    return values;
}

static size_t at(const struct backend_tensor *t, size_t n, size_t y, size_t x, size_t c)
{
    return ((n * t->h + y) * t->w + x) * t->c + c;
}

double reference_value(const struct backend_tensor *tensor, size_t block, size_t n, size_t y,
                       size_t x, size_t c)
{
    const float *data = tensor->data;
    if (tensor->layout == BACKEND_CHANNELS_LAST) {
        return (double)data[at(tensor, n, y, x, c)];
    }
    size_t width = tensor->layout == BACKEND_BLOCKED ? block : 1;
    size_t row = ((n * (tensor->c / width) + c / width) * tensor->h + y) * tensor->w + x;
    return (double)data[row * width + c % width];
}

void reference_store(struct backend_tensor *tensor, size_t n, size_t y, size_t x, size_t c,
                     double value)
{
    float *data = tensor->data;
    bool planar = tensor->layout == BACKEND_PLANAR;
    data[planar ? ((n * tensor->c + c) * tensor->h + y) * tensor->w + x : at(tensor, n, y, x, c)] =
        (float)value;
}

void reference_create(struct graph_reference *reference, struct graph *graph)
{
    const struct backend_tensor *input = graph_input(graph);
    size_t count = graph_parameter_count(graph);
    *reference = (struct graph_reference){
        .graph = graph,
        .input = doubles(backend_tensor_count(input)),
        .parameters = calloc(count, sizeof(double *)),
        .output = doubles(graph_batch(graph) * graph_classes(graph)),
    };
    for (size_t p = 0; p < count; p++) {
        const struct parameter *parameter = graph_parameter(graph, p);
        reference->parameters[p] = doubles(parameter->count);
        for (size_t i = 0; i < parameter->count; i++) {
            reference->parameters[p][i] = (double)parameter->value[i];
        }
    }
}

void reference_free(struct graph_reference *reference)
{
    for (size_t p = 0; p < graph_parameter_count(reference->graph); p++) {
        free(reference->parameters[p]);
    }
    free(reference->parameters);
    free(reference->input);
    free(reference->output);
}

static const double *find_parameter(const struct graph_reference *reference, const char *layer,
                                    const char *suffix)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "%s.%s", layer, suffix);
    for (size_t p = 0; p < graph_parameter_count(reference->graph); p++) {
        if (strcmp(graph_parameter(reference->graph, p)->name, name) == 0) {
            return reference->parameters[p];
        }
    }
    return NULL;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static void run_conv(const struct graph_reference *reference, const struct layer_info *info,
                     const struct backend_tensor *in, const double *src, double *dst)
{
    struct backend_conv_shape s = info->conv;
    if (info->kind == LAYER_FC) { /* a convolution with a window as large as its input */
        s.in_channels = in->c;
        s.in_h = s.kernel_h = in->h;
        s.in_w = s.kernel_w = in->w;
    }
    const double *weight = find_parameter(reference, info->name, "weight");
    const double *bias = find_parameter(reference, info->name, "bias");
    if (weight == NULL) {
        abort();
    }
    double *out = dst;
    for (size_t n = 0; n < s.n; n++) {
        for (size_t pixel = 0; pixel < s.out_h * s.out_w; pixel++) {
            for (size_t o = 0; o < s.out_channels; o++) {
                double sum = bias != NULL ? bias[o] : 0;
                for (size_t tap = 0; tap < s.kernel_h * s.kernel_w; tap++) {
                    size_t y = pixel / s.out_w * s.stride_h + tap / s.kernel_w;
                    size_t x = pixel % s.out_w * s.stride_w + tap % s.kernel_w;
                    if (y < s.pad_h || y - s.pad_h >= s.in_h || x < s.pad_w ||
                        x - s.pad_w >= s.in_w) {
                        continue;
                    }
                    const double *w = weight + (o * s.kernel_h * s.kernel_w + tap) * s.in_channels;
                    const double *a = src + at(in, n, y - s.pad_h, x - s.pad_w, 0);
                    for (size_t c = 0; c < s.in_channels; c++) {
                        sum += w[c] * a[c];
                    }
                }
                *out++ = sum;
            }
        }
    }
}

static void run_norm(const struct graph_reference *reference, const struct layer_info *info,
                     const struct backend_tensor *in, const double *src, double *dst)
{
    const double *scale = find_parameter(reference, info->name, "scale");
    const double *shift = find_parameter(reference, info->name, "shift");
    size_t rows = in->n * in->h * in->w;
    for (size_t c = 0; c < in->c; c++) {
        double mean = 0, variance = 0;
        for (size_t row = 0; row < rows; row++) {
            mean += src[row * in->c + c] / (double)rows;
        }
        for (size_t row = 0; row < rows; row++) {
            double d = src[row * in->c + c] - mean;
            variance += d * d / (double)rows;
        }
        for (size_t row = 0; row < rows; row++) {
            double y = (src[row * in->c + c] - mean) / sqrt(variance + info->epsilon);
            y = y * scale[c] + shift[c];
            dst[row * in->c + c] = info->relu && y < 0 ? 0 : y;
        }
    }
}

static void run_pool(const struct layer_info *info, const struct backend_tensor *in,
                     const struct backend_tensor *out, const double *src, double *dst)
{
    const struct backend_pool_shape *s = &info->pool;
    for (size_t i = 0; i < backend_tensor_count(out); i++) {
        size_t c = i % out->c, ox = i / out->c % out->w, oy = i / out->c / out->w % out->h;
        size_t n = i / out->c / out->w / out->h;
        double best = -INFINITY, sum = 0, taps = 0;
        for (size_t tap = 0; tap < s->kernel_h * s->kernel_w; tap++) {
            size_t y = oy * s->stride_h + tap / s->kernel_w - s->pad_h;
            size_t x = ox * s->stride_w + tap % s->kernel_w - s->pad_w;
            if (y < in->h && x < in->w) { /* before 0 they wrap around, and are large */
                double value = src[at(in, n, y, x, c)];
                best = fmax(best, value);
                sum += value;
                taps += 1;
            }
        }
        dst[i] = s->kind == BACKEND_POOL_MAX ? best : sum / taps;
    }
}

static double activate(const struct activation_config *config, double x)
{
    double levels = pow(2, config->bits) - 1;
    switch (config->kind) {
    case ACTIVATION_RELU:
        return fmax(0, x);
    case ACTIVATION_CLIP:
        return fmin(fmax(0, x), config->range);
    case ACTIVATION_QUANT:
        return nearbyint(fmin(fmax(0, x), config->range) * levels / config->range) * config->range /
               levels;
    case ACTIVATION_SIGN:
        return x >= 0 ? 1 : -1;
    case ACTIVATION_TERNARY:
        return x >= 0.5 ? 1 : x < -0.5 ? -1 : 0;
    case ACTIVATION_IDENTITY:
        break;
    }
    return x;
}

static void run_layer(const struct graph_reference *reference, const struct layer_info *info,
                      double *const *values)
{
    const struct backend_tensor *in = graph_tensor(reference->graph, info->input);
    const struct backend_tensor *out = graph_tensor(reference->graph, info->output);
    const double *src = values[info->input];
    double *dst = values[info->output];
    size_t count = backend_tensor_count(out);
    const float *dropped = out->data;
    switch (info->kind) {
    case LAYER_CONV:
    case LAYER_FC:
        run_conv(reference, info, in, src, dst);
        break;
    case LAYER_NORM:
        run_norm(reference, info, in, src, dst);
        break;
    case LAYER_POOL:
        run_pool(info, in, out, src, dst);
        break;
    case LAYER_ACTIVATION:
        for (size_t i = 0; i < count; i++) {
            dst[i] = activate(&info->activation, src[i]);
        }
        break;
    case LAYER_ADD:
        for (size_t i = 0; i < count; i++) {
            dst[i] = src[i] + values[info->input2][i];
        }
        break;
    case LAYER_DROPOUT: /* of vectors, whose order is the graph's own */
        for (size_t i = 0; i < count; i++) {
            dst[i] = dropped[i] == 0 ? 0 : src[i] / (1 - info->drop_rate);
        }
        break;
    }
}

void reference_run(struct graph_reference *reference)
{
    const struct graph *graph = reference->graph;
    size_t layers = graph_layer_count(graph);
    double **values = calloc(layers + 1, sizeof(double *));
    if (values == NULL) {
        abort();
    }
    values[0] = reference->input;
    for (size_t i = 0; i < layers; i++) {
        struct layer_info info;
        graph_layer(graph, i, &info);
        values[info.output] = doubles(backend_tensor_count(graph_tensor(graph, info.output)));
        run_layer(reference, &info, values);
    }
    memcpy(reference->output, values[layers],
           graph_batch(graph) * graph_classes(graph) * sizeof(double));
    for (size_t i = 1; i <= layers; i++) {
        free(values[i]);
    }
    free(values);
}
