/* SPDX-License-Identifier: Apache-2.0 */
/* A small web server for tests: one thread, one connection after another, each closed after one
 * answer. */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STALL_MILLISECONDS 20000 /* longer than any test waits; a client that leaves ends it */

struct http_server {
    const uint8_t *data;
    size_t size;
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    size_t requests;
    char last_request[512];
    long last_range;
};

static void send_all(int client, const void *data, size_t size)
{
    const char *bytes = data;
    while (size > 0) {
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void send_text(int client, const char *text)
{
    send_all(client, text, strlen(text));
}

/* The head of an answer with bytes from..size-1 of `total`. */
static void send_head(int client, bool range, size_t from, size_t size, size_t total)
{
    char head[256];
    int length;
    if (range) {
        length = snprintf(head, sizeof head,
                          "HTTP/1.1 206 Partial Content\r\nContent-Length: %zu\r\n"
                          "Content-Range: bytes %zu-%zu/%zu\r\nConnection: close\r\n\r\n",
                          size - from, from, size - 1, total);
    } else {
        length =
            snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", size);
    }
    send_all(client, head, (size_t)length);
}

/* Wait until the client hangs up. */
static void wait_for_end(int client)
{
    struct pollfd poll_client = {.fd = client, .events = POLLIN};
    char byte;
    while (poll(&poll_client, 1, STALL_MILLISECONDS) > 0 && recv(client, &byte, 1, 0) > 0) {
    }
}

static void send_slowly(int client, const uint8_t *data, size_t size)
{
    for (size_t piece = 0; piece < 10; piece++) {
        size_t from = size * piece / 10;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        send_all(client, data + from, size * (piece + 1) / 10 - from);
    }
}

/* The ways that need more than the data and a status line; false: none of them. */
static bool answer_badly(const struct http_server *server, int client, const char *way, long range,
                         size_t from)
{
    const uint8_t *rest = server->data + from;
    size_t left = server->size - from;

    if (strcmp(way, "break") == 0) {
        send_head(client, range >= 0, from, server->size, server->size);
        send_all(client, rest, left / 2);
    } else if (strcmp(way, "corrupt") == 0) {
        const uint8_t other = server->data[server->size - 1] ^ 1;
        send_head(client, range >= 0, from, server->size, server->size);
        send_all(client, rest, left - 1);
        send_all(client, &other, 1);
    } else if (strcmp(way, "toolong") == 0) {
        send_text(client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        send_all(client, server->data, server->size);
        send_text(client, "and more");
    } else if (strcmp(way, "wrongrange") == 0 && range >= 0) {
        send_head(client, true, from / 2, server->size, server->size);
        send_all(client, server->data + from / 2, server->size - from / 2);
    } else if (strcmp(way, "stall") == 0) {
        send_head(client, range >= 0, from, server->size, server->size);
        wait_for_end(client);
    } else if (strcmp(way, "slow") == 0) {
        send_head(client, range >= 0, from, server->size, server->size);
        send_slowly(client, rest, left);
    } else {
        return false;
    }
    return true;
}

static void answer(const struct http_server *server, int client, const char *way, long range)
{
    static const struct {
        const char *way, *text;
    } fixed[] = {
        {"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnone\n"},
        {"500", "HTTP/1.1 500 Broken\r\nContent-Length: 5\r\nConnection: close\r\n\r\noops\n"},
        {"big", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\nbig"},
        {"redirect", "HTTP/1.1 302 Found\r\nLocation: /good/file\r\nContent-Length: 0\r\n"
                     "Connection: close\r\n\r\n"},
        {"loop", "HTTP/1.1 302 Found\r\nLocation: /loop/file\r\nContent-Length: 0\r\n"
                 "Connection: close\r\n\r\n"},
        {"tofile", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n"},
        {"empty", ""},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (strcmp(way, fixed[i].way) == 0) {
            send_text(client, fixed[i].text);
            return;
        }
    }
    if (strcmp(way, "norange") == 0) {
        range = -1;
    }
    if (range > (long)server->size || (range >= 0 && strcmp(way, "416") == 0)) {
        send_text(client, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n"
                          "Connection: close\r\n\r\n");
        return;
    }
    size_t from = range > 0 ? (size_t)range : 0;
    if (!answer_badly(server, client, way, range, from)) {
        send_head(client, range >= 0, from, server->size, server->size);
        send_all(client, server->data + from, server->size - from);
    }
}

/* Read a request's head; false where the client left before its end. */
static bool read_request(int client, char *request, size_t size)
{
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t got = recv(client, request + used, size - used - 1, 0);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            return true;
        }
    }
    return false;
}

/* "GET /way/file ..." or "GET http://host/way/file ..." */
static void find_way(const char *request, char *way, size_t size)
{
    const char *path = strchr(request, ' ');
    path = path ? path + 1 : request;
    if (strncmp(path, "http://", 7) == 0) {
        path += 7 + strcspn(path + 7, "/ ");
    }
    path += *path == '/';
    (void)snprintf(way, size, "%.*s", (int)strcspn(path, "/ "), path);
}

static void serve(struct http_server *server, int client)
{
    char request[4096];
    char way[32];

    if (!read_request(client, request, sizeof request)) {
        return;
    }
    const char *header = strcasestr(request, "\r\nRange: bytes=");
    long range = header ? strtol(header + strlen("\r\nRange: bytes="), NULL, 10) : -1;
    find_way(request, way, sizeof way);
    pthread_mutex_lock(&server->mutex);
    server->requests++;
    server->last_range = range;
    (void)snprintf(server->last_request, sizeof server->last_request, "%.*s",
                   (int)strcspn(request, "\r\n"), request);
    pthread_mutex_unlock(&server->mutex);
    answer(server, client, way, range);
}

static void *run(void *argument)
{
    struct http_server *server = argument;
    for (;;) {
        int client = accept(server->listener, NULL, NULL);
        if (client < 0) {
            return NULL; /* http_server_stop shut the socket down */
        }
        serve(server, client);
        /* Closing at once may make the client lose the answer. */
        shutdown(client, SHUT_WR);
        wait_for_end(client);
        close(client);
    }
}

struct http_server *http_server_start(const uint8_t *data, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        return NULL;
    }
    server->data = data;
    server->size = size;
    server->last_range = -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&server->mutex, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0 ||
        listen(server->listener, 16) != 0 ||
        pthread_create(&server->thread, NULL, run, server) != 0) {
        if (server->listener >= 0) {
            close(server->listener);
        }
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    return server;
}

void http_server_stop(struct http_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

unsigned http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_take_requests(struct http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t requests = server->requests;
    server->requests = 0;
    pthread_mutex_unlock(&server->mutex);
    return requests;
}

const char *http_server_last_request(struct http_server *server)
{
    return server->last_request;
}

long http_server_last_range(struct http_server *server)
{
    return server->last_range;
}
