/* SPDX-License-Identifier: Apache-2.0 */
/* chromedriver as a child process, and its commands through libcurl. */
#include "webdriver.h"

#include "testing.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 120L
#define TAB "\\uE004"

struct browser {
    pid_t driver;
    FILE *said; /* its standard output */
    CURL *curl;
    char base[96]; /* http://127.0.0.1:PORT/session/ID */
};

bool browser_is_installed(void)
{
    return system("command -v chromedriver >/dev/null 2>&1 && "
                  "{ command -v chromium || command -v chromium-browser; } >/dev/null 2>&1") == 0;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static size_t append(char *bytes, size_t size, size_t count, void *user)
{
    return fwrite(bytes, size, count, user);
}

/* POST where there is a body, DELETE or GET without one; "value" of the answer, to be deleted; NULL
 * where there is no answer. */
static cJSON *ask(struct browser *browser, const char *method, const char *path, const char *body)
{
    char address[256];
    char *text = NULL;
    size_t size = 0;
    cJSON *value = NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return NULL;
    }
    (void)snprintf(address, sizeof address, "%s%s", browser->base, path);
    curl_easy_reset(browser->curl);
    curl_easy_setopt(browser->curl, CURLOPT_URL, address);
    curl_easy_setopt(browser->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(browser->curl, CURLOPT_TIMEOUT, SECONDS);
    curl_easy_setopt(browser->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(browser->curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(browser->curl, CURLOPT_WRITEDATA, out);
    if (body) {
        curl_easy_setopt(browser->curl, CURLOPT_POSTFIELDS, body);
    }
    CURLcode code = curl_easy_perform(browser->curl);
    if (fclose(out) == 0 && code == CURLE_OK) {
        cJSON *answer = cJSON_Parse(text);
        value = cJSON_DetachItemFromObjectCaseSensitive(answer, "value");
        cJSON_Delete(answer);
    } else {
        fprintf(stderr, "%s: %s\n", address, curl_easy_strerror(code));
    }
    free(text);
    return value;
}

/* The same with a body that is taken; fails the test where the answer is an error. */
static cJSON *command(struct browser *browser, const char *path, cJSON *body)
{
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    assert_non_null(text);
    cJSON *value = ask(browser, "POST", path, text);
    cJSON_free(text);
    assert_non_null(value);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(value, "error");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(value, "message");
    if (cJSON_IsString(error) && cJSON_IsString(message)) {
        fail_msg("%s: %s: %.600s", path, error->valuestring, message->valuestring);
    }
    return value;
}

/* ---- The processes --------------------------------------------------------------------------- */

static bool start_driver(struct browser *browser)
{
    char program[] = "chromedriver";
    char port[] = "--port=0";
    char *const arguments[] = {program, port, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int code = posix_spawnp(&browser->driver, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code != 0) {
        browser->driver = 0;
        close(ends[0]);
        return false;
    }
    browser->said = fdopen(ends[0], "r");
    return browser->said != NULL;
}

/* "ChromeDriver was started successfully on port 41234." */
static bool find_port(struct browser *browser)
{
    char line[512];
    while (fgets(line, sizeof line, browser->said)) {
        const char *found = strstr(line, "on port ");
        if (strstr(line, "success") && found) {
            (void)snprintf(browser->base, sizeof browser->base, "http://127.0.0.1:%ld",
                           strtol(found + strlen("on port "), NULL, 10));
            return true;
        }
    }
    return false;
}

static bool open_session(struct browser *browser)
{
    char body[700];
    (void)snprintf(body, sizeof body,
                   "{\"capabilities\":{\"alwaysMatch\":{\"browserName\":\"chrome\","
                   "\"goog:loggingPrefs\":{\"browser\":\"ALL\",\"performance\":\"ALL\"},"
                   "\"goog:chromeOptions\":{\"args\":[\"--headless=new\",\"--disable-gpu\","
                   "\"--disable-dev-shm-usage\",\"--window-size=1200,900\"%s]}}}}",
                   geteuid() == 0 ? ",\"--no-sandbox\"" : ""); /* which root cannot have */
    cJSON *value = ask(browser, "POST", "/session", body);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(value, "sessionId");
    bool opened = cJSON_IsString(id) && strlen(id->valuestring) < 48;
    if (opened) {
        size_t used = strlen(browser->base);
        (void)snprintf(browser->base + used, sizeof browser->base - used, "/session/%.48s",
                       id->valuestring);
    } else {
        char *text = cJSON_Print(value);
        fprintf(stderr, "the browser does not start: %.600s\n", text ? text : "no answer");
        cJSON_free(text);
    }
    cJSON_Delete(value);
    return opened;
}

struct browser *browser_start(void)
{
    struct browser *browser = calloc(1, sizeof *browser);
    if (!browser) {
        return NULL;
    }
    browser->curl = curl_easy_init();
    if (!browser->curl || !start_driver(browser) || !find_port(browser) || !open_session(browser)) {
        fprintf(stderr, "chromedriver does not start\n");
        browser_stop(browser);
        return NULL;
    }
    return browser;
}

void browser_stop(struct browser *browser)
{
    if (!browser) {
        return;
    }
    if (strstr(browser->base, "/session/")) {
        cJSON_Delete(ask(browser, "DELETE", "", NULL));
    }
    if (browser->driver > 0) {
        (void)kill(browser->driver, SIGTERM);
        (void)waitpid(browser->driver, NULL, 0);
    }
    if (browser->said) {
        (void)fclose(browser->said);
    }
    curl_easy_cleanup(browser->curl);
    free(browser);
}

/* ---- Commands -------------------------------------------------------------------------------- */

void browser_go(struct browser *browser, const char *address)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "url", address);
    cJSON_Delete(command(browser, "/url", body));
}

cJSON *browser_run(struct browser *browser, const char *script)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "script", script);
    cJSON_AddArrayToObject(body, "args");
    return command(browser, "/execute/sync", body);
}

void browser_press_tab(struct browser *browser, unsigned times)
{
    cJSON *body = cJSON_Parse("{\"actions\":[{\"type\":\"key\",\"id\":\"keys\",\"actions\":[]}]}");
    cJSON *keys = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(body, "actions"), 0), "actions");
    for (unsigned i = 0; i < times; i++) {
        cJSON_AddItemToArray(keys, cJSON_Parse("{\"type\":\"keyDown\",\"value\":\"" TAB "\"}"));
        cJSON_AddItemToArray(keys, cJSON_Parse("{\"type\":\"keyUp\",\"value\":\"" TAB "\"}"));
    }
    cJSON_Delete(command(browser, "/actions", body));
}

cJSON *browser_log(struct browser *browser, const char *kind)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "type", kind);
    return command(browser, "/se/log", body);
}

cJSON *browser_devtools(struct browser *browser, const char *method, cJSON *params)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "cmd", method);
    cJSON_AddItemToObject(body, "params", params);
    return command(browser, "/goog/cdp/execute", body);
}
