/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images a second of the reference engine on VGG-7, and how many times that is what oneDNN reaches
 * with the same shape in float32. Both take turns in one run, so that what else the machine does
 * meets both; medians are compared.
 */
#include "network_vgg7.h"
#include "onednn_vgg7.h"

#include <bittern/reference.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 32, ENGINE_IMAGES = 64, TURNS = 9, THREADS = 2, IMAGE_BYTES = 3 * 32 * 32 };

struct contender {
    const char *name;
    struct network_vgg7_options options;
    struct bittern_network *network;
    struct bittern_reference *engine;
    double seconds[TURNS]; /* an image */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, TURNS, sizeof *values, compare_doubles);
    return values[TURNS / 2];
}

static bittern_status prepare(struct contender *c, struct bittern_error *err)
{
    const struct bittern_reference_options options = {.threads = THREADS};
    bittern_status status = network_vgg7_create(&c->options, &c->network, err);
    return status == BITTERN_OK ? bittern_reference_create(c->network, &options, &c->engine, err)
                                : status;
}

/* One turn each; turn -1 warms up. */
static bittern_status take_turn(int turn, struct contender *contenders, size_t count,
                                struct onednn_vgg7 *onednn, double *onednn_seconds,
                                const uint8_t *images, int32_t *values, struct bittern_error *err)
{
    double start = now();
    bittern_status status = onednn_vgg7_run(onednn, err);
    double seconds = (now() - start) / BATCH;
    if (turn >= 0) {
        onednn_seconds[turn] = seconds;
    }
    for (size_t i = 0; status == BITTERN_OK && i < count; ++i) {
        start = now();
        status = bittern_reference_run(contenders[i].engine, images, ENGINE_IMAGES, values, err);
        seconds = (now() - start) / ENGINE_IMAGES;
        if (turn >= 0) {
            contenders[i].seconds[turn] = seconds;
        }
    }
    return status;
}

static void print_implementations(const struct onednn_vgg7 *onednn)
{
    const char *name;
    printf("oneDNN's kernels:");
    for (size_t i = 0; (name = onednn_vgg7_implementation(onednn, i)) != NULL; ++i) {
        printf(" %s", name);
    }
    printf("\n");
}

int main(void)
{
    struct bittern_error err = {0};
    struct onednn_vgg7 *onednn = NULL;
    double onednn_seconds[TURNS];
    int exit_code = 2;
    struct contender contenders[] = {
        {.name = "binary weights, binary activations",
         .options = {.weights = BITTERN_WEIGHT_BINARY,
                     .activation = BITTERN_ACTIVATION_SIGN,
                     .seed = 1}},
        {.name = "ternary weights, ternary activations",
         .options = {.weights = BITTERN_WEIGHT_TERNARY,
                     .activation = BITTERN_ACTIVATION_TERNARY,
                     .seed = 2}},
        {.name = "ternary weights, 8-bit activations",
         .options = {.weights = BITTERN_WEIGHT_TERNARY,
                     .activation = BITTERN_ACTIVATION_SCALE,
                     .seed = 3}},
    };
    const size_t count = sizeof contenders / sizeof contenders[0];
    uint8_t *images = malloc((size_t)ENGINE_IMAGES * IMAGE_BYTES);
    int32_t *values = malloc((size_t)ENGINE_IMAGES * 10 * sizeof *values);
    bittern_status status = BITTERN_OK;
    if (!images || !values) {
        status = bittern_error_set(&err, BITTERN_ERR_MEMORY, "no memory for images");
        goto cleanup;
    }
    for (size_t i = 0; i < (size_t)ENGINE_IMAGES * IMAGE_BYTES; ++i) {
        images[i] = (uint8_t)(i * 2654435761U >> 24);
    }
    status = onednn_vgg7_create(BATCH, &onednn, &err);
    for (size_t i = 0; status == BITTERN_OK && i < count; ++i) {
        status = prepare(&contenders[i], &err);
    }
    for (int turn = -1; status == BITTERN_OK && turn < TURNS; ++turn) {
        status = take_turn(turn, contenders, count, onednn, onednn_seconds, images, values, &err);
    }
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    const char *kernel = bittern_reference_kernel(contenders[0].engine);
    const double bar = strcmp(kernel, "avx512") == 0 ? 8.0
                       : strcmp(kernel, "avx2") == 0 ? 4.0
                                                     : 0.0;
    const double float_seconds = median(onednn_seconds);
    printf("VGG-7 forward pass, %d threads, median of %d turns; reference kernel: %s\n", THREADS,
           TURNS, kernel);
    print_implementations(onednn);
    printf("%-38s %9.1f images/s\n", "oneDNN, float32", 1.0 / float_seconds);
    for (size_t i = 0; i < count; ++i) {
        double seconds = median(contenders[i].seconds);
        printf("%-38s %9.1f images/s, %.2f x oneDNN\n", contenders[i].name, 1.0 / seconds,
               float_seconds / seconds);
    }
    const double ratio = float_seconds / median(contenders[0].seconds);
    printf("bar for this kernel: %.1f\nratio: %.2f\n", bar, ratio);
    exit_code = ratio >= bar ? 0 : 1;
cleanup:
    if (status != BITTERN_OK) {
        fprintf(stderr, "reference-speed: %s\n", err.message);
    }
    for (size_t i = 0; i < count; ++i) {
        bittern_reference_free(contenders[i].engine);
        bittern_network_free(contenders[i].network);
    }
    onednn_vgg7_free(onednn);
    free(images);
    free(values);
    return exit_code;
}
