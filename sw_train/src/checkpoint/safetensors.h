/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the safetensors format: 8 bytes of header length (little endian), a JSON header with
 * dtype, shape and data_offsets of each tensor and "__metadata__" (strings), then the data.
 * https://github.com/huggingface/safetensors
 */
#ifndef BITTERN_TRAIN_SAFETENSORS_H
#define BITTERN_TRAIN_SAFETENSORS_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

enum safetensors_type { SAFETENSORS_F32, SAFETENSORS_U64, SAFETENSORS_U8 };

struct safetensors_tensor {
    const char *name;
    enum safetensors_type type;
    size_t shape[4], rank;
    const void *data;
};

struct safetensors_entry {
    const char *key, *value;
};

/* The file appears whole or not at all; a full disk leaves an older file as it was. */
bittern_status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                                 size_t tensor_count, const struct safetensors_entry *metadata,
                                 size_t metadata_count, struct bittern_error *err);

struct safetensors;
/* Reads and checks everything: sizes, offsets without gaps or overlaps, types. */
bittern_status safetensors_read(const char *path, struct safetensors **file,
                                struct bittern_error *err);
void safetensors_free(struct safetensors *file);
size_t safetensors_count(const struct safetensors *file);
const struct safetensors_tensor *safetensors_get(const struct safetensors *file, size_t index);
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name);
const char *safetensors_metadata(const struct safetensors *file, const char *key); /* or NULL */

#endif
