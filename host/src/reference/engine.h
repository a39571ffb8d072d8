/* SPDX-License-Identifier: Apache-2.0 */
/* The engine with a kernel that the caller brings: tests run kernels that this CPU has only in
 * emulation. */
#ifndef BITTERN_REFERENCE_ENGINE_H
#define BITTERN_REFERENCE_ENGINE_H

#include "reference/kernel.h"
#include <bittern/reference.h>

bittern_status reference_engine_create(const struct bittern_network *network,
                                       const struct reference_kernel *kernel, size_t threads,
                                       struct bittern_reference **engine,
                                       struct bittern_error *err);

#endif
