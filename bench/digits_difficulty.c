/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How hard is the embedded data set? Trains a linear classifier (softmax regression on pixels) and
 * a LeNet-5 on what `bittern data make digits` draws, and tests both. Exit code 0 where the linear
 * one stays below 93 % and LeNet-5 comes above 98 %, else 1.
 *
 * Usage: digits_difficulty [SEED [TRAIN_IMAGES [TEST_IMAGES]]]
 */
#include "dataset/digits.h"
#include "lenet5.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINEAR_BELOW 93.0
#define LENET_ABOVE 98.0
#define LINEAR_EPOCHS 20
#define LENET_EPOCHS 6
#define BATCH 64

struct images {
    size_t count;
    float *pixels; /* [count][28][28] in [0,1] */
    uint8_t *labels;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void free_images(struct images *set)
{
    free(set->pixels);
    free(set->labels);
}

static bool draw(uint64_t seed, enum bittern_split split, size_t count, struct images *set)
{
    uint8_t *bytes = calloc(count, DIGITS_PIXELS);
    set->count = count;
    set->pixels = calloc(count * DIGITS_PIXELS, sizeof *set->pixels);
    set->labels = calloc(count, 1);
    if (!bytes || !set->pixels || !set->labels) {
        free(bytes);
        return false;
    }
    digits_draw_images(seed, split, 0, count, bytes, set->labels);
    for (size_t i = 0; i < count * DIGITS_PIXELS; i++) {
        set->pixels[i] = (float)bytes[i] / 255.0F;
    }
    free(bytes);
    return true;
}

static void shuffle(size_t *order, size_t count, uint64_t *state)
{
    for (size_t i = count; i-- > 1;) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t j = (size_t)((*state >> 33) % (i + 1));
        size_t other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
}

/* The learning rate falls along half a cosine, from `highest` to 0. */
static float cosine_rate(double highest, size_t step, size_t steps)
{
    return (float)(0.5 * highest * (1.0 + cos(3.141592653589793 * (double)step / (double)steps)));
}

/* --- Softmax regression ---------------------------------------------------------------------- */

struct linear {
    float weight[DIGITS_PIXELS][DIGITS_CLASSES];
    float bias[DIGITS_CLASSES];
};

static void linear_forward(const struct linear *net, const float *image,
                           float logits[DIGITS_CLASSES])
{
    memcpy(logits, net->bias, sizeof net->bias);
    for (size_t p = 0; p < DIGITS_PIXELS; p++) {
        if (image[p] != 0.0F) {
            for (size_t c = 0; c < DIGITS_CLASSES; c++) {
                logits[c] += image[p] * net->weight[p][c];
            }
        }
    }
}

static void linear_step(struct linear *net, const float *image, uint8_t label, float rate)
{
    float d[DIGITS_CLASSES];
    float highest;
    float total = 0.0F;

    linear_forward(net, image, d);
    highest = d[0];
    for (size_t c = 1; c < DIGITS_CLASSES; c++) {
        highest = d[c] > highest ? d[c] : highest;
    }
    for (size_t c = 0; c < DIGITS_CLASSES; c++) {
        d[c] = expf(d[c] - highest);
        total += d[c];
    }
    for (size_t c = 0; c < DIGITS_CLASSES; c++) {
        d[c] = rate * ((c == label ? 1.0F : 0.0F) - d[c] / total);
        net->bias[c] += d[c];
    }
    for (size_t p = 0; p < DIGITS_PIXELS; p++) {
        if (image[p] != 0.0F) {
            for (size_t c = 0; c < DIGITS_CLASSES; c++) {
                net->weight[p][c] += image[p] * d[c];
            }
        }
    }
}

static double linear_accuracy(const struct linear *net, const struct images *set)
{
    size_t correct = 0;
    for (size_t i = 0; i < set->count; i++) {
        float logits[DIGITS_CLASSES];
        size_t best = 0;
        linear_forward(net, set->pixels + i * DIGITS_PIXELS, logits);
        for (size_t c = 1; c < DIGITS_CLASSES; c++) {
            best = logits[c] > logits[best] ? c : best;
        }
        correct += best == set->labels[i];
    }
    return 100.0 * (double)correct / (double)set->count;
}

/* One image a step; the falling rate takes the place of averaging. */
static double train_linear(const struct images *train, const struct images *test, size_t *order)
{
    static struct linear net;
    uint64_t state = 1;
    double started = seconds();

    for (size_t epoch = 0; epoch < LINEAR_EPOCHS; epoch++) {
        shuffle(order, train->count, &state);
        for (size_t i = 0; i < train->count; i++) {
            float rate = cosine_rate(0.01, epoch * train->count + i, LINEAR_EPOCHS * train->count);
            linear_step(&net, train->pixels + order[i] * DIGITS_PIXELS, train->labels[order[i]],
                        rate);
        }
    }
    double accuracy = linear_accuracy(&net, test);
    printf("softmax regression: %d epochs, train %.2f %%, test %.2f %%, %.0f s\n", LINEAR_EPOCHS,
           linear_accuracy(&net, train), accuracy, seconds() - started);
    fflush(stdout);
    return accuracy;
}

/* --- LeNet-5 --------------------------------------------------------------------------------- */

static double train_lenet(struct lenet5 *net, const struct images *train, const struct images *test,
                          size_t *order)
{
    size_t batches = train->count / BATCH;
    uint64_t state = 2;
    double accuracy = 0.0;
    double started = seconds();

    for (size_t epoch = 0; epoch < LENET_EPOCHS; epoch++) {
        shuffle(order, train->count, &state);
        for (size_t b = 0; b < batches; b++) {
            float rate = cosine_rate(0.05, epoch * batches + b, LENET_EPOCHS * batches);
            lenet5_train(net, train->pixels, train->labels, order + b * BATCH, BATCH, rate, 0.9F);
        }
        size_t correct = lenet5_count_correct(net, test->pixels, test->labels, test->count);
        accuracy = 100.0 * (double)correct / (double)test->count;
        printf("LeNet-5: epoch %zu of %d, test %.2f %%, %.0f s\n", epoch + 1, LENET_EPOCHS,
               accuracy, seconds() - started);
        fflush(stdout);
    }
    return accuracy;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    size_t train_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 60000;
    size_t test_count = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000;
    struct images train = {0};
    struct images test = {0};
    size_t *order = NULL;
    struct lenet5 *net = NULL;
    int result = 2;

    if (argc > 4 || train_count < BATCH || test_count < 1) {
        fprintf(stderr, "usage: %s [SEED [TRAIN_IMAGES, at least %d [TEST_IMAGES]]]\n", argv[0],
                BATCH);
        return 2;
    }
    double started = seconds();
    order = calloc(train_count, sizeof *order);
    net = lenet5_create(seed + 1);
    if (!order || !net || !draw(seed, BITTERN_SPLIT_TRAIN, train_count, &train) ||
        !draw(seed, BITTERN_SPLIT_TEST, test_count, &test)) {
        fprintf(stderr, "%s: no memory\n", argv[0]);
        goto cleanup;
    }
    printf("digits, seed %llu: drew %zu training and %zu test images in %.1f s\n",
           (unsigned long long)seed, train_count, test_count, seconds() - started);
    fflush(stdout);
    for (size_t i = 0; i < train_count; i++) {
        order[i] = i;
    }
    double linear = train_linear(&train, &test, order);
    double lenet = train_lenet(net, &train, &test, order);
    bool good = linear < LINEAR_BELOW && lenet > LENET_ABOVE;
    printf("%s: linear %.2f %% (must be below %.0f), LeNet-5 %.2f %% (must be above %.0f)\n",
           good ? "as hard as wanted" : "NOT AS HARD AS WANTED", linear, LINEAR_BELOW, lenet,
           LENET_ABOVE);
    result = good ? 0 : 1;
cleanup:
    free_images(&train);
    free_images(&test);
    free(order);
    lenet5_destroy(net);
    return result;
}
