/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON of others: every key is looked for, every number is held to a range. */
#ifndef BITTERN_ENERGY_ENERGY_JSON_H
#define BITTERN_ENERGY_ENERGY_JSON_H

#include <bittern/error.h>
#include <cjson/cJSON.h>
#include <stddef.h>

/* One object of a file, for messages: "FILE: PLACE". */
struct energy_json {
    const char *file, *place;
    const cJSON *object;
    struct bittern_error *err;
};

/* Parse `size` bytes, and check `format` and `version`; *out is to be freed with cJSON_Delete. */
bittern_status energy_json_parse(const char *file, const char *data, size_t size,
                                 const char *format, int version, cJSON **out,
                                 struct bittern_error *err);

bittern_status energy_json_number(const struct energy_json *json, const char *key, double minimum,
                                  double maximum, double *value);
/* The string is the file's own. */
bittern_status energy_json_string(const struct energy_json *json, const char *key,
                                  const char **value);
/* An object within; `inner` takes over file, place and err. */
bittern_status energy_json_object(const struct energy_json *json, const char *key,
                                  struct energy_json *inner);

#endif
