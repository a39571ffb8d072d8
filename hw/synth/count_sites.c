// SPDX-License-Identifier: Apache-2.0
/*
 * Counts what a netlist that Yosys mapped to a Xilinx family occupies, and how deep its logic is.
 *
 * Reads BLIF (write_blif -cname -param), a model or several; prints "name value" lines of the
 * whole, or with -m a line for each model. packing.h says how sites are counted, timing.h how depth
 * is, resets.h what a reset reaches; with -p and -r paths and registers are printed.
 *
 * Depth of several models is that of the deepest one, where LUTs between a register and an input of
 * a kept module are added to all of that module's paths: never less than the depth of the whole.
 * Carry chains there, and logic behind a kept module's registers, stop the program.
 */
#include "netlist.h"
#include "packing.h"
#include "resets.h"
#include "timing.h"

#include <stdlib.h>
#include <string.h>

struct counts {
    int lut[LUT_INPUTS + 1];
    int memory, pairs, sites, ff, carry, bram_halves, dsp;
    int depth[TIMING_CHAINS];
    struct resets resets;
};

static void count_cells(const struct model *model, struct counts *counts)
{
    for (int c = 0; c < model->count; c++) {
        const struct cell *cell = &model->cells[c];
        counts->lut[netlist_lut_size(cell)]++;
        counts->memory += netlist_memory_sites(cell);
        counts->carry += netlist_carry_size(cell) > 0;
        counts->ff += netlist_is_ff(cell);
        counts->bram_halves +=
            netlist_begins(cell->type, "RAMB36") ? 2 : netlist_begins(cell->type, "RAMB18");
        counts->dsp += netlist_begins(cell->type, "DSP48");
    }
}

static struct counts count_model(const struct design *design, const struct model *model)
{
    struct counts counts = {0};
    struct packing packing;
    packing_open(&packing, model, design->net_count);
    count_cells(model, &counts);
    counts.pairs = packing.pairs;
    counts.sites = packing.sites + counts.memory;
    timing_measure_depth(&packing, model, counts.depth);
    resets_count(&packing, model, design, &counts.resets);
    packing_close(&packing);
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
    printf("reset %d\nreset_logic %d\ncleared %d\n", counts->resets.by_pin, counts->resets.by_logic,
           counts->resets.cleared);
    for (int chains = 0; chains < TIMING_CHAINS; chains++)
        if (counts->depth[chains] >= 0)
            printf("depth%d %d\n", chains, counts->depth[chains]);
}

/* Adds the instances under a model to `instances`. */
static void count_instances(const struct design *design, const struct model *model, int times,
                            int *instances)
{
    instances[model - design->models] += times;
    for (int c = 0; c < model->count; c++)
        if (model->cells[c].child >= 0)
            count_instances(design, &design->models[model->cells[c].child], times, instances);
}

/* How often each model occurs under those that are no part of others; `top` is one of these. */
static int *find_instances(const struct design *design, int *top)
{
    int *instances = netlist_zeroed((size_t)design->count, sizeof(int));
    bool *inside = netlist_zeroed((size_t)design->count, sizeof(bool));
    for (int m = 0; m < design->count; m++)
        for (int c = 0; c < design->models[m].count; c++)
            if (design->models[m].cells[c].child >= 0)
                inside[design->models[m].cells[c].child] = true;
    for (int m = 0; m < design->count; m++)
        if (!inside[m]) {
            *top = m;
            count_instances(design, &design->models[m], 1, instances);
        }
    free(inside);
    return instances;
}

/* A line a module: what it holds itself, without the modules in it. */
static void print_modules(const struct design *design)
{
    int top = 0, total = 0;
    int *instances = find_instances(design, &top);
    printf("%9s %9s %9s %7s %7s %5s  %s\n", "instances", "sites", "in all", "FF", "BRAM36", "DSP",
           "module");
    for (int m = 0; m < design->count; m++) {
        struct counts counts = count_model(design, &design->models[m]);
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

/* LUTs before the inputs of kept modules. */
static int measure_border(const struct design *design, const int *instances, int top)
{
    int most = 0;
    for (int m = 0; m < design->count; m++) {
        if (instances[m] == 0)
            continue;
        const struct model *model = &design->models[m];
        struct packing packing;
        packing_open(&packing, model, design->net_count);
        int luts = timing_measure_border(&packing, model, m != top);
        packing_close(&packing);
        if (luts >= TIMING_BORDER_CHAIN || (m != top && luts > 0)) {
            fprintf(stderr, "count_sites: %s has too much logic at a border: flatten it\n",
                    model->name);
            exit(2);
        }
        most = luts > most ? luts : most;
    }
    return most;
}

static void add_counts(struct counts *into, const struct counts *from, int times)
{
    for (int size = 1; size <= LUT_INPUTS; size++)
        into->lut[size] += times * from->lut[size];
    into->memory += times * from->memory;
    into->pairs += times * from->pairs;
    into->sites += times * from->sites;
    into->ff += times * from->ff;
    into->carry += times * from->carry;
    into->bram_halves += times * from->bram_halves;
    into->dsp += times * from->dsp;
    into->resets.by_pin += times * from->resets.by_pin;
    into->resets.by_logic += times * from->resets.by_logic;
    into->resets.cleared += times * from->resets.cleared;
    for (int chains = 0; chains < TIMING_CHAINS; chains++)
        if (from->depth[chains] > into->depth[chains])
            into->depth[chains] = from->depth[chains];
}

static void print_whole(const struct design *design)
{
    int top = 0;
    int *instances = find_instances(design, &top);
    struct counts whole = {.depth = {-1, -1, -1, -1}};
    int border = design->count > 1 ? measure_border(design, instances, top) : 0;
    for (int m = 0; m < design->count; m++) {
        if (instances[m] == 0)
            continue;
        struct counts counts = count_model(design, &design->models[m]);
        for (int chains = 0; m != top && chains < TIMING_CHAINS; chains++)
            if (counts.depth[chains] >= 0)
                counts.depth[chains] += border;
        add_counts(&whole, &counts, instances[m]);
    }
    print_counts(&whole);
    free(instances);
}

static void print_details(const struct design *design, int paths)
{
    int top = 0;
    int *instances = find_instances(design, &top);
    for (int m = 0; m < design->count; m++) {
        if (instances[m] == 0)
            continue;
        if (design->count > 1)
            printf("%s:\n", design->models[m].name);
        struct packing packing;
        packing_open(&packing, &design->models[m], design->net_count);
        if (paths > 0)
            timing_print_paths(&packing, &design->models[m], design, 1, paths);
        else
            resets_print(&packing, &design->models[m], design);
        packing_close(&packing);
    }
    free(instances);
}

static int usage(void)
{
    fputs("usage: count_sites [-m | -p NUMBER | -r] NETLIST.blif\n"
          "  -m         a line a module, of a netlist with hierarchy\n"
          "  -p NUMBER  the deepest paths: LUTs + carry chains, ends alike, the way\n"
          "  -r         the registers that the reset reaches\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *option = argc > 2 ? argv[1] : "";
    bool modules = argc == 3 && strcmp(option, "-m") == 0;
    bool resets = argc == 3 && strcmp(option, "-r") == 0;
    int paths = argc == 4 && strcmp(option, "-p") == 0 ? atoi(argv[2]) : 0;
    if (argc < 2 || (argc > 2 && !modules && !resets && paths <= 0))
        return usage();
    const char *path = argv[argc - 1];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 2;
    }
    struct design design = {0};
    netlist_read_design(&design, file);
    fclose(file);
    if (design.count == 0) {
        fprintf(stderr, "count_sites: %s holds no model\n", path);
        return 2;
    }
    if (modules)
        print_modules(&design);
    else if (paths > 0 || resets)
        print_details(&design, paths);
    else
        print_whole(&design);
    netlist_close(&design);
    return 0;
}
