/* SPDX-License-Identifier: Apache-2.0 */
/* What a netlist needs after it was read: wires are joined, logic is put into topological order,
 * and each net knows its readers. */
#include "netlist_internal.h"

#include <stdlib.h>

static bittern_status no_memory(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a netlist");
}

int netlist_resolve(const struct netlist *netlist, int net)
{
    if (net < 0 || !netlist->alias) {
        return net;
    }
    for (size_t i = 0; netlist->alias[net] != net && i < netlist->net_count; i++) {
        net = netlist->alias[net];
    }
    return net;
}

static int input_count(const struct cell *cell)
{
    return cell->kind == CELL_LUT ? cell->bits : cell->kind == CELL_CARRY ? 2 + 2 * cell->bits : 3;
}

static int output_count(const struct cell *cell)
{
    return cell->kind == CELL_CARRY ? 2 * cell->bits : 1;
}

/* Eighths of a reader through the routing. */
static int routed_share(const struct netlist *netlist, const struct cell *cell, int input)
{
    enum net_driver driver = netlist->nets[cell->inputs[input]].driver;
    switch (cell->kind) {
    case CELL_LUT:
        return ROUTED_ONE;
    case CELL_CARRY: /* from LUTs of the same sites, and from the carry cell below */
        return input >= 2 && driver != NET_LUT ? ROUTED_ONE : 0;
    case CELL_REGISTER:
    default:
        if (input > 0) {
            return 1;
        }
        return driver == NET_INPUT || driver == NET_REGISTER ? ROUTED_ONE : 0;
    }
}

static void set_drivers(struct netlist *netlist)
{
    for (size_t c = 0; c < netlist->cell_count; c++) {
        struct cell *cell = &netlist->cells[c];
        static const enum net_driver drivers[] = {NET_LUT, NET_CARRY, NET_REGISTER};
        for (int i = 0; i < input_count(cell); i++) {
            cell->inputs[i] = netlist_resolve(netlist, cell->inputs[i]);
        }
        for (int i = 0; i < output_count(cell); i++) {
            cell->outputs[i] = netlist_resolve(netlist, cell->outputs[i]);
            if (cell->outputs[i] >= 0 && netlist->nets) {
                netlist->nets[cell->outputs[i]].driver = drivers[cell->kind];
            }
        }
    }
}

/* Kahn's order; registers go behind all logic. */
static bittern_status sort_cells(struct netlist *netlist, const char *path,
                                 struct bittern_error *err)
{
    struct cell *sorted = malloc((netlist->cell_count + 1) * sizeof *sorted);
    bool *ready = calloc(netlist->net_count + 1, sizeof *ready);
    bool *placed = calloc(netlist->cell_count + 1, sizeof *placed);
    size_t count = 0;
    size_t before = 1;
    size_t logic = 0;
    bittern_status status = BITTERN_OK;

    if (!sorted || !ready || !placed) {
        status = no_memory(err);
        goto cleanup;
    }
    for (size_t n = 0; n < netlist->net_count; n++) {
        enum net_driver driver = netlist->nets[n].driver;
        ready[n] = driver != NET_LUT && driver != NET_CARRY;
    }
    for (size_t c = 0; c < netlist->cell_count; c++) {
        logic += netlist->cells[c].kind != CELL_REGISTER;
    }
    while (count != before) {
        before = count;
        for (size_t c = 0; c < netlist->cell_count; c++) {
            const struct cell *cell = &netlist->cells[c];
            bool fine = !placed[c] && cell->kind != CELL_REGISTER;
            for (int i = 0; fine && i < input_count(cell); i++) {
                fine = ready[cell->inputs[i]];
            }
            if (fine) {
                placed[c] = true;
                sorted[count++] = *cell;
                for (int i = 0; i < output_count(cell); i++) {
                    if (cell->outputs[i] >= 0) {
                        ready[cell->outputs[i]] = true;
                    }
                }
            }
        }
    }
    if (count != logic) {
        status = bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                   "%s: the netlist's logic has a loop", path);
        goto cleanup;
    }
    netlist->logic_count = logic;
    for (size_t c = 0; c < netlist->cell_count; c++) {
        if (netlist->cells[c].kind == CELL_REGISTER) {
            sorted[count++] = netlist->cells[c];
        }
    }
    free(netlist->cells);
    netlist->cells = sorted;
    sorted = NULL;

cleanup:
    free(sorted);
    free(ready);
    free(placed);
    return status;
}

/* Which cells of logic read a net; registers look for themselves at the clock's edge. */
static bittern_status connect_readers(struct netlist *netlist, struct bittern_error *err)
{
    size_t total = 0;

    for (size_t pass = 0; pass < 2; pass++) {
        int place = 0;
        for (size_t n = 0; pass == 1 && n < netlist->net_count; n++) {
            netlist->nets[n].reader_first = place;
            place += netlist->nets[n].reader_count;
            netlist->nets[n].reader_count = 0;
        }
        if (pass == 1) {
            netlist->readers = calloc(total + 1, sizeof *netlist->readers);
            if (!netlist->readers) {
                return no_memory(err);
            }
        }
        for (size_t c = 0; c < netlist->cell_count; c++) {
            const struct cell *cell = &netlist->cells[c];
            for (int i = 0; i < input_count(cell); i++) {
                struct net *net = &netlist->nets[cell->inputs[i]];
                net->routed += pass == 0 ? routed_share(netlist, cell, i) : 0;
                if (c >= netlist->logic_count) {
                    continue;
                }
                if (pass == 1) {
                    netlist->readers[net->reader_first + net->reader_count] = (int)c;
                } else {
                    total++;
                }
                net->reader_count++;
            }
        }
    }
    return BITTERN_OK;
}

bittern_status netlist_finish(struct netlist *netlist, const char *path, struct bittern_error *err)
{
    set_drivers(netlist);
    bittern_status status = sort_cells(netlist, path, err);
    if (status == BITTERN_OK) {
        status = connect_readers(netlist, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    netlist->queue = calloc(netlist->cell_count + 1, sizeof *netlist->queue);
    netlist->register_next = calloc(netlist->cell_count + 1, sizeof *netlist->register_next);
    netlist->inputs_next = calloc(netlist->net_count + 1, sizeof *netlist->inputs_next);
    if (!netlist->queue || !netlist->register_next || !netlist->inputs_next) {
        return no_memory(err);
    }
    netlist_reset(netlist);
    return BITTERN_OK;
}
