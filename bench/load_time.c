/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long does a 15-million-weight program take to load, beyond reading its file?
 *
 *     load_time [--repeat N]
 *
 * Makes VGG-7-shaped networks of 15 million random weights, one a weight kind, writes them as
 * program files, and takes the medians of N runs each of
 *     read      the file's bytes alone, into memory
 *     load      bittern_program_read: the same, and all checks
 *     engine    bittern_reference_create on the loaded network
 * The figure is load - read + engine of the slowest kind; the exit code is 1 where it is 0.3 s or
 * more.
 */
#include "base/file.h"
#include "network_vgg7.h"

#include <bittern/program.h>
#include <bittern/reference.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_SECONDS 0.3
#define HIDDEN_FEATURES 1280 /* VGG-7's 1024 give 13.0 million weights, these 15.1 */
#define MAX_REPEAT 101

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

/* Medians of one program file. */
struct times {
    double read, load, engine;
};

static bittern_status measure_once(const char *path, struct times *times, struct bittern_error *err)
{
    struct bittern_program *program = NULL;
    struct bittern_reference *engine = NULL;
    uint8_t *data = NULL;
    size_t size = 0;

    double start = now();
    bittern_status status = file_read(path, SIZE_MAX / 2, &data, &size, err);
    times->read = now() - start;
    if (status == BITTERN_OK) {
        start = now();
        status = bittern_program_read(path, &program, err);
        times->load = now() - start;
    }
    if (status == BITTERN_OK) {
        start = now();
        status = bittern_reference_create(bittern_program_network(program), NULL, &engine, err);
        times->engine = now() - start;
    }
    bittern_reference_free(engine);
    bittern_program_free(program);
    free(data);
    return status;
}

static bittern_status measure(const char *path, size_t repeat, struct times *medians,
                              struct bittern_error *err)
{
    double read[MAX_REPEAT];
    double load[MAX_REPEAT];
    double engine[MAX_REPEAT];

    for (size_t i = 0; i < repeat; i++) {
        struct times t;
        bittern_status status = measure_once(path, &t, err);
        if (status != BITTERN_OK) {
            return status;
        }
        read[i] = t.read;
        load[i] = t.load;
        engine[i] = t.engine;
    }
    medians->read = median(read, repeat);
    medians->load = median(load, repeat);
    medians->engine = median(engine, repeat);
    return BITTERN_OK;
}

static uint64_t count_weights(const struct bittern_network *network)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bittern_network_layer_count(network); i++) {
        sum += bittern_layer_weight_count(bittern_network_layer(network, i));
    }
    return sum;
}

/* One network: make it, write it, measure, print a line; *seconds is the time beyond reading. */
static bittern_status measure_kind(const struct network_vgg7_options *options, const char *path,
                                   size_t repeat, double *seconds, struct bittern_error *err)
{
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    struct times t;

    bittern_status status = network_vgg7_create(options, &network, err);
    if (status == BITTERN_OK) {
        status = bittern_program_create(network, NULL, &program, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_program_write(program, path, err);
    }
    if (status == BITTERN_OK) {
        status = measure(path, repeat, &t, err);
    }
    if (status == BITTERN_OK) {
        size_t size;
        (void)bittern_program_data(program, &size);
        *seconds = t.load - t.read + t.engine;
        printf("%-8s %-8s %10" PRIu64 " %9zu %8.2f %8.2f %8.2f %8.2f\n",
               bittern_weight_kind_name(options->weights),
               bittern_activation_kind_name(options->activation), count_weights(network),
               size / 1024, 1e3 * t.read, 1e3 * t.load, 1e3 * t.engine, 1e3 * *seconds);
    }
    bittern_program_free(program);
    bittern_network_free(network);
    return status;
}

static bool parse_repeat(int argc, char **argv, size_t *repeat)
{
    *repeat = 9;
    if (argc == 1) {
        return true;
    }
    char *end = NULL;
    long value = argc == 3 && strcmp(argv[1], "--repeat") == 0 ? strtol(argv[2], &end, 10) : 0;
    *repeat = (size_t)value;
    return value >= 1 && value <= MAX_REPEAT && *end == '\0';
}

int main(int argc, char **argv)
{
    static const struct network_vgg7_options kinds[] = {
        {.weights = BITTERN_WEIGHT_BINARY,
         .activation = BITTERN_ACTIVATION_SIGN,
         .hidden_features = HIDDEN_FEATURES,
         .seed = 1},
        {.weights = BITTERN_WEIGHT_TERNARY,
         .activation = BITTERN_ACTIVATION_TERNARY,
         .hidden_features = HIDDEN_FEATURES,
         .seed = 2},
        {.weights = BITTERN_WEIGHT_PLANES,
         .activation = BITTERN_ACTIVATION_SCALE,
         .hidden_features = HIDDEN_FEATURES,
         .seed = 3},
    };
    struct bittern_error err = {0};
    bittern_status status = BITTERN_OK;
    double worst = 0.0;
    size_t repeat;
    char path[] = "/tmp/bittern_load_time_XXXXXX";

    if (!parse_repeat(argc, argv, &repeat)) {
        (void)fprintf(stderr, "usage: load_time [--repeat N], N in 1..%d\n", MAX_REPEAT);
        return 2;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    (void)close(fd);
    printf("weights  activ.      #weights       KiB  read ms  load ms  eng. ms beyond ms\n");
    for (size_t i = 0; status == BITTERN_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        double seconds = 0.0;
        status = measure_kind(&kinds[i], path, repeat, &seconds, &err);
        worst = seconds > worst ? seconds : worst;
    }
    (void)unlink(path);
    if (status != BITTERN_OK) {
        (void)fprintf(stderr, "load_time: %s\n", err.message);
        return 1;
    }
    printf("load time beyond reading: %.4f s (below %.1f s wanted)\n", worst, LIMIT_SECONDS);
    return worst < LIMIT_SECONDS ? 0 : 1;
}
