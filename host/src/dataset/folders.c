/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of data sets: taken from the environment, as XDG's base directories are. Sets are
 * written to the first that is named, and looked for in all.
 */
#include "dataset/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For a checkout that lies beside a folder of shared data. */
#define SHARED_FOLDER "../shared/data"

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bittern_status copy_path(const char *path, const char *below, char **copy,
                                struct bittern_error *err)
{
    if (asprintf(copy, "%s%s", path, below) < 0) {
        *copy = NULL;
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the name of a folder");
    }
    return BITTERN_OK;
}

/* *folder stays NULL where the environment names none. */
static bittern_status xdg_folder(char **folder, struct bittern_error *err)
{
    const char *xdg = environment("XDG_DATA_HOME");
    const char *home = environment("HOME");
    *folder = NULL;
    if (xdg && *xdg == '/') { /* XDG: a path that is not absolute is to be ignored */
        return copy_path(xdg, "/bittern", folder, err);
    }
    return home ? copy_path(home, "/.local/share/bittern", folder, err) : BITTERN_OK;
}

bittern_status dataset_user_folder(char **folder, struct bittern_error *err)
{
    const char *chosen = environment("BITTERN_DATA");
    if (chosen) {
        return copy_path(chosen, "", folder, err);
    }
    bittern_status status = xdg_folder(folder, err);
    if (status == BITTERN_OK && !*folder) {
        status = bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                   "no folder for data sets: neither BITTERN_DATA nor "
                                   "XDG_DATA_HOME nor HOME is set; name a folder with --data or "
                                   "BITTERN_DATA");
    }
    return status;
}

bittern_status search_list_folders(const char *data_dir, struct search_folders *folders,
                                   struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    *folders = (struct search_folders){0};
    if (data_dir) {
        status = copy_path(data_dir, "", &folders->paths[folders->count++], err);
        goto cleanup;
    }
    const char *chosen = environment("BITTERN_DATA");
    if (chosen) {
        status = copy_path(chosen, "", &folders->paths[folders->count++], err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
    }
    status = xdg_folder(&folders->paths[folders->count], err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    folders->count += folders->paths[folders->count] ? 1 : 0;
    status = copy_path(SHARED_FOLDER, "", &folders->paths[folders->count++], err);
cleanup:
    if (status != BITTERN_OK) {
        search_free_folders(folders);
    }
    return status;
}

void search_free_folders(struct search_folders *folders)
{
    for (size_t i = 0; i < SEARCH_MAX_FOLDERS; i++) {
        free(folders->paths[i]);
    }
    *folders = (struct search_folders){0};
}
