/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern run: images through a program on a device. The session reports after each batch, which is
 * where progress is drawn and an interrupt is seen; what was done until then is still told.
 */
#include "run.h"
#include "run_trace.h"

#include "device/waveform_name.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Run images through a network on a device, and print accuracy and speed.\n"
    "\n"
    "Usage: bittern run [OPTION...] PROGRAM.btn|MODEL.onnx\n"
    "\n"
    "Images:\n"
    "      --dataset NAME        data set (default: the only one that fits the network, or of "
    "those\n"
    "                            the only one that is found)\n"
    "      --split NAME          test (default) or train\n"
    "      --data DIR            folder with data sets (default: see 'bittern data --help')\n"
    "      --input FILE.npy      images of your own instead: uint8, [N][C][H][W]\n"
    "      --start K             first image, counted from 0 (default 0)\n"
    "      --images N            number of images (default: all)\n"
    "\n"
    "Device:\n"
    "      --device NAME         reference (default), or another that 'bittern devices' lists;\n"
    "                            sim is the simulated accelerator, sim:edge one of a geometry;\n"
    "                            xrt is a card behind the Xilinx Runtime, xrt:1 another one,\n"
    "                            xrt:0,xclbin=FILE,cu=2 with a file and a compute unit\n"
    "      --jobs N              devices of that name at once (default: 1; simulated ones: one a\n"
    "                            CPU)\n"
    "      --batch N             images a start of the device, 1 to 4096 (default 64, or fewer if\n"
    "                            some of the jobs had none then)\n"
    "      --timeout SECONDS     for one batch (default 60; simulated devices: 3600)\n"
    "      --threads N           threads of the reference (default: one a CPU)\n"
    "      --kernel NAME         kernel of the reference: avx512, avx2, neon, portable (default:\n"
    "                            the fastest that this CPU runs)\n"
    "\n"
    "Output:\n"
    "      --predictions FILE    write label, prediction and outputs of each image: .csv or .json\n"
    "      --dump DIR            write the output of every layer as .npy (reference only; needs\n"
    "                            --images)\n"
    "      --profile             also cycles and stalls of each layer, from the accelerator\n"
    "      --trace LAYERS        write a waveform of the simulated accelerator, and a save file "
    "for\n"
    "                            GTKWave: layer:N (from 0), layer:A-B, layer:NAME, or all; of one\n"
    "                            image unless --images says more\n"
    "      --trace-out FILE      where (default: trace.fst)\n"
    "      --json                print the result as JSON\n"
    "      --quiet               print no progress\n"
    "\n"
    "  A MODEL.onnx is compiled first, for the geometry of the device:\n"
    "      --input-range RANGE   what it expects for pixel values 0..255: 0-255, 0-1 or minus1-1\n"
    "                            (default: what its metadata says, else 0-1)\n"
    "  -h, --help\n"
    "\n"
    "Examples:\n"
    "  bittern run lenet5.btn --dataset mnist\n"
    "  bittern run lenet5.onnx --dataset digits --images 100 --predictions out.csv\n"
    "  bittern run lenet5.btn --input images.npy --json\n"
    "  bittern run lenet5.onnx --device sim:tiny --images 20 --profile\n"
    "  bittern run lenet5.btn --dataset mnist --start 17 --images 1 --dump layers\n"
    "  bittern run lenet5.onnx --device sim:tiny --trace layer:3 --trace-out layer3.fst\n"
    "\n"
    "Ctrl-C stops after the current batch and tells what was done; the exit code is then 130.\n";

enum {
    OPTION_PREDICTIONS = RUN_OPTION_END,
    OPTION_DUMP,
    OPTION_PROFILE,
    OPTION_TRACE,
    OPTION_TRACE_OUT,
    OPTION_JSON,
    OPTION_QUIET
};

/* ---- Command line ---------------------------------------------------------------------------- */

static int take_option(int option, const char *value, struct run_arguments *arguments)
{
    switch (option) {
    case OPTION_PREDICTIONS:
        arguments->predictions = value;
        return CLI_EXIT_OK;
    case OPTION_DUMP:
        arguments->dump = value;
        return CLI_EXIT_OK;
    case OPTION_PROFILE:
        arguments->profile = true;
        return CLI_EXIT_OK;
    case OPTION_TRACE:
        arguments->trace = value;
        return CLI_EXIT_OK;
    case OPTION_TRACE_OUT:
        arguments->trace_out = value;
        return CLI_EXIT_OK;
    case OPTION_JSON:
        arguments->json = true;
        return CLI_EXIT_OK;
    case OPTION_QUIET:
        arguments->quiet = true;
        return CLI_EXIT_OK;
    default:
        return run_options_take("run", option, value, &arguments->options);
    }
}

/* A waveform is of one device, and of one image unless more are asked for. */
static int check_trace(struct run_arguments *arguments)
{
    struct run_options *options = &arguments->options;

    if (!arguments->trace) {
        return arguments->trace_out ? cli_usage("run", "--trace-out goes with --trace")
                                    : CLI_EXIT_OK;
    }
    if (!run_device_is_simulated(options->device)) {
        return cli_usage("run", "--trace works with '--device sim' only");
    }
    if (options->jobs > 1) {
        return cli_usage("run", "--trace works with one job");
    }
    options->jobs = 1;
    arguments->trace_out = arguments->trace_out ? arguments->trace_out : RUN_TRACE_DEFAULT_FILE;
    if (options->choice.images == 0) {
        options->choice.images = 1;
    }
    return CLI_EXIT_OK;
}

/* What options say together. */
static int check_arguments(const struct run_arguments *arguments)
{
    int code = run_options_check("run", &arguments->options);

    if (code != CLI_EXIT_OK) {
        return code;
    }
    if (arguments->dump && strcmp(arguments->options.device, "reference") != 0) {
        return cli_usage("run", "--dump works with '--device reference' only");
    }
    if (arguments->dump && arguments->options.choice.images == 0) {
        return cli_usage("run", "--dump writes every layer of every image: say how many with "
                                "--images");
    }
    if (arguments->predictions && !run_predictions_name_is_known(arguments->predictions)) {
        return cli_usage("run", "--predictions takes a name that ends in .csv or .json");
    }
    return CLI_EXIT_OK;
}

static int parse_arguments(int argc, char **argv, struct run_arguments *arguments, bool *done)
{
    static const struct option options[] = {
        RUN_LONG_OPTIONS,
        {"predictions", required_argument, NULL, OPTION_PREDICTIONS},
        {"dump", required_argument, NULL, OPTION_DUMP},
        {"profile", no_argument, NULL, OPTION_PROFILE},
        {"trace", required_argument, NULL, OPTION_TRACE},
        {"trace-out", required_argument, NULL, OPTION_TRACE_OUT},
        {"json", no_argument, NULL, OPTION_JSON},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    *done = true;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output("run");
        }
        int code = take_option(option, optarg, arguments);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    if (optind + 1 != argc) {
        return cli_usage("run", optind == argc ? "which program or model?"
                                               : "one program or model at a time");
    }
    arguments->program = argv[optind];
    int code = check_arguments(arguments);
    code = code == CLI_EXIT_OK ? check_trace(arguments) : code;
    *done = code != CLI_EXIT_OK;
    return code;
}

/* ---- The run --------------------------------------------------------------------------------- */

static int on_progress(void *user, size_t done, size_t total)
{
    struct run *run = user;
    run->done = done;
    cli_progress_update(&run->progress, done, total);
    return cli_interrupted();
}

/* As many jobs as asked for, but none without images; batches that keep all of them busy. */
static void choose_jobs(struct run *run)
{
    const struct run_options *options = &run->arguments->options;
    size_t images = run->images.count;

    run->job_count = options->jobs;
    if (run->job_count == 0) {
        run->job_count = run_device_is_simulated(options->device) ? run_usable_cpus() : 1;
    }
    run->batch = options->batch;
    if (run->batch == 0) {
        size_t share = (images + run->job_count - 1) / run->job_count;
        run->batch = run->job_count > 1 && share < RUN_DEFAULT_BATCH ? share : RUN_DEFAULT_BATCH;
    }
    run->batch = run->batch > 0 ? run->batch : 1;
    size_t batches = images / run->batch + (images % run->batch != 0);
    run->job_count = run->job_count > batches && batches > 0 ? batches : run->job_count;
}

/* The layers are known by now; the device writes their waveform when it is opened for that. */
static bittern_status reopen_with_trace(struct run *run, char *name, size_t size,
                                        struct bittern_error *err)
{
    const struct run_arguments *arguments = run->arguments;
    bittern_status status =
        run_trace_device_name(run->program, arguments->trace, arguments->trace_out,
                              arguments->options.device, name, size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    bittern_device_close(run->device);
    run->device = NULL;
    return bittern_device_open(name, &run->device, err);
}

static bittern_status open_run(struct run *run, struct load_options *load,
                               struct bittern_error *err)
{
    char name[RUN_DEVICE_NAME_SIZE];
    const struct run_options *given = &run->arguments->options;

    run_options_device_name(given, name, sizeof name);
    bittern_status status = bittern_device_open(name, &run->device, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = run_load_program(run->arguments->program, run->device, load, &run->program, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (run->arguments->trace) {
        status = reopen_with_trace(run, name, sizeof name, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    run->network = bittern_program_network(run->program);
    status = run_images_open(&given->choice, run->network, &run->images, err);
    if (status != BITTERN_OK) {
        return status;
    }
    choose_jobs(run);
    run->values =
        calloc(run->images.count, bittern_network_output_count(run->network) * sizeof *run->values);
    if (!run->values) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the outputs of %zu images",
                                 run->images.count);
    }
    const struct run_jobs_options options = {.count = run->job_count,
                                             .batch = run->batch,
                                             .timeout_ms = run_options_timeout_ms(given),
                                             .progress = on_progress,
                                             .user = run};
    return run_jobs_create(run->device, name, run->program, &options, &run->jobs, err);
}

static void close_run(struct run *run)
{
    run_jobs_free(run->jobs);
    bittern_device_close(run->device);
    run_images_close(&run->images);
    bittern_program_free(run->program);
    free(run->values);
}

static bittern_status run_images_through(struct run *run, struct bittern_error *err)
{
    double started = cli_seconds();
    cli_progress_start(&run->progress, "Running", "images", run->arguments->quiet);
    bittern_status status = run_jobs_run(run->jobs, run->images.pixels, run->images.count,
                                         run->values, &run->counters, err);
    run->seconds = cli_seconds() - started;
    cli_progress_finish(&run->progress);
    return status;
}

/* Said at the end, since the files are whole only when the device is closed. */
static void tell_trace(const struct run_arguments *arguments)
{
    char save[1100];
    if (!waveform_save_name(arguments->trace_out, save, sizeof save)) {
        return;
    }
    fprintf(stderr, "Waveform  %s; to look at it: gtkwave %s\n", arguments->trace_out, save);
}

static bittern_status write_files(const struct run *run, struct bittern_error *err)
{
    const struct run_arguments *arguments = run->arguments;
    const struct bittern_reference_options options = {.threads = arguments->options.threads,
                                                      .kernel = arguments->options.kernel};
    bittern_status status = BITTERN_OK;
    if (arguments->predictions) {
        status = run_write_predictions(arguments->predictions, run->network, &run->images,
                                       run->values, run->done, err);
    }
    if (status == BITTERN_OK && arguments->dump && run->done == run->images.count) {
        status = run_dump_layers(arguments->dump, run->network, &options, run->images.pixels,
                                 run->done, err);
    }
    return status;
}

int command_run(int argc, char **argv)
{
    struct run_arguments arguments = {
        .options = {.device = "reference", .choice = {.split = BITTERN_SPLIT_TEST}}};
    struct run run = {.arguments = &arguments};
    struct bittern_error err = {0};
    bool done = false;

    int code = parse_arguments(argc, argv, &arguments, &done);
    if (done) {
        return code;
    }
    cli_catch_interrupts();
    struct load_options load = arguments.options.load;
    bittern_status status = open_run(&run, &load, &err);
    if (status == BITTERN_ERR_ARGUMENT) {
        code = cli_usage("run", "%s", err.message);
        goto cleanup;
    }
    if (status == BITTERN_OK) {
        status = run_images_through(&run, &err);
    }
    bool interrupted = status == BITTERN_ERR_CANCELLED;
    if (status == BITTERN_OK || interrupted) {
        status = write_files(&run, &err);
    }
    if (status != BITTERN_OK) {
        code = cli_fail("run", &err);
        goto cleanup;
    }
    code = arguments.json ? run_print_json(&run) : run_print(&run);
    if (code == CLI_EXIT_OK && interrupted) {
        code = CLI_EXIT_INTERRUPTED;
    }

cleanup:
    close_run(&run);
    if (arguments.trace && (code == CLI_EXIT_OK || code == CLI_EXIT_INTERRUPTED) &&
        !arguments.quiet) {
        tell_trace(&arguments);
    }
    return code;
}
