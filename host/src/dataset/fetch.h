/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloading, from the inside.
 *
 * fetch_sources.c    what is published where, with sizes and check sums
 * fetch_part.c       NAME.part: locked, resumed, checked, renamed into place
 * fetch_transfer.c   one transfer from one address into a part
 * fetch.c            which mirror, how often, and what to tell where all fail
 *
 * The functions take tables of files and settings, so that tests can use small files and short
 * times.
 */
#ifndef BITTERN_DATASET_FETCH_H
#define BITTERN_DATASET_FETCH_H

#include <bittern/dataset.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A published file. */
struct fetch_file {
    const char *name;
    uint64_t size;
    const char *sha256; /* 64 hexadecimal digits, lower case */
};

/* A set's files, and base URLs that end in '/' and hold all of them; both ended by NULL. */
struct fetch_source {
    const char *folder; /* as struct dataset_known has it */
    const char *const *mirrors;
    const struct fetch_file *files; /* ended by one without a name */
};

/* NULL past the end. */
const struct fetch_source *fetch_source_at(size_t index);

struct fetch_settings {
    long connect_timeout_ms;
    long low_speed_bytes;   /* a transfer slower than that, a second, ... */
    long low_speed_seconds; /* ... for so long is given up */
    long max_redirects;
    unsigned attempts; /* at one mirror, as long as each brings more bytes */
};

extern const struct fetch_settings fetch_default_settings;

/* --- fetch_part.c ---------------------------------------------------------------------------- */

/* A file that is being downloaded. This process alone writes to it. */
struct fetch_part {
    const struct fetch_file *file;
    char *path;   /* FOLDER/NAME.part */
    char *target; /* FOLDER/NAME */
    int fd;
    EVP_MD_CTX *hash; /* of what is in the part */
    uint64_t size;    /* likewise */
};

/* Does FOLDER/NAME hold the published bytes? */
bool fetch_file_is_right(const char *path, const struct fetch_file *file);

/*
 * Open and lock FOLDER/NAME.part, and take up what is in it. While another process has it, wait;
 * `progress` is asked whether to go on waiting. fetch_part_close in any case.
 */
bittern_status fetch_part_open(struct fetch_part *part, const char *folder,
                               const struct fetch_file *file, bittern_progress progress, void *user,
                               struct bittern_error *err);
bittern_status fetch_part_append(struct fetch_part *part, const void *data, size_t size,
                                 struct bittern_error *err);
/* Throw away what is there. */
bittern_status fetch_part_restart(struct fetch_part *part, struct bittern_error *err);
/* Has it the published size and check sum? */
bool fetch_part_is_right(const struct fetch_part *part);
/* Sync and rename into place. */
bittern_status fetch_part_commit(struct fetch_part *part, struct bittern_error *err);
/* Unlock; an empty part is removed, another one stays to be resumed. */
void fetch_part_close(struct fetch_part *part);

/* --- fetch_transfer.c ------------------------------------------------------------------------ */

/* How a transfer ended. */
enum fetch_end {
    FETCH_END_COMPLETE,  /* the part has all bytes; whether they are right is to be checked */
    FETCH_END_FAILED,    /* this mirror failed, `reason` says how; the part is good to be resumed */
    FETCH_END_CANCELLED, /* the progress callback said so */
    FETCH_END_LOCAL      /* this machine failed, e.g. its disk is full; err says how */
};

struct fetch_reason {
    char text[300];
};

/* Transfer the rest of the part from URL. */
enum fetch_end fetch_transfer(const char *url, struct fetch_part *part,
                              const struct fetch_settings *settings, bittern_progress progress,
                              void *user, struct fetch_reason *reason, struct bittern_error *err);

/* --- fetch.c --------------------------------------------------------------------------------- */

/*
 * Download files into a folder that exists. options->mirror, where given, takes the place of
 * mirrors; options->data_dir is not looked at.
 */
bittern_status fetch_files(const char *folder, const char *const *mirrors,
                           const struct fetch_file *files,
                           const struct bittern_fetch_options *options,
                           const struct fetch_settings *settings, struct bittern_error *err);

#endif
