/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads, from a real web server on this machine that serves well and badly. */
#include "dataset/fetch.h"

#include "base/file.h"
#include "dataset/dataset.h"
#include "http_server.h"
#include "testing.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 100000

/* Times so short that a test of a stalled server is quick. */
static const struct fetch_settings settings = {.connect_timeout_ms = 3000,
                                               .low_speed_bytes = 10,
                                               .low_speed_seconds = 1,
                                               .max_redirects = 3,
                                               .attempts = 4};

static uint8_t content[SIZE];
static char digest[65];
static struct fetch_file files[2] = {{"file", SIZE, digest}, {NULL, 0, NULL}};
static struct http_server *server;
static char folder[64];
static char mirror_text[4][128];

/* --- The folder and the server ---------------------------------------------------------------- */

static void describe(const uint8_t *data, size_t size, char text[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    assert_int_equal(EVP_Digest(data, size, sum, &length, EVP_sha256(), NULL), 1);
    assert_int_equal(length, 32);
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", sum[i]);
    }
}

static int start(void **state)
{
    (void)state;
    static const char *const variables[] = {"http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                            "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY"};
    uint64_t seed = 20240501;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        unsetenv(variables[i]);
    }
    for (size_t i = 0; i < SIZE; i++) {
        content[i] = (uint8_t)random_u64(&seed);
    }
    describe(content, SIZE, digest);
    server = http_server_start(content, SIZE);
    return server ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    http_server_stop(server);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/bittern-test-fetch-XXXXXX");
    http_server_take_requests(server);
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static size_t count_files(void)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path_of("file"));
    (void)unlink(path_of("file.part"));
    return rmdir(folder);
}

static void put(const char *name, const void *data, size_t size)
{
    struct bittern_error err;
    assert_ok(file_write(path_of(name), data, size, &err), &err);
}

static void assert_file_is(const char *name, const uint8_t *data, size_t size)
{
    struct bittern_error err;
    uint8_t *got;
    size_t got_size;
    assert_ok(file_read(path_of(name), 10 * SIZE, &got, &got_size, &err), &err);
    assert_int_equal(got_size, size);
    assert_memory_equal(got, data, size);
    free(got);
}

/* Fetch from mirrors that serve in these ways, in this order. */
static bittern_status fetch_with(const struct bittern_fetch_options *options, const char *way,
                                 const char *second, const char *third, struct bittern_error *err)
{
    const char *const ways[3] = {way, second, third};
    const char *mirrors[4] = {NULL};
    for (size_t i = 0; i < 3 && ways[i]; i++) {
        (void)snprintf(mirror_text[i], sizeof mirror_text[i], "http://127.0.0.1:%u/%s/",
                       http_server_port(server), ways[i]);
        mirrors[i] = mirror_text[i];
    }
    return fetch_files(folder, mirrors, files, options, &settings, err);
}

static bittern_status fetch(const char *way, const char *second, const char *third,
                            struct bittern_error *err)
{
    return fetch_with(&(struct bittern_fetch_options){0}, way, second, third, err);
}

/* Nothing but the whole file is there. */
static void assert_fetched(void)
{
    assert_file_is("file", content, SIZE);
    assert_int_equal(count_files(), 1);
}

static void assert_fails(const char *way, bittern_status status, const char *reason)
{
    struct bittern_error err;
    assert_int_equal(fetch(way, NULL, NULL, &err), status);
    if (!strstr(err.message, reason) || !strstr(err.message, mirror_text[0])) {
        fail_msg("no '%s' or no address in '%s'", reason, err.message);
    }
    assert_int_equal(access(path_of("file"), F_OK), -1);
}

/* --- Good servers ----------------------------------------------------------------------------- */

/* Would catch: a download that does not arrive whole, and one that is made twice. */
static void a_file_is_downloaded_once(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 1);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_int_equal(http_server_take_requests(server), 0);
}

/* Would catch: --force without effect, and wrong files that are taken for right ones. */
static void wrong_files_and_forced_ones_are_downloaded_again(void **state)
{
    (void)state;
    struct bittern_error err;
    static uint8_t other[SIZE];
    memcpy(other, content, SIZE);
    other[SIZE / 2] ^= 0x40;
    put("file", other, SIZE);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    put("file", content, SIZE - 1);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 2);
    assert_ok(fetch_with(&(struct bittern_fetch_options){.force = true}, "good", NULL, NULL, &err),
              &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 1);
}

/* Would catch: a resumed download that asks for the wrong bytes or for all. */
static void a_part_is_resumed(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file.part", content, 12345);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), 12345);
    assert_int_equal(http_server_take_requests(server), 1);
}

/* Would catch: a whole part that is asked for at byte SIZE, which no server has. */
static void a_part_that_is_whole_needs_no_server(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file.part", content, SIZE);
    assert_ok(fetch("404", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 0);
}

/* Would catch: a stale part that stays beside a right file for ever. */
static void a_part_beside_a_right_file_is_removed(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file", content, SIZE);
    put("file.part", content, 5);
    assert_ok(fetch("404", NULL, NULL, &err), &err);
    assert_fetched();
}

/* Would catch: bytes appended to a part by a server that sends all of the file. */
static void a_server_without_ranges_makes_the_part_begin_anew(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file.part", content, 777);
    assert_ok(fetch("norange", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 1);
}

/* Would catch: redirects not followed, or the range lost on the way. */
static void redirects_are_followed(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_ok(fetch("redirect", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(unlink(path_of("file")), 0);
    put("file.part", content, 4000);
    assert_ok(fetch("redirect", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), 4000);
}

/* Would catch: an offline copy that is not found, with a final slash or without one. */
static void a_folder_serves_as_an_offline_copy(void **state)
{
    (void)state;
    struct bittern_error err;
    char copy[] = "/tmp/bittern-test-copy-XXXXXX";
    char address[96];
    char path[96];
    struct bittern_fetch_options options = {.mirror = address};
    assert_non_null(mkdtemp(copy));
    (void)snprintf(path, sizeof path, "%s/file", copy);
    assert_ok(file_write(path, content, SIZE, &err), &err);
    (void)snprintf(address, sizeof address, "file://%s", copy);
    assert_ok(fetch_with(&options, "404", NULL, NULL, &err), &err);
    assert_fetched();
    (void)snprintf(address, sizeof address, "file://%s/", copy);
    assert_int_equal(unlink(path_of("file")), 0);
    put("file.part", content, 99);
    assert_ok(fetch_with(&options, "404", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 0);

    /* The copy is cut short: nothing of it may pass for the file. */
    assert_ok(file_write(path, content, SIZE / 2, &err), &err);
    assert_int_equal(unlink(path_of("file")), 0);
    assert_int_equal(fetch_with(&options, "404", NULL, NULL, &err), BITTERN_ERR_NETWORK);
    assert_non_null(strstr(err.message, "50000 bytes where 100000"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fetch_with(&options, "404", NULL, NULL, &err), BITTERN_ERR_NETWORK);
    assert_int_equal(count_files(), 0);
    assert_int_equal(rmdir(copy), 0);
}

/* Would catch: a proxy in the environment that is passed by. */
static void a_proxy_from_the_environment_is_used(void **state)
{
    (void)state;
    struct bittern_error err;
    char proxy[64];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", http_server_port(server));
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    bittern_status status =
        fetch_with(&(struct bittern_fetch_options){.mirror = "http://mirror.invalid/good"}, "404",
                   NULL, NULL, &err);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_ok(status, &err);
    assert_fetched();
    assert_string_equal(http_server_last_request(server),
                        "GET http://mirror.invalid/good/file HTTP/1.1");
}

/* --- Bad servers ------------------------------------------------------------------------------ */

/* Would catch: a broken connection that ends the download, or makes it begin anew. */
static void a_broken_connection_is_taken_up_again(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_ok(fetch("break", "good", NULL, &err), &err);
    assert_fetched();
    /* Four attempts, each half of the rest, then the good server sends the last sixteenth. */
    assert_int_equal(http_server_last_range(server), SIZE - SIZE / 16);
    assert_int_equal(http_server_take_requests(server), 5);
}

/* Would catch: attempts without end, and a part that is lost when all fail. */
static void what_came_before_all_mirrors_failed_is_kept(void **state)
{
    (void)state;
    assert_fails("break", BITTERN_ERR_NETWORK, "");
    assert_file_is("file.part", content, SIZE - SIZE / 16);
    assert_int_equal(http_server_take_requests(server), settings.attempts);
}

/* Would catch: an error page saved as data, and errors that hide which mirror said what. */
static void errors_name_each_mirror_and_its_reason(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_int_equal(fetch("404", "500", "empty", &err), BITTERN_ERR_NETWORK);
    assert_non_null(strstr(err.message, "cannot download 'file'"));
    assert_non_null(strstr(err.message, "/404/file: it answered with HTTP code 404"));
    assert_non_null(strstr(err.message, "/500/file: it answered with HTTP code 500"));
    assert_non_null(strstr(err.message, "/empty/file: "));
    assert_int_equal(count_files(), 0);
    assert_ok(fetch("404", "500", "good", &err), &err);
    assert_fetched();
}

/* Would catch: an error page that is appended to a part, or makes it be thrown away. */
static void an_error_leaves_the_part_as_it_is(void **state)
{
    (void)state;
    put("file.part", content, 1000);
    assert_fails("404", BITTERN_ERR_NETWORK, "HTTP code 404");
    assert_file_is("file.part", content, 1000);
    assert_fails("500", BITTERN_ERR_NETWORK, "HTTP code 500");
    assert_file_is("file.part", content, 1000);
}

/* Would catch: corrupt bytes that are kept, and a good mirror that is not asked after a bad one. */
static void corrupt_bytes_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_fails("corrupt", BITTERN_ERR_CHECKSUM, "SHA-256");
    assert_int_equal(count_files(), 0);
    assert_int_equal(http_server_take_requests(server), 1);
    assert_ok(fetch("corrupt", "good", NULL, &err), &err);
    assert_fetched();
}

/* Would catch: a corrupt part that makes every later download fail. */
static void a_corrupt_part_is_thrown_away_and_downloaded_anew(void **state)
{
    (void)state;
    struct bittern_error err;
    static uint8_t longer[SIZE + 9];
    put("file.part", "rubbish", 7);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), -1);
    assert_int_equal(http_server_take_requests(server), 2);
    assert_int_equal(unlink(path_of("file")), 0);

    put("file.part", longer, SIZE); /* of the right size */
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(unlink(path_of("file")), 0);

    put("file.part", longer, sizeof longer); /* too long */
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 2);
}

/* Would catch: bytes without end that fill the disk. */
static void more_bytes_than_published_are_refused(void **state)
{
    (void)state;
    assert_fails("toolong", BITTERN_ERR_NETWORK, "more than the 100000 bytes");
    assert_int_equal(count_files(), 0);
    assert_fails("big", BITTERN_ERR_NETWORK, "it has 99999999999 bytes where 100000 are expected");
    assert_int_equal(count_files(), 0);
}

/* Would catch: an answer with other bytes than those asked for being appended. */
static void a_wrong_range_makes_the_part_begin_anew(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file.part", content, 5000);
    assert_ok(fetch("wrongrange", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 2);
}

/* Would catch: a server that refuses a range being given up. */
static void a_refused_range_makes_the_part_begin_anew(void **state)
{
    (void)state;
    struct bittern_error err;
    put("file.part", content, 5000);
    assert_ok(fetch("416", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), -1);
    assert_int_equal(http_server_take_requests(server), 2);
}

/* Would catch: a web server that makes this machine read its own files, or run in circles. */
static void redirects_to_files_and_circles_are_refused(void **state)
{
    (void)state;
    assert_fails("tofile", BITTERN_ERR_NETWORK, "");
    assert_int_equal(http_server_take_requests(server), 1);
    assert_fails("loop", BITTERN_ERR_NETWORK, "redirects");
    assert_int_equal(http_server_take_requests(server), 1 + (size_t)settings.max_redirects);
    assert_int_equal(count_files(), 0);
}

/* Would catch: a download that waits for ever. */
static void a_stalled_server_is_given_up(void **state)
{
    (void)state;
    struct bittern_error err;
    assert_ok(fetch("stall", "good", NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 2);
}

/* Would catch: a server that is not there being reported without its address. */
static void a_refused_connection_is_reported(void **state)
{
    (void)state;
    struct bittern_error err;
    const struct bittern_fetch_options options = {.mirror = "http://127.0.0.1:1"};
    assert_int_equal(fetch_with(&options, "good", NULL, NULL, &err), BITTERN_ERR_NETWORK);
    assert_non_null(strstr(err.message, "http://127.0.0.1:1/file: "));
    assert_int_equal(http_server_take_requests(server), 0);
    assert_int_equal(count_files(), 0);
}

/* Would catch: other protocols that curl knows (dict, gopher, scp ...) being opened up. */
static void other_protocols_are_refused(void **state)
{
    (void)state;
    static const char *const mirrors[] = {"ftp://127.0.0.1/", "/tmp", "", "file:x", "gopher://x/"};
    struct bittern_error err;
    for (size_t i = 0; i < sizeof mirrors / sizeof mirrors[0]; i++) {
        const struct bittern_fetch_options options = {.mirror = mirrors[i]};
        assert_int_equal(fetch_with(&options, "good", NULL, NULL, &err), BITTERN_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "file:///"));
    }
    /* Behind the check of the option, curl itself refuses them as well. */
    const char *const ftp[] = {"ftp://127.0.0.1/", NULL};
    assert_int_equal(
        fetch_files(folder, ftp, files, &(struct bittern_fetch_options){0}, &settings, &err),
        BITTERN_ERR_NETWORK);
    assert_non_null(strstr(err.message, "ftp"));
}

/* --- Cancelling, and two at once ---------------------------------------------------------------
 */

struct watcher {
    uint64_t stop_at; /* cancel once so many bytes are there */
    uint64_t done;
    size_t calls;
};

static int watch(void *user, const char *what, uint64_t done, uint64_t total)
{
    struct watcher *watcher = user;
    assert_string_equal(what, "file");
    assert_int_equal(total, SIZE);
    assert_true(done <= total);
    watcher->calls++;
    watcher->done = done;
    return done >= watcher->stop_at;
}

/* Would catch: Ctrl-C that loses what has come, or does not say how to go on. */
static void a_cancelled_download_keeps_its_part(void **state)
{
    (void)state;
    struct bittern_error err;
    struct stat info;
    struct watcher watcher = {.stop_at = SIZE / 3};
    struct bittern_fetch_options options = {.progress = watch, .user = &watcher};
    assert_int_equal(fetch_with(&options, "slow", NULL, NULL, &err), BITTERN_ERR_CANCELLED);
    assert_non_null(strstr(err.message, path_of("file.part")));
    assert_int_equal(access(path_of("file"), F_OK), -1);
    assert_int_equal(stat(path_of("file.part"), &info), 0);
    assert_true((uint64_t)info.st_size >= watcher.stop_at && info.st_size < SIZE);
    watcher = (struct watcher){.stop_at = UINT64_MAX};
    assert_ok(fetch_with(&options, "good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), info.st_size);
    assert_true(watcher.calls > 0);
}

/* Would catch: an empty part left behind by a download that is cancelled at its beginning. */
static void a_download_cancelled_at_once_leaves_nothing(void **state)
{
    (void)state;
    struct bittern_error err;
    struct watcher watcher = {.stop_at = 0};
    struct bittern_fetch_options options = {.progress = watch, .user = &watcher};
    assert_int_equal(fetch_with(&options, "good", NULL, NULL, &err), BITTERN_ERR_CANCELLED);
    assert_int_equal(count_files(), 0);
}

struct both {
    pthread_t thread;
    const char *mirrors[2];
    bittern_status status;
    struct bittern_error err;
};

static void *fetch_slowly(void *argument)
{
    struct both *one = argument;
    one->status = fetch_files(folder, one->mirrors, files, &(struct bittern_fetch_options){0},
                              &settings, &one->err);
    return NULL;
}

/* Would catch: two downloads that write into one part, or both load the whole file. */
static void two_downloads_at_once_become_one(void **state)
{
    (void)state;
    struct both both[3] = {{.status = BITTERN_OK}};
    (void)snprintf(mirror_text[0], sizeof mirror_text[0], "http://127.0.0.1:%u/slow/",
                   http_server_port(server));
    for (size_t i = 0; i < 3; i++) {
        both[i].mirrors[0] = mirror_text[0];
        assert_int_equal(pthread_create(&both[i].thread, NULL, fetch_slowly, &both[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(both[i].thread, NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_ok(both[i].status, &both[i].err);
    }
    assert_fetched();
    assert_int_equal(http_server_take_requests(server), 1);
}

/* Would catch: a wait for another process that cannot be cancelled, or that takes its part away. */
static void waiting_for_another_process_can_be_cancelled(void **state)
{
    (void)state;
    struct bittern_error err;
    struct fetch_part part;
    struct watcher watcher = {.stop_at = 0};
    struct bittern_fetch_options options = {.progress = watch, .user = &watcher};
    assert_ok(fetch_part_open(&part, folder, &files[0], NULL, NULL, &err), &err);
    assert_int_equal(fetch_with(&options, "good", NULL, NULL, &err), BITTERN_ERR_CANCELLED);
    assert_int_equal(http_server_take_requests(server), 0);
    assert_ok(fetch_part_append(&part, content, SIZE, &err), &err);
    assert_true(fetch_part_is_right(&part));
    assert_ok(fetch_part_commit(&part, &err), &err);
    fetch_part_close(&part);
    assert_fetched();
}

/* Would catch: failures of this machine being blamed on one mirror after another. */
static void a_folder_that_cannot_be_written_is_reported(void **state)
{
    (void)state;
    struct bittern_error err;
    const char *const mirrors[] = {"http://127.0.0.1:1/", NULL};
    assert_int_equal(fetch_files("/proc/none", mirrors, files, &(struct bittern_fetch_options){0},
                                 &settings, &err),
                     BITTERN_ERR_IO);
    assert_non_null(strstr(err.message, "/proc/none/file.part"));
}

/* Would catch: a full disk that is taken for a mirror's fault, so that each mirror is asked in
 * vain, and a part that is lost although what fits is good. */
static void a_full_disk_ends_the_download(void **state)
{
    (void)state;
    struct bittern_error err;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit full = {.rlim_cur = SIZE / 2, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    bittern_status status = fetch("good", "good", NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, BITTERN_ERR_IO);
    assert_non_null(strstr(err.message, path_of("file.part")));
    assert_int_equal(http_server_take_requests(server), 1);
    assert_file_is("file.part", content, SIZE / 2);
    assert_ok(fetch("good", NULL, NULL, &err), &err);
    assert_fetched();
    assert_int_equal(http_server_last_range(server), SIZE / 2);
}

/* --- The known sets --------------------------------------------------------------------------- */

/* Would catch: a known set that names files for which nothing says where they are, a mistyped sum,
 * a size that `bittern data list` gives wrongly. */
static void every_known_file_has_mirrors_and_a_sum(void **state)
{
    (void)state;
    const struct dataset_known *known;
    for (size_t k = 0; (known = dataset_known_at(k)) != NULL; k++) {
        const struct fetch_source *source = NULL;
        uint64_t total = 0;
        size_t count = 0;
        for (size_t i = 0; (source = fetch_source_at(i)) != NULL; i++) {
            if (strcmp(source->folder, known->folder) == 0) {
                break;
            }
        }
        if (!known->published[0]) {
            assert_null(source);
            continue;
        }
        if (!source) {
            fail_msg("nothing says where %s is published", known->info.name);
            return; /* not reached, which the analyzer does not know */
        }
        assert_true(source->mirrors[0] && source->mirrors[1]);
        for (size_t i = 0; source->mirrors[i]; i++) {
            assert_int_equal(strncmp(source->mirrors[i], "http", 4), 0);
            assert_int_equal(source->mirrors[i][strlen(source->mirrors[i]) - 1], '/');
        }
        for (; source->files[count].name; count++) {
            const struct fetch_file *file = &source->files[count];
            assert_non_null(known->published[count]);
            assert_string_equal(file->name, known->published[count]);
            assert_int_equal(strlen(file->sha256), 64);
            assert_int_equal(strspn(file->sha256, "0123456789abcdef"), 64);
            total += file->size;
        }
        assert_null(known->published[count]);
        assert_int_equal(total, known->info.download_bytes);
    }
}

/* Would catch: names that are not looked up, and a drawn set that is looked for on the web. */
static void unknown_and_drawn_sets_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    const struct bittern_fetch_options options = {.data_dir = folder};
    assert_int_equal(bittern_dataset_fetch("nist", &options, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "mnist"));
    assert_int_equal(bittern_dataset_fetch("digits", &options, &err), BITTERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "make digits"));
    assert_int_equal(bittern_dataset_fetch("nist", NULL, NULL), BITTERN_ERR_NOT_FOUND);
    assert_int_equal(count_files(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_downloaded_once),
        TEST(wrong_files_and_forced_ones_are_downloaded_again),
        TEST(a_part_is_resumed),
        TEST(a_part_that_is_whole_needs_no_server),
        TEST(a_part_beside_a_right_file_is_removed),
        TEST(a_server_without_ranges_makes_the_part_begin_anew),
        TEST(redirects_are_followed),
        TEST(a_folder_serves_as_an_offline_copy),
        TEST(a_proxy_from_the_environment_is_used),
        TEST(a_broken_connection_is_taken_up_again),
        TEST(what_came_before_all_mirrors_failed_is_kept),
        TEST(errors_name_each_mirror_and_its_reason),
        TEST(an_error_leaves_the_part_as_it_is),
        TEST(corrupt_bytes_are_refused),
        TEST(a_corrupt_part_is_thrown_away_and_downloaded_anew),
        TEST(more_bytes_than_published_are_refused),
        TEST(a_wrong_range_makes_the_part_begin_anew),
        TEST(a_refused_range_makes_the_part_begin_anew),
        TEST(redirects_to_files_and_circles_are_refused),
        TEST(a_stalled_server_is_given_up),
        TEST(a_refused_connection_is_reported),
        TEST(other_protocols_are_refused),
        TEST(a_cancelled_download_keeps_its_part),
        TEST(a_download_cancelled_at_once_leaves_nothing),
        TEST(two_downloads_at_once_become_one),
        TEST(waiting_for_another_process_can_be_cancelled),
        TEST(a_folder_that_cannot_be_written_is_reported),
        TEST(a_full_disk_ends_the_download),
        TEST(every_known_file_has_mirrors_and_a_sum),
        TEST(unknown_and_drawn_sets_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
