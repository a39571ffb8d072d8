/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of metrics.jsonl: making one of an epoch, and finding where to cut the file. */
#ifndef BITTERN_TRAIN_METRICS_JSON_H
#define BITTERN_TRAIN_METRICS_JSON_H

#include "log/metrics.h"

/* The line, with its end; to be freed. NULL: out of memory. */
char *metrics_json_line(const struct epoch_metrics *epoch);

/* JSON text on one line, with its end; to be freed. */
bittern_status metrics_json_reprint(const char *json, char **line, struct bittern_error *err);

/* *end: bytes up to the last line of an epoch <= last_epoch. A last line without its end is cut
 * off; another line that is not JSON is BITTERN_ERR_FORMAT with its number. */
bittern_status metrics_json_find_end(const char *text, size_t size, const char *path,
                                     uint64_t last_epoch, size_t *end, struct bittern_error *err);

#endif
