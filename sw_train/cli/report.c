/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a run: a table of its layers, accuracies, files, and what to do next. */
#include "command.h"
#include "table.h"

#include "base/file.h"

#include <stdlib.h>

#define MAX_RESULT_BYTES ((size_t)16 << 20)

static const char *depth_name(enum method_depth depth)
{
    static const char *const names[] = {[METHOD_DEPTH_FULL] = "32-bit",
                                        [METHOD_DEPTH_INT8] = "8-bit",
                                        [METHOD_DEPTH_BINARY] = "binary",
                                        [METHOD_DEPTH_TERNARY] = "ternary"};
    return names[depth];
}

static bool print_layers(const struct trainer_result *result)
{
    static const struct cli_column columns[] = {{"layer", false}, {"weights", true},
                                                {"depth", false}, {"bits", true},
                                                {"zeros", true},  {"compression", true}};
    struct cli_table table;
    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < result->layer_count; i++) {
        const struct deploy_layer *layer = &result->layers[i];
        cli_table_add(&table, "%s", layer->name);
        cli_table_add_count(&table, layer->weights);
        cli_table_add(&table, "%s", depth_name(layer->depth));
        cli_table_add(&table, "%u", layer->bits);
        cli_table_add(&table, "%.1f %%", 100.0 * layer->zeros);
        cli_table_add(&table, "%.1fx", layer->compression);
    }
    return cli_table_finish(&table, stdout);
}

static void print_integer(const struct trainer_result *result)
{
    const struct deploy_comparison *comparison = &result->comparison;
    char count[32];
    if (!result->compiled) {
        printf("Integer network   none: %s\n", result->reason);
        return;
    }
    printf("Integer accuracy  %.2f %% of %s test images\n", 100.0 * comparison->integer_accuracy,
           cli_format_count(comparison->images, count, sizeof count));
    if (comparison->verified > 0) {
        printf("Verified          %zu of %zu images get the same class in float64; %zu values of "
               "layers differ\n",
               comparison->verified_equal, comparison->verified,
               comparison->verified_values_differ);
    }
    if (comparison->inexact_channels > 0) {
        printf("Inexact           %zu channels have no exact integer form (bittern inspect lists "
               "them)\n",
               comparison->inexact_channels);
    }
}

/* The command that classifies the same test images with the program. */
static void print_next(const struct train_arguments *arguments, const struct recipe *recipe,
                       const char *folder)
{
    printf("\nNext: bittern run %s/%s.btn --dataset %s", folder, recipe->base_name,
           recipe->data.set);
    if (arguments->data) {
        printf(" --data %s", arguments->data);
    }
    if (recipe->data.test_images > 0) {
        printf(" --images %zu", recipe->data.test_images);
    }
    printf("\n");
}

int train_print_result(const struct train_arguments *arguments, const struct recipe *recipe,
                       const char *folder, const struct trainer_result *result)
{
    printf("\n");
    if (!print_layers(result)) {
        fprintf(stderr, "bittern train: no memory for the table\n");
        return CLI_EXIT_FAILED;
    }
    printf("\nCompression       %.1fx against 32-bit weights\n", result->compression);
    printf("Float accuracy    %.2f %%, with the final weights\n", 100.0 * result->float_accuracy);
    print_integer(result);
    printf("Best epoch        %llu, with %.2f %% on the test images\n",
           (unsigned long long)result->best_epoch, 100.0 * result->best_accuracy);
    printf("Wrote             %s/%s.onnx, %s%sresult.json, metrics.jsonl, last and "
           "best.safetensors\n",
           folder, recipe->base_name, result->compiled ? recipe->base_name : "",
           result->compiled ? ".btn, " : "");
    if (result->compiled) {
        print_next(arguments, recipe, folder);
    }
    return cli_finish_output("train");
}

int train_print_json(const char *folder)
{
    struct bittern_error err;
    char *path = NULL;
    uint8_t *text = NULL;
    size_t size = 0;

    if (asprintf(&path, "%s/result.json", folder) < 0) {
        fprintf(stderr, "bittern train: no memory\n");
        return CLI_EXIT_FAILED;
    }
    int code = CLI_EXIT_OK;
    if (file_read(path, MAX_RESULT_BYTES, &text, &size, &err) == BITTERN_OK) {
        printf("%s\n", (const char *)text);
        code = cli_finish_output("train");
    } else {
        code = cli_fail("train", &err);
    }
    free(text);
    free(path);
    return code;
}
