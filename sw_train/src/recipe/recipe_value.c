/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of a recipe: checked as text, described, formatted, copied, and put into YAML. */
#include "recipe/recipe_schema.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Checking -------------------------------------------------------------------------------- */

static const cyaml_strval_t *find_choice(const cyaml_schema_value_t *schema, const char *value)
{
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        if (strcmp(schema->enumeration.strings[i].str, value) == 0) {
            return &schema->enumeration.strings[i];
        }
    }
    return NULL;
}

void recipe_key_describe(const struct recipe_key *key, char *text, size_t size)
{
    const cyaml_schema_value_t *schema = &key->field->value;
    size_t used = 0;
    switch (schema->type) {
    case CYAML_ENUM:
        used = (size_t)snprintf(text, size, "must be one of");
        for (uint32_t i = 0; i < schema->enumeration.count && used < size; i++) {
            used += (size_t)snprintf(text + used, size - used, "%s %s", i > 0 ? "," : "",
                                     schema->enumeration.strings[i].str);
        }
        break;
    case CYAML_BOOL:
        (void)snprintf(text, size, "must be true or false");
        break;
    case CYAML_UINT:
        (void)snprintf(text, size, "must be a whole number from %.10g to %.10g", key->minimum,
                       key->maximum);
        break;
    case CYAML_STRING:
        (void)snprintf(text, size, "must be a text of at most %u characters", schema->string.max);
        break;
    case CYAML_SEQUENCE:
        (void)snprintf(text, size,
                       "must be a list of at most %u numbers, each more than the one before and "
                       "at most %.10g, as in [80, 120]",
                       schema->sequence.max, key->maximum);
        break;
    default:
        (void)snprintf(text, size, "must be a number %s %.10g and at most %.10g",
                       key->above_minimum ? "above" : "of at least", key->minimum, key->maximum);
        break;
    }
}

static bool in_range(const struct recipe_key *key, double number)
{
    return isfinite(number) && number <= key->maximum &&
           (key->above_minimum ? number > key->minimum : number >= key->minimum);
}

/* Decimal digits alone: "010" or "0x10" would surprise whoever reads them. */
static bool accepts_uint(const struct recipe_key *key, const char *value)
{
    size_t length = strspn(value, "0123456789");
    return length > 0 && length <= 10 && value[length] == '\0' &&
           (value[0] != '0' || length == 1) && in_range(key, strtod(value, NULL));
}

static bool parse_float(const char *value, size_t size, double *number)
{
    char text[64], *end = NULL;
    if (size == 0 || size >= sizeof text || strspn(value, "0123456789.eE+-") < size) {
        return false;
    }
    memcpy(text, value, size);
    text[size] = '\0';
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

static bool accepts_list(const struct recipe_key *key, const char *value)
{
    double last = -INFINITY;
    size_t count = 0;
    while (*value != '\0') {
        size_t size = strcspn(value, ",");
        double number = 0;
        if (++count > key->field->value.sequence.max || !parse_float(value, size, &number) ||
            !in_range(key, number) || number <= last) {
            return false;
        }
        last = number;
        value += size;
        if (*value == ',' && *++value == '\0') {
            return false;
        }
    }
    return true;
}

bool recipe_key_accepts(const struct recipe_key *key, const char *value, bool list, char *why,
                        size_t why_size)
{
    const cyaml_schema_value_t *schema = &key->field->value;
    double number = 0;
    bool right = list == (schema->type == CYAML_SEQUENCE);
    if (right) {
        switch (schema->type) {
        case CYAML_ENUM:
            right = find_choice(schema, value) != NULL;
            break;
        case CYAML_BOOL:
            right = strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
            break;
        case CYAML_UINT:
            right = accepts_uint(key, value);
            break;
        case CYAML_STRING:
            right = strlen(value) <= schema->string.max;
            break;
        case CYAML_SEQUENCE:
            right = accepts_list(key, value);
            break;
        default:
            right = parse_float(value, strlen(value), &number) && in_range(key, number);
            break;
        }
    }
    if (!right) {
        recipe_key_describe(key, why, why_size);
    }
    return right;
}

/* ---- Values in struct recipe ----------------------------------------------------------------- */

/* Whole numbers of 1, 4 and 8 bytes: bool, enum, unsigned, size_t. */
static uint64_t read_whole(const struct recipe_key *key, const struct recipe *recipe)
{
    const char *at = (const char *)recipe + key->offset;
    uint8_t byte = 0;
    uint32_t word = 0;
    uint64_t number = 0;
    switch (key->field->value.data_size) {
    case sizeof byte:
        memcpy(&byte, at, sizeof byte);
        return byte;
    case sizeof word:
        memcpy(&word, at, sizeof word);
        return word;
    default:
        memcpy(&number, at, sizeof number);
        return number;
    }
}

#define FLOAT_SIZE 32

/* The fewest digits that give the same double again. */
static void format_float(double number, char text[FLOAT_SIZE])
{
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, FLOAT_SIZE, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
}

static void format_list(const struct recipe_key *key, const struct recipe *recipe, char *text,
                        size_t size)
{
    size_t count = 0, used = 0;
    memcpy(&count, (const char *)recipe + key->count_offset, sizeof count);
    text[0] = '\0';
    for (size_t i = 0; i < count && used + FLOAT_SIZE + 1 < size; i++) {
        char item[FLOAT_SIZE];
        double number = 0;
        memcpy(&number, (const char *)recipe + key->offset + i * sizeof number, sizeof number);
        format_float(number, item);
        if (i > 0) {
            text[used++] = ',';
        }
        memcpy(text + used, item, strlen(item) + 1);
        used += strlen(item);
    }
}

void recipe_key_format(const struct recipe_key *key, const struct recipe *recipe, char *text,
                       size_t size)
{
    const cyaml_schema_value_t *schema = &key->field->value;
    char item[FLOAT_SIZE];
    double number = 0;
    uint64_t whole = 0;
    switch (schema->type) {
    case CYAML_ENUM:
        whole = read_whole(key, recipe);
        (void)snprintf(text, size, "?");
        for (uint32_t i = 0; i < schema->enumeration.count; i++) {
            if ((uint64_t)schema->enumeration.strings[i].val == whole) {
                (void)snprintf(text, size, "%s", schema->enumeration.strings[i].str);
            }
        }
        break;
    case CYAML_BOOL:
        (void)snprintf(text, size, "%s", read_whole(key, recipe) != 0 ? "true" : "false");
        break;
    case CYAML_UINT:
        (void)snprintf(text, size, "%llu", (unsigned long long)read_whole(key, recipe));
        break;
    case CYAML_STRING:
        (void)snprintf(text, size, "%s", (const char *)recipe + key->offset);
        break;
    case CYAML_SEQUENCE:
        format_list(key, recipe, text, size);
        break;
    default:
        memcpy(&number, (const char *)recipe + key->offset, sizeof number);
        format_float(number, item);
        (void)snprintf(text, size, "%s", item);
        break;
    }
}

bool recipe_key_applies(const struct recipe_keys *keys, const struct recipe_key *key,
                        const struct recipe *recipe)
{
    if (strcmp(key->path, "network.layers") == 0) {
        return recipe->network.name[0] == '\0';
    }
    if (strcmp(key->path, "network.name") == 0) {
        return recipe->network.name[0] != '\0';
    }
    if (key->selector == SIZE_MAX) {
        return true;
    }
    uint64_t choice = read_whole(&keys->items[key->selector], recipe);
    return choice < 64 && (key->choices >> choice & 1) != 0;
}

void recipe_key_copy(const struct recipe_key *key, const struct recipe *from, struct recipe *to)
{
    size_t size = key->field->value.data_size;
    if (key->field->value.type == CYAML_SEQUENCE) {
        size *= key->field->value.sequence.max;
        memcpy((char *)to + key->count_offset, (const char *)from + key->count_offset,
               sizeof(size_t));
    }
    memcpy((char *)to + key->offset, (const char *)from + key->offset, size);
}

/* ---- YAML ------------------------------------------------------------------------------------ */

struct text {
    char *bytes;
    size_t size, capacity;
    bool failed;
};

static void put(struct text *text, const char *bytes, size_t size)
{
    if (text->failed) {
        return;
    }
    if (text->capacity - text->size <= size) {
        size_t capacity = 2 * text->capacity + size + 1024;
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            text->failed = true;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

static void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void put_quoted(struct text *text, const char *string)
{
    put(text, "\"", 1);
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\') {
            put(text, "\\", 1);
        }
        put(text, string, 1);
    }
    put(text, "\"", 1);
}

/* "80,120" -> "[80, 120]" */
static void put_list(struct text *text, const char *items)
{
    put(text, "[", 1);
    for (; *items != '\0'; items++) {
        put(text, items, 1);
        if (*items == ',') {
            put(text, " ", 1);
        }
    }
    put(text, "]", 1);
}

/* Lines for the sections that `path` is in and `previous` was not. */
static size_t put_sections(struct text *text, const char *previous, const char *path)
{
    size_t depth = 0, start = 0;
    bool same = true;
    for (size_t i = 0; path[i] != '\0'; i++) {
        same = same && previous[i] == path[i];
        if (path[i] != '.') {
            continue;
        }
        if (!same) {
            put(text, "      ", 2 * depth);
            put(text, path + start, i - start);
            put(text, ":\n", 2);
        }
        depth++;
        start = i + 1;
    }
    put(text, "      ", 2 * depth);
    return start;
}

bittern_status recipe_keys_emit(const struct recipe_keys *keys, const char *const *values,
                                char **text, struct bittern_error *err)
{
    struct text out = {0};
    const char *previous = "";
    put_string(&out, "");
    for (size_t i = 0; i < keys->count; i++) {
        const struct recipe_key *key = &keys->items[i];
        if (values[i] == NULL) {
            continue;
        }
        put_string(&out, key->path + put_sections(&out, previous, key->path));
        put_string(&out, ": ");
        if (key->field->value.type == CYAML_STRING) {
            put_quoted(&out, values[i]);
        } else if (key->field->value.type == CYAML_SEQUENCE) {
            put_list(&out, values[i]);
        } else {
            put_string(&out, values[i]);
        }
        put_string(&out, "\n");
        previous = key->path;
    }
    if (out.failed) {
        free(out.bytes);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a recipe");
    }
    *text = out.bytes;
    return BITTERN_OK;
}
