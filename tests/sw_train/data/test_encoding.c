/* SPDX-License-Identifier: Apache-2.0 */
/* The input's encoding against the formula of loader.h, evaluated as an exported model is: with
 * float32 constants, in float64 and in float32. */
#include "data/loader.h"

#include "data/made_dataset.h"
#include "deploy/deploy.h"
#include "testing.h"

#include <math.h>
#include <string.h>

struct statistics {
    size_t channels;
    double mean[4], deviation[4];
};

/* Of MNIST's and CIFAR-10's training images; then made-up ones. */
static const struct statistics known[] = {
    {1, {0.13066048}, {0.30810780}},
    {3, {0.49139968, 0.48215841, 0.44653091}, {0.24703223, 0.24348513, 0.26158784}},
    {1, {0.0}, {1.0}},
    {1, {0.5}, {0.0}},
    {4, {0.1, 0.9, 0.5, 0.25}, {0.01, 0.5, 0.125, 0.3}}};

static double model_value(double u01, float mean, float deviation)
{
    return (u01 - (double)mean) / (double)deviation;
}

/* Every entry of both tables follows from mean, deviation and step as float32 constants; the last
 * bit of float32 arithmetic does not change it. */
static void check_encoding(const struct input_encoding *encoding)
{
    int16_t integers[4 * 256];
    float table[4 * 256];
    input_encoding_integers(encoding, integers);
    input_encoding_table(encoding, table);
    float step = (float)encoding->step;
    int16_t largest = 0;
    for (size_t i = 0; i < encoding->channels * 256; i++) {
        float mean = (float)encoding->mean[i / 256];
        float deviation = (float)encoding->deviation[i / 256];
        float u01 = (float)(i % 256) / 255.0F;
        double q = rint(model_value((double)(i % 256) / 255.0, mean, deviation) / (double)step);
        float divided = rintf((u01 - mean) / deviation / step);
        float multiplied = rintf((u01 - mean) * (1.0F / deviation) * (1.0F / step));
        assert_true(q == (double)integers[i]);
        assert_true(divided == (float)integers[i]);
        assert_true(multiplied == (float)integers[i]);
        assert_true(table[i] == (float)((double)step * (double)integers[i]));
        int16_t size = integers[i] < 0 ? (int16_t)-integers[i] : integers[i];
        largest = size > largest ? size : largest;
    }
    assert_true((double)step == encoding->step);
    for (size_t c = 0; c < encoding->channels; c++) {
        assert_true((double)(float)encoding->mean[c] == encoding->mean[c]);
        assert_true((double)(float)encoding->deviation[c] == encoding->deviation[c]);
    }
    if (encoding->is_signed) {
        /* covered to the end, and hardly any further */
        assert_in_range(largest, 119, 127);
    } else {
        assert_int_equal(largest, 255);
    }
}

/* Would catch: values on a rounding tie, where the exported graph and hardware could differ; a
 * clipped end; a step for each channel. */
static void integers_are_those_of_the_exported_model_in_both_precisions(void **state)
{
    (void)state;
    struct input_encoding encoding;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        input_encoding_set(&encoding, known[i].channels, known[i].mean, known[i].deviation, true);
        assert_true(encoding.is_signed);
        check_encoding(&encoding);
    }
    uint64_t seed = 17;
    for (size_t run = 0; run < 500; run++) {
        double mean[4];
        double deviation[4];
        for (size_t c = 0; c < 4; c++) {
            mean[c] = random_unit(&seed);
            deviation[c] = 0.5 * random_unit(&seed);
        }
        input_encoding_set(&encoding, 1 + run % 4, mean, deviation, true);
        check_encoding(&encoding);
    }
}

/* The smallest network there is: the image, and binary weights. */
static struct graph *make_graph(struct backend *backend, size_t channels)
{
    struct bittern_error err;
    struct graph *graph = NULL;
    size_t output;
    const struct graph_options options = {
        .batch = 1, .channels = channels, .height = 2, .width = 2, .seed = 1};
    const struct conv_config config = {
        .filters = 3, .bias = true, .method = method_defaults(METHOD_BWN)};
    assert_ok(graph_create(backend, &options, &graph, &err), &err);
    assert_ok(graph_add_fc(graph, "fc1", 0, &config, &output, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    graph_finish_weights(graph);
    return graph;
}

static void check_compiled_table(struct backend *backend, const struct input_encoding *encoding)
{
    struct bittern_error err;
    struct bittern_model *model = NULL;
    struct bittern_network *network = NULL;
    int16_t integers[4 * 256];
    struct graph *graph = make_graph(backend, encoding->channels);
    assert_ok(deploy_export(graph, encoding, "table", NULL, &model, &err), &err);
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    const struct bittern_input *input = bittern_network_input(network);
    input_encoding_integers(encoding, integers);
    assert_int_equal(input->shape.channels, encoding->channels);
    assert_memory_equal(input->table, integers, encoding->channels * 256 * sizeof(int16_t));
    bittern_network_free(network);
    bittern_model_free(model);
    graph_free(graph);
}

/* Would catch: training on another input than the compiled network gets. */
static void compiled_networks_get_the_integers_of_training(void **state)
{
    (void)state;
    struct bittern_error err;
    struct backend *backend = NULL;
    struct input_encoding encoding;
    const struct backend_options options = {.threads = 1, .precision = BACKEND_PRECISION_F32};
    assert_ok(backend_create(&options, &backend, &err), &err);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        input_encoding_set(&encoding, known[i].channels, known[i].mean, known[i].deviation, true);
        check_compiled_table(backend, &encoding);
        input_encoding_set(&encoding, known[i].channels, NULL, NULL, true);
        check_compiled_table(backend, &encoding);
    }
    uint64_t seed = 18;
    for (size_t run = 0; run < 20; run++) {
        double mean[4];
        double deviation[4];
        for (size_t c = 0; c < 4; c++) {
            mean[c] = random_unit(&seed);
            deviation[c] = 0.5 * random_unit(&seed);
        }
        input_encoding_set(&encoding, 1 + run % 4, mean, deviation, true);
        check_compiled_table(backend, &encoding);
    }
    backend_free(backend);
}

/* Would catch: a step that wastes the range. */
static void step_is_the_smallest_that_covers_all_values(void **state)
{
    (void)state;
    struct input_encoding encoding;
    input_encoding_set(&encoding, 3, known[1].mean, known[1].deviation, true);
    double largest = 0.0;
    for (size_t c = 0; c < 3; c++) {
        largest = fmax(largest, fabs(0.0 - known[1].mean[c]) / known[1].deviation[c]);
        largest = fmax(largest, fabs(1.0 - known[1].mean[c]) / known[1].deviation[c]);
    }
    assert_true(encoding.step >= largest / 127.0 * (1.0 - 1e-6));
    assert_true(encoding.step <= largest / 127.0 * 1.01);
}

/* Would catch: pixel values that do not come through as they are. */
static void without_normalization_integers_are_the_pixels(void **state)
{
    (void)state;
    struct bittern_dataset *dataset = made_dataset_open(3, 4, 32, 32, 1);
    struct input_encoding encoding;
    struct bittern_error err;
    assert_ok(input_encoding_choose(dataset, false, true, &encoding, &err), &err);
    assert_false(encoding.is_signed);
    assert_int_equal(encoding.channels, 3);
    check_encoding(&encoding);
    int16_t integers[3 * 256];
    input_encoding_integers(&encoding, integers);
    for (size_t i = 0; i < 768; i++) {
        assert_int_equal(integers[i], i % 256);
    }
    bittern_dataset_close(dataset);
}

/* Would catch: quantization that is not asked for, statistics of another data set or scale. */
static void float_input_has_mean_0_and_deviation_1(void **state)
{
    (void)state;
    struct bittern_dataset *dataset = made_dataset_open(3, 50, 32, 32, 2);
    struct input_encoding encoding;
    struct bittern_error err;
    assert_ok(input_encoding_choose(dataset, true, false, &encoding, &err), &err);
    assert_false(encoding.quantized);
    float table[3 * 256];
    input_encoding_table(&encoding, table);
    const uint8_t *images = bittern_dataset_images(dataset);
    for (size_t c = 0; c < 3; c++) {
        double sum = 0.0;
        double squares = 0.0;
        for (size_t i = 0; i < (size_t)50 * 1024; i++) {
            double x = (double)table[c * 256 + images[i / 1024 * 3072 + c * 1024 + i % 1024]];
            sum += x;
            squares += x * x;
        }
        assert_true(fabs(sum / 51200.0) < 1e-5);
        assert_true(fabs(squares / 51200.0 - 1.0) < 1e-5);
    }
    bittern_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_those_of_the_exported_model_in_both_precisions),
        cmocka_unit_test(compiled_networks_get_the_integers_of_training),
        cmocka_unit_test(step_is_the_smallest_that_covers_all_values),
        cmocka_unit_test(without_normalization_integers_are_the_pixels),
        cmocka_unit_test(float_input_has_mean_0_and_deviation_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
