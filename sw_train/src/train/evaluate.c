/* SPDX-License-Identifier: Apache-2.0 */
/* Loss and accuracy on the test split, with running statistics, over all ranks. */
#include "train/run.h"

#include "loss/loss.h"

/* Sum of the loss over the batch; distillation is judged by its labels alone. */
static double sum_loss(const struct train_run *run, const struct loader_batch *batch)
{
    struct graph *graph = run->graph;
    size_t classes = graph_classes(graph);
    return (run->recipe->training.loss == LOSS_SQUARED_HINGE
                ? loss_squared_hinge
                : loss_cross_entropy)(graph_output(graph), batch->labels, batch->count, classes,
                                      1.0, graph_output_gradient(graph));
}

/* sums: loss, correct, images */
static bittern_status evaluate_batch(struct train_run *run, const struct loader_batch *batch,
                                     double sums[3], struct bittern_error *err)
{
    bittern_status status = graph_forward(run->graph, GRAPH_EVALUATE, 0, err);
    if (status == BITTERN_OK) {
        sums[0] += sum_loss(run, batch);
        sums[1] += (double)loss_count_correct(graph_output(run->graph), batch->labels, batch->count,
                                              graph_classes(run->graph));
        sums[2] += (double)batch->count;
    }
    return status;
}

bittern_status run_evaluate(struct train_run *run, struct evaluation *evaluation,
                            struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    double sums[3] = {0.0, 0.0, 0.0};
    double started = run_seconds();
    struct loader_batch batch;
    uint64_t epochs = run->recipe->training.epochs;
    struct trainer_progress progress = {
        .phase = TRAINER_TEST,
        .epoch = run->position.epoch < epochs ? run->position.epoch + 1 : epochs,
        .batches = loader_batches(run->test_loader)};

    loader_seek(run->test_loader, 0, 0);
    while (status == BITTERN_OK && loader_next(run->test_loader, graph_input(run->graph), &batch)) {
        status = evaluate_batch(run, &batch, sums, err);
        if (status != BITTERN_OK) {
            return status;
        }
        double images = sums[2] > 0.0 ? sums[2] : 1.0;
        double seconds = run_seconds() - started;
        progress.batch++;
        progress.loss = sums[0] / images;
        progress.accuracy = sums[1] / images;
        progress.images_per_second = seconds > 0.0 ? sums[2] / seconds : 0.0;
        status = run_report(run, &progress, BITTERN_OK, err);
    }
    if (status == BITTERN_OK) {
        status = comm_sum_doubles(run->options->comm, sums, 3, err);
    }
    if (status == BITTERN_OK) {
        *evaluation = (struct evaluation){
            .loss = sums[0] / sums[2], .accuracy = sums[1] / sums[2], .images = (uint64_t)sums[2]};
    }
    return status;
}
