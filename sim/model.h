/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a library of one Verilated geometry exports: the kernel's pins as plain C, one clock edge at
 * a time. All that is C++ stays behind this (model.cpp); all that knows a protocol stands before
 * it.
 *
 * A cycle is settle() with the inputs of the cycle, which gives the outputs as they are just before
 * the rising edge, and then clock(), the edge itself.
 */
#ifndef BITTERN_SIM_MODEL_H
#define BITTERN_SIM_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIM_MODEL_VERSION 2
#define SIM_MAX_WORDS 16 /* 32-bit words of a beat: WORD <= 512 */

/* s_axi_control and m_axi_gmem as AXI names them, without their common prefixes. */
struct sim_inputs {
    uint32_t control_awaddr, control_wdata, control_araddr;
    uint8_t control_awvalid, control_wvalid, control_wstrb, control_bready;
    uint8_t control_arvalid, control_rready;

    uint8_t ap_rst_n;
    uint8_t arready, awready, wready;
    uint8_t rvalid, rlast, rresp, rid;
    uint8_t bvalid, bresp, bid;
    uint8_t rdata[4 * SIM_MAX_WORDS];
};

/* wdata and wstrb are those of the last cycle with wvalid; addresses likewise. */
struct sim_outputs {
    uint8_t control_awready, control_wready, control_bvalid, control_bresp;
    uint8_t control_arready, control_rvalid, control_rresp;
    uint8_t interrupt;
    uint32_t control_rdata;

    uint8_t arvalid, arburst, arsize, arlen, arid;
    uint8_t awvalid, awburst, awsize, awlen, awid;
    uint8_t wvalid, wlast, rready, bready;
    uint64_t araddr, awaddr;
    uint64_t wstrb;
    uint8_t wdata[4 * SIM_MAX_WORDS];
};

/* What the energy model looks at, in a model that was built with activity.vlt. All are read between
 * settle() and clock(). */
enum sim_signal_index {
    SIM_SIGNAL_BUSY,       /* a layer runs */
    SIM_SIGNAL_DESCRIPTOR, /* its descriptor */
    SIM_SIGNAL_CE,         /* of the core's pipeline */
    SIM_SIGNAL_STEP_PIPE,  /* [10:1], a step in each stage */
    SIM_SIGNAL_FIRST_PIPE, /* [10:1], first of a sum */
    SIM_SIGNAL_INT_MODE,   /* from here to ACC: ports of the compute array */
    SIM_SIGNAL_ACT,
    SIM_SIGNAL_ZERO,
    SIM_SIGNAL_ODD,
    SIM_SIGNAL_WEIGHT,
    SIM_SIGNAL_NEGATIVE,
    SIM_SIGNAL_NONZERO,
    SIM_SIGNAL_ACC,
    SIM_SIGNAL_FEATURE_READ,         /* data out of all banks of the feature memory */
    SIM_SIGNAL_FEATURE_WRITE_ENABLE, /* a byte each */
    SIM_SIGNAL_FEATURE_WRITE,
    SIM_SIGNAL_RING_READ_ENABLE,
    SIM_SIGNAL_RING_READ, /* data out of all banks of the weight ring */
    SIM_SIGNAL_RING_WRITE_ENABLE,
    SIM_SIGNAL_RING_WRITE,
    SIM_SIGNALS
};

/* Bit n is bit n % 8 of byte n / 8. */
struct sim_signal {
    const uint8_t *bytes;
    uint32_t bits;
};

struct sim_model {
    uint32_t version; /* SIM_MODEL_VERSION */
    const char *name; /* of the geometry */
    uint32_t word_bits, output_channels, pixels, units;
    uint32_t feature_words, weight_rows;
    uint32_t threads; /* that one evaluation uses */
    int has_trace;    /* create() takes a file's name */

    /* trace: FST file to write, NULL for none. NULL where there is no memory, or no such file. */
    void *(*create)(const char *trace);
    void (*destroy)(void *instance);
    void (*settle)(void *instance, const struct sim_inputs *in, struct sim_outputs *out);
    void (*clock)(void *instance);
    /* Write the waveform from now on, or not. */
    void (*set_trace)(void *instance, int on);
    /* Every signal of a finished waveform, with the path of its module: "kernel.bittern_kernel" and
     * "interrupt" or "images [31:0]". 0: the file cannot be read. NULL without waveforms. */
    int (*list_signals)(const char *trace,
                        void (*visit)(void *user, const char *scope, const char *signal),
                        void *user);
    /* [SIM_SIGNALS], of the instance and as long as it lives; NULL in a model without. */
    const struct sim_signal *(*signals)(void *instance);
};

/* The one symbol: "sim_model_entry". */
typedef const struct sim_model *(*sim_model_entry_function)(void);

#ifdef __cplusplus
}
#endif

#endif
