/* SPDX-License-Identifier: Apache-2.0 */
/* bittern inspect: what is inside a model or a program file, which is told by its content. */
#include "cli.h"
#include "load.h"
#include "network_report.h"
#include "table.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Show what is inside a model or program file.\n"
    "\n"
    "Usage: bittern inspect [OPTION...] FILE\n"
    "\n"
    "FILE is an ONNX model or a Bittern program; its content tells which, not its name.\n"
    "\n"
    "      --layer N   one layer of a program in detail: windows, how often each weight occurs,\n"
    "                  thresholds or multipliers, scale (N counts from 0)\n"
    "      --json      as JSON\n"
    "  -h, --help\n"
    "\n"
    "Examples:\n"
    "  bittern inspect lenet5.onnx\n"
    "  bittern inspect lenet5.btn --layer 0\n"
    "  bittern inspect lenet5.btn --json | jq '.network.compression'\n"
    "\n"
    "For data sets, see 'bittern data show'.\n";

struct inspect_arguments {
    const char *path;
    bool has_layer;
    size_t layer;
    bool json;
};

static int no_memory(void)
{
    fprintf(stderr, "bittern inspect: no memory for the table\n");
    return CLI_EXIT_FAILED;
}

/* ---- Models ---------------------------------------------------------------------------------- */

/* "1x3x32x32"; the batch stands first. Returns buffer. */
static const char *dims_text(const struct bittern_tensor_info *info, char *buffer, size_t size)
{
    size_t used = 0;
    (void)snprintf(buffer, size, "scalar");
    for (size_t i = 0; i < info->rank && used < size; i++) {
        int length =
            snprintf(buffer + used, size - used, "%s%" PRId64, i > 0 ? "x" : "", info->dims[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    return buffer;
}

static void print_tensor(const char *title, const struct bittern_tensor_info *info)
{
    char dims[128];
    char name[128];
    (void)snprintf(name, sizeof name, "%s", info->name);
    printf("%-13s %s, %s\n", title, cli_make_printable(name), dims_text(info, dims, sizeof dims));
}

static bool print_nodes(const struct bittern_model *model)
{
    static const struct cli_column columns[] = {
        {"#", true}, {"node", false}, {"op", false}, {"output", false}, {"shape", false}};
    struct cli_table table;
    char dims[128];

    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < bittern_model_node_count(model); i++) {
        struct bittern_node_info node;
        bittern_model_node(model, i, &node);
        cli_table_add(&table, "%zu", i);
        cli_table_add(&table, "%s", node.name);
        cli_table_add(&table, "%s", node.op);
        cli_table_add(&table, "%s", node.output.name);
        cli_table_add(&table, "%s", dims_text(&node.output, dims, sizeof dims));
    }
    return cli_table_finish(&table, stdout);
}

static void print_metadata(const struct bittern_model *model)
{
    const char *key = NULL;
    const char *value = NULL;
    for (size_t i = 0; bittern_model_metadata_entry(model, i, &key, &value); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s = %s", key, value);
        printf("%-13s %s\n", i == 0 ? "Metadata" : "", cli_make_printable(text));
    }
}

static int print_model(const char *path, const struct bittern_model *model)
{
    struct bittern_tensor_info info;
    uint64_t values = 0;
    char count[32];
    char name[128];

    (void)snprintf(name, sizeof name, "%s", bittern_model_name(model));
    printf("%-13s %s: ONNX model '%s', opset %" PRId64 "\n", "File", path, cli_make_printable(name),
           bittern_model_opset(model));
    bittern_model_input(model, &info);
    print_tensor("Input", &info);
    bittern_model_output(model, &info);
    print_tensor("Output", &info);
    size_t initializers = bittern_model_initializer_count(model, &values);
    printf("%-13s %zu with %s values\n", "Initializers", initializers,
           cli_format_count(values, count, sizeof count));
    print_metadata(model);
    printf("\nNodes, after constants are folded:\n");
    if (!print_nodes(model)) {
        return no_memory();
    }
    return cli_finish_output("inspect");
}

static bool tensor_to_json(cJSON *parent, const char *key, const struct bittern_tensor_info *info)
{
    cJSON *tensor = cJSON_AddObjectToObject(parent, key);
    cJSON *dims = tensor ? cJSON_AddArrayToObject(tensor, "dims") : NULL;
    bool made = dims && cJSON_AddStringToObject(tensor, "name", info->name);
    for (size_t i = 0; made && i < info->rank; i++) {
        cJSON *item = cJSON_CreateNumber((double)info->dims[i]);
        made = item && cJSON_AddItemToArray(dims, item);
    }
    return made;
}

static bool nodes_to_json(cJSON *parent, const struct bittern_model *model)
{
    cJSON *nodes = cJSON_AddArrayToObject(parent, "nodes");
    bool made = nodes != NULL;
    for (size_t i = 0; made && i < bittern_model_node_count(model); i++) {
        struct bittern_node_info info;
        bittern_model_node(model, i, &info);
        cJSON *node = cJSON_CreateObject();
        made = node && cJSON_AddItemToArray(nodes, node) &&
               cJSON_AddStringToObject(node, "name", info.name) &&
               cJSON_AddStringToObject(node, "op", info.op) &&
               tensor_to_json(node, "output", &info.output);
    }
    return made;
}

static bool metadata_to_json(cJSON *parent, const struct bittern_model *model)
{
    const char *key = NULL;
    const char *value = NULL;
    cJSON *metadata = cJSON_AddObjectToObject(parent, "metadata");
    bool made = metadata != NULL;
    for (size_t i = 0; made && bittern_model_metadata_entry(model, i, &key, &value); i++) {
        made = cJSON_AddStringToObject(metadata, key, value) != NULL;
    }
    return made;
}

static int print_model_json(const char *path, const struct bittern_model *model)
{
    struct bittern_tensor_info input;
    struct bittern_tensor_info output;
    uint64_t values = 0;
    size_t initializers = bittern_model_initializer_count(model, &values);
    cJSON *root = cJSON_CreateObject();

    bittern_model_input(model, &input);
    bittern_model_output(model, &output);
    bool made = root && cJSON_AddStringToObject(root, "file", path) &&
                cJSON_AddStringToObject(root, "kind", "onnx") &&
                cJSON_AddStringToObject(root, "name", bittern_model_name(model)) &&
                cJSON_AddNumberToObject(root, "opset", (double)bittern_model_opset(model)) &&
                tensor_to_json(root, "input", &input) && tensor_to_json(root, "output", &output) &&
                cJSON_AddNumberToObject(root, "initializers", (double)initializers) &&
                cJSON_AddNumberToObject(root, "initializer_values", (double)values) &&
                metadata_to_json(root, model) && nodes_to_json(root, model);
    if (!made) {
        cJSON_Delete(root);
        root = NULL;
    }
    return json_print("inspect", root);
}

static int inspect_model(const struct inspect_arguments *arguments)
{
    struct bittern_error err;
    struct bittern_model *model = NULL;

    if (arguments->has_layer) {
        return cli_usage("inspect", "--layer is for programs: compile '%s' first", arguments->path);
    }
    if (bittern_model_read(arguments->path, &model, &err) != BITTERN_OK) {
        return cli_fail("inspect", &err);
    }
    int code = arguments->json ? print_model_json(arguments->path, model)
                               : print_model(arguments->path, model);
    bittern_model_free(model);
    return code;
}

/* ---- Programs -------------------------------------------------------------------------------- */

static bool print_sections(const struct bittern_program *program)
{
    static const struct cli_column columns[] = {
        {"section", false}, {"offset", true}, {"bytes", true}};
    struct bittern_program_section section;
    struct cli_table table;

    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; bittern_program_get_section(program, i, &section); i++) {
        cli_table_add(&table, "%s", section.name);
        cli_table_add_count(&table, section.offset);
        cli_table_add_count(&table, section.bytes);
    }
    return cli_table_finish(&table, stdout);
}

static void print_geometry(const struct bittern_geometry *geometry)
{
    printf("%-13s %s", "Geometry", geometry->name);
    if (geometry->version > 0) {
        printf(": version %" PRIu32 ", word %" PRIu32 " bits, %" PRIu32 " channels x %" PRIu32
               " pixels, feature memory %" PRIu32 " bytes, weight ring %" PRIu32 " bytes",
               geometry->version, geometry->word_bits, geometry->output_channels, geometry->pixels,
               geometry->feature_bytes, geometry->weight_bytes);
    }
    printf("\n");
}

static int print_program(const struct inspect_arguments *arguments,
                         const struct bittern_program *program)
{
    const struct bittern_network *network = bittern_program_network(program);
    size_t bytes = 0;
    char count[32];
    char name[128];

    if (arguments->has_layer) {
        return layer_print(network, arguments->layer, stdout) ? cli_finish_output("inspect")
                                                              : no_memory();
    }
    (void)bittern_program_data(program, &bytes);
    (void)snprintf(name, sizeof name, "%s", bittern_network_name(network));
    printf("%-13s %s: Bittern program '%s', format %d, %s bytes\n", "File", arguments->path,
           cli_make_printable(name), BITTERN_PROGRAM_VERSION,
           cli_format_count(bytes, count, sizeof count));
    print_geometry(bittern_program_geometry(program));
    printf("\n");
    if (!print_sections(program)) {
        return no_memory();
    }
    printf("\n");
    return network_print(network, stdout) ? cli_finish_output("inspect") : no_memory();
}

static bool sections_to_json(cJSON *parent, const struct bittern_program *program)
{
    struct bittern_program_section section;
    cJSON *sections = cJSON_AddArrayToObject(parent, "sections");
    bool made = sections != NULL;
    for (size_t i = 0; made && bittern_program_get_section(program, i, &section); i++) {
        cJSON *item = cJSON_CreateObject();
        made = item && cJSON_AddItemToArray(sections, item) &&
               cJSON_AddStringToObject(item, "name", section.name) &&
               cJSON_AddNumberToObject(item, "offset", (double)section.offset) &&
               cJSON_AddNumberToObject(item, "bytes", (double)section.bytes);
    }
    return made;
}

static int print_program_json(const struct inspect_arguments *arguments,
                              const struct bittern_program *program)
{
    const struct bittern_network *network = bittern_program_network(program);
    size_t bytes = 0;

    if (arguments->has_layer) {
        return json_print("inspect", layer_to_json(network, arguments->layer, true));
    }
    (void)bittern_program_data(program, &bytes);
    cJSON *root = cJSON_CreateObject();
    cJSON *geometry = geometry_to_json(bittern_program_geometry(program));
    cJSON *json = network_to_json(network);
    bool made =
        root && geometry && json && cJSON_AddStringToObject(root, "file", arguments->path) &&
        cJSON_AddStringToObject(root, "kind", "program") &&
        cJSON_AddNumberToObject(root, "format", BITTERN_PROGRAM_VERSION) &&
        cJSON_AddNumberToObject(root, "bytes", (double)bytes) && sections_to_json(root, program);
    if (!made) {
        cJSON_Delete(root);
        cJSON_Delete(geometry);
        cJSON_Delete(json);
        return json_print("inspect", NULL);
    }
    cJSON_AddItemToObject(root, "geometry", geometry);
    cJSON_AddItemToObject(root, "network", json);
    return json_print("inspect", root);
}

static int inspect_program(const struct inspect_arguments *arguments)
{
    struct bittern_error err;
    struct bittern_program *program = NULL;
    int code = CLI_EXIT_OK;

    if (bittern_program_read(arguments->path, &program, &err) != BITTERN_OK) {
        return cli_fail("inspect", &err);
    }
    size_t layers = bittern_network_layer_count(bittern_program_network(program));
    if (arguments->has_layer && arguments->layer >= layers) {
        code = cli_usage("inspect", "there is no layer %zu: '%s' has layers 0 to %zu",
                         arguments->layer, arguments->path, layers - 1);
    } else if (arguments->json) {
        code = print_program_json(arguments, program);
    } else {
        code = print_program(arguments, program);
    }
    bittern_program_free(program);
    return code;
}

/* ---- The command ----------------------------------------------------------------------------- */

static int inspect(const struct inspect_arguments *arguments)
{
    struct bittern_error err;
    enum file_kind kind = FILE_KIND_ONNX;

    if (file_kind_find(arguments->path, &kind, &err) != BITTERN_OK) {
        return cli_fail("inspect", &err);
    }
    switch (kind) {
    case FILE_KIND_PROGRAM:
        return inspect_program(arguments);
    case FILE_KIND_DATA:
    case FILE_KIND_NPY:
        (void)bittern_error_set(&err, BITTERN_ERR_FORMAT,
                                "'%s' is neither a model nor a program: it looks like a file of "
                                "images; for data sets, see 'bittern data show'",
                                arguments->path);
        return cli_fail("inspect", &err);
    case FILE_KIND_ONNX:
    default:
        return inspect_model(arguments);
    }
}

int command_inspect(int argc, char **argv)
{
    static const struct option options[] = {{"layer", required_argument, NULL, 'l'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct inspect_arguments arguments = {0};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(help, stdout);
            return cli_finish_output("inspect");
        case 'l':
            arguments.has_layer = true;
            if (!cli_parse_size(optarg, 0, SIZE_MAX, &arguments.layer)) {
                return cli_usage("inspect", "--layer is a number from 0, not '%s'", optarg);
            }
            break;
        case 'j':
            arguments.json = true;
            break;
        default:
            return cli_usage("inspect", "the command line is wrong");
        }
    }
    if (optind + 1 != argc) {
        return cli_usage("inspect", optind == argc ? "which file?" : "one file at a time");
    }
    arguments.path = argv[optind];
    return inspect(&arguments);
}
