/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks on which float graphs and integer networks are compared, over images of 28x28: TFC
 * at its published widths, and small conv nets of each weight kind with each activation kind.
 */
#ifndef BITTERN_AGREEMENT_NETS_H
#define BITTERN_AGREEMENT_NETS_H

#include <bittern/model.h>

struct agreement_net {
    char name[64];
    bool must_equal; /* binary or ternary activations: every value of every layer */
};

/* Network 0..; false past the end. *model is NULL where building failed, with err set. */
bool agreement_net_build(size_t index, struct agreement_net *net, struct bittern_model **model,
                         struct bittern_error *err);

#endif
