/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as the public interface shows them: always the bytes of a file together with the network
 * that lies in them, whether they came from a file, from memory or from a network. A program that
 * is made of a network goes through the same checks as one that is read.
 */
#include "accelerator/device_check.h"
#include "base/file.h"
#include "network/network_build.h"
#include "program/program_format.h"

#include <stdlib.h>
#include <string.h>

/* A program for an accelerator has a device program, one for "any" has none. */
static bittern_status open_device(struct bittern_program *p,
                                  const struct program_sections *sections,
                                  struct bittern_error *err)
{
    bool wanted = p->geometry.version != 0;

    if (wanted != (sections->device != NULL)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the program is for geometry '%s' and has %s section DEVICE; "
                                 "compile the model again",
                                 p->geometry.name, wanted ? "no" : "a");
    }
    if (!wanted) {
        return BITTERN_OK;
    }
    p->device = sections->device;
    p->device_size = sections->device_size;
    return device_program_check(p->device, p->device_size, &p->geometry, p->network, err);
}

/* Take over `data`, 64-byte-aligned memory from malloc's family; it is freed on failure. */
static bittern_status program_open(uint8_t *data, size_t size, struct bittern_program **program,
                                   struct bittern_error *err)
{
    struct program_sections sections;
    struct bittern_program *p = calloc(1, sizeof *p);

    if (!p) {
        free(data);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a program");
    }
    p->data = data;
    p->size = size;
    bittern_status status = program_check(data, size, &p->geometry, &sections, err);
    if (status == BITTERN_OK) {
        status = program_decode(&sections, &p->network, err);
    }
    if (status == BITTERN_OK) {
        status = open_device(p, &sections, err);
    }
    if (status != BITTERN_OK) {
        bittern_program_free(p);
        return status;
    }
    *program = p;
    return BITTERN_OK;
}

bittern_status bittern_program_create(const struct bittern_network *network,
                                      const struct bittern_geometry *geometry,
                                      struct bittern_program **program, struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;

    *program = NULL;
    bittern_status status = network_validate(network, err);
    if (status == BITTERN_OK) {
        status = program_encode(network, geometry, &data, &size, err);
    }
    return status == BITTERN_OK ? program_open(data, size, program, err) : status;
}

bittern_status bittern_program_read(const char *path, struct bittern_program **program,
                                    struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;

    *program = NULL;
    bittern_status status = file_read(path, PROGRAM_MAX_BYTES, &data, &size, err);
    if (status == BITTERN_OK) {
        status = bittern_program_read_memory(data, size, path, program, err);
    }
    free(data);
    return status;
}

bittern_status bittern_program_read_memory(const void *data, size_t size, const char *name,
                                           struct bittern_program **program,
                                           struct bittern_error *err)
{
    size_t capacity = (size / PROGRAM_ALIGNMENT + 1) * PROGRAM_ALIGNMENT;
    uint8_t *copy = size <= PROGRAM_MAX_BYTES ? aligned_alloc(PROGRAM_ALIGNMENT, capacity) : NULL;

    *program = NULL;
    if (!copy) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for program '%s' of %zu bytes",
                                 name, size);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    bittern_status status = program_open(copy, size, program, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "'%s'", name);
    }
    return status;
}

bittern_status bittern_program_write(const struct bittern_program *program, const char *path,
                                     struct bittern_error *err)
{
    return file_write(path, program->data, program->size, err);
}

void bittern_program_free(struct bittern_program *program)
{
    if (program) {
        bittern_network_free(program->network);
        free(program->data);
        free(program);
    }
}

const struct bittern_network *bittern_program_network(const struct bittern_program *program)
{
    return program->network;
}

const struct bittern_geometry *bittern_program_geometry(const struct bittern_program *program)
{
    return &program->geometry;
}

const void *bittern_program_data(const struct bittern_program *program, size_t *size)
{
    *size = program->size;
    return program->data;
}

bool bittern_program_recognize(const void *data, size_t size)
{
    return size >= PROGRAM_MAGIC_SIZE && memcmp(data, PROGRAM_MAGIC, PROGRAM_MAGIC_SIZE) == 0;
}

bool bittern_program_get_section(const struct bittern_program *program, size_t index,
                                 struct bittern_program_section *section)
{
    struct wire_header header;
    struct wire_section entry;

    memcpy(&header, program->data, sizeof header);
    if (index >= header.section_count) {
        return false;
    }
    memcpy(&entry, program->data + sizeof header + index * sizeof entry, sizeof entry);
    section->name = program_section_name(entry.type);
    section->offset = entry.offset;
    section->bytes = entry.bytes;
    return true;
}
