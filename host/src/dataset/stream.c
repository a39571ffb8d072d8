/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: a pull function gives packed bytes into a small buffer, and one of three decoders turns
 * them into the caller's bytes. A decoder makes progress or says that its input ended too early.
 */
#include "dataset/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FIRST_CAPACITY ((size_t)1 << 16)

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_XZ };

struct stream {
    char *name;
    stream_pull pull;
    void *context;
    int fd;                /* -1 where the bytes come from elsewhere */
    const uint8_t *memory; /* what is left of bytes in memory */
    size_t memory_size;
    enum packing packing;
    z_stream gzip;
    lzma_stream xz;
    bool input_ended, ended;
    uint64_t offset;
    size_t input_at, input_size;
    uint8_t input[FIRST_CAPACITY];
};

static bittern_status pull_file(void *context, uint8_t *buffer, size_t capacity, size_t *got,
                                struct bittern_error *err)
{
    const struct stream *stream = context;
    ssize_t size;
    do {
        size = read(stream->fd, buffer, capacity);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot read '%s': %s", stream->name,
                                 strerror(errno));
    }
    *got = (size_t)size;
    return BITTERN_OK;
}

static bittern_status pull_memory(void *context, uint8_t *buffer, size_t capacity, size_t *got,
                                  struct bittern_error *err)
{
    struct stream *stream = context;
    (void)err;
    *got = stream->memory_size < capacity ? stream->memory_size : capacity;
    if (*got > 0) {
        memcpy(buffer, stream->memory, *got);
        stream->memory += *got;
        stream->memory_size -= *got;
    }
    return BITTERN_OK;
}

/* Put more behind what is left of the packed bytes. */
static bittern_status refill(struct stream *stream, struct bittern_error *err)
{
    size_t left = stream->input_size - stream->input_at;
    size_t got = 0;
    memmove(stream->input, stream->input + stream->input_at, left);
    stream->input_at = 0;
    stream->input_size = left;
    bittern_status status =
        stream->pull(stream->context, stream->input + left, sizeof stream->input - left, &got, err);
    if (status == BITTERN_OK) {
        stream->input_size += got;
        stream->input_ended = got == 0;
    }
    return status;
}

static enum packing recognize(const uint8_t *bytes, size_t size)
{
    static const uint8_t xz_magic[6] = {0xFD, '7', 'z', 'X', 'Z', 0};
    if (size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B) {
        return PACKING_GZIP;
    }
    if (size >= sizeof xz_magic && memcmp(bytes, xz_magic, sizeof xz_magic) == 0) {
        return PACKING_XZ;
    }
    return PACKING_NONE;
}

static bittern_status start_decoder(struct stream *stream, struct bittern_error *err)
{
    while (stream->input_size < 6 && !stream->input_ended) {
        bittern_status status = refill(stream, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    enum packing packing = recognize(stream->input, stream->input_size);
    bool started = true;
    if (packing == PACKING_GZIP) {
        started = inflateInit2(&stream->gzip, 15 + 16) == Z_OK; /* + 16: gzip's frame, its CRC */
    } else if (packing == PACKING_XZ) {
        started = lzma_stream_decoder(&stream->xz, STREAM_XZ_MEMORY,
                                      LZMA_TELL_UNSUPPORTED_CHECK | LZMA_CONCATENATED) == LZMA_OK;
    }
    if (!started) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to unpack '%s'", stream->name);
    }
    stream->packing = packing;
    return BITTERN_OK;
}

static struct stream *allocate(const char *name)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        return NULL;
    }
    stream->fd = -1;
    stream->xz = (lzma_stream)LZMA_STREAM_INIT;
    stream->name = strdup(name);
    if (!stream->name) {
        free(stream);
        return NULL;
    }
    return stream;
}

/* Takes the stream over: it is closed where it cannot be started. */
static bittern_status start(struct stream *opened, struct stream **stream,
                            struct bittern_error *err)
{
    bittern_status status = start_decoder(opened, err);
    if (status != BITTERN_OK) {
        stream_close(opened);
        return status;
    }
    *stream = opened;
    return BITTERN_OK;
}

bittern_status stream_open_file(const char *path, struct stream **stream, struct bittern_error *err)
{
    *stream = NULL;
    struct stream *opened = allocate(path);
    if (!opened) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", path);
    }
    opened->pull = pull_file;
    opened->context = opened;
    opened->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (opened->fd < 0) {
        int code = errno;
        stream_close(opened);
        return bittern_error_set(err, code == ENOENT ? BITTERN_ERR_NOT_FOUND : BITTERN_ERR_IO,
                                 "cannot open '%s': %s", path, strerror(code));
    }
    return start(opened, stream, err);
}

bittern_status stream_open_memory(const void *data, size_t size, const char *name,
                                  struct stream **stream, struct bittern_error *err)
{
    *stream = NULL;
    struct stream *opened = allocate(name);
    if (!opened) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", name);
    }
    opened->pull = pull_memory;
    opened->context = opened;
    opened->memory = data;
    opened->memory_size = size;
    return start(opened, stream, err);
}

bittern_status stream_open_pull(stream_pull pull, void *context, const char *name,
                                struct stream **stream, struct bittern_error *err)
{
    *stream = NULL;
    struct stream *opened = allocate(name);
    if (!opened) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", name);
    }
    opened->pull = pull;
    opened->context = context;
    return start(opened, stream, err);
}

void stream_close(struct stream *stream)
{
    if (!stream) {
        return;
    }
    if (stream->packing == PACKING_GZIP) {
        (void)inflateEnd(&stream->gzip);
    } else if (stream->packing == PACKING_XZ) {
        lzma_end(&stream->xz);
    }
    if (stream->fd >= 0) {
        (void)close(stream->fd);
    }
    free(stream->name);
    free(stream);
}

const char *stream_name(const struct stream *stream)
{
    return stream->name;
}

bool stream_is_packed(const struct stream *stream)
{
    return stream->packing != PACKING_NONE;
}

uint64_t stream_offset(const struct stream *stream)
{
    return stream->offset;
}

static bittern_status corrupt(const struct stream *stream, const char *packing, const char *why,
                              struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "'%s' is damaged: %s data: %s (after %" PRIu64
                             " unpacked bytes); fetch or copy it again",
                             stream->name, packing, why, stream->offset);
}

static size_t copy_plain(struct stream *stream, uint8_t *buffer, size_t capacity)
{
    size_t left = stream->input_size - stream->input_at;
    size_t size = left < capacity ? left : capacity;
    memcpy(buffer, stream->input + stream->input_at, size);
    stream->input_at += size;
    stream->ended = size == 0 && stream->input_ended;
    return size;
}

/* A gzip file may be several members in a row; anything else behind one is refused. */
static bittern_status next_gzip_member(struct stream *stream, struct bittern_error *err)
{
    if (stream->input_at == stream->input_size && !stream->input_ended) {
        bittern_status status = refill(stream, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (stream->input_at == stream->input_size) {
        stream->ended = true;
        return BITTERN_OK;
    }
    if (stream->input[stream->input_at] != 0x1F || inflateReset(&stream->gzip) != Z_OK) {
        return corrupt(stream, "gzip", "foreign bytes behind its end", err);
    }
    return BITTERN_OK;
}

static bittern_status inflate_some(struct stream *stream, uint8_t *buffer, size_t capacity,
                                   size_t *got, struct bittern_error *err)
{
    z_stream *gzip = &stream->gzip;
    gzip->next_in = stream->input + stream->input_at;
    gzip->avail_in = (uInt)(stream->input_size - stream->input_at);
    gzip->next_out = buffer;
    gzip->avail_out = capacity < UINT32_MAX ? (uInt)capacity : UINT32_MAX;
    uInt room = gzip->avail_out;
    int result = inflate(gzip, Z_NO_FLUSH);
    *got = room - gzip->avail_out;
    stream->input_at = stream->input_size - gzip->avail_in;
    if (result == Z_STREAM_END) {
        return next_gzip_member(stream, err);
    }
    if (result == Z_MEM_ERROR) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to unpack '%s'", stream->name);
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
        return corrupt(stream, "gzip", gzip->msg ? gzip->msg : "unknown dictionary", err);
    }
    if (*got == 0 && stream->input_at == stream->input_size && stream->input_ended) {
        return corrupt(stream, "gzip", "its end is missing", err);
    }
    return BITTERN_OK;
}

static const char *xz_problem(lzma_ret result)
{
    switch (result) {
    case LZMA_BUF_ERROR:
        return "its end is missing";
    case LZMA_FORMAT_ERROR:
        return "foreign bytes behind its end";
    case LZMA_OPTIONS_ERROR:
        return "a filter that is not supported";
    case LZMA_UNSUPPORTED_CHECK:
        return "a check sum of an unknown kind";
    case LZMA_DATA_ERROR:
        return "wrong bits or a wrong check sum";
    default:
        return "it cannot be unpacked";
    }
}

static bittern_status unxz_some(struct stream *stream, uint8_t *buffer, size_t capacity,
                                size_t *got, struct bittern_error *err)
{
    lzma_stream *xz = &stream->xz;
    xz->next_in = stream->input + stream->input_at;
    xz->avail_in = stream->input_size - stream->input_at;
    xz->next_out = buffer;
    xz->avail_out = capacity;
    lzma_ret result = lzma_code(xz, stream->input_ended ? LZMA_FINISH : LZMA_RUN);
    *got = capacity - xz->avail_out;
    stream->input_at = stream->input_size - xz->avail_in;
    if (result == LZMA_STREAM_END) {
        stream->ended = true;
        return BITTERN_OK;
    }
    if (result == LZMA_MEM_ERROR) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to unpack '%s'", stream->name);
    }
    if (result == LZMA_MEMLIMIT_ERROR) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' needs %" PRIu64 " bytes of memory to unpack, more than the "
                                 "%" PRIu64 " allowed; pack it with 'xz -9' or less",
                                 stream->name, lzma_memusage(xz), STREAM_XZ_MEMORY);
    }
    /* LZMA_BUF_ERROR without the input's end: it only wants more. */
    if (result == LZMA_OK || (result == LZMA_BUF_ERROR && !stream->input_ended)) {
        return BITTERN_OK;
    }
    return corrupt(stream, "xz", xz_problem(result), err);
}

bittern_status stream_read_some(struct stream *stream, void *buffer, size_t capacity, size_t *got,
                                struct bittern_error *err)
{
    uint8_t *bytes = buffer;
    *got = 0;
    while (*got < capacity && !stream->ended) {
        bittern_status status = BITTERN_OK;
        size_t step = 0;
        if (stream->input_at == stream->input_size && !stream->input_ended) {
            status = refill(stream, err);
        }
        if (status == BITTERN_OK && stream->packing == PACKING_NONE) {
            step = copy_plain(stream, bytes + *got, capacity - *got);
        } else if (status == BITTERN_OK && stream->packing == PACKING_GZIP) {
            status = inflate_some(stream, bytes + *got, capacity - *got, &step, err);
        } else if (status == BITTERN_OK) {
            status = unxz_some(stream, bytes + *got, capacity - *got, &step, err);
        }
        if (status != BITTERN_OK) {
            return status;
        }
        *got += step;
        stream->offset += step;
    }
    return BITTERN_OK;
}

static bittern_status too_short(const struct stream *stream, uint64_t start, size_t size,
                                struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "'%s' is truncated: it ends at offset %" PRIu64
                             ", where %zu bytes were expected from offset %" PRIu64,
                             stream->name, stream->offset, size, start);
}

bittern_status stream_read(struct stream *stream, void *buffer, size_t size,
                           struct bittern_error *err)
{
    uint64_t start_offset = stream->offset;
    size_t got;
    bittern_status status = stream_read_some(stream, buffer, size, &got, err);
    if (status == BITTERN_OK && got < size) {
        status = too_short(stream, start_offset, size, err);
    }
    return status;
}

/* Read until the end or `size` bytes, whichever comes first, into memory that doubles. */
static bittern_status read_growing(struct stream *stream, size_t size, uint8_t **data, size_t *got,
                                   struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    size_t used = 0;

    *data = NULL;
    *got = 0;
    do {
        capacity = capacity == 0 ? FIRST_CAPACITY : capacity * 2;
        capacity = capacity < size ? capacity : size;
        uint8_t *larger = realloc(bytes, capacity > 0 ? capacity : 1);
        if (!larger) {
            status =
                bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", stream->name);
            goto cleanup;
        }
        bytes = larger;
        size_t step;
        status = stream_read_some(stream, bytes + used, capacity - used, &step, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
        used += step;
    } while (used == capacity && used < size);
    *data = bytes;
    *got = used;
    bytes = NULL;
cleanup:
    free(bytes);
    return status;
}

bittern_status stream_read_new(struct stream *stream, size_t size, uint8_t **data,
                               struct bittern_error *err)
{
    uint64_t start_offset = stream->offset;
    size_t got;
    bittern_status status = read_growing(stream, size, data, &got, err);
    if (status == BITTERN_OK && got < size) {
        status = too_short(stream, start_offset, size, err);
        free(*data);
        *data = NULL;
    }
    return status;
}

bittern_status stream_finish(struct stream *stream, struct bittern_error *err)
{
    uint8_t byte;
    size_t got;
    uint64_t end = stream->offset;
    bittern_status status = stream_read_some(stream, &byte, 1, &got, err);
    if (status == BITTERN_OK && got > 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "'%s' is longer than it should be: its content ends at offset "
                                   "%" PRIu64 ", but more bytes follow",
                                   stream->name, end);
    }
    return status;
}

bittern_status stream_read_rest(struct stream *stream, size_t limit, uint8_t **data, size_t *size,
                                struct bittern_error *err)
{
    bittern_status status = read_growing(stream, limit, data, size, err);
    if (status == BITTERN_OK) {
        status = stream_finish(stream, err);
        if (status != BITTERN_OK) {
            free(*data);
            *data = NULL;
        }
    }
    return status;
}
