/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a user names: what they are by their content, and a program out of a model. */
#ifndef BITTERN_CLI_LOAD_H
#define BITTERN_CLI_LOAD_H

#include <bittern/error.h>
#include <bittern/model.h>
#include <bittern/network.h>
#include <bittern/program.h>
#include <stdbool.h>

enum file_kind {
    FILE_KIND_ONNX, /* also whatever is nothing else */
    FILE_KIND_PROGRAM,
    FILE_KIND_DATA, /* images or labels: IDX, plain or compressed; tar */
    FILE_KIND_NPY
};

/* Looks at the first bytes only; fails where the file cannot be read or is empty. */
bittern_status file_kind_find(const char *path, enum file_kind *kind, struct bittern_error *err);

/* How a model becomes a program, from the command line. */
struct load_options {
    struct bittern_compile_options compile;
    bool has_input_range; /* given by the user; else the model's own metadata decides, else 0-1 */
    const struct bittern_geometry *geometry; /* NULL: any, which the reference engine runs */
};

/* "0-255", "0-1", "minus1-1" */
bool input_range_parse(const char *text, enum bittern_input_range *range);
const char *input_range_name(enum bittern_input_range range);

/* Choose the input range, and compile. options->compile.input_range then holds the one in use. */
bittern_status load_compile(const struct bittern_model *model, struct load_options *options,
                            struct bittern_program **program, struct bittern_error *err);

/* Read a program file, or an ONNX model and compile it. */
bittern_status load_program(const char *path, struct load_options *options,
                            struct bittern_program **program, struct bittern_error *err);

#endif
