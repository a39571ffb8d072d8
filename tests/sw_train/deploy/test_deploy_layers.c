/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a run's end: depth, bits, zeros and compression of each layer. */
#include "deploy_nets.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lenet {
    struct backend *backend;
    struct graph *graph;
};

static const char *const names[] = {"conv1", "conv2", "fc1", "fc2", "fc3"};

/* The classic LeNet-5 (61,470 weights), layer i with methods[i]. */
static void build_lenet5(const enum method_kind methods[5], struct lenet *net)
{
    const struct backend_options one = {.threads = 1, .precision = BACKEND_PRECISION_F32};
    const struct graph_options shape = {.batch = 1, .channels = 1, .height = 32, .width = 32};
    const struct backend_pool_shape pool = {BACKEND_POOL_MAX, 2, 2, 2, 2, 0, 0};
    const size_t filters[] = {6, 16, 120, 84, 10};
    struct bittern_error err;
    size_t tensor = 0;

    assert_ok(backend_create(&one, &net->backend, &err), &err);
    assert_ok(graph_create(net->backend, &shape, &net->graph, &err), &err);
    for (size_t i = 0; i < 5; i++) {
        const struct conv_config config = {
            .filters = filters[i], .kernel = 5, .stride = 1, .method = method_defaults(methods[i])};
        if (i < 2) {
            assert_ok(graph_add_conv(net->graph, names[i], tensor, &config, &tensor, &err), &err);
            assert_ok(graph_add_pool(net->graph, i == 0 ? "pool1" : "pool2", tensor, &pool, &tensor,
                                     &err),
                      &err);
        } else {
            assert_ok(graph_add_fc(net->graph, names[i], tensor, &config, &tensor, &err), &err);
        }
    }
    assert_ok(graph_seal(net->graph, &err), &err);
}

static void free_lenet5(struct lenet *net)
{
    graph_free(net->graph);
    backend_free(net->backend);
}

/* Would catch: a compression that counts layers, not weights. Smart Quantization's table has 16.3
 * for depths 1-1-2-2-2. */
static void lenet5_of_two_binary_layers_is_16_3_times_smaller(void **state)
{
    const enum method_kind methods[] = {METHOD_BWN, METHOD_BWN, METHOD_TWN, METHOD_TWN, METHOD_TWN};
    const uint64_t weights[] = {150, 2400, 48000, 10080, 840};
    struct deploy_layer *layers;
    struct bittern_error err;
    struct lenet net;
    double compression;
    size_t count;
    (void)state;

    build_lenet5(methods, &net);
    graph_finish_weights(net.graph);
    assert_ok(deploy_layers(net.graph, &layers, &count, &compression, &err), &err);
    free_lenet5(&net); /* the table stands alone */
    assert_int_equal(count, 5);
    for (size_t i = 0; i < 5; i++) {
        unsigned bits = i < 2 ? 1 : 2;
        assert_string_equal(layers[i].name, names[i]);
        assert_int_equal(layers[i].weights, weights[i]);
        assert_int_equal(layers[i].bits, bits);
        assert_int_equal(layers[i].depth, i < 2 ? METHOD_DEPTH_BINARY : METHOD_DEPTH_TERNARY);
        assert_true(layers[i].compression == 32.0 / bits);
        assert_true(i < 2 ? layers[i].zeros == 0 : layers[i].zeros > 0.1 && layers[i].zeros < 0.6);
    }
    assert_true(fabs(compression - 61470.0 * 32 / (2550 + 2 * 58920.0)) < 1e-12);
    assert_true(fabs(compression - 16.3) < 0.05);
    free(layers);
}

/* Would catch: layers of 8 or 32 bits counted as something smaller. */
static void eight_and_32_bit_layers_say_so(void **state)
{
    const enum method_kind methods[] = {METHOD_INT8, METHOD_TWN, METHOD_TWN, METHOD_TWN,
                                        METHOD_FULL};
    struct deploy_layer *layers;
    struct bittern_error err;
    struct lenet net;
    double compression;
    size_t count;
    (void)state;

    build_lenet5(methods, &net);
    graph_finish_weights(net.graph);
    assert_ok(deploy_layers(net.graph, &layers, &count, &compression, &err), &err);
    assert_int_equal(layers[0].bits, 8);
    assert_int_equal(layers[0].depth, METHOD_DEPTH_INT8);
    assert_int_equal(layers[4].bits, 32);
    assert_int_equal(layers[4].depth, METHOD_DEPTH_FULL);
    assert_true(layers[4].compression == 1);
    double bits = 150.0 * 8 + (2400 + 48000 + 10080) * 2.0 + 840 * 32.0;
    assert_true(fabs(compression - 61470.0 * 32 / bits) < 1e-12);
    free(layers);
    free_lenet5(&net);
}

/* Would catch: a table of what the layers were before their depth was decided. */
static void unfinished_layers_are_refused(void **state)
{
    const enum method_kind methods[] = {METHOD_SQ, METHOD_SQ, METHOD_SQ, METHOD_SQ, METHOD_SQ};
    struct deploy_layer *layers;
    struct bittern_error err;
    struct lenet net;
    double compression;
    size_t count;
    (void)state;

    build_lenet5(methods, &net);
    assert_int_equal(deploy_layers(net.graph, &layers, &count, &compression, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_null(layers);
    assert_non_null(strstr(err.message, "conv1"));
    free_lenet5(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenet5_of_two_binary_layers_is_16_3_times_smaller),
        cmocka_unit_test(eight_and_32_bit_layers_say_so),
        cmocka_unit_test(unfinished_layers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
