/* SPDX-License-Identifier: Apache-2.0 */
/* What writer and reader of safetensors files share: types, key names, the check sum. */
#ifndef BITTERN_TRAIN_SAFETENSORS_FORMAT_H
#define BITTERN_TRAIN_SAFETENSORS_FORMAT_H

#include "checkpoint/safetensors.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <zlib.h>

#define SAFETENSORS_METADATA "__metadata__"
#define SAFETENSORS_CRC_KEY "bittern.crc32"
/* Far above what a network needs; cJSON takes up to 32 times as much memory. */
#define SAFETENSORS_MAX_HEADER ((size_t)8 << 20)
#define SAFETENSORS_ALIGNMENT ((size_t)8)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data are written as they are in memory");

/* By enum safetensors_type. */
static const struct {
    const char *name;
    size_t size;
} safetensors_types[] = {
    [SAFETENSORS_F32] = {"F32", 4}, [SAFETENSORS_U64] = {"U64", 8}, [SAFETENSORS_U8] = {"U8", 1}};

#define SAFETENSORS_TYPE_COUNT (sizeof safetensors_types / sizeof safetensors_types[0])

/* zlib's lengths have 32 bits. */
static inline uint32_t safetensors_crc_bytes(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        size_t part = size < ((size_t)1 << 30) ? size : (size_t)1 << 30;
        crc = (uint32_t)crc32(crc, bytes, (uInt)part);
        bytes += part;
        size -= part;
    }
    return crc;
}

/* With the end mark, so that "a","bc" and "ab","c" differ. */
static inline uint32_t safetensors_crc_text(uint32_t crc, const char *text)
{
    return safetensors_crc_bytes(crc, text, strlen(text) + 1);
}

static inline uint32_t safetensors_crc_u64(uint32_t crc, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return safetensors_crc_bytes(crc, bytes, sizeof bytes);
}

/* Of a tensor that was checked. */
static inline size_t safetensors_tensor_bytes(const struct safetensors_tensor *tensor)
{
    return safetensors_tensor_values(tensor) * safetensors_types[tensor->type].size;
}

/* To be called for each tensor in the order of the header, after the metadata's entries. */
static inline uint32_t safetensors_crc_tensor(uint32_t crc, const struct safetensors_tensor *tensor)
{
    crc = safetensors_crc_text(crc, tensor->name);
    crc = safetensors_crc_text(crc, safetensors_types[tensor->type].name);
    crc = safetensors_crc_u64(crc, tensor->rank);
    for (size_t i = 0; i < tensor->rank; i++) {
        crc = safetensors_crc_u64(crc, tensor->shape[i]);
    }
    return safetensors_crc_bytes(crc, tensor->data, safetensors_tensor_bytes(tensor));
}

#endif
