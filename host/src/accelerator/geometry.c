/* SPDX-License-Identifier: Apache-2.0 */
/* Geometries by name, and what follows from one. The table is hw/geometries.txt's, which a test
 * compares with it. */
#include "accelerator/geometry.h"

#include <string.h>

#define MAX_FEATURE_WORDS (UINT32_C(1) << 24)

struct named_geometry {
    const char *name;
    uint32_t word, oc, px, feature_words, weight_rows, units;
};

static const struct named_geometry table[] = {
    {"tiny", 32, 8, 2, 4096, 256, 7},
    {"edge", 128, 16, 4, 24576, 512, 7},
    {"edge-binary", 128, 16, 4, 24576, 512, 5},
    {"cloud", 256, 32, 8, 65536, 512, 7},
};
#define GEOMETRIES (sizeof table / sizeof table[0])

const char *bittern_geometry_name(size_t index)
{
    return index < GEOMETRIES ? table[index].name : NULL;
}

bittern_status bittern_geometry_find(const char *name, struct bittern_geometry *geometry,
                                     struct bittern_error *err)
{
    char names[128] = "";

    memset(geometry, 0, sizeof *geometry);
    for (size_t i = 0; i < GEOMETRIES; i++) {
        const struct named_geometry *g = &table[i];
        if (strcmp(name, g->name) == 0) {
            memcpy(geometry->name, g->name, strlen(g->name) + 1);
            geometry->version = GEOMETRY_VERSION;
            geometry->word_bits = g->word;
            geometry->output_channels = g->oc;
            geometry->pixels = g->px;
            geometry->units = g->units;
            geometry->feature_bytes = g->feature_words * (g->word / 8);
            geometry->weight_bytes = g->weight_rows * g->oc * (g->word / 8);
            return BITTERN_OK;
        }
        strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, g->name, sizeof names - strlen(names) - 1);
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             "there is no geometry '%.64s': this build knows %s", name, names);
}

static bool is_power_of_two(uint32_t value, uint32_t minimum, uint32_t maximum)
{
    return value >= minimum && value <= maximum && (value & (value - 1)) == 0;
}

static bittern_status refuse(const struct bittern_geometry *g, const char *why,
                             struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED, "geometry '%.16s': %s", g->name, why);
}

bittern_status geometry_derive(const struct bittern_geometry *given, struct geometry *geometry,
                               struct bittern_error *err)
{
    const uint32_t known =
        BITTERN_UNIT_XNOR_POPCOUNT | BITTERN_UNIT_TERNARY | BITTERN_UNIT_TERNARY_ACCUMULATE;

    memset(geometry, 0, sizeof *geometry);
    if (given->version != GEOMETRY_VERSION) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "geometry '%.16s' has interface version %u, and this Bittern "
                                 "knows version %d: update the older one of the two",
                                 given->name, given->version, GEOMETRY_VERSION);
    }
    if (!is_power_of_two(given->word_bits, 32, GEOMETRY_MAX_WORD) ||
        !is_power_of_two(given->output_channels, 8, 256) ||
        !is_power_of_two(given->pixels, 1, GEOMETRY_MAX_PIXELS)) {
        return refuse(given,
                      "a word has 32, 64, 128 or 256 bits; output channels are 8 to 256 and pixels "
                      "1 to 64, powers of two",
                      err);
    }
    if (given->units == 0 || (given->units & ~known) != 0) {
        return refuse(given, "its units are none, or unknown ones", err);
    }
    *geometry = (struct geometry){
        .word = given->word_bits,
        .half = given->word_bits / 2,
        .bytes = given->word_bits / 8,
        .oc = given->output_channels,
        .px = given->pixels,
        .parameter_rows = (128 + given->word_bits - 1) / given->word_bits,
        .units = given->units,
    };
    uint32_t row_bytes = geometry->oc * geometry->bytes;
    geometry->feature_words = given->feature_bytes / geometry->bytes;
    geometry->weight_rows = given->weight_bytes / row_bytes;
    if (geometry->feature_words == 0 || geometry->feature_words > MAX_FEATURE_WORDS ||
        given->feature_bytes % (geometry->bytes * geometry->px) != 0) {
        return refuse(given, "its feature memory is no multiple of its banks, or too large", err);
    }
    if (given->weight_bytes % row_bytes != 0 || !is_power_of_two(geometry->weight_rows, 8, 65536)) {
        return refuse(given, "its weight ring has not 8 to 65536 rows, a power of two", err);
    }
    return BITTERN_OK;
}

uint32_t geometry_atom(const struct geometry *geometry, enum device_format format)
{
    switch (format) {
    case DEVICE_BINARY:
        return geometry->half;
    case DEVICE_TERNARY:
        return geometry->half / 2;
    case DEVICE_INT:
        break;
    }
    return geometry->half / 8;
}
