/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward and backward passes of whole small graphs against a double-precision reference. The loss
 * is a fixed random linear function of the scores, so its gradient is known; gradients of all
 * parameters are compared with central differences of the reference.
 */
#include "graph_reference.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>

#define BATCH 3

struct built {
    struct backend *backend;
    struct graph *graph;
    struct graph_reference reference;
    double *loss; /* [batch][classes] */
    uint64_t random;
};

/* Adds layers; returns the graph through built. */
typedef void (*builder)(struct graph *graph);

static const struct norm_config norm_usual = {.epsilon = 1e-5, .momentum = 0.1};

static size_t add_conv(struct graph *graph, const char *name, size_t input, size_t filters,
                       size_t kernel, size_t stride, size_t pad)
{
    struct bittern_error err;
    size_t output;
    struct conv_config config = {.filters = filters,
                                 .kernel = kernel,
                                 .stride = stride,
                                 .pad = pad,
                                 .method = method_defaults(METHOD_FULL)};
    assert_ok(graph_add_conv(graph, name, input, &config, &output, &err), &err);
    return output;
}

static size_t add_fc(struct graph *graph, const char *name, size_t input, size_t outputs, bool bias)
{
    struct bittern_error err;
    size_t output;
    struct conv_config config = {
        .filters = outputs, .bias = bias, .method = method_defaults(METHOD_FULL)};
    assert_ok(graph_add_fc(graph, name, input, &config, &output, &err), &err);
    return output;
}

static size_t add_norm(struct graph *graph, const char *name, size_t input, bool relu)
{
    struct bittern_error err;
    size_t output;
    assert_ok(graph_add_norm(graph, name, input, &norm_usual, relu, &output, &err), &err);
    return output;
}

static size_t add_pool(struct graph *graph, const char *name, size_t input,
                       struct backend_pool_shape shape)
{
    struct bittern_error err;
    size_t output;
    assert_ok(graph_add_pool(graph, name, input, &shape, &output, &err), &err);
    return output;
}

static size_t add_activation(struct graph *graph, const char *name, size_t input,
                             enum activation_kind kind)
{
    struct bittern_error err;
    size_t output;
    struct activation_config config = {.kind = kind, .bits = 4, .range = 1.5};
    assert_ok(graph_add_activation(graph, name, input, &config, &output, &err), &err);
    return output;
}

static size_t add_sum(struct graph *graph, const char *name, size_t a, size_t b)
{
    struct bittern_error err;
    size_t output;
    assert_ok(graph_add_sum(graph, name, a, b, &output, &err), &err);
    return output;
}

/* ---- Set-up ---------------------------------------------------------------------------------- */

static double centred(uint64_t *random)
{
    return 2 * random_unit(random) - 1;
}

/* Parameters away from their starting values, where scale and shift would hide mistakes. */
static void vary_parameters(struct built *built)
{
    for (size_t p = 0; p < graph_parameter_count(built->graph); p++) {
        struct parameter *parameter = graph_parameter(built->graph, p);
        for (size_t i = 0; i < parameter->count && parameter->role != PARAMETER_WEIGHT; i++) {
            parameter->value[i] += (float)(0.5 * centred(&built->random));
        }
    }
}

static void fill_input(struct built *built)
{
    struct backend_tensor *input = graph_input(built->graph);
    for (size_t i = 0; i < backend_tensor_count(input); i++) {
        size_t c = i % input->c, x = i / input->c % input->w;
        size_t y = i / input->c / input->w % input->h, n = i / input->c / input->w / input->h;
        float value = (float)centred(&built->random);
        built->reference.input[i] = (double)value;
        reference_store(input, n, y, x, c, (double)value);
    }
}

static void build(struct built *built, builder layers, bool blocked)
{
    struct bittern_error err;
    struct backend_options backend_options = {.threads = 2, .precision = BACKEND_PRECISION_F32};
    *built = (struct built){.random = 7};
    assert_ok(backend_create(&backend_options, &built->backend, &err), &err);
    struct graph_options options = {.batch = BATCH,
                                    .channels = 3,
                                    .height = 9,
                                    .width = 8,
                                    .blocked =
                                        blocked && backend_block_channels(built->backend) > 0,
                                    .seed = 11};
    assert_ok(graph_create(built->backend, &options, &built->graph, &err), &err);
    layers(built->graph);
    assert_ok(graph_seal(built->graph, &err), &err);
    vary_parameters(built);
    reference_create(&built->reference, built->graph);
    fill_input(built);
    size_t scores = BATCH * graph_classes(built->graph);
    built->loss = calloc(scores, sizeof(double));
    assert_non_null(built->loss);
    for (size_t i = 0; i < scores; i++) {
        built->loss[i] = (double)(float)centred(&built->random);
    }
}

static void demolish(struct built *built)
{
    reference_free(&built->reference);
    graph_free(built->graph);
    backend_free(built->backend);
    free(built->loss);
}

static void run_both(struct built *built)
{
    struct bittern_error err;
    assert_ok(graph_forward(built->graph, GRAPH_TRAIN, 5, &err), &err);
    for (size_t i = 0; i < BATCH * graph_classes(built->graph); i++) {
        graph_output_gradient(built->graph)[i] = (float)built->loss[i];
    }
    assert_ok(graph_backward(built->graph, &err), &err);
    reference_run(&built->reference);
}

static double reference_loss(struct built *built)
{
    reference_run(&built->reference);
    double loss = 0;
    for (size_t i = 0; i < BATCH * graph_classes(built->graph); i++) {
        loss += built->loss[i] * built->reference.output[i];
    }
    return loss;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static void check_scores(struct built *built)
{
    const float *scores = graph_output(built->graph);
    for (size_t i = 0; i < BATCH * graph_classes(built->graph); i++) {
        double expected = built->reference.output[i];
        if (!(fabs((double)scores[i] - expected) <= 1e-5 * (1 + fabs(expected)))) {
            fail_msg("score %zu is %g, not %g", i, (double)scores[i], expected);
        }
    }
}

/* Central difference of the reference's loss in one number. */
static double difference(struct built *built, double *number)
{
    const double step = 1e-6, before = *number;
    *number = before + step;
    double above = reference_loss(built);
    *number = before - step;
    double below = reference_loss(built);
    *number = before;
    return (above - below) / (2 * step);
}

/* At most `limit` numbers of a parameter, spread over it. */
static void check_parameter(struct built *built, size_t index, size_t limit)
{
    const struct parameter *parameter = graph_parameter(built->graph, index);
    double largest = 0;
    for (size_t i = 0; i < parameter->count; i++) {
        largest = fmax(largest, fabs((double)parameter->gradient[i]));
    }
    assert_true(largest > 0);
    size_t stride = parameter->count / limit + 1;
    for (size_t i = 0; i < parameter->count; i += stride) {
        double expected = difference(built, &built->reference.parameters[index][i]);
        double error = fabs((double)parameter->gradient[i] - expected);
        if (!(error <= 1e-3 * fabs(expected) + 1e-5 * largest)) {
            fail_msg("gradient %zu of %s is %g, not %g", i, parameter->name,
                     (double)parameter->gradient[i], expected);
        }
    }
}

static void check_graph(builder layers, bool blocked)
{
    struct built built;
    build(&built, layers, blocked);
    run_both(&built);
    check_scores(&built);
    for (size_t p = 0; p < graph_parameter_count(built.graph); p++) {
        check_parameter(&built, p, 12);
    }
    demolish(&built);
}

/* ---- Graphs ---------------------------------------------------------------------------------- */

static void build_chain(struct graph *graph)
{
    size_t t = add_conv(graph, "conv1", 0, 16, 3, 1, 1);
    t = add_norm(graph, "norm1", t, true);
    t = add_pool(
        graph, "pool1", t,
        (struct backend_pool_shape){
            .kind = BACKEND_POOL_MAX, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2});
    t = add_conv(graph, "conv2", t, 32, 3, 1, 0);
    t = add_norm(graph, "norm2", t, false);
    t = add_activation(graph, "clip2", t, ACTIVATION_CLIP);
    t = add_fc(graph, "fc1", t, 12, false);
    t = add_norm(graph, "norm3", t, false);
    t = add_activation(graph, "relu3", t, ACTIVATION_RELU);
    (void)add_fc(graph, "fc2", t, 5, true);
}

static void build_residual(struct graph *graph)
{
    size_t a = add_conv(graph, "conv1", 0, 16, 3, 1, 1);
    a = add_norm(graph, "norm1", a, true);
    size_t b = add_conv(graph, "conv2", a, 16, 3, 1, 1);
    b = add_norm(graph, "norm2", b, false);
    b = add_sum(graph, "sum2", b, a);
    b = add_activation(graph, "relu2", b, ACTIVATION_RELU);
    size_t c = add_conv(graph, "conv3", b, 32, 3, 2, 1);
    c = add_norm(graph, "norm3", c, false);
    size_t d = add_conv(graph, "shortcut3", b, 32, 1, 2, 0);
    c = add_sum(graph, "sum3", d, c);
    c = add_activation(graph, "relu3", c, ACTIVATION_RELU);
    c = add_pool(graph, "pool3", c,
                 (struct backend_pool_shape){.kind = BACKEND_POOL_AVERAGE,
                                             .kernel_h = 5,
                                             .kernel_w = 4,
                                             .stride_h = 1,
                                             .stride_w = 1});
    (void)add_fc(graph, "fc", c, 4, true);
}

/* One tensor with three readers, two of them sums, and a map that ends as scores. */
static void build_dense(struct graph *graph)
{
    size_t a = add_conv(graph, "conv1", 0, 16, 3, 2, 1);
    size_t b = add_conv(graph, "conv2", a, 16, 1, 1, 0);
    size_t c = add_sum(graph, "sum1", a, b);
    size_t d = add_sum(graph, "sum2", a, c);
    d = add_pool(graph, "pool", d,
                 (struct backend_pool_shape){.kind = BACKEND_POOL_AVERAGE,
                                             .kernel_h = 5,
                                             .kernel_w = 4,
                                             .stride_h = 1,
                                             .stride_w = 1});
    (void)add_activation(graph, "relu", d, ACTIVATION_RELU);
}

static void build_mlp_with_dropout(struct graph *graph)
{
    struct bittern_error err;
    size_t t = add_fc(graph, "fc1", 0, 20, false), dropped;
    t = add_norm(graph, "norm1", t, false);
    assert_ok(graph_add_dropout(graph, "drop1", t, 0.3, &dropped, &err), &err);
    t = add_activation(graph, "relu1", dropped, ACTIVATION_RELU);
    (void)add_fc(graph, "fc2", t, 5, true);
}

/* Batch norm on the images themselves: its input's gradient is nobody's. */
static void build_norm_first(struct graph *graph)
{
    size_t t = add_norm(graph, "norm0", 0, false);
    t = add_conv(graph, "conv1", t, 8, 3, 1, 0);
    (void)add_fc(graph, "fc1", t, 3, false);
}

/* Would catch: a wrong gradient of any layer of a usual network, a lost or doubled one, an overlap
 * of gradients that share memory. */
static void gradients_of_a_chain_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_chain, false);
}

/* Would catch: elementwise work that depends on the layout, a wrong order of a map's values in the
 * full connection behind it, or of their gradient. */
static void gradients_of_a_blocked_chain_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_chain, true);
}

/* Would catch: a gradient of a tensor with two readers that is not the sum of theirs. */
static void gradients_of_residual_connections_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_residual, false);
    check_graph(build_residual, true);
}

/* Would catch: a third reader's gradient lost; scores that are a blocked map mixed up. */
static void gradients_of_a_tensor_read_thrice_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_dense, false);
    check_graph(build_dense, true);
}

/* Would catch: a backward pass of dropout with another mask or factor than the forward pass. */
static void gradients_through_dropout_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_mlp_with_dropout, false);
    check_graph(build_mlp_with_dropout, true);
}

/* Would catch: a write through the missing gradient of the graph's input. */
static void gradients_of_batch_norm_on_the_input_are_central_differences(void **state)
{
    (void)state;
    check_graph(build_norm_first, false);
}

/* ---- Straight-through activations ------------------------------------------------------------ */

static enum activation_kind quantizer;

static void build_quantizer(struct graph *graph)
{
    size_t t = add_fc(graph, "fc1", 0, 24, true);
    t = add_activation(graph, "act", t, quantizer);
    (void)add_fc(graph, "fc2", t, 5, false);
}

static double straight_through(double x)
{
    return quantizer == ACTIVATION_QUANT ? x >= 0 && x <= 1.5 : fabs(x) <= 1;
}

/* Gradient of fc1's bias by the definition: that of fc2's input where the quantizer lets it pass.
 */
static void check_straight_through(struct built *built)
{
    const float *x = graph_tensor(built->graph, 1)->data;
    const struct parameter *bias = graph_parameter(built->graph, 1);
    const double *weight = built->reference.parameters[2];
    assert_string_equal(bias->name, "fc1.bias");
    for (size_t i = 0; i < 24; i++) {
        double expected = 0, size = 0;
        for (size_t n = 0; n < BATCH; n++) {
            for (size_t k = 0; k < 5; k++) {
                double term = built->loss[n * 5 + k] * weight[k * 24 + i];
                expected += term * straight_through((double)x[n * 24 + i]);
                size += fabs(term);
            }
        }
        assert_true(fabs((double)bias->gradient[i] - expected) <= 1e-6 * size);
    }
}

/* Would catch: a straight-through gradient taken from the output instead of the input, or a wrong
 * range; a quantizer that is not the definition's function. */
static void quantizers_pass_gradients_straight_through(void **state)
{
    (void)state;
    const enum activation_kind kinds[] = {ACTIVATION_QUANT, ACTIVATION_SIGN, ACTIVATION_TERNARY};
    for (size_t i = 0; i < 3; i++) {
        struct built built;
        quantizer = kinds[i];
        build(&built, build_quantizer, false);
        run_both(&built);
        check_scores(&built);
        check_straight_through(&built);
        demolish(&built);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_a_chain_are_central_differences),
        cmocka_unit_test(gradients_of_a_blocked_chain_are_central_differences),
        cmocka_unit_test(gradients_of_residual_connections_are_central_differences),
        cmocka_unit_test(gradients_of_a_tensor_read_thrice_are_central_differences),
        cmocka_unit_test(gradients_through_dropout_are_central_differences),
        cmocka_unit_test(gradients_of_batch_norm_on_the_input_are_central_differences),
        cmocka_unit_test(quantizers_pass_gradients_straight_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
