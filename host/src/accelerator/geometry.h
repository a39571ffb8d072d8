/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that follow from a geometry, as docs/device-program.md names them. */
#ifndef BITTERN_ACCELERATOR_GEOMETRY_H
#define BITTERN_ACCELERATOR_GEOMETRY_H

#include <bittern/accelerator.h>

#define GEOMETRY_VERSION 1
#define GEOMETRY_MAX_WORD 256 /* bits of a descriptor's lane mask */
#define GEOMETRY_MAX_PIXELS 64

/* Formats of a map, as descriptors number them. */
enum device_format { DEVICE_BINARY = 0, DEVICE_TERNARY = 1, DEVICE_INT = 2 };

struct geometry {
    uint32_t word;  /* bits */
    uint32_t half;  /* bits */
    uint32_t bytes; /* of a word and of a beat */
    uint32_t oc, px;
    uint32_t feature_words;
    uint32_t weight_rows;
    uint32_t parameter_rows; /* PROWS */
    uint32_t units;
};

/* BITTERN_ERR_UNSUPPORTED, with the reason, where no accelerator can have this geometry. */
bittern_status geometry_derive(const struct bittern_geometry *given, struct geometry *geometry,
                               struct bittern_error *err);

/* Channels of an atom. */
uint32_t geometry_atom(const struct geometry *geometry, enum device_format format);

#endif
