/* SPDX-License-Identifier: Apache-2.0 */
/* The library's progress callback, shown as the commands show progress; Ctrl-C cancels. */
#ifndef BITTERN_CMD_DATA_PROGRESS_H
#define BITTERN_CMD_DATA_PROGRESS_H

#include "cli.h"

struct data_progress {
    const char *unit; /* as struct cli_progress has it */
    bool quiet;
    const char *what; /* the file or split that is shown; NULL: none yet */
    struct cli_progress line;
};

/* A bittern_progress; user is a struct data_progress. Call cli_progress_finish(&line) at the end.
 */
int data_progress_update(void *user, const char *what, uint64_t done, uint64_t total);

#endif
