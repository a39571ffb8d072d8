/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Program files (.btn): a packed integer network, for one accelerator geometry or for any.
 *
 * docs/program-format.md describes every byte. All of a file is covered by check sums: a flipped
 * bit anywhere, or a missing or an extra byte, is refused.
 */
#ifndef BITTERN_PROGRAM_H
#define BITTERN_PROGRAM_H

#include <bittern/error.h>
#include <bittern/network.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_program;

/** Units that a geometry can hold. */
#define BITTERN_UNIT_XNOR_POPCOUNT UINT32_C(1)      /* binary activations */
#define BITTERN_UNIT_TERNARY UINT32_C(2)            /* ternary operands in the popcount unit */
#define BITTERN_UNIT_TERNARY_ACCUMULATE UINT32_C(4) /* 2- to 8-bit activations */

/** What an accelerator says of itself, and what a program was laid out for. */
struct bittern_geometry {
    char name[16];            /* "any", "tiny", "edge", "cloud", ...; NUL-terminated */
    uint32_t version;         /* of the hardware interface: 1; 0 for "any" */
    uint32_t word_bits;       /* WORD: bits of activation a cycle; 0 for "any" */
    uint32_t output_channels; /* OC: output channels that are computed at once */
    uint32_t pixels;          /* PX: output pixels that are computed at once */
    uint32_t units;           /* BITTERN_UNIT_... */
    uint32_t feature_bytes;   /* the feature-map memory, all banks */
    uint32_t weight_bytes;    /* the weight ring */
};

/** Program format version that this library writes. */
#define BITTERN_PROGRAM_VERSION 1

/**
 * Pack a network into a program; for a geometry of version 1, also lay it out for that accelerator
 * (docs/device-program.md).
 * @param geometry  NULL: "any", which the reference engine runs
 * @param program   out: to be freed with bittern_program_free; it holds its own copy of the network
 * @return BITTERN_ERR_UNSUPPORTED where the geometry is impossible, or where it lacks a unit that a
 *         layer needs; BITTERN_ERR_RANGE where a layer does not fit it: both with the layer and
 *         what to do
 */
BITTERN_API bittern_status bittern_program_create(const struct bittern_network *network,
                                                  const struct bittern_geometry *geometry,
                                                  struct bittern_program **program,
                                                  struct bittern_error *err);

/** Read a program file, or one in memory (copied); `name` stands in error messages. */
BITTERN_API bittern_status bittern_program_read(const char *path, struct bittern_program **program,
                                                struct bittern_error *err);
BITTERN_API bittern_status bittern_program_read_memory(const void *data, size_t size,
                                                       const char *name,
                                                       struct bittern_program **program,
                                                       struct bittern_error *err);

/** Whether bytes start as a program file does, so that bittern_program_read is the one to try. */
BITTERN_API bool bittern_program_recognize(const void *data, size_t size);

/** Write a program file: it appears whole or not at all. */
BITTERN_API bittern_status bittern_program_write(const struct bittern_program *program,
                                                 const char *path, struct bittern_error *err);

BITTERN_API void bittern_program_free(struct bittern_program *program);

/** The integer network, which lives as long as the program. */
BITTERN_API const struct bittern_network *
bittern_program_network(const struct bittern_program *program);

BITTERN_API const struct bittern_geometry *
bittern_program_geometry(const struct bittern_program *program);

/** The bytes of the program file, which are also what a device is given. */
BITTERN_API const void *bittern_program_data(const struct bittern_program *program, size_t *size);

/** One part of the program file. */
struct bittern_program_section {
    const char *name; /* "WEIGHTS"; lives as long as the library */
    uint64_t offset;  /* from the file's start */
    uint64_t bytes;
};

/** Section 0, 1, ... in the order of the file; false past the last one. */
BITTERN_API bool bittern_program_get_section(const struct bittern_program *program, size_t index,
                                             struct bittern_program_section *section);

#ifdef __cplusplus
}
#endif

#endif
