/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend "sim": the Verilated accelerator as a device. Device memory is host memory
 * (device_memory.c), reached by the kernel through the AXI model; the kernel is driven through its
 * registers by the same driver as a board's (kernel_driver.c). A run is a thread (device_job.c), to
 * which the kernel belongs until it ends; every few thousand cycles it publishes the counters.
 */
#include "backend_options.h"
#include "kernel.h"
#include "sim_geometries.h"

#include "device/device_job.h"
#include "device/device_memory.h"
#include "device/kernel_driver.h"
#include "device/kernel_record.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_CAPACITY (UINT64_C(1) << 34)
#define SLICE 1024        /* cycles between looks at whether to stop */
#define TRACE_SLICE 64    /* the same where the waveform depends on the descriptor */
#define PUBLISH_SLICES 16 /* between readings of the counters */

struct sim_device {
    struct sim_options options;
    struct bittern_geometry geometry;
    struct device_memory *memory;
    struct sim_kernel *kernel;
    struct kernel_access access;
    bool has_job;
    struct device_job job;
    struct bittern_start start; /* the job's, while it runs */
    atomic_bool stop;           /* the device is being closed */

    pthread_mutex_t lock; /* of the next line */
    struct bittern_counters counters;
};

/* ---- Registers and memory as others see them ------------------------------------------------- */

static bittern_status access_read(void *user, uint32_t offset, uint32_t *value,
                                  struct bittern_error *err)
{
    return sim_kernel_read(user, offset, value, err);
}

static bittern_status access_write(void *user, uint32_t offset, uint32_t value,
                                   struct bittern_error *err)
{
    return sim_kernel_write(user, offset, value, err);
}

static uint8_t *find_memory(void *user, uint64_t address, uint64_t size)
{
    uint8_t *data;
    struct sim_device *device = user;
    (void)device_memory_find(device->memory, "AXI", address, size, &data, NULL);
    return data;
}

/* ---- List, open, close ----------------------------------------------------------------------- */

static void geometry_of_model(const struct sim_model *model, struct bittern_geometry *geometry)
{
    *geometry = (struct bittern_geometry){
        .version = KERNEL_VERSION_VALUE,
        .word_bits = model->word_bits,
        .output_channels = model->output_channels,
        .pixels = model->pixels,
        .units = model->units,
        .feature_bytes = model->feature_words * (model->word_bits / 8),
        .weight_bytes = model->weight_rows * model->output_channels * (model->word_bits / 8)};
    (void)snprintf(geometry->name, sizeof geometry->name, "%s", model->name);
}

/* Models that are built, in the order of hw/geometries.txt. */
static bittern_status sim_list(size_t index, struct bittern_device_info *info,
                               struct bittern_error *err)
{
    static const char *const names[] = {SIM_GEOMETRIES};
    size_t found = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct sim_model *model = NULL;
        void *library = NULL;
        if (sim_model_load(names[i], "", &model, &library, NULL) != BITTERN_OK) {
            continue;
        }
        if (found++ == index) {
            (void)snprintf(info->name, sizeof info->name, "sim:%s", names[i]);
            (void)snprintf(info->description, sizeof info->description,
                           "simulated: word %" PRIu32 " bits, %" PRIu32 " channels x %" PRIu32
                           " pixels at once",
                           model->word_bits, model->output_channels, model->pixels);
            geometry_of_model(model, &info->geometry);
            dlclose(library);
            return BITTERN_OK;
        }
        dlclose(library);
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there are %zu simulated devices", found);
}

/* What the live kernel says must be what its library was built for. */
static bittern_status identify(struct sim_device *device, struct bittern_error *err)
{
    struct bittern_geometry built;

    geometry_of_model(sim_kernel_model(device->kernel), &built);
    device->geometry = (struct bittern_geometry){0};
    (void)snprintf(device->geometry.name, sizeof device->geometry.name, "%s", built.name);
    bittern_status status = kernel_identify(&device->access, &device->geometry, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (memcmp(&built, &device->geometry, sizeof built) != 0) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the simulated kernel's registers do not show the geometry '%s' "
                                 "that it was built with",
                                 built.name);
    }
    return device->options.has_watchdog
               ? kernel_set_watchdog(&device->access, device->options.watchdog, err)
               : BITTERN_OK;
}

static bittern_status make_kernel(struct sim_device *device, struct bittern_error *err)
{
    const struct sim_options *options = &device->options;
    const struct sim_kernel_options kernel_options = {
        .memory = options->memory,
        .variant = options->variant,
        .trace = options->trace[0] != '\0' ? options->trace : NULL,
        .activity = options->activity[0] != '\0',
        .find = find_memory,
        .user = device};

    bittern_status status =
        sim_kernel_create(options->geometry, &kernel_options, &device->kernel, err);
    for (size_t i = 0; status == BITTERN_OK && i < options->fault_count; i++) {
        status = axi_memory_add_fault(sim_kernel_memory(device->kernel), &options->faults[i], err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    device->access = (struct kernel_access){access_read, access_write, device->kernel};
    return identify(device, err);
}

static void sim_close(void *handle)
{
    struct sim_device *device = handle;
    atomic_store(&device->stop, true); /* nobody can look at the results any more */
    if (device->has_job) {
        device_job_destroy(&device->job);
        pthread_mutex_destroy(&device->lock);
    }
    sim_kernel_destroy(device->kernel);
    device_memory_free(device->memory);
    free(device);
}

static bittern_status sim_open(const char *address, void **handle, struct bittern_error *err)
{
    struct sim_device *device = calloc(1, sizeof *device);

    *handle = NULL;
    if (!device) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a device");
    }
    atomic_init(&device->stop, false);
    bittern_status status = sim_options_parse(address, &device->options, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = device_memory_create(MEMORY_CAPACITY, device->options.base, &device->memory, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = device_job_init(&device->job, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (pthread_mutex_init(&device->lock, NULL) != 0) {
        device_job_destroy(&device->job);
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a lock");
        goto cleanup;
    }
    device->has_job = true;
    status = make_kernel(device, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *handle = device;
    device = NULL;

cleanup:
    if (device) {
        sim_close(device);
    }
    return status;
}

static bittern_status sim_discover(void *handle, struct bittern_device_info *info,
                                   struct bittern_error *err)
{
    const struct sim_device *device = handle;
    const struct sim_options *options = &device->options;
    (void)err;
    memset(info, 0, sizeof *info);
    info->geometry = device->geometry;
    (void)snprintf(info->name, sizeof info->name, "sim:%s", device->geometry.name);
    (void)snprintf(info->description, sizeof info->description,
                   "simulated accelerator, memory with %" PRIu32 " cycles latency%s%s",
                   options->memory.read_latency,
                   options->memory.stall_percent > 0 || options->memory.beats_per_cycle < 1.0
                       ? ", held back"
                       : "",
                   options->trace[0] != '\0' ? ", writing a waveform" : "");
    return BITTERN_OK;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bittern_status sim_allocate(void *handle, uint64_t size, uint64_t *address,
                                   struct bittern_error *err)
{
    struct sim_device *device = handle;
    /* Whole pages, as the kernel reads and writes whole beats. */
    uint64_t whole = size <= MEMORY_CAPACITY ? (size + DEVICE_MEMORY_ALIGNMENT - 1) /
                                                   DEVICE_MEMORY_ALIGNMENT * DEVICE_MEMORY_ALIGNMENT
                                             : size;
    return device_memory_allocate(device->memory, whole, address, err);
}

static bittern_status sim_release(void *handle, uint64_t address, struct bittern_error *err)
{
    struct sim_device *device = handle;
    if (device_job_is_running(&device->job)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "memory cannot be released while a run is in progress; wait for "
                                 "its end first");
    }
    return device_memory_release(device->memory, address, err);
}

static bittern_status sim_write(void *handle, uint64_t address, const void *data, size_t size,
                                struct bittern_error *err)
{
    struct sim_device *device = handle;
    return device_memory_write(device->memory, address, data, size, err);
}

static bittern_status sim_read(void *handle, uint64_t address, void *data, size_t size,
                               struct bittern_error *err)
{
    struct sim_device *device = handle;
    return device_memory_read(device->memory, address, data, size, err);
}

/* ---- Running --------------------------------------------------------------------------------- */

static bittern_status publish_counters(struct sim_device *device, struct bittern_error *err)
{
    struct bittern_counters now = {0};
    bittern_status status = kernel_counters(&device->access, &now, err);
    if (status == BITTERN_OK) {
        pthread_mutex_lock(&device->lock);
        device->counters = now;
        pthread_mutex_unlock(&device->lock);
    }
    return status;
}

/* The waveform is written while a chosen descriptor is worked on. */
static bittern_status choose_trace(struct sim_device *device, struct bittern_error *err)
{
    uint32_t index;
    bittern_status status = sim_kernel_read(device->kernel, KERNEL_INDEX, &index, err);
    if (status == BITTERN_OK) {
        sim_kernel_set_trace(device->kernel, index >= device->options.trace_first &&
                                                 index <= device->options.trace_last);
    }
    return status;
}

static bittern_status check_protocol(const struct sim_device *device, struct bittern_error *err)
{
    const char *violation = axi_memory_violation(sim_kernel_memory(device->kernel));
    return violation ? bittern_error_set(err, BITTERN_ERR_DEVICE,
                                         "the kernel broke a rule of AXI4: %s", violation)
                     : BITTERN_OK;
}

static bittern_status run_to_end(struct sim_device *device, struct bittern_error *err)
{
    bool ended = false;
    bool traces = device->options.trace[0] != '\0';
    bittern_status status = BITTERN_OK;

    for (uint64_t slice = 1; status == BITTERN_OK && !ended; slice++) {
        if (atomic_load_explicit(&device->stop, memory_order_relaxed)) {
            return bittern_error_set(err, BITTERN_ERR_CANCELLED, "the device was closed");
        }
        ended = sim_kernel_run(device->kernel, traces ? TRACE_SLICE : SLICE);
        status = check_protocol(device, err);
        if (status == BITTERN_OK && traces) {
            status = choose_trace(device, err);
        }
        if (status == BITTERN_OK && slice % PUBLISH_SLICES == 0) {
            status = publish_counters(device, err);
        }
    }
    return status;
}

/* What must hold after a run that the kernel calls a success. */
static bittern_status check_end(struct sim_device *device, struct bittern_error *err)
{
    struct kernel_record record;
    uint8_t *data = NULL;

    if (!axi_memory_is_idle(sim_kernel_memory(device->kernel))) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel was done before memory had answered all of its "
                                 "accesses");
    }
    bittern_status status = device_memory_find(device->memory, "record", device->start.record,
                                               KERNEL_RECORD_HEAD, &data, err);
    if (status == BITTERN_OK && (!kernel_record_parse(data, &record) || record.error_code != 0 ||
                                 record.images != device->start.images)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel was done, but left no record of a good run");
    }
    return status;
}

static bittern_status run_job(void *handle, struct bittern_error *err)
{
    struct sim_device *device = handle;
    bool done = false;

    bittern_status status = kernel_start(&device->access, &device->start, err);
    if (status != BITTERN_OK) {
        return status;
    }
    axi_memory_begin_run(sim_kernel_memory(device->kernel));
    if (sim_kernel_activity(device->kernel)) {
        sim_activity_begin_run(sim_kernel_activity(device->kernel));
    }
    status = run_to_end(device, err);
    axi_memory_release_stuck(sim_kernel_memory(device->kernel));
    if (status != BITTERN_OK) {
        return status;
    }
    status = kernel_finish(&device->access, &done, err);
    if (status == BITTERN_OK && !done) {
        status = bittern_error_set(err, BITTERN_ERR_DEVICE,
                                   "the kernel's interrupt came before the end of its run");
    }
    if (status == BITTERN_OK) {
        status = publish_counters(device, err);
    }
    if (status == BITTERN_OK) {
        status = kernel_result(&device->access, err);
    }
    if (status == BITTERN_OK) {
        status = check_end(device, err);
    }
    if (status == BITTERN_OK && sim_kernel_activity(device->kernel)) {
        status =
            sim_activity_write(sim_kernel_activity(device->kernel), device->options.activity, err);
    }
    return status;
}

/* So that a record of an earlier run cannot pass for this one's. */
static bittern_status clear_record(struct sim_device *device, const struct bittern_start *start,
                                   struct bittern_error *err)
{
    uint8_t *data = NULL;
    bittern_status status = device_memory_find(device->memory, "record", start->record,
                                               start->record_bytes, &data, err);
    if (status == BITTERN_OK && start->record_bytes < KERNEL_RECORD_HEAD) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no room for the record");
    }
    if (status == BITTERN_OK) {
        memset(data, 0, (size_t)start->record_bytes);
    }
    return status;
}

static bittern_status sim_start(void *handle, const struct bittern_start *start,
                                struct bittern_error *err)
{
    struct sim_device *device = handle;

    if (device_job_is_running(&device->job)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "a run is in progress; wait for its end before the next start");
    }
    bittern_status status = clear_record(device, start, err);
    if (status != BITTERN_OK) {
        return status;
    }
    device->start = *start;
    memset(&device->counters, 0, sizeof device->counters);
    return device_job_start(&device->job, run_job, device, err);
}

static bittern_status sim_wait(void *handle, uint32_t timeout_ms, struct bittern_error *err)
{
    struct sim_device *device = handle;
    return device_job_wait(&device->job, timeout_ms, err);
}

static bittern_status sim_counters(void *handle, struct bittern_counters *counters,
                                   struct bittern_error *err)
{
    struct sim_device *device = handle;
    (void)err;
    pthread_mutex_lock(&device->lock);
    *counters = device->counters;
    pthread_mutex_unlock(&device->lock);
    counters->nanoseconds = device_job_nanoseconds(&device->job);
    return BITTERN_OK;
}

const struct bittern_backend *bittern_backend_entry(void);

__attribute__((visibility("default"))) const struct bittern_backend *bittern_backend_entry(void)
{
    static const struct bittern_backend verbs = {
        .version = BITTERN_BACKEND_VERSION,
        .name = "sim",
        .list = sim_list,
        .open = sim_open,
        .close = sim_close,
        .discover = sim_discover,
        .allocate = sim_allocate,
        .release = sim_release,
        .write = sim_write,
        .read = sim_read,
        .start = sim_start,
        .wait = sim_wait,
        .counters = sim_counters,
    };
    return &verbs;
}
