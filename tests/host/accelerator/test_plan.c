/* SPDX-License-Identifier: Apache-2.0 */
/* Geometries and plans: what the compiler chooses, what it predicts, and what it refuses. */
#include "accelerator/device_check.h"
#include "accelerator/plan.h"
#include "device_compare.h"
#include "network/network_build.h"
#include "network_cnv.h"
#include "network_random.h"
#include "network_vgg7.h"
#include "program/program_format.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <stdlib.h>
#include <string.h>

static struct bittern_geometry find(const char *name)
{
    struct bittern_error err;
    struct bittern_geometry geometry;
    assert_ok(bittern_geometry_find(name, &geometry, &err), &err);
    return geometry;
}

/* Would catch: a geometry of the compiler's that is not the one that hardware is built for. */
static void the_geometries_are_those_of_the_hardware(void **state)
{
    (void)state;
    char line[256];
    size_t count = 0;
    FILE *file = fopen(BITTERN_SOURCE_DIR "/hw/geometries.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char name[32];
        unsigned word;
        unsigned oc;
        unsigned px;
        unsigned words;
        unsigned rows;
        unsigned units;
        if (line[0] == '#') {
            continue;
        }
        /* NOLINTNEXTLINE(cert-err34-c): a table of ours, and wrong numbers fail below */
        assert_int_equal(
            sscanf(line, "%31s %u %u %u %u %u %u", name, &word, &oc, &px, &words, &rows, &units),
            7);
        struct bittern_geometry g = find(name);
        assert_string_equal(bittern_geometry_name(count++), name);
        assert_string_equal(g.name, name);
        assert_int_equal(g.version, 1);
        assert_int_equal(g.word_bits, word);
        assert_int_equal(g.output_channels, oc);
        assert_int_equal(g.pixels, px);
        assert_int_equal(g.units, units);
        assert_int_equal(g.feature_bytes, words * (word / 8));
        assert_int_equal(g.weight_bytes, rows * oc * (word / 8));
    }
    (void)fclose(file);
    assert_true(count >= 4);
    assert_null(bittern_geometry_name(count));
}

/* Would catch: a message without the names that there are. */
static void an_unknown_geometry_is_named(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_geometry g;
    assert_int_equal(bittern_geometry_find("edg", &g, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "'edg'"));
    assert_non_null(strstr(err.message, "tiny, edge, edge-binary, cloud"));
}

static struct bittern_accelerator_plan *
make_plan(const struct bittern_network *network, const char *name, struct bittern_program **program)
{
    struct bittern_error err;
    struct bittern_accelerator_plan *plan = NULL;
    struct bittern_geometry geometry = find(name);
    assert_ok(bittern_program_create(network, &geometry, program, &err), &err);
    assert_ok(bittern_accelerator_plan_create(*program, 64, &plan, &err), &err);
    return plan;
}

/* Would catch: a step, a group or a lane that is wasted: 9405 cycles of the array an image. */
static void cnv_takes_the_steps_that_it_must(void **state)
{
    (void)state;
    static const double steps[] = {1800, 3920, 1440, 1800, 324, 72, 16, 32, 1};
    const struct network_cnv_options options = {BITTERN_WEIGHT_BINARY, BITTERN_ACTIVATION_SIGN, 1};
    struct bittern_error err;
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    assert_ok(network_cnv_create(&options, &network, &err), &err);
    struct bittern_accelerator_plan *plan = make_plan(network, "edge", &program);
    assert_int_equal(plan->layer_count, 9);
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct bittern_layer_plan *l = &plan->layers[i];
        uint64_t found = l->tiles * l->groups * l->steps;
        assert_true((double)found == steps[i] * plan->segments[l->segment].sub_batch);
        assert_int_equal(l->mode, i ? BITTERN_ARRAY_BINARY : BITTERN_ARRAY_INT);
        assert_int_equal(l->gathered, i == 0);
        assert_true(l->cycles >= found);
    }
    assert_in_range(plan->segments[0].sub_batch, 4, 8); /* 8 fit, fewer start sooner */
    assert_true(plan->segments[0].feature_words <= plan->feature_words_total);
    assert_true(plan->cycles / 64 < 10000); /* above 10,000 images/s at 100 MHz */
    bittern_accelerator_plan_free(plan);
    bittern_program_free(program);
    bittern_network_free(network);
}

/* Would catch: layers that run one image at a time where their weights could serve many. */
static void vgg7_of_8_bits_runs_in_two_segments(void **state)
{
    (void)state;
    const struct network_vgg7_options options = {
        .weights = BITTERN_WEIGHT_TERNARY, .activation = BITTERN_ACTIVATION_SCALE, .seed = 1};
    struct bittern_error err;
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    assert_ok(network_vgg7_create(&options, &network, &err), &err);
    struct bittern_accelerator_plan *plan = make_plan(network, "edge", &program);
    assert_int_equal(plan->segment_count, 2);
    assert_int_equal(plan->segments[0].layer_count, 6);
    assert_int_equal(plan->segments[0].sub_batch, 1);
    assert_true(plan->segments[1].sub_batch >= 16);
    for (size_t i = 1; i < 7; i++) { /* at least 90 % of the array's full rate */
        const struct bittern_layer_plan *l = &plan->layers[i];
        uint64_t ideal = l->ideal_cycles * plan->segments[l->segment].sub_batch;
        assert_true(10 * ideal >= 9 * l->cycles);
    }
    bittern_accelerator_plan_free(plan);
    bittern_program_free(program);
    bittern_network_free(network);
}

/* Features of descriptors that the random networks must reach, or tests of them prove nothing. */
struct coverage {
    size_t int_narrow, wide, binary, ternary, planes, dup, plain, in_phase, out_phase, odd, pair,
        pool, sums, gathered, segments, few_lanes, writes, shared_plane, flip, scale_result,
        threshold_result;
};

static void cover_layer(struct coverage *c, const struct device_layer *l)
{
    c->int_narrow += l->is_int && !l->wide;
    c->wide += l->is_int && l->wide;
    c->ternary += l->ternary;
    c->binary += !l->is_int && !l->ternary;
    c->planes += l->planes > 1;
    c->dup += l->dup;
    c->plain += !l->dup;
    c->in_phase += l->in_phase;
    c->out_phase += l->out_phase;
    c->odd += l->odd_lo || l->odd_hi;
    c->pair += l->pair;
    c->pool += l->pool;
    c->sums += l->sum_w_less_1 || l->sum_h_less_1;
    c->few_lanes += l->lanes == 1;
    c->writes += l->writes > 1;
    c->shared_plane += l->tiles_per_plane_log2 > 0;
    c->flip += l->flip;
    c->scale_result += l->result && l->clamp;
    c->threshold_result += l->result && l->threshold;
}

static void cover_program(struct coverage *c, const struct bittern_program *program)
{
    struct device_reader reader;
    device_reader_start(&reader, program->device);
    for (uint32_t s = 0; s < reader.header.segments; s++) {
        struct device_segment segment;
        device_reader_segment(&reader, &segment);
        for (uint32_t i = 0; i < segment.layers; i++) {
            struct device_layer layer;
            device_reader_layer(&reader, &layer);
            cover_layer(c, &layer);
        }
    }
    c->segments += reader.header.segments > 1;
    struct bittern_accelerator_plan *plan = NULL;
    struct bittern_error err;
    assert_ok(bittern_accelerator_plan_create(program, 3, &plan, &err), &err);
    c->gathered += plan->layers[0].gathered;
    for (size_t i = 0; i < plan->layer_count; i++) {
        assert_true(plan->layers[i].cycles > 0);
    }
    bittern_accelerator_plan_free(plan);
}

/* Would catch: a part of the format that the comparison on random networks never uses. */
static void random_networks_reach_every_part_of_the_format(void **state)
{
    (void)state;
    struct coverage c = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct bittern_error err;
        struct bittern_network *network = NULL;
        assert_ok(random_network(seed, NULL, &network, &err), &err);
        for (size_t i = 0; bittern_geometry_name(i); i++) {
            struct bittern_program *program = NULL;
            struct bittern_geometry geometry = find(bittern_geometry_name(i));
            if (bittern_program_create(network, &geometry, &program, &err) == BITTERN_OK) {
                cover_program(&c, program);
            }
            bittern_program_free(program);
        }
        bittern_network_free(network);
    }
    const size_t *counts = (const size_t *)&c;
    for (size_t i = 0; i < sizeof c / sizeof *counts; i++) {
        if (counts[i] == 0) {
            fail_msg("feature %zu of struct coverage does not occur", i);
        }
    }
}

static void expect_refusal(const struct bittern_network *network,
                           const struct bittern_geometry *geometry, bittern_status status,
                           const char *part)
{
    struct bittern_error err = {0};
    struct bittern_program *program = NULL;
    assert_int_equal(bittern_program_create(network, geometry, &program, &err), status);
    assert_null(program);
    if (!strstr(err.message, part)) {
        fail_msg("'%s' is not in '%s'", part, err.message);
    }
}

/* Would catch: an impossible geometry that is laid out for, or divided by. */
static void impossible_geometries_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_network *network = NULL;
    assert_ok(random_network(1, NULL, &network, &err), &err);
    struct bittern_geometry g = find("edge");
    g.version = 2;
    expect_refusal(network, &g, BITTERN_ERR_UNSUPPORTED, "interface version 2");
    static const struct {
        size_t offset;
        uint32_t value;
    } changes[] = {
        {offsetof(struct bittern_geometry, word_bits), 0},
        {offsetof(struct bittern_geometry, word_bits), 100},
        {offsetof(struct bittern_geometry, word_bits), 512},
        {offsetof(struct bittern_geometry, output_channels), 0},
        {offsetof(struct bittern_geometry, output_channels), 24},
        {offsetof(struct bittern_geometry, pixels), 0},
        {offsetof(struct bittern_geometry, pixels), 3},
        {offsetof(struct bittern_geometry, pixels), UINT32_MAX},
        {offsetof(struct bittern_geometry, units), 0},
        {offsetof(struct bittern_geometry, units), 8},
        {offsetof(struct bittern_geometry, feature_bytes), 0},
        {offsetof(struct bittern_geometry, feature_bytes), 100},
        {offsetof(struct bittern_geometry, feature_bytes), UINT32_MAX},
        {offsetof(struct bittern_geometry, weight_bytes), 0},
        {offsetof(struct bittern_geometry, weight_bytes), 3 * 16 * 16},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        g = find("edge");
        memcpy((char *)&g + changes[i].offset, &changes[i].value, sizeof changes[i].value);
        expect_refusal(network, &g, BITTERN_ERR_UNSUPPORTED, "geometry 'edge'");
    }
    bittern_network_free(network);
}

/* Would catch: a refusal that leaves the user without the layer, the numbers or a way on. */
static void what_does_not_fit_is_refused_with_the_layer(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_network *network = NULL;
    struct network_vgg7_options options = {
        .weights = BITTERN_WEIGHT_TERNARY, .activation = BITTERN_ACTIVATION_SCALE, .seed = 1};
    struct bittern_geometry tiny = find("tiny");
    struct bittern_geometry edge = find("edge");
    struct bittern_geometry edge_binary = find("edge-binary");
    struct bittern_geometry small = edge;

    assert_ok(network_vgg7_create(&options, &network, &err), &err);
    expect_refusal(network, &tiny, BITTERN_ERR_RANGE, "layer 1 'conv2'");
    expect_refusal(network, &tiny, BITTERN_ERR_RANGE, "larger geometry");
    expect_refusal(network, &edge_binary, BITTERN_ERR_UNSUPPORTED, "layer 0 'conv1'");
    expect_refusal(network, &edge_binary, BITTERN_ERR_UNSUPPORTED, "ternary unit");
    small.feature_bytes = 9000 * 16;
    expect_refusal(network, &small, BITTERN_ERR_RANGE, "layer 0 'conv1'");
    expect_refusal(network, &small, BITTERN_ERR_RANGE, "both must be there at once");
    bittern_network_free(network);

    options.weights = BITTERN_WEIGHT_PLANES;
    assert_ok(network_vgg7_create(&options, &network, &err), &err);
    expect_refusal(network, &edge, BITTERN_ERR_RANGE, "layer 6 'fc1'");
    expect_refusal(network, &edge, BITTERN_ERR_RANGE, "weight ring");
    bittern_network_free(network);
}

/* One full connection of 65536 x width values of 8 bits, all weights +1. */
static struct bittern_network *make_long_sum(size_t width)
{
    struct bittern_error err;
    struct bittern_network *n = NULL;
    const size_t channels = 65536;
    const size_t words = channels * width / 64;
    assert_ok(network_create("long", 1, &n, &err), &err);
    struct bittern_layer *l = &n->layers[0];
    int16_t *table = network_allocate(n, channels * 256, sizeof *table, &err);
    uint64_t *plus = network_allocate(n, words, sizeof *plus, &err);
    double *real = network_allocate(n, 2, sizeof *real, &err);
    assert_true(table && plus && real);
    for (size_t i = 0; i < channels * 256; i++) {
        table[i] = -128;
    }
    memset(plus, 0xFF, words * sizeof *plus);
    n->input = (struct bittern_input){
        "image", {channels, 1, width}, {BITTERN_VALUE_INT, 8, true, -128, 127}, table};
    l->name = "sum";
    l->op = BITTERN_LAYER_FC;
    l->input = n->input.shape;
    l->conv = l->output = (struct bittern_shape){1, 1, 1};
    l->input_type = n->input.type;
    l->window = (struct bittern_window){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    l->acc_min = -128 * (int32_t)(channels * width);
    l->acc_max = 127 * (int32_t)(channels * width);
    l->output_type =
        (struct bittern_value_type){BITTERN_VALUE_ACC, 32, true, l->acc_min, l->acc_max};
    l->scale = real;
    l->bias = real + 1;
    l->weights = (struct bittern_weights){.kind = BITTERN_WEIGHT_BINARY,
                                          .plane_count = 1,
                                          .planes = {{1, plus, NULL}},
                                          .words_per_output = words,
                                          .bits = 1};
    assert_ok(network_validate(n, &err), &err);
    return n;
}

/* Would catch: a sum that wraps round in the array's 24 bits, or one refused that just fits them:
 * 65536 times -128 is -2^23. */
static void sums_beyond_24_bits_are_refused(void **state)
{
    (void)state;
    struct bittern_geometry cloud = find("cloud");
    struct bittern_network *fits = make_long_sum(1);
    struct bittern_network *wraps = make_long_sum(2);
    char message[1024];

    cloud.weight_bytes *= 16;
    if (device_compare(fits, &cloud, 2, 1, message, sizeof message) != DEVICE_EQUAL) {
        fail_msg("%s", message);
    }
    expect_refusal(wraps, &cloud, BITTERN_ERR_RANGE, "layer 0 'sum'");
    expect_refusal(wraps, &cloud, BITTERN_ERR_RANGE, "accumulators have 24 bits");
    bittern_network_free(fits);
    bittern_network_free(wraps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_geometries_are_those_of_the_hardware),
        cmocka_unit_test(an_unknown_geometry_is_named),
        cmocka_unit_test(cnv_takes_the_steps_that_it_must),
        cmocka_unit_test(vgg7_of_8_bits_runs_in_two_segments),
        cmocka_unit_test(random_networks_reach_every_part_of_the_format),
        cmocka_unit_test(impossible_geometries_are_refused),
        cmocka_unit_test(what_does_not_fit_is_refused_with_the_layer),
        cmocka_unit_test(sums_beyond_24_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
