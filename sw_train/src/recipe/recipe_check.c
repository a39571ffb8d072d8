/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, and checks that need more than one key. */
#include "recipe/recipe_check.h"

#include <bittern/dataset.h>
#include <stdio.h>
#include <string.h>

void recipe_defaults(struct recipe *recipe)
{
    memset(recipe, 0, sizeof *recipe);
    recipe->data.normalize = true;
    recipe->data.quantize = true;
    recipe->network.order = ORDER_CONV_POOL_NORM_ACT;
    recipe->network.activation =
        (struct activation_config){.kind = ACTIVATION_QUANT, .bits = 8, .range = 4.0};
    recipe->network.norm = (struct norm_config){.epsilon = 1e-5, .momentum = 0.1};
    recipe->network.norm_last = true;
    recipe->weights = method_defaults(METHOD_FULL);
    recipe->training.batch = 128;
    recipe->training.optimizer = (struct optimizer_config){
        .kind = OPTIMIZER_ADAM, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    recipe->training.schedule = (struct schedule){.kind = SCHEDULE_CONSTANT, .factor = 0.1};
    recipe->training.loss = LOSS_CROSS_ENTROPY;
    recipe->training.temperature = 4.0;
    recipe->training.statistics_batches = 100;
}

bool recipe_name_allows(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static const struct recipe_setting *find(const struct recipe_keys *keys,
                                         const struct recipe_setting *settings, const char *path)
{
    return &settings[recipe_keys_find(keys, path)];
}

bittern_status recipe_check_required(const struct recipe_keys *keys,
                                     const struct recipe_setting *settings, const char *name,
                                     struct bittern_error *err)
{
    static const char *const required[] = {"data.set", "weights.method", "training.epochs",
                                           "training.learning_rate"};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        size_t index = recipe_keys_find(keys, required[i]);
        if (settings[index].value == NULL) {
            char text[256] = "";
            recipe_key_describe(&keys->items[index], text, sizeof text);
            return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: \"%s\" is missing; it %s", name,
                                     required[i], text);
        }
    }
    const struct recipe_setting *network = find(keys, settings, "network.name");
    const struct recipe_setting *layers = find(keys, settings, "network.layers");
    if (network->value == NULL && layers->value == NULL) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: \"network.name\" is missing, e.g. lenet5, or "
                                 "\"network.layers\", e.g. 32C5-MP2-64C5-MP2-512-10",
                                 name);
    }
    if (network->value != NULL && layers->value != NULL) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: network.layers is given besides network.name (%s): keep one "
                                 "of them",
                                 layers->where, network->where);
    }
    return BITTERN_OK;
}

/* A value that means nothing under the recipe's choices is most likely a mistake. */
static bittern_status check_dependents(const struct recipe_keys *keys,
                                       const struct recipe_setting *settings,
                                       const struct recipe *recipe, struct bittern_error *err)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct recipe_key *key = &keys->items[i];
        if (settings[i].value == NULL || key->selector == SIZE_MAX ||
            recipe_key_applies(keys, key, recipe)) {
            continue;
        }
        const struct recipe_key *selector = &keys->items[key->selector];
        char choice[64], others[512] = "";
        size_t used = 0;
        recipe_key_format(selector, recipe, choice, sizeof choice);
        for (uint32_t j = 0; j < selector->field->value.enumeration.count; j++) {
            const cyaml_strval_t *name = &selector->field->value.enumeration.strings[j];
            if ((key->choices >> (unsigned)name->val & 1) != 0 && used < sizeof others) {
                used += (size_t)snprintf(others + used, sizeof others - used, "%s%s",
                                         used > 0 ? ", " : "", name->str);
            }
        }
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: %s means nothing with %s %s; it belongs to: %s",
                                 settings[i].where, key->path, selector->path, choice, others);
    }
    return BITTERN_OK;
}

static bittern_status check_data(const struct recipe_keys *keys,
                                 const struct recipe_setting *settings, const struct recipe *recipe,
                                 struct bittern_error *err)
{
    char known[512] = "";
    size_t used = 0;
    if (bittern_dataset_find_info(recipe->data.set) != NULL) {
        return BITTERN_OK;
    }
    for (size_t i = 0; bittern_dataset_known(i) != NULL && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "",
                                 bittern_dataset_known(i)->name);
    }
    return bittern_error_set(err, BITTERN_ERR_RANGE,
                             "%s: there is no data set \"%s\"; known are: %s",
                             find(keys, settings, "data.set")->where, recipe->data.set, known);
}

/* The methods know the ranges of their settings; a value out of range was given, not a default. */
static bittern_status check_methods(const struct recipe_keys *keys,
                                    const struct recipe_setting *settings, const char *name,
                                    const struct recipe *recipe, struct bittern_error *err)
{
    const struct {
        const char *section;
        const struct method_config *config;
    } parts[] = {{"weights", &recipe->weights},
                 {"weights.first", &recipe->first_weights},
                 {"weights.last", &recipe->last_weights}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *key;
        char path[RECIPE_KEY_SIZE];
        bittern_status status = method_check(parts[i].config, &key, err);
        if (status != BITTERN_OK) {
            (void)snprintf(path, sizeof path, "%s.%s", parts[i].section, key);
            const struct recipe_setting *setting = find(keys, settings, path);
            bittern_error_prefix(err, "%s", setting->value != NULL ? setting->where : name);
            return status;
        }
    }
    return BITTERN_OK;
}

static bittern_status check_network(const struct recipe_keys *keys,
                                    const struct recipe_setting *settings, struct recipe *recipe,
                                    struct bittern_error *err)
{
    const struct recipe_setting *setting = find(keys, settings, "network.layers");
    if (setting->value == NULL) {
        setting = find(keys, settings, "network.name");
        const char *layers = network_layers(recipe->network.name);
        char known[256] = "";
        size_t used = 0;
        for (size_t i = 0; network_name(i) != NULL && used < sizeof known; i++) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                     network_name(i));
        }
        if (layers == NULL) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "%s: there is no network \"%s\"; known are: %s; any other is "
                                     "written as network.layers",
                                     setting->where, recipe->network.name, known);
        }
        (void)snprintf(recipe->network.layers, sizeof recipe->network.layers, "%s", layers);
    }
    bittern_status status = network_parse(recipe->network.layers, recipe->network.elements,
                                          RECIPE_MAX_ELEMENTS, &recipe->network.element_count, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", setting->where);
    }
    return status;
}

static bittern_status check_training(const struct recipe_keys *keys,
                                     const struct recipe_setting *settings, const char *name,
                                     struct recipe *recipe, struct bittern_error *err)
{
    struct schedule *schedule = &recipe->training.schedule;
    const struct recipe_setting *kind = find(keys, settings, "training.schedule.kind");
    schedule->epochs = (double)recipe->training.epochs;
    if (schedule->kind == SCHEDULE_STEPS && schedule->milestone_count == 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: a schedule of steps needs training.schedule.milestones, the "
                                 "epochs at which the rate falls, as in [80, 120]",
                                 kind->where);
    }
    if (schedule->kind == SCHEDULE_EXPONENTIAL && schedule->final <= 0) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "%s: an exponential schedule needs training.schedule.final, the "
                                 "last rate, above 0",
                                 kind->where);
    }
    if (schedule->final > schedule->rate) {
        return bittern_error_set(
            err, BITTERN_ERR_RANGE,
            "%s: training.schedule.final is %g, above training.learning_rate %g: a schedule falls",
            find(keys, settings, "training.schedule.final")->where, schedule->final,
            schedule->rate);
    }
    const struct recipe_setting *temperature =
        find(keys, settings, "training.distillation.temperature");
    if (temperature->value != NULL &&
        find(keys, settings, "training.distillation.weight")->value == NULL) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: distillation needs training.distillation.weight, the "
                                 "teacher's share of the loss, as in 0.5",
                                 temperature->where);
    }
    recipe->training.distill = recipe->training.distill_weight > 0;
    for (size_t i = 0; recipe->base_name[i] != '\0'; i++) {
        if (!recipe_name_allows(recipe->base_name[i]) || recipe->base_name[0] == '.') {
            const struct recipe_setting *setting = find(keys, settings, "name");
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "%s: name is \"%s\", but output files are named so: letters, "
                                     "digits, '_', '-' and '.' alone",
                                     setting->value != NULL ? setting->where : name,
                                     recipe->base_name);
        }
    }
    return BITTERN_OK;
}

bittern_status recipe_check(const struct recipe_keys *keys, const struct recipe_setting *settings,
                            const char *name, struct recipe *recipe, struct bittern_error *err)
{
    bittern_status status = check_dependents(keys, settings, recipe, err);
    if (status == BITTERN_OK) {
        status = check_data(keys, settings, recipe, err);
    }
    if (status == BITTERN_OK) {
        status = check_methods(keys, settings, name, recipe, err);
    }
    if (status == BITTERN_OK) {
        status = check_network(keys, settings, recipe, err);
    }
    if (status == BITTERN_OK) {
        status = check_training(keys, settings, name, recipe, err);
    }
    return status;
}
