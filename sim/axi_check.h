/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of AXI4 that concern the master's side of a burst, as messages. */
#ifndef BITTERN_SIM_AXI_CHECK_H
#define BITTERN_SIM_AXI_CHECK_H

#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct axi_check {
    uint32_t beat_bytes;
    uint8_t size; /* AxSIZE of a full beat */
    struct sim_outputs previous;
    bool ar_held, aw_held, w_held; /* offered in the previous cycle, and not taken */
    char violation[160];           /* "" while all is well */
};

void axi_check_init(struct axi_check *check, uint32_t beat_bytes);
void axi_check_reset(struct axi_check *check);

/* Every cycle, with the handshakes in it. */
void axi_check_cycle(struct axi_check *check, const struct sim_inputs *in,
                     const struct sim_outputs *out, uint64_t cycle);

/* Keep the first message. */
void axi_check_fail(struct axi_check *check, uint64_t cycle, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
