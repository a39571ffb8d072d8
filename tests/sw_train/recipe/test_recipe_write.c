/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical YAML, and recipes compared. */
#include "recipe/recipe.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static void parse_ok(const char *text, const char *const *overrides, size_t count,
                     struct recipe *recipe)
{
    struct bittern_error err = {0};
    assert_ok(recipe_parse(text, strlen(text), "t.yaml", false, overrides, count, recipe, &err),
              &err);
}

static const char base[] = "title: \"quote \\\" backslash \\\\ colon: hash # \xc3\xa9\"\n"
                           "data: {set: mnist, crop: 2}\n"
                           "network: {name: lenet5, activation: quant, bits: 3, range: 0.1}\n"
                           "weights: {method: sq, gamma: 1e-5, first: {method: int8}}\n"
                           "training: {epochs: 60, learning_rate: 0.3333333333333333,\n"
                           "           schedule: {kind: steps, milestones: [1.1, 20, 1e3]}}\n"
                           "quick: {training: {epochs: 1}}\n";

/* Would catch: digits lost, quotes not escaped, a key left out, one that reading refuses. */
static void writing_and_reading_gives_the_same_recipe(void **state)
{
    static const char *const variants[] = {
        "weights.method=twn",          "weights.method=binaryconnect",
        "weights.last.method=ttq",     "network.activation=sign",
        "network.activation=clip",     "network.layers=6C5-10",
        "training.optimizer=sgd",      "training.schedule.kind=constant",
        "training.learning_rate=1e-7", "training.distillation.weight=0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct recipe recipe, again;
        struct bittern_error err = {0};
        char message[256], *text = NULL, *text_again = NULL;
        parse_ok(base, &variants[i], 1, &recipe);
        assert_ok(recipe_write(&recipe, &text, &err), &err);
        parse_ok(text, NULL, 0, &again);
        if (recipe_compare(&recipe, &again, message, sizeof message) != 0) {
            fail_msg("with %s: %s", variants[i], message);
        }
        assert_ok(recipe_write(&again, &text_again, &err), &err);
        assert_string_equal(text, text_again);
        assert_int_equal(recipe.network.element_count, again.network.element_count);
        assert_true(recipe.training.distill == again.training.distill);
        assert_true(recipe.training.schedule.epochs == again.training.schedule.epochs);
        free(text);
        free(text_again);
    }
}

/* Would catch: a form that differs from what people and the documentation know. */
static void canonical_text_is_plain_yaml(void **state)
{
    struct recipe recipe;
    struct bittern_error err = {0};
    char *text = NULL;
    (void)state;
    parse_ok(base, NULL, 0, &recipe);
    assert_ok(recipe_write(&recipe, &text, &err), &err);
    assert_non_null(strstr(text, "\nname: \"t\"\ndata:\n  set: \"mnist\"\n"));
    assert_non_null(strstr(text, "\n  gamma: 1e-05\n"));
    assert_non_null(strstr(text, "\n  first:\n    method: int8\n"));
    assert_non_null(strstr(text, "\n    milestones: [1.1, 20, 1000]\n"));
    assert_non_null(strstr(text, "\n  learning_rate: 0.3333333333333333\n"));
    assert_null(strstr(text, "quick"));
    assert_null(strstr(text, "stochastic"));
    free(text);
}

/* Would catch: differences that a resumed run must not ignore, and ones that do not matter. */
static void comparing_names_the_keys_and_both_values(void **state)
{
    static const char *const one[] = {"training.batch=64"};
    static const char *const many[] = {"training.batch=64", "training.epochs=2",
                                       "data.flip=true",    "network.bits=4",
                                       "weights.gamma=1",   "weights.lambda=1"};
    static const char *const other[] = {"network.activation=sign"};
    struct recipe a, b;
    char message[512], small[8];
    (void)state;
    parse_ok(base, NULL, 0, &a);
    assert_int_equal(recipe_compare(&a, &a, message, sizeof message), 0);
    assert_string_equal(message, "");
    parse_ok(base, one, 1, &b);
    assert_int_equal(recipe_compare(&a, &b, message, sizeof message), 1);
    assert_string_equal(message, "training.batch is 128, not 64");
    parse_ok(base, many, 6, &b);
    assert_int_equal(recipe_compare(&a, &b, message, sizeof message), 8);
    assert_non_null(strstr(message, "data.flip is false, not true; network.bits is 3, not 4"));
    assert_non_null(strstr(message, "and 4 more"));
    assert_int_equal(recipe_compare(&a, &b, small, sizeof small), 8);
    assert_int_equal(strlen(small), 7);
    assert_int_equal(recipe_compare(&a, &b, NULL, 0), 8);
    parse_ok(base, other, 1, &b);
    assert_int_equal(recipe_compare(&a, &b, message, sizeof message), 3);
    assert_non_null(strstr(message, "network.bits is 3, not unused"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_and_reading_gives_the_same_recipe),
        cmocka_unit_test(canonical_text_is_plain_yaml),
        cmocka_unit_test(comparing_names_the_keys_and_both_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
