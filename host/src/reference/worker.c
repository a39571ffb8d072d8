/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's buffers, and images through all layers. */
#include "reference/run.h"
#include <stdlib.h>
#include <string.h>

bool reference_worker_prepare(struct reference_worker *worker, const struct reference_plan *plan,
                              size_t images)
{
    worker->plan = plan;
    worker->images = images;
    worker->values[0] = reference_allocate(images, plan->image_bytes);
    worker->values[1] = reference_allocate(images, plan->image_bytes);
    worker->acc_rows = reference_allocate(images, plan->acc_bytes);
    worker->code_rows = reference_allocate(images, plan->code_bytes);
    worker->sums = reference_allocate((size_t)2 * REFERENCE_POINTS * REFERENCE_GROUP_LANES,
                                      sizeof *worker->sums);
    worker->channel_sums = reference_allocate(plan->channels, sizeof *worker->channel_sums);
    worker->channel_codes = reference_allocate(plan->channels, 1);
    worker->runs = reference_allocate(plan->window_rows, sizeof *worker->runs);
    return worker->values[0] && worker->values[1] && worker->acc_rows && worker->code_rows &&
           worker->sums && worker->channel_sums && worker->channel_codes && worker->runs;
}

void reference_worker_release(struct reference_worker *worker)
{
    free(worker->values[0]);
    free(worker->values[1]);
    free(worker->acc_rows);
    free(worker->code_rows);
    free(worker->sums);
    free(worker->channel_sums);
    free(worker->channel_codes);
    free(worker->runs);
    memset(worker, 0, sizeof *worker);
}

/* Images into the first layer's format. */
static void load_images(struct reference_worker *worker, const uint8_t *images,
                        const int16_t *value_of, size_t count)
{
    const struct reference_plan *plan = worker->plan;
    const struct reference_format *input = &plan->layers[0].input;
    const struct bittern_shape *shape = &input->shape;
    const size_t bytes = shape->channels * shape->height * shape->width;
    for (size_t i = 0; i < count; ++i) {
        uint8_t *out = worker->values[0] + i * input->image_bytes;
        reference_fill_padding(input, out);
        reference_encode_image(plan, images + i * bytes, value_of, worker->channel_codes, out);
    }
}

static void run_layer(struct reference_worker *worker, size_t i, size_t count)
{
    reference_run_layer(worker, &worker->plan->layers[i], reference_plan_output(worker->plan, i),
                        count, worker->values[i % 2], worker->values[(i + 1) % 2]);
}

void reference_worker_run(struct reference_worker *worker, const uint8_t *images,
                          const int16_t *value_of, size_t count, int32_t *values)
{
    const struct reference_plan *plan = worker->plan;
    const size_t outputs = bittern_network_output_count(plan->network);
    load_images(worker, images, value_of, count);
    for (size_t i = 0; i < plan->layer_count; ++i) {
        run_layer(worker, i, count);
    }
    const uint8_t *last = worker->values[plan->layer_count % 2];
    for (size_t i = 0; i < count; ++i) {
        reference_decode_image(&plan->output, last + i * plan->output.image_bytes,
                               values + i * outputs);
    }
}

/* Show what lies in values[side]; false where the observer wants to stop. */
static bool show(struct reference_worker *worker, const struct reference_format *format,
                 size_t side, size_t image, size_t layer, bittern_layer_observer observer,
                 void *user, int32_t *values)
{
    reference_decode_image(format, worker->values[side], values);
    return observer(user, image, layer, &format->shape, values) == 0;
}

bittern_status reference_worker_trace(struct reference_worker *worker, const uint8_t *image,
                                      size_t number, bittern_layer_observer observer, void *user,
                                      int32_t *values, struct bittern_error *err)
{
    const struct reference_plan *plan = worker->plan;
    load_images(worker, image, NULL, 1);
    bool goes_on =
        show(worker, &plan->layers[0].input, 0, number, SIZE_MAX, observer, user, values);
    for (size_t i = 0; goes_on && i < plan->layer_count; ++i) {
        run_layer(worker, i, 1);
        goes_on = show(worker, reference_plan_output(plan, i), (i + 1) % 2, number, i, observer,
                       user, values);
    }
    if (!goes_on) {
        return bittern_error_set(err, BITTERN_ERR_CANCELLED,
                                 "stopped by the caller while image %zu was traced", number);
    }
    return BITTERN_OK;
}
