/* SPDX-License-Identifier: Apache-2.0 */
/* A network for people and for programs: what `compile`, `run` and `inspect` say about it. */
#ifndef BITTERN_CLI_NETWORK_REPORT_H
#define BITTERN_CLI_NETWORK_REPORT_H

#include <bittern/network.h>
#include <bittern/program.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* ---- For people (network_report.c) ----------------------------------------------------------- */

/* "1x28x28"; returns buffer. */
const char *shape_text(const struct bittern_shape *shape, char *buffer, size_t size);
/* "binary", "ternary", "uint4", "int8", "int32"; returns buffer. */
const char *value_type_text(const struct bittern_value_type *type, char *buffer, size_t size);

/* The layer table, totals, compression, and the inexact channels if any; false: out of memory. */
bool network_print(const struct bittern_network *network, FILE *out);
/* One layer in detail: windows, how often each weight level occurs, activation ranges, scale. */
bool layer_print(const struct bittern_network *network, size_t index, FILE *out);

/* ---- What both say --------------------------------------------------------------------------- */

/* Bits of the smallest signed integer that holds acc_min..acc_max. */
unsigned layer_accumulator_bits(const struct bittern_layer *layer);

/* How often each weight value occurs, from `minimum` on; counts is to be freed with free().
 * Layers without weights give count 0 and NULL; false: out of memory. */
struct weight_histogram {
    int32_t minimum;
    size_t count;
    uint64_t *counts;
};
bool layer_weight_histogram(const struct bittern_layer *layer, struct weight_histogram *histogram);

/* ---- For programs (network_json.c) ----------------------------------------------------------- */

/* All of these give NULL where memory runs out. */
cJSON *network_to_json(const struct bittern_network *network);
cJSON *layer_to_json(const struct bittern_network *network, size_t index, bool details);
cJSON *geometry_to_json(const struct bittern_geometry *geometry);
cJSON *shape_to_json(const struct bittern_shape *shape);

/* Print on stdout, and delete the tree. @return CLI_EXIT_OK, or CLI_EXIT_FAILED with a message
 * where the tree is NULL (no memory) or standard output cannot be written */
int json_print(const char *command, cJSON *root);

#endif
