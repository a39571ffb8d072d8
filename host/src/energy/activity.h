/* SPDX-License-Identifier: Apache-2.0 */
/* An activity file in memory; docs/bench-format.md says what its figures are. */
#ifndef BITTERN_ENERGY_ACTIVITY_H
#define BITTERN_ENERGY_ACTIVITY_H

#include <bittern/energy.h>

/* Changes of nets, an array cycle and unit, by what drives them. */
struct energy_changes {
    double input, lut, carry, register_;
};

struct energy_activity_layer {
    char *name;
    double cycles, enabled_cycles, compute_cycles, read_bytes, write_bytes;
    struct energy_changes toggles, routed, toggles_delayed, routed_delayed;
    double feature_read_toggles, feature_write_bytes, feature_write_toggles;
    double weight_reads, weight_read_toggles, weight_write_toggles;
};

struct bittern_energy_activity {
    uint32_t crc32;
    char geometry[16], family[16];
    double images, cycles, read_bytes, write_bytes; /* of the run that was recorded */
    double word_bits, output_channels, pixels;
    double kernel_sites, kernel_registers, feature_bram36, weight_bram36, dsp;
    double unit_sites, unit_registers;
    size_t layer_count;
    struct energy_activity_layer *layers;
    struct bittern_energy_layer_load *loads; /* [layer_count], an image of that run */
};

/* From memory; `name` stands in messages. */
bittern_status energy_activity_parse(const char *name, const char *text, size_t size,
                                     struct bittern_energy_activity **out,
                                     struct bittern_error *err);

#endif
