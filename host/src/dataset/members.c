/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives through libarchive. A tar's bytes come from a stream of ours instead of libarchive's own
 * filters, since those skip gzip's check sum; they are counted there, so that no archive unpacks to
 * more than its limit, also in members that are only skipped.
 */
#include "dataset/members.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)1 << 16)
/* Bytes of padding that may follow a tar's end; GNU tar fills up to 10 KiB. */
#define TAR_PADDING ((size_t)1 << 20)

struct members {
    struct archive *archive;
    char *name;
    char *member;          /* path of the current member */
    struct stream *stream; /* tar only; the caller's */
    uint64_t limit, used;  /* unpacked bytes; used: given to libarchive */
    size_t block_size;     /* of the last block given */
    bittern_status status; /* of the stream, where reading it failed */
    struct bittern_error err;
    uint8_t block[BLOCK];
};

static la_ssize_t read_tar(struct archive *archive, void *context, const void **buffer)
{
    struct members *members = context;
    size_t got;
    if (members->used > members->limit) {
        members->status = bittern_error_set(&members->err, BITTERN_ERR_FORMAT,
                                            "'%s' unpacks to more than %" PRIu64
                                            " bytes; it is not the published archive",
                                            members->name, members->limit);
    } else {
        members->status =
            stream_read_some(members->stream, members->block, BLOCK, &got, &members->err);
    }
    if (members->status != BITTERN_OK) {
        archive_set_error(archive, EIO, "stream");
        return ARCHIVE_FATAL;
    }
    members->used += got;
    members->block_size = got;
    *buffer = members->block;
    return (la_ssize_t)got;
}

/* What went wrong: in the stream below, or else what libarchive says. */
static bittern_status archive_failure(const struct members *members, struct bittern_error *err)
{
    if (members->status != BITTERN_OK) {
        return bittern_error_set(err, members->status, "%s", members->err.message);
    }
    const char *text = archive_error_string(members->archive);
    return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' is not a sound archive: %s%s%s",
                             members->name, members->member ? members->member : "",
                             members->member ? ": " : "", text ? text : "unknown error");
}

static bittern_status allocate(const char *name, struct members **members,
                               struct bittern_error *err)
{
    *members = calloc(1, sizeof **members);
    if (*members) {
        (*members)->name = strdup(name);
        (*members)->archive = archive_read_new();
    }
    if (!*members || !(*members)->name || !(*members)->archive) {
        members_close(*members);
        *members = NULL;
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", name);
    }
    return BITTERN_OK;
}

/* libarchive's answer to opening becomes ours; the members are closed where it is no. */
static bittern_status opened(int result, struct members **members, struct bittern_error *err)
{
    if (result == ARCHIVE_OK) {
        return BITTERN_OK;
    }
    bittern_status status = archive_failure(*members, err);
    members_close(*members);
    *members = NULL;
    return status;
}

bittern_status members_open_tar(struct stream *stream, uint64_t limit, struct members **members,
                                struct bittern_error *err)
{
    bittern_status status = allocate(stream_name(stream), members, err);
    if (status != BITTERN_OK) {
        return status;
    }
    (*members)->stream = stream;
    (*members)->limit = limit;
    archive_read_support_format_tar((*members)->archive);
    return opened(archive_read_open((*members)->archive, *members, NULL, read_tar, NULL), members,
                  err);
}

bittern_status members_open_zip(const char *path, struct members **members,
                                struct bittern_error *err)
{
    bittern_status status = allocate(path, members, err);
    if (status != BITTERN_OK) {
        return status;
    }
    archive_read_support_format_zip_seekable((*members)->archive);
    return opened(archive_read_open_filename((*members)->archive, path, BLOCK), members, err);
}

bittern_status members_open_zip_memory(const void *data, size_t size, const char *name,
                                       struct members **members, struct bittern_error *err)
{
    bittern_status status = allocate(name, members, err);
    if (status != BITTERN_OK) {
        return status;
    }
    archive_read_support_format_zip_seekable((*members)->archive);
    return opened(archive_read_open_memory((*members)->archive, data, size), members, err);
}

void members_close(struct members *members)
{
    if (!members) {
        return;
    }
    archive_read_free(members->archive);
    free(members->member);
    free(members->name);
    free(members);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/*
 * Nothing but zeros may follow a tar's end: first what is left of libarchive's block, then the rest
 * of the stream, whose check sum that verifies.
 */
static bittern_status finish(struct members *members, struct bittern_error *err)
{
    if (!members->stream) {
        return BITTERN_OK;
    }
    uint64_t start = members->used - members->block_size;
    uint64_t consumed = (uint64_t)archive_filter_bytes(members->archive, 0);
    size_t skip = consumed > start ? (size_t)(consumed - start) : 0;
    size_t got = members->block_size;
    for (size_t total = 0; total <= TAR_PADDING; total += got) {
        if (skip < got && !all_zero(members->block + skip, got - skip)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s' has bytes behind the end of its archive", members->name);
        }
        skip = 0;
        bittern_status status = stream_read_some(members->stream, members->block, BLOCK, &got, err);
        if (status != BITTERN_OK || got == 0) {
            return status;
        }
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "'%s' has more than %zu bytes behind the end of its archive",
                             members->name, TAR_PADDING);
}

static size_t find_name(const char *path, const char *folder, const char *const *names,
                        size_t count)
{
    size_t length = strlen(folder);
    if (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    if (strncmp(path, folder, length) != 0 || path[length] != '/') {
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strlen(names[i]);
        const char *rest = path + length + 1 + name_length;
        if (strncmp(path + length + 1, names[i], name_length) == 0 &&
            (*rest == '\0' || strcmp(rest, ".gz") == 0)) {
            return i;
        }
    }
    return count;
}

bittern_status members_next(struct members *members, const char *folder, const char *const *names,
                            size_t count, size_t *index, struct bittern_error *err)
{
    *index = count;
    for (;;) {
        struct archive_entry *entry;
        free(members->member);
        members->member = NULL;
        int result = archive_read_next_header(members->archive, &entry);
        if (result == ARCHIVE_EOF) {
            return finish(members, err);
        }
        /* A warning is about times or owners, which do not matter here. */
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            return archive_failure(members, err);
        }
        const char *path = archive_entry_pathname(entry);
        size_t found = path ? find_name(path, folder, names, count) : count;
        if (found == count) {
            continue;
        }
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
            archive_entry_symlink(entry)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s': its member '%s' is not a plain file", members->name,
                                     path);
        }
        members->member = strdup(path);
        if (!members->member) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'",
                                     members->name);
        }
        *index = found;
        return BITTERN_OK;
    }
}

static bittern_status pull_member(void *context, uint8_t *buffer, size_t capacity, size_t *got,
                                  struct bittern_error *err)
{
    struct members *members = context;
    la_ssize_t size = archive_read_data(members->archive, buffer, capacity);
    if (size < 0) {
        return archive_failure(members, err);
    }
    *got = (size_t)size;
    return BITTERN_OK;
}

bittern_status members_open_current(struct members *members, struct stream **stream,
                                    struct bittern_error *err)
{
    size_t size = strlen(members->name) + strlen(members->member) + 2;
    char *name = malloc(size);
    *stream = NULL;
    if (!name) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", members->name);
    }
    (void)snprintf(name, size, "%s:%s", members->name, members->member);
    bittern_status status = stream_open_pull(pull_member, members, name, stream, err);
    free(name);
    return status;
}
