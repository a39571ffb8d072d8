/* SPDX-License-Identifier: Apache-2.0 */
/* bittern data make digits: draws the embedded data set; Ctrl-C leaves what was there. */
#include "cli.h"
#include "cmd_data.h"
#include "cmd_data_progress.h"

#include <bittern/dataset.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "data make"
#define DEFAULT_TRAIN 60000
#define DEFAULT_TEST 10000
#define MAX_IMAGES 10000000

static void print_help(void)
{
    printf("Draw the embedded data set: ten classes of digits, 28x28 grey, as if written by hand.\n"
           "\n"
           "Usage: bittern data make digits [OPTION...]\n"
           "\n"
           "  --data DIR   put it into DIR/digits; default $BITTERN_DATA, else\n"
           "               $XDG_DATA_HOME/bittern (~/.local/share/bittern)\n"
           "  --seed N     draw another set (default 0)\n"
           "  --train N    training images, 1..%d (default %d)\n"
           "  --test N     test images, likewise (default %d)\n"
           "  --quiet      no progress\n"
           "  --help\n"
           "\n"
           "The same options give the same images on every machine, and a smaller set is the\n"
           "beginning of a larger one. It is about as hard as MNIST for a convolutional network,\n"
           "and harder for a linear classifier (bench/digits-difficulty measures both).\n"
           "\n"
           "Examples:\n"
           "  bittern data make digits\n"
           "  bittern data make digits --train 6000 --test 1000 --data ./data\n"
           "  bittern data show digits\n",
           MAX_IMAGES, DEFAULT_TRAIN, DEFAULT_TEST);
}

static int make_digits(const char *data_dir, struct bittern_digits_options *options, bool quiet)
{
    struct bittern_error err;
    char train[32];
    char test[32];
    char *source = NULL;
    struct data_progress progress = {.unit = "images", .quiet = quiet};
    double started = cli_seconds();

    cli_catch_interrupts();
    options->progress = data_progress_update;
    options->user = &progress;
    bittern_status status = bittern_dataset_make_digits(data_dir, options, &err);
    cli_progress_finish(&progress.line);
    if (status == BITTERN_OK) {
        status = bittern_dataset_locate("digits", BITTERN_SPLIT_TRAIN, data_dir, &source, &err);
    }
    if (status != BITTERN_OK) {
        return cli_fail(COMMAND, &err);
    }
    printf("digits: drew %s training and %s test images in %.1f s, in %s\n",
           cli_format_count(options->train_count, train, sizeof train),
           cli_format_count(options->test_count, test, sizeof test), cli_seconds() - started,
           source);
    free(source);
    return CLI_EXIT_OK;
}

int command_data_make(int argc, char **argv)
{
    enum { OPTION_DATA = 1, OPTION_SEED, OPTION_TRAIN, OPTION_TEST, OPTION_QUIET, OPTION_HELP };
    static const struct option options[] = {
        {"data", required_argument, NULL, OPTION_DATA},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"train", required_argument, NULL, OPTION_TRAIN},
        {"test", required_argument, NULL, OPTION_TEST},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    struct bittern_digits_options digits = {.train_count = DEFAULT_TRAIN,
                                            .test_count = DEFAULT_TEST};
    const char *data_dir = NULL;
    bool quiet = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DATA:
            data_dir = optarg;
            break;
        case OPTION_SEED:
            if (!cli_parse_u64(optarg, &digits.seed)) {
                return cli_usage(COMMAND, "--seed takes a whole number, not '%s'", optarg);
            }
            break;
        case OPTION_TRAIN:
        case OPTION_TEST:
            if (!cli_parse_size(optarg, 1, MAX_IMAGES,
                                option == OPTION_TRAIN ? &digits.train_count
                                                       : &digits.test_count)) {
                return cli_usage(COMMAND, "--%s takes a number from 1 to %d, not '%s'",
                                 option == OPTION_TRAIN ? "train" : "test", MAX_IMAGES, optarg);
            }
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
    if (optind + 1 != argc) {
        return cli_usage(COMMAND, "say what to make: digits");
    }
    if (strcmp(argv[optind], "digits") != 0) {
        return cli_usage(COMMAND, "'%s' cannot be made; digits can", argv[optind]);
    }
    return make_digits(data_dir, &digits, quiet);
}
