/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern-make-xclbin: writes the .xclbin with which XRT's hardware emulation runs the simulated
 * kernel of a geometry. A board's file comes from v++; this one holds what XRT itself reads: where
 * memory lies, where each compute unit's registers lie, which argument goes where, and, in place of
 * a bitstream, the archive with the script that XRT starts as its simulator.
 *
 * The same command line gives the same bytes. The file is checked before it is written
 * (host/xrt/xclbin_file.h), by the code with which the driver checks what it is given.
 */
#include "xclbin_parts.h"

#include "base/file.h"
#include "device/kernel_registers.h"
#include "xclbin_file.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const char help[] =
    "Write the .xclbin with which XRT's hardware emulation runs a simulated kernel.\n"
    "\n"
    "Usage: bittern-make-xclbin [OPTION...] FILE\n"
    "\n"
    "  -g, --geometry NAME   geometry of the kernel, as in hw/geometries.txt (default: edge)\n"
    "  -u, --units N         compute units, 1 to 8 (default: 1)\n"
    "      --check           write nothing: check FILE, and print its sections\n"
    "      --json            print what was written, or checked, as JSON\n"
    "  -h, --help\n"
    "\n"
    "Exit code: 0 done, 1 failed, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  bittern-make-xclbin --geometry edge edge.xclbin\n"
    "  bittern-make-xclbin --check edge.xclbin\n"
    "scripts/xrt-emu.sh writes one by itself.\n";

struct arguments {
    struct xclbin_design design;
    const char *file;
    bool check, json;
};

static int usage_error(const char *message)
{
    fprintf(stderr, "bittern-make-xclbin: %s\nTry 'bittern-make-xclbin --help'.\n", message);
    return EXIT_USAGE;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
    enum { OPTION_CHECK = 256, OPTION_JSON };
    static const struct option options[] = {
        {"geometry", required_argument, NULL, 'g'}, {"units", required_argument, NULL, 'u'},
        {"check", no_argument, NULL, OPTION_CHECK}, {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    int option;

    *arguments = (struct arguments){.design = {.geometry = "edge", .units = 1}};
    while ((option = getopt_long(argc, argv, "g:u:h", options, NULL)) != -1) {
        switch (option) {
        case 'g':
            arguments->design.geometry = optarg;
            break;
        case 'u':
            if (strlen(optarg) != 1 || *optarg < '1' || *optarg > '0' + XCLBIN_MAX_UNITS) {
                return usage_error("--units takes 1 to 8");
            }
            arguments->design.units = (uint32_t)(*optarg - '0');
            break;
        case OPTION_CHECK:
            arguments->check = true;
            break;
        case OPTION_JSON:
            arguments->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return usage_error("an option is wrong");
        }
    }
    if (optind + 1 != argc) {
        return usage_error("one FILE is needed");
    }
    arguments->file = argv[optind];
    return -1;
}

static void print_sections(const struct xclbin_file *file, const struct arguments *arguments)
{
    if (arguments->json) {
        printf("{\"bytes\": %" PRIu64 ", \"sections\": [", file->bytes);
    } else {
        printf("%s: %" PRIu64 " bytes\n", arguments->file, file->bytes);
    }
    for (size_t i = 0; i < file->section_count; i++) {
        const struct xclbin_section *section = &file->sections[i];
        printf(arguments->json
                   ? "%s{\"kind\": %" PRIu32 ", \"offset\": %" PRIu64 ", \"size\": %" PRIu64 "}"
                   : "%s  section kind %2" PRIu32 " at %8" PRIu64 ", %8" PRIu64 " bytes\n",
               arguments->json && i > 0 ? ", " : "", section->kind, section->offset, section->size);
    }
    if (arguments->json) {
        printf("]}\n");
    }
}

static bittern_status make(const struct arguments *arguments, struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    bittern_status status = xclbin_design_check(&arguments->design, err);

    if (status == BITTERN_OK) {
        status = xclbin_make(&arguments->design, &data, &size, err);
    }
    if (status == BITTERN_OK) {
        status = file_write(arguments->file, data, size, err);
    }
    free(data);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct bittern_error err = {0};
    struct xclbin_file file = {0};

    int code = parse(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    bittern_status status = arguments.check ? BITTERN_OK : make(&arguments, &err);
    if (status == BITTERN_OK) {
        status = xclbin_file_read(arguments.file, &file, &err);
    }
    if (status != BITTERN_OK) {
        fprintf(stderr, "bittern-make-xclbin: %s\n", err.message);
        return 1;
    }
    if (arguments.check || arguments.json) {
        print_sections(&file, &arguments);
    }
    xclbin_file_free(&file);
    return fflush(stdout) == 0 ? 0 : 1;
}
