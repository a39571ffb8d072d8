/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an .xclbin says it holds, checked against the file: XRT itself reads past the end of one
 * that was cut off.
 */
#ifndef BITTERN_XRT_XCLBIN_FILE_H
#define BITTERN_XRT_XCLBIN_FILE_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xclbin_section {
    uint32_t kind; /* enum axlf_section_kind */
    uint64_t offset, size;
};

struct xclbin_file {
    uint64_t bytes;
    size_t section_count;
    struct xclbin_section *sections;
};

/* @return BITTERN_ERR_IO where it cannot be read, BITTERN_ERR_FORMAT where it is no .xclbin, is cut
 *         off, or has sections that lie outside of it; nothing to free then */
bittern_status xclbin_file_read(const char *path, struct xclbin_file *file,
                                struct bittern_error *err);
void xclbin_file_free(struct xclbin_file *file);

#ifdef __cplusplus
}
#endif

#endif
