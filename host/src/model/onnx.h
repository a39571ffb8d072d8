/* SPDX-License-Identifier: Apache-2.0 */
/* What the ONNX reader's and writer's files share. */
#ifndef BITTERN_MODEL_ONNX_H
#define BITTERN_MODEL_ONNX_H

#include "model/graph.h"

#include <onnx.pb-c.h>

#define ONNX_LEAST_OPSET 9
#define ONNX_MOST_OPSET 21

/*
 * Check the wire format before anything is unpacked: lengths, nesting, and messages given twice
 * where one is allowed. Afterwards protobuf-c recurses no deeper than the limit, and merges
 * nothing.
 */
bittern_status onnx_scan(const uint8_t *data, size_t size, struct bittern_error *err);

/* Unpack with memory bounded by the size of the bytes; freed with onnx_free. */
bittern_status onnx_unpack(const uint8_t *data, size_t size, Onnx__ModelProto **proto,
                           struct bittern_error *err);
void onnx_free(Onnx__ModelProto *proto);

/* A tensor's values as float64 in *values, to be freed; dims is [BITTERN_MODEL_MAX_RANK]. `name`
 * stands in messages. */
bittern_status onnx_tensor_values(const Onnx__TensorProto *proto, const char *name, int64_t *dims,
                                  size_t *rank, enum bittern_element *element, double **values,
                                  struct bittern_error *err);

/* The reverse: values rounded to the element type, little-endian; `bytes` holds count times
 * onnx_element_size. */
size_t onnx_element_size(enum bittern_element element); /* 0 for types that are not supported */
void onnx_pack_values(enum bittern_element element, const double *values, size_t count,
                      uint8_t *bytes);

#endif
