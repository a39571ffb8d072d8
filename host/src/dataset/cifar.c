/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR's binary version: records without a header, so that only their number says the size. */
#include "dataset/formats.h"

#include <stdlib.h>
#include <string.h>

bittern_status cifar_read_records(struct stream *stream, size_t label_bytes, size_t classes,
                                  size_t limit, struct cifar_records *records,
                                  struct bittern_error *err)
{
    size_t record = label_bytes + CIFAR_PIXELS;
    size_t size;

    *records = (struct cifar_records){0};
    bittern_status status = stream_read_rest(stream, limit * record, &records->bytes, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (size == 0 || size % record != 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "'%s' has %zu bytes, which is not one or more whole records of "
                                   "%zu; it is truncated or no CIFAR file",
                                   stream_name(stream), size, record);
        goto cleanup;
    }
    for (size_t i = 0; i < size / record; i++) {
        size_t offset = i * record + label_bytes - 1;
        if (records->bytes[offset] >= classes) {
            status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                       "'%s': label %u of image %zu, at offset %zu, is outside of "
                                       "0..%zu",
                                       stream_name(stream), records->bytes[offset], i, offset,
                                       classes - 1);
            goto cleanup;
        }
    }
    records->count = size / record;
cleanup:
    if (status != BITTERN_OK) {
        free(records->bytes);
        records->bytes = NULL;
    }
    return status;
}

void cifar_split_records(const struct cifar_records *records, size_t label_bytes, uint8_t *images,
                         uint8_t *labels)
{
    for (size_t i = 0; i < records->count; i++) {
        const uint8_t *record = records->bytes + i * (label_bytes + CIFAR_PIXELS);
        labels[i] = record[label_bytes - 1];
        memcpy(images + i * CIFAR_PIXELS, record + label_bytes, CIFAR_PIXELS);
    }
}
