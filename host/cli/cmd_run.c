/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern run: images through a program on a device. The session reports after each batch, which is
 * where progress is drawn and an interrupt is seen; what was done until then is still told.
 */
#include "run.h"
#include "run_trace.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BATCH 64
#define DEFAULT_TIMEOUT 60
#define SIMULATED_TIMEOUT                                                                          \
    3600 /* a simulated batch takes minutes where a board takes milliseconds */
#define MAX_BATCH 4096
#define MAX_THREADS 1024
#define MAX_JOBS 256

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
    OPTION_DATASET = 256,
    OPTION_SPLIT,
    OPTION_DATA,
    OPTION_INPUT,
    OPTION_START,
    OPTION_IMAGES,
    OPTION_DEVICE,
    OPTION_JOBS,
    OPTION_BATCH,
    OPTION_TIMEOUT,
    OPTION_THREADS,
    OPTION_KERNEL,
    OPTION_PREDICTIONS,
    OPTION_DUMP,
    OPTION_PROFILE,
    OPTION_TRACE,
    OPTION_TRACE_OUT,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_INPUT_RANGE
};

/* ---- Command line ---------------------------------------------------------------------------- */

static int take_number(const char *name, const char *text, size_t minimum, size_t maximum,
                       size_t *value)
{
    if (!cli_parse_size(text, minimum, maximum, value)) {
        return cli_usage("run", "--%s is a whole number from %zu to %zu, not '%s'", name, minimum,
                         maximum, text);
    }
    return CLI_EXIT_OK;
}

static int take_split(const char *text, struct run_arguments *arguments)
{
    if (strcmp(text, "test") != 0 && strcmp(text, "train") != 0) {
        return cli_usage("run", "--split is test or train, not '%s'", text);
    }
    arguments->choice.split = strcmp(text, "test") == 0 ? BITTERN_SPLIT_TEST : BITTERN_SPLIT_TRAIN;
    arguments->has_split = true;
    return CLI_EXIT_OK;
}

static int take_input_range(const char *text, struct run_arguments *arguments)
{
    arguments->load.has_input_range = true;
    if (!input_range_parse(text, &arguments->load.compile.input_range)) {
        return cli_usage("run", "--input-range is 0-255, 0-1 or minus1-1, not '%s'", text);
    }
    return CLI_EXIT_OK;
}

static int take_option(int option, const char *value, struct run_arguments *arguments)
{
    switch (option) {
    case OPTION_DATASET:
        arguments->choice.dataset = value;
        return CLI_EXIT_OK;
    case OPTION_SPLIT:
        return take_split(value, arguments);
    case OPTION_DATA:
        arguments->choice.data_dir = value;
        return CLI_EXIT_OK;
    case OPTION_INPUT:
        arguments->choice.input = value;
        return CLI_EXIT_OK;
    case OPTION_START:
        return take_number("start", value, 0, SIZE_MAX / 2, &arguments->choice.start);
    case OPTION_IMAGES:
        return take_number("images", value, 1, SIZE_MAX / 2, &arguments->choice.images);
    case OPTION_DEVICE:
        arguments->device = value;
        return CLI_EXIT_OK;
    case OPTION_JOBS:
        return take_number("jobs", value, 1, MAX_JOBS, &arguments->jobs);
    case OPTION_BATCH:
        return take_number("batch", value, 1, MAX_BATCH, &arguments->batch);
    case OPTION_TIMEOUT:
        return take_number("timeout", value, 1, UINT32_MAX / 1000, &arguments->timeout_seconds);
    case OPTION_THREADS:
        return take_number("threads", value, 1, MAX_THREADS, &arguments->threads);
    case OPTION_KERNEL:
        arguments->kernel = value;
        return CLI_EXIT_OK;
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
    case OPTION_INPUT_RANGE:
        return take_input_range(value, arguments);
    default:
        return cli_usage("run", "the command line is wrong");
    }
}

static bool is_simulated(const char *device)
{
    return strncmp(device, "sim", 3) == 0 && (device[3] == '\0' || device[3] == ':');
}

/* A waveform is of one device, and of one image unless more are asked for. */
static int check_trace(struct run_arguments *arguments)
{
    if (!arguments->trace) {
        return arguments->trace_out ? cli_usage("run", "--trace-out goes with --trace")
                                    : CLI_EXIT_OK;
    }
    if (!is_simulated(arguments->device)) {
        return cli_usage("run", "--trace works with '--device sim' only");
    }
    if (arguments->jobs > 1) {
        return cli_usage("run", "--trace works with one job");
    }
    arguments->jobs = 1;
    arguments->trace_out = arguments->trace_out ? arguments->trace_out : RUN_TRACE_DEFAULT_FILE;
    if (arguments->choice.images == 0) {
        arguments->choice.images = 1;
    }
    return CLI_EXIT_OK;
}

/* What options say together. */
static int check_arguments(const struct run_arguments *arguments)
{
    const struct image_choice *choice = &arguments->choice;
    bool reference = strcmp(arguments->device, "reference") == 0;

    if (choice->input && (choice->dataset || choice->data_dir || arguments->has_split)) {
        return cli_usage("run", "--input takes the place of --dataset, --split and --data");
    }
    if ((arguments->threads > 0 || arguments->kernel) && !reference) {
        return cli_usage("run", "--threads and --kernel are options of '--device reference'");
    }
    if (arguments->dump && !reference) {
        return cli_usage("run", "--dump works with '--device reference' only");
    }
    if (arguments->dump && choice->images == 0) {
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
        {"dataset", required_argument, NULL, OPTION_DATASET},
        {"split", required_argument, NULL, OPTION_SPLIT},
        {"data", required_argument, NULL, OPTION_DATA},
        {"input", required_argument, NULL, OPTION_INPUT},
        {"start", required_argument, NULL, OPTION_START},
        {"images", required_argument, NULL, OPTION_IMAGES},
        {"device", required_argument, NULL, OPTION_DEVICE},
        {"jobs", required_argument, NULL, OPTION_JOBS},
        {"batch", required_argument, NULL, OPTION_BATCH},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"threads", required_argument, NULL, OPTION_THREADS},
        {"kernel", required_argument, NULL, OPTION_KERNEL},
        {"predictions", required_argument, NULL, OPTION_PREDICTIONS},
        {"dump", required_argument, NULL, OPTION_DUMP},
        {"profile", no_argument, NULL, OPTION_PROFILE},
        {"trace", required_argument, NULL, OPTION_TRACE},
        {"trace-out", required_argument, NULL, OPTION_TRACE_OUT},
        {"json", no_argument, NULL, OPTION_JSON},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"input-range", required_argument, NULL, OPTION_INPUT_RANGE},
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

/* "reference:threads=2,kernel=avx2" */
static void device_name(const struct run_arguments *arguments, char *name, size_t size)
{
    char threads[32] = "";
    bool both = arguments->threads > 0 && arguments->kernel;
    if (arguments->threads > 0) {
        (void)snprintf(threads, sizeof threads, "threads=%zu", arguments->threads);
    }
    (void)snprintf(name, size, "%s%s%s%s%s%s", arguments->device,
                   arguments->threads > 0 || arguments->kernel ? ":" : "", threads, both ? "," : "",
                   arguments->kernel ? "kernel=" : "", arguments->kernel ? arguments->kernel : "");
}

static int on_progress(void *user, size_t done, size_t total)
{
    struct run *run = user;
    run->done = done;
    cli_progress_update(&run->progress, done, total);
    return cli_interrupted();
}

static size_t usable_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 && count <= MAX_JOBS ? (size_t)count : 1;
}

/* As many jobs as asked for, but none without images; batches that keep all of them busy. */
static void choose_jobs(struct run *run)
{
    const struct run_arguments *arguments = run->arguments;
    size_t images = run->images.count;

    run->job_count = arguments->jobs;
    if (run->job_count == 0) {
        run->job_count = is_simulated(arguments->device) ? usable_cpus() : 1;
    }
    run->batch = arguments->batch;
    if (run->batch == 0) {
        size_t share = (images + run->job_count - 1) / run->job_count;
        run->batch = run->job_count > 1 && share < DEFAULT_BATCH ? share : DEFAULT_BATCH;
    }
    run->batch = run->batch > 0 ? run->batch : 1;
    size_t batches = images / run->batch + (images % run->batch != 0);
    run->job_count = run->job_count > batches && batches > 0 ? batches : run->job_count;
}

/* A model is compiled for the device that is there; a program is for what it was compiled for. */
static bittern_status load_for_device(struct run *run, struct load_options *load,
                                      struct bittern_error *err)
{
    enum file_kind kind = FILE_KIND_PROGRAM;
    const char *path = run->arguments->program;
    const struct bittern_geometry *geometry = &bittern_device_get_info(run->device)->geometry;
    struct bittern_program *any = NULL;

    bittern_status status = load_program(path, load, &run->program, err);
    if (status == BITTERN_OK) {
        status = file_kind_find(path, &kind, err);
    }
    if (status == BITTERN_OK && kind == FILE_KIND_ONNX && geometry->version > 0) {
        any = run->program;
        status = bittern_program_create(bittern_program_network(any), geometry, &run->program, err);
        if (status != BITTERN_OK) {
            run->program = NULL;
            bittern_error_prefix(err, "%s", path);
        }
    }
    bittern_program_free(any);
    return status;
}

/* The layers are known by now; the device writes their waveform when it is opened for that. */
static bittern_status reopen_with_trace(struct run *run, char *name, size_t size,
                                        struct bittern_error *err)
{
    const struct run_arguments *arguments = run->arguments;
    bittern_status status = run_trace_device_name(
        run->program, arguments->trace, arguments->trace_out, arguments->device, name, size, err);
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
    char name[1100];
    const struct run_arguments *arguments = run->arguments;

    device_name(arguments, name, sizeof name);
    bittern_status status = bittern_device_open(name, &run->device, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = load_for_device(run, load, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (arguments->trace) {
        status = reopen_with_trace(run, name, sizeof name, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    run->network = bittern_program_network(run->program);
    status = run_images_open(&arguments->choice, run->network, &run->images, err);
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
    size_t timeout = is_simulated(arguments->device) ? SIMULATED_TIMEOUT : DEFAULT_TIMEOUT;
    timeout = arguments->timeout_seconds > 0 ? arguments->timeout_seconds : timeout;
    const struct run_jobs_options options = {.count = run->job_count,
                                             .batch = run->batch,
                                             .timeout_ms = (uint32_t)(timeout * 1000),
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
    run_trace_save_name(arguments->trace_out, save, sizeof save);
    fprintf(stderr, "Waveform  %s; to look at it: gtkwave %s\n", arguments->trace_out, save);
}

static bittern_status write_files(const struct run *run, struct bittern_error *err)
{
    const struct run_arguments *arguments = run->arguments;
    const struct bittern_reference_options options = {.threads = arguments->threads,
                                                      .kernel = arguments->kernel};
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
    struct run_arguments arguments = {.device = "reference",
                                      .choice = {.split = BITTERN_SPLIT_TEST}};
    struct run run = {.arguments = &arguments};
    struct bittern_error err = {0};
    bool done = false;

    int code = parse_arguments(argc, argv, &arguments, &done);
    if (done) {
        return code;
    }
    cli_catch_interrupts();
    struct load_options load = arguments.load;
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
