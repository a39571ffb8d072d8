/* SPDX-License-Identifier: Apache-2.0 */
/* The list of emulated kernels; empty where SIMDe was not found. */
#include "kernels_emulated.h"

#ifdef BITTERN_EMULATED_KERNELS
extern const struct reference_kernel reference_kernel_avx512_emulated;
extern const struct reference_kernel reference_kernel_neon_emulated;
#endif

static const struct reference_kernel *emulated_kernel_at(size_t index)
{
#ifdef BITTERN_EMULATED_KERNELS
    static const struct reference_kernel *const kernels[] = {&reference_kernel_avx512_emulated,
                                                             &reference_kernel_neon_emulated};
    if (index < sizeof kernels / sizeof kernels[0]) {
        return kernels[index];
    }
#else
    (void)index;
#endif
    return NULL;
}

const struct reference_kernel *any_kernel_at(size_t index)
{
    size_t real = 0;
    while (reference_kernel_at(real)) {
        ++real;
    }
    return index < real ? reference_kernel_at(index) : emulated_kernel_at(index - real);
}
