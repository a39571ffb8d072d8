/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Smart Quantization (Razani et al.: Adaptive Binary-Ternary Quantization, 2021, arXiv 1909.12205):
 * one training run that chooses for each layer whether it is binary or ternary.
 *
 *     R(w, mu, beta) = min(||w| + mu|^p, ||w| - mu|^p, tan(beta) |w|^p)
 *     loss += lambda / #W * sum over filters k of (sum_i R(w_i, mu_k, beta) + gamma |cot beta|)
 *
 * (equations 9 and 10) with mu trained a filter, beta in (pi/4, pi/2) a layer. With gamma_per_layer
 * the gamma term stands once a layer beside the mean of R: lambda * (mean R + gamma |cot beta|).
 *
 * A layer is ternary, {-mu, 0, mu} by the fixed threshold 0.2 times the deviation of the initial
 * weights, as long as beta < delta, and binary, sign(w) * mu, where beta has reached it: in
 * training as in evaluation, so that the network learns with the weights that it will have. The
 * gradient of the quantized weights passes to the latent ones as it is; that of mu is exact: mu is
 * a factor of each weight that is not 0.
 *
 * beta starts close below delta: ternary, but before weights gather at 0, from where nothing would
 * draw them away once beta is large.
 */
#include "method/method_parts.h"

#include <math.h>

#define PI 3.14159265358979323846
/* beta's interval is open; at its upper end tan(beta) is 10^4. */
#define BETA_MARGIN 1e-4
#define BETA_START 1.5

enum { MU, BETA };               /* parameters */
enum { THRESHOLD };              /* buffer */
enum { LOSS, BY_BETA, COLUMNS }; /* sums */

static bittern_status sq_create(struct method *method, struct bittern_error *err)
{
    bittern_status status = method_add_parameter(method, "mu", method->filters,
                                                 (double)METHOD_MINIMUM_SCALE, INFINITY, err);
    if (!status) {
        status = method_add_parameter(method, "beta", 1, PI / 4 + BETA_MARGIN, PI / 2 - BETA_MARGIN,
                                      err);
    }
    if (!status) {
        status = method_add_buffer(method, "threshold", 1, err);
    }
    if (!status) {
        status = method_add_sums(method, COLUMNS, err);
    }
    return status;
}

/* ---- Start -------------------------------------------------------------------------------------
 */

static double sum_deviations(const float *restrict row, size_t n, double mean)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        double d = (double)row[i] - mean;
        sum += d * d;
    }
    return sum;
}

static double sum_row(const float *restrict row, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        sum += (double)row[i];
    }
    return sum;
}

static double layer_deviation(const struct method *method, const float *latent)
{
    size_t size = method->size;
    double count = (double)method->filters * (double)size;
    double *sums = method->state;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        sums[f * COLUMNS] = sum_row(latent + f * size, size);
    }
    double mean = method_total(method, COLUMNS, 0) / count;
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        sums[f * COLUMNS] = sum_deviations(latent + f * size, size, mean);
    }
    return sqrt(method_total(method, COLUMNS, 0) / count);
}

static void sq_start(struct method *method, const float *latent)
{
    method->buffers[THRESHOLD].value[0] =
        (float)(method->config.threshold * layer_deviation(method, latent));
    method_start_mu(method, latent, method->parameters[MU].value);
    method->parameters[BETA].value[0] = (float)BETA_START;
    method_clip_parameters(method);
}

/* ---- Forward and backward ----------------------------------------------------------------------
 */

static bool is_binary(const struct method *method)
{
    return (double)method->parameters[BETA].value[0] >= method->config.delta;
}

static void sq_forward(struct method *method, const float *latent, const struct method_step *step,
                       float *quantized)
{
    (void)step;
    bool binary = is_binary(method);
    float threshold = method->buffers[THRESHOLD].value[0];
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        float mu = method->parameters[MU].value[f];
        if (binary) {
            method_write_signs(latent + at, method->size, mu, quantized + at);
        } else {
            method_write_ternary(latent + at, method->size, threshold, mu, mu, quantized + at);
        }
    }
}

/* Sum of g * ternary(w), the derivative by mu. */
static double sum_ternary(const float *restrict row, const float *restrict g, size_t n,
                          float threshold)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i];
        float up = row[i] > threshold ? gradient : 0.0F;
        sum += (double)(row[i] < -threshold ? -gradient : up);
    }
    return sum;
}

static void sq_backward(struct method *method, const float *latent, const float *quantized,
                        const float *diff_quantized, float *diff_latent)
{
    bool binary = is_binary(method);
    float threshold = method->buffers[THRESHOLD].value[0];
    float *diff_mu = method->parameters[MU].gradient;

    method_backward_straight(method, latent, quantized, diff_quantized, diff_latent);
    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        size_t at = f * method->size;
        const float *row = latent + at;
        const float *g = diff_quantized + at;
        diff_mu[f] = (float)(binary ? method_sum_signed(row, g, method->size)
                                    : sum_ternary(row, g, method->size, threshold));
    }
    method->parameters[BETA].gradient[0] = 0;
}

/* ---- Regularizer -------------------------------------------------------------------------------
 */

/* Of a filter: R, dR/dmu, dR/dtan(beta). */
struct sums {
    double value, by_mu, by_tangent;
};

/* Adds scale * dR/dw to diff, and what it sums to sums. */
METHOD_INLINE void add_block(const float *restrict row, size_t n, float mu, float tangent,
                             float scale, bool square, float *restrict diff, struct sums *sums)
{
    float value = 0;
    float by_mu = 0;
    float by_tangent = 0;
#pragma omp simd reduction(+ : value, by_mu, by_tangent)
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(row[i]);
        /* the nearer of the levels mu and -mu: distance and its derivative by mu */
        float minus = magnitude - mu;
        float plus = magnitude + mu;
        float distance = fabsf(minus) <= fabsf(plus) ? minus : plus;
        float side = fabsf(minus) <= fabsf(plus) ? -1.0F : 1.0F;
        float level = square ? distance * distance : fabsf(distance);
        float slope_level = square ? 2 * distance : method_sign(distance);
        /* the level 0 */
        float power = square ? magnitude * magnitude : magnitude;
        float zero = tangent * power;
        float slope_zero = square ? tangent * (2 * magnitude) : tangent;

        value += zero < level ? zero : level;
        by_mu += zero < level ? 0.0F : side * slope_level;
        by_tangent += zero < level ? power : 0.0F;
        diff[i] += scale * ((zero < level ? slope_zero : slope_level) * method_sign(row[i]));
    }
    sums->value += (double)value;
    sums->by_mu += (double)by_mu;
    sums->by_tangent += (double)by_tangent;
}

static struct sums add_row(const float *row, size_t size, float mu, float tangent, float scale,
                           bool square, float *diff)
{
    struct sums sums = {0, 0, 0};
    for (size_t i = 0; i < size; i += METHOD_BLOCK) {
        size_t n = size - i < METHOD_BLOCK ? size - i : METHOD_BLOCK;
        if (square) {
            add_block(row + i, n, mu, tangent, scale, true, diff + i, &sums);
        } else {
            add_block(row + i, n, mu, tangent, scale, false, diff + i, &sums);
        }
    }
    return sums;
}

static double sq_add_loss(struct method *method, const float *latent, float *diff_latent)
{
    size_t size = method->size;
    struct method_parameter *mu = &method->parameters[MU];
    struct method_parameter *beta = &method->parameters[BETA];
    double *columns = method->state;
    double tangent = tan((double)beta->value[0]);
    double scale = method->config.lambda / ((double)method->filters * (double)size);
    double gamma = method->config.gamma;
    bool square = method->config.power == 2;

    METHOD_PARALLEL(method)
    for (size_t f = 0; f < method->filters; f++) {
        struct sums s = add_row(latent + f * size, size, mu->value[f], (float)tangent, (float)scale,
                                square, diff_latent + f * size);
        mu->gradient[f] += (float)(scale * s.by_mu);
        columns[f * COLUMNS + LOSS] = s.value;
        columns[f * COLUMNS + BY_BETA] = s.by_tangent;
    }
    /* d tan = 1 + tan^2, d cot = -(1 + cot^2); cot > 0 on the interval. */
    /* the gamma term is divided by #W with the rest, or stands beside the mean */
    double times = (double)method->filters * (method->config.gamma_per_layer ? (double)size : 1);
    double value = method_total(method, COLUMNS, LOSS) + times * gamma / tangent;
    double by_beta = method_total(method, COLUMNS, BY_BETA) * (1 + tangent * tangent) -
                     times * gamma * (1 + 1 / (tangent * tangent));
    beta->gradient[0] += (float)(scale * by_beta);
    return scale * value;
}

static void sq_finish(struct method *method, const float *latent, float *quantized,
                      struct method_result *result)
{
    sq_forward(method, latent, NULL, quantized);
    method_describe(method, quantized,
                    is_binary(method) ? METHOD_DEPTH_BINARY : METHOD_DEPTH_TERNARY, result);
}

const struct method_class method_class_sq = {
    .kind = METHOD_SQ,
    .latent_count = 1,
    .create = sq_create,
    .destroy = method_free_state,
    .start = sq_start,
    .forward = sq_forward,
    .backward = sq_backward,
    .add_loss = sq_add_loss,
    .after_update = method_after_update,
    .finish = sq_finish,
};
