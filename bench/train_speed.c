/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long does a training step of a recipe take, and how much of that are oneDNN's primitives?
 *
 * Steps are whole ones: the next batch with its augmentation, quantization of weights, forward,
 * loss, backward, optimizer. In `compare` each step is followed by one run of every primitive of
 * the network alone, so that what else the machine does meets both; medians are compared.
 *
 * Usage: train_speed compare RECIPE ROUNDS THREADS
 *            exit 1 where a step takes more than 1.15 times its primitives, or waits for data
 *        train_speed step RECIPE STEPS THREADS [KEY=VALUE...]
 *            print "MILLISECONDS TYPE" of a step, the median of those after the first
 */
#include "train_primitives.h"

#include "data/loader.h"
#include "loss/loss.h"
#include "optimizer/optimizer.h"
#include "recipe/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 1000, WARM_UP = 1 };
#define MOST_OVERHEAD 1.15
#define MOST_WAIT 0.01 /* of a step: the copy into the graph's input is more */

struct run {
    struct recipe recipe;
    struct backend *backend;
    struct bittern_dataset *dataset;
    struct input_encoding encoding;
    struct graph *graph;
    struct loader *loader;
    struct optimizer *optimizer;
    uint64_t step, epoch;
};

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

/* ---- A recipe's training, step by step ------------------------------------------------------- */

static bittern_status open_data(struct run *run, struct bittern_error *err)
{
    bittern_status status =
        bittern_dataset_open(run->recipe.data.set, BITTERN_SPLIT_TRAIN, NULL, &run->dataset, err);
    return status == BITTERN_OK
               ? input_encoding_choose(run->dataset, run->recipe.data.normalize,
                                       run->recipe.data.quantize, &run->encoding, err)
               : status;
}

static bittern_status build_graph(struct run *run, struct bittern_error *err)
{
    const struct recipe_graph_options options = {.batch = run->recipe.training.batch,
                                                 .channels = bittern_dataset_channels(run->dataset),
                                                 .height = bittern_dataset_height(run->dataset),
                                                 .width = bittern_dataset_width(run->dataset),
                                                 .classes = bittern_dataset_classes(run->dataset),
                                                 .seed = 1};
    return recipe_build_graph(&run->recipe, &options, run->backend, &run->graph, err);
}

static bittern_status open_loader(struct run *run, struct bittern_error *err)
{
    const struct loader_options options = {.dataset = run->dataset,
                                           .encoding = &run->encoding,
                                           .augmentation = run->recipe.data.augmentation,
                                           .shuffle = true,
                                           .drop_last = true,
                                           .seed = 1,
                                           .ranks = 1};
    bittern_status status = loader_create(&options, graph_input(run->graph), &run->loader, err);
    if (status == BITTERN_OK) {
        loader_seek(run->loader, 0, 0);
    }
    return status;
}

/* What the command line asks for. */
struct request {
    const char *recipe;
    size_t rounds, threads;
    const char *const *overrides;
    size_t override_count;
};

static bittern_status run_open(struct run *run, const struct request *request,
                               struct bittern_error *err)
{
    const struct backend_options options = {.threads = request->threads,
                                            .precision = BACKEND_PRECISION_AUTO};
    bittern_status status = recipe_read(request->recipe, false, request->overrides,
                                        request->override_count, &run->recipe, err);

    if (status == BITTERN_OK) {
        status = open_data(run, err);
    }
    if (status == BITTERN_OK) {
        status = backend_create(&options, &run->backend, err);
    }
    if (status == BITTERN_OK) {
        status = build_graph(run, err);
    }
    if (status == BITTERN_OK) {
        status = open_loader(run, err);
    }
    if (status == BITTERN_OK) {
        status =
            optimizer_create(&run->recipe.training.optimizer, run->graph, &run->optimizer, err);
    }
    return status;
}

static void run_close(struct run *run)
{
    optimizer_free(run->optimizer);
    loader_free(run->loader);
    graph_free(run->graph);
    backend_free(run->backend);
    bittern_dataset_close(run->dataset);
}

static void next_batch(struct run *run, struct loader_batch *batch)
{
    while (!loader_next(run->loader, graph_input(run->graph), batch)) {
        loader_seek(run->loader, ++run->epoch, 0);
    }
}

static bittern_status train_step(struct run *run, struct bittern_error *err)
{
    size_t classes = graph_classes(run->graph);
    struct loader_batch batch;
    bittern_status status;

    next_batch(run, &batch);
    status = graph_forward(run->graph, GRAPH_TRAIN, run->step, err);
    if (status != BITTERN_OK) {
        return status;
    }
    (void)loss_cross_entropy(graph_output(run->graph), batch.labels, batch.count, classes,
                             (double)graph_batch(run->graph), graph_output_gradient(run->graph));
    (void)loss_count_correct(graph_output(run->graph), batch.labels, batch.count, classes);
    status = graph_backward(run->graph, err);
    if (status == BITTERN_OK) {
        (void)graph_add_method_losses(run->graph);
        optimizer_step(run->optimizer, 1e-4); /* small: values stay ordinary */
        graph_after_update(run->graph);
        ++run->step;
    }
    return status;
}

/* ---- Against its primitives ------------------------------------------------------------------ */

struct times {
    double step[MAX_ROUNDS], inside[MAX_ROUNDS], wait[MAX_ROUNDS];
};

static bittern_status measure(struct run *run, struct train_primitives *primitives, size_t rounds,
                              struct times *times, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t round = 0; status == BITTERN_OK && round < rounds + WARM_UP; ++round) {
        size_t i = round < WARM_UP ? 0 : round - WARM_UP;
        if (round == WARM_UP) {
            train_primitives_reset(primitives);
        }
        backend_reset_primitive_seconds(run->backend);
        (void)loader_take_wait(run->loader);
        double start = now();
        status = train_step(run, err);
        times->step[i] = now() - start;
        times->inside[i] = backend_primitive_seconds(run->backend);
        times->wait[i] = loader_take_wait(run->loader);
        if (status == BITTERN_OK) {
            status = train_primitives_run(primitives, err);
        }
    }
    return status;
}

static double print_primitives(const struct train_primitives *primitives)
{
    const char *name;
    double forward;
    double backward;
    double sum = 0.0;

    printf("  %-12s %12s %12s   ms, alone\n", "primitives", "forward", "backward");
    for (size_t i = 0; train_primitives_median(primitives, i, &name, &forward, &backward); ++i) {
        printf("  %-12s %12.3f %12.3f\n", name, 1e3 * forward, 1e3 * backward);
        sum += forward + backward;
    }
    return sum;
}

static bool report(const struct run *run, const struct train_primitives *primitives, size_t rounds,
                   struct times *times)
{
    double sum = print_primitives(primitives);
    double step = median(times->step, rounds);
    double inside = median(times->inside, rounds);
    double wait = median(times->wait, rounds);
    bool overhead_met = step <= MOST_OVERHEAD * sum;
    bool wait_met = wait <= MOST_WAIT * step;

    printf("  a step %.2f ms (%.0f images/s), %.2f ms of it in primitives; these alone %.2f ms\n",
           1e3 * step, (double)graph_batch(run->graph) / step, 1e3 * inside, 1e3 * sum);
    printf("  waiting for data %.3f ms a step, at most %.0f %%: %s\n", 1e3 * wait,
           100.0 * MOST_WAIT, wait_met ? "met" : "MISSED");
    printf("%s: a step takes %.3f times its primitives, at most %.2f: %s\n", run->recipe.base_name,
           step / sum, MOST_OVERHEAD, overhead_met ? "met" : "MISSED");
    return overhead_met && wait_met;
}

static bittern_status compare(const struct request *request, bool *met, struct bittern_error *err)
{
    struct run *run = calloc(1, sizeof *run);
    struct times *times = calloc(1, sizeof *times);
    struct train_primitives *primitives = NULL;
    bittern_status status;

    if (!run || !times) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory");
        goto cleanup;
    }
    status = run_open(run, request, err);
    if (status == BITTERN_OK) {
        printf("%s, batch %zu, %s; medians of %zu rounds\n", run->recipe.title,
               graph_batch(run->graph), backend_description(run->backend), request->rounds);
        (void)fflush(stdout);
        status = train_primitives_create(run->backend, run->graph, &primitives, err);
    }
    if (status == BITTERN_OK) {
        status = measure(run, primitives, request->rounds, times, err);
    }
    if (status == BITTERN_OK) {
        *met = report(run, primitives, request->rounds, times);
    }

cleanup:
    train_primitives_free(primitives);
    if (run) {
        run_close(run);
    }
    free(run);
    free(times);
    return status;
}

/* ---- Steps alone ----------------------------------------------------------------------------- */

static bittern_status time_steps(const struct request *request, struct bittern_error *err)
{
    static double seconds[MAX_ROUNDS];
    struct run *run = calloc(1, sizeof *run);
    bittern_status status;

    if (!run) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory");
    }
    status = run_open(run, request, err);
    for (size_t i = 0; status == BITTERN_OK && i < request->rounds + WARM_UP; ++i) {
        double start = now();
        status = train_step(run, err);
        seconds[i < WARM_UP ? 0 : i - WARM_UP] = now() - start;
    }
    if (status == BITTERN_OK) {
        printf("%.4f %s\n", 1e3 * median(seconds, request->rounds),
               backend_activation_type(run->backend) == BACKEND_BF16 ? "bf16" : "f32");
    }
    run_close(run);
    free(run);
    return status;
}

int main(int argc, char **argv)
{
    struct bittern_error err;
    bool met = true;
    bool steps = argc >= 5 && strcmp(argv[1], "step") == 0;
    long rounds = argc >= 5 ? strtol(argv[3], NULL, 10) : 0;
    long threads = argc >= 5 ? strtol(argv[4], NULL, 10) : 0;

    if (rounds < 1 || rounds > MAX_ROUNDS || threads < 1 ||
        (!steps && (argc != 5 || strcmp(argv[1], "compare") != 0))) {
        (void)fprintf(stderr,
                      "usage: train_speed compare RECIPE ROUNDS THREADS\n"
                      "       train_speed step RECIPE STEPS THREADS [KEY=VALUE...]\n"
                      "(1..%d rounds or steps)\n",
                      MAX_ROUNDS);
        return 2;
    }
    const struct request request = {argv[2], (size_t)rounds, (size_t)threads,
                                    (const char *const *)(argv + 5), (size_t)argc - 5};
    bittern_status status = steps ? time_steps(&request, &err) : compare(&request, &met, &err);
    if (status != BITTERN_OK) {
        (void)fprintf(stderr, "train_speed: %s\n", err.message);
        return 2;
    }
    return met ? 0 : 1;
}
