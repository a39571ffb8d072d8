/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a recipe file may hold: libcyaml's schema, which says where in struct recipe each key goes,
 * and one rule a key: its range, and the choice on which it depends ("bits" means something with
 * quantized activations only). Reading, writing and comparing all run over the flat list of keys
 * that recipe_keys makes of the schema.
 */
#ifndef BITTERN_TRAIN_RECIPE_SCHEMA_H
#define BITTERN_TRAIN_RECIPE_SCHEMA_H

#include "recipe/recipe.h"

#include <cyaml/cyaml.h>

#define RECIPE_MAX_KEYS 96
#define RECIPE_KEY_SIZE 64
#define RECIPE_VALUE_SIZE 600

extern const struct cyaml_schema_value recipe_schema;

struct recipe_key {
    char path[RECIPE_KEY_SIZE]; /* "training.schedule.kind" */
    const struct cyaml_schema_field *field;
    size_t offset, count_offset; /* in struct recipe; the latter of lists */
    double minimum, maximum;     /* numbers */
    bool above_minimum;          /* the minimum itself is not allowed */
    size_t selector;             /* key whose choice decides whether this one applies, */
    uint64_t choices;            /* with the bits of these choices; 0: always */
};

struct recipe_keys {
    struct recipe_key items[RECIPE_MAX_KEYS];
    size_t count;
};

/* All keys, in the order in which they are written. */
void recipe_keys_list(struct recipe_keys *keys);
/* SIZE_MAX: there is no such key. */
size_t recipe_keys_find(const struct recipe_keys *keys, const char *path);
/* A section such as "training" or "training.schedule". */
bool recipe_keys_is_section(const struct recipe_keys *keys, const char *path);

/* "WHERE: there is no key ...": with the nearest one, and all of its section. */
bittern_status recipe_keys_fail_unknown(const struct recipe_keys *keys, const char *path,
                                        const char *where, struct bittern_error *err);

/* Whether a value that a file has is right for a key; if not, `why` says what would be. */
bool recipe_key_accepts(const struct recipe_key *key, const char *value, bool list, char *why,
                        size_t why_size);
/* "must be one of ...", "must be a whole number from 1 to 100000": for messages. */
void recipe_key_describe(const struct recipe_key *key, char *text, size_t size);

/* Whether the key means something under the choices that the recipe makes. */
bool recipe_key_applies(const struct recipe_keys *keys, const struct recipe_key *key,
                        const struct recipe *recipe);
/* The recipe's value as a file has it, in the shortest form that reads back exactly. */
void recipe_key_format(const struct recipe_key *key, const struct recipe *recipe, char *text,
                       size_t size);
void recipe_key_copy(const struct recipe_key *key, const struct recipe *from, struct recipe *to);

/* One "key: value" line a key, sections in between; value NULL: leave out. To be freed. */
bittern_status recipe_keys_emit(const struct recipe_keys *keys, const char *const *values,
                                char **text, struct bittern_error *err);

#endif
