// SPDX-License-Identifier: Apache-2.0
#include "resets.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 256 };

struct cone {
    const struct packing *packing;
    const struct design *design;
    signed char *reached; /* of a net: 1 yes, 0 no, -1 not known yet */
};

struct register_name {
    char name[NAME_ROOM];
    bool by_pin;
    int bits;
};

static bool is_reset(const char *name)
{
    const char *last = strrchr(name, '.');
    last = last != NULL ? last + 1 : name;
    size_t length = strlen(last);
    return (length >= 5 && strcmp(last + length - 5, "rst_n") == 0) ||
           (length >= 9 && strcmp(last + length - 9, "rst_n_reg") == 0);
}

static bool reaches(struct cone *cone, int net)
{
    if (cone->reached[net] >= 0)
        return cone->reached[net] > 0;
    const struct packing *packing = cone->packing;
    bool found = !netlist_is_constant(net) && is_reset(cone->design->names[net]);
    cone->reached[net] = found;
    int lut = packing->lut_of[net];
    for (int i = 0; !found && lut >= 0 && i < packing->luts[lut].count; i++)
        found = reaches(cone, packing->luts[lut].inputs[i]);
    int p = packing->o_of[net] >= 0 ? packing->o_of[net] : packing->co_of[net];
    for (; !found && lut < 0 && p >= 0; p = packing->positions[p].below) {
        const struct position *position = &packing->positions[p];
        found = reaches(cone, position->s) || reaches(cone, position->di) ||
                (position->ci >= NET_FIRST && reaches(cone, position->ci));
    }
    cone->reached[net] = found;
    return found;
}

static bool pin_reached(struct cone *cone, const struct cell *cell, const char *pin)
{
    return reaches(cone, packing_resolve(cone->packing, netlist_pin_net(cell, pin)));
}

static struct cone open_cone(const struct packing *packing, const struct design *design)
{
    struct cone cone = {.packing = packing, .design = design};
    cone.reached = netlist_zeroed((size_t)packing->net_count, 1);
    memset(cone.reached, -1, (size_t)packing->net_count);
    return cone;
}

static bool by_pin(struct cone *cone, const struct cell *cell)
{
    return pin_reached(cone, cell, "R") || pin_reached(cone, cell, "S");
}

static bool by_logic(struct cone *cone, const struct cell *cell)
{
    return pin_reached(cone, cell, "D") || pin_reached(cone, cell, "CE");
}

static bool is_driven(const struct cone *cone, const struct cell *cell, const char *pin)
{
    return !netlist_is_constant(packing_resolve(cone->packing, netlist_pin_net(cell, pin)));
}

void resets_count(const struct packing *packing, const struct model *model,
                  const struct design *design, struct resets *resets)
{
    struct cone cone = open_cone(packing, design);
    *resets = (struct resets){0};
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        if (!netlist_is_ff(cell))
            continue;
        bool pin = by_pin(&cone, cell);
        resets->by_pin += pin;
        resets->by_logic += !pin && by_logic(&cone, cell);
        resets->cleared += !pin && (is_driven(&cone, cell, "R") || is_driven(&cone, cell, "S"));
    }
    free(cone.reached);
}

static int compare_names(const void *a, const void *b)
{
    const struct register_name *x = a, *y = b;
    return x->by_pin != y->by_pin ? y->by_pin - x->by_pin : strcmp(x->name, y->name);
}

void resets_print(const struct packing *packing, const struct model *model,
                  const struct design *design)
{
    struct cone cone = open_cone(packing, design);
    struct register_name *names = NULL;
    int count = 0, room = 0;
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        if (!netlist_is_ff(cell) || (!by_pin(&cone, cell) && !by_logic(&cone, cell)))
            continue;
        names = netlist_grown(names, count, &room, sizeof(struct register_name));
        struct register_name *name = &names[count++];
        *name = (struct register_name){.by_pin = by_pin(&cone, cell), .bits = 1};
        snprintf(name->name, NAME_ROOM, "%s",
                 design->names[packing_resolve(packing, netlist_pin_net(cell, "Q"))]);
        char *bit = strrchr(name->name, '[');
        if (bit != NULL && bit[strlen(bit) - 1] == ']')
            *bit = '\0';
    }
    free(cone.reached);
    if (count > 0)
        qsort(names, (size_t)count, sizeof(struct register_name), compare_names);
    for (int n = 0; n < count; n++) {
        if (n + 1 < count && compare_names(&names[n], &names[n + 1]) == 0) {
            names[n + 1].bits += names[n].bits;
            continue;
        }
        printf("%6d %-6s %s\n", names[n].bits, names[n].by_pin ? "reset" : "logic", names[n].name);
    }
    free(names);
}
