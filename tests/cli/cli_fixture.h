/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of commands share: a folder of their own, a small classifier as a program and as an
 * ONNX model, a small data set, and running `bittern` there.
 */
#ifndef BITTERN_CLI_FIXTURE_H
#define BITTERN_CLI_FIXTURE_H

#include "run_command.h"
#include "testing.h"

#include <bittern/network.h>
#include <cjson/cJSON.h>

#define FIXTURE_IMAGES 40 /* test images of the data set "digits" in folder "data" */

/* Group set-up and tear-down: make the folder, and remove it with all that is in it. */
int fixture_make_folder(void **state);
int fixture_remove_folder(void **state);

/* FOLDER/name, in one of a few buffers that take turns. */
const char *fixture_path(const char *name);

/* 784 pixels as they are, times random binary weights: ten int32 outputs. To be freed. */
struct bittern_network *fixture_classifier(size_t channels, size_t side, size_t outputs);
/* The same with `outputs` ten for 1x28x28, as FOLDER/name. */
void fixture_write_program(const char *name);
/* A model of a convolution, BatchNormalization and BipolarQuant, then a full connection: for
 * 1x28x28 and ten classes. */
void fixture_write_model(const char *name);
/* FOLDER/data/digits, from a fixed seed. */
void fixture_make_digits(void);
void fixture_write_bytes(const char *name, const void *bytes, size_t size);
/* A file of up to a MiB, with a 0 behind its end; to be freed. */
char *fixture_read_text(const char *name);

/* Run bittern in the folder; arguments end with NULL. */
void fixture_run(struct command_result *result, const char *const *arguments);
/* Run, and fail where the exit code differs, or where `part` (may be NULL) is not in what it said
 * on stderr (failures) or stdout (success). */
void fixture_expect(int exit_code, const char *part, const char *const *arguments);
/* Run with success, and parse stdout; to be deleted. */
cJSON *fixture_json(const char *const *arguments);

/* A member that must be there: "device.name" goes through objects. */
const cJSON *fixture_member(const cJSON *object, const char *path);
double fixture_number(const cJSON *object, const char *path);
const char *fixture_string(const cJSON *object, const char *path);

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
