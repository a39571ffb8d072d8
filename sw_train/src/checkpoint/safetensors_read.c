/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads safetensors files. The bytes stay in memory as they came; tensors point into them. Every
 * number of the header is checked against the file's size before it is used: tensors, sorted by
 * offset, must fill the data exactly.
 */
#include "base/checked.h"
#include "base/file.h"
#include "checkpoint/safetensors_format.h"

#include <stdbool.h>
#include <stdlib.h>

#define MAX_FILE_SIZE ((size_t)1 << 36)
/* Beyond it a double, which cJSON gives, is not exact. */
#define MAX_EXACT 9007199254740992.0

struct item {
    struct safetensors_tensor tensor;
    size_t begin, end; /* in the data */
};

struct named {
    const char *name;
    size_t item;
};

struct safetensors {
    uint8_t *bytes;
    cJSON *header;         /* owns names and metadata */
    struct item *items;    /* [count], in the order of their data */
    struct named *by_name; /* [count] */
    size_t count;
};

size_t safetensors_tensor_values(const struct safetensors_tensor *tensor)
{
    size_t values = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        values *= tensor->shape[i];
    }
    return values;
}

static bool read_size(const cJSON *number, size_t *value)
{
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0.0) ||
        number->valuedouble > MAX_EXACT ||
        number->valuedouble != (double)(size_t)number->valuedouble) {
        return false;
    }
    *value = (size_t)number->valuedouble;
    return true;
}

/* Parse the JSON of the header. *data_begin: where the data start in the file. */
static bittern_status read_header(struct safetensors *file, size_t size, const char *path,
                                  size_t *data_begin, struct bittern_error *err)
{
    uint64_t length = 0;
    if (size < 8) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' is not a safetensors file: it has %zu bytes only", path,
                                 size);
    }
    for (size_t i = 0; i < 8; i++) {
        length |= (uint64_t)file->bytes[i] << (8 * i);
    }
    if (length > SAFETENSORS_MAX_HEADER || length > size - 8) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "'%s' is no safetensors file, or cut off: a header of %ju bytes does not fit", path,
            (uintmax_t)length);
    }
    const char *text = (const char *)file->bytes + 8;
    const char *end = NULL;
    if (length == 0 || text[0] != '{') {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' is not a safetensors file: its header does not begin with {",
                                 path);
    }
    file->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, 0);
    while (file->header && end < text + length && *end == ' ') {
        end++;
    }
    if (!cJSON_IsObject(file->header) || end != text + length) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s': the header is not JSON from byte %td on", path,
                                 end ? end - (const char *)file->bytes : (ptrdiff_t)8);
    }
    *data_begin = 8 + (size_t)length;
    return BITTERN_OK;
}

static bool read_type(const cJSON *object, enum safetensors_type *type)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "dtype"));
    for (size_t i = 0; name && i < SAFETENSORS_TYPE_COUNT; i++) {
        if (strcmp(name, safetensors_types[i].name) == 0) {
            *type = (enum safetensors_type)i;
            return true;
        }
    }
    return false;
}

/* *size: the bytes that the shape asks for. */
static bittern_status read_shape(const cJSON *object, struct safetensors_tensor *tensor,
                                 const char *path, size_t *size, struct bittern_error *err)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(object, "shape");
    const cJSON *dimension;
    *size = safetensors_types[tensor->type].size;
    if (!cJSON_IsArray(shape)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s': tensor '%.100s' has no shape",
                                 path, tensor->name);
    }
    cJSON_ArrayForEach(dimension, shape)
    {
        if (tensor->rank == SAFETENSORS_MAX_RANK) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "'%s': tensor '%.100s' has more than %d dimensions", path,
                                     tensor->name, SAFETENSORS_MAX_RANK);
        }
        if (!read_size(dimension, &tensor->shape[tensor->rank]) ||
            !checked_mul_size(*size, tensor->shape[tensor->rank], size)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s': tensor '%.100s' has an impossible dimension %zu", path,
                                     tensor->name, tensor->rank);
        }
        tensor->rank++;
    }
    return BITTERN_OK;
}

static bittern_status read_tensor(const cJSON *object, const char *path, size_t data_size,
                                  struct item *item, struct bittern_error *err)
{
    struct safetensors_tensor *tensor = &item->tensor;
    size_t size;
    tensor->name = object->string;
    if (!read_type(object, &tensor->type)) {
        const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "dtype"));
        return bittern_error_set(
            err, type ? BITTERN_ERR_UNSUPPORTED : BITTERN_ERR_FORMAT,
            "'%s': tensor '%.100s' has type %.20s; F32, U64 and U8 can be read", path, tensor->name,
            type ? type : "(none)");
    }
    bittern_status status = read_shape(object, tensor, path, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(object, "data_offsets");
    const cJSON *begin = cJSON_IsArray(offsets) ? offsets->child : NULL;
    const cJSON *end = begin ? begin->next : NULL;
    if (!end || end->next || !read_size(begin, &item->begin) || !read_size(end, &item->end)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s': tensor '%.100s' needs data_offsets [begin, end]", path,
                                 tensor->name);
    }
    if (item->end < item->begin || item->end > data_size) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "'%s' is cut off or damaged: tensor '%.100s' is at bytes %zu..%zu of %zu", path,
            tensor->name, item->begin, item->end, data_size);
    }
    if (item->end - item->begin != size) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s': tensor '%.100s' has %zu bytes where its shape needs %zu",
                                 path, tensor->name, item->end - item->begin, size);
    }
    return BITTERN_OK;
}

static bittern_status read_metadata(const cJSON *metadata, const char *path,
                                    struct bittern_error *err)
{
    const cJSON *entry;
    if (!cJSON_IsObject(metadata)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s': the metadata is no JSON object",
                                 path);
    }
    cJSON_ArrayForEach(entry, metadata)
    {
        if (!cJSON_IsString(entry)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s': metadata '%.100s' is not a string", path,
                                     entry->string);
        }
    }
    return BITTERN_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    /* Tensors without values come before the one that begins where they are. */
    if (x->end != y->end) {
        return x->end < y->end ? -1 : 1;
    }
    return strcmp(x->tensor.name, y->tensor.name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Order of data: no gap, no overlap, nothing behind; and every value aligned. */
static bittern_status place_tensors(struct safetensors *file, const char *path, const uint8_t *data,
                                    size_t data_size, struct bittern_error *err)
{
    size_t expected = 0;
    if (file->count > 0) {
        qsort(file->items, file->count, sizeof file->items[0], compare_offsets);
    }
    for (size_t i = 0; i < file->count; i++) {
        struct item *item = &file->items[i];
        if (item->begin != expected) {
            return bittern_error_set(
                err, BITTERN_ERR_FORMAT,
                "'%s': tensor '%.100s' begins at byte %zu, the one before ends at %zu", path,
                item->tensor.name, item->begin, expected);
        }
        if (item->begin % safetensors_types[item->tensor.type].size != 0) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "'%s': tensor '%.100s' is not aligned: it begins at byte %zu",
                                     path, item->tensor.name, item->begin);
        }
        item->tensor.data = data + item->begin;
        expected = item->end;
    }
    if (expected != data_size) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' has %zu bytes of data where its tensors need %zu", path,
                                 data_size, expected);
    }
    return BITTERN_OK;
}

static bittern_status index_names(struct safetensors *file, const char *path,
                                  struct bittern_error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        file->by_name[i] = (struct named){file->items[i].tensor.name, i};
    }
    if (file->count > 0) {
        qsort(file->by_name, file->count, sizeof file->by_name[0], compare_names);
    }
    for (size_t i = 1; i < file->count; i++) {
        if (strcmp(file->by_name[i - 1].name, file->by_name[i].name) == 0) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' has two tensors '%.100s'", path,
                                     file->by_name[i].name);
        }
    }
    return BITTERN_OK;
}

static bittern_status read_items(struct safetensors *file, const char *path, size_t data_size,
                                 struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    size_t members = (size_t)cJSON_GetArraySize(file->header);
    const cJSON *member;
    bool seen_metadata = false;

    file->items = calloc(members + 1, sizeof *file->items);
    file->by_name = calloc(members + 1, sizeof *file->by_name);
    if (!file->items || !file->by_name) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the %zu tensors of '%s'",
                                 members, path);
    }
    cJSON_ArrayForEach(member, file->header)
    {
        if (strcmp(member->string, SAFETENSORS_METADATA) == 0) {
            status = seen_metadata ? bittern_error_set(err, BITTERN_ERR_FORMAT,
                                                       "'%s' has metadata twice", path)
                                   : read_metadata(member, path, err);
            seen_metadata = true;
        } else {
            status = read_tensor(member, path, data_size, &file->items[file->count], err);
            file->count++;
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

static bittern_status check_sum(const struct safetensors *file, const char *path,
                                struct bittern_error *err)
{
    const char *stored = safetensors_metadata(file, SAFETENSORS_CRC_KEY);
    const cJSON *entry;
    uint32_t crc = 0;
    char *end;
    if (!stored) {
        return BITTERN_OK;
    }
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(file->header, SAFETENSORS_METADATA))
    {
        if (strcmp(entry->string, SAFETENSORS_CRC_KEY) != 0) {
            crc = safetensors_crc_text(crc, entry->string);
            crc = safetensors_crc_text(crc, entry->valuestring);
        }
    }
    /* In the header's order, which an empty tensor's offset does not tell. */
    cJSON_ArrayForEach(entry, file->header)
    {
        const struct safetensors_tensor *tensor = safetensors_find(file, entry->string);
        crc = tensor ? safetensors_crc_tensor(crc, tensor) : crc;
    }
    unsigned long expected = strtoul(stored, &end, 16);
    if (end == stored || *end != '\0' || expected != crc) {
        return bittern_error_set(err, BITTERN_ERR_CHECKSUM,
                                 "'%s' is damaged: its check sum is %08lx, its content's %08lx; "
                                 "take another copy of it (or, where a program changed it on "
                                 "purpose, remove the metadata '%s')",
                                 path, expected, (unsigned long)crc, SAFETENSORS_CRC_KEY);
    }
    return BITTERN_OK;
}

bittern_status safetensors_parse(uint8_t *bytes, size_t size, const char *path,
                                 struct safetensors **file, struct bittern_error *err)
{
    size_t begin = 0;
    bittern_status status;
    struct safetensors *f = calloc(1, sizeof *f);

    *file = NULL;
    if (!f) {
        free(bytes);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", path);
    }
    f->bytes = bytes;
    status = read_header(f, size, path, &begin, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = read_items(f, path, size - begin, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (begin % SAFETENSORS_ALIGNMENT != 0) {
        /* Other writers need not pad the header, which is parsed by now. */
        memmove(bytes + 8, bytes + begin, size - begin);
        size -= begin - 8;
        begin = 8;
    }
    status = place_tensors(f, path, bytes + begin, size - begin, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = index_names(f, path, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = check_sum(f, path, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *file = f;
    f = NULL;
cleanup:
    safetensors_free(f);
    return status;
}

bittern_status safetensors_read(const char *path, struct safetensors **file,
                                struct bittern_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    *file = NULL;
    bittern_status status = file_read(path, MAX_FILE_SIZE, &bytes, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    return safetensors_parse(bytes, size, path, file, err);
}

void safetensors_free(struct safetensors *file)
{
    if (!file) {
        return;
    }
    free(file->by_name);
    free(file->items);
    cJSON_Delete(file->header);
    free(file->bytes);
    free(file);
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct safetensors_tensor *safetensors_get(const struct safetensors *file, size_t index)
{
    return index < file->count ? &file->items[index].tensor : NULL;
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    size_t low = 0;
    size_t high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->by_name[middle].name, name);
        if (order == 0) {
            return &file->items[file->by_name[middle].item].tensor;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(file->header, SAFETENSORS_METADATA);
    return metadata ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, key)) : NULL;
}
