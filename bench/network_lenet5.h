/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeNet-5-shaped integer networks for 1x28x28 with random weights, 8-bit activations and a mix of
 * binary and ternary layers, as training with SQ leaves them:
 *
 *     classic  6C5 -> MP2 -> 16C5 -> MP2 -> FC 120 -> FC 84 -> FC 10     (recipe mnist-lenet5-sq)
 *     wide     32C5 -> MP2 -> 64C5 -> MP2 -> FC 512 -> FC 10        (recipe mnist-lenet5-wide-sq)
 */
#ifndef BITTERN_BENCH_NETWORK_LENET5_H
#define BITTERN_BENCH_NETWORK_LENET5_H

#include <bittern/network.h>
#include <stdbool.h>
#include <stdint.h>

bittern_status network_lenet5_create(bool wide, uint64_t seed, struct bittern_network **network,
                                     struct bittern_error *err);

#endif
