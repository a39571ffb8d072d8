/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a run as JSON: result.json, and the last line of metrics.jsonl. */
#include "train/run.h"

#include <bittern/version.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>

static const char *depth_name(enum method_depth depth)
{
    static const char *const names[] = {[METHOD_DEPTH_FULL] = "full",
                                        [METHOD_DEPTH_INT8] = "int8",
                                        [METHOD_DEPTH_BINARY] = "binary",
                                        [METHOD_DEPTH_TERNARY] = "ternary"};
    return names[depth];
}

/* As it is: a double would round it above 2^53. */
static bool add_seed(cJSON *root, uint64_t seed)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, seed);
    return cJSON_AddRawToObject(root, "seed", text) != NULL;
}

static bool add_recipe(cJSON *root, const struct train_run *run)
{
    const struct recipe *recipe = run->recipe;
    return cJSON_AddStringToObject(root, "bittern", BITTERN_VERSION) &&
           cJSON_AddStringToObject(root, "name", recipe->base_name) &&
           cJSON_AddStringToObject(root, "title", recipe->title) &&
           cJSON_AddStringToObject(root, "source", recipe->source) &&
           cJSON_AddStringToObject(root, "data", recipe->data.set) &&
           cJSON_AddStringToObject(root, "network", recipe->network.layers) &&
           cJSON_AddStringToObject(root, "method", method_name(recipe->weights.kind)) &&
           add_seed(root, run->options->seed) &&
           cJSON_AddNumberToObject(root, "batch", (double)recipe->training.batch) &&
           cJSON_AddNumberToObject(root, "epochs", (double)run->result->epochs) &&
           cJSON_AddNumberToObject(root, "processes", (double)comm_size(run->options->comm)) &&
           cJSON_AddStringToObject(root, "computed_by", run->position.computed_by) &&
           cJSON_AddBoolToObject(root, "mixed", run->position.mixed != 0) &&
           cJSON_AddNumberToObject(root, "seconds", run->result->seconds);
}

static bool add_accuracy(cJSON *root, const struct train_run *run)
{
    const struct trainer_result *result = run->result;
    const struct deploy_comparison *comparison = &result->comparison;
    cJSON *best = cJSON_AddObjectToObject(root, "best");
    bool made =
        best && cJSON_AddNumberToObject(best, "accuracy", result->best_accuracy) &&
        cJSON_AddNumberToObject(best, "epoch", (double)result->best_epoch) &&
        cJSON_AddStringToObject(root, "exported", run->options->export_best ? "best" : "last") &&
        cJSON_AddNumberToObject(root, "float_accuracy", result->float_accuracy) &&
        cJSON_AddBoolToObject(root, "compiled", result->compiled);
    if (made && !result->compiled) {
        return cJSON_AddStringToObject(root, "reason", result->reason) != NULL;
    }
    cJSON *integer = made ? cJSON_AddObjectToObject(root, "integer") : NULL;
    return integer && cJSON_AddNumberToObject(integer, "accuracy", comparison->integer_accuracy) &&
           cJSON_AddNumberToObject(integer, "images", (double)comparison->images) &&
           cJSON_AddNumberToObject(integer, "verified", (double)comparison->verified) &&
           cJSON_AddNumberToObject(integer, "verified_equal", (double)comparison->verified_equal) &&
           cJSON_AddNumberToObject(integer, "verified_values_differ",
                                   (double)comparison->verified_values_differ) &&
           cJSON_AddNumberToObject(integer, "inexact_channels",
                                   (double)comparison->inexact_channels);
}

static bool add_layers(cJSON *root, const struct trainer_result *result)
{
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    bool made = layers && cJSON_AddNumberToObject(root, "compression", result->compression);
    for (size_t i = 0; made && i < result->layer_count; i++) {
        const struct deploy_layer *layer = &result->layers[i];
        cJSON *item = cJSON_CreateObject();
        made = item && cJSON_AddItemToArray(layers, item) &&
               cJSON_AddStringToObject(item, "name", layer->name) &&
               cJSON_AddNumberToObject(item, "weights", (double)layer->weights) &&
               cJSON_AddStringToObject(item, "depth", depth_name(layer->depth)) &&
               cJSON_AddNumberToObject(item, "bits", layer->bits) &&
               cJSON_AddNumberToObject(item, "zeros", layer->zeros) &&
               cJSON_AddNumberToObject(item, "compression", layer->compression);
    }
    return made;
}

static char *print(const cJSON *root, bool pretty)
{
    return pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
}

char *result_json(const struct train_run *run, bool pretty, struct bittern_error *err)
{
    cJSON *root = cJSON_CreateObject();
    bool made =
        root && add_recipe(root, run) && add_accuracy(root, run) && add_layers(root, run->result);
    char *text = made ? print(root, pretty) : NULL;
    cJSON_Delete(root);
    if (!text) {
        bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the result");
    }
    return text;
}
