/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exported graphs: every weight method, activation and order of layers compiles to integers that
 * equal the float64 graph, and the float64 graph is what the trainer computes in float32.
 */
#include "deploy_nets.h"
#include "testing.h"

#include <bittern/program.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 12
#define IMAGES 20
#define VERIFIED 3

static const struct activation_config activations[] = {
    {ACTIVATION_SIGN, 0, 0},
    {ACTIVATION_TERNARY, 0, 0},
    {ACTIVATION_QUANT, 2, 1},
    {ACTIVATION_QUANT, 8, 1.5},
};
#define ACTIVATIONS (sizeof activations / sizeof activations[0])

struct fixture {
    char folder[64];
    struct bittern_dataset *grey, *color;
};

static int set_up(void **state)
{
    static struct fixture f;
    make_folder(f.folder, sizeof f.folder);
    f.grey = make_grey_dataset(f.folder, 5, SIDE, IMAGES);
    f.color = make_color_dataset(f.folder, 6, 8);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bittern_dataset_close(f->grey);
    bittern_dataset_close(f->color);
    remove_folder(f->folder);
    return 0;
}

static struct bittern_model *export_net(const struct net *net)
{
    struct bittern_model *model;
    struct bittern_error err;
    assert_ok(deploy_export(net->graph, &net->encoding, "net", "recipe: text\n", &model, &err),
              &err);
    return model;
}

static struct bittern_model *export_finished(const struct net *net)
{
    struct bittern_model *model = export_net(net);
    struct bittern_error err;
    assert_ok(bittern_model_finish(model, &err), &err);
    return model;
}

static struct bittern_network *compile(const struct bittern_model *model)
{
    struct bittern_network *network;
    struct bittern_error err;
    assert_ok(bittern_network_compile(model, NULL, &network, &err), &err);
    return network;
}

static void compare(const struct bittern_model *model, const struct bittern_network *network,
                    const struct bittern_dataset *dataset, size_t verify,
                    struct deploy_comparison *comparison)
{
    struct bittern_error err;
    assert_ok(deploy_compare(model, network, dataset, 0, verify, 1, NULL, NULL, comparison, &err),
              &err);
    assert_int_equal(comparison->verified, verify);
}

static bool holds(const void *data, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp((const char *)data + i, text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Every layer's weights are behind a quantizer in the file. */
static void check_quantizers(const struct net *net, const char *what)
{
    struct bittern_model *model = export_net(net);
    struct layer_info layer;
    struct bittern_error err;
    char name[160];
    void *bytes;
    size_t size;

    assert_ok(bittern_model_write_memory(model, &bytes, &size, &err), &err);
    for (size_t i = 0; i < graph_layer_count(net->graph); i++) {
        graph_layer(net->graph, i, &layer);
        (void)snprintf(name, sizeof name, "%s.weight.quantized", layer.name);
        if (layer.method && !holds(bytes, size, name)) {
            fail_msg("%s: the file has no '%s'", what, name);
        }
    }
    free(bytes);
    bittern_model_free(model);
}

static struct {
    size_t nets, inexact;
} exact_totals;

/* Compiles, and fails where an integer differs from the float64 graph. Only where the compiler
 * lists channels of 8 bits may values differ. */
static void check_exact(const struct net *net, const struct bittern_dataset *dataset,
                        const char *what)
{
    struct bittern_model *model = export_finished(net);
    struct bittern_network *network = compile(model);
    struct deploy_comparison result;

    check_quantizers(net, what);
    compare(model, network, dataset, VERIFIED, &result);
    exact_totals.nets++;
    exact_totals.inexact += result.inexact_channels > 0;
    if (result.inexact_channels == 0 &&
        (result.verified_values_differ != 0 || result.verified_equal != result.verified)) {
        fail_msg("%s: %zu values differ, %zu of %zu classes equal", what,
                 result.verified_values_differ, result.verified_equal, result.verified);
    }
    assert_true(result.verified_equal + 1 >= result.verified);
    bittern_network_free(network);
    bittern_model_free(model);
}

static void describe(const struct net_options *o, char *text, size_t size)
{
    (void)snprintf(text, size, "%s, activation %d (%u bits), order %d, seed %d",
                   method_name(o->method), (int)o->activation.kind, o->activation.bits,
                   (int)o->order, (int)o->seed);
}

/* Calls `check` for each method that can be compiled, each activation and each order. */
static void for_all_nets(const struct bittern_dataset *dataset,
                         void (*check)(const struct net *net, const struct bittern_dataset *dataset,
                                       const char *what))
{
    char what[160];
    for (int method = METHOD_INT8; method < METHOD_KIND_COUNT; method++) {
        for (size_t a = 0; a < ACTIVATIONS; a++) {
            for (int order = 0; order < NET_ORDERS; order++) {
                const struct net_options options = {
                    .seed = (uint64_t)(method * 100 + (int)a * 10 + order),
                    .order = (enum net_order)order,
                    .method = (enum method_kind)method,
                    .activation = activations[a],
                    .norm_last = order != NET_CONV_NORM_ACT_POOL,
                };
                struct net net;
                net_build(&options, dataset, &net);
                describe(&options, what, sizeof what);
                check(&net, dataset, what);
                net_free(&net);
            }
        }
    }
}

/* Would catch: weights in the wrong order, a quantizer that rounds a weight, thresholds off by one,
 * a pool in front of a falling norm that takes the maximum. */
static void integers_equal_the_float64_graph_for_all_methods_and_orders(void **state)
{
    const struct fixture *f = *state;
    for_all_nets(f->grey, check_exact);
    print_message("%zu networks, %zu of them with channels listed as inexact\n", exact_totals.nets,
                  exact_totals.inexact);
}

/* Would catch: the flattening's order with several channels, an input table of the wrong channel,
 * sums of average pools, a blocked graph read as channels last, 8-bit weights in other planes. */
static void integers_equal_the_float64_graph_in_special_nets(void **state)
{
    const struct fixture *f = *state;
    const struct net_options cases[] = {
        {.seed = 1, .method = METHOD_TWN, .activation = activations[1], .norm_last = true},
        {.seed = 2,
         .method = METHOD_BWN,
         .activation = activations[0],
         .order = NET_CONV_NORM_ACT_POOL,
         .filters = 16,
         .blocked = true},
        {.seed = 3, .method = METHOD_STTN, .activation = activations[1], .average = true},
        {.seed = 4, .method = METHOD_BWN, .activation = activations[2], .average = true},
        {.seed = 5, .method = METHOD_TTQ, .activation = activations[2], .first_int8 = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net net;
        char what[160];
        net_build(&cases[i], f->color, &net);
        describe(&cases[i], what, sizeof what);
        check_exact(&net, f->color, what);
        net_free(&net);
    }
}

/* ---- Against the trainer's own float32 ---------------------------------------------------------
 */

/*
 * One image of a batch that the graph has run, while the model is evaluated on it: each layer's
 * tensor is compared. Rounding may take a value across a quantizer's threshold: such a flip must
 * be that near to it, and ends the image's comparison, since later layers differ for a reason.
 */
struct watch {
    const struct net *net;
    size_t image;       /* in the batch */
    double *inputs[64]; /* by tensor: what the float64 evaluation had there */
    size_t flips, values, distinct_layers;
    const char *what;
};

#define RELATIVE_ROUNDING 2e-5

static float tensor_value(const struct net *net, const struct backend_tensor *t, size_t n, size_t c,
                          size_t p)
{
    size_t block = t->layout == BACKEND_BLOCKED ? backend_block_channels(net->backend) : t->c;
    const float *image = (const float *)t->data + n * t->c * t->h * t->w;
    return image[(c / block * t->h * t->w + p) * block + c % block];
}

/* How far x is from the next value at which the activation steps. */
static double threshold_distance(const struct activation_config *a, double x)
{
    double levels = (double)((1U << a->bits) - 1);
    double y = a->kind == ACTIVATION_QUANT ? x / a->range * levels : x;
    switch (a->kind) {
    case ACTIVATION_SIGN:
        return fabs(x);
    case ACTIVATION_TERNARY:
        return fmin(fabs(x - 0.5), fabs(x + 0.5));
    case ACTIVATION_QUANT:
        return fabs(y - floor(y) - 0.5) * a->range / levels;
    default:
        return INFINITY;
    }
}

static double largest_of(const double *values, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    return largest;
}

static void compare_layer(struct watch *w, const struct layer_info *layer, const double *values)
{
    const struct backend_tensor *t = graph_tensor(w->net->graph, layer->output);
    size_t positions = t->h * t->w;
    size_t count = t->c * positions;
    bool steps = layer->kind == LAYER_ACTIVATION;
    double rounding = RELATIVE_ROUNDING * largest_of(values, count);
    bool is_varied = false;

    for (size_t i = 0; i < count; i++) {
        double own = (double)tensor_value(w->net, t, w->image, i / positions, i % positions);
        is_varied = is_varied || values[i] != values[0];
        w->values++;
        if (fabs(own - values[i]) <= rounding) {
            continue;
        }
        const double *x = w->inputs[layer->input];
        double near = x ? RELATIVE_ROUNDING * largest_of(x, count) : 0;
        if (steps && x && threshold_distance(&layer->activation, x[i]) <= near) {
            w->flips++;
            continue;
        }
        fail_msg("%s: layer '%s', value %zu: %.9g in float32, %.9g in float64", w->what,
                 layer->name, i, own, values[i]);
    }
    w->distinct_layers += steps && is_varied;
    w->inputs[layer->output] = calloc(count + 1, sizeof(double));
    assert_non_null(w->inputs[layer->output]);
    memcpy(w->inputs[layer->output], values, count * sizeof(double));
}

static int watch_tensor(void *user, size_t image, const struct bittern_tensor_info *info,
                        const double *values)
{
    struct watch *w = user;
    struct layer_info layer;
    (void)image;
    for (size_t i = 0; i < graph_layer_count(w->net->graph) && w->flips == 0; i++) {
        graph_layer(w->net->graph, i, &layer);
        if (strcmp(layer.name, info->name) == 0) {
            compare_layer(w, &layer, values);
        }
    }
    return 0;
}

struct float_totals {
    size_t images, flipped, values, distinct_layers;
};

static void watch_image(const struct net *net, const struct bittern_model *model,
                        const struct bittern_dataset *dataset, size_t image, const char *what,
                        struct float_totals *totals)
{
    size_t size = bittern_dataset_channels(dataset) * bittern_dataset_height(dataset) *
                  bittern_dataset_width(dataset);
    const uint8_t *pixels = bittern_dataset_images(dataset) + image * size;
    double *real = malloc(size * sizeof *real);
    struct watch w = {.net = net, .image = image, .what = what};
    struct bittern_error err;

    assert_non_null(real);
    for (size_t i = 0; i < size; i++) {
        real[i] = pixels[i] / 255.0;
    }
    assert_ok(bittern_model_evaluate(model, real, 1, watch_tensor, &w, NULL, &err), &err);
    totals->images++;
    totals->flipped += w.flips > 0;
    totals->values += w.values;
    totals->distinct_layers += w.distinct_layers;
    for (size_t i = 0; i < sizeof w.inputs / sizeof w.inputs[0]; i++) {
        free(w.inputs[i]);
    }
    free(real);
}

static struct float_totals totals;

static void check_floats(const struct net *net, const struct bittern_dataset *dataset,
                         const char *what)
{
    struct bittern_model *model = export_finished(net);
    net_run(net, dataset, 0);
    for (size_t i = 0; i < 2; i++) {
        watch_image(net, model, dataset, i, what, &totals);
    }
    bittern_model_free(model);
}

/* Would catch: columns or kernels in the wrong order, another padding, an epsilon left out, a
 * threshold that belongs to the other side, a scale of an activation. */
static void float32_graph_equals_the_exported_model(void **state)
{
    const struct fixture *f = *state;
    totals = (struct float_totals){0};
    for_all_nets(f->grey, check_floats);
    print_message("%zu values of %zu images compared, %zu images with a flip at a threshold\n",
                  totals.values, totals.images, totals.flipped);
    assert_true(totals.flipped * 50 <= totals.images);
    /* activations that carry something: else nothing was shown */
    assert_true(totals.distinct_layers >= 2 * totals.images);
}

/* Would catch: a float activation exported as another one; ReLU left out where it is fused. */
static void float_activations_are_exported_and_not_compiled(void **state)
{
    const struct fixture *f = *state;
    const struct activation_config floats[] = {
        {ACTIVATION_RELU, 0, 0}, {ACTIVATION_CLIP, 0, 1.5}, {ACTIVATION_IDENTITY, 0, 0}};

    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        const struct net_options options = {
            .seed = 30 + i, .method = METHOD_TWN, .activation = floats[i]};
        struct bittern_network *network;
        struct bittern_error err;
        struct net net;
        net_build(&options, f->grey, &net);
        check_floats(&net, f->grey, "float activation");
        struct bittern_model *model = export_finished(&net);
        assert_int_equal(bittern_network_compile(model, NULL, &network, &err),
                         BITTERN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "conv1"));
        assert_non_null(strstr(err.message, "quantize"));
        bittern_model_free(model);
        net_free(&net);
    }
}

/* Would catch: 32-bit layers that compile to something, or a refusal that does not say which. */
static void full_precision_is_exported_and_refused_by_layer(void **state)
{
    const struct fixture *f = *state;
    const struct net_options options = {
        .seed = 40, .method = METHOD_FULL, .activation = activations[2]};
    struct bittern_network *network;
    struct bittern_error err;
    struct net net;

    net_build(&options, f->grey, &net);
    check_floats(&net, f->grey, "full precision");
    struct bittern_model *model = export_finished(&net);
    assert_int_equal(bittern_network_compile(model, NULL, &network, &err), BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'conv1'"));
    assert_non_null(strstr(err.message, "weights are not quantized"));
    bittern_model_free(model);
    net_free(&net);
}

/* Would catch: a sum of the wrong tensors. */
static void residual_sums_are_exported_and_not_compiled(void **state)
{
    const struct fixture *f = *state;
    const struct net_options options = {
        .seed = 45, .method = METHOD_TWN, .activation = activations[1], .residual = true};
    struct bittern_network *network;
    struct bittern_error err;
    struct net net;

    net_build(&options, f->grey, &net);
    totals = (struct float_totals){0};
    check_floats(&net, f->grey, "residual");
    assert_int_equal(totals.flipped, 0);
    struct bittern_model *model = export_finished(&net);
    assert_int_equal(bittern_network_compile(model, NULL, &network, &err), BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "residual connections"));
    bittern_model_free(model);
    net_free(&net);
}

/* ---- The file ----------------------------------------------------------------------------------
 */

static void compile_bytes(const struct bittern_model *model, struct bittern_program **program)
{
    struct bittern_network *network = compile(model);
    struct bittern_error err;
    assert_ok(bittern_program_create(network, NULL, program, &err), &err);
    bittern_network_free(network);
}

/* Would catch: quantizers folded away in the file, a number that is not float32, lost metadata. */
static void written_file_reads_as_the_same_model(void **state)
{
    const struct fixture *f = *state;
    const struct net_options options = {
        .seed = 50, .method = METHOD_SQ, .activation = activations[1], .first_int8 = true};
    struct bittern_model *read;
    struct bittern_program *programs[2];
    struct bittern_error err;
    struct net net;
    void *bytes;
    size_t size;

    net_build(&options, f->grey, &net);
    struct bittern_model *model = export_net(&net);
    assert_ok(bittern_model_write_memory(model, &bytes, &size, &err), &err);
    assert_true(holds(bytes, size, "Quant"));
    assert_true(holds(bytes, size, "conv1.weight.quantized"));
    assert_ok(bittern_model_read_memory(bytes, size, "file", &read, &err), &err);
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_string_equal(bittern_model_metadata(read, "recipe"), "recipe: text\n");
    assert_string_equal(bittern_model_metadata(read, "input_range"), "0-1");
    assert_non_null(strstr(bittern_model_metadata(read, "producer"), "bittern-train"));

    compile_bytes(model, &programs[0]);
    compile_bytes(read, &programs[1]);
    size_t sizes[2];
    const void *data[2] = {bittern_program_data(programs[0], &sizes[0]),
                           bittern_program_data(programs[1], &sizes[1])};
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(data[0], data[1], sizes[0]);

    bittern_program_free(programs[0]);
    bittern_program_free(programs[1]);
    free(bytes);
    bittern_model_free(read);
    bittern_model_free(model);
    net_free(&net);
}

/* Would catch: layers in reports named after nodes that nobody knows. */
static void compiled_layers_have_the_graphs_names(void **state)
{
    const struct fixture *f = *state;
    const struct net_options options = {
        .seed = 60, .method = METHOD_BWN, .activation = activations[0]};
    static const char *const names[] = {"conv1", "conv2", "fc1", "fc2"};
    struct net net;

    net_build(&options, f->grey, &net);
    struct bittern_model *model = export_finished(&net);
    struct bittern_network *network = compile(model);
    assert_int_equal(bittern_network_layer_count(network), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(bittern_network_layer(network, i)->name, names[i]);
    }
    assert_string_equal(bittern_network_input(network)->name, "image");
    assert_string_equal(bittern_network_name(network), "net");
    bittern_network_free(network);
    bittern_model_free(model);
    net_free(&net);
}

/* ---- The input ---------------------------------------------------------------------------------
 */

/* Would catch: a table that the trainer and the compiler round differently. */
static void compiled_input_table_is_the_trainers(void **state)
{
    const struct fixture *f = *state;
    const struct bittern_dataset *datasets[] = {f->grey, f->color};

    for (size_t d = 0; d < 4; d++) {
        const struct bittern_dataset *dataset = datasets[d % 2];
        const struct net_options options = {
            .seed = 70, .method = METHOD_BWN, .activation = activations[0]};
        float table[4 * 256];
        struct bittern_error err;
        struct net net;
        net_build(&options, dataset, &net);
        assert_ok(input_encoding_choose(dataset, d < 2, true, &net.encoding, &err), &err);
        input_encoding_table(&net.encoding, table);
        struct bittern_model *model = export_finished(&net);
        struct bittern_network *network = compile(model);
        const struct bittern_input *input = bittern_network_input(network);
        assert_int_equal(input->type.is_signed, net.encoding.is_signed);
        for (size_t i = 0; i < net.encoding.channels * 256; i++) {
            assert_true((float)(input->table[i] * net.encoding.step) == table[i]);
        }
        bittern_network_free(network);
        bittern_model_free(model);
        net_free(&net);
    }
}

/* Would catch: a model that is written although the hardware would see other pixels. */
static void input_that_float32_cannot_hold_is_refused(void **state)
{
    const struct fixture *f = *state;
    const struct net_options options = {
        .seed = 80, .method = METHOD_BWN, .activation = activations[0]};
    const double step = 2 / 255.0;
    struct bittern_model *model;
    struct bittern_error err;
    struct net net;

    net_build(&options, f->grey, &net);
    assert_ok(input_encoding_choose(f->grey, false, true, &net.encoding, &err), &err);
    /* Odd pixel values lie next to a tie, on another side with the step as a float32. */
    net.encoding.step = step * (1 + ((double)(float)step < step ? 1e-13 : -1e-13));
    assert_int_equal(deploy_export(net.graph, &net.encoding, "net", NULL, &model, &err),
                     BITTERN_ERR_MISMATCH);
    assert_null(model);
    assert_non_null(strstr(err.message, "pixel value 1 of channel 0"));
    net.encoding.channels = 3;
    assert_int_equal(deploy_export(net.graph, &net.encoding, "net", NULL, &model, &err),
                     BITTERN_ERR_MISMATCH);
    assert_null(model);
    net_free(&net);
}

/* Would catch: latent weights exported as if they were final. */
static void unfinished_graph_is_refused(void **state)
{
    const struct backend_options one = {.threads = 1};
    const struct graph_options shape = {.batch = 1, .channels = 1, .height = 4, .width = 4};
    const struct conv_config config = {.filters = 2, .method = method_defaults(METHOD_TWN)};
    const struct input_encoding encoding = {.channels = 1, .deviation = {1}};
    struct bittern_model *model;
    struct backend *backend;
    struct graph *graph;
    struct bittern_error err;
    size_t output;
    (void)state;

    assert_ok(backend_create(&one, &backend, &err), &err);
    assert_ok(graph_create(backend, &shape, &graph, &err), &err);
    assert_int_equal(deploy_export(graph, &encoding, "net", NULL, &model, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_ok(graph_add_fc(graph, "fc1", 0, &config, &output, &err), &err);
    assert_ok(graph_seal(graph, &err), &err);
    assert_int_equal(deploy_export(graph, &encoding, "net", NULL, &model, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_null(model);
    assert_non_null(strstr(err.message, "fc1"));
    graph_free(graph);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_equal_the_float64_graph_for_all_methods_and_orders),
        cmocka_unit_test(integers_equal_the_float64_graph_in_special_nets),
        cmocka_unit_test(float32_graph_equals_the_exported_model),
        cmocka_unit_test(float_activations_are_exported_and_not_compiled),
        cmocka_unit_test(full_precision_is_exported_and_refused_by_layer),
        cmocka_unit_test(residual_sums_are_exported_and_not_compiled),
        cmocka_unit_test(written_file_reads_as_the_same_model),
        cmocka_unit_test(compiled_layers_have_the_graphs_names),
        cmocka_unit_test(compiled_input_table_is_the_trainers),
        cmocka_unit_test(input_that_float32_cannot_hold_is_refused),
        cmocka_unit_test(unfinished_graph_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
