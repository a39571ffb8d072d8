// SPDX-License-Identifier: Apache-2.0
/*
 * How many LUT6 sites a netlist takes. What is assumed of the slice:
 *
 * - A LUT6 site holds one function of up to six inputs, or two that together have at most five
 *   distinct inputs (LUT6_2). They need not share inputs. INV counts as a LUT1.
 * - A LUT that feeds S of a carry position stays at that position. So an S input fed by anything
 *   else costs a LUT1, a constant S below the top of its chain costs a site, and a LUT that feeds
 *   two S inputs is counted twice. A constant 0 at S on top of a chain only repeats the carry of
 *   the position below, which leaves through that position's output multiplexer: no site.
 * - A LUT at a carry position shares its site only with
 *     - the LUT that feeds DI of the same position (O5 to DI), or
 *     - a LUT whose inputs are among its own, whose output leaves through the multiplexer, where
 *       the position needs that for nothing else: its sum goes to registers only, and its carry
 *       stays in the chain. (This is how an adder of three operands takes one site a bit.)
 * - A carry-in that is not constant takes the bypass input of the lowest position. That position's
 *   DI then comes from O5: from the LUT that shares the site, or passed through it.
 * - LUTs used as memory or shift registers count by the sites that they occupy.
 *
 * Pairs are found greedily, so that a count is an upper bound.
 */
#ifndef BITTERN_SYNTH_PACKING_H
#define BITTERN_SYNTH_PACKING_H

#include "netlist.h"

enum { LUT_INPUTS = 6 };

/* A LUT of the netlist, or one that a carry position needs. */
struct lut {
    int inputs[LUT_INPUTS];
    int count;
    int output;   /* -1: passes a net on to S */
    int position; /* carry position that it feeds, or -1 */
    int partner;  /* LUT in the same site, or -1 */
    bool shut;    /* no room beside it */
};

struct position {
    int s, di, o, co;
    int ci;     /* carry-in of the lowest position, else -1 */
    int below;  /* position that it follows, or -1 */
    int lut;    /* LUT at S, or -1 */
    bool muxed; /* its output multiplexer is taken */
};

struct packing {
    struct lut *luts;
    int lut_count, lut_room;
    struct position *positions;
    int position_count, position_room;
    int net_count;
    int **readers; /* LUTs that read a net */
    int *reader_count, *reader_room;
    int *fabric; /* pins that a net feeds, without FF D, carry chains' CI and same-position DI */
    int *lut_of; /* LUT that drives a net, or -1 */
    int *co_of;  /* position whose carry-out a net is, or -1 */
    int *o_of;   /* position whose sum a net is, or -1 */
    int *alias;
    int pairs, sites; /* LUTs that share a site; sites in all, those of memory left out */
};

/* Nets that wires join are one; this is its number. */
int packing_resolve(const struct packing *packing, int net);

void packing_open(struct packing *packing, const struct model *model, int net_count);
void packing_close(struct packing *packing);

#endif
