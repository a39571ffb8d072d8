/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML text and overrides to a recipe, in layers: the file's keys, then those under `quick:`,
 * then the overrides. Each value is checked where it stands, so that a message names its line or
 * its override. What is left is written out as one YAML text, which libcyaml loads into struct
 * recipe; keys that nobody gave get their defaults; at last recipe_check looks at the whole.
 */
#include "recipe/recipe_check.h"
#include "recipe/recipe_schema.h"
#include "recipe/yaml_entries.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_SIZE ((size_t)1 << 20)
/* Where a recipe has no `quick:` of its own. */
#define QUICK_EPOCHS "2"
#define QUICK_TRAIN_IMAGES "10000"

/* ---- Layers of settings ---------------------------------------------------------------------- */

struct reading {
    const char *name;
    struct recipe_keys keys;
    struct recipe_setting settings[RECIPE_MAX_KEYS]; /* a key; value NULL: not given */
    struct bittern_error *err;
};

static const char *without_quick(const char *path)
{
    return strncmp(path, "quick.", 6) == 0 ? path + 6 : path;
}

static bittern_status check_value(const struct reading *reading, const struct recipe_key *key,
                                  const char *value, bool list, const char *where)
{
    char why[512];
    if (recipe_key_accepts(key, value, list, why, sizeof why)) {
        return BITTERN_OK;
    }
    return bittern_error_set(reading->err, BITTERN_ERR_RANGE, "%s: %s is \"%.60s\", but %s", where,
                             key->path, value, why);
}

/* Each entry of the file must be a known section or a known key with a value that it may have. */
static bittern_status check_entry(const struct reading *reading, const struct yaml_entry *entry)
{
    char where[320];
    (void)snprintf(where, sizeof where, "%s:%zu", reading->name, entry->line);
    const char *path = without_quick(entry->path);
    size_t index = recipe_keys_find(&reading->keys, path);
    bool section =
        strcmp(entry->path, "quick") == 0 || recipe_keys_is_section(&reading->keys, path);
    if (section && entry->kind != YAML_SECTION) {
        return bittern_error_set(reading->err, BITTERN_ERR_FORMAT,
                                 "%s: \"%s\" is a section: its keys stand below it, indented",
                                 where, entry->path);
    }
    if (section) {
        return BITTERN_OK;
    }
    if (index == SIZE_MAX) {
        return recipe_keys_fail_unknown(&reading->keys, path, where, reading->err);
    }
    if (entry->kind == YAML_SECTION) {
        return bittern_error_set(reading->err, BITTERN_ERR_FORMAT,
                                 "%s: \"%s\" has a value, not keys below it", where, entry->path);
    }
    return check_value(reading, &reading->keys.items[index], entry->value, entry->kind == YAML_LIST,
                       where);
}

/* Settings that another choice would make meaningless, or give another meaning: chosen anew in a
 * later layer ("--set weights.method=twn"), they start from their defaults again. */
static void drop_dependents(struct reading *reading, size_t selector)
{
    const char *path = reading->keys.items[selector].path;
    for (size_t i = 0; i < reading->keys.count; i++) {
        const char *other = reading->keys.items[i].path;
        bool exclusive =
            (strcmp(path, "network.name") == 0 && strcmp(other, "network.layers") == 0) ||
            (strcmp(path, "network.layers") == 0 && strcmp(other, "network.name") == 0);
        if (reading->keys.items[i].selector == selector || exclusive) {
            reading->settings[i] = (struct recipe_setting){0};
        }
    }
}

static bool selects(const struct reading *reading, size_t index)
{
    const char *path = reading->keys.items[index].path;
    bool any = strcmp(path, "network.name") == 0 || strcmp(path, "network.layers") == 0;
    for (size_t i = 0; i < reading->keys.count; i++) {
        any = any || reading->keys.items[i].selector == index;
    }
    return any;
}

/* @param layered  false in the first layer, where nothing is replaced */
static void set_value(struct reading *reading, size_t index, const struct recipe_setting *setting,
                      bool layered)
{
    struct recipe_setting *old = &reading->settings[index];
    bool changes = old->value == NULL || strcmp(old->value, setting->value) != 0;
    if (layered && changes && selects(reading, index)) {
        drop_dependents(reading, index);
    }
    *old = *setting;
}

/* Choices come first, since they drop what depended on the choice before. */
static void set_file_layer(struct reading *reading, const struct yaml_entries *entries, bool quick)
{
    for (int choices = 1; choices >= 0; choices--) {
        for (size_t i = 0; i < entries->count; i++) {
            const struct yaml_entry *entry = &entries->items[i];
            size_t index = recipe_keys_find(&reading->keys, without_quick(entry->path));
            bool in_quick = strncmp(entry->path, "quick.", 6) == 0;
            if (index == SIZE_MAX || in_quick != quick ||
                selects(reading, index) != (choices == 1)) {
                continue;
            }
            struct recipe_setting setting = {.value = entry->value};
            (void)snprintf(setting.where, sizeof setting.where, "%s:%zu", reading->name,
                           entry->line);
            set_value(reading, index, &setting, quick);
        }
    }
}

/* A quick look at a recipe that does not say what that would be. */
static void set_default_quick(struct reading *reading)
{
    static const char *const paths[] = {"training.epochs", "data.train_images"};
    static const char *const values[] = {QUICK_EPOCHS, QUICK_TRAIN_IMAGES};
    for (size_t i = 0; i < 2; i++) {
        size_t index = recipe_keys_find(&reading->keys, paths[i]);
        const char *old = reading->settings[index].value;
        struct recipe_setting setting = {.value = values[i], .where = "--quick"};
        double number = old != NULL ? strtod(old, NULL) : 0;
        if (number <= 0 || number > strtod(values[i], NULL)) {
            reading->settings[index] = setting;
        }
    }
}

struct override {
    char *path, *value; /* both in one piece, of which path is the beginning */
    size_t index;
};

/* "training.schedule.milestones=[80, 120]": brackets and blanks of a list go. */
static void strip_list(char *value)
{
    char *to = value;
    for (const char *from = value; *from != '\0'; from++) {
        if (*from != ' ' && *from != '[' && *from != ']') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static bittern_status parse_override(struct reading *reading, const char *text,
                                     struct override *override)
{
    char where[320];
    (void)snprintf(where, sizeof where, "--set %.200s", text);
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || (size_t)(equals - text) >= YAML_PATH_SIZE) {
        return bittern_error_set(reading->err, BITTERN_ERR_ARGUMENT,
                                 "%s: write key=value, as in training.epochs=5", where);
    }
    override->path = strdup(text);
    if (override->path == NULL) {
        return bittern_error_set(reading->err, BITTERN_ERR_MEMORY, "out of memory for %s", where);
    }
    override->path[equals - text] = '\0';
    override->value = override->path + (equals - text) + 1;
    override->index = recipe_keys_find(&reading->keys, override->path);
    if (override->index == SIZE_MAX && recipe_keys_is_section(&reading->keys, override->path)) {
        return bittern_error_set(reading->err, BITTERN_ERR_FORMAT,
                                 "%s: \"%s\" is a section: set one of its keys", where,
                                 override->path);
    }
    if (override->index == SIZE_MAX) {
        return recipe_keys_fail_unknown(&reading->keys, override->path, where, reading->err);
    }
    if (!yaml_value_is_plain(override->value, strlen(override->value))) {
        return bittern_error_set(reading->err, BITTERN_ERR_FORMAT,
                                 "--set %s: a value is UTF-8 without control characters",
                                 override->path);
    }
    const struct recipe_key *key = &reading->keys.items[override->index];
    bool list = key->field->value.type == CYAML_SEQUENCE;
    if (list) {
        strip_list(override->value);
    }
    return check_value(reading, key, override->value, list, where);
}

static void set_override_layer(struct reading *reading, const struct override *overrides,
                               size_t count)
{
    for (int choices = 1; choices >= 0; choices--) {
        for (size_t i = 0; i < count; i++) {
            if (selects(reading, overrides[i].index) != (choices == 1)) {
                continue;
            }
            struct recipe_setting setting = {.value = overrides[i].value};
            (void)snprintf(setting.where, sizeof setting.where, "--set %.100s=%.100s",
                           overrides[i].path, overrides[i].value);
            set_value(reading, overrides[i].index, &setting, true);
        }
    }
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* libcyaml tells what it dislikes through its log; the first complaint is the reason. */
static void keep_first_message(cyaml_log_t level, void *context, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void keep_first_message(cyaml_log_t level, void *context, const char *format, va_list args)
{
    char *message = context;
    (void)level;
    if (message[0] == '\0') {
        (void)vsnprintf(message, 256, format, args);
        message[strcspn(message, "\n")] = '\0';
    }
}

static bittern_status load(const struct reading *reading, struct recipe *recipe)
{
    const char *values[RECIPE_MAX_KEYS];
    char message[256] = "";
    char *text = NULL;
    cyaml_data_t *loaded = NULL;
    const cyaml_config_t config = {.log_fn = keep_first_message,
                                   .log_ctx = message,
                                   .mem_fn = cyaml_mem,
                                   .log_level = CYAML_LOG_ERROR};
    for (size_t i = 0; i < reading->keys.count; i++) {
        values[i] = reading->settings[i].value;
    }
    bittern_status status = recipe_keys_emit(&reading->keys, values, &text, reading->err);
    if (status != BITTERN_OK) {
        return status;
    }
    cyaml_err_t result = cyaml_load_data((const uint8_t *)text, strlen(text), &config,
                                         &recipe_schema, &loaded, NULL);
    if (result != CYAML_OK || loaded == NULL) {
        status = bittern_error_set(reading->err, BITTERN_ERR_FORMAT, "%s: %s (%s)", reading->name,
                                   message[0] != '\0' ? message : "nothing in it",
                                   cyaml_strerror(result));
        goto cleanup;
    }
    memcpy(recipe, loaded, sizeof *recipe);
cleanup:
    if (loaded != NULL) {
        (void)cyaml_free(&config, &recipe_schema, loaded, 0);
    }
    free(text);
    return status;
}

static void fill_defaults(const struct reading *reading, struct recipe *recipe)
{
    /* The parts of `weights` start from their method's papers' values, so methods come first. */
    struct recipe defaults;
    recipe_defaults(&defaults);
    size_t weights = recipe_keys_find(&reading->keys, "weights.method");
    size_t first = recipe_keys_find(&reading->keys, "weights.first.method");
    size_t last = recipe_keys_find(&reading->keys, "weights.last.method");
    if (reading->settings[weights].value != NULL) {
        defaults.weights = method_defaults(recipe->weights.kind);
    }
    for (size_t i = 0; i < reading->keys.count; i++) {
        const struct recipe_key *key = &reading->keys.items[i];
        if (strncmp(key->path, "weights.", 8) == 0 &&
            strncmp(key->path, "weights.first.", 14) != 0 &&
            strncmp(key->path, "weights.last.", 13) != 0 && reading->settings[i].value == NULL) {
            recipe_key_copy(key, &defaults, recipe);
        }
    }
    defaults.weights = recipe->weights;
    defaults.first_weights =
        reading->settings[first].value != NULL && recipe->first_weights.kind != recipe->weights.kind
            ? method_defaults(recipe->first_weights.kind)
            : recipe->weights;
    defaults.last_weights =
        reading->settings[last].value != NULL && recipe->last_weights.kind != recipe->weights.kind
            ? method_defaults(recipe->last_weights.kind)
            : recipe->weights;
    for (size_t i = 0; i < reading->keys.count; i++) {
        if (reading->settings[i].value == NULL) {
            recipe_key_copy(&reading->keys.items[i], &defaults, recipe);
        }
    }
}

/* ".../mnist-lenet5-sq.yaml" -> "mnist-lenet5-sq", with '_' for what file names had better not
 * have. */
static void base_name_from_path(const char *path, struct recipe *recipe)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    bool yaml = dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    size_t length = yaml ? (size_t)(dot - file) : strlen(file);
    if (length >= sizeof recipe->base_name) {
        length = sizeof recipe->base_name - 1;
    }
    for (size_t i = 0; i < length; i++) {
        recipe->base_name[i] = file[i];
        if (!recipe_name_allows(file[i]) || (i == 0 && file[i] == '.')) {
            recipe->base_name[i] = '_';
        }
    }
    recipe->base_name[length] = '\0';
    if (length == 0) {
        (void)snprintf(recipe->base_name, sizeof recipe->base_name, "recipe");
    }
}

static bittern_status read_layers(struct reading *reading, const struct yaml_entries *entries,
                                  bool quick, const struct override *overrides,
                                  size_t override_count, struct recipe *recipe)
{
    bool has_quick = false;
    for (size_t i = 0; i < entries->count; i++) {
        bittern_status status = check_entry(reading, &entries->items[i]);
        if (status != BITTERN_OK) {
            return status;
        }
        has_quick = has_quick || strncmp(entries->items[i].path, "quick.", 6) == 0;
    }
    set_file_layer(reading, entries, false);
    if (quick && has_quick) {
        set_file_layer(reading, entries, true);
    } else if (quick) {
        set_default_quick(reading);
    }
    set_override_layer(reading, overrides, override_count);
    bittern_status status =
        recipe_check_required(&reading->keys, reading->settings, reading->name, reading->err);
    if (status == BITTERN_OK) {
        status = load(reading, recipe);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    fill_defaults(reading, recipe);
    if (recipe->base_name[0] == '\0') {
        base_name_from_path(reading->name, recipe);
    }
    return recipe_check(&reading->keys, reading->settings, reading->name, recipe, reading->err);
}

bittern_status recipe_parse(const char *text, size_t size, const char *name, bool quick,
                            const char *const *overrides, size_t override_count,
                            struct recipe *recipe, struct bittern_error *err)
{
    struct yaml_entries entries = {0};
    struct override *parsed = NULL;
    struct recipe result;
    bittern_status status = BITTERN_OK;
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "%s: out of memory", name);
    }
    reading->name = name;
    reading->err = err;
    recipe_keys_list(&reading->keys);
    if (size > MAX_FILE_SIZE) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "%s: %zu bytes; a recipe has at most 1 MiB", name, size);
        goto cleanup;
    }
    parsed = calloc(override_count + 1, sizeof *parsed);
    if (parsed == NULL) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "%s: out of memory", name);
        goto cleanup;
    }
    status = yaml_entries_parse(text, size, name, &entries, err);
    for (size_t i = 0; status == BITTERN_OK && i < override_count; i++) {
        status = parse_override(reading, overrides[i], &parsed[i]);
    }
    if (status == BITTERN_OK) {
        status = read_layers(reading, &entries, quick, parsed, override_count, &result);
    }
    if (status == BITTERN_OK) {
        *recipe = result;
    }
cleanup:
    for (size_t i = 0; parsed != NULL && i < override_count; i++) {
        free(parsed[i].path);
    }
    free(parsed);
    yaml_entries_clear(&entries);
    free(reading);
    return status;
}

bittern_status recipe_read(const char *path, bool quick, const char *const *overrides,
                           size_t override_count, struct recipe *recipe, struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    bittern_status status = file_read(path, MAX_FILE_SIZE, &data, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status =
        recipe_parse((const char *)data, size, path, quick, overrides, override_count, recipe, err);
    free(data);
    return status;
}
