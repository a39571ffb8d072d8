/* SPDX-License-Identifier: Apache-2.0 */
/* Adding to the end of a file, a piece wholly or not at all. */
#include "base/append.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *data, size_t size)
{
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

bittern_status append_piece(int fd, const char *path, const void *data, size_t size,
                            struct bittern_error *err)
{
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0 || !write_all(fd, data, size) || fsync(fd) != 0) {
        int code = errno;
        if (end >= 0) {
            (void)!ftruncate(fd, end);
        }
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot add to '%s': %s", path,
                                 strerror(code));
    }
    return BITTERN_OK;
}

bittern_status append_cut(int fd, const char *path, size_t size, struct bittern_error *err)
{
    if (ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot shorten '%s': %s", path,
                                 strerror(errno));
    }
    return BITTERN_OK;
}
