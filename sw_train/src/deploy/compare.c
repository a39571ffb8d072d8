/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integer network on the test set, and its comparison with the float64 graph.
 *
 * Classifying is the reference engine's work, a few hundred images at a time on its own threads.
 * The comparison takes one image a thread: a one-threaded engine gives every layer's integers, then
 * the evaluator shows every tensor of the graph, and those that a layer stands for are compared
 * value by value. Both go in rounds, so that progress is told (and cancelling works) between them.
 */
#include "deploy/deploy.h"

#include <bittern/reference.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES_A_ROUND 256

struct comparer {
    const struct bittern_model *model;
    const struct bittern_network *network;
    const uint8_t *images, *labels;
    size_t image_size, classes;
    size_t threads;
    bittern_progress progress; /* may be NULL */
    void *user;
    struct deploy_comparison *result;
    struct bittern_error *err;
};

static bittern_status tell(struct comparer *c, const char *what, size_t done, size_t total)
{
    if (c->progress && c->progress(c->user, what, done, total) != 0) {
        return bittern_error_set(c->err, BITTERN_ERR_CANCELLED, "cancelled in: %s", what);
    }
    return BITTERN_OK;
}

/* ---- The test set in integers -----------------------------------------------------------------
 */

static bittern_status classify(struct comparer *c, struct bittern_reference *engine,
                               int32_t *values)
{
    size_t total = c->result->images;
    size_t correct = 0;
    bittern_status status = BITTERN_OK;

    for (size_t done = 0; done < total && status == BITTERN_OK;) {
        size_t count = total - done < IMAGES_A_ROUND ? total - done : IMAGES_A_ROUND;
        status =
            bittern_reference_run(engine, c->images + done * c->image_size, count, values, c->err);
        for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
            correct += bittern_network_classify(c->network, values + i * c->classes) ==
                       c->labels[done + i];
        }
        done += count;
        if (status == BITTERN_OK) {
            status = tell(c, "integer network", done, total);
        }
    }
    c->result->integer_accuracy = total > 0 ? (double)correct / (double)total : 0;
    return status;
}

static bittern_status classify_all(struct comparer *c)
{
    const struct bittern_reference_options options = {.threads = c->threads};
    struct bittern_reference *engine = NULL;
    int32_t *values = calloc(IMAGES_A_ROUND * c->classes, sizeof *values);
    bittern_status status = values ? BITTERN_OK
                                   : bittern_error_set(c->err, BITTERN_ERR_MEMORY,
                                                       "out of memory to classify the test set");
    if (status == BITTERN_OK) {
        status = bittern_reference_create(c->network, &options, &engine, c->err);
    }
    if (status == BITTERN_OK) {
        status = classify(c, engine, values);
    }
    bittern_reference_free(engine);
    free(values);
    return status;
}

/* ---- One thread's comparison ------------------------------------------------------------------
 */

struct verifier {
    const struct comparer *c;
    struct bittern_reference *engine;
    double *real;      /* the image in 0..1 */
    double *scores;    /* [classes] */
    int32_t **outputs; /* [layer][values] of the image at hand */
    size_t differ, equal, verified;
    bittern_status status; /* the first failure */
    struct bittern_error err;
};

static size_t output_size(const struct bittern_layer *layer)
{
    return layer->output.channels * layer->output.height * layer->output.width;
}

static void verifier_close(struct verifier *v)
{
    for (size_t l = 0; v->outputs && l < bittern_network_layer_count(v->c->network); l++) {
        free(v->outputs[l]);
    }
    free(v->outputs);
    free(v->scores);
    free(v->real);
    bittern_reference_free(v->engine);
}

static void verifier_open(struct verifier *v, const struct comparer *c)
{
    const struct bittern_reference_options one = {.threads = 1};
    size_t layers = bittern_network_layer_count(c->network);
    bool has_memory;

    *v = (struct verifier){.c = c};
    v->real = calloc(c->image_size, sizeof *v->real);
    v->scores = calloc(c->classes, sizeof *v->scores);
    v->outputs = calloc(layers, sizeof *v->outputs);
    has_memory = v->real && v->scores && v->outputs;
    for (size_t l = 0; l < layers && has_memory; l++) {
        v->outputs[l] =
            calloc(output_size(bittern_network_layer(c->network, l)), sizeof **v->outputs);
        has_memory = v->outputs[l] != NULL;
    }
    v->status = has_memory ? bittern_reference_create(c->network, &one, &v->engine, &v->err)
                           : bittern_error_set(&v->err, BITTERN_ERR_MEMORY,
                                               "out of memory to compare in float64");
}

static int keep_layer(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                      const int32_t *values)
{
    struct verifier *v = user;
    (void)image;
    if (layer != SIZE_MAX) {
        memcpy(v->outputs[layer], values,
               shape->channels * shape->height * shape->width * sizeof *values);
    }
    return 0;
}

/* A real equals an integer where scale * q + bias is the real, up to float64's rounding. */
static void compare_layer(struct verifier *v, const struct bittern_layer *layer,
                          const int32_t *values, const double *reals)
{
    size_t positions = layer->output.height * layer->output.width;

    for (size_t i = 0; i < layer->output.channels * positions; i++) {
        double scale = layer->scale[i / positions];
        double bias = layer->bias[i / positions];
        double expected = scale * values[i] + bias;
        double tolerance = 1e-6 * fabs(scale) + 1e-12 * (fabs(bias) + fabs(expected));
        /* Written so that a NaN differs. */
        v->differ += !(fabs(reals[i] - expected) <= tolerance);
    }
}

static int compare_tensor(void *user, size_t image, const struct bittern_tensor_info *info,
                          const double *values)
{
    struct verifier *v = user;
    (void)image;
    for (size_t l = 0; l < bittern_network_layer_count(v->c->network); l++) {
        const struct bittern_layer *layer = bittern_network_layer(v->c->network, l);
        if (strcmp(layer->output_name, info->name) == 0) {
            compare_layer(v, layer, v->outputs[l], values);
        }
    }
    return 0;
}

static size_t best_of(const double *scores, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

static void verify_image(const struct comparer *c, struct verifier *v, size_t image)
{
    const uint8_t *pixels = c->images + image * c->image_size;

    if (v->status == BITTERN_OK) {
        v->status = bittern_reference_trace(v->engine, pixels, 1, keep_layer, v, &v->err);
    }
    for (size_t i = 0; i < c->image_size; i++) {
        v->real[i] = pixels[i] / 255.0;
    }
    if (v->status == BITTERN_OK) {
        v->status =
            bittern_model_evaluate(c->model, v->real, 1, compare_tensor, v, v->scores, &v->err);
    }
    if (v->status == BITTERN_OK) {
        const int32_t *last = v->outputs[bittern_network_layer_count(c->network) - 1];
        v->equal += best_of(v->scores, c->classes) == bittern_network_classify(c->network, last);
        v->verified++;
    }
}

/* ---- All threads ------------------------------------------------------------------------------
 */

/* The first failure among the threads; sums of the others' counts. */
static bittern_status gather(struct comparer *c, const struct verifier *verifiers)
{
    struct deploy_comparison *r = c->result;

    r->verified = r->verified_equal = r->verified_values_differ = 0;
    for (size_t t = 0; t < c->threads; t++) {
        const struct verifier *v = &verifiers[t];
        if (v->status != BITTERN_OK) {
            return bittern_error_set(c->err, v->status, "%s", v->err.message);
        }
        r->verified += v->verified;
        r->verified_equal += v->equal;
        r->verified_values_differ += v->differ;
    }
    return BITTERN_OK;
}

static bittern_status verify_all(struct comparer *c, size_t total)
{
    struct verifier *verifiers = calloc(c->threads, sizeof *verifiers);
    bittern_status status = BITTERN_OK;

    if (!verifiers) {
        return bittern_error_set(c->err, BITTERN_ERR_MEMORY, "out of memory to compare in float64");
    }
    for (size_t t = 0; t < c->threads; t++) {
        verifier_open(&verifiers[t], c);
    }
    status = gather(c, verifiers);
    /* A round is one image a thread: large networks take seconds an image. */
    for (size_t done = 0; done < total && status == BITTERN_OK;) {
        size_t count = total - done < c->threads ? total - done : c->threads;
#pragma omp parallel for num_threads((int)c->threads) schedule(static, 1)
        for (size_t t = 0; t < count; t++) {
            verify_image(c, &verifiers[t], done + t);
        }
        done += count;
        status = gather(c, verifiers);
        if (status == BITTERN_OK) {
            status = tell(c, "float64 comparison", done, total);
        }
    }
    for (size_t t = 0; t < c->threads; t++) {
        verifier_close(&verifiers[t]);
    }
    free(verifiers);
    return status;
}

/* ---- Checks -----------------------------------------------------------------------------------
 */

static bittern_status check_shapes(const struct bittern_network *network,
                                   const struct bittern_dataset *test, struct bittern_error *err)
{
    const struct bittern_shape *in = &bittern_network_input(network)->shape;
    size_t classes = bittern_network_output_count(network);

    if (in->channels != bittern_dataset_channels(test) ||
        in->height != bittern_dataset_height(test) || in->width != bittern_dataset_width(test)) {
        return bittern_error_set(
            err, BITTERN_ERR_MISMATCH,
            "network '%s' reads images of %zux%zux%zu, data set '%s' has %zux%zux%zu",
            bittern_network_name(network), in->channels, in->height, in->width,
            bittern_dataset_name(test), bittern_dataset_channels(test),
            bittern_dataset_height(test), bittern_dataset_width(test));
    }
    if (classes < bittern_dataset_classes(test)) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "network '%s' has %zu outputs, data set '%s' %zu classes",
                                 bittern_network_name(network), classes, bittern_dataset_name(test),
                                 bittern_dataset_classes(test));
    }
    return BITTERN_OK;
}

bittern_status deploy_compare(const struct bittern_model *model,
                              const struct bittern_network *network,
                              const struct bittern_dataset *test, size_t images, size_t verify,
                              size_t threads, bittern_progress progress, void *user,
                              struct deploy_comparison *comparison, struct bittern_error *err)
{
    size_t available = bittern_dataset_count(test);
    struct comparer c = {
        .model = model,
        .network = network,
        .images = bittern_dataset_images(test),
        .labels = bittern_dataset_labels(test),
        .image_size = bittern_dataset_channels(test) * bittern_dataset_height(test) *
                      bittern_dataset_width(test),
        .classes = bittern_network_output_count(network),
        .threads = threads > 0 ? threads : (size_t)omp_get_max_threads(),
        .progress = progress,
        .user = user,
        .result = comparison,
        .err = err,
    };

    *comparison = (struct deploy_comparison){.images = images == 0 || images > available ? available
                                                                                         : images};
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        comparison->inexact_channels += bittern_network_layer(network, l)->inexact_count;
    }
    bittern_status status = check_shapes(network, test, err);
    if (status == BITTERN_OK) {
        status = classify_all(&c);
    }
    if (status == BITTERN_OK) {
        status = verify_all(&c, verify < comparison->images ? verify : comparison->images);
    }
    return status;
}
