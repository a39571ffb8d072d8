/* SPDX-License-Identifier: Apache-2.0 */
/* Reads event files straight from the formats' descriptions, sharing nothing with the writer. */
#include "event_bytes.h"

#include "testing.h"

#include <string.h>

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        assert_true(*at < end);
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    fail_msg("a varint without end");
    return 0;
}

bool event_next_field(const uint8_t **at, const uint8_t *end, struct event_field *field)
{
    if (*at == end) {
        return false;
    }
    uint64_t key = read_varint(at, end);
    field->number = (uint32_t)(key >> 3);
    field->wire_type = (uint32_t)(key & 7);
    field->data = NULL;
    field->value = 0;
    size_t width = field->wire_type == 1 ? 8 : 4;
    switch (field->wire_type) {
    case 0:
        field->value = read_varint(at, end);
        break;
    case 1:
    case 5:
        assert_true((size_t)(end - *at) >= width);
        memcpy(&field->value, *at, width);
        *at += width;
        break;
    case 2:
        field->value = read_varint(at, end);
        assert_true((size_t)(end - *at) >= field->value);
        field->data = *at;
        *at += field->value;
        break;
    default:
        fail_msg("wire type %u", field->wire_type);
    }
    return true;
}

bool event_find_field(const uint8_t *message, size_t size, uint32_t number,
                      struct event_field *field)
{
    const uint8_t *at = message;
    while (event_next_field(&at, message + size, field)) {
        if (field->number == number) {
            return true;
        }
    }
    return false;
}

static uint32_t masked_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size * 8; i++) {
        uint32_t bit = (crc ^ (uint32_t)(bytes[i / 8] >> (i % 8))) & 1;
        crc = (crc >> 1) ^ (bit ? 0x82F63B78 : 0);
    }
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

bool event_next_record(const uint8_t **at, const uint8_t *end, const uint8_t **message,
                       size_t *size)
{
    uint64_t length;
    uint32_t crc;
    if (*at == end) {
        return false;
    }
    assert_true(end - *at >= 16);
    memcpy(&length, *at, 8);
    memcpy(&crc, *at + 8, 4);
    assert_int_equal(crc, masked_crc(*at, 8));
    assert_true((uint64_t)(end - *at) >= 16 + length);
    *message = *at + 12;
    *size = (size_t)length;
    memcpy(&crc, *message + length, 4);
    assert_int_equal(crc, masked_crc(*message, (size_t)length));
    *at = *message + length + 4;
    return true;
}
