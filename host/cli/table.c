/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: cells are kept as text until all widths are known. */
#include "table.h"

#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_GAP "  "

void cli_table_start(struct cli_table *table, const struct cli_column *columns, size_t count)
{
    *table = (struct cli_table){.columns = columns, .column_count = count};
}

char *cli_make_printable(char *text)
{
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            *c = '?';
        }
    }
    return text;
}

/* Characters, not bytes, of UTF-8 text. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static bool make_room(struct cli_table *table)
{
    if (table->cell_count < table->capacity) {
        return true;
    }
    size_t capacity = table->capacity ? 2 * table->capacity : 64;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (!cells) {
        return false;
    }
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void cli_table_add(struct cli_table *table, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        table->failed = true;
        return;
    }
    if (!make_room(table)) {
        free(text);
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] = cli_make_printable(text);
}

void cli_table_add_count(struct cli_table *table, uint64_t value)
{
    char text[32];
    cli_table_add(table, "%s", cli_format_count(value, text, sizeof text));
}

void cli_table_end_row(struct cli_table *table)
{
    while (!table->failed && table->cell_count % table->column_count != 0) {
        cli_table_add(table, "%s", "");
    }
}

static size_t column_width(const struct cli_table *table, size_t column)
{
    size_t width = text_width(table->columns[column].title);
    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        size_t cell = text_width(table->cells[i]);
        width = cell > width ? cell : width;
    }
    return width;
}

/* No spaces stand at the end of a line. */
static void print_cell(const struct cli_table *table, size_t column, size_t width, const char *text,
                       FILE *out)
{
    bool last = column + 1 == table->column_count;
    int padding = (int)(width - text_width(text));
    if (table->columns[column].right) {
        fprintf(out, "%*s%s", padding, "", text);
    } else {
        fprintf(out, "%s%*s", text, last ? 0 : padding, "");
    }
    fputs(last ? "\n" : COLUMN_GAP, out);
}

bool cli_table_finish(struct cli_table *table, FILE *out)
{
    size_t *widths = calloc(table->column_count, sizeof *widths);
    bool done = widths && !table->failed;

    if (done) {
        for (size_t i = 0; i < table->column_count; i++) {
            widths[i] = column_width(table, i);
        }
        for (size_t i = 0; i < table->column_count; i++) {
            print_cell(table, i, widths[i], table->columns[i].title, out);
        }
        for (size_t i = 0; i < table->cell_count; i++) {
            size_t column = i % table->column_count;
            print_cell(table, column, widths[column], table->cells[i], out);
        }
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(widths);
    *table = (struct cli_table){0};
    return done;
}
