/* SPDX-License-Identifier: Apache-2.0 */
/* LeNet-5 (LeCun et al., 1998) for 28x28 images, with ReLU and max-pooling, trained by stochastic
 * gradient descent: the yardstick of how hard a data set of digits is. */
#ifndef BITTERN_BENCH_LENET5_H
#define BITTERN_BENCH_LENET5_H

#include <stddef.h>
#include <stdint.h>

struct lenet5;

/* Random weights from a seed; NULL without memory. */
struct lenet5 *lenet5_create(uint64_t seed);
void lenet5_destroy(struct lenet5 *net);

/* One step on a batch: images [count][28][28] in [0,1], chosen from `images` by `chosen`. */
void lenet5_train(struct lenet5 *net, const float *images, const uint8_t *labels,
                  const size_t *chosen, size_t count, float rate, float momentum);

/* How many of the images get their label. */
size_t lenet5_count_correct(struct lenet5 *net, const float *images, const uint8_t *labels,
                            size_t count);

#endif
