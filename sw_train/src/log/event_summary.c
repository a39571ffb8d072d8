/* SPDX-License-Identifier: Apache-2.0 */
/* An epoch's metrics as one TensorBoard event. What is not finite, or not known, is left out. */
#include "event.pb-c.h"
#include "log/event_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_TAG 160
#define EPOCH_SCALARS 8
#define LAYER_VALUES 4

/* Messages and what they point to, made for one event. */
struct slot {
    Tensorflow__Summary__Value value;
    Tensorflow__HistogramProto histogram;
    double limits[HISTOGRAM_BINS], counts[HISTOGRAM_BINS];
    char tag[MAX_TAG];
};

struct builder {
    struct slot *slots;
    Tensorflow__Summary__Value **values;
    size_t count;
};

/* group/name, or group alone */
static struct slot *next_slot(struct builder *builder, const char *group, const char *name)
{
    struct slot *slot = &builder->slots[builder->count];
    tensorflow__summary__value__init(&slot->value);
    (void)snprintf(slot->tag, sizeof slot->tag, "%s%s%s", group, name ? "/" : "", name ? name : "");
    slot->value.tag = slot->tag;
    builder->values[builder->count++] = &slot->value;
    return slot;
}

static void add_scalar(struct builder *builder, const char *group, const char *name, double number)
{
    if (isfinite(number)) {
        struct slot *slot = next_slot(builder, group, name);
        slot->value.value_case = TENSORFLOW__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        slot->value.simple_value = (float)number;
    }
}

static void add_histogram(struct builder *builder, const char *group, const char *name,
                          const struct histogram *histogram)
{
    if (histogram->count == 0) {
        return;
    }
    struct slot *slot = next_slot(builder, group, name);
    Tensorflow__HistogramProto *message = &slot->histogram;
    tensorflow__histogram_proto__init(message);
    message->min = histogram->minimum;
    message->max = histogram->maximum;
    message->num = (double)histogram->count;
    message->sum = histogram->sum;
    message->sum_squares = histogram->sum_of_squares;
    double width = (histogram->maximum - histogram->minimum) / HISTOGRAM_BINS;
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        slot->limits[i] = i + 1 == HISTOGRAM_BINS ? histogram->maximum
                                                  : histogram->minimum + (double)(i + 1) * width;
        slot->counts[i] = (double)histogram->bins[i];
    }
    message->n_bucket_limit = HISTOGRAM_BINS;
    message->bucket_limit = slot->limits;
    message->n_bucket = HISTOGRAM_BINS;
    message->bucket = slot->counts;
    slot->value.value_case = TENSORFLOW__SUMMARY__VALUE__VALUE_HISTO;
    slot->value.histo = message;
}

static void add_epoch(struct builder *builder, const struct epoch_metrics *epoch)
{
    add_scalar(builder, "train", "loss", epoch->train_loss);
    add_scalar(builder, "train", "accuracy", epoch->train_accuracy);
    add_scalar(builder, "train", "method_loss", epoch->method_loss);
    add_scalar(builder, "test", "loss", epoch->test_loss);
    add_scalar(builder, "test", "accuracy", epoch->test_accuracy);
    add_scalar(builder, "rate", NULL, epoch->rate);
    add_scalar(builder, "images_per_second", NULL, epoch->images_per_second);
    for (size_t i = 0; i < epoch->layer_count; i++) {
        const struct layer_metrics *layer = &epoch->layers[i];
        add_histogram(builder, "latent", layer->name, &layer->latent);
        add_scalar(builder, "zeros", layer->name, layer->zeros);
        add_scalar(builder, "beta", layer->name, layer->has_beta ? layer->beta : NAN);
        add_scalar(builder, "mu", layer->name, layer->has_mu ? layer->mu_mean : NAN);
    }
}

bittern_status event_file_add(struct event_file *file, const struct epoch_metrics *epoch,
                              struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    uint8_t *message = NULL;
    size_t most = EPOCH_SCALARS + LAYER_VALUES * epoch->layer_count;
    struct builder builder = {calloc(most, sizeof *builder.slots),
                              calloc(most, sizeof(Tensorflow__Summary__Value *)), 0};
    Tensorflow__Summary summary = TENSORFLOW__SUMMARY__INIT;
    Tensorflow__Event event = TENSORFLOW__EVENT__INIT;
    struct timespec now = {0, 0};

    if (!builder.slots || !builder.values) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an epoch's metrics");
        goto cleanup;
    }
    add_epoch(&builder, epoch);
    summary.n_value = builder.count;
    summary.value = builder.values;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    event.wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    event.step = (int64_t)epoch->epoch;
    event.what_case = TENSORFLOW__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    message = malloc(tensorflow__event__get_packed_size(&event));
    if (!message) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for an epoch's metrics");
        goto cleanup;
    }
    status = event_file_add_record(file, message, tensorflow__event__pack(&event, message), err);
cleanup:
    free(message);
    free((void *)builder.values);
    free(builder.slots);
    return status;
}
