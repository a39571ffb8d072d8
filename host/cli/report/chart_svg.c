/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over what gnuplot drew. Its SVG has no foreign text (see chart.h); it is still read with
 * care, since gnuplot's versions differ. */
#include "chart.h"

#include <stdlib.h>
#include <string.h>

/* Moves *at behind `word` where it stands there. */
static bool take(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) {
        return false;
    }
    *at += length;
    return true;
}

/* rgb(  0, 114, 178) -> #0072b2 */
static bool take_colour(const char **at, FILE *out)
{
    const char *p = *at;
    long parts[3];
    if (!take(&p, "rgb(")) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        char *end;
        parts[i] = strtol(p, &end, 10);
        if (end == p || parts[i] < 0 || parts[i] > 255 || *end != (i < 2 ? ',' : ')')) {
            return false;
        }
        p = end + 1;
    }
    fprintf(out, "#%02lx%02lx%02lx", parts[0], parts[1], parts[2]);
    *at = p;
    return true;
}

/* id='gpPt3' and href='#gpPt3': the page has many charts, and each id once. */
static bool take_id(const char **at, size_t number, FILE *out)
{
    static const char *const starts[] = {" id='", " id=\"", "href='#", "url(#"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (take(at, starts[i])) {
            fprintf(out, "%sc%zu-", starts[i], number);
            return true;
        }
    }
    return false;
}

/* A label: three bytes U+E000.., then x to the name's length. */
static bool take_label(const char **at, const struct chart_labels *labels, FILE *out)
{
    const unsigned char *p = (const unsigned char *)*at;
    if ((p[0] != 0xEE && p[0] != 0xEF) || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) {
        return false;
    }
    size_t index =
        (size_t)((p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F)) - CHART_LABEL_FIRST;
    if (index >= labels->count) {
        return false;
    }
    fputs(labels->names[index], out);
    *at += 3;
    while (**at == 'x') {
        (*at)++;
    }
    return true;
}

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\n");
}

/* <g ...></g> with nothing in it: gnuplot writes dozens of them. */
static bool skip_empty_group(const char **at)
{
    if (strncmp(*at, "<g ", 3) != 0) {
        return false;
    }
    const char *end = strchr(*at, '>');
    const char *p = end ? skip_space(end + 1) : NULL;
    if (!p || !take(&p, "</g>")) {
        return false;
    }
    *at = skip_space(p);
    return true;
}

static bool skip_element(const char **at, const char *start, const char *end)
{
    if (strncmp(*at, start, strlen(start)) != 0) {
        return false;
    }
    const char *found = strstr(*at, end);
    if (!found) {
        return false;
    }
    *at = skip_space(found + strlen(end));
    return true;
}

bool chart_svg_take(const char *svg, size_t number, const struct chart_labels *labels, FILE *out)
{
    const char *at = strstr(svg, "<svg");
    const char *end = at ? strstr(at, "</svg>") : NULL;
    if (!end) {
        return false;
    }
    while (at < end) {
        if (skip_empty_group(&at) || skip_element(&at, "<title>", "</title>") ||
            skip_element(&at, "<desc>", "</desc>") || skip_element(&at, "<filter", "</filter>") ||
            take_colour(&at, out) || take_id(&at, number, out) || take_label(&at, labels, out)) {
            continue;
        }
        if (*at == '\n' || *at == '\t') {
            fputc('\n', out);
            at = skip_space(at);
            continue;
        }
        fputc(*at++, out);
    }
    fputs("</svg>", out);
    return true;
}
