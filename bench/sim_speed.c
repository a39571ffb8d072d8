/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many images a second does the simulated accelerator take on one core?
 *
 *     sim_speed [GEOMETRY [IMAGES]]
 *
 * Runs LeNet-5-shaped networks of random weights, the classic one and the wider one, on one
 * simulated device with one thread, and compares every output with the reference engine. The exit
 * code is 1 where the classic one makes fewer than 20 images a second, or the wider one fewer
 * than 2.
 */
#include "network_lenet5.h"

#include <bittern/device.h>
#include <bittern/reference.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_CLASSIC 20.0
#define LIMIT_WIDE 2.0
#define IMAGE_BYTES (28 * 28)
#define OUTPUTS 10

struct run {
    uint8_t *images;
    int32_t *values, *expected;
    size_t count;
};

/* Smooth blobs: images whose neighbouring pixels are alike, as in photographs. */
static void draw_images(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        for (size_t y = 0; y < 28; y++) {
            for (size_t x = 0; x < 28; x++) {
                size_t dx = x > i % 28 ? x - i % 28 : i % 28 - x;
                size_t dy = y > i % 23 ? y - i % 23 : i % 23 - y;
                size_t far = dx * dx + dy * dy;
                run->images[i * IMAGE_BYTES + y * 28 + x] = (uint8_t)(far < 255 ? 255 - far : 0);
            }
        }
    }
}

static bittern_status run_reference(const struct bittern_network *network, struct run *run,
                                    struct bittern_error *err)
{
    struct bittern_reference *engine = NULL;
    bittern_status status = bittern_reference_create(network, NULL, &engine, err);
    if (status == BITTERN_OK) {
        status = bittern_reference_run(engine, run->images, run->count, run->expected, err);
    }
    bittern_reference_free(engine);
    return status;
}

/* One network: prints a line; *rate is images a second. */
static bittern_status measure(struct bittern_device *device, bool wide, struct run *run,
                              double *rate, struct bittern_error *err)
{
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    struct bittern_session *session = NULL;
    struct bittern_counters counters;
    const struct bittern_session_options options = {.batch = run->count, .timeout_ms = 3600000};

    bittern_status status = network_lenet5_create(wide, 1, &network, err);
    if (status == BITTERN_OK) {
        status = bittern_program_create(network, &bittern_device_get_info(device)->geometry,
                                        &program, err);
    }
    if (status == BITTERN_OK) {
        status = run_reference(network, run, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_session_create(device, program, &options, &session, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_session_run(session, run->images, run->count, run->values, &counters, err);
    }
    if (status == BITTERN_OK) {
        double seconds = 1e-9 * (double)counters.nanoseconds;
        bool equal =
            memcmp(run->values, run->expected, run->count * OUTPUTS * sizeof(int32_t)) == 0;
        *rate = (double)run->count / seconds;
        printf("%-12s %6zu %12" PRIu64 " %12.0f %10.2f   %s\n", wide ? "wide" : "classic",
               run->count, counters.cycles / run->count, (double)counters.cycles / seconds, *rate,
               equal ? "equal" : "DIFFERENT");
        if (!equal) {
            status = bittern_error_set(err, BITTERN_ERR_DEVICE,
                                       "the device and the reference engine differ");
        }
    }
    bittern_session_free(session);
    bittern_program_free(program);
    bittern_network_free(network);
    return status;
}

static bool make_run(size_t count, struct run *run)
{
    run->count = count;
    run->images = malloc(count * IMAGE_BYTES);
    run->values = calloc(count, OUTPUTS * sizeof *run->values);
    run->expected = calloc(count, OUTPUTS * sizeof *run->expected);
    if (!run->images || !run->values || !run->expected) {
        return false;
    }
    draw_images(run);
    return true;
}

int main(int argc, char **argv)
{
    char name[64];
    struct run run = {0};
    struct bittern_device *device = NULL;
    struct bittern_error err = {0};
    double classic = 0.0;
    double wide = 0.0;
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 64;

    if (argc > 3 || count < 8 || count > 4096) {
        (void)fprintf(stderr, "usage: sim_speed [GEOMETRY [IMAGES]], 8 to 4096 images\n");
        return 2;
    }
    (void)snprintf(name, sizeof name, "sim:%.32s", argc > 1 ? argv[1] : "edge");
    bittern_status status = bittern_device_open(name, &device, &err);
    if (status == BITTERN_OK && !make_run((size_t)count, &run)) {
        status = bittern_error_set(&err, BITTERN_ERR_MEMORY, "no memory for the images");
    }
    if (status == BITTERN_OK) {
        printf("%s, one core\nnetwork      images cycles/image     cycles/s   images/s\n", name);
        status = measure(device, false, &run, &classic, &err);
    }
    if (status == BITTERN_OK) {
        run.count /= 8;
        status = measure(device, true, &run, &wide, &err);
    }
    bittern_device_close(device);
    free(run.images);
    free(run.values);
    free(run.expected);
    if (status != BITTERN_OK) {
        (void)fprintf(stderr, "sim_speed: %s\n", err.message);
        return 1;
    }
    printf("simulated images a second on one core: classic LeNet-5 %.1f (%.0f wanted), wider "
           "%.2f (%.0f wanted)\n",
           classic, LIMIT_CLASSIC, wide, LIMIT_WIDE);
    return classic >= LIMIT_CLASSIC && wide >= LIMIT_WIDE ? 0 : 1;
}
