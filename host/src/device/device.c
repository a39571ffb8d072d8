/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens devices by name, and passes each verb on to the device's backend once its arguments make
 * sense: what can never be right is refused here, alike for all backends.
 */
#include "device/backend_load.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BACKEND_NAME 32

struct bittern_device {
    struct loaded_backend backend;
    void *handle;
    struct bittern_device_info info;
};

bittern_status bittern_device_list(const char *backend_name, size_t index,
                                   struct bittern_device_info *info, struct bittern_error *err)
{
    struct loaded_backend backend;

    if (!backend_name || !info) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "bittern_device_list needs a backend and a place for the answer");
    }
    memset(info, 0, sizeof *info);
    bittern_status status = backend_load(backend_name, &backend, err);
    if (status == BITTERN_OK) {
        status = backend.verbs->list(index, info, err);
        backend_unload(&backend);
    }
    return status;
}

/* "sim:trace=1" -> backend "sim", address "trace=1". */
static bittern_status split_name(const char *name, char *backend, const char **address,
                                 struct bittern_error *err)
{
    const char *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : strlen(name);

    if (length == 0 || length >= MAX_BACKEND_NAME) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "'%.64s' is not a device's name: it has the form BACKEND or "
                                 "BACKEND:ADDRESS, e.g. reference, sim, xrt:0",
                                 name);
    }
    memcpy(backend, name, length);
    backend[length] = '\0';
    *address = colon ? colon + 1 : "";
    return BITTERN_OK;
}

bittern_status bittern_device_open(const char *name, struct bittern_device **device_out,
                                   struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct bittern_device *device = NULL;
    char backend_name[MAX_BACKEND_NAME];
    const char *address = NULL;

    if (!name || !device_out) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "bittern_device_open needs a name and a place for the device");
    }
    *device_out = NULL;
    device = calloc(1, sizeof *device);
    if (!device) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a device");
    }
    status = split_name(name, backend_name, &address, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = backend_load(backend_name, &device->backend, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = device->backend.verbs->open(address, &device->handle, err);
    if (status != BITTERN_OK) {
        device->handle = NULL;
        bittern_error_prefix(err, "device '%s'", name);
        goto cleanup;
    }
    status = device->backend.verbs->discover(device->handle, &device->info, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "device '%s'", name);
        goto cleanup;
    }
    /* A foreign backend may have left them open. */
    device->info.name[sizeof device->info.name - 1] = '\0';
    device->info.description[sizeof device->info.description - 1] = '\0';
    device->info.geometry.name[sizeof device->info.geometry.name - 1] = '\0';
    *device_out = device;
    device = NULL;

cleanup:
    bittern_device_close(device);
    return status;
}

void bittern_device_close(struct bittern_device *device)
{
    if (!device) {
        return;
    }
    if (device->handle) {
        device->backend.verbs->close(device->handle);
    }
    backend_unload(&device->backend);
    free(device);
}

const struct bittern_device_info *bittern_device_get_info(const struct bittern_device *device)
{
    return device ? &device->info : NULL;
}

static bittern_status argument_error(struct bittern_error *err, const char *verb, const char *what)
{
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "bittern_device_%s: %s", verb, what);
}

/* The backend's own message, with the device's name in front. */
static bittern_status named(const struct bittern_device *device, bittern_status status,
                            struct bittern_error *err)
{
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "device '%s'", device->info.name);
    }
    return status;
}

bittern_status bittern_device_allocate(struct bittern_device *device, uint64_t size,
                                       uint64_t *address, struct bittern_error *err)
{
    if (!device || !address) {
        return argument_error(err, "allocate", "needs a device and a place for the address");
    }
    if (size == 0) {
        return argument_error(err, "allocate", "the size is 0");
    }
    return named(device, device->backend.verbs->allocate(device->handle, size, address, err), err);
}

bittern_status bittern_device_release(struct bittern_device *device, uint64_t address,
                                      struct bittern_error *err)
{
    if (!device) {
        return argument_error(err, "release", "needs a device");
    }
    return named(device, device->backend.verbs->release(device->handle, address, err), err);
}

bittern_status bittern_device_write(struct bittern_device *device, uint64_t address,
                                    const void *data, size_t size, struct bittern_error *err)
{
    if (!device || (!data && size > 0)) {
        return argument_error(err, "write", "needs a device and data");
    }
    if (size == 0) {
        return BITTERN_OK;
    }
    if (address > UINT64_MAX - size) {
        return argument_error(err, "write", "the address range wraps around");
    }
    return named(device, device->backend.verbs->write(device->handle, address, data, size, err),
                 err);
}

bittern_status bittern_device_read(struct bittern_device *device, uint64_t address, void *data,
                                   size_t size, struct bittern_error *err)
{
    if (!device || (!data && size > 0)) {
        return argument_error(err, "read", "needs a device and a place for the data");
    }
    if (size == 0) {
        return BITTERN_OK;
    }
    if (address > UINT64_MAX - size) {
        return argument_error(err, "read", "the address range wraps around");
    }
    return named(device, device->backend.verbs->read(device->handle, address, data, size, err),
                 err);
}

bittern_status bittern_device_start(struct bittern_device *device,
                                    const struct bittern_start *start, struct bittern_error *err)
{
    if (!device || !start) {
        return argument_error(err, "start", "needs a device and what to start");
    }
    if (start->images == 0 || start->program_bytes == 0) {
        return argument_error(err, "start", "there are no images, or there is no program");
    }
    return named(device, device->backend.verbs->start(device->handle, start, err), err);
}

bittern_status bittern_device_wait(struct bittern_device *device, uint32_t timeout_ms,
                                   struct bittern_error *err)
{
    if (!device) {
        return argument_error(err, "wait", "needs a device");
    }
    return named(device, device->backend.verbs->wait(device->handle, timeout_ms, err), err);
}

bittern_status bittern_device_counters(struct bittern_device *device,
                                       struct bittern_counters *counters, struct bittern_error *err)
{
    if (!device || !counters) {
        return argument_error(err, "counters", "needs a device and a place for the counters");
    }
    memset(counters, 0, sizeof *counters);
    return named(device, device->backend.verbs->counters(device->handle, counters, err), err);
}
