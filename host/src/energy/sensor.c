/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boards: hwmon chips of the INA2xx family (power1_input in microwatts, else curr1_input in
 * milliamperes times in1_input in millivolts), and cards under XRT (xmc_power in microwatts, else
 * the two 12 V rails, millivolts times milliamperes). Host: package domains of RAPL; their
 * subdomains are parts of them, and intel-rapl-mmio shows the same ones again.
 */
#include "sensor.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_WATTS 10000.0

static bool read_file(void *user, const char *path, double *value)
{
    char text[64] = "";
    char *end = NULL;
    (void)user;
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    *value = strtod(text, &end);
    return end != text && (*end == '\0' || *end == '\n') && isfinite(*value);
}

static double now(void *user)
{
    struct timespec time;
    (void)user;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

const struct energy_reader energy_system_reader = {read_file, now, NULL};

bool energy_sensor_read(const struct energy_sensor *sensor, const struct energy_reader *reader,
                        double *value)
{
    double a;
    double b = 1.0;
    if (!reader->read(reader->user, sensor->paths[0], &a) ||
        (sensor->kind == ENERGY_SENSOR_PRODUCT &&
         !reader->read(reader->user, sensor->paths[1], &b))) {
        return false;
    }
    *value = a * b * sensor->scale;
    return isfinite(*value) && *value >= 0.0 &&
           (sensor->kind == ENERGY_SENSOR_COUNTER || *value <= MAX_WATTS);
}

/* ---- Folders --------------------------------------------------------------------------------- */

static bool join(char *path, const char *folder, const char *name)
{
    int length = snprintf(path, ENERGY_PATH, "%s/%s", folder, name);
    return length > 0 && length < ENERGY_PATH;
}

/* First line of a file; "" where there is none. */
static void read_line(const char *folder, const char *name, char *text, size_t size)
{
    char path[ENERGY_PATH];
    text[0] = '\0';
    FILE *file = join(path, folder, name) ? fopen(path, "re") : NULL;
    if (file) {
        if (!fgets(text, (int)size, file)) {
            text[0] = '\0';
        }
        text[strcspn(text, "\n")] = '\0';
        (void)fclose(file);
    }
}

/* Call for each entry of a folder whose name begins with `start`, in order of their names. */
struct finder {
    const struct energy_reader *reader;
    const char *filter;
    struct energy_sensor *sensors;
    size_t count;
    int unreadable; /* files that exist but cannot be read: errno of the last one */
    char unreadable_path[ENERGY_PATH];
};

static void each_entry(const char *folder, const char *start, struct finder *finder,
                       void (*visit)(struct finder *finder, const char *folder, const char *name))
{
    struct dirent **entries = NULL;
    char path[ENERGY_PATH];
    int count = scandir(folder, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && strncmp(name, start, strlen(start)) == 0 &&
            join(path, folder, name)) {
            visit(finder, path, name);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Keep a sensor where its files give a sensible reading now. */
static bool keep(struct finder *finder, const struct energy_sensor *sensor)
{
    double value;
    if (finder->count == ENERGY_MAX_SENSORS ||
        (finder->filter && !strstr(sensor->name, finder->filter))) {
        return false;
    }
    if (!energy_sensor_read(sensor, finder->reader, &value)) {
        FILE *file = fopen(sensor->paths[0], "re");
        if (file) {
            (void)fclose(file);
        } else if (errno != ENOENT) {
            finder->unreadable = errno;
            (void)snprintf(finder->unreadable_path, sizeof finder->unreadable_path, "%s",
                           sensor->paths[0]);
        }
        return false;
    }
    finder->sensors[finder->count++] = *sensor;
    return true;
}

static bool keep_power(struct finder *finder, const char *name, const char *folder,
                       const char *file)
{
    struct energy_sensor sensor = {.kind = ENERGY_SENSOR_POWER, .scale = 1e-6};
    (void)snprintf(sensor.name, sizeof sensor.name, "%s", name);
    return join(sensor.paths[0], folder, file) && keep(finder, &sensor);
}

static bool keep_product(struct finder *finder, const char *name, const char *folder,
                         const char *milliamperes, const char *millivolts)
{
    struct energy_sensor sensor = {.kind = ENERGY_SENSOR_PRODUCT, .scale = 1e-6};
    (void)snprintf(sensor.name, sizeof sensor.name, "%s", name);
    return join(sensor.paths[0], folder, milliamperes) &&
           join(sensor.paths[1], folder, millivolts) && keep(finder, &sensor);
}

/* ---- Boards ---------------------------------------------------------------------------------- */

static void visit_hwmon(struct finder *finder, const char *folder, const char *entry)
{
    char name[48];
    (void)entry;
    read_line(folder, "name", name, sizeof name);
    if (strncmp(name, "ina2", 4) == 0 && !keep_power(finder, name, folder, "power1_input")) {
        (void)keep_product(finder, name, folder, "curr1_input", "in1_input");
    }
}

static void visit_xmc(struct finder *finder, const char *folder, const char *entry)
{
    (void)entry;
    if (!keep_power(finder, "xmc_power", folder, "xmc_power")) {
        (void)keep_product(finder, "xmc_12v_pex", folder, "xmc_12v_pex_curr", "xmc_12v_pex_vol");
        (void)keep_product(finder, "xmc_12v_aux", folder, "xmc_12v_aux_curr", "xmc_12v_aux_vol");
    }
}

static void visit_pci(struct finder *finder, const char *folder, const char *entry)
{
    (void)entry;
    each_entry(folder, "xmc.", finder, visit_xmc);
}

static bittern_status none_found(const struct finder *finder, const char *what, const char *advice,
                                 struct bittern_error *err)
{
    if (finder->unreadable) {
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "cannot read '%s': %s; read it as root, or let your user with "
                                 "'sudo chmod a+r %s'",
                                 finder->unreadable_path, strerror(finder->unreadable),
                                 finder->unreadable_path);
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there are no %s: %s", what, advice);
}

bittern_status energy_sensors_find_board(const char *root, const char *filter,
                                         const struct energy_reader *reader,
                                         struct energy_sensor *sensors, size_t *count,
                                         struct bittern_error *err)
{
    struct finder finder = {.reader = reader, .filter = filter, .sensors = sensors};
    char path[ENERGY_PATH];

    if (join(path, root, "class/hwmon")) {
        each_entry(path, "hwmon", &finder, visit_hwmon);
    }
    if (join(path, root, "bus/pci/devices")) {
        each_entry(path, "", &finder, visit_pci);
    }
    *count = finder.count;
    return finder.count > 0
               ? BITTERN_OK
               : none_found(&finder, "power sensors of a board",
                            "neither an INA2xx chip in class/hwmon nor a card under XRT; use the "
                            "model instead, or run on the board",
                            err);
}

/* ---- RAPL ------------------------------------------------------------------------------------ */

static void visit_domain(struct finder *finder, const char *folder, const char *entry)
{
    struct energy_sensor sensor = {.kind = ENERGY_SENSOR_COUNTER, .scale = 1e-6};
    char path[ENERGY_PATH];
    double range = 0.0;

    read_line(folder, "name", sensor.name, sizeof sensor.name);
    if (strncmp(sensor.name, "package", 7) != 0 || strchr(entry, ':') != strrchr(entry, ':') ||
        !join(sensor.paths[0], folder, "energy_uj") || !join(path, folder, "max_energy_range_uj")) {
        return;
    }
    if (finder->reader->read(finder->reader->user, path, &range) && range > 0.0) {
        sensor.range = 1e-6 * range;
    }
    (void)keep(finder, &sensor);
}

bittern_status energy_sensors_find_host(const char *root, const struct energy_reader *reader,
                                        struct energy_sensor *sensors, size_t *count,
                                        struct bittern_error *err)
{
    struct finder finder = {.reader = reader, .sensors = sensors};
    char path[ENERGY_PATH];

    if (join(path, root, "class/powercap")) {
        each_entry(path, "intel-rapl:", &finder, visit_domain);
    }
    *count = finder.count;
    return finder.count > 0
               ? BITTERN_OK
               : none_found(&finder, "RAPL counters",
                            "this processor has none, a virtual machine hides them, or the kernel "
                            "module intel_rapl_common is not loaded",
                            err);
}
