/* SPDX-License-Identifier: Apache-2.0 */
/* bittern energy: what the model makes of activity files, and whether their order is certain. */
#include "cli.h"
#include "network_report.h"
#include "table.h"

#include <bittern/energy.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Model the energy of an inference from the switching activity of the mapped hardware, layer "
    "by\n"
    "layer and part by part. With several files: compare them, and say how often their order "
    "holds\n"
    "when the uncertain coefficients are drawn anew.\n"
    "\n"
    "Usage: bittern energy ACTIVITY.json... [OPTION...]\n"
    "\n"
    "      --clock MHZ          clock of the accelerator (default 100)\n"
    "      --coefficients FILE  another coefficients' file than the built-in one\n"
    "      --bounds             ranges with all coefficients at one end at once, instead of the\n"
    "                           5th to 95th percentile of draws\n"
    "      --draws N            for the order of two files (default 10000)\n"
    "      --seed N             of these draws (default 1)\n"
    "      --json               as JSON\n"
    "  -h, --help\n"
    "\n"
    "hw/energy/measure.sh makes activity files. Every figure is of the model (docs/energy.md), "
    "for\n"
    "the run that the file was recorded from: cycles and bytes are that run's.\n"
    "\n"
    "Examples:\n"
    "  hw/energy/measure.sh examples/lenet5-w2a2-mnist.onnx -o lenet5.json\n"
    "  bittern energy lenet5.json\n"
    "  bittern energy binary.json ternary.json --clock 200 --json\n";

#define MAX_FILES 64

struct energy_arguments {
    const char *coefficients;
    double clock_mhz;
    size_t draws;
    uint64_t seed;
    bool bounds, json;
    size_t file_count;
    char **files;
};

struct energy_file {
    struct bittern_energy_activity *activity;
    struct bittern_energy_load load;
    struct bittern_energy_estimate *estimate;
};

static void range_cell(struct cli_table *table, const struct bittern_energy_range *range)
{
    cli_table_add(table, "%.4g (%.4g to %.4g)", 1e6 * range->nominal, 1e6 * range->low,
                  1e6 * range->high);
}

static bool print_estimate(const char *file, const struct bittern_energy_estimate *estimate)
{
    static const struct cli_column columns[] = {
        {"layer", false},   {"uJ/image", true}, {"array", true},
        {"features", true}, {"weights", true},  {"control", true},
        {"clock", true},    {"off-chip", true}, {"static", true}};
    struct cli_table table;

    printf("%s: %.4g uJ an image (%.4g to %.4g; model, %s)\n%s\n\n", file,
           1e6 * estimate->joules_per_image.nominal, 1e6 * estimate->joules_per_image.low,
           1e6 * estimate->joules_per_image.high,
           estimate->bounds ? "all coefficients at one end" : "5th to 95th percentile",
           estimate->detail);
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < estimate->layer_count; i++) {
        const struct bittern_energy_layer *layer = &estimate->layers[i];
        char name[64];
        (void)snprintf(name, sizeof name, "%s", layer->name);
        cli_table_add(&table, "%s", cli_make_printable(name));
        range_cell(&table, &layer->joules_per_image);
        for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
            cli_table_add(&table, "%.4g", 1e6 * layer->parts[p].nominal);
        }
    }
    cli_table_add(&table, "all, with what is between layers");
    range_cell(&table, &estimate->joules_per_image);
    for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
        cli_table_add(&table, "%.4g", 1e6 * estimate->parts[p].nominal);
    }
    bool made = cli_table_finish(&table, stdout);
    printf("\n");
    return made;
}

/* How a pair compares, as a row of a table or an item of an array, whichever is there. */
static bool add_ranking(const char *a, const char *b, const struct bittern_energy_ranking *ranking,
                        struct cli_table *table, cJSON *array)
{
    if (table) {
        cli_table_add(table, "%s", a);
        cli_table_add(table, "%s", b);
        cli_table_add(table, "%.3f (%.3f to %.3f)", ranking->ratio.nominal, ranking->ratio.low,
                      ranking->ratio.high);
        cli_table_add(table, "%.1f %% of draws", 100.0 * ranking->share);
        return true;
    }
    cJSON *item = cJSON_CreateObject();
    return item && cJSON_AddItemToArray(array, item) && cJSON_AddStringToObject(item, "a", a) &&
           cJSON_AddStringToObject(item, "b", b) &&
           cJSON_AddNumberToObject(item, "share_of_draws_a_less", ranking->share) &&
           cJSON_AddNumberToObject(item, "ratio_low", ranking->ratio.low) &&
           cJSON_AddNumberToObject(item, "ratio", ranking->ratio.nominal) &&
           cJSON_AddNumberToObject(item, "ratio_high", ranking->ratio.high);
}

/* Each pair in the order of the command line. */
static bittern_status rank_pairs(const struct energy_arguments *arguments,
                                 const struct bittern_energy_coefficients *coefficients,
                                 const struct energy_file *files, struct cli_table *table,
                                 cJSON *array, struct bittern_error *err)
{
    for (size_t i = 0; i < arguments->file_count; i++) {
        for (size_t j = i + 1; j < arguments->file_count; j++) {
            const struct bittern_energy_candidate a = {files[i].activity, &files[i].load};
            const struct bittern_energy_candidate b = {files[j].activity, &files[j].load};
            struct bittern_energy_ranking ranking;
            bittern_status status = bittern_energy_rank(coefficients, &a, &b, arguments->draws,
                                                        arguments->seed, &ranking, err);
            if (status != BITTERN_OK) {
                return status;
            }
            if (!add_ranking(arguments->files[i], arguments->files[j], &ranking, table, array)) {
                return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
            }
        }
    }
    return BITTERN_OK;
}

static bittern_status print_rankings(const struct energy_arguments *arguments,
                                     const struct bittern_energy_coefficients *coefficients,
                                     const struct energy_file *files, struct bittern_error *err)
{
    static const struct cli_column columns[] = {
        {"a", false}, {"b", false}, {"a / b", true}, {"a takes less", true}};
    struct cli_table table;

    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    bittern_status status = rank_pairs(arguments, coefficients, files, &table, NULL, err);
    if (!cli_table_finish(&table, stdout) && status == BITTERN_OK) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the table");
    }
    return status;
}

static int print_json(const struct energy_arguments *arguments,
                      const struct bittern_energy_coefficients *coefficients,
                      const struct energy_file *files)
{
    struct bittern_error err;
    cJSON *root = cJSON_CreateObject();
    cJSON *array = root ? cJSON_AddArrayToObject(root, "files") : NULL;
    cJSON *rankings = root ? cJSON_AddArrayToObject(root, "rankings") : NULL;
    bool made = array && rankings;

    for (size_t i = 0; made && i < arguments->file_count; i++) {
        char *text = bittern_energy_estimate_to_json(files[i].estimate);
        cJSON *energy = text ? cJSON_Parse(text) : NULL;
        cJSON *item = cJSON_CreateObject();
        free(text);
        made = energy && item && cJSON_AddItemToArray(array, item) &&
               cJSON_AddStringToObject(item, "file", arguments->files[i]) &&
               cJSON_AddItemToObject(item, "energy", energy);
    }
    if (made && rank_pairs(arguments, coefficients, files, NULL, rankings, &err) != BITTERN_OK) {
        cJSON_Delete(root);
        return cli_fail("energy", &err);
    }
    if (!made) {
        cJSON_Delete(root);
        root = NULL;
    }
    return json_print("energy", root);
}

static bittern_status open_file(const struct energy_arguments *arguments, const char *path,
                                const struct bittern_energy_coefficients *coefficients,
                                struct energy_file *file, struct bittern_error *err)
{
    bittern_status status = bittern_energy_activity_read(path, &file->activity, err);
    if (status != BITTERN_OK) {
        return status;
    }
    bittern_energy_activity_load(file->activity, arguments->clock_mhz, &file->load);
    status = bittern_energy_model(coefficients, file->activity, &file->load, arguments->bounds,
                                  &file->estimate, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", path);
    }
    return status;
}

static int energy(const struct energy_arguments *arguments)
{
    struct energy_file files[MAX_FILES] = {{0}};
    struct bittern_energy_coefficients *coefficients = NULL;
    struct bittern_error err;
    bool printed = true;
    int code = CLI_EXIT_OK;

    bittern_status status =
        bittern_energy_coefficients_read(arguments->coefficients, &coefficients, &err);
    for (size_t i = 0; status == BITTERN_OK && i < arguments->file_count; i++) {
        status = open_file(arguments, arguments->files[i], coefficients, &files[i], &err);
    }
    if (status != BITTERN_OK) {
        code = cli_fail("energy", &err);
        goto cleanup;
    }
    if (arguments->json) {
        code = print_json(arguments, coefficients, files);
        goto cleanup;
    }
    for (size_t i = 0; printed && i < arguments->file_count; i++) {
        printed = print_estimate(arguments->files[i], files[i].estimate);
    }
    if (!printed) {
        (void)bittern_error_set(&err, BITTERN_ERR_MEMORY, "no memory for the table");
    }
    if (printed && arguments->file_count > 1) {
        printed = print_rankings(arguments, coefficients, files, &err) == BITTERN_OK;
    }
    code = printed ? cli_finish_output("energy") : cli_fail("energy", &err);

cleanup:
    for (size_t i = 0; i < arguments->file_count; i++) {
        bittern_energy_estimate_free(files[i].estimate);
        bittern_energy_activity_free(files[i].activity);
    }
    bittern_energy_coefficients_free(coefficients);
    return code;
}

int command_energy(int argc, char **argv)
{
    static const struct option options[] = {
        {"clock", required_argument, NULL, 'c'}, {"coefficients", required_argument, NULL, 'f'},
        {"bounds", no_argument, NULL, 'b'},      {"draws", required_argument, NULL, 'd'},
        {"seed", required_argument, NULL, 's'},  {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct energy_arguments arguments = {.clock_mhz = 100.0, .draws = 10000, .seed = 1};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(help, stdout);
            return cli_finish_output("energy");
        case 'c':
            if (!cli_parse_double(optarg, &arguments.clock_mhz) || !(arguments.clock_mhz > 0.0) ||
                arguments.clock_mhz > 1e5) {
                return cli_usage("energy", "--clock is a frequency, not '%s'", optarg);
            }
            break;
        case 'f':
            arguments.coefficients = optarg;
            break;
        case 'b':
            arguments.bounds = true;
            break;
        case 'd':
            if (!cli_parse_size(optarg, 1, 1000000, &arguments.draws)) {
                return cli_usage("energy", "--draws is a number from 1 to 1000000, not '%s'",
                                 optarg);
            }
            break;
        case 's':
            if (!cli_parse_u64(optarg, &arguments.seed)) {
                return cli_usage("energy", "--seed is a number, not '%s'", optarg);
            }
            break;
        case 'j':
            arguments.json = true;
            break;
        default:
            return cli_usage("energy", "the command line is wrong");
        }
    }
    arguments.files = argv + optind;
    arguments.file_count = (size_t)(argc - optind);
    if (arguments.file_count == 0 || arguments.file_count > MAX_FILES) {
        return cli_usage("energy", arguments.file_count == 0 ? "which activity file?"
                                                             : "at most 64 files at a time");
    }
    return energy(&arguments);
}
