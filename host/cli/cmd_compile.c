/* SPDX-License-Identifier: Apache-2.0 */
/* bittern compile: an ONNX model becomes a program file. */
#include "cli.h"
#include "load.h"
#include "network_report.h"
#include "plan_report.h"

#include <bittern/device.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Fold an ONNX model (QONNX dialect) into an integer network, and write it as a program file.\n"
    "\n"
    "Usage: bittern compile [OPTION...] MODEL.onnx\n"
    "\n"
    "  -o, --output FILE         program to write (default: the model's name with .btn, in the\n"
    "                            current folder)\n"
    "      --input-range RANGE   what the model expects for pixel values 0..255: 0-255, 0-1 or\n"
    "                            minus1-1 (default: what the model's metadata says, else 0-1)\n"
    "      --weight-tolerance R  relative error up to which the weights of a channel count as\n"
    "                            multiples of one step, e.g. 1e-4 (default: 2^-20)\n"
    "      --geometry NAME       accelerator to lay the program out for: tiny, edge, edge-binary,\n"
    "                            cloud, or any, which the reference engine runs (default: any)\n"
    "      --target DEVICE       lay it out for this device, as 'bittern devices' names it\n"
    "      --clock MHZ           clock of the accelerator for the predicted images a second\n"
    "                            (default: 100)\n"
    "      --json                print the network as JSON\n"
    "      --quiet               print nothing\n"
    "  -h, --help\n"
    "\n"
    "Examples:\n"
    "  bittern compile lenet5.onnx\n"
    "  bittern compile vgg7.onnx -o vgg7.btn --input-range minus1-1\n"
    "  bittern compile vgg7.onnx --geometry edge --clock 150\n"
    "  bittern compile vgg7.onnx --target xrt:0\n"
    "  bittern compile vgg7.onnx --json | jq '.network.layers[].weights.kind'\n"
    "  bittern compile vgg7.onnx --geometry edge --json | jq '.plan.images_per_second'\n";

struct compile_arguments {
    const char *model;
    const char *output; /* NULL: default_output */
    char *default_output;
    const char *geometry_name; /* NULL: not given */
    const char *target;        /* NULL: not given */
    struct bittern_geometry geometry;
    double clock; /* MHz; 0: not given */
    struct load_options load;
    bool json, quiet;
};

#define DEFAULT_CLOCK 100.0
#define MAX_CLOCK 10000.0

enum {
    OPTION_INPUT_RANGE = 256,
    OPTION_TOLERANCE,
    OPTION_GEOMETRY,
    OPTION_TARGET,
    OPTION_CLOCK,
    OPTION_JSON,
    OPTION_QUIET
};

/* "any", or one of the library's. */
static int take_geometry(const char *name, struct compile_arguments *arguments)
{
    struct bittern_error err;

    arguments->geometry_name = name;
    arguments->load.geometry = NULL;
    if (strcmp(name, "any") == 0) {
        return CLI_EXIT_OK;
    }
    if (bittern_geometry_find(name, &arguments->geometry, &err) != BITTERN_OK) {
        return cli_usage("compile", "%s, and 'any', which the reference engine runs", err.message);
    }
    arguments->load.geometry = &arguments->geometry;
    return CLI_EXIT_OK;
}

/* An option's value; CLI_EXIT_OK to go on. */
static int take_option(int option, const char *value, struct compile_arguments *arguments)
{
    switch (option) {
    case 'o':
        arguments->output = value;
        return CLI_EXIT_OK;
    case OPTION_INPUT_RANGE:
        arguments->load.has_input_range = true;
        if (!input_range_parse(value, &arguments->load.compile.input_range)) {
            return cli_usage("compile", "--input-range is 0-255, 0-1 or minus1-1, not '%s'", value);
        }
        return CLI_EXIT_OK;
    case OPTION_TOLERANCE:
        if (!cli_parse_double(value, &arguments->load.compile.weight_tolerance) ||
            arguments->load.compile.weight_tolerance <= 0.0 ||
            arguments->load.compile.weight_tolerance >= 0.5) {
            return cli_usage("compile", "--weight-tolerance is above 0 and below 0.5, not '%s'",
                             value);
        }
        return CLI_EXIT_OK;
    case OPTION_GEOMETRY:
        return take_geometry(value, arguments);
    case OPTION_TARGET:
        arguments->target = value;
        return CLI_EXIT_OK;
    case OPTION_CLOCK:
        if (!cli_parse_double(value, &arguments->clock) || !(arguments->clock > 0.0) ||
            arguments->clock > MAX_CLOCK) {
            return cli_usage("compile", "--clock is in MHz, above 0 and at most %g, not '%s'",
                             MAX_CLOCK, value);
        }
        return CLI_EXIT_OK;
    case OPTION_JSON:
        arguments->json = true;
        return CLI_EXIT_OK;
    case OPTION_QUIET:
        arguments->quiet = true;
        return CLI_EXIT_OK;
    default:
        return cli_usage("compile", "wrong option");
    }
}

/* "models/lenet5.onnx" -> "lenet5.btn" */
static char *default_output(const char *model)
{
    const char *slash = strrchr(model, '/');
    const char *base = slash ? slash + 1 : model;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".onnx") == 0) {
        length -= 5;
    }
    size_t size = length + sizeof ".btn";
    char *output = malloc(size);
    if (output) {
        (void)snprintf(output, size, "%.*s.btn", (int)length, base);
    }
    return output;
}

/* @return CLI_EXIT_OK to go on; else *done is set and the value is the exit code */
static int parse_arguments(int argc, char **argv, struct compile_arguments *arguments, bool *done)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"input-range", required_argument, NULL, OPTION_INPUT_RANGE},
        {"weight-tolerance", required_argument, NULL, OPTION_TOLERANCE},
        {"geometry", required_argument, NULL, OPTION_GEOMETRY},
        {"target", required_argument, NULL, OPTION_TARGET},
        {"clock", required_argument, NULL, OPTION_CLOCK},
        {"json", no_argument, NULL, OPTION_JSON},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    *done = true;
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output("compile");
        }
        if (option == '?') {
            return cli_usage("compile", "the command line is wrong");
        }
        int code = take_option(option, optarg, arguments);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    if (optind + 1 != argc) {
        return cli_usage("compile", optind == argc ? "which model?" : "one model at a time");
    }
    if (arguments->geometry_name && arguments->target) {
        return cli_usage("compile", "--geometry and --target both say what to lay out for");
    }
    if (arguments->clock > 0.0 && !arguments->load.geometry && !arguments->target) {
        return cli_usage("compile", "--clock is an accelerator's: give --geometry or --target");
    }
    arguments->clock = arguments->clock > 0.0 ? arguments->clock : DEFAULT_CLOCK;
    arguments->model = argv[optind];
    *done = false;
    return CLI_EXIT_OK;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat one;
    struct stat other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static bittern_status read_model(const char *path, struct bittern_model **model,
                                 struct bittern_error *err)
{
    enum file_kind kind = FILE_KIND_ONNX;
    bittern_status status = file_kind_find(path, &kind, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (kind == FILE_KIND_PROGRAM) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' is a program already; look at it with 'bittern inspect'",
                                 path);
    }
    return bittern_model_read(path, model, err);
}

/* The geometry of a device that is there; the reference's is "any". */
static bittern_status read_target(struct compile_arguments *arguments, struct bittern_error *err)
{
    struct bittern_device *device = NULL;

    if (!arguments->target) {
        return BITTERN_OK;
    }
    bittern_status status = bittern_device_open(arguments->target, &device, err);
    if (status == BITTERN_OK) {
        arguments->geometry = bittern_device_get_info(device)->geometry;
        arguments->load.geometry = arguments->geometry.version != 0 ? &arguments->geometry : NULL;
    }
    bittern_device_close(device);
    return status;
}

/* NULL, and OK, where the program is for no accelerator. */
static bittern_status make_plan(const struct bittern_program *program,
                                struct bittern_accelerator_plan **plan, struct bittern_error *err)
{
    *plan = NULL;
    return bittern_program_geometry(program)->version == 0
               ? BITTERN_OK
               : bittern_accelerator_plan_create(program, PLAN_REPORT_IMAGES, plan, err);
}

static int print_json(const struct compile_arguments *arguments,
                      const struct bittern_program *program,
                      const struct bittern_accelerator_plan *plan)
{
    size_t bytes = 0;
    (void)bittern_program_data(program, &bytes);
    cJSON *root = cJSON_CreateObject();
    cJSON *geometry = geometry_to_json(bittern_program_geometry(program));
    cJSON *network = network_to_json(bittern_program_network(program));
    cJSON *plan_json = plan ? plan_to_json(plan, arguments->clock) : cJSON_CreateNull();
    bool made = root && geometry && network && plan_json &&
                cJSON_AddStringToObject(root, "model", arguments->model) &&
                cJSON_AddStringToObject(root, "program", arguments->output) &&
                cJSON_AddNumberToObject(root, "bytes", (double)bytes) &&
                cJSON_AddStringToObject(root, "input_range",
                                        input_range_name(arguments->load.compile.input_range));
    if (!made) {
        cJSON_Delete(root);
        cJSON_Delete(geometry);
        cJSON_Delete(network);
        cJSON_Delete(plan_json);
        return json_print("compile", NULL);
    }
    cJSON_AddItemToObject(root, "geometry", geometry);
    cJSON_AddItemToObject(root, "network", network);
    cJSON_AddItemToObject(root, "plan", plan_json);
    return json_print("compile", root);
}

static int print_report(const struct compile_arguments *arguments,
                        const struct bittern_program *program,
                        const struct bittern_accelerator_plan *plan)
{
    size_t bytes = 0;
    char text[32];
    (void)bittern_program_data(program, &bytes);
    if (arguments->json) {
        return print_json(arguments, program, plan);
    }
    if (arguments->quiet) {
        return CLI_EXIT_OK;
    }
    if (!network_print(bittern_program_network(program), stdout) ||
        (plan && !plan_print(plan, arguments->clock, stdout))) {
        fprintf(stderr, "bittern compile: no memory for the table\n");
        return CLI_EXIT_FAILED;
    }
    printf("\nWrote %s (%s), for input range %s and geometry %s\n", arguments->output,
           cli_format_bytes(bytes, text, sizeof text),
           input_range_name(arguments->load.compile.input_range),
           bittern_program_geometry(program)->name);
    return cli_finish_output("compile");
}

int command_compile(int argc, char **argv)
{
    struct compile_arguments arguments = {0};
    struct bittern_error err;
    struct bittern_model *model = NULL;
    struct bittern_program *program = NULL;
    struct bittern_accelerator_plan *plan = NULL;
    bool done = false;

    int code = parse_arguments(argc, argv, &arguments, &done);
    if (done) {
        return code;
    }
    if (!arguments.output) {
        arguments.default_output = default_output(arguments.model);
        arguments.output = arguments.default_output;
    }
    if (!arguments.output) {
        fprintf(stderr, "bittern compile: no memory\n");
        return CLI_EXIT_FAILED;
    }
    if (is_same_file(arguments.model, arguments.output)) {
        code = cli_usage("compile", "the program would replace the model '%s'; give another -o",
                         arguments.model);
        free(arguments.default_output);
        return code;
    }
    bittern_status status = read_target(&arguments, &err);
    if (status == BITTERN_OK) {
        status = read_model(arguments.model, &model, &err);
    }
    if (status == BITTERN_OK) {
        status = load_compile(model, &arguments.load, &program, &err);
        if (status != BITTERN_OK) {
            bittern_error_prefix(&err, "%s", arguments.model);
        }
    }
    if (status == BITTERN_OK) {
        status = make_plan(program, &plan, &err);
    }
    if (status == BITTERN_OK) {
        status = bittern_program_write(program, arguments.output, &err);
    }
    code =
        status == BITTERN_OK ? print_report(&arguments, program, plan) : cli_fail("compile", &err);
    bittern_accelerator_plan_free(plan);
    bittern_program_free(program);
    bittern_model_free(model);
    free(arguments.default_output);
    return code;
}
