/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the reader of recipes: an input is a YAML text and, behind a zero byte, an override. What is
 * accepted must survive being written and read again, key by key and byte by byte.
 */
#include "fuzz.h"

#include "recipe/recipe.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_round_trip(const struct recipe *recipe)
{
    struct recipe again;
    char message[64], *text = NULL, *text_again = NULL;
    must(recipe_write(recipe, &text, NULL) == BITTERN_OK);
    must(recipe_parse(text, strlen(text), "again", false, NULL, 0, &again, NULL) == BITTERN_OK);
    must(recipe_compare(recipe, &again, message, sizeof message) == 0);
    must(recipe->network.element_count == again.network.element_count);
    must(recipe_write(&again, &text_again, NULL) == BITTERN_OK);
    must(strcmp(text, text_again) == 0);
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t text_size = end != NULL ? (size_t)(end - data) : size;
    char *override = calloc(size - text_size + 1, 1);
    const char *overrides[1];
    struct recipe recipe;
    struct bittern_error err = {0};

    must(override != NULL);
    if (end != NULL) {
        memcpy(override, end + 1, size - text_size - 1);
    }
    overrides[0] = override;
    for (int quick = 0; quick < 2; quick++) {
        if (recipe_parse((const char *)data, text_size, "fuzz", quick != 0, overrides,
                         override[0] != '\0' ? 1 : 0, &recipe, &err) == BITTERN_OK) {
            check_round_trip(&recipe);
        } else {
            must(err.message[0] != '\0');
        }
    }
    free(override);
    return 0;
}

#define HEAD "title: \"a: \\\"b\\\"\"\nsource: s\ndata:\n  set: mnist\n  crop: 2\n"
#define TAIL "training: {epochs: 6, learning_rate: 1e-3, batch: 64}\n"

size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    static const char *const texts[] = {
        HEAD "network: {name: lenet5, bits: 4}\nweights: {method: twn, threshold: 0.6}\n" TAIL,
        HEAD "network:\n  layers: 2x(8C3p0s2-MP2)-D0.5-10\n  activation: sign\n"
             "weights:\n  method: sq\n  gamma: 1e-5\n  first: {method: int8}\n"
             "  last:\n    method: binaryconnect\n    stochastic: true\n" TAIL,
        HEAD "network: {name: vgg7}\nweights: {method: ttq}\n"
             "training:\n  epochs: 160\n  optimizer: sgd\n  learning_rate: 0.1\n"
             "  schedule:\n    kind: steps\n    milestones: [80, 120.5]\n"
             "quick:\n  training: {epochs: 2}\n",
    };
    static const char *const overrides[] = {
        "", "weights.method=bwn", "training.schedule.milestones=[1, 2]", "network.layers=8C3-10"};
    size_t text = index / 4, override = index % 4;
    if (text >= sizeof texts / sizeof texts[0]) {
        return 0;
    }
    size_t text_size = strlen(texts[text]), override_size = strlen(overrides[override]);
    if (text_size + 1 + override_size > capacity) {
        return 0;
    }
    memcpy(buffer, texts[text], text_size + 1);
    memcpy(buffer + text_size + 1, overrides[override], override_size);
    return text_size + 1 + override_size;
}
