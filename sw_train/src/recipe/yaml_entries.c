/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml gives a stream of events; a small state (the path so far, one length a level) turns them
 * into entries. The events come one by one, so that a hostile file ends at its first bad event and
 * never grows in memory beyond its own size.
 */
#include "recipe/yaml_entries.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 5
#define MAX_LIST_ITEMS 64

struct reader {
    yaml_parser_t parser;
    const char *text, *name;
    struct yaml_entries *entries;
    struct bittern_error *err;
    char path[YAML_PATH_SIZE];
    size_t lengths[MAX_DEPTH]; /* of the path at each open section */
    size_t depth;
    bool have_key; /* path ends in a key whose value comes next */
    size_t key_line;
    size_t documents;
    struct yaml_entry *list; /* open list */
    size_t list_items;
};

static bittern_status fail_at(const struct reader *reader, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bittern_status fail_at(const struct reader *reader, size_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)bittern_error_set_va(reader->err, BITTERN_ERR_FORMAT, format, args);
    va_end(args);
    bittern_error_prefix(reader->err, "%s:%zu", reader->name, line);
    return BITTERN_ERR_FORMAT;
}

/* libyaml's own complaint: syntax, tabs, bytes that are not UTF-8, a file cut off. */
static bittern_status fail_syntax(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line + 1;
    if (parser->error == YAML_MEMORY_ERROR) {
        return bittern_error_set(reader->err, BITTERN_ERR_MEMORY, "%s: out of memory",
                                 reader->name);
    }
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && reader->text[i] != '\0'; i++) {
            line += reader->text[i] == '\n';
        }
    }
    return fail_at(reader, line,
                   "this is not valid YAML: %s%s%s (sections are indented by spaces, "
                   "a key is followed by ': ')",
                   parser->problem != NULL ? parser->problem : "syntax error",
                   parser->context != NULL ? " " : "",
                   parser->context != NULL ? parser->context : "");
}

/* Bytes of the UTF-8 character at `at`, and the character; 0 where there is none. */
static size_t decode_utf8(const unsigned char *at, size_t size, uint32_t *character)
{
    static const uint32_t first_of_length[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80             ? 1
                    : (at[0] & 0xe0) == 0xc0 ? 2
                    : (at[0] & 0xf0) == 0xe0 ? 3
                    : (at[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (length == 0 || length > size) {
        return 0;
    }
    uint32_t value = length == 1 ? at[0] : at[0] & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3f);
    }
    *character = value;
    return value >= first_of_length[length] ? length : 0;
}

bool yaml_value_is_plain(const char *value, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        size_t length = decode_utf8((const unsigned char *)value + i, size - i, &c);
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
        bool no_character = (c >= 0xd800 && c < 0xe000) || c == 0xfeff || c == 0xfffe ||
                            c == 0xffff || c > 0x10ffff;
        if (length == 0 || control || no_character) {
            return false;
        }
        i += length;
    }
    return true;
}

static char *copy_bytes(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, bytes, size);
        copy[size] = '\0';
    }
    return copy;
}

static bittern_status append(struct reader *reader, enum yaml_entry_kind kind, const char *value,
                             size_t size)
{
    struct yaml_entries *entries = reader->entries;
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity == 0 ? 64 : 2 * entries->capacity;
        struct yaml_entry *items = realloc(entries->items, capacity * sizeof *items);
        if (items == NULL) {
            return bittern_error_set(reader->err, BITTERN_ERR_MEMORY, "%s: out of memory",
                                     reader->name);
        }
        entries->items = items;
        entries->capacity = capacity;
    }
    struct yaml_entry *entry = &entries->items[entries->count];
    *entry = (struct yaml_entry){.kind = kind, .line = reader->key_line};
    memcpy(entry->path, reader->path, sizeof entry->path);
    entry->value = copy_bytes(value, size);
    if (entry->value == NULL) {
        return bittern_error_set(reader->err, BITTERN_ERR_MEMORY, "%s: out of memory",
                                 reader->name);
    }
    entries->count++;
    return BITTERN_OK;
}

static void leave_key(struct reader *reader)
{
    reader->path[reader->lengths[reader->depth - 1]] = '\0';
    reader->have_key = false;
}

static bittern_status enter_key(struct reader *reader, const char *key, size_t size, size_t line)
{
    size_t length = reader->lengths[reader->depth - 1];
    if (reader->entries->count >= YAML_MAX_ENTRIES) {
        return fail_at(reader, line, "more than %d keys: this is no recipe", YAML_MAX_ENTRIES);
    }
    if (size == 0 || length + 1 + size >= sizeof reader->path) {
        return fail_at(reader, line, "a key of %zu characters: there is no such key", size);
    }
    if (length > 0) {
        reader->path[length++] = '.';
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)key[i];
        if (c <= ' ' || c == '.' || c > '~') {
            return fail_at(reader, line,
                           "a key has letters, digits and '_' alone, and sections are nested by "
                           "indentation");
        }
        reader->path[length + i] = key[i];
    }
    reader->path[length + size] = '\0';
    for (size_t i = 0; i < reader->entries->count; i++) {
        if (strcmp(reader->entries->items[i].path, reader->path) == 0) {
            return fail_at(reader, line,
                           "\"%s\" stands here a second time; the first is in line "
                           "%zu: keep one",
                           reader->path, reader->entries->items[i].line);
        }
    }
    reader->have_key = true;
    reader->key_line = line;
    return BITTERN_OK;
}

static bittern_status append_item(struct reader *reader, const char *value, size_t size)
{
    size_t old = strlen(reader->list->value);
    if (++reader->list_items > MAX_LIST_ITEMS) {
        return fail_at(reader, reader->list->line, "\"%s\" has more than %d values",
                       reader->list->path, MAX_LIST_ITEMS);
    }
    char *joined = realloc(reader->list->value, old + size + 2);
    if (joined == NULL) {
        return bittern_error_set(reader->err, BITTERN_ERR_MEMORY, "%s: out of memory",
                                 reader->name);
    }
    reader->list->value = joined;
    if (reader->list_items > 1) {
        joined[old++] = ',';
    }
    memcpy(joined + old, value, size);
    joined[old + size] = '\0';
    return BITTERN_OK;
}

static bittern_status on_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    size_t line = event->start_mark.line + 1;
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL) {
        return fail_at(reader, line, "anchors (&) and tags (!) have no use in a recipe");
    }
    if (!yaml_value_is_plain(value, size)) {
        return fail_at(reader, line, "a value stands in one line, without control characters");
    }
    if (reader->depth == 0) {
        return fail_at(reader, line,
                       "a recipe has sections with keys, such as \"data:\"; here is "
                       "a single value");
    }
    if (reader->list != NULL) {
        return append_item(reader, value, size);
    }
    if (!reader->have_key) {
        return enter_key(reader, value, size, line);
    }
    bittern_status status = append(reader, YAML_SCALAR, value, size);
    leave_key(reader);
    return status;
}

static bittern_status on_mapping_start(struct reader *reader, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL) {
        return fail_at(reader, line, "anchors (&) and tags (!) have no use in a recipe");
    }
    if (reader->list != NULL || (reader->depth > 0 && !reader->have_key)) {
        return fail_at(reader, line, "a section cannot stand here; a key or value is expected");
    }
    if (reader->depth == MAX_DEPTH) {
        return fail_at(reader, line, "sections are nested more deeply than in any recipe");
    }
    if (reader->depth > 0) {
        bittern_status status = append(reader, YAML_SECTION, "", 0);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    reader->lengths[reader->depth++] = strlen(reader->path);
    reader->have_key = false;
    return BITTERN_OK;
}

static void on_mapping_end(struct reader *reader)
{
    if (--reader->depth > 0) {
        leave_key(reader);
    }
}

static bittern_status on_sequence_start(struct reader *reader, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    if (event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL) {
        return fail_at(reader, line, "anchors (&) and tags (!) have no use in a recipe");
    }
    if (reader->depth == 0 || !reader->have_key || reader->list != NULL) {
        return fail_at(reader, line, "a list cannot stand here");
    }
    bittern_status status = append(reader, YAML_LIST, "", 0);
    if (status == BITTERN_OK) {
        reader->list = &reader->entries->items[reader->entries->count - 1];
        reader->list_items = 0;
    }
    return status;
}

static bittern_status on_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++reader->documents > 1) {
            return fail_at(reader, event->start_mark.line + 1,
                           "a second document begins here; a recipe is one");
        }
        return BITTERN_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_MAPPING_START_EVENT:
        return on_mapping_start(reader, event);
    case YAML_MAPPING_END_EVENT:
        on_mapping_end(reader);
        return BITTERN_OK;
    case YAML_SEQUENCE_START_EVENT:
        return on_sequence_start(reader, event);
    case YAML_SEQUENCE_END_EVENT:
        reader->list = NULL;
        leave_key(reader);
        return BITTERN_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(reader, event->start_mark.line + 1,
                       "aliases (*) have no use in a recipe: write the value");
    default:
        return BITTERN_OK;
    }
}

bittern_status yaml_entries_parse(const char *text, size_t size, const char *name,
                                  struct yaml_entries *entries, struct bittern_error *err)
{
    struct reader reader = {.text = text, .name = name, .entries = entries, .err = err};
    bittern_status status = BITTERN_OK;
    bool end = false;
    if (yaml_parser_initialize(&reader.parser) == 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "%s: out of memory", name);
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    while (status == BITTERN_OK && !end) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader.parser, &event) == 0) {
            status = fail_syntax(&reader);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        status = on_event(&reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reader.parser);
    return status;
}

void yaml_entries_clear(struct yaml_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].value);
    }
    free(entries->items);
    *entries = (struct yaml_entries){0};
}
