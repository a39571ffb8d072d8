/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BITTERN_ENERGY_NETLIST_INTERNAL_H
#define BITTERN_ENERGY_NETLIST_INTERNAL_H

#include "netlist.h"

enum cell_kind { CELL_LUT, CELL_CARRY, CELL_REGISTER };

#define CARRY_MAX 8
/* Inputs of a carry cell: CI, CYINIT, then DI, then S. Outputs: O, then CO. */
#define CELL_INPUTS (2 + 2 * CARRY_MAX)
#define CELL_OUTPUTS (2 * CARRY_MAX)
#define WHEEL 8 /* more ticks than any delay */

struct cell {
    enum cell_kind kind;
    int bits;      /* of a LUT: inputs; of a carry cell: positions */
    uint64_t init; /* of a LUT: its table; of a register: what set or reset gives, in bit 0 */
    int inputs[CELL_INPUTS]; /* of a register: D, CE, R */
    int outputs[CELL_OUTPUTS];
    int queued; /* step's tick, so that a cell is worked on once a tick */
};

struct net {
    enum net_driver driver;
    int reader_first, reader_count; /* cells, in `readers` */
    int routed;                     /* readers through the routing, in eighths */
    uint64_t value, next;           /* next: what is on its way */
};

struct event {
    int net;
    uint64_t value;
};

struct event_list {
    struct event *events;
    size_t count, room;
};

struct netlist {
    struct net *nets;
    size_t net_count, net_room;
    char **names; /* [net_count] */
    int *slots;   /* names to nets; -1: free */
    size_t slot_count;
    int *alias; /* [net_room]: the net that stands for it */

    struct cell *cells; /* logic in topological order behind finish */
    size_t cell_count, cell_room;
    size_t logic_count;

    int *readers;
    int *queue; /* [cell_count] cells to work on in a tick */
    uint64_t *register_next;
    uint64_t *inputs_next; /* [net_count] */
    struct event_list wheel[WHEEL];
};

/* Of a net that is a wire: the net that it is a wire of. */
int netlist_resolve(const struct netlist *netlist, int net);
/* Once all cells are there; `path` stands in messages. */
bittern_status netlist_finish(struct netlist *netlist, const char *path, struct bittern_error *err);

/* A LUT of every stream. */
uint64_t cell_evaluate_lut(const struct netlist *netlist, const struct cell *cell);
/* O in values[0..bits), CO behind it. */
void cell_evaluate_carry(const struct netlist *netlist, const struct cell *cell, uint64_t *values);

#endif
