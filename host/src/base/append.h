/* SPDX-License-Identifier: Apache-2.0 */
/* Files that grow by whole pieces. */
#ifndef BITTERN_BASE_APPEND_H
#define BITTERN_BASE_APPEND_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

/* Add a piece to the end and bring it to disk. Where that fails (a full disk), the file is cut back
 * to what it was. Only a crash within leaves a part of the piece. */
bittern_status append_piece(int fd, const char *path, const void *data, size_t size,
                            struct bittern_error *err);

/* Cut the file to its first `size` bytes and bring that to disk. */
bittern_status append_cut(int fd, const char *path, size_t size, struct bittern_error *err);

#endif
