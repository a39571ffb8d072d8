/* SPDX-License-Identifier: Apache-2.0 */
/* The model's arithmetic for one set of coefficients; docs/energy.md has it as equations. */
#ifndef BITTERN_ENERGY_MODEL_H
#define BITTERN_ENERGY_MODEL_H

#include "activity.h"
#include "coefficients.h"

/* Parts of one layer, or (layer == layer_count) of what lies outside of all layers; joules an
 * image. */
void energy_layer_parts(const struct energy_family *family, const double *coefficients,
                        const struct bittern_energy_activity *activity,
                        const struct bittern_energy_load *load, size_t layer, double *parts);

/* All parts of all layers. */
double energy_total(const struct energy_family *family, const double *coefficients,
                    const struct bittern_energy_activity *activity,
                    const struct bittern_energy_load *load);

/* That the three belong together; *family is the activity's. */
bittern_status energy_check(const struct bittern_energy_coefficients *coefficients,
                            const struct bittern_energy_activity *activity,
                            const struct bittern_energy_load *load,
                            const struct energy_family **family, struct bittern_error *err);

/* Sorts `values`. */
void energy_percentiles(double *values, size_t count, double nominal,
                        struct bittern_energy_range *range);

#endif
