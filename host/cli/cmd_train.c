/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern train: the trainer is a program of its own, so that this one needs neither oneDNN nor
 * MPI. It is looked for beside this program, then in PATH, and takes over this process.
 */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRAINER "bittern-train"

/* The folder of this program, with a slash; false where the system does not tell. */
static bool find_own_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    if (length <= 0) {
        return false;
    }
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash) {
        return false;
    }
    slash[1] = '\0';
    return true;
}

/* Returns only where it fails. */
static void run_trainer_beside(char **arguments)
{
    char folder[PATH_MAX];
    char *path = NULL;
    if (find_own_folder(folder, sizeof folder) && asprintf(&path, "%s" TRAINER, folder) > 0) {
        if (access(path, X_OK) == 0) {
            execv(path, arguments);
        }
        free(path);
    }
}

int command_train(int argc, char **argv)
{
    char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (!arguments) {
        fprintf(stderr, "bittern train: no memory\n");
        return CLI_EXIT_FAILED;
    }
    char name[] = TRAINER;
    arguments[0] = name;
    for (int i = 1; i < argc; i++) {
        arguments[i] = argv[i];
    }
    fflush(NULL);
    run_trainer_beside(arguments);
    execvp(name, arguments);
    int code = errno;
    free(arguments);
    if (code == ENOENT) {
        fprintf(stderr, "bittern train: the trainer, " TRAINER ", is neither beside this program "
                        "nor in PATH. It is built where oneDNN 2, libcyaml and OpenMP are found: "
                        "install libdnnl-dev and libcyaml-dev (scripts/install-deps.sh), and build "
                        "again\n");
    } else {
        fprintf(stderr, "bittern train: cannot run " TRAINER ": %s\n", strerror(code));
    }
    return CLI_EXIT_FAILED;
}
