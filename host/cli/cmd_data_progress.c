/* SPDX-License-Identifier: Apache-2.0 */
/* The library's progress callback, shown as the commands show progress; Ctrl-C cancels. */
#include "cmd_data_progress.h"

int data_progress_update(void *user, const char *what, uint64_t done, uint64_t total)
{
    struct data_progress *progress = user;
    if (progress->what != what) { /* the library passes one string as long as it is at one thing */
        cli_progress_finish(&progress->line);
        cli_progress_start(&progress->line, what, progress->unit, progress->quiet);
        progress->what = what;
    }
    cli_progress_update(&progress->line, done, total);
    return cli_interrupted();
}
