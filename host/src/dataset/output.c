/* SPDX-License-Identifier: Apache-2.0 */
/* Where fetch and make write to. */
#include "dataset/output.h"

#include "base/file.h"
#include "dataset/dataset.h"

#include <stdio.h>
#include <stdlib.h>

char *dataset_output_path(const char *folder, const char *name, const char *suffix)
{
    char *path;
    return asprintf(&path, "%s/%s%s", folder, name, suffix) < 0 ? NULL : path;
}

bittern_status dataset_output_folder(const char *data_dir, const char *subfolder, char **folder,
                                     struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    char *user_folder = NULL;

    *folder = NULL;
    if (!data_dir) {
        status = dataset_user_folder(&user_folder, err);
        data_dir = user_folder;
    }
    if (status == BITTERN_OK) {
        *folder = dataset_output_path(data_dir, subfolder, "");
        status = *folder ? file_make_directory(*folder, err)
                         : bittern_error_set(err, BITTERN_ERR_MEMORY,
                                             "no memory for the name of a folder");
    }
    if (status != BITTERN_OK) {
        free(*folder);
        *folder = NULL;
    }
    free(user_folder);
    return status;
}
