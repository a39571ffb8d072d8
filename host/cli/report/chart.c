/* SPDX-License-Identifier: Apache-2.0 */
/* One gnuplot script for all charts, its run, and the page that is made whole with what it drew. */
#include "chart.h"

#include "base/file.h"
#include "html.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "gnuplot"
#define PACKAGE "gnuplot-nox"
#define SVG_LIMIT ((size_t)16 << 20)
#define MESSAGE_LIMIT ((size_t)1 << 20)
/* Marks stand between these bytes, which no escaped text holds. */
#define MARK '\001'

struct charts {
    char *folder;
    FILE *script;
    size_t count;
    char **labels; /* escaped */
    size_t label_count, label_capacity;
    bool failed; /* no memory, or too many labels */
};

const char *chart_series(size_t index)
{
    static const char *const colours[CHART_SERIES] = {SERIES_1, SERIES_2, SERIES_3, SERIES_4,
                                                      SERIES_5, SERIES_6, SERIES_7, SERIES_8};
    return colours[index % CHART_SERIES];
}

/* ---- The folder ------------------------------------------------------------------------------ */

static char *path_in(const struct charts *charts, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", charts->folder, name) < 0 ? NULL : path;
}

static void remove_folder(const struct charts *charts)
{
    DIR *folder = opendir(charts->folder);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    if (folder) {
        closedir(folder);
    }
    (void)rmdir(charts->folder);
}

bittern_status charts_create(struct charts **charts, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    const char *root = getenv("TMPDIR");
    char *path = NULL;
    char *template = NULL;
    struct charts *c = calloc(1, sizeof *c);

    *charts = NULL;
    if (!c || asprintf(&template, "%s/bittern-report-XXXXXX", root && *root ? root : "/tmp") < 0) {
        free(c);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for charts");
    }
    if (!mkdtemp(template)) {
        status = bittern_error_set(err, BITTERN_ERR_IO, "cannot create a folder '%s': %s", template,
                                   strerror(errno));
        goto cleanup;
    }
    c->folder = template;
    template = NULL;
    path = path_in(c, "script");
    c->script = path ? fopen(path, "we") : NULL;
    if (!c->script) {
        status = bittern_error_set(err, BITTERN_ERR_IO, "cannot create a file in '%s': %s",
                                   c->folder, strerror(errno));
        goto cleanup;
    }
    *charts = c;
    c = NULL;
cleanup:
    free(path);
    free(template);
    charts_free(c);
    return status;
}

void charts_free(struct charts *charts)
{
    if (!charts) {
        return;
    }
    if (charts->script) {
        (void)fclose(charts->script);
    }
    if (charts->folder) {
        remove_folder(charts);
    }
    for (size_t i = 0; i < charts->label_count; i++) {
        free(charts->labels[i]);
    }
    free(charts->labels);
    free(charts->folder);
    free(charts);
}

size_t charts_count(const struct charts *charts)
{
    return charts->count;
}

/* ---- The script ------------------------------------------------------------------------------ */

FILE *charts_begin(struct charts *charts, const struct chart_size *size)
{
    double width = size->width;
    double height = size->height;
    fprintf(charts->script,
            "reset\nundefine $*\nset encoding utf8\n"
            "set terminal svg noenhanced size %d,%d dynamic font 'sans-serif,13' linewidth 1\n"
            "set output '%zu.svg'\n",
            size->width, size->height, charts->count);
    fprintf(charts->script,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\n"
            "set tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            size->left / width, 1.0 - size->right / width, 1.0 - size->top / height,
            size->bottom / height);
    fputs("set border 3 lw 1 lc rgb " CHART_AXIS "\n"
          "set tics nomirror out scale 0.4 textcolor rgb " CHART_TEXT "\n"
          "set grid lt 1 lw 1 lc rgb " CHART_GRID "\n"
          "set grid noxtics\n"
          "set xlabel textcolor rgb " CHART_TEXT "\n"
          "set ylabel textcolor rgb " CHART_TEXT "\n"
          "set title textcolor rgb " CHART_TEXT "\n"
          "set datafile missing '?'\n"
          "set key textcolor rgb " CHART_TEXT "\n"
          "set key at graph 0, screen 0.985 left top horizontal Left reverse noautotitle "
          "samplen 1.4 width 1\n",
          charts->script);
    return charts->script;
}

FILE *charts_script(struct charts *charts)
{
    return charts->script;
}

static char *escape_label(const char *name, size_t limit)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return NULL;
    }
    (strchr(name, '/') ? html_text_end : html_text)(out, name, limit);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static bool keep_label(struct charts *charts, const char *name, size_t limit)
{
    if (charts->label_count == CHART_LABEL_MAX) {
        return false;
    }
    if (charts->label_count == charts->label_capacity) {
        size_t capacity = charts->label_capacity > 0 ? 2 * charts->label_capacity : 64;
        char **larger = realloc(charts->labels, capacity * sizeof *larger);
        if (!larger) {
            return false;
        }
        charts->labels = larger;
        charts->label_capacity = capacity;
    }
    char *text = escape_label(name, limit);
    if (text) {
        charts->labels[charts->label_count++] = text;
    }
    return text != NULL;
}

void charts_label(struct charts *charts, const char *name, size_t limit)
{
    size_t length = html_text_length(name, limit);
    if (length == 0) {
        fputs("''", charts->script);
        return;
    }
    if (!keep_label(charts, name, limit)) {
        charts->failed = true;
        return;
    }
    uint32_t point = CHART_LABEL_FIRST + (uint32_t)(charts->label_count - 1);
    fprintf(charts->script, "'%c%c%c", (int)(0xE0 | point >> 12), (int)(0x80 | (point >> 6 & 0x3F)),
            (int)(0x80 | (point & 0x3F)));
    for (size_t i = 1; i < length; i++) {
        fputc('x', charts->script);
    }
    fputc('\'', charts->script);
}

void charts_end(struct charts *charts, FILE *page)
{
    fputs("\nunset output\n", charts->script);
    fprintf(page, "%c%zu%c", MARK, charts->count, MARK);
    charts->count++;
}

/* ---- gnuplot --------------------------------------------------------------------------------- */

/* "Line 3: undefined variable" of what it said; one line. */
static void read_message(const struct charts *charts, char *message, size_t size)
{
    uint8_t *text = NULL;
    size_t length = 0;
    char *path = path_in(charts, "messages");
    message[0] = '\0';
    if (path && file_read(path, MESSAGE_LIMIT, &text, &length, NULL) == BITTERN_OK) {
        const char *line = strstr((char *)text, "line ");
        line = line ? line : (char *)text;
        (void)snprintf(message, size, "%.*s", (int)strcspn(line, "\n"), line);
    }
    free(text);
    free(path);
}

/* gnuplot with the script, its messages in a file; with no environment but PATH, so that no
 * variable of the user's changes what it draws. */
static int spawn(const struct charts *charts, char *const *environment, pid_t *child)
{
    char program[] = PROGRAM;
    char defaults[] = "-d"; /* not the user's own settings */
    char script[] = "script";
    char *const arguments[] = {program, defaults, script, NULL};
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0) {
        return code;
    }
    code = posix_spawn_file_actions_addchdir_np(&actions, charts->folder);
    for (int fd = 0; code == 0 && fd < 3; fd++) {
        code = posix_spawn_file_actions_addopen(&actions, fd, fd < 2 ? "/dev/null" : "messages",
                                                fd == 0 ? O_RDONLY : O_WRONLY | O_CREAT, 0600);
    }
    if (code == 0) {
        code = posix_spawnp(child, PROGRAM, &actions, NULL, arguments, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static bittern_status not_found(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             "the charts need " PROGRAM ", which is not in PATH: install the "
                             "package " PACKAGE " (apt-get install " PACKAGE
                             "); --json alone works without it");
}

static bittern_status start(const struct charts *charts, pid_t *child, struct bittern_error *err)
{
    char locale[] = "LC_ALL=C.UTF-8";
    char *path = NULL;
    bittern_status status = BITTERN_OK;
    const char *found = getenv("PATH");

    if (asprintf(&path, "PATH=%s", found ? found : "/usr/bin:/bin") < 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to run " PROGRAM);
    }
    int code = spawn(charts, (char *const[]){locale, path, NULL}, child);
    if (code == ENOENT) {
        status = not_found(err);
    } else if (code != 0) {
        status =
            bittern_error_set(err, BITTERN_ERR_IO, "cannot run " PROGRAM ": %s", strerror(code));
    }
    free(path);
    return status;
}

static bittern_status wait_for(pid_t child, bool (*stop)(void), int *result,
                               struct bittern_error *err)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    bool stopped = false;
    for (;;) {
        pid_t done = waitpid(child, result, WNOHANG);
        if (done == child) {
            break;
        }
        if (done < 0 && errno != EINTR) {
            return bittern_error_set(err, BITTERN_ERR_IO, "cannot wait for " PROGRAM ": %s",
                                     strerror(errno));
        }
        if (stop && stop() && !stopped) {
            stopped = true;
            (void)kill(child, SIGKILL);
        }
        (void)nanosleep(&pause, NULL);
    }
    if (stop && stop()) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED, "stopped; nothing was written");
    }
    return BITTERN_OK;
}

bittern_status charts_draw(struct charts *charts, bool (*stop)(void), struct bittern_error *err)
{
    pid_t child = 0;
    int result = 0;
    char message[300];

    bool failed = ferror(charts->script) != 0;
    failed |= fclose(charts->script) != 0;
    charts->script = NULL;
    if (failed) {
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "cannot write the charts' data in '%s': %s; TMPDIR names another "
                                 "folder",
                                 charts->folder, strerror(errno));
    }
    if (charts->failed) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "too many names for the charts: report fewer rows at once");
    }
    if (charts->count == 0) {
        return BITTERN_OK;
    }
    bittern_status status = start(charts, &child, err);
    if (status == BITTERN_OK) {
        status = wait_for(child, stop, &result, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    /* Where the system cannot tell the parent, the child ends with this (POSIX, posix_spawn). */
    if (WIFEXITED(result) && WEXITSTATUS(result) == 127) {
        return not_found(err);
    }
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0) {
        read_message(charts, message, sizeof message);
        return bittern_error_set(err, BITTERN_ERR_IO, PROGRAM " failed: %s", message);
    }
    return BITTERN_OK;
}

/* ---- The page -------------------------------------------------------------------------------- */

static bittern_status put_chart(const struct charts *charts, size_t number, FILE *out,
                                struct bittern_error *err)
{
    char name[32];
    uint8_t *svg = NULL;
    size_t size = 0;
    const struct chart_labels labels = {charts->labels, charts->label_count};

    (void)snprintf(name, sizeof name, "%zu.svg", number);
    char *path = path_in(charts, name);
    bittern_status status =
        path ? file_read(path, SVG_LIMIT, &svg, &size, err)
             : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a chart");
    if (status == BITTERN_OK && !chart_svg_take((const char *)svg, number, &labels, out)) {
        status = bittern_error_set(err, BITTERN_ERR_IO,
                                   PROGRAM " left a chart unfinished in '%s': is there no space "
                                           "left? TMPDIR names another folder",
                                   charts->folder);
    }
    free(svg);
    free(path);
    return status;
}

bittern_status charts_fill_in(const struct charts *charts, const char *page, size_t size, FILE *out,
                              struct bittern_error *err)
{
    const char *end = page + size;
    bittern_status status = BITTERN_OK;
    while (page < end && status == BITTERN_OK) {
        const char *mark = memchr(page, MARK, (size_t)(end - page));
        (void)fwrite(page, 1, (size_t)((mark ? mark : end) - page), out);
        if (!mark) {
            break;
        }
        char *behind;
        size_t number = strtoul(mark + 1, &behind, 10);
        status = put_chart(charts, number, out, err);
        page = behind + 1;
    }
    return status;
}
