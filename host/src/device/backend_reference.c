/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in backend: this CPU plays the device. Its memory is host memory (device_memory.c);
 * `start` hands the job to a thread, which reads the program from device memory as an accelerator
 * would, runs the reference engine, and writes the outputs. The parsed program and its engine are
 * kept while the same bytes stand there.
 *
 * The job belongs to its thread from start until `running` is cleared under the lock; nothing else
 * but `running` and the clock is looked at meanwhile.
 */
#include "device/backend_load.h"
#include "device/device_memory.h"

#include <bittern/reference.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY_CAPACITY (UINT64_C(1) << 34)
#define MAX_THREADS 1024

struct reference_options {
    size_t threads;
    char kernel[16];
};

struct reference_device {
    struct reference_options options;
    struct device_memory *memory;

    pthread_mutex_t lock;
    pthread_cond_t finished;
    pthread_t thread;
    bool has_thread; /* to be joined */
    bool running;
    bool has_run;

    struct bittern_start job;
    struct timespec started;
    uint64_t nanoseconds; /* of the last finished run */
    bittern_status status;
    struct bittern_error error;

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

/* Times are of the monotonic clock: setting the wall clock must not end a wait. */
static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return done;
}

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
    status = device_memory_create(MEMORY_CAPACITY, &device->memory, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (pthread_mutex_init(&device->lock, NULL) != 0) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a lock");
        goto cleanup;
    }
    if (!init_condition(&device->finished)) {
        pthread_mutex_destroy(&device->lock);
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot make a condition variable");
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
    if (device->has_thread) {
        pthread_join(device->thread, NULL);
    }
    forget_program(device);
    pthread_cond_destroy(&device->finished);
    pthread_mutex_destroy(&device->lock);
    device_memory_free(device->memory);
    free(device);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool is_running(struct reference_device *device)
{
    pthread_mutex_lock(&device->lock);
    bool running = device->running;
    pthread_mutex_unlock(&device->lock);
    return running;
}

static bittern_status reference_allocate(void *handle, uint64_t size, uint64_t *address,
                                         struct bittern_error *err)
{
    struct reference_device *device = handle;
    return device_memory_allocate(device->memory, size, address, err);
}

static bittern_status reference_release(void *handle, uint64_t address, struct bittern_error *err)
{
    struct reference_device *device = handle;
    if (is_running(device)) {
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
    uint8_t *place = NULL;
    bittern_status status = device_memory_find(device->memory, "write", address, size, &place, err);
    if (status == BITTERN_OK) {
        memcpy(place, data, size);
    }
    return status;
}

static bittern_status reference_read(void *handle, uint64_t address, void *data, size_t size,
                                     struct bittern_error *err)
{
    struct reference_device *device = handle;
    uint8_t *place = NULL;
    bittern_status status = device_memory_find(device->memory, "read", address, size, &place, err);
    if (status == BITTERN_OK) {
        memcpy(data, place, size);
    }
    return status;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Parse the program in device memory, unless it is the one that is kept. */
static bittern_status take_program(struct reference_device *device, struct bittern_error *err)
{
    uint8_t *bytes = NULL;
    bittern_status status = device_memory_find(device->memory, "program", device->job.program,
                                               device->job.program_bytes, &bytes, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (device->program) {
        size_t size = 0;
        const void *kept = bittern_program_data(device->program, &size);
        if (size == device->job.program_bytes && memcmp(kept, bytes, size) == 0) {
            return BITTERN_OK;
        }
        forget_program(device);
    }
    status = bittern_program_read_memory(bytes, (size_t)device->job.program_bytes,
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

static bittern_status run_job(struct reference_device *device, struct bittern_error *err)
{
    uint8_t *input = NULL;
    uint8_t *output = NULL;
    const struct bittern_start *job = &device->job;

    bittern_status status = take_program(device, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const struct bittern_network *network = bittern_program_network(device->program);
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    /* A network's values fit 2^28, and images 2^32: the products below fit 64 bits. */
    uint64_t image_values = (uint64_t)shape->channels * shape->height * shape->width;
    uint64_t outputs = bittern_network_output_count(network);

    status = device_memory_find(device->memory, "input", job->input, job->images * image_values,
                                &input, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (job->output % sizeof(int32_t) != 0) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "output: the address 0x%" PRIx64 " is not a multiple of 4",
                                 job->output);
    }
    status = device_memory_find(device->memory, "output", job->output,
                                job->images * outputs * sizeof(int32_t), &output, err);
    if (status != BITTERN_OK) {
        return status;
    }
    int32_t *values = (int32_t *)(void *)output; /* calloc's alignment, plus a multiple of 4 */
    return bittern_reference_run_values(device->engine, input, job->images, values, err);
}

static uint64_t nanoseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t elapsed = ((int64_t)now.tv_sec - (int64_t)start->tv_sec) * 1000000000 +
                      ((int64_t)now.tv_nsec - (int64_t)start->tv_nsec);
    return elapsed > 0 ? (uint64_t)elapsed : 0;
}

static void *run_thread(void *argument)
{
    struct reference_device *device = argument;
    struct bittern_error error = {0};
    bittern_status status = run_job(device, &error);

    pthread_mutex_lock(&device->lock);
    device->status = status;
    device->error = error;
    device->nanoseconds = nanoseconds_since(&device->started);
    device->running = false;
    pthread_cond_broadcast(&device->finished);
    pthread_mutex_unlock(&device->lock);
    return NULL;
}

static bittern_status reference_start(void *handle, const struct bittern_start *start,
                                      struct bittern_error *err)
{
    struct reference_device *device = handle;

    if (is_running(device)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "a run is in progress; wait for its end before the next start");
    }
    if (device->has_thread) {
        pthread_join(device->thread, NULL);
        device->has_thread = false;
    }
    device->job = *start;
    clock_gettime(CLOCK_MONOTONIC, &device->started);
    device->running = true;
    device->has_run = true;
    int code = pthread_create(&device->thread, NULL, run_thread, device);
    if (code != 0) {
        device->running = false;
        device->has_run = false;
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "cannot start a thread: %s",
                                 strerror(code));
    }
    device->has_thread = true;
    return BITTERN_OK;
}

static void deadline_after(uint32_t milliseconds, struct timespec *deadline)
{
    clock_gettime(CLOCK_MONOTONIC, deadline);
    deadline->tv_sec += (time_t)(milliseconds / 1000);
    deadline->tv_nsec += (long)(milliseconds % 1000) * 1000000L;
    if (deadline->tv_nsec >= 1000000000L) {
        deadline->tv_sec++;
        deadline->tv_nsec -= 1000000000L;
    }
}

static bittern_status reference_wait(void *handle, uint32_t timeout_ms, struct bittern_error *err)
{
    struct reference_device *device = handle;
    bittern_status status = BITTERN_OK;
    struct timespec deadline;

    if (!device->has_run) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "nothing was started");
    }
    deadline_after(timeout_ms, &deadline);
    pthread_mutex_lock(&device->lock);
    int code = 0;
    while (device->running && code == 0) {
        code = pthread_cond_timedwait(&device->finished, &device->lock, &deadline);
    }
    if (device->running) {
        status = bittern_error_set(err, BITTERN_ERR_TIMEOUT,
                                   "the run did not end within %" PRIu32 " ms", timeout_ms);
    } else {
        status = device->status;
        if (status != BITTERN_OK && err) {
            *err = device->error;
        }
    }
    pthread_mutex_unlock(&device->lock);
    return status;
}

static bittern_status reference_counters(void *handle, struct bittern_counters *counters,
                                         struct bittern_error *err)
{
    struct reference_device *device = handle;
    (void)err;
    pthread_mutex_lock(&device->lock);
    counters->nanoseconds =
        device->running ? nanoseconds_since(&device->started) : device->nanoseconds;
    pthread_mutex_unlock(&device->lock);
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
