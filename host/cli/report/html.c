/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping, tables and numbers of the page. */
#include "html.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define REPLACEMENT UINT32_C(0xFFFD)
#define ELLIPSIS UINT32_C(0x2026)

/* ---- Characters ------------------------------------------------------------------------------ */

static size_t sequence_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if ((first & 0xF0) == 0xE0) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/* Characters that end lines, hide, or turn text around have no place in a name. */
static bool is_shown(uint32_t point)
{
    if (point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x200B && point <= 0x200F) ||
        (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) ||
        (point >= 0xD800 && point <= 0xF8FF) || point == 0xFEFF || point == 0x061C) {
        return false; /* the private area marks labels of charts (chart.h) */
    }
    return point < 0xF0000;
}

/* The next character, and *text moved behind it; REPLACEMENT for what is not UTF-8. */
static uint32_t next_point(const char **text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)*text;
    size_t length = sequence_length(p[0]);
    uint32_t point = length <= 1 ? p[0] : p[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            length = 0;
            break;
        }
        point = point << 6 | (p[i] & 0x3F);
    }
    *text += length > 0 ? length : 1;
    return length == 0 || point < least[length] || !is_shown(point) ? REPLACEMENT : point;
}

static void put_point(FILE *out, uint32_t point)
{
    static const char *const entities[] = {
        ['"'] = "&quot;", ['&'] = "&amp;", ['\''] = "&#39;", ['<'] = "&lt;", ['>'] = "&gt;"};
    if (point < sizeof entities / sizeof entities[0] && entities[point]) {
        fputs(entities[point], out);
    } else if (point < 0x80) {
        fputc((int)point, out);
    } else {
        char bytes[4];
        size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        for (size_t i = length; i-- > 1; point >>= 6) {
            bytes[i] = (char)(0x80 | (point & 0x3F));
        }
        bytes[0] = (char)((0xF00U >> length & 0xFF) | point);
        (void)fwrite(bytes, 1, length, out);
    }
}

void html_text(FILE *out, const char *text, size_t limit)
{
    for (size_t i = 0; *text; i++) {
        uint32_t point = next_point(&text);
        if (i + 1 >= limit && *text) {
            put_point(out, ELLIPSIS);
            return;
        }
        put_point(out, point);
    }
}

void html_text_end(FILE *out, const char *text, size_t limit)
{
    size_t length = html_text_length(text, SIZE_MAX);
    if (length > limit) {
        for (size_t skip = length - limit + 1; skip > 0; skip--) {
            next_point(&text);
        }
        put_point(out, ELLIPSIS);
    }
    html_text(out, text, limit);
}

size_t html_text_length(const char *text, size_t limit)
{
    size_t length = 0;
    while (*text && length < limit) {
        next_point(&text);
        length++;
    }
    return length;
}

void html_base64(FILE *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? bytes[i + 2] : 0;
        fputc(digits[group >> 18], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(i + 1 < size ? digits[group >> 6 & 63] : '=', out);
        fputc(i + 2 < size ? digits[group & 63] : '=', out);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static const char *dash(char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "–");
    return buffer;
}

const char *format_number(double value, int decimals, char *buffer, size_t size)
{
    char digits[64];
    if (!isfinite(value) || fabs(value) >= 1e18) {
        if (isfinite(value)) {
            (void)snprintf(buffer, size, "%.3g", value);
            return buffer;
        }
        return dash(buffer, size);
    }
    int length = snprintf(digits, sizeof digits, "%.*f", decimals, fabs(value));
    int whole = decimals > 0 ? length - decimals - 1 : length;
    size_t used = 0;
    if (value < 0.0 && used + 1 < size) {
        buffer[used++] = '-';
    }
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0) {
            buffer[used++] = ',';
        }
        buffer[used++] = digits[i];
    }
    buffer[used] = '\0';
    return buffer;
}

const char *format_percent(double share, int decimals, char *buffer, size_t size)
{
    if (!isfinite(share)) {
        return dash(buffer, size);
    }
    (void)snprintf(buffer, size, "%.*f %%", decimals, 100.0 * share);
    return buffer;
}

const char *format_prefix(double value, double *factor)
{
    static const char *const names[] = {"f", "p", "n", "µ", "m", "", "k", "M", "G", "T"};
    size_t index = 5;
    *factor = 1.0;
    value = fabs(value);
    if (!isfinite(value) || value == 0.0) {
        return "";
    }
    while (value < 0.9995 * *factor && index > 0) {
        *factor /= 1000.0;
        index--;
    }
    while (value >= 999.5 * *factor && index + 1 < sizeof names / sizeof names[0]) {
        *factor *= 1000.0;
        index++;
    }
    return names[index];
}

const char *format_unit(double value, const char *unit, char *buffer, size_t size)
{
    double factor;
    if (!isfinite(value)) {
        return dash(buffer, size);
    }
    const char *prefix = format_prefix(value, &factor);
    double scaled = value / factor;
    int decimals = fabs(scaled) >= 99.95 || value == 0.0 ? 0 : fabs(scaled) >= 9.995 ? 1 : 2;
    (void)snprintf(buffer, size, "%.*f %s%s", decimals, scaled, prefix, unit);
    return buffer;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

void html_table_begin(FILE *out, const char *caption, const char *const *heads, size_t count)
{
    fputs("<table><caption>", out);
    html_text(out, caption, SIZE_MAX);
    fputs("</caption><thead><tr>", out);
    for (size_t i = 0; i < count; i++) {
        fputs("<th scope=\"col\">", out);
        html_text(out, heads[i], HTML_NAME_LENGTH);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
}

void html_table_end(FILE *out)
{
    fputs("</tbody></table>\n", out);
}

void html_row_begin(FILE *out)
{
    fputs("<tr>", out);
}

void html_row_end(FILE *out)
{
    fputs("</tr>\n", out);
}

void html_cell_text(FILE *out, const char *text)
{
    fputs("<td>", out);
    html_text(out, text, HTML_NAME_LENGTH);
    fputs("</td>", out);
}

void html_cell_name(FILE *out, const char *text)
{
    fputs("<th scope=\"row\">", out);
    html_text(out, text, HTML_NAME_LENGTH);
    fputs("</th>", out);
}

static void put_number_cell(FILE *out, double value, const char *shown)
{
    if (isfinite(value)) {
        fprintf(out, "<td class=\"n\" data-v=\"%.15g\">%s</td>", value, shown);
    } else {
        fprintf(out, "<td class=\"n\" data-v=\"\">%s</td>", shown);
    }
}

void html_cell_number(FILE *out, double value, int decimals)
{
    char text[96];
    put_number_cell(out, value, format_number(value, decimals, text, sizeof text));
}

void html_cell_percent(FILE *out, double share, int decimals)
{
    char text[96];
    put_number_cell(out, share, format_percent(share, decimals, text, sizeof text));
}

void html_cell_unit(FILE *out, double value, const char *unit)
{
    char text[96];
    put_number_cell(out, value, format_unit(value, unit, text, sizeof text));
}
