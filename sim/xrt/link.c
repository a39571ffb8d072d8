/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: a request has a header of 14 bytes, 09 size:u64 15 call:u32; its reply one of 9 bytes, 09
 * size:u64. One request at a time.
 */
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_HEADER 14
#define REPLY_HEADER 9
#define TAG_SIZE 0x09
#define TAG_CALL 0x15
#define MAX_PAYLOAD (UINT64_C(256) << 20)
#define CONNECT_MS 60000 /* the shim listens a moment after it has started this process */
#define SECOND_MS 6000   /* it listens there in turns of 5 s */

static void pause_ms(long milliseconds)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        data += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* False at the end, or after an error. */
static bool read_all(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(fd, data, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        data += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

bittern_status link_open(struct link *link, struct bittern_error *err)
{
    const char *user = getenv("USER");
    const char *id = getenv("EMULATION_SOCKETID");

    *link = (struct link){.fd = -1, .second = -1};
    if (!user || !*user || !id || !*id) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "USER and EMULATION_SOCKETID are not set: this program is started "
                                 "by XRT (scripts/xrt-emu.sh)");
    }
    int length = snprintf(link->path, sizeof link->path, "/tmp/%s/%s", user, id);
    int second =
        snprintf(link->second_path, sizeof link->second_path, "/tmp/%s/D2X_unix_sock_%s", user, id);
    if (length < 0 || (size_t)length >= sizeof link->path || second < 0 ||
        (size_t)second >= sizeof link->second_path) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the socket's name is too long");
    }
    for (int waited = 0; link->fd < 0 && waited < CONNECT_MS; waited += 5) {
        link->fd = try_connect(link->path);
        if (link->fd < 0) {
            pause_ms(5);
        }
    }
    return link->fd >= 0
               ? BITTERN_OK
               : bittern_error_set(err, BITTERN_ERR_IO, "nobody listens at %s", link->path);
}

static void try_second(struct link *link)
{
    if (link->second < 0) {
        link->second = try_connect(link->second_path);
        if (link->second >= 0) {
            (void)unlink(link->second_path); /* the shim leaves it behind */
        }
    }
}

void link_finish(struct link *link)
{
    static const uint8_t nothing[REQUEST_HEADER] = {TAG_SIZE, [9] = TAG_CALL, [10] = 1};

    for (int waited = 0; link->second < 0 && waited < SECOND_MS; waited += 10) {
        try_second(link);
        if (link->second < 0) {
            pause_ms(10);
        }
    }
    if (link->second >= 0) {
        (void)write_all(link->second, nothing, sizeof nothing);
    }
}

void link_close(struct link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
        (void)unlink(link->path);
    }
    if (link->second >= 0) {
        close(link->second);
    }
    free(link->request);
    free(link->reply);
    *link = (struct link){.fd = -1, .second = -1};
}

bool link_is_readable(const struct link *link)
{
    struct pollfd entry = {.fd = link->fd, .events = POLLIN};
    return poll(&entry, 1, 0) > 0;
}

static uint64_t little_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static bool make_room(uint8_t **buffer, size_t *room, size_t size)
{
    if (size > *room) {
        uint8_t *larger = realloc(*buffer, size);
        if (!larger) {
            return false;
        }
        *buffer = larger;
        *room = size;
    }
    return true;
}

bittern_status link_receive(struct link *link, uint32_t *call, bool *ended,
                            struct bittern_error *err)
{
    uint8_t header[REQUEST_HEADER];

    try_second(link);
    *ended = !read_all(link->fd, header, sizeof header);
    if (*ended) {
        return BITTERN_OK;
    }
    uint64_t size = little_endian(header + 1, 8);
    *call = (uint32_t)little_endian(header + 10, 4);
    if (header[0] != TAG_SIZE || header[9] != TAG_CALL || size > MAX_PAYLOAD) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "the host sent what is no request; this card speaks to XRT 2.13 "
                                 "(2022.1)");
    }
    if (!make_room(&link->request, &link->request_room, (size_t)size)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a request");
    }
    link->request_size = (size_t)size;
    *ended = !read_all(link->fd, link->request, link->request_size);
    return BITTERN_OK;
}

uint8_t *link_reply_room(struct link *link, size_t size)
{
    return make_room(&link->reply, &link->reply_room, size + REPLY_HEADER)
               ? link->reply + REPLY_HEADER
               : NULL;
}

bittern_status link_send(struct link *link, size_t size, bool *ended, struct bittern_error *err)
{
    if (!link_reply_room(link, size)) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a reply");
    }
    link->reply[0] = TAG_SIZE;
    for (int i = 0; i < 8; i++) {
        link->reply[1 + i] = (uint8_t)((uint64_t)size >> 8 * i);
    }
    *ended = !write_all(link->fd, link->reply, size + REPLY_HEADER);
    return BITTERN_OK;
}
