/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that does what a test tells it to, as a backend library of its own. Its address is a
 * list of settings:
 *
 *     image-bytes=N  outputs=M   output j of an image = (sum of its input bytes) * 16 + j
 *     tiny                       geometry "tiny" instead of "any"
 *     hang                       no run ever ends
 *     fail-VERB  fail-VERB=N     the verb fails, at each call or at the Nth one (from 1)
 *
 * A run reads its input when it is waited for, so that a host that overwrites the input of a run in
 * progress gets wrong outputs. It needs nothing of libbittern but its headers. Built with
 * FAKE_VERSION or FAKE_INCOMPLETE it is a library that must be refused.
 */
#include <bittern/device.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FAKE_VERSION
#define FAKE_VERSION BITTERN_BACKEND_VERSION
#endif

#define PAGE UINT64_C(4096)
#define MAX_BLOCKS 64

enum verb {
    VERB_LIST,
    VERB_OPEN,
    VERB_DISCOVER,
    VERB_ALLOCATE,
    VERB_RELEASE,
    VERB_WRITE,
    VERB_READ,
    VERB_START,
    VERB_WAIT,
    VERB_COUNTERS,
    VERB_COUNT
};

static const char *const verb_names[VERB_COUNT] = {"list",    "open",    "discover", "allocate",
                                                   "release", "write",   "read",     "start",
                                                   "wait",    "counters"};

struct fake_block {
    uint64_t address; /* 0: free */
    uint64_t size;
    uint8_t *data;
};

struct fake_device {
    size_t image_bytes, outputs;
    bool tiny, hang;
    size_t fail_at[VERB_COUNT]; /* 0: never, SIZE_MAX: always */
    size_t calls[VERB_COUNT];
    struct fake_block blocks[MAX_BLOCKS];
    uint64_t next_address;
    bool running;
    struct bittern_start job;
    uint64_t runs;
};

/* Devices and allocations that are there, for tests to see that nothing is left behind. */
static size_t live_devices, live_blocks;

size_t fake_live_devices(void);
size_t fake_live_blocks(void);
const struct bittern_backend *bittern_backend_entry(void);

__attribute__((visibility("default"))) size_t fake_live_devices(void)
{
    return live_devices;
}

__attribute__((visibility("default"))) size_t fake_live_blocks(void)
{
    return live_blocks;
}

static bittern_status fail(struct bittern_error *err, bittern_status status, const char *what)
{
    if (err) {
        err->status = status;
        (void)snprintf(err->message, sizeof err->message, "fake: %s", what);
    }
    return status;
}

/* Count the call; BITTERN_ERR_DEVICE where it is the one to fail. */
static bittern_status enter(struct fake_device *device, enum verb verb, struct bittern_error *err)
{
    device->calls[verb]++;
    if (device->fail_at[verb] == SIZE_MAX || device->fail_at[verb] == device->calls[verb]) {
        return fail(err, BITTERN_ERR_DEVICE, verb_names[verb]);
    }
    return BITTERN_OK;
}

static bool set_fault(struct fake_device *device, const char *setting)
{
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        size_t length = strlen(verb_names[verb]);
        if (strncmp(setting, verb_names[verb], length) != 0) {
            continue;
        }
        if (setting[length] == '\0') {
            device->fail_at[verb] = SIZE_MAX;
            return true;
        }
        if (setting[length] == '=') {
            device->fail_at[verb] = (size_t)strtoul(setting + length + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

static bool set(struct fake_device *device, const char *setting)
{
    if (strncmp(setting, "fail-", 5) == 0) {
        return set_fault(device, setting + 5);
    }
    if (strncmp(setting, "image-bytes=", 12) == 0) {
        device->image_bytes = (size_t)strtoul(setting + 12, NULL, 10);
    } else if (strncmp(setting, "outputs=", 8) == 0) {
        device->outputs = (size_t)strtoul(setting + 8, NULL, 10);
    } else if (strcmp(setting, "tiny") == 0) {
        device->tiny = true;
    } else if (strcmp(setting, "hang") == 0) {
        device->hang = true;
    } else {
        return false;
    }
    return true;
}

static bittern_status fake_list(size_t index, struct bittern_device_info *info,
                                struct bittern_error *err)
{
    if (index >= 2) {
        return fail(err, BITTERN_ERR_NOT_FOUND, "there are two");
    }
    (void)snprintf(info->name, sizeof info->name, "fake:%zu", index);
    (void)snprintf(info->description, sizeof info->description, "a device for tests");
    (void)snprintf(info->geometry.name, sizeof info->geometry.name, "any");
    return BITTERN_OK;
}

static bittern_status fake_open(const char *address, void **handle, struct bittern_error *err)
{
    char text[256];
    struct fake_device *device = calloc(1, sizeof *device);
    bittern_status status = BITTERN_OK;

    if (!device) {
        return fail(err, BITTERN_ERR_MEMORY, "no memory");
    }
    device->next_address = PAGE;
    (void)snprintf(text, sizeof text, "%s", address);
    char *rest = text;
    while (rest && *rest && status == BITTERN_OK) {
        if (!set(device, strsep(&rest, ","))) {
            status = fail(err, BITTERN_ERR_ARGUMENT, "unknown setting");
        }
    }
    if (status == BITTERN_OK) {
        status = enter(device, VERB_OPEN, err);
    }
    if (status != BITTERN_OK) {
        free(device);
        return status;
    }
    live_devices++;
    *handle = device;
    return BITTERN_OK;
}

static void free_block(struct fake_block *block)
{
    free(block->data);
    *block = (struct fake_block){0};
    live_blocks--;
}

static void fake_close(void *handle)
{
    struct fake_device *device = handle;
    for (size_t i = 0; i < MAX_BLOCKS; i++) {
        if (device->blocks[i].address != 0) {
            free_block(&device->blocks[i]);
        }
    }
    free(device);
    live_devices--;
}

static bittern_status fake_discover(void *handle, struct bittern_device_info *info,
                                    struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_DISCOVER, err);
    if (status != BITTERN_OK) {
        return status;
    }
    (void)fake_list(0, info, err);
    if (device->tiny) {
        info->geometry = (struct bittern_geometry){.name = "tiny",
                                                   .version = 1,
                                                   .word_bits = 128,
                                                   .output_channels = 16,
                                                   .pixels = 4,
                                                   .units = 7,
                                                   .feature_bytes = 393216,
                                                   .weight_bytes = 131072};
    }
    return BITTERN_OK;
}

static bittern_status fake_allocate(void *handle, uint64_t size, uint64_t *address,
                                    struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_ALLOCATE, err);
    if (status != BITTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < MAX_BLOCKS; i++) {
        struct fake_block *block = &device->blocks[i];
        if (block->address == 0) {
            block->data = calloc(1, (size_t)size);
            if (!block->data) {
                break;
            }
            block->address = device->next_address;
            block->size = size;
            device->next_address += (size / PAGE + 2) * PAGE;
            *address = block->address;
            live_blocks++;
            return BITTERN_OK;
        }
    }
    return fail(err, BITTERN_ERR_MEMORY, "no memory");
}

static bittern_status fake_release(void *handle, uint64_t address, struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_RELEASE, err);
    for (size_t i = 0; status == BITTERN_OK && i < MAX_BLOCKS; i++) {
        if (device->blocks[i].address == address) {
            free_block(&device->blocks[i]);
            return BITTERN_OK;
        }
    }
    return status != BITTERN_OK ? status : fail(err, BITTERN_ERR_DEVICE, "no such allocation");
}

static uint8_t *find(struct fake_device *device, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < MAX_BLOCKS; i++) {
        struct fake_block *block = &device->blocks[i];
        if (block->address != 0 && address >= block->address &&
            address + size <= block->address + block->size) {
            return block->data + (address - block->address);
        }
    }
    return NULL;
}

static bittern_status fake_write(void *handle, uint64_t address, const void *data, size_t size,
                                 struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_WRITE, err);
    uint8_t *place = find(device, address, size);
    if (status != BITTERN_OK || !place) {
        return status != BITTERN_OK ? status : fail(err, BITTERN_ERR_DEVICE, "wrong address");
    }
    memcpy(place, data, size);
    return BITTERN_OK;
}

static bittern_status fake_read(void *handle, uint64_t address, void *data, size_t size,
                                struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_READ, err);
    const uint8_t *place = find(device, address, size);
    if (status != BITTERN_OK || !place) {
        return status != BITTERN_OK ? status : fail(err, BITTERN_ERR_DEVICE, "wrong address");
    }
    memcpy(data, place, size);
    return BITTERN_OK;
}

static bittern_status fake_start(void *handle, const struct bittern_start *start,
                                 struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_START, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (device->running) {
        return fail(err, BITTERN_ERR_DEVICE, "busy");
    }
    device->job = *start;
    device->running = true;
    return BITTERN_OK;
}

static bittern_status compute(struct fake_device *device, struct bittern_error *err)
{
    const struct bittern_start *job = &device->job;
    const uint8_t *input = find(device, job->input, job->images * device->image_bytes);
    uint8_t *output = find(device, job->output, job->images * device->outputs * sizeof(int32_t));
    if (!input || !output || !find(device, job->program, job->program_bytes)) {
        return fail(err, BITTERN_ERR_DEVICE, "wrong address in start");
    }
    for (size_t image = 0; image < job->images; image++) {
        int32_t sum = 0;
        for (size_t i = 0; i < device->image_bytes; i++) {
            sum += *input++;
        }
        for (size_t j = 0; j < device->outputs; j++) {
            int32_t value = sum * 16 + (int32_t)j;
            memcpy(output, &value, sizeof value);
            output += sizeof value;
        }
    }
    return BITTERN_OK;
}

static bittern_status fake_wait(void *handle, uint32_t timeout_ms, struct bittern_error *err)
{
    struct fake_device *device = handle;
    (void)timeout_ms;
    if (device->hang) {
        return fail(err, BITTERN_ERR_TIMEOUT, "still running");
    }
    bool was_running = device->running;
    device->running = false;
    bittern_status status = enter(device, VERB_WAIT, err);
    if (status != BITTERN_OK || !was_running) {
        return status;
    }
    device->runs++;
    return compute(device, err);
}

static bittern_status fake_counters(void *handle, struct bittern_counters *counters,
                                    struct bittern_error *err)
{
    struct fake_device *device = handle;
    bittern_status status = enter(device, VERB_COUNTERS, err);
    if (status != BITTERN_OK) {
        return status;
    }
    *counters = (struct bittern_counters){.cycles = 1000 * device->job.images,
                                          .compute_cycles = 900 * device->job.images,
                                          .weight_stall_cycles = 50,
                                          .input_stall_cycles = 30,
                                          .output_stall_cycles = 20,
                                          .read_beats = 7,
                                          .write_beats = 3,
                                          .nanoseconds = 5};
    return BITTERN_OK;
}

__attribute__((visibility("default"))) const struct bittern_backend *bittern_backend_entry(void)
{
    static const struct bittern_backend backend = {
        .version = FAKE_VERSION,
        .name = "fake",
        .list = fake_list,
        .open = fake_open,
        .close = fake_close,
        .discover = fake_discover,
        .allocate = fake_allocate,
        .release = fake_release,
        .write = fake_write,
        .read = fake_read,
        .start = fake_start,
#ifndef FAKE_INCOMPLETE
        .wait = fake_wait,
#endif
        .counters = fake_counters,
    };
#ifdef FAKE_INCOMPLETE
    (void)fake_wait;
#endif
    return &backend;
}
