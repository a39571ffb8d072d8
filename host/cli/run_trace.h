/* SPDX-License-Identifier: Apache-2.0 */
/* `bittern run --trace`: the waveform of chosen layers, from the simulated accelerator. */
#ifndef BITTERN_CLI_RUN_TRACE_H
#define BITTERN_CLI_RUN_TRACE_H

#include <bittern/error.h>
#include <bittern/program.h>
#include <stddef.h>

#define RUN_TRACE_DEFAULT_FILE "trace.fst"

/**
 * The settings of a simulated device that make it write the waveform of layers.
 * @param layers  "all", "layer:3" (counted from 0), "layer:2-4", or "layer:conv2"
 * @param file    to be written
 * @param device  the device's name as the user gave it; `name` is it with the settings
 * @return BITTERN_ERR_ARGUMENT with the layers that there are, where these are none
 */
bittern_status run_trace_device_name(const struct bittern_program *program, const char *layers,
                                     const char *file, const char *device, char *name, size_t size,
                                     struct bittern_error *err);

#endif
