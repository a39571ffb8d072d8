/* SPDX-License-Identifier: Apache-2.0 */
/* Power sensors in sysfs: where they are, and what their readings mean. */
#ifndef BITTERN_ENERGY_SENSOR_H
#define BITTERN_ENERGY_SENSOR_H

#include <bittern/energy.h>

#define ENERGY_MAX_SENSORS 32
#define ENERGY_PATH 512

enum energy_sensor_kind {
    ENERGY_SENSOR_POWER,   /* one file: power */
    ENERGY_SENSOR_PRODUCT, /* two files: their product is power */
    ENERGY_SENSOR_COUNTER  /* one file: energy so far, which wraps round */
};

struct energy_sensor {
    enum energy_sensor_kind kind;
    char name[64];
    char paths[2][ENERGY_PATH];
    double scale; /* to watts or joules */
    double range; /* of a counter, joules: it wraps round there; 0: not known */
};

/* Reads and the clock, so that tests need neither hardware nor time. */
struct energy_reader {
    bool (*read)(void *user, const char *path, double *value); /* false: no number there */
    double (*now)(void *user);                                 /* seconds, monotonic */
    void *user;
};

/* From files, with CLOCK_MONOTONIC. */
extern const struct energy_reader energy_system_reader;

/* @return BITTERN_ERR_NOT_FOUND, with what to do, where there is none */
bittern_status energy_sensors_find_board(const char *root, const char *filter,
                                         const struct energy_reader *reader,
                                         struct energy_sensor *sensors, size_t *count,
                                         struct bittern_error *err);
bittern_status energy_sensors_find_host(const char *root, const struct energy_reader *reader,
                                        struct energy_sensor *sensors, size_t *count,
                                        struct bittern_error *err);

/* Watts, or joules of a counter; false where a file fails or its number makes no sense. */
bool energy_sensor_read(const struct energy_sensor *sensor, const struct energy_reader *reader,
                        double *value);

#endif
