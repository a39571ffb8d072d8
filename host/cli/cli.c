/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: messages, numbers, progress, interrupts. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define PLAIN_LINE_SECONDS 5.0

static volatile sig_atomic_t interrupted;

int cli_fail(const char *command, const struct bittern_error *err)
{
    fprintf(stderr, "bittern %s: %s\n", command, err->message);
    return err->status == BITTERN_ERR_CANCELLED ? CLI_EXIT_INTERRUPTED : CLI_EXIT_FAILED;
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "bittern %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'bittern %s --help'.\n", command);
    return CLI_EXIT_USAGE;
}

bool cli_parse_u64(const char *text, uint64_t *value)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false; /* strtoull would take signs and spaces */
    }
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *value = parsed;
    return true;
}

bool cli_parse_size(const char *text, size_t minimum, size_t maximum, size_t *value)
{
    uint64_t parsed;
    if (!cli_parse_u64(text, &parsed) || parsed < minimum || parsed > maximum) {
        return false;
    }
    *value = (size_t)parsed;
    return true;
}

bool cli_parse_double(const char *text, double *value)
{
    char *end;
    errno = 0;
    double parsed = strtod(text, &end);
    if (end == text || *end != '\0' || errno == ERANGE || !isfinite(parsed)) {
        return false;
    }
    *value = parsed;
    return true;
}

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    /* The second signal ends the process at once: a way out of a loop that does not look. */
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

double cli_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_progress_start(struct cli_progress *progress, const char *what, const char *unit,
                        bool quiet)
{
    *progress = (struct cli_progress){.what = what,
                                      .unit = unit,
                                      .quiet = quiet,
                                      .terminal = isatty(STDERR_FILENO) == 1,
                                      .started = cli_seconds(),
                                      .last = cli_seconds()};
}

void cli_progress_update(struct cli_progress *progress, uint64_t done, uint64_t total)
{
    double now = cli_seconds();
    double pause = progress->terminal ? REDRAW_SECONDS : PLAIN_LINE_SECONDS;
    bool last = total > 0 && done >= total && progress->drawn;

    if (progress->quiet || (now - progress->last < pause && !last)) {
        return;
    }
    progress->last = now;
    progress->drawn = true;
    double rate = now > progress->started ? (double)done / (now - progress->started) : 0.0;
    char count[64];
    char rate_text[64];
    bool bytes = strcmp(progress->unit, "bytes") == 0;
    if (bytes) {
        cli_format_bytes(done, count, sizeof count);
        cli_format_bytes((uint64_t)rate, rate_text, sizeof rate_text);
    } else {
        cli_format_count(done, count, sizeof count);
        cli_format_count((uint64_t)rate, rate_text, sizeof rate_text);
    }
    fprintf(stderr, "%s%s: %s%s%s", progress->terminal ? "\r" : "", progress->what, count,
            bytes ? "" : " ", bytes ? "" : progress->unit);
    if (total > 0) {
        fprintf(stderr, ", %.0f %%", 100.0 * (double)done / (double)total);
    }
    fprintf(stderr, ", %s/s", rate_text);
    if (total > done && rate > 0.0) {
        double left = (double)(total - done) / rate;
        fprintf(stderr, ", %.0f:%02.0f left", floor(left / 60.0), floor(fmod(left, 60.0)));
    }
    fprintf(stderr, progress->terminal ? "\033[K" : "\n");
    fflush(stderr);
}

void cli_progress_finish(struct cli_progress *progress)
{
    if (progress->drawn && progress->terminal) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    progress->drawn = false;
}

const char *cli_format_count(uint64_t value, char *buffer, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    size_t used = 0;
    for (int i = 0; i < length && used + 1 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0 && used + 2 < size) {
            buffer[used++] = ',';
        }
        buffer[used++] = digits[i];
    }
    buffer[used] = '\0';
    return buffer;
}

const char *cli_format_bytes(uint64_t value, char *buffer, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double scaled = (double)value;
    size_t unit = 0;
    while (scaled >= 1000.0 && unit + 1 < sizeof units / sizeof units[0]) {
        scaled /= 1000.0;
        unit++;
    }
    (void)snprintf(buffer, size, unit == 0 ? "%.0f %s" : "%.1f %s", scaled, units[unit]);
    return buffer;
}

int cli_finish_output(const char *command)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "bittern %s: cannot write to standard output: %s\n", command,
                strerror(errno));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}
