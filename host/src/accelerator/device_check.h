/* SPDX-License-Identifier: Apache-2.0 */
/* Device programs as they are read, from a file that may be damaged or hostile. */
#ifndef BITTERN_ACCELERATOR_DEVICE_CHECK_H
#define BITTERN_ACCELERATOR_DEVICE_CHECK_H

#include "accelerator/device_format.h"

#include <bittern/network.h>

/* Where the descriptors lie and what they say, one after the other. */
struct device_reader {
    const uint8_t *data;
    struct device_header header;
    size_t next; /* offset of the next descriptor */
};

/* The program must have been checked. */
void device_reader_start(struct device_reader *reader, const uint8_t *data);
void device_reader_segment(struct device_reader *reader, struct device_segment *segment);
void device_reader_layer(struct device_reader *reader, struct device_layer *layer);

/*
 * Is this a program for this geometry and network, as far as can be told without compiling it
 * again? Magic, version, geometry, check sums; records that follow from each other; weight streams
 * and transfers within bounds; the first layer's input laid out in one of the two ways that the
 * host can pack, and the last one's output as large as the network's.
 */
bittern_status device_program_check(const uint8_t *data, size_t size,
                                    const struct bittern_geometry *geometry,
                                    const struct bittern_network *network,
                                    struct bittern_error *err);

/* Does the first layer's descriptor read gathered windows? Exactly one of both forms may fit. */
bool device_layer_has_form(const struct device_layer *layer, const struct bittern_network *network,
                           const struct geometry *geometry, bool gathered);

#endif
