/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an .xclbin for emulation, and the archive within it. */
#ifndef BITTERN_XRT_XCLBIN_PARTS_H
#define BITTERN_XRT_XCLBIN_PARTS_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

#define XCLBIN_MAX_UNITS 8
/* Registers of unit i lie at BASE + i * RANGE; memory is one bank, as DDR[0] of an Alveo U250. */
#define XCLBIN_UNIT_BASE UINT64_C(0x1800000)
#define XCLBIN_UNIT_RANGE UINT64_C(0x10000)
#define XCLBIN_MEMORY_BASE UINT64_C(0x4000000000)
#define XCLBIN_MEMORY_BYTES (UINT64_C(16) << 30)
#define XCLBIN_KERNEL "bittern_kernel"

struct xclbin_design {
    const char *geometry;
    uint32_t units; /* 1..XCLBIN_MAX_UNITS */
};

/* @return BITTERN_ERR_NOT_FOUND for an unknown geometry, BITTERN_ERR_RANGE for the units */
bittern_status xclbin_design_check(const struct xclbin_design *design, struct bittern_error *err);

/* @param data  out: to be freed with free() */
bittern_status xclbin_make(const struct xclbin_design *design, uint8_t **data, size_t *size,
                           struct bittern_error *err);

/* The archive (.zip) in which XRT looks for behav_waveform/xsim/simulate.sh (xclbin_archive.c). */
bittern_status xclbin_make_archive(const struct xclbin_design *design, uint8_t **data, size_t *size,
                                   struct bittern_error *err);

#endif
