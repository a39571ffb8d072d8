/* SPDX-License-Identifier: Apache-2.0 */
/* Small files for reports, written by hand from docs/bench-format.md and docs/training-files.md. */
#ifndef BITTERN_REPORT_FIXTURE_H
#define BITTERN_REPORT_FIXTURE_H

#include "cli_fixture.h"

/* What a row is about; strings are JSON text without its quotes. */
struct report_fixture_row {
    const char *program, *layer; /* names; the layer's is followed by its number */
    const char *weights;         /* "binary" ... */
    const char *energy;          /* "model", "board", or NULL: no energy */
    double accuracy, joules, bits, cycles;
};

/* One line as `bittern bench` writes it, with three layers; to be freed. */
char *report_fixture_line(const struct report_fixture_row *row);
/* FOLDER/name: three rows, one of which both others beat in accuracy or energy. */
void report_fixture_rows(const char *name);
/* FOLDER/name/metrics.jsonl and result.json: three epochs of two layers; tiny-sq.btn: the fixture's
 * classifier. */
void report_fixture_run(const char *name);
/* FOLDER/name: what `bittern run --predictions` writes for the data set "digits", every fifth image
 * wrong. */
void report_fixture_predictions(const char *name);

#endif
