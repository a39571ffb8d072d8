/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections one by one, then the file: header, section headers, sections at multiples of 8. The
 * structures are those of XRT's <xclbin.h>; lists in them end in one element, of which there can be
 * more. Arguments and their registers come from kernel_registers.h.
 */
#include "xclbin_parts.h"

#include "device/kernel_registers.h"

#include <bittern/accelerator.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xclbin.h>

#define SECTIONS 5
#define METADATA_BYTES 8192
#define MEMORY_ARGUMENTS 5

static const struct {
    const char *name;
    uint32_t offset; /* of its register */
    bool is_address;
} arguments[] = {
    {"program", KERNEL_PROGRAM, true}, {"input", KERNEL_INPUT, true},
    {"output", KERNEL_OUTPUT, true},   {"scratch", KERNEL_SCRATCH, true},
    {"record", KERNEL_RECORD, true},   {"images", KERNEL_IMAGES, false},
};
#define ARGUMENTS (sizeof arguments / sizeof arguments[0])

struct part {
    enum axlf_section_kind kind;
    uint8_t *data;
    size_t size;
};

bittern_status xclbin_design_check(const struct xclbin_design *design, struct bittern_error *err)
{
    struct bittern_geometry geometry;
    if (design->units < 1 || design->units > XCLBIN_MAX_UNITS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "%" PRIu32 " compute units: 1 to %d go",
                                 design->units, XCLBIN_MAX_UNITS);
    }
    return bittern_geometry_find(design->geometry, &geometry, err);
}

/* ---- Sections -------------------------------------------------------------------------------- */

static bool make_memory(struct part *part)
{
    struct mem_topology *memory = calloc(1, sizeof *memory);
    if (memory) {
        memory->m_count = 1;
        memory->m_mem_data[0].m_type = MEM_DDR4;
        memory->m_mem_data[0].m_used = 1;
        memory->m_mem_data[0].m_size = XCLBIN_MEMORY_BYTES >> 10;
        memory->m_mem_data[0].m_base_address = XCLBIN_MEMORY_BASE;
        memcpy(memory->m_mem_data[0].m_tag, "bank0", 6);
    }
    *part = (struct part){MEM_TOPOLOGY, (uint8_t *)memory, sizeof *memory};
    return memory != NULL;
}

static bool make_units(const struct xclbin_design *design, struct part *part)
{
    size_t size = sizeof(struct ip_layout) + (design->units - 1) * sizeof(struct ip_data);
    struct ip_layout *layout = calloc(1, size);
    struct ip_data *units = layout ? layout->m_ip_data : NULL;

    for (uint32_t i = 0; units && i < design->units; i++) {
        units[i].m_type = IP_KERNEL;
        units[i].properties = (uint32_t)AP_CTRL_HS << IP_CONTROL_SHIFT;
        units[i].m_base_address = XCLBIN_UNIT_BASE + i * XCLBIN_UNIT_RANGE;
        (void)snprintf((char *)units[i].m_name, sizeof units[i].m_name,
                       XCLBIN_KERNEL ":" XCLBIN_KERNEL "_%" PRIu32, i + 1);
    }
    if (layout) {
        layout->m_count = (int32_t)design->units;
    }
    *part = (struct part){IP_LAYOUT, (uint8_t *)layout, size};
    return layout != NULL;
}

/* Every address of every unit goes to the one bank. */
static bool make_connections(const struct xclbin_design *design, struct part *part)
{
    size_t count = (size_t)design->units * MEMORY_ARGUMENTS;
    size_t size = sizeof(struct connectivity) + (count - 1) * sizeof(struct connection);
    struct connectivity *list = calloc(1, size);
    struct connection *connections = list ? list->m_connection : NULL;

    for (size_t i = 0; connections && i < count; i++) {
        connections[i].arg_index = (int32_t)(i % MEMORY_ARGUMENTS);
        connections[i].m_ip_layout_index = (int32_t)(i / MEMORY_ARGUMENTS);
    }
    if (list) {
        list->m_count = (int32_t)count;
    }
    *part = (struct part){CONNECTIVITY, (uint8_t *)list, size};
    return list != NULL;
}

/* Append to a text of METADATA_BYTES; false, for good, where it is full. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t *length,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (*length < METADATA_BYTES) {
        int added = vsnprintf(text + *length, METADATA_BYTES - *length, format, args);
        *length += added > 0 ? (size_t)added : METADATA_BYTES;
    }
    va_end(args);
}

static bool make_metadata(const struct xclbin_design *design, struct part *part)
{
    struct bittern_geometry geometry;
    char *text = malloc(METADATA_BYTES);
    size_t length = 0;

    *part = (struct part){EMBEDDED_METADATA, (uint8_t *)text, 0};
    if (!text || bittern_geometry_find(design->geometry, &geometry, NULL) != BITTERN_OK) {
        return false;
    }
    append(text, &length,
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<project name=\"bittern_%s\"><platform vendor=\"bittern\" boardid=\"emulation\" "
           "name=\"%s\"><device name=\"fpga0\" fpgaDevice=\"emulation\"><core "
           "name=\"OCL_REGION_0\" target=\"hw_em\"><kernel name=\"" XCLBIN_KERNEL
           "\" language=\"ip_c\">\n"
           "<port name=\"M_AXI_GMEM\" mode=\"master\" range=\"0xFFFFFFFFFFFFFFFF\" "
           "dataWidth=\"%" PRIu32 "\" portType=\"addressable\" base=\"0x0\"/>\n"
           "<port name=\"S_AXI_CONTROL\" mode=\"slave\" range=\"0x%" PRIX64
           "\" dataWidth=\"32\" portType=\"addressable\" base=\"0x0\"/>\n",
           design->geometry, design->geometry, geometry.word_bits, XCLBIN_UNIT_RANGE);
    for (size_t i = 0; i < ARGUMENTS; i++) {
        unsigned size = arguments[i].is_address ? 8 : 4;
        append(text, &length,
               "<arg name=\"%s\" addressQualifier=\"%d\" id=\"%zu\" port=\"%s\" size=\"0x%X\" "
               "offset=\"0x%02X\" hostOffset=\"0x0\" hostSize=\"0x%X\" type=\"%s\"/>\n",
               arguments[i].name, arguments[i].is_address ? 1 : 0, i,
               arguments[i].is_address ? "M_AXI_GMEM" : "S_AXI_CONTROL", size,
               (unsigned)arguments[i].offset, size, arguments[i].is_address ? "void*" : "uint");
    }
    for (uint32_t i = 0; i < design->units; i++) {
        append(text, &length,
               "<instance name=\"" XCLBIN_KERNEL "_%" PRIu32 "\"><addrRemap base=\"0x%" PRIX64
               "\" range=\"0x%" PRIX64 "\" port=\"S_AXI_CONTROL\"/></instance>\n",
               i + 1, XCLBIN_UNIT_BASE + i * XCLBIN_UNIT_RANGE, XCLBIN_UNIT_RANGE);
    }
    append(text, &length, "</kernel></core></device></platform></project>\n");
    part->size = length;
    return length < METADATA_BYTES;
}

/* ---- The file -------------------------------------------------------------------------------- */

/* XRT tells images apart by it: so it follows from what is in them. */
static void make_uuid(const struct part *parts, uint8_t uuid[16])
{
    uint64_t hash[2] = {UINT64_C(0xCBF29CE484222325), UINT64_C(0x84222325CBF29CE4)};
    for (size_t i = 0; i < SECTIONS; i++) {
        for (size_t byte = 0; byte < parts[i].size; byte++) {
            hash[0] = (hash[0] ^ parts[i].data[byte]) * UINT64_C(0x100000001B3);
            hash[1] = (hash[1] + parts[i].data[byte]) * UINT64_C(6364136223846793005);
        }
    }
    memcpy(uuid, hash, sizeof hash);
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x80); /* version 8, of one's own making */
    uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
}

static size_t aligned(size_t size)
{
    return (size + 7) / 8 * 8;
}

static void fill_header(struct axlf *file, const struct xclbin_design *design,
                        const struct part *parts, size_t size)
{
    memcpy(file->m_magic, "xclbin2", 8);
    file->m_signature_length = -1;
    memset(file->reserved, 0xFF, sizeof file->reserved);
    memset(file->m_keyBlock, 0xFF, sizeof file->m_keyBlock);
    file->m_header.m_length = size;
    file->m_header.m_versionMajor = 2;
    file->m_header.m_versionMinor = 13;
    file->m_header.m_mode = XCLBIN_HW_EMU;
    (void)snprintf((char *)file->m_header.m_platformVBNV, sizeof file->m_header.m_platformVBNV,
                   "bittern_emulation_%s", design->geometry);
    make_uuid(parts, file->m_header.uuid);
    file->m_header.m_numSections = SECTIONS;
}

static bittern_status assemble(const struct xclbin_design *design, const struct part *parts,
                               uint8_t **data, size_t *size_out, struct bittern_error *err)
{
    size_t start =
        aligned(sizeof(struct axlf) + (SECTIONS - 1) * sizeof(struct axlf_section_header));
    size_t size = start;

    for (size_t i = 0; i < SECTIONS; i++) {
        size += aligned(parts[i].size);
    }
    uint8_t *bytes = calloc(1, size);
    if (!bytes) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the xclbin");
    }
    struct axlf *file = (struct axlf *)(void *)bytes;
    struct axlf_section_header *headers = file->m_sections;
    fill_header(file, design, parts, size);
    size_t offset = start;
    for (size_t i = 0; i < SECTIONS; i++) {
        headers[i].m_sectionKind = parts[i].kind;
        headers[i].m_sectionOffset = offset;
        headers[i].m_sectionSize = parts[i].size;
        memcpy(bytes + offset, parts[i].data, parts[i].size);
        offset += aligned(parts[i].size);
    }
    *data = bytes;
    *size_out = size;
    return BITTERN_OK;
}

bittern_status xclbin_make(const struct xclbin_design *design, uint8_t **data, size_t *size,
                           struct bittern_error *err)
{
    struct part parts[SECTIONS] = {{0}};

    *data = NULL;
    *size = 0;
    parts[4].kind = BITSTREAM;
    bittern_status status = xclbin_make_archive(design, &parts[4].data, &parts[4].size, err);
    if (status == BITTERN_OK &&
        !(make_memory(&parts[0]) && make_units(design, &parts[1]) &&
          make_connections(design, &parts[2]) && make_metadata(design, &parts[3]))) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the xclbin");
    }
    if (status == BITTERN_OK) {
        status = assemble(design, parts, data, size, err);
    }
    for (size_t i = 0; i < SECTIONS; i++) {
        free(parts[i].data);
    }
    return status;
}
