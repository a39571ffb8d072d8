/* SPDX-License-Identifier: Apache-2.0 */
/* bittern-train: reads the recipe, trains, and reports. On several ranks the first one speaks. */
#include "command.h"

#include "checkpoint/checkpoint.h"
#include "comm/comm.h"

#include <stdlib.h>
#include <string.h>

/* Where results go; to be freed. */
static char *choose_folder(const struct train_arguments *arguments, const struct recipe *recipe)
{
    char *folder = NULL;
    if (arguments->out) {
        return strdup(arguments->out);
    }
    int length = asprintf(&folder, "runs/%s%s-seed%llu", recipe->base_name,
                          arguments->quick ? "-quick" : "", (unsigned long long)arguments->seed);
    return length < 0 ? NULL : folder;
}

/* A run is resumed with its own seed where none is given. */
static bittern_status find_seed(struct train_arguments *arguments, const char *folder,
                                struct bittern_error *err)
{
    char *text = NULL;
    if (!arguments->resume || arguments->has_seed) {
        return BITTERN_OK;
    }
    char *path = trainer_checkpoint_path(folder);
    bittern_status status =
        path ? checkpoint_read_recipe(path, &text, &arguments->seed, err)
             : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a path");
    free(text);
    free(path);
    return status;
}

/* As a shell reads it. */
static void print_argument(const char *argument)
{
    if (argument[0] && !strpbrk(argument, " \t\n'\"$\\*?[]{}#~&;|<>()`!")) {
        fprintf(stderr, " %s", argument);
        return;
    }
    fputs(" '", stderr);
    for (const char *c = argument; *c; c++) {
        if (*c == '\'') {
            fputs("'\\''", stderr);
        } else {
            fputc(*c, stderr);
        }
    }
    fputc('\'', stderr);
}

/* The same command line, with --resume. */
static void print_resume_hint(int argc, char **argv, size_t ranks)
{
    fprintf(stderr, "The state is saved. To go on:\n  ");
    if (ranks > 1) {
        fprintf(stderr, "mpirun -n %zu bittern-train", ranks);
    } else {
        fprintf(stderr, "bittern train");
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--force") != 0 && strcmp(argv[i], "--resume") != 0) {
            print_argument(argv[i]);
        }
    }
    fprintf(stderr, " --resume\n");
}

static bittern_status train(const struct train_arguments *arguments, const struct recipe *recipe,
                            const char *folder, struct comm *comm, struct trainer_result *result,
                            struct bittern_error *err)
{
    struct train_progress progress;
    const struct trainer_options options = {.data_dir = arguments->data,
                                            .folder = folder,
                                            .resume = arguments->resume,
                                            .replace = arguments->force,
                                            .export_best = arguments->export_best,
                                            .teacher = arguments->teacher,
                                            .seed = arguments->seed,
                                            .threads = arguments->threads,
                                            .precision = arguments->precision,
                                            .comm = comm,
                                            .checkpoint_seconds =
                                                (double)arguments->checkpoint_seconds,
                                            .verify_images = arguments->verify,
                                            .progress = train_progress_show,
                                            .warn = train_progress_warn,
                                            .deploy_progress = train_progress_deploy,
                                            .user = &progress};

    train_progress_start(&progress, arguments->quiet || comm_rank(comm) > 0);
    if (!progress.quiet) {
        fprintf(stderr, "%s%s%s\nResults go to %s\n", recipe->base_name,
                recipe->title[0] ? ": " : "", recipe->title, folder);
    }
    cli_catch_interrupts();
    bittern_status status = trainer_run(recipe, &options, result, err);
    train_progress_clear(&progress);
    return status;
}

static int print_result(const struct train_arguments *arguments, const struct recipe *recipe,
                        const char *folder, const struct trainer_result *result)
{
    return arguments->json ? train_print_json(folder)
                           : train_print_result(arguments, recipe, folder, result);
}

/* The run's own recipe, with what was changed on its command line. */
static bittern_status read_own_recipe(const char *folder, struct recipe *recipe,
                                      struct bittern_error *err)
{
    char *text = NULL;
    uint64_t seed = 0;
    char *path = trainer_checkpoint_path(folder);
    bittern_status status = path ? checkpoint_read_recipe(path, &text, &seed, err)
                                 : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory");
    if (status == BITTERN_OK) {
        status = recipe_parse(text, strlen(text), path, false, NULL, 0, recipe, err);
    }
    free(text);
    free(path);
    return status;
}

static bittern_status read_recipe(const struct train_arguments *arguments, struct recipe *recipe,
                                  struct bittern_error *err)
{
    char *path = NULL;
    if (!arguments->recipe) {
        return read_own_recipe(arguments->out, recipe, err);
    }
    bittern_status status = recipe_file_find(arguments->recipe, &path, err);
    if (status == BITTERN_OK) {
        status = recipe_read(path, arguments->quick, arguments->overrides,
                             arguments->override_count, recipe, err);
    }
    free(path);
    return status;
}

static bittern_status prepare(struct train_arguments *arguments, struct recipe *recipe,
                              char **folder, struct bittern_error *err)
{
    bittern_status status = read_recipe(arguments, recipe, err);
    if (status == BITTERN_OK) {
        *folder = choose_folder(arguments, recipe);
        status = *folder ? find_seed(arguments, *folder, err)
                         : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a path");
    }
    return status;
}

/* Both are the size of a recipe, too large for a stack of every thread library. */
struct command {
    struct train_arguments arguments;
    struct recipe recipe;
    struct trainer_result result;
};

static int run_command(struct command *command, int argc, char **argv)
{
    struct bittern_error err;
    struct comm *comm = NULL;
    char *folder = NULL;
    int code = CLI_EXIT_OK;

    bittern_status status = comm_create(&comm, &err);
    bool speaks = comm_rank(comm) == 0;
    if (status == BITTERN_OK) {
        status = prepare(&command->arguments, &command->recipe, &folder, &err);
    }
    if (status == BITTERN_OK) {
        status = train(&command->arguments, &command->recipe, folder, comm, &command->result, &err);
    }
    if (status != BITTERN_OK) {
        code = status == BITTERN_ERR_CANCELLED ? CLI_EXIT_INTERRUPTED : CLI_EXIT_FAILED;
        if (status != BITTERN_ERR_CANCELLED) {
            comm_abandon(comm);
        }
        /* What only one rank met, it has to say itself. */
        if (speaks || status != BITTERN_ERR_CANCELLED) {
            (void)cli_fail("train", &err);
        }
        if (speaks && cli_interrupted() && status == BITTERN_ERR_CANCELLED) {
            print_resume_hint(argc, argv, comm_size(comm));
        }
    } else if (speaks) {
        code = print_result(&command->arguments, &command->recipe, folder, &command->result);
    }
    trainer_result_clear(&command->result);
    free(folder);
    comm_free(comm);
    return code;
}

int main(int argc, char **argv)
{
    bool done = false;
    struct command *command = calloc(1, sizeof *command);
    if (!command) {
        fprintf(stderr, "bittern train: no memory\n");
        return CLI_EXIT_FAILED;
    }
    int code = train_parse_arguments(argc, argv, &command->arguments, &done);
    if (!done) {
        code = run_command(command, argc, argv);
    }
    free(command);
    return code;
}
