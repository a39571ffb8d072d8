/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do float graphs and the integer networks that they become agree on the whole MNIST test set?
 *
 * Binary and ternary activations: every value of every layer of every image. Others: the same class
 * on 99.9 % of the images, and each other class traced to a channel that the compiler listed. Exits
 * with 1 where that does not hold, with 2 where it cannot be tried.
 */
#include "agreement_nets.h"
#include "compile_check.h"

#include <bittern/dataset.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 64
#define ALLOWED_OTHER_CLASS 10 /* of 10,000 images */

struct share {
    const struct bittern_model *model;
    const struct bittern_network *network;
    const uint8_t *images;
    size_t count;
    struct compile_agreement agreement;
    struct bittern_error err;
    bittern_status status;
};

static void *run_share(void *user)
{
    struct share *s = user;
    s->status = compile_check(s->model, s->network, BITTERN_INPUT_0_1, s->images, s->count,
                              &s->agreement, &s->err);
    return NULL;
}

/* Spread the images over threads and add up what they find. */
static bittern_status check_all(struct share *shares, size_t threads, const uint8_t *images,
                                size_t count, struct compile_agreement *sum)
{
    pthread_t handles[MOST_THREADS];
    bool started[MOST_THREADS] = {false};
    bittern_status status = BITTERN_OK;

    for (size_t t = 0; t < threads; t++) {
        size_t from = count * t / threads;
        shares[t].images = images + from * 28 * 28;
        shares[t].count = count * (t + 1) / threads - from;
        started[t] = pthread_create(&handles[t], NULL, run_share, &shares[t]) == 0;
        if (!started[t]) {
            (void)run_share(&shares[t]);
        }
    }
    for (size_t t = 0; t < threads; t++) {
        const struct compile_agreement *a = &shares[t].agreement;
        if (started[t]) {
            (void)pthread_join(handles[t], NULL);
        }
        if (shares[t].status != BITTERN_OK) {
            (void)fprintf(stderr, "agreement: %s\n", shares[t].err.message);
            status = shares[t].status;
        }
        sum->images += a->images;
        sum->values += a->values;
        sum->different += a->different;
        sum->off_grid += a->off_grid;
        sum->other_class += a->other_class;
        sum->untraced += a->untraced;
        if (sum->first[0] == '\0') {
            memcpy(sum->first, a->first, sizeof sum->first);
        }
    }
    return status;
}

/* 0: it holds, 1: it does not, 2: something failed. */
static int check_net(const struct agreement_net *net, const struct bittern_model *model,
                     const uint8_t *images, size_t count, size_t threads)
{
    static struct share shares[MOST_THREADS];
    struct bittern_network *network;
    struct bittern_error err = {0};
    struct compile_agreement sum = {0};
    const struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};

    if (bittern_network_compile(model, &options, &network, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "agreement: %s: %s\n", net->name, err.message);
        return 2;
    }
    memset(shares, 0, sizeof shares);
    size_t listed = 0;
    for (size_t t = 0; t < threads; t++) {
        shares[t].model = model;
        shares[t].network = network;
    }
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        listed += bittern_network_layer(network, l)->inexact_count;
    }
    bittern_status status = check_all(shares, threads, images, count, &sum);
    bittern_network_free(network);
    if (status != BITTERN_OK) {
        return 2;
    }
    bool holds = sum.off_grid == 0 && sum.untraced == 0 &&
                 sum.other_class * 10000 <= ALLOWED_OTHER_CLASS * sum.images &&
                 (!net->must_equal || sum.different + sum.other_class == 0);
    printf("%-44s %6zu %12llu %9llu %9zu %7zu  %s\n", net->name, sum.images,
           (unsigned long long)sum.values, (unsigned long long)(sum.different + sum.off_grid),
           sum.other_class, listed, holds ? "ok" : "FAILED");
    if (!holds) {
        printf("    %s\n", sum.first);
    }
    (void)fflush(stdout);
    return holds ? 0 : 1;
}

static size_t read_number(const char *text, size_t fallback, size_t limit)
{
    char *end;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;
    return text && *end == '\0' && number > 0 && number <= limit ? number : fallback;
}

int main(int argc, char **argv)
{
    struct bittern_dataset *mnist = NULL;
    struct bittern_error err = {0};
    struct bittern_model *model;
    struct agreement_net net;
    int result = 0;

    if (bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, NULL, &mnist, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "agreement: %s\n", err.message);
        return 2;
    }
    size_t count = bittern_dataset_count(mnist);
    count = read_number(argc > 1 ? argv[1] : NULL, count, count);
    size_t threads = read_number(argc > 2 ? argv[2] : NULL, 2, MOST_THREADS);
    printf("%-44s %6s %12s %9s %9s %7s\n", "network", "images", "values", "different", "class",
           "listed");
    for (size_t i = 0; agreement_net_build(i, &net, &model, &err); i++) {
        int one = 2;
        if (model) {
            one = check_net(&net, model, bittern_dataset_images(mnist), count, threads);
        } else {
            (void)fprintf(stderr, "agreement: %s: %s\n", net.name, err.message);
        }
        result = one > result ? one : result;
        bittern_model_free(model);
    }
    bittern_dataset_close(mnist);
    return result;
}
