/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of an epoch. The loss of a batch is summed over ranks before anything is updated, so
 * that all ranks see together where it is not finite.
 */
#include "train/run.h"

#include "loss/loss.h"

#include <math.h>

double run_learning_rate(const struct train_run *run, uint64_t batch)
{
    double batches = (double)loader_batches(run->train_loader);
    return schedule_rate(&run->recipe->training.schedule,
                         (double)run->position.epoch + (double)batch / batches);
}

/* Loss of this rank's images (its share of the batch's mean) and its gradient. */
static bittern_status find_loss(struct train_run *run, const struct loader_batch *batch,
                                double *loss, struct bittern_error *err)
{
    const struct recipe *recipe = run->recipe;
    struct graph *graph = run->graph;
    const float *scores = graph_output(graph);
    float *gradient = graph_output_gradient(graph);
    size_t classes = graph_classes(graph);
    double divisor = (double)recipe->training.batch;

    if (recipe->training.distill) {
        const float *teacher = NULL;
        bittern_status status = teacher_score(run, &teacher, err);
        if (status != BITTERN_OK) {
            return status;
        }
        *loss = loss_distillation(scores, teacher, batch->labels, batch->count, classes,
                                  recipe->training.temperature, recipe->training.distill_weight,
                                  divisor, gradient);
    } else if (recipe->training.loss == LOSS_SQUARED_HINGE) {
        *loss = loss_squared_hinge(scores, batch->labels, batch->count, classes, divisor, gradient);
    } else {
        *loss = loss_cross_entropy(scores, batch->labels, batch->count, classes, divisor, gradient);
    }
    return BITTERN_OK;
}

static bittern_status forward(struct train_run *run, const struct loader_batch *batch, double *loss,
                              double *correct, struct bittern_error *err)
{
    bittern_status status = graph_forward(run->graph, GRAPH_TRAIN, run->position.step, err);
    if (status == BITTERN_OK) {
        status = find_loss(run, batch, loss, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    double sums[2] = {*loss, (double)loss_count_correct(graph_output(run->graph), batch->labels,
                                                        batch->count, graph_classes(run->graph))};
    status = comm_sum_doubles(run->options->comm, sums, 2, err);
    *loss = sums[0];
    *correct = sums[1];
    if (status == BITTERN_OK && !isfinite(*loss)) {
        status = run_nonfinite_error(run, "the loss is not finite in", run->position.epoch + 1,
                                     run->position.batch + 1, err);
        status = run_agree(run, status, err);
    }
    return status;
}

static bittern_status train_step(struct train_run *run, const struct loader_batch *batch,
                                 struct bittern_error *err)
{
    struct checkpoint_position *position = &run->position;
    double loss = 0.0;
    double correct = 0.0;

    bittern_status status = forward(run, batch, &loss, &correct, err);
    if (status == BITTERN_OK) {
        status = graph_backward(run->graph, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    position->method_loss_sum += graph_add_method_losses(run->graph);
    optimizer_step(run->optimizer, run_learning_rate(run, position->batch));
    graph_after_update(run->graph);

    size_t images = run->recipe->training.batch;
    position->batch++;
    position->step++;
    position->loss_sum += loss * (double)images;
    position->correct += (uint64_t)correct;
    position->images += images;
    run->steps_here++;
    return BITTERN_OK;
}

static bittern_status save_in_time(struct train_run *run, struct bittern_error *err)
{
    double pause = run->options->checkpoint_seconds;
    return pause > 0.0 && run_seconds() - run->last_saved >= pause ? run_save(run, err)
                                                                   : BITTERN_OK;
}

double run_seconds_left(const struct train_run *run)
{
    uint64_t steps = run->recipe->training.epochs * loader_batches(run->train_loader);
    return run->steps_here > 0 ? (run_seconds() - run->steps_started) / (double)run->steps_here *
                                     (double)(steps - run->position.step)
                               : 0.0;
}

static struct trainer_progress make_progress(const struct train_run *run)
{
    const struct checkpoint_position *position = &run->position;
    double images = position->images > 0 ? (double)position->images : 1.0;
    double seconds = position->seconds;
    return (struct trainer_progress){.phase = TRAINER_TRAIN,
                                     .epoch = position->epoch + 1,
                                     .batch = position->batch,
                                     .batches = loader_batches(run->train_loader),
                                     .loss = position->loss_sum / images,
                                     .accuracy = (double)position->correct / images,
                                     .images_per_second = seconds > 0.0 ? images / seconds : 0.0,
                                     .seconds_left = run_seconds_left(run)};
}

/* Time of the epoch up to now; `started`: when it would have begun without interruption. */
static void count_seconds(struct train_run *run, double started)
{
    run->position.seconds = run_seconds() - started;
    run->position.wait_seconds += loader_take_wait(run->train_loader);
}

bittern_status run_train_epoch(struct train_run *run, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    double started = run_seconds() - run->position.seconds;
    struct loader_batch batch;

    (void)loader_take_wait(run->train_loader);
    if (run->steps_here == 0) {
        run->steps_started = run_seconds();
    }
    loader_seek(run->train_loader, run->position.epoch, run->position.batch);
    while (status == BITTERN_OK && run->position.batch < loader_batches(run->train_loader) &&
           loader_next(run->train_loader, graph_input(run->graph), &batch)) {
        status = train_step(run, &batch, err);
        if (status != BITTERN_OK) {
            return status;
        }
        count_seconds(run, started);
        status = save_in_time(run, err);
        struct trainer_progress progress = make_progress(run);
        status = run_report(run, &progress, status, err);
    }
    return status;
}
