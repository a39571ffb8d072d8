/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ONNX: every data type and opset's form, and foreign bytes of every broken kind. Odd
 * models are made by changing the protobuf structs of a small sound one, image [1,2,4,4] -> Conv ->
 * Relu.
 */
#include "model/onnx.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#define CHANNELS 2

/* A model of protobuf structs, all in one place; tests change what they are about. */
struct fixture {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opsets[2];
    Onnx__OperatorSetIdProto *opset_list[2];
    Onnx__ValueInfoProto input, second_input, output, second_output;
    Onnx__ValueInfoProto *inputs[2], *outputs[2];
    Onnx__TypeProto input_type, output_type;
    Onnx__TypeProto__Tensor input_tensor, output_tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[4];
    Onnx__TensorShapeProto__Dimension *dim_list[4];
    Onnx__NodeProto nodes[3];
    Onnx__NodeProto *node_list[3];
    char *conv_inputs[2], *conv_outputs[1], *relu_inputs[3], *relu_outputs[2];
    char *more_inputs[3], *more_outputs[2];
    Onnx__AttributeProto attributes[4];
    Onnx__AttributeProto *attribute_list[4];
    Onnx__TensorProto weights, second;
    Onnx__TensorProto *initializers[2];
    int64_t weight_dims[4];
    float weight_values[CHANNELS * 2];
};

static void fill_shapes(struct fixture *f)
{
    static const int64_t sizes[4] = {1, 2, 4, 4};
    onnx__tensor_shape_proto__init(&f->shape);
    for (size_t i = 0; i < 4; i++) {
        onnx__tensor_shape_proto__dimension__init(&f->dims[i]);
        f->dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        f->dims[i].dim_value = sizes[i];
        f->dim_list[i] = &f->dims[i];
    }
    f->shape.dim = f->dim_list;
    f->shape.n_dim = 4;
    onnx__type_proto__tensor__init(&f->input_tensor);
    onnx__type_proto__tensor__init(&f->output_tensor);
    f->input_tensor.has_elem_type = f->output_tensor.has_elem_type = 1;
    f->input_tensor.elem_type = f->output_tensor.elem_type = BITTERN_ELEMENT_FLOAT;
    f->input_tensor.shape = &f->shape;
    onnx__type_proto__init(&f->input_type);
    onnx__type_proto__init(&f->output_type);
    f->input_type.value_case = f->output_type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    f->input_type.tensor_type = &f->input_tensor;
    f->output_type.tensor_type = &f->output_tensor;
}

static void fill_values(struct fixture *f)
{
    static const int64_t dims[4] = {CHANNELS, 2, 1, 1};
    static const float values[CHANNELS * 2] = {0.5f, -0.5f, 1.5f, 0};
    Onnx__ValueInfoProto *infos[4] = {&f->input, &f->second_input, &f->output, &f->second_output};
    static const char *const names[4] = {"x", "x2", "y", "y2"};
    for (size_t i = 0; i < 4; i++) {
        onnx__value_info_proto__init(infos[i]);
        infos[i]->name = (char *)names[i];
        infos[i]->type = i < 2 ? &f->input_type : &f->output_type;
        (i < 2 ? f->inputs : f->outputs)[i % 2] = infos[i];
    }
    onnx__tensor_proto__init(&f->weights);
    onnx__tensor_proto__init(&f->second);
    memcpy(f->weight_dims, dims, sizeof dims);
    memcpy(f->weight_values, values, sizeof values);
    f->weights.name = (char *)"w";
    f->second.name = (char *)"c";
    f->weights.has_data_type = f->second.has_data_type = 1;
    f->weights.data_type = f->second.data_type = BITTERN_ELEMENT_FLOAT;
    f->weights.dims = f->weight_dims;
    f->weights.n_dims = 4;
    f->weights.float_data = f->weight_values;
    f->weights.n_float_data = CHANNELS * 2;
    f->initializers[0] = &f->weights;
    f->initializers[1] = &f->second;
}

static void fill_nodes(struct fixture *f)
{
    static const char *const ops[3] = {"Conv", "Relu", "Relu"};
    static const char *const names[3] = {"conv", "relu", "more"};
    char **inputs[3] = {f->conv_inputs, f->relu_inputs, f->more_inputs};
    char **outputs[3] = {f->conv_outputs, f->relu_outputs, f->more_outputs};
    f->conv_inputs[0] = (char *)"x";
    f->conv_inputs[1] = (char *)"w";
    f->conv_outputs[0] = (char *)"a";
    f->relu_inputs[0] = (char *)"a";
    f->relu_outputs[0] = (char *)"y";
    f->more_inputs[0] = (char *)"y";
    f->more_outputs[0] = (char *)"y2";
    for (size_t i = 0; i < 3; i++) {
        onnx__node_proto__init(&f->nodes[i]);
        f->nodes[i].op_type = (char *)ops[i];
        f->nodes[i].name = (char *)names[i];
        f->nodes[i].input = inputs[i];
        f->nodes[i].n_input = i == 0 ? 2 : 1;
        f->nodes[i].output = outputs[i];
        f->nodes[i].n_output = 1;
        f->node_list[i] = &f->nodes[i];
    }
    for (size_t i = 0; i < 4; i++) {
        onnx__attribute_proto__init(&f->attributes[i]);
        f->attributes[i].has_type = 1;
        f->attribute_list[i] = &f->attributes[i];
    }
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    fill_shapes(f);
    fill_values(f);
    fill_nodes(f);
    onnx__graph_proto__init(&f->graph);
    f->graph.name = (char *)"g";
    f->graph.input = f->inputs;
    f->graph.n_input = 1;
    f->graph.output = f->outputs;
    f->graph.n_output = 1;
    f->graph.node = f->node_list;
    f->graph.n_node = 2;
    f->graph.initializer = f->initializers;
    f->graph.n_initializer = 1;
    for (size_t i = 0; i < 2; i++) {
        onnx__operator_set_id_proto__init(&f->opsets[i]);
        f->opsets[i].has_version = 1;
        f->opsets[i].version = 13;
        f->opset_list[i] = &f->opsets[i];
    }
    onnx__model_proto__init(&f->model);
    f->model.graph = &f->graph;
    f->model.opset_import = f->opset_list;
    f->model.n_opset_import = 1;
}

static bittern_status read_fixture(const struct fixture *f, struct bittern_model **model,
                                   struct bittern_error *err)
{
    size_t size = onnx__model_proto__get_packed_size(&f->model);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(onnx__model_proto__pack(&f->model, bytes), size);
    bittern_status status = bittern_model_read_memory(bytes, size, "test", model, err);
    free(bytes);
    return status;
}

/* The model is refused with that status, and the message has `part`. */
static void refuse(const struct fixture *f, bittern_status status, const char *part)
{
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    bittern_status found = read_fixture(f, &model, &err);
    if (found != status || !strstr(err.message, part)) {
        fail_msg("got %s \"%s\", wanted %s with \"%s\"", bittern_status_name(found), err.message,
                 bittern_status_name(status), part);
    }
    assert_null(model);
}

static struct bittern_model *accept(const struct fixture *f)
{
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    assert_ok(read_fixture(f, &model, &err), &err);
    return model;
}

static void add_attribute(struct fixture *f, size_t node, size_t i, const char *name,
                          Onnx__AttributeProto__AttributeType type)
{
    f->attributes[i].name = (char *)name;
    f->attributes[i].type = type;
    f->attribute_list[f->nodes[node].n_attribute] = &f->attributes[i];
    f->nodes[node].attribute = f->attribute_list;
    f->nodes[node].n_attribute++;
}

/* Replace the Relu by another op. */
static void set_op(struct fixture *f, const char *op, const char *domain)
{
    f->nodes[1].op_type = (char *)op;
    f->nodes[1].domain = (char *)domain;
}

/* ---- What is accepted ------------------------------------------------------------------------ */

static void assert_weights(const struct fixture *f, const double *values)
{
    struct bittern_model *model = accept(f);
    size_t tensor = graph_find_tensor(model, "w");
    assert_int_not_equal(tensor, GRAPH_NONE);
    for (size_t i = 0; i < CHANNELS * 2; i++) {
        assert_true(model->tensors[tensor].constant[i] == values[i]);
    }
    bittern_model_free(model);
}

/* Would catch: a type read with the wrong width, sign or list. */
static void every_data_type_is_read_from_its_list_and_from_raw_bytes(void **state)
{
    (void)state;
    static const enum bittern_element types[] = {
        BITTERN_ELEMENT_FLOAT,   BITTERN_ELEMENT_UINT8,  BITTERN_ELEMENT_INT8,
        BITTERN_ELEMENT_UINT16,  BITTERN_ELEMENT_INT16,  BITTERN_ELEMENT_INT32,
        BITTERN_ELEMENT_INT64,   BITTERN_ELEMENT_BOOL,   BITTERN_ELEMENT_FLOAT16,
        BITTERN_ELEMENT_DOUBLE,  BITTERN_ELEMENT_UINT32, BITTERN_ELEMENT_UINT64,
        BITTERN_ELEMENT_BFLOAT16};
    static const double wanted[CHANNELS * 2] = {1, 0, 1, 1};
    float floats[4] = {1, 0, 1, 1};
    double doubles[4] = {1, 0, 1, 1};
    int32_t ints[4] = {1, 0, 1, 1};
    int32_t halves[4] = {0x3c00, 0, 0x3c00, 0x3c00};
    int32_t bfloats[4] = {0x3f80, 0, 0x3f80, 0x3f80};
    int64_t longs[4] = {1, 0, 1, 1};
    uint64_t unsigned_longs[4] = {1, 0, 1, 1};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct fixture f;
        uint8_t raw[32];
        begin(&f);
        f.weights.data_type = (int32_t)types[t];
        f.weights.float_data = floats;
        f.weights.double_data = doubles;
        f.weights.int32_data = types[t] == BITTERN_ELEMENT_FLOAT16    ? halves
                               : types[t] == BITTERN_ELEMENT_BFLOAT16 ? bfloats
                                                                      : ints;
        f.weights.int64_data = longs;
        f.weights.uint64_data = unsigned_longs;
        f.weights.n_float_data = 0;
        *(types[t] == BITTERN_ELEMENT_FLOAT    ? &f.weights.n_float_data
          : types[t] == BITTERN_ELEMENT_DOUBLE ? &f.weights.n_double_data
          : types[t] == BITTERN_ELEMENT_INT64  ? &f.weights.n_int64_data
          : types[t] == BITTERN_ELEMENT_UINT32 || types[t] == BITTERN_ELEMENT_UINT64
              ? &f.weights.n_uint64_data
              : &f.weights.n_int32_data) = 4;
        assert_weights(&f, wanted);
        f.weights.n_float_data = f.weights.n_double_data = f.weights.n_int32_data = 0;
        f.weights.n_int64_data = f.weights.n_uint64_data = 0;
        onnx_pack_values(types[t], wanted, 4, raw);
        f.weights.has_raw_data = 1;
        f.weights.raw_data.data = raw;
        f.weights.raw_data.len = 4 * onnx_element_size(types[t]);
        assert_weights(&f, wanted);
        f.weights.raw_data.len--;
        refuse(&f, BITTERN_ERR_FORMAT, "tensor 'w' has");
    }
}

/* Would catch: 16-bit floats whose subnormals, signs or exponents are wrong. */
static void sixteen_bit_floats_have_their_ieee_values(void **state)
{
    (void)state;
    static const double halves_wanted[4] = {0x1p-24, -0x3ffp-24, 65504, -2};
    static const double bfloats_wanted[4] = {0x1p-133, -0x1p-126, 0x1.fep127, -3};
    int32_t halves[4] = {0x0001, 0x83ff, 0x7bff, 0xc000};
    int32_t bfloats[4] = {0x0001, 0x8080, 0x7f7f, 0xc040};
    struct fixture f;
    begin(&f);
    f.weights.n_float_data = 0;
    f.weights.n_int32_data = 4;
    f.weights.data_type = BITTERN_ELEMENT_FLOAT16;
    f.weights.int32_data = halves;
    assert_weights(&f, halves_wanted);
    f.weights.data_type = BITTERN_ELEMENT_BFLOAT16;
    f.weights.int32_data = bfloats;
    assert_weights(&f, bfloats_wanted);
    bfloats[0] = 0x10000;
    refuse(&f, BITTERN_ERR_RANGE, "element 0 does not fit");
}

/* Would catch: old files refused because they list their weights as inputs, too. */
static void initializers_that_are_listed_as_inputs_are_constants(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.second_input.name = (char *)"w";
    f.graph.n_input = 2;
    bittern_model_free(accept(&f));
    f.inputs[0] = &f.second_input;
    f.inputs[1] = &f.input;
    bittern_model_free(accept(&f));
}

/* Would catch: an open batch that is refused, or an open height that is guessed. */
static void only_the_batch_may_be_open(void **state)
{
    (void)state;
    struct fixture f;
    struct bittern_tensor_info info;
    begin(&f);
    f.dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    f.dims[0].dim_param = (char *)"N";
    struct bittern_model *model = accept(&f);
    bittern_model_output(model, &info);
    assert_int_equal(info.dims[0], 1);
    assert_true(model->batch_is_open);
    bittern_model_free(model);

    f.dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
    bittern_model_free(accept(&f));
    f.dims[2].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    f.dims[2].dim_param = (char *)"height";
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "'height'");

    begin(&f);
    f.dims[0].dim_value = 3;
    model = accept(&f);
    bittern_model_output(model, &info);
    assert_int_equal(info.dims[0], 3);
    bittern_model_free(model);
}

/* Would catch: a Clip of opset 9 without its bounds, or a HardTanh that is unknown. */
static void older_forms_become_the_one_form(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        begin(&f);
        f.opsets[0].version = 9;
        set_op(&f, i == 0 ? "Clip" : "HardTanh", "");
        if (i == 0) {
            add_attribute(&f, 1, 0, "max", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
            f.attributes[0].has_f = 1;
            f.attributes[0].f = 1;
        }
        struct bittern_model *model = accept(&f);
        const struct graph_node *node = &model->nodes[1];
        assert_int_equal(node->op, GRAPH_CLIP);
        assert_string_equal(node->op_name, "Clip");
        assert_int_equal(node->attribute_count, 0);
        assert_true(graph_node_input(model, node, 2)->constant[0] == 1);
        assert_int_equal(graph_node_input(model, node, 1) == NULL, i == 0);
        assert_int_equal(bittern_model_opset(model), 9);
        assert_int_equal(model->node_opset, 13);
        bittern_model_free(model);
    }
}

/* Would catch: Dropout's mask or TopK's values keeping a model out, or the wrong output counting.
 */
static void second_outputs_at_the_end_are_fine(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    set_op(&f, "Dropout", "");
    f.relu_outputs[1] = (char *)"mask";
    f.nodes[1].n_output = 2;
    struct bittern_model *model = accept(&f);
    assert_string_equal(model->nodes[1].op_name, "Identity");
    bittern_model_free(model);

    begin(&f);
    f.graph.n_node = 3;
    f.graph.n_output = 2;
    f.nodes[2].op_type = (char *)"ArgMax";
    for (int turn = 0; turn < 2; turn++) {
        f.outputs[turn] = &f.output;
        f.outputs[1 - turn] = &f.second_output;
        model = accept(&f);
        assert_string_equal(model->tensors[model->output].name, "y");
        assert_int_equal(model->node_count, 2);
        bittern_model_free(model);
    }
    f.nodes[2].op_type = (char *)"Relu"; /* a second head, not a way to read the first */
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "2 outputs");
}

/* ---- What is refused ------------------------------------------------------------------------- */

/* Would catch: opsets whose ops mean something else. */
static void opsets_from_9_to_21_are_read(void **state)
{
    (void)state;
    struct fixture f;
    for (int64_t opset = 7; opset <= 23; opset++) {
        begin(&f);
        f.opsets[0].version = opset;
        if (opset >= 9 && opset <= 21) {
            bittern_model_free(accept(&f));
        } else {
            refuse(&f, BITTERN_ERR_UNSUPPORTED, "9 to 21");
        }
    }
    begin(&f);
    f.model.n_opset_import = 2;
    f.opsets[1].version = 12;
    refuse(&f, BITTERN_ERR_FORMAT, "twice");
    f.opsets[1].domain = (char *)"qonnx.custom_op.general";
    f.opsets[1].version = 77;
    bittern_model_free(accept(&f));
    f.model.n_opset_import = 0;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "9 to 21");
}

/* Would catch: a message that does not say which node, op and domain, or what would work. */
static void unknown_ops_are_named(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    set_op(&f, "LSTM", "");
    add_attribute(&f, 1, 0, "activations", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "node 'relu': op 'LSTM' is not supported");
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "MultiThreshold");
    set_op(&f, "Relu", "my.domain");
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "of domain 'my.domain'");
    set_op(&f, "Quant", "");
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "op 'Quant'");
}

/* Would catch: attributes that are misread or silently ignored. */
static void attributes_of_a_wrong_kind_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_attribute(&f, 0, 0, "group", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    refuse(&f, BITTERN_ERR_FORMAT, "attribute 'group' is a float; it must be an int");
    f.attributes[0].name = (char *)"colour";
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "attribute 'colour' is not supported");
    f.attributes[0].type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "subgraph");
    f.attributes[0].type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "node 'conv' (Conv)");
    f.attributes[0].has_type = 0;
    refuse(&f, BITTERN_ERR_FORMAT, "without a name, a type");

    begin(&f);
    add_attribute(&f, 0, 0, "group", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    add_attribute(&f, 0, 1, "group", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    f.attributes[0].i = f.attributes[1].i = 1;
    f.attributes[0].has_i = f.attributes[1].has_i = 1;
    refuse(&f, BITTERN_ERR_FORMAT, "two attributes 'group'");
    begin(&f);
    add_attribute(&f, 0, 0, "auto_pad", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    f.attributes[0].has_s = 1;
    f.attributes[0].s.data = (uint8_t *)"VA\0LID";
    f.attributes[0].s.len = 6;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "printable");
}

/* Would catch: shapes whose product overflows or is negative, and data that does not fill them. */
static void initializers_that_do_not_fit_their_shape_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.weight_dims[0] = -2;
    refuse(&f, BITTERN_ERR_FORMAT, "negative");
    f.weight_dims[0] = INT64_C(1) << 62;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "elements");
    f.weight_dims[1] = INT64_C(1) << 62;
    f.weight_dims[2] = 0;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "elements");
    f.weight_dims[0] = f.weight_dims[1] = f.weight_dims[2] = 3;
    refuse(&f, BITTERN_ERR_FORMAT, "its shape and type need 27");
    begin(&f);
    f.weights.data_type = 8; /* string */
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "data type 8");
    f.weights.data_type = BITTERN_ELEMENT_INT64; /* its values are floats */
    refuse(&f, BITTERN_ERR_FORMAT, "has 0 elements");
    begin(&f);
    f.weights.has_raw_data = 1;
    f.weights.raw_data.data = (uint8_t *)f.weight_values;
    f.weights.raw_data.len = sizeof f.weight_values;
    refuse(&f, BITTERN_ERR_FORMAT, "both raw data");
    begin(&f);
    f.weights.has_data_location = 1;
    f.weights.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "in another file");
    begin(&f);
    f.weight_values[2] = (float)__builtin_nan("");
    refuse(&f, BITTERN_ERR_RANGE, "constant 'w' holds NaN");
    f.weight_values[2] = (float)__builtin_inf();
    refuse(&f, BITTERN_ERR_RANGE, "not finite");
}

/* Would catch: a graph that is not one: cycles, holes, two sources of one tensor. */
static void graphs_that_are_not_sound_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.conv_inputs[0] = (char *)"y";
    refuse(&f, BITTERN_ERR_FORMAT, "cycle");
    begin(&f);
    f.conv_inputs[1] = (char *)"nothing";
    refuse(&f, BITTERN_ERR_FORMAT, "node 'conv' (Conv) reads 'nothing'");
    begin(&f);
    f.conv_outputs[0] = (char *)"y";
    refuse(&f, BITTERN_ERR_FORMAT, "'y' is defined twice");
    begin(&f);
    f.relu_outputs[0] = (char *)"x";
    refuse(&f, BITTERN_ERR_FORMAT, "'x' is defined twice");
    begin(&f);
    f.graph.n_initializer = 2;
    f.second = f.weights;
    refuse(&f, BITTERN_ERR_FORMAT, "'w' is defined twice");
    begin(&f);
    f.output.name = (char *)"elsewhere";
    refuse(&f, BITTERN_ERR_FORMAT, "'elsewhere'");
    f.graph.n_output = 0;
    refuse(&f, BITTERN_ERR_FORMAT, "no output");
    begin(&f);
    f.relu_inputs[0] = (char *)"w";
    refuse(&f, BITTERN_ERR_FORMAT, "not computed from its input");
    begin(&f);
    f.nodes[1].n_input = 0;
    refuse(&f, BITTERN_ERR_FORMAT, "0 inputs");
    begin(&f);
    f.relu_inputs[0] = (char *)"";
    refuse(&f, BITTERN_ERR_FORMAT, "input 0 is missing");
    begin(&f);
    f.model.graph = NULL;
    refuse(&f, BITTERN_ERR_FORMAT, "no graph");
}

/* Would catch: an input that no image fits. */
static void inputs_that_are_no_image_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.graph.n_input = 0;
    refuse(&f, BITTERN_ERR_FORMAT, "no input");
    f.graph.n_input = 2;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "more than one input ('x' and 'x2')");
    begin(&f);
    f.input_tensor.elem_type = BITTERN_ELEMENT_INT64;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "element type 7");
    begin(&f);
    f.dims[1].dim_value = -4;
    refuse(&f, BITTERN_ERR_FORMAT, "dimension 1 is -4");
    f.dims[1].dim_value = INT64_MAX;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "elements");
    f.shape.n_dim = 1;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "1 dimensions");
    f.input_tensor.shape = NULL;
    refuse(&f, BITTERN_ERR_UNSUPPORTED, "a name and a shape");
    begin(&f);
    f.nodes[0].name = (char *)"es\033cape";
    refuse(&f, BITTERN_ERR_FORMAT, "cannot be printed");
    f.nodes[0].name = (char *)"\xc0\x80";
    refuse(&f, BITTERN_ERR_FORMAT, "cannot be printed");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Would catch: a read behind the end, or a cut model that passes for a whole one. */
static void a_model_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    size_t size = onnx__model_proto__get_packed_size(&f.model);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    (void)onnx__model_proto__pack(&f.model, bytes);
    for (size_t cut = 0; cut < size; cut++) {
        struct bittern_error err = {0};
        struct bittern_model *model = NULL;
        uint8_t *exact = malloc(cut + 1); /* one allocation a length: the sanitizer sees the end */
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        assert_int_not_equal(bittern_model_read_memory(exact, cut, "cut", &model, &err),
                             BITTERN_OK);
        assert_null(model);
        assert_memory_equal(err.message, "cut: ", 5);
        free(exact);
    }
    free(bytes);
}

/* Would catch: recursion as deep as the file is long. */
static void deep_nesting_is_refused(void **state)
{
    (void)state;
    /* graph (7) { node (1) { attribute (5) { g (6) { node ... */
    static const uint8_t tags[] = {7 << 3 | 2, 1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2};
    enum { LEVELS = 20000, HEAD = 4 };
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    uint8_t *bytes = calloc(LEVELS, HEAD);
    assert_non_null(bytes);
    for (size_t i = 0; i < LEVELS; i++) {
        size_t length = (LEVELS - 1 - i) * HEAD;
        bytes[i * HEAD] = i == 0 ? tags[0] : tags[1 + (i - 1) % 3];
        bytes[i * HEAD + 1] = (uint8_t)(length | 0x80);
        bytes[i * HEAD + 2] = (uint8_t)(length >> 7 | 0x80);
        bytes[i * HEAD + 3] = (uint8_t)(length >> 14);
    }
    assert_int_equal(bittern_model_read_memory(bytes, LEVELS * HEAD, "deep", &model, &err),
                     BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "nested"));
    free(bytes);
}

/* Would catch: two bytes of file that cost hundreds of memory, without bound. */
static void many_empty_messages_do_not_exhaust_memory(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    uint8_t *bytes = calloc(COUNT + 4, 2);
    assert_non_null(bytes);
    size_t length = 2 * COUNT; /* graph (7), then empty nodes (1) */
    bytes[0] = 7 << 3 | 2;
    bytes[1] = (uint8_t)(length | 0x80);
    bytes[2] = (uint8_t)(length >> 7 | 0x80);
    bytes[3] = (uint8_t)(length >> 14);
    for (size_t i = 0; i < COUNT; i++) {
        bytes[4 + 2 * i] = 1 << 3 | 2;
    }
    assert_int_equal(bittern_model_read_memory(bytes, length + 4, "many", &model, &err),
                     BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "exhaust memory"));
    /* The same bytes as two graphs: protobuf would merge them. */
    static const uint8_t twice[] = {7 << 3 | 2, 0, 7 << 3 | 2, 0};
    assert_int_equal(bittern_model_read_memory(twice, sizeof twice, "twice", &model, &err),
                     BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'graph' twice"));
    assert_int_equal(bittern_model_read("/nonexistent/model.onnx", &model, &err),
                     BITTERN_ERR_NOT_FOUND);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_data_type_is_read_from_its_list_and_from_raw_bytes),
        cmocka_unit_test(sixteen_bit_floats_have_their_ieee_values),
        cmocka_unit_test(initializers_that_are_listed_as_inputs_are_constants),
        cmocka_unit_test(only_the_batch_may_be_open),
        cmocka_unit_test(older_forms_become_the_one_form),
        cmocka_unit_test(second_outputs_at_the_end_are_fine),
        cmocka_unit_test(opsets_from_9_to_21_are_read),
        cmocka_unit_test(unknown_ops_are_named),
        cmocka_unit_test(attributes_of_a_wrong_kind_are_refused),
        cmocka_unit_test(initializers_that_do_not_fit_their_shape_are_refused),
        cmocka_unit_test(graphs_that_are_not_sound_are_refused),
        cmocka_unit_test(inputs_that_are_no_image_are_refused),
        cmocka_unit_test(a_model_cut_anywhere_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(many_empty_messages_do_not_exhaust_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
