/* SPDX-License-Identifier: Apache-2.0 */
/* A random network, laid out for a simulated device, with images and what must come out of them. */
#ifndef BITTERN_SIM_EXAMPLE_H
#define BITTERN_SIM_EXAMPLE_H

#include "network_random.h"
#include "testing.h"

#include <bittern/device.h>
#include <bittern/program.h>

struct sim_example {
    struct bittern_network *network;
    struct bittern_program *program;
    size_t count, outputs;
    uint8_t *images;
    int32_t *expected; /* [count][outputs], of the reference engine */
    int32_t *values;   /* likewise, for what the device says */
};

/* BITTERN_ERR_UNSUPPORTED or _RANGE where the network does not fit the geometry: nothing to free
 * then. Any other failure fails the test. */
bittern_status sim_example_make(struct sim_example *example, uint64_t seed,
                                const struct random_network_options *options,
                                const struct bittern_geometry *geometry, size_t count,
                                struct bittern_error *err);
/* The first seed from `seed` on whose network fits. */
void sim_example_make_fitting(struct sim_example *example, uint64_t *seed,
                              const struct random_network_options *options,
                              const struct bittern_geometry *geometry, size_t count);
void sim_example_free(struct sim_example *example);

/* Fails the test, with `what` and the place, where values are not as expected. */
void sim_example_check(const struct sim_example *example, const char *what);

/* Open "sim:..." or fail; and what its geometry is. */
struct bittern_device *sim_open(const char *name);
const struct bittern_geometry *sim_geometry(const struct bittern_device *device);

#endif
