/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorProto's values to float64 and back. Raw data is little-endian bytes; without it, each
 * element type has one of ONNX's typed lists, small integers and 16-bit floats sharing int32_data.
 */
#include "model/onnx.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t onnx_element_size(enum bittern_element element)
{
    switch (element) {
    case BITTERN_ELEMENT_UINT8:
    case BITTERN_ELEMENT_INT8:
    case BITTERN_ELEMENT_BOOL:
        return 1;
    case BITTERN_ELEMENT_UINT16:
    case BITTERN_ELEMENT_INT16:
    case BITTERN_ELEMENT_FLOAT16:
    case BITTERN_ELEMENT_BFLOAT16:
        return 2;
    case BITTERN_ELEMENT_FLOAT:
    case BITTERN_ELEMENT_INT32:
    case BITTERN_ELEMENT_UINT32:
        return 4;
    case BITTERN_ELEMENT_INT64:
    case BITTERN_ELEMENT_DOUBLE:
    case BITTERN_ELEMENT_UINT64:
        return 8;
    }
    return 0;
}

/* ---- One value from its bits, and back ------------------------------------------------------- */

static double decode_float32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static double decode_float16(uint32_t bits)
{
    double sign = bits & 0x8000 ? -1.0 : 1.0;
    int exponent = (int)(bits >> 10 & 0x1f);
    double fraction = bits & 0x3ff;
    if (exponent == 0x1f) {
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    }
    if (exponent == 0) {
        return sign * ldexp(fraction, -24);
    }
    return sign * ldexp(fraction + 1024, exponent - 25);
}

static double decode(enum bittern_element element, uint64_t bits)
{
    double value = 0;
    switch (element) {
    case BITTERN_ELEMENT_FLOAT:
        return decode_float32((uint32_t)bits);
    case BITTERN_ELEMENT_BFLOAT16:
        return decode_float32((uint32_t)bits << 16);
    case BITTERN_ELEMENT_FLOAT16:
        return decode_float16((uint32_t)bits);
    case BITTERN_ELEMENT_DOUBLE:
        memcpy(&value, &bits, sizeof value);
        return value;
    case BITTERN_ELEMENT_INT8:
        return (int8_t)bits;
    case BITTERN_ELEMENT_INT16:
        return (int16_t)bits;
    case BITTERN_ELEMENT_INT32:
        return (int32_t)bits;
    case BITTERN_ELEMENT_INT64:
        return (double)(int64_t)bits;
    case BITTERN_ELEMENT_BOOL:
        return bits != 0;
    case BITTERN_ELEMENT_UINT8:
    case BITTERN_ELEMENT_UINT16:
    case BITTERN_ELEMENT_UINT32:
    case BITTERN_ELEMENT_UINT64:
        return (double)bits;
    }
    return value;
}

static uint64_t encode_float32(double value)
{
    float rounded = (float)value;
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

/* Round half to even, as the hardware would. */
static uint64_t encode_float16(double value)
{
    uint64_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    int exponent;
    if (magnitude >= 65520) {
        return sign | 0x7c00;
    }
    (void)frexp(magnitude, &exponent); /* magnitude = [0.5, 1) * 2^exponent */
    if (magnitude == 0 || exponent < -13) {
        return sign | (uint64_t)nearbyint(ldexp(magnitude, 24)); /* may carry into the exponent */
    }
    uint64_t fraction = (uint64_t)nearbyint(ldexp(magnitude, 11 - exponent)); /* 1024..2048 */
    return sign | (((uint64_t)(exponent + 13) << 10) + fraction);
}

static uint64_t encode_bfloat16(double value)
{
    uint64_t bits = encode_float32(value);
    if ((bits & 0x7f800000) == 0x7f800000) {
        return bits >> 16;
    }
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* The nearest integer that the type has; two's complement, cut to its bytes by the caller. */
static uint64_t encode_integer(enum bittern_element element, double value)
{
    size_t bits = 8 * onnx_element_size(element);
    bool is_unsigned = element == BITTERN_ELEMENT_UINT8 || element == BITTERN_ELEMENT_UINT16 ||
                       element == BITTERN_ELEMENT_UINT32 || element == BITTERN_ELEMENT_UINT64;
    double limit = ldexp(1.0, (int)(is_unsigned ? bits : bits - 1));
    value = nearbyint(value);
    if (value >= limit) {
        return is_unsigned ? UINT64_MAX : UINT64_MAX >> (65 - bits);
    }
    if (is_unsigned) {
        return value > 0 ? (uint64_t)value : 0;
    }
    return (uint64_t)(int64_t)(value < -limit ? -limit : value);
}

static uint64_t encode(enum bittern_element element, double value)
{
    uint64_t bits;
    switch (element) {
    case BITTERN_ELEMENT_FLOAT:
        return encode_float32(value);
    case BITTERN_ELEMENT_BFLOAT16:
        return encode_bfloat16(value);
    case BITTERN_ELEMENT_FLOAT16:
        return encode_float16(value);
    case BITTERN_ELEMENT_DOUBLE:
        memcpy(&bits, &value, sizeof bits);
        return bits;
    case BITTERN_ELEMENT_BOOL:
        return value != 0;
    default:
        return encode_integer(element, value);
    }
}

/* ---- Tensors --------------------------------------------------------------------------------- */

static bittern_status check_kind(const Onnx__TensorProto *proto, const char *name,
                                 struct bittern_error *err)
{
    if (proto->n_external_data > 0 ||
        (proto->has_data_location &&
         proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "tensor '%s' keeps its data in another file; save the model as "
                                 "one file (without external data)",
                                 name);
    }
    if (proto->segment) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "tensor '%s' is stored in segments, which is not supported", name);
    }
    if (onnx_element_size((enum bittern_element)proto->data_type) == 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "tensor '%s' has data type %" PRId32
                                 "; supported are float16, bfloat16, float, double, bool and "
                                 "integers of 8 to 64 bits",
                                 name, proto->data_type);
    }
    return BITTERN_OK;
}

static bittern_status check_length(const char *name, size_t found, size_t wanted, const char *unit,
                                   struct bittern_error *err)
{
    if (found == wanted) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "tensor '%s' has %zu %s of data; its shape and type need %zu", name,
                             found, unit, wanted);
}

/* Length of the typed list in which ONNX keeps elements of this type. */
static size_t typed_count(const Onnx__TensorProto *proto, enum bittern_element element)
{
    switch (element) {
    case BITTERN_ELEMENT_FLOAT:
        return proto->n_float_data;
    case BITTERN_ELEMENT_DOUBLE:
        return proto->n_double_data;
    case BITTERN_ELEMENT_INT64:
        return proto->n_int64_data;
    case BITTERN_ELEMENT_UINT32:
    case BITTERN_ELEMENT_UINT64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

/* Element i as bits of its own type, false where the list's wider type holds another value. */
static bool typed_bits(const Onnx__TensorProto *proto, enum bittern_element element, size_t i,
                       uint64_t *bits)
{
    switch (element) {
    case BITTERN_ELEMENT_FLOAT:
        *bits = encode_float32(proto->float_data[i]);
        return true;
    case BITTERN_ELEMENT_DOUBLE:
        memcpy(bits, &proto->double_data[i], sizeof *bits);
        return true;
    case BITTERN_ELEMENT_INT64:
        *bits = (uint64_t)proto->int64_data[i];
        return true;
    case BITTERN_ELEMENT_UINT64:
        *bits = proto->uint64_data[i];
        return true;
    case BITTERN_ELEMENT_UINT32:
        *bits = proto->uint64_data[i];
        return *bits <= UINT32_MAX;
    case BITTERN_ELEMENT_FLOAT16:
    case BITTERN_ELEMENT_BFLOAT16:
        *bits = (uint64_t)(int64_t)proto->int32_data[i];
        return *bits <= UINT16_MAX;
    case BITTERN_ELEMENT_BOOL:
        *bits = (uint64_t)(int64_t)proto->int32_data[i];
        return *bits <= 1;
    default:
        *bits = (uint64_t)(int64_t)proto->int32_data[i];
        return decode(element, *bits) == proto->int32_data[i];
    }
}

static uint64_t raw_bits(const uint8_t *bytes, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    return bits;
}

/* `values` is allocated only once the data has been seen to be there. */
static bittern_status decode_values(const Onnx__TensorProto *proto, const char *name,
                                    enum bittern_element element, size_t count, double **values,
                                    struct bittern_error *err)
{
    size_t size = onnx_element_size(element);
    bool is_raw = proto->has_raw_data;
    bittern_status status =
        is_raw ? check_length(name, proto->raw_data.len, count * size, "bytes", err)
               : check_length(name, typed_count(proto, element), count, "elements", err);
    if (status == BITTERN_OK && is_raw &&
        proto->n_float_data + proto->n_int32_data + proto->n_int64_data + proto->n_double_data +
                proto->n_uint64_data >
            0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "tensor '%s' has both raw data and a list of values", name);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    double *decoded = malloc((count + 1) * sizeof *decoded);
    if (!decoded) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for tensor '%s'", name);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        if (is_raw) {
            bits = raw_bits(proto->raw_data.data + i * size, size);
        } else if (!typed_bits(proto, element, i, &bits)) {
            free(decoded);
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "tensor '%s': element %zu does not fit into its type", name,
                                     i);
        }
        decoded[i] = decode(element, bits);
    }
    *values = decoded;
    return BITTERN_OK;
}

bittern_status onnx_tensor_values(const Onnx__TensorProto *proto, const char *name, int64_t *dims,
                                  size_t *rank, enum bittern_element *element, double **values,
                                  struct bittern_error *err)
{
    char *copy = strdup(name);
    struct graph_tensor shape = {.name = copy};
    if (!copy) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for tensor '%s'", name);
    }
    bittern_status status = check_kind(proto, name, err);
    if (status == BITTERN_OK) {
        status = graph_set_shape(&shape, proto->dims, proto->n_dims, err);
    }
    if (status == BITTERN_OK) {
        *element = (enum bittern_element)proto->data_type;
        *rank = shape.rank;
        memcpy(dims, shape.dims, sizeof shape.dims);
        status = decode_values(proto, name, *element, shape.count, values, err);
    }
    free(copy);
    return status;
}

void onnx_pack_values(enum bittern_element element, const double *values, size_t count,
                      uint8_t *bytes)
{
    size_t size = onnx_element_size(element);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = encode(element, values[i]);
        for (size_t b = 0; b < size; b++) {
            *bytes++ = (uint8_t)(bits >> (8 * b));
        }
    }
}
