/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AXI4 (ARM IHI 0022) as far as a master of full-width INCR bursts can break it. Held channels are
 * compared with the cycle before; bursts are looked at once, when they are taken.
 */
#include "axi_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE 4096

void axi_check_init(struct axi_check *check, uint32_t beat_bytes)
{
    memset(check, 0, sizeof *check);
    check->beat_bytes = beat_bytes;
    while ((UINT32_C(1) << check->size) < beat_bytes) {
        check->size++;
    }
}

void axi_check_reset(struct axi_check *check)
{
    check->ar_held = check->aw_held = check->w_held = false;
}

void axi_check_fail(struct axi_check *check, uint64_t cycle, const char *format, ...)
{
    va_list args;
    int length;

    if (check->violation[0] != '\0') {
        return;
    }
    length = snprintf(check->violation, sizeof check->violation, "in cycle %" PRIu64 ": ", cycle);
    va_start(args, format);
    (void)vsnprintf(check->violation + length, sizeof check->violation - (size_t)length, format,
                    args);
    va_end(args);
}

static void check_burst(struct axi_check *check, const char *channel, uint64_t address,
                        uint8_t length, uint8_t size, uint8_t burst, uint64_t cycle)
{
    uint64_t bytes = ((uint64_t)length + 1) * check->beat_bytes;

    if (burst != 1) {
        axi_check_fail(check, cycle, "%sBURST is %u, not INCR", channel, (unsigned)burst);
    }
    if (size != check->size) {
        axi_check_fail(check, cycle, "%sSIZE is %u, not that of the bus, %u", channel,
                       (unsigned)size, (unsigned)check->size);
    }
    if (address % check->beat_bytes != 0) {
        axi_check_fail(check, cycle, "%sADDR 0x%" PRIx64 " is not aligned to a beat", channel,
                       address);
    }
    if (address % PAGE + bytes > PAGE) {
        axi_check_fail(check, cycle,
                       "a burst of %" PRIu64 " bytes from %sADDR 0x%" PRIx64 " crosses 4 KiB",
                       bytes, channel, address);
    }
}

/* What is offered and not taken must stay as it is (A3.2.1). */
static void check_held(struct axi_check *check, const struct sim_outputs *out, uint64_t cycle)
{
    const struct sim_outputs *was = &check->previous;

    if (check->ar_held &&
        (!out->arvalid || out->araddr != was->araddr || out->arlen != was->arlen ||
         out->arsize != was->arsize || out->arburst != was->arburst || out->arid != was->arid)) {
        axi_check_fail(check, cycle, "AR changed before ARREADY");
    }
    if (check->aw_held &&
        (!out->awvalid || out->awaddr != was->awaddr || out->awlen != was->awlen ||
         out->awsize != was->awsize || out->awburst != was->awburst || out->awid != was->awid)) {
        axi_check_fail(check, cycle, "AW changed before AWREADY");
    }
    if (check->w_held && (!out->wvalid || out->wlast != was->wlast || out->wstrb != was->wstrb ||
                          memcmp(out->wdata, was->wdata, check->beat_bytes) != 0)) {
        axi_check_fail(check, cycle, "W changed before WREADY");
    }
}

void axi_check_cycle(struct axi_check *check, const struct sim_inputs *in,
                     const struct sim_outputs *out, uint64_t cycle)
{
    if (!in->ap_rst_n) {
        if (out->arvalid || out->awvalid || out->wvalid) {
            axi_check_fail(check, cycle, "a VALID is high in reset");
        }
        return;
    }
    if (check->ar_held || check->aw_held || check->w_held) {
        check_held(check, out, cycle);
    }
    if (out->arvalid && in->arready) {
        check_burst(check, "AR", out->araddr, out->arlen, out->arsize, out->arburst, cycle);
    }
    if (out->awvalid && in->awready) {
        check_burst(check, "AW", out->awaddr, out->awlen, out->awsize, out->awburst, cycle);
    }
    check->ar_held = out->arvalid && !in->arready;
    check->aw_held = out->awvalid && !in->awready;
    check->w_held = out->wvalid && !in->wready;
    if (check->ar_held || check->aw_held || check->w_held) {
        check->previous = *out;
    }
}
