/* SPDX-License-Identifier: Apache-2.0 */
/* Where data sets are kept for a user: taken from the environment, as XDG's base directories are.
 */
#include "dataset/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bittern_status dataset_user_folder(char **folder, struct bittern_error *err)
{
    const char *chosen = environment("BITTERN_DATA");
    const char *xdg = environment("XDG_DATA_HOME");
    const char *home = environment("HOME");
    int length = -1;

    *folder = NULL;
    if (chosen) {
        length = asprintf(folder, "%s", chosen);
    } else if (xdg && *xdg == '/') { /* XDG: a path that is not absolute is to be ignored */
        length = asprintf(folder, "%s/bittern", xdg);
    } else if (home) {
        length = asprintf(folder, "%s/.local/share/bittern", home);
    } else {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                 "no folder for data sets: neither BITTERN_DATA nor XDG_DATA_HOME "
                                 "nor HOME is set; name a folder with --data or BITTERN_DATA");
    }
    if (length < 0) {
        *folder = NULL;
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the name of a folder");
    }
    return BITTERN_OK;
}
