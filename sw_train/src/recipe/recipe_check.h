/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold between the keys of a recipe, and what those are worth that nobody gave. */
#ifndef BITTERN_TRAIN_RECIPE_CHECK_H
#define BITTERN_TRAIN_RECIPE_CHECK_H

#include "recipe/recipe_schema.h"

/* A value in force and where it comes from: "FILE:LINE" or "--set KEY=VALUE". */
struct recipe_setting {
    const char *value; /* NULL: not given */
    char where[320];
};

void recipe_defaults(struct recipe *recipe);

/* Letters, digits and "._-": output files are named so. */
bool recipe_name_allows(char c);

/* Keys without a sensible default must be there. */
bittern_status recipe_check_required(const struct recipe_keys *keys,
                                     const struct recipe_setting *settings, const char *name,
                                     struct bittern_error *err);
/* Fills in what follows from the keys: the network's elements, the schedule's length. */
bittern_status recipe_check(const struct recipe_keys *keys, const struct recipe_setting *settings,
                            const char *name, struct recipe *recipe, struct bittern_error *err);

#endif
