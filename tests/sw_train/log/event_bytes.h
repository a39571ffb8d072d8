/* SPDX-License-Identifier: Apache-2.0 */
/* An independent reader of event files: records and protocol-buffer fields by hand. */
#ifndef BITTERN_TEST_EVENT_BYTES_H
#define BITTERN_TEST_EVENT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_field {
    uint32_t number, wire_type;
    uint64_t value;      /* varint, or 4 or 8 bytes as they are */
    const uint8_t *data; /* length-delimited: [value] */
};

/* Next field of a message; false at its end. Fails the test where bytes are wrong. */
bool event_next_field(const uint8_t **at, const uint8_t *end, struct event_field *field);

/* First field of this number; false: none. */
bool event_find_field(const uint8_t *message, size_t size, uint32_t number,
                      struct event_field *field);

/* Next record's message, its check sums compared with a bitwise CRC; false at the end. */
bool event_next_record(const uint8_t **at, const uint8_t *end, const uint8_t **message,
                       size_t *size);

#endif
