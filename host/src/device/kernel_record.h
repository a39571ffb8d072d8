/* SPDX-License-Identifier: Apache-2.0 */
/* The record that a kernel leaves in device memory at the end of a run (docs/device-program.md). */
#ifndef BITTERN_DEVICE_KERNEL_RECORD_H
#define BITTERN_DEVICE_KERNEL_RECORD_H

#include "device/kernel_registers.h"

#include <bittern/device.h>
#include <stdbool.h>
#include <stddef.h>

struct kernel_record {
    uint32_t error_code, descriptor; /* how it ended, and where */
    uint32_t layer_records, images;
    struct bittern_counters counters; /* all but nanoseconds */
};

struct kernel_layer_record {
    uint32_t layer, images;
    uint32_t cycles, compute_cycles, weight_stall_cycles, input_stall_cycles, output_stall_cycles;
};

/* False where no record was written there. data: KERNEL_RECORD_HEAD bytes. */
bool kernel_record_parse(const uint8_t *data, struct kernel_record *record);
/* What a record says of the kernel that wrote it; the geometry's name is left as it is. The way to
 * know a kernel whose registers cannot be read: a run of 0 images leaves nothing but a record.
 * @param data  KERNEL_RECORD_HEAD bytes
 * @return BITTERN_ERR_DEVICE where there is no record, or one of another version */
bittern_status kernel_record_identify(const uint8_t *data, struct bittern_geometry *geometry,
                                      struct bittern_error *err);
/* data: KERNEL_RECORD_LAYER bytes. */
void kernel_layer_record_parse(const uint8_t *data, struct kernel_layer_record *record);

/* Add the layer records of a whole record region of `size` bytes to layers[0..count-1]; false, with
 * nothing added, where there is no record, or one that says more than the region holds. */
bool kernel_record_add_layers(const uint8_t *data, size_t size,
                              struct bittern_layer_profile *layers, size_t count);

#endif
