// SPDX-License-Identifier: Apache-2.0
/*
 * A netlist that Yosys mapped to a Xilinx family, read from BLIF (write_blif -cname -param): cells,
 * their pins, and nets by number. Programs of this folder stop with exit code 2 where the netlist
 * is not what they can read.
 */
#ifndef BITTERN_SYNTH_NETLIST_H
#define BITTERN_SYNTH_NETLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { NET_ZERO, NET_ONE, NET_UNDEFINED, NET_FIRST };

struct pin {
    char *name;
    int net;
    bool output;
};

struct cell {
    char *type;
    char *name;
    struct pin *pins;
    int count;
    struct pin *parameters; /* with their low bits in place of a net */
    int parameter_count;
    int child; /* number of the model that it is an instance of, or -1 */
};

struct model {
    char *name;
    struct cell *cells;
    int count, room;
    int *outputs; /* nets of its output ports */
    int output_count, output_room;
};

struct design {
    struct model *models;
    int count;
    char **names; /* of nets */
    int *slots;
    int net_count, net_room, slot_count;
};

/* Memory or the end of the program. */
void *netlist_zeroed(size_t count, size_t size);
/* Growing arrays: room for one more. */
void *netlist_grown(void *memory, int count, int *room, size_t size);

void netlist_read_design(struct design *design, FILE *file);
void netlist_close(struct design *design);

/* The net at a pin, NET_UNDEFINED where there is none. */
int netlist_pin_net(const struct cell *cell, const char *name);
int netlist_indexed_net(const struct cell *cell, const char *name, int index);
/* A parameter's value, `otherwise` where it is not given. */
int netlist_parameter(const struct cell *cell, const char *name, int otherwise);

bool netlist_begins(const char *text, const char *start);
bool netlist_is_constant(int net);
bool netlist_is_ff(const struct cell *cell);
bool netlist_is_clock(const char *pin);
/* Inputs of a LUT, 0 where the cell is none; positions of a carry cell; sites of LUTs that are
 * memory. */
int netlist_lut_size(const struct cell *cell);
int netlist_carry_size(const struct cell *cell);
int netlist_memory_sites(const struct cell *cell);

#endif
