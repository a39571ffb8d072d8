/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the safetensors format: 8 bytes of header length (little endian), a JSON header with
 * dtype, shape and data_offsets of each tensor and "__metadata__" (strings), then the data.
 * https://github.com/huggingface/safetensors
 *
 * Ours begin their data at a multiple of 8 bytes, put tensors of wider types first, and carry a
 * CRC-32 of names, shapes, metadata and data as metadata "bittern.crc32". A file without that entry
 * (another program's) is read, too.
 */
#ifndef BITTERN_TRAIN_SAFETENSORS_H
#define BITTERN_TRAIN_SAFETENSORS_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_RANK 4

enum safetensors_type { SAFETENSORS_F32, SAFETENSORS_U64, SAFETENSORS_U8 };

struct safetensors_tensor {
    const char *name;
    enum safetensors_type type;
    size_t shape[SAFETENSORS_MAX_RANK], rank; /* rank 0: one value */
    const void *data;                         /* after reading: aligned for its type */
};

struct safetensors_entry {
    const char *key, *value;
};

/* The file appears whole or not at all; a full disk leaves an older file as it was.
 * Two tensors or entries of one name are BITTERN_ERR_ARGUMENT. */
bittern_status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                                 size_t tensor_count, const struct safetensors_entry *metadata,
                                 size_t metadata_count, struct bittern_error *err);

struct safetensors;
/* Reads and checks everything: sizes, offsets without gaps or overlaps, types, the check sum.
 * BITTERN_ERR_FORMAT, _CHECKSUM, or _UNSUPPORTED for a type or rank that we do not have. */
bittern_status safetensors_read(const char *path, struct safetensors **file,
                                struct bittern_error *err);
/* The same from memory. @param bytes  from malloc; belongs to the file, or is freed on failure */
bittern_status safetensors_parse(uint8_t *bytes, size_t size, const char *path,
                                 struct safetensors **file, struct bittern_error *err);
void safetensors_free(struct safetensors *file);
size_t safetensors_count(const struct safetensors *file);
/* In the order of their data; valid until the file is freed. */
const struct safetensors_tensor *safetensors_get(const struct safetensors *file, size_t index);
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name);
const char *safetensors_metadata(const struct safetensors *file, const char *key); /* or NULL */

/* Number of values; it fits, as their bytes are in memory. */
size_t safetensors_tensor_values(const struct safetensors_tensor *tensor);

#endif
