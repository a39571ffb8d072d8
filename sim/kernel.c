/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cycle: the memory and the host's side of AXI4-Lite say what they offer, the model settles, both
 * sides see the outputs, the clock rises. The AXI4-Lite side is idle except within
 * sim_kernel_read and sim_kernel_write, which offer address and data and wait for the answer.
 */
#include "kernel.h"

#include "waveform.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RESET_CYCLES 16
#define ANSWER_CYCLES 1000 /* an AXI4-Lite access that takes longer is lost */

struct sim_kernel {
    const struct sim_model *model;
    void *library;
    void *instance;
    char *trace; /* the waveform's file; NULL: none */
    struct axi_memory *memory;
    struct sim_activity *activity; /* NULL: not recorded */
    struct sim_inputs in;
    struct sim_outputs out; /* of the last cycle, just before its edge */
    uint64_t cycle;
};

void sim_kernel_default_options(struct sim_kernel_options *options)
{
    *options = (struct sim_kernel_options){
        .memory = {.read_latency = 64, .write_latency = 64, .beats_per_cycle = 1.0}, .variant = ""};
}

static inline void run_cycle(struct sim_kernel *kernel)
{
    axi_memory_drive(kernel->memory, &kernel->in);
    kernel->model->settle(kernel->instance, &kernel->in, &kernel->out);
    axi_memory_clock(kernel->memory, &kernel->in, &kernel->out);
    if (kernel->activity) {
        const struct sim_inputs *in = &kernel->in;
        const struct sim_outputs *out = &kernel->out;
        const struct sim_activity_bus bus = {.active = out->arvalid || out->awvalid ||
                                                       out->wvalid || in->rvalid || in->bvalid,
                                             .read = in->rvalid && out->rready,
                                             .write = out->wvalid && in->wready};
        sim_activity_sample(kernel->activity, &bus);
    }
    kernel->model->clock(kernel->instance);
    kernel->cycle++;
}

bittern_status sim_kernel_create(const char *geometry, const struct sim_kernel_options *options,
                                 struct sim_kernel **kernel_out, struct bittern_error *err)
{
    struct sim_kernel *kernel = calloc(1, sizeof *kernel);

    *kernel_out = NULL;
    if (!kernel) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a simulated kernel");
    }
    bittern_status status =
        sim_model_load(geometry, options->variant, &kernel->model, &kernel->library, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (options->trace && !kernel->model->has_trace) {
        status = bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                   "this model of '%s' was built without waveforms", geometry);
        goto cleanup;
    }
    status = axi_memory_create(&options->memory, kernel->model->word_bits / 8, options->find,
                               options->user, &kernel->memory, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (options->trace) {
        kernel->trace = strdup(options->trace);
        if (!kernel->trace) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a simulated kernel");
            goto cleanup;
        }
    }
    kernel->instance = kernel->model->create(options->trace);
    if (!kernel->instance) {
        status =
            options->trace
                ? bittern_error_set(err, BITTERN_ERR_IO, "cannot write '%s'", options->trace)
                : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a simulated kernel");
        goto cleanup;
    }
    if (options->activity) {
        status = sim_activity_create(kernel->model, kernel->instance, &kernel->activity, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
    }
    sim_kernel_reset(kernel);
    *kernel_out = kernel;
    kernel = NULL;

cleanup:
    sim_kernel_destroy(kernel);
    return status;
}

void sim_kernel_destroy(struct sim_kernel *kernel)
{
    if (!kernel) {
        return;
    }
    if (kernel->instance) {
        kernel->model->destroy(kernel->instance);
    }
    if (kernel->instance && kernel->trace) {
        /* A waveform without it is as good: nobody is left to be told. */
        (void)waveform_write_save(kernel->model, kernel->trace, NULL, NULL);
    }
    free(kernel->trace);
    axi_memory_free(kernel->memory);
    sim_activity_free(kernel->activity);
    if (kernel->library) {
        dlclose(kernel->library);
    }
    free(kernel);
}

const struct sim_model *sim_kernel_model(const struct sim_kernel *kernel)
{
    return kernel->model;
}

void sim_kernel_reset(struct sim_kernel *kernel)
{
    memset(&kernel->in, 0, sizeof kernel->in);
    axi_memory_reset(kernel->memory);
    for (int i = 0; i < RESET_CYCLES; i++) {
        /* The first edges only bring registers into a known state. */
        kernel->model->settle(kernel->instance, &kernel->in, &kernel->out);
        kernel->model->clock(kernel->instance);
        kernel->cycle++;
    }
    kernel->in.ap_rst_n = 1;
    run_cycle(kernel);
}

static bittern_status no_answer(uint32_t offset, struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_DEVICE,
                             "the simulated kernel does not answer at register 0x%03" PRIx32,
                             offset);
}

bittern_status sim_kernel_read(struct sim_kernel *kernel, uint32_t offset, uint32_t *value,
                               struct bittern_error *err)
{
    struct sim_inputs *in = &kernel->in;
    bool answered = false;

    in->control_araddr = offset;
    in->control_arvalid = 1;
    in->control_rready = 1;
    for (int i = 0; i < ANSWER_CYCLES && !answered; i++) {
        run_cycle(kernel);
        if (kernel->out.control_arready) {
            in->control_arvalid = 0;
        }
        answered = kernel->out.control_rvalid;
    }
    in->control_arvalid = in->control_rready = 0;
    *value = kernel->out.control_rdata;
    return answered && kernel->out.control_rresp == 0 ? BITTERN_OK : no_answer(offset, err);
}

bittern_status sim_kernel_write(struct sim_kernel *kernel, uint32_t offset, uint32_t value,
                                struct bittern_error *err)
{
    struct sim_inputs *in = &kernel->in;
    bool answered = false;

    in->control_awaddr = offset;
    in->control_wdata = value;
    in->control_wstrb = 15;
    in->control_awvalid = in->control_wvalid = in->control_bready = 1;
    for (int i = 0; i < ANSWER_CYCLES && !answered; i++) {
        run_cycle(kernel);
        if (kernel->out.control_awready) {
            in->control_awvalid = 0;
        }
        if (kernel->out.control_wready) {
            in->control_wvalid = 0;
        }
        answered = kernel->out.control_bvalid;
    }
    in->control_awvalid = in->control_wvalid = in->control_bready = 0;
    return answered && kernel->out.control_bresp == 0 ? BITTERN_OK : no_answer(offset, err);
}

bool sim_kernel_run(struct sim_kernel *kernel, uint64_t cycles)
{
    for (uint64_t i = 0; i < cycles; i++) {
        run_cycle(kernel);
        if (kernel->out.interrupt) {
            return true;
        }
    }
    return false;
}

uint64_t sim_kernel_cycle(const struct sim_kernel *kernel)
{
    return kernel->cycle;
}

void sim_kernel_set_trace(struct sim_kernel *kernel, bool on)
{
    kernel->model->set_trace(kernel->instance, on);
}

struct sim_activity *sim_kernel_activity(struct sim_kernel *kernel)
{
    return kernel->activity;
}

struct axi_memory *sim_kernel_memory(struct sim_kernel *kernel)
{
    return kernel->memory;
}
