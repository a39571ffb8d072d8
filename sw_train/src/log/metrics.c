/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run's records: metrics.jsonl and an event file side by side. Opening cuts both back to the
 * epoch that the run goes on from, so the end of a crashed run and epochs that will be trained
 * again are gone before anything is added.
 */
#include "log/metrics.h"

#include "base/append.h"
#include "base/file.h"
#include "log/event_file.h"
#include "log/metrics_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_FILE_SIZE ((size_t)1 << 32)

struct metrics {
    char *path; /* of metrics.jsonl */
    int fd;
    struct event_file *events;
};

/* The lock goes with the file descriptor. A file system without locks is no reason to stop. */
static bittern_status open_lines(struct metrics *metrics, const char *folder,
                                 struct bittern_error *err)
{
    metrics->fd = open(metrics->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (metrics->fd < 0) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot open '%s': %s", metrics->path,
                                 strerror(errno));
    }
    if (flock(metrics->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "another run writes into '%s'; wait for it, or choose another "
                                 "folder",
                                 folder);
    }
    return BITTERN_OK;
}

static bittern_status cut_lines(struct metrics *metrics, uint64_t last_epoch,
                                struct bittern_error *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    size_t end = 0;
    bittern_status status = BITTERN_OK;
    if (last_epoch > 0) {
        status = file_read(metrics->path, MAX_FILE_SIZE, &text, &size, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
        status =
            metrics_json_find_end((const char *)text, size, metrics->path, last_epoch, &end, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
    }
    status = append_cut(metrics->fd, metrics->path, end, err);
cleanup:
    free(text);
    return status;
}

bittern_status metrics_open(const char *folder, uint64_t resume_epoch, struct metrics **metrics,
                            struct bittern_error *err)
{
    bittern_status status;
    struct metrics *m = calloc(1, sizeof *m);

    *metrics = NULL;
    if (!m) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for metrics");
    }
    m->fd = -1;
    if (asprintf(&m->path, "%s/metrics.jsonl", folder) < 0) {
        m->path = NULL;
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a path");
        goto cleanup;
    }
    status = file_make_directory(folder, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = open_lines(m, folder, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = cut_lines(m, resume_epoch, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = event_files_cut(folder, resume_epoch, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = event_file_create(folder, &m->events, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *metrics = m;
    m = NULL;
cleanup:
    metrics_close(m);
    return status;
}

bittern_status metrics_add(struct metrics *metrics, const struct epoch_metrics *epoch,
                           struct bittern_error *err)
{
    char *line = metrics_json_line(epoch);
    if (!line) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a line of metrics");
    }
    bittern_status status = append_piece(metrics->fd, metrics->path, line, strlen(line), err);
    free(line);
    return status == BITTERN_OK ? event_file_add(metrics->events, epoch, err) : status;
}

bittern_status metrics_add_json(struct metrics *metrics, const char *json,
                                struct bittern_error *err)
{
    char *line = NULL;
    bittern_status status = metrics_json_reprint(json, &line, err);
    if (status == BITTERN_OK) {
        status = append_piece(metrics->fd, metrics->path, line, strlen(line), err);
    }
    free(line);
    return status;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics) {
        return;
    }
    event_file_close(metrics->events);
    if (metrics->fd >= 0) {
        close(metrics->fd);
    }
    free(metrics->path);
    free(metrics);
}
