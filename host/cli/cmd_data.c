/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data: finds the verb and hands over to it. */
#include "cmd_data.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} verbs[] = {
    {"list", command_data_list, "the data sets that are known, and where they are found"},
    {"fetch", command_data_fetch, "download sets from their publishers, or from a copy"},
    {"make", command_data_make, "draw the embedded set of digits"},
    {"show", command_data_show, "counts, histogram, mean, deviation and samples of a set"},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *out)
{
    fprintf(out, "Data sets: find, download, draw and look at them.\n"
                 "\n"
                 "Usage: bittern data VERB [OPTION...]\n"
                 "\n"
                 "Verbs:\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(out, "  %-6s %s\n", verbs[i].name, verbs[i].summary);
    }
    fprintf(out,
            "\n"
            "Sets are looked for in --data DIR alone where it is given; else in $BITTERN_DATA,\n"
            "$XDG_DATA_HOME/bittern (~/.local/share/bittern) and ../shared/data; in each of\n"
            "them in the subfolder with the set's name first. Files may be as published, plain,\n"
            "or packed with gzip or xz.\n"
            "\n"
            "  bittern data VERB --help   options and examples of a verb\n");
}

int data_print_json(const char *command, cJSON *root)
{
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text) {
        fprintf(stderr, "bittern %s: out of memory\n", command);
        return CLI_EXIT_FAILED;
    }
    printf("%s\n", text);
    free(text);
    return CLI_EXIT_OK;
}

int command_data(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CLI_EXIT_OK;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, argv[1]) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    return cli_usage("data", "there is no verb '%s'", argv[1]);
}
