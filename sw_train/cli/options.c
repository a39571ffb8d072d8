/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of bittern-train. */
#include "command.h"

#include <bittern/version.h>
#include <getopt.h>
#include <string.h>

static const char help[] =
    "Train a network by a recipe, and compile it into an integer network.\n"
    "\n"
    "Usage: bittern train [OPTION...] RECIPE\n"
    "\n"
    "RECIPE is a YAML file, or the name of one in ./recipes or among the installed ones.\n"
    "\n"
    "  -o, --out DIR             folder of results (default: runs/NAME-seedN)\n"
    "      --set KEY=VALUE       change a key of the recipe, e.g. training.epochs=5; repeatable\n"
    "      --quick               the recipe's own short version, for a first look\n"
    "      --seed N              of initial weights, order, augmentation (default: 1)\n"
    "      --resume              go on from the folder's last checkpoint: same bits as a run that\n"
    "                            was never stopped, with the same number of threads; with --out\n"
    "                            RECIPE can be left out\n"
    "      --force               replace the run that is in the folder\n"
    "      --data DIR            where data sets are (default: $BITTERN_DATA, ...)\n"
    "      --teacher FILE        checkpoint of a full-precision run, for distillation\n"
    "      --threads N           (default: one a CPU)\n"
    "      --precision P         auto, f32 or bf16 (default: auto: bf16 where the CPU is fast at "
    "it)\n"
    "      --verify N            test images compared in float64 at the end (default: 100)\n"
    "      --export WHICH        last or best: the weights that are exported (default: last)\n"
    "      --save-every SECONDS  save at least so often within an epoch (default: 300)\n"
    "      --list                print recipes and named networks\n"
    "      --json                print the result as JSON on stdout\n"
    "      --quiet               no progress\n"
    "      --version\n"
    "  -h, --help\n"
    "\n"
    "The folder gets last.safetensors and best.safetensors (checkpoints), metrics.jsonl,\n"
    "events.out.tfevents.* (TensorBoard), and at the end NAME.onnx, NAME.btn and result.json.\n"
    "Ctrl-C saves and ends; --resume goes on. With MPI: mpirun -n 2 bittern-train RECIPE.\n"
    "\n"
    "Examples:\n"
    "  bittern train mnist-lenet5-sq --quick\n"
    "  bittern train recipes/mnist-lenet5-sq.yaml --seed 2\n"
    "  bittern train mnist-lenet5-twn --set training.epochs=10 --out runs/short\n"
    "  bittern train mnist-lenet5-sq --seed 2 --resume\n"
    "  bittern train --resume --out runs/short\n"
    "  bittern train mnist-lenet5-sq --quick --json | jq .integer.accuracy\n"
    "\n"
    "Exit codes: 0 all well, 1 the work failed, 2 the command line was wrong, 130 interrupted.\n";

enum {
    OPTION_SET = 256,
    OPTION_QUICK,
    OPTION_SEED,
    OPTION_RESUME,
    OPTION_FORCE,
    OPTION_DATA,
    OPTION_TEACHER,
    OPTION_THREADS,
    OPTION_PRECISION,
    OPTION_VERIFY,
    OPTION_EXPORT,
    OPTION_SAVE_EVERY,
    OPTION_LIST,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERSION
};

static int take_precision(const char *value, struct train_arguments *arguments)
{
    static const char *const names[] = {[BACKEND_PRECISION_AUTO] = "auto",
                                        [BACKEND_PRECISION_F32] = "f32",
                                        [BACKEND_PRECISION_BF16] = "bf16"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
            arguments->precision = (enum backend_precision)i;
            return CLI_EXIT_OK;
        }
    }
    return cli_usage("train", "--precision is auto, f32 or bf16, not '%s'", value);
}

static int take_export(const char *value, struct train_arguments *arguments)
{
    arguments->export_best = strcmp(value, "best") == 0;
    return arguments->export_best || strcmp(value, "last") == 0
               ? CLI_EXIT_OK
               : cli_usage("train", "--export is last or best, not '%s'", value);
}

static int take_override(const char *value, struct train_arguments *arguments)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        return cli_usage("train", "--set takes KEY=VALUE, e.g. training.epochs=5, not '%s'", value);
    }
    if (arguments->override_count == MAX_OVERRIDES) {
        return cli_usage("train", "--set is given more than %d times; write a recipe file",
                         MAX_OVERRIDES);
    }
    arguments->overrides[arguments->override_count++] = value;
    return CLI_EXIT_OK;
}

static int take_number(const char *name, const char *value, size_t minimum, size_t maximum,
                       size_t *number)
{
    return cli_parse_size(value, minimum, maximum, number)
               ? CLI_EXIT_OK
               : cli_usage("train", "%s is a whole number from %zu to %zu, not '%s'", name, minimum,
                           maximum, value);
}

static int take_seed(const char *value, struct train_arguments *arguments)
{
    arguments->has_seed = true;
    return cli_parse_u64(value, &arguments->seed)
               ? CLI_EXIT_OK
               : cli_usage("train", "--seed is a whole number, not '%s'", value);
}

/* An option with a value; CLI_EXIT_OK to go on. */
static int take_value(int option, const char *value, struct train_arguments *arguments)
{
    switch (option) {
    case 'o':
        arguments->out = value;
        return *value ? CLI_EXIT_OK : cli_usage("train", "--out is empty");
    case OPTION_SET:
        return take_override(value, arguments);
    case OPTION_SEED:
        return take_seed(value, arguments);
    case OPTION_DATA:
        arguments->data = value;
        return CLI_EXIT_OK;
    case OPTION_TEACHER:
        arguments->teacher = value;
        return CLI_EXIT_OK;
    case OPTION_THREADS:
        return take_number("--threads", value, 1, 1024, &arguments->threads);
    case OPTION_PRECISION:
        return take_precision(value, arguments);
    case OPTION_VERIFY:
        return take_number("--verify", value, 0, 100000000, &arguments->verify);
    case OPTION_EXPORT:
        return take_export(value, arguments);
    case OPTION_SAVE_EVERY:
        return take_number("--save-every", value, 0, 1000000, &arguments->checkpoint_seconds);
    default:
        return cli_usage("train", "the command line is wrong");
    }
}

static int take_option(int option, const char *value, struct train_arguments *arguments)
{
    switch (option) {
    case OPTION_QUICK:
        arguments->quick = true;
        return CLI_EXIT_OK;
    case OPTION_RESUME:
        arguments->resume = true;
        return CLI_EXIT_OK;
    case OPTION_FORCE:
        arguments->force = true;
        return CLI_EXIT_OK;
    case OPTION_LIST:
        arguments->list = true;
        return CLI_EXIT_OK;
    case OPTION_JSON:
        arguments->json = true;
        return CLI_EXIT_OK;
    case OPTION_QUIET:
        arguments->quiet = true;
        return CLI_EXIT_OK;
    default:
        return take_value(option, value, arguments);
    }
}

static int check_arguments(int argc, char **argv, struct train_arguments *arguments, bool *done)
{
    if (arguments->list) {
        return optind == argc ? recipe_file_list()
                              : cli_usage("train", "--list prints recipes and takes none");
    }
    bool own_recipe = arguments->resume && arguments->out && optind == argc;
    if (optind + 1 != argc && !own_recipe) {
        return cli_usage("train", optind == argc ? "which recipe? --list prints them"
                                                 : "one recipe at a time");
    }
    if (arguments->resume && arguments->force) {
        return cli_usage("train", "--resume goes on with the run that --force would replace");
    }
    if (own_recipe && (arguments->quick || arguments->override_count > 0)) {
        return cli_usage("train", "--quick and --set change a recipe, and none is given");
    }
    arguments->recipe = argv[optind];
    *done = false;
    return CLI_EXIT_OK;
}

int train_parse_arguments(int argc, char **argv, struct train_arguments *arguments, bool *done)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'},
        {"set", required_argument, NULL, OPTION_SET},
        {"quick", no_argument, NULL, OPTION_QUICK},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"resume", no_argument, NULL, OPTION_RESUME},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"data", required_argument, NULL, OPTION_DATA},
        {"teacher", required_argument, NULL, OPTION_TEACHER},
        {"threads", required_argument, NULL, OPTION_THREADS},
        {"precision", required_argument, NULL, OPTION_PRECISION},
        {"verify", required_argument, NULL, OPTION_VERIFY},
        {"export", required_argument, NULL, OPTION_EXPORT},
        {"save-every", required_argument, NULL, OPTION_SAVE_EVERY},
        {"list", no_argument, NULL, OPTION_LIST},
        {"json", no_argument, NULL, OPTION_JSON},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    *arguments = (struct train_arguments){.seed = 1, .verify = 100, .checkpoint_seconds = 300};
    *done = true;
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output("train");
        }
        if (option == OPTION_VERSION) {
            printf("bittern-train %s\n", BITTERN_VERSION);
            return cli_finish_output("train");
        }
        int code = take_option(option, optarg, arguments);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    return check_arguments(argc, argv, arguments, done);
}
