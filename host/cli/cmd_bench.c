/* SPDX-License-Identifier: Apache-2.0 */
/* bittern bench: the command line. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CLOCK_MHZ 100.0
#define MAX_REPETITIONS 10000

static const char help[] =
    "Measure programs on a device: cycles, utilization, what the rest was lost to, bytes, speed,\n"
    "latency, energy; for the whole and for each layer. Every value is compared with the "
    "reference\n"
    "engine's.\n"
    "\n"
    "Usage: bittern bench [OPTION...] PROGRAM.btn|MODEL.onnx...\n"
    "       bittern bench --compare A.jsonl B.jsonl [--limit PERCENT] [--json]\n"
    "\n"
    "Device:\n"
    "      --device NAME         reference (default), or another that 'bittern devices' lists;\n"
    "                            sim is the simulated accelerator, sim:edge one of a geometry\n"
    "      --batch N             images a start, 1 to 4096 (default 64, or all if there are "
    "fewer)\n"
    "      --jobs N              devices at once (default: 1; simulated ones: one a CPU, as far "
    "as\n"
    "                            there are batches)\n"
    "      --timeout SECONDS     for one batch (default 60; simulated devices: 3600)\n"
    "      --threads N           threads of the reference (default: one a CPU)\n"
    "      --kernel NAME         kernel of the reference: avx512, avx2, neon, portable\n"
    "      --clock MHZ           what cycles are turned into seconds with (default 100)\n"
    "      --sweep WHAT=A,B...   a row for each: geometry=tiny,edge, batch=1,16,64 or, for "
    "simulated\n"
    "                            memory, latency=16,64,256; several sweeps are combined\n"
    "\n"
    "Images (default: random ones, without accuracy):\n"
    "      --dataset NAME        data set; 'bittern data list' shows them\n"
    "      --split NAME          test (default) or train\n"
    "      --data DIR            folder with data sets (default: see 'bittern data --help')\n"
    "      --input FILE.npy      images of your own instead: uint8, [N][C][H][W]\n"
    "      --start K             first image, counted from 0 (default 0)\n"
    "      --images N            number of images (default: 64, or the largest batch; on other "
    "than\n"
    "                            simulated devices all of a data set)\n"
    "      --seed N              of random images (default 1)\n"
    "\n"
    "Energy:\n"
    "      --activity FILE.json  model the energy from the activity of a program, as hw/energy\n"
    "                            measures it (once for each program)\n"
    "      --energy SOURCE       model; host: the processor's counters (RAPL), for the reference;\n"
    "                            board: its power sensors; none; or auto (default): model with\n"
    "                            --activity, else host or board where there are sensors\n"
    "\n"
    "Measurement:\n"
    "      --repetitions N       times all images (default 3; simulated devices 1, as their "
    "cycles\n"
    "                            are the same each time, which 2 or more check)\n"
    "      --warmup N            batches before that (default 1; simulated devices 0)\n"
    "\n"
    "Output:\n"
    "      --out FILE.jsonl      add rows to a file, each on disk before the next is measured\n"
    "      --resume              go on with a file: rows that it has are skipped\n"
    "      --force               replace a file\n"
    "      --json                print rows as JSON, one a line (docs/bench-format.md)\n"
    "      --quiet               print no progress\n"
    "\n"
    "Comparison:\n"
    "      --compare             b / a of all rows that two files share; the exit code is 1 where "
    "b\n"
    "                            is worse\n"
    "      --limit PERCENT       how much worse is still fine (default: 0 for simulated devices,\n"
    "                            whose cycles are exact, else 10)\n"
    "\n"
    "  A MODEL.onnx is compiled first, for the geometry of the device:\n"
    "      --input-range RANGE   what it expects for pixel values 0..255: 0-255, 0-1 or minus1-1\n"
    "                            (default: what its metadata says, else 0-1)\n"
    "  -h, --help\n"
    "\n"
    "Examples:\n"
    "  bittern bench lenet5.onnx --device sim:edge\n"
    "  bittern bench a.onnx b.onnx --device sim --dataset mnist --images 64 --out rows.jsonl\n"
    "  bittern bench lenet5.onnx --device sim --sweep geometry=tiny,edge --sweep batch=1,16,64\n"
    "  bittern bench lenet5.btn --dataset mnist --repetitions 5 --json | jq .whole\n"
    "  bittern bench --compare main.jsonl change.jsonl --limit 1\n"
    "\n"
    "Ctrl-C keeps the finished rows; the exit code is then 130, and --resume goes on. It is 1 "
    "where\n"
    "something failed, or where a value was not the reference engine's.\n";

enum {
    OPTION_REPETITIONS = RUN_OPTION_END,
    OPTION_WARMUP,
    OPTION_CLOCK,
    OPTION_SEED,
    OPTION_SWEEP,
    OPTION_ACTIVITY,
    OPTION_ENERGY,
    OPTION_OUT,
    OPTION_RESUME,
    OPTION_FORCE,
    OPTION_QUIET,
    OPTION_JSON, /* from here on: also with --compare */
    OPTION_COMPARE,
    OPTION_LIMIT
};

struct command {
    struct bench_arguments arguments;
    struct bench_sweep sweep;
    bool compare, measures; /* measures: an option that --compare does not take */
    double limit;           /* negative: not given */
};

/* ---- Command line ---------------------------------------------------------------------------- */

static int take_clock(const char *text, double *clock)
{
    if (!cli_parse_double(text, clock) || *clock < 1e-3 || *clock > 1e6) {
        return cli_usage("bench", "--clock is a number of MHz, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

static int take_limit(const char *text, double *limit)
{
    if (!cli_parse_double(text, limit) || *limit < 0.0) {
        return cli_usage("bench", "--limit is a percentage of 0 or more, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

static int take_seed(const char *text, struct image_choice *choice)
{
    if (!cli_parse_u64(text, &choice->seed)) {
        return cli_usage("bench", "--seed is a whole number, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

static int take_activity(const char *path, struct bench_arguments *arguments)
{
    if (arguments->activity_count == BENCH_MAX_ACTIVITIES) {
        return cli_usage("bench", "--activity is there more than %d times", BENCH_MAX_ACTIVITIES);
    }
    arguments->activities[arguments->activity_count++] = path;
    return CLI_EXIT_OK;
}

static int take_energy(const char *text, struct bench_arguments *arguments)
{
    if (!bench_energy_parse(text, &arguments->energy)) {
        return cli_usage("bench", "--energy is auto, model, host, board or none, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

static int take_option(int option, const char *value, struct command *command)
{
    struct bench_arguments *arguments = &command->arguments;

    command->measures = command->measures || option < OPTION_JSON;
    switch (option) {
    case OPTION_REPETITIONS:
        return run_options_take_number("bench", "repetitions", value, 1, MAX_REPETITIONS,
                                       &arguments->repetitions);
    case OPTION_WARMUP:
        return run_options_take_number("bench", "warmup", value, 0, MAX_REPETITIONS,
                                       &arguments->warmup);
    case OPTION_CLOCK:
        return take_clock(value, &arguments->clock_mhz);
    case OPTION_SEED:
        return take_seed(value, &arguments->options.choice);
    case OPTION_SWEEP:
        return bench_sweep_take(&command->sweep, value);
    case OPTION_ACTIVITY:
        return take_activity(value, arguments);
    case OPTION_ENERGY:
        return take_energy(value, arguments);
    case OPTION_OUT:
        arguments->out = value;
        return CLI_EXIT_OK;
    case OPTION_RESUME:
        arguments->resume = true;
        return CLI_EXIT_OK;
    case OPTION_FORCE:
        arguments->force = true;
        return CLI_EXIT_OK;
    case OPTION_JSON:
        arguments->json = true;
        return CLI_EXIT_OK;
    case OPTION_QUIET:
        arguments->quiet = true;
        return CLI_EXIT_OK;
    case OPTION_COMPARE:
        command->compare = true;
        return CLI_EXIT_OK;
    case OPTION_LIMIT:
        return take_limit(value, &command->limit);
    default:
        return run_options_take("bench", option, value, &arguments->options);
    }
}

static int check_compare(const struct command *command)
{
    if (command->measures) {
        return cli_usage("bench", "--compare measures nothing: it takes two files of rows, --limit "
                                  "and --json");
    }
    if (command->arguments.program_count != 2) {
        return cli_usage("bench", "--compare takes two files of rows");
    }
    return CLI_EXIT_OK;
}

/* What options say together. */
static int check_command(const struct command *command)
{
    const struct bench_arguments *arguments = &command->arguments;
    const struct image_choice *choice = &arguments->options.choice;
    int code = run_options_check("bench", &arguments->options);

    if (code != CLI_EXIT_OK) {
        return code;
    }
    if (arguments->program_count == 0) {
        return cli_usage("bench", "which program or model?");
    }
    if (command->limit >= 0.0) {
        return cli_usage("bench", "--limit is an option of --compare");
    }
    if ((arguments->resume || arguments->force) && !arguments->out) {
        return cli_usage("bench", "--resume and --force are about a file: name it with --out");
    }
    if (arguments->resume && arguments->force) {
        return cli_usage("bench", "either --resume or --force");
    }
    if (!choice->dataset && !choice->input &&
        (choice->data_dir || arguments->options.has_split || choice->start > 0)) {
        return cli_usage("bench", "--data, --split and --start need --dataset or --input");
    }
    bool reference = run_device_is_reference(arguments->options.device);
    if ((arguments->energy == BENCH_ENERGY_HOST && !reference) ||
        (arguments->energy == BENCH_ENERGY_BOARD &&
         (reference || run_device_is_simulated(arguments->options.device)))) {
        return cli_usage("bench", "--energy host is for '--device reference', --energy board for a "
                                  "board: they would measure something else here");
    }
    if (arguments->energy == BENCH_ENERGY_MODEL && reference) {
        return cli_usage("bench", "--energy model is for accelerators, not for the reference");
    }
    if (arguments->energy == BENCH_ENERGY_MODEL && arguments->activity_count == 0) {
        return cli_usage("bench", "--energy model needs --activity FILE.json");
    }
    if (command->sweep.counts[BENCH_BATCH] > 0 && arguments->options.batch > 0) {
        return cli_usage("bench", "either --batch or --sweep batch=");
    }
    return CLI_EXIT_OK;
}

static int parse_command(int argc, char **argv, struct command *command, bool *done)
{
    static const struct option options[] = {
        RUN_LONG_OPTIONS,
        {"repetitions", required_argument, NULL, OPTION_REPETITIONS},
        {"warmup", required_argument, NULL, OPTION_WARMUP},
        {"clock", required_argument, NULL, OPTION_CLOCK},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"sweep", required_argument, NULL, OPTION_SWEEP},
        {"activity", required_argument, NULL, OPTION_ACTIVITY},
        {"energy", required_argument, NULL, OPTION_ENERGY},
        {"out", required_argument, NULL, OPTION_OUT},
        {"resume", no_argument, NULL, OPTION_RESUME},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"json", no_argument, NULL, OPTION_JSON},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"compare", no_argument, NULL, OPTION_COMPARE},
        {"limit", required_argument, NULL, OPTION_LIMIT},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    *done = true;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output("bench");
        }
        int code = take_option(option, optarg, command);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    command->arguments.programs = argv + optind;
    command->arguments.program_count = (size_t)(argc - optind);
    int code = command->compare ? check_compare(command) : check_command(command);
    *done = code != CLI_EXIT_OK;
    return code;
}

int command_bench(int argc, char **argv)
{
    struct command command = {
        .arguments = {.options = {.device = "reference",
                                  .choice = {.split = BITTERN_SPLIT_TEST, .seed = 1}},
                      .warmup = SIZE_MAX,
                      .clock_mhz = DEFAULT_CLOCK_MHZ},
        .limit = -1.0};
    bool done = false;

    int code = parse_command(argc, argv, &command, &done);
    if (!done && command.compare) {
        code = bench_compare(command.arguments.programs[0], command.arguments.programs[1],
                             command.limit, command.arguments.json);
    } else if (!done) {
        cli_catch_interrupts();
        code = bench_run(&command.arguments, &command.sweep);
    }
    bench_sweep_free(&command.sweep);
    return code;
}
