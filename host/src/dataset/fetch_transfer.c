/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer from one address into a part, with libcurl.
 *
 * The answer is judged before its first byte is kept: a size that is not the published one is
 * refused at once; an answer to a range must be that range; a server that ignores ranges makes the
 * part begin anew, within the same transfer. Errors of a server, redirects to anything but http(s)
 * and stalls end the transfer with a reason.
 */
#include "dataset/fetch.h"

#include <bittern/version.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_OK 200
#define HTTP_PARTIAL_CONTENT 206
#define HTTP_RANGE_NOT_SATISFIABLE 416

struct transfer {
    CURL *curl;
    struct fetch_part *part;
    uint64_t asked_from; /* first byte asked for */
    bool judged;         /* the answer was found good, bytes are kept */
    bool has_range;      /* the answer said which bytes it has: */
    uint64_t range_from, range_total;
    bool cancelled, local_error;
    bittern_progress progress;
    void *user;
    struct fetch_reason *reason;
    struct bittern_error *err;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

__attribute__((format(printf, 2, 3))) static void give_reason(struct transfer *t,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(t->reason->text, sizeof t->reason->text, format, args);
    va_end(args);
}

/* "Content-Range: bytes 100-199/200". Each answer of a chain of redirects begins anew. */
static size_t on_header(char *line, size_t unit, size_t count, void *user)
{
    static const char name[] = "content-range: bytes ";
    struct transfer *t = user;
    size_t size = unit * count;
    char text[128];

    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        t->has_range = false;
    }
    if (size > sizeof name - 1 && size < sizeof text &&
        strncasecmp(line, name, sizeof name - 1) == 0) {
        uint64_t to;
        memcpy(text, line, size);
        text[size] = '\0';
        /* NOLINTNEXTLINE(cert-err34-c): numbers out of range become others, which are refused */
        t->has_range = sscanf(text + sizeof name - 1, "%" SCNu64 "-%" SCNu64 "/%" SCNu64,
                              &t->range_from, &to, &t->range_total) == 3;
    }
    return size;
}

/* Begin the part anew; a failure of that is this machine's, not the mirror's. */
static void restart(struct transfer *t)
{
    t->local_error = fetch_part_restart(t->part, t->err) != BITTERN_OK;
}

/* The answer to a range must be that range, of a file of the published size. */
static bool judge_range(struct transfer *t)
{
    if (t->has_range && t->range_total != t->part->file->size) {
        give_reason(t, "it has %" PRIu64 " bytes where %" PRIu64 " are expected", t->range_total,
                    t->part->file->size);
        return false;
    }
    if (t->asked_from == 0 || !t->has_range || t->range_from != t->asked_from) {
        give_reason(t, "it answered with other bytes than those asked for");
        restart(t); /* so that the next attempt does without ranges */
        return false;
    }
    return true;
}

/* Is this answer what was asked for? Otherwise give the reason. */
static bool judge(struct transfer *t)
{
    uint64_t expected = t->part->file->size - t->asked_from;
    curl_off_t length = -1;
    long code = 0;

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (code == HTTP_PARTIAL_CONTENT && !judge_range(t)) {
        return false;
    }
    if (code != 0 && code != HTTP_OK && code != HTTP_PARTIAL_CONTENT) { /* 0: a file */
        give_reason(t, "it answered with HTTP code %ld", code);
        return false;
    }
    if (code == HTTP_OK) { /* all of the file, also where a range was asked for */
        expected = t->part->file->size;
    }
    if (length >= 0 && (uint64_t)length != expected) {
        give_reason(t, "it has %" PRIu64 " bytes where %" PRIu64 " are expected", (uint64_t)length,
                    expected);
        return false;
    }
    if (code == HTTP_OK && t->part->size > 0) {
        restart(t);
    }
    return !t->local_error;
}

static size_t on_bytes(char *bytes, size_t unit, size_t count, void *user)
{
    struct transfer *t = user;
    size_t size = unit * count;

    if (!t->judged && !judge(t)) {
        return 0;
    }
    t->judged = true;
    if (size > t->part->file->size - t->part->size) {
        give_reason(t, "it sends more than the %" PRIu64 " bytes that the file has",
                    t->part->file->size);
        /* Who sends too much at the end may have sent anything before. */
        restart(t);
        return 0;
    }
    if (fetch_part_append(t->part, bytes, size, t->err) != BITTERN_OK) {
        t->local_error = true;
        return 0;
    }
    return size;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                       curl_off_t upload_now)
{
    struct transfer *t = user;
    (void)total;
    (void)now;
    (void)upload_total;
    (void)upload_now;
    t->cancelled = t->progress && t->progress(t->user, t->part->file->name, t->part->size,
                                              t->part->file->size) != 0;
    return t->cancelled;
}

static void set_protocols(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static void set_up(struct transfer *t, const char *url, const struct fetch_settings *settings,
                   char *message)
{
    CURL *curl = t->curl;
    char range[32];

    curl_easy_setopt(curl, CURLOPT_URL, url);
    set_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, settings->max_redirects);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* a library must not touch signals */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "bittern/" BITTERN_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, settings->low_speed_bytes);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, settings->low_speed_seconds);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    if (t->asked_from > 0) {
        (void)snprintf(range, sizeof range, "%" PRIu64 "-", t->asked_from);
        curl_easy_setopt(curl, CURLOPT_RANGE, range);
    }
}

static enum fetch_end perform(struct transfer *t, const char *message)
{
    long code = 0;
    CURLcode result = curl_easy_perform(t->curl);

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (t->cancelled) {
        return FETCH_END_CANCELLED;
    }
    if (code == HTTP_RANGE_NOT_SATISFIABLE) {
        restart(t); /* what is there is no beginning of what the server has */
    }
    if (t->local_error) {
        return FETCH_END_LOCAL;
    }
    if (t->reason->text[0] != '\0') {
        return FETCH_END_FAILED;
    }
    if (result == CURLE_HTTP_RETURNED_ERROR) {
        give_reason(t, "it answered with HTTP code %ld", code);
        return FETCH_END_FAILED;
    }
    if (result != CURLE_OK) {
        give_reason(t, "%s", message[0] ? message : curl_easy_strerror(result));
        return FETCH_END_FAILED;
    }
    if (t->part->size < t->part->file->size) {
        give_reason(t, "it ended after %" PRIu64 " of %" PRIu64 " bytes", t->part->size,
                    t->part->file->size);
        return FETCH_END_FAILED;
    }
    return FETCH_END_COMPLETE;
}

enum fetch_end fetch_transfer(const char *url, struct fetch_part *part,
                              const struct fetch_settings *settings, bittern_progress progress,
                              void *user, struct fetch_reason *reason, struct bittern_error *err)
{
    char message[CURL_ERROR_SIZE] = "";
    struct transfer t = {.part = part,
                         .asked_from = part->size,
                         .progress = progress,
                         .user = user,
                         .reason = reason,
                         .err = err};

    reason->text[0] = '\0';
    pthread_once(&curl_once, start_curl);
    t.curl = curl_easy_init();
    if (!t.curl) {
        bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot start libcurl");
        return FETCH_END_LOCAL;
    }
    set_up(&t, url, settings, message);
    enum fetch_end end = perform(&t, message);
    curl_easy_cleanup(t.curl);
    return end;
}
