/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets between XRT's emulation shim, which listens, and the card: requests and replies on
 * the main one; the other, for the card's own reads of host memory, is only ever opened and closed.
 */
#ifndef BITTERN_SIM_XRT_LINK_H
#define BITTERN_SIM_XRT_LINK_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
    int fd;
    int second;     /* -1 until the shim listens there */
    char path[108]; /* of the main socket */
    char second_path[108];
    uint8_t *request; /* payload of the last one */
    size_t request_size, request_room;
    uint8_t *reply; /* header and payload */
    size_t reply_room;
};

/* Connect as the shim's environment says (USER, EMULATION_SOCKETID). */
bittern_status link_open(struct link *link, struct bittern_error *err);
/* Tells a shim that waits on the second socket that nothing more comes. */
void link_finish(struct link *link);
void link_close(struct link *link);

/* Is a request there, or the end? */
bool link_is_readable(const struct link *link);
/* Wait for a request; *ended at the host's end. */
bittern_status link_receive(struct link *link, uint32_t *call, bool *ended,
                            struct bittern_error *err);
/* Room for a reply's payload; NULL without memory. */
uint8_t *link_reply_room(struct link *link, size_t size);
bittern_status link_send(struct link *link, size_t size, bool *ended, struct bittern_error *err);

#endif
