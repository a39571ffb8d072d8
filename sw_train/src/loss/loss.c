/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The losses of loss.h, one image after the other, in double. Softmax is taken relative to the
 * largest score, so that no exponential overflows; a score that is not finite makes the loss NaN or
 * infinite, which the trainer looks for.
 */
#include "loss/loss.h"

#include <math.h>

/* log of the sum over classes of exp(scores / temperature) */
static double log_sum_exp(const float *scores, size_t classes, double temperature)
{
    double largest = (double)scores[0];
    for (size_t c = 1; c < classes; c++) {
        if ((double)scores[c] > largest) {
            largest = (double)scores[c];
        }
    }
    double sum = 0.0;
    for (size_t c = 0; c < classes; c++) {
        sum += exp(((double)scores[c] - largest) / temperature);
    }
    return largest / temperature + log(sum);
}

double loss_cross_entropy(const float *scores, const uint8_t *labels, size_t count, size_t classes,
                          double divisor, float *gradient)
{
    double sum = 0.0;
    for (size_t n = 0; n < count; n++) {
        const float *s = scores + n * classes;
        double norm = log_sum_exp(s, classes, 1.0);
        sum += norm - (double)s[labels[n]];
        for (size_t c = 0; gradient && c < classes; c++) {
            double target = c == labels[n] ? 1.0 : 0.0;
            gradient[n * classes + c] = (float)((exp((double)s[c] - norm) - target) / divisor);
        }
    }
    return sum / divisor;
}

double loss_squared_hinge(const float *scores, const uint8_t *labels, size_t count, size_t classes,
                          double divisor, float *gradient)
{
    double scale = 1.0 / (divisor * (double)classes);
    double sum = 0.0;
    for (size_t n = 0; n < count; n++) {
        for (size_t c = 0; c < classes; c++) {
            size_t i = n * classes + c;
            double target = c == labels[n] ? 1.0 : -1.0;
            double margin = 1.0 - target * (double)scores[i];
            /* written so that NaN is not clipped away */
            double excess = margin <= 0.0 ? 0.0 : margin;
            sum += excess * excess;
            if (gradient) {
                gradient[i] = (float)(-2.0 * target * excess * scale);
            }
        }
    }
    return sum * scale;
}

double loss_distillation(const float *scores, const float *teacher, const uint8_t *labels,
                         size_t count, size_t classes, double temperature, double weight,
                         double divisor, float *gradient)
{
    double sum = 0.0;
    for (size_t n = 0; n < count; n++) {
        const float *s = scores + n * classes;
        const float *t = teacher + n * classes;
        double norm = log_sum_exp(s, classes, 1.0);
        double soft_norm = log_sum_exp(s, classes, temperature);
        double teacher_norm = log_sum_exp(t, classes, temperature);
        sum += (1.0 - weight) * (norm - (double)s[labels[n]]);
        for (size_t c = 0; c < classes; c++) {
            double soft_log = (double)s[c] / temperature - soft_norm;
            double soft_target = exp((double)t[c] / temperature - teacher_norm);
            if (soft_target > 0.0) {
                sum -= weight * temperature * temperature * soft_target * soft_log;
            }
            if (gradient) {
                double hard = exp((double)s[c] - norm) - (c == labels[n] ? 1.0 : 0.0);
                double soft = temperature * (exp(soft_log) - soft_target);
                gradient[n * classes + c] =
                    (float)(((1.0 - weight) * hard + weight * soft) / divisor);
            }
        }
    }
    return sum / divisor;
}

size_t loss_count_correct(const float *scores, const uint8_t *labels, size_t count, size_t classes)
{
    size_t correct = 0;
    for (size_t n = 0; n < count; n++) {
        const float *s = scores + n * classes;
        size_t best = 0;
        for (size_t c = 1; c < classes; c++) {
            if (s[c] > s[best]) {
                best = c;
            }
        }
        correct += best == labels[n];
    }
    return correct;
}
