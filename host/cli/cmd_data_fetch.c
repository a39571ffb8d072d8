/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data fetch: downloads known sets, with progress; Ctrl-C keeps what has come. */
#include "cli.h"
#include "cmd_data.h"
#include "cmd_data_progress.h"

#include <bittern/dataset.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "data fetch"

static void print_help(void)
{
    printf("Download data sets from their publishers.\n"
           "\n"
           "Usage: bittern data fetch [OPTION...] NAME...\n"
           "\n"
           "  --data DIR     put them into DIR/NAME; default $BITTERN_DATA, else\n"
           "                 $XDG_DATA_HOME/bittern (~/.local/share/bittern)\n"
           "  --mirror URL   take the files from there instead: an http or https address, or\n"
           "                 file:///FOLDER for an offline copy, with the published file names\n"
           "  --force        download again what is there and right\n"
           "  --quiet        no progress\n"
           "  --help\n"
           "\n"
           "Names are those of 'bittern data list'. Each file is taken from the first mirror that\n"
           "has it, and checked against its published SHA-256. What is there and right is not\n"
           "downloaded again; a download that broke off or was stopped with Ctrl-C goes on where\n"
           "it was. Proxies are taken from http_proxy, https_proxy and no_proxy.\n"
           "\n"
           "Examples:\n"
           "  bittern data fetch mnist\n"
           "  bittern data fetch cifar10 --data ~/datasets\n"
           "  bittern data fetch mnist --mirror file:///media/usb/mnist\n");
}

static int fetch_one(const char *name, struct bittern_fetch_options *options, bool quiet)
{
    struct bittern_error err;
    char *source = NULL;
    struct data_progress progress = {.unit = "bytes", .quiet = quiet};

    options->progress = data_progress_update;
    options->user = &progress;
    bittern_status status = bittern_dataset_fetch(name, options, &err);
    cli_progress_finish(&progress.line);
    if (status == BITTERN_OK) {
        status =
            bittern_dataset_locate(name, BITTERN_SPLIT_TRAIN, options->data_dir, &source, &err);
    }
    if (status != BITTERN_OK) {
        int result = cli_fail(COMMAND, &err);
        return status == BITTERN_ERR_ARGUMENT ? CLI_EXIT_USAGE : result;
    }
    printf("%s: complete and checked, in %s\n", name, source);
    free(source);
    return CLI_EXIT_OK;
}

int command_data_fetch(int argc, char **argv)
{
    enum { OPTION_DATA = 1, OPTION_MIRROR, OPTION_FORCE, OPTION_QUIET, OPTION_HELP };
    static const struct option options[] = {
        {"data", required_argument, NULL, OPTION_DATA},
        {"mirror", required_argument, NULL, OPTION_MIRROR},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    struct bittern_fetch_options fetch_options = {0};
    bool quiet = false;
    int result = CLI_EXIT_OK;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DATA:
            fetch_options.data_dir = optarg;
            break;
        case OPTION_MIRROR:
            fetch_options.mirror = optarg;
            break;
        case OPTION_FORCE:
            fetch_options.force = true;
            break;
        case OPTION_QUIET:
            quiet = true;
            break;
        case OPTION_HELP:
        case 'h':
            print_help();
            return CLI_EXIT_OK;
        default:
            return cli_usage(COMMAND, "the command line is wrong");
        }
    }
    if (optind == argc) {
        return cli_usage(COMMAND, "name a data set, e.g. mnist");
    }
    for (int i = optind; i < argc; i++) {
        if (!bittern_dataset_find_info(argv[i])) {
            return cli_usage(COMMAND, "there is no data set '%s'; see 'bittern data list'",
                             argv[i]);
        }
    }
    cli_catch_interrupts();
    for (int i = optind; i < argc && result == CLI_EXIT_OK; i++) {
        result = fetch_one(argv[i], &fetch_options, quiet);
    }
    return result;
}
