/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts that hold for every valid network, checked on random ones: values stay in their proven
 * ranges and types, the fast accumulator range equals the sum over single weights, and the
 * generator that all other tests rely on draws everything that the format permits.
 */
#include "network_random.h"

#include "network/network_build.h"
#include "testing.h"

#include <stdlib.h>

#define NETWORKS 400

static uint8_t *random_image(const struct bittern_network *network, uint64_t seed)
{
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    size_t size = shape->channels * shape->height * shape->width;
    uint64_t state = seed;
    uint8_t *image = malloc(size);
    assert_non_null(image);
    for (size_t i = 0; i < size; i++) {
        image[i] = (uint8_t)random_u64(&state);
    }
    return image;
}

static void check_values(const struct bittern_layer *layer, const int32_t *values)
{
    size_t count = layer->output.channels * layer->output.height * layer->output.width;
    for (size_t i = 0; i < count; i++) {
        assert_true(values[i] >= layer->output_type.minimum);
        assert_true(values[i] <= layer->output_type.maximum);
        assert_true(layer->output_type.kind != BITTERN_VALUE_BINARY || values[i] != 0);
    }
}

/* Would catch: a range proven too narrow (the slow engine fails where acc leaves it), a validation
 * that lets through an activation outside of its type. */
static void values_stay_in_their_proven_ranges_and_types(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bittern_error err = {0};
        struct bittern_network *network = NULL;
        int32_t *outputs[NETWORK_MAX_LAYERS];

        assert_ok(random_network(seed, NULL, &network, &err), &err);
        uint8_t *image = random_image(network, seed);
        assert_ok(slow_network_run(network, image, outputs, &err), &err);
        for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
            check_values(bittern_network_layer(network, i), outputs[i]);
            free(outputs[i]);
        }
        free(image);
        bittern_network_free(network);
    }
}

/* The documented range, one weight after the other. */
static void slow_channel_range(const struct bittern_layer *layer, size_t channel, int64_t *minimum,
                               int64_t *maximum)
{
    const struct bittern_window *w = &layer->window;
    size_t rows = layer->op == BITTERN_LAYER_FC ? layer->input.height : w->kernel_h;
    size_t columns = layer->op == BITTERN_LAYER_FC ? layer->input.width : w->kernel_w;
    int64_t low = layer->input_type.minimum;
    int64_t high = layer->input_type.maximum;

    if (w->pad_top + w->pad_bottom + w->pad_left + w->pad_right > 0) {
        low = layer->pad_value < low ? layer->pad_value : low;
        high = layer->pad_value > high ? layer->pad_value : high;
    }
    *minimum = 0;
    *maximum = 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            for (size_t i = 0; i < layer->input.channels; i++) {
                int64_t weight = bittern_layer_weight(layer, channel, r, c, i);
                *minimum += weight > 0 ? weight * low : weight * high;
                *maximum += weight > 0 ? weight * high : weight * low;
            }
        }
    }
}

/* Would catch: a carry lost between bit slices, a tail counted as weights, a sign slice too few. */
static void fast_channel_range_equals_the_sum_over_single_weights(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bittern_error err = {0};
        struct bittern_network *network = NULL;

        assert_ok(random_network(seed, NULL, &network, &err), &err);
        for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
            const struct bittern_layer *layer = bittern_network_layer(network, i);
            for (size_t o = 0; o < layer->conv.channels; o++) {
                int64_t fast[2];
                int64_t slow[2];
                network_channel_range(layer, o, &fast[0], &fast[1]);
                slow_channel_range(layer, o, &slow[0], &slow[1]);
                if (fast[0] != slow[0] || fast[1] != slow[1]) {
                    fail_msg("seed %llu, layer %zu, channel %zu", (unsigned long long)seed, i, o);
                }
            }
        }
        bittern_network_free(network);
    }
}

enum feature {
    OP_CONV,
    OP_FC,
    OP_SUM,
    WEIGHT_BINARY,
    WEIGHT_TERNARY,
    WEIGHT_PLANES,
    WEIGHT_MIXED_PLANES,
    IN_BINARY,
    IN_TERNARY,
    IN_INT_SIGNED,
    IN_INT_UNSIGNED,
    OUT_NONE,
    OUT_SIGN,
    OUT_TERNARY,
    OUT_SCALE,
    DESCENDING,
    NEGATIVE_M,
    SUM_POOL,
    MAX_POOL,
    MAX_POOL_PADDED,
    TAKE_MIN,
    PAD_BINARY,
    PAD_TERNARY,
    PAD_INT_VALUE,
    PAD_ASYMMETRIC,
    STRIDE,
    TAIL,
    NO_TAIL,
    CONSTANT_CHANNEL,
    FEATURES
};

static bool pads(const struct bittern_window *w)
{
    return w->pad_top + w->pad_bottom + w->pad_left + w->pad_right > 0;
}

static void note_activation(const struct bittern_layer *layer, bool *seen)
{
    const struct bittern_activation *a = &layer->activation;
    seen[OUT_NONE + a->kind] = true;
    for (size_t o = 0; o < layer->conv.channels; o++) {
        seen[DESCENDING] |= a->descending && a->descending[o];
        seen[NEGATIVE_M] |= a->multiplier && a->multiplier[o] < 0;
        seen[CONSTANT_CHANNEL] |=
            a->kind == BITTERN_ACTIVATION_SIGN && a->threshold_high[o] > layer->acc_max;
    }
}

static void note_layer(const struct bittern_layer *layer, bool *seen)
{
    const struct bittern_window *w = &layer->window;
    enum bittern_value_kind in = layer->input_type.kind;
    bool is_int = in == BITTERN_VALUE_INT;

    seen[OP_CONV + layer->op - BITTERN_LAYER_CONV] = true;
    if (layer->weights.kind != BITTERN_WEIGHT_NONE) {
        seen[WEIGHT_BINARY + layer->weights.kind - BITTERN_WEIGHT_BINARY] = true;
    }
    seen[WEIGHT_MIXED_PLANES] |= layer->weights.plane_count == 2 &&
                                 !layer->weights.planes[0].minus != !layer->weights.planes[1].minus;
    seen[IN_BINARY] |= in == BITTERN_VALUE_BINARY;
    seen[IN_TERNARY] |= in == BITTERN_VALUE_TERNARY;
    seen[IN_INT_SIGNED] |= is_int && layer->input_type.is_signed;
    seen[IN_INT_UNSIGNED] |= is_int && !layer->input_type.is_signed;
    seen[SUM_POOL] |= layer->has_sum_pool;
    seen[MAX_POOL] |= layer->has_max_pool;
    seen[MAX_POOL_PADDED] |= layer->has_max_pool && pads(&layer->max_pool);
    seen[TAKE_MIN] |= layer->take_min != NULL;
    seen[PAD_BINARY] |= pads(w) && in == BITTERN_VALUE_BINARY;
    seen[PAD_TERNARY] |= pads(w) && in == BITTERN_VALUE_TERNARY;
    seen[PAD_INT_VALUE] |= pads(w) && is_int && layer->pad_value != 0;
    seen[PAD_ASYMMETRIC] |= w->pad_top != w->pad_bottom && w->pad_left != w->pad_right;
    seen[STRIDE] |= w->stride_h == 3 || w->stride_w == 3;
    seen[TAIL] |= layer->input.channels % 64 != 0;
    seen[NO_TAIL] |= layer->input.channels % 64 == 0;
    note_activation(layer, seen);
}

/* Would catch: a generator that quietly stopped drawing some case, and with it every test that
 * compares engines on random networks. */
static void random_networks_show_everything_that_the_format_permits(void **state)
{
    (void)state;
    bool seen[FEATURES] = {false};

    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bittern_error err = {0};
        struct bittern_network *network = NULL;
        assert_ok(random_network(seed, NULL, &network, &err), &err);
        for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
            note_layer(bittern_network_layer(network, i), seen);
        }
        bittern_network_free(network);
    }
    for (size_t i = 0; i < FEATURES; i++) {
        if (!seen[i]) {
            fail_msg("feature %zu was never drawn", i);
        }
    }
}

/* Would catch: state outside of the seed. */
static void one_seed_gives_one_network(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *networks[2];

    for (size_t i = 0; i < 2; i++) {
        assert_ok(random_network(42, NULL, &networks[i], &err), &err);
    }
    assert_int_equal(networks[0]->layer_count, networks[1]->layer_count);
    for (size_t i = 0; i < networks[0]->layer_count; i++) {
        const struct bittern_layer *a = &networks[0]->layers[i];
        const struct bittern_layer *b = &networks[1]->layers[i];
        assert_int_equal(a->acc_min, b->acc_min);
        assert_int_equal(a->acc_max, b->acc_max);
        assert_memory_equal(&a->output, &b->output, sizeof a->output);
        assert_memory_equal(&a->window, &b->window, sizeof a->window);
        for (size_t p = 0; p < a->weights.plane_count; p++) {
            assert_memory_equal(a->weights.planes[p].plus, b->weights.planes[p].plus,
                                a->conv.channels * a->weights.words_per_output * 8);
        }
    }
    bittern_network_free(networks[0]);
    bittern_network_free(networks[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stay_in_their_proven_ranges_and_types),
        cmocka_unit_test(fast_channel_range_equals_the_sum_over_single_weights),
        cmocka_unit_test(random_networks_show_everything_that_the_format_permits),
        cmocka_unit_test(one_seed_gives_one_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
