/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a set: within each data folder, its own subfolder is tried, then the data folder itself;
 * within those, single files (plain, .gz, .xz), the same in the folder that the published archive
 * unpacks to, then the archive.
 */
#include "dataset/search.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bittern_status no_memory(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the name of a file");
}

/* *path is FOLDER/NAME with the first suffix that is there, or NULL. */
static bittern_status find_file(const char *folder, const char *name, char **path,
                                struct bittern_error *err)
{
    static const char *const suffixes[] = {"", ".gz", ".xz"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (asprintf(path, "%s/%s%s", folder, name, suffixes[i]) < 0) {
            *path = NULL;
            return no_memory(err);
        }
        if (is_file(*path)) {
            return BITTERN_OK;
        }
        free(*path);
        *path = NULL;
    }
    return BITTERN_OK;
}

void search_free_location(struct dataset_location *location)
{
    for (size_t i = 0; i < DATASET_MAX_FILES; i++) {
        free(location->files[i]);
    }
    free(location->folder);
    free(location->archive);
    *location = (struct dataset_location){0};
}

static bittern_status set_folder(struct dataset_location *location, const char *folder,
                                 struct bittern_error *err)
{
    location->folder = strdup(folder);
    return location->folder ? BITTERN_OK : no_memory(err);
}

/* The split's single files in a folder: all, or none; a part of them is an error. */
static bittern_status find_single_files(const struct dataset_known *known, enum bittern_split split,
                                        const char *folder, struct dataset_location *location,
                                        struct bittern_error *err)
{
    const char *const *names = known->split_files[split];
    const char *there = NULL;
    const char *missing = NULL;
    for (size_t i = 0; names[i]; i++) {
        bittern_status status = find_file(folder, names[i], &location->files[i], err);
        if (status != BITTERN_OK) {
            return status;
        }
        if (location->files[i]) {
            there = location->files[i];
        } else {
            missing = names[i];
        }
    }
    if (there && missing) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                 "'%s' is there, but not '%s' (plain, .gz or .xz) beside it; get "
                                 "the set with 'bittern data %s %s'",
                                 there, missing, known->published[0] ? "fetch" : "make",
                                 known->info.name);
    }
    return there ? set_folder(location, folder, err) : BITTERN_OK;
}

/* location->folder stays NULL where nothing of the split is in that folder. */
static bittern_status find_in_folder(const struct dataset_known *known, enum bittern_split split,
                                     const char *folder, struct dataset_location *location,
                                     struct bittern_error *err)
{
    char *below = NULL;
    bittern_status status = find_single_files(known, split, folder, location, err);
    if (status != BITTERN_OK || location->folder || !known->archive) {
        return status;
    }
    if (asprintf(&below, "%s/%s", folder, known->archive_folder) < 0) {
        return no_memory(err);
    }
    status = find_single_files(known, split, below, location, err);
    free(below);
    if (status != BITTERN_OK || location->folder) {
        return status;
    }
    if (asprintf(&location->archive, "%s/%s", folder, known->archive) < 0) {
        location->archive = NULL;
        return no_memory(err);
    }
    if (is_file(location->archive)) {
        return set_folder(location, folder, err);
    }
    free(location->archive);
    location->archive = NULL;
    return BITTERN_OK;
}

/*
 * MNIST's file names are those of other sets, too: a folder that is named for another set is not
 * this one's.
 */
static bool belongs_to_another(const struct dataset_known *known, const char *folder)
{
    size_t end = strlen(folder);
    while (end > 0 && folder[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && folder[start - 1] != '/') {
        start--;
    }
    const struct dataset_known *other;
    for (size_t i = 0; (other = dataset_known_at(i)) != NULL; i++) {
        if (strlen(other->folder) == end - start &&
            memcmp(other->folder, folder + start, end - start) == 0) {
            return strcmp(other->folder, known->folder) != 0;
        }
    }
    return false;
}

static bittern_status find_below(const struct dataset_known *known, enum bittern_split split,
                                 const char *base, struct dataset_location *location,
                                 struct bittern_error *err)
{
    const char *const subfolders[] = {known->folder, known->info.name};
    for (size_t i = 0; i < 2; i++) {
        char *folder;
        if (i > 0 && strcmp(subfolders[0], subfolders[1]) == 0) {
            break;
        }
        if (asprintf(&folder, "%s/%s", base, subfolders[i]) < 0) {
            return no_memory(err);
        }
        bittern_status status = find_in_folder(known, split, folder, location, err);
        free(folder);
        if (status != BITTERN_OK || location->folder) {
            return status;
        }
    }
    if (belongs_to_another(known, base)) {
        return BITTERN_OK;
    }
    return find_in_folder(known, split, base, location, err);
}

static bittern_status not_found(const struct dataset_known *known,
                                const struct search_folders *folders, struct bittern_error *err)
{
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < folders->count && used < sizeof list; i++) {
        int length = snprintf(list + used, sizeof list - used, "%s'%s'", i > 0 ? ", " : "",
                              folders->paths[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             "data set '%s' was not found in %s (nor in a subfolder '%s'); get it "
                             "with 'bittern data %s %s'",
                             known->info.name, list, known->folder,
                             known->published[0] ? "fetch" : "make", known->info.name);
}

bittern_status search_find(const struct dataset_known *known, enum bittern_split split,
                           const char *data_dir, struct dataset_location *location,
                           struct bittern_error *err)
{
    struct search_folders folders;
    *location = (struct dataset_location){0};
    bittern_status status = search_list_folders(data_dir, &folders, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < folders.count && !location->folder; i++) {
        status = find_below(known, split, folders.paths[i], location, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
    }
    if (!location->folder) {
        status = not_found(known, &folders, err);
    }
cleanup:
    if (status != BITTERN_OK) {
        search_free_location(location);
    }
    search_free_folders(&folders);
    return status;
}
