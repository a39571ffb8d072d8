/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON with cJSON, which bounds nesting itself; this adds places, types and limits. */
#include "json_read.h"

#include "base/file.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that Bittern measures is beyond these; within them products and quotients stay finite. */
#define LARGEST 1e30
#define SMALLEST 1e-30

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++) {
        line += *text == '\n';
    }
    return line;
}

cJSON *json_read_file(const char *path, struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    const char *end = NULL;
    cJSON *json = NULL;

    if (file_read(path, JSON_FILE_LIMIT, &data, &size, err) != BITTERN_OK) {
        return NULL;
    }
    const char *text = (const char *)data;
    json = cJSON_ParseWithLengthOpts(text, size + 1, &end, true);
    if (!json) {
        const char *stop = end ? end : text;
        size_t last = size;
        while (last > 0 && strchr(" \t\r\n", text[last - 1])) {
            last--;
        }
        bool cut = last == 0 || (text[last - 1] != '}' && text[last - 1] != ']');
        bittern_error_set(err, BITTERN_ERR_FORMAT, "%s:%zu: %s", path, line_of(text, stop),
                          cut ? "the JSON text is cut off" : "this is not JSON");
    }
    free(data);
    return json;
}

static bittern_status take_line(char *line, size_t length, const struct json_place *place,
                                json_take take, void *user, struct bittern_error *err)
{
    if (memchr(line, '\0', length)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s:%zu: a byte 0 within the line",
                                 place->path, place->line);
    }
    cJSON *json = cJSON_ParseWithOpts(line, NULL, true);
    if (!json || !cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return bittern_error_set(err, BITTERN_ERR_FORMAT, "%s:%zu: the line is not a JSON object",
                                 place->path, place->line);
    }
    bittern_status status = take(user, place, &json, err);
    cJSON_Delete(json);
    return status;
}

bittern_status json_read_lines(const char *path, const char *advice, json_take take, void *user,
                               struct bittern_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct json_place place = {path, 0};

    bittern_status status = file_read(path, JSON_FILE_LIMIT, &data, &size, err);
    char *line = (char *)data;
    while (status == BITTERN_OK && (size_t)(line - (char *)data) < size) {
        size_t left = size - (size_t)(line - (char *)data);
        char *end = memchr(line, '\n', left);
        size_t length = end ? (size_t)(end - line) : left;
        place.line++;
        line[length] = '\0';
        if (strspn(line, " \t\r") < length) {
            status = take_line(line, length, &place, take, user, err);
            if (status == BITTERN_ERR_FORMAT && !end) {
                bittern_error_set(err, BITTERN_ERR_FORMAT,
                                  "%s:%zu: the last line is cut off, as a crash leaves it; %s",
                                  path, place.line, advice);
            }
        }
        line += length + 1;
    }
    free(data);
    return status;
}

bittern_status json_check_version(const struct json_place *place, const cJSON *object,
                                  const char *format, int version, struct bittern_error *err)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "format");
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, "version");
    if (!cJSON_IsString(name) || strcmp(name->valuestring, format) != 0) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s:%zu: \"format\" is %s%.40s%s, not \"%s\"", place->path,
                                 place->line, cJSON_IsString(name) ? "\"" : "",
                                 cJSON_IsString(name) ? name->valuestring : "not there",
                                 cJSON_IsString(name) ? "\"" : "", format);
    }
    if (!cJSON_IsNumber(number) || number->valuedouble != version) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%s:%zu: %s has version %g; this program reads version %d",
                                 place->path, place->line, format,
                                 cJSON_IsNumber(number) ? number->valuedouble : 0.0, version);
    }
    return BITTERN_OK;
}

const cJSON *json_find(const cJSON *object, const char *path)
{
    char name[64];
    while (object && *path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof name || !cJSON_IsObject(object)) {
            return NULL;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        object = cJSON_GetObjectItemCaseSensitive(object, name);
        path += length + (path[length] == '.');
    }
    return cJSON_IsNull(object) ? NULL : object;
}

bool json_is_text(const char *text, const char *other)
{
    return text && other && strcmp(text, other) == 0;
}

static void fail(struct json_members *members, const char *path, const char *expected)
{
    members->status =
        bittern_error_set(members->err, BITTERN_ERR_FORMAT, "%s:%zu: \"%s\" is not %s",
                          members->place->path, members->place->line, path, expected);
}

double json_signed(struct json_members *members, const char *path)
{
    const cJSON *item = json_find(members->object, path);
    if (members->status != BITTERN_OK || !item) {
        return NAN;
    }
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) {
        fail(members, path, "a finite number");
        return NAN;
    }
    if (fabs(item->valuedouble) > LARGEST) {
        fail(members, path, "a number that can be right: it is too large");
        return NAN;
    }
    return fabs(item->valuedouble) < SMALLEST ? 0.0 : item->valuedouble;
}

double json_number(struct json_members *members, const char *path)
{
    double value = json_signed(members, path);
    if (value < 0.0) {
        fail(members, path, "a number of 0 or more");
        return NAN;
    }
    return value;
}

const char *json_text(struct json_members *members, const char *path, bool required)
{
    const cJSON *item = json_find(members->object, path);
    if (members->status != BITTERN_OK || (!item && !required)) {
        return "";
    }
    const char *text = cJSON_GetStringValue(item);
    if (!text) {
        fail(members, path, "a string");
    }
    return text ? text : "";
}

const cJSON *json_array(struct json_members *members, const char *path, size_t limit)
{
    const cJSON *item = json_find(members->object, path);
    if (members->status != BITTERN_OK || !item) {
        return NULL;
    }
    if (!cJSON_IsArray(item)) {
        fail(members, path, "an array");
        return NULL;
    }
    if ((size_t)cJSON_GetArraySize(item) > limit) {
        members->status = bittern_error_set(
            members->err, BITTERN_ERR_RANGE, "%s:%zu: \"%s\" has %d entries; at most %zu are read",
            members->place->path, members->place->line, path, cJSON_GetArraySize(item), limit);
        return NULL;
    }
    return item;
}
