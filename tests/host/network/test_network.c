/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer networks with answers that a reader can work out: what the slow engine, against which all
 * others are tested, computes; which class wins; what is counted.
 */
#include "network_random.h"
#include "network_small.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

/* The last layer's values must be `expected`; frees the network. */
static void assert_values(struct bittern_network *network, const uint8_t *image,
                          const int32_t *expected, size_t count)
{
    struct bittern_error err = {0};
    int32_t *outputs[4];
    size_t last = bittern_network_layer_count(network) - 1;

    assert_ok(network_validate(network, &err), &err);
    assert_ok(slow_network_run(network, image, outputs, &err), &err);
    assert_int_equal(bittern_network_output_count(network), count);
    for (size_t i = 0; i < count; i++) {
        if (outputs[last][i] != expected[i]) {
            fail_msg("value %zu is %d, not %d", i, outputs[last][i], expected[i]);
        }
    }
    for (size_t i = 0; i <= last; i++) {
        free(outputs[i]);
    }
    bittern_network_free(network);
}

static const struct bittern_window same3 = {3, 3, 1, 1, 1, 1, 1, 1};
static const int ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                             1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Would catch: padded taps counted as -1 (or +1) where values are binary. */
static void binary_padding_counts_nothing(void **state)
{
    (void)state;
    const uint8_t image[4] = {1, 1, 1, 0};
    const int32_t expected[4] = {2, 2, 2, 2}; /* 3 - 1 in every window of the 2x2 image */
    struct bittern_network *n =
        small_create(1, (struct bittern_shape){1, 2, 2}, BITTERN_VALUE_BINARY);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 1, &same3);
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    assert_int_equal(layer->acc_max, 9);
    assert_values(n, image, expected, 4);
}

/* Would catch: a zero point that pads with 0, or a range that forgets it. */
static void integer_padding_holds_its_value(void **state)
{
    (void)state;
    const uint8_t image[4] = {1, 2, 3, 4};
    const int32_t expected[4] = {10 + 50, 10 + 50, 10 + 50, 10 + 50}; /* 5 padded taps of 10 */
    struct bittern_network *n = small_create(1, (struct bittern_shape){1, 2, 2}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 1, &same3);
    layer->pad_value = 10;
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    assert_values(n, image, expected, 4);
}

/* Would catch: a convolution that flips its kernel, or strides or pads the wrong side. */
static void convolution_is_cross_correlation(void **state)
{
    (void)state;
    const uint8_t image[6] = {1, 2, 3, 4, 5, 6};
    /* One row of zeros on top, stride 2: windows (0 0 / 1 2) and, at column 2, none fits. */
    const struct bittern_window window = {2, 2, 2, 2, 1, 0, 0, 0};
    const int weights[8] = {7, 5, 3, -2, 1, 0, 0, 0};
    const int32_t expected[2] = {3 * 1 - 2 * 2, 0};
    struct bittern_network *n = small_create(1, (struct bittern_shape){1, 2, 3}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 2, &window);
    small_weights(n, layer, BITTERN_WEIGHT_PLANES, weights);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    assert_int_equal(bittern_layer_weight(layer, 0, 1, 0, 0), 3);
    assert_int_equal(bittern_layer_weight(layer, 0, 1, 1, 0), -2);
    assert_values(n, image, expected, 2);
}

/* Would catch: flattening in the order channel, row, column. */
static void full_connection_reads_row_column_channel(void **state)
{
    (void)state;
    const uint8_t image[4] = {1, 2, 3, 4}; /* channel 0: 1 2, channel 1: 3 4 */
    const int weights[4] = {7, 0, 0, -1};
    const int32_t expected[1] = {7 * 1 - 1 * 4};
    const int order[4] = {0, 5, 3, 0}; /* inputs 1 and 2: channel 1 left, channel 0 right */
    const int32_t in_order[1] = {5 * 3 + 3 * 2};

    for (int i = 0; i < 2; i++) {
        struct bittern_network *n =
            small_create(1, (struct bittern_shape){2, 1, 2}, BITTERN_VALUE_INT);
        struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_FC, 1, NULL);
        small_weights(n, layer, BITTERN_WEIGHT_PLANES, i ? order : weights);
        small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
        assert_int_equal(bittern_layer_weight(layer, 0, 0, 0, 1), i ? 5 : 0);
        assert_values(n, image, i ? in_order : expected, 1);
    }
}

/* A 1x1 convolution with weight 1 over the pixels 0, 1, 2, ..., then the activation. */
static void check_activation(enum bittern_activation_kind kind, const int *numbers, bool descending,
                             const int32_t expected[6])
{
    const uint8_t image[6] = {0, 1, 2, 3, 4, 200};
    struct bittern_network *n = small_create(1, (struct bittern_shape){1, 1, 6}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 1, NULL);
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, kind, numbers, descending);
    assert_values(n, image, expected, 6);
}

/* Would catch: > for >=, in each direction. */
static void thresholds_belong_to_their_upper_level(void **state)
{
    (void)state;
    check_activation(BITTERN_ACTIVATION_SIGN, (int[]){2}, false, (int32_t[]){-1, -1, 1, 1, 1, 1});
    check_activation(BITTERN_ACTIVATION_SIGN, (int[]){2}, true, (int32_t[]){1, 1, 1, -1, -1, -1});
    check_activation(BITTERN_ACTIVATION_TERNARY, (int[]){3, 1}, false,
                     (int32_t[]){-1, 0, 0, 1, 1, 1});
    check_activation(BITTERN_ACTIVATION_TERNARY, (int[]){1, 3}, true,
                     (int32_t[]){1, 1, 0, 0, -1, -1});
    check_activation(BITTERN_ACTIVATION_TERNARY, (int[]){2, 2}, false,
                     (int32_t[]){-1, -1, 1, 1, 1, 1});
}

/* Would catch: a division that rounds towards 0, a shift before the sum, a missing clamp. */
static void scale_floors_and_clamps(void **state)
{
    (void)state;
    /* (3a + 1) >> 2: 0.25, 1, 1.75, 2.5, 3.25, 150.25 */
    check_activation(BITTERN_ACTIVATION_SCALE, (int[]){3, 1, 2}, false,
                     (int32_t[]){0, 1, 1, 2, 3, 15});
    /* (-2a + 5) >> 1: 2.5, 1.5, 0.5, -0.5, ... */
    check_activation(BITTERN_ACTIVATION_SCALE, (int[]){-2, 5, 1}, false,
                     (int32_t[]){2, 1, 0, 0, 0, 0});
    check_activation(BITTERN_ACTIVATION_SCALE, (int[]){1, 0, 0}, false,
                     (int32_t[]){0, 1, 2, 3, 4, 15});
}

/* Would catch: a clamp that hides a shift which rounds towards 0. */
static void negative_levels_floor(void **state)
{
    (void)state;
    const uint8_t image[4] = {0, 1, 2, 3};
    const int32_t expected[4] = {0, -1, -1, -2}; /* -a >> 1 */
    struct bittern_network *n = small_create(1, (struct bittern_shape){1, 1, 4}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 1, NULL);
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, BITTERN_ACTIVATION_SCALE, (int[]){-1, 0, 1}, false);
    layer->output_type = (struct bittern_value_type){BITTERN_VALUE_INT, 3, true, -4, 3};
    assert_values(n, image, expected, 4);
}

/* Would catch: padding that takes part as 0, a minimum where the maximum belongs. */
static void max_pool_ignores_padding_and_takes_the_minimum_where_asked(void **state)
{
    (void)state;
    const uint8_t image[2] = {0, 3};
    const uint8_t take_min[2] = {0, 1};
    /* Pixels become -1, +1 and, in the second channel with weight -1, +1, -1. */
    const int weights[2] = {1, -1};
    /* Windows of 2 with one padded tap on each side: (-1), (-1 +1), (+1). */
    const int32_t expected[6] = {-1, 1, 1, 1, -1, -1};
    struct bittern_network *n =
        small_create(1, (struct bittern_shape){1, 1, 2}, BITTERN_VALUE_BINARY);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 2, NULL);
    layer->has_max_pool = true;
    layer->max_pool = (struct bittern_window){1, 2, 1, 1, 0, 1, 0, 1};
    layer->take_min = take_min;
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, weights);
    small_finish(n, layer, BITTERN_ACTIVATION_SIGN, (int[]){0}, false);
    assert_values(n, image, expected, 6);
}

/* Would catch: an average pool that loses its remainder, or pools after the activation. */
static void sums_are_kept_whole_until_the_activation(void **state)
{
    (void)state;
    const uint8_t image[4] = {1, 2, 3, 4};
    const struct bittern_window pair = {1, 2, 1, 1, 0, 0, 0, 0};
    const int32_t expected[3] = {3, 5, 7};
    const int32_t pooled[2] = {(3 + 5) / 4, (5 + 7) / 4};

    for (int i = 0; i < 2; i++) {
        struct bittern_network *n =
            small_create(1, (struct bittern_shape){1, 1, 4}, BITTERN_VALUE_INT);
        struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_SUM, 1, &pair);
        if (i == 0) {
            small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
        } else {
            layer->has_sum_pool = true;
            layer->sum_pool = pair;
            small_finish(n, layer, BITTERN_ACTIVATION_SCALE, (int[]){1, 0, 2}, false);
        }
        assert_int_equal(layer->acc_max, i ? 255 * 4 : 255 * 2);
        assert_values(n, image, i ? pooled : expected, i ? 2 : 3);
    }
}

/* Would catch: ties that go to the last class; a scale or bias that is not used. */
static void classify_takes_the_lowest_of_equal_scores(void **state)
{
    (void)state;
    struct bittern_network *n = small_create(1, (struct bittern_shape){1, 1, 1}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_FC, 3, NULL);
    double scale[3] = {1.0, 1.0, 1.0};
    double bias[3] = {0.0, 0.0, 0.0};
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    layer->scale = scale;
    layer->bias = bias;

    assert_int_equal(bittern_network_classify(n, (int32_t[]){4, 7, 7}), 1);
    assert_int_equal(bittern_network_classify(n, (int32_t[]){7, 7, 7}), 0);
    assert_int_equal(bittern_network_classify(n, (int32_t[]){-9, -8, -7}), 2);
    scale[0] = -1.0;
    assert_int_equal(bittern_network_classify(n, (int32_t[]){-9, 8, 7}), 0);
    bias[2] = 3.0;
    assert_int_equal(bittern_network_classify(n, (int32_t[]){-9, 8, 7}), 2);
    bittern_network_free(n);
}

/* Would catch: planes counted once, bytes that do not round up, pools counted as weights. */
static void weights_and_work_are_counted(void **state)
{
    (void)state;
    const struct bittern_window pair = {1, 2, 1, 2, 0, 0, 0, 0};
    int some[64];
    struct bittern_network *n = small_create(3, (struct bittern_shape){3, 4, 4}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_SUM, 3, &pair);
    for (size_t i = 0; i < 64; i++) {
        some[i] = (int)(i % 7) - 3;
    }
    small_finish(n, layer, BITTERN_ACTIVATION_SCALE, (int[]){1, 0, 5}, false);
    layer = small_layer(n, 1, BITTERN_LAYER_CONV, 2, &pair);
    small_weights(n, layer, BITTERN_WEIGHT_PLANES, some);
    small_finish(n, layer, BITTERN_ACTIVATION_SIGN, (int[]){0}, false);
    assert_int_equal(bittern_layer_macs(layer), 2 * 4 * 1 * 6);
    assert_int_equal(bittern_layer_weight_count(layer), 12);
    assert_int_equal(bittern_layer_weight_bytes(layer), 9); /* 12 weights of 6 bits */
    layer = small_layer(n, 2, BITTERN_LAYER_FC, 5, NULL);
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, ones);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    assert_int_equal(bittern_layer_macs(layer), 40);
    assert_int_equal(bittern_layer_weight_bytes(layer), 5);
    assert_int_equal(bittern_layer_macs(&n->layers[0]), 0);
    assert_int_equal(bittern_layer_weight_count(&n->layers[0]), 0);
    assert_true(bittern_network_compression(n) == (12.0 + 40.0) * 32.0 / (12.0 * 6.0 + 40.0));
    assert_int_equal(bittern_network_output_count(n), 5);
    assert_null(bittern_network_layer(n, 3));
    bittern_network_free(n);
}

/* Would catch: an allocation that is not aligned or not zero, a product that wraps. */
static void memory_is_aligned_zeroed_and_checked(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;

    assert_int_equal(network_create("none", 0, &network, &err), BITTERN_ERR_RANGE);
    assert_null(network);
    assert_int_equal(network_create("many", NETWORK_MAX_LAYERS + 1, &network, &err),
                     BITTERN_ERR_RANGE);
    assert_ok(network_create("some", 1, &network, &err), &err);
    for (size_t size = 0; size < 200; size += 13) {
        const uint8_t *memory = network_allocate(network, size, 1, &err);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
    }
    assert_null(network_allocate(network, SIZE_MAX / 2, 3, &err));
    assert_int_equal(err.status, BITTERN_ERR_MEMORY);
    assert_null(network_allocate(network, SIZE_MAX, 1, &err));
    bittern_network_free(network);
    bittern_network_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_padding_counts_nothing),
        cmocka_unit_test(integer_padding_holds_its_value),
        cmocka_unit_test(convolution_is_cross_correlation),
        cmocka_unit_test(full_connection_reads_row_column_channel),
        cmocka_unit_test(thresholds_belong_to_their_upper_level),
        cmocka_unit_test(scale_floors_and_clamps),
        cmocka_unit_test(negative_levels_floor),
        cmocka_unit_test(max_pool_ignores_padding_and_takes_the_minimum_where_asked),
        cmocka_unit_test(sums_are_kept_whole_until_the_activation),
        cmocka_unit_test(classify_takes_the_lowest_of_equal_scores),
        cmocka_unit_test(weights_and_work_are_counted),
        cmocka_unit_test(memory_is_aligned_zeroed_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
