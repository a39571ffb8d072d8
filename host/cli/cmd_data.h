/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `bittern data`; each gets argv from its verb on. */
#ifndef BITTERN_CMD_DATA_H
#define BITTERN_CMD_DATA_H

#include <cJSON.h>

int command_data_list(int argc, char **argv);
int command_data_fetch(int argc, char **argv);
int command_data_make(int argc, char **argv);
int command_data_show(int argc, char **argv);

/*
 * Print root on stdout and free it; a NULL root, or one that cannot be printed, is reported as out
 * of memory. Returns the exit code.
 */
int data_print_json(const char *command, cJSON *root);

#endif
