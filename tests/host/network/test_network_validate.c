/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every rule of a valid network, broken once: the network must be refused with a message that names
 * the layer and what is wrong. The network under test is valid before each change.
 */
#include "network_small.h"
#include "testing.h"

#include <math.h>
#include <string.h>

/*
 * Image 2x6x6, 8 bits -> "first": ternary 3x3 convolution, padded, 3 channels, SCALE to 4 bits, max
 * pool 2x2 with a minimum -> "second": 2x2 convolution in planes, sum pool 2x2, TERNARY -> "third":
 * binary full connection to 4 classes.
 */
static struct bittern_network *make_network(void)
{
    const struct bittern_window same3 = {3, 3, 1, 1, 1, 1, 1, 1};
    const struct bittern_window two = {2, 2, 1, 1, 0, 0, 0, 0};
    const struct bittern_window halve = {2, 2, 2, 2, 0, 0, 0, 0};
    struct bittern_error err = {0};
    int ternary[54];
    int levels[36];
    int binary[12];
    struct bittern_network *n = small_create(3, (struct bittern_shape){2, 6, 6}, BITTERN_VALUE_INT);

    for (int i = 0; i < 54; i++) {
        ternary[i] = i * i % 3 == 1 ? (i % 5 < 2 ? 1 : -1) : 0;
        levels[i % 36] = i % 15 - 7;
        binary[i % 12] = i % 2 ? 1 : -1;
    }
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_CONV, 3, &same3);
    layer->has_max_pool = true;
    layer->max_pool = halve;
    uint8_t *take_min = network_allocate(n, 3, 1, &err);
    assert_non_null(take_min);
    take_min[1] = 1;
    layer->take_min = take_min;
    small_weights(n, layer, BITTERN_WEIGHT_TERNARY, ternary);
    small_finish(n, layer, BITTERN_ACTIVATION_SCALE, (int[]){1, 1000, 8}, false);
    size_t *inexact_channels = network_allocate(n, 2, sizeof *inexact_channels, &err);
    uint64_t *inexact_values = network_allocate(n, 2, sizeof *inexact_values, &err);
    assert_non_null(inexact_channels);
    assert_non_null(inexact_values);
    inexact_channels[1] = 2;
    inexact_values[0] = inexact_values[1] = 5;
    layer->inexact_count = 2;
    layer->inexact_channels = inexact_channels;
    layer->inexact_values = inexact_values;
    layer = small_layer(n, 1, BITTERN_LAYER_CONV, 3, &two);
    layer->has_sum_pool = true;
    layer->sum_pool = two;
    small_weights(n, layer, BITTERN_WEIGHT_PLANES, levels);
    small_finish(n, layer, BITTERN_ACTIVATION_TERNARY, (int[]){20, -20}, false);
    layer = small_layer(n, 2, BITTERN_LAYER_FC, 4, NULL);
    small_weights(n, layer, BITTERN_WEIGHT_BINARY, binary);
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    assert_ok(network_validate(n, &err), &err);
    return n;
}

/* The arrays are const to those who read a network; here they are made, so they can be broken. */
static int32_t *writable_i32(const int32_t *array)
{
    return (int32_t *)(uintptr_t)array;
}

static uint8_t *writable_u8(const uint8_t *array)
{
    return (uint8_t *)(uintptr_t)array;
}

static uint64_t *writable_u64(const uint64_t *array)
{
    return (uint64_t *)(uintptr_t)array;
}

static char long_name[NETWORK_MAX_NAME + 2];

#define FIRST (&n->layers[0])
#define SECOND (&n->layers[1])
#define THIRD (&n->layers[2])

/* Each rule: a function that breaks it, and what the message must hold. */
#define RULES(RULE)                                                                                \
    RULE(no_layers, "1024 layers", n->layer_count = 0)                                             \
    RULE(no_input_name, "of its input", n->input.name = NULL)                                      \
    RULE(no_layer_name, "layer 1", SECOND->name = NULL)                                            \
    RULE(control_character, "layer 0", FIRST->name = "a\nb")                                       \
    RULE(name_too_long, "layer 2", THIRD->output_name = long_name)                                 \
    RULE(no_table, "table", n->input.table = NULL)                                                 \
    RULE(input_too_wide, "input's shape", n->input.shape.width = NETWORK_MAX_SIDE + 1)             \
    RULE(input_too_many_channels, "input's shape",                                                 \
         n->input.shape.channels = NETWORK_MAX_CHANNELS + 1)                                       \
    RULE(input_product_too_large, "input's shape",                                                 \
         (n->input.shape.height = 65536, n->input.shape.width = 65536))                            \
    RULE(input_empty, "input's shape", n->input.shape.height = 0)                                  \
    RULE(input_of_accumulators, "input's value type", n->input.type.kind = BITTERN_VALUE_ACC)      \
    RULE(input_of_nine_bits, "input's value type", n->input.type.bits = 9)                         \
    RULE(input_range_reversed, "input's value type", n->input.type.minimum = 256)                  \
    RULE(table_out_of_range, "pixel value 255 of channel 0", n->input.type.maximum = 254)          \
    RULE(binary_table_with_zero, "pixel value 0 of channel 0",                                     \
         n->input.type = ((struct bittern_value_type){BITTERN_VALUE_BINARY, 1, true, -1, 1}))      \
    RULE(unknown_op, "layer 0 'first': its kind 9", FIRST->op = (enum bittern_layer_op)9)          \
    RULE(broken_chain, "layer 1 'second': its input shape", SECOND->input.width = 4)               \
    RULE(broken_type_chain, "layer 1 'second': its input type", SECOND->input_type.maximum = 14)   \
    RULE(pad_out_of_range, "it pads with 256", FIRST->pad_value = 256)                             \
    RULE(pad_of_ternary, "layer 2 'third': it pads with 1", THIRD->pad_value = 1)                  \
    RULE(ternary_without_zero, "layer 1 'second': its output's value type",                        \
         SECOND->output_type.minimum = THIRD->input_type.minimum = 1)                              \
    RULE(output_type, "layer 1 'second': its output's value type", SECOND->output_type.bits = 1)   \
    RULE(kernel_zero, "its window", FIRST->window.kernel_h = 0)                                    \
    RULE(kernel_too_large, "its window", FIRST->window.kernel_w = 257)                             \
    RULE(stride_zero, "its window", FIRST->window.stride_w = 0)                                    \
    RULE(pad_too_large, "its window", FIRST->window.pad_right = 257)                               \
    RULE(kernel_does_not_fit, "accumulators' shape", SECOND->window.kernel_h = 4)                  \
    RULE(conv_shape, "accumulators' shape", FIRST->conv.width = 5)                                 \
    RULE(conv_channels_zero, "accumulators' shape", FIRST->conv.channels = 0)                      \
    RULE(fc_with_kernel, "layer 2 'third': a full connection", THIRD->window.kernel_w = 2)         \
    RULE(fc_with_pool, "nothing to pool",                                                          \
         (THIRD->has_max_pool = true, THIRD->max_pool = FIRST->max_pool))                          \
    RULE(sum_pool_padded, "sum pool has padding", SECOND->sum_pool.pad_top = 1)                    \
    RULE(sum_pool_stride, "its sum pool", SECOND->sum_pool.stride_h = 0)                           \
    RULE(max_pool_kernel, "its max pool", FIRST->max_pool.kernel_w = 0)                            \
    RULE(max_pool_all_padding, "padded by a whole kernel", FIRST->max_pool.pad_left = 2)           \
    RULE(output_shape, "output shape", FIRST->output.height = 4)                                   \
    RULE(take_min_value, "channel 2", writable_u8(FIRST->take_min)[2] = 2)                         \
    RULE(take_min_without_pool, "layer 1 'second': channel 0", SECOND->take_min = FIRST->take_min) \
    RULE(no_weights, "none weights", FIRST->weights.kind = BITTERN_WEIGHT_NONE)                    \
    RULE(too_many_planes, "9 planes", SECOND->weights.plane_count = 9)                             \
    RULE(two_binary_planes, "binary weights in 2", THIRD->weights.plane_count = 2)                 \
    RULE(plane_missing, "weight plane 1 is missing", SECOND->weights.planes[1].plus = NULL)        \
    RULE(multiplier_zero, "multiplier 0 of weight plane 0",                                        \
         SECOND->weights.planes[0].multiplier = 0)                                                 \
    RULE(multiplier_too_large, "multiplier 256", SECOND->weights.planes[2].multiplier = 256)       \
    RULE(multiplier_of_one_plane, "multiplier 2", FIRST->weights.planes[0].multiplier = 2)         \
    RULE(binary_with_minus, "wrong kind of plane",                                                 \
         THIRD->weights.planes[0].minus = THIRD->weights.planes[0].plus)                           \
    RULE(ternary_without_minus, "wrong kind of plane", FIRST->weights.planes[0].minus = NULL)      \
    RULE(weight_bits, "bits each", SECOND->weights.bits = 5)                                       \
    RULE(weight_words, "words an output", FIRST->weights.words_per_output = 8)                     \
    RULE(tail_bit, "behind the last input",                                                        \
         writable_u64(FIRST->weights.planes[0].plus)[9] |= UINT64_C(1) << 63)                      \
    RULE(tail_bit_of_fc, "channel 3: weight bits",                                                 \
         writable_u64(THIRD->weights.planes[0].plus)[3] |= 8)                                      \
    RULE(overlapping_halves, "layer 1 'second': channel 0: weight bits",                           \
         (writable_u64(SECOND->weights.planes[2].plus)[0] |= 1,                                    \
          writable_u64(SECOND->weights.planes[2].minus)[0] |= 1))                                  \
    RULE(activation_kind, "no known kind",                                                         \
         FIRST->activation.kind = (enum bittern_activation_kind)7)                                 \
    RULE(activation_output, "does not give", FIRST->activation.kind = BITTERN_ACTIVATION_SIGN)     \
    RULE(activation_lacks, "lacks a table", FIRST->activation.shift = NULL)                        \
    RULE(activation_extra, "one that it does not use",                                             \
         FIRST->activation.descending = SECOND->activation.descending)                             \
    RULE(descending_value, "channel 1: the activation's direction",                                \
         writable_u8(SECOND->activation.descending)[1] = 2)                                        \
    RULE(thresholds_order, "channel 2: its thresholds",                                            \
         writable_i32(SECOND->activation.threshold_low)[2] = 21)                                   \
    RULE(thresholds_order_descending, "channel 0: its thresholds",                                 \
         writable_u8(SECOND->activation.descending)[0] = 1)                                        \
    RULE(ternary_range, "leave the output's range",                                                \
         SECOND->output_type.minimum = THIRD->input_type.minimum = 0)                              \
    RULE(acc_min, "accumulator's range", FIRST->acc_min -= 1)                                      \
    RULE(acc_max, "accumulator's range", SECOND->acc_max += 1)                                     \
    RULE(weight_changed, "accumulator's range",                                                    \
         memset(writable_u64(SECOND->weights.planes[0].plus), 0, 8))                               \
    RULE(ties_of_sign, "has one that it does not use", SECOND->activation.ties = FIRST->take_min)  \
    RULE(ties_unknown, "channel 0: there is no rule 8",                                            \
         FIRST->activation.ties = FIRST->activation.shift)                                         \
    RULE(shift_too_large, "channel 1: M", writable_u8(FIRST->activation.shift)[1] = 48)            \
    RULE(multiplier_out_of_range, "channel 0: M",                                                  \
         writable_i32(FIRST->activation.multiplier)[0] = 1 << 24)                                  \
    RULE(offset_out_of_range, "channel 2: M",                                                      \
         ((int64_t *)(uintptr_t)FIRST->activation.offset)[2] = INT64_C(1) << 47)                   \
    RULE(product_out_of_range, "leaves 48 bits",                                                   \
         ((int64_t *)(uintptr_t)FIRST->activation.offset)[2] = (INT64_C(1) << 47) - 1)             \
    RULE(none_before_the_end, "does not give", SECOND->activation.kind = BITTERN_ACTIVATION_NONE)  \
    RULE(acc_output_range, "output's range differs", THIRD->output_type.maximum += 1)              \
    RULE(no_scale_at_the_end, "layer 2 'third': the scale", THIRD->scale = THIRD->bias = NULL)     \
    RULE(scale_without_bias, "layer 0 'first': the scale", FIRST->bias = NULL)                     \
    RULE(scale_infinite, "channel 0: scale", ((double *)(uintptr_t)FIRST->scale)[0] = HUGE_VAL)    \
    RULE(inexact_missing, "list of inexact", FIRST->inexact_values = NULL)                         \
    RULE(inexact_too_many, "list of inexact", FIRST->inexact_count = 4)                            \
    RULE(inexact_order, "entry 1", ((size_t *)(uintptr_t)FIRST->inexact_channels)[0] = 2)          \
    RULE(inexact_channel, "entry 1", ((size_t *)(uintptr_t)FIRST->inexact_channels)[1] = 3)        \
    RULE(inexact_zero, "entry 0", writable_u64(FIRST->inexact_values)[0] = 0)                      \
    RULE(top_k_zero, "0 best of 4", n->top_k = 0)                                                  \
    RULE(top_k_too_large, "5 best of 4", n->top_k = 5)

#define DEFINE_RULE(id, message, change)                                                           \
    static void break_##id(struct bittern_network *n)                                              \
    {                                                                                              \
        (void)(change);                                                                            \
    }
RULES(DEFINE_RULE)

#define LIST_RULE(id, message, change) {#id, message, break_##id},
static const struct {
    const char *name;
    const char *message;
    void (*change)(struct bittern_network *n);
} rules[] = {RULES(LIST_RULE)};

/* Would catch: a rule that nobody checks; a message about something else. */
static void each_broken_rule_is_refused_with_its_layer_and_reason(void **state)
{
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct bittern_error err = {0};
        struct bittern_network *network = make_network();
        rules[i].change(network);
        bittern_status status = network_validate(network, &err);
        if (status == BITTERN_OK || status != err.status) {
            fail_msg("%s: not refused", rules[i].name);
        }
        if (!strstr(err.message, rules[i].message)) {
            fail_msg("%s: '%s' is not in '%s'", rules[i].name, rules[i].message, err.message);
        }
        network->layer_count = 3;
        bittern_network_free(network);
    }
}

/* Full connection of `inputs` 8-bit values, weights +1 (and, for two planes, -1). */
static struct bittern_network *make_wide(size_t inputs, size_t planes)
{
    struct bittern_error err = {0};
    struct bittern_network *n =
        small_create(1, (struct bittern_shape){16, inputs / 4096, 256}, BITTERN_VALUE_INT);
    struct bittern_layer *layer = small_layer(n, 0, BITTERN_LAYER_FC, 1, NULL);
    uint64_t *all = network_allocate(n, inputs / 64, 8, &err);
    uint64_t *none = network_allocate(n, inputs / 64, 8, &err);
    assert_non_null(all);
    assert_non_null(none);
    memset(all, 0xFF, inputs / 8);
    layer->weights = (struct bittern_weights){
        .kind = planes == 1 ? BITTERN_WEIGHT_BINARY : BITTERN_WEIGHT_PLANES,
        .plane_count = planes,
        .planes = {{1, all, NULL}, {1, none, NULL}},
        .words_per_output = inputs / 64,
        .bits = planes,
    };
    small_finish(n, layer, BITTERN_ACTIVATION_NONE, NULL, false);
    return n;
}

/* Would catch: a range computed in 32 bits. */
static void an_accumulator_beyond_32_bits_is_refused(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = make_wide((size_t)1 << 23, 1);
    assert_ok(network_validate(network, &err), &err); /* 2^23 * 255 < 2^31 */
    bittern_network_free(network);
    network = make_wide((size_t)1 << 24, 1);
    network->layers[0].acc_max = INT32_MAX; /* whatever it claims */
    network->layers[0].output_type.maximum = INT32_MAX;
    assert_int_equal(network_validate(network, &err), BITTERN_ERR_RANGE);
    assert_non_null(strstr(err.message, "32 bits"));
    bittern_network_free(network);
}

/* Would catch: planes that cancel in the end, but overflow an engine's sum on the way. */
static void a_partial_sum_beyond_32_bits_is_refused(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_network *network = make_wide((size_t)1 << 23, 2);
    assert_int_equal(network->layers[0].acc_max, 0);
    assert_ok(network_validate(network, &err), &err);
    bittern_network_free(network);
    network = make_wide((size_t)1 << 24, 2);
    assert_int_equal(network->layers[0].acc_max, 0);
    assert_int_equal(network_validate(network, &err), BITTERN_ERR_RANGE);
    assert_non_null(strstr(err.message, "partial sum"));
    bittern_network_free(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_broken_rule_is_refused_with_its_layer_and_reason),
        cmocka_unit_test(an_accumulator_beyond_32_bits_is_refused),
        cmocka_unit_test(a_partial_sum_beyond_32_bits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
