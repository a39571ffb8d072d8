/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a user names: what they are by their content, and a program out of a model. */
#include "load.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD_SIZE 512
#define TAR_MAGIC_OFFSET 257

static const char *const range_names[] = {
    [BITTERN_INPUT_0_255] = "0-255",
    [BITTERN_INPUT_0_1] = "0-1",
    [BITTERN_INPUT_MINUS1_1] = "minus1-1",
};
#define RANGE_COUNT (sizeof range_names / sizeof range_names[0])

bool input_range_parse(const char *text, enum bittern_input_range *range)
{
    for (size_t i = 0; i < RANGE_COUNT; i++) {
        if (strcmp(text, range_names[i]) == 0) {
            *range = (enum bittern_input_range)i;
            return true;
        }
    }
    return false;
}

const char *input_range_name(enum bittern_input_range range)
{
    return (size_t)range < RANGE_COUNT ? range_names[range] : "unknown";
}

static bool starts_with(const uint8_t *head, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(head, magic, length) == 0;
}

/* IDX: two zero bytes, a type of 0x08..0x0E, a rank of 1..4. ONNX cannot start with a zero byte. */
static bool is_idx(const uint8_t *head, size_t size)
{
    return size >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 0x08 && head[2] <= 0x0E &&
           head[3] >= 1 && head[3] <= 4;
}

static enum file_kind kind_of(const uint8_t *head, size_t size)
{
    if (bittern_program_recognize(head, size)) {
        return FILE_KIND_PROGRAM;
    }
    if (starts_with(head, size, "\x93NUMPY", 6)) {
        return FILE_KIND_NPY;
    }
    if (is_idx(head, size) || starts_with(head, size, "\x1f\x8b", 2) ||
        starts_with(head, size,
                    "\xFD"
                    "7zXZ",
                    5) ||
        (size >= TAR_MAGIC_OFFSET + 5 && memcmp(head + TAR_MAGIC_OFFSET, "ustar", 5) == 0)) {
        return FILE_KIND_DATA;
    }
    return FILE_KIND_ONNX;
}

bittern_status file_kind_find(const char *path, enum file_kind *kind, struct bittern_error *err)
{
    uint8_t head[HEAD_SIZE];
    FILE *file = fopen(path, "rb");
    if (!file) {
        int code = errno;
        return bittern_error_set(err, code == ENOENT ? BITTERN_ERR_NOT_FOUND : BITTERN_ERR_IO,
                                 "cannot open '%s': %s", path, strerror(code));
    }
    struct stat info;
    if (fstat(fileno(file), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode))) {
        (void)fclose(file);
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "'%s' is a pipe; save what it gives as a file first", path);
    }
    errno = 0;
    size_t size = fread(head, 1, sizeof head, file);
    int code = errno;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot read '%s': %s", path, strerror(code));
    }
    if (size == 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' is empty", path);
    }
    *kind = kind_of(head, size);
    return BITTERN_OK;
}

/* What the user said; else what the trainer wrote into the model; else 0..1. */
static bittern_status choose_range(const struct bittern_model *model, struct load_options *options,
                                   struct bittern_error *err)
{
    if (options->has_input_range) {
        return BITTERN_OK;
    }
    options->compile.input_range = BITTERN_INPUT_0_1;
    const char *stored = bittern_model_metadata(model, "input_range");
    if (stored && !input_range_parse(stored, &options->compile.input_range)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the model's metadata says input_range '%.64s', which is none of "
                                 "0-255, 0-1 and minus1-1; give the right one with --input-range",
                                 stored);
    }
    return BITTERN_OK;
}

bittern_status load_compile(const struct bittern_model *model, struct load_options *options,
                            struct bittern_program **program, struct bittern_error *err)
{
    struct bittern_network *network = NULL;

    *program = NULL;
    bittern_status status = choose_range(model, options, err);
    if (status == BITTERN_OK) {
        status = bittern_network_compile(model, &options->compile, &network, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_program_create(network, options->geometry, program, err);
    }
    bittern_network_free(network);
    return status;
}

bittern_status load_program(const char *path, struct load_options *options,
                            struct bittern_program **program, struct bittern_error *err)
{
    struct bittern_model *model = NULL;
    enum file_kind kind = FILE_KIND_ONNX;

    *program = NULL;
    bittern_status status = file_kind_find(path, &kind, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (kind == FILE_KIND_PROGRAM) {
        return bittern_program_read(path, program, err);
    }
    if (kind != FILE_KIND_ONNX) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' is neither a program nor a model: it looks like a file of "
                                 "images",
                                 path);
    }
    status = bittern_model_read(path, &model, err);
    if (status == BITTERN_OK) {
        status = load_compile(model, options, program, err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(err, "%s", path);
        }
    }
    bittern_model_free(model);
    return status;
}
