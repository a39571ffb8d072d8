/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of rows. A row is a line; only the last line can lack its end, where a machine went down
 * while it was written. Such a half is cut off when a benchmark goes on, and refused elsewhere.
 */
#include "bench_rows.h"

#include "base/append.h"
#include "base/file.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_SIZE ((size_t)1 << 30)
#define MAX_DEPTH_KEY 64

/* ---- One row --------------------------------------------------------------------------------- */

static const cJSON *member(const cJSON *row, const char *path)
{
    char key[MAX_DEPTH_KEY];

    while (row && *path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof key) {
            return NULL;
        }
        memcpy(key, path, length);
        key[length] = '\0';
        row = cJSON_GetObjectItemCaseSensitive(row, key);
        path += length + (path[length] == '.');
    }
    return row;
}

double bench_row_number(const cJSON *row, const char *path)
{
    const cJSON *item = member(row, path);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

const char *bench_row_text(const cJSON *row, const char *path)
{
    const cJSON *item = member(row, path);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static bittern_status check_row(const cJSON *row, const char *path, size_t line,
                                struct bittern_error *err)
{
    const char *format = bench_row_text(row, "format");
    double version = bench_row_number(row, "version");

    if (!format || strcmp(format, BENCH_FORMAT) != 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s', line %zu: its format is '%.64s', not '" BENCH_FORMAT "'; "
                                 "it was not written by 'bittern bench'",
                                 path, line, format ? format : "(none)");
    }
    if (version != BENCH_VERSION) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "'%s', line %zu: rows of version %g; this bittern reads version "
                                 "%d: measure again, or use the bittern that wrote it",
                                 path, line, version, BENCH_VERSION);
    }
    if (!bench_row_text(row, "key") || !cJSON_IsObject(member(row, "program")) ||
        !cJSON_IsObject(member(row, "whole"))) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s', line %zu: a row without key, program or whole", path, line);
    }
    return BITTERN_OK;
}

/* ---- Whole files ----------------------------------------------------------------------------- */

const cJSON *bench_rows_find(const struct bench_rows *rows, const char *key)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(bench_row_text(rows->items[i], "key"), key) == 0) {
            return rows->items[i];
        }
    }
    return NULL;
}

static bittern_status take_line(struct bench_rows *rows, const char *text, size_t length,
                                const char *path, size_t line, struct bittern_error *err)
{
    cJSON *row = cJSON_ParseWithLength(text, length);

    if (!row) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s', line %zu is no JSON: it is cut or damaged; take the line "
                                 "out, or measure again",
                                 path, line);
    }
    bittern_status status = check_row(row, path, line, err);
    if (status == BITTERN_OK && bench_rows_find(rows, bench_row_text(row, "key"))) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "'%s', line %zu: the row '%s' is there twice", path, line,
                                   bench_row_text(row, "key"));
    }
    if (status != BITTERN_OK) {
        cJSON_Delete(row);
        return status;
    }
    rows->items[rows->count++] = row;
    return BITTERN_OK;
}

static bittern_status take_lines(struct bench_rows *rows, const char *text, size_t size,
                                 const char *path, struct bittern_error *err)
{
    size_t lines = 0;
    bittern_status status = BITTERN_OK;

    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    rows->items = calloc(lines + 1, sizeof(cJSON *));
    if (!rows->items) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the rows of '%s'", path);
    }
    for (size_t line = 1; status == BITTERN_OK && rows->size < size; line++) {
        const char *start = text + rows->size;
        const char *end = memchr(start, '\n', size - rows->size);
        if (!end) {
            rows->has_rest = true;
            break;
        }
        status = take_line(rows, start, (size_t)(end - start), path, line, err);
        rows->size += (size_t)(end - start) + 1;
    }
    return status;
}

bittern_status bench_rows_read(const char *path, struct bench_rows *rows, struct bittern_error *err)
{
    uint8_t *text = NULL;
    size_t size = 0;

    *rows = (struct bench_rows){0};
    bittern_status status = file_read(path, MAX_FILE_SIZE, &text, &size, err);
    if (status == BITTERN_OK) {
        status = take_lines(rows, (const char *)text, size, path, err);
    }
    free(text);
    return status;
}

void bench_rows_free(struct bench_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        cJSON_Delete(rows->items[i]);
    }
    free(rows->items);
    *rows = (struct bench_rows){0};
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static bittern_status open_file(struct bench_writer *writer, struct stat *info,
                                struct bittern_error *err)
{
    writer->fd = open(writer->path, O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT | O_EXCL, 0666);
    writer->created = writer->fd >= 0;
    if (!writer->created && errno == EEXIST) {
        writer->fd = open(writer->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    }
    if (writer->fd < 0 || fstat(writer->fd, info) != 0) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot open '%s': %s", writer->path,
                                 strerror(errno));
    }
    /* A file system without locks is no reason to stop. */
    if (flock(writer->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "another benchmark writes into '%s'; wait for it, or choose "
                                 "another file",
                                 writer->path);
    }
    return BITTERN_OK;
}

bittern_status bench_writer_open(const char *path, const struct bench_writer_options *options,
                                 struct bench_writer *writer, struct bench_rows *rows,
                                 struct bittern_error *err)
{
    struct stat info;

    *rows = (struct bench_rows){0};
    *writer = (struct bench_writer){.path = path, .fd = -1};
    bittern_status status = open_file(writer, &info, err);
    if (status != BITTERN_OK || !S_ISREG(info.st_mode) || info.st_size == 0) {
        return status;
    }
    if (options->force) {
        writer->fresh = true;
        return BITTERN_OK;
    }
    if (!options->resume) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "'%s' exists: --resume goes on with it, --force replaces it",
                                 path);
    }
    status = bench_rows_read(path, rows, err);
    return status == BITTERN_OK && rows->has_rest ? append_cut(writer->fd, path, rows->size, err)
                                                  : status;
}

bittern_status bench_writer_add(struct bench_writer *writer, const char *line,
                                struct bittern_error *err)
{
    char *text = NULL;
    int length = asprintf(&text, "%s\n", line);
    bittern_status status = BITTERN_OK;

    if (length < 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a row");
    }
    if (writer->fresh) {
        status = append_cut(writer->fd, writer->path, 0, err);
        writer->fresh = false;
    }
    if (status == BITTERN_OK) {
        status = append_piece(writer->fd, writer->path, text, (size_t)length, err);
    }
    writer->written = writer->written || status == BITTERN_OK;
    free(text);
    return status;
}

void bench_writer_close(struct bench_writer *writer)
{
    if (writer->fd >= 0) {
        close(writer->fd);
        if (writer->created && !writer->written) {
            (void)unlink(writer->path);
        }
    }
    writer->fd = -1;
}
