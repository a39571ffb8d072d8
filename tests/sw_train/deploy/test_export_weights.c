/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of chosen values, through the export and the compiler: one convolution over a whole
 * image, with full-precision weights that are set to what is to be exported.
 */
#include "deploy_nets.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 3
#define FILTERS 5
#define SIZE (SIDE * SIDE)

struct fixture {
    char folder[64];
    struct bittern_dataset *dataset;
};

static int set_up(void **state)
{
    static struct fixture f;
    make_folder(f.folder, sizeof f.folder);
    f.dataset = make_grey_dataset(f.folder, 7, SIDE, 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bittern_dataset_close(f->dataset);
    remove_folder(f->folder);
    return 0;
}

/* @param weights  [FILTERS][SIZE] */
static bittern_status try_export(const struct bittern_dataset *dataset, const float *weights,
                                 struct bittern_model **model, struct bittern_error *err)
{
    const struct backend_options one = {.threads = 1, .precision = BACKEND_PRECISION_F32};
    const struct graph_options shape = {.batch = 1, .channels = 1, .height = SIDE, .width = SIDE};
    const struct conv_config config = {
        .filters = FILTERS, .kernel = SIDE, .stride = 1, .method = method_defaults(METHOD_FULL)};
    struct input_encoding encoding;
    struct backend *backend;
    struct graph *graph;
    size_t output;

    assert_ok(input_encoding_choose(dataset, true, true, &encoding, err), err);
    assert_ok(backend_create(&one, &backend, err), err);
    assert_ok(graph_create(backend, &shape, &graph, err), err);
    assert_ok(graph_add_conv(graph, "conv1", 0, &config, &output, err), err);
    assert_ok(graph_seal(graph, err), err);
    for (size_t i = 0; i < graph_parameter_count(graph); i++) {
        struct parameter *p = graph_parameter(graph, i);
        if (p->role == PARAMETER_WEIGHT) {
            assert_int_equal(p->count, FILTERS * SIZE);
            memcpy(p->value, weights, p->count * sizeof *weights);
        }
    }
    graph_weights_changed(graph);
    graph_finish_weights(graph);
    bittern_status status = deploy_export(graph, &encoding, "net", NULL, model, err);
    graph_free(graph);
    backend_free(backend);
    return status;
}

static struct bittern_model *export_weights_of(const struct bittern_dataset *dataset,
                                               const float *weights)
{
    struct bittern_model *model;
    struct bittern_error err;
    assert_ok(try_export(dataset, weights, &model, &err), &err);
    return model;
}

/* How often a text is in the file. */
static size_t file_count(const struct bittern_model *model, const char *text)
{
    size_t length = strlen(text);
    struct bittern_error err;
    size_t count = 0;
    void *bytes;
    size_t size;
    assert_ok(bittern_model_write_memory(model, &bytes, &size, &err), &err);
    for (size_t i = 0; i + length <= size; i++) {
        count += memcmp((const char *)bytes + i, text, length) == 0;
    }
    free(bytes);
    return count;
}

static bool file_holds(const struct bittern_model *model, const char *text)
{
    return file_count(model, text) > 0;
}

/* Exports, compiles, and compares weights and scores. What the file has in front of the weights is
 * `op`, or no quantizer where that is NULL. */
static struct bittern_network *check_weights(const struct bittern_dataset *dataset,
                                             const float *weights, const char *op)
{
    struct bittern_model *model = export_weights_of(dataset, weights);
    struct deploy_comparison result;
    struct bittern_network *network;
    struct bittern_error err;

    assert_int_equal(file_holds(model, "conv1.weight.quantized"), op != NULL);
    assert_int_equal(file_holds(model, "BipolarQuant"), op && strcmp(op, "BipolarQuant") == 0);
    /* each quantizer's attributes with their values, as the file has them: -127..127, -1..1 */
    size_t quantizers = op && strcmp(op, "Quant") == 0 ? 2 : 1;
    assert_int_equal(file_count(model, "narrow\x18\x01"), quantizers);
    assert_int_equal(file_count(model, "signed\x18\x01"), quantizers);
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    const struct bittern_layer *layer = bittern_network_layer(network, 0);
    for (size_t f = 0; f < FILTERS; f++) {
        double largest = 0;
        int32_t most = 1;
        for (size_t i = 0; i < SIZE; i++) {
            int32_t level = bittern_layer_weight(layer, f, i / SIDE, i % SIDE, 0);
            most = abs(level) > most ? abs(level) : most;
            largest = fmax(largest, fabs((double)weights[f * SIZE + i]));
        }
        for (size_t i = 0; i < SIZE; i++) {
            int32_t level = bittern_layer_weight(layer, f, i / SIDE, i % SIDE, 0);
            double real = level * (largest / most);
            assert_true(fabs(real - (double)weights[f * SIZE + i]) <= 1e-6 * largest);
        }
    }
    assert_ok(deploy_compare(model, network, dataset, 0, 20, 1, NULL, NULL, &result, &err), &err);
    assert_int_equal(result.verified_values_differ, 0);
    assert_int_equal(result.verified_equal, 20);
    bittern_model_free(model);
    return network;
}

/* Levels times a step a filter, rounded to float32. */
static void fill(float *weights, uint64_t *seed, const int *levels, size_t level_count)
{
    for (size_t f = 0; f < FILTERS; f++) {
        float step = (float)(0.001 + random_unit(seed));
        for (size_t i = 0; i < SIZE; i++) {
            weights[f * SIZE + i] = step * (float)levels[random_below(seed, level_count)];
        }
    }
}

/* Would catch: a scale of a whole layer where filters differ, or of another sign. */
static void binary_filters_go_through_bipolar_quant(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    uint64_t seed = 1;
    fill(weights, &seed, (const int[]){-1, 1}, 2);
    struct bittern_network *network = check_weights(f->dataset, weights, "BipolarQuant");
    assert_int_equal(bittern_network_layer(network, 0)->weights.kind, BITTERN_WEIGHT_BINARY);
    bittern_network_free(network);
}

/* Would catch: a scale of 0 for a filter that is all 0; a binary filter that loses its sign. */
static void ternary_filters_and_all_zero_ones_go_through_quant(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    uint64_t seed = 2;
    fill(weights, &seed, (const int[]){-1, 0, 1}, 3);
    memset(weights + SIZE, 0, SIZE * sizeof *weights);
    weights[SIZE + 1] = -0.0F;
    struct bittern_network *network = check_weights(f->dataset, weights, "Quant");
    assert_int_equal(bittern_network_layer(network, 0)->weights.kind, BITTERN_WEIGHT_TERNARY);
    bittern_network_free(network);
    memset(weights, 0, sizeof weights);
    bittern_network_free(check_weights(f->dataset, weights, "Quant"));
}

/* Would catch: a binary layer that one dead filter makes ternary. */
static void binary_layer_with_a_zero_filter_stays_binary(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    uint64_t seed = 3;
    fill(weights, &seed, (const int[]){-1, 1}, 2);
    memset(weights + 2 * SIZE, 0, SIZE * sizeof *weights);
    struct bittern_network *network = check_weights(f->dataset, weights, "Quant");
    assert_int_equal(bittern_network_layer(network, 0)->weights.kind, BITTERN_WEIGHT_BINARY);
    bittern_network_free(network);
}

/* Would catch: 8-bit weights off by one float, so that the quantizer gives other values. */
static void eight_bit_weights_keep_their_step_and_take_seven_planes(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    int levels[255];
    uint64_t seed = 4;
    for (int i = 0; i < 255; i++) {
        levels[i] = i - 127;
    }
    for (int repeat = 0; repeat < 50; repeat++) {
        fill(weights, &seed, levels, 255);
        /* the ends and the smallest level, so that the step is sure */
        weights[0] = 127 * (weights[1] = (float)(0.01 + random_unit(&seed)));
        weights[2] = -126 * weights[1];
        for (size_t i = 3; i < SIZE; i++) {
            weights[i] = weights[1] * (float)levels[random_below(&seed, 255)];
        }
        struct bittern_network *network = check_weights(f->dataset, weights, "Quant");
        const struct bittern_layer *layer = bittern_network_layer(network, 0);
        assert_int_equal(layer->weights.kind, BITTERN_WEIGHT_PLANES);
        assert_int_equal(layer->weights.plane_count, 7);
        assert_int_equal(bittern_layer_weight(layer, 0, 0, 0, 0), 127);
        assert_int_equal(bittern_layer_weight(layer, 0, 0, 2, 0), -126);
        bittern_network_free(network);
    }
}

/* Would catch: TTQ's two levels exported as if they were one. */
static void two_levels_of_a_ratio_become_planes(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    uint64_t seed = 5;
    fill(weights, &seed, (const int[]){-3, 0, 2}, 3);
    for (size_t i = 0; i < FILTERS; i++) {
        float step = (float)(0.1 + random_unit(&seed));
        weights[i * SIZE] = step * 2;
        weights[i * SIZE + 1] = step * -3;
        for (size_t j = 2; j < SIZE; j++) {
            weights[i * SIZE + j] = step * (float[]){-3, 0, 2}[random_below(&seed, 3)];
        }
    }
    struct bittern_network *network = check_weights(f->dataset, weights, "Quant");
    assert_int_equal(bittern_network_layer(network, 0)->weights.kind, BITTERN_WEIGHT_PLANES);
    assert_int_equal(bittern_network_layer(network, 0)->weights.plane_count, 2);
    bittern_network_free(network);
}

/* Would catch: weights that are rounded to a quantizer's levels without being asked. */
static void uneven_levels_are_exported_as_they_are(void **state)
{
    const struct fixture *f = *state;
    float weights[FILTERS * SIZE];
    struct bittern_network *network;
    struct bittern_error err;
    uint64_t seed = 6;

    fill(weights, &seed, (const int[]){-1, 1}, 2);
    weights[SIZE] *= 1.4142136F; /* no ratio of small integers; one such filter is enough */
    struct bittern_model *model = export_weights_of(f->dataset, weights);
    assert_false(file_holds(model, "conv1.weight.quantized"));
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_int_equal(bittern_network_compile(model, NULL, &network, &err), BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'conv1'"));
    assert_non_null(strstr(err.message, "output channel 1"));
    bittern_model_free(model);
}

/* Would catch: a diverged network that is written and fails only when it is read. */
static void weights_that_are_not_finite_are_refused(void **state)
{
    const struct fixture *f = *state;
    const float wrong[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 3; i++) {
        float weights[FILTERS * SIZE];
        struct bittern_error err;
        uint64_t seed = 7;
        fill(weights, &seed, (const int[]){-1, 1}, 2);
        weights[SIZE + 4] = wrong[i];
        struct bittern_model *model;
        assert_int_equal(try_export(f->dataset, weights, &model, &err), BITTERN_ERR_RANGE);
        assert_null(model);
        assert_non_null(strstr(err.message, "layer 'conv1'"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_filters_go_through_bipolar_quant),
        cmocka_unit_test(ternary_filters_and_all_zero_ones_go_through_quant),
        cmocka_unit_test(binary_layer_with_a_zero_filter_stays_binary),
        cmocka_unit_test(eight_bit_weights_keep_their_step_and_take_seven_planes),
        cmocka_unit_test(two_levels_of_a_ratio_become_planes),
        cmocka_unit_test(uneven_levels_are_exported_as_they_are),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
