/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of bittern-train: what was asked for (options.c, recipe_file.c), what it says while it
 * works (progress.c) and at its end (report.c).
 */
#ifndef BITTERN_TRAIN_COMMAND_H
#define BITTERN_TRAIN_COMMAND_H

#include "cli.h"
#include "train/trainer.h"

#include <stdio.h>

#define MAX_OVERRIDES 64

struct train_arguments {
    const char *recipe; /* path or name; NULL: the one of the run that is resumed */
    const char *overrides[MAX_OVERRIDES];
    size_t override_count;
    const char *out; /* NULL: runs/NAME-seedN */
    const char *data, *teacher;
    uint64_t seed;
    size_t threads, verify;
    size_t checkpoint_seconds;
    enum backend_precision precision;
    bool quick, has_seed, resume, force, export_best, json, quiet, list;
};

/* @return CLI_EXIT_OK to go on; else *done is set and the value is the exit code */
int train_parse_arguments(int argc, char **argv, struct train_arguments *arguments, bool *done);

/* The file that a recipe's path or bare name stands for; to be freed.
 * BITTERN_ERR_NOT_FOUND with the places looked in. */
bittern_status recipe_file_find(const char *name, char **path, struct bittern_error *err);
/* Print every recipe that a bare name finds, with its title, and the named networks. */
int recipe_file_list(void);

/* What a run says on stderr: on a terminal one line that is redrawn, and a line an epoch. */
struct train_progress {
    bool quiet, terminal, drawn;
    double last;
    struct cli_progress deploy;
    char deploy_what[64]; /* what the line of `deploy` is about; empty: none */
};
void train_progress_start(struct train_progress *progress, bool quiet);
/* As trainer_options has them; user is the struct train_progress. */
int train_progress_show(void *user, const struct trainer_progress *step);
int train_progress_deploy(void *user, const char *what, uint64_t done, uint64_t total);
void train_progress_warn(void *user, const char *message);
/* Remove what is drawn, before anything else is printed. */
void train_progress_clear(struct train_progress *progress);

/* Print the result for people; an exit code. */
int train_print_result(const struct train_arguments *arguments, const struct recipe *recipe,
                       const char *folder, const struct trainer_result *result);
/* Print FOLDER/result.json on stdout. */
int train_print_json(const char *folder);

#endif
