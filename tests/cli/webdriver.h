/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A headless Chromium for tests of pages, driven through chromedriver (W3C WebDriver: JSON over
 * HTTP). The current cmocka test fails where the browser refuses a command.
 */
#ifndef BITTERN_WEBDRIVER_H
#define BITTERN_WEBDRIVER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct browser;

/* Whether chromedriver and a Chromium are in PATH. */
bool browser_is_installed(void);

/* NULL, with a message on stderr, where it cannot be started. */
struct browser *browser_start(void);
void browser_stop(struct browser *browser);

/* Load an address, and wait for its end. */
void browser_go(struct browser *browser, const char *address);
/* Run the body of a function; its value, to be deleted. */
cJSON *browser_run(struct browser *browser, const char *script);
/* Press Tab so many times. */
void browser_press_tab(struct browser *browser, unsigned times);
/* Entries since the last call, to be deleted: "browser" is the console, "performance" has the
 * network's events. */
cJSON *browser_log(struct browser *browser, const char *kind);
/* A method of the DevTools protocol; its result, to be deleted. Takes params. */
cJSON *browser_devtools(struct browser *browser, const char *method, cJSON *params);

#endif
