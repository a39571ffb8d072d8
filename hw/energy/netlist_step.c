/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cycle of a netlist. With delays: an event is a net's new value at a tick; all events of a tick
 * are applied, then each cell that reads a changed net is worked out once, and its answer comes
 * DELAY ticks later, whatever comes between (transport delay: no pulse is swallowed).
 */
#include "netlist_internal.h"

#include <stdlib.h>
#include <string.h>

/* More ticks than the deepest logic needs. */
#define MAX_TICKS 4096

uint64_t cell_evaluate_lut(const struct netlist *netlist, const struct cell *cell)
{
    uint64_t table[64] = {0};
    int entries = 1 << cell->bits;

    for (int i = 0; i < entries; i++) {
        table[i] = cell->init >> i & 1 ? ~UINT64_C(0) : 0;
    }
    for (int bit = 0; bit < cell->bits; bit++) {
        uint64_t x = netlist->nets[cell->inputs[bit]].value;
        entries /= 2;
        for (int i = 0; i < entries; i++) {
            table[i] = (table[2 * i] & ~x) | (table[2 * i + 1] & x);
        }
    }
    return table[0];
}

void cell_evaluate_carry(const struct netlist *netlist, const struct cell *cell, uint64_t *values)
{
    uint64_t carry = netlist->nets[cell->inputs[0]].value | netlist->nets[cell->inputs[1]].value;
    for (int i = 0; i < cell->bits; i++) {
        uint64_t di = netlist->nets[cell->inputs[2 + i]].value;
        uint64_t s = netlist->nets[cell->inputs[2 + cell->bits + i]].value;
        values[i] = s ^ carry;
        carry = (s & carry) | (~s & di);
        values[cell->bits + i] = carry;
    }
}

void netlist_set_input(struct netlist *netlist, int net, uint64_t value)
{
    netlist->inputs_next[net] = value;
}

uint64_t netlist_value(const struct netlist *netlist, int net)
{
    return netlist->nets[net].value;
}

bool netlist_force(struct netlist *netlist, int net, uint64_t value)
{
    for (size_t c = netlist->logic_count; c < netlist->cell_count; c++) {
        if (netlist->cells[c].outputs[0] == net) {
            netlist->register_next[c] = value;
            return true;
        }
    }
    return false;
}

/* What registers take at the next edge. */
static void clock_registers(struct netlist *netlist)
{
    for (size_t c = netlist->logic_count; c < netlist->cell_count; c++) {
        const struct cell *cell = &netlist->cells[c];
        uint64_t d = netlist->nets[cell->inputs[0]].value;
        uint64_t ce = netlist->nets[cell->inputs[1]].value;
        uint64_t reset = netlist->nets[cell->inputs[2]].value;
        uint64_t q = netlist->nets[cell->outputs[0]].value;
        uint64_t next = (d & ce) | (q & ~ce);
        netlist->register_next[c] = cell->init ? next | reset : next & ~reset;
    }
}

static inline void change(struct net *net, uint64_t value, uint64_t streams,
                          struct toggles *toggles)
{
    uint64_t count = (uint64_t)__builtin_popcountll((net->value ^ value) & streams);
    if (toggles && net->driver < NET_DRIVERS) {
        toggles->changes[net->driver] += count;
        toggles->routed[net->driver] += count * (uint64_t)net->routed;
    }
    net->value = value;
}

/* ---- Settled at once ------------------------------------------------------------------------- */

static void settle(struct netlist *netlist, uint64_t streams, struct toggles *toggles)
{
    uint64_t values[CELL_OUTPUTS] = {0};

    for (size_t n = 0; n < netlist->net_count; n++) {
        if (netlist->nets[n].driver == NET_INPUT) {
            change(&netlist->nets[n], netlist->inputs_next[n], streams, toggles);
        }
    }
    for (size_t c = netlist->logic_count; c < netlist->cell_count; c++) {
        change(&netlist->nets[netlist->cells[c].outputs[0]], netlist->register_next[c], streams,
               toggles);
    }
    for (size_t c = 0; c < netlist->logic_count; c++) {
        const struct cell *cell = &netlist->cells[c];
        if (cell->kind == CELL_LUT) {
            change(&netlist->nets[cell->outputs[0]], cell_evaluate_lut(netlist, cell), streams,
                   toggles);
            continue;
        }
        cell_evaluate_carry(netlist, cell, values);
        for (int i = 0; i < 2 * cell->bits; i++) {
            if (cell->outputs[i] >= 0) {
                change(&netlist->nets[cell->outputs[i]], values[i], streams, toggles);
            }
        }
    }
    for (size_t n = 0; n < netlist->net_count; n++) {
        netlist->nets[n].next = netlist->nets[n].value;
    }
}

void netlist_reset(struct netlist *netlist)
{
    for (size_t n = 0; n < netlist->net_count; n++) {
        netlist->nets[n].value = netlist->nets[n].next = 0;
    }
    memset(netlist->inputs_next, 0, netlist->net_count * sizeof *netlist->inputs_next);
    memset(netlist->register_next, 0, netlist->cell_count * sizeof *netlist->register_next);
    int one = netlist_find_port(netlist, "$true", -1);
    if (one >= 0) {
        netlist->nets[one].value = netlist->nets[one].next = ~UINT64_C(0);
    }
    /* Also what no change of an input would reach. */
    settle(netlist, 0, NULL);
}

/* ---- With delays ----------------------------------------------------------------------------- */

static bool push_event(struct event_list *list, int net, uint64_t value)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 256;
        struct event *events = realloc(list->events, room * sizeof *events);
        if (!events) {
            return false;
        }
        list->events = events;
        list->room = room;
    }
    list->events[list->count++] = (struct event){net, value};
    return true;
}

static bool schedule(struct netlist *netlist, int net, uint64_t value, int tick, size_t *pending)
{
    if (net < 0 || netlist->nets[net].next == value) {
        return true;
    }
    netlist->nets[net].next = value;
    ++*pending;
    return push_event(&netlist->wheel[tick % WHEEL], net, value);
}

/* Apply a tick's events; the cells that they reach are queued. */
static size_t apply_events(struct netlist *netlist, int tick, uint64_t streams,
                           struct toggles *toggles)
{
    struct event_list *list = &netlist->wheel[tick % WHEEL];
    size_t queued = 0;

    for (size_t e = 0; e < list->count; e++) {
        struct net *net = &netlist->nets[list->events[e].net];
        change(net, list->events[e].value, streams, toggles);
        for (int r = 0; r < net->reader_count; r++) {
            int c = netlist->readers[net->reader_first + r];
            if (netlist->cells[c].queued != tick) {
                netlist->cells[c].queued = tick;
                netlist->queue[queued++] = c;
            }
        }
    }
    list->count = 0;
    return queued;
}

static bool evaluate(struct netlist *netlist, const struct cell *cell, int tick, size_t *pending)
{
    uint64_t values[CELL_OUTPUTS] = {0};
    bool fine = true;

    if (cell->kind == CELL_LUT) {
        return schedule(netlist, cell->outputs[0], cell_evaluate_lut(netlist, cell),
                        tick + DELAY_LUT, pending);
    }
    cell_evaluate_carry(netlist, cell, values);
    for (int i = 0; fine && i < 2 * cell->bits; i++) {
        fine = schedule(netlist, cell->outputs[i], values[i], tick + DELAY_CARRY, pending);
    }
    return fine;
}

static bittern_status propagate(struct netlist *netlist, uint64_t streams, struct toggles *toggles,
                                struct bittern_error *err)
{
    size_t pending = 0;
    bool fine = true;

    for (size_t c = 0; c < netlist->logic_count; c++) {
        netlist->cells[c].queued = -1;
    }
    for (size_t n = 0; fine && n < netlist->net_count; n++) {
        if (netlist->nets[n].driver == NET_INPUT) {
            fine = schedule(netlist, (int)n, netlist->inputs_next[n], 0, &pending);
        }
    }
    for (size_t c = netlist->logic_count; fine && c < netlist->cell_count; c++) {
        fine =
            schedule(netlist, netlist->cells[c].outputs[0], netlist->register_next[c], 0, &pending);
    }
    for (int tick = 0; fine && pending > 0 && tick < MAX_TICKS; tick++) {
        pending -= netlist->wheel[tick % WHEEL].count;
        size_t queued = apply_events(netlist, tick, streams, toggles);
        for (size_t i = 0; fine && i < queued; i++) {
            fine = evaluate(netlist, &netlist->cells[netlist->queue[i]], tick, &pending);
        }
    }
    if (!fine) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a netlist's events");
    }
    return pending == 0
               ? BITTERN_OK
               : bittern_error_set(err, BITTERN_ERR_UNSUPPORTED, "the netlist does not settle");
}

bittern_status netlist_step(struct netlist *netlist, bool delayed, uint64_t streams,
                            struct toggles *toggles, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    if (delayed) {
        status = propagate(netlist, streams, toggles, err);
    } else {
        settle(netlist, streams, toggles);
    }
    clock_registers(netlist);
    return status;
}
