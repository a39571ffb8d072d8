/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays as .npy files, which NumPy and most other tools read (format version 1.0, C order).
 * Functions return a status and a message as the library's do.
 */
#ifndef BITTERN_CLI_NPY_H
#define BITTERN_CLI_NPY_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

enum npy_type { NPY_UINT8, NPY_INT8, NPY_INT32 };

#define NPY_MAX_RANK 4

/* A file that is written piece by piece; it appears whole, when it is committed, or not at all. */
struct npy_writer;
bittern_status npy_writer_open(const char *path, enum npy_type type, const size_t *shape,
                               size_t rank, struct npy_writer **writer, struct bittern_error *err);
/* Append values, which are narrowed to the file's type; they must fit it. */
bittern_status npy_writer_append(struct npy_writer *writer, const int32_t *values, size_t count,
                                 struct bittern_error *err);
/* Fails where more or fewer values were given than the shape has. Frees the writer. */
bittern_status npy_writer_commit(struct npy_writer *writer, struct bittern_error *err);
/* NULL is fine. */
void npy_writer_abort(struct npy_writer *writer);

/* An array of uint8, read from a file; data is to be freed with free(). */
struct npy_array {
    size_t rank;
    size_t shape[NPY_MAX_RANK];
    uint8_t *data;
};
bittern_status npy_read_uint8(const char *path, struct npy_array *array, struct bittern_error *err);

#endif
