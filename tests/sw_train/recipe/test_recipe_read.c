/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes read from text: defaults, quick looks, overrides, and every kind of error with its line.
 */
#include "recipe/recipe.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

/* Nine lines that are right; tests add more behind them, from line 10 on. */
#define BASE                                                                                       \
    "title: test\n"                                                                                \
    "data:\n"                                                                                      \
    "  set: mnist\n"                                                                               \
    "network:\n"                                                                                   \
    "  name: lenet5\n"                                                                             \
    "weights: {method: twn}\n"                                                                     \
    "training:\n"                                                                                  \
    "  epochs: 60\n"                                                                               \
    "  learning_rate: 0.001\n"

static bittern_status parse(const char *text, bool quick, const char *const *overrides,
                            size_t count, struct recipe *recipe, struct bittern_error *err)
{
    memset(err, 0, sizeof *err);
    return recipe_parse(text, strlen(text), "dir/test.yaml", quick, overrides, count, recipe, err);
}

static void parse_ok(const char *text, struct recipe *recipe)
{
    struct bittern_error err;
    assert_ok(parse(text, false, NULL, 0, recipe, &err), &err);
}

static void set_ok(const char *text, bool quick, const char *override, struct recipe *recipe)
{
    struct bittern_error err;
    assert_ok(parse(text, quick, &override, override != NULL ? 1 : 0, recipe, &err), &err);
}

static void assert_message(const char *text, const char *message, const char *where,
                           const char *hint)
{
    if (strstr(message, where) == NULL || strstr(message, hint) == NULL) {
        fail_msg("\"%s\" gives \"%s\", without \"%s\" or \"%s\"", text, message, where, hint);
    }
}

static void assert_bad(const char *text, const char *where, const char *hint)
{
    struct recipe recipe;
    struct bittern_error err;
    if (parse(text, false, NULL, 0, &recipe, &err) == BITTERN_OK) {
        fail_msg("\"%s\" was accepted", text);
    }
    assert_message(text, err.message, where, hint);
}

static void assert_bad_set(const char *override, const char *hint)
{
    struct recipe recipe;
    struct bittern_error err;
    char where[128];
    if (parse(BASE, false, &override, 1, &recipe, &err) == BITTERN_OK) {
        fail_msg("--set %s was accepted", override);
    }
    (void)snprintf(where, sizeof where, "--set %.60s", override);
    assert_message(override, err.message, where, hint);
}

/* Would catch: a default that is not what docs/recipes.md says. */
static void keys_that_are_not_given_have_their_defaults(void **state)
{
    struct recipe r;
    (void)state;
    parse_ok(BASE, &r);
    assert_string_equal(r.title, "test");
    assert_string_equal(r.source, "");
    assert_string_equal(r.base_name, "test");
    assert_true(r.data.normalize && r.data.quantize);
    assert_int_equal(r.data.augmentation.crop, 0);
    assert_false(r.data.augmentation.flip);
    assert_int_equal(r.network.order, ORDER_CONV_POOL_NORM_ACT);
    assert_int_equal(r.network.activation.kind, ACTIVATION_QUANT);
    assert_int_equal(r.network.activation.bits, 8);
    assert_true(r.network.activation.range == 4.0);
    assert_true(r.network.norm.epsilon == 1e-5 && r.network.norm.momentum == 0.1);
    assert_true(r.network.norm_last);
    assert_int_equal(r.network.element_count, 7);
    assert_int_equal(r.training.batch, 128);
    assert_int_equal(r.training.optimizer.kind, OPTIMIZER_ADAM);
    assert_true(r.training.optimizer.beta2 == 0.999);
    assert_true(r.training.optimizer.decay == 0.0);
    assert_int_equal(r.training.schedule.kind, SCHEDULE_CONSTANT);
    assert_true(r.training.schedule.rate == 0.001 && r.training.schedule.epochs == 60.0);
    assert_int_equal(r.training.loss, LOSS_CROSS_ENTROPY);
    assert_false(r.training.distill);
    assert_int_equal(r.training.statistics_batches, 100);
}

/* Would catch: a key stored in the wrong place (offsets in the schema). */
static void every_key_reaches_its_member(void **state)
{
    struct recipe r;
    (void)state;
    parse_ok("title: \"a \\\"b\\\" c: d # e\"\n"
             "source: s\n"
             "name: out-1\n"
             "data: {set: cifar10, normalize: false, input_bits: 32, crop: 4, flip: true,\n"
             "       cutout: 8, train_images: 500, test_images: 70}\n"
             "network: {layers: 32C5-10, order: conv-norm-act-pool, activation: clip, range: 2.5,\n"
             "          norm_epsilon: 1e-4, norm_momentum: 0.05, norm_last: false}\n"
             "weights:\n"
             "  method: sq\n"
             "  threshold: 0.3\n"
             "  lambda: 0.4\n"
             "  gamma: 0.5\n"
             "  gamma_per_layer: true\n"
             "  delta: 1.5\n"
             "  power: 2\n"
             "  extra_rate: 3\n"
             "  first: {method: binaryconnect, stochastic: true, glorot_scale: true}\n"
             "  last: {method: twn, per_filter: true, threshold: 0.6}\n"
             "training:\n"
             "  epochs: 7\n"
             "  batch: 9\n"
             "  optimizer: sgd\n"
             "  learning_rate: 0.125\n"
             "  momentum: 0.8\n"
             "  nesterov: true\n"
             "  weight_decay: 0.0002\n"
             "  loss: squared-hinge\n"
             "  statistics_batches: 0\n"
             "  schedule: {kind: steps, milestones: [1, 2.5, 6], factor: 0.2, warmup_epochs: 0.5}\n"
             "  distillation: {temperature: 5, weight: 0.75}\n",
             &r);
    assert_string_equal(r.title, "a \"b\" c: d # e");
    assert_string_equal(r.base_name, "out-1");
    assert_string_equal(r.data.set, "cifar10");
    assert_false(r.data.normalize || r.data.quantize);
    assert_true(r.data.augmentation.crop == 4 && r.data.augmentation.flip);
    assert_int_equal(r.data.augmentation.cutout, 8);
    assert_int_equal(r.data.train_images, 500);
    assert_int_equal(r.data.test_images, 70);
    assert_string_equal(r.network.layers, "32C5-10");
    assert_int_equal(r.network.order, ORDER_CONV_NORM_ACT_POOL);
    assert_int_equal(r.network.activation.kind, ACTIVATION_CLIP);
    assert_true(r.network.activation.range == 2.5);
    assert_true(r.network.norm.epsilon == 1e-4 && r.network.norm.momentum == 0.05);
    assert_false(r.network.norm_last);
    assert_int_equal(r.weights.kind, METHOD_SQ);
    assert_true(r.weights.threshold == 0.3 && r.weights.lambda == 0.4 && r.weights.gamma == 0.5);
    assert_true(r.weights.gamma_per_layer && r.weights.delta == 1.5 && r.weights.power == 2);
    assert_true(r.weights.extra_rate == 3);
    assert_int_equal(r.first_weights.kind, METHOD_BINARYCONNECT);
    assert_true(r.first_weights.stochastic && r.first_weights.glorot_scale);
    assert_int_equal(r.last_weights.kind, METHOD_TWN);
    assert_true(r.last_weights.per_filter && r.last_weights.threshold == 0.6);
    assert_true(r.training.epochs == 7 && r.training.batch == 9);
    assert_int_equal(r.training.optimizer.kind, OPTIMIZER_SGD);
    assert_true(r.training.optimizer.momentum == 0.8 && r.training.optimizer.nesterov);
    assert_true(r.training.optimizer.decay == 0.0002);
    assert_int_equal(r.training.loss, LOSS_SQUARED_HINGE);
    assert_int_equal(r.training.statistics_batches, 0);
    assert_int_equal(r.training.schedule.kind, SCHEDULE_STEPS);
    assert_true(r.training.schedule.rate == 0.125 && r.training.schedule.factor == 0.2);
    assert_int_equal(r.training.schedule.milestone_count, 3);
    assert_true(r.training.schedule.milestones[1] == 2.5);
    assert_true(r.training.schedule.warmup == 0.5 && r.training.schedule.epochs == 7);
    assert_true(r.training.distill && r.training.temperature == 5);
    assert_true(r.training.distill_weight == 0.75);
}

/* Would catch: Adam's keys, or those of falling schedules, in each other's place. */
static void adam_and_falling_schedules_have_their_own_keys(void **state)
{
    struct recipe r;
    (void)state;
    parse_ok(BASE "  optimizer: adam\n"
                  "  beta1: 0.8\n"
                  "  beta2: 0.99\n"
                  "  epsilon: 1e-6\n"
                  "  schedule: {kind: exponential, final: 1e-6}\n",
             &r);
    assert_true(r.training.optimizer.beta1 == 0.8 && r.training.optimizer.beta2 == 0.99);
    assert_true(r.training.optimizer.epsilon == 1e-6);
    assert_int_equal(r.training.schedule.kind, SCHEDULE_EXPONENTIAL);
    assert_true(r.training.schedule.final == 1e-6);
}

/* Would catch: names in the schema that method_name does not know, or the other way round. */
static void every_weight_method_is_known_by_its_name(void **state)
{
    (void)state;
    for (int kind = 0; kind < METHOD_KIND_COUNT; kind++) {
        struct recipe r;
        char override[64];
        (void)snprintf(override, sizeof override, "weights.method=%s",
                       method_name((enum method_kind)kind));
        set_ok(BASE, false, override, &r);
        assert_int_equal(r.weights.kind, kind);
        struct method_config expected = method_defaults((enum method_kind)kind);
        assert_true(r.weights.threshold == expected.threshold);
        assert_true(r.weights.lambda == expected.lambda);
        assert_true(r.weights.delta == expected.delta);
    }
}

/* Would catch: a first layer that loses what `weights` sets, or keeps what its method has not. */
static void first_and_last_layers_follow_weights_unless_told(void **state)
{
    struct recipe r;
    (void)state;
    set_ok(BASE, false, "weights.threshold=0.65", &r);
    assert_true(r.first_weights.threshold == 0.65 && r.last_weights.kind == METHOD_TWN);
    parse_ok(
        "data: {set: mnist}\nnetwork: {name: lenet5}\n"
        "weights: {method: twn, threshold: 0.6, first: {method: ttq}, last: {per_filter: true}}\n"
        "training: {epochs: 1, learning_rate: 1}\n",
        &r);
    assert_int_equal(r.first_weights.kind, METHOD_TTQ);
    assert_true(r.first_weights.threshold == method_defaults(METHOD_TTQ).threshold);
    assert_int_equal(r.last_weights.kind, METHOD_TWN);
    assert_true(r.last_weights.per_filter && r.last_weights.threshold == 0.6);
    assert_false(r.weights.per_filter);
}

/* Would catch: quick keys without --quick, or overrides that quick wins over. */
static void quick_changes_the_keys_below_it_and_overrides_change_those(void **state)
{
    static const char text[] = BASE "quick:\n"
                                    "  data: {train_images: 1000}\n"
                                    "  training: {epochs: 3}\n";
    struct recipe r;
    (void)state;
    parse_ok(text, &r);
    assert_true(r.training.epochs == 60 && r.data.train_images == 0);
    set_ok(text, true, NULL, &r);
    assert_true(r.training.epochs == 3 && r.data.train_images == 1000);
    assert_true(r.training.schedule.epochs == 3);
    set_ok(text, true, "training.epochs=5", &r);
    assert_true(r.training.epochs == 5 && r.data.train_images == 1000);
}

/* Would catch: a quick look that takes as long as the whole, or longer. */
static void quick_without_a_section_is_short_and_never_longer(void **state)
{
    struct recipe r;
    (void)state;
    set_ok(BASE, true, NULL, &r);
    assert_true(r.training.epochs == 2 && r.data.train_images == 10000);
    set_ok("data: {set: mnist, train_images: 50}\nnetwork: {name: lenet5}\n"
           "weights: {method: full}\ntraining: {epochs: 1, learning_rate: 1}\n",
           true, NULL, &r);
    assert_true(r.training.epochs == 1 && r.data.train_images == 50);
}

/* Would catch: an option of the method before surviving under a new one. */
static void choosing_another_method_starts_from_its_defaults(void **state)
{
    static const char text[] =
        "data: {set: mnist}\nnetwork: {name: lenet5, activation: quant, bits: 4}\n"
        "weights: {method: sq, gamma: 0.5, threshold: 0.4, first: {method: int8}}\n"
        "training: {epochs: 1, learning_rate: 1, optimizer: sgd, momentum: 0.5,\n"
        "           schedule: {kind: steps, milestones: [3]}}\n";
    struct recipe r;
    struct bittern_error err;
    static const char *const overrides[] = {
        "network.layers=10",       "weights.per_filter=true",
        "weights.method=twn",      "training.schedule.kind=cosine",
        "network.activation=sign", "training.optimizer=adam"};
    (void)state;
    assert_ok(parse(text, false, overrides, 6, &r, &err), &err);
    assert_int_equal(r.weights.kind, METHOD_TWN);
    assert_true(r.weights.threshold == method_defaults(METHOD_TWN).threshold);
    assert_true(r.weights.per_filter);
    assert_int_equal(r.first_weights.kind, METHOD_INT8);
    assert_string_equal(r.network.name, "");
    assert_string_equal(r.network.layers, "10");
    /* The same choice once more changes nothing. */
    set_ok(text, false, "weights.method=sq", &r);
    assert_true(r.weights.gamma == 0.5 && r.weights.threshold == 0.4);
}

/* Would catch: lists given on the command line, with and without brackets. */
static void lists_can_be_overridden(void **state)
{
    static const char text[] = BASE "  schedule: {kind: steps, milestones: [30]}\n";
    static const char *const forms[] = {"training.schedule.milestones=[10, 20.5]",
                                        "training.schedule.milestones=10,20.5"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct recipe r;
        set_ok(text, false, forms[i], &r);
        assert_int_equal(r.training.schedule.milestone_count, 2);
        assert_true(r.training.schedule.milestones[1] == 20.5);
    }
    parse_ok(BASE "  schedule:\n    kind: steps\n    milestones:\n      - 1\n      - 2\n",
             &(struct recipe){0});
}

/* Would catch: a wrong line, or a message without what would be right. */
static void unknown_keys_are_named_with_their_line_and_the_nearest(void **state)
{
    (void)state;
    assert_bad(BASE "  epoch: 5\n", "dir/test.yaml:10: ", "did you mean \"training.epochs\"?");
    assert_bad(BASE "  epoch: 5\n", "training has: ", "statistics_batches, schedule, distillation");
    assert_bad(BASE "epochs: 5\n", "test.yaml:10: ", "did you mean \"training.epochs\"?");
    assert_bad(BASE "wheels: 4\n", "test.yaml:10: ", "a recipe has: title, source, name, data");
    assert_bad(BASE "method: sq\n", "test.yaml:10: ", "did you mean \"weights.method\"?");
    assert_bad(BASE "optimiser: adam\n", "test.yaml:10: ", "\"training.optimizer\"? a recipe has");
    assert_bad(BASE "optimiser:\n  a: b\n", "test.yaml:10: ", "no key \"optimiser\"");
    assert_bad(BASE "  schedule: {sort: cosine}\n",
               "test.yaml:10: ", "training.schedule has: kind, milestones");
    assert_bad(BASE "quick:\n  training: {epoch: 5}\n", "test.yaml:11: ", "training.epochs");
    assert_bad(BASE "quick:\n  quick: {}\n", "test.yaml:11: ", "quick");
}

/* Would catch: a value taken for another, cut off or out of range. */
static void wrong_values_are_named_with_their_line_and_the_right_ones(void **state)
{
    (void)state;
    assert_bad(BASE "  batch: 0\n", "test.yaml:10: training.batch", "from 1 to 65536");
    assert_bad(BASE "  batch: 65537\n", "test.yaml:10: ", "from 1 to 65536");
    assert_bad(BASE "  batch: -1\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: 1.5\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: 0x10\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: 010\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: 18446744073709551617\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch:\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: [1]\n", "test.yaml:10: ", "whole number");
    assert_bad(BASE "  batch: {a: 1}\n", "test.yaml:10: ", "has a value, not keys");
    assert_bad(BASE "  weight_decay: nan\n", "test.yaml:10: ", "must be a number");
    assert_bad(BASE "  weight_decay: inf\n", "test.yaml:10: ", "must be a number");
    assert_bad(BASE "  weight_decay: 1e999\n", "test.yaml:10: ", "must be a number");
    assert_bad(BASE "  weight_decay: -1e-4\n", "test.yaml:10: ", "of at least 0");
    assert_bad(BASE "  weight_decay: 1e-4x\n", "test.yaml:10: ", "must be a number");
    assert_bad(BASE "  weight_decay: .\n", "test.yaml:10: ", "must be a number");
    assert_bad(BASE "  epsilon: 0\n", "test.yaml:10: ", "above 0");
    assert_bad(BASE "  optimizer: adamw\n", "test.yaml:10: ", "must be one of sgd, adam");
    assert_bad(BASE "  optimizer: 1\n", "test.yaml:10: ", "must be one of sgd, adam");
    assert_bad(BASE "  optimizer: ADAM\n", "test.yaml:10: ", "must be one of sgd, adam");
    assert_bad(BASE "  nesterov: maybe\n", "test.yaml:10: ", "true or false");
    assert_bad(BASE "  loss: hinge\n", "test.yaml:10: ", "cross-entropy, squared-hinge");
    assert_bad(BASE "  schedule: cosine\n", "test.yaml:10: ", "is a section");
    assert_bad(BASE "  schedule: {kind: steps, milestones: [2, 1]}\n",
               "test.yaml:10: ", "each more than the one before");
    assert_bad(BASE "  schedule: {kind: steps, milestones: 5}\n", "test.yaml:10: ", "a list");
    assert_bad(BASE "  schedule: {kind: steps, milestones: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"
                    "16,17]}\n",
               "test.yaml:10: ", "at most 16 numbers");
    assert_bad(BASE "quick: 5\n", "test.yaml:10: ", "is a section");
    assert_bad(BASE "quick:\n  training: {epochs: 0}\n", "test.yaml:11: ", "from 1 to 100000");
    assert_bad("title: 0123456789012345678901234567890123456789012345678901234567890123456789"
               "0123456789012345678901234567890123456789012345678901234567890123456789"
               "01234567890123456789\n",
               "test.yaml:1: ", "at most 159 characters");
}

/* Would catch: checks between keys that are forgotten or point to the wrong line. */
static void keys_that_do_not_fit_together_are_named(void **state)
{
    (void)state;
    assert_bad("data: {set: minst}\nnetwork: {name: lenet5}\nweights: {method: twn}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:1: there is no data set \"minst\"", "mnist");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet6}\nweights: {method: twn}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:2: there is no network \"lenet6\"", "lenet5, lenet5-wide, vgg7");
    assert_bad("data: {set: mnist}\nnetwork:\n  layers: 32C5-XP\nweights: {method: twn}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:3: in layers \"32C5-XP\" at character 6", "MP2");
    assert_bad(BASE "  momentum: 0.5\n", "test.yaml:10: ",
               "means nothing with training.optimizer "
               "adam; it belongs to: sgd");
    assert_bad(BASE "  schedule: {kind: cosine, milestones: [1]}\n",
               "test.yaml:10: ", "belongs to: steps");
    assert_bad(BASE "  schedule: {kind: steps}\n", "test.yaml:10: ", "schedule.milestones");
    assert_bad(BASE "  schedule: {kind: exponential}\n", "test.yaml:10: ", "schedule.final");
    assert_bad(BASE "  schedule: {kind: cosine, final: 0.01}\n",
               "test.yaml:10: ", "above training.learning_rate");
    assert_bad(BASE "  distillation: {temperature: 2}\n",
               "test.yaml:10: ", "training.distillation.weight");
    assert_bad(BASE "name: ../../etc/x\n", "test.yaml:10: ", "letters");
    assert_bad(BASE "name: .hidden\n", "test.yaml:10: ", "letters");
    assert_bad("data: {set: mnist}\nnetwork:\n  name: lenet5\n  layers: 10\n"
               "weights: {method: twn}\ntraining: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:4: ", "keep one");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5, activation: sign, bits: 4}\n"
               "weights: {method: twn}\ntraining: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:2: network.bits", "belongs to: quant");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5}\n"
               "weights:\n  method: twn\n  gamma: 1\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:5: weights.gamma", "belongs to: sq");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5}\n"
               "weights:\n  method: twn\n  first: {lambda: 1}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:5: weights.first.lambda", "weights.first.method twn");
}

/* Would catch: a setting that the recipe lets pass and that a layer's method refuses later, without
 * a line. */
static void a_methods_own_ranges_are_checked_with_their_line(void **state)
{
    (void)state;
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5}\nweights:\n  method: ttq\n"
               "  threshold: 1\ntraining: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:5: weight method ttq: threshold is 1; ", "less than 1");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5}\nweights:\n  method: twn\n"
               "  first: {method: sq,\n    delta: 0.78535}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:6: weight method sq: delta is 0.78535; ", "0.7853981634 or more");
    assert_bad("data: {set: mnist}\nnetwork: {name: lenet5}\nweights:\n  method: sq\n"
               "  last: {delta: 1.5708}\ntraining: {epochs: 1, learning_rate: 1}\n",
               "test.yaml:5: weight", "delta is 1.5708; ");
    assert_bad_set("weights.threshold=-1", "at least 0");
}

/* Would catch: a recipe trained on a default that nobody chose. */
static void missing_keys_are_named(void **state)
{
    (void)state;
    assert_bad("", "test.yaml: \"data.set\" is missing", "text");
    assert_bad("# nothing\n", "test.yaml: \"data.set\" is missing", "text");
    assert_bad("data: {set: mnist}\n", "\"weights.method\" is missing", "binaryconnect");
    assert_bad("data: {set: mnist}\nweights: {method: twn}\n", "\"training.epochs\" is missing",
               "from 1 to 100000");
    assert_bad("data: {set: mnist}\nweights: {method: twn}\n"
               "training: {epochs: 1, learning_rate: 1}\n",
               "\"network.name\" is missing", "network.layers");
}

/* Would catch: YAML that a reader of recipes has no use for, and bytes that are none. */
static void foreign_yaml_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_bad(BASE "  epochs: 5\n", "test.yaml:10: \"training.epochs\"", "the first is in line 8");
    assert_bad(BASE "data: {set: cifar10}\n", "test.yaml:10: \"data\"", "the first is in line 2");
    assert_bad(BASE "\tbatch: 5\n", "test.yaml:10: ", "not valid YAML");
    assert_bad(BASE "  batch: [1, 2\n", "test.yaml:1", "not valid YAML");
    assert_bad(BASE "  batch: \"12\n", "test.yaml:1", "not valid YAML");
    assert_bad(BASE "  batch 5\n", "test.yaml:1", "not valid YAML");
    assert_bad(BASE " batch: 5\n", "test.yaml:10: ", "not valid YAML");
    assert_bad(BASE "  batch: &a 5\n", "test.yaml:10: ", "anchors");
    assert_bad(BASE "  batch: *a\n", "test.yaml:10: ", "aliases");
    assert_bad(BASE "  batch: !!int 5\n", "test.yaml:10: ", "tags");
    assert_bad(BASE "  schedule: &a {kind: cosine}\n", "test.yaml:10: ", "anchors");
    assert_bad(BASE "  schedule: {milestones: &a [1]}\n", "test.yaml:10: ", "anchors");
    assert_bad(BASE "---\n" BASE, "test.yaml:10: ", "a second document");
    assert_bad("- 1\n- 2\n", "test.yaml:1: ", "a list cannot stand here");
    assert_bad("mnist\n", "test.yaml:1: ", "sections with keys");
    assert_bad(BASE "  ? {a: b}\n  : 5\n", "test.yaml:10: ", "a key or value");
    assert_bad(BASE "  ? [a]\n  : 5\n", "test.yaml:10: ", "a list cannot");
    assert_bad(BASE "  batch: [[1]]\n", "test.yaml:10: ", "a list cannot");
    assert_bad(BASE "  batch: [{a: 1}]\n", "test.yaml:10: ", "cannot stand here");
    assert_bad(BASE "a: {b: {c: {d: {e: {f: 1}}}}}\n", "test.yaml:10: ", "nested");
    assert_bad(BASE "training.batch: 5\n", "test.yaml:10: ", "nested by indentation");
    assert_bad(BASE "  \"\": 5\n", "test.yaml:10: ", "no such key");
    assert_bad("title: \"a\\0b\"\n", "test.yaml:1: ", "control characters");
    assert_bad("title: |\n  a\n  b\n", "test.yaml:1: ", "one line");
    assert_bad(BASE "title: \xff\xfe\n", "test.yaml:10: ", "not valid YAML");
    assert_bad(BASE
               "  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 5\n",
               "test.yaml:10: ", "no such key");
}

/* Would catch: memory or time that grows beyond a hostile file's size. */
static void huge_files_are_refused(void **state)
{
    struct recipe r;
    struct bittern_error err = {0};
    size_t size = ((size_t)1 << 20) + 1;
    char *text = malloc(size);
    (void)state;
    assert_non_null(text);
    memset(text, '#', size);
    assert_int_equal(recipe_parse(text, size, "x", false, NULL, 0, &r, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "1 MiB"));
    memset(text, '[', size - 1);
    assert_int_not_equal(recipe_parse(text, size - 1, "x", false, NULL, 0, &r, &err), BITTERN_OK);
    for (size_t i = 0; i + 8 < size; i += 8) {
        char line[9];
        (void)snprintf(line, sizeof line, "k%05zu:\n", i / 8 % 100000);
        memcpy(text + i, line, 8);
    }
    assert_int_not_equal(recipe_parse(text, size - 10, "x", false, NULL, 0, &r, &err), BITTERN_OK);
    assert_non_null(strstr(err.message, "more than 512 keys"));
    free(text);
}

/* Would catch: overrides that fail without saying which. */
static void wrong_overrides_are_named(void **state)
{
    (void)state;
    assert_bad_set("training.epochs", "key=value");
    assert_bad_set("=5", "key=value");
    assert_bad_set("training.epochs=0", "from 1 to 100000");
    assert_bad_set("training.epochs=", "from 1 to 100000");
    assert_bad_set("training.epoch=5", "did you mean \"training.epochs\"?");
    assert_bad_set("epochs=5", "did you mean \"training.epochs\"?");
    assert_bad_set("training=5", "is a section");
    assert_bad_set("quick.training.epochs=5", "no key");
    assert_bad_set("weights.method=foo", "must be one of full, int8");
    assert_bad_set("network.name=foo", "no network \"foo\"");
    assert_bad_set("network.layers=32C5-XP", "at character 6");
    assert_bad_set("weights.gamma=1", "belongs to: sq");
    assert_bad_set("training.schedule.milestones=[3,2]", "each more than");
}

/* Would catch: texts that YAML folds, drops or refuses on their way through a checkpoint. */
static void texts_are_one_line_of_utf8(void **state)
{
    static const char *const bad[] = {
        "a\nb",         "a\x7f", "\xc2\x85",     "\xe2\x80\xa8", "\xef\xbb\xbf",
        "\xff",         "\xc3",  "\xc0\x80",     "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xef\xbf\xbf", "\x80",  "\xe2\x80(\xa8"};
    static const char *const good[] = {"", "\xc3\xa9", "\xe2\x80\x9c", "\xf0\x9f\x90\xa6", " a "};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct recipe r;
        struct bittern_error err;
        char override[32];
        const char *one = override;
        (void)snprintf(override, sizeof override, "title=%s", bad[i]);
        assert_int_equal(parse(BASE, false, &one, 1, &r, &err), BITTERN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "--set title: a value is UTF-8"));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct recipe r;
        char override[32];
        (void)snprintf(override, sizeof override, "title=%s", good[i]);
        set_ok(BASE, false, override, &r);
        assert_string_equal(r.title, good[i]);
    }
    assert_bad("title: \"a\\Nb\"\n", "test.yaml:1: ", "control characters");
}

/* Would catch: files named after a recipe that leave their folder. */
static void output_names_come_from_the_file_or_the_key(void **state)
{
    static const char *const paths[][2] = {{"a/b/mnist-sq.yaml", "mnist-sq"},
                                           {"x.yml", "x"},
                                           {"no-ending", "no-ending"},
                                           {"a/..", "_."},
                                           {"my recipe\xc3\xa9.yaml", "my_recipe__"},
                                           {"a/.yaml", "recipe"}};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct recipe r;
        struct bittern_error err = {0};
        assert_ok(recipe_parse(BASE, strlen(BASE), paths[i][0], false, NULL, 0, &r, &err), &err);
        assert_string_equal(r.base_name, paths[i][1]);
    }
}

/* Would catch: crashes on files that were cut off or damaged. */
static void damaged_recipes_are_errors_or_recipes(void **state)
{
    static const char text[] = BASE "  schedule: {kind: steps, milestones: [1, 2]}\n"
                                    "quick:\n  training: {epochs: 3}\n";
    uint64_t seed = 77;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < 4000; i++) {
        char damaged[sizeof text];
        size_t size = i < sizeof text ? i : sizeof text - 1;
        struct recipe r;
        struct bittern_error err = {0};
        memcpy(damaged, text, sizeof text);
        for (size_t j = 0; i >= sizeof text && j < 1 + i % 3; j++) {
            damaged[random_below(&seed, size)] = (char)random_u64(&seed);
        }
        if (recipe_parse(damaged, size, "x", true, NULL, 0, &r, &err) != BITTERN_OK) {
            assert_true(strlen(err.message) > 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_are_not_given_have_their_defaults),
        cmocka_unit_test(every_key_reaches_its_member),
        cmocka_unit_test(adam_and_falling_schedules_have_their_own_keys),
        cmocka_unit_test(every_weight_method_is_known_by_its_name),
        cmocka_unit_test(first_and_last_layers_follow_weights_unless_told),
        cmocka_unit_test(quick_changes_the_keys_below_it_and_overrides_change_those),
        cmocka_unit_test(quick_without_a_section_is_short_and_never_longer),
        cmocka_unit_test(choosing_another_method_starts_from_its_defaults),
        cmocka_unit_test(lists_can_be_overridden),
        cmocka_unit_test(unknown_keys_are_named_with_their_line_and_the_nearest),
        cmocka_unit_test(wrong_values_are_named_with_their_line_and_the_right_ones),
        cmocka_unit_test(keys_that_do_not_fit_together_are_named),
        cmocka_unit_test(a_methods_own_ranges_are_checked_with_their_line),
        cmocka_unit_test(missing_keys_are_named),
        cmocka_unit_test(foreign_yaml_is_refused_with_its_line),
        cmocka_unit_test(huge_files_are_refused),
        cmocka_unit_test(wrong_overrides_are_named),
        cmocka_unit_test(texts_are_one_line_of_utf8),
        cmocka_unit_test(output_names_come_from_the_file_or_the_key),
        cmocka_unit_test(damaged_recipes_are_errors_or_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
