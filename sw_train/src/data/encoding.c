/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input's encoding: chosen from a data set's statistics, and its tables.
 *
 * All is computed in float64 from means, deviations and a step that are float32 numbers, one
 * rounding an operation: as the exported model has them (its constants are float32) and as the
 * compiler evaluates it. The step keeps all values away from rounding ties, so that a run-time that
 * evaluates the model in float32 finds the same integers.
 */
#include "data/loader.h"

#include <math.h>
#include <string.h>

/* Least distance of any u' / step from a tie. Float32 evaluation errs by about 2e-5 at most (three
 * roundings of values up to 127); 768 values of three channels keep 2^-12 with most steps. */
#define ENCODING_TIE_MARGIN 0x1p-12
#define ENCODING_STEP_TRIES 256
#define ENCODING_SIGNED_LIMIT 127.0

/* u' of pixel value u */
static double normalized_value(const struct input_encoding *encoding, size_t channel, size_t u)
{
    return ((double)u / 255.0 - encoding->mean[channel]) / encoding->deviation[channel];
}

static double rounded_to_float(double value)
{
    return (double)(float)value;
}

/* Least distance of a value in steps from half an odd integer. */
static double tie_distance(const struct input_encoding *encoding, double step)
{
    double least = 0.5;
    for (size_t c = 0; c < encoding->channels; c++) {
        for (size_t u = 0; u < 256; u++) {
            double x = normalized_value(encoding, c, u) / step;
            least = fmin(least, fabs(x - floor(x) - 0.5));
        }
    }
    return least;
}

/* The smallest step that covers all values, made larger in steps of 2^-12 until no value is near a
 * tie; should none do (which random deviations do not bring about), the best of them. */
static double choose_signed_step(const struct input_encoding *encoding)
{
    double largest = 0.0;
    for (size_t c = 0; c < encoding->channels; c++) {
        largest = fmax(largest, fabs(normalized_value(encoding, c, 0)));
        largest = fmax(largest, fabs(normalized_value(encoding, c, 255)));
    }
    double best_step = 0.0;
    double best_distance = -1.0;
    for (size_t i = 0; i < ENCODING_STEP_TRIES && best_distance < ENCODING_TIE_MARGIN; i++) {
        double step =
            rounded_to_float(largest / ENCODING_SIGNED_LIMIT * (1.0 + (double)i * 0x1p-12));
        double distance = tie_distance(encoding, step);
        if (distance > best_distance) {
            best_distance = distance;
            best_step = step;
        }
    }
    return best_step;
}

bittern_status input_encoding_choose(const struct bittern_dataset *train, bool normalize,
                                     bool quantized, struct input_encoding *encoding,
                                     struct bittern_error *err)
{
    size_t channels = bittern_dataset_channels(train);
    memset(encoding, 0, sizeof(*encoding));
    if (channels < 1 || channels > INPUT_ENCODING_MAX_CHANNELS) {
        return bittern_error_set(
            err, BITTERN_ERR_UNSUPPORTED, "data set '%s' has %zu channels; images have 1 to %d",
            bittern_dataset_name(train), channels, INPUT_ENCODING_MAX_CHANNELS);
    }
    double mean[INPUT_ENCODING_MAX_CHANNELS] = {0.0};
    double deviation[INPUT_ENCODING_MAX_CHANNELS] = {0.0};
    if (normalize) {
        bittern_dataset_statistics(train, mean, deviation, NULL);
    }
    input_encoding_set(encoding, channels, normalize ? mean : NULL, normalize ? deviation : NULL,
                       quantized);
    return BITTERN_OK;
}

void input_encoding_set(struct input_encoding *encoding, size_t channels, const double *mean,
                        const double *deviation, bool quantized)
{
    memset(encoding, 0, sizeof(*encoding));
    encoding->channels = channels;
    encoding->quantized = quantized;
    for (size_t c = 0; c < INPUT_ENCODING_MAX_CHANNELS; c++) {
        encoding->deviation[c] = 1.0;
    }
    if (!mean) {
        encoding->step = quantized ? rounded_to_float(1.0 / 255.0) : 0.0;
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        encoding->mean[c] = rounded_to_float(mean[c]);
        /* A channel that hardly varies is not blown up beyond one pixel value. */
        encoding->deviation[c] = rounded_to_float(fmax(deviation[c], 1.0 / 255.0));
    }
    if (quantized) {
        encoding->is_signed = true;
        encoding->step = choose_signed_step(encoding);
    }
}

/* q of pixel value u */
static double quantized_value(const struct input_encoding *encoding, size_t channel, size_t u)
{
    double q = rint(normalized_value(encoding, channel, u) / encoding->step);
    double least = encoding->is_signed ? -ENCODING_SIGNED_LIMIT : 0.0;
    return fmin(fmax(q, least), encoding->is_signed ? ENCODING_SIGNED_LIMIT : 255.0);
}

void input_encoding_integers(const struct input_encoding *encoding, int16_t *table)
{
    for (size_t c = 0; c < encoding->channels; c++) {
        for (size_t u = 0; u < 256; u++) {
            table[c * 256 + u] = (int16_t)quantized_value(encoding, c, u);
        }
    }
}

void input_encoding_table(const struct input_encoding *encoding, float *table)
{
    for (size_t c = 0; c < encoding->channels; c++) {
        for (size_t u = 0; u < 256; u++) {
            double x = encoding->quantized ? encoding->step * quantized_value(encoding, c, u)
                                           : normalized_value(encoding, c, u);
            table[c * 256 + u] = (float)x;
        }
    }
}
