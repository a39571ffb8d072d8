/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema (tables), the rules of the keys (a table), and the list of keys made of both.
 */
#include "recipe/recipe_schema.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- libcyaml's schema ----------------------------------------------------------------------- */

/* A member of struct recipe, relative to where its section's mapping begins. A section need not be
 * one C struct: "learning_rate" is a key of "training" and lives in its schedule. */
#define OFFSET_IN(section, member)                                                                 \
    .data_offset = (uint32_t)(offsetof(struct recipe, member) - offsetof(struct recipe, section))
#define SIZE_OF(member) sizeof(((struct recipe *)0)->member)

#define KEY_STRING(name, section, member)                                                          \
    {                                                                                              \
        .key = (name), OFFSET_IN(section, member), .value = {                                      \
            .type = CYAML_STRING,                                                                  \
            .flags = CYAML_FLAG_OPTIONAL,                                                          \
            .data_size = SIZE_OF(member),                                                          \
            .string = {.min = 0, .max = SIZE_OF(member) - 1},                                      \
        }                                                                                          \
    }
#define KEY_NUMBER(name, number_type, section, member)                                             \
    {                                                                                              \
        .key = (name), OFFSET_IN(section, member), .value = {                                      \
            .type = (number_type),                                                                 \
            .flags = CYAML_FLAG_OPTIONAL,                                                          \
            .data_size = SIZE_OF(member),                                                          \
        }                                                                                          \
    }
#define KEY_BOOL(name, section, member) KEY_NUMBER(name, CYAML_BOOL, section, member)
#define KEY_UINT(name, section, member) KEY_NUMBER(name, CYAML_UINT, section, member)
#define KEY_FLOAT(name, section, member) KEY_NUMBER(name, CYAML_FLOAT, section, member)
#define KEY_ENUM(name, names, section, member)                                                     \
    {                                                                                              \
        .key = (name), OFFSET_IN(section, member), .value = {                                      \
            .type = CYAML_ENUM,                                                                    \
            .flags = (enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT),                   \
            .data_size = SIZE_OF(member),                                                          \
            .enumeration = {.strings = (names), .count = CYAML_ARRAY_LEN(names)},                  \
        }                                                                                          \
    }
#define KEY_SECTION(name, parent, member, section_fields)                                          \
    {                                                                                              \
        .key = (name), OFFSET_IN(parent, member), .value = {                                       \
            .type = CYAML_MAPPING,                                                                 \
            .flags = CYAML_FLAG_OPTIONAL,                                                          \
            .data_size = 1,                                                                        \
            .mapping = {.fields = (section_fields)},                                               \
        }                                                                                          \
    }

static const cyaml_strval_t input_bits_names[] = {{"8", true}, {"32", false}};
static const cyaml_strval_t order_names[] = {
    {"conv-pool-norm-act", ORDER_CONV_POOL_NORM_ACT},
    {"conv-norm-act-pool", ORDER_CONV_NORM_ACT_POOL},
    {"norm-act-conv-pool", ORDER_NORM_ACT_CONV_POOL},
};
static const cyaml_strval_t activation_names[] = {
    {"relu", ACTIVATION_RELU}, {"clip", ACTIVATION_CLIP},       {"quant", ACTIVATION_QUANT},
    {"sign", ACTIVATION_SIGN}, {"ternary", ACTIVATION_TERNARY},
};
static const cyaml_strval_t method_names[] = {
    {"full", METHOD_FULL}, {"int8", METHOD_INT8}, {"binaryconnect", METHOD_BINARYCONNECT},
    {"bwn", METHOD_BWN},   {"twn", METHOD_TWN},   {"ttq", METHOD_TTQ},
    {"sq", METHOD_SQ},     {"sttn", METHOD_STTN}, {"r1", METHOD_R1},
    {"r2", METHOD_R2},
};
_Static_assert(CYAML_ARRAY_LEN(method_names) == METHOD_KIND_COUNT, "every method has a name");
static const cyaml_strval_t optimizer_names[] = {{"sgd", OPTIMIZER_SGD}, {"adam", OPTIMIZER_ADAM}};
static const cyaml_strval_t schedule_names[] = {
    {"constant", SCHEDULE_CONSTANT},
    {"steps", SCHEDULE_STEPS},
    {"cosine", SCHEDULE_COSINE},
    {"exponential", SCHEDULE_EXPONENTIAL},
};
static const cyaml_strval_t loss_names[] = {
    {"cross-entropy", LOSS_CROSS_ENTROPY},
    {"squared-hinge", LOSS_SQUARED_HINGE},
};

static const cyaml_schema_field_t data_fields[] = {
    KEY_STRING("set", data, data.set),
    KEY_BOOL("normalize", data, data.normalize),
    KEY_ENUM("input_bits", input_bits_names, data, data.quantize),
    KEY_UINT("crop", data, data.augmentation.crop),
    KEY_BOOL("flip", data, data.augmentation.flip),
    KEY_UINT("cutout", data, data.augmentation.cutout),
    KEY_UINT("train_images", data, data.train_images),
    KEY_UINT("test_images", data, data.test_images),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t network_fields[] = {
    KEY_STRING("name", network, network.name),
    KEY_STRING("layers", network, network.layers),
    KEY_ENUM("order", order_names, network, network.order),
    KEY_ENUM("activation", activation_names, network, network.activation.kind),
    KEY_UINT("bits", network, network.activation.bits),
    KEY_FLOAT("range", network, network.activation.range),
    KEY_FLOAT("norm_epsilon", network, network.norm.epsilon),
    KEY_FLOAT("norm_momentum", network, network.norm.momentum),
    KEY_BOOL("norm_last", network, network.norm_last),
    CYAML_FIELD_END,
};

/* Relative to a struct method_config: the same keys three times. */
#define METHOD_KEYS                                                                                \
    KEY_ENUM("method", method_names, weights, weights.kind),                                       \
        KEY_BOOL("stochastic", weights, weights.stochastic),                                       \
        KEY_BOOL("glorot_scale", weights, weights.glorot_scale),                                   \
        KEY_BOOL("per_filter", weights, weights.per_filter),                                       \
        KEY_FLOAT("threshold", weights, weights.threshold),                                        \
        KEY_FLOAT("lambda", weights, weights.lambda), KEY_FLOAT("gamma", weights, weights.gamma),  \
        KEY_BOOL("gamma_per_layer", weights, weights.gamma_per_layer),                             \
        KEY_FLOAT("delta", weights, weights.delta), KEY_UINT("power", weights, weights.power),     \
        KEY_FLOAT("extra_rate", weights, weights.extra_rate)

static const cyaml_schema_field_t method_fields[] = {METHOD_KEYS, CYAML_FIELD_END};
static const cyaml_schema_field_t weights_fields[] = {
    METHOD_KEYS,
    KEY_SECTION("first", weights, first_weights, method_fields),
    KEY_SECTION("last", weights, last_weights, method_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t milestone_value = {
    .type = CYAML_FLOAT, .flags = CYAML_FLAG_DEFAULT, .data_size = sizeof(double)};

static const cyaml_schema_field_t schedule_fields[] = {
    KEY_ENUM("kind", schedule_names, training, training.schedule.kind),
    {
        .key = "milestones",
        OFFSET_IN(training, training.schedule.milestones),
        .count_offset = (uint32_t)(offsetof(struct recipe, training.schedule.milestone_count) -
                                   offsetof(struct recipe, training)),
        .count_size = SIZE_OF(training.schedule.milestone_count),
        .value = {.type = CYAML_SEQUENCE,
                  .flags = CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(double),
                  .sequence = {.entry = &milestone_value,
                               .min = 0,
                               .max = SCHEDULE_MAX_MILESTONES}},
    },
    KEY_FLOAT("factor", training, training.schedule.factor),
    KEY_FLOAT("final", training, training.schedule.final),
    KEY_FLOAT("warmup_epochs", training, training.schedule.warmup),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t distillation_fields[] = {
    KEY_FLOAT("temperature", training, training.temperature),
    KEY_FLOAT("weight", training, training.distill_weight),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t training_fields[] = {
    KEY_UINT("epochs", training, training.epochs),
    KEY_UINT("batch", training, training.batch),
    KEY_ENUM("optimizer", optimizer_names, training, training.optimizer.kind),
    KEY_FLOAT("learning_rate", training, training.schedule.rate),
    KEY_FLOAT("momentum", training, training.optimizer.momentum),
    KEY_BOOL("nesterov", training, training.optimizer.nesterov),
    KEY_FLOAT("beta1", training, training.optimizer.beta1),
    KEY_FLOAT("beta2", training, training.optimizer.beta2),
    KEY_FLOAT("epsilon", training, training.optimizer.epsilon),
    KEY_FLOAT("weight_decay", training, training.optimizer.decay),
    KEY_ENUM("loss", loss_names, training, training.loss),
    KEY_UINT("statistics_batches", training, training.statistics_batches),
    KEY_SECTION("schedule", training, training, schedule_fields),
    KEY_SECTION("distillation", training, training, distillation_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t recipe_fields[] = {
    KEY_STRING("title", title, title),
    KEY_STRING("source", title, source),
    KEY_STRING("name", title, base_name),
    KEY_SECTION("data", title, data, data_fields),
    KEY_SECTION("network", title, network, network_fields),
    KEY_SECTION("weights", title, weights, weights_fields),
    KEY_SECTION("training", title, training, training_fields),
    CYAML_FIELD_END,
};
_Static_assert(offsetof(struct recipe, title) == 0, "offsets of the sections count from title");

const struct cyaml_schema_value recipe_schema = {
    .type = CYAML_MAPPING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = sizeof(struct recipe),
    .mapping = {.fields = recipe_fields},
};

/* ---- Rules ----------------------------------------------------------------------------------- */

#define CHOICE(kind) (UINT64_C(1) << (kind))
#define WITH_REGULARIZER (CHOICE(METHOD_SQ) | CHOICE(METHOD_R1) | CHOICE(METHOD_R2))

struct rule {
    const char *path; /* "weights.*" holds for weights.first.* and weights.last.*, too */
    double minimum, maximum;
    bool above_minimum;
    const char *selector;
    uint64_t choices;
};

/* Rates below 1e-12 or above 100 are typing errors, not settings. */
static const struct rule rules[] = {
    {"data.crop", 0, 64, false, NULL, 0},
    {"data.cutout", 0, 256, false, NULL, 0},
    {"data.train_images", 0, 1e9, false, NULL, 0},
    {"data.test_images", 0, 1e9, false, NULL, 0},
    {"network.bits", 2, 8, false, "network.activation", CHOICE(ACTIVATION_QUANT)},
    {"network.range", 0, 1000, true, "network.activation",
     CHOICE(ACTIVATION_QUANT) | CHOICE(ACTIVATION_CLIP)},
    {"network.norm_epsilon", 0, 1, true, NULL, 0},
    {"network.norm_momentum", 0, 1, true, NULL, 0},
    {"weights.stochastic", 0, 0, false, "weights.method", CHOICE(METHOD_BINARYCONNECT)},
    {"weights.glorot_scale", 0, 0, false, "weights.method", CHOICE(METHOD_BINARYCONNECT)},
    {"weights.per_filter", 0, 0, false, "weights.method", CHOICE(METHOD_TWN)},
    {"weights.threshold", 0, 10, false, "weights.method",
     CHOICE(METHOD_TWN) | CHOICE(METHOD_TTQ) | CHOICE(METHOD_SQ)},
    {"weights.lambda", 0, 1e6, false, "weights.method", WITH_REGULARIZER},
    {"weights.gamma", 0, 1e6, false, "weights.method", CHOICE(METHOD_SQ)},
    {"weights.gamma_per_layer", 0, 0, false, "weights.method", CHOICE(METHOD_SQ)},
    /* beta lives between pi/4 and pi/2; method_check knows them to the last digit */
    {"weights.delta", 0.7853, 1.5708, false, "weights.method", CHOICE(METHOD_SQ)},
    {"weights.power", 1, 2, false, "weights.method", WITH_REGULARIZER},
    {"weights.extra_rate", 0, 1000, false, "weights.method", WITH_REGULARIZER | CHOICE(METHOD_TTQ)},
    {"training.epochs", 1, 100000, false, NULL, 0},
    {"training.batch", 1, 65536, false, NULL, 0},
    {"training.learning_rate", 1e-12, 100, false, NULL, 0},
    {"training.momentum", 0, 0.9999, false, "training.optimizer", CHOICE(OPTIMIZER_SGD)},
    {"training.nesterov", 0, 0, false, "training.optimizer", CHOICE(OPTIMIZER_SGD)},
    {"training.beta1", 0, 0.999999, false, "training.optimizer", CHOICE(OPTIMIZER_ADAM)},
    {"training.beta2", 0, 0.999999, false, "training.optimizer", CHOICE(OPTIMIZER_ADAM)},
    {"training.epsilon", 0, 1, true, "training.optimizer", CHOICE(OPTIMIZER_ADAM)},
    {"training.weight_decay", 0, 1, false, NULL, 0},
    {"training.statistics_batches", 0, 1e6, false, NULL, 0},
    {"training.schedule.milestones", 0, 100000, true, "training.schedule.kind",
     CHOICE(SCHEDULE_STEPS)},
    {"training.schedule.factor", 0, 1, true, "training.schedule.kind", CHOICE(SCHEDULE_STEPS)},
    {"training.schedule.final", 0, 100, false, "training.schedule.kind",
     CHOICE(SCHEDULE_COSINE) | CHOICE(SCHEDULE_EXPONENTIAL)},
    {"training.schedule.warmup_epochs", 0, 100000, false, NULL, 0},
    {"training.distillation.temperature", 0, 1000, true, NULL, 0},
    {"training.distillation.weight", 0, 1, false, NULL, 0},
};

/* "weights.first.gamma" is ruled as "weights.gamma"; `part` gets "weights.first.". */
static void split_weights_path(const char *path, char *plain, char *part)
{
    static const char *const parts[] = {"weights.first.", "weights.last."};
    part[0] = '\0';
    (void)snprintf(plain, RECIPE_KEY_SIZE, "%s", path);
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(parts[i]);
        if (strncmp(path, parts[i], length) == 0) {
            (void)snprintf(plain, RECIPE_KEY_SIZE, "weights.%s", path + length);
            (void)snprintf(part, RECIPE_KEY_SIZE, "%s", parts[i]);
        }
    }
}

static void apply_rule(const struct recipe_keys *keys, struct recipe_key *key)
{
    char plain[RECIPE_KEY_SIZE], part[RECIPE_KEY_SIZE];
    split_weights_path(key->path, plain, part);
    for (size_t i = 0; i < CYAML_ARRAY_LEN(rules); i++) {
        const struct rule *rule = &rules[i];
        if (strcmp(rule->path, plain) != 0) {
            continue;
        }
        key->minimum = rule->minimum;
        key->maximum = rule->maximum;
        key->above_minimum = rule->above_minimum;
        key->choices = rule->choices;
        if (rule->selector != NULL) {
            char selector[RECIPE_KEY_SIZE];
            (void)snprintf(selector, sizeof selector, "%s%s", part,
                           rule->selector + (part[0] != '\0' ? strlen("weights.") : 0));
            key->selector = recipe_keys_find(keys, selector);
        }
    }
}

/* ---- The list of keys ------------------------------------------------------------------------ */

static void add_key(struct recipe_keys *keys, const char *section, size_t base,
                    const cyaml_schema_field_t *field)
{
    struct recipe_key *key = &keys->items[keys->count++];
    *key = (struct recipe_key){.field = field,
                               .offset = base + field->data_offset,
                               .count_offset = base + field->count_offset,
                               .selector = SIZE_MAX};
    (void)snprintf(key->path, sizeof key->path, "%s%s", section, field->key);
}

void recipe_keys_list(struct recipe_keys *keys)
{
    /* Sections still to be walked, innermost last: three levels, so few at once. */
    struct {
        char path[RECIPE_KEY_SIZE];
        size_t base;
        const cyaml_schema_field_t *next;
    } open[4] = {{"", 0, recipe_fields}};
    size_t depth = 1;
    keys->count = 0;
    while (depth > 0) {
        const cyaml_schema_field_t *field = open[depth - 1].next;
        if (field->key == NULL) {
            depth--;
            continue;
        }
        open[depth - 1].next++;
        if (field->value.type != CYAML_MAPPING) {
            add_key(keys, open[depth - 1].path, open[depth - 1].base, field);
            continue;
        }
        char path[RECIPE_KEY_SIZE];
        (void)snprintf(path, sizeof path, "%.40s%s.", open[depth - 1].path, field->key);
        memcpy(open[depth].path, path, sizeof path);
        open[depth].base = open[depth - 1].base + field->data_offset;
        open[depth].next = field->value.mapping.fields;
        depth++;
    }
    for (size_t i = 0; i < keys->count; i++) {
        apply_rule(keys, &keys->items[i]);
    }
}

size_t recipe_keys_find(const struct recipe_keys *keys, const char *path)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->items[i].path, path) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

bool recipe_keys_is_section(const struct recipe_keys *keys, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < keys->count; i++) {
        if (strncmp(keys->items[i].path, path, length) == 0 && keys->items[i].path[length] == '.') {
            return true;
        }
    }
    return false;
}
