/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read at once; written to a temporary file beside the target, synced, renamed. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEMPORARY_NAMES 1000

struct file_writer {
    char *path;      /* behind symbolic links */
    char *temporary; /* NULL for a device or a pipe, which is written as it is */
    int fd;
};

static bittern_status io_error(struct bittern_error *err, const char *verb, const char *path)
{
    int code = errno;
    return bittern_error_set(err, code == ENOENT ? BITTERN_ERR_NOT_FOUND : BITTERN_ERR_IO,
                             "cannot %s '%s': %s", verb, path, strerror(code));
}

bool file_write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *data = bytes;
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

bittern_status file_read(const char *path, size_t limit, uint8_t **data, size_t *size,
                         struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    uint8_t *buffer = NULL;
    size_t capacity = 0;
    size_t used = 0;

    *data = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return io_error(err, "open", path);
    }
    struct stat info;
    if (fstat(fd, &info) != 0) {
        status = io_error(err, "look at", path);
        goto cleanup;
    }
    if (S_ISDIR(info.st_mode)) {
        status = bittern_error_set(err, BITTERN_ERR_IO, "'%s' is a folder, not a file", path);
        goto cleanup;
    }
    if (info.st_size > 0 && (uintmax_t)info.st_size > limit) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' has %jd bytes, more than %zu",
                                   path, (intmax_t)info.st_size, limit);
        goto cleanup;
    }
    /* The size is a hint only: pipes have none, and files grow. */
    capacity = (size_t)info.st_size + 1;
    for (;;) {
        if (!buffer || used == capacity) {
            if (buffer) {
                capacity = capacity < 4096 ? 8192 : capacity * 2;
            }
            uint8_t *larger = realloc(buffer, capacity + 1);
            if (!larger) {
                status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to read '%s'", path);
                goto cleanup;
            }
            buffer = larger;
        }
        ssize_t got = read(fd, buffer + used, capacity - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = io_error(err, "read", path);
            goto cleanup;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
        if (used > limit) {
            status = bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' has more than %zu bytes",
                                       path, limit);
            goto cleanup;
        }
    }
    buffer[used] = 0;
    *data = buffer;
    *size = used;
    buffer = NULL;
cleanup:
    free(buffer);
    close(fd);
    return status;
}

static bittern_status open_as_it_is(struct file_writer *writer, struct bittern_error *err)
{
    writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
    return writer->fd < 0 ? io_error(err, "open", writer->path) : BITTERN_OK;
}

/* Not mkstemp: it makes files that only their owner can read. */
static bittern_status open_temporary(struct file_writer *writer, struct bittern_error *err)
{
    for (unsigned attempt = 0; attempt < MAX_TEMPORARY_NAMES; attempt++) {
        char *name = NULL;
        if (asprintf(&name, "%s.%ld-%u.part", writer->path, (long)getpid(), attempt) < 0) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'",
                                     writer->path);
        }
        writer->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0) {
            writer->temporary = name;
            return BITTERN_OK;
        }
        int code = errno;
        free(name);
        errno = code;
        if (code != EEXIST) {
            break;
        }
    }
    return io_error(err, "create", writer->path);
}

bittern_status file_writer_open(const char *path, struct file_writer **writer,
                                struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct file_writer *w = calloc(1, sizeof *w);

    *writer = NULL;
    if (!w) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
    }
    w->fd = -1;
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) {
        status = bittern_error_set(err, BITTERN_ERR_IO, "cannot write '%s': it is a folder", path);
        goto cleanup;
    }
    /* A rename would replace a link, not what it points to. */
    w->path = exists && S_ISREG(info.st_mode) ? realpath(path, NULL) : strdup(path);
    if (!w->path) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
        goto cleanup;
    }
    /* And it would replace a device by a file. */
    status = exists && !S_ISREG(info.st_mode) ? open_as_it_is(w, err) : open_temporary(w, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *writer = w;
    w = NULL;
cleanup:
    file_writer_abort(w);
    return status;
}

bittern_status file_writer_append(struct file_writer *writer, const void *data, size_t size,
                                  struct bittern_error *err)
{
    if (!file_write_all(writer->fd, data, size)) {
        return io_error(err, "write", writer->path);
    }
    return BITTERN_OK;
}

/* A rename is durable only once its folder is on disk, too. */
static void sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (copy) {
        int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)fsync(fd);
            close(fd);
        }
        free(copy);
    }
}

bittern_status file_writer_commit(struct file_writer *writer, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    if (writer->temporary && fsync(writer->fd) != 0) {
        status = io_error(err, "write", writer->path);
        goto cleanup;
    }
    int closed = close(writer->fd);
    writer->fd = -1;
    if (closed != 0) {
        status = io_error(err, "write", writer->path);
        goto cleanup;
    }
    if (!writer->temporary) {
        goto cleanup;
    }
    if (rename(writer->temporary, writer->path) != 0) {
        status = io_error(err, "rename into", writer->path);
        goto cleanup;
    }
    sync_folder(writer->path);
    free(writer->temporary);
    writer->temporary = NULL;
cleanup:
    file_writer_abort(writer);
    return status;
}

void file_writer_abort(struct file_writer *writer)
{
    if (!writer) {
        return;
    }
    if (writer->fd >= 0) {
        close(writer->fd);
    }
    if (writer->temporary) {
        (void)unlink(writer->temporary);
    }
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

bittern_status file_write(const char *path, const void *data, size_t size,
                          struct bittern_error *err)
{
    struct file_writer *writer = NULL;
    bittern_status status = file_writer_open(path, &writer, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = file_writer_append(writer, data, size, err);
    if (status != BITTERN_OK) {
        file_writer_abort(writer);
        return status;
    }
    return file_writer_commit(writer, err);
}

bittern_status file_make_directory(const char *path, struct bittern_error *err)
{
    char *copy = strdup(path);
    if (!copy) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to create '%s'", path);
    }
    bittern_status status = BITTERN_OK;
    for (char *p = copy + 1;; p++) {
        char end = *p;
        if (end != '/' && end != '\0') {
            continue;
        }
        *p = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0 &&
            !(errno == EEXIST && stat(copy, &info) == 0 && S_ISDIR(info.st_mode))) {
            status = io_error(err, "create folder", copy);
            break;
        }
        *p = end;
        if (end == '\0') {
            break;
        }
    }
    free(copy);
    return status;
}
