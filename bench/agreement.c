/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do float graphs and the integer networks that they become agree on the whole MNIST test set?
 *
 * Binary and ternary activations: every value of every layer of every image. 8 bits: the same class
 * on 99.9 % of the images. Some nets have scales that are powers of two, so that accumulators meet
 * ties of the half-to-even rounding. Every difference must be traced: the first layer of an image
 * that differs does so in channels that the compiler listed. Exits with 1 where that does not hold,
 * with 2 where it cannot be tried.
 *
 * Usage: agreement [IMAGES [THREADS [MODEL.onnx...]]]
 */
#include "agreement_calibrate.h"
#include "agreement_nets.h"
#include "compile_check.h"

#include <bittern/dataset.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_THREADS 64
#define ALLOWED_OTHER_CLASS 10 /* of 10,000 images */
#define CALIBRATION_IMAGES 200

struct share {
    const struct bittern_model *model;
    const struct bittern_network *network;
    const uint8_t *images;
    size_t count;
    struct compile_agreement agreement;
    struct bittern_error err;
    bittern_status status;
};

struct total {
    size_t nets, failed;
    uint64_t exact_values, exact_different; /* of nets that must be equal */
    uint64_t other_different;               /* values of the other nets */
    size_t worst_class;                     /* images, of the other nets */
};

static void *run_share(void *user)
{
    const struct bittern_reference_options options = {.threads = 1};
    struct bittern_reference *engine = NULL;
    struct share *s = user;

    s->status = bittern_reference_create(s->network, &options, &engine, &s->err);
    if (s->status == BITTERN_OK) {
        s->status = compile_check(s->model, s->network, engine, BITTERN_INPUT_0_1, s->images,
                                  s->count, &s->agreement, &s->err);
    }
    bittern_reference_free(engine);
    return NULL;
}

static void add_agreement(struct compile_agreement *sum, const struct compile_agreement *a)
{
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

/* Spread the images over threads and add up what they find. */
static bittern_status check_all(const struct bittern_model *model,
                                const struct bittern_network *network, const uint8_t *images,
                                size_t count, size_t threads, struct compile_agreement *sum)
{
    struct share *shares = calloc(threads, sizeof *shares);
    pthread_t handles[MOST_THREADS];
    bool started[MOST_THREADS] = {false};
    bittern_status status = shares ? BITTERN_OK : BITTERN_ERR_MEMORY;

    for (size_t t = 0; shares && t < threads; t++) {
        size_t from = count * t / threads;
        size_t to = count * (t + 1) / threads;
        shares[t] = (struct share){.model = model, .network = network, .count = to - from};
        shares[t].images = images + from * AGREEMENT_PIXELS;
        started[t] = pthread_create(&handles[t], NULL, run_share, &shares[t]) == 0;
        if (!started[t]) {
            (void)run_share(&shares[t]);
        }
    }
    for (size_t t = 0; shares && t < threads; t++) {
        if (started[t]) {
            (void)pthread_join(handles[t], NULL);
        }
        if (shares[t].status != BITTERN_OK) {
            (void)fprintf(stderr, "agreement: %s\n", shares[t].err.message);
            status = shares[t].status;
        }
        add_agreement(sum, &shares[t].agreement);
    }
    free(shares);
    return status;
}

/* Does the net do what its kind must? */
static bool holds(const struct agreement_net *net, const struct compile_agreement *a,
                  const struct agreement_life *life)
{
    bool few_classes = a->other_class * 10000 <= ALLOWED_OTHER_CLASS * a->images;
    if (!agreement_is_alive(life) || a->untraced > 0) {
        return false;
    }
    if (net->must_equal) {
        return a->different + a->off_grid + a->other_class == 0;
    }
    return few_classes && a->off_grid == 0;
}

static size_t count_listed(const struct bittern_network *network)
{
    size_t listed = 0;
    for (size_t l = 0; l < bittern_network_layer_count(network); l++) {
        listed += bittern_network_layer(network, l)->inexact_count;
    }
    return listed;
}

/* 0: it holds, 1: it does not, 2: something failed. */
static int check_net(const struct agreement_net *net, const struct bittern_model *model,
                     const uint8_t *images, size_t count, size_t threads, struct total *total)
{
    struct bittern_network *network = NULL;
    struct bittern_error err = {0};
    struct compile_agreement sum = {0};
    struct agreement_life life = {0};
    const struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};
    size_t life_images = count < CALIBRATION_IMAGES ? count : CALIBRATION_IMAGES;

    bittern_status status = bittern_network_compile(model, &options, &network, &err);
    if (status == BITTERN_OK) {
        status = agreement_measure_life(network, images, life_images, &life, &err);
    }
    if (status != BITTERN_OK) {
        (void)fprintf(stderr, "agreement: %s: %s\n", net->name, err.message);
        bittern_network_free(network);
        return 2;
    }
    status = check_all(model, network, images, count, threads, &sum);
    size_t listed = count_listed(network);
    bittern_network_free(network);
    if (status != BITTERN_OK) {
        return 2;
    }
    bool is_good = holds(net, &sum, &life);
    uint64_t different = sum.different + sum.off_grid;
    total->nets++;
    total->failed += !is_good;
    if (net->must_equal) {
        total->exact_values += sum.values;
        total->exact_different += different;
    } else {
        size_t *worst = &total->worst_class;
        *worst = sum.other_class > *worst ? sum.other_class : *worst;
        total->other_different += different;
    }
    printf("%-50s %6zu %10llu %9llu %6zu %6zu %5zu/%-3zu %3zu  %s\n", net->name, sum.images,
           (unsigned long long)sum.values, (unsigned long long)different, sum.other_class, listed,
           life.varied, life.channels, life.classes, is_good ? "ok" : "FAILED");
    if (!is_good) {
        printf("    %zu images not traced; %s\n", sum.untraced, sum.first);
    }
    (void)fflush(stdout);
    return is_good ? 0 : 1;
}

static int check_built(const uint8_t *images, size_t count, size_t threads, struct total *total)
{
    size_t calibration = count < CALIBRATION_IMAGES ? count : CALIBRATION_IMAGES;
    struct bittern_error err = {0};
    struct bittern_model *model;
    struct agreement_net net;
    int result = 0;

    for (size_t i = 0; agreement_net_build(i, images, calibration, &net, &model, &err); i++) {
        int one = 2;
        if (model) {
            one = check_net(&net, model, images, count, threads, total);
        } else {
            (void)fprintf(stderr, "agreement: %s: %s\n", net.name, err.message);
        }
        result = one > result ? one : result;
        bittern_model_free(model);
    }
    return result;
}

/* A model with binary or ternary activations from a file. */
static int check_file(const char *path, const uint8_t *images, size_t count, size_t threads,
                      struct total *total)
{
    struct bittern_model *model = NULL;
    struct bittern_error err = {0};
    struct agreement_net net = {.must_equal = true};
    const char *slash = strrchr(path, '/');

    (void)snprintf(net.name, sizeof net.name, "%s", slash ? slash + 1 : path);
    if (bittern_model_read(path, &model, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "agreement: %s\n", err.message);
        return 2;
    }
    int result = check_net(&net, model, images, count, threads, total);
    bittern_model_free(model);
    return result;
}

static size_t read_number(const char *text, size_t fallback, size_t limit)
{
    char *end;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;
    return text && *end == '\0' && number > 0 && number <= limit ? number : fallback;
}

static size_t count_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (size_t)count;
}

int main(int argc, char **argv)
{
    struct bittern_dataset *mnist = NULL;
    struct bittern_error err = {0};
    struct total total = {0};

    if (bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, NULL, &mnist, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "agreement: %s\n", err.message);
        return 2;
    }
    const uint8_t *images = bittern_dataset_images(mnist);
    size_t count = bittern_dataset_count(mnist);
    count = read_number(argc > 1 ? argv[1] : NULL, count, count);
    size_t threads = read_number(argc > 2 ? argv[2] : NULL, count_cpus(), MOST_THREADS);
    printf("%-50s %6s %10s %9s %6s %6s %9s %3s\n", "network", "images", "values", "different",
           "class", "listed", "varied", "cls");
    int result = 0;
    for (int i = 3; i < argc; i++) {
        int one = check_file(argv[i], images, count, threads, &total);
        result = one > result ? one : result;
    }
    int built = check_built(images, count, threads, &total);
    result = built > result ? built : result;
    printf("agreement: %zu networks, %zu images: %llu of %llu values differ where all must be "
           "equal; elsewhere %llu values and at most %zu classes differ; %zu networks failed\n",
           total.nets, count, (unsigned long long)total.exact_different,
           (unsigned long long)total.exact_values, (unsigned long long)total.other_different,
           total.worst_class, total.failed);
    bittern_dataset_close(mnist);
    return result;
}
