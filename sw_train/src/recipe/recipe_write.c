/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recipe as canonical YAML, and two recipes compared key by key. Both leave out keys that mean
 * nothing under the recipe's choices, as reading would refuse them.
 */
#include "recipe/recipe_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bittern_status recipe_write(const struct recipe *recipe, char **text, struct bittern_error *err)
{
    struct recipe_keys keys;
    const char *values[RECIPE_MAX_KEYS] = {0};
    recipe_keys_list(&keys);
    char(*formatted)[RECIPE_VALUE_SIZE] = calloc(keys.count, sizeof *formatted);
    if (formatted == NULL) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for a recipe");
    }
    for (size_t i = 0; i < keys.count; i++) {
        const struct recipe_key *key = &keys.items[i];
        recipe_key_format(key, recipe, formatted[i], sizeof formatted[i]);
        if (recipe_key_applies(&keys, key, recipe)) {
            values[i] = formatted[i];
        }
    }
    bittern_status status = recipe_keys_emit(&keys, values, text, err);
    free(formatted);
    return status;
}

static void note_difference(char *message, size_t size, const char *text)
{
    size_t used = strlen(message);
    if (used < size) {
        (void)snprintf(message + used, size - used, "%s%s", used > 0 ? "; " : "", text);
    }
}

size_t recipe_compare(const struct recipe *a, const struct recipe *b, char *message, size_t size)
{
    struct recipe_keys keys;
    size_t differences = 0;
    recipe_keys_list(&keys);
    if (size > 0) {
        message[0] = '\0';
    }
    for (size_t i = 0; i < keys.count; i++) {
        const struct recipe_key *key = &keys.items[i];
        char value_a[RECIPE_VALUE_SIZE], value_b[RECIPE_VALUE_SIZE], text[256];
        bool in_a = recipe_key_applies(&keys, key, a), in_b = recipe_key_applies(&keys, key, b);
        recipe_key_format(key, a, value_a, sizeof value_a);
        recipe_key_format(key, b, value_b, sizeof value_b);
        if ((!in_a && !in_b) || (in_a == in_b && strcmp(value_a, value_b) == 0)) {
            continue;
        }
        if (++differences > 4 || size == 0) {
            continue;
        }
        (void)snprintf(text, sizeof text, "%s is %.80s, not %.80s", key->path,
                       in_a ? value_a : "unused", in_b ? value_b : "unused");
        note_difference(message, size, text);
    }
    if (differences > 4 && size > 0) {
        char text[64];
        (void)snprintf(text, sizeof text, "and %zu more", differences - 4);
        note_difference(message, size, text);
    }
    return differences;
}
