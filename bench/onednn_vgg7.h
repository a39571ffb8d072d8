/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A float32 forward pass of the VGG-7 shape (network_vgg7.h) by oneDNN, to compare with: layouts of
 * oneDNN's choice, weights reordered beforehand, ReLU fused, all primitives made beforehand.
 */
#ifndef BITTERN_BENCH_ONEDNN_VGG7_H
#define BITTERN_BENCH_ONEDNN_VGG7_H

#include <bittern/error.h>
#include <stddef.h>

struct onednn_vgg7;

bittern_status onednn_vgg7_create(size_t batch, struct onednn_vgg7 **network,
                                  struct bittern_error *err);
void onednn_vgg7_free(struct onednn_vgg7 *network);

/* One forward pass of the batch. */
bittern_status onednn_vgg7_run(struct onednn_vgg7 *network, struct bittern_error *err);

/* Name of the implementation that oneDNN chose for its i-th primitive; NULL past the end. */
const char *onednn_vgg7_implementation(const struct onednn_vgg7 *network, size_t index);

#endif
