// SPDX-License-Identifier: Apache-2.0
/*
 * Which registers a reset reaches. The reset is every net called rst_n or rst_n_reg, with whatever
 * before it; it reaches a register whose pins hang on it through nothing but logic:
 *
 * - by its reset pin (R, S), or
 * - by its data or its clock enable, which costs no reset wire but a LUT's input.
 */
#ifndef BITTERN_SYNTH_RESETS_H
#define BITTERN_SYNTH_RESETS_H

#include "packing.h"

struct resets {
    int by_pin, by_logic; /* registers */
    int cleared;          /* registers whose reset pin something else drives */
};

void resets_count(const struct packing *packing, const struct model *model,
                  const struct design *design, struct resets *resets);

/* A line a register, whatever its bits: how many, by what, name. */
void resets_print(const struct packing *packing, const struct model *model,
                  const struct design *design);

#endif
