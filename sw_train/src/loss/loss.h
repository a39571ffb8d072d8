/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses on the graph's output. Each gives the sum over images of the loss, divided by `divisor`
 * (images of the whole batch, over all ranks), and its gradient in scores (NULL: not wanted).
 * All take scores [count][classes]; images past count (a filled-up batch) are the caller's to zero.
 */
#ifndef BITTERN_TRAIN_LOSS_H
#define BITTERN_TRAIN_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* -log softmax(scores)[label] */
double loss_cross_entropy(const float *scores, const uint8_t *labels, size_t count, size_t classes,
                          double divisor, float *gradient);
/* sum over classes of max(0, 1 - t * score)^2, t = +1 for the label's class, else -1 (the L2-SVM
 * of Tang 2013, as BinaryConnect and BNN use it), divided by classes */
double loss_squared_hinge(const float *scores, const uint8_t *labels, size_t count, size_t classes,
                          double divisor, float *gradient);
/* Distillation (Hinton et al. 2015): (1 - weight) * cross entropy + weight * T^2 * cross entropy
 * of softmax(scores / T) against softmax(teacher / T). Its minimum is the teacher's entropy, not
 * 0. */
double loss_distillation(const float *scores, const float *teacher, const uint8_t *labels,
                         size_t count, size_t classes, double temperature, double weight,
                         double divisor, float *gradient);

/* Images whose highest score (the lowest class where several are equal) is the label's. */
size_t loss_count_correct(const float *scores, const uint8_t *labels, size_t count, size_t classes);

#endif
