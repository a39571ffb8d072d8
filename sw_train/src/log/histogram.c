/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms of weights: bins of equal width over a range symmetric to 0. */
#include "log/metrics.h"

#include <math.h>

static double largest_finite(const float *values, size_t count)
{
    float largest = 0.0F;
    for (size_t i = 0; i < count; i++) {
        float magnitude = fabsf(values[i]);
        if (magnitude > largest && isfinite(magnitude)) {
            largest = magnitude;
        }
    }
    return (double)largest;
}

static size_t bin_of(double value, double range)
{
    double place = (value + range) * ((double)HISTOGRAM_BINS / (2.0 * range));
    if (!(place > 0.0)) {
        return 0;
    }
    return place < (double)HISTOGRAM_BINS ? (size_t)place : HISTOGRAM_BINS - 1;
}

void histogram_make(struct histogram *histogram, const float *values, size_t count)
{
    double range = largest_finite(values, count);
    if (range == 0.0) {
        range = 1.0; /* nothing but zeros: any range with 0 in its middle */
    }
    *histogram = (struct histogram){.minimum = -range, .maximum = range};
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i];
        if (isnan(value)) {
            continue;
        }
        histogram->bins[bin_of(value, range)]++;
        histogram->count++;
        if (isfinite(value)) {
            histogram->sum += value;
            histogram->sum_of_squares += value * value;
        }
    }
}
