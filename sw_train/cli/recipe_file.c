/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes by name: in ./recipes, beside the installed command, and in the tree that it was built
 * in. */
#include "command.h"
#include "table.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_COUNT 3

/* Folder 0, 1, ... that a bare name is looked for in. */
static const char *recipe_folder(size_t index, char *buffer, size_t size)
{
    static const char *const places[FOLDER_COUNT] = {"recipes", BITTERN_RECIPES,
                                                     "../../../recipes"};
    char self[PATH_MAX];
    if (index == 0) {
        return places[0];
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        return places[0];
    }
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) {
        *slash = '\0';
    }
    (void)snprintf(buffer, size, "%s/%s", self, places[index]);
    return buffer;
}

/* One that may not be read is found, too: reading it says why. */
static bool is_file(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool ends_in_yaml(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

bittern_status recipe_file_find(const char *name, char **path, struct bittern_error *err)
{
    char folder[PATH_MAX + 64];
    bool named = strchr(name, '/') == NULL;

    *path = NULL;
    if (is_file(name) && (!named || ends_in_yaml(name))) {
        *path = strdup(name);
        return *path ? BITTERN_OK : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory");
    }
    for (size_t i = 0; named && i < FOLDER_COUNT; i++) {
        char *candidate = NULL;
        if (asprintf(&candidate, "%s/%s%s", recipe_folder(i, folder, sizeof folder), name,
                     ends_in_yaml(name) ? "" : ".yaml") < 0) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory");
        }
        if (is_file(candidate)) {
            *path = candidate;
            return BITTERN_OK;
        }
        free(candidate);
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             named ? "there is no recipe '%s', neither here nor in ./recipes nor "
                                     "among the installed ones; 'bittern train --list' prints them"
                                   : "cannot read the recipe '%s'",
                             name);
}

/* ---- --list ---------------------------------------------------------------------------------- */

static void add_recipe(struct cli_table *table, const char *path)
{
    struct bittern_error err;
    struct recipe *recipe = calloc(1, sizeof *recipe);
    if (recipe) {
        bool read = recipe_read(path, false, NULL, 0, recipe, &err) == BITTERN_OK;
        const char *slash = strrchr(path, '/');
        cli_table_add(table, "%s", slash ? slash + 1 : path);
        cli_table_add(table, "%s", read ? recipe->title : err.message);
    }
    free(recipe);
}

static bool list_folder(const char *folder)
{
    static const struct cli_column columns[] = {{"recipe", false}, {"what it reproduces", false}};
    struct cli_table table;
    glob_t found;
    char *pattern = NULL;

    if (asprintf(&pattern, "%s/*.yaml", folder) < 0) {
        return false;
    }
    int code = glob(pattern, 0, NULL, &found);
    free(pattern);
    if (code != 0) {
        return false;
    }
    char *whole = realpath(folder, NULL);
    printf("In %s:\n", whole ? whole : folder);
    free(whole);
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        add_recipe(&table, found.gl_pathv[i]);
    }
    globfree(&found);
    return cli_table_finish(&table, stdout);
}

int recipe_file_list(void)
{
    static const struct cli_column columns[] = {{"network", false}, {"layers", false}};
    char folder[PATH_MAX + 64];
    struct cli_table table;

    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        if (list_folder(recipe_folder(i, folder, sizeof folder))) {
            break; /* the first one is the one that names find */
        }
    }
    printf("\nNamed networks (network.name in a recipe):\n");
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; network_name(i); i++) {
        cli_table_add(&table, "%s", network_name(i));
        cli_table_add(&table, "%s", network_layers(network_name(i)));
    }
    return cli_table_finish(&table, stdout) ? cli_finish_output("train") : CLI_EXIT_FAILED;
}
