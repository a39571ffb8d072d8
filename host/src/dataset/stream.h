/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes that unpacks itself: plain, gzip (also several members in a row) or xz, told
 * apart by their first bytes. Check sums of the packed forms are verified.
 *
 * Nothing is unpacked ahead of what the caller asks for, and memory grows with the bytes that
 * really come, whatever a header claims.
 */
#ifndef BITTERN_DATASET_STREAM_H
#define BITTERN_DATASET_STREAM_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most memory that an xz file may ask for; `xz -9` needs 65 MiB. */
#define STREAM_XZ_MEMORY ((uint64_t)96 << 20)

struct stream;

/* Gives up to `capacity` bytes; *got is 0 at the end only. */
typedef bittern_status (*stream_pull)(void *context, uint8_t *buffer, size_t capacity, size_t *got,
                                      struct bittern_error *err);

bittern_status stream_open_file(const char *path, struct stream **stream,
                                struct bittern_error *err);

/* The bytes are not copied, and must stay. `name` is for messages. */
bittern_status stream_open_memory(const void *data, size_t size, const char *name,
                                  struct stream **stream, struct bittern_error *err);

/* Bytes from elsewhere, e.g. a member of an archive; the context stays the caller's. */
bittern_status stream_open_pull(stream_pull pull, void *context, const char *name,
                                struct stream **stream, struct bittern_error *err);

void stream_close(struct stream *stream);

/* Path or name, for messages. */
const char *stream_name(const struct stream *stream);

/* Whether it gives more bytes than it takes: plain ones it gives as they are. */
bool stream_is_packed(const struct stream *stream);

/* Unpacked bytes given out so far. */
uint64_t stream_offset(const struct stream *stream);

/* Up to `capacity` bytes; *got is less only at the end. */
bittern_status stream_read_some(struct stream *stream, void *buffer, size_t capacity, size_t *got,
                                struct bittern_error *err);

/* Exactly `size` bytes, or BITTERN_ERR_FORMAT that says where the stream ended. */
bittern_status stream_read(struct stream *stream, void *buffer, size_t size,
                           struct bittern_error *err);

/* The same into memory that grows with what comes; *data is to be freed with free(). */
bittern_status stream_read_new(struct stream *stream, size_t size, uint8_t **data,
                               struct bittern_error *err);

/* All that is left, refused where it is more than `limit` bytes. */
bittern_status stream_read_rest(struct stream *stream, size_t limit, uint8_t **data, size_t *size,
                                struct bittern_error *err);

/* The stream must end here: no byte is left, and its check sum holds. */
bittern_status stream_finish(struct stream *stream, struct bittern_error *err);

#endif
