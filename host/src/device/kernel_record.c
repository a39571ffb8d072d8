/* SPDX-License-Identifier: Apache-2.0 */
/* Records from little-endian bytes. */
#include "device/kernel_record.h"

#include <inttypes.h>
#include <string.h>

static uint32_t word_of(const uint8_t *data, size_t index)
{
    const uint8_t *bytes = data + 4 * index;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint64_t pair_of(const uint8_t *data, size_t index)
{
    return (uint64_t)word_of(data, index + 1) << 32 | word_of(data, index);
}

bool kernel_record_parse(const uint8_t *data, struct kernel_record *record)
{
    memset(record, 0, sizeof *record);
    if (word_of(data, 0) != KERNEL_MAGIC_VALUE || word_of(data, 1) != KERNEL_VERSION_VALUE) {
        return false;
    }
    record->error_code = word_of(data, 8);
    record->descriptor = word_of(data, 9);
    record->counters.cycles = pair_of(data, 10);
    record->counters.compute_cycles = pair_of(data, 12);
    record->counters.weight_stall_cycles = pair_of(data, 14);
    record->counters.input_stall_cycles = pair_of(data, 16);
    record->counters.output_stall_cycles = pair_of(data, 18);
    record->counters.read_beats = pair_of(data, 20);
    record->counters.write_beats = pair_of(data, 22);
    record->layer_records = word_of(data, 24);
    record->images = word_of(data, 25);
    return true;
}

bittern_status kernel_record_identify(const uint8_t *data, struct bittern_geometry *geometry,
                                      struct bittern_error *err)
{
    if (word_of(data, 0) != KERNEL_MAGIC_VALUE) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel left no record of a run: it is none of Bittern's, it "
                                 "does not reach the device's memory, or it still hangs there from "
                                 "an earlier run and needs a reset");
    }
    geometry->version = word_of(data, 1);
    if (geometry->version != KERNEL_VERSION_VALUE) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel has version %" PRIu32 " of the hardware interface, "
                                 "this library drives version %" PRIu32,
                                 geometry->version, KERNEL_VERSION_VALUE);
    }
    geometry->word_bits = word_of(data, 2);
    geometry->output_channels = word_of(data, 3);
    geometry->pixels = word_of(data, 4);
    geometry->units = word_of(data, 5);
    geometry->feature_bytes = word_of(data, 6);
    geometry->weight_bytes = word_of(data, 7);
    return BITTERN_OK;
}

void kernel_layer_record_parse(const uint8_t *data, struct kernel_layer_record *record)
{
    record->layer = word_of(data, 0) & 0xFFFF;
    record->images = word_of(data, 0) >> 16;
    record->cycles = word_of(data, 1);
    record->compute_cycles = word_of(data, 2);
    record->weight_stall_cycles = word_of(data, 3);
    record->input_stall_cycles = word_of(data, 4);
    record->output_stall_cycles = word_of(data, 5);
}

bool kernel_record_add_layers(const uint8_t *data, size_t size,
                              struct bittern_layer_profile *layers, size_t count)
{
    struct kernel_record head;

    if (size < KERNEL_RECORD_HEAD || !kernel_record_parse(data, &head) ||
        head.layer_records > (size - KERNEL_RECORD_HEAD) / KERNEL_RECORD_LAYER) {
        return false;
    }
    data += KERNEL_RECORD_HEAD;
    for (size_t i = 0; i < head.layer_records; i++, data += KERNEL_RECORD_LAYER) {
        struct kernel_layer_record record;
        kernel_layer_record_parse(data, &record);
        if (record.layer < count) {
            struct bittern_layer_profile *layer = &layers[record.layer];
            layer->images += record.images;
            layer->cycles += record.cycles;
            layer->compute_cycles += record.compute_cycles;
            layer->weight_stall_cycles += record.weight_stall_cycles;
            layer->input_stall_cycles += record.input_stall_cycles;
            layer->output_stall_cycles += record.output_stall_cycles;
        }
    }
    return true;
}
