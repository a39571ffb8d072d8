/* SPDX-License-Identifier: Apache-2.0 */
/* A meter without its thread, as tests drive it: they own the clock and call for each sample. */
#ifndef BITTERN_ENERGY_METER_H
#define BITTERN_ENERGY_METER_H

#include "sensor.h"

bittern_status energy_meter_open(enum bittern_energy_source source,
                                 const struct bittern_energy_meter_options *options,
                                 const struct energy_reader *reader,
                                 struct bittern_energy_meter **out, struct bittern_error *err);

void energy_meter_begin(struct bittern_energy_meter *meter);
void energy_meter_sample(struct bittern_energy_meter *meter);
/* Takes the last sample; `joules` and the rest of *measurement but idle. */
bittern_status energy_meter_end(struct bittern_energy_meter *meter,
                                struct bittern_energy_measurement *measurement,
                                struct bittern_error *err);
/* What measure_idle would have found. */
void energy_meter_set_idle(struct bittern_energy_meter *meter, double watts);

#endif
