// SPDX-License-Identifier: Apache-2.0
#include "netlist.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_ROOM = 1 << 20 }; /* characters of a line, continuations joined */

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("count_sites: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

void *netlist_zeroed(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size));
}

void *netlist_grown(void *memory, int count, int *room, size_t size)
{
    if (count < *room)
        return memory;
    *room = *room ? 2 * *room : 64;
    return must(realloc(memory, (size_t)*room * size));
}

static char *copied(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must(malloc(size)), text, size);
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
    design->slots = netlist_zeroed((size_t)design->slot_count, sizeof(int));
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
    design->names =
        netlist_grown(design->names, design->net_count, &design->net_room, sizeof(char *));
    design->names[design->net_count] = copied(name);
    design->slots[slot & mask] = design->net_count + 1;
    return design->net_count++;
}

static struct cell *add_cell(struct model *model, const char *type)
{
    model->cells = netlist_grown(model->cells, model->count, &model->room, sizeof(struct cell));
    struct cell *cell = &model->cells[model->count++];
    *cell = (struct cell){.type = copied(type), .name = copied("")};
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

static void read_outputs(struct design *design, struct model *model)
{
    for (char *name; (name = strtok(NULL, " \n")) != NULL;) {
        model->outputs =
            netlist_grown(model->outputs, model->output_count, &model->output_room, sizeof(int));
        model->outputs[model->output_count++] = net_of(design, name);
    }
}

/* Numbers of registers in a DSP block, and the like; texts of memories and LUTs are left out. */
static void read_parameter(struct cell *cell)
{
    char *name = strtok(NULL, " \n");
    char *bits = strtok(NULL, " \n");
    if (bits == NULL || !netlist_begins(cell->type, "DSP"))
        return;
    size_t length = strlen(bits);
    long value = strtol(length > 16 ? bits + length - 16 : bits, NULL, 2);
    cell->parameters =
        must(realloc(cell->parameters, (size_t)(cell->parameter_count + 1) * sizeof(struct pin)));
    cell->parameters[cell->parameter_count++] =
        (struct pin){.name = copied(name), .net = (int)value};
}

/* Of a cell of the family. */
static bool is_output(const char *pin)
{
    static const char *const starts[] = {"CO",          "Q",        "DO",           "SPO",
                                         "DPO",         "P[",       "PCOUT",        "ACOUT",
                                         "BCOUT",       "CARRYOUT", "CARRYCASCOUT", "CASCADEOUT",
                                         "MULTSIGNOUT", "OVERFLOW", "PATTERN",      "UNDERFLOW"};
    if (pin[0] == 'O' && (pin[1] == '\0' || pin[1] == '[' || (pin[1] >= '5' && pin[1] <= '6')))
        return true;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (netlist_begins(pin, starts[i]))
            return true;
    return false;
}

/* Instances of models, and which pins drive nets. */
static void link_cells(struct design *design)
{
    bool **driven = netlist_zeroed((size_t)design->count, sizeof(bool *)); /* by a model's ports */
    int *model_of = NULL;
    int known = 0;
    /* Names of models and pins become numbers first, so that the tables know them all. */
    for (int m = 0; m < design->count; m++)
        net_of(design, design->models[m].name);
    for (int m = 0; m < design->count; m++)
        for (int c = 0; c < design->models[m].count; c++) {
            struct cell *cell = &design->models[m].cells[c];
            net_of(design, cell->type);
            for (int i = 0; design->count > 1 && i < cell->count; i++)
                net_of(design, cell->pins[i].name);
        }
    known = design->net_count;
    model_of = netlist_zeroed((size_t)known, sizeof(int));
    for (int m = 0; m < design->count; m++) {
        model_of[net_of(design, design->models[m].name)] = m + 1;
        driven[m] = netlist_zeroed((size_t)known, sizeof(bool));
        for (int i = 0; i < design->models[m].output_count; i++)
            driven[m][design->models[m].outputs[i]] = true;
    }
    for (int m = 0; m < design->count; m++)
        for (int c = 0; c < design->models[m].count; c++) {
            struct cell *cell = &design->models[m].cells[c];
            cell->child = model_of[net_of(design, cell->type)] - 1;
            for (int i = 0; i < cell->count; i++)
                cell->pins[i].output = cell->child >= 0
                                           ? driven[cell->child][net_of(design, cell->pins[i].name)]
                                           : is_output(cell->pins[i].name);
        }
    for (int m = 0; m < design->count; m++)
        free(driven[m]);
    free(driven);
    free(model_of);
}

void netlist_read_design(struct design *design, FILE *file)
{
    char *line = must(malloc(LINE_ROOM));
    net_of(design, "$false");
    net_of(design, "$true");
    net_of(design, "$undef");
    struct model *model = NULL;
    struct cell *cell = NULL; /* that .cname and .param belong to */
    while (fgets(line, LINE_ROOM, file) != NULL) {
        char *word = strtok(line, " \n");
        if (word == NULL || *word == '#')
            continue;
        if (strcmp(word, ".model") == 0) {
            design->models =
                must(realloc(design->models, (size_t)(design->count + 1) * sizeof(struct model)));
            model = &design->models[design->count++];
            *model = (struct model){.name = copied(strtok(NULL, " \n"))};
            cell = NULL;
        } else if (model != NULL && strcmp(word, ".subckt") == 0) {
            read_subckt(design, model);
            cell = model->count ? &model->cells[model->count - 1] : NULL;
        } else if (model != NULL && strcmp(word, ".names") == 0) {
            read_names(design, model);
            cell = NULL;
        } else if (model != NULL && strcmp(word, ".outputs") == 0) {
            read_outputs(design, model);
        } else if (cell != NULL && strcmp(word, ".cname") == 0) {
            char *name = strtok(NULL, " \n");
            free(cell->name);
            cell->name = copied(name != NULL ? name : "");
        } else if (cell != NULL && strcmp(word, ".param") == 0) {
            read_parameter(cell);
        }
    }
    free(line);
    link_cells(design);
}

static void free_pins(struct pin *pins, int count)
{
    for (int i = 0; i < count; i++)
        free(pins[i].name);
    free(pins);
}

void netlist_close(struct design *design)
{
    for (int m = 0; m < design->count; m++) {
        struct model *model = &design->models[m];
        for (int c = 0; c < model->count; c++) {
            free_pins(model->cells[c].pins, model->cells[c].count);
            free_pins(model->cells[c].parameters, model->cells[c].parameter_count);
            free(model->cells[c].type);
            free(model->cells[c].name);
        }
        free(model->cells);
        free(model->outputs);
        free(model->name);
    }
    for (int net = 0; net < design->net_count; net++)
        free(design->names[net]);
    free(design->models);
    free(design->names);
    free(design->slots);
    *design = (struct design){0};
}

int netlist_pin_net(const struct cell *cell, const char *name)
{
    for (int i = 0; i < cell->count; i++)
        if (strcmp(cell->pins[i].name, name) == 0)
            return cell->pins[i].net;
    return NET_UNDEFINED;
}

int netlist_indexed_net(const struct cell *cell, const char *name, int index)
{
    char pin[16];
    snprintf(pin, sizeof(pin), "%s[%d]", name, index);
    return netlist_pin_net(cell, pin);
}

int netlist_parameter(const struct cell *cell, const char *name, int otherwise)
{
    for (int i = 0; i < cell->parameter_count; i++)
        if (strcmp(cell->parameters[i].name, name) == 0)
            return cell->parameters[i].net;
    return otherwise;
}

bool netlist_begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool netlist_is_constant(int net)
{
    return net < NET_FIRST;
}

int netlist_lut_size(const struct cell *cell)
{
    if (strcmp(cell->type, "INV") == 0)
        return 1;
    if (netlist_begins(cell->type, "LUT") && cell->type[3] >= '1' && cell->type[3] <= '6' &&
        cell->type[4] == '\0')
        return cell->type[3] - '0';
    return 0;
}

int netlist_carry_size(const struct cell *cell)
{
    return strcmp(cell->type, "CARRY4") == 0 ? 4 : strcmp(cell->type, "CARRY8") == 0 ? 8 : 0;
}

bool netlist_is_ff(const struct cell *cell)
{
    return netlist_begins(cell->type, "FD") || netlist_begins(cell->type, "LD");
}

int netlist_memory_sites(const struct cell *cell)
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

bool netlist_is_clock(const char *pin)
{
    return strcmp(pin, "C") == 0 || strcmp(pin, "WCLK") == 0 || netlist_begins(pin, "CLK");
}
