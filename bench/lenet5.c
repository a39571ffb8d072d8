/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeNet-5 in plain C: convolution 5x5 to 6 maps (on a 32x32 padded image), pool, convolution 5x5 to
 * 16 maps, pool, then 120, 84 and 10 neurons.
 *
 * A batch is cut into LANES equal shares, each with its own activations and gradients, which
 * threads take up; gradients are added lane by lane, so the result does not depend on the threads.
 * The forward convolution runs along image rows (compilers vectorize it; memory traffic of the
 * output rows limits it); the backward one visits only the outputs with a gradient: after
 * max-pooling and ReLU about one in eight.
 */
#include "lenet5.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LANES 4
#define KERNEL 5
#define TAPS (KERNEL * KERNEL)
#define IMAGE 28
#define PADDED 32
#define MAPS1 6
#define SIDE1 28 /* of the first convolution's output; its pool has half */
#define POOL1 14
#define MAPS2 16
#define SIDE2 10
#define POOL2 5
#define FLAT (MAPS2 * POOL2 * POOL2)
#define HIDDEN1 120
#define HIDDEN2 84
#define CLASSES 10

struct parameters {
    float conv1[MAPS1][1][TAPS], bias1[MAPS1];
    float conv2[MAPS2][MAPS1][TAPS], bias2[MAPS2];
    float dense1[HIDDEN1][FLAT], bias3[HIDDEN1];
    float dense2[HIDDEN2][HIDDEN1], bias4[HIDDEN2];
    float dense3[CLASSES][HIDDEN2], bias5[CLASSES];
};
#define PARAMETERS (sizeof(struct parameters) / sizeof(float))

/* What one image needs on its way through the net; d_x is the gradient of x. */
struct activations {
    float padded[PADDED * PADDED];
    float map1[MAPS1 * SIDE1 * SIDE1];
    float pool1[MAPS1 * POOL1 * POOL1], d_pool1[MAPS1 * POOL1 * POOL1];
    float map2[MAPS2 * SIDE2 * SIDE2];
    float pool2[FLAT], d_pool2[FLAT];
    float hidden1[HIDDEN1], d_hidden1[HIDDEN1];
    float hidden2[HIDDEN2], d_hidden2[HIDDEN2];
    float logits[CLASSES], d_logits[CLASSES];
    size_t winner1[MAPS1 * POOL1 * POOL1]; /* which output of map1 became pool1's */
    size_t winner2[FLAT];
};

struct lane {
    struct lenet5 *net;
    struct activations a;
    struct parameters gradient;
    /* The work in hand. */
    const float *images;
    const uint8_t *labels;
    const size_t *chosen; /* NULL: count correct ones among images first..first+count-1 */
    size_t first, count;
    size_t correct;
};

struct lenet5 {
    struct parameters weights, velocity;
    struct lane lanes[LANES];
};

/* --- Layers ---------------------------------------------------------------------------------- */

/* Eight partial sums, so that the compiler may keep them in vector registers. */
static float dot(const float *a, const float *b, size_t count)
{
    float sums[8] = {0};
    float rest = 0.0F;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (size_t j = 0; j < 8; j++) {
            sums[j] += a[i + j] * b[i + j];
        }
    }
    for (; i < count; i++) {
        rest += a[i] * b[i];
    }
    return rest + ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static void add_scaled(float *restrict sum, const float *restrict x, float factor, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sum[i] += factor * x[i];
    }
}

/* out [maps][side][side] = relu(bias + in [channels][side+4][side+4] * weight) */
static void conv_forward(const float *in, size_t channels, const float *weight, const float *bias,
                         size_t maps, size_t side, float *out)
{
    size_t in_side = side + KERNEL - 1;
    for (size_t m = 0; m < maps; m++) {
        float *map = out + m * side * side;
        for (size_t i = 0; i < side * side; i++) {
            map[i] = bias[m];
        }
        for (size_t c = 0; c < channels; c++) {
            for (size_t tap = 0; tap < TAPS; tap++) {
                float w = weight[(m * channels + c) * TAPS + tap];
                const float *from = in + (c * in_side + tap / KERNEL) * in_side + tap % KERNEL;
                for (size_t y = 0; y < side; y++) {
                    add_scaled(map + y * side, from + y * in_side, w, side);
                }
            }
        }
        for (size_t i = 0; i < side * side; i++) {
            map[i] = map[i] > 0.0F ? map[i] : 0.0F;
        }
    }
}

/* 2x2 max-pooling, keeping which input won. */
static void pool_forward(const float *in, size_t maps, size_t side, float *out, size_t *winner)
{
    size_t half = side / 2;
    for (size_t m = 0; m < maps; m++) {
        for (size_t y = 0; y < half; y++) {
            for (size_t x = 0; x < half; x++) {
                size_t first = (m * side + 2 * y) * side + 2 * x;
                const size_t others[3] = {first + 1, first + side, first + side + 1};
                size_t best = first;
                for (size_t i = 0; i < 3; i++) {
                    best = in[others[i]] > in[best] ? others[i] : best;
                }
                size_t to = (m * half + y) * half + x;
                winner[to] = best;
                out[to] = in[best];
            }
        }
    }
}

/* Gradients of a convolution, its ReLU and its pool. d_in may be NULL. */
static void conv_backward(const float *in, size_t channels, const float *weight, size_t maps,
                          size_t side, const float *pooled, const float *d_pooled,
                          const size_t *winner, float *d_weight, float *d_bias, float *d_in)
{
    size_t in_side = side + KERNEL - 1;
    size_t pool = (side / 2) * (side / 2);

    for (size_t i = 0; i < maps * pool; i++) {
        float gradient = d_pooled[i];
        if (pooled[i] <= 0.0F || gradient == 0.0F) {
            continue;
        }
        size_t m = i / pool;
        size_t y = winner[i] % (side * side) / side;
        size_t x = winner[i] % side;
        d_bias[m] += gradient;
        for (size_t c = 0; c < channels; c++) {
            for (size_t row = 0; row < KERNEL; row++) {
                size_t at = (c * in_side + y + row) * in_side + x;
                size_t tap = (m * channels + c) * TAPS + row * KERNEL;
                for (size_t k = 0; k < KERNEL; k++) {
                    d_weight[tap + k] += gradient * in[at + k];
                }
                for (size_t k = 0; d_in && k < KERNEL; k++) {
                    d_in[at + k] += gradient * weight[tap + k];
                }
            }
        }
    }
}

static void dense_forward(const float *in, size_t inputs, const float *weight, const float *bias,
                          size_t outputs, int relu, float *out)
{
    for (size_t o = 0; o < outputs; o++) {
        float sum = bias[o] + dot(weight + o * inputs, in, inputs);
        out[o] = relu && sum < 0.0F ? 0.0F : sum;
    }
}

/* d_out is the gradient behind the ReLU; `out` NULL means that there is none. */
static void dense_backward(const float *in, size_t inputs, const float *weight, const float *out,
                           size_t outputs, const float *d_out, float *d_weight, float *d_bias,
                           float *d_in)
{
    memset(d_in, 0, inputs * sizeof *d_in);
    for (size_t o = 0; o < outputs; o++) {
        if (out && out[o] <= 0.0F) {
            continue;
        }
        d_bias[o] += d_out[o];
        add_scaled(d_weight + o * inputs, in, d_out[o], inputs);
        add_scaled(d_in, weight + o * inputs, d_out[o], inputs);
    }
}

/* --- The net --------------------------------------------------------------------------------- */

static void forward(const struct parameters *w, const float *image, struct activations *a)
{
    for (size_t y = 0; y < IMAGE; y++) {
        memcpy(a->padded + (y + 2) * PADDED + 2, image + y * IMAGE, IMAGE * sizeof *image);
    }
    conv_forward(a->padded, 1, &w->conv1[0][0][0], w->bias1, MAPS1, SIDE1, a->map1);
    pool_forward(a->map1, MAPS1, SIDE1, a->pool1, a->winner1);
    conv_forward(a->pool1, MAPS1, &w->conv2[0][0][0], w->bias2, MAPS2, SIDE2, a->map2);
    pool_forward(a->map2, MAPS2, SIDE2, a->pool2, a->winner2);
    dense_forward(a->pool2, FLAT, &w->dense1[0][0], w->bias3, HIDDEN1, 1, a->hidden1);
    dense_forward(a->hidden1, HIDDEN1, &w->dense2[0][0], w->bias4, HIDDEN2, 1, a->hidden2);
    dense_forward(a->hidden2, HIDDEN2, &w->dense3[0][0], w->bias5, CLASSES, 0, a->logits);
}

/* Gradient of the cross entropy of softmax(logits). */
static void loss_backward(struct activations *a, uint8_t label)
{
    float highest = a->logits[0];
    float total = 0.0F;
    for (size_t c = 1; c < CLASSES; c++) {
        highest = a->logits[c] > highest ? a->logits[c] : highest;
    }
    for (size_t c = 0; c < CLASSES; c++) {
        a->d_logits[c] = expf(a->logits[c] - highest);
        total += a->d_logits[c];
    }
    for (size_t c = 0; c < CLASSES; c++) {
        a->d_logits[c] = a->d_logits[c] / total - (c == label ? 1.0F : 0.0F);
    }
}

static void backward(const struct parameters *w, uint8_t label, struct activations *a,
                     struct parameters *g)
{
    loss_backward(a, label);
    dense_backward(a->hidden2, HIDDEN2, &w->dense3[0][0], NULL, CLASSES, a->d_logits,
                   &g->dense3[0][0], g->bias5, a->d_hidden2);
    dense_backward(a->hidden1, HIDDEN1, &w->dense2[0][0], a->hidden2, HIDDEN2, a->d_hidden2,
                   &g->dense2[0][0], g->bias4, a->d_hidden1);
    dense_backward(a->pool2, FLAT, &w->dense1[0][0], a->hidden1, HIDDEN1, a->d_hidden1,
                   &g->dense1[0][0], g->bias3, a->d_pool2);
    memset(a->d_pool1, 0, sizeof a->d_pool1);
    conv_backward(a->pool1, MAPS1, &w->conv2[0][0][0], MAPS2, SIDE2, a->pool2, a->d_pool2,
                  a->winner2, &g->conv2[0][0][0], g->bias2, a->d_pool1);
    conv_backward(a->padded, 1, &w->conv1[0][0][0], MAPS1, SIDE1, a->pool1, a->d_pool1, a->winner1,
                  &g->conv1[0][0][0], g->bias1, NULL);
}

static void *lane_run(void *argument)
{
    struct lane *lane = argument;
    const struct parameters *w = &lane->net->weights;

    lane->correct = 0;
    if (lane->chosen) {
        memset(&lane->gradient, 0, sizeof lane->gradient);
    }
    for (size_t i = lane->first; i < lane->first + lane->count; i++) {
        size_t image = lane->chosen ? lane->chosen[i] : i;
        forward(w, lane->images + image * IMAGE * IMAGE, &lane->a);
        if (lane->chosen) {
            backward(w, lane->labels[image], &lane->a, &lane->gradient);
        } else {
            size_t best = 0;
            for (size_t c = 1; c < CLASSES; c++) {
                best = lane->a.logits[c] > lane->a.logits[best] ? c : best;
            }
            lane->correct += best == lane->labels[image];
        }
    }
    return NULL;
}

static void run_lanes(struct lenet5 *net, const float *images, const uint8_t *labels,
                      const size_t *chosen, size_t count)
{
    pthread_t threads[LANES];
    int started[LANES];

    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &net->lanes[i];
        lane->net = net;
        lane->images = images;
        lane->labels = labels;
        lane->chosen = chosen;
        lane->first = count * i / LANES;
        lane->count = count * (i + 1) / LANES - lane->first;
        started[i] = i + 1 < LANES && pthread_create(&threads[i], NULL, lane_run, lane) == 0;
    }
    for (size_t i = LANES; i-- > 0;) {
        if (started[i]) {
            pthread_join(threads[i], NULL);
        } else {
            lane_run(&net->lanes[i]);
        }
    }
}

void lenet5_train(struct lenet5 *net, const float *images, const uint8_t *labels,
                  const size_t *chosen, size_t count, float rate, float momentum)
{
    float *weights = (float *)&net->weights;
    float *velocity = (float *)&net->velocity;

    run_lanes(net, images, labels, chosen, count);
    for (size_t i = 0; i < PARAMETERS; i++) {
        float gradient = 0.0F;
        for (size_t lane = 0; lane < LANES; lane++) {
            gradient += ((const float *)&net->lanes[lane].gradient)[i];
        }
        velocity[i] = momentum * velocity[i] - rate * gradient / (float)count;
        weights[i] += velocity[i];
    }
}

size_t lenet5_count_correct(struct lenet5 *net, const float *images, const uint8_t *labels,
                            size_t count)
{
    size_t correct = 0;
    run_lanes(net, images, labels, NULL, count);
    for (size_t i = 0; i < LANES; i++) {
        correct += net->lanes[i].correct;
    }
    return correct;
}

/* Uniform with variance 2 / inputs, which ReLU keeps at one (He et al., 2015). */
static void fill(float *weight, size_t count, size_t inputs, uint64_t *state)
{
    float limit = sqrtf(6.0F / (float)inputs);
    for (size_t i = 0; i < count; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        weight[i] = limit * ((float)(*state >> 40) * 0x1p-23F - 1.0F);
    }
}

struct lenet5 *lenet5_create(uint64_t seed)
{
    struct lenet5 *net = calloc(1, sizeof *net);
    if (net) {
        struct parameters *w = &net->weights;
        fill(&w->conv1[0][0][0], MAPS1 * TAPS, TAPS, &seed);
        fill(&w->conv2[0][0][0], MAPS2 * MAPS1 * TAPS, MAPS1 * TAPS, &seed);
        fill(&w->dense1[0][0], HIDDEN1 * FLAT, FLAT, &seed);
        fill(&w->dense2[0][0], HIDDEN2 * HIDDEN1, HIDDEN1, &seed);
        fill(&w->dense3[0][0], CLASSES * HIDDEN2, HIDDEN2, &seed);
    }
    return net;
}

void lenet5_destroy(struct lenet5 *net)
{
    free(net);
}
