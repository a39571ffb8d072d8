/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reader of safetensors files. Whatever is accepted must be consistent: every tensor
 * within the file, aligned, found by its name, none twice.
 */
#include "checkpoint/safetensors.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read must go somewhere, or the compiler leaves the reading out. */
static volatile uint8_t sink;

/* Ask everything of an accepted file; sanitizers see reads outside of it. */
static void use(const struct safetensors *file, size_t size)
{
    static const size_t widths[] = {4, 8, 1};
    size_t total = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_tensor *tensor = safetensors_get(file, i);
        size_t width = widths[tensor->type];
        size_t bytes = safetensors_tensor_values(tensor) * width;
        const uint8_t *data = tensor->data;
        for (size_t b = 0; b < bytes; b++) {
            sink = data[b];
        }
        total += bytes;
        if ((uintptr_t)data % width != 0 || tensor->rank > SAFETENSORS_MAX_RANK ||
            safetensors_find(file, tensor->name) != tensor) {
            abort();
        }
    }
    if (total > size || safetensors_get(file, safetensors_count(file))) {
        abort();
    }
    (void)safetensors_metadata(file, "recipe");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors *file = NULL;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    bittern_status status = safetensors_parse(copy, size, "fuzz", &file, NULL);
    if ((status == BITTERN_OK) != (file != NULL)) {
        abort();
    }
    if (file) {
        use(file, size);
        safetensors_free(file);
    }
    return 0;
}

/* Headers without a check sum, which would hide all else behind it; one with. */
static const char *const headers[] = {
    "{}      ",
    ("{\"__metadata__\":{\"format\":\"bittern-checkpoint\",\"recipe\":\"title: \\u00e9\\n\"},"
     "\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
     "\"steps\":{\"dtype\":\"U64\",\"shape\":[],\"data_offsets\":[0,8]},"
     "\"labels\":{\"dtype\":\"U8\",\"shape\":[5,1,1,1],\"data_offsets\":[32,37]}}"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,0],\"data_offsets\":[0,0]},"
     "\"b\":{\"data_offsets\":[0,4],\"shape\":[1],\"dtype\":\"F32\"}} "),
    "{\"__metadata__\":{\"bittern.crc32\":\"00000000\"}}",
};

size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    static const size_t data_sizes[] = {0, 37, 4, 0};
    if (index >= sizeof headers / sizeof headers[0]) {
        return 0;
    }
    size_t length = strlen(headers[index]);
    size_t size = 8 + length + data_sizes[index];
    if (size > capacity) {
        return 0;
    }
    memset(buffer, 0, size);
    for (size_t i = 0; i < 8; i++) {
        buffer[i] = (uint8_t)((uint64_t)length >> (8 * i));
    }
    memcpy(buffer + 8, headers[index], length);
    for (size_t i = 0; i < data_sizes[index]; i++) {
        buffer[8 + length + i] = (uint8_t)i;
    }
    return size;
}
