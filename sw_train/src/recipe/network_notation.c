/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notation of layers: elements joined by '-'.
 *
 *   128C3    convolution, 128 filters of 3x3, stride 1, padded so that the size stays;
 *            options: s2 (stride), p0 (padding)
 *   512      full connection
 *   MP2 AP2  maximum or average pool of 2x2, stride 2; options as above
 *   GAP      average over the whole image
 *   D0.5     dropout
 *   2x(...)  the part in parentheses so many times; not nested
 */
#include "recipe/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILTERS 65536
#define MAX_KERNEL 64
#define MAX_STRIDE 64
#define MAX_REPEATS 100

struct notation {
    const char *text, *at;
    struct network_element *elements;
    size_t count, capacity;
    struct bittern_error *err;
};

static bittern_status fail_here(const struct notation *notation, const char *expected)
{
    const char *at = notation->at;
    return bittern_error_set(
        notation->err, BITTERN_ERR_FORMAT, "in layers \"%.200s\" at character %zu (%s%.12s%s): %s",
        notation->text, (size_t)(at - notation->text) + 1, *at == '\0' ? "" : "\"",
        *at == '\0' ? "the end" : at, *at == '\0' ? "" : "\"", expected);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A whole number from `minimum` to `maximum`; on failure `at` stays where it begins. */
static bool take_number(struct notation *notation, size_t minimum, size_t maximum, size_t *number)
{
    const char *c = notation->at;
    size_t value = 0;
    while (is_digit(*c) && value <= maximum) {
        value = 10 * value + (size_t)(*c++ - '0');
    }
    if (c == notation->at || is_digit(*c) || value < minimum || value > maximum) {
        return false;
    }
    notation->at = c;
    *number = value;
    return true;
}

static bool take_word(struct notation *notation, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(notation->at, word, length) != 0) {
        return false;
    }
    notation->at += length;
    return true;
}

static bittern_status add_element(struct notation *notation, const struct network_element *element)
{
    if (notation->count == notation->capacity) {
        return bittern_error_set(notation->err, BITTERN_ERR_RANGE,
                                 "layers \"%.200s\" has more than %zu elements", notation->text,
                                 notation->capacity);
    }
    notation->elements[notation->count++] = *element;
    return BITTERN_OK;
}

/* "s2", "p0" behind a convolution or pool, each at most once. */
static bittern_status take_options(struct notation *notation, struct network_element *element)
{
    bool have_stride = false, have_pad = false;
    for (;;) {
        const char *start = notation->at;
        if (!have_stride && take_word(notation, "s")) {
            have_stride = true;
            if (!take_number(notation, 1, MAX_STRIDE, &element->stride)) {
                return fail_here(notation, "a stride is a number from 1 to 64, as in s2");
            }
        } else if (!have_pad && take_word(notation, "p")) {
            have_pad = true;
            if (!take_number(notation, 0, element->kernel / 2, &element->pad)) {
                notation->at = start;
                return fail_here(notation, "padding goes from p0 to half the kernel's size");
            }
        } else {
            return BITTERN_OK;
        }
    }
}

static bittern_status take_kernel(struct notation *notation, struct network_element *element)
{
    if (!take_number(notation, 1, MAX_KERNEL, &element->kernel)) {
        return fail_here(notation, "the kernel's size is a number from 1 to 64");
    }
    bool conv = element->kind == ELEMENT_CONV;
    element->stride = conv ? 1 : element->kernel;
    element->pad = conv ? (element->kernel - 1) / 2 : 0;
    bittern_status status = take_options(notation, element);
    return status == BITTERN_OK ? add_element(notation, element) : status;
}

static bittern_status take_dropout(struct notation *notation)
{
    struct network_element element = {.kind = ELEMENT_DROPOUT};
    size_t length = strspn(notation->at, "0123456789.");
    char text[16] = "";
    if (length > 0 && length < sizeof text) {
        char *end = NULL;
        memcpy(text, notation->at, length);
        element.rate = strtod(text, &end);
        if (*end == '\0' && element.rate > 0 && element.rate < 1) {
            notation->at += length;
            return add_element(notation, &element);
        }
    }
    return fail_here(notation, "a dropout rate lies between 0 and 1, as in D0.5");
}

/* Behind the number of "128C3" or "512". */
static bittern_status take_weights(struct notation *notation, size_t filters)
{
    struct network_element element = {.kind = ELEMENT_FC, .filters = filters};
    if (take_word(notation, "C")) {
        element.kind = ELEMENT_CONV;
        return take_kernel(notation, &element);
    }
    return add_element(notation, &element);
}

static bittern_status take_element(struct notation *notation)
{
    struct network_element element = {0};
    size_t filters = 0;
    if (take_word(notation, "GAP")) {
        element.kind = ELEMENT_GLOBAL_AVERAGE_POOL;
        return add_element(notation, &element);
    }
    if (take_word(notation, "MP") || take_word(notation, "AP")) {
        element.kind = notation->at[-2] == 'M' ? ELEMENT_MAX_POOL : ELEMENT_AVERAGE_POOL;
        return take_kernel(notation, &element);
    }
    if (take_word(notation, "D")) {
        return take_dropout(notation);
    }
    if (is_digit(*notation->at)) {
        if (!take_number(notation, 1, MAX_FILTERS, &filters)) {
            return fail_here(notation, "a layer has from 1 to 65536 filters or outputs");
        }
        return take_weights(notation, filters);
    }
    return fail_here(notation, "a layer is expected: 128C3, 512, MP2, AP2, GAP, D0.5 or 2x(...)");
}

static bittern_status take_separator(struct notation *notation, bool in_group, bool *more)
{
    *more = take_word(notation, "-");
    if (*more || *notation->at == '\0' || (in_group && *notation->at == ')')) {
        return BITTERN_OK;
    }
    return fail_here(notation, "'-' or the end is expected behind a layer; options are s2 and p0 "
                               "of convolutions and pools");
}

/* What stands in parentheses, `repeats` times over. */
static bittern_status take_group(struct notation *notation, size_t repeats)
{
    size_t first = notation->count;
    bool more = true;
    while (more) {
        bittern_status status = take_element(notation);
        if (status == BITTERN_OK) {
            status = take_separator(notation, true, &more);
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (!take_word(notation, ")")) {
        return fail_here(notation, "')' is missing");
    }
    size_t size = notation->count - first;
    for (size_t i = 0; i < (repeats - 1) * size; i++) {
        struct network_element copy = notation->elements[first + i];
        bittern_status status = add_element(notation, &copy);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    return BITTERN_OK;
}

/* "2x(": true, with `at` behind it. */
static bool take_repeat(struct notation *notation, size_t *repeats)
{
    const char *start = notation->at;
    if (take_number(notation, 1, MAX_REPEATS, repeats) && take_word(notation, "x(")) {
        return true;
    }
    notation->at = start;
    return false;
}

/* Full connections end a network: only dropout may stand between or behind them. */
static bittern_status check_order(const struct notation *notation)
{
    bool weights = false, flat = false;
    for (size_t i = 0; i < notation->count; i++) {
        enum element_kind kind = notation->elements[i].kind;
        if (flat && kind != ELEMENT_FC && kind != ELEMENT_DROPOUT) {
            return bittern_error_set(notation->err, BITTERN_ERR_FORMAT,
                                     "in layers \"%.200s\": element %zu is a convolution or pool "
                                     "behind a full connection, where no image is left",
                                     notation->text, i + 1);
        }
        flat = flat || kind == ELEMENT_FC;
        weights = weights || kind == ELEMENT_FC || kind == ELEMENT_CONV;
    }
    if (!weights) {
        return bittern_error_set(notation->err, BITTERN_ERR_FORMAT,
                                 "layers \"%.200s\" have no weights: there must be a convolution, "
                                 "as in 32C5, or a full connection, as in 10",
                                 notation->text);
    }
    return BITTERN_OK;
}

bittern_status network_parse(const char *layers, struct network_element *elements, size_t capacity,
                             size_t *count, struct bittern_error *err)
{
    struct notation notation = {
        .text = layers, .at = layers, .elements = elements, .capacity = capacity, .err = err};
    bool more = true;
    while (more) {
        size_t repeats = 0;
        bittern_status status = take_repeat(&notation, &repeats) ? take_group(&notation, repeats)
                                                                 : take_element(&notation);
        if (status == BITTERN_OK) {
            status = take_separator(&notation, false, &more);
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    *count = notation.count;
    return check_order(&notation);
}
