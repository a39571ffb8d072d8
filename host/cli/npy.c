/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .npy file: the magic "\x93NUMPY", version 1.0 (2 bytes), the header's length (uint16,
 * little-endian), the header, the values. The header is a Python dict of 'descr', 'fortran_order'
 * and 'shape', padded with spaces to a multiple of 64 and closed by a newline. (NumPy Enhancement
 * Proposal 1.) Versions 2 and 3 have a uint32 length; they are read, not written.
 */
#include "npy.h"

#include "base/checked.h"
#include "base/file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define HEADER_ALIGNMENT 64
#define MAX_FILE_BYTES ((size_t)1 << 36)
#define CHUNK 4096

struct npy_writer {
    struct file_writer *file;
    enum npy_type type;
    size_t left; /* values still to come */
};

/* ---- Writing --------------------------------------------------------------------------------- */

static bittern_status write_header(struct npy_writer *writer, const size_t *shape, size_t rank,
                                   struct bittern_error *err)
{
    static const char *const descriptions[] = {
        [NPY_UINT8] = "|u1", [NPY_INT8] = "|i1", [NPY_INT32] = "<i4"};
    char dimensions[NPY_MAX_RANK * 24] = "";
    char header[4 * HEADER_ALIGNMENT];
    size_t used = 0;

    for (size_t i = 0; i < rank; i++) {
        used += (size_t)snprintf(dimensions + used, sizeof dimensions - used, "%zu,%s", shape[i],
                                 i + 1 < rank ? " " : "");
    }
    size_t prefix = MAGIC_SIZE + 4;
    memcpy(header, MAGIC "\x01\x00", MAGIC_SIZE + 2);
    int text = snprintf(header + prefix, sizeof header - prefix,
                        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                        descriptions[writer->type], dimensions);
    size_t end = prefix + (size_t)text;
    size_t size = (end + 1 + HEADER_ALIGNMENT - 1) / HEADER_ALIGNMENT * HEADER_ALIGNMENT;
    memset(header + end, ' ', size - end);
    header[size - 1] = '\n';
    header[MAGIC_SIZE + 2] = (char)((size - prefix) & 0xFF);
    header[MAGIC_SIZE + 3] = (char)((size - prefix) >> 8);
    return file_writer_append(writer->file, header, size, err);
}

bittern_status npy_writer_open(const char *path, enum npy_type type, const size_t *shape,
                               size_t rank, struct npy_writer **writer_out,
                               struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct npy_writer *writer = calloc(1, sizeof *writer);

    *writer_out = NULL;
    if (!writer) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
    }
    writer->type = type;
    writer->left = 1;
    if (rank > NPY_MAX_RANK) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT, "an array of rank %zu", rank);
        goto cleanup;
    }
    for (size_t i = 0; i < rank; i++) {
        if (!checked_mul_size(writer->left, shape[i], &writer->left)) {
            status =
                bittern_error_set(err, BITTERN_ERR_RANGE, "the array for '%s' is too large", path);
            goto cleanup;
        }
    }
    status = file_writer_open(path, &writer->file, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = write_header(writer, shape, rank, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *writer_out = writer;
    writer = NULL;

cleanup:
    npy_writer_abort(writer);
    return status;
}

static size_t encode(enum npy_type type, const int32_t *values, size_t count, uint8_t *bytes)
{
    if (type != NPY_INT32) {
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)values[i];
        }
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t value = (uint32_t)values[i];
        for (size_t byte = 0; byte < 4; byte++) {
            bytes[4 * i + byte] = (uint8_t)(value >> (8 * byte));
        }
    }
    return 4 * count;
}

bittern_status npy_writer_append(struct npy_writer *writer, const int32_t *values, size_t count,
                                 struct bittern_error *err)
{
    uint8_t bytes[4 * CHUNK];

    if (count > writer->left) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "more values than the array's shape has");
    }
    writer->left -= count;
    while (count > 0) {
        size_t now = count < CHUNK ? count : CHUNK;
        size_t size = encode(writer->type, values, now, bytes);
        bittern_status status = file_writer_append(writer->file, bytes, size, err);
        if (status != BITTERN_OK) {
            return status;
        }
        values += now;
        count -= now;
    }
    return BITTERN_OK;
}

bittern_status npy_writer_commit(struct npy_writer *writer, struct bittern_error *err)
{
    if (writer->left > 0) {
        npy_writer_abort(writer);
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "fewer values than the array's shape has");
    }
    bittern_status status = file_writer_commit(writer->file, err);
    free(writer);
    return status;
}

void npy_writer_abort(struct npy_writer *writer)
{
    if (writer) {
        file_writer_abort(writer->file);
        free(writer);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bittern_status format_error(struct bittern_error *err, const char *path, const char *what)
{
    return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s': %s", path, what);
}

/* The text behind "'key':" in a header that is NUL-terminated, blanks skipped; NULL: no such key.
 */
static const char *header_value(const char *header, const char *key)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *value = strstr(header, quoted);
    if (!value) {
        return NULL;
    }
    value += strlen(quoted);
    while (*value == ' ') {
        value++;
    }
    return value;
}

/* "(10, 1, 28, 28)" */
static bool parse_shape(const char *text, struct npy_array *array)
{
    if (*text++ != '(') {
        return false;
    }
    for (;;) {
        while (*text == ' ' || *text == ',') {
            text++;
        }
        if (*text == ')') {
            return array->rank > 0;
        }
        if (!isdigit((unsigned char)*text) || array->rank == NPY_MAX_RANK) {
            return false;
        }
        size_t value = 0;
        for (; isdigit((unsigned char)*text); text++) {
            if (!checked_mul_size(value, 10, &value) ||
                !checked_add_size(value, (size_t)(*text - '0'), &value)) {
                return false;
            }
        }
        array->shape[array->rank++] = value;
    }
}

static bittern_status parse_header(const char *path, const char *header, struct npy_array *array,
                                   struct bittern_error *err)
{
    const char *type = header_value(header, "descr");
    const char *order = header_value(header, "fortran_order");
    const char *shape = header_value(header, "shape");

    if (!type || !order || !shape) {
        return format_error(err, path, "the .npy header lacks descr, fortran_order or shape");
    }
    if (strncmp(type, "'|u1'", 5) != 0 && strncmp(type, "'u1'", 4) != 0 &&
        strncmp(type, "'<u1'", 5) != 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "'%s' holds values of type %.8s, and images are uint8: save them "
                                 "with array.astype('uint8')",
                                 path, type);
    }
    if (strncmp(order, "False", 5) != 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "'%s' is in Fortran order: save it with "
                                 "numpy.ascontiguousarray(array)",
                                 path);
    }
    if (!parse_shape(shape, array)) {
        return format_error(err, path, "the .npy header's shape is not a tuple of 1 to 4 sizes");
    }
    return BITTERN_OK;
}

/* Where the header starts and how long it is. */
static bool find_header(const uint8_t *bytes, size_t size, size_t *start, size_t *length)
{
    if (size < MAGIC_SIZE + 4 || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0) {
        return false;
    }
    uint8_t version = bytes[MAGIC_SIZE];
    *start = MAGIC_SIZE + (version == 1 ? 4 : 6);
    if (version < 1 || version > 3 || size < *start) {
        return false;
    }
    *length = 0;
    for (size_t i = *start; i-- > MAGIC_SIZE + 2;) {
        *length = *length << 8 | bytes[i];
    }
    return *length <= size - *start;
}

bittern_status npy_read_uint8(const char *path, struct npy_array *array, struct bittern_error *err)
{
    uint8_t *bytes = NULL;
    char *header = NULL;
    size_t size = 0;
    size_t start = 0;
    size_t length = 0;
    size_t count = 1;

    *array = (struct npy_array){0};
    bittern_status status = file_read(path, MAX_FILE_BYTES, &bytes, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!find_header(bytes, size, &start, &length)) {
        status = format_error(err, path, "not a .npy file, or its header is cut off");
        goto cleanup;
    }
    header = strndup((const char *)bytes + start, length);
    if (!header) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", path);
        goto cleanup;
    }
    status = parse_header(path, header, array, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < array->rank; i++) {
        if (!checked_mul_size(count, array->shape[i], &count)) {
            count = SIZE_MAX;
        }
    }
    if (count != size - start - length) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "'%s': the shape and the file's size do not fit: %zu bytes of "
                                   "values are there",
                                   path, size - start - length);
        goto cleanup;
    }
    memmove(bytes, bytes + start + length, count);
    array->data = bytes;
    bytes = NULL;

cleanup:
    free(header);
    free(bytes);
    return status;
}
