// SPDX-License-Identifier: Apache-2.0
#include "packing.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAIR_INPUTS = 5,
    FANOUT_SEARCH = 64, /* readers of a net that are tried as partners */
};

int packing_resolve(const struct packing *packing, int net)
{
    while (packing->alias[net] != net)
        net = packing->alias[net];
    return net;
}

static int add_lut(struct packing *packing, int output, int position)
{
    packing->luts =
        netlist_grown(packing->luts, packing->lut_count, &packing->lut_room, sizeof(struct lut));
    packing->luts[packing->lut_count] =
        (struct lut){.output = output, .position = position, .partner = -1};
    return packing->lut_count++;
}

static void add_input(struct packing *packing, int index, int net)
{
    struct lut *lut = &packing->luts[index];
    for (int i = 0; i < lut->count; i++)
        if (lut->inputs[i] == net)
            return;
    if (netlist_is_constant(net))
        return;
    lut->inputs[lut->count++] = net;
    packing->readers[net] = netlist_grown(packing->readers[net], packing->reader_count[net],
                                          &packing->reader_room[net], sizeof(int));
    packing->readers[net][packing->reader_count[net]++] = index;
}

static void collect_luts(struct packing *packing, const struct model *model)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        if (netlist_lut_size(cell) == 0)
            continue;
        int index = add_lut(packing, packing_resolve(packing, netlist_pin_net(cell, "O")), -1);
        packing->lut_of[packing->luts[index].output] = index;
        for (int i = 0; i < cell->count; i++)
            if (!cell->pins[i].output)
                add_input(packing, index, packing_resolve(packing, cell->pins[i].net));
    }
}

static void collect_positions(struct packing *packing, const struct model *model)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < netlist_carry_size(cell); i++) {
            packing->positions = netlist_grown(packing->positions, packing->position_count,
                                               &packing->position_room, sizeof(struct position));
            struct position *position = &packing->positions[packing->position_count];
            *position = (struct position){
                .s = packing_resolve(packing, netlist_indexed_net(cell, "S", i)),
                .di = packing_resolve(packing, netlist_indexed_net(cell, "DI", i)),
                .o = packing_resolve(packing, netlist_indexed_net(cell, "O", i)),
                .co = packing_resolve(packing, netlist_indexed_net(cell, "CO", i)),
                .ci = -1,
                .below = i ? packing->position_count - 1 : -1,
                .lut = -1,
            };
            if (i == 0) {
                int ci = packing_resolve(packing, netlist_pin_net(cell, "CI"));
                int init = packing_resolve(packing, netlist_pin_net(cell, "CYINIT"));
                position->ci = netlist_is_constant(ci) ? init : ci;
            }
            if (!netlist_is_constant(position->co))
                packing->co_of[position->co] = packing->position_count;
            if (!netlist_is_constant(position->o))
                packing->o_of[position->o] = packing->position_count;
            packing->position_count++;
        }
    }
    for (int p = 0; p < packing->position_count; p++) {
        struct position *position = &packing->positions[p];
        if (position->ci >= NET_FIRST && packing->co_of[position->ci] >= 0) {
            position->below = packing->co_of[position->ci];
            position->ci = -1;
        }
    }
}

/* Pins that a net feeds through the fabric. */
static void collect_fabric(struct packing *packing, const struct model *model)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < cell->count; i++) {
            const char *pin = cell->pins[i].name;
            int net = packing_resolve(packing, cell->pins[i].net);
            if (cell->pins[i].output || strcmp(cell->type, "$wire") == 0)
                continue;
            if ((netlist_is_ff(cell) && strcmp(pin, "D") == 0) ||
                (netlist_carry_size(cell) && !strcmp(pin, "CI")))
                continue;
            packing->fabric[net]++;
        }
    }
}

/* Puts a LUT at every position in use, and finds whose multiplexer is taken. */
static int place_positions(struct packing *packing, const bool *read)
{
    int constant_sites = 0;
    bool *used_above = netlist_zeroed((size_t)packing->position_count, sizeof(bool));
    /* Positions of one cell are in order; cells of a chain may not be: repeat until nothing moves.
     */
    for (bool moved = true; moved;) {
        moved = false;
        for (int p = packing->position_count - 1; p >= 0; p--) {
            const struct position *position = &packing->positions[p];
            bool used = used_above[p] || read[position->o] || read[position->co];
            if (used && position->below >= 0 && !used_above[position->below]) {
                used_above[position->below] = true;
                moved = true;
            }
        }
    }
    for (int p = 0; p < packing->position_count; p++) {
        struct position *position = &packing->positions[p];
        bool leaves = packing->fabric[position->o] > 0 || read[position->co];
        if (leaves)
            position->muxed = true;
    }
    for (int p = 0; p < packing->position_count; p++) {
        struct position *position = &packing->positions[p];
        bool o_used = read[position->o];
        bool co_used = read[position->co];
        if (!used_above[p] && !o_used && !co_used)
            continue;
        if (netlist_is_constant(position->s)) {
            bool top = !used_above[p] && !co_used && position->below >= 0 && position->s != NET_ONE;
            if (top && !packing->positions[position->below].muxed)
                packing->positions[position->below].muxed = true;
            else
                constant_sites++;
            continue;
        }
        int lut = packing->lut_of[position->s];
        if (lut < 0 || packing->luts[lut].position >= 0) {
            int through = add_lut(packing, -1, p);
            add_input(packing, through, position->s);
            lut = through;
        }
        packing->luts[lut].position = p;
        /* The output of an S LUT that others read leaves by O6: free. */
        position->lut = lut;
    }
    free(used_above);
    return constant_sites;
}

static int joined_inputs(const struct lut *a, const struct lut *b)
{
    int count = a->count;
    for (int i = 0; i < b->count; i++) {
        bool shared = false;
        for (int j = 0; j < a->count; j++)
            shared |= a->inputs[j] == b->inputs[i];
        count += !shared;
    }
    return count;
}

static bool is_free(const struct lut *lut)
{
    return lut->partner < 0 && !lut->shut && lut->count <= PAIR_INPUTS;
}

static void join(struct packing *packing, int a, int b)
{
    packing->luts[a].partner = b;
    packing->luts[b].partner = a;
}

/* May LUT b (at no position) share the site of LUT a? */
static bool fits(const struct packing *packing, int a, int b)
{
    const struct lut *x = &packing->luts[a];
    const struct lut *y = &packing->luts[b];
    if (a == b || !is_free(x) || !is_free(y) || joined_inputs(x, y) > PAIR_INPUTS)
        return false;
    if (y->position >= 0)
        return false;
    if (x->position < 0)
        return true;
    const struct position *position = &packing->positions[x->position];
    bool feeds_di = y->output >= NET_FIRST && y->output == position->di;
    if (feeds_di && packing->fabric[y->output] <= 1)
        return true;
    return !position->muxed && joined_inputs(x, y) == x->count &&
           (position->ci < NET_FIRST || feeds_di || netlist_is_constant(position->di));
}

/* The best partner among the readers of a LUT's inputs: most inputs shared, then the largest. */
static void seek_partner(struct packing *packing, int a)
{
    const struct lut *lut = &packing->luts[a];
    int best = -1, best_score = -1;
    for (int i = 0; i < lut->count; i++) {
        int net = lut->inputs[i];
        int start = packing->reader_count[net] > FANOUT_SEARCH
                        ? a * 7 % (packing->reader_count[net] - FANOUT_SEARCH)
                        : 0;
        for (int r = start; r < packing->reader_count[net] && r < start + FANOUT_SEARCH; r++) {
            int b = packing->readers[net][r];
            if (!fits(packing, a, b))
                continue;
            const struct lut *other = &packing->luts[b];
            int shared = lut->count + other->count - joined_inputs(lut, other);
            if (8 * shared + other->count > best_score) {
                best = b;
                best_score = 8 * shared + other->count;
            }
        }
    }
    if (best >= 0)
        join(packing, a, best);
}

/* A variable carry-in leaves the lowest position only O5 for its DI; returns sites that this adds.
 */
static int settle_carry_in(struct packing *packing)
{
    int sites = 0;
    for (int p = 0; p < packing->position_count; p++) {
        const struct position *position = &packing->positions[p];
        if (position->ci < NET_FIRST || netlist_is_constant(position->di) || position->lut < 0)
            continue;
        int driver = packing->lut_of[position->di];
        if (driver >= 0 && packing->fabric[position->di] <= 1 &&
            fits(packing, position->lut, driver)) {
            join(packing, position->lut, driver);
            continue;
        }
        struct lut *lut = &packing->luts[position->lut];
        struct lut through = {.inputs = {position->di}, .count = 1};
        if (lut->count > PAIR_INPUTS || joined_inputs(lut, &through) > PAIR_INPUTS)
            sites++;
        lut->shut = true;
    }
    return sites;
}

static void pair_luts(struct packing *packing)
{
    for (int size = PAIR_INPUTS; size > 0; size--)
        for (int a = 0; a < packing->lut_count; a++)
            if (packing->luts[a].count == size && packing->luts[a].position >= 0 &&
                is_free(&packing->luts[a]))
                seek_partner(packing, a);
    for (int size = PAIR_INPUTS; size > 0; size--)
        for (int a = 0; a < packing->lut_count; a++)
            if (packing->luts[a].count == size && packing->luts[a].position < 0 &&
                is_free(&packing->luts[a]))
                seek_partner(packing, a);
    /* What is left over shares no inputs: put together what fits by size, large ones first. */
    int *left[LUT_INPUTS + 1];
    int left_count[LUT_INPUTS + 1] = {0};
    for (int size = 0; size <= LUT_INPUTS; size++)
        left[size] = netlist_zeroed((size_t)packing->lut_count, sizeof(int));
    for (int a = 0; a < packing->lut_count; a++)
        if (is_free(&packing->luts[a]) && packing->luts[a].position < 0)
            left[packing->luts[a].count][left_count[packing->luts[a].count]++] = a;
    for (int size = 4; size > 1; size--)
        for (int other = PAIR_INPUTS - size; other > 0; other--)
            while (left_count[size] > (size == other) && left_count[other] > 0) {
                int a = left[size][--left_count[size]];
                join(packing, a, left[other][--left_count[other]]);
            }
    while (left_count[1] > 1) {
        int a = left[1][--left_count[1]];
        join(packing, a, left[1][--left_count[1]]);
    }
    for (int size = 0; size <= LUT_INPUTS; size++)
        free(left[size]);
}

static void join_wires(struct packing *packing, const struct model *model)
{
    for (int net = 0; net < packing->net_count; net++) {
        packing->alias[net] = net;
        packing->lut_of[net] = packing->co_of[net] = packing->o_of[net] = -1;
    }
    for (int c = 0; c < model->count; c++)
        if (strcmp(model->cells[c].type, "$wire") == 0)
            packing->alias[netlist_pin_net(&model->cells[c], "O")] =
                netlist_pin_net(&model->cells[c], "I");
}

/* Which nets anything but a carry-in reads. */
static bool *find_read(const struct packing *packing, const struct model *model)
{
    bool *read = netlist_zeroed((size_t)packing->net_count, sizeof(bool));
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < cell->count; i++)
            if (!cell->pins[i].output && strcmp(cell->type, "$wire") != 0 &&
                !(netlist_carry_size(cell) && strcmp(cell->pins[i].name, "CI") == 0))
                read[packing_resolve(packing, cell->pins[i].net)] = true;
    }
    for (int net = 0; net < NET_FIRST; net++)
        read[net] = false;
    return read;
}

void packing_open(struct packing *packing, const struct model *model, int net_count)
{
    size_t nets = (size_t)net_count;
    *packing = (struct packing){
        .net_count = net_count,
        .readers = netlist_zeroed(nets, sizeof(int *)),
        .reader_count = netlist_zeroed(nets, sizeof(int)),
        .reader_room = netlist_zeroed(nets, sizeof(int)),
        .fabric = netlist_zeroed(nets, sizeof(int)),
        .lut_of = netlist_zeroed(nets, sizeof(int)),
        .co_of = netlist_zeroed(nets, sizeof(int)),
        .o_of = netlist_zeroed(nets, sizeof(int)),
        .alias = netlist_zeroed(nets, sizeof(int)),
    };
    join_wires(packing, model);
    collect_luts(packing, model);
    collect_positions(packing, model);
    collect_fabric(packing, model);
    bool *read = find_read(packing, model);
    for (int net = 0; net < NET_FIRST; net++)
        packing->fabric[net] = 0;
    packing->sites = place_positions(packing, read);
    packing->sites += settle_carry_in(packing);
    free(read);
    pair_luts(packing);
    for (int a = 0; a < packing->lut_count; a++) {
        packing->pairs += packing->luts[a].partner > a;
        packing->sites += packing->luts[a].partner <= a;
    }
}

void packing_close(struct packing *packing)
{
    for (int net = 0; net < packing->net_count; net++)
        free(packing->readers[net]);
    free(packing->readers);
    free(packing->reader_count);
    free(packing->reader_room);
    free(packing->fabric);
    free(packing->lut_of);
    free(packing->co_of);
    free(packing->o_of);
    free(packing->alias);
    free(packing->luts);
    free(packing->positions);
}
