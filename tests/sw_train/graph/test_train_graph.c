/* SPDX-License-Identifier: Apache-2.0 */
/* What a graph promises beside its gradients: modes, statistics, weights, names, errors. */
#include "graph_reference.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 4

static const struct norm_config norm_usual = {.epsilon = 1e-5, .momentum = 0.1};

static struct backend *open_backend(void)
{
    struct bittern_error err;
    struct backend *backend;
    struct backend_options options = {.threads = 2, .precision = BACKEND_PRECISION_F32};
    assert_ok(backend_create(&options, &backend, &err), &err);
    return backend;
}

static struct graph *open_graph(struct backend *backend, bool blocked, uint64_t seed)
{
    struct bittern_error err;
    struct graph *graph;
    struct graph_options options = {
        .batch = BATCH, .channels = 2, .height = 6, .width = 6, .blocked = blocked, .seed = seed};
    assert_ok(graph_create(backend, &options, &graph, &err), &err);
    return graph;
}

static struct conv_config conv_of(enum method_kind kind, size_t filters)
{
    return (struct conv_config){
        .filters = filters, .kernel = 3, .stride = 1, .pad = 1, .method = method_defaults(kind)};
}

static const struct backend_pool_shape pool2 = {
    .kind = BACKEND_POOL_MAX, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

/* conv1 - norm1 - act1 - pool1 - fc1 - norm2 - drop2 - fc2 */
static struct graph *build(struct backend *backend, enum method_kind kind, bool blocked,
                           uint64_t seed)
{
    struct bittern_error err;
    struct graph *graph = open_graph(backend, blocked, seed);
    struct conv_config conv = conv_of(kind, 16);
    struct activation_config quant = {.kind = ACTIVATION_QUANT, .bits = 8, .range = 4};
    size_t t;
    assert_ok(graph_add_conv(graph, "conv1", 0, &conv, &t, &err), &err);
    assert_ok(graph_add_norm(graph, "norm1", t, &norm_usual, false, &t, &err), &err);
    assert_ok(graph_add_activation(graph, "act1", t, &quant, &t, &err), &err);
    assert_ok(graph_add_pool(graph, "pool1", t, &pool2, &t, &err), &err);
    assert_ok(graph_add_fc(graph, "fc1", t, &conv, &t, &err), &err);
    assert_ok(graph_add_norm(graph, "norm2", t, &norm_usual, true, &t, &err), &err);
    assert_ok(graph_add_dropout(graph, "drop2", t, 0.25, &t, &err), &err);
    conv.filters = 3;
    conv.bias = true;
    assert_ok(graph_add_fc(graph, "fc2", t, &conv, &t, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    return graph;
}

/* Image n of a data set that `seed` stands for. */
static void fill_image(struct graph *graph, size_t n, uint64_t seed)
{
    struct backend_tensor *input = graph_input(graph);
    uint64_t random = seed;
    for (size_t i = 0; i < input->c * input->h * input->w; i++) {
        reference_store(input, n, i / input->c / input->w, i / input->c % input->w, i % input->c,
                        2 * random_unit(&random) - 1);
    }
}

static void fill(struct graph *graph, uint64_t seed)
{
    for (size_t n = 0; n < graph_batch(graph); n++) {
        fill_image(graph, n, seed + n);
    }
}

static void forward(struct graph *graph, enum graph_mode mode, uint64_t step)
{
    struct bittern_error err;
    assert_ok(graph_forward(graph, mode, step, &err), &err);
}

static void backward(struct graph *graph, float gradient)
{
    struct bittern_error err;
    for (size_t i = 0; i < graph_batch(graph) * graph_classes(graph); i++) {
        graph_output_gradient(graph)[i] = gradient * (float)(i % 3) - gradient;
    }
    assert_ok(graph_backward(graph, &err), &err);
}

static struct parameter *parameter_named(struct graph *graph, const char *name)
{
    for (size_t p = 0; p < graph_parameter_count(graph); p++) {
        if (strcmp(graph_parameter(graph, p)->name, name) == 0) {
            return graph_parameter(graph, p);
        }
    }
    fail_msg("no parameter %s", name);
    return NULL;
}

static struct layer_info layer_named(struct graph *graph, const char *name)
{
    struct layer_info info = {.name = NULL};
    for (size_t i = 0; i < graph_layer_count(graph); i++) {
        graph_layer(graph, i, &info);
        if (strcmp(info.name, name) == 0) {
            return info;
        }
    }
    fail_msg("no layer %s", name);
    return info;
}

/* To be freed. */
static float *copy_floats(const float *values, size_t count)
{
    float *copy = malloc(count * sizeof(float));
    if (copy == NULL || values == NULL) {
        abort();
    }
    memcpy(copy, values, count * sizeof(float));
    return copy;
}

static float *copy_scores(struct graph *graph)
{
    return copy_floats(graph_output(graph), graph_batch(graph) * graph_classes(graph));
}

static bool scores_equal(struct graph *graph, const float *scores)
{
    return memcmp(graph_output(graph), scores,
                  graph_batch(graph) * graph_classes(graph) * sizeof(float)) == 0;
}

/* ---- Layouts --------------------------------------------------------------------------------- */

/* Would catch: an operation that mixes up blocked channels, another order of initial weights or of
 * a full connection's inputs between layouts. */
static void blocked_and_channels_last_graphs_agree(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    if (backend_block_channels(backend) == 0) {
        backend_free(backend);
        skip();
    }
    struct graph *graphs[2];
    for (int i = 0; i < 2; i++) {
        graphs[i] = build(backend, METHOD_TWN, i == 1, 3);
        fill(graphs[i], 100);
        forward(graphs[i], GRAPH_TRAIN, 1);
        backward(graphs[i], 0.5F);
    }
    for (size_t i = 0; i < (size_t)BATCH * 3; i++) {
        assert_float_equal(graph_output(graphs[0])[i], graph_output(graphs[1])[i], 1e-5);
    }
    for (size_t p = 0; p < graph_parameter_count(graphs[0]); p++) {
        const struct parameter *a = graph_parameter(graphs[0], p),
                               *b = graph_parameter(graphs[1], p);
        assert_string_equal(a->name, b->name);
        assert_memory_equal(a->value, b->value, a->count * sizeof(float));
        double largest = 0;
        for (size_t i = 0; i < a->count; i++) {
            largest = fmax(largest, fabs((double)a->gradient[i]));
        }
        for (size_t i = 0; i < a->count; i++) {
            assert_true(fabs((double)(a->gradient[i] - b->gradient[i])) <= 1e-4 * largest);
        }
    }
    graph_free(graphs[0]);
    graph_free(graphs[1]);
    backend_free(backend);
}

/* ---- Evaluation ------------------------------------------------------------------------------ */

/* Would catch: batch statistics or dropout in evaluation, anything that depends on the other
 * images. */
static void evaluation_of_an_image_does_not_depend_on_the_others(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_BWN, false, 3);
    fill(graph, 100);
    forward(graph, GRAPH_TRAIN, 1); /* running statistics that are not the starting ones */
    forward(graph, GRAPH_EVALUATE, 0);
    float *first = copy_scores(graph);
    fill(graph, 555);
    fill_image(graph, 2, 102);
    forward(graph, GRAPH_EVALUATE, 99);
    assert_memory_equal(graph_output(graph) + 6, first + 6, 3 * sizeof(float));
    assert_memory_not_equal(graph_output(graph), first, 3 * sizeof(float));
    free(first);
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: running statistics that move outside of training, or with a wrong momentum. */
static void running_statistics_move_in_training_alone(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_FULL, false, 3);
    fill(graph, 100);
    forward(graph, GRAPH_EVALUATE, 0);
    struct layer_info norm = layer_named(graph, "norm1");
    const float *x = graph_tensor(graph, norm.input)->data;
    for (size_t c = 0; c < 16; c++) {
        assert_true(norm.mean[c] == 0 && norm.variance[c] == 1);
    }
    forward(graph, GRAPH_TRAIN, 0);
    for (size_t c = 0; c < 16; c++) {
        double mean = 0, square = 0, values = BATCH * 36;
        for (size_t i = 0; i < (size_t)BATCH * 36; i++) {
            mean += (double)x[i * 16 + c] / values;
            square += (double)x[i * 16 + c] * (double)x[i * 16 + c] / values;
        }
        double variance = square - mean * mean;
        assert_true(fabs((double)norm.mean[c] - 0.1 * mean) < 1e-6);
        assert_true(fabs((double)norm.variance[c] - (0.9 + 0.1 * variance)) < 1e-6);
    }
    graph_free(graph);
    backend_free(backend);
}

/* ---- Re-estimated statistics ----------------------------------------------------------------- */

#define PASSES 5

/* Mean and variance of tensor's channel over all passes' values, kept by the caller. */
static void check_statistics(const float *values, size_t rows, size_t channels,
                             const struct layer_info *norm)
{
    for (size_t c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < rows; i++) {
            mean += (double)values[i * channels + c] / (double)rows;
        }
        for (size_t i = 0; i < rows; i++) {
            double d = (double)values[i * channels + c] - mean;
            variance += d * d / (double)rows;
        }
        assert_true(fabs((double)norm->mean[c] - mean) <= 1e-6);
        assert_true(fabs((double)norm->variance[c] - variance) <= 1e-5 * variance);
    }
}

/* Would catch: a mean over batches that forgets how the batches' means differ, sums that are not
 * reset, dropout in the passes, running statistics used instead of the batch's. */
static void reestimated_statistics_are_those_of_all_images(void **state)
{
    (void)state;
    struct bittern_error err;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_TWN, false, 3);
    struct layer_info norms[2] = {layer_named(graph, "norm1"), layer_named(graph, "norm2")};
    const size_t rows[2] = {BATCH * 36, BATCH}, channels[2] = {16, 16};
    float *seen[2];
    fill(graph, 9);
    graph_begin_statistics(graph);
    forward(graph, GRAPH_STATISTICS, 0);
    graph_begin_statistics(graph); /* forgets that */
    for (size_t k = 0; k < 2; k++) {
        seen[k] = calloc(PASSES * rows[k] * channels[k], sizeof(float));
        assert_non_null(seen[k]);
    }
    for (size_t pass = 0; pass < PASSES; pass++) {
        fill(graph, 1000 * pass); /* batches that differ in brightness, too */
        for (size_t i = 0; i < backend_tensor_count(graph_input(graph)); i++) {
            ((float *)graph_input(graph)->data)[i] += (float)pass;
        }
        forward(graph, GRAPH_STATISTICS, 0);
        for (size_t k = 0; k < 2; k++) {
            size_t count = rows[k] * channels[k];
            memcpy(seen[k] + pass * count, graph_tensor(graph, norms[k].input)->data,
                   count * sizeof(float));
        }
    }
    assert_true(norms[0].mean[0] == 0); /* not before the end */
    assert_ok(graph_end_statistics(graph, &err), &err);
    for (size_t k = 0; k < 2; k++) {
        check_statistics(seen[k], PASSES * rows[k], channels[k], &norms[k]);
        free(seen[k]);
    }
    assert_int_equal(graph_end_statistics(graph, &err), BITTERN_ERR_ARGUMENT);
    graph_free(graph);
    backend_free(backend);
}

/* ---- Dropout --------------------------------------------------------------------------------- */

static struct graph *build_dropout(struct backend *backend, double rate)
{
    struct bittern_error err;
    struct graph *graph = open_graph(backend, false, 3);
    struct conv_config config = {.filters = 3001, .method = method_defaults(METHOD_FULL)};
    size_t t;
    assert_ok(graph_add_fc(graph, "fc", 0, &config, &t, &err), &err);
    assert_ok(graph_add_dropout(graph, "drop", t, rate, &t, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    fill(graph, 100);
    return graph;
}

/* Would catch: a wrong rate, kept values not scaled, the same mask for every image, dropout in
 * evaluation. */
static void dropout_drops_its_share_and_scales_the_rest(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build_dropout(backend, 0.3);
    const float *x = graph_tensor(graph, 1)->data, *y = graph_tensor(graph, 2)->data;
    size_t images_differ = 0;
    forward(graph, GRAPH_TRAIN, 1);
    for (size_t n = 0; n < BATCH; n++) {
        size_t dropped = 0;
        for (size_t i = n * 3001; i < (n + 1) * 3001; i++) {
            dropped += y[i] == 0;
            images_differ += (y[i] == 0) != (y[i % 3001] == 0);
            assert_true(y[i] == 0 || fabsf(y[i] - x[i] / 0.7F) <= 1e-6F * fabsf(y[i]));
        }
        assert_in_range(dropped, 800, 1000); /* 900 +- 4 deviations of 25 */
    }
    assert_true(images_differ > 3 * 1000);
    forward(graph, GRAPH_EVALUATE, 1);
    assert_memory_equal(x, y, (size_t)BATCH * 3001 * sizeof(float));
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: a resumed run that draws other masks; the same mask in every step. */
static void dropout_of_a_step_repeats_and_steps_differ(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build_dropout(backend, 0.5);
    forward(graph, GRAPH_TRAIN, 1);
    float *first = copy_scores(graph);
    forward(graph, GRAPH_TRAIN, 2);
    assert_false(scores_equal(graph, first));
    forward(graph, GRAPH_TRAIN, 1);
    assert_true(scores_equal(graph, first));
    free(first);
    graph_free(graph);
    backend_free(backend);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Would catch: initial weights outside of Glorot's range or far too small, two layers or kernels
 * with the same numbers, a seed without effect. */
static void initial_weights_are_glorot_uniform(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_STTN, false, 3);
    struct graph *again = build(backend, METHOD_STTN, false, 3);
    struct graph *other = build(backend, METHOD_STTN, false, 4);
    const struct parameter *first = parameter_named(graph, "conv1.weight");
    const struct parameter *second = parameter_named(graph, "conv1.weight2");
    double limit = sqrt(6.0 / (9 * 2 + 9 * 16)), sum = 0, square = 0;
    assert_int_equal(first->count, 16 * 9 * 2);
    assert_int_equal(first->rows, 16);
    for (size_t i = 0; i < first->count; i++) {
        double w = (double)first->value[i];
        assert_true(fabs(w) <= limit);
        assert_true(first->value[i] != second->value[i]);
        sum += w;
        square += w * w;
    }
    double count = (double)first->count;
    assert_true(fabs(sum / count) < 0.2 * limit);
    assert_true(fabs(square / count / (limit * limit / 3) - 1) < 0.2);
    assert_memory_equal(first->value, parameter_named(again, "conv1.weight")->value,
                        first->count * sizeof(float));
    assert_memory_not_equal(first->value, parameter_named(other, "conv1.weight")->value,
                            first->count * sizeof(float));
    graph_free(graph);
    graph_free(again);
    graph_free(other);
    backend_free(backend);
}

/* Would catch: a parameter that decays and must not, or the other way round; a lost rate scale;
 * extra parameters and buffers that the checkpoint would miss. */
static void parameters_say_what_they_are(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct graph *graph = open_graph(backend, false, 3);
    struct conv_config conv = conv_of(METHOD_BINARYCONNECT, 4);
    size_t t;
    conv.method.glorot_scale = true;
    assert_ok(graph_add_conv(graph, "bc", 0, &conv, &t, &err), &err);
    conv = conv_of(METHOD_TTQ, 5);
    conv.method.extra_rate = 0.5;
    conv.bias = true;
    assert_ok(graph_add_conv(graph, "ttq", t, &conv, &t, &err), &err);
    assert_ok(graph_add_norm(graph, "norm", t, &norm_usual, false, &t, &err), &err);

    const struct parameter *p = parameter_named(graph, "bc.weight");
    assert_true(p->role == PARAMETER_WEIGHT && !p->decays);
    assert_true(fabs(p->rate_scale - 1 / sqrt(1.5 / (9 * 2 + 9 * 4))) < 1e-12);
    p = parameter_named(graph, "ttq.weight");
    assert_true(p->role == PARAMETER_WEIGHT && p->decays && p->rate_scale == 1);
    p = parameter_named(graph, "ttq.w_positive");
    assert_true(p->role == PARAMETER_METHOD && !p->decays && p->rate_scale == 0.5);
    assert_true(p->value[0] > 0); /* the method was started on the initial weights */
    p = parameter_named(graph, "ttq.bias");
    assert_true(p->role == PARAMETER_BIAS && !p->decays && p->count == 5 && p->value[0] == 0);
    p = parameter_named(graph, "norm.scale");
    assert_true(p->role == PARAMETER_NORM && !p->decays && p->value[4] == 1);
    p = parameter_named(graph, "norm.shift");
    assert_true(p->role == PARAMETER_NORM && p->count == 5 && p->value[4] == 0);
    assert_int_equal(graph_buffer_count(graph), 2);
    assert_string_equal(graph_buffer(graph, 0)->name, "norm.mean");
    assert_string_equal(graph_buffer(graph, 1)->name, "norm.variance");
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: evaluation with weights of before the update, or quantizing them for nothing. */
static void weights_are_quantized_anew_after_a_change_alone(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_BWN, false, 3);
    struct parameter *weight = parameter_named(graph, "conv1.weight");
    struct layer_info conv = layer_named(graph, "conv1");
    fill(graph, 100);
    forward(graph, GRAPH_EVALUATE, 0);
    float before = fabsf(conv.quantized[0]);
    for (size_t i = 0; i < weight->count; i++) {
        weight->value[i] *= 2;
    }
    forward(graph, GRAPH_EVALUATE, 0);
    assert_true(fabsf(conv.quantized[0]) == before);
    graph_weights_changed(graph);
    forward(graph, GRAPH_EVALUATE, 0);
    assert_true(fabsf(conv.quantized[0]) == 2 * before);
    for (size_t i = 0; i < weight->count; i++) {
        weight->value[i] *= 2;
    }
    graph_after_update(graph);
    forward(graph, GRAPH_STATISTICS, 0);
    assert_true(fabsf(conv.quantized[0]) == 4 * before);
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: evaluation that draws signs, or keeps those of the last training pass. */
static void stochastic_signs_are_drawn_in_training_alone(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct graph *graph = open_graph(backend, false, 3);
    struct conv_config config = conv_of(METHOD_BINARYCONNECT, 40);
    size_t t;
    config.method.stochastic = true;
    assert_ok(graph_add_fc(graph, "fc", 0, &config, &t, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    fill(graph, 100);
    forward(graph, GRAPH_EVALUATE, 0);
    float *plain = copy_scores(graph);
    forward(graph, GRAPH_TRAIN, 1);
    float *drawn = copy_scores(graph);
    assert_false(scores_equal(graph, plain));
    forward(graph, GRAPH_TRAIN, 2);
    assert_false(scores_equal(graph, drawn));
    forward(graph, GRAPH_TRAIN, 1);
    assert_true(scores_equal(graph, drawn));
    forward(graph, GRAPH_EVALUATE, 1);
    assert_true(scores_equal(graph, plain));
    free(plain);
    free(drawn);
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: final weights overwritten by a later pass, training that goes on after the end. */
static void final_weights_stay(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct graph *graph = build(backend, METHOD_TWN, false, 3);
    fill(graph, 100);
    forward(graph, GRAPH_TRAIN, 1);
    assert_false(layer_named(graph, "conv1").finished);
    graph_finish_weights(graph);
    struct layer_info conv = layer_named(graph, "conv1");
    assert_true(conv.finished);
    assert_int_equal(conv.result.depth, METHOD_DEPTH_TERNARY);
    size_t bytes = sizeof(float) * 16 * 9 * 2;
    float *final = copy_floats(conv.quantized, (size_t)16 * 9 * 2);
    memset(parameter_named(graph, "conv1.weight")->value, 0, bytes);
    graph_weights_changed(graph);
    forward(graph, GRAPH_EVALUATE, 0);
    forward(graph, GRAPH_STATISTICS, 0);
    assert_memory_equal(final, conv.quantized, bytes);
    assert_int_equal(graph_forward(graph, GRAPH_TRAIN, 2, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(graph_backward(graph, &err), BITTERN_ERR_ARGUMENT);
    free(final);
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: a regularizer that is not added, or added to one layer only. */
static void method_losses_are_added_to_loss_and_gradients(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_R1, false, 3);
    const struct parameter *weights[3] = {parameter_named(graph, "conv1.weight"),
                                          parameter_named(graph, "fc1.weight"),
                                          parameter_named(graph, "fc2.weight")};
    float before[3];
    fill(graph, 100);
    forward(graph, GRAPH_TRAIN, 1);
    backward(graph, 0.5F);
    for (size_t i = 0; i < 3; i++) {
        before[i] = weights[i]->gradient[0];
    }
    assert_true(graph_add_method_losses(graph) > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(weights[i]->gradient[0] != before[i]);
    }
    graph_free(graph);
    backend_free(backend);
}

/* ---- Values that are not finite -------------------------------------------------------------- */

static void expect_nonfinite(struct graph *graph, const char *layer, const char *what)
{
    const char *found_what = NULL;
    const char *found = graph_find_nonfinite(graph, &found_what);
    if (layer == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, layer);
    assert_string_equal(found_what == NULL ? "" : found_what, what);
}

/* Would catch: a diverged run that blames a layer behind the one where it began. */
static void the_layer_where_a_value_is_not_finite_is_named(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct graph *graph = build(backend, METHOD_FULL, false, 3);
    fill(graph, 100);
    forward(graph, GRAPH_TRAIN, 1);
    backward(graph, 0.5F);
    expect_nonfinite(graph, NULL, NULL);

    forward(graph, GRAPH_TRAIN, 1);
    backward(graph, INFINITY);
    expect_nonfinite(graph, "fc2", "weight gradient");

    forward(graph, GRAPH_TRAIN, 1);
    backward(graph, 0.5F);
    parameter_named(graph, "fc1.weight")->value[3] = NAN;
    expect_nonfinite(graph, "fc1", "weight");
    parameter_named(graph, "fc1.weight")->value[3] = 0.1F;
    parameter_named(graph, "norm2.shift")->value[3] = INFINITY;
    expect_nonfinite(graph, "norm2", "batch norm parameter");
    parameter_named(graph, "norm2.shift")->value[3] = 0;
    expect_nonfinite(graph, NULL, NULL);
    graph_buffer(graph, 0)->value[0] = NAN;
    expect_nonfinite(graph, graph_buffer(graph, 0)->name, "value");
    graph_buffer(graph, 0)->value[0] = 0;
    expect_nonfinite(graph, NULL, NULL);

    parameter_named(graph, "norm1.scale")->value[3] = 3e38F;
    forward(graph, GRAPH_EVALUATE, 1);
    graph_begin_statistics(graph);
    forward(graph, GRAPH_STATISTICS, 1);
    expect_nonfinite(graph, "norm1", "output");
    parameter_named(graph, "norm1.scale")->value[3] = 1;
    reference_store(graph_input(graph), 1, 2, 3, 1, NAN);
    expect_nonfinite(graph, "input", "value");
    graph_free(graph);
    backend_free(backend);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void expect_error(bittern_status status, bittern_status expected,
                         const struct bittern_error *err, const char *word)
{
    assert_int_equal(status, expected);
    if (strstr(err->message, word) == NULL) {
        fail_msg("'%s' does not name '%s'", err->message, word);
    }
}

/* Would catch: a shape that does not fit accepted, or an error that does not say where. */
static void shapes_that_do_not_fit_name_the_layer(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct graph *graph = open_graph(backend, false, 3);
    struct conv_config conv = conv_of(METHOD_FULL, 8), wrong = conv;
    struct backend_pool_shape pool = pool2;
    size_t a, b, t;
    assert_ok(graph_add_conv(graph, "a", 0, &conv, &a, &err), &err);
    assert_ok(graph_add_pool(graph, "b", a, &pool2, &b, &err), &err);

    wrong.kernel = 9;
    wrong.pad = 0;
    expect_error(graph_add_conv(graph, "large", a, &wrong, &t, &err), BITTERN_ERR_MISMATCH, &err,
                 "'large'");
    wrong = conv;
    wrong.pad = 2;
    expect_error(graph_add_conv(graph, "padded", a, &wrong, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'padded'");
    wrong = conv;
    wrong.filters = 0;
    expect_error(graph_add_conv(graph, "empty", a, &wrong, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'empty'");
    expect_error(graph_add_fc(graph, "nothing", a, &wrong, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'nothing'");
    pool.kernel_h = 7;
    expect_error(graph_add_pool(graph, "window", a, &pool, &t, &err), BITTERN_ERR_MISMATCH, &err,
                 "'window'");
    pool.stride_h = 0;
    expect_error(graph_add_pool(graph, "still", a, &pool, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'still'");
    expect_error(graph_add_sum(graph, "uneven", a, b, &t, &err), BITTERN_ERR_MISMATCH, &err,
                 "'uneven'");
    expect_error(graph_add_sum(graph, "twice", a, a, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'twice'");
    expect_error(graph_add_dropout(graph, "all", a, 1.0, &t, &err), BITTERN_ERR_RANGE, &err,
                 "'all'");
    struct activation_config activation = {.kind = ACTIVATION_QUANT, .bits = 9, .range = 1};
    expect_error(graph_add_activation(graph, "bits", a, &activation, &t, &err), BITTERN_ERR_RANGE,
                 &err, "'bits'");
    struct norm_config norm = {.epsilon = 0, .momentum = 0.1};
    expect_error(graph_add_norm(graph, "norm", a, &norm, false, &t, &err), BITTERN_ERR_RANGE, &err,
                 "'norm'");
    expect_error(graph_add_conv(graph, "a", 0, &conv, &t, &err), BITTERN_ERR_ARGUMENT, &err, "'a'");
    expect_error(graph_add_conv(graph, "later", 17, &conv, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'later'");
    /* nothing of all that has changed the graph */
    assert_int_equal(graph_layer_count(graph), 2);
    assert_int_equal(graph_parameter_count(graph), 1);
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: a blocked graph that pads channels silently. */
static void a_blocked_graph_refuses_channels_that_do_not_divide(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    if (backend_block_channels(backend) == 0) {
        backend_free(backend);
        skip();
    }
    struct graph *graph = open_graph(backend, true, 3);
    struct conv_config conv = conv_of(METHOD_FULL, backend_block_channels(backend) + 1);
    size_t t;
    expect_error(graph_add_conv(graph, "conv7", 0, &conv, &t, &err), BITTERN_ERR_MISMATCH, &err,
                 "'conv7'");
    graph_free(graph);
    backend_free(backend);
}

/* Would catch: a graph that runs although a part of it leads nowhere or its end is no score, a
 * backward pass on values that are not those of a training pass. */
static void unfinished_graphs_are_not_sealed(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct conv_config conv = conv_of(METHOD_FULL, 8);
    struct activation_config relu = {.kind = ACTIVATION_RELU};
    size_t a, t;

    struct graph *graph = open_graph(backend, false, 3);
    expect_error(graph_seal(graph, &err), BITTERN_ERR_ARGUMENT, &err, "no layer with weights");
    assert_int_equal(graph_forward(graph, GRAPH_EVALUATE, 0, &err), BITTERN_ERR_ARGUMENT);
    assert_ok(graph_add_conv(graph, "map", 0, &conv, &a, &err), &err);
    expect_error(graph_seal(graph, &err), BITTERN_ERR_MISMATCH, &err, "'map'");
    assert_ok(graph_add_activation(graph, "unread", a, &relu, &t, &err), &err);
    assert_ok(graph_add_fc(graph, "fc", a, &conv, &t, &err), &err);
    expect_error(graph_seal(graph, &err), BITTERN_ERR_ARGUMENT, &err, "'unread'");
    graph_free(graph);

    graph = build(backend, METHOD_FULL, false, 3);
    fill(graph, 100);
    forward(graph, GRAPH_TRAIN, 1);
    backward(graph, 0.5F);
    assert_int_equal(graph_backward(graph, &err), BITTERN_ERR_ARGUMENT);
    graph_free(graph);

    graph = build(backend, METHOD_FULL, false, 3);
    expect_error(graph_add_fc(graph, "late", 1, &conv, &t, &err), BITTERN_ERR_ARGUMENT, &err,
                 "'late'");
    assert_int_equal(graph_backward(graph, &err), BITTERN_ERR_ARGUMENT);
    forward(graph, GRAPH_EVALUATE, 0);
    assert_int_equal(graph_backward(graph, &err), BITTERN_ERR_ARGUMENT);
    graph_free(graph);

    struct graph_options options = {.batch = 0, .channels = 1, .height = 1, .width = 1};
    assert_int_equal(graph_create(backend, &options, &graph, &err), BITTERN_ERR_ARGUMENT);
    assert_null(graph);
    backend_free(backend);
}

/* Would catch: a pass over all values that changes none. */
static void an_identity_adds_no_layer(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct bittern_error err;
    struct graph *graph = open_graph(backend, false, 3);
    struct activation_config identity = {.kind = ACTIVATION_IDENTITY};
    size_t t = 77;
    assert_ok(graph_add_activation(graph, "none", 0, &identity, &t, &err), &err);
    assert_int_equal(t, 0);
    assert_int_equal(graph_layer_count(graph), 0);
    graph_free(graph);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_and_channels_last_graphs_agree),
        cmocka_unit_test(evaluation_of_an_image_does_not_depend_on_the_others),
        cmocka_unit_test(running_statistics_move_in_training_alone),
        cmocka_unit_test(reestimated_statistics_are_those_of_all_images),
        cmocka_unit_test(dropout_drops_its_share_and_scales_the_rest),
        cmocka_unit_test(dropout_of_a_step_repeats_and_steps_differ),
        cmocka_unit_test(initial_weights_are_glorot_uniform),
        cmocka_unit_test(parameters_say_what_they_are),
        cmocka_unit_test(weights_are_quantized_anew_after_a_change_alone),
        cmocka_unit_test(stochastic_signs_are_drawn_in_training_alone),
        cmocka_unit_test(final_weights_stay),
        cmocka_unit_test(method_losses_are_added_to_loss_and_gradients),
        cmocka_unit_test(the_layer_where_a_value_is_not_finite_is_named),
        cmocka_unit_test(shapes_that_do_not_fit_name_the_layer),
        cmocka_unit_test(a_blocked_graph_refuses_channels_that_do_not_divide),
        cmocka_unit_test(unfinished_graphs_are_not_sealed),
        cmocka_unit_test(an_identity_adds_no_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
