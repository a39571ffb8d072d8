/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of event files: adding them, and walking them to find where to cut. A record that is cut
 * off or damaged ends a file, as it does for TensorBoard.
 */
#include "log/event_file.h"

#include "base/append.h"
#include "base/file.h"
#include "event.pb-c.h"
#include "log/crc32c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_PREFIX "events.out.tfevents."
#define NAME_SUFFIX ".bittern"
#define MAX_FILE_SIZE ((size_t)1 << 32)
#define HEAD_SIZE 12 /* length and its check sum */
#define TAIL_SIZE 4  /* the message's check sum */
#define MAX_NAMES 1000

struct event_file {
    char *path;
    int fd;
};

static void put_bytes(uint8_t *bytes, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_bytes(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static bool is_ours(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, NAME_PREFIX, sizeof NAME_PREFIX - 1) == 0 &&
           length >= sizeof NAME_SUFFIX - 1 &&
           strcmp(name + length - (sizeof NAME_SUFFIX - 1), NAME_SUFFIX) == 0;
}

bittern_status event_file_add_record(struct event_file *file, const void *message, size_t size,
                                     struct bittern_error *err)
{
    uint8_t *record = malloc(HEAD_SIZE + size + TAIL_SIZE);
    if (!record) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to add to '%s'", file->path);
    }
    put_bytes(record, size, 8);
    put_bytes(record + 8, crc32c_masked(record, 8), 4);
    memcpy(record + HEAD_SIZE, message, size);
    put_bytes(record + HEAD_SIZE + size, crc32c_masked(message, size), TAIL_SIZE);
    bittern_status status =
        append_piece(file->fd, file->path, record, HEAD_SIZE + size + TAIL_SIZE, err);
    free(record);
    return status;
}

/* Message of the record at `at`, or NULL where no whole record is there. */
static const uint8_t *find_message(const uint8_t *bytes, size_t size, size_t at,
                                   size_t *message_size)
{
    if (size - at < HEAD_SIZE + TAIL_SIZE ||
        get_bytes(bytes + at + 8, 4) != crc32c_masked(bytes + at, 8)) {
        return NULL;
    }
    uint64_t length = get_bytes(bytes + at, 8);
    if (length > size - at - HEAD_SIZE - TAIL_SIZE) {
        return NULL;
    }
    const uint8_t *message = bytes + at + HEAD_SIZE;
    if (get_bytes(message + length, TAIL_SIZE) != crc32c_masked(message, (size_t)length)) {
        return NULL;
    }
    *message_size = (size_t)length;
    return message;
}

/* Where the file ends once later epochs are gone; 0 where no epoch is left. */
static size_t find_end(const uint8_t *bytes, size_t size, uint64_t last_epoch)
{
    size_t at = 0;
    size_t message_size = 0;
    bool any = false;
    const uint8_t *message;
    while ((message = find_message(bytes, size, at, &message_size))) {
        Tensorflow__Event *event = tensorflow__event__unpack(NULL, message_size, message);
        if (!event) {
            break;
        }
        bool past = event->step < 0 || (uint64_t)event->step > last_epoch;
        any = any || (!past && event->what_case == TENSORFLOW__EVENT__WHAT_SUMMARY);
        tensorflow__event__free_unpacked(event, NULL);
        if (past) {
            break;
        }
        at += HEAD_SIZE + message_size + TAIL_SIZE;
    }
    return any ? at : 0;
}

static bittern_status cut_file(const char *path, uint64_t last_epoch, struct bittern_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int fd = -1;

    bittern_status status = file_read(path, MAX_FILE_SIZE, &bytes, &size, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    size_t end = find_end(bytes, size, last_epoch);
    if (end == 0) {
        if (unlink(path) != 0) {
            status = bittern_error_set(err, BITTERN_ERR_IO, "cannot remove '%s': %s", path,
                                       strerror(errno));
        }
        goto cleanup;
    }
    if (end < size) {
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            status = bittern_error_set(err, BITTERN_ERR_IO, "cannot open '%s': %s", path,
                                       strerror(errno));
            goto cleanup;
        }
        status = append_cut(fd, path, end, err);
    }
cleanup:
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return status;
}

bittern_status event_files_cut(const char *folder, uint64_t last_epoch, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    if (!dir) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot list '%s': %s", folder,
                                 strerror(errno));
    }
    while (status == BITTERN_OK && (entry = readdir(dir))) {
        char *path = NULL;
        if (!is_ours(entry->d_name)) {
            continue;
        }
        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a path");
            break;
        }
        status = cut_file(path, last_epoch, err);
        free(path);
    }
    closedir(dir);
    return status;
}

/* The time that a new file's name begins with: now, or later than any file's in the folder. */
static bittern_status choose_time(const char *folder, uint64_t *chosen, struct bittern_error *err)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    if (!dir) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot list '%s': %s", folder,
                                 strerror(errno));
    }
    *chosen = (uint64_t)time(NULL);
    while ((entry = readdir(dir))) {
        if (is_ours(entry->d_name)) {
            uint64_t used = strtoull(entry->d_name + sizeof NAME_PREFIX - 1, NULL, 10);
            /* Ten digits last until the year 2286; other names were made by hand. */
            if (used >= *chosen && used < UINT64_C(9999999999)) {
                *chosen = used + 1;
            }
        }
    }
    closedir(dir);
    return BITTERN_OK;
}

static bittern_status open_new(struct event_file *file, const char *folder,
                               struct bittern_error *err)
{
    char host[128] = "";
    uint64_t seconds = 0;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0' || strchr(host, '/')) {
        (void)snprintf(host, sizeof host, "localhost");
    }
    bittern_status status = choose_time(folder, &seconds, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (unsigned attempt = 0; attempt < MAX_NAMES; attempt++) {
        free(file->path);
        file->path = NULL;
        if (asprintf(&file->path, "%s/" NAME_PREFIX "%010ju.%s" NAME_SUFFIX, folder,
                     (uintmax_t)seconds + attempt, host) < 0) {
            file->path = NULL;
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a path");
        }
        file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0) {
            return BITTERN_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return bittern_error_set(err, BITTERN_ERR_IO, "cannot create '%s': %s", file->path,
                             strerror(errno));
}

static bittern_status add_version(struct event_file *file, struct bittern_error *err)
{
    static char version[] = "brain.Event:2";
    uint8_t message[64];
    Tensorflow__Event event = TENSORFLOW__EVENT__INIT;
    event.wall_time = (double)time(NULL);
    event.what_case = TENSORFLOW__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    return event_file_add_record(file, message, tensorflow__event__pack(&event, message), err);
}

bittern_status event_file_create(const char *folder, struct event_file **file,
                                 struct bittern_error *err)
{
    *file = NULL;
    struct event_file *f = calloc(1, sizeof *f);
    if (!f) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an event file");
    }
    f->fd = -1;
    bittern_status status = open_new(f, folder, err);
    if (status == BITTERN_OK) {
        status = add_version(f, err);
        if (status != BITTERN_OK) {
            (void)unlink(f->path);
        }
    }
    if (status != BITTERN_OK) {
        event_file_close(f);
        return status;
    }
    *file = f;
    return BITTERN_OK;
}

void event_file_close(struct event_file *file)
{
    if (!file) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file->path);
    free(file);
}
