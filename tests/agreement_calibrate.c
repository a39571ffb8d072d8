/* SPDX-License-Identifier: Apache-2.0 */
/* See agreement_calibrate.h: one evaluation of all images for each BatchNormalization, in order. */
#include "agreement_calibrate.h"

#include "model/graph.h"

#include <bittern/reference.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of one tensor's values, by channel. */
struct statistics {
    const char *tensor;
    size_t channels;
    double *sum, *squares; /* [channels] */
    size_t count;          /* of values a channel */
};

static int add_values(void *user, size_t image, const struct bittern_tensor_info *info,
                      const double *values)
{
    struct statistics *s = user;
    size_t positions = 1;
    (void)image;
    if (strcmp(info->name, s->tensor) != 0) {
        return 0;
    }
    for (size_t i = 2; i < info->rank; i++) {
        positions *= (size_t)info->dims[i];
    }
    for (size_t i = 0; i < s->channels * positions; i++) {
        s->sum[i / positions] += values[i];
        s->squares[i / positions] += values[i] * values[i];
    }
    s->count += positions;
    return 0;
}

static void set_batch_norm(struct bittern_model *model, const struct graph_node *node,
                           const struct statistics *s)
{
    double *mean = model->tensors[node->inputs[3]].constant;
    double *variance = model->tensors[node->inputs[4]].constant;
    bool is_exact = graph_node_float(node, "epsilon", 1e-5) == 0;

    for (size_t c = 0; c < s->channels; c++) {
        double m = s->sum[c] / (double)s->count;
        double v = s->squares[c] / (double)s->count - m * m;
        v = v > 1e-6 ? v : 1;
        /* Files hold float32. */
        mean[c] = is_exact ? rint(m * 64) / 64 : (double)(float)m;
        variance[c] = is_exact ? exp2(2 * rint(log2(v) / 2)) : (double)(float)v;
    }
}

bittern_status agreement_calibrate(struct bittern_model *model, const uint8_t *images, size_t count,
                                   struct bittern_error *err)
{
    size_t size = model->tensors[model->input].count;
    double *real = calloc(count * size + 1, sizeof *real);
    bittern_status status = BITTERN_OK;

    if (!real) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu images", count);
    }
    for (size_t i = 0; i < count * size; i++) {
        real[i] = images[i] / 255.0;
    }
    for (size_t n = 0; n < model->node_count && status == BITTERN_OK; n++) {
        const struct graph_node *node = &model->nodes[n];
        if (node->op != GRAPH_BATCH_NORM) {
            continue;
        }
        size_t channels = model->tensors[node->inputs[3]].count;
        struct statistics s = {.tensor = model->tensors[node->inputs[0]].name,
                               .channels = channels,
                               .sum = calloc(channels, sizeof(double)),
                               .squares = calloc(channels, sizeof(double))};
        status = s.sum && s.squares
                     ? bittern_model_evaluate(model, real, count, add_values, &s, NULL, err)
                     : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for statistics");
        if (status == BITTERN_OK) {
            set_batch_norm(model, node, &s);
        }
        free(s.sum);
        free(s.squares);
    }
    free(real);
    return status;
}

/* ---- Life --------------------------------------------------------------------------------------
 */

struct life_watch {
    int32_t *first; /* [channels]: of the first image */
    bool *varied;
    size_t position; /* among all layers' channels, within an image */
};

static int watch_layer(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                       const int32_t *values)
{
    struct life_watch *w = user;
    size_t positions = shape->height * shape->width;
    if (layer == SIZE_MAX) {
        w->position = 0;
        return 0;
    }
    for (size_t c = 0; c < shape->channels; c++, w->position++) {
        if (image == 0) {
            w->first[w->position] = values[c * positions];
        }
        for (size_t p = 0; p < positions; p++) {
            w->varied[w->position] |= values[c * positions + p] != w->first[w->position];
        }
    }
    return 0;
}

static size_t count_classes(const struct bittern_network *network, const int32_t *values,
                            size_t count)
{
    size_t outputs = bittern_network_output_count(network);
    size_t classes = 0;
    for (size_t k = 0; k < outputs; k++) {
        for (size_t i = 0; i < count; i++) {
            if (bittern_network_classify(network, values + i * outputs) == k) {
                classes++;
                break;
            }
        }
    }
    return classes;
}

bittern_status agreement_measure_life(const struct bittern_network *network, const uint8_t *images,
                                      size_t count, struct agreement_life *life,
                                      struct bittern_error *err)
{
    const struct bittern_reference_options options = {.threads = 1};
    struct bittern_reference *engine = NULL;
    size_t channels = 0;
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        channels += bittern_network_layer(network, l)->output.channels;
    }
    int32_t *values = calloc(count * bittern_network_output_count(network) + 1, sizeof *values);
    struct life_watch w = {.first = calloc(channels + 1, sizeof *w.first),
                           .varied = calloc(channels + 1, sizeof *w.varied)};

    *life = (struct agreement_life){.channels = channels};
    bittern_status status =
        values && w.first && w.varied
            ? bittern_reference_create(network, &options, &engine, err)
            : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to watch channels in");
    if (status == BITTERN_OK) {
        status = bittern_reference_trace(engine, images, count, watch_layer, &w, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_reference_run(engine, images, count, values, err);
    }
    if (status == BITTERN_OK) {
        life->classes = count_classes(network, values, count);
        for (size_t c = 0; c < channels; c++) {
            life->varied += w.varied[c];
        }
    }
    bittern_reference_free(engine);
    free(values);
    free(w.first);
    free(w.varied);
    return status;
}

bool agreement_is_alive(const struct agreement_life *life)
{
    return life->varied * 10 >= life->channels * 8 && life->classes >= 5;
}
