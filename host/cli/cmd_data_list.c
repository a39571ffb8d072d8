/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data list: the known sets as a table, as JSON, or their names alone. */
#include "cli.h"
#include "cmd_data.h"

#include <bittern/dataset.h>
#include <cJSON.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "data list"

static void print_help(void)
{
    printf("The data sets that are known, and where their splits are found.\n"
           "\n"
           "Usage: bittern data list [OPTION...]\n"
           "\n"
           "  --data DIR   look in DIR alone\n"
           "  --names      print names alone, one a line\n"
           "  --json       print JSON\n"
           "  --help\n"
           "\n"
           "Examples:\n"
           "  bittern data list\n"
           "  bittern data list --data ~/datasets --json\n");
}

/* Where each split is; NULL where it is not, or not whole. */
struct found {
    char *source[2];
};

static void find(const char *name, const char *data_dir, struct found *found)
{
    *found = (struct found){0};
    for (int split = 0; split < 2; split++) {
        (void)bittern_dataset_locate(name, (enum bittern_split)split, data_dir,
                                     &found->source[split], NULL);
    }
}

static void release(struct found *found)
{
    free(found->source[0]);
    free(found->source[1]);
}

static void print_row(const struct bittern_dataset_info *info, const struct found *found)
{
    char train[32] = "-";
    char test[32] = "-";
    char size[32] = "-";
    char shape[64];
    if (info->train_count > 0) {
        cli_format_count(info->train_count, train, sizeof train);
        cli_format_count(info->test_count, test, sizeof test);
    }
    if (info->download_bytes > 0) {
        cli_format_bytes(info->download_bytes, size, sizeof size);
    }
    (void)snprintf(shape, sizeof shape, "%zux%zux%zu", info->channels, info->height, info->width);
    printf("%-16s %9s %9s  %-8s %7zu %10s  ", info->name, train, test, shape, info->classes, size);
    const char *const *source = (const char *const *)found->source;
    if (source[0] && source[1]) {
        bool same = strcmp(source[0], source[1]) == 0;
        printf("%s%s%s\n", source[0], same ? "" : ", ", same ? "" : source[1]);
    } else if (source[0] || source[1]) {
        printf("%s (%s only)\n", source[0] ? source[0] : source[1], source[0] ? "train" : "test");
    } else {
        printf("-\n");
    }
}

static int print_table(const char *data_dir)
{
    const struct bittern_dataset_info *info;
    printf("%-16s %9s %9s  %-8s %7s %10s  %s\n", "name", "train", "test", "shape", "classes",
           "download", "found in");
    for (size_t i = 0; (info = bittern_dataset_known(i)) != NULL; i++) {
        struct found found;
        find(info->name, data_dir, &found);
        print_row(info, &found);
        release(&found);
    }
    return CLI_EXIT_OK;
}

static int print_json(const char *data_dir)
{
    static const char *const splits[2] = {"train", "test"};
    const struct bittern_dataset_info *info;
    cJSON *root = cJSON_CreateObject();
    cJSON *sets = cJSON_AddArrayToObject(root, "datasets");
    for (size_t i = 0; (info = bittern_dataset_known(i)) != NULL; i++) {
        struct found found;
        cJSON *set = cJSON_CreateObject();
        find(info->name, data_dir, &found);
        cJSON_AddStringToObject(set, "name", info->name);
        cJSON_AddStringToObject(set, "title", info->title);
        cJSON_AddNumberToObject(set, "channels", (double)info->channels);
        cJSON_AddNumberToObject(set, "height", (double)info->height);
        cJSON_AddNumberToObject(set, "width", (double)info->width);
        cJSON_AddNumberToObject(set, "classes", (double)info->classes);
        cJSON_AddNumberToObject(set, "train_count", (double)info->train_count);
        cJSON_AddNumberToObject(set, "test_count", (double)info->test_count);
        cJSON_AddNumberToObject(set, "download_bytes", (double)info->download_bytes);
        cJSON *where = cJSON_AddObjectToObject(set, "found");
        for (int split = 0; split < 2; split++) {
            if (found.source[split]) {
                cJSON_AddStringToObject(where, splits[split], found.source[split]);
            } else {
                cJSON_AddNullToObject(where, splits[split]);
            }
        }
        cJSON_AddItemToArray(sets, set);
        release(&found);
    }
    return data_print_json(COMMAND, root);
}

static int print_names(void)
{
    const struct bittern_dataset_info *info;
    for (size_t i = 0; (info = bittern_dataset_known(i)) != NULL; i++) {
        printf("%s\n", info->name);
    }
    return CLI_EXIT_OK;
}

int command_data_list(int argc, char **argv)
{
    enum { OPTION_DATA = 1, OPTION_NAMES, OPTION_JSON, OPTION_HELP };
    static const struct option options[] = {
        {"data", required_argument, NULL, OPTION_DATA},
        {"names", no_argument, NULL, OPTION_NAMES},
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    const char *data_dir = NULL;
    bool names = false;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DATA:
            data_dir = optarg;
            break;
        case OPTION_NAMES:
            names = true;
            break;
        case OPTION_JSON:
            json = true;
            break;
        case OPTION_HELP:
        case 'h':
            print_help();
            return CLI_EXIT_OK;
        default:
            return cli_usage(COMMAND, "the command line is wrong");
        }
    }
    if (optind < argc) {
        return cli_usage(COMMAND, "unexpected argument '%s'", argv[optind]);
    }
    if (names) {
        return print_names();
    }
    return json ? print_json(data_dir) : print_table(data_dir);
}
