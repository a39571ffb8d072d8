/* SPDX-License-Identifier: Apache-2.0 */
/* Coefficients of the energy model; host/data/energy-coefficients.json says what each one is. */
#ifndef BITTERN_ENERGY_COEFFICIENTS_H
#define BITTERN_ENERGY_COEFFICIENTS_H

#include <bittern/energy.h>
#include <stdint.h>

enum energy_coefficient {
    ENERGY_TOGGLE_LUT,
    ENERGY_TOGGLE_CARRY,
    ENERGY_TOGGLE_REGISTER,
    ENERGY_TOGGLE_ROUTED,
    ENERGY_GLITCH_SHARE,
    ENERGY_BRAM_READ,
    ENERGY_BRAM_WRITE,
    ENERGY_BRAM_BIT,
    ENERGY_FEATURE_ENABLED_SHARE,
    ENERGY_CONTROL_ACTIVITY,
    ENERGY_CONTROL_READERS,
    ENERGY_DSP_CYCLE,
    ENERGY_CLOCK_REGISTER,
    ENERGY_OFF_CHIP_BIT,
    ENERGY_STATIC_WATTS,
    ENERGY_COEFFICIENTS
};

#define ENERGY_FAMILIES 8

struct energy_family {
    char name[16];
    char part[96];
    double device_sites;
    struct bittern_energy_range values[ENERGY_COEFFICIENTS]; /* joules, watts or plain numbers */
};

struct bittern_energy_coefficients {
    char name[128];
    size_t family_count;
    struct energy_family families[ENERGY_FAMILIES];
};

extern const unsigned char energy_coefficients_data[];
extern const unsigned long energy_coefficients_size;

const struct energy_family *
energy_family_find(const struct bittern_energy_coefficients *coefficients, const char *name);

/* Draw each coefficient once: half of the draws lie below its nominal value and half above, denser
 * towards it. */
void energy_coefficients_draw(const struct energy_family *family, uint64_t *state, double *values);
/* All at one end: -1 low, 0 nominal, 1 high. */
void energy_coefficients_end(const struct energy_family *family, int end, double *values);

#endif
