/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training on several ranks against training alone on the whole batch, step by step: each rank does
 * both, side by side, and compares. Loader, graph, losses and optimizer as the trainer uses them.
 */
#include "comm/ranks.h"
#include "data/loader.h"
#include "data/made_dataset.h"
#include "graph/graph.h"
#include "loss/loss.h"
#include "optimizer/optimizer.h"
#include "testing.h"

#include <math.h>
#include <string.h>

#define BATCH 4 /* of one rank */
#define IMAGES 50
#define SIDE 12
#define EPOCHS 2

/* One training run. */
struct run {
    struct comm *comm;
    struct backend *backend;
    struct graph *graph;
    struct optimizer *optimizer;
    struct loader *loader, *test_loader;
    uint64_t step;
};

static struct bittern_error err;

static void add_layers(struct graph *graph, enum method_kind kind)
{
    const struct conv_config conv = {
        .filters = 6, .kernel = 3, .stride = 1, .pad = 1, .method = method_defaults(kind)};
    const struct conv_config fc = {.filters = 16, .method = method_defaults(kind)};
    const struct conv_config last = {
        .filters = 10, .bias = true, .method = method_defaults(METHOD_FULL)};
    const struct norm_config norm = {.epsilon = 1e-5, .momentum = 0.1};
    /* Binary weights make equal sums of 8-bit inputs, which differ by rounding alone: a max pool
     * would choose between them by the batch's size. */
    const struct backend_pool_shape pool = {.kind = kind == METHOD_FULL ? BACKEND_POOL_MAX
                                                                        : BACKEND_POOL_AVERAGE,
                                            .kernel_h = 2,
                                            .kernel_w = 2,
                                            .stride_h = 2,
                                            .stride_w = 2};
    size_t at;
    ROLE_OK(graph_add_conv(graph, "conv1", 0, &conv, &at, &err), &err);
    ROLE_OK(graph_add_norm(graph, "norm1", at, &norm, true, &at, &err), &err);
    ROLE_OK(graph_add_pool(graph, "pool1", at, &pool, &at, &err), &err);
    ROLE_OK(graph_add_dropout(graph, "drop1", at, 0.25, &at, &err), &err);
    ROLE_OK(graph_add_fc(graph, "fc2", at, &fc, &at, &err), &err);
    ROLE_OK(graph_add_norm(graph, "norm2", at, &norm, true, &at, &err), &err);
    ROLE_OK(graph_add_fc(graph, "fc3", at, &last, &at, &err), &err);
    ROLE_OK(graph_seal(graph, &err), &err);
}

static void start_run(struct run *run, struct comm *comm, size_t batch, enum method_kind kind,
                      const struct bittern_dataset *dataset, const struct input_encoding *encoding)
{
    const struct backend_options backend = {.threads = 1, .precision = BACKEND_PRECISION_F32};
    const struct graph_options graph = {
        .batch = batch, .channels = 1, .height = SIDE, .width = SIDE, .seed = 3, .comm = comm};
    const struct optimizer_config optimizer = {
        .kind = OPTIMIZER_SGD, .momentum = 0.9, .decay = 1e-4};
    struct loader_options loader = {.dataset = dataset,
                                    .encoding = encoding,
                                    .augmentation = {.crop = 2, .flip = true},
                                    .shuffle = true,
                                    .drop_last = true,
                                    .seed = 3,
                                    .rank = comm_rank(comm),
                                    .ranks = comm_size(comm)};
    memset(run, 0, sizeof(*run));
    run->comm = comm;
    ROLE_OK(backend_create(&backend, &run->backend, &err), &err);
    ROLE_OK(graph_create(run->backend, &graph, &run->graph, &err), &err);
    add_layers(run->graph, kind);
    ROLE_OK(optimizer_create(&optimizer, run->graph, &run->optimizer, &err), &err);
    ROLE_OK(loader_create(&loader, graph_input(run->graph), &run->loader, &err), &err);
    loader.augmentation = (struct augmentation){0};
    loader.shuffle = false;
    loader.drop_last = false;
    ROLE_OK(loader_create(&loader, graph_input(run->graph), &run->test_loader, &err), &err);
}

static void end_run(struct run *run)
{
    loader_free(run->loader);
    loader_free(run->test_loader);
    optimizer_free(run->optimizer);
    graph_free(run->graph);
    backend_free(run->backend);
}

/* One step on the next batch, at the end of an epoch the first of the next. @return the loss */
static double train_step(struct run *run, double whole_batch)
{
    struct loader_batch batch;
    if (!loader_next(run->loader, graph_input(run->graph), &batch)) {
        loader_seek(run->loader, run->step, 0);
        ROLE_CHECK(loader_next(run->loader, graph_input(run->graph), &batch));
    }
    ROLE_OK(graph_forward(run->graph, GRAPH_TRAIN, run->step, &err), &err);
    double loss = loss_cross_entropy(graph_output(run->graph), batch.labels, batch.count,
                                     graph_classes(run->graph), whole_batch,
                                     graph_output_gradient(run->graph));
    ROLE_OK(comm_sum_doubles(run->comm, &loss, 1, &err), &err);
    ROLE_OK(graph_backward(run->graph, &err), &err);
    loss += graph_add_method_losses(run->graph);
    optimizer_step(run->optimizer, 0.02);
    graph_after_update(run->graph);
    run->step++;
    return loss;
}

/* Loss over all images and number of right answers, all ranks together; with running statistics. */
static void evaluate(struct run *run, double results[2])
{
    struct loader_batch batch;
    results[0] = 0.0;
    results[1] = 0.0;
    loader_seek(run->test_loader, 0, 0);
    while (loader_next(run->test_loader, graph_input(run->graph), &batch)) {
        ROLE_OK(graph_forward(run->graph, GRAPH_EVALUATE, 0, &err), &err);
        const float *scores = graph_output(run->graph);
        size_t classes = graph_classes(run->graph);
        results[0] += loss_cross_entropy(scores, batch.labels, batch.count, classes, 1.0, NULL);
        results[1] += (double)loss_count_correct(scores, batch.labels, batch.count, classes);
    }
    ROLE_OK(comm_sum_doubles(run->comm, results, 2, &err), &err);
}

static void estimate_statistics(struct run *run)
{
    struct loader_batch batch;
    graph_begin_statistics(run->graph);
    loader_seek(run->loader, 99, 0);
    while (loader_next(run->loader, graph_input(run->graph), &batch)) {
        ROLE_OK(graph_forward(run->graph, GRAPH_STATISTICS, 0, &err), &err);
    }
    ROLE_OK(graph_end_statistics(run->graph, &err), &err);
}

/* Equal within float32 rounding, which grows from step to step; relative to the largest value, or
 * to the gradients' size where values are small. */
static void compare_values(const char *name, uint64_t step, const float *ours, const float *alone,
                           size_t count)
{
    double largest = 0.1;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)alone[i]));
    }
    double tolerance = 1e-5 * (double)(1 + step) * largest;
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)ours[i] - (double)alone[i]) <= tolerance)) {
            (void)fprintf(stderr, "step %llu, %s[%zu]: %.9g among ranks, %.9g alone\n",
                          (unsigned long long)step, name, i, (double)ours[i], (double)alone[i]);
            exit(1);
        }
    }
}

static void compare_runs(const struct run *ours, const struct run *alone)
{
    for (size_t i = 0; i < graph_parameter_count(ours->graph); i++) {
        const struct parameter *p = graph_parameter(ours->graph, i);
        const struct parameter *q = graph_parameter(alone->graph, i);
        compare_values(p->name, ours->step, p->value, q->value, p->count);
    }
    for (size_t i = 0; i < graph_buffer_count(ours->graph); i++) {
        const struct graph_buffer *p = graph_buffer(ours->graph, i);
        const struct graph_buffer *q = graph_buffer(alone->graph, i);
        compare_values(p->name, ours->step, p->value, q->value, p->count);
    }
}

/* All ranks have rank 0's parameters, bit for bit. */
static void compare_ranks(const struct run *run)
{
    for (size_t i = 0; i < graph_parameter_count(run->graph); i++) {
        const struct parameter *p = graph_parameter(run->graph, i);
        float *first = malloc(p->count * sizeof(float));
        ROLE_CHECK(first != NULL);
        memcpy(first, p->value, p->count * sizeof(float));
        ROLE_OK(comm_broadcast(run->comm, first, p->count * sizeof(float), &err), &err);
        ROLE_CHECK(memcmp(first, p->value, p->count * sizeof(float)) == 0);
        free(first);
    }
}

static void compare_results(const double ours[2], const double alone[2])
{
    ROLE_CHECK(fabs(ours[0] - alone[0]) <= 1e-4 * fabs(alone[0]));
    ROLE_CHECK(ours[1] == alone[1]);
}

static void play_training(struct comm *comm, enum method_kind kind)
{
    struct run ours;
    struct run alone;
    struct input_encoding encoding;
    size_t whole = BATCH * comm_size(comm);
    struct bittern_dataset *dataset = made_dataset_open(1, IMAGES, SIDE, SIDE, 77);
    ROLE_OK(input_encoding_choose(dataset, true, true, &encoding, &err), &err);
    start_run(&ours, comm, BATCH, kind, dataset, &encoding);
    start_run(&alone, NULL, whole, kind, dataset, &encoding);
    compare_runs(&ours, &alone);
    for (size_t step = 0; step < EPOCHS * loader_batches(alone.loader); step++) {
        double loss = train_step(&ours, (double)whole);
        double loss_alone = train_step(&alone, (double)whole);
        ROLE_CHECK(fabs(loss - loss_alone) <= 1e-4 * loss_alone);
        compare_runs(&ours, &alone);
        compare_ranks(&ours);
    }
    double results[2];
    double results_alone[2];
    evaluate(&ours, results);
    evaluate(&alone, results_alone);
    compare_results(results, results_alone);
    estimate_statistics(&ours);
    estimate_statistics(&alone);
    compare_runs(&ours, &alone);
    evaluate(&ours, results);
    evaluate(&alone, results_alone);
    compare_results(results, results_alone);
    end_run(&ours);
    end_run(&alone);
    bittern_dataset_close(dataset);
}

static int play_role(const char *role, const char *count)
{
    struct comm *comm = ranks_join(count);
    enum method_kind kind = METHOD_FULL;
    ROLE_CHECK(method_find(role, &kind));
    play_training(comm, kind);
    return ranks_leave(comm);
}

static void expect_training(enum method_kind kind)
{
    size_t done = 0;
    ranks_need_mpirun();
    assert_int_equal(ranks_run_role("2", method_name(kind), &done), 0);
    assert_int_equal(done, 2);
    assert_int_equal(ranks_run_role("3", method_name(kind), &done), 0);
    assert_int_equal(done, 3);
}

/* Would catch: gradients that are not summed or summed twice, batch statistics of one rank, dropout
 * that drops the same on each rank, a partial batch that counts zeros, ranks that drift apart. */
static void full_precision_among_ranks_is_training_alone(void **state)
{
    (void)state;
    expect_training(METHOD_FULL);
}

/* Would catch: a method's extra parameters or regularizer that each rank adds once more. */
static void ternary_training_among_ranks_is_training_alone(void **state)
{
    (void)state;
    expect_training(METHOD_TTQ);
}

/* Would catch: a regularizer that is not there on some ranks. */
static void sq_training_among_ranks_is_training_alone(void **state)
{
    (void)state;
    expect_training(METHOD_SQ);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return play_role(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_precision_among_ranks_is_training_alone),
        cmocka_unit_test(ternary_training_among_ranks_is_training_alone),
        cmocka_unit_test(sq_training_among_ranks_is_training_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
