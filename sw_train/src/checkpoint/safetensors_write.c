/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes safetensors files: arguments are checked, tensors are put in the order of their types'
 * width, the header is made of that order and the check sum, and all goes through a file_writer,
 * straight from the caller's memory.
 */
#include "base/checked.h"
#include "base/file.h"
#include "checkpoint/safetensors_format.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* cJSON holds numbers as doubles and prints them without exponent below 1e15. */
#define MAX_FILE_SIZE ((size_t)1000000000000000)

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts names; *twice is one that occurs twice, or NULL. */
static void find_twice(const char **names, size_t count, const char **twice)
{
    *twice = NULL;
    if (count > 0) {
        qsort(names, count, sizeof names[0], compare_names);
    }
    for (size_t i = 1; i < count && !*twice; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            *twice = names[i];
        }
    }
}

static bittern_status check_names(const struct safetensors_tensor *tensors, size_t tensor_count,
                                  const struct safetensors_entry *metadata, size_t metadata_count,
                                  struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    size_t most = tensor_count > metadata_count ? tensor_count : metadata_count;
    const char **names = calloc(most + 1, sizeof *names);
    const char *twice;
    if (!names) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu names", most);
    }
    for (size_t i = 0; i < tensor_count; i++) {
        names[i] = tensors[i].name;
        if (strcmp(tensors[i].name, SAFETENSORS_METADATA) == 0) {
            status = bittern_error_set(err, BITTERN_ERR_ARGUMENT, "a tensor cannot be named '%s'",
                                       tensors[i].name);
            goto cleanup;
        }
    }
    find_twice(names, tensor_count, &twice);
    if (twice) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT, "two tensors are named '%s'", twice);
        goto cleanup;
    }
    for (size_t i = 0; i < metadata_count; i++) {
        names[i] = metadata[i].key;
        if (strcmp(metadata[i].key, SAFETENSORS_CRC_KEY) == 0) {
            status =
                bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                  "metadata '%s' is the file's own check sum", metadata[i].key);
            goto cleanup;
        }
    }
    find_twice(names, metadata_count, &twice);
    if (twice) {
        status =
            bittern_error_set(err, BITTERN_ERR_ARGUMENT, "metadata '%s' is there twice", twice);
    }
cleanup:
    free(names);
    return status;
}

static bittern_status check_sizes(const struct safetensors_tensor *tensors, size_t count,
                                  struct bittern_error *err)
{
    size_t total = 0;
    for (size_t t = 0; t < count; t++) {
        const struct safetensors_tensor *tensor = &tensors[t];
        if (tensor->rank > SAFETENSORS_MAX_RANK ||
            (unsigned)tensor->type >= SAFETENSORS_TYPE_COUNT) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "tensor '%s': rank %zu, type %d",
                                     tensor->name, tensor->rank, (int)tensor->type);
        }
        size_t size = safetensors_types[tensor->type].size;
        bool fits = true;
        for (size_t i = 0; i < tensor->rank && fits; i++) {
            fits = checked_mul_size(size, tensor->shape[i], &size);
        }
        if (!fits || !checked_add_size(total, size, &total) || total > MAX_FILE_SIZE) {
            return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "tensor '%s' is too large",
                                     tensor->name);
        }
    }
    return BITTERN_OK;
}

/* Wider types first, so that each tensor is aligned; else as they came. */
static size_t order_by_width(const struct safetensors_tensor *tensors, size_t count, size_t *order)
{
    static const enum safetensors_type types[] = {SAFETENSORS_U64, SAFETENSORS_F32, SAFETENSORS_U8};
    size_t used = 0;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        for (size_t i = 0; i < count; i++) {
            if (tensors[i].type == types[t]) {
                order[used++] = i;
            }
        }
    }
    return used;
}

static bool add_metadata(cJSON *header, const struct safetensors_entry *metadata, size_t count,
                         uint32_t crc)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%08" PRIx32, crc);
    cJSON *object = cJSON_AddObjectToObject(header, SAFETENSORS_METADATA);
    if (!object) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!cJSON_AddStringToObject(object, metadata[i].key, metadata[i].value)) {
            return false;
        }
    }
    return cJSON_AddStringToObject(object, SAFETENSORS_CRC_KEY, text) != NULL;
}

static bool add_number(cJSON *array, size_t value)
{
    cJSON *item = cJSON_CreateNumber((double)value);
    if (!item || !cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        return false;
    }
    return true;
}

static bool add_tensor(cJSON *header, const struct safetensors_tensor *tensor, size_t begin,
                       size_t end)
{
    cJSON *object = cJSON_AddObjectToObject(header, tensor->name);
    if (!object ||
        !cJSON_AddStringToObject(object, "dtype", safetensors_types[tensor->type].name)) {
        return false;
    }
    cJSON *shape = cJSON_AddArrayToObject(object, "shape");
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!shape || !add_number(shape, tensor->shape[i])) {
            return false;
        }
    }
    cJSON *offsets = cJSON_AddArrayToObject(object, "data_offsets");
    return shape && offsets && add_number(offsets, begin) && add_number(offsets, end);
}

/* The header's text, padded with spaces; to be freed. */
static bittern_status make_header(const struct safetensors_tensor *tensors, const size_t *order,
                                  size_t tensor_count, const struct safetensors_entry *metadata,
                                  size_t metadata_count, char **text, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    char *printed = NULL;
    uint32_t crc = 0;
    size_t offset = 0;
    cJSON *header = cJSON_CreateObject();

    *text = NULL;
    for (size_t i = 0; i < metadata_count; i++) {
        crc = safetensors_crc_text(crc, metadata[i].key);
        crc = safetensors_crc_text(crc, metadata[i].value);
    }
    for (size_t i = 0; i < tensor_count; i++) {
        crc = safetensors_crc_tensor(crc, &tensors[order[i]]);
    }
    bool fine = header && add_metadata(header, metadata, metadata_count, crc);
    for (size_t i = 0; i < tensor_count && fine; i++) {
        size_t begin = offset;
        offset += safetensors_tensor_bytes(&tensors[order[i]]);
        fine = add_tensor(header, &tensors[order[i]], begin, offset);
    }
    printed = fine ? cJSON_PrintUnformatted(header) : NULL;
    size_t length = printed ? strlen(printed) : 0;
    size_t padded = (length + SAFETENSORS_ALIGNMENT - 1) & ~(SAFETENSORS_ALIGNMENT - 1);
    *text = printed ? malloc(padded + 1) : NULL;
    if (!*text) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a header");
        goto cleanup;
    }
    if (padded > SAFETENSORS_MAX_HEADER) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                   "names and metadata take %zu bytes, more than %zu", padded,
                                   SAFETENSORS_MAX_HEADER);
        goto cleanup;
    }
    (void)snprintf(*text, padded + 1, "%-*s", (int)padded, printed);
cleanup:
    if (status != BITTERN_OK) {
        free(*text);
        *text = NULL;
    }
    cJSON_free(printed);
    cJSON_Delete(header);
    return status;
}

static bittern_status append_all(struct file_writer *writer, const char *header,
                                 const struct safetensors_tensor *tensors, const size_t *order,
                                 size_t count, struct bittern_error *err)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof length; i++) {
        length[i] = (uint8_t)((uint64_t)strlen(header) >> (8 * i));
    }
    bittern_status status = file_writer_append(writer, length, sizeof length, err);
    if (status == BITTERN_OK) {
        status = file_writer_append(writer, header, strlen(header), err);
    }
    for (size_t i = 0; i < count && status == BITTERN_OK; i++) {
        const struct safetensors_tensor *tensor = &tensors[order[i]];
        status = file_writer_append(writer, tensor->data, safetensors_tensor_bytes(tensor), err);
    }
    return status;
}

bittern_status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                                 size_t tensor_count, const struct safetensors_entry *metadata,
                                 size_t metadata_count, struct bittern_error *err)
{
    struct file_writer *writer = NULL;
    char *header = NULL;
    size_t *order = calloc(tensor_count + 1, sizeof *order);
    bittern_status status;

    if (!order) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
    }
    status = check_sizes(tensors, tensor_count, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = check_names(tensors, tensor_count, metadata, metadata_count, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    (void)order_by_width(tensors, tensor_count, order);
    status = make_header(tensors, order, tensor_count, metadata, metadata_count, &header, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = file_writer_open(path, &writer, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = append_all(writer, header, tensors, order, tensor_count, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = file_writer_commit(writer, err);
    writer = NULL;
cleanup:
    file_writer_abort(writer);
    free(header);
    free(order);
    return status;
}
