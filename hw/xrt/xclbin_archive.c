/* SPDX-License-Identifier: Apache-2.0 */
/* The script that XRT starts as its simulator, in the archive and under the name it looks for. */
#include "xclbin_parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_PATH "behav_waveform/xsim/simulate.sh"
#define SCRIPT_BYTES 2048
#define ARCHIVE_BYTES 8192
#define ENTRY_TIME 315532800 /* 1980-01-01, the first day that a .zip knows */

/*
 * XRT does not see when its simulator has ended, and would wait for ever: so this script ends the
 * program that started it, which is its parent. Twice, as the first SIGTERM only asks `bittern`
 * to stop between two batches. XRT may crash over it sooner: a file tells scripts/xrt-emu.sh why.
 */
static const char script[] =
    "#!/bin/sh\n"
    "# Started by XRT in place of a simulator; written by bittern-make-xclbin.\n"
    "\"${BITTERN_XRT_DEVICE:-bittern-xrt-device}\" --geometry %s --units %" PRIu32 "\n"
    "code=$?\n"
    "[ $code -ne 0 ] || exit 0\n"
    "[ -z \"${BITTERN_XRT_ENDED:-}\" ] || : >\"$BITTERN_XRT_ENDED\"\n"
    "echo \"bittern: the emulated card has ended (code $code), and with it the program that"
    " uses it\" >&2\n"
    "for signal in TERM TERM KILL; do\n"
    "    kill -$signal $PPID 2>/dev/null || break\n"
    "    sleep 0.3\n"
    "done\n"
    "exit $code\n";

static bittern_status add_script(struct archive *archive, const char *text, size_t size,
                                 struct bittern_error *err)
{
    struct archive_entry *entry = archive_entry_new();
    bool done = false;

    if (entry) {
        archive_entry_set_pathname(entry, SCRIPT_PATH);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0755);
        archive_entry_set_mtime(entry, ENTRY_TIME, 0);
        archive_entry_set_size(entry, (la_int64_t)size);
        done = archive_write_header(archive, entry) == ARCHIVE_OK &&
               archive_write_data(archive, text, size) == (la_ssize_t)size;
        archive_entry_free(entry);
    }
    return done ? BITTERN_OK
                : bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make the archive: %s",
                                    archive_error_string(archive));
}

bittern_status xclbin_make_archive(const struct xclbin_design *design, uint8_t **data_out,
                                   size_t *size, struct bittern_error *err)
{
    char text[SCRIPT_BYTES];
    bittern_status status = BITTERN_OK;
    uint8_t *data = malloc(ARCHIVE_BYTES);
    struct archive *archive = archive_write_new();
    int length = snprintf(text, sizeof text, script, design->geometry, design->units);

    *data_out = NULL;
    if (!data || !archive || length < 0 || (size_t)length >= sizeof text) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the archive");
        goto cleanup;
    }
    if (archive_write_set_format_zip(archive) != ARCHIVE_OK ||
        archive_write_set_options(archive, "zip:compression=store") != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        archive_write_open_memory(archive, data, ARCHIVE_BYTES, size) != ARCHIVE_OK) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make the archive: %s",
                                   archive_error_string(archive));
        goto cleanup;
    }
    status = add_script(archive, text, (size_t)length, err);
    if (status == BITTERN_OK && archive_write_close(archive) != ARCHIVE_OK) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make the archive: %s",
                                   archive_error_string(archive));
    }
    if (status == BITTERN_OK) {
        *data_out = data;
        data = NULL;
    }

cleanup:
    if (archive) {
        archive_write_free(archive);
    }
    free(data);
    return status;
}
