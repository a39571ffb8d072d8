/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text into a page. Names come from files that anyone may have made: whatever is written here is
 * escaped, valid UTF-8, free of control and direction characters, and of bounded length.
 */
#ifndef BITTERN_REPORT_HTML_H
#define BITTERN_REPORT_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Characters of a name before it is cut. */
#define HTML_NAME_LENGTH 80

/* Escaped for text and for attributes in double quotes; cut to `limit` characters. */
void html_text(FILE *out, const char *text, size_t limit);
/* The same, but the end of the text is kept: of a path, that is what tells. */
void html_text_end(FILE *out, const char *text, size_t limit);
/* Characters that either would write. */
size_t html_text_length(const char *text, size_t limit);
/* Bytes as base64. */
void html_base64(FILE *out, const uint8_t *bytes, size_t size);

/* ---- Tables ---------------------------------------------------------------------------------- */

/* A cell keeps its value in full in data-v, where the page's own CSV export finds it. */
void html_table_begin(FILE *out, const char *caption, const char *const *heads, size_t count);
void html_table_end(FILE *out);
void html_row_begin(FILE *out);
void html_row_end(FILE *out);
void html_cell_text(FILE *out, const char *text);
/* Heads a row. */
void html_cell_name(FILE *out, const char *text);
/* `decimals` behind the point, thousands apart; a dash where the value is not finite. */
void html_cell_number(FILE *out, double value, int decimals);
/* A share as a percentage; the value that is kept is the share. */
void html_cell_percent(FILE *out, double share, int decimals);
/* With a prefix (k, M, m, µ ...) and a unit. */
void html_cell_unit(FILE *out, double value, const char *unit);

/* ---- Numbers for people ---------------------------------------------------------------------- */

/* All return buffer, with a dash where the value is not finite. */
const char *format_number(double value, int decimals, char *buffer, size_t size);
const char *format_percent(double share, int decimals, char *buffer, size_t size);
/* "12.3 µJ": three digits and a prefix. */
const char *format_unit(double value, const char *unit, char *buffer, size_t size);
/* The prefix and its factor for a value: "µ", 1e-6. */
const char *format_prefix(double value, double *factor);

#endif
