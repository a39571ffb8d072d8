/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNV-shaped integer networks with random weights (FINN: Umuroglu et al., FPGA 2017, table 2), for
 * measurements:
 *
 *     3x32x32 -> 2x(64C3) -> MP2 -> 2x(128C3) -> MP2 -> 2x(256C3) -> FC 512 -> FC 512 -> FC 10
 *
 * Convolutions have no padding. With binary weights and SIGN it is CNV-W1A1.
 */
#ifndef BITTERN_BENCH_NETWORK_CNV_H
#define BITTERN_BENCH_NETWORK_CNV_H

#include <bittern/network.h>
#include <stdint.h>

#define NETWORK_CNV_LAYERS 9

struct network_cnv_options {
    enum bittern_weight_kind weights;        /* BINARY, TERNARY, or PLANES: seven ternary ones */
    enum bittern_activation_kind activation; /* SIGN, TERNARY, or SCALE: 8 bits, unsigned */
    uint64_t seed;
};

bittern_status network_cnv_create(const struct network_cnv_options *options,
                                  struct bittern_network **network, struct bittern_error *err);

/** The same with each layer's own weights, conv1 .. conv6, fc1 .. fc3; those of the options are not
 *  looked at. */
bittern_status network_cnv_create_mixed(const struct network_cnv_options *options,
                                        const enum bittern_weight_kind *weights,
                                        struct bittern_network **network,
                                        struct bittern_error *err);

#endif
