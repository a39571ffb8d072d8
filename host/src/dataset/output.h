/* SPDX-License-Identifier: Apache-2.0 */
/* Where fetch and make write to. */
#ifndef BITTERN_DATASET_OUTPUT_H
#define BITTERN_DATASET_OUTPUT_H

#include <bittern/error.h>

/*
 * Create DATA_DIR/SUBFOLDER; data_dir NULL: the user's folder. *folder is to be freed with free().
 */
bittern_status dataset_output_folder(const char *data_dir, const char *subfolder, char **folder,
                                     struct bittern_error *err);

/* FOLDER/NAME followed by suffix, to be freed with free(); NULL without memory. */
char *dataset_output_path(const char *folder, const char *name, const char *suffix);

#endif
