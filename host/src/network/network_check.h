/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of network_validate share: the layer under check, and how to refuse it. */
#ifndef BITTERN_NETWORK_CHECK_H
#define BITTERN_NETWORK_CHECK_H

#include "network/network_build.h"

/* The layer under check, and where to say what is wrong with it. */
struct network_check {
    const struct bittern_network *network;
    const struct bittern_layer *layer;
    size_t index;
    struct bittern_error *err;
};

/* Fill in c's error, with the layer in front, and return status. */
bittern_status network_fail(const struct network_check *c, bittern_status status,
                            const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Arrays that the activation needs are there, and no others. */
bittern_status network_check_activation_arrays(const struct network_check *c);
/* Weight bits, ranges and thresholds, channel by channel; then the layer's range. */
bittern_status network_check_channels(const struct network_check *c);
/* The real numbers that the outputs stand for, and the channels that only nearly do. */
bittern_status network_check_meaning(const struct network_check *c);

#endif
