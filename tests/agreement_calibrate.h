/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that live: BatchNormalization that fits what stands in front of it, as training would
 * leave it, and a count of what a network's channels do with real images.
 */
#ifndef BITTERN_AGREEMENT_CALIBRATE_H
#define BITTERN_AGREEMENT_CALIBRATE_H

#include <bittern/model.h>
#include <bittern/network.h>

/*
 * Set mean and variance of each BatchNormalization of a finished model, from the input on, to what
 * these images of uint8 (seen as 0 to 1) give. With an epsilon of 0 they are rounded: the mean to
 * 1/64, the deviation to a power of two, so that sums on ties stay there.
 */
bittern_status agreement_calibrate(struct bittern_model *model, const uint8_t *images, size_t count,
                                   struct bittern_error *err);

struct agreement_life {
    size_t channels; /* of all layers */
    size_t varied;   /* of these, channels that took more than one value */
    size_t classes;  /* predicted for some image */
};

bittern_status agreement_measure_life(const struct bittern_network *network, const uint8_t *images,
                                      size_t count, struct agreement_life *life,
                                      struct bittern_error *err);

/* 80 % of the channels and 5 classes: below that, agreement would say little. */
bool agreement_is_alive(const struct agreement_life *life);

#endif
