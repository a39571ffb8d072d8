/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read at once, and written so that they appear whole or not at all. */
#ifndef BITTERN_BASE_FILE_H
#define BITTERN_BASE_FILE_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read a file of at most `limit` bytes. *data is to be freed with free(); it has one extra byte, 0,
 * behind its end. */
bittern_status file_read(const char *path, size_t limit, uint8_t **data, size_t *size,
                         struct bittern_error *err);

/* Write a file through a temporary one beside it, fsync and rename: after a failure or a crash the
 * old file, if any, is still there. Symbolic links are followed; a device or a pipe is written
 * directly. */
bittern_status file_write(const char *path, const void *data, size_t size,
                          struct bittern_error *err);

/* The same in steps, for content that is made bit by bit. */
struct file_writer;
bittern_status file_writer_open(const char *path, struct file_writer **writer,
                                struct bittern_error *err);
bittern_status file_writer_append(struct file_writer *writer, const void *data, size_t size,
                                  struct bittern_error *err);
/* Sync, rename into place and free the writer; on failure nothing is left behind. */
bittern_status file_writer_commit(struct file_writer *writer, struct bittern_error *err);
/* Remove the temporary file and free the writer; NULL is fine. */
void file_writer_abort(struct file_writer *writer);

/* write() until all is written; false, with errno set, where it is not. */
bool file_write_all(int fd, const void *bytes, size_t size);

/* Create a folder and its parents, like mkdir -p. */
bittern_status file_make_directory(const char *path, struct bittern_error *err);

#endif
