/* SPDX-License-Identifier: Apache-2.0 */
/* Adding to the end of a file, a piece wholly or not at all. */
#include "base/append.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bittern_status append_piece(int fd, const char *path, const void *data, size_t size,
                            struct bittern_error *err)
{
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0 || !file_write_all(fd, data, size) || fsync(fd) != 0) {
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
