// SPDX-License-Identifier: Apache-2.0
/*
 * Counts what a netlist that Yosys mapped to a Xilinx family occupies, and how deep its logic is.
 *
 * Reads BLIF (write_blif), a model or several; prints "name value" lines of the one model, or with
 * -m a line for each of several. What is counted, and what is assumed of the slice:
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
 * Depth: the most LUTs in a row between registers or ports, by how many carry chains the path
 * enters. Pairs are found greedily, so that a count is an upper bound.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_ROOM = 1 << 20, /* characters of a line, continuations joined */
    LUT_INPUTS = 6,
    PAIR_INPUTS = 5,
    FANOUT_SEARCH = 64, /* readers of a net that are tried as partners */
    CHAINS = 4,         /* carry chains of a path that are told apart: 0, 1, 2, more */
};

enum { NET_ZERO, NET_ONE, NET_UNDEFINED, NET_FIRST };

struct pin {
    const char *name;
    int net;
};

struct cell {
    const char *type;
    struct pin *pins;
    int count;
};

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

struct model {
    char *name;
    struct cell *cells;
    int count, room;
};

struct design {
    struct model *models;
    int count;
    char **names; /* nets of the model that is read */
    int *slots;
    int net_count, net_room, slot_count;
};

struct counts {
    int lut[LUT_INPUTS + 1];
    int memory, pairs, sites, ff, carry, bram_halves, dsp;
    int depth[CHAINS];
};

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("count_sites: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

static void *zeroed(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size));
}

/* Growing arrays: room for one more. */
static void *grown(void *memory, int count, int *room, size_t size)
{
    if (count < *room)
        return memory;
    *room = *room ? 2 * *room : 64;
    return must(realloc(memory, (size_t)*room * size));
}

static char *copied(const char *text)
{
    char *copy = must(malloc(strlen(text) + 1));
    return strcpy(copy, text);
}

static unsigned hashed(const char *text)
{
    unsigned hash = 2166136261u;
    while (*text)
        hash = (hash ^ (unsigned char)*text++) * 16777619u;
    return hash;
}

static void rehash(struct design *design)
{
    design->slot_count = design->slot_count ? 2 * design->slot_count : 1024;
    free(design->slots);
    design->slots = zeroed((size_t)design->slot_count, sizeof(int));
    for (int net = 0; net < design->net_count; net++) {
        unsigned slot = hashed(design->names[net]);
        while (design->slots[slot & (unsigned)(design->slot_count - 1)])
            slot++;
        design->slots[slot & (unsigned)(design->slot_count - 1)] = net + 1;
    }
}

/* Number of a net by its name; names of all models share the numbers, which does no harm. */
static int net_of(struct design *design, const char *name)
{
    if (2 * (design->net_count + 1) > design->slot_count)
        rehash(design);
    unsigned mask = (unsigned)(design->slot_count - 1);
    unsigned slot = hashed(name);
    while (design->slots[slot & mask]) {
        int net = design->slots[slot & mask] - 1;
        if (strcmp(design->names[net], name) == 0)
            return net;
        slot++;
    }
    design->names = grown(design->names, design->net_count, &design->net_room, sizeof(char *));
    design->names[design->net_count] = copied(name);
    design->slots[slot & mask] = design->net_count + 1;
    return design->net_count++;
}

static struct cell *add_cell(struct model *model, const char *type)
{
    model->cells = grown(model->cells, model->count, &model->room, sizeof(struct cell));
    struct cell *cell = &model->cells[model->count++];
    *cell = (struct cell){.type = copied(type)};
    return cell;
}

static void add_pin(struct cell *cell, const char *name, int net)
{
    cell->pins = must(realloc(cell->pins, (size_t)(cell->count + 1) * sizeof(struct pin)));
    cell->pins[cell->count++] = (struct pin){.name = copied(name), .net = net};
}

/* `.names in out` with the table "1 1" is a wire; without inputs, a constant (known by name). */
static void read_names(struct design *design, struct model *model)
{
    char *in = strtok(NULL, " \n");
    char *out = strtok(NULL, " \n");
    if (in == NULL || out == NULL)
        return;
    if (strtok(NULL, " \n") != NULL) {
        fputs("count_sites: the netlist is not mapped: it has a .names of several inputs\n",
              stderr);
        exit(2);
    }
    struct cell *cell = add_cell(model, "$wire");
    add_pin(cell, "I", net_of(design, in));
    add_pin(cell, "O", net_of(design, out));
}

static void read_subckt(struct design *design, struct model *model)
{
    char *type = strtok(NULL, " \n");
    if (type == NULL)
        return;
    struct cell *cell = add_cell(model, type);
    for (char *pin; (pin = strtok(NULL, " \n")) != NULL;) {
        char *net = strchr(pin, '=');
        if (net == NULL)
            continue;
        *net++ = '\0';
        add_pin(cell, pin, net_of(design, net));
    }
}

static void read_design(struct design *design, FILE *file)
{
    char *line = must(malloc(LINE_ROOM));
    net_of(design, "$false");
    net_of(design, "$true");
    net_of(design, "$undef");
    struct model *model = NULL;
    while (fgets(line, LINE_ROOM, file) != NULL) {
        char *word = strtok(line, " \n");
        if (word == NULL || *word == '#')
            continue;
        if (strcmp(word, ".model") == 0) {
            design->models =
                must(realloc(design->models, (size_t)(design->count + 1) * sizeof(struct model)));
            model = &design->models[design->count++];
            *model = (struct model){.name = copied(strtok(NULL, " \n"))};
        } else if (model != NULL && strcmp(word, ".subckt") == 0) {
            read_subckt(design, model);
        } else if (model != NULL && strcmp(word, ".names") == 0) {
            read_names(design, model);
        }
    }
    free(line);
}

static int pin_net(const struct cell *cell, const char *name)
{
    for (int i = 0; i < cell->count; i++)
        if (strcmp(cell->pins[i].name, name) == 0)
            return cell->pins[i].net;
    return NET_UNDEFINED;
}

static int indexed_net(const struct cell *cell, const char *name, int index)
{
    char pin[16];
    snprintf(pin, sizeof(pin), "%s[%d]", name, index);
    return pin_net(cell, pin);
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_constant(int net)
{
    return net < NET_FIRST;
}

/* Inputs of a LUT, 0 where the cell is none. */
static int lut_size(const struct cell *cell)
{
    if (strcmp(cell->type, "INV") == 0)
        return 1;
    if (begins(cell->type, "LUT") && cell->type[3] >= '1' && cell->type[3] <= '6' &&
        cell->type[4] == '\0')
        return cell->type[3] - '0';
    return 0;
}

static int carry_size(const struct cell *cell)
{
    return strcmp(cell->type, "CARRY4") == 0 ? 4 : strcmp(cell->type, "CARRY8") == 0 ? 8 : 0;
}

static bool is_ff(const struct cell *cell)
{
    return begins(cell->type, "FD") || begins(cell->type, "LD");
}

/* Sites of LUTs that are memory. */
static int memory_sites(const struct cell *cell)
{
    static const struct {
        const char *type;
        int sites;
    } table[] = {
        {"SRL16E", 1},    {"SRLC16E", 1},   {"SRLC32E", 1},   {"RAM16X1S", 1},  {"RAM16X1D", 2},
        {"RAM32X1S", 1},  {"RAM32X1D", 2},  {"RAM32X2S", 2},  {"RAM64X1S", 1},  {"RAM64X1D", 2},
        {"RAM128X1S", 2}, {"RAM128X1D", 4}, {"RAM256X1S", 4}, {"RAM256X1D", 8}, {"RAM32M", 4},
        {"RAM64M", 4},    {"RAM32M16", 8},  {"RAM64M8", 8},   {"RAM512X1S", 8},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(cell->type, table[i].type) == 0)
            return table[i].sites;
    return 0;
}

static bool is_output(const char *pin)
{
    return pin[0] == 'O' || (pin[0] == 'C' && pin[1] == 'O') || pin[0] == 'Q';
}

/* What packing needs of one model. */
struct packing {
    struct lut *luts;
    int lut_count, lut_room;
    struct position *positions;
    int position_count, position_room;
    int **readers; /* LUTs that read a net */
    int *reader_count, *reader_room;
    int *fabric; /* pins that a net feeds, without FF D, carry chains' CI and same-position DI */
    int *lut_of; /* LUT that drives a net, or -1 */
    int *co_of;  /* position whose carry-out a net is, or -1 */
    int *alias;
};

static int resolve(const int *alias, int net)
{
    while (alias[net] != net)
        net = alias[net];
    return net;
}

static int add_lut(struct packing *packing, int output, int position)
{
    packing->luts =
        grown(packing->luts, packing->lut_count, &packing->lut_room, sizeof(struct lut));
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
    if (is_constant(net))
        return;
    lut->inputs[lut->count++] = net;
    packing->readers[net] = grown(packing->readers[net], packing->reader_count[net],
                                  &packing->reader_room[net], sizeof(int));
    packing->readers[net][packing->reader_count[net]++] = index;
}

static void collect_luts(struct packing *packing, const struct model *model)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        if (lut_size(cell) == 0)
            continue;
        int index = add_lut(packing, resolve(packing->alias, pin_net(cell, "O")), -1);
        packing->lut_of[packing->luts[index].output] = index;
        for (int i = 0; i < cell->count; i++)
            if (!is_output(cell->pins[i].name))
                add_input(packing, index, resolve(packing->alias, cell->pins[i].net));
    }
}

static void collect_positions(struct packing *packing, const struct model *model)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < carry_size(cell); i++) {
            packing->positions = grown(packing->positions, packing->position_count,
                                       &packing->position_room, sizeof(struct position));
            struct position *position = &packing->positions[packing->position_count];
            *position = (struct position){
                .s = resolve(packing->alias, indexed_net(cell, "S", i)),
                .di = resolve(packing->alias, indexed_net(cell, "DI", i)),
                .o = resolve(packing->alias, indexed_net(cell, "O", i)),
                .co = resolve(packing->alias, indexed_net(cell, "CO", i)),
                .ci = -1,
                .below = i ? packing->position_count - 1 : -1,
                .lut = -1,
            };
            if (i == 0) {
                int ci = resolve(packing->alias, pin_net(cell, "CI"));
                int init = resolve(packing->alias, pin_net(cell, "CYINIT"));
                position->ci = is_constant(ci) ? init : ci;
            }
            if (!is_constant(position->co))
                packing->co_of[position->co] = packing->position_count;
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
            int net = resolve(packing->alias, cell->pins[i].net);
            if (is_output(pin) || strcmp(cell->type, "$wire") == 0)
                continue;
            if ((is_ff(cell) && strcmp(pin, "D") == 0) || (carry_size(cell) && !strcmp(pin, "CI")))
                continue;
            packing->fabric[net]++;
        }
    }
}

/* Puts a LUT at every position in use, and finds whose multiplexer is taken. */
static int place_positions(struct packing *packing, const bool *read)
{
    int constant_sites = 0;
    bool *used_above = zeroed((size_t)packing->position_count, sizeof(bool));
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
        if (is_constant(position->s)) {
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
           (position->ci < NET_FIRST || feeds_di || is_constant(position->di));
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
        if (position->ci < NET_FIRST || is_constant(position->di) || position->lut < 0)
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
        left[size] = zeroed((size_t)packing->lut_count, sizeof(int));
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

/* Longest paths: the most LUTs up to each net, by carry chains entered; -1 where there is none. */
struct depths {
    int at[CHAINS];
};

struct timing {
    const struct packing *packing;
    struct depths *nets;
    char *state; /* of a net: 0 new, 1 being worked on, 2 done */
    int *o_of;   /* position whose sum a net is, or -1 */
};

static void merge(struct depths *into, const struct depths *from, int luts, int chains)
{
    for (int c = 0; c < CHAINS; c++) {
        int to = c + chains < CHAINS ? c + chains : CHAINS - 1;
        if (from->at[c] >= 0 && from->at[c] + luts > into->at[to])
            into->at[to] = from->at[c] + luts;
    }
}

static const struct depths *net_depth(struct timing *timing, int net);

/* Depth of a position's sum, or of its carry-out (which also hangs on its own DI). */
static void chain_depth(struct timing *timing, int p, bool carry_out, struct depths *into)
{
    const struct packing *packing = timing->packing;
    for (bool own = true; p >= 0; own = false, p = packing->positions[p].below) {
        const struct position *position = &packing->positions[p];
        merge(into, net_depth(timing, position->s), packing->lut_of[position->s] < 0 ? 1 : 0, 1);
        if (!own || carry_out)
            merge(into, net_depth(timing, position->di), 0, 1);
        if (position->ci >= NET_FIRST)
            merge(into, net_depth(timing, position->ci), 0, 1);
    }
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
    struct depths result = {.at = {-1, -1, -1, -1}};
    int lut = packing->lut_of[net];
    if (is_constant(net)) {
        /* No path. */
    } else if (lut >= 0) {
        result.at[0] = 0;
        for (int i = 0; i < packing->luts[lut].count; i++)
            merge(&result, net_depth(timing, packing->luts[lut].inputs[i]), 1, 0);
    } else if (timing->o_of[net] >= 0) {
        chain_depth(timing, timing->o_of[net], false, &result);
    } else if (packing->co_of[net] >= 0) {
        chain_depth(timing, packing->co_of[net], true, &result);
    } else {
        result.at[0] = 0;
    }
    *depths = result;
    timing->state[net] = 2;
    return depths;
}

static void measure_depth(const struct packing *packing, const struct model *model, int net_count,
                          struct counts *counts)
{
    struct timing timing = {
        .packing = packing,
        .nets = zeroed((size_t)net_count, sizeof(struct depths)),
        .state = zeroed((size_t)net_count, 1),
        .o_of = must(malloc((size_t)net_count * sizeof(int))),
    };
    for (int net = 0; net < net_count; net++)
        timing.o_of[net] = -1;
    for (int p = 0; p < packing->position_count; p++)
        if (!is_constant(packing->positions[p].o))
            timing.o_of[packing->positions[p].o] = p;
    struct depths worst = {.at = {0, -1, -1, -1}};
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < cell->count; i++)
            merge(&worst, net_depth(&timing, resolve(packing->alias, cell->pins[i].net)), 0, 0);
    }
    memcpy(counts->depth, worst.at, sizeof(worst.at));
    free(timing.nets);
    free(timing.state);
    free(timing.o_of);
}

static void count_cells(const struct model *model, struct counts *counts)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        counts->lut[lut_size(cell)]++;
        counts->memory += memory_sites(cell);
        counts->carry += carry_size(cell) > 0;
        counts->ff += is_ff(cell);
        counts->bram_halves += begins(cell->type, "RAMB36") ? 2 : begins(cell->type, "RAMB18");
        counts->dsp += begins(cell->type, "DSP48");
    }
}

static struct counts count_model(const struct model *model, int net_count)
{
    struct counts counts = {0};
    struct packing packing = {0};
    size_t nets = (size_t)net_count;
    packing.readers = zeroed(nets, sizeof(int *));
    packing.reader_count = zeroed(nets, sizeof(int));
    packing.reader_room = zeroed(nets, sizeof(int));
    packing.fabric = zeroed(nets, sizeof(int));
    packing.lut_of = zeroed(nets, sizeof(int));
    packing.co_of = zeroed(nets, sizeof(int));
    packing.alias = zeroed(nets, sizeof(int));
    bool *read = zeroed(nets, sizeof(bool));
    for (int net = 0; net < net_count; net++) {
        packing.alias[net] = net;
        packing.lut_of[net] = packing.co_of[net] = -1;
    }
    for (int c = 0; c < model->count; c++)
        if (strcmp(model->cells[c].type, "$wire") == 0)
            packing.alias[pin_net(&model->cells[c], "O")] = pin_net(&model->cells[c], "I");
    count_cells(model, &counts);
    collect_luts(&packing, model);
    collect_positions(&packing, model);
    collect_fabric(&packing, model);
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        for (int i = 0; i < cell->count; i++)
            if (!is_output(cell->pins[i].name) && strcmp(cell->type, "$wire") != 0 &&
                !(carry_size(cell) && strcmp(cell->pins[i].name, "CI") == 0))
                read[resolve(packing.alias, cell->pins[i].net)] = true;
    }
    for (int net = 0; net < NET_FIRST; net++)
        read[net] = false, packing.fabric[net] = 0;
    counts.sites = place_positions(&packing, read);
    counts.sites += settle_carry_in(&packing) + counts.memory;
    pair_luts(&packing);
    for (int a = 0; a < packing.lut_count; a++) {
        counts.pairs += packing.luts[a].partner > a;
        counts.sites += packing.luts[a].partner <= a;
    }
    measure_depth(&packing, model, net_count, &counts);
    for (int net = 0; net < net_count; net++)
        free(packing.readers[net]);
    free(packing.readers);
    free(packing.reader_count);
    free(packing.reader_room);
    free(packing.fabric);
    free(packing.lut_of);
    free(packing.co_of);
    free(packing.alias);
    free(packing.luts);
    free(packing.positions);
    free(read);
    return counts;
}

static void print_counts(const struct counts *counts)
{
    for (int size = 1; size <= LUT_INPUTS; size++)
        printf("LUT%d %d\n", size, counts->lut[size]);
    printf("memory %d\npairs %d\nsites %d\nFF %d\nCARRY %d\n", counts->memory, counts->pairs,
           counts->sites, counts->ff, counts->carry);
    printf("BRAM36 %d%s\nDSP %d\n", counts->bram_halves / 2, counts->bram_halves % 2 ? ".5" : "",
           counts->dsp);
    for (int chains = 0; chains < CHAINS; chains++)
        if (counts->depth[chains] >= 0)
            printf("depth%d %d\n", chains, counts->depth[chains]);
}

static struct model *model_named(const struct design *design, const char *name)
{
    for (int m = 0; m < design->count; m++)
        if (strcmp(design->models[m].name, name) == 0)
            return &design->models[m];
    return NULL;
}

/* Adds the instances under a model to `instances`. */
static void count_instances(const struct design *design, const struct model *model, int times,
                            int *instances)
{
    instances[model - design->models] += times;
    for (int c = 0; c < model->count; c++) {
        const struct model *child = model_named(design, model->cells[c].type);
        if (child != NULL)
            count_instances(design, child, times, instances);
    }
}

/* A line a module: what it holds itself, without the modules in it. */
static void print_modules(const struct design *design)
{
    int *instances = zeroed((size_t)design->count, sizeof(int));
    bool *inside = zeroed((size_t)design->count, sizeof(bool));
    int total = 0;
    for (int m = 0; m < design->count; m++)
        for (int c = 0; c < design->models[m].count; c++) {
            const struct model *child = model_named(design, design->models[m].cells[c].type);
            if (child != NULL)
                inside[child - design->models] = true;
        }
    for (int m = 0; m < design->count; m++)
        if (!inside[m])
            count_instances(design, &design->models[m], 1, instances);
    free(inside);
    printf("%9s %9s %9s %7s %7s %5s  %s\n", "instances", "sites", "in all", "FF", "BRAM36", "DSP",
           "module");
    for (int m = 0; m < design->count; m++) {
        struct counts counts = count_model(&design->models[m], design->net_count);
        if (instances[m] == 0)
            continue;
        printf("%9d %9d %9d %7d %7.1f %5d  %s\n", instances[m], counts.sites,
               counts.sites * instances[m], counts.ff, counts.bram_halves / 2.0, counts.dsp,
               design->models[m].name);
        total += counts.sites * instances[m];
    }
    printf("%9s %9s %9d\n", "", "", total);
    free(instances);
}

int main(int argc, char **argv)
{
    bool modules = argc == 3 && strcmp(argv[1], "-m") == 0;
    if (argc != 2 + modules) {
        fputs("usage: count_sites [-m] NETLIST.blif\n", stderr);
        return 2;
    }
    FILE *file = fopen(argv[1 + modules], "r");
    if (file == NULL) {
        perror(argv[1 + modules]);
        return 2;
    }
    struct design design = {0};
    read_design(&design, file);
    fclose(file);
    if (design.count == 0 || (!modules && design.count != 1)) {
        fputs("count_sites: expected one model (flatten the design, or ask for modules with -m)\n",
              stderr);
        return 2;
    }
    if (modules) {
        print_modules(&design);
    } else {
        struct counts counts = count_model(&design.models[0], design.net_count);
        print_counts(&counts);
    }
    return 0;
}
