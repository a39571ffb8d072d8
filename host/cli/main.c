/* SPDX-License-Identifier: Apache-2.0 */
/* The bittern command: finds the sub-command and hands over to it. */
#include "cli.h"

#include <bittern/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"data", command_data, "data sets: list, fetch, make digits, show"},
    {"train", command_train, "train a network by a recipe, and compile it"},
    {"compile", command_compile, "fold an ONNX model into a program"},
    {"run", command_run, "run images through a program on a device"},
    {"bench", command_bench, "measure programs on a device, layer by layer"},
    {"report", command_report, "one HTML page from benchmarks and training runs"},
    {"inspect", command_inspect, "show what is inside a model or program file"},
    {"energy", command_energy, "model the energy of an inference, and compare"},
    {"devices", command_devices, "list what programs can run on"},
    {NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    fprintf(out, "bittern: binary and ternary neural networks, from training to hardware\n"
                 "\n"
                 "Usage: bittern COMMAND [OPTION...]\n"
                 "\n"
                 "Commands:\n");
    for (size_t i = 0; commands[i].name; i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "\n"
                 "  bittern COMMAND --help     options and examples of a command\n"
                 "  bittern --version\n"
                 "\n"
                 "Exit codes: 0 all well, 1 the work failed, 2 the command line was wrong.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_help(stdout);
        return cli_finish_output("--help");
    }
    if (strcmp(name, "--version") == 0) {
        printf("bittern %s\n", BITTERN_VERSION);
        return cli_finish_output("--version");
    }
    char *help_arguments[] = {argv[argc - 1], "--help", NULL};
    char **arguments = argv + 1;
    int count = argc - 1;
    if (strcmp(name, "help") == 0) {
        name = argv[argc - 1];
        arguments = help_arguments;
        count = 2;
    }
    for (size_t i = 0; commands[i].name; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            int code = commands[i].run(count, arguments);
            return code == CLI_EXIT_OK ? cli_finish_output(name) : code;
        }
    }
    fprintf(stderr, "bittern: there is no command '%s'\nTry 'bittern --help'.\n", name);
    return CLI_EXIT_USAGE;
}
