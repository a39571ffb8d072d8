/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of a program file: is every byte as it was written? Header, section table, place
 * and length of every section, zeros between them, check sums. What the sections hold is looked at
 * only after that, in program_decode.c.
 */
#include "program/program_format.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define WHAT_TO_DO "copy the file again, or compile the model again"

const char *program_section_name(uint32_t type)
{
    static const char *const names[PROGRAM_SECTIONS] = {
        [PROGRAM_SECTION_STRINGS] = "STRINGS",       [PROGRAM_SECTION_NETWORK] = "NETWORK",
        [PROGRAM_SECTION_INPUT] = "INPUT",           [PROGRAM_SECTION_LAYERS] = "LAYERS",
        [PROGRAM_SECTION_PARAMETERS] = "PARAMETERS", [PROGRAM_SECTION_WEIGHTS] = "WEIGHTS",
    };
    if (type == PROGRAM_SECTION_DEVICE) {
        return "DEVICE";
    }
    return type > 0 && type < PROGRAM_SECTIONS ? names[type] : "of unknown type";
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* The part of the header that every version of the format shares. */
static bittern_status check_start(const struct wire_header *header, size_t size,
                                  struct bittern_error *err)
{
    if (header->version > BITTERN_PROGRAM_VERSION) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the program has format version %" PRIu32
                                 ", this Bittern reads %d: "
                                 "it was written by a newer Bittern; update this one, or compile "
                                 "the model again with it",
                                 header->version, BITTERN_PROGRAM_VERSION);
    }
    if (header->version != BITTERN_PROGRAM_VERSION) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the program's format version %" PRIu32
                                 " does not exist; " WHAT_TO_DO,
                                 header->version);
    }
    if (header->file_bytes != size) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "the program has %zu bytes and should have %" PRIu64 ": it was %s; " WHAT_TO_DO, size,
            header->file_bytes, header->file_bytes > size ? "cut off" : "appended to");
    }
    return BITTERN_OK;
}

static bittern_status check_header(const uint8_t *data, size_t size, struct wire_header *header,
                                   struct bittern_error *err)
{
    if (size < PROGRAM_MAGIC_SIZE || memcmp(data, PROGRAM_MAGIC, PROGRAM_MAGIC_SIZE) != 0) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "not a Bittern program (its first bytes are others); `bittern "
                                 "compile` makes one of an ONNX model");
    }
    if (size < sizeof *header) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "the program ends inside of its header, after %zu bytes; " WHAT_TO_DO, size);
    }
    memcpy(header, data, sizeof *header);
    bittern_status status = check_start(header, size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    size_t table = (size_t)header->section_count * sizeof(struct wire_section);
    if (header->header_bytes != sizeof *header ||
        header->section_entry_bytes != sizeof(struct wire_section) || header->section_count == 0 ||
        header->section_count > PROGRAM_MAX_SECTIONS || table > size - sizeof *header) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the program's header is damaged: %" PRIu32 " sections of %" PRIu32
                                 " bytes behind %" PRIu32 " bytes of header; " WHAT_TO_DO,
                                 header->section_count, header->section_entry_bytes,
                                 header->header_bytes);
    }
    uLong crc = crc32_z(0, data, offsetof(struct wire_header, crc));
    crc = crc32_z(crc, data + sizeof *header, table);
    if (crc != header->crc) {
        return bittern_error_set(err, BITTERN_ERR_CHECKSUM,
                                 "the program's header or section table is damaged (check sum "
                                 "%08lx, stored %08" PRIx32 "); " WHAT_TO_DO,
                                 crc, header->crc);
    }
    if (!all_zero(header->reserved, sizeof header->reserved)) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the program's header uses reserved bytes; " WHAT_TO_DO);
    }
    return BITTERN_OK;
}

static bittern_status check_geometry(const struct wire_geometry *wire,
                                     struct bittern_geometry *geometry, struct bittern_error *err)
{
    size_t length = strnlen(wire->name, sizeof wire->name);
    bool good = length > 0 && length < sizeof wire->name &&
                all_zero((const uint8_t *)wire->name + length, sizeof wire->name - length) &&
                wire->reserved_word == 0 && all_zero(wire->reserved, sizeof wire->reserved);

    for (size_t i = 0; i < length; i++) {
        good = good && wire->name[i] > 0x20 && wire->name[i] < 0x7F;
    }
    if (!good) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the name of the geometry must have 1 to 15 printable characters, "
                                 "and all bytes without a meaning must be 0");
    }
    memset(geometry, 0, sizeof *geometry);
    memcpy(geometry->name, wire->name, length);
    geometry->version = wire->version;
    geometry->word_bits = wire->word_bits;
    geometry->output_channels = wire->output_channels;
    geometry->pixels = wire->pixels;
    geometry->units = wire->units;
    geometry->feature_bytes = wire->feature_bytes;
    geometry->weight_bytes = wire->weight_bytes;
    return BITTERN_OK;
}

/* One section: it starts at *end, the first multiple of 64 behind what came before. */
static bittern_status check_section(const uint8_t *data, size_t size, size_t index,
                                    const struct wire_section *section, size_t *end,
                                    struct bittern_error *err)
{
    const char *name = program_section_name(section->type);

    if (section->offset != *end || section->bytes > size - *end) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "section %zu %s: %" PRIu64 " bytes at %" PRIu64 " do not fit: it "
                                 "should start at %zu, and the program has %zu bytes; " WHAT_TO_DO,
                                 index, name, section->bytes, section->offset, *end, size);
    }
    if (section->reserved != 0 || (section->flags & ~PROGRAM_SECTION_REQUIRED) != 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "section %zu %s: unknown flags; it was written by a newer Bittern",
                                 index, name);
    }
    uLong crc = crc32_z(0, data + section->offset, section->bytes);
    if (crc != section->crc) {
        return bittern_error_set(err, BITTERN_ERR_CHECKSUM,
                                 "section %zu %s is damaged (check sum %08lx, stored %08" PRIx32
                                 "); " WHAT_TO_DO,
                                 index, name, crc, section->crc);
    }
    size_t used = section->offset + section->bytes;
    size_t padding = (PROGRAM_ALIGNMENT - used % PROGRAM_ALIGNMENT) % PROGRAM_ALIGNMENT;
    if (padding > size - used || !all_zero(data + used, padding)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "section %zu %s: the bytes behind it are damaged; " WHAT_TO_DO,
                                 index, name);
    }
    *end = used + padding;
    return BITTERN_OK;
}

static bittern_status note_section(const uint8_t *data, size_t index,
                                   const struct wire_section *section,
                                   struct program_sections *sections, struct bittern_error *err)
{
    if (section->type == PROGRAM_SECTION_DEVICE) {
        if (sections->device) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "section %zu DEVICE: the program has two of these", index);
        }
        sections->device = data + section->offset;
        sections->device_size = section->bytes;
        return BITTERN_OK;
    }
    if (section->type == 0 || section->type >= PROGRAM_SECTIONS) {
        if (section->flags & PROGRAM_SECTION_REQUIRED) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "section %zu has type %" PRIu32
                                     ", which this Bittern does not "
                                     "know but the program needs: it was written by a newer "
                                     "Bittern; update this one, or compile the model again with it",
                                     index, section->type);
        }
        return BITTERN_OK;
    }
    if (sections->of[section->type].bytes) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "section %zu %s: the program has two of these", index,
                                 program_section_name(section->type));
    }
    sections->of[section->type].bytes = data + section->offset;
    sections->of[section->type].size = section->bytes;
    return BITTERN_OK;
}

bittern_status program_check(const uint8_t *data, size_t size, struct bittern_geometry *geometry,
                             struct program_sections *sections, struct bittern_error *err)
{
    struct wire_header header;

    memset(sections, 0, sizeof *sections);
    bittern_status status = check_header(data, size, &header, err);
    if (status == BITTERN_OK) {
        status = check_geometry(&header.geometry, geometry, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    /* The table is a multiple of 32 bytes long: up to 32 zeros follow it. */
    size_t end = sizeof header + header.section_count * sizeof(struct wire_section);
    size_t padding = (PROGRAM_ALIGNMENT - end % PROGRAM_ALIGNMENT) % PROGRAM_ALIGNMENT;
    if (padding > size - end || !all_zero(data + end, padding)) {
        return bittern_error_set(
            err, BITTERN_ERR_FORMAT,
            "the bytes behind the program's section table are damaged; " WHAT_TO_DO);
    }
    end += padding;
    for (size_t i = 0; i < header.section_count; i++) {
        struct wire_section section;
        memcpy(&section, data + sizeof header + i * sizeof section, sizeof section);
        status = check_section(data, size, i, &section, &end, err);
        if (status == BITTERN_OK) {
            status = note_section(data, i, &section, sections, err);
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (end != size) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the program's sections end at byte %zu of %zu; " WHAT_TO_DO, end,
                                 size);
    }
    for (uint32_t type = 1; type < PROGRAM_SECTIONS; type++) {
        if (!sections->of[type].bytes) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "the program has no section %s; " WHAT_TO_DO,
                                     program_section_name(type));
        }
    }
    return BITTERN_OK;
}
