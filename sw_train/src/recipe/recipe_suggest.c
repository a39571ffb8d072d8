/* SPDX-License-Identifier: Apache-2.0 */
/* The message for a key that does not exist: the nearest one, and those that its section has. */
#include "recipe/recipe_schema.h"
#include "recipe/yaml_entries.h"

#include <stdio.h>
#include <string.h>

/* Levenshtein's distance, for short words. */
static size_t word_distance(const char *a, const char *b)
{
    size_t row[YAML_PATH_SIZE + 1];
    size_t b_length = strlen(b);
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_length];
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

/* The known key most like `path`: few letters apart, or nearly the same word elsewhere. */
static const char *nearest_key(const struct recipe_keys *keys, const char *path)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < keys->count; i++) {
        const char *known = keys->items[i].path;
        size_t distance = word_distance(path, known);
        size_t elsewhere = 2 + word_distance(last_part(path), last_part(known));
        distance = elsewhere < distance ? elsewhere : distance;
        if (distance < best) {
            best = distance;
            nearest = known;
        }
    }
    return nearest;
}

/* "epochs, batch, ..., schedule": the keys right below a section. */
static void list_keys(const struct recipe_keys *keys, const char *section, size_t section_length,
                      char *text, size_t size)
{
    size_t used = 0, last_length = 0;
    const char *last = "";
    text[0] = '\0';
    for (size_t i = 0; i < keys->count && used < size; i++) {
        const char *path = keys->items[i].path;
        if (section_length > 0 &&
            (strncmp(path, section, section_length) != 0 || path[section_length] != '.')) {
            continue;
        }
        const char *key = path + section_length + (section_length > 0 ? 1 : 0);
        size_t length = strcspn(key, ".");
        if (length != last_length || strncmp(key, last, length) != 0) {
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", used > 0 ? ", " : "",
                                     (int)length, key);
        }
        last = key;
        last_length = length;
    }
}

bittern_status recipe_keys_fail_unknown(const struct recipe_keys *keys, const char *path,
                                        const char *where, struct bittern_error *err)
{
    char known[512];
    const char *dot = strrchr(path, '.');
    size_t length = dot != NULL ? (size_t)(dot - path) : 0;
    const char *nearest = nearest_key(keys, path);
    list_keys(keys, path, length, known, sizeof known);
    if (known[0] == '\0') {
        length = 0;
        list_keys(keys, path, 0, known, sizeof known);
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "%s: there is no key \"%s\"; %s%s%s%.*s has: %s", where, path,
                             nearest != NULL ? "did you mean \"" : "",
                             nearest != NULL ? nearest : "", nearest != NULL ? "\"? " : "",
                             length > 0 ? (int)length : 8, length > 0 ? path : "a recipe", known);
}
