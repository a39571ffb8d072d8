/* SPDX-License-Identifier: Apache-2.0 */
#include "energy_json.h"

#include <math.h>
#include <string.h>

bittern_status energy_json_parse(const char *file, const char *data, size_t size,
                                 const char *format, int version, cJSON **out,
                                 struct bittern_error *err)
{
    *out = NULL;
    cJSON *root = cJSON_ParseWithLength(data, size);
    if (!cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "%s: not a JSON object, or not a whole one", file);
    }
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "format");
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(root, "version");
    bittern_status status = BITTERN_OK;
    if (!cJSON_IsString(name) || strcmp(name->valuestring, format) != 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "%s: its format is '%.64s', not '%s'",
                                   file, cJSON_IsString(name) ? name->valuestring : "none", format);
    } else if (!cJSON_IsNumber(number) || number->valuedouble != version) {
        status = bittern_error_set(
            err, BITTERN_ERR_FORMAT, "%s: this Bittern reads version %d of '%s', not %g", file,
            version, format, cJSON_IsNumber(number) ? number->valuedouble : 0.0);
    }
    if (status != BITTERN_OK) {
        cJSON_Delete(root);
        return status;
    }
    *out = root;
    return BITTERN_OK;
}

bittern_status energy_json_number(const struct energy_json *json, const char *key, double minimum,
                                  double maximum, double *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->object, key);
    if (!cJSON_IsNumber(item)) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT, "%s: %s has no number '%s'",
                                 json->file, json->place, key);
    }
    if (!isfinite(item->valuedouble) || item->valuedouble < minimum ||
        item->valuedouble > maximum) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT,
                                 "%s: '%s' of %s is %g; it must be from %g to %g", json->file, key,
                                 json->place, item->valuedouble, minimum, maximum);
    }
    *value = item->valuedouble;
    return BITTERN_OK;
}

bittern_status energy_json_string(const struct energy_json *json, const char *key,
                                  const char **value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->object, key);
    if (!cJSON_IsString(item)) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT, "%s: %s has no string '%s'",
                                 json->file, json->place, key);
    }
    *value = item->valuestring;
    return BITTERN_OK;
}

bittern_status energy_json_object(const struct energy_json *json, const char *key,
                                  struct energy_json *inner)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->object, key);
    if (!cJSON_IsObject(item)) {
        return bittern_error_set(json->err, BITTERN_ERR_FORMAT, "%s: %s has no object '%s'",
                                 json->file, json->place, key);
    }
    *inner = (struct energy_json){json->file, json->place, item, json->err};
    return BITTERN_OK;
}
