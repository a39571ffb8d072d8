/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One network on one device, against the reference engine:
 *
 *     xrt_emulation lenet5=MODEL.onnx|cnv DEVICE IMAGES BATCH
 *
 * LeNet-5 gets drawn digits; CNV-W1A1 has random weights and images. Prints a line of names and
 * values: seconds until the device was open and had the program, seconds of the run, processor
 * seconds of this process in the run, the same with those of the processes that the device has
 * started, cycles, and how many scores differ from the reference engine's. Exit code: 0 none does,
 * 1 some do or the run failed, 2 wrong usage. bench/xrt-emulation compares such lines.
 */
#include "network_cnv.h"

#include <bittern/dataset.h>
#include <bittern/device.h>
#include <bittern/model.h>
#include <bittern/program.h>
#include <bittern/reference.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SEED UINT64_C(20231)
#define MAX_IMAGES 100000
#define TIMEOUT_MS 3600000

struct measurement {
    double open_seconds, seconds, processor_seconds, all_processor_seconds;
    uint64_t cycles;
    size_t different;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static double processor_seconds(int who)
{
    struct rusage usage;
    return getrusage(who, &usage) == 0 ? seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)
                                       : 0.0;
}

static bittern_status make_network(const char *name, struct bittern_network **network,
                                   struct bittern_error *err)
{
    const struct network_cnv_options options = {
        .weights = BITTERN_WEIGHT_BINARY, .activation = BITTERN_ACTIVATION_SIGN, .seed = SEED};
    struct bittern_model *model = NULL;

    *network = NULL;
    if (strcmp(name, "cnv") == 0) {
        return network_cnv_create(&options, network, err);
    }
    if (strncmp(name, "lenet5=", 7) != 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no network '%s'", name);
    }
    bittern_status status = bittern_model_read(name + 7, &model, err);
    if (status == BITTERN_OK) {
        status = bittern_network_compile(model, NULL, network, err);
    }
    bittern_model_free(model);
    return status;
}

static bittern_status make_images(const struct bittern_network *network, size_t count,
                                  uint8_t **images, struct bittern_error *err)
{
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    size_t bytes = shape->channels * shape->height * shape->width;
    uint64_t random = SEED;
    uint8_t *labels = malloc(count);
    bittern_status status = BITTERN_OK;

    *images = malloc(count * bytes);
    if (!*images || !labels) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu images", count);
    } else if (bytes == 28 * 28) {
        status = bittern_dataset_draw_digits(SEED, count, *images, labels, err);
    } else {
        for (size_t i = 0; i < count * bytes; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            (*images)[i] = (uint8_t)(random >> 56);
        }
    }
    free(labels);
    return status;
}

static bittern_status run_device(const char *device_name, const struct bittern_network *network,
                                 const uint8_t *images, size_t count, size_t batch, int32_t *values,
                                 struct measurement *m, struct bittern_error *err)
{
    const struct bittern_session_options options = {.batch = batch, .timeout_ms = TIMEOUT_MS};
    struct bittern_counters counters = {0};
    struct bittern_device *device = NULL;
    struct bittern_program *program = NULL;
    struct bittern_session *session = NULL;
    double started = now();

    bittern_status status = bittern_device_open(device_name, &device, err);
    if (status == BITTERN_OK) {
        status = bittern_program_create(network, &bittern_device_get_info(device)->geometry,
                                        &program, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_session_create(device, program, &options, &session, err);
    }
    if (status == BITTERN_OK) {
        m->open_seconds = now() - started;
        started = now();
        double processor = processor_seconds(RUSAGE_SELF);
        status = bittern_session_run(session, images, count, values, &counters, err);
        m->seconds = now() - started;
        m->processor_seconds = processor_seconds(RUSAGE_SELF) - processor;
        m->cycles = counters.cycles;
    }
    bittern_session_free(session);
    bittern_program_free(program);
    bittern_device_close(device);
    /* They have been waited for by now, and did nothing but the run. */
    m->all_processor_seconds = m->processor_seconds + processor_seconds(RUSAGE_CHILDREN);
    return status;
}

static bittern_status run_reference(const struct bittern_network *network, const uint8_t *images,
                                    size_t count, int32_t *values, struct bittern_error *err)
{
    struct bittern_reference *engine = NULL;
    bittern_status status = bittern_reference_create(network, NULL, &engine, err);
    if (status == BITTERN_OK) {
        status = bittern_reference_run(engine, images, count, values, err);
    }
    bittern_reference_free(engine);
    return status;
}

static bittern_status measure(const char *name, const char *device, size_t count, size_t batch,
                              struct measurement *m, struct bittern_error *err)
{
    struct bittern_network *network = NULL;
    uint8_t *images = NULL;
    int32_t *values = NULL;
    int32_t *expected = NULL;

    bittern_status status = make_network(name, &network, err);
    if (status != BITTERN_OK) {
        return status;
    }
    size_t outputs = bittern_network_output_count(network);
    status = make_images(network, count, &images, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    values = calloc(count * outputs, sizeof *values);
    expected = calloc(count * outputs, sizeof *expected);
    if (!values || !expected) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu images", count);
        goto cleanup;
    }
    status = run_device(device, network, images, count, batch, values, m, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = run_reference(network, images, count, expected, err);
    for (size_t i = 0; i < count * outputs; i++) {
        m->different += values[i] != expected[i];
    }

cleanup:
    free(images);
    free(values);
    free(expected);
    bittern_network_free(network);
    return status;
}

static bool take_count(const char *text, size_t *value)
{
    char *end = NULL;
    unsigned long parsed = strtoul(text, &end, 10);
    *value = (size_t)parsed;
    return *text >= '1' && *text <= '9' && *end == '\0' && parsed <= MAX_IMAGES;
}

int main(int argc, char **argv)
{
    size_t images = 0;
    size_t batch = 0;
    struct measurement m = {0};
    struct bittern_error err = {0};

    if (argc != 5 || !take_count(argv[3], &images) || !take_count(argv[4], &batch)) {
        fprintf(stderr,
                "usage: xrt_emulation lenet5=MODEL.onnx|cnv DEVICE IMAGES BATCH\n"
                "e.g.:  xrt_emulation lenet5=examples/lenet5-w2a2-mnist.onnx sim:edge 100 32\n");
        return 2;
    }
    if (measure(argv[1], argv[2], images, batch, &m, &err) != BITTERN_OK) {
        fprintf(stderr, "xrt_emulation: %s\n", err.message);
        return 1;
    }
    printf("open %.3f run %.3f processor %.3f all %.3f cycles %" PRIu64 " different %zu\n",
           m.open_seconds, m.seconds, m.processor_seconds, m.all_processor_seconds, m.cycles,
           m.different);
    return m.different == 0 ? 0 : 1;
}
