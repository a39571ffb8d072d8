/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads BLIF as Yosys writes it of one flat module: .inputs, .outputs, .subckt with .param behind
 * it, and .names as constants and as wires.
 */
#include "netlist_internal.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 28)
#define MAX_PINS 64

struct pin {
    const char *name;
    int net;
};

struct reader {
    struct netlist *netlist;
    const char *path;
    char *rest; /* of the file */
    bool has_cell;
    char type[32]; /* of the last .subckt, whose .param lines are still to come */
    struct pin pins[MAX_PINS];
    size_t pin_count;
    uint64_t init;
    bool inverted;
    struct bittern_error *err;
};

/* ---- Growing arrays, names ------------------------------------------------------------------- */

static bittern_status no_memory(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a netlist");
}

static bool grow(void **memory, size_t *room, size_t count, size_t size)
{
    if (count < *room) {
        return true;
    }
    size_t more = *room ? 2 * *room : 1024;
    void *grown = realloc(*memory, more * size);
    if (!grown) {
        return false;
    }
    *memory = grown;
    *room = more;
    return true;
}

static size_t hash_of(const char *name)
{
    size_t hash = 2166136261U;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    }
    return hash;
}

static size_t slot_of(const struct netlist *netlist, const char *name)
{
    size_t slot = hash_of(name) & (netlist->slot_count - 1);
    while (netlist->slots[slot] >= 0 && strcmp(netlist->names[netlist->slots[slot]], name) != 0) {
        slot = (slot + 1) & (netlist->slot_count - 1);
    }
    return slot;
}

static bool rehash(struct netlist *netlist)
{
    size_t count = netlist->slot_count ? 2 * netlist->slot_count : 4096;
    int *slots = malloc(count * sizeof *slots);
    if (!slots) {
        return false;
    }
    memset(slots, 0xff, count * sizeof *slots);
    free(netlist->slots);
    netlist->slots = slots;
    netlist->slot_count = count;
    for (size_t n = 0; n < netlist->net_count; n++) {
        netlist->slots[slot_of(netlist, netlist->names[n])] = (int)n;
    }
    return true;
}

/* The net of that name, made where there is none; negative: out of memory. */
static int net_of(struct netlist *netlist, const char *name)
{
    if (2 * netlist->net_count >= netlist->slot_count && !rehash(netlist)) {
        return -1;
    }
    size_t slot = slot_of(netlist, name);
    if (netlist->slots[slot] >= 0) {
        return netlist->slots[slot];
    }
    size_t room = netlist->net_room;
    size_t names_room = room;
    size_t alias_room = room;
    if (!grow((void **)&netlist->names, &names_room, netlist->net_count, sizeof(char *)) ||
        !grow((void **)&netlist->alias, &alias_room, netlist->net_count, sizeof(int)) ||
        !grow((void **)&netlist->nets, &room, netlist->net_count, sizeof(struct net))) {
        return -1;
    }
    netlist->net_room = room;
    char *copy = strdup(name);
    if (!copy) {
        return -1;
    }
    int net = (int)netlist->net_count++;
    netlist->names[net] = copy;
    netlist->alias[net] = net;
    netlist->nets[net] = (struct net){.driver = NET_CONSTANT};
    netlist->slots[slot] = net;
    return net;
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static int pin_net(const struct reader *r, const char *name, int otherwise)
{
    for (size_t i = 0; i < r->pin_count; i++) {
        if (strcmp(r->pins[i].name, name) == 0) {
            return r->pins[i].net;
        }
    }
    return otherwise;
}

static int pin_bit(const struct reader *r, const char *name, int bit, int otherwise)
{
    char full[32];
    (void)snprintf(full, sizeof full, "%s[%d]", name, bit);
    return pin_net(r, full, otherwise);
}

static bool fill_lut(struct reader *r, struct cell *cell, int inputs, int zero)
{
    cell->kind = CELL_LUT;
    cell->bits = inputs;
    cell->init = r->init;
    for (int i = 0; i < inputs; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "I%d", i);
        cell->inputs[i] = pin_net(r, name, zero);
    }
    cell->outputs[0] = pin_net(r, "O", -1);
    return cell->outputs[0] >= 0;
}

static void fill_carry(struct reader *r, struct cell *cell, int bits, int zero)
{
    cell->kind = CELL_CARRY;
    cell->bits = bits;
    cell->inputs[0] = pin_net(r, "CI", zero);
    cell->inputs[1] = pin_net(r, "CYINIT", zero);
    for (int i = 0; i < bits; i++) {
        cell->inputs[2 + i] = pin_bit(r, "DI", i, zero);
        cell->inputs[2 + bits + i] = pin_bit(r, "S", i, zero);
        cell->outputs[i] = pin_bit(r, "O", i, -1);
        cell->outputs[bits + i] = pin_bit(r, "CO", i, -1);
    }
}

static bool fill_register(struct reader *r, struct cell *cell, bool set, const char *control)
{
    int zero = net_of(r->netlist, "$false");
    int one = net_of(r->netlist, "$true");

    cell->kind = CELL_REGISTER;
    cell->init = set;
    cell->inputs[0] = pin_net(r, "D", zero);
    cell->inputs[1] = pin_net(r, "CE", one);
    cell->inputs[2] = pin_net(r, control, zero);
    cell->outputs[0] = pin_net(r, "Q", -1);
    return cell->outputs[0] >= 0 && !r->inverted;
}

/* The cell that the last .subckt and .param lines described. */
static bittern_status finish_cell(struct reader *r)
{
    struct netlist *netlist = r->netlist;
    struct cell cell = {.queued = -1};
    bool fine = true;

    if (!r->has_cell) {
        return BITTERN_OK;
    }
    r->has_cell = false;
    int zero = net_of(netlist, "$false");
    if (zero < 0 || net_of(netlist, "$true") < 0 ||
        !grow((void **)&netlist->cells, &netlist->cell_room, netlist->cell_count, sizeof cell)) {
        return no_memory(r->err);
    }
    if (strlen(r->type) == 4 && strncmp(r->type, "LUT", 3) == 0 && r->type[3] >= '1' &&
        r->type[3] <= '6') {
        fine = fill_lut(r, &cell, r->type[3] - '0', zero);
    } else if (strcmp(r->type, "INV") == 0) {
        r->init = 1;
        for (size_t i = 0; i < r->pin_count; i++) {
            r->pins[i].name = strcmp(r->pins[i].name, "I") == 0 ? "I0" : r->pins[i].name;
        }
        fine = fill_lut(r, &cell, 1, zero);
    } else if (strcmp(r->type, "CARRY4") == 0 || strcmp(r->type, "CARRY8") == 0) {
        fill_carry(r, &cell, r->type[5] - '0', zero);
    } else if (strcmp(r->type, "FDRE") == 0) {
        fine = fill_register(r, &cell, false, "R");
    } else if (strcmp(r->type, "FDSE") == 0) {
        fine = fill_register(r, &cell, true, "S");
    } else {
        fine = false;
    }
    if (!fine) {
        return bittern_error_set(r->err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: the netlist holds a primitive '%s' that cannot be replayed",
                                 r->path, r->type);
    }
    netlist->cells[netlist->cell_count++] = cell;
    return BITTERN_OK;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The next line, with its continuations joined; NULL at the end. */
static char *next_line(struct reader *r)
{
    char *line = r->rest;
    if (!*line) {
        return NULL;
    }
    char *end = line;
    while (*end && *end != '\n') {
        if (*end == '\\' && end[1] == '\n') {
            end[0] = end[1] = ' ';
        }
        end++;
    }
    r->rest = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

static bittern_status read_subckt(struct reader *r, char *words)
{
    char *rest = NULL;
    char *word = strtok_r(words, " ", &rest);

    r->has_cell = true;
    r->pin_count = 0;
    r->init = 0;
    r->inverted = false;
    (void)snprintf(r->type, sizeof r->type, "%s", word ? word : "");
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        char *equals = strchr(word, '=');
        if (!equals || r->pin_count == MAX_PINS) {
            return bittern_error_set(r->err, BITTERN_ERR_FORMAT, "%s: '%.64s' is no pin", r->path,
                                     word);
        }
        *equals = '\0';
        struct pin pin = {word, net_of(r->netlist, equals + 1)};
        if (pin.net < 0) {
            return no_memory(r->err);
        }
        r->pins[r->pin_count++] = pin;
    }
    return BITTERN_OK;
}

static void read_param(struct reader *r, char *words)
{
    char *rest = NULL;
    const char *name = strtok_r(words, " ", &rest);
    const char *value = strtok_r(NULL, " ", &rest);

    if (!name || !value) {
        return;
    }
    if (strcmp(name, "INIT") == 0) {
        r->init = 0;
        for (; *value; value++) {
            r->init = r->init << 1 | (*value == '1');
        }
    } else if (strncmp(name, "IS_", 3) == 0 && strchr(value, '1')) {
        r->inverted = true;
    }
}

/* Constants ($false, $true, $undef: drivers without inputs) and wires: one input, "1 1". */
static bittern_status read_names(struct reader *r, char *words)
{
    char *rest = NULL;
    const char *from = strtok_r(words, " ", &rest);
    const char *to = strtok_r(NULL, " ", &rest);
    const char *more = strtok_r(NULL, " ", &rest);

    if (!from || !to) {
        return BITTERN_OK;
    }
    int source = net_of(r->netlist, from);
    int target = net_of(r->netlist, to);
    if (source < 0 || target < 0 || !r->netlist->alias) {
        return no_memory(r->err);
    }
    if (more || strncmp(r->rest, "1 1\n", 4) != 0) {
        return bittern_error_set(r->err, BITTERN_ERR_UNSUPPORTED,
                                 "%s: logic that is not mapped, at '%.64s'", r->path, to);
    }
    r->netlist->alias[target] = source;
    return BITTERN_OK;
}

static bittern_status read_inputs(struct reader *r, char *words)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        int net = net_of(r->netlist, word);
        if (net < 0 || !r->netlist->nets) {
            return no_memory(r->err);
        }
        r->netlist->nets[net].driver = NET_INPUT;
    }
    return BITTERN_OK;
}

static bittern_status read_line(struct reader *r, char *line)
{
    char *space = strchr(line, ' ');
    char *words = space ? space + 1 : line + strlen(line);

    if (strncmp(line, ".param ", 7) == 0) {
        read_param(r, words);
        return BITTERN_OK;
    }
    /* A cell's name stands between its .subckt and its .param lines. */
    if (line[0] != '.' || strncmp(line, ".cname ", 7) == 0) {
        return BITTERN_OK;
    }
    bittern_status status = finish_cell(r);
    if (status != BITTERN_OK) {
        return status;
    }
    if (strncmp(line, ".subckt ", 8) == 0) {
        return read_subckt(r, words);
    }
    if (strncmp(line, ".names ", 7) == 0) {
        return read_names(r, words);
    }
    return strncmp(line, ".inputs ", 8) == 0 ? read_inputs(r, words) : BITTERN_OK;
}

/* ---- The file ------------------------------------------------------------------------------ */

bittern_status netlist_read(const char *path, struct netlist **out, struct bittern_error *err)
{
    struct reader r = {.path = path, .err = err};
    uint8_t *data = NULL;
    size_t size = 0;
    char *line;

    *out = NULL;
    bittern_status status = file_read(path, MAX_FILE, &data, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    r.rest = (char *)data;
    r.netlist = calloc(1, sizeof *r.netlist);
    if (!r.netlist) {
        status = no_memory(err);
        goto cleanup;
    }
    while (status == BITTERN_OK && (line = next_line(&r)) != NULL) {
        status = read_line(&r, line);
    }
    if (status == BITTERN_OK) {
        status = finish_cell(&r);
    }
    if (status == BITTERN_OK && (r.netlist->cell_count == 0 || !r.netlist->nets)) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "%s holds no netlist", path);
    }
    if (status == BITTERN_OK) {
        status = netlist_finish(r.netlist, path, err);
    }
    if (status == BITTERN_OK) {
        *out = r.netlist;
        r.netlist = NULL;
    }

cleanup:
    netlist_free(r.netlist);
    free(data);
    return status;
}

void netlist_free(struct netlist *netlist)
{
    if (!netlist) {
        return;
    }
    for (size_t n = 0; n < netlist->net_count; n++) {
        free(netlist->names[n]);
    }
    for (size_t i = 0; i < WHEEL; i++) {
        free(netlist->wheel[i].events);
    }
    free(netlist->nets);
    free(netlist->names);
    free(netlist->slots);
    free(netlist->alias);
    free(netlist->cells);
    free(netlist->readers);
    free(netlist->queue);
    free(netlist->register_next);
    free(netlist->inputs_next);
    free(netlist);
}

int netlist_find_port(const struct netlist *netlist, const char *port, int bit)
{
    char name[64];
    int length = bit < 0 ? snprintf(name, sizeof name, "%s", port)
                         : snprintf(name, sizeof name, "%s[%d]", port, bit);
    if (length < 0 || (size_t)length >= sizeof name) {
        return -1;
    }
    return netlist_resolve(netlist, netlist->slots[slot_of(netlist, name)]);
}

size_t netlist_register_count(const struct netlist *netlist)
{
    return netlist->cell_count - netlist->logic_count;
}
