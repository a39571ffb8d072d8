// SPDX-License-Identifier: Apache-2.0
/*
 * Depths of nets are found from their drivers back, each net once, for every number of carry
 * chains; each remembers the net that it has its depth from, so that a path can be printed.
 */
#include "timing.h"

#include <stdlib.h>
#include <string.h>

enum { MULTIPLIER_LUTS = 4, ADDER_LUTS = 1, NAME_ROOM = 256 };

/* Longest paths: the most LUTs up to a net, by carry chains entered; -1 where there is none. */
struct depths {
    int at[TIMING_CHAINS];
    int from[TIMING_CHAINS];        /* net before, or -1 */
    int from_chains[TIMING_CHAINS]; /* carry chains up to there */
};

struct timing {
    const struct packing *packing;
    const struct model *model;
    struct depths *nets;
    char *state;  /* of a net: 0 new, 1 being worked on, 2 done */
    int *cell_of; /* memory, shift register or DSP block that drives a net, or any other cell */
};

/* A pin where paths end, and what its cell adds. */
struct end {
    const struct cell *cell; /* NULL: a port */
    const char *pin;
    int net; /* -1: from the cell's own registers */
    int luts, chains;
};

static void merge(struct depths *into, const struct depths *from, int net, int luts, int chains)
{
    for (int c = 0; c < TIMING_CHAINS; c++) {
        int to = chains >= 0 && chains < TIMING_CHAINS - c ? c + chains : TIMING_CHAINS - 1;
        if (from->at[c] >= 0 && from->at[c] + luts > into->at[to]) {
            into->at[to] = from->at[c] + luts;
            into->from[to] = net;
            into->from_chains[to] = c;
        }
    }
}

/* A path begins in the cell that drives the net. */
static void begin(struct depths *into, int luts, int chains)
{
    if (luts > into->at[chains]) {
        into->at[chains] = luts;
        into->from[chains] = -1;
    }
}

static const struct depths *net_depth(struct timing *timing, int net);

static void follow(struct timing *timing, struct depths *into, int net, int luts, int chains)
{
    merge(into, net_depth(timing, net), net, luts, chains);
}

/* Depth of a position's sum, or of its carry-out (which also hangs on its own DI). */
static void chain_depth(struct timing *timing, int p, bool carry_out, struct depths *into)
{
    const struct packing *packing = timing->packing;
    for (bool own = true; p >= 0; own = false, p = packing->positions[p].below) {
        const struct position *position = &packing->positions[p];
        follow(timing, into, position->s, packing->lut_of[position->s] < 0 ? 1 : 0, 1);
        if (!own || carry_out)
            follow(timing, into, position->di, 0, 1);
        if (position->ci >= NET_FIRST)
            follow(timing, into, position->ci, 0, 1);
    }
}

/* The address pins that choose what the output pin shows: "A" for O, Q and SPO, "DPRA" for DPO,
 * "ADDRA" for DOA ... */
static bool chooses(const char *address, const char *output)
{
    if (netlist_begins(output, "DO"))
        return netlist_begins(address, "ADDR") && address[4] == output[2];
    if (strcmp(output, "DPO") == 0)
        return netlist_begins(address, "DPRA");
    return address[0] == 'A' && (address[1] == '[' || (address[1] >= '0' && address[1] <= '9'));
}

static void memory_depth(struct timing *timing, const struct cell *cell, const char *output,
                         struct depths *into)
{
    begin(into, 1, 0);
    for (int i = 0; i < cell->count; i++)
        if (chooses(cell->pins[i].name, output))
            follow(timing, into, packing_resolve(timing->packing, cell->pins[i].net), 1, 0);
}

static bool dsp_has(const struct cell *cell, const char *name)
{
    return netlist_parameter(cell, name, 1) > 0;
}

static bool dsp_adds_before(const struct cell *cell)
{
    return !netlist_is_constant(netlist_indexed_net(cell, "D", 0));
}

/* The way from a pin of a DSP block, to its output or to the first register: what it takes. */
struct dsp_way {
    int luts, chains;
    bool ends; /* in a register */
};

enum dsp_stage { DSP_INPUT, DSP_BEFORE, DSP_PRODUCT, DSP_SUM };

/* On from a stage's register, or from the pins that lead there. */
static struct dsp_way dsp_go(const struct cell *cell, enum dsp_stage stage, bool before)
{
    struct dsp_way way = {0};
    if (stage <= DSP_BEFORE && before) {
        way.luts += ADDER_LUTS;
        way.chains++;
        if (dsp_has(cell, "ADREG"))
            return (struct dsp_way){way.luts, way.chains, true};
    }
    if (stage <= DSP_PRODUCT) {
        way.luts += MULTIPLIER_LUTS;
        if (dsp_has(cell, "MREG"))
            return (struct dsp_way){way.luts, way.chains, true};
    }
    way.luts += ADDER_LUTS;
    way.chains++;
    way.ends = dsp_has(cell, "PREG");
    return way;
}

static struct dsp_way dsp_input(const struct cell *cell, const char *pin)
{
    const struct dsp_way end = {.ends = true};
    bool bus = pin[0] != '\0' && pin[1] == '[';
    if (netlist_begins(pin, "PCIN") || netlist_begins(pin, "CARRYIN"))
        return dsp_go(cell, DSP_SUM, false);
    if (netlist_begins(pin, "ACIN") || netlist_begins(pin, "BCIN"))
        return dsp_go(cell, DSP_INPUT, dsp_adds_before(cell));
    if (!bus)
        return end; /* control pins: constant, or of a register */
    switch (pin[0]) {
    case 'A':
        return dsp_has(cell, "AREG") ? end : dsp_go(cell, DSP_INPUT, dsp_adds_before(cell));
    case 'B':
        return dsp_has(cell, "BREG") ? end : dsp_go(cell, DSP_PRODUCT, false);
    case 'C':
        return dsp_has(cell, "CREG") ? end : dsp_go(cell, DSP_SUM, false);
    case 'D':
        return dsp_has(cell, "DREG") ? end : dsp_go(cell, DSP_INPUT, true);
    default:
        return end;
    }
}

/* Ways from a DSP block's own registers; returns how many. */
static int dsp_inner(const struct cell *cell, struct dsp_way ways[5])
{
    int count = 0;
    bool before = dsp_adds_before(cell);
    if (dsp_has(cell, "AREG") || (before && dsp_has(cell, "DREG")))
        ways[count++] = dsp_go(cell, DSP_INPUT, before);
    if (before && dsp_has(cell, "ADREG"))
        ways[count++] = dsp_go(cell, DSP_PRODUCT, false);
    if (dsp_has(cell, "BREG"))
        ways[count++] = dsp_go(cell, DSP_PRODUCT, false);
    if (dsp_has(cell, "CREG") || dsp_has(cell, "MREG"))
        ways[count++] = dsp_go(cell, DSP_SUM, false);
    return count;
}

/* Depth of a DSP block's output. */
static void dsp_depth(struct timing *timing, const struct cell *cell, struct depths *into)
{
    if (dsp_has(cell, "PREG")) {
        begin(into, 0, 0);
        return;
    }
    struct dsp_way ways[5];
    int count = dsp_inner(cell, ways);
    for (int i = 0; i < count; i++)
        if (!ways[i].ends)
            begin(into, ways[i].luts, ways[i].chains);
    for (int i = 0; i < cell->count; i++) {
        if (cell->pins[i].output)
            continue;
        struct dsp_way way = dsp_input(cell, cell->pins[i].name);
        if (!way.ends)
            follow(timing, into, packing_resolve(timing->packing, cell->pins[i].net), way.luts,
                   way.chains);
    }
}

static const char *pin_of_net(const struct timing *timing, const struct cell *cell, int net)
{
    for (int i = 0; i < cell->count; i++)
        if (cell->pins[i].output && packing_resolve(timing->packing, cell->pins[i].net) == net)
            return cell->pins[i].name;
    return "";
}

static const struct depths *net_depth(struct timing *timing, int net)
{
    struct depths *depths = &timing->nets[net];
    const struct packing *packing = timing->packing;
    if (timing->state[net] == 2)
        return depths;
    if (timing->state[net] == 1) {
        fputs("count_sites: the netlist has a combinational loop\n", stderr);
        exit(2);
    }
    timing->state[net] = 1;
    struct depths result = {.at = {-1, -1, -1, -1}, .from = {-1, -1, -1, -1}};
    const struct cell *cell =
        timing->cell_of[net] >= 0 ? &timing->model->cells[timing->cell_of[net]] : NULL;
    int lut = packing->lut_of[net];
    if (netlist_is_constant(net)) {
        /* No path. */
    } else if (lut >= 0) {
        for (int i = 0; i < packing->luts[lut].count; i++)
            follow(timing, &result, packing->luts[lut].inputs[i], 1, 0);
    } else if (packing->o_of[net] >= 0) {
        chain_depth(timing, packing->o_of[net], false, &result);
    } else if (packing->co_of[net] >= 0) {
        chain_depth(timing, packing->co_of[net], true, &result);
    } else if (cell != NULL && netlist_memory_sites(cell) > 0) {
        memory_depth(timing, cell, pin_of_net(timing, cell, net), &result);
    } else if (cell != NULL && netlist_begins(cell->type, "DSP48")) {
        dsp_depth(timing, cell, &result);
    } else {
        begin(&result, 0, 0);
    }
    *depths = result;
    timing->state[net] = 2;
    return depths;
}

static struct end *collect_ends(const struct timing *timing, int *count)
{
    const struct model *model = timing->model;
    struct end *ends = NULL;
    int room = 0;
    *count = 0;
    for (int c = 0; c <= model->count; c++) {
        const struct cell *cell = c < model->count ? &model->cells[c] : NULL;
        if (cell != NULL && (netlist_lut_size(cell) > 0 || netlist_carry_size(cell) > 0 ||
                             strcmp(cell->type, "$wire") == 0))
            continue;
        for (int i = 0; i < (cell != NULL ? cell->count : model->output_count); i++) {
            struct end end = {.cell = cell,
                              .pin = cell != NULL ? cell->pins[i].name : "",
                              .net = cell != NULL ? cell->pins[i].net : model->outputs[i]};
            end.net = packing_resolve(timing->packing, end.net);
            if (cell != NULL && (cell->pins[i].output || netlist_is_clock(end.pin)))
                continue;
            if (cell != NULL && netlist_begins(cell->type, "DSP48")) {
                struct dsp_way way = dsp_input(cell, end.pin);
                if (!way.ends)
                    continue;
                end.luts = way.luts;
                end.chains = way.chains;
            }
            ends = netlist_grown(ends, *count, &room, sizeof(struct end));
            ends[(*count)++] = end;
        }
        struct dsp_way ways[5];
        int inner = cell != NULL && netlist_begins(cell->type, "DSP48") ? dsp_inner(cell, ways) : 0;
        for (int i = 0; i < inner; i++) {
            if (!ways[i].ends)
                continue;
            ends = netlist_grown(ends, *count, &room, sizeof(struct end));
            ends[(*count)++] = (struct end){cell, "inside", -1, ways[i].luts, ways[i].chains};
        }
    }
    return ends;
}

static void open_timing(struct timing *timing, const struct packing *packing,
                        const struct model *model)
{
    *timing = (struct timing){
        .packing = packing,
        .model = model,
        .nets = netlist_zeroed((size_t)packing->net_count, sizeof(struct depths)),
        .state = netlist_zeroed((size_t)packing->net_count, 1),
        .cell_of = netlist_zeroed((size_t)packing->net_count, sizeof(int)),
    };
    for (int net = 0; net < packing->net_count; net++)
        timing->cell_of[net] = -1;
    for (int c = 0; c < model->count; c++)
        for (int i = 0; i < model->cells[c].count; i++)
            if (model->cells[c].pins[i].output && strcmp(model->cells[c].type, "$wire") != 0)
                timing->cell_of[packing_resolve(packing, model->cells[c].pins[i].net)] = c;
}

static void close_timing(struct timing *timing)
{
    free(timing->nets);
    free(timing->state);
    free(timing->cell_of);
}

static struct depths end_depth(struct timing *timing, const struct end *end)
{
    struct depths depths = {.at = {-1, -1, -1, -1}};
    if (end->net < 0)
        begin(&depths, end->luts, end->chains);
    else
        merge(&depths, net_depth(timing, end->net), end->net, end->luts, end->chains);
    return depths;
}

void timing_measure_depth(const struct packing *packing, const struct model *model,
                          int depth[TIMING_CHAINS])
{
    struct timing timing;
    open_timing(&timing, packing, model);
    int count;
    struct end *ends = collect_ends(&timing, &count);
    for (int chains = 0; chains < TIMING_CHAINS; chains++)
        depth[chains] = chains == 0 ? 0 : -1;
    for (int e = 0; e < count; e++) {
        struct depths depths = end_depth(&timing, &ends[e]);
        for (int chains = 0; chains < TIMING_CHAINS; chains++)
            if (depths.at[chains] > depth[chains])
                depth[chains] = depths.at[chains];
    }
    free(ends);
    close_timing(&timing);
}

int timing_measure_border(const struct packing *packing, const struct model *model, bool kept)
{
    struct timing timing;
    open_timing(&timing, packing, model);
    int count, most = 0;
    struct end *ends = collect_ends(&timing, &count);
    for (int e = 0; e < count; e++) {
        if (ends[e].cell != NULL ? ends[e].cell->child < 0 : !kept)
            continue;
        struct depths depths = end_depth(&timing, &ends[e]);
        for (int chains = 0; chains < TIMING_CHAINS; chains++)
            if (depths.at[chains] >= 0 && depths.at[chains] + chains * TIMING_BORDER_CHAIN > most)
                most = depths.at[chains] + chains * TIMING_BORDER_CHAIN;
    }
    free(ends);
    close_timing(&timing);
    return most;
}

/* ---- Paths, in words ---- */

struct path {
    char name[NAME_ROOM]; /* of the register, without its bit, and the pin */
    struct end end;
    int chains, luts, alike;
};

static const char *cell_net_name(const struct timing *timing, const struct design *design,
                                 const struct cell *cell)
{
    for (int i = 0; i < cell->count; i++)
        if (cell->pins[i].output && !netlist_is_constant(cell->pins[i].net))
            return design->names[packing_resolve(timing->packing, cell->pins[i].net)];
    return cell->name;
}

static void name_end(const struct timing *timing, const struct design *design,
                     const struct end *end, char name[NAME_ROOM])
{
    const char *whole = end->cell == NULL          ? design->names[end->net]
                        : netlist_is_ff(end->cell) ? cell_net_name(timing, design, end->cell)
                        : *end->cell->name != '\0' && *end->cell->name != '$'
                            ? end->cell->name
                            : cell_net_name(timing, design, end->cell);
    snprintf(name, NAME_ROOM - 24, "%s", whole);
    char *bit = strrchr(name, '[');
    if (bit != NULL && bit[strlen(bit) - 1] == ']')
        *bit = '\0';
    size_t length = strlen(name);
    const char *pin = end->cell == NULL ? "port" : end->pin;
    size_t pin_length = strcspn(pin, "[0123456789");
    snprintf(name + length, NAME_ROOM - length, " %.*s", (int)(pin_length < 20 ? pin_length : 20),
             pin);
}

/* Deepest first; two chains are worse than any number of LUTs. */
static int compare_paths(const void *a, const void *b)
{
    const struct path *x = a, *y = b;
    int x_rank = x->luts + (x->chains > 1 ? 100 : x->chains);
    int y_rank = y->luts + (y->chains > 1 ? 100 : y->chains);
    return x_rank != y_rank ? y_rank - x_rank : strcmp(x->name, y->name);
}

static void print_path(const struct timing *timing, const struct design *design,
                       const struct path *path)
{
    int nets[128];
    int count = 0;
    int chains = path->chains - path->end.chains;
    for (int net = path->end.net; net >= 0 && count < 128;) {
        nets[count++] = net;
        const struct depths *depths = &timing->nets[net];
        int before = depths->from[chains];
        chains = depths->from_chains[chains];
        net = before;
    }
    printf("%d+%d x%-5d", path->luts, path->chains, path->alike);
    for (int i = count - 1; i >= 0; i--) {
        int lut = timing->packing->lut_of[nets[i]];
        const char *name = design->names[nets[i]];
        const struct cell *cell =
            timing->cell_of[nets[i]] >= 0 ? &timing->model->cells[timing->cell_of[nets[i]]] : NULL;
        printf(" %s", cell == NULL ? "port" : cell->type);
        if (*name != '$' || (lut < 0 && cell != NULL && netlist_carry_size(cell) == 0))
            printf(" %s", name);
        printf(" ->");
    }
    printf(" %s %s\n", path->end.cell == NULL ? "" : path->end.cell->type, path->name);
}

void timing_print_paths(const struct packing *packing, const struct model *model,
                        const struct design *design, int luts, int most)
{
    struct timing timing;
    open_timing(&timing, packing, model);
    int end_count;
    int count = 0, room = 0;
    struct end *ends = collect_ends(&timing, &end_count);
    struct path *paths = NULL;
    for (int e = 0; e < end_count; e++) {
        struct depths depths = end_depth(&timing, &ends[e]);
        for (int chains = 0; chains < TIMING_CHAINS; chains++) {
            if (depths.at[chains] < 0 || (chains < 2 && depths.at[chains] + chains < luts))
                continue;
            struct path path = {.end = ends[e], .chains = chains, .luts = depths.at[chains]};
            name_end(&timing, design, &path.end, path.name);
            paths = netlist_grown(paths, count, &room, sizeof(struct path));
            paths[count++] = path;
        }
    }
    if (count > 0)
        qsort(paths, (size_t)count, sizeof(struct path), compare_paths);
    int printed = 0;
    for (int p = 0; p < count && printed < most; p++) {
        if (paths[p].alike < 0)
            continue;
        for (int q = p; q < count; q++)
            if (paths[q].alike == 0 && strcmp(paths[q].name, paths[p].name) == 0) {
                paths[p].alike++;
                if (q != p)
                    paths[q].alike = -1;
            }
        print_path(&timing, design, &paths[p]);
        printed++;
    }
    free(paths);
    free(ends);
    close_timing(&timing);
}
