/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads the files of a set one after another. Each mirror is tried until one has given the
 * file; at one mirror a transfer that breaks off is taken up again as long as that brings bytes.
 * All mirrors hold the same bytes, so a part begun at one may be ended at another: the check sum
 * finds out where that is not so, and the part is then begun anew.
 */
#include "dataset/fetch.h"

#include "dataset/dataset.h"
#include "dataset/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct fetch_settings fetch_default_settings = {
    .connect_timeout_ms = 20000,
    .low_speed_bytes = 500,
    .low_speed_seconds = 30,
    .max_redirects = 5,
    .attempts = 4,
};

/* Why the mirrors failed, one after another, for the message to the user. */
struct failures {
    char text[900];
    size_t used;
    size_t count, corrupt;
};

static void add_failure(struct failures *failures, const char *url, const char *reason)
{
    size_t room = sizeof failures->text - failures->used;
    int length = snprintf(failures->text + failures->used, room, "%s%s: %s",
                          failures->count > 0 ? "; " : "", url, reason);
    if (length > 0) {
        failures->used += (size_t)length < room ? (size_t)length : room - 1;
    }
    failures->count++;
}

static char *join_url(const char *base, const char *name)
{
    char *url;
    size_t length = strlen(base);
    const char *slash = length > 0 && base[length - 1] == '/' ? "" : "/";
    return asprintf(&url, "%s%s%s", base, slash, name) < 0 ? NULL : url;
}

static bittern_status cancelled(const struct fetch_part *part, struct bittern_error *err)
{
    if (part->size == 0) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED,
                                 "cancelled before a byte of '%s' had come", part->file->name);
    }
    return bittern_error_set(err, BITTERN_ERR_CANCELLED,
                             "cancelled; %" PRIu64 " of %" PRIu64
                             " bytes are kept in '%s', and the next download goes on from there",
                             part->size, part->file->size, part->path);
}

/*
 * Try one mirror. BITTERN_OK, with *got false, where it failed and the next one is to be tried.
 */
static bittern_status fetch_from(const char *url, struct fetch_part *part,
                                 const struct bittern_fetch_options *options,
                                 const struct fetch_settings *settings, struct failures *failures,
                                 bool *got, struct bittern_error *err)
{
    struct fetch_reason reason = {""};
    bool corrupt = false;

    *got = false;
    for (unsigned attempt = 0; attempt < settings->attempts; attempt++) {
        uint64_t before = part->size;
        enum fetch_end end =
            fetch_transfer(url, part, settings, options->progress, options->user, &reason, err);
        if (end == FETCH_END_CANCELLED) {
            return cancelled(part, err);
        }
        if (end == FETCH_END_LOCAL) {
            return err ? err->status : BITTERN_ERR_IO;
        }
        if (end == FETCH_END_COMPLETE) {
            if (fetch_part_is_right(part)) {
                *got = true;
                return BITTERN_OK;
            }
            corrupt = true;
            (void)snprintf(reason.text, sizeof reason.text,
                           "its bytes are not the published ones (their SHA-256 differs)");
            bittern_status status = fetch_part_restart(part, err);
            if (status != BITTERN_OK) {
                return status;
            }
        }
        /* Again where this brought bytes, or threw away a part that may have been to blame. */
        if (part->size <= before && !(before > 0 && part->size == 0)) {
            break;
        }
    }
    add_failure(failures, url, reason.text);
    failures->corrupt += corrupt;
    return BITTERN_OK;
}

static bittern_status fetch_file(const char *folder, const char *const *mirrors,
                                 const struct fetch_file *file,
                                 const struct bittern_fetch_options *options,
                                 const struct fetch_settings *settings, struct bittern_error *err)
{
    struct failures failures = {.used = 0};
    struct fetch_part part;
    bool got;
    char *url = NULL;
    bittern_status status =
        fetch_part_open(&part, folder, file, options->progress, options->user, err);

    if (status != BITTERN_OK) {
        goto cleanup;
    }
    /* Looked at under the lock: another process may just have put it there. */
    if (!options->force && fetch_file_is_right(part.target, file)) {
        if (part.size > 0) {
            status = fetch_part_restart(&part, err); /* so that closing removes it */
        }
        goto cleanup;
    }
    got = fetch_part_is_right(&part);
    if (!got && part.size == file->size) {
        status = fetch_part_restart(&part, err);
    }
    for (size_t i = 0; status == BITTERN_OK && !got && mirrors[i]; i++) {
        free(url);
        url = join_url(mirrors[i], file->name);
        status = url ? fetch_from(url, &part, options, settings, &failures, &got, err)
                     : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an address");
    }
    if (status == BITTERN_OK && got) {
        status = fetch_part_commit(&part, err);
    } else if (status == BITTERN_OK) {
        status = bittern_error_set(
            err, failures.corrupt == failures.count ? BITTERN_ERR_CHECKSUM : BITTERN_ERR_NETWORK,
            "cannot download '%s': %s", file->name, failures.text);
    }
cleanup:
    fetch_part_close(&part);
    free(url);
    return status;
}

/* Addresses that curl would take, but that lead nowhere good, are told apart before any is tried.
 */
static bittern_status check_mirror(const char *mirror, struct bittern_error *err)
{
    static const char *const schemes[] = {"http://", "https://", "file:///"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(mirror, schemes[i], strlen(schemes[i])) == 0) {
            return BITTERN_OK;
        }
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                             "'%s' is no address of a mirror: it must begin with http://, https:// "
                             "or, for a folder, file:///",
                             mirror);
}

bittern_status fetch_files(const char *folder, const char *const *mirrors,
                           const struct fetch_file *files,
                           const struct bittern_fetch_options *options,
                           const struct fetch_settings *settings, struct bittern_error *err)
{
    const char *const own_mirror[] = {options->mirror, NULL};
    bittern_status status = BITTERN_OK;

    if (options->mirror) {
        status = check_mirror(options->mirror, err);
        mirrors = own_mirror;
    }
    for (size_t i = 0; status == BITTERN_OK && files[i].name; i++) {
        status = fetch_file(folder, mirrors, &files[i], options, settings, err);
    }
    return status;
}

static const struct fetch_source *find_source(const char *folder)
{
    const struct fetch_source *source;
    for (size_t i = 0; (source = fetch_source_at(i)) != NULL; i++) {
        if (strcmp(source->folder, folder) == 0) {
            break;
        }
    }
    return source;
}

bittern_status bittern_dataset_fetch(const char *name, const struct bittern_fetch_options *options,
                                     struct bittern_error *err)
{
    const struct bittern_fetch_options defaults = {0};
    struct bittern_error local; /* fetch_files reads the status from it */
    const struct dataset_known *known;
    char *folder = NULL;

    err = err ? err : &local;
    options = options ? options : &defaults;
    bittern_status status = dataset_known_get(name, &known, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const struct fetch_source *source = find_source(known->folder);
    if (!source) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "'%s' is not downloaded but drawn: bittern data make %s", name,
                                 name);
    }
    if (options->mirror) {
        status = check_mirror(options->mirror, err);
    }
    if (status == BITTERN_OK) {
        status = dataset_output_folder(options->data_dir, source->folder, &folder, err);
    }
    if (status == BITTERN_OK) {
        status = fetch_files(folder, source->mirrors, source->files, options,
                             &fetch_default_settings, err);
    }
    free(folder);
    return status;
}
