/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file of nested sections as a flat list: "training.schedule.kind" = "cosine", line 12.
 * Lines are what error messages need and what a loader into a struct loses. Only what a recipe can
 * have is accepted: one document, no anchors, aliases or tags, no key twice, few levels.
 */
#ifndef BITTERN_TRAIN_YAML_ENTRIES_H
#define BITTERN_TRAIN_YAML_ENTRIES_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>

#define YAML_PATH_SIZE 96
#define YAML_MAX_ENTRIES 512

enum yaml_entry_kind { YAML_SECTION, YAML_SCALAR, YAML_LIST };

struct yaml_entry {
    enum yaml_entry_kind kind;
    char path[YAML_PATH_SIZE];
    char *value; /* of a list: items with ',' between them; of a section: "" */
    size_t line; /* 1.. */
};

struct yaml_entries {
    struct yaml_entry *items;
    size_t count, capacity;
};

/* @param name  for messages: "NAME:LINE: what is wrong" */
bittern_status yaml_entries_parse(const char *text, size_t size, const char *name,
                                  struct yaml_entries *entries, struct bittern_error *err);
void yaml_entries_clear(struct yaml_entries *entries);

/* Whether a value is one line of UTF-8 without control characters: YAML keeps such a text as it is.
 */
bool yaml_value_is_plain(const char *value, size_t size);

#endif
