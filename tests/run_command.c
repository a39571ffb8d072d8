/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a program with two pipes, and reads both until they close. */
#include "run_command.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SECONDS 120
/* Under an emulator a program takes that many times as long. */
#ifndef BITTERN_TEST_SLOWNESS
#define BITTERN_TEST_SLOWNESS 1
#endif
#define EXIT_NOT_STARTED 127

struct output {
    int fd;
    char *text;
    size_t size, capacity;
};

static void change_environment(const char *const *environment)
{
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        if (!equals) {
            unsetenv(*environment);
            continue;
        }
        char *name = strndup(*environment, (size_t)(equals - *environment));
        if (!name || setenv(name, equals + 1, 1) != 0) {
            _exit(EXIT_NOT_STARTED);
        }
        free(name);
    }
}

static void become(const struct command_options *options, const char *const *arguments, int out,
                   int err)
{
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0) {
        _exit(EXIT_NOT_STARTED);
    }
    if (options && options->folder && chdir(options->folder) != 0) {
        dprintf(STDERR_FILENO, "cannot enter '%s': %s\n", options->folder, strerror(errno));
        _exit(EXIT_NOT_STARTED);
    }
    change_environment(options ? options->environment : NULL);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    dprintf(STDERR_FILENO, "cannot start '%s': %s\n", arguments[0], strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

/* Take what is there; false at its end. */
static bool take_output(struct output *output)
{
    if (output->capacity - output->size < 4096) {
        size_t larger = output->capacity * 2 + 8192;
        char *text = realloc(output->text, larger);
        if (!text) {
            return false;
        }
        output->text = text;
        output->capacity = larger;
    }
    ssize_t got = read(output->fd, output->text + output->size, 4095);
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got > 0) {
        output->size += (size_t)got;
    }
    output->text[output->size] = '\0';
    return got > 0;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Read both until they are closed; false where that took too long. */
static bool collect(struct output *outputs, double deadline)
{
    struct pollfd polled[2] = {{.fd = outputs[0].fd, .events = POLLIN},
                               {.fd = outputs[1].fd, .events = POLLIN}};
    while (polled[0].fd >= 0 || polled[1].fd >= 0) {
        double left = deadline - seconds_now();
        if (left <= 0) {
            return false;
        }
        if (poll(polled, 2, (int)(left * 1e3) + 1) < 0 && errno != EINTR) {
            return false;
        }
        for (int i = 0; i < 2; i++) {
            if (polled[i].fd >= 0 && polled[i].revents != 0 && !take_output(&outputs[i])) {
                polled[i].fd = -1;
            }
        }
    }
    return true;
}

void run_command(struct command_result *result, const struct command_options *options,
                 const char *const *arguments)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    int status = 0;
    double seconds = options && options->seconds > 0 ? options->seconds : DEFAULT_SECONDS;

    *result = (struct command_result){.exit_code = -1};
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        fail_msg("cannot make a pipe: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child == 0) {
        become(options, arguments, out[1], err[1]);
    }
    close(out[1]);
    close(err[1]);
    struct output outputs[2] = {{.fd = out[0]}, {.fd = err[0]}};
    bool ended = child > 0 && collect(outputs, seconds_now() + seconds * BITTERN_TEST_SLOWNESS);
    if (child > 0) {
        if (!ended) {
            kill(child, SIGKILL);
        }
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(out[0]);
    close(err[0]);
    *result = (struct command_result){.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                                                       : WEXITSTATUS(status),
                                      .out = outputs[0].text,
                                      .out_size = outputs[0].size,
                                      .err = outputs[1].text,
                                      .err_size = outputs[1].size};
    if (!ended || result->exit_code == EXIT_NOT_STARTED) {
        fail_msg("%s: %s: %s", arguments[0],
                 ended ? "was not started" : "did not end in time, or cannot be started",
                 result->err ? result->err : "");
    }
}

void command_result_free(struct command_result *result)
{
    free(result->out);
    free(result->err);
    *result = (struct command_result){0};
}
