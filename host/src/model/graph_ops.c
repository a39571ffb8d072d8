/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of supported ops: names, domains, numbers of inputs and outputs, and attributes with
 * their kinds, over all opsets from 9 to 21. Which attributes a compiled network may use, and with
 * which values, is decided where they are used.
 */
#include "model/graph.h"

#include <string.h>

#define ANY_NUMBER SIZE_MAX
#define MAX_ATTRIBUTES 8

struct op_attribute {
    const char *name;
    enum bittern_attribute_kind kind;
};

struct op_entry {
    const char *name;
    enum graph_op op;
    bool is_custom; /* of QONNX's domain, else of ONNX's own */
    size_t least_inputs, most_inputs;
    size_t most_outputs;
    struct op_attribute attributes[MAX_ATTRIBUTES];
};

#define INT BITTERN_ATTRIBUTE_INT
#define FLOAT BITTERN_ATTRIBUTE_FLOAT
#define STRING BITTERN_ATTRIBUTE_STRING
#define INTS BITTERN_ATTRIBUTE_INTS
#define FLOATS BITTERN_ATTRIBUTE_FLOATS

static const struct op_entry ops[] = {
    {"Conv",
     GRAPH_CONV,
     false,
     2,
     3,
     1,
     {{"auto_pad", STRING},
      {"dilations", INTS},
      {"group", INT},
      {"kernel_shape", INTS},
      {"pads", INTS},
      {"strides", INTS}}},
    {"Gemm",
     GRAPH_GEMM,
     false,
     2,
     3,
     1,
     {{"alpha", FLOAT}, {"beta", FLOAT}, {"transA", INT}, {"transB", INT}}},
    {"MatMul", GRAPH_MATMUL, false, 2, 2, 1, {{0}}},
    {"Add", GRAPH_ADD, false, 2, 2, 1, {{0}}},
    {"Sub", GRAPH_SUB, false, 2, 2, 1, {{0}}},
    {"Mul", GRAPH_MUL, false, 2, 2, 1, {{0}}},
    {"Div", GRAPH_DIV, false, 2, 2, 1, {{0}}},
    {"Neg", GRAPH_NEG, false, 1, 1, 1, {{0}}},
    {"BatchNormalization",
     GRAPH_BATCH_NORM,
     false,
     5,
     5,
     5,
     {{"epsilon", FLOAT}, {"momentum", FLOAT}, {"training_mode", INT}}},
    {"Relu", GRAPH_RELU, false, 1, 1, 1, {{0}}},
    {"Sign", GRAPH_SIGN, false, 1, 1, 1, {{0}}},
    {"Floor", GRAPH_FLOOR, false, 1, 1, 1, {{0}}},
    {"Ceil", GRAPH_CEIL, false, 1, 1, 1, {{0}}},
    {"Round", GRAPH_ROUND, false, 1, 1, 1, {{0}}},
    {"Clip", GRAPH_CLIP, false, 1, 3, 1, {{"min", FLOAT}, {"max", FLOAT}}},
    {"HardTanh", GRAPH_CLIP, false, 1, 1, 1, {{"min_val", FLOAT}, {"max_val", FLOAT}}},
    {"Hardtanh", GRAPH_CLIP, false, 1, 1, 1, {{"min_val", FLOAT}, {"max_val", FLOAT}}},
    {"MaxPool",
     GRAPH_MAX_POOL,
     false,
     1,
     1,
     2,
     {{"auto_pad", STRING},
      {"ceil_mode", INT},
      {"dilations", INTS},
      {"kernel_shape", INTS},
      {"pads", INTS},
      {"storage_order", INT},
      {"strides", INTS}}},
    {"AveragePool",
     GRAPH_AVERAGE_POOL,
     false,
     1,
     1,
     1,
     {{"auto_pad", STRING},
      {"ceil_mode", INT},
      {"count_include_pad", INT},
      {"dilations", INTS},
      {"kernel_shape", INTS},
      {"pads", INTS},
      {"strides", INTS}}},
    {"GlobalAveragePool", GRAPH_GLOBAL_AVERAGE_POOL, false, 1, 1, 1, {{0}}},
    {"Flatten", GRAPH_FLATTEN, false, 1, 1, 1, {{"axis", INT}}},
    {"Reshape", GRAPH_RESHAPE, false, 2, 2, 1, {{"allowzero", INT}}},
    {"Transpose", GRAPH_TRANSPOSE, false, 1, 1, 1, {{"perm", INTS}}},
    {"Pad", GRAPH_PAD, false, 1, 4, 1, {{"mode", STRING}, {"pads", INTS}, {"value", FLOAT}}},
    {"Identity", GRAPH_IDENTITY, false, 1, 1, 1, {{0}}},
    {"Dropout", GRAPH_IDENTITY, false, 1, 3, 2, {{"ratio", FLOAT}, {"seed", INT}}},
    {"Softmax", GRAPH_SOFTMAX, false, 1, 1, 1, {{"axis", INT}}},
    {"LogSoftmax", GRAPH_SOFTMAX, false, 1, 1, 1, {{"axis", INT}}},
    {"TopK",
     GRAPH_TOP_K,
     false,
     1,
     2,
     2,
     {{"axis", INT}, {"k", INT}, {"largest", INT}, {"sorted", INT}}},
    {"ArgMax",
     GRAPH_ARG_MAX,
     false,
     1,
     1,
     1,
     {{"axis", INT}, {"keepdims", INT}, {"select_last_index", INT}}},
    {"Quant",
     GRAPH_QUANT,
     true,
     4,
     4,
     1,
     {{"signed", INT}, {"narrow", INT}, {"rounding_mode", STRING}}},
    {"IntQuant",
     GRAPH_QUANT,
     true,
     4,
     4,
     1,
     {{"signed", INT}, {"narrow", INT}, {"rounding_mode", STRING}}},
    {"BipolarQuant", GRAPH_BIPOLAR_QUANT, true, 2, 2, 1, {{0}}},
    {"MultiThreshold",
     GRAPH_MULTI_THRESHOLD,
     true,
     2,
     2,
     1,
     {{"out_dtype", STRING}, {"out_scale", FLOAT}, {"out_bias", FLOAT}, {"data_layout", STRING}}},
    {"Trunc",
     GRAPH_TRUNC,
     true,
     5,
     7,
     1,
     {{"rounding_mode", STRING}, {"signed", INT}, {"narrow", INT}}},
    {"Abs", GRAPH_ABS, false, 1, 1, 1, {{0}}},
    {"Pow", GRAPH_POW, false, 2, 2, 1, {{0}}},
    {"Reciprocal", GRAPH_RECIPROCAL, false, 1, 1, 1, {{0}}},
    {"Sqrt", GRAPH_SQRT, false, 1, 1, 1, {{0}}},
    {"ReduceMean",
     GRAPH_REDUCE_MEAN,
     false,
     1,
     2,
     1,
     {{"axes", INTS}, {"keepdims", INT}, {"noop_with_empty_axes", INT}}},
    {"ReduceMax",
     GRAPH_REDUCE_MAX,
     false,
     1,
     2,
     1,
     {{"axes", INTS}, {"keepdims", INT}, {"noop_with_empty_axes", INT}}},
    {"Shape", GRAPH_SHAPE, false, 1, 1, 1, {{"start", INT}, {"end", INT}}},
    {"Gather", GRAPH_GATHER, false, 2, 2, 1, {{"axis", INT}}},
    {"Slice", GRAPH_SLICE, false, 1, 5, 1, {{"starts", INTS}, {"ends", INTS}, {"axes", INTS}}},
    {"Squeeze", GRAPH_SQUEEZE, false, 1, 2, 1, {{"axes", INTS}}},
    {"Unsqueeze", GRAPH_UNSQUEEZE, false, 1, 2, 1, {{"axes", INTS}}},
    {"Concat", GRAPH_CONCAT, false, 1, ANY_NUMBER, 1, {{"axis", INT}}},
    {"Constant",
     GRAPH_CONSTANT,
     false,
     0,
     0,
     1,
     {{"value_float", FLOAT}, {"value_floats", FLOATS}, {"value_int", INT}, {"value_ints", INTS}}},
    {"ConstantOfShape",
     GRAPH_CONSTANT_OF_SHAPE,
     false,
     1,
     1,
     1,
     {{"value_int", INT}, {"value_float", FLOAT}}},
    {"Cast", GRAPH_CAST, false, 1, 1, 1, {{"to", INT}, {"saturate", INT}}},
};

static bool is_own_domain(const char *domain)
{
    return domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static bool is_custom_domain(const char *domain)
{
    return strcmp(domain, "qonnx.custom_op.general") == 0 ||
           strcmp(domain, "finn.custom_op.general") == 0 || strcmp(domain, "onnx.brevitas") == 0;
}

static const struct op_entry *find_entry(const char *domain, const char *name)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].name, name) == 0 &&
            (ops[i].is_custom ? is_custom_domain(domain) : is_own_domain(domain))) {
            return &ops[i];
        }
    }
    return NULL;
}

enum graph_op graph_op_find(const char *domain, const char *name)
{
    const struct op_entry *entry = find_entry(domain, name);
    return entry ? entry->op : GRAPH_UNKNOWN;
}

const char *graph_op_list(void)
{
    return "Conv, Gemm, MatMul, Add, Sub, Mul, Div, Neg, BatchNormalization, Relu, Sign, Floor, "
           "Ceil, Round, Clip, HardTanh, MaxPool, AveragePool, GlobalAveragePool, Flatten, "
           "Reshape, Transpose, Pad, Identity, Dropout, Softmax, LogSoftmax, TopK, ArgMax; Abs, "
           "Pow, Reciprocal, Sqrt, ReduceMean, ReduceMax, Shape, Gather, Slice, Squeeze, "
           "Unsqueeze, Concat, Constant, "
           "ConstantOfShape, Cast over constants; Quant, BipolarQuant, MultiThreshold, Trunc of "
           "domain qonnx.custom_op.general";
}

static const char *kind_name(enum bittern_attribute_kind kind)
{
    static const char *const names[] = {"an int", "a float", "a string", "a list of ints",
                                        "a list of floats"};
    return names[kind];
}

static bittern_status check_attribute(const struct graph_node *node, const struct op_entry *entry,
                                      const struct graph_attribute *attribute,
                                      struct bittern_error *err)
{
    for (size_t i = 0; i < MAX_ATTRIBUTES && entry->attributes[i].name; i++) {
        if (strcmp(entry->attributes[i].name, attribute->name) != 0) {
            continue;
        }
        if (entry->attributes[i].kind == attribute->kind) {
            return BITTERN_OK;
        }
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "node '%s' (%s): attribute '%s' is %s; it must be %s", node->name,
                                 node->op_name, attribute->name, kind_name(attribute->kind),
                                 kind_name(entry->attributes[i].kind));
    }
    if (entry->is_custom) {
        return BITTERN_OK; /* exporters add notes of their own to custom ops */
    }
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                             "node '%s' (%s): attribute '%s' is not supported", node->name,
                             node->op_name, attribute->name);
}

static bittern_status check_counts(const struct graph_node *node, const struct op_entry *entry,
                                   struct bittern_error *err)
{
    if (node->input_count < entry->least_inputs || node->input_count > entry->most_inputs) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT, "node '%s' (%s) has %zu inputs; it takes %s%zu", node->name,
            node->op_name, node->input_count,
            entry->least_inputs == entry->most_inputs ? ""
            : node->input_count < entry->least_inputs ? "at least "
                                                      : "at most ",
            node->input_count < entry->least_inputs ? entry->least_inputs : entry->most_inputs);
    }
    for (size_t i = 0; i < entry->least_inputs; i++) {
        if (node->inputs[i] == GRAPH_NONE) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "node '%s' (%s): input %zu is missing", node->name,
                                     node->op_name, i);
        }
    }
    if (node->output_count == 0 || node->output_count > entry->most_outputs) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "node '%s' (%s) has %zu outputs; it can have 1 to %zu", node->name,
                                 node->op_name, node->output_count, entry->most_outputs);
    }
    return BITTERN_OK;
}

bittern_status graph_check_node(const struct graph_node *node, struct bittern_error *err)
{
    const struct op_entry *entry = find_entry(node->domain, node->op_name);
    if (!entry) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "node '%s': op '%s'%s%s%s is not supported; supported are %s",
                                 node->name, node->op_name, node->domain[0] ? " of domain '" : "",
                                 node->domain, node->domain[0] ? "'" : "", graph_op_list());
    }
    bittern_status status = check_counts(node, entry, err);
    for (size_t i = 0; status == BITTERN_OK && i < node->attribute_count; i++) {
        status = check_attribute(node, entry, &node->attributes[i], err);
    }
    return status;
}
