/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of a benchmark: every program with every combination of what is swept. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The simulator's own default; written out, so that a row says for certain what it was. */
#define DEFAULT_LATENCY "64"
#define DEFAULT_GEOMETRY "edge"
#define MAX_LATENCY 1000000
#define MAX_CASES 4096

static const char *const axis_names[BENCH_AXES] = {
    [BENCH_GEOMETRY] = "geometry", [BENCH_BATCH] = "batch", [BENCH_LATENCY] = "latency"};

/* ---- Sweeps ---------------------------------------------------------------------------------- */

static int check_value(enum bench_axis axis, const char *value)
{
    size_t number = 0;

    if (axis == BENCH_GEOMETRY) {
        return value[0] != '\0' && strlen(value) < 16 && !strpbrk(value, "=:,")
                   ? CLI_EXIT_OK
                   : cli_usage("bench", "'%s' in --sweep is no name of a geometry", value);
    }
    return run_options_take_number("bench", axis == BENCH_BATCH ? "sweep batch" : "sweep latency",
                                   value, 1, axis == BENCH_BATCH ? RUN_MAX_BATCH : MAX_LATENCY,
                                   &number);
}

int bench_sweep_take(struct bench_sweep *sweep, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    size_t axis = 0;

    while (axis < BENCH_AXES &&
           (strlen(axis_names[axis]) != length || strncmp(axis_names[axis], text, length) != 0)) {
        axis++;
    }
    if (!equals || axis == BENCH_AXES) {
        return cli_usage("bench",
                         "--sweep is geometry=A,B..., batch=N,M... or latency=N,M..., not "
                         "'%s'",
                         text);
    }
    if (sweep->text[axis]) {
        return cli_usage("bench", "--sweep %s= is there twice", axis_names[axis]);
    }
    sweep->text[axis] = strdup(equals + 1);
    if (!sweep->text[axis]) {
        fprintf(stderr, "bittern bench: no memory\n");
        return CLI_EXIT_FAILED;
    }
    char *rest = sweep->text[axis];
    while (rest) {
        const char *value = strsep(&rest, ",");
        int code = check_value((enum bench_axis)axis, value);
        if (code != CLI_EXIT_OK) {
            return code;
        }
        if (sweep->counts[axis] == BENCH_MAX_VALUES) {
            return cli_usage("bench", "--sweep %s= takes at most %d values", axis_names[axis],
                             BENCH_MAX_VALUES);
        }
        sweep->values[axis][sweep->counts[axis]++] = value;
    }
    return CLI_EXIT_OK;
}

void bench_sweep_free(struct bench_sweep *sweep)
{
    for (size_t axis = 0; axis < BENCH_AXES; axis++) {
        free(sweep->text[axis]);
    }
    *sweep = (struct bench_sweep){0};
}

/* ---- Devices --------------------------------------------------------------------------------- */

/* What stands behind "sim:", taken apart. */
struct sim_name {
    char copy[256];
    const char *geometry, *latency;
    char rest[256]; /* ",stall=10" */
};

static int take_setting(struct sim_name *name, const char *setting, struct bench_case *c)
{
    size_t used = strlen(name->rest);

    if (strncmp(setting, "latency=", 8) == 0) {
        name->latency = setting + 8;
        return CLI_EXIT_OK;
    }
    if (strncmp(setting, "bandwidth=", 10) == 0 && !cli_parse_double(setting + 10, &c->bandwidth)) {
        return cli_usage("bench", "'%s' is no number of beats a cycle", setting);
    }
    (void)snprintf(name->rest + used, sizeof name->rest - used, ",%s", setting);
    return CLI_EXIT_OK;
}

/* "sim:edge,stall=10" with the geometry and latency of this case. */
static int name_simulated(const char *device, const char *geometry, const char *latency,
                          struct bench_case *c)
{
    struct sim_name name = {.geometry = DEFAULT_GEOMETRY, .latency = DEFAULT_LATENCY};
    size_t cycles = 0;

    if (strlen(device) + 32 >= sizeof name.copy) {
        return cli_usage("bench", "the name of the device is too long");
    }
    (void)snprintf(name.copy, sizeof name.copy, "%s", device[3] == ':' ? device + 4 : "");
    char *rest = name.copy[0] ? name.copy : NULL;
    for (bool first = true; rest; first = false) {
        const char *setting = strsep(&rest, ",");
        if (first && !strchr(setting, '=')) {
            name.geometry = setting;
            continue;
        }
        int code = take_setting(&name, setting, c);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    name.geometry = geometry ? geometry : name.geometry;
    name.latency = latency ? latency : name.latency;
    int code = run_options_take_number("bench", "device sim:...,latency", name.latency, 1,
                                       MAX_LATENCY, &cycles);
    c->latency = (uint32_t)cycles;
    (void)snprintf(c->device, sizeof c->device, "sim:%.32s,latency=%zu%.180s", name.geometry,
                   cycles, name.rest);
    return code;
}

static int name_device(const char *device, const char *geometry, const char *latency,
                       struct bench_case *c)
{
    c->bandwidth = 1.0;
    c->simulated = run_device_is_simulated(device);
    if (c->simulated) {
        return name_simulated(device, geometry, latency, c);
    }
    if (geometry || latency) {
        return cli_usage("bench", "a sweep over geometry or latency needs a simulated device: "
                                  "--device sim");
    }
    if (strlen(device) >= sizeof c->device) {
        return cli_usage("bench", "the name of the device is too long");
    }
    (void)snprintf(c->device, sizeof c->device, "%s", device);
    return CLI_EXIT_OK;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void set_stem(const char *path, char *stem)
{
    const char *slash = strrchr(path, '/');
    (void)snprintf(stem, BENCH_STEM_SIZE, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(stem, '.');
    if (dot && dot != stem) {
        *dot = '\0';
    }
}

/* Rows are told apart by the file's name without its folder, so that they compare across folders.
 */
static int check_stems(const struct bench_arguments *arguments)
{
    char a[BENCH_STEM_SIZE];
    char b[BENCH_STEM_SIZE];

    for (size_t i = 0; i < arguments->program_count; i++) {
        set_stem(arguments->programs[i], a);
        for (size_t j = 0; j < i; j++) {
            set_stem(arguments->programs[j], b);
            if (strcmp(a, b) == 0) {
                return cli_usage("bench",
                                 "'%s' and '%s' would give rows of the same name '%s'; give the "
                                 "files names of their own",
                                 arguments->programs[j], arguments->programs[i], a);
            }
        }
    }
    return CLI_EXIT_OK;
}

static size_t axis_length(const struct bench_sweep *sweep, enum bench_axis axis)
{
    return sweep->counts[axis] > 0 ? sweep->counts[axis] : 1;
}

static const char *axis_value(const struct bench_sweep *sweep, enum bench_axis axis, size_t index)
{
    return sweep->counts[axis] > 0 ? sweep->values[axis][index] : NULL;
}

int bench_cases_make(const struct bench_arguments *arguments, const struct bench_sweep *sweep,
                     struct bench_case **cases, size_t *count)
{
    size_t batches = axis_length(sweep, BENCH_BATCH);
    size_t latencies = axis_length(sweep, BENCH_LATENCY);
    size_t settings = axis_length(sweep, BENCH_GEOMETRY) * batches * latencies;
    int code = check_stems(arguments);

    *cases = NULL;
    *count = 0;
    if (code == CLI_EXIT_OK && arguments->program_count > MAX_CASES / settings) {
        code = cli_usage("bench", "more than %d rows at once", MAX_CASES);
    }
    if (code != CLI_EXIT_OK) {
        return code;
    }
    *cases = calloc(arguments->program_count * settings, sizeof **cases);
    if (!*cases) {
        fprintf(stderr, "bittern bench: no memory\n");
        return CLI_EXIT_FAILED;
    }
    for (size_t i = 0; i < arguments->program_count * settings; i++) {
        struct bench_case *c = &(*cases)[i];
        const char *batch = axis_value(sweep, BENCH_BATCH, i / latencies % batches);
        c->program = arguments->programs[i / settings];
        set_stem(c->program, c->stem);
        c->batch = arguments->options.batch;
        if (batch) {
            (void)cli_parse_size(batch, 1, RUN_MAX_BATCH, &c->batch);
        }
        code = name_device(arguments->options.device,
                           axis_value(sweep, BENCH_GEOMETRY, i % settings / (batches * latencies)),
                           axis_value(sweep, BENCH_LATENCY, i % latencies), c);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    *count = arguments->program_count * settings;
    return CLI_EXIT_OK;
}
