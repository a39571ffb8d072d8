/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power is integrated by trapezoids between good readings; a bad reading is left out, so that its
 * neighbours bridge it. A sensor that is silent for too long ends the measurement with an error:
 * a figure with a hole in it would look like any other. Counters only have their rises added up.
 */
#include "meter.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOARD_PERIOD_MS 10
#define HOST_PERIOD_MS 1000
#define MAX_PERIOD_MS 60000
#define SILENT_SHARE 0.1 /* of a run, that a sensor may be silent; */
#define SILENT_PERIODS 5 /* but always so many periods */

/* One sensor's measurement so far. */
struct series {
    bool has_value;
    double time, value; /* of the last good reading */
    double joules, first_gap, longest_gap;
    uint64_t samples, lost;
};

struct bittern_energy_meter {
    enum bittern_energy_source source;
    struct energy_reader reader;
    uint32_t period_ms;
    struct energy_sensor sensors[ENERGY_MAX_SENSORS];
    struct series series[ENERGY_MAX_SENSORS];
    size_t count;
    char detail[512];
    double started, idle_watts;

    pthread_mutex_t lock; /* of the next lines */
    pthread_cond_t wake;
    bool running, stop;
    pthread_t thread;
};

/* ---- Samples --------------------------------------------------------------------------------- */

static void add_reading(struct series *series, const struct energy_sensor *sensor, double started,
                        double time, double value)
{
    double gap = time - (series->has_value ? series->time : started);

    series->longest_gap = fmax(series->longest_gap, gap);
    series->first_gap = series->has_value ? series->first_gap : gap;
    if (sensor->kind == ENERGY_SENSOR_COUNTER) {
        double rise = series->has_value ? value - series->value : 0.0;
        series->joules += rise < 0.0 ? rise + sensor->range : rise;
    } else {
        /* Before its first good reading a sensor is taken to have shown the same. */
        series->joules += gap * (series->has_value ? (series->value + value) / 2.0 : value);
    }
    series->has_value = true;
    series->time = time;
    series->value = value;
    series->samples++;
}

void energy_meter_sample(struct bittern_energy_meter *meter)
{
    for (size_t i = 0; i < meter->count; i++) {
        const struct energy_sensor *sensor = &meter->sensors[i];
        struct series *series = &meter->series[i];
        double value = 0.0;
        bool good = energy_sensor_read(sensor, &meter->reader, &value);
        if (sensor->kind == ENERGY_SENSOR_COUNTER && value > sensor->range) {
            good = false; /* it wraps round there */
        }
        if (good) {
            add_reading(series, sensor, meter->started, meter->reader.now(meter->reader.user),
                        value);
        } else {
            series->lost++;
        }
    }
}

void energy_meter_begin(struct bittern_energy_meter *meter)
{
    memset(meter->series, 0, sizeof meter->series);
    meter->started = meter->reader.now(meter->reader.user);
    energy_meter_sample(meter);
}

static bittern_status end_series(const struct bittern_energy_meter *meter, size_t index, double end,
                                 struct bittern_energy_measurement *measurement,
                                 struct bittern_error *err)
{
    const struct energy_sensor *sensor = &meter->sensors[index];
    const struct series *series = &meter->series[index];
    double silence = end - (series->has_value ? series->time : meter->started);
    double gap = fmax(series->longest_gap, silence);
    double allowed =
        fmax(SILENT_SHARE * measurement->seconds, SILENT_PERIODS * 1e-3 * (double)meter->period_ms);
    /* A counter bridges any silence, but for one at an end. */
    double counted = sensor->kind == ENERGY_SENSOR_COUNTER ? fmax(series->first_gap, silence) : gap;

    measurement->samples += series->samples;
    measurement->lost += series->lost;
    measurement->longest_gap = fmax(measurement->longest_gap, gap);
    if (series->samples < 2 || counted > allowed) {
        return bittern_error_set(err, BITTERN_ERR_IO,
                                 "the sensor %s (%s) gave no good reading for %.3g of %.3g s (%llu "
                                 "good, %llu bad): nothing can be said of this run's energy",
                                 sensor->name, sensor->paths[0], counted, measurement->seconds,
                                 (unsigned long long)series->samples,
                                 (unsigned long long)series->lost);
    }
    measurement->joules += series->joules;
    if (sensor->kind != ENERGY_SENSOR_COUNTER) {
        measurement->joules += silence * series->value;
    }
    return BITTERN_OK;
}

bittern_status energy_meter_end(struct bittern_energy_meter *meter,
                                struct bittern_energy_measurement *measurement,
                                struct bittern_error *err)
{
    energy_meter_sample(meter);
    double end = meter->reader.now(meter->reader.user);
    bittern_status status = BITTERN_OK;

    *measurement = (struct bittern_energy_measurement){
        .source = meter->source, .seconds = end - meter->started, .idle_watts = meter->idle_watts};
    (void)snprintf(measurement->detail, sizeof measurement->detail, "%s", meter->detail);
    for (size_t i = 0; status == BITTERN_OK && i < meter->count; i++) {
        status = end_series(meter, i, end, measurement, err);
    }
    if (status == BITTERN_OK && meter->idle_watts >= 0.0) {
        measurement->joules_above_idle =
            measurement->joules - meter->idle_watts * measurement->seconds;
    }
    return status;
}

void energy_meter_set_idle(struct bittern_energy_meter *meter, double watts)
{
    meter->idle_watts = watts;
}

/* ---- Open and close -------------------------------------------------------------------------- */

static void describe(struct bittern_energy_meter *meter)
{
    size_t used = 0;
    for (size_t i = 0; i < meter->count && used < sizeof meter->detail; i++) {
        int length = snprintf(meter->detail + used, sizeof meter->detail - used, "%s%s",
                              i > 0 ? ", " : "", meter->sensors[i].name);
        used += length > 0 ? (size_t)length : 0;
    }
}

static bittern_status check_counters(const struct bittern_energy_meter *meter,
                                     struct bittern_error *err)
{
    for (size_t i = 0; i < meter->count; i++) {
        if (meter->sensors[i].kind == ENERGY_SENSOR_COUNTER && meter->sensors[i].range <= 0.0) {
            return bittern_error_set(err, BITTERN_ERR_IO,
                                     "%s: max_energy_range_uj beside it cannot be read, so that "
                                     "nobody knows where it wraps round",
                                     meter->sensors[i].paths[0]);
        }
    }
    return BITTERN_OK;
}

bittern_status energy_meter_open(enum bittern_energy_source source,
                                 const struct bittern_energy_meter_options *options,
                                 const struct energy_reader *reader,
                                 struct bittern_energy_meter **out, struct bittern_error *err)
{
    static const struct bittern_energy_meter_options defaults = {0};
    options = options ? options : &defaults;
    const char *root = options->root ? options->root : "/sys";

    *out = NULL;
    if ((source != BITTERN_ENERGY_BOARD && source != BITTERN_ENERGY_HOST) ||
        options->period_ms > MAX_PERIOD_MS) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a meter measures a board or the host, at least once a minute");
    }
    struct bittern_energy_meter *meter = calloc(1, sizeof *meter);
    if (!meter) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a meter");
    }
    meter->source = source;
    meter->reader = *reader;
    meter->idle_watts = -1.0;
    meter->period_ms = options->period_ms               ? options->period_ms
                       : source == BITTERN_ENERGY_BOARD ? BOARD_PERIOD_MS
                                                        : HOST_PERIOD_MS;
    bittern_status status =
        source == BITTERN_ENERGY_BOARD
            ? energy_sensors_find_board(root, options->sensor, reader, meter->sensors,
                                        &meter->count, err)
            : energy_sensors_find_host(root, reader, meter->sensors, &meter->count, err);
    if (status == BITTERN_OK) {
        status = check_counters(meter, err);
    }
    if (status != BITTERN_OK) {
        free(meter);
        return status;
    }
    describe(meter);
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&meter->lock, NULL) != 0) {
        free(meter);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a lock");
    }
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int code = pthread_cond_init(&meter->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (code != 0) {
        (void)pthread_mutex_destroy(&meter->lock);
        free(meter);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a condition");
    }
    *out = meter;
    return BITTERN_OK;
}

bittern_status bittern_energy_meter_open(enum bittern_energy_source source,
                                         const struct bittern_energy_meter_options *options,
                                         struct bittern_energy_meter **meter,
                                         struct bittern_error *err)
{
    return energy_meter_open(source, options, &energy_system_reader, meter, err);
}

const char *bittern_energy_meter_detail(const struct bittern_energy_meter *meter)
{
    return meter->detail;
}

/* ---- The thread ------------------------------------------------------------------------------ */

/* Sample until told to stop; the lock is held but while waiting. */
static void *sample_until_stopped(void *user)
{
    struct bittern_energy_meter *meter = user;
    struct timespec next;

    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    (void)pthread_mutex_lock(&meter->lock);
    while (!meter->stop) {
        next.tv_nsec += (long)(meter->period_ms % 1000) * 1000000;
        next.tv_sec += meter->period_ms / 1000 + next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        int code = 0;
        while (!meter->stop && code != ETIMEDOUT) {
            code = pthread_cond_timedwait(&meter->wake, &meter->lock, &next);
        }
        if (!meter->stop) {
            energy_meter_sample(meter);
        }
    }
    (void)pthread_mutex_unlock(&meter->lock);
    return NULL;
}

static void end_thread(struct bittern_energy_meter *meter)
{
    (void)pthread_mutex_lock(&meter->lock);
    meter->stop = true;
    (void)pthread_cond_signal(&meter->wake);
    (void)pthread_mutex_unlock(&meter->lock);
    (void)pthread_join(meter->thread, NULL);
    meter->running = false;
}

bittern_status bittern_energy_meter_start(struct bittern_energy_meter *meter,
                                          struct bittern_error *err)
{
    if (meter->running) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the meter is measuring already");
    }
    meter->stop = false;
    energy_meter_begin(meter);
    if (pthread_create(&meter->thread, NULL, sample_until_stopped, meter) != 0) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot start a thread for the sensors");
    }
    meter->running = true;
    return BITTERN_OK;
}

bittern_status bittern_energy_meter_stop(struct bittern_energy_meter *meter,
                                         struct bittern_energy_measurement *measurement,
                                         struct bittern_error *err)
{
    if (!meter->running) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the meter is not measuring");
    }
    end_thread(meter);
    return energy_meter_end(meter, measurement, err);
}

bittern_status bittern_energy_meter_measure_idle(struct bittern_energy_meter *meter,
                                                 uint32_t milliseconds, struct bittern_error *err)
{
    struct timespec rest = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    struct bittern_energy_measurement measurement;

    if (milliseconds == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "idle power takes time to measure");
    }
    bittern_status status = bittern_energy_meter_start(meter, err);
    if (status != BITTERN_OK) {
        return status;
    }
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
    status = bittern_energy_meter_stop(meter, &measurement, err);
    if (status == BITTERN_OK) {
        meter->idle_watts = measurement.joules / measurement.seconds;
    }
    return status;
}

void bittern_energy_meter_close(struct bittern_energy_meter *meter)
{
    if (!meter) {
        return;
    }
    if (meter->running) {
        end_thread(meter);
    }
    (void)pthread_cond_destroy(&meter->wake);
    (void)pthread_mutex_destroy(&meter->lock);
    free(meter);
}
