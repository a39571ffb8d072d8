/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of whole runs share: a folder of their own with a few hundred drawn digits, a recipe
 * that trains on them in a second, and checkpoints compared bit by bit.
 */
#ifndef BITTERN_TRAIN_FIXTURE_H
#define BITTERN_TRAIN_FIXTURE_H

#include "testing.h"
#include "train/trainer.h"

#define FIXTURE_TRAIN_IMAGES 400
#define FIXTURE_TEST_IMAGES 200
#define FIXTURE_BATCH 40
#define FIXTURE_BATCHES 10 /* an epoch */

/* The YAML of the recipe, for tests of the command. */
extern const char fixture_recipe_text[];

/* Group set-up and tear-down: make the folder with its digits; remove it with all in it. */
int fixture_make_folder(void **state);
int fixture_remove_folder(void **state);

/* FOLDER/name, in one of a few buffers that take turns. */
const char *fixture_path(const char *name);

/* The recipe above with up to 16 "key=value" changes, ended by NULL. */
void fixture_recipe(struct recipe *recipe, const char *const *overrides);
#define CHANGES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Options for a run in FOLDER/name, with one seed, two threads, no progress. */
struct trainer_options fixture_options(const char *name);

/* A run that must end with an error in whose message `part` stands. */
void fixture_expect(const struct recipe *recipe, const struct trainer_options *options,
                    bittern_status expected, const char *part);

/* A progress callback that asks to stop after so many calls of a phase; user points to it. */
struct fixture_stop {
    enum trainer_phase phase;
    size_t calls; /* left; SIZE_MAX: never */
};
int fixture_stop_progress(void *user, const struct trainer_progress *progress);

/* Fails with the name of the first tensor that is not the same in both files, bit by bit. */
void fixture_assert_same_tensors(const char *path, const char *other_path);

/* File's content with a 0 behind its end; to be freed. */
char *fixture_read(const char *path, size_t *size);

#endif
