/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for CPUs other than this one, compiled from the same source against SIMDe, which writes
 * every intrinsic in plain C. */
#ifndef BITTERN_KERNELS_EMULATED_H
#define BITTERN_KERNELS_EMULATED_H

#include "reference/kernel.h"

/* All kernels: first those that this CPU runs, then the emulated ones; NULL past the end. */
const struct reference_kernel *any_kernel_at(size_t index);

#endif
