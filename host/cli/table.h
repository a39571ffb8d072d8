/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for people: columns as wide as their widest cell, numbers to the right.
 *
 *     struct cli_table table;
 *     cli_table_start(&table, columns, COLUMN_COUNT);
 *     cli_table_add(&table, "%s", name);
 *     cli_table_add_count(&table, macs);
 *     cli_table_finish(&table, stdout);
 *
 * Cells are given row by row. Running out of memory shows in the result of cli_table_finish alone.
 */
#ifndef BITTERN_CLI_TABLE_H
#define BITTERN_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli_column {
    const char *title;
    bool right; /* aligned to the right, as numbers are */
};

struct cli_table {
    const struct cli_column *columns;
    size_t column_count;
    char **cells;
    size_t cell_count, capacity;
    bool failed;
};

void cli_table_start(struct cli_table *table, const struct cli_column *columns, size_t count);
void cli_table_add(struct cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* With thousands separators. */
void cli_table_add_count(struct cli_table *table, uint64_t value);
/* Fill the current row up with empty cells. */
void cli_table_end_row(struct cli_table *table);
/* Print the titles and all rows, and free the table; false where memory ran out. */
bool cli_table_finish(struct cli_table *table, FILE *out);

/* Text from a file, made safe for a terminal: control characters become '?'. Returns text. */
char *cli_make_printable(char *text);

#endif
