/* SPDX-License-Identifier: Apache-2.0 */
/* Written against docs/program-format.md with plain offsets, not with the library's structs, so
 * that it also checks that the two agree. */
#include "program_repair.h"

#include <zlib.h>

#define HEADER_BYTES 128
#define ENTRY_BYTES 32
#define OFFSET_FILE_BYTES 16
#define OFFSET_SECTION_COUNT 24
#define OFFSET_HEADER_CRC 124

static uint64_t get_u64(const uint8_t *p)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

static void put_le(uint8_t *p, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

void program_repair(uint8_t *data, size_t size)
{
    if (size < HEADER_BYTES) {
        return;
    }
    size_t count = get_u64(data + OFFSET_SECTION_COUNT) & UINT32_MAX;
    if (count > (size - HEADER_BYTES) / ENTRY_BYTES) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = data + HEADER_BYTES + i * ENTRY_BYTES;
        uint64_t offset = get_u64(entry + 8);
        uint64_t bytes = get_u64(entry + 16);
        if (offset <= size && bytes <= size - offset) {
            put_le(entry + 24, 4, crc32_z(0, data + offset, bytes));
        }
    }
    put_le(data + OFFSET_FILE_BYTES, 8, size);
    uLong crc = crc32_z(0, data, OFFSET_HEADER_CRC);
    put_le(data + OFFSET_HEADER_CRC, 4, crc32_z(crc, data + HEADER_BYTES, count * ENTRY_BYTES));
}
