// SPDX-License-Identifier: Apache-2.0
// The Verilated kernel of one geometry behind model.h. Compiled once a geometry, against its own
// Vbittern_kernel.h, with SIM_NAME and the SIM_... parameters that it was Verilated with.
#include "model.h"

#include "Vbittern_kernel.h"
#if SIM_ACTIVITY
#include "Vbittern_kernel___024root.h"
#endif

#include <cstring>
#include <memory>
#include <new>
#include <verilated.h>
#if VM_COVERAGE
#include <atomic>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <verilated_cov.h>
#endif
#if VM_TRACE
#include <gtkwave/fstapi.h>
#include <verilated_fst_c.h>
#endif

namespace {

constexpr std::size_t beat_bytes = SIM_WORD / 8;
static_assert(SIM_WORD <= 32 * SIM_MAX_WORDS, "sim_inputs has no room for such a beat");

struct instance {
    VerilatedContext context;
    std::unique_ptr<Vbittern_kernel> top;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> trace;
    bool tracing = false;
#endif
#if SIM_ACTIVITY
    sim_signal signals[SIM_SIGNALS];
#endif
};

#if SIM_ACTIVITY
template <typename T> sim_signal signal_of(const T &value, unsigned bits)
{
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "signals are read byte by byte");
    return {reinterpret_cast<const uint8_t *>(&value), bits};
}

void find_signals(instance &self)
{
    const Vbittern_kernel___024root &root = *self.top->rootp;
    sim_signal *s = self.signals;
#define CORE(name) root.bittern_kernel__DOT__u_core__DOT__##name
#define RING(name) root.bittern_kernel__DOT__u_ring__DOT__##name
    s[SIM_SIGNAL_BUSY] = signal_of(CORE(busy_reg), 1);
    s[SIM_SIGNAL_DESCRIPTOR] = signal_of(CORE(desc), 2048);
    s[SIM_SIGNAL_CE] = signal_of(CORE(ce), 1);
    s[SIM_SIGNAL_STEP_PIPE] = signal_of(CORE(step_pipe), 10);
    s[SIM_SIGNAL_FIRST_PIPE] = signal_of(CORE(first_pipe), 10);
    s[SIM_SIGNAL_INT_MODE] = signal_of(CORE(int_mode), 1);
    s[SIM_SIGNAL_ACT] = signal_of(CORE(act), SIM_PX * SIM_WORD);
    s[SIM_SIGNAL_ZERO] = signal_of(CORE(zero_6), 2 * SIM_PX);
    s[SIM_SIGNAL_ODD] = signal_of(CORE(odd_6), 2 * SIM_PX);
    s[SIM_SIGNAL_WEIGHT] = signal_of(CORE(weight), SIM_OC * SIM_WORD);
    s[SIM_SIGNAL_NEGATIVE] = signal_of(CORE(negative), SIM_OC * SIM_WORD / 8);
    s[SIM_SIGNAL_NONZERO] = signal_of(CORE(nonzero), SIM_OC * SIM_WORD / 8);
    s[SIM_SIGNAL_ACC] = signal_of(CORE(acc), SIM_OC * SIM_PX * SIM_ACC_BITS);
    s[SIM_SIGNAL_FEATURE_READ] = signal_of(CORE(u_features__DOT__bank_data), SIM_PX * SIM_WORD);
    s[SIM_SIGNAL_FEATURE_WRITE_ENABLE] = signal_of(CORE(write_enable), SIM_PX * SIM_WORD / 8);
    s[SIM_SIGNAL_FEATURE_WRITE] = signal_of(CORE(write_data), SIM_PX * SIM_WORD);
    s[SIM_SIGNAL_RING_READ_ENABLE] = signal_of(CORE(ring_read), 1);
    s[SIM_SIGNAL_RING_READ] = signal_of(CORE(ring_data), SIM_OC * SIM_WORD);
    s[SIM_SIGNAL_RING_WRITE_ENABLE] = signal_of(RING(work_reg), 1);
    s[SIM_SIGNAL_RING_WRITE] = signal_of(RING(work_data_reg), SIM_WORD);
#undef CORE
#undef RING
}
#endif

void *create(const char *trace)
{
    std::unique_ptr<instance> self(new (std::nothrow) instance);
    if (!self) {
        return nullptr;
    }
    self->context.threads(SIM_THREADS);
#if VM_TRACE
    self->context.traceEverOn(trace != nullptr);
#else
    (void)trace;
#endif
    self->top = std::make_unique<Vbittern_kernel>(&self->context, "kernel");
#if VM_TRACE
    if (trace) {
        self->trace = std::make_unique<VerilatedFstC>();
        self->top->trace(self->trace.get(), 99);
        self->trace->open(trace);
        if (!self->trace->isOpen()) {
            return nullptr;
        }
    }
#endif
#if SIM_ACTIVITY
    find_signals(*self);
#endif
    return self.release();
}

#if VM_COVERAGE
// What this instance has covered, as a file of its own in $BITTERN_SIM_COVERAGE (hw/coverage.sh).
void write_coverage(instance &self)
{
    static std::atomic<unsigned> count{0};
    const char *folder = std::getenv("BITTERN_SIM_COVERAGE");
    if (folder) {
        const std::string path = std::string(folder) + "/" + std::to_string(getpid()) + "-" +
                                 std::to_string(count++) + ".dat";
        self.context.coveragep()->write(path.c_str());
    }
}
#endif

void destroy(void *handle)
{
    auto *self = static_cast<instance *>(handle);
    self->top->final();
#if VM_COVERAGE
    write_coverage(*self);
#endif
#if VM_TRACE
    if (self->trace) {
        self->trace->close();
    }
#endif
    delete self;
}

void drive(Vbittern_kernel &top, const sim_inputs &in)
{
    top.ap_rst_n = in.ap_rst_n;
    top.s_axi_control_awaddr = in.control_awaddr;
    top.s_axi_control_awvalid = in.control_awvalid;
    top.s_axi_control_wdata = in.control_wdata;
    top.s_axi_control_wstrb = in.control_wstrb;
    top.s_axi_control_wvalid = in.control_wvalid;
    top.s_axi_control_bready = in.control_bready;
    top.s_axi_control_araddr = in.control_araddr;
    top.s_axi_control_arvalid = in.control_arvalid;
    top.s_axi_control_rready = in.control_rready;
    top.m_axi_gmem_arready = in.arready;
    top.m_axi_gmem_awready = in.awready;
    top.m_axi_gmem_wready = in.wready;
    top.m_axi_gmem_rvalid = in.rvalid;
    top.m_axi_gmem_bvalid = in.bvalid;
    top.m_axi_gmem_bresp = in.bresp;
    top.m_axi_gmem_bid = in.bid;
    if (in.rvalid) {
        top.m_axi_gmem_rlast = in.rlast;
        top.m_axi_gmem_rresp = in.rresp;
        top.m_axi_gmem_rid = in.rid;
        std::memcpy(&top.m_axi_gmem_rdata, in.rdata, beat_bytes);
    }
}

void sample(Vbittern_kernel &top, sim_outputs &out)
{
    out.control_awready = top.s_axi_control_awready;
    out.control_wready = top.s_axi_control_wready;
    out.control_bvalid = top.s_axi_control_bvalid;
    out.control_bresp = top.s_axi_control_bresp;
    out.control_arready = top.s_axi_control_arready;
    out.control_rvalid = top.s_axi_control_rvalid;
    out.control_rresp = top.s_axi_control_rresp;
    out.control_rdata = top.s_axi_control_rdata;
    out.interrupt = top.__SYM__interrupt; // Verilator keeps the bare word for C++
    out.rready = top.m_axi_gmem_rready;
    out.bready = top.m_axi_gmem_bready;
    out.arvalid = top.m_axi_gmem_arvalid;
    if (out.arvalid) {
        out.araddr = top.m_axi_gmem_araddr;
        out.arlen = top.m_axi_gmem_arlen;
        out.arsize = top.m_axi_gmem_arsize;
        out.arburst = top.m_axi_gmem_arburst;
        out.arid = top.m_axi_gmem_arid;
    }
    out.awvalid = top.m_axi_gmem_awvalid;
    if (out.awvalid) {
        out.awaddr = top.m_axi_gmem_awaddr;
        out.awlen = top.m_axi_gmem_awlen;
        out.awsize = top.m_axi_gmem_awsize;
        out.awburst = top.m_axi_gmem_awburst;
        out.awid = top.m_axi_gmem_awid;
    }
    out.wvalid = top.m_axi_gmem_wvalid;
    if (out.wvalid) {
        out.wlast = top.m_axi_gmem_wlast;
        out.wstrb = top.m_axi_gmem_wstrb;
        std::memcpy(out.wdata, &top.m_axi_gmem_wdata, beat_bytes);
    }
}

#if VM_TRACE
void dump(instance &self)
{
    if (self.trace && self.tracing) {
        self.trace->dump(self.context.time());
    }
}
#endif

void settle(void *handle, const sim_inputs *in, sim_outputs *out)
{
    auto *self = static_cast<instance *>(handle);
    self->top->ap_clk = 0;
    drive(*self->top, *in);
    self->top->eval();
    sample(*self->top, *out);
#if VM_TRACE
    dump(*self);
    self->context.timeInc(5);
#endif
}

void clock(void *handle)
{
    auto *self = static_cast<instance *>(handle);
    self->top->ap_clk = 1;
    self->top->eval();
#if VM_TRACE
    dump(*self);
    self->context.timeInc(5);
#endif
}

void set_trace(void *handle, int on)
{
#if VM_TRACE
    static_cast<instance *>(handle)->tracing = on != 0;
#else
    (void)handle;
    (void)on;
#endif
}

#if VM_TRACE
int list_signals(const char *trace, void (*visit)(void *, const char *, const char *), void *user)
{
    void *reader = fstReaderOpen(trace);
    if (!reader) {
        return 0;
    }
    while (const fstHier *item = fstReaderIterateHier(reader)) {
        if (item->htyp == FST_HT_SCOPE) {
            fstReaderPushScope(reader, item->u.scope.name, nullptr);
        } else if (item->htyp == FST_HT_UPSCOPE) {
            fstReaderPopScope(reader);
        } else if (item->htyp == FST_HT_VAR && item->u.var.typ != FST_VT_VCD_PARAMETER) {
            visit(user, fstReaderGetCurrentFlatScope(reader), item->u.var.name);
        }
    }
    fstReaderClose(reader);
    return 1;
}
#else
constexpr auto list_signals = nullptr;
#endif

const sim_signal *signals(void *handle)
{
#if SIM_ACTIVITY
    return static_cast<instance *>(handle)->signals;
#else
    (void)handle;
    return nullptr;
#endif
}

} // namespace

extern "C" __attribute__((visibility("default"))) const sim_model *sim_model_entry(void)
{
    static const sim_model model = {
        SIM_MODEL_VERSION, SIM_NAME,     SIM_WORD, SIM_OC, SIM_PX,  SIM_UNITS, SIM_FEATURE_WORDS,
        SIM_WEIGHT_ROWS,   SIM_THREADS,  VM_TRACE, create, destroy, settle,    clock,
        set_trace,         list_signals, signals};
    return &model;
}
