/* SPDX-License-Identifier: Apache-2.0 */
/* Known networks at their full size: CNV, VGG-7 and the examples, exact in every layer. */
#include "device_compare.h"
#include "network_cnv.h"
#include "network_vgg7.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <bittern/model.h>
#include <string.h>

static void expect_equal(const struct bittern_network *network, const char *name, size_t images)
{
    struct bittern_error err;
    struct bittern_geometry geometry;
    char message[1024];

    assert_ok(bittern_geometry_find(name, &geometry, &err), &err);
    if (device_compare(network, &geometry, images, 1, message, sizeof message) != DEVICE_EQUAL) {
        fail_msg("%s on %s: %s", bittern_network_name(network), name, message);
    }
}

static struct bittern_network *make_cnv(enum bittern_weight_kind weights,
                                        enum bittern_activation_kind activation)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    const struct network_cnv_options options = {weights, activation, 1};
    assert_ok(network_cnv_create(&options, &network, &err), &err);
    return network;
}

/* Would catch: errors that show only at real sizes, or over the end of a sub-batch. */
static void cnv_is_exact(void **state)
{
    (void)state;
    struct bittern_network *binary = make_cnv(BITTERN_WEIGHT_BINARY, BITTERN_ACTIVATION_SIGN);
    expect_equal(binary, "edge", 9);
    expect_equal(binary, "edge-binary", 1);
    expect_equal(binary, "cloud", 2);
    expect_equal(binary, "tiny", 24); /* segments of one and of 22 images at a time */
    bittern_network_free(binary);
    struct bittern_network *ternary = make_cnv(BITTERN_WEIGHT_TERNARY, BITTERN_ACTIVATION_TERNARY);
    expect_equal(ternary, "edge", 2);
    bittern_network_free(ternary);
}

static void expect_vgg7(const struct network_vgg7_options *options, const char *name, size_t images)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    assert_ok(network_vgg7_create(options, &network, &err), &err);
    expect_equal(network, name, images);
    bittern_network_free(network);
}

/* Would catch: the same with padding, and with maps that need several segments. */
static void vgg7_is_exact(void **state)
{
    (void)state;
    struct network_vgg7_options options = {.seed = 1};
    options.weights = BITTERN_WEIGHT_BINARY;
    options.activation = BITTERN_ACTIVATION_SIGN;
    expect_vgg7(&options, "edge", 2);
    options.weights = BITTERN_WEIGHT_TERNARY;
    options.activation = BITTERN_ACTIVATION_TERNARY;
    expect_vgg7(&options, "cloud", 1);
    options.activation = BITTERN_ACTIVATION_SCALE;
    expect_vgg7(&options, "edge", 1);
}

/* Would catch: weight kinds of single layers that end up in others. */
static void vgg7_of_mixed_weights_is_exact(void **state)
{
    (void)state;
    const struct network_vgg7_options options = {
        .weights = BITTERN_WEIGHT_TERNARY,
        .activation = BITTERN_ACTIVATION_SCALE,
        .hidden_features = 64,
        .seed = 2,
        .layer_weights =
            {[1] = BITTERN_WEIGHT_BINARY, [2] = BITTERN_WEIGHT_BINARY, [3] = BITTERN_WEIGHT_BINARY},
    };
    expect_vgg7(&options, "edge", 1);
}

/* Would catch: what folding makes of real models and random networks do not have. */
static void the_examples_are_exact(void **state)
{
    (void)state;
    static const char *const names[] = {"lenet5-w2a2-mnist", "lenet5-w2a2-digits", "tfc-w1a1-mnist",
                                        "tfc-w1a1-digits"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bittern_error err;
        struct bittern_model *model = NULL;
        struct bittern_network *network = NULL;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/examples/%s.onnx", BITTERN_SOURCE_DIR, names[i]);
        assert_ok(bittern_model_read(path, &model, &err), &err);
        assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
        expect_equal(network, "tiny", 30);
        expect_equal(network, "edge", 30);
        expect_equal(network, "cloud", 30);
        bittern_network_free(network);
        bittern_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cnv_is_exact),
        cmocka_unit_test(vgg7_is_exact),
        cmocka_unit_test(vgg7_of_mixed_weights_is_exact),
        cmocka_unit_test(the_examples_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
