/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX written and read again: the same graph, the same values, the same bytes. */
#include "model/onnx.h"
#include "model_build.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_same_attributes(const struct graph_node *a, const struct graph_node *b)
{
    assert_int_equal(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++) {
        const struct graph_attribute *x = &a->attributes[i];
        const struct graph_attribute *y = &b->attributes[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->i, y->i);
        assert_true(x->f == y->f);
        assert_int_equal(x->count, y->count);
        if (x->kind == BITTERN_ATTRIBUTE_STRING) {
            assert_string_equal(x->s, y->s);
        } else if (x->kind == BITTERN_ATTRIBUTE_INTS) {
            assert_memory_equal(x->ints, y->ints, x->count * sizeof *x->ints);
        } else if (x->kind == BITTERN_ATTRIBUTE_FLOATS) {
            assert_memory_equal(x->floats, y->floats, x->count * sizeof *x->floats);
        }
    }
}

static void assert_same_tensor(const struct bittern_model *a, size_t ta,
                               const struct bittern_model *b, size_t tb)
{
    assert_int_equal(ta == GRAPH_NONE, tb == GRAPH_NONE);
    if (ta == GRAPH_NONE) {
        return;
    }
    const struct graph_tensor *x = &a->tensors[ta];
    const struct graph_tensor *y = &b->tensors[tb];
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->element, y->element);
    assert_int_equal(x->rank, y->rank);
    assert_memory_equal(x->dims, y->dims, x->rank * sizeof x->dims[0]);
    assert_int_equal(x->constant == NULL, y->constant == NULL);
    for (size_t i = 0; x->constant && y->constant && i < x->count; i++) {
        /* Folded values are rounded to the element type when they are written. */
        double want =
            x->element == BITTERN_ELEMENT_FLOAT ? (double)(float)x->constant[i] : x->constant[i];
        assert_true(want == y->constant[i]);
    }
}

static void assert_same_graph(const struct bittern_model *a, const struct bittern_model *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->node_opset, b->node_opset);
    assert_int_equal(a->batch_is_open, b->batch_is_open);
    assert_int_equal(a->node_count, b->node_count);
    assert_same_tensor(a, a->input, b, b->input);
    assert_same_tensor(a, a->output, b, b->output);
    for (size_t n = 0; n < a->node_count; n++) {
        const struct graph_node *x = &a->nodes[n];
        const struct graph_node *y = &b->nodes[n];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->op_name, y->op_name);
        assert_string_equal(x->domain, y->domain);
        assert_int_equal(x->op, y->op);
        assert_int_equal(x->input_count, y->input_count);
        assert_int_equal(x->output_count, y->output_count);
        for (size_t i = 0; i < x->input_count; i++) {
            assert_same_tensor(a, x->inputs[i], b, y->inputs[i]);
        }
        for (size_t i = 0; i < x->output_count; i++) {
            assert_same_tensor(a, x->outputs[i], b, y->outputs[i]);
        }
        assert_same_attributes(x, y);
    }
}

/* Write, read, compare; then write again: the same bytes. Frees the model. */
static void check_round_trip(struct bittern_model *model)
{
    struct bittern_error err;
    struct bittern_model *again = NULL;
    struct bittern_model *third = NULL;
    void *first_bytes = NULL;
    void *bytes = NULL;
    void *more_bytes = NULL;
    size_t first_size = 0;
    size_t size = 0;
    size_t more_size = 0;
    assert_ok(bittern_model_write_memory(model, &first_bytes, &first_size, &err), &err);
    assert_ok(bittern_model_read_memory(first_bytes, first_size, "test", &again, &err), &err);
    if (model->finished) {
        assert_same_graph(model, again);
    }
    assert_ok(bittern_model_write_memory(again, &bytes, &size, &err), &err);
    assert_ok(bittern_model_read_memory(bytes, size, "test", &third, &err), &err);
    assert_same_graph(again, third);
    assert_ok(bittern_model_write_memory(third, &more_bytes, &more_size, &err), &err);
    assert_int_equal(size, more_size);
    assert_memory_equal(bytes, more_bytes, size);
    free(first_bytes);
    free(bytes);
    free(more_bytes);
    bittern_model_free(model);
    bittern_model_free(again);
    bittern_model_free(third);
}

/* Would catch: a node, attribute, shape or weight that changes on its way through a file. */
static void whole_networks_come_back_as_they_were(void **state)
{
    (void)state;
    struct bittern_error err;
    for (int bits = 1; bits <= 2; bits++) {
        struct bittern_model *model = NULL;
        assert_ok(tfc_build(7, bits, bits, &model, &err), &err);
        check_round_trip(model);
    }
    for (int i = 0; i < 4; i++) {
        struct conv_net_options options = {.seed = (uint64_t)i,
                                           .side = 12,
                                           .channels = 3,
                                           .filters = 4,
                                           .kernel = 3,
                                           .padding = 1,
                                           .weights = i % 2 ? WEIGHTS_TERNARY : WEIGHTS_BIPOLAR,
                                           .activations = ACTIVATION_UNSIGNED,
                                           .activation_bits = 4,
                                           .pool = i < 2 ? "MaxPool" : "AveragePool",
                                           .pool_place = POOL_BEHIND_ACTIVATION,
                                           .negative_gammas = true,
                                           .has_bias = true,
                                           .matmul = i == 3};
        struct bittern_model *model = NULL;
        assert_ok(conv_net_build(&options, &model, &err), &err);
        check_round_trip(model);
    }
}

static struct bittern_model *build_small(int64_t batch)
{
    struct bittern_error err;
    struct bittern_model *model = NULL;
    struct model_builder b;
    build_begin(&b, "small", 13, (int64_t[]){batch, 2, 6, 6}, 4, 3, &err);
    build_conv(&b, 4, 3, 1, 1, WEIGHTS_TERNARY, true);
    build_activation(&b, ACTIVATION_TERNARY, 2, 1);
    build_flatten(&b);
    build_linear(&b, 5, WEIGHTS_BIPOLAR, false);
    assert_ok(build_end_unfinished(&b, &model), &err);
    return model;
}

/* Would catch: a model that must be finished, and so loses its quantizers, before it is written. */
static void an_unfinished_model_is_written_with_all_its_nodes(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = build_small(1);
    size_t nodes = model->node_count;
    void *bytes = NULL;
    size_t size = 0;
    Onnx__ModelProto *proto = NULL;
    assert_ok(bittern_model_write_memory(model, &bytes, &size, &err), &err);
    assert_ok(onnx_unpack(bytes, size, &proto, &err), &err);
    assert_int_equal(proto->graph->n_node, nodes);
    assert_int_equal(proto->graph->output[0]->type->tensor_type->shape->n_dim, 2);
    assert_int_equal(proto->graph->output[0]->type->tensor_type->shape->dim[1]->dim_value, 5);
    assert_false(model->finished);
    onnx_free(proto);
    free(bytes);
    check_round_trip(model);
}

/* Would catch: metadata lost, and an open batch that becomes a batch of one. */
static void metadata_and_an_open_batch_are_kept(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = build_small(0);
    struct bittern_model *again = NULL;
    struct bittern_tensor_info info;
    void *bytes = NULL;
    size_t size = 0;
    assert_ok(bittern_model_set_metadata(model, "input_range", "old", &err), &err);
    assert_ok(bittern_model_set_metadata(model, "input_range", "0..1", &err), &err);
    assert_ok(bittern_model_set_metadata(model, "note", "two\nlines \xc3\xa9", &err), &err);
    assert_ok(bittern_model_write_memory(model, &bytes, &size, &err), &err);
    assert_ok(bittern_model_read_memory(bytes, size, "test", &again, &err), &err);
    assert_string_equal(bittern_model_metadata(again, "input_range"), "0..1");
    assert_string_equal(bittern_model_metadata(again, "note"), "two\nlines \xc3\xa9");
    assert_null(bittern_model_metadata(again, "other"));
    assert_true(again->batch_is_open);
    bittern_model_input(again, &info);
    assert_int_equal(info.dims[0], 1);
    free(bytes);
    bittern_model_free(again);
    check_round_trip(model);
}

/* Would catch: another value behind a rounding, above all in the 16-bit floats' subnormals. */
static void every_element_type_comes_back(void **state)
{
    (void)state;
    static const enum bittern_element floats[] = {BITTERN_ELEMENT_FLOAT16,
                                                  BITTERN_ELEMENT_BFLOAT16};
    uint8_t bytes[2];
    for (size_t e = 0; e < 2; e++) {
        for (unsigned bits = 0; bits <= 0xffff; bits++) {
            struct bittern_error err;
            uint8_t raw[2] = {(uint8_t)bits, (uint8_t)(bits >> 8)};
            Onnx__TensorProto proto = ONNX__TENSOR_PROTO__INIT;
            int64_t dims[BITTERN_MODEL_MAX_RANK];
            size_t rank;
            enum bittern_element element;
            double *value = NULL;
            proto.data_type = (int32_t)floats[e];
            proto.has_raw_data = 1;
            proto.raw_data.data = raw;
            proto.raw_data.len = 2;
            assert_ok(onnx_tensor_values(&proto, "t", dims, &rank, &element, &value, &err), &err);
            if (!isnan(*value)) {
                onnx_pack_values(element, value, 1, bytes);
                assert_memory_equal(bytes, raw, 2);
            }
            free(value);
        }
    }
}

static uint64_t pack_one(enum bittern_element element, double value)
{
    uint8_t bytes[8] = {0};
    uint64_t bits = 0;
    onnx_pack_values(element, &value, 1, bytes);
    for (size_t i = 0; i < 8; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    return bits;
}

/* Would catch: integers that wrap around, and halves that round up instead of to even. */
static void values_between_two_of_the_type_are_rounded(void **state)
{
    (void)state;
    assert_int_equal(pack_one(BITTERN_ELEMENT_FLOAT16, 1 + 0x1p-11), 0x3c00);
    assert_int_equal(pack_one(BITTERN_ELEMENT_FLOAT16, 1 + 0x3p-11), 0x3c02);
    assert_int_equal(pack_one(BITTERN_ELEMENT_FLOAT16, 65520), 0x7c00);
    assert_int_equal(pack_one(BITTERN_ELEMENT_FLOAT16, -65519), 0xfbff);
    assert_int_equal(pack_one(BITTERN_ELEMENT_FLOAT16, 0x1p-14 - 0x1p-26), 0x0400);
    assert_int_equal(pack_one(BITTERN_ELEMENT_BFLOAT16, 1 + 0x1p-8), 0x3f80);
    assert_int_equal(pack_one(BITTERN_ELEMENT_INT8, 200), 0x7f);
    assert_int_equal(pack_one(BITTERN_ELEMENT_INT8, -200), 0x80);
    assert_int_equal(pack_one(BITTERN_ELEMENT_UINT8, 300), 0xff);
    assert_int_equal(pack_one(BITTERN_ELEMENT_UINT8, -1), 0);
    assert_int_equal(pack_one(BITTERN_ELEMENT_INT64, 0x1p63), INT64_MAX);
    assert_int_equal(pack_one(BITTERN_ELEMENT_INT64, -0x1p63), (uint64_t)INT64_MIN);
    assert_int_equal(pack_one(BITTERN_ELEMENT_INT16, 2.5), 2);
    assert_int_equal(pack_one(BITTERN_ELEMENT_BOOL, 0.5), 1);
}

/* Would catch: a file that appears although its model is broken. */
static void a_broken_model_leaves_no_file(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = NULL;
    char path[] = "/tmp/bittern-test-onnx-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_ok(bittern_model_create("broken", 13, &model, &err), &err);
    assert_int_equal(bittern_model_write(model, path, &err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_model_add_input(model, "x", (int64_t[]){1, 4}, 2, &err), &err);
    const char *input = "missing";
    const char *output = "y";
    assert_ok(bittern_model_add_node(model, "Relu", "r", &input, 1, &output, 1, NULL, 0, &err),
              &err);
    assert_ok(bittern_model_add_output(model, "y", &err), &err);
    assert_int_equal(bittern_model_write(model, path, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'missing'"));
    assert_int_not_equal(access(path, F_OK), 0);
    bittern_model_free(model);

    model = build_small(1);
    struct bittern_model *again = NULL;
    assert_ok(bittern_model_write(model, path, &err), &err);
    assert_ok(bittern_model_read(path, &again, &err), &err);
    bittern_model_free(model);
    bittern_model_free(again);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_networks_come_back_as_they_were),
        cmocka_unit_test(an_unfinished_model_is_written_with_all_its_nodes),
        cmocka_unit_test(metadata_and_an_open_batch_are_kept),
        cmocka_unit_test(every_element_type_comes_back),
        cmocka_unit_test(values_between_two_of_the_type_are_rounded),
        cmocka_unit_test(a_broken_model_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
