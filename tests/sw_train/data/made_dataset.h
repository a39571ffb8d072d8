/* SPDX-License-Identifier: Apache-2.0 */
/* Small data sets with random pixels, made in a folder of their own that is gone afterwards. */
#ifndef BITTERN_TEST_MADE_DATASET_H
#define BITTERN_TEST_MADE_DATASET_H

#include <bittern/dataset.h>

/* Fails the test where files cannot be made. Label of image i is (7 * i + 3) mod 10.
 * @param channels  1: height x width as given; 3: 32x32 */
struct bittern_dataset *made_dataset_open(size_t channels, size_t count, size_t height,
                                          size_t width, uint64_t seed);

#endif
