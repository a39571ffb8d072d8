/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in backend: this CPU plays the device. Its memory is host memory (device_memory.c);
 * `start` hands the job to a thread (device_job.c), which reads the program from device memory as
 * an accelerator would, runs the reference engine, and writes the outputs. The parsed program and
 * its engine are kept while the same bytes stand there.
 */
#include "device/backend_load.h"
#include "device/device_job.h"
#include "device/device_memory.h"

#include <bittern/reference.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_CAPACITY (UINT64_C(1) << 34)
#define MAX_THREADS 1024

struct reference_options {
    size_t threads;
    char kernel[16];
};

struct reference_device {
    struct reference_options options;
    struct device_memory *memory;

    struct device_job job;
    struct bittern_start start; /* the job's, while it runs */

    struct bittern_program *program; /* NULL: nothing is kept */
    struct bittern_reference *engine;
};

/* ---- Options and description ----------------------------------------------------------------- */

static size_t usable_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static bool kernel_exists(const char *name)
{
    for (size_t i = 0; bittern_reference_kernel_name(i); i++) {
        if (strcmp(bittern_reference_kernel_name(i), name) == 0) {
            return true;
        }
    }
    return false;
}

static void list_kernels(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; bittern_reference_kernel_name(i); i++) {
        int length = snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                              bittern_reference_kernel_name(i));
        if (length < 0 || (size_t)length >= size - used) {
            return;
        }
        used += (size_t)length;
    }
}

static bittern_status parse_threads(const char *text, size_t *threads, struct bittern_error *err)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < 1 ||
        value > MAX_THREADS) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "threads=%s is not a number from 1 to %d", text, MAX_THREADS);
    }
    *threads = (size_t)value;
    return BITTERN_OK;
}

static bittern_status parse_option(const char *option, struct reference_options *options,
                                   struct bittern_error *err)
{
    if (strncmp(option, "threads=", 8) == 0) {
        return parse_threads(option + 8, &options->threads, err);
    }
    if (strncmp(option, "kernel=", 7) != 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the reference has no option '%s': it takes threads=N and "
                                 "kernel=NAME, with a comma between",
                                 option);
    }
    const char *kernel = option + 7;
    if (!kernel_exists(kernel) || strlen(kernel) >= sizeof options->kernel) {
        char known[256];
        list_kernels(known, sizeof known);
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "there is no kernel '%s' on this CPU; it has %s", kernel, known);
    }
    (void)snprintf(options->kernel, sizeof options->kernel, "%s", kernel);
    return BITTERN_OK;
}

static bittern_status parse_options(const char *address, struct reference_options *options,
                                    struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    char text[128];

    options->threads = usable_cpus();
    (void)snprintf(options->kernel, sizeof options->kernel, "%s", bittern_reference_kernel_name(0));
    if (strlen(address) >= sizeof text) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the reference's options are too long");
    }
    (void)snprintf(text, sizeof text, "%s", address);
    char *rest = text;
    while (status == BITTERN_OK && rest && *rest) {
        char *option = strsep(&rest, ",");
        status = parse_option(option, options, err);
    }
    return status;
}

static void describe(const struct reference_options *options, struct bittern_device_info *info)
{
    memset(info, 0, sizeof *info);
    (void)snprintf(info->name, sizeof info->name, "reference");
    (void)snprintf(info->description, sizeof info->description,
                   "the reference engine on this CPU, kernel %s, %zu thread%s", options->kernel,
                   options->threads, options->threads == 1 ? "" : "s");
    (void)snprintf(info->geometry.name, sizeof info->geometry.name, "any");
}

static bittern_status reference_list(size_t index, struct bittern_device_info *info,
                                     struct bittern_error *err)
{
    struct reference_options options = {0};
    if (index > 0) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is one reference device");
    }
    bittern_status status = parse_options("", &options, err);
    if (status == BITTERN_OK) {
        describe(&options, info);
    }
    return status;
}

static bittern_status reference_discover(void *handle, struct bittern_device_info *info,
                                         struct bittern_error *err)
{
    const struct reference_device *device = handle;
    (void)err;
    describe(&device->options, info);
    return BITTERN_OK;
}

/* ---- Open and close -------------------------------------------------------------------------- */

static bittern_status reference_open(const char *address, void **handle, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct reference_device *device = calloc(1, sizeof *device);

    *handle = NULL;
    if (!device) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a device");
    }
    status = parse_options(address, &device->options, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = device_memory_create(MEMORY_CAPACITY, 0, &device->memory, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = device_job_init(&device->job, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *handle = device;
    device = NULL;

cleanup:
    if (device) {
        device_memory_free(device->memory);
        free(device);
    }
    return status;
}

static void forget_program(struct reference_device *device)
{
    bittern_reference_free(device->engine);
    bittern_program_free(device->program);
    device->engine = NULL;
    device->program = NULL;
}

static void reference_close(void *handle)
{
    struct reference_device *device = handle;
    device_job_destroy(&device->job);
    forget_program(device);
    device_memory_free(device->memory);
    free(device);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bittern_status reference_allocate(void *handle, uint64_t size, uint64_t *address,
                                         struct bittern_error *err)
{
    struct reference_device *device = handle;
    return device_memory_allocate(device->memory, size, address, err);
}

static bittern_status reference_release(void *handle, uint64_t address, struct bittern_error *err)
{
    struct reference_device *device = handle;
    if (device_job_is_running(&device->job)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "memory cannot be released while a run is in progress; wait for "
                                 "its end first");
    }
    return device_memory_release(device->memory, address, err);
}

static bittern_status reference_write(void *handle, uint64_t address, const void *data, size_t size,
                                      struct bittern_error *err)
{
    struct reference_device *device = handle;
    return device_memory_write(device->memory, address, data, size, err);
}

static bittern_status reference_read(void *handle, uint64_t address, void *data, size_t size,
                                     struct bittern_error *err)
{
    struct reference_device *device = handle;
    return device_memory_read(device->memory, address, data, size, err);
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Parse the program in device memory, unless it is the one that is kept. */
static bittern_status take_program(struct reference_device *device, struct bittern_error *err)
{
    uint8_t *bytes = NULL;
    bittern_status status = device_memory_find(device->memory, "program", device->start.program,
                                               device->start.program_bytes, &bytes, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (device->program) {
        size_t size = 0;
        const void *kept = bittern_program_data(device->program, &size);
        if (size == device->start.program_bytes && memcmp(kept, bytes, size) == 0) {
            return BITTERN_OK;
        }
        forget_program(device);
    }
    status = bittern_program_read_memory(bytes, (size_t)device->start.program_bytes,
                                         "the program in device memory", &device->program, err);
    if (status == BITTERN_OK) {
        const struct bittern_reference_options options = {.threads = device->options.threads,
                                                          .kernel = device->options.kernel};
        status = bittern_reference_create(bittern_program_network(device->program), &options,
                                          &device->engine, err);
    }
    if (status != BITTERN_OK) {
        forget_program(device);
    }
    return status;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "outputs are int32 little-endian, as the engine leaves them on such a host");

static bittern_status run_job(void *handle, struct bittern_error *err)
{
    struct reference_device *device = handle;
    uint8_t *input = NULL;
    uint8_t *output = NULL;
    const struct bittern_start *start = &device->start;

    bittern_status status = take_program(device, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const struct bittern_network *network = bittern_program_network(device->program);
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    /* A network's values fit 2^28, and images 2^32: the products below fit 64 bits. */
    uint64_t image_values = (uint64_t)shape->channels * shape->height * shape->width;
    uint64_t outputs = bittern_network_output_count(network);

    status = device_memory_find(device->memory, "input", start->input, start->images * image_values,
                                &input, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (start->output % sizeof(int32_t) != 0) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "output: the address 0x%" PRIx64 " is not a multiple of 4",
                                 start->output);
    }
    status = device_memory_find(device->memory, "output", start->output,
                                start->images * outputs * sizeof(int32_t), &output, err);
    if (status != BITTERN_OK) {
        return status;
    }
    int32_t *values = (int32_t *)(void *)output; /* calloc's alignment, plus a multiple of 4 */
    return bittern_reference_run_values(device->engine, input, start->images, values, err);
}

static bittern_status reference_start(void *handle, const struct bittern_start *start,
                                      struct bittern_error *err)
{
    struct reference_device *device = handle;

    if (device_job_is_running(&device->job)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "a run is in progress; wait for its end before the next start");
    }
    device->start = *start;
    return device_job_start(&device->job, run_job, device, err);
}

static bittern_status reference_wait(void *handle, uint32_t timeout_ms, struct bittern_error *err)
{
    struct reference_device *device = handle;
    return device_job_wait(&device->job, timeout_ms, err);
}

static bittern_status reference_counters(void *handle, struct bittern_counters *counters,
                                         struct bittern_error *err)
{
    struct reference_device *device = handle;
    (void)err;
    counters->nanoseconds = device_job_nanoseconds(&device->job);
    return BITTERN_OK;
}

const struct bittern_backend *backend_reference(void)
{
    static const struct bittern_backend verbs = {
        .version = BITTERN_BACKEND_VERSION,
        .name = "reference",
        .list = reference_list,
        .open = reference_open,
        .close = reference_close,
        .discover = reference_discover,
        .allocate = reference_allocate,
        .release = reference_release,
        .write = reference_write,
        .read = reference_read,
        .start = reference_start,
        .wait = reference_wait,
        .counters = reference_counters,
    };
    return &verbs;
}
