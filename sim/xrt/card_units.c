/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time passes for a unit only while it works on a run, and in accesses to its registers. XRT finds
 * out that a run has ended by reading the control register, without any pause; as long as such a
 * read waits for its answer the host's processor is free for the simulation.
 *
 * Whether a run has ended is read from the state register, which changes nothing: done, in the
 * control register, is cleared by reading and so is left to the host.
 */
#include "card_units.h"

#include "kernel.h"
#include "xclbin_parts.h"

#include "device/kernel_registers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define SLICE 64                      /* cycles; 'edge' needs about 0.2 ms */
#define HOLD_NANOSECONDS 2000000      /* at first, */
#define HOLD_DIVISOR 16               /* then this part of the run's time, */
#define MAX_HOLD_NANOSECONDS 20000000 /* up to here */
#define STUCK_READS 1000

struct unit {
    struct sim_kernel *kernel;
    bool running;
    int64_t started; /* nanoseconds */
};

struct card_units {
    uint32_t count;
    const struct card_memory *memory;
    struct unit items[CARD_MAX_UNITS];
};

static uint8_t *find_memory(void *user, uint64_t address, uint64_t size)
{
    const struct card_units *units = user;
    return card_memory_find(units->memory, address, size);
}

static bittern_status make_unit(struct card_units *units, struct unit *unit,
                                const struct sim_options *options, struct bittern_error *err)
{
    const struct sim_kernel_options kernel_options = {
        .memory = options->memory, .variant = "", .find = find_memory, .user = units};

    bittern_status status =
        sim_kernel_create(options->geometry, &kernel_options, &unit->kernel, err);
    for (size_t i = 0; status == BITTERN_OK && i < options->fault_count; i++) {
        status = axi_memory_add_fault(sim_kernel_memory(unit->kernel), &options->faults[i], err);
    }
    if (status == BITTERN_OK && options->has_watchdog) {
        status = sim_kernel_write(unit->kernel, KERNEL_WATCHDOG, options->watchdog, err);
    }
    return status;
}

bittern_status card_units_create(const struct sim_options *options, uint32_t count,
                                 const struct card_memory *memory, struct card_units **units_out,
                                 struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct card_units *units = calloc(1, sizeof *units);

    *units_out = NULL;
    if (!units) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for compute units");
    }
    units->memory = memory;
    for (units->count = 0; status == BITTERN_OK && units->count < count; units->count++) {
        status = make_unit(units, &units->items[units->count], options, err);
    }
    if (status == BITTERN_OK) {
        *units_out = units;
    } else {
        card_units_free(units);
    }
    return status;
}

void card_units_free(struct card_units *units)
{
    for (uint32_t i = 0; units && i < units->count; i++) {
        sim_kernel_destroy(units->items[i].kernel);
    }
    free(units);
}

bool card_units_are_busy(const struct card_units *units)
{
    for (uint32_t i = 0; i < units->count; i++) {
        if (units->items[i].running) {
            return true;
        }
    }
    return false;
}

static bittern_status advance_unit(struct unit *unit, struct bittern_error *err)
{
    uint32_t state;
    struct axi_memory *memory = sim_kernel_memory(unit->kernel);

    (void)sim_kernel_run(unit->kernel, SLICE);
    const char *violation = axi_memory_violation(memory);
    if (violation) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "the kernel broke a rule of AXI4: %s",
                                 violation);
    }
    bittern_status status = sim_kernel_read(unit->kernel, KERNEL_STATE, &state, err);
    if (status != BITTERN_OK || (state != KERNEL_STATE_IDLE && state != KERNEL_STATE_STUCK)) {
        return status;
    }
    unit->running = false;
    axi_memory_release_stuck(memory);
    /* On a board time goes on between two runs: the kernel gets through with what was stuck. */
    for (int i = 0; i < STUCK_READS && status == BITTERN_OK && state == KERNEL_STATE_STUCK; i++) {
        status = sim_kernel_read(unit->kernel, KERNEL_STATE, &state, err);
    }
    return status;
}

bittern_status card_units_advance(struct card_units *units, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (uint32_t i = 0; status == BITTERN_OK && i < units->count; i++) {
        if (units->items[i].running) {
            status = advance_unit(&units->items[i], err);
        }
    }
    return status;
}

/* ---- Registers ------------------------------------------------------------------------------- */

static struct unit *find_unit(struct card_units *units, uint64_t address, uint32_t *offset,
                              struct bittern_error *err)
{
    uint64_t distance = address - XCLBIN_UNIT_BASE;
    if (address < XCLBIN_UNIT_BASE || distance / XCLBIN_UNIT_RANGE >= units->count) {
        (void)bittern_error_set(err, BITTERN_ERR_RANGE,
                                "there is no register at address 0x%" PRIx64, address);
        return NULL;
    }
    *offset = (uint32_t)(distance % XCLBIN_UNIT_RANGE);
    return &units->items[distance / XCLBIN_UNIT_RANGE];
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Each answer costs the host some 50 us, and any other call of it waits meanwhile. */
static int64_t hold_until(const struct unit *unit)
{
    int64_t now = nanoseconds();
    int64_t hold = (now - unit->started) / HOLD_DIVISOR;
    hold = hold < HOLD_NANOSECONDS ? HOLD_NANOSECONDS : hold;
    return now + (hold < MAX_HOLD_NANOSECONDS ? hold : MAX_HOLD_NANOSECONDS);
}

bittern_status card_units_read(struct card_units *units, uint64_t address, uint32_t *value,
                               struct bittern_error *err)
{
    uint32_t offset = 0;
    bittern_status status = BITTERN_OK;
    struct unit *unit = find_unit(units, address, &offset, err);

    if (!unit) {
        return BITTERN_ERR_RANGE;
    }
    int64_t end = unit->running && offset == KERNEL_CONTROL ? hold_until(unit) : 0;
    while (status == BITTERN_OK && unit->running && nanoseconds() < end) {
        status = card_units_advance(units, err);
    }
    return status == BITTERN_OK ? sim_kernel_read(unit->kernel, offset, value, err) : status;
}

bittern_status card_units_write(struct card_units *units, uint64_t address, uint32_t value,
                                struct bittern_error *err)
{
    uint32_t offset = 0;
    struct unit *unit = find_unit(units, address, &offset, err);

    if (!unit) {
        return BITTERN_ERR_RANGE;
    }
    bittern_status status = sim_kernel_write(unit->kernel, offset, value, err);
    if (status == BITTERN_OK && offset == KERNEL_CONTROL && (value & KERNEL_CONTROL_START) != 0) {
        unit->running = true;
        unit->started = nanoseconds();
        axi_memory_begin_run(sim_kernel_memory(unit->kernel));
    }
    return status;
}
