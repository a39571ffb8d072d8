/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), the check sum of TensorFlow's record files. */
#ifndef BITTERN_TRAIN_CRC32C_H
#define BITTERN_TRAIN_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size);

/* As record files store it: a CRC over data that hold a CRC would be weak. */
uint32_t crc32c_masked(const void *data, size_t size);

#endif
