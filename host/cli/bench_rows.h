/* SPDX-License-Identifier: Apache-2.0 */
/* Files of rows: reading them whole, and adding to them row by row. */
#ifndef BITTERN_CLI_BENCH_ROWS_H
#define BITTERN_CLI_BENCH_ROWS_H

#include <bittern/error.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct bench_rows {
    size_t count;
    cJSON **items;
    size_t size;   /* bytes of the whole lines */
    bool has_rest; /* half a line follows them */
};

/* Every whole line must be a row of this format and version, and no two have one key. */
bittern_status bench_rows_read(const char *path, struct bench_rows *rows,
                               struct bittern_error *err);
void bench_rows_free(struct bench_rows *rows);
/* NULL: none */
const cJSON *bench_rows_find(const struct bench_rows *rows, const char *key);

/* "whole.cycles_per_image" of a row; NAN or NULL where it is null or not there. */
double bench_row_number(const cJSON *row, const char *path);
const char *bench_row_text(const cJSON *row, const char *path);

/* A file that grows by rows. */
struct bench_writer {
    const char *path;
    int fd;
    bool fresh; /* what is in there goes when the first row comes */
    bool created, written;
};

struct bench_writer_options {
    bool resume; /* keep the rows that are there; half a line is cut off */
    bool force;  /* replace what is there */
};

/* @param rows  out: those that are there, with resume; to be freed also after an error */
bittern_status bench_writer_open(const char *path, const struct bench_writer_options *options,
                                 struct bench_writer *writer, struct bench_rows *rows,
                                 struct bittern_error *err);
/* On disk when it returns, or not there at all. */
bittern_status bench_writer_add(struct bench_writer *writer, const char *line,
                                struct bittern_error *err);
/* A file that was made for rows and got none is removed. */
void bench_writer_close(struct bench_writer *writer);

#endif
