/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands share. Exit codes: 0 all well, 1 the work failed, 2 the command line was wrong.
 */
#ifndef BITTERN_CLI_H
#define BITTERN_CLI_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_EXIT_OK 0
#define CLI_EXIT_FAILED 1
#define CLI_EXIT_USAGE 2
#define CLI_EXIT_INTERRUPTED 130

/* Each command gets argv from its own name on, so that getopt_long works as in main(). */
int command_data(int argc, char **argv);
int command_train(int argc, char **argv);
int command_compile(int argc, char **argv);
int command_run(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_energy(int argc, char **argv);
int command_devices(int argc, char **argv);
int command_report(int argc, char **argv);

/* Print "bittern COMMAND: message" on stderr and return CLI_EXIT_FAILED. */
int cli_fail(const char *command, const struct bittern_error *err);
/* Print "bittern COMMAND: message" and where to find help on stderr; return CLI_EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parse a whole decimal number from minimum to maximum; false, with nothing stored, otherwise. */
bool cli_parse_size(const char *text, size_t minimum, size_t maximum, size_t *value);
bool cli_parse_u64(const char *text, uint64_t *value);
bool cli_parse_double(const char *text, double *value);

/* From the first call on, SIGINT and SIGTERM set a flag instead of ending the process. */
void cli_catch_interrupts(void);
bool cli_interrupted(void);

/*
 * Progress on stderr: on a terminal one line that is redrawn ("what  42 %  1.2 k/s  0:13 left"), at
 * most ten times a second; elsewhere a plain line every few seconds. Quiet where `quiet` is set.
 */
struct cli_progress {
    const char *what;
    const char *unit; /* "images", "bytes" */
    bool quiet;
    bool terminal;
    bool drawn;
    double started, last;
};
void cli_progress_start(struct cli_progress *progress, const char *what, const char *unit,
                        bool quiet);
void cli_progress_update(struct cli_progress *progress, uint64_t done, uint64_t total);
void cli_progress_finish(struct cli_progress *progress);

/* To be called last: CLI_EXIT_FAILED, with a message, where standard output could not be written,
 * e.g. to a full disk. */
int cli_finish_output(const char *command);

double cli_seconds(void); /* monotonic clock */

/* 1234567 -> "1,234,567" in buffer; and bytes as "1.2 MB". Both return buffer. */
const char *cli_format_count(uint64_t value, char *buffer, size_t size);
const char *cli_format_bytes(uint64_t value, char *buffer, size_t size);

#endif
