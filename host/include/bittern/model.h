/* SPDX-License-Identifier: Apache-2.0 */
/**
 * ONNX models in the QONNX dialect: read, built, written, and evaluated in float64.
 *
 * A model that was read is checked, sorted, its shapes are inferred and its constant parts are
 * computed; what it accepts stands in docs/model-format.md. A model that is built grows node by
 * node and is written as ONNX; to compile or evaluate it, finish it first.
 */
#ifndef BITTERN_MODEL_H
#define BITTERN_MODEL_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_model;

#define BITTERN_MODEL_MAX_RANK 8

/** Element types, with ONNX's own numbers (TensorProto.DataType). */
enum bittern_element {
    BITTERN_ELEMENT_FLOAT = 1,
    BITTERN_ELEMENT_UINT8 = 2,
    BITTERN_ELEMENT_INT8 = 3,
    BITTERN_ELEMENT_UINT16 = 4,
    BITTERN_ELEMENT_INT16 = 5,
    BITTERN_ELEMENT_INT32 = 6,
    BITTERN_ELEMENT_INT64 = 7,
    BITTERN_ELEMENT_BOOL = 9,
    BITTERN_ELEMENT_FLOAT16 = 10,
    BITTERN_ELEMENT_DOUBLE = 11,
    BITTERN_ELEMENT_UINT32 = 12,
    BITTERN_ELEMENT_UINT64 = 13,
    BITTERN_ELEMENT_BFLOAT16 = 16
};

/** Read an ONNX file, or one in memory; `name` stands in error messages. */
BITTERN_API bittern_status bittern_model_read(const char *path, struct bittern_model **model,
                                              struct bittern_error *err);
BITTERN_API bittern_status bittern_model_read_memory(const void *data, size_t size,
                                                     const char *name, struct bittern_model **model,
                                                     struct bittern_error *err);
BITTERN_API void bittern_model_free(struct bittern_model *model);

/* ---- Building -------------------------------------------------------------------------------- */

enum bittern_attribute_kind {
    BITTERN_ATTRIBUTE_INT,
    BITTERN_ATTRIBUTE_FLOAT,
    BITTERN_ATTRIBUTE_STRING,
    BITTERN_ATTRIBUTE_INTS,
    BITTERN_ATTRIBUTE_FLOATS
};

struct bittern_attribute {
    const char *name;
    enum bittern_attribute_kind kind;
    int64_t i;
    float f;
    const char *s;
    const int64_t *ints;
    const float *floats;
    size_t count; /* of ints or floats */
};

/** An empty model. @param opset  of the default domain, 9..21 */
BITTERN_API bittern_status bittern_model_create(const char *name, int64_t opset,
                                                struct bittern_model **model,
                                                struct bittern_error *err);

/** Add the graph's input, float32. @param dims  [rank]; dims[0] = 0: a batch of any size */
BITTERN_API bittern_status bittern_model_add_input(struct bittern_model *model, const char *name,
                                                   const int64_t *dims, size_t rank,
                                                   struct bittern_error *err);

/** Add a float32 or int64 initializer; the data is copied. */
BITTERN_API bittern_status bittern_model_add_floats(struct bittern_model *model, const char *name,
                                                    const int64_t *dims, size_t rank,
                                                    const float *data, struct bittern_error *err);
BITTERN_API bittern_status bittern_model_add_ints(struct bittern_model *model, const char *name,
                                                  const int64_t *dims, size_t rank,
                                                  const int64_t *data, struct bittern_error *err);

/**
 * Add a node. Quant, BipolarQuant, MultiThreshold and Trunc get the domain
 * "qonnx.custom_op.general", all others ONNX's own.
 * @param inputs  names; "" for an optional input that is left out
 */
BITTERN_API bittern_status bittern_model_add_node(
    struct bittern_model *model, const char *op, const char *name, const char *const *inputs,
    size_t input_count, const char *const *outputs, size_t output_count,
    const struct bittern_attribute *attributes, size_t attribute_count, struct bittern_error *err);
BITTERN_API bittern_status bittern_model_add_output(struct bittern_model *model, const char *name,
                                                    struct bittern_error *err);

/** Free text kept in the file (ONNX metadata_props), e.g. "input_range" or the recipe's name. */
BITTERN_API bittern_status bittern_model_set_metadata(struct bittern_model *model, const char *key,
                                                      const char *value, struct bittern_error *err);
/** NULL where the model has no such key. */
BITTERN_API const char *bittern_model_metadata(const struct bittern_model *model, const char *key);

/** Key and value 0, 1, ...; false past the last one. */
BITTERN_API bool bittern_model_metadata_entry(const struct bittern_model *model, size_t index,
                                              const char **key, const char **value);

/** Check, sort, infer shapes and fold constants, as reading does; needed before compiling. */
BITTERN_API bittern_status bittern_model_finish(struct bittern_model *model,
                                                struct bittern_error *err);

/** Serialize as ONNX; an unfinished or finished model. The file appears whole or not at all. */
BITTERN_API bittern_status bittern_model_write(const struct bittern_model *model, const char *path,
                                               struct bittern_error *err);
/** @param data  out: to be freed with free() */
BITTERN_API bittern_status bittern_model_write_memory(const struct bittern_model *model,
                                                      void **data, size_t *size,
                                                      struct bittern_error *err);

/* ---- Looking inside (finished models) -------------------------------------------------------- */

BITTERN_API const char *bittern_model_name(const struct bittern_model *model);
BITTERN_API int64_t bittern_model_opset(const struct bittern_model *model);

struct bittern_tensor_info {
    const char *name;
    size_t rank;
    int64_t
        dims[BITTERN_MODEL_MAX_RANK]; /* dims[0] is the batch, 1 where the file leaves it open */
    enum bittern_element element;
};

struct bittern_node_info {
    const char *name;
    const char *op;
    struct bittern_tensor_info output; /* the first one */
};

BITTERN_API void bittern_model_input(const struct bittern_model *model,
                                     struct bittern_tensor_info *info);
BITTERN_API void bittern_model_output(const struct bittern_model *model,
                                      struct bittern_tensor_info *info);
/** Nodes that remain after constant folding, in the order in which they are evaluated. */
BITTERN_API size_t bittern_model_node_count(const struct bittern_model *model);
BITTERN_API void bittern_model_node(const struct bittern_model *model, size_t index,
                                    struct bittern_node_info *info);

/** Initializers that the nodes read, and how many values they hold together. */
BITTERN_API size_t bittern_model_initializer_count(const struct bittern_model *model,
                                                   uint64_t *values);

/**
 * Sees each tensor that evaluation computes, in order, the graph's output last.
 * @param values  [product of info->dims]
 * @return 0 to go on
 */
typedef int (*bittern_model_observer)(void *user, size_t image,
                                      const struct bittern_tensor_info *info, const double *values);

/**
 * Evaluate in float64, one image after the other. Sums of products (Conv, Gemm, MatMul, average
 * pools) are exact up to one final rounding, so that a tie of the graph is a tie here.
 *
 * @param images    [count][...dims of the input without the batch], in the model's own range
 * @param observer  NULL if only the output is wanted
 * @param output    out: [count][...dims of the output without the batch]; NULL if not wanted
 */
BITTERN_API bittern_status bittern_model_evaluate(const struct bittern_model *model,
                                                  const double *images, size_t count,
                                                  bittern_model_observer observer, void *user,
                                                  double *output, struct bittern_error *err);

#ifdef __cplusplus
}
#endif

#endif
