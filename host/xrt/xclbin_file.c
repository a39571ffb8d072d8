/* SPDX-License-Identifier: Apache-2.0 */
/* Header and section headers only: a board's file has a hundred megabytes. */
#include "xclbin_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xclbin.h>

#define HEADER_BYTES (sizeof(struct axlf) - sizeof(struct axlf_section_header))
#define MAX_SECTIONS 4096

static bittern_status cut_off(const char *path, uint64_t bytes, uint64_t wanted,
                              struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "%s is cut off: it has %" PRIu64 " bytes, and says that it has "
                             "%" PRIu64 "; copy or build it again",
                             path, bytes, wanted);
}

static bittern_status check_header(const char *path, const struct axlf *header, uint64_t bytes,
                                   struct bittern_error *err)
{
    uint32_t count = header->m_header.m_numSections;

    if (memcmp(header->m_magic, "xclbin2", 8) != 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s is no .xclbin file", path);
    }
    if (header->m_header.m_length > bytes) {
        return cut_off(path, bytes, header->m_header.m_length, err);
    }
    if (count == 0 || count > MAX_SECTIONS) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s is damaged: it says that it has %" PRIu32 " sections", path,
                                 count);
    }
    uint64_t wanted = HEADER_BYTES + (uint64_t)count * sizeof(struct axlf_section_header);
    return wanted > bytes ? cut_off(path, bytes, wanted, err) : BITTERN_OK;
}

static bittern_status read_sections(const char *path, FILE *stream, struct xclbin_file *file,
                                    struct bittern_error *err)
{
    file->sections = calloc(file->section_count, sizeof *file->sections);
    if (!file->sections) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the sections of %s", path);
    }
    for (size_t i = 0; i < file->section_count; i++) {
        struct axlf_section_header header;
        if (fread(&header, sizeof header, 1, stream) != 1) {
            return bittern_error_set(err, BITTERN_ERR_IO, "cannot read %s: %s", path,
                                     strerror(errno));
        }
        if (header.m_sectionOffset < HEADER_BYTES || header.m_sectionOffset > file->bytes ||
            header.m_sectionSize > file->bytes - header.m_sectionOffset) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "%s is damaged: section %zu, of kind %" PRIu32
                                     ", lies outside of the file",
                                     path, i, header.m_sectionKind);
        }
        file->sections[i] = (struct xclbin_section){header.m_sectionKind, header.m_sectionOffset,
                                                    header.m_sectionSize};
    }
    return BITTERN_OK;
}

bittern_status xclbin_file_read(const char *path, struct xclbin_file *file,
                                struct bittern_error *err)
{
    struct axlf header;
    struct stat facts;
    bittern_status status = BITTERN_OK;
    FILE *stream = fopen(path, "rbe");

    memset(&header, 0, sizeof header);
    memset(file, 0, sizeof *file);
    if (!stream || fstat(fileno(stream), &facts) != 0) {
        status =
            bittern_error_set(err, BITTERN_ERR_IO, "cannot read %s: %s", path, strerror(errno));
        goto cleanup;
    }
    if (!S_ISREG(facts.st_mode)) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "%s is no file", path);
        goto cleanup;
    }
    file->bytes = (uint64_t)facts.st_size;
    if (fread(&header, HEADER_BYTES, 1, stream) != 1) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "%s is no .xclbin file: it is too short for one", path);
        goto cleanup;
    }
    status = check_header(path, &header, file->bytes, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    file->section_count = header.m_header.m_numSections;
    status = read_sections(path, stream, file, err);

cleanup:
    if (stream) {
        (void)fclose(stream);
    }
    if (status != BITTERN_OK) {
        xclbin_file_free(file);
    }
    return status;
}

void xclbin_file_free(struct xclbin_file *file)
{
    free(file->sections);
    memset(file, 0, sizeof *file);
}
