/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind "xrt:" in a device's name: a card, and settings, with commas between.
 *
 *     0  or  0000:3b:00.1    the card, by number or by its PCIe address (default: 0)
 *     xclbin=PATH            the file to load, or a folder that holds one named PLATFORM.xclbin
 *     cu=N                   compute unit N only, from 1 on (default: any that is free)
 *
 * Without xclbin= the file is what the environment variable BITTERN_XCLBIN says (file or folder,
 * too), or PLATFORM.xclbin in the folder `bittern` beside this library. PLATFORM is the name that
 * the card itself gives, like xilinx_u250_gen3x16_xdma_shell_4_1.
 */
#ifndef BITTERN_XRT_OPTIONS_H
#define BITTERN_XRT_OPTIONS_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRT_MAX_PATH 1024

struct xrt_options {
    bool has_bdf;
    uint32_t index;            /* without bdf */
    char bdf[32];              /* PCIe address */
    char xclbin[XRT_MAX_PATH]; /* "" where nothing was said */
    uint32_t unit;             /* 0: any */
};

bittern_status xrt_options_parse(const char *text, struct xrt_options *options,
                                 struct bittern_error *err);

/* The file to load for a card of a platform.
 * @return BITTERN_ERR_NOT_FOUND, with the places looked at, where there is none */
bittern_status xrt_options_find_xclbin(const struct xrt_options *options, const char *platform,
                                       char path[XRT_MAX_PATH], struct bittern_error *err);

#ifdef __cplusplus
}
#endif

#endif
