/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program file's records as they lie in the file, little-endian; docs/program-format.md
 * describes every byte. All fields are naturally aligned, so that on a little-endian host a record
 * is a C struct, and weights and tables are used where they lie.
 *
 *     header | section table | section | zeros up to 64 | section | zeros up to 64 | ...
 *
 * The header's check sum covers header and section table; each section has its own; the zeros are
 * checked to be zeros.
 */
#ifndef BITTERN_PROGRAM_FORMAT_H
#define BITTERN_PROGRAM_FORMAT_H

#include <bittern/network.h>
#include <bittern/program.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "program files are read in place: this library needs a little-endian host");
_Static_assert(sizeof(size_t) == 8 && sizeof(double) == 8,
               "program files are read in place: this library needs a 64-bit host");

/* As PNG's: a byte that is no ASCII, a name, and line ends that a transfer as text would change. */
#define PROGRAM_MAGIC                                                                              \
    "\x89"                                                                                         \
    "BTN\r\n\x1a\n"
#define PROGRAM_MAGIC_SIZE 8
#define PROGRAM_ALIGNMENT 64
#define PROGRAM_MAX_SECTIONS 256
#define PROGRAM_MAX_BYTES ((size_t)1 << 36)
#define PROGRAM_NONE_32 UINT32_MAX /* a string that is not there */
#define PROGRAM_NONE_64 UINT64_MAX /* an array that is not there */

struct wire_geometry {
    char name[16];
    uint32_t version, word_bits, output_channels, pixels, units;
    uint32_t feature_bytes;
    uint32_t reserved_word;
    uint32_t weight_bytes;
    uint8_t reserved[16];
};

struct wire_header {
    uint8_t magic[PROGRAM_MAGIC_SIZE];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t file_bytes;
    uint32_t section_count;
    uint32_t section_entry_bytes;
    struct wire_geometry geometry;
    uint8_t reserved[28];
    uint32_t crc; /* of all bytes of the header before this one, then of the section table */
};

enum program_section {
    PROGRAM_SECTION_STRINGS = 1,    /* names, each with a final 0 */
    PROGRAM_SECTION_NETWORK = 2,    /* one wire_network */
    PROGRAM_SECTION_INPUT = 3,      /* the input table, int16 [channels][256] */
    PROGRAM_SECTION_LAYERS = 4,     /* wire_layer [layer_count] */
    PROGRAM_SECTION_PARAMETERS = 5, /* arrays of activations, pools, scales */
    PROGRAM_SECTION_WEIGHTS = 6,    /* weight words */
    PROGRAM_SECTIONS,               /* one behind the last one that every program has */
    PROGRAM_SECTION_DEVICE = 256    /* what an accelerator reads (docs/device-program.md) */
};

#define PROGRAM_SECTION_REQUIRED UINT32_C(1) /* a reader that does not know it must refuse */

struct wire_section {
    uint32_t type;
    uint32_t flags;
    uint64_t offset; /* from the file's start, a multiple of 64 */
    uint64_t bytes;
    uint32_t crc;
    uint32_t reserved;
};

struct wire_value_type {
    uint8_t kind, bits, is_signed, reserved;
    int32_t minimum, maximum;
};

struct wire_shape {
    uint32_t channels, height, width;
};

struct wire_network {
    uint32_t name;       /* offset into STRINGS */
    uint32_t input_name; /* offset into STRINGS */
    uint32_t layer_count;
    uint32_t top_k;
    struct wire_shape input;
    struct wire_value_type input_type;
    uint8_t reserved[24];
};

struct wire_window {
    uint32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
};

struct wire_plane {
    int32_t multiplier;
    uint32_t reserved;
    uint64_t plus, minus; /* offsets into WEIGHTS, multiples of 64 */
};

#define PROGRAM_LAYER_SUM_POOL UINT32_C(1)
#define PROGRAM_LAYER_MAX_POOL UINT32_C(2)

struct wire_layer {
    uint32_t op;
    uint32_t name;        /* offset into STRINGS */
    uint32_t output_name; /* offset into STRINGS, or PROGRAM_NONE_32 */
    uint32_t flags;
    struct wire_shape input, conv, output;
    struct wire_value_type input_type, output_type;
    int32_t pad_value;
    struct wire_window window, sum_pool, max_pool;
    int32_t acc_min, acc_max;
    uint32_t weight_kind, plane_count, words_per_output, weight_bits;
    struct wire_plane planes[BITTERN_MAX_PLANES];
    uint32_t activation_kind;
    uint32_t inexact_count;
    /* Offsets into PARAMETERS, multiples of 8, or PROGRAM_NONE_64. */
    uint64_t threshold_low, threshold_high, descending, multiplier, offset, shift, take_min;
    uint64_t scale, bias, inexact_channels, inexact_values, ties;
    uint8_t reserved[16];
};

_Static_assert(sizeof(struct wire_geometry) == 64, "layout");
_Static_assert(sizeof(struct wire_header) == 128, "layout");
_Static_assert(sizeof(struct wire_section) == 32, "layout");
_Static_assert(sizeof(struct wire_network) == 64, "layout");
_Static_assert(sizeof(struct wire_layer) == 512, "layout");

struct bittern_program {
    uint8_t *data; /* the file's bytes, 64-byte-aligned */
    size_t size;
    struct bittern_geometry geometry;
    struct bittern_network *network; /* its arrays lie in data */
    const uint8_t *device;           /* the device program, in data; NULL for "any" */
    size_t device_size;
};

/* Name of a section type, for messages: "WEIGHTS"; "of unknown type" for others. */
const char *program_section_name(uint32_t type);

/* Make the file's bytes of a valid network; *data is to be freed with free(). */
bittern_status program_encode(const struct bittern_network *network,
                              const struct bittern_geometry *geometry, uint8_t **data, size_t *size,
                              struct bittern_error *err);

/* Where the sections of a file lie; bytes == NULL: it has none of this type. */
struct program_sections {
    struct {
        const uint8_t *bytes;
        size_t size;
    } of[PROGRAM_SECTIONS];
    const uint8_t *device; /* NULL: it has none */
    size_t device_size;
};

/* Check header, section table, lengths, padding and all check sums. */
bittern_status program_check(const uint8_t *data, size_t size, struct bittern_geometry *geometry,
                             struct program_sections *sections, struct bittern_error *err);

/* Make the network of checked sections, with arrays that stay in them, and validate it. */
bittern_status program_decode(const struct program_sections *sections,
                              struct bittern_network **network, struct bittern_error *err);

#endif
