/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat netlist of Xilinx primitives, as Yosys writes it (write_blif -param), and its simulation
 * for up to 64 independent streams of inputs at once: bit n of each net's word is its value in
 * stream n. Two ways to see a cycle: settled (each net changes at most once), or with delays of the
 * cells, where glitches show.
 */
#ifndef BITTERN_ENERGY_NETLIST_H
#define BITTERN_ENERGY_NETLIST_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What drives a net. */
enum net_driver { NET_INPUT, NET_LUT, NET_CARRY, NET_REGISTER, NET_DRIVERS, NET_CONSTANT };

/* Delays of cells with their wires; a carry cell is one of four (CARRY4) or eight bits. */
#define DELAY_LUT 4
#define DELAY_CARRY 1

struct netlist;

/** @return BITTERN_ERR_UNSUPPORTED for a primitive that is not known */
bittern_status netlist_read(const char *path, struct netlist **out, struct bittern_error *err);
void netlist_free(struct netlist *netlist);

/** The net of a port's bit: "act", 5; or a port of one bit: "ce", -1. Negative: no such port. */
int netlist_find_port(const struct netlist *netlist, const char *port, int bit);

size_t netlist_register_count(const struct netlist *netlist);

/* ---- Simulation ------------------------------------------------------------------------------ */

/* Changes of nets, by what drives them; and the same, times the net's readers that are reached
 * through the routing, in eighths: inputs of LUTs; data inputs of registers that no logic of the
 * same slice drives; control inputs of registers, which eight of a slice share. */
#define ROUTED_ONE 8
struct toggles {
    uint64_t changes[NET_DRIVERS];
    uint64_t routed[NET_DRIVERS];
};

/** All registers 0. */
void netlist_reset(struct netlist *netlist);

/** Offer a value at an input for the next step. */
void netlist_set_input(struct netlist *netlist, int net, uint64_t value);

/**
 * A cycle: registers take what they were offered, inputs change with them, and all settles.
 * @param delayed  with delays, or settled at once; both end alike
 * @param streams  those to count changes of
 * @param toggles  out: added to; NULL if not wanted
 */
bittern_status netlist_step(struct netlist *netlist, bool delayed, uint64_t streams,
                            struct toggles *toggles, struct bittern_error *err);

/** Value of a net after a step. */
uint64_t netlist_value(const struct netlist *netlist, int net);

/** Replace a register's value (its output's net), as if it had taken it; false: not a register. */
bool netlist_force(struct netlist *netlist, int net, uint64_t value);

#endif
