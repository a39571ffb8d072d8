/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs built from recipes: which layers stand where, with which settings, and which do not fit.
 */
#include "recipe/recipe.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

struct built {
    struct backend *backend;
    struct graph *graph;
    struct recipe recipe;
};

static bittern_status build(const char *network, const char *weights, size_t channels, size_t side,
                            size_t classes, struct built *built, struct bittern_error *err)
{
    const struct backend_options backend_options = {.threads = 1,
                                                    .precision = BACKEND_PRECISION_F32};
    const struct recipe_graph_options options = {.batch = 2,
                                                 .channels = channels,
                                                 .height = side,
                                                 .width = side,
                                                 .classes = classes,
                                                 .seed = 1};
    char text[1024];
    *built = (struct built){0};
    memset(err, 0, sizeof *err);
    (void)snprintf(text, sizeof text,
                   "data: {set: mnist}\nnetwork: {%s}\nweights: {%s}\n"
                   "training: {epochs: 1, learning_rate: 1}\n",
                   network, weights);
    assert_ok(recipe_parse(text, strlen(text), "t", false, NULL, 0, &built->recipe, err), err);
    assert_ok(backend_create(&backend_options, &built->backend, err), err);
    return recipe_build_graph(&built->recipe, &options, built->backend, &built->graph, err);
}

static void clear(struct built *built)
{
    graph_free(built->graph);
    backend_free(built->backend);
}

static size_t layer_weights(const struct layer_info *info)
{
    return info->conv.out_channels * info->conv.in_channels * info->conv.kernel_h *
           info->conv.kernel_w;
}

static size_t graph_weights(const struct graph *graph)
{
    size_t sum = 0;
    for (size_t i = 0; i < graph_layer_count(graph); i++) {
        struct layer_info info;
        graph_layer(graph, i, &info);
        if (info.kind == LAYER_CONV || info.kind == LAYER_FC) {
            sum += layer_weights(&info);
        }
    }
    return sum;
}

/* "conv1 pool1 norm1 act1 ..." */
static void assert_layers(const char *network, const char *expected)
{
    struct built built;
    struct bittern_error err;
    char names[512] = "";
    assert_ok(build(network, "method: bwn", 1, 16, 10, &built, &err), &err);
    for (size_t i = 0; i < graph_layer_count(built.graph); i++) {
        struct layer_info info;
        graph_layer(built.graph, i, &info);
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s%s", used > 0 ? " " : "", info.name,
                       info.kind == LAYER_NORM && info.relu ? "+relu" : "");
    }
    assert_string_equal(names, expected);
    clear(&built);
}

/* Would catch: norm or activation on the wrong side of a pool, one too many behind the last layer,
 * ReLU twice. */
static void layers_stand_in_the_recipes_order(void **state)
{
    (void)state;
    assert_layers("layers: 4C3-MP2-8C3-MP2-16-10, activation: sign",
                  "conv1 pool1 norm1 act1 conv2 pool2 norm2 act2 fc1 norm3 act3 fc2 norm4");
    assert_layers("layers: 4C3-MP2-8C3-MP2-16-10, activation: sign, order: conv-norm-act-pool",
                  "conv1 norm1 act1 pool1 conv2 norm2 act2 pool2 fc1 norm3 act3 fc2 norm4");
    assert_layers("layers: 4C3-MP2-8C3-10, activation: ternary, order: norm-act-conv-pool",
                  "conv1 pool1 norm1 act1 conv2 norm2 act2 fc1 norm3");
    assert_layers("layers: 4C3-MP2-D0.5-16-10, activation: relu, norm_last: false",
                  "conv1 pool1 norm1+relu drop1 fc1 norm2+relu fc2");
    assert_layers("layers: 4C3-AP2-10C1-GAP, norm_last: false",
                  "conv1 pool1 norm1 act1 conv2 pool2");
    assert_layers("layers: 4C3-10C1-GAP, order: conv-norm-act-pool",
                  "conv1 norm1 act1 conv2 norm2 pool1");
    assert_layers("layers: \"10\"", "fc1 norm1");
}

/* Would catch: a bias besides a norm, or none where there is no norm. */
static void only_a_last_layer_without_norm_has_a_bias(void **state)
{
    (void)state;
    for (int norm_last = 0; norm_last < 2; norm_last++) {
        struct built built;
        struct bittern_error err;
        assert_ok(build(norm_last != 0 ? "layers: 4C3-8-10" : "layers: 4C3-8-10, norm_last: false",
                        "method: twn", 1, 16, 10, &built, &err),
                  &err);
        for (size_t i = 0; i < graph_layer_count(built.graph); i++) {
            struct layer_info info;
            graph_layer(built.graph, i, &info);
            if (info.kind == LAYER_CONV || info.kind == LAYER_FC) {
                bool wanted = norm_last == 0 && strcmp(info.name, "fc2") == 0;
                assert_int_equal(info.bias != NULL, wanted);
            }
        }
        clear(&built);
    }
}

/* Would catch: settings that do not reach their layers, ends taken for the middle. */
static void methods_norms_and_activations_are_the_recipes(void **state)
{
    struct built built;
    struct bittern_error err;
    (void)state;
    assert_ok(build("layers: 4C5p1s2-MP3s2p1-6C3-10, bits: 3, range: 2.5, norm_epsilon: 0.25",
                    "method: twn, threshold: 0.5, first: {method: int8}, last: {method: full}", 1,
                    16, 10, &built, &err),
              &err);
    struct layer_info info;
    graph_layer(built.graph, 0, &info);
    assert_int_equal(info.method->config.kind, METHOD_INT8);
    assert_true(info.conv.stride_h == 2 && info.conv.pad_w == 1 && info.conv.out_h == 7);
    graph_layer(built.graph, 1, &info);
    assert_int_equal(info.pool.kind, BACKEND_POOL_MAX);
    assert_true(info.pool.kernel_w == 3 && info.pool.stride_h == 2 && info.pool.pad_h == 1);
    graph_layer(built.graph, 2, &info);
    assert_true(info.epsilon == 0.25);
    graph_layer(built.graph, 3, &info);
    assert_int_equal(info.activation.kind, ACTIVATION_QUANT);
    assert_true(info.activation.bits == 3 && info.activation.range == 2.5);
    graph_layer(built.graph, 4, &info);
    assert_int_equal(info.method->config.kind, METHOD_TWN);
    assert_true(info.method->config.threshold == 0.5);
    graph_layer(built.graph, 7, &info);
    assert_int_equal(info.method->config.kind, METHOD_FULL);
    clear(&built);
}

/* Would catch: a blocked layout where channels do not divide, or none where it is faster. */
static void wide_networks_are_blocked_where_channels_divide(void **state)
{
    static const struct {
        const char *network;
        bool wide;
    } cases[] = {{"layers: 128C3-MP4-10", true},
                 {"layers: 64C3-MP4-10", false},
                 {"layers: 132C3-4C1-MP4-10", false}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct built built;
        struct bittern_error err;
        assert_ok(build(cases[i].network, "method: bwn", 1, 8, 10, &built, &err), &err);
        bool blocked = cases[i].wide && backend_block_channels(built.backend) > 0;
        assert_int_equal(graph_tensor(built.graph, 1)->layout,
                         blocked ? BACKEND_BLOCKED : BACKEND_CHANNELS_LAST);
        clear(&built);
    }
}

static void assert_misfit(const char *network, size_t side, size_t classes, const char *hint)
{
    struct built built;
    struct bittern_error err;
    assert_int_equal(build(network, "method: bwn", 1, side, classes, &built, &err),
                     BITTERN_ERR_MISMATCH);
    if (strstr(err.message, hint) == NULL) {
        fail_msg("%s gives \"%s\", without \"%s\"", network, err.message, hint);
    }
    clear(&built);
}

/* Would catch: shapes that do not fit and are trained all the same, or leak. */
static void networks_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_misfit("layers: 4C3-10", 16, 47, "must end in 47");
    assert_misfit("layers: 4C3-10C1", 16, 10, "GAP");
    assert_misfit("layers: 4C5p0-MP2-8C5p0-10", 8, 10, "conv2");
    assert_misfit("layers: 4C3-MP9-10", 8, 10, "pool1");
}

static size_t count_weights(const char *name, size_t channels, size_t side)
{
    struct built built;
    struct bittern_error err;
    char network[64];
    (void)snprintf(network, sizeof network, "name: %s", name);
    assert_ok(build(network, "method: full", channels, side, 10, &built, &err), &err);
    size_t weights = graph_weights(built.graph);
    clear(&built);
    return weights;
}

/* Would catch: a named network of another size than the literature's. */
static void named_networks_have_the_literatures_weights(void **state)
{
    (void)state;
    assert_int_equal(count_weights("lenet5", 1, 28), 61470);
    assert_int_equal(count_weights("lenet5-wide", 1, 28), 800 + 51200 + 3136 * 512 + 5120);
    assert_int_equal(count_weights("tfc", 1, 28), 59008);
    assert_int_equal(count_weights("sfc", 1, 28), 334336);
    assert_int_equal(count_weights("lfc", 1, 28), 2910208);
    assert_int_equal(count_weights("cnv", 3, 32), 1542848);
    assert_int_equal(count_weights("vgg7", 3, 32), 4574592 + 8192 * 1024 + 10240);
    assert_int_equal(count_weights("vgg16", 3, 32), 14715584);
}

/* Would catch: LeNet-5 of another shape: SQ's depths make it 16.3 times smaller than float. */
static void lenet5_at_depths_1_1_2_2_2_is_16_3_times_smaller(void **state)
{
    static const size_t depths[] = {1, 1, 2, 2, 2};
    struct built built;
    struct bittern_error err;
    size_t bits = 0, weights = 0, layer = 0;
    (void)state;
    assert_ok(build("name: lenet5", "method: sq", 1, 28, 10, &built, &err), &err);
    for (size_t i = 0; i < graph_layer_count(built.graph); i++) {
        struct layer_info info;
        graph_layer(built.graph, i, &info);
        if (info.kind == LAYER_CONV || info.kind == LAYER_FC) {
            bits += depths[layer++] * layer_weights(&info);
            weights += layer_weights(&info);
        }
    }
    assert_int_equal(layer, 5);
    assert_int_equal((size_t)(320.0 * (double)weights / (double)bits + 0.5), 163);
    clear(&built);
}

/* Would catch: VGG-16 of another shape: 31.5 times smaller with binary weights but for its ends. */
static void vgg16_with_binary_weights_and_32_bit_ends_is_31_5_times_smaller(void **state)
{
    struct built built;
    struct bittern_error err;
    size_t bits = 0, weights = 0;
    (void)state;
    assert_ok(build("name: vgg16", "method: bwn, first: {method: full}, last: {method: full}", 3,
                    32, 10, &built, &err),
              &err);
    for (size_t i = 0; i < graph_layer_count(built.graph); i++) {
        struct layer_info info;
        graph_layer(built.graph, i, &info);
        if (info.kind == LAYER_CONV || info.kind == LAYER_FC) {
            size_t depth = info.method->config.kind == METHOD_FULL ? 32 : 1;
            bits += depth * layer_weights(&info);
            weights += layer_weights(&info);
        }
    }
    assert_int_equal((size_t)(320.0 * (double)weights / (double)bits + 0.5), 315);
    clear(&built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_stand_in_the_recipes_order),
        cmocka_unit_test(only_a_last_layer_without_norm_has_a_bias),
        cmocka_unit_test(methods_norms_and_activations_are_the_recipes),
        cmocka_unit_test(wide_networks_are_blocked_where_channels_divide),
        cmocka_unit_test(networks_that_do_not_fit_are_refused),
        cmocka_unit_test(named_networks_have_the_literatures_weights),
        cmocka_unit_test(lenet5_at_depths_1_1_2_2_2_is_16_3_times_smaller),
        cmocka_unit_test(vgg16_with_binary_weights_and_32_bit_ends_is_31_5_times_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
