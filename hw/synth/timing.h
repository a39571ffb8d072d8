// SPDX-License-Identifier: Apache-2.0
/*
 * How deep the logic between registers (or ports) is: the most LUTs in a row, by how many carry
 * chains the path enters. What counts:
 *
 * - Every LUT on the path, before, between and after chains, and also the one that feeds S of the
 *   position where the path enters a chain. The positions of a chain count nothing beyond that.
 * - Reading memory made of LUTs takes one LUT from the address to the output, and so does a shift
 *   register whose tap is chosen; where both ends of its address are constants, or for the memory's
 *   own content, the path begins with that LUT.
 * - A DSP block's multiplier counts as four LUTs, each of its adders as one LUT and a carry chain:
 *   a path goes through what no register of the block (AREG, BREG, CREG, DREG, ADREG, MREG, PREG)
 *   cuts off, and those between its own registers count as well.
 * - Block RAM has registers at all its inputs, and its output begins a path.
 */
#ifndef BITTERN_SYNTH_TIMING_H
#define BITTERN_SYNTH_TIMING_H

#include "packing.h"

enum {
    TIMING_CHAINS = 4, /* carry chains of a path that are told apart: 0, 1, 2, more */
    TIMING_BORDER_CHAIN = 1000,
};

/* The most LUTs by carry chains, -1 where there is no such path. */
void timing_measure_depth(const struct packing *packing, const struct model *model,
                          int depth[TIMING_CHAINS]);

/* The most LUTs between registers and the inputs of kept modules, or, within a kept module, between
 * registers and its outputs; more than any path has where a chain is on the way. */
int timing_measure_border(const struct packing *packing, const struct model *model, bool kept);

/* The deepest paths, one for each register, whatever bit of it, of at least `luts` LUTs, a chain
 * counted as one LUT, or with two chains; at most `most` of them. */
void timing_print_paths(const struct packing *packing, const struct model *model,
                        const struct design *design, int luts, int most);

#endif
