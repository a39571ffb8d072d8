/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a card, and where its .xclbin is looked for. */
#include "xrt_options.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_NUMBER 1024
#define FOLDER "bittern" /* beside the library */

static bool take_number(const char *text, uint32_t minimum, uint32_t *value)
{
    char *end = NULL;
    unsigned long parsed = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (!end || *end != '\0' || parsed < minimum || parsed > MAX_NUMBER) {
        return false;
    }
    *value = (uint32_t)parsed;
    return true;
}

/* [DDDD:]BB:DD.F in hexadecimal */
static bool is_bdf(const char *text)
{
    return strchr(text, ':') && strchr(text, '.') &&
           strspn(text, "0123456789abcdefABCDEF:.") == strlen(text);
}

static bittern_status set_card(const char *text, struct xrt_options *options,
                               struct bittern_error *err)
{
    if (is_bdf(text) && strlen(text) < sizeof options->bdf) {
        options->has_bdf = true;
        (void)snprintf(options->bdf, sizeof options->bdf, "%s", text);
        return BITTERN_OK;
    }
    return take_number(text, 0, &options->index)
               ? BITTERN_OK
               : bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                   "'%.64s' is no card: it has a number, as in xrt:0, or a PCIe "
                                   "address, as in xrt:0000:3b:00.1",
                                   text);
}

static bittern_status set_option(const char *option, struct xrt_options *options,
                                 struct bittern_error *err)
{
    if (strncmp(option, "xclbin=", 7) == 0) {
        int length = snprintf(options->xclbin, sizeof options->xclbin, "%s", option + 7);
        if (length > 0 && (size_t)length < sizeof options->xclbin) {
            return BITTERN_OK;
        }
    } else if (strncmp(option, "cu=", 3) == 0) {
        if (take_number(option + 3, 1, &options->unit)) {
            return BITTERN_OK;
        }
    } else {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a card has no setting '%.64s': it takes xclbin=PATH and cu=N, "
                                 "behind the card's number or PCIe address",
                                 option);
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                             "'%.64s' is not a setting that a card takes", option);
}

bittern_status xrt_options_parse(const char *text, struct xrt_options *options,
                                 struct bittern_error *err)
{
    char copy[2 * XRT_MAX_PATH];
    bittern_status status = BITTERN_OK;

    *options = (struct xrt_options){0};
    if (strlen(text) >= sizeof copy) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the card's settings are too long");
    }
    (void)snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (bool first = true; status == BITTERN_OK && rest && *rest; first = false) {
        const char *option = strsep(&rest, ",");
        status = first && !strchr(option, '=') ? set_card(option, options, err)
                                               : set_option(option, options, err);
    }
    return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

static bool has_mode(const char *path, mode_t mode)
{
    struct stat facts;
    return stat(path, &facts) == 0 && (facts.st_mode & S_IFMT) == mode;
}

/* `place` itself, or PLATFORM.xclbin in it. */
static bool file_at(const char *place, const char *platform, char path[XRT_MAX_PATH])
{
    bool is_folder = has_mode(place, S_IFDIR);
    int length = is_folder ? snprintf(path, XRT_MAX_PATH, "%s/%s.xclbin", place, platform)
                           : snprintf(path, XRT_MAX_PATH, "%s", place);
    return length > 0 && length < XRT_MAX_PATH && has_mode(path, S_IFREG);
}

static bool own_folder(char folder[XRT_MAX_PATH])
{
    static const char here; /* in the library that this is linked into */
    Dl_info info;
    if (dladdr(&here, &info) == 0 || !info.dli_fname) {
        return false;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    int length = slash ? snprintf(folder, XRT_MAX_PATH, "%.*s/" FOLDER,
                                  (int)(slash - info.dli_fname), info.dli_fname)
                       : -1;
    return length > 0 && length < XRT_MAX_PATH;
}

bittern_status xrt_options_find_xclbin(const struct xrt_options *options, const char *platform,
                                       char path[XRT_MAX_PATH], struct bittern_error *err)
{
    char folder[XRT_MAX_PATH] = "";
    const char *variable = getenv("BITTERN_XCLBIN");
    const char *place = options->xclbin[0] != '\0' ? options->xclbin
                        : variable && *variable    ? variable
                                                   : NULL;

    if (place) {
        return file_at(place, platform, path)
                   ? BITTERN_OK
                   : bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is no file %.500s%s%s%s",
                                       place, has_mode(place, S_IFDIR) ? "/" : "",
                                       has_mode(place, S_IFDIR) ? platform : "",
                                       has_mode(place, S_IFDIR) ? ".xclbin" : "");
    }
    if (own_folder(folder) && file_at(folder, platform, path)) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             "there is no %s.xclbin in %s: name the file with "
                             "'--device xrt:0,xclbin=PATH' or in the environment variable "
                             "BITTERN_XCLBIN; docs/xrt.md says how to build one",
                             platform, folder);
}
