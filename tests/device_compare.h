/* SPDX-License-Identifier: Apache-2.0 */
/* A network on the device model, compared with the reference engine: every value of every layer. */
#ifndef BITTERN_DEVICE_COMPARE_H
#define BITTERN_DEVICE_COMPARE_H

#include <bittern/network.h>
#include <bittern/program.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum device_compare_result {
    DEVICE_EQUAL,
    DEVICE_REFUSED, /* the compiler says that the network does not run on this geometry */
    DEVICE_DIFFERENT
};

/* Random pixels from the seed. The message says why it was refused, or what differs. */
enum device_compare_result device_compare(const struct bittern_network *network,
                                          const struct bittern_geometry *geometry, size_t images,
                                          uint64_t seed, char *message, size_t message_size);

/* The same for a program that is there already. */
enum device_compare_result device_compare_program(const struct bittern_program *program,
                                                  size_t images, uint64_t seed, char *message,
                                                  size_t message_size);

#endif
