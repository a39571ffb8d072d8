/* SPDX-License-Identifier: Apache-2.0 */
/* The card's compute units: Verilated kernels of one geometry, one beside the other. */
#ifndef BITTERN_SIM_XRT_CARD_UNITS_H
#define BITTERN_SIM_XRT_CARD_UNITS_H

#include "backend_options.h"
#include "card_memory.h"

#include <bittern/error.h>
#include <stdbool.h>

#define CARD_MAX_UNITS 8

struct card_units;

/* @param options  of each unit; its base, variant and trace count for nothing */
bittern_status card_units_create(const struct sim_options *options, uint32_t count,
                                 const struct card_memory *memory, struct card_units **units,
                                 struct bittern_error *err);
void card_units_free(struct card_units *units);

/* Some unit works on a run. */
bool card_units_are_busy(const struct card_units *units);
/* Let a little time pass for those that do: well below a millisecond. BITTERN_ERR_DEVICE where a
 * kernel breaks a rule of AXI4. */
bittern_status card_units_advance(struct card_units *units, struct bittern_error *err);

/* A register at an absolute address, as one access on the unit's AXI4-Lite. Reading the control
 * register of a unit that works first lets time pass: until its run has ended, or for 2 to 20 ms.
 */
bittern_status card_units_read(struct card_units *units, uint64_t address, uint32_t *value,
                               struct bittern_error *err);
bittern_status card_units_write(struct card_units *units, uint64_t address, uint32_t value,
                                struct bittern_error *err);

#endif
