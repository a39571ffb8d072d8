/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from files that another program wrote: whole files, or one object a line. Errors name the
 * file, the line and the member. Numbers that are not known (null, or no such member) are NaN.
 */
#ifndef BITTERN_REPORT_JSON_READ_H
#define BITTERN_REPORT_JSON_READ_H

#include <bittern/error.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_FILE_LIMIT ((size_t)64 << 20)

/* Where an object stands, for messages. */
struct json_place {
    const char *path;
    size_t line; /* from 1 */
};

/* Parse a file; NULL with err set. */
cJSON *json_read_file(const char *path, struct bittern_error *err);

/* For each line that is not empty: `take` gets its object, which it may keep by setting *json to
 * NULL. A last line that was cut off is an error that says `advice`. */
typedef bittern_status (*json_take)(void *user, const struct json_place *place, cJSON **json,
                                    struct bittern_error *err);
bittern_status json_read_lines(const char *path, const char *advice, json_take take, void *user,
                               struct bittern_error *err);

/* "format" and "version" must be these. */
bittern_status json_check_version(const struct json_place *place, const cJSON *object,
                                  const char *format, int version, struct bittern_error *err);

/* Members by path, "whole.cycles_per_image"; NULL where there is none, or null. */
const cJSON *json_find(const cJSON *object, const char *path);

/* Whether both are there and the same. */
bool json_is_text(const char *text, const char *other);

/*
 * Several members of one object: the first wrong one sets the error, later calls do nothing.
 *
 *     struct json_members m = {place, object, err, BITTERN_OK};
 *     row->name = json_text(&m, "program.name", true);
 *     row->cycles = json_number(&m, "whole.cycles_per_image");
 *     if (m.status != BITTERN_OK) ...
 */
struct json_members {
    const struct json_place *place;
    const cJSON *object;
    struct bittern_error *err;
    bittern_status status;
};
/* Not negative and of a size that can be right, or NaN where it is not known. */
double json_number(struct json_members *members, const char *path);
/* The same, of any sign. */
double json_signed(struct json_members *members, const char *path);
/* "" where there is none, an error where it is required. */
const char *json_text(struct json_members *members, const char *path, bool required);
/* An array of at most `limit` items; NULL where there is none. */
const cJSON *json_array(struct json_members *members, const char *path, size_t limit);

#endif
