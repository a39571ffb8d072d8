/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A save file of GTKWave for a waveform: the signals that one looks at first, grouped by unit in
 * the order in which data flows.
 */
#ifndef BITTERN_SIM_WAVEFORM_H
#define BITTERN_SIM_WAVEFORM_H

#include "model.h"

#include <bittern/error.h>

/**
 * Write the save file of a finished waveform. Names and widths are read from the waveform itself.
 * @param missing  out: the first signal of the list that the waveform lacks, [256], or ""; an RTL
 *                 that has moved on, which a test looks for. NULL if not wanted
 */
bittern_status waveform_write_save(const struct sim_model *model, const char *trace, char *missing,
                                   struct bittern_error *err);

#endif
