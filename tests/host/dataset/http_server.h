/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small web server for tests: serves one file in many ways, good and bad, on 127.0.0.1. The first
 * part of a path says how; what follows is not looked at:
 *
 *     /good/      properly, with ranges            /norange/   ignores Range
 *     /break/     half of what was asked, then hangs up
 *     /404/ /500/ errors                           /416/       refuses every range
 *     /corrupt/   the last byte is another one     /toolong/   too many bytes, no Content-Length
 *     /big/       a Content-Length far too large   /wrongrange/  another range than asked for
 *     /redirect/  to /good/                        /loop/      to itself
 *     /tofile/    to a file:// address             /stall/     a header, then silence
 *     /slow/      properly, in ten pieces          /empty/     hangs up without a word
 *
 * A request with an absolute address, as proxies get it, is answered by its path.
 */
#ifndef BITTERN_TEST_HTTP_SERVER_H
#define BITTERN_TEST_HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct http_server;

/* Serve data [size], which must live on. NULL where no server can be started. */
struct http_server *http_server_start(const uint8_t *data, size_t size);
void http_server_stop(struct http_server *server);
unsigned http_server_port(const struct http_server *server);

/* Requests so far; forgets them. */
size_t http_server_take_requests(struct http_server *server);
/* The first line of the last request, and where its range began (-1: none). */
const char *http_server_last_request(struct http_server *server);
long http_server_last_range(struct http_server *server);

#endif
