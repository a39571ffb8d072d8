/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The reference engine: an integer network on the CPU, bit-packed, exact.
 *
 * An engine is bound to one network, which must outlive it. One engine serves one caller at a
 * time; it spreads a batch's images over its own threads.
 */
#ifndef BITTERN_REFERENCE_H
#define BITTERN_REFERENCE_H

#include <bittern/error.h>
#include <bittern/network.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_reference;

struct bittern_reference_options {
    size_t threads;     /* 0: one a CPU that this process may use */
    const char *kernel; /* NULL: the fastest that this CPU runs; else a name from
                           bittern_reference_kernel_name */
};

/** Kernels that this build holds and this CPU runs, fastest first: "avx512", "avx2", "neon",
 * "portable". NULL past the end. */
BITTERN_API const char *bittern_reference_kernel_name(size_t index);

/** @param options  NULL for the defaults */
BITTERN_API bittern_status bittern_reference_create(const struct bittern_network *network,
                                                    const struct bittern_reference_options *options,
                                                    struct bittern_reference **engine,
                                                    struct bittern_error *err);
BITTERN_API void bittern_reference_free(struct bittern_reference *engine);

/** Name of the kernel in use, and number of threads. */
BITTERN_API const char *bittern_reference_kernel(const struct bittern_reference *engine);
BITTERN_API size_t bittern_reference_threads(const struct bittern_reference *engine);

/**
 * Run images through the network.
 * @param images  [count][channels][height][width] pixels as the data set has them
 * @param values  out: [count][bittern_network_output_count] outputs of the last layer
 */
BITTERN_API bittern_status bittern_reference_run(struct bittern_reference *engine,
                                                 const uint8_t *images, size_t count,
                                                 int32_t *values, struct bittern_error *err);

/**
 * As bittern_reference_run, with the input table applied already, as a device gets its input.
 * @param input  [count][channels][height][width] input values, one byte each: int8 where the
 *               network's input type is signed, else uint8
 */
BITTERN_API bittern_status bittern_reference_run_values(struct bittern_reference *engine,
                                                        const uint8_t *input, size_t count,
                                                        int32_t *values, struct bittern_error *err);

/**
 * Sees the input (layer SIZE_MAX) and each layer's output of one image.
 * @param values  [shape.channels][shape.height][shape.width]
 * @return 0 to go on
 */
typedef int (*bittern_layer_observer)(void *user, size_t image, size_t layer,
                                      const struct bittern_shape *shape, const int32_t *values);

/** As bittern_reference_run, on the caller's thread, with every layer's output shown. */
BITTERN_API bittern_status bittern_reference_trace(struct bittern_reference *engine,
                                                   const uint8_t *images, size_t count,
                                                   bittern_layer_observer observer, void *user,
                                                   struct bittern_error *err);

#ifdef __cplusplus
}
#endif

#endif
